/*
 * translate-int.c: arithmetic and logic, moves, stack, conditions, near jumps (SDM volume 2).
 */
#include "target/x86/translate.h"

/* -- arithmetic ------------------------------------------------------------------------------------------- */

static uint32_t cc(X86CcKind kind, X86CarryKind carry, unsigned size) { return X86_CC(kind, carry, x86_log2(size)); }

/* r = a OP b with its flags as slots; the caller has written the result. */
static void alu_flags(TransCtx *ctx, X86AluOp op, unsigned size, IrRef a, IrRef b, IrRef r, IrRef carry_vector, IrRef carry_out)
{
    switch (op) {
    case X86_ALU_ADD:
        x86_cc_set(ctx, cc(X86_CCK_ADD, X86_CARRY_LT, size), IR_NONE, b, r);
        break;
    case X86_ALU_SUB:
        x86_cc_set(ctx, cc(X86_CCK_SUB, X86_CARRY_SUB, size), IR_NONE, b, r);
        break;
    case X86_ALU_CMP:
        x86_cc_set(ctx, cc(X86_CCK_CMP, X86_CARRY_LT, size), IR_NONE, b, a);
        break;
    case X86_ALU_ADC: case X86_ALU_SBB:
        x86_cc_set(ctx, cc(X86_CCK_ADC, X86_CARRY_BIT0, size), r, carry_out, carry_vector);
        break;
    case X86_ALU_AND: case X86_ALU_OR: case X86_ALU_XOR: case X86_ALU_TEST:
        x86_cc_set(ctx, cc(X86_CCK_RES, X86_CARRY_0, size), r, IR_NONE, IR_NONE);
        break;
    }
}

void x86_trans_alu(TransCtx *ctx, const X86Insn *in)
{
    static const uint8_t ir_op[] = {
        [X86_ALU_ADD] = IR_add, [X86_ALU_OR] = IR_or, [X86_ALU_ADC] = IR_add, [X86_ALU_SBB] = IR_sub, [X86_ALU_AND] = IR_and,
        [X86_ALU_SUB] = IR_sub, [X86_ALU_XOR] = IR_xor, [X86_ALU_CMP] = IR_sub, [X86_ALU_TEST] = IR_and,
    };
    IrBuilder *b = ctx->b;
    X86AluOp op = (X86AluOp)in->row->aux;
    unsigned size = in->op[0].size;
    IrType type = x86_type(size);
    bool with_carry = op == X86_ALU_ADC || op == X86_ALU_SBB;
    IrRef carry = with_carry ? x86_cc_get_carry(ctx) : IR_NONE;
    IrRef vector = IR_NONE, carry_out = IR_NONE;
    bool lock = in->prefixes & X86_PFX_LOCK;
    IrRef x = IR_NONE, y, r;

    if (lock) {
        y = x86_op_load(ctx, in, 1);
        x = x86_locked_alu(ctx, in, op, with_carry ? ir_op2(b, IR_add, type, y, x86_to_type(ctx, carry, type)) : y);
    } else {
        x = x86_op_load(ctx, in, 0);
        y = x86_op_load(ctx, in, 1);
    }
    if (op == X86_ALU_CMP) {
        alu_flags(ctx, op, size, x, y, IR_NONE, IR_NONE, IR_NONE);
        return;
    }
    r = ir_op2(b, (IrOp)ir_op[op], type, x, y);
    if (with_carry) {
        r = ir_op2(b, (IrOp)ir_op[op], type, r, x86_to_type(ctx, carry, type));
        vector = ir_op2(b, IR_xor, type, ir_op2(b, IR_xor, type, x, y), r);
        /* The carry out of the top bit: of x + y, majority of x, y and not r; of x - y, of not x, y and r. */
        IrRef gen, prop;
        if (op == X86_ALU_ADC) {
            gen = ir_op2(b, IR_and, type, x, y);
            prop = ir_op2(b, IR_andn, type, ir_op2(b, IR_or, type, x, y), r);
        } else {
            gen = ir_op2(b, IR_andn, type, y, x);
            prop = ir_op2(b, IR_and, type, ir_op2(b, IR_orn, type, y, x), r);
        }
        IrRef out = ir_op2(b, IR_or, type, gen, prop);
        carry_out = ir_emit(b, IR_bfx, type, (8 * size - 1) | 1 << 8, out, IR_NONE, IR_NONE);
    }
    if (op != X86_ALU_TEST && !lock) {
        x86_op_store(ctx, in, 0, r);
    }
    alu_flags(ctx, op, size, x, y, r, vector, carry_out);
}

static void inc_dec(TransCtx *ctx, const X86Insn *in, IrOp op, X86CcKind kind)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size;
    IrType type = x86_type(size);
    IrRef r;

    if (in->prefixes & X86_PFX_LOCK) {
        r = x86_locked_alu(ctx, in, op == IR_add ? X86_ALU_ADD : X86_ALU_SUB, ir_const(b, type, 1));
        r = ir_op2_imm(b, op, type, r, 1);
    } else {
        r = ir_op2_imm(b, op, type, x86_op_load(ctx, in, 0), 1);
        x86_op_store(ctx, in, 0, r);
    }
    /* The carry rule and its operands stay (flags.h), known or not. */
    IrRef cc_op = ir_op2_imm(b, IR_and, IR_I32, ir_get(b, X86_SLOT_CC_OP), X86_CC_CARRY_MASK);
    ir_put(b, X86_SLOT_CC_DST, x86_to_wt(ctx, r));
    ir_put(b, X86_SLOT_CC_OP, ir_op2_imm(b, IR_or, IR_I32, cc_op, cc(kind, 0, size) & 0xff));
}

void x86_trans_inc(TransCtx *ctx, const X86Insn *in) { inc_dec(ctx, in, IR_add, X86_CCK_INC); }
void x86_trans_dec(TransCtx *ctx, const X86Insn *in) { inc_dec(ctx, in, IR_sub, X86_CCK_DEC); }

void x86_trans_not(TransCtx *ctx, const X86Insn *in)
{
    IrType type = x86_type(in->op[0].size);
    if (in->prefixes & X86_PFX_LOCK) {
        x86_locked_alu(ctx, in, X86_ALU_XOR, ir_const(ctx->b, type, ~(uint64_t)0));
    } else {
        x86_op_store(ctx, in, 0, ir_op1(ctx->b, IR_not, type, x86_op_load(ctx, in, 0)));
    }
}

void x86_trans_neg(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    bool lock = in->prefixes & X86_PFX_LOCK;
    IrRef x = lock ? x86_locked_neg(ctx, in) : x86_op_load(ctx, in, 0);
    IrRef r = ir_op1(ctx->b, IR_neg, x86_type(size), x);
    if (!lock) {
        x86_op_store(ctx, in, 0, r);
    }
    alu_flags(ctx, X86_ALU_SUB, size, IR_NONE, x, r, IR_NONE, IR_NONE);
}

/* -- moves --------------------------------------------------------------------------------------------------- */

void x86_trans_mov(TransCtx *ctx, const X86Insn *in)
{
    x86_op_store(ctx, in, 0, x86_to_type(ctx, x86_op_load(ctx, in, 1), x86_type(in->op[0].size)));
}

void x86_trans_lea(TransCtx *ctx, const X86Insn *in)
{
    x86_op_store(ctx, in, 0, x86_to_type(ctx, x86_ea_offset(ctx, in), x86_type(in->op[0].size)));
}

void x86_trans_movzx(TransCtx *ctx, const X86Insn *in)
{
    IrRef v = x86_zext(ctx, x86_op_load(ctx, in, 1), in->op[1].size);
    x86_op_store(ctx, in, 0, x86_to_type(ctx, v, x86_type(in->op[0].size)));
}

void x86_trans_movsx(TransCtx *ctx, const X86Insn *in)
{
    unsigned from = in->op[1].size, to = in->op[0].size;
    IrRef v = x86_op_load(ctx, in, 1);

    if (to == 8) {
        v = from == 4 ? ir_op1(ctx->b, IR_ext_s, IR_I64, v) : x86_sext(ctx, x86_to_i64(ctx, v), from);
    } else {
        v = x86_sext(ctx, v, from);
    }
    x86_op_store(ctx, in, 0, v);
}

void x86_trans_nop(TransCtx *ctx, const X86Insn *in)
{
}

void x86_trans_ud(TransCtx *ctx, const X86Insn *in)
{
    x86_raise_ud(ctx);
}

/* -- stack ------------------------------------------------------------------------------------------------------ */

void x86_trans_push(TransCtx *ctx, const X86Insn *in)
{
    x86_push(ctx, in->opsize, x86_op_load(ctx, in, 0));
}

void x86_trans_pop(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->opsize, width = x86_stack_width(ctx);
    IrRef value = x86_pop_value(ctx, size);

    if (in->op[0].kind == X86_OP_MEM) {
        /* The address is computed with the stack pointer already moved, which stays where it was if the store faults. */
        IrRef old = ir_get(ctx->b, X86_SLOT_GPR + X86_RSP);
        x86_stack_add(ctx, (int)size);
        IrRef moved = ir_get(ctx->b, X86_SLOT_GPR + X86_RSP);
        X86Mem m = x86_ea(ctx, in, size, true);
        ir_put(ctx->b, X86_SLOT_GPR + X86_RSP, old);
        x86_store(ctx, m, size, value);
        ir_put(ctx->b, X86_SLOT_GPR + X86_RSP, moved);
        return;
    }
    (void)width;
    x86_stack_add(ctx, (int)size);
    x86_put_op(ctx, &in->op[0], value);
}

void x86_trans_leave(TransCtx *ctx, const X86Insn *in)
{
    unsigned width = x86_stack_width(ctx);
    IrRef bp = x86_get(ctx, X86_RBP, width);
    IrRef offset = x86_to_wt(ctx, width == 2 ? x86_zext(ctx, bp, 2) : bp);
    IrRef value = x86_load(ctx, x86_linear(ctx, X86_SS, offset, width, in->opsize, false), in->opsize);

    x86_put(ctx, X86_RSP, width, ir_op2_imm(ctx->b, IR_add, x86_type(width), bp, in->opsize));
    x86_put(ctx, X86_RBP, in->opsize, value);
}

/* -- conditions ----------------------------------------------------------------------------------------------------- */

void x86_trans_cmov(TransCtx *ctx, const X86Insn *in)
{
    IrType type = x86_type(in->op[0].size);
    IrRef y = x86_op_load(ctx, in, 1), x = x86_op_load(ctx, in, 0);
    X86CondRef c = x86_cond(ctx, in->opcode & 15);
    IrRef cond = ir_setcond(ctx->b, IR_I32, c.cond, c.a, c.b);
    x86_op_store(ctx, in, 0, ir_select(ctx->b, type, cond, y, x));
}

void x86_trans_setcc(TransCtx *ctx, const X86Insn *in)
{
    X86CondRef c = x86_cond(ctx, in->opcode & 15);
    x86_op_store(ctx, in, 0, ir_setcond(ctx->b, IR_I32, c.cond, c.a, c.b));
}

/* -- near jumps ------------------------------------------------------------------------------------------------------- */

static vaddr target_of(TransCtx *ctx, const X86Insn *in)
{
    return x86_code_addr(ctx, x86_next_ip(ctx) + in->imm, in->opsize);
}

void x86_trans_jcc(TransCtx *ctx, const X86Insn *in)
{
    X86CondRef c = x86_cond(ctx, in->opcode & 15);
    trans_branch(ctx, c.cond, c.a, c.b, target_of(ctx, in));
}

void x86_trans_jmp(TransCtx *ctx, const X86Insn *in)
{
    trans_jump(ctx, target_of(ctx, in));
}

void x86_trans_call(TransCtx *ctx, const X86Insn *in)
{
    x86_push(ctx, in->opsize, x86_const(ctx, in->opsize, x86_next_ip(ctx)));
    trans_call(ctx, target_of(ctx, in), ctx->next_pc);
}

/* An instruction pointer of the operand size as linear pc. */
static IrRef to_pc(TransCtx *ctx, IrRef ip, unsigned size)
{
    IrRef v = x86_to_wt(ctx, size == 2 ? x86_zext(ctx, ip, 2) : ip);
    if (!x86_is64(ctx) && x86_mode_cs_base(ctx->mode)) {
        v = x86_to_wt(ctx, ir_op2_imm(ctx->b, IR_add, IR_I32, x86_to_i32(ctx, v), x86_mode_cs_base(ctx->mode)));
    }
    return x86_to_i64(ctx, v);
}

void x86_trans_ret(TransCtx *ctx, const X86Insn *in)
{
    IrRef ip = x86_pop_value(ctx, in->opsize);
    x86_stack_add(ctx, (int)(in->opsize + (in->n_ops ? in->imm : 0)));
    trans_jump_indirect(ctx, IR_EXIT_RETURN, to_pc(ctx, ip, in->opsize), ctx->next_pc);
}

void x86_trans_call_indirect(TransCtx *ctx, const X86Insn *in)
{
    IrRef ip = x86_op_load(ctx, in, 0);
    x86_push(ctx, in->opsize, x86_const(ctx, in->opsize, x86_next_ip(ctx)));
    trans_jump_indirect(ctx, IR_EXIT_INDIRECT_CALL, to_pc(ctx, ip, in->opsize), ctx->next_pc);
}

void x86_trans_jmp_indirect(TransCtx *ctx, const X86Insn *in)
{
    trans_jump_indirect(ctx, IR_EXIT_INDIRECT, to_pc(ctx, x86_op_load(ctx, in, 0), in->opsize), ctx->next_pc);
}
