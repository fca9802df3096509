/*
 * mte.h: memory tagging (Arm ARM DDI 0487, D10): allocation tags and their check, of user mode.
 *
 * A byte for each 16 bytes of memory: 0 where the page is not Tagged, else 0x10 | tag. In blocks of 2 MiB of address space, which come
 * into being when something in them is Tagged. Any thread may read and write tags at any time, as the guest's own threads may;
 * ranges change under the address space's lock.
 */
#ifndef TARGET_ARM_MTE_H
#define TARGET_ARM_MTE_H

#include "target/arm/cpu.h"

enum { ARM_TAG_GRANULE = 16, ARM_TAG_PRESENT = 0x10 };

/* Tag check faults of EL0: SCTLR_EL1.TCF0. */
typedef enum ArmTcf { ARM_TCF_NONE, ARM_TCF_SYNC, ARM_TCF_ASYNC } ArmTcf;

ArmTags *arm_tags_new(void);
/* The byte of an address without its tag; NULL: nothing near it is Tagged. */
uint8_t *arm_tags_at(const ArmTags *tags, vaddr addr);
/* [start, end) becomes Tagged (tags it has stay), or not; or its tags become 0. */
void arm_tags_add(ArmTags *tags, vaddr start, vaddr end);
void arm_tags_remove(ArmTags *tags, vaddr start, vaddr end);
void arm_tags_clear(ArmTags *tags, vaddr start, vaddr end);
/* The tags of [from, from + size) go to `to`. */
void arm_tags_move(ArmTags *tags, vaddr from, vaddr to, uint64_t size);

/* The first address of an access whose tag is not that of memory. False: there is none. */
bool arm_tags_mismatch(const ArmTags *tags, vaddr addr, uint64_t size_bytes, vaddr *ret);
/* From a helper that RAISES: an access as the checks in force want it; may not return. */
void arm_tag_check(Vcpu *vcpu, vaddr addr, uint64_t size_bytes, bool write);

static inline bool arm_tag_checks(const Vcpu *vcpu)
{
    const ArmState *s = arm_state(vcpu);
    return s->tags && s->tcf && !(s->pstate & BIT(25)); /* PSTATE.TCO */
}

static inline unsigned arm_tag_of(uint64_t ptr) { return (unsigned)bits_get(ptr, 56, 4); }
static inline uint64_t arm_with_tag(uint64_t ptr, unsigned tag) { return bits_set(ptr, 56, 4, tag); }

#endif
