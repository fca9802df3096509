/*
 * hpet.c: high precision event timer: a 100 MHz counter with 3 to 32 comparators.
 *
 * Specification: IA-PC HPET 1.0a, chapter 2. Comparators may be periodic, 32 bits wide, level- or edge-triggered, routed to one of the
 * I/O APIC's inputs, sent as a message (property "msi"), or stand for the PIT (comparator 0) and the RTC (comparator 1): legacy
 * replacement. Input lines 0 and 1 take the PIT's and the RTC's interrupt lines and let them through as long as that is off.
 */
#include "hw/device.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum { HPET_BYTES = 0x400, MIN_TIMERS = 3, MAX_TIMERS = 32, TICK_NS = 10, N_ROUTES = 32 };
enum { REG_ID = 0x00, REG_CONFIG = 0x10, REG_STATUS = 0x20, REG_COUNTER = 0xf0, REG_TIMER = 0x100, TIMER_BYTES = 0x20 };
enum { CONFIG_ENABLE = 1, CONFIG_LEGACY = 2 };
enum { /* comparator configuration, 2.3.8 */
    T_LEVEL = 1 << 1, T_ENABLE = 1 << 2, T_PERIODIC = 1 << 3, T_CAN_PERIODIC = 1 << 4, T_CAN_64 = 1 << 5, T_SET_VALUE = 1 << 6,
    T_32 = 1 << 8, T_ROUTE_SHIFT = 9, T_FSB = 1 << 14, T_CAN_FSB = 1 << 15, T_WRITABLE = 0x7f4e,
};
enum { LEGACY_PIT, LEGACY_RTC };

typedef struct HpetTimer {
    Timer timer;
    struct Hpet *hpet;
    uint8_t n;
    uint64_t config, comparator, period, fsb;
    int64_t due_ns;            /* when the counter meets the comparator; INT64_MAX: never */
} HpetTimer;

typedef struct Hpet {
    Device dev;
    uint8_t n_timers;
    bool msi, offset_saved;
    uint32_t intcap;           /* inputs of the I/O APIC that comparators may use */
    uint64_t config, status;
    uint64_t counter;          /* while halted */
    int64_t start_ns;          /* when it would have been 0 (running) */
    bool rtc_level, pit_level;
    HpetTimer timer[MAX_TIMERS];
} Hpet;

static bool is_running(const Hpet *s)
{
    return s->config & CONFIG_ENABLE;
}

static bool is_legacy(const Hpet *s)
{
    return s->config & CONFIG_LEGACY;
}

static uint64_t counter_now(const Hpet *s)
{
    return is_running(s) ? s->counter + (uint64_t)(clock_get_ns(VM_CLOCK_VIRTUAL) - s->start_ns) / TICK_NS : s->counter;
}

/* -- interrupts ------------------------------------------------------------------------------------------------------ */

static unsigned route_of(const HpetTimer *t)
{
    if (is_legacy(t->hpet) && t->n <= 1) {
        return t->n == 0 ? 0 : 8;
    }
    return (unsigned)(t->config >> T_ROUTE_SHIFT & 31);
}

static void raise_irq(HpetTimer *t)
{
    Hpet *s = t->hpet;
    unsigned route = route_of(t);

    if (t->config & T_LEVEL) {
        s->status |= UINT64_C(1) << t->n;
    }
    if (!(t->config & T_ENABLE)) {
        return;
    }
    if (t->config & T_FSB) {
        memory_store(&machine_current()->memory, t->fsb >> 32, 4, MEM_LITTLE_ENDIAN, t->fsb & UINT32_MAX, MEM_ATTRS_NONE);
    } else if (t->config & T_LEVEL) {
        device_set_irq(&s->dev, "sysbus-irq", route, 1);
    } else {
        device_set_irq(&s->dev, "sysbus-irq", route, 0);
        device_set_irq(&s->dev, "sysbus-irq", route, 1);
        device_set_irq(&s->dev, "sysbus-irq", route, 0);
    }
}

static void lower_irq(HpetTimer *t)
{
    if ((t->config & T_LEVEL) && !(t->config & T_FSB)) {
        device_set_irq(&t->hpet->dev, "sysbus-irq", route_of(t), 0);
    }
}

/* -- comparators ------------------------------------------------------------------------------------------------------ */

static uint64_t width_mask(const HpetTimer *t)
{
    return t->config & T_32 ? UINT32_MAX : UINT64_MAX;
}

/* Ticks until the counter meets the comparator; a value it has just passed comes up again after a whole round. */
static uint64_t ticks_to_go(const HpetTimer *t, uint64_t now)
{
    return (t->comparator - now) & width_mask(t);
}

/* Nobody notices when it is due: systems leave such comparators running, and the host need not wake up for them. */
static bool is_silent(const HpetTimer *t)
{
    return !(t->config & (T_ENABLE | T_LEVEL));
}

static bool is_periodic(const HpetTimer *t)
{
    return (t->config & T_PERIODIC) && t->period;
}

static void arm(HpetTimer *t)
{
    uint64_t go = ticks_to_go(t, counter_now(t->hpet));
    int64_t now = clock_get_ns(VM_CLOCK_VIRTUAL);

    t->due_ns = !is_running(t->hpet) || go > (uint64_t)(INT64_MAX - now) / TICK_NS ? INT64_MAX : now + (int64_t)go * TICK_NS;
    if (t->due_ns == INT64_MAX || is_silent(t)) {
        timer_cancel(&t->timer);
    } else {
        timer_set_ns(&t->timer, t->due_ns);
    }
}

/* A periodic comparator's next time, ahead of now: what was missed is gone. */
static void advance(HpetTimer *t)
{
    uint64_t mask = width_mask(t), late = (counter_now(t->hpet) - t->comparator) & mask;

    t->comparator = (t->comparator + (late / t->period + 1) * t->period) & mask;
    arm(t);
}

/* Before a silent comparator is looked at or changed. */
static void catch_up(HpetTimer *t)
{
    if (is_silent(t) && is_periodic(t) && t->due_ns <= clock_get_ns(VM_CLOCK_VIRTUAL)) {
        advance(t);
    }
}

static void hpet_fires(void *opaque)
{
    HpetTimer *t = opaque;
    uint64_t now = counter_now(t->hpet), mask = width_mask(t);

    if (is_periodic(t)) {
        advance(t);
    } else if (t->config & T_32) {
        /* One-shot: again when the low half of the counter comes round. */
        int64_t round = (int64_t)(UINT64_C(1) << 32) * TICK_NS;
        timer_set_ns(&t->timer, clock_get_ns(VM_CLOCK_VIRTUAL) + round - (int64_t)((now - t->comparator) & mask) * TICK_NS);
    }
    raise_irq(t);
}

static void timer_config_write(HpetTimer *t, uint64_t value)
{
    uint64_t writable = T_WRITABLE & ~(uint64_t)(t->config & T_CAN_FSB ? 0 : T_FSB), old = t->config;

    catch_up(t);
    if ((old & T_ENABLE) && !(value & T_ENABLE)) {
        lower_irq(t);
    }
    t->config = (old & ~writable) | (value & writable);
    if (t->config & T_32) {
        t->comparator &= UINT32_MAX;
        t->period &= UINT32_MAX;
    }
    if (!(t->config & T_LEVEL)) {
        t->hpet->status &= ~(UINT64_C(1) << t->n);
    }
    if ((t->config & T_ENABLE) && !(old & T_ENABLE) && (t->hpet->status >> t->n & 1) && (t->config & T_LEVEL) &&
        !(t->config & T_FSB)) {
        device_set_irq(&t->hpet->dev, "sysbus-irq", route_of(t), 1);
    }
    arm(t);
}

/* 2.3.9.2.2: in periodic mode a write sets the period; with SET_VALUE, the comparator too. */
static void comparator_write(HpetTimer *t, uint64_t value, uint64_t mask)
{
    uint64_t width = width_mask(t);

    catch_up(t);
    if (!(t->config & T_PERIODIC) || (t->config & T_SET_VALUE)) {
        t->comparator = ((t->comparator & ~mask) | (value & mask)) & width;
    }
    if (t->config & T_PERIODIC) {
        t->period = ((t->period & ~mask) | (value & mask)) & width;
    }
    /* A 32-bit access of the upper half belongs to the same setting. */
    if (mask & ~UINT64_C(0xffffffff) || (t->config & T_32)) {
        t->config &= ~(uint64_t)T_SET_VALUE;
    }
    arm(t);
}

/* -- registers ---------------------------------------------------------------------------------------------------------- */

static uint64_t capabilities(const Hpet *s)
{
    return (uint64_t)(TICK_NS * 1000000) << 32 | UINT64_C(0x8086) << 16 | 1 << 15 | 1 << 13 | (uint64_t)(s->n_timers - 1) << 8 | 1;
}

static uint64_t quad_read(Hpet *s, uint64_t offset)
{
    if (offset >= REG_TIMER) {
        unsigned n = (unsigned)(offset - REG_TIMER) / TIMER_BYTES;
        HpetTimer *t = &s->timer[n];
        if (n >= s->n_timers) {
            return 0;
        }
        catch_up(t);
        switch (offset & (TIMER_BYTES - 1)) {
        case 0x00: return t->config | (uint64_t)s->intcap << 32;
        case 0x08: return t->comparator;
        case 0x10: return t->fsb;
        }
        return 0;
    }
    switch (offset) {
    case REG_ID: return capabilities(s);
    case REG_CONFIG: return s->config;
    case REG_STATUS: return s->status;
    case REG_COUNTER: return counter_now(s);
    }
    return 0;
}

static void config_write(Hpet *s, uint64_t value)
{
    uint64_t old = s->config;
    int64_t now = clock_get_ns(VM_CLOCK_VIRTUAL);

    value &= CONFIG_ENABLE | CONFIG_LEGACY;
    if ((old ^ value) & CONFIG_ENABLE) {
        for (unsigned i = 0; i < s->n_timers; i++) {
            catch_up(&s->timer[i]);
        }
        s->counter = counter_now(s);
        s->config = value;
        s->start_ns = now;
        for (unsigned i = 0; i < s->n_timers; i++) {
            arm(&s->timer[i]);
            if (!(value & CONFIG_ENABLE)) {
                lower_irq(&s->timer[i]);
            }
        }
    }
    s->config = value;
    if ((old ^ value) & CONFIG_LEGACY) {
        bool legacy = value & CONFIG_LEGACY;
        device_set_irq(&s->dev, NULL, 0, legacy); /* the PIT hears that it is replaced */
        device_set_irq(&s->dev, "sysbus-irq", 0, legacy ? 0 : s->pit_level);
        device_set_irq(&s->dev, "sysbus-irq", 8, legacy ? 0 : s->rtc_level);
    }
}

static void quad_write(Hpet *s, uint64_t offset, uint64_t value, uint64_t mask)
{
    if (offset >= REG_TIMER) {
        unsigned n = (unsigned)(offset - REG_TIMER) / TIMER_BYTES;
        HpetTimer *t = &s->timer[n];
        if (n >= s->n_timers) {
            log_guest_error("hpet: write to comparator %u of %u\n", n, s->n_timers);
            return;
        }
        switch (offset & (TIMER_BYTES - 1)) {
        case 0x00: timer_config_write(t, (t->config & ~mask) | (value & mask)); break;
        case 0x08: comparator_write(t, value, mask); break;
        case 0x10: t->fsb = (t->fsb & ~mask) | (value & mask); break;
        }
        return;
    }
    switch (offset) {
    case REG_CONFIG: config_write(s, (s->config & ~mask) | (value & mask)); break;
    case REG_STATUS:
        value &= mask & s->status;
        s->status &= ~value;
        for (unsigned i = 0; i < s->n_timers; i++) {
            if (value >> i & 1) {
                lower_irq(&s->timer[i]);
            }
        }
        break;
    case REG_COUNTER:
        if (is_running(s)) {
            log_guest_error("hpet: write to the counter while it runs\n");
        }
        for (unsigned i = 0; i < s->n_timers; i++) {
            catch_up(&s->timer[i]);
        }
        s->counter = (counter_now(s) & ~mask) | (value & mask);
        s->start_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
        for (unsigned i = 0; i < s->n_timers; i++) {
            arm(&s->timer[i]);
        }
        break;
    }
}

static MemResult hpet_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    uint64_t value = quad_read(opaque, offset & ~UINT64_C(7));
    *ret = size == 8 ? value : value >> (offset & 4) * 8 & UINT32_MAX;
    return MEM_OK;
}

static MemResult hpet_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    unsigned shift = size == 8 ? 0 : (unsigned)(offset & 4) * 8;
    quad_write(opaque, offset & ~UINT64_C(7), value << shift, size == 8 ? UINT64_MAX : UINT64_C(0xffffffff) << shift);
    return MEM_OK;
}

static const MemoryOps hpet_ops = { .read = hpet_read, .write = hpet_write, .valid = { 4, 8 }, .impl = { 4, 8 } };
static const RegisterBank hpet_banks[] = { { .name = "hpet", .size_bytes = HPET_BYTES, .ops = &hpet_ops } };

/* -- life ------------------------------------------------------------------------------------------------------------------ */

static void legacy_line(void *opaque, int n, int level)
{
    Hpet *s = opaque;

    *(n == LEGACY_PIT ? &s->pit_level : &s->rtc_level) = level != 0;
    if (!is_legacy(s)) {
        device_set_irq(&s->dev, "sysbus-irq", n == LEGACY_PIT ? 0 : 8, level);
    }
}

static bool hpet_realize(Device *dev, Error **errp)
{
    Hpet *s = (Hpet *)dev;

    if (!s->intcap) {
        error_set(errp, "hpet.hpet-intcap not initialized");
        return false;
    }
    s->n_timers = (uint8_t)MIN(MAX(s->n_timers, MIN_TIMERS), MAX_TIMERS);
    for (unsigned i = 0; i < MAX_TIMERS; i++) {
        s->timer[i].hpet = s;
        s->timer[i].n = (uint8_t)i;
        timer_init(&s->timer[i].timer, VM_CLOCK_VIRTUAL, hpet_fires, &s->timer[i]);
    }
    return true;
}

static void hpet_unrealize(Device *dev)
{
    for (unsigned i = 0; i < MAX_TIMERS; i++) {
        timer_cancel(&((Hpet *)dev)->timer[i].timer);
    }
}

static void hpet_reset(Device *dev, ResetKind kind)
{
    Hpet *s = (Hpet *)dev;

    s->config = s->status = s->counter = 0;
    s->start_ns = 0;
    s->pit_level = s->rtc_level = false;
    for (unsigned i = 0; i < MAX_TIMERS; i++) {
        HpetTimer *t = &s->timer[i];
        timer_cancel(&t->timer);
        t->config = T_CAN_PERIODIC | T_CAN_64 | (s->msi ? T_CAN_FSB : 0);
        t->comparator = UINT64_MAX;
        t->period = t->fsb = 0;
        t->due_ns = INT64_MAX;
    }
}

static void hpet_reset_hold(Device *dev, ResetKind kind)
{
    Hpet *s = (Hpet *)dev;

    device_set_irq(dev, NULL, 0, 0);
    for (unsigned i = 0; i < N_ROUTES; i++) {
        device_set_irq(dev, "sysbus-irq", i, i == 0 ? s->pit_level : i == 8 ? s->rtc_level : 0);
    }
}

static bool hpet_post_load(void *opaque, uint32_t version, Error **errp)
{
    Hpet *s = opaque;

    s->config &= CONFIG_ENABLE | CONFIG_LEGACY;
    for (unsigned i = 0; i < MAX_TIMERS; i++) {
        HpetTimer *t = &s->timer[i];
        t->config = (t->config & T_WRITABLE) | T_CAN_PERIODIC | T_CAN_64 | (s->msi ? T_CAN_FSB : 0);
        if (!s->msi) {
            t->config &= ~(uint64_t)T_FSB;
        }
        t->comparator &= width_mask(t);
        t->period &= width_mask(t);
        t->due_ns = INT64_MAX;
        if (is_running(s) && i < s->n_timers) {
            arm(t);
        } else {
            timer_cancel(&t->timer);
        }
    }
    return true;
}

static const StateField timer_fields[] = {
    STATE_U(HpetTimer, config), STATE_U(HpetTimer, comparator), STATE_U(HpetTimer, period), STATE_U(HpetTimer, fsb),
};
static const StateDesc timer_state = {
    .name = "hpet-timer", .version = 1, .min_version = 1, .fields = timer_fields, .n_fields = ARRAY_SIZE(timer_fields),
};
static const StateField hpet_fields[] = {
    STATE_U(Hpet, config), STATE_U(Hpet, status), STATE_U(Hpet, counter), STATE_U(Hpet, start_ns), STATE_U(Hpet, rtc_level),
    STATE_U(Hpet, pit_level),
    { .name = "timer", .kind = STATE_STRUCT, .offset = offsetof(Hpet, timer), .elem_size = sizeof(HpetTimer),
      .count = MAX_TIMERS, .sub = &timer_state },
};
static const StateDesc hpet_state = {
    .name = "hpet", .version = 1, .min_version = 1, .fields = hpet_fields, .n_fields = ARRAY_SIZE(hpet_fields),
    .post_load = hpet_post_load,
};
static const Property hpet_props[] = {
    PROP_U8("timers", Hpet, n_timers, MIN_TIMERS, NULL), PROP_B("msi", Hpet, msi, false, NULL),
    PROP_U32("hpet-intcap", Hpet, intcap, 0, NULL), PROP_B("hpet-offset-saved", Hpet, offset_saved, true, NULL),
};
static const IrqDef hpet_irqs_in[] = { { NULL, 2, legacy_line } };
static const IrqDef hpet_irqs_out[] = { { NULL, 1, NULL }, { "sysbus-irq", N_ROUTES, NULL } };

static const DeviceType hpet_type = {
    .type = { .name = "hpet", .parent = "sys-bus-device", .summary = "high precision event timer", .size_bytes = sizeof(Hpet),
              .props = hpet_props, .n_props = ARRAY_SIZE(hpet_props) },
    .category = DEVICE_MISC, .bus = "System", .banks = hpet_banks, .n_banks = 1, .irqs_in = hpet_irqs_in, .n_irqs_in = 1,
    .irqs_out = hpet_irqs_out, .n_irqs_out = ARRAY_SIZE(hpet_irqs_out), .state = &hpet_state, .realize = hpet_realize,
    .unrealize = hpet_unrealize, .reset_enter = hpet_reset, .reset_hold = hpet_reset_hold,
};
DEVICE_TYPE_REGISTER(hpet_type);
