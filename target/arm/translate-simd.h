/*
 * translate-simd.h: what the handlers of Advanced SIMD share (translate-simd-*.c). A handler computes 128 bits and
 * hands them to arm_put_v(), which clears what the form does not write.
 *
 * FPSR.QC is the slot ARM_SLOT_QC: set if any of its 128 bits is, so that saturating instructions need no branch: they
 * add in the bits in which the result differs from the one that was not saturated (arm_qc()).
 */
#ifndef TARGET_ARM_TRANSLATE_SIMD_H
#define TARGET_ARM_TRANSLATE_SIMD_H

#include "target/arm/translate.h"

typedef const ArmArgsV2 ArgsV2;
typedef const ArmArgsV3 ArgsV3;
typedef const ArmArgsVsh ArgsVsh;
typedef const ArmArgsVix ArgsVix;
typedef const ArmArgsVcp ArgsVcp;
typedef const ArmArgsVmi ArgsVmi;
typedef const ArmArgsVex ArgsVex;
typedef const ArmArgsVtb ArgsVtb;

static inline IrRef arm_v(TransCtx *ctx, int n) { return ir_get(ctx->b, ARM_SLOT_V + ((unsigned)n & 31)); }

/* Operations on vectors; aux as ops.def has it. */
static inline IrRef arm_v1(TransCtx *ctx, IrOp op, unsigned aux, IrRef a)
{
    return ir_emit(ctx->b, op, IR_V128, aux, a, IR_NONE, IR_NONE);
}

static inline IrRef arm_v2(TransCtx *ctx, IrOp op, unsigned aux, IrRef a, IrRef b)
{
    return ir_emit(ctx->b, op, IR_V128, aux, a, b, IR_NONE);
}

/* Lanes by one constant count, below their width. */
static inline IrRef arm_vshift(TransCtx *ctx, IrOp op, int size, IrRef v, int count)
{
    return count ? arm_v2(ctx, op, (unsigned)size, v, ir_i32(ctx->b, (uint32_t)count)) : v;
}

static inline IrRef arm_compare(TransCtx *ctx, IrCond cond, int size, IrRef a, IrRef b)
{
    return arm_v2(ctx, IR_vcmp, (unsigned)size | (unsigned)cond << 4, a, b);
}

/* mask ? ones : zeros, by bits. */
static inline IrRef arm_select_bits(TransCtx *ctx, IrRef mask, IrRef ones, IrRef zeros)
{
    return ir_emit(ctx->b, IR_vbsel, IR_V128, 0, mask, ones, zeros);
}

static inline IrRef arm_lane(TransCtx *ctx, IrRef v, int log2, unsigned lane)
{
    return ir_emit(ctx->b, IR_vget_lane, IR_I64, (unsigned)log2 | lane << 4, v, IR_NONE, IR_NONE);
}

static inline IrRef arm_dup(TransCtx *ctx, int log2, IrRef x)
{
    return ir_emit(ctx->b, IR_vdup, IR_V128, (unsigned)log2, x, IR_NONE, IR_NONE);
}

/* Constants: of two halves, and with one value in all lanes. */
static inline IrRef arm_vconst(TransCtx *ctx, uint64_t low, uint64_t high)
{
    return ir_vconst(ctx->b, IR_V128, &(IrVecConst){ .u64 = { low, high } });
}

static inline uint64_t arm_replicate(int log2, uint64_t x)
{
    static const uint64_t ones[] = { 0x0101010101010101, 0x0001000100010001, 0x0000000100000001, 1 };
    return x * ones[log2];
}

static inline IrRef arm_vall(TransCtx *ctx, int log2, uint64_t x)
{
    return arm_vconst(ctx, arm_replicate(log2, x), arm_replicate(log2, x));
}

static inline IrRef arm_vzero(TransCtx *ctx) { return arm_vconst(ctx, 0, 0); }

/* A table for the bytes 0 to 15 (vtbl). */
static inline IrRef arm_vbytes(TransCtx *ctx, const uint8_t bytes[16])
{
    return arm_vconst(ctx, ldle64(bytes), ldle64(bytes + 8));
}

/* v's low 1 << log2 bytes (4: all), zeros above. */
static inline IrRef arm_vlow_part(TransCtx *ctx, int log2, IrRef v)
{
    switch (log2) {
    case 4: return v;
    case 3: return ir_op1(ctx->b, IR_vzext, IR_V128, ir_op1(ctx->b, IR_vlow, IR_F64, v));
    case 2: return ir_op1(ctx->b, IR_vzext, IR_V128, ir_op1(ctx->b, IR_vlow, IR_F32, v));
    default: return arm_v2(ctx, IR_vand, 0, v, arm_vconst(ctx, log2 ? 0xffff : 0xff, 0));
    }
}

/* The low halves of low and high one above the other. */
static inline IrRef arm_vjoin(TransCtx *ctx, IrRef low, IrRef high) { return arm_v2(ctx, IR_vzip_lo, 3, low, high); }

static inline IrRef arm_vupper(TransCtx *ctx, IrRef v) { return arm_v1(ctx, IR_vshr_bytes, 8, v); }

/* Lanes of v's low half (upper: the other) made twice as wide. */
static inline IrRef arm_vwiden(TransCtx *ctx, bool is_signed, int size, bool upper, IrRef v)
{
    return arm_v1(ctx, is_signed ? IR_vwiden_s : IR_vwiden_u, (unsigned)size | (unsigned)(size + 1) << 4,
                  upper ? arm_vupper(ctx, v) : v);
}

/* V[d] = the low 1 << log2 bytes of v (4: all), zeros above. */
static inline void arm_put_low(TransCtx *ctx, int d, int log2, IrRef v)
{
    ir_put(ctx->b, ARM_SLOT_V + (unsigned)d, arm_vlow_part(ctx, log2, v));
}

static inline int arm_form_log2(int q, int scalar, int size) { return scalar ? size : q ? 4 : 3; }

/* The result of a form with q, or of a scalar one of lane size. */
static inline void arm_put_v(TransCtx *ctx, int d, int q, int scalar, int size, IrRef v)
{
    arm_put_low(ctx, d, arm_form_log2(q, scalar, size), v);
}

static inline void arm_put2(TransCtx *ctx, ArgsV2 *a, IrRef v) { arm_put_v(ctx, a->d, a->q, a->scalar, a->size, v); }
static inline void arm_put3(TransCtx *ctx, ArgsV3 *a, IrRef v) { arm_put_v(ctx, a->d, a->q, a->scalar, a->size, v); }

/* Half as wide as what it is made of: the low half of V[d], or (q, the forms with a 2) the upper one beside the old low one. */
static inline void arm_put_narrow(TransCtx *ctx, int d, int q, int scalar, int size, IrRef v)
{
    arm_put_low(ctx, d, scalar ? size : q ? 4 : 3, q && !scalar ? arm_vjoin(ctx, arm_v(ctx, d), v) : v);
}

/* FPSR.QC is set if one of the low 1 << log2 bytes of bits is not zero. */
static inline void arm_qc(TransCtx *ctx, int log2, IrRef bits)
{
    ir_put(ctx->b, ARM_SLOT_QC, arm_v2(ctx, IR_vor, 0, ir_get(ctx->b, ARM_SLOT_QC), arm_vlow_part(ctx, log2, bits)));
}

/* translate-simd-int.c: saturating sums and differences, FPSR.QC by the low 1 << log2 bytes. */
IrRef arm_sat_add(TransCtx *ctx, bool is_signed, int size, int log2, IrRef x, IrRef y);
IrRef arm_sat_sub(TransCtx *ctx, bool is_signed, int size, int log2, IrRef x, IrRef y);

/* translate-simd-shift.c: logical and arithmetic shifts right by 1 to all bits of the lane, rounded or not. */
IrRef arm_shift_right(TransCtx *ctx, bool is_signed, bool round, int size, int count, IrRef v);

/* The fields immh:immb of shifts by immediates: the lane's bits plus the count (left), or twice them less it. */
static inline int arm_shift_size(int sh) { return 28 - __builtin_clz((unsigned)sh); }
static inline int arm_shift_left_count(int sh) { return sh - (8 << arm_shift_size(sh)); }
static inline int arm_shift_right_count(int sh) { return (16 << arm_shift_size(sh)) - sh; }

/* translate-simd-narrow.c: lanes of size + 1 cut or saturated to size, in the low half; scalar: FPSR.QC by the lowest only. */
IrRef arm_narrow_lanes(TransCtx *ctx, int size, IrRef v);
typedef enum ArmNarrow { ARM_NARROW_S, ARM_NARROW_U, ARM_NARROW_S_TO_U } ArmNarrow;
IrRef arm_narrow_saturated(TransCtx *ctx, ArmNarrow kind, int size, bool scalar, IrRef v);

/* translate-simd-move.c */
IrRef arm_vdup_lane(TransCtx *ctx, int size, unsigned lane, IrRef v);

/* translate-simd-permute.c: the even or the odd lanes of a, then of b. */
IrRef arm_unzip(TransCtx *ctx, int size, bool odd, IrRef a, IrRef b);

/* translate-simd-struct.c: between registers of structures and what lies in memory, in pieces of 16 bytes. */
void arm_deinterleave(TransCtx *ctx, int size, int q, unsigned regs, const IrRef *piece, IrRef *ret);
void arm_interleave(TransCtx *ctx, int size, int q, unsigned regs, const IrRef *reg, IrRef *ret);

/* translate-simd-reduce.c: sums of neighbouring lanes, twice as wide. */
IrRef arm_add_pairs_long(TransCtx *ctx, bool is_signed, int size, IrRef v);

#endif
