/*
 * translate-system.c: MRS, MSR, SYS, CLREX and SB (Arm ARM DDI 0487, C6.2). What a register is says sysreg.def.
 */
#include "target/arm/translate.h"

static IrRef insn_word(TransCtx *ctx)
{
    return ir_i32(ctx->b, (uint32_t)ctx->data[ARM_DATA_INSN]);
}

void arm_trans_mrs(TransCtx *ctx, const ArmArgsSysr *a)
{
    const ArmSysreg *r = arm_sysreg_find(ctx->vcpu, (unsigned)a->reg);

    if (a->reg == ARM_SYSREG(3, 3, 4, 2, 0)) {
        arm_set_x(ctx, (unsigned)a->rt, arm_cc_get(ctx));
    } else if (r && r->field >= 0 && !r->read && r->read_el == 0) {
        arm_set_x(ctx, (unsigned)a->rt, ir_ldenv(ctx->b, IR_I64, r->field, 8, false));
    } else {
        arm_set_x(ctx, (unsigned)a->rt, ir_call(ctx->b, ARM_HELPER_mrs, 2, (IrRef[]){ ir_i32(ctx->b, (uint32_t)a->reg), insn_word(ctx) }));
    }
}

bool arm_sysreg_write_ends(const Vcpu *vcpu, unsigned key)
{
    const ArmSysreg *r = arm_sysreg_find(vcpu, key);
    return r && (r->flags & ARM_SYSREG_ENDS);
}

static void write(TransCtx *ctx, unsigned key, IrRef value)
{
    const ArmSysreg *r = arm_sysreg_find(ctx->vcpu, key);

    if (r && r->field >= 0 && !r->write && r->write_mask == ~(uint64_t)0 && !r->flags && r->write_el == 0) {
        ir_stenv(ctx->b, r->field, 8, value);
        return;
    }
    ir_call(ctx->b, ARM_HELPER_msr, 3, (IrRef[]){ ir_i32(ctx->b, key), value, insn_word(ctx) });
    if (arm_sysreg_write_ends(ctx->vcpu, key)) {
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
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
    if (a->op == ARM_SYSREG(1, 3, 7, 4, 1) && !ctx->vcpu->softmmu) {
        zero_block(ctx, arm_x(ctx, (unsigned)a->rt));
        return;
    }
    write(ctx, (unsigned)a->op, arm_x(ctx, (unsigned)a->rt));
}

/* MSR of a field of PSTATE: EL0 has none of those before FEAT_DIT. */
void arm_trans_msr_imm(TransCtx *ctx, const ArmArgsPsti *a)
{
    arm_undefined(ctx);
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
