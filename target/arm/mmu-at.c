/*
 * mmu-at.c: address translation instructions and PAR_EL1 (Arm ARM DDI 0487, C5.4, D24.2.134); faults of cache maintenance.
 */
#include "target/arm/cp15.h"
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

/* -- AArch32 (G8.2.121 PAR) ----------------------------------------------------------------------------------------- */

static ArmWalk walk_of_a32(Vcpu *vcpu, uint32_t key)
{
    unsigned op2 = key & 7;
    bool hyp = arm_cp_opc1(key) == 4, other = !hyp && op2 >= 4; /* other: ATS12NSO */
    bool el3 = !other && arm_a32_el3_is_secure(vcpu);
    ArmWalk w = { .vcpu = vcpu, .access = op2 & 1 ? MMU_WRITE : MMU_READ, .regime = hyp ? ARM_REGIME_EL2 : el3 ? ARM_REGIME_EL3 : ARM_REGIME_EL10 };

    w.user = !hyp && (op2 & 2);
    w.stage1_only = !other;
    return w;
}

static uint64_t par_of_page(const ArmPage *page, bool is_long, bool large)
{
    if (is_long) {
        return (page->phys & bits_mask(12, 28)) | BIT(11) | BIT(9) * page->ns | (uint64_t)page->sh << 7 | (uint64_t)page->attr << 56;
    }
    /* Outer and inner attributes: 0 non-cacheable, 1 strongly ordered, 3 device, 5 to 7 and 1 to 3 as caches are. */
    static const uint8_t outer[4] = { 0, 2, 3, 1 }, inner[4] = { 0, 6, 7, 5 };
    bool device = !(page->attr & 0xf0);
    unsigned o = page->attr >> 6, i = page->attr >> 2 & 3;
    uint64_t attr = device ? page->attr ? 3 << 4 : 1 << 4 : (uint64_t)inner[i == 3 && !(page->attr & 1) ? 2 : i == 2 ? 1 : i == 3 ? 3 : 0] << 4 |
                    (uint64_t)outer[o == 3 && !(page->attr & 0x10) ? 2 : o == 2 ? 1 : o == 3 ? 3 : 0] << 2;
    uint64_t addr = large ? (page->phys & 0xff000000) | (page->phys >> 32 & 0xff) << 16 | BIT(1) : page->phys & 0xfffff000;
    return addr | BIT(9) * page->ns | (page->sh >= 2 ? BIT(7) : 0) | attr;
}

bool arm_write_at32(Vcpu *vcpu, uint32_t key, uint64_t value)
{
    ArmState *s = arm_state(vcpu);
    ArmWalk w = walk_of_a32(vcpu, key);
    uint64_t *par = arm_a32_el3_is_secure(vcpu) ? &s->par[3] : &s->par_el1, scr = s->scr_el3;
    bool other = !arm_cp_opc1(key) && (key & 4), mine;
    ArmPage page;
    ArmWalkFault f;

    if (other && arm_has(vcpu, EL3)) { /* as the non-secure state translates */
        s->scr_el3 |= SCR_NS;
    }
    bool is_long = w.regime == ARM_REGIME_EL2 || !arm_uses_short(vcpu, w.regime) ||
                   (s->el == 2 && other) || (other && (arm_hcr(vcpu) & (HCR_VM | HCR_DC)));
    is_long &= arm_vmsa(vcpu) >= 5;
    mine = arm_walk(&w, (uint32_t)value, &page, &f);
    s->scr_el3 = scr;
    if (mine) {
        *par = par_of_page(&page, is_long, page.stage1_bits == 24);
        return true;
    }
    if (f.stage2 && s->el == 1) {
        arm_abort(vcpu, value, MMU_READ, &f, true);
        vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
    }
    *par = is_long ? BIT(11) | (f.stage2 ? BIT(9) : 0) | (f.s1ptw ? BIT(8) : 0) | (uint64_t)f.fsc << 1 | 1 : (uint64_t)arm_short_status(f.fsc) << 1 | 1;
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
