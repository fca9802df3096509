/*
 * isa-debug-exit.c: a port that ends the emulator with an exit status of (value << 1) | 1, for test programs.
 */
#include "hw/isa.h"
#include "softmmu/machine.h"

typedef struct DebugExit {
    Device dev;
    uint32_t iobase, iosize;
    MemoryRegion io;
} DebugExit;

static MemResult exit_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = 0;
    return MEM_OK;
}

static MemResult exit_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    machine_request_shutdown_with(SHUTDOWN_CAUSE_GUEST_SHUTDOWN, (int)((value << 1 | 1) & 0xff));
    return MEM_OK;
}

static const MemoryOps exit_ops = { .read = exit_read, .write = exit_write, .valid = { 1, 4, true }, .impl = { 1, 4, true } };

static bool exit_realize(Device *dev, Error **errp)
{
    DebugExit *s = (DebugExit *)dev;

    if (!s->iosize || s->iosize > 0x10000 || s->iobase > 0x10000 - s->iosize) {
        error_set(errp, "ports 0x%x and the %u behind it do not exist", s->iobase, s->iosize);
        return false;
    }
    memory_region_init_mmio(&s->io, &dev->obj, &exit_ops, s, "isa-debug-exit", s->iosize);
    isa_add_io(isa_bus_of(dev), (uint16_t)s->iobase, &s->io);
    return true;
}

static const Property exit_props[] = {
    PROP_U32("iobase", DebugExit, iobase, 0x501, "First port"),
    PROP_U32("iosize", DebugExit, iosize, 2, "Number of ports"),
};

static const DeviceType exit_type = {
    .type = { .name = "isa-debug-exit", .parent = "isa-device", .size_bytes = sizeof(DebugExit), .summary = "ends the emulator",
              .props = exit_props, .n_props = ARRAY_SIZE(exit_props) },
    .category = DEVICE_MISC, .bus = "ISA", .realize = exit_realize, .user_creatable = true,
};
DEVICE_TYPE_REGISTER(exit_type);
