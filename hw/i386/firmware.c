/*
 * firmware.c: the image that the processor's reset vector, 16 bytes below 4 GiB, lies in.
 *
 * -bios (default: SeaBIOS) is read-only memory that ends at 4 GiB; its last 128 KiB appear below 1 MiB, too. With a drive for
 * pflash unit 0, or -machine pflash0=, flash chips lie there instead, unit 0 on top.
 */
#include <stdio.h>

#include "block/block.h"
#include "hw/i386/pc.h"
#include "softmmu/datadir.h"

enum { FLASH_SECTOR_BYTES = 4096, ISA_BIOS_BYTES = 128 * 1024 };

static bool load_rom(X86Machine *x, const char *default_name, Error **errp)
{
    const char *name = x->machine.firmware ? x->machine.firmware : default_name;
    char *path = datadir_find(name);
    Image image;

    if (!path) {
        const char *package = datadir_package(name);
        if (package) {
            error_set(errp, "could not load PC BIOS '%s': install the package '%s'%s", name, package,
                      x->machine.firmware ? "" : ", or give -bios or -L");
        } else {
            error_set(errp, "could not load PC BIOS '%s'", name);
        }
        return false;
    }
    bool ok = image_open_raw(&image, "firmware", path, errp);
    free(path);
    if (!ok) {
        return false;
    }
    if (!image.len || image.len % 65536 || image.len > 16 * MiB) {
        error_set(errp, "could not load PC BIOS '%s': its size, %" PRIu64 " bytes, is not a multiple of 64 KiB up to 16 MiB", name,
                  image.len);
        image_close(&image);
        return false;
    }
    x->firmware_bytes = image.len;
    ok = x->firmware_writable ? memory_region_init_ram(&x->bios, NULL, "pc.bios", image.len, errp)
                              : memory_region_init_rom(&x->bios, NULL, "pc.bios", image.len, errp);
    if (ok) {
        uint64_t isa_bytes = MIN(image.len, ISA_BIOS_BYTES);
        memcpy(memory_region_host(&x->bios), image.data, image.len);
        memory_region_init_alias(&x->isa_bios, NULL, "isa-bios", &x->bios, image.len - isa_bytes, isa_bytes);
        memory_region_add_overlap(x->rom_memory, 1 * MiB - isa_bytes, &x->isa_bios, 1);
        memory_region_add(x->rom_memory, 4 * GiB - image.len, &x->bios);
        machine_note_rom(&x->machine, name, 4 * GiB - image.len, image.len);
    }
    image_close(&image);
    return ok;
}

/* -- flash ----------------------------------------------------------------------------------------------------------------- */

static BlockBackend *flash_drive(X86Machine *x, unsigned n, Error **errp)
{
    if (x->pflash[n] && *x->pflash[n]) {
        BlockBackend *blk = block_find(x->pflash[n]);
        if (!blk) {
            error_set(errp, "Property 'pflash%u' can't find value '%s'", n, x->pflash[n]);
        }
        return blk;
    }
    return drive_get("pflash", n);
}

static bool create_flash(X86Machine *x, unsigned n, BlockBackend *blk, uint64_t bytes, gpa top, Error **errp)
{
    Device *dev = device_new("cfi.pflash01", errp);
    char name[32], blocks[32];

    if (!dev) {
        return false;
    }
    snprintf(name, sizeof(name), "system.flash%u", n);
    snprintf(blocks, sizeof(blocks), "%" PRIu64, bytes / FLASH_SECTOR_BYTES);
    const char *props[] = { "name", name, "num-blocks", blocks, "sector-length", "4096", "width", "1", NULL };
    for (const char **p = props; *p; p += 2) {
        if (!object_property_parse(&dev->obj, p[0], p[1], errp)) {
            object_unref(&dev->obj);
            return false;
        }
    }
    const Property *drive = object_type_find_prop(dev->obj.type, "drive");
    *(BlockBackend **)((char *)dev + drive->offset) = blk;
    object_add_child(&x->machine.obj, name, &dev->obj);
    bool ok = device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    if (ok) {
        sysbus_map(dev, 0, top - bytes);
    }
    if (ok && n == 0) {
        /* What is below 1 MiB is a copy: a legacy BIOS in flash starts there. */
        uint64_t isa_bytes = MIN(bytes, ISA_BIOS_BYTES);
        ok = memory_region_init_rom(&x->isa_bios, NULL, "isa-bios", isa_bytes, errp);
        if (ok) {
            const uint8_t *flash = memory_region_host(device_mmio(dev, 0));
            memcpy(memory_region_host(&x->isa_bios), flash + bytes - isa_bytes, isa_bytes);
            memory_region_add_overlap(x->rom_memory, 1 * MiB - isa_bytes, &x->isa_bios, 1);
        }
    }
    return ok;
}

static bool load_flash(X86Machine *x, BlockBackend *const blk[X86_MAX_FLASH], Error **errp)
{
    gpa top = 4 * GiB;

    for (unsigned n = 0; n < X86_MAX_FLASH && blk[n]; n++) {
        uint64_t bytes = block_size_bytes(blk[n]);
        if (!bytes || bytes % FLASH_SECTOR_BYTES) {
            error_set(errp, "system firmware block device %s has invalid size %" PRIu64
                      ": its size must be a non-zero multiple of 0x%x", block_id(blk[n]), bytes, FLASH_SECTOR_BYTES);
            return false;
        }
        if (bytes > x->max_fw_bytes || x->firmware_bytes + bytes > x->max_fw_bytes) {
            error_set(errp, "combined size of system firmware exceeds %" PRIu64 " bytes", x->max_fw_bytes);
            return false;
        }
        x->firmware_bytes += bytes;
        if (!create_flash(x, n, blk[n], bytes, top, errp)) {
            return false;
        }
        top -= bytes;
    }
    return true;
}

bool x86_load_firmware(X86Machine *x, const char *default_name, Error **errp)
{
    BlockBackend *blk[X86_MAX_FLASH];
    Error *err = NULL;

    for (unsigned n = 0; n < X86_MAX_FLASH; n++) {
        blk[n] = flash_drive(x, n, &err);
        if (err) {
            error_propagate(errp, err);
            return false;
        }
    }
    if (!blk[0] && blk[1]) {
        error_set(errp, "pflash1 requires pflash0");
        return false;
    }
    return blk[0] ? load_flash(x, blk, errp) : load_rom(x, default_name, errp);
}
