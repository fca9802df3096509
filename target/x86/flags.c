/*
 * flags.c: lazy flags computed, EFLAGS put together and taken apart (SDM volume 1, 3.4.3).
 */
#include "target/x86/flags.h"
#include "util/host-x64.h"

static inline uint64_t low(uint64_t value, unsigned size_log2)
{
    return value & bits_mask(0, 8u << size_log2);
}

static inline bool top(uint64_t value, unsigned size_log2)
{
    return value >> ((8u << size_log2) - 1) & 1;
}

static inline int64_t extended(uint64_t value, unsigned size_log2)
{
    return bits_sext(value, 8u << size_log2);
}

/* SRC of a shift before its last step. */
static inline uint64_t before(uint64_t src, unsigned kind, unsigned size, unsigned count)
{
    switch ((X86CarryKind)kind) {
    case X86_CARRY_SHL: return src << count;
    case X86_CARRY_SHR: return low(src, size) >> count;
    case X86_CARRY_SAR: return (uint64_t)(extended(src, size) >> count);
    default: return src;
    }
}

static inline bool carry(uint64_t src, uint64_t src2, uint32_t op)
{
    unsigned size = op >> 8 & 3, count = op >> 16 & 63, kind = op >> 10 & 63;
    switch ((X86CarryKind)kind) {
    case X86_CARRY_BIT0: return src & 1;
    case X86_CARRY_LT: return low(src2, size) < low(src, size);
    case X86_CARRY_SUB: return low(src2 + src, size) < low(src, size);
    case X86_CARRY_MSB: return top(src, size);
    case X86_CARRY_NZ: return low(src, size) != 0;
    case X86_CARRY_Z: return low(src, size) == 0;
    case X86_CARRY_SHL: return top(before(src, kind, size, count), size);
    case X86_CARRY_SHR: case X86_CARRY_SAR: return before(src, kind, size, count) & 1;
    case X86_CARRY_IMUL: {
        __int128 product = (__int128)extended(src, size) * extended(src2, size);
        return product != extended((uint64_t)product, size);
    }
    case X86_CARRY_1: return true;
    case X86_CARRY_0: case X86_N_CARRY: break;
    }
    return false;
}

static inline __attribute__((always_inline)) uint32_t szp(uint64_t result, unsigned size)
{
    return (top(result, size) ? X86_SF : 0) | (low(result, size) ? 0 : X86_ZF) |
           (__builtin_parity((unsigned)(result & 0xff)) ? 0 : X86_PF);
}

static inline __attribute__((always_inline)) uint32_t add_flags(uint64_t a, uint64_t b, uint64_t r, unsigned size)
{
    return szp(r, size) | (top((a ^ r) & (b ^ r), size) ? X86_OF : 0) | ((a ^ b ^ r) & X86_AF);
}

static inline __attribute__((always_inline)) uint32_t sub_flags(uint64_t a, uint64_t b, uint64_t r, unsigned size)
{
    return szp(r, size) | (top((a ^ b) & (a ^ r), size) ? X86_OF : 0) | ((a ^ b ^ r) & X86_AF);
}

static inline __attribute__((always_inline)) uint32_t compute(uint64_t dst, uint64_t src, uint64_t src2, uint32_t op)
{
    unsigned size = op & 3, carry_size = op >> 8 & 3;
    uint32_t flags = carry(src, src2, op) ? X86_CF : 0;

    switch ((X86CcKind)(op >> 2 & 63)) {
    case X86_CCK_FLAGS: return flags | (src & (X86_ARITH_FLAGS & ~X86_CF));
    case X86_CCK_ADD: return flags | add_flags(src2 - src, src, src2, size);
    case X86_CCK_SUB: return flags | sub_flags(src2 + src, src, src2, size);
    case X86_CCK_CMP: return flags | sub_flags(src2, src, src2 - src, size);
    case X86_CCK_ADC:
        return flags | szp(dst, size) | (src2 & X86_AF) | (top(src2, size) != (src & 1) ? X86_OF : 0);
    case X86_CCK_INC: return flags | add_flags(dst - 1, 1, dst, size);
    case X86_CCK_DEC: return flags | sub_flags(dst + 1, 1, dst, size);
    case X86_CCK_RES: return flags | szp(dst, size);
    case X86_CCK_SHIFT:
        src = before(src, op >> 10 & 63, carry_size, op >> 16 & 63);
        return flags | szp(dst, size) | (top(dst ^ src, size) ? X86_OF : 0);
    case X86_CCK_ZF: return flags | (low(dst, size) ? 0 : X86_ZF);
    case X86_CCK_MUL: return flags | szp(dst, size) | (flags ? X86_OF : 0);
    case X86_CCK_ROL: return flags | szp(dst, size) | (src2 & X86_AF) | (top(src, carry_size) != (src & 1) ? X86_OF : 0);
    case X86_CCK_ROR: return flags | szp(dst, size) | (src2 & X86_AF) | (top(src ^ src << 1, carry_size) ? X86_OF : 0);
    case X86_N_CCK: break;
    }
    return flags;
}

static __attribute__((noinline)) uint32_t compute_other(uint64_t dst, uint64_t src, uint64_t src2, uint32_t op)
{
    return compute(dst, src, src2, op);
}

/*
 * The rules that are met most, each a piece of code without decisions: calls come from units that do not know the rule, one after the other.
 * An x86 host does the guest's operation once more and says what its flags are.
 */
#ifdef __x86_64__
static inline bool host_flags(void) { return x64_has(X_LAHF); }

#define HOST_FLAGS(insn, size, x, y) ({ \
    uint32_t ax; \
    uint64_t host_x = x; \
    __asm__(insn " %" size "2, %" size "1\n\tlahf\n\tseto %%al" : "=&a"(ax), "+q"(host_x) : "q"(y) : "cc"); \
    (ax >> 8 & (X86_ARITH_FLAGS & 0xff)) | (ax & 1) << 11; \
})
#define ONE(n, size) \
    case X86_CC(X86_CCK_CMP, X86_CARRY_LT, n): return HOST_FLAGS("cmp", size, src2, src); \
    case X86_CC(X86_CCK_SUB, X86_CARRY_SUB, n): return HOST_FLAGS("sub", size, src2 + src, src); \
    case X86_CC(X86_CCK_ADD, X86_CARRY_LT, n): return HOST_FLAGS("add", size, src2 - src, src); \
    case X86_CC(X86_CCK_RES, X86_CARRY_0, n): return HOST_FLAGS("test", size, dst, dst) & (uint32_t)~X86_AF;
#else
static inline bool host_flags(void) { return true; }
#define ONE(n, size) \
    case X86_CC(X86_CCK_CMP, X86_CARRY_LT, n): return compute(dst, src, src2, X86_CC(X86_CCK_CMP, X86_CARRY_LT, n)); \
    case X86_CC(X86_CCK_SUB, X86_CARRY_SUB, n): return compute(dst, src, src2, X86_CC(X86_CCK_SUB, X86_CARRY_SUB, n)); \
    case X86_CC(X86_CCK_ADD, X86_CARRY_LT, n): return compute(dst, src, src2, X86_CC(X86_CCK_ADD, X86_CARRY_LT, n)); \
    case X86_CC(X86_CCK_RES, X86_CARRY_0, n): return compute(dst, src, src2, X86_CC(X86_CCK_RES, X86_CARRY_0, n));
#endif

uint32_t x86_cc_compute(uint64_t dst, uint64_t src, uint64_t src2, uint32_t op)
{
    if (op == X86_CC_FLAGS) {
        return (uint32_t)src & X86_ARITH_FLAGS;
    }
    if (unlikely(!host_flags())) {
        return compute_other(dst, src, src2, op);
    }
    switch (op) {
    ONE(0, "b")
    ONE(1, "w")
    ONE(2, "k")
    ONE(3, "q")
    default: return compute_other(dst, src, src2, op);
    }
}

bool x86_cc_carry(uint64_t src, uint64_t src2, uint32_t op)
{
    return op == X86_CC(X86_CCK_CMP, X86_CARRY_LT, 2) ? (uint32_t)src2 < (uint32_t)src
           : op == X86_CC(X86_CCK_CMP, X86_CARRY_LT, 3) ? src2 < src : op == X86_CC_FLAGS ? src & X86_CF : carry(src, src2, op);
}

bool x86_cc_test(uint32_t f, unsigned condition)
{
    bool value = false;

    switch (condition >> 1) {
    case 0: value = f & X86_OF; break;
    case 1: value = f & X86_CF; break;
    case 2: value = f & X86_ZF; break;
    case 3: value = f & (X86_CF | X86_ZF); break;
    case 4: value = f & X86_SF; break;
    case 5: value = f & X86_PF; break;
    case 6: value = !(f & X86_SF) != !(f & X86_OF); break;
    case 7: value = f & X86_ZF || !(f & X86_SF) != !(f & X86_OF); break;
    }
    return value != (condition & 1);
}

uint32_t x86_eflags_get(const Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);
    return (uint32_t)s->eflags | 2 | x86_cc_compute(s->cc_dst, s->cc_src, s->cc_src2, (uint32_t)s->cc_op);
}

void x86_eflags_set(Vcpu *vcpu, uint32_t eflags)
{
    X86State *s = x86_state(vcpu);
    s->eflags = (eflags & ~X86_ARITH_FLAGS) | 2;
    s->cc_src = eflags & X86_ARITH_FLAGS;
    s->cc_op = X86_CC_FLAGS;
}
