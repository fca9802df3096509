/*
 * a9gtimer.c: the global timer of a Cortex-A9 MPCore: one 64-bit counter, a comparator for each processor.
 *
 * Arm DDI 0407I, 4.3. PERIPHCLK is 100 MHz. The interrupt is edge-triggered there and a level here until the status is cleared. Region n is what processor
 * n sees: counter and prescaler are shared, the rest is its own.
 */
#include "hw/arm/mpcore.h"
#include "softmmu/clock.h"

enum {
    COUNT_LO = 0x00, COUNT_HI = 0x04, CONTROL = 0x08, STATUS = 0x0c, COMPARE_LO = 0x10, COMPARE_HI = 0x14, INCREMENT = 0x18, BYTES = 0x20,
    CTL_ENABLE = 1 << 0, CTL_COMPARE = 1 << 1, CTL_INT = 1 << 2, CTL_AUTO = 1 << 3, CTL_SHARED = 0xff01, CTL_BANKED = 0xe, PRESCALE_SHIFT = 8,
    CLOCK_NS = 10,
};

typedef struct A9Gtimer A9Gtimer;

typedef struct Comparator {
    A9Gtimer *owner;
    uint32_t control, status, increment;
    uint64_t compare;
    Timer timer;
    MemoryRegion mr;
} Comparator;

struct A9Gtimer {
    Device dev;
    uint32_t num_cpu, control;
    uint64_t base;      /* the counter at base_ns */
    int64_t base_ns;
    Comparator at[MPCORE_MAX_CPUS];
};

static int64_t tick_ns(const A9Gtimer *s)
{
    return ((int64_t)(s->control >> PRESCALE_SHIFT & 0xff) + 1) * CLOCK_NS;
}

static uint64_t count(const A9Gtimer *s)
{
    return s->control & CTL_ENABLE ? s->base + (uint64_t)((clock_get_ns(VM_CLOCK_VIRTUAL) - s->base_ns) / tick_ns(s)) : s->base;
}

static void irq(Comparator *c)
{
    device_set_irq(&c->owner->dev, "sysbus-irq", (unsigned)(c - c->owner->at), c->status && c->control & CTL_INT);
}

/* The event is "count reaches or has passed the comparator"; with auto-increment the next one follows. */
static void update(Comparator *c)
{
    A9Gtimer *s = c->owner;
    uint64_t now = count(s);

    timer_cancel(&c->timer);
    if (s->control & CTL_ENABLE && c->control & CTL_COMPARE) {
        if (now >= c->compare) {
            c->status = 1;
            if (c->control & CTL_AUTO && c->increment) {
                c->compare += ((now - c->compare) / c->increment + 1) * c->increment;
            }
        }
        uint64_t ahead = c->compare - now;
        if (c->compare > now && ahead < (uint64_t)(INT64_MAX / 2 / tick_ns(s))) {
            timer_set_ns(&c->timer, clock_get_ns(VM_CLOCK_VIRTUAL) + (int64_t)ahead * tick_ns(s));
        }
    }
    irq(c);
}

static void fires(void *opaque)
{
    update(opaque);
}

static void update_all(A9Gtimer *s)
{
    for (unsigned i = 0; i < s->num_cpu; i++) {
        update(&s->at[i]);
    }
}

static void rebase(A9Gtimer *s, uint64_t value)
{
    s->base = value;
    s->base_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
}

static MemResult gtimer_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    Comparator *c = opaque;

    switch (offset) {
    case COUNT_LO: *ret = (uint32_t)count(c->owner); break;
    case COUNT_HI: *ret = count(c->owner) >> 32; break;
    case CONTROL: *ret = c->owner->control | c->control; break;
    case STATUS:
        update(c);
        *ret = c->status;
        break;
    case COMPARE_LO: *ret = (uint32_t)c->compare; break;
    case COMPARE_HI: *ret = c->compare >> 32; break;
    case INCREMENT: *ret = c->increment; break;
    default: *ret = 0;
    }
    return MEM_OK;
}

static MemResult gtimer_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Comparator *c = opaque;
    A9Gtimer *s = c->owner;
    uint64_t now = count(s);

    switch (offset) {
    case COUNT_LO: rebase(s, (now & ~UINT64_C(0xffffffff)) | (uint32_t)value); break;
    case COUNT_HI: rebase(s, (uint32_t)now | value << 32); break;
    case CONTROL:
        rebase(s, now);
        s->control = (uint32_t)value & CTL_SHARED;
        c->control = (uint32_t)value & CTL_BANKED;
        break;
    case STATUS: c->status &= ~(uint32_t)value; break;
    case COMPARE_LO: c->compare = (c->compare & ~UINT64_C(0xffffffff)) | (uint32_t)value; break;
    case COMPARE_HI: c->compare = (uint32_t)c->compare | value << 32; break;
    case INCREMENT: c->increment = (uint32_t)value; break;
    }
    update_all(s);
    return MEM_OK;
}

static const MemoryOps gtimer_ops = { .read = gtimer_read, .write = gtimer_write, .valid = { .min = 4, .max = 4 } };

static bool gtimer_realize(Device *dev, Error **errp)
{
    A9Gtimer *s = (A9Gtimer *)dev;

    if (!s->num_cpu || s->num_cpu > MPCORE_MAX_CPUS) {
        error_set(errp, "arm.cortex-a9-global-timer: num-cpu must be between 1 and %d", MPCORE_MAX_CPUS);
        return false;
    }
    for (unsigned i = 0; i < s->num_cpu; i++) {
        s->at[i].owner = s;
        timer_init(&s->at[i].timer, VM_CLOCK_VIRTUAL, fires, &s->at[i]);
        memory_region_init_mmio(&s->at[i].mr, &dev->obj, &gtimer_ops, &s->at[i], "a9gtimer", BYTES);
        device_add_mmio(dev, &s->at[i].mr);
    }
    device_init_irqs_out(dev, "sysbus-irq", s->num_cpu);
    return true;
}

static void gtimer_unrealize(Device *dev)
{
    A9Gtimer *s = (A9Gtimer *)dev;

    for (unsigned i = 0; i < s->num_cpu; i++) {
        timer_cancel(&s->at[i].timer);
        memory_region_finish(&s->at[i].mr);
    }
}

static void gtimer_reset_enter(Device *dev, ResetKind kind)
{
    A9Gtimer *s = (A9Gtimer *)dev;

    s->control = 0;
    s->base = 0;
    s->base_ns = 0;
    for (unsigned i = 0; i < s->num_cpu; i++) {
        Comparator *c = &s->at[i];

        timer_cancel(&c->timer);
        c->control = c->status = c->increment = 0;
        c->compare = 0;
    }
}

static void gtimer_reset_hold(Device *dev, ResetKind kind)
{
    update_all((A9Gtimer *)dev);
}

static bool gtimer_post_load(void *opaque, uint32_t version, Error **errp)
{
    A9Gtimer *s = opaque;

    s->control &= CTL_SHARED;
    update_all(s);
    return true;
}

static const StateField comparator_fields[] = {
    STATE_U(Comparator, control), STATE_U(Comparator, status), STATE_U(Comparator, increment), STATE_U(Comparator, compare),
};
static const StateDesc comparator_state = {
    .name = "comparator", .version = 1, .min_version = 1, .fields = comparator_fields, .n_fields = ARRAY_SIZE(comparator_fields),
};
static const StateField gtimer_fields[] = {
    STATE_U(A9Gtimer, control), STATE_U(A9Gtimer, base), STATE_U(A9Gtimer, base_ns),
    { .name = "at", .kind = STATE_STRUCT, .offset = offsetof(A9Gtimer, at), .elem_size = sizeof(Comparator), .count_is_field = true,
      .count_field = offsetof(A9Gtimer, num_cpu), .sub = &comparator_state },
};
static const StateDesc gtimer_state = {
    .name = "a9gtimer", .version = 1, .min_version = 1, .fields = gtimer_fields, .n_fields = ARRAY_SIZE(gtimer_fields), .post_load = gtimer_post_load,
};
static const Property gtimer_props[] = { PROP_U32("num-cpu", A9Gtimer, num_cpu, 1, NULL) };

static const DeviceType gtimer_type = {
    .type = { .name = "arm.cortex-a9-global-timer", .parent = "sys-bus-device", .summary = "Cortex-A9 global timer", .size_bytes = sizeof(A9Gtimer),
              .props = gtimer_props, .n_props = ARRAY_SIZE(gtimer_props) },
    .category = DEVICE_MISC, .bus = "System", .state = &gtimer_state, .realize = gtimer_realize, .unrealize = gtimer_unrealize,
    .reset_enter = gtimer_reset_enter, .reset_hold = gtimer_reset_hold,
};
DEVICE_TYPE_REGISTER(gtimer_type);
