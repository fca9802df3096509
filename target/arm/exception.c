/*
 * exception.c: exception entry and return, routing of synchronous exceptions, firmware calls and semihosting.
 *
 * Arm ARM DDI 0487, D1.3 (exceptions), D24.2.40 (ESR_ELx); the pseudocode of AArch64.TakeException and AArch64.ExceptionReturn.
 * Leaves out: AArch32 at any level: SPSR.M[4] makes a return illegal; double faults, asynchronous errors of RAS.
 * Threads: the vCPU's own.
 */
#include "accel/tcg.h"
#include "target/arm/flags.h"
#include "target/arm/mmu.h"
#include "target/arm/translate.h"
#include "util/log.h"

/* The stack pointer in use changes with level and PSTATE.SP. */
void arm_set_level(Vcpu *vcpu, unsigned el, bool spx)
{
    ArmState *s = arm_state(vcpu);
    ArmRegime old = arm_regime(vcpu, s->el);
    bool secure_matters = s->el == 3 || el == 3;

    if (unlikely(s->pmcr_el0 & 1) && el != s->el) {
        arm_pmu_sync(vcpu); /* counters may be for some levels only */
    }
    s->sp_el[s->pstate & PSTATE_SP ? s->el : 0] = s->sp;
    s->el = (uint8_t)el;
    s->pstate = spx ? s->pstate | PSTATE_SP : s->pstate & ~PSTATE_SP;
    s->sp = s->sp_el[spx ? el : 0];
    if (secure_matters || arm_regime(vcpu, el) != old) {
        arm_tlb_select(vcpu);
    }
}

uint64_t arm_spsr_of_state(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    return s->pstate | (uint64_t)s->el << 2 | (uint64_t)arm_btype(vcpu) << 10 | arm_nzcv_get(vcpu);
}

/* What of PSTATE there is, but for BTYPE. */
static uint64_t pstate_bits(const Vcpu *vcpu)
{
    return PSTATE_DAIF | PSTATE_SP | PSTATE_IL | PSTATE_SS | (arm_has(vcpu, SSBS) ? PSTATE_SSBS : 0) |
           (arm_has(vcpu, PAN) ? PSTATE_PAN : 0) | (arm_has(vcpu, UAO) ? PSTATE_UAO : 0) | (arm_has(vcpu, DIT) ? PSTATE_DIT : 0) |
           (arm_has(vcpu, MTE) ? PSTATE_TCO : 0);
}

typedef enum Vector { VECTOR_SYNC = 0, VECTOR_IRQ = 0x80, VECTOR_FIQ = 0x100, VECTOR_SERROR = 0x180 } Vector;

static void enter(Vcpu *vcpu, unsigned target, Vector vector)
{
    ArmState *s = arm_state(vcpu);
    uint64_t from = target > s->el ? 0x400 : s->pstate & PSTATE_SP ? 0x200 : 0x000, p = s->pstate;
    bool host = target == 2 && arm_is_host(arm_hcr(vcpu));

    s->spsr[target] = arm_spsr_of_state(vcpu);
    s->elr[target] = arm_pc(vcpu);
    p &= ~(PSTATE_IL | PSTATE_SS | PSTATE_UAO | PSTATE_SSBS);
    p |= PSTATE_DAIF | (arm_has(vcpu, MTE) ? PSTATE_TCO : 0);
    p |= arm_has(vcpu, SSBS) && (s->sctlr[target] & SCTLR_DSSBS) ? PSTATE_SSBS : 0;
    if (arm_has(vcpu, PAN) && (target == 1 || host) && !(s->sctlr[target] & SCTLR_SPAN)) {
        p |= PSTATE_PAN;
    }
    arm_set_pc(vcpu, s->vbar[target] + from + vector, 0);
    /* The old SP is saved by the old PSTATE.SP, so that comes last. */
    arm_set_level(vcpu, target, true);
    s->pstate = (p & ~PSTATE_SP) | PSTATE_SP;
    vcpu->jit.monitor_addr = ~(uint64_t)0;
    arm_debug_changed(vcpu);
}

void arm_interrupt_enter(Vcpu *vcpu, unsigned line, unsigned target)
{
    static const uint16_t vector[ARM_N_IRQS] = {
        [ARM_IRQ_IRQ] = VECTOR_IRQ, [ARM_IRQ_VIRQ] = VECTOR_IRQ, [ARM_IRQ_FIQ] = VECTOR_FIQ, [ARM_IRQ_VFIQ] = VECTOR_FIQ,
        [ARM_IRQ_SERROR] = VECTOR_SERROR,
    };
    ArmState *s = arm_state(vcpu);

    if (log_enabled(LOG_INT)) {
        static const char *const names[ARM_N_IRQS] = { "IRQ", "FIQ", "virtual IRQ", "virtual FIQ", "SError" };
        log_printf("CPU %d: %s from EL%u to EL%u, ELR " VADDR_FMT "\n", vcpu->index, names[line], s->el, target, s->pc);
    }
    enter(vcpu, target, vector[line]);
}

/* -- synchronous exceptions ------------------------------------------------------------------------------------- */

static bool is_abort(unsigned ec) { return ec == ARM_EC_IABT || ec == ARM_EC_DABT; }
static bool has_lower_form(unsigned ec)
{
    return ec == ARM_EC_BREAKPOINT_LOWER || ec == ARM_EC_STEP_LOWER || ec == ARM_EC_WATCHPOINT_LOWER;
}
static bool is_debug(unsigned ec) { return has_lower_form(ec) || ec == ARM_EC_BRK64; }

static unsigned route(const Vcpu *vcpu, unsigned ec)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t hcr = arm_hcr(vcpu);

    if (s->fault.target_el) {
        return MAX(s->fault.target_el, s->el);
    }
    if (ec == ARM_EC_HVC64) {
        return MAX(2, s->el);
    }
    if (ec == ARM_EC_SMC64) {
        return 3;
    }
    if (s->el == 0 && (hcr & HCR_TGE)) {
        return 2;
    }
    if (is_debug(ec) && s->el < 2 && arm_el2_enabled(vcpu) && (s->mdcr[2] & MDCR_TDE)) {
        return 2;
    }
    return MAX(1, s->el);
}

/* A stage 2 abort's syndrome says what the instruction would do, where it is a plain load or store of one register (ISV, D24.2.40). */
static uint32_t access_syndrome(Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    const uint8_t *p = guest_ptr_probe(vcpu, s->pc, 4, MMU_FETCH, arm_mmu_index(vcpu, MMU_FETCH));
    uint32_t insn = p ? ldle32(p) : 0;

    /* Loads and stores of one general register, without write-back: unsigned offset, unscaled, unprivileged, register offset. */
    bool one = (insn & 0x3e000000) == 0x38000000, unsigned_offset = insn & BIT(24), reg = insn & BIT(21);
    unsigned mode = (unsigned)bits_get(insn, 10, 2), size = (unsigned)bits_get(insn, 30, 2), opc = (unsigned)bits_get(insn, 22, 2);
    if (!one || (size == 3 && opc == 2) || !(unsigned_offset || (reg ? mode == 2 : mode == 0 || mode == 2))) {
        return 0;
    }
    bool sign = opc >= 2, wide = opc == 2 || (opc < 2 && size == 3);
    return (uint32_t)(BIT(24) | (uint64_t)size << 22 | (sign ? BIT(21) : 0) | (uint64_t)bits_get(insn, 0, 5) << 16 | (wide ? BIT(15) : 0));
}

/* HVC and SMC with what configuration makes of them. False: undefined. */
static bool call_allowed(const Vcpu *vcpu, unsigned ec, unsigned *ret_target)
{
    const ArmState *s = arm_state(vcpu);

    *ret_target = ec == ARM_EC_HVC64 ? MAX(2, s->el) : 3;
    if (s->el == 0) {
        return false;
    }
    if (ec == ARM_EC_HVC64) {
        bool off = arm_has(vcpu, EL3) ? !(s->scr_el3 & SCR_HCE) : (s->hcr_el2 & HCR_HCD);
        return arm_has(vcpu, EL2) && !off && (s->el != 1 || arm_el2_enabled(vcpu));
    }
    if (s->el == 1 && (arm_hcr(vcpu) & HCR_TSC)) {
        *ret_target = 2;
        return true;
    }
    return arm_has(vcpu, EL3) && !(s->scr_el3 & SCR_SMD);
}

/* Firmware the machine plays (PSCI). The program counter is behind the call already. */
static bool firmware_call(Vcpu *vcpu, unsigned ec)
{
    ArmState *s = arm_state(vcpu);
    bool hvc = ec == ARM_EC_HVC64;

    if (!s->psci || s->el == 0 || s->psci->conduit != (hvc ? ARM_CONDUIT_HVC : ARM_CONDUIT_SMC)) {
        return false;
    }
    if (!hvc && s->el == 1 && (arm_hcr(vcpu) & HCR_TSC)) {
        return false; /* the hypervisor wants it */
    }
    s->pc += 4;
    if (!s->psci->call(s->psci_opaque, vcpu)) {
        s->x[0] = ~(uint64_t)0; /* NOT_SUPPORTED (DEN 0028, 7.1) */
    }
    return true;
}

void arm_exception_enter(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);
    unsigned ec = (unsigned)vcpu->exception.cause, target = 0;
    uint64_t value = vcpu->exception.value;
    uint32_t iss;

    switch (ec) {
    case ARM_CAUSE_PC_TAG:
        s->pc = (vaddr)bits_sext(s->pc, 56);
        return;
    case ARM_CAUSE_SEMIHOST:
        arm_semihosting_call(vcpu, false);
        return;
    case ARM_EC_HVC64:
    case ARM_EC_SMC64:
        if (firmware_call(vcpu, ec)) {
            s->fault = (ArmFault){ 0 };
            return;
        }
        if (!call_allowed(vcpu, ec, &target)) {
            ec = ARM_EC_UNKNOWN;
            target = 0;
        }
        break;
    }
    bool trapped_smc = ec == ARM_EC_SMC64 && target == 2;
    target = target ? target : route(vcpu, ec);
    if (ec == ARM_EC_UNKNOWN) {
        iss = 0;
    } else if (is_abort(ec) || ec == ARM_EC_PC_ALIGN || ec == ARM_EC_WATCHPOINT_LOWER) {
        iss = s->fault.iss;
        s->far[target] = value;
    } else {
        iss = (uint32_t)value;
    }
    if (s->fault.stage2) {
        s->hpfar_el2 = s->fault.ipa >> 12 << 4;
        if (ec == ARM_EC_DABT && !(iss & BIT(7))) {
            iss |= access_syndrome(vcpu);
        }
    }
    if (is_abort(ec) && target > s->el) {
        ec = ec == ARM_EC_IABT ? ARM_EC_IABT_LOWER : ARM_EC_DABT_LOWER;
    } else if (has_lower_form(ec) && target <= s->el) {
        ec++;
    }
    /* Calls return behind themselves, everything else to the instruction. */
    if (ec == ARM_EC_SVC64 || ec == ARM_EC_HVC64 || (ec == ARM_EC_SMC64 && !trapped_smc)) {
        s->pc += 4;
    } else {
        arm_step_undone(vcpu);
    }
    if (log_enabled(LOG_INT)) {
        log_printf("CPU %d: exception class 0x%02x iss 0x%06x from EL%u to EL%u, ELR " VADDR_FMT ", FAR " VADDR_FMT "\n", vcpu->index, ec,
                   iss, s->el, target, s->pc, s->far[target]);
    }
    s->esr[target] = (uint64_t)ec << 26 | BIT(25) | iss;
    s->fault = (ArmFault){ 0 };
    enter(vcpu, target, VECTOR_SYNC);
}

void arm_trap_iss(Vcpu *vcpu, unsigned target_el, unsigned ec, uint32_t iss)
{
    arm_state(vcpu)->fault = (ArmFault){ .target_el = (uint8_t)target_el };
    vcpu_raise(vcpu, (int32_t)ec, iss);
}

/* -- return ---------------------------------------------------------------------------------------------------------- */

static bool legal_return(const Vcpu *vcpu, uint64_t spsr)
{
    const ArmState *s = arm_state(vcpu);
    unsigned el = (unsigned)bits_get(spsr, 2, 2);

    if ((spsr & (PSTATE_NRW | BIT(1))) || el > s->el || (el == 0 && (spsr & PSTATE_SP))) {
        return false;
    }
    if ((el == 3 && !arm_has(vcpu, EL3)) || (el == 2 && !arm_el2_enabled(vcpu))) {
        return false;
    }
    return !(el == 1 && (arm_hcr(vcpu) & HCR_TGE));
}

uint64_t arm_exception_return(Vcpu *vcpu, uint64_t pc)
{
    ArmState *s = arm_state(vcpu);
    uint64_t spsr = s->spsr[s->el], bits = pstate_bits(vcpu), p = spsr & bits;
    unsigned el = (unsigned)bits_get(spsr, 2, 2);
    bool legal = legal_return(vcpu, spsr);

    /* PSTATE.SS comes back only from where debug exceptions are off to where they are on (D2.12.4). */
    if (!legal || !arm_step_returns(vcpu, el, spsr)) {
        p &= ~PSTATE_SS;
    }
    if (log_enabled(LOG_INT)) {
        log_printf("CPU %d: return from EL%u to EL%u at " VADDR_FMT "%s\n", vcpu->index, s->el, el, pc, legal ? "" : ", illegal");
    }
    if (legal) {
        arm_set_level(vcpu, el, spsr & PSTATE_SP);
    } else {
        p |= PSTATE_IL;
    }
    s->pstate = (p & ~PSTATE_SP) | (s->pstate & PSTATE_SP);
    arm_nzcv_set(vcpu, (uint32_t)(spsr & PSTATE_NZCV));
    vcpu->jit.monitor_addr = ~(uint64_t)0;
    arm_debug_changed(vcpu);
    arm_set_pc(vcpu, pc, legal ? (unsigned)bits_get(spsr, 10, 2) : 0);
    return s->pc;
}
