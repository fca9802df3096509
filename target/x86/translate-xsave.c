/*
 * translate-xsave.c: saving and restoring of state as a whole, XCR0, MXCSR.
 */
#include "target/x86/fpu-state.h"
#include "target/x86/translate.h"

static void fx(TransCtx *ctx, const X86Insn *in, X86Helper helper, bool write)
{
    X86Mem m = x86_ea(ctx, in, 64, write);
    x86_call(ctx, helper, 3, (IrRef[]){ x86_mem_addr(ctx, m), ir_i32(ctx->b, in->rex_w), ir_i32(ctx->b, x86_mmu(ctx)) });
}

void x86_trans_fxsave(TransCtx *ctx, const X86Insn *in)
{
    fx(ctx, in, X86_HELPER_fxsave, true);
}

void x86_trans_fxrstor(TransCtx *ctx, const X86Insn *in)
{
    fx(ctx, in, X86_HELPER_fxrstor, false);
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}

static void xs(TransCtx *ctx, const X86Insn *in, X86Helper helper, bool write)
{
    if (in->row->aux == X86_XSAVES && x86_mode_cpl(ctx)) {
        x86_raise_gp(ctx);
        return;
    }
    IrBuilder *b = ctx->b;
    IrRef low = x86_to_i64(ctx, x86_get(ctx, X86_RAX, 4)), high = x86_to_i64(ctx, x86_get(ctx, X86_RDX, 4));
    IrRef mask = ir_op2(b, IR_or, IR_I64, low, ir_op2_imm(b, IR_shl, IR_I64, high, 32));
    X86Mem m = x86_ea(ctx, in, 64, write);
    x86_call(ctx, helper, 4, (IrRef[]){ x86_mem_addr(ctx, m), mask, ir_i32(b, in->row->aux | (uint32_t)in->rex_w << 8),
                                        ir_i32(b, x86_mmu(ctx)) });
}

void x86_trans_xsave(TransCtx *ctx, const X86Insn *in)
{
    xs(ctx, in, X86_HELPER_xsave, true);
}

void x86_trans_xrstor(TransCtx *ctx, const X86Insn *in)
{
    xs(ctx, in, X86_HELPER_xrstor, false);
    if (!ctx->ended) {
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
    }
}

void x86_trans_xgetbv(TransCtx *ctx, const X86Insn *in)
{
    if (!ctx->vcpu->softmmu) { /* XCR0 stays as it is, and the dynamic linker asks for it */
        const int at = offsetof(X86State, xcr0);
        trans_raise_if(ctx, IR_NE, x86_get(ctx, X86_RCX, 4), ir_i32(ctx->b, 0), X86_HELPER_xgetbv_other, in->length);
        x86_put(ctx, X86_RAX, 4, ir_ldenv(ctx->b, IR_I32, at, 4, false));
        x86_put(ctx, X86_RDX, 4, ir_ldenv(ctx->b, IR_I32, at + 4, 4, false));
        return;
    }
    IrRef v = x86_call(ctx, X86_HELPER_xgetbv, 1, (IrRef[]){ x86_get(ctx, X86_RCX, 4) });
    x86_put(ctx, X86_RAX, 4, ir_op1(ctx->b, IR_trunc, IR_I32, v));
    x86_put(ctx, X86_RDX, 4, ir_op1(ctx->b, IR_trunc, IR_I32, ir_op2_imm(ctx->b, IR_shr, IR_I64, v, 32)));
}

void x86_trans_xsetbv(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrRef low = x86_to_i64(ctx, x86_get(ctx, X86_RAX, 4)), high = x86_to_i64(ctx, x86_get(ctx, X86_RDX, 4));
    IrRef value = ir_op2(b, IR_or, IR_I64, low, ir_op2_imm(b, IR_shl, IR_I64, high, 32));
    x86_call(ctx, X86_HELPER_xsetbv, 2, (IrRef[]){ x86_get(ctx, X86_RCX, 4), value });
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}

/* ---- MXCSR ---- */

/* fp-status.c says how the register is kept in two parts. */
enum { FLAGS = 0x3f, MASKS = 0x1f80 };

void x86_trans_stmxcsr(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    X86Mem m = x86_ea(ctx, in, 4, true);
    IrRef value;
    if (x86_mode_bit(ctx, X86_MODE_SSE_TRAP)) {
        IrRef rest = ir_ldenv(b, IR_I32, (int)offsetof(X86State, mxcsr), 4, false);
        value = ir_op2(b, IR_or, IR_I32, rest, ir_op2_imm(b, IR_and, IR_I32, ir_fpget(b), FLAGS));
    } else {
        value = ir_fpget(b); /* stored at once: the host can do so without a register */
    }
    x86_store(ctx, m, 4, value);
}

/* Leaves when the mode changes: whether exceptions are masked is part of it. */
void x86_trans_ldmxcsr(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrRef value = x86_op_load(ctx, in, 0);
    IrRef reserved = ir_op2_imm(b, IR_and, IR_I32, value, 0xffff0000);
    trans_raise_if(ctx, IR_NE, reserved, ir_i32(b, 0), X86_HELPER_raise_zero, X86_EXC_GP);
    ir_stenv(b, (int)offsetof(X86State, mxcsr), 4, ir_op2_imm(b, IR_and, IR_I32, value, ~(uint32_t)FLAGS));
    ir_fpset(b, ir_op2_imm(b, IR_or, IR_I32, value, MASKS));
    if (x86_mode_bit(ctx, X86_MODE_SSE_TRAP)) {
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
        return;
    }
    IrRef masks = ir_op2_imm(b, IR_and, IR_I32, value, MASKS);
    trans_leave_if(ctx, IR_NE, masks, ir_i32(b, MASKS), VCPU_EXIT_NONE, ctx->next_pc);
}
