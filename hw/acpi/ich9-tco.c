/*
 * ich9-tco.c: the TCO watchdog timer of the ICH9.
 *
 * The timer counts TCO_TMR steps of 0.6 s down. At zero TIMEOUT is set, an SMI raised, and it starts again; at the second
 * zero in a row SECOND_TO_STS is set and the machine reset, unless the no-reboot strap says otherwise.
 *
 * Specification: ICH9 data sheet, 13.9 (TCO registers), 5.14.1 (theory of operation).
 */
#include "hw/acpi.h"

enum { /* offsets from TCOBASE */
    TCO_RLD = 0x00, TCO_DAT_IN = 0x02, TCO_DAT_OUT = 0x03, TCO1_STS = 0x04, TCO2_STS = 0x06, TCO1_CNT = 0x08,
    TCO2_CNT = 0x0a, TCO_MESSAGE1 = 0x0c, TCO_MESSAGE2 = 0x0d, TCO_WDCNT = 0x0e, SW_IRQ_GEN = 0x10, TCO_TMR = 0x12,
    TCO_BYTES = 0x20,
};
enum {
    STS1_SW_SMI = 1 << 1, STS1_OS_SMI = 1 << 2, STS1_TIMEOUT = 1 << 3, STS1_W1C = 0x1f7c | STS1_SW_SMI,
    STS2_SECOND = 1 << 1, STS2_BOOT = 1 << 2, STS2_W1C = 0x1f,
    CNT1_HALT = 1 << 11, CNT1_LOCK = 1 << 12, CNT1_WRITABLE = 0x1f00, TIMER_MASK = 0x3ff,
};
#define STEP_NS (INT64_C(600) * NS_PER_MS)

static void start(Ich9Tco *t)
{
    uint16_t steps = MAX(t->reload & TIMER_MASK, 2); /* 0 and 1 are not allowed */

    t->expires_ns = clock_get_ns(VM_CLOCK_VIRTUAL) + steps * STEP_NS;
    timer_set_ns(&t->timer, t->expires_ns);
}

static void halt(Ich9Tco *t)
{
    timer_cancel(&t->timer);
    t->expires_ns = INT64_MAX;
}

static void expired(void *opaque)
{
    Ich9Tco *t = opaque;

    t->status1 |= STS1_TIMEOUT;
    t->smi(t->opaque);
    if (t->second) {
        t->status2 |= STS2_SECOND | STS2_BOOT;
        t->second = false;
        if (!t->no_reboot) {
            halt(t);
            machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
            return;
        }
    } else {
        t->second = true;
    }
    start(t);
}

static uint16_t counter(const Ich9Tco *t)
{
    int64_t left = t->expires_ns - clock_get_ns(VM_CLOCK_VIRTUAL);

    return t->expires_ns == INT64_MAX ? t->reload & TIMER_MASK : left <= 0 ? 0 : (uint16_t)((left + STEP_NS - 1) / STEP_NS);
}

static MemResult tco_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    const Ich9Tco *t = opaque;
    uint32_t value = 0;

    switch (offset & ~UINT64_C(1)) {
    case TCO_RLD:
        value = counter(t);
        break;
    case TCO_DAT_IN:
        value = t->data_in | (uint32_t)t->data_out << 8;
        break;
    case TCO1_STS:
        value = t->status1;
        break;
    case TCO2_STS:
        value = t->status2;
        break;
    case TCO1_CNT:
        value = t->control1;
        break;
    case TCO2_CNT:
        value = t->control2;
        break;
    case TCO_MESSAGE1:
        value = t->message[0] | (uint32_t)t->message[1] << 8;
        break;
    case TCO_WDCNT:
        value = t->wdcnt;
        break;
    case SW_IRQ_GEN:
        value = t->sw_irq;
        break;
    case TCO_TMR:
        value = t->reload;
        break;
    default:
        break;
    }
    *ret = value >> offset % 2 * 8;
    return MEM_OK;
}

static void write_control1(Ich9Tco *t, uint16_t value)
{
    uint16_t locked = t->control1 & CNT1_LOCK;

    t->control1 = (value & CNT1_WRITABLE) | locked;
    if (t->control1 & CNT1_HALT) {
        halt(t);
    } else if (t->expires_ns == INT64_MAX) {
        start(t);
    }
}

static MemResult tco_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Ich9Tco *t = opaque;

    switch (offset) {
    case TCO_RLD:
        t->second = false;
        if (!(t->control1 & CNT1_HALT)) {
            start(t);
        }
        break;
    case TCO_DAT_IN:
        t->data_in = (uint8_t)value;
        t->status1 |= STS1_SW_SMI;
        t->smi(t->opaque);
        break;
    case TCO_DAT_OUT:
        t->data_out = (uint8_t)value;
        t->status1 |= STS1_OS_SMI;
        break;
    case TCO1_STS:
        t->status1 &= (uint16_t)~(value & STS1_W1C);
        break;
    case TCO2_STS:
        t->status2 &= (uint16_t)~(value & STS2_W1C);
        break;
    case TCO1_CNT:
        write_control1(t, (uint16_t)value);
        break;
    case TCO2_CNT:
        t->control2 = (uint16_t)value;
        break;
    case TCO_MESSAGE1:
        t->message[0] = (uint8_t)value;
        break;
    case TCO_MESSAGE2:
        t->message[1] = (uint8_t)value;
        break;
    case TCO_WDCNT:
        t->wdcnt = (uint8_t)value;
        break;
    case SW_IRQ_GEN:
        t->sw_irq = (uint8_t)value;
        break;
    case TCO_TMR:
        t->reload = value & TIMER_MASK;
        break;
    default:
        break;
    }
    return MEM_OK;
}

static const MemoryOps tco_ops = {
    .read = tco_read, .write = tco_write, .endian = MEM_LITTLE_ENDIAN,
    .valid = { .min = 1, .max = 4 }, .impl = { .min = 1, .max = 2 },
};

void ich9_tco_init(Ich9Tco *t, Object *owner, void (*smi)(void *opaque), void *opaque)
{
    t->smi = smi;
    t->opaque = opaque;
    t->no_reboot = true; /* the strap's default here; GCS shows and changes it */
    t->expires_ns = INT64_MAX;
    timer_init(&t->timer, VM_CLOCK_VIRTUAL, expired, t);
    memory_region_init_mmio(&t->mr, owner, &tco_ops, t, "sm-tco", TCO_BYTES);
}

void ich9_tco_finish(Ich9Tco *t)
{
    timer_cancel(&t->timer);
}

void ich9_tco_reset(Ich9Tco *t)
{
    uint16_t boot = t->status2 & (STS2_SECOND | STS2_BOOT); /* tells the next boot why */

    halt(t);
    t->reload = 4;
    t->control1 = CNT1_HALT;
    t->control2 = 8;
    t->status1 = 0;
    t->status2 = boot;
    t->data_in = t->data_out = t->message[0] = t->message[1] = t->wdcnt = 0;
    t->sw_irq = 3;
    t->second = false;
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    Ich9Tco *t = opaque;

    if (t->expires_ns != INT64_MAX) {
        timer_set_ns(&t->timer, t->expires_ns);
    }
    return true;
}

static const StateField fields[] = {
    STATE_U(Ich9Tco, reload), STATE_U(Ich9Tco, control1), STATE_U(Ich9Tco, control2), STATE_U(Ich9Tco, status1),
    STATE_U(Ich9Tco, status2), STATE_U(Ich9Tco, data_in), STATE_U(Ich9Tco, data_out), STATE_BYTES(Ich9Tco, message),
    STATE_U(Ich9Tco, wdcnt), STATE_U(Ich9Tco, sw_irq), STATE_U(Ich9Tco, second), STATE_U(Ich9Tco, no_reboot),
    STATE_U(Ich9Tco, expires_ns),
};

const StateDesc ich9_tco_state = {
    .name = "ich9-tco", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields),
    .post_load = post_load,
};
