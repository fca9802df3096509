/*
 * translate-a32-dp.c: data processing of A32 and T32 (Arm ARM DDI 0487, F2.2, F5.1), bit fields, extensions, reversals.
 */
#include "target/arm/a32.h"
#include "target/arm/flags.h"

enum { AND, EOR, SUB, RSB, ADD, ADC, SBC, RSC, TST, TEQ, CMP, CMN, ORR, MOV, BIC, MVN, ORN };

/* -- flags ------------------------------------------------------------------------------------------------ */

/* The rule of the flags if it is known, else -1. */
static int known_rule(TransCtx *ctx)
{
    IrRef op = ir_get(ctx->b, ARM_SLOT_CC_OP);
    return ir_is_const(ctx->b->unit, op) ? (int)ir_insn(ctx->b->unit, op)->imm : -1;
}

/* Of a + y + in, a and y I64 with 32 bits: C and V in bits 29 and 28. */
static IrRef sum_flags(TransCtx *ctx, IrRef a, IrRef y, IrRef in)
{
    IrBuilder *b = ctx->b;
    IrRef sum = ir_op2(b, IR_add, IR_I64, ir_op2(b, IR_add, IR_I64, a, y), in);
    IrRef v = ir_op2(b, IR_and, IR_I64, ir_op2(b, IR_xor, IR_I64, a, sum), ir_op2(b, IR_xor, IR_I64, y, sum));
    IrRef c = ir_op2_imm(b, IR_and, IR_I64, ir_op2_imm(b, IR_shr, IR_I64, sum, 3), (uint64_t)ARM_C << 28);
    return ir_op2(b, IR_or, IR_I64, c, ir_op2_imm(b, IR_and, IR_I64, ir_op2_imm(b, IR_shr, IR_I64, v, 3), (uint64_t)ARM_V << 28));
}

/*
 * C and V in bits 29 and 28 of an I64, the others zero. Logical instructions keep them, which T32's 16-bit forms are all the time: so without a call.
 * AArch32 has four rules; what has another comes from AArch64's instructions, and an exception return has made flags of it.
 */
static IrRef carry_and_overflow(TransCtx *ctx)
{
    IrBuilder *b = ctx->b;
    IrRef op = ir_get(b, ARM_SLOT_CC_OP), x = ir_get(b, ARM_SLOT_CC_A), y = ir_get(b, ARM_SLOT_CC_B);
    const uint64_t cv = (uint64_t)(ARM_C | ARM_V) << 28;

    static_assert(ARM_CC_FLAGS == 0 && ARM_CC_ADD32 == 1 && ARM_CC_SUB32 == 3 && ARM_CC_NZ32 == 10, "odd rules are sums and differences");
    if (known_rule(ctx) == ARM_CC_NZ32) {
        return y;
    }
    if (known_rule(ctx) == ARM_CC_FLAGS) {
        return ir_op2_imm(b, IR_and, IR_I64, x, cv);
    }
    x = ir_op1(b, IR_zext32, IR_I64, x);
    IrRef low = ir_op1(b, IR_zext32, IR_I64, y);
    if (known_rule(ctx) >= 0) {
        bool sub = known_rule(ctx) == ARM_CC_SUB32;
        return sum_flags(ctx, x, sub ? ir_op2_imm(b, IR_xor, IR_I64, low, UINT32_MAX) : low, ir_i64(b, sub));
    }
    IrRef sub = ir_setcond(b, IR_I64, IR_EQ, op, ir_i32(b, ARM_CC_SUB32));
    IrRef mask = ir_op1(b, IR_zext32, IR_I64, ir_op1(b, IR_neg, IR_I64, sub));
    IrRef sum = sum_flags(ctx, x, ir_op2(b, IR_xor, IR_I64, low, mask), sub);
    IrRef kept = ir_select(b, IR_I64, ir_setcond(b, IR_I32, IR_EQ, op, ir_i32(b, ARM_CC_NZ32)), y, x);
    return ir_select(b, IR_I64, ir_op2_imm(b, IR_and, IR_I32, op, 1), sum, ir_op2_imm(b, IR_and, IR_I64, kept, cv));
}

void a32_set_nzc(TransCtx *ctx, IrRef result, IrRef carry)
{
    IrBuilder *b = ctx->b;
    IrRef cv = carry_and_overflow(ctx);

    if (carry != IR_NONE) {
        IrRef c = ir_op2_imm(b, IR_shl, IR_I64, ir_op1(b, IR_ext_u, IR_I64, carry), 29);
        cv = ir_op2(b, IR_or, IR_I64, ir_op2_imm(b, IR_and, IR_I64, cv, (uint64_t)ARM_V << 28), c);
    }
    arm_cc_set(ctx, ARM_CC_NZ32, arm_low_half(ctx, result), cv);
}

static IrRef old_carry(TransCtx *ctx)
{
    return ir_op1(ctx->b, IR_trunc, IR_I32, arm_carry(ctx));
}

/* -- operands ----------------------------------------------------------------------------------------------- */

static IrRef bit(TransCtx *ctx, IrRef v, unsigned n)
{
    return ir_emit(ctx->b, IR_bfx, IR_I32, n | 1 << 8, v, IR_NONE, IR_NONE);
}

IrRef a32_shift_imm(TransCtx *ctx, IrRef v, unsigned typ, unsigned imm, IrRef *ret_carry)
{
    IrBuilder *b = ctx->b;
    IrRef unused, *carry = ret_carry ? ret_carry : &unused;
    bool wanted = ret_carry != NULL;

    *carry = IR_NONE;
    switch (typ) {
    case 0:
        if (!imm) {
            return v;
        }
        *carry = wanted ? bit(ctx, v, 32 - imm) : IR_NONE;
        return ir_op2_imm(b, IR_shl, IR_I32, v, imm);
    case 1:
        *carry = wanted ? bit(ctx, v, imm ? imm - 1 : 31) : IR_NONE;
        return imm ? ir_op2_imm(b, IR_shr, IR_I32, v, imm) : ir_i32(b, 0);
    case 2:
        *carry = wanted ? bit(ctx, v, imm ? imm - 1 : 31) : IR_NONE;
        return ir_op2_imm(b, IR_sar, IR_I32, v, imm ? imm : 31);
    default:
        if (!imm) { /* RRX */
            *carry = wanted ? bit(ctx, v, 0) : IR_NONE;
            IrRef top = ir_op2_imm(b, IR_shl, IR_I32, old_carry(ctx), 31);
            return ir_op2(b, IR_or, IR_I32, top, ir_op2_imm(b, IR_shr, IR_I32, v, 1));
        }
        *carry = wanted ? bit(ctx, v, imm - 1) : IR_NONE;
        return ir_op2_imm(b, IR_rotr, IR_I32, v, imm);
    }
}

/* By the low byte of a register. */
static IrRef shift_reg(TransCtx *ctx, IrRef v, unsigned typ, IrRef by, IrRef *ret_carry)
{
    static const IrOp op[4] = { IR_shl, IR_shr, IR_sar, IR_rotr };
    IrBuilder *b = ctx->b;
    IrRef n = ir_op1(b, IR_zext8, IR_I32, by), r;

    if (typ == 2) {
        r = ir_op2(b, IR_sar, IR_I32, v, ir_op2(b, IR_minu, IR_I32, n, ir_i32(b, 31)));
    } else if (typ == 3) {
        r = ir_op2(b, IR_rotr, IR_I32, v, n);
    } else {
        r = ir_select(b, IR_I32, ir_setcond(b, IR_I32, IR_LTU, n, ir_i32(b, 32)), ir_op2(b, op[typ], IR_I32, v, n), ir_i32(b, 0));
    }
    if (ret_carry) {
        IrRef c = ir_call(b, ARM_HELPER_a32_shift_carry, 4, (IrRef[]){ v, n, ir_i32(b, typ), old_carry(ctx) });
        *ret_carry = c;
    }
    return r;
}

/* A32ExpandImm_C, T32ExpandImm_C. *ret_carry: IR_NONE or a constant. */
static uint32_t expand_imm(TransCtx *ctx, const A32ArgsDpi *a, IrRef *ret_carry)
{
    uint32_t imm = (uint32_t)a->imm, v = imm & 0xff;
    unsigned rotate = 0;

    *ret_carry = IR_NONE;
    if (a->how == 2) {
        return imm;
    }
    if (a->how == 0) {
        rotate = imm >> 8 & 15 ? 2 * (imm >> 8) : 0;
    } else if (imm >> 10) {
        v = 0x80 | (imm & 0x7f);
        rotate = imm >> 7;
    } else {
        static const uint32_t repeat[4] = { 1, 0x00010001, 0x01000100, 0x01010101 };
        return v * repeat[imm >> 8];
    }
    if (rotate) {
        v = v >> rotate | v << (32 - rotate);
        *ret_carry = ir_i32(ctx->b, v >> 31);
    }
    return v;
}

/* -- operations ------------------------------------------------------------------------------------------------ */

/* T32's op numbers; register 15 makes other instructions of some (F3.1.6). */
static int t32_op(int op, unsigned rd, unsigned rn, bool s)
{
    bool compare = rd == A32_PC && s;

    switch (op) {
    case 0: return compare ? TST : AND;
    case 1: return BIC;
    case 2: return rn == A32_PC ? MOV : ORR;
    case 3: return rn == A32_PC ? MVN : ORN;
    case 4: return compare ? TEQ : EOR;
    case 8: return compare ? CMN : ADD;
    case 10: return ADC;
    case 11: return SBC;
    case 13: return compare ? CMP : SUB;
    default: return RSB;
    }
}

static IrRef add_sub(TransCtx *ctx, IrRef x, IrRef y, bool sub, bool flags)
{
    IrRef r = ir_op2(ctx->b, sub ? IR_sub : IR_add, IR_I32, x, y);

    if (flags) {
        arm_cc_set(ctx, sub ? ARM_CC_SUB32 : ARM_CC_ADD32, arm_low_half(ctx, x), arm_low_half(ctx, y));
    }
    return r;
}

static bool is_logical(int op) { return op < SUB || (op >= TST && op != CMP && op != CMN); }

static void operate(TransCtx *ctx, int op, bool s, unsigned rd, IrRef x, IrRef y, IrRef carry)
{
    IrBuilder *b = ctx->b;
    IrRef r = IR_NONE;
    bool returns = false;

    if (s && rd == A32_PC && !(op >= TST && op <= CMN)) {
        if (!ctx->vcpu->softmmu || !arm_el(ctx)) {
            a32_undefined(ctx);
            return;
        }
        returns = true; /* an exception return: the flags come with SPSR */
        s = false;
    }
    switch (op) {
    case AND: case TST: r = ir_op2(b, IR_and, IR_I32, x, y); break;
    case EOR: case TEQ: r = ir_op2(b, IR_xor, IR_I32, x, y); break;
    case SUB: case CMP: r = add_sub(ctx, x, y, true, s); break;
    case RSB: r = add_sub(ctx, y, x, true, s); break;
    case ADD: case CMN: r = add_sub(ctx, x, y, false, s); break;
    case ADC: r = arm_add_with_carry(ctx, false, x, y, false, s); break;
    case SBC: r = arm_add_with_carry(ctx, false, x, y, true, s); break;
    case RSC: r = arm_add_with_carry(ctx, false, y, x, true, s); break;
    case ORR: r = ir_op2(b, IR_or, IR_I32, x, y); break;
    case MOV: r = y; break;
    case BIC: r = ir_op2(b, IR_andn, IR_I32, x, y); break;
    case MVN: r = ir_op1(b, IR_not, IR_I32, y); break;
    case ORN: r = ir_op2(b, IR_orn, IR_I32, x, y); break;
    }
    if (s && is_logical(op)) {
        a32_set_nzc(ctx, r, carry);
    }
    if (returns) {
        a32_exception_return(ctx, r);
    } else if (!(op >= TST && op <= CMN)) {
        a32_set_r(ctx, rd, r);
    }
}

void a32_trans_dp_imm(TransCtx *ctx, const A32ArgsDpi *a)
{
    IrRef carry;
    bool s = a32_sets(ctx, a->s);
    int op = a->how == 1 ? t32_op(a->op, a->rd, a->rn, s) : a->op;
    IrRef y = ir_i32(ctx->b, expand_imm(ctx, a, &carry));

    /* ADR: the 16-bit form and additions of plain constants to register 15. */
    IrRef x = a->how == 2 && a->rn == A32_PC ? a32_base(ctx, A32_PC) : op == MOV || op == MVN ? y : a32_r(ctx, a->rn);
    operate(ctx, op, s, a->rd, x, y, carry);
}

void a32_trans_dp_reg(TransCtx *ctx, const A32ArgsDpr *a)
{
    IrRef carry = IR_NONE;
    bool s = a32_sets(ctx, a->s);
    int op = a->how == 1 ? t32_op(a->op, a->rd, a->rn, s) : a->op;
    IrRef y = a32_shift_imm(ctx, a32_r(ctx, a->rm), a->typ, a->imm, s && is_logical(op) ? &carry : NULL);

    operate(ctx, op, s, a->rd, op == MOV || op == MVN ? y : a32_r(ctx, a->rn), y, carry);
}

void a32_trans_dp_shift(TransCtx *ctx, const A32ArgsDprr *a)
{
    IrRef carry = IR_NONE;
    bool s = a32_sets(ctx, a->s);
    IrRef y = shift_reg(ctx, a32_r(ctx, a->rm), a->typ, a32_r(ctx, a->rs), s && is_logical(a->op) ? &carry : NULL);

    operate(ctx, a->op, s, a->rd, a->op == MOV || a->op == MVN ? y : a32_r(ctx, a->rn), y, carry);
}

void a32_trans_movw(TransCtx *ctx, const A32ArgsMovw *a)
{
    a32_put(ctx, a->rd, ir_i32(ctx->b, (uint32_t)a->imm));
}

void a32_trans_movt(TransCtx *ctx, const A32ArgsMovw *a)
{
    a32_put(ctx, a->rd, ir_emit(ctx->b, IR_bfi, IR_I32, 16 | 16 << 8, a32_r(ctx, a->rd), ir_i32(ctx->b, (uint32_t)a->imm), IR_NONE));
}

/* -- bit fields, extensions, reversals ----------------------------------------------------------------------------- */

static void field(TransCtx *ctx, const A32ArgsBf *a, IrOp op)
{
    unsigned n = (unsigned)a->width + 1;

    if ((unsigned)a->lsb + n > 32) {
        a32_undefined(ctx); /* unpredictable */
        return;
    }
    a32_put(ctx, a->rd, n == 32 ? a32_r(ctx, a->rn) : ir_emit(ctx->b, op, IR_I32, (unsigned)a->lsb | n << 8, a32_r(ctx, a->rn), IR_NONE, IR_NONE));
}

void a32_trans_sbfx(TransCtx *ctx, const A32ArgsBf *a) { field(ctx, a, IR_bfxs); }
void a32_trans_ubfx(TransCtx *ctx, const A32ArgsBf *a) { field(ctx, a, IR_bfx); }

/* width is the highest bit; register 15: BFC. */
void a32_trans_bfi(TransCtx *ctx, const A32ArgsBf *a)
{
    IrRef v = a->rn == A32_PC ? ir_i32(ctx->b, 0) : a32_r(ctx, a->rn);
    unsigned n = (unsigned)(a->width - a->lsb) + 1;

    if (a->width < a->lsb) {
        a32_undefined(ctx); /* unpredictable */
        return;
    }
    a32_put(ctx, a->rd, n == 32 ? v : ir_emit(ctx->b, IR_bfi, IR_I32, (unsigned)a->lsb | n << 8, a32_r(ctx, a->rd), v, IR_NONE));
}

/* register 15 as rn: nothing is added. */
static void extend(TransCtx *ctx, const A32ArgsExt *a, IrOp op)
{
    IrRef v = a32_r(ctx, a->rm);

    v = a->rot ? ir_op2_imm(ctx->b, IR_rotr, IR_I32, v, 8 * (unsigned)a->rot) : v;
    v = ir_op1(ctx->b, op, IR_I32, v);
    a32_put(ctx, a->rd, a->rn == A32_PC ? v : ir_op2(ctx->b, IR_add, IR_I32, a32_r(ctx, a->rn), v));
}

void a32_trans_sxtab(TransCtx *ctx, const A32ArgsExt *a) { extend(ctx, a, IR_sext8); }
void a32_trans_sxtah(TransCtx *ctx, const A32ArgsExt *a) { extend(ctx, a, IR_sext16); }
void a32_trans_uxtab(TransCtx *ctx, const A32ArgsExt *a) { extend(ctx, a, IR_zext8); }
void a32_trans_uxtah(TransCtx *ctx, const A32ArgsExt *a) { extend(ctx, a, IR_zext16); }

/* Bytes 0 and 2 extended to halfwords, added to those of rn. */
static void extend16(TransCtx *ctx, const A32ArgsExt *a, bool is_signed)
{
    IrBuilder *b = ctx->b;
    IrRef v = a32_r(ctx, a->rm);

    v = a->rot ? ir_op2_imm(b, IR_rotr, IR_I32, v, 8 * (unsigned)a->rot) : v;
    IrOp byte = is_signed ? IR_sext8 : IR_zext8;
    IrRef low = ir_op1(b, byte, IR_I32, v), high = ir_op1(b, byte, IR_I32, ir_op2_imm(b, IR_shr, IR_I32, v, 16));
    if (a->rn != A32_PC) {
        IrRef n = a32_r(ctx, a->rn);
        low = ir_op2(b, IR_add, IR_I32, low, n);
        high = ir_op2(b, IR_add, IR_I32, high, ir_op2_imm(b, IR_shr, IR_I32, n, 16));
    }
    a32_put(ctx, a->rd, ir_emit(b, IR_bfi, IR_I32, 16 | 16 << 8, ir_op1(b, IR_zext16, IR_I32, low), high, IR_NONE));
}

void a32_trans_sxtab16(TransCtx *ctx, const A32ArgsExt *a) { extend16(ctx, a, true); }
void a32_trans_uxtab16(TransCtx *ctx, const A32ArgsExt *a) { extend16(ctx, a, false); }

void a32_trans_clz(TransCtx *ctx, const A32ArgsR2 *a) { a32_put(ctx, a->rd, ir_op1(ctx->b, IR_clz, IR_I32, a32_r(ctx, a->rm))); }
void a32_trans_rev(TransCtx *ctx, const A32ArgsR2 *a) { a32_put(ctx, a->rd, ir_op1(ctx->b, IR_bswap, IR_I32, a32_r(ctx, a->rm))); }

void a32_trans_rbit(TransCtx *ctx, const A32ArgsR2 *a)
{
    a32_put(ctx, a->rd, ir_op1(ctx->b, IR_brev8, IR_I32, ir_op1(ctx->b, IR_bswap, IR_I32, a32_r(ctx, a->rm))));
}

void a32_trans_rev16(TransCtx *ctx, const A32ArgsR2 *a)
{
    a32_put(ctx, a->rd, ir_op2_imm(ctx->b, IR_rotr, IR_I32, ir_op1(ctx->b, IR_bswap, IR_I32, a32_r(ctx, a->rm)), 16));
}

void a32_trans_revsh(TransCtx *ctx, const A32ArgsR2 *a)
{
    a32_put(ctx, a->rd, ir_op2_imm(ctx->b, IR_sar, IR_I32, ir_op1(ctx->b, IR_bswap, IR_I32, a32_r(ctx, a->rm)), 16));
}
