/*
 * pl031.c: Arm PrimeCell real-time clock, PL031.
 *
 * Arm DDI 0224C, chapter 3: a counter of seconds and one match interrupt. The counter is a free-running one of a clock input of 1 Hz behind
 * an offset: loading it changes the offset. Seconds since 1970 at reset, as the board's -rtc says.
 */
#include "hw/primecell.h"
#include "softmmu/clock.h"

typedef struct Pl031 {
    Device dev;
    Timer timer;
    uint32_t offset;    /* RTCDR - seconds of rtc_now_ns(), modulo 2^32 */
    uint32_t match, load;
    uint8_t ris, imsc;
} Pl031;

static uint32_t count(const Pl031 *s)
{
    return (uint32_t)(rtc_now_ns() / NS_PER_SECOND) + s->offset;
}

static void update(Pl031 *s)
{
    device_set_irq(&s->dev, "sysbus-irq", 0, s->ris & s->imsc & 1);
}

static void matched(void *opaque)
{
    Pl031 *s = opaque;

    s->ris = 1;
    update(s);
}

/* The counter reaches the match value within 2^32 seconds; a value that is there already matches now. */
static void arm(Pl031 *s)
{
    uint32_t ahead = s->match - count(s);

    if (!ahead) {
        timer_cancel(&s->timer);
        matched(s);
        return;
    }
    int64_t into = rtc_now_ns() % NS_PER_SECOND;
    timer_set_ns(&s->timer, clock_get_ns(s->timer.clock) + ahead * NS_PER_SECOND - into);
}

static uint64_t dr_read(Device *dev, const Register *reg, unsigned index)
{
    return count((Pl031 *)dev);
}

static void match_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    arm((Pl031 *)dev);
}

static void load_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    Pl031 *s = (Pl031 *)dev;

    s->offset += s->load - count(s);
    arm(s);
}

/* Once started it cannot be stopped (3.3.4), and it starts by itself here, as boards' firmware expects. */
static uint64_t cr_read(Device *dev, const Register *reg, unsigned index)
{
    return 1;
}

static void cr_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
}

static void mask_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update((Pl031 *)dev);
}

static uint64_t mis_read(Device *dev, const Register *reg, unsigned index)
{
    Pl031 *s = (Pl031 *)dev;

    return s->ris & s->imsc;
}

static void icr_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pl031 *s = (Pl031 *)dev;

    s->ris &= (uint8_t)~value;
    update(s);
}

static const Register pl031_regs[] = {
    { .name = "RTCDR", .offset = 0x00, .size = 4, .read = dr_read, .read_only = true },
    { .name = "RTCMR", .offset = 0x04, .size = 4, REGISTER_FIELD(Pl031, match), .changed = match_changed },
    { .name = "RTCLR", .offset = 0x08, .size = 4, REGISTER_FIELD(Pl031, load), .changed = load_changed },
    { .name = "RTCCR", .offset = 0x0c, .size = 4, .read = cr_read, .write = cr_write },
    { .name = "RTCIMSC", .offset = 0x10, .size = 4, REGISTER_FIELD(Pl031, imsc), .write_mask = 1, .changed = mask_changed },
    { .name = "RTCRIS", .offset = 0x14, .size = 4, REGISTER_FIELD(Pl031, ris), .read_only = true },
    { .name = "RTCMIS", .offset = 0x18, .size = 4, .read = mis_read, .read_only = true },
    { .name = "RTCICR", .offset = 0x1c, .size = 4, .write = icr_write, .write_only = true },
    PRIMECELL_ID_ROW(0x00041031),
};

static const RegisterBank pl031_banks[] = {
    { .name = "pl031", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = pl031_regs, .n_regs = ARRAY_SIZE(pl031_regs) },
};

static bool pl031_realize(Device *dev, Error **errp)
{
    Pl031 *s = (Pl031 *)dev;

    timer_init(&s->timer, rtc_clock(), matched, s);
    return true;
}

static void pl031_unrealize(Device *dev)
{
    timer_cancel(&((Pl031 *)dev)->timer);
}

static void pl031_reset_enter(Device *dev, ResetKind kind)
{
    Pl031 *s = (Pl031 *)dev;

    timer_cancel(&s->timer);
    s->offset = 0;
}

static void pl031_reset_hold(Device *dev, ResetKind kind)
{
    update((Pl031 *)dev);
}

static bool pl031_post_load(void *opaque, uint32_t version, Error **errp)
{
    Pl031 *s = opaque;

    if (!s->ris) {
        arm(s);
    }
    update(s);
    return true;
}

static const StateField pl031_fields[] = { STATE_U(Pl031, offset) };

static const StateDesc pl031_state = {
    .name = "pl031", .version = 1, .min_version = 1, .fields = pl031_fields, .n_fields = ARRAY_SIZE(pl031_fields), .post_load = pl031_post_load,
};

static const IrqDef pl031_irqs[] = { { .name = "sysbus-irq", .count = 1 } };

static const DeviceType pl031_type = {
    .type = {
        .name = "pl031",
        .parent = "sys-bus-device",
        .summary = "Arm PrimeCell real-time clock",
        .size_bytes = sizeof(Pl031),
    },
    .category = DEVICE_MISC,
    .bus = "System",
    .banks = pl031_banks,
    .n_banks = ARRAY_SIZE(pl031_banks),
    .irqs_out = pl031_irqs,
    .n_irqs_out = ARRAY_SIZE(pl031_irqs),
    .state = &pl031_state,
    .realize = pl031_realize,
    .unrealize = pl031_unrealize,
    .reset_enter = pl031_reset_enter,
    .reset_hold = pl031_reset_hold,
};
DEVICE_TYPE_REGISTER(pl031_type);
