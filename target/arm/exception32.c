/*
 * exception32.c: exception entry to AArch32: PL1 modes, Hyp mode, Monitor mode (Arm ARM DDI 0487, G1.13 to G1.17; the pseudocode of
 * AArch32.EnterMode, EnterHypMode, EnterMonitorMode), fault status in both formats (G8.2.39, G8.2.41).
 *
 * Where an exception goes is decided in exception.c and interrupt.c, for both states. Leaves out: vectored interrupts (SCTLR.VE).
 * Threads: the vCPU's own.
 */
#include "accel/tcg.h"
#include "target/arm/mmu.h"
#include "util/log.h"

/* Whether this kernel's tables, and with them fault status, are in the long format (TTBCR.EAE). */
static bool long_format(const Vcpu *vcpu, unsigned el)
{
    return arm_vmsa(vcpu) >= 5 && (arm_state(vcpu)->tcr[el] & TTBCR_EAE);
}

/* -- entry ----------------------------------------------------------------------------------------------------------- */

/* What all three do to PSTATE; sctlr: the target's. */
static void common_pstate(Vcpu *vcpu, uint64_t sctlr)
{
    ArmState *s = arm_state(vcpu);

    s->itstate = 0;
    s->pstate &= ~(PSTATE_IL | PSTATE_SS | PSTATE_E | PSTATE_SSBS);
    s->pstate |= sctlr & SCTLR_EE ? PSTATE_E : 0;
    s->pstate |= arm_has(vcpu, SSBS) && (sctlr & SCTLR32_DSSBS) ? PSTATE_SSBS : 0;
    vcpu->jit.monitor_addr = ~(uint64_t)0;
    arm_debug_changed(vcpu);
}

static void go(Vcpu *vcpu, uint64_t base, unsigned offset, uint64_t sctlr)
{
    /* Thumb exceptions came with T32. */
    bool thumb = (sctlr & SCTLR32_TE) && arm_vmsa(vcpu) >= 3;
    arm_state(vcpu)->pc = (uint32_t)(base + offset) | (thumb ? 1 : 0);
}

static void enter_mode(Vcpu *vcpu, unsigned mode, unsigned offset, uint32_t lr, uint64_t masks)
{
    ArmState *s = arm_state(vcpu);
    uint32_t cpsr = arm_cpsr_get(vcpu);

    if (s->el == 3 && s->mode == A32_MON) {
        s->scr_el3 &= ~SCR_NS; /* Monitor mode is left for the secure state */
    }
    arm_set_mode(vcpu, mode);
    *arm_a32_spsr(vcpu, mode) = cpsr;
    s->x[14] = lr;
    uint64_t sctlr = s->sctlr[s->el];
    s->pstate |= masks;
    if (arm_has(vcpu, PAN) && !(sctlr & SCTLR_SPAN)) {
        s->pstate |= PSTATE_PAN;
    }
    common_pstate(vcpu, sctlr);
    go(vcpu, sctlr & SCTLR32_V ? 0xffff0000 : s->vbar[s->el], offset, sctlr);
}

static void enter_hyp(Vcpu *vcpu, unsigned offset)
{
    ArmState *s = arm_state(vcpu);
    uint32_t cpsr = arm_cpsr_get(vcpu);

    s->elr[2] = (uint32_t)s->pc & ~1u;
    arm_set_mode(vcpu, A32_HYP);
    s->spsr[2] = cpsr;
    /* Masked but for what goes to Monitor mode. */
    uint64_t scr = arm_has(vcpu, EL3) ? s->scr_el3 : 0;
    s->pstate |= (scr & SCR_EA ? 0 : PSTATE_A) | (scr & SCR_IRQ ? 0 : PSTATE_I) | (scr & SCR_FIQ ? 0 : PSTATE_F);
    common_pstate(vcpu, s->sctlr[2]);
    go(vcpu, s->vbar[2], offset, s->sctlr[2]);
}

static void enter_monitor(Vcpu *vcpu, unsigned offset, uint32_t lr)
{
    ArmState *s = arm_state(vcpu);
    uint32_t cpsr = arm_cpsr_get(vcpu);

    if (s->mode == A32_MON) {
        s->scr_el3 &= ~SCR_NS;
    }
    arm_set_mode(vcpu, A32_MON);
    s->spsr[3] = cpsr;
    s->x[14] = lr;
    s->pstate |= PSTATE_A | PSTATE_I | PSTATE_F;
    if (arm_has(vcpu, PAN) && !(s->sctlr[3] & SCTLR_SPAN)) {
        s->pstate |= PSTATE_PAN;
    }
    common_pstate(vcpu, s->sctlr[3]);
    go(vcpu, s->mvbar, offset, s->sctlr[3]);
}

/* -- fault status ------------------------------------------------------------------------------------------------------- */

/* FS of the short format from the code an ESR_ELx would have (tables G8-29, D24-62). */
uint32_t arm_short_status(unsigned fsc)
{
    switch (fsc) {
    case ARM_FSC_TRANSLATION + 1: return 0x05;
    case ARM_FSC_TRANSLATION + 2: return 0x07;
    case ARM_FSC_ACCESS_FLAG + 1: return 0x03;
    case ARM_FSC_ACCESS_FLAG + 2: return 0x06;
    case ARM_FSC_PERMISSION + 1: return 0x0d;
    case ARM_FSC_PERMISSION + 2: return 0x0f;
    case ARM_FSC_DOMAIN + 1: return 0x09;
    case ARM_FSC_DOMAIN + 2: return 0x0b;
    case ARM_FSC_ALIGNMENT: return 0x01;
    case ARM_FSC_DEBUG: return 0x02;
    case ARM_FSC_EXTERNAL_WALK + 1: return 0x0c;
    case ARM_FSC_EXTERNAL_WALK + 2: return 0x0e;
    default: return 0x08; /* synchronous external abort */
    }
}

static uint32_t fault_status(const Vcpu *vcpu, unsigned el, uint32_t iss, bool data)
{
    unsigned fsc = iss & 63, vmsa = arm_vmsa(vcpu);
    uint32_t status;

    if (long_format(vcpu, el)) {
        status = fsc | 1u << 9;
    } else {
        uint32_t fs = arm_short_status(fsc);
        /* The domain is not known of translation faults of the first level, nor of what is no fault of the tables. */
        bool domain = data && (fs == 0x07 || fs == 0x09 || fs == 0x0b || fs == 0x0d || fs == 0x0f || fs == 0x06);
        status = (fs & 15) | (fs >> 4) << 10 | (domain ? (uint32_t)arm_state(vcpu)->fault.domain << 4 : 0);
    }
    if (data && vmsa >= 2) {
        status |= (iss & 1u << 6 ? 1u << 11 : 0) | (iss & 1u << 8 && vmsa >= 5 ? 1u << 13 : 0); /* WnR, CM */
    }
    return status;
}

static void report_abort(Vcpu *vcpu, unsigned el, bool data, uint32_t iss, uint64_t addr)
{
    ArmState *s = arm_state(vcpu);

    if (data) {
        s->esr[el] = fault_status(vcpu, el, iss, true);
        s->far[el] = bits_set(s->far[el], 0, 32, (uint32_t)addr);
    } else {
        s->ifsr[el] = fault_status(vcpu, el, iss, false);
        s->far[el] = bits_set(s->far[el], 32, 32, (uint32_t)addr);
    }
}

/* -- synchronous exceptions ------------------------------------------------------------------------------------------------ */

typedef enum Kind { KIND_UND, KIND_SVC, KIND_HVC, KIND_SMC, KIND_PABT, KIND_DABT } Kind;

static Kind kind_of(unsigned ec)
{
    switch (ec) {
    case ARM_EC_SVC32: return KIND_SVC;
    case ARM_EC_HVC32: return KIND_HVC;
    case ARM_EC_SMC32: return KIND_SMC;
    case ARM_EC_IABT: case ARM_EC_PC_ALIGN: case ARM_EC_BKPT32: case ARM_EC_BREAKPOINT_LOWER: return KIND_PABT;
    case ARM_EC_DABT: case ARM_EC_WATCHPOINT_LOWER: return KIND_DABT;
    default: return KIND_UND;
    }
}

static uint32_t iss_of_debug(unsigned ec, uint32_t iss)
{
    return ec == ARM_EC_BKPT32 || ec == ARM_EC_BREAKPOINT_LOWER ? ARM_FSC_DEBUG : iss;
}

/* HSR: as ESR_ELx, which knows aborts from below as a class of their own. */
static void report_hyp(Vcpu *vcpu, unsigned ec, uint32_t iss, uint64_t addr, bool from_below)
{
    ArmState *s = arm_state(vcpu);
    bool data = ec == ARM_EC_DABT || ec == ARM_EC_WATCHPOINT_LOWER, code = kind_of(ec) == KIND_PABT;
    unsigned class = data ? from_below ? ARM_EC_DABT_LOWER : ARM_EC_DABT : code ? from_below ? ARM_EC_IABT_LOWER : ARM_EC_IABT : ec;
    bool narrow = (s->pc & 1) && (ec == ARM_EC_SVC32);

    s->esr[2] = (uint64_t)class << 26 | (narrow ? 0 : BIT(25)) | (code ? iss_of_debug(ec, iss) : iss);
    if (data) {
        s->far[2] = bits_set(s->far[2], 0, 32, (uint32_t)addr);
    } else if (code) {
        s->far[2] = bits_set(s->far[2], 32, 32, (uint32_t)addr);
    }
}

void arm_exception_enter_a32(Vcpu *vcpu, unsigned target, bool monitor, unsigned ec, uint32_t iss, uint64_t value)
{
    static const struct { uint8_t mode, offset; } row[] = {
        [KIND_UND] = { A32_UND, A32_VECTOR_UND }, [KIND_SVC] = { A32_SVC, A32_VECTOR_CALL }, [KIND_HVC] = { A32_HYP, A32_VECTOR_HYP },
        [KIND_SMC] = { A32_MON, A32_VECTOR_CALL }, [KIND_PABT] = { A32_ABT, A32_VECTOR_PABT }, [KIND_DABT] = { A32_ABT, A32_VECTOR_DABT },
    };
    ArmState *s = arm_state(vcpu);
    Kind kind = kind_of(ec);
    uint32_t pc = (uint32_t)s->pc & ~1u;
    /* How far R14 is ahead of the preferred return address (table G1-8); calls have moved pc themselves. */
    unsigned ahead = kind == KIND_UND ? s->pc & 1 ? 2 : 4 : kind == KIND_PABT ? 4 : kind == KIND_DABT ? 8 : 0;

    if (log_enabled(LOG_INT)) {
        log_printf("CPU %d: exception class 0x%02x iss 0x%06x from mode 0x%x to AArch32 EL%u%s, pc %08x, address %08x\n", vcpu->index, ec, iss, s->mode,
                   target, monitor ? " (monitor)" : "", pc, (uint32_t)value);
    }
    if (monitor) {
        if (kind == KIND_PABT || kind == KIND_DABT) {
            report_abort(vcpu, 3, kind == KIND_DABT, iss_of_debug(ec, iss), value);
        }
        s->fault = (ArmFault){ 0 };
        enter_monitor(vcpu, row[kind].offset, pc + ahead);
    } else if (target == 2) {
        bool from_below = s->el < 2;
        report_hyp(vcpu, ec, iss, value, from_below);
        s->fault = (ArmFault){ 0 };
        enter_hyp(vcpu, from_below ? A32_VECTOR_HYP : row[kind].offset);
    } else {
        if (kind == KIND_PABT || kind == KIND_DABT) {
            report_abort(vcpu, target, kind == KIND_DABT, iss_of_debug(ec, iss), value);
        }
        s->fault = (ArmFault){ 0 };
        enter_mode(vcpu, row[kind].mode, row[kind].offset, pc + ahead, PSTATE_I | (row[kind].mode == A32_ABT ? PSTATE_A : 0));
    }
}

/* -- what a stage 2 abort says of the instruction (D24.2.40, ISS of a data abort) ---------------------------------------- */

typedef struct Access32 { bool ok, sign; unsigned size, rt; } Access32;

static Access32 access_of_a32(uint32_t w)
{
    unsigned sh = w >> 5 & 3;
    bool load = w & BIT(20), plain = (w & BIT(24)) && !(w & BIT(21)), media = (w & BIT(25)) && (w & BIT(4));

    if ((w & 0x0c000000) == 0x04000000) {
        return (Access32){ plain && !media, false, w & BIT(22) ? 0 : 2, w >> 12 & 15 };
    }
    bool extra = (w & 0x0e000090) == 0x00000090 && sh && (load || sh == 1);
    return (Access32){ extra && plain, sh > 1, sh == 2 ? 0 : 1, w >> 12 & 15 };
}

static Access32 access_of_t16(uint32_t w)
{
    static const uint8_t by_register[8] = { 2, 1, 0, 0, 2, 1, 0, 1 };

    switch (w >> 12) {
    case 5: return (Access32){ true, (w >> 9 & 7) == 3 || (w >> 9 & 7) == 7, by_register[w >> 9 & 7], w & 7 };
    case 6: return (Access32){ true, false, 2, w & 7 };
    case 7: return (Access32){ true, false, 0, w & 7 };
    case 8: return (Access32){ true, false, 1, w & 7 };
    case 9: return (Access32){ true, false, 2, w >> 8 & 7 };
    default: return (Access32){ false, false, 0, 0 };
    }
}

static Access32 access_of_t32(uint32_t w)
{
    bool plain = (w & BIT(23)) || !(w >> 6 & 63) || (w >> 8 & 15) == 12;
    return (Access32){ (w & 0xfe000000) == 0xf8000000 && (w >> 21 & 3) != 3 && plain, w & BIT(24), w >> 21 & 3, w >> 12 & 15 };
}

uint32_t arm_access_syndrome_a32(Vcpu *vcpu, bool *ret_narrow)
{
    ArmState *s = arm_state(vcpu);
    vaddr pc = (uint32_t)s->pc & ~(vaddr)1;
    unsigned index = arm_mmu_index(vcpu, MMU_FETCH);
    const uint8_t *p = guest_ptr_probe(vcpu, pc, s->pc & 1 ? 2 : 4, MMU_FETCH, index), *q = NULL;
    Access32 a = { .ok = false };

    *ret_narrow = false;
    if (p && !(s->pc & 1)) {
        a = access_of_a32(ldle32(p));
    } else if (p && ldle16(p) >> 11 < 0x1d) {
        a = access_of_t16(ldle16(p));
        *ret_narrow = a.ok;
    } else if (p) {
        q = guest_ptr_probe(vcpu, pc + 2, 2, MMU_FETCH, index);
        a = q ? access_of_t32((uint32_t)ldle16(p) << 16 | ldle16(q)) : a;
    }
    if (!a.ok || a.rt == 15) {
        return 0;
    }
    /* The register is named as AArch64 has it once it is there. */
    unsigned rt = arm_el_is_a32(vcpu, 2) ? a.rt : arm_a32_number(s->mode, a.rt);
    return (uint32_t)(BIT(24) | (uint64_t)a.size << 22 | (a.sign ? BIT(21) : 0) | (uint64_t)rt << 16);
}

/* -- interrupts ---------------------------------------------------------------------------------------------------------------- */

void arm_interrupt_enter_a32(Vcpu *vcpu, unsigned line, unsigned target, bool monitor)
{
    ArmState *s = arm_state(vcpu);
    bool irq = line == ARM_IRQ_IRQ || line == ARM_IRQ_VIRQ, serror = line == ARM_IRQ_SERROR;
    unsigned offset = serror ? A32_VECTOR_DABT : irq ? A32_VECTOR_IRQ : A32_VECTOR_FIQ;
    uint32_t pc = (uint32_t)s->pc & ~1u;

    if (log_enabled(LOG_INT)) {
        log_printf("CPU %d: %s from mode 0x%x to AArch32 EL%u%s, pc %08x\n", vcpu->index, serror ? "SError" : irq ? "IRQ" : "FIQ", s->mode, target,
                   monitor ? " (monitor)" : "", pc);
    }
    if (monitor) {
        enter_monitor(vcpu, offset, pc + (serror ? 8 : 4));
    } else if (target == 2) {
        enter_hyp(vcpu, offset);
    } else {
        if (serror) { /* asynchronous external abort: 10110, 010001 */
            s->esr[target] = long_format(vcpu, target) ? 0x11 | 1u << 9 : 0x406;
        }
        enter_mode(vcpu, serror ? A32_ABT : irq ? A32_IRQ : A32_FIQ, offset, pc + (serror ? 8 : 4),
                   PSTATE_I | PSTATE_A | (offset == A32_VECTOR_FIQ ? PSTATE_F : 0));
    }
}
