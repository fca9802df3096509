/* helper-system.c: what translated system instructions call. */
#include <sched.h>
#include "target/arm/sysreg.h"
#include "target/arm/tlb.h"
#include "target/arm/translate.h"

uint64_t arm_helper_mrs(Vcpu *vcpu, uint32_t key, uint32_t insn)
{
    uint64_t value;

    if (!arm_sysreg_read(vcpu, key, &value)) {
        vcpu_raise(vcpu, ARM_EC_UNKNOWN, insn);
    }
    return value;
}

void arm_helper_msr(Vcpu *vcpu, uint32_t key, uint64_t value, uint32_t insn)
{
    if (!arm_sysreg_write(vcpu, key, value)) {
        vcpu_raise(vcpu, ARM_EC_UNKNOWN, insn);
    }
}

void arm_helper_yield(Vcpu *vcpu)
{
    if (vcpu->parallel) {
        sched_yield();
    } else if (vcpu->spin) {
        vcpu->spin(vcpu);
    }
}

/* ISS of a trapped MRS, MSR or SYS (D24.2.40), from the instruction at pc, which was translated and can be read. */
static noreturn void trap_a32(Vcpu *vcpu, unsigned target_el)
{
    const ArmState *s = arm_state(vcpu);
    unsigned index = arm_mmu_index(vcpu, MMU_FETCH);
    vaddr pc = (uint32_t)s->pc & ~(vaddr)1;
    const uint8_t *p = guest_ptr_probe(vcpu, pc, s->pc & 1 ? 2 : 4, MMU_FETCH, index);
    const uint8_t *q = p && s->pc & 1 ? guest_ptr_probe(vcpu, pc + 2, 2, MMU_FETCH, index) : NULL;
    uint32_t insn = s->pc & 1 ? p && q ? (uint32_t)ldle16(p) << 16 | ldle16(q) : 0 : p ? ldle32(p) : 0;
    /* Both sets have coprocessor instructions alike, but for the condition. */
    uint32_t cond = s->pc & 1 ? 14 : insn >> 28, crm = insn & 15, read = insn >> 20 & 1;
    bool two = (insn & 0x0fe00000) == 0x0c400000, cp14 = (insn >> 8 & 15) == 14, to_a64 = !arm_el_is_a32(vcpu, target_el);
    unsigned rt = insn >> 12 & 15, n = insn >> 16 & 15; /* n: Rt2 or CRn */
    uint32_t iss = 1u << 24 | cond << 20 | crm << 1 | read;

    rt = to_a64 ? arm_a32_number(s->mode, rt) : rt;
    iss |= two ? (insn >> 4 & 15) << 16 | (to_a64 ? arm_a32_number(s->mode, n) : n) << 10 | rt << 5
               : (insn >> 5 & 7) << 17 | (insn >> 21 & 7) << 14 | n << 10 | rt << 5;
    arm_trap_iss(vcpu, target_el, two ? cp14 ? ARM_EC_CP14_64 : ARM_EC_CP15_64 : cp14 ? ARM_EC_CP14 : ARM_EC_CP15, iss);
}

void arm_trap(Vcpu *vcpu, unsigned target_el)
{
    if (arm_is_a32(vcpu)) {
        trap_a32(vcpu, target_el);
    }
    const uint8_t *p = guest_ptr_probe(vcpu, arm_state(vcpu)->pc, 4, MMU_FETCH, arm_mmu_index(vcpu, MMU_FETCH));
    uint32_t insn = p ? ldle32(p) : 0;
    uint32_t iss = (uint32_t)(bits_get(insn, 19, 2) << 20 | bits_get(insn, 5, 3) << 17 | bits_get(insn, 16, 3) << 14 |
                              bits_get(insn, 12, 4) << 10 | bits_get(insn, 0, 5) << 5 | bits_get(insn, 8, 4) << 1 | bits_get(insn, 21, 1));

    arm_trap_iss(vcpu, target_el, ARM_EC_SYSREG, iss);
}

void arm_helper_msr_pstate(Vcpu *vcpu, uint32_t field, uint32_t imm, uint32_t insn)
{
    static const uint16_t reg[64] = {
        [005] = ARM_SYSREG(3, 0, 4, 2, 0), [004] = ARM_SYSREG(3, 0, 4, 2, 3), [003] = ARM_SYSREG(3, 0, 4, 2, 4), /* SPSel, PAN, UAO */
        [034] = ARM_SYSREG(3, 3, 4, 2, 7), /* TCO */
        [031] = ARM_SYSREG(3, 3, 4, 2, 6), [032] = ARM_SYSREG(3, 3, 4, 2, 5),                                  /* SSBS, DIT */
    };
    static const uint8_t bit[64] = { [005] = 0, [004] = 22, [003] = 23, [031] = 12, [032] = 24, [034] = 25 };
    ArmState *s = arm_state(vcpu);

    if (field == 036 || field == 037) { /* DAIFSet, DAIFClr */
        uint64_t old;
        arm_sysreg_read(vcpu, ARM_SYSREG(3, 3, 4, 2, 1), &old); /* traps at EL0 */
        s->pstate = field == 036 ? s->pstate | (uint64_t)imm << 6 : s->pstate & ~((uint64_t)imm << 6);
        arm_debug_changed(vcpu);
        arm_irq_check(vcpu);
    } else if (!reg[field & 63] || !arm_sysreg_write(vcpu, reg[field & 63], (uint64_t)(imm & 1) << bit[field & 63])) {
        vcpu_raise(vcpu, ARM_EC_UNKNOWN, insn);
    }
}

uint64_t arm_helper_eret(Vcpu *vcpu, uint64_t pc)
{
    return arm_exception_return(vcpu, pc);
}

/* Traps of WFI and WFE: SCTLR_ELx.nTWI and nTWE at EL0, HCR_EL2, SCR_EL3 (D1.6). TI says which. */
static void wfx_trap(Vcpu *vcpu, unsigned ti)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t hcr = arm_hcr(vcpu);
    bool host_program = s->el == 0 && arm_is_host(hcr);
    unsigned target = 0;

    if (s->el == 0 && !(s->sctlr[host_program ? 2 : 1] & (ti ? SCTLR_NTWE : SCTLR_NTWI))) {
        target = hcr & HCR_TGE ? 2 : 1;
    } else if (s->el < 2 && !host_program && (hcr & (ti ? HCR_TWE : HCR_TWI))) {
        target = 2;
    } else if (s->el < 3 && arm_has(vcpu, EL3) && (s->scr_el3 & (ti ? SCR_TWE : SCR_TWI))) {
        target = 3;
    }
    if (target) {
        arm_trap_iss(vcpu, target, ARM_EC_WFX, 0x1e00000 | ti);
    }
}

void arm_helper_wfi(Vcpu *vcpu)
{
    wfx_trap(vcpu, 0);
    arm_cpu_wait(vcpu);
}

/* May end at any time (D1.6.1), so it is a moment for the others: stores, which are events for who waits for a monitor, are not watched. */
void arm_helper_wfe(Vcpu *vcpu)
{
    wfx_trap(vcpu, 1);
    arm_helper_yield(vcpu);
}

/* Completes the TLB maintenance before it on the other vCPUs. */
void arm_helper_dsb(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);

    if (s->tlbi_pending) {
        s->tlbi_pending = false;
        tlb_wait_others(vcpu);
    }
}

void arm_helper_irq_check(Vcpu *vcpu)
{
    arm_irq_check(vcpu);
}

/* A branch to an address that is not a multiple of 4: register | with link << 5. The exception is that of the instruction there. */
void arm_helper_pc_misaligned(Vcpu *vcpu, uint32_t how)
{
    ArmState *s = arm_state(vcpu);
    vaddr target = (how & 31) == ARM_ZR ? s->branch_target : s->x[how & 31];

    if (how >> 5) {
        s->x[30] = s->pc + 4;
    }
    arm_set_pc(vcpu, target, 0);
    vcpu_loop_exit(vcpu, VCPU_EXIT_NONE);
}

void arm_helper_sp_align(Vcpu *vcpu, uint32_t unused)
{
    vcpu_raise(vcpu, ARM_EC_SP_ALIGN, 0);
}

void arm_helper_fp_trap(Vcpu *vcpu)
{
    arm_trap_iss(vcpu, arm_fp_trap_level(vcpu), ARM_EC_FP, 0x1e00000); /* CV, COND: always */
}
