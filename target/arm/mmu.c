/*
 * mmu.c: address translation of VMSAv8-64, stages 1 and 2, and the exceptions of memory accesses.
 *
 * With it the long descriptors of AArch32, which are laid out alike; short ones are in mmu-short.c.
 *
 * Granules of 4, 16 and 64 KiB, 48 and 52 bits of address (LVA, LPA, LPA2), hierarchical and direct permissions, PAN, WXN, hardware management
 * of access flag and dirty state (HAFDBS), execute-never by level at stage 2 (XNX). Tables are read, and descriptors updated with
 * compare-and-swap, through vcpu->phys_ptr.
 *
 * The TLB's sets are tagged: ASID and VMID are the set's `asid`, its `root` says which regime, security state and stages. So no change of context
 * flushes anything. Tags in addresses (TBI) are part of the TLB's pages: maintenance by address cannot find those, so it flushes all when
 * there are any (tagged_tlb). The same holds for blocks of stage 1 that are cached in smaller pieces.
 *
 * Leaves out: the contiguous hint is taken as none; alignment of accesses to Device memory while stage 1 is on; the access
 * permissions of indirection (PIE) and overlays.
 * Arm ARM DDI 0487, D8, G5.5.
 */
#include "target/arm/mmu.h"
#include "target/arm/tlb.h"

#define DESC_VALID   BIT(0)
#define DESC_TABLE   BIT(1)
#define DESC_AP_USER BIT(6)
#define DESC_AP_RO   BIT(7)
#define DESC_AF      BIT(10)
#define DESC_NG      BIT(11)
#define DESC_GP      BIT(50)
#define DESC_DBM     BIT(51)
#define DESC_PXN     BIT(53)
#define DESC_UXN     BIT(54)
#define TABLE_PXN    BIT(59)
#define TABLE_UXN    BIT(60)
#define TABLE_NOUSER BIT(61)
#define TABLE_RO     BIT(62)
#define TABLE_NS     BIT(63)
#define S2_READ      BIT(6)
#define S2_WRITE     BIT(7)

static const uint8_t needed[] = { [MMU_READ] = PAGE_READ, [MMU_WRITE] = PAGE_WRITE, [MMU_FETCH] = PAGE_EXEC };

enum { ALL = PAGE_READ | PAGE_WRITE | PAGE_EXEC };

static bool fail(ArmWalkFault *f, unsigned class, int level)
{
    /* Level -1 has codes of its own: address size 0x29, translation 0x2b, external abort on a walk 0x13. */
    f->fsc = level >= 0 ? class + (unsigned)level
                        : class == ARM_FSC_ADDRESS_SIZE ? 0x29 : class == ARM_FSC_TRANSLATION ? 0x2b : 0x13;
    return false;
}

/* -- layout of the tables (D8.2) -------------------------------------------------------------------------- */

bool arm_stage1_enabled(const Vcpu *vcpu, ArmRegime regime)
{
    uint64_t hcr = arm_hcr(vcpu);

    if (regime == ARM_REGIME_EL10 && (hcr & (HCR_DC | HCR_TGE))) {
        return false;
    }
    return arm_state(vcpu)->sctlr[arm_regime_el(regime)] & SCTLR_M;
}

/* AArch32's EL3 is the secure state's kernel and its programs. */
static bool two_halves(const Vcpu *vcpu, ArmRegime regime)
{
    return regime <= ARM_REGIME_EL20 || (regime == ARM_REGIME_EL3 && !arm_model(vcpu)->aarch64);
}

bool arm_tbi(const Vcpu *vcpu, ArmRegime regime, vaddr addr, MmuAccess access)
{
    uint64_t tcr = arm_state(vcpu)->tcr[arm_regime_el(regime)];
    bool high = addr >> 55 & 1, on, not_code;

    if (arm_regime_is_a32(vcpu, regime)) {
        return false;
    }
    if (two_halves(vcpu, regime)) {
        on = tcr & (high ? TCR_TBI1 : TCR_TBI0);
        not_code = tcr & (high ? TCR_TBID1 : TCR_TBID0);
    } else {
        on = tcr & TCR2_TBI;
        not_code = tcr & TCR2_TBID;
    }
    return on && !(access == MMU_FETCH && not_code && arm_has(vcpu, PAuth));
}

static unsigned physical_bits(const Vcpu *vcpu, unsigned ps)
{
    static const uint8_t bits[8] = { 32, 36, 40, 42, 44, 48, 52, 52 };
    return MIN(bits[ps & 7], arm_model(vcpu)->pa_bits);
}

/* Granule by TG0's numbers; of those that are not there, 4 KiB. */
static unsigned granule_of(const Vcpu *vcpu, unsigned tg0)
{
    return tg0 == 1 && arm_has(vcpu, TGRAN64) ? 16 : tg0 == 2 && arm_has(vcpu, TGRAN16) ? 14 : 12;
}

/* What follows from the size of addresses; false: it is out of range. */
static bool sizes(const Vcpu *vcpu, ArmTables *t, unsigned tsz)
{
    unsigned max = arm_has(vcpu, TTST) ? t->granule_bits == 16 ? 47 : 48 : 39;
    unsigned min = t->ds || (t->granule_bits == 16 && arm_has(vcpu, LVA)) ? 12 : 16;

    if (tsz < min || tsz > max) {
        return false;
    }
    t->va_bits = (uint8_t)(64 - tsz);
    t->wide = t->granule_bits == 16 && t->out_bits == 52;
    return true;
}

static gpa table_base(const ArmTables *t, uint64_t ttbr)
{
    unsigned align = t->top_bits + 3u;
    bool wide = t->ds || t->wide;
    gpa base = ttbr & bits_mask(0, 48) & ~bits_mask(0, MAX(align, wide ? 6u : 1u));
    return wide ? base | bits_get(ttbr, 2, 4) << 48 : base;
}

/* Long descriptors of AArch32 (G5.5.2): addresses of 32 bits, pages of 4 KiB. */
static bool stage1_tables_a32(const Vcpu *vcpu, ArmRegime regime, vaddr addr, ArmTables *ret, uint64_t *ret_in, ArmWalkFault *f)
{
    const ArmState *s = arm_state(vcpu);
    unsigned el = arm_regime_el(regime);
    uint64_t tcr = s->tcr[el];
    unsigned t0sz = tcr & 7, t1sz = (unsigned)bits_get(tcr, 16, 3), tsz = t0sz;
    ArmTables t = { .granule_bits = 12, .out_bits = MIN(40, arm_model(vcpu)->pa_bits) };
    bool high = false;

    addr = (uint32_t)addr;
    if (two_halves(vcpu, regime)) {
        bool in_low = !t0sz || !(addr >> (32 - t0sz));
        high = t1sz ? addr >> (32 - t1sz) == bits_mask(0, t1sz) : !in_low;
        tsz = high ? t1sz : t0sz;
        if ((!high && !in_low) || (tcr & (high ? TCR_EPD1 : TCR_EPD0))) {
            return fail(f, ARM_FSC_TRANSLATION, 1);
        }
    } else if (t0sz && addr >> (32 - t0sz)) {
        return fail(f, ARM_FSC_TRANSLATION, 1);
    }
    t.va_bits = (uint8_t)(32 - tsz);
    t.start = t.va_bits > 30 ? 1 : 2;
    t.top_bits = (uint8_t)(t.va_bits - arm_level_bits(&t, t.start));
    t.base = table_base(&t, high ? s->ttbr1[el] : s->ttbr0[el]) & bits_mask(0, 40);
    *ret = t;
    *ret_in = addr & bits_mask(0, t.va_bits);
    return true;
}

bool arm_stage1_tables(const Vcpu *vcpu, ArmRegime regime, vaddr addr, MmuAccess access, bool user, ArmTables *ret, uint64_t *ret_in, ArmWalkFault *f)
{
    static const uint8_t tg1_to_tg0[4] = { 0, 2, 0, 1 };
    const ArmState *s = arm_state(vcpu);
    unsigned el = arm_regime_el(regime);
    uint64_t tcr = s->tcr[el];
    bool halves = two_halves(vcpu, regime), high = halves && (addr >> 55 & 1);
    unsigned tsz = (unsigned)bits_get(tcr, high ? 16 : 0, 6);
    ArmTables t = { 0 };

    if (arm_regime_is_a32(vcpu, regime)) {
        return stage1_tables_a32(vcpu, regime, addr, ret, ret_in, f);
    }
    if (halves) {
        t.granule_bits = (uint8_t)granule_of(vcpu, high ? tg1_to_tg0[bits_get(tcr, 30, 2)] : (unsigned)bits_get(tcr, 14, 2));
        t.out_bits = (uint8_t)physical_bits(vcpu, (unsigned)bits_get(tcr, 32, 3));
        t.ha = tcr & TCR_HA;
        t.hd = tcr & TCR_HD;
        t.hpd = tcr & (high ? TCR_HPD1 : TCR_HPD0);
        t.ds = tcr & TCR_DS;
        t.sh = (uint8_t)bits_get(tcr, high ? 28 : 12, 2);
        if (tcr & (high ? TCR_EPD1 : TCR_EPD0)) {
            return fail(f, ARM_FSC_TRANSLATION, 0);
        }
        if (user && arm_has(vcpu, E0PD) && (tcr & (high ? TCR_E0PD1 : TCR_E0PD0))) {
            return fail(f, ARM_FSC_TRANSLATION, 0);
        }
    } else {
        t.granule_bits = (uint8_t)granule_of(vcpu, (unsigned)bits_get(tcr, 14, 2));
        t.out_bits = (uint8_t)physical_bits(vcpu, (unsigned)bits_get(tcr, 16, 3));
        t.ha = tcr & TCR2_HA;
        t.hd = tcr & TCR2_HD;
        t.hpd = tcr & TCR2_HPD;
        t.ds = tcr & TCR2_DS;
        t.sh = (uint8_t)bits_get(tcr, 12, 2);
    }
    t.ha &= arm_has(vcpu, HAF);
    t.hd &= t.ha && arm_has(vcpu, HDBS);
    t.hpd &= arm_has(vcpu, HPDS);
    t.ds &= arm_has(vcpu, LPA2) && t.granule_bits != 16;
    if (!t.ds && t.granule_bits != 16) {
        t.out_bits = MIN(t.out_bits, 48);
    }
    if (!sizes(vcpu, &t, tsz)) {
        return fail(f, ARM_FSC_TRANSLATION, 0);
    }
    /* All bits above must say which half it is, but for an ignored top byte (D8.9). */
    unsigned top = arm_tbi(vcpu, regime, addr, access) ? 56 : 64;
    uint64_t upper = bits_get(addr, t.va_bits, top - t.va_bits);
    if (upper != (high ? bits_mask(0, top - t.va_bits) : 0)) {
        return fail(f, ARM_FSC_TRANSLATION, 0);
    }
    unsigned stride = t.granule_bits - 3u, indexed = t.va_bits - t.granule_bits;
    unsigned levels = (indexed + stride - 1) / stride;
    t.start = (int8_t)(4 - (int)levels);
    t.top_bits = (uint8_t)(indexed - (levels - 1) * stride);
    t.base = table_base(&t, high ? s->ttbr1[el] : s->ttbr0[el]);
    if (t.base >> t.out_bits) {
        return fail(f, ARM_FSC_ADDRESS_SIZE, 0);
    }
    *ret = t;
    *ret_in = addr & bits_mask(0, t.va_bits);
    return true;
}

/* VTCR of AArch32: a signed size, two starting levels (G8.2.171). */
static bool stage2_tables_a32(const Vcpu *vcpu, uint64_t ipa, ArmTables *ret, ArmWalkFault *f)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t vtcr = s->vtcr_el2;
    int tsz = (int)bits_sext(vtcr & 15, 4);
    ArmTables t = { .stage2 = true, .granule_bits = 12, .out_bits = MIN(40, arm_model(vcpu)->pa_bits), .va_bits = (uint8_t)(32 - tsz),
                    .start = vtcr & BIT(6) ? 1 : 2 };
    int top = (int)t.va_bits - (int)arm_level_bits(&t, t.start);

    if (top < 1 || top > 9 + 4 || ipa >> t.va_bits) {
        return fail(f, ARM_FSC_TRANSLATION, 1);
    }
    t.top_bits = (uint8_t)top;
    t.base = table_base(&t, s->vttbr_el2) & bits_mask(0, 40);
    *ret = t;
    return true;
}

static bool stage2_tables(const Vcpu *vcpu, uint64_t ipa, ArmTables *ret, ArmWalkFault *f)
{
    const ArmState *s = arm_state(vcpu);
    uint64_t vtcr = s->vtcr_el2;
    unsigned sl0 = (unsigned)bits_get(vtcr, 6, 2);
    ArmTables t = { .stage2 = true };

    if (arm_el_is_a32(vcpu, 2)) {
        return stage2_tables_a32(vcpu, ipa, ret, f);
    }
    t.granule_bits = (uint8_t)granule_of(vcpu, (unsigned)bits_get(vtcr, 14, 2));
    t.out_bits = (uint8_t)physical_bits(vcpu, (unsigned)bits_get(vtcr, 16, 3));
    t.ha = (vtcr & TCR2_HA) && arm_has(vcpu, HAF);
    t.hd = t.ha && (vtcr & TCR2_HD) && arm_has(vcpu, HDBS);
    t.ds = (vtcr & TCR2_DS) && arm_has(vcpu, LPA2) && t.granule_bits != 16;
    t.sh = (uint8_t)bits_get(vtcr, 12, 2);
    if (!t.ds && t.granule_bits != 16) {
        t.out_bits = MIN(t.out_bits, 48);
    }
    if (!sizes(vcpu, &t, (unsigned)bits_get(vtcr, 0, 6)) || ipa >> t.va_bits) {
        return fail(f, ARM_FSC_TRANSLATION, 0);
    }
    /* SL0 and SL2 (D24.2.207). */
    if (t.granule_bits == 12) {
        t.start = sl0 == 3 ? (arm_has(vcpu, TTST) ? 3 : -2) : (int8_t)(2 - (int)sl0);
        t.start = t.ds && (vtcr & BIT(33)) && sl0 == 0 ? -1 : t.start;
    } else {
        t.start = (int8_t)(sl0 == 3 ? (t.granule_bits == 14 && t.ds ? 0 : -2) : 3 - (int)sl0);
    }
    /* Up to 16 tables side by side at the first level. */
    int top = (int)t.va_bits - (int)arm_level_bits(&t, t.start);
    if (t.start < -1 || top < 1 || top > t.granule_bits - 3 + 4) {
        return fail(f, ARM_FSC_TRANSLATION, 0);
    }
    t.top_bits = (uint8_t)top;
    t.base = table_base(&t, s->vttbr_el2);
    if (t.base >> t.out_bits) {
        return fail(f, ARM_FSC_ADDRESS_SIZE, 0);
    }
    *ret = t;
    return true;
}

gpa arm_descriptor_address(const ArmTables *t, uint64_t desc, int level)
{
    unsigned low = (desc & DESC_TABLE) && level < 3 ? t->granule_bits : arm_level_bits(t, level);

    if (t->ds) {
        return (desc & bits_mask(low, 50 - low)) | bits_get(desc, 8, 2) << 50;
    }
    gpa out = desc & bits_mask(low, 48 - low);
    return t->wide ? out | bits_get(desc, 12, 4) << 48 : out;
}

bool arm_block_allowed(const ArmTables *t, int level)
{
    switch (t->granule_bits) {
    case 12: return level == 2 || level == 1 || (level == 0 && t->ds);
    case 14: return level == 2 || (level == 1 && t->ds);
    default: return level == 2 || (level == 1 && t->wide);
    }
}

/* -- the walk ------------------------------------------------------------------------------------------------ */

typedef struct Leaf {
    uint64_t desc, above;    /* above: attributes of tables, as in descriptors */
    uint64_t *host;          /* where it is */
    gpa ipa, out;            /* ipa: of the descriptor */
    unsigned bits;
    int level;
} Leaf;

static bool stage2(const ArmWalk *w, uint64_t ipa, MmuAccess access, bool user, bool for_walk, ArmPage *ret, ArmWalkFault *f);

static bool stage2_enabled(const ArmWalk *w)
{
    return w->regime == ARM_REGIME_EL10 && (arm_hcr(w->vcpu) & (HCR_VM | HCR_DC));
}

static void *table_entry(const ArmWalk *w, bool through_stage2, gpa at, unsigned size_bytes, int level, bool write, ArmWalkFault *f)
{
    if (through_stage2 && stage2_enabled(w) && (arm_hcr(w->vcpu) & HCR_VM)) {
        ArmPage page;
        if (!stage2(w, at, write ? MMU_WRITE : MMU_READ, false, true, &page, f)) {
            f->s1ptw = true;
            return NULL;
        }
        at = page.phys;
    }
    void *p = w->vcpu->phys_ptr ? w->vcpu->phys_ptr(w->vcpu, at, size_bytes, write) : NULL;
    if (!p) {
        fail(f, ARM_FSC_EXTERNAL_WALK, level);
    }
    return p;
}

/* A descriptor of the tables; in stage 1 its address goes through stage 2. */
static uint64_t *descriptor(const ArmWalk *w, const ArmTables *t, gpa at, int level, bool write, ArmWalkFault *f)
{
    return table_entry(w, !t->stage2, at, 8, level, write, f);
}

void *arm_table_entry(const ArmWalk *w, gpa at, unsigned size_bytes, int level, ArmWalkFault *f)
{
    return table_entry(w, true, at, size_bytes, level, false, f);
}

/* Tables are in the byte order of the level that owns them (D8.2.4); other words than the host's change it on the way. */
uint64_t arm_descriptor_in_order(const Vcpu *vcpu, ArmRegime regime, const ArmTables *t, uint64_t desc)
{
    unsigned el = t->stage2 ? 2 : arm_regime_el(regime);
    return arm_state(vcpu)->sctlr[el] & SCTLR_EE ? be64toh(desc) : le64toh(desc);
}

static bool find_leaf(const ArmWalk *w, const ArmTables *t, uint64_t in, Leaf *ret, ArmWalkFault *f)
{
    gpa table = t->base;
    uint64_t above = 0;
    unsigned index_bits = t->top_bits;

    for (int level = t->start; level <= 3; level++) {
        unsigned bits = arm_level_bits(t, level);
        gpa at = table + bits_get(in, bits, index_bits) * 8;
        uint64_t *p = descriptor(w, t, at, level, false, f);
        if (!p) {
            return false;
        }
        uint64_t desc = arm_descriptor_in_order(w->vcpu, w->regime, t, __atomic_load_n(p, __ATOMIC_ACQUIRE));
        bool is_table = level < 3 && (desc & DESC_TABLE);
        if (!(desc & DESC_VALID) || (level == 3 ? !(desc & DESC_TABLE) : !is_table && !arm_block_allowed(t, level))) {
            return fail(f, ARM_FSC_TRANSLATION, level);
        }
        gpa out = arm_descriptor_address(t, desc, level);
        if (out >> t->out_bits) {
            return fail(f, ARM_FSC_ADDRESS_SIZE, level);
        }
        if (!is_table) {
            *ret = (Leaf){ .desc = desc, .above = above, .host = p, .ipa = at, .out = out | (in & bits_mask(0, bits)), .bits = bits, .level = level };
            return true;
        }
        above |= desc & (TABLE_PXN | TABLE_UXN | TABLE_NOUSER | TABLE_RO | TABLE_NS);
        table = out;
        index_bits = t->granule_bits - 3u;
    }
    return fail(f, ARM_FSC_TRANSLATION, 3);
}

/* Sets and clears bits of the descriptor; *ret_again: somebody changed it, walk anew. */
static bool update(const ArmWalk *w, const ArmTables *t, Leaf *leaf, uint64_t want, bool *ret_again, ArmWalkFault *f)
{
    uint64_t *p = descriptor(w, t, leaf->ipa, leaf->level, true, f);
    uint64_t old = arm_descriptor_in_order(w->vcpu, w->regime, t, leaf->desc);

    if (!p) {
        return false;
    }
    *ret_again = !__atomic_compare_exchange_n(p, &old, arm_descriptor_in_order(w->vcpu, w->regime, t, want), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    leaf->desc = want;
    return true;
}

/* Access flag and dirty state (D8.5.4), before permissions are final: `dbm` says that write permission is there to be taken. */
static bool manage(const ArmWalk *w, const ArmTables *t, Leaf *leaf, bool take_write, bool *ret_again, ArmWalkFault *f)
{
    uint64_t want = leaf->desc;

    *ret_again = false;
    if (!(want & DESC_AF)) {
        if (!t->ha) {
            return fail(f, ARM_FSC_ACCESS_FLAG, leaf->level);
        }
        want |= DESC_AF;
    }
    if (take_write) {
        want = t->stage2 ? want | S2_WRITE : want & ~DESC_AP_RO;
    }
    return want == leaf->desc || update(w, t, leaf, want, ret_again, f);
}

/* What the descriptors allow (D8.4). */
static unsigned stage1_prot(const ArmWalk *w, const ArmTables *t, const Leaf *leaf, bool writable)
{
    uint64_t above = t->hpd ? 0 : leaf->above, sctlr = arm_state(w->vcpu)->sctlr[arm_regime_el(w->regime)];
    bool user_page = (leaf->desc & DESC_AP_USER) && !(above & TABLE_NOUSER);
    bool xn = (leaf->desc & DESC_UXN) || (above & TABLE_UXN), pxn = (leaf->desc & DESC_PXN) || (above & TABLE_PXN);
    bool ro = !writable || (above & TABLE_RO), read, write, exec;

    if (!two_halves(w->vcpu, w->regime)) {
        read = true;
        write = !ro;
        exec = !xn;
    } else if (w->user) {
        read = user_page;
        write = user_page && !ro;
        exec = !xn;
    } else {
        /* What EL0 may write is never executed by those above it; PAN keeps them from its data. */
        bool pan = w->pan && (user_page || (arm_has(w->vcpu, PAN3) && (sctlr & SCTLR_EPAN) && !xn));
        read = !pan;
        write = !ro && !pan;
        exec = !pxn && !(user_page && !ro);
    }
    if (sctlr & SCTLR_WXN) {
        exec &= ro || (w->user && !user_page);
    }
    if (arm_regime_is_a32(w->vcpu, w->regime)) {
        /* Code must be readable; UWXN: what programs may write is not the kernel's to run (G5.6.2). */
        exec &= (read || w->pan) && !xn;
        exec &= !(two_halves(w->vcpu, w->regime) && !w->user && (sctlr & SCTLR32_UWXN) && user_page && !ro);
    }
    return (read ? PAGE_READ : 0) | (write ? PAGE_WRITE : 0) | (exec ? PAGE_EXEC : 0);
}

static bool stage1(const ArmWalk *w, vaddr addr, ArmPage *ret, ArmWalkFault *f)
{
    Vcpu *vcpu = w->vcpu;
    const ArmState *s = arm_state(vcpu);
    ArmTables t;
    uint64_t in;
    Leaf leaf;
    bool again;

    if (!arm_stage1_enabled(vcpu, w->regime)) {
        uint64_t out = arm_tbi(vcpu, w->regime, addr, w->access) ? addr & bits_mask(0, 56) : addr;
        bool dc = w->regime == ARM_REGIME_EL10 && (arm_hcr(vcpu) & HCR_DC);
        out = arm_regime_is_a32(vcpu, w->regime) ? arm_fcse(vcpu, w->regime, out) : out;
        if (out >> arm_model(vcpu)->pa_bits) {
            return fail(f, ARM_FSC_ADDRESS_SIZE, 0);
        }
        /* Flat, Device-nGnRnE; Normal write-back with HCR_EL2.DC. */
        *ret = (ArmPage){ .phys = out, .prot = ALL, .page_bits = 52, .stage1_bits = 52, .global = true, .ns = !arm_is_secure_below_el3(vcpu) && w->regime != ARM_REGIME_EL3,
                          .attr = dc ? 0xff : 0, .sh = dc ? 0 : 2 };
        return true;
    }
    if (arm_uses_short(vcpu, w->regime)) {
        return arm_stage1_short(w, addr, ret, f);
    }
    if (!arm_stage1_tables(vcpu, w->regime, addr, w->access, w->user, &t, &in, f)) {
        return false;
    }
    do {
        if (!find_leaf(w, &t, in, &leaf, f)) {
            return false;
        }
        bool dirty = !(leaf.desc & DESC_AP_RO), dbm = t.hd && (leaf.desc & DESC_DBM);
        again = false;
        if (!w->debug) {
            /* The access flag counts before permissions do; the dirty state changes for accesses that are allowed. */
            if (!(leaf.desc & DESC_AF) && !t.ha) {
                return fail(f, ARM_FSC_ACCESS_FLAG, leaf.level);
            }
            bool allowed = stage1_prot(w, &t, &leaf, dirty || dbm) & needed[w->access];
            if (!allowed) {
                return fail(f, ARM_FSC_PERMISSION, leaf.level);
            }
            if (!manage(w, &t, &leaf, dbm && !dirty && w->access == MMU_WRITE, &again, f)) {
                return false;
            }
        }
    } while (again);
    unsigned index = (unsigned)bits_get(leaf.desc, 2, 3);
    bool secure = arm_is_secure_below_el3(vcpu) || (w->regime == ARM_REGIME_EL3);
    *ret = (ArmPage){
        .phys = leaf.out,
        .prot = w->debug ? ALL : (uint8_t)stage1_prot(w, &t, &leaf, !(leaf.desc & DESC_AP_RO)),
        .page_bits = (uint8_t)leaf.bits, .stage1_bits = (uint8_t)leaf.bits,
        .global = !two_halves(w->vcpu, w->regime) || !(leaf.desc & DESC_NG),
        .ns = !secure || (leaf.desc & BIT(5)) || (leaf.above & TABLE_NS),
        .attr = (uint8_t)(s->mair[arm_regime_el(w->regime)] >> 8 * index),
        .sh = t.ds ? t.sh : (uint8_t)bits_get(leaf.desc, 8, 2),
        .guarded = arm_has(vcpu, BTI) && (leaf.desc & DESC_GP),
    };
    if (arm_has(vcpu, MTE) && ret->attr == 0xf0) {
        ret->tagged = true;
        ret->attr = 0xff;
    }
    if (ret->ns && secure && (s->scr_el3 & SCR_SIF)) {
        ret->prot &= ~(unsigned)PAGE_EXEC;
        if (w->access == MMU_FETCH && !w->debug) {
            return fail(f, ARM_FSC_PERMISSION, leaf.level);
        }
    }
    return true;
}

static unsigned stage2_prot(const ArmWalk *w, const Leaf *leaf, bool writable, bool user)
{
    bool exec;

    if (arm_has(w->vcpu, XNX)) { /* XN[1:0]: 0 both, 1 EL0, 2 nobody, 3 EL1 */
        unsigned xn = (unsigned)bits_get(leaf->desc, 53, 2);
        exec = xn == 0 || (xn == 1 && user) || (xn == 3 && !user);
    } else {
        exec = !(leaf->desc & DESC_UXN);
    }
    return (leaf->desc & S2_READ ? PAGE_READ : 0) | (writable ? PAGE_WRITE : 0) | (exec ? PAGE_EXEC : 0);
}

static bool stage2(const ArmWalk *w, uint64_t ipa, MmuAccess access, bool user, bool for_walk, ArmPage *ret, ArmWalkFault *f)
{
    ArmTables t;
    Leaf leaf;
    bool again;

    f->stage2 = true;
    f->ipa = ipa;
    if (!stage2_tables(w->vcpu, ipa, &t, f)) {
        return false;
    }
    do {
        if (!find_leaf(w, &t, ipa, &leaf, f)) {
            return false;
        }
        bool dirty = leaf.desc & S2_WRITE, dbm = t.hd && (leaf.desc & DESC_DBM);
        again = false;
        if (w->debug) {
            break;
        }
        if (!(leaf.desc & DESC_AF) && !t.ha) {
            return fail(f, ARM_FSC_ACCESS_FLAG, leaf.level);
        }
        /* MemAttr 00xx is Device: no place for tables when the hypervisor says so. */
        bool device = !(leaf.desc & (3 * BIT(4)));
        if (!(stage2_prot(w, &leaf, dirty || dbm, user) & needed[access]) ||
            (for_walk && device && (arm_hcr(w->vcpu) & HCR_PTW))) {
            return fail(f, ARM_FSC_PERMISSION, leaf.level);
        }
        if (!manage(w, &t, &leaf, dbm && !dirty && access == MMU_WRITE, &again, f)) {
            return false;
        }
    } while (again);
    *ret = (ArmPage){
        .phys = leaf.out, .page_bits = (uint8_t)leaf.bits,
        .prot = w->debug ? ALL : (uint8_t)stage2_prot(w, &leaf, leaf.desc & S2_WRITE, user),
        .attr = (uint8_t)bits_get(leaf.desc, 2, 4),
        .sh = t.ds ? t.sh : (uint8_t)bits_get(leaf.desc, 8, 2),
    };
    f->stage2 = false;
    return true;
}

/* Both stages' memory types: the weaker one counts (D8.6.3). Stage 2 has MemAttr, stage 1 MAIR's byte. */
static void combine(ArmPage *page, const ArmPage *s2)
{
    if (!(s2->attr & 12)) {
        static const uint8_t device[4] = { 0x00, 0x04, 0x08, 0x0c };
        page->attr = page->attr & 0xf0 ? device[s2->attr & 3] : MIN(page->attr, device[s2->attr & 3]);
    } else if (page->attr & 0xf0) {
        /* Non-cacheable 1, write-through 2, write-back 3, inner and outer. */
        uint8_t out = (s2->attr >> 2 & 3) == 1 ? 0x40 : page->attr & 0xf0, in = (s2->attr & 3) == 1 ? 0x04 : page->attr & 0x0f;
        page->attr = out | in;
    }
    page->tagged &= page->attr == 0xff;
    page->sh = (page->attr & 0xf0) ? MAX(page->sh, s2->sh) : 2;
}

bool arm_walk(const ArmWalk *w, vaddr addr, ArmPage *ret, ArmWalkFault *f)
{
    ArmPage page;

    *f = (ArmWalkFault){ 0 };
    if (!stage1(w, addr, &page, f)) {
        return false;
    }
    if (!w->stage1_only && stage2_enabled(w) && (arm_hcr(w->vcpu) & HCR_VM)) {
        ArmPage s2;
        if (!stage2(w, page.phys, w->access, w->user, false, &s2, f)) {
            return false;
        }
        page.phys = s2.phys;
        page.prot &= s2.prot;
        page.page_bits = MIN(page.page_bits, s2.page_bits);
        combine(&page, &s2);
    }
    *ret = page;
    return true;
}

/* -- the TLB's side ---------------------------------------------------------------------------------------------- */

unsigned arm_mmu_index(const Vcpu *vcpu, MmuAccess access)
{
    const ArmState *s = arm_state(vcpu);

    if (s->el == 0 || !vcpu->softmmu) {
        return ARM_MMU_USER;
    }
    return access != MMU_FETCH && (s->pstate & PSTATE_PAN) && two_halves(vcpu, arm_regime(vcpu, s->el)) ? ARM_MMU_PRIV_PAN : ARM_MMU_PRIV;
}

unsigned arm_mmu_index_unpriv(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    bool has = s->el == 1 || (s->el == 2 && arm_is_host(arm_hcr(vcpu)));

    if (!vcpu->softmmu || s->el == 0 || (has && !(s->pstate & PSTATE_UAO))) {
        return ARM_MMU_USER;
    }
    return arm_mmu_index(vcpu, MMU_READ);
}

/* ASID, and in the root what permissions depend on that kernels change all the time: the access control of domains. */
static uint32_t select_a32(const Vcpu *vcpu, ArmRegime regime, uint64_t *root)
{
    const ArmState *s = arm_state(vcpu);
    unsigned el = arm_regime_el(regime);

    if (!two_halves(vcpu, regime)) {
        return 0;
    }
    if (arm_uses_short(vcpu, regime)) {
        *root |= s->dacr[el] << 32;
        return arm_vmsa(vcpu) >= 2 ? s->contextidr[el] & 0xff : 0;
    }
    return (s->tcr[el] & TCR_A1 ? s->ttbr1[el] : s->ttbr0[el]) >> 48 & 0xff;
}

void arm_tlb_select(Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    ArmRegime regime = arm_regime(vcpu, s->el);
    uint64_t root = regime | (uint64_t)arm_stage1_enabled(vcpu, regime) << 2;
    uint32_t asid = 0;

    if (!vcpu->softmmu) {
        return;
    }
    root |= (uint64_t)arm_is_secure_below_el3(vcpu) << 3;
    if (arm_regime_is_a32(vcpu, regime)) {
        asid = select_a32(vcpu, regime, &root);
    } else if (two_halves(vcpu, regime)) {
        uint64_t tcr = s->tcr[arm_regime_el(regime)];
        unsigned el = arm_regime_el(regime);
        asid = (uint32_t)((tcr & TCR_A1 ? s->ttbr1[el] : s->ttbr0[el]) >> 48);
        asid &= tcr & TCR_AS ? 0xffff : 0xff;
    }
    if (regime == ARM_REGIME_EL10 && arm_el2_enabled(vcpu)) {
        unsigned vmid = (unsigned)(s->vttbr_el2 >> 48) & (arm_has(vcpu, VMID16) && (s->vtcr_el2 & BIT(19)) ? 0xffff : 0xff);
        asid |= (uint32_t)vmid << 16;
        root |= (s->hcr_el2 & (HCR_VM | HCR_PTW | HCR_DC)) << 8; /* up to bit 20 */
    }
    bool secure = arm_has(vcpu, EL3) && (s->el == 3 || arm_is_secure_below_el3(vcpu));
    if (secure != vcpu->secure) {
        vcpu->secure = secure;
        if (s->platform && s->platform->security) {
            s->platform->security(s->platform_opaque, vcpu);
        }
    }
    tlb_set_asid(vcpu, asid, root);
}

/* An abort: what ESR and FAR will say. */
void arm_abort(Vcpu *vcpu, vaddr addr, MmuAccess access, const ArmWalkFault *f, bool maintenance)
{
    ArmState *s = arm_state(vcpu);
    bool write = maintenance || (access == MMU_WRITE && !f->s1ptw);
    uint32_t iss = f->fsc | (f->s1ptw ? 1u << 7 : 0) | (write ? 1u << 6 : 0) | (maintenance ? 1u << 8 : 0); /* S1PTW, WnR, CM */
    bool external = (f->fsc & ~15u) == ARM_FSC_EXTERNAL;

    s->fault = (ArmFault){ .iss = iss, .stage2 = f->stage2, .ipa = f->ipa, .target_el = f->stage2 ? 2 : 0, .domain = f->domain };
    if (external && s->el < 2 && (arm_hcr(vcpu) & HCR_TEA)) {
        s->fault.target_el = 2;
    }
    if (external && s->el < 3 && arm_has(vcpu, EL3) && (s->scr_el3 & SCR_EA)) {
        s->fault.target_el = 3;
    }
    vcpu->exception = (VcpuException){ .cause = access == MMU_FETCH ? ARM_EC_IABT : ARM_EC_DABT, .value = addr };
}

static bool has_tag(vaddr addr) { return (vaddr)bits_sext(addr, 56) != addr; }

static bool fill(Vcpu *vcpu, const ArmWalk *w, vaddr addr, bool probe, TlbFill *ret)
{
    ArmState *s = arm_state(vcpu);
    ArmPage page;
    ArmWalkFault f;

    bool at_pc = w->access == MMU_FETCH && !probe && (s->pc ^ addr) < 4;
    if (has_tag(addr)) {
        if (at_pc && arm_tbi(vcpu, w->regime, addr, MMU_FETCH)) {
            vcpu->exception = (VcpuException){ .cause = ARM_CAUSE_PC_TAG, .value = addr };
            return false;
        }
        __atomic_store_n(&s->tagged_tlb, true, __ATOMIC_SEQ_CST); /* before the walk: see tlbi.c */
    }
    if (at_pc && (s->pc & 3) && !arm_tracks_btype(vcpu) && !arm_is_a32(vcpu)) { /* before any abort */
        vcpu->exception = (VcpuException){ .cause = ARM_EC_PC_ALIGN, .value = s->pc };
        return false;
    }
    if (w->access == MMU_FETCH && !arm_is_a32(vcpu)) {
        addr &= ~(vaddr)3; /* of them might be PSTATE.BTYPE */
    }
    if (!arm_walk(w, addr, &page, &f)) {
        if (!probe) {
            arm_abort(vcpu, addr, w->access, &f, false);
        }
        return false;
    }
    /*
     * Pages of 16 and 64 KiB are kept in pieces of 4 KiB, which maintenance by address knows; the table of large pages is
     * small and for blocks.
     */
    unsigned bits = page.page_bits < 12 ? page.page_bits : page.page_bits < 20 ? 12 : page.page_bits;
    /* Maintenance by address knows the granule; short descriptors have it only for pages of 4 KiB. */
    bool larger = page.stage1_bits >= 20 || (page.stage1_bits > 12 && arm_uses_short(vcpu, w->regime));
    if (bits < page.stage1_bits && larger) {
        __atomic_store_n(&s->tagged_tlb, true, __ATOMIC_SEQ_CST);
    }
    unsigned prot = page.prot | (page.guarded ? PAGE_GUARDED : 0) | (page.tagged ? PAGE_TAGGED : 0) | (page.ns && vcpu->secure ? PAGE_NONSECURE : 0);
    *ret = (TlbFill){ .phys = page.phys & ~bits_mask(0, bits), .prot = (uint8_t)prot, .page_bits = (uint8_t)bits, .global = page.global };
    return true;
}

bool arm_tlb_fill(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned size_bytes, unsigned mmu_index, bool probe, TlbFill *ret)
{
    ArmWalk w = { .vcpu = vcpu, .regime = arm_regime(vcpu, arm_state(vcpu)->el), .access = access,
                  .user = mmu_index == ARM_MMU_USER, .pan = mmu_index == ARM_MMU_PRIV_PAN };
    return fill(vcpu, &w, addr, probe, ret);
}

bool arm_tlb_fill_debug(Vcpu *vcpu, vaddr addr, TlbFill *ret)
{
    ArmWalk w = { .vcpu = vcpu, .regime = arm_regime(vcpu, arm_state(vcpu)->el), .access = MMU_READ, .debug = true };
    ArmPage page;
    ArmWalkFault f;

    if (!arm_walk(&w, addr, &page, &f)) {
        return false;
    }
    *ret = (TlbFill){ .phys = page.phys & ~bits_mask(0, page.page_bits), .prot = ALL, .page_bits = page.page_bits };
    return true;
}

void arm_unaligned(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index)
{
    arm_abort(vcpu, addr, access, &(ArmWalkFault){ .fsc = ARM_FSC_ALIGNMENT }, false);
}

void arm_bus_error(Vcpu *vcpu, vaddr addr, gpa phys, MmuAccess access)
{
    arm_abort(vcpu, addr, access, &(ArmWalkFault){ .fsc = ARM_FSC_EXTERNAL }, false);
}
