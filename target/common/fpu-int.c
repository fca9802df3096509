/*
 * fpu-int.c: to and from integers, and rounding to integral values.
 *
 * IEEE 754-2019, 5.4.1, 5.8, 5.9. What an invalid conversion returns is the
 * rules' choice.
 */
#include "target/common/fpu-num.h"

/*
 * The magnitude of a normal number as an integer, rounded; at most 2^exp_limit
 * significant bits are right, more must have been excluded by the caller.
 */
FP_INLINE u128 num_integer(FpNum a, unsigned rounding, bool *ret_inexact)
{
    u128 value = 0;
    bool half = false, sticky = true;

    if (a.exp >= 127) {
        *ret_inexact = false;
        return a.sig;
    }
    if (a.exp >= 0) {
        unsigned fraction = 127 - (unsigned)a.exp;
        value = a.sig >> fraction;
        u128 rest = a.sig << (128 - fraction);
        half = rest >> 127;
        sticky = (rest << 1) != 0;
    } else if (a.exp == -1) {
        half = true;
        sticky = (a.sig << 1) != 0;
    }
    *ret_inexact = half || sticky;
    return value + num_rounds_up(rounding, a.sign, value & 1, half, sticky);
}

static uint64_t int_special(FpIntResult rule, bool sign, unsigned bits, bool is_signed)
{
    uint64_t min = is_signed ? ~(uint64_t)0 << (bits - 1) : 0;
    uint64_t max = is_signed ? ~min : ~(uint64_t)0 >> (64 - bits);

    switch (rule) {
    case FP_INT_ZERO:
        return 0;
    case FP_INT_MAX:
        return max;
    case FP_INT_MIN:
        return min;
    case FP_INT_INDEFINITE:
        return is_signed ? min : max;
    default:
        return sign ? min : max;
    }
}

FP_INLINE uint64_t num_to_int(FpNum a, unsigned bits, bool is_signed, int scale,
                              FpRounding rounding, FpStatus *s)
{
    if (a.cls == NUM_ZERO) {
        return 0;
    }
    if (a.cls & NUM_NAN) {
        s->flags |= FP_INVALID | FP_INVALID_CONVERT |
                    (a.cls == NUM_SNAN ? FP_INVALID_SNAN : 0);
        return int_special(s->rules->int_nan, a.sign, bits, is_signed);
    }
    a.exp += scale;
    if (a.cls == NUM_NORMAL && a.exp <= 64) {
        bool inexact;
        u128 v = num_integer(a, rounding, &inexact);
        u128 limit;
        if (is_signed) {
            limit = ((u128)1 << (bits - 1)) - !a.sign;
        } else {
            limit = a.sign ? 0 : ((u128)1 << bits) - 1;
        }
        if (v <= limit) {
            if (inexact) {
                s->flags |= FP_INEXACT;
            }
            return a.sign ? -(uint64_t)v : (uint64_t)v;
        }
    }
    s->flags |= FP_INVALID | FP_INVALID_CONVERT;
    return int_special(s->rules->int_overflow, a.sign, bits, is_signed);
}

FP_INLINE FpNum num_from_int(uint64_t value, bool is_signed, int scale)
{
    FpNum n = { .cls = NUM_ZERO };

    if (value) {
        n.sign = is_signed && (int64_t)value < 0;
        uint64_t magnitude = n.sign ? -value : value;
        unsigned shift = (unsigned)__builtin_clzll(magnitude);
        n.cls = NUM_NORMAL;
        n.sig = (u128)(magnitude << shift) << 64;
        n.exp = 63 - (int)shift - scale;
    }
    return n;
}

FP_INLINE FpNum num_round_to_int(FpNum a, FpRounding rounding, bool exact, FpStatus *s)
{
    if (a.cls & NUM_NAN) {
        return num_quiet_nan(a, s);
    }
    num_note_subnormal(a.subnormal, s);
    if (a.cls != NUM_NORMAL) {
        return a;
    }
    bool inexact;
    u128 v = num_integer(a, rounding, &inexact);
    if (!inexact) {
        return a;
    }
    if (exact) {
        s->flags |= FP_INEXACT;
    }
    if (v == 0) {
        a.cls = NUM_ZERO;
        return a;
    }
    unsigned shift = num_clz(v);
    u128 sig = v << shift;
    if (127 - (int)shift != a.exp || sig > a.sig) {
        s->flags |= FP_ROUNDED_UP;
    }
    a.sig = sig;
    a.exp = 127 - (int)shift;
    return a;
}

#define DEFINE_INT(T)                                                                        \
    uint64_t T##_to_int(T a, unsigned bits, bool is_signed, int scale, FpRounding rounding,  \
                        FpStatus *s)                                                         \
    { return num_to_int(T##_unpack(a, s), bits, is_signed, scale, rounding, s); }            \
    T T##_from_int(uint64_t value, bool is_signed, int scale, FpStatus *s)                   \
    { return T##_pack(num_from_int(value, is_signed, scale), s); }                           \
    T T##_round_to_int(T a, FpRounding rounding, bool exact, FpStatus *s)                    \
    { return T##_pack(num_round_to_int(T##_unpack(a, s), rounding, exact, s), s); }
FP_EACH_FORMAT(DEFINE_INT)

int32_t f64_to_i32_modular(f64 a, FpStatus *s)
{
    FpNum n = f64_unpack(a, s);

    if (n.cls == NUM_ZERO) {
        return 0;
    }
    if (n.cls != NUM_NORMAL) {
        s->flags |= FP_INVALID | FP_INVALID_CONVERT;
        return 0;
    }
    uint32_t low = 0;
    bool in_range = false, inexact = false;
    if (n.exp < 32) {
        u128 v = num_integer(n, FP_RTZ, &inexact);
        low = (uint32_t)v;
        in_range = v <= 0x7fffffffu + (u128)n.sign;
    } else if (n.exp < 32 + 53) {
        low = (uint32_t)(n.exp <= 127 ? n.sig >> (127 - n.exp) : 0);
    }
    s->flags |= !in_range ? FP_INVALID | FP_INVALID_CONVERT : inexact ? FP_INEXACT : 0;
    return (int32_t)(n.sign ? -low : low);
}
