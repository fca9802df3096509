/*
 * bcm2835-powermgt.c: the BCM2835's watchdog, by which it restarts and is switched off.
 *
 * Registers as the Linux driver bcm2835_wdt uses them: writes need the password 0x5a in the top byte; the watchdog counts down in 1/65536 s while
 * PM_RSTC asks for a full reset. Firmware that finds the partition number 63 in PM_RSTS halts instead of starting again: the machine is off.
 *
 * Left out: power domains, whose registers keep what is written.
 */
#include "hw/device.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum {
    PASSWORD = 0x5a, N_WORDS = 0x80,
    RSTC = 0x1c, RSTS = 0x20, WDOG = 0x24,
    RSTC_CONFIG = 0x30, RSTC_FULL_RESET = 0x20, RSTC_INITIAL = 0x102,
    RSTS_POWER_ON = 0x1000, RSTS_HALT = 0x555,
    WDOG_TICKS = 0xfffff, WDOG_HZ = 65536,
};

typedef struct PowerMgt {
    Device dev;
    uint32_t words[N_WORDS];
    Timer timer;
} PowerMgt;

static void expired(void *opaque)
{
    PowerMgt *s = opaque;

    if ((s->words[RSTS / 4] & RSTS_HALT) == RSTS_HALT) {
        machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    } else {
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

static uint64_t word_read(Device *dev, const Register *reg, unsigned index)
{
    PowerMgt *s = (PowerMgt *)dev;

    if (4 * index == WDOG && timer_pending(&s->timer)) {
        int64_t left = timer_deadline_ns(&s->timer) - clock_get_ns(VM_CLOCK_VIRTUAL);

        return left > 0 ? (uint64_t)left * WDOG_HZ / NS_PER_SECOND & WDOG_TICKS : 0;
    }
    return s->words[index];
}

static void word_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    PowerMgt *s = (PowerMgt *)dev;
    uint32_t offset = 4 * index;

    if (value >> 24 != PASSWORD) {
        log_guest_error("bcm2835-powermgt: write of 0x%" PRIx64 " to 0x%x without the password\n", value, offset);
        return;
    }
    s->words[index] = (uint32_t)value & 0xffffff;
    if (offset != RSTC && offset != WDOG) {
        return;
    }
    if ((s->words[RSTC / 4] & RSTC_CONFIG) == RSTC_FULL_RESET) {
        uint64_t ticks = s->words[WDOG / 4] & WDOG_TICKS;

        timer_set_ns(&s->timer, clock_get_ns(VM_CLOCK_VIRTUAL) + (int64_t)(ticks * NS_PER_SECOND / WDOG_HZ));
    } else {
        timer_cancel(&s->timer);
    }
}

static const Register powermgt_regs[] = {
    { .name = "PM", .offset = 0, .size = 4, .count = N_WORDS, .read = word_read, .write = word_write },
};

static const RegisterBank powermgt_banks[] = {
    { .name = "bcm2835-powermgt", .size_bytes = 4 * N_WORDS, .access_min = 4, .access_max = 4, .regs = powermgt_regs,
      .n_regs = ARRAY_SIZE(powermgt_regs) },
};

static bool powermgt_realize(Device *dev, Error **errp)
{
    timer_init(&((PowerMgt *)dev)->timer, VM_CLOCK_VIRTUAL, expired, dev);
    return true;
}

static void powermgt_unrealize(Device *dev)
{
    timer_cancel(&((PowerMgt *)dev)->timer);
}

static void powermgt_reset(Device *dev, ResetKind kind)
{
    PowerMgt *s = (PowerMgt *)dev;

    timer_cancel(&s->timer);
    memset(s->words, 0, sizeof(s->words));
    s->words[RSTC / 4] = RSTC_INITIAL;
    s->words[RSTS / 4] = RSTS_POWER_ON;
}

static const StateField powermgt_fields[] = { STATE_U_ARRAY(PowerMgt, words), STATE_TIMER_FIELD(PowerMgt, timer) };
static const StateDesc powermgt_state = {
    .name = "bcm2835-powermgt", .version = 1, .min_version = 1, .fields = powermgt_fields, .n_fields = ARRAY_SIZE(powermgt_fields),
};

static const DeviceType powermgt_type = {
    .type = { .name = "bcm2835-powermgt", .parent = "sys-bus-device", .summary = "BCM2835 watchdog and power management",
              .size_bytes = sizeof(PowerMgt) },
    .category = DEVICE_WATCHDOG, .bus = "System", .banks = powermgt_banks, .n_banks = ARRAY_SIZE(powermgt_banks), .state = &powermgt_state,
    .realize = powermgt_realize, .unrealize = powermgt_unrealize, .reset_enter = powermgt_reset,
};
DEVICE_TYPE_REGISTER(powermgt_type);
