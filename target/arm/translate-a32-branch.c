/*
 * translate-a32-branch.c: branches, hints and barriers of A32 and T32 (Arm ARM DDI 0487, F5.1).
 */
#include "target/arm/a32.h"

static vaddr relative(const TransCtx *ctx, int imm)
{
    return (uint32_t)(ctx->pc + (a32_thumb(ctx) ? 4 : 8) + (uint64_t)(int64_t)imm);
}

/* -- branches ---------------------------------------------------------------------------------------------- */

void a32_trans_b(TransCtx *ctx, const A32ArgsB *a)
{
    unsigned cond = (unsigned)(ctx->data[ARM_DATA_INSN] >> 28);

    if (a32_thumb(ctx) || cond == 14) {
        trans_jump(ctx, relative(ctx, a->imm));
        return;
    }
    ArmCondRef c = arm_cond(ctx, cond);
    trans_branch(ctx, c.cond, c.a, c.b, relative(ctx, a->imm));
}

void a32_trans_bcc(TransCtx *ctx, const A32ArgsBcc *a)
{
    if (a->cond >= 14) {
        a32_undefined(ctx);
        return;
    }
    ArmCondRef c = arm_cond(ctx, (unsigned)a->cond);
    trans_branch(ctx, c.cond, c.a, c.b, relative(ctx, a->imm));
}

static void call(TransCtx *ctx, vaddr target)
{
    a32_put(ctx, A32_LR, ir_i32(ctx->b, (uint32_t)ctx->next_pc));
    trans_call(ctx, target, ctx->next_pc);
}

void a32_trans_bl(TransCtx *ctx, const A32ArgsB *a) { call(ctx, relative(ctx, a->imm)); }
void a32_trans_blx_i(TransCtx *ctx, const A32ArgsB *a) { call(ctx, relative(ctx, a->imm) | 1); }

void a32_trans_b_t4(TransCtx *ctx, const A32ArgsBl *a) { trans_jump(ctx, a32_bl_target(ctx->pc, a, false)); }
void a32_trans_bl_t(TransCtx *ctx, const A32ArgsBl *a) { call(ctx, a32_bl_target(ctx->pc, a, false)); }
void a32_trans_blx_t(TransCtx *ctx, const A32ArgsBl *a) { call(ctx, a32_bl_target(ctx->pc, a, true)); }

void a32_trans_bx(TransCtx *ctx, const A32ArgsBr *a)
{
    a32_jump(ctx, a32_r(ctx, a->rm), a->rm == A32_LR ? IR_EXIT_RETURN : IR_EXIT_INDIRECT, ctx->next_pc);
}

void a32_trans_blx_r(TransCtx *ctx, const A32ArgsBr *a)
{
    IrRef target = a32_r(ctx, a->rm);
    a32_put(ctx, A32_LR, ir_i32(ctx->b, (uint32_t)ctx->next_pc));
    a32_jump(ctx, target, IR_EXIT_INDIRECT_CALL, ctx->next_pc);
}

static void compare_branch(TransCtx *ctx, const A32ArgsCbz *a, IrCond cond)
{
    trans_branch(ctx, cond, a32_r(ctx, a->rn), ir_i32(ctx->b, 0), relative(ctx, a->imm));
}

void a32_trans_cbz(TransCtx *ctx, const A32ArgsCbz *a) { compare_branch(ctx, a, IR_EQ); }
void a32_trans_cbnz(TransCtx *ctx, const A32ArgsCbz *a) { compare_branch(ctx, a, IR_NE); }

/* The table holds halves of distances from the value of the pc. */
static void table_branch(TransCtx *ctx, const A32ArgsTb *a, unsigned size)
{
    IrMem mem = { .size_log2 = (uint8_t)size, .scale_log2 = (uint8_t)size, .big_endian = a32_big_endian(ctx), .mmu_index = (uint8_t)arm_mmu(ctx) };
    IrRef base = a32_r(ctx, a->rn);
    IrRef half = ir_load(ctx->b, IR_I32, base, a32_r(ctx, a->rm), mem);
    IrRef target = ir_op2_imm(ctx->b, IR_add, IR_I32, ir_op2_imm(ctx->b, IR_shl, IR_I32, half, 1), a32_pc_value(ctx) | 1);

    a32_jump(ctx, target, IR_EXIT_INDIRECT, ctx->next_pc);
}

void a32_trans_tbb(TransCtx *ctx, const A32ArgsTb *a) { table_branch(ctx, a, 0); }
void a32_trans_tbh(TransCtx *ctx, const A32ArgsTb *a) { table_branch(ctx, a, 1); }

/* -- hints and barriers ---------------------------------------------------------------------------------------------- */

void a32_trans_hint(TransCtx *ctx, const A32ArgsNone *a) { }

/* Bits 1:0: 1 loads before anything, 2 stores before stores, else everything. */
void a32_trans_barrier(TransCtx *ctx, const A32ArgsImm *a)
{
    static const uint8_t mask[4] = { IR_FENCE_ALL, IR_FENCE_RR | IR_FENCE_RW, IR_FENCE_WW, IR_FENCE_ALL };
    ir_fence(ctx->b, mask[a->imm & 3]);
    if (ctx->vcpu->softmmu && ctx->vcpu->parallel && arm_el(ctx)) {
        ir_call(ctx->b, ARM_HELPER_dsb, 0, NULL); /* a DSB waits for the others' TLBs; DMB, which need not, is not told apart */
    }
}

void a32_trans_isb(TransCtx *ctx, const A32ArgsNone *a)
{
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}

void a32_trans_clrex(TransCtx *ctx, const A32ArgsNone *a)
{
    ir_stenv(ctx->b, VCPU_JIT_OFFSET(monitor_addr), 8, ir_i64(ctx->b, ~(uint64_t)0));
}
