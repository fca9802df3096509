/*
 * translate-simd-mul.c: Advanced SIMD multiplications (Arm ARM C7.2): by element, long, doubling and saturating, polynomial,
 * sums of products (DotProd, I8MM). Those of one lane width by lanes are in translate-simd-int.c.
 *
 * q of the long forms (those with a 2): upper halves. Doubled products saturate in one case only, both factors being the
 * least number, and then the wrapped result is the least number, which no other product gives.
 */
#include "target/arm/translate-simd.h"

static IrRef element(TransCtx *ctx, ArgsVix *a) { return arm_vdup_lane(ctx, a->size, (unsigned)a->index, arm_v(ctx, a->m)); }

static void put_lane(TransCtx *ctx, ArgsVix *a, IrRef v) { arm_put_v(ctx, a->d, a->q, a->scalar, a->size, v); }

/* -- of one width ------------------------------------------------------------------------------------------ */

static IrRef product_by_element(TransCtx *ctx, ArgsVix *a)
{
    return arm_v2(ctx, IR_vmul, (unsigned)a->size, arm_v(ctx, a->n), element(ctx, a));
}

void arm_trans_v_mul_lane(TransCtx *ctx, ArgsVix *a) { put_lane(ctx, a, product_by_element(ctx, a)); }

void arm_trans_v_mla_lane(TransCtx *ctx, ArgsVix *a)
{
    put_lane(ctx, a, arm_v2(ctx, IR_vadd, (unsigned)a->size, arm_v(ctx, a->d), product_by_element(ctx, a)));
}

void arm_trans_v_mls_lane(TransCtx *ctx, ArgsVix *a)
{
    put_lane(ctx, a, arm_v2(ctx, IR_vsub, (unsigned)a->size, arm_v(ctx, a->d), product_by_element(ctx, a)));
}

/* -- long -------------------------------------------------------------------------------------------------- */

static IrRef product_long(TransCtx *ctx, bool is_signed, int size, bool upper, IrRef n, IrRef m)
{
    switch (size) {
    case 0: return arm_v2(ctx, IR_vmul, 1, arm_vwiden(ctx, is_signed, 0, upper, n), arm_vwiden(ctx, is_signed, 0, upper, m));
    case 1:
        return arm_v2(ctx, upper ? IR_vzip_hi : IR_vzip_lo, 1, arm_v2(ctx, IR_vmul, 1, n, m),
                      arm_v2(ctx, is_signed ? IR_vmulhs : IR_vmulhu, 1, n, m));
    default:
        return arm_v2(ctx, is_signed ? IR_vmulws : IR_vmulwu, 2, arm_v1(ctx, IR_vperm32, upper ? 0xfa : 0x50, n),
                      arm_v1(ctx, IR_vperm32, upper ? 0xfa : 0x50, m));
    }
}

typedef enum Accumulate { SET, ADD, SUB } Accumulate;

static void multiply_long(TransCtx *ctx, int d, int n, IrRef m, int size, int q, bool is_signed, Accumulate how)
{
    IrRef v = product_long(ctx, is_signed, size, q, arm_v(ctx, n), m);

    if (how != SET) {
        v = arm_v2(ctx, how == ADD ? IR_vadd : IR_vsub, (unsigned)size + 1, arm_v(ctx, d), v);
    }
    arm_put_low(ctx, d, 4, v);
}

/* Doubling: log2 is the bytes that count. */
static IrRef limited(TransCtx *ctx, int size, int log2, IrRef v)
{
    IrRef over = arm_compare(ctx, IR_EQ, size, v, arm_vall(ctx, size, (uint64_t)1 << ((8 << size) - 1)));

    arm_qc(ctx, log2, over);
    return arm_v2(ctx, IR_vxor, 0, v, over);
}

static void multiply_long_doubling(TransCtx *ctx, int d, int n, IrRef m, int size, int q, bool scalar, Accumulate how)
{
    int wide = size + 1, log2 = scalar ? wide : 4;
    IrRef v = product_long(ctx, true, size, q, arm_v(ctx, n), m);

    v = limited(ctx, wide, log2, arm_v2(ctx, IR_vadd, (unsigned)wide, v, v));
    switch (how) {
    case SET: break;
    case ADD: v = arm_sat_add(ctx, true, wide, log2, arm_v(ctx, d), v); break;
    case SUB: v = arm_sat_sub(ctx, true, wide, log2, arm_v(ctx, d), v); break;
    }
    arm_put_low(ctx, d, log2, v);
}

#define LONG(name, is_signed, how)                                                                                     \
    void arm_trans_v_##name(TransCtx *ctx, ArgsV3 *a)                                                                  \
    {                                                                                                                  \
        multiply_long(ctx, a->d, a->n, arm_v(ctx, a->m), a->size, a->q, is_signed, how);                               \
    }                                                                                                                  \
    void arm_trans_v_##name##_lane(TransCtx *ctx, ArgsVix *a)                                                          \
    {                                                                                                                  \
        multiply_long(ctx, a->d, a->n, element(ctx, a), a->size, a->q, is_signed, how);                                \
    }
LONG(smull, true, SET)
LONG(umull, false, SET)
LONG(smlal, true, ADD)
LONG(umlal, false, ADD)
LONG(smlsl, true, SUB)
LONG(umlsl, false, SUB)
#undef LONG

#define LONG(name, how)                                                                                                \
    void arm_trans_v_##name(TransCtx *ctx, ArgsV3 *a)                                                                  \
    {                                                                                                                  \
        multiply_long_doubling(ctx, a->d, a->n, arm_v(ctx, a->m), a->size, a->q, a->scalar, how);                      \
    }                                                                                                                  \
    void arm_trans_v_##name##_lane(TransCtx *ctx, ArgsVix *a)                                                          \
    {                                                                                                                  \
        multiply_long_doubling(ctx, a->d, a->n, element(ctx, a), a->size, a->q, a->scalar, how);                       \
    }
LONG(sqdmull, SET)
LONG(sqdmlal, ADD)
LONG(sqdmlsl, SUB)
#undef LONG

/* -- the upper half of doubled products ------------------------------------------------------------------- */

/* 64-bit products of the even and of the odd 32-bit lanes. */
static IrRef even_products(TransCtx *ctx, IrRef n, IrRef m) { return arm_v2(ctx, IR_vmulws, 2, n, m); }

static IrRef odd_products(TransCtx *ctx, IrRef n, IrRef m)
{
    return arm_v2(ctx, IR_vmulws, 2, arm_vshift(ctx, IR_vshr, 3, n, 32), arm_vshift(ctx, IR_vshr, 3, m, 32));
}

static IrRef doubled(TransCtx *ctx, IrRef v, bool round)
{
    v = arm_v2(ctx, IR_vadd, 3, v, v);
    return round ? arm_v2(ctx, IR_vadd, 3, v, arm_vall(ctx, 3, 0x80000000)) : v;
}

static IrRef doubled_high(TransCtx *ctx, int size, bool round, int log2, IrRef n, IrRef m)
{
    IrRef v;

    if (size == 2) {
        IrRef even = arm_vshift(ctx, IR_vshr, 3, doubled(ctx, even_products(ctx, n, m), round), 32);

        v = arm_v2(ctx, IR_vblend, 2 | 0xau << 4, even, doubled(ctx, odd_products(ctx, n, m), round));
    } else if (round) {
        v = arm_v2(ctx, IR_vmulhr, 1, n, m);
    } else {
        v = arm_v2(ctx, IR_vor, 0, arm_vshift(ctx, IR_vshl, 1, arm_v2(ctx, IR_vmulhs, 1, n, m), 1),
                   arm_vshift(ctx, IR_vshr, 1, arm_v2(ctx, IR_vmul, 1, n, m), 15));
    }
    return limited(ctx, size, log2, v);
}

#define HIGH(name, round)                                                                                              \
    void arm_trans_v_##name(TransCtx *ctx, ArgsV3 *a)                                                                  \
    {                                                                                                                  \
        int log2 = arm_form_log2(a->q, a->scalar, a->size);                                                            \
        arm_put_low(ctx, a->d, log2, doubled_high(ctx, a->size, round, log2, arm_v(ctx, a->n), arm_v(ctx, a->m)));     \
    }                                                                                                                  \
    void arm_trans_v_##name##_lane(TransCtx *ctx, ArgsVix *a)                                                          \
    {                                                                                                                  \
        int log2 = arm_form_log2(a->q, a->scalar, a->size);                                                            \
        arm_put_low(ctx, a->d, log2, doubled_high(ctx, a->size, round, log2, arm_v(ctx, a->n), element(ctx, a)));      \
    }
HIGH(sqdmulh, false)
HIGH(sqrdmulh, true)
#undef HIGH

/*
 * SQRDMLAH and SQRDMLSH: the accumulator one lane width up, half of it: with the product and half of the rounding constant
 * it fits lanes twice as wide.
 */
static IrRef accumulated_half(TransCtx *ctx, bool upper, IrOp op, IrRef d, IrRef n, IrRef m)
{
    IrRef v = arm_vshift(ctx, IR_vshl, 2, arm_vwiden(ctx, true, 1, upper, d), 15);

    v = arm_v2(ctx, op, 2, v, product_long(ctx, true, 1, upper, n, m));
    return arm_vshift(ctx, IR_vsar, 2, arm_v2(ctx, IR_vadd, 2, v, arm_vall(ctx, 2, 1 << 14)), 15);
}

static IrRef accumulated_words(TransCtx *ctx, IrOp op, bool scalar, IrRef d, IrRef product)
{
    IrRef v = arm_v2(ctx, op, 3, arm_vshift(ctx, IR_vsar, 3, d, 1), product);

    v = arm_vshift(ctx, IR_vsar, 3, arm_v2(ctx, IR_vadd, 3, v, arm_vall(ctx, 3, 1 << 30)), 31);
    return arm_narrow_saturated(ctx, ARM_NARROW_S, 2, scalar, v);
}

static void accumulate_high(TransCtx *ctx, int rd, int rn, IrRef m, int size, int q, int scalar, IrOp op)
{
    IrRef d = arm_v(ctx, rd), n = arm_v(ctx, rn), v;

    if (size == 1) {
        IrRef low = accumulated_half(ctx, false, op, d, n, m), high = q ? accumulated_half(ctx, true, op, d, n, m) : low;

        v = arm_v2(ctx, IR_vpack_s, 2, low, high);
        arm_qc(ctx, scalar ? 2 : 4, arm_v2(ctx, IR_vxor, 0, low, arm_vwiden(ctx, true, 1, false, v)));
        if (q) {
            arm_qc(ctx, 4, arm_v2(ctx, IR_vxor, 0, high, arm_vwiden(ctx, true, 1, true, v)));
        }
    } else {
        v = accumulated_words(ctx, op, !q, arm_vshift(ctx, IR_vshl, 3, d, 32), even_products(ctx, n, m));
        if (!scalar) {
            IrRef odd = arm_v2(ctx, IR_vand, 0, d, arm_vall(ctx, 3, 0xffffffff00000000));

            v = arm_v2(ctx, IR_vzip_lo, 2, v, accumulated_words(ctx, op, !q, odd, odd_products(ctx, n, m)));
        }
    }
    arm_put_v(ctx, rd, q, scalar, size, v);
}

#define ACCUMULATE(name, op)                                                                                           \
    void arm_trans_v_##name(TransCtx *ctx, ArgsV3 *a)                                                                  \
    {                                                                                                                  \
        accumulate_high(ctx, a->d, a->n, arm_v(ctx, a->m), a->size, a->q, a->scalar, op);                              \
    }                                                                                                                  \
    void arm_trans_v_##name##_lane(TransCtx *ctx, ArgsVix *a)                                                          \
    {                                                                                                                  \
        accumulate_high(ctx, a->d, a->n, element(ctx, a), a->size, a->q, a->scalar, op);                               \
    }
ACCUMULATE(sqrdmlah, IR_vadd)
ACCUMULATE(sqrdmlsh, IR_vsub)
#undef ACCUMULATE

/* -- polynomials over {0, 1}: of bytes, 16 bits long ---------------------------------------------------------- */

static IrRef polynomial(TransCtx *ctx, bool upper, IrRef n, IrRef m)
{
    IrRef v = arm_vzero(ctx);

    n = arm_vwiden(ctx, false, 0, upper, n);
    m = arm_vwiden(ctx, false, 0, upper, m);
    for (unsigned i = 0; i < 8; i++) {
        IrRef bit = arm_v2(ctx, IR_vand, 0, m, arm_vall(ctx, 1, 1u << i));

        v = arm_v2(ctx, IR_vxor, 0, v, arm_v2(ctx, IR_vmul, 1, n, bit));
    }
    return v;
}

void arm_trans_v_pmull(TransCtx *ctx, ArgsV3 *a)
{
    arm_put_low(ctx, a->d, 4, polynomial(ctx, a->q, arm_v(ctx, a->n), arm_v(ctx, a->m)));
}

void arm_trans_v_pmul(TransCtx *ctx, ArgsV3 *a)
{
    IrRef n = arm_v(ctx, a->n), m = arm_v(ctx, a->m), low = polynomial(ctx, false, n, m);

    arm_put3(ctx, a, arm_unzip(ctx, 0, false, low, a->q ? polynomial(ctx, true, n, m) : low));
}

/* -- sums of four products of bytes -------------------------------------------------------------------------- */

/* Even or odd bytes as 16-bit lanes. */
static IrRef bytes_of(TransCtx *ctx, bool is_signed, bool odd, IrRef v)
{
    if (is_signed) {
        return arm_vshift(ctx, IR_vsar, 1, odd ? v : arm_vshift(ctx, IR_vshl, 1, v, 8), 8);
    }
    return odd ? arm_vshift(ctx, IR_vshr, 1, v, 8) : arm_v2(ctx, IR_vand, 0, v, arm_vall(ctx, 1, 0xff));
}

static IrRef sums_of_four(TransCtx *ctx, bool n_signed, bool m_signed, IrRef n, IrRef m)
{
    IrRef even = arm_v2(ctx, IR_vmadds, 0, bytes_of(ctx, n_signed, false, n), bytes_of(ctx, m_signed, false, m));
    IrRef odd = arm_v2(ctx, IR_vmadds, 0, bytes_of(ctx, n_signed, true, n), bytes_of(ctx, m_signed, true, m));

    return arm_v2(ctx, IR_vadd, 2, even, odd);
}

static void dot(TransCtx *ctx, int d, int n, IrRef m, int q, bool n_signed, bool m_signed)
{
    arm_put_v(ctx, d, q, 0, 0, arm_v2(ctx, IR_vadd, 2, arm_v(ctx, d), sums_of_four(ctx, n_signed, m_signed, arm_v(ctx, n), m)));
}

/* The element is four bytes. */
static void dot_lane(TransCtx *ctx, ArgsVix *a, bool n_signed, bool m_signed)
{
    dot(ctx, a->d, a->n, arm_vdup_lane(ctx, 2, (unsigned)a->index, arm_v(ctx, a->m)), a->q, n_signed, m_signed);
}

void arm_trans_v_sdot(TransCtx *ctx, ArgsV3 *a) { dot(ctx, a->d, a->n, arm_v(ctx, a->m), a->q, true, true); }
void arm_trans_v_udot(TransCtx *ctx, ArgsV3 *a) { dot(ctx, a->d, a->n, arm_v(ctx, a->m), a->q, false, false); }
void arm_trans_v_usdot(TransCtx *ctx, ArgsV3 *a) { dot(ctx, a->d, a->n, arm_v(ctx, a->m), a->q, false, true); }
void arm_trans_v_sdot_lane(TransCtx *ctx, ArgsVix *a) { dot_lane(ctx, a, true, true); }
void arm_trans_v_udot_lane(TransCtx *ctx, ArgsVix *a) { dot_lane(ctx, a, false, false); }
void arm_trans_v_usdot_lane(TransCtx *ctx, ArgsVix *a) { dot_lane(ctx, a, false, true); }
void arm_trans_v_sudot_lane(TransCtx *ctx, ArgsVix *a) { dot_lane(ctx, a, true, false); }

/* Two rows of eight bytes by two rows of eight: first row n with both rows of m, then the second. */
static void matrix(TransCtx *ctx, ArgsV3 *a, bool n_signed, bool m_signed)
{
    IrRef n = arm_v(ctx, a->n), m = arm_v(ctx, a->m);
    IrRef first = sums_of_four(ctx, n_signed, m_signed, arm_vdup_lane(ctx, 3, 0, n), m);
    IrRef second = sums_of_four(ctx, n_signed, m_signed, arm_vdup_lane(ctx, 3, 1, n), m);
    IrRef v = arm_v2(ctx, IR_vadd, 2, arm_unzip(ctx, 2, false, first, second), arm_unzip(ctx, 2, true, first, second));

    arm_put_low(ctx, a->d, 4, arm_v2(ctx, IR_vadd, 2, arm_v(ctx, a->d), v));
}

void arm_trans_v_smmla(TransCtx *ctx, ArgsV3 *a) { matrix(ctx, a, true, true); }
void arm_trans_v_ummla(TransCtx *ctx, ArgsV3 *a) { matrix(ctx, a, false, false); }
void arm_trans_v_usmmla(TransCtx *ctx, ArgsV3 *a) { matrix(ctx, a, false, true); }
