/*
 * translate-simd-fp-long.c: complex numbers, products of half precision and BFloat16 into single (Arm ARM C7.2: FCADD, FCMLA, FMLAL,
 * BFDOT, BFMMLA, BFMLAL), half-precision immediates.
 */
#include "target/arm/translate-fp.h"

typedef const ArmArgsVfc ArgsVfc;
typedef const ArmArgsVfl ArgsVfl;

static IrRef operand(TransCtx *ctx, unsigned size, int q, int n)
{
    return arm_v_in(ctx, size, q ? arm_v(ctx, n) : ir_op1(ctx->b, IR_vzext, IR_V128, arm_f(ctx, 3, n)));
}

static unsigned q_flag(int q) { return q ? ARM_REGS_Q : 0; }

/* -- complex numbers: even lanes are real parts --------------------------------------------------------- */

/* v with the signs of its real or imaginary parts changed. */
static IrRef negate_parts(TransCtx *ctx, unsigned size, IrRef v, bool re, bool im)
{
    uint64_t low = size == 3 ? (re ? BIT(63) : 0) : (re ? BIT(31) : 0) | (im ? BIT(63) : 0);
    uint64_t high = size == 3 ? (im ? BIT(63) : 0) : low;

    return re || im ? arm_v2(ctx, IR_vxor, 0, v, ir_vconst(ctx->b, IR_V128, &(IrVecConst){ .u64 = { low, high } })) : v;
}

/* Each number's parts chosen by two bits of one lane index each: 0 the real one. */
static IrRef parts(TransCtx *ctx, unsigned size, IrRef v, unsigned to_re, unsigned to_im)
{
    unsigned imm = size == 3 ? (to_re ? 0xe : 0x4) | (to_im ? 0xe0 : 0x40)
                             : to_re | to_im << 2 | (2 + to_re) << 4 | (2 + to_im) << 6;

    return to_re == 0 && to_im == 1 ? v : ir_emit(ctx->b, IR_vperm32, IR_V128, imm, v, IR_NONE, IR_NONE);
}

void arm_trans_v_fcadd(TransCtx *ctx, ArgsVfc *a)
{
    unsigned size = (unsigned)a->size;

    if (!arm_fp_inline(ctx, size)) {
        arm_fp_vector_call(ctx, arm_fp_code(ARM_FP_ADD, size, 0, ARM_FP_DYN, 0, 0),
                           arm_fp_regs(ARM_FORM_COMPLEX_ADD, (unsigned)a->d, (unsigned)a->n, (unsigned)a->m, (unsigned)a->rot, q_flag(a->q)));
        return;
    }
    IrRef m = parts(ctx, size, operand(ctx, size, a->q, a->m), 1, 0);
    m = negate_parts(ctx, size, m, !a->rot, a->rot);
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_fp_result(ctx, size, false, arm_v2(ctx, IR_vfadd, size, operand(ctx, size, a->q, a->n), m)));
}

void arm_trans_v_fcmla(TransCtx *ctx, ArgsVfc *a)
{
    unsigned size = (unsigned)a->size, rot = (unsigned)a->rot;

    if (!arm_fp_inline(ctx, size)) {
        unsigned index = rot | (a->index < 0 ? 0 : (unsigned)a->index << 2 | 1 << 4);
        arm_fp_vector_call(ctx, arm_fp_code(ARM_FP_MADD, size, 0, ARM_FP_DYN, 0, 0),
                           arm_fp_regs(ARM_FORM_COMPLEX_MADD, (unsigned)a->d, (unsigned)a->n, (unsigned)a->m, index, q_flag(a->q)));
        return;
    }
    IrRef m = a->q ? arm_v(ctx, a->m) : ir_op1(ctx->b, IR_vzext, IR_V128, arm_f(ctx, 3, a->m));
    if (a->index >= 0) { /* singles: one pair of lanes in both places */
        m = ir_emit(ctx->b, IR_vperm32, IR_V128, a->index ? 0xee : 0x44, arm_v(ctx, a->m), IR_NONE, IR_NONE);
    }
    m = parts(ctx, size, m, rot & 1, !(rot & 1));
    m = negate_parts(ctx, size, m, rot == 1 || rot == 2, rot >= 2);
    IrRef n = a->q ? arm_v(ctx, a->n) : ir_op1(ctx->b, IR_vzext, IR_V128, arm_f(ctx, 3, a->n));
    n = arm_v_in(ctx, size, parts(ctx, size, n, rot & 1, rot & 1)); /* half of the parts are not looked at */
    m = arm_v_in(ctx, size, m);
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_fp_result(ctx, size, false, ir_emit(ctx->b, IR_vfma, IR_V128, size, n, m, operand(ctx, size, a->q, a->d))));
}

/* -- half precision into single -------------------------------------------------------------------------- */

static void madd_long(TransCtx *ctx, ArgsVfl *a, unsigned flags)
{
    unsigned index = (unsigned)a->upper | (a->index < 0 ? 0 : (unsigned)a->index << 1 | 1 << 4);

    arm_fp_vector_call(ctx, arm_fp_code(ARM_FP_MADD, 2, 0, ARM_FP_DYN, flags, 0),
                       arm_fp_regs(ARM_FORM_MADD_LONG, (unsigned)a->d, (unsigned)a->n, (unsigned)a->m, index, q_flag(a->q)));
}

void arm_trans_v_fmlal(TransCtx *ctx, ArgsVfl *a) { madd_long(ctx, a, 0); }
void arm_trans_v_fmlsl(TransCtx *ctx, ArgsVfl *a) { madd_long(ctx, a, ARM_FP_NEG_PRODUCT); }

/* -- BFloat16 ------------------------------------------------------------------------------------------------ */

static void brain(TransCtx *ctx, ArgsVfl *a, ArmFpForm form)
{
    unsigned index = a->index < 0 ? 0 : (unsigned)a->index | 1 << 4;
    unsigned q = form == ARM_FORM_BF_MADD || a->q ? ARM_REGS_Q : 0;

    ir_call(ctx->b, ARM_HELPER_fp_brain, 2,
            (IrRef[]){ ir_i32(ctx->b, (uint32_t)a->upper),
                       ir_i32(ctx->b, arm_fp_regs(form, (unsigned)a->d, (unsigned)a->n, (unsigned)a->m, index, q)) });
}

void arm_trans_v_bfdot(TransCtx *ctx, ArgsVfl *a) { brain(ctx, a, ARM_FORM_BF_DOT); }
void arm_trans_v_bfmmla(TransCtx *ctx, ArgsVfl *a) { brain(ctx, a, ARM_FORM_BF_MATRIX); }
void arm_trans_v_bfmlal(TransCtx *ctx, ArgsVfl *a) { brain(ctx, a, ARM_FORM_BF_MADD); }

void arm_trans_v_bfcvtn(TransCtx *ctx, ArgsV2 *a)
{
    arm_fp_vector_call(ctx, arm_fp_code(ARM_FP_TO_BF, 2, 1, ARM_FP_DYN, 0, 0),
                       arm_fp_regs(ARM_FORM_NARROW, (unsigned)a->d, (unsigned)a->n, 0, a->q ? 1 : 0, 0));
}

/* VFPExpandImm of half precision in every lane */
void arm_trans_v_fmov_imm_h(TransCtx *ctx, ArgsVmi *a)
{
    unsigned i = (unsigned)a->imm8;
    uint64_t x = ((i >> 7) << 15 | (i >> 6 & 1 ? 0x3000 : 0x4000) | (i & 63) << 6) * 0x1000100010001ull;

    ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d, ir_vconst(ctx->b, IR_V128, &(IrVecConst){ .u64 = { x, a->q ? x : 0 } }));
}
