/*
 * translate-simd.c: operands and results of SSE and AVX instructions (simd.h).
 *
 * SDM volume 1, chapters 10 to 14. Memory operands of 16 bytes of legacy instructions must be aligned: #GP (x86_unaligned).
 */
#include "target/x86/translate.h"
#include "target/x86/simd.h"

IrRef simd_const(TransCtx *ctx, uint64_t low, uint64_t high)
{
    return ir_vconst(ctx->b, IR_V128, &(IrVecConst){ .u64 = { low, high } });
}

IrRef simd_zero(TransCtx *ctx)
{
    return simd_const(ctx, 0, 0);
}

IrRef simd_reg(TransCtx *ctx, unsigned reg, unsigned half)
{
    return half ? x86_get_ymmh(ctx, reg) : x86_get_xmm(ctx, reg);
}

IrRef simd_load(TransCtx *ctx, X86Mem m, unsigned size, unsigned align)
{
    IrMem mem = x86_ir_mem(ctx, m, size);
    if (align != IR_ALIGN_ANY || size >= 16) {
        mem.align = align;
    }
    return ir_load(ctx->b, IR_V128, m.base, m.index, mem);
}

void simd_store(TransCtx *ctx, X86Mem m, unsigned size, unsigned align, IrRef value)
{
    IrMem mem = x86_ir_mem(ctx, m, size);
    if (align != IR_ALIGN_ANY || size >= 16) {
        mem.align = align;
    }
    ir_store(ctx->b, m.base, m.index, value, mem);
}

static IrRef operand(TransCtx *ctx, const X86Insn *in, unsigned i, unsigned half, bool aligned)
{
    const X86Operand *op = &in->op[i];

    if (op->kind == X86_OP_VEC) {
        return simd_reg(ctx, op->reg, half);
    }
    X86Mem m = x86_ea(ctx, in, op->size, false);
    if (op->size < 16) {
        return simd_load(ctx, m, op->size, IR_ALIGN_ANY);
    }
    return simd_load(ctx, x86_mem_at(m, (int)half * 16), 16, aligned ? IR_ALIGN_FAULT : IR_ALIGN_ANY);
}

IrRef simd_operand(TransCtx *ctx, const X86Insn *in, unsigned i, unsigned half)
{
    return operand(ctx, in, i, half, !in->vex);
}

IrRef simd_operand_unaligned(TransCtx *ctx, const X86Insn *in, unsigned i, unsigned half)
{
    return operand(ctx, in, i, half, false);
}

IrRef simd_scalar(TransCtx *ctx, const X86Insn *in, unsigned i, IrType type)
{
    const X86Operand *op = &in->op[i];

    if (op->kind == X86_OP_VEC) {
        return ir_op1(ctx->b, IR_vlow, type, x86_get_xmm(ctx, op->reg));
    }
    X86Mem m = x86_ea(ctx, in, ir_type_bytes(type), false);
    return ir_load(ctx->b, type, m.base, m.index, x86_ir_mem(ctx, m, ir_type_bytes(type)));
}

void simd_put(TransCtx *ctx, const X86Insn *in, SimdValue v)
{
    unsigned reg = in->op[0].reg;

    x86_put_xmm(ctx, reg, v.half[0]);
    if (in->vex) {
        x86_put_ymmh(ctx, reg, simd_halves(in) == 2 && v.half[1] != IR_NONE ? v.half[1] : simd_zero(ctx));
    }
}

void simd_put_low(TransCtx *ctx, const X86Insn *in, IrRef low)
{
    simd_put(ctx, in, (SimdValue){ { low, IR_NONE } });
}

void simd_put_scalar(TransCtx *ctx, const X86Insn *in, IrRef scalar)
{
    IrRef rest = simd_reg(ctx, in->op[simd_first(in)].reg, 0);
    simd_put_low(ctx, in, simd_op(ctx, IR_vset_low, 0, rest, scalar));
}

void simd_fp_begin(TransCtx *ctx)
{
    if (x86_mode_bit(ctx, X86_MODE_SSE_TRAP)) {
        x86_call(ctx, X86_HELPER_sse_begin, 0, NULL);
    }
}

void simd_fp_end(TransCtx *ctx)
{
    if (x86_mode_bit(ctx, X86_MODE_SSE_TRAP)) {
        x86_call(ctx, X86_HELPER_sse_check, 1, (IrRef[]){ ir_i32(ctx->b, 0) });
    }
}

/* Not 0 if a lane of x is denormal: its magnitude is above 0 and below the least normal one. */
static IrRef denormals(TransCtx *ctx, unsigned lane, IrRef x)
{
    static const uint64_t sign[] = { [IR_LANE_16] = 0x8000800080008000, [IR_LANE_32] = 0x8000000080000000, [IR_LANE_64] = BIT(63) };
    static const uint64_t least[] = { [IR_LANE_16] = 0x0400040004000400, [IR_LANE_32] = 0x0080000000800000, [IR_LANE_64] = BIT(52) };
    x = simd_op(ctx, IR_vandn, 0, x, simd_const(ctx, sign[lane], sign[lane]));
    x = simd_op(ctx, IR_vand, 0, simd_op(ctx, IR_vcmp, lane | IR_GT << 4, x, simd_zero(ctx)),
                simd_op(ctx, IR_vcmp, lane | IR_GT << 4, simd_const(ctx, least[lane], least[lane]), x));
    return ir_emit(ctx->b, IR_vmovmsk, IR_I32, IR_LANE_8, x, IR_NONE, IR_NONE);
}

void simd_fp_end_tiny(TransCtx *ctx, unsigned lane, unsigned n, const SimdValue *results)
{
    if (!x86_mode_bit(ctx, X86_MODE_SSE_TRAP)) {
        return;
    }
    IrRef tiny = denormals(ctx, lane, results->half[0]);
    if (n == 0) {
        tiny = ir_op2_imm(ctx->b, IR_and, IR_I32, tiny, 1);
    } else if (n == 2) {
        tiny = ir_op2(ctx->b, IR_or, IR_I32, tiny, denormals(ctx, lane, results->half[1]));
    }
    x86_call(ctx, X86_HELPER_sse_check, 1, (IrRef[]){ tiny });
}

unsigned simd_rounding(unsigned imm)
{
    static const uint8_t rm[4] = { IR_RM_NEAREST_EVEN, IR_RM_DOWN, IR_RM_UP, IR_RM_ZERO };
    return imm & 4 ? IR_RM_DYN : rm[imm & 3];
}
