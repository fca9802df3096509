/*
 * translate-avx.c: AVX and AVX2 instructions without a legacy form: broadcasts, moves between halves, masked memory, gathers.
 */
#include "target/x86/translate.h"
#include "target/x86/simd.h"

/* VZEROUPPER; VZEROALL with row number 1 */
void x86_trans_avx_zero(TransCtx *ctx, const X86Insn *in)
{
    IrRef zero = simd_zero(ctx);
    for (unsigned i = 0; i < (x86_is64(ctx) ? 16 : 8); i++) {
        x86_put_ymmh(ctx, i, zero);
        if (in->row->aux) {
            x86_put_xmm(ctx, i, zero);
        }
    }
}

static void put_both(TransCtx *ctx, const X86Insn *in, IrRef x)
{
    simd_put(ctx, in, (SimdValue){ { x, x } });
}

/* Row number: lane size */
void x86_trans_avx_broadcast(TransCtx *ctx, const X86Insn *in)
{
    unsigned lane = in->row->aux;
    IrType type = lane == IR_LANE_64 ? IR_F64 : IR_F32;
    bool small = lane < IR_LANE_32 && in->op[1].kind == X86_OP_MEM;
    IrRef x = small ? x86_op_load(ctx, in, 1) : simd_scalar(ctx, in, 1, type);
    put_both(ctx, in, ir_emit(ctx->b, IR_vdup, IR_V128, lane, x, IR_NONE, IR_NONE));
}

void x86_trans_avx_broadcast128(TransCtx *ctx, const X86Insn *in)
{
    put_both(ctx, in, simd_operand(ctx, in, 1, 0));
}

void x86_trans_avx_insert128(TransCtx *ctx, const X86Insn *in)
{
    unsigned which = in->imm & 1;
    SimdValue v;
    v.half[which] = simd_operand(ctx, in, 2, 0);
    v.half[!which] = simd_reg(ctx, in->op[1].reg, !which);
    simd_put(ctx, in, v);
}

void x86_trans_avx_extract128(TransCtx *ctx, const X86Insn *in)
{
    IrRef x = simd_reg(ctx, in->op[1].reg, in->imm & 1);
    if (in->op[0].kind == X86_OP_MEM) {
        simd_store(ctx, x86_ea(ctx, in, 16, true), 16, IR_ALIGN_ANY, x);
    } else {
        simd_put_low(ctx, in, x);
    }
}

void x86_trans_avx_perm2_128(TransCtx *ctx, const X86Insn *in)
{
    SimdValue v, y;
    for (unsigned h = 0; h < 2; h++) {
        y.half[h] = simd_operand(ctx, in, 2, h);
    }
    for (unsigned h = 0; h < 2; h++) {
        unsigned choice = in->imm >> 4 * h & 15;
        v.half[h] = choice & 8 ? simd_zero(ctx) : choice & 2 ? y.half[choice & 1] : simd_reg(ctx, in->op[1].reg, choice & 1);
    }
    simd_put(ctx, in, v);
}

/* 32-bit lanes of x by the low 2 bits of index's lanes. */
static IrRef permute32(TransCtx *ctx, IrRef x, IrRef index)
{
    IrRef i = simd_op(ctx, IR_vand, 0, index, simd_const(ctx, 0x0000000300000003, 0x0000000300000003));
    /* Four bytes each: index * 4 + 0…3. */
    i = simd_op(ctx, IR_vshl, IR_LANE_32, i, ir_i32(ctx->b, 2));
    i = simd_op(ctx, IR_vor, 0, i, simd_op(ctx, IR_vshl, IR_LANE_32, i, ir_i32(ctx->b, 8)));
    i = simd_op(ctx, IR_vor, 0, i, simd_op(ctx, IR_vshl, IR_LANE_32, i, ir_i32(ctx->b, 16)));
    return simd_op(ctx, IR_vtbl, 0, x, simd_op(ctx, IR_vor, 0, i, simd_const(ctx, 0x0302010003020100, 0x0302010003020100)));
}

/* VPERMILPS, VPERMILPD with a vector of selectors */
void x86_trans_avx_permil(TransCtx *ctx, const X86Insn *in)
{
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        IrRef x = simd_reg(ctx, in->op[1].reg, h), index = simd_operand(ctx, in, 2, h);
        if (in->row->aux == IR_LANE_32) {
            v.half[h] = permute32(ctx, x, index);
        } else { /* bit 1 chooses */
            v.half[h] = ir_emit(ctx->b, IR_vblendv, IR_V128, IR_LANE_64, simd_op(ctx, IR_vshl, IR_LANE_64, index, ir_i32(ctx->b, 62)),
                                simd_op(ctx, IR_vzip_hi, IR_LANE_64, x, x), simd_op(ctx, IR_vzip_lo, IR_LANE_64, x, x));
        }
    }
    simd_put(ctx, in, v);
}

void x86_trans_avx_permilpd_imm(TransCtx *ctx, const X86Insn *in)
{
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        IrRef x = simd_operand(ctx, in, 1, h);
        v.half[h] = simd_op(ctx, IR_vsel64, in->imm >> 2 * h & 3, x, x);
    }
    simd_put(ctx, in, v);
}

/* VPERMD, VPERMPS: lanes of operand 2 by operand 1's; bit 2 of an index chooses the half */
void x86_trans_avx_permd(TransCtx *ctx, const X86Insn *in)
{
    SimdValue v, x;
    for (unsigned h = 0; h < 2; h++) {
        x.half[h] = simd_operand(ctx, in, 2, h);
    }
    for (unsigned h = 0; h < 2; h++) {
        IrRef index = simd_reg(ctx, in->op[1].reg, h);
        v.half[h] = ir_emit(ctx->b, IR_vblendv, IR_V128, IR_LANE_32, simd_op(ctx, IR_vshl, IR_LANE_32, index, ir_i32(ctx->b, 29)),
                            permute32(ctx, x.half[1], index), permute32(ctx, x.half[0], index));
    }
    simd_put(ctx, in, v);
}

/* VPERMQ, VPERMPD */
void x86_trans_avx_permq(TransCtx *ctx, const X86Insn *in)
{
    SimdValue v, x;
    for (unsigned h = 0; h < 2; h++) {
        x.half[h] = simd_operand(ctx, in, 1, h);
    }
    for (unsigned h = 0; h < 2; h++) {
        unsigned a = in->imm >> 4 * h & 3, b = in->imm >> (4 * h + 2) & 3;
        v.half[h] = simd_op(ctx, IR_vsel64, (a & 1) | (b & 1) << 1, x.half[a >> 1], x.half[b >> 1]);
    }
    simd_put(ctx, in, v);
}

/* VMASKMOVPS, VPMASKMOVD…; row number: element size. Elements not chosen are not accessed. */
void x86_trans_avx_maskmov(TransCtx *ctx, const X86Insn *in)
{
    bool store = in->op[0].kind == X86_OP_MEM;
    unsigned size = 16 * simd_halves(in), data = store ? in->op[2].reg : in->op[0].reg;
    IrRef addr = x86_mem_addr(ctx, x86_ea(ctx, in, 0, store));
    x86_call(ctx, X86_HELPER_sse_maskmov, 2,
             (IrRef[]){ addr, ir_i32(ctx->b, data | in->op[1].reg << 4 | in->row->aux << 8 | size << 12 | (uint32_t)store << 20) });
}

/* VGATHERDPS…; row number: sizes of an index and of an element in bytes */
void x86_trans_avx_gather(TransCtx *ctx, const X86Insn *in)
{
    X86Insn base = *in;
    unsigned index = in->index == X86_NO_REG ? 4 : in->index; /* no index but xmm4 */
    unsigned data = in->op[0].reg, mask = in->op[2].reg;

    if ((in->modrm & 7) != 4 || in->addrsize == 2 || index == data || index == mask || data == mask) {
        x86_raise_ud(ctx);
        return;
    }
    base.index = X86_NO_REG;
    IrRef offset = x86_to_i64(ctx, x86_ea_offset(ctx, &base));
    uint32_t how = data | mask << 4 | index << 8 | (uint32_t)in->row->aux << 12 | (uint32_t)in->scale_log2 << 20 | simd_halves(in) << 22 |
                   (uint32_t)(in->addrsize == 4) << 24 | (uint32_t)in->seg << 25;
    x86_call(ctx, X86_HELPER_sse_gather, 2, (IrRef[]){ offset, ir_i32(ctx->b, how) });
}
