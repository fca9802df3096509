/*
 * translate-sse-move.c: SSE and AVX moves between registers, memory and general registers, inserts, extracts, masks.
 */
#include "target/x86/translate.h"
#include "target/x86/simd.h"

/* MOVAPS, MOVUPS, MOVDQA, MOVDQU, MOVNT*…; row number: memory must be aligned, to 32 bytes if it is of 32. */
void x86_trans_simd_mov(TransCtx *ctx, const X86Insn *in)
{
    bool store = in->op[0].kind == X86_OP_MEM, load = in->op[1].kind == X86_OP_MEM;
    unsigned n = simd_halves(in), align = !in->row->aux ? IR_ALIGN_ANY : n == 2 ? IR_ALIGN_TWICE : IR_ALIGN_FAULT;
    SimdValue v;

    if (store || load) {
        X86Mem m = x86_ea(ctx, in, 16 * n, store);
        for (unsigned h = 0; h < n; h++) {
            if (store) {
                simd_store(ctx, x86_mem_at(m, (int)h * 16), 16, h ? IR_ALIGN_ANY : align, simd_reg(ctx, in->op[1].reg, h));
            } else {
                v.half[h] = simd_load(ctx, x86_mem_at(m, (int)h * 16), 16, h ? IR_ALIGN_ANY : align);
            }
        }
        if (store) {
            return;
        }
    } else {
        for (unsigned h = 0; h < n; h++) {
            v.half[h] = simd_reg(ctx, in->op[1].reg, h);
        }
    }
    simd_put(ctx, in, v);
}

/* MOVSS, MOVSD */
void x86_trans_simd_mov_scalar(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;

    if (in->op[0].kind == X86_OP_MEM) {
        simd_store(ctx, x86_ea(ctx, in, size, true), size, IR_ALIGN_ANY, simd_reg(ctx, in->op[1].reg, 0));
    } else if (in->op[1].kind == X86_OP_MEM) {
        simd_put_low(ctx, in, simd_operand(ctx, in, 1, 0));
    } else {
        simd_put_scalar(ctx, in, simd_scalar(ctx, in, simd_second(in), size == 4 ? IR_F32 : IR_F64));
    }
}

void x86_trans_simd_movq(TransCtx *ctx, const X86Insn *in)
{
    if (in->op[0].kind == X86_OP_MEM) {
        simd_store(ctx, x86_ea(ctx, in, 8, true), 8, IR_ALIGN_ANY, simd_reg(ctx, in->op[1].reg, 0));
    } else if (in->op[1].kind == X86_OP_MEM) {
        simd_put_low(ctx, in, simd_operand(ctx, in, 1, 0));
    } else {
        simd_put_low(ctx, in, ir_op1(ctx->b, IR_vzext, IR_V128, simd_scalar(ctx, in, 1, IR_F64)));
    }
}

/* Between a general register or memory and the lowest lane. */
void x86_trans_simd_movd(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;

    if (in->op[0].kind == X86_OP_MEM) {
        simd_store(ctx, x86_ea(ctx, in, size, true), size, IR_ALIGN_ANY, simd_reg(ctx, in->op[1].reg, 0));
    } else if (in->op[0].kind == X86_OP_REG) {
        IrRef x = simd_reg(ctx, in->op[1].reg, 0);
        x86_put(ctx, in->op[0].reg, size, ir_emit(ctx->b, IR_vget_lane, x86_type(size), x86_log2(size), x, IR_NONE, IR_NONE));
    } else if (in->op[1].kind == X86_OP_MEM) {
        simd_put_low(ctx, in, simd_operand(ctx, in, 1, 0));
    } else {
        simd_put_low(ctx, in, ir_op1(ctx->b, IR_vzext, IR_V128, x86_get(ctx, in->op[1].reg, size)));
    }
}

/* MOVLPS, MOVLPD with memory */
void x86_trans_simd_movl(TransCtx *ctx, const X86Insn *in)
{
    if (in->op[0].kind == X86_OP_MEM) {
        simd_store(ctx, x86_ea(ctx, in, 8, true), 8, IR_ALIGN_ANY, simd_reg(ctx, in->op[1].reg, 0));
    } else {
        simd_put_scalar(ctx, in, simd_scalar(ctx, in, simd_second(in), IR_F64));
    }
}

/* MOVHPS, MOVHPD with memory */
void x86_trans_simd_movh(TransCtx *ctx, const X86Insn *in)
{
    if (in->op[0].kind == X86_OP_MEM) {
        IrRef x = ir_emit(ctx->b, IR_vshr_bytes, IR_V128, 8, simd_reg(ctx, in->op[1].reg, 0), IR_NONE, IR_NONE);
        simd_store(ctx, x86_ea(ctx, in, 8, true), 8, IR_ALIGN_ANY, x);
    } else {
        IrRef y = simd_operand(ctx, in, simd_second(in), 0);
        simd_put_low(ctx, in, simd_op(ctx, IR_vzip_lo, IR_LANE_64, simd_reg(ctx, in->op[simd_first(in)].reg, 0), y));
    }
}

void x86_trans_simd_movhl(TransCtx *ctx, const X86Insn *in)
{
    IrRef x = simd_reg(ctx, in->op[simd_first(in)].reg, 0), y = simd_reg(ctx, in->op[simd_second(in)].reg, 0);
    simd_put_low(ctx, in, simd_op(ctx, IR_vzip_hi, IR_LANE_64, y, x));
}

void x86_trans_simd_movlh(TransCtx *ctx, const X86Insn *in)
{
    IrRef x = simd_reg(ctx, in->op[simd_first(in)].reg, 0), y = simd_reg(ctx, in->op[simd_second(in)].reg, 0);
    simd_put_low(ctx, in, simd_op(ctx, IR_vzip_lo, IR_LANE_64, x, y));
}

void x86_trans_simd_movddup(TransCtx *ctx, const X86Insn *in)
{
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        IrRef x = simd_operand(ctx, in, 1, h);
        v.half[h] = simd_op(ctx, IR_vzip_lo, IR_LANE_64, x, x);
    }
    simd_put(ctx, in, v);
}

/* MOVMSKPS, MOVMSKPD, PMOVMSKB; row number: lane size */
void x86_trans_simd_movmsk(TransCtx *ctx, const X86Insn *in)
{
    unsigned lane = in->row->aux;
    IrRef mask = IR_NONE;

    for (unsigned h = 0; h < simd_halves(in); h++) {
        IrRef x = ir_emit(ctx->b, IR_vmovmsk, IR_I32, lane, simd_reg(ctx, in->op[1].reg, h), IR_NONE, IR_NONE);
        mask = h ? ir_op2(ctx->b, IR_or, IR_I32, mask, ir_op2_imm(ctx->b, IR_shl, IR_I32, x, 16u >> lane)) : x;
    }
    x86_put(ctx, in->op[0].reg, 4, mask);
}

/* PINSRB to PINSRQ */
void x86_trans_simd_insert(TransCtx *ctx, const X86Insn *in)
{
    unsigned i = simd_second(in), lane = in->row->aux == IR_LANE_32 && in->op[i].size == 8 ? IR_LANE_64 : in->row->aux;
    IrRef x = simd_reg(ctx, in->op[simd_first(in)].reg, 0);
    unsigned index = in->imm & ((16u >> lane) - 1);

    simd_put_low(ctx, in, simd_op(ctx, IR_vset_lane, lane | index << 4, x, x86_op_load(ctx, in, i)));
}

/* PEXTRB to PEXTRQ, EXTRACTPS: zero-extended into the register */
void x86_trans_simd_extract(TransCtx *ctx, const X86Insn *in)
{
    unsigned lane = in->row->aux == IR_LANE_32 && in->op[0].size == 8 ? IR_LANE_64 : in->row->aux;
    unsigned index = in->imm & ((16u >> lane) - 1);
    IrRef x = ir_emit(ctx->b, IR_vget_lane, lane == IR_LANE_64 ? IR_I64 : IR_I32, lane | index << 4, simd_reg(ctx, in->op[1].reg, 0),
                      IR_NONE, IR_NONE);
    if (in->op[0].kind == X86_OP_MEM) {
        x86_store(ctx, x86_ea(ctx, in, 1u << lane, true), 1u << lane, x);
    } else {
        x86_put(ctx, in->op[0].reg, lane == IR_LANE_64 ? 8 : 4, x);
    }
}

void x86_trans_simd_insertps(TransCtx *ctx, const X86Insn *in)
{
    unsigned i = simd_second(in), from = in->op[i].kind == X86_OP_MEM ? 0 : in->imm >> 6 & 3, to = in->imm >> 4 & 3;
    IrRef x = simd_reg(ctx, in->op[simd_first(in)].reg, 0), y = simd_operand(ctx, in, i, 0);
    IrVecConst keep;

    y = ir_emit(ctx->b, IR_vperm32, IR_V128, from * 0x55, y, IR_NONE, IR_NONE);
    x = simd_op(ctx, IR_vblend, IR_LANE_32 | 16u << to, x, y);
    if (in->imm & 15) {
        for (unsigned k = 0; k < 4; k++) {
            keep.u32[k] = in->imm >> k & 1 ? 0 : UINT32_MAX;
        }
        x = simd_op(ctx, IR_vand, 0, x, simd_const(ctx, keep.u64[0], keep.u64[1]));
    }
    simd_put_low(ctx, in, x);
}

/* MASKMOVDQU: bytes of op[0] to [rdi] where bit 7 of op[1]'s bytes is set */
void x86_trans_simd_maskmovdqu(TransCtx *ctx, const X86Insn *in)
{
    unsigned seg = in->seg_override != X86_NO_REG ? in->seg_override : X86_DS;
    IrRef offset = x86_get(ctx, X86_RDI, in->addrsize == 8 ? 8 : 4);

    offset = x86_to_wt(ctx, in->addrsize == 2 ? x86_zext(ctx, offset, 2) : offset);
    IrRef addr = x86_mem_addr(ctx, x86_linear(ctx, seg, offset, in->addrsize, 16, true));
    x86_call(ctx, X86_HELPER_sse_maskmov, 2,
             (IrRef[]){ addr, ir_i32(ctx->b, in->op[0].reg | in->op[1].reg << 4 | 1 << 8 | 16 << 12 | 1 << 20) });
}
