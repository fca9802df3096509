/*
 * bcm2835-systmr.c: the BCM2835's system timer: a free-running counter of 1 MHz with four comparators.
 *
 * Broadcom "BCM2835 ARM Peripherals", chapter 12. A comparator matches the counter's low half; its flag stays until written as one. The
 * counter starts at 0 with the machine and is not reset.
 */
#include "hw/device.h"
#include "softmmu/clock.h"

enum { N_COMPARE = 4, NS_PER_TICK = 1000 };

typedef struct SysTimer SysTimer;

typedef struct Comparator {
    SysTimer *owner;
    Timer timer;
} Comparator;

struct SysTimer {
    Device dev;
    uint32_t status, compare[N_COMPARE];
    Comparator at[N_COMPARE];
};

static uint64_t count(void)
{
    return (uint64_t)clock_get_ns(VM_CLOCK_VIRTUAL) / NS_PER_TICK;
}

static void update(SysTimer *s)
{
    for (unsigned i = 0; i < N_COMPARE; i++) {
        device_set_irq(&s->dev, "sysbus-irq", i, s->status >> i & 1);
    }
}

/* A value that has just passed comes again in 2^32 ticks. */
static void arm(SysTimer *s, unsigned i)
{
    uint64_t now = count();
    uint32_t ahead = s->compare[i] - (uint32_t)now;

    timer_set_ns(&s->at[i].timer, (int64_t)((now + (ahead ? ahead : UINT64_C(1) << 32)) * NS_PER_TICK));
}

static void matched(void *opaque)
{
    Comparator *c = opaque;
    SysTimer *s = c->owner;
    unsigned i = (unsigned)(c - s->at);

    s->status |= 1u << i;
    arm(s, i);
    update(s);
}

static void status_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update((SysTimer *)dev);
}

static uint64_t count_read(Device *dev, const Register *reg, unsigned index)
{
    return (uint32_t)(count() >> 32 * index);
}

static void compare_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    arm((SysTimer *)dev, index);
}

static const Register systmr_regs[] = {
    { .name = "CS", .offset = 0x00, .size = 4, REGISTER_FIELD(SysTimer, status), .w1c_mask = 0xf,
      .changed = status_changed },
    { .name = "CLO/CHI", .offset = 0x04, .size = 4, .count = 2, .read = count_read, .read_only = true },
    { .name = "C", .offset = 0x0c, .size = 4, .count = N_COMPARE, REGISTER_ARRAY(SysTimer, compare), .changed = compare_changed },
};

static const RegisterBank systmr_banks[] = {
    { .name = "bcm2835-sys-timer", .size_bytes = 0x20, .access_min = 4, .access_max = 4, .regs = systmr_regs, .n_regs = ARRAY_SIZE(systmr_regs) },
};

static bool systmr_realize(Device *dev, Error **errp)
{
    SysTimer *s = (SysTimer *)dev;

    for (unsigned i = 0; i < N_COMPARE; i++) {
        s->at[i].owner = s;
        timer_init(&s->at[i].timer, VM_CLOCK_VIRTUAL, matched, &s->at[i]);
    }
    return true;
}

static void cancel(SysTimer *s)
{
    for (unsigned i = 0; i < N_COMPARE; i++) {
        timer_cancel(&s->at[i].timer);
    }
}

static void systmr_unrealize(Device *dev)
{
    cancel((SysTimer *)dev);
}

static void systmr_reset_enter(Device *dev, ResetKind kind)
{
    cancel((SysTimer *)dev);
}

static void systmr_start(SysTimer *s)
{
    for (unsigned i = 0; i < N_COMPARE; i++) {
        arm(s, i);
    }
    update(s);
}

static void systmr_reset_hold(Device *dev, ResetKind kind)
{
    systmr_start((SysTimer *)dev);
}

static bool systmr_post_load(void *opaque, uint32_t version, Error **errp)
{
    systmr_start(opaque);
    return true;
}

static const StateDesc systmr_state = { .name = "bcm2835-sys-timer", .version = 1, .min_version = 1, .post_load = systmr_post_load };
static const IrqDef systmr_out[] = { { .name = "sysbus-irq", .count = N_COMPARE } };

static const DeviceType systmr_type = {
    .type = { .name = "bcm2835-sys-timer", .parent = "sys-bus-device", .summary = "BCM2835 system timer", .size_bytes = sizeof(SysTimer) },
    .category = DEVICE_MISC, .bus = "System", .banks = systmr_banks, .n_banks = ARRAY_SIZE(systmr_banks), .irqs_out = systmr_out,
    .n_irqs_out = ARRAY_SIZE(systmr_out), .state = &systmr_state, .realize = systmr_realize, .unrealize = systmr_unrealize,
    .reset_enter = systmr_reset_enter, .reset_hold = systmr_reset_hold,
};
DEVICE_TYPE_REGISTER(systmr_type);
