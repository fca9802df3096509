/*
 * translate-int.c: RV32I, RV64I, Zicond: arithmetic, loads, stores, jumps (Unprivileged chapters 2, 4, 12).
 *
 * Word operations of RV64 are sext32 of a 64-bit operation, or an I32 operation, so that hosts use their
 * 32-bit instructions.
 */
#include "target/riscv/translate.h"

typedef const RiscvArgsR ArgsR;
typedef const RiscvArgsI ArgsI;
typedef const RiscvArgsS ArgsS;
typedef const RiscvArgsB ArgsB;

static void alu(TransCtx *ctx, ArgsR *a, IrOp op)
{
    rv_set_x(ctx, a->rd, ir_op2(ctx->b, op, rv_xt(ctx), rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)));
}

static void alu_imm(TransCtx *ctx, ArgsI *a, IrOp op)
{
    rv_set_x(ctx, a->rd, ir_op2(ctx->b, op, rv_xt(ctx), rv_x(ctx, a->rs1), rv_const(ctx, (int64_t)a->imm)));
}

/* 64-bit operation whose low half depends on low halves only. */
static void alu_low(TransCtx *ctx, unsigned rd, IrOp op, IrRef x, IrRef y)
{
    rv_set_x(ctx, rd, ir_op1(ctx->b, IR_sext32, IR_I64, ir_op2(ctx->b, op, IR_I64, x, y)));
}

static void alu_w(TransCtx *ctx, unsigned rd, IrOp op, IrRef x, IrRef y)
{
    rv_set_x(ctx, rd, rv_from_w(ctx, ir_op2(ctx->b, op, IR_I32, rv_w(ctx, x), rv_w(ctx, y))));
}

static void set_cond(TransCtx *ctx, unsigned rd, IrCond cond, IrRef x, IrRef y)
{
    rv_set_x(ctx, rd, ir_setcond(ctx->b, rv_xt(ctx), cond, x, y));
}

static void shift_imm(TransCtx *ctx, ArgsI *a, IrOp op)
{
    if ((unsigned)a->imm >= rv_xlen(ctx)) {
        rv_illegal(ctx); /* RV32: bit 25 must be zero */
        return;
    }
    alu_imm(ctx, a, op);
}

void riscv_trans_lui(TransCtx *ctx, const RiscvArgsU *a)
{
    rv_set_x(ctx, a->rd, rv_const(ctx, (int64_t)a->imm));
}

void riscv_trans_auipc(TransCtx *ctx, const RiscvArgsU *a)
{
    rv_set_x(ctx, a->rd, rv_const(ctx, ctx->pc + (int64_t)a->imm));
}

void riscv_trans_addi(TransCtx *ctx, ArgsI *a) { alu_imm(ctx, a, IR_add); }
void riscv_trans_xori(TransCtx *ctx, ArgsI *a) { alu_imm(ctx, a, IR_xor); }
void riscv_trans_ori(TransCtx *ctx, ArgsI *a) { alu_imm(ctx, a, IR_or); }
void riscv_trans_andi(TransCtx *ctx, ArgsI *a) { alu_imm(ctx, a, IR_and); }
void riscv_trans_slli(TransCtx *ctx, ArgsI *a) { shift_imm(ctx, a, IR_shl); }
void riscv_trans_srli(TransCtx *ctx, ArgsI *a) { shift_imm(ctx, a, IR_shr); }
void riscv_trans_srai(TransCtx *ctx, ArgsI *a) { shift_imm(ctx, a, IR_sar); }

void riscv_trans_slti(TransCtx *ctx, ArgsI *a)
{
    set_cond(ctx, a->rd, IR_LT, rv_x(ctx, a->rs1), rv_const(ctx, (int64_t)a->imm));
}

void riscv_trans_sltiu(TransCtx *ctx, ArgsI *a)
{
    set_cond(ctx, a->rd, IR_LTU, rv_x(ctx, a->rs1), rv_const(ctx, (int64_t)a->imm));
}

void riscv_trans_add(TransCtx *ctx, ArgsR *a) { alu(ctx, a, IR_add); }
void riscv_trans_sub(TransCtx *ctx, ArgsR *a) { alu(ctx, a, IR_sub); }
void riscv_trans_sll(TransCtx *ctx, ArgsR *a) { alu(ctx, a, IR_shl); }
void riscv_trans_srl(TransCtx *ctx, ArgsR *a) { alu(ctx, a, IR_shr); }
void riscv_trans_sra(TransCtx *ctx, ArgsR *a) { alu(ctx, a, IR_sar); }
void riscv_trans_xor(TransCtx *ctx, ArgsR *a) { alu(ctx, a, IR_xor); }
void riscv_trans_or(TransCtx *ctx, ArgsR *a) { alu(ctx, a, IR_or); }
void riscv_trans_and(TransCtx *ctx, ArgsR *a) { alu(ctx, a, IR_and); }
void riscv_trans_slt(TransCtx *ctx, ArgsR *a)
{
    set_cond(ctx, a->rd, IR_LT, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2));
}
void riscv_trans_sltu(TransCtx *ctx, ArgsR *a)
{
    set_cond(ctx, a->rd, IR_LTU, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2));
}

void riscv_trans_addiw(TransCtx *ctx, ArgsI *a)
{
    alu_low(ctx, a->rd, IR_add, rv_x(ctx, a->rs1), rv_const(ctx, (int64_t)a->imm));
}
void riscv_trans_addw(TransCtx *ctx, ArgsR *a) { alu_low(ctx, a->rd, IR_add, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)); }
void riscv_trans_subw(TransCtx *ctx, ArgsR *a) { alu_low(ctx, a->rd, IR_sub, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)); }
void riscv_trans_slliw(TransCtx *ctx, ArgsI *a) { alu_w(ctx, a->rd, IR_shl, rv_x(ctx, a->rs1), rv_const(ctx, a->imm)); }
void riscv_trans_srliw(TransCtx *ctx, ArgsI *a) { alu_w(ctx, a->rd, IR_shr, rv_x(ctx, a->rs1), rv_const(ctx, a->imm)); }
void riscv_trans_sraiw(TransCtx *ctx, ArgsI *a) { alu_w(ctx, a->rd, IR_sar, rv_x(ctx, a->rs1), rv_const(ctx, a->imm)); }
void riscv_trans_sllw(TransCtx *ctx, ArgsR *a) { alu_w(ctx, a->rd, IR_shl, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)); }
void riscv_trans_srlw(TransCtx *ctx, ArgsR *a) { alu_w(ctx, a->rd, IR_shr, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)); }
void riscv_trans_sraw(TransCtx *ctx, ArgsR *a) { alu_w(ctx, a->rd, IR_sar, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)); }

void riscv_trans_czero_eqz(TransCtx *ctx, ArgsR *a)
{
    rv_set_x(ctx, a->rd, ir_select(ctx->b, rv_xt(ctx), rv_x(ctx, a->rs2), rv_x(ctx, a->rs1), rv_const(ctx, 0)));
}

void riscv_trans_czero_nez(TransCtx *ctx, ArgsR *a)
{
    rv_set_x(ctx, a->rd, ir_select(ctx->b, rv_xt(ctx), rv_x(ctx, a->rs2), rv_const(ctx, 0), rv_x(ctx, a->rs1)));
}

/* -- loads and stores --------------------------------------------------------------------------- */

static void load(TransCtx *ctx, ArgsI *a, unsigned size_log2, bool sign)
{
    IrRef v = ir_load(ctx->b, rv_xt(ctx), rv_x(ctx, a->rs1), IR_NONE, rv_mem(ctx, size_log2, sign, a->imm));
    rv_set_x(ctx, a->rd, v);
}

static void store(TransCtx *ctx, ArgsS *a, unsigned size_log2)
{
    ir_store(ctx->b, rv_x(ctx, a->rs1), IR_NONE, rv_x(ctx, a->rs2), rv_mem(ctx, size_log2, false, a->imm));
}

void riscv_trans_lb(TransCtx *ctx, ArgsI *a) { load(ctx, a, 0, true); }
void riscv_trans_lh(TransCtx *ctx, ArgsI *a) { load(ctx, a, 1, true); }
void riscv_trans_lw(TransCtx *ctx, ArgsI *a) { load(ctx, a, 2, true); }
void riscv_trans_ld(TransCtx *ctx, ArgsI *a) { load(ctx, a, 3, true); }
void riscv_trans_lbu(TransCtx *ctx, ArgsI *a) { load(ctx, a, 0, false); }
void riscv_trans_lhu(TransCtx *ctx, ArgsI *a) { load(ctx, a, 1, false); }
void riscv_trans_lwu(TransCtx *ctx, ArgsI *a) { load(ctx, a, 2, false); }
void riscv_trans_sb(TransCtx *ctx, ArgsS *a) { store(ctx, a, 0); }
void riscv_trans_sh(TransCtx *ctx, ArgsS *a) { store(ctx, a, 1); }
void riscv_trans_sw(TransCtx *ctx, ArgsS *a) { store(ctx, a, 2); }
void riscv_trans_sd(TransCtx *ctx, ArgsS *a) { store(ctx, a, 3); }

/* -- jumps ---------------------------------------------------------------------------------------- */

static bool misaligned(TransCtx *ctx, vaddr target)
{
    return (target & 2) && !rv_has_ext(ctx, RISCV_EXT_Zca);
}

static void branch(TransCtx *ctx, ArgsB *a, IrCond cond)
{
    vaddr target = rv_addr(ctx, ctx->pc + a->imm);
    IrRef x = rv_x(ctx, a->rs1), y = rv_x(ctx, a->rs2);

    if (misaligned(ctx, target)) {
        IrRef taken = ir_setcond(ctx->b, IR_I64, cond, x, y);
        ir_call(ctx->b, RV_HELPER_check_target, 2, (IrRef[]){ taken, ir_i64(ctx->b, target) });
        return;
    }
    trans_branch(ctx, cond, x, y, target);
}

void riscv_trans_beq(TransCtx *ctx, ArgsB *a) { branch(ctx, a, IR_EQ); }
void riscv_trans_bne(TransCtx *ctx, ArgsB *a) { branch(ctx, a, IR_NE); }
void riscv_trans_blt(TransCtx *ctx, ArgsB *a) { branch(ctx, a, IR_LT); }
void riscv_trans_bge(TransCtx *ctx, ArgsB *a) { branch(ctx, a, IR_GE); }
void riscv_trans_bltu(TransCtx *ctx, ArgsB *a) { branch(ctx, a, IR_LTU); }
void riscv_trans_bgeu(TransCtx *ctx, ArgsB *a) { branch(ctx, a, IR_GEU); }

static void jump_to(TransCtx *ctx, unsigned rd, vaddr target)
{
    rv_set_x(ctx, rd, rv_const(ctx, ctx->next_pc));
    if (rv_is_link(rd)) {
        trans_call(ctx, target, ctx->next_pc);
    } else {
        trans_jump(ctx, target);
    }
}

void riscv_trans_jal(TransCtx *ctx, const RiscvArgsU *a)
{
    vaddr target = rv_addr(ctx, ctx->pc + a->imm);

    if (misaligned(ctx, target)) {
        rv_raise(ctx, RISCV_EXC_FETCH_MISALIGNED, target);
        return;
    }
    jump_to(ctx, a->rd, target);
}

void riscv_trans_jalr(TransCtx *ctx, ArgsI *a)
{
    IrRef base = rv_x(ctx, a->rs1);

    if (ir_is_const(ctx->b->unit, base) && rv_has_ext(ctx, RISCV_EXT_Zca)) { /* auipc + jalr */
        vaddr target = rv_addr(ctx, ir_insn(ctx->b->unit, base)->imm + (int64_t)a->imm) & ~(vaddr)1;
        jump_to(ctx, a->rd, target);
        return;
    }
    IrRef target = ir_op2(ctx->b, IR_add, rv_xt(ctx), base, rv_const(ctx, (int64_t)a->imm));
    target = ir_op2(ctx->b, IR_and, rv_xt(ctx), target, rv_const(ctx, ~(uint64_t)1));
    target = rv_zext_i64(ctx, target);
    if (!rv_has_ext(ctx, RISCV_EXT_Zca)) {
        ir_call(ctx->b, RV_HELPER_check_target, 2,
                (IrRef[]){ ir_op2(ctx->b, IR_and, IR_I64, target, ir_i64(ctx->b, 2)), target });
    }
    rv_set_x(ctx, a->rd, rv_const(ctx, ctx->next_pc));
    trans_jump_indirect(ctx, rv_is_link(a->rd) ? IR_EXIT_INDIRECT_CALL
                             : rv_is_link(a->rs1) ? IR_EXIT_RETURN : IR_EXIT_INDIRECT,
                        target, ctx->next_pc);
}

/* -- fences ----------------------------------------------------------------------------------------- */

void riscv_trans_fence(TransCtx *ctx, const RiscvArgsFence *a)
{
    enum { W = 1, R = 2, O = 4, I = 8 };
    bool pr = a->pred & (R | I), pw = a->pred & (W | O), sr = a->succ & (R | I), sw = a->succ & (W | O);
    unsigned mask = (pr && sr ? IR_FENCE_RR : 0) | (pr && sw ? IR_FENCE_RW : 0) |
                    (pw && sr ? IR_FENCE_WR : 0) | (pw && sw ? IR_FENCE_WW : 0);

    if (a->fm == 8) { /* fence.tso */
        mask &= ~IR_FENCE_WR;
    }
    if (mask) {
        ir_fence(ctx->b, mask);
    }
}

void riscv_trans_fence_i(TransCtx *ctx, const RiscvArgsNone *a)
{
    ir_call(ctx->b, RV_HELPER_fence_i, 0, NULL);
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}

void riscv_trans_pause(TransCtx *ctx, const RiscvArgsNone *a)
{
    ir_call(ctx->b, RV_HELPER_pause, 0, NULL);
}
