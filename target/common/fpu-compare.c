/*
 * fpu-compare.c: comparison, minimum and maximum, classification.
 *
 * IEEE 754-2019, 5.6.1, 5.11, 9.6; minNum and maxNum from 754-2008, 5.3.1.
 */
#include "target/common/fpu-num.h"

/* Orders numbers and infinities; zeros by sign when `signed_zero`. */
static FpRelation num_order(FpNum a, FpNum b, bool signed_zero)
{
    if ((a.cls & b.cls) == NUM_ZERO) {
        return !signed_zero || a.sign == b.sign ? FP_EQUAL : a.sign ? FP_LESS : FP_GREATER;
    }
    bool a_sign = a.cls == NUM_ZERO ? !b.sign : a.sign;
    bool b_sign = b.cls == NUM_ZERO ? !a.sign : b.sign;
    if (a_sign != b_sign) {
        return a_sign ? FP_LESS : FP_GREATER;
    }
    FpRelation magnitude;
    if (a.cls != b.cls) {
        /* NUM_ZERO < NUM_NORMAL < NUM_INF */
        magnitude = a.cls < b.cls ? FP_LESS : FP_GREATER;
    } else if (a.cls == NUM_INF) {
        return FP_EQUAL;
    } else if (a.exp != b.exp) {
        magnitude = a.exp < b.exp ? FP_LESS : FP_GREATER;
    } else if (a.sig != b.sig) {
        magnitude = a.sig < b.sig ? FP_LESS : FP_GREATER;
    } else {
        return FP_EQUAL;
    }
    return a_sign ? (FpRelation)-magnitude : magnitude;
}

static FpRelation num_compare(FpNum a, FpNum b, bool quiet, FpStatus *s)
{
    if ((a.cls | b.cls) & NUM_NAN) {
        if ((a.cls | b.cls) & NUM_SNAN) {
            s->flags |= FP_INVALID | FP_INVALID_SNAN;
        }
        if (!quiet) {
            s->flags |= FP_INVALID | FP_INVALID_COMPARE;
        }
        return FP_UNORDERED;
    }
    num_note_subnormal(a.subnormal | b.subnormal, s);
    return num_order(a, b, false);
}

typedef enum Choice { CHOOSE_A, CHOOSE_B, CHOOSE_NAN } Choice;

/* CHOOSE_NAN: the result is *ret_nan. */
static Choice num_minmax(FpNum a, FpNum b, FpMinMax kind, FpNum *ret_nan, FpStatus *s)
{
    bool max = kind == FP_MAXNUM || kind == FP_MAXIMUM_NUMBER || kind == FP_MAXIMUM ||
               kind == FP_MAXNUM_MAG;

    if (unlikely((a.cls | b.cls) & NUM_NAN)) {
        bool both = (a.cls & NUM_NAN) && (b.cls & NUM_NAN);
        bool snan = (a.cls | b.cls) & NUM_SNAN;
        bool number_wins = kind == FP_MINIMUM_NUMBER || kind == FP_MAXIMUM_NUMBER ||
                           (kind != FP_MINIMUM && kind != FP_MAXIMUM && !snan);
        if (both || !number_wins) {
            *ret_nan = num_pick_nan(a, b, s);
            return CHOOSE_NAN;
        }
        if (snan) {
            s->flags |= FP_INVALID | FP_INVALID_SNAN;
        }
        num_note_subnormal(a.subnormal | b.subnormal, s);
        return a.cls & NUM_NAN ? CHOOSE_B : CHOOSE_A;
    }
    num_note_subnormal(a.subnormal | b.subnormal, s);
    FpRelation order = FP_EQUAL;
    if (kind == FP_MINNUM_MAG || kind == FP_MAXNUM_MAG) {
        FpNum x = a, y = b;
        x.sign = y.sign = false;
        order = num_order(x, y, false);
    }
    if (order == FP_EQUAL) {
        order = num_order(a, b, true);
    }
    return (order == FP_GREATER) == max ? CHOOSE_A : CHOOSE_B;
}

static unsigned num_classify(FpNum n)
{
    switch (n.cls) {
    case NUM_SNAN:
        return FP_CLASS_SNAN;
    case NUM_QNAN:
        return FP_CLASS_QNAN;
    case NUM_INF:
        return n.sign ? FP_CLASS_NEG_INF : FP_CLASS_POS_INF;
    case NUM_ZERO:
        return n.sign ? FP_CLASS_NEG_ZERO : FP_CLASS_POS_ZERO;
    default:
        if (n.subnormal) {
            return n.sign ? FP_CLASS_NEG_SUBNORMAL : FP_CLASS_POS_SUBNORMAL;
        }
        return n.sign ? FP_CLASS_NEG_NORMAL : FP_CLASS_POS_NORMAL;
    }
}

/* A chosen zero goes through pack, because it may be a flushed operand. */
#define DEFINE_COMPARE(T)                                                          \
    FpRelation T##_compare(T a, T b, FpStatus *s)                                  \
    { return num_compare(T##_unpack(a, s), T##_unpack(b, s), false, s); }          \
    FpRelation T##_compare_quiet(T a, T b, FpStatus *s)                            \
    { return num_compare(T##_unpack(a, s), T##_unpack(b, s), true, s); }           \
    T T##_minmax(T a, T b, FpMinMax kind, FpStatus *s)                             \
    {                                                                              \
        FpNum x = T##_unpack(a, s), y = T##_unpack(b, s), nan;                     \
        switch (num_minmax(x, y, kind, &nan, s)) {                                 \
        case CHOOSE_A:                                                             \
            return x.cls == NUM_ZERO ? T##_pack(x, s) : a;                         \
        case CHOOSE_B:                                                             \
            return y.cls == NUM_ZERO ? T##_pack(y, s) : b;                         \
        default:                                                                   \
            return T##_pack(nan, s);                                               \
        }                                                                          \
    }                                                                              \
    unsigned T##_classify(T a, const FpRules *rules)                             \
    {                                                                              \
        FpStatus s = { .rules = rules };                                         \
        return num_classify(T##_unpack(a, &s));                                    \
    }                                                                              \
    T T##_default_nan(const FpRules *rules)                                      \
    {                                                                              \
        FpStatus s = { .rules = rules };                                         \
        return T##_pack(num_default_nan(rules), &s);                              \
    }
FP_EACH_FORMAT(DEFINE_COMPARE)
