/*
 * translate-x87.c: the x87 instructions.
 *
 * While every exception is masked and none is pending, instructions go into IR as they are (ir_x87*), for the host's unit or x87-soft.c. Else
 * (X86_MODE_X87_SLOW) they are calls of helpers that do the same on the state in memory and raise #MF. The slow way is right in any mode, so
 * nothing needs to leave a unit when the mode bit falls; instructions that often make it fall leave all the same.
 *
 * The address of the last instruction and of its operand are slots, put behind the instruction (SDM volume 1, 8.1.8): most puts are dead.
 * FCS and FDS read as zero (CPUID.7.0:EBX[13]), FOP changes with unmasked exceptions only, as it does on processors since the Pentium 4.
 */
#include "target/x86/translate.h"
#include "target/x86/x87.h"

static bool slow(const TransCtx *ctx)
{
    return x86_mode_bit(ctx, X86_MODE_X87_SLOW);
}

static uint32_t code_of(const X86Insn *in, IrX87Form form)
{
    return ir_x87_code(IR_X87_D8, form, in->opcode, in->has_mem ? in->modrm & 0x38 : in->modrm);
}

/* Behind an instruction that is no control instruction. */
static void put_pointers(TransCtx *ctx, const X86Insn *in)
{
    uint64_t ip = x86_is64(ctx) ? ctx->pc : (uint32_t)(ctx->pc - x86_mode_cs_base(ctx->mode));
    ir_put(ctx->b, X86_SLOT_FIP, ir_i64(ctx->b, ip));
    if (in->has_mem && (slow(ctx) || !x86_feature(ctx, X86_FEAT_FDP_EXCPTN_ONLY))) {
        ir_put(ctx->b, X86_SLOT_FDP, x86_to_i64(ctx, x86_ea_offset(ctx, in)));
    }
}

static IrRef slow_call(TransCtx *ctx, uint32_t code, IrRef operand)
{
    return x86_call(ctx, X86_HELPER_x87, 2,
                    (IrRef[]){ ir_i32(ctx->b, code), operand == IR_NONE ? ir_i64(ctx->b, 0) : x86_to_i64(ctx, operand) });
}

void x86_emit_x87(TransCtx *ctx, uint32_t code)
{
    if (slow(ctx)) {
        slow_call(ctx, code, IR_NONE);
    } else {
        ir_x87(ctx->b, code);
    }
}

void x86_emit_x87_in(TransCtx *ctx, uint32_t code, IrRef value)
{
    if (slow(ctx)) {
        slow_call(ctx, code, value);
    } else {
        ir_x87_in(ctx->b, code, value);
    }
}

IrRef x86_emit_x87_out(TransCtx *ctx, uint32_t code, IrType type)
{
    if (slow(ctx)) {
        return x86_to_type(ctx, slow_call(ctx, code, IR_NONE), type);
    }
    return ir_x87_out(ctx->b, type, code);
}

void x86_emit_x87_mem(TransCtx *ctx, const X86Insn *in, uint32_t code, unsigned size)
{
    X86Mem m = x86_ea(ctx, in, size, !ir_x87_reads_memory(code));
    if (slow(ctx)) {
        x86_call(ctx, X86_HELPER_x87_mem, 3, (IrRef[]){ ir_i32(ctx->b, code), x86_mem_addr(ctx, m), ir_i32(ctx->b, x86_mmu(ctx)) });
        return;
    }
    IrMem mem = x86_ir_mem(ctx, m, size == 10 ? 16 : size);
    mem.align = IR_ALIGN_ANY;
    ir_x87_mem(ctx->b, code, m.base, m.index, mem);
}

void x86_trans_x87(TransCtx *ctx, const X86Insn *in)
{
    x86_emit_x87(ctx, code_of(in, IR_X87_MEMORY));
    put_pointers(ctx, in);
}

void x86_trans_x87_mem(TransCtx *ctx, const X86Insn *in)
{
    x86_emit_x87_mem(ctx, in, code_of(in, IR_X87_MEMORY), in->row->aux);
    put_pointers(ctx, in);
}

void x86_trans_x87_store(TransCtx *ctx, const X86Insn *in)
{
    x86_trans_x87_mem(ctx, in);
}

/* fnstcw, fnstsw: they do not wait. */
void x86_trans_x87_store_control(TransCtx *ctx, const X86Insn *in)
{
    x86_emit_x87_mem(ctx, in, code_of(in, IR_X87_MEMORY), 2);
}

void x86_trans_fnstsw_ax(TransCtx *ctx, const X86Insn *in)
{
    x86_put(ctx, X86_RAX, 2, x86_emit_x87_out(ctx, ir_x87_code(IR_X87_D8, IR_X87_MEMORY, 0xdd, 7 << 3), IR_I32));
}

void x86_trans_fcmov(TransCtx *ctx, const X86Insn *in)
{
    X86CondRef c = x86_cond(ctx, in->row->aux);
    uint32_t code = ir_x87_code(IR_X87_D8, IR_X87_CONDITION, 0xdb, 0xc8 | (in->modrm & 7));
    x86_emit_x87_in(ctx, code, ir_setcond(ctx->b, IR_I32, c.cond, c.a, c.b));
    put_pointers(ctx, in);
}

void x86_trans_fcomi(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrRef flags = x86_emit_x87_out(ctx, code_of(in, IR_X87_FLAGS), IR_I32);
    if (slow(ctx)) {
        IrRef kept = ir_op2_imm(b, IR_and, IR_I32, flags, X87_FLAGS_KEPT);
        flags = ir_select(b, IR_I32, kept, x86_cc_get_flags(ctx), flags);
    }
    x86_cc_set_flags(ctx, flags);
    put_pointers(ctx, in);
}

/* Back to the main loop where the new mode makes faster code. */
static void leave_if_slow(TransCtx *ctx)
{
    if (slow(ctx)) {
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
    }
}

/*
 * A word with unmasked exceptions is not for the host's unit: the instruction is done again in slow mode. (Bit: state.x87_again, which
 * x86_trans_mode looks at and the helper clears.)
 */
void x86_trans_fldcw(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    uint32_t code = code_of(in, IR_X87_MEMORY);
    IrRef word = x86_load(ctx, x86_ea(ctx, in, 2, false), 2);
    if (!slow(ctx)) {
        IrRef unmasked = ir_op2_imm(b, IR_xor, IR_I32, ir_op2_imm(b, IR_and, IR_I32, word, X87_EXCEPTIONS), X87_EXCEPTIONS);
        ir_stenv(b, offsetof(X86State, x87_again), 1, unmasked);
        trans_leave_if(ctx, IR_NE, unmasked, ir_i32(b, 0), VCPU_EXIT_NONE, ctx->pc);
    }
    x86_emit_x87_in(ctx, code, word);
    leave_if_slow(ctx);
}

void x86_trans_fnclex(TransCtx *ctx, const X86Insn *in)
{
    x86_emit_x87(ctx, code_of(in, IR_X87_MEMORY));
    leave_if_slow(ctx);
}

void x86_trans_fninit(TransCtx *ctx, const X86Insn *in)
{
    x86_emit_x87(ctx, code_of(in, IR_X87_MEMORY));
    ir_put(ctx->b, X86_SLOT_FIP, ir_i64(ctx->b, 0));
    ir_put(ctx->b, X86_SLOT_FDP, ir_i64(ctx->b, 0));
    leave_if_slow(ctx);
}

/* fneni, fndisi, fnsetpm: for an 8087 or 80287. */
void x86_trans_x87_8087(TransCtx *ctx, const X86Insn *in)
{
}

void x86_trans_fwait(TransCtx *ctx, const X86Insn *in)
{
    if (x86_mode_bit(ctx, X86_MODE_FPU_TRAP) || slow(ctx)) {
        x86_call(ctx, X86_HELPER_fwait, 0, NULL);
    }
}

/* ---- the environment and all of the state ---- */

static void image(TransCtx *ctx, const X86Insn *in, X86Helper helper, unsigned size32, unsigned size16, bool write)
{
    X86Mem m = x86_ea(ctx, in, in->opsize == 2 ? size16 : size32, write);
    x86_call(ctx, helper, 3, (IrRef[]){ x86_mem_addr(ctx, m), ir_i32(ctx->b, in->opsize != 2), ir_i32(ctx->b, x86_mmu(ctx)) });
}

void x86_trans_fnstenv(TransCtx *ctx, const X86Insn *in)
{
    image(ctx, in, X86_HELPER_fnstenv, 28, 14, true); /* masks all exceptions */
    leave_if_slow(ctx);
}

void x86_trans_fnsave(TransCtx *ctx, const X86Insn *in)
{
    image(ctx, in, X86_HELPER_fnsave, 108, 94, true);
    leave_if_slow(ctx);
}

void x86_trans_fldenv(TransCtx *ctx, const X86Insn *in)
{
    image(ctx, in, X86_HELPER_fldenv, 28, 14, false);
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}

void x86_trans_frstor(TransCtx *ctx, const X86Insn *in)
{
    image(ctx, in, X86_HELPER_frstor, 108, 94, false);
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}
