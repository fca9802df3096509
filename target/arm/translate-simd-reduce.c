/*
 * translate-simd-reduce.c: Advanced SIMD sums, minima and maxima of neighbouring lanes and across vectors (Arm ARM C7.2).
 */
#include "target/arm/translate-simd.h"

/* -- neighbours -------------------------------------------------------------------------------------- */

/* Of n's lanes, then of m's. Narrow lanes: each even lane with the one above it, then the even ones are put together. */
static IrRef pairs(TransCtx *ctx, IrOp op, int size, IrRef n, IrRef m)
{
    int bits = 8 << size;

    if (size >= 2) {
        return arm_v2(ctx, op, (unsigned)size, arm_unzip(ctx, size, false, n, m), arm_unzip(ctx, size, true, n, m));
    }
    IrRef x = arm_v2(ctx, op, (unsigned)size, n, arm_vshift(ctx, IR_vshr, size + 1, n, bits));
    IrRef y = n == m ? x : arm_v2(ctx, op, (unsigned)size, m, arm_vshift(ctx, IR_vshr, size + 1, m, bits));
    return arm_unzip(ctx, size, false, x, y);
}

static void pairwise(TransCtx *ctx, ArgsV3 *a, IrOp op)
{
    IrRef n = arm_v(ctx, a->n), m = arm_v(ctx, a->m);

    if (!a->q) {
        n = m = arm_vjoin(ctx, n, m);
    }
    arm_put3(ctx, a, pairs(ctx, op, a->size, n, m));
}

void arm_trans_v_addp(TransCtx *ctx, ArgsV3 *a) { pairwise(ctx, a, IR_vadd); }
void arm_trans_v_smaxp(TransCtx *ctx, ArgsV3 *a) { pairwise(ctx, a, IR_vmaxs); }
void arm_trans_v_umaxp(TransCtx *ctx, ArgsV3 *a) { pairwise(ctx, a, IR_vmaxu); }
void arm_trans_v_sminp(TransCtx *ctx, ArgsV3 *a) { pairwise(ctx, a, IR_vmins); }
void arm_trans_v_uminp(TransCtx *ctx, ArgsV3 *a) { pairwise(ctx, a, IR_vminu); }

void arm_trans_v_addp_pair(TransCtx *ctx, ArgsV2 *a)
{
    IrRef n = arm_v(ctx, a->n);

    arm_put_low(ctx, a->d, 3, arm_v2(ctx, IR_vadd, 3, n, arm_vupper(ctx, n)));
}

/* The IR's sums of neighbouring products, with 1; else both kinds of lanes extended in place. */
IrRef arm_add_pairs_long(TransCtx *ctx, bool is_signed, int size, IrRef v)
{
    IrRef ones = arm_vall(ctx, size, 1), odd;

    switch (size) {
    case 0: return is_signed ? arm_v2(ctx, IR_vmaddus, 0, ones, v) : arm_v2(ctx, IR_vmaddus, 0, v, ones);
    case 1:
        if (is_signed) {
            return arm_v2(ctx, IR_vmadds, 0, v, ones);
        }
        break;
    default:
        if (is_signed) {
            odd = arm_vshift(ctx, IR_vshr, 3, v, 32);
            return arm_v2(ctx, IR_vadd, 3, arm_v2(ctx, IR_vmulws, 2, v, ones), arm_v2(ctx, IR_vmulws, 2, odd, ones));
        }
        break;
    }
    odd = arm_vshift(ctx, IR_vshr, size + 1, v, 8 << size);
    v = arm_v2(ctx, IR_vand, 0, v, arm_vall(ctx, size + 1, ((uint64_t)1 << (8 << size)) - 1));
    return arm_v2(ctx, IR_vadd, (unsigned)size + 1, v, odd);
}

static void pairs_long(TransCtx *ctx, ArgsV2 *a, bool is_signed, bool accumulate)
{
    IrRef v = arm_add_pairs_long(ctx, is_signed, a->size, arm_v(ctx, a->n));

    arm_put2(ctx, a, accumulate ? arm_v2(ctx, IR_vadd, (unsigned)a->size + 1, arm_v(ctx, a->d), v) : v);
}

void arm_trans_v_saddlp(TransCtx *ctx, ArgsV2 *a) { pairs_long(ctx, a, true, false); }
void arm_trans_v_uaddlp(TransCtx *ctx, ArgsV2 *a) { pairs_long(ctx, a, false, false); }
void arm_trans_v_sadalp(TransCtx *ctx, ArgsV2 *a) { pairs_long(ctx, a, true, true); }
void arm_trans_v_uadalp(TransCtx *ctx, ArgsV2 *a) { pairs_long(ctx, a, false, true); }

/* -- across vectors ------------------------------------------------------------------------------------ */

/* Four 32-bit lanes to one, in all. */
static IrRef fold_words(TransCtx *ctx, IrOp op, IrRef v)
{
    v = arm_v2(ctx, op, 2, v, arm_v1(ctx, IR_vperm32, 0x4e, v));
    return arm_v2(ctx, op, 2, v, arm_v1(ctx, IR_vperm32, 0xb1, v));
}

/* Of bytes: sums of differences from 0 by eight; signed ones 128 larger each. */
static IrRef sum_bytes(TransCtx *ctx, bool is_signed, int q, IrRef v)
{
    uint64_t turn = 0x8080808080808080;

    if (is_signed) {
        v = arm_v2(ctx, IR_vxor, 0, v, arm_vconst(ctx, turn, q ? turn : 0));
    }
    v = arm_v2(ctx, IR_vsad, 0, v, arm_vzero(ctx));
    if (q) {
        v = arm_v2(ctx, IR_vadd, 3, v, arm_vupper(ctx, v));
    }
    return is_signed ? arm_v2(ctx, IR_vsub, 3, v, arm_vconst(ctx, q ? 16 * 128 : 8 * 128, 0)) : v;
}

/* Lanes extended enough that the sum fits; the result in the lowest bits. */
static IrRef sum_lanes(TransCtx *ctx, ArgsV2 *a, bool is_signed, bool is_long)
{
    IrRef v = arm_vlow_part(ctx, a->q ? 4 : 3, arm_v(ctx, a->n));

    switch (a->size) {
    case 0: return sum_bytes(ctx, is_signed && is_long, a->q, v);
    case 1: return fold_words(ctx, IR_vadd, arm_add_pairs_long(ctx, is_signed || !is_long, 1, v));
    default:
        if (!is_long) {
            return fold_words(ctx, IR_vadd, v);
        }
        v = arm_add_pairs_long(ctx, is_signed, 2, v);
        return arm_v2(ctx, IR_vadd, 3, v, arm_vupper(ctx, v));
    }
}

void arm_trans_v_addv(TransCtx *ctx, ArgsV2 *a) { arm_put_low(ctx, a->d, a->size, sum_lanes(ctx, a, false, false)); }
void arm_trans_v_saddlv(TransCtx *ctx, ArgsV2 *a) { arm_put_low(ctx, a->d, a->size + 1, sum_lanes(ctx, a, true, true)); }
void arm_trans_v_uaddlv(TransCtx *ctx, ArgsV2 *a) { arm_put_low(ctx, a->d, a->size + 1, sum_lanes(ctx, a, false, true)); }

/* Narrow lanes by the IR's least unsigned 16-bit lane: `turn` makes of others' order that one's. */
static void extreme(TransCtx *ctx, ArgsV2 *a, IrOp op, uint64_t turn)
{
    IrRef v = arm_v(ctx, a->n);

    if (!a->q) {
        v = arm_vjoin(ctx, v, v);
    }
    if (a->size == 2) {
        v = fold_words(ctx, op, v);
    } else {
        IrRef mask = arm_vall(ctx, a->size, turn & bits_mask(0, 8u << a->size));

        v = turn ? arm_v2(ctx, IR_vxor, 0, v, mask) : v;
        if (a->size == 0) {
            v = arm_v2(ctx, IR_vminu, 0, v, arm_vshift(ctx, IR_vshr, 1, v, 8));
        }
        v = arm_v1(ctx, IR_vminpos, 0, v);
        v = turn ? arm_v2(ctx, IR_vxor, 0, v, mask) : v;
    }
    arm_put_low(ctx, a->d, a->size, v);
}

static uint64_t least_of(ArgsV2 *a) { return (uint64_t)1 << ((8 << a->size) - 1); }

void arm_trans_v_uminv(TransCtx *ctx, ArgsV2 *a) { extreme(ctx, a, IR_vminu, 0); }
void arm_trans_v_umaxv(TransCtx *ctx, ArgsV2 *a) { extreme(ctx, a, IR_vmaxu, UINT64_MAX); }
void arm_trans_v_sminv(TransCtx *ctx, ArgsV2 *a) { extreme(ctx, a, IR_vmins, least_of(a)); }
void arm_trans_v_smaxv(TransCtx *ctx, ArgsV2 *a) { extreme(ctx, a, IR_vmaxs, ~least_of(a)); }
