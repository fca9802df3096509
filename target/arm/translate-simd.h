/*
 * translate-simd.h: what the handlers of Advanced SIMD share (translate-simd-*.c). A handler computes 128 bits and
 * hands them to arm_put_v(), which clears what the form does not write.
 */
#ifndef TARGET_ARM_TRANSLATE_SIMD_H
#define TARGET_ARM_TRANSLATE_SIMD_H

#include "target/arm/translate.h"

static inline IrRef arm_v(TransCtx *ctx, int n) { return ir_get(ctx->b, ARM_SLOT_V + ((unsigned)n & 31)); }

/* An operation on vectors; aux as ops.def has it. */
static inline IrRef arm_v2(TransCtx *ctx, IrOp op, unsigned aux, IrRef a, IrRef b)
{
    return ir_emit(ctx->b, op, IR_V128, aux, a, b, IR_NONE);
}

static inline IrRef arm_lane(TransCtx *ctx, IrRef v, int log2, unsigned lane)
{
    return ir_emit(ctx->b, IR_vget_lane, IR_I64, (unsigned)log2 | lane << 4, v, IR_NONE, IR_NONE);
}

/* V[d] = the low 1 << log2 bytes of v (4: all), zeros above. */
static inline void arm_put_low(TransCtx *ctx, int d, int log2, IrRef v)
{
    if (log2 < 4) {
        v = ir_op1(ctx->b, IR_vzext, IR_V128, arm_lane(ctx, v, log2, 0));
    }
    ir_put(ctx->b, ARM_SLOT_V + (unsigned)d, v);
}

/* The result of a form with q, or of a scalar one of lane size. */
static inline void arm_put_v(TransCtx *ctx, int d, int q, int scalar, int size, IrRef v)
{
    arm_put_low(ctx, d, scalar ? size : q ? 4 : 3, v);
}

static inline IrRef arm_dup(TransCtx *ctx, int log2, IrRef x)
{
    return ir_emit(ctx->b, IR_vdup, IR_V128, (unsigned)log2, x, IR_NONE, IR_NONE);
}

static inline IrRef arm_vzero(TransCtx *ctx) { return arm_dup(ctx, 3, ir_i64(ctx->b, 0)); }

#endif
