/*
 * helper-pauth.c: pointer authentication (Arm ARM DDI 0487, D8.10; J1, AddPAC, Auth, Strip).
 *
 * PAuth2 is modelled: codes are xored into the pointer's unused bits. User mode has 48 bits of address, and the lower half
 * ignores the top byte, as Linux sets it up. An algorithm of our own (PACIMP) is a few multiplications.
 */
#include "target/arm/qarma.h"
#include "target/arm/system.h"
#include "target/arm/translate.h"

typedef struct Layout { unsigned bottom, top; } Layout; /* bits of the code: [top:bottom], without bit 55 */

static uint64_t authentication_code(Vcpu *vcpu, uint64_t data, uint64_t modifier, unsigned key)
{
    const uint64_t *k = &arm_state(vcpu)->apkey[2 * key];

    if (arm_has(vcpu, PACIMP)) {
        uint64_t h = (data ^ k[1]) * 0x9e3779b97f4a7c15;
        h = (h ^ h >> 32 ^ modifier ^ k[0]) * 0xd6e8feb86659fd93;
        h = (h ^ h >> 29) * 0xff51afd7ed558ccd;
        return h ^ h >> 32;
    }
    return arm_qarma(arm_has(vcpu, PACQARMA3) ? ARM_QARMA3 : ARM_QARMA5, data, modifier, k[1], k[0]);
}

/* TrapPACUse() to EL2 or EL3: HCR_EL2.API, SCR_EL3.API. */
static void check_traps(Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    unsigned target = 0;

    if (!vcpu->softmmu) {
        return;
    }
    if (s->el < 2 && arm_el2_enabled(vcpu) && !(s->hcr_el2 & HCR_API) && (s->el == 1 || !arm_is_host(s->hcr_el2))) {
        target = 2;
    } else if (s->el < 3 && arm_has(vcpu, EL3) && !(s->scr_el3 & SCR_API)) {
        target = 3;
    }
    if (target) {
        arm_trap_iss(vcpu, target, ARM_EC_PAC, 0);
    }
}

/* SCTLR_ELx.EnIA, EnIB, EnDA, EnDB. What is off does not trap. */
static bool enabled(Vcpu *vcpu, unsigned key)
{
    static const uint8_t bit[4] = { [ARM_PAC_IA] = 31, [ARM_PAC_IB] = 30, [ARM_PAC_DA] = 27, [ARM_PAC_DB] = 13 };
    const ArmState *s = arm_state(vcpu);

    if (vcpu->softmmu && !(s->sctlr[arm_regime_el(arm_regime(vcpu, s->el))] >> bit[key] & 1)) {
        return false;
    }
    check_traps(vcpu);
    return true;
}

static Layout layout(Vcpu *vcpu, uint64_t ptr, bool data)
{
    const ArmState *s = arm_state(vcpu);

    if (!vcpu->softmmu) {
        return (Layout){ 48, ptr >> 55 & 1 ? 63 : 54 };
    }
    ArmRegime regime = arm_regime(vcpu, s->el);
    uint64_t tcr = s->tcr[arm_regime_el(regime)];
    bool two_halves = regime == ARM_REGIME_EL10 || regime == ARM_REGIME_EL20, upper = ptr >> 55 & 1, tbi;
    unsigned size;
    if (two_halves) {
        tbi = (tcr & (upper ? TCR_TBI1 : TCR_TBI0)) && (data || !(tcr & (upper ? TCR_TBID1 : TCR_TBID0)));
        size = (unsigned)bits_get(tcr, upper ? 16 : 0, 6);
    } else {
        tbi = (tcr & TCR2_TBI) && (data || !(tcr & TCR2_TBID));
        size = (unsigned)bits_get(tcr, 0, 6);
    }
    /* TxSZ is taken as at most 39 (48 with TTST) and at least 16 (12 with LVA), as translation does. */
    size = MIN(MAX(size, arm_has(vcpu, LVA) ? 12u : 16u), arm_has(vcpu, TTST) ? 48u : 39u);
    return (Layout){ 64 - size, tbi ? 54 : 63 };
}

/* The bits of a code, bit 55 aside. */
static uint64_t field(Layout l) { return bits_mask(l.bottom, l.top + 1 - l.bottom) & ~BIT(55); }

/* Bits [top or 55:bottom] as copies of `sign`. */
static uint64_t extended(uint64_t ptr, Layout l, bool sign)
{
    uint64_t mask = field(l) | BIT(55);
    return sign ? ptr | mask : ptr & ~mask;
}

static bool either_half_ignores_tag(Vcpu *vcpu, bool data)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t tcr = s->tcr[arm_regime_el(arm_regime(vcpu, s->el))];

    return data ? (tcr & (TCR_TBI0 | TCR_TBI1)) != 0
                : ((tcr & TCR_TBI0) && !(tcr & TCR_TBID0)) || ((tcr & TCR_TBI1) && !(tcr & TCR_TBID1));
}

/* Which half of the address space: bit 55, or 63 where nothing ignores the top byte. */
static bool selects_upper(Vcpu *vcpu, uint64_t ptr, bool data)
{
    if (!vcpu->softmmu) {
        return ptr >> 55 & 1;
    }
    ArmRegime regime = arm_regime(vcpu, arm_state(vcpu)->el);
    if (regime == ARM_REGIME_EL2 || regime == ARM_REGIME_EL3) {
        return layout(vcpu, ptr, data).top == 54 ? ptr >> 55 & 1 : ptr >> 63;
    }
    return either_half_ignores_tag(vcpu, data) ? ptr >> 55 & 1 : ptr >> 63;
}

uint64_t arm_helper_pac_add(Vcpu *vcpu, uint64_t ptr, uint64_t modifier, uint32_t key)
{
    bool data = key >= ARM_PAC_DA;

    if (!enabled(vcpu, key)) {
        return ptr;
    }
    bool upper = selects_upper(vcpu, ptr, data);
    Layout l = layout(vcpu, upper ? ptr | BIT(55) : ptr & ~BIT(55), data);
    uint64_t code = authentication_code(vcpu, extended(ptr, l, upper), modifier, key);
    uint64_t r = ptr ^ (code & field(l));
    return upper ? r | BIT(55) : r & ~BIT(55);
}

/* With FPAC (for combined instructions: FPACCOMBINE) a code that does not fit raises an exception, else it makes the address invalid. */
uint64_t arm_helper_pac_auth(Vcpu *vcpu, uint64_t ptr, uint64_t modifier, uint32_t how)
{
    unsigned key = how & 3;
    bool data = key >= ARM_PAC_DA, raises = how & ARM_PAC_COMBINED ? arm_has(vcpu, FPACCOMBINE) : arm_has(vcpu, FPAC);

    if (!enabled(vcpu, key)) {
        return ptr;
    }
    bool upper = ptr >> 55 & 1;
    Layout l = layout(vcpu, ptr, data);
    uint64_t good = extended(ptr, l, upper);
    uint64_t r = ptr ^ (authentication_code(vcpu, good, modifier, key) & field(l));
    if (r != good && raises) {
        vcpu_raise(vcpu, ARM_EC_FPAC, (uint64_t)data << 1 | (key & 1)); /* ESR_ELx.ISS */
    }
    return r;
}

void arm_helper_pac_fails(Vcpu *vcpu, uint32_t how)
{
    unsigned key = how & 3;

    arm_state(vcpu)->fault = (ArmFault){ .iss = (uint32_t)(key >= ARM_PAC_DA) << 1 | (key & 1) };
    vcpu_raise(vcpu, ARM_EC_FPAC, 0);
}

uint64_t arm_helper_pac_strip(Vcpu *vcpu, uint64_t ptr, uint32_t data)
{
    return extended(ptr, layout(vcpu, ptr, data), ptr >> 55 & 1);
}

uint64_t arm_helper_pac_generic(Vcpu *vcpu, uint64_t x, uint64_t modifier)
{
    check_traps(vcpu);
    return authentication_code(vcpu, x, modifier, ARM_PAC_GA) & ~(uint64_t)UINT32_MAX;
}
