/*
 * translate-fp.h: what the floating-point handlers share (translate-fp*.c, translate-simd-fp*.c).
 *
 * Single and double precision are IR operations in the modes hosts have; the rest goes to helper-fp.c.
 */
#ifndef TARGET_ARM_TRANSLATE_FP_H
#define TARGET_ARM_TRANSLATE_FP_H

#include "target/arm/fp.h"
#include "target/arm/translate-simd.h"

/* AArch32's Advanced SIMD by IR operations under the Standard FPSCR value. What FPCR's bits have a say in is done by helpers. (AArch32 neither collects IDC nor replaces NaNs.) */
static inline bool arm_fp_standard(const TransCtx *ctx) { return ctx->mode >> ARM_MODE_FP_STD & 1; }
static inline bool arm_fp_soft(const TransCtx *ctx)
{
    if (arm_fp_standard(ctx)) {
        return false;
    }
    return ctx->mode >> ARM_MODE_FP_SOFT & 1 ||
           (ctx->mode & (BIT(ARM_MODE_FP_FLUSH) | BIT(ARM_MODE_FP_DN)) && ctx->mode >> ARM_MODE_A32 & 1);
}
/* FPCR.FZ by the host: operands go through arm_f_in() and arm_v_in(). */
static inline bool arm_fp_flush(const TransCtx *ctx) { return !arm_fp_standard(ctx) && ctx->mode >> ARM_MODE_FP_FLUSH & 1; }

/* translate-fp.c. Collects in ARM_SLOT_IDC whether lanes of v are subnormal; scalar: the lowest. */
void arm_fp_note(TransCtx *ctx, unsigned size, bool scalar, IrRef v);
/* Lanes of 1 << size bytes are computed by IR operations. */
static inline bool arm_fp_inline(const TransCtx *ctx, unsigned size) { return size != 1 && !arm_fp_soft(ctx); }

static inline IrType arm_fp_type(unsigned size) { return size == 3 ? IR_F64 : IR_F32; }

/* The scalar in the low bits of V[n], as a float. */
static inline IrRef arm_f(TransCtx *ctx, unsigned size, int n)
{
    return ir_op1(ctx->b, IR_vlow, arm_fp_type(size), arm_v(ctx, n));
}

/* The same and whole vectors as operands that FPCR.FZ flushes. */
static inline IrRef arm_f_in(TransCtx *ctx, unsigned size, int n)
{
    if (arm_fp_flush(ctx)) {
        arm_fp_note(ctx, size, true, arm_v(ctx, n));
    }
    return arm_f(ctx, size, n);
}

static inline IrRef arm_v_in(TransCtx *ctx, unsigned size, IrRef v)
{
    if (arm_fp_flush(ctx)) {
        arm_fp_note(ctx, size, false, v);
    }
    return v;
}

/* V[d] = a scalar, float or integer of its size, zeros above. */
static inline void arm_set_f(TransCtx *ctx, int d, IrRef value)
{
    ir_put(ctx->b, ARM_SLOT_V + (unsigned)d, ir_op1(ctx->b, IR_vzext, IR_V128, value));
}

/* The low bits of V[n] as an I64. */
static inline IrRef arm_f_bits(TransCtx *ctx, unsigned size, int n) { return arm_lane(ctx, arm_v(ctx, n), (int)size, 0); }

/* translate-fp.c. A result's lanes, NaNs being the default one under FPCR.DN; scalar: the lowest. */
IrRef arm_fp_result(TransCtx *ctx, unsigned size, bool scalar, IrRef v);

/* V[d] = a scalar result, zeros above. */
static inline void arm_set_fp(TransCtx *ctx, int d, unsigned size, IrRef value)
{
    ir_put(ctx->b, ARM_SLOT_V + (unsigned)d, arm_fp_result(ctx, size, true, ir_op1(ctx->b, IR_vzext, IR_V128, value)));
}

/* log2 of the bytes by ftype */
static inline unsigned arm_fp_size(int ftype)
{
    static const uint8_t size[4] = { 2, 3, 0, 1 };
    return size[ftype];
}

/* V[d] = the low bits of an I64. */
static inline void arm_set_f_bits(TransCtx *ctx, int d, unsigned size, IrRef v)
{
    if (size != 3) {
        v = ir_emit(ctx->b, IR_bfx, IR_I64, (8u << size) << 8, v, IR_NONE, IR_NONE);
    }
    arm_set_f(ctx, d, v);
}

/* Helper fp on I64 values; absent operands are IR_NONE. */
static inline IrRef arm_fp_call(TransCtx *ctx, uint32_t code, IrRef a, IrRef b, IrRef c)
{
    IrRef zero = ir_i64(ctx->b, 0);

    return ir_call(ctx->b, ARM_HELPER_fp, 4,
                   (IrRef[]){ ir_i32(ctx->b, code), a, b == IR_NONE ? zero : b, c == IR_NONE ? zero : c });
}

/* IR's rounding and the software's for the letters of FCVTxx and FRINTx. */
typedef enum ArmRound { ARM_ROUND_N, ARM_ROUND_P, ARM_ROUND_M, ARM_ROUND_Z, ARM_ROUND_A, ARM_ROUND_DYN } ArmRound;

static inline IrRounding arm_round_ir(ArmRound r)
{
    static const uint8_t of[] = { IR_RM_NEAREST_EVEN, IR_RM_UP, IR_RM_DOWN, IR_RM_ZERO, IR_RM_NEAREST_AWAY, IR_RM_DYN };
    return of[r];
}

static inline unsigned arm_round_soft(ArmRound r)
{
    static const uint8_t of[] = { FP_RNE, FP_RUP, FP_RDN, FP_RTZ, FP_RMM, ARM_FP_DYN };
    return of[r];
}

/* The same over vectors by helper; regs: arm_fp_regs(). */
static inline void arm_fp_vector_call(TransCtx *ctx, uint32_t code, uint32_t regs)
{
    ir_call(ctx->b, ARM_HELPER_fp_vector, 2, (IrRef[]){ ir_i32(ctx->b, code), ir_i32(ctx->b, regs) });
}

#endif
