/*
 * translate-mem.c: loads and stores of general registers (Arm ARM DDI 0487, C4.1.96), but for exclusive, ordered and atomic ones.
 *
 * Nothing is written back before the last access that may fault.
 */
#include "target/arm/translate.h"

static IrMem access(TransCtx *ctx, unsigned size_log2, bool sign, int disp)
{
    return (IrMem){ .disp = disp, .size_log2 = (uint8_t)size_log2, .sign = sign, .mmu_index = (uint8_t)arm_mmu(ctx), .align = arm_align(ctx),
                    .big_endian = arm_be(ctx) };
}

/* opc: 0 store, 1 load, 2 sign-extended to 64 bits, 3 sign-extended to 32. */
static void ldst(TransCtx *ctx, unsigned size, unsigned opc, unsigned rt, IrRef base, IrRef index, IrMem mem)
{
    mem.size_log2 = (uint8_t)size;
    mem.sign = opc >= 2;
    if (opc == 0) {
        ir_store(ctx->b, base, index, arm_x(ctx, rt), mem);
    } else if (opc == 3) {
        arm_set_r(ctx, 0, rt, ir_load(ctx->b, IR_I32, base, index, mem));
    } else {
        arm_set_x(ctx, rt, ir_load(ctx->b, IR_I64, base, index, mem));
    }
}

void arm_trans_ldst_u(TransCtx *ctx, const ArmArgsLs *a)
{
    ldst(ctx, a->size, a->opc, a->rt, arm_xsp(ctx, a->rn), IR_NONE, access(ctx, 0, false, (int)((unsigned)a->imm << a->size)));
}

void arm_trans_ldst_9(TransCtx *ctx, const ArmArgsLs *a)
{
    ldst(ctx, a->size, a->opc, a->rt, arm_xsp(ctx, a->rn), IR_NONE, access(ctx, 0, false, a->imm));
}

/* As if at EL0 (LDTR, STTR). */
void arm_trans_ldst_t(TransCtx *ctx, const ArmArgsLs *a)
{
    IrMem mem = access(ctx, 0, false, a->imm);
    mem.mmu_index = (uint8_t)arm_mmu_unpriv(ctx);
    ldst(ctx, a->size, a->opc, a->rt, arm_xsp(ctx, a->rn), IR_NONE, mem);
}

static void write_back(TransCtx *ctx, unsigned rn, IrRef base, int imm)
{
    arm_set_xsp(ctx, rn, ir_op2_imm(ctx->b, IR_add, IR_I64, base, (uint64_t)(int64_t)imm));
}

void arm_trans_ldst_post(TransCtx *ctx, const ArmArgsLs *a)
{
    IrRef base = arm_xsp(ctx, a->rn);
    ldst(ctx, a->size, a->opc, a->rt, base, IR_NONE, access(ctx, 0, false, 0));
    write_back(ctx, a->rn, base, a->imm);
}

void arm_trans_ldst_pre(TransCtx *ctx, const ArmArgsLs *a)
{
    IrRef base = arm_xsp(ctx, a->rn);
    ldst(ctx, a->size, a->opc, a->rt, base, IR_NONE, access(ctx, 0, false, a->imm));
    write_back(ctx, a->rn, base, a->imm);
}

void arm_trans_ldst_r(TransCtx *ctx, const ArmArgsLsr *a)
{
    if (!(a->option & 2)) {
        arm_undefined(ctx);
        return;
    }
    IrMem mem = access(ctx, 0, false, 0);
    mem.scale_log2 = a->scaled ? (uint8_t)a->size : 0;
    ldst(ctx, a->size, a->opc, a->rt, arm_xsp(ctx, a->rn), arm_extend_reg(ctx, a->rm, a->option, 0), mem);
}

void arm_trans_ldr_lit(TransCtx *ctx, const ArmArgsLit *a)
{
    IrMem mem = access(ctx, a->size == 1 ? 3 : 2, a->size == 2, 0);
    arm_set_x(ctx, a->rt, ir_load(ctx->b, IR_I64, ir_i64(ctx->b, ctx->pc + (int64_t)a->imm), IR_NONE, mem));
}

static void pair(TransCtx *ctx, const ArmArgsLsp *a, bool before, bool writes_back)
{
    unsigned size = a->pair == 2 ? 3 : 2;
    int offset = a->imm * (1 << size), disp = before ? offset : 0;
    IrRef base = arm_xsp(ctx, a->rn);
    IrMem first = access(ctx, size, a->pair == 1, disp), second = access(ctx, size, a->pair == 1, disp + (1 << size));

    if (a->load) {
        IrRef x = ir_load(ctx->b, IR_I64, base, IR_NONE, first), y = ir_load(ctx->b, IR_I64, base, IR_NONE, second);
        arm_set_x(ctx, a->rt, x);
        arm_set_x(ctx, a->rt2, y);
    } else {
        IrRef x = arm_x(ctx, a->rt), y = arm_x(ctx, a->rt2);
        ir_store(ctx->b, base, IR_NONE, x, first);
        ir_store(ctx->b, base, IR_NONE, y, second);
    }
    if (writes_back) {
        write_back(ctx, a->rn, base, offset);
    }
}

void arm_trans_ldstp(TransCtx *ctx, const ArmArgsLsp *a) { pair(ctx, a, true, false); }
void arm_trans_ldstp_pre(TransCtx *ctx, const ArmArgsLsp *a) { pair(ctx, a, true, true); }
void arm_trans_ldstp_post(TransCtx *ctx, const ArmArgsLsp *a) { pair(ctx, a, false, true); }
