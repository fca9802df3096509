/*
 * translate-simd-wide.c: Advanced SIMD sums and differences with results twice as wide as sources (Arm ARM C7.2): SADDL,
 * SADDW, SABDL and their relatives. q: the forms with a 2, which take the upper halves of narrow sources.
 */
#include "target/arm/translate-simd.h"

static IrRef wide(TransCtx *ctx, ArgsV3 *a, bool is_signed, int n) { return arm_vwiden(ctx, is_signed, a->size, a->q, arm_v(ctx, n)); }

static void put_wide(TransCtx *ctx, ArgsV3 *a, IrRef v) { arm_put_low(ctx, a->d, 4, v); }

#define LONG(name, op, is_signed)                                                                                      \
    void arm_trans_v_##name##l(TransCtx *ctx, ArgsV3 *a)                                                               \
    {                                                                                                                  \
        put_wide(ctx, a, arm_v2(ctx, op, (unsigned)a->size + 1, wide(ctx, a, is_signed, a->n), wide(ctx, a, is_signed, a->m))); \
    }                                                                                                                  \
    void arm_trans_v_##name##w(TransCtx *ctx, ArgsV3 *a)                                                               \
    {                                                                                                                  \
        put_wide(ctx, a, arm_v2(ctx, op, (unsigned)a->size + 1, arm_v(ctx, a->n), wide(ctx, a, is_signed, a->m)));     \
    }
LONG(sadd, IR_vadd, true)
LONG(uadd, IR_vadd, false)
LONG(ssub, IR_vsub, true)
LONG(usub, IR_vsub, false)
#undef LONG

/* Absolute differences are unsigned whatever their operands are. */
static IrRef difference(TransCtx *ctx, ArgsV3 *a, bool is_signed)
{
    IrRef n = arm_v(ctx, a->n), m = arm_v(ctx, a->m);
    IrRef v = arm_v2(ctx, IR_vsub, (unsigned)a->size, arm_v2(ctx, is_signed ? IR_vmaxs : IR_vmaxu, (unsigned)a->size, n, m),
                     arm_v2(ctx, is_signed ? IR_vmins : IR_vminu, (unsigned)a->size, n, m));

    return arm_vwiden(ctx, false, a->size, a->q, v);
}

static void accumulate(TransCtx *ctx, ArgsV3 *a, IrRef v)
{
    put_wide(ctx, a, arm_v2(ctx, IR_vadd, (unsigned)a->size + 1, arm_v(ctx, a->d), v));
}

void arm_trans_v_sabdl(TransCtx *ctx, ArgsV3 *a) { put_wide(ctx, a, difference(ctx, a, true)); }
void arm_trans_v_uabdl(TransCtx *ctx, ArgsV3 *a) { put_wide(ctx, a, difference(ctx, a, false)); }
void arm_trans_v_sabal(TransCtx *ctx, ArgsV3 *a) { accumulate(ctx, a, difference(ctx, a, true)); }
void arm_trans_v_uabal(TransCtx *ctx, ArgsV3 *a) { accumulate(ctx, a, difference(ctx, a, false)); }
