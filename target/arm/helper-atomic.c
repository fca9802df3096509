/*
 * helper-atomic.c: accesses of 16 bytes at once (LDXP, STXP, CASP, LSE128), and the alignment fault of LSE2.
 *
 * The upper half of what was in memory comes back in jit.monitor_value[1], as LDXP leaves it anyway; the others close the monitor
 * (they store, B2.9). 16 bytes that are no plain RAM are accessed with everybody else stopped.
 */
#include "accel/tcg.h"
#include "target/arm/translate.h"
#ifdef __x86_64__
#include "util/host-x64.h"
#endif

typedef unsigned __int128 Pair;

static noreturn void unaligned(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu)
{
    vcpu->target->unaligned(vcpu, addr, access, mmu);
    vcpu_loop_exit(vcpu, VCPU_EXIT_EXCEPTION);
}

/* argument: base register | displacement << 5 (9 bits) | store << 14. */
void arm_helper_unaligned(Vcpu *vcpu, uint32_t argument)
{
    const ArmState *s = arm_state(vcpu);
    unsigned rn = argument & 31;
    vaddr addr = (rn == ARM_ZR ? s->sp : s->x[rn]) + (uint64_t)bits_sext(argument >> 5, 9);
    MmuAccess access = argument >> 14 ? MMU_WRITE : MMU_READ;

    unaligned(vcpu, addr, access, vcpu->target->mmu_index ? vcpu->target->mmu_index(vcpu, access) : 0);
}

/* False, and *expected is what was there. */
static bool swap_if_equal(void *p, Pair *expected, Pair desired)
{
#ifdef __x86_64__
    /* The compiler's own would call a library that may lock. */
    uint64_t low = (uint64_t)*expected, high = (uint64_t)(*expected >> 64);
    bool ok;
    __asm__ volatile("lock cmpxchg16b %1" : "=@ccz"(ok), "+m"(*(Pair *)p), "+a"(low), "+d"(high)
                     : "b"((uint64_t)desired), "c"((uint64_t)(desired >> 64)) : "memory");
    *expected = (Pair)high << 64 | low;
    return ok;
#else
    return __atomic_compare_exchange((Pair *)p, expected, &desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
#endif
}

/* Hosts with AVX load 16 aligned bytes at once (SDM volume 3, 9.1.1); others need a write. */
static bool plain_load_is_atomic(void)
{
#ifdef __x86_64__
    return x64_has(X_AVX);
#else
    return false;
#endif
}

static Pair read_pair(void *p)
{
    Pair v = 0;
#ifdef __x86_64__
    if (plain_load_is_atomic()) {
        typedef long long V2 __attribute__((vector_size(16)));
        V2 x;
        __asm__ volatile("movdqa %1, %0" : "=x"(x) : "m"(*(const V2 *)p));
        memcpy(&v, &x, sizeof(v));
        return v;
    }
#endif
    swap_if_equal(p, &v, v);
    return v;
}

/* RAM of an aligned pair; NULL: go by guest_load and guest_store, nobody else runs. */
static void *pointer(Vcpu *vcpu, vaddr addr, MmuAccess access, uint32_t how)
{
    unsigned mmu = how & ~(uint32_t)ARM_PAIR_ALONE;

    if (addr & 15) {
        unaligned(vcpu, addr, access, mmu);
    }
    if (!vcpu->softmmu) {
        return vcpu_user_ptr(vcpu, addr);
    }
    void *p = guest_ptr_access(vcpu, addr, 16, access, mmu);
    if (!p && !(how & ARM_PAIR_ALONE)) {
        vcpu_loop_exit(vcpu, VCPU_EXIT_ATOMIC);
    }
    return p;
}

static Pair load_slowly(Vcpu *vcpu, vaddr addr, uint32_t how)
{
    unsigned mmu = how & ~(uint32_t)ARM_PAIR_ALONE;
    uint64_t low = guest_load(vcpu, addr, 8, mmu);
    return (Pair)guest_load(vcpu, addr + 8, 8, mmu) << 64 | low;
}

static void store_slowly(Vcpu *vcpu, vaddr addr, Pair v, uint32_t how)
{
    unsigned mmu = how & ~(uint32_t)ARM_PAIR_ALONE;
    guest_store(vcpu, addr, (uint64_t)v, 8, mmu);
    guest_store(vcpu, addr + 8, (uint64_t)(v >> 64), 8, mmu);
}

/* Around accesses through a pointer of user mode: a host fault is the guest's. */
static void begin(Vcpu *vcpu)
{
    vcpu->guest_access = !vcpu->softmmu;
    atomic_signal_fence(memory_order_seq_cst);
}

static void end(Vcpu *vcpu)
{
    atomic_signal_fence(memory_order_seq_cst);
    vcpu->guest_access = false;
}

uint64_t arm_helper_ldxp(Vcpu *vcpu, uint64_t addr, uint32_t how)
{
    void *p = pointer(vcpu, addr, plain_load_is_atomic() ? MMU_READ : MMU_WRITE, how);
    Pair v;

    if (p) {
        begin(vcpu);
        v = read_pair(p);
        end(vcpu);
    } else {
        v = load_slowly(vcpu, addr, how);
    }
    vcpu->jit.monitor_addr = addr & vcpu->addr_mask;
    vcpu->jit.monitor_value[0] = (uint64_t)v;
    vcpu->jit.monitor_value[1] = (uint64_t)(v >> 64);
    return (uint64_t)v;
}

/* What was there; that was `expected` if the new value is there now. */
static Pair compare_and_swap(Vcpu *vcpu, vaddr addr, Pair expected, Pair desired, uint32_t how)
{
    void *p = pointer(vcpu, addr, MMU_WRITE, how);
    Pair was = expected;

    if (p) {
        begin(vcpu);
        swap_if_equal(p, &was, desired);
        end(vcpu);
    } else {
        was = load_slowly(vcpu, addr, how);
        store_slowly(vcpu, addr, was == expected ? desired : was, how);
    }
    return was;
}

static uint64_t stored(Vcpu *vcpu, Pair was)
{
    vcpu->jit.monitor_addr = ~(uint64_t)0;
    vcpu->jit.monitor_value[1] = (uint64_t)(was >> 64);
    return (uint64_t)was;
}

uint64_t arm_helper_stxp(Vcpu *vcpu, uint64_t addr, uint64_t low, uint64_t high, uint32_t how)
{
    Pair expected = (Pair)vcpu->jit.monitor_value[1] << 64 | vcpu->jit.monitor_value[0];
    bool failed = true;

    if (vcpu->jit.monitor_addr == (addr & vcpu->addr_mask)) {
        failed = compare_and_swap(vcpu, addr, expected, (Pair)high << 64 | low, how) != expected;
    } else {
        /* Faults come first, as for other sizes. */
        pointer(vcpu, addr, MMU_WRITE, how);
    }
    vcpu->jit.monitor_addr = ~(uint64_t)0;
    return failed;
}

/* Two registers as they lie in memory. */
static Pair pair_of(const ArmState *s, unsigned first, bool be)
{
    uint64_t x = s->x[first], y = first + 1 == ARM_ZR ? 0 : s->x[first + 1];
    return be ? (Pair)__builtin_bswap64(y) << 64 | __builtin_bswap64(x) : (Pair)y << 64 | x;
}

/* regs: that of what is compared | that of what is stored << 5, both even | big-endian << 10. */
uint64_t arm_helper_casp(Vcpu *vcpu, uint64_t addr, uint32_t regs, uint32_t how)
{
    const ArmState *s = arm_state(vcpu);
    return stored(vcpu, compare_and_swap(vcpu, addr, pair_of(s, regs & 31, regs >> 10), pair_of(s, regs >> 5 & 31, regs >> 10), how));
}

static Pair combine(IrRmw op, Pair old, Pair operand)
{
    return op == IR_RMW_AND ? old & operand : op == IR_RMW_OR ? old | operand : operand;
}

uint64_t arm_helper_rmwp(Vcpu *vcpu, uint64_t addr, uint64_t low, uint64_t high, uint32_t op, uint32_t how)
{
    Pair operand = (Pair)high << 64 | low, was = 0, before;

    do {
        before = was;
        was = compare_and_swap(vcpu, addr, before, combine(op, before, operand), how);
    } while (was != before);
    return stored(vcpu, was);
}
