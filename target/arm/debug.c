/*
 * debug.c: self-hosted debug: software step and breakpoints (Arm ARM DDI 0487, D2).
 *
 * While there is something to look for the vCPU runs one instruction at a time and arm_before_insn() looks at each before it runs.
 * Leaves out: watchpoints, context and VMID breakpoints (linked ones never match), external debug.
 * Threads: the vCPU's own.
 */
#include "target/arm/system.h"

enum { BCR_E = 1, ISS_DEBUG = 0x22 };

static unsigned debug_target(const Vcpu *vcpu)
{
    return (arm_el2_enabled(vcpu) && (arm_state(vcpu)->mdcr[2] & MDCR_TDE)) || (arm_hcr(vcpu) & HCR_TGE) ? 2 : 1;
}

/* DebugExceptionsEnabled (D2.4) at a level with that PSTATE.D. */
static bool enabled_at(const Vcpu *vcpu, unsigned el, bool masked)
{
    const ArmState *s = arm_state(vcpu);
    unsigned target = debug_target(vcpu);

    return !s->oslock && (el < target || (el == target && (s->mdscr_el1 & MDSCR_KDE) && !masked));
}

static bool enabled(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    return enabled_at(vcpu, s->el, s->pstate & PSTATE_D);
}

static bool any_breakpoint(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    bool any = false;
    for (unsigned i = 0; i < arm_model(vcpu)->n_breakpoints; i++) {
        any |= s->dbgbcr[i] & BCR_E;
    }
    return any && (s->mdscr_el1 & MDSCR_MDE);
}

void arm_debug_changed(Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);

    vcpu->ask_before_insn = vcpu->softmmu && (s->mdscr_el1 & (MDSCR_SS | MDSCR_MDE)) && enabled(vcpu) &&
                            ((s->mdscr_el1 & MDSCR_SS) || any_breakpoint(vcpu));
}

bool arm_step_returns(const Vcpu *vcpu, unsigned el, uint64_t spsr)
{
    return (arm_state(vcpu)->mdscr_el1 & MDSCR_SS) && !enabled(vcpu) && enabled_at(vcpu, el, spsr & PSTATE_D);
}

void arm_step_undone(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);
    s->pstate |= s->step_under_way ? PSTATE_SS : 0;
    s->step_under_way = false;
}

/* Levels by PMC, HMC and SSC (table D2-9); secure and non-secure state are told apart by SSC alone. */
static bool level_matches(const Vcpu *vcpu, uint64_t bcr)
{
    const ArmState *s = arm_state(vcpu);
    unsigned pmc = (unsigned)bits_get(bcr, 1, 2), ssc = (unsigned)bits_get(bcr, 14, 2);
    bool hmc = bcr & BIT(13), secure = arm_is_secure_below_el3(vcpu);

    if ((ssc == 1 && secure) || (ssc == 2 && !secure)) {
        return false;
    }
    switch (s->el) {
    case 0: return pmc & 2 || (pmc == 0 && !hmc);
    case 1: return pmc & 1 || (pmc == 0 && !hmc);
    case 2: return hmc;
    default: return hmc && ssc != 1;
    }
}

static bool breakpoint_hit(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);

    for (unsigned i = 0; i < arm_model(vcpu)->n_breakpoints; i++) {
        uint64_t bcr = s->dbgbcr[i];
        if ((bcr & BCR_E) && !bits_get(bcr, 20, 4) && bits_get(bcr, 5, 4) && level_matches(vcpu, bcr) &&
            ((s->dbgbvr[i] ^ s->pc) & bits_mask(2, 47)) == 0) {
            return true;
        }
    }
    return false;
}

bool arm_before_insn(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);

    if (!enabled(vcpu)) {
        return false;
    }
    if (s->mdscr_el1 & MDSCR_SS) {
        if (!(s->pstate & PSTATE_SS)) {
            /* ISV: there was a stepped instruction (D2.12.6). */
            vcpu->exception = (VcpuException){ .cause = ARM_EC_STEP_LOWER, .value = ISS_DEBUG | (s->step_under_way ? BIT(24) : 0) };
            s->step_under_way = false;
            return true;
        }
    }
    if ((s->mdscr_el1 & MDSCR_MDE) && breakpoint_hit(vcpu)) {
        vcpu->exception = (VcpuException){ .cause = ARM_EC_BREAKPOINT_LOWER, .value = ISS_DEBUG };
        return true;
    }
    if (s->mdscr_el1 & MDSCR_SS) {
        s->pstate &= ~PSTATE_SS;
        s->step_under_way = true;
    }
    return false;
}
