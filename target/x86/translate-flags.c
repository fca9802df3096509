/*
 * translate-flags.c: lazy flags in IR. Where CC_OP is known, a condition becomes a comparison of the operands; elsewhere (at
 * joins whose ways in differ) a pure helper computes it.
 */
#include "target/x86/translate.h"

/* Upper bits do not matter: the whole value where this is the lower half of one. */
static void put(TransCtx *ctx, unsigned slot, IrRef value)
{
    if (value == IR_NONE) {
        ir_kill(ctx->b, slot);
        return;
    }
    const IrInsn *in = ir_insn(ctx->b->unit, value);
    if (in->op == IR_trunc && x86_wt(ctx) == IR_I64) {
        value = in->a;
    }
    ir_put(ctx->b, slot, x86_to_wt(ctx, value));
}

void x86_cc_set(TransCtx *ctx, uint32_t op, IrRef dst, IrRef src, IrRef src2)
{
    put(ctx, X86_SLOT_CC_DST, dst);
    put(ctx, X86_SLOT_CC_SRC, src);
    put(ctx, X86_SLOT_CC_SRC2, src2);
    ir_put(ctx->b, X86_SLOT_CC_OP, ir_i32(ctx->b, op));
}

void x86_cc_set_flags(TransCtx *ctx, IrRef flags)
{
    x86_cc_set(ctx, X86_CC_FLAGS, IR_NONE, flags, IR_NONE);
}

/*
 * A shift by CL keeps the flags where the count is 0: one of two tuples, each with a known rule. Either is looked at with
 * X86_DATA_CC_SIDE set, the results are selected between.
 */
enum { SIDE_NONE, SIDE_TRUE, SIDE_FALSE };

static IrRef cc_slot(TransCtx *ctx, unsigned slot)
{
    const IrUnit *unit = ctx->b->unit;
    IrRef value = ir_get(ctx->b, slot), op = ir_get(ctx->b, X86_SLOT_CC_OP);
    uint64_t side = ctx->data[X86_DATA_CC_SIDE];

    if (side != SIDE_NONE) {
        const IrInsn *in = ir_insn(unit, value);
        if (in->op == IR_select && in->a == ir_insn(unit, op)->a) {
            return side == SIDE_TRUE ? in->b : in->c;
        }
    }
    return value;
}

static bool known_op(TransCtx *ctx, uint32_t *ret)
{
    IrRef op = cc_slot(ctx, X86_SLOT_CC_OP);
    if (!ir_is_const(ctx->b->unit, op)) {
        return false;
    }
    *ret = (uint32_t)ir_insn(ctx->b->unit, op)->imm;
    return true;
}

static bool either_op(TransCtx *ctx)
{
    const IrUnit *unit = ctx->b->unit;
    const IrInsn *op = ir_insn(unit, ir_get(ctx->b, X86_SLOT_CC_OP));

    return op->op == IR_select && ir_is_const(unit, op->b) && ir_is_const(unit, op->c);
}

/* After INC and DEC the rule for all but C is known, also when the carry's is not: CC_OP is (old & X86_CC_CARRY_MASK) | kind and size. */
static bool known_step(TransCtx *ctx, uint32_t *ret)
{
    const IrUnit *unit = ctx->b->unit;
    const IrInsn *op = ir_insn(unit, ir_get(ctx->b, X86_SLOT_CC_OP));

    if (op->op != IR_or || !ir_is_const(unit, op->b)) {
        return false;
    }
    const IrInsn *old = ir_insn(unit, op->a);
    uint32_t low = (uint32_t)ir_insn(unit, op->b)->imm;
    if (old->op != IR_and || !ir_is_const(unit, old->b) || ir_insn(unit, old->b)->imm != X86_CC_CARRY_MASK ||
        (low >> 2 != X86_CCK_INC && low >> 2 != X86_CCK_DEC)) {
        return false;
    }
    *ret = low;
    return true;
}

static IrRef slot64(TransCtx *ctx, unsigned slot) { return x86_to_i64(ctx, ir_get(ctx->b, slot)); }
static IrRef slot_as(TransCtx *ctx, unsigned slot, unsigned size_log2)
{
    return x86_to_type(ctx, cc_slot(ctx, slot), x86_type(1u << size_log2));
}

IrRef x86_cc_get_flags(TransCtx *ctx)
{
    uint32_t op;
    if (known_op(ctx, &op) && op == X86_CC_FLAGS) {
        return x86_to_i32(ctx, ir_get(ctx->b, X86_SLOT_CC_SRC));
    }
    return x86_call(ctx, X86_HELPER_cc_flags, 4,
                    (IrRef[]){ slot64(ctx, X86_SLOT_CC_DST), slot64(ctx, X86_SLOT_CC_SRC), slot64(ctx, X86_SLOT_CC_SRC2),
                               ir_get(ctx->b, X86_SLOT_CC_OP) });
}

static X86CondRef never(TransCtx *ctx)
{
    return (X86CondRef){ IR_NE, ir_i32(ctx->b, 0), ir_i32(ctx->b, 0) };
}

/* value != 0, top bit set, in a size. */
static X86CondRef nonzero(TransCtx *ctx, IrRef value, unsigned size)
{
    IrType type = x86_type(1u << size);
    return size < 2 ? (X86CondRef){ IR_TSTNE, value, ir_const(ctx->b, type, bits_mask(0, 8u << size)) }
                    : (X86CondRef){ IR_NE, value, ir_const(ctx->b, type, 0) };
}

static X86CondRef negative(TransCtx *ctx, IrRef value, unsigned size)
{
    IrType type = x86_type(1u << size);
    return size < 2 ? (X86CondRef){ IR_TSTNE, value, ir_const(ctx->b, type, BIT((8u << size) - 1)) }
                    : (X86CondRef){ IR_LT, value, ir_const(ctx->b, type, 0) };
}

static X86CondRef compare(TransCtx *ctx, IrCond cond, IrRef a, IrRef b, unsigned size)
{
    bool is_signed = cond >= IR_LT && cond <= IR_GT;
    if (size < 2) {
        a = is_signed ? x86_sext(ctx, a, 1u << size) : x86_zext(ctx, a, 1u << size);
        b = is_signed ? x86_sext(ctx, b, 1u << size) : x86_zext(ctx, b, 1u << size);
    }
    return (X86CondRef){ cond, a, b };
}

/* Overflow of SRC * SRC2. */
static X86CondRef imul_cond(TransCtx *ctx, unsigned size)
{
    IrBuilder *b = ctx->b;
    IrType type = x86_type(1u << size);
    IrRef x = slot_as(ctx, X86_SLOT_CC_SRC, size), y = slot_as(ctx, X86_SLOT_CC_SRC2, size);

    if (size < 2) {
        IrRef low = ir_op2(b, IR_mul, IR_I32, x86_sext(ctx, x, 1u << size), x86_sext(ctx, y, 1u << size));
        return (X86CondRef){ IR_NE, low, x86_sext(ctx, low, 1u << size) };
    }
    IrRef low = ir_op2(b, IR_mul, type, x, y);
    return (X86CondRef){ IR_NE, ir_op2(b, IR_mulhs, type, x, y), ir_op2_imm(b, IR_sar, type, low, (8u << size) - 1) };
}

/* SRC of a shift before its last step. */
static IrRef shift_before(TransCtx *ctx, unsigned kind, unsigned size, unsigned count)
{
    IrType type = x86_type(1u << size);
    IrRef x = slot_as(ctx, X86_SLOT_CC_SRC, size);

    switch ((X86CarryKind)kind) {
    case X86_CARRY_SHL: return ir_op2_imm(ctx->b, IR_shl, type, x, count);
    case X86_CARRY_SHR: return ir_op2_imm(ctx->b, IR_shr, type, x86_zext(ctx, x, 1u << size), count);
    case X86_CARRY_SAR: return ir_op2_imm(ctx->b, IR_sar, type, x86_sext(ctx, x, 1u << size), count);
    default: return x;
    }
}

static X86CondRef carry_cond(TransCtx *ctx, uint32_t op)
{
    unsigned kind = op >> 10 & 63, size = op >> 8 & 3, count = op >> 16 & 63;
    IrType type = x86_type(1u << size);
    IrRef src = slot_as(ctx, X86_SLOT_CC_SRC, size);

    switch ((X86CarryKind)kind) {
    case X86_CARRY_BIT0: return (X86CondRef){ IR_TSTNE, src, ir_const(ctx->b, type, 1) };
    case X86_CARRY_LT: return compare(ctx, IR_LTU, slot_as(ctx, X86_SLOT_CC_SRC2, size), src, size);
    case X86_CARRY_SUB:
        return compare(ctx, IR_LTU, ir_op2(ctx->b, IR_add, type, slot_as(ctx, X86_SLOT_CC_SRC2, size), src), src, size);
    case X86_CARRY_MSB: return negative(ctx, src, size);
    case X86_CARRY_NZ: return nonzero(ctx, src, size);
    case X86_CARRY_Z: {
        X86CondRef c = nonzero(ctx, src, size);
        c.cond = ir_cond_invert(c.cond);
        return c;
    }
    case X86_CARRY_SHL: return negative(ctx, shift_before(ctx, kind, size, count), size);
    case X86_CARRY_SHR: case X86_CARRY_SAR:
        return (X86CondRef){ IR_TSTNE, shift_before(ctx, kind, size, count), ir_const(ctx->b, type, 1) };
    case X86_CARRY_IMUL: return imul_cond(ctx, size);
    case X86_CARRY_1: return (X86CondRef){ IR_EQ, ir_i32(ctx->b, 0), ir_i32(ctx->b, 0) };
    case X86_CARRY_0: case X86_N_CARRY: break;
    }
    return never(ctx);
}

bool x86_cc_put_carry(TransCtx *ctx, bool value, bool complement)
{
    uint32_t op;

    if (!known_op(ctx, &op)) {
        return false;
    }
    unsigned kind = op >> 2 & 63, carry = op >> 10 & 63;
    if (complement) {
        value = carry == X86_CARRY_0;
    }
    /* Kinds whose O or A come from what the carry comes from, and carries that are not known. */
    if (kind == X86_CCK_MUL || kind == X86_CCK_SHIFT || kind == X86_CCK_ROL || kind == X86_CCK_ROR ||
        (complement && carry != X86_CARRY_0 && carry != X86_CARRY_1)) {
        return false;
    }
    ir_put(ctx->b, X86_SLOT_CC_OP, ir_i32(ctx->b, (op & 0xff) | (uint32_t)(value ? X86_CARRY_1 : X86_CARRY_0) << 10));
    return true;
}

static bool short_cond(TransCtx *ctx, uint32_t op, unsigned which, X86CondRef *ret);

/* The condition of one of two tuples, 0 or 1. */
static bool either_cond(TransCtx *ctx, unsigned which, IrRef *ret)
{
    IrRef value[2];
    bool ok = either_op(ctx);

    for (unsigned side = SIDE_TRUE; side <= SIDE_FALSE && ok; side++) {
        uint32_t op;
        X86CondRef c;
        ctx->data[X86_DATA_CC_SIDE] = side;
        ok = known_op(ctx, &op) && short_cond(ctx, op, which, &c);
        ctx->data[X86_DATA_CC_SIDE] = SIDE_NONE;
        if (ok) {
            value[side - 1] = ir_setcond(ctx->b, IR_I32, c.cond, c.a, c.b);
        }
    }
    if (ok) {
        *ret = ir_select(ctx->b, IR_I32, ir_insn(ctx->b->unit, ir_get(ctx->b, X86_SLOT_CC_OP))->a, value[0], value[1]);
    }
    return ok;
}

IrRef x86_cc_get_carry(TransCtx *ctx)
{
    IrRef op = ir_get(ctx->b, X86_SLOT_CC_OP), either;
    uint32_t known;

    if (!known_op(ctx, &known)) {
        if (either_cond(ctx, 1, &either)) {
            return either;
        }
        return x86_call(ctx, X86_HELPER_cc_carry, 3,
                        (IrRef[]){ slot64(ctx, X86_SLOT_CC_SRC), slot64(ctx, X86_SLOT_CC_SRC2), op });
    }
    X86CondRef c = carry_cond(ctx, known);
    if (c.cond == IR_TSTNE && ir_is_const(ctx->b->unit, c.b) && ir_insn(ctx->b->unit, c.b)->imm == 1) {
        return x86_to_i32(ctx, ir_op2(ctx->b, IR_and, x86_ref_type(ctx, c.a), c.a, c.b));
    }
    return ir_setcond(ctx->b, IR_I32, c.cond, c.a, c.b);
}

/* The operands of the last addition or subtraction and its result, where the rule has them. */
typedef struct Operands { IrRef a, b, r; } Operands;

static bool operands(TransCtx *ctx, unsigned kind, unsigned size, Operands *ret)
{
    IrType type = x86_type(1u << size);
    IrRef one = ir_const(ctx->b, type, 1);
    IrRef src = slot_as(ctx, X86_SLOT_CC_SRC, size), src2 = slot_as(ctx, X86_SLOT_CC_SRC2, size);
    IrRef dst = slot_as(ctx, X86_SLOT_CC_DST, size);

    switch ((X86CcKind)kind) {
    case X86_CCK_ADD: *ret = (Operands){ ir_op2(ctx->b, IR_sub, type, src2, src), src, src2 }; return true;
    case X86_CCK_SUB: *ret = (Operands){ ir_op2(ctx->b, IR_add, type, src2, src), src, src2 }; return true;
    case X86_CCK_CMP: *ret = (Operands){ src2, src, IR_NONE }; return true;
    case X86_CCK_INC: *ret = (Operands){ ir_op2(ctx->b, IR_sub, type, dst, one), one, dst }; return true;
    case X86_CCK_DEC: *ret = (Operands){ ir_op2(ctx->b, IR_add, type, dst, one), one, dst }; return true;
    default: return false;
    }
}

static IrRef result(TransCtx *ctx, unsigned kind, unsigned size)
{
    if (kind == X86_CCK_CMP) {
        return ir_op2(ctx->b, IR_sub, x86_type(1u << size), slot_as(ctx, X86_SLOT_CC_SRC2, size), slot_as(ctx, X86_SLOT_CC_SRC, size));
    }
    return slot_as(ctx, kind == X86_CCK_ADD || kind == X86_CCK_SUB ? X86_SLOT_CC_SRC2 : X86_SLOT_CC_DST, size);
}

bool x86_cc_result(TransCtx *ctx, IrRef *ret_result, IrRef *ret_vector, unsigned *ret_size_log2)
{
    IrBuilder *b = ctx->b;
    uint32_t op;
    Operands o;

    if (!known_op(ctx, &op)) {
        return false;
    }
    unsigned kind = op >> 2 & 63, size = op & 3;
    if (kind == X86_CCK_FLAGS || kind == X86_CCK_ZF) {
        return false;
    }
    *ret_size_log2 = size;
    *ret_result = result(ctx, kind, size);
    if (operands(ctx, kind, size, &o)) {
        IrType type = x86_type(1u << size);
        *ret_vector = ir_op2(b, IR_xor, type, ir_op2(b, IR_xor, type, o.a, o.b), *ret_result);
    } else if (kind == X86_CCK_ADC || kind == X86_CCK_ROL || kind == X86_CCK_ROR) {
        *ret_vector = ir_get(b, X86_SLOT_CC_SRC2);
    } else {
        *ret_vector = ir_i32(b, 0);
    }
    return true;
}

static X86CondRef parity(TransCtx *ctx, IrRef r)
{
    IrBuilder *b = ctx->b;
    IrRef v = x86_to_i32(ctx, r);
    /* Bit n of 0x9669 is the parity flag of the four bits n. */
    v = ir_op2(b, IR_xor, IR_I32, v, ir_op2_imm(b, IR_shr, IR_I32, v, 4));
    v = ir_op2_imm(b, IR_and, IR_I32, v, 15);
    return (X86CondRef){ IR_TSTNE, ir_op2(b, IR_shr, IR_I32, ir_i32(b, 0x9669), v), ir_i32(b, 1) };
}

static X86CondRef flags_cond(TransCtx *ctx, unsigned which)
{
    static const uint16_t mask[6] = { X86_OF, X86_CF, X86_ZF, X86_CF | X86_ZF, X86_SF, X86_PF };
    IrBuilder *b = ctx->b;
    IrRef f = x86_to_i32(ctx, cc_slot(ctx, X86_SLOT_CC_SRC));

    if (which < ARRAY_SIZE(mask)) {
        return (X86CondRef){ IR_TSTNE, f, ir_i32(b, mask[which]) };
    }
    IrRef differ = ir_op2(b, IR_xor, IR_I32, f, ir_op2_imm(b, IR_shr, IR_I32, f, 4)); /* bit 7: SF != OF */
    if (which == 6) {
        return (X86CondRef){ IR_TSTNE, differ, ir_i32(b, X86_SF) };
    }
    IrRef both = ir_op2(b, IR_or, IR_I32, ir_op2_imm(b, IR_and, IR_I32, differ, X86_SF),
                        ir_op2_imm(b, IR_and, IR_I32, f, X86_ZF));
    return (X86CondRef){ IR_NE, both, ir_i32(b, 0) };
}

/* False: no short way. which: condition code / 2. */
static bool short_cond(TransCtx *ctx, uint32_t op, unsigned which, X86CondRef *ret)
{
    unsigned kind = op >> 2 & 63, size = op & 3, carry = op >> 10 & 63;
    IrBuilder *b = ctx->b;
    IrType type = x86_type(1u << size);
    Operands o;

    if (which == 1) {
        *ret = carry_cond(ctx, op);
        return true;
    }
    if (kind == X86_CCK_FLAGS) {
        if (which == 3 && carry != X86_CARRY_BIT0) {
            return false;
        }
        *ret = flags_cond(ctx, which);
        return true;
    }
    bool logic = kind == X86_CCK_RES || kind == X86_CCK_ZF; /* O = 0 */
    switch (which) {
    case 0:
        if (logic) {
            *ret = never(ctx);
            return true;
        }
        if (kind == X86_CCK_MUL) {
            *ret = carry_cond(ctx, op);
            return true;
        }
        if (kind == X86_CCK_SHIFT) {
            *ret = negative(ctx, ir_op2(b, IR_xor, type, slot_as(ctx, X86_SLOT_CC_DST, size), shift_before(ctx, carry, size, op >> 16 & 63)), size);
            return true;
        }
        if (!operands(ctx, kind, size, &o)) {
            return false;
        }
        o.r = o.r == IR_NONE ? result(ctx, kind, size) : o.r;
        bool add = kind == X86_CCK_ADD || kind == X86_CCK_INC;
        *ret = negative(ctx, ir_op2(b, IR_and, type, ir_op2(b, IR_xor, type, o.a, o.r),
                                    ir_op2(b, IR_xor, type, o.b, add ? o.r : o.a)), size);
        return true;
    case 2:
        if (kind == X86_CCK_CMP && operands(ctx, kind, size, &o)) {
            *ret = compare(ctx, IR_EQ, o.a, o.b, size);
            return true;
        }
        *ret = nonzero(ctx, result(ctx, kind, size), size);
        ret->cond = ir_cond_invert(ret->cond);
        return true;
    case 3:
        if (carry == X86_CARRY_0) {
            return short_cond(ctx, op, 2, ret);
        }
        if (((kind == X86_CCK_CMP && carry == X86_CARRY_LT) || (kind == X86_CCK_SUB && carry == X86_CARRY_SUB)) && operands(ctx, kind, size, &o)) {
            *ret = compare(ctx, IR_LEU, o.a, o.b, size);
            return true;
        }
        return false;
    case 4:
        *ret = kind == X86_CCK_ZF ? never(ctx) : negative(ctx, result(ctx, kind, size), size);
        return true;
    case 5:
        *ret = kind == X86_CCK_ZF ? never(ctx) : parity(ctx, result(ctx, kind, size));
        return true;
    default:
        if (logic) {
            if (kind == X86_CCK_ZF) {
                return short_cond(ctx, op, which == 7 ? 2 : 4, ret);
            }
            *ret = which == 7 ? compare(ctx, IR_LE, result(ctx, kind, size), ir_const(b, type, 0), size)
                              : negative(ctx, result(ctx, kind, size), size);
            return true;
        }
        if (!operands(ctx, kind, size, &o) || kind == X86_CCK_ADD) {
            return false;
        }
        if (kind == X86_CCK_INC) { /* a + 1 < 0 without overflow is a < -1 */
            o.b = ir_const(b, type, ~(uint64_t)0);
        }
        *ret = compare(ctx, which == 6 ? IR_LT : IR_LE, o.a, o.b, size);
        return true;
    }
}

IrRef x86_cc_get_flags_apart(TransCtx *ctx)
{
    IrRef flags = x86_cc_get_flags(ctx);
    uint32_t op;

    for (unsigned which = 0; which < 2 && known_op(ctx, &op) && op >> 2 & 63; which++) {
        X86CondRef c;
        if (short_cond(ctx, op, which, &c)) {
            unsigned at = which ? 0 : 11; /* C, O */
            flags = ir_emit(ctx->b, IR_bfi, IR_I32, at | 1 << 8, flags, ir_setcond(ctx->b, IR_I32, c.cond, c.a, c.b), IR_NONE);
        }
    }
    return flags;
}

X86CondRef x86_cond(TransCtx *ctx, unsigned condition)
{
    uint32_t op;
    X86CondRef c;

    unsigned which = condition >> 1 & 7;
    IrRef either;
    bool known = known_op(ctx, &op) || (which != 1 && which != 3 && known_step(ctx, &op));
    if (!known && either_cond(ctx, which, &either)) {
        c = (X86CondRef){ IR_NE, either, ir_i32(ctx->b, 0) };
    } else if (!known && which == 1) {
        c = (X86CondRef){ IR_NE, x86_cc_get_carry(ctx), ir_i32(ctx->b, 0) };
    } else if (!known || !short_cond(ctx, op, which, &c)) {
        IrRef value = x86_call(ctx, X86_HELPER_cc_cond, 5,
                               (IrRef[]){ slot64(ctx, X86_SLOT_CC_DST), slot64(ctx, X86_SLOT_CC_SRC), slot64(ctx, X86_SLOT_CC_SRC2),
                                          ir_get(ctx->b, X86_SLOT_CC_OP), ir_i32(ctx->b, condition & 14) });
        c = (X86CondRef){ IR_NE, value, ir_i32(ctx->b, 0) };
    }
    if (condition & 1) {
        c.cond = ir_cond_invert(c.cond);
    }
    return c;
}
