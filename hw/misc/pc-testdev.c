/*
 * pc-testdev.c: what the hypervisor unit tests ask of a PC: four bytes of storage behind ports, 64 KiB of storage behind an I/O
 * memory window, and the ISA bus's interrupt lines as ports.
 *
 * Ports E0h-E3h are the four bytes as one register, E8h-EBh the same a byte at a time; 2000h-2017h are lines, level by the byte written
 * (there are sixteen, the other ports do nothing). E4h-E7h ask a hypervisor to forget how it maps a page: here nothing is kept
 * that the page tables do not say. Behaviour as seen of the reference.
 *
 * Threads: BQL.
 */
#include "hw/isa.h"

enum { STORAGE_PORT = 0xe0, FLUSH_PORT = 0xe4, BYTES_PORT = 0xe8, LINE_PORT = 0x2000, N_LINE_PORTS = 24, WINDOW = 0xff000000, WINDOW_BYTES = 0x10000 };

typedef struct PcTestdev {
    Device dev;
    uint8_t storage[4], window[WINDOW_BYTES];
    Irq *lines[ISA_N_IRQS];
    MemoryRegion storage_io, bytes_io, flush_io, line_io, window_io;
} PcTestdev;

static MemResult bytes_read(const uint8_t *from, unsigned size, uint64_t *ret)
{
    *ret = 0;
    for (unsigned i = 0; i < size; i++) {
        *ret |= (uint64_t)from[i] << 8 * i;
    }
    return MEM_OK;
}

static MemResult bytes_write(uint8_t *to, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++) {
        to[i] = (uint8_t)(value >> 8 * i);
    }
    return MEM_OK;
}

static MemResult storage_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    return bytes_read(((PcTestdev *)opaque)->storage + offset, size, ret);
}

static MemResult storage_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    return bytes_write(((PcTestdev *)opaque)->storage + offset, size, value);
}

static MemResult window_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    return bytes_read(((PcTestdev *)opaque)->window + offset, size, ret);
}

static MemResult window_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    return bytes_write(((PcTestdev *)opaque)->window + offset, size, value);
}

static MemResult read_zero(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = 0;
    return MEM_OK;
}

static MemResult flush_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs) { return MEM_OK; }

static MemResult line_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    PcTestdev *s = opaque;

    if (offset < ISA_N_IRQS) {
        irq_set(s->lines[offset], value != 0);
    }
    return MEM_OK;
}

static const MemoryOps storage_ops = { .read = storage_read, .write = storage_write };
static const MemoryOps bytes_ops = { .read = storage_read, .write = storage_write, .impl = { 1, 1 } };
static const MemoryOps flush_ops = { .read = read_zero, .write = flush_write };
static const MemoryOps line_ops = { .read = read_zero, .write = line_write, .valid = { 1, 1 } };
static const MemoryOps window_ops = { .read = window_read, .write = window_write, .valid = { 1, 8, true }, .impl = { 1, 8, true } };

static bool testdev_realize(Device *dev, Error **errp)
{
    PcTestdev *s = (PcTestdev *)dev;
    IsaBus *bus = isa_bus_of(dev);
    const struct { MemoryRegion *mr; const MemoryOps *ops; const char *name; uint16_t port, n; } ports[] = {
        { &s->storage_io, &storage_ops, "pc-testdev-ioport", STORAGE_PORT, 4 }, { &s->flush_io, &flush_ops, "pc-testdev-flush-page", FLUSH_PORT, 4 },
        { &s->bytes_io, &bytes_ops, "pc-testdev-ioport-byte", BYTES_PORT, 4 }, { &s->line_io, &line_ops, "pc-testdev-irq-line", LINE_PORT, N_LINE_PORTS },
    };

    for (unsigned i = 0; i < ISA_N_IRQS; i++) {
        s->lines[i] = isa_irq(bus, i);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
        memory_region_init_mmio(ports[i].mr, &dev->obj, ports[i].ops, s, ports[i].name, ports[i].n);
        isa_add_io(bus, ports[i].port, ports[i].mr);
    }
    memory_region_init_mmio(&s->window_io, &dev->obj, &window_ops, s, "pc-testdev-iomem", WINDOW_BYTES);
    isa_add_memory(bus, WINDOW, &s->window_io);
    return true;
}

static const StateField fields[] = { STATE_U_ARRAY(PcTestdev, storage), STATE_U_ARRAY(PcTestdev, window) };
static const StateDesc state = { .name = "pc-testdev", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields) };

static const DeviceType testdev_type = {
    .type = { .name = "pc-testdev", .parent = "isa-device", .size_bytes = sizeof(PcTestdev), .summary = "what hypervisor unit tests need" },
    .category = DEVICE_MISC, .bus = "ISA", .state = &state, .realize = testdev_realize, .user_creatable = true,
};
DEVICE_TYPE_REGISTER(testdev_type);
