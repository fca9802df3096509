/*
 * fpu.h: exact software floating point, shared by all guest CPUs.
 *
 * Values are plain integers holding the IEEE 754 interchange encoding; f80 is
 * the x87 extended format with its explicit integer bit. No operation uses
 * the host's floating point, so the host's rounding mode may be anything.
 *
 * Everything that differs between architectures is data: the dynamic part is
 * in FpStatus, the fixed part (NaN and integer-conversion rules) in FpRules.
 * Operations accumulate exceptions in FpStatus.flags and never clear them.
 *
 * Standard: IEEE 754-2019 unless a comment says otherwise.
 * Threads: a FpStatus belongs to one vCPU; rules are constant.
 */
#ifndef TARGET_FPU_H
#define TARGET_FPU_H

#include "util/base.h"

typedef uint16_t f16;  /* binary16 */
typedef uint16_t bf16; /* bfloat16: binary32 without the low 16 bits */
typedef uint32_t f32;
typedef uint64_t f64;
typedef struct f80 {
    uint64_t sig;      /* explicit integer bit in bit 63 */
    uint16_t sign_exp; /* sign in bit 15 */
} f80;
typedef struct f128 {
    uint64_t lo, hi;
} f128;

/* The first five are numbered like RISC-V's frm. */
typedef enum FpRounding {
    FP_RNE, /* to nearest, ties to even */
    FP_RTZ, /* toward zero */
    FP_RDN, /* toward minus infinity */
    FP_RUP, /* toward plus infinity */
    FP_RMM, /* to nearest, ties to the larger magnitude */
    FP_RTO, /* to odd: truncate, then set the last bit when inexact */
} FpRounding;

/* FpStatus.flags. The first five are numbered like RISC-V's fflags. */
enum {
    FP_INEXACT = 1 << 0,
    FP_UNDERFLOW = 1 << 1,
    FP_OVERFLOW = 1 << 2,
    FP_DIVZERO = 1 << 3,
    FP_INVALID = 1 << 4,
    FP_IEEE_FLAGS = 31,
    FP_DENORMAL = 1 << 5,       /* a subnormal operand was used (x86 DE) */
    FP_INPUT_FLUSHED = 1 << 6,  /* a subnormal operand was read as zero (Arm IDC) */
    FP_OUTPUT_FLUSHED = 1 << 7, /* a subnormal result was written as zero */
    FP_ROUNDED_UP = 1 << 8,     /* f80 arithmetic, round_to_int: magnitude grew (x87 C1) */
    /* Why FP_INVALID was raised; FP_INVALID is set as well. */
    FP_INVALID_SNAN = 1 << 9,
    FP_INVALID_INF_SUB = 1 << 10,  /* inf - inf */
    FP_INVALID_INF_DIV = 1 << 11,  /* inf / inf */
    FP_INVALID_ZERO_DIV = 1 << 12, /* 0 / 0 */
    FP_INVALID_INF_MUL = 1 << 13,  /* inf * 0 */
    FP_INVALID_SQRT = 1 << 14,
    FP_INVALID_CONVERT = 1 << 15,  /* to integer: NaN or out of range */
    FP_INVALID_COMPARE = 1 << 16,  /* ordered comparison of a NaN */
};

typedef enum FpFlush {
    FP_FLUSH_NONE,
    /* x86 FTZ: tininess as FpStatus says; raises underflow and inexact. */
    FP_FLUSH_AFTER,
    /* Arm FZ: tininess before rounding; raises underflow only. */
    FP_FLUSH_BEFORE,
} FpFlush;

/* Which operand of a two-operand operation a NaN result comes from. */
typedef enum FpNanPick {
    FP_NAN_PICK_DEFAULT,    /* none: always the default NaN */
    FP_NAN_PICK_FIRST,      /* the first that is a NaN */
    FP_NAN_PICK_SIGNALLING, /* the first signalling, else the first quiet */
    FP_NAN_PICK_X87,        /* quiet before signalling, then larger significand */
} FpNanPick;

/* a*b + c where a*b is infinity times zero and c is a quiet NaN. */
typedef enum FpInfZeroNan {
    FP_INFZERO_PICK,            /* the NaN, as usual; not invalid */
    FP_INFZERO_PICK_INVALID,    /* the NaN; invalid */
    FP_INFZERO_DEFAULT_INVALID, /* the default NaN; invalid */
} FpInfZeroNan;

/* Integer results of invalid conversions. */
typedef enum FpIntResult {
    FP_INT_SATURATE, /* overflow: nearest by sign */
    FP_INT_ZERO,
    FP_INT_MAX,      /* largest of the type */
    FP_INT_MIN,      /* smallest of the type */
    FP_INT_INDEFINITE, /* x86: only the top bit for signed, all ones for unsigned */
} FpIntResult;

/* The rules an architecture fixes for ever. They are in fpu-rules.c. */
typedef struct FpRules {
    FpNanPick nan_pick;
    uint8_t fma_order[3];       /* operands (0 = a, 1 = b, 2 = c) in order of preference */
    FpInfZeroNan fma_inf_zero_nan;
    bool default_nan_negative;
    uint64_t default_nan_frac;  /* fraction field, left-aligned */
    bool signalling_bit_set;    /* MIPS before 2008, PA-RISC: quiet bit inverted */
    FpIntResult int_nan, int_overflow;
} FpRules;

extern const FpRules fp_rules_riscv;
extern const FpRules fp_rules_x86;         /* SSE and AVX; FMA in instruction order */
extern const FpRules fp_rules_x87;
extern const FpRules fp_rules_arm;         /* FPCR.DN = 0 */
extern const FpRules fp_rules_arm_default; /* FPCR.DN = 1 */

typedef struct FpStatus {
    const FpRules *rules;
    uint32_t flags;         /* accumulated FP_… exceptions */
    uint8_t rounding;       /* FpRounding */
    uint8_t flush_outputs;  /* FpFlush */
    bool flush_inputs;      /* subnormal operands are zeros */
    bool tininess_before;   /* detect tininess before rounding */
    uint8_t precision;      /* f80 arithmetic: 24, 53; anything else is 64 bits */
    uint8_t trapped;        /* FP_OVERFLOW, FP_UNDERFLOW: f80 results have their exponent moved by 24576 into range
                               (x87, unmasked; SDM volume 1, 8.5.4 and 8.5.5), and every tiny one raises underflow */
} FpStatus;

/* Comparison results. */
typedef enum FpRelation {
    FP_LESS = -1,
    FP_EQUAL = 0,
    FP_GREATER = 1,
    FP_UNORDERED = 2,
} FpRelation;

/* fXX_muladd flags; they do not touch NaNs. */
enum {
    FP_NEGATE_PRODUCT = 1,
    FP_NEGATE_ADDEND = 2,
    FP_NEGATE_RESULT = 4, /* after rounding */
    FP_HALVE_RESULT = 8,  /* before rounding */
};

/* fXX_minmax kind; -0 is less than +0 in all of them. */
typedef enum FpMinMax {
    FP_MINNUM,         /* 754-2008 minNum: a signalling NaN gives a NaN */
    FP_MAXNUM,
    FP_MINIMUM_NUMBER, /* 754-2019: a number wins against any NaN (RISC-V fmin) */
    FP_MAXIMUM_NUMBER,
    FP_MINIMUM,        /* 754-2019: NaN wins (RISC-V fminm, Arm FMIN) */
    FP_MAXIMUM,
    FP_MINNUM_MAG,     /* as FP_MINNUM, by magnitude first */
    FP_MAXNUM_MAG,
} FpMinMax;

/* fXX_classify: bit numbers are those of RISC-V's fclass. */
enum {
    FP_CLASS_NEG_INF = 1 << 0,
    FP_CLASS_NEG_NORMAL = 1 << 1,
    FP_CLASS_NEG_SUBNORMAL = 1 << 2,
    FP_CLASS_NEG_ZERO = 1 << 3,
    FP_CLASS_POS_ZERO = 1 << 4,
    FP_CLASS_POS_SUBNORMAL = 1 << 5,
    FP_CLASS_POS_NORMAL = 1 << 6,
    FP_CLASS_POS_INF = 1 << 7,
    FP_CLASS_SNAN = 1 << 8,
    FP_CLASS_QNAN = 1 << 9,
};

/*
 * The operations every format has. T is the type's name.
 *   rem            a - b*n, n the integer nearest to a/b, ties to even
 *   scalbn         a * 2^n
 *   compare        signalling: any NaN is invalid; compare_quiet: only signalling NaNs are
 *   round_to_int   to an integral value in the same format; `exact` raises inexact
 *   to_int         value * 2^scale to an integer of `bits` (1..64) bits; the result is
 *                  sign- or zero-extended. Out of range and NaN: the rules' result.
 *   from_int       value / 2^scale; `value` is read as int64_t when is_signed
 *   default_nan    the rules'
 */
#define FP_DECLARE(T)                                                                         \
    T T##_add(T a, T b, FpStatus *s);                                                         \
    T T##_sub(T a, T b, FpStatus *s);                                                         \
    T T##_mul(T a, T b, FpStatus *s);                                                         \
    T T##_div(T a, T b, FpStatus *s);                                                         \
    T T##_sqrt(T a, FpStatus *s);                                                             \
    T T##_rem(T a, T b, FpStatus *s);                                                         \
    T T##_scalbn(T a, int n, FpStatus *s);                                                    \
    T T##_minmax(T a, T b, FpMinMax kind, FpStatus *s);                                       \
    FpRelation T##_compare(T a, T b, FpStatus *s);                                            \
    FpRelation T##_compare_quiet(T a, T b, FpStatus *s);                                      \
    unsigned T##_classify(T a, const FpRules *rules);                                       \
    T T##_round_to_int(T a, FpRounding rounding, bool exact, FpStatus *s);                    \
    uint64_t T##_to_int(T a, unsigned bits, bool is_signed, int scale, FpRounding rounding,   \
                        FpStatus *s);                                                         \
    T T##_from_int(uint64_t value, bool is_signed, int scale, FpStatus *s);                   \
    T T##_default_nan(const FpRules *rules);                                                \
    static inline int32_t T##_to_i32(T a, FpRounding r, FpStatus *s)                          \
    { return (int32_t)T##_to_int(a, 32, true, 0, r, s); }                                     \
    static inline uint32_t T##_to_u32(T a, FpRounding r, FpStatus *s)                         \
    { return (uint32_t)T##_to_int(a, 32, false, 0, r, s); }                                   \
    static inline int64_t T##_to_i64(T a, FpRounding r, FpStatus *s)                          \
    { return (int64_t)T##_to_int(a, 64, true, 0, r, s); }                                     \
    static inline uint64_t T##_to_u64(T a, FpRounding r, FpStatus *s)                         \
    { return T##_to_int(a, 64, false, 0, r, s); }                                             \
    static inline T T##_from_i32(int32_t v, FpStatus *s)                                      \
    { return T##_from_int((uint64_t)(int64_t)v, true, 0, s); }                                \
    static inline T T##_from_u32(uint32_t v, FpStatus *s)                                     \
    { return T##_from_int(v, false, 0, s); }                                                  \
    static inline T T##_from_i64(int64_t v, FpStatus *s)                                      \
    { return T##_from_int((uint64_t)v, true, 0, s); }                                         \
    static inline T T##_from_u64(uint64_t v, FpStatus *s)                                     \
    { return T##_from_int(v, false, 0, s); }                                                  \
    static inline bool T##_eq(T a, T b, FpStatus *s)                                          \
    { return T##_compare_quiet(a, b, s) == FP_EQUAL; }                                        \
    static inline bool T##_lt(T a, T b, FpStatus *s)                                          \
    { return T##_compare(a, b, s) == FP_LESS; }                                               \
    static inline bool T##_le(T a, T b, FpStatus *s)                                          \
    { return T##_compare(a, b, s) <= FP_EQUAL; }                                              \
    static inline bool T##_eq_signalling(T a, T b, FpStatus *s)                               \
    { return T##_compare(a, b, s) == FP_EQUAL; }                                              \
    static inline bool T##_lt_quiet(T a, T b, FpStatus *s)                                    \
    { return T##_compare_quiet(a, b, s) == FP_LESS; }                                         \
    static inline bool T##_le_quiet(T a, T b, FpStatus *s)                                    \
    { return T##_compare_quiet(a, b, s) <= FP_EQUAL; }                                        \
    static inline bool T##_unordered_quiet(T a, T b, FpStatus *s)                             \
    { return T##_compare_quiet(a, b, s) == FP_UNORDERED; }

FP_DECLARE(f16)
FP_DECLARE(bf16)
FP_DECLARE(f32)
FP_DECLARE(f64)
FP_DECLARE(f80) /* add sub mul div sqrt honour FpStatus.precision */

/* a*b + c rounded once; flags are FP_NEGATE_… and FP_HALVE_RESULT. */
f16 f16_muladd(f16 a, f16 b, f16 c, unsigned flags, FpStatus *s);
bf16 bf16_muladd(bf16 a, bf16 b, bf16 c, unsigned flags, FpStatus *s);
f32 f32_muladd(f32 a, f32 b, f32 c, unsigned flags, FpStatus *s);
f64 f64_muladd(f64 a, f64 b, f64 c, unsigned flags, FpStatus *s);

/* Conversions between formats. A signalling NaN is invalid and quieted. */
#define FP_DECLARE_CONVERT(T, U) U T##_to_##U(T a, FpStatus *s);
#define FP_CONVERT_FROM(X, T) X(T, f16) X(T, bf16) X(T, f32) X(T, f64) X(T, f80) X(T, f128)
FP_CONVERT_FROM(FP_DECLARE_CONVERT, f16)
FP_CONVERT_FROM(FP_DECLARE_CONVERT, bf16)
FP_CONVERT_FROM(FP_DECLARE_CONVERT, f32)
FP_CONVERT_FROM(FP_DECLARE_CONVERT, f64)
FP_CONVERT_FROM(FP_DECLARE_CONVERT, f80)
FP_CONVERT_FROM(FP_DECLARE_CONVERT, f128)

/*
 * Truncate, keep the low 32 bits whatever the magnitude; NaN and infinity
 * give 0. Out of range is invalid (RISC-V fcvtmod.w.d, Arm FJCVTZS).
 */
int32_t f64_to_i32_modular(f64 a, FpStatus *s);

/* The 7-bit estimates of RISC-V V 1.0, sections 13.9 and 13.10. */
f16 f16_rsqrt7(f16 a, FpStatus *s);
f32 f32_rsqrt7(f32 a, FpStatus *s);
f64 f64_rsqrt7(f64 a, FpStatus *s);
f16 f16_rec7(f16 a, FpStatus *s);
f32 f32_rec7(f32 a, FpStatus *s);
f64 f64_rec7(f64 a, FpStatus *s);

/* Arm (fpu-arm.c): FRECPE, FRSQRTE, FRECPX, FRECPS, FRSQRTS, FMULX. */
#define FP_DECLARE_ARM(T)                       \
    T T##_arm_recpe(T a, FpStatus *s);          \
    T T##_arm_rsqrte(T a, FpStatus *s);         \
    T T##_arm_recpx(T a, FpStatus *s);          \
    T T##_arm_recps(T a, T b, FpStatus *s);     \
    T T##_arm_rsqrts(T a, T b, FpStatus *s);    \
    T T##_arm_mulx(T a, T b, FpStatus *s);
FP_DECLARE_ARM(f16)
FP_DECLARE_ARM(f32)
FP_DECLARE_ARM(f64)
/* RecipEstimate of 256 to 511, RecipSqrtEstimate of 128 to 511; results 256 to 511. */
uint32_t fp_arm_recip_estimate(uint32_t a);
uint32_t fp_arm_rsqrt_estimate(uint32_t a);
/* The alternative half-precision format (FPCR.AHP). */
f16 f32_to_f16_arm_alternative(f32 a, FpStatus *s);
f16 f64_to_f16_arm_alternative(f64 a, FpStatus *s);
f32 f16_arm_alternative_to_f32(f16 a, FpStatus *s);
f64 f16_arm_alternative_to_f64(f16 a, FpStatus *s);

/* x87: one step of fprem (truncating) or fprem1 (nearest), fpu-x87.c. */
typedef struct FpRemStep {
    f80 value;
    uint64_t quotient; /* low bits of the quotient; valid when complete */
    bool complete;     /* false: only the exponent difference was reduced (C2 = 1) */
} FpRemStep;
FpRemStep f80_rem_step(f80 a, f80 b, bool nearest, FpStatus *s);

#endif
