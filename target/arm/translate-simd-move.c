/*
 * translate-simd-move.c: Advanced SIMD immediates and copies between lanes and general registers (Arm ARM C7.2, DUP, INS,
 * MOVI, SMOV, UMOV…; the immediate by AdvSIMDExpandImm).
 */
#include "target/arm/translate-simd.h"

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

static IrRef immediate(TransCtx *ctx, ArgsVmi *a)
{
    return arm_vall(ctx, 3, expand((unsigned)a->op, (unsigned)a->cmode, (uint64_t)a->imm8));
}

/* MOVI, MVNI, FMOV. */
void arm_trans_v_mov_imm(TransCtx *ctx, ArgsVmi *a)
{
    uint64_t x = expand((unsigned)a->op, (unsigned)a->cmode, (uint64_t)a->imm8);

    x = a->op && a->cmode < 14 ? ~x : x;
    ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d, arm_vconst(ctx, x, a->q ? x : 0));
}

void arm_trans_v_orr_imm(TransCtx *ctx, ArgsVmi *a)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_v2(ctx, IR_vor, 0, arm_v(ctx, a->d), immediate(ctx, a)));
}

void arm_trans_v_bic_imm(TransCtx *ctx, ArgsVmi *a)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_v2(ctx, IR_vandn, 0, arm_v(ctx, a->d), immediate(ctx, a)));
}

/* -- copies: imm5 is the lane's index above a one that tells its size --------------------------- */

static int copy_size(int imm5) { return __builtin_ctz((unsigned)imm5); }
static unsigned copy_lane(int imm5) { return (unsigned)imm5 >> (copy_size(imm5) + 1); }

static IrRef source_lane(TransCtx *ctx, ArgsVcp *a)
{
    return arm_lane(ctx, arm_v(ctx, a->n), copy_size(a->imm5), copy_lane(a->imm5));
}

/* In every lane what is in one of v. */
IrRef arm_vdup_lane(TransCtx *ctx, int size, unsigned lane, IrRef v)
{
    switch (size) {
    case 3: return arm_v1(ctx, IR_vperm32, lane ? 0xee : 0x44, v);
    case 2: return arm_v1(ctx, IR_vperm32, lane * 0x55, v);
    default: return arm_v2(ctx, IR_vtbl, 0, v, arm_vall(ctx, size, size ? lane * 0x202 + 0x100 : lane));
    }
}

void arm_trans_v_dup_lane(TransCtx *ctx, ArgsVcp *a)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_vdup_lane(ctx, copy_size(a->imm5), copy_lane(a->imm5), arm_v(ctx, a->n)));
}

void arm_trans_v_dup_x(TransCtx *ctx, ArgsVcp *a)
{
    arm_put_v(ctx, a->d, a->q, 0, 0, arm_dup(ctx, copy_size(a->imm5), arm_x(ctx, (unsigned)a->n)));
}

void arm_trans_v_dup_scalar(TransCtx *ctx, ArgsVcp *a)
{
    int size = copy_size(a->imm5);
    unsigned bytes = copy_lane(a->imm5) << size;
    IrRef v = arm_v(ctx, a->n);

    arm_put_low(ctx, a->d, size, bytes ? arm_v1(ctx, IR_vshr_bytes, bytes, v) : v);
}

void arm_trans_v_ins_x(TransCtx *ctx, ArgsVcp *a)
{
    unsigned aux = (unsigned)copy_size(a->imm5) | copy_lane(a->imm5) << 4;

    arm_put_low(ctx, a->d, 4, arm_v2(ctx, IR_vset_lane, aux, arm_v(ctx, a->d), arm_x(ctx, (unsigned)a->n)));
}

/* The source's index is imm4 without the bits below the lane size. */
void arm_trans_v_ins_lane(TransCtx *ctx, ArgsVcp *a)
{
    int size = copy_size(a->imm5);
    unsigned to = copy_lane(a->imm5), from = (unsigned)a->imm4 >> size;
    IrRef d = arm_v(ctx, a->d), n = arm_v(ctx, a->n);

    n = from == to ? n : arm_vdup_lane(ctx, size, from, n);
    if (size) {
        d = arm_v2(ctx, IR_vblend, (unsigned)size | 1u << to << 4, d, n);
    } else {
        uint64_t mask = 0xffull << to % 8 * 8;

        d = arm_select_bits(ctx, arm_vconst(ctx, to < 8 ? mask : 0, to < 8 ? 0 : mask), n, d);
    }
    arm_put_low(ctx, a->d, 4, d);
}

void arm_trans_v_umov(TransCtx *ctx, ArgsVcp *a) { arm_set_x(ctx, (unsigned)a->d, source_lane(ctx, a)); }

void arm_trans_v_smov(TransCtx *ctx, ArgsVcp *a)
{
    static const uint16_t sext[] = { IR_sext8, IR_sext16, IR_sext32 };
    IrRef x = ir_op1(ctx->b, (IrOp)sext[copy_size(a->imm5)], IR_I64, source_lane(ctx, a));

    arm_set_x(ctx, (unsigned)a->d, a->q ? x : ir_op1(ctx->b, IR_zext32, IR_I64, x));
}
