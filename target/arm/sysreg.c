/*
 * sysreg.c: system registers and operations: one table (sysreg.def, tlbi.def, id-regs.def), hooks for those that are not plain fields.
 *
 * In user mode the registers are those that Linux lets a program use, and the identification registers as it shows them.
 * AArch32's are in cp15.c. Leaves out: fine-grained traps, nested virtualization, implementation-defined registers (undefined).
 */
#include <time.h>
#include "target/arm/mmu.h"
#include "target/arm/mte.h"
#include "target/arm/sysreg.h"
#include "target/arm/translate.h"
#include "target/arm/tlb.h"

enum { NEVER = ARM_SYSREG_NEVER };

static bool is_system(const Vcpu *vcpu) { return vcpu->softmmu; }
#define GATE(name, ext) static bool has_##name(const Vcpu *vcpu) { return arm_has(vcpu, ext); }
#define SYSTEM_GATE(name, ext) static bool has_##name(const Vcpu *vcpu) { return vcpu->softmmu && arm_has(vcpu, ext); }
GATE(fp, FP)
GATE(dpb, DPB)
GATE(dpb2, DPB2)
GATE(dit, DIT)
GATE(ssbs, SSBS)
GATE(mte, MTE)
SYSTEM_GATE(mte_system, MTE)
static bool has_mte_el2(const Vcpu *vcpu) { return has_mte_system(vcpu) && arm_has(vcpu, EL2); }
static bool has_mte_el3(const Vcpu *vcpu) { return has_mte_system(vcpu) && arm_has(vcpu, EL3); }
GATE(ecv, ECV)
SYSTEM_GATE(ecv_system, ECV)
SYSTEM_GATE(el2, EL2)
SYSTEM_GATE(el3, EL3)
SYSTEM_GATE(vhe, VHE)
SYSTEM_GATE(pan, PAN)
SYSTEM_GATE(pan2, PAN2)
SYSTEM_GATE(uao, UAO)
SYSTEM_GATE(ras, RAS)
SYSTEM_GATE(pauth, PAuth)
SYSTEM_GATE(pmu, PMUv3)
GATE(pmuser, PMUv3) /* a program may ask whether it may count: under Linux not */
SYSTEM_GATE(tlbios, TLBIOS)
SYSTEM_GATE(tlbirange, TLBIRANGE)
static bool above_el1(const Vcpu *vcpu) { return has_el2(vcpu) || has_el3(vcpu); }
static bool has_a32_el2(const Vcpu *vcpu) { return has_el2(vcpu) && arm_has(vcpu, AA32EL1); }
static bool has_ras_el2(const Vcpu *vcpu) { return has_ras(vcpu) && has_el2(vcpu); }
static bool has_tlbios_el2(const Vcpu *vcpu) { return has_tlbios(vcpu) && has_el2(vcpu); }
static bool has_tlbirange_el2(const Vcpu *vcpu) { return has_tlbirange(vcpu) && has_el2(vcpu); }
static bool highest_el1(const Vcpu *vcpu) { return vcpu->softmmu && arm_highest_el(vcpu) == 1; }
static bool highest_el2(const Vcpu *vcpu) { return vcpu->softmmu && arm_highest_el(vcpu) == 2; }

static bool write_ignore(Vcpu *vcpu, unsigned key, uint64_t value) { return true; }

/* The level a name of EL1, EL2 or EL3 belongs to, from op1. */
static unsigned level_of(unsigned key) { return arm_key_op1(key) == 6 ? 3 : arm_key_op1(key) == 4 ? 2 : 1; }

/* -- flags and floating point ------------------------------------------------------------------------- */

static bool read_nzcv(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_nzcv_get(vcpu);
    return true;
}

static bool write_nzcv(Vcpu *vcpu, unsigned key, uint64_t value)
{
    arm_nzcv_set(vcpu, (uint32_t)value);
    return true;
}

static bool read_fpcr(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_fpcr_get(vcpu);
    return true;
}

static bool write_fpcr(Vcpu *vcpu, unsigned key, uint64_t value)
{
    arm_fpcr_set(vcpu, (uint32_t)value);
    return true;
}

static bool read_fpsr(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_fpsr_get(vcpu);
    return true;
}

static bool write_fpsr(Vcpu *vcpu, unsigned key, uint64_t value)
{
    arm_fpsr_set(vcpu, (uint32_t)value);
    return true;
}

/* -- PSTATE ---------------------------------------------------------------------------------------------- */

static uint64_t pstate_field(unsigned key)
{
    switch (key) {
    case ARM_SYSREG(3, 3, 4, 2, 1): return PSTATE_DAIF;
    case ARM_SYSREG(3, 3, 4, 2, 5): return PSTATE_DIT;
    case ARM_SYSREG(3, 3, 4, 2, 6): return PSTATE_SSBS;
    case ARM_SYSREG(3, 3, 4, 2, 7): return PSTATE_TCO;
    case ARM_SYSREG(3, 0, 4, 2, 3): return PSTATE_PAN;
    case ARM_SYSREG(3, 0, 4, 2, 4): return PSTATE_UAO;
    default: return PSTATE_SP;
    }
}

static bool read_pstate(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_state(vcpu)->pstate & pstate_field(key);
    return true;
}

static bool write_pstate(Vcpu *vcpu, unsigned key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);
    uint64_t field = pstate_field(key);

    s->pstate = (s->pstate & ~field) | (value & field);
    if (field == PSTATE_DAIF) {
        arm_debug_changed(vcpu);
        arm_irq_check(vcpu);
    }
    return true;
}

static bool read_current_el(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = (uint64_t)arm_state(vcpu)->el << 2;
    return true;
}

static bool write_spsel(Vcpu *vcpu, unsigned key, uint64_t value)
{
    arm_set_level(vcpu, arm_state(vcpu)->el, value & 1);
    return true;
}

/* Not while it is the stack pointer in use (C5.2.18). */
static bool read_sp_el0(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_state(vcpu)->sp_el[0];
    return arm_state(vcpu)->pstate & PSTATE_SP;
}

static bool write_sp_el0(Vcpu *vcpu, unsigned key, uint64_t value)
{
    if (!(arm_state(vcpu)->pstate & PSTATE_SP)) {
        return false;
    }
    arm_state(vcpu)->sp_el[0] = value;
    return true;
}

/* What waits, masked or not: virtual where the level sees virtual interrupts (D24.2.75). */
static bool read_isr(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t hcr = s->el == 1 ? arm_hcr(vcpu) : 0;
    uint32_t request = atomic_load_explicit(&vcpu->interrupt_request, memory_order_relaxed);
    bool irq = hcr & HCR_IMO ? (hcr & HCR_VI) || (request >> ARM_IRQ_VIRQ & 1) : request >> ARM_IRQ_IRQ & 1;
    bool fiq = hcr & HCR_FMO ? (hcr & HCR_VF) || (request >> ARM_IRQ_VFIQ & 1) : request >> ARM_IRQ_FIQ & 1;
    bool serror = hcr & HCR_AMO ? hcr & HCR_VSE : request >> ARM_IRQ_SERROR & 1;

    *ret = (irq ? PSTATE_I : 0) | (fiq ? PSTATE_F : 0) | (serror ? PSTATE_A : 0);
    return true;
}

/* DISR_EL1 is VDISR_EL2 for a guest whose errors are virtual. */
static uint64_t *disr(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);
    return s->el == 1 && (arm_hcr(vcpu) & HCR_AMO) ? &s->vdisr_el2 : &s->disr_el1;
}

static bool read_disr(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = *disr(vcpu);
    return true;
}

static bool write_disr(Vcpu *vcpu, unsigned key, uint64_t value)
{
    *disr(vcpu) = value & 0x81ffffff;
    return true;
}

/* -- control of the system ------------------------------------------------------------------------------------ */

static bool write_sctlr(Vcpu *vcpu, unsigned key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);
    uint64_t *reg = &s->sctlr[level_of(key)], old = *reg;

    *reg = arm_has(vcpu, MixedEnd) ? value : value & ~(SCTLR_EE | SCTLR_E0E);
    if ((old ^ *reg) & (SCTLR_WXN | SCTLR_EPAN)) {
        tlb_flush(vcpu); /* permissions of cached translations depend on it */
    }
    arm_tlb_select(vcpu);
    return true;
}

static bool write_tcr(Vcpu *vcpu, unsigned key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);
    uint64_t *reg = key == ARM_SYSREG(3, 4, 2, 1, 2) ? &s->vtcr_el2 : &s->tcr[level_of(key)];

    if (*reg != value) {
        *reg = value;
        tlb_flush(vcpu);
        arm_tlb_select(vcpu);
    }
    return true;
}

/* CPTR_EL2 has CPACR_EL1's layout with VHE; the bits that are one without it. */
static bool read_cptr_el2(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    const ArmState *s = arm_state(vcpu);
    *ret = s->hcr_el2 & HCR_E2H ? s->cptr[2] : s->cptr[2] | 0x33ff;
    return true;
}

static bool write_cptr_el2(Vcpu *vcpu, unsigned key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);
    s->cptr[2] = value & (s->hcr_el2 & HCR_E2H ? BIT(31) | 3 << 20 : BIT(31) | BIT(10));
    return true;
}

static bool write_hcr(Vcpu *vcpu, unsigned key, uint64_t value)
{
    uint64_t mask = HCR_VM | HCR_PTW | HCR_FMO | HCR_IMO | HCR_AMO | HCR_VF | HCR_VI | HCR_VSE | HCR_DC | HCR_TWI | HCR_TWE | HCR_TID1 |
                    HCR_TID2 | HCR_TID3 | HCR_TSC | HCR_TACR | HCR_TSW | HCR_TPCP | HCR_TPU | HCR_TTLB | HCR_TVM | HCR_TGE | HCR_TDZ | HCR_TRVM |
                    HCR_ID | 3 * BIT(10) | BIT(9) | BIT(32);

    mask |= arm_has(vcpu, EL3) ? 0 : HCR_HCD;
    mask |= arm_has(vcpu, VHE) ? HCR_E2H : 0;
    mask |= arm_has(vcpu, RAS) ? HCR_TERR | HCR_TEA : 0;
    mask |= arm_has(vcpu, PAuth) ? HCR_APK | HCR_API : 0;
    mask |= arm_has(vcpu, MTE) ? HCR_ATA : 0;
    mask |= arm_has(vcpu, EVT) ? HCR_TID4 | HCR_TICAB | HCR_TOCU | HCR_TTLBIS | HCR_TTLBOS : 0;
    /* EL1's state: a choice where it can be both. */
    bool a64 = arm_model(vcpu)->aarch64;
    mask |= a64 && arm_has(vcpu, AA32EL1) ? HCR_RW : 0;
    mask |= BIT(15); /* TID0 */
    arm_state(vcpu)->hcr_el2 = (value & mask) | (a64 && !arm_has(vcpu, AA32EL1) ? HCR_RW : 0);
    arm_tlb_select(vcpu);
    arm_irq_check(vcpu);
    return true;
}

static bool write_scr(Vcpu *vcpu, unsigned key, uint64_t value)
{
    uint64_t mask = SCR_NS | SCR_IRQ | SCR_FIQ | SCR_EA | SCR_SMD | SCR_SIF | SCR_ST | SCR_TWI | SCR_TWE;

    mask |= arm_has(vcpu, EL2) ? SCR_HCE : 0;
    mask |= arm_has(vcpu, PAuth) ? SCR_APK | SCR_API : 0;
    mask |= arm_has(vcpu, MTE) ? SCR_ATA : 0;
    mask |= arm_has(vcpu, SEL2) ? SCR_EEL2 : 0;
    mask |= arm_has(vcpu, RAS) ? BIT(15) : 0;
    mask |= arm_has(vcpu, AA32EL1) ? SCR_RW : 0;
    arm_state(vcpu)->scr_el3 = (value & mask) | (arm_has(vcpu, AA32EL1) ? 0 : SCR_RW) | 3 << 4;
    arm_tlb_select(vcpu);
    arm_irq_check(vcpu);
    return true;
}

/* -- generic timers ------------------------------------------------------------------------------------------------ */

static bool read_cntfrq(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = vcpu->softmmu ? arm_state(vcpu)->cntfrq_el0 : arm_model(vcpu)->counter_hz;
    return true;
}

static bool write_cntfrq(Vcpu *vcpu, unsigned key, uint64_t value)
{
    if (arm_state(vcpu)->el != arm_highest_el(vcpu)) {
        return false;
    }
    arm_state(vcpu)->cntfrq_el0 = (uint32_t)value;
    return true;
}

static uint64_t host_count(const Vcpu *vcpu)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    unsigned __int128 ns = (unsigned __int128)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
    return (uint64_t)(ns * arm_model(vcpu)->counter_hz / 1000000000);
}

static bool read_cntpct(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_count(vcpu);
    return true;
}

/* A host of VHE and its programs see the physical count (D11.2.1). */
static bool read_cntvct(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t hcr = arm_hcr(vcpu);
    bool host = (s->el == 2 && (hcr & HCR_E2H)) || (s->el == 0 && arm_is_host(hcr));

    *ret = vcpu->softmmu ? arm_count(vcpu) - (host ? 0 : arm_timer_offset(vcpu, ARM_TIMER_VIRT)) : host_count(vcpu);
    return true;
}

static bool write_cntvoff(Vcpu *vcpu, unsigned key, uint64_t value)
{
    arm_state(vcpu)->cntvoff_el2 = value;
    arm_timer_update(vcpu, ARM_TIMER_VIRT);
    return true;
}

static ArmTimer timer_of(unsigned key)
{
    bool virtual = arm_key_crm(key) == 3;

    switch (arm_key_op1(key)) {
    case 4: return virtual ? ARM_TIMER_HYPVIRT : ARM_TIMER_HYP;
    case 7: return ARM_TIMER_SEC;
    default: return virtual ? ARM_TIMER_VIRT : ARM_TIMER_PHYS;
    }
}

/* CNTPS_*: secure EL1 and EL3 only. */
static bool timer_there(const Vcpu *vcpu, ArmTimer t)
{
    const ArmState *s = arm_state(vcpu);
    return t != ARM_TIMER_SEC || s->el == 3 || (s->el == 1 && arm_is_secure_below_el3(vcpu));
}

static bool read_timer(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    ArmTimer t = timer_of(key);
    const ArmState *s = arm_state(vcpu);

    switch (arm_key_op2(key)) {
    case 0:
        *ret = (uint32_t)(s->cnt_cval[t] - (arm_count(vcpu) - arm_timer_offset(vcpu, t)));
        break;
    case 1:
        *ret = arm_timer_ctl(vcpu, t);
        break;
    default:
        *ret = s->cnt_cval[t];
    }
    return timer_there(vcpu, t);
}

static bool write_timer(Vcpu *vcpu, unsigned key, uint64_t value)
{
    ArmTimer t = timer_of(key);

    if (!timer_there(vcpu, t)) {
        return false;
    }
    switch (arm_key_op2(key)) {
    case 0:
        arm_timer_set_cval(vcpu, t, arm_count(vcpu) - arm_timer_offset(vcpu, t) + (uint64_t)(int32_t)value);
        break;
    case 1:
        arm_timer_set_ctl(vcpu, t, value);
        break;
    default:
        arm_timer_set_cval(vcpu, t, value);
    }
    return true;
}

/* -- debug ------------------------------------------------------------------------------------------------------------ */

static bool write_debug_control(Vcpu *vcpu, unsigned key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);

    switch (key) {
    case ARM_SYSREG(3, 4, 1, 1, 1): s->mdcr[2] = value & 0x0fff; break;
    case ARM_SYSREG(3, 6, 1, 3, 1): s->mdcr[3] = value & 0x7f3640; break;
    default: s->mdscr_el1 = value & 0x0c96f001;
    }
    arm_debug_changed(vcpu);
    return true;
}

static bool write_oslar(Vcpu *vcpu, unsigned key, uint64_t value)
{
    arm_state(vcpu)->oslock = value & 1;
    arm_debug_changed(vcpu);
    return true;
}

static bool read_oslsr(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = 8 | arm_state(vcpu)->oslock << 1; /* OSLM: the lock is there */
    return true;
}

static bool read_dbgclaim(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_key_crm(key) == 8 ? 0xff : arm_state(vcpu)->dbgclaim;
    return true;
}

static bool write_dbgclaim(Vcpu *vcpu, unsigned key, uint64_t value)
{
    uint64_t *claim = &arm_state(vcpu)->dbgclaim;
    *claim = arm_key_crm(key) == 8 ? *claim | (value & 0xff) : *claim & ~value;
    return true;
}

/* DBGBVR<n>, DBGBCR<n>, DBGWVR<n>, DBGWCR<n>: op2 4 to 7, n is CRm. */
static uint64_t *debug_register(Vcpu *vcpu, unsigned key)
{
    ArmState *s = arm_state(vcpu);
    unsigned n = arm_key_crm(key), op2 = arm_key_op2(key), count = op2 < 6 ? arm_model(vcpu)->n_breakpoints : arm_model(vcpu)->n_watchpoints;

    if (n >= count) {
        return NULL;
    }
    return op2 == 4 ? &s->dbgbvr[n] : op2 == 5 ? &s->dbgbcr[n] : op2 == 6 ? &s->dbgwvr[n] : &s->dbgwcr[n];
}

static bool read_debug(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    uint64_t *reg = debug_register(vcpu, key);

    if (!reg) {
        return false;
    }
    *ret = *reg;
    return true;
}

static bool write_debug(Vcpu *vcpu, unsigned key, uint64_t value)
{
    static const uint64_t mask[4] = { ~(uint64_t)0, 0x00ffe1e7, ~(uint64_t)3, 0x1f1fffff };
    uint64_t *reg = debug_register(vcpu, key);

    if (!reg) {
        return false;
    }
    *reg = value & mask[arm_key_op2(key) & 3];
    arm_debug_changed(vcpu);
    return true;
}

/* -- a GIC's registers --------------------------------------------------------------------------------------------------- */

static bool read_gic(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    const ArmState *s = arm_state(vcpu);
    *ret = 0;
    return s->gic && s->gic->read(s->gic_opaque, vcpu, key, ret);
}

static bool write_gic(Vcpu *vcpu, unsigned key, uint64_t value)
{
    const ArmState *s = arm_state(vcpu);
    bool ok = s->gic && s->gic->write(s->gic_opaque, vcpu, key, value);

    arm_irq_check(vcpu); /* a priority mask that opens, an end of interrupt */
    return ok;
}

/* -- caches ----------------------------------------------------------------------------------------------- */

/* The smallest line (CTR_EL0.IminLine, DminLine: log2 of words). */
static vaddr line_bytes(const Vcpu *vcpu, unsigned field)
{
    return (vaddr)4 << bits_get(arm_model(vcpu)->id[ARM_ID_CTR], field, 4);
}

static bool write_ic_ivau(Vcpu *vcpu, unsigned key, uint64_t value)
{
    vaddr bytes = line_bytes(vcpu, 0), first = ROUND_DOWN(value & vcpu->addr_mask, bytes);

    tcg_icache_sync_range(vcpu, first, first + bytes - 1);
    return true;
}

static bool write_ic_iallu(Vcpu *vcpu, unsigned key, uint64_t value)
{
    tcg_icache_sync(vcpu);
    return true;
}

/* Needs read access (D7.5.9), invalidation without cleaning write access. */
static void touch(Vcpu *vcpu, vaddr addr, MmuAccess access)
{
    unsigned mmu_index = arm_mmu_index(vcpu, access);

    if (!guest_ptr_probe(vcpu, addr, 1, access, mmu_index)) {
        if (vcpu->softmmu) {
            arm_cache_operation_check(vcpu, addr, access);
        } else {
            guest_ptr_access(vcpu, addr, 1, access, mmu_index);
        }
    }
}

static bool write_dc(Vcpu *vcpu, unsigned key, uint64_t value)
{
    touch(vcpu, value, MMU_READ);
    return true;
}

static bool write_dc_ivac(Vcpu *vcpu, unsigned key, uint64_t value)
{
    touch(vcpu, value, MMU_WRITE);
    return true;
}

static bool write_dc_zva(Vcpu *vcpu, unsigned key, uint64_t value)
{
    unsigned bytes = 4u << bits_get(arm_model(vcpu)->id[ARM_ID_DCZID], 0, 4), mmu_index = arm_mmu_index(vcpu, MMU_WRITE);
    vaddr addr = ROUND_DOWN(value, (vaddr)bytes);
    void *p = guest_ptr_access(vcpu, addr, bytes, MMU_WRITE, mmu_index);

    if (p) {
        memset(p, 0, bytes);
    } else {
        for (unsigned i = 0; i < bytes; i += 8) {
            guest_store(vcpu, addr + i, 0, 8, mmu_index);
        }
    }
    return true;
}

static bool read_gmid(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = ARM_GMID_BS;
    return true;
}

/* Tags of a block, from the address; GZVA: zeros, too. The same as an STG or STZG of each granule. */
static bool write_dc_gva(Vcpu *vcpu, unsigned key, uint64_t value)
{
    unsigned bytes = 4u << bits_get(arm_model(vcpu)->id[ARM_ID_DCZID], 0, 4);
    uint32_t how = 1 | (key == ARM_SYSREG(1, 3, 7, 4, 4) ? (uint32_t)ARM_STG_ZERO : 0);
    vaddr addr = ROUND_DOWN(value, (vaddr)bytes);

    for (unsigned i = 0; i < bytes; i += ARM_TAG_GRANULE) {
        arm_helper_mte_stg(vcpu, addr + i, value, how | arm_mmu_index(vcpu, MMU_WRITE) << ARM_MTE_MMU);
    }
    return true;
}

/* -- identification ------------------------------------------------------------------------------------------ */

static const struct { uint16_t key; uint64_t user_mask, user_value; } id_regs[ARM_N_ID_REGS] = {
#define ID_REG(id, name, op0, op1, crn, crm, op2, user_mask, user_value) { ARM_SYSREG(op0, op1, crn, crm, op2), user_mask, user_value },
#include "target/arm/id-regs.def"
#undef ID_REG
};

/* A guest's MIDR and MPIDR are what its hypervisor says. */
static bool read_virtual_id(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    const ArmState *s = arm_state(vcpu);
    bool guest = s->el == 1 && arm_el2_enabled(vcpu);

    if (key == ARM_SYSREG(3, 0, 0, 0, 0) && guest) {
        *ret = s->vpidr_el2;
        return true;
    }
    if (key == ARM_SYSREG(3, 0, 0, 0, 5)) {
        *ret = guest ? s->vmpidr_el2 : s->mpidr | BIT(31);
        return true;
    }
    return false;
}

static bool read_ccsidr(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    unsigned level = (unsigned)bits_get(arm_state(vcpu)->csselr_el1, 1, 3), code = arm_state(vcpu)->csselr_el1 & 1;

    *ret = level < 3 ? arm_model(vcpu)->ccsidr[level][code] : 0;
    return true;
}

static bool read_clidr(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    *ret = arm_model(vcpu)->clidr;
    return true;
}

static bool read_id(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    const ArmModel *m = arm_model(vcpu);

    if (vcpu->softmmu && read_virtual_id(vcpu, key, ret)) {
        return true;
    }
    for (unsigned i = 0; i < ARM_N_ID_REGS; i++) {
        if (id_regs[i].key == key) {
            *ret = vcpu->softmmu ? m->id[i] : (m->id[i] & id_regs[i].user_mask) | id_regs[i].user_value;
            return true;
        }
    }
    return false;
}

/* CRm 1 to 3 show AArch32's, where there is that state; places of the identification scheme that have no register read as zero. */
static bool read_id32(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    static const struct { uint16_t key; uint8_t id; } regs[] = {
#define ID32_REG(id, name, opc1, crn, crm, opc2) { ARM_SYSREG(3, 0, crn, crm, opc2), ARM_ID32_##id },
#define ID32_VFP(id, name, reg) { ARM_SYSREG(3, 0, 0, 3, 7 - (reg)), ARM_ID32_##id }, /* MVFR0 to 2; FPSID is not there */
#include "target/arm/id32-regs.def"
#undef ID32_REG
#undef ID32_VFP
    };

    *ret = 0;
    for (size_t i = 0; i < ARRAY_SIZE(regs) && vcpu->softmmu && arm_has(vcpu, AA32EL0); i++) {
        if (regs[i].key == key && regs[i].id != ARM_ID32_FPSID) {
            *ret = arm_model(vcpu)->id32[regs[i].id];
        }
    }
    return true;
}

/* -- the table ---------------------------------------------------------------------------------------------- */

enum {
#define SHORT(name) name = ARM_SR_##name,
    SHORT(ENDS) SHORT(VHE) SHORT(TVM) SHORT(TACR) SHORT(TID1) SHORT(TID2) SHORT(TID3) SHORT(TSW) SHORT(TPCP) SHORT(TPU) SHORT(TOCU)
    SHORT(TICAB) SHORT(TTLB) SHORT(TERR) SHORT(APK) SHORT(ATA) SHORT(TCPAC) SHORT(TDA) SHORT(TDA3) SHORT(TDOSA) SHORT(TDRA) SHORT(TDCC) SHORT(PMU) SHORT(TPMCR) SHORT(PMUSER)
    SHORT(CNTEN) SHORT(CNTPS) SHORT(UCI) SHORT(UCT) SHORT(UMA) SHORT(DZE)
#undef SHORT
    SPACE = ARM_SR_SPACE | ARM_SR_ENDS,
};

static uint32_t id_flags(unsigned key)
{
    if (key == ARM_SYSREG(3, 3, 0, 0, 1)) { /* CTR_EL0 */
        return UCT | TID2;
    }
    return arm_key_op1(key) == 0 && arm_key_crm(key) ? TID3 : key == ARM_SYSREG(3, 0, 0, 0, 6) ? TID1 : 0;
}

#define ALWAYS NULL
#define NO_FIELD -1
#define FIELD(name) (int32_t)offsetof(ArmState, name)
static const ArmSysreg regs[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, gate, read_el, write_el, flags, field, write_mask, read, write) \
    { ARM_SYSREG(op0, op1, crn, crm, op2), name, gate, read_el, write_el, flags, field, write_mask, read, write },
#include "target/arm/sysreg.def"
#undef SYSREG
#define ID_REG(id, name, op0, op1, crn, crm, op2, user_mask, user_value) \
    { ARM_SYSREG(op0, op1, crn, crm, op2), name, ALWAYS, op1 ? 0 : 1, NEVER, 0, NO_FIELD, 0, read_id, NULL },
#include "target/arm/id-regs.def"
#undef ID_REG
#define TLBI(name, op1, crm, op2, gate) \
    { ARM_SYSREG(1, op1, 8, crm, op2), "TLBI " name, gate, NEVER, op1 == 0 ? 1 : op1 == 4 ? 2 : 3, TTLB | ENDS, NO_FIELD, 0, NULL, arm_write_tlbi },
#include "target/arm/tlbi.def"
#undef TLBI
};

/* Families by number. */
static const ArmSysreg reserved_id = { 0, "reserved", ALWAYS, 1, NEVER, TID3, NO_FIELD, 0, read_id32, NULL };
static const ArmSysreg debug_family = { 0, "DBG", ALWAYS, 1, 1, TDA, NO_FIELD, 0, read_debug, write_debug };
static const ArmSysreg pmev_family = { 0, "PMEV", ALWAYS, 0, 0, PMU, NO_FIELD, 0, arm_read_pmu, arm_write_pmu };
static const ArmSysreg gic_family[3] = {
    { 0, "ICC", ALWAYS, 1, 1, 0, NO_FIELD, 0, read_gic, write_gic },
    { 0, "ICH", ALWAYS, 2, 2, 0, NO_FIELD, 0, read_gic, write_gic },
    { 0, "ICC", ALWAYS, 3, 3, 0, NO_FIELD, 0, read_gic, write_gic },
};

static const ArmSysreg *family(const Vcpu *vcpu, unsigned key)
{
    unsigned op0 = arm_key_op0(key), op1 = arm_key_op1(key), crn = arm_key_crn(key), crm = arm_key_crm(key);

    /* op0 3, op1 0, CRn 0, CRm 2 to 7: reserved for identification (D24.1.4), as is CRm 1 for AArch32's. */
    if (op0 == 3 && op1 == 0 && crn == 0 && crm >= 1 && crm <= 7) {
        return &reserved_id;
    }
    if (!vcpu->softmmu) {
        return NULL;
    }
    if (op0 == 2 && op1 == 0 && crn == 0 && arm_key_op2(key) >= 4) {
        return &debug_family;
    }
    if (op0 == 3 && op1 == 3 && crn == 14 && crm >= 8 && has_pmu(vcpu)) {
        return &pmev_family;
    }
    bool gic = (crn == 12 && crm >= 8) || (crn == 4 && crm == 6 && op1 == 0);
    if (op0 == 3 && gic && (op1 == 0 || op1 == 4 || op1 == 6) && arm_state(vcpu)->gic) {
        return &gic_family[op1 == 0 ? 0 : op1 / 2 - 1];
    }
    return NULL;
}

/* By number, open addressing. Filled on first use under the lock. */
static const ArmSysreg *find_row(unsigned key)
{
    enum { SLOTS = 1024 };
    static_assert(ARRAY_SIZE(regs) < SLOTS / 2, "the hash table has room");
    static uint16_t row_of[SLOTS];
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static _Atomic bool filled;

    if (unlikely(!atomic_load_explicit(&filled, memory_order_acquire))) {
        pthread_mutex_lock(&lock);
        for (unsigned i = 0; i < ARRAY_SIZE(regs) && !filled; i++) {
            unsigned at = regs[i].key * 0x9e37u >> 4 & (SLOTS - 1);
            while (row_of[at]) {
                at = (at + 1) & (SLOTS - 1);
            }
            row_of[at] = (uint16_t)(i + 1);
        }
        atomic_store_explicit(&filled, true, memory_order_release);
        pthread_mutex_unlock(&lock);
    }
    for (unsigned at = key * 0x9e37u >> 4 & (SLOTS - 1); row_of[at]; at = (at + 1) & (SLOTS - 1)) {
        if (regs[row_of[at] - 1].key == key) {
            return &regs[row_of[at] - 1];
        }
    }
    return NULL;
}

const ArmSysreg *arm_sysreg_find(const Vcpu *vcpu, unsigned key)
{
    const ArmSysreg *r = find_row(key);

    return r ? !r->gate || r->gate(vcpu) ? r : NULL : family(vcpu, key);
}

const ArmSysreg *arm_sysreg_resolve(const Vcpu *vcpu, unsigned *key, unsigned el, bool e2h)
{
    unsigned op1 = arm_key_op1(*key);

    if (arm_key_op0(*key) == 3 && op1 == 5) { /* EL12, EL02 (D8.10.3): the registers of EL1 and EL0 for a host of VHE */
        bool timer = arm_key_crn(*key) == 14 && arm_key_crm(*key) != 1;
        if (!vcpu->softmmu || el < 2 || !e2h) {
            return NULL;
        }
        *key = (*key & ~(7u << 11)) | (timer ? 3u << 11 : 0);
        const ArmSysreg *r = arm_sysreg_find(vcpu, *key);
        return r && (r->flags & VHE) ? r : NULL;
    }
    const ArmSysreg *r = arm_sysreg_find(vcpu, *key);
    if (r && (r->flags & VHE) && el == 2 && e2h) {
        /* The same numbers with op1 4, but for CPACR_EL1. */
        *key = *key == ARM_SYSREG(3, 0, 1, 0, 2) ? ARM_SYSREG(3, 4, 1, 1, 2) : (*key & ~(7u << 11)) | 4u << 11;
        r = arm_sysreg_find(vcpu, *key);
    }
    return r;
}

/* Linux emulates reads of identification registers for programs, but for CRm 1. */
static unsigned current_el(const Vcpu *vcpu, unsigned key)
{
    bool id = key >> 7 == ARM_SYSREG(3, 0, 0, 0, 0) >> 7;
    return !vcpu->softmmu && id && arm_key_crm(key) != 1 ? 1 : arm_state(vcpu)->el;
}

static const ArmSysreg *accessible(Vcpu *vcpu, unsigned *key, bool write)
{
    const ArmState *s = arm_state(vcpu);
    bool id = *key >> 7 == ARM_SYSREG(3, 0, 0, 0, 0) >> 7;
    const ArmSysreg *r = arm_sysreg_resolve(vcpu, key, s->el, vcpu->softmmu && (arm_hcr(vcpu) & HCR_E2H));

    if (!r || current_el(vcpu, *key) < (write ? r->write_el : r->read_el)) {
        if (r && id && !write && s->el == 0 && arm_has(vcpu, IDST) && vcpu->softmmu) {
            arm_trap(vcpu, arm_hcr(vcpu) & HCR_TGE ? 2 : 1);
        }
        return NULL;
    }
    if (vcpu->softmmu) {
        ArmSysreg with = *r;
        with.flags |= r->read == read_id ? id_flags(*key) : 0;
        unsigned level = arm_sysreg_trap_level(vcpu, &with, *key, write);
        if (level) {
            arm_trap(vcpu, level);
        }
    }
    return r;
}

static bool read_register(Vcpu *vcpu, const ArmSysreg *r, unsigned key, uint64_t *ret)
{
    if (r->read) {
        return r->read(vcpu, key, ret);
    }
    *ret = 0;
    if (r->field >= 0) {
        memcpy(ret, vcpu->state + r->field, 8);
    }
    return true;
}

bool arm_sysreg_read(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    const ArmSysreg *r = accessible(vcpu, &key, false);
    return r && read_register(vcpu, r, key, ret);
}

bool arm_sysreg_raw_read(Vcpu *vcpu, unsigned key, uint64_t *ret)
{
    const ArmSysreg *r = arm_sysreg_find(vcpu, key);
    return r && read_register(vcpu, r, key, ret);
}

static bool write_register(Vcpu *vcpu, const ArmSysreg *r, unsigned key, uint64_t value)
{
    if (r->write) {
        return r->write(vcpu, key, value);
    }
    if (r->field >= 0) {
        uint64_t old;
        memcpy(&old, vcpu->state + r->field, 8);
        value = (old & ~r->write_mask) | (value & r->write_mask);
        memcpy(vcpu->state + r->field, &value, 8);
        if (r->flags & ARM_SR_SPACE) {
            arm_tlb_select(vcpu);
        }
    }
    return true;
}

bool arm_sysreg_write(Vcpu *vcpu, unsigned key, uint64_t value)
{
    const ArmSysreg *r = accessible(vcpu, &key, true);
    return r && write_register(vcpu, r, key, value);
}

bool arm_sysreg_raw_write(Vcpu *vcpu, unsigned key, uint64_t value)
{
    const ArmSysreg *r = arm_sysreg_find(vcpu, key);
    return r && write_register(vcpu, r, key, value);
}
