/*
 * smmuv3-config.c: stream table entries and context descriptors.
 *
 * Substreams are left out (SMMU_IDR1.SSIDSIZE is 0: S1CDMax is not looked at), as are AArch32 tables and big-endian ones.
 * Specification: IHI 0070 3.3, 5.2 (stream table entry), 5.4 (context descriptor). Threads: under the SMMU's lock.
 */
#include "hw/iommu/smmuv3-internal.h"

/* Output sizes of S2PS and IPS; what is beyond the SMMU's own is cut down to it. */
static uint8_t size_bits(uint64_t field)
{
    static const uint8_t bits[8] = { 32, 36, 40, 42, 44, 48, 52, 52 };

    return MIN(bits[field], (uint8_t)SMMU_OUT_BITS);
}

static bool in_table(gpa table, uint64_t size, uint64_t index, uint64_t bytes, uint8_t *buf, gpa *ret_at)
{
    *ret_at = (table & ~(size * bytes - 1)) + index * bytes;
    return smmu_fetch(*ret_at, buf, bytes);
}

/* 3.3.1: a linear table, or one of two levels. */
static bool fetch_ste(SmmuV3 *s, uint32_t sid, uint8_t ste[SMMU_STE_BYTES], SmmuConfig *c)
{
    uint64_t base = s->active.strtab_base & bits_mask(6, 46);
    uint32_t cfg = s->active.strtab_base_cfg;
    unsigned log2 = MIN((unsigned)bits_get(cfg, 0, 6), (unsigned)SMMU_SID_BITS), split = (unsigned)bits_get(cfg, 6, 5);
    uint8_t raw[8];

    c->bad = EVENT_BAD_STREAMID;
    c->report_config = s->active.report_bad_sid;
    if (sid >> log2) {
        return false;
    }
    if (bits_get(cfg, 16, 2) != 1) {
        c->bad = EVENT_STE_FETCH;
        return in_table(base, BIT(log2), sid, SMMU_STE_BYTES, ste, &c->bad_fetch);
    }
    /* Other values of Split are reserved, and behave as 6. */
    split = split == 8 || split == 10 ? split : 6;
    uint64_t first = log2 > split ? BIT(log2 - split) : 1;
    c->bad = EVENT_STE_FETCH;
    if (!in_table(base, first, sid >> split, sizeof(raw), raw, &c->bad_fetch)) {
        return false;
    }
    uint64_t desc = ldle64(raw), span = bits_get(desc, 0, 5), index = sid & bits_mask(0, split);
    if (!span || span > split + 1 || index >> (span - 1)) {
        c->bad = EVENT_BAD_STREAMID;
        return false;
    }
    return in_table(desc & bits_mask(6, 46), BIT(span - 1), index, SMMU_STE_BYTES, ste, &c->bad_fetch);
}

/* Sizes and the level where a walk begins; false: no such tables. */
static bool make_stage(SmmuStage *stage, unsigned tsz, unsigned granule_bits, bool affd)
{
    unsigned max = granule_bits == 16 ? 47 : 39; /* small tables (TTST) are not there */

    if (!granule_bits || tsz < 64 - SMMU_OUT_BITS || tsz > MIN(max, 39u)) {
        return false;
    }
    unsigned stride = granule_bits - 3;
    stage->address_bits = (uint8_t)(64 - tsz);
    stage->granule_bits = (uint8_t)granule_bits;
    stage->level = (uint8_t)(4 - DIV_ROUND_UP(stage->address_bits - granule_bits, stride));
    stage->no_access_fault = affd;
    stage->on = true;
    return true;
}

static bool read_stage2(const uint64_t ste[8], SmmuConfig *c)
{
    static const uint8_t granules[4] = { 12, 16, 14, 0 }; /* S2TG */
    uint64_t w = ste[2];
    unsigned granule_bits = granules[bits_get(w, 46, 2)], sl0 = (unsigned)bits_get(w, 38, 2), address_bits = 64 - (unsigned)bits_get(w, 32, 6);

    c->vmid = (uint16_t)w;
    /* S2AA64, S2ENDI. */
    if (!(w & BIT(51)) || (w & BIT(52)) || !make_stage(&c->s2, 64 - address_bits, granule_bits, w & BIT(53)) || sl0 == 3) {
        return false;
    }
    /* The first level is told, and may be up to 16 tables (DDI 0487 D8.2.2). */
    unsigned stride = granule_bits - 3u, level = granule_bits == 12 ? 2 - sl0 : 3 - sl0, shift = granule_bits + (3 - level) * stride;
    if (address_bits <= shift || address_bits - shift > stride + 4) {
        return false;
    }
    c->s2.level = (uint8_t)level;
    c->s2.out_bits = size_bits(bits_get(w, 48, 3));
    c->s2.table = ste[3] & bits_mask(4, 48);
    c->s2.report = w & BIT(58);
    return !(c->s2.table >> c->s2.out_bits);
}

static bool read_range(const uint64_t cd[8], unsigned n, SmmuConfig *c)
{
    static const uint8_t granules[2][4] = { { 12, 16, 14, 0 }, { 0, 14, 12, 16 } }; /* TG0, TG1 */
    SmmuStage *stage = &c->range[n];

    if (cd[0] >> (n ? 30 : 14) & 1) {
        return true; /* EPDn: no tables here */
    }
    if (!make_stage(stage, (unsigned)bits_get(cd[0], n ? 16 : 0, 6), granules[n][bits_get(cd[0], n ? 22 : 6, 2)], cd[0] & BIT(35))) {
        return false;
    }
    stage->table = cd[1 + n] & bits_mask(4, 48);
    stage->out_bits = size_bits(bits_get(cd[0], 32, 3));
    stage->flat_rights = cd[1 + n] & BIT(1);
    stage->report = cd[0] & BIT(45);
    return !(stage->table >> stage->out_bits);
}

/* The descriptor's address is an intermediate one where there is a stage 2 (5.2: S1ContextPtr). */
static bool fetch_cd(SmmuConfig *c, gpa at, uint64_t cd[8])
{
    uint8_t raw[SMMU_CD_BYTES];
    SmmuPage page;
    SmmuFault fault = {0};

    c->bad = EVENT_CD_FETCH;
    c->bad_fetch = at;
    if (c->stage2) {
        if (!smmu_walk(c, true, at, PERM_READ, CLASS_CD, &page, &fault)) {
            c->bad = fault.type;
            return false;
        }
        at = page.out + (at - page.va);
    }
    if (!smmu_fetch(at, raw, sizeof(raw))) {
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        cd[i] = ldle64(raw + 8 * i);
    }
    return true;
}

static void read_stage1(const uint64_t ste[8], SmmuConfig *c)
{
    uint64_t cd[8];

    if (!fetch_cd(c, ste[0] & bits_mask(6, 46), cd)) {
        return;
    }
    c->asid = (uint16_t)(cd[0] >> 48);
    c->tbi = (uint8_t)bits_get(cd[0], 38, 2);
    /* V, AA64, ENDI. */
    bool ok = (cd[0] & BIT(31)) && (cd[0] & BIT(41)) && !(cd[0] & BIT(15)) && read_range(cd, 0, c) && read_range(cd, 1, c);
    c->bad = ok ? 0 : EVENT_BAD_CD;
}

void smmu_read_config(SmmuV3 *s, uint32_t sid, SmmuConfig *ret)
{
    uint8_t raw[SMMU_STE_BYTES];
    uint64_t ste[8];

    *ret = (SmmuConfig){ .valid = true };
    if (!fetch_ste(s, sid, raw, ret)) {
        ret->report_config |= ret->bad != EVENT_BAD_STREAMID;
        return;
    }
    ret->report_config = true;
    for (unsigned i = 0; i < 8; i++) {
        ste[i] = ldle64(raw + 8 * i);
    }
    unsigned config = (unsigned)bits_get(ste[0], 1, 3);
    ret->bad = 0;
    if (!(ste[0] & 1)) {
        ret->bad = EVENT_BAD_STE;
    } else if (!(config & 4)) {
        ret->abort = true;
    } else {
        ret->stage1 = config & 1;
        ret->stage2 = config & 2;
        ret->privileged = bits_get(ste[1], 48, 2) == 3; /* PRIVCFG; PCI functions come unprivileged */
        if (ret->stage2 && !read_stage2(ste, ret)) {
            ret->bad = EVENT_BAD_STE;
        } else if (ret->stage1) {
            read_stage1(ste, ret);
        }
    }
}
