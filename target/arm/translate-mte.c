/*
 * translate-mte.c: memory tagging: instructions on tags, and the check in front of loads and stores (Arm ARM DDI 0487, D10, C6.2).
 *
 * Where checks are on (ARM_MODE_MTE) the helper sees every access with its address, or the whole instruction where that is one of the rarer kinds;
 * what the architecture leaves unchecked, accesses at SP with an immediate offset among it, calls nothing.
 */
#include "target/arm/mte.h"
#include "target/arm/translate.h"

void arm_trans_irg(TransCtx *ctx, const ArmArgsTagr *a)
{
    arm_set_xsp(ctx, a->rd, ir_call(ctx->b, ARM_HELPER_mte_irg, 2, (IrRef[]){ arm_xsp(ctx, a->rn), arm_x(ctx, a->rm) }));
}

void arm_trans_gmi(TransCtx *ctx, const ArmArgsTagr *a)
{
    IrRef tag = ir_emit(ctx->b, IR_bfx, IR_I64, 56 | 4 << 8, arm_xsp(ctx, a->rn), IR_NONE, IR_NONE);
    IrRef bit = ir_op2(ctx->b, IR_shl, IR_I64, ir_i64(ctx->b, 1), tag);
    arm_set_x(ctx, a->rd, ir_op2(ctx->b, IR_or, IR_I64, arm_x(ctx, a->rm), bit));
}

static IrRef without_tag(TransCtx *ctx, unsigned n)
{
    return ir_emit(ctx->b, IR_bfxs, IR_I64, 0 | 56 << 8, arm_xsp(ctx, n), IR_NONE, IR_NONE);
}

void arm_trans_subp(TransCtx *ctx, const ArmArgsTagr *a)
{
    arm_set_x(ctx, a->rd, ir_op2(ctx->b, IR_sub, IR_I64, without_tag(ctx, a->rn), without_tag(ctx, a->rm)));
}

void arm_trans_subps(TransCtx *ctx, const ArmArgsTagr *a)
{
    IrRef x = without_tag(ctx, a->rn), y = without_tag(ctx, a->rm);
    arm_set_x(ctx, a->rd, ir_op2(ctx->b, IR_sub, IR_I64, x, y));
    arm_cc_set(ctx, ARM_CC_SUB64, x, y);
}

static void add_tag(TransCtx *ctx, const ArmArgsTagi *a, IrOp op)
{
    IrRef ptr = arm_xsp(ctx, a->rn), moved = ir_op2_imm(ctx->b, op, IR_I64, ptr, (uint64_t)a->imm);
    arm_set_xsp(ctx, a->rd, ir_call(ctx->b, ARM_HELPER_mte_addg, 3, (IrRef[]){ ptr, moved, ir_i32(ctx->b, (uint32_t)a->tag) }));
}

void arm_trans_addg(TransCtx *ctx, const ArmArgsTagi *a) { add_tag(ctx, a, IR_add); }
void arm_trans_subg(TransCtx *ctx, const ArmArgsTagi *a) { add_tag(ctx, a, IR_sub); }

void arm_trans_ldg(TransCtx *ctx, const ArmArgsTagm *a)
{
    IrRef addr = ir_op2_imm(ctx->b, IR_add, IR_I64, arm_xsp(ctx, a->rn), (uint64_t)(int64_t)a->imm);
    arm_set_x(ctx, a->rt, ir_call(ctx->b, ARM_HELPER_mte_ldg, 3, (IrRef[]){ addr, arm_x(ctx, a->rt), ir_i32(ctx->b, arm_mmu(ctx)) }));
}

/* Not at EL0. */
void arm_trans_ldgm(TransCtx *ctx, const ArmArgsTagm *a)
{
    if (!arm_el(ctx)) {
        arm_undefined(ctx);
        return;
    }
    arm_set_x(ctx, a->rt, ir_call(ctx->b, ARM_HELPER_mte_ldgm, 2, (IrRef[]){ arm_xsp(ctx, a->rn), ir_i32(ctx->b, arm_mmu(ctx)) }));
}

static void store_block(TransCtx *ctx, const ArmArgsTagm *a, unsigned helper)
{
    if (!arm_el(ctx)) {
        arm_undefined(ctx);
        return;
    }
    ir_call(ctx->b, helper, 3, (IrRef[]){ arm_xsp(ctx, a->rn), arm_x(ctx, a->rt), ir_i32(ctx->b, arm_mmu(ctx)) });
}

void arm_trans_stgm(TransCtx *ctx, const ArmArgsTagm *a) { store_block(ctx, a, ARM_HELPER_mte_stgm); }
void arm_trans_stzgm(TransCtx *ctx, const ArmArgsTagm *a) { store_block(ctx, a, ARM_HELPER_mte_stzgm); }

/* mode: 1 post-indexed, 2 offset, 3 pre-indexed. */
static IrRef indexed(TransCtx *ctx, unsigned rn, int imm, unsigned mode, IrRef *ret_after)
{
    IrRef base = arm_xsp(ctx, rn), moved = ir_op2_imm(ctx->b, IR_add, IR_I64, base, (uint64_t)(int64_t)imm);
    *ret_after = mode == 2 ? IR_NONE : moved;
    return mode == 1 ? base : moved;
}

/* STG, STZG, ST2G, STZ2G: bits 23 and 22. */
void arm_trans_stg(TransCtx *ctx, const ArmArgsTagm *a)
{
    uint32_t insn = (uint32_t)ctx->data[ARM_DATA_INSN], how = (insn & BIT(23) ? 2 : 1) | (insn & BIT(22) ? ARM_STG_ZERO : 0) | arm_mmu(ctx) << ARM_MTE_MMU;
    IrRef after, addr = indexed(ctx, a->rn, a->imm, (unsigned)bits_get(insn, 10, 2), &after);

    ir_call(ctx->b, ARM_HELPER_mte_stg, 3, (IrRef[]){ addr, arm_xsp(ctx, a->rt), ir_i32(ctx->b, how) });
    if (after != IR_NONE) {
        arm_set_xsp(ctx, a->rn, after);
    }
}

/* The tag is the address's own. */
void arm_trans_stgp(TransCtx *ctx, const ArmArgsTagp *a)
{
    IrMem mem = { .size_log2 = 3, .mmu_index = (uint8_t)arm_mmu(ctx), .big_endian = arm_be(ctx) }, second = mem;
    IrRef after, addr = indexed(ctx, a->rn, a->imm, (unsigned)bits_get(ctx->data[ARM_DATA_INSN], 23, 2), &after);

    second.disp = 8;
    ir_call(ctx->b, ARM_HELPER_mte_stg, 3, (IrRef[]){ addr, addr, ir_i32(ctx->b, 1 | arm_mmu(ctx) << ARM_MTE_MMU) });
    ir_store(ctx->b, addr, IR_NONE, arm_x(ctx, a->rt), mem);
    ir_store(ctx->b, addr, IR_NONE, arm_x(ctx, a->rt2), second);
    if (after != IR_NONE) {
        arm_set_xsp(ctx, a->rn, after);
    }
}

/* -- checks ------------------------------------------------------------------------------------------------------ */

static void check(TransCtx *ctx, IrRef base, int disp, unsigned size_bytes, bool write, unsigned mmu_index)
{
    IrRef addr = disp ? ir_op2_imm(ctx->b, IR_add, IR_I64, base, (uint64_t)(int64_t)disp) : base;
    ir_call(ctx->b, ARM_HELPER_mte_check, 2, (IrRef[]){ addr, ir_i32(ctx->b, size_bytes << 5 | mmu_index << 1 | write) });
}

void arm_tag_check_access(TransCtx *ctx, IrRef base, int disp, unsigned size_bytes, bool write)
{
    if (bits_get(ctx->mode, ARM_MODE_MTE, 1)) {
        check(ctx, base, disp, size_bytes, write, arm_mmu(ctx));
    }
}

void arm_tag_check_insn(TransCtx *ctx, uint32_t insn)
{
    unsigned rn = (unsigned)bits_get(insn, 5, 5);
    bool zero_block = (insn & 0xffffffe0) == 0xd50b7420;
    bool literal = (insn & 0x3b000000) == 0x18000000, tags = (insn & 0xff200000) == 0xd9200000 || (insn & 0xfe400000) == 0x68000000;
    bool copy = (insn & 0x3b200c00) == 0x19000400; /* they check piece by piece */
    bool pair = (insn & 0x3a000000) == 0x28000000, single = (insn & 0x3a000000) == 0x38000000, simd = insn & BIT(26);
    bool offset = single && (insn & BIT(24)), indexed = single && !(insn & (BIT(24) | BIT(21)));
    bool writes_back = (pair && (insn & BIT(23))) || (indexed && (insn & BIT(10))) || (insn & 0xbe800000) == 0x0c800000;
    bool authenticated = (insn & 0xff200400) == 0xf8200400; /* LDRAA, LDRAB: when the address is known */
    bool by_register = single && (insn & (BIT(24) | BIT(21))) == BIT(21) && bits_get(insn, 10, 2) == 2;

    bool unprivileged = indexed && bits_get(insn, 10, 2) == 2;

    if (!bits_get(ctx->mode, unprivileged ? ARM_MODE_MTE_UNPRIV : ARM_MODE_MTE, 1)) {
        return;
    }
    if (!zero_block && ((insn & 0x0a000000) != 0x08000000 || literal || tags || copy || authenticated || (rn == ARM_ZR && !writes_back && !by_register))) {
        return;
    }
    if (pair) {
        unsigned opc = insn >> 30, log2 = simd ? 2 + opc : opc == 2 ? 3 : 2;
        int disp = bits_get(insn, 23, 2) == 1 ? 0 : (int)(bits_sext(bits_get(insn, 15, 7), 7) * (1 << log2));
        arm_tag_check_access(ctx, arm_xsp(ctx, rn), disp, 2u << log2, !(insn & BIT(22)));
    } else if (offset || indexed) {
        unsigned opc = (unsigned)bits_get(insn, 22, 2), log2 = simd && (opc & 2) ? 4 : insn >> 30, mode = (unsigned)bits_get(insn, 10, 2);
        if (!simd && insn >> 30 == 3 && opc == 2) {
            return; /* PRFM, PRFUM */
        }
        int disp = offset ? (int)(bits_get(insn, 10, 12) << log2) : mode == 1 ? 0 : (int)bits_sext(bits_get(insn, 12, 9), 9);
        check(ctx, arm_xsp(ctx, rn), disp, 1u << log2, simd ? !(opc & 1) : !opc, unprivileged ? arm_mmu_unpriv(ctx) : arm_mmu(ctx));
    } else {
        ir_call(ctx->b, ARM_HELPER_mte_check_insn, 1, (IrRef[]){ ir_i32(ctx->b, insn) });
    }
}
