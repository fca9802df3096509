/*
 * mmu-at.c: address translation instructions and PAR_EL1 (Arm ARM DDI 0487, C5.4, D24.2.134); faults of cache maintenance.
 */
#include "target/arm/mmu.h"
#include "target/arm/sysreg.h"
#include "accel/tcg.h"

static ArmWalk walk_of(Vcpu *vcpu, unsigned key)
{
    unsigned op1 = arm_key_op1(key), op2 = arm_key_op2(key);
    uint64_t hcr = arm_hcr(vcpu);
    ArmWalk w = { .vcpu = vcpu, .access = op2 & 1 ? MMU_WRITE : MMU_READ, .regime = ARM_REGIME_EL10 };

    switch (op1) {
    case 0: /* S1E1, S1E0, S1E1P */
        w.regime = arm_state(vcpu)->el >= 2 && arm_is_host(hcr) ? ARM_REGIME_EL20 : ARM_REGIME_EL10;
        w.user = op2 & 2;
        w.pan = arm_key_crm(key) == 9 && (arm_state(vcpu)->pstate & PSTATE_PAN);
        w.stage1_only = true;
        break;
    case 4: /* S1E2; S12E1, S12E0 */
        if (op2 < 2) {
            w.regime = hcr & HCR_E2H ? ARM_REGIME_EL20 : ARM_REGIME_EL2;
        }
        w.user = op2 >= 6;
        break;
    default:
        w.regime = ARM_REGIME_EL3;
    }
    return w;
}

bool arm_write_at(Vcpu *vcpu, unsigned key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);
    ArmWalk w = walk_of(vcpu, key);
    ArmPage page;
    ArmWalkFault f;

    if (arm_walk(&w, value, &page, &f)) {
        s->par_el1 = (page.phys & bits_mask(12, 40)) | BIT(11) | (uint64_t)(page.tagged ? 0xf0 : page.attr) << 56 | (uint64_t)page.sh << 7 | (page.ns ? BIT(9) : 0);
        return true;
    }
    if (f.s1ptw && s->el == 1) { /* the hypervisor's page tables lack the guest's: that is the hypervisor's to mend */
        arm_abort(vcpu, value, MMU_READ, &f, true);
        vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
    }
    s->par_el1 = BIT(11) | (f.stage2 ? BIT(9) : 0) | (f.s1ptw ? BIT(8) : 0) | (uint64_t)f.fsc << 1 | 1;
    return true;
}

void arm_cache_operation_check(Vcpu *vcpu, vaddr addr, MmuAccess access)
{
    const ArmState *s = arm_state(vcpu);
    ArmWalk w = { .vcpu = vcpu, .access = access, .regime = arm_regime(vcpu, s->el), .user = s->el == 0, .pan = arm_mmu_index(vcpu, access) == ARM_MMU_PRIV_PAN };
    ArmPage page;
    ArmWalkFault f;

    if (!arm_walk(&w, addr, &page, &f)) {
        arm_abort(vcpu, addr, access, &f, true);
        vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
    }
}
