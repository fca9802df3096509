/*
 * mmu-short.c: stage 1 by short descriptors: the tables of Armv5 and Armv6 (with subpages) and of Armv6 and Armv7 (XP): sections,
 * supersections, large, small, extended small and tiny pages, domains, access permissions with and without access flag, PXN, UWXN.
 *
 * What differs within 4 KiB (subpages, tiny pages) is translated anew at each access. Memory types matter to PAR alone.
 * Leaves out: hardware management of the access flag; SMI's lockdown of entries; ROM protection (SCTLR.R) together with AFE.
 * Arm ARM DDI 0487, G5.4, G5.6; DDI 0100I (Armv5, Armv6), B4.
 */
#include "target/arm/mmu.h"

/* Descriptor types, first and second level. */
enum { L1_FAULT, L1_COARSE, L1_SECTION, L1_FINE };
enum { L2_FAULT, L2_LARGE, L2_SMALL, L2_EXTENDED };
enum { DOMAIN_NONE, DOMAIN_CLIENT, DOMAIN_RESERVED, DOMAIN_MANAGER };
#define SUPERSECTION BIT(18)

/* What a walk finds. */
typedef struct Leaf {
    gpa phys;
    uint8_t bits, level, domain, ap; /* ap: AP[2:0] */
    uint8_t tex_cb;                  /* TEX C B */
    bool xn, pxn, global, shared, ns;
} Leaf;

bool arm_uses_short(const Vcpu *vcpu, ArmRegime regime)
{
    bool kernel = regime == ARM_REGIME_EL10 || regime == ARM_REGIME_EL3;
    return kernel && arm_regime_is_a32(vcpu, regime) && !(arm_vmsa(vcpu) >= 5 && (arm_state(vcpu)->tcr[arm_regime_el(regime)] & TTBCR_EAE));
}

vaddr arm_fcse(const Vcpu *vcpu, ArmRegime regime, vaddr addr)
{
    bool kernel = regime == ARM_REGIME_EL10 || regime == ARM_REGIME_EL3;
    /* B8.2: addresses in the lowest 32 MiB are the process' own. */
    return kernel && !(addr >> 25) ? addr | arm_state(vcpu)->fcseidr[arm_regime_el(regime)] : addr;
}

static bool fail(ArmWalkFault *f, unsigned class, unsigned level, unsigned domain)
{
    f->fsc = (uint8_t)(class + level);
    f->domain = (uint8_t)domain;
    return false;
}

/* The format of Armv6 and later: XP, which v7 has for ever. */
static bool has_xp(const Vcpu *vcpu, uint64_t sctlr)
{
    unsigned vmsa = arm_vmsa(vcpu);
    return vmsa >= 3 || (vmsa == 2 && (sctlr & SCTLR32_XP));
}

static bool read_entry(const ArmWalk *w, gpa at, unsigned level, unsigned domain, uint32_t *ret, ArmWalkFault *f)
{
    const uint32_t *p = arm_table_entry(w, at, 4, (int)level, f);

    if (!p) {
        f->domain = (uint8_t)domain;
        return false;
    }
    *ret = __atomic_load_n(p, __ATOMIC_ACQUIRE);
    if (arm_state(w->vcpu)->sctlr[arm_regime_el(w->regime)] & SCTLR_EE && arm_vmsa(w->vcpu) >= 2) {
        *ret = __builtin_bswap32(*ret);
    }
    return true;
}

/* -- first level ------------------------------------------------------------------------------------------------------ */

static bool table_of(const ArmWalk *w, vaddr addr, gpa *ret, ArmWalkFault *f)
{
    const ArmState *s = arm_state(w->vcpu);
    unsigned el = arm_regime_el(w->regime), n = arm_vmsa(w->vcpu) >= 2 ? s->tcr[el] & 7 : 0;
    bool high = n && addr >> (32 - n), has_pd = arm_has(w->vcpu, EL3) || arm_vmsa(w->vcpu) >= 4;

    if (has_pd && (s->tcr[el] & (high ? TTBCR_PD1 : TTBCR_PD0))) {
        return fail(f, ARM_FSC_TRANSLATION, 1, 0);
    }
    unsigned low = high ? 14 : 14 - n;
    *ret = ((uint32_t)(high ? s->ttbr1[el] : s->ttbr0[el]) & ~bits_mask(0, low)) | bits_get(addr, 20, low - 2) << 2;
    return true;
}

static void section(const Vcpu *vcpu, uint32_t desc, vaddr addr, bool xp, Leaf *ret)
{
    bool super = xp && (desc & SUPERSECTION);

    *ret = (Leaf){ .bits = super ? 24 : 20, .level = 1, .domain = super ? 0 : (uint8_t)bits_get(desc, 5, 4), .ap = (uint8_t)bits_get(desc, 10, 2),
                   .tex_cb = (uint8_t)(bits_get(desc, 12, 3) << 2 | bits_get(desc, 2, 2)), .global = true };
    ret->phys = desc & ~bits_mask(0, ret->bits);
    if (super && arm_model(vcpu)->pa_bits > 32) {
        ret->phys |= bits_get(desc, 20, 4) << 32 | bits_get(desc, 5, 4) << 36;
    }
    ret->phys |= addr & bits_mask(0, ret->bits);
    if (xp) {
        ret->ap |= (uint8_t)(bits_get(desc, 15, 1) << 2);
        ret->xn = desc & BIT(4);
        ret->pxn = (desc & BIT(0)) && arm_vmsa(vcpu) >= 4;
        ret->global = !(desc & BIT(17));
        ret->shared = desc & BIT(16);
        ret->ns = desc & BIT(19);
    }
}

/* -- second level ----------------------------------------------------------------------------------------------------- */

/* Four subpages have permissions of their own: AP0 in bits 5:4 up to AP3 in 11:10. */
static void subpages(uint32_t desc, vaddr addr, unsigned bits, Leaf *ret)
{
    bool same = bits_get(desc, 4, 8) == 0x55 * bits_get(desc, 4, 2);
    unsigned which = (unsigned)bits_get(addr, bits - 2, 2);

    ret->ap = (uint8_t)bits_get(desc, 4 + 2 * which, 2);
    ret->bits = (uint8_t)(same ? bits : bits - 2);
    ret->phys = (desc & ~bits_mask(0, bits)) | (addr & bits_mask(0, bits));
    ret->tex_cb = (uint8_t)((bits == 16 ? bits_get(desc, 12, 3) << 2 : 0) | bits_get(desc, 2, 2));
}

static void page_xp(uint32_t desc, vaddr addr, bool large, Leaf *ret)
{
    ret->bits = large ? 16 : 12;
    ret->phys = (desc & ~bits_mask(0, ret->bits)) | (addr & bits_mask(0, ret->bits));
    ret->ap = (uint8_t)(bits_get(desc, 4, 2) | bits_get(desc, 9, 1) << 2);
    ret->xn = desc & (large ? BIT(15) : BIT(0));
    ret->global = !(desc & BIT(11));
    ret->shared = desc & BIT(10);
    ret->tex_cb = (uint8_t)(bits_get(desc, large ? 12 : 6, 3) << 2 | bits_get(desc, 2, 2));
}

static bool second_level(const ArmWalk *w, uint32_t table, vaddr addr, bool xp, Leaf *ret, ArmWalkFault *f)
{
    bool fine = (table & 3) == L1_FINE;
    unsigned domain = (unsigned)bits_get(table, 5, 4);
    gpa at = fine ? (table & ~UINT32_C(0xfff)) | bits_get(addr, 10, 10) << 2 : (table & ~UINT32_C(0x3ff)) | bits_get(addr, 12, 8) << 2;
    uint32_t desc;

    if (!read_entry(w, at, 2, domain, &desc, f)) {
        return false;
    }
    *ret = (Leaf){ .level = 2, .domain = (uint8_t)domain, .global = true };
    if ((desc & 3) == L2_FAULT) {
        return fail(f, ARM_FSC_TRANSLATION, 2, domain);
    }
    if (xp) {
        ret->pxn = (table & BIT(2)) && arm_vmsa(w->vcpu) >= 4;
        ret->ns = table & BIT(3);
        page_xp(desc, addr, (desc & 3) == L2_LARGE, ret);
    } else if ((desc & 3) != L2_EXTENDED) {
        subpages(desc, addr, (desc & 3) == L2_LARGE ? 16 : 12, ret);
    } else if (fine) { /* tiny */
        ret->bits = 10;
        ret->phys = (desc & ~UINT32_C(0x3ff)) | (addr & 0x3ff);
        ret->ap = (uint8_t)bits_get(desc, 4, 2);
        ret->tex_cb = (uint8_t)bits_get(desc, 2, 2);
    } else { /* extended small */
        ret->bits = 12;
        ret->phys = (desc & ~UINT32_C(0xfff)) | (addr & 0xfff);
        ret->ap = (uint8_t)bits_get(desc, 4, 2);
        ret->tex_cb = (uint8_t)(bits_get(desc, 6, 3) << 2 | bits_get(desc, 2, 2));
    }
    return true;
}

static bool find_leaf(const ArmWalk *w, vaddr addr, Leaf *ret, ArmWalkFault *f)
{
    uint64_t sctlr = arm_state(w->vcpu)->sctlr[arm_regime_el(w->regime)];
    bool xp = has_xp(w->vcpu, sctlr), has_pxn = arm_vmsa(w->vcpu) >= 4, has_fine = arm_vmsa(w->vcpu) < 2;
    uint32_t desc;
    gpa at;

    if (!table_of(w, addr, &at, f) || !read_entry(w, at, 1, 0, &desc, f)) {
        return false;
    }
    switch (desc & 3) {
    case L1_COARSE:
        return second_level(w, desc, addr, xp, ret, f);
    case L1_FINE:
        if (has_fine) {
            return second_level(w, desc, addr, xp, ret, f);
        }
        if (!(has_pxn && xp)) {
            return fail(f, ARM_FSC_TRANSLATION, 1, 0);
        }
        break; /* a section with PXN */
    case L1_SECTION:
        break;
    default:
        return fail(f, ARM_FSC_TRANSLATION, 1, 0);
    }
    section(w->vcpu, desc, addr, xp, ret);
    return true;
}

/* -- permissions (G5.6.1, B4.3) -------------------------------------------------------------------------------------------- */

enum { NONE = 0, RO = PAGE_READ, RW = PAGE_READ | PAGE_WRITE };

static void permissions(const ArmWalk *w, unsigned ap, unsigned *ret_kernel, unsigned *ret_user)
{
    static const uint8_t kernel[8] = { NONE, RW, RW, RW, NONE, RO, RO, RO }, user[8] = { NONE, NONE, RO, RW, NONE, NONE, RO, RO };
    uint64_t sctlr = arm_state(w->vcpu)->sctlr[arm_regime_el(w->regime)];

    *ret_kernel = kernel[ap];
    *ret_user = user[ap];
    if (ap == 0 && arm_vmsa(w->vcpu) <= 2) { /* System and ROM protection */
        *ret_kernel = sctlr & (SCTLR32_S | SCTLR32_R) ? RO : NONE;
        *ret_user = sctlr & SCTLR32_R ? RO : NONE;
    }
}

static unsigned prot_of(const ArmWalk *w, const Leaf *leaf)
{
    uint64_t sctlr = arm_state(w->vcpu)->sctlr[arm_regime_el(w->regime)];
    unsigned kernel, user, ap = leaf->ap;

    if (arm_vmsa(w->vcpu) >= 3 && (sctlr & SCTLR32_AFE)) {
        ap = (ap & 6) | 1; /* AP[2:1]: read only, user */
    }
    permissions(w, ap, &kernel, &user);
    bool xn = leaf->xn || (!w->user && leaf->pxn), wx = arm_vmsa(w->vcpu) >= 5;
    unsigned mine = w->user ? user : kernel;
    bool exec = (mine & PAGE_READ) && !xn && !(wx && (sctlr & SCTLR_WXN) && (mine & PAGE_WRITE)) &&
                !(wx && !w->user && (sctlr & SCTLR32_UWXN) && (user & PAGE_WRITE));
    if (w->pan && (user & PAGE_READ)) {
        mine = NONE;
    }
    return mine | (exec ? PAGE_EXEC : 0);
}

/* -- memory types: MAIR's byte, for PAR -------------------------------------------------------------------------------------- */

static uint8_t attributes(const ArmWalk *w, const Leaf *leaf)
{
    static const uint8_t cache[4] = { 0x4, 0xf, 0xa, 0xe }; /* none; write-back and allocate; write-through; write-back */
    const ArmState *s = arm_state(w->vcpu);
    unsigned el = arm_regime_el(w->regime), tex = leaf->tex_cb >> 2, cb = leaf->tex_cb & 3;

    if (arm_vmsa(w->vcpu) >= 3 && (s->sctlr[el] & SCTLR32_TRE)) { /* PRRR and NMRR by TEX[0] C B */
        unsigned n = leaf->tex_cb & 7;
        uint32_t prrr = (uint32_t)s->mair[el], nmrr = (uint32_t)(s->mair[el] >> 32);
        switch (prrr >> 2 * n & 3) {
        case 0: return 0x00;
        case 1: return 0x04;
        default: return (uint8_t)(cache[nmrr >> (16 + 2 * n) & 3] << 4 | cache[nmrr >> 2 * n & 3]);
        }
    }
    if (tex & 4) {
        return (uint8_t)(cache[tex & 3] << 4 | cache[cb]);
    }
    switch (tex << 2 | cb) {
    case 0: return 0x00;
    case 1: case 8: return 0x04;
    case 2: return 0xaa;
    case 3: return 0xee;
    case 4: return 0x44;
    default: return 0xff;
    }
}

bool arm_stage1_short(const ArmWalk *w, vaddr addr, ArmPage *ret, ArmWalkFault *f)
{
    static const uint8_t needed[] = { [MMU_READ] = PAGE_READ, [MMU_WRITE] = PAGE_WRITE, [MMU_FETCH] = PAGE_EXEC };
    const ArmState *s = arm_state(w->vcpu);
    unsigned el = arm_regime_el(w->regime);
    bool secure = arm_is_secure_below_el3(w->vcpu) || w->regime == ARM_REGIME_EL3;
    Leaf leaf;

    addr = arm_fcse(w->vcpu, w->regime, (uint32_t)addr);
    if (!find_leaf(w, addr, &leaf, f)) {
        return false;
    }
    unsigned prot = PAGE_READ | PAGE_WRITE | PAGE_EXEC;
    if (!w->debug) {
        unsigned domain = (unsigned)bits_get(s->dacr[el], 2 * leaf.domain, 2);
        if (arm_vmsa(w->vcpu) >= 3 && (s->sctlr[el] & SCTLR32_AFE) && !(leaf.ap & 1)) {
            return fail(f, ARM_FSC_ACCESS_FLAG, leaf.level, leaf.domain);
        }
        if (domain == DOMAIN_NONE || domain == DOMAIN_RESERVED) {
            return fail(f, ARM_FSC_DOMAIN, leaf.level, leaf.domain);
        }
        prot = domain == DOMAIN_MANAGER ? prot : prot_of(w, &leaf);
        if (leaf.ns && secure && (s->scr_el3 & SCR_SIF)) {
            prot &= ~(unsigned)PAGE_EXEC;
        }
        if (!(prot & needed[w->access])) {
            return fail(f, ARM_FSC_PERMISSION, leaf.level, leaf.domain);
        }
    }
    uint8_t attr = attributes(w, &leaf);
    *ret = (ArmPage){
        .phys = leaf.phys, .prot = (uint8_t)prot, .page_bits = leaf.bits, .stage1_bits = leaf.bits, .global = leaf.global,
        .ns = !secure || leaf.ns, .attr = attr, .sh = !(attr & 0xf0) ? 2 : leaf.shared ? 3 : 0,
    };
    return true;
}
