/*
 * translate-mops.c, with helper-mops.c: memory copy and set (Arm ARM DDI 0487, C6.2: CPYFP … CPYP … SETP; FEAT_MOPS), option A: the prologue moves
 * the pointers to the end and makes the size negative, or leaves them for a copy that has to run backwards; all bytes are moved by
 * the main part.
 */
#include "target/arm/translate.h"

enum { PROLOGUE, MAIN, EPILOGUE };

static void mops(TransCtx *ctx, const ArmArgsMops *a, unsigned what)
{
    bool set = what == ARM_MOPS_SET;

    if (a->stage == 3 || a->rd == a->rs || a->rd == a->rn || a->rs == a->rn || a->rd == ARM_ZR || a->rn == ARM_ZR || (!set && a->rs == ARM_ZR)) {
        arm_undefined(ctx);
        return;
    }
    IrRef regs = ir_i32(ctx->b, (uint32_t)a->rd | (uint32_t)a->rs << 5 | (uint32_t)a->rn << 10 | what << 15 | (uint32_t)a->stage << 17 |
                        arm_mmu(ctx) << 19 | (uint32_t)(ctx->data[ARM_DATA_INSN] >> 12 & 15) << 23);
    if (a->stage == PROLOGUE) {
        ir_call(ctx->b, ARM_HELPER_mops_begin, 1, (IrRef[]){ regs });
        arm_cc_set(ctx, ARM_CC_FLAGS, ir_i64(ctx->b, 0), IR_NONE);
    } else {
        ir_call(ctx->b, ARM_HELPER_mops, 2, (IrRef[]){ regs, arm_carry(ctx) });
    }
}

void arm_trans_cpyf(TransCtx *ctx, const ArmArgsMops *a) { mops(ctx, a, ARM_MOPS_COPY_FORWARD); }
void arm_trans_cpy(TransCtx *ctx, const ArmArgsMops *a) { mops(ctx, a, ARM_MOPS_COPY); }
void arm_trans_mset(TransCtx *ctx, const ArmArgsMops *a) { mops(ctx, a, ARM_MOPS_SET); }
