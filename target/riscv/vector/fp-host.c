/*
 * fp-host.c: unmasked single- and double-precision arithmetic on the host's vector unit.
 *
 * x86-64 with AVX2 and FMA. The host's results and flags are RISC-V's (tininess is detected after rounding by
 * both) except where a NaN comes out; then the caller computes everything again in software. RMM has no
 * host equivalent. The loops are functions of their own, never inlined, so that none of their
 * operations can move across the change of MXCSR.
 */
#include "target/riscv/vector/fp-host.h"
#include "util/host-x64.h"

#if defined(__x86_64__)

#include <immintrin.h>

enum { CSR_MASKS = 0x1f80, CSR_FLAGS = 0x3f };

#define LOOP(name, T, expr)                                                                  \
    __attribute__((noinline, target("avx2,fma")))                                            \
    static void name(void *restrict dp, const void *ap, const void *bp, const void *cp, size_t n) \
    {                                                                                        \
        T *restrict d = dp;                                                                  \
        const T *a = ap, *b = bp, *c = cp;                                                   \
        (void)c;                                                                             \
        for (size_t i = 0; i < n; i++) {                                                     \
            d[i] = expr;                                                                     \
        }                                                                                    \
    }
#define LOOPS(T, suffix, fma)                                                                \
    LOOP(add_##suffix, T, a[i] + b[i])                                                       \
    LOOP(sub_##suffix, T, a[i] - b[i])                                                       \
    LOOP(mul_##suffix, T, a[i] * b[i])                                                       \
    LOOP(div_##suffix, T, a[i] / b[i])                                                       \
    LOOP(fma_##suffix, T, fma(a[i], b[i], c[i]))                                             \
    LOOP(fms_##suffix, T, fma(a[i], b[i], -c[i]))                                            \
    LOOP(fnma_##suffix, T, fma(-a[i], b[i], c[i]))                                           \
    LOOP(fnms_##suffix, T, fma(-a[i], b[i], -c[i]))
LOOPS(float, 32, __builtin_fmaf)
LOOPS(double, 64, __builtin_fma)

typedef void HostLoop(void *restrict d, const void *a, const void *b, const void *c, size_t n);

static HostLoop *const loops[RVV_HOST_N_OPS][2] = {
    [RVV_HOST_ADD] = { add_32, add_64 },
    [RVV_HOST_SUB] = { sub_32, sub_64 },
    [RVV_HOST_MUL] = { mul_32, mul_64 },
    [RVV_HOST_DIV] = { div_32, div_64 },
    [RVV_HOST_FMA] = { fma_32, fma_64 },
    [RVV_HOST_FMS] = { fms_32, fms_64 },
    [RVV_HOST_FNMA] = { fnma_32, fnma_64 },
    [RVV_HOST_FNMS] = { fnms_32, fnms_64 },
};

static bool any_nan_32(const uint32_t *d, size_t n)
{
    uint32_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= (d[i] & 0x7fffffff) > 0x7f800000;
    }
    return any;
}

static bool any_nan_64(const uint64_t *d, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= (d[i] & ~BIT(63)) > (uint64_t)0x7ff << 52;
    }
    return any;
}

bool rvv_host_run(RvvExec *e, RvvHostOp op, unsigned size_log2, void *restrict d, const void *a,
                  const void *b, const void *c, size_t n)
{
    static const uint8_t rc[4] = { [FP_RNE] = 0, [FP_RDN] = 1, [FP_RUP] = 2, [FP_RTZ] = 3 };

    if (e->masked || e->fp.rounding > FP_RUP || !x64_has(X_AVX2 | X_FMA)) {
        return false;
    }
    unsigned saved = _mm_getcsr();
    _mm_setcsr(CSR_MASKS | (unsigned)rc[e->fp.rounding] << 13);
    loops[op][size_log2 - 2](d, a, b, c, n);
    unsigned flags = _mm_getcsr();
    _mm_setcsr(saved);
    if (size_log2 == 2 ? any_nan_32(d, n) : any_nan_64(d, n)) {
        return false;
    }
    /* Without a NaN in the result invalid cannot have been raised. */
    e->fp.flags |= (flags & 4 ? FP_DIVZERO : 0) | (flags & 8 ? FP_OVERFLOW : 0) |
                   (flags & 16 ? FP_UNDERFLOW : 0) | (flags & 32 ? FP_INEXACT : 0);
    return true;
}

#else

bool rvv_host_run(RvvExec *e, RvvHostOp op, unsigned size_log2, void *restrict d, const void *a,
                  const void *b, const void *c, size_t n)
{
    return false;
}

#endif
