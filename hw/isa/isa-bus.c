/*
 * isa-bus.c: the ISA bus of a PC (see hw/isa.h).
 *
 * An interrupt line of the bus may have several drivers (serial ports 1 and 3 share IRQ 4): each isa_irq() is a driver of
 * its own and the line is high while any of them is, as with open-collector drivers and a pull-up.
 */
#include "hw/isa.h"
#include "softmmu/machine.h"

struct IsaBus {
    Bus bus;
    MemoryRegion *memory, *io;
    Irq *irqs[ISA_N_IRQS];
    unsigned n_high[ISA_N_IRQS]; /* drivers that hold the line up */
    const IsaDmaOps *dma;
    void *dma_controller;
};

/* One device's connection to a line. */
typedef struct IsaLine {
    Irq irq;
    IsaBus *bus;
    bool level;
} IsaLine;

static IsaBus *the_isa_bus; /* of the machine: there is one per process */

static const BusType isa_bus_type = {
    .type = { .name = "ISA", .parent = "bus", .summary = "ISA bus", .size_bytes = sizeof(IsaBus) },
    .kind = "ISA",
};
OBJECT_TYPE_REGISTER(isa_bus_type);

static const ObjectType isa_device_type = {
    .name = "isa-device", .parent = "device", .summary = "a device on the ISA bus", .size_bytes = sizeof(Device),
    .abstract = true,
};
OBJECT_TYPE_REGISTER(isa_device_type);

IsaBus *isa_bus_new(Device *parent, const char *name, MemoryRegion *memory, MemoryRegion *io)
{
    IsaBus *bus = (IsaBus *)bus_new("ISA", parent, name);

    bus->memory = memory;
    bus->io = io;
    the_isa_bus = bus;
    return bus;
}

IsaBus *isa_bus_of(Device *dev)
{
    return (IsaBus *)dev->bus;
}

IsaBus *isa_bus_find(void)
{
    return the_isa_bus;
}

Bus *isa_bus_as_bus(IsaBus *bus)
{
    return &bus->bus;
}

void isa_bus_set_irqs(IsaBus *bus, Irq *const irqs[ISA_N_IRQS])
{
    memcpy(bus->irqs, irqs, sizeof(bus->irqs));
}

void isa_bus_set_dma(IsaBus *bus, const IsaDmaOps *ops, void *controller)
{
    bus->dma = ops;
    bus->dma_controller = controller;
}

static void line_set(void *opaque, int n, int level)
{
    IsaLine *line = opaque;
    IsaBus *bus = line->bus;

    if (line->level != (level != 0)) {
        line->level = level != 0;
        bus->n_high[n] += level ? 1u : -1u;
    }
    irq_set(bus->irqs[n], bus->n_high[n] != 0);
}

Irq *isa_irq(IsaBus *bus, unsigned n)
{
    IsaLine *line = xnew(IsaLine);

    assert(n < ISA_N_IRQS);
    line->bus = bus;
    irq_init(&line->irq, line_set, line, (int)n);
    object_add_child(&bus->bus.obj, "irq[*]", &line->irq.obj);
    return &line->irq;
}

void isa_add_io(IsaBus *bus, uint16_t port, MemoryRegion *mr)
{
    memory_region_add(bus->io, port, mr);
}

void isa_add_memory(IsaBus *bus, uint64_t addr, MemoryRegion *mr)
{
    memory_region_add_overlap(bus->memory, addr, mr, 1);
}

const IsaDmaOps *isa_dma(IsaBus *bus, void **ret_controller)
{
    *ret_controller = bus->dma_controller;
    return bus->dma;
}
