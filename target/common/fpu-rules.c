/*
 * fpu-rules.c: what architectures do with NaNs and invalid conversions.
 *
 * A new architecture adds a row at the end and, if it picks NaNs in a way of
 * its own, a case in num_pick_nan. IEEE 754-2019, 6.2, leaves these open.
 * No state; any thread.
 */
#include "target/common/fpu-num.h"

FpNum num_default_nan(const FpRules *rules)
{
    return (FpNum){
        .cls = rules->signalling_bit_set && rules->default_nan_frac >> 63 ? NUM_SNAN : NUM_QNAN,
        .sign = rules->default_nan_negative,
        /* The low half repeats bit 0, for formats wider than 64 bits. */
        .sig = NUM_TOP | (u128)rules->default_nan_frac << 63 |
               (rules->default_nan_frac & 1 ? ((u128)1 << 63) - 1 : 0),
    };
}

FpNum num_quiet_nan(FpNum a, FpStatus *s)
{
    if (a.cls == NUM_SNAN) {
        s->flags |= FP_INVALID | FP_INVALID_SNAN;
    }
    if (s->rules->nan_pick == FP_NAN_PICK_DEFAULT || a.unsupported) {
        return num_default_nan(s->rules);
    }
    if (a.cls == NUM_SNAN) {
        if (s->rules->signalling_bit_set) {
            return num_default_nan(s->rules);
        }
        a.cls = NUM_QNAN;
        a.sig |= NUM_QUIET;
    }
    return a;
}

FpNum num_invalid(uint32_t why, FpStatus *s)
{
    s->flags |= FP_INVALID | why;
    return num_default_nan(s->rules);
}

/*
 * The x87 prefers quiet NaNs to signalling ones, then the larger significand,
 * then the positive one (SDM volume 1, table 4-7).
 */
static FpNum pick_x87(FpNum a, FpNum b, FpStatus *s)
{
    if (!(b.cls & NUM_NAN)) {
        return num_quiet_nan(a, s);
    }
    if (!(a.cls & NUM_NAN)) {
        return num_quiet_nan(b, s);
    }
    if (a.cls != b.cls) {
        return num_quiet_nan(a.cls == NUM_QNAN ? a : b, s);
    }
    if (a.sig != b.sig) {
        return num_quiet_nan(a.sig > b.sig ? a : b, s);
    }
    return num_quiet_nan(a.sign ? b : a, s);
}

FpNum num_pick_nan(FpNum a, FpNum b, FpStatus *s)
{
    if ((a.cls | b.cls) & NUM_SNAN) {
        s->flags |= FP_INVALID | FP_INVALID_SNAN;
    }
    if (a.unsupported || b.unsupported) {
        return num_default_nan(s->rules);
    }
    switch (s->rules->nan_pick) {
    case FP_NAN_PICK_SIGNALLING:
        if (b.cls == NUM_SNAN && a.cls != NUM_SNAN) {
            return num_quiet_nan(b, s);
        }
        break;
    case FP_NAN_PICK_X87:
        return pick_x87(a, b, s);
    default:
        break;
    }
    return num_quiet_nan(a.cls & NUM_NAN ? a : b, s);
}

FpNum num_pick_nan3(FpNum a, FpNum b, FpNum c, bool inf_zero, FpStatus *s)
{
    const FpNum *operand[3] = { &a, &b, &c };
    const FpRules *rules = s->rules;

    if ((a.cls | b.cls | c.cls) & NUM_SNAN) {
        s->flags |= FP_INVALID | FP_INVALID_SNAN;
    }
    if (inf_zero && rules->fma_inf_zero_nan != FP_INFZERO_PICK) {
        s->flags |= FP_INVALID | FP_INVALID_INF_MUL;
        if (rules->fma_inf_zero_nan == FP_INFZERO_DEFAULT_INVALID && c.cls == NUM_QNAN) {
            return num_default_nan(rules);
        }
    }
    if (rules->nan_pick == FP_NAN_PICK_SIGNALLING) {
        for (int i = 0; i < 3; i++) {
            if (operand[rules->fma_order[i]]->cls == NUM_SNAN) {
                return num_quiet_nan(*operand[rules->fma_order[i]], s);
            }
        }
    }
    for (int i = 0; i < 2; i++) {
        if (operand[rules->fma_order[i]]->cls & NUM_NAN) {
            return num_quiet_nan(*operand[rules->fma_order[i]], s);
        }
    }
    return num_quiet_nan(*operand[rules->fma_order[2]], s);
}

#define NAN_QUIET_ONLY 0x8000000000000000u

/* RISC-V unprivileged ISA, 21.3: NaN results are canonical; fcvt as in its table. */
const FpRules fp_rules_riscv = {
    .nan_pick = FP_NAN_PICK_DEFAULT,
    .fma_order = { 0, 1, 2 },
    .fma_inf_zero_nan = FP_INFZERO_DEFAULT_INVALID,
    .default_nan_frac = NAN_QUIET_ONLY,
    .int_nan = FP_INT_MAX,
    .int_overflow = FP_INT_SATURATE,
};

/*
 * Intel SDM volume 1, 4.8.3.5 and 14.5 (FMA): multiplicand, multiplier, addend, where
 * the 213 forms have their second operand as multiplicand.
 */
const FpRules fp_rules_x86 = {
    .nan_pick = FP_NAN_PICK_FIRST,
    .fma_order = { 0, 1, 2 },
    .fma_inf_zero_nan = FP_INFZERO_PICK,
    .default_nan_negative = true,
    .default_nan_frac = NAN_QUIET_ONLY,
    .int_nan = FP_INT_INDEFINITE,
    .int_overflow = FP_INT_INDEFINITE,
};

const FpRules fp_rules_x87 = {
    .nan_pick = FP_NAN_PICK_X87,
    .fma_order = { 0, 1, 2 },
    .fma_inf_zero_nan = FP_INFZERO_PICK,
    .default_nan_negative = true,
    .default_nan_frac = NAN_QUIET_ONLY,
    .int_nan = FP_INT_INDEFINITE,
    .int_overflow = FP_INT_INDEFINITE,
};

/* Arm ARM (DDI 0487), FPProcessNaNs and FPProcessNaNs3: the addend first. */
const FpRules fp_rules_arm = {
    .nan_pick = FP_NAN_PICK_SIGNALLING,
    .fma_order = { 2, 0, 1 },
    .fma_inf_zero_nan = FP_INFZERO_DEFAULT_INVALID,
    .default_nan_frac = NAN_QUIET_ONLY,
    .int_nan = FP_INT_ZERO,
    .int_overflow = FP_INT_SATURATE,
};

const FpRules fp_rules_arm_default = {
    .nan_pick = FP_NAN_PICK_DEFAULT,
    .fma_order = { 2, 0, 1 },
    .fma_inf_zero_nan = FP_INFZERO_DEFAULT_INVALID,
    .default_nan_frac = NAN_QUIET_ONLY,
    .int_nan = FP_INT_ZERO,
    .int_overflow = FP_INT_SATURATE,
};
