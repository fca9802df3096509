/*
 * i8254.c: 8254 programmable interval timer.
 *
 * Specification: Intel 8254 data sheet (1993): control words, read-back, the six modes with both gate levels, binary and BCD.
 * Nothing counts here: a channel knows when its count was loaded, and everything else follows from the time. Channel 0's output
 * is a line of the device; its timer runs only for edges that raise it, since the interrupt controllers act on these.
 */
#include "hw/i386/pit.h"
#include "hw/isa.h"
#include "softmmu/clock.h"

enum { RW_LATCH, RW_LOW, RW_HIGH, RW_BOTH };
enum { STATUS_OUT = 0x80, STATUS_NULL_COUNT = 0x40 };

typedef struct PitChannel {
    uint32_t count;            /* 1..0x10000, what the counter starts from */
    uint32_t next_count;       /* modes 2 and 3: waits for the end of the period; 0: none */
    uint16_t latch;
    uint8_t n_latched;         /* bytes of the latch to be read yet */
    uint8_t status;
    bool status_latched;
    uint8_t rw, mode;
    bool bcd;
    bool read_high, write_high; /* RW_BOTH: the second byte comes next */
    uint8_t write_low;
    bool gate;
    bool armed;                /* a count was written since the control word (modes 1, 5: and a trigger has come) */
    bool stopped;              /* counting is held, at `start` ticks after the load */
    int64_t start;             /* in ticks: when counting began, or how far it came */
} PitChannel;

typedef struct Pit {
    PitBase base;
    uint32_t iobase;
    PitChannel channel[3];
    Irq *out;
    bool irq_off;              /* the HPET has taken over */
    bool out_level;
    Timer timer;
} Pit;

static int64_t ticks_now(void)
{
    return (int64_t)((unsigned __int128)(uint64_t)clock_get_ns(VM_CLOCK_VIRTUAL) * PIT_HZ / NS_PER_SECOND);
}

static int64_t tick_ns(int64_t ticks)
{
    return (int64_t)(((unsigned __int128)(uint64_t)ticks * NS_PER_SECOND + PIT_HZ - 1) / PIT_HZ);
}

static bool is_periodic(const PitChannel *c)
{
    return c->mode == 2 || c->mode == 3;
}

static int64_t elapsed(const PitChannel *c, int64_t now)
{
    return c->stopped ? c->start : MAX(now - c->start, 0);
}

/* A count written while a period is under way starts with the next one. */
static void settle(PitChannel *c, int64_t now)
{
    if (c->next_count && !c->stopped) {
        int64_t d = elapsed(c, now);
        if (d >= c->count) {
            c->start += c->count;
            c->count = c->next_count;
            c->next_count = 0;
        }
    }
}

static bool out_at(const PitChannel *c, int64_t now)
{
    int64_t d = elapsed(c, now);

    if (!c->armed) {
        return c->mode != 0;
    }
    switch (c->mode) {
    case 0: case 1: return d >= c->count;
    case 2: return !c->gate || d % c->count != c->count - 1;
    case 3: return !c->gate || d % c->count < (c->count + 1) / 2;
    default: return d != c->count; /* 4, 5: low for one clock */
    }
}

static uint16_t to_bcd(uint32_t n)
{
    return (uint16_t)(n % 10 | (n / 10 % 10) << 4 | (n / 100 % 10) << 8 | (n / 1000 % 10) << 12);
}

static uint32_t from_bcd(uint16_t n)
{
    return (n & 15u) + (n >> 4 & 15u) * 10 + (n >> 8 & 15u) * 100 + (n >> 12) * 1000u;
}

static uint16_t counter_at(const PitChannel *c, int64_t now)
{
    int64_t d = elapsed(c, now), modulus = c->bcd ? 10000 : 0x10000, n;

    switch (c->armed ? c->mode : 6) {
    case 2: n = c->count - d % c->count; break;
    case 3: n = c->count - (c->count & 1) - d * 2 % (c->count - (c->count & 1) ? c->count - (c->count & 1) : 1); break;
    case 6: n = c->count; break;
    default: n = (c->count - d) % modulus; break;
    }
    n = (n % modulus + modulus) % modulus;
    return c->bcd ? to_bcd((uint32_t)n) : (uint16_t)n;
}

/* -- channel 0's line ---------------------------------------------------------------------------------------------- */

/* Ticks at which the output rises next, after `now`; -1: not before something is written. */
static int64_t next_rise(const PitChannel *c, int64_t now)
{
    int64_t d = elapsed(c, now);

    if (!c->armed || c->stopped) {
        return -1;
    }
    switch (c->mode) {
    case 0: case 1: return d < c->count ? c->start + c->count : -1;
    case 2: case 3: return c->start + (c->next_count ? c->count : (d / c->count + 1) * c->count);
    default: return d <= c->count ? c->start + c->count + 1 : -1;
    }
}

static void drive(Pit *s, bool level)
{
    s->out_level = level;
    irq_set(s->out, level && !s->irq_off);
}

static void arm(Pit *s, int64_t now)
{
    int64_t rise = next_rise(&s->channel[0], now);

    if (rise < 0) {
        timer_cancel(&s->timer);
    } else {
        timer_set_ns(&s->timer, tick_ns(rise));
    }
}

/* The output has risen. Edges that were missed meanwhile are gone: a guest that counts them would otherwise get a burst of them
 * that it cannot tell apart, and a count of 2 would keep the host busy. */
static void pit_rise(void *opaque)
{
    Pit *s = opaque;
    PitChannel *c = &s->channel[0];
    int64_t now = ticks_now();

    settle(c, now);
    if (is_periodic(c)) {
        drive(s, false);
    }
    drive(s, true);
    arm(s, now);
}

static void update_line(Pit *s)
{
    int64_t now = ticks_now();

    drive(s, out_at(&s->channel[0], now));
    arm(s, now);
}

/* -- ports ----------------------------------------------------------------------------------------------------------- */

static void load(Pit *s, PitChannel *c, uint16_t raw)
{
    uint32_t n = c->bcd ? from_bcd(raw) : raw;
    int64_t now = ticks_now();

    n = n ? n : c->bcd ? 10000 : 0x10000;
    settle(c, now);
    if (is_periodic(c) && c->armed && !c->stopped) {
        c->next_count = n;
    } else {
        c->count = n;
        c->next_count = 0;
        if (c->mode == 1 || c->mode == 5) {
            /* Waits for the gate's rising edge; a one-shot under way is not disturbed (its length is: the data sheet lets it
             * finish, and nothing but the speaker's channel has a gate). */
        } else {
            c->armed = true;
            c->stopped = !c->gate;
            c->start = c->stopped ? 0 : now;
        }
    }
    if (c == &s->channel[0]) {
        update_line(s);
    }
}

static void latch_count(PitChannel *c, int64_t now)
{
    if (!c->n_latched) {
        settle(c, now);
        c->latch = counter_at(c, now);
        c->n_latched = c->rw == RW_BOTH ? 2 : 1;
    }
}

static void latch_status(PitChannel *c, int64_t now)
{
    if (!c->status_latched) {
        settle(c, now);
        c->status = (uint8_t)((out_at(c, now) ? STATUS_OUT : 0) | (c->armed && !c->next_count ? 0 : STATUS_NULL_COUNT) |
                              c->rw << 4 | c->mode << 1 | c->bcd);
        c->status_latched = true;
    }
}

static void control_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pit *s = (Pit *)dev;
    unsigned n = (unsigned)value >> 6, rw = (unsigned)value >> 4 & 3;
    int64_t now = ticks_now();

    if (n == 3) { /* read-back: the bits are active low */
        for (unsigned i = 0; i < 3; i++) {
            if (value >> (i + 1) & 1) {
                if (!(value & 0x20)) {
                    latch_count(&s->channel[i], now);
                }
                if (!(value & 0x10)) {
                    latch_status(&s->channel[i], now);
                }
            }
        }
        return;
    }
    PitChannel *c = &s->channel[n];
    if (rw == RW_LATCH) {
        latch_count(c, now);
        return;
    }
    c->rw = (uint8_t)rw;
    c->mode = (uint8_t)(value >> 1 & 7);
    c->mode = c->mode > 5 ? c->mode - 4 : c->mode; /* bit 2 counts for modes 2 and 3 only as don't care */
    c->bcd = value & 1;
    c->read_high = c->write_high = c->status_latched = c->armed = false;
    c->n_latched = 0;
    c->next_count = 0;
    if (n == 0) {
        update_line(s);
    }
}

static void counter_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pit *s = (Pit *)dev;
    PitChannel *c = &s->channel[index];

    switch (c->rw) {
    case RW_LOW: load(s, c, (uint8_t)value); break;
    case RW_HIGH: load(s, c, (uint16_t)(value << 8)); break;
    default:
        if (!c->write_high) {
            c->write_low = (uint8_t)value;
            c->write_high = true;
        } else {
            c->write_high = false;
            load(s, c, (uint16_t)(c->write_low | value << 8));
        }
    }
}

static uint64_t counter_read(Device *dev, const Register *reg, unsigned index)
{
    PitChannel *c = &((Pit *)dev)->channel[index];
    int64_t now = ticks_now();

    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    if (c->n_latched) {
        bool high = c->rw == RW_HIGH || (c->rw == RW_BOTH && c->n_latched == 1);
        c->n_latched--;
        return high ? c->latch >> 8 : c->latch & 0xff;
    }
    settle(c, now);
    uint16_t n = counter_at(c, now);
    if (c->rw == RW_BOTH) {
        c->read_high = !c->read_high;
        return c->read_high ? n & 0xff : n >> 8;
    }
    return c->rw == RW_HIGH ? n >> 8 : n & 0xff;
}

static const Register pit_regs[] = {
    { .name = "COUNTER", .offset = 0, .size = 1, .count = 3, .read = counter_read, .write = counter_write },
    { .name = "CONTROL", .offset = 3, .size = 1, .write = control_write, .write_only = true },
};
static const RegisterBank pit_banks[] = {
    { .name = "pit", .size_bytes = 4, .regs = pit_regs, .n_regs = ARRAY_SIZE(pit_regs) },
};

/* -- gates and outputs -------------------------------------------------------------------------------------------------- */

static void set_gate(Device *pit, unsigned channel, bool level)
{
    Pit *s = (Pit *)pit;
    PitChannel *c = &s->channel[channel];
    int64_t now = ticks_now();
    bool rises = level && !c->gate;

    settle(c, now);
    if (c->mode == 1 || c->mode == 5) {
        if (rises && c->count) {
            c->armed = true;
            c->stopped = false;
            c->start = now;
        }
    } else if (is_periodic(c)) {
        if (rises) {
            c->count = c->next_count ? c->next_count : c->count;
            c->next_count = 0;
            c->start = now;
        } else if (!level) {
            c->start = 0;
        }
        c->stopped = !level;
    } else if (level == c->stopped) { /* 0, 4: the gate holds the count */
        c->start = level ? now - c->start : elapsed(c, now);
        c->stopped = !level;
    }
    c->gate = level;
    if (channel == 0) {
        update_line(s);
    }
}

static bool gate(Device *pit, unsigned channel)
{
    return ((Pit *)pit)->channel[channel].gate;
}

static bool out(Device *pit, unsigned channel)
{
    PitChannel *c = &((Pit *)pit)->channel[channel];
    int64_t now = ticks_now();

    settle(c, now);
    return out_at(c, now);
}

static const PitOps pit_ops = { .set_gate = set_gate, .gate = gate, .out = out };

void pit_set_gate(Device *pit, unsigned channel, bool level)
{
    ((PitBase *)pit)->ops->set_gate(pit, channel, level);
}

bool pit_gate(Device *pit, unsigned channel)
{
    return ((PitBase *)pit)->ops->gate(pit, channel);
}

bool pit_out(Device *pit, unsigned channel)
{
    return ((PitBase *)pit)->ops->out(pit, channel);
}

/* High: the HPET drives IRQ 0 instead (legacy replacement). */
static void hpet_takes_over(void *opaque, int n, int level)
{
    Pit *s = opaque;

    s->irq_off = level != 0;
    update_line(s);
}

/* -- life ------------------------------------------------------------------------------------------------------------------ */

static bool pit_realize(Device *dev, Error **errp)
{
    Pit *s = (Pit *)dev;

    s->base.ops = &pit_ops;
    timer_init(&s->timer, VM_CLOCK_VIRTUAL, pit_rise, s);
    isa_add_io(isa_bus_of(dev), (uint16_t)s->iobase, device_mmio(dev, 0));
    return true;
}

static void pit_unrealize(Device *dev)
{
    timer_cancel(&((Pit *)dev)->timer);
}

static void pit_reset(Device *dev, ResetKind kind)
{
    Pit *s = (Pit *)dev;

    for (unsigned i = 0; i < 3; i++) {
        /* The chip's state is undefined; a PC's gates 0 and 1 are tied high, port 61h drives gate 2. */
        s->channel[i] = (PitChannel){ .count = 0x10000, .rw = RW_BOTH, .mode = 3, .gate = i != 2 };
    }
    s->irq_off = false;
    timer_cancel(&s->timer);
}

static void pit_reset_hold(Device *dev, ResetKind kind)
{
    Pit *s = (Pit *)dev;

    s->out = device_irq_out(dev, NULL, 0);
    drive(s, true); /* high until a mode is set */
}

static bool pit_post_load(void *opaque, uint32_t version, Error **errp)
{
    Pit *s = opaque;

    for (unsigned i = 0; i < 3; i++) {
        const PitChannel *c = &s->channel[i];
        if (!c->count || c->count > 0x10000 || c->next_count > 0x10000 || c->mode > 5 || c->rw > RW_BOTH || !c->rw ||
            c->n_latched > 2 || c->start < 0 || c->start > INT64_MAX / 4) {
            error_set(errp, "isa-pit: channel %u has an impossible state", i);
            return false;
        }
    }
    s->out = device_irq_out(&s->base.dev, NULL, 0);
    drive(s, s->out_level);
    arm(s, ticks_now());
    return true;
}

static const StateField channel_fields[] = {
    STATE_U(PitChannel, count), STATE_U(PitChannel, next_count), STATE_U(PitChannel, latch), STATE_U(PitChannel, n_latched),
    STATE_U(PitChannel, status), STATE_U(PitChannel, status_latched), STATE_U(PitChannel, rw), STATE_U(PitChannel, mode),
    STATE_U(PitChannel, bcd), STATE_U(PitChannel, read_high), STATE_U(PitChannel, write_high), STATE_U(PitChannel, write_low),
    STATE_U(PitChannel, gate), STATE_U(PitChannel, armed), STATE_U(PitChannel, stopped), STATE_U(PitChannel, start),
};
static const StateDesc channel_state = {
    .name = "pit-channel", .version = 1, .min_version = 1, .fields = channel_fields, .n_fields = ARRAY_SIZE(channel_fields),
};
static const StateField pit_fields[] = {
    { .name = "channel", .kind = STATE_STRUCT, .offset = offsetof(Pit, channel), .elem_size = sizeof(PitChannel), .count = 3,
      .sub = &channel_state },
    STATE_U(Pit, irq_off), STATE_U(Pit, out_level),
};
static const StateDesc pit_state = {
    .name = "i8254", .version = 1, .min_version = 1, .fields = pit_fields, .n_fields = ARRAY_SIZE(pit_fields),
    .post_load = pit_post_load,
};

static const Property pit_props[] = { PROP_U32("iobase", Pit, iobase, 0x40, NULL) };
static const IrqDef pit_irqs_in[] = { { NULL, 1, hpet_takes_over } };
static const IrqDef pit_irqs_out[] = { { NULL, 1, NULL } };

static const DeviceType pit_type = {
    .type = { .name = "isa-pit", .parent = "isa-device", .summary = "8254 interval timer", .size_bytes = sizeof(Pit),
              .props = pit_props, .n_props = ARRAY_SIZE(pit_props) },
    .category = DEVICE_MISC, .bus = "ISA", .banks = pit_banks, .n_banks = 1, .irqs_in = pit_irqs_in, .n_irqs_in = 1,
    .irqs_out = pit_irqs_out, .n_irqs_out = 1, .state = &pit_state, .realize = pit_realize, .unrealize = pit_unrealize,
    .reset_enter = pit_reset, .reset_hold = pit_reset_hold,
};
DEVICE_TYPE_REGISTER(pit_type);
