/*
 * translate-atomic.c: exchanges, and what LOCK makes of ALU operations (SDM volume 3, 9.1).
 *
 * Locked operations are rmw and cas operations of any alignment: hosts or slow paths see to those that cross a cache line or page.
 * Where nobody else can look (x86_alone), LOCK means nothing: signals are taken between instructions.
 */
#include "target/x86/translate.h"

static IrMem locked(TransCtx *ctx, unsigned size)
{
    IrMem mem = x86_ir_mem(ctx, (X86Mem){ 0 }, size);
    mem.order = IR_ORDER_SEQ_CST;
    return mem;
}

/* The old value, zero-extended. */
static IrRef rmw(TransCtx *ctx, const X86Insn *in, IrRmw op, IrRef value)
{
    unsigned size = in->op[0].kind == X86_OP_MEM ? in->op[0].size : in->op[1].size;
    IrMem mem = locked(ctx, size);
    mem.rmw = op;
    return ir_rmw(ctx->b, x86_type(size), x86_mem_addr_wt(ctx, x86_ea(ctx, in, size, true)), value, mem);
}

static IrRef cas(TransCtx *ctx, const X86Insn *in, unsigned size, IrRef expected, IrRef desired)
{
    return ir_cas(ctx->b, x86_type(size), x86_mem_addr_wt(ctx, x86_ea(ctx, in, size, true)), expected, desired, locked(ctx, size));
}

/* x LOCK OP= y: the old value of memory. ALU operations; y already holds the carry of ADC and SBB. */
IrRef x86_locked_alu(TransCtx *ctx, const X86Insn *in, X86AluOp op, IrRef y)
{
    IrType type = x86_type(in->op[0].size);
    switch (op) {
    case X86_ALU_ADD: case X86_ALU_ADC: return rmw(ctx, in, IR_RMW_ADD, y);
    case X86_ALU_SUB: case X86_ALU_SBB: return rmw(ctx, in, IR_RMW_ADD, ir_op1(ctx->b, IR_neg, type, y));
    case X86_ALU_AND: return rmw(ctx, in, IR_RMW_AND, y);
    case X86_ALU_OR: return rmw(ctx, in, IR_RMW_OR, y);
    default: return rmw(ctx, in, IR_RMW_XOR, y);
    }
}

/* The old value; desired is -old. Somebody else's store in between: the instruction begins anew. */
IrRef x86_locked_neg(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrRef x = x86_op_load(ctx, in, 0);
    IrRef old = cas(ctx, in, size, x, ir_op1(ctx->b, IR_neg, x86_type(size), x));
    trans_leave_if(ctx, IR_NE, old, x, VCPU_EXIT_NONE, ctx->pc);
    return x;
}

/* XCHG with memory is always locked. */
void x86_trans_xchg(TransCtx *ctx, const X86Insn *in)
{
    if (in->opcode == 0x90 && in->op[0].reg == X86_RAX && in->row->op[0].spec == X86_SPEC_Z) {
        return; /* NOP, also for the upper half of rax */
    }
    IrRef y = x86_op_load(ctx, in, 1);
    if (in->op[0].kind == X86_OP_MEM && !x86_alone(ctx)) {
        x86_op_store(ctx, in, 1, rmw(ctx, in, IR_RMW_XCHG, y));
    } else {
        IrRef x = x86_op_load(ctx, in, 0);
        x86_op_store(ctx, in, 0, y);
        x86_op_store(ctx, in, 1, x);
    }
}

void x86_trans_xadd(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrRef y = x86_op_load(ctx, in, 1), x, r;

    if (in->prefixes & X86_PFX_LOCK) {
        x = rmw(ctx, in, IR_RMW_ADD, y);
        r = ir_op2(ctx->b, IR_add, x86_type(size), x, y);
        x86_op_store(ctx, in, 1, x);
    } else {
        x = x86_op_load(ctx, in, 0);
        r = ir_op2(ctx->b, IR_add, x86_type(size), x, y);
        if (in->op[0].kind == X86_OP_MEM) {
            x86_op_store(ctx, in, 0, r);
            x86_op_store(ctx, in, 1, x);
        } else { /* one register twice: the sum stays */
            x86_op_store(ctx, in, 1, x);
            x86_op_store(ctx, in, 0, r);
        }
    }
    x86_cc_set(ctx, X86_CC(X86_CCK_ADD, X86_CARRY_LT, x86_log2(size)), IR_NONE, y, r);
}

void x86_trans_cmpxchg(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size;
    IrType type = x86_type(size), wt = x86_wt(ctx);
    IrRef acc = x86_zext(ctx, x86_get(ctx, X86_RAX, size), size), y = x86_op_load(ctx, in, 1), old, equal;

    if (in->op[0].kind == X86_OP_MEM) {
        if (in->prefixes & X86_PFX_LOCK) {
            old = cas(ctx, in, size, acc, y);
        } else {
            old = x86_op_load(ctx, in, 0);
            equal = ir_setcond(b, IR_I32, IR_EQ, old, acc);
            x86_op_store(ctx, in, 0, ir_select(b, type, equal, y, old)); /* memory is written in any case */
        }
    } else {
        old = x86_zext(ctx, x86_op_load(ctx, in, 0), size);
        equal = ir_setcond(b, IR_I32, IR_EQ, old, acc);
        if (size >= 4) {
            /* A destination that is not exchanged keeps its upper half. */
            IrRef keep = ir_get(b, X86_SLOT_GPR + in->op[0].reg);
            ir_put(b, X86_SLOT_GPR + in->op[0].reg, ir_select(b, wt, equal, x86_to_wt(ctx, y), keep));
        } else {
            x86_op_store(ctx, in, 0, ir_select(b, type, equal, y, old));
        }
    }
    equal = ir_setcond(b, IR_I32, IR_EQ, old, acc);
    if (in->op[0].kind == X86_OP_REG && in->op[0].reg == X86_RAX && !in->op[0].high) {
        /* equal: exchanged above; not possible otherwise */
    } else if (size >= 4) {
        IrRef rax = ir_get(b, X86_SLOT_GPR + X86_RAX);
        ir_put(b, X86_SLOT_GPR + X86_RAX, ir_select(b, wt, equal, rax, x86_to_wt(ctx, old)));
    } else {
        x86_put(ctx, X86_RAX, size, old); /* the same when equal */
    }
    x86_cc_set(ctx, X86_CC(X86_CCK_CMP, X86_CARRY_LT, x86_log2(size)), IR_NONE, old, acc);
}

static void set_zf(TransCtx *ctx, IrRef zf)
{
    IrBuilder *b = ctx->b;
    x86_cc_set_flags(ctx, ir_emit(b, IR_bfi, IR_I32, 6 | 1 << 8, x86_cc_get_flags(ctx), zf, IR_NONE));
}

static IrRef pair(TransCtx *ctx, unsigned high, unsigned low)
{
    IrBuilder *b = ctx->b;
    return ir_op2(b, IR_or, IR_I64, x86_to_i64(ctx, x86_get(ctx, low, 4)),
                  ir_op2_imm(b, IR_shl, IR_I64, x86_to_i64(ctx, x86_get(ctx, high, 4)), 32));
}

void x86_trans_cmpxchg8b(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrType wt = x86_wt(ctx);
    IrRef expected = pair(ctx, X86_RDX, X86_RAX), desired = pair(ctx, X86_RCX, X86_RBX), old;

    if (in->prefixes & X86_PFX_LOCK) {
        old = cas(ctx, in, 8, expected, desired);
    } else {
        old = x86_op_load(ctx, in, 0);
        IrRef same = ir_setcond(b, IR_I32, IR_EQ, old, expected);
        x86_op_store(ctx, in, 0, ir_select(b, IR_I64, same, desired, old));
    }
    IrRef equal = ir_setcond(b, IR_I32, IR_EQ, old, expected);
    IrRef low = x86_to_wt(ctx, x86_to_i32(ctx, old));
    IrRef high = x86_to_wt(ctx, x86_to_i32(ctx, ir_op2_imm(b, IR_shr, IR_I64, old, 32)));
    ir_put(b, X86_SLOT_GPR + X86_RAX, ir_select(b, wt, equal, ir_get(b, X86_SLOT_GPR + X86_RAX), low));
    ir_put(b, X86_SLOT_GPR + X86_RDX, ir_select(b, wt, equal, ir_get(b, X86_SLOT_GPR + X86_RDX), high));
    set_zf(ctx, equal);
}

/* Where nobody else looks. */
static void cmpxchg16b_alone(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    X86Mem m = x86_ea(ctx, in, 16, true);
    IrRef unaligned = ir_op2_imm(b, IR_and, IR_I64, x86_mem_addr(ctx, m), 15);
    trans_raise_if(ctx, IR_NE, unaligned, ir_i64(b, 0), X86_HELPER_raise_zero, X86_EXC_GP);

    IrRef rax = x86_get(ctx, X86_RAX, 8), rdx = x86_get(ctx, X86_RDX, 8);
    IrRef low = x86_load(ctx, m, 8), high = x86_load(ctx, x86_mem_at(m, 8), 8);
    IrRef differ = ir_op2(b, IR_or, IR_I64, ir_op2(b, IR_xor, IR_I64, low, rax), ir_op2(b, IR_xor, IR_I64, high, rdx));
    /* Memory is written in any case. */
    x86_store(ctx, m, 8, ir_select(b, IR_I64, differ, low, x86_get(ctx, X86_RBX, 8)));
    x86_store(ctx, x86_mem_at(m, 8), 8, ir_select(b, IR_I64, differ, high, x86_get(ctx, X86_RCX, 8)));
    x86_put(ctx, X86_RAX, 8, ir_select(b, IR_I64, differ, low, rax));
    x86_put(ctx, X86_RDX, 8, ir_select(b, IR_I64, differ, high, rdx));
    set_zf(ctx, ir_setcond(b, IR_I32, IR_EQ, differ, ir_i64(b, 0)));
}

void x86_trans_cmpxchg16b(TransCtx *ctx, const X86Insn *in)
{
    if (x86_alone(ctx)) {
        cmpxchg16b_alone(ctx, in);
        return;
    }
    IrRef addr = x86_mem_addr(ctx, x86_ea(ctx, in, 16, true));
    x86_call(ctx, X86_HELPER_cmpxchg16b, 2, (IrRef[]){ addr, ir_i32(ctx->b, x86_mmu(ctx)) });
}

void x86_trans_fence(TransCtx *ctx, const X86Insn *in)
{
    if (!x86_alone(ctx)) {
        ir_fence(ctx->b, in->row->aux);
    }
}
