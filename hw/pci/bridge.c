/*
 * bridge.c: PCI-to-PCI bridges: "pci-bridge", "i82801b11-bridge" (the ICH's, on the root bus) and "pcie-pci-bridge" (behind a port), and
 * the PCI Express root ports "pcie-root-port" and "ioh3420".
 *
 * Specification: PCI-to-PCI Bridge 1.2, 3.2 (configuration space), 9.1 (interrupts); PCI Express Base 4.0, 7.5.1.3, 7.5.3; PCI Express to
 * PCI/PCI-X Bridge 1.0, 3.2; Intel ICH9 datasheet 11.1 (DMI-to-PCI bridge). Left out: hot
 * plug, error reporting, VGA and ISA enable.
 */
#include "hw/pci.h"

typedef struct Bridge {
    PciDevice pci;
    PciBus secondary;
    MemoryRegion memory, io;               /* what lies behind */
    MemoryRegion mem_window, pref_window, io_window;
    uint8_t port, chassis, chassis_nr;
    uint16_t slot;
} Bridge;

typedef struct BridgeType {
    PciType pci;             /* first: ObjectType.class_data is a PciType */
    bool is_port;            /* PCI Express root port: a link behind it */
    bool has_msi, has_chassis, has_subsystem, has_power;
    uint8_t express_type;    /* device/port type in the PCI Express capability (7.5.3.2) */
    bool no_interrupt;
} BridgeType;

static const BridgeType *bridge_type(const PciDevice *pci)
{
    return (const BridgeType *)pci->ptype;
}

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
    Bridge *s = (Bridge *)pci;
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

static void bridge_written(PciDevice *pci, unsigned offset, unsigned size)
{
    if (offset < 0x40) {
        update_windows(pci);
    }
    if (offset <= PCI_BRIDGE_CONTROL && offset + size > PCI_BRIDGE_CONTROL && (pci->config[PCI_BRIDGE_CONTROL] & 0x40)) {
        device_reset_bus(&((Bridge *)pci)->secondary.bus, RESET_COLD); /* secondary bus reset */
    }
}

static bool bridge_realize(PciDevice *pci, Error **errp)
{
    Bridge *s = (Bridge *)pci;
    const BridgeType *t = bridge_type(pci);

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
    bus_init_embedded(&s->secondary.bus, t->is_port ? "PCIE" : "PCI", &pci->dev, pci->dev.id);
    s->secondary.bridge = pci;
    s->secondary.memory = &s->memory;
    s->secondary.io = &s->io;
    s->secondary.is_express = t->is_port;
    s->secondary.reserved_slots = t->is_port ? 0 : 1; /* slot 0 is the hot-plug controller's where there is one */
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
    pci->config[PCI_INTERRUPT_PIN] = !t->no_interrupt;
    if (t->has_subsystem) {
        pci_add_cap(pci, PCI_CAP_SUBSYSTEM, 8); /* PCI-to-PCI Bridge 1.2, 3.2.5.13: vendor and subsystem, both zero */
    }
    if (t->has_chassis) {
        uint8_t slot = pci_add_cap(pci, PCI_CAP_SLOT, 4); /* PCI-to-PCI Bridge 1.2, 13: no slots, the chassis */
        pci->config[slot + 3] = s->chassis_nr;
    }
    if (t->has_power) {
        uint8_t power = pci_add_cap(pci, PCI_CAP_POWER, 8);
        stle16(pci->config + power + 2, 3);         /* version of PCI Power Management 1.2; D0 and D3hot */
        stle16(pci->write_mask + power + 4, 3);
    }
    if (t->has_msi && !pci_add_msi(pci, t->is_port ? 2 : 1, !t->is_port, true, errp)) {
        return false;
    }
    if (t->express_type) {
        pci_add_express_cap(pci, t->express_type);
    }
    if (!t->is_port) {
        return true;
    }
    uint8_t *cap = pci->config + pci->config[PCI_CAPABILITIES];
    stle32(cap + 12, ldle32(cap + 12) | (uint32_t)s->port << 24);
    stle32(cap + 20, (uint32_t)(s->slot & 0x1fff) << 19);
    return true;
}

static void bridge_unrealize(PciDevice *pci)
{
    Bridge *s = (Bridge *)pci;

    memory_region_remove(pci->bus->memory, &s->mem_window);
    memory_region_remove(pci->bus->memory, &s->pref_window);
    memory_region_remove(pci->bus->io, &s->io_window);
}


/* -- types ------------------------------------------------------------------------------------------------------------ */

enum { EXPRESS_ROOT_PORT = 4, EXPRESS_TO_PCI = 7 };

#define PORT_HOOKS .is_bridge = true, .realize = bridge_realize, .unrealize = bridge_unrealize, .config_written = bridge_written, \
                   .reset = update_windows, .class_code = 0x0604

static const BridgeType root_port = {
    .pci = { .vendor = 0x1b36, .device = 0x000c, .is_express = true, PORT_HOOKS }, .is_port = true,
    .express_type = EXPRESS_ROOT_PORT,
};
static const BridgeType ioh3420 = {
    .pci = { .vendor = 0x8086, .device = 0x3420, .revision = 2, .is_express = true, PORT_HOOKS }, .is_port = true, .has_msi = true,
    .express_type = EXPRESS_ROOT_PORT,
};
static const BridgeType pci_bridge = {
    .pci = { .vendor = 0x1b36, .device = 0x0001, PORT_HOOKS }, .has_msi = true, .has_chassis = true,
};
static const BridgeType i82801b11 = {
    .pci = { .vendor = 0x8086, .device = 0x244e, .revision = 0x92, PORT_HOOKS }, .has_subsystem = true, .no_interrupt = true,
};
static const BridgeType express_to_pci = {
    .pci = { .vendor = 0x1b36, .device = 0x000e, .is_express = true, PORT_HOOKS }, .has_msi = true, .has_power = true,
    .express_type = EXPRESS_TO_PCI,
};

static const StateField bridge_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
};

static bool bridge_post_load(void *opaque, uint32_t version, Error **errp)
{
    update_windows(opaque);
    return true;
}

static const StateDesc bridge_state = {
    .name = "pci-bridge", .version = 1, .fields = bridge_fields, .n_fields = ARRAY_SIZE(bridge_fields),
    .post_load = bridge_post_load,
};

static const Property port_props[] = {
    PROP_U8("port", Bridge, port, 0, "Port number"), PROP_U8("chassis", Bridge, chassis, 0, "Chassis number"),
    PROP_U16("slot", Bridge, slot, 0, "Slot number"),
};
static const Property bridge_props[] = { PROP_U8("chassis_nr", Bridge, chassis_nr, 0, "Chassis number") };

#define BRIDGE_TYPE(id, type_name, text, data, ...)                                                                        \
    static const DeviceType id = {                                                                                         \
        .type = { .name = type_name, .parent = "pci-device", .size_bytes = sizeof(Bridge), .summary = text,                  \
                  .class_data = &(data).pci, __VA_ARGS__ },                                                                  \
        .category = DEVICE_BRIDGE, .state = &bridge_state, .user_creatable = true, .bus = "PCI", .realize = pci_device_realize, \
        .unrealize = pci_device_unrealize, .reset_hold = pci_device_reset,                                                    \
    };                                                                                                                     \
    DEVICE_TYPE_REGISTER(id)
#define WITH_PROPS(p) .props = p, .n_props = ARRAY_SIZE(p)

BRIDGE_TYPE(root_port_type, "pcie-root-port", "PCI Express root port", root_port, WITH_PROPS(port_props));
BRIDGE_TYPE(ioh3420_type, "ioh3420", "Intel IOH device id 3420 PCIE Root Port", ioh3420, WITH_PROPS(port_props));
BRIDGE_TYPE(pci_bridge_type, "pci-bridge", "Standard PCI Bridge", pci_bridge, WITH_PROPS(bridge_props));
BRIDGE_TYPE(i82801b11_type, "i82801b11-bridge", "Intel 82801 DMI to PCI bridge", i82801b11, .n_props = 0);
BRIDGE_TYPE(express_to_pci_type, "pcie-pci-bridge", "PCI Express to PCI bridge", express_to_pci, .n_props = 0);
