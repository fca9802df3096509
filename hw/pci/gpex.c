/*
 * gpex.c: the generic PCI Express host bridge (ECAM) and its function 00.0; a PCI Express root port.
 *
 * Specification: PCI Express Base 4.0, 7.2.2 (ECAM); device tree binding "pci-host-ecam-generic"; PCI-to-PCI Bridge 1.2 3.2.
 */
#include "hw/pci.h"
#include "softmmu/machine.h"

typedef struct GpexHost {
    Device dev;
    PciBus bus;
    MemoryRegion ecam, memory, io;
} GpexHost;

static MemResult ecam_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    GpexHost *s = opaque;
    *ret = pci_config_read(&s->bus, (unsigned)(offset >> 12), offset & 0xfff, size);
    return MEM_OK;
}

static MemResult ecam_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    GpexHost *s = opaque;
    pci_config_write(&s->bus, (unsigned)(offset >> 12), offset & 0xfff, size, (uint32_t)value);
    return MEM_OK;
}

static const MemoryOps ecam_ops = {
    .read = ecam_read, .write = ecam_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 1, 8 }, .impl = { 1, 4 },
};

static void set_irq(void *opaque, unsigned pin, int level)
{
    GpexHost *s = opaque;
    if (pin < 4) {
        device_set_irq(&s->dev, "sysbus-irq", pin, level);
    }
}

static bool gpex_realize(Device *dev, Error **errp)
{
    GpexHost *s = (GpexHost *)dev;

    /* Regions in the order the board maps them: ECAM, memory window, I/O window. */
    memory_region_init_mmio(&s->ecam, &dev->obj, &ecam_ops, s, "pcie-mmcfg-mmio", 256 * MiB);
    memory_region_init(&s->memory, &dev->obj, "gpex_mmio", MEMORY_SIZE_ALL);
    memory_region_init(&s->io, &dev->obj, "gpex_ioport", 64 * KiB);
    device_add_mmio(dev, &s->ecam);
    device_add_mmio(dev, &s->memory);
    device_add_mmio(dev, &s->io);
    pci_root_init(&s->bus, dev, "pcie.0", true, &s->memory, &s->io, &machine_current()->memory, set_irq, s);
    return device_create("gpex-root", &s->bus.bus, (const char *const[]){ "addr", "00.0", NULL }, errp) != NULL;
}

static const IrqDef gpex_irqs[] = { { "sysbus-irq", 4, NULL } };

static const DeviceType gpex_type = {
    .type = { .name = "gpex-pcihost", .parent = "sys-bus-device", .size_bytes = sizeof(GpexHost),
              .summary = "Generic PCI Express host bridge" },
    .category = DEVICE_BRIDGE, .bus = "System", .irqs_out = gpex_irqs, .n_irqs_out = 1, .realize = gpex_realize,
};
DEVICE_TYPE_REGISTER(gpex_type);

static bool gpex_root_realize(PciDevice *pci, Error **errp)
{
    return true;
}

static const PciType gpex_root = {
    .vendor = 0x1b36, .device = 0x0008, .class_code = 0x0600, .realize = gpex_root_realize,
};

static const StateField function_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
};
static const StateDesc function_state = {
    .name = "pci-function", .version = 1, .fields = function_fields, .n_fields = ARRAY_SIZE(function_fields),
};

static const DeviceType gpex_root_type = {
    .type = { .name = "gpex-root", .parent = "pci-device", .size_bytes = sizeof(PciDevice),
              .summary = "Host bridge function of gpex-pcihost", .class_data = &gpex_root },
    .category = DEVICE_BRIDGE, .state = &function_state, .bus = "PCI", .realize = pci_device_realize,
    .unrealize = pci_device_unrealize, .reset_hold = pci_device_reset,
};
DEVICE_TYPE_REGISTER(gpex_root_type);

/* -- root port ---------------------------------------------------------------------------------------------------- */

typedef struct RootPort {
    PciDevice pci;
    PciBus secondary;
    MemoryRegion memory, io;               /* what lies behind */
    MemoryRegion mem_window, pref_window, io_window;
    uint8_t port;
    uint8_t chassis;
    uint16_t slot;
} RootPort;

static void window(MemoryRegion *window, MemoryRegion *parent, MemoryRegion *target, bool on, uint64_t base, uint64_t limit)
{
    memory_region_set_enabled(window, false);
    if (on && limit > base) {
        memory_region_set_size(window, limit - base + 1);
        memory_region_set_alias_offset(window, base);
        memory_region_set_address(window, base);
        memory_region_set_enabled(window, true);
    }
}

static void update_windows(PciDevice *pci)
{
    RootPort *s = (RootPort *)pci;
    uint16_t command = pci_get16(pci, PCI_COMMAND);
    bool memory = command & PCI_COMMAND_MEMORY, io = command & PCI_COMMAND_IO;

    memory_begin();
    window(&s->mem_window, pci->bus->memory, &s->memory, memory, (uint64_t)(pci_get16(pci, PCI_MEM_BASE) & 0xfff0) << 16,
           (uint64_t)(pci_get16(pci, PCI_MEM_LIMIT) & 0xfff0) << 16 | 0xfffff);
    window(&s->pref_window, pci->bus->memory, &s->memory, memory,
           (uint64_t)pci_get32(pci, PCI_PREF_BASE_HIGH) << 32 | (uint64_t)(pci_get16(pci, PCI_PREF_BASE) & 0xfff0) << 16,
           (uint64_t)pci_get32(pci, PCI_PREF_LIMIT_HIGH) << 32 | (uint64_t)(pci_get16(pci, PCI_PREF_LIMIT) & 0xfff0) << 16 | 0xfffff);
    window(&s->io_window, pci->bus->io, &s->io, io, (uint64_t)(pci->config[PCI_IO_BASE] & 0xf0) << 8,
           (uint64_t)(pci->config[PCI_IO_LIMIT] & 0xf0) << 8 | 0xfff);
    memory_commit();
}

static void port_config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    if (offset < 0x40) {
        update_windows(pci);
    }
    if (offset <= PCI_BRIDGE_CONTROL && offset + size > PCI_BRIDGE_CONTROL && (pci->config[PCI_BRIDGE_CONTROL] & 0x40)) {
        device_reset_bus(&((RootPort *)pci)->secondary.bus, RESET_COLD); /* secondary bus reset */
    }
}

static bool port_realize(PciDevice *pci, Error **errp)
{
    RootPort *s = (RootPort *)pci;

    memory_region_init(&s->memory, &pci->dev.obj, "bridge memory", MEMORY_SIZE_ALL);
    memory_region_init(&s->io, &pci->dev.obj, "bridge io", 64 * KiB);
    memory_region_init_alias(&s->mem_window, &pci->dev.obj, "bridge mem", &s->memory, 0, 1 * MiB);
    memory_region_init_alias(&s->pref_window, &pci->dev.obj, "bridge pref mem", &s->memory, 0, 1 * MiB);
    memory_region_init_alias(&s->io_window, &pci->dev.obj, "bridge io window", &s->io, 0, 4 * KiB);
    memory_begin();
    memory_region_set_enabled(&s->mem_window, false);
    memory_region_set_enabled(&s->pref_window, false);
    memory_region_set_enabled(&s->io_window, false);
    memory_region_add_overlap(pci->bus->memory, 0, &s->mem_window, 1);
    memory_region_add_overlap(pci->bus->memory, 0, &s->pref_window, 1);
    memory_region_add_overlap(pci->bus->io, 0, &s->io_window, 1);
    memory_commit();
    bus_init_embedded(&s->secondary.bus, "PCIE", &pci->dev, pci->dev.id);
    s->secondary.bridge = pci;
    s->secondary.memory = &s->memory;
    s->secondary.io = &s->io;
    s->secondary.is_express = true;
    memset(pci->write_mask + PCI_PRIMARY_BUS, 0xff, 3);
    pci->write_mask[PCI_IO_BASE] = pci->write_mask[PCI_IO_LIMIT] = 0xf0;
    stle16(pci->write_mask + PCI_MEM_BASE, 0xfff0);
    stle16(pci->write_mask + PCI_MEM_LIMIT, 0xfff0);
    stle16(pci->write_mask + PCI_PREF_BASE, 0xfff0);
    stle16(pci->write_mask + PCI_PREF_LIMIT, 0xfff0);
    stle16(pci->config + PCI_PREF_BASE, 1);  /* 64-bit window */
    stle16(pci->config + PCI_PREF_LIMIT, 1);
    memset(pci->write_mask + PCI_PREF_BASE_HIGH, 0xff, 8);
    stle16(pci->write_mask + PCI_BRIDGE_CONTROL, 0x5f);
    pci->config[PCI_INTERRUPT_PIN] = 1;
    pci_add_express_cap(pci, 4);
    uint8_t *cap = pci->config + pci->config[PCI_CAPABILITIES];
    stle32(cap + 12, ldle32(cap + 12) | (uint32_t)s->port << 24);
    stle32(cap + 20, (uint32_t)(s->slot & 0x1fff) << 19);
    return true;
}

static void port_unrealize(PciDevice *pci)
{
    RootPort *s = (RootPort *)pci;

    memory_region_remove(pci->bus->memory, &s->mem_window);
    memory_region_remove(pci->bus->memory, &s->pref_window);
    memory_region_remove(pci->bus->io, &s->io_window);
}

static const PciType root_port = {
    .vendor = 0x1b36, .device = 0x000c, .class_code = 0x0604, .is_bridge = true, .is_express = true,
    .realize = port_realize, .unrealize = port_unrealize, .config_written = port_config_written, .reset = update_windows,
};

static const Property port_props[] = {
    PROP_U8("port", RootPort, port, 0, "Port number"), PROP_U8("chassis", RootPort, chassis, 0, "Chassis number"),
    PROP_U16("slot", RootPort, slot, 0, "Slot number"),
};

static const DeviceType root_port_type = {
    .type = { .name = "pcie-root-port", .parent = "pci-device", .size_bytes = sizeof(RootPort),
              .summary = "PCI Express root port", .props = port_props, .n_props = ARRAY_SIZE(port_props),
              .class_data = &root_port },
    .category = DEVICE_BRIDGE, .state = &function_state, .user_creatable = true, .bus = "PCI",
    .realize = pci_device_realize, .unrealize = pci_device_unrealize, .reset_hold = pci_device_reset,
};
DEVICE_TYPE_REGISTER(root_port_type);
