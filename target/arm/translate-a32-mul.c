/*
 * translate-a32-mul.c: multiplication, division, saturation, and arithmetic on the parts of a word, of A32 and T32 (Arm ARM DDI 0487,
 * F5.1). A multiplication with register 15 as the addend adds nothing.
 */
#include "target/arm/a32.h"

static IrRef sext64(TransCtx *ctx, IrRef v) { return ir_op1(ctx->b, IR_ext_s, IR_I64, v); }
static IrRef zext64(TransCtx *ctx, IrRef v) { return ir_op1(ctx->b, IR_ext_u, IR_I64, v); }
static IrRef low32(TransCtx *ctx, IrRef v) { return ir_op1(ctx->b, IR_trunc, IR_I32, v); }
static IrRef op64(TransCtx *ctx, IrOp op, IrRef x, IrRef y) { return ir_op2(ctx->b, op, IR_I64, x, y); }

/* PSTATE.Q is set if a COND b. */
static void sticky(TransCtx *ctx, IrCond cond, IrRef a, IrRef b)
{
    const int at = (int)offsetof(ArmState, q);
    IrRef old = ir_ldenv(ctx->b, IR_I32, at, 1, false);
    ir_stenv(ctx->b, at, 1, ir_op2(ctx->b, IR_or, IR_I32, old, ir_setcond(ctx->b, IR_I32, cond, a, b)));
}

/* An I64 that does not fit 32 bits sets Q; the low half. */
static IrRef overflow_q(TransCtx *ctx, IrRef v)
{
    IrRef low = low32(ctx, v);
    sticky(ctx, IR_NE, v, sext64(ctx, low));
    return low;
}

/* SignedSatQ to 32 bits. */
static IrRef saturate_q(TransCtx *ctx, IrRef v)
{
    IrRef r = op64(ctx, IR_maxs, ir_i64(ctx->b, (uint64_t)INT32_MIN), op64(ctx, IR_mins, v, ir_i64(ctx->b, INT32_MAX)));
    sticky(ctx, IR_NE, v, r);
    return low32(ctx, r);
}

/* Half of a register, sign-extended. */
static IrRef half(TransCtx *ctx, IrRef v, int top)
{
    return top ? ir_op2_imm(ctx->b, IR_sar, IR_I32, v, 16) : ir_op1(ctx->b, IR_sext16, IR_I32, v);
}

/* -- whole words ------------------------------------------------------------------------------------------- */

void a32_trans_mla(TransCtx *ctx, const A32ArgsR4 *a)
{
    IrRef r = ir_op2(ctx->b, IR_mul, IR_I32, a32_r(ctx, a->rn), a32_r(ctx, a->rm));

    r = a->ra == A32_PC ? r : ir_op2(ctx->b, IR_add, IR_I32, a32_r(ctx, a->ra), r);
    if (a32_sets(ctx, a->s)) {
        a32_set_nzc(ctx, r, IR_NONE);
    }
    a32_put(ctx, a->rd, r);
}

void a32_trans_mls(TransCtx *ctx, const A32ArgsR4 *a)
{
    IrRef product = ir_op2(ctx->b, IR_mul, IR_I32, a32_r(ctx, a->rn), a32_r(ctx, a->rm));
    a32_put(ctx, a->rd, ir_op2(ctx->b, IR_sub, IR_I32, a32_r(ctx, a->ra), product));
}

static IrRef pair(TransCtx *ctx, unsigned hi, unsigned lo)
{
    return op64(ctx, IR_or, zext64(ctx, a32_r(ctx, lo)), ir_op2_imm(ctx->b, IR_shl, IR_I64, zext64(ctx, a32_r(ctx, hi)), 32));
}

static void set_pair(TransCtx *ctx, unsigned hi, unsigned lo, IrRef v, bool flags)
{
    IrRef high = low32(ctx, ir_op2_imm(ctx->b, IR_shr, IR_I64, v, 32)), low = low32(ctx, v);

    if (flags) { /* Z of all 64 bits, N of the top one: a word that is not 0 for each low bit */
        IrRef low_any = ir_setcond(ctx->b, IR_I32, IR_NE, low, ir_i32(ctx->b, 0));
        a32_set_nzc(ctx, ir_op2(ctx->b, IR_or, IR_I32, high, low_any), IR_NONE);
    }
    a32_put(ctx, lo, low);
    a32_put(ctx, hi, high);
}

static void long_mul(TransCtx *ctx, const A32ArgsMul64 *a, IrOp extend, bool accumulate)
{
    IrRef x = ir_op1(ctx->b, extend, IR_I64, a32_r(ctx, a->rn)), y = ir_op1(ctx->b, extend, IR_I64, a32_r(ctx, a->rm));
    IrRef r = op64(ctx, IR_mul, x, y);

    r = accumulate ? op64(ctx, IR_add, r, pair(ctx, a->hi, a->lo)) : r;
    set_pair(ctx, a->hi, a->lo, r, a32_sets(ctx, a->s));
}

void a32_trans_umull(TransCtx *ctx, const A32ArgsMul64 *a) { long_mul(ctx, a, IR_ext_u, false); }
void a32_trans_umlal(TransCtx *ctx, const A32ArgsMul64 *a) { long_mul(ctx, a, IR_ext_u, true); }
void a32_trans_smull(TransCtx *ctx, const A32ArgsMul64 *a) { long_mul(ctx, a, IR_ext_s, false); }
void a32_trans_smlal(TransCtx *ctx, const A32ArgsMul64 *a) { long_mul(ctx, a, IR_ext_s, true); }

void a32_trans_umaal(TransCtx *ctx, const A32ArgsMul64 *a)
{
    IrRef r = op64(ctx, IR_mul, zext64(ctx, a32_r(ctx, a->rn)), zext64(ctx, a32_r(ctx, a->rm)));
    r = op64(ctx, IR_add, op64(ctx, IR_add, r, zext64(ctx, a32_r(ctx, a->hi))), zext64(ctx, a32_r(ctx, a->lo)));
    set_pair(ctx, a->hi, a->lo, r, false);
}

/* Division by zero gives zero. */
static void divide(TransCtx *ctx, const A32ArgsR3 *a, IrOp op)
{
    IrRef y = a32_r(ctx, a->rm), q = ir_op2(ctx->b, op, IR_I32, a32_r(ctx, a->rn), y);
    a32_put(ctx, a->rd, ir_select(ctx->b, IR_I32, y, q, ir_i32(ctx->b, 0)));
}

void a32_trans_sdiv(TransCtx *ctx, const A32ArgsR3 *a) { divide(ctx, a, IR_divs); }
void a32_trans_udiv(TransCtx *ctx, const A32ArgsR3 *a) { divide(ctx, a, IR_divu); }

/* -- halves ---------------------------------------------------------------------------------------------------- */

void a32_trans_smlaxy(TransCtx *ctx, const A32ArgsR4x *a)
{
    IrRef r = ir_op2(ctx->b, IR_mul, IR_I32, half(ctx, a32_r(ctx, a->rn), a->x), half(ctx, a32_r(ctx, a->rm), a->y));

    if (a->ra != A32_PC) {
        r = overflow_q(ctx, op64(ctx, IR_add, sext64(ctx, r), sext64(ctx, a32_r(ctx, a->ra))));
    }
    a32_put(ctx, a->rd, r);
}

void a32_trans_smlawy(TransCtx *ctx, const A32ArgsR4x *a)
{
    IrRef product = op64(ctx, IR_mul, sext64(ctx, a32_r(ctx, a->rn)), sext64(ctx, half(ctx, a32_r(ctx, a->rm), a->y)));
    IrRef r = ir_op2_imm(ctx->b, IR_sar, IR_I64, product, 16);

    a32_put(ctx, a->rd, a->ra == A32_PC ? low32(ctx, r) : overflow_q(ctx, op64(ctx, IR_add, r, sext64(ctx, a32_r(ctx, a->ra)))));
}

void a32_trans_smlalxy(TransCtx *ctx, const A32ArgsLongx *a)
{
    IrRef r = ir_op2(ctx->b, IR_mul, IR_I32, half(ctx, a32_r(ctx, a->rn), a->x), half(ctx, a32_r(ctx, a->rm), a->y));
    set_pair(ctx, a->hi, a->lo, op64(ctx, IR_add, sext64(ctx, r), pair(ctx, a->hi, a->lo)), false);
}

/* Products of the low and of the high halves (of m exchanged if x), added or subtracted, as an I64. */
static IrRef dual(TransCtx *ctx, unsigned rn, unsigned rm, int exchange, bool sub)
{
    IrRef n = a32_r(ctx, rn), m = a32_r(ctx, rm);
    IrRef low = ir_op2(ctx->b, IR_mul, IR_I32, half(ctx, n, 0), half(ctx, m, exchange));
    IrRef high = ir_op2(ctx->b, IR_mul, IR_I32, half(ctx, n, 1), half(ctx, m, !exchange));
    return op64(ctx, sub ? IR_sub : IR_add, sext64(ctx, low), sext64(ctx, high));
}

static void dual_word(TransCtx *ctx, const A32ArgsR4x *a, bool sub)
{
    IrRef r = dual(ctx, a->rn, a->rm, a->x, sub);
    r = a->ra == A32_PC ? r : op64(ctx, IR_add, r, sext64(ctx, a32_r(ctx, a->ra)));
    a32_put(ctx, a->rd, overflow_q(ctx, r));
}

void a32_trans_smlad(TransCtx *ctx, const A32ArgsR4x *a) { dual_word(ctx, a, false); }
void a32_trans_smlsd(TransCtx *ctx, const A32ArgsR4x *a) { dual_word(ctx, a, true); }

static void dual_long(TransCtx *ctx, const A32ArgsLongx *a, bool sub)
{
    set_pair(ctx, a->hi, a->lo, op64(ctx, IR_add, pair(ctx, a->hi, a->lo), dual(ctx, a->rn, a->rm, a->x, sub)), false);
}

void a32_trans_smlald(TransCtx *ctx, const A32ArgsLongx *a) { dual_long(ctx, a, false); }
void a32_trans_smlsld(TransCtx *ctx, const A32ArgsLongx *a) { dual_long(ctx, a, true); }

/* The high word of ra : 0 + or - a product, rounded if x. */
static void most_significant(TransCtx *ctx, const A32ArgsR4x *a, bool sub)
{
    IrRef product = op64(ctx, IR_mul, sext64(ctx, a32_r(ctx, a->rn)), sext64(ctx, a32_r(ctx, a->rm)));
    IrRef r = a->ra == A32_PC ? ir_i64(ctx->b, 0) : ir_op2_imm(ctx->b, IR_shl, IR_I64, zext64(ctx, a32_r(ctx, a->ra)), 32);

    r = op64(ctx, sub ? IR_sub : IR_add, r, product);
    r = a->x ? op64(ctx, IR_add, r, ir_i64(ctx->b, 0x80000000)) : r;
    a32_put(ctx, a->rd, low32(ctx, ir_op2_imm(ctx->b, IR_shr, IR_I64, r, 32)));
}

void a32_trans_smmla(TransCtx *ctx, const A32ArgsR4x *a) { most_significant(ctx, a, false); }
void a32_trans_smmls(TransCtx *ctx, const A32ArgsR4x *a) { most_significant(ctx, a, true); }

void a32_trans_usada8(TransCtx *ctx, const A32ArgsR4 *a)
{
    IrRef r = ir_call(ctx->b, ARM_HELPER_a32_usad8, 2, (IrRef[]){ a32_r(ctx, a->rn), a32_r(ctx, a->rm) });
    a32_put(ctx, a->rd, a->ra == A32_PC ? r : ir_op2(ctx->b, IR_add, IR_I32, r, a32_r(ctx, a->ra)));
}

/* -- saturation -------------------------------------------------------------------------------------------------- */

static void q_add(TransCtx *ctx, const A32ArgsR3 *a, bool twice, bool sub)
{
    IrRef n = a32_r(ctx, a->rn);

    if (twice) {
        n = saturate_q(ctx, ir_op2_imm(ctx->b, IR_shl, IR_I64, sext64(ctx, n), 1));
    }
    a32_put(ctx, a->rd, saturate_q(ctx, op64(ctx, sub ? IR_sub : IR_add, sext64(ctx, a32_r(ctx, a->rm)), sext64(ctx, n))));
}

void a32_trans_qadd(TransCtx *ctx, const A32ArgsR3 *a) { q_add(ctx, a, false, false); }
void a32_trans_qsub(TransCtx *ctx, const A32ArgsR3 *a) { q_add(ctx, a, false, true); }
void a32_trans_qdadd(TransCtx *ctx, const A32ArgsR3 *a) { q_add(ctx, a, true, false); }
void a32_trans_qdsub(TransCtx *ctx, const A32ArgsR3 *a) { q_add(ctx, a, true, true); }

/* A signed value to the range of `to` bits. */
static IrRef clamp(TransCtx *ctx, IrRef v, bool is_signed, unsigned to)
{
    int64_t high = is_signed ? (int64_t)BIT(to - 1) - 1 : (int64_t)BIT(to) - 1, low = is_signed ? -(int64_t)BIT(to - 1) : 0;
    IrRef r = ir_op2(ctx->b, IR_mins, IR_I32, v, ir_i32(ctx->b, (uint32_t)high));
    r = ir_op2(ctx->b, IR_maxs, IR_I32, r, ir_i32(ctx->b, (uint32_t)low));
    sticky(ctx, IR_NE, v, r);
    return r;
}

static void saturate(TransCtx *ctx, const A32ArgsSat *a, bool is_signed)
{
    IrRef v = a32_shift_imm(ctx, a32_r(ctx, a->rn), a->asr ? 2 : 0, (unsigned)a->imm, NULL);
    a32_put(ctx, a->rd, clamp(ctx, v, is_signed, (unsigned)a->to + is_signed));
}

void a32_trans_ssat(TransCtx *ctx, const A32ArgsSat *a) { saturate(ctx, a, true); }
void a32_trans_usat(TransCtx *ctx, const A32ArgsSat *a) { saturate(ctx, a, false); }

static void saturate16(TransCtx *ctx, const A32ArgsSat2 *a, bool is_signed)
{
    IrRef v = a32_r(ctx, a->rn);
    IrRef low = clamp(ctx, half(ctx, v, 0), is_signed, (unsigned)a->to + is_signed);
    IrRef high = clamp(ctx, half(ctx, v, 1), is_signed, (unsigned)a->to + is_signed);
    a32_put(ctx, a->rd, ir_emit(ctx->b, IR_bfi, IR_I32, 16 | 16 << 8, ir_op1(ctx->b, IR_zext16, IR_I32, low), high, IR_NONE));
}

void a32_trans_ssat16(TransCtx *ctx, const A32ArgsSat2 *a) { saturate16(ctx, a, true); }
void a32_trans_usat16(TransCtx *ctx, const A32ArgsSat2 *a) { saturate16(ctx, a, false); }

/* -- lanes of a general register ------------------------------------------------------------------------------------ */

/* kind: 1 signed, 2 saturating, 3 halving; 5 to 7 the same unsigned. op: 0 ADD16, 1 ASX, 2 SAX, 3 SUB16, 4 ADD8, 7 SUB8. */
static void parallel(TransCtx *ctx, unsigned rd, unsigned rn, unsigned rm, unsigned kind, unsigned op)
{
    if (!(kind & 3) || op == 5 || op == 6) {
        a32_undefined(ctx);
        return;
    }
    IrRef r = ir_call(ctx->b, ARM_HELPER_a32_parallel, 3, (IrRef[]){ a32_r(ctx, rn), a32_r(ctx, rm), ir_i32(ctx->b, kind << 3 | op) });
    if ((kind & 3) == 1) {
        IrRef ge = low32(ctx, ir_op2_imm(ctx->b, IR_shr, IR_I64, r, 32));
        ir_stenv(ctx->b, (int)offsetof(ArmState, ge), 1, ge);
    }
    a32_put(ctx, rd, low32(ctx, r));
}

void a32_trans_par(TransCtx *ctx, const A32ArgsPar *a) { parallel(ctx, a->rd, a->rn, a->rm, a->kind, a->op); }

/* T32 numbers both otherwise. */
void a32_trans_par_t(TransCtx *ctx, const A32ArgsPar *a)
{
    static const uint8_t op[8] = { 4, 0, 1, 5, 7, 3, 2, 5 }, kind[8] = { 1, 2, 3, 0, 5, 6, 7, 0 };
    parallel(ctx, a->rd, a->rn, a->rm, kind[a->kind], op[a->op]);
}

void a32_trans_sel(TransCtx *ctx, const A32ArgsR3 *a)
{
    IrRef ge = ir_ldenv(ctx->b, IR_I32, (int)offsetof(ArmState, ge), 1, false);
    a32_put(ctx, a->rd, ir_call(ctx->b, ARM_HELPER_a32_sel, 3, (IrRef[]){ a32_r(ctx, a->rn), a32_r(ctx, a->rm), ge }));
}

void a32_trans_pkh(TransCtx *ctx, const A32ArgsPkh *a)
{
    IrRef n = a32_r(ctx, a->rn), m = a32_shift_imm(ctx, a32_r(ctx, a->rm), a->tb ? 2 : 0, (unsigned)a->imm, NULL);
    IrRef low = a->tb ? m : n, high = ir_op2_imm(ctx->b, IR_shr, IR_I32, a->tb ? n : m, 16);
    a32_put(ctx, a->rd, ir_emit(ctx->b, IR_bfi, IR_I32, 16 | 16 << 8, low, high, IR_NONE));
}

void a32_trans_crc32(TransCtx *ctx, const A32ArgsCrc *a)
{
    if (a->sz == 3) {
        a32_undefined(ctx);
        return;
    }
    IrRef old = ir_op1(ctx->b, IR_ext_u, IR_I64, a32_r(ctx, a->rn)), data = ir_op1(ctx->b, IR_ext_u, IR_I64, a32_r(ctx, a->rm));
    a32_put(ctx, a->rd, ir_op1(ctx->b, IR_trunc, IR_I32, arm_crc32(ctx, old, data, (unsigned)a->sz, a->c)));
}
