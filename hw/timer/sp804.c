/*
 * sp804.c: Arm dual timer SP804: two counters with one interrupt; and the Integrator/CP's three counters with one each.
 *
 * Arm DDI 0271D, chapter 3; Integrator/CP (Arm DUI 0159B), 4.9. Left out: integration test registers.
 */
#include "hw/primecell.h"
#include "hw/timer/sp804-counter.h"

enum { MAX_COUNTERS = 3, COUNTER_BYTES = 0x20, INTEGRATOR_STRIDE = 0x100 };

typedef struct Sp804 {
    Device dev;
    Sp804Counter counter[MAX_COUNTERS];
    uint32_t n_counters;
    bool combined;
} Sp804;

static void update(void *opaque)
{
    Sp804 *s = opaque;
    bool any = false;

    for (unsigned i = 0; i < s->n_counters; i++) {
        bool irq = sp804_counter_irq(&s->counter[i]);

        any |= irq;
        if (!s->combined) {
            device_set_irq(&s->dev, "sysbus-irq", i, irq);
        }
    }
    if (s->combined) {
        device_set_irq(&s->dev, "sysbus-irq", 0, any);
    }
}

static uint64_t counter_read(Device *dev, const Register *reg, unsigned index)
{
    return sp804_counter_read(&((Sp804 *)dev)->counter[reg->aux], 4 * index);
}

static void counter_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    sp804_counter_write(&((Sp804 *)dev)->counter[reg->aux], 4 * index, (uint32_t)value);
}

#define COUNTER(text, at, n) { .name = (text), .offset = (at), .size = 4, .count = 7, .read = counter_read, .write = counter_write, .aux = (n) }

static const Register sp804_regs[] = {
    COUNTER("Timer1", 0x00, 0), COUNTER("Timer2", COUNTER_BYTES, 1), PRIMECELL_ID_ROW(0x00141804),
};
static const Register pit_regs[] = {
    COUNTER("Timer0", 0x000, 0), COUNTER("Timer1", INTEGRATOR_STRIDE, 1), COUNTER("Timer2", 2 * INTEGRATOR_STRIDE, 2),
};
static const RegisterBank sp804_banks[] = {
    { .name = "sp804", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = sp804_regs, .n_regs = ARRAY_SIZE(sp804_regs) },
};
static const RegisterBank pit_banks[] = {
    { .name = "integrator_pit", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = pit_regs, .n_regs = ARRAY_SIZE(pit_regs) },
};

static bool start(Sp804 *s, unsigned n, bool combined, Error **errp)
{
    s->n_counters = n;
    s->combined = combined;
    for (unsigned i = 0; i < n; i++) {
        if (!s->counter[i].freq_hz) {
            error_set(errp, "%s: freq%u must not be 0", s->dev.obj.type->name, i);
            return false;
        }
        sp804_counter_init(&s->counter[i], update, s);
    }
    return true;
}

static bool sp804_realize(Device *dev, Error **errp)
{
    return start((Sp804 *)dev, 2, true, errp);
}

/* The first counts the bus clock, the others 1 MHz. */
static bool pit_realize(Device *dev, Error **errp)
{
    Sp804 *s = (Sp804 *)dev;

    s->counter[0].freq_hz = 40000000;
    s->counter[1].freq_hz = s->counter[2].freq_hz = 1000000;
    return start(s, 3, false, errp);
}

static void sp804_unrealize(Device *dev)
{
    Sp804 *s = (Sp804 *)dev;

    for (unsigned i = 0; i < s->n_counters; i++) {
        sp804_counter_finish(&s->counter[i]);
    }
}

static void sp804_reset_enter(Device *dev, ResetKind kind)
{
    Sp804 *s = (Sp804 *)dev;

    for (unsigned i = 0; i < s->n_counters; i++) {
        sp804_counter_reset(&s->counter[i]);
    }
}

static void sp804_reset_hold(Device *dev, ResetKind kind)
{
    update(dev);
}

static bool sp804_post_load(void *opaque, uint32_t version, Error **errp)
{
    update(opaque);
    return true;
}

static const StateField sp804_fields[] = {
    { .name = "counter", .kind = STATE_STRUCT, .offset = offsetof(Sp804, counter), .elem_size = sizeof(Sp804Counter), .count_is_field = true,
      .count_field = offsetof(Sp804, n_counters), .sub = &sp804_counter_state },
};
static const StateDesc sp804_state = {
    .name = "sp804", .version = 1, .min_version = 1, .fields = sp804_fields, .n_fields = ARRAY_SIZE(sp804_fields), .post_load = sp804_post_load,
};
static const Property sp804_props[] = {
    PROP_U32("freq0", Sp804, counter[0].freq_hz, 1000000, "Hz"), PROP_U32("freq1", Sp804, counter[1].freq_hz, 1000000, "Hz"),
};
static const IrqDef sp804_out[] = { { .name = "sysbus-irq", .count = 1 } };
static const IrqDef pit_out[] = { { .name = "sysbus-irq", .count = 3 } };

static const DeviceType sp804_type = {
    .type = { .name = "sp804", .parent = "sys-bus-device", .summary = "Arm dual timer", .size_bytes = sizeof(Sp804), .props = sp804_props,
              .n_props = ARRAY_SIZE(sp804_props) },
    .category = DEVICE_MISC, .bus = "System", .banks = sp804_banks, .n_banks = ARRAY_SIZE(sp804_banks), .irqs_out = sp804_out,
    .n_irqs_out = ARRAY_SIZE(sp804_out), .state = &sp804_state, .realize = sp804_realize, .unrealize = sp804_unrealize,
    .reset_enter = sp804_reset_enter, .reset_hold = sp804_reset_hold,
};
DEVICE_TYPE_REGISTER(sp804_type);

static const DeviceType pit_type = {
    .type = { .name = "integrator_pit", .parent = "sys-bus-device", .summary = "Integrator/CP timers", .size_bytes = sizeof(Sp804) },
    .category = DEVICE_MISC, .bus = "System", .banks = pit_banks, .n_banks = ARRAY_SIZE(pit_banks), .irqs_out = pit_out,
    .n_irqs_out = ARRAY_SIZE(pit_out), .state = &sp804_state, .realize = pit_realize, .unrealize = sp804_unrealize,
    .reset_enter = sp804_reset_enter, .reset_hold = sp804_reset_hold,
};
DEVICE_TYPE_REGISTER(pit_type);
