/*
 * serial-mm.c: 16550A UART at memory-mapped registers, 1 << regshift bytes apart.
 */
#include "hw/serial.h"

typedef struct SerialMm {
    SerialState serial;
    uint8_t regshift, endianness;
} SerialMm;

static MemResult serial_mm_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                                MemAttrs attrs);
static MemResult serial_mm_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                                 MemAttrs attrs);

static const MemoryOps serial_ops = {
    .read = serial_mm_read,
    .write = serial_mm_write,
    .valid = { .min = 1, .max = 8 },
    .impl = { .min = 1, .max = 1 },
};

/* Registers lie 1 << regshift bytes apart; bytes between them repeat nothing. */
static const RegisterBank serial_banks[] = {
    { .name = "serial", .size_bytes = 8, .regs = serial_regs,
      .n_regs = SERIAL_N_REGS, .ops = &serial_ops },
};

static MemResult serial_mm_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret,
                                MemAttrs attrs)
{
    SerialMm *s = opaque;
    MemResult result = MEM_OK;

    *ret = 0;
    if (!(offset & ((1u << s->regshift) - 1))) {
        *ret = register_read(&s->serial.dev, serial_banks, offset >> s->regshift, 1, &result);
    }
    return result;
}

static MemResult serial_mm_write(void *opaque, uint64_t offset, unsigned size, uint64_t value,
                                 MemAttrs attrs)
{
    SerialMm *s = opaque;

    if (offset & ((1u << s->regshift) - 1)) {
        return MEM_OK;
    }
    return register_write(&s->serial.dev, serial_banks, offset >> s->regshift, 1, value);
}

static bool mm_realize(Device *dev, Error **errp)
{
    SerialMm *s = (SerialMm *)dev;

    if (s->regshift > 3) {
        error_set(errp, "serial-mm: regshift %u is not between 0 and 3", s->regshift);
        return false;
    }
    device_set_bank_size(dev, 0, (uint64_t)SERIAL_N_REGS << s->regshift);
    return serial_realize(&s->serial, "serial-mm", errp);
}

static void mm_reset_hold(Device *dev, ResetKind kind)
{
    serial_connect((SerialState *)dev, device_irq_out(dev, "sysbus-irq", 0));
}

static const Property serial_props[] = {
    PROP_U8("regshift", SerialMm, regshift, 0, NULL),
    PROP_U32("baudbase", SerialMm, serial.baudbase, 115200, NULL),
    PROP_U8("endianness", SerialMm, endianness, 0, NULL),
    PROP_B("wakeup", SerialMm, serial.wakeup, false, "on/off"),
    PROP_CHR("chardev", SerialMm, serial.chr),
};

static const IrqDef serial_irqs[] = { { .name = "sysbus-irq", .count = 1 } };

static const DeviceType serial_mm_type = {
    .type = {
        .name = "serial-mm",
        .parent = "sys-bus-device",
        .summary = "16550A UART",
        .size_bytes = sizeof(SerialMm),
        .props = serial_props,
        .n_props = ARRAY_SIZE(serial_props),
    },
    .category = DEVICE_INPUT,
    .bus = "System",
    .banks = serial_banks,
    .n_banks = ARRAY_SIZE(serial_banks),
    .irqs_out = serial_irqs,
    .n_irqs_out = ARRAY_SIZE(serial_irqs),
    .state = &serial_state,
    .realize = mm_realize,
    .unrealize = serial_unrealize,
    .reset_enter = serial_reset_enter,
    .reset_hold = mm_reset_hold,
    .reset_exit = serial_reset_exit,
};
DEVICE_TYPE_REGISTER(serial_mm_type);
