/*
 * interp-fp.c: scalar floating point of the interpreter, by exact software arithmetic.
 *
 * The guest's rounding mode and sticky flags are kept in vcpu->jit.fp_control_guest in the layout of the
 * x86 MXCSR (Intel SDM vol. 1, 10.2.3) whatever the host: generated code and the targets' helpers use the
 * same word. NaN and conversion rules are those of the target's FpPolicy.
 */
#include "tcg/interp-ops.h"
#include "target/fpu.h"

enum { /* MXCSR */
    MXCSR_IE = 1 << 0, MXCSR_DE = 1 << 1, MXCSR_ZE = 1 << 2, MXCSR_OE = 1 << 3, MXCSR_UE = 1 << 4,
    MXCSR_PE = 1 << 5, MXCSR_DAZ = 1 << 6, MXCSR_RC_SHIFT = 13, MXCSR_FTZ = 1 << 15,
};

static const FpRules *const nan_rules[] = {
    [FP_NAN_CANONICAL] = &fp_rules_riscv,
    [FP_NAN_X86] = &fp_rules_x86,
    [FP_NAN_ARM] = &fp_rules_arm,
};
static const FpRules *const int_rules[] = {
    [FP_TO_INT_RISCV] = &fp_rules_riscv,
    [FP_TO_INT_ARM] = &fp_rules_arm,
    [FP_TO_INT_X86] = &fp_rules_x86,
};

static FpRounding rounding_of(uint16_t aux, uint32_t control)
{
    static const uint8_t dynamic[4] = { FP_RNE, FP_RDN, FP_RUP, FP_RTZ };

    switch (aux & IR_RM_MASK) {
    case IR_RM_NEAREST_EVEN: return FP_RNE;
    case IR_RM_ZERO: return FP_RTZ;
    case IR_RM_DOWN: return FP_RDN;
    case IR_RM_UP: return FP_RUP;
    case IR_RM_NEAREST_AWAY: return FP_RMM;
    case IR_RM_ODD: return FP_RTO;
    default: return dynamic[control >> MXCSR_RC_SHIFT & 3];
    }
}

static FpStatus status_begin(const Vcpu *vcpu, uint16_t aux)
{
    uint32_t control = vcpu->jit.fp_control_guest;
    const FpPolicy *policy = &vcpu->target->fp;

    return (FpStatus){
        .rules = nan_rules[policy->nan],
        .rounding = rounding_of(aux, control),
        .tininess_before = policy->tininess_before,
        .flush_outputs = !(control & MXCSR_FTZ) ? FP_FLUSH_NONE : policy->nan == FP_NAN_ARM ? FP_FLUSH_BEFORE : FP_FLUSH_AFTER,
        .flush_inputs = control & MXCSR_DAZ,
    };
}

static void status_end(Vcpu *vcpu, const FpStatus *s)
{
    vcpu->jit.fp_control_guest |= (s->flags & FP_INVALID ? MXCSR_IE : 0) |
                                  (s->flags & FP_DENORMAL ? MXCSR_DE : 0) |
                                  (s->flags & FP_DIVZERO ? MXCSR_ZE : 0) |
                                  (s->flags & FP_OVERFLOW ? MXCSR_OE : 0) |
                                  (s->flags & FP_UNDERFLOW ? MXCSR_UE : 0) |
                                  (s->flags & FP_INEXACT ? MXCSR_PE : 0);
}

/* frel's result. */
static uint32_t relation_code(FpRelation relation)
{
    return relation == FP_LESS ? 1 : relation == FP_EQUAL ? 0x40 : relation == FP_GREATER ? 0 : 0x45;
}

static unsigned muladd_flags(uint16_t aux)
{
    return (aux & IR_FMA_NEG_PRODUCT ? FP_NEGATE_PRODUCT : 0) |
           (aux & IR_FMA_NEG_ADDEND ? FP_NEGATE_ADDEND : 0);
}

static FpMinMax minmax_kind(IrOp op, uint16_t aux, FpNanPolicy policy)
{
    if (aux == IR_MINMAX_NAN) {
        return op == IR_fmin ? FP_MINIMUM : FP_MAXIMUM;
    }
    if (policy == FP_NAN_ARM) {
        return op == IR_fmin ? FP_MINNUM : FP_MAXNUM;
    }
    return op == IR_fmin ? FP_MINIMUM_NUMBER : FP_MAXIMUM_NUMBER;
}

static bool relation_holds(IrFpCond cond, FpRelation relation)
{
    switch (cond) {
    case IR_FEQ: case IR_FEQ_SIG: return relation == FP_EQUAL;
    case IR_FLT: case IR_FLT_SIG: return relation == FP_LESS;
    case IR_FLE: case IR_FLE_SIG: return relation <= FP_EQUAL;
    default: return relation == FP_UNORDERED;
    }
}

static bool is_signalling(IrFpCond cond)
{
    return cond == IR_FLT_SIG || cond == IR_FLE_SIG || cond == IR_FEQ_SIG;
}

/* The operations whose operands and result are of one format. */
static uint64_t op_f64(IrOp op, uint16_t aux, uint64_t a, uint64_t b, uint64_t c, FpNanPolicy policy, FpStatus *s)
{
    switch (op) {
    case IR_fadd: return f64_add(a, b, s);
    case IR_fsub: return f64_sub(a, b, s);
    case IR_fmul: return f64_mul(a, b, s);
    case IR_fdiv: return f64_div(a, b, s);
    case IR_fsqrt: return f64_sqrt(a, s);
    case IR_fma: return f64_muladd(a, b, c, muladd_flags(aux), s);
    case IR_fround: return f64_round_to_int(a, s->rounding, aux & IR_ROUND_EXACT, s);
    default:
        if (aux == IR_MINMAX_X86) {
            uint64_t r = f64_compare(a, b, s) == (op == IR_fmin ? FP_LESS : FP_GREATER) ? a : b;
            return s->flush_inputs && !(r >> 52 & 0x7ff) ? r & BIT(63) : r;
        }
        return f64_minmax(a, b, minmax_kind(op, aux, policy), s);
    }
}

static uint64_t op_f32(IrOp op, uint16_t aux, uint32_t a, uint32_t b, uint32_t c, FpNanPolicy policy, FpStatus *s)
{
    switch (op) {
    case IR_fadd: return f32_add(a, b, s);
    case IR_fsub: return f32_sub(a, b, s);
    case IR_fmul: return f32_mul(a, b, s);
    case IR_fdiv: return f32_div(a, b, s);
    case IR_fsqrt: return f32_sqrt(a, s);
    case IR_fma: return f32_muladd(a, b, c, muladd_flags(aux), s);
    case IR_fround: return f32_round_to_int(a, s->rounding, aux & IR_ROUND_EXACT, s);
    default:
        if (aux == IR_MINMAX_X86) {
            uint32_t r = f32_compare(a, b, s) == (op == IR_fmin ? FP_LESS : FP_GREATER) ? a : b;
            return s->flush_inputs && !(r >> 23 & 0xff) ? r & BIT(31) : r;
        }
        return f32_minmax(a, b, minmax_kind(op, aux, policy), s);
    }
}

/* SDM, VCVTPH2PS: denormals are normalized whatever MXCSR.DAZ says, and are no exception. */
uint32_t interp_half_to_single(Vcpu *vcpu, uint16_t a)
{
    FpStatus s = status_begin(vcpu, IR_RM_DYN);
    s.flush_inputs = false;
    uint32_t r = f16_to_f32(a, &s);
    s.flags &= ~(uint32_t)FP_DENORMAL;
    status_end(vcpu, &s);
    return r;
}

/* VCVTPS2PH: MXCSR.FTZ does not count. */
uint16_t interp_single_to_half(Vcpu *vcpu, uint16_t rm, uint32_t a)
{
    FpStatus s = status_begin(vcpu, rm);
    s.flush_outputs = FP_FLUSH_NONE;
    uint16_t r = f32_to_f16(a, &s);
    status_end(vcpu, &s);
    return r;
}

uint32_t interp_fp_standard(Vcpu *vcpu, IrOp op, uint16_t aux, uint32_t a, uint32_t b, uint32_t c)
{
    FpStatus s = { .rules = &fp_rules_arm_default, .rounding = FP_RNE, .tininess_before = true, .flush_inputs = true, .flush_outputs = FP_FLUSH_BEFORE };
    uint32_t r;

    if (op == IR_frel) {
        r = relation_code(aux ? f32_compare(a, b, &s) : f32_compare_quiet(a, b, &s));
    } else {
        a ^= op == IR_fma && aux & IR_FMA_NEG_PRODUCT ? BIT(31) : 0;
        c ^= op == IR_fma && aux & IR_FMA_NEG_ADDEND ? BIT(31) : 0;
        r = (uint32_t)op_f32(op, op == IR_fma ? 0 : aux, a, b, c, FP_NAN_ARM, &s);
    }
    vcpu->jit.fp_flushed |= !!(s.flags & FP_INPUT_FLUSHED);
    status_end(vcpu, &s);
    return r;
}

uint64_t interp_fp(Vcpu *vcpu, IrOp op, IrType type, IrType operand_type, uint16_t aux, uint64_t a,
                   uint64_t b, uint64_t c)
{
    /* fmin, fmax and fcmp have a rule or condition in aux, which must not be read as a rounding */
    bool rounds = op != IR_fmin && op != IR_fmax && op != IR_fcmp && op != IR_frel;
    FpStatus s = status_begin(vcpu, rounds ? aux : IR_RM_DYN);
    FpNanPolicy policy = vcpu->target->fp.nan;
    bool wide = operand_type == IR_F64;
    uint64_t r;

    switch (op) {
    case IR_fcmp: {
        FpRelation relation = is_signalling(aux) ? (wide ? f64_compare(a, b, &s) : f32_compare(a, b, &s))
                            : wide ? f64_compare_quiet(a, b, &s) : f32_compare_quiet(a, b, &s);
        r = relation_holds(aux, relation);
        break;
    }
    case IR_frel: {
        FpRelation relation = aux ? (wide ? f64_compare(a, b, &s) : f32_compare(a, b, &s))
                            : wide ? f64_compare_quiet(a, b, &s) : f32_compare_quiet(a, b, &s);
        r = relation_code(relation);
        break;
    }
    case IR_fcvt:
        r = wide ? f64_to_f32(a, &s) : f32_to_f64(a, &s);
        break;
    case IR_f2i: case IR_f2u: {
        unsigned bits = type == IR_I32 ? 32 : 64;
        s.rules = int_rules[vcpu->target->fp.to_int];
        r = wide ? f64_to_int(a, bits, op == IR_f2i, 0, s.rounding, &s)
                 : f32_to_int(a, bits, op == IR_f2i, 0, s.rounding, &s);
        r = bits == 32 ? (uint32_t)r : r;
        break;
    }
    case IR_i2f: case IR_u2f: {
        bool is_signed = op == IR_i2f;
        uint64_t v = operand_type == IR_I64 ? a : is_signed ? (uint64_t)(int32_t)a : (uint32_t)a;
        r = type == IR_F64 ? f64_from_int(v, is_signed, 0, &s) : f32_from_int(v, is_signed, 0, &s);
        break;
    }
    default:
        if (op == IR_fma && policy == FP_NAN_ARM) {
            uint64_t sign = BIT(type == IR_F64 ? 63 : 31);
            a ^= aux & IR_FMA_NEG_PRODUCT ? sign : 0;
            c ^= aux & IR_FMA_NEG_ADDEND ? sign : 0;
            aux &= ~(unsigned)(IR_FMA_NEG_PRODUCT | IR_FMA_NEG_ADDEND);
        }
        r = type == IR_F64 ? op_f64(op, aux, a, b, c, policy, &s) : op_f32(op, aux, a, b, c, policy, &s);
        if (op == IR_fround) {
            s.flags &= ~(uint32_t)FP_DENORMAL; /* as ROUNDPS and Arm's FRINT */
        }
        break;
    }
    status_end(vcpu, &s);
    return r;
}
