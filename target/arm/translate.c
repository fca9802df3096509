/*
 * translate.c: fetch, scan and dispatch of A64 instructions (Arm ARM DDI 0487, C4); what all handlers share.
 */
#include "target/arm/fp.h"
#include "target/arm/translate.h"

static bool fetch(TransCtx *ctx, vaddr pc, uint32_t *ret)
{
    uint8_t bytes[4];

    if (!trans_fetch(ctx, pc, bytes, 4)) {
        return false;
    }
    *ret = ldle32(bytes);
    return true;
}

uint64_t arm_trans_mode(const Vcpu *vcpu)
{
    return (uint64_t)arm_state(vcpu)->el << ARM_MODE_EL | arm_fp_mode(vcpu);
}

bool arm_trans_begin(TransCtx *ctx)
{
    memset(ctx->data, 0, sizeof(ctx->data));
    ctx->b->rule_slot = ARM_SLOT_CC_OP;
    return true;
}

static vaddr direct_target(int row, vaddr pc, const ArmArgs *args)
{
    switch (row) {
    case ARM_ROW_b_cond: return pc + (int64_t)args->bcond.imm;
    case ARM_ROW_cbz: case ARM_ROW_cbnz: return pc + (int64_t)args->cb.imm;
    case ARM_ROW_tbz: case ARM_ROW_tbnz: return pc + (int64_t)args->tb.imm;
    default: return pc + (int64_t)args->b.imm;
    }
}

bool arm_scan(TransCtx *ctx, vaddr pc, ScanInsn *ret)
{
    ArmArgs args;
    uint32_t insn;

    if (!fetch(ctx, pc, &insn)) {
        return false;
    }
    int row = arm_decode32(insn, arm_model(ctx->vcpu)->ext);
    ret->length = 4;
    ret->target = 0;
    ret->kind = SCAN_STOP;
    if (row < 0) {
        return true;
    }
    arm_extract(row, insn, &args);
    ret->glued = arm_rows[row].flags & DECODE_READS;
    ret->sets = arm_rows[row].flags & DECODE_SETS;
    switch ((DecodeKind)arm_rows[row].kind) {
    case DECODE_NORMAL:
        ret->kind = (row == ARM_ROW_msr && arm_sysreg_write_ends(ctx->vcpu, (unsigned)args.sysw.reg)) ||
                    (row == ARM_ROW_sys && arm_sysreg_write_ends(ctx->vcpu, (unsigned)args.sysop.op)) ? SCAN_STOP : SCAN_NORMAL;
        break;
    case DECODE_BRANCH:
        ret->kind = SCAN_BRANCH;
        ret->target = direct_target(row, pc, &args);
        break;
    case DECODE_JUMP:
        ret->kind = row == ARM_ROW_bl ? SCAN_CALL : SCAN_JUMP;
        ret->target = direct_target(row, pc, &args);
        break;
    case DECODE_INDIRECT:
        ret->kind = SCAN_INDIRECT;
        break;
    case DECODE_STOP:
        break;
    }
    return true;
}

void arm_translate(TransCtx *ctx)
{
    ArmArgs args;
    uint32_t insn;

    ctx->next_pc = ctx->pc + 4;
    if (!fetch(ctx, ctx->pc, &insn)) {
        /* The page went away since the scan; entering it again raises the fault. */
        trans_leave(ctx, VCPU_EXIT_NONE, ctx->pc);
        return;
    }
    ctx->data[ARM_DATA_INSN] = insn;
    int row = arm_decode32(insn, arm_model(ctx->vcpu)->ext);
    if (row < 0) {
        arm_undefined(ctx);
        return;
    }
    /* Bits 27 and 26 are set in all of SIMD and floating point, and only there (C4.1). */
    if (ctx->mode >> ARM_MODE_FP_TRAP & 1 && (insn >> 26 & 3) == 3) {
        arm_raise(ctx, ARM_EC_FP, ctx->data[ARM_DATA_INSN]);
        return;
    }
    arm_extract(row, insn, &args);
    arm_dispatch(row, ctx, &args);
}

void arm_raise(TransCtx *ctx, unsigned class, uint64_t value)
{
    ir_call(ctx->b, ARM_HELPER_raise, 2, (IrRef[]){ ir_i32(ctx->b, class), ir_i64(ctx->b, value) });
    ir_trap(ctx->b);
    ctx->ended = true;
}

void arm_undefined(TransCtx *ctx)
{
    arm_raise(ctx, ARM_EC_UNKNOWN, ctx->data[ARM_DATA_INSN]);
}
