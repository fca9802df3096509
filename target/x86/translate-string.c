/*
 * translate-string.c: string instructions (SDM volume 2: MOVS, CMPS, STOS, LODS, SCAS, REP).
 *
 * One element is plain IR. Repetition is a helper that goes page by page with the registers complete before each piece, so that
 * faults and interrupts find an instruction that can go on (helper-string.c).
 */
#include "target/x86/translate.h"

static X86Mem source(TransCtx *ctx, const X86Insn *in, unsigned size)
{
    unsigned seg = in->seg_override != X86_NO_REG ? in->seg_override : X86_DS;
    IrRef rsi = x86_get(ctx, X86_RSI, in->addrsize);
    return x86_linear(ctx, seg, x86_to_wt(ctx, in->addrsize == 2 ? x86_zext(ctx, rsi, 2) : rsi), in->addrsize, size, false);
}

static X86Mem destination(TransCtx *ctx, const X86Insn *in, unsigned size, bool write)
{
    IrRef rdi = x86_get(ctx, X86_RDI, in->addrsize);
    return x86_linear(ctx, X86_ES, x86_to_wt(ctx, in->addrsize == 2 ? x86_zext(ctx, rdi, 2) : rdi), in->addrsize, size, write);
}

/* What the registers move by: size, or -size with DF set. */
static IrRef step_of(TransCtx *ctx, const X86Insn *in, unsigned size)
{
    IrBuilder *b = ctx->b;
    IrRef down = ir_op2_imm(b, IR_and, IR_I32, ir_get(b, X86_SLOT_EFLAGS), X86_DF);
    IrRef back = ir_op2_imm(b, IR_shr, IR_I32, down, 9 - x86_log2(size)); /* twice the size */
    return ir_op2(b, IR_sub, x86_type(in->addrsize), x86_const(ctx, in->addrsize, size), x86_to_type(ctx, back, x86_type(in->addrsize)));
}

static void advance(TransCtx *ctx, const X86Insn *in, unsigned reg, IrRef step)
{
    x86_put(ctx, reg, in->addrsize, ir_op2(ctx->b, IR_add, x86_type(in->addrsize), x86_get(ctx, reg, in->addrsize), step));
}

/* True: it was a repetition, and all has been said. */
static bool repeated(TransCtx *ctx, const X86Insn *in, X86StringOp op, unsigned size)
{
    if (!(in->prefixes & (X86_PFX_REPE | X86_PFX_REPNE))) {
        return false;
    }
    uint32_t seg = in->seg_override != X86_NO_REG ? in->seg_override : X86_DS;
    uint32_t how = X86_STRING_HOW(op, x86_log2(size), x86_log2(in->addrsize), seg, !!(in->prefixes & X86_PFX_REPNE),
                                  x86_is64(ctx), x86_mmu(ctx));
    x86_call(ctx, X86_HELPER_string, 1, (IrRef[]){ ir_i32(ctx->b, how) });
    return true;
}

void x86_trans_movs(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    if (!repeated(ctx, in, X86_STRING_MOVS, size)) {
        IrRef v = x86_load(ctx, source(ctx, in, size), size);
        x86_store(ctx, destination(ctx, in, size, true), size, v);
        IrRef step = step_of(ctx, in, size);
        advance(ctx, in, X86_RSI, step);
        advance(ctx, in, X86_RDI, step);
    }
}

void x86_trans_stos(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    if (!repeated(ctx, in, X86_STRING_STOS, size)) {
        x86_store(ctx, destination(ctx, in, size, true), size, x86_get(ctx, X86_RAX, size));
        advance(ctx, in, X86_RDI, step_of(ctx, in, size));
    }
}

void x86_trans_lods(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[1].size;
    if (!repeated(ctx, in, X86_STRING_LODS, size)) {
        IrRef v = x86_load(ctx, source(ctx, in, size), size);
        x86_put(ctx, X86_RAX, size, v);
        advance(ctx, in, X86_RSI, step_of(ctx, in, size));
    }
}

static void compare_flags(TransCtx *ctx, unsigned size, IrRef a, IrRef b)
{
    x86_cc_set(ctx, X86_CC(X86_CCK_CMP, X86_CARRY_LT, x86_log2(size)), IR_NONE, b, a);
}

void x86_trans_scas(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[1].size;
    if (!repeated(ctx, in, X86_STRING_SCAS, size)) {
        IrRef v = x86_load(ctx, destination(ctx, in, size, false), size);
        advance(ctx, in, X86_RDI, step_of(ctx, in, size));
        compare_flags(ctx, size, x86_get(ctx, X86_RAX, size), v);
    }
}

void x86_trans_cmps(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    if (!repeated(ctx, in, X86_STRING_CMPS, size)) {
        IrRef a = x86_load(ctx, source(ctx, in, size), size), v = x86_load(ctx, destination(ctx, in, size, false), size);
        IrRef step = step_of(ctx, in, size);
        advance(ctx, in, X86_RSI, step);
        advance(ctx, in, X86_RDI, step);
        compare_flags(ctx, size, a, v);
    }
}
