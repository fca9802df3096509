/*
 * cpsr.c: CPSR of AArch32 as one word (Arm ARM DDI 0487, G8.2.33), from where its parts are kept; modes, their levels and banked registers
 * (G1.9, G1.12).
 *
 * A bank lies where the architecture maps it (cpu-state.def). While its mode is in use it is in R8 to R14 like everything, and user mode's
 * registers are in the bank's place: so leaving a mode is swapping back. Threads: the vCPU's own.
 */
#include "target/arm/mmu.h"

enum { CPSR_Q = 27, CPSR_GE = 16, CPSR_THUMB = 5 };
#define CPSR_SSBS BIT(23)
#define CPSR_DIT  BIT(21)

/* IT[1:0] are bits 26:25, IT[7:2] bits 15:10. */
uint32_t arm_cpsr_get(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t p = s->pstate;
    uint32_t system = (uint32_t)(p & (PSTATE_F | PSTATE_I | PSTATE_A | PSTATE_E | PSTATE_IL | PSTATE_PAN)) | s->mode;

    system |= (uint32_t)((p & PSTATE_SSBS ? CPSR_SSBS : 0) | (p & PSTATE_DIT ? CPSR_DIT : 0));
    return arm_nzcv_get(vcpu) | (uint32_t)s->q << CPSR_Q | (uint32_t)s->ge << CPSR_GE | (s->itstate & 3u) << 25 | (s->itstate >> 2 & 63u) << 10
           | (uint32_t)(s->pc & 1) << CPSR_THUMB | ARM_CPSR_USER | (vcpu->softmmu ? system : (uint32_t)(p & PSTATE_E));
}

void arm_cpsr_set_user(Vcpu *vcpu, uint32_t value)
{
    ArmState *s = arm_state(vcpu);

    arm_nzcv_set(vcpu, value & 0xf0000000);
    s->q = value >> CPSR_Q & 1;
    s->ge = value >> CPSR_GE & 15;
    s->pstate = (s->pstate & ~PSTATE_E) | (value & PSTATE_E);
    s->itstate = (uint8_t)((value >> 25 & 3) | (value >> 10 & 63) << 2);
    s->pc = (s->pc & ~(uint64_t)1) | (value >> CPSR_THUMB & 1);
}

/* -- SPSR_ELx (C5.2.19): DIT is bit 24 there, and there is SS -------------------------------------------------------- */

uint64_t arm_spsr_of_a32(const Vcpu *vcpu)
{
    uint32_t cpsr = arm_cpsr_get(vcpu);
    return (cpsr & ~CPSR_DIT) | (arm_state(vcpu)->pstate & (PSTATE_SS | PSTATE_DIT));
}

uint32_t arm_cpsr_of_spsr(uint64_t spsr)
{
    return (uint32_t)((spsr & ~(CPSR_DIT | PSTATE_DIT)) | (spsr & PSTATE_DIT ? CPSR_DIT : 0));
}

/* -- modes ----------------------------------------------------------------------------------------------------------- */

bool arm_a32_mode_there(const Vcpu *vcpu, unsigned mode)
{
    switch (mode) {
    case A32_USR: case A32_FIQ: case A32_IRQ: case A32_SVC: case A32_ABT: case A32_UND: case A32_SYS: return true;
    case A32_HYP: return arm_has(vcpu, EL2);
    case A32_MON: return arm_has(vcpu, EL3) && !arm_model(vcpu)->aarch64;
    default: return false;
    }
}

unsigned arm_a32_level(const Vcpu *vcpu, unsigned mode)
{
    switch (mode) {
    case A32_USR: return 0;
    case A32_HYP: return 2;
    case A32_MON: return 3;
    default: return arm_a32_el3_is_secure(vcpu) ? 3 : 1;
    }
}

/* Where a mode's R13 and R14 are; Hyp mode has user mode's R14. */
typedef struct Bank { uint8_t sp, lr; } Bank;
static const Bank banks[16] = {
    [A32_FIQ] = { 29, 30 }, [A32_IRQ] = { 17, 16 }, [A32_SVC] = { 19, 18 }, [A32_ABT] = { 21, 20 }, [A32_UND] = { 23, 22 }, [A32_HYP] = { 15, 14 },
};

static void exchange(uint64_t *a, uint64_t *b)
{
    uint64_t t = *a;
    *a = *b;
    *b = t;
}

static void swap_bank(ArmState *s, unsigned mode)
{
    const Bank *k = &banks[mode];

    if (mode == A32_MON) {
        exchange(&s->x[13], &s->sp_mon);
        exchange(&s->x[14], &s->lr_mon);
        return;
    }
    if (!k->sp) {
        return;
    }
    exchange(&s->x[13], &s->x[k->sp]);
    exchange(&s->x[14], &s->x[k->lr]);
    for (unsigned i = 0; mode == A32_FIQ && i < 5; i++) {
        exchange(&s->x[8 + i], &s->x[24 + i]);
    }
}

unsigned arm_a32_number(unsigned mode, unsigned n)
{
    unsigned at = n == 13 ? banks[mode].sp : n == 14 ? banks[mode].lr : mode == A32_FIQ && n >= 8 && n < 13 ? 16 + n : 0;
    return at ? at : n;
}

/* The place of a mode's own register when user mode is in use; NULL: it has none of its own. */
static uint64_t *home(ArmState *s, unsigned mode, unsigned n)
{
    if (mode == A32_MON && n >= 13) {
        return n == 13 ? &s->sp_mon : &s->lr_mon;
    }
    unsigned at = arm_a32_number(mode, n);
    return at != n ? &s->x[at] : NULL;
}

uint64_t *arm_a32_reg(Vcpu *vcpu, unsigned mode, unsigned n)
{
    ArmState *s = arm_state(vcpu);
    uint64_t *own = home(s, s->mode, n), *other = home(s, mode, n);

    if (mode == s->mode || (!own && !other)) {
        return &s->x[n];
    }
    /* The mode in use keeps user mode's in its place. */
    return other ? other : own;
}

uint64_t *arm_a32_spsr(Vcpu *vcpu, unsigned mode)
{
    ArmState *s = arm_state(vcpu);

    switch (mode) {
    case A32_ABT: return &s->spsr_bank[0];
    case A32_UND: return &s->spsr_bank[1];
    case A32_IRQ: return &s->spsr_bank[2];
    case A32_FIQ: return &s->spsr_bank[3];
    case A32_SVC: return &s->spsr[1];
    case A32_HYP: return &s->spsr[2];
    case A32_MON: return &s->spsr[3];
    default: return NULL;
    }
}

/* The level changes: TLB and performance monitors follow it. */
static void change_level(Vcpu *vcpu, unsigned el, ArmRegime old, bool was_el3)
{
    ArmState *s = arm_state(vcpu);

    if (unlikely(s->pmcr_el0 & 1) && el != s->el) {
        arm_pmu_sync(vcpu);
    }
    s->el = (uint8_t)el;
    if (was_el3 || el == 3 || arm_regime(vcpu, el) != old) {
        arm_tlb_select(vcpu);
    }
}

void arm_set_mode(Vcpu *vcpu, unsigned mode)
{
    ArmState *s = arm_state(vcpu);
    ArmRegime old = arm_regime(vcpu, s->el);
    bool was_el3 = s->el == 3;

    if (s->pstate & PSTATE_NRW) {
        swap_bank(s, s->mode);
    } else {
        s->sp_el[s->pstate & PSTATE_SP ? s->el : 0] = s->sp;
        s->pstate = (s->pstate & ~(PSTATE_SP | PSTATE_UAO | PSTATE_BTYPE | PSTATE_TCO | PSTATE_D)) | PSTATE_NRW;
    }
    s->mode = (uint8_t)mode;
    swap_bank(s, mode);
    change_level(vcpu, arm_a32_level(vcpu, mode), old, was_el3);
}

void arm_leave_a32(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);

    arm_fp_leave_a32(vcpu);
    swap_bank(s, s->mode);
    s->mode = 0;
    s->pstate &= ~(PSTATE_NRW | PSTATE_E);
    s->pc &= UINT32_MAX & ~(uint64_t)1;
    s->itstate = s->q = s->ge = 0;
    /* Upper halves are zero or what they were (D1.20.2): zero, as 32-bit values are zero-extended. */
    for (unsigned i = 0; i < 31; i++) {
        s->x[i] = (uint32_t)s->x[i];
    }
    /* The stack pointer in use is AArch64's again: that of level 0, until arm_set_level(). */
    s->sp = s->sp_el[0];
}

/* -- writes -------------------------------------------------------------------------------------------------------------- */

static void put_system(Vcpu *vcpu, uint32_t v)
{
    ArmState *s = arm_state(vcpu);
    uint64_t mask = PSTATE_F | PSTATE_I | PSTATE_A | PSTATE_E | (arm_has(vcpu, PAN) ? PSTATE_PAN : 0);

    s->pstate = (s->pstate & ~(mask | PSTATE_IL)) | (v & mask) | (v & PSTATE_IL);
    if (arm_has(vcpu, SSBS)) {
        s->pstate = v & CPSR_SSBS ? s->pstate | PSTATE_SSBS : s->pstate & ~PSTATE_SSBS;
    }
    if (arm_has(vcpu, DIT)) {
        s->pstate = v & CPSR_DIT ? s->pstate | PSTATE_DIT : s->pstate & ~PSTATE_DIT;
    }
}

bool arm_cpsr_return(Vcpu *vcpu, uint32_t value)
{
    ArmState *s = arm_state(vcpu);
    unsigned mode = value & 15, el = arm_a32_level(vcpu, mode);
    /* To a mode that is not there, or of a higher level, or to AArch64 (G1.17.3). */
    bool legal = (value & ARM_CPSR_USER) && arm_a32_mode_there(vcpu, mode) && el <= s->el && (mode != A32_HYP || arm_el2_enabled(vcpu)) &&
                 (mode != A32_MON || s->el == 3) && !(el == 1 && (arm_hcr(vcpu) & HCR_TGE));

    arm_nzcv_set(vcpu, value & 0xf0000000);
    s->q = value >> CPSR_Q & 1;
    s->ge = value >> CPSR_GE & 15;
    s->itstate = (uint8_t)((value >> 25 & 3) | (value >> 10 & 63) << 2);
    put_system(vcpu, legal ? value : value | (uint32_t)PSTATE_IL);
    if (legal && mode != s->mode) {
        arm_set_mode(vcpu, mode);
    }
    return legal;
}

void arm_cpsr_set(Vcpu *vcpu, uint32_t value)
{
    ArmState *s = arm_state(vcpu);

    arm_cpsr_return(vcpu, value);
    s->pc = (s->pc & ~(uint64_t)1) | (value >> CPSR_THUMB & 1);
}
