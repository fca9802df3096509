/*
 * helper-int.c: helpers of the integer unit (helpers-int.def).
 *
 * SDM volume 2 for each instruction.
 */
#include <sched.h>
#include <time.h>
#include "accel/tcg.h"
#include "target/x86/translate.h"
#include "util/host-x64.h"
#include "util/random.h"

void x86_helper_raise(Vcpu *vcpu, uint32_t vector)
{
    x86_raise(vcpu, vector);
}

void x86_helper_raise_code(Vcpu *vcpu, uint32_t vector, uint32_t code)
{
    x86_raise_code(vcpu, vector, code);
}

void x86_helper_raise_zero(Vcpu *vcpu, uint32_t vector)
{
    x86_raise_code(vcpu, vector, 0);
}

void x86_helper_raise_soft(Vcpu *vcpu, uint32_t what)
{
    vcpu_raise(vcpu, (int32_t)((what & 0xff) | X86_CAUSE_SOFT), (uint64_t)(what >> 8) << 32);
}

void x86_helper_fpu_check(Vcpu *vcpu, uint32_t unit)
{
    const X86State *s = x86_state(vcpu);
    x86_raise(vcpu, unit != X86_UNIT_X87 && s->cr0 & X86_CR0_EM ? X86_EXC_UD : X86_EXC_NM);
}

uint32_t x86_helper_cc_flags(uint64_t dst, uint64_t src, uint64_t src2, uint32_t op)
{
    return x86_cc_compute(dst, src, src2, op);
}

uint32_t x86_helper_cc_carry(uint64_t src, uint64_t src2, uint32_t op)
{
    return x86_cc_carry(src, src2, op);
}

uint32_t x86_helper_cc_cond(uint64_t dst, uint64_t src, uint64_t src2, uint32_t op, uint32_t condition)
{
    return x86_cc_test(x86_cc_compute(dst, src, src2, op), condition);
}

/* -- EFLAGS ------------------------------------------------------------------------------------------------ */

static unsigned iopl(const X86State *s) { return s->eflags >> 12 & 3; }

uint32_t x86_helper_pushf(Vcpu *vcpu, uint32_t size)
{
    const X86State *s = x86_state(vcpu);
    uint32_t f = x86_eflags_get(vcpu) & (uint32_t)~(X86_RF | X86_VM);

    if (s->eflags & X86_VM && s->cr0 & X86_CR0_PE && iopl(s) < 3) { /* SDM volume 3, 21.2.7, 21.3 */
        if (!(s->cr4 & X86_CR4_VME) || size != 2) {
            x86_raise_code(vcpu, X86_EXC_GP, 0);
        }
        f = (f & (uint32_t)~X86_IF) | X86_IOPL | (f & X86_VIF ? X86_IF : 0);
    }
    return f;
}

/* -- arithmetic -------------------------------------------------------------------------------------------------- */

typedef struct RotateCarry { uint64_t value, flags; } RotateCarry;

static RotateCarry rotate_carry(uint64_t x, uint32_t how)
{
    unsigned bits = 8u << (how >> 9 & 3), n = (how & 0xff) % (bits + 1);
    bool right = how >> 8 & 1;
    unsigned __int128 all = (unsigned __int128)(how >> 16 & 1) << bits | x, mask = ((unsigned __int128)1 << (bits + 1)) - 1;

    n = right && n ? bits + 1 - n : n;
    all = n ? ((all << n) | (all >> (bits + 1 - n))) & mask : all;
    uint64_t r = (uint64_t)all & bits_mask(0, bits);
    bool c = all >> bits & 1, top = r >> (bits - 1) & 1, o = right ? top ^ (r >> (bits - 2) & 1) : top ^ c;
    return (RotateCarry){ r, (uint64_t)c | (uint64_t)(o ^ c) << (bits - 1) };
}

uint64_t x86_helper_rotate_carry(uint64_t x, uint32_t how) { return rotate_carry(x, how).value; }
uint64_t x86_helper_rotate_carry_flags(uint64_t x, uint32_t how) { return rotate_carry(x, how).flags; }

uint64_t x86_helper_divq(uint64_t high, uint64_t low, uint64_t d)
{
    return d > high ? (uint64_t)(((unsigned __int128)high << 64 | low) / d) : 0;
}

uint64_t x86_helper_idivq(Vcpu *vcpu, uint64_t high, uint64_t low, uint64_t d)
{
    if (high == -(low >> 63) && low != BIT(63) && d) { /* as programs have it: a number of 64 bits */
        return (uint64_t)((int64_t)low / (int64_t)d);
    }
    unsigned __int128 n = (unsigned __int128)high << 64 | low;
    bool neg_n = high >> 63, neg_d = d >> 63;
    uint64_t abs_d = neg_d ? -d : d;

    n = neg_n ? -n : n;
    unsigned __int128 q = abs_d ? n / abs_d : 0;
    if (!d || q > (neg_n != neg_d ? BIT(63) : BIT(63) - 1)) {
        x86_raise(vcpu, X86_EXC_DE);
    }
    return neg_n != neg_d ? -(uint64_t)q : (uint64_t)q;
}

static uint32_t szp(uint8_t al)
{
    return x86_cc_compute(al, 0, 0, X86_CC(X86_CCK_RES, X86_CARRY_0, 0));
}

uint32_t x86_helper_bcd(uint32_t ax, uint32_t flags, uint32_t op)
{
    uint8_t al = (uint8_t)ax, ah = (uint8_t)(ax >> 8), old = al;
    bool af = flags & X86_AF || (al & 15) > 9, cf = flags & X86_CF;

    if (op == X86_BCD_DAA || op == X86_BCD_DAS) {
        bool high = old > 0x99 || cf;
        cf = high;
        if (af) {
            cf |= op == X86_BCD_DAS && old < 6;
            al = (uint8_t)(op == X86_BCD_DAA ? al + 6 : al - 6);
        }
        if (high) {
            al = (uint8_t)(op == X86_BCD_DAA ? al + 0x60 : al - 0x60);
        }
    } else {
        if (af) {
            ax = op == X86_BCD_AAA ? ax + 0x106 : ax - 0x106;
            al = (uint8_t)ax;
            ah = (uint8_t)(ax >> 8);
        }
        cf = af;
        al &= 15;
    }
    return al | (uint32_t)ah << 8 | (szp(al) | (af ? X86_AF : 0) | (cf ? X86_CF : 0)) << 16;
}

#ifdef __x86_64__
#define WITH_BMI __attribute__((target("bmi")))
#define WITH_BMI2 __attribute__((target("bmi2")))

WITH_BMI2 static uint64_t host_pdep(uint64_t x, uint64_t mask) { return __builtin_ia32_pdep_di(x, mask); }
WITH_BMI2 static uint64_t host_pext(uint64_t x, uint64_t mask) { return __builtin_ia32_pext_di(x, mask); }
#endif

/* Two bits of the mask at a time: half as many ends of the loop to foresee. A step with an empty mask does nothing. */
static inline __attribute__((always_inline)) uint64_t spread(uint64_t x, uint64_t mask)
{
    uint64_t r = 0;
    while (mask) {
        for (unsigned k = 0; k < 2; k++, x >>= 1, mask &= mask - 1) {
            r |= -(x & 1) & mask & -mask;
        }
    }
    return r;
}

static inline __attribute__((always_inline)) uint64_t gathered(uint64_t x, uint64_t mask)
{
    uint64_t r = 0;
    x &= mask;
    for (unsigned i = 0; mask; i += 2) {
        uint64_t rest = mask & (mask - 1), low = (x & mask & -mask) != 0, next = (x & rest & -rest) != 0;
        r |= (low | next << 1) << i;
        mask = rest & (rest - 1);
    }
    return r;
}

#ifdef __x86_64__
WITH_BMI static uint64_t bmi_spread(uint64_t x, uint64_t mask) { return spread(x, mask); }
WITH_BMI static uint64_t bmi_gathered(uint64_t x, uint64_t mask) { return gathered(x, mask); }
#endif

uint64_t x86_helper_pdep(uint64_t x, uint64_t mask)
{
#ifdef __x86_64__
    if (x64_has(X_FAST_PDEP)) {
        return host_pdep(x, mask);
    }
    if (x64_has(X_BMI1)) {
        return bmi_spread(x, mask);
    }
#endif
    return spread(x, mask);
}

uint64_t x86_helper_pext(uint64_t x, uint64_t mask)
{
#ifdef __x86_64__
    if (x64_has(X_FAST_PDEP)) {
        return host_pext(x, mask);
    }
    if (x64_has(X_BMI1)) {
        return bmi_gathered(x, mask);
    }
#endif
    return gathered(x, mask);
}

/* -- memory ----------------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
/* The compiler's own would call a library that may lock. */
static void cas128(void *p, unsigned __int128 *expected, unsigned __int128 desired)
{
    uint64_t lo = (uint64_t)*expected, hi = (uint64_t)(*expected >> 64);
    __asm__ volatile("lock cmpxchg16b %0" : "+m"(*(unsigned __int128 *)p), "+a"(lo), "+d"(hi)
                     : "b"((uint64_t)desired), "c"((uint64_t)(desired >> 64)) : "memory", "cc");
    *expected = (unsigned __int128)hi << 64 | lo;
}
#else
static void cas128(void *p, unsigned __int128 *expected, unsigned __int128 desired)
{
    __atomic_compare_exchange((unsigned __int128 *)p, expected, &desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
#endif

void x86_helper_cmpxchg16b(Vcpu *vcpu, uint64_t addr, uint32_t mmu)
{
    X86State *s = x86_state(vcpu);
    unsigned __int128 expected = (unsigned __int128)s->gpr[X86_RDX] << 64 | s->gpr[X86_RAX], was = expected;
    unsigned __int128 desired = (unsigned __int128)s->gpr[X86_RCX] << 64 | s->gpr[X86_RBX];
    void *p;

    if (addr & 15) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    if (vcpu->softmmu) {
        p = guest_ptr_access(vcpu, addr, 16, MMU_WRITE, mmu);
        if (!p) { /* device memory: two accesses, with everybody else stopped */
            uint64_t lo = guest_load(vcpu, addr, 8, mmu), hi = guest_load(vcpu, addr + 8, 8, mmu);
            was = (unsigned __int128)hi << 64 | lo;
            guest_store(vcpu, addr, was == expected ? (uint64_t)desired : lo, 8, mmu);
            guest_store(vcpu, addr + 8, was == expected ? (uint64_t)(desired >> 64) : hi, 8, mmu);
        } else {
            cas128(p, &was, desired);
        }
    } else {
        vcpu->guest_access = true;
        atomic_signal_fence(memory_order_seq_cst);
        cas128((void *)(uintptr_t)(vcpu->jit.guest_base + addr), &was, desired);
        atomic_signal_fence(memory_order_seq_cst);
        vcpu->guest_access = false;
    }
    uint32_t flags = x86_cc_compute(s->cc_dst, s->cc_src, s->cc_src2, (uint32_t)s->cc_op) & (uint32_t)~X86_ZF;
    if (was == expected) {
        flags |= X86_ZF;
    } else {
        s->gpr[X86_RAX] = (uint64_t)was;
        s->gpr[X86_RDX] = (uint64_t)(was >> 64);
    }
    s->cc_src = flags;
    s->cc_op = X86_CC_FLAGS;
}

/* -- others --------------------------------------------------------------------------------------------------------- */

uint64_t x86_helper_cpuid(Vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
    X86State *s = x86_state(vcpu);
    uint32_t other[4];
    const uint32_t *r = other;

    if (vcpu->softmmu) {
        x86_cpuid(vcpu, leaf, subleaf, other);
    } else {
        /* Nothing that it depends on changes in a process: the last answers are kept. */
        X86CpuidAnswer *known = &s->cpuid_known[(leaf ^ subleaf) % ARRAY_SIZE(s->cpuid_known)];
        if (!known->valid || known->leaf != leaf || known->subleaf != subleaf) {
            *known = (X86CpuidAnswer){ .leaf = leaf, .subleaf = subleaf, .valid = true };
            x86_cpuid(vcpu, leaf, subleaf, known->r);
        }
        r = known->r;
    }
    s->cpuid_rest[0] = r[2];
    s->cpuid_rest[1] = r[3];
    return r[0] | (uint64_t)r[1] << 32;
}

/* User mode counts nanoseconds. */
static uint64_t host_counter(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
#endif
}

uint64_t x86_helper_rdtsc(Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);

    if (s->cr4 & X86_CR4_TSD && s->cr0 & X86_CR0_PE && x86_cpl(vcpu)) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    return (s->platform ? s->platform->tsc(s->platform_opaque) : host_counter()) + s->tsc_offset;
}

uint64_t x86_helper_rdtsc_user(Vcpu *vcpu)
{
    return host_counter() + x86_state(vcpu)->tsc_offset;
}

uint64_t x86_helper_random(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    uint64_t v = 0;
    bool ok = random_bytes(&v, sizeof(v), false);

    s->cc_src = ok ? X86_CF : 0;
    s->cc_op = X86_CC_FLAGS;
    return ok ? v : 0;
}

void x86_helper_pause(Vcpu *vcpu)
{
    if (vcpu->parallel) {
        sched_yield();
    } else if (vcpu->spin) {
        vcpu->spin(vcpu);
    }
}
