/*
 * fp.c: floating-point vector instructions: arithmetic, comparison, reduction, scalar moves.
 *
 * Chapter 30.13, 30.14.3, 30.14.4, 30.16.2 of the unprivileged ISA; Zvfh, Zvfbfwma. Conversions are in
 * fp-convert.c. Only active elements are computed, so that only they raise flags.
 */
#include "target/riscv/vector/vector.h"
#include "target/riscv/vector/fp-host.h"
#include "target/riscv/vector/kernels.h"

/* -- gates and scalars ------------------------------------------------------------------------ */

bool rvv_fp_ok(const RvvExec *e, unsigned size_log2)
{
    const RvvFeatures *f = e->features;

    return e->frm_valid && (size_log2 == 1 ? f->f16_full : size_log2 == 2 ? f->f32
                            : size_log2 == 3 && f->f64);
}

uint64_t rvv_unbox(const RvvExec *e, unsigned size_log2)
{
    if (size_log2 == 3) {
        return e->x;
    }
    unsigned bits = 8u << size_log2;
    if (~e->x >> bits) {
        return size_log2 == 1 ? 0x7e00 : 0x7fc00000;
    }
    return e->x & ~(uint64_t)0 >> (64 - bits);
}

static bool is_vf(const RvvExec *e)
{
    return (e->insn >> 12 & 7) == 5;
}

/* -- kernels ---------------------------------------------------------------------------------- */

#define PARAMS RvvExec *e, void *restrict dp, const void *ap, const void *bp, const void *cp, size_t n
#define A x[i]
#define B y[i]
#define C z[i]
#define S (&e->fp)

#define LOOP(name, D, X, Y, expr) LOOP_HOST(name, D, X, Y, false, expr)
/* `host`: computes everything and is true, or is false. */
#define LOOP_HOST(name, D, X, Y, host, expr)                                             \
    static void name(PARAMS)                                                             \
    {                                                                                    \
        D *restrict d = dp;                                                              \
        const X *x = ap;                                                                 \
        const Y *y = bp;                                                                 \
        const D *z = cp;                                                                 \
        (void)z, (void)y;                                                                \
        if (host) {                                                                      \
            return;                                                                      \
        }                                                                                \
        for (size_t i = 0; i < n; i++) {                                                 \
            if (rvv_active(e, e->from + i)) {                                            \
                d[i] = (D)(expr);                                                        \
            }                                                                            \
        }                                                                                \
    }
#define ARRAY(name) RvvKernel *const rvv_k_##name[4] = { NULL, name##_16, name##_32, name##_64 };
#define ARRAY_W(name) RvvKernel *const rvv_k_##name[4] = { NULL, name##_16, name##_32, NULL };

#define ONE(name, EXPR)                                                                  \
    LOOP(name##_16, f16, f16, f16, EXPR(f16)) LOOP(name##_32, f32, f32, f32, EXPR(f32))  \
    LOOP(name##_64, f64, f64, f64, EXPR(f64)) ARRAY(name)

/* The host's vector unit where it can, with operands h1, h2 and addend h3. */
#define ONE_HOST(name, op, h1, h2, h3, EXPR)                                             \
    LOOP(name##_16, f16, f16, f16, EXPR(f16))                                            \
    LOOP_HOST(name##_32, f32, f32, f32, rvv_host_run(e, RVV_HOST_##op, 2, dp, h1, h2, h3, n), EXPR(f32)) \
    LOOP_HOST(name##_64, f64, f64, f64, rvv_host_run(e, RVV_HOST_##op, 3, dp, h1, h2, h3, n), EXPR(f64)) \
    ARRAY(name)

#define ADD(F) F##_add(A, B, S)
#define SUB(F) F##_sub(A, B, S)
#define RSUB(F) F##_sub(B, A, S)
#define MUL(F) F##_mul(A, B, S)
#define DIV(F) F##_div(A, B, S)
#define RDIV(F) F##_div(B, A, S)
#define MIN_(F) F##_minmax(A, B, FP_MINIMUM_NUMBER, S)
#define MAX_(F) F##_minmax(A, B, FP_MAXIMUM_NUMBER, S)
ONE_HOST(fadd, ADD, ap, bp, NULL, ADD)
ONE_HOST(fsub, SUB, ap, bp, NULL, SUB)
ONE_HOST(frsub, SUB, bp, ap, NULL, RSUB)
ONE_HOST(fmul, MUL, ap, bp, NULL, MUL)
ONE_HOST(fdiv, DIV, ap, bp, NULL, DIV)
ONE_HOST(frdiv, DIV, bp, ap, NULL, RDIV)
ONE(fmin, MIN_)
ONE(fmax, MAX_)

#define SIGN(F) ((F)1 << (sizeof(F) * 8 - 1))
#define SGNJ(F) ((A & (F)~SIGN(F)) | (B & SIGN(F)))
#define SGNJN(F) ((A & (F)~SIGN(F)) | (~B & SIGN(F)))
#define SGNJX(F) (A ^ (B & SIGN(F)))
ONE(fsgnj, SGNJ)
ONE(fsgnjn, SGNJN)
ONE(fsgnjx, SGNJX)

/* 30.13.6: the vd operand is a factor in the first four, the addend in the others. */
#define MADD(F) F##_muladd(B, C, A, 0, S)
#define NMADD(F) F##_muladd(B, C, A, FP_NEGATE_PRODUCT | FP_NEGATE_ADDEND, S)
#define MSUB(F) F##_muladd(B, C, A, FP_NEGATE_ADDEND, S)
#define NMSUB(F) F##_muladd(B, C, A, FP_NEGATE_PRODUCT, S)
#define MACC(F) F##_muladd(B, A, C, 0, S)
#define NMACC(F) F##_muladd(B, A, C, FP_NEGATE_PRODUCT | FP_NEGATE_ADDEND, S)
#define MSAC(F) F##_muladd(B, A, C, FP_NEGATE_ADDEND, S)
#define NMSAC(F) F##_muladd(B, A, C, FP_NEGATE_PRODUCT, S)
ONE_HOST(fmadd, FMA, bp, cp, ap, MADD)
ONE_HOST(fnmadd, FNMS, bp, cp, ap, NMADD)
ONE_HOST(fmsub, FMS, bp, cp, ap, MSUB)
ONE_HOST(fnmsub, FNMA, bp, cp, ap, NMSUB)
ONE_HOST(fmacc, FMA, bp, ap, cp, MACC)
ONE_HOST(fnmacc, FNMS, bp, ap, cp, NMACC)
ONE_HOST(fmsac, FMS, bp, ap, cp, MSAC)
ONE_HOST(fnmsac, FNMA, bp, ap, cp, NMSAC)

#define COMPARE(name, EXPR)                                                              \
    LOOP(name##_16, uint8_t, f16, f16, EXPR(f16)) LOOP(name##_32, uint8_t, f32, f32, EXPR(f32)) \
    LOOP(name##_64, uint8_t, f64, f64, EXPR(f64)) ARRAY(name)
#define EQ(F) F##_eq(A, B, S)
#define NE(F) !F##_eq(A, B, S)
#define LT(F) F##_lt(A, B, S)
#define LE(F) F##_le(A, B, S)
#define GT(F) F##_lt(B, A, S)
#define GE(F) F##_le(B, A, S)
COMPARE(feq, EQ)
COMPARE(fne, NE)
COMPARE(flt, LT)
COMPARE(fle, LE)
COMPARE(fgt, GT)
COMPARE(fge, GE)

/* Widening: operands are converted exactly, then one operation rounds. */
#define WIDEN(name, EXPR)                                                                \
    LOOP(name##_16, f32, f16, f16, EXPR(f32, f16_to_f32))                                \
    LOOP(name##_32, f64, f32, f32, EXPR(f64, f32_to_f64)) ARRAY_W(name)
#define WIDEN_W(name, EXPR)                                                              \
    LOOP(name##_16, f32, f32, f16, EXPR(f32, f16_to_f32))                                \
    LOOP(name##_32, f64, f64, f32, EXPR(f64, f32_to_f64)) ARRAY_W(name)
#define WADD(F, wide) F##_add(wide(A, S), wide(B, S), S)
#define WSUB(F, wide) F##_sub(wide(A, S), wide(B, S), S)
#define WADD_W(F, wide) F##_add(A, wide(B, S), S)
#define WSUB_W(F, wide) F##_sub(A, wide(B, S), S)
#define WMUL(F, wide) F##_mul(wide(A, S), wide(B, S), S)
#define WMACC(F, wide) F##_muladd(wide(B, S), wide(A, S), C, 0, S)
#define WNMACC(F, wide) F##_muladd(wide(B, S), wide(A, S), C, FP_NEGATE_PRODUCT | FP_NEGATE_ADDEND, S)
#define WMSAC(F, wide) F##_muladd(wide(B, S), wide(A, S), C, FP_NEGATE_ADDEND, S)
#define WNMSAC(F, wide) F##_muladd(wide(B, S), wide(A, S), C, FP_NEGATE_PRODUCT, S)
WIDEN(fwadd, WADD)
WIDEN(fwsub, WSUB)
WIDEN_W(fwadd_w, WADD_W)
WIDEN_W(fwsub_w, WSUB_W)
WIDEN(fwmul, WMUL)
WIDEN(fwmacc, WMACC)
WIDEN(fwnmacc, WNMACC)
WIDEN(fwmsac, WMSAC)
WIDEN(fwnmsac, WNMSAC)
LOOP(fwmaccbf16_16, f32, bf16, bf16, WMACC(f32, bf16_to_f32))
RvvKernel *const rvv_k_fwmaccbf16[4] = { NULL, fwmaccbf16_16, NULL, NULL };

/* Reductions: element 0 of vs1 is the start; in element order. */
#define REDUCE_(name, D, X, expr)                                                        \
    static void name(PARAMS)                                                             \
    {                                                                                    \
        const X *x = ap;                                                                 \
        D r = *(const D *)bp;                                                            \
        (void)cp;                                                                        \
        for (size_t i = 0; i < n; i++) {                                                 \
            if (rvv_active(e, e->from + i)) {                                            \
                r = expr;                                                                \
            }                                                                            \
        }                                                                                \
        *(D *)dp = r;                                                                    \
    }
#define REDUCE(name, EXPR)                                                               \
    REDUCE_(name##_16, f16, f16, EXPR(f16)) REDUCE_(name##_32, f32, f32, EXPR(f32))      \
    REDUCE_(name##_64, f64, f64, EXPR(f64)) ARRAY(name)
#define R_ADD(F) F##_add(r, A, S)
#define R_MIN(F) F##_minmax(r, A, FP_MINIMUM_NUMBER, S)
#define R_MAX(F) F##_minmax(r, A, FP_MAXIMUM_NUMBER, S)
REDUCE(fredsum, R_ADD)
REDUCE(fredmin, R_MIN)
REDUCE(fredmax, R_MAX)
REDUCE_(fwredsum_16, f32, f16, f32_add(r, f16_to_f32(A, S), S))
REDUCE_(fwredsum_32, f64, f32, f64_add(r, f32_to_f64(A, S), S))
ARRAY_W(fwredsum)

/* -- shapes ----------------------------------------------------------------------------------- */

/* Before an integer shape takes over: gates, and the scalar out of its box. */
static bool prepare(RvvExec *e, bool wide)
{
    if (!rvv_fp_ok(e, e->sew) || (wide && !rvv_fp_ok(e, e->sew + 1))) {
        return false;
    }
    if (is_vf(e)) {
        e->x = rvv_unbox(e, e->sew);
    }
    return true;
}

bool rvv_f_two(RvvExec *e, const RvvRow *row)
{
    return prepare(e, false) && rvv_two(e, row);
}

bool rvv_f_compare(RvvExec *e, const RvvRow *row)
{
    return prepare(e, false) && rvv_compare(e, row);
}

bool rvv_f_widen(RvvExec *e, const RvvRow *row)
{
    if (row->kernel == rvv_k_fwmaccbf16) {
        if (!e->features->bf16_fma || !e->frm_valid || e->sew != 1) {
            return false;
        }
        if (is_vf(e)) {
            e->x = ~e->x >> 16 ? 0x7fc0 : e->x & 0xffff;
        }
        return rvv_widen(e, row);
    }
    return prepare(e, true) && rvv_widen(e, row);
}

bool rvv_f_widen_w(RvvExec *e, const RvvRow *row)
{
    return prepare(e, true) && rvv_widen_w(e, row);
}

bool rvv_f_reduce(RvvExec *e, const RvvRow *row)
{
    return rvv_fp_ok(e, e->sew) && rvv_reduce(e, row);
}

bool rvv_f_reduce_widen(RvvExec *e, const RvvRow *row)
{
    return rvv_fp_ok(e, e->sew) && rvv_fp_ok(e, e->sew + 1) && rvv_reduce_widen(e, row);
}

bool rvv_f_merge(RvvExec *e, const RvvRow *row)
{
    return prepare(e, false) && rvv_merge_op(e, row);
}

/* vfmv.f.s, vfmv.s.f */
bool rvv_f_scalar_out(RvvExec *e, const RvvRow *row)
{
    if (!rvv_fp_ok(e, e->sew) || e->masked) {
        return false;
    }
    if (is_vf(e)) {
        if (e->vs2) {
            return false;
        }
        if (e->from < e->to) {
            rvv_put(rvv_reg(e, e->vd), e->sew, 0, rvv_unbox(e, e->sew));
        }
        return true;
    }
    if (e->vs1) {
        return false;
    }
    e->result = rvv_get(rvv_reg(e, e->vs2), e->sew, 0);
    if (e->sew < 3) {
        e->result |= ~(uint64_t)0 << (8u << e->sew);
    }
    e->result_kind = RVV_RESULT_F;
    return true;
}
