/*
 * fpu-estimate.c: RISC-V's 7-bit reciprocal and reciprocal square root.
 *
 * RISC-V V extension 1.0, sections 13.9 (vfrsqrt7) and 13.10 (vfrec7) with
 * their tables: index is the top bits of the significand (and for the square
 * root the low bit of the exponent), the value the estimate's top 7 bits.
 */
#include "target/common/fpu-num.h"

static const uint8_t rsqrt7_table[128] = {
#include "target/common/fpu-rsqrt7.def"
};

static const uint8_t rec7_table[128] = {
#include "target/common/fpu-rec7.def"
};

/* The estimate of 1/sqrt(a); exact in every format, so it packs unrounded. */
static FpNum num_rsqrt7(FpNum a, FpStatus *s)
{
    if (a.cls & NUM_NAN) {
        return num_quiet_nan(a, s);
    }
    if (a.cls == NUM_ZERO) {
        s->flags |= FP_DIVZERO;
        a.cls = NUM_INF;
        return a;
    }
    if (a.sign) {
        return num_invalid(FP_INVALID_SQRT, s);
    }
    if (a.cls == NUM_INF) {
        a.cls = NUM_ZERO;
        return a;
    }
    /* Biases are odd: an even exponent field is an odd exponent. */
    unsigned odd = (unsigned)a.exp & 1;
    unsigned index = (odd ? 0 : 64) | ((unsigned)(a.sig >> 121) & 63);
    a.sig = NUM_TOP | (u128)rsqrt7_table[index] << 120;
    a.exp = -(a.exp >> 1) - 1;
    return a;
}

static FpNum num_rec7(FpNum a, const FpFormat *f, FpStatus *s)
{
    int bias = format_bias(f);

    if (a.cls & NUM_NAN) {
        return num_quiet_nan(a, s);
    }
    if (a.cls == NUM_ZERO) {
        s->flags |= FP_DIVZERO;
        a.cls = NUM_INF;
        return a;
    }
    if (a.cls == NUM_INF) {
        a.cls = NUM_ZERO;
        return a;
    }
    /* Below 2^-(bias+1) the reciprocal overflows (13.10, first table). */
    if (a.exp < -bias - 1) {
        s->flags |= FP_OVERFLOW | FP_INEXACT;
        if (num_overflows_to_inf(s->rounding, a.sign)) {
            a.cls = NUM_INF;
        } else {
            a.exp = bias;
            a.sig = ~(u128)0;
        }
        return a;
    }
    a.sig = NUM_TOP | (u128)rec7_table[(unsigned)(a.sig >> 120) & 127] << 120;
    a.exp = -a.exp - 1;
    return a;
}

/*
 * Subnormal estimates and the largest number are truncated, without flags;
 * overflow was raised above.
 */
#define DEFINE_ESTIMATES(T)                                                \
    T T##_rsqrt7(T a, FpStatus *s)                                         \
    {                                                                      \
        FpStatus quiet = { .policy = s->policy, .rounding = FP_RTZ };      \
        return T##_pack(num_rsqrt7(T##_unpack(a, s), s), &quiet);          \
    }                                                                      \
    T T##_rec7(T a, FpStatus *s)                                           \
    {                                                                      \
        FpStatus quiet = { .policy = s->policy, .rounding = FP_RTZ };      \
        return T##_pack(num_rec7(T##_unpack(a, s), &fp_format_##T, s), &quiet); \
    }
DEFINE_ESTIMATES(f16)
DEFINE_ESTIMATES(f32)
DEFINE_ESTIMATES(f64)
