/*
 * mte.c: allocation tags of user mode and what checks them (mte.h).
 *
 * Leaves out: tags of the system level; tags that mappings share (MAP_SHARED): each process has its own.
 */
#include "accel/tcg.h"
#include "target/arm/mmu.h"
#include "target/arm/mte.h"
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

static void make_block(ArmTags *tags, vaddr addr)
{
    _Atomic(TagTable *) *slot = &tags->table[addr >> (BLOCK_BITS + TABLE_BITS)];

    if (!atomic_load(slot)) {
        atomic_store_explicit(slot, xcalloc(1, sizeof(TagTable)), memory_order_release);
    }
    atomic_store_explicit(&atomic_load(slot)->block[bits_get(addr, BLOCK_BITS, TABLE_BITS)], xcalloc(1, BLOCK_TAGS), memory_order_release);
}

typedef enum Change { CHANGE_ADD, CHANGE_REMOVE, CHANGE_CLEAR } Change;

static void change(ArmTags *tags, vaddr start, vaddr end, Change how)
{
    for (vaddr at = start; at < end;) {
        vaddr stop = MIN(end, ROUND_DOWN(at, (vaddr)1 << BLOCK_BITS) + ((vaddr)1 << BLOCK_BITS));
        if (how == CHANGE_ADD && !block_of(tags, at)) {
            make_block(tags, at);
        }
        uint8_t *p = arm_tags_at(tags, at);
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
            if (!block_of(tags, to + at)) {
                make_block(tags, to + at);
            }
            *arm_tags_at(tags, to + at) = *p;
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

void arm_tag_check(Vcpu *vcpu, vaddr addr, uint64_t size_bytes, bool write)
{
    ArmState *s = arm_state(vcpu);
    vaddr where;

    if (likely(!arm_tags_mismatch(s->tags, addr, size_bytes, &where))) {
        return;
    }
    if (s->tcf == ARM_TCF_ASYNC) {
        s->tfsre0_el1 |= 1; /* TF0: the kernel looks at it when it is entered next */
        vcpu_kick(vcpu);
        return;
    }
    s->fault = (ArmFault){ .iss = ARM_FSC_TAG | (write ? 1u << 6 : 0) };
    vcpu_raise(vcpu, ARM_EC_DABT, where);
}
