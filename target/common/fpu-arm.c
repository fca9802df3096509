/*
 * fpu-arm.c: operations only Arm has: estimates of 8 bits, exponent of the reciprocal, fused steps, products that make two of
 * infinity times zero, the half-precision format without infinities and NaNs.
 *
 * Arm ARM DDI 0487, J1, shared/functions/float: FPRecipEstimate, FPRSqrtEstimate, FPRecpX, FPRecipStepFused,
 * FPRSqrtStepFused, FPMulX, FPConvert with FPCR.AHP, all with FPCR.AH = 0.
 */
#include "target/common/fpu-num.h"

uint32_t fp_arm_recip_estimate(uint32_t a)
{
    a = a * 2 + 1;
    return ((1u << 19) / a + 1) / 2;
}

uint32_t fp_arm_rsqrt_estimate(uint32_t a)
{
    uint32_t b = 512;

    a = a < 256 ? a * 2 + 1 : (a | 1) * 2; /* the middle of the interval a stands for */
    while ((uint64_t)a * (b + 1) * (b + 1) < 1u << 28) {
        b++;
    }
    return (b + 1) / 2;
}

/* Sign, exponent field and fraction, the latter left-aligned in 52 bits as the manual has it. */
typedef struct Parts { bool sign; int exp; uint64_t fraction; } Parts;

static Parts split(const FpFormat *f, uint64_t bits)
{
    return (Parts){ bits >> (f->exp_bits + f->frac_bits) & 1, (int)(bits >> f->frac_bits) & ((1 << f->exp_bits) - 1),
                    (bits & (((uint64_t)1 << f->frac_bits) - 1)) << (52 - f->frac_bits) };
}

static uint64_t join(const FpFormat *f, Parts p)
{
    return (uint64_t)p.sign << (f->exp_bits + f->frac_bits) | (uint64_t)p.exp << f->frac_bits | p.fraction >> (52 - f->frac_bits);
}

static uint64_t infinity(const FpFormat *f, bool sign) { return join(f, (Parts){ sign, (1 << f->exp_bits) - 1, 0 }); }

#define FRACTION (((uint64_t)1 << 52) - 1)
#define FRACTION_TOP ((uint64_t)1 << 51)

static uint64_t recip_estimate(const FpFormat *f, uint64_t bits, FpNum n, FpStatus *s)
{
    Parts p = split(f, bits);
    int bias = format_bias(f);

    if (n.cls == NUM_INF) {
        return join(f, (Parts){ p.sign, 0, 0 });
    }
    if (n.cls == NUM_ZERO) {
        s->flags |= FP_DIVZERO;
        return infinity(f, p.sign);
    }
    if (n.exp < -bias - 1) {
        s->flags |= FP_OVERFLOW | FP_INEXACT;
        return infinity(f, p.sign) - !num_overflows_to_inf(s->rounding, p.sign);
    }
    if (s->flush_outputs && n.exp >= bias - 1) {
        s->flags |= FP_UNDERFLOW;
        return join(f, (Parts){ p.sign, 0, 0 });
    }
    if (p.exp == 0) {
        unsigned shift = p.fraction & FRACTION_TOP ? 1 : 2;
        p.exp = p.fraction & FRACTION_TOP ? 0 : -1;
        p.fraction = p.fraction << shift & FRACTION;
    }
    uint32_t estimate = fp_arm_recip_estimate(256 | (uint32_t)(p.fraction >> 44));
    p.exp = 2 * bias - 1 - p.exp;
    p.fraction = (uint64_t)(estimate & 255) << 44;
    if (p.exp <= 0) {
        p.fraction = (p.fraction | (uint64_t)1 << 52) >> (1 - p.exp);
        p.exp = 0;
    }
    return join(f, p);
}

static uint64_t rsqrt_estimate(const FpFormat *f, uint64_t bits, FpNum n, FpStatus *s)
{
    Parts p = split(f, bits);

    if (n.cls == NUM_ZERO) {
        s->flags |= FP_DIVZERO;
        return infinity(f, p.sign);
    }
    if (n.cls == NUM_INF) {
        return 0;
    }
    if (p.exp == 0) {
        while (!(p.fraction & FRACTION_TOP)) {
            p.fraction <<= 1;
            p.exp--;
        }
        p.fraction = p.fraction << 1 & FRACTION;
    }
    uint32_t scaled = p.exp & 1 ? 128 | (uint32_t)(p.fraction >> 45) : 256 | (uint32_t)(p.fraction >> 44);
    return join(f, (Parts){ false, (3 * format_bias(f) - 1 - p.exp) / 2, (uint64_t)(fp_arm_rsqrt_estimate(scaled) & 255) << 44 });
}

static uint64_t recpx(const FpFormat *f, uint64_t bits)
{
    Parts p = split(f, bits);
    int ones = (1 << f->exp_bits) - 1;

    return join(f, (Parts){ p.sign, p.exp ? ~p.exp & ones : ones - 1, 0 });
}

#define SIGN(T) ((T)((T)1 << (sizeof(T) * 8 - 1)))

/* 2, 3 and 1.5 */
#define TWO(T) (T)((uint64_t)(1 << (fp_format_##T.exp_bits - 1)) << fp_format_##T.frac_bits)
#define THREE(T) (T)(TWO(T) | (T)1 << (fp_format_##T.frac_bits - 1))
#define ONE_AND_HALF(T) (T)((uint64_t)((1 << (fp_format_##T.exp_bits - 1)) * 2 - 1) << (fp_format_##T.frac_bits - 1))

#define DEFINE_ARM(T)                                                                                        \
    T T##_arm_recpe(T a, FpStatus *s)                                                                        \
    {                                                                                                        \
        FpNum n = T##_unpack(a, s);                                                                          \
        return n.cls & NUM_NAN ? T##_pack(num_quiet_nan(n, s), s) : (T)recip_estimate(&fp_format_##T, a, n, s); \
    }                                                                                                        \
    T T##_arm_rsqrte(T a, FpStatus *s)                                                                       \
    {                                                                                                        \
        FpNum n = T##_unpack(a, s);                                                                          \
        if (n.cls & NUM_NAN) {                                                                               \
            return T##_pack(num_quiet_nan(n, s), s);                                                         \
        }                                                                                                    \
        if (n.sign && n.cls != NUM_ZERO) {                                                                   \
            return T##_pack(num_invalid(FP_INVALID_SQRT, s), s);                                             \
        }                                                                                                    \
        return (T)rsqrt_estimate(&fp_format_##T, a, n, s);                                                   \
    }                                                                                                        \
    T T##_arm_recpx(T a, FpStatus *s)                                                                        \
    {                                                                                                        \
        FpNum n = T##_unpack(a, s);                                                                          \
        return n.cls & NUM_NAN ? T##_pack(num_quiet_nan(n, s), s) : (T)recpx(&fp_format_##T, a);             \
    }                                                                                                        \
    /* NaNs as of a product, infinity times zero a number, else fused. */                                    \
    static T T##_step(T a, T b, T addend, T special, unsigned flags, FpStatus *s)                            \
    {                                                                                                        \
        a ^= SIGN(T);                                                                                        \
        FpNum x = T##_unpack(a, s), y = T##_unpack(b, s);                                                    \
        if ((x.cls | y.cls) & NUM_NAN) {                                                                     \
            return T##_pack(num_pick_nan(x, y, s), s);                                                       \
        }                                                                                                    \
        return (x.cls | y.cls) == (NUM_INF | NUM_ZERO) ? special : T##_muladd(a, b, addend, flags, s);       \
    }                                                                                                        \
    T T##_arm_recps(T a, T b, FpStatus *s)                                                                   \
    { return T##_step(a, b, TWO(T), TWO(T), 0, s); }                                                         \
    T T##_arm_rsqrts(T a, T b, FpStatus *s)                                                                  \
    { return T##_step(a, b, THREE(T), ONE_AND_HALF(T), FP_HALVE_RESULT, s); }                \
    T T##_arm_mulx(T a, T b, FpStatus *s)                                                                    \
    {                                                                                                        \
        if ((T##_unpack(a, s).cls | T##_unpack(b, s).cls) == (NUM_INF | NUM_ZERO)) {                         \
            return TWO(T) | ((a ^ b) & SIGN(T));                                                             \
        }                                                                                                    \
        return T##_mul(a, b, s);                                                                             \
    }
DEFINE_ARM(f16)
DEFINE_ARM(f32)
DEFINE_ARM(f64)

/* FPCR.AHP: all exponents are of numbers, so that there is neither infinity nor NaN. */
static f16 pack_alternative(FpNum n, FpStatus *s)
{
    const FpFormat *f = &fp_format_f16;
    const int discard = 127 - f->frac_bits;
    unsigned sign = (unsigned)n.sign << 15;

    if (n.cls & NUM_NAN) {
        s->flags |= FP_INVALID;
        return (f16)sign;
    }
    if (n.cls == NUM_ZERO) {
        return (f16)sign;
    }
    if (n.cls == NUM_NORMAL) {
        int biased = n.exp + format_bias(f);
        if (biased <= 0) {
            return (f16)(sign | (unsigned)num_round_tiny(f, n, biased, s));
        }
        u128 q = n.sig >> discard;
        bool half = (n.sig >> (discard - 1)) & 1;
        bool sticky = (n.sig << (129 - discard)) != 0;
        q += num_rounds_up(s->rounding, n.sign, q & 1, half, sticky);
        if (biased < 33) {
            u128 magnitude = ((u128)(unsigned)(biased - 1) << f->frac_bits) + q;
            if (magnitude <= 0x7fff) {
                s->flags |= half || sticky ? FP_INEXACT : 0;
                return (f16)(sign | (unsigned)magnitude);
            }
        }
    }
    s->flags |= FP_INVALID;
    return (f16)(sign | 0x7fff);
}

static FpNum unpack_alternative(f16 a, FpStatus *s)
{
    /* Exponent 31 is read as 30 and put right. */
    bool top = (a & 0x7c00) == 0x7c00;
    FpNum n = f16_unpack(top ? a ^ 0x0400 : a, s);

    n.exp += top;
    return n;
}

f16 f32_to_f16_arm_alternative(f32 a, FpStatus *s) { return pack_alternative(f32_unpack(a, s), s); }
f16 f64_to_f16_arm_alternative(f64 a, FpStatus *s) { return pack_alternative(f64_unpack(a, s), s); }
f32 f16_arm_alternative_to_f32(f16 a, FpStatus *s) { return f32_pack(unpack_alternative(a, s), s); }
f64 f16_arm_alternative_to_f64(f16 a, FpStatus *s) { return f64_pack(unpack_alternative(a, s), s); }
