/*
 * pvpanic.c: a port (ISA, PCI) by which a guest tells that it has panicked. Specification: the "pvpanic" interface that guests' drivers
 * know: reading gives the events that are understood (1 panicked, 2 a crash kernel was loaded, 4 shut down), writing one tells it.
 */
#include "hw/isa.h"
#include "hw/pci.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum { PANICKED = 1, CRASH_LOADED = 2, SHUT_DOWN = 4, ALL_EVENTS = PANICKED | CRASH_LOADED | SHUT_DOWN };

typedef struct PvpanicIsa {
    Device dev;
    uint16_t ioport;
    uint8_t events;
    MemoryRegion io;
} PvpanicIsa;

typedef struct PvpanicPci {
    PciDevice pci;
    uint8_t events;
    MemoryRegion mmio;
} PvpanicPci;

static MemResult panic_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = *(const uint8_t *)opaque;
    return MEM_OK;
}

static MemResult panic_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    uint8_t events = *(const uint8_t *)opaque & (uint8_t)value;

    if (value & ~(uint64_t)ALL_EVENTS) {
        log_guest_error("pvpanic: unknown event 0x%" PRIx64 "\n", value);
    }
    if (events & PANICKED) {
        machine_request_panic(false);
    } else if (events & CRASH_LOADED) {
        machine_request_panic(true);
    } else if (events & SHUT_DOWN) {
        machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    }
    return MEM_OK;
}

static const MemoryOps panic_ops = { .read = panic_read, .write = panic_write, .valid = { 1, 1, false }, .impl = { 1, 1, false } };

static bool isa_realize(Device *dev, Error **errp)
{
    PvpanicIsa *s = (PvpanicIsa *)dev;

    memory_region_init_mmio(&s->io, &dev->obj, &panic_ops, &s->events, "pvpanic", 1);
    isa_add_io(isa_bus_of(dev), s->ioport, &s->io);
    return true;
}

static const Property isa_props[] = {
    PROP_U16("ioport", PvpanicIsa, ioport, 0x505, "Port"),
    PROP_U8("events", PvpanicIsa, events, ALL_EVENTS, "Events that are understood"),
};

static const DeviceType isa_type = {
    .type = { .name = "pvpanic", .parent = "isa-device", .size_bytes = sizeof(PvpanicIsa), .summary = "tells of a guest's panic",
              .props = isa_props, .n_props = ARRAY_SIZE(isa_props) },
    .category = DEVICE_MISC, .bus = "ISA", .realize = isa_realize, .user_creatable = true,
};
DEVICE_TYPE_REGISTER(isa_type);

static bool pci_realize(PciDevice *pci, Error **errp)
{
    PvpanicPci *s = (PvpanicPci *)pci;

    memory_region_init_mmio(&s->mmio, &pci->dev.obj, &panic_ops, &s->events, "pvpanic", 16);
    pci_add_bar(pci, 0, PCI_BAR_MEMORY, &s->mmio);
    return true;
}

static const PciType pci_kind = { .vendor = 0x1b36, .device = 0x0011, .revision = 1, .class_code = 0x0880, .realize = pci_realize };

static const Property pci_props[] = { PROP_U8("events", PvpanicPci, events, ALL_EVENTS, "Events that are understood") };

static const StateField pci_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
};
static const StateDesc panic_state = { .name = "pvpanic-pci", .version = 1, .fields = pci_fields, .n_fields = ARRAY_SIZE(pci_fields) };

static const DeviceType pci_type = {
    .type = { .name = "pvpanic-pci", .parent = "pci-device", .size_bytes = sizeof(PvpanicPci), .summary = "tells of a guest's panic",
              .props = pci_props, .n_props = ARRAY_SIZE(pci_props), .class_data = &pci_kind },
    .category = DEVICE_MISC, .state = &panic_state, .user_creatable = true, PCI_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(pci_type);
