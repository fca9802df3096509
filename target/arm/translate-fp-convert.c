/*
 * translate-fp-convert.c: scalar conversions and rounding to integral values (Arm ARM C4.1.96.27 to .30).
 */
#include "target/arm/translate-fp.h"

typedef const ArmArgsF1 ArgsF1;
typedef const ArmArgsFix ArgsFix;

static void soft(TransCtx *ctx, ArgsF1 *a, uint32_t code, unsigned to)
{
    arm_set_f_bits(ctx, a->fd, to, arm_fp_call(ctx, code, arm_f_bits(ctx, code >> 8 & 3, a->fn), IR_NONE, IR_NONE));
}

/* -- between formats -------------------------------------------------------------------------------- */

static void convert(TransCtx *ctx, ArgsF1 *a, unsigned from, unsigned to)
{
    if (arm_fp_inline(ctx, from) && arm_fp_inline(ctx, to)) {
        arm_set_fp(ctx, a->fd, to, ir_op1(ctx->b, IR_fcvt, arm_fp_type(to), arm_f_in(ctx, from, a->fn)));
        return;
    }
    soft(ctx, a, arm_fp_code(ARM_FP_CVT, from, to, ARM_FP_DYN, 0, 0), to);
}

void arm_trans_fcvt_sd(TransCtx *ctx, ArgsF1 *a) { convert(ctx, a, 2, 3); }
void arm_trans_fcvt_sh(TransCtx *ctx, ArgsF1 *a) { convert(ctx, a, 2, 1); }
void arm_trans_fcvt_ds(TransCtx *ctx, ArgsF1 *a) { convert(ctx, a, 3, 2); }
void arm_trans_fcvt_dh(TransCtx *ctx, ArgsF1 *a) { convert(ctx, a, 3, 1); }
void arm_trans_fcvt_hs(TransCtx *ctx, ArgsF1 *a) { convert(ctx, a, 1, 2); }
void arm_trans_fcvt_hd(TransCtx *ctx, ArgsF1 *a) { convert(ctx, a, 1, 3); }
void arm_trans_bfcvt(TransCtx *ctx, ArgsF1 *a) { soft(ctx, a, arm_fp_code(ARM_FP_TO_BF, 2, 0, ARM_FP_DYN, 0, 0), 1); }

/* -- to integral values ------------------------------------------------------------------------------ */

static void integral(TransCtx *ctx, ArgsF1 *a, ArmRound r, bool exact)
{
    unsigned size = arm_fp_size(a->ftype);

    if (!arm_fp_inline(ctx, size)) {
        soft(ctx, a, arm_fp_code(ARM_FP_ROUND, size, 0, arm_round_soft(r), exact ? ARM_FP_EXACT : 0, 0), size);
        return;
    }
    unsigned aux = arm_round_ir(r) | (exact ? IR_ROUND_EXACT : 0);
    arm_set_fp(ctx, a->fd, size, ir_emit(ctx->b, IR_fround, arm_fp_type(size), aux, arm_f_in(ctx, size, a->fn), IR_NONE, IR_NONE));
}

void arm_trans_frintn(TransCtx *ctx, ArgsF1 *a) { integral(ctx, a, ARM_ROUND_N, false); }
void arm_trans_frintp(TransCtx *ctx, ArgsF1 *a) { integral(ctx, a, ARM_ROUND_P, false); }
void arm_trans_frintm(TransCtx *ctx, ArgsF1 *a) { integral(ctx, a, ARM_ROUND_M, false); }
void arm_trans_frintz(TransCtx *ctx, ArgsF1 *a) { integral(ctx, a, ARM_ROUND_Z, false); }
void arm_trans_frinta(TransCtx *ctx, ArgsF1 *a) { integral(ctx, a, ARM_ROUND_A, false); }
void arm_trans_frintx(TransCtx *ctx, ArgsF1 *a) { integral(ctx, a, ARM_ROUND_DYN, true); }
void arm_trans_frinti(TransCtx *ctx, ArgsF1 *a) { integral(ctx, a, ARM_ROUND_DYN, false); }

static void integral_n(TransCtx *ctx, ArgsF1 *a, unsigned int_size, ArmRound r)
{
    unsigned size = arm_fp_size(a->ftype);

    soft(ctx, a, arm_fp_code(ARM_FP_ROUND_N, size, int_size, arm_round_soft(r), 0, 0), size);
}

void arm_trans_frint32z(TransCtx *ctx, ArgsF1 *a) { integral_n(ctx, a, 2, ARM_ROUND_Z); }
void arm_trans_frint32x(TransCtx *ctx, ArgsF1 *a) { integral_n(ctx, a, 2, ARM_ROUND_DYN); }
void arm_trans_frint64z(TransCtx *ctx, ArgsF1 *a) { integral_n(ctx, a, 3, ARM_ROUND_Z); }
void arm_trans_frint64x(TransCtx *ctx, ArgsF1 *a) { integral_n(ctx, a, 3, ARM_ROUND_DYN); }

/* -- to and from integers ------------------------------------------------------------------------------ */

static void to_int(TransCtx *ctx, ArgsFix *a, ArmRound r, bool is_signed)
{
    IrBuilder *b = ctx->b;
    unsigned size = arm_fp_size(a->ftype), fraction = 64 - (unsigned)a->scale;

    /* A multiplication by a power of two could overflow a double; a single becomes a double before. */
    if (!arm_fp_inline(ctx, size) || (fraction && size == 3)) {
        uint32_t code = arm_fp_code(is_signed ? ARM_FP_TO_S : ARM_FP_TO_U, size, a->sf ? 3 : 2, arm_round_soft(r), 0, fraction);
        IrRef v = arm_fp_call(ctx, code, arm_f_bits(ctx, size, a->rn), IR_NONE, IR_NONE);
        arm_set_x(ctx, (unsigned)a->rd, a->sf ? v : ir_op1(b, IR_zext32, IR_I64, v));
        return;
    }
    IrRef x = arm_f_in(ctx, size, a->rn);
    if (fraction) {
        x = ir_op1(b, IR_fcvt, IR_F64, x);
        x = ir_op2(b, IR_fmul, IR_F64, x, ir_const(b, IR_F64, (uint64_t)(1023 + fraction) << 52));
    }
    arm_set_r(ctx, a->sf, (unsigned)a->rd, ir_emit(b, is_signed ? IR_f2i : IR_f2u, arm_type(a->sf), arm_round_ir(r), x, IR_NONE, IR_NONE));
}

#define TO_INT(letter, rounding)                                                                              \
    void arm_trans_fcvt##letter##s(TransCtx *ctx, ArgsFix *a) { to_int(ctx, a, rounding, true); }             \
    void arm_trans_fcvt##letter##u(TransCtx *ctx, ArgsFix *a) { to_int(ctx, a, rounding, false); }
TO_INT(n, ARM_ROUND_N)
TO_INT(p, ARM_ROUND_P)
TO_INT(m, ARM_ROUND_M)
TO_INT(z, ARM_ROUND_Z)
TO_INT(a, ARM_ROUND_A)
#undef TO_INT

static void from_int(TransCtx *ctx, ArgsFix *a, bool is_signed)
{
    IrBuilder *b = ctx->b;
    unsigned size = arm_fp_size(a->ftype), fraction = 64 - (unsigned)a->scale;

    if (size == 1) {
        uint32_t code = arm_fp_code(is_signed ? ARM_FP_FROM_S : ARM_FP_FROM_U, size, a->sf ? 3 : 2, ARM_FP_DYN, 0, fraction);
        arm_set_f_bits(ctx, a->rd, size, arm_fp_call(ctx, code, arm_x(ctx, (unsigned)a->rn), IR_NONE, IR_NONE));
        return;
    }
    IrType type = arm_fp_type(size);
    IrRef v = ir_op1(b, is_signed ? IR_i2f : IR_u2f, type, arm_r(ctx, a->sf, (unsigned)a->rn));
    if (fraction) { /* exact: 2^-64 is far from subnormal */
        uint64_t scale = size == 3 ? (uint64_t)(1023 - fraction) << 52 : (uint64_t)(127 - fraction) << 23;
        v = ir_op2(b, IR_fmul, type, v, ir_const(b, type, scale));
    }
    arm_set_f(ctx, a->rd, v);
}

void arm_trans_scvtf(TransCtx *ctx, ArgsFix *a) { from_int(ctx, a, true); }
void arm_trans_ucvtf(TransCtx *ctx, ArgsFix *a) { from_int(ctx, a, false); }

void arm_trans_fjcvtzs(TransCtx *ctx, ArgsFix *a)
{
    IrRef v = arm_fp_call(ctx, arm_fp_code(ARM_FP_JCVT, 3, 2, FP_RTZ, 0, 0), arm_f_bits(ctx, 3, a->rn), IR_NONE, IR_NONE);

    arm_cc_set(ctx, ARM_CC_FLAGS, ir_op2_imm(ctx->b, IR_shr, IR_I64, ir_op2_imm(ctx->b, IR_and, IR_I64, v, BIT(32)), 2), IR_NONE);
    arm_set_x(ctx, (unsigned)a->rd, ir_op1(ctx->b, IR_zext32, IR_I64, v));
}
