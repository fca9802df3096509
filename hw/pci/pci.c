/*
 * pci.c: configuration space, BARs, INTx, buses.
 *
 * Specification: PCI Local Bus 3.0, chapter 6 (configuration space), 2.2.6 (interrupt pins), PCI-to-PCI Bridge 1.2,
 * 9.1 (interrupt routing through bridges).
 */
#include <stdio.h>

#include "hw/pci.h"
#include "util/log.h"

static PciBus *first_root;

static const PciType *pci_type(const PciDevice *pci)
{
    return pci->ptype;
}

/* -- buses ------------------------------------------------------------------------------------------------- */

static bool bus_check(Bus *bus, Device *dev, Error **errp)
{
    PciBus *pb = PCI_BUS(bus);
    PciDevice *pci = PCI_DEVICE(dev);
    int devfn = pci->addr;

    if (devfn < 0) {
        unsigned slots = pb->bridge && pb->is_express ? 1 : PCI_N_SLOTS; /* a link has one device */
        for (unsigned slot = pb->reserved_slots; slot < slots && devfn < 0; slot++) {
            devfn = pb->devices[slot * 8] ? -1 : (int)slot * 8;
        }
        if (devfn < 0) {
            error_set(errp, "PCI: no slot/function available for %s, all in use or reserved", dev->obj.type->name);
            return false;
        }
    } else if (devfn > 255) {
        error_set(errp, "PCI: no such slot");
        return false;
    } else if (pb->devices[devfn]) {
        error_set(errp, "PCI: slot %d function %d not available for %s, in use by %s", devfn >> 3, devfn & 7,
                  dev->obj.type->name, pb->devices[devfn]->dev.obj.type->name);
        return false;
    } else if ((devfn & 7) && pb->devices[devfn & ~7] && !pb->devices[devfn & ~7]->multifunction) {
        error_set(errp, "PCI: single function device can't be populated in function %x.%x", devfn >> 3, devfn & 7);
        return false;
    }
    pci->devfn = (uint8_t)devfn;
    pci->bus = pb;
    return true;
}

static const BusType pci_bus_type = {
    .type = { .name = "PCI", .parent = "bus", .size_bytes = sizeof(PciBus) },
    .kind = "PCI", .check = bus_check, .print_device = pci_print_device, .fw_path = pci_fw_path,
};
OBJECT_TYPE_REGISTER(pci_bus_type);

static const BusType pcie_bus_type = {
    .type = { .name = "PCIE", .parent = "PCI", .size_bytes = sizeof(PciBus) },
    .kind = "PCI", .check = bus_check, .print_device = pci_print_device, .fw_path = pci_fw_path,
};
OBJECT_TYPE_REGISTER(pcie_bus_type);

static PciBus *root_of(PciBus *bus)
{
    while (bus->bridge) {
        bus = bus->bridge->bus;
    }
    return bus;
}

void pci_root_init(PciBus *bus, Device *host, const char *name, bool is_express, MemoryRegion *memory, MemoryRegion *io,
                   AddressSpace *dma, void (*set_irq)(void *opaque, unsigned pin, int level), void *opaque)
{
    bus_init_embedded(&bus->bus, is_express ? "PCIE" : "PCI", host, name);
    bus->memory = memory;
    bus->io = io;
    bus->dma = dma;
    bus->set_irq = set_irq;
    bus->opaque = opaque;
    bus->is_express = is_express;
    if (!first_root) {
        first_root = bus;
    }
}

void pci_set_iommu(PciBus *root, const PciIommuOps *ops, void *opaque)
{
    root->iommu_ops = ops;
    root->iommu_opaque = opaque;
}

PciBus *pci_first_root(void)
{
    return first_root;
}

unsigned pci_bus_number(const PciBus *bus)
{
    return bus->bridge ? bus->bridge->config[PCI_SECONDARY_BUS] : 0;
}

PciBus *pci_secondary(const PciDevice *bridge)
{
    return bridge->ptype->is_bridge ? PCI_BUS(bridge->dev.first_bus) : NULL;
}

PciDevice *pci_find(PciBus *root, unsigned bdf)
{
    unsigned number = bdf >> 8;
    PciBus *bus = root;

    while (number != pci_bus_number(bus)) {
        PciBus *next = NULL;
        for (unsigned i = 0; i < 256 && !next; i++) {
            PciDevice *d = bus->devices[i];
            PciBus *below = d ? pci_secondary(d) : NULL;
            if (below && number >= d->config[PCI_SECONDARY_BUS] && number <= d->config[PCI_SUBORDINATE_BUS] &&
                d->config[PCI_SECONDARY_BUS]) {
                next = below;
            }
        }
        if (!next) {
            return NULL;
        }
        bus = next;
    }
    return bus->devices[bdf & 0xff];
}

/* -- interrupts ----------------------------------------------------------------------------------------------- */

static void route_irq(PciDevice *pci, unsigned pin, int change)
{
    PciBus *bus = pci->bus;

    while (bus->bridge) {
        pin = (pin + (pci->devfn >> 3)) % 4;
        pci = bus->bridge;
        bus = pci->bus;
    }
    unsigned line = bus->map_irq ? bus->map_irq(bus->opaque, pci->devfn, pin) : (pin + (pci->devfn >> 3)) % 4;
    bus->irq_count[line] += (unsigned)change;
    if (bus->set_irq) {
        bus->set_irq(bus->opaque, line, bus->irq_count[line] != 0);
    }
}

static bool intx_asserted(const PciDevice *pci)
{
    return pci->intx_level && pci->config[PCI_INTERRUPT_PIN] && !(pci_get16(pci, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);
}

static void reroute_bus(PciBus *bus)
{
    for (unsigned i = 0; i < 256; i++) {
        PciDevice *pci = bus->devices[i];
        if (pci && intx_asserted(pci)) {
            route_irq(pci, pci->config[PCI_INTERRUPT_PIN] - 1u, 1);
        }
        if (pci && pci_secondary(pci)) {
            reroute_bus(pci_secondary(pci));
        }
    }
}

void pci_reroute_irqs(PciBus *root)
{
    memset(root->irq_count, 0, sizeof(root->irq_count));
    for (unsigned line = 0; root->set_irq && line < PCI_MAX_LINES; line++) {
        root->set_irq(root->opaque, line, 0);
    }
    reroute_bus(root);
}

/* The line as the bus sees it: the function's level unless disabled. */
static void update_intx(PciDevice *pci, bool level, bool enabled)
{
    bool was = pci->intx_level && !(pci_get16(pci, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);
    bool now = level && enabled;

    pci->intx_level = level;
    if (level) {
        pci->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
    } else {
        pci->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
    }
    if (was != now && pci->config[PCI_INTERRUPT_PIN]) {
        route_irq(pci, pci->config[PCI_INTERRUPT_PIN] - 1u, now ? 1 : -1);
    }
}

void pci_set_irq(PciDevice *pci, int level)
{
    update_intx(pci, level != 0, !(pci_get16(pci, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE));
}

/* -- BARs ------------------------------------------------------------------------------------------------------- */

static unsigned bar_offset(const PciDevice *pci, unsigned bar)
{
    return bar < PCI_ROM_BAR ? PCI_BAR0 + bar * 4 : pci_type(pci)->is_bridge ? PCI_BRIDGE_ROM : PCI_ROM;
}

static uint64_t bar_address(const PciDevice *pci, unsigned bar)
{
    const PciBar *b = &pci->bars[bar];
    uint16_t command = pci_get16(pci, PCI_COMMAND);
    unsigned offset = bar_offset(pci, bar);
    uint64_t addr = pci_get32(pci, offset);

    if (b->flags & PCI_BAR_IO) {
        addr &= ~(uint64_t)3;
        return (command & PCI_COMMAND_IO) && (addr || root_of(pci->bus)->allow_0) && addr + b->size_bytes <= 0x10000 ? addr : UINT64_MAX;
    }
    if (!(command & PCI_COMMAND_MEMORY) || (bar == PCI_ROM_BAR && !(addr & 1))) {
        return UINT64_MAX;
    }
    if (b->flags & PCI_BAR_64) {
        addr |= (uint64_t)pci_get32(pci, offset + 4) << 32;
    }
    addr &= ~(b->size_bytes - 1);
    /* All ones while the size is being read, or past the end of the address space: not mapped. */
    uint64_t last = addr + b->size_bytes - 1;
    if ((!addr && !root_of(pci->bus)->allow_0) || last < addr || (!(b->flags & PCI_BAR_64) && last >= UINT32_MAX)) {
        return UINT64_MAX;
    }
    return addr;
}

void pci_update_bars(PciDevice *pci)
{
    bool began = false;

    for (unsigned i = 0; i <= PCI_ROM_BAR; i++) {
        PciBar *b = &pci->bars[i];
        if (!b->mr) {
            continue;
        }
        uint64_t addr = bar_address(pci, i);
        if (addr == b->addr) {
            continue;
        }
        if (!began) {
            memory_begin();
            began = true;
        }
        MemoryRegion *where = b->flags & PCI_BAR_IO ? pci->bus->io : pci->bus->memory;
        if (b->addr != UINT64_MAX) {
            memory_region_remove(where, b->mr);
        }
        b->addr = addr;
        if (addr != UINT64_MAX) {
            memory_region_add_overlap(where, addr, b->mr, 1);
        }
    }
    if (began) {
        memory_commit();
    }
}

void pci_add_bar(PciDevice *pci, unsigned bar, unsigned flags, MemoryRegion *mr)
{
    uint64_t size = memory_region_size(mr);
    unsigned offset = bar_offset(pci, bar);

    assert(bits_is_pow2(size) && !pci->bars[bar].mr);
    pci->bars[bar] = (PciBar){ mr, size, UINT64_MAX, (uint8_t)flags };
    stle32(pci->config + offset, flags);
    stle32(pci->write_mask + offset, (uint32_t)(~(size - 1) & (bar == PCI_ROM_BAR ? 0xfffff801 | 1 : 0xffffffff)) |
           (bar == PCI_ROM_BAR ? 1 : 0));
    if (flags & PCI_BAR_64) {
        stle32(pci->write_mask + offset + 4, (uint32_t)(~(size - 1) >> 32));
    }
}

uint8_t pci_add_cap(PciDevice *pci, uint8_t id, uint8_t size)
{
    unsigned at = pci->last_cap ? pci->last_cap : 0x40;

    assert(at + size <= PCI_CONFIG_BYTES);
    pci->config[at] = id;
    pci->config[at + 1] = pci->config[PCI_CAPABILITIES];
    pci->config[PCI_CAPABILITIES] = (uint8_t)at;
    pci->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
    pci->last_cap = (uint8_t)ROUND_UP(at + size, 4u);
    return (uint8_t)at;
}

/* 7.5.3: version 2; a 2.5 GT/s x1 link that is always there. */
void pci_add_express_cap(PciDevice *pci, unsigned port_type)
{
    uint8_t cap = pci_add_cap(pci, PCI_CAP_EXPRESS, 0x3c);
    uint8_t *c = pci->config + cap;

    stle16(c + 2, (uint16_t)(2 | port_type << 4 | (port_type == 4 ? 1 << 8 : 0)));
    stle32(c + 4, 1 << 15);                                /* role-based error reporting */
    stle16(pci->write_mask + cap + 8, 0xf7ff & ~(1 << 15));
    stle16(pci->w1c_mask + cap + 10, 0xf);
    if (port_type != 9) {                                  /* not a root complex integrated endpoint */
        stle32(c + 12, 1 | 1 << 4);
        stle16(pci->write_mask + cap + 16, 0x3);
        stle16(c + 18, 1 | 1 << 4 | (port_type == 4 ? 1 << 13 : 0));
    }
    if (port_type == 4) {
        stle16(pci->write_mask + cap + 24, 0x1fff);        /* slot control */
        stle16(pci->write_mask + cap + 28, 0x1f);          /* root control */
    }
}

/* -- configuration accesses -------------------------------------------------------------------------------------- */

static uint32_t device_config_read(PciDevice *pci, unsigned offset, unsigned size)
{
    if (offset + size > pci->config_bytes) {
        return offset + size > PCIE_CONFIG_BYTES ? UINT32_MAX : 0;
    }
    if (pci_type(pci)->config_reading) {
        pci_type(pci)->config_reading(pci, offset, size);
    }
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint32_t)pci->config[offset + i] << i * 8;
    }
    return value;
}

static void device_config_write(PciDevice *pci, unsigned offset, unsigned size, uint32_t value)
{
    bool intx_was = !(pci_get16(pci, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);

    if (offset + size > pci->config_bytes) {
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> i * 8), *c = &pci->config[offset + i];
        uint8_t mask = pci->write_mask[offset + i];
        *c = (uint8_t)((*c & ~mask) | (byte & mask));
        *c &= (uint8_t)~(byte & pci->w1c_mask[offset + i]);
    }
    bool intx_is = !(pci_get16(pci, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);
    if (intx_is != intx_was && pci->intx_level && pci->config[PCI_INTERRUPT_PIN]) {
        route_irq(pci, pci->config[PCI_INTERRUPT_PIN] - 1u, intx_is ? 1 : -1);
    }
    if (offset < 0x40) {
        memory_region_set_enabled(&pci->dma_alias, pci_get16(pci, PCI_COMMAND) & PCI_COMMAND_MASTER);
        pci_update_bars(pci);
    }
    if (pci->msi.cap) {
        pci_msi_written(pci, offset, size);
    }
    pci_msix_written(pci, offset, size);
    if (pci_type(pci)->config_written) {
        pci_type(pci)->config_written(pci, offset, size);
    }
}

uint32_t pci_config_read(PciBus *root, unsigned bdf, unsigned offset, unsigned size)
{
    PciDevice *pci = pci_find(root, bdf);
    return pci ? device_config_read(pci, offset, size) : size == 1 ? 0xff : size == 2 ? 0xffff : UINT32_MAX;
}

void pci_config_write(PciBus *root, unsigned bdf, unsigned offset, unsigned size, uint32_t value)
{
    PciDevice *pci = pci_find(root, bdf);

    if (pci) {
        device_config_write(pci, offset, size, value);
    } else {
        log_guest_error("pci: write to absent function %02x:%02x.%x\n", bdf >> 8, bdf >> 3 & 31, bdf & 7);
    }
}

/* -- devices ------------------------------------------------------------------------------------------------------- */

static void set_header(PciDevice *pci)
{
    const PciType *t = pci_type(pci);
    uint8_t *c = pci->config;

    stle16(c + PCI_VENDOR_ID, t->vendor);
    stle16(c + PCI_DEVICE_ID, t->device);
    c[PCI_REVISION] = t->revision;
    c[PCI_PROG_IF] = t->prog_if;
    stle16(c + PCI_CLASS, t->class_code);
    c[PCI_HEADER_TYPE] = (uint8_t)(t->is_bridge ? 1 : 0) | (pci->multifunction ? 0x80 : 0);
    if (!t->is_bridge) {
        stle16(c + PCI_SUBSYSTEM_VENDOR, t->subsystem_vendor ? t->subsystem_vendor : 0x1af4);
        stle16(c + PCI_SUBSYSTEM_ID, t->subsystem ? t->subsystem : 0x1100);
    }
    stle16(pci->write_mask + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR |
           PCI_COMMAND_INTX_DISABLE | 0x40);
    pci->w1c_mask[PCI_STATUS + 1] = 0xf9;
    pci->write_mask[PCI_CACHE_LINE] = 0xff;
    pci->write_mask[PCI_INTERRUPT_LINE] = 0xff;
}

AddressSpace *pci_plain_memory(const PciDevice *pci)
{
    return root_of(pci->bus)->dma;
}

bool pci_device_realize(Device *dev, Error **errp)
{
    PciDevice *pci = PCI_DEVICE(dev);
    const PciType *t = dev->obj.type->class_data;

    pci->ptype = t;
    pci->config_bytes = t->is_express || pci->bus->is_express ? PCIE_CONFIG_BYTES : PCI_CONFIG_BYTES;
    pci->config = xcalloc(1, pci->config_bytes);
    pci->write_mask = xcalloc(1, pci->config_bytes);
    pci->w1c_mask = xcalloc(1, pci->config_bytes);
    set_header(pci);
    memory_region_init(&pci->dma_root, &dev->obj, "bus master container", MEMORY_SIZE_ALL);
    memory_region_init_alias(&pci->dma_alias, &dev->obj, "bus master", root_of(pci->bus)->dma->root, 0, MEMORY_SIZE_ALL);
    memory_region_set_enabled(&pci->dma_alias, false);
    memory_region_add(&pci->dma_root, 0, &pci->dma_alias);
    address_space_init(&pci->dma, &pci->dma_root, dev->obj.type->name);
    pci->dma.owner = &dev->obj;
    const PciBus *root = root_of(pci->bus);
    pci->dma.iommu = root->iommu_ops ? root->iommu_ops->attach(root->iommu_opaque, pci) : NULL;
    pci->bus->devices[pci->devfn] = pci;
    if (!t->realize(pci, errp)) {
        pci_device_unrealize(dev);
        return false;
    }
    if (!pci->bars[PCI_ROM_BAR].mr && !pci_load_rom(pci, errp)) {
        if (t->unrealize) {
            t->unrealize(pci);
        }
        pci_device_unrealize(dev);
        return false;
    }
    return true;
}

void pci_device_unrealize(Device *dev)
{
    PciDevice *pci = PCI_DEVICE(dev);

    if (dev->realized) {
        pci_set_irq(pci, 0);
        if (pci_type(pci)->unrealize) {
            pci_type(pci)->unrealize(pci);
        }
    }
    stle16(pci->config + PCI_COMMAND, 0);
    pci_update_bars(pci);
    pci_finish_msix(pci);
    pci->bus->devices[pci->devfn] = NULL;
    address_space_finish(&pci->dma);
    if (pci->dma.iommu) {
        const PciBus *root = root_of(pci->bus);
        root->iommu_ops->detach(root->iommu_opaque, pci->dma.iommu);
        pci->dma.iommu = NULL;
    }
    free(pci->config);
    free(pci->write_mask);
    free(pci->w1c_mask);
    pci->config = pci->write_mask = pci->w1c_mask = NULL;
}

void pci_device_reset(Device *dev, ResetKind kind)
{
    PciDevice *pci = PCI_DEVICE(dev);

    pci_set_irq(pci, 0);
    for (unsigned i = 4; i < pci->config_bytes; i++) {
        pci->config[i] &= (uint8_t)~(pci->write_mask[i] | pci->w1c_mask[i]);
    }
    if (pci->msix.cap) {
        pci_release_wires(pci);
        memset(pci->msix.table, 0, pci->msix.n_vectors * 16);
        for (unsigned i = 0; i < pci->msix.n_vectors; i++) {
            pci->msix.table[i * 16 + 12] = 1; /* masked */
        }
        memset(pci->msix.pending, 0, DIV_ROUND_UP(pci->msix.n_vectors, 64) * 8);
    }
    memory_region_set_enabled(&pci->dma_alias, false);
    pci_update_bars(pci);
    if (pci_type(pci)->reset) {
        pci_type(pci)->reset(pci);
    }
}

static const Property pci_props[] = { PCI_PROPS(PciDevice, ) };

static const DeviceType pci_device_type = {
    .type = { .name = "pci-device", .parent = "device", .size_bytes = sizeof(PciDevice), .abstract = true,
              .summary = "What all PCI functions share", .props = pci_props, .n_props = ARRAY_SIZE(pci_props) },
    .category = DEVICE_MISC, .bus = "PCI",
};
DEVICE_TYPE_REGISTER(pci_device_type);

/* -- saved state --------------------------------------------------------------------------------------------------- */

static bool pci_post_load(void *opaque, uint32_t version, Error **errp)
{
    PciDevice *pci = opaque;

    memory_region_set_enabled(&pci->dma_alias, pci_get16(pci, PCI_COMMAND) & PCI_COMMAND_MASTER);
    pci_update_bars(pci);
    pci_reroute_irqs(root_of(pci->bus)); /* the level was replaced behind its back */
    return true;
}

static const StateField pci_fields[] = {
    { .name = "config", .kind = STATE_UINT, .offset = offsetof(PciDevice, config), .elem_size = 1, .indirect = true,
      .count_is_field = true, .count_field = offsetof(PciDevice, config_bytes) },
    STATE_U(PciDevice, intx_level),
};

const StateDesc pci_state = {
    .name = "pci", .version = 1, .fields = pci_fields, .n_fields = ARRAY_SIZE(pci_fields), .post_load = pci_post_load,
};
