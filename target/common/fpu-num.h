/*
 * fpu-num.h: the unpacked number all floating-point code computes with.
 *
 * A finite non-zero FpNum is  (-1)^sign * sig * 2^(exp - 127)  with bit 127 of
 * sig set, i.e. 1.xxx * 2^exp. Bits a computation shifts out are "jammed" into
 * bit 0: a one there means "and something below". No format has more than
 * 113 bits, so bit 0 is always below the rounding position.
 *
 * A NaN keeps its fraction left-aligned at bit 126, so that it moves between
 * formats by truncation.
 *
 * Functions are forced inline because each becomes small once the format is
 * known; the formats are compile-time constants at every call.
 */
#ifndef TARGET_COMMON_FPU_NUM_H
#define TARGET_COMMON_FPU_NUM_H

#include "target/fpu.h"

#define FP_INLINE static inline __attribute__((always_inline, unused))

typedef unsigned __int128 u128;

/* Bit masks, so that two operands are tested at once. */
enum {
    NUM_ZERO = 1,
    NUM_NORMAL = 2, /* includes subnormals, normalised */
    NUM_INF = 4,
    NUM_QNAN = 8,
    NUM_SNAN = 16,
    NUM_NAN = NUM_QNAN | NUM_SNAN,
};

typedef struct FpNum {
    u128 sig;
    int32_t exp;
    uint8_t cls;
    bool sign;
    bool subnormal;   /* the operand was subnormal and not flushed */
    bool unsupported; /* an f80 encoding the x87 rejects (with NUM_SNAN) */
} FpNum;

typedef struct FpFormat {
    int exp_bits, frac_bits; /* frac_bits without the integer bit */
} FpFormat;

static const FpFormat fp_format_f16 = { 5, 10 };
static const FpFormat fp_format_bf16 = { 8, 7 };
static const FpFormat fp_format_f32 = { 8, 23 };
static const FpFormat fp_format_f64 = { 11, 52 };
static const FpFormat fp_format_f128 = { 15, 112 };
#define F80_BIAS 16383
#define F80_EXP_MAX 32767

#define NUM_TOP ((u128)1 << 127)
#define NUM_QUIET ((u128)1 << 126)

/* fpu-rules.c: the NaN rules, out of the way of the fast paths. */
FpNum num_default_nan(const FpRules *rules);
FpNum num_quiet_nan(FpNum a, FpStatus *s);
FpNum num_invalid(uint32_t why, FpStatus *s);
FpNum num_pick_nan(FpNum a, FpNum b, FpStatus *s);
FpNum num_pick_nan3(FpNum a, FpNum b, FpNum c, bool inf_zero, FpStatus *s);

FP_INLINE unsigned num_clz(u128 v)
{
    uint64_t hi = (uint64_t)(v >> 64);
    return hi ? (unsigned)__builtin_clzll(hi) : 64 + (unsigned)__builtin_clzll((uint64_t)v);
}

FP_INLINE u128 num_shr_jam(u128 v, unsigned n)
{
    if (n == 0) {
        return v;
    }
    if (likely(n < 128)) {
        return (v >> n) | ((v << (128 - n)) != 0);
    }
    return v != 0;
}

FP_INLINE int format_bias(const FpFormat *f)
{
    return (1 << (f->exp_bits - 1)) - 1;
}

/* Raised by an operation once its operands are known not to be NaNs. */
FP_INLINE void num_note_subnormal(bool any, FpStatus *s)
{
    if (unlikely(any)) {
        s->flags |= FP_DENORMAL;
    }
}

/* Whether a magnitude with discarded bits `half` and `sticky` moves up by one. */
FP_INLINE bool num_rounds_up(unsigned rounding, bool sign, bool lsb, bool half, bool sticky)
{
    switch (rounding) {
    case FP_RNE:
        return half && (sticky || lsb);
    case FP_RDN:
        return sign && (half || sticky);
    case FP_RUP:
        return !sign && (half || sticky);
    case FP_RMM:
        return half;
    case FP_RTO:
        return !lsb && (half || sticky);
    default:
        return false;
    }
}

/* Overflow gives infinity or the largest finite number (754-2019, 7.4). */
FP_INLINE bool num_overflows_to_inf(unsigned rounding, bool sign)
{
    return rounding == FP_RNE || rounding == FP_RMM || (rounding == FP_RUP && !sign) ||
           (rounding == FP_RDN && sign);
}

FP_INLINE FpNum num_unpack(const FpFormat *f, u128 bits, FpStatus *s)
{
    const unsigned exp_max = (1u << f->exp_bits) - 1;
    unsigned e = (unsigned)(bits >> f->frac_bits) & exp_max;
    FpNum n = { .sign = (bits >> (f->exp_bits + f->frac_bits)) & 1 };
    u128 frac = (bits << (128 - f->frac_bits)) >> 1;

    if (likely(e != 0 && e != exp_max)) {
        n.cls = NUM_NORMAL;
        n.exp = (int)e - format_bias(f);
        n.sig = frac | NUM_TOP;
    } else if (e == 0) {
        if (frac == 0) {
            n.cls = NUM_ZERO;
        } else if (s->flush_inputs) {
            s->flags |= FP_INPUT_FLUSHED;
            n.cls = NUM_ZERO;
        } else {
            unsigned shift = num_clz(frac);
            n.cls = NUM_NORMAL;
            n.subnormal = true;
            n.sig = frac << shift;
            n.exp = 1 - format_bias(f) - (int)shift;
        }
    } else if (frac == 0) {
        n.cls = NUM_INF;
    } else {
        bool quiet = (frac & NUM_QUIET) != 0;
        n.cls = quiet != s->rules->signalling_bit_set ? NUM_QNAN : NUM_SNAN;
        n.sig = frac | NUM_TOP;
    }
    return n;
}

/* Infinity, zero and NaN: exact. */
FP_INLINE u128 num_pack_special(const FpFormat *f, FpNum n)
{
    u128 bits = (u128)n.sign << (f->exp_bits + f->frac_bits);
    u128 inf = (u128)((1u << f->exp_bits) - 1) << f->frac_bits;

    if (n.cls == NUM_ZERO) {
        return bits;
    }
    if (n.cls == NUM_INF) {
        return bits | inf;
    }
    u128 frac = (n.sig << 1) >> (128 - f->frac_bits);
    /* A fraction that truncates to nothing must not become infinity. */
    return bits | inf | (frac ? frac : 1);
}

/* A subnormal or flushed result; `biased` <= 0. Returns the magnitude. */
FP_INLINE u128 num_round_tiny(const FpFormat *f, FpNum n, int biased, FpStatus *s)
{
    const int discard = 127 - f->frac_bits;
    bool tiny = true;

    if (s->flush_outputs == FP_FLUSH_BEFORE) {
        s->flags |= FP_UNDERFLOW | FP_OUTPUT_FLUSHED;
        return 0;
    }
    if (!s->tininess_before && biased == 0) {
        /* Not tiny if it would round up to the smallest normal with unbounded exponent. */
        u128 q = n.sig >> discard;
        bool half = (n.sig >> (discard - 1)) & 1;
        bool sticky = (n.sig << (129 - discard)) != 0;
        tiny = !((~q << discard) == 0 && num_rounds_up(s->rounding, n.sign, q & 1, half, sticky));
    }
    if (tiny && s->flush_outputs == FP_FLUSH_AFTER) {
        s->flags |= FP_UNDERFLOW | FP_INEXACT | FP_OUTPUT_FLUSHED;
        return 0;
    }
    u128 sig = num_shr_jam(n.sig, (unsigned)(1 - biased));
    u128 q = sig >> discard;
    bool half = (sig >> (discard - 1)) & 1;
    bool sticky = (sig << (129 - discard)) != 0;
    if (half || sticky) {
        s->flags |= FP_INEXACT | (tiny ? FP_UNDERFLOW : 0);
        q += num_rounds_up(s->rounding, n.sign, q & 1, half, sticky);
    }
    return q;
}

/* Rounds and encodes. */
FP_INLINE u128 num_pack(const FpFormat *f, FpNum n, FpStatus *s)
{
    const int discard = 127 - f->frac_bits;
    const int exp_max = (1 << f->exp_bits) - 1;
    const u128 inf = (u128)(unsigned)exp_max << f->frac_bits;
    u128 mag;

    if (unlikely(n.cls != NUM_NORMAL)) {
        return num_pack_special(f, n);
    }
    int biased = n.exp + format_bias(f);
    if (unlikely(biased <= 0)) {
        mag = num_round_tiny(f, n, biased, s);
    } else {
        u128 q = n.sig >> discard;
        bool half = (n.sig >> (discard - 1)) & 1;
        bool sticky = (n.sig << (129 - discard)) != 0;
        if (half | sticky) {
            s->flags |= FP_INEXACT;
            q += num_rounds_up(s->rounding, n.sign, q & 1, half, sticky);
        }
        /* The integer bit, or a carry out of it, adds to the exponent field. */
        mag = ((u128)(unsigned)(biased - 1) << f->frac_bits) + q;
        if (unlikely(biased >= exp_max || mag >= inf)) {
            s->flags |= FP_OVERFLOW | FP_INEXACT;
            mag = inf - !num_overflows_to_inf(s->rounding, n.sign);
        }
    }
    return mag | ((u128)n.sign << (f->exp_bits + f->frac_bits));
}

/* fpu-x87.c */
FpNum num_unpack_f80(f80 a, FpStatus *s);
f80 num_pack_f80(FpNum n, unsigned precision, FpStatus *s);

#define FP_DEFINE_PACK(T)                                                 \
    FP_INLINE FpNum T##_unpack(T a, FpStatus *s)                          \
    { return num_unpack(&fp_format_##T, a, s); }                          \
    FP_INLINE T T##_pack(FpNum n, FpStatus *s)                            \
    { return (T)num_pack(&fp_format_##T, n, s); }                         \
    /* Results of operations that precision control applies to. */       \
    FP_INLINE T T##_pack_arith(FpNum n, FpStatus *s)                      \
    { return T##_pack(n, s); }
FP_DEFINE_PACK(f16)
FP_DEFINE_PACK(bf16)
FP_DEFINE_PACK(f32)
FP_DEFINE_PACK(f64)

FP_INLINE FpNum f80_unpack(f80 a, FpStatus *s)
{
    return num_unpack_f80(a, s);
}

FP_INLINE f80 f80_pack(FpNum n, FpStatus *s)
{
    return num_pack_f80(n, 64, s);
}

FP_INLINE f80 f80_pack_arith(FpNum n, FpStatus *s)
{
    return num_pack_f80(n, s->precision == 24 || s->precision == 53 ? s->precision : 64, s);
}

FP_INLINE FpNum f128_unpack(f128 a, FpStatus *s)
{
    return num_unpack(&fp_format_f128, (u128)a.hi << 64 | a.lo, s);
}

FP_INLINE f128 f128_pack(FpNum n, FpStatus *s)
{
    u128 bits = num_pack(&fp_format_f128, n, s);
    return (f128){ .lo = (uint64_t)bits, .hi = (uint64_t)(bits >> 64) };
}

/* Applies X to every format with the full set of operations. */
#define FP_EACH_FORMAT(X) X(f16) X(bf16) X(f32) X(f64) X(f80)

#endif
