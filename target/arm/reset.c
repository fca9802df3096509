/*
 * reset.c: reset, and what a board sets up and starts (Arm ARM DDI 0487, D1.3.8, registers' reset values).
 *
 * Registers whose reset value is architecturally unknown are zero.
 */
#include "target/arm/mmu.h"
#include "target/arm/tlb.h"

unsigned arm_highest_el(const Vcpu *vcpu)
{
    return arm_has(vcpu, EL3) ? 3 : arm_has(vcpu, EL2) ? 2 : 1;
}

void arm_cpu_connect(Vcpu *vcpu, uint64_t mpidr, uint64_t rvbar, const ArmPlatform *platform, void *opaque)
{
    ArmState *s = arm_state(vcpu);

    s->mpidr = mpidr;
    s->rvbar = rvbar;
    s->platform = platform;
    s->platform_opaque = opaque;
}

void arm_cpu_set_gic(Vcpu *vcpu, const ArmGicOps *ops, void *opaque)
{
    ArmModel *m = (ArmModel *)vcpu->model;

    arm_state(vcpu)->gic = ops;
    arm_state(vcpu)->gic_opaque = opaque;
    m->id[ARM_ID_PFR0] = bits_set(m->id[ARM_ID_PFR0], 24, 4, ops ? 1 : 0);
}

void arm_cpu_set_psci(Vcpu *vcpu, const ArmPsci *psci, void *opaque)
{
    arm_state(vcpu)->psci = psci;
    arm_state(vcpu)->psci_opaque = opaque;
}

/* Each vCPU has a model of its own. */
void arm_cpu_set_levels(Vcpu *vcpu, bool el2, bool el3)
{
    ArmModel *m = (ArmModel *)vcpu->model;

    m->ext[ARM_EXT_EL2] &= el2;
    m->ext[ARM_EXT_EL3] &= el3;
    if (!m->ext[ARM_EXT_EL3]) { /* AArch32's say it in ID_PFR1: security in two fields */
        m->id32[ARM_ID32_PFR1] &= ~(uint32_t)0xf00000f0;
    }
    if (!m->ext[ARM_EXT_EL2]) {
        m->id32[ARM_ID32_PFR1] &= ~(uint32_t)0x0f00f000;
    }
    if (!m->ext[ARM_EXT_EL2]) {
        m->ext[ARM_EXT_VHE] = m->ext[ARM_EXT_SEL2] = m->ext[ARM_EXT_VMID16] = m->ext[ARM_EXT_XNX] = m->ext[ARM_EXT_EVT] = false;
        m->id[ARM_ID_PFR0] = bits_set(bits_set(m->id[ARM_ID_PFR0], 8, 4, 0), 36, 4, 0);
        m->id[ARM_ID_MMFR1] &= ~(bits_mask(4, 8) | bits_mask(28, 4)); /* VMIDBits, VH, XNX */
        m->id[ARM_ID_MMFR2] &= ~bits_mask(56, 4);
    }
    if (!m->ext[ARM_EXT_EL3]) {
        m->ext[ARM_EXT_SEL2] = false;
        m->id[ARM_ID_PFR0] = bits_set(bits_set(m->id[ARM_ID_PFR0], 12, 4, 0), 36, 4, 0);
    }
}

bool arm_cpu_set_tags(Vcpu *vcpu, ArmTags *tags)
{
    if (strcmp(arm_model(vcpu)->name, "max")) {
        return false;
    }
    arm_model_add_mte((ArmModel *)vcpu->model);
    arm_state(vcpu)->tags = tags;
    return true;
}

static void reset_a64(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);

    s->el = (uint8_t)arm_highest_el(vcpu);
    s->pstate = PSTATE_DAIF | PSTATE_SP;
    arm_set_pc(vcpu, s->rvbar, 0);
    s->sctlr[1] = 0x30d00800; /* the bits that are one in Armv8.0 */
    s->sctlr[2] = s->sctlr[3] = 0x30c50830;
    s->hcr_el2 = HCR_RW;
    s->scr_el3 = SCR_RW | 3 << 4;
}

/* The reset vector is the first of the exception vectors, unless a board says otherwise. Supervisor mode, secure where there is that. */
static void reset_a32(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);

    s->sctlr[1] = s->sctlr[3] = arm_has(vcpu, V7) ? 0x00c50078 : arm_has(vcpu, V6) ? 0x00050078 : 0x00000078;
    s->sctlr[2] = 0x30c50838 & ~SCTLR_WXN;
    s->pstate = PSTATE_A | PSTATE_I | PSTATE_F | PSTATE_NRW;
    s->mode = A32_USR; /* nothing is banked yet */
    s->el = (uint8_t)arm_a32_level(vcpu, A32_SVC);
    arm_set_mode(vcpu, A32_SVC);
    s->pc = s->rvbar;
}

void arm_cpu_reset(Vcpu *vcpu)
{
    ArmState *s = arm_state(vcpu);
    uint64_t mpidr = s->mpidr, rvbar = s->rvbar, cbar = s->cbar;

    /* Not what follows the registers: wiring, and powered_off, which its thread may look at any time. */
    memset(s, 0, offsetof(ArmState, powered_off));
    s->fault = (ArmFault){ 0 };
    s->tagged_tlb = s->tlbi_pending = s->step_under_way = false;
    s->mpidr = mpidr;
    s->rvbar = rvbar;
    s->cbar = cbar;
    vcpu->jit.monitor_addr = ~(uint64_t)0;
    arm_nzcv_set(vcpu, 0);
    arm_fpsr_set(vcpu, 0);
    arm_fpcr_set(vcpu, 0);
    if (!vcpu->softmmu) {
        s->pstate = vcpu->target->big_endian ? PSTATE_E : 0;
        return;
    }
    s->fpexc = arm_model(vcpu)->aarch64 ? BIT(30) : 0;
    if (arm_model(vcpu)->aarch64) {
        reset_a64(vcpu);
    } else {
        reset_a32(vcpu);
    }
    s->cnthctl_el2 = 3; /* EL1PCTEN, EL1PCEN */
    s->vpidr_el2 = arm_model(vcpu)->id[ARM_ID_MIDR];
    s->vmpidr_el2 = s->mpidr | BIT(31);
    s->cntfrq_el0 = s->platform ? s->platform->cntfrq_hz : arm_model(vcpu)->counter_hz;
    s->oslock = 1;
    atomic_store(&vcpu->halted, atomic_load(&s->powered_off));
    vcpu->ask_before_insn = false;
    arm_tlb_select(vcpu);
    tlb_flush(vcpu);
    for (unsigned t = 0; t < ARM_TIMER_PMU; t++) {
        arm_timer_update(vcpu, t);
    }
    arm_pmu_sync(vcpu);
}

void arm_cpu_start(Vcpu *vcpu, unsigned el, uint64_t pc, uint64_t x0)
{
    ArmState *s = arm_state(vcpu);

    el = el ? el : arm_highest_el(vcpu);
    if (el < 3 && arm_has(vcpu, EL3)) {
        s->scr_el3 |= SCR_NS | (arm_has(vcpu, EL2) ? SCR_HCE : 0) | (arm_has(vcpu, PAuth) ? SCR_APK | SCR_API : 0) |
                      (arm_has(vcpu, MTE) ? SCR_ATA : 0);
        s->cptr[3] = 0;
    }
    if (el < 2 && arm_has(vcpu, EL2)) {
        s->hcr_el2 |= (arm_has(vcpu, PAuth) ? HCR_APK | HCR_API : 0) | (arm_has(vcpu, MTE) ? HCR_ATA : 0);
    }
    if (arm_model(vcpu)->aarch64) {
        arm_set_level(vcpu, el, true);
        s->pstate |= PSTATE_DAIF;
    } else {
        /* The secure state's kernel is level 3's; Linux wants what starts at the highest in Hyp mode, or Supervisor mode. */
        if (el < 3 && arm_has(vcpu, EL3)) {
            s->nsacr |= 3 << 10;
        }
        arm_set_mode(vcpu, el == 2 ? A32_HYP : A32_SVC);
        s->pstate |= PSTATE_A | PSTATE_I | PSTATE_F;
    }
    arm_set_pc(vcpu, pc, 0);
    s->x[0] = x0;
    arm_tlb_select(vcpu);
    atomic_store(&s->powered_off, false);
    atomic_store(&vcpu->halted, false);
}

void arm_cpu_power(Vcpu *vcpu, bool on)
{
    ArmState *s = arm_state(vcpu);

    atomic_store(&s->powered_off, !on);
    atomic_store(&s->starting, on);
    /* One that is to start waits, too, wherever its thread is on the way to that: then the kick ends it. */
    atomic_store(&vcpu->halted, true);
    if (on) {
        vcpu_kick(vcpu);
    }
}

void arm_cpu_wait(Vcpu *vcpu)
{
    atomic_store(&arm_state(vcpu)->starting, false);
    atomic_store(&vcpu->halted, true);
}

bool arm_cpu_is_on(const Vcpu *vcpu)
{
    return !atomic_load(&arm_state(vcpu)->powered_off);
}
