/*
 * mc146818rtc.c: MC146818 real-time clock with 128 bytes of battery-backed memory.
 *
 * Specification: Motorola MC146818 data sheet (1984); the century byte at 32h is the PC's (ACPI "CENTURY" field).
 * The clock does not tick here: date and flags follow from the host's time when they are looked at, and a timer runs only for
 * interrupts that are enabled. "-rtc" says what the date is. Only the 32.768 kHz time base (DV = 010) counts, as in a PC.
 *
 * lost_tick_policy: what is missed is gone ("discard"), or each missed periodic interrupt follows when the guest has read register C
 * ("slew").
 */
#include <time.h>

#include "hw/i386/rtc.h"
#include "hw/isa.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"

enum {
    RTC_SECONDS, RTC_SECONDS_ALARM, RTC_MINUTES, RTC_MINUTES_ALARM, RTC_HOURS, RTC_HOURS_ALARM, RTC_WEEKDAY, RTC_DAY,
    RTC_MONTH, RTC_YEAR, RTC_A, RTC_B, RTC_C, RTC_D, RTC_CENTURY = 0x32, CMOS_BYTES = 128,
};
enum {
    A_UIP = 0x80, A_DIVIDER = 0x70, A_RATE = 0x0f, A_DIVIDER_32K = 0x20, A_DIVIDER_RESET = 0x60,
    B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_BINARY = 4, B_24H = 2,
    C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10, D_VALID = 0x80,
};
#define UPDATE_NS (244 * NS_PER_US) /* UIP is up this long before the update */

static const char *const policy_names[] = { "discard", "delay", "merge", "slew", NULL };
enum { POLICY_DISCARD, POLICY_SLEW = 3 };

typedef struct Rtc {
    Device dev;
    uint32_t iobase;
    int32_t base_year;
    uint8_t isa_irq;
    int policy;
    Irq *irq, *own_irq;
    uint8_t index;
    uint8_t cmos[CMOS_BYTES];
    int64_t offset_ns;   /* date shown - rtc_now_ns(); while held: the date shown */
    int64_t seen_s;      /* UF and AF are settled up to this second */
    int64_t periodic_ns; /* PF is settled up to this time (of the RTC's clock) */
    uint32_t owed;       /* periodic interrupts still to be given (slew) */
    Timer timer, periodic;
} Rtc;

static bool is_held(const Rtc *s)
{
    return (s->cmos[RTC_B] & B_SET) || (s->cmos[RTC_A] & A_DIVIDER) >= A_DIVIDER_RESET;
}

/* Between dates far from each other the offset wraps; the sum is the date again. */
static int64_t date_ns(const Rtc *s)
{
    return is_held(s) ? s->offset_ns : (int64_t)((uint64_t)rtc_now_ns() + (uint64_t)s->offset_ns);
}

static void set_date(Rtc *s, int64_t date)
{
    s->offset_ns = (int64_t)((uint64_t)date - (uint64_t)rtc_now_ns());
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* -- date and bytes ------------------------------------------------------------------------------------------------ */

static uint8_t encode(const Rtc *s, int n)
{
    return (uint8_t)(s->cmos[RTC_B] & B_BINARY ? n : n / 10 << 4 | n % 10);
}

static int decode(const Rtc *s, uint8_t byte)
{
    return s->cmos[RTC_B] & B_BINARY ? byte : (byte >> 4) * 10 + (byte & 15);
}

static uint8_t encode_hour(const Rtc *s, int hour)
{
    if (s->cmos[RTC_B] & B_24H) {
        return encode(s, hour);
    }
    return encode(s, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? 0x80 : 0);
}

static int decode_hour(const Rtc *s, uint8_t byte)
{
    if (s->cmos[RTC_B] & B_24H) {
        return decode(s, byte);
    }
    return decode(s, byte & 0x7f) % 12 + (byte & 0x80 ? 12 : 0);
}

/* Writes the date into the bytes the guest reads. */
static void show_date(Rtc *s)
{
    time_t t = (time_t)floor_div(date_ns(s), NS_PER_SECOND);
    struct tm tm;

    if (!gmtime_r(&t, &tm)) {
        return;
    }
    int year = tm.tm_year + 1900 - s->base_year;
    s->cmos[RTC_SECONDS] = encode(s, tm.tm_sec);
    s->cmos[RTC_MINUTES] = encode(s, tm.tm_min);
    s->cmos[RTC_HOURS] = encode_hour(s, tm.tm_hour);
    s->cmos[RTC_WEEKDAY] = encode(s, tm.tm_wday + 1);
    s->cmos[RTC_DAY] = encode(s, tm.tm_mday);
    s->cmos[RTC_MONTH] = encode(s, tm.tm_mon + 1);
    s->cmos[RTC_YEAR] = encode(s, (year % 100 + 100) % 100);
    s->cmos[RTC_CENTURY] = encode(s, (year / 100 % 100 + 100) % 100);
}

/* Takes the date from the bytes the guest has written; what is no date is carried over as by a calendar. DEVIATION: years from 2255 on, which
 * nanoseconds do not reach, are the end of that time. */
static int64_t bytes_to_s(const Rtc *s)
{
    struct tm tm = {
        .tm_sec = decode(s, s->cmos[RTC_SECONDS]), .tm_min = decode(s, s->cmos[RTC_MINUTES]),
        .tm_hour = decode_hour(s, s->cmos[RTC_HOURS]), .tm_mday = decode(s, s->cmos[RTC_DAY]),
        .tm_mon = decode(s, s->cmos[RTC_MONTH]) - 1,
        .tm_year = decode(s, s->cmos[RTC_CENTURY]) * 100 + decode(s, s->cmos[RTC_YEAR]) + s->base_year - 1900,
    };
    return MIN(MAX((int64_t)timegm(&tm), RTC_MIN_S), RTC_MAX_S);
}

/* -- flags and interrupts -------------------------------------------------------------------------------------------- */

static void update_irq(Rtc *s)
{
    bool up = s->cmos[RTC_C] & s->cmos[RTC_B] & (C_PF | C_AF | C_UF);

    s->cmos[RTC_C] = (uint8_t)((s->cmos[RTC_C] & ~C_IRQF) | (up ? C_IRQF : 0));
    irq_set(s->irq ? s->irq : s->own_irq, up);
}

static int64_t period_ns(const Rtc *s)
{
    unsigned rate = s->cmos[RTC_A] & A_RATE;

    if (!rate || (s->cmos[RTC_A] & A_DIVIDER) != A_DIVIDER_32K) {
        return 0;
    }
    rate = rate < 3 ? rate + 7 : rate; /* with this time base 1 and 2 are the rates 8 and 9 */
    return (NS_PER_SECOND << (rate - 1)) / 32768;
}

/* The first second from `from` on that the alarm matches, at most a day ahead; INT64_MAX: none (impossible alarm). */
static int64_t next_alarm_s(const Rtc *s, int64_t from)
{
    const uint8_t *c = s->cmos;
    int sec = c[RTC_SECONDS_ALARM] >= 0xc0 ? -1 : decode(s, c[RTC_SECONDS_ALARM]);
    int min = c[RTC_MINUTES_ALARM] >= 0xc0 ? -1 : decode(s, c[RTC_MINUTES_ALARM]);
    int hour = c[RTC_HOURS_ALARM] >= 0xc0 ? -1 : decode_hour(s, c[RTC_HOURS_ALARM]);

    if (sec > 59 || min > 59 || hour > 23) {
        return INT64_MAX;
    }
    int64_t day = floor_div(from, 86400), of_day = from - day * 86400;
    for (int h = 0; h <= 24; h++) {             /* hour by hour: the first that can hold a match */
        int64_t start = h ? (of_day / 3600 + h) * 3600 : of_day;
        int this_hour = (int)(start / 3600 % 24);
        if (hour >= 0 && hour != this_hour) {
            continue;
        }
        int64_t end = (start / 3600 + 1) * 3600;
        for (int64_t m = start / 60; m < end / 60; m++) {
            int64_t first = MAX(start, m * 60);
            if (min >= 0 && min != m % 60) {
                continue;
            }
            if (sec < 0) {
                return day * 86400 + first;
            }
            if (first <= m * 60 + sec) {
                return day * 86400 + m * 60 + sec;
            }
        }
    }
    return INT64_MAX;
}

static int64_t at_clock(const Rtc *s, int64_t date)
{
    int64_t ahead = date - date_ns(s), now = clock_get_ns(s->timer.clock);
    return ahead > INT64_MAX - now ? INT64_MAX : now + MAX(ahead, 0);
}

/* Brings flags up to now. */
static void settle(Rtc *s)
{
    int64_t date = date_ns(s), now_s = floor_div(date, NS_PER_SECOND), period = period_ns(s);
    int64_t clock = clock_get_ns(s->timer.clock);

    if (!is_held(s) && now_s > s->seen_s) {
        s->cmos[RTC_C] |= C_UF;
        if (next_alarm_s(s, s->seen_s + 1) <= now_s) {
            s->cmos[RTC_C] |= C_AF;
        }
    }
    s->seen_s = now_s;
    if (period && clock - s->periodic_ns >= period) {
        int64_t n = (clock - s->periodic_ns) / period;
        s->periodic_ns += n * period;
        if (s->policy == POLICY_SLEW && (s->cmos[RTC_B] & B_PIE)) {
            n += (s->cmos[RTC_C] & C_PF) ? 0 : -1; /* the one that is given now */
            s->owed = (uint32_t)MIN(s->owed + n, 20000);
        }
        s->cmos[RTC_C] |= C_PF;
    } else if (!period || clock < s->periodic_ns) {
        s->periodic_ns = clock;
    }
}

static void arm(Rtc *s)
{
    int64_t next_s = INT64_MAX, period = period_ns(s);

    if (!is_held(s) && (s->cmos[RTC_B] & B_UIE)) {
        next_s = s->seen_s + 1;
    } else if (!is_held(s) && (s->cmos[RTC_B] & B_AIE)) {
        next_s = next_alarm_s(s, s->seen_s + 1);
    }
    if (next_s >= INT64_MAX / NS_PER_SECOND) {
        timer_cancel(&s->timer);
    } else {
        timer_set_ns(&s->timer, at_clock(s, next_s * NS_PER_SECOND));
    }
    if (period && (s->cmos[RTC_B] & B_PIE)) {
        timer_set_ns(&s->periodic, s->periodic_ns + period);
    } else {
        timer_cancel(&s->periodic);
    }
}

static void refresh(Rtc *s)
{
    settle(s);
    arm(s);
    update_irq(s);
}

static void rtc_timer(void *opaque)
{
    Rtc *s = opaque;

    refresh(s);
    if ((s->cmos[RTC_C] & s->cmos[RTC_B] & C_AF) && run_state_is(RUN_STATE_SUSPENDED)) {
        (void)!machine_request_wakeup(WAKEUP_RTC, NULL);
    }
}

/* -- ports --------------------------------------------------------------------------------------------------------------- */

static uint64_t data_read(Device *dev, const Register *reg, unsigned index)
{
    Rtc *s = (Rtc *)dev;
    uint8_t value;

    switch (s->index) {
    case RTC_SECONDS: case RTC_MINUTES: case RTC_HOURS: case RTC_WEEKDAY: case RTC_DAY: case RTC_MONTH: case RTC_YEAR:
    case RTC_CENTURY:
        if (!is_held(s)) {
            show_date(s);
        }
        return s->cmos[s->index];
    case RTC_A: {
        int64_t left = NS_PER_SECOND - (date_ns(s) - floor_div(date_ns(s), NS_PER_SECOND) * NS_PER_SECOND);
        return s->cmos[RTC_A] | (!is_held(s) && left <= UPDATE_NS ? A_UIP : 0);
    }
    case RTC_C:
        settle(s);
        update_irq(s);
        value = s->cmos[RTC_C];
        s->cmos[RTC_C] = 0;
        if (s->owed && (s->cmos[RTC_B] & B_PIE)) {
            s->owed--;
            update_irq(s); /* the line falls first: it is an edge the guest waits for */
            s->cmos[RTC_C] |= C_PF;
        }
        arm(s);
        update_irq(s);
        return value;
    case RTC_D:
        return D_VALID;
    }
    return s->cmos[s->index];
}

/* SET or the divider may stop the clock or let it go. */
static void control_write(Rtc *s, unsigned index, uint8_t value)
{
    bool was_held = is_held(s), was_reset = (s->cmos[RTC_A] & A_DIVIDER) >= A_DIVIDER_RESET;
    int64_t date = date_ns(s), period = period_ns(s);

    settle(s);
    if (!was_held) {
        show_date(s);
    }
    s->cmos[index] = value;
    if (index == RTC_B && (value & B_SET)) {
        s->cmos[RTC_B] &= (uint8_t)~B_UIE; /* SET clears UIE */
    }
    if (is_held(s) && !was_held) {
        s->offset_ns = date;
    } else if (!is_held(s) && was_held) {
        /* Out of reset the first update comes half a second later; SET leaves the divider alone. */
        int64_t fraction = was_reset ? NS_PER_SECOND / 2 : date - floor_div(date, NS_PER_SECOND) * NS_PER_SECOND;
        set_date(s, bytes_to_s(s) * NS_PER_SECOND + fraction);
        s->seen_s = floor_div(date_ns(s), NS_PER_SECOND);
    } else if (!was_held) {
        show_date(s); /* the format may have changed */
    }
    if (period_ns(s) != period) {
        s->periodic_ns = clock_get_ns(s->timer.clock);
        s->owed = 0;
    }
    refresh(s);
}

static void data_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Rtc *s = (Rtc *)dev;
    uint8_t byte = (uint8_t)value;

    switch (s->index) {
    case RTC_SECONDS: case RTC_MINUTES: case RTC_HOURS: case RTC_WEEKDAY: case RTC_DAY: case RTC_MONTH: case RTC_YEAR:
    case RTC_CENTURY:
        if (is_held(s)) {
            s->cmos[s->index] = byte;
        } else {
            /* Written into the running clock: the field is replaced, the rest goes on. */
            int64_t date = date_ns(s), fraction = date - floor_div(date, NS_PER_SECOND) * NS_PER_SECOND;
            settle(s);
            show_date(s);
            s->cmos[s->index] = byte;
            set_date(s, bytes_to_s(s) * NS_PER_SECOND + fraction);
            s->seen_s = floor_div(date_ns(s), NS_PER_SECOND);
            refresh(s);
        }
        break;
    case RTC_SECONDS_ALARM: case RTC_MINUTES_ALARM: case RTC_HOURS_ALARM:
        settle(s);
        s->cmos[s->index] = byte;
        refresh(s);
        break;
    case RTC_A: control_write(s, RTC_A, byte & (uint8_t)~A_UIP); break;
    case RTC_B: control_write(s, RTC_B, byte); break;
    case RTC_C: case RTC_D: break; /* read-only */
    default: s->cmos[s->index] = byte;
    }
}

static void index_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ((Rtc *)dev)->index = value & 0x7f; /* bit 7 masks NMI in a PC: nothing here raises NMI through it */
}

/* The index register cannot be read back. */
static uint64_t index_read(Device *dev, const Register *reg, unsigned index)
{
    return 0xff;
}

static const Register rtc_regs[] = {
    { .name = "INDEX", .offset = 0, .size = 1, .read = index_read, .write = index_write },
    { .name = "DATA", .offset = 1, .size = 1, .read = data_read, .write = data_write },
};
static const RegisterBank rtc_banks[] = {
    { .name = "rtc", .size_bytes = 2, .regs = rtc_regs, .n_regs = ARRAY_SIZE(rtc_regs) },
};

/* Only for bytes that are plain memory or the alarm: not the date, not A to D. */
void rtc_set_cmos(Device *rtc, unsigned index, uint8_t value)
{
    assert(index < CMOS_BYTES);
    ((Rtc *)rtc)->cmos[index] = value;
}

uint8_t rtc_get_cmos(Device *rtc, unsigned index)
{
    assert(index < CMOS_BYTES);
    return ((Rtc *)rtc)->cmos[index];
}

/* -- life ------------------------------------------------------------------------------------------------------------------ */

/* The shutdown status by which a PC's BIOS tells a wake-up from S3 from a reset. */
static void rtc_suspend(void *opaque)
{
    ((Rtc *)opaque)->cmos[0x0f] = 0xfe;
}

static bool rtc_realize(Device *dev, Error **errp)
{
    Rtc *s = (Rtc *)dev;

    if (s->isa_irq >= ISA_N_IRQS) {
        error_set(errp, "Maximum value for \"irq\" is: %d", ISA_N_IRQS - 1);
        return false;
    }
    if (s->policy != POLICY_DISCARD && s->policy != POLICY_SLEW) {
        error_set(errp, "mc146818rtc: lost_tick_policy=%s is not supported: 'discard' and 'slew' are", policy_names[s->policy]);
        return false;
    }
    s->own_irq = isa_irq(isa_bus_of(dev), s->isa_irq);
    timer_init(&s->timer, rtc_clock(), rtc_timer, s);
    timer_init(&s->periodic, rtc_clock(), rtc_timer, s);
    isa_add_io(isa_bus_of(dev), (uint16_t)s->iobase, device_mmio(dev, 0));
    /* The battery keeps these over resets. */
    s->cmos[RTC_A] = A_DIVIDER_32K | 6;
    s->cmos[RTC_B] = B_24H;
    s->cmos[RTC_D] = D_VALID;
    s->offset_ns = 0;
    s->seen_s = floor_div(date_ns(s), NS_PER_SECOND);
    s->periodic_ns = clock_get_ns(s->timer.clock);
    show_date(s);
    machine_add_suspend(rtc_suspend, s);
    return true;
}

static void rtc_unrealize(Device *dev)
{
    timer_cancel(&((Rtc *)dev)->timer);
    timer_cancel(&((Rtc *)dev)->periodic);
}

/* RESET clears interrupt enables and flags, not the time. */
static void rtc_reset(Device *dev, ResetKind kind)
{
    Rtc *s = (Rtc *)dev;

    s->cmos[RTC_B] &= (uint8_t)~(B_PIE | B_AIE | B_UIE | 8);
    s->cmos[RTC_C] = 0;
    s->owed = 0;
    timer_cancel(&s->timer);
    timer_cancel(&s->periodic);
}

static void rtc_reset_hold(Device *dev, ResetKind kind)
{
    Rtc *s = (Rtc *)dev;

    s->irq = device_irq_out(dev, NULL, 0);
    update_irq(s);
}

static bool rtc_post_load(void *opaque, uint32_t version, Error **errp)
{
    Rtc *s = opaque;

    if (s->index >= CMOS_BYTES || s->periodic_ns < 0 || s->seen_s > INT64_MAX / NS_PER_SECOND / 2 ||
        s->seen_s < INT64_MIN / NS_PER_SECOND / 2 || s->offset_ns > INT64_MAX / 2 || s->offset_ns < INT64_MIN / 2) {
        error_set(errp, "mc146818rtc: impossible state");
        return false;
    }
    s->irq = device_irq_out(&s->dev, NULL, 0);
    arm(s);
    update_irq(s);
    return true;
}

static const StateField rtc_fields[] = {
    STATE_U(Rtc, index), STATE_BYTES(Rtc, cmos), STATE_U(Rtc, offset_ns), STATE_U(Rtc, seen_s), STATE_U(Rtc, periodic_ns),
    STATE_U(Rtc, owed),
};
static const StateDesc rtc_state = {
    .name = "mc146818rtc", .version = 1, .min_version = 1, .fields = rtc_fields, .n_fields = ARRAY_SIZE(rtc_fields),
    .post_load = rtc_post_load,
};

static bool date_get(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    time_t t = (time_t)floor_div(date_ns((Rtc *)obj), NS_PER_SECOND);
    struct tm tm;
    char text[64] = "";

    if (gmtime_r(&t, &tm)) {
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    *ret = prop_string(text);
    return true;
}

static const Property rtc_props[] = {
    PROP_I32("base_year", Rtc, base_year, 0, NULL), PROP_U32("iobase", Rtc, iobase, 0x70, NULL),
    PROP_U8("irq", Rtc, isa_irq, 8, NULL),
    { .name = "lost_tick_policy", .kind = PROP_ENUM, .type_name = "LostTickPolicy", .offset = offsetof(Rtc, policy),
      .names = policy_names, .has_default = true },
    { .name = "date", .kind = PROP_CUSTOM, .type_name = "str", .get = date_get, .read_only = true },
};
static const IrqDef rtc_irqs[] = { { NULL, 1, NULL } };

static const DeviceType rtc_type = {
    .type = { .name = "mc146818rtc", .parent = "isa-device", .summary = "MC146818 real-time clock", .size_bytes = sizeof(Rtc),
              .props = rtc_props, .n_props = ARRAY_SIZE(rtc_props) },
    .category = DEVICE_MISC, .bus = "ISA", .banks = rtc_banks, .n_banks = 1, .irqs_out = rtc_irqs, .n_irqs_out = 1,
    .state = &rtc_state, .realize = rtc_realize, .unrealize = rtc_unrealize, .reset_enter = rtc_reset,
    .reset_hold = rtc_reset_hold,
};
DEVICE_TYPE_REGISTER(rtc_type);
