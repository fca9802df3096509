/*
 * pl061.c: Arm PrimeCell general-purpose input and output, PL061.
 *
 * Arm DDI 0190B, chapter 3: eight lines; the address bits of a data access are its mask (3.3.1); interrupts by level or edge.
 * Lines that are inputs and not driven read as the pull resistors of the board leave them ("pullups", "pulldowns"). Without effect: hardware
 * control (GPIOAFSEL is kept).
 */
#include "hw/primecell.h"

enum { N_LINES = 8 };

typedef struct Pl061 {
    Device dev;
    uint8_t pullups, pulldowns;
    uint8_t out;      /* what the guest wrote for outputs */
    uint8_t in;       /* levels of the inputs */
    uint8_t driven;   /* inputs that somebody drives */
    uint8_t dir, is, ibe, iev, ie, ris, afsel;
    uint8_t seen;     /* levels when interrupts were last worked out */
} Pl061;

static uint8_t levels(const Pl061 *s)
{
    uint8_t in = (uint8_t)((s->in & s->driven) | (s->pullups & ~s->driven));

    return (uint8_t)((s->out & s->dir) | (in & ~s->dir));
}

static void update(Pl061 *s)
{
    uint8_t now = levels(s), edges = now ^ s->seen;
    uint8_t floating = (uint8_t)(~s->dir & s->pullups);

    for (unsigned i = 0; i < N_LINES; i++) {
        device_set_irq(&s->dev, NULL, i, ((s->out & s->dir) | floating) >> i & 1);
    }
    s->seen = now;
    s->ris |= (uint8_t)(edges & ~s->is & (s->ibe | (s->iev & now) | (~s->iev & ~now)));
    /* A level is its own memory: it is pending while it lasts. */
    s->ris = (uint8_t)((s->ris & ~s->is) | (s->is & (now ^ (uint8_t)~s->iev)));
    device_set_irq(&s->dev, "sysbus-irq", 0, (s->ris & s->ie) != 0);
}

static void input(void *opaque, int n, int level)
{
    Pl061 *s = opaque;

    s->driven |= (uint8_t)(1 << n);
    s->in = (uint8_t)((s->in & ~(1 << n)) | (level ? 1 << n : 0));
    update(s);
}

static uint64_t data_read(Device *dev, const Register *reg, unsigned index)
{
    return levels((Pl061 *)dev) & index;
}

static void data_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pl061 *s = (Pl061 *)dev;
    uint8_t mask = (uint8_t)(index & s->dir);

    s->out = (uint8_t)((s->out & ~mask) | (value & mask));
    update(s);
}

static void config_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update((Pl061 *)dev);
}

static uint64_t mis_read(Device *dev, const Register *reg, unsigned index)
{
    Pl061 *s = (Pl061 *)dev;

    return s->ris & s->ie;
}

static void ic_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pl061 *s = (Pl061 *)dev;

    s->ris &= (uint8_t)~(value & (uint8_t)~s->is);
    update(s);
}

static const Register pl061_regs[] = {
    { .name = "GPIODATA", .offset = 0x000, .size = 4, .count = 256, .read = data_read, .write = data_write },
    { .name = "GPIODIR", .offset = 0x400, .size = 4, REGISTER_FIELD(Pl061, dir), .changed = config_changed },
    { .name = "GPIOIS", .offset = 0x404, .size = 4, REGISTER_FIELD(Pl061, is), .changed = config_changed },
    { .name = "GPIOIBE", .offset = 0x408, .size = 4, REGISTER_FIELD(Pl061, ibe), .changed = config_changed },
    { .name = "GPIOIEV", .offset = 0x40c, .size = 4, REGISTER_FIELD(Pl061, iev), .changed = config_changed },
    { .name = "GPIOIE", .offset = 0x410, .size = 4, REGISTER_FIELD(Pl061, ie), .changed = config_changed },
    { .name = "GPIORIS", .offset = 0x414, .size = 4, REGISTER_FIELD(Pl061, ris), .read_only = true },
    { .name = "GPIOMIS", .offset = 0x418, .size = 4, .read = mis_read, .read_only = true },
    { .name = "GPIOIC", .offset = 0x41c, .size = 4, .write = ic_write, .write_only = true },
    { .name = "GPIOAFSEL", .offset = 0x420, .size = 4, REGISTER_FIELD(Pl061, afsel) },
    PRIMECELL_ID_ROW(0x00041061),
};

static const RegisterBank pl061_banks[] = {
    { .name = "pl061", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = pl061_regs, .n_regs = ARRAY_SIZE(pl061_regs) },
};

static bool pl061_realize(Device *dev, Error **errp)
{
    Pl061 *s = (Pl061 *)dev;

    if (s->pullups & s->pulldowns) {
        error_set(errp, "pl061: no line can be pulled both up and down (pullups 0x%x, pulldowns 0x%x)", s->pullups, s->pulldowns);
        return false;
    }
    return true;
}

static void pl061_reset_enter(Device *dev, ResetKind kind)
{
    Pl061 *s = (Pl061 *)dev;

    s->out = 0;
    s->seen = levels(s); /* what the lines are at is no edge */
}

static void pl061_reset_hold(Device *dev, ResetKind kind)
{
    update((Pl061 *)dev);
}

static bool pl061_post_load(void *opaque, uint32_t version, Error **errp)
{
    update(opaque);
    return true;
}

static const StateField pl061_fields[] = { STATE_U(Pl061, out), STATE_U(Pl061, in), STATE_U(Pl061, driven), STATE_U(Pl061, seen) };

static const StateDesc pl061_state = {
    .name = "pl061", .version = 1, .min_version = 1, .fields = pl061_fields, .n_fields = ARRAY_SIZE(pl061_fields), .post_load = pl061_post_load,
};

static const Property pl061_props[] = {
    PROP_U8("pullups", Pl061, pullups, 0xff, NULL),
    PROP_U8("pulldowns", Pl061, pulldowns, 0, NULL),
};

static const IrqDef pl061_in[] = { { .count = N_LINES, .handler = input } };
static const IrqDef pl061_out[] = { { .count = N_LINES }, { .name = "sysbus-irq", .count = 1 } };

static const DeviceType pl061_type = {
    .type = {
        .name = "pl061",
        .parent = "sys-bus-device",
        .summary = "Arm PrimeCell GPIO",
        .size_bytes = sizeof(Pl061),
        .props = pl061_props,
        .n_props = ARRAY_SIZE(pl061_props),
    },
    .category = DEVICE_MISC,
    .bus = "System",
    .banks = pl061_banks,
    .n_banks = ARRAY_SIZE(pl061_banks),
    .irqs_in = pl061_in,
    .n_irqs_in = ARRAY_SIZE(pl061_in),
    .irqs_out = pl061_out,
    .n_irqs_out = ARRAY_SIZE(pl061_out),
    .state = &pl061_state,
    .realize = pl061_realize,
    .reset_enter = pl061_reset_enter,
    .reset_hold = pl061_reset_hold,
};
DEVICE_TYPE_REGISTER(pl061_type);
