/*
 * debugcon.c: "isa-debugcon": bytes written to a port go to a chardev; firmware logs there. A read gives a constant, by which firmware
 * tells that somebody listens.
 */
#include "hw/isa.h"
#include "softmmu/chardev.h"

typedef struct DebugCon {
    Device dev;
    CharFrontend chr;
    uint32_t iobase, readback;
} DebugCon;

static uint64_t port_read(Device *dev, const Register *reg, unsigned index)
{
    return ((DebugCon *)dev)->readback & 0xff;
}

static void port_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    uint8_t byte = (uint8_t)value;
    char_write_all(&((DebugCon *)dev)->chr, &byte, 1);
}

static const Register regs[] = { { .name = "DATA", .offset = 0, .size = 1, .read = port_read, .write = port_write } };
static const RegisterBank banks[] = { { .name = "isa-debugcon", .size_bytes = 1, .regs = regs, .n_regs = 1 } };

static bool debugcon_realize(Device *dev, Error **errp)
{
    DebugCon *s = (DebugCon *)dev;

    if (!s->chr.chr) {
        error_set(errp, "Can't create debugcon device, empty char device");
        return false;
    }
    if (s->iobase > 0xffff) {
        error_set(errp, "isa-debugcon: there is no port 0x%x", s->iobase);
        return false;
    }
    isa_add_io(isa_bus_of(dev), (uint16_t)s->iobase, device_mmio(dev, 0));
    return true;
}

static void debugcon_unrealize(Device *dev)
{
    char_detach(&((DebugCon *)dev)->chr);
}

static const Property props[] = {
    PROP_U32("iobase", DebugCon, iobase, 0xe9, NULL), PROP_CHR("chardev", DebugCon, chr),
    PROP_U32("readback", DebugCon, readback, 0xe9, NULL),
};

static const DeviceType debugcon_type = {
    .type = { .name = "isa-debugcon", .parent = "isa-device", .summary = "debug console port", .size_bytes = sizeof(DebugCon),
              .props = props, .n_props = ARRAY_SIZE(props) },
    .category = DEVICE_MISC, .bus = "ISA", .banks = banks, .n_banks = 1, .user_creatable = true, .realize = debugcon_realize,
    .unrealize = debugcon_unrealize,
};
DEVICE_TYPE_REGISTER(debugcon_type);
