/*
 * translate-system.c: flags of the system, interrupts, segments, control registers, I/O (isa/system.isa).
 *
 * STI and the instruction behind it are one to the translator, so that the interrupt shadow costs nothing: x86_scan_shadow(). Where that
 * cannot be, STI ends the unit with state.inhibit set and a unit of one instruction follows.
 */
#include "target/x86/translate.h"
#include "target/x86/system.h"

#define STATE(field) ((int)offsetof(X86State, field))

static IrRef i32(TransCtx *ctx, uint32_t value) { return ir_i32(ctx->b, value); }
static IrRef i64(TransCtx *ctx, uint64_t value) { return ir_i64(ctx->b, value); }
static bool is_vm86(const TransCtx *ctx) { return x86_mode_bit(ctx, X86_MODE_VM); }
static bool is_user(const TransCtx *ctx) { return !ctx->vcpu->softmmu; }

/* Level 0 only; false after #GP was raised. */
static bool need_cpl0(TransCtx *ctx)
{
    if (is_user(ctx) || x86_mode_cpl(ctx)) {
        x86_raise_gp(ctx);
        return false;
    }
    return true;
}

/* On to the main loop: what code means may have changed. */
static void leave_next(TransCtx *ctx) { trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc); }

static void leave_to(TransCtx *ctx, IrRef pc)
{
    ir_exit(ctx->b, (IrExit){ .kind = IR_EXIT_LEAVE, .reason = VCPU_EXIT_NONE }, pc);
    ctx->ended = true;
}

/* What waits is taken behind this instruction, not at the next poll: there may be a CLI before that, and who caused an SMI expects it done. */
static void look_at_lines(TransCtx *ctx)
{
    int request = (int)offsetof(Vcpu, interrupt_request) - (int)offsetof(Vcpu, state);
    IrRef lines = ir_ldenv(ctx->b, IR_I32, request, 4, false);
    trans_leave_if(ctx, IR_NE, lines, i32(ctx, 0), VCPU_EXIT_NONE, ctx->next_pc);
}

/* -- flags -------------------------------------------------------------------------------------------------- */

/* IOPL and CR4 have no say: real mode, and level 0. */
static bool owns_if(const TransCtx *ctx) { return !is_user(ctx) && !is_vm86(ctx) && !x86_mode_cpl(ctx); }

static void change_if(TransCtx *ctx, bool on)
{
    IrRef flags = ir_get(ctx->b, X86_SLOT_EFLAGS);
    ir_put(ctx->b, X86_SLOT_EFLAGS, on ? ir_op2_imm(ctx->b, IR_or, IR_I32, flags, X86_IF)
                                       : ir_op2_imm(ctx->b, IR_and, IR_I32, flags, ~(uint32_t)X86_IF));
}

void x86_trans_cli(TransCtx *ctx, const X86Insn *in)
{
    if (owns_if(ctx)) {
        change_if(ctx, false);
    } else {
        x86_call(ctx, X86_HELPER_cli, 0, NULL);
    }
}

/* The instruction behind an STI at pc can be translated with it. */
static bool joins_sti(TransCtx *ctx, vaddr next_pc)
{
    const Vcpu *vcpu = ctx->vcpu;
    return owns_if(ctx) && (next_pc & 4095) && !vcpu->single_step && !vcpu->ask_before_insn && !vcpu->one_insn_per_tb &&
           !tcg_breakpoint_at(next_pc) && !x86_mode_bit(ctx, X86_MODE_TF) && !x86_mode_bit(ctx, X86_MODE_INHIBIT);
}

void x86_scan_shadow(TransCtx *ctx, const X86Insn *sti, ScanInsn *ret)
{
    X86Insn next;

    ret->kind = SCAN_STOP;
    if (joins_sti(ctx, sti->next_pc) && x86_fetch_insn(ctx, sti->next_pc, &next) == X86_DECODE_OK && next.row->kind == SCAN_NORMAL &&
        next.row->handler != x86_trans_sti) {
        ret->kind = SCAN_NORMAL;
        ret->length = (uint8_t)(sti->length + next.length);
    }
}

void x86_trans_sti(TransCtx *ctx, const X86Insn *in)
{
    X86Insn next;

    if (!joins_sti(ctx, in->next_pc) || x86_fetch_insn(ctx, in->next_pc, &next) != X86_DECODE_OK || next.row->kind != SCAN_NORMAL ||
        next.row->handler == x86_trans_sti) {
        x86_call(ctx, X86_HELPER_sti, 0, NULL);
        leave_next(ctx);
        return;
    }
    change_if(ctx, true);
    vaddr pc = ctx->pc;
    ctx->pc = in->next_pc;
    ir_insn_start(ctx->b, ctx->pc, 0);
    x86_translate(ctx);
    ctx->pc = pc;
    if (!ctx->ended) {
        look_at_lines(ctx);
    }
}

/* -- interrupts ------------------------------------------------------------------------------------------------- */

static void soft_int(TransCtx *ctx, const X86Insn *in, unsigned vector, bool is_n)
{
    if (is_user(ctx)) {
        x86_call(ctx, X86_HELPER_raise_soft, 1, (IrRef[]){ i32(ctx, vector | (uint32_t)in->length << 8) });
        ir_trap(ctx->b);
        ctx->ended = true;
        return;
    }
    leave_to(ctx, x86_call(ctx, X86_HELPER_int_n, 3, (IrRef[]){ i32(ctx, vector), i64(ctx, x86_next_ip(ctx)), i32(ctx, is_n) }));
}

void x86_trans_int_n(TransCtx *ctx, const X86Insn *in)
{
    bool is_n = in->row->aux == 256;
    soft_int(ctx, in, is_n ? in->imm & 0xff : in->row->aux, is_n);
}

void x86_trans_int1(TransCtx *ctx, const X86Insn *in)
{
    if (is_user(ctx)) {
        x86_call(ctx, X86_HELPER_raise_soft, 1, (IrRef[]){ i32(ctx, X86_EXC_DB | (uint32_t)(in->length | X86_SOFT_ICEBP) << 8) });
        ir_trap(ctx->b);
        ctx->ended = true;
        return;
    }
    leave_to(ctx, x86_call(ctx, X86_HELPER_int1, 1, (IrRef[]){ i64(ctx, x86_next_ip(ctx)) }));
}

void x86_trans_iret(TransCtx *ctx, const X86Insn *in)
{
    leave_to(ctx, x86_call(ctx, X86_HELPER_iret, 2, (IrRef[]){ i32(ctx, in->opsize), i64(ctx, x86_next_ip(ctx)) }));
}

void x86_trans_hlt(TransCtx *ctx, const X86Insn *in)
{
    if (need_cpl0(ctx)) {
        x86_call(ctx, X86_HELPER_hlt, 0, NULL);
        trans_leave(ctx, VCPU_EXIT_HALTED, ctx->next_pc);
    }
}

/* -- system calls ------------------------------------------------------------------------------------------------- */

void x86_trans_syscall(TransCtx *ctx, const X86Insn *in)
{
    if (is_user(ctx)) {
        trans_leave(ctx, VCPU_EXIT_SYSCALL, ctx->pc);
        return;
    }
    leave_to(ctx, x86_call(ctx, X86_HELPER_syscall, 1, (IrRef[]){ i64(ctx, x86_next_ip(ctx)) }));
}

void x86_trans_sysret(TransCtx *ctx, const X86Insn *in)
{
    if (need_cpl0(ctx)) {
        leave_to(ctx, x86_call(ctx, X86_HELPER_sysret, 1, (IrRef[]){ i32(ctx, in->rex_w ? 8 : 4) }));
    }
}

void x86_trans_sysenter(TransCtx *ctx, const X86Insn *in)
{
    if (is_user(ctx) && ctx->target->word_bits == 64 && x86_is_amd(x86_model(ctx->vcpu))) {
        x86_raise_exc(ctx, X86_EXC_UD);
        return;
    }
    if (is_user(ctx)) {
        x86_raise_gp(ctx);
        return;
    }
    leave_to(ctx, x86_call(ctx, X86_HELPER_sysenter, 0, NULL));
}

void x86_trans_sysexit(TransCtx *ctx, const X86Insn *in)
{
    if (need_cpl0(ctx)) {
        leave_to(ctx, x86_call(ctx, X86_HELPER_sysexit, 1, (IrRef[]){ i32(ctx, in->rex_w ? 8 : 4) }));
    }
}

/* -- segment registers ---------------------------------------------------------------------------------------------- */

static void load_seg(TransCtx *ctx, unsigned seg, IrRef sel)
{
    x86_call(ctx, X86_HELPER_seg_load, 2, (IrRef[]){ i32(ctx, seg), x86_to_i32(ctx, sel) });
}

/* SS holds off interrupts and debug traps for one instruction (SDM 6.8.3). 64-bit code sees nothing else of a load. */
static void after_seg_load(TransCtx *ctx, unsigned seg)
{
    if (seg == X86_SS) {
        ir_stenv(ctx->b, STATE(inhibit), 1, i32(ctx, X86_INHIBIT_ALL | X86_INHIBIT_IRQ));
    }
    if (seg == X86_SS || !x86_is64(ctx)) {
        leave_next(ctx);
    }
}

void x86_trans_mov_sreg(TransCtx *ctx, const X86Insn *in)
{
    unsigned seg = in->op[0].reg;

    if (seg == X86_CS || seg >= X86_N_SEGS) {
        x86_raise_ud(ctx);
        return;
    }
    load_seg(ctx, seg, x86_op_load(ctx, in, 1));
    after_seg_load(ctx, seg);
}

void x86_trans_push_sreg(TransCtx *ctx, const X86Insn *in)
{
    IrRef sel = ir_ldenv(ctx->b, IR_I32, STATE(seg_sel) + 2 * in->op[0].reg, 2, false);
    x86_push(ctx, in->opsize, x86_to_type(ctx, sel, x86_type(in->opsize)));
}

void x86_trans_pop_sreg(TransCtx *ctx, const X86Insn *in)
{
    unsigned seg = in->op[0].reg;
    IrRef sel = x86_pop_value(ctx, in->opsize);

    load_seg(ctx, seg, sel);
    x86_stack_add(ctx, in->opsize);
    after_seg_load(ctx, seg);
}

void x86_trans_lxs(TransCtx *ctx, const X86Insn *in)
{
    unsigned seg = in->row->aux, size = in->opsize;
    X86Mem m = x86_ea(ctx, in, size + 2, false);
    IrRef offset = x86_load(ctx, m, size), sel = x86_load(ctx, x86_mem_at(m, (int)size), 2);

    load_seg(ctx, seg, sel);
    x86_put(ctx, in->op[0].reg, size, offset);
    after_seg_load(ctx, seg);
}

/* -- far transfers ----------------------------------------------------------------------------------------------------- */

static void far_target(TransCtx *ctx, const X86Insn *in, IrRef *ret_sel, IrRef *ret_ip)
{
    if (in->op[0].kind == X86_OP_FAR) {
        *ret_sel = i32(ctx, in->imm2 & 0xffff);
        *ret_ip = i64(ctx, in->opsize == 2 ? in->imm & 0xffff : (uint32_t)in->imm);
        return;
    }
    X86Mem m = x86_ea(ctx, in, in->opsize + 2u, false);
    *ret_ip = x86_to_i64(ctx, x86_load(ctx, m, in->opsize));
    *ret_sel = x86_load(ctx, x86_mem_at(m, in->opsize), 2);
}

void x86_trans_jmp_far(TransCtx *ctx, const X86Insn *in)
{
    IrRef sel, ip;

    far_target(ctx, in, &sel, &ip);
    leave_to(ctx, x86_call(ctx, X86_HELPER_far_jmp, 3, (IrRef[]){ sel, ip, i64(ctx, x86_next_ip(ctx)) }));
}

void x86_trans_call_far(TransCtx *ctx, const X86Insn *in)
{
    IrRef sel, ip;

    far_target(ctx, in, &sel, &ip);
    leave_to(ctx, x86_call(ctx, X86_HELPER_far_call, 4, (IrRef[]){ sel, ip, i64(ctx, x86_next_ip(ctx)), i32(ctx, in->opsize) }));
}

void x86_trans_retf(TransCtx *ctx, const X86Insn *in)
{
    uint32_t release = in->n_ops ? in->imm & 0xffff : 0;
    leave_to(ctx, x86_call(ctx, X86_HELPER_far_ret, 2, (IrRef[]){ i32(ctx, in->opsize), i32(ctx, release) }));
}

/* -- descriptors ---------------------------------------------------------------------------------------------------------- */

/* SGDT, SIDT, SLDT, SMSW, STR outside level 0: CR4.UMIP. */
static void check_umip(TransCtx *ctx)
{
    if (x86_mode_cpl(ctx) && !is_user(ctx)) {
        x86_call(ctx, X86_HELPER_umip, 0, NULL);
    }
}

void x86_trans_store_sel(TransCtx *ctx, const X86Insn *in)
{
    check_umip(ctx);
    IrRef sel = ir_ldenv(ctx->b, IR_I32, in->row->aux ? STATE(tr_sel) : STATE(ldt_sel), 2, false);
    x86_op_store(ctx, in, 0, x86_to_type(ctx, sel, x86_type(in->op[0].size)));
}

void x86_trans_lldt(TransCtx *ctx, const X86Insn *in)
{
    if (need_cpl0(ctx)) {
        x86_call(ctx, X86_HELPER_lldt, 1, (IrRef[]){ x86_op_load(ctx, in, 0) });
    }
}

void x86_trans_ltr(TransCtx *ctx, const X86Insn *in)
{
    if (need_cpl0(ctx)) {
        x86_call(ctx, X86_HELPER_ltr, 1, (IrRef[]){ x86_op_load(ctx, in, 0) });
    }
}

/* ZF from an I32 that is 0 or 1; the other flags stay. */
static void put_zf(TransCtx *ctx, IrRef set)
{
    IrBuilder *b = ctx->b;
    IrRef others = ir_op2_imm(b, IR_and, IR_I32, x86_cc_get_flags(ctx), X86_ARITH_FLAGS & ~X86_ZF);
    x86_cc_set_flags(ctx, ir_op2(b, IR_or, IR_I32, others, ir_op2_imm(b, IR_shl, IR_I32, set, 6)));
}

void x86_trans_verr(TransCtx *ctx, const X86Insn *in)
{
    put_zf(ctx, x86_call(ctx, X86_HELPER_verr, 2, (IrRef[]){ x86_op_load(ctx, in, 0), i32(ctx, in->row->aux) }));
}

void x86_trans_lar(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    unsigned size = in->op[0].size;
    IrRef old = x86_get(ctx, in->op[0].reg, size);
    IrRef both = x86_call(ctx, X86_HELPER_lar, 2, (IrRef[]){ x86_to_i32(ctx, x86_op_load(ctx, in, 1)), i32(ctx, in->row->aux) });
    IrRef ok = ir_op1(b, IR_trunc, IR_I32, ir_op2_imm(b, IR_shr, IR_I64, both, 32));
    IrRef value = x86_to_type(ctx, ir_op1(b, IR_trunc, IR_I32, both), x86_type(size));

    x86_put(ctx, in->op[0].reg, size, ir_select(b, x86_type(size), ok, value, old));
    put_zf(ctx, ok);
}

void x86_trans_arpl(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    IrRef dst = x86_zext(ctx, x86_op_load(ctx, in, 0), 2), src = x86_op_load(ctx, in, 1);
    IrRef have = ir_op2_imm(b, IR_and, IR_I32, dst, 3), want = ir_op2_imm(b, IR_and, IR_I32, src, 3);
    IrRef lower = ir_setcond(b, IR_I32, IR_LTU, have, want);
    IrRef raised = ir_op2(b, IR_or, IR_I32, ir_op2_imm(b, IR_and, IR_I32, dst, 0xfffc), want);

    x86_op_store(ctx, in, 0, ir_select(b, IR_I32, lower, raised, dst));
    put_zf(ctx, lower);
}

void x86_trans_store_table(TransCtx *ctx, const X86Insn *in)
{
    bool idt = in->row->aux;
    unsigned size = x86_is64(ctx) ? 8 : 4;

    check_umip(ctx);
    X86Mem m = x86_ea(ctx, in, size + 2, true);
    x86_store(ctx, m, 2, ir_ldenv(ctx->b, IR_I32, idt ? STATE(idt_limit) : STATE(gdt_limit), 4, false));
    IrRef base = ir_ldenv(ctx->b, x86_type(size), idt ? STATE(idt_base) : STATE(gdt_base), (int)size, false);
    x86_store(ctx, x86_mem_at(m, 2), size, base);
}

void x86_trans_load_table(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = x86_is64(ctx) ? 8 : 4;

    if (!need_cpl0(ctx)) {
        return;
    }
    X86Mem m = x86_ea(ctx, in, size + 2, false);
    IrRef limit = x86_load(ctx, m, 2), base = x86_load(ctx, x86_mem_at(m, 2), size);
    if (size == 4 && in->opsize == 2) {
        base = ir_op2_imm(ctx->b, IR_and, IR_I32, base, 0xffffff);
    }
    x86_call(ctx, X86_HELPER_load_table, 3, (IrRef[]){ i32(ctx, in->row->aux), limit, x86_to_i64(ctx, base) });
}

void x86_trans_smsw(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;

    check_umip(ctx);
    x86_op_store(ctx, in, 0, ir_ldenv(ctx->b, x86_type(size), STATE(cr0), size == 8 ? 8 : 4, false));
}

void x86_trans_lmsw(TransCtx *ctx, const X86Insn *in)
{
    if (need_cpl0(ctx)) {
        x86_call(ctx, X86_HELPER_lmsw, 1, (IrRef[]){ x86_op_load(ctx, in, 0) });
        leave_next(ctx);
    }
}

void x86_trans_invlpg(TransCtx *ctx, const X86Insn *in)
{
    if (need_cpl0(ctx)) {
        x86_call(ctx, X86_HELPER_invlpg, 1, (IrRef[]){ x86_mem_addr(ctx, x86_ea(ctx, in, 0, false)) });
        leave_next(ctx);
    }
}

void x86_trans_invpcid(TransCtx *ctx, const X86Insn *in)
{
    if (!need_cpl0(ctx)) {
        return;
    }
    X86Mem m = x86_ea(ctx, in, 16, false);
    IrRef low = x86_load(ctx, m, 8), addr = x86_load(ctx, x86_mem_at(m, 8), 8);
    IrRef type = x86_to_i64(ctx, x86_get(ctx, in->op[0].reg, x86_is64(ctx) ? 8 : 4));
    x86_call(ctx, X86_HELPER_invpcid, 3, (IrRef[]){ type, low, addr });
    leave_next(ctx);
}

void x86_trans_swapgs(TransCtx *ctx, const X86Insn *in)
{
    if (!need_cpl0(ctx)) {
        return;
    }
    IrRef base = ir_get(ctx->b, X86_SLOT_SEG_BASE + X86_GS), other = ir_ldenv(ctx->b, IR_I64, STATE(kernel_gs_base), 8, false);
    ir_stenv(ctx->b, STATE(kernel_gs_base), 8, base);
    ir_put(ctx->b, X86_SLOT_SEG_BASE + X86_GS, other);
}

/* -- control and debug registers ------------------------------------------------------------------------------------------- */

static bool is_control_register(unsigned n) { return n == 0 || (n >= 2 && n <= 4) || n == 8; }

void x86_trans_mov_from_cr(TransCtx *ctx, const X86Insn *in)
{
    unsigned n = in->op[1].reg, size = x86_is64(ctx) ? 8 : 4;

    if (!is_control_register(n)) {
        x86_raise_ud(ctx);
    } else if (need_cpl0(ctx)) {
        IrRef value = x86_call(ctx, X86_HELPER_cr_read, 1, (IrRef[]){ i32(ctx, n) });
        x86_put(ctx, in->op[0].reg, size, x86_to_type(ctx, value, x86_type(size)));
    }
}

void x86_trans_mov_to_cr(TransCtx *ctx, const X86Insn *in)
{
    unsigned n = in->op[0].reg, size = x86_is64(ctx) ? 8 : 4;

    if (!is_control_register(n)) {
        x86_raise_ud(ctx);
    } else if (need_cpl0(ctx)) {
        x86_call(ctx, X86_HELPER_cr_write, 2, (IrRef[]){ i32(ctx, n), x86_to_i64(ctx, x86_get(ctx, in->op[1].reg, size)) });
        leave_next(ctx);
    }
}

void x86_trans_mov_from_dr(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = x86_is64(ctx) ? 8 : 4;

    if (in->op[1].reg >= 8) {
        x86_raise_ud(ctx);
    } else if (need_cpl0(ctx)) {
        IrRef value = x86_call(ctx, X86_HELPER_dr_read, 1, (IrRef[]){ i32(ctx, in->op[1].reg) });
        x86_put(ctx, in->op[0].reg, size, x86_to_type(ctx, value, x86_type(size)));
    }
}

void x86_trans_mov_to_dr(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = x86_is64(ctx) ? 8 : 4;

    if (in->op[0].reg >= 8) {
        x86_raise_ud(ctx);
    } else if (need_cpl0(ctx)) {
        IrRef value = x86_to_i64(ctx, x86_get(ctx, in->op[1].reg, size));
        x86_call(ctx, X86_HELPER_dr_write, 2, (IrRef[]){ i32(ctx, in->op[0].reg), value });
        leave_next(ctx);
    }
}

void x86_trans_clts(TransCtx *ctx, const X86Insn *in)
{
    if (need_cpl0(ctx)) {
        x86_call(ctx, X86_HELPER_clts, 0, NULL);
        leave_next(ctx);
    }
}

/* -- the rest of level 0 --------------------------------------------------------------------------------------------------- */

/* No caches are modelled. */
void x86_trans_invd(TransCtx *ctx, const X86Insn *in)
{
    need_cpl0(ctx);
}

void x86_trans_rsm(TransCtx *ctx, const X86Insn *in)
{
    if (is_user(ctx)) {
        x86_raise_ud(ctx);
        return;
    }
    IrRef pc = x86_call(ctx, X86_HELPER_rsm, 0, NULL);
    leave_to(ctx, pc);
}

void x86_trans_rdmsr(TransCtx *ctx, const X86Insn *in)
{
    if (need_cpl0(ctx)) {
        x86_call(ctx, X86_HELPER_rdmsr, 0, NULL);
    }
}

void x86_trans_wrmsr(TransCtx *ctx, const X86Insn *in)
{
    if (need_cpl0(ctx)) {
        x86_call(ctx, X86_HELPER_wrmsr, 0, NULL);
        leave_next(ctx);
    }
}

void x86_trans_rdpmc(TransCtx *ctx, const X86Insn *in)
{
    x86_call(ctx, X86_HELPER_rdpmc, 0, NULL);
    ir_trap(ctx->b);
    ctx->ended = true;
}

/* -- MONITOR, SMAP, keys, FSGSBASE ------------------------------------------------------------------------------------------ */

void x86_trans_monitor(TransCtx *ctx, const X86Insn *in)
{
    if (is_user(ctx) || x86_mode_cpl(ctx)) {
        x86_raise_ud(ctx);
        return;
    }
    IrRef offset = x86_to_wt(ctx, x86_zext(ctx, x86_get(ctx, X86_RAX, in->addrsize), in->addrsize));
    unsigned seg = in->seg_override == X86_NO_REG ? X86_DS : in->seg_override;
    x86_call(ctx, X86_HELPER_monitor, 1, (IrRef[]){ x86_mem_addr(ctx, x86_linear(ctx, seg, offset, in->addrsize, 1, false)) });
}

void x86_trans_mwait(TransCtx *ctx, const X86Insn *in)
{
    if (is_user(ctx) || x86_mode_cpl(ctx)) {
        x86_raise_ud(ctx);
        return;
    }
    x86_call(ctx, X86_HELPER_mwait, 0, NULL);
    trans_leave(ctx, ctx->vcpu->parallel ? VCPU_EXIT_NONE : VCPU_EXIT_HALTED, ctx->next_pc);
}

void x86_trans_stac(TransCtx *ctx, const X86Insn *in)
{
    if (is_user(ctx) || x86_mode_cpl(ctx)) {
        x86_raise_ud(ctx);
        return;
    }
    IrRef flags = ir_get(ctx->b, X86_SLOT_EFLAGS);
    flags = in->row->aux ? ir_op2_imm(ctx->b, IR_or, IR_I32, flags, X86_AC) : ir_op2_imm(ctx->b, IR_and, IR_I32, flags, ~(uint32_t)X86_AC);
    ir_put(ctx->b, X86_SLOT_EFLAGS, flags);
    leave_next(ctx); /* the MMU index changes */
}

void x86_trans_rdpkru(TransCtx *ctx, const X86Insn *in)
{
    x86_put(ctx, X86_RAX, 4, x86_call(ctx, X86_HELPER_rdpkru, 0, NULL));
    x86_put(ctx, X86_RDX, 4, i32(ctx, 0));
}

void x86_trans_wrpkru(TransCtx *ctx, const X86Insn *in)
{
    x86_call(ctx, X86_HELPER_wrpkru, 0, NULL);
    leave_next(ctx);
}

void x86_trans_fsgsbase(TransCtx *ctx, const X86Insn *in)
{
    unsigned seg = in->row->aux & 1 ? X86_GS : X86_FS, size = in->op[0].size;

    if (in->row->aux & 2) {
        IrRef base = x86_to_i64(ctx, x86_get(ctx, in->op[0].reg, size));
        x86_call(ctx, X86_HELPER_fsgsbase, 1, (IrRef[]){ base });
        ir_put(ctx->b, X86_SLOT_SEG_BASE + seg, base);
    } else {
        x86_call(ctx, X86_HELPER_fsgsbase, 1, (IrRef[]){ i64(ctx, 0) });
        x86_put(ctx, in->op[0].reg, size, x86_to_type(ctx, ir_get(ctx->b, X86_SLOT_SEG_BASE + seg), x86_type(size)));
    }
}

/* -- I/O ---------------------------------------------------------------------------------------------------------------------- */

static IrRef port_of(TransCtx *ctx, const X86Insn *in, unsigned op)
{
    return in->op[op].kind == X86_OP_IMM ? i32(ctx, in->imm & 0xff) : x86_zext(ctx, x86_get(ctx, X86_RDX, 2), 2);
}

void x86_trans_in(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrRef value = x86_call(ctx, X86_HELPER_in, 2, (IrRef[]){ port_of(ctx, in, 1), i32(ctx, size) });
    x86_put(ctx, X86_RAX, size, value);
    look_at_lines(ctx);
}

void x86_trans_out(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[1].size;
    x86_call(ctx, X86_HELPER_out, 3, (IrRef[]){ port_of(ctx, in, 0), i32(ctx, size), x86_get(ctx, X86_RAX, size) });
    look_at_lines(ctx);
}

static void string_io(TransCtx *ctx, const X86Insn *in, X86Helper helper, unsigned size, unsigned seg)
{
    bool repeats = in->prefixes & (X86_PFX_REPE | X86_PFX_REPNE);
    uint32_t how = size | (uint32_t)in->addrsize << 8 | seg << 16 | (uint32_t)repeats << 24;
    IrRef more = x86_call(ctx, helper, 1, (IrRef[]){ i32(ctx, how) });

    if (repeats) {
        trans_leave_if(ctx, IR_NE, more, i32(ctx, 0), VCPU_EXIT_NONE, ctx->pc);
    }
    leave_next(ctx);
}

void x86_trans_ins(TransCtx *ctx, const X86Insn *in)
{
    string_io(ctx, in, X86_HELPER_ins, in->op[0].size, X86_ES);
}

void x86_trans_outs(TransCtx *ctx, const X86Insn *in)
{
    string_io(ctx, in, X86_HELPER_outs, in->op[1].size, in->seg_override == X86_NO_REG ? X86_DS : in->seg_override);
}
