/*
 * translate-a32-simd.h: D registers of AArch32, the halves of V0 to V15, for the handlers of VFP and Advanced SIMD.
 */
#ifndef TARGET_ARM_TRANSLATE_A32_SIMD_H
#define TARGET_ARM_TRANSLATE_A32_SIMD_H

#include "target/arm/a32.h"
#include "target/arm/translate-simd.h"

/* translate-a32-vfp.c: D[n] = value, an F64, as VFP's instructions do. */
void a32_put_double(TransCtx *ctx, int n, IrRef value);

/* D[reg] in the low half; anything above. */
static inline IrRef a32_get_d(TransCtx *ctx, int reg)
{
    IrRef v = arm_v(ctx, reg / 2);
    return reg & 1 ? arm_v1(ctx, IR_vperm32, 0xee, v) : v;
}

/* D[reg] = the low half of v. */
static inline void a32_put_d(TransCtx *ctx, int reg, IrRef v)
{
    unsigned slot = ARM_SLOT_V + (unsigned)reg / 2;
    IrRef old = ir_get(ctx->b, slot);
    ir_put(ctx->b, slot, reg & 1 ? arm_v2(ctx, IR_vsel64, 0, old, v) : arm_v2(ctx, IR_vsel64, 2, v, old));
}

#endif
