/*
 * arm_mptimer.c: the private timers of a Cortex-A9 or A5 MPCore, one for each processor; a second instance is their watchdogs.
 *
 * Arm DDI 0407I (Cortex-A9 MPCore TRM), 4.1 and 4.2. PERIPHCLK is 100 MHz. Region 0 is what processor 0 sees, region n what processor n sees.
 *
 * Left out: watchdog mode (a watchdog is a timer here; writing the mode says so with -d unimp).
 */
#include <stdio.h>
#include "hw/arm/mpcore.h"
#include "softmmu/clock.h"
#include "util/log.h"

enum {
    LOAD = 0x00, COUNTER = 0x04, CONTROL = 0x08, STATUS = 0x0c, BYTES = 0x20,
    CTL_ENABLE = 1 << 0, CTL_RELOAD = 1 << 1, CTL_INT = 1 << 2, CTL_WATCHDOG = 1 << 3, CTL_PRESCALE_SHIFT = 8, CTL_MASK = 0xff07,
    CLOCK_NS = 10,
};

typedef struct MpTimer MpTimer;

typedef struct MpUnit {
    MpTimer *owner;
    uint32_t load, control, status;
    uint32_t base;      /* the counter at base_ns */
    int64_t base_ns;
    Timer timer;
    MemoryRegion mr;
} MpUnit;

struct MpTimer {
    Device dev;
    uint32_t num_cpu;
    MpUnit unit[MPCORE_MAX_CPUS];
};

static void update(MpUnit *u)
{
    device_set_irq(&u->owner->dev, "sysbus-irq", (unsigned)(u - u->owner->unit), u->status && u->control & CTL_INT);
}

static int64_t tick_ns(const MpUnit *u)
{
    return ((int64_t)(u->control >> CTL_PRESCALE_SHIFT & 0xff) + 1) * CLOCK_NS;
}

/*
 * An access sees one moment, `now`, from beginning to end: between two looks at the clock a timer may expire, unseen by the first look
 * and taken for one that has been by the second, and its interrupt is lost.
 */
static uint32_t count(const MpUnit *u, int64_t now)
{
    uint64_t gone;

    if (!(u->control & CTL_ENABLE)) {
        return u->base;
    }
    gone = (uint64_t)((now - u->base_ns) / tick_ns(u));
    return gone < u->base ? u->base - (uint32_t)gone : 0;
}

static void set(MpUnit *u, uint32_t value, int64_t now)
{
    u->base = value;
    u->base_ns = now;
    if (u->control & CTL_ENABLE && value) {
        timer_set_ns(&u->timer, u->base_ns + value * tick_ns(u));
    } else {
        timer_cancel(&u->timer);
    }
}

static void expire(MpUnit *u, int64_t now)
{
    int64_t zero = u->base_ns + u->base * tick_ns(u);

    u->status = 1;
    if (u->control & CTL_RELOAD && u->load) {
        int64_t period = ((int64_t)u->load + 1) * tick_ns(u);

        /* From the moment it was due, whole periods missed left out. */
        u->base_ns = zero + tick_ns(u) + MAX(now - zero - period, 0) / period * period;
        u->base = u->load;
        timer_set_ns(&u->timer, u->base_ns + u->base * tick_ns(u));
    } else {
        set(u, 0, now);
    }
    update(u);
}

static void fires(void *opaque) { expire(opaque, clock_get_ns(VM_CLOCK_VIRTUAL)); }

/* What has come to pass already and the main loop has not got to yet. */
static void catch_up(MpUnit *u, int64_t now)
{
    if (timer_pending(&u->timer) && timer_deadline_ns(&u->timer) <= now) {
        expire(u, now);
    }
}

static MemResult unit_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    MpUnit *u = opaque;
    int64_t now = clock_get_ns(VM_CLOCK_VIRTUAL);

    catch_up(u, now);
    switch (offset) {
    case LOAD: *ret = u->load; break;
    case COUNTER: *ret = count(u, now); break;
    case CONTROL: *ret = u->control; break;
    case STATUS: *ret = u->status; break;
    default: *ret = 0;
    }
    return MEM_OK;
}

static MemResult unit_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    MpUnit *u = opaque;
    int64_t now = clock_get_ns(VM_CLOCK_VIRTUAL);

    catch_up(u, now); /* a driver that sets a short time and then writes CONTROL must not lose its interrupt */
    switch (offset) {
    case LOAD: /* the counter takes it, too (4.2.1) */
        u->load = (uint32_t)value;
        set(u, u->load, now);
        break;
    case COUNTER: set(u, (uint32_t)value, now); break;
    case CONTROL: {
        uint32_t left = count(u, now);

        if (value & CTL_WATCHDOG) {
            log_unimp("arm_mptimer: watchdog mode\n");
        }
        u->control = (uint32_t)value & CTL_MASK;
        set(u, left ? left : u->control & CTL_RELOAD ? u->load : 0, now);
        break;
    }
    case STATUS: u->status &= ~(uint32_t)value; break;
    }
    update(u);
    return MEM_OK;
}

static const MemoryOps unit_ops = { .read = unit_read, .write = unit_write, .valid = { .min = 4, .max = 4 } };

static bool mptimer_realize(Device *dev, Error **errp)
{
    MpTimer *s = (MpTimer *)dev;

    if (!s->num_cpu || s->num_cpu > MPCORE_MAX_CPUS) {
        error_set(errp, "arm_mptimer: num-cpu must be between 1 and %d", MPCORE_MAX_CPUS);
        return false;
    }
    for (unsigned i = 0; i < s->num_cpu; i++) {
        s->unit[i].owner = s;
        timer_init(&s->unit[i].timer, VM_CLOCK_VIRTUAL, fires, &s->unit[i]);
        memory_region_init_mmio(&s->unit[i].mr, &dev->obj, &unit_ops, &s->unit[i], "arm_mptimer_timer", BYTES);
        device_add_mmio(dev, &s->unit[i].mr);
    }
    device_init_irqs_out(dev, "sysbus-irq", s->num_cpu);
    return true;
}

static void mptimer_unrealize(Device *dev)
{
    MpTimer *s = (MpTimer *)dev;

    for (unsigned i = 0; i < s->num_cpu; i++) {
        timer_cancel(&s->unit[i].timer);
        memory_region_finish(&s->unit[i].mr);
    }
}

static void mptimer_reset_enter(Device *dev, ResetKind kind)
{
    MpTimer *s = (MpTimer *)dev;

    for (unsigned i = 0; i < s->num_cpu; i++) {
        MpUnit *u = &s->unit[i];

        timer_cancel(&u->timer);
        u->load = u->control = u->status = u->base = 0;
        u->base_ns = 0;
    }
}

static void mptimer_reset_hold(Device *dev, ResetKind kind)
{
    MpTimer *s = (MpTimer *)dev;

    for (unsigned i = 0; i < s->num_cpu; i++) {
        update(&s->unit[i]);
    }
}

static bool mptimer_post_load(void *opaque, uint32_t version, Error **errp)
{
    MpTimer *s = opaque;

    for (unsigned i = 0; i < s->num_cpu; i++) {
        s->unit[i].control &= CTL_MASK;
        update(&s->unit[i]);
    }
    return true;
}

static const StateField unit_fields[] = {
    STATE_U(MpUnit, load), STATE_U(MpUnit, control), STATE_U(MpUnit, status), STATE_U(MpUnit, base), STATE_U(MpUnit, base_ns),
    STATE_TIMER_FIELD(MpUnit, timer),
};
static const StateDesc unit_state = { .name = "unit", .version = 1, .min_version = 1, .fields = unit_fields, .n_fields = ARRAY_SIZE(unit_fields) };
static const StateField mptimer_fields[] = {
    { .name = "unit", .kind = STATE_STRUCT, .offset = offsetof(MpTimer, unit), .elem_size = sizeof(MpUnit), .count_is_field = true,
      .count_field = offsetof(MpTimer, num_cpu), .sub = &unit_state },
};
static const StateDesc mptimer_state = {
    .name = "arm_mptimer", .version = 1, .min_version = 1, .fields = mptimer_fields, .n_fields = ARRAY_SIZE(mptimer_fields),
    .post_load = mptimer_post_load,
};
static const Property mptimer_props[] = { PROP_U32("num-cpu", MpTimer, num_cpu, 1, NULL) };

static const DeviceType mptimer_type = {
    .type = { .name = "arm_mptimer", .parent = "sys-bus-device", .summary = "Cortex-A9 private timers", .size_bytes = sizeof(MpTimer),
              .props = mptimer_props, .n_props = ARRAY_SIZE(mptimer_props) },
    .category = DEVICE_MISC, .bus = "System", .state = &mptimer_state, .realize = mptimer_realize, .unrealize = mptimer_unrealize,
    .reset_enter = mptimer_reset_enter, .reset_hold = mptimer_reset_hold,
};
DEVICE_TYPE_REGISTER(mptimer_type);
