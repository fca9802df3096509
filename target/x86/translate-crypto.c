/*
 * translate-crypto.c: what of crypto.isa is not one of the generic handlers of translate-sse-int.c.
 */
#include "target/x86/translate.h"
#include "target/x86/simd.h"

/* The other bits of the immediate mean nothing. */
void x86_trans_clmul(TransCtx *ctx, const X86Insn *in)
{
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        IrRef x = simd_operand(ctx, in, simd_first(in), h), y = simd_operand(ctx, in, simd_second(in), h);
        v.half[h] = simd_op(ctx, IR_vclmul, in->imm & 0x11, x, y);
    }
    simd_put(ctx, in, v);
}

void x86_trans_sha1rnds4(TransCtx *ctx, const X86Insn *in)
{
    IrRef x = simd_operand(ctx, in, 0, 0), y = simd_operand(ctx, in, 1, 0);
    simd_put_low(ctx, in, simd_op(ctx, IR_sha1rnds4, in->imm & 3, x, y));
}

void x86_trans_sha256rnds2(TransCtx *ctx, const X86Insn *in)
{
    IrRef x = simd_operand(ctx, in, 0, 0), y = simd_operand(ctx, in, 1, 0);
    simd_put_low(ctx, in, ir_emit(ctx->b, IR_sha256rnds2, IR_V128, 0, x, y, x86_get_xmm(ctx, 0)));
}
