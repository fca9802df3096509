/*
 * translate-misc.c: conversions, EFLAGS, stack frames, loops, and what only reports (SDM volume 2).
 */
#include "target/x86/translate.h"

void x86_trans_cbw(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->opsize;
    IrRef v = x86_get(ctx, X86_RAX, size / 2);

    x86_put(ctx, X86_RAX, size, size == 8 ? ir_op1(ctx->b, IR_ext_s, IR_I64, v) : x86_sext(ctx, v, size / 2));
}

void x86_trans_cwd(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->opsize;
    IrRef v = x86_get(ctx, X86_RAX, size);
    x86_put(ctx, X86_RDX, size, ir_op2_imm(ctx->b, IR_sar, x86_type(size), size == 2 ? x86_sext(ctx, v, 2) : v, 8 * MAX(size, 4) - 1));
}

/* -- flags ------------------------------------------------------------------------------------------------- */

static const X86Operand reg_ah = { .kind = X86_OP_REG, .reg = X86_RAX, .size = 1, .high = true };

void x86_trans_lahf(TransCtx *ctx, const X86Insn *in)
{
    IrRef f = ir_op2_imm(ctx->b, IR_or, IR_I32, x86_cc_get_flags(ctx), 2);
    x86_put_op(ctx, &reg_ah, f);
}

void x86_trans_sahf(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrRef of = ir_op2_imm(b, IR_and, IR_I32, x86_cc_get_flags(ctx), X86_OF);
    IrRef low = ir_op2_imm(b, IR_and, IR_I32, x86_get_op(ctx, &reg_ah), X86_ARITH_FLAGS & ~X86_OF);
    x86_cc_set_flags(ctx, ir_op2(b, IR_or, IR_I32, of, low));
}

void x86_trans_salc(TransCtx *ctx, const X86Insn *in)
{
    x86_put(ctx, X86_RAX, 1, ir_op1(ctx->b, IR_neg, IR_I32, x86_cc_get_carry(ctx)));
}

/* CLC, STC, CMC. */
void x86_trans_carry(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    if (x86_cc_put_carry(ctx, in->row->aux, in->row->aux == 2)) {
        return;
    }
    IrRef f = x86_cc_get_flags(ctx);
    f = in->row->aux == 2 ? ir_op2_imm(b, IR_xor, IR_I32, f, X86_CF) : in->row->aux == 1 ? ir_op2_imm(b, IR_or, IR_I32, f, X86_CF)
        : ir_op2_imm(b, IR_and, IR_I32, f, (uint32_t)~X86_CF);
    x86_cc_set_flags(ctx, f);
}

/* String instructions look at the flag when they run: code that sets and clears it around them stays one unit. */
void x86_trans_cld(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    ir_put(b, X86_SLOT_EFLAGS, ir_op2_imm(b, IR_and, IR_I32, ir_get(b, X86_SLOT_EFLAGS), (uint32_t)~X86_DF));
}

void x86_trans_std(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    ir_put(b, X86_SLOT_EFLAGS, ir_op2_imm(b, IR_or, IR_I32, ir_get(b, X86_SLOT_EFLAGS), X86_DF));
}

void x86_trans_pushf(TransCtx *ctx, const X86Insn *in)
{
    if (!ctx->vcpu->softmmu) {
        IrBuilder *b = ctx->b;
        IrRef system = ir_op2_imm(b, IR_and, IR_I32, ir_get(b, X86_SLOT_EFLAGS), (uint32_t)~(X86_RF | X86_VM));
        x86_push(ctx, in->opsize, x86_to_type(ctx, ir_op2(b, IR_or, IR_I32, system, x86_cc_get_flags(ctx)), x86_type(in->opsize)));
        return;
    }
    x86_push(ctx, in->opsize, x86_to_type(ctx, x86_call(ctx, X86_HELPER_pushf, 1, (IrRef[]){ ir_i32(ctx->b, in->opsize) }), x86_type(in->opsize)));
}

/* User mode: CPL 3, IOPL 0, not VM86. */
static void user_popf(TransCtx *ctx, unsigned size, IrRef value)
{
    IrBuilder *b = ctx->b;
    const uint32_t may = (uint32_t)(X86_TF | X86_DF | X86_NT | X86_AC | X86_ID | X86_RF) & (size == 2 ? 0xffff : ~0u);
    IrRef before = ir_get(b, X86_SLOT_EFLAGS);
    IrRef now = ir_op2(b, IR_or, IR_I32, ir_op2_imm(b, IR_and, IR_I32, before, ~may),
                       ir_op2_imm(b, IR_and, IR_I32, value, may & (uint32_t)~X86_RF));

    ir_put(b, X86_SLOT_EFLAGS, now);
    x86_cc_set_flags(ctx, ir_op2_imm(b, IR_and, IR_I32, value, X86_ARITH_FLAGS));
    x86_stack_add(ctx, (int)size);
    /* What this code depends on has nearly always stayed. The loop looks whether each instruction is to be stopped at now. */
    IrRef changed = ir_op2_imm(b, IR_and, IR_I32, ir_op2(b, IR_xor, IR_I32, before, now), X86_TF | X86_AC);
    trans_leave_if(ctx, IR_NE, changed, ir_i32(b, 0), VCPU_EXIT_REQUEST, ctx->next_pc);
}

void x86_trans_popf(TransCtx *ctx, const X86Insn *in)
{
    IrRef value = x86_to_i32(ctx, x86_pop_value(ctx, in->opsize));

    if (!ctx->vcpu->softmmu) {
        user_popf(ctx, in->opsize, value);
        return;
    }
    x86_call(ctx, X86_HELPER_popf, 2, (IrRef[]){ value, ir_i32(ctx->b, in->opsize) });
    x86_stack_add(ctx, in->opsize);
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc); /* an interrupt may have become possible */
}

/* -- stack --------------------------------------------------------------------------------------------------- */

/* A place relative to the stack pointer (or another register), which stays where it is. */
static X86Mem stack_at(TransCtx *ctx, unsigned reg, int offset, unsigned size, bool write)
{
    unsigned width = x86_stack_width(ctx);
    IrRef sum = ir_op2_imm(ctx->b, IR_add, x86_type(width), x86_get(ctx, reg, width), (uint64_t)(int64_t)offset);
    return x86_linear(ctx, X86_SS, x86_to_wt(ctx, width == 2 ? x86_zext(ctx, sum, 2) : sum), width, size, write);
}

void x86_trans_pusha(TransCtx *ctx, const X86Insn *in)
{
    int size = in->opsize;
    for (int i = 7; i >= 0; i--) { /* the last one first, so that a page that is not there stops it before anything is done */
        x86_store(ctx, stack_at(ctx, X86_RSP, -size * (i + 1), (unsigned)size, true), (unsigned)size, x86_get(ctx, (unsigned)i, (unsigned)size));
    }
    x86_stack_add(ctx, -8 * size);
}

void x86_trans_popa(TransCtx *ctx, const X86Insn *in)
{
    int size = in->opsize;
    IrRef v[8];
    for (int i = 0; i < 8; i++) {
        v[i] = x86_load(ctx, stack_at(ctx, X86_RSP, size * (7 - i), (unsigned)size, false), (unsigned)size);
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i != X86_RSP) {
            x86_put(ctx, i, (unsigned)size, v[i]);
        }
    }
    x86_stack_add(ctx, 8 * size);
}

void x86_trans_enter(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->opsize, width = x86_stack_width(ctx), level = in->imm2 & 31;
    int at = -(int)size;

    x86_store(ctx, stack_at(ctx, X86_RSP, at, size, true), size, x86_get(ctx, X86_RBP, size));
    IrRef frame = ir_op2_imm(b, IR_sub, x86_type(width), x86_get(ctx, X86_RSP, width), size);
    for (unsigned i = 1; i < level; i++) {
        IrRef v = x86_load(ctx, stack_at(ctx, X86_RBP, -(int)(i * size), size, false), size);
        at -= (int)size;
        x86_store(ctx, stack_at(ctx, X86_RSP, at, size, true), size, v);
    }
    if (level) {
        at -= (int)size;
        x86_store(ctx, stack_at(ctx, X86_RSP, at, size, true), size, x86_to_type(ctx, frame, x86_type(size)));
    }
    x86_put(ctx, X86_RBP, size, x86_to_type(ctx, frame, x86_type(size)));
    x86_stack_add(ctx, at - (int)in->imm);
}

/* -- conditions --------------------------------------------------------------------------------------------------- */

void x86_trans_bound(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrRef i = x86_sext(ctx, x86_op_load(ctx, in, 0), size);
    X86Mem m = x86_ea(ctx, in, 2 * size, false);
    IrRef low = x86_sext(ctx, x86_load(ctx, m, size), size), high = x86_sext(ctx, x86_load(ctx, x86_mem_at(m, (int)size), size), size);

    trans_raise_if(ctx, IR_LT, i, low, X86_HELPER_raise, X86_EXC_BR);
    trans_raise_if(ctx, IR_GT, i, high, X86_HELPER_raise, X86_EXC_BR);
}

void x86_trans_into(TransCtx *ctx, const X86Insn *in)
{
    X86CondRef c = x86_cond(ctx, 0);
    trans_raise_if(ctx, c.cond, c.a, c.b, X86_HELPER_raise_soft, X86_EXC_OF | (uint32_t)in->length << 8);
}

static vaddr target_of(TransCtx *ctx, const X86Insn *in)
{
    return x86_code_addr(ctx, x86_next_ip(ctx) + in->imm, in->opsize);
}

void x86_trans_loop(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->addrsize;
    IrType type = x86_type(size);
    IrRef left = ir_op2_imm(b, IR_sub, type, x86_get(ctx, X86_RCX, size), 1);

    x86_put(ctx, X86_RCX, size, left);
    left = x86_zext(ctx, left, size);
    if (!in->row->aux) {
        trans_branch(ctx, IR_NE, left, ir_const(b, type, 0), target_of(ctx, in));
        return;
    }
    X86CondRef c = x86_cond(ctx, in->row->aux == 1 ? 4 : 5);
    IrRef both = ir_op2(b, IR_and, IR_I32, ir_setcond(b, IR_I32, c.cond, c.a, c.b), ir_setcond(b, IR_I32, IR_NE, left, ir_const(b, type, 0)));
    trans_branch_nz(ctx, both, target_of(ctx, in));
}

void x86_trans_jcxz(TransCtx *ctx, const X86Insn *in)
{
    IrRef n = x86_zext(ctx, x86_get(ctx, X86_RCX, in->addrsize), in->addrsize);
    trans_branch(ctx, IR_EQ, n, ir_const(ctx->b, x86_type(in->addrsize), 0), target_of(ctx, in));
}

/* -- others ---------------------------------------------------------------------------------------------------------- */

void x86_trans_xlat(TransCtx *ctx, const X86Insn *in)
{
    IrType type = x86_type(in->addrsize);
    IrRef al = x86_to_type(ctx, x86_zext(ctx, x86_get(ctx, X86_RAX, 1), 1), type);
    IrRef at = ir_op2(ctx->b, IR_add, type, x86_get(ctx, X86_RBX, in->addrsize), al);
    unsigned seg = in->seg_override != X86_NO_REG ? in->seg_override : X86_DS;
    X86Mem m = x86_linear(ctx, seg, x86_to_wt(ctx, in->addrsize == 2 ? x86_zext(ctx, at, 2) : at), in->addrsize, 1, false);
    x86_put(ctx, X86_RAX, 1, x86_load(ctx, m, 1));
}

void x86_trans_cpuid(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrRef v = x86_call(ctx, X86_HELPER_cpuid, 2, (IrRef[]){ x86_get(ctx, X86_RAX, 4), x86_get(ctx, X86_RCX, 4) });
    const int rest = offsetof(X86State, cpuid_rest);
    x86_put(ctx, X86_RAX, 4, x86_to_i32(ctx, v));
    x86_put(ctx, X86_RBX, 4, x86_to_i32(ctx, ir_op2_imm(b, IR_shr, IR_I64, v, 32)));
    x86_put(ctx, X86_RCX, 4, ir_ldenv(b, IR_I32, rest, 4, false));
    x86_put(ctx, X86_RDX, 4, ir_ldenv(b, IR_I32, rest + 4, 4, false));
}

void x86_trans_rdtsc(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrRef v = x86_call(ctx, ctx->vcpu->softmmu ? X86_HELPER_rdtsc : X86_HELPER_rdtsc_user, 0, NULL);
    x86_put(ctx, X86_RAX, 4, x86_to_i32(ctx, v));
    x86_put(ctx, X86_RDX, 4, x86_to_i32(ctx, ir_op2_imm(b, IR_shr, IR_I64, v, 32)));
    if (in->row->aux) {
        x86_put(ctx, X86_RCX, 4, ir_ldenv(b, IR_I32, offsetof(X86State, tsc_aux), 4, false));
    }
}

void x86_trans_rdpid(TransCtx *ctx, const X86Insn *in)
{
    x86_put(ctx, in->op[0].reg, 4, ir_ldenv(ctx->b, IR_I32, offsetof(X86State, tsc_aux), 4, false));
}

void x86_trans_rdrand(TransCtx *ctx, const X86Insn *in)
{
    IrRef v = x86_call(ctx, X86_HELPER_random, 0, NULL);
    x86_op_store(ctx, in, 0, x86_to_type(ctx, v, x86_type(in->op[0].size)));
}

void x86_trans_pause(TransCtx *ctx, const X86Insn *in)
{
    if (in->rex_b) { /* XCHG r8, rAX */
        X86Operand r8 = { .kind = X86_OP_REG, .reg = 8, .size = in->opsize }, rax = { .kind = X86_OP_REG, .reg = 0, .size = in->opsize };
        IrRef x = x86_get_op(ctx, &r8), y = x86_get_op(ctx, &rax);
        x86_put_op(ctx, &r8, y);
        x86_put_op(ctx, &rax, x);
        return;
    }
    x86_call(ctx, X86_HELPER_pause, 0, NULL);
}

/* Caches are coherent here; but the line must be readable. */
void x86_trans_clflush(TransCtx *ctx, const X86Insn *in)
{
    x86_load(ctx, x86_ea(ctx, in, 1, false), 1);
}
