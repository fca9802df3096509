/*
 * sp804-counter.c: see sp804-counter.h.
 *
 * The value is computed from the clock when it is asked for; a timer is set for the moment it reaches zero. An access sees one moment,
 * `now`, from beginning to end, and what should have come to pass by then does so first: a driver that sets a counter anew just when it
 * reaches zero must not lose the interrupt.
 */
#include "hw/timer/sp804-counter.h"
#include "util/log.h"

enum {
    LOAD = 0x00, VALUE = 0x04, CONTROL = 0x08, INTCLR = 0x0c, RIS = 0x10, MIS = 0x14, BGLOAD = 0x18,
    CTL_ONE_SHOT = 1 << 0, CTL_32 = 1 << 1, CTL_PRESCALE_SHIFT = 2, CTL_INT = 1 << 5, CTL_PERIODIC = 1 << 6, CTL_ENABLE = 1 << 7,
    CTL_INITIAL = CTL_INT, CTL_MASK = 0xef,
};

static uint32_t mask(const Sp804Counter *c)
{
    return c->control & CTL_32 ? UINT32_MAX : UINT16_MAX;
}

/* Divided by 1, 16 or 256 (3.3.3). */
static unsigned shift(const Sp804Counter *c)
{
    static const uint8_t shifts[4] = { 0, 4, 8, 8 };

    return shifts[c->control >> CTL_PRESCALE_SHIFT & 3];
}

static int64_t ticks_to_ns(const Sp804Counter *c, uint64_t ticks)
{
    return (int64_t)((((unsigned __int128)ticks << shift(c)) * NS_PER_SECOND + c->freq_hz - 1) / c->freq_hz);
}

static uint64_t elapsed(const Sp804Counter *c, int64_t now)
{
    uint64_t ns = (uint64_t)(now - c->base_ns);

    return (uint64_t)((unsigned __int128)ns * c->freq_hz / NS_PER_SECOND) >> shift(c);
}

/* Ticks from one zero to the next. */
static uint64_t period(const Sp804Counter *c)
{
    return c->control & CTL_PERIODIC ? (uint64_t)(c->load & mask(c)) + 1 : (uint64_t)mask(c) + 1;
}

static uint32_t value(const Sp804Counter *c, int64_t now)
{
    uint64_t gone;

    if (!(c->control & CTL_ENABLE)) {
        return c->base;
    }
    gone = elapsed(c, now);
    if (gone <= c->base) {
        return c->base - (uint32_t)gone;
    }
    if (c->control & CTL_ONE_SHOT) {
        return 0;
    }
    gone = (gone - c->base - 1) % period(c);
    return (uint32_t)(period(c) - 1 - gone);
}

static void arm(Sp804Counter *c)
{
    if (c->control & CTL_ENABLE && !(c->control & CTL_ONE_SHOT && !c->base && c->raised)) {
        timer_set_ns(&c->timer, c->base_ns + ticks_to_ns(c, MAX(c->base, 1u)));
    } else {
        timer_cancel(&c->timer);
    }
}

static void set(Sp804Counter *c, uint32_t v, int64_t now)
{
    c->base = v & mask(c);
    c->base_ns = now;
    arm(c);
}

static void expire(Sp804Counter *c, int64_t now)
{
    c->raised = true;
    if (!(c->control & CTL_ONE_SHOT)) {
        /* The zero was then; counting goes on from it, however late we are. */
        int64_t next = c->base_ns + ticks_to_ns(c, (uint64_t)MAX(c->base, 1u));
        int64_t length = MAX(ticks_to_ns(c, period(c)), 1);

        if (now - next > length) { /* whole periods were missed: one interrupt tells of them all */
            next += (now - next) / length * length;
        }
        c->base_ns = next;
        c->base = (uint32_t)MIN(period(c), UINT32_MAX);
        arm(c);
    } else {
        c->base = 0;
        c->base_ns = now;
    }
    c->changed(c->opaque);
}

static void fires(void *opaque) { expire(opaque, clock_get_ns(VM_CLOCK_VIRTUAL)); }

/* What has come to pass already and the main loop has not got to yet. */
static int64_t catch_up(Sp804Counter *c)
{
    int64_t now = clock_get_ns(VM_CLOCK_VIRTUAL);

    if (timer_pending(&c->timer) && timer_deadline_ns(&c->timer) <= now) {
        timer_cancel(&c->timer);
        expire(c, now);
    }
    return now;
}

bool sp804_counter_irq(const Sp804Counter *c)
{
    return c->raised && c->control & CTL_INT;
}

uint32_t sp804_counter_read(Sp804Counter *c, uint32_t offset)
{
    int64_t now = catch_up(c);

    switch (offset) {
    case LOAD: case BGLOAD: return c->load;
    case VALUE: return value(c, now);
    case CONTROL: return c->control;
    case RIS: return c->raised;
    case MIS: return sp804_counter_irq(c);
    default:
        log_guest_error("sp804: read of 0x%x\n", offset);
        return 0;
    }
}

void sp804_counter_write(Sp804Counter *c, uint32_t offset, uint32_t v)
{
    int64_t now = catch_up(c);

    switch (offset) {
    case LOAD:
        c->load = v;
        set(c, v, now);
        break;
    case CONTROL: {
        uint32_t left = value(c, now);

        c->control = v & CTL_MASK;
        set(c, left, now);
        break;
    }
    case INTCLR: c->raised = false; break;
    case BGLOAD: { /* used from the next zero on */
        uint32_t left = value(c, now);

        c->load = v;
        set(c, left, now);
        break;
    }
    default: log_guest_error("sp804: write of 0x%x to 0x%x\n", v, offset);
    }
    c->changed(c->opaque);
}

void sp804_counter_reset(Sp804Counter *c)
{
    timer_cancel(&c->timer);
    c->load = 0;
    c->control = CTL_INITIAL;
    c->raised = false;
    c->base = UINT16_MAX;
    c->base_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
}

void sp804_counter_init(Sp804Counter *c, void (*changed)(void *opaque), void *opaque)
{
    c->changed = changed;
    c->opaque = opaque;
    timer_init(&c->timer, VM_CLOCK_VIRTUAL, fires, c);
}

void sp804_counter_finish(Sp804Counter *c)
{
    timer_cancel(&c->timer);
}

static const StateField counter_fields[] = {
    STATE_U(Sp804Counter, load), STATE_U(Sp804Counter, control), STATE_U(Sp804Counter, base), STATE_U(Sp804Counter, base_ns),
    STATE_U(Sp804Counter, raised), STATE_TIMER_FIELD(Sp804Counter, timer),
};
const StateDesc sp804_counter_state = {
    .name = "counter", .version = 1, .min_version = 1, .fields = counter_fields, .n_fields = ARRAY_SIZE(counter_fields),
};
