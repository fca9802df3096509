/* translate-bitmanip.c: Zba, Zbb, Zbc, Zbs, Zbkb, Zbkc, Zbkx, Zcb's unary operations (Unprivileged 28). */
#include "target/riscv/translate.h"

typedef const RiscvArgsR ArgsR;
typedef const RiscvArgsR1 ArgsR1;
typedef const RiscvArgsI ArgsI;

static IrRef op1(TransCtx *ctx, IrOp op, IrRef x) { return ir_op1(ctx->b, op, rv_xt(ctx), x); }
static IrRef op2(TransCtx *ctx, IrOp op, IrRef x, IrRef y) { return ir_op2(ctx->b, op, rv_xt(ctx), x, y); }

static void binary(TransCtx *ctx, ArgsR *a, IrOp op)
{
    rv_set_x(ctx, a->rd, op2(ctx, op, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)));
}

static void unary(TransCtx *ctx, ArgsR1 *a, IrOp op)
{
    rv_set_x(ctx, a->rd, op1(ctx, op, rv_x(ctx, a->rs1)));
}

static void unary_w(TransCtx *ctx, ArgsR1 *a, IrOp op)
{
    rv_set_x(ctx, a->rd, rv_from_w(ctx, ir_op1(ctx->b, op, IR_I32, rv_w(ctx, rv_x(ctx, a->rs1)))));
}

static bool shamt_ok(TransCtx *ctx, ArgsI *a)
{
    if ((unsigned)a->imm < rv_xlen(ctx)) {
        return true;
    }
    rv_illegal(ctx);
    return false;
}

/* -- Zba ------------------------------------------------------------------------------------------ */

static void shift_add(TransCtx *ctx, ArgsR *a, unsigned shift, bool uw)
{
    IrRef x = rv_x(ctx, a->rs1);

    if (uw) {
        x = ir_op1(ctx->b, IR_zext32, IR_I64, x);
    }
    if (shift) {
        x = op2(ctx, IR_shl, x, rv_const(ctx, shift));
    }
    rv_set_x(ctx, a->rd, op2(ctx, IR_add, rv_x(ctx, a->rs2), x));
}

void riscv_trans_sh1add(TransCtx *ctx, ArgsR *a) { shift_add(ctx, a, 1, false); }
void riscv_trans_sh2add(TransCtx *ctx, ArgsR *a) { shift_add(ctx, a, 2, false); }
void riscv_trans_sh3add(TransCtx *ctx, ArgsR *a) { shift_add(ctx, a, 3, false); }
void riscv_trans_add_uw(TransCtx *ctx, ArgsR *a) { shift_add(ctx, a, 0, true); }
void riscv_trans_sh1add_uw(TransCtx *ctx, ArgsR *a) { shift_add(ctx, a, 1, true); }
void riscv_trans_sh2add_uw(TransCtx *ctx, ArgsR *a) { shift_add(ctx, a, 2, true); }
void riscv_trans_sh3add_uw(TransCtx *ctx, ArgsR *a) { shift_add(ctx, a, 3, true); }
void riscv_trans_slli_uw(TransCtx *ctx, ArgsI *a)
{
    IrRef x = ir_op1(ctx->b, IR_zext32, IR_I64, rv_x(ctx, a->rs1));
    rv_set_x(ctx, a->rd, op2(ctx, IR_shl, x, rv_const(ctx, a->imm)));
}

/* -- Zbb ------------------------------------------------------------------------------------------ */

void riscv_trans_andn(TransCtx *ctx, ArgsR *a) { binary(ctx, a, IR_andn); }
void riscv_trans_orn(TransCtx *ctx, ArgsR *a) { binary(ctx, a, IR_orn); }
void riscv_trans_xnor(TransCtx *ctx, ArgsR *a) { binary(ctx, a, IR_xnor); }
void riscv_trans_rol(TransCtx *ctx, ArgsR *a) { binary(ctx, a, IR_rotl); }
void riscv_trans_ror(TransCtx *ctx, ArgsR *a) { binary(ctx, a, IR_rotr); }
void riscv_trans_min(TransCtx *ctx, ArgsR *a) { binary(ctx, a, IR_mins); }
void riscv_trans_minu(TransCtx *ctx, ArgsR *a) { binary(ctx, a, IR_minu); }
void riscv_trans_max(TransCtx *ctx, ArgsR *a) { binary(ctx, a, IR_maxs); }
void riscv_trans_maxu(TransCtx *ctx, ArgsR *a) { binary(ctx, a, IR_maxu); }
void riscv_trans_rev8(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_bswap); }
void riscv_trans_clz(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_clz); }
void riscv_trans_ctz(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_ctz); }
void riscv_trans_cpop(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_popcnt); }
void riscv_trans_sext_b(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_sext8); }
void riscv_trans_sext_h(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_sext16); }
void riscv_trans_zext_h(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_zext16); }
void riscv_trans_orc_b(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_orcb); }
void riscv_trans_clzw(TransCtx *ctx, ArgsR1 *a) { unary_w(ctx, a, IR_clz); }
void riscv_trans_ctzw(TransCtx *ctx, ArgsR1 *a) { unary_w(ctx, a, IR_ctz); }
void riscv_trans_cpopw(TransCtx *ctx, ArgsR1 *a) { unary_w(ctx, a, IR_popcnt); }
void riscv_trans_c_zext_b(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_zext8); }
void riscv_trans_c_zext_w(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_zext32); }
void riscv_trans_c_not(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_not); }

void riscv_trans_rori(TransCtx *ctx, ArgsI *a)
{
    if (shamt_ok(ctx, a)) {
        rv_set_x(ctx, a->rd, op2(ctx, IR_rotr, rv_x(ctx, a->rs1), rv_const(ctx, a->imm)));
    }
}

static void rotate_w(TransCtx *ctx, unsigned rd, IrOp op, IrRef x, IrRef y)
{
    rv_set_x(ctx, rd, rv_from_w(ctx, ir_op2(ctx->b, op, IR_I32, rv_w(ctx, x), rv_w(ctx, y))));
}

void riscv_trans_rolw(TransCtx *ctx, ArgsR *a) { rotate_w(ctx, a->rd, IR_rotl, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)); }
void riscv_trans_rorw(TransCtx *ctx, ArgsR *a) { rotate_w(ctx, a->rd, IR_rotr, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)); }
void riscv_trans_roriw(TransCtx *ctx, ArgsI *a)
{
    rotate_w(ctx, a->rd, IR_rotr, rv_x(ctx, a->rs1), rv_const(ctx, a->imm));
}

/* -- Zbc ------------------------------------------------------------------------------------------ */

void riscv_trans_clmul(TransCtx *ctx, ArgsR *a) { binary(ctx, a, IR_clmul); }
void riscv_trans_clmulh(TransCtx *ctx, ArgsR *a) { binary(ctx, a, IR_clmulh); }
void riscv_trans_clmulr(TransCtx *ctx, ArgsR *a)
{
    /* Bits 2*XLEN-2 .. XLEN-1 of the product. */
    IrRef x = rv_x(ctx, a->rs1), y = rv_x(ctx, a->rs2);
    IrRef hi = op2(ctx, IR_shl, op2(ctx, IR_clmulh, x, y), rv_const(ctx, 1));
    IrRef lo = op2(ctx, IR_shr, op2(ctx, IR_clmul, x, y), rv_const(ctx, rv_xlen(ctx) - 1));
    rv_set_x(ctx, a->rd, op2(ctx, IR_or, hi, lo));
}

/* -- Zbs ------------------------------------------------------------------------------------------ */

static void set_bit(TransCtx *ctx, unsigned rd, IrOp op, IrRef x, IrRef pos)
{
    rv_set_x(ctx, rd, op2(ctx, op, x, op2(ctx, IR_shl, rv_const(ctx, 1), pos)));
}

static void get_bit(TransCtx *ctx, unsigned rd, IrRef x, IrRef pos)
{
    rv_set_x(ctx, rd, op2(ctx, IR_and, op2(ctx, IR_shr, x, pos), rv_const(ctx, 1)));
}

static void set_bit_imm(TransCtx *ctx, ArgsI *a, IrOp op)
{
    if (shamt_ok(ctx, a)) {
        set_bit(ctx, a->rd, op, rv_x(ctx, a->rs1), rv_const(ctx, a->imm));
    }
}

void riscv_trans_bclr(TransCtx *ctx, ArgsR *a) { set_bit(ctx, a->rd, IR_andn, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)); }
void riscv_trans_binv(TransCtx *ctx, ArgsR *a) { set_bit(ctx, a->rd, IR_xor, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)); }
void riscv_trans_bset(TransCtx *ctx, ArgsR *a) { set_bit(ctx, a->rd, IR_or, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)); }
void riscv_trans_bext(TransCtx *ctx, ArgsR *a) { get_bit(ctx, a->rd, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2)); }
void riscv_trans_bclri(TransCtx *ctx, ArgsI *a) { set_bit_imm(ctx, a, IR_andn); }
void riscv_trans_binvi(TransCtx *ctx, ArgsI *a) { set_bit_imm(ctx, a, IR_xor); }
void riscv_trans_bseti(TransCtx *ctx, ArgsI *a) { set_bit_imm(ctx, a, IR_or); }
void riscv_trans_bexti(TransCtx *ctx, ArgsI *a)
{
    if (shamt_ok(ctx, a)) {
        get_bit(ctx, a->rd, rv_x(ctx, a->rs1), rv_const(ctx, a->imm));
    }
}

/* -- Zbkb, Zbkx ------------------------------------------------------------------------------------ */

static IrRef insert(TransCtx *ctx, IrRef x, IrRef y, unsigned pos, unsigned length)
{
    return ir_emit(ctx->b, IR_bfi, rv_xt(ctx), pos | length << 8, x, y, IR_NONE);
}

void riscv_trans_pack(TransCtx *ctx, ArgsR *a)
{
    unsigned half = rv_xlen(ctx) / 2;
    rv_set_x(ctx, a->rd, insert(ctx, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2), half, half));
}

void riscv_trans_packh(TransCtx *ctx, ArgsR *a)
{
    rv_set_x(ctx, a->rd, insert(ctx, op1(ctx, IR_zext8, rv_x(ctx, a->rs1)), rv_x(ctx, a->rs2), 8, 8));
}

void riscv_trans_packw(TransCtx *ctx, ArgsR *a)
{
    IrRef x = insert(ctx, rv_x(ctx, a->rs1), rv_x(ctx, a->rs2), 16, 16);
    rv_set_x(ctx, a->rd, ir_op1(ctx->b, IR_sext32, IR_I64, x));
}

void riscv_trans_brev8(TransCtx *ctx, ArgsR1 *a) { unary(ctx, a, IR_brev8); }

static void call1(TransCtx *ctx, ArgsR1 *a, RiscvHelper helper)
{
    IrRef v = ir_call(ctx->b, helper, 1, (IrRef[]){ rv_zext_i64(ctx, rv_x(ctx, a->rs1)) });
    rv_set_x(ctx, a->rd, rv_from_i64(ctx, v));
}

static void call2(TransCtx *ctx, ArgsR *a, RiscvHelper helper)
{
    IrRef v = ir_call(ctx->b, helper, 2, (IrRef[]){ rv_zext_i64(ctx, rv_x(ctx, a->rs1)),
                                                   rv_zext_i64(ctx, rv_x(ctx, a->rs2)) });
    rv_set_x(ctx, a->rd, rv_from_i64(ctx, v));
}

void riscv_trans_zip(TransCtx *ctx, ArgsR1 *a) { call1(ctx, a, RV_HELPER_zip); }
void riscv_trans_unzip(TransCtx *ctx, ArgsR1 *a) { call1(ctx, a, RV_HELPER_unzip); }

/* An index past the register gives zero; on RV32 the zero-extended operand's upper half would be found
 * instead, but indices of 8 and above (nibbles) or 4 and above (bytes) then select zeros all the same. */
void riscv_trans_xperm4(TransCtx *ctx, ArgsR *a) { call2(ctx, a, RV_HELPER_xperm4); }
void riscv_trans_xperm8(TransCtx *ctx, ArgsR *a) { call2(ctx, a, RV_HELPER_xperm8); }
