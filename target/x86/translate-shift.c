/*
 * translate-shift.c: shifts and rotates (SDM volume 2B: RCL/RCR/ROL/ROR, SAL/SAR/SHL/SHR, SHLD, SHRD; SHLX… in 2C).
 *
 * A count of 0 leaves the flags as they were. With a count in a register the new and the old flag tuples are selected
 * between; where no one looks at flags afterwards that costs nothing.
 */
#include "target/x86/translate.h"

typedef struct Tuple { IrRef op, dst, src, src2; } Tuple;

static Tuple old_tuple(TransCtx *ctx)
{
    IrBuilder *b = ctx->b;
    return (Tuple){ ir_get(b, X86_SLOT_CC_OP), ir_get(b, X86_SLOT_CC_DST), ir_get(b, X86_SLOT_CC_SRC), ir_get(b, X86_SLOT_CC_SRC2) };
}

static void put_slot(TransCtx *ctx, unsigned slot, IrRef count, IrRef value, IrRef old)
{
    if (value != IR_NONE) {
        IrType type = slot == X86_SLOT_CC_OP ? IR_I32 : x86_wt(ctx);
        value = x86_to_type(ctx, value, type);
        ir_put(ctx->b, slot, count == IR_NONE ? value : ir_select(ctx->b, type, count, value, old));
    }
}

/* The new tuple if count (IR_NONE: surely not) is not 0. */
static void put_tuple(TransCtx *ctx, IrRef count, const Tuple *t, const Tuple *old)
{
    put_slot(ctx, X86_SLOT_CC_OP, count, t->op, old->op);
    put_slot(ctx, X86_SLOT_CC_DST, count, t->dst, old->dst);
    put_slot(ctx, X86_SLOT_CC_SRC, count, t->src, old->src);
    put_slot(ctx, X86_SLOT_CC_SRC2, count, t->src2, old->src2);
}

/* The count cut to 5 or 6 bits, of the operand's type; constant: *ret_n. */
static IrRef count_of(TransCtx *ctx, const X86Insn *in, unsigned i, unsigned size, bool *ret_const, unsigned *ret_n)
{
    unsigned mask = size == 8 ? 63 : 31;
    if (in->op[i].kind == X86_OP_IMM) {
        *ret_const = true;
        *ret_n = (unsigned)in->imm & mask;
        return x86_const(ctx, size, *ret_n);
    }
    *ret_const = false;
    IrRef c = x86_to_type(ctx, x86_get(ctx, X86_RCX, 4), x86_type(size));
    return ir_op2_imm(ctx->b, IR_and, x86_type(size), c, mask);
}

void x86_trans_shift(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrOp op = (IrOp)in->row->aux;
    unsigned size = in->op[0].size, n = 0;
    IrType type = x86_type(size);
    bool is_const;
    IrRef x = x86_op_load(ctx, in, 0);
    IrRef count = count_of(ctx, in, 1, size, &is_const, &n);

    if (is_const && !n) {
        x86_op_store(ctx, in, 0, x);
        return;
    }
    x = op == IR_shr ? x86_zext(ctx, x, size) : op == IR_sar ? x86_sext(ctx, x, size) : x;
    if (is_const) { /* the flags can be had from the operand later */
        IrRef r = ir_op2(b, op, type, x, count);
        unsigned carry = op == IR_shl ? X86_CARRY_SHL : op == IR_shr ? X86_CARRY_SHR : X86_CARRY_SAR;
        x86_op_store(ctx, in, 0, r);
        x86_cc_set(ctx, X86_CC(X86_CCK_SHIFT, carry, x86_log2(size)) | X86_CC_COUNT(n), r, x, IR_NONE);
        return;
    }
    Tuple old = old_tuple(ctx);
    IrRef r = ir_op2(b, op, type, x, count);
    IrRef before = ir_op2(b, op, type, x, ir_op2_imm(b, IR_sub, type, count, 1));
    x86_op_store(ctx, in, 0, r);
    Tuple t = { .op = ir_i32(b, X86_CC(X86_CCK_SHIFT, op == IR_shl ? X86_CARRY_MSB : X86_CARRY_BIT0, x86_log2(size))), .dst = r,
                .src = before, .src2 = IR_NONE };
    put_tuple(ctx, count, &t, &old);
}

void x86_trans_shiftx(TransCtx *ctx, const X86Insn *in)
{
    IrType type = x86_type(in->op[0].size);
    IrRef x = x86_op_load(ctx, in, 1);
    x86_op_store(ctx, in, 0, ir_op2(ctx->b, (IrOp)in->row->aux, type, x, x86_op_load(ctx, in, 2)));
}

void x86_trans_shift_double(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    bool right = in->row->aux;
    unsigned size = in->op[0].size, n = 0, bits = 8 * size;
    IrType type = x86_type(size);
    bool is_const;
    IrRef x = x86_op_load(ctx, in, 0), y = x86_op_load(ctx, in, 1);
    IrRef count = count_of(ctx, in, 2, size, &is_const, &n);

    if (is_const && !n) {
        x86_op_store(ctx, in, 0, x);
        return;
    }
    Tuple old = is_const ? (Tuple){ 0 } : old_tuple(ctx);
    IrRef one_less = ir_op2_imm(b, IR_sub, type, count, 1), r, before;
    if (size == 2) {
        /* Counts above 16 are undefined; AMD's processors let the second operand in twice. */
        IrRef hi = x86_zext(ctx, x, 2), lo = x86_zext(ctx, y, 2);
        IrRef x64 = x86_to_i64(ctx, hi), y64 = x86_to_i64(ctx, lo), c64 = x86_to_i64(ctx, count);
        IrRef far = ir_op2_imm(b, IR_shl, IR_I64, right ? y64 : x64, 32), near = right ? x64 : y64;
        IrRef three = ir_op2(b, IR_or, IR_I64, far, ir_op2(b, IR_or, IR_I64, ir_op2_imm(b, IR_shl, IR_I64, y64, 16), near));
        if (right) {
            r = ir_op2(b, IR_shr, IR_I64, three, c64);
            before = ir_op2(b, IR_shr, IR_I64, three, ir_op2_imm(b, IR_sub, IR_I64, c64, 1));
        } else {
            r = ir_op2_imm(b, IR_shr, IR_I64, ir_op2(b, IR_shl, IR_I64, three, c64), 32);
            before = ir_op2_imm(b, IR_shr, IR_I64, ir_op2(b, IR_shl, IR_I64, three, ir_op2_imm(b, IR_sub, IR_I64, c64, 1)), 32);
        }
        r = x86_to_i32(ctx, r);
        before = x86_to_i32(ctx, before);
    } else {
        /* y comes in from the other side; in two steps, because a count of 0 would be a shift by the width. */
        IrRef rest = ir_op2(b, IR_sub, type, ir_const(b, type, bits - 1), count);
        IrOp out = right ? IR_shr : IR_shl, into = right ? IR_shl : IR_shr;
        IrRef other = ir_op2(b, into, type, ir_op2_imm(b, into, type, y, 1), rest);
        r = ir_op2(b, IR_or, type, ir_op2(b, out, type, x, count), other);
        before = ir_op2(b, out, type, x, one_less);
        if (!is_const) {
            r = ir_select(b, type, count, r, x);
        }
    }
    x86_op_store(ctx, in, 0, r);
    Tuple t = { .op = ir_i32(b, X86_CC(X86_CCK_SHIFT, right ? X86_CARRY_BIT0 : X86_CARRY_MSB, x86_log2(size))), .dst = r,
                .src = before, .src2 = IR_NONE };
    put_tuple(ctx, is_const ? IR_NONE : count, &t, &old);
}

/* -- rotates: C and O change, S Z A P stay -------------------------------------------------------------------- */

/* O and C in src (ROL or ROR rule of `size`), the others from what the flags were. */
static Tuple rotate_tuple(TransCtx *ctx, X86CcKind kind, X86CarryKind carry, unsigned size, IrRef src)
{
    IrBuilder *b = ctx->b;
    IrRef dst, vector;
    unsigned old_size;

    if (x86_cc_result(ctx, &dst, &vector, &old_size)) {
        return (Tuple){ .op = ir_i32(b, (uint32_t)kind << 2 | old_size | ((uint32_t)carry << 2 | x86_log2(size)) << 8),
                        .dst = dst, .src = src, .src2 = vector };
    }
    /* Not known what the flags follow from: as bits. */
    IrRef flags = ir_op2_imm(b, IR_and, IR_I32, x86_cc_get_flags(ctx), X86_ARITH_FLAGS & ~(X86_CF | X86_OF));
    IrRef v = x86_to_i64(ctx, x86_zext(ctx, src, size));
    IrRef top = ir_op2_imm(b, IR_shr, IR_I64, v, 8 * size - 1), c, o;
    if (kind == X86_CCK_ROL) {
        c = ir_op2_imm(b, IR_and, IR_I64, v, 1);
        o = ir_op2(b, IR_xor, IR_I64, top, c);
    } else {
        c = top;
        o = ir_op2(b, IR_xor, IR_I64, top, ir_op2_imm(b, IR_shr, IR_I64, v, 8 * size - 2));
        o = ir_op2_imm(b, IR_and, IR_I64, o, 1);
    }
    IrRef both = x86_to_i32(ctx, ir_op2(b, IR_or, IR_I64, c, ir_op2_imm(b, IR_shl, IR_I64, o, 11)));
    return (Tuple){ .op = ir_i32(b, X86_CC_FLAGS), .dst = IR_NONE, .src = ir_op2(b, IR_or, IR_I32, flags, both), .src2 = IR_NONE };
}

void x86_trans_rotate(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    bool right = in->row->aux;
    unsigned size = in->op[0].size, n = 0, bits = 8 * size;
    IrType type = x86_type(size);
    bool is_const;
    IrRef x = x86_op_load(ctx, in, 0), r;
    IrRef count = count_of(ctx, in, 1, size, &is_const, &n);

    if (is_const && !n) {
        x86_op_store(ctx, in, 0, x);
        return;
    }
    if (size >= 4) {
        r = ir_op2(b, right ? IR_rotr : IR_rotl, type, x, count);
    } else {
        IrRef v = x86_zext(ctx, x, size), c = ir_op2_imm(b, IR_and, IR_I32, count, bits - 1);
        IrRef back = ir_op2_imm(b, IR_and, IR_I32, ir_op1(b, IR_neg, IR_I32, c), bits - 1);
        r = ir_op2(b, IR_or, IR_I32, ir_op2(b, right ? IR_shr : IR_shl, IR_I32, v, c), ir_op2(b, right ? IR_shl : IR_shr, IR_I32, v, back));
    }
    Tuple old = is_const ? (Tuple){ 0 } : old_tuple(ctx);
    x86_op_store(ctx, in, 0, r);
    Tuple t = rotate_tuple(ctx, right ? X86_CCK_ROR : X86_CCK_ROL, right ? X86_CARRY_MSB : X86_CARRY_BIT0, size, r);
    put_tuple(ctx, is_const ? IR_NONE : count, &t, &old);
}

/* Operands of 32 and 64 bits by a count that may be 0: 33 or 65 bits go round. The result, and O and C as X86_CCK_ROL has them in *ret_src. */
static IrRef rotate_wide(TransCtx *ctx, bool right, unsigned size, IrRef x, IrRef carry, IrRef count, IrRef *ret_src)
{
    IrBuilder *b = ctx->b;
    IrType type = x86_type(size);
    unsigned bits = 8 * size;
    IrRef less = ir_op2_imm(b, IR_sub, type, count, 1), back = ir_op1(b, IR_neg, type, count); /* bits - count, as shifts take it */
    IrRef c = x86_to_type(ctx, carry, type), near, far, middle, out, top;

    if (right) {
        near = ir_op2(b, IR_shr, type, x, count);
        middle = ir_op2(b, IR_shl, type, c, back);
        far = ir_op2(b, IR_shl, type, ir_op2_imm(b, IR_shl, type, x, 1), back);
        out = ir_op2(b, IR_shr, type, x, less);
    } else {
        near = ir_op2(b, IR_shl, type, x, count);
        middle = ir_op2(b, IR_shl, type, c, less);
        far = ir_op2(b, IR_shr, type, ir_op2_imm(b, IR_shr, type, x, 1), back);
        out = ir_op2(b, IR_shr, type, x, back);
    }
    IrRef r = ir_op2(b, IR_or, type, ir_op2(b, IR_or, type, near, middle), far);
    out = ir_op2_imm(b, IR_and, type, out, 1);
    top = r; /* left: O is top bit ^ carry */
    if (right) { /* the two top bits differ */
        top = ir_op2(b, IR_xor, type, ir_op2(b, IR_xor, type, r, ir_op2_imm(b, IR_shl, type, r, 1)), ir_op2_imm(b, IR_shl, type, out, bits - 1));
    }
    *ret_src = ir_op2(b, IR_or, type, ir_op2_imm(b, IR_and, type, top, BIT(bits - 1)), out);
    return ir_select(b, type, count, r, x);
}

/* Through the carry: 9, 17, 33 or 65 bits go round. */
void x86_trans_rotate_carry(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    bool right = in->row->aux;
    unsigned size = in->op[0].size, n = 0;
    IrType type = x86_type(size);
    bool is_const;
    IrRef x = x86_op_load(ctx, in, 0), r, src;
    IrRef count = count_of(ctx, in, 1, size, &is_const, &n);

    if (is_const && !n) {
        x86_op_store(ctx, in, 0, x);
        return;
    }
    IrRef carry = x86_cc_get_carry(ctx);
    if (is_const && n == 1) {
        IrRef v = x86_zext(ctx, x, size), c = x86_to_type(ctx, carry, type), out, top;
        if (right) {
            r = ir_op2(b, IR_or, type, ir_op2_imm(b, IR_shr, type, v, 1), ir_op2_imm(b, IR_shl, type, c, 8 * size - 1));
            out = ir_op2_imm(b, IR_and, type, v, 1);
            /* O: the two top bits differ. */
            top = ir_op2(b, IR_xor, type, r, ir_op2_imm(b, IR_shl, type, r, 1));
            top = ir_op2(b, IR_xor, type, top, ir_op2_imm(b, IR_shl, type, out, 8 * size - 1));
        } else {
            r = ir_op2(b, IR_or, type, ir_op2_imm(b, IR_shl, type, v, 1), c);
            out = ir_op2_imm(b, IR_shr, type, v, 8 * size - 1);
            top = r; /* O is top bit ^ carry, as the rule has it */
        }
        src = ir_op2(b, IR_or, type, ir_op2_imm(b, IR_and, type, top, BIT(8 * size - 1)), out);
    } else if (size >= 4) {
        r = rotate_wide(ctx, right, size, x, carry, count, &src);
    } else {
        IrRef how = ir_op2_imm(b, IR_or, IR_I32, x86_to_i32(ctx, count), (right ? 0x100 : 0) | x86_log2(size) << 9);
        how = ir_op2(b, IR_or, IR_I32, how, ir_op2_imm(b, IR_shl, IR_I32, carry, 16));
        IrRef wide = x86_to_i64(ctx, x86_zext(ctx, x, size));
        r = x86_to_type(ctx, x86_call(ctx, X86_HELPER_rotate_carry, 2, (IrRef[]){ wide, how }), type);
        src = x86_to_type(ctx, x86_call(ctx, X86_HELPER_rotate_carry_flags, 2, (IrRef[]){ wide, how }), type);
    }
    Tuple old = is_const ? (Tuple){ 0 } : old_tuple(ctx);
    x86_op_store(ctx, in, 0, r);
    Tuple t = rotate_tuple(ctx, X86_CCK_ROL, X86_CARRY_BIT0, size, src);
    put_tuple(ctx, is_const ? IR_NONE : count, &t, &old);
}

void x86_trans_rorx(TransCtx *ctx, const X86Insn *in)
{
    IrType type = x86_type(in->op[0].size);
    x86_op_store(ctx, in, 0, ir_op2_imm(ctx->b, IR_rotr, type, x86_op_load(ctx, in, 1), in->imm & (8u * in->op[0].size - 1)));
}
