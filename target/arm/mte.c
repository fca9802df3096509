/*
 * mte.c: allocation tags and what checks them (mte.h).
 *
 * Leaves out: in user mode tags that mappings share (MAP_SHARED): each process has its own; in system mode tags of devices' accesses (DMA), which
 * neither check nor change them, and Tagged memory that is no RAM.
 */
#include "accel/tcg.h"
#include "target/arm/mmu.h"
#include "target/arm/mte.h"
#include "target/arm/system.h"
#include "util/alloc.h"
#include "util/race.h"

enum {
    BLOCK_BITS = 21, TABLE_BITS = 13, /* 2 MiB of memory, 16 GiB in a table, 128 TiB in all */
    BLOCK_TAGS = (1 << BLOCK_BITS) / ARM_TAG_GRANULE,
};

typedef struct TagTable {
    _Atomic(uint8_t *) block[1 << TABLE_BITS];
} TagTable;

struct ArmTags {
    _Atomic(TagTable *) table[1 << TABLE_BITS];
};

ArmTags *arm_tags_new(void)
{
    return xcalloc(1, sizeof(ArmTags));
}

static uint8_t *block_of(const ArmTags *tags, vaddr addr)
{
    TagTable *t = addr >> (BLOCK_BITS + 2 * TABLE_BITS) ? NULL : atomic_load_explicit(&tags->table[addr >> (BLOCK_BITS + TABLE_BITS)], memory_order_acquire);
    return t ? atomic_load_explicit(&t->block[bits_get(addr, BLOCK_BITS, TABLE_BITS)], memory_order_acquire) : NULL;
}

uint8_t *arm_tags_at(const ArmTags *tags, vaddr addr)
{
    uint8_t *block = block_of(tags, addr);
    return block ? block + bits_get(addr, 4, BLOCK_BITS - 4) : NULL;
}

/* Two threads may want the same one. */
static void *make(_Atomic(void *) *slot, size_t bytes)
{
    void *have = atomic_load_explicit(slot, memory_order_acquire), *fresh;

    if (have) {
        return have;
    }
    fresh = xcalloc(1, bytes);
    if (atomic_compare_exchange_strong(slot, &have, fresh)) {
        return fresh;
    }
    free(fresh);
    return have;
}

uint8_t *arm_tags_make(ArmTags *tags, vaddr addr)
{
    if (addr >> (BLOCK_BITS + 2 * TABLE_BITS)) {
        return NULL;
    }
    TagTable *t = make((_Atomic(void *) *)&tags->table[addr >> (BLOCK_BITS + TABLE_BITS)], sizeof(TagTable));
    uint8_t *block = make((_Atomic(void *) *)&t->block[bits_get(addr, BLOCK_BITS, TABLE_BITS)], BLOCK_TAGS);
    return block + bits_get(addr, 4, BLOCK_BITS - 4);
}

typedef enum Change { CHANGE_ADD, CHANGE_REMOVE, CHANGE_CLEAR } Change;

static void change(ArmTags *tags, vaddr start, vaddr end, Change how)
{
    for (vaddr at = start; at < end;) {
        vaddr stop = MIN(end, ROUND_DOWN(at, (vaddr)1 << BLOCK_BITS) + ((vaddr)1 << BLOCK_BITS));
        uint8_t *p = how == CHANGE_ADD ? arm_tags_make(tags, at) : arm_tags_at(tags, at);
        for (size_t i = 0; p && i < (stop - at) / ARM_TAG_GRANULE; i++) {
            p[i] = how == CHANGE_REMOVE ? 0 : how == CHANGE_ADD ? p[i] | ARM_TAG_PRESENT : p[i] & ARM_TAG_PRESENT;
        }
        at = stop;
    }
}

void arm_tags_add(ArmTags *tags, vaddr start, vaddr end) { change(tags, start, end, CHANGE_ADD); }
void arm_tags_remove(ArmTags *tags, vaddr start, vaddr end) { change(tags, start, end, CHANGE_REMOVE); }
void arm_tags_clear(ArmTags *tags, vaddr start, vaddr end) { change(tags, start, end, CHANGE_CLEAR); }

void arm_tags_move(ArmTags *tags, vaddr from, vaddr to, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += ARM_TAG_GRANULE) {
        uint8_t *p = arm_tags_at(tags, from + at);
        if (p && *p) {
            *arm_tags_make(tags, to + at) = *p;
            *p = 0;
        }
    }
}

bool arm_tags_mismatch(const ArmTags *tags, vaddr addr, uint64_t size_bytes, vaddr *ret)
{
    unsigned want = ARM_TAG_PRESENT | arm_tag_of(addr);
    vaddr at = bits_get(addr, 0, 56);

    if (!size_bytes || bits_get(addr, 55, 1)) {
        return false; /* the other half of the address space faults by itself */
    }
    for (vaddr granule = ROUND_DOWN(at, (vaddr)ARM_TAG_GRANULE); granule < at + size_bytes; granule += ARM_TAG_GRANULE) {
        const uint8_t *p = arm_tags_at(tags, granule);
        uint8_t tag = p ? race_read(p, 1) : 0;
        if (unlikely(tag && tag != want)) {
            *ret = addr + (MAX(granule, at) - at);
            return true;
        }
    }
    return false;
}

bool arm_tag_access(const Vcpu *vcpu, unsigned el)
{
    const ArmState *s = arm_state(vcpu);

    if (!vcpu->softmmu) {
        return true;
    }
    uint64_t hcr = arm_hcr(vcpu), sctlr = s->sctlr[arm_regime_el(arm_regime(vcpu, el))];
    return arm_has(vcpu, MTE) && (sctlr & (el ? SCTLR_ATA : SCTLR_ATA0)) &&
           !(el < 2 && arm_el2_enabled(vcpu) && !(el == 0 && arm_is_host(hcr)) && !(hcr & HCR_ATA)) &&
           !(el < 3 && arm_has(vcpu, EL3) && !(s->scr_el3 & SCR_ATA));
}

static ArmTcf tcf_of(const Vcpu *vcpu, unsigned el)
{
    const ArmState *s = arm_state(vcpu);

    if (!vcpu->softmmu) {
        return s->tcf;
    }
    return (ArmTcf)bits_get(s->sctlr[arm_regime_el(arm_regime(vcpu, el))], el ? 40 : 38, 2);
}

bool arm_tag_checks(const Vcpu *vcpu, unsigned el)
{
    const ArmState *s = arm_state(vcpu);
    return s->tags && !(s->pstate & PSTATE_TCO) && tcf_of(vcpu, el) && arm_tag_access(vcpu, el);
}

/* Without a top byte that is ignored there is no tag; TCMA: the one of pointers without a tag matches everything (D10.6.2). */
static bool address_is_checked(const Vcpu *vcpu, ArmRegime regime, vaddr addr)
{
    uint64_t tcr = arm_state(vcpu)->tcr[arm_regime_el(regime)];
    bool two_halves = regime == ARM_REGIME_EL10 || regime == ARM_REGIME_EL20, upper = two_halves && (addr >> 55 & 1);
    bool match_all = tcr & (!two_halves ? TCR2_TCMA : upper ? TCR_TCMA1 : TCR_TCMA0);

    return arm_tbi(vcpu, regime, addr, MMU_READ) && !(match_all && arm_tag_of(addr) == (upper ? 15 : 0));
}

static bool system_mismatch(Vcpu *vcpu, vaddr addr, uint64_t size_bytes, bool write, unsigned mmu_index, unsigned el, vaddr *ret)
{
    enum { PAGE_BYTES = 4096 };
    unsigned want = arm_tag_of(addr);

    if (!size_bytes || !address_is_checked(vcpu, arm_regime(vcpu, el), addr)) {
        return false;
    }
    for (vaddr at = addr, end = addr + size_bytes; at != end;) {
        vaddr stop = MIN(end - at, PAGE_BYTES - (at & (PAGE_BYTES - 1))) + at;
        uint8_t prot;
        gpa phys = guest_page(vcpu, at, write ? MMU_WRITE : MMU_READ, mmu_index, &prot) + (at & (PAGE_BYTES - 1));
        for (vaddr g = at; (prot & PAGE_TAGGED) && g != stop;) {
            const uint8_t *p = arm_tags_at(arm_state(vcpu)->tags, phys + (g - at));
            if ((p ? race_read(p, 1) & 15 : 0) != want) {
                *ret = g;
                return true;
            }
            g += MIN(stop - g, ARM_TAG_GRANULE - (g & (ARM_TAG_GRANULE - 1)));
        }
        at = stop;
    }
    return false;
}

void arm_tag_check(Vcpu *vcpu, vaddr addr, uint64_t size_bytes, bool write, unsigned mmu_index)
{
    ArmState *s = arm_state(vcpu);
    unsigned el = vcpu->softmmu && mmu_index != ARM_MMU_USER ? s->el : 0;
    vaddr where;

    if (likely(!(vcpu->softmmu ? system_mismatch(vcpu, addr, size_bytes, write, mmu_index, el, &where)
                               : arm_tags_mismatch(s->tags, addr, size_bytes, &where)))) {
        return;
    }
    ArmTcf tcf = tcf_of(vcpu, el);
    if (tcf == ARM_TCF_ASYNC || (tcf == ARM_TCF_ASYM && write)) {
        *(el ? &s->tfsr[s->el] : &s->tfsre0_el1) |= addr >> 55 & 1 ? 2 : 1; /* TF1, TF0 */
        if (!vcpu->softmmu) {
            vcpu_kick(vcpu); /* the kernel looks at it when it is entered next */
        }
        return;
    }
    s->fault = (ArmFault){ .iss = ARM_FSC_TAG | (write ? 1u << 6 : 0) };
    vcpu_raise(vcpu, ARM_EC_DABT, where);
}
