/*
 * helper-mte.c: what translated instructions of memory tagging call (translate-mte.c).
 */
#include "accel/tcg.h"
#include "target/arm/mte.h"
#include "target/arm/system.h"
#include "target/arm/translate.h"
#include "util/race.h"

/* ChooseNonExcludedTag (D10, aarch64/functions/memory). */
static unsigned choose_tag(unsigned tag, unsigned offset, uint32_t exclude)
{
    if ((exclude & 0xffff) == 0xffff) {
        return 0;
    }
    while (exclude >> tag & 1) {
        tag = (tag + 1) & 15;
    }
    for (; offset; offset--) {
        do {
            tag = (tag + 1) & 15;
        } while (exclude >> tag & 1);
    }
    return tag;
}

/* RandomTag: RGSR_EL1.SEED is a shift register that gives a bit at a time. */
static unsigned random_tag(ArmState *s)
{
    unsigned tag = 0;

    for (unsigned i = 0; i < 4; i++) {
        unsigned seed = (unsigned)bits_get(s->rgsr_el1, 8, 16);
        unsigned top = (seed >> 5 ^ seed >> 3 ^ seed >> 2 ^ seed) & 1;
        s->rgsr_el1 = bits_set(s->rgsr_el1, 8, 16, top << 15 | seed >> 1);
        tag |= top << i;
    }
    return tag;
}

uint64_t arm_helper_mte_irg(Vcpu *vcpu, uint64_t ptr, uint64_t mask)
{
    ArmState *s = arm_state(vcpu);

    if (!arm_tag_access(vcpu, s->el)) {
        return arm_with_tag(ptr, 0);
    }
    uint32_t exclude = (uint32_t)(mask | s->gcr_el1) & 0xffff;
    unsigned tag = choose_tag(random_tag(s), 0, exclude);

    s->rgsr_el1 = bits_set(s->rgsr_el1, 0, 4, tag);
    return arm_with_tag(ptr, tag);
}

/* ptr: with its old tag; moved: with what was added. */
uint64_t arm_helper_mte_addg(Vcpu *vcpu, uint64_t ptr, uint64_t moved, uint32_t offset)
{
    const ArmState *s = arm_state(vcpu);
    return arm_with_tag(moved, arm_tag_access(vcpu, s->el) ? choose_tag(arm_tag_of(ptr), offset, (uint32_t)s->gcr_el1) : 0);
}

/* The page has to allow the access although data are not touched: a read, or a write that changes nothing. */
static void touch(Vcpu *vcpu, vaddr addr, bool write)
{
    uint8_t *p = vcpu_user_ptr(vcpu, addr);

    vcpu->guest_access = true;
    atomic_signal_fence(memory_order_seq_cst);
    if (write) {
        __atomic_fetch_or(p, 0, __ATOMIC_RELAXED);
    } else {
        (void)*(volatile uint8_t *)p;
    }
    atomic_signal_fence(memory_order_seq_cst);
    vcpu->guest_access = false;
}

/* The byte of the tag at addr, after the access's permission: NULL where there is none (and, to read one, where it is 0). */
static uint8_t *tag_at(Vcpu *vcpu, vaddr addr, bool write, unsigned mmu_index)
{
    ArmState *s = arm_state(vcpu);
    uint8_t prot, *p;

    if (!vcpu->softmmu) {
        touch(vcpu, addr, write);
        p = s->tags ? arm_tags_at(s->tags, addr & vcpu->addr_mask) : NULL;
        return p && *p ? p : NULL;
    }
    gpa phys = guest_page(vcpu, addr, write ? MMU_WRITE : MMU_READ, mmu_index, &prot) + (addr & 4095);
    if (!s->tags || !(prot & PAGE_TAGGED) || !arm_tag_access(vcpu, s->el)) {
        return NULL;
    }
    return write ? arm_tags_make(s->tags, phys) : arm_tags_at(s->tags, phys);
}

static void set_tag(uint8_t *p, unsigned tag)
{
    if (p) {
        race_write(p, 1, ARM_TAG_PRESENT | tag);
    }
}

static void zero_granule(Vcpu *vcpu, vaddr addr, unsigned mmu_index)
{
    guest_store(vcpu, addr, 0, 8, mmu_index);
    guest_store(vcpu, addr + 8, 0, 8, mmu_index);
}

uint64_t arm_helper_mte_ldg(Vcpu *vcpu, uint64_t addr, uint64_t old, uint32_t mmu_index)
{
    const uint8_t *p = tag_at(vcpu, addr & ~(uint64_t)(ARM_TAG_GRANULE - 1), false, mmu_index);
    return arm_with_tag(old, p ? *p & 15 : 0);
}

/* how: granules | ARM_STG_ZERO | MMU index << ARM_MTE_MMU. */
void arm_helper_mte_stg(Vcpu *vcpu, uint64_t addr, uint64_t tag, uint32_t how)
{
    unsigned n = how & 3, mmu_index = how >> ARM_MTE_MMU;
    uint8_t *p[2];

    if (addr & (ARM_TAG_GRANULE - 1)) {
        vcpu->target->unaligned(vcpu, addr, MMU_WRITE, mmu_index);
        vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
    }
    for (unsigned i = 0; i < n; i++) { /* all faults come first */
        p[i] = tag_at(vcpu, addr + i * ARM_TAG_GRANULE, true, mmu_index);
    }
    for (unsigned i = 0; i < n; i++) {
        if (how & ARM_STG_ZERO) {
            zero_granule(vcpu, addr + i * ARM_TAG_GRANULE, mmu_index);
        }
        set_tag(p[i], arm_tag_of(tag));
    }
}

/* The block of GMID_EL1.BS: four bits for each granule. */
uint64_t arm_helper_mte_ldgm(Vcpu *vcpu, uint64_t addr, uint32_t mmu_index)
{
    uint64_t tags = 0;

    addr = ROUND_DOWN(addr, (vaddr)4 << ARM_GMID_BS);
    for (unsigned i = 0; i < 16; i++) {
        const uint8_t *p = tag_at(vcpu, addr + i * ARM_TAG_GRANULE, false, mmu_index);
        tags |= (uint64_t)(p ? *p & 15 : 0) << 4 * i;
    }
    return tags;
}

void arm_helper_mte_stgm(Vcpu *vcpu, uint64_t addr, uint64_t tags, uint32_t mmu_index)
{
    addr = ROUND_DOWN(addr, (vaddr)4 << ARM_GMID_BS);
    for (unsigned i = 0; i < 16; i++) {
        set_tag(tag_at(vcpu, addr + i * ARM_TAG_GRANULE, true, mmu_index), tags >> 4 * i & 15);
    }
}

/* The block of DC ZVA. */
void arm_helper_mte_stzgm(Vcpu *vcpu, uint64_t addr, uint64_t tag, uint32_t mmu_index)
{
    unsigned bytes = 4u << bits_get(arm_model(vcpu)->id[ARM_ID_DCZID], 0, 4);

    addr = ROUND_DOWN(addr, (vaddr)bytes);
    for (unsigned i = 0; i < bytes; i += ARM_TAG_GRANULE) {
        uint8_t *p = tag_at(vcpu, addr + i, true, mmu_index);
        zero_granule(vcpu, addr + i, mmu_index);
        set_tag(p, tag & 15);
    }
}

static void check_touched(void *opaque, vaddr addr, uint64_t size_bytes, bool read, bool write)
{
    Vcpu *vcpu = opaque;
    arm_tag_check(vcpu, addr, size_bytes, write, arm_mmu_index(vcpu, MMU_READ));
}

void arm_helper_mte_check(Vcpu *vcpu, uint64_t addr, uint32_t how)
{
    arm_tag_check(vcpu, addr, how >> 5, how & 1, how >> 1 & 15);
}

void arm_helper_mte_check_insn(Vcpu *vcpu, uint32_t insn)
{
    uint8_t bytes[4];

    stle32(bytes, insn);
    arm_mem_access(vcpu, bytes, sizeof(bytes), check_touched, vcpu);
}
