/*
 * translate-mul.c: multiplication, division, decimal adjustment (SDM volume 2).
 *
 * Where the upper half of a dividend is known to be 0 or the sign (the usual XOR EDX,EDX and CDQ in front), the division is one of the
 * operand's size.
 */
#include "target/x86/translate.h"

/* C = O = the product does not fit: computed when somebody asks. */
static void imul_flags(TransCtx *ctx, unsigned size, IrRef low, IrRef x, IrRef y)
{
    x86_cc_set(ctx, X86_CC(X86_CCK_MUL, X86_CARRY_IMUL, x86_log2(size)), low, x, y);
}

void x86_trans_mul(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    bool is_signed = in->row->aux;
    unsigned size = in->op[0].size;
    IrType type = x86_type(size);
    IrRef x = x86_get(ctx, X86_RAX, size), y = x86_op_load(ctx, in, 0), low, high;

    if (size < 4) {
        x = is_signed ? x86_sext(ctx, x, size) : x86_zext(ctx, x, size);
        y = is_signed ? x86_sext(ctx, y, size) : x86_zext(ctx, y, size);
        low = ir_op2(b, IR_mul, IR_I32, x, y);
        high = ir_op2_imm(b, IR_shr, IR_I32, low, 8 * size);
        if (size == 1) {
            x86_put(ctx, X86_RAX, 2, low);
        } else {
            x86_put(ctx, X86_RAX, 2, low);
            x86_put(ctx, X86_RDX, 2, high);
        }
    } else {
        low = ir_op2(b, IR_mul, type, x, y);
        high = ir_op2(b, is_signed ? IR_mulhs : IR_mulhu, type, x, y);
        x86_put(ctx, X86_RAX, size, low);
        x86_put(ctx, X86_RDX, size, high);
    }
    if (is_signed) {
        imul_flags(ctx, size, low, x, y);
    } else {
        x86_cc_set(ctx, X86_CC(X86_CCK_MUL, X86_CARRY_NZ, x86_log2(size)), low, high, IR_NONE);
    }
}

void x86_trans_imul(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size;
    IrType type = x86_type(size);
    IrRef x = x86_op_load(ctx, in, in->n_ops - 2), y = x86_op_load(ctx, in, in->n_ops - 1);
    IrRef low = ir_op2(b, IR_mul, type, x, y);

    x86_op_store(ctx, in, 0, low);
    imul_flags(ctx, size, low, x, y);
}

void x86_trans_mulx(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrType type = x86_type(size);
    IrRef x = x86_get(ctx, X86_RDX, size), y = x86_op_load(ctx, in, 2);
    IrRef low = ir_op2(ctx->b, IR_mul, type, x, y), high = ir_op2(ctx->b, IR_mulhu, type, x, y);

    x86_op_store(ctx, in, 1, low);
    x86_op_store(ctx, in, 0, high); /* if both are one register it gets the upper half */
}

/* -- division -------------------------------------------------------------------------------------------- */

static void raise_de_if(TransCtx *ctx, IrCond cond, IrRef a, IrRef b)
{
    trans_raise_if(ctx, cond, a, b, X86_HELPER_raise, X86_EXC_DE);
}

/* Of 8 and 16 bits: the dividend as I32. */
static IrRef small_dividend(TransCtx *ctx, unsigned size, bool is_signed)
{
    if (size == 1) {
        IrRef ax = x86_get(ctx, X86_RAX, 2);
        return is_signed ? x86_sext(ctx, ax, 2) : x86_zext(ctx, ax, 2);
    }
    return ir_op2(ctx->b, IR_or, IR_I32, x86_zext(ctx, x86_get(ctx, X86_RAX, 2), 2),
                  ir_op2_imm(ctx->b, IR_shl, IR_I32, x86_get(ctx, X86_RDX, 2), 16));
}

/* What the quotient leaves of the dividend: cheaper than another division, and the quotient is nearly always wanted, too. */
static IrRef remainder_of(TransCtx *ctx, IrType type, IrRef n, IrRef q, IrRef d)
{
    return ir_op2(ctx->b, IR_sub, type, n, ir_op2(ctx->b, IR_mul, type, q, d));
}

static void put_small(TransCtx *ctx, unsigned size, IrRef q, IrRef r)
{
    IrBuilder *b = ctx->b;
    if (size == 1) {
        x86_put(ctx, X86_RAX, 2, ir_op2(b, IR_or, IR_I32, x86_zext(ctx, q, 1), ir_op2_imm(b, IR_shl, IR_I32, r, 8)));
    } else {
        x86_put(ctx, X86_RAX, 2, q);
        x86_put(ctx, X86_RDX, 2, r);
    }
}

void x86_trans_div(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size;
    IrType type = x86_type(size);
    IrRef d = x86_zext(ctx, x86_op_load(ctx, in, 0), size);

    if (size < 4) {
        IrRef n = small_dividend(ctx, size, false);
        raise_de_if(ctx, IR_LEU, d, ir_op2_imm(b, IR_shr, IR_I32, n, 8 * size));
        /* Bytes are divided by something else each time more often than not: the host's division at once, no look at the last divisor. */
        IrRef q = ir_op2(b, size == 1 ? IR_divs : IR_divu, IR_I32, n, d);
        put_small(ctx, size, q, remainder_of(ctx, IR_I32, n, q, d));
        return;
    }
    IrRef low = x86_get(ctx, X86_RAX, size), high = x86_get(ctx, X86_RDX, size), q, r;
    raise_de_if(ctx, IR_LEU, d, high); /* no quotient, or one that is too large */
    if (ir_is_const(b->unit, high) && !ir_insn(b->unit, high)->imm) {
        q = ir_op2(b, IR_divu, type, low, d);
        r = remainder_of(ctx, type, low, q, d);
    } else if (size == 4) {
        IrRef n = ir_op2(b, IR_or, IR_I64, x86_to_i64(ctx, low), ir_op2_imm(b, IR_shl, IR_I64, x86_to_i64(ctx, high), 32));
        IrRef d64 = x86_to_i64(ctx, d);
        q = x86_to_i32(ctx, ir_op2(b, IR_divu, IR_I64, n, d64));
        r = remainder_of(ctx, IR_I32, low, q, d);
    } else {
        q = x86_call(ctx, X86_HELPER_divq, 3, (IrRef[]){ high, low, d });
        r = remainder_of(ctx, IR_I64, low, q, d);
    }
    x86_put(ctx, X86_RAX, size, q);
    x86_put(ctx, X86_RDX, size, r);
}

/* One value, or the lower half of one taken twice: what CDQ has read from rax, and what the division reads. */
static bool same_value(const IrUnit *unit, IrRef x, IrRef y)
{
    const IrInsn *a = ir_insn(unit, x), *b = ir_insn(unit, y);
    return x == y || (a->op == IR_trunc && b->op == IR_trunc && a->a == b->a);
}

/* high is the sign of low: both come from CDQ or CQO, or are constants. */
static bool is_sign_of(const IrUnit *unit, IrRef high, IrRef low, unsigned size)
{
    const IrInsn *h = ir_insn(unit, high);
    if (h->op == IR_const && ir_is_const(unit, low)) {
        uint64_t v = ir_insn(unit, low)->imm;
        return h->imm == (v >> (8 * size - 1) & 1 ? bits_mask(0, 8 * size) : 0);
    }
    return h->op == IR_sar && same_value(unit, h->a, low) && ir_is_const(unit, h->b) && ir_insn(unit, h->b)->imm == 8 * size - 1;
}

void x86_trans_idiv(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size;
    IrType type = x86_type(size);
    IrRef d = x86_sext(ctx, x86_op_load(ctx, in, 0), size);

    raise_de_if(ctx, IR_EQ, d, ir_const(b, type, 0));
    if (size < 4) {
        IrRef n = small_dividend(ctx, size, true);
        IrRef q = ir_op2(b, IR_divs, IR_I32, n, d);
        raise_de_if(ctx, IR_NE, q, x86_sext(ctx, q, size));
        put_small(ctx, size, q, remainder_of(ctx, IR_I32, n, q, d));
        return;
    }
    IrRef low = x86_get(ctx, X86_RAX, size), high = x86_get(ctx, X86_RDX, size), q, r;
    if (is_sign_of(b->unit, high, low, size)) {
        /* The one quotient that does not fit: the least number / -1. */
        IrRef least = ir_op2_imm(b, IR_xor, type, low, BIT(8 * size - 1));
        raise_de_if(ctx, IR_EQ, ir_op2(b, IR_or, type, least, ir_op1(b, IR_not, type, d)), ir_const(b, type, 0));
        q = ir_op2(b, IR_divs, type, low, d);
        r = remainder_of(ctx, type, low, q, d);
    } else if (size == 4) {
        IrRef n = ir_op2(b, IR_or, IR_I64, x86_to_i64(ctx, low), ir_op2_imm(b, IR_shl, IR_I64, x86_to_i64(ctx, high), 32));
        IrRef d64 = ir_op1(b, IR_ext_s, IR_I64, d);
        IrRef wide = ir_op2(b, IR_divs, IR_I64, n, d64);
        raise_de_if(ctx, IR_NE, wide, ir_op1(b, IR_sext32, IR_I64, wide));
        q = x86_to_i32(ctx, wide);
        r = remainder_of(ctx, IR_I32, low, q, d);
    } else {
        q = x86_call(ctx, X86_HELPER_idivq, 3, (IrRef[]){ high, low, d });
        r = remainder_of(ctx, IR_I64, low, q, d);
    }
    x86_put(ctx, X86_RAX, size, q);
    x86_put(ctx, X86_RDX, size, r);
}

/* -- decimal ------------------------------------------------------------------------------------------------- */

void x86_trans_bcd(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrRef ax = x86_zext(ctx, x86_get(ctx, X86_RAX, 2), 2);
    IrRef both = x86_call(ctx, X86_HELPER_bcd, 3, (IrRef[]){ ax, x86_cc_get_flags(ctx), ir_i32(b, in->row->aux) });

    x86_put(ctx, X86_RAX, 2, both);
    x86_cc_set_flags(ctx, ir_op2_imm(b, IR_shr, IR_I32, both, 16));
}

void x86_trans_aam(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    if (!in->imm) {
        x86_raise_exc(ctx, X86_EXC_DE);
        return;
    }
    IrRef al = x86_zext(ctx, x86_get(ctx, X86_RAX, 1), 1), d = ir_i32(b, (uint32_t)in->imm);
    IrRef r = ir_op2(b, IR_remu, IR_I32, al, d);
    x86_put(ctx, X86_RAX, 2, ir_op2(b, IR_or, IR_I32, r, ir_op2_imm(b, IR_shl, IR_I32, ir_op2(b, IR_divu, IR_I32, al, d), 8)));
    x86_cc_set(ctx, X86_CC(X86_CCK_RES, X86_CARRY_0, 0), r, IR_NONE, IR_NONE);
}

void x86_trans_aad(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrRef ax = x86_zext(ctx, x86_get(ctx, X86_RAX, 2), 2);
    IrRef r = ir_op2(b, IR_add, IR_I32, ax, ir_op2_imm(b, IR_mul, IR_I32, ir_op2_imm(b, IR_shr, IR_I32, ax, 8), in->imm));
    r = x86_zext(ctx, r, 1);
    x86_put(ctx, X86_RAX, 2, r);
    x86_cc_set(ctx, X86_CC(X86_CCK_RES, X86_CARRY_0, 0), r, IR_NONE, IR_NONE);
}
