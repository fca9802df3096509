/*
 * translate-simd-fp-convert.c: conversions of Advanced SIMD: to and from integers and fixed point, between formats (Arm ARM C7.2).
 */
#include "target/arm/translate-fp.h"


/* What a conversion with integers is, whichever its row. */
typedef struct IntConversion {
    int d, n, q, scalar;
    unsigned size;      /* log2 of the lane's bytes, of the number and of the integer */
    unsigned fraction;
    bool is_signed;
} IntConversion;

static void by_helper(TransCtx *ctx, const IntConversion *c, uint32_t code)
{
    unsigned flags = (c->q ? ARM_REGS_Q : 0) | (c->scalar ? ARM_REGS_SCALAR : 0);

    arm_fp_vector_call(ctx, code, arm_fp_regs(ARM_FORM_LANES, (unsigned)c->d, (unsigned)c->n, 0, 0, flags));
}

/* V[d] = lanes of integers in I64s. */
static void put_lanes(TransCtx *ctx, const IntConversion *c, const IrRef *lane, unsigned n)
{
    IrRef v = ir_op1(ctx->b, IR_vzext, IR_V128, lane[0]);

    for (unsigned i = 1; i < n; i++) {
        v = arm_v2(ctx, IR_vset_lane, c->size | i << 4, v, lane[i]);
    }
    ir_put(ctx->b, ARM_SLOT_V + (unsigned)c->d, v);
}

/* A lane as a float. */
static IrRef float_lane(TransCtx *ctx, const IntConversion *c, unsigned i)
{
    IrRef v = arm_v(ctx, c->n);

    if (i) {
        v = ir_emit(ctx->b, IR_vshr_bytes, IR_V128, i << c->size, v, IR_NONE, IR_NONE);
    }
    if (arm_fp_flush(ctx)) {
        arm_fp_note(ctx, c->size, true, v);
    }
    return ir_op1(ctx->b, IR_vlow, arm_fp_type(c->size), v);
}

static unsigned n_lanes(const IntConversion *c) { return c->scalar ? 1 : (c->q ? 16u : 8u) >> c->size; }

static void to_int(TransCtx *ctx, IntConversion c, ArmRound r)
{
    IrBuilder *b = ctx->b;
    IrRef lane[4];

    if (arm_fp_standard(ctx)) { /* times one: flushed */
        uint64_t one = 0x3f8000003f800000;
        IrRef v = c.q ? arm_v(ctx, c.n) : ir_op1(b, IR_vzext, IR_V128, arm_f(ctx, 3, c.n));
        ir_put(b, ARM_SLOT_V + (unsigned)c.d, arm_v2(ctx, IR_vfmul, 2 | IR_FP_STD << 4, v, arm_vconst(ctx, one, one)));
        c.n = c.d;
    }
    if (!arm_fp_inline(ctx, c.size) || c.fraction) {
        by_helper(ctx, &c, arm_fp_code(c.is_signed ? ARM_FP_TO_S : ARM_FP_TO_U, c.size, c.size, arm_round_soft(r), 0, c.fraction));
        return;
    }
    if (c.size == 2 && c.is_signed && !c.scalar) {
        IrRef v = c.q ? arm_v(ctx, c.n) : ir_op1(b, IR_vzext, IR_V128, arm_f(ctx, 3, c.n));
        arm_v_in(ctx, 2, v);
        v = ir_emit(b, IR_vfcvt, IR_V128, IR_CVT_F32_I32 | arm_round_ir(r) << 4, v, IR_NONE, IR_NONE);
        arm_put_v(ctx, c.d, c.q, 0, 0, v);
        return;
    }
    for (unsigned i = 0; i < n_lanes(&c); i++) {
        lane[i] = ir_emit(b, c.is_signed ? IR_f2i : IR_f2u, arm_type(c.size == 3), arm_round_ir(r), float_lane(ctx, &c, i), IR_NONE, IR_NONE);
    }
    put_lanes(ctx, &c, lane, n_lanes(&c));
}

static void from_int(TransCtx *ctx, IntConversion c)
{
    IrBuilder *b = ctx->b;
    IrType type = arm_fp_type(c.size), int_type = arm_type(c.size == 3);

    /* AArch32's rounds to nearest whatever FPSCR says. */
    if (c.size == 1 || (arm_fp_soft(ctx) && (c.fraction || ctx->mode >> ARM_MODE_A32 & 1))) {
        by_helper(ctx, &c, arm_fp_code(c.is_signed ? ARM_FP_FROM_S : ARM_FP_FROM_U, c.size, c.size, ARM_FP_DYN, 0, c.fraction));
        return;
    }
    IrRef v = IR_NONE;
    if (c.size == 2 && c.is_signed && !c.scalar) {
        v = c.q ? arm_v(ctx, c.n) : ir_op1(b, IR_vzext, IR_V128, arm_f(ctx, 3, c.n));
        v = ir_emit(b, IR_vfcvt, IR_V128, IR_CVT_I32_F32, v, IR_NONE, IR_NONE);
    } else {
        for (unsigned i = 0; i < n_lanes(&c); i++) {
            IrRef x = ir_emit(b, IR_vget_lane, int_type, c.size | i << 4, arm_v(ctx, c.n), IR_NONE, IR_NONE);
            x = ir_op1(b, c.is_signed ? IR_i2f : IR_u2f, type, x);
            IrRef bits = ir_op1(b, IR_bitcast, int_type, x);
            v = i ? arm_v2(ctx, IR_vset_lane, c.size | i << 4, v, bits) : ir_op1(b, IR_vzext, IR_V128, x);
        }
    }
    if (c.fraction) { /* exact: 2^-64 is far from subnormal */
        uint64_t scale = c.size == 3 ? (uint64_t)(1023 - c.fraction) << 52 : (uint64_t)(127 - c.fraction) * (1ull << 23 | 1ull << 55);
        v = arm_v2(ctx, IR_vfmul, c.size, v, ir_vconst(b, IR_V128, &(IrVecConst){ .u64 = { scale, scale } }));
    }
    if (c.scalar) {
        arm_set_f(ctx, c.d, ir_op1(b, IR_vlow, type, v));
    } else {
        arm_put_v(ctx, c.d, c.q, 0, 0, v);
    }
}

static IntConversion of_two(ArgsV2 *a, bool is_signed)
{
    return (IntConversion){ a->d, a->n, a->q, a->scalar, (unsigned)(2 + a->size), 0, is_signed };
}

/* immh:immb is twice the lane's bits less the fraction's. */
static IntConversion of_shift(ArgsVsh *a, bool is_signed)
{
    unsigned size = 28 - (unsigned)__builtin_clz((unsigned)a->sh);

    return (IntConversion){ a->d, a->n, a->q, a->scalar, size, (16u << size) - (unsigned)a->sh, is_signed };
}

#define TO_INT(letter, rounding)                                                                                        \
    void arm_trans_v_fcvt##letter##s(TransCtx *ctx, ArgsV2 *a) { to_int(ctx, of_two(a, true), rounding); }              \
    void arm_trans_v_fcvt##letter##u(TransCtx *ctx, ArgsV2 *a) { to_int(ctx, of_two(a, false), rounding); }
TO_INT(n, ARM_ROUND_N)
TO_INT(p, ARM_ROUND_P)
TO_INT(m, ARM_ROUND_M)
TO_INT(z, ARM_ROUND_Z)
TO_INT(a, ARM_ROUND_A)
#undef TO_INT

void arm_trans_v_fcvtzs_fixed(TransCtx *ctx, ArgsVsh *a) { to_int(ctx, of_shift(a, true), ARM_ROUND_Z); }
void arm_trans_v_fcvtzu_fixed(TransCtx *ctx, ArgsVsh *a) { to_int(ctx, of_shift(a, false), ARM_ROUND_Z); }
void arm_trans_v_scvtf(TransCtx *ctx, ArgsV2 *a) { from_int(ctx, of_two(a, true)); }
void arm_trans_v_ucvtf(TransCtx *ctx, ArgsV2 *a) { from_int(ctx, of_two(a, false)); }
void arm_trans_v_scvtf_fixed(TransCtx *ctx, ArgsVsh *a) { from_int(ctx, of_shift(a, true)); }
void arm_trans_v_ucvtf_fixed(TransCtx *ctx, ArgsVsh *a) { from_int(ctx, of_shift(a, false)); }

/* -- between formats ------------------------------------------------------------------------------------------ */

/* q: of the upper half of V[n]; size 0: half to single, 1: single to double. */
void arm_trans_v_fcvtl(TransCtx *ctx, ArgsV2 *a)
{
    unsigned size = (unsigned)(1 + a->size);

    if (!arm_fp_inline(ctx, size)) {
        arm_fp_vector_call(ctx, arm_fp_code(ARM_FP_CVT, size, size + 1, ARM_FP_DYN, 0, 0),
                           arm_fp_regs(ARM_FORM_WIDEN, (unsigned)a->d, (unsigned)a->n, 0, a->q ? 1 : 0, 0));
        return;
    }
    IrRef v = arm_v(ctx, a->n);
    if (a->q) {
        v = ir_emit(ctx->b, IR_vshr_bytes, IR_V128, 8, v, IR_NONE, IR_NONE);
    }
    v = ir_op1(ctx->b, IR_vzext, IR_V128, ir_op1(ctx->b, IR_vlow, IR_F64, v));
    arm_put_low(ctx, a->d, 4, arm_fp_result(ctx, 3, false, arm_v1(ctx, IR_vfcvt, IR_CVT_F32_F64, arm_v_in(ctx, 2, v))));
}

static void narrow(TransCtx *ctx, ArgsV2 *a, uint32_t code)
{
    arm_fp_vector_call(ctx, code, arm_fp_regs(ARM_FORM_NARROW, (unsigned)a->d, (unsigned)a->n, 0, a->q ? 1 : 0,
                                              a->scalar ? ARM_REGS_SCALAR : 0));
}

/* q: into the upper half of V[d], the lower one staying. */
void arm_trans_v_fcvtn(TransCtx *ctx, ArgsV2 *a)
{
    unsigned size = (unsigned)(2 + a->size);

    if (!arm_fp_inline(ctx, size) || size == 2) {
        narrow(ctx, a, arm_fp_code(ARM_FP_CVT, size, size - 1, ARM_FP_DYN, 0, 0));
        return;
    }
    IrRef v = ir_emit(ctx->b, IR_vfcvt, IR_V128, IR_CVT_F64_F32, arm_v_in(ctx, 3, arm_v(ctx, a->n)), IR_NONE, IR_NONE);
    v = arm_fp_result(ctx, 2, false, v);
    arm_put_low(ctx, a->d, 4, a->q ? arm_v2(ctx, IR_vzip_lo, 3, arm_v(ctx, a->d), v) : v);
}

void arm_trans_v_fcvtxn(TransCtx *ctx, ArgsV2 *a) { narrow(ctx, a, arm_fp_code(ARM_FP_CVT, 3, 2, FP_RTO, 0, 0)); }
