/*
 * debug.c: self-hosted debug: software step, breakpoints, watchpoints (Arm ARM DDI 0487, D2).
 *
 * While there is something to look for the vCPU runs one instruction at a time and arm_before_insn() looks at each before it runs.
 * Leaves out: context and VMID breakpoints (what is linked to one never matches), external debug.
 * Threads: the vCPU's own.
 */
#include "accel/tcg.h"
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

static bool any_watchpoint(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    bool any = false;
    for (unsigned i = 0; i < arm_model(vcpu)->n_watchpoints; i++) {
        any |= s->dbgwcr[i] & BCR_E;
    }
    return any;
}

static bool any_breakpoint(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    bool any = false;
    for (unsigned i = 0; i < arm_model(vcpu)->n_breakpoints; i++) {
        any |= s->dbgbcr[i] & BCR_E;
    }
    return (any || any_watchpoint(vcpu)) && (s->mdscr_el1 & MDSCR_MDE);
}

void arm_debug_changed(Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    bool ask = vcpu->softmmu && (s->mdscr_el1 & (MDSCR_SS | MDSCR_MDE)) && enabled(vcpu) && ((s->mdscr_el1 & MDSCR_SS) || any_breakpoint(vcpu));

    /* The code that follows may be translated and linked already. */
    if (ask && !vcpu->ask_before_insn) {
        vcpu_kick(vcpu);
    }
    vcpu->ask_before_insn = ask;
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

/* One access against the watchpoints (D2.10). */
typedef struct Watch {
    Vcpu *vcpu;
    bool hit, write;
    vaddr addr;
} Watch;

static bool watchpoint_matches(const Vcpu *vcpu, unsigned i, vaddr addr, uint64_t size, bool read, bool write)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t wcr = s->dbgwcr[i], wvr = s->dbgwvr[i];
    unsigned lsc = (unsigned)bits_get(wcr, 3, 2), bas = (unsigned)bits_get(wcr, 5, 8), mask = (unsigned)bits_get(wcr, 24, 5);

    if (!(wcr & BCR_E) || (wcr & BIT(20)) || !level_matches(vcpu, wcr) || !((read && (lsc & 1)) || (write && (lsc & 2)))) {
        return false;
    }
    addr &= bits_mask(0, 49);
    wvr &= bits_mask(0, 49);
    if (mask) { /* 2 to the power of it, BAS is all ones */
        uint64_t first = wvr & ~bits_mask(0, mask);
        return addr <= (first | bits_mask(0, mask)) && addr + size - 1 >= first;
    }
    for (unsigned b = 0; b < 8; b++) {
        if ((bas >> b & 1) && wvr + b - addr < size) {
            return true;
        }
    }
    return false;
}

static void touched(void *opaque, vaddr addr, uint64_t size, bool read, bool write)
{
    Watch *w = opaque;

    for (unsigned i = 0; i < arm_model(w->vcpu)->n_watchpoints && !w->hit; i++) {
        if (watchpoint_matches(w->vcpu, i, addr, size, read, write)) {
            *w = (Watch){ .vcpu = w->vcpu, .hit = true, .write = write, .addr = addr };
        }
    }
}

static bool watchpoint_hit(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);
    Watch w = { .vcpu = vcpu };
    const uint8_t *insn = any_watchpoint(vcpu) ? guest_ptr_probe(vcpu, arm_pc(vcpu), 4, MMU_FETCH, arm_mmu_index(vcpu, MMU_FETCH)) : NULL;

    if (insn) {
        arm_mem_access(vcpu, insn, 4, touched, &w);
    }
    if (w.hit) {
        s->fault = (ArmFault){ .iss = ISS_DEBUG | (w.write ? 1u << 6 : 0) };
        vcpu->exception = (VcpuException){ .cause = ARM_EC_WATCHPOINT_LOWER, .value = w.addr };
    }
    return w.hit;
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
    if ((s->mdscr_el1 & MDSCR_MDE) && watchpoint_hit(vcpu)) {
        return true;
    }
    if (s->mdscr_el1 & MDSCR_SS) {
        s->pstate &= ~PSTATE_SS;
        s->step_under_way = true;
    }
    return false;
}
