/*
 * translate-sse-string.c: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM volume 2, 4.1). A pure helper compares; the mask is spread here.
 */
#include "target/x86/translate.h"
#include "target/x86/simd.h"

/* A length from eax or edx (rax, rdx with REX.W): any value, cut to -16…16. */
static IrRef length_of(TransCtx *ctx, const X86Insn *in, unsigned reg)
{
    bool wide = in->rex_w && x86_is64(ctx);
    IrType type = wide ? IR_I64 : IR_I32;
    IrRef n = x86_get(ctx, reg, wide ? 8 : 4);
    n = ir_op2_imm(ctx->b, IR_mins, type, n, 16);
    return x86_to_i64(ctx, ir_op2_imm(ctx->b, IR_and, type, ir_op2_imm(ctx->b, IR_maxs, type, n, (uint64_t)-16), 0xff));
}

static IrRef half64(TransCtx *ctx, IrRef x, unsigned i)
{
    return ir_emit(ctx->b, IR_vget_lane, IR_I64, IR_LANE_64 | i << 4, x, IR_NONE, IR_NONE);
}

/* Bits of the low half of m spread to lanes of all ones. */
static IrRef spread(TransCtx *ctx, IrRef m, bool words)
{
    IrRef bits, x = ir_op1(ctx->b, IR_vzext, IR_V128, m);
    if (words) {
        bits = simd_const(ctx, 0x0008000400020001, 0x0080004000200010);
        x = ir_emit(ctx->b, IR_vdup, IR_V128, IR_LANE_16, m, IR_NONE, IR_NONE);
    } else {
        bits = simd_const(ctx, 0x8040201008040201, 0x8040201008040201);
        x = simd_op(ctx, IR_vzip_lo, IR_LANE_8, x, x);
        x = ir_emit(ctx->b, IR_vperm16_lo, IR_V128, 0x50, x, IR_NONE, IR_NONE);
        x = ir_emit(ctx->b, IR_vperm32, IR_V128, 0x50, x, IR_NONE, IR_NONE);
    }
    return simd_op(ctx, IR_vcmp, (words ? IR_LANE_16 : IR_LANE_8) | IR_EQ << 4, simd_op(ctx, IR_vand, 0, x, bits), bits);
}

/* Row number: 1 index (else mask), 2 implicit lengths */
void x86_trans_simd_pcmpstr(TransCtx *ctx, const X86Insn *in)
{
    IrBuilder *b = ctx->b;
    bool index = in->row->aux & 1, implicit = in->row->aux & 2;
    IrRef x = simd_reg(ctx, in->op[0].reg, 0), y = simd_operand_unaligned(ctx, in, 1, 0);
    IrRef lengths = ir_i64(b, 0);

    if (!implicit) {
        lengths = ir_op2(b, IR_or, IR_I64, length_of(ctx, in, X86_RAX),
                         ir_op2_imm(b, IR_shl, IR_I64, length_of(ctx, in, X86_RDX), 8));
    }
    /* Bits 15:0 the mask, 31:16 the flags, 39:32 the index. */
    IrRef r = x86_call(ctx, X86_HELPER_sse_pcmpstr, 6,
                       (IrRef[]){ half64(ctx, x, 0), half64(ctx, x, 1), half64(ctx, y, 0), half64(ctx, y, 1), lengths,
                                  ir_i32(b, (in->imm & 0xff) | (uint32_t)implicit << 8) });
    if (index) {
        x86_put(ctx, X86_RCX, 4, x86_to_i32(ctx, ir_op2_imm(b, IR_shr, IR_I64, r, 32)));
    } else {
        IrRef m = ir_op2_imm(b, IR_and, IR_I64, r, 0xffff);
        x86_put_xmm(ctx, 0, in->imm & 0x40 ? spread(ctx, m, in->imm & 1) : ir_op1(b, IR_vzext, IR_V128, m));
        if (in->vex) {
            x86_put_ymmh(ctx, 0, simd_zero(ctx));
        }
    }
    x86_cc_set_flags(ctx, x86_to_i32(ctx, ir_emit(b, IR_bfx, IR_I64, 16 | 16 << 8, r, IR_NONE, IR_NONE)));
}
