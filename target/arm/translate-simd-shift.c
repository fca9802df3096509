/*
 * translate-simd-shift.c: Advanced SIMD shifts of lanes by immediates and by lanes (Arm ARM C7.2). Narrowing ones are in
 * translate-simd-narrow.c.
 *
 * Counts of registers are signed bytes: to the left, or if negative to the right.
 */
#include "target/arm/translate-simd.h"

static int bits_of(int size) { return 8 << size; }

/* One more step than the IR's count can say gives 0, or the sign. Rounding adds the last bit that went out. */
IrRef arm_shift_right(TransCtx *ctx, bool is_signed, bool round, int size, int count, IrRef v)
{
    IrOp op = is_signed ? IR_vsar : IR_vshr;
    int bits = bits_of(size);
    IrRef x = count < bits ? arm_vshift(ctx, op, size, v, count)
              : is_signed ? arm_vshift(ctx, op, size, v, bits - 1) : arm_vzero(ctx);

    if (!round || !count) {
        return x;
    }
    IrRef last = count == 1 ? v : arm_vshift(ctx, IR_vshr, size, v, count - 1);
    return arm_v2(ctx, IR_vadd, (unsigned)size, x, arm_v2(ctx, IR_vand, 0, last, arm_vall(ctx, size, 1)));
}

static void put_shift(TransCtx *ctx, ArgsVsh *a, IrRef v) { arm_put_v(ctx, a->d, a->q, a->scalar, arm_shift_size(a->sh), v); }

static void shift_right(TransCtx *ctx, ArgsVsh *a, bool is_signed, bool round, bool accumulate)
{
    int size = arm_shift_size(a->sh);
    IrRef v = arm_shift_right(ctx, is_signed, round, size, arm_shift_right_count(a->sh), arm_v(ctx, a->n));

    put_shift(ctx, a, accumulate ? arm_v2(ctx, IR_vadd, (unsigned)size, arm_v(ctx, a->d), v) : v);
}

void arm_trans_v_sshr_imm(TransCtx *ctx, ArgsVsh *a) { shift_right(ctx, a, true, false, false); }
void arm_trans_v_ushr_imm(TransCtx *ctx, ArgsVsh *a) { shift_right(ctx, a, false, false, false); }
void arm_trans_v_ssra_imm(TransCtx *ctx, ArgsVsh *a) { shift_right(ctx, a, true, false, true); }
void arm_trans_v_usra_imm(TransCtx *ctx, ArgsVsh *a) { shift_right(ctx, a, false, false, true); }
void arm_trans_v_srshr_imm(TransCtx *ctx, ArgsVsh *a) { shift_right(ctx, a, true, true, false); }
void arm_trans_v_urshr_imm(TransCtx *ctx, ArgsVsh *a) { shift_right(ctx, a, false, true, false); }
void arm_trans_v_srsra_imm(TransCtx *ctx, ArgsVsh *a) { shift_right(ctx, a, true, true, true); }
void arm_trans_v_ursra_imm(TransCtx *ctx, ArgsVsh *a) { shift_right(ctx, a, false, true, true); }

static IrRef shifted_left(TransCtx *ctx, ArgsVsh *a)
{
    return arm_vshift(ctx, IR_vshl, arm_shift_size(a->sh), arm_v(ctx, a->n), arm_shift_left_count(a->sh));
}

void arm_trans_v_shl_imm(TransCtx *ctx, ArgsVsh *a) { put_shift(ctx, a, shifted_left(ctx, a)); }

/* V[d] is V[n] shifted the other way, so that what SLI or SRI shifts in finds zeros: a rotation, as compilers write it. */
static bool rotates(TransCtx *ctx, ArgsVsh *a, IrOp other, int count, int bits)
{
    const IrInsn *d = ir_insn(ctx->b->unit, arm_v(ctx, a->d));
    return d->op == other && d->a == arm_v(ctx, a->n) && (d->aux & 3) == arm_shift_size(a->sh) && ir_is_const(ctx->b->unit, d->b) &&
           ir_insn(ctx->b->unit, d->b)->imm == (uint64_t)(bits - count);
}

/* SLI and SRI: V[d] stays where nothing is shifted in. */
void arm_trans_v_sli_imm(TransCtx *ctx, ArgsVsh *a)
{
    int size = arm_shift_size(a->sh), count = arm_shift_left_count(a->sh);
    IrRef kept = arm_v(ctx, a->d);

    if (!rotates(ctx, a, IR_vshr, count, bits_of(size))) {
        kept = arm_v2(ctx, IR_vand, 0, kept, arm_vall(ctx, size, ((uint64_t)1 << count) - 1));
    }
    put_shift(ctx, a, arm_v2(ctx, IR_vor, 0, kept, shifted_left(ctx, a)));
}

void arm_trans_v_sri_imm(TransCtx *ctx, ArgsVsh *a)
{
    int size = arm_shift_size(a->sh), count = arm_shift_right_count(a->sh), bits = bits_of(size);
    uint64_t lane = UINT64_MAX >> (64 - bits), in = count < bits ? lane >> count : 0;
    IrRef kept = arm_v(ctx, a->d);

    if (!rotates(ctx, a, IR_vshl, count, bits)) {
        kept = arm_v2(ctx, IR_vand, 0, kept, arm_vall(ctx, size, lane & ~in));
    }
    put_shift(ctx, a, arm_v2(ctx, IR_vor, 0, kept, arm_shift_right(ctx, false, false, size, count, arm_v(ctx, a->n))));
}

/* SSHLL, USHLL and SHLL; q: of the upper half. */
static void widen_left(TransCtx *ctx, int d, int n, int q, bool is_signed, int size, int count)
{
    arm_put_low(ctx, d, 4, arm_vshift(ctx, IR_vshl, size + 1, arm_vwiden(ctx, is_signed, size, q, arm_v(ctx, n)), count));
}

void arm_trans_v_sshll_imm(TransCtx *ctx, ArgsVsh *a)
{
    widen_left(ctx, a->d, a->n, a->q, true, arm_shift_size(a->sh), arm_shift_left_count(a->sh));
}

void arm_trans_v_ushll_imm(TransCtx *ctx, ArgsVsh *a)
{
    widen_left(ctx, a->d, a->n, a->q, false, arm_shift_size(a->sh), arm_shift_left_count(a->sh));
}

void arm_trans_v_shll(TransCtx *ctx, ArgsV2 *a) { widen_left(ctx, a->d, a->n, a->q, false, a->size, bits_of(a->size)); }

/* -- saturating, by an immediate: what does not come back by a shift right was too large --------------- */

static void put_saturated(TransCtx *ctx, ArgsVsh *a, IrRef v, IrRef fits, IrRef limit)
{
    int log2 = arm_form_log2(a->q, a->scalar, arm_shift_size(a->sh));

    arm_qc(ctx, log2, arm_v1(ctx, IR_vnot, 0, fits));
    arm_put_low(ctx, a->d, log2, arm_select_bits(ctx, fits, v, limit));
}

void arm_trans_v_sqshl_imm(TransCtx *ctx, ArgsVsh *a)
{
    int size = arm_shift_size(a->sh), count = arm_shift_left_count(a->sh), bits = bits_of(size);
    IrRef x = arm_v(ctx, a->n), v = shifted_left(ctx, a);
    IrRef fits = arm_compare(ctx, IR_EQ, size, arm_vshift(ctx, IR_vsar, size, v, count), x);
    IrRef negative = arm_compare(ctx, IR_LT, size, x, arm_vzero(ctx));
    IrRef limit = arm_v2(ctx, IR_vxor, 0, negative, arm_vall(ctx, size, UINT64_MAX >> (65 - bits)));

    put_saturated(ctx, a, v, fits, limit);
}

void arm_trans_v_uqshl_imm(TransCtx *ctx, ArgsVsh *a)
{
    int size = arm_shift_size(a->sh), count = arm_shift_left_count(a->sh);
    IrRef v = shifted_left(ctx, a);
    IrRef fits = arm_compare(ctx, IR_EQ, size, arm_vshift(ctx, IR_vshr, size, v, count), arm_v(ctx, a->n));

    put_saturated(ctx, a, v, fits, arm_vall(ctx, 3, UINT64_MAX));
}

/* Signed lanes to unsigned ones: negative ones do not fit, and give 0. */
void arm_trans_v_sqshlu_imm(TransCtx *ctx, ArgsVsh *a)
{
    int size = arm_shift_size(a->sh), count = arm_shift_left_count(a->sh);
    IrRef x = arm_v(ctx, a->n), v = shifted_left(ctx, a);
    IrRef negative = arm_compare(ctx, IR_LT, size, x, arm_vzero(ctx));
    IrRef fits = arm_compare(ctx, IR_EQ, size, arm_vshift(ctx, IR_vshr, size, v, count), x);

    put_saturated(ctx, a, v, arm_v2(ctx, IR_vandn, 0, fits, negative), arm_v1(ctx, IR_vnot, 0, negative));
}

/* -- by registers --------------------------------------------------------------------------------------- */

/* The low bytes of lanes, sign-extended. */
static IrRef counts(TransCtx *ctx, int size, IrRef m)
{
    int up = bits_of(size) - 8;

    return arm_vshift(ctx, IR_vsar, size, arm_vshift(ctx, IR_vshl, size, m, up), up);
}

static IrRef shifted_right(TransCtx *ctx, int size, IrOp op, bool round, IrRef x, IrRef n)
{
    IrRef minus = arm_v1(ctx, IR_vneg, (unsigned)size, n), v = arm_v2(ctx, op, (unsigned)size, x, minus);

    if (!round) {
        return v;
    }
    /* The last bit that goes out: of signed lanes the sign for counts beyond the width, which makes -1 a 0. */
    IrRef one = arm_vall(ctx, size, 1), before = arm_v2(ctx, IR_vsub, (unsigned)size, minus, one);
    return arm_v2(ctx, IR_vadd, (unsigned)size, v, arm_v2(ctx, IR_vand, 0, arm_v2(ctx, op, (unsigned)size, x, before), one));
}

static void shift_by_register(TransCtx *ctx, ArgsV3 *a, bool is_signed, bool round)
{
    unsigned size = (unsigned)a->size;
    IrRef x = arm_v(ctx, a->n), n = counts(ctx, a->size, arm_v(ctx, a->m));
    IrRef left = arm_v2(ctx, IR_vshl_each, size, x, n);
    IrRef right = shifted_right(ctx, a->size, is_signed ? IR_vsar_each : IR_vshr_each, round, x, n);

    /* Both bytes of 16-bit lanes have the sign. */
    arm_put3(ctx, a, ir_emit(ctx->b, IR_vblendv, IR_V128, size == 1 ? 0 : size, n, right, left));
}

void arm_trans_v_sshl(TransCtx *ctx, ArgsV3 *a) { shift_by_register(ctx, a, true, false); }
void arm_trans_v_ushl(TransCtx *ctx, ArgsV3 *a) { shift_by_register(ctx, a, false, false); }
void arm_trans_v_srshl(TransCtx *ctx, ArgsV3 *a) { shift_by_register(ctx, a, true, true); }
void arm_trans_v_urshl(TransCtx *ctx, ArgsV3 *a) { shift_by_register(ctx, a, false, true); }

/* To the left by shifting back, as by immediates; a negative count, taken as unsigned, leaves nothing and is the other case. */
static void saturating_by_register(TransCtx *ctx, ArgsV3 *a, bool is_signed, bool round)
{
    unsigned size = (unsigned)a->size, bits = 8u << size;
    int log2 = arm_form_log2(a->q, a->scalar, a->size);
    IrOp op = is_signed ? IR_vsar_each : IR_vshr_each;
    IrRef x = arm_v(ctx, a->n), n = counts(ctx, a->size, arm_v(ctx, a->m)), zero = arm_vzero(ctx);
    IrRef to_right = arm_compare(ctx, IR_LT, a->size, n, zero);
    IrRef left = arm_v2(ctx, IR_vshl_each, size, x, n), right = shifted_right(ctx, a->size, op, round, x, n);
    IrRef fits = arm_v2(ctx, IR_vor, 0, to_right, arm_compare(ctx, IR_EQ, a->size, arm_v2(ctx, op, size, left, n), x));
    IrRef limit = is_signed ? arm_v2(ctx, IR_vxor, 0, arm_compare(ctx, IR_LT, a->size, x, zero), arm_vall(ctx, a->size, UINT64_MAX >> (65 - bits)))
                            : arm_vall(ctx, 3, UINT64_MAX);

    arm_qc(ctx, log2, arm_v1(ctx, IR_vnot, 0, fits));
    arm_put_low(ctx, a->d, log2, arm_select_bits(ctx, fits, arm_select_bits(ctx, to_right, right, left), limit));
}

void arm_trans_v_sqshl(TransCtx *ctx, ArgsV3 *a) { saturating_by_register(ctx, a, true, false); }
void arm_trans_v_uqshl(TransCtx *ctx, ArgsV3 *a) { saturating_by_register(ctx, a, false, false); }
void arm_trans_v_sqrshl(TransCtx *ctx, ArgsV3 *a) { saturating_by_register(ctx, a, true, true); }
void arm_trans_v_uqrshl(TransCtx *ctx, ArgsV3 *a) { saturating_by_register(ctx, a, false, true); }
