/*
 * goldfish-rtc.c: real-time clock of the Goldfish virtual platform.
 *
 * Goldfish virtual hardware specification ("docs/GOLDFISH-VIRTUAL-HARDWARE.TXT" of
 * the platform), section V: a 64-bit nanosecond counter since 1970 and one alarm.
 * Reading TIME_LOW latches TIME_HIGH. The guest may set the time; it then keeps its
 * distance to the host's.
 */
#include "hw/device.h"
#include "softmmu/clock.h"

typedef struct RtcState {
    Device dev;
    bool big_endian;
    Irq *irq;
    Timer timer;
    uint64_t tick_offset; /* guest time - rtc_now_ns(), modulo 2^64 */
    uint32_t time_high;
    uint64_t alarm_next;
    uint32_t alarm_low, alarm_high;
    uint32_t alarm_running, irq_pending, irq_enabled;
} RtcState;

static uint64_t rtc_time(const RtcState *s)
{
    return (uint64_t)rtc_now_ns() + s->tick_offset;
}

static void rtc_update(RtcState *s)
{
    irq_set(s->irq, s->irq_pending && s->irq_enabled);
}

static void rtc_alarm(void *opaque)
{
    RtcState *s = opaque;

    s->alarm_running = 0;
    s->irq_pending = 1;
    rtc_update(s);
}

static void rtc_arm(RtcState *s)
{
    uint64_t now = rtc_time(s);

    if (s->alarm_next <= now) {
        timer_cancel(&s->timer);
        rtc_alarm(s);
        return;
    }
    s->alarm_running = 1;
    uint64_t delay = s->alarm_next - now;
    int64_t clock = clock_get_ns(s->timer.clock);
    timer_set_ns(&s->timer, delay > (uint64_t)(INT64_MAX - clock) ? INT64_MAX
                                                                 : clock + (int64_t)delay);
}

static uint64_t time_low_read(Device *dev, const Register *reg, unsigned index)
{
    RtcState *s = (RtcState *)dev;
    uint64_t now = rtc_time(s);

    s->time_high = (uint32_t)(now >> 32);
    return now & UINT32_MAX;
}

static void rtc_set(RtcState *s, uint64_t now)
{
    s->tick_offset += now - rtc_time(s);
    if (s->alarm_running) {
        rtc_arm(s);
    }
}

static void time_low_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    RtcState *s = (RtcState *)dev;

    rtc_set(s, (rtc_time(s) & ~(uint64_t)UINT32_MAX) | (value & UINT32_MAX));
}

static void time_high_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    RtcState *s = (RtcState *)dev;

    rtc_set(s, (rtc_time(s) & UINT32_MAX) | value << 32);
}

static uint64_t time_high_read(Device *dev, const Register *reg, unsigned index)
{
    return ((RtcState *)dev)->time_high;
}

static void alarm_low_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    RtcState *s = (RtcState *)dev;

    s->alarm_low = (uint32_t)value;
    s->alarm_next = (uint64_t)s->alarm_high << 32 | s->alarm_low;
    rtc_arm(s);
}

static void irq_enabled_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    rtc_update((RtcState *)dev);
}

static void clear_alarm_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    RtcState *s = (RtcState *)dev;

    timer_cancel(&s->timer);
    s->alarm_running = 0;
}

static void clear_irq_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    RtcState *s = (RtcState *)dev;

    s->irq_pending = 0;
    rtc_update(s);
}

static const Register rtc_regs[] = {
    { .name = "TIME_LOW", .offset = 0x00, .size = 4, .read = time_low_read,
      .write = time_low_write },
    { .name = "TIME_HIGH", .offset = 0x04, .size = 4, REGISTER_FIELD(RtcState, time_high),
      .read = time_high_read, .write = time_high_write },
    { .name = "ALARM_LOW", .offset = 0x08, .size = 4, REGISTER_FIELD(RtcState, alarm_low),
      .write = alarm_low_write },
    { .name = "ALARM_HIGH", .offset = 0x0c, .size = 4, REGISTER_FIELD(RtcState, alarm_high) },
    { .name = "IRQ_ENABLED", .offset = 0x10, .size = 4, REGISTER_FIELD(RtcState, irq_enabled),
      .write_mask = 1, .changed = irq_enabled_changed },
    { .name = "CLEAR_ALARM", .offset = 0x14, .size = 4, .write = clear_alarm_write,
      .write_only = true },
    { .name = "ALARM_STATUS", .offset = 0x18, .size = 4,
      REGISTER_FIELD(RtcState, alarm_running), .read_only = true },
    { .name = "CLEAR_INTERRUPT", .offset = 0x1c, .size = 4, .write = clear_irq_write,
      .write_only = true },
};

static const RegisterBank rtc_banks[] = {
    { .name = "goldfish_rtc", .size_bytes = 0x24, .access_min = 4, .access_max = 4,
      .regs = rtc_regs, .n_regs = ARRAY_SIZE(rtc_regs) },
};

static bool rtc_realize(Device *dev, Error **errp)
{
    RtcState *s = (RtcState *)dev;

    if (s->big_endian) {
        error_set(errp, "goldfish_rtc: big-endian=on is not supported");
        return false;
    }
    timer_init(&s->timer, rtc_clock(), rtc_alarm, s);
    return true;
}

static void rtc_unrealize(Device *dev)
{
    timer_cancel(&((RtcState *)dev)->timer);
}

static void rtc_reset_enter(Device *dev, ResetKind kind)
{
    RtcState *s = (RtcState *)dev;

    timer_cancel(&s->timer);
    s->tick_offset = 0;
    s->alarm_next = 0;
    s->irq_pending = 0;
}

static void rtc_reset_hold(Device *dev, ResetKind kind)
{
    RtcState *s = (RtcState *)dev;

    s->irq = device_irq_out(dev, "sysbus-irq", 0);
    irq_lower(s->irq);
}

static bool rtc_post_load(void *opaque, uint32_t version, Error **errp)
{
    RtcState *s = opaque;

    s->irq = device_irq_out(&s->dev, "sysbus-irq", 0);
    if (s->alarm_running) {
        rtc_arm(s);
    }
    rtc_update(s);
    return true;
}

static const StateField rtc_fields[] = {
    STATE_U(RtcState, tick_offset),
    STATE_U(RtcState, alarm_next),
    STATE_U(RtcState, irq_pending),
};

static const StateDesc rtc_state = {
    .name = "goldfish_rtc", .version = 1, .min_version = 1,
    .fields = rtc_fields, .n_fields = ARRAY_SIZE(rtc_fields), .post_load = rtc_post_load,
};

static const Property rtc_props[] = {
    PROP_B("big-endian", RtcState, big_endian, false, "on/off"),
};

static const IrqDef rtc_irqs[] = { { .name = "sysbus-irq", .count = 1 } };

static const DeviceType rtc_type = {
    .type = {
        .name = "goldfish_rtc",
        .parent = "sys-bus-device",
        .summary = "Goldfish real-time clock",
        .size_bytes = sizeof(RtcState),
        .props = rtc_props,
        .n_props = ARRAY_SIZE(rtc_props),
    },
    .category = DEVICE_MISC,
    .bus = "System",
    .banks = rtc_banks,
    .n_banks = ARRAY_SIZE(rtc_banks),
    .irqs_out = rtc_irqs,
    .n_irqs_out = ARRAY_SIZE(rtc_irqs),
    .state = &rtc_state,
    .realize = rtc_realize,
    .unrealize = rtc_unrealize,
    .reset_enter = rtc_reset_enter,
    .reset_hold = rtc_reset_hold,
};
DEVICE_TYPE_REGISTER(rtc_type);
