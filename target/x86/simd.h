/*
 * simd.h: what the handlers of SSE and AVX share (translate-sse*.c, translate-avx.c) and their row numbers.
 *
 * A vector register is two V128: the low half, and bits 128-255, which legacy instructions keep and VEX ones write, with zero if
 * they are of 128 bits. A handler makes the halves of the result, then writes them with simd_put: all memory is read before.
 */
#ifndef TARGET_X86_SIMD_H
#define TARGET_X86_SIMD_H

/* An IR operation and its aux; two numbers of four bits. */
#define X86_V(op, aux) (IR_##op | (aux) << 8)
#define X86_PAIR(high, low) ((high) << 4 | (low))
enum { X86_FMA_132, X86_FMA_213, X86_FMA_231 };
/* signs: 1 product negated, 2 addend negated; 4 fmaddsub, 5 fmsubadd */
#define X86_FMA(order, signs, lane) (X86_FMA_##order | (signs) << 2 | (lane) << 8)

typedef struct SimdValue { IrRef half[2]; } SimdValue;

static inline unsigned simd_halves(const X86Insn *in) { return in->vex && in->vex_l ? 2 : 1; }
/* Operand numbers of the sources: VEX rows with an H operand have one more than legacy ones, whose first source is the destination. */
static inline bool simd_has_h(const X86Insn *in) { return in->row->n_ops > 1 && in->row->op[1].spec == X86_SPEC_H; }
static inline unsigned simd_first(const X86Insn *in) { return simd_has_h(in); }
static inline unsigned simd_second(const X86Insn *in) { return simd_has_h(in) ? 2 : 1; }

IrRef simd_zero(TransCtx *ctx);
IrRef simd_const(TransCtx *ctx, uint64_t low, uint64_t high);
IrRef simd_reg(TransCtx *ctx, unsigned reg, unsigned half);
/* 16 bytes of operand i, or fewer with zero above if the operand is of 4 or 8 bytes in memory. Legacy operands must be aligned. */
IrRef simd_operand(TransCtx *ctx, const X86Insn *in, unsigned i, unsigned half);
IrRef simd_operand_unaligned(TransCtx *ctx, const X86Insn *in, unsigned i, unsigned half);
/* The lowest lane of operand i. */
IrRef simd_scalar(TransCtx *ctx, const X86Insn *in, unsigned i, IrType type);
/* Some bytes of memory as a V128 and back; align: IrAlign. */
IrRef simd_load(TransCtx *ctx, X86Mem m, unsigned size, unsigned align);
void simd_store(TransCtx *ctx, X86Mem m, unsigned size, unsigned align, IrRef value);
/* Writes register operand 0. A VEX write of one half (the other IR_NONE) clears the other. */
void simd_put(TransCtx *ctx, const X86Insn *in, SimdValue v);
void simd_put_low(TransCtx *ctx, const X86Insn *in, IrRef low);
/* The lowest lane of the destination becomes `scalar`, the others the first source's. */
void simd_put_scalar(TransCtx *ctx, const X86Insn *in, IrRef scalar);

static inline IrRef simd_op(TransCtx *ctx, IrOp op, unsigned aux, IrRef a, IrRef b)
{
    return ir_emit(ctx->b, op, IR_V128, aux, a, b, IR_NONE);
}

/*
 * Around what may raise SIMD exceptions: with unmasked ones (X86_MODE_SSE_TRAP) the flags are looked at before the result is written.
 * simd_fp_end_tiny after operations with results of lane size `lane` that may underflow; n: halves, 0: the lowest lane of half[0].
 */
void simd_fp_begin(TransCtx *ctx);
void simd_fp_end(TransCtx *ctx);
void simd_fp_end_tiny(TransCtx *ctx, unsigned lane, unsigned n, const SimdValue *results);

/* An immediate's rounding field (bit 2: MXCSR's), as ROUNDPS and VCVTPS2PH have it. */
unsigned simd_rounding(unsigned imm);

#endif
