/*
 * pl050.c: Arm PrimeCell PS/2 keyboard/mouse interface PL050, with a keyboard or a mouse behind it.
 *
 * Arm DDI 0143C, chapter 3. Left out: the clock divisor's effect, driving the lines by hand (KMICR bits 0 and 1), parity errors.
 */
#include "hw/input/ps2.h"
#include "hw/primecell.h"

enum { CR_ENABLE = 1 << 2, CR_TX_INT = 1 << 3, CR_RX_INT = 1 << 4, STAT_PARITY = 1 << 2, STAT_RX_FULL = 1 << 4, STAT_TX_EMPTY = 1 << 6, IR_RX = 1, IR_TX = 2 };

typedef struct Pl050 {
    Device dev;
    Ps2Keyboard kbd;
    Ps2Mouse mouse;
    bool is_mouse;
    uint8_t cr, div, last;
} Pl050;

static Ps2Port *port(Pl050 *s)
{
    return s->is_mouse ? &s->mouse.port : &s->kbd.port;
}

static uint32_t pending(Pl050 *s)
{
    return (ps2_ready(port(s)) ? IR_RX : 0) | IR_TX;
}

static void update(void *opaque)
{
    Pl050 *s = opaque;
    uint32_t now = pending(s);

    device_set_irq(&s->dev, "sysbus-irq", 0, (now & IR_RX && s->cr & CR_RX_INT) || (now & IR_TX && s->cr & CR_TX_INT));
}

static void cr_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update(dev);
}

/* RXPARITY: odd parity of the byte received last (3.3.2). */
static uint64_t stat_read(Device *dev, const Register *reg, unsigned index)
{
    Pl050 *s = (Pl050 *)dev;

    return STAT_TX_EMPTY | 3 | (__builtin_parity(s->last) ? 0 : STAT_PARITY) | (ps2_ready(port(s)) ? STAT_RX_FULL : 0);
}

static uint64_t data_read(Device *dev, const Register *reg, unsigned index)
{
    Pl050 *s = (Pl050 *)dev;

    if (ps2_ready(port(s))) {
        s->last = ps2_take(port(s));
    }
    update(s);
    return s->last;
}

static void data_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pl050 *s = (Pl050 *)dev;

    if (s->is_mouse) {
        ps2_mouse_write(&s->mouse, (uint8_t)value);
    } else {
        ps2_keyboard_write(&s->kbd, (uint8_t)value);
    }
    update(s);
}

static uint64_t ir_read(Device *dev, const Register *reg, unsigned index)
{
    return pending((Pl050 *)dev);
}

static const Register pl050_regs[] = {
    { .name = "KMICR", .offset = 0x00, .size = 4, REGISTER_FIELD(Pl050, cr), .write_mask = 0x3f, .changed = cr_changed },
    { .name = "KMISTAT", .offset = 0x04, .size = 4, .read = stat_read, .read_only = true },
    { .name = "KMIDATA", .offset = 0x08, .size = 4, .read = data_read, .write = data_write },
    { .name = "KMICLKDIV", .offset = 0x0c, .size = 4, REGISTER_FIELD(Pl050, div), .write_mask = 0xf },
    { .name = "KMIIR", .offset = 0x10, .size = 4, .read = ir_read, .read_only = true },
    PRIMECELL_ID_ROW(0x00041050),
};

static const RegisterBank pl050_banks[] = {
    { .name = "pl050", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = pl050_regs, .n_regs = ARRAY_SIZE(pl050_regs) },
};

static bool keyboard_realize(Device *dev, Error **errp)
{
    ps2_keyboard_init(&((Pl050 *)dev)->kbd, update, dev);
    return true;
}

static bool mouse_realize(Device *dev, Error **errp)
{
    ((Pl050 *)dev)->is_mouse = true;
    ps2_mouse_init(&((Pl050 *)dev)->mouse, update, dev);
    return true;
}

static void pl050_unrealize(Device *dev)
{
    Pl050 *s = (Pl050 *)dev;

    if (s->is_mouse) {
        ps2_mouse_finish(&s->mouse);
    } else {
        ps2_keyboard_finish(&s->kbd);
    }
}

static void pl050_reset_enter(Device *dev, ResetKind kind)
{
    Pl050 *s = (Pl050 *)dev;

    s->last = 0;
    if (s->is_mouse) {
        ps2_mouse_reset(&s->mouse);
    } else {
        ps2_keyboard_reset(&s->kbd);
    }
}

static void pl050_reset_hold(Device *dev, ResetKind kind)
{
    update(dev);
}

static bool pl050_post_load(void *opaque, uint32_t version, Error **errp)
{
    update(opaque);
    return true;
}

static const StateField keyboard_fields[] = {
    STATE_U(Pl050, last),
    { .name = "kbd", .kind = STATE_STRUCT, .offset = offsetof(Pl050, kbd), .elem_size = sizeof(Ps2Keyboard), .sub = &ps2_keyboard_state },
};
static const StateField mouse_fields[] = {
    STATE_U(Pl050, last),
    { .name = "mouse", .kind = STATE_STRUCT, .offset = offsetof(Pl050, mouse), .elem_size = sizeof(Ps2Mouse), .sub = &ps2_mouse_state },
};
static const StateDesc keyboard_state = {
    .name = "pl050_keyboard", .version = 1, .min_version = 1, .fields = keyboard_fields, .n_fields = ARRAY_SIZE(keyboard_fields),
    .post_load = pl050_post_load,
};
static const StateDesc mouse_state = {
    .name = "pl050_mouse", .version = 1, .min_version = 1, .fields = mouse_fields, .n_fields = ARRAY_SIZE(mouse_fields), .post_load = pl050_post_load,
};
static const IrqDef pl050_out[] = { { .name = "sysbus-irq", .count = 1 } };

#define PL050_TYPE(id, text)                                                                                                            \
    static const DeviceType id##_type = {                                                                                              \
        .type = { .name = "pl050_" #id, .parent = "sys-bus-device", .summary = text, .size_bytes = sizeof(Pl050) },                      \
        .category = DEVICE_INPUT, .bus = "System", .banks = pl050_banks, .n_banks = ARRAY_SIZE(pl050_banks), .irqs_out = pl050_out,       \
        .n_irqs_out = ARRAY_SIZE(pl050_out), .state = &id##_state, .realize = id##_realize, .unrealize = pl050_unrealize,                \
        .reset_enter = pl050_reset_enter, .reset_hold = pl050_reset_hold,                                                                \
    };                                                                                                                                  \
    DEVICE_TYPE_REGISTER(id##_type)
PL050_TYPE(keyboard, "Arm PrimeCell keyboard interface");
PL050_TYPE(mouse, "Arm PrimeCell mouse interface");
