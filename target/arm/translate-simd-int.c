/*
 * translate-simd-int.c: Advanced SIMD on integer lanes that is one or a few vector operations: arithmetic, comparisons,
 * logic, immediates, shifts, copies (Arm ARM C7.2).
 */
#include "target/arm/translate-simd.h"

typedef const ArmArgsV2 ArgsV2;
typedef const ArmArgsV3 ArgsV3;
typedef const ArmArgsVsh ArgsVsh;
typedef const ArmArgsVcp ArgsVcp;
typedef const ArmArgsVmi ArgsVmi;
typedef const ArmArgsVex ArgsVex;
typedef const ArmArgsVtb ArgsVtb;

static void put3(TransCtx *ctx, ArgsV3 *a, IrRef v) { arm_put_v(ctx, a->d, a->q, a->scalar, a->size, v); }
static void put2(TransCtx *ctx, ArgsV2 *a, IrRef v) { arm_put_v(ctx, a->d, a->q, a->scalar, a->size, v); }

static IrRef op3(TransCtx *ctx, ArgsV3 *a, IrOp op)
{
    return arm_v2(ctx, op, (unsigned)a->size, arm_v(ctx, a->n), arm_v(ctx, a->m));
}

/* Lanewise operations that the IR has. */
#define SAME(name, op) void arm_trans_v_##name(TransCtx *ctx, ArgsV3 *a) { put3(ctx, a, op3(ctx, a, IR_##op)); }
SAME(add, vadd)
SAME(sub, vsub)
SAME(mul, vmul)
SAME(smax, vmaxs)
SAME(umax, vmaxu)
SAME(smin, vmins)
SAME(umin, vminu)
#undef SAME

/* MLA and MLS: the product added to, or taken from, V[d]. */
void arm_trans_v_mla(TransCtx *ctx, ArgsV3 *a)
{
    put3(ctx, a, arm_v2(ctx, IR_vadd, (unsigned)a->size, arm_v(ctx, a->d), op3(ctx, a, IR_vmul)));
}

void arm_trans_v_mls(TransCtx *ctx, ArgsV3 *a)
{
    put3(ctx, a, arm_v2(ctx, IR_vsub, (unsigned)a->size, arm_v(ctx, a->d), op3(ctx, a, IR_vmul)));
}

/* Absolute differences: the larger less the smaller. */
static IrRef abd(TransCtx *ctx, ArgsV3 *a, bool is_signed)
{
    return arm_v2(ctx, IR_vsub, (unsigned)a->size, op3(ctx, a, is_signed ? IR_vmaxs : IR_vmaxu),
                  op3(ctx, a, is_signed ? IR_vmins : IR_vminu));
}

static void aba(TransCtx *ctx, ArgsV3 *a, bool is_signed)
{
    put3(ctx, a, arm_v2(ctx, IR_vadd, (unsigned)a->size, arm_v(ctx, a->d), abd(ctx, a, is_signed)));
}

void arm_trans_v_sabd(TransCtx *ctx, ArgsV3 *a) { put3(ctx, a, abd(ctx, a, true)); }
void arm_trans_v_uabd(TransCtx *ctx, ArgsV3 *a) { put3(ctx, a, abd(ctx, a, false)); }
void arm_trans_v_saba(TransCtx *ctx, ArgsV3 *a) { aba(ctx, a, true); }
void arm_trans_v_uaba(TransCtx *ctx, ArgsV3 *a) { aba(ctx, a, false); }

static IrRef compare(TransCtx *ctx, IrCond cond, int size, IrRef x, IrRef y)
{
    return arm_v2(ctx, IR_vcmp, (unsigned)size | (unsigned)cond << 4, x, y);
}

#define CMP(name, cond)                                                                                                \
    void arm_trans_v_##name(TransCtx *ctx, ArgsV3 *a)                                                                  \
    {                                                                                                                  \
        put3(ctx, a, compare(ctx, cond, a->size, arm_v(ctx, a->n), arm_v(ctx, a->m)));                                 \
    }
CMP(cmeq, IR_EQ)
CMP(cmgt, IR_GT)
CMP(cmge, IR_GE)
CMP(cmhi, IR_GTU)
CMP(cmhs, IR_GEU)
#undef CMP

#define CMP_ZERO(name, cond)                                                                                           \
    void arm_trans_v_##name##_zero(TransCtx *ctx, ArgsV2 *a)                                                           \
    {                                                                                                                  \
        put2(ctx, a, compare(ctx, cond, a->size, arm_v(ctx, a->n), arm_vzero(ctx)));                                   \
    }
CMP_ZERO(cmeq, IR_EQ)
CMP_ZERO(cmgt, IR_GT)
CMP_ZERO(cmge, IR_GE)
CMP_ZERO(cmle, IR_LE)
CMP_ZERO(cmlt, IR_LT)
#undef CMP_ZERO

void arm_trans_v_cmtst(TransCtx *ctx, ArgsV3 *a)
{
    IrRef both = arm_v2(ctx, IR_vand, 0, arm_v(ctx, a->n), arm_v(ctx, a->m));

    put3(ctx, a, compare(ctx, IR_NE, a->size, both, arm_vzero(ctx)));
}

void arm_trans_v_neg(TransCtx *ctx, ArgsV2 *a)
{
    put2(ctx, a, ir_emit(ctx->b, IR_vneg, IR_V128, (unsigned)a->size, arm_v(ctx, a->n), IR_NONE, IR_NONE));
}

void arm_trans_v_abs(TransCtx *ctx, ArgsV2 *a)
{
    put2(ctx, a, ir_emit(ctx->b, IR_vabs, IR_V128, (unsigned)a->size, arm_v(ctx, a->n), IR_NONE, IR_NONE));
}

void arm_trans_v_not(TransCtx *ctx, ArgsV2 *a) { put2(ctx, a, ir_op1(ctx->b, IR_vnot, IR_V128, arm_v(ctx, a->n))); }

/* -- logic ------------------------------------------------------------------------------------- */

static void put_q(TransCtx *ctx, ArgsVtb *a, IrRef v) { arm_put_v(ctx, a->d, a->q, 0, 0, v); }

static IrRef select_bits(TransCtx *ctx, IrRef mask, IrRef ones, IrRef zeros)
{
    return ir_emit(ctx->b, IR_vbsel, IR_V128, 0, mask, ones, zeros);
}

void arm_trans_v_and(TransCtx *ctx, ArgsVtb *a) { put_q(ctx, a, arm_v2(ctx, IR_vand, 0, arm_v(ctx, a->n), arm_v(ctx, a->m))); }
void arm_trans_v_bic(TransCtx *ctx, ArgsVtb *a) { put_q(ctx, a, arm_v2(ctx, IR_vandn, 0, arm_v(ctx, a->n), arm_v(ctx, a->m))); }
void arm_trans_v_orr(TransCtx *ctx, ArgsVtb *a) { put_q(ctx, a, arm_v2(ctx, IR_vor, 0, arm_v(ctx, a->n), arm_v(ctx, a->m))); }
void arm_trans_v_eor(TransCtx *ctx, ArgsVtb *a) { put_q(ctx, a, arm_v2(ctx, IR_vxor, 0, arm_v(ctx, a->n), arm_v(ctx, a->m))); }

void arm_trans_v_orn(TransCtx *ctx, ArgsVtb *a)
{
    put_q(ctx, a, arm_v2(ctx, IR_vor, 0, arm_v(ctx, a->n), ir_op1(ctx->b, IR_vnot, IR_V128, arm_v(ctx, a->m))));
}

void arm_trans_v_bsl(TransCtx *ctx, ArgsVtb *a) { put_q(ctx, a, select_bits(ctx, arm_v(ctx, a->d), arm_v(ctx, a->n), arm_v(ctx, a->m))); }
void arm_trans_v_bit(TransCtx *ctx, ArgsVtb *a) { put_q(ctx, a, select_bits(ctx, arm_v(ctx, a->m), arm_v(ctx, a->n), arm_v(ctx, a->d))); }
void arm_trans_v_bif(TransCtx *ctx, ArgsVtb *a) { put_q(ctx, a, select_bits(ctx, arm_v(ctx, a->m), arm_v(ctx, a->d), arm_v(ctx, a->n))); }

/* -- immediates: AdvSIMDExpandImm ---------------------------------------------------------------- */

static uint64_t expand(unsigned op, unsigned cmode, uint64_t imm8)
{
    uint64_t x = 0;

    if (cmode < 8) {
        return (imm8 << (cmode >> 1) * 8) * 0x100000001ull;
    }
    if (cmode < 12) {
        return (imm8 << (cmode >> 1 & 1) * 8) * 0x1000100010001ull;
    }
    if (cmode < 14) {
        x = cmode & 1 ? imm8 << 16 | 0xffff : imm8 << 8 | 0xff;
        return x * 0x100000001ull;
    }
    if (cmode == 14 && !op) {
        return imm8 * 0x101010101010101ull;
    }
    if (cmode == 14) {
        for (unsigned i = 0; i < 8; i++) {
            x |= imm8 >> i & 1 ? 0xffull << i * 8 : 0;
        }
        return x;
    }
    if (op) { /* double: sign, NOT(b), b eight times, cdefgh */
        return (imm8 >> 7) << 63 | (imm8 >> 6 & 1 ? 0x3fc0ull : 0x4000ull) << 48 | (imm8 & 63) << 48;
    }
    return ((imm8 >> 7) << 31 | (imm8 >> 6 & 1 ? 0x3e000000ull : 0x40000000ull) | (imm8 & 63) << 19) * 0x100000001ull;
}

static IrRef immediate(TransCtx *ctx, ArgsVmi *a, bool invert)
{
    uint64_t x = expand((unsigned)a->op, (unsigned)a->cmode, (uint64_t)a->imm8);

    return arm_dup(ctx, 3, ir_i64(ctx->b, invert ? ~x : x));
}

/* MOVI, MVNI, FMOV. */
void arm_trans_v_mov_imm(TransCtx *ctx, ArgsVmi *a)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, immediate(ctx, a, a->op && a->cmode < 14));
}

void arm_trans_v_orr_imm(TransCtx *ctx, ArgsVmi *a)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_v2(ctx, IR_vor, 0, arm_v(ctx, a->d), immediate(ctx, a, false)));
}

void arm_trans_v_bic_imm(TransCtx *ctx, ArgsVmi *a)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_v2(ctx, IR_vandn, 0, arm_v(ctx, a->d), immediate(ctx, a, false)));
}

/* -- copies: imm5 is the lane's index above a one that tells its size --------------------------- */

static int copy_size(int imm5) { return __builtin_ctz((unsigned)imm5); }
static unsigned copy_lane(int imm5) { return (unsigned)imm5 >> (copy_size(imm5) + 1); }

static IrRef source_lane(TransCtx *ctx, ArgsVcp *a)
{
    return arm_lane(ctx, arm_v(ctx, a->n), copy_size(a->imm5), copy_lane(a->imm5));
}

static void insert(TransCtx *ctx, ArgsVcp *a, IrRef x)
{
    unsigned aux = (unsigned)copy_size(a->imm5) | copy_lane(a->imm5) << 4;

    arm_put_low(ctx, a->d, 4, arm_v2(ctx, IR_vset_lane, aux, arm_v(ctx, a->d), x));
}

void arm_trans_v_dup_lane(TransCtx *ctx, ArgsVcp *a)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_dup(ctx, copy_size(a->imm5), source_lane(ctx, a)));
}

void arm_trans_v_dup_x(TransCtx *ctx, ArgsVcp *a)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_dup(ctx, copy_size(a->imm5), arm_x(ctx, (unsigned)a->n)));
}

void arm_trans_v_dup_scalar(TransCtx *ctx, ArgsVcp *a)
{
    arm_put_low(ctx, a->d, 4, ir_op1(ctx->b, IR_vzext, IR_V128, source_lane(ctx, a)));
}

void arm_trans_v_ins_x(TransCtx *ctx, ArgsVcp *a) { insert(ctx, a, arm_x(ctx, (unsigned)a->n)); }

/* The source's index is imm4 without the bits below the lane size. */
void arm_trans_v_ins_lane(TransCtx *ctx, ArgsVcp *a)
{
    int size = copy_size(a->imm5);

    insert(ctx, a, arm_lane(ctx, arm_v(ctx, a->n), size, (unsigned)a->imm4 >> size));
}

void arm_trans_v_umov(TransCtx *ctx, ArgsVcp *a) { arm_set_x(ctx, (unsigned)a->d, source_lane(ctx, a)); }

void arm_trans_v_smov(TransCtx *ctx, ArgsVcp *a)
{
    static const uint16_t sext[] = { IR_sext8, IR_sext16, IR_sext32 };
    IrRef x = ir_op1(ctx->b, (IrOp)sext[copy_size(a->imm5)], IR_I64, source_lane(ctx, a));

    arm_set_x(ctx, (unsigned)a->d, a->q ? x : ir_op1(ctx->b, IR_zext32, IR_I64, x));
}

/* EXT: of the 8-byte form the two low halves are put together first. */
void arm_trans_v_ext(TransCtx *ctx, ArgsVex *a)
{
    IrRef n = arm_v(ctx, a->n), m = arm_v(ctx, a->m);

    if (!a->q) {
        n = m = arm_v2(ctx, IR_vzip_lo, 3, n, m);
    }
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_v2(ctx, IR_vext, (unsigned)a->imm4, n, m));
}

/* -- shifts by immediates: immh:immb is the lane's bits plus the count (left), or twice them less it -------- */

static int shift_size(int sh) { return 28 - __builtin_clz((unsigned)sh); }
static int shift_left(int sh) { return sh - (8 << shift_size(sh)); }
static int shift_right(int sh) { return (16 << shift_size(sh)) - sh; }

/* By 1 to all bits of the lane, which the IR's count cannot say. */
static IrRef right(TransCtx *ctx, bool is_signed, int size, int count, IrRef v)
{
    int bits = 8 << size;

    if (count == bits && !is_signed) {
        return arm_vzero(ctx);
    }
    return arm_v2(ctx, is_signed ? IR_vsar : IR_vshr, (unsigned)size, v, ir_i32(ctx->b, (uint32_t)(count == bits ? bits - 1 : count)));
}

static void shift_put(TransCtx *ctx, ArgsVsh *a, IrRef v) { arm_put_v(ctx, a->d, a->q, a->scalar, shift_size(a->sh), v); }

static IrRef shifted(TransCtx *ctx, ArgsVsh *a, bool is_signed)
{
    return right(ctx, is_signed, shift_size(a->sh), shift_right(a->sh), arm_v(ctx, a->n));
}

static void accumulate(TransCtx *ctx, ArgsVsh *a, bool is_signed)
{
    shift_put(ctx, a, arm_v2(ctx, IR_vadd, (unsigned)shift_size(a->sh), arm_v(ctx, a->d), shifted(ctx, a, is_signed)));
}

void arm_trans_v_sshr_imm(TransCtx *ctx, ArgsVsh *a) { shift_put(ctx, a, shifted(ctx, a, true)); }
void arm_trans_v_ushr_imm(TransCtx *ctx, ArgsVsh *a) { shift_put(ctx, a, shifted(ctx, a, false)); }
void arm_trans_v_ssra_imm(TransCtx *ctx, ArgsVsh *a) { accumulate(ctx, a, true); }
void arm_trans_v_usra_imm(TransCtx *ctx, ArgsVsh *a) { accumulate(ctx, a, false); }

void arm_trans_v_shl_imm(TransCtx *ctx, ArgsVsh *a)
{
    IrRef count = ir_i32(ctx->b, (uint32_t)shift_left(a->sh));

    shift_put(ctx, a, arm_v2(ctx, IR_vshl, (unsigned)shift_size(a->sh), arm_v(ctx, a->n), count));
}

/* SSHLL and USHLL; q: of the upper half. */
static void widen_left(TransCtx *ctx, ArgsVsh *a, bool is_signed)
{
    int size = shift_size(a->sh);
    IrRef v = arm_v(ctx, a->n);

    if (a->q) {
        v = ir_emit(ctx->b, IR_vshr_bytes, IR_V128, 8, v, IR_NONE, IR_NONE);
    }
    v = ir_emit(ctx->b, is_signed ? IR_vwiden_s : IR_vwiden_u, IR_V128, (unsigned)size | (unsigned)(size + 1) << 4, v, IR_NONE, IR_NONE);
    v = arm_v2(ctx, IR_vshl, (unsigned)size + 1, v, ir_i32(ctx->b, (uint32_t)shift_left(a->sh)));
    arm_put_low(ctx, a->d, 4, v);
}

void arm_trans_v_sshll_imm(TransCtx *ctx, ArgsVsh *a) { widen_left(ctx, a, true); }
void arm_trans_v_ushll_imm(TransCtx *ctx, ArgsVsh *a) { widen_left(ctx, a, false); }
