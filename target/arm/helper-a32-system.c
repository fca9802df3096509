/*
 * helper-a32-system.c: what translated system instructions of A32 and T32 call (Arm ARM DDI 0487, F5.1, F5.2): coprocessor registers, CPSR and SPSR, banked
 * registers, exception returns. Threads: the vCPU's own.
 */
#include "accel/tcg.h"
#include "target/arm/cp15.h"
#include "target/arm/translate.h"

static noreturn void undefined(Vcpu *vcpu) { vcpu_raise(vcpu, ARM_EC_UNKNOWN, 0); }

uint64_t arm_helper_a32_mrc(Vcpu *vcpu, uint32_t key, uint32_t insn)
{
    uint64_t v;

    if (!arm_cp_read(vcpu, key, &v)) {
        vcpu_raise(vcpu, ARM_EC_UNKNOWN, insn);
    }
    return v;
}

void arm_helper_a32_mcr(Vcpu *vcpu, uint32_t key, uint64_t value, uint32_t insn)
{
    if (!arm_cp_write(vcpu, key, value)) {
        vcpu_raise(vcpu, ARM_EC_UNKNOWN, insn);
    }
}

uint32_t arm_helper_a32_vmrs(Vcpu *vcpu, uint32_t reg)
{
    uint32_t v;

    if (!arm_vfp_sysreg_read(vcpu, reg, &v)) {
        undefined(vcpu);
    }
    return v;
}

void arm_helper_a32_vmsr(Vcpu *vcpu, uint32_t reg, uint32_t value)
{
    if (!arm_vfp_sysreg_write(vcpu, reg, value)) {
        undefined(vcpu);
    }
}

/* -- CPSR --------------------------------------------------------------------------------------------------------------- */

static uint32_t bytes_of(uint32_t mask)
{
    return (mask & 1 ? 0xffu : 0) | (mask & 2 ? 0xff00u : 0) | (mask & 4 ? 0xff0000u : 0) | (mask & 8 ? 0xff000000u : 0);
}

/* What SCR keeps the non-secure state from changing (G1.9.4). */
static uint32_t guarded(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);

    if (!arm_has(vcpu, EL3) || arm_model(vcpu)->aarch64 || s->el == 3 || arm_has(vcpu, EL2)) {
        return 0; /* with the Virtualization Extensions the bits do not guard */
    }
    return (uint32_t)((s->scr_el3 & BIT(5) ? 0 : PSTATE_A) | (s->scr_el3 & BIT(4) ? 0 : PSTATE_F));
}

uint32_t arm_helper_a32_mrs(Vcpu *vcpu)
{
    /* Execution state reads as zero, but for E (G8.2.33). */
    uint32_t v = arm_cpsr_get(vcpu) & ~UINT32_C(0x0610fc20);
    return arm_state(vcpu)->el ? v : (v & ~UINT32_C(0x1ff)) | ARM_CPSR_USER;
}

/* IT, T and J are never written; user mode has flags, GE and E. */
uint32_t arm_helper_a32_msr(Vcpu *vcpu, uint32_t value, uint32_t mask)
{
    ArmState *s = arm_state(vcpu);
    uint32_t old = arm_cpsr_get(vcpu), bits = bytes_of(mask) & 0xf8ef03df;

    bits &= s->el ? ~guarded(vcpu) : 0xf80f0200;
    value = (old & ~bits) | (value & bits);
    if (s->mode == A32_HYP && (value & 31) != (old & 31)) {
        value = (value & ~31u) | (old & 31); /* Hyp mode is left by ERET alone */
        s->pstate |= PSTATE_IL;
        value |= (uint32_t)PSTATE_IL;
    }
    arm_cpsr_return(vcpu, value);
    arm_debug_changed(vcpu);
    arm_irq_check(vcpu);
    return ((old ^ arm_cpsr_get(vcpu)) & (31 | (uint32_t)(PSTATE_E | PSTATE_PAN | PSTATE_IL))) != 0;
}

/* how: mode in 4:0 if bit 10; bits 9:8 2 enables, 3 disables A, I, F in 7:5. */
void arm_helper_a32_cps(Vcpu *vcpu, uint32_t how)
{
    uint32_t old = arm_cpsr_get(vcpu), value = old, aif = (how >> 5 & 7) << 6 & ~guarded(vcpu);

    value = how >> 8 & 2 ? how >> 8 & 1 ? value | aif : value & ~aif : value;
    value = how >> 10 & 1 ? (value & ~31u) | (how & 31) : value;
    if (arm_state(vcpu)->mode == A32_HYP && (value & 31) != (old & 31)) {
        undefined(vcpu); /* unpredictable */
    }
    arm_cpsr_return(vcpu, value);
    arm_irq_check(vcpu);
}

/* -- SPSR ----------------------------------------------------------------------------------------------------------------- */

static uint64_t *spsr(Vcpu *vcpu)
{
    uint64_t *p = arm_a32_spsr(vcpu, arm_state(vcpu)->mode);

    if (!p) {
        undefined(vcpu); /* System mode: unpredictable */
    }
    return p;
}

uint32_t arm_helper_a32_spsr_get(Vcpu *vcpu) { return (uint32_t)*spsr(vcpu); }

void arm_helper_a32_spsr_set(Vcpu *vcpu, uint32_t value, uint32_t mask)
{
    uint64_t *p = spsr(vcpu);
    uint32_t bits = bytes_of(mask);
    *p = ((uint32_t)*p & ~bits) | (value & bits);
}

/* -- returns ------------------------------------------------------------------------------------------------------------------ */

static uint32_t go_back(Vcpu *vcpu, uint32_t pc, uint32_t cpsr)
{
    bool thumb = cpsr & CPSR_T;

    /* An illegal return leaves the state, and with it the instruction set, as it is. */
    if (!arm_cpsr_return(vcpu, cpsr)) {
        thumb = arm_state(vcpu)->pc & 1;
    }
    vcpu->jit.monitor_addr = ~(uint64_t)0;
    arm_debug_changed(vcpu);
    arm_irq_check(vcpu);
    return thumb ? pc | 1 : pc & ~3u;
}

uint32_t arm_helper_a32_return(Vcpu *vcpu, uint32_t pc) { return go_back(vcpu, pc, (uint32_t)*spsr(vcpu)); }
uint32_t arm_helper_a32_rfe(Vcpu *vcpu, uint32_t pc, uint32_t cpsr) { return go_back(vcpu, pc, cpsr); }

/* -- registers of other modes ------------------------------------------------------------------------------------------------------ */

/* which: mode << 4 | register (user mode's for LDM and STM with ^, any for SRS). */
static uint64_t *mode_reg(Vcpu *vcpu, uint32_t which)
{
    unsigned mode = which >> 4 & 15;

    if (!(which >> 8 & 1) || !arm_a32_mode_there(vcpu, mode) || (mode == A32_MON && arm_state(vcpu)->el != 3) || mode == A32_HYP) {
        undefined(vcpu);
    }
    return arm_a32_reg(vcpu, mode, which & 15);
}

uint32_t arm_helper_a32_mode_reg_get(Vcpu *vcpu, uint32_t which) { return (uint32_t)*mode_reg(vcpu, which); }
void arm_helper_a32_mode_reg_set(Vcpu *vcpu, uint32_t which, uint32_t value) { *mode_reg(vcpu, which) = value; }

/* SYSm of MRS and MSR with a banked register (F6.1.3): bit 5 of `which`: SPSR. NULL: unpredictable. */
static uint64_t *banked(Vcpu *vcpu, uint32_t which)
{
    static const uint8_t modes[8] = { A32_IRQ, A32_SVC, A32_ABT, A32_UND, 0, 0, A32_MON, A32_HYP };
    ArmState *s = arm_state(vcpu);
    unsigned sysm = which & 31, mode = sysm < 8 ? A32_USR : sysm < 16 ? A32_FIQ : modes[sysm >> 1 & 7];
    bool wants_spsr = which >> 5 & 1;

    if (!arm_has(vcpu, EL2) && !arm_has(vcpu, V8A32)) { /* they came with the Virtualization Extensions */
        return NULL;
    }
    if ((mode == A32_USR && (sysm == 7 || sysm >= 8 || wants_spsr)) || sysm == 15 || !arm_a32_mode_there(vcpu, mode) || (mode == A32_MON && s->el != 3)) {
        return NULL;
    }
    if (wants_spsr) {
        bool right = mode == A32_FIQ ? sysm == 14 : !(sysm & 1);
        return right && mode != s->mode ? arm_a32_spsr(vcpu, mode) : NULL;
    }
    if (mode == A32_HYP && !(sysm & 1)) {
        return s->el == 2 || (s->el == 3 && s->mode == A32_MON) ? &s->elr[2] : NULL;
    }
    if (mode == A32_HYP && !(s->el == 3 && s->mode == A32_MON)) {
        return NULL;
    }
    unsigned n = sysm < 16 ? 8 + (sysm & 7) : sysm & 1 ? 13 : 14;
    return arm_a32_reg(vcpu, mode, n);
}

uint32_t arm_helper_a32_bank_get(Vcpu *vcpu, uint32_t which)
{
    uint64_t *p = banked(vcpu, which);

    if (!p) {
        undefined(vcpu);
    }
    return (uint32_t)*p;
}

void arm_helper_a32_bank_set(Vcpu *vcpu, uint32_t which, uint32_t value)
{
    uint64_t *p = banked(vcpu, which);

    if (!p) {
        undefined(vcpu);
    }
    *p = value;
}
