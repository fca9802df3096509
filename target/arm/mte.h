/*
 * mte.h: memory tagging (Arm ARM DDI 0487, D10): allocation tags and their check.
 *
 * A byte for each 16 bytes of memory, 0x10 | tag, in blocks of 2 MiB, which come into being when something in them is Tagged. In user mode
 * addresses are the program's and 0 stands for memory that is not Tagged, in system mode they are physical and 0 is the tag 0, for there
 * the page tables say what is Tagged. Any thread may read and write tags at any time, as the guest's own threads may; ranges of user
 * mode change under the address space's lock.
 */
#ifndef TARGET_ARM_MTE_H
#define TARGET_ARM_MTE_H

#include "target/arm/cpu.h"

enum { ARM_TAG_GRANULE = 16, ARM_TAG_PRESENT = 0x10, ARM_GMID_BS = 6 /* LDGM and STGM: 16 tags */ };

/* Tag check faults: SCTLR_ELx.TCF and TCF0; asymmetric: reads are synchronous. */
typedef enum ArmTcf { ARM_TCF_NONE, ARM_TCF_SYNC, ARM_TCF_ASYNC, ARM_TCF_ASYM } ArmTcf;

ArmTags *arm_tags_new(void);
/* The byte of an address without its tag; NULL: nothing near it is Tagged. */
uint8_t *arm_tags_at(const ArmTags *tags, vaddr addr);
/* The same, made if it is not there. System mode: any thread. */
uint8_t *arm_tags_make(ArmTags *tags, vaddr addr);
/* [start, end) becomes Tagged (tags it has stay), or not; or its tags become 0. */
void arm_tags_add(ArmTags *tags, vaddr start, vaddr end);
void arm_tags_remove(ArmTags *tags, vaddr start, vaddr end);
void arm_tags_clear(ArmTags *tags, vaddr start, vaddr end);
/* The tags of [from, from + size) go to `to`. */
void arm_tags_move(ArmTags *tags, vaddr from, vaddr to, uint64_t size);

/* The first address of an access whose tag is not that of memory. False: there is none. */
bool arm_tags_mismatch(const ArmTags *tags, vaddr addr, uint64_t size_bytes, vaddr *ret);
/* From a helper that RAISES: an access as the checks in force want it; may not return. */
void arm_tag_check(Vcpu *vcpu, vaddr addr, uint64_t size_bytes, bool write, unsigned mmu_index);
/* Whether accesses of that level are checked; whether it may use allocation tags. */
bool arm_tag_checks(const Vcpu *vcpu, unsigned el);
bool arm_tag_access(const Vcpu *vcpu, unsigned el);

static inline unsigned arm_tag_of(uint64_t ptr) { return (unsigned)bits_get(ptr, 56, 4); }
static inline uint64_t arm_with_tag(uint64_t ptr, unsigned tag) { return bits_set(ptr, 56, 4, tag); }

#endif
