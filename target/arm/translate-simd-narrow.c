/*
 * translate-simd-narrow.c: Advanced SIMD instructions whose results are half as wide as their sources (Arm ARM C7.2): XTN,
 * SHRN, ADDHN and their saturating and rounding relatives. `size` is the result's.
 */
#include "target/arm/translate-simd.h"

/* The lower parts of lanes side by side in the low half; zeros above. */
IrRef arm_narrow_lanes(TransCtx *ctx, int size, IrRef v)
{
    static const uint8_t from[3][16] = {
        { 0, 2, 4, 6, 8, 10, 12, 14, 128, 128, 128, 128, 128, 128, 128, 128 },
        { 0, 1, 4, 5, 8, 9, 12, 13, 128, 128, 128, 128, 128, 128, 128, 128 },
        { 0, 1, 2, 3, 8, 9, 10, 11, 128, 128, 128, 128, 128, 128, 128, 128 },
    };

    return arm_v2(ctx, IR_vtbl, 0, v, arm_vbytes(ctx, from[size]));
}

/* 64-bit lanes: what the upper halves have to be tells what does not fit. */
static IrRef narrow64(TransCtx *ctx, ArmNarrow kind, IrRef v, IrRef *ret_fits)
{
    IrRef low = arm_v1(ctx, IR_vperm32, 0x88, v), high = arm_v1(ctx, IR_vperm32, 0xdd, v), limit;
    IrRef sign = arm_vshift(ctx, IR_vsar, 2, high, 31);

    switch (kind) {
    case ARM_NARROW_S:
        *ret_fits = arm_compare(ctx, IR_EQ, 2, high, arm_vshift(ctx, IR_vsar, 2, low, 31));
        limit = arm_v2(ctx, IR_vxor, 0, sign, arm_vall(ctx, 2, INT32_MAX));
        break;
    case ARM_NARROW_S_TO_U:
        *ret_fits = arm_compare(ctx, IR_EQ, 2, high, arm_vzero(ctx));
        limit = arm_v1(ctx, IR_vnot, 0, sign);
        break;
    default:
        *ret_fits = arm_compare(ctx, IR_EQ, 2, high, arm_vzero(ctx));
        limit = arm_vall(ctx, 3, UINT64_MAX);
        break;
    }
    return arm_select_bits(ctx, *ret_fits, low, limit);
}

IrRef arm_narrow_saturated(TransCtx *ctx, ArmNarrow kind, int size, bool scalar, IrRef v)
{
    unsigned wide = (unsigned)size + 1;
    IrRef x, y = v;

    if (size == 2) {
        x = narrow64(ctx, kind, v, &y);
        arm_qc(ctx, scalar ? 2 : 3, arm_v1(ctx, IR_vnot, 0, y));
        return x;
    }
    if (kind == ARM_NARROW_U) {
        /* Made small enough first: packing takes lanes as signed. */
        y = arm_v2(ctx, IR_vminu, wide, v, arm_vall(ctx, (int)wide, ((uint64_t)1 << (8 << size)) - 1));
        x = arm_v2(ctx, IR_vpack_u, wide, y, y);
    } else {
        x = arm_v2(ctx, kind == ARM_NARROW_S ? IR_vpack_s : IR_vpack_u, wide, v, v);
        y = arm_vwiden(ctx, kind == ARM_NARROW_S, size, false, x);
    }
    arm_qc(ctx, scalar ? size + 1 : 4, arm_v2(ctx, IR_vxor, 0, v, y));
    return x;
}

void arm_trans_v_xtn(TransCtx *ctx, ArgsV2 *a)
{
    IrRef v = arm_narrow_lanes(ctx, a->size, arm_v(ctx, a->n));

    ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d, a->q ? arm_vjoin(ctx, arm_v(ctx, a->d), v) : v);
}

static void narrow(TransCtx *ctx, ArgsV2 *a, ArmNarrow kind)
{
    arm_put_narrow(ctx, a->d, a->q, a->scalar, a->size, arm_narrow_saturated(ctx, kind, a->size, a->scalar, arm_v(ctx, a->n)));
}

void arm_trans_v_sqxtn(TransCtx *ctx, ArgsV2 *a) { narrow(ctx, a, ARM_NARROW_S); }
void arm_trans_v_uqxtn(TransCtx *ctx, ArgsV2 *a) { narrow(ctx, a, ARM_NARROW_U); }
void arm_trans_v_sqxtun(TransCtx *ctx, ArgsV2 *a) { narrow(ctx, a, ARM_NARROW_S_TO_U); }

/* -- shifted right first: the field counts in the result's lanes, but the shift is of the source's --------- */

static IrRef shifted(TransCtx *ctx, ArgsVsh *a, bool is_signed, bool round)
{
    return arm_shift_right(ctx, is_signed, round, arm_shift_size(a->sh) + 1, arm_shift_right_count(a->sh), arm_v(ctx, a->n));
}

static void shift_narrow(TransCtx *ctx, ArgsVsh *a, bool round)
{
    IrRef v = arm_narrow_lanes(ctx, arm_shift_size(a->sh), shifted(ctx, a, false, round));

    ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d, a->q ? arm_vjoin(ctx, arm_v(ctx, a->d), v) : v);
}

static void shift_narrow_saturated(TransCtx *ctx, ArgsVsh *a, ArmNarrow kind, bool round)
{
    int size = arm_shift_size(a->sh);

    arm_put_narrow(ctx, a->d, a->q, a->scalar, size,
                   arm_narrow_saturated(ctx, kind, size, a->scalar, shifted(ctx, a, kind != ARM_NARROW_U, round)));
}

void arm_trans_v_shrn_imm(TransCtx *ctx, ArgsVsh *a) { shift_narrow(ctx, a, false); }
void arm_trans_v_rshrn_imm(TransCtx *ctx, ArgsVsh *a) { shift_narrow(ctx, a, true); }
void arm_trans_v_sqshrn_imm(TransCtx *ctx, ArgsVsh *a) { shift_narrow_saturated(ctx, a, ARM_NARROW_S, false); }
void arm_trans_v_uqshrn_imm(TransCtx *ctx, ArgsVsh *a) { shift_narrow_saturated(ctx, a, ARM_NARROW_U, false); }
void arm_trans_v_sqshrun_imm(TransCtx *ctx, ArgsVsh *a) { shift_narrow_saturated(ctx, a, ARM_NARROW_S_TO_U, false); }
void arm_trans_v_sqrshrn_imm(TransCtx *ctx, ArgsVsh *a) { shift_narrow_saturated(ctx, a, ARM_NARROW_S, true); }
void arm_trans_v_uqrshrn_imm(TransCtx *ctx, ArgsVsh *a) { shift_narrow_saturated(ctx, a, ARM_NARROW_U, true); }
void arm_trans_v_sqrshrun_imm(TransCtx *ctx, ArgsVsh *a) { shift_narrow_saturated(ctx, a, ARM_NARROW_S_TO_U, true); }

/* -- the upper halves of sums and differences ----------------------------------------------------------------- */

static void high_half(TransCtx *ctx, ArgsV3 *a, IrOp op, bool round)
{
    int wide = a->size + 1, half = 8 << a->size;
    IrRef v = arm_v2(ctx, op, (unsigned)wide, arm_v(ctx, a->n), arm_v(ctx, a->m));

    if (round) {
        v = arm_v2(ctx, IR_vadd, (unsigned)wide, v, arm_vall(ctx, wide, (uint64_t)1 << (half - 1)));
    }
    v = arm_narrow_lanes(ctx, a->size, arm_vshift(ctx, IR_vshr, wide, v, half));
    ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d, a->q ? arm_vjoin(ctx, arm_v(ctx, a->d), v) : v);
}

void arm_trans_v_addhn(TransCtx *ctx, ArgsV3 *a) { high_half(ctx, a, IR_vadd, false); }
void arm_trans_v_raddhn(TransCtx *ctx, ArgsV3 *a) { high_half(ctx, a, IR_vadd, true); }
void arm_trans_v_subhn(TransCtx *ctx, ArgsV3 *a) { high_half(ctx, a, IR_vsub, false); }
void arm_trans_v_rsubhn(TransCtx *ctx, ArgsV3 *a) { high_half(ctx, a, IR_vsub, true); }
