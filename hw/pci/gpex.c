/*
 * gpex.c: the generic PCI Express host bridge (ECAM) and its function 00.0.
 *
 * Reads and writes of the windows that no function takes are not errors of the processor's access, as firmware expects: it still writes to a card's
 * I/O registers after it has switched off their decoder.
 * Specification: PCI Express Base 4.0, 7.2.2 (ECAM); device tree binding "pci-host-ecam-generic".
 */
#include "hw/pci.h"
#include "softmmu/machine.h"

typedef struct GpexHost {
    Device dev;
    PciBus bus;
    MemoryRegion ecam, memory, io, no_memory, no_io;
    bool allow_unmapped;
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

/* Where no function answers: a master abort, which the processor does not learn of. */
static MemResult nobody_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = UINT64_MAX;
    return MEM_OK;
}

static MemResult nobody_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    return MEM_OK;
}

static const MemoryOps nobody_ops = {
    .read = nobody_read, .write = nobody_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 1, 8, true }, .impl = { 1, 8, true },
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
    if (s->allow_unmapped) {
        memory_region_init_mmio(&s->no_memory, &dev->obj, &nobody_ops, s, "gpex_mmio_window", MEMORY_SIZE_ALL);
        memory_region_init_mmio(&s->no_io, &dev->obj, &nobody_ops, s, "gpex_ioport_window", 64 * KiB);
        memory_region_add_overlap(&s->memory, 0, &s->no_memory, -1);
        memory_region_add_overlap(&s->io, 0, &s->no_io, -1);
    }
    device_add_mmio(dev, &s->ecam);
    device_add_mmio(dev, &s->memory);
    device_add_mmio(dev, &s->io);
    pci_root_init(&s->bus, dev, "pcie.0", true, &s->memory, &s->io, &machine_current()->memory, set_irq, s);
    s->bus.allow_0 = true; /* its I/O window begins there, and firmware gives the address away */
    return device_create("gpex-root", &s->bus.bus, (const char *const[]){ "addr", "00.0", NULL }, errp) != NULL;
}

static const Property gpex_props[] = {
    PROP_B("allow-unmapped-accesses", GpexHost, allow_unmapped, true, "Addresses without a function read as ones; off: accesses fail"),
};

static const IrqDef gpex_irqs[] = { { "sysbus-irq", 4, NULL } };

static const DeviceType gpex_type = {
    .type = { .name = "gpex-pcihost", .parent = "sys-bus-device", .size_bytes = sizeof(GpexHost),
              .summary = "Generic PCI Express host bridge", .props = gpex_props, .n_props = ARRAY_SIZE(gpex_props) },
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
