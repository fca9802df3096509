/*
 * qmp-pci.c: query-pci and "info pci". PCI Local Bus 3.0, configuration header (6.1).
 */
#include "hw/pci.h"
#include "softmmu/monitor/priv.h"

enum { CFG_VENDOR = 0, CFG_DEVICE = 2, CFG_CLASS = 0x0a, CFG_HEADER = 0x0e, CFG_PRIMARY = 0x18,
       CFG_SECONDARY = 0x19, CFG_SUBORDINATE = 0x1a, CFG_MEM_BASE = 0x20, CFG_SUBVENDOR = 0x2c,
       CFG_SUBSYSTEM = 0x2e, CFG_IRQ_LINE = 0x3c, CFG_IRQ_PIN = 0x3d };

static const struct {
    uint16_t class;
    const char *text;
} class_names[] = {
    { 0x0100, "SCSI controller" }, { 0x0101, "IDE controller" }, { 0x0106, "SATA controller" },
    { 0x0108, "NVMe controller" }, { 0x0200, "Ethernet controller" }, { 0x0300, "VGA controller" },
    { 0x0500, "RAM controller" }, { 0x0600, "Host bridge" }, { 0x0601, "ISA bridge" },
    { 0x0604, "PCI bridge" }, { 0x0700, "Serial port" }, { 0x0780, "Communication controller" },
    { 0x0c03, "USB controller" },
};

static Json *bus_json(PciBus *bus);

static Json *range(uint64_t base, uint64_t limit)
{
    Json *json = json_object();
    json_put_uint(json, "base", base);
    json_put_uint(json, "limit", limit);
    return json;
}

static PciBus *secondary_bus(const PciDevice *pci)
{
    for (Bus *bus = pci->dev.first_bus; bus; bus = bus->next) {
        if (object_is_a(&bus->obj, "PCI")) {
            return PCI_BUS(bus);
        }
    }
    return NULL;
}

static Json *bridge_json(const PciDevice *pci, PciBus *secondary)
{
    Json *bridge = json_object(), *bus = json_object();
    json_put_int(bus, "number", pci->config[CFG_PRIMARY]);
    json_put_int(bus, "secondary", pci->config[CFG_SECONDARY]);
    json_put_int(bus, "subordinate", pci->config[CFG_SUBORDINATE]);
    uint32_t base = pci_get16(pci, CFG_MEM_BASE), limit = pci_get16(pci, CFG_MEM_BASE + 2);
    json_put(bus, "io_range", range((uint64_t)(pci->config[0x1c] & 0xf0) << 8,
                                    (uint64_t)(pci->config[0x1d] & 0xf0) << 8 | 0xfff));
    json_put(bus, "memory_range", range((uint64_t)(base & 0xfff0) << 16,
                                        (uint64_t)(limit & 0xfff0) << 16 | 0xfffff));
    json_put(bus, "prefetchable_range",
             range((uint64_t)pci_get32(pci, 0x28) << 32 |
                       (uint64_t)(pci_get16(pci, 0x24) & 0xfff0) << 16,
                   (uint64_t)pci_get32(pci, 0x2c) << 32 |
                       (uint64_t)(pci_get16(pci, 0x26) & 0xfff0) << 16 | 0xfffff));
    json_put(bridge, "bus", bus);
    if (secondary) {
        json_put(bridge, "devices", json_take(bus_json(secondary), "devices"));
    }
    return bridge;
}

static Json *device_json(const PciDevice *pci, unsigned bus_number)
{
    Json *item = json_object(), *class = json_object(), *id = json_object();
    Json *regions = json_array();
    uint16_t code = pci_get16(pci, CFG_CLASS);
    json_put_int(item, "bus", bus_number);
    json_put_int(item, "slot", pci->devfn >> 3);
    json_put_int(item, "function", pci->devfn & 7);
    for (size_t i = 0; i < ARRAY_SIZE(class_names); i++) {
        if (class_names[i].class == code) {
            json_put_string(class, "desc", class_names[i].text);
        }
    }
    json_put_int(class, "class", code);
    json_put(item, "class_info", class);
    json_put_int(id, "device", pci_get16(pci, CFG_DEVICE));
    json_put_int(id, "vendor", pci_get16(pci, CFG_VENDOR));
    bool is_bridge = (pci->config[CFG_HEADER] & 0x7f) == 1;
    if (!is_bridge) {
        json_put_int(id, "subsystem", pci_get16(pci, CFG_SUBSYSTEM));
        json_put_int(id, "subsystem-vendor", pci_get16(pci, CFG_SUBVENDOR));
    }
    json_put(item, "id", id);
    if (pci->config[CFG_IRQ_PIN]) {
        json_put_int(item, "irq", pci->config[CFG_IRQ_LINE]);
    }
    json_put_int(item, "irq_pin", pci->config[CFG_IRQ_PIN]);
    json_put_string(item, "qdev_id", pci->dev.id ? pci->dev.id : "");
    for (unsigned i = 0; i < ARRAY_SIZE(pci->bars); i++) {
        const PciBar *bar = &pci->bars[i];
        if (!bar->size_bytes) {
            continue;
        }
        Json *region = json_object();
        bool io = bar->flags & 1; /* bit 0 of a BAR: I/O space; 2: 64-bit; 3: prefetchable */
        json_put_int(region, "bar", i);
        json_put_string(region, "type", io ? "io" : "memory");
        json_put(region, "address", bar->addr == UINT64_MAX ? json_int(-1) : json_uint(bar->addr));
        json_put_uint(region, "size", bar->size_bytes);
        if (!io) {
            json_put_bool(region, "prefetch", bar->flags & 8);
            json_put_bool(region, "mem_type_64", bar->flags & 4);
        }
        json_push(regions, region);
    }
    json_put(item, "regions", regions);
    if (is_bridge) {
        json_put(item, "pci_bridge", bridge_json(pci, secondary_bus(pci)));
    }
    return item;
}

static Json *bus_json(PciBus *bus)
{
    Json *json = json_object(), *devices = json_array();
    unsigned number = pci_bus_number(bus);
    json_put_int(json, "bus", number);
    for (unsigned i = 0; i < ARRAY_SIZE(bus->devices); i++) {
        if (bus->devices[i]) {
            json_push(devices, device_json(bus->devices[i], number));
        }
    }
    json_put(json, "devices", devices);
    return json;
}

Json *qmp_query_pci(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array();
    PciBus *root = pci_first_root();
    if (root) {
        json_push(list, bus_json(root));
    }
    return list;
}

void hmp_info_pci(Monitor *mon, const Json *args)
{
    PciBus *root = pci_first_root();
    if (root) {
        pci_print(root, monitor_print, mon);
    }
}
