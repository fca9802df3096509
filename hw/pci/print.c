/*
 * print.c: PCI functions as the monitor shows them.
 *
 * Specification: PCI Code and ID Assignment 1.11, 1 (class codes).
 */
#include <stdio.h>

#include "hw/pci.h"

typedef struct ClassName {
    uint16_t class_code;
    const char *name;
} ClassName;

static const ClassName class_names[] = {
    { 0x0001, "VGA controller" }, { 0x0100, "SCSI controller" }, { 0x0101, "IDE controller" }, { 0x0102, "Floppy controller" },
    { 0x0103, "IPI controller" }, { 0x0104, "RAID controller" }, { 0x0106, "SATA controller" }, { 0x0108, "Non-Volatile memory controller" },
    { 0x0180, "Storage controller" }, { 0x0200, "Ethernet controller" }, { 0x0201, "Token Ring controller" },
    { 0x0202, "FDDI controller" }, { 0x0203, "ATM controller" }, { 0x0280, "Network controller" }, { 0x0300, "VGA controller" },
    { 0x0301, "XGA controller" }, { 0x0302, "3D controller" }, { 0x0380, "Display controller" }, { 0x0400, "Video controller" },
    { 0x0401, "Audio controller" }, { 0x0402, "Phone" }, { 0x0403, "Audio controller" }, { 0x0480, "Multimedia controller" },
    { 0x0500, "RAM controller" }, { 0x0501, "Flash controller" }, { 0x0580, "Memory controller" }, { 0x0600, "Host bridge" },
    { 0x0601, "ISA bridge" }, { 0x0602, "EISA bridge" }, { 0x0603, "MC bridge" }, { 0x0604, "PCI bridge" },
    { 0x0605, "PCMCIA bridge" }, { 0x0606, "NUBUS bridge" }, { 0x0607, "CARDBUS bridge" }, { 0x0608, "RACEWAY bridge" },
    { 0x0680, "Bridge" }, { 0x0700, "Serial port" }, { 0x0701, "Parallel port" }, { 0x0780, "Communication controller" },
    { 0x0800, "Interrupt controller" }, { 0x0801, "DMA controller" }, { 0x0802, "Timer" }, { 0x0803, "RTC" },
    { 0x0900, "Keyboard" }, { 0x0901, "Pen" }, { 0x0902, "Mouse" }, { 0x0c00, "FireWire controller" },
    { 0x0c01, "Access bus controller" }, { 0x0c02, "SSA controller" }, { 0x0c03, "USB controller" }, { 0x0c04, "Fibre channel controller" },
    { 0x0c05, "SMBus" },
};

const char *pci_class_name(uint16_t class_code)
{
    for (size_t i = 0; i < ARRAY_SIZE(class_names); i++) {
        if (class_names[i].class_code == class_code) {
            return class_names[i].name;
        }
    }
    return NULL;
}

static char *class_text(const PciDevice *pci)
{
    uint16_t code = pci_get16(pci, PCI_CLASS);
    const char *name = pci_class_name(code);

    return name ? xstrdup(name) : xasprintf("Class %04x", code);
}

static bool has_subsystem(const PciDevice *pci)
{
    return !pci->ptype->is_bridge;
}

void pci_print_device(Device *dev, PrintFn *print, void *opaque)
{
    PciDevice *pci = PCI_DEVICE(dev);
    char *name = class_text(pci);
    unsigned vendor = has_subsystem(pci) ? pci_get16(pci, PCI_SUBSYSTEM_VENDOR) : 0;
    unsigned id = has_subsystem(pci) ? pci_get16(pci, PCI_SUBSYSTEM_ID) : 0;

    print_fmt(print, opaque, "class %s, addr %02x:%02x.%x, pci id %04x:%04x (sub %04x:%04x)\n", name,
              pci_bus_number(pci->bus), pci->devfn >> 3, pci->devfn & 7, pci_get16(pci, PCI_VENDOR_ID),
              pci_get16(pci, PCI_DEVICE_ID), vendor, id);
    free(name);
    for (unsigned n = 0; n <= PCI_ROM_BAR; n++) {
        const PciBar *bar = &pci->bars[n];
        if (bar->mr) {
            print_fmt(print, opaque, "bar %u: %s at 0x%" PRIx64 " [0x%" PRIx64 "]\n", n, bar->flags & PCI_BAR_IO ? "i/o" : "mem",
                      bar->addr, bar->addr + bar->size_bytes - 1);
        }
    }
}

static void print_bridge(const PciDevice *pci, PrintFn *print, void *opaque)
{
    const uint8_t *c = pci->config;

    print_fmt(print, opaque, "      BUS %u.\n      secondary bus %u.\n      subordinate bus %u.\n", c[PCI_PRIMARY_BUS],
              c[PCI_SECONDARY_BUS], c[PCI_SUBORDINATE_BUS]);
    print_fmt(print, opaque, "      IO range [0x%04x, 0x%04x]\n", (c[PCI_IO_BASE] & 0xf0) << 8, (c[PCI_IO_LIMIT] & 0xf0) << 8 | 0xfff);
    print_fmt(print, opaque, "      memory range [0x%08x, 0x%08x]\n", (pci_get16(pci, PCI_MEM_BASE) & 0xfff0u) << 16,
              (pci_get16(pci, PCI_MEM_LIMIT) & 0xfff0u) << 16 | 0xfffff);
    uint64_t base = (uint64_t)pci_get32(pci, PCI_PREF_BASE_HIGH) << 32 | (uint64_t)(pci_get16(pci, PCI_PREF_BASE) & 0xfff0) << 16;
    uint64_t limit = (uint64_t)pci_get32(pci, PCI_PREF_LIMIT_HIGH) << 32 |
                     (uint64_t)(pci_get16(pci, PCI_PREF_LIMIT) & 0xfff0) << 16 | 0xfffff;
    print_fmt(print, opaque, "      prefetchable memory range [0x%08" PRIx64 ", 0x%08" PRIx64 "]\n", base, limit);
}

static void print_bar(const PciDevice *pci, unsigned n, PrintFn *print, void *opaque)
{
    const PciBar *bar = &pci->bars[n];
    uint64_t last = bar->addr + bar->size_bytes - 1;

    if (bar->flags & PCI_BAR_IO) {
        print_fmt(print, opaque, "      BAR%u: I/O at 0x%04" PRIx64 " [0x%04" PRIx64 "].\n", n, bar->addr,
                  bar->addr == UINT64_MAX ? last & 0xffff : last);
    } else {
        bool is64 = bar->flags & PCI_BAR_64;
        print_fmt(print, opaque, "      BAR%u: %s%s memory at 0x%08" PRIx64 " [0x%08" PRIx64 "].\n", n, is64 ? "64 bit" : "32 bit",
                  bar->flags & PCI_BAR_PREFETCH ? " prefetchable" : "", bar->addr,
                  bar->addr == UINT64_MAX && !is64 ? last & UINT32_MAX : last);
    }
}

static void print_bus(PciBus *bus, PrintFn *print, void *opaque)
{
    for (unsigned i = 0; i < 256; i++) {
        PciDevice *pci = bus->devices[i];
        if (!pci) {
            continue;
        }
        char *name = class_text(pci);
        print_fmt(print, opaque, "  Bus %2u, device %3u, function %u:\n    %s: PCI device %04x:%04x\n", pci_bus_number(bus), i >> 3,
                  i & 7, name, pci_get16(pci, PCI_VENDOR_ID), pci_get16(pci, PCI_DEVICE_ID));
        free(name);
        if (has_subsystem(pci)) {
            print_fmt(print, opaque, "      PCI subsystem %04x:%04x\n", pci_get16(pci, PCI_SUBSYSTEM_VENDOR),
                      pci_get16(pci, PCI_SUBSYSTEM_ID));
        }
        if (pci->config[PCI_INTERRUPT_PIN]) {
            print_fmt(print, opaque, "      IRQ %u, pin %c\n", pci->config[PCI_INTERRUPT_LINE], 'A' + pci->config[PCI_INTERRUPT_PIN] - 1);
        }
        if (pci_secondary(pci)) {
            print_bridge(pci, print, opaque);
        }
        for (unsigned n = 0; n <= PCI_ROM_BAR; n++) {
            if (pci->bars[n].mr) {
                print_bar(pci, n, print, opaque);
            }
        }
        print_fmt(print, opaque, "      id \"%s\"\n", pci->dev.id ? pci->dev.id : "");
        if (pci_secondary(pci)) {
            print_bus(pci_secondary(pci), print, opaque);
        }
    }
}

void pci_print(PciBus *root, PrintFn *print, void *opaque)
{
    print_bus(root, print, opaque);
}
