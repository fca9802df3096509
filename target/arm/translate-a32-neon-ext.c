/*
 * translate-a32-neon-ext.c: AArch32's Advanced SIMD beyond Armv7 by the handlers of A64 (Arm ARM DDI 0487, F6.1): cryptography, dot products and
 * matrices of bytes and BFloat16, complex numbers, products of half precision into single. Operands: translate-a32-neon.h.
 */
#include "target/arm/translate-a32-neon.h"

static int in(TransCtx *ctx, bool q, int reg, int half) { return a32_neon_in(ctx, q, reg, half); }
static void out(TransCtx *ctx, bool q, int reg) { a32_neon_out(ctx, q, reg); }

/* -- cryptography: of Q registers --------------------------------------------------------------------------- */

typedef void Crypto2(TransCtx *ctx, const ArmArgsK2 *a);
typedef void Crypto3(TransCtx *ctx, const ArmArgsK3 *a);

static void crypto2(TransCtx *ctx, const A32ArgsNk2 *a, Crypto2 *fn)
{
    if (a32_valid(ctx, !((a->d | a->m) & 1))) {
        fn(ctx, &(ArmArgsK2){ .d = a->d / 2, .n = a->m / 2 });
    }
}

static void crypto3(TransCtx *ctx, const A32ArgsNk3 *a, Crypto3 *fn)
{
    if (a32_valid(ctx, !((a->d | a->n | a->m) & 1))) {
        fn(ctx, &(ArmArgsK3){ .d = a->d / 2, .n = a->n / 2, .m = a->m / 2 });
    }
}

#define CRYPTO2(name) void a32_trans_n_##name(TransCtx *ctx, const A32ArgsNk2 *a) { crypto2(ctx, a, arm_trans_##name); }
#define CRYPTO3(name) void a32_trans_n_##name(TransCtx *ctx, const A32ArgsNk3 *a) { crypto3(ctx, a, arm_trans_##name); }
CRYPTO2(aese)
CRYPTO2(aesd)
CRYPTO2(aesmc)
CRYPTO2(aesimc)
CRYPTO2(sha1h)
CRYPTO2(sha1su1)
CRYPTO2(sha256su0)
CRYPTO3(sha1c)
CRYPTO3(sha1p)
CRYPTO3(sha1m)
CRYPTO3(sha1su0)
CRYPTO3(sha256h)
CRYPTO3(sha256h2)
CRYPTO3(sha256su1)
#undef CRYPTO2
#undef CRYPTO3

void a32_trans_n_mull_p64(TransCtx *ctx, const A32ArgsNk3 *a)
{
    if (a32_valid(ctx, !(a->d & 1))) {
        IrRef n = arm_v(ctx, a->n / 2), m = arm_v(ctx, a->m / 2);
        ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d / 2, arm_v2(ctx, IR_vclmul, (unsigned)(a->n & 1) | (unsigned)(a->m & 1) << 4, n, m));
    }
}

/* -- dot products and matrices -------------------------------------------------------------------------------- */

typedef void Three(TransCtx *ctx, const ArmArgsV3 *a);
typedef void Element(TransCtx *ctx, const ArmArgsVix *a);
typedef void Brain(TransCtx *ctx, const ArmArgsVfl *a);

/* The element is 32 bits of a D register. */
static void dot(TransCtx *ctx, const A32ArgsNdt *a, Three *fn, Element *lane)
{
    bool q = a->q;

    if (!a32_valid(ctx, !(q && (a->d | a->n | (a->index < 0 ? a->m : 0)) & 1))) {
        return;
    }
    int d = in(ctx, q, a->d, D_IN), n = in(ctx, q, a->n, N_IN);
    if (a->index < 0) {
        fn(ctx, &(ArmArgsV3){ .d = d, .n = n, .m = in(ctx, q, a->m, M_IN), .q = q, .size = 2 });
    } else {
        lane(ctx, &(ArmArgsVix){ .d = d, .n = n, .m = a->m / 2, .index = a->index + 2 * (a->m & 1), .q = q, .size = 2 });
    }
    out(ctx, q, a->d);
}

void a32_trans_n_dot(TransCtx *ctx, const A32ArgsNdt *a)
{
    dot(ctx, a, a->u ? arm_trans_v_udot : arm_trans_v_sdot, a->u ? arm_trans_v_udot_lane : arm_trans_v_sdot_lane);
}

/* By element u says which operand is signed: 1: n. */
void a32_trans_n_usdot(TransCtx *ctx, const A32ArgsNdt *a)
{
    dot(ctx, a, arm_trans_v_usdot, a->u ? arm_trans_v_sudot_lane : arm_trans_v_usdot_lane);
}

static void matrix(TransCtx *ctx, int d, int n, int m, Three *fn)
{
    if (a32_valid(ctx, !((d | n | m) & 1))) {
        fn(ctx, &(ArmArgsV3){ .d = d / 2, .n = n / 2, .m = m / 2, .q = 1, .size = 2 });
    }
}

void a32_trans_n_mmla(TransCtx *ctx, const A32ArgsNdt *a) { matrix(ctx, a->d, a->n, a->m, a->u ? arm_trans_v_ummla : arm_trans_v_smmla); }
void a32_trans_n_usmmla(TransCtx *ctx, const A32ArgsNk3 *a) { matrix(ctx, a->d, a->n, a->m, arm_trans_v_usmmla); }

/* -- BFloat16 ------------------------------------------------------------------------------------------------------ */

void a32_trans_n_bfdot(TransCtx *ctx, const A32ArgsNdt *a)
{
    bool q = a->q;

    if (a32_valid(ctx, !(q && (a->d | a->n | (a->index < 0 ? a->m : 0)) & 1))) {
        ArmArgsVfl args = { .d = in(ctx, q, a->d, D_IN), .n = in(ctx, q, a->n, N_IN), .m = in(ctx, q && a->index < 0, a->m, M_IN), .q = q, .index = a->index };
        arm_trans_v_bfdot(ctx, &args);
        out(ctx, q, a->d);
    }
}

void a32_trans_n_bfmmla(TransCtx *ctx, const A32ArgsNk3 *a)
{
    if (a32_valid(ctx, !((a->d | a->n | a->m) & 1))) {
        arm_trans_v_bfmmla(ctx, &(ArmArgsVfl){ .d = a->d / 2, .n = a->n / 2, .m = a->m / 2, .q = 1, .index = -1 });
    }
}

/* VFMAB, VFMAT: q: the odd halves of n. The element is a half of D0 to D7. */
void a32_trans_n_bfma(TransCtx *ctx, const A32ArgsNdt *a)
{
    bool by_element = a->index >= 0;

    if (!a32_valid(ctx, !((a->d | a->n | (by_element ? 0 : a->m)) & 1))) {
        return;
    }
    A32Saved s = a32_standard_begin(ctx);
    int m = by_element ? in(ctx, false, a->m & 7, M_IN) : a->m / 2;
    arm_trans_v_bfmlal(ctx, &(ArmArgsVfl){ .d = a->d / 2, .n = a->n / 2, .m = m, .q = 1, .upper = a->q,
                                           .index = by_element ? a->index << 1 | a->m >> 3 : -1 });
    out(ctx, true, a->d);
    a32_standard_end(ctx, s);
}

/* Q m to D d. */
void a32_trans_n_cvt_bf(TransCtx *ctx, const A32ArgsNk2 *a)
{
    if (a32_valid(ctx, !(a->m & 1))) {
        A32Saved s = a32_standard_begin(ctx);
        arm_trans_v_bfcvtn(ctx, &(ArmArgsV2){ .d = D_IN, .n = a->m / 2 });
        out(ctx, false, a->d);
        a32_standard_end(ctx, s);
    }
}

/* -- complex numbers ------------------------------------------------------------------------------------------------ */

static void complex_op(TransCtx *ctx, const A32ArgsNfc *a, void (*fn)(TransCtx *ctx, const ArmArgsVfc *a))
{
    bool q = a->q, whole_m = q && a->index < 0;

    if (!a32_valid(ctx, !(q && (a->d | a->n | (whole_m ? a->m : 0)) & 1) && (a->size || a32_has(ctx, ARM_EXT_FP16)))) {
        return;
    }
    A32Saved s = a32_standard_begin(ctx);
    fn(ctx, &(ArmArgsVfc){ .d = in(ctx, q, a->d, D_IN), .n = in(ctx, q, a->n, N_IN), .m = in(ctx, whole_m, a->m, M_IN), .q = q,
                           .size = a->size ? 2 : 1, .rot = a->rot, .index = a->index });
    out(ctx, q, a->d);
    a32_standard_end(ctx, s);
}

void a32_trans_n_cadd(TransCtx *ctx, const A32ArgsNfc *a) { complex_op(ctx, a, arm_trans_v_fcadd); }
void a32_trans_n_cmla(TransCtx *ctx, const A32ArgsNfc *a) { complex_op(ctx, a, arm_trans_v_fcmla); }

/* -- half precision into single ---------------------------------------------------------------------------------------- */

/* An operand of half the width in the low bits of a copy: D register raw >> 1, its top bit in bit 0, or S register raw. */
static int narrow_in(TransCtx *ctx, bool q, int raw, int half)
{
    if (q) {
        return in(ctx, false, (raw & 1) << 4 | raw >> 1, half);
    }
    IrRef v = arm_v(ctx, raw / 4);
    ir_put(ctx->b, ARM_SLOT_V + (unsigned)half, ir_emit(ctx->b, IR_vperm32, IR_V128, ((unsigned)raw & 3) * 0x55, v, IR_NONE, IR_NONE));
    return half;
}

static void products(TransCtx *ctx, const A32ArgsNfl *a, int raw_m, int index)
{
    bool q = a->q;

    if (!a32_valid(ctx, !(q && a->d & 1))) {
        return;
    }
    A32Saved s = a32_standard_begin(ctx);
    ArmArgsVfl args = { .d = in(ctx, q, a->d, D_IN), .n = narrow_in(ctx, q, a->n, N_IN), .m = narrow_in(ctx, q, raw_m, M_IN), .q = q, .index = index };
    (a->sub ? arm_trans_v_fmlsl : arm_trans_v_fmlal)(ctx, &args);
    out(ctx, q, a->d);
    a32_standard_end(ctx, s);
}

void a32_trans_n_fmal(TransCtx *ctx, const A32ArgsNfl *a) { products(ctx, a, a->m, -1); }

/* The element is one of D0 to D7, index M:Vm<3>, or one of S0 to S15, index Vm<3>. */
void a32_trans_n_fmal_x(TransCtx *ctx, const A32ArgsNfl *a)
{
    int vm = a->m >> 1, bit = a->m & 1, index = vm >> 3;

    products(ctx, a, a->q ? (vm & 7) << 1 : (vm & 7) << 1 | bit, a->q ? bit << 1 | index : index);
}
