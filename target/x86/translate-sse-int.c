/*
 * translate-sse-int.c: SSE and AVX integer, logical and shuffling instructions on vector registers.
 */
#include "target/x86/translate.h"
#include "target/x86/simd.h"

static inline IrOp row_op(const X86Insn *in) { return in->row->aux & 0xff; }
static inline unsigned row_aux(const X86Insn *in) { return in->row->aux >> 8; }

typedef IrRef Binary(TransCtx *ctx, const X86Insn *in, unsigned half, IrRef x, IrRef y);

static void binary(TransCtx *ctx, const X86Insn *in, Binary *f)
{
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        v.half[h] = f(ctx, in, h, simd_operand(ctx, in, simd_first(in), h), simd_operand(ctx, in, simd_second(in), h));
    }
    simd_put(ctx, in, v);
}

static void unary(TransCtx *ctx, const X86Insn *in, IrOp op, unsigned aux)
{
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        v.half[h] = ir_emit(ctx->b, op, IR_V128, aux, simd_operand(ctx, in, 1, h), IR_NONE, IR_NONE);
    }
    simd_put(ctx, in, v);
}

static IrRef by_row(TransCtx *ctx, const X86Insn *in, unsigned half, IrRef x, IrRef y)
{
    bool swap = row_op(in) == IR_vandn; /* PANDN: not the first and the second */
    return simd_op(ctx, row_op(in), row_aux(in), swap ? y : x, swap ? x : y);
}

/* One IR operation on both sources; row number: X86_V */
void x86_trans_simd2(TransCtx *ctx, const X86Insn *in) { binary(ctx, in, by_row); }

/* Of one source. */
void x86_trans_simd1(TransCtx *ctx, const X86Insn *in) { unary(ctx, in, row_op(in), row_aux(in)); }
void x86_trans_simd_perm_fixed(TransCtx *ctx, const X86Insn *in) { unary(ctx, in, row_op(in), row_aux(in)); }
void x86_trans_simd1_imm(TransCtx *ctx, const X86Insn *in) { unary(ctx, in, in->row->aux, in->imm & 0xff); }

static IrRef with_imm(TransCtx *ctx, const X86Insn *in, unsigned half, IrRef x, IrRef y)
{
    unsigned imm = in->imm & 0xff;
    switch (row_op(in)) {
    case IR_vsel64: imm = imm >> 2 * half & 3; break;
    case IR_vmpsad: imm = imm >> 3 * half & 7; break;
    default: break;
    }
    return simd_op(ctx, row_op(in), imm, x, y);
}

/* SHUFPS, SHUFPD, MPSADBW */
void x86_trans_simd2_imm(TransCtx *ctx, const X86Insn *in) { binary(ctx, in, with_imm); }

static IrRef align(TransCtx *ctx, const X86Insn *in, unsigned half, IrRef x, IrRef y)
{
    unsigned n = in->imm & 0xff;
    return n >= 32 ? simd_zero(ctx) : n >= 16 ? ir_emit(ctx->b, IR_vshr_bytes, IR_V128, n - 16, x, IR_NONE, IR_NONE)
           : simd_op(ctx, IR_vext, n, y, x);
}

void x86_trans_simd_align(TransCtx *ctx, const X86Insn *in) { binary(ctx, in, align); }

static IrRef blend(TransCtx *ctx, const X86Insn *in, unsigned half, IrRef x, IrRef y)
{
    unsigned lane = in->row->aux, n = 16u >> lane, mask = in->imm & 0xff;
    mask = (n < 8 ? mask >> n * half : mask) & ((1u << n) - 1);
    return mask == 0 ? x : mask == (1u << n) - 1 ? y : simd_op(ctx, IR_vblend, lane | mask << 4, x, y);
}

void x86_trans_simd_blend(TransCtx *ctx, const X86Insn *in) { binary(ctx, in, blend); }

static IrRef blendv(TransCtx *ctx, const X86Insn *in, unsigned half, IrRef x, IrRef y)
{
    IrRef mask = simd_reg(ctx, in->op[in->n_ops - 1].reg, half);
    return ir_emit(ctx->b, IR_vblendv, IR_V128, in->row->aux, mask, y, x);
}

void x86_trans_simd_blendv(TransCtx *ctx, const X86Insn *in) { binary(ctx, in, blendv); }

/* Even or odd 16-bit lanes, sign-extended to 32 bits. */
static IrRef words(TransCtx *ctx, IrRef x, bool odd)
{
    IrRef n = ir_i32(ctx->b, 16);
    return simd_op(ctx, IR_vsar, IR_LANE_32, odd ? x : simd_op(ctx, IR_vshl, IR_LANE_32, x, n), n);
}

/* PHADDW… : neighbours of the first source, then of the second. */
static IrRef horizontal(TransCtx *ctx, const X86Insn *in, unsigned half, IrRef x, IrRef y)
{
    IrRef even, odd;
    if (row_aux(in) == IR_LANE_32) {
        even = simd_op(ctx, IR_vsel32, 0x88, x, y);
        odd = simd_op(ctx, IR_vsel32, 0xdd, x, y);
    } else {
        even = simd_op(ctx, IR_vpack_s, IR_LANE_32, words(ctx, x, false), words(ctx, y, false));
        odd = simd_op(ctx, IR_vpack_s, IR_LANE_32, words(ctx, x, true), words(ctx, y, true));
    }
    return simd_op(ctx, row_op(in), row_aux(in), even, odd);
}

void x86_trans_simd_hint(TransCtx *ctx, const X86Insn *in) { binary(ctx, in, horizontal); }

/* By the low 64 bits of the last operand, which is of 128 bits also in VEX.256 */
void x86_trans_simd_shift(TransCtx *ctx, const X86Insn *in)
{
    IrRef count = simd_operand(ctx, in, simd_second(in), 0);
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        v.half[h] = simd_op(ctx, row_op(in), row_aux(in), simd_reg(ctx, in->op[simd_first(in)].reg, h), count);
    }
    simd_put(ctx, in, v);
}

/* The source of shifts by an immediate: VEX rows have the destination in VEX.vvvv. */
static IrRef shifted(TransCtx *ctx, const X86Insn *in, unsigned half)
{
    return simd_reg(ctx, in->op[in->vex ? 1 : 0].reg, half);
}

void x86_trans_simd_shift_imm(TransCtx *ctx, const X86Insn *in)
{
    unsigned width = 8u << row_aux(in), n = in->imm & 0xff;
    bool arithmetic = row_op(in) == IR_vsar;
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        v.half[h] = n >= width && !arithmetic
                    ? simd_zero(ctx)
                    : simd_op(ctx, row_op(in), row_aux(in), shifted(ctx, in, h), ir_i32(ctx->b, MIN(n, width - 1)));
    }
    simd_put(ctx, in, v);
}

void x86_trans_simd_shift_bytes(TransCtx *ctx, const X86Insn *in)
{
    unsigned n = in->imm & 0xff;
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        v.half[h] = n > 15 ? simd_zero(ctx)
                           : ir_emit(ctx->b, (IrOp)in->row->aux, IR_V128, n, shifted(ctx, in, h), IR_NONE, IR_NONE);
    }
    simd_put(ctx, in, v);
}

/* PMOVSX, PMOVZX: the low 16, 8, 4 or 2 bytes for each half of the result. */
void x86_trans_simd_widen(TransCtx *ctx, const X86Insn *in)
{
    unsigned from = row_aux(in) & 15, to = row_aux(in) >> 4;
    IrRef x = in->op[1].kind == X86_OP_MEM && in->op[1].size == 2
              ? ir_op1(ctx->b, IR_vzext, IR_V128, x86_op_load(ctx, in, 1)) : simd_operand_unaligned(ctx, in, 1, 0);
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        IrRef y = h ? ir_emit(ctx->b, IR_vshr_bytes, IR_V128, 16u >> (to - from), x, IR_NONE, IR_NONE) : x;
        v.half[h] = ir_emit(ctx->b, row_op(in), IR_V128, row_aux(in), y, IR_NONE, IR_NONE);
    }
    simd_put(ctx, in, v);
}

/* PTEST, VTESTPS, VTESTPD: ZF: a and b is 0, CF: b and not a is 0; row number 1 and 2: sign bits only */
void x86_trans_simd_ptest(TransCtx *ctx, const X86Insn *in)
{
    static const uint64_t signs[] = { UINT64_MAX, 0x8000000080000000, 0x8000000000000000 };
    IrBuilder *b = ctx->b;
    IrRef both = IR_NONE, only = IR_NONE, mask = simd_const(ctx, signs[in->row->aux], signs[in->row->aux]);
    IrRef z, c;

    if (simd_halves(in) == 1 && !in->row->aux) {
        IrRef x = simd_reg(ctx, in->op[0].reg, 0), y = simd_operand(ctx, in, 1, 0);
        z = ir_emit(b, IR_vtest, IR_I32, 0, x, y, IR_NONE);
        c = ir_emit(b, IR_vtest, IR_I32, 1, x, y, IR_NONE);
    } else {
        for (unsigned h = 0; h < simd_halves(in); h++) {
            IrRef x = simd_reg(ctx, in->op[0].reg, h), y = simd_operand(ctx, in, 1, h);
            IrRef p = simd_op(ctx, IR_vand, 0, x, y), q = simd_op(ctx, IR_vandn, 0, y, x);
            both = h ? simd_op(ctx, IR_vor, 0, both, p) : p;
            only = h ? simd_op(ctx, IR_vor, 0, only, q) : q;
        }
        z = ir_emit(b, IR_vtest, IR_I32, 0, both, mask, IR_NONE);
        c = ir_emit(b, IR_vtest, IR_I32, 0, only, mask, IR_NONE);
    }
    x86_cc_set_flags(ctx, ir_op2(b, IR_or, IR_I32, ir_op2_imm(b, IR_shl, IR_I32, z, 6), c));
}
