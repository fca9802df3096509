/*
 * translate-int.c: data processing on general registers (Arm ARM DDI 0487, C4.1.93 and C4.1.95).
 *
 * 32-bit forms work on I32 values; their results are zero-extended into the register.
 */
#include "target/arm/translate.h"

/* -- addition and subtraction ----------------------------------------------------------------------- */

/* x and y are of the operation's width. */
static void add_sub(TransCtx *ctx, int sf, unsigned rd, IrRef x, IrRef y, bool sub, bool flags, bool to_sp)
{
    IrRef r = ir_op2(ctx->b, sub ? IR_sub : IR_add, arm_type(sf), x, y);

    if (flags) {
        ArmCc rule = sub ? sf ? ARM_CC_SUB64 : ARM_CC_SUB32 : sf ? ARM_CC_ADD64 : ARM_CC_ADD32;
        arm_cc_set(ctx, rule, sf ? x : arm_low_half(ctx, x), sf ? y : arm_low_half(ctx, y));
    }
    to_sp ? arm_set_rsp(ctx, sf, rd, r) : arm_set_r(ctx, sf, rd, r);
}

static void add_sub_imm(TransCtx *ctx, const ArmArgsAddsub *a, bool sub, bool flags)
{
    IrRef imm = ir_const(ctx->b, arm_type(a->sf), (uint64_t)a->imm << (a->sh ? 12 : 0));
    add_sub(ctx, a->sf, a->rd, arm_rsp(ctx, a->sf, a->rn), imm, sub, flags, !flags);
}

void arm_trans_add_imm(TransCtx *ctx, const ArmArgsAddsub *a) { add_sub_imm(ctx, a, false, false); }
void arm_trans_adds_imm(TransCtx *ctx, const ArmArgsAddsub *a) { add_sub_imm(ctx, a, false, true); }
void arm_trans_sub_imm(TransCtx *ctx, const ArmArgsAddsub *a) { add_sub_imm(ctx, a, true, false); }
void arm_trans_subs_imm(TransCtx *ctx, const ArmArgsAddsub *a) { add_sub_imm(ctx, a, true, true); }

/* ShiftReg; IR_NONE after arm_undefined(). */
static IrRef shifted(TransCtx *ctx, const ArmArgsShifted *a)
{
    static const IrOp op[4] = { IR_shl, IR_shr, IR_sar, IR_rotr };
    if (!a->sf && a->imm >= 32) {
        arm_undefined(ctx);
        return IR_NONE;
    }
    IrRef v = arm_r(ctx, a->sf, a->rm);
    return a->imm ? ir_op2_imm(ctx->b, op[a->shift], arm_type(a->sf), v, a->imm) : v;
}

static void add_sub_shifted(TransCtx *ctx, const ArmArgsShifted *a, bool sub, bool flags)
{
    if (a->shift == 3) {
        arm_undefined(ctx);
        return;
    }
    IrRef y = shifted(ctx, a);
    if (y != IR_NONE) {
        add_sub(ctx, a->sf, a->rd, arm_r(ctx, a->sf, a->rn), y, sub, flags, false);
    }
}

void arm_trans_add(TransCtx *ctx, const ArmArgsShifted *a) { add_sub_shifted(ctx, a, false, false); }
void arm_trans_adds(TransCtx *ctx, const ArmArgsShifted *a) { add_sub_shifted(ctx, a, false, true); }
void arm_trans_sub(TransCtx *ctx, const ArmArgsShifted *a) { add_sub_shifted(ctx, a, true, false); }
void arm_trans_subs(TransCtx *ctx, const ArmArgsShifted *a) { add_sub_shifted(ctx, a, true, true); }

IrRef arm_extend_reg(TransCtx *ctx, unsigned n, unsigned option, unsigned shift)
{
    static const IrOp op[8] = { IR_zext8, IR_zext16, IR_zext32, IR_nop, IR_sext8, IR_sext16, IR_sext32, IR_nop };
    IrRef v = arm_x(ctx, n);

    if (op[option] != IR_nop) {
        v = ir_op1(ctx->b, op[option], IR_I64, v);
    }
    return shift ? ir_op2_imm(ctx->b, IR_shl, IR_I64, v, shift) : v;
}

static void add_sub_ext(TransCtx *ctx, const ArmArgsExt *a, bool sub, bool flags)
{
    if (a->imm > 4) {
        arm_undefined(ctx);
        return;
    }
    IrRef y = arm_narrow(ctx, a->sf, arm_extend_reg(ctx, a->rm, a->option, a->imm));
    add_sub(ctx, a->sf, a->rd, arm_rsp(ctx, a->sf, a->rn), y, sub, flags, !flags);
}

void arm_trans_add_ext(TransCtx *ctx, const ArmArgsExt *a) { add_sub_ext(ctx, a, false, false); }
void arm_trans_adds_ext(TransCtx *ctx, const ArmArgsExt *a) { add_sub_ext(ctx, a, false, true); }
void arm_trans_sub_ext(TransCtx *ctx, const ArmArgsExt *a) { add_sub_ext(ctx, a, true, false); }
void arm_trans_subs_ext(TransCtx *ctx, const ArmArgsExt *a) { add_sub_ext(ctx, a, true, true); }

static void add_carry(TransCtx *ctx, const ArmArgsR *a, bool sub, bool flags)
{
    arm_set_r(ctx, a->sf, a->rd, arm_add_with_carry(ctx, a->sf, arm_r(ctx, a->sf, a->rn), arm_r(ctx, a->sf, a->rm), sub, flags));
}

void arm_trans_adc(TransCtx *ctx, const ArmArgsR *a) { add_carry(ctx, a, false, false); }
void arm_trans_adcs(TransCtx *ctx, const ArmArgsR *a) { add_carry(ctx, a, false, true); }
void arm_trans_sbc(TransCtx *ctx, const ArmArgsR *a) { add_carry(ctx, a, true, false); }
void arm_trans_sbcs(TransCtx *ctx, const ArmArgsR *a) { add_carry(ctx, a, true, true); }

/* -- logic --------------------------------------------------------------------------------------------- */

bool arm_bit_masks(unsigned n, unsigned imms, unsigned immr, bool immediate, uint64_t *ret_wmask, uint64_t *ret_tmask)
{
    unsigned combined = n << 6 | (~imms & 63), len = 6;

    while (len && !(combined >> len & 1)) {
        len--;
    }
    if (!len) {
        return false;
    }
    unsigned size = 1u << len, levels = size - 1, s = imms & levels, r = immr & levels, d = (s - r) & levels;
    if (immediate && s == levels) {
        return false;
    }
    uint64_t all = bits_mask(0, size), w = bits_mask(0, s + 1), t = bits_mask(0, d + 1);
    w = r ? (w >> r | w << (size - r)) & all : w;
    for (unsigned at = size; at < 64; at *= 2) {
        w |= w << at;
        t |= t << at;
    }
    *ret_wmask = w;
    *ret_tmask = t;
    return true;
}

static void logic(TransCtx *ctx, int sf, unsigned rd, IrOp op, IrRef x, IrRef y, bool flags, bool to_sp)
{
    IrRef r = ir_op2(ctx->b, op, arm_type(sf), x, y);

    if (flags) {
        arm_cc_set(ctx, sf ? ARM_CC_LOGIC64 : ARM_CC_LOGIC32, sf ? r : arm_low_half(ctx, r), IR_NONE);
    }
    to_sp ? arm_set_rsp(ctx, sf, rd, r) : arm_set_r(ctx, sf, rd, r);
}

static void logic_imm(TransCtx *ctx, const ArmArgsLogimm *a, IrOp op, bool flags)
{
    uint64_t mask, unused;

    if ((!a->sf && a->n) || !arm_bit_masks(a->n, a->imms, a->immr, true, &mask, &unused)) {
        arm_undefined(ctx);
        return;
    }
    IrRef y = ir_const(ctx->b, arm_type(a->sf), a->sf ? mask : (uint32_t)mask);
    logic(ctx, a->sf, a->rd, op, arm_r(ctx, a->sf, a->rn), y, flags, !flags);
}

void arm_trans_and_imm(TransCtx *ctx, const ArmArgsLogimm *a) { logic_imm(ctx, a, IR_and, false); }
void arm_trans_orr_imm(TransCtx *ctx, const ArmArgsLogimm *a) { logic_imm(ctx, a, IR_or, false); }
void arm_trans_eor_imm(TransCtx *ctx, const ArmArgsLogimm *a) { logic_imm(ctx, a, IR_xor, false); }
void arm_trans_ands_imm(TransCtx *ctx, const ArmArgsLogimm *a) { logic_imm(ctx, a, IR_and, true); }

static void logic_shifted(TransCtx *ctx, const ArmArgsShifted *a, IrOp op, bool flags)
{
    IrRef y = shifted(ctx, a);
    if (y != IR_NONE) {
        logic(ctx, a->sf, a->rd, op, arm_r(ctx, a->sf, a->rn), y, flags, false);
    }
}

void arm_trans_and(TransCtx *ctx, const ArmArgsShifted *a) { logic_shifted(ctx, a, IR_and, false); }
void arm_trans_bic(TransCtx *ctx, const ArmArgsShifted *a) { logic_shifted(ctx, a, IR_andn, false); }
void arm_trans_orr(TransCtx *ctx, const ArmArgsShifted *a) { logic_shifted(ctx, a, IR_or, false); }
void arm_trans_orn(TransCtx *ctx, const ArmArgsShifted *a) { logic_shifted(ctx, a, IR_orn, false); }
void arm_trans_eor(TransCtx *ctx, const ArmArgsShifted *a) { logic_shifted(ctx, a, IR_xor, false); }
void arm_trans_eon(TransCtx *ctx, const ArmArgsShifted *a) { logic_shifted(ctx, a, IR_xnor, false); }
void arm_trans_ands(TransCtx *ctx, const ArmArgsShifted *a) { logic_shifted(ctx, a, IR_and, true); }
void arm_trans_bics(TransCtx *ctx, const ArmArgsShifted *a) { logic_shifted(ctx, a, IR_andn, true); }

/* -- moves, addresses, bit fields ------------------------------------------------------------------------ */

void arm_trans_adr(TransCtx *ctx, const ArmArgsAdr *a)
{
    arm_set_x(ctx, a->rd, ir_i64(ctx->b, ctx->pc + (int64_t)a->imm));
}

void arm_trans_adrp(TransCtx *ctx, const ArmArgsAdr *a)
{
    arm_set_x(ctx, a->rd, ir_i64(ctx->b, (ctx->pc & ~(vaddr)0xfff) + (uint64_t)a->imm * 4096));
}

static void mov_wide(TransCtx *ctx, const ArmArgsMov *a, bool invert, bool keep)
{
    unsigned at = 16 * (unsigned)a->hw;
    uint64_t v = (uint64_t)a->imm << at;

    if (!a->sf && at >= 32) {
        arm_undefined(ctx);
        return;
    }
    IrType type = arm_type(a->sf);
    IrRef r = ir_const(ctx->b, type, invert ? a->sf ? ~v : (uint32_t)~v : v);
    if (keep) {
        r = ir_emit(ctx->b, IR_bfi, type, at | 16 << 8, arm_r(ctx, a->sf, a->rd), ir_const(ctx->b, type, (uint64_t)a->imm), IR_NONE);
    }
    arm_set_r(ctx, a->sf, a->rd, r);
}

void arm_trans_movn(TransCtx *ctx, const ArmArgsMov *a) { mov_wide(ctx, a, true, false); }
void arm_trans_movz(TransCtx *ctx, const ArmArgsMov *a) { mov_wide(ctx, a, false, false); }
void arm_trans_movk(TransCtx *ctx, const ArmArgsMov *a) { mov_wide(ctx, a, false, true); }

static bool bitfield_valid(TransCtx *ctx, const ArmArgsLogimm *a)
{
    bool ok = a->n == a->sf && (a->sf || (a->immr < 32 && a->imms < 32));
    if (!ok) {
        arm_undefined(ctx);
    }
    return ok;
}

/* SBFM and UBFM: a field moved down to bit 0, or the low bits moved up. */
static void bitfield(TransCtx *ctx, const ArmArgsLogimm *a, bool is_signed)
{
    unsigned width = a->sf ? 64 : 32, r = (unsigned)a->immr, s = (unsigned)a->imms;
    IrType type = arm_type(a->sf);

    if (!bitfield_valid(ctx, a)) {
        return;
    }
    IrRef x = arm_r(ctx, a->sf, a->rn);
    if (s == width - 1) {
        x = r ? ir_op2_imm(ctx->b, is_signed ? IR_sar : IR_shr, type, x, r) : x;
    } else {
        unsigned at = s >= r ? r : 0, n = s >= r ? s - r + 1 : s + 1;
        x = ir_emit(ctx->b, is_signed ? IR_bfxs : IR_bfx, type, at | n << 8, x, IR_NONE, IR_NONE);
        x = s >= r ? x : ir_op2_imm(ctx->b, IR_shl, type, x, width - r);
    }
    arm_set_r(ctx, a->sf, a->rd, x);
}

void arm_trans_sbfm(TransCtx *ctx, const ArmArgsLogimm *a) { bitfield(ctx, a, true); }
void arm_trans_ubfm(TransCtx *ctx, const ArmArgsLogimm *a) { bitfield(ctx, a, false); }

void arm_trans_bfm(TransCtx *ctx, const ArmArgsLogimm *a)
{
    unsigned width = a->sf ? 64 : 32, r = (unsigned)a->immr, s = (unsigned)a->imms;
    IrType type = arm_type(a->sf);

    if (!bitfield_valid(ctx, a)) {
        return;
    }
    unsigned at = s >= r ? 0 : width - r, n = s >= r ? s - r + 1 : s + 1;
    IrRef x = arm_r(ctx, a->sf, a->rn);
    if (s >= r && r) {
        x = ir_op2_imm(ctx->b, IR_shr, type, x, r);
    }
    if (n < width) {
        x = ir_emit(ctx->b, IR_bfi, type, at | n << 8, arm_r(ctx, a->sf, a->rd), x, IR_NONE);
    }
    arm_set_r(ctx, a->sf, a->rd, x);
}

void arm_trans_extr(TransCtx *ctx, const ArmArgsR4 *a)
{
    unsigned width = a->sf ? 64 : 32, lsb = (unsigned)a->ra;
    IrType type = arm_type(a->sf);

    if (bits_get(ctx->data[ARM_DATA_INSN], 22, 1) != (unsigned)a->sf || lsb >= width) {
        arm_undefined(ctx);
        return;
    }
    IrRef low = arm_r(ctx, a->sf, a->rm);
    if (lsb && a->rn == a->rm) {
        low = ir_op2_imm(ctx->b, IR_rotr, type, low, lsb);
    } else if (lsb) {
        low = ir_op2(ctx->b, IR_or, type, ir_op2_imm(ctx->b, IR_shr, type, low, lsb),
                     ir_op2_imm(ctx->b, IR_shl, type, arm_r(ctx, a->sf, a->rn), width - lsb));
    }
    arm_set_r(ctx, a->sf, a->rd, low);
}

/* -- one and two sources ------------------------------------------------------------------------------------ */

static void two(TransCtx *ctx, const ArmArgsR *a, IrOp op)
{
    arm_set_r(ctx, a->sf, a->rd, ir_op2(ctx->b, op, arm_type(a->sf), arm_r(ctx, a->sf, a->rn), arm_r(ctx, a->sf, a->rm)));
}

/* Division by zero gives zero. */
static void divide(TransCtx *ctx, const ArmArgsR *a, IrOp op)
{
    IrType type = arm_type(a->sf);
    IrRef y = arm_r(ctx, a->sf, a->rm), q = ir_op2(ctx->b, op, type, arm_r(ctx, a->sf, a->rn), y);
    arm_set_r(ctx, a->sf, a->rd, ir_select(ctx->b, type, y, q, ir_const(ctx->b, type, 0)));
}

void arm_trans_udiv(TransCtx *ctx, const ArmArgsR *a) { divide(ctx, a, IR_divu); }
void arm_trans_sdiv(TransCtx *ctx, const ArmArgsR *a) { divide(ctx, a, IR_divs); }
void arm_trans_lslv(TransCtx *ctx, const ArmArgsR *a) { two(ctx, a, IR_shl); }
void arm_trans_lsrv(TransCtx *ctx, const ArmArgsR *a) { two(ctx, a, IR_shr); }
void arm_trans_asrv(TransCtx *ctx, const ArmArgsR *a) { two(ctx, a, IR_sar); }
void arm_trans_rorv(TransCtx *ctx, const ArmArgsR *a) { two(ctx, a, IR_rotr); }
void arm_trans_smulh(TransCtx *ctx, const ArmArgsR *a) { two(ctx, a, IR_mulhs); }
void arm_trans_umulh(TransCtx *ctx, const ArmArgsR *a) { two(ctx, a, IR_mulhu); }

static void one(TransCtx *ctx, const ArmArgsR1 *a, IrOp op)
{
    arm_set_r(ctx, a->sf, a->rd, ir_op1(ctx->b, op, arm_type(a->sf), arm_r(ctx, a->sf, a->rn)));
}

void arm_trans_clz(TransCtx *ctx, const ArmArgsR1 *a) { one(ctx, a, IR_clz); }
void arm_trans_rev_w(TransCtx *ctx, const ArmArgsR1 *a) { one(ctx, a, IR_bswap); }
void arm_trans_rev_x(TransCtx *ctx, const ArmArgsR1 *a) { one(ctx, a, IR_bswap); }

void arm_trans_rbit(TransCtx *ctx, const ArmArgsR1 *a)
{
    IrType type = arm_type(a->sf);
    arm_set_r(ctx, a->sf, a->rd, ir_op1(ctx->b, IR_brev8, type, ir_op1(ctx->b, IR_bswap, type, arm_r(ctx, a->sf, a->rn))));
}

void arm_trans_rev16(TransCtx *ctx, const ArmArgsR1 *a)
{
    IrType type = arm_type(a->sf);
    uint64_t low = a->sf ? 0x00ff00ff00ff00ff : 0x00ff00ff;
    IrRef x = arm_r(ctx, a->sf, a->rn);
    IrRef up = ir_op2_imm(ctx->b, IR_shl, type, ir_op2_imm(ctx->b, IR_and, type, x, low), 8);
    IrRef down = ir_op2_imm(ctx->b, IR_and, type, ir_op2_imm(ctx->b, IR_shr, type, x, 8), low);
    arm_set_r(ctx, a->sf, a->rd, ir_op2(ctx->b, IR_or, type, up, down));
}

void arm_trans_rev32(TransCtx *ctx, const ArmArgsR1 *a)
{
    arm_set_x(ctx, a->rd, ir_op2_imm(ctx->b, IR_rotr, IR_I64, ir_op1(ctx->b, IR_bswap, IR_I64, arm_x(ctx, a->rn)), 32));
}

/* x ^ (x >> 1) has a one where the run of sign bits ends; its top bit is zero and not counted. */
void arm_trans_cls(TransCtx *ctx, const ArmArgsR1 *a)
{
    IrType type = arm_type(a->sf);
    IrRef x = arm_r(ctx, a->sf, a->rn);
    IrRef edges = ir_op2(ctx->b, IR_xor, type, x, ir_op2_imm(ctx->b, IR_sar, type, x, 1));
    arm_set_r(ctx, a->sf, a->rd, ir_op2(ctx->b, IR_sub, type, ir_op1(ctx->b, IR_clz, type, edges), ir_const(ctx->b, type, 1)));
}

static void mul_add(TransCtx *ctx, const ArmArgsR4 *a, bool sub)
{
    IrType type = arm_type(a->sf);
    IrRef product = ir_op2(ctx->b, IR_mul, type, arm_r(ctx, a->sf, a->rn), arm_r(ctx, a->sf, a->rm));
    arm_set_r(ctx, a->sf, a->rd, ir_op2(ctx->b, sub ? IR_sub : IR_add, type, arm_r(ctx, a->sf, a->ra), product));
}

void arm_trans_madd(TransCtx *ctx, const ArmArgsR4 *a) { mul_add(ctx, a, false); }
void arm_trans_msub(TransCtx *ctx, const ArmArgsR4 *a) { mul_add(ctx, a, true); }

static void mul_add_long(TransCtx *ctx, const ArmArgsR4 *a, IrOp extend, bool sub)
{
    IrRef x = ir_op1(ctx->b, extend, IR_I64, arm_x(ctx, a->rn)), y = ir_op1(ctx->b, extend, IR_I64, arm_x(ctx, a->rm));
    IrRef product = ir_op2(ctx->b, IR_mul, IR_I64, x, y);
    arm_set_x(ctx, a->rd, ir_op2(ctx->b, sub ? IR_sub : IR_add, IR_I64, arm_x(ctx, a->ra), product));
}

void arm_trans_smaddl(TransCtx *ctx, const ArmArgsR4 *a) { mul_add_long(ctx, a, IR_sext32, false); }
void arm_trans_smsubl(TransCtx *ctx, const ArmArgsR4 *a) { mul_add_long(ctx, a, IR_sext32, true); }
void arm_trans_umaddl(TransCtx *ctx, const ArmArgsR4 *a) { mul_add_long(ctx, a, IR_zext32, false); }
void arm_trans_umsubl(TransCtx *ctx, const ArmArgsR4 *a) { mul_add_long(ctx, a, IR_zext32, true); }

/* -- conditional -------------------------------------------------------------------------------------------- */

static void cond_select(TransCtx *ctx, const ArmArgsCsel *a, IrOp other_op)
{
    IrType type = arm_type(a->sf);
    ArmCondRef c = arm_cond(ctx, (unsigned)a->cond);
    IrRef other = arm_r(ctx, a->sf, a->rm);

    if (other_op == IR_add) {
        other = ir_op2(ctx->b, IR_add, type, other, ir_const(ctx->b, type, 1));
    } else if (other_op != IR_nop) {
        other = ir_op1(ctx->b, other_op, type, other);
    }
    IrRef holds = ir_setcond(ctx->b, IR_I32, c.cond, c.a, c.b);
    arm_set_r(ctx, a->sf, a->rd, ir_select(ctx->b, type, holds, arm_r(ctx, a->sf, a->rn), other));
}

void arm_trans_csel(TransCtx *ctx, const ArmArgsCsel *a) { cond_select(ctx, a, IR_nop); }
void arm_trans_csinc(TransCtx *ctx, const ArmArgsCsel *a) { cond_select(ctx, a, IR_add); }
void arm_trans_csinv(TransCtx *ctx, const ArmArgsCsel *a) { cond_select(ctx, a, IR_not); }
void arm_trans_csneg(TransCtx *ctx, const ArmArgsCsel *a) { cond_select(ctx, a, IR_neg); }

static void cond_compare(TransCtx *ctx, const ArmArgsCcmp *a, IrRef y, bool sub)
{
    IrBuilder *b = ctx->b;
    ArmCc rule = sub ? a->sf ? ARM_CC_SUB64 : ARM_CC_SUB32 : a->sf ? ARM_CC_ADD64 : ARM_CC_ADD32;
    ArmCondRef c = arm_cond(ctx, (unsigned)a->cond);
    IrRef holds = ir_setcond(b, IR_I32, c.cond, c.a, c.b);
    uint64_t min = BIT(a->sf ? 63 : 31), ones = ~(uint64_t)0;
    /* Differences with the flags the instruction names, so that the rule stays that of a comparison. */
    const struct { bool possible; uint64_t x, y; } other[16] = {
        [0] = { true, 1, ones }, [ARM_N] = { true, 0, 1 }, [ARM_C] = { true, 2, 1 }, [ARM_N | ARM_C] = { true, ones, 1 },
        [ARM_Z | ARM_C] = { true, 0, 0 }, [ARM_C | ARM_V] = { true, min, 1 }, [ARM_N | ARM_V] = { true, min - 1, ones },
    };
    IrRef x = arm_x(ctx, a->rn);

    if (sub && other[a->nzcv].possible) {
        arm_cc_set(ctx, rule, ir_select(b, IR_I64, holds, x, ir_i64(b, other[a->nzcv].x)),
                   ir_select(b, IR_I64, holds, y, ir_i64(b, other[a->nzcv].y)));
        return;
    }
    if (sub && a->nzcv == ARM_Z) { /* no difference has that */
        arm_cc_set_sub_or_nc(ctx, rule, holds, ir_select(b, IR_I64, holds, x, ir_i64(b, 0)), ir_select(b, IR_I64, holds, y, ir_i64(b, 0)));
        return;
    }
    IrRef flags = ir_call(b, ARM_HELPER_cc_flags, 3, (IrRef[]){ x, y, ir_i32(b, rule) });
    arm_cc_set(ctx, ARM_CC_FLAGS, ir_select(b, IR_I64, holds, flags, ir_i64(b, (uint64_t)a->nzcv << 28)), IR_NONE);
}

void arm_trans_ccmn(TransCtx *ctx, const ArmArgsCcmp *a) { cond_compare(ctx, a, arm_x(ctx, a->rm), false); }
void arm_trans_ccmp(TransCtx *ctx, const ArmArgsCcmp *a) { cond_compare(ctx, a, arm_x(ctx, a->rm), true); }
void arm_trans_ccmn_imm(TransCtx *ctx, const ArmArgsCcmp *a)
{
    if (a->rm) { /* adding and taking the negative away give the same flags, but for zero */
        cond_compare(ctx, a, ir_i64(ctx->b, a->sf ? -(uint64_t)a->rm : -(uint32_t)a->rm), true);
    } else {
        cond_compare(ctx, a, ir_i64(ctx->b, 0), false);
    }
}
void arm_trans_ccmp_imm(TransCtx *ctx, const ArmArgsCcmp *a) { cond_compare(ctx, a, ir_i64(ctx->b, (uint64_t)a->rm), true); }
