/*
 * apic.c: a processor's local APIC, in xAPIC and x2APIC mode.
 *
 * Specification: Intel SDM volume 3, chapter 11 (registers 11.4.1, LVT 11.5.1, timer 11.5.4, ICR 11.6.1, priorities 11.8.3,
 * EOI 11.8.5, x2APIC 11.12). The timer counts at 1 GHz before its divider. Left out: CMCI and the arbitration priority (APR reads as
 * the task priority), performance counter and thermal sensor as sources: their LVT entries are storage. Delivery is at once, so ICR's
 * "send pending" is never seen.
 */
#include "hw/i386/apic-state.h"
#include "util/bits.h"
#include "util/log.h"

enum {
    TIMER_MODE_SHIFT = 17, TIMER_ONE_SHOT = 0, TIMER_PERIODIC = 1, TIMER_DEADLINE = 2,
    SVR_ENABLE = 1 << 8, ESR_SEND_ILLEGAL = 1 << 5, ESR_RECEIVE_ILLEGAL = 1 << 6, ESR_ILLEGAL_REGISTER = 1 << 7,
    MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC = 0x800,
};
static const uint32_t lvt_writable[N_LVT] = {
    [LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff, [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,
    [LVT_ERROR] = 0x100ff,
};

static bool is_enabled(const Lapic *s)
{
    return (s->base & APIC_BASE_ENABLE) && (s->svr & SVR_ENABLE);
}

static bool is_x2(const Lapic *s)
{
    return (s->base & (APIC_BASE_ENABLE | APIC_BASE_X2)) == (APIC_BASE_ENABLE | APIC_BASE_X2);
}

/* -- vectors --------------------------------------------------------------------------------------------------------- */

static int highest(const uint32_t set[8])
{
    for (int i = 7; i >= 0; i--) {
        if (set[i]) {
            return i * 32 + 31 - __builtin_clz(set[i]);
        }
    }
    return -1;
}

static void put_bit(uint32_t set[8], unsigned n, bool on)
{
    if (on) {
        set[n / 32] |= UINT32_C(1) << n % 32;
    } else {
        set[n / 32] &= ~(UINT32_C(1) << n % 32);
    }
}

static bool get_bit(const uint32_t set[8], unsigned n)
{
    return set[n / 32] >> n % 32 & 1;
}

static uint8_t ppr(const Lapic *s)
{
    int in_service = highest(s->isr);
    uint8_t isr_class = in_service < 0 ? 0 : (uint8_t)(in_service & 0xf0);

    return (s->tpr & 0xf0) >= isr_class ? s->tpr : isr_class;
}

/* The vector to be delivered; -1: none that may. */
static int deliverable(const Lapic *s)
{
    int vector = is_enabled(s) ? highest(s->irr) : -1;
    return vector >= 0 && (vector & 0xf0) > (ppr(s) & 0xf0) ? vector : -1;
}

/* Whether the 8259s' INT reaches the processor: directly while the APIC is off, else through LINT0 as ExtINT. */
static bool pic_asks(const Lapic *s)
{
    uint32_t lvt = s->lvt[LVT_LINT0];

    if (!s->lint[0]) {
        return false;
    }
    return !(s->base & APIC_BASE_ENABLE) || (!(lvt & LVT_MASKED) && (lvt >> 8 & 7) == APIC_EXTINT);
}

static void update(Lapic *s)
{
    s->intr_level = deliverable(s) >= 0 || pic_asks(s);
    irq_set(s->intr, s->intr_level);
}

static void error(Lapic *s, uint32_t bit);

static void set_irr(Lapic *s, uint8_t vector, bool level)
{
    if (vector < 16) {
        error(s, ESR_RECEIVE_ILLEGAL);
        return;
    }
    put_bit(s->irr, vector, true);
    put_bit(s->tmr, vector, level);
}

/* An interrupt of the APIC's own. */
static void local(Lapic *s, unsigned n)
{
    uint32_t lvt = s->lvt[n];

    if (lvt & LVT_MASKED) {
        return;
    }
    switch (n == LVT_TIMER || n == LVT_ERROR ? APIC_FIXED : lvt >> 8 & 7) {
    case APIC_FIXED:
        if (is_enabled(s)) {
            bool level = n == LVT_LINT0 && (lvt & LVT_LEVEL);
            set_irr(s, (uint8_t)lvt, level);
            if (level) {
                s->lvt[n] |= LVT_REMOTE_IRR;
            }
        }
        break;
    case APIC_SMI: device_set_irq(&s->dev, "smi", 0, 1); break;
    case APIC_NMI: device_set_irq(&s->dev, "nmi", 0, 1); break;
    case APIC_INIT: device_set_irq(&s->dev, "init", 0, 1); break;
    }
    update(s);
}

/* 11.5.3: errors are collected until the guest writes ESR; each raises the error interrupt. */
static void error(Lapic *s, uint32_t bit)
{
    bool is_new = !(s->esr_shadow & bit);

    s->esr_shadow |= bit;
    if (is_new && (s->lvt[LVT_ERROR] & 0xff) >= 16) {
        local(s, LVT_ERROR);
    }
}

/* -- messages -------------------------------------------------------------------------------------------------------- */

static uint32_t x2_ldr(const Lapic *s)
{
    return (s->initial_id >> 4) << 16 | UINT32_C(1) << (s->initial_id & 15);
}

bool apic_matches(Device *apic, const ApicMessage *msg)
{
    const Lapic *s = (const Lapic *)apic;

    if (!(s->base & APIC_BASE_ENABLE)) {
        return false;
    }
    if (msg->broadcast) {
        return true;
    }
    if (!msg->logical) {
        return msg->dest == (is_x2(s) ? s->initial_id : s->id);
    }
    if (is_x2(s)) {
        return msg->dest >> 16 == x2_ldr(s) >> 16 && (msg->dest & x2_ldr(s) & 0xffff);
    }
    if (msg->dest > 0xff) {
        return false;
    }
    uint32_t mine = s->ldr >> 24;
    if (s->dfr >> 28 == 0xf) {
        return (msg->dest & mine) != 0; /* flat */
    }
    return msg->dest >> 4 == mine >> 4 && (msg->dest & mine & 15);
}

unsigned apic_priority(Device *apic)
{
    return ppr((Lapic *)apic);
}

bool apic_takes_fixed(Device *apic)
{
    return is_enabled((Lapic *)apic);
}

void apic_receive(Device *apic, const ApicMessage *msg)
{
    Lapic *s = (Lapic *)apic;

    switch (msg->delivery) {
    case APIC_FIXED: case APIC_LOWEST:
        if (is_enabled(s)) {
            set_irr(s, msg->vector, msg->level);
            update(s);
        }
        break;
    case APIC_SMI: device_set_irq(apic, "smi", 0, 1); break;
    case APIC_NMI: device_set_irq(apic, "nmi", 0, 1); break;
    case APIC_INIT: device_set_irq(apic, "init", 0, 1); break;
    case APIC_SIPI: device_set_irq(apic, "sipi", 0, msg->vector + 1); break;
    case APIC_EXTINT: break; /* as a message: the 8259s' INT comes by wire */
    }
}

static void send(Lapic *s, uint32_t low, uint32_t high)
{
    ApicMessage msg = {
        .vector = (uint8_t)low, .delivery = low >> 8 & 7, .logical = low >> 11 & 1, .level = low >> 15 & 1,
        .dest = is_x2(s) ? high : high >> 24,
    };
    bool assert_level = low >> 14 & 1;

    msg.broadcast = msg.dest == (is_x2(s) ? UINT32_MAX : 0xff);
    if (msg.delivery == APIC_INIT && msg.level && !assert_level) {
        return; /* INIT level de-assert only synchronizes arbitration ids, which are not there */
    }
    if (msg.delivery == APIC_RESERVED || msg.delivery == APIC_EXTINT) {
        log_guest_error("apic: ICR with delivery mode %u\n", msg.delivery);
        return;
    }
    if ((msg.delivery == APIC_FIXED || msg.delivery == APIC_LOWEST) && msg.vector < 16) {
        error(s, ESR_SEND_ILLEGAL);
        return;
    }
    msg.level = false; /* IPIs are edge-triggered */
    switch (low >> 18 & 3) {
    case 0: apic_bus_deliver(s->bus, &msg); break;
    case 1: apic_receive(&s->dev, &msg); break;
    default: apic_bus_deliver_to_others(s->bus, &s->dev, (low >> 18 & 3) == 2, &msg);
    }
}

static void end_of_interrupt(Lapic *s)
{
    int vector = highest(s->isr);

    if (vector < 0) {
        return;
    }
    put_bit(s->isr, (unsigned)vector, false);
    if (get_bit(s->tmr, (unsigned)vector)) {
        if ((s->lvt[LVT_LINT0] & (LVT_REMOTE_IRR | 0xff)) == (uint32_t)(LVT_REMOTE_IRR | vector)) {
            s->lvt[LVT_LINT0] &= ~(uint32_t)LVT_REMOTE_IRR;
            if (s->lint[0]) {
                local(s, LVT_LINT0);
            }
        }
        apic_bus_eoi(s->bus, (uint8_t)vector);
    }
    update(s);
}

int apic_acknowledge(Device *apic)
{
    Lapic *s = (Lapic *)apic;

    if (s->fetch) {
        return s->pic_ack ? (int)s->pic_ack(s->pic_opaque) : -1; /* the accelerator has taken its own, and lets LINT0 through */
    }
    int vector = deliverable(s);
    if (vector >= 0) {
        put_bit(s->irr, (unsigned)vector, false);
        put_bit(s->isr, (unsigned)vector, true);
    } else if (pic_asks(s) && s->pic_ack) {
        vector = (int)s->pic_ack(s->pic_opaque);
    }
    update(s);
    return vector;
}

void apic_set_lint(Device *apic, unsigned pin, bool level)
{
    Lapic *s = (Lapic *)apic;
    unsigned n = pin ? LVT_LINT1 : LVT_LINT0;
    bool rises = level && !s->lint[pin];

    if (s->set_lint) {
        s->set_lint(s, pin, level);
        return;
    }
    s->lint[pin] = level;
    if (!(s->base & APIC_BASE_ENABLE)) {
        if (pin && rises) {
            device_set_irq(apic, "nmi", 0, 1); /* 11.4.3: the pins are INTR and NMI */
        }
    } else if ((s->lvt[n] >> 8 & 7) == APIC_FIXED && pin == 0 && (s->lvt[n] & LVT_LEVEL)) {
        if (level && !(s->lvt[n] & LVT_REMOTE_IRR)) {
            local(s, n);
        }
    } else if (rises) {
        local(s, n);
    }
    update(s);
}

/* -- timer ----------------------------------------------------------------------------------------------------------- */

static unsigned divide_shift(const Lapic *s)
{
    return ((s->divide & 3) + (s->divide >> 1 & 4) + 1) & 7;
}

static unsigned timer_mode(const Lapic *s)
{
    return s->lvt[LVT_TIMER] >> TIMER_MODE_SHIFT & 3;
}

/* Counts passed since the start. */
static uint64_t counts(const Lapic *s)
{
    int64_t passed = clock_get_ns(VM_CLOCK_VIRTUAL) - s->started_ns;
    return (uint64_t)MAX(passed, 0) >> divide_shift(s);
}

uint32_t apic_current_count(const Lapic *s)
{
    uint64_t n = counts(s);

    if (timer_mode(s) == TIMER_DEADLINE || !s->initial || !s->counting) {
        return 0;
    }
    if (timer_mode(s) == TIMER_PERIODIC) {
        return (uint32_t)(s->initial - n % s->initial);
    }
    return n < s->initial ? (uint32_t)(s->initial - n) : 0;
}

int64_t apic_started_ns(const Lapic *s, uint32_t count)
{
    uint64_t passed = count && count <= s->initial ? s->initial - count : s->initial;

    return MAX(clock_get_ns(VM_CLOCK_VIRTUAL) - (int64_t)(passed << divide_shift(s)), 0);
}

static void timer_arm(Lapic *s)
{
    int64_t at = INT64_MAX;

    if (timer_mode(s) == TIMER_DEADLINE) {
        at = s->tsc_deadline && s->tsc_deadline_ns ? s->tsc_deadline_ns(s->tsc_opaque, s->tsc_deadline) : INT64_MAX;
    } else if (s->counting && timer_mode(s) == TIMER_PERIODIC) {
        at = s->started_ns + (int64_t)((counts(s) / s->initial + 1) * s->initial << divide_shift(s));
    } else if (s->counting) {
        /* Also when this is over by now: this thread may have rested since it took the time. */
        at = s->started_ns + (int64_t)((uint64_t)s->initial << divide_shift(s));
    }
    if (at == INT64_MAX) {
        timer_cancel(&s->timer);
    } else {
        timer_set_ns(&s->timer, at);
    }
}

static void timer_fires(void *opaque)
{
    Lapic *s = opaque;

    if (timer_mode(s) == TIMER_DEADLINE) {
        s->tsc_deadline = 0;
    }
    local(s, LVT_TIMER);
    if (timer_mode(s) == TIMER_PERIODIC && s->initial) {
        s->started_ns += (int64_t)(counts(s) / s->initial * s->initial << divide_shift(s));
        timer_arm(s);
    } else {
        s->counting = false;
    }
}

/* -- registers ------------------------------------------------------------------------------------------------------- */

static uint32_t reg_read(Lapic *s, unsigned reg, bool *ret_ok)
{
    *ret_ok = true;
    switch (reg) {
    case LAPIC_ID: return is_x2(s) ? s->initial_id : s->id << 24;
    case LAPIC_VERSION: return LAPIC_VERSION_VALUE;
    case LAPIC_TPR: return s->tpr;
    case LAPIC_APR: return is_x2(s) ? (*ret_ok = false, 0u) : s->tpr;
    case LAPIC_PPR: return ppr(s);
    case LAPIC_RRD: return is_x2(s) ? (*ret_ok = false, 0u) : 0;
    case LAPIC_LDR: return is_x2(s) ? x2_ldr(s) : s->ldr;
    case LAPIC_DFR: return is_x2(s) ? (*ret_ok = false, 0u) : s->dfr;
    case LAPIC_SVR: return s->svr;
    case LAPIC_ISR ... LAPIC_ISR + 7: return s->isr[reg - LAPIC_ISR];
    case LAPIC_TMR ... LAPIC_TMR + 7: return s->tmr[reg - LAPIC_TMR];
    case LAPIC_IRR ... LAPIC_IRR + 7: return s->irr[reg - LAPIC_IRR];
    case LAPIC_ESR: return s->esr;
    case LAPIC_ICR: return s->icr[0];
    case LAPIC_ICR_HIGH: return is_x2(s) ? (*ret_ok = false, 0u) : s->icr[1];
    case LAPIC_LVT ... LAPIC_LVT + N_LVT - 1: return s->lvt[reg - LAPIC_LVT];
    case LAPIC_INITIAL: return s->initial;
    case LAPIC_CURRENT: return apic_current_count(s);
    case LAPIC_DIVIDE: return s->divide;
    case LAPIC_EOI: /* write-only; in xAPIC mode it reads as zero */
        *ret_ok = !is_x2(s);
        return 0;
    }
    *ret_ok = false;
    return 0;
}

static void svr_write(Lapic *s, uint32_t value)
{
    s->svr = value & 0x1ff;
    if (!(s->svr & SVR_ENABLE)) { /* 11.4.7.2: all LVT entries are masked */
        for (unsigned n = 0; n < N_LVT; n++) {
            s->lvt[n] |= LVT_MASKED;
        }
    }
}

static void lvt_write(Lapic *s, unsigned n, uint32_t value)
{
    unsigned old_mode = timer_mode(s);

    if (n == LVT_TIMER && old_mode == TIMER_ONE_SHOT && s->counting && counts(s) >= s->initial) {
        timer_cancel(&s->timer);
        timer_fires(s); /* it is over: another mode does not start it again (11.5.4: a write of the initial count does) */
    }
    s->lvt[n] = (s->lvt[n] & ~lvt_writable[n]) | (value & lvt_writable[n]);
    if (!(s->svr & SVR_ENABLE)) {
        s->lvt[n] |= LVT_MASKED;
    }
    if (n == LVT_TIMER) {
        if ((old_mode == TIMER_DEADLINE) != (timer_mode(s) == TIMER_DEADLINE)) { /* 11.5.4.1: disarmed */
            s->initial = 0;
            s->counting = false;
            s->tsc_deadline = 0;
        }
        timer_arm(s);
    } else if (n == LVT_LINT0 && (s->lvt[n] & LVT_LEVEL) && s->lint[0] && (s->lvt[n] >> 8 & 7) == APIC_FIXED &&
               !(s->lvt[n] & LVT_REMOTE_IRR)) {
        local(s, n);
    }
}

/* False: there is no such register to be written. */
static bool reg_write(Lapic *s, unsigned reg, uint32_t value)
{
    switch (reg) {
    case LAPIC_ID:
        if (is_x2(s)) {
            return false;
        }
        s->id = value >> 24;
        break;
    case LAPIC_TPR: s->tpr = (uint8_t)value; break;
    case LAPIC_EOI: end_of_interrupt(s); break;
    case LAPIC_LDR:
        if (is_x2(s)) {
            return false;
        }
        s->ldr = value & 0xff000000;
        break;
    case LAPIC_DFR:
        if (is_x2(s)) {
            return false;
        }
        s->dfr = value | 0x0fffffff;
        break;
    case LAPIC_SVR: svr_write(s, value); break;
    case LAPIC_ESR:
        s->esr = s->esr_shadow;
        s->esr_shadow = 0;
        break;
    case LAPIC_ICR:
        s->icr[0] = value & 0x000ccfff;
        send(s, s->icr[0], s->icr[1]);
        break;
    case LAPIC_ICR_HIGH:
        if (is_x2(s)) {
            return false;
        }
        s->icr[1] = value & 0xff000000;
        break;
    case LAPIC_LVT ... LAPIC_LVT + N_LVT - 1: lvt_write(s, reg - LAPIC_LVT, value); break;
    case LAPIC_INITIAL:
        if (timer_mode(s) != TIMER_DEADLINE) {
            s->initial = value;
            s->counting = value != 0;
            s->started_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
            timer_arm(s);
        }
        break;
    case LAPIC_DIVIDE:
        if (s->initial) { /* counts on from where it is */
            int64_t now = clock_get_ns(VM_CLOCK_VIRTUAL);
            uint64_t done = counts(s);
            s->divide = value & 0xb;
            s->started_ns = now - (int64_t)(MIN(done, UINT64_C(1) << 40) << divide_shift(s));
        }
        s->divide = value & 0xb;
        timer_arm(s);
        break;
    case LAPIC_SELF_IPI: {
        if (!is_x2(s)) {
            return false;
        }
        ApicMessage msg = { .vector = (uint8_t)value, .delivery = APIC_FIXED };
        apic_receive(&s->dev, &msg);
        break;
    }
    default: return false;
    }
    update(s);
    return true;
}

/* 11.4.1: registers are 16 bytes apart, accessed by aligned doublewords; what follows each is reserved. */
static MemResult apic_mmio_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    Lapic *s = opaque;
    bool ok = true;
    uint32_t value = offset & 12 ? 0 : reg_read(s, (unsigned)(offset >> 4), &ok);

    if (!ok) {
        error(s, ESR_ILLEGAL_REGISTER);
    }
    *ret = value >> 8 * (offset & 3);
    return MEM_OK;
}

static MemResult apic_mmio_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Lapic *s = opaque;

    if (!(offset & 12) && size == 4 && !reg_write(s, (unsigned)(offset >> 4), (uint32_t)value)) {
        error(s, ESR_ILLEGAL_REGISTER);
    }
    return MEM_OK;
}

static const MemoryOps apic_ops = { .read = apic_mmio_read, .write = apic_mmio_write, .valid = { 1, 4 }, .impl = { 1, 4 } };
static const RegisterBank apic_banks[] = { { .name = "apic", .size_bytes = APIC_BYTES, .ops = &apic_ops } };

/* -- MSRs -------------------------------------------------------------------------------------------------------------- */

static void place(Lapic *s)
{
    if (s->moved) {
        bool mmio = (s->base & APIC_BASE_ENABLE) && !(s->base & APIC_BASE_X2);
        s->moved(s->moved_opaque, mmio ? s->base & ~UINT64_C(0xfff) : UINT64_MAX);
    }
}

/* Table 11-5 and 11.12.5: which changes of mode are allowed. */
static bool base_write(Lapic *s, uint64_t value)
{
    unsigned from = s->base >> 10 & 3, to = value >> 10 & 3;

    if ((value & (0xff | 1 << 9)) || value >> s->phys_bits || to == 1 || ((to & 1) && !s->has_x2apic)) {
        return false;
    }
    if ((from == 3 && to == 2) || (from == 0 && to == 3)) {
        return false; /* out of x2APIC mode only to disabled; into it only from xAPIC mode */
    }
    s->base = (value & ~(uint64_t)APIC_BASE_BSP) | (s->is_bsp ? APIC_BASE_BSP : 0);
    if (from != to) {
        if (to == 0) {
            apic_init_reset(&s->dev);
            s->id = s->initial_id & 0xff;
        }
        s->icr[1] = 0;
        place(s);
    } else if (to == 2) {
        place(s);
    }
    update(s);
    return true;
}

bool apic_msr_read(Device *apic, uint32_t msr, uint64_t *ret)
{
    Lapic *s = (Lapic *)apic;
    bool ok;

    if (msr == MSR_APIC_BASE) {
        *ret = s->base;
        return true;
    }
    if (msr == MSR_TSC_DEADLINE) {
        *ret = timer_mode(s) == TIMER_DEADLINE ? s->tsc_deadline : 0;
        return true;
    }
    if (!is_x2(s) || msr < MSR_X2APIC || msr > MSR_X2APIC + 0x3f) {
        return false;
    }
    uint64_t value = reg_read(s, msr - MSR_X2APIC, &ok);
    if (ok) {
        *ret = msr == MSR_X2APIC + LAPIC_ICR ? value | (uint64_t)s->icr[1] << 32 : value;
    }
    return ok;
}

bool apic_msr_write(Device *apic, uint32_t msr, uint64_t value)
{
    Lapic *s = (Lapic *)apic;
    unsigned reg = msr - MSR_X2APIC;

    if (msr == MSR_APIC_BASE) {
        return base_write(s, value);
    }
    if (msr == MSR_TSC_DEADLINE) {
        if (timer_mode(s) == TIMER_DEADLINE) {
            s->tsc_deadline = value;
            if (value && s->tsc_deadline_ns && s->tsc_deadline_ns(s->tsc_opaque, value) <= clock_get_ns(VM_CLOCK_VIRTUAL)) {
                timer_cancel(&s->timer);
                timer_fires(s); /* at once, before the next instruction (11.5.4.1) */
            } else {
                timer_arm(s);
            }
        }
        return true;
    }
    if (!is_x2(s) || msr < MSR_X2APIC || reg > 0x3f) {
        return false;
    }
    if (reg == LAPIC_ICR) {
        if (value & 0xfff33000) {
            return false;
        }
        s->icr[0] = (uint32_t)value;
        s->icr[1] = (uint32_t)(value >> 32);
        send(s, s->icr[0], s->icr[1]);
        update(s);
        return true;
    }
    /* Table 11-6: upper halves are reserved; EOI and ESR take only zero. */
    if (value >> 32 || ((reg == LAPIC_EOI || reg == LAPIC_ESR) && value) || (reg == LAPIC_TPR && value > 0xff) ||
        (reg == LAPIC_SELF_IPI && value > 0xff)) {
        return false;
    }
    return reg_write(s, reg, (uint32_t)value);
}

/* The registers are brought here if they are an accelerator's. */
static void apic_pre_save(void *opaque)
{
    Lapic *s = opaque;

    if (s->fetch) {
        s->fetch(s);
    }
}

uint8_t apic_tpr(Device *apic)
{
    apic_pre_save(apic); /* from where it is */
    return ((Lapic *)apic)->tpr;
}

void apic_set_tpr(Device *apic, uint8_t tpr)
{
    Lapic *s = (Lapic *)apic;

    if (s->load) {
        s->fetch(s);
        s->tpr = tpr;
        s->load(s);
        return;
    }
    s->tpr = tpr;
    update(s);
}

/* -- life ---------------------------------------------------------------------------------------------------------------- */

void apic_connect(Device *apic, ApicBus *bus, uint32_t id, bool is_bsp)
{
    Lapic *s = (Lapic *)apic;

    s->bus = bus;
    s->initial_id = id;
    s->is_bsp = is_bsp;
    s->phys_bits = 52;
    apic_bus_add(bus, apic);
}

void apic_set_x2(Device *apic, bool has_x2apic)
{
    ((Lapic *)apic)->has_x2apic = has_x2apic;
}

void apic_set_phys_bits(Device *apic, unsigned bits)
{
    ((Lapic *)apic)->phys_bits = bits;
}

void apic_set_pic(Device *apic, unsigned (*ack)(void *opaque), void *opaque)
{
    ((Lapic *)apic)->pic_ack = ack;
    ((Lapic *)apic)->pic_opaque = opaque;
}

void apic_set_tsc(Device *apic, int64_t (*deadline_ns)(void *opaque, uint64_t tsc), void *opaque)
{
    ((Lapic *)apic)->tsc_deadline_ns = deadline_ns;
    ((Lapic *)apic)->tsc_opaque = opaque;
}

void apic_set_moved(Device *apic, void (*moved)(void *opaque, uint64_t base), void *opaque)
{
    ((Lapic *)apic)->moved = moved;
    ((Lapic *)apic)->moved_opaque = opaque;
}

/* 11.4.7.1, 11.4.7.3: what power-up and INIT do alike. */
static void clear(Lapic *s)
{
    s->tpr = 0;
    s->ldr = 0;
    s->dfr = UINT32_MAX;
    s->svr = 0xff;
    memset(s->isr, 0, sizeof(s->isr));
    memset(s->tmr, 0, sizeof(s->tmr));
    memset(s->irr, 0, sizeof(s->irr));
    s->esr = s->esr_shadow = s->icr[0] = s->icr[1] = s->initial = s->divide = 0;
    for (unsigned n = 0; n < N_LVT; n++) {
        s->lvt[n] = LVT_MASKED;
    }
    s->started_ns = 0;
    s->counting = false;
    s->tsc_deadline = 0;
}

void apic_init_reset(Device *apic)
{
    Lapic *s = (Lapic *)apic;

    clear(s);
    timer_cancel(&s->timer);
    update(s);
}

void apic_power_up(Lapic *s)
{
    s->base = APIC_BASE_ADDR | APIC_BASE_ENABLE | (s->is_bsp ? APIC_BASE_BSP : 0);
    s->id = s->initial_id & 0xff;
    clear(s);
}

static bool apic_realize(Device *dev, Error **errp)
{
    Lapic *s = (Lapic *)dev;

    if (!s->bus) {
        error_set(errp, "an 'apic' is part of a processor");
        return false;
    }
    timer_init(&s->timer, VM_CLOCK_VIRTUAL, timer_fires, s);
    return true;
}

static void apic_reset(Device *dev, ResetKind kind)
{
    Lapic *s = (Lapic *)dev;

    apic_power_up(s);
    s->lint[1] = false; /* LINT0 is the 8259s', which lower it themselves */
    s->intr = NULL;
    timer_cancel(&s->timer);
}

static void apic_reset_hold(Device *dev, ResetKind kind)
{
    Lapic *s = (Lapic *)dev;

    s->intr = device_irq_out(dev, "intr", 0);
    place(s);
    update(s);
}

static bool apic_post_load(void *opaque, uint32_t version, Error **errp)
{
    Lapic *s = opaque;

    if ((s->base >> 10 & 3) == 1 || s->base >> 52 || s->started_ns < 0 || s->id > 0xff) {
        error_set(errp, "apic: impossible state");
        return false;
    }
    for (unsigned n = 0; n < N_LVT; n++) {
        s->lvt[n] &= lvt_writable[n] | LVT_REMOTE_IRR;
    }
    s->divide &= 0xb;
    if (s->load) {
        s->load(s);
        return true;
    }
    s->intr = device_irq_out(&s->dev, "intr", 0);
    timer_arm(s);
    place(s);
    update(s);
    return true;
}

static const StateField apic_fields[] = {
    STATE_U(Lapic, base), STATE_U(Lapic, id), STATE_U(Lapic, tpr), STATE_U(Lapic, ldr), STATE_U(Lapic, dfr), STATE_U(Lapic, svr),
    STATE_U_ARRAY(Lapic, isr), STATE_U_ARRAY(Lapic, tmr), STATE_U_ARRAY(Lapic, irr), STATE_U(Lapic, esr),
    STATE_U(Lapic, esr_shadow), STATE_U_ARRAY(Lapic, icr), STATE_U_ARRAY(Lapic, lvt), STATE_U(Lapic, initial),
    STATE_U(Lapic, divide), STATE_U(Lapic, started_ns), STATE_U(Lapic, counting), STATE_U(Lapic, tsc_deadline), STATE_U_ARRAY(Lapic, lint),
};
const StateDesc apic_state = {
    .name = "apic", .version = 1, .min_version = 1, .fields = apic_fields, .n_fields = ARRAY_SIZE(apic_fields),
    .pre_save = apic_pre_save, .post_load = apic_post_load,
};
const IrqDef apic_irqs[] = {
    { "intr", 1, NULL }, { "nmi", 1, NULL }, { "smi", 1, NULL }, { "init", 1, NULL }, { "sipi", 1, NULL },
};
static_assert(ARRAY_SIZE(apic_irqs) == APIC_N_IRQS, "apic-state.h");
const Property apic_props[] = { PROP_U32("id", Lapic, initial_id, 0, NULL) };

static const DeviceType apic_type = {
    .type = { .name = "apic", .parent = "device", .summary = "local APIC", .size_bytes = sizeof(Lapic), .props = apic_props,
              .n_props = 1 },
    .category = DEVICE_MISC, .banks = apic_banks, .n_banks = 1, .irqs_out = apic_irqs, .n_irqs_out = APIC_N_IRQS,
    .state = &apic_state, .realize = apic_realize, .reset_enter = apic_reset, .reset_hold = apic_reset_hold,
};
DEVICE_TYPE_REGISTER(apic_type);

/* -- "info lapic" -------------------------------------------------------------------------------------------------------- */

static const char *const delivery_names[] = { "Fixed", "LowPri", "SMI", "...", "NMI", "INIT", "SIPI", "ExtINT" };

static void print_lvt(const Lapic *s, const char *name, unsigned n, PrintFn *print, void *opaque)
{
    static const char *const modes[] = { "one-shot", "periodic", "tsc-deadline", "reserved" };
    uint32_t lvt = s->lvt[n];
    bool has_mode = n != LVT_TIMER && n != LVT_ERROR;

    print_fmt(print, opaque, "%s\t 0x%08x %s %-5s %-6s %-7s %-12s %-6s (vec %u)\n", name, lvt,
              lvt & LVT_LOW ? "active-lo" : "active-hi", lvt & LVT_LEVEL ? "level" : "edge",
              lvt & LVT_MASKED ? "masked" : "", lvt & LVT_PENDING ? "pending" : "",
              n == LVT_TIMER ? modes[timer_mode(s)] : "", delivery_names[has_mode ? lvt >> 8 & 7 : 0],
              lvt & 0xff);
}

static void print_set(const uint32_t set[8], const uint32_t tmr[8], const char *name,
                      PrintFn *print, void *opaque)
{
    print_fmt(print, opaque, "%s\t ", name);
    if (highest(set) < 0) {
        print(opaque, "(none)");
    }
    for (unsigned n = 0; n < 256; n++) {
        if (get_bit(set, n)) {
            print_fmt(print, opaque, "%u%s ", n, tmr && get_bit(tmr, n) ? "(level)" : "");
        }
    }
    print(opaque, "\n");
}

void apic_print(Device *apic, PrintFn *print, void *opaque)
{
    static const char *const shorthands[] = { "no-shorthand", "self", "all-self", "all" };
    Lapic *s = (Lapic *)apic;

    apic_pre_save(s);
    uint32_t icr = s->icr[0];
    print_fmt(print, opaque, "dumping local APIC state for CPU %u\n\n", s->initial_id);
    print_lvt(s, "LVT0", LVT_LINT0, print, opaque);
    print_lvt(s, "LVT1", LVT_LINT1, print, opaque);
    print_lvt(s, "LVTPC", LVT_PERF, print, opaque);
    print_lvt(s, "LVTERR", LVT_ERROR, print, opaque);
    print_lvt(s, "LVTTHMR", LVT_THERMAL, print, opaque);
    print_lvt(s, "LVTT", LVT_TIMER, print, opaque);
    print_fmt(print, opaque, "Timer\t DCR=0x%x (divide by %u) initial_count = %u current_count = %u\n", s->divide,
              1u << divide_shift(s), s->initial, apic_current_count(s));
    print_fmt(print, opaque, "SPIV\t 0x%08x APIC %s, focus=off, spurious vec %u\n", s->svr,
              s->svr & SVR_ENABLE ? "enabled" : "disabled", s->svr & 0xff);
    print_fmt(print, opaque, "ICR\t 0x%08x %s %s %s %s\n", icr, icr >> 11 & 1 ? "logical" : "physical",
              icr >> 15 & 1 ? "level" : "edge", icr >> 14 & 1 ? "assert" : "de-assert",
              shorthands[icr >> 18 & 3]);
    print_fmt(print, opaque, "ICR2\t 0x%08x cpu %u (APIC ID)\n", s->icr[1], is_x2(s) ? s->icr[1] : s->icr[1] >> 24);
    print_fmt(print, opaque, "ESR\t 0x%08x\n", s->esr);
    print_set(s->isr, s->tmr, "ISR", print, opaque);
    print_set(s->irr, s->tmr, "IRR", print, opaque);
    print_fmt(print, opaque, "\nAPR 0x%02x TPR 0x%02x DFR 0x%02x LDR 0x%02x PPR 0x%02x\n", s->tpr, s->tpr, s->dfr >> 28,
              is_x2(s) ? x2_ldr(s) : s->ldr >> 24, ppr(s));
}
