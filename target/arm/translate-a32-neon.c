/*
 * translate-a32-neon.c: Advanced SIMD of AArch32 (Arm ARM DDI 0487, F6.1) by the handlers of A64.
 *
 * Q registers are the V registers 0 to 15. A D register, one half of them, is an operand of A64's 8-byte forms: it is copied to the low
 * half of a V register that AArch32 does not see, and the result from there. Floating point is by the Standard FPSCR value, nearest, flushing
 * to zero, default NaNs.
 *
 * DEVIATION: V29 to V31 are what such an instruction leaves in them when the processing element goes back to AArch64.
 */
#include "target/arm/translate-a32-neon.h"

enum { ALL = 3, STANDARD_FPCR = ARM_FPCR_FZ | ARM_FPCR_DN, STANDARD_KEEPS = ARM_FPCR_AHP | ARM_FPCR_FZ16 };

typedef void Three(TransCtx *ctx, const ArmArgsV3 *a);
typedef void Two(TransCtx *ctx, const ArmArgsV2 *a);
typedef void Logic(TransCtx *ctx, const ArmArgsVtb *a);
typedef void Shift(TransCtx *ctx, const ArmArgsVsh *a);
typedef void Element(TransCtx *ctx, const ArmArgsVix *a);

/* -- registers ------------------------------------------------------------------------------------------- */

int a32_neon_in(TransCtx *ctx, bool q, int reg, int half)
{
    if (q) {
        return reg / 2;
    }
    ir_put(ctx->b, ARM_SLOT_V + (unsigned)half, a32_get_d(ctx, reg));
    return half;
}

void a32_neon_out(TransCtx *ctx, bool q, int reg)
{
    if (!q) {
        a32_put_d(ctx, reg, arm_v(ctx, D_IN));
    }
    for (unsigned i = N_IN; i <= D_IN; i++) {
        ir_kill(ctx->b, ARM_SLOT_V + i);
    }
}

static int in(TransCtx *ctx, bool q, int reg, int half) { return a32_neon_in(ctx, q, reg, half); }
static void out(TransCtx *ctx, bool q, int reg) { a32_neon_out(ctx, q, reg); }
static bool valid(TransCtx *ctx, bool ok) { return a32_valid(ctx, ok); }

A32Saved a32_standard_begin(TransCtx *ctx)
{
    const int at = (int)offsetof(ArmState, fpcr);
    A32Saved s = { ctx->mode, ir_ldenv(ctx->b, IR_I32, at, 4, false) };

    ir_stenv(ctx->b, at, 4, ir_op2(ctx->b, IR_or, IR_I32, ir_op2_imm(ctx->b, IR_and, IR_I32, s.fpcr, STANDARD_KEEPS), ir_i32(ctx->b, STANDARD_FPCR)));
    ctx->mode |= BIT(ARM_MODE_FP_SOFT);
    return s;
}

A32Saved a32_standard_begin_inline(TransCtx *ctx)
{
    if (!(ctx->mode >> ARM_MODE_FP_STD_OK & 1)) {
        ir_call(ctx->b, ARM_HELPER_a32_standard, 0, NULL);
        return a32_standard_begin(ctx);
    }
    A32Saved s = { ctx->mode, IR_NONE };
    ctx->mode |= BIT(ARM_MODE_FP_STD);
    return s;
}

void a32_standard_end(TransCtx *ctx, A32Saved s)
{
    if (s.fpcr != IR_NONE) {
        ir_stenv(ctx->b, (int)offsetof(ArmState, fpcr), 4, s.fpcr);
    }
    ctx->mode = s.mode;
}

/* -- three registers of one kind ----------------------------------------------------------------------------- */

/* 64-bit lanes of a D register are A64's scalar forms. */
static void three(TransCtx *ctx, const A32ArgsN3 *a, Three *fn, int size)
{
    bool q = a->q;
    ArmArgsV3 args = { .d = in(ctx, q, a->d, D_IN), .n = in(ctx, q, a->n, N_IN), .m = in(ctx, q, a->m, M_IN), .q = q, .size = size,
                       .scalar = !q && size == 3 };

    fn(ctx, &args);
    out(ctx, q, a->d);
}

static bool three_valid(TransCtx *ctx, const A32ArgsN3 *a, int max_size)
{
    return valid(ctx, a->size <= max_size && !(a->q && (a->d | a->n | a->m) & 1));
}

static void same(TransCtx *ctx, const A32ArgsN3 *a, Three *fn, int max_size)
{
    if (three_valid(ctx, a, max_size)) {
        three(ctx, a, fn, a->size);
    }
}

/* By u. */
#define SAME(name, s, u_, max) \
    void a32_trans_n_##name(TransCtx *ctx, const A32ArgsN3 *a) { same(ctx, a, a->u ? arm_trans_v_##u_ : arm_trans_v_##s, max); }
SAME(hadd, shadd, uhadd, 2)
SAME(qadd, sqadd, uqadd, ALL)
SAME(rhadd, srhadd, urhadd, 2)
SAME(hsub, shsub, uhsub, 2)
SAME(qsub, sqsub, uqsub, ALL)
SAME(cgt, cmgt, cmhi, 2)
SAME(cge, cmge, cmhs, 2)
SAME(max, smax, umax, 2)
SAME(min, smin, umin, 2)
SAME(abd, sabd, uabd, 2)
SAME(aba, saba, uaba, 2)
SAME(addsub, add, sub, ALL)
SAME(tst, cmtst, cmeq, 2)
SAME(mla, mla, mls, 2)
#undef SAME

/* Of D registers only. */
#define PAIRS(name, s, u_)                                                          \
    void a32_trans_n_##name(TransCtx *ctx, const A32ArgsN3 *a)                      \
    {                                                                               \
        if (valid(ctx, !a->q)) {                                                    \
            same(ctx, a, a->u ? arm_trans_v_##u_ : arm_trans_v_##s, 2);             \
        }                                                                           \
    }
PAIRS(pmax, smaxp, umaxp)
PAIRS(pmin, sminp, uminp)
PAIRS(padd, addp, addp)
#undef PAIRS

/* Not of bytes. */
static void wider(TransCtx *ctx, const A32ArgsN3 *a, Three *fn)
{
    if (valid(ctx, a->size)) {
        same(ctx, a, fn, 2);
    }
}

void a32_trans_n_qdmulh(TransCtx *ctx, const A32ArgsN3 *a) { wider(ctx, a, a->u ? arm_trans_v_sqrdmulh : arm_trans_v_sqdmulh); }
void a32_trans_n_qrdmlah(TransCtx *ctx, const A32ArgsN3 *a) { wider(ctx, a, arm_trans_v_sqrdmlah); }
void a32_trans_n_qrdmlsh(TransCtx *ctx, const A32ArgsN3 *a) { wider(ctx, a, arm_trans_v_sqrdmlsh); }

void a32_trans_n_mul(TransCtx *ctx, const A32ArgsN3 *a) { same(ctx, a, a->u ? arm_trans_v_pmul : arm_trans_v_mul, a->u ? 0 : 2); }

/* The counts are in n here. */
static void by_register(TransCtx *ctx, const A32ArgsN3 *a, Three *fn)
{
    A32ArgsN3 exchanged = *a;
    exchanged.n = a->m;
    exchanged.m = a->n;
    same(ctx, &exchanged, fn, ALL);
}

void a32_trans_n_shl(TransCtx *ctx, const A32ArgsN3 *a) { by_register(ctx, a, a->u ? arm_trans_v_ushl : arm_trans_v_sshl); }
void a32_trans_n_qshl(TransCtx *ctx, const A32ArgsN3 *a) { by_register(ctx, a, a->u ? arm_trans_v_uqshl : arm_trans_v_sqshl); }
void a32_trans_n_rshl(TransCtx *ctx, const A32ArgsN3 *a) { by_register(ctx, a, a->u ? arm_trans_v_urshl : arm_trans_v_srshl); }
void a32_trans_n_qrshl(TransCtx *ctx, const A32ArgsN3 *a) { by_register(ctx, a, a->u ? arm_trans_v_uqrshl : arm_trans_v_sqrshl); }

void a32_trans_n_logic(TransCtx *ctx, const A32ArgsN3 *a)
{
    static Logic *const fn[8] = { arm_trans_v_and, arm_trans_v_bic, arm_trans_v_orr, arm_trans_v_orn,
                                  arm_trans_v_eor, arm_trans_v_bsl, arm_trans_v_bit, arm_trans_v_bif };
    bool q = a->q;

    if (three_valid(ctx, a, ALL)) {
        ArmArgsVtb args = { .d = in(ctx, q, a->d, D_IN), .n = in(ctx, q, a->n, N_IN), .m = in(ctx, q, a->m, M_IN), .q = q };
        fn[a->u << 2 | a->size](ctx, &args);
        out(ctx, q, a->d);
    }
}

/* A64's rows of single precision say 0, of half precision -1; here bit 20 says which. */
static int precision(int size) { return size & 1 ? -1 : 0; }
static A32Saved begin(TransCtx *ctx, int size) { return size < 0 ? a32_standard_begin(ctx) : a32_standard_begin_inline(ctx); }

static void single(TransCtx *ctx, const A32ArgsN3 *a, Three *fn)
{
    if (three_valid(ctx, a, ALL)) {
        A32Saved s = begin(ctx, precision(a->size));
        three(ctx, a, fn, precision(a->size));
        a32_standard_end(ctx, s);
    }
}

#define SINGLE(name, fn) void a32_trans_n_f_##name(TransCtx *ctx, const A32ArgsN3 *a) { single(ctx, a, arm_trans_v_##fn); }
SINGLE(ma, fmla)
SINGLE(ms, fmls)
SINGLE(add, fadd)
SINGLE(sub, fsub)
SINGLE(abd, fabd)
SINGLE(mul, fmul)
SINGLE(ceq, fcmeq)
SINGLE(cge, fcmge)
SINGLE(cgt, fcmgt)
SINGLE(acge, facge)
SINGLE(acgt, facgt)
SINGLE(max, fmax)
SINGLE(min, fmin)
SINGLE(maxnm, fmaxnm)
SINGLE(minnm, fminnm)
#undef SINGLE

#define SINGLE_PAIRS(name, fn)                                              \
    void a32_trans_n_f_##name(TransCtx *ctx, const A32ArgsN3 *a)            \
    {                                                                       \
        if (valid(ctx, !a->q)) {                                            \
            single(ctx, a, arm_trans_v_##fn);                               \
        }                                                                   \
    }
SINGLE_PAIRS(padd, faddp)
SINGLE_PAIRS(pmax, fmaxp)
SINGLE_PAIRS(pmin, fminp)
#undef SINGLE_PAIRS

/* Rounded after the multiplication too. */
static void chained(TransCtx *ctx, const A32ArgsN3 *a, Three *second)
{
    bool q = a->q;

    if (!three_valid(ctx, a, ALL)) {
        return;
    }
    int size = precision(a->size);
    A32Saved s = begin(ctx, size);
    ArmArgsV3 mul = { .d = M_IN, .n = in(ctx, q, a->n, N_IN), .m = in(ctx, q, a->m, M_IN), .q = q, .size = size };
    arm_trans_v_fmul(ctx, &mul);
    int d = in(ctx, q, a->d, D_IN);
    ArmArgsV3 add = { .d = d, .n = d, .m = M_IN, .q = q, .size = size };
    second(ctx, &add);
    out(ctx, q, a->d);
    a32_standard_end(ctx, s);
}

void a32_trans_n_f_mla(TransCtx *ctx, const A32ArgsN3 *a) { chained(ctx, a, arm_trans_v_fadd); }
void a32_trans_n_f_mls(TransCtx *ctx, const A32ArgsN3 *a) { chained(ctx, a, arm_trans_v_fsub); }

/* VRECPS and VRSQRTS round the product, as FMLS's fused steps do not: 2 - n * m, (3 - n * m) / 2; infinity times zero is 0 there. */
static void step(TransCtx *ctx, const A32ArgsN3 *a, ArmHelper helper)
{
    bool q = a->q;

    if (three_valid(ctx, a, ALL)) {
        int n = in(ctx, q, a->n, N_IN), m = in(ctx, q, a->m, M_IN);
        ir_call(ctx->b, helper, 1, (IrRef[]){ ir_i32(ctx->b, (uint32_t)(n | m << 5 | (q ? a->d / 2 : D_IN) << 10 | q << 15 | (a->size & 1) << 16)) });
        out(ctx, q, a->d);
    }
}

void a32_trans_n_f_recps(TransCtx *ctx, const A32ArgsN3 *a) { step(ctx, a, ARM_HELPER_a32_recps); }
void a32_trans_n_f_rsqrts(TransCtx *ctx, const A32ArgsN3 *a) { step(ctx, a, ARM_HELPER_a32_rsqrts); }

/* -- different lengths ------------------------------------------------------------------------------------------ */

/* Q d, D n, D m. */
static void long_op(TransCtx *ctx, const A32ArgsN3 *a, Three *fn)
{
    if (valid(ctx, !(a->d & 1))) {
        ArmArgsV3 args = { .d = a->d / 2, .n = in(ctx, false, a->n, N_IN), .m = in(ctx, false, a->m, M_IN), .size = a->size };
        fn(ctx, &args);
        out(ctx, true, a->d);
    }
}

/* Q d, Q n, D m. */
static void wide_op(TransCtx *ctx, const A32ArgsN3 *a, Three *fn)
{
    if (valid(ctx, !((a->d | a->n) & 1))) {
        ArmArgsV3 args = { .d = a->d / 2, .n = a->n / 2, .m = in(ctx, false, a->m, M_IN), .size = a->size };
        fn(ctx, &args);
        out(ctx, true, a->d);
    }
}

/* D d, Q n, Q m. */
static void high_op(TransCtx *ctx, const A32ArgsN3 *a, Three *fn)
{
    if (valid(ctx, !((a->n | a->m) & 1))) {
        ArmArgsV3 args = { .d = D_IN, .n = a->n / 2, .m = a->m / 2, .size = a->size };
        fn(ctx, &args);
        out(ctx, false, a->d);
    }
}

#define KIND(name, form, s, u_) \
    void a32_trans_n_##name(TransCtx *ctx, const A32ArgsN3 *a) { form(ctx, a, a->u ? arm_trans_v_##u_ : arm_trans_v_##s); }
KIND(addl, long_op, saddl, uaddl)
KIND(addw, wide_op, saddw, uaddw)
KIND(subl, long_op, ssubl, usubl)
KIND(subw, wide_op, ssubw, usubw)
KIND(addhn, high_op, addhn, raddhn)
KIND(subhn, high_op, subhn, rsubhn)
KIND(abal, long_op, sabal, uabal)
KIND(abdl, long_op, sabdl, uabdl)
KIND(mlal, long_op, smlal, umlal)
KIND(mlsl, long_op, smlsl, umlsl)
KIND(mull, long_op, smull, umull)
KIND(qdmlal, long_op, sqdmlal, sqdmlal)
KIND(qdmlsl, long_op, sqdmlsl, sqdmlsl)
KIND(qdmull, long_op, sqdmull, sqdmull)
KIND(mull_p, long_op, pmull, pmull)
#undef KIND

/* -- by element --------------------------------------------------------------------------------------------------- */

/* m's field: of 16-bit lanes three bits of the register, else four; the others are the lane. As A64 has it, of the whole V register. */
static ArmArgsVix element_of(const A32ArgsNix *a)
{
    int reg = a->size == 1 ? a->m & 7 : a->m & 15, lane = a->size == 1 ? (a->m >> 4 & 1) << 1 | (a->m >> 3 & 1) : a->m >> 4 & 1;
    return (ArmArgsVix){ .m = reg / 2, .index = lane + (reg & 1 ? 8 >> a->size : 0), .size = a->size };
}

static void by_element(TransCtx *ctx, const A32ArgsNix *a, Element *fn)
{
    bool q = a->q;

    if (valid(ctx, !(q && (a->d | a->n) & 1))) {
        ArmArgsVix args = element_of(a);
        args.d = in(ctx, q, a->d, D_IN);
        args.n = in(ctx, q, a->n, N_IN);
        args.q = q;
        fn(ctx, &args);
        out(ctx, q, a->d);
    }
}

/* Q d, D n; what is q elsewhere says unsigned. */
static void by_element_long(TransCtx *ctx, const A32ArgsNix *a, Element *fn)
{
    if (valid(ctx, !(a->d & 1))) {
        ArmArgsVix args = element_of(a);
        args.d = a->d / 2;
        args.n = in(ctx, false, a->n, N_IN);
        fn(ctx, &args);
        out(ctx, true, a->d);
    }
}

#define ELEMENT(name, fn) void a32_trans_n_##name##_x(TransCtx *ctx, const A32ArgsNix *a) { by_element(ctx, a, arm_trans_v_##fn##_lane); }
#define ELEMENT_LONG(name, s, u_) \
    void a32_trans_n_##name##_x(TransCtx *ctx, const A32ArgsNix *a) { by_element_long(ctx, a, a->q ? arm_trans_v_##u_##_lane : arm_trans_v_##s##_lane); }
ELEMENT(mla, mla)
ELEMENT(mls, mls)
ELEMENT(mul, mul)
ELEMENT(qdmulh, sqdmulh)
ELEMENT(qrdmulh, sqrdmulh)
ELEMENT(qrdmlah, sqrdmlah)
ELEMENT(qrdmlsh, sqrdmlsh)
ELEMENT_LONG(mlal, smlal, umlal)
ELEMENT_LONG(mlsl, smlsl, umlsl)
ELEMENT_LONG(mull, smull, umull)
ELEMENT_LONG(qdmlal, sqdmlal, sqdmlal)
ELEMENT_LONG(qdmlsl, sqdmlsl, sqdmlsl)
ELEMENT_LONG(qdmull, sqdmull, sqdmull)
#undef ELEMENT
#undef ELEMENT_LONG

static void single_by_element(TransCtx *ctx, const A32ArgsNix *a, Three *second)
{
    bool q = a->q;

    if (!valid(ctx, !(q && (a->d | a->n) & 1))) {
        return;
    }
    A32Saved s = begin(ctx, a->size == 1 ? -1 : 0);
    ArmArgsVix mul = element_of(a);
    mul.n = in(ctx, q, a->n, N_IN);
    mul.q = q;
    mul.d = second ? M_IN : q ? a->d / 2 : D_IN;
    arm_trans_v_fmul_lane(ctx, &mul);
    if (second) {
        int d = in(ctx, q, a->d, D_IN);
        ArmArgsV3 add = { .d = d, .n = d, .m = M_IN, .q = q, .size = a->size == 1 ? -1 : 0 };
        second(ctx, &add);
    }
    out(ctx, q, a->d);
    a32_standard_end(ctx, s);
}

void a32_trans_n_mla_xf(TransCtx *ctx, const A32ArgsNix *a) { single_by_element(ctx, a, arm_trans_v_fadd); }
void a32_trans_n_mls_xf(TransCtx *ctx, const A32ArgsNix *a) { single_by_element(ctx, a, arm_trans_v_fsub); }
void a32_trans_n_mul_xf(TransCtx *ctx, const A32ArgsNix *a) { single_by_element(ctx, a, NULL); }

/* -- two registers --------------------------------------------------------------------------------------------------- */

static void two(TransCtx *ctx, const A32ArgsN2 *a, Two *fn, bool size_ok, int size)
{
    bool q = a->q;

    if (valid(ctx, size_ok && !(q && (a->d | a->m) & 1))) {
        ArmArgsV2 args = { .d = in(ctx, q, a->d, D_IN), .n = in(ctx, q, a->m, M_IN), .q = q, .size = size };
        fn(ctx, &args);
        out(ctx, q, a->d);
    }
}

#define TWO(name, fn, max) void a32_trans_n_##name(TransCtx *ctx, const A32ArgsN2 *a) { two(ctx, a, arm_trans_v_##fn, a->size <= max, a->size); }
TWO(rev64, rev64, 2)
TWO(rev32, rev32, 1)
TWO(rev16, rev16, 0)
TWO(paddl_s, saddlp, 2)
TWO(paddl_u, uaddlp, 2)
TWO(padal_s, sadalp, 2)
TWO(padal_u, uadalp, 2)
TWO(cls, cls, 2)
TWO(clz, clz, 2)
TWO(cnt, cnt, 0)
TWO(mvn, not, 0)
TWO(qabs, sqabs, 2)
TWO(qneg, sqneg, 2)
TWO(cgt_z, cmgt_zero, 2)
TWO(cge_z, cmge_zero, 2)
TWO(ceq_z, cmeq_zero, 2)
TWO(cle_z, cmle_zero, 2)
TWO(clt_z, cmlt_zero, 2)
TWO(abs, abs, 2)
TWO(neg, neg, 2)
#undef TWO

/* Of 32-bit lanes only. */
#define WORDS(name, fn) void a32_trans_n_##name(TransCtx *ctx, const A32ArgsN2 *a) { two(ctx, a, arm_trans_v_##fn, a->size == 2, 2); }
WORDS(recpe, urecpe)
WORDS(rsqrte, ursqrte)
#undef WORDS

static void two_single(TransCtx *ctx, const A32ArgsN2 *a, Two *fn, bool helper)
{
    if (valid(ctx, (a->size == 2 || (a->size == 1 && a32_has(ctx, ARM_EXT_FP16))) && !(a->q && (a->d | a->m) & 1))) {
        A32Saved s = helper ? a32_standard_begin(ctx) : begin(ctx, precision(a->size));
        two(ctx, a, fn, true, precision(a->size));
        a32_standard_end(ctx, s);
    }
}

#define TWO_SINGLE(name, fn) void a32_trans_n_##name(TransCtx *ctx, const A32ArgsN2 *a) { two_single(ctx, a, arm_trans_v_##fn, false); }
#define TWO_HELPER(name, fn) void a32_trans_n_##name(TransCtx *ctx, const A32ArgsN2 *a) { two_single(ctx, a, arm_trans_v_##fn, true); }
TWO_SINGLE(cgt_zf, fcmgt_zero)
TWO_SINGLE(cge_zf, fcmge_zero)
TWO_SINGLE(ceq_zf, fcmeq_zero)
TWO_SINGLE(cle_zf, fcmle_zero)
TWO_SINGLE(clt_zf, fcmlt_zero)
TWO_SINGLE(abs_f, fabs)
TWO_SINGLE(neg_f, fneg)
TWO_HELPER(rintn, frintn)
TWO_HELPER(rintx, frintx)
TWO_HELPER(rinta, frinta)
TWO_HELPER(rintz, frintz)
TWO_HELPER(rintm, frintm)
TWO_HELPER(rintp, frintp)
TWO_HELPER(recpe_f, frecpe)
TWO_HELPER(rsqrte_f, frsqrte)
TWO_SINGLE(cvt_fs, scvtf)
TWO_SINGLE(cvt_fu, ucvtf)
TWO_SINGLE(cvt_sf, fcvtzs)
TWO_SINGLE(cvt_uf, fcvtzu)
TWO_HELPER(cvta_s, fcvtas)
TWO_HELPER(cvta_u, fcvtau)
TWO_HELPER(cvtn_s, fcvtns)
TWO_HELPER(cvtn_u, fcvtnu)
TWO_HELPER(cvtp_s, fcvtps)
TWO_HELPER(cvtp_u, fcvtpu)
TWO_HELPER(cvtm_s, fcvtms)
TWO_HELPER(cvtm_u, fcvtmu)
#undef TWO_SINGLE
#undef TWO_HELPER

/* D d, Q m. */
static void narrow(TransCtx *ctx, const A32ArgsN2 *a, Two *fn)
{
    if (valid(ctx, a->size < 3 && !(a->m & 1))) {
        ArmArgsV2 args = { .d = D_IN, .n = a->m / 2, .size = a->size };
        fn(ctx, &args);
        out(ctx, false, a->d);
    }
}

void a32_trans_n_movn(TransCtx *ctx, const A32ArgsN2 *a) { narrow(ctx, a, arm_trans_v_xtn); }
void a32_trans_n_qmovun(TransCtx *ctx, const A32ArgsN2 *a) { narrow(ctx, a, arm_trans_v_sqxtun); }
void a32_trans_n_qmovn_s(TransCtx *ctx, const A32ArgsN2 *a) { narrow(ctx, a, arm_trans_v_sqxtn); }
void a32_trans_n_qmovn_u(TransCtx *ctx, const A32ArgsN2 *a) { narrow(ctx, a, arm_trans_v_uqxtn); }

/* Between singles in a Q and halves in a D register; A64 says 0 for that pair of formats. */
void a32_trans_n_cvt_hs(TransCtx *ctx, const A32ArgsN2 *a)
{
    if (valid(ctx, a->size == 1 && !(a->m & 1))) {
        A32Saved s = a32_standard_begin(ctx);
        ArmArgsV2 args = { .d = D_IN, .n = a->m / 2 };
        arm_trans_v_fcvtn(ctx, &args);
        out(ctx, false, a->d);
        a32_standard_end(ctx, s);
    }
}

void a32_trans_n_cvt_sh(TransCtx *ctx, const A32ArgsN2 *a)
{
    if (valid(ctx, a->size == 1 && !(a->d & 1))) {
        A32Saved s = a32_standard_begin(ctx);
        ArmArgsV2 args = { .d = a->d / 2, .n = in(ctx, false, a->m, M_IN) };
        arm_trans_v_fcvtl(ctx, &args);
        out(ctx, true, a->d);
        a32_standard_end(ctx, s);
    }
}

void a32_trans_n_shll_max(TransCtx *ctx, const A32ArgsN2 *a)
{
    if (valid(ctx, a->size < 3 && !(a->d & 1))) {
        ArmArgsV2 args = { .d = a->d / 2, .n = in(ctx, false, a->m, M_IN), .size = a->size };
        arm_trans_v_shll(ctx, &args);
        out(ctx, true, a->d);
    }
}

/* Both registers change. */
static void exchange(TransCtx *ctx, const A32ArgsN2 *a, Three *first, Three *second)
{
    bool q = a->q;
    int d = in(ctx, q, a->d, N_IN), m = in(ctx, q, a->m, M_IN);
    ArmArgsV3 args = { .d = D_IN, .n = d, .m = m, .q = q, .size = a->size };

    first(ctx, &args);
    IrRef low = arm_v(ctx, D_IN);
    second(ctx, &args);
    IrRef high = arm_v(ctx, D_IN);
    if (q) {
        ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d / 2, low);
        ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->m / 2, high);
    } else {
        a32_put_d(ctx, a->d, low);
        a32_put_d(ctx, a->m, high);
    }
    out(ctx, true, 0);
}

static bool exchange_valid(TransCtx *ctx, const A32ArgsN2 *a, int max_size)
{
    return valid(ctx, a->size <= max_size && !(a->q && (a->d | a->m) & 1));
}

void a32_trans_n_trn(TransCtx *ctx, const A32ArgsN2 *a)
{
    if (exchange_valid(ctx, a, 2)) {
        exchange(ctx, a, arm_trans_v_trn1, arm_trans_v_trn2);
    }
}

void a32_trans_n_uzp(TransCtx *ctx, const A32ArgsN2 *a)
{
    if (exchange_valid(ctx, a, a->q ? 2 : 1)) {
        exchange(ctx, a, arm_trans_v_uzp1, arm_trans_v_uzp2);
    }
}

void a32_trans_n_zip(TransCtx *ctx, const A32ArgsN2 *a)
{
    if (exchange_valid(ctx, a, a->q ? 2 : 1)) {
        exchange(ctx, a, arm_trans_v_zip1, arm_trans_v_zip2);
    }
}

void a32_trans_n_swp(TransCtx *ctx, const A32ArgsN2 *a)
{
    if (!exchange_valid(ctx, a, 0)) {
        return;
    }
    if (a->q) {
        IrRef d = arm_v(ctx, a->d / 2), m = arm_v(ctx, a->m / 2);
        ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d / 2, m);
        ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->m / 2, d);
    } else {
        IrRef d = a32_get_d(ctx, a->d), m = a32_get_d(ctx, a->m);
        a32_put_d(ctx, a->d, m);
        a32_put_d(ctx, a->m, d);
    }
}

/* -- shifts by immediates ------------------------------------------------------------------------------------------------ */

static void shift(TransCtx *ctx, const A32ArgsNsh *a, Shift *fn)
{
    bool q = a->q;

    if (valid(ctx, !(q && (a->d | a->m) & 1))) {
        ArmArgsVsh args = { .d = in(ctx, q, a->d, D_IN), .n = in(ctx, q, a->m, M_IN), .q = q, .sh = a->sh, .scalar = !q && a->sh >= 64 };
        fn(ctx, &args);
        out(ctx, q, a->d);
    }
}

#define SHIFT(name, s, u_) \
    void a32_trans_n_##name(TransCtx *ctx, const A32ArgsNsh *a) { shift(ctx, a, a->u ? arm_trans_v_##u_##_imm : arm_trans_v_##s##_imm); }
SHIFT(shr, sshr, ushr)
SHIFT(sra, ssra, usra)
SHIFT(rshr, srshr, urshr)
SHIFT(rsra, srsra, ursra)
SHIFT(sri, sri, sri)
SHIFT(shl_i, shl, shl)
SHIFT(sli, sli, sli)
SHIFT(qshlu, sqshlu, sqshlu)
SHIFT(qshl_i, sqshl, uqshl)
#undef SHIFT

/* D d, Q m. */
static void shift_narrow(TransCtx *ctx, const A32ArgsNsh *a, Shift *fn)
{
    if (valid(ctx, !(a->m & 1))) {
        ArmArgsVsh args = { .d = D_IN, .n = a->m / 2, .sh = a->sh };
        fn(ctx, &args);
        out(ctx, false, a->d);
    }
}

#define SHIFT_NARROW(name, s, u_) \
    void a32_trans_n_##name(TransCtx *ctx, const A32ArgsNsh *a) { shift_narrow(ctx, a, a->u ? arm_trans_v_##u_##_imm : arm_trans_v_##s##_imm); }
SHIFT_NARROW(shrn, shrn, sqshrun)
SHIFT_NARROW(rshrn, rshrn, sqrshrun)
SHIFT_NARROW(qshrn, sqshrn, uqshrn)
SHIFT_NARROW(qrshrn, sqrshrn, uqrshrn)
#undef SHIFT_NARROW

void a32_trans_n_shll(TransCtx *ctx, const A32ArgsNsh *a)
{
    if (valid(ctx, !(a->d & 1))) {
        ArmArgsVsh args = { .d = a->d / 2, .n = in(ctx, false, a->m, M_IN), .sh = a->sh };
        (a->u ? arm_trans_v_ushll_imm : arm_trans_v_sshll_imm)(ctx, &args);
        out(ctx, true, a->d);
    }
}

static void fixed(TransCtx *ctx, const A32ArgsNsh *a, Shift *fn)
{
    if (valid(ctx, !(a->q && (a->d | a->m) & 1))) {
        A32Saved s = a32_standard_begin(ctx);
        shift(ctx, a, fn);
        a32_standard_end(ctx, s);
    }
}

/* Of half precision: A64 has the count less 32 in that field. */
static void fixed_half(TransCtx *ctx, const A32ArgsNsh *a, Shift *fn)
{
    A32ArgsNsh half = *a;
    half.sh = a->sh - 32;
    if (valid(ctx, half.sh >= 16)) {
        fixed(ctx, &half, fn);
    }
}

void a32_trans_n_cvt_fxh(TransCtx *ctx, const A32ArgsNsh *a) { fixed_half(ctx, a, a->u ? arm_trans_v_ucvtf_fixed : arm_trans_v_scvtf_fixed); }
void a32_trans_n_cvt_xfh(TransCtx *ctx, const A32ArgsNsh *a) { fixed_half(ctx, a, a->u ? arm_trans_v_fcvtzu_fixed : arm_trans_v_fcvtzs_fixed); }
void a32_trans_n_cvt_fx(TransCtx *ctx, const A32ArgsNsh *a) { fixed(ctx, a, a->u ? arm_trans_v_ucvtf_fixed : arm_trans_v_scvtf_fixed); }
void a32_trans_n_cvt_xf(TransCtx *ctx, const A32ArgsNsh *a) { fixed(ctx, a, a->u ? arm_trans_v_fcvtzu_fixed : arm_trans_v_fcvtzs_fixed); }

/* -- moves, tables --------------------------------------------------------------------------------------------------------- */

void a32_trans_n_mov_i(TransCtx *ctx, const A32ArgsNim *a)
{
    bool q = a->q, accumulates = a->cmode < 12 && a->cmode & 1;

    if (!q && !a->imm && a->cmode == (a->op ? 14 : 0)) { /* how compilers make a double zero, for VFP */
        a32_put_double(ctx, a->d, ir_const(ctx->b, IR_F64, 0));
        return;
    }
    if (valid(ctx, !(q && a->d & 1) && !(a->op && a->cmode == 15))) {
        ArmArgsVmi args = { .d = in(ctx, q, a->d, D_IN), .q = q, .op = a->op, .cmode = a->cmode, .imm8 = a->imm };
        (!accumulates ? arm_trans_v_mov_imm : a->op ? arm_trans_v_bic_imm : arm_trans_v_orr_imm)(ctx, &args);
        out(ctx, q, a->d);
    }
}

void a32_trans_n_ext(TransCtx *ctx, const A32ArgsNex *a)
{
    bool q = a->q;

    if (valid(ctx, !(q && (a->d | a->n | a->m) & 1) && (q || a->imm < 8))) {
        ArmArgsVex args = { .d = q ? a->d / 2 : D_IN, .n = in(ctx, q, a->n, N_IN), .m = in(ctx, q, a->m, M_IN), .imm4 = a->imm, .q = q };
        arm_trans_v_ext(ctx, &args);
        out(ctx, q, a->d);
    }
}

void a32_trans_n_dup(TransCtx *ctx, const A32ArgsNdp *a)
{
    if (!valid(ctx, a->ix & 7 && !(a->q && a->d & 1))) {
        return;
    }
    int size = __builtin_ctz((unsigned)a->ix);
    IrRef v = arm_vdup_lane(ctx, size, (unsigned)a->ix >> (size + 1), a32_get_d(ctx, a->m));
    if (a->q) {
        ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d / 2, v);
    } else {
        a32_put_d(ctx, a->d, v);
    }
}

/* A table of 1 to 4 D registers: looked up 16 bytes at a time; adding 70h makes bit 7 of every index from 16 on. */
void a32_trans_n_tbl(TransCtx *ctx, const A32ArgsNtb *a)
{
    int regs = a->len + 1;

    if (!valid(ctx, a->n + regs <= 32)) {
        return;
    }
    IrRef index = a32_get_d(ctx, a->m), r = IR_NONE;
    for (int i = 0; i < regs; i += 2) {
        IrRef table = arm_vjoin(ctx, a32_get_d(ctx, a->n + i), i + 1 < regs ? a32_get_d(ctx, a->n + i + 1) : arm_vzero(ctx));
        IrRef at = i ? arm_v2(ctx, IR_vsub, 0, index, arm_vall(ctx, 0, (uint64_t)i * 8)) : index;
        IrRef found = arm_v2(ctx, IR_vtbl, 0, table, arm_v2(ctx, IR_vsaddu, 0, at, arm_vall(ctx, 0, 0x70)));
        r = i ? arm_v2(ctx, IR_vor, 0, r, found) : found;
    }
    if (a->tbx) {
        IrRef outside = arm_compare(ctx, IR_GEU, 0, index, arm_vall(ctx, 0, (uint64_t)regs * 8));
        r = arm_select_bits(ctx, outside, a32_get_d(ctx, a->d), r);
    }
    a32_put_d(ctx, a->d, r);
}
