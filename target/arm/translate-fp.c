/*
 * translate-fp.c: scalar floating point (Arm ARM C4.1.96.29 to .37, C7.2).
 *
 * The IR's NaN rules are those of the target's policy, so that one operation is one instruction. What the manual negates before it
 * looks for NaNs is negated by the operation's flags.
 */
#include "target/arm/translate-fp.h"

typedef const ArmArgsF1 ArgsF1;
typedef const ArmArgsF2 ArgsF2;
typedef const ArmArgsF3 ArgsF3;
typedef const ArmArgsFcm ArgsFcm;
typedef const ArmArgsFcc ArgsFcc;
typedef const ArmArgsFse ArgsFse;
typedef const ArmArgsFim ArgsFim;
typedef const ArmArgsFix ArgsFix;

static void soft(TransCtx *ctx, uint32_t code, unsigned to, int d, int n, int m, int a)
{
    unsigned size = code >> 8 & 3;

    arm_set_f_bits(ctx, d, to, arm_fp_call(ctx, code, arm_f_bits(ctx, size, n), m < 0 ? IR_NONE : arm_f_bits(ctx, size, m),
                                     a < 0 ? IR_NONE : arm_f_bits(ctx, size, a)));
}

/* All ones but the sign, or the sign alone, of the lowest lane. */
static IrRef sign_mask(TransCtx *ctx, unsigned size, bool invert)
{
    uint64_t sign = BIT((8u << size) - 1);

    return ir_vconst(ctx->b, IR_V128, &(IrVecConst){ .u64 = { invert ? sign - 1 : sign } });
}

/* -- flushed operands ---------------------------------------------------------------------------------- */

/* Results of operations are no subnormals while the host flushes. */
static bool is_flushed(TransCtx *ctx, IrRef v)
{
    const IrUnit *unit = ctx->b->unit;
    unsigned op = ir_insn(unit, v)->op;

    while (op == IR_vzext || op == IR_vlow) {
        v = ir_insn(unit, v)->a;
        op = ir_insn(unit, v)->op;
    }
    return (op >= IR_fadd && op <= IR_fmax) || (op >= IR_vfadd && op <= IR_vfmax) || op == IR_fcvt || op == IR_i2f || op == IR_u2f;
}

/* Equal to zero with subnormals read as zeros, but not all zeros. */
void arm_fp_note(TransCtx *ctx, unsigned size, bool scalar, IrRef v)
{
    IrBuilder *b = ctx->b;
    uint64_t *done = &ctx->data[ARM_DATA_FLUSH], key = v | (uint64_t)size << 32 | (uint64_t)scalar << 36;
    uint64_t magnitude = size == 3 ? BIT(63) - 1 : 0x7fffffff, low = scalar || size == 3 ? magnitude : magnitude << 32 | magnitude;

    if (is_flushed(ctx, v)) {
        return;
    }
    if (done[0] != b->block + 1u) { /* what was noted in other blocks need not be on the way here */
        memset(done, 0, 6 * sizeof(*done));
        done[0] = b->block + 1u;
    }
    for (unsigned i = 1; i < 6; i++) {
        if (done[i] == key) {
            return;
        }
    }
    memmove(&done[2], &done[1], 4 * sizeof(*done));
    done[1] = key;
    IrRef zero = arm_v2(ctx, IR_vfcmp, size | (scalar ? 4 : 0) | IR_FREL_EQ << 4, v, arm_vzero(ctx));
    IrRef bits = arm_v2(ctx, IR_vand, 0, v, arm_vconst(ctx, low, scalar ? 0 : low));
    ir_put(b, ARM_SLOT_IDC, arm_v2(ctx, IR_vor, 0, ir_get(b, ARM_SLOT_IDC), arm_v2(ctx, IR_vand, 0, zero, bits)));
}

IrRef arm_fp_result(TransCtx *ctx, unsigned size, bool scalar, IrRef v)
{
    uint64_t nan = size == 3 ? 0x7ff8000000000000 : scalar ? 0x7fc00000 : 0x7fc000007fc00000;

    if (!(ctx->mode >> ARM_MODE_FP_DN & 1) || arm_fp_standard(ctx)) {
        return v;
    }
    IrRef is_nan = arm_v2(ctx, IR_vfcmp, size | IR_FREL_UNORD << 4, v, v); /* a scalar's lanes above are zeros */
    return arm_select_bits(ctx, is_nan, arm_vconst(ctx, nan, scalar ? 0 : nan), v);
}

/* -- FPSR ------------------------------------------------------------------------------------------------ */

/* A bit that is set where a slot of 128 bits is not zero. */
static IrRef collected(TransCtx *ctx, unsigned slot, unsigned bit)
{
    IrBuilder *b = ctx->b;
    IrRef v = ir_get(b, slot), any = ir_op2(b, IR_or, IR_I64, arm_lane(ctx, v, 3, 0), arm_lane(ctx, v, 3, 1));

    return ir_op2_imm(b, IR_shl, IR_I64, ir_setcond(b, IR_I64, IR_NE, any, ir_i64(b, 0)), bit);
}

/* As arm_fpsr_get(): MXCSR's flags but for that of invalid, and that of denormals which is left out, are Arm's a bit higher. */
IrRef arm_fpsr_read(TransCtx *ctx)
{
    IrBuilder *b = ctx->b;
    IrRef m = ir_op1(b, IR_ext_u, IR_I64, ir_fpget(b));
    IrRef flags = ir_op2_imm(b, IR_and, IR_I64, ir_op2_imm(b, IR_shr, IR_I64, m, 1), 0x1e);
    IrRef v = ir_op2(b, IR_or, IR_I64, flags, ir_op2_imm(b, IR_and, IR_I64, m, ARM_FPSR_IOC));

    v = ir_op2(b, IR_or, IR_I64, v, ir_ldenv(b, IR_I64, offsetof(ArmState, fpsr), 4, false));
    v = ir_op2(b, IR_or, IR_I64, v, ir_ldenv(b, IR_I64, offsetof(ArmState, fpscr_nzcv), 4, false));
    v = ir_op2(b, IR_or, IR_I64, v, collected(ctx, ARM_SLOT_QC, 27));
    return ir_op2(b, IR_or, IR_I64, v, collected(ctx, ARM_SLOT_IDC, 7));
}

/* As arm_fpsr_set(). */
void arm_fpsr_write(TransCtx *ctx, IrRef value)
{
    IrBuilder *b = ctx->b;

    ir_fpset(b, ir_op2_imm(b, IR_and, IR_I32, ir_fpget(b), ~(uint32_t)0x3f));
    ir_stenv(b, offsetof(ArmState, fpsr), 4, ir_op2_imm(b, IR_and, IR_I64, value, 0x9f));
    if (arm_has(ctx->vcpu, AA32EL0)) {
        ir_stenv(b, offsetof(ArmState, fpscr_nzcv), 4, ir_op2_imm(b, IR_and, IR_I64, value, 0xf0000000));
    }
    ir_put(b, ARM_SLOT_QC, ir_op1(b, IR_vzext, IR_V128, ir_op2_imm(b, IR_and, IR_I64, value, ARM_FPSR_QC)));
    ir_put(b, ARM_SLOT_IDC, arm_vzero(ctx));
}

/* -- arithmetic ----------------------------------------------------------------------------------- */

static void arith(TransCtx *ctx, ArgsF2 *a, ArmFpOp op, IrOp ir, unsigned aux)
{
    unsigned size = arm_fp_size(a->ftype);

    if (!arm_fp_inline(ctx, size)) {
        soft(ctx, arm_fp_code(op, size, 0, ARM_FP_DYN, 0, 0), size, a->fd, a->fn, a->fm, -1);
        return;
    }
    arm_set_fp(ctx, a->fd, size, ir_emit(ctx->b, ir, arm_fp_type(size), aux, arm_f_in(ctx, size, a->fn), arm_f_in(ctx, size, a->fm), IR_NONE));
}

void arm_trans_fadd(TransCtx *ctx, ArgsF2 *a) { arith(ctx, a, ARM_FP_ADD, IR_fadd, IR_RM_DYN); }
void arm_trans_fsub(TransCtx *ctx, ArgsF2 *a) { arith(ctx, a, ARM_FP_SUB, IR_fsub, IR_RM_DYN); }
void arm_trans_fmul(TransCtx *ctx, ArgsF2 *a) { arith(ctx, a, ARM_FP_MUL, IR_fmul, IR_RM_DYN); }
void arm_trans_fdiv(TransCtx *ctx, ArgsF2 *a) { arith(ctx, a, ARM_FP_DIV, IR_fdiv, IR_RM_DYN); }
void arm_trans_fmax(TransCtx *ctx, ArgsF2 *a) { arith(ctx, a, ARM_FP_MAX, IR_fmax, IR_MINMAX_NAN); }
void arm_trans_fmin(TransCtx *ctx, ArgsF2 *a) { arith(ctx, a, ARM_FP_MIN, IR_fmin, IR_MINMAX_NAN); }
void arm_trans_fmaxnm(TransCtx *ctx, ArgsF2 *a) { arith(ctx, a, ARM_FP_MAXNM, IR_fmax, IR_MINMAX_NUMBER); }
void arm_trans_fminnm(TransCtx *ctx, ArgsF2 *a) { arith(ctx, a, ARM_FP_MINNM, IR_fmin, IR_MINMAX_NUMBER); }

void arm_trans_fnmul(TransCtx *ctx, ArgsF2 *a)
{
    unsigned size = arm_fp_size(a->ftype);

    if (!arm_fp_inline(ctx, size)) {
        arith(ctx, a, ARM_FP_NMUL, IR_nop, 0);
        return;
    }
    IrRef v = ir_op2(ctx->b, IR_fmul, arm_fp_type(size), arm_f_in(ctx, size, a->fn), arm_f_in(ctx, size, a->fm));
    v = arm_fp_result(ctx, size, true, ir_op1(ctx->b, IR_vzext, IR_V128, v));
    arm_put_low(ctx, a->fd, 4, arm_v2(ctx, IR_vxor, 0, v, sign_mask(ctx, size, false)));
}

void arm_trans_fsqrt(TransCtx *ctx, ArgsF1 *a)
{
    unsigned size = arm_fp_size(a->ftype);

    if (!arm_fp_inline(ctx, size)) {
        soft(ctx, arm_fp_code(ARM_FP_SQRT, size, 0, ARM_FP_DYN, 0, 0), size, a->fd, a->fn, -1, -1);
        return;
    }
    arm_set_fp(ctx, a->fd, size, ir_op1(ctx->b, IR_fsqrt, arm_fp_type(size), arm_f_in(ctx, size, a->fn)));
}

static void multiply_add(TransCtx *ctx, ArgsF3 *a, unsigned soft_flags, unsigned aux)
{
    unsigned size = arm_fp_size(a->ftype);

    if (!arm_fp_inline(ctx, size)) {
        soft(ctx, arm_fp_code(ARM_FP_MADD, size, 0, ARM_FP_DYN, soft_flags, 0), size, a->fd, a->fn, a->fm, a->fa);
        return;
    }
    arm_set_fp(ctx, a->fd, size, ir_emit(ctx->b, IR_fma, arm_fp_type(size), aux, arm_f_in(ctx, size, a->fn), arm_f_in(ctx, size, a->fm),
                                  arm_f_in(ctx, size, a->fa)));
}

void arm_trans_fmadd(TransCtx *ctx, ArgsF3 *a) { multiply_add(ctx, a, 0, 0); }
void arm_trans_fmsub(TransCtx *ctx, ArgsF3 *a) { multiply_add(ctx, a, ARM_FP_NEG_PRODUCT, IR_FMA_NEG_PRODUCT); }

void arm_trans_fnmadd(TransCtx *ctx, ArgsF3 *a)
{
    multiply_add(ctx, a, ARM_FP_NEG_PRODUCT | ARM_FP_NEG_ADDEND, IR_FMA_NEG_PRODUCT | IR_FMA_NEG_ADDEND);
}

void arm_trans_fnmsub(TransCtx *ctx, ArgsF3 *a) { multiply_add(ctx, a, ARM_FP_NEG_ADDEND, IR_FMA_NEG_ADDEND); }

/* -- moves and signs: bits only -------------------------------------------------------------------- */

void arm_trans_fmov(TransCtx *ctx, ArgsF1 *a)
{
    unsigned size = arm_fp_size(a->ftype);

    if (size == 1) {
        arm_set_f(ctx, a->fd, arm_f_bits(ctx, size, a->fn));
    } else {
        arm_set_f(ctx, a->fd, arm_f(ctx, size, a->fn));
    }
}

void arm_trans_fabs(TransCtx *ctx, ArgsF1 *a)
{
    arm_put_low(ctx, a->fd, 4, arm_v2(ctx, IR_vand, 0, arm_v(ctx, a->fn), sign_mask(ctx, arm_fp_size(a->ftype), true)));
}

void arm_trans_fneg(TransCtx *ctx, ArgsF1 *a)
{
    unsigned size = arm_fp_size(a->ftype);
    IrRef v = size == 1 ? arm_f_bits(ctx, size, a->fn) : arm_f(ctx, size, a->fn);

    v = ir_op1(ctx->b, IR_vzext, IR_V128, v);
    arm_put_low(ctx, a->fd, 4, arm_v2(ctx, IR_vxor, 0, v, sign_mask(ctx, size, false)));
}

/* VFPExpandImm */
void arm_trans_fmov_imm(TransCtx *ctx, ArgsFim *a)
{
    uint64_t sign = (uint64_t)a->imm8 >> 7, b = (uint64_t)a->imm8 >> 6 & 1, low = (uint64_t)a->imm8 & 63, v;

    switch (arm_fp_size(a->ftype)) {
    case 1: v = sign << 15 | (b ? 0x3000 : 0x4000) | low << 6; break;
    case 2: v = sign << 31 | (b ? 0x3e000000 : 0x40000000) | low << 19; break;
    default: v = sign << 63 | (b ? 0x3fc0000000000000 : 0x4000000000000000) | low << 48; break;
    }
    arm_put_low(ctx, a->fd, 4, ir_vconst(ctx->b, IR_V128, &(IrVecConst){ .u64 = { v } }));
}

void arm_trans_fmov_to_x(TransCtx *ctx, ArgsFix *a)
{
    arm_set_x(ctx, (unsigned)a->rd, arm_f_bits(ctx, arm_fp_size(a->ftype), a->rn));
}

void arm_trans_fmov_from_x(TransCtx *ctx, ArgsFix *a)
{
    arm_set_f_bits(ctx, a->rd, arm_fp_size(a->ftype), arm_x(ctx, (unsigned)a->rn));
}

void arm_trans_fmov_to_x_top(TransCtx *ctx, ArgsFix *a)
{
    arm_set_x(ctx, (unsigned)a->rd, arm_lane(ctx, arm_v(ctx, a->rn), 3, 1));
}

void arm_trans_fmov_from_x_top(TransCtx *ctx, ArgsFix *a)
{
    arm_put_low(ctx, a->rd, 4, arm_v2(ctx, IR_vset_lane, 3 | 1 << 4, arm_v(ctx, a->rd), arm_x(ctx, (unsigned)a->rn)));
}

/* -- comparisons ------------------------------------------------------------------------------------ */

static IrRef scalar_or_zero(TransCtx *ctx, unsigned size, int n)
{
    return n < 0 ? ir_const(ctx->b, arm_fp_type(size), 0) : arm_f_in(ctx, size, n);
}

static IrRef bits_or_zero(TransCtx *ctx, unsigned size, int n)
{
    return n < 0 ? ir_i64(ctx->b, 0) : arm_f_bits(ctx, size, n);
}

static void compare(TransCtx *ctx, ArgsFcm *a, bool signalling)
{
    unsigned size = arm_fp_size(a->ftype);

    if (!arm_fp_inline(ctx, size)) {
        uint32_t code = arm_fp_code(signalling ? ARM_FP_CMPE : ARM_FP_CMP, size, 0, ARM_FP_DYN, 0, 0);
        arm_cc_set(ctx, ARM_CC_FLAGS, arm_fp_call(ctx, code, arm_f_bits(ctx, size, a->fn), bits_or_zero(ctx, size, a->fm), IR_NONE), IR_NONE);
        return;
    }
    IrRef r = ir_emit(ctx->b, IR_frel, IR_I32, signalling, arm_f_in(ctx, size, a->fn), scalar_or_zero(ctx, size, a->fm), IR_NONE);
    arm_cc_set(ctx, ARM_CC_FCMP, ir_op1(ctx->b, IR_ext_u, IR_I64, r), IR_NONE);
}

void arm_trans_fcmp(TransCtx *ctx, ArgsFcm *a) { compare(ctx, a, false); }
void arm_trans_fcmpe(TransCtx *ctx, ArgsFcm *a) { compare(ctx, a, true); }

/* N Z C V in bits 31 to 28 from frel's relation, which without its bit 6 in bit 1 is 0, 1, 2 or 7. */
static IrRef relation_flags(TransCtx *ctx, IrRef relation)
{
    IrBuilder *b = ctx->b;
    IrRef index = ir_op2(b, IR_or, IR_I64, ir_op2_imm(b, IR_and, IR_I64, relation, 7), ir_op2_imm(b, IR_shr, IR_I64, relation, 5));
    IrRef flags = ir_op2(b, IR_shr, IR_I64, ir_i64(b, 0x30000682), ir_op2_imm(b, IR_shl, IR_I64, index, 2));

    return ir_op2_imm(b, IR_shl, IR_I64, ir_op2_imm(b, IR_and, IR_I64, flags, 15), 28);
}

/* Where the condition does not hold, zeros are compared: no operand may raise anything then. */
static void compare_if(TransCtx *ctx, ArgsFcc *a, bool signalling)
{
    IrBuilder *b = ctx->b;
    unsigned size = arm_fp_size(a->ftype);
    ArmCondRef c = arm_cond(ctx, (unsigned)a->cond);
    IrRef holds = ir_setcond(b, IR_I64, c.cond, c.a, c.b), flags;

    if (!arm_fp_inline(ctx, size) || arm_fp_flush(ctx)) {
        uint32_t code = arm_fp_code(signalling ? ARM_FP_CMPE : ARM_FP_CMP, size, 0, ARM_FP_DYN, 0, 0);
        IrRef zero = ir_i64(b, 0);
        flags = arm_fp_call(ctx, code, ir_select(b, IR_I64, holds, arm_f_bits(ctx, size, a->fn), zero),
                            ir_select(b, IR_I64, holds, arm_f_bits(ctx, size, a->fm), zero), IR_NONE);
    } else {
        IrType type = arm_fp_type(size);
        IrRef zero = ir_const(b, type, 0);
        IrRef x = ir_select(b, type, holds, arm_f(ctx, size, a->fn), zero);
        IrRef y = ir_select(b, type, holds, arm_f(ctx, size, a->fm), zero);
        IrRef r = ir_emit(b, IR_frel, IR_I32, signalling, x, y, IR_NONE);
        flags = relation_flags(ctx, ir_op1(b, IR_ext_u, IR_I64, r));
    }
    flags = ir_select(b, IR_I64, holds, flags, ir_i64(b, (uint64_t)a->nzcv << 28));
    arm_cc_set(ctx, ARM_CC_FLAGS, flags, IR_NONE);
}

void arm_trans_fccmp(TransCtx *ctx, ArgsFcc *a) { compare_if(ctx, a, false); }
void arm_trans_fccmpe(TransCtx *ctx, ArgsFcc *a) { compare_if(ctx, a, true); }

void arm_trans_fcsel(TransCtx *ctx, ArgsFse *a)
{
    unsigned size = arm_fp_size(a->ftype);
    ArmCondRef c = arm_cond(ctx, (unsigned)a->cond);
    IrRef holds = ir_setcond(ctx->b, IR_I64, c.cond, c.a, c.b);

    if (size == 1) {
        arm_set_f(ctx, a->fd, ir_select(ctx->b, IR_I64, holds, arm_f_bits(ctx, size, a->fn), arm_f_bits(ctx, size, a->fm)));
        return;
    }
    arm_set_f(ctx, a->fd, ir_select(ctx->b, arm_fp_type(size), holds, arm_f(ctx, size, a->fn), arm_f(ctx, size, a->fm)));
}
