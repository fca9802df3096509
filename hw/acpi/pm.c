/*
 * pm.c: PM1 event and control registers, PM timer, GPE0: the fixed hardware of ACPI 6.5, chapter 4.8.3 and 4.8.4.
 *
 * Registers are read and written a byte at a time here, so that any width and alignment works. The SCI is raised while
 * SCI_EN is set and an enabled event has happened. The timer counts 24 bits at 3.579545 MHz of virtual time; its status
 * bit is set when bit 23 changes, which is computed when somebody looks, and timed only while the event is enabled.
 */
#include "hw/acpi.h"

enum {
    PM1_STS = 0, PM1_EN = 2, PM1_CNT = 4, PM1_TMR = 8, PM1_BYTES = 64,
    EVENTS = ACPI_PM1_TIMER | ACPI_PM1_GLOBAL | ACPI_PM1_POWER_BUTTON | ACPI_PM1_SLEEP_BUTTON | ACPI_PM1_RTC,
    SLP_TYP_SHIFT = 10, SLP_TYP_MASK = 7, SLEEP_S5 = 0, SLEEP_S3 = 1,
    TIMER_HALF = 1 << 23, TIMER_MASK = (1 << 24) - 1,
};

/* ---- timer ---- */

static uint64_t ticks_now(void)
{
    return (uint64_t)((unsigned __int128)clock_get_ns(VM_CLOCK_VIRTUAL) * ACPI_PM_TIMER_HZ / NS_PER_SECOND);
}

/* The first nanosecond at which the counter has this value. */
static int64_t ticks_to_ns(uint64_t ticks)
{
    return (int64_t)(((unsigned __int128)ticks * NS_PER_SECOND + ACPI_PM_TIMER_HZ - 1) / ACPI_PM_TIMER_HZ);
}

static uint16_t status_now(AcpiPm *pm)
{
    if (ticks_now() >= pm->overflow_ticks) {
        pm->status |= ACPI_PM1_TIMER;
    }
    return pm->status;
}

static void next_overflow(AcpiPm *pm)
{
    pm->overflow_ticks = (ticks_now() + TIMER_HALF) & ~(uint64_t)(TIMER_HALF - 1);
}

static void timer_fired(void *opaque)
{
    if (run_state_is(RUN_STATE_SUSPENDED)) {
        (void)!machine_request_wakeup(WAKEUP_PM_TIMER, NULL);
    }
    acpi_pm_update_sci(opaque);
}

/* ---- events ---- */

void acpi_pm_update_sci(AcpiPm *pm)
{
    uint16_t status = status_now(pm);
    bool level = status & pm->enable & EVENTS;
    unsigned half = pm->gpe_bytes / 2u;

    for (unsigned i = 0; i < half; i++) {
        level |= pm->gpe[i] & pm->gpe[half + i];
    }
    irq_set(pm->sci, level && (pm->control & ACPI_PM1_CNT_SCI_EN));
    if ((pm->enable & ACPI_PM1_TIMER) && !(status & ACPI_PM1_TIMER)) {
        timer_set_ns(&pm->timer, ticks_to_ns(pm->overflow_ticks));
    } else {
        timer_cancel(&pm->timer);
    }
    machine_enable_wakeup(WAKEUP_RTC, pm->enable & ACPI_PM1_RTC);
    machine_enable_wakeup(WAKEUP_PM_TIMER, pm->enable & ACPI_PM1_TIMER);
}

void acpi_pm_raise_gpe(AcpiPm *pm, unsigned bit)
{
    assert(bit / 8 < pm->gpe_bytes / 2u);
    pm->gpe[bit / 8] |= (uint8_t)(1u << bit % 8);
    acpi_pm_update_sci(pm);
}

void acpi_pm_enable(AcpiPm *pm, bool on)
{
    pm->control = (uint16_t)((pm->control & ~ACPI_PM1_CNT_SCI_EN) | (on ? ACPI_PM1_CNT_SCI_EN : 0));
    acpi_pm_update_sci(pm);
}

static void power_button(void *opaque)
{
    AcpiPm *pm = opaque;

    pm->status |= ACPI_PM1_POWER_BUTTON;
    acpi_pm_update_sci(pm);
}

/* 4.8.3.1.1, WAK_STS; the monitor's wake-up looks like the power button. */
static void woken(void *opaque, WakeupReason reason)
{
    AcpiPm *pm = opaque;

    pm->status |= ACPI_PM1_WAKE | (reason == WAKEUP_RTC ? ACPI_PM1_RTC
                                   : reason == WAKEUP_PM_TIMER ? ACPI_PM1_TIMER : ACPI_PM1_POWER_BUTTON);
    acpi_pm_update_sci(pm);
}

/* SLP_EN was written as one. */
static void go_to_sleep(AcpiPm *pm)
{
    unsigned type = pm->control >> SLP_TYP_SHIFT & SLP_TYP_MASK;

    if (type == SLEEP_S5) {
        machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    } else if (type == pm->s4_value && !pm->no_s4) {
        machine_request_suspend_disk();
    } else if (type == SLEEP_S3 && !pm->no_s3) {
        machine_request_suspend();
    }
}

/* ---- registers ---- */

static uint8_t pm1_byte(AcpiPm *pm, unsigned at)
{
    switch (at) {
    case PM1_STS: case PM1_STS + 1:
        return (uint8_t)(status_now(pm) >> at % 2 * 8);
    case PM1_EN: case PM1_EN + 1:
        return (uint8_t)(pm->enable >> at % 2 * 8);
    case PM1_CNT: case PM1_CNT + 1:
        return (uint8_t)(pm->control >> at % 2 * 8);
    default:
        return 0;
    }
}

static MemResult pm1_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    AcpiPm *pm = opaque;

    *ret = 0;
    if (offset / 4 == PM1_TMR / 4) { /* of one moment */
        *ret = (ticks_now() & TIMER_MASK) >> offset % 4 * 8;
        return MEM_OK;
    }
    for (unsigned i = 0; i < size; i++) {
        *ret |= (uint64_t)pm1_byte(pm, (unsigned)offset + i) << i * 8;
    }
    return MEM_OK;
}

static void pm1_write_byte(AcpiPm *pm, unsigned at, uint8_t value)
{
    unsigned shift = at % 2 * 8;
    uint16_t mask = (uint16_t)(0xff << shift), bits = (uint16_t)(value << shift);

    switch (at & ~1u) {
    case PM1_STS:
        status_now(pm);
        if (bits & pm->status & ACPI_PM1_TIMER) {
            next_overflow(pm);
        }
        pm->status &= (uint16_t)~bits;
        break;
    case PM1_EN:
        pm->enable = (uint16_t)((pm->enable & ~mask) | (bits & EVENTS));
        break;
    case PM1_CNT:
        /* SLP_EN reads as zero, SCI_EN is changed by firmware's command alone (4.8.3.2.1). */
        mask &= (uint16_t)~(ACPI_PM1_CNT_SLP_EN | ACPI_PM1_CNT_SCI_EN);
        pm->control = (uint16_t)((pm->control & ~mask) | (bits & mask));
        if (bits & ACPI_PM1_CNT_SLP_EN) {
            go_to_sleep(pm);
        }
        break;
    default:
        break;
    }
}

static MemResult pm1_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    for (unsigned i = 0; i < size; i++) {
        pm1_write_byte(opaque, (unsigned)offset + i, (uint8_t)(value >> i * 8));
    }
    acpi_pm_update_sci(opaque);
    return MEM_OK;
}

static const MemoryOps pm1_ops = {
    .read = pm1_read, .write = pm1_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 1, .max = 4 },
};

static MemResult gpe_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    AcpiPm *pm = opaque;

    *ret = 0;
    for (unsigned i = 0; i < size && offset + i < pm->gpe_bytes; i++) {
        *ret |= (uint64_t)pm->gpe[offset + i] << i * 8;
    }
    return MEM_OK;
}

static MemResult gpe_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    AcpiPm *pm = opaque;

    for (unsigned i = 0; i < size && offset + i < pm->gpe_bytes; i++) {
        uint8_t *byte = &pm->gpe[offset + i], bits = (uint8_t)(value >> i * 8);
        *byte = offset + i < pm->gpe_bytes / 2u ? *byte & (uint8_t)~bits : bits;
    }
    acpi_pm_update_sci(pm);
    return MEM_OK;
}

static const MemoryOps gpe_ops = {
    .read = gpe_read, .write = gpe_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 1, .max = 4 },
};

void acpi_pm_init(AcpiPm *pm, Object *owner, unsigned gpe_bytes)
{
    assert(gpe_bytes <= ACPI_GPE_MAX_BYTES);
    pm->gpe_bytes = (uint8_t)gpe_bytes;
    timer_init(&pm->timer, VM_CLOCK_VIRTUAL, timer_fired, pm);
    memory_region_init_mmio(&pm->pm1_mr, owner, &pm1_ops, pm, "acpi-pm1", PM1_BYTES);
    memory_region_init_mmio(&pm->gpe_mr, owner, &gpe_ops, pm, "acpi-gpe0", gpe_bytes);
    machine_add_powerdown(power_button, pm);
    machine_add_wakeup(woken, pm);
    machine_set_can_suspend(!pm->no_s3);
}

void acpi_pm_finish(AcpiPm *pm)
{
    timer_cancel(&pm->timer);
}

void acpi_pm_reset(AcpiPm *pm, ResetKind kind)
{
    pm->status = pm->enable = pm->control = 0;
    memset(pm->gpe, 0, sizeof(pm->gpe));
    next_overflow(pm);
    acpi_pm_update_sci(pm);
}

static bool pm_post_load(void *opaque, uint32_t version, Error **errp)
{
    acpi_pm_update_sci(opaque);
    return true;
}

static const StateField pm_fields[] = {
    STATE_U(AcpiPm, status), STATE_U(AcpiPm, enable), STATE_U(AcpiPm, control), STATE_U(AcpiPm, overflow_ticks),
    STATE_BYTES(AcpiPm, gpe),
};

const StateDesc acpi_pm_state = {
    .name = "acpi-pm", .version = 1, .min_version = 1, .fields = pm_fields, .n_fields = ARRAY_SIZE(pm_fields),
    .post_load = pm_post_load,
};

/* ---- ports 0xb2 (command, raises an SMI where the chipset says so) and 0xb3 (a byte firmware may use) ---- */

static MemResult apm_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    AcpiApm *apm = opaque;

    *ret = offset ? apm->status : apm->control;
    return MEM_OK;
}

static MemResult apm_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    AcpiApm *apm = opaque;

    if (offset) {
        apm->status = (uint8_t)value;
    } else {
        apm->control = (uint8_t)value;
        apm->command(apm->opaque, apm->control);
    }
    return MEM_OK;
}

static const MemoryOps apm_ops = {
    .read = apm_read, .write = apm_write, .endian = MEM_LITTLE_ENDIAN,
    .valid = { .min = 1, .max = 2 }, .impl = { .min = 1, .max = 1 },
};

void acpi_apm_init(AcpiApm *apm, Object *owner, void (*command)(void *opaque, uint8_t value), void *opaque)
{
    apm->command = command;
    apm->opaque = opaque;
    memory_region_init_mmio(&apm->mr, owner, &apm_ops, apm, "apm-io", 2);
}

void acpi_apm_reset(AcpiApm *apm)
{
    apm->control = apm->status = 0;
}
