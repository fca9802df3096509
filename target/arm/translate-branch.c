/*
 * translate-branch.c: branches, exception generation, hints and barriers (Arm ARM DDI 0487, C4.1.94).
 */
#include "target/arm/translate.h"

enum { LINK = 30 };

void arm_trans_b(TransCtx *ctx, const ArmArgsB *a)
{
    trans_jump(ctx, ctx->pc + (int64_t)a->imm);
}

void arm_trans_bl(TransCtx *ctx, const ArmArgsB *a)
{
    arm_set_x(ctx, LINK, ir_i64(ctx->b, ctx->next_pc));
    trans_call(ctx, ctx->pc + (int64_t)a->imm, ctx->next_pc);
}

void arm_trans_b_cond(TransCtx *ctx, const ArmArgsBcond *a)
{
    ArmCondRef c = arm_cond(ctx, (unsigned)a->cond);
    trans_branch(ctx, c.cond, c.a, c.b, ctx->pc + (int64_t)a->imm);
}

static void compare_branch(TransCtx *ctx, const ArmArgsCb *a, IrCond cond)
{
    trans_branch(ctx, cond, arm_r(ctx, a->sf, a->rt), ir_const(ctx->b, arm_type(a->sf), 0), ctx->pc + (int64_t)a->imm);
}

void arm_trans_cbz(TransCtx *ctx, const ArmArgsCb *a) { compare_branch(ctx, a, IR_EQ); }
void arm_trans_cbnz(TransCtx *ctx, const ArmArgsCb *a) { compare_branch(ctx, a, IR_NE); }

static void test_branch(TransCtx *ctx, const ArmArgsTb *a, IrCond cond)
{
    trans_branch(ctx, cond, arm_x(ctx, a->rt), ir_i64(ctx->b, BIT(a->bit)), ctx->pc + (int64_t)a->imm);
}

void arm_trans_tbz(TransCtx *ctx, const ArmArgsTb *a) { test_branch(ctx, a, IR_TSTEQ); }
void arm_trans_tbnz(TransCtx *ctx, const ArmArgsTb *a) { test_branch(ctx, a, IR_TSTNE); }

void arm_trans_br(TransCtx *ctx, const ArmArgsBr *a)
{
    IrRef target = arm_indirect_target(ctx, arm_x(ctx, a->rn), a->rn, arm_jump_btype(ctx, a->rn));
    trans_jump_indirect(ctx, IR_EXIT_INDIRECT, target, ctx->next_pc);
}

void arm_trans_blr(TransCtx *ctx, const ArmArgsBr *a)
{
    IrRef target = arm_indirect_target(ctx, arm_x(ctx, a->rn), a->rn, ARM_BTYPE_CALL);
    arm_set_x(ctx, LINK, ir_i64(ctx->b, ctx->next_pc));
    trans_jump_indirect(ctx, IR_EXIT_INDIRECT_CALL, target, ctx->next_pc);
}

void arm_trans_ret(TransCtx *ctx, const ArmArgsBr *a)
{
    trans_jump_indirect(ctx, IR_EXIT_RETURN, arm_indirect_target(ctx, arm_x(ctx, a->rn), a->rn, 0), ctx->next_pc);
}

static void exception(TransCtx *ctx, unsigned class, unsigned imm, VcpuExit user_exit)
{
    if (!ctx->vcpu->softmmu) {
        trans_leave(ctx, user_exit, ctx->pc);
        return;
    }
    arm_raise(ctx, class, imm);
}

void arm_trans_svc(TransCtx *ctx, const ArmArgsExc *a) { exception(ctx, ARM_EC_SVC64, (unsigned)a->imm, VCPU_EXIT_SYSCALL); }
void arm_trans_brk(TransCtx *ctx, const ArmArgsExc *a) { exception(ctx, ARM_EC_BRK64, (unsigned)a->imm, VCPU_EXIT_BREAKPOINT); }

void arm_trans_hint(TransCtx *ctx, const ArmArgsNone *a)
{
}

/* CRm bits 1:0 (C6.2.81): 1 loads before anything, 2 stores before stores, 3 everything. 0 (SSBB, PSSBB, nXS) as everything. */
void arm_trans_barrier(TransCtx *ctx, const ArmArgsCrm *a)
{
    static const uint8_t mask[4] = { IR_FENCE_ALL, IR_FENCE_RR | IR_FENCE_RW, IR_FENCE_WW, IR_FENCE_ALL };
    ir_fence(ctx->b, mask[a->crm & 3]);
}

void arm_trans_dsb(TransCtx *ctx, const ArmArgsCrm *a)
{
    arm_trans_barrier(ctx, a);
    if (ctx->vcpu->softmmu && ctx->vcpu->parallel && arm_el(ctx)) {
        ir_call(ctx->b, ARM_HELPER_dsb, 0, NULL);
    }
}

void arm_trans_isb(TransCtx *ctx, const ArmArgsNone *a)
{
    /* Writes that change how code is translated leave themselves; stores to code have invalidated what is behind by now. */
    trans_jump(ctx, ctx->next_pc);
}
