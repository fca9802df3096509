/*
 * translate-system.c: MRS, MSR, SYS, exception generation and return, waiting, CLREX and SB (Arm ARM DDI 0487, C6.2). What a register is says sysreg.def.
 */
#include "target/arm/sysreg.h"
#include "target/arm/translate.h"

static IrRef insn_word(TransCtx *ctx)
{
    return ir_i32(ctx->b, (uint32_t)ctx->data[ARM_DATA_INSN]);
}

/* The register a name means here. */
static const ArmSysreg *resolve(const TransCtx *ctx, unsigned *key)
{
    return arm_sysreg_resolve(ctx->vcpu, key, arm_el(ctx), bits_get(ctx->mode, ARM_MODE_E2H, 1));
}

/*
 * A plain field that nothing can trap from here: EL0's have no trap bits; for EL1's those of levels that are not there do not count.
 * (write_el and read_el of `r` are given as `needs`.)
 */
static bool is_plain(const TransCtx *ctx, const ArmSysreg *r, unsigned needs)
{
    uint32_t traps = r->flags & ~(uint32_t)(ARM_SR_ENDS | ARM_SR_VHE | ARM_SR_SPACE);
    unsigned el = arm_el(ctx);
    bool top = el >= arm_highest_el(ctx->vcpu) || !ctx->vcpu->softmmu;

    return r->field >= 0 && needs <= el && (!traps || (el > 0 && top));
}

/* DC ZVA and what DCZID_EL0 says of it depend on bits of a higher level. */
static bool zva_may_trap(const TransCtx *ctx)
{
    return ctx->vcpu->softmmu && arm_el(ctx) < (arm_highest_el(ctx->vcpu) >= 2 ? 2u : 1u);
}

void arm_trans_mrs(TransCtx *ctx, const ArmArgsSysr *a)
{
    unsigned key = (unsigned)a->reg, rt = (unsigned)a->rt, el = arm_el(ctx);
    const ArmSysreg *r = resolve(ctx, &key);
    IrBuilder *b = ctx->b;

    if (key == ARM_SYSREG(3, 3, 4, 2, 0)) {
        arm_set_x(ctx, rt, arm_cc_get(ctx));
    } else if (r && key == ARM_SYSREG(3, 3, 4, 4, 0) && !bits_get(ctx->mode, ARM_MODE_FP_TRAP, 1)) { /* FPCR: libraries ask for it often */
        arm_set_x(ctx, rt, ir_ldenv(b, IR_I64, offsetof(ArmState, fpcr), 4, false));
    } else if (r && key == ARM_SYSREG(3, 3, 4, 4, 1) && !bits_get(ctx->mode, ARM_MODE_FP_TRAP, 1)) {
        arm_set_x(ctx, rt, arm_fpsr_read(ctx));
    } else if (r && !r->read && is_plain(ctx, r, r->read_el)) {
        arm_set_x(ctx, rt, ir_ldenv(b, IR_I64, r->field, 8, false));
    } else if (key == ARM_SYSREG(3, 0, 4, 1, 0) && el && bits_get(ctx->mode, ARM_MODE_SPSEL, 1)) { /* SP_EL0: Linux' current task */
        arm_set_x(ctx, rt, ir_ldenv(b, IR_I64, offsetof(ArmState, sp_el[0]), 8, false));
    } else if (key == ARM_SYSREG(3, 0, 4, 2, 2) && el) { /* CurrentEL */
        arm_set_x(ctx, rt, ir_i64(b, el << 2));
    } else if (key == ARM_SYSREG(3, 3, 0, 0, 7) && !zva_may_trap(ctx)) { /* DCZID_EL0: memset asks for it */
        arm_set_x(ctx, rt, ir_i64(b, arm_model(ctx->vcpu)->id[ARM_ID_DCZID]));
    } else if (key == ARM_SYSREG(3, 3, 4, 2, 1) && el) { /* DAIF */
        arm_set_x(ctx, rt, ir_op2_imm(b, IR_and, IR_I64, ir_ldenv(b, IR_I64, offsetof(ArmState, pstate), 8, false), PSTATE_DAIF));
    } else {
        arm_set_x(ctx, rt, ir_call(b, ARM_HELPER_mrs, 2, (IrRef[]){ ir_i32(b, (uint32_t)a->reg), insn_word(ctx) }));
    }
}

bool arm_sysreg_write_ends(const TransCtx *ctx, unsigned key)
{
    const ArmSysreg *r = resolve(ctx, &key);
    bool flushes = ctx->mode >> ARM_MODE_FP_FLUSH & 1; /* FPSR.IXC decides how (fp-status.c) */
    return r && (r->flags & ARM_SR_ENDS || (flushes && key == ARM_SYSREG(3, 3, 4, 4, 1)));
}

static void write(TransCtx *ctx, unsigned number, IrRef value)
{
    unsigned key = number;
    const ArmSysreg *r = resolve(ctx, &key);

    if (r && key == ARM_SYSREG(3, 3, 4, 4, 1) && !bits_get(ctx->mode, ARM_MODE_FP_TRAP, 1) && !arm_sysreg_write_ends(ctx, number)) {
        arm_fpsr_write(ctx, value);
        return;
    }

    if (r && !r->write && is_plain(ctx, r, r->write_el) && r->write_mask && !(r->flags & (ARM_SR_ENDS | ARM_SR_SPACE))) {
        /* The other bits of such a field are never set. */
        value = r->write_mask == ~(uint64_t)0 ? value : ir_op2_imm(ctx->b, IR_and, IR_I64, value, r->write_mask);
        ir_stenv(ctx->b, r->field, 8, value);
        return;
    }
    if (key == ARM_SYSREG(3, 0, 4, 1, 0) && arm_el(ctx) && bits_get(ctx->mode, ARM_MODE_SPSEL, 1)) {
        ir_stenv(ctx->b, offsetof(ArmState, sp_el[0]), 8, value);
        return;
    }
    ir_call(ctx->b, ARM_HELPER_msr, 3, (IrRef[]){ ir_i32(ctx->b, number), value, insn_word(ctx) });
    if (arm_sysreg_write_ends(ctx, number)) {
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
    } else if (ctx->vcpu->softmmu) {
        trans_interrupts_changed(ctx);
    }
}

void arm_trans_msr(TransCtx *ctx, const ArmArgsSysw *a)
{
    if (a->reg == ARM_SYSREG(3, 3, 4, 2, 0)) {
        arm_cc_set(ctx, ARM_CC_FLAGS, ir_op2_imm(ctx->b, IR_and, IR_I64, arm_x(ctx, (unsigned)a->rt), 0xf0000000), IR_NONE);
        return;
    }
    write(ctx, (unsigned)a->reg, arm_x(ctx, (unsigned)a->rt));
}

/* DC ZVA: the block of DCZID_EL0, in stores of 16 bytes; all of it is on one page, so the first one faults or none. */
static void zero_block(TransCtx *ctx, IrRef addr)
{
    IrVecConst zeros = { { 0 } };
    int bytes = 4 << bits_get(arm_model(ctx->vcpu)->id[ARM_ID_DCZID], 0, 4);
    IrRef base = ir_op2_imm(ctx->b, IR_and, IR_I64, addr, ~(uint64_t)(bytes - 1));
    IrRef zero = ir_vconst(ctx->b, IR_V128, &zeros);

    for (int at = 0; at < bytes; at += 16) {
        ir_store(ctx->b, base, IR_NONE, zero, (IrMem){ .disp = at, .size_log2 = 4, .mmu_index = (uint8_t)arm_mmu(ctx) });
    }
}

void arm_trans_sys(TransCtx *ctx, const ArmArgsSysop *a)
{
    if (a->op == ARM_SYSREG(1, 3, 7, 4, 1) && !zva_may_trap(ctx)) {
        zero_block(ctx, arm_x(ctx, (unsigned)a->rt));
        return;
    }
    write(ctx, (unsigned)a->op, arm_x(ctx, (unsigned)a->rt));
}

/* Fields: op1 op2 as two octal digits. */
enum { FIELD_DAIFSET = 036, FIELD_DAIFCLR = 037, FIELD_SPSEL = 005, FIELD_PAN = 004, FIELD_UAO = 003, FIELD_TCO = 034 };

bool arm_pstate_write_ends(unsigned field, unsigned imm)
{
    /* Debug exceptions that D has kept back are looked for from the next instruction on. */
    return (field == FIELD_DAIFCLR && (imm & 8)) || field == FIELD_SPSEL || field == FIELD_PAN || field == FIELD_UAO || field == FIELD_TCO;
}

void arm_trans_msr_imm(TransCtx *ctx, const ArmArgsPsti *a)
{
    IrBuilder *b = ctx->b;
    unsigned field = (unsigned)a->field, imm = (unsigned)a->imm;
    const int pstate = offsetof(ArmState, pstate);

    /* D decides whether debug exceptions are looked for, EL0 may be trapped: not here. */
    if (arm_el(ctx) && field == FIELD_DAIFSET && !(imm & 8)) {
        ir_stenv(b, pstate, 8, ir_op2_imm(b, IR_or, IR_I64, ir_ldenv(b, IR_I64, pstate, 8, false), (uint64_t)imm << 6));
        return;
    }
    if (arm_el(ctx) && field == FIELD_DAIFCLR && !(imm & 8)) {
        ir_stenv(b, pstate, 8, ir_op2_imm(b, IR_and, IR_I64, ir_ldenv(b, IR_I64, pstate, 8, false), ~((uint64_t)imm << 6)));
        ir_call(b, ARM_HELPER_irq_check, 0, NULL);
        trans_interrupts_changed(ctx);
        return;
    }
    ir_call(b, ARM_HELPER_msr_pstate, 3, (IrRef[]){ ir_i32(b, field), ir_i32(b, imm), insn_word(ctx) });
    if (arm_pstate_write_ends(field, imm)) {
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
    } else if (ctx->vcpu->softmmu) {
        trans_interrupts_changed(ctx);
    }
}

/* -- exceptions, waiting --------------------------------------------------------------------------------------- */

void arm_trans_hvc(TransCtx *ctx, const ArmArgsExc *a) { arm_raise(ctx, ctx->vcpu->softmmu ? ARM_EC_HVC64 : ARM_EC_UNKNOWN, (unsigned)a->imm); }
void arm_trans_smc(TransCtx *ctx, const ArmArgsExc *a) { arm_raise(ctx, ctx->vcpu->softmmu ? ARM_EC_SMC64 : ARM_EC_UNKNOWN, (unsigned)a->imm); }

/* Halting debug is not there: undefined, but for semihosting's number. */
void arm_trans_hlt(TransCtx *ctx, const ArmArgsExc *a)
{
    if (!arm_semihosting_insn(ctx, (uint32_t)a->imm, 0xf000)) {
        arm_undefined(ctx);
    }
}

void arm_trans_eret(TransCtx *ctx, const ArmArgsNone *a)
{
    unsigned el = arm_el(ctx);

    if (!el) {
        arm_undefined(ctx);
        return;
    }
    arm_exception_return_to(ctx, ir_ldenv(ctx->b, IR_I64, (int)(offsetof(ArmState, elr) + 8 * el), 8, false));
}

void arm_exception_return_to(TransCtx *ctx, IrRef pc)
{
    pc = ir_call(ctx->b, ARM_HELPER_eret, 1, (IrRef[]){ pc });
    ir_exit(ctx->b, (IrExit){ .kind = IR_EXIT_LEAVE, .reason = VCPU_EXIT_NONE }, pc);
    ctx->ended = true;
}

void arm_trans_wfi(TransCtx *ctx, const ArmArgsNone *a)
{
    if (!ctx->vcpu->softmmu) {
        trans_jump(ctx, ctx->next_pc);
        return;
    }
    ir_call(ctx->b, ARM_HELPER_wfi, 0, NULL);
    trans_leave(ctx, VCPU_EXIT_HALTED, ctx->next_pc);
}

void arm_trans_wfe(TransCtx *ctx, const ArmArgsNone *a)
{
    if (ctx->vcpu->softmmu) {
        ir_call(ctx->b, ARM_HELPER_wfe, 0, NULL);
    }
}

void arm_trans_clrex(TransCtx *ctx, const ArmArgsNone *a)
{
    ir_stenv(ctx->b, VCPU_JIT_OFFSET(monitor_addr), 8, ir_i64(ctx->b, ~(uint64_t)0));
}

/* Another thread is waited for: the others get their turn. */
void arm_trans_yield(TransCtx *ctx, const ArmArgsNone *a)
{
    ir_call(ctx->b, ARM_HELPER_yield, 0, NULL);
}

void arm_trans_sb(TransCtx *ctx, const ArmArgsNone *a)
{
    trans_jump(ctx, ctx->next_pc);
}
