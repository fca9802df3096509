/*
 * smmuv3-walk.c: VMSAv8-64 tables of the SMMU's two stages.
 *
 * Left out: hardware updates of access and dirty flags (SMMU_IDR0.HTTU is 0), 52-bit addresses, S2PTW, execute rights (devices do not fetch
 * instructions), memory attributes.
 * Specifications: IHI 0070 3.4 and 3.5; DDI 0487 D8.2 and D8.3. Threads: any, in a read section.
 */
#include "hw/iommu/smmuv3-internal.h"

enum { DESC_VALID = 1, DESC_TABLE = 2, DESC_AP_EL0 = 1 << 6, DESC_AP_READONLY = 1 << 7, DESC_S2_READ = 1 << 6, DESC_S2_WRITE = 1 << 7, DESC_AF = 1 << 10 };
#define TABLE_AP_NO_EL0 BIT(61)
#define TABLE_AP_READONLY BIT(62)

static bool fail(SmmuFault *fault, uint8_t type, bool stage2, SmmuClass cls, gpa ipa)
{
    *fault = (SmmuFault){ .type = type, .cls = cls, .stage2 = stage2, .ipa = stage2 ? ipa : 0 };
    return false;
}

/* A descriptor of stage 1 lies at an intermediate address where there is a stage 2. */
static bool read_descriptor(const SmmuConfig *c, bool stage2, gpa at, uint64_t *ret, SmmuFault *fault)
{
    uint8_t raw[8];
    SmmuPage page;

    if (!stage2 && c->stage2) {
        if (!smmu_walk(c, true, at, PERM_READ, CLASS_TTD, &page, fault)) {
            return false;
        }
        at = page.out + (at - page.va);
    }
    if (!smmu_fetch(at, raw, sizeof(raw))) {
        *fault = (SmmuFault){ .type = EVENT_WALK_ABORT, .cls = CLASS_TTD, .stage2 = stage2, .fetch = at };
        return false;
    }
    *ret = ldle64(raw);
    return true;
}

/* The range of stage 1 that addr belongs to (DDI 0487 D8.2.8), and the address in it; NULL: none. */
static const SmmuStage *range_of(const SmmuConfig *c, uint64_t addr, uint64_t *ret_input)
{
    bool high = addr >> 55 & 1;
    const SmmuStage *stage = &c->range[high];

    if (c->tbi >> high & 1) {
        addr = (uint64_t)bits_sext(addr, 56);
    }
    uint64_t top = stage->on ? addr >> stage->address_bits : 0;
    if (!stage->on || top != (high ? UINT64_MAX >> stage->address_bits : 0)) {
        return NULL;
    }
    *ret_input = addr & bits_mask(0, stage->address_bits);
    return stage;
}

static uint8_t stage1_perms(const SmmuConfig *c, uint64_t desc, uint64_t tables)
{
    bool el0 = (desc & DESC_AP_EL0) && !(tables & TABLE_AP_NO_EL0), readonly = (desc & DESC_AP_READONLY) || (tables & TABLE_AP_READONLY);

    return !c->privileged && !el0 ? 0 : readonly ? PERM_READ : PERM_READ | PERM_WRITE;
}

static bool is_block_level(const SmmuStage *stage, unsigned level)
{
    return level == 2 || (level == 1 && stage->granule_bits == 12);
}

bool smmu_walk(const SmmuConfig *c, bool stage2, uint64_t addr, uint8_t wanted, SmmuClass cls, SmmuPage *ret, SmmuFault *fault)
{
    uint64_t input = addr, desc, tables = 0;
    const SmmuStage *stage = stage2 ? &c->s2 : range_of(c, addr, &input);

    if (!stage || (stage2 && addr >> stage->address_bits)) {
        return fail(fault, EVENT_TRANSLATION, stage2, cls, addr);
    }
    gpa table = stage->table;
    unsigned stride = stage->granule_bits - 3u, level = stage->level, top = stage->address_bits;
    for (;; level++) {
        unsigned shift = stage->granule_bits + (3 - level) * stride;

        if (!read_descriptor(c, stage2, table + bits_get(input, shift, top - shift) * 8, &desc, fault)) {
            return false;
        }
        if (!(desc & DESC_VALID) || (level == 3 ? !(desc & DESC_TABLE) : !(desc & DESC_TABLE) && !is_block_level(stage, level))) {
            return fail(fault, EVENT_TRANSLATION, stage2, cls, addr);
        }
        gpa out = desc & bits_mask(stage->granule_bits, SMMU_OUT_BITS - stage->granule_bits);
        if (out >> stage->out_bits) {
            return fail(fault, EVENT_ADDR_SIZE, stage2, cls, addr);
        }
        if (level == 3 || !(desc & DESC_TABLE)) {
            ret->bytes = BIT(shift);
            ret->out = out & ~(ret->bytes - 1);
            break;
        }
        tables |= stage->flat_rights ? 0 : desc;
        table = out;
        top = shift;
    }
    ret->va = addr & ~(ret->bytes - 1);
    ret->perms = !stage2 ? stage1_perms(c, desc, tables)
                         : (uint8_t)((desc & DESC_S2_READ ? PERM_READ : 0) | (desc & DESC_S2_WRITE ? PERM_WRITE : 0));
    if (!(desc & DESC_AF) && !stage->no_access_fault) {
        return fail(fault, EVENT_ACCESS, stage2, cls, addr);
    }
    return (ret->perms & wanted) == wanted || fail(fault, EVENT_PERMISSION, stage2, cls, addr);
}

bool smmu_translate(const SmmuConfig *c, uint64_t addr, bool is_write, SmmuPage *ret, SmmuFault *fault)
{
    uint8_t wanted = is_write ? PERM_WRITE : PERM_READ;
    SmmuPage second;

    if (!c->stage1) {
        return smmu_walk(c, true, addr, wanted, CLASS_IN, ret, fault);
    }
    if (!smmu_walk(c, false, addr, wanted, CLASS_IN, ret, fault)) {
        return false;
    }
    if (!c->stage2) {
        return true;
    }
    gpa ipa = ret->out + (addr - ret->va);
    if (!smmu_walk(c, true, ipa, wanted, CLASS_IN, &second, fault)) {
        return false;
    }
    /* What both stages keep together. */
    ret->bytes = MIN(ret->bytes, second.bytes);
    ret->va = addr & ~(ret->bytes - 1);
    ret->out = (second.out + (ipa - second.va)) & ~(ret->bytes - 1);
    ret->perms &= second.perms;
    return true;
}
