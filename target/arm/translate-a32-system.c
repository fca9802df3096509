/*
 * translate-a32-system.c: exceptions, returns from them, status registers, banked registers, waiting and coprocessor registers of A32 and T32 (Arm
 * ARM DDI 0487, F5.1, F5.2). What a register is says cp15.def; modes: cpsr.c.
 *
 * Leaves out: debug's channel as a target of STC and LDC, which are undefined.
 */
#include "target/arm/a32.h"
#include "target/arm/cp15.h"

static IrRef insn_word(TransCtx *ctx) { return ir_i32(ctx->b, (uint32_t)ctx->data[ARM_DATA_INSN]); }

/* Goes on at an address that came with the state in bit 0, whatever has become of CPU state. */
static void leave_to(TransCtx *ctx, IrRef pc)
{
    pc = ctx->target->word_bits == 64 ? ir_op1(ctx->b, IR_ext_u, IR_I64, pc) : pc;
    ir_exit(ctx->b, (IrExit){ .kind = IR_EXIT_LEAVE, .reason = VCPU_EXIT_NONE }, pc);
    ctx->ended = true;
}

/* -- exceptions ---------------------------------------------------------------------------------------------------- */

/* SVC and HLT with numbers of their own call a debugger's host. */
void a32_trans_svc(TransCtx *ctx, const A32ArgsImm *a)
{
    if (!arm_semihosting_insn(ctx, (uint32_t)a->imm, a32_thumb(ctx) ? 0xab : 0x123456)) {
        a32_exception(ctx, ARM_EC_SVC32, (uint32_t)a->imm & 0xffff, VCPU_EXIT_SYSCALL);
    }
}

void a32_trans_hlt(TransCtx *ctx, const A32ArgsImm *a)
{
    if (!arm_semihosting_insn(ctx, (uint32_t)a->imm, a32_thumb(ctx) ? 0x3c : 0xf000)) {
        a32_undefined(ctx);
    }
}

void a32_trans_bkpt(TransCtx *ctx, const A32ArgsImm *a) { a32_exception(ctx, ARM_EC_BKPT32, (uint32_t)a->imm, VCPU_EXIT_BREAKPOINT); }
void a32_trans_udf(TransCtx *ctx, const A32ArgsImm *a) { a32_undefined(ctx); }

static void call_up(TransCtx *ctx, unsigned ec, uint32_t imm)
{
    if (ctx->vcpu->softmmu && arm_el(ctx)) {
        a32_exception(ctx, ec, imm, VCPU_EXIT_NONE);
    } else {
        a32_undefined(ctx);
    }
}

void a32_trans_hvc(TransCtx *ctx, const A32ArgsImm *a) { call_up(ctx, ARM_EC_HVC32, (uint32_t)a->imm & 0xffff); }
void a32_trans_smc(TransCtx *ctx, const A32ArgsImm *a) { call_up(ctx, ARM_EC_SMC32, 0); }

/* -- returns ----------------------------------------------------------------------------------------------------------- */

static bool has_spsr(const TransCtx *ctx) { return ctx->vcpu->softmmu && arm_el(ctx); }

void a32_exception_return(TransCtx *ctx, IrRef pc)
{
    if (has_spsr(ctx)) {
        leave_to(ctx, ir_call(ctx->b, ARM_HELPER_a32_return, 1, (IrRef[]){ pc }));
    } else {
        a32_undefined(ctx);
    }
}

/* Hyp mode's return address is in a register of its own. */
static IrRef eret_address(TransCtx *ctx)
{
    return arm_el(ctx) == 2 ? ir_ldenv(ctx->b, IR_I32, (int)offsetof(ArmState, elr[2]), 4, false) : a32_r(ctx, A32_LR);
}

void a32_trans_eret(TransCtx *ctx, const A32ArgsNone *a) { a32_exception_return(ctx, eret_address(ctx)); }

/* T32's SUBS PC, LR, #imm; with 0 it is ERET. */
void a32_trans_subs_pc_lr(TransCtx *ctx, const A32ArgsImm *a)
{
    IrRef from = a->imm ? ir_op2_imm(ctx->b, IR_sub, IR_I32, a32_r(ctx, A32_LR), (uint32_t)a->imm) : eret_address(ctx);
    a32_exception_return(ctx, from);
}

/* Two words at what base is moved to: increment or decrement, before or after. */
static int two_words(int p, int u) { return (u ? 0 : -8) + (p == u ? 4 : 0); }

void a32_trans_srs(TransCtx *ctx, const A32ArgsSrs *a)
{
    IrBuilder *b = ctx->b;

    if (!has_spsr(ctx) || arm_el(ctx) == 2) {
        a32_undefined(ctx);
        return;
    }
    IrRef which = ir_i32(b, (uint32_t)a->mode << 4 | A32_SP);
    IrRef spsr = ir_call(b, ARM_HELPER_a32_spsr_get, 0, NULL), base = ir_call(b, ARM_HELPER_a32_mode_reg_get, 1, (IrRef[]){ which });
    int at = two_words(a->p, a->u);
    ir_store(b, base, IR_NONE, a32_r(ctx, A32_LR), a32_access_words(ctx, at));
    ir_store(b, base, IR_NONE, spsr, a32_access_words(ctx, at + 4));
    if (a->w) {
        ir_call(b, ARM_HELPER_a32_mode_reg_set, 2, (IrRef[]){ which, ir_op2_imm(b, IR_add, IR_I32, base, (uint32_t)(a->u ? 8 : -8)) });
    }
    trans_jump(ctx, ctx->next_pc);
}

void a32_trans_rfe(TransCtx *ctx, const A32ArgsRfe *a)
{
    IrBuilder *b = ctx->b;

    if (!has_spsr(ctx) || arm_el(ctx) == 2) {
        a32_undefined(ctx);
        return;
    }
    IrRef base = a32_r(ctx, (unsigned)a->rn);
    int at = two_words(a->p, a->u);
    IrRef pc = ir_load(b, IR_I32, base, IR_NONE, a32_access_words(ctx, at)), cpsr = ir_load(b, IR_I32, base, IR_NONE, a32_access_words(ctx, at + 4));
    if (a->w) {
        a32_put(ctx, (unsigned)a->rn, ir_op2_imm(b, IR_add, IR_I32, base, (uint32_t)(a->u ? 8 : -8)));
    }
    leave_to(ctx, ir_call(b, ARM_HELPER_a32_rfe, 2, (IrRef[]){ pc, cpsr }));
}

/* -- PSTATE ---------------------------------------------------------------------------------------------------------------- */

/* enable, disable or neither; aif: bits A I F; mode: to go to, -1: none. */
static void change_state(TransCtx *ctx, int enable, unsigned aif, int mode)
{
    IrBuilder *b = ctx->b;
    const int pstate = offsetof(ArmState, pstate);
    bool guarded = arm_has(ctx->vcpu, EL3) && !arm_model(ctx->vcpu)->aarch64; /* SCR.AW, SCR.FW */

    if (!ctx->vcpu->softmmu || !arm_el(ctx)) {
        trans_jump(ctx, ctx->next_pc); /* nothing happens at EL0 */
        return;
    }
    if (mode >= 0 || (guarded && aif & 5)) {
        uint32_t how = (enable < 0 ? 0 : enable ? 2 : 3) << 8 | aif << 5 | (mode < 0 ? 0 : 1u << 10 | (uint32_t)mode);
        ir_call(b, ARM_HELPER_a32_cps, 1, (IrRef[]){ ir_i32(b, how) });
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
        return;
    }
    IrRef old = ir_ldenv(b, IR_I64, pstate, 8, false);
    if (enable >= 0) {
        ir_stenv(b, pstate, 8, enable ? ir_op2_imm(b, IR_and, IR_I64, old, ~((uint64_t)aif << 6)) : ir_op2_imm(b, IR_or, IR_I64, old, (uint64_t)aif << 6));
    }
    if (enable == 1) {
        ir_call(b, ARM_HELPER_irq_check, 0, NULL);
        trans_interrupts_changed(ctx);
    }
    trans_jump(ctx, ctx->next_pc);
}

void a32_trans_cps(TransCtx *ctx, const A32ArgsCps *a)
{
    change_state(ctx, a->imod == 2 ? 1 : a->imod == 3 ? 0 : -1, a->imod & 2 ? (unsigned)a->aif : 0, a->m ? a->mode : -1);
}

void a32_trans_cps_t(TransCtx *ctx, const A32ArgsCps *a) { change_state(ctx, !a->imod, (unsigned)a->aif, -1); }

void a32_trans_setpan(TransCtx *ctx, const A32ArgsImm *a)
{
    const int pstate = offsetof(ArmState, pstate);

    if (ctx->vcpu->softmmu && !arm_has(ctx->vcpu, PAN)) {
        a32_undefined(ctx);
        return;
    }
    if (ctx->vcpu->softmmu && arm_el(ctx)) {
        IrRef old = ir_ldenv(ctx->b, IR_I64, pstate, 8, false);
        ir_stenv(ctx->b, pstate, 8, ir_op2_imm(ctx->b, a->imm ? IR_or : IR_and, IR_I64, old, a->imm ? PSTATE_PAN : ~PSTATE_PAN));
    }
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}

void a32_trans_setend(TransCtx *ctx, const A32ArgsImm *a)
{
    const int pstate = offsetof(ArmState, pstate);

    IrRef old = ir_ldenv(ctx->b, IR_I64, pstate, 8, false);
    ir_stenv(ctx->b, pstate, 8, ir_op2_imm(ctx->b, a->imm ? IR_or : IR_and, IR_I64, old, a->imm ? PSTATE_E : ~PSTATE_E));
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}

/* -- waiting ------------------------------------------------------------------------------------------------------------------ */

void a32_trans_wfi(TransCtx *ctx, const A32ArgsNone *a)
{
    if (!ctx->vcpu->softmmu) {
        trans_jump(ctx, ctx->next_pc);
        return;
    }
    ir_call(ctx->b, ARM_HELPER_wfi, 0, NULL);
    trans_leave(ctx, VCPU_EXIT_HALTED, ctx->next_pc);
}

void a32_trans_wfe(TransCtx *ctx, const A32ArgsNone *a)
{
    if (ctx->vcpu->softmmu) {
        ir_call(ctx->b, ARM_HELPER_wfe, 0, NULL);
    }
}

void a32_trans_yield(TransCtx *ctx, const A32ArgsNone *a) { ir_call(ctx->b, ARM_HELPER_yield, 0, NULL); }

/* -- status registers -------------------------------------------------------------------------------------------------------------- */

void a32_trans_mrs(TransCtx *ctx, const A32ArgsMrs *a)
{
    IrBuilder *b = ctx->b;

    if ((a->spsr && !has_spsr(ctx)) || a->rd == A32_PC) {
        a32_undefined(ctx);
        return;
    }
    if (a->spsr) {
        a32_put(ctx, (unsigned)a->rd, ir_call(b, ARM_HELPER_a32_spsr_get, 0, NULL));
        return;
    }
    IrRef v = ir_op1(b, IR_trunc, IR_I32, arm_cc_get(ctx));
    IrRef q = ir_ldenv(b, IR_I32, (int)offsetof(ArmState, q), 1, false), ge = ir_ldenv(b, IR_I32, (int)offsetof(ArmState, ge), 1, false);
    v = ir_op2(b, IR_or, IR_I32, v, ir_op2_imm(b, IR_shl, IR_I32, q, 27));
    v = ir_op2(b, IR_or, IR_I32, v, ir_op2_imm(b, IR_shl, IR_I32, ge, 16));
    v = ctx->mode >> ARM_MODE_BE & 1 ? ir_op2_imm(b, IR_or, IR_I32, v, (uint32_t)PSTATE_E) : v;
    if (ctx->vcpu->softmmu && (arm_has(ctx->vcpu, SSBS) || arm_has(ctx->vcpu, DIT))) { /* bits that PSTATE has elsewhere */
        v = ir_call(b, ARM_HELPER_a32_mrs, 0, NULL);
    } else if (ctx->vcpu->softmmu && arm_el(ctx)) {
        IrRef p = ir_ldenv(b, IR_I32, (int)offsetof(ArmState, pstate), 4, false), m = ir_ldenv(b, IR_I32, (int)offsetof(ArmState, mode), 1, false);
        v = ir_op2(b, IR_or, IR_I32, v, ir_op2_imm(b, IR_and, IR_I32, p, PSTATE_A | PSTATE_I | PSTATE_F | PSTATE_E | PSTATE_PAN | PSTATE_NRW));
        v = ir_op2(b, IR_or, IR_I32, v, m);
    } else {
        v = ir_op2_imm(b, IR_or, IR_I32, v, ARM_CPSR_USER);
    }
    a32_put(ctx, (unsigned)a->rd, v);
}

/* APSR: bit 3 of the mask writes NZCVQ, bit 2 GE. */
static void write_apsr(TransCtx *ctx, IrRef v, unsigned mask)
{
    IrBuilder *b = ctx->b;

    if (mask & 8) {
        IrRef flags = ir_op1(b, IR_ext_u, IR_I64, ir_op2_imm(b, IR_and, IR_I32, v, 0xf0000000));
        arm_cc_set(ctx, ARM_CC_FLAGS, flags, IR_NONE);
        ir_stenv(b, (int)offsetof(ArmState, q), 1, ir_emit(b, IR_bfx, IR_I32, 27 | 1 << 8, v, IR_NONE, IR_NONE));
    }
    if (mask & 4) {
        ir_stenv(b, (int)offsetof(ArmState, ge), 1, ir_emit(b, IR_bfx, IR_I32, 16 | 4 << 8, v, IR_NONE, IR_NONE));
    }
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}

static void write_status(TransCtx *ctx, IrRef v, unsigned mask, bool spsr)
{
    IrBuilder *b = ctx->b;

    if (spsr && !has_spsr(ctx)) {
        a32_undefined(ctx);
    } else if (spsr) {
        ir_call(b, ARM_HELPER_a32_spsr_set, 2, (IrRef[]){ v, ir_i32(b, mask) });
        trans_jump(ctx, ctx->next_pc);
    } else if (!ctx->vcpu->softmmu || (mask & ~12u) == 0 || (!arm_el(ctx) && !(mask & 2))) {
        write_apsr(ctx, v, mask);
    } else {
        /* Kernels do this all the time to mask interrupts and back, which leaves code as it is. */
        IrRef changed = ir_call(b, ARM_HELPER_a32_msr, 2, (IrRef[]){ v, ir_i32(b, mask) });
        trans_leave_if(ctx, IR_NE, changed, ir_i32(b, 0), VCPU_EXIT_NONE, ctx->next_pc);
        trans_interrupts_changed(ctx);
        trans_jump(ctx, ctx->next_pc);
    }
}

void a32_trans_msr(TransCtx *ctx, const A32ArgsMsr *a) { write_status(ctx, a32_r(ctx, (unsigned)a->rn), (unsigned)a->mask, a->spsr); }

void a32_trans_msr_i(TransCtx *ctx, const A32ArgsMsri *a)
{
    uint32_t v = (uint32_t)a->imm & 0xff, rotate = 2 * ((uint32_t)a->imm >> 8);
    write_status(ctx, ir_i32(ctx->b, rotate ? v >> rotate | v << (32 - rotate) : v), (unsigned)a->mask, a->spsr);
}

/* Registers of other modes. */
void a32_trans_mrs_b(TransCtx *ctx, const A32ArgsBank *a)
{
    if (!has_spsr(ctx)) {
        a32_undefined(ctx);
        return;
    }
    a32_put(ctx, (unsigned)a->r, ir_call(ctx->b, ARM_HELPER_a32_bank_get, 1, (IrRef[]){ ir_i32(ctx->b, (uint32_t)(a->spsr << 5 | a->sysm)) }));
    trans_jump(ctx, ctx->next_pc);
}

void a32_trans_msr_b(TransCtx *ctx, const A32ArgsBank *a)
{
    if (!has_spsr(ctx)) {
        a32_undefined(ctx);
        return;
    }
    ir_call(ctx->b, ARM_HELPER_a32_bank_set, 2, (IrRef[]){ ir_i32(ctx->b, (uint32_t)(a->spsr << 5 | a->sysm)), a32_r(ctx, (unsigned)a->r) });
    trans_jump(ctx, ctx->next_pc);
}

/* -- coprocessor registers -------------------------------------------------------------------------------------------------------------- */

static bool is_system_coprocessor(int cp) { return cp == 14 || cp == 15; }

/* A plain field that nothing can trap from here. */
static bool is_plain(const TransCtx *ctx, const ArmCpReg *r, unsigned needs)
{
    Vcpu *vcpu = ctx->vcpu;
    uint32_t traps = r->flags & ~(uint32_t)(ARM_SR_ENDS | ARM_SR_SPACE);
    bool one_bank = !arm_has(vcpu, EL3) || arm_model(vcpu)->aarch64, top = !vcpu->softmmu || !arm_has(vcpu, EL2) || arm_el(ctx) >= 2;

    return r->field >= 0 && needs <= (vcpu->softmmu ? arm_el(ctx) : 0) && needs != 2 && one_bank && top && (!traps || arm_el(ctx));
}

/* User mode: the thread registers, which the kernel's helpers may use whatever the model is. */
static bool is_thread_register(const TransCtx *ctx, uint32_t key, bool write)
{
    return !ctx->vcpu->softmmu && a32_has(ctx, ARM_EXT_V6K) && (key == ARM_CP(15, 0, 13, 0, 2) || (key == ARM_CP(15, 0, 13, 0, 3) && !write));
}

static int thread_register(uint32_t key) { return key & 1 ? (int)offsetof(ArmState, tpidrro_el0) : (int)offsetof(ArmState, tpidr_el0); }

static int field_offset(const ArmCpReg *r) { return r->field + (r->banked ? 8 : 0) + (r->part == ARM_CP_HIGH ? 4 : 0); }

static void after_write(TransCtx *ctx, const ArmCpReg *r)
{
    if (!r || (r->flags & ARM_SR_ENDS)) {
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
    } else {
        trans_interrupts_changed(ctx);
        trans_jump(ctx, ctx->next_pc);
    }
}

void a32_trans_mcr(TransCtx *ctx, const A32ArgsCop *a)
{
    uint32_t key = ARM_CP(a->cp, (uint32_t)a->opc1, (uint32_t)a->crn, (uint32_t)a->crm, (uint32_t)a->opc2);
    ArmCpReg scratch;
    const ArmCpReg *r = is_system_coprocessor(a->cp) ? arm_cp_find(ctx->vcpu, key, &scratch) : NULL;
    IrBuilder *b = ctx->b;

    if (!is_system_coprocessor(a->cp)) {
        a32_undefined(ctx);
        return;
    }
    switch (key) {
    case ARM_CP(15, 0, 7, 5, 4): case ARM_CP(15, 0, 7, 10, 4): case ARM_CP(15, 0, 7, 10, 5): /* CP15ISB, CP15DSB, CP15DMB */
        if (!a32_has(ctx, ARM_EXT_V6) && (!ctx->vcpu->softmmu || !arm_el(ctx))) {
            a32_undefined(ctx);
            return;
        }
        ir_fence(b, IR_FENCE_ALL);
        if (ctx->vcpu->softmmu && ctx->vcpu->parallel && arm_el(ctx) && key == ARM_CP(15, 0, 7, 10, 4)) {
            ir_call(b, ARM_HELPER_dsb, 0, NULL);
        }
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
        return;
    case ARM_CP(15, 0, 7, 0, 4):
        if (ctx->vcpu->softmmu && arm_el(ctx) && !arm_has(ctx->vcpu, V7)) {
            a32_trans_wfi(ctx, NULL);
            return;
        }
        break;
    }
    if (is_thread_register(ctx, key, true)) {
        ir_stenv(b, thread_register(key), 4, a32_r(ctx, (unsigned)a->rt));
        trans_jump(ctx, ctx->next_pc);
        return;
    }
    if (r && !r->write && r->part != ARM_CP_WHOLE && is_plain(ctx, r, r->write_el) && (uint32_t)(r->write_mask >> (r->part == ARM_CP_HIGH ? 32 : 0)) == UINT32_MAX &&
        !(r->flags & (ARM_SR_ENDS | ARM_SR_SPACE))) {
        ir_stenv(b, field_offset(r), 4, a32_r(ctx, (unsigned)a->rt));
        trans_jump(ctx, ctx->next_pc);
        return;
    }
    ir_call(b, ARM_HELPER_a32_mcr, 3, (IrRef[]){ ir_i32(b, key), ir_op1(b, IR_ext_u, IR_I64, a32_r(ctx, (unsigned)a->rt)), insn_word(ctx) });
    after_write(ctx, r);
}

void a32_trans_mrc(TransCtx *ctx, const A32ArgsCop *a)
{
    uint32_t key = ARM_CP(a->cp, (uint32_t)a->opc1, (uint32_t)a->crn, (uint32_t)a->crm, (uint32_t)a->opc2);
    ArmCpReg scratch;
    const ArmCpReg *r = is_system_coprocessor(a->cp) ? arm_cp_find(ctx->vcpu, key, &scratch) : NULL;
    IrBuilder *b = ctx->b;
    IrRef v;

    if (!is_system_coprocessor(a->cp)) {
        a32_undefined(ctx);
        return;
    }
    if (is_thread_register(ctx, key, false)) {
        v = ir_ldenv(b, IR_I32, thread_register(key), 4, false);
    } else if (r && !r->read && r->part != ARM_CP_WHOLE && is_plain(ctx, r, r->read_el)) {
        v = ir_ldenv(b, IR_I32, field_offset(r), 4, false);
    } else {
        v = ir_op1(b, IR_trunc, IR_I32, ir_call(b, ARM_HELPER_a32_mrc, 2, (IrRef[]){ ir_i32(b, key), insn_word(ctx) }));
    }
    if (a->rt == A32_PC) { /* the flags */
        arm_cc_set(ctx, ARM_CC_FLAGS, ir_op1(b, IR_ext_u, IR_I64, ir_op2_imm(b, IR_and, IR_I32, v, 0xf0000000)), IR_NONE);
    } else {
        a32_put(ctx, (unsigned)a->rt, v);
    }
}

void a32_trans_mcrr(TransCtx *ctx, const A32ArgsCop2 *a)
{
    uint32_t key = ARM_CP64(a->cp, (uint32_t)a->opc1, (uint32_t)a->crm);
    ArmCpReg scratch;
    IrBuilder *b = ctx->b;

    if (!is_system_coprocessor(a->cp) || a->rt == A32_PC || a->rt2 == A32_PC) {
        a32_undefined(ctx);
        return;
    }
    IrRef low = ir_op1(b, IR_ext_u, IR_I64, a32_r(ctx, (unsigned)a->rt)), high = ir_op1(b, IR_ext_u, IR_I64, a32_r(ctx, (unsigned)a->rt2));
    IrRef v = ir_op2(b, IR_or, IR_I64, low, ir_op2_imm(b, IR_shl, IR_I64, high, 32));
    ir_call(b, ARM_HELPER_a32_mcr, 3, (IrRef[]){ ir_i32(b, key), v, insn_word(ctx) });
    after_write(ctx, arm_cp_find(ctx->vcpu, key, &scratch));
}

void a32_trans_mrrc(TransCtx *ctx, const A32ArgsCop2 *a)
{
    uint32_t key = ARM_CP64(a->cp, (uint32_t)a->opc1, (uint32_t)a->crm);
    IrBuilder *b = ctx->b;

    if (!is_system_coprocessor(a->cp) || a->rt == A32_PC || a->rt2 == A32_PC) {
        a32_undefined(ctx);
        return;
    }
    IrRef v = ir_call(b, ARM_HELPER_a32_mrc, 2, (IrRef[]){ ir_i32(b, key), insn_word(ctx) });
    a32_put(ctx, (unsigned)a->rt, ir_op1(b, IR_trunc, IR_I32, v));
    a32_put(ctx, (unsigned)a->rt2, ir_op1(b, IR_trunc, IR_I32, ir_op2_imm(b, IR_shr, IR_I64, v, 32)));
}
