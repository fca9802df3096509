/*
 * cadence_ttc.c: the triple timer counter of Zynq-7000 (Cadence): three 16-bit counters with a prescaler, an interval, three match values and an interrupt each.
 *
 * Xilinx UG585 (Zynq-7000 TRM), 8.5 and appendix B.32. Left out: the event timer (external clocks and their measurement: said with -d unimp), the waveform
 * output (its control bits are kept).
 *
 * A counter is the number of ticks since `since_ns`; what has happened on the way is worked out when somebody looks, and a timer is set for what interrupts.
 * Threads: BQL.
 */
#include "hw/device.h"
#include "softmmu/clock.h"
#include "util/log.h"

enum {
    N_COUNTERS = 3, N_MATCHES = 3, FULL_PERIOD = 0x10000,
    CLOCK_PRESCALE = 1, CLOCK_SHIFT = 1, CLOCK_EXTERNAL = 1 << 5,
    CTL_DISABLE = 1, CTL_INTERVAL = 2, CTL_DOWN = 4, CTL_MATCH = 8, CTL_RESTART = 16, CTL_INITIAL = 0x21, CTL_MASK = 0x7f,
    INT_INTERVAL = 1, INT_MATCH = 2, INT_OVERFLOW = 16, INT_MASK = 0x3f,
};

typedef struct TtcCounter {
    Device *dev;
    unsigned index;
    Timer timer;
    int64_t since_ns;
    uint64_t seen;  /* ticks since then that have been accounted for */
    uint32_t base;  /* ticks from the start of the period to since_ns */
} TtcCounter;

typedef struct CadenceTtc {
    Device dev;
    uint32_t clock_hz;
    TtcCounter counter[N_COUNTERS];
    uint32_t clock[N_COUNTERS], control[N_COUNTERS], interval[N_COUNTERS], match[N_MATCHES][N_COUNTERS], pending[N_COUNTERS], enable[N_COUNTERS],
        event_control[N_COUNTERS];
} CadenceTtc;

static CadenceTtc *ttc(const TtcCounter *c)
{
    return (CadenceTtc *)c->dev;
}

static uint32_t period(const TtcCounter *c)
{
    return ttc(c)->control[c->index] & CTL_INTERVAL ? ttc(c)->interval[c->index] + 1 : FULL_PERIOD;
}

static unsigned prescale_bits(const TtcCounter *c)
{
    uint32_t clock = ttc(c)->clock[c->index];

    return clock & CLOCK_PRESCALE ? (clock >> CLOCK_SHIFT & 15) + 1 : 0;
}

static uint64_t ticks_at(const TtcCounter *c, int64_t now)
{
    if (ttc(c)->control[c->index] & CTL_DISABLE) {
        return 0;
    }
    return (uint64_t)((unsigned __int128)(now - c->since_ns) * ttc(c)->clock_hz / NS_PER_SECOND >> prescale_bits(c));
}

/* The first time at which ticks_at() is n. */
static int64_t time_of(const TtcCounter *c, uint64_t n)
{
    unsigned __int128 ns = (((unsigned __int128)n << prescale_bits(c)) * NS_PER_SECOND + ttc(c)->clock_hz - 1) / ttc(c)->clock_hz;

    return ns > INT64_MAX / 2 ? INT64_MAX / 2 : c->since_ns + (int64_t)ns;
}

/* Where in a period interrupt `bit` happens, counted from its start; false: nowhere. */
static bool event_position(const TtcCounter *c, uint32_t bit, uint32_t *ret)
{
    CadenceTtc *s = ttc(c);
    uint32_t control = s->control[c->index];

    if (bit == INT_INTERVAL || bit == INT_OVERFLOW) {
        *ret = 0; /* when the next period starts */
        return (bit == INT_INTERVAL) == !!(control & CTL_INTERVAL);
    }
    uint32_t match = s->match[bit == INT_MATCH ? 0 : bit == INT_MATCH << 1 ? 1 : 2][c->index];
    *ret = control & CTL_DOWN ? period(c) - 1 - match : match;
    return (control & CTL_MATCH) && match < period(c);
}

/* Ticks from since_ns to the first event at `position` that comes after tick `seen`. */
static uint64_t next_event(const TtcCounter *c, uint32_t position, uint64_t seen)
{
    uint32_t p = period(c), at = (uint32_t)((c->base + seen) % p);
    uint32_t distance = (position + p - at) % p;

    return seen + (distance ? distance : p);
}

static void account(TtcCounter *c, int64_t now)
{
    uint64_t ticks = ticks_at(c, now);

    for (uint32_t bit = 1; bit <= INT_OVERFLOW; bit <<= 1) {
        uint32_t position;

        if (event_position(c, bit, &position) && next_event(c, position, c->seen) <= ticks) {
            ttc(c)->pending[c->index] |= bit;
        }
    }
    c->seen = MAX(c->seen, ticks);
}

static void update(TtcCounter *c)
{
    CadenceTtc *s = ttc(c);
    uint32_t enable = s->enable[c->index], pending = s->pending[c->index], position;
    uint64_t next = UINT64_MAX;

    device_set_irq(c->dev, "sysbus-irq", c->index, (enable & pending) != 0);
    for (uint32_t bit = 1; bit <= INT_OVERFLOW; bit <<= 1) {
        if ((enable & ~pending & bit) && event_position(c, bit, &position)) {
            next = MIN(next, next_event(c, position, c->seen));
        }
    }
    if (next == UINT64_MAX || (s->control[c->index] & CTL_DISABLE)) {
        timer_cancel(&c->timer);
    } else {
        timer_set_ns(&c->timer, time_of(c, next));
    }
}

static void fires(void *opaque)
{
    TtcCounter *c = opaque;

    account(c, clock_get_ns(VM_CLOCK_VIRTUAL));
    update(c);
}

/* Before how it counts is changed: the past is settled, counting starts anew from where it is. */
static TtcCounter *settle(Device *dev, unsigned index)
{
    TtcCounter *c = &((CadenceTtc *)dev)->counter[index];
    int64_t now = clock_get_ns(VM_CLOCK_VIRTUAL);

    account(c, now);
    c->base = (uint32_t)((c->base + ticks_at(c, now)) % period(c));
    c->since_ns = now;
    c->seen = 0;
    return c;
}

static uint32_t value_now(const TtcCounter *c)
{
    uint32_t position = (uint32_t)((c->base + ticks_at(c, clock_get_ns(VM_CLOCK_VIRTUAL))) % period(c));

    return ttc(c)->control[c->index] & CTL_DOWN ? period(c) - 1 - position : position;
}

/* The value stays while period and direction change under it. */
static void keep_value(TtcCounter *c, uint32_t value)
{
    value = MIN(value, period(c) - 1);
    c->base = ttc(c)->control[c->index] & CTL_DOWN ? period(c) - 1 - value : value;
}

static void clock_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    TtcCounter *c = settle(dev, index);

    if (value & CLOCK_EXTERNAL) {
        log_unimp("cadence_ttc: counter %u: external clock\n", index);
    }
    ttc(c)->clock[index] = (uint32_t)value & 0x7f;
    update(c);
}

static void control_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    TtcCounter *c = settle(dev, index);
    uint32_t at = value_now(c);

    ttc(c)->control[index] = (uint32_t)value & CTL_MASK & ~CTL_RESTART;
    if (value & CTL_RESTART) {
        c->base = 0;
    } else {
        keep_value(c, at);
    }
    update(c);
}

static void interval_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    TtcCounter *c = settle(dev, index);
    uint32_t at = value_now(c);

    ttc(c)->interval[index] = value & 0xffff;
    keep_value(c, at);
    update(c);
}

static void match_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    TtcCounter *c = settle(dev, index);

    ttc(c)->match[reg->aux][index] = value & 0xffff;
    update(c);
}

static uint64_t value_read(Device *dev, const Register *reg, unsigned index)
{
    return value_now(&((CadenceTtc *)dev)->counter[index]);
}

/* Reading clears. */
static uint64_t pending_read(Device *dev, const Register *reg, unsigned index)
{
    TtcCounter *c = &((CadenceTtc *)dev)->counter[index];

    account(c, clock_get_ns(VM_CLOCK_VIRTUAL));
    uint32_t was = ttc(c)->pending[index];
    ttc(c)->pending[index] = 0;
    update(c);
    return was;
}

static void enable_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    TtcCounter *c = settle(dev, index);

    ttc(c)->enable[index] = (uint32_t)value & INT_MASK;
    update(c);
}

static void event_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ((CadenceTtc *)dev)->event_control[index] = value & 7;
    if (value & 1) {
        log_unimp("cadence_ttc: counter %u: event timer\n", index);
    }
}

#define THREE(title, at, field_name, ...) \
    { .name = title, .offset = at, .size = 4, .count = N_COUNTERS, REGISTER_ARRAY(CadenceTtc, field_name), __VA_ARGS__ }
static const Register ttc_regs[] = {
    THREE("Clock_Control", 0x00, clock, .write = clock_write),
    THREE("Counter_Control", 0x0c, control, .reset = CTL_INITIAL, .write = control_write),
    { .name = "Counter_Value", .offset = 0x18, .size = 4, .count = N_COUNTERS, .read = value_read, .read_only = true },
    THREE("Interval_Counter", 0x24, interval, .write = interval_write),
    THREE("Match_1_Counter", 0x30, match[0], .write = match_write),
    THREE("Match_2_Counter", 0x3c, match[1], .write = match_write, .aux = 1),
    THREE("Match_3_Counter", 0x48, match[2], .write = match_write, .aux = 2),
    THREE("Interrupt_Register", 0x54, pending, .read = pending_read, .read_only = true),
    THREE("Interrupt_Enable", 0x60, enable, .write = enable_write),
    THREE("Event_Control_Timer", 0x6c, event_control, .write = event_write),
    { .name = "Event_Register", .offset = 0x78, .size = 4, .count = N_COUNTERS, .read_only = true },
};
static const RegisterBank ttc_banks[] = { { .name = "timer", .size_bytes = 0x1000, .regs = ttc_regs, .n_regs = ARRAY_SIZE(ttc_regs) } };

static bool ttc_realize(Device *dev, Error **errp)
{
    CadenceTtc *s = (CadenceTtc *)dev;

    if (!s->clock_hz) {
        error_set(errp, "cadence_ttc: clock-hz cannot be 0");
        return false;
    }
    for (unsigned i = 0; i < N_COUNTERS; i++) {
        s->counter[i].dev = dev;
        s->counter[i].index = i;
        timer_init(&s->counter[i].timer, VM_CLOCK_VIRTUAL, fires, &s->counter[i]);
    }
    return true;
}

static void ttc_unrealize(Device *dev)
{
    for (unsigned i = 0; i < N_COUNTERS; i++) {
        timer_cancel(&((CadenceTtc *)dev)->counter[i].timer);
    }
}

static void ttc_reset_enter(Device *dev, ResetKind kind)
{
    for (unsigned i = 0; i < N_COUNTERS; i++) {
        TtcCounter *c = &((CadenceTtc *)dev)->counter[i];

        timer_cancel(&c->timer);
        c->since_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
        c->seen = c->base = 0;
    }
}

static void ttc_reset_hold(Device *dev, ResetKind kind)
{
    for (unsigned i = 0; i < N_COUNTERS; i++) {
        update(&((CadenceTtc *)dev)->counter[i]);
    }
}

static bool ttc_post_load(void *opaque, uint32_t version, Error **errp)
{
    CadenceTtc *s = opaque;

    for (unsigned i = 0; i < N_COUNTERS; i++) {
        TtcCounter *c = &s->counter[i];

        if (c->base >= FULL_PERIOD || c->since_ns < 0 || c->since_ns > clock_get_ns(VM_CLOCK_VIRTUAL) || c->seen > UINT64_MAX / 2 ||
            s->interval[i] >= FULL_PERIOD) {
            error_set(errp, "cadence_ttc: counter %u is out of range", i);
            return false;
        }
        for (unsigned m = 0; m < N_MATCHES; m++) {
            s->match[m][i] &= 0xffff;
        }
        update(c);
    }
    return true;
}

static const StateField counter_fields[] = { STATE_U(TtcCounter, since_ns), STATE_U(TtcCounter, seen), STATE_U(TtcCounter, base) };
static const StateDesc counter_state = {
    .name = "counter", .version = 1, .min_version = 1, .fields = counter_fields, .n_fields = ARRAY_SIZE(counter_fields),
};
static const StateField ttc_fields[] = {
    { .name = "counter", .kind = STATE_STRUCT, .offset = offsetof(CadenceTtc, counter), .elem_size = sizeof(TtcCounter), .count = N_COUNTERS,
      .sub = &counter_state },
};
static const StateDesc ttc_state = {
    .name = "cadence_ttc", .version = 1, .min_version = 1, .fields = ttc_fields, .n_fields = ARRAY_SIZE(ttc_fields), .post_load = ttc_post_load,
};
static const Property ttc_props[] = { PROP_U32("clock-hz", CadenceTtc, clock_hz, 133000000, "Hz") };
static const IrqDef ttc_out[] = { { .name = "sysbus-irq", .count = N_COUNTERS } };

static const DeviceType ttc_type = {
    .type = { .name = "cadence_ttc", .parent = "sys-bus-device", .summary = "triple timer counter of Zynq-7000", .size_bytes = sizeof(CadenceTtc),
              .props = ttc_props, .n_props = ARRAY_SIZE(ttc_props) },
    .category = DEVICE_MISC, .bus = "System", .banks = ttc_banks, .n_banks = ARRAY_SIZE(ttc_banks), .irqs_out = ttc_out, .n_irqs_out = ARRAY_SIZE(ttc_out),
    .state = &ttc_state, .realize = ttc_realize, .unrealize = ttc_unrealize, .reset_enter = ttc_reset_enter, .reset_hold = ttc_reset_hold,
};
DEVICE_TYPE_REGISTER(ttc_type);
