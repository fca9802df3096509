/*
 * translate-a32-branch.c: branches, exceptions, status and system registers, hints and barriers of A32 and T32 (Arm ARM DDI 0487,
 * F5.1), as far as they exist at EL0. What needs a higher level is undefined here.
 */
#include "target/arm/a32.h"

static vaddr relative(const TransCtx *ctx, int imm)
{
    return (uint32_t)(ctx->pc + (a32_thumb(ctx) ? 4 : 8) + (uint64_t)(int64_t)imm);
}

/* -- branches ---------------------------------------------------------------------------------------------- */

void a32_trans_b(TransCtx *ctx, const A32ArgsB *a)
{
    unsigned cond = (unsigned)(ctx->data[ARM_DATA_INSN] >> 28);

    if (a32_thumb(ctx) || cond == 14) {
        trans_jump(ctx, relative(ctx, a->imm));
        return;
    }
    ArmCondRef c = arm_cond(ctx, cond);
    trans_branch(ctx, c.cond, c.a, c.b, relative(ctx, a->imm));
}

void a32_trans_bcc(TransCtx *ctx, const A32ArgsBcc *a)
{
    if (a->cond >= 14) {
        a32_undefined(ctx);
        return;
    }
    ArmCondRef c = arm_cond(ctx, (unsigned)a->cond);
    trans_branch(ctx, c.cond, c.a, c.b, relative(ctx, a->imm));
}

static void call(TransCtx *ctx, vaddr target)
{
    a32_put(ctx, A32_LR, ir_i32(ctx->b, (uint32_t)ctx->next_pc));
    trans_call(ctx, target, ctx->next_pc);
}

void a32_trans_bl(TransCtx *ctx, const A32ArgsB *a) { call(ctx, relative(ctx, a->imm)); }
void a32_trans_blx_i(TransCtx *ctx, const A32ArgsB *a) { call(ctx, relative(ctx, a->imm) | 1); }

void a32_trans_b_t4(TransCtx *ctx, const A32ArgsBl *a) { trans_jump(ctx, a32_bl_target(ctx->pc, a, false)); }
void a32_trans_bl_t(TransCtx *ctx, const A32ArgsBl *a) { call(ctx, a32_bl_target(ctx->pc, a, false)); }
void a32_trans_blx_t(TransCtx *ctx, const A32ArgsBl *a) { call(ctx, a32_bl_target(ctx->pc, a, true)); }

void a32_trans_bx(TransCtx *ctx, const A32ArgsBr *a)
{
    a32_jump(ctx, a32_r(ctx, a->rm), a->rm == A32_LR ? IR_EXIT_RETURN : IR_EXIT_INDIRECT, ctx->next_pc);
}

void a32_trans_blx_r(TransCtx *ctx, const A32ArgsBr *a)
{
    IrRef target = a32_r(ctx, a->rm);
    a32_put(ctx, A32_LR, ir_i32(ctx->b, (uint32_t)ctx->next_pc));
    a32_jump(ctx, target, IR_EXIT_INDIRECT_CALL, ctx->next_pc);
}

static void compare_branch(TransCtx *ctx, const A32ArgsCbz *a, IrCond cond)
{
    trans_branch(ctx, cond, a32_r(ctx, a->rn), ir_i32(ctx->b, 0), relative(ctx, a->imm));
}

void a32_trans_cbz(TransCtx *ctx, const A32ArgsCbz *a) { compare_branch(ctx, a, IR_EQ); }
void a32_trans_cbnz(TransCtx *ctx, const A32ArgsCbz *a) { compare_branch(ctx, a, IR_NE); }

/* The table holds halves of distances from the value of the pc. */
static void table_branch(TransCtx *ctx, const A32ArgsTb *a, unsigned size)
{
    IrMem mem = { .size_log2 = (uint8_t)size, .scale_log2 = (uint8_t)size, .mmu_index = (uint8_t)arm_mmu(ctx) };
    IrRef base = a32_r(ctx, a->rn);
    IrRef half = ir_load(ctx->b, IR_I32, base, a32_r(ctx, a->rm), mem);
    IrRef target = ir_op2_imm(ctx->b, IR_add, IR_I32, ir_op2_imm(ctx->b, IR_shl, IR_I32, half, 1), a32_pc_value(ctx) | 1);

    a32_jump(ctx, target, IR_EXIT_INDIRECT, ctx->next_pc);
}

void a32_trans_tbb(TransCtx *ctx, const A32ArgsTb *a) { table_branch(ctx, a, 0); }
void a32_trans_tbh(TransCtx *ctx, const A32ArgsTb *a) { table_branch(ctx, a, 1); }

/* -- exceptions -------------------------------------------------------------------------------------------------- */

void a32_trans_svc(TransCtx *ctx, const A32ArgsImm *a)
{
    if (!arm_semihosting_insn(ctx, (uint32_t)a->imm, a32_thumb(ctx) ? 0xab : 0x123456)) {
        a32_exception(ctx, ARM_EC_SVC32, (uint32_t)a->imm & 0xffff, VCPU_EXIT_SYSCALL);
    }
}

void a32_trans_bkpt(TransCtx *ctx, const A32ArgsImm *a) { a32_exception(ctx, ARM_EC_BKPT32, (uint32_t)a->imm, VCPU_EXIT_BREAKPOINT); }
void a32_trans_udf(TransCtx *ctx, const A32ArgsImm *a) { a32_undefined(ctx); }
void a32_trans_hlt(TransCtx *ctx, const A32ArgsImm *a)
{
    if (!arm_semihosting_insn(ctx, (uint32_t)a->imm, a32_thumb(ctx) ? 0x3c : 0xf000)) {
        a32_undefined(ctx);
    }
}

void a32_trans_hvc(TransCtx *ctx, const A32ArgsImm *a) { a32_undefined(ctx); }
void a32_trans_smc(TransCtx *ctx, const A32ArgsImm *a) { a32_undefined(ctx); }
void a32_trans_eret(TransCtx *ctx, const A32ArgsNone *a) { a32_undefined(ctx); }
void a32_trans_subs_pc_lr(TransCtx *ctx, const A32ArgsImm *a) { a32_undefined(ctx); }
void a32_trans_srs(TransCtx *ctx, const A32ArgsSrs *a) { a32_undefined(ctx); }
void a32_trans_rfe(TransCtx *ctx, const A32ArgsRfe *a) { a32_undefined(ctx); }

/* Nothing happens at EL0. */
void a32_trans_cps(TransCtx *ctx, const A32ArgsCps *a) { trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc); }
void a32_trans_cps_t(TransCtx *ctx, const A32ArgsCps *a) { trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc); }
void a32_trans_setpan(TransCtx *ctx, const A32ArgsImm *a) { trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc); }

void a32_trans_setend(TransCtx *ctx, const A32ArgsImm *a)
{
    if (a->imm) {
        a32_undefined(ctx); /* big-endian data: SCTLR.SED, as processors without mixed endianness have it */
    } else {
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
    }
}

/* -- hints and barriers ---------------------------------------------------------------------------------------------- */

void a32_trans_hint(TransCtx *ctx, const A32ArgsNone *a) { }

/* Bits 1:0: 1 loads before anything, 2 stores before stores, else everything. */
void a32_trans_barrier(TransCtx *ctx, const A32ArgsImm *a)
{
    static const uint8_t mask[4] = { IR_FENCE_ALL, IR_FENCE_RR | IR_FENCE_RW, IR_FENCE_WW, IR_FENCE_ALL };
    ir_fence(ctx->b, mask[a->imm & 3]);
}

void a32_trans_isb(TransCtx *ctx, const A32ArgsNone *a)
{
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}

void a32_trans_clrex(TransCtx *ctx, const A32ArgsNone *a)
{
    ir_stenv(ctx->b, VCPU_JIT_OFFSET(monitor_addr), 8, ir_i64(ctx->b, ~(uint64_t)0));
}

/* -- status registers ---------------------------------------------------------------------------------------------------- */

void a32_trans_mrs(TransCtx *ctx, const A32ArgsMrs *a)
{
    IrBuilder *b = ctx->b;

    if (a->spsr || a->rd == A32_PC) {
        a32_undefined(ctx);
        return;
    }
    IrRef v = ir_op1(b, IR_trunc, IR_I32, arm_cc_get(ctx));
    IrRef q = ir_ldenv(b, IR_I32, (int)offsetof(ArmState, q), 1, false), ge = ir_ldenv(b, IR_I32, (int)offsetof(ArmState, ge), 1, false);
    v = ir_op2(b, IR_or, IR_I32, v, ir_op2_imm(b, IR_shl, IR_I32, q, 27));
    v = ir_op2(b, IR_or, IR_I32, v, ir_op2_imm(b, IR_shl, IR_I32, ge, 16));
    a32_put(ctx, a->rd, ir_op2_imm(b, IR_or, IR_I32, v, ARM_CPSR_USER));
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

void a32_trans_msr(TransCtx *ctx, const A32ArgsMsr *a)
{
    if (a->spsr) {
        a32_undefined(ctx);
        return;
    }
    write_apsr(ctx, a32_r(ctx, a->rn), (unsigned)a->mask);
}

void a32_trans_msr_i(TransCtx *ctx, const A32ArgsMsri *a)
{
    uint32_t v = (uint32_t)a->imm & 0xff, rotate = 2 * ((uint32_t)a->imm >> 8);

    if (a->spsr) {
        a32_undefined(ctx);
        return;
    }
    write_apsr(ctx, ir_i32(ctx->b, rotate ? v >> rotate | v << (32 - rotate) : v), (unsigned)a->mask);
}

/* -- system registers of EL0 (coprocessor 15) ------------------------------------------------------------------------------ */

void a32_trans_mcr(TransCtx *ctx, const A32ArgsCop *a)
{
    unsigned which = (unsigned)(a->opc1 << 12 | a->crn << 8 | a->crm << 4 | a->opc2);

    if (a->cp != 15 || !a32_has(ctx, ARM_EXT_V6) || (which == 0xd02 && !a32_has(ctx, ARM_EXT_V6K))) {
        a32_undefined(ctx);
        return;
    }
    switch (which) {
    case 0x754: case 0x7a4: case 0x7a5: /* CP15ISB, CP15DSB, CP15DMB */
        ir_fence(ctx->b, IR_FENCE_ALL);
        break;
    case 0xd02: /* TPIDRURW */
        ir_stenv(ctx->b, (int)offsetof(ArmState, tpidr_el0), 4, a32_r(ctx, a->rt));
        break;
    default:
        a32_undefined(ctx);
        return;
    }
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}

void a32_trans_mrc(TransCtx *ctx, const A32ArgsCop *a)
{
    unsigned which = (unsigned)(a->opc1 << 12 | a->crn << 8 | a->crm << 4 | a->opc2);

    if (a->cp != 15 || a->rt == A32_PC || (which != 0xd02 && which != 0xd03) || !a32_has(ctx, ARM_EXT_V6K)) {
        a32_undefined(ctx);
        return;
    }
    int at = which == 0xd02 ? (int)offsetof(ArmState, tpidr_el0) : (int)offsetof(ArmState, tpidrro_el0);
    a32_put(ctx, a->rt, ir_ldenv(ctx->b, IR_I32, at, 4, false));
}

void a32_trans_mcrr(TransCtx *ctx, const A32ArgsCop2 *a) { a32_undefined(ctx); }

/* CNTPCT and CNTVCT are opc1 0 and 1 of c14. */
void a32_trans_mrrc(TransCtx *ctx, const A32ArgsCop2 *a)
{
    if (a->cp != 15 || a->crm != 14 || a->opc1 != 1 || a->rt == A32_PC || a->rt2 == A32_PC) {
        a32_undefined(ctx);
        return;
    }
    IrRef v = ir_call(ctx->b, ARM_HELPER_a32_counter, 0, NULL);
    a32_put(ctx, a->rt, ir_op1(ctx->b, IR_trunc, IR_I32, v));
    a32_put(ctx, a->rt2, ir_op1(ctx->b, IR_trunc, IR_I32, ir_op2_imm(ctx->b, IR_shr, IR_I64, v, 32)));
}
