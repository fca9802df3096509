/*
 * translate-simd-int.c: Advanced SIMD within integer lanes (Arm ARM C7.2): arithmetic, comparisons, logic, halving and
 * saturating forms, counts of bits. Multiplications by lanes of the same width too; others are in translate-simd-mul.c.
 */
#include "target/arm/translate-simd.h"

static IrRef op3(TransCtx *ctx, ArgsV3 *a, IrOp op)
{
    return arm_v2(ctx, op, (unsigned)a->size, arm_v(ctx, a->n), arm_v(ctx, a->m));
}

/* Lanewise operations that the IR has. */
#define SAME(name, op) void arm_trans_v_##name(TransCtx *ctx, ArgsV3 *a) { arm_put3(ctx, a, op3(ctx, a, IR_##op)); }
SAME(add, vadd)
SAME(sub, vsub)
SAME(mul, vmul)
SAME(smax, vmaxs)
SAME(umax, vmaxu)
SAME(smin, vmins)
SAME(umin, vminu)
#undef SAME

/* MLA and MLS: the product added to, or taken from, V[d]. */
static void multiply_add(TransCtx *ctx, ArgsV3 *a, IrOp op)
{
    arm_put3(ctx, a, arm_v2(ctx, op, (unsigned)a->size, arm_v(ctx, a->d), op3(ctx, a, IR_vmul)));
}

void arm_trans_v_mla(TransCtx *ctx, ArgsV3 *a) { multiply_add(ctx, a, IR_vadd); }
void arm_trans_v_mls(TransCtx *ctx, ArgsV3 *a) { multiply_add(ctx, a, IR_vsub); }

/* Absolute differences: the larger less the smaller. */
static IrRef abd(TransCtx *ctx, ArgsV3 *a, bool is_signed)
{
    return arm_v2(ctx, IR_vsub, (unsigned)a->size, op3(ctx, a, is_signed ? IR_vmaxs : IR_vmaxu),
                  op3(ctx, a, is_signed ? IR_vmins : IR_vminu));
}

static void aba(TransCtx *ctx, ArgsV3 *a, bool is_signed)
{
    arm_put3(ctx, a, arm_v2(ctx, IR_vadd, (unsigned)a->size, arm_v(ctx, a->d), abd(ctx, a, is_signed)));
}

void arm_trans_v_sabd(TransCtx *ctx, ArgsV3 *a) { arm_put3(ctx, a, abd(ctx, a, true)); }
void arm_trans_v_uabd(TransCtx *ctx, ArgsV3 *a) { arm_put3(ctx, a, abd(ctx, a, false)); }
void arm_trans_v_saba(TransCtx *ctx, ArgsV3 *a) { aba(ctx, a, true); }
void arm_trans_v_uaba(TransCtx *ctx, ArgsV3 *a) { aba(ctx, a, false); }

/* -- comparisons ----------------------------------------------------------------------------------- */

#define CMP(name, cond)                                                                                                \
    void arm_trans_v_##name(TransCtx *ctx, ArgsV3 *a)                                                                  \
    {                                                                                                                  \
        arm_put3(ctx, a, arm_compare(ctx, cond, a->size, arm_v(ctx, a->n), arm_v(ctx, a->m)));                         \
    }
CMP(cmeq, IR_EQ)
CMP(cmgt, IR_GT)
CMP(cmge, IR_GE)
CMP(cmhi, IR_GTU)
CMP(cmhs, IR_GEU)
CMP(cmtst, IR_TSTNE)
#undef CMP

#define CMP_ZERO(name, cond)                                                                                           \
    void arm_trans_v_##name##_zero(TransCtx *ctx, ArgsV2 *a)                                                           \
    {                                                                                                                  \
        arm_put2(ctx, a, arm_compare(ctx, cond, a->size, arm_v(ctx, a->n), arm_vzero(ctx)));                           \
    }
CMP_ZERO(cmeq, IR_EQ)
CMP_ZERO(cmgt, IR_GT)
CMP_ZERO(cmge, IR_GE)
CMP_ZERO(cmle, IR_LE)
CMP_ZERO(cmlt, IR_LT)
#undef CMP_ZERO

/* -- one operand ------------------------------------------------------------------------------------- */

static IrRef op2(TransCtx *ctx, ArgsV2 *a, IrOp op) { return arm_v1(ctx, op, (unsigned)a->size, arm_v(ctx, a->n)); }

void arm_trans_v_neg(TransCtx *ctx, ArgsV2 *a) { arm_put2(ctx, a, op2(ctx, a, IR_vneg)); }
void arm_trans_v_abs(TransCtx *ctx, ArgsV2 *a) { arm_put2(ctx, a, op2(ctx, a, IR_vabs)); }
void arm_trans_v_not(TransCtx *ctx, ArgsV2 *a) { arm_put_v(ctx, a->d, a->q, 0, 0, arm_v1(ctx, IR_vnot, 0, arm_v(ctx, a->n))); }

/* By tables for the two halves of each byte: what low and high say of them. */
static void nibbles(TransCtx *ctx, IrRef v, const uint8_t low[16], const uint8_t high[16], IrRef *ret_low, IrRef *ret_high)
{
    IrRef mask = arm_vall(ctx, 0, 15);

    *ret_low = arm_v2(ctx, IR_vtbl, 0, arm_vbytes(ctx, low), arm_v2(ctx, IR_vand, 0, v, mask));
    *ret_high = arm_v2(ctx, IR_vtbl, 0, arm_vbytes(ctx, high), arm_v2(ctx, IR_vand, 0, arm_vshift(ctx, IR_vshr, 1, v, 4), mask));
}

void arm_trans_v_cnt(TransCtx *ctx, ArgsV2 *a)
{
    static const uint8_t ones[16] = { 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4 };
    IrRef low, high;

    nibbles(ctx, arm_v(ctx, a->n), ones, ones, &low, &high);
    arm_put2(ctx, a, arm_v2(ctx, IR_vadd, 0, low, high));
}

/* RBIT's row has size 1, but its lanes are bytes. */
void arm_trans_v_rbit(TransCtx *ctx, ArgsV2 *a)
{
    static const uint8_t to_low[16] = { 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15 };
    uint8_t to_high[16];
    IrRef low, high;

    for (unsigned i = 0; i < 16; i++) {
        to_high[i] = (uint8_t)(to_low[i] << 4);
    }
    nibbles(ctx, arm_v(ctx, a->n), to_high, to_low, &low, &high);
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_v2(ctx, IR_vor, 0, low, high));
}

/* Zeros of the upper part, and if that is all of it also those of the lower one; from bytes up. */
static IrRef leading_zeros(TransCtx *ctx, int size, IrRef v)
{
    static const uint8_t of_nibble[16] = { 4, 3, 2, 2, 1, 1, 1, 1 };
    IrRef low, high;

    nibbles(ctx, v, of_nibble, of_nibble, &low, &high);
    IrRef empty = arm_compare(ctx, IR_EQ, 0, high, arm_vall(ctx, 0, 4));
    IrRef n = arm_v2(ctx, IR_vadd, 0, high, arm_v2(ctx, IR_vand, 0, low, empty));
    for (int s = 1; s <= size; s++) {
        int half = 4 << s;

        high = arm_vshift(ctx, IR_vshr, s, n, half);
        low = arm_v2(ctx, IR_vand, 0, n, arm_vall(ctx, s, ((uint64_t)1 << half) - 1));
        empty = arm_compare(ctx, IR_EQ, s, high, arm_vall(ctx, s, (uint64_t)half));
        n = arm_v2(ctx, IR_vadd, (unsigned)s, high, arm_v2(ctx, IR_vand, 0, low, empty));
    }
    return n;
}

void arm_trans_v_clz(TransCtx *ctx, ArgsV2 *a) { arm_put2(ctx, a, leading_zeros(ctx, a->size, arm_v(ctx, a->n))); }

/* Bits behind the sign that equal it: turned over for negative lanes they are zeros. */
void arm_trans_v_cls(TransCtx *ctx, ArgsV2 *a)
{
    IrRef v = arm_v(ctx, a->n);
    IrRef x = arm_v2(ctx, IR_vxor, 0, v, arm_compare(ctx, IR_LT, a->size, v, arm_vzero(ctx)));

    arm_put2(ctx, a, arm_v2(ctx, IR_vsub, (unsigned)a->size, leading_zeros(ctx, a->size, x), arm_vall(ctx, a->size, 1)));
}

/* -- logic ------------------------------------------------------------------------------------- */

static void put_q(TransCtx *ctx, ArgsVtb *a, IrRef v) { arm_put_v(ctx, a->d, a->q, 0, 0, v); }

static void logic(TransCtx *ctx, ArgsVtb *a, IrOp op, bool invert)
{
    IrRef m = arm_v(ctx, a->m);

    put_q(ctx, a, arm_v2(ctx, op, 0, arm_v(ctx, a->n), invert ? arm_v1(ctx, IR_vnot, 0, m) : m));
}

void arm_trans_v_and(TransCtx *ctx, ArgsVtb *a) { logic(ctx, a, IR_vand, false); }
void arm_trans_v_bic(TransCtx *ctx, ArgsVtb *a) { logic(ctx, a, IR_vandn, false); }
void arm_trans_v_orr(TransCtx *ctx, ArgsVtb *a) { logic(ctx, a, IR_vor, false); }
void arm_trans_v_orn(TransCtx *ctx, ArgsVtb *a) { logic(ctx, a, IR_vor, true); }
void arm_trans_v_eor(TransCtx *ctx, ArgsVtb *a) { logic(ctx, a, IR_vxor, false); }

static void select_of(TransCtx *ctx, ArgsVtb *a, int mask, int ones, int zeros)
{
    put_q(ctx, a, arm_select_bits(ctx, arm_v(ctx, mask), arm_v(ctx, ones), arm_v(ctx, zeros)));
}

void arm_trans_v_bsl(TransCtx *ctx, ArgsVtb *a) { select_of(ctx, a, a->d, a->n, a->m); }
void arm_trans_v_bit(TransCtx *ctx, ArgsVtb *a) { select_of(ctx, a, a->m, a->n, a->d); }
void arm_trans_v_bif(TransCtx *ctx, ArgsVtb *a) { select_of(ctx, a, a->m, a->d, a->n); }

/* -- halving ---------------------------------------------------------------------------------------
 * The IR has (x + y + 1) >> 1 of unsigned lanes of 8 and 16 bits; signed ones become such by turning the sign over.
 * Lanes of 32 bits: x + y is 2 * (x & y) + (x ^ y) and 2 * (x | y) - (x ^ y). */

static IrRef turn_signs(TransCtx *ctx, int size, IrRef v)
{
    return arm_v2(ctx, IR_vxor, 0, v, arm_vall(ctx, size, (uint64_t)1 << ((8 << size) - 1)));
}

static void halving_add(TransCtx *ctx, ArgsV3 *a, bool is_signed, bool round)
{
    unsigned size = (unsigned)a->size;
    IrRef x = arm_v(ctx, a->n), y = arm_v(ctx, a->m), v, odd = arm_v2(ctx, IR_vxor, 0, x, y);

    if (size == 2) {
        odd = arm_vshift(ctx, is_signed ? IR_vsar : IR_vshr, 2, odd, 1);
        v = round ? arm_v2(ctx, IR_vsub, size, arm_v2(ctx, IR_vor, 0, x, y), odd)
                  : arm_v2(ctx, IR_vadd, size, arm_v2(ctx, IR_vand, 0, x, y), odd);
    } else {
        v = is_signed ? turn_signs(ctx, a->size, arm_v2(ctx, IR_vavgu, size, turn_signs(ctx, a->size, x), turn_signs(ctx, a->size, y)))
                      : arm_v2(ctx, IR_vavgu, size, x, y);
        if (!round) {
            v = arm_v2(ctx, IR_vsub, size, v, arm_v2(ctx, IR_vand, 0, odd, arm_vall(ctx, a->size, 1)));
        }
    }
    arm_put3(ctx, a, v);
}

/* (x - y) >> 1 is (x + ~y + 1) >> 1 less half of the range. */
static void halving_sub(TransCtx *ctx, ArgsV3 *a, bool is_signed)
{
    unsigned size = (unsigned)a->size;
    IrRef x = arm_v(ctx, a->n), y = arm_v(ctx, a->m);

    if (size == 2) {
        IrOp shift = is_signed ? IR_vsar : IR_vshr;
        IrRef borrow = arm_v2(ctx, IR_vand, 0, arm_v2(ctx, IR_vandn, 0, y, x), arm_vall(ctx, 2, 1));
        IrRef v = arm_v2(ctx, IR_vsub, 2, arm_vshift(ctx, shift, 2, x, 1), arm_vshift(ctx, shift, 2, y, 1));

        arm_put3(ctx, a, arm_v2(ctx, IR_vsub, 2, v, borrow));
        return;
    }
    if (is_signed) {
        x = turn_signs(ctx, a->size, x);
        y = turn_signs(ctx, a->size, y);
    }
    arm_put3(ctx, a, turn_signs(ctx, a->size, arm_v2(ctx, IR_vavgu, size, x, arm_v1(ctx, IR_vnot, 0, y))));
}

void arm_trans_v_shadd(TransCtx *ctx, ArgsV3 *a) { halving_add(ctx, a, true, false); }
void arm_trans_v_uhadd(TransCtx *ctx, ArgsV3 *a) { halving_add(ctx, a, false, false); }
void arm_trans_v_srhadd(TransCtx *ctx, ArgsV3 *a) { halving_add(ctx, a, true, true); }
void arm_trans_v_urhadd(TransCtx *ctx, ArgsV3 *a) { halving_add(ctx, a, false, true); }
void arm_trans_v_shsub(TransCtx *ctx, ArgsV3 *a) { halving_sub(ctx, a, true); }
void arm_trans_v_uhsub(TransCtx *ctx, ArgsV3 *a) { halving_sub(ctx, a, false); }

/* -- saturating --------------------------------------------------------------------------------------- */

static IrRef differing(TransCtx *ctx, int log2, IrRef v, IrRef wrapped)
{
    arm_qc(ctx, log2, arm_v2(ctx, IR_vxor, 0, v, wrapped));
    return v;
}

IrRef arm_sat_add(TransCtx *ctx, bool is_signed, int size, int log2, IrRef x, IrRef y)
{
    return differing(ctx, log2, arm_v2(ctx, is_signed ? IR_vsadds : IR_vsaddu, (unsigned)size, x, y),
                     arm_v2(ctx, IR_vadd, (unsigned)size, x, y));
}

IrRef arm_sat_sub(TransCtx *ctx, bool is_signed, int size, int log2, IrRef x, IrRef y)
{
    return differing(ctx, log2, arm_v2(ctx, is_signed ? IR_vssubs : IR_vssubu, (unsigned)size, x, y),
                     arm_v2(ctx, IR_vsub, (unsigned)size, x, y));
}

#define SATURATING(name, function, is_signed)                                                                          \
    void arm_trans_v_##name(TransCtx *ctx, ArgsV3 *a)                                                                  \
    {                                                                                                                  \
        int log2 = arm_form_log2(a->q, a->scalar, a->size);                                                                  \
        arm_put3(ctx, a, function(ctx, is_signed, a->size, log2, arm_v(ctx, a->n), arm_v(ctx, a->m)));                 \
    }
SATURATING(sqadd, arm_sat_add, true)
SATURATING(uqadd, arm_sat_add, false)
SATURATING(sqsub, arm_sat_sub, true)
SATURATING(uqsub, arm_sat_sub, false)
#undef SATURATING

void arm_trans_v_sqneg(TransCtx *ctx, ArgsV2 *a)
{
    int log2 = arm_form_log2(a->q, a->scalar, a->size);

    arm_put2(ctx, a, arm_sat_sub(ctx, true, a->size, log2, arm_vzero(ctx), arm_v(ctx, a->n)));
}

/* Only the least number has no absolute value: it stays negative, and one less is right. */
void arm_trans_v_sqabs(TransCtx *ctx, ArgsV2 *a)
{
    IrRef x = op2(ctx, a, IR_vabs), negative = arm_compare(ctx, IR_LT, a->size, x, arm_vzero(ctx));

    arm_qc(ctx, arm_form_log2(a->q, a->scalar, a->size), negative);
    arm_put2(ctx, a, arm_v2(ctx, IR_vadd, (unsigned)a->size, x, negative));
}

/* The signed accumulator plus unsigned lanes: with its sign turned over it is unsigned too. */
void arm_trans_v_suqadd(TransCtx *ctx, ArgsV2 *a)
{
    IrRef x = turn_signs(ctx, a->size, arm_v(ctx, a->d));
    IrRef v = arm_sat_add(ctx, false, a->size, arm_form_log2(a->q, a->scalar, a->size), x, arm_v(ctx, a->n));

    arm_put2(ctx, a, turn_signs(ctx, a->size, v));
}

/* The unsigned accumulator plus signed lanes: positive ones are added, the others' magnitude is taken away. */
void arm_trans_v_usqadd(TransCtx *ctx, ArgsV2 *a)
{
    unsigned size = (unsigned)a->size;
    IrRef x = arm_v(ctx, a->d), y = arm_v(ctx, a->n), below = arm_compare(ctx, IR_LT, a->size, y, arm_vzero(ctx));
    IrRef v = arm_v2(ctx, IR_vsaddu, size, x, arm_v2(ctx, IR_vandn, 0, y, below));

    v = arm_v2(ctx, IR_vssubu, size, v, arm_v1(ctx, IR_vneg, size, arm_v2(ctx, IR_vand, 0, y, below)));
    arm_put2(ctx, a, differing(ctx, arm_form_log2(a->q, a->scalar, a->size), v, arm_v2(ctx, IR_vadd, size, x, y)));
}

/* -- estimates: UnsignedRecipEstimate and UnsignedRSqrtEstimate (helper-simd.c), two lanes a call ------------- */

static void estimate(TransCtx *ctx, ArgsV2 *a, ArmHelper helper)
{
    IrRef n = arm_v(ctx, a->n), v = IR_NONE;

    for (unsigned half = 0; half < (a->q ? 2u : 1u); half++) {
        IrRef x = arm_lane(ctx, n, 3, half), r = ir_call(ctx->b, helper, 1, &x);

        v = half ? arm_v2(ctx, IR_vset_lane, 3 | 1 << 4, v, r) : ir_op1(ctx->b, IR_vzext, IR_V128, r);
    }
    ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d, v);
}

void arm_trans_v_urecpe(TransCtx *ctx, ArgsV2 *a) { estimate(ctx, a, ARM_HELPER_urecpe); }
void arm_trans_v_ursqrte(TransCtx *ctx, ArgsV2 *a) { estimate(ctx, a, ARM_HELPER_ursqrte); }
