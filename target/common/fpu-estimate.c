/*
 * fpu-estimate.c: RISC-V's 7-bit reciprocal and reciprocal square root.
 *
 * RISC-V V extension 1.0, sections 13.9 (vfrsqrt7) and 13.10 (vfrec7) with
 * their tables: index is the top bits of the significand (and for the square
 * root the low bit of the exponent), the value the estimate's top 7 bits.
 */
#include "target/common/fpu-num.h"

static const uint8_t rsqrt7_table[128] = {
    52, 51, 50, 48, 47, 46, 44, 43, 42, 41, 40, 39, 38, 36, 35, 34,
    33, 32, 31, 30, 30, 29, 28, 27, 26, 25, 24, 23, 23, 22, 21, 20,
    19, 19, 18, 17, 16, 16, 15, 14, 14, 13, 12, 12, 11, 10, 10, 9,
    9, 8, 7, 7, 6, 6, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0,
    127, 125, 123, 121, 119, 118, 116, 114, 113, 111, 109, 108, 106, 105, 103, 102,
    100, 99, 97, 96, 95, 93, 92, 91, 90, 88, 87, 86, 85, 84, 83, 82,
    80, 79, 78, 77, 76, 75, 74, 73, 72, 71, 70, 70, 69, 68, 67, 66,
    65, 64, 63, 63, 62, 61, 60, 59, 59, 58, 57, 56, 56, 55, 54, 53,
};

static const uint8_t rec7_table[128] = {
    127, 125, 123, 121, 119, 117, 116, 114, 112, 110, 109, 107, 105, 104, 102, 100,
    99, 97, 96, 94, 93, 91, 90, 88, 87, 85, 84, 83, 81, 80, 79, 77,
    76, 75, 74, 72, 71, 70, 69, 68, 66, 65, 64, 63, 62, 61, 60, 59,
    58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43,
    42, 41, 40, 40, 39, 38, 37, 36, 35, 35, 34, 33, 32, 31, 31, 30,
    29, 28, 28, 27, 26, 25, 25, 24, 23, 23, 22, 21, 21, 20, 19, 19,
    18, 17, 17, 16, 15, 15, 14, 14, 13, 12, 12, 11, 11, 10, 9, 9,
    8, 8, 7, 7, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0,
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
        FpStatus quiet = { .rules = s->rules, .rounding = FP_RTZ };      \
        return T##_pack(num_rsqrt7(T##_unpack(a, s), s), &quiet);          \
    }                                                                      \
    T T##_rec7(T a, FpStatus *s)                                           \
    {                                                                      \
        FpStatus quiet = { .rules = s->rules, .rounding = FP_RTZ };      \
        return T##_pack(num_rec7(T##_unpack(a, s), &fp_format_##T, s), &quiet); \
    }
DEFINE_ESTIMATES(f16)
DEFINE_ESTIMATES(f32)
DEFINE_ESTIMATES(f64)
