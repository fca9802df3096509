/*
 * translate-a32-vfp.c: VFP: scalar floating point of AArch32 (Arm ARM DDI 0487, F6.1), on the V registers AArch64 has it in: S[n] is lane
 * n & 3 of V[n / 4], D[n] lane n & 1 of V[n / 2]; the other lanes stay; half precision is in the low half of an S register and clears the other one. Short vectors
 * (FPSCR.LEN): a32.c. What hosts cannot do in the mode at hand goes to the software of fp.h, as for AArch64.
 */
#include "target/arm/translate-a32-simd.h"
#include "target/arm/translate-fp.h"

/* -- registers ------------------------------------------------------------------------------------------- */

static unsigned vector_of(unsigned size, int n) { return (unsigned)n >> (size == 3 ? 1 : 2); }

/*
 * Registers are slots of their own, S or D, so that they do not wait for each other. They share memory with the V register that Advanced SIMD
 * has, and S with D: which is no matter between units, where all are in memory, but within one. So every unit is made as if each V register were of
 * one kind; a32_trans_end() looks whether it is, and those that are not are vectors then, with the others as their lanes.
 */
bool a32_trans_end(TransCtx *ctx)
{
    const IrUnit *unit = ctx->b->unit;
    uint64_t singles = 0, doubles = 0, vectors = 0; /* by V register */

    for (uint32_t i = 0; unit->addr32 && i < unit->insns.n; i++) {
        const IrInsn *in = &unit->insns.at[i];
        if (in->op != IR_get && in->op != IR_put) {
            continue;
        }
        if (in->aux >= ARM_SLOT_D) {
            doubles |= BIT((in->aux - ARM_SLOT_D) / 2);
        } else if (in->aux >= ARM_SLOT_S) {
            singles |= BIT((in->aux - ARM_SLOT_S) / 4);
        } else if (in->aux >= ARM_SLOT_V && in->aux < ARM_SLOT_V + 16) {
            vectors |= BIT(in->aux - ARM_SLOT_V);
        }
    }
    uint64_t mixed = (singles & doubles) | ((singles | doubles) & vectors);
    ctx->learnt |= mixed;
    return !mixed;
}

/* The slot of the register's own; IR_MAX_SLOTS: a lane of a vector. Half precision is in S registers. */
static unsigned slot_of(const TransCtx *ctx, unsigned size, int n)
{
    return ctx->learnt & BIT(vector_of(size, n)) ? IR_MAX_SLOTS : (size == 3 ? ARM_SLOT_D : ARM_SLOT_S) + (unsigned)n;
}

static unsigned lane_of(unsigned size, int n) { return (unsigned)n & (size == 3 ? 1 : 3); }

/* As bits, in an I64. */
static IrRef get_bits(TransCtx *ctx, unsigned size, int n)
{
    IrBuilder *b = ctx->b;
    unsigned slot = slot_of(ctx, size, n);

    if (slot == IR_MAX_SLOTS) {
        IrRef v = arm_v(ctx, (int)vector_of(size, n));
        return size == 1 ? arm_lane(ctx, v, 1, lane_of(2, n) * 2) : arm_lane(ctx, v, (int)size, lane_of(size, n));
    }
    if (size == 3) {
        return ir_op1(b, IR_bitcast, IR_I64, ir_get(b, slot));
    }
    IrRef v = ir_op1(b, IR_ext_u, IR_I64, ir_op1(b, IR_bitcast, IR_I32, ir_get(b, slot)));
    return size == 1 ? ir_op1(b, IR_zext16, IR_I64, v) : v;
}

/* An integer no narrower than the register. */
static void put_bits(TransCtx *ctx, unsigned size, int n, IrRef value)
{
    IrBuilder *b = ctx->b;
    unsigned slot = slot_of(ctx, size, n);

    if (size == 1) {
        value = ir_op1(b, IR_zext16, ir_insn(b->unit, value)->type, value);
        size = 2;
    }
    if (slot == IR_MAX_SLOTS) {
        slot = ARM_SLOT_V + vector_of(size, n);
        ir_put(b, slot, arm_v2(ctx, IR_vset_lane, size | lane_of(size, n) << 4, ir_get(b, slot), value));
        return;
    }
    if (size == 2 && ir_insn(b->unit, value)->type == IR_I64) {
        value = ir_op1(b, IR_trunc, IR_I32, value);
    }
    ir_put(b, slot, ir_op1(b, IR_bitcast, arm_fp_type(size), value));
}

/*
 * A lane that has been written in this block is the value that was, not a lane of the vector it went into: what follows would else wait for
 * the merge of every register that shares the vector. Looks through put()'s operations on other lanes; *v becomes the vector behind them. IR_NONE:
 * the register is in that.
 */
static IrRef written(TransCtx *ctx, unsigned size, unsigned lane, IrRef *v)
{
    const IrUnit *unit = ctx->b->unit;
    unsigned mine = size == 3 ? 3u << 2 * lane : BIT(lane);

    for (unsigned depth = 0; depth < 8; depth++) {
        const IrInsn *in = ir_insn(unit, *v);
        IrRef value;
        unsigned theirs;
        if (in->op == IR_vset_low) {
            value = in->b;
            theirs = ir_insn(unit, value)->type == IR_F64 ? 3 : 1;
        } else if (in->op == IR_vsel64 && in->aux == 0 && ir_insn(unit, in->b)->op == IR_vzext) {
            value = ir_insn(unit, in->b)->a;
            theirs = 12;
        } else if (in->op == IR_vblend && (in->aux & 15) == IR_LANE_32 && ir_insn(unit, in->b)->op == IR_vperm32 && ir_insn(unit, in->b)->aux == 0) {
            const IrInsn *low = ir_insn(unit, ir_insn(unit, in->b)->a);
            value = low->op == IR_vzext ? low->a : IR_NONE;
            theirs = in->aux >> 4;
        } else {
            return IR_NONE;
        }
        if (theirs & mine) {
            return value != IR_NONE && theirs == mine && ir_insn(unit, value)->type == arm_fp_type(size) ? value : IR_NONE;
        }
        *v = in->a;
    }
    return IR_NONE;
}

/* As a float. */
static IrRef get(TransCtx *ctx, unsigned size, int n)
{
    unsigned slot = slot_of(ctx, size, n), lane = lane_of(size, n);

    if (slot != IR_MAX_SLOTS) {
        return ir_get(ctx->b, slot);
    }
    IrRef v = arm_v(ctx, (int)vector_of(size, n)), value = written(ctx, size, lane, &v);
    if (value != IR_NONE) {
        return value;
    }
    if (lane) {
        v = ir_emit(ctx->b, IR_vperm32, IR_V128, size == 3 ? 0xee : lane * 0x55, v, IR_NONE, IR_NONE);
    }
    return ir_op1(ctx->b, IR_vlow, arm_fp_type(size), v);
}

static void put(TransCtx *ctx, unsigned size, int n, IrRef value)
{
    unsigned slot = slot_of(ctx, size, n), lane = lane_of(size, n);

    if (slot != IR_MAX_SLOTS) {
        ir_put(ctx->b, slot, value);
        return;
    }
    slot = ARM_SLOT_V + vector_of(size, n);
    IrRef old = ir_get(ctx->b, slot);
    if (!lane) {
        ir_put(ctx->b, slot, ir_op2(ctx->b, IR_vset_low, IR_V128, old, value));
        return;
    }
    IrRef v = ir_op1(ctx->b, IR_vzext, IR_V128, value);
    if (size == 3) {
        ir_put(ctx->b, slot, arm_v2(ctx, IR_vsel64, 0, old, v));
    } else {
        v = ir_emit(ctx->b, IR_vperm32, IR_V128, 0, v, IR_NONE, IR_NONE);
        ir_put(ctx->b, slot, arm_v2(ctx, IR_vblend, 2 | BIT(lane) << 4, old, v));
    }
}

void a32_put_double(TransCtx *ctx, int n, IrRef value) { put(ctx, 3, n, value); }

static void soft(TransCtx *ctx, uint32_t code, unsigned to, int d, IrRef x, IrRef y, IrRef z)
{
    put_bits(ctx, to, d, arm_fp_call(ctx, code, x, y, z));
}

/* -- arithmetic --------------------------------------------------------------------------------------------- */

static IrRef negated(TransCtx *ctx, unsigned size, IrRef v)
{
    IrRef sign = ir_vconst(ctx->b, IR_V128, &(IrVecConst){ .u64 = { size == 3 ? BIT(63) : BIT(31) } });
    return ir_op1(ctx->b, IR_vlow, arm_fp_type(size), arm_v2(ctx, IR_vxor, 0, ir_op1(ctx->b, IR_vzext, IR_V128, v), sign));
}

static void arith(TransCtx *ctx, const A32ArgsVf3 *a, ArmFpOp op, IrOp ir, unsigned aux)
{
    unsigned size = (unsigned)a->z;

    if (!arm_fp_inline(ctx, size)) {
        soft(ctx, arm_fp_code(op, size, 0, ARM_FP_DYN, 0, 0), size, a->d, get_bits(ctx, size, a->n), get_bits(ctx, size, a->m), IR_NONE);
        return;
    }
    put(ctx, size, a->d, ir_emit(ctx->b, ir, arm_fp_type(size), aux, get(ctx, size, a->n), get(ctx, size, a->m), IR_NONE));
}

void a32_trans_vadd(TransCtx *ctx, const A32ArgsVf3 *a) { arith(ctx, a, ARM_FP_ADD, IR_fadd, IR_RM_DYN); }
void a32_trans_vsub(TransCtx *ctx, const A32ArgsVf3 *a) { arith(ctx, a, ARM_FP_SUB, IR_fsub, IR_RM_DYN); }
void a32_trans_vmul(TransCtx *ctx, const A32ArgsVf3 *a) { arith(ctx, a, ARM_FP_MUL, IR_fmul, IR_RM_DYN); }
void a32_trans_vdiv(TransCtx *ctx, const A32ArgsVf3 *a) { arith(ctx, a, ARM_FP_DIV, IR_fdiv, IR_RM_DYN); }
void a32_trans_vmaxnm(TransCtx *ctx, const A32ArgsVf3 *a) { arith(ctx, a, ARM_FP_MAXNM, IR_fmax, IR_MINMAX_NUMBER); }
void a32_trans_vminnm(TransCtx *ctx, const A32ArgsVf3 *a) { arith(ctx, a, ARM_FP_MINNM, IR_fmin, IR_MINMAX_NUMBER); }

void a32_trans_vnmul(TransCtx *ctx, const A32ArgsVf3 *a)
{
    unsigned size = (unsigned)a->z;

    if (!arm_fp_inline(ctx, size)) {
        arith(ctx, a, ARM_FP_NMUL, IR_nop, 0);
        return;
    }
    put(ctx, size, a->d, negated(ctx, size, ir_op2(ctx->b, IR_fmul, arm_fp_type(size), get(ctx, size, a->n), get(ctx, size, a->m))));
}

/* (neg_addend ? -d : d) + (neg_product ? -(n * m) : n * m), rounded twice. */
static void chained(TransCtx *ctx, const A32ArgsVf3 *a, bool neg_product, bool neg_addend)
{
    unsigned size = (unsigned)a->z;
    IrType type = arm_fp_type(size);

    if (!arm_fp_inline(ctx, size)) {
        IrRef sign = ir_i64(ctx->b, BIT((8u << size) - 1)), d = get_bits(ctx, size, a->d);
        IrRef p = arm_fp_call(ctx, arm_fp_code(ARM_FP_MUL, size, 0, ARM_FP_DYN, 0, 0), get_bits(ctx, size, a->n), get_bits(ctx, size, a->m), IR_NONE);
        p = neg_product ? ir_op2(ctx->b, IR_xor, IR_I64, p, sign) : p;
        d = neg_addend ? ir_op2(ctx->b, IR_xor, IR_I64, d, sign) : d;
        soft(ctx, arm_fp_code(ARM_FP_ADD, size, 0, ARM_FP_DYN, 0, 0), size, a->d, d, p, IR_NONE);
        return;
    }
    IrRef p = ir_op2(ctx->b, IR_fmul, type, get(ctx, size, a->n), get(ctx, size, a->m)), d = get(ctx, size, a->d);
    p = neg_product ? negated(ctx, size, p) : p;
    d = neg_addend ? negated(ctx, size, d) : d;
    put(ctx, size, a->d, ir_op2(ctx->b, IR_fadd, type, d, p));
}

void a32_trans_vmla(TransCtx *ctx, const A32ArgsVf3 *a) { chained(ctx, a, false, false); }
void a32_trans_vmls(TransCtx *ctx, const A32ArgsVf3 *a) { chained(ctx, a, true, false); }
void a32_trans_vnmla(TransCtx *ctx, const A32ArgsVf3 *a) { chained(ctx, a, true, true); }
void a32_trans_vnmls(TransCtx *ctx, const A32ArgsVf3 *a) { chained(ctx, a, false, true); }

static void fused(TransCtx *ctx, const A32ArgsVf3 *a, unsigned soft_flags, unsigned aux)
{
    unsigned size = (unsigned)a->z;

    if (!arm_fp_inline(ctx, size)) {
        soft(ctx, arm_fp_code(ARM_FP_MADD, size, 0, ARM_FP_DYN, soft_flags, 0), size, a->d, get_bits(ctx, size, a->n), get_bits(ctx, size, a->m),
             get_bits(ctx, size, a->d));
        return;
    }
    put(ctx, size, a->d, ir_emit(ctx->b, IR_fma, arm_fp_type(size), aux, get(ctx, size, a->n), get(ctx, size, a->m), get(ctx, size, a->d)));
}

void a32_trans_vfma(TransCtx *ctx, const A32ArgsVf3 *a) { fused(ctx, a, 0, 0); }
void a32_trans_vfms(TransCtx *ctx, const A32ArgsVf3 *a) { fused(ctx, a, ARM_FP_NEG_PRODUCT, IR_FMA_NEG_PRODUCT); }
void a32_trans_vfnms(TransCtx *ctx, const A32ArgsVf3 *a) { fused(ctx, a, ARM_FP_NEG_ADDEND, IR_FMA_NEG_ADDEND); }

void a32_trans_vfnma(TransCtx *ctx, const A32ArgsVf3 *a)
{
    fused(ctx, a, ARM_FP_NEG_PRODUCT | ARM_FP_NEG_ADDEND, IR_FMA_NEG_PRODUCT | IR_FMA_NEG_ADDEND);
}

void a32_trans_vsqrt(TransCtx *ctx, const A32ArgsVf2 *a)
{
    unsigned size = (unsigned)a->z;

    if (!arm_fp_inline(ctx, size)) {
        soft(ctx, arm_fp_code(ARM_FP_SQRT, size, 0, ARM_FP_DYN, 0, 0), size, a->d, get_bits(ctx, size, a->m), IR_NONE, IR_NONE);
        return;
    }
    put(ctx, size, a->d, ir_op1(ctx->b, IR_fsqrt, arm_fp_type(size), get(ctx, size, a->m)));
}

/* -- moves and signs: bits only -------------------------------------------------------------------------------- */

void a32_trans_vmov_r(TransCtx *ctx, const A32ArgsVf2 *a) { put(ctx, (unsigned)a->z, a->d, get(ctx, (unsigned)a->z, a->m)); }
void a32_trans_vneg(TransCtx *ctx, const A32ArgsVf2 *a)
{
    if (a->z == 1) {
        put_bits(ctx, 1, a->d, ir_op2_imm(ctx->b, IR_xor, IR_I64, get_bits(ctx, 1, a->m), 0x8000));
        return;
    }
    put(ctx, (unsigned)a->z, a->d, negated(ctx, (unsigned)a->z, get(ctx, (unsigned)a->z, a->m)));
}

void a32_trans_vabs(TransCtx *ctx, const A32ArgsVf2 *a)
{
    unsigned size = (unsigned)a->z;

    if (size == 1) {
        put_bits(ctx, 1, a->d, ir_op2_imm(ctx->b, IR_and, IR_I64, get_bits(ctx, 1, a->m), 0x7fff));
        return;
    }
    IrRef mask = ir_vconst(ctx->b, IR_V128, &(IrVecConst){ .u64 = { size == 3 ? BIT(63) - 1 : BIT(31) - 1 } });
    IrRef v = arm_v2(ctx, IR_vand, 0, ir_op1(ctx->b, IR_vzext, IR_V128, get(ctx, size, a->m)), mask);

    put(ctx, size, a->d, ir_op1(ctx->b, IR_vlow, arm_fp_type(size), v));
}

/* VFPExpandImm */
void a32_trans_vmov_imm(TransCtx *ctx, const A32ArgsVfi *a)
{
    uint64_t sign = (uint64_t)a->imm >> 7, b = (uint64_t)a->imm >> 6 & 1, low = (uint64_t)a->imm & 63, v;

    if (a->z == 1) {
        put_bits(ctx, 1, a->d, ir_i64(ctx->b, sign << 15 | (b ? 0x3000 : 0x4000) | low << 6));
        return;
    }
    if (a->z == 3) {
        v = sign << 63 | (b ? 0x3fc0000000000000 : 0x4000000000000000) | low << 48;
    } else {
        v = sign << 31 | (b ? 0x3e000000 : 0x40000000) | low << 19;
    }
    put(ctx, (unsigned)a->z, a->d, ir_const(ctx->b, arm_fp_type((unsigned)a->z), v));
}

void a32_trans_vmov_from_r(TransCtx *ctx, const A32ArgsVmv *a) { put_bits(ctx, (unsigned)a->z, a->n, a32_r(ctx, (unsigned)a->rt)); }

void a32_trans_vmov_to_r(TransCtx *ctx, const A32ArgsVmv *a)
{
    a32_put(ctx, (unsigned)a->rt, ir_op1(ctx->b, IR_trunc, IR_I32, get_bits(ctx, (unsigned)a->z, a->n)));
}

/* One double, or two singles that follow each other. */
void a32_trans_vmov_from_rr(TransCtx *ctx, const A32ArgsVmv2 *a)
{
    IrRef low = a32_r(ctx, (unsigned)a->rt), high = a32_r(ctx, (unsigned)a->rt2);

    if (a->z == 2) {
        put_bits(ctx, 2, a->m, low);
        put_bits(ctx, 2, (a->m + 1) & 31, high);
        return;
    }
    high = ir_op2_imm(ctx->b, IR_shl, IR_I64, ir_op1(ctx->b, IR_ext_u, IR_I64, high), 32);
    put_bits(ctx, 3, a->m, ir_op2(ctx->b, IR_or, IR_I64, ir_op1(ctx->b, IR_ext_u, IR_I64, low), high));
}

void a32_trans_vmov_to_rr(TransCtx *ctx, const A32ArgsVmv2 *a)
{
    IrRef low, high;

    if (a->rt == A32_PC || a->rt2 == A32_PC) {
        a32_undefined(ctx); /* unpredictable */
        return;
    }
    if (a->z == 2) {
        low = get_bits(ctx, 2, a->m);
        high = get_bits(ctx, 2, (a->m + 1) & 31);
    } else {
        low = get_bits(ctx, 3, a->m);
        high = ir_op2_imm(ctx->b, IR_shr, IR_I64, low, 32);
    }
    a32_put(ctx, (unsigned)a->rt, ir_op1(ctx->b, IR_trunc, IR_I32, low));
    a32_put(ctx, (unsigned)a->rt2, ir_op1(ctx->b, IR_trunc, IR_I32, high));
}

/* Size and lane of a scalar in opc1:opc2; false: undefined. */
static bool scalar_lane(const TransCtx *ctx, int index, unsigned *ret_size, unsigned *ret_lane)
{
    if (index & 9 && !arm_has(ctx->vcpu, AdvSIMD)) {
        return false; /* bytes and halfwords */
    }
    if (index & 8) {
        *ret_size = 0;
        *ret_lane = (unsigned)index & 7;
    } else if (index & 1) {
        *ret_size = 1;
        *ret_lane = (unsigned)index >> 1 & 3;
    } else {
        *ret_size = 2;
        *ret_lane = (unsigned)index >> 2 & 1;
        return !(index & 2);
    }
    return true;
}

void a32_trans_vmov_to_scalar(TransCtx *ctx, const A32ArgsVsc *a)
{
    unsigned size, lane, slot = ARM_SLOT_V + (unsigned)a->d / 2;

    if (!scalar_lane(ctx, a->index, &size, &lane)) {
        a32_undefined(ctx);
        return;
    }
    lane += (unsigned)a->d & 1 ? 8u >> size : 0;
    ir_put(ctx->b, slot, arm_v2(ctx, IR_vset_lane, size | lane << 4, ir_get(ctx->b, slot), a32_r(ctx, (unsigned)a->rt)));
}

void a32_trans_vmov_from_scalar(TransCtx *ctx, const A32ArgsVsc *a)
{
    unsigned size, lane;

    if (!scalar_lane(ctx, a->index, &size, &lane) || (size == 2 && a->uns) || a->rt == A32_PC) {
        a32_undefined(ctx);
        return;
    }
    lane += (unsigned)a->d & 1 ? 8u >> size : 0;
    IrRef v = ir_op1(ctx->b, IR_trunc, IR_I32, arm_lane(ctx, arm_v(ctx, a->d / 2), (int)size, lane));
    if (!a->uns && size < 2) {
        v = ir_op1(ctx->b, size ? IR_sext16 : IR_sext8, IR_I32, v);
    }
    a32_put(ctx, (unsigned)a->rt, v);
}

/* size: B:E */
void a32_trans_vdup_r(TransCtx *ctx, const A32ArgsVdup *a)
{
    static const int8_t size[4] = { 2, 1, 0, -1 };

    if (size[a->size] < 0 || (a->q && (a->d & 1))) {
        a32_undefined(ctx);
        return;
    }
    IrRef v = arm_dup(ctx, size[a->size], a32_r(ctx, (unsigned)a->rt));
    if (a->q) {
        ir_put(ctx->b, ARM_SLOT_V + (unsigned)a->d / 2, v);
    } else {
        a32_put_d(ctx, a->d, v);
    }
}

/* -- comparisons ------------------------------------------------------------------------------------------------- */

static void put_fpscr_flags(TransCtx *ctx, IrRef flags) { ir_put(ctx->b, ARM_SLOT_FPSCR_NZCV, flags); }

void a32_trans_vcmp(TransCtx *ctx, const A32ArgsVfc *a)
{
    unsigned size = (unsigned)a->z;
    IrBuilder *b = ctx->b;

    if (!arm_fp_inline(ctx, size)) {
        IrRef y = a->m < 0 ? ir_i64(b, 0) : get_bits(ctx, size, a->m);
        uint32_t code = arm_fp_code(a->e ? ARM_FP_CMPE : ARM_FP_CMP, size, 0, ARM_FP_DYN, 0, 0);
        put_fpscr_flags(ctx, ir_op1(b, IR_trunc, IR_I32, arm_fp_call(ctx, code, get_bits(ctx, size, a->d), y, IR_NONE)));
        return;
    }
    IrRef y = a->m < 0 ? ir_const(b, arm_fp_type(size), 0) : get(ctx, size, a->m);
    IrRef r = ir_emit(b, IR_frel, IR_I32, (unsigned)a->e, get(ctx, size, a->d), y, IR_NONE);
    IrRef v = ir_op2_imm(b, IR_or, IR_I32, r, ARM_FPSCR_REL);
    put_fpscr_flags(ctx, v);
    ctx->data[ARM_DATA_VFP_REL] = ir_is_const(b->unit, v) ? 0 : (uint64_t)r << 32 | ((uint64_t)v + 1);
}

/* VMRS APSR_nzcv, FPSCR */
static void move_flags(TransCtx *ctx)
{
    IrBuilder *b = ctx->b;
    IrRef v = ir_get(b, ARM_SLOT_FPSCR_NZCV);
    uint64_t rel = ctx->data[ARM_DATA_VFP_REL];

    if ((uint32_t)rel == (uint64_t)v + 1) {
        arm_cc_set_rel(ctx, (IrRef)(rel >> 32));
        return;
    }
    /* The relation without its bit 6 in bit 1 is 0, 1, 2 or 7: a table of N Z C V in one word. */
    IrRef index = ir_op2(b, IR_or, IR_I32, ir_op2_imm(b, IR_and, IR_I32, v, 7), ir_emit(b, IR_bfx, IR_I32, 5 | 3 << 8, v, IR_NONE, IR_NONE));
    IrRef flags = ir_op2(b, IR_shr, IR_I32, ir_i32(b, 0x30000682), ir_op2_imm(b, IR_shl, IR_I32, index, 2));
    flags = ir_op2_imm(b, IR_shl, IR_I32, flags, 28);
    flags = ir_select(b, IR_I32, ir_op2_imm(b, IR_and, IR_I32, v, ARM_FPSCR_REL), flags, v);
    arm_cc_set(ctx, ARM_CC_FLAGS, ir_op1(b, IR_ext_u, IR_I64, flags), IR_NONE);
}

void a32_trans_vsel(TransCtx *ctx, const A32ArgsVsel *a)
{
    static const uint8_t condition[4] = { 0, 6, 10, 12 }; /* EQ VS GE GT */
    unsigned size = (unsigned)a->z;
    ArmCondRef c = arm_cond(ctx, condition[a->cc]);
    IrRef holds = ir_setcond(ctx->b, IR_I32, c.cond, c.a, c.b);

    put_bits(ctx, size, a->d, ir_select(ctx->b, IR_I64, holds, get_bits(ctx, size, a->n), get_bits(ctx, size, a->m)));
}

/* -- conversions --------------------------------------------------------------------------------------------------- */

static void integral(TransCtx *ctx, unsigned size, int d, int m, ArmRound r, bool exact)
{
    if (!arm_fp_inline(ctx, size)) {
        soft(ctx, arm_fp_code(ARM_FP_ROUND, size, 0, arm_round_soft(r), exact ? ARM_FP_EXACT : 0, 0), size, d, get_bits(ctx, size, m), IR_NONE, IR_NONE);
        return;
    }
    put(ctx, size, d, ir_emit(ctx->b, IR_fround, arm_fp_type(size), arm_round_ir(r) | (exact ? IR_ROUND_EXACT : 0), get(ctx, size, m), IR_NONE, IR_NONE));
}

/* RM */
static const uint8_t directed[4] = { ARM_ROUND_A, ARM_ROUND_N, ARM_ROUND_P, ARM_ROUND_M };

void a32_trans_vrintr(TransCtx *ctx, const A32ArgsVf2 *a) { integral(ctx, (unsigned)a->z, a->d, a->m, ARM_ROUND_DYN, false); }
void a32_trans_vrintz(TransCtx *ctx, const A32ArgsVf2 *a) { integral(ctx, (unsigned)a->z, a->d, a->m, ARM_ROUND_Z, false); }
void a32_trans_vrintx(TransCtx *ctx, const A32ArgsVf2 *a) { integral(ctx, (unsigned)a->z, a->d, a->m, ARM_ROUND_DYN, true); }
void a32_trans_vrint_m(TransCtx *ctx, const A32ArgsVfr *a) { integral(ctx, (unsigned)a->z, a->d, a->m, (ArmRound)directed[a->rm], false); }

/* Between single and double; z is log2 of the result's size. The rows have z of the source in one case. */
void a32_trans_vcvt_ff(TransCtx *ctx, const A32ArgsVf2 *a)
{
    unsigned from = (unsigned)a->z, to = from == 2 ? 3 : 2;

    if (!arm_fp_inline(ctx, from)) {
        soft(ctx, arm_fp_code(ARM_FP_CVT, from, to, ARM_FP_DYN, 0, 0), to, a->d, get_bits(ctx, from, a->m), IR_NONE, IR_NONE);
        return;
    }
    put(ctx, to, a->d, ir_op1(ctx->b, IR_fcvt, arm_fp_type(to), get(ctx, from, a->m)));
}

/* op: the upper half of the single-precision register. */
void a32_trans_vcvt_from_h(TransCtx *ctx, const A32ArgsVfx *a)
{
    IrRef half = arm_lane(ctx, arm_v(ctx, a->m / 4), 1, ((unsigned)a->m & 3) * 2 + (unsigned)a->op);
    soft(ctx, arm_fp_code(ARM_FP_CVT, 1, (unsigned)a->z, ARM_FP_DYN, 0, 0), (unsigned)a->z, a->d, half, IR_NONE, IR_NONE);
}

void a32_trans_vcvt_to_h(TransCtx *ctx, const A32ArgsVfx *a)
{
    unsigned slot = ARM_SLOT_V + (unsigned)a->d / 4, lane = ((unsigned)a->d & 3) * 2 + (unsigned)a->op;
    IrRef r = arm_fp_call(ctx, arm_fp_code(ARM_FP_CVT, (unsigned)a->z, 1, ARM_FP_DYN, 0, 0), get_bits(ctx, (unsigned)a->z, a->m), IR_NONE, IR_NONE);
    ir_put(ctx->b, slot, arm_v2(ctx, IR_vset_lane, 1 | lane << 4, ir_get(ctx->b, slot), r));
}

void a32_trans_vcvt_to_bf(TransCtx *ctx, const A32ArgsVfx *a)
{
    unsigned slot = ARM_SLOT_V + (unsigned)a->d / 4, lane = ((unsigned)a->d & 3) * 2 + (unsigned)a->op;
    IrRef r = arm_fp_call(ctx, arm_fp_code(ARM_FP_TO_BF, 2, 1, ARM_FP_DYN, 0, 0), get_bits(ctx, 2, a->m), IR_NONE, IR_NONE);
    ir_put(ctx->b, slot, arm_v2(ctx, IR_vset_lane, 1 | lane << 4, ir_get(ctx->b, slot), r));
}

/* The upper half to the lower one, zeros above; the lower half into the upper one. */
void a32_trans_vmovx(TransCtx *ctx, const A32ArgsVf2 *a)
{
    put_bits(ctx, 1, a->d, arm_lane(ctx, arm_v(ctx, a->m / 4), 1, ((unsigned)a->m & 3) * 2 + 1));
}

void a32_trans_vins(TransCtx *ctx, const A32ArgsVf2 *a)
{
    unsigned slot = ARM_SLOT_V + (unsigned)a->d / 4, lane = ((unsigned)a->d & 3) * 2 + 1;
    ir_put(ctx->b, slot, arm_v2(ctx, IR_vset_lane, 1 | lane << 4, ir_get(ctx->b, slot), get_bits(ctx, 1, a->m)));
}

static void to_int(TransCtx *ctx, unsigned size, int d, int m, ArmRound r, bool is_signed)
{
    if (!arm_fp_inline(ctx, size)) {
        uint32_t code = arm_fp_code(is_signed ? ARM_FP_TO_S : ARM_FP_TO_U, size, 2, arm_round_soft(r), 0, 0);
        soft(ctx, code, 2, d, get_bits(ctx, size, m), IR_NONE, IR_NONE);
        return;
    }
    put_bits(ctx, 2, d, ir_emit(ctx->b, is_signed ? IR_f2i : IR_f2u, IR_I32, arm_round_ir(r), get(ctx, size, m), IR_NONE, IR_NONE));
}

void a32_trans_vcvt_to_s(TransCtx *ctx, const A32ArgsVfx *a) { to_int(ctx, (unsigned)a->z, a->d, a->m, a->op ? ARM_ROUND_Z : ARM_ROUND_DYN, true); }
void a32_trans_vcvt_to_u(TransCtx *ctx, const A32ArgsVfx *a) { to_int(ctx, (unsigned)a->z, a->d, a->m, a->op ? ARM_ROUND_Z : ARM_ROUND_DYN, false); }
void a32_trans_vcvt_m(TransCtx *ctx, const A32ArgsVfr *a) { to_int(ctx, (unsigned)a->z, a->d, a->m, (ArmRound)directed[a->rm], a->op); }

void a32_trans_vcvt_from_i(TransCtx *ctx, const A32ArgsVfx *a)
{
    IrRef v = ir_op1(ctx->b, IR_trunc, IR_I32, get_bits(ctx, 2, a->m));
    if (a->z == 1) {
        IrRef wide = ir_op1(ctx->b, a->op ? IR_ext_s : IR_ext_u, IR_I64, v);
        soft(ctx, arm_fp_code(a->op ? ARM_FP_FROM_S : ARM_FP_FROM_U, 1, 2, ARM_FP_DYN, 0, 0), 1, a->d, wide, IR_NONE, IR_NONE);
        return;
    }
    put(ctx, (unsigned)a->z, a->d, ir_op1(ctx->b, a->op ? IR_i2f : IR_u2f, arm_fp_type((unsigned)a->z), v));
}

/* Fixed point, in place: sx: 32 bits, else 16; to integers toward zero, from them to nearest. */
void a32_trans_vcvt_fix(TransCtx *ctx, const A32ArgsVfix *a)
{
    unsigned size = (unsigned)a->z, width = a->sx ? 32 : 16;
    IrRef v = get_bits(ctx, size == 1 && !a->to ? 2 : size, a->d);

    if ((unsigned)a->bits > width) {
        a32_undefined(ctx); /* unpredictable */
        return;
    }
    unsigned fraction = width - (unsigned)a->bits, other = a->sx ? 2 : 1;
    if (!a->to) {
        if (!a->sx) {
            v = ir_op1(ctx->b, a->uns ? IR_zext16 : IR_sext16, IR_I64, v);
        }
        soft(ctx, arm_fp_code(a->uns ? ARM_FP_FROM_U : ARM_FP_FROM_S, size, other, FP_RNE, 0, fraction), size, a->d, v, IR_NONE, IR_NONE);
        return;
    }
    IrRef r = arm_fp_call(ctx, arm_fp_code(a->uns ? ARM_FP_TO_U : ARM_FP_TO_S, size, other, FP_RTZ, 0, fraction), v, IR_NONE, IR_NONE);
    r = a->uns ? ir_op1(ctx->b, a->sx ? IR_zext32 : IR_zext16, IR_I64, r) : ir_op1(ctx->b, a->sx ? IR_sext32 : IR_sext16, IR_I64, r);
    put_bits(ctx, size == 1 ? 2 : size, a->d, r);
}

void a32_trans_vjcvt(TransCtx *ctx, const A32ArgsVf2 *a)
{
    IrRef v = arm_fp_call(ctx, arm_fp_code(ARM_FP_JCVT, 3, 2, FP_RTZ, 0, 0), get_bits(ctx, 3, a->m), IR_NONE, IR_NONE);

    put_bits(ctx, 2, a->d, v);
    put_fpscr_flags(ctx, ir_op1(ctx->b, IR_trunc, IR_I32, ir_op2_imm(ctx->b, IR_shr, IR_I64, ir_op2_imm(ctx->b, IR_and, IR_I64, v, BIT(32)), 2)));
}

/* -- loads and stores ------------------------------------------------------------------------------------------------ */

/* As a float; big-endian by way of an integer. */
static IrRef load_fp(TransCtx *ctx, unsigned size, IrRef base, int disp)
{
    if (!a32_big_endian(ctx)) {
        return ir_load(ctx->b, arm_fp_type(size), base, IR_NONE, a32_access(ctx, size, false, disp));
    }
    IrType type = size == 3 ? IR_I64 : IR_I32;
    return ir_op1(ctx->b, IR_bitcast, arm_fp_type(size), ir_load(ctx->b, type, base, IR_NONE, a32_access(ctx, size, false, disp)));
}

static void store_fp(TransCtx *ctx, unsigned size, IrRef base, int disp, int reg)
{
    IrRef v = size == 1 || a32_big_endian(ctx) ? get_bits(ctx, size, reg) : get(ctx, size, reg);
    ir_store(ctx->b, base, IR_NONE, v, a32_access(ctx, size, false, disp));
}

void a32_trans_vldr(TransCtx *ctx, const A32ArgsVls *a)
{
    unsigned size = (unsigned)a->z;
    if (size == 1) {
        put_bits(ctx, 1, a->d, ir_load(ctx->b, IR_I64, a32_base(ctx, (unsigned)a->rn), IR_NONE, a32_access(ctx, 1, false, a->u ? a->imm : -a->imm)));
        return;
    }
    put(ctx, size, a->d, load_fp(ctx, size, a32_base(ctx, (unsigned)a->rn), a->u ? a->imm : -a->imm));
}

void a32_trans_vstr(TransCtx *ctx, const A32ArgsVls *a)
{
    unsigned size = (unsigned)a->z;
    store_fp(ctx, size, a32_base(ctx, (unsigned)a->rn), a->u ? a->imm : -a->imm, a->d);
}

/* n: words; an odd number of double-precision ones is FLDMX, which skips the last. */
static void many(TransCtx *ctx, const A32ArgsVlm *a, bool load)
{
    unsigned size = (unsigned)a->z, count = size == 3 ? (unsigned)a->n / 2 : (unsigned)a->n;
    int disp = a->u ? 0 : -4 * a->n;
    IrRef value[32];

    if (!count || (unsigned)a->d + count > 32 || count > (size == 3 ? 16u : 32u) || (a->rn == A32_PC && a->w)) {
        a32_undefined(ctx); /* unpredictable */
        return;
    }
    IrRef base = a32_base(ctx, (unsigned)a->rn);
    for (unsigned i = 0; i < count; i++, disp += 1 << size) {
        if (load) {
            value[i] = load_fp(ctx, size, base, disp);
        } else {
            store_fp(ctx, size, base, disp, a->d + (int)i);
        }
    }
    if (a->w) {
        a32_put(ctx, (unsigned)a->rn, ir_op2_imm(ctx->b, IR_add, IR_I32, base, (uint32_t)(a->u ? 4 * a->n : -4 * a->n)));
    }
    for (unsigned i = 0; load && i < count; i++) {
        put(ctx, size, a->d + (int)i, value[i]);
    }
}

void a32_trans_vldm(TransCtx *ctx, const A32ArgsVlm *a) { many(ctx, a, true); }
void a32_trans_vstm(TransCtx *ctx, const A32ArgsVlm *a) { many(ctx, a, false); }

/* -- FPSCR and the others (cp15.c) -------------------------------------------------------------------------------------- */

enum { FPSCR = 1 };

void a32_trans_vmrs(TransCtx *ctx, const A32ArgsVsys *a)
{
    if (a->reg != FPSCR) {
        if (a->rt == A32_PC) {
            a32_undefined(ctx); /* unpredictable */
        } else {
            a32_put(ctx, (unsigned)a->rt, ir_call(ctx->b, ARM_HELPER_a32_vmrs, 1, (IrRef[]){ ir_i32(ctx->b, (uint32_t)a->reg) }));
        }
        return;
    }
    if (a->rt == A32_PC) { /* the flags */
        move_flags(ctx);
    } else {
        a32_put(ctx, (unsigned)a->rt, ir_call(ctx->b, ARM_HELPER_a32_fpscr_get, 0, NULL));
    }
}

void a32_trans_vmsr(TransCtx *ctx, const A32ArgsVsys *a)
{
    if (a->reg != FPSCR) {
        ir_call(ctx->b, ARM_HELPER_a32_vmsr, 2, (IrRef[]){ ir_i32(ctx->b, (uint32_t)a->reg), a32_r(ctx, (unsigned)a->rt) });
    } else {
        ir_call(ctx->b, ARM_HELPER_a32_fpscr_set, 1, (IrRef[]){ a32_r(ctx, (unsigned)a->rt) });
    }
    trans_leave(ctx, VCPU_EXIT_NONE, ctx->next_pc);
}
