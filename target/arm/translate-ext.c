/*
 * translate-ext.c: CRC32, CSSC, FlagM and FlagM2, RNG, WFxT (Arm ARM DDI 0487, C6.2).
 */
#include "target/arm/translate.h"

/* -- CRC32 ------------------------------------------------------------------------------------------------------ */

/*
 * The remainder of data * x^32 by the polynomial P (of degree 32), all bit-reflected, by Barrett's method: the quotient is
 * data * floor(x^96 / P) / x^64, exactly, and the remainder is what the quotient times P leaves below x^32. `inverse` is
 * floor(x^96 / P) reflected into 65 bits without the lowest power, `poly` is P reflected into 33 bits. CRCs of less than 64 bits of data
 * have zeros in the high powers, which are the low bits.
 */
static IrRef op128(TransCtx *ctx, IrOp op, unsigned aux, IrRef x, IrRef y) { return ir_emit(ctx->b, op, IR_V128, aux, x, y, IR_NONE); }

/* The vector whose upper half an old CRC is, if it was made by the two products below: CRCs one behind the other stay in vectors, which is faster than the way out and back. */
static IrRef crc_vector(TransCtx *ctx, IrRef old, IrRef constants)
{
    const IrUnit *unit = ctx->b->unit;
    const IrInsn *in = ir_insn(unit, old);

    if (in->op == IR_zext32) {
        in = ir_insn(unit, in->a);
    }
    if (in->op != IR_vget_lane || in->aux != (IR_LANE_64 | 1 << 4)) {
        return IR_NONE;
    }
    const IrInsn *product = ir_insn(unit, in->a);
    return product->op == IR_vclmul && product->aux == 0x10 && product->b == constants ? in->a : IR_NONE;
}

IrRef arm_crc32(TransCtx *ctx, IrRef old, IrRef data, unsigned size_log2, bool castagnoli)
{
    static const IrVecConst constants = { .u64 = { 0xb4e5b025f7011641 /* inverse */, 0x1db710641 /* poly */ } };
    IrBuilder *b = ctx->b;
    unsigned bits = 8u << size_log2;

    if (castagnoli) {
        return ir_op1(b, IR_ext_u, IR_I64, ir_emit(b, IR_crc32c, IR_I32, size_log2, ir_op1(b, IR_trunc, IR_I32, old), data, IR_NONE));
    }
    IrRef both = ir_vconst(b, IR_V128, &constants), before = bits < 32 ? IR_NONE : crc_vector(ctx, old, both), quotient;
    if (before != IR_NONE) { /* the same in the upper half */
        before = bits < 64 ? op128(ctx, IR_vshl, IR_LANE_64, before, ir_i64(b, 32)) : before;
        IrRef x = op128(ctx, IR_vxor, 0, before, op128(ctx, IR_vshl_bytes, 16 - bits / 8, ir_op1(b, IR_vzext, IR_V128, data), IR_NONE));
        quotient = op128(ctx, IR_vclmul, 0x01, x, both);
    } else {
        IrRef x = ir_op2(b, IR_xor, IR_I64, old, data);
        x = bits < 64 ? ir_op2_imm(b, IR_shl, IR_I64, x, 64 - bits) : x;
        quotient = op128(ctx, IR_vclmul, 0x00, ir_op1(b, IR_vzext, IR_V128, x), both);
    }
    IrRef product = op128(ctx, IR_vclmul, 0x10, quotient, both);
    IrRef r = ir_emit(b, IR_vget_lane, IR_I64, IR_LANE_64 | 1 << 4, product, IR_NONE, IR_NONE);
    if (bits < 32) {
        r = ir_op2(b, IR_xor, IR_I64, r, ir_op2_imm(b, IR_shr, IR_I64, old, bits));
    }
    return r;
}

static void crc(TransCtx *ctx, const ArmArgsCrc *a, unsigned size_log2, bool castagnoli)
{
    IrRef old = ir_op1(ctx->b, IR_zext32, IR_I64, arm_x(ctx, a->rn));
    arm_set_x(ctx, a->rd, arm_crc32(ctx, old, arm_x(ctx, a->rm), size_log2, castagnoli));
}

#define CRC(suffix, size_log2)                                                                                          \
    void arm_trans_crc32##suffix(TransCtx *ctx, const ArmArgsCrc *a) { crc(ctx, a, size_log2, false); }          \
    void arm_trans_crc32c##suffix(TransCtx *ctx, const ArmArgsCrc *a) { crc(ctx, a, size_log2, true); }
CRC(b, 0)
CRC(h, 1)
CRC(w, 2)
CRC(x, 3)
#undef CRC

/* -- CSSC --------------------------------------------------------------------------------------------------------- */

static void op_r(TransCtx *ctx, const ArmArgsR *a, IrOp op)
{
    arm_set_r(ctx, a->sf, a->rd, ir_op2(ctx->b, op, arm_type(a->sf), arm_r(ctx, a->sf, a->rn), arm_r(ctx, a->sf, a->rm)));
}

void arm_trans_smax(TransCtx *ctx, const ArmArgsR *a) { op_r(ctx, a, IR_maxs); }
void arm_trans_umax(TransCtx *ctx, const ArmArgsR *a) { op_r(ctx, a, IR_maxu); }
void arm_trans_smin(TransCtx *ctx, const ArmArgsR *a) { op_r(ctx, a, IR_mins); }
void arm_trans_umin(TransCtx *ctx, const ArmArgsR *a) { op_r(ctx, a, IR_minu); }

static void op_imm(TransCtx *ctx, const ArmArgsRimm *a, IrOp op)
{
    IrRef imm = ir_const(ctx->b, arm_type(a->sf), a->sf ? (uint64_t)(int64_t)a->imm : (uint32_t)a->imm);
    arm_set_r(ctx, a->sf, a->rd, ir_op2(ctx->b, op, arm_type(a->sf), arm_r(ctx, a->sf, a->rn), imm));
}

void arm_trans_smax_imm(TransCtx *ctx, const ArmArgsRimm *a) { op_imm(ctx, a, IR_maxs); }
void arm_trans_umax_imm(TransCtx *ctx, const ArmArgsRimm *a) { op_imm(ctx, a, IR_maxu); }
void arm_trans_smin_imm(TransCtx *ctx, const ArmArgsRimm *a) { op_imm(ctx, a, IR_mins); }
void arm_trans_umin_imm(TransCtx *ctx, const ArmArgsRimm *a) { op_imm(ctx, a, IR_minu); }

static void op_r1(TransCtx *ctx, const ArmArgsR1 *a, IrOp op)
{
    arm_set_r(ctx, a->sf, a->rd, ir_op1(ctx->b, op, arm_type(a->sf), arm_r(ctx, a->sf, a->rn)));
}

void arm_trans_ctz(TransCtx *ctx, const ArmArgsR1 *a) { op_r1(ctx, a, IR_ctz); }
void arm_trans_cnt(TransCtx *ctx, const ArmArgsR1 *a) { op_r1(ctx, a, IR_popcnt); }

void arm_trans_abs(TransCtx *ctx, const ArmArgsR1 *a)
{
    IrRef x = arm_r(ctx, a->sf, a->rn), minus = ir_op1(ctx->b, IR_neg, arm_type(a->sf), x);
    IrRef negative = ir_setcond(ctx->b, IR_I32, IR_LT, x, ir_const(ctx->b, arm_type(a->sf), 0));
    arm_set_r(ctx, a->sf, a->rd, ir_select(ctx->b, arm_type(a->sf), negative, minus, x));
}

/* -- flags ------------------------------------------------------------------------------------------------------------ */

static IrRef op64(TransCtx *ctx, IrOp op, IrRef x, IrRef y) { return ir_op2(ctx->b, op, IR_I64, x, y); }
static IrRef op64_imm(TransCtx *ctx, IrOp op, IrRef x, uint64_t imm) { return ir_op2_imm(ctx->b, op, IR_I64, x, imm); }
static void set_flags(TransCtx *ctx, IrRef f) { arm_cc_set(ctx, ARM_CC_FLAGS, f, IR_NONE); }

/* 1 or 0 from one of ARM_N, ARM_Z, ARM_C, ARM_V. */
static IrRef flag(TransCtx *ctx, IrRef flags, unsigned at) { return ir_emit(ctx->b, IR_bfx, IR_I64, at | 1 << 8, flags, IR_NONE, IR_NONE); }
enum { AT_N = 31, AT_Z = 30, AT_C = 29, AT_V = 28 };

void arm_trans_cfinv(TransCtx *ctx, const ArmArgsNone *a)
{
    set_flags(ctx, op64_imm(ctx, IR_xor, arm_cc_get(ctx), BIT(AT_C)));
}

void arm_trans_rmif(TransCtx *ctx, const ArmArgsRmif *a)
{
    IrRef x = op64_imm(ctx, IR_rotr, arm_x(ctx, a->rn), (unsigned)a->imm);
    uint64_t mask = (uint64_t)a->mask << 28;
    IrRef new = op64_imm(ctx, IR_and, op64_imm(ctx, IR_shl, x, 28), mask);
    set_flags(ctx, op64(ctx, IR_or, op64_imm(ctx, IR_and, arm_cc_get(ctx), BIT(32) - BIT(28) - mask), new));
}

/* V: the value's sign differs from the bit above. */
static void setf(TransCtx *ctx, unsigned rn, unsigned bits)
{
    IrRef x = arm_x(ctx, rn);
    IrRef n = op64_imm(ctx, IR_and, op64_imm(ctx, IR_shl, x, 32 - bits), BIT(AT_N));
    IrRef low = op64_imm(ctx, IR_and, x, bits_mask(0, bits));
    IrRef z = op64_imm(ctx, IR_shl, ir_setcond(ctx->b, IR_I64, IR_EQ, low, ir_i64(ctx->b, 0)), AT_Z);
    IrRef v = op64(ctx, IR_xor, x, op64_imm(ctx, IR_shl, x, 1));
    v = op64_imm(ctx, IR_shl, ir_emit(ctx->b, IR_bfx, IR_I64, bits | 1 << 8, v, IR_NONE, IR_NONE), AT_V);
    IrRef c = op64_imm(ctx, IR_shl, arm_carry(ctx), AT_C);
    set_flags(ctx, op64(ctx, IR_or, op64(ctx, IR_or, n, z), op64(ctx, IR_or, c, v)));
}

void arm_trans_setf8(TransCtx *ctx, const ArmArgsBr *a) { setf(ctx, a->rn, 8); }
void arm_trans_setf16(TransCtx *ctx, const ArmArgsBr *a) { setf(ctx, a->rn, 16); }

static void set_nzcv(TransCtx *ctx, IrRef n, IrRef z, IrRef c, IrRef v)
{
    IrRef nz = op64(ctx, IR_or, op64_imm(ctx, IR_shl, n, AT_N), op64_imm(ctx, IR_shl, z, AT_Z));
    IrRef cv = op64(ctx, IR_or, op64_imm(ctx, IR_shl, c, AT_C), op64_imm(ctx, IR_shl, v, AT_V));
    set_flags(ctx, op64(ctx, IR_or, nz, cv));
}

/* From the result of a floating-point comparison as Arm has it to an alternative format, and back. */
void arm_trans_axflag(TransCtx *ctx, const ArmArgsNone *a)
{
    IrRef f = arm_cc_get(ctx), zero = ir_i64(ctx->b, 0), v = flag(ctx, f, AT_V);
    set_nzcv(ctx, zero, op64(ctx, IR_or, flag(ctx, f, AT_Z), v), op64(ctx, IR_andn, flag(ctx, f, AT_C), v), zero);
}

void arm_trans_xaflag(TransCtx *ctx, const ArmArgsNone *a)
{
    IrRef f = arm_cc_get(ctx), z = flag(ctx, f, AT_Z), c = flag(ctx, f, AT_C);
    IrRef n = op64_imm(ctx, IR_xor, op64(ctx, IR_or, c, z), 1);
    set_nzcv(ctx, n, op64(ctx, IR_and, z, c), op64(ctx, IR_or, c, z), op64(ctx, IR_andn, z, c));
}

/* -- others -------------------------------------------------------------------------------------------------------------- */

/* Zero says that there was none, and the flags too (Z). */
void arm_trans_rndr(TransCtx *ctx, const ArmArgsRt *a)
{
    IrRef x = ir_call(ctx->b, ARM_HELPER_random, 0, NULL);
    set_flags(ctx, op64_imm(ctx, IR_shl, ir_setcond(ctx->b, IR_I64, IR_EQ, x, ir_i64(ctx->b, 0)), AT_Z));
    arm_set_x(ctx, a->rt, x);
}

/* They may complete at any time, with a timeout or without: at once. */
void arm_trans_wfet(TransCtx *ctx, const ArmArgsRt *a) { }
void arm_trans_wfit(TransCtx *ctx, const ArmArgsRt *a) { }
