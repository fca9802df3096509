/*
 * helper-fp.c: one lane of floating point by exact software arithmetic: half precision, modes and operations that translated code
 * does not do itself, and what is rare. Arm ARM J1, shared/functions/float.
 */
#include "target/arm/fp.h"
#include "target/arm/translate.h"

static FpRounding rounding_of(uint32_t code, const FpStatus *s)
{
    unsigned r = code >> 12 & 15;

    return r == ARM_FP_DYN ? s->rounding : r;
}

/* FPRoundIntN: what does not fit, and what is no number, becomes the least integer. */
#define DEFINE_ROUND_N(T)                                                                                    \
    static T T##_round_n(T a, unsigned bits, FpRounding rounding, FpStatus *s)                               \
    {                                                                                                        \
        FpStatus t = *s;                                                                                     \
        t.flags = 0;                                                                                         \
        T##_to_int(a, bits, true, 0, rounding, &t);                                                          \
        if (t.flags & FP_INVALID) {                                                                          \
            s->flags |= FP_INVALID;                                                                          \
            return T##_from_int(~(uint64_t)0 << (bits - 1), true, 0, s);                                     \
        }                                                                                                    \
        return T##_round_to_int(a, rounding, true, s);                                                       \
    }
DEFINE_ROUND_N(f32)
DEFINE_ROUND_N(f64)

static uint64_t nzcv(FpRelation relation)
{
    static const uint8_t flags[4] = { ARM_N, ARM_Z | ARM_C, ARM_C, ARM_C | ARM_V };

    return (uint64_t)flags[relation + 1] << 28;
}

static unsigned muladd_signs(uint32_t code, unsigned flag) { return code >> 16 & flag; }

/* Operations that exist in every format. The manual negates operands of a fused operation before it looks for NaNs. */
#define DEFINE_LANE(T)                                                                                       \
    static uint64_t T##_lane(uint32_t code, T a, T b, T c, FpStatus *s)                                      \
    {                                                                                                        \
        const T sign = (T)((T)1 << (sizeof(T) * 8 - 1));                                                     \
        switch ((ArmFpOp)(code & 255)) {                                                                     \
        case ARM_FP_ADD: return T##_add(a, b, s);                                                            \
        case ARM_FP_SUB: return T##_sub(a, b, s);                                                            \
        case ARM_FP_MUL: return T##_mul(a, b, s);                                                            \
        case ARM_FP_NMUL: return (T)(T##_mul(a, b, s) ^ sign);                                               \
        case ARM_FP_MULX: return T##_arm_mulx(a, b, s);                                                      \
        case ARM_FP_DIV: return T##_div(a, b, s);                                                            \
        case ARM_FP_ABD: return (T)(T##_sub(a, b, s) & ~sign);                                               \
        case ARM_FP_SQRT: return T##_sqrt(a, s);                                                             \
        case ARM_FP_MADD:                                                                                    \
            a ^= muladd_signs(code, ARM_FP_NEG_PRODUCT) ? sign : 0;                                          \
            c ^= muladd_signs(code, ARM_FP_NEG_ADDEND) ? sign : 0;                                           \
            return T##_muladd(a, b, c, 0, s);                                                                \
        case ARM_FP_MAX: return T##_minmax(a, b, FP_MAXIMUM, s);                                             \
        case ARM_FP_MIN: return T##_minmax(a, b, FP_MINIMUM, s);                                             \
        case ARM_FP_MAXNM: return T##_minmax(a, b, FP_MAXNUM, s);                                            \
        case ARM_FP_MINNM: return T##_minmax(a, b, FP_MINNUM, s);                                            \
        case ARM_FP_RECPS: return T##_arm_recps(a, b, s);                                                    \
        case ARM_FP_RSQRTS: return T##_arm_rsqrts(a, b, s);                                                  \
        case ARM_FP_RECPE: return T##_arm_recpe(a, s);                                                       \
        case ARM_FP_RSQRTE: return T##_arm_rsqrte(a, s);                                                     \
        case ARM_FP_RECPX: return T##_arm_recpx(a, s);                                                       \
        case ARM_FP_CMEQ: return T##_eq(a, b, s) ? ~(uint64_t)0 : 0;                                         \
        case ARM_FP_CMGE: return T##_le(b, a, s) ? ~(uint64_t)0 : 0;                                         \
        case ARM_FP_CMGT: return T##_lt(b, a, s) ? ~(uint64_t)0 : 0;                                         \
        case ARM_FP_ACGE: return T##_le((T)(b & ~sign), (T)(a & ~sign), s) ? ~(uint64_t)0 : 0;               \
        case ARM_FP_ACGT: return T##_lt((T)(b & ~sign), (T)(a & ~sign), s) ? ~(uint64_t)0 : 0;               \
        case ARM_FP_CMP: return nzcv(T##_compare_quiet(a, b, s));                                            \
        case ARM_FP_CMPE: return nzcv(T##_compare(a, b, s));                                                 \
        case ARM_FP_ROUND:                                                                                   \
            return T##_round_to_int(a, rounding_of(code, s), code >> 16 & ARM_FP_EXACT, s);                  \
        case ARM_FP_TO_S: case ARM_FP_TO_U:                                                                  \
            return T##_to_int(a, 8u << (code >> 10 & 3), (code & 255) == ARM_FP_TO_S, (int)(code >> 20),     \
                              rounding_of(code, s), s);                                                      \
        default: return 0;  /* not of one format: arm_fp_lane() */                                                                            \
        }                                                                                                    \
    }
DEFINE_LANE(f16)
DEFINE_LANE(f32)
DEFINE_LANE(f64)

static uint64_t from_int(uint32_t code, uint64_t a, FpStatus *s)
{
    bool is_signed = (code & 255) == ARM_FP_FROM_S;
    unsigned unused_bits = 64 - (8u << (code >> 10 & 3));
    int fraction = (int)(code >> 20);

    a = is_signed ? (uint64_t)((int64_t)(a << unused_bits) >> unused_bits) : a << unused_bits >> unused_bits;
    switch (code >> 8 & 3) {
    case 1: return f16_from_int(a, is_signed, fraction, s);
    case 2: return f32_from_int(a, is_signed, fraction, s);
    default: return f64_from_int(a, is_signed, fraction, s);
    }
}

/* FPConvert: FZ16 does not count here, and operands of half precision are not flushed. */
static uint64_t convert(uint32_t code, uint64_t a, bool alternative, FpStatus *s)
{
    unsigned from = code >> 8 & 3, to = code >> 10 & 3, r = code >> 12 & 15;

    if (r != ARM_FP_DYN) {
        s->rounding = (uint8_t)r;
    }
    if (to == 1) {
        s->flush_outputs = FP_FLUSH_NONE;
        return from == 2 ? (alternative ? f32_to_f16_arm_alternative : f32_to_f16)((f32)a, s)
                         : (alternative ? f64_to_f16_arm_alternative : f64_to_f16)(a, s);
    }
    if (from == 1) {
        s->flush_inputs = false;
        return to == 2 ? (alternative ? f16_arm_alternative_to_f32 : f16_to_f32)((f16)a, s)
                       : (alternative ? f16_arm_alternative_to_f64 : f16_to_f64)((f16)a, s);
    }
    return from == 2 ? f32_to_f64((f32)a, s) : f64_to_f32(a, s);
}

/* FPToFixedJS: Z says that the number was an integer of 32 bits; neither -0 nor a flushed subnormal is one. */
static uint64_t to_javascript(f64 a, FpStatus *s)
{
    uint32_t before = s->flags;
    uint64_t r;

    s->flags = 0;
    r = (uint32_t)f64_to_i32_modular(a, s);
    if (!(s->flags & (FP_INVALID | FP_INEXACT | FP_INPUT_FLUSHED)) && a != BIT(63)) {
        r |= BIT(32);
    }
    s->flags |= before;
    return r;
}

uint64_t arm_fp_lane(Vcpu *vcpu, uint32_t code, uint64_t a, uint64_t b, uint64_t c)
{
    ArmFpOp op = code & 255;
    unsigned size = code >> 8 & 3, flags_size = size;
    FpStatus s = arm_fp_begin(vcpu, size);
    uint64_t r;

    switch (op) {
    case ARM_FP_FROM_S: case ARM_FP_FROM_U:
        r = from_int(code, a, &s);
        break;
    case ARM_FP_CVT:
        flags_size = 3;
        s = arm_fp_begin(vcpu, flags_size);
        r = convert(code, a, arm_state(vcpu)->fpcr & ARM_FPCR_AHP, &s);
        break;
    case ARM_FP_TO_BF:
        r = f32_to_bf16((f32)a, &s);
        break;
    case ARM_FP_JCVT:
        r = to_javascript(a, &s);
        break;
    case ARM_FP_ROUND_N:
        r = size == 2 ? f32_round_n((f32)a, 8u << (code >> 10 & 3), rounding_of(code, &s), &s)
                      : f64_round_n(a, 8u << (code >> 10 & 3), rounding_of(code, &s), &s);
        break;
    default:
        r = size == 1 ? f16_lane(code, (f16)a, (f16)b, (f16)c, &s)
            : size == 2 ? f32_lane(code, (f32)a, (f32)b, (f32)c, &s) : f64_lane(code, a, b, c, &s);
        break;
    }
    arm_fp_end(vcpu, &s, flags_size);
    return r;
}

uint64_t arm_helper_fp(Vcpu *vcpu, uint32_t code, uint64_t a, uint64_t b, uint64_t c)
{
    return arm_fp_lane(vcpu, code, a, b, c);
}
