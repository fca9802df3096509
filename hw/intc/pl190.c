/*
 * pl190.c: Arm PrimeCell vectored interrupt controller PL190.
 *
 * Arm DDI 0181E, chapter 3. 32 inputs; those that are not FIQs go to IRQ by 16 vectored priorities and one for all others. Reading VICVECTADDR takes the
 * interrupt: only higher priorities are seen until it is written. Left out: daisy chaining, protection, test registers.
 */
#include "hw/primecell.h"

enum { N_INPUTS = 32, N_VECTORS = 16, PRIORITY_DEFAULT = N_VECTORS, PRIORITY_NONE = N_VECTORS + 1, CNTL_ENABLE = 1 << 5 };

typedef struct Pl190 {
    Device dev;
    uint32_t level, soft, enable, select, default_address, address[N_VECTORS], control[N_VECTORS];
    uint8_t priority;               /* of what is being handled; PRIORITY_NONE: nothing */
    uint8_t before[PRIORITY_NONE + 1]; /* those that it has interrupted, by itself */
} Pl190;

static uint32_t raw(const Pl190 *s)
{
    return s->level | s->soft;
}

static uint32_t irq_status(const Pl190 *s)
{
    return raw(s) & s->enable & ~s->select;
}

/* Of the most urgent active interrupt; PRIORITY_NONE: there is none. */
static uint8_t best(const Pl190 *s)
{
    uint32_t now = irq_status(s);

    for (uint8_t n = 0; n < N_VECTORS; n++) {
        if (s->control[n] & CNTL_ENABLE && now >> (s->control[n] & 31) & 1) {
            return n;
        }
    }
    return now ? PRIORITY_DEFAULT : PRIORITY_NONE;
}

static void update(Pl190 *s)
{
    device_set_irq(&s->dev, "sysbus-irq", 0, best(s) < s->priority);
    device_set_irq(&s->dev, "sysbus-irq", 1, (raw(s) & s->enable & s->select) != 0);
}

static void input(void *opaque, int n, int level)
{
    Pl190 *s = opaque;

    s->level = level ? s->level | 1u << n : s->level & ~(1u << n);
    update(s);
}

/* IRQ, FIQ, what the inputs say. */
static uint64_t status_read(Device *dev, const Register *reg, unsigned index)
{
    Pl190 *s = (Pl190 *)dev;

    return index == 0 ? irq_status(s) : index == 1 ? raw(s) & s->enable & s->select : raw(s);
}

static void changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update((Pl190 *)dev);
}

static void enable_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pl190 *s = (Pl190 *)dev;
    uint32_t *at = reg->aux & 2 ? &s->soft : &s->enable;

    *at = reg->aux & 1 ? *at & ~(uint32_t)value : *at | (uint32_t)value;
    update(s);
}

static uint64_t enable_read(Device *dev, const Register *reg, unsigned index)
{
    return reg->aux & 2 ? ((Pl190 *)dev)->soft : ((Pl190 *)dev)->enable;
}

static uint64_t vector_read(Device *dev, const Register *reg, unsigned index)
{
    Pl190 *s = (Pl190 *)dev;
    uint8_t n = best(s);

    if (n >= s->priority) {
        return s->priority < N_VECTORS ? s->address[s->priority] : s->default_address;
    }
    s->before[n] = s->priority;
    s->priority = n;
    update(s);
    return n < N_VECTORS ? s->address[n] : s->default_address;
}

static void vector_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pl190 *s = (Pl190 *)dev;

    if (s->priority < PRIORITY_NONE) {
        s->priority = s->before[s->priority];
    }
    update(s);
}

static const Register pl190_regs[] = {
    { .name = "VICIRQSTATUS/FIQSTATUS/RAWINTR", .offset = 0x00, .size = 4, .count = 3, .read = status_read, .read_only = true },
    { .name = "VICINTSELECT", .offset = 0x0c, .size = 4, REGISTER_FIELD(Pl190, select), .changed = changed },
    { .name = "VICINTENABLE", .offset = 0x10, .size = 4, .read = enable_read, .write = enable_write },
    { .name = "VICINTENCLEAR", .offset = 0x14, .size = 4, .write = enable_write, .write_only = true, .aux = 1 },
    { .name = "VICSOFTINT", .offset = 0x18, .size = 4, .read = enable_read, .write = enable_write, .aux = 2 },
    { .name = "VICSOFTINTCLEAR", .offset = 0x1c, .size = 4, .write = enable_write, .write_only = true, .aux = 3 },
    { .name = "VICVECTADDR", .offset = 0x30, .size = 4, .read = vector_read, .write = vector_write },
    { .name = "VICDEFVECTADDR", .offset = 0x34, .size = 4, REGISTER_FIELD(Pl190, default_address) },
    { .name = "VICVECTADDRn", .offset = 0x100, .size = 4, .count = N_VECTORS, REGISTER_ARRAY(Pl190, address) },
    { .name = "VICVECTCNTLn", .offset = 0x200, .size = 4, .count = N_VECTORS, REGISTER_ARRAY(Pl190, control), .write_mask = 0x3f, .changed = changed },
    PRIMECELL_ID_ROW(0x00041190),
};
static const RegisterBank pl190_banks[] = {
    { .name = "pl190", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = pl190_regs, .n_regs = ARRAY_SIZE(pl190_regs) },
};

static void pl190_reset_enter(Device *dev, ResetKind kind)
{
    Pl190 *s = (Pl190 *)dev;

    s->soft = s->enable = 0;
    s->priority = PRIORITY_NONE;
    memset(s->before, PRIORITY_NONE, sizeof(s->before));
}

static void pl190_reset_hold(Device *dev, ResetKind kind)
{
    update((Pl190 *)dev);
}

static bool pl190_post_load(void *opaque, uint32_t version, Error **errp)
{
    Pl190 *s = opaque;
    bool ok = s->priority <= PRIORITY_NONE;

    for (unsigned i = 0; ok && i < ARRAY_SIZE(s->before); i++) {
        ok = s->before[i] <= PRIORITY_NONE;
    }
    if (!ok) {
        error_set(errp, "pl190: priority %u is out of range", s->priority);
        return false;
    }
    update(s);
    return true;
}

static const StateField pl190_fields[] = {
    STATE_U(Pl190, level), STATE_U(Pl190, soft), STATE_U(Pl190, enable), STATE_U(Pl190, priority), STATE_BYTES(Pl190, before),
};
static const StateDesc pl190_state = {
    .name = "pl190", .version = 1, .min_version = 1, .fields = pl190_fields, .n_fields = ARRAY_SIZE(pl190_fields), .post_load = pl190_post_load,
};
static const IrqDef pl190_in[] = { { .count = N_INPUTS, .handler = input } };
static const IrqDef pl190_out[] = { { .name = "sysbus-irq", .count = 2 } }; /* IRQ, FIQ */

static const DeviceType pl190_type = {
    .type = { .name = "pl190", .parent = "sys-bus-device", .summary = "Arm PrimeCell vectored interrupt controller", .size_bytes = sizeof(Pl190) },
    .category = DEVICE_MISC, .bus = "System", .banks = pl190_banks, .n_banks = ARRAY_SIZE(pl190_banks), .irqs_in = pl190_in,
    .n_irqs_in = ARRAY_SIZE(pl190_in), .irqs_out = pl190_out, .n_irqs_out = ARRAY_SIZE(pl190_out), .state = &pl190_state,
    .reset_enter = pl190_reset_enter, .reset_hold = pl190_reset_hold,
};
DEVICE_TYPE_REGISTER(pl190_type);
