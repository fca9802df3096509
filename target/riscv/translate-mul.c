/* translate-mul.c: M and Zmmul (Unprivileged chapter 13). IR division has RISC-V's results for zero and overflow. */
#include "target/riscv/translate.h"

typedef const RiscvArgsR ArgsR;

static void full(TransCtx *ctx, ArgsR *a, IrOp op)
{
    rv_set_x(ctx, a->rd, ir_op2(ctx->b, op, rv_xt(ctx), rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)));
}

static void word(TransCtx *ctx, ArgsR *a, IrOp op)
{
    IrRef x = rv_w(ctx, rv_x(ctx, a->rs1)), y = rv_w(ctx, rv_x(ctx, a->rs2));
    rv_set_x(ctx, a->rd, rv_from_w(ctx, ir_op2(ctx->b, op, IR_I32, x, y)));
}

void riscv_trans_mul(TransCtx *ctx, ArgsR *a) { full(ctx, a, IR_mul); }
void riscv_trans_mulh(TransCtx *ctx, ArgsR *a) { full(ctx, a, IR_mulhs); }
void riscv_trans_mulhsu(TransCtx *ctx, ArgsR *a) { full(ctx, a, IR_mulhsu); }
void riscv_trans_mulhu(TransCtx *ctx, ArgsR *a) { full(ctx, a, IR_mulhu); }
void riscv_trans_div(TransCtx *ctx, ArgsR *a) { full(ctx, a, IR_divs); }
void riscv_trans_divu(TransCtx *ctx, ArgsR *a) { full(ctx, a, IR_divu); }
void riscv_trans_rem(TransCtx *ctx, ArgsR *a) { full(ctx, a, IR_rems); }
void riscv_trans_remu(TransCtx *ctx, ArgsR *a) { full(ctx, a, IR_remu); }
void riscv_trans_mulw(TransCtx *ctx, ArgsR *a) { word(ctx, a, IR_mul); }
void riscv_trans_divw(TransCtx *ctx, ArgsR *a) { word(ctx, a, IR_divs); }
void riscv_trans_divuw(TransCtx *ctx, ArgsR *a) { word(ctx, a, IR_divu); }
void riscv_trans_remw(TransCtx *ctx, ArgsR *a) { word(ctx, a, IR_rems); }
void riscv_trans_remuw(TransCtx *ctx, ArgsR *a) { word(ctx, a, IR_remu); }
