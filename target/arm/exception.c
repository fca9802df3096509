/*
 * exception.c: exception entry and return, routing of synchronous exceptions, firmware calls and semihosting.
 *
 * Arm ARM DDI 0487, D1.3 (exceptions), D24.2.40 (ESR_ELx); the pseudocode of AArch64.TakeException and AArch64.ExceptionReturn.
 * Entry to AArch32 is in exception32.c. Leaves out: double faults, asynchronous errors of RAS.
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
    return arm_is_a32(vcpu) ? arm_spsr_of_a32(vcpu) : s->pstate | (uint64_t)s->el << 2 | (uint64_t)arm_btype(vcpu) << 10 | arm_nzcv_get(vcpu);
}

/* What of PSTATE there is, but for BTYPE. */
static uint64_t pstate_bits(const Vcpu *vcpu)
{
    return PSTATE_DAIF | PSTATE_SP | PSTATE_IL | PSTATE_SS | (arm_has(vcpu, SSBS) ? PSTATE_SSBS : 0) |
           (arm_has(vcpu, PAN) ? PSTATE_PAN : 0) | (arm_has(vcpu, UAO) ? PSTATE_UAO : 0) | (arm_has(vcpu, DIT) ? PSTATE_DIT : 0) |
           (arm_has(vcpu, MTE) ? PSTATE_TCO : 0);
}

typedef enum Vector { VECTOR_SYNC = 0, VECTOR_IRQ = 0x80, VECTOR_FIQ = 0x100, VECTOR_SERROR = 0x180 } Vector;

/* The level below the target decides which of the two halves for exceptions from below it is (D1.3.1). */
static bool from_a32(const Vcpu *vcpu, unsigned target)
{
    if (target == 1 || (target == 2 && arm_state(vcpu)->el == 0 && arm_is_host(arm_hcr(vcpu)))) {
        return arm_is_a32(vcpu);
    }
    return arm_el_is_a32(vcpu, target == 3 && arm_el2_enabled(vcpu) ? 2 : 1);
}

static void enter(Vcpu *vcpu, unsigned target, Vector vector)
{
    ArmState *s = arm_state(vcpu);
    uint64_t from = target > s->el ? from_a32(vcpu, target) ? 0x600 : 0x400 : s->pstate & PSTATE_SP ? 0x200 : 0x000;
    bool host = target == 2 && arm_is_host(arm_hcr(vcpu));

    s->spsr[target] = arm_spsr_of_state(vcpu);
    if (arm_is_a32(vcpu)) {
        arm_leave_a32(vcpu);
        s->elr[target] = s->pc;
    } else {
        s->elr[target] = arm_pc(vcpu);
    }
    uint64_t p = s->pstate;
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

void arm_interrupt_enter(Vcpu *vcpu, unsigned line, unsigned target, bool monitor)
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
    if (arm_el_is_a32(vcpu, target)) {
        arm_interrupt_enter_a32(vcpu, line, target, monitor);
    } else {
        enter(vcpu, target, vector[line]);
    }
}

/* -- synchronous exceptions ------------------------------------------------------------------------------------- */

static bool is_abort(unsigned ec) { return ec == ARM_EC_IABT || ec == ARM_EC_DABT; }
static bool has_lower_form(unsigned ec)
{
    return ec == ARM_EC_BREAKPOINT_LOWER || ec == ARM_EC_STEP_LOWER || ec == ARM_EC_WATCHPOINT_LOWER;
}
static bool is_debug(unsigned ec) { return has_lower_form(ec) || ec == ARM_EC_BRK64 || ec == ARM_EC_BKPT32; }
static bool is_hvc(unsigned ec) { return ec == ARM_EC_HVC64 || ec == ARM_EC_HVC32; }
static bool is_smc(unsigned ec) { return ec == ARM_EC_SMC64 || ec == ARM_EC_SMC32; }
static bool is_svc(unsigned ec) { return ec == ARM_EC_SVC64 || ec == ARM_EC_SVC32; }

static unsigned route(const Vcpu *vcpu, unsigned ec)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t hcr = arm_hcr(vcpu);

    if (s->fault.target_el) {
        return MAX(s->fault.target_el == 1 ? arm_pl1(vcpu) : s->fault.target_el, s->el);
    }
    if (is_hvc(ec)) {
        return MAX(2, s->el);
    }
    if (is_smc(ec)) {
        return 3;
    }
    if (s->el == 0 && (hcr & HCR_TGE)) {
        return 2;
    }
    if (is_debug(ec) && s->el < 2 && arm_el2_enabled(vcpu) && (s->mdcr[2] & MDCR_TDE)) {
        return 2;
    }
    return MAX(arm_pl1(vcpu), s->el);
}

/* A stage 2 abort's syndrome says what the instruction would do, where it is a plain load or store of one register (ISV, D24.2.40). */
static uint32_t access_syndrome(Vcpu *vcpu, bool *ret_narrow)
{
    const ArmState *s = arm_state(vcpu);
    const uint8_t *p = arm_is_a32(vcpu) ? NULL : guest_ptr_probe(vcpu, s->pc, 4, MMU_FETCH, arm_mmu_index(vcpu, MMU_FETCH));
    uint32_t insn = p ? ldle32(p) : 0;

    if (arm_is_a32(vcpu)) {
        return arm_access_syndrome_a32(vcpu, ret_narrow);
    }
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

    *ret_target = is_hvc(ec) ? MAX(2, s->el) : 3;
    if (s->el == 0) {
        return false;
    }
    if (is_hvc(ec)) {
        bool off = arm_has(vcpu, EL3) ? !(s->scr_el3 & SCR_HCE) : (s->hcr_el2 & HCR_HCD);
        if (arm_a32_el3_is_secure(vcpu) || (ec == ARM_EC_HVC32 && s->el == 3)) {
            return false;
        }
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
    bool hvc = is_hvc(ec);

    if (!s->psci || s->el == 0 || s->psci->conduit != (hvc ? ARM_CONDUIT_HVC : ARM_CONDUIT_SMC)) {
        return false;
    }
    if (!hvc && s->el == 1 && (arm_hcr(vcpu) & HCR_TSC)) {
        return false; /* the hypervisor wants it */
    }
    s->pc += 4;
    s->itstate = (uint8_t)arm_it_advance(s->itstate);
    if (!s->psci->call(s->psci_opaque, vcpu)) {
        s->x[0] = ~(uint64_t)0; /* NOT_SUPPORTED (DEN 0028, 7.1) */
    }
    return true;
}

/* Calls return behind themselves, everything else to the instruction. */
static void move_pc(Vcpu *vcpu, unsigned ec, bool trapped_smc)
{
    ArmState *s = arm_state(vcpu);

    if (is_svc(ec) || is_hvc(ec) || (is_smc(ec) && !trapped_smc)) {
        s->pc += ec == ARM_EC_SVC32 && (s->pc & 1) ? 2 : 4;
        s->itstate = (uint8_t)arm_it_advance(s->itstate);
    } else {
        arm_step_undone(vcpu);
    }
}

void arm_exception_enter(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);
    unsigned ec = (unsigned)vcpu->exception.cause, target = 0;
    uint64_t value = vcpu->exception.value;
    uint32_t iss;
    bool a32 = arm_is_a32(vcpu), narrow = false; /* narrow: a T32 instruction of 16 bits, where the syndrome says so */

    switch (ec) {
    case ARM_CAUSE_PC_TAG:
        s->pc = (vaddr)bits_sext(s->pc, 56);
        return;
    case ARM_CAUSE_SEMIHOST:
        arm_semihosting_call(vcpu, a32);
        return;
    case ARM_EC_HVC64: case ARM_EC_HVC32:
    case ARM_EC_SMC64: case ARM_EC_SMC32:
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
    bool trapped_smc = is_smc(ec) && target == 2, monitor = (is_smc(ec) && target == 3) || s->fault.target_el == 3;
    target = target ? target : route(vcpu, ec);
    bool to_a32 = arm_el_is_a32(vcpu, target);
    if (ec == ARM_EC_UNKNOWN) {
        iss = 0;
    } else if (is_abort(ec) || ec == ARM_EC_PC_ALIGN || ec == ARM_EC_WATCHPOINT_LOWER) {
        iss = s->fault.iss;
        s->far[target] = to_a32 ? s->far[target] : value; /* else a half of it */
    } else {
        iss = (uint32_t)value;
    }
    if (s->fault.stage2) {
        s->hpfar_el2 = s->fault.ipa >> 12 << 4;
        if (ec == ARM_EC_DABT && !(iss & BIT(7))) {
            iss |= access_syndrome(vcpu, &narrow);
        }
    }
    if (to_a32) {
        move_pc(vcpu, ec, trapped_smc);
        arm_exception_enter_a32(vcpu, target, monitor, ec, iss, value);
        return;
    }
    if (is_abort(ec) && target > s->el) {
        ec = ec == ARM_EC_IABT ? ARM_EC_IABT_LOWER : ARM_EC_DABT_LOWER;
    } else if (has_lower_form(ec) && target <= s->el) {
        ec++;
    }
    narrow |= (s->pc & 1) && a32 && (ec == ARM_EC_SVC32 || ec == ARM_EC_BKPT32);
    move_pc(vcpu, ec, trapped_smc);
    if (log_enabled(LOG_INT)) {
        log_printf("CPU %d: exception class 0x%02x iss 0x%06x from EL%u to EL%u, ELR " VADDR_FMT ", FAR " VADDR_FMT "\n", vcpu->index, ec,
                   iss, s->el, target, s->pc, s->far[target]);
    }
    s->esr[target] = (uint64_t)ec << 26 | (narrow ? 0 : BIT(25)) | iss;
    s->fault = (ArmFault){ 0 };
    enter(vcpu, target, VECTOR_SYNC);
}

void arm_trap_iss(Vcpu *vcpu, unsigned target_el, unsigned ec, uint32_t iss)
{
    arm_state(vcpu)->fault = (ArmFault){ .target_el = (uint8_t)target_el };
    vcpu_raise(vcpu, (int32_t)ec, iss);
}

/* -- return ---------------------------------------------------------------------------------------------------------- */

/* To AArch32: the level's state must be that, by the level above it (D1.3.4). */
static bool legal_return_a32(const Vcpu *vcpu, uint64_t spsr)
{
    const ArmState *s = arm_state(vcpu);
    unsigned mode = spsr & 15, el = arm_a32_level(vcpu, mode);

    if (!arm_a32_mode_there(vcpu, mode) || el >= s->el || el == 3) {
        return false;
    }
    if (el == 0) {
        /* The kernel above may be of either state, and must be there for programs of 32 bits. */
        return arm_has(vcpu, AA32EL0);
    }
    return arm_el_is_a32(vcpu, el) && (el != 2 || arm_el2_enabled(vcpu)) && !(el == 1 && (arm_hcr(vcpu) & HCR_TGE));
}

static bool legal_return(const Vcpu *vcpu, uint64_t spsr)
{
    const ArmState *s = arm_state(vcpu);
    unsigned el = (unsigned)bits_get(spsr, 2, 2);

    if (spsr & PSTATE_NRW) {
        return legal_return_a32(vcpu, spsr);
    }
    if ((spsr & BIT(1)) || (el && arm_el_is_a32(vcpu, el)) || el > s->el || (el == 0 && (spsr & PSTATE_SP))) {
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
    unsigned el = spsr & PSTATE_NRW ? arm_a32_level(vcpu, spsr & 15) : (unsigned)bits_get(spsr, 2, 2);
    bool legal = legal_return(vcpu, spsr);

    /* PSTATE.SS comes back only from where debug exceptions are off to where they are on (D2.12.4). */
    if (!legal || !arm_step_returns(vcpu, el, spsr)) {
        p &= ~PSTATE_SS;
    }
    if (log_enabled(LOG_INT)) {
        log_printf("CPU %d: return from EL%u to EL%u at " VADDR_FMT "%s\n", vcpu->index, s->el, el, pc, legal ? "" : ", illegal");
    }
    if (legal && (spsr & PSTATE_NRW)) {
        s->pstate = (s->pstate & ~PSTATE_SS) | (p & PSTATE_SS);
        arm_set_mode(vcpu, spsr & 15);
        arm_cpsr_return(vcpu, arm_cpsr_of_spsr(spsr));
        vcpu->jit.monitor_addr = ~(uint64_t)0;
        arm_debug_changed(vcpu);
        s->pc_misaligned = false; /* its low bits are AArch32's */
        return spsr & CPSR_T ? (uint32_t)pc | 1 : (uint32_t)pc & ~3u;
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
