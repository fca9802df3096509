/*
 * rom.c: expansion ROMs of PCI functions, and what firmware calls a function.
 *
 * romfile= (or the type's own image) is loaded into the ROM BAR; rombar=0 hands it to firmware as a fw_cfg file instead. In
 * an image of ours the ids are made those of the function, so that one image serves several models.
 *
 * Specifications: PCI Local Bus 3.0, 6.3 (expansion ROMs); Open Firmware PCI bus binding 2.1, 2.5 (names by class).
 */
#include "hw/boot.h"
#include "hw/loader.h"
#include "hw/pci.h"
#include "softmmu/datadir.h"

enum { MIN_ROM_BYTES = 2048, MAX_ROM_BYTES = 16 * 1024 * 1024, PCI_DATA_POINTER = 0x18, CHECKSUM_BYTE = 6 };

/* ids: byte sums of x86 images must stay zero, which the spare byte 6 sees to. */
static void patch_ids(const PciDevice *pci, uint8_t *rom, size_t len)
{
    size_t at = ldle16(rom + PCI_DATA_POINTER);

    if (len < PCI_DATA_POINTER + 2 || ldle16(rom) != 0xaa55 || at + 8 > len || memcmp(rom + at, "PCIR", 4)) {
        return;
    }
    static const unsigned from[2] = { PCI_VENDOR_ID, PCI_DEVICE_ID };
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *id = rom + at + 4 + 2 * i;
        uint16_t was = ldle16(id), is = pci_get16(pci, from[i]);
        stle16(id, is);
        rom[CHECKSUM_BYTE] = (uint8_t)(rom[CHECKSUM_BYTE] + (was & 0xff) + (was >> 8) - (is & 0xff) - (is >> 8));
    }
}

bool pci_load_rom(PciDevice *pci, Error **errp)
{
    const char *own = pci->ptype->romfile, *name = pci->romfile ? pci->romfile : own;
    char *path;
    Image image;

    if (!name || !*name) {
        return true;
    }
    path = datadir_find(name);
    if (!path && !pci->romfile) {
        error_warn("%s: its boot ROM '%s' is missing (install the package %s): it goes without", pci->dev.obj.type->name, name,
                   strstr(name, "vgabios") ? "seabios" : "ipxe-qemu");
        return true;
    }
    if (!path) {
        error_set(errp, "failed to find romfile \"%s\"", name);
        return false;
    }
    if (!pci->rombar) {
        bool vga = pci_get16(pci, PCI_CLASS) == 0x0300;
        bool ok = pci->dev.hotplugged || boot_add_device_rom(path, vga, errp);
        free(path);
        return ok;
    }
    bool ok = image_open_raw(&image, "romfile", path, errp);
    if (ok && image.len > MAX_ROM_BYTES) {
        error_set(errp, "romfile \"%s\" is larger than %d bytes", path, MAX_ROM_BYTES);
        image_close(&image);
        ok = false;
    }
    free(path);
    if (!ok) {
        return false;
    }
    uint64_t size = MIN_ROM_BYTES;
    while (size < image.len) {
        size *= 2;
    }
    char *region = xasprintf("%s.rom", pci->dev.obj.type->name);
    ok = memory_region_init_rom(&pci->rom, &pci->dev.obj, region, size, errp);
    free(region);
    if (ok) {
        uint8_t *rom = memory_region_host(&pci->rom);
        memcpy(rom, image.data, image.len);
        if (!pci->romfile) {
            patch_ids(pci, rom, image.len);
        }
        pci_add_bar(pci, PCI_ROM_BAR, 0, &pci->rom);
    }
    image_close(&image);
    return ok;
}

char *pci_fw_path(Device *dev)
{
    static const struct {
        uint16_t class_code;
        const char *name;
    } names[] = {
        { 0x0001, "display" }, { 0x0100, "scsi" }, { 0x0101, "ide" }, { 0x0102, "fdc" }, { 0x0103, "ipi" }, { 0x0104, "raid" },
        { 0x0200, "ethernet" }, { 0x0201, "token-ring" }, { 0x0202, "fddi" }, { 0x0203, "atm" }, { 0x0300, "display" },
        { 0x0380, "display" }, { 0x0400, "video" }, { 0x0401, "sound" }, { 0x0403, "sound" }, { 0x0500, "memory" },
        { 0x0501, "flash" }, { 0x0600, "host" }, { 0x0601, "isa" }, { 0x0602, "eisa" }, { 0x0603, "mca" },
        { 0x0604, "pci-bridge" }, { 0x0605, "pcmcia" }, { 0x0606, "nubus" }, { 0x0607, "cardbus" }, { 0x0700, "serial" },
        { 0x0701, "parallel" }, { 0x0800, "interrupt-controller" }, { 0x0801, "dma-controller" }, { 0x0802, "timer" },
        { 0x0803, "rtc" }, { 0x0900, "keyboard" }, { 0x0901, "pen" }, { 0x0902, "mouse" }, { 0x0c00, "firewire" },
        { 0x0c03, "usb" }, { 0x0c04, "fibre-channel" },
    };
    PciDevice *pci = PCI_DEVICE(dev);
    uint16_t class_code = pci_get16(pci, PCI_CLASS);
    char *name = NULL, *path;

    for (size_t i = 0; i < ARRAY_SIZE(names) && !name; i++) {
        name = names[i].class_code == class_code ? xstrdup(names[i].name) : NULL;
    }
    if (!name) {
        name = xasprintf("pci%04x,%04x", pci_get16(pci, PCI_VENDOR_ID), pci_get16(pci, PCI_DEVICE_ID));
    }
    path = pci->devfn & 7 ? xasprintf("%s@%x,%x", name, pci->devfn >> 3, pci->devfn & 7) : xasprintf("%s@%x", name, pci->devfn >> 3);
    free(name);
    return path;
}
