/*
 * translate-atomic.c: A, Zabha, Zacas, Zawrs (Unprivileged chapters 14-16).
 *
 * Misaligned atomics raise the alignment exception; Zama16b (misaligned within 16 bytes) is left to the
 * host's IR_ALIGN_ANY.
 */
#include "target/riscv/translate.h"

typedef const RiscvArgsAmo Args;

static IrMem amo_mem(TransCtx *ctx, Args *a, unsigned size_log2)
{
    IrMem mem = rv_mem(ctx, size_log2, true, 0);

    mem.align = IR_ALIGN_FAULT;
    mem.order = (a->aqrl & 2 ? IR_ORDER_ACQUIRE : 0) | (a->aqrl & 1 ? IR_ORDER_RELEASE : 0);
    return mem;
}

static void lr(TransCtx *ctx, Args *a, unsigned size_log2)
{
    rv_set_x(ctx, a->rd, ir_ll(ctx->b, rv_xt(ctx), rv_x(ctx, a->rs1), amo_mem(ctx, a, size_log2)));
}

static void sc(TransCtx *ctx, Args *a, unsigned size_log2)
{
    rv_set_x(ctx, a->rd, ir_sc(ctx->b, rv_xt(ctx), rv_x(ctx, a->rs1), rv_x(ctx, a->rs2), amo_mem(ctx, a, size_log2)));
}

static void amo(TransCtx *ctx, Args *a, unsigned size_log2, IrRmw op)
{
    IrMem mem = amo_mem(ctx, a, size_log2);

    mem.rmw = op;
    if (rv_has_ext(ctx, RISCV_EXT_Zama16b)) {
        mem.align = IR_ALIGN_ANY;
    }
    rv_set_x(ctx, a->rd, ir_rmw(ctx->b, rv_xt(ctx), rv_x(ctx, a->rs1), rv_x(ctx, a->rs2), mem));
}

static void cas(TransCtx *ctx, Args *a, unsigned size_log2)
{
    IrMem mem = amo_mem(ctx, a, size_log2);

    rv_set_x(ctx, a->rd, ir_cas(ctx->b, rv_xt(ctx), rv_x(ctx, a->rs1), rv_x(ctx, a->rd), rv_x(ctx, a->rs2), mem));
}

void riscv_trans_lr_w(TransCtx *ctx, Args *a) { lr(ctx, a, 2); }
void riscv_trans_lr_d(TransCtx *ctx, Args *a) { lr(ctx, a, 3); }
void riscv_trans_sc_w(TransCtx *ctx, Args *a) { sc(ctx, a, 2); }
void riscv_trans_sc_d(TransCtx *ctx, Args *a) { sc(ctx, a, 3); }

#define AMO(name, op)                                                                        \
    void riscv_trans_amo##name##_b(TransCtx *ctx, Args *a) { amo(ctx, a, 0, IR_RMW_##op); }  \
    void riscv_trans_amo##name##_h(TransCtx *ctx, Args *a) { amo(ctx, a, 1, IR_RMW_##op); }  \
    void riscv_trans_amo##name##_w(TransCtx *ctx, Args *a) { amo(ctx, a, 2, IR_RMW_##op); }  \
    void riscv_trans_amo##name##_d(TransCtx *ctx, Args *a) { amo(ctx, a, 3, IR_RMW_##op); }
AMO(swap, XCHG)
AMO(add, ADD)
AMO(xor, XOR)
AMO(and, AND)
AMO(or, OR)
AMO(min, MINS)
AMO(max, MAXS)
AMO(minu, MINU)
AMO(maxu, MAXU)

void riscv_trans_amocas_b(TransCtx *ctx, Args *a) { cas(ctx, a, 0); }
void riscv_trans_amocas_h(TransCtx *ctx, Args *a) { cas(ctx, a, 1); }
void riscv_trans_amocas_w(TransCtx *ctx, Args *a) { cas(ctx, a, 2); }

/* A register pair of RV32; the pair of x0 is zero (Zacas 1.1). */
static IrRef pair(TransCtx *ctx, unsigned reg)
{
    if (!reg) {
        return ir_i64(ctx->b, 0);
    }
    IrRef lo = ir_op1(ctx->b, IR_ext_u, IR_I64, rv_x(ctx, reg));
    IrRef hi = ir_op1(ctx->b, IR_ext_u, IR_I64, rv_x(ctx, reg + 1));
    return ir_op2(ctx->b, IR_or, IR_I64, lo, ir_op2_imm(ctx->b, IR_shl, IR_I64, hi, 32));
}

void riscv_trans_amocas_d(TransCtx *ctx, Args *a)
{
    if (rv_xt(ctx) == IR_I64) {
        cas(ctx, a, 3);
        return;
    }
    if ((a->rd | a->rs2) & 1) {
        rv_illegal(ctx);
        return;
    }
    IrRef old = ir_cas(ctx->b, IR_I64, rv_x(ctx, a->rs1), pair(ctx, a->rd), pair(ctx, a->rs2), amo_mem(ctx, a, 3));
    if (a->rd) {
        rv_set_x(ctx, a->rd, ir_op1(ctx->b, IR_trunc, IR_I32, old));
        rv_set_x(ctx, a->rd + 1, ir_op1(ctx->b, IR_trunc, IR_I32, ir_op2_imm(ctx->b, IR_shr, IR_I64, old, 32)));
    }
}

void riscv_trans_amocas_q(TransCtx *ctx, Args *a)
{
    if ((a->rd | a->rs2) & 1) {
        rv_illegal(ctx);
        return;
    }
    ir_call(ctx->b, RV_HELPER_amocas_q, 3,
            (IrRef[]){ rv_x(ctx, a->rs1), ir_i32(ctx->b, a->rd | a->rs2 << 8), ir_i32(ctx->b, rv_mmu(ctx)) });
}

/* Zalasr: both are RCsc, so a store is followed by a full fence. */
static void load_acquire(TransCtx *ctx, Args *a, unsigned size_log2)
{
    IrMem mem = amo_mem(ctx, a, size_log2);

    rv_set_x(ctx, a->rd, ir_load(ctx->b, rv_xt(ctx), rv_x(ctx, a->rs1), IR_NONE, mem));
    ir_fence(ctx->b, IR_FENCE_RR | IR_FENCE_RW);
}

static void store_release(TransCtx *ctx, Args *a, unsigned size_log2)
{
    ir_fence(ctx->b, IR_FENCE_RW | IR_FENCE_WW);
    ir_store(ctx->b, rv_x(ctx, a->rs1), IR_NONE, rv_x(ctx, a->rs2), amo_mem(ctx, a, size_log2));
    ir_fence(ctx->b, IR_FENCE_ALL);
}

void riscv_trans_lb_aq(TransCtx *ctx, Args *a) { load_acquire(ctx, a, 0); }
void riscv_trans_lh_aq(TransCtx *ctx, Args *a) { load_acquire(ctx, a, 1); }
void riscv_trans_lw_aq(TransCtx *ctx, Args *a) { load_acquire(ctx, a, 2); }
void riscv_trans_ld_aq(TransCtx *ctx, Args *a) { load_acquire(ctx, a, 3); }
void riscv_trans_sb_rl(TransCtx *ctx, Args *a) { store_release(ctx, a, 0); }
void riscv_trans_sh_rl(TransCtx *ctx, Args *a) { store_release(ctx, a, 1); }
void riscv_trans_sw_rl(TransCtx *ctx, Args *a) { store_release(ctx, a, 2); }
void riscv_trans_sd_rl(TransCtx *ctx, Args *a) { store_release(ctx, a, 3); }

/* The stall may end at any time for any reason: at once. */
void riscv_trans_wrs_nto(TransCtx *ctx, const RiscvArgsNone *a) { }
void riscv_trans_wrs_sto(TransCtx *ctx, const RiscvArgsNone *a) { }
