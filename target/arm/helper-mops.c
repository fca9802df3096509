/*
 * helper-mops.c: the work of memory copy and set (translate-mops.c).
 *
 * It goes in pieces that stay in one page of each operand. The size register says before each piece what is left, and what
 * a page refuses it refuses at the first byte, so an instruction that faults goes on where it was. Between pieces a request to leave is
 * answered.
 */
#include "accel/tcg.h"
#include "target/arm/mte.h"
#include "target/arm/translate.h"

enum { PIECE_BYTES = 4096 };

typedef struct Mops {
    Vcpu *vcpu;
    uint64_t *d, *s, *n; /* registers; s is NULL for XZR */
    unsigned what, stage, mmu;
} Mops;

static Mops unpack(Vcpu *vcpu, uint32_t regs)
{
    ArmState *st = arm_state(vcpu);
    unsigned s = regs >> 5 & 31;

    return (Mops){ .vcpu = vcpu, .d = &st->x[regs & 31], .s = s == ARM_ZR ? NULL : &st->x[s], .n = &st->x[regs >> 10 & 31],
                   .what = regs >> 15 & 3, .stage = regs >> 17 & 3, .mmu = regs >> 19 & 15 };
}

/* Which end to begin with matters only where the operands overlap; addresses are compared without their tags. */
static bool backwards(const Mops *m)
{
    uint64_t from = bits_get(*m->s, 0, 56), to = bits_get(*m->d, 0, 56);

    return m->what == ARM_MOPS_COPY && from < to && from + *m->n > to;
}

void arm_helper_mops_begin(Vcpu *vcpu, uint32_t regs)
{
    Mops m = unpack(vcpu, regs);
    uint64_t most = m.what == ARM_MOPS_COPY ? 0x007fffffffffffff : 0x7fffffffffffffff;

    *m.n = MIN(*m.n, most);
    if (m.what != ARM_MOPS_SET && backwards(&m)) {
        return;
    }
    *m.d += *m.n;
    if (m.what != ARM_MOPS_SET) {
        *m.s += *m.n;
    }
    *m.n = -*m.n;
}

static uint64_t to_page_end(vaddr addr) { return PIECE_BYTES - (addr & (PIECE_BYTES - 1)); }
/* The last byte's page, for pieces that end at addr. */
static uint64_t from_page_start(vaddr addr) { return ((addr - 1) & (PIECE_BYTES - 1)) + 1; }

static void *pointer(const Mops *m, vaddr addr, uint64_t size, MmuAccess access)
{
    if (!m->vcpu->softmmu) {
        return vcpu_user_ptr(m->vcpu, addr);
    }
    return guest_ptr_access(m->vcpu, addr, (unsigned)size, access, m->mmu);
}

/* One piece at `to` (and `from`), or as many bytes of it as could be moved at once. */
static uint64_t piece(const Mops *m, vaddr to, vaddr from, uint64_t size, bool down)
{
    bool set = m->what == ARM_MOPS_SET;
    uint8_t byte = m->s ? (uint8_t)*m->s : 0;
    const void *p = set ? NULL : pointer(m, from, size, MMU_READ);
    if (unlikely(arm_tag_checks(m->vcpu, arm_state(m->vcpu)->el))) {
        if (!set) {
            arm_tag_check(m->vcpu, from, size, false, m->mmu);
        }
        arm_tag_check(m->vcpu, to, size, true, m->mmu);
    }
    void *q = pointer(m, to, size, MMU_WRITE);

    if (q && (p || set)) {
        m->vcpu->guest_access = !m->vcpu->softmmu;
        atomic_signal_fence(memory_order_seq_cst);
        if (set) {
            memset(q, byte, size);
        } else {
            memmove(q, p, size);
        }
        atomic_signal_fence(memory_order_seq_cst);
        m->vcpu->guest_access = false;
        return size;
    }
    /* Devices, and pages somebody watches. */
    uint64_t at = down ? size - 1 : 0;
    guest_store(m->vcpu, to + at, set ? byte : guest_load(m->vcpu, from + at, 1, m->mmu), 1, m->mmu);
    return 1;
}

/* ESR_ELx.ISS of a memory copy and set exception. */
static noreturn void wrong_option(const Mops *m, uint32_t regs)
{
    bool set = m->what == ARM_MOPS_SET;
    uint32_t options = regs >> 23 & (set ? 3 : 15);

    uint32_t iss = (uint32_t)set << 24 | options << 19 | (uint32_t)(m->stage == 2) << 18 | 1u << 17 | 1u << 16 |
                   (regs & 31) << 10 | (regs >> 5 & 31) << 5 | (regs >> 10 & 31);
    vcpu_raise(m->vcpu, ARM_EC_MOPS, iss);
}

void arm_helper_mops(Vcpu *vcpu, uint32_t regs, uint64_t carry)
{
    Mops m = unpack(vcpu, regs);
    bool set = m.what == ARM_MOPS_SET;

    if (carry) {
        wrong_option(&m, regs); /* the prologue was another implementation's */
    }
    while (*m.n) {
        bool down = (int64_t)*m.n > 0 && !set;
        uint64_t left = down ? *m.n : -*m.n;
        vaddr to = *m.d + *m.n, from = set ? 0 : *m.s + *m.n;
        uint64_t size = MIN(left, down ? from_page_start(to) : to_page_end(to));
        if (!set) {
            size = MIN(size, down ? from_page_start(from) : to_page_end(from));
        }
        uint64_t done = down ? piece(&m, to - size, from - size, size, true) : piece(&m, to, from, size, false);
        *m.n = down ? *m.n - done : *m.n + done;
        if (*m.n && atomic_load_explicit(&vcpu->jit.exit_request, memory_order_relaxed)) {
            vcpu_loop_exit(vcpu, VCPU_EXIT_REQUEST);
        }
    }
}
