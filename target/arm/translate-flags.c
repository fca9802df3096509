/*
 * translate-flags.c: lazy flags in IR. Where CC_OP is known, a condition becomes a comparison of the operands; elsewhere (at
 * joins whose ways in differ) a pure helper computes it.
 */
#include "target/arm/translate.h"

void arm_cc_set(TransCtx *ctx, ArmCc rule, IrRef a, IrRef b)
{
    ir_put(ctx->b, ARM_SLOT_CC_A, a);
    if (b == IR_NONE) {
        ir_kill(ctx->b, ARM_SLOT_CC_B);
    } else {
        ir_put(ctx->b, ARM_SLOT_CC_B, b);
    }
    ir_put(ctx->b, ARM_SLOT_CC_OP, ir_i32(ctx->b, rule));
}

void arm_cc_set_sub_or_nc(TransCtx *ctx, ArmCc rule, IrRef holds, IrRef a, IrRef b)
{
    ArmCc nc = rule == ARM_CC_SUB64 ? ARM_CC_SUBNC64 : ARM_CC_SUBNC32;
    IrRef op = ir_select(ctx->b, IR_I32, holds, ir_i32(ctx->b, rule), ir_i32(ctx->b, nc));

    arm_cc_set(ctx, rule, a, b);
    ir_put(ctx->b, ARM_SLOT_CC_OP, op);
    ctx->data[ARM_DATA_SUB_OR_NC] = (uint64_t)rule << 32 | ((uint64_t)op + 1);
}

/* The rule if all conditions but CS and CC can go by it; -1: not known. */
static int known_rule(TransCtx *ctx, IrRef op, unsigned which)
{
    if (ir_is_const(ctx->b->unit, op)) {
        ArmCc rule = (ArmCc)ir_insn(ctx->b->unit, op)->imm;
        return rule == ARM_CC_SUBNC32 || rule == ARM_CC_SUBNC64 ? -1 : (int)rule;
    }
    /* Z = C = 1 of equal operands and Z = 1, C = 0 differ in C alone. */
    uint64_t data = ctx->data[ARM_DATA_SUB_OR_NC];
    return which != 1 && (uint32_t)data == (uint64_t)op + 1 ? (int)(data >> 32) : -1;
}

/* Less: 0 - 1, equal: 0 - 0, greater: 2 - 1, unordered: MIN - 1. Conditions ask the comparison itself, so the difference is seldom made. */
void arm_cc_set_rel(TransCtx *ctx, IrRef r)
{
    IrBuilder *b = ctx->b;
    IrRef greater = ir_setcond(b, IR_I64, IR_EQ, r, ir_i32(b, 0)), unordered = ir_setcond(b, IR_I64, IR_EQ, r, ir_i32(b, 0x45));
    IrRef x = ir_op2(b, IR_or, IR_I64, ir_op2_imm(b, IR_shl, IR_I64, greater, 1), ir_op2_imm(b, IR_shl, IR_I64, unordered, 31));

    arm_cc_set(ctx, ARM_CC_SUB32, x, ir_setcond(b, IR_I64, IR_NE, r, ir_i32(b, 0x40)));
    ctx->data[ARM_DATA_REL] = ir_is_const(b->unit, x) ? 0 : (uint64_t)r << 32 | ((uint64_t)x + 1);
}

IrRef arm_cc_get(TransCtx *ctx)
{
    IrRef op = ir_get(ctx->b, ARM_SLOT_CC_OP), a = ir_get(ctx->b, ARM_SLOT_CC_A);

    if (ir_is_const(ctx->b->unit, op) && ir_insn(ctx->b->unit, op)->imm == ARM_CC_FLAGS) {
        return a;
    }
    return ir_call(ctx->b, ARM_HELPER_cc_flags, 3, (IrRef[]){ a, ir_get(ctx->b, ARM_SLOT_CC_B), op });
}

/*
 * N Z C V in one value are more than most readers want: behind an addition with carry it is the carry alone, for the next or a branch.
 * `key`, the value with C in bit 29, says the same of C as the comparison c does: where key is. Constants are everywhere, in blocks that c's operands
 * do not reach as well.
 */
static void remember_carry(TransCtx *ctx, IrRef key, ArmCondRef c)
{
    ctx->data[ARM_DATA_CARRY] = ir_is_const(ctx->b->unit, key) ? 0 : (uint64_t)c.cond << 32 | ((uint64_t)key + 1);
    ctx->data[ARM_DATA_CARRY + 1] = (uint64_t)c.b << 32 | c.a;
}

static ArmCondRef carry_of(TransCtx *ctx, IrRef key)
{
    uint64_t cond = ctx->data[ARM_DATA_CARRY], operands = ctx->data[ARM_DATA_CARRY + 1];
    if ((uint32_t)cond == (uint64_t)key + 1) {
        return (ArmCondRef){ (IrCond)(cond >> 32), (IrRef)operands, (IrRef)(operands >> 32) };
    }
    return (ArmCondRef){ IR_TSTNE, key, ir_i64(ctx->b, (uint64_t)ARM_C << 28) };
}

static ArmCondRef always(TransCtx *ctx, bool holds)
{
    return (ArmCondRef){ holds ? IR_EQ : IR_NE, ir_i32(ctx->b, 0), ir_i32(ctx->b, 0) };
}

/* which: condition / 2, not 7. */
static ArmCondRef flags_cond(TransCtx *ctx, unsigned which)
{
    static const uint32_t mask[4] = { ARM_Z, ARM_C, ARM_N, ARM_V };
    IrBuilder *b = ctx->b;
    IrRef f = ir_get(b, ARM_SLOT_CC_A);

    if (which == 1) {
        return carry_of(ctx, f);
    }
    if (which < 4) {
        return (ArmCondRef){ IR_TSTNE, f, ir_i64(b, (uint64_t)mask[which] << 28) };
    }
    if (which == 4) { /* C and not Z */
        IrRef cz = ir_op2_imm(b, IR_and, IR_I64, f, (uint64_t)(ARM_C | ARM_Z) << 28);
        return (ArmCondRef){ IR_EQ, cz, ir_i64(b, (uint64_t)ARM_C << 28) };
    }
    IrRef differ = ir_op2(b, IR_xor, IR_I64, f, ir_op2_imm(b, IR_shl, IR_I64, f, 3)); /* bit 31: N != V */
    if (which == 5) {
        return (ArmCondRef){ IR_TSTEQ, differ, ir_i64(b, BIT(31)) };
    }
    IrRef z = ir_op2_imm(b, IR_shl, IR_I64, f, 1);
    return (ArmCondRef){ IR_TSTEQ, ir_op2(b, IR_or, IR_I64, differ, z), ir_i64(b, BIT(31)) };
}

/* frel: 0 greater, 1 less, 0x40 equal, 0x45 unordered. */
static ArmCondRef fcmp_cond(TransCtx *ctx, unsigned which, IrRef r)
{
    static const struct { uint8_t cond, value; } of[7] = {
        { IR_EQ, 0x40 }, { IR_NE, 1 }, { IR_EQ, 1 }, { IR_EQ, 0x45 }, { IR_GEU, 0x40 }, { IR_TSTEQ, 1 }, { IR_EQ, 0 },
    };
    if (which == 4) { /* greater or unordered: neither is 0x40 or less when one is taken away */
        r = ir_op2_imm(ctx->b, IR_sub, IR_I32, r, 1);
    }
    return (ArmCondRef){ of[which].cond, r, ir_i32(ctx->b, of[which].value) };
}

/* HI, GE and GT of a 32-bit sum: what it is in 64 bits against 1 << 32 or 0. */
static ArmCondRef sum32_cond(TransCtx *ctx, unsigned which, IrRef x, IrRef y)
{
    IrBuilder *b = ctx->b;
    IrOp extend = which == 4 ? IR_ext_u : IR_ext_s;
    IrRef sum = ir_op2(b, IR_add, IR_I64, ir_op1(b, extend, IR_I64, x), ir_op1(b, extend, IR_I64, y));

    return which == 4 ? (ArmCondRef){ IR_GTU, sum, ir_i64(b, BIT(32)) } : (ArmCondRef){ which == 5 ? IR_GE : IR_GT, sum, ir_i64(b, 0) };
}

/* Of a 64-bit one; the sign it would have is that of r, turned over if it overflows. */
static ArmCondRef sum64_cond(TransCtx *ctx, unsigned which, IrRef x, IrRef y, IrRef r)
{
    IrBuilder *b = ctx->b;
    IrRef zero = ir_i64(b, 0);

    if (which == 4) {
        IrRef carry = ir_setcond(b, IR_I64, IR_LTU, r, x), some = ir_setcond(b, IR_I64, IR_NE, r, zero);
        return (ArmCondRef){ IR_TSTNE, carry, some };
    }
    IrRef overflow = ir_op2(b, IR_and, IR_I64, ir_op2(b, IR_xor, IR_I64, x, r), ir_op2(b, IR_xor, IR_I64, y, r));
    IrRef sign = ir_op2(b, IR_xor, IR_I64, overflow, r);
    if (which == 5) {
        return (ArmCondRef){ IR_GE, sign, zero };
    }
    IrRef some = ir_op2(b, IR_or, IR_I64, r, ir_op1(b, IR_neg, IR_I64, r)); /* negative unless r is 0 */
    return (ArmCondRef){ IR_LT, ir_op2(b, IR_andn, IR_I64, some, sign), zero };
}

/* False: no short way. */
static bool short_cond(TransCtx *ctx, ArmCc rule, unsigned which, ArmCondRef *ret)
{
    static const IrCond sub[7] = { IR_EQ, IR_GEU, IR_LT, IR_NE, IR_GTU, IR_GE, IR_GT };
    IrBuilder *b = ctx->b;

    if (rule == ARM_CC_FLAGS) {
        *ret = flags_cond(ctx, which);
        return true;
    }
    if (rule == ARM_CC_FCMP) {
        *ret = fcmp_cond(ctx, which, ir_op1(b, IR_trunc, IR_I32, ir_get(b, ARM_SLOT_CC_A)));
        return true;
    }
    bool wide = rule == ARM_CC_ADD64 || rule == ARM_CC_SUB64 || rule == ARM_CC_LOGIC64;
    IrType type = arm_type(wide);
    IrRef zero = ir_const(b, type, 0), x = arm_narrow(ctx, wide, ir_get(b, ARM_SLOT_CC_A));
    if (rule == ARM_CC_LOGIC32 || rule == ARM_CC_LOGIC64) {
        static const IrCond logic[7] = { [0] = IR_EQ, [2] = IR_LT, [5] = IR_GE, [6] = IR_GT };
        *ret = which == 1 || which == 3 || which == 4 ? always(ctx, false) : (ArmCondRef){ logic[which], x, zero };
        return true;
    }
    if (rule == ARM_CC_NZ32) {
        IrRef cv = ir_get(b, ARM_SLOT_CC_B);
        switch (which) {
        case 0: *ret = (ArmCondRef){ IR_EQ, x, zero }; return true;
        case 1: *ret = carry_of(ctx, cv); return true;
        case 2: *ret = (ArmCondRef){ IR_LT, x, zero }; return true;
        case 3: *ret = (ArmCondRef){ IR_TSTNE, cv, ir_i64(b, (uint64_t)ARM_V << 28) }; return true;
        case 5: { /* V moved to the sign's place */
            IrRef v = ir_op2_imm(b, IR_shl, IR_I32, ir_op1(b, IR_trunc, IR_I32, cv), 3);
            *ret = (ArmCondRef){ IR_GE, ir_op2(b, IR_xor, IR_I32, x, v), zero };
            return true;
        }
        default: return false;
        }
    }
    IrRef y = arm_narrow(ctx, wide, ir_get(b, ARM_SLOT_CC_B));
    uint64_t rel = ctx->data[ARM_DATA_REL];
    if (rule == ARM_CC_SUB32 && (uint32_t)rel == (uint64_t)ir_get(b, ARM_SLOT_CC_A) + 1) {
        *ret = fcmp_cond(ctx, which, (IrRef)(rel >> 32));
        return true;
    }
    if (rule == ARM_CC_SUB32 || rule == ARM_CC_SUB64) {
        if (which == 2) {
            *ret = (ArmCondRef){ IR_LT, ir_op2(b, IR_sub, type, x, y), zero };
            return true;
        }
        if (which == 3) {
            IrRef r = ir_op2(b, IR_sub, type, x, y);
            IrRef v = ir_op2(b, IR_and, type, ir_op2(b, IR_xor, type, x, y), ir_op2(b, IR_xor, type, x, r));
            *ret = (ArmCondRef){ IR_LT, v, zero };
            return true;
        }
        *ret = (ArmCondRef){ sub[which], x, y };
        return true;
    }
    IrRef r = ir_op2(b, IR_add, type, x, y);
    switch (which) {
    case 0: *ret = (ArmCondRef){ IR_EQ, r, zero }; return true;
    case 1: *ret = (ArmCondRef){ IR_LTU, r, x }; return true;
    case 2: *ret = (ArmCondRef){ IR_LT, r, zero }; return true;
    case 3: *ret = (ArmCondRef){ IR_LT, ir_op2(b, IR_andn, type, ir_op2(b, IR_xor, type, x, r), ir_op2(b, IR_xor, type, x, y)), zero }; return true;
    default: *ret = wide ? sum64_cond(ctx, which, x, y, r) : sum32_cond(ctx, which, x, y); return true;
    }
}

ArmCondRef arm_cond(TransCtx *ctx, unsigned condition)
{
    IrRef op = ir_get(ctx->b, ARM_SLOT_CC_OP);
    ArmCondRef c;

    if (condition >> 1 == 7) {
        return always(ctx, true);
    }
    int rule = known_rule(ctx, op, condition >> 1);
    if (rule < 0 || !short_cond(ctx, (ArmCc)rule, condition >> 1, &c)) {
        IrRef holds = ir_call(ctx->b, ARM_HELPER_cc_cond, 4,
                              (IrRef[]){ ir_get(ctx->b, ARM_SLOT_CC_A), ir_get(ctx->b, ARM_SLOT_CC_B), op, ir_i32(ctx->b, condition & 14) });
        c = (ArmCondRef){ IR_NE, holds, ir_i64(ctx->b, 0) };
    }
    if (condition & 1) {
        c.cond = ir_cond_invert(c.cond);
    }
    return c;
}

IrRef arm_carry(TransCtx *ctx)
{
    ArmCondRef c = arm_cond(ctx, 2);
    return ir_setcond(ctx->b, IR_I64, c.cond, c.a, c.b);
}

/* bit `at` of an I64: v, which is 0 or 1. */
static IrRef flag(TransCtx *ctx, IrRef v, unsigned at) { return ir_op2_imm(ctx->b, IR_shl, IR_I64, v, at); }

/* All of it in 64 bits, where the carry shows above the result and a borrow as the sign. */
static IrRef add_with_carry32(TransCtx *ctx, IrRef x, IrRef y, bool sub, ArmCondRef in)
{
    IrBuilder *b = ctx->b;
    IrOp op = sub ? IR_sub : IR_add;
    IrRef sum = ir_op2(b, op, IR_I64, ir_op1(b, IR_ext_u, IR_I64, x), ir_op1(b, IR_ext_u, IR_I64, y));
    sum = ir_op2(b, op, IR_I64, sum, ir_setcond(b, IR_I64, in.cond, in.a, in.b));
    IrRef r = ir_op1(b, IR_trunc, IR_I32, sum), zero = ir_i64(b, 0);
    ArmCondRef out = sub ? (ArmCondRef){ IR_GE, sum, zero } : (ArmCondRef){ IR_TSTNE, sum, ir_i64(b, BIT(32)) };
    IrRef differ = ir_op2(b, IR_xor, IR_I32, x, y);
    IrRef over = ir_op2(b, sub ? IR_and : IR_andn, IR_I32, ir_op2(b, IR_xor, IR_I32, x, r), differ);
    IrRef c = sub ? ir_setcond(b, IR_I64, IR_GE, sum, zero) : ir_op2_imm(b, IR_shr, IR_I64, sum, 32);
    IrRef cv = ir_op2(b, IR_or, IR_I64, flag(ctx, c, 29), flag(ctx, ir_setcond(b, IR_I64, IR_LT, over, ir_i32(b, 0)), 28));

    arm_cc_set(ctx, ARM_CC_NZ32, sum, cv);
    remember_carry(ctx, cv, out);
    return r;
}

IrRef arm_add_with_carry(TransCtx *ctx, int sf, IrRef x, IrRef y, bool sub, bool flags)
{
    IrBuilder *b = ctx->b;
    IrOp op = sub ? IR_sub : IR_add;
    IrType type = arm_type(sf);
    ArmCondRef in = arm_cond(ctx, sub ? 3 : 2); /* x + ~y + C is x - y - !C */

    if (flags && !sf) {
        return add_with_carry32(ctx, x, y, sub, in);
    }
    IrRef part = ir_op2(b, op, type, x, y), r = ir_op2(b, op, type, part, ir_setcond(b, type, in.cond, in.a, in.b));
    if (!flags) {
        return r;
    }
    /* Either step may carry, or borrow; not both do. */
    IrRef zero = ir_i64(b, 0), first = sub ? ir_setcond(b, IR_I64, IR_LTU, x, y) : ir_setcond(b, IR_I64, IR_LTU, part, x);
    IrRef out = ir_op2(b, IR_or, IR_I64, first, sub ? ir_setcond(b, IR_I64, IR_LTU, part, r) : ir_setcond(b, IR_I64, IR_LTU, r, part));
    IrRef over = ir_op2(b, sub ? IR_and : IR_andn, IR_I64, ir_op2(b, IR_xor, IR_I64, x, r), ir_op2(b, IR_xor, IR_I64, x, y));
    IrRef f = ir_op2(b, IR_or, IR_I64, flag(ctx, ir_setcond(b, IR_I64, IR_LT, r, zero), 31), flag(ctx, ir_setcond(b, IR_I64, IR_EQ, r, zero), 30));
    f = ir_op2(b, IR_or, IR_I64, f, flag(ctx, sub ? ir_op2_imm(b, IR_xor, IR_I64, out, 1) : out, 29));
    f = ir_op2(b, IR_or, IR_I64, f, flag(ctx, ir_setcond(b, IR_I64, IR_LT, over, zero), 28));
    arm_cc_set(ctx, ARM_CC_FLAGS, f, IR_NONE);
    remember_carry(ctx, f, (ArmCondRef){ sub ? IR_EQ : IR_NE, out, zero });
    return r;
}
