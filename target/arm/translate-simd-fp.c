/*
 * translate-simd-fp.c: Advanced SIMD on floating-point lanes: arithmetic, comparisons, pairs, reductions, elements (Arm ARM C7.2).
 *
 * A vector of 8 bytes is computed in 16: above the operands are zeros, which raise nothing (in a divisor ones). Scalar forms are scalar
 * operations of the IR. Rows say the lane as 0 single, 1 double, -1 half.
 */
#include "target/arm/translate-fp.h"


static unsigned lane_of(int size) { return (unsigned)(2 + size); }

static unsigned regs_flags(int q, int scalar) { return (q ? ARM_REGS_Q : 0) | (scalar ? ARM_REGS_SCALAR : 0); }

/* An operand of 16 bytes, or of 8 with zeros above. */
static IrRef operand(TransCtx *ctx, unsigned size, int q, int n)
{
    return arm_v_in(ctx, size, q ? arm_v(ctx, n) : ir_op1(ctx->b, IR_vzext, IR_V128, arm_f(ctx, 3, n)));
}

static IrRef every_lane(TransCtx *ctx, unsigned size, uint64_t x)
{
    if (size == 2) {
        x |= x << 32;
    }
    return ir_vconst(ctx->b, IR_V128, &(IrVecConst){ .u64 = { x, x } });
}

static IrRef magnitudes(TransCtx *ctx, unsigned size) { return every_lane(ctx, size, BIT((8u << size) - 1) - 1); }

/* -- three registers of one kind -------------------------------------------------------------------- */

typedef struct Op {
    uint8_t soft;     /* ArmFpOp */
    uint8_t flags;    /* of the code */
    uint16_t vector, scalar; /* IrOp; 0: always by helper */
    uint16_t aux;     /* of the scalar one; the vector's is this << 4 | lane */
} Op;

static const Op op_add = { ARM_FP_ADD, 0, IR_vfadd, IR_fadd, 0 };
static const Op op_sub = { ARM_FP_SUB, 0, IR_vfsub, IR_fsub, 0 };
static const Op op_mul = { ARM_FP_MUL, 0, IR_vfmul, IR_fmul, 0 };
static const Op op_div = { ARM_FP_DIV, 0, IR_vfdiv, IR_fdiv, 0 };
static const Op op_max = { ARM_FP_MAX, 0, IR_vfmax, IR_fmax, IR_MINMAX_NAN };
static const Op op_min = { ARM_FP_MIN, 0, IR_vfmin, IR_fmin, IR_MINMAX_NAN };
static const Op op_maxnm = { ARM_FP_MAXNM, 0, IR_vfmax, IR_fmax, IR_MINMAX_NUMBER };
static const Op op_minnm = { ARM_FP_MINNM, 0, IR_vfmin, IR_fmin, IR_MINMAX_NUMBER };
static const Op op_mla = { ARM_FP_MADD, 0, IR_vfma, IR_fma, 0 };
static const Op op_mls = { ARM_FP_MADD, ARM_FP_NEG_PRODUCT, IR_vfma, IR_fma, IR_FMA_NEG_PRODUCT };
static const Op op_mulx = { ARM_FP_MULX, 0, 0, 0, 0 };
static const Op op_recps = { ARM_FP_RECPS, 0, 0, 0, 0 };
static const Op op_rsqrts = { ARM_FP_RSQRTS, 0, 0, 0, 0 };

static IrRef vector_op(TransCtx *ctx, const Op *op, unsigned size, IrRef x, IrRef y, IrRef z)
{
    unsigned flags = op->aux | (arm_fp_standard(ctx) ? IR_FP_STD : 0);
    IrRef v = ir_emit(ctx->b, (IrOp)op->vector, IR_V128, size | flags << 4, x, y, op->vector == IR_vfma ? z : IR_NONE);

    return arm_fp_result(ctx, size, false, v);
}

static IrRef scalar_op(TransCtx *ctx, const Op *op, unsigned size, IrRef x, IrRef y, IrRef z)
{
    return ir_emit(ctx->b, (IrOp)op->scalar, arm_fp_type(size), op->aux, x, y, op->scalar == IR_fma ? z : IR_NONE);
}

static void three(TransCtx *ctx, ArgsV3 *a, const Op *op)
{
    unsigned size = lane_of(a->size);

    if (!arm_fp_inline(ctx, size) || !op->vector) {
        arm_fp_vector_call(ctx, arm_fp_code(op->soft, size, 0, ARM_FP_DYN, op->flags, 0),
                           arm_fp_regs(ARM_FORM_LANES, (unsigned)a->d, (unsigned)a->n, (unsigned)a->m, 0, regs_flags(a->q, a->scalar)));
        return;
    }
    if (a->scalar) {
        IrRef z = op->scalar == IR_fma ? arm_f_in(ctx, size, a->d) : IR_NONE;
        arm_set_fp(ctx, a->d, size, scalar_op(ctx, op, size, arm_f_in(ctx, size, a->n), arm_f_in(ctx, size, a->m), z));
        return;
    }
    IrRef y = operand(ctx, size, a->q, a->m);
    if (op->vector == IR_vfdiv && !a->q) {
        y = arm_v2(ctx, IR_vsel64, 0, y, every_lane(ctx, size, size == 3 ? 0x3ff0000000000000 : 0x3f800000));
    }
    IrRef z = op->vector == IR_vfma ? operand(ctx, size, a->q, a->d) : IR_NONE;
    arm_put_v(ctx, a->d, a->q, 0, 0, vector_op(ctx, op, size, operand(ctx, size, a->q, a->n), y, z));
}

#define THREE(name) void arm_trans_v_f##name(TransCtx *ctx, ArgsV3 *a) { three(ctx, a, &op_##name); }
THREE(add)
THREE(sub)
THREE(mul)
THREE(div)
THREE(max)
THREE(min)
THREE(maxnm)
THREE(minnm)
THREE(mla)
THREE(mls)
THREE(mulx)
THREE(recps)
THREE(rsqrts)
#undef THREE

void arm_trans_v_fabd(TransCtx *ctx, ArgsV3 *a)
{
    unsigned size = lane_of(a->size);
    IrRef v;

    if (!arm_fp_inline(ctx, size)) {
        three(ctx, a, &(Op){ .soft = ARM_FP_ABD });
        return;
    }
    if (a->scalar) {
        IrRef d = scalar_op(ctx, &op_sub, size, arm_f_in(ctx, size, a->n), arm_f_in(ctx, size, a->m), IR_NONE);
        v = arm_fp_result(ctx, size, true, ir_op1(ctx->b, IR_vzext, IR_V128, d));
    } else {
        v = vector_op(ctx, &op_sub, size, operand(ctx, size, a->q, a->n), operand(ctx, size, a->q, a->m), IR_NONE);
    }
    arm_put_v(ctx, a->d, a->q || a->scalar, 0, 0, arm_v2(ctx, IR_vand, 0, v, magnitudes(ctx, size)));
}

/* -- by element --------------------------------------------------------------------------------------- */

/* V[m] with an element in every lane. */
static IrRef element(TransCtx *ctx, unsigned size, int m, unsigned index)
{
    unsigned lanes = size == 3 ? (index ? 0xee : 0x44) : index * 0x55;

    return arm_v_in(ctx, size, ir_emit(ctx->b, IR_vperm32, IR_V128, lanes, arm_v(ctx, m), IR_NONE, IR_NONE));
}

static void by_element(TransCtx *ctx, ArgsVix *a, const Op *op)
{
    unsigned size = (unsigned)a->size;

    if (!arm_fp_inline(ctx, size) || !op->vector) {
        arm_fp_vector_call(ctx, arm_fp_code(op->soft, size, 0, ARM_FP_DYN, op->flags, 0),
                           arm_fp_regs(ARM_FORM_ELEMENT, (unsigned)a->d, (unsigned)a->n, (unsigned)a->m, (unsigned)a->index,
                                       regs_flags(a->q, a->scalar)));
        return;
    }
    IrRef y = element(ctx, size, a->m, (unsigned)a->index);
    if (a->scalar) {
        y = ir_op1(ctx->b, IR_vlow, arm_fp_type(size), y);
        IrRef z = op->scalar == IR_fma ? arm_f_in(ctx, size, a->d) : IR_NONE;
        arm_set_fp(ctx, a->d, size, scalar_op(ctx, op, size, arm_f_in(ctx, size, a->n), y, z));
        return;
    }
    if (!a->q) {
        y = ir_op1(ctx->b, IR_vzext, IR_V128, ir_op1(ctx->b, IR_vlow, IR_F64, y));
    }
    IrRef z = op->vector == IR_vfma ? operand(ctx, size, a->q, a->d) : IR_NONE;
    arm_put_v(ctx, a->d, a->q, 0, 0, vector_op(ctx, op, size, operand(ctx, size, a->q, a->n), y, z));
}

void arm_trans_v_fmul_lane(TransCtx *ctx, ArgsVix *a) { by_element(ctx, a, &op_mul); }
void arm_trans_v_fmla_lane(TransCtx *ctx, ArgsVix *a) { by_element(ctx, a, &op_mla); }
void arm_trans_v_fmls_lane(TransCtx *ctx, ArgsVix *a) { by_element(ctx, a, &op_mls); }
void arm_trans_v_fmulx_lane(TransCtx *ctx, ArgsVix *a) { by_element(ctx, a, &op_mulx); }

/* -- pairs and all lanes ------------------------------------------------------------------------------- */

static void pairs(TransCtx *ctx, ArgsV3 *a, const Op *op)
{
    unsigned size = lane_of(a->size);
    IrRef n = arm_v(ctx, a->n), m = arm_v(ctx, a->m), even, odd;

    if (!arm_fp_inline(ctx, size)) {
        arm_fp_vector_call(ctx, arm_fp_code(op->soft, size, 0, ARM_FP_DYN, 0, 0),
                           arm_fp_regs(ARM_FORM_PAIRS, (unsigned)a->d, (unsigned)a->n, (unsigned)a->m, 0, regs_flags(a->q, 0)));
        return;
    }
    if (size == 3) {
        even = arm_v2(ctx, IR_vzip_lo, 3, n, m);
        odd = arm_v2(ctx, IR_vzip_hi, 3, n, m);
    } else {
        if (!a->q) { /* lanes n0 n1 m0 m1, then zeros */
            n = arm_v2(ctx, IR_vzip_lo, 3, n, m);
            m = arm_vzero(ctx);
        }
        even = arm_v2(ctx, IR_vsel32, 0x88, n, m);
        odd = arm_v2(ctx, IR_vsel32, 0xdd, n, m);
    }
    arm_put_v(ctx, a->d, a->q, 0, 0, vector_op(ctx, op, size, arm_v_in(ctx, size, even), arm_v_in(ctx, size, odd), IR_NONE));
}

/* The scalar forms: the two lowest lanes of V[n]. */
static void pair(TransCtx *ctx, ArgsV2 *a, const Op *op)
{
    unsigned size = lane_of(a->size);

    if (!arm_fp_inline(ctx, size)) {
        arm_fp_vector_call(ctx, arm_fp_code(op->soft, size, 0, ARM_FP_DYN, 0, 0),
                           arm_fp_regs(ARM_FORM_PAIR, (unsigned)a->d, (unsigned)a->n, 0, 0, 0));
        return;
    }
    IrRef y = ir_op1(ctx->b, IR_vlow, arm_fp_type(size), element(ctx, size, a->n, 1));
    arm_set_fp(ctx, a->d, size, scalar_op(ctx, op, size, arm_f_in(ctx, size, a->n), y, IR_NONE));
}

/* Four singles: pairs first, then the two results (Reduce). */
static void across(TransCtx *ctx, ArgsV2 *a, const Op *op)
{
    unsigned size = lane_of(a->size);

    if (!arm_fp_inline(ctx, size)) {
        arm_fp_vector_call(ctx, arm_fp_code(op->soft, size, 0, ARM_FP_DYN, 0, 0),
                           arm_fp_regs(ARM_FORM_ACROSS, (unsigned)a->d, (unsigned)a->n, 0, 0, regs_flags(a->q, 0)));
        return;
    }
    IrRef n = arm_v_in(ctx, size, arm_v(ctx, a->n)), zero = arm_vzero(ctx);
    IrRef v = vector_op(ctx, op, size, arm_v2(ctx, IR_vsel32, 0x88, n, zero), arm_v2(ctx, IR_vsel32, 0xdd, n, zero), IR_NONE);
    IrRef high = ir_emit(ctx->b, IR_vperm32, IR_V128, 0x55, v, IR_NONE, IR_NONE);
    arm_set_fp(ctx, a->d, size, scalar_op(ctx, op, size, ir_op1(ctx->b, IR_vlow, IR_F32, v), ir_op1(ctx->b, IR_vlow, IR_F32, high), IR_NONE));
}

#define PAIRS(name)                                                                                  \
    void arm_trans_v_f##name##p(TransCtx *ctx, ArgsV3 *a) { pairs(ctx, a, &op_##name); }             \
    void arm_trans_v_f##name##p_pair(TransCtx *ctx, ArgsV2 *a) { pair(ctx, a, &op_##name); }
#define ACROSS(name) void arm_trans_v_f##name##v(TransCtx *ctx, ArgsV2 *a) { across(ctx, a, &op_##name); }
PAIRS(add)
PAIRS(max)
PAIRS(min)
PAIRS(maxnm)
PAIRS(minnm)
ACROSS(max)
ACROSS(min)
ACROSS(maxnm)
ACROSS(minnm)
#undef PAIRS
#undef ACROSS

/* -- comparisons ---------------------------------------------------------------------------------------- */

/* m < 0: with zero; absolute: of magnitudes. */
static void compare(TransCtx *ctx, ArgsV3 *a, ArmFpOp soft, unsigned frel, bool absolute)
{
    unsigned size = lane_of(a->size);
    int q = a->q || a->scalar; /* a scalar form looks at its lane only */

    if (!arm_fp_inline(ctx, size)) {
        three(ctx, a, &(Op){ .soft = (uint8_t)soft });
        return;
    }
    IrRef x = a->scalar ? arm_v(ctx, a->n) : operand(ctx, size, q, a->n), y = a->scalar ? arm_v(ctx, a->m) : operand(ctx, size, q, a->m);
    if (a->scalar && arm_fp_flush(ctx)) {
        arm_fp_note(ctx, size, true, x);
        arm_fp_note(ctx, size, true, y);
    }
    if (absolute) {
        x = arm_v2(ctx, IR_vand, 0, x, magnitudes(ctx, size));
        y = arm_v2(ctx, IR_vand, 0, y, magnitudes(ctx, size));
    }
    frel |= arm_fp_standard(ctx) ? IR_FREL_STD : 0;
    IrRef v = arm_v2(ctx, IR_vfcmp, size | (a->scalar ? 4 : 0) | frel << 4, x, y);
    arm_put_v(ctx, a->d, a->q, a->scalar, (int)size, v);
}

enum { GE = IR_FREL_GT | IR_FREL_EQ | IR_FREL_SIG, GT = IR_FREL_GT | IR_FREL_SIG, LE = IR_FREL_LT | IR_FREL_EQ | IR_FREL_SIG,
       LT = IR_FREL_LT | IR_FREL_SIG };

void arm_trans_v_fcmeq(TransCtx *ctx, ArgsV3 *a) { compare(ctx, a, ARM_FP_CMEQ, IR_FREL_EQ, false); }
void arm_trans_v_fcmge(TransCtx *ctx, ArgsV3 *a) { compare(ctx, a, ARM_FP_CMGE, GE, false); }
void arm_trans_v_fcmgt(TransCtx *ctx, ArgsV3 *a) { compare(ctx, a, ARM_FP_CMGT, GT, false); }
void arm_trans_v_facge(TransCtx *ctx, ArgsV3 *a) { compare(ctx, a, ARM_FP_ACGE, GE, true); }
void arm_trans_v_facgt(TransCtx *ctx, ArgsV3 *a) { compare(ctx, a, ARM_FP_ACGT, GT, true); }

/* The helper has no zero register: it is told which operand is zero. */
static void compare_zero(TransCtx *ctx, ArgsV2 *a, ArmFpOp soft, unsigned flags, unsigned frel)
{
    unsigned size = lane_of(a->size);

    if (!arm_fp_inline(ctx, size)) {
        arm_fp_vector_call(ctx, arm_fp_code(soft, size, 0, ARM_FP_DYN, flags, 0),
                           arm_fp_regs(ARM_FORM_LANES, (unsigned)a->d, (unsigned)a->n, 0, 0, regs_flags(a->q, a->scalar)));
        return;
    }
    IrRef x = a->scalar ? arm_v(ctx, a->n) : operand(ctx, size, a->q, a->n);
    if (a->scalar && arm_fp_flush(ctx)) {
        arm_fp_note(ctx, size, true, x);
    }
    frel |= arm_fp_standard(ctx) ? IR_FREL_STD : 0;
    IrRef v = arm_v2(ctx, IR_vfcmp, size | (a->scalar ? 4 : 0) | frel << 4, x, arm_vzero(ctx));
    arm_put_v(ctx, a->d, a->q, a->scalar, (int)size, v);
}

void arm_trans_v_fcmeq_zero(TransCtx *ctx, ArgsV2 *a) { compare_zero(ctx, a, ARM_FP_CMEQ, ARM_FP_B_ZERO, IR_FREL_EQ); }
void arm_trans_v_fcmge_zero(TransCtx *ctx, ArgsV2 *a) { compare_zero(ctx, a, ARM_FP_CMGE, ARM_FP_B_ZERO, GE); }
void arm_trans_v_fcmgt_zero(TransCtx *ctx, ArgsV2 *a) { compare_zero(ctx, a, ARM_FP_CMGT, ARM_FP_B_ZERO, GT); }
void arm_trans_v_fcmle_zero(TransCtx *ctx, ArgsV2 *a) { compare_zero(ctx, a, ARM_FP_CMGE, ARM_FP_A_ZERO, LE); }
void arm_trans_v_fcmlt_zero(TransCtx *ctx, ArgsV2 *a) { compare_zero(ctx, a, ARM_FP_CMGT, ARM_FP_A_ZERO, LT); }

/* -- two registers ------------------------------------------------------------------------------------------ */

/* Bits only; of half precision as well. */
static IrRef lanes_const(TransCtx *ctx, int size, bool invert)
{
    uint64_t x = size < 0 ? 0x8000800080008000 : size == 0 ? 0x8000000080000000 : BIT(63);

    x = invert ? ~x : x;
    return ir_vconst(ctx->b, IR_V128, &(IrVecConst){ .u64 = { x, x } });
}

void arm_trans_v_fabs(TransCtx *ctx, ArgsV2 *a)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_v2(ctx, IR_vand, 0, arm_v(ctx, a->n), lanes_const(ctx, a->size, true)));
}

void arm_trans_v_fneg(TransCtx *ctx, ArgsV2 *a)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_v2(ctx, IR_vxor, 0, arm_v(ctx, a->n), lanes_const(ctx, a->size, false)));
}

static void unary_soft(TransCtx *ctx, ArgsV2 *a, uint32_t code)
{
    arm_fp_vector_call(ctx, code, arm_fp_regs(ARM_FORM_LANES, (unsigned)a->d, (unsigned)a->n, 0, 0, regs_flags(a->q, a->scalar)));
}

void arm_trans_v_fsqrt(TransCtx *ctx, ArgsV2 *a)
{
    unsigned size = lane_of(a->size);

    if (!arm_fp_inline(ctx, size)) {
        unary_soft(ctx, a, arm_fp_code(ARM_FP_SQRT, size, 0, ARM_FP_DYN, 0, 0));
        return;
    }
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_fp_result(ctx, size, false, arm_v1(ctx, IR_vfsqrt, size, operand(ctx, size, a->q, a->n))));
}

#define ESTIMATE(name, op)                                                                                              \
    void arm_trans_v_##name(TransCtx *ctx, ArgsV2 *a)                                                                   \
    {                                                                                                                   \
        unary_soft(ctx, a, arm_fp_code(op, lane_of(a->size), 0, ARM_FP_DYN, 0, 0));                                     \
    }
ESTIMATE(frecpe, ARM_FP_RECPE)
ESTIMATE(frsqrte, ARM_FP_RSQRTE)
ESTIMATE(frecpx, ARM_FP_RECPX)
#undef ESTIMATE

static void integral(TransCtx *ctx, ArgsV2 *a, ArmRound r, bool exact)
{
    unsigned size = lane_of(a->size);

    if (!arm_fp_inline(ctx, size)) {
        unary_soft(ctx, a, arm_fp_code(ARM_FP_ROUND, size, 0, arm_round_soft(r), exact ? ARM_FP_EXACT : 0, 0));
        return;
    }
    unsigned aux = size | (arm_round_ir(r) | (exact ? IR_ROUND_EXACT : 0)) << 4;
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_fp_result(ctx, size, false, arm_v1(ctx, IR_vfround, aux, operand(ctx, size, a->q, a->n))));
}

void arm_trans_v_frintn(TransCtx *ctx, ArgsV2 *a) { integral(ctx, a, ARM_ROUND_N, false); }
void arm_trans_v_frintp(TransCtx *ctx, ArgsV2 *a) { integral(ctx, a, ARM_ROUND_P, false); }
void arm_trans_v_frintm(TransCtx *ctx, ArgsV2 *a) { integral(ctx, a, ARM_ROUND_M, false); }
void arm_trans_v_frintz(TransCtx *ctx, ArgsV2 *a) { integral(ctx, a, ARM_ROUND_Z, false); }
void arm_trans_v_frinta(TransCtx *ctx, ArgsV2 *a) { integral(ctx, a, ARM_ROUND_A, false); }
void arm_trans_v_frintx(TransCtx *ctx, ArgsV2 *a) { integral(ctx, a, ARM_ROUND_DYN, true); }
void arm_trans_v_frinti(TransCtx *ctx, ArgsV2 *a) { integral(ctx, a, ARM_ROUND_DYN, false); }

static void integral_n(TransCtx *ctx, ArgsV2 *a, unsigned int_size, ArmRound r)
{
    unary_soft(ctx, a, arm_fp_code(ARM_FP_ROUND_N, lane_of(a->size), int_size, arm_round_soft(r), 0, 0));
}

void arm_trans_v_frint32z(TransCtx *ctx, ArgsV2 *a) { integral_n(ctx, a, 2, ARM_ROUND_Z); }
void arm_trans_v_frint32x(TransCtx *ctx, ArgsV2 *a) { integral_n(ctx, a, 2, ARM_ROUND_DYN); }
void arm_trans_v_frint64z(TransCtx *ctx, ArgsV2 *a) { integral_n(ctx, a, 3, ARM_ROUND_Z); }
void arm_trans_v_frint64x(TransCtx *ctx, ArgsV2 *a) { integral_n(ctx, a, 3, ARM_ROUND_DYN); }
