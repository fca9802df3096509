/*
 * pmu.c: performance monitors (PMUv3): a cycle counter and event counters.
 *
 * Cycles are nanoseconds of guest time. Events: software increment, cycles and, with -icount, instructions. A counter's register holds its
 * value as of pm_at_*; every access and every change of level brings it up to date first. Overflows are found then, or by an
 * alarm for the next one that is to interrupt.
 *
 * Leaves out: division of cycles by 64 (PMCR_EL0.D reads as zero), 32-bit overflow of the cycle counter (LC is one), event export, chained and long counters.
 * Arm ARM DDI 0487, D13 and D24.5. Threads: the vCPU's own; the alarm comes in another one. Both hold the device lock.
 */
#include "accel/tcg.h"
#include "target/arm/sysreg.h"
#include "target/arm/tlb.h"

enum { PMCR_E = 1, PMCR_P = 2, PMCR_C = 4, PMCR_DP = 32, PMCR_LC = 64, CYCLES_BIT = 31, MAX_COUNTERS = 8 };
enum { EVENT_SW_INCR = 0x00, EVENT_INST_RETIRED = 0x08, EVENT_CPU_CYCLES = 0x11 };
#define CYCLES BIT(CYCLES_BIT)
/* PMEVTYPER and PMCCFILTR: P, U, NSK, NSU, NSH, M. */
#define FILTER_P   BIT(31)
#define FILTER_U   BIT(30)
#define FILTER_NSH BIT(27)

static unsigned n_counters(const Vcpu *vcpu) { return MIN(arm_model(vcpu)->n_pmu_counters, (unsigned)MAX_COUNTERS); }
static uint64_t all(const Vcpu *vcpu) { return CYCLES | bits_mask(0, n_counters(vcpu)); }

static bool level_counts(const ArmState *s, uint64_t filter)
{
    switch (s->el) {
    case 0: return !(filter & FILTER_U);
    case 1: return !(filter & FILTER_P);
    case 2: return filter & FILTER_NSH;
    default: return !(filter & FILTER_P) == !(filter & BIT(26));
    }
}

static bool runs(const ArmState *s, unsigned bit)
{
    uint64_t filter = bit == CYCLES_BIT ? s->pmccfiltr_el0 : s->pmevtyper[bit];
    return (s->pmcr_el0 & PMCR_E) && (s->pmcnten >> bit & 1) && level_counts(s, filter);
}

static uint64_t cycles_now(const ArmState *s)
{
    return s->platform && s->platform->guest_ns ? s->platform->guest_ns(s->platform_opaque) : 0;
}

static uint64_t insns_now(const Vcpu *vcpu) { return vcpu->use_icount ? tcg_insns_run(vcpu) : 0; }

static void add(ArmState *s, unsigned n, uint64_t delta)
{
    uint64_t v = s->pmevcntr[n] + delta;
    s->pmovs |= v >> 32 ? BIT(n) : 0;
    s->pmevcntr[n] = (uint32_t)v;
}

static void output(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);
    uint64_t next = UINT64_MAX;

    for (unsigned n = 0; n < n_counters(vcpu); n++) {
        if ((s->pminten >> n & 1) && runs(s, n) && (s->pmevtyper[n] & 0xffff) == EVENT_CPU_CYCLES) {
            next = MIN(next, BIT(32) - s->pmevcntr[n]);
        }
    }
    if ((s->pminten & CYCLES) && runs(s, CYCLES_BIT)) {
        next = MIN(next, 0 - s->pmccntr_el0 ? 0 - s->pmccntr_el0 : UINT64_MAX);
    }
    if (s->platform && s->platform->timer_set) {
        s->platform->timer_set(s->platform_opaque, vcpu, ARM_TIMER_PMU, next > INT64_MAX - s->pm_at_cycles ? UINT64_MAX : s->pm_at_cycles + next);
    }
    if (s->platform && s->platform->output) {
        s->platform->output(s->platform_opaque, vcpu, ARM_OUT_PMU, (s->pmcr_el0 & PMCR_E) && (s->pmovs & s->pminten));
    }
}

/* Brings the counters up to now. */
static void update(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);
    uint64_t cycles = cycles_now(s), insns = insns_now(vcpu), passed = cycles - s->pm_at_cycles;

    if (runs(s, CYCLES_BIT)) {
        s->pmovs |= s->pmccntr_el0 + passed < s->pmccntr_el0 ? CYCLES : 0;
        s->pmccntr_el0 += passed;
    }
    for (unsigned n = 0; n < n_counters(vcpu); n++) {
        unsigned event = (unsigned)s->pmevtyper[n] & 0xffff;
        if (runs(s, n) && (event == EVENT_CPU_CYCLES || event == EVENT_INST_RETIRED)) {
            add(s, n, event == EVENT_CPU_CYCLES ? passed : insns - s->pm_at_insns);
        }
    }
    s->pm_at_cycles = cycles;
    s->pm_at_insns = insns;
}

void arm_pmu_sync(Vcpu *vcpu)
{
    bool took = bql_enter();
    update(vcpu);
    output(vcpu);
    bql_leave(took);
}

/* PMEVCNTR<n>, PMEVTYPER<n> by number, PMXEVCNTR and PMXEVTYPER by PMSELR: which counter; 31: cycles. */
static unsigned selected(const ArmState *s, unsigned key)
{
    return arm_key_crn(key) == 9 ? (unsigned)s->pmselr_el0 & 31 : (arm_key_crm(key) & 3) << 3 | arm_key_op2(key);
}

static bool is_type(unsigned key) { return arm_key_crn(key) == 9 ? arm_key_op2(key) == 1 : arm_key_crm(key) >= 12; }

static bool indexed(Vcpu *vcpu, unsigned key, uint64_t **ret)
{
    ArmState *s = arm_state(vcpu);
    unsigned n = selected(s, key);

    if (is_type(key) && n == CYCLES_BIT) {
        *ret = &s->pmccfiltr_el0;
        return true;
    }
    *ret = n >= n_counters(vcpu) ? NULL : is_type(key) ? &s->pmevtyper[n] : &s->pmevcntr[n];
    return *ret || arm_key_crn(key) == 9; /* by PMSELR: reads zero, writes nothing */
}

bool arm_read_pmu(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    ArmState *s = arm_state(vcpu);
    uint64_t *reg;
    bool ok = true;

    arm_pmu_sync(vcpu);
    switch (key) {
    case ARM_SYSREG(3, 3, 9, 12, 0): *ret = s->pmcr_el0 | PMCR_LC | (uint64_t)n_counters(vcpu) << 11 | 0x41000000; break;
    case ARM_SYSREG(3, 3, 9, 12, 1):
    case ARM_SYSREG(3, 3, 9, 12, 2): *ret = s->pmcnten; break;
    case ARM_SYSREG(3, 3, 9, 12, 3):
    case ARM_SYSREG(3, 3, 9, 14, 3): *ret = s->pmovs; break;
    case ARM_SYSREG(3, 3, 9, 12, 5): *ret = s->pmselr_el0; break;
    case ARM_SYSREG(3, 3, 9, 12, 6): *ret = BIT(EVENT_SW_INCR) | BIT(EVENT_CPU_CYCLES) | (vcpu->use_icount ? BIT(EVENT_INST_RETIRED) : 0); break;
    case ARM_SYSREG(3, 3, 9, 12, 7): *ret = 0; break;
    case ARM_SYSREG(3, 3, 9, 13, 0): *ret = s->pmccntr_el0; break;
    case ARM_SYSREG(3, 0, 9, 14, 1):
    case ARM_SYSREG(3, 0, 9, 14, 2): *ret = s->pminten; break;
    default:
        ok = indexed(vcpu, key, &reg);
        *ret = ok && reg ? *reg : 0;
    }
    return ok;
}

static void write_pmcr(Vcpu *vcpu, uint64_t value)
{
    ArmState *s = arm_state(vcpu);

    if (value & PMCR_C) {
        s->pmccntr_el0 = 0;
    }
    if (value & PMCR_P) {
        memset(s->pmevcntr, 0, sizeof(s->pmevcntr));
    }
    s->pmcr_el0 = value & (PMCR_E | PMCR_DP);
}

static bool write_register(Vcpu *vcpu, unsigned key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);
    uint64_t *reg, mask = all(vcpu);

    switch (key) {
    case ARM_SYSREG(3, 3, 9, 12, 0): write_pmcr(vcpu, value); break;
    case ARM_SYSREG(3, 3, 9, 12, 1): s->pmcnten |= value & mask; break;
    case ARM_SYSREG(3, 3, 9, 12, 2): s->pmcnten &= ~value; break;
    case ARM_SYSREG(3, 3, 9, 12, 3): s->pmovs &= ~value; break;
    case ARM_SYSREG(3, 3, 9, 14, 3): s->pmovs |= value & mask; break;
    case ARM_SYSREG(3, 3, 9, 12, 4):
        for (unsigned n = 0; n < n_counters(vcpu); n++) {
            if ((value >> n & 1) && runs(s, n) && (s->pmevtyper[n] & 0xffff) == EVENT_SW_INCR) {
                add(s, n, 1);
            }
        }
        break;
    case ARM_SYSREG(3, 3, 9, 12, 5): s->pmselr_el0 = value & 31; break;
    case ARM_SYSREG(3, 3, 9, 13, 0): s->pmccntr_el0 = value; break;
    case ARM_SYSREG(3, 0, 9, 14, 1): s->pminten |= value & mask; break;
    case ARM_SYSREG(3, 0, 9, 14, 2): s->pminten &= ~value; break;
    default:
        if (!indexed(vcpu, key, &reg)) {
            return false;
        }
        if (reg) {
            *reg = reg == &s->pmccfiltr_el0 ? value & 0xfc000000 : is_type(key) ? value & 0xfc00ffff : (uint32_t)value;
        }
    }
    return true;
}

bool arm_write_pmu(Vcpu *vcpu, unsigned key, uint64_t value)
{
    bool took = bql_enter();
    update(vcpu);
    bool ok = write_register(vcpu, key, value);
    output(vcpu);
    bql_leave(took);
    return ok;
}
