/*
 * sysreg-trap.c: which accesses to system registers trap to a higher level (Arm ARM DDI 0487, D1.3.5 and the registers' own pages).
 *
 * Leaves out: fine-grained traps (FGT) and those of nested virtualization.
 */
#include "target/arm/sysreg.h"

/* CNTKCTL_EL1, and CNTHCTL_EL2 for the host's programs: PCTEN, VCTEN, VTEN, PTEN. */
enum { EL0PCTEN = 1, EL0VCTEN = 2, EL0VTEN = 1 << 8, EL0PTEN = 1 << 9 };

static bool counter_allowed_at_el0(uint64_t control, unsigned key)
{
    unsigned crm = arm_key_crm(key), op2 = arm_key_op2(key);

    if (crm == 0) { /* CNTFRQ, CNTPCT(SS), CNTVCT(SS) */
        return control & (op2 == 0 ? EL0PCTEN | EL0VCTEN : op2 == 1 || op2 == 5 ? EL0PCTEN : EL0VCTEN);
    }
    return control & (crm == 2 ? EL0PTEN : EL0VTEN);
}

/* EL1PCTEN and EL1PCEN, which VHE moves up by ten bits. */
static bool counter_traps_to_el2(const Vcpu *vcpu, uint64_t hcr, unsigned key)
{
    uint64_t control = arm_state(vcpu)->cnthctl_el2 >> (hcr & HCR_E2H ? 10 : 0);
    unsigned crm = arm_key_crm(key), op2 = arm_key_op2(key);

    return (crm == 0 && (op2 == 1 || op2 == 5) && !(control & 1)) || (crm == 2 && !(control & 2));
}

/* PMUSERENR_EL0: EN, SW, CR, ER. */
static bool pmu_allowed_at_el0(uint64_t enr, unsigned key, bool write)
{
    unsigned crn = arm_key_crn(key), crm = arm_key_crm(key), op2 = arm_key_op2(key);

    if (enr & 1) {
        return true;
    }
    if (crn == 9 && crm == 12 && op2 == 4) {
        return enr & 2;
    }
    if (crn == 9 && crm == 13 && op2 == 0) {
        return (enr & 4) && !write;
    }
    bool events = (crn == 9 && ((crm == 12 && op2 == 5) || (crm == 13 && op2 == 2))) || (crn == 14 && crm < 12);
    return (enr & 8) && events && (!write || op2 == 5);
}

static bool traps_at_el0(const Vcpu *vcpu, uint32_t f, uint64_t hcr, unsigned key, bool write)
{
    const ArmState *s = arm_state(vcpu);
    bool host = arm_is_host(hcr);
    uint64_t sctlr = s->sctlr[host ? 2 : 1];

    return ((f & ARM_SR_UCI) && !(sctlr & SCTLR_UCI)) || ((f & ARM_SR_UCT) && !(sctlr & SCTLR_UCT)) ||
           ((f & ARM_SR_UMA) && !(sctlr & SCTLR_UMA)) || ((f & ARM_SR_DZE) && !(sctlr & SCTLR_DZE)) ||
           ((f & ARM_SR_TDCC) && (s->mdscr_el1 & MDSCR_TDCC)) ||
           ((f & ARM_SR_PMU) && !pmu_allowed_at_el0(s->pmuserenr_el0, key, write)) ||
           ((f & ARM_SR_CNTEN) && !counter_allowed_at_el0(host ? s->cnthctl_el2 : s->cntkctl_el1, key));
}

/* What HCR_EL2 traps from EL1 and EL0. */
static uint64_t hcr_traps(uint32_t f, unsigned el, unsigned key, bool write)
{
    uint64_t bits = 0;

    if (el == 1) {
        bits |= f & ARM_SR_TVM ? write ? HCR_TVM : HCR_TRVM : 0;
        bits |= f & ARM_SR_TACR ? HCR_TACR : 0;
        bits |= f & ARM_SR_TID1 ? HCR_TID1 : 0;
        bits |= f & ARM_SR_TID3 ? HCR_TID3 : 0;
        bits |= f & ARM_SR_TSW ? HCR_TSW : 0;
        bits |= f & ARM_SR_TERR ? HCR_TERR : 0;
        if (f & ARM_SR_TTLB) {
            unsigned crm = arm_key_crm(key);
            bits |= HCR_TTLB | (crm == 3 || crm == 2 ? HCR_TTLBIS : 0) | (crm == 1 || crm == 5 ? HCR_TTLBOS : 0);
        }
        bits |= f & ARM_SR_TICAB ? HCR_TICAB : 0;
    }
    bits |= f & ARM_SR_TID2 ? HCR_TID2 | HCR_TID4 : 0;
    bits |= f & ARM_SR_TPCP ? HCR_TPCP : 0;
    bits |= f & ARM_SR_TPU ? HCR_TPU : 0;
    bits |= f & ARM_SR_TOCU ? HCR_TOCU : 0;
    bits |= f & ARM_SR_DZE ? HCR_TDZ : 0;
    return bits;
}

static uint64_t mdcr_traps(uint32_t f)
{
    return (f & ARM_SR_TDA ? MDCR_TDA | MDCR_TDE : 0) | (f & ARM_SR_TDOSA ? MDCR_TDOSA | MDCR_TDE : 0) |
           (f & ARM_SR_TDRA ? MDCR_TDRA | MDCR_TDE : 0) | (f & (ARM_SR_PMU | ARM_SR_PMUSER) ? MDCR_TPM : 0) |
           (f & ARM_SR_TPMCR ? MDCR_TPMCR : 0);
}

unsigned arm_sysreg_trap_level(const Vcpu *vcpu, const ArmSysreg *r, unsigned key, bool write)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t hcr = arm_hcr(vcpu);
    uint32_t f = r->flags;
    bool host_program = s->el == 0 && arm_is_host(hcr);

    if (!(f & ~(uint32_t)(ARM_SR_ENDS | ARM_SR_VHE | ARM_SR_SPACE))) {
        return 0;
    }
    if (s->el == 0 && traps_at_el0(vcpu, f, hcr, key, write)) {
        return hcr & HCR_TGE ? 2 : 1;
    }
    if (s->el < 2 && arm_el2_enabled(vcpu)) {
        bool to_el2 = (!host_program && (hcr & hcr_traps(f, s->el, key, write))) || (s->mdcr[2] & mdcr_traps(f)) ||
                      (!host_program && (f & ARM_SR_CNTEN) && counter_traps_to_el2(vcpu, hcr, key)) ||
                      (s->el == 1 && (f & ARM_SR_APK) && !(hcr & HCR_APK)) || (s->el == 1 && (f & ARM_SR_ATA) && !(hcr & HCR_ATA)) || (s->el == 1 && (f & ARM_SR_TCPAC) && (s->cptr[2] & BIT(31)));
        if (to_el2) {
            return 2;
        }
    }
    if (s->el < 3 && arm_has(vcpu, EL3)) {
        /* MDCR_EL3 has TPM, TDA and TDOSA where MDCR_EL2 has them. */
        uint64_t mdcr3 = mdcr_traps(f | (f & ARM_SR_TDA3 ? ARM_SR_TDA : 0)) & (MDCR_TPM | MDCR_TDA | MDCR_TDOSA);
        if ((s->mdcr[3] & mdcr3) || ((f & ARM_SR_TCPAC) && s->el >= 1 && (s->cptr[3] & BIT(31))) ||
            ((f & ARM_SR_APK) && !(s->scr_el3 & SCR_APK)) || ((f & ARM_SR_ATA) && !(s->scr_el3 & SCR_ATA)) || ((f & ARM_SR_TERR) && (s->scr_el3 & BIT(15))) || ((f & ARM_SR_CNTPS) && s->el == 1 && !(s->scr_el3 & SCR_ST))) {
            return 3;
        }
    }
    return 0;
}

/* CPACR came with Armv6; VFP of Armv5 has FPEXC alone. */
static bool has_cpacr(const Vcpu *vcpu) { return arm_model(vcpu)->aarch64 || arm_has(vcpu, V6); }

/* FP and SIMD (D1.3.5): the level their instructions trap to, 0: none. */
unsigned arm_fp_trap_level(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t hcr = arm_hcr(vcpu);

    bool a32_el3 = arm_has(vcpu, EL3) && !arm_model(vcpu)->aarch64;
    bool kernel = s->el <= 1 || (a32_el3 && s->el == 3 && s->mode != A32_MON);
    if (kernel && !(s->el == 0 && arm_is_host(hcr)) && has_cpacr(vcpu)) {
        unsigned fpen = (unsigned)bits_get(s->cptr[1], 20, 2);
        if (!(fpen & 1) || (fpen == 1 && s->el == 0)) {
            return s->el == 0 && (hcr & HCR_TGE) ? 2 : 1; /* 1: the kernel, wherever it is */
        }
    }
    if (s->el <= 2 && arm_el2_enabled(vcpu)) {
        if (hcr & HCR_E2H) {
            unsigned fpen = (unsigned)bits_get(s->cptr[2], 20, 2);
            if (!(fpen & 1) || (fpen == 1 && s->el == 0 && (hcr & HCR_TGE))) {
                return 2;
            }
        } else if (s->cptr[2] & BIT(10)) {
            return 2;
        }
    }
    if (a32_el3) { /* NSACR, which makes instructions undefined */
        return s->el < 3 && !arm_is_secure_below_el3(vcpu) && !(s->nsacr & BIT(10)) ? 1 : 0;
    }
    return arm_has(vcpu, EL3) && (s->cptr[3] & BIT(10)) ? 3 : 0;
}
