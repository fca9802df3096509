/*
 * int.c: kernels of the integer and fixed-point elementwise instructions.
 *
 * Chapter 30.11 (integer), 30.12 (fixed point), 31.1 (Zvbb, Zvbc) of the unprivileged ISA. A is vs2's element,
 * B vs1's or the scalar, C the old vd; d the result. Loops are plain so that the compiler can use
 * the host's vectors.
 */
#include "target/riscv/vector/vector.h"
#include "target/riscv/vector/kernels.h"

typedef __int128 i128;
typedef unsigned __int128 u128;
typedef int16_t wide_int8_t;
typedef int32_t wide_int16_t;
typedef int64_t wide_int32_t;
typedef i128 wide_int64_t;
typedef uint16_t wide_uint8_t;
typedef uint32_t wide_uint16_t;
typedef uint64_t wide_uint32_t;
typedef u128 wide_uint64_t;

#define PARAMS RvvExec *e, void *restrict dp, const void *ap, const void *bp, const void *cp, size_t n
#define A x[i]
#define B y[i]
#define C z[i]

/* D, X, Y: element types of the result, vs2 and vs1. T and W: one and two widths, for the expression. */
#define LOOP(name, bits, T_, D, X, Y, statement)                                         \
    static void name##bits(PARAMS)                                                       \
    {                                                                                    \
        typedef T_ T;                                                                    \
        typedef wide_##T_ W;                                                             \
        enum { BITS = bits };                                                            \
        D *restrict d = dp;                                                              \
        const X *x = ap;                                                                 \
        const Y *y = bp;                                                                 \
        const D *z = cp;                                                                 \
        (void)e, (void)y, (void)z, (void)BITS, (void)(T)0, (void)(W)0;                   \
        for (size_t i = 0; i < n; i++) {                                                 \
            statement;                                                                   \
        }                                                                                \
    }
#define ARRAY4(name) \
    RvvKernel *const rvv_k_##name[4] = { name##_8, name##_16, name##_32, name##_64 };
#define ARRAY3(name) \
    RvvKernel *const rvv_k_##name[4] = { name##_8, name##_16, name##_32, NULL };

/* One width. kind: int or uint. */
#define ONE_(name, bits, kind, expr)                                                     \
    LOOP(name##_, bits, kind##bits##_t, kind##bits##_t, kind##bits##_t, kind##bits##_t,  \
         d[i] = (kind##bits##_t)(expr))
#define ONE(name, kind, expr)                                                            \
    ONE_(name, 8, kind, expr) ONE_(name, 16, kind, expr) ONE_(name, 32, kind, expr)      \
    ONE_(name, 64, kind, expr) ARRAY4(name)

ONE(add, uint, A + B)
ONE(sub, uint, A - B)
ONE(rsub, uint, B - A)
ONE(and, uint, A & B)
ONE(or, uint, A | B)
ONE(xor, uint, A ^ B)
ONE(andn, uint, A & ~B)
ONE(minu, uint, A < B ? A : B)
ONE(maxu, uint, A > B ? A : B)
ONE(min, int, A < B ? A : B)
ONE(max, int, A > B ? A : B)
ONE(sll, uint, (T)(A << (B & (BITS - 1))))
ONE(srl, uint, A >> (B & (BITS - 1)))
ONE(sra, int, A >> (B & (BITS - 1)))
ONE(rol, uint, (T)(A << (B & (BITS - 1))) | (T)(A >> (-B & (BITS - 1))))
ONE(ror, uint, (T)(A >> (B & (BITS - 1))) | (T)(A << (-B & (BITS - 1))))
ONE(mul, uint, (T)((W)A * B))
ONE(mulh, int, ((W)A * B) >> BITS)
ONE(mulhu, uint, ((W)A * B) >> BITS)

/* Signed by unsigned, and division: their operand types differ from the pattern above. */
#define MULHSU(bits)                                                                     \
    LOOP(mulhsu_, bits, int##bits##_t, int##bits##_t, int##bits##_t, uint##bits##_t,     \
         d[i] = (T)((W)((u128)(W)A * B) >> BITS))
#define MULHSU_SMALL(bits)                                                               \
    LOOP(mulhsu_, bits, int##bits##_t, int##bits##_t, int##bits##_t, uint##bits##_t,     \
         d[i] = (T)(((int64_t)A * (int64_t)B) >> BITS))
MULHSU_SMALL(8)
MULHSU_SMALL(16)
MULHSU_SMALL(32)
MULHSU(64)
ARRAY4(mulhsu)

/* 30.11.11: division by zero gives all ones and the dividend; overflow wraps. */
ONE(divu, uint, B ? A / B : (T)-1)
ONE(remu, uint, B ? A % B : A)
ONE(div, int, B == 0 ? (T)-1 : B == -1 ? (T)(0 - (W)A) : A / B)
ONE(rem, int, B == 0 ? A : B == -1 ? 0 : A % B)

ONE(madd, uint, (T)((W)B * C + A))
ONE(nmsub, uint, (T)(A - (W)B * C))
ONE(macc, uint, (T)((W)B * A + C))
ONE(nmsac, uint, (T)(C - (W)B * A))

/* Zvbb */
static inline uint64_t brev8(uint64_t v)
{
    v = (v >> 1 & 0x5555555555555555) | (v & 0x5555555555555555) << 1;
    v = (v >> 2 & 0x3333333333333333) | (v & 0x3333333333333333) << 2;
    return (v >> 4 & 0x0f0f0f0f0f0f0f0f) | (v & 0x0f0f0f0f0f0f0f0f) << 4;
}

ONE(brev8, uint, brev8(A))
ONE(rev8, uint, __builtin_bswap64(A) >> (64 - BITS))
ONE(brev, uint, brev8(__builtin_bswap64(A)) >> (64 - BITS))
ONE(clz, uint, A ? __builtin_clzll(A) - (64 - BITS) : BITS)
ONE(ctz, uint, A ? __builtin_ctzll(A) : BITS)
ONE(cpop, uint, __builtin_popcountll(A))

static u128 clmul(uint64_t a, uint64_t b)
{
    u128 r = 0;
    for (unsigned i = 0; i < 64; i++) {
        r ^= b >> i & 1 ? (u128)a << i : 0;
    }
    return r;
}

LOOP(clmul_, 64, uint64_t, uint64_t, uint64_t, uint64_t, d[i] = (T)clmul(A, B))
LOOP(clmulh_, 64, uint64_t, uint64_t, uint64_t, uint64_t, d[i] = (T)(clmul(A, B) >> 64))
RvvKernel *const rvv_k_clmul[4] = { NULL, NULL, NULL, clmul_64 };
RvvKernel *const rvv_k_clmulh[4] = { NULL, NULL, NULL, clmulh_64 };

/* Widening: d has twice the width. ka, kb: kinds of the operands; wa: vs2 is wide already. */
#define WIDEN_(name, bits, wide, kd, ka, kb, expr)                                       \
    LOOP(name##_, bits, kd##bits##_t, kd##wide##_t, ka##bits##_t, kb##bits##_t,          \
         d[i] = (kd##wide##_t)(expr))
#define WIDEN(name, kd, ka, kb, expr)                                                    \
    WIDEN_(name, 8, 16, kd, ka, kb, expr) WIDEN_(name, 16, 32, kd, ka, kb, expr)         \
    WIDEN_(name, 32, 64, kd, ka, kb, expr) ARRAY3(name)
#define WIDEN_W_(name, bits, wide, kd, kb, expr)                                         \
    LOOP(name##_, bits, kd##bits##_t, kd##wide##_t, kd##wide##_t, kb##bits##_t,          \
         d[i] = (kd##wide##_t)(expr))
#define WIDEN_W(name, kd, kb, expr)                                                      \
    WIDEN_W_(name, 8, 16, kd, kb, expr) WIDEN_W_(name, 16, 32, kd, kb, expr)             \
    WIDEN_W_(name, 32, 64, kd, kb, expr) ARRAY3(name)

WIDEN(waddu, uint, uint, uint, (W)A + B)
WIDEN(wadd, int, int, int, (W)A + B)
WIDEN(wsubu, uint, uint, uint, (W)A - B)
WIDEN(wsub, int, int, int, (W)A - B)
WIDEN_W(waddu_w, uint, uint, A + B)
WIDEN_W(wadd_w, uint, int, A + (W)B)
WIDEN_W(wsubu_w, uint, uint, A - B)
WIDEN_W(wsub_w, uint, int, A - (W)B)
WIDEN(wmulu, uint, uint, uint, (W)A * B)
WIDEN(wmul, int, int, int, (W)A * B)
WIDEN(wmulsu, int, int, uint, (W)A * (W)B)
WIDEN(wmaccu, uint, uint, uint, (W)B * A + C)
WIDEN(wmacc, uint, int, int, (W)((int64_t)B * A) + C)
WIDEN(wmaccsu, uint, uint, int, (W)((int64_t)B * (int64_t)A) + C)
WIDEN(wmaccus, uint, int, uint, (W)((int64_t)B * (int64_t)A) + C)
WIDEN(wsll, uint, uint, uint, (W)((W)A << (B & (2 * BITS - 1))))

/* Narrowing shifts: vs2 has twice the width. */
#define NARROW_(name, bits, wide, k, expr)                                               \
    LOOP(name##_, bits, k##bits##_t, k##bits##_t, k##wide##_t, uint##bits##_t, d[i] = (T)(expr))
#define NARROW(name, k, expr)                                                            \
    NARROW_(name, 8, 16, k, expr) NARROW_(name, 16, 32, k, expr) NARROW_(name, 32, 64, k, expr) \
    ARRAY3(name)

NARROW(nsrl, uint, A >> (B & (2 * BITS - 1)))
NARROW(nsra, int, A >> (B & (2 * BITS - 1)))

/* Comparisons: one byte per element. */
#define COMPARE_(name, bits, kind, expr)                                                 \
    LOOP(name##_, bits, kind##bits##_t, uint8_t, kind##bits##_t, kind##bits##_t, d[i] = (expr))
#define COMPARE(name, kind, expr)                                                        \
    COMPARE_(name, 8, kind, expr) COMPARE_(name, 16, kind, expr) COMPARE_(name, 32, kind, expr) \
    COMPARE_(name, 64, kind, expr) ARRAY4(name)

COMPARE(seq, uint, A == B)
COMPARE(sne, uint, A != B)
COMPARE(sltu, uint, A < B)
COMPARE(slt, int, A < B)
COMPARE(sleu, uint, A <= B)
COMPARE(sle, int, A <= B)
COMPARE(sgtu, uint, A > B)
COMPARE(sgt, int, A > B)

/* -- fixed point: saturation is remembered for active elements only -------------------------------- */

static inline void saturated(RvvExec *e, size_t i)
{
    if (rvv_active(e, e->from + i)) {
        e->s->vxsat = 1;
    }
}

#define SIGNED_MAX(T) ((T)(((u128)1 << (sizeof(T) * 8 - 1)) - 1))

#define SADDU(T, i, r) ((r) = (T)(A + B), (r) < A ? (saturated(e, i), (r) = (T)-1) : 0)
#define SSUBU(T, i, r) ((r) = (T)(A - B), A < B ? (saturated(e, i), (r) = 0) : 0)
#define SADD(T, i, r)                                                                    \
    (__builtin_add_overflow(A, B, &(r))                                                  \
         ? (saturated(e, i), (r) = A < 0 ? (T)~SIGNED_MAX(T) : SIGNED_MAX(T)) : 0)
#define SSUB(T, i, r)                                                                    \
    (__builtin_sub_overflow(A, B, &(r))                                                  \
         ? (saturated(e, i), (r) = A < 0 ? (T)~SIGNED_MAX(T) : SIGNED_MAX(T)) : 0)

#define SATURATE_(name, bits, kind, OP)                                                  \
    LOOP(name##_, bits, kind##bits##_t, kind##bits##_t, kind##bits##_t, kind##bits##_t,  \
         T r; (void)OP(T, i, r); d[i] = r)
#define SATURATE(name, kind, OP)                                                         \
    SATURATE_(name, 8, kind, OP) SATURATE_(name, 16, kind, OP) SATURATE_(name, 32, kind, OP) \
    SATURATE_(name, 64, kind, OP) ARRAY4(name)

SATURATE(saddu, uint, SADDU)
SATURATE(sadd, int, SADD)
SATURATE(ssubu, uint, SSUBU)
SATURATE(ssub, int, SSUB)

/* 30.12.1: v >> shift, rounded as vxrm says. */
static inline i128 roundoff(i128 v, unsigned shift, unsigned vxrm)
{
    if (shift == 0) {
        return v;
    }
    i128 q = v >> shift;
    bool half = v >> (shift - 1) & 1;
    bool rest = (v & (((i128)1 << (shift - 1)) - 1)) != 0;
    switch (vxrm) {
    case 0:
        return q + half;
    case 1:
        return q + (half && (rest || (q & 1)));
    case 2:
        return q;
    default:
        return q | (half || rest);
    }
}

#define VXRM e->s->vxrm
ONE(aaddu, uint, roundoff((i128)A + B, 1, VXRM))
ONE(aadd, int, roundoff((i128)A + B, 1, VXRM))
ONE(asubu, uint, roundoff((i128)A - B, 1, VXRM))
ONE(asub, int, roundoff((i128)A - B, 1, VXRM))
ONE(ssrl, uint, roundoff((i128)A, B & (BITS - 1), VXRM))
ONE(ssra, int, roundoff((i128)A, B & (BITS - 1), VXRM))

static inline i128 clip(RvvExec *e, size_t i, i128 v, i128 low, i128 high)
{
    if (v < low || v > high) {
        saturated(e, i);
        return v < low ? low : high;
    }
    return v;
}

ONE(smul, int, clip(e, i, roundoff((i128)A * B, BITS - 1, VXRM), ~(i128)SIGNED_MAX(T), SIGNED_MAX(T)))
NARROW(nclipu, uint, clip(e, i, roundoff((i128)A, B & (2 * BITS - 1), VXRM), 0, (T)-1))
NARROW(nclip, int, clip(e, i, roundoff((i128)A, B & (2 * BITS - 1), VXRM),
                        ~(i128)SIGNED_MAX(T), SIGNED_MAX(T)))

/* -- reductions: d is one element, C its start value; inactive elements are skipped ------------------ */

#define REDUCE_(name, bits, kd, ka, wide, expr)                                          \
    static void name##_##bits(PARAMS)                                                    \
    {                                                                                    \
        const ka##bits##_t *x = ap;                                                      \
        kd##wide##_t r = *(const kd##wide##_t *)bp;                                      \
        (void)cp;                                                                        \
        for (size_t i = 0; i < n; i++) {                                                 \
            if (rvv_active(e, e->from + i)) {                                            \
                r = (kd##wide##_t)(expr);                                                \
            }                                                                            \
        }                                                                                \
        *(kd##wide##_t *)dp = r;                                                         \
    }
#define REDUCE(name, kind, expr)                                                         \
    REDUCE_(name, 8, kind, kind, 8, expr) REDUCE_(name, 16, kind, kind, 16, expr)        \
    REDUCE_(name, 32, kind, kind, 32, expr) REDUCE_(name, 64, kind, kind, 64, expr) ARRAY4(name)
#define REDUCE_W(name, ka, expr)                                                         \
    REDUCE_(name, 8, uint, ka, 16, expr) REDUCE_(name, 16, uint, ka, 32, expr)           \
    REDUCE_(name, 32, uint, ka, 64, expr) ARRAY3(name)

REDUCE(redsum, uint, r + A)
REDUCE(redand, uint, r & A)
REDUCE(redor, uint, r | A)
REDUCE(redxor, uint, r ^ A)
REDUCE(redminu, uint, A < r ? A : r)
REDUCE(redmin, int, A < r ? A : r)
REDUCE(redmaxu, uint, A > r ? A : r)
REDUCE(redmax, int, A > r ? A : r)
REDUCE_W(wredsumu, uint, r + A)
REDUCE_W(wredsum, int, r + (uint64_t)(int64_t)A)
