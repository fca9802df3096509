/*
 * translate-sse-fp.c: SSE and AVX floating point: arithmetic, comparisons, conversions, rounding, FMA, F16C.
 *
 * The operand that comes first in the manual comes first in the IR operation: which NaN wins depends on it (SDM volume 1, table 4-7).
 */
#include "target/x86/translate.h"
#include "target/x86/simd.h"

static inline IrOp row_op(const X86Insn *in) { return in->row->aux & 0xff; }
static inline unsigned row_aux(const X86Insn *in) { return in->row->aux >> 8; }
/* Rows of scalars: VEX.L is ignored. */
static inline bool is_scalar(const X86Insn *in) { return in->op[0].size < 16; }
static inline unsigned halves(const X86Insn *in) { return is_scalar(in) ? 1 : simd_halves(in); }

/* ADDPS to MAXSD, ADDSUBPS */
void x86_trans_simd_fp(TransCtx *ctx, const X86Insn *in)
{
    IrOp op = row_op(in);
    unsigned aux = row_aux(in) | (is_scalar(in) ? IR_LANE_LOW << 4 : 0) | (op == IR_vfmin || op == IR_vfmax ? IR_MINMAX_X86 << 4 : 0);
    SimdValue v = { { IR_NONE, IR_NONE } }, x, y;

    for (unsigned h = 0; h < halves(in); h++) {
        x.half[h] = simd_operand(ctx, in, simd_first(in), h);
        y.half[h] = simd_operand(ctx, in, simd_second(in), h);
    }
    simd_fp_begin(ctx);
    for (unsigned h = 0; h < halves(in); h++) {
        v.half[h] = simd_op(ctx, op, aux, x.half[h], y.half[h]);
    }
    if (op == IR_vfmin || op == IR_vfmax) {
        simd_fp_end(ctx);
    } else {
        simd_fp_end_tiny(ctx, row_aux(in), is_scalar(in) ? 0 : halves(in), &v);
    }
    simd_put(ctx, in, v);
}

/* HADDPS, HSUBPS…: neighbours of the first source, then of the second */
void x86_trans_simd_hfp(TransCtx *ctx, const X86Insn *in)
{
    SimdValue v, even, odd;

    for (unsigned h = 0; h < simd_halves(in); h++) {
        IrRef x = simd_operand(ctx, in, simd_first(in), h), y = simd_operand(ctx, in, simd_second(in), h);
        bool dbl = row_aux(in) == IR_LANE_64;
        even.half[h] = dbl ? simd_op(ctx, IR_vzip_lo, IR_LANE_64, x, y) : simd_op(ctx, IR_vsel32, 0x88, x, y);
        odd.half[h] = dbl ? simd_op(ctx, IR_vzip_hi, IR_LANE_64, x, y) : simd_op(ctx, IR_vsel32, 0xdd, x, y);
    }
    simd_fp_begin(ctx);
    for (unsigned h = 0; h < simd_halves(in); h++) {
        v.half[h] = simd_op(ctx, row_op(in), row_aux(in), even.half[h], odd.half[h]);
    }
    simd_fp_end_tiny(ctx, row_aux(in), simd_halves(in), &v);
    simd_put(ctx, in, v);
}

/* One operation on each half of the last operand. */
static void unary(TransCtx *ctx, const X86Insn *in, IrOp op, unsigned aux)
{
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        v.half[h] = simd_operand(ctx, in, 1, h);
    }
    simd_fp_begin(ctx);
    for (unsigned h = 0; h < simd_halves(in); h++) {
        v.half[h] = ir_emit(ctx->b, op, IR_V128, aux, v.half[h], IR_NONE, IR_NONE);
    }
    simd_fp_end(ctx);
    simd_put(ctx, in, v);
}

static void unary_scalar(TransCtx *ctx, const X86Insn *in, IrOp op, IrType type, IrType from, unsigned aux)
{
    IrRef x = simd_scalar(ctx, in, simd_second(in), from);
    simd_fp_begin(ctx);
    x = ir_emit(ctx->b, op, type, aux, x, IR_NONE, IR_NONE);
    if (op == IR_fcvt && type == IR_F32) {
        simd_fp_end_tiny(ctx, IR_LANE_32, 0, &(SimdValue){ { ir_op1(ctx->b, IR_vzext, IR_V128, x) } });
    } else {
        simd_fp_end(ctx);
    }
    simd_put_scalar(ctx, in, x);
}

void x86_trans_simd_sqrt(TransCtx *ctx, const X86Insn *in) { unary(ctx, in, row_op(in), row_aux(in)); }

void x86_trans_simd_sqrt_scalar(TransCtx *ctx, const X86Insn *in)
{
    IrType type = row_aux(in) == IR_LANE_64 ? IR_F64 : IR_F32;
    unary_scalar(ctx, in, IR_fsqrt, type, type, IR_RM_DYN);
}

/* RCPPS, RSQRTPS: raise nothing */
void x86_trans_simd_estimate(TransCtx *ctx, const X86Insn *in)
{
    SimdValue v;
    for (unsigned h = 0; h < simd_halves(in); h++) {
        v.half[h] = ir_emit(ctx->b, row_op(in), IR_V128, row_aux(in), simd_operand(ctx, in, 1, h), IR_NONE, IR_NONE);
    }
    simd_put(ctx, in, v);
}

void x86_trans_simd_estimate_scalar(TransCtx *ctx, const X86Insn *in)
{
    IrRef x = simd_operand(ctx, in, simd_second(in), 0);
    x = ir_emit(ctx->b, row_op(in), IR_V128, row_aux(in), x, IR_NONE, IR_NONE);
    simd_put_scalar(ctx, in, ir_op1(ctx->b, IR_vlow, IR_F32, x));
}

/* Relations of the predicates of CMPPS, 0 to 15; those from 16 on signal where these do not, and the other way round. */
static unsigned relation(unsigned predicate)
{
    enum { LT = IR_FREL_LT, EQ = IR_FREL_EQ, GT = IR_FREL_GT, UN = IR_FREL_UNORD, SIG = IR_FREL_SIG };
    static const uint8_t of[16] = {
        EQ, LT | SIG, LT | EQ | SIG, UN, LT | GT | UN, EQ | GT | UN | SIG, GT | UN | SIG, LT | EQ | GT,
        EQ | UN, LT | UN | SIG, LT | EQ | UN | SIG, 0, LT | GT, EQ | GT | SIG, GT | SIG, LT | EQ | GT | UN,
    };
    return of[predicate & 15] ^ (predicate & 16 ? SIG : 0);
}

void x86_trans_simd_fcmp(TransCtx *ctx, const X86Insn *in)
{
    unsigned aux = in->row->aux | (is_scalar(in) ? 4 : 0) | relation(in->imm & (in->vex ? 31 : 7)) << 4;
    SimdValue v = { { IR_NONE, IR_NONE } }, x, y;

    for (unsigned h = 0; h < halves(in); h++) {
        x.half[h] = simd_operand(ctx, in, simd_first(in), h);
        y.half[h] = simd_operand(ctx, in, simd_second(in), h);
    }
    simd_fp_begin(ctx);
    for (unsigned h = 0; h < halves(in); h++) {
        v.half[h] = simd_op(ctx, IR_vfcmp, aux, x.half[h], y.half[h]);
    }
    simd_fp_end(ctx);
    simd_put(ctx, in, v);
}

/* COMISS, UCOMISS…: the relation as flags; row number: type, signalling */
void x86_trans_simd_comis(TransCtx *ctx, const X86Insn *in)
{
    IrType type = in->row->aux >> 4;
    IrRef x = simd_scalar(ctx, in, 0, type), y = simd_scalar(ctx, in, 1, type);
    simd_fp_begin(ctx);
    IrRef flags = ir_emit(ctx->b, IR_frel, IR_I32, in->row->aux & 15, x, y, IR_NONE);
    simd_fp_end(ctx);
    x86_cc_set_flags(ctx, flags);
}

/* -- conversions ------------------------------------------------------------------------------------------ */

static bool narrows(unsigned kind) { return kind == IR_CVT_F64_F32 || kind == IR_CVT_F64_I32; }
static bool widens(unsigned kind) { return kind == IR_CVT_F32_F64 || kind == IR_CVT_I32_F64 || kind == IR_CVT_F16_F32; }

/* Lanes become wider: both halves come from the lower one; narrower: both go there. Row number: rounding, IrVecCvt */
void x86_trans_simd_cvt(TransCtx *ctx, const X86Insn *in)
{
    unsigned kind = in->row->aux & 15, n = simd_halves(in);
    SimdValue v;

    for (unsigned h = 0; h < n; h++) {
        v.half[h] = widens(kind) && h ? simd_op(ctx, IR_vzip_hi, IR_LANE_64, v.half[0], v.half[0])
                    : simd_operand(ctx, in, 1, h);
    }
    simd_fp_begin(ctx);
    for (unsigned h = 0; h < n; h++) {
        v.half[h] = ir_emit(ctx->b, IR_vfcvt, IR_V128, in->row->aux, v.half[h], IR_NONE, IR_NONE);
    }
    if (kind == IR_CVT_F64_F32) {
        simd_fp_end_tiny(ctx, IR_LANE_32, n, &v);
    } else {
        simd_fp_end(ctx);
    }
    if (narrows(kind) && n == 2) {
        v.half[0] = simd_op(ctx, IR_vzip_lo, IR_LANE_64, v.half[0], v.half[1]);
        v.half[1] = IR_NONE;
    }
    simd_put(ctx, in, v);
}

/* CVTSS2SD, CVTSD2SS; row number: the result's type */
void x86_trans_simd_cvt_scalar(TransCtx *ctx, const X86Insn *in)
{
    IrType type = in->row->aux;
    unary_scalar(ctx, in, IR_fcvt, type, type == IR_F64 ? IR_F32 : IR_F64, IR_RM_DYN);
}

void x86_trans_simd_cvtsi(TransCtx *ctx, const X86Insn *in)
{
    IrRef x = x86_op_load(ctx, in, simd_second(in));
    simd_fp_begin(ctx);
    x = ir_emit(ctx->b, IR_i2f, in->row->aux, IR_RM_DYN, x, IR_NONE, IR_NONE);
    simd_fp_end(ctx);
    simd_put_scalar(ctx, in, x);
}

/* CVTSS2SI, CVTTSS2SI…; row number: type, rounding */
void x86_trans_simd_cvt2si(TransCtx *ctx, const X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrRef x = simd_scalar(ctx, in, 1, in->row->aux >> 4);
    simd_fp_begin(ctx);
    x = ir_emit(ctx->b, IR_f2i, x86_type(size), in->row->aux & 15, x, IR_NONE, IR_NONE);
    simd_fp_end(ctx);
    x86_put(ctx, in->op[0].reg, size, x);
}

void x86_trans_avx_cvtps2ph(TransCtx *ctx, const X86Insn *in)
{
    unsigned n = simd_halves(in), aux = IR_CVT_F32_F16 | simd_rounding(in->imm & 7) << 4;
    SimdValue v;

    simd_fp_begin(ctx);
    for (unsigned h = 0; h < n; h++) {
        v.half[h] = ir_emit(ctx->b, IR_vfcvt, IR_V128, aux, simd_reg(ctx, in->op[1].reg, h), IR_NONE, IR_NONE);
    }
    simd_fp_end_tiny(ctx, IR_LANE_16, n, &v);
    IrRef r = n == 2 ? simd_op(ctx, IR_vzip_lo, IR_LANE_64, v.half[0], v.half[1]) : v.half[0];
    if (in->op[0].kind == X86_OP_MEM) {
        simd_store(ctx, x86_ea(ctx, in, 8 * n, true), 8 * n, IR_ALIGN_ANY, r);
    } else {
        simd_put_low(ctx, in, r);
    }
}

/* -- rounding, dot product --------------------------------------------------------------------------------- */

static unsigned round_aux(const X86Insn *in)
{
    return simd_rounding(in->imm & 7) | (in->imm & 8 ? 0 : IR_ROUND_EXACT);
}

void x86_trans_simd_round(TransCtx *ctx, const X86Insn *in)
{
    unary(ctx, in, IR_vfround, in->row->aux | round_aux(in) << 4);
}

void x86_trans_simd_round_scalar(TransCtx *ctx, const X86Insn *in)
{
    unary_scalar(ctx, in, IR_fround, in->row->aux, in->row->aux, round_aux(in));
}

static IrRef lane_mask(TransCtx *ctx, unsigned lane, unsigned bits)
{
    IrVecConst c = { .u64 = { 0 } };
    for (unsigned i = 0; i < 16; i++) {
        c.u8[i] = bits >> (i >> lane) & 1 ? 0xff : 0;
    }
    return simd_const(ctx, c.u64[0], c.u64[1]);
}

static IrRef permute(TransCtx *ctx, unsigned selectors, IrRef x)
{
    return ir_emit(ctx->b, IR_vperm32, IR_V128, selectors, x, IR_NONE, IR_NONE);
}

/*
 * DPPS, DPPD. Lanes that are not chosen contribute +0, here the product of zeros. The sum of four is that of two sums of neighbours; all
 * lanes compute the same, so that no other flags are raised. An unmasked exception of one step keeps the next from being done.
 */
void x86_trans_simd_dp(TransCtx *ctx, const X86Insn *in)
{
    unsigned lane = in->row->aux, bits = lane == IR_LANE_64 ? 3 : 15;
    IrRef in_mask = lane_mask(ctx, lane, in->imm >> 4 & bits), out_mask = lane_mask(ctx, lane, in->imm & bits);
    SimdValue v, x, y;

    for (unsigned h = 0; h < simd_halves(in); h++) {
        x.half[h] = simd_op(ctx, IR_vand, 0, simd_operand(ctx, in, simd_first(in), h), in_mask);
        y.half[h] = simd_op(ctx, IR_vand, 0, simd_operand(ctx, in, simd_second(in), h), in_mask);
    }
    simd_fp_begin(ctx);
    for (unsigned h = 0; h < simd_halves(in); h++) {
        v.half[h] = simd_op(ctx, IR_vfmul, lane, x.half[h], y.half[h]);
    }
    simd_fp_end_tiny(ctx, lane, simd_halves(in), &v);
    for (unsigned step = lane == IR_LANE_32 ? 0 : 1; step < 2; step++) {
        simd_fp_begin(ctx);
        for (unsigned h = 0; h < simd_halves(in); h++) {
            IrRef even = permute(ctx, step ? 0x44 : 0xa0, v.half[h]), odd = permute(ctx, step ? 0xee : 0xf5, v.half[h]);
            v.half[h] = simd_op(ctx, IR_vfadd, lane, even, odd);
        }
        simd_fp_end_tiny(ctx, lane, simd_halves(in), &v);
    }
    for (unsigned h = 0; h < simd_halves(in); h++) {
        v.half[h] = simd_op(ctx, IR_vand, 0, v.half[h], out_mask);
    }
    simd_put(ctx, in, v);
}

/* -- fused multiply-add ---------------------------------------------------------------------------------------- */

/* c with the sign turned over in even (or odd) lanes, except of NaNs, which come out as they went in. */
static IrRef alternate(TransCtx *ctx, unsigned lane, bool even, IrRef c)
{
    uint64_t sign = lane == IR_LANE_64 ? BIT(63) : 0x8000000080000000;
    uint64_t inf = lane == IR_LANE_64 ? 0x7ff0000000000000 : 0x7f8000007f800000;
    uint64_t low = lane == IR_LANE_64 ? (even ? BIT(63) : 0) : even ? BIT(31) : BIT(63);
    uint64_t high = lane == IR_LANE_64 ? (even ? 0 : BIT(63)) : low;
    IrRef magnitude = simd_op(ctx, IR_vandn, 0, c, simd_const(ctx, sign, sign));
    IrRef nan = simd_op(ctx, IR_vcmp, lane | IR_GT << 4, magnitude, simd_const(ctx, inf, inf));
    return simd_op(ctx, IR_vxor, 0, c, simd_op(ctx, IR_vandn, 0, simd_const(ctx, low, high), nan));
}

/* VFMADD132PS to VFNMSUB231SD; operands 1, 2, 3: 132 is 1 * 3 + 2, 213 is 2 * 1 + 3, 231 is 2 * 3 + 1 */
void x86_trans_avx_fma(TransCtx *ctx, const X86Insn *in)
{
    static const uint8_t place[3][3] = { [X86_FMA_132] = { 0, 2, 1 }, [X86_FMA_213] = { 1, 0, 2 }, [X86_FMA_231] = { 1, 2, 0 } };
    static const uint16_t rest[3] = { [X86_FMA_132] = 0, [X86_FMA_213] = IR_FMA_REST_B, [X86_FMA_231] = IR_FMA_REST_C };
    unsigned order = in->row->aux & 3, signs = in->row->aux >> 2 & 7, lane = in->row->aux >> 8;
    unsigned aux = lane | (signs & 4 ? 0 : (signs & 1 ? IR_FMA_NEG_PRODUCT << 4 : 0) | (signs & 2 ? IR_FMA_NEG_ADDEND << 4 : 0));
    SimdValue v = { { IR_NONE, IR_NONE } };
    IrRef r[2][3];

    if (is_scalar(in)) {
        aux |= (IR_LANE_LOW | rest[order]) << 4;
    }
    for (unsigned h = 0; h < halves(in); h++) {
        for (unsigned k = 0; k < 3; k++) {
            r[h][k] = simd_operand(ctx, in, place[order][k], h);
        }
        if (signs & 4) {
            r[h][2] = alternate(ctx, lane, signs == 4, r[h][2]);
        }
    }
    simd_fp_begin(ctx);
    for (unsigned h = 0; h < halves(in); h++) {
        v.half[h] = ir_emit(ctx->b, IR_vfma, IR_V128, aux, r[h][0], r[h][1], r[h][2]);
    }
    simd_fp_end_tiny(ctx, lane, is_scalar(in) ? 0 : halves(in), &v);
    simd_put(ctx, in, v);
}
