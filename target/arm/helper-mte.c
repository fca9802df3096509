/*
 * helper-mte.c: what translated instructions of memory tagging call (translate-mte.c).
 */
#include "accel/tcg.h"
#include "target/arm/mte.h"
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
    uint32_t exclude = (uint32_t)(mask | s->gcr_el1) & 0xffff;
    unsigned tag = choose_tag(random_tag(s), 0, exclude);

    s->rgsr_el1 = bits_set(s->rgsr_el1, 0, 4, tag);
    return arm_with_tag(ptr, tag);
}

/* ptr: with its old tag; moved: with what was added. */
uint64_t arm_helper_mte_addg(Vcpu *vcpu, uint64_t ptr, uint64_t moved, uint32_t offset)
{
    return arm_with_tag(moved, choose_tag(arm_tag_of(ptr), offset, (uint32_t)arm_state(vcpu)->gcr_el1));
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

uint64_t arm_helper_mte_ldg(Vcpu *vcpu, uint64_t addr, uint64_t old)
{
    const ArmTags *tags = arm_state(vcpu)->tags;

    addr &= ~(uint64_t)(ARM_TAG_GRANULE - 1);
    touch(vcpu, addr, false);
    const uint8_t *p = tags ? arm_tags_at(tags, addr & vcpu->addr_mask) : NULL;
    return arm_with_tag(old, p ? *p & 15 : 0);
}

/* how: granules | ARM_STG_ZERO. */
void arm_helper_mte_stg(Vcpu *vcpu, uint64_t addr, uint64_t tag, uint32_t how)
{
    unsigned n = how & 3;
    const ArmTags *tags = arm_state(vcpu)->tags;

    if (addr & (ARM_TAG_GRANULE - 1)) {
        vcpu->target->unaligned(vcpu, addr, MMU_WRITE, 0);
        vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
    }
    for (unsigned i = 0; i < n; i++) {
        touch(vcpu, addr + i * ARM_TAG_GRANULE, true);
    }
    for (unsigned i = 0; i < n; i++) {
        vaddr at = addr + i * ARM_TAG_GRANULE;
        uint8_t *p = tags ? arm_tags_at(tags, at & vcpu->addr_mask) : NULL;
        if (how & ARM_STG_ZERO) {
            guest_store(vcpu, at, 0, 8, 0);
            guest_store(vcpu, at + 8, 0, 8, 0);
        }
        if (p && (*p & ARM_TAG_PRESENT)) {
            race_write(p, 1, ARM_TAG_PRESENT | arm_tag_of(tag));
        }
    }
}

static void check_touched(void *opaque, vaddr addr, uint64_t size_bytes, bool read, bool write)
{
    arm_tag_check(opaque, addr, size_bytes, write);
}

void arm_helper_mte_check(Vcpu *vcpu, uint64_t addr, uint32_t how)
{
    arm_tag_check(vcpu, addr, how >> 1, how & 1);
}

void arm_helper_mte_check_insn(Vcpu *vcpu, uint32_t insn)
{
    uint8_t bytes[4];

    stle32(bytes, insn);
    arm_mem_access(vcpu, bytes, sizeof(bytes), check_touched, vcpu);
}
