/* translate-crypto.c: Zknd, Zkne, Zknh, Zksed, Zksh (Unprivileged chapter 30). Hashes inline, tables in helpers. */
#include "target/riscv/translate.h"

typedef const RiscvArgsR ArgsR;
typedef const RiscvArgsR1 ArgsR1;

static void call2(TransCtx *ctx, ArgsR *a, RiscvHelper helper)
{
    rv_set_x(ctx, a->rd, ir_call(ctx->b, helper, 2, (IrRef[]){ rv_x(ctx, a->rs1), rv_x(ctx, a->rs2) }));
}

void riscv_trans_aes64ds(TransCtx *ctx, ArgsR *a) { call2(ctx, a, RV_HELPER_aes64ds); }
void riscv_trans_aes64dsm(TransCtx *ctx, ArgsR *a) { call2(ctx, a, RV_HELPER_aes64dsm); }
void riscv_trans_aes64es(TransCtx *ctx, ArgsR *a) { call2(ctx, a, RV_HELPER_aes64es); }
void riscv_trans_aes64esm(TransCtx *ctx, ArgsR *a) { call2(ctx, a, RV_HELPER_aes64esm); }
void riscv_trans_aes64ks2(TransCtx *ctx, ArgsR *a) { call2(ctx, a, RV_HELPER_aes64ks2); }

void riscv_trans_aes64im(TransCtx *ctx, ArgsR1 *a)
{
    rv_set_x(ctx, a->rd, ir_call(ctx->b, RV_HELPER_aes64im, 1, (IrRef[]){ rv_x(ctx, a->rs1) }));
}

void riscv_trans_aes64ks1i(TransCtx *ctx, const RiscvArgsI *a)
{
    if (a->imm > 10) {
        rv_illegal(ctx);
        return;
    }
    rv_set_x(ctx, a->rd, ir_call(ctx->b, RV_HELPER_aes64ks1i, 2,
                                 (IrRef[]){ rv_x(ctx, a->rs1), ir_i64(ctx->b, a->imm) }));
}

/* bs selects a byte of rs2; `what` says which table function. */
static void byte_select(TransCtx *ctx, const RiscvArgsRbs *a, RiscvHelper helper, unsigned what)
{
    IrRef v = ir_call(ctx->b, helper, 3,
                      (IrRef[]){ rv_zext_i64(ctx, rv_x(ctx, a->rs1)), rv_zext_i64(ctx, rv_x(ctx, a->rs2)),
                                 ir_i32(ctx->b, a->bs | what << 2) });
    rv_set_x(ctx, a->rd, rv_from_i64(ctx, v));
}

void riscv_trans_aes32esi(TransCtx *ctx, const RiscvArgsRbs *a) { byte_select(ctx, a, RV_HELPER_aes32, 0); }
void riscv_trans_aes32esmi(TransCtx *ctx, const RiscvArgsRbs *a) { byte_select(ctx, a, RV_HELPER_aes32, 1); }
void riscv_trans_aes32dsi(TransCtx *ctx, const RiscvArgsRbs *a) { byte_select(ctx, a, RV_HELPER_aes32, 2); }
void riscv_trans_aes32dsmi(TransCtx *ctx, const RiscvArgsRbs *a) { byte_select(ctx, a, RV_HELPER_aes32, 3); }
void riscv_trans_sm4ed(TransCtx *ctx, const RiscvArgsRbs *a) { byte_select(ctx, a, RV_HELPER_sm4, 0); }
void riscv_trans_sm4ks(TransCtx *ctx, const RiscvArgsRbs *a) { byte_select(ctx, a, RV_HELPER_sm4, 1); }

/* -- hashes: three shifted or rotated copies xored -------------------------------------------------- */

static IrRef mix(TransCtx *ctx, IrType type, IrRef x, int r1, int r2, IrOp op3, int r3)
{
    IrRef a = r1 ? ir_op2_imm(ctx->b, IR_rotr, type, x, r1) : x;
    IrRef b = ir_op2_imm(ctx->b, IR_rotr, type, x, r2);
    IrRef c = ir_op2_imm(ctx->b, op3, type, x, r3);
    return ir_op2(ctx->b, IR_xor, type, ir_op2(ctx->b, IR_xor, type, a, b), c);
}

static void mix32(TransCtx *ctx, ArgsR1 *a, int r1, int r2, IrOp op3, int r3)
{
    rv_set_x(ctx, a->rd, rv_from_w(ctx, mix(ctx, IR_I32, rv_w(ctx, rv_x(ctx, a->rs1)), r1, r2, op3, r3)));
}

static void mix64(TransCtx *ctx, ArgsR1 *a, int r1, int r2, IrOp op3, int r3)
{
    rv_set_x(ctx, a->rd, mix(ctx, IR_I64, rv_x(ctx, a->rs1), r1, r2, op3, r3));
}

void riscv_trans_sha256sum0(TransCtx *ctx, ArgsR1 *a) { mix32(ctx, a, 2, 13, IR_rotr, 22); }
void riscv_trans_sha256sum1(TransCtx *ctx, ArgsR1 *a) { mix32(ctx, a, 6, 11, IR_rotr, 25); }
void riscv_trans_sha256sig0(TransCtx *ctx, ArgsR1 *a) { mix32(ctx, a, 7, 18, IR_shr, 3); }
void riscv_trans_sha256sig1(TransCtx *ctx, ArgsR1 *a) { mix32(ctx, a, 17, 19, IR_shr, 10); }
void riscv_trans_sha512sum0(TransCtx *ctx, ArgsR1 *a) { mix64(ctx, a, 28, 34, IR_rotr, 39); }
void riscv_trans_sha512sum1(TransCtx *ctx, ArgsR1 *a) { mix64(ctx, a, 14, 18, IR_rotr, 41); }
void riscv_trans_sha512sig0(TransCtx *ctx, ArgsR1 *a) { mix64(ctx, a, 1, 8, IR_shr, 7); }
void riscv_trans_sha512sig1(TransCtx *ctx, ArgsR1 *a) { mix64(ctx, a, 19, 61, IR_shr, 6); }
/* P0: x ^ rotl 9 ^ rotl 17; P1: x ^ rotl 15 ^ rotl 23. */
void riscv_trans_sm3p0(TransCtx *ctx, ArgsR1 *a) { mix32(ctx, a, 0, 23, IR_rotr, 15); }
void riscv_trans_sm3p1(TransCtx *ctx, ArgsR1 *a) { mix32(ctx, a, 0, 17, IR_rotr, 9); }

/*
 * RV32: half of a 64-bit mix; rs1 is the half of the result, rs2 the other (30.4: sha512sig0l is used with
 * the low half first, …h with the high half first). The low half of the 64-bit function of {rs2:rs1}; the
 * 'h' forms differ only in that a shift brings in nothing from the other half.
 */
static void half64(TransCtx *ctx, ArgsR *a, int r1, int r2, int r3, bool rotate, bool high)
{
    IrBuilder *b = ctx->b;
    IrRef lo = ir_op1(b, IR_ext_u, IR_I64, rv_x(ctx, a->rs1));
    IrRef hi = ir_op2_imm(b, IR_shl, IR_I64, ir_op1(b, IR_ext_u, IR_I64, rv_x(ctx, a->rs2)), 32);
    IrRef x = ir_op2(b, IR_or, IR_I64, lo, hi);
    IrRef v = ir_op2(b, IR_xor, IR_I64, ir_op2_imm(b, IR_rotr, IR_I64, x, r1),
                     ir_op2_imm(b, IR_rotr, IR_I64, x, r2));
    IrRef last = rotate ? ir_op2_imm(b, IR_rotr, IR_I64, x, r3)
                        : ir_op2_imm(b, IR_shr, IR_I64, high ? lo : x, r3);
    rv_set_x(ctx, a->rd, ir_op1(b, IR_trunc, IR_I32, ir_op2(b, IR_xor, IR_I64, v, last)));
}

void riscv_trans_sha512sum0r(TransCtx *ctx, ArgsR *a) { half64(ctx, a, 28, 34, 39, true, false); }
void riscv_trans_sha512sum1r(TransCtx *ctx, ArgsR *a) { half64(ctx, a, 14, 18, 41, true, false); }
void riscv_trans_sha512sig0l(TransCtx *ctx, ArgsR *a) { half64(ctx, a, 1, 8, 7, false, false); }
void riscv_trans_sha512sig0h(TransCtx *ctx, ArgsR *a) { half64(ctx, a, 1, 8, 7, false, true); }
void riscv_trans_sha512sig1l(TransCtx *ctx, ArgsR *a) { half64(ctx, a, 19, 61, 6, false, false); }
void riscv_trans_sha512sig1h(TransCtx *ctx, ArgsR *a) { half64(ctx, a, 19, 61, 6, false, true); }
