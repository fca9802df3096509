/*
 * isa.h: the ISA bus of a PC: one bus per machine, ports in machine->system_io, sixteen irq lines, eight DMA channels.
 *
 * A device on it is an ordinary Device with .bus = "ISA" whose realize() puts its port regions in place
 * with isa_add_io() and asks for its lines with isa_irq(). The board makes the bus and sets lines and DMA controller
 * before the first device.
 *
 * Threads: BQL.
 */
#ifndef HW_ISA_H
#define HW_ISA_H

#include "hw/device.h"

enum { ISA_N_IRQS = 16, ISA_N_DMA = 8 };

typedef struct IsaBus IsaBus;

/*
 * A device's side of a DMA channel. The controller calls transfer() while the channel is unmasked and DREQ is held: the
 * device moves up to `len` bytes at buffer position `pos` with isa_dma_read_memory()/isa_dma_write_memory() and returns the new position (of len).
 */
typedef uint32_t IsaDmaTransfer(void *opaque, unsigned channel, uint32_t pos, uint32_t len);

/* What a DMA controller (i8257) offers. */
typedef struct IsaDmaOps {
    void (*set_transfer)(void *controller, unsigned channel, IsaDmaTransfer *transfer, void *opaque);
    void (*hold_dreq)(void *controller, unsigned channel);
    void (*release_dreq)(void *controller, unsigned channel);
    /* Guest memory of the running transfer; device to memory is write. */
    void (*read_memory)(void *controller, unsigned channel, void *buf, uint32_t pos, uint32_t len);
    void (*write_memory)(void *controller, unsigned channel, const void *buf, uint32_t pos, uint32_t len);
    bool (*has_autoinit)(void *controller, unsigned channel);
} IsaDmaOps;

/* parent: the south bridge, or NULL. memory and io: where devices appear. */
IsaBus *isa_bus_new(Device *parent, const char *name, MemoryRegion *memory, MemoryRegion *io);
IsaBus *isa_bus_of(Device *dev);     /* the bus a device is plugged into */
IsaBus *isa_bus_find(void);          /* the machine's; NULL: it has none */
Bus *isa_bus_as_bus(IsaBus *bus);
void isa_bus_set_irqs(IsaBus *bus, Irq *const irqs[ISA_N_IRQS]);
void isa_bus_set_dma(IsaBus *bus, const IsaDmaOps *ops, void *controller);

Irq *isa_irq(IsaBus *bus, unsigned n);
/* Adds `mr` at `port` of the bus's I/O space, memory at `addr` of its memory space. */
void isa_add_io(IsaBus *bus, uint16_t port, MemoryRegion *mr);
void isa_add_memory(IsaBus *bus, uint64_t addr, MemoryRegion *mr);
/* NULL when the bus has no DMA controller. */
const IsaDmaOps *isa_dma(IsaBus *bus, void **ret_controller);

#endif
