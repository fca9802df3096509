/*
 * lower-vec.c: vectors of 128 bits on SSE and AVX.
 *
 * Operations the host has as one instruction (or a few), for the lane sizes it has them; the others, and
 * 256-bit vectors, go by the interpreter's definition (lower_by_call). Floating point: MXCSR holds the
 * guest's rounding mode and sticky flags; one packed test for unordered results, the target's NaN out of line.
 */
#include "tcg/x86_64/host.h"

static inline uint32_t bit_of(Reg r) { return 1u << r; }
static inline bool is_free(const HostCompiler *hc, Reg r) { return !(hc->used >> r & 1); }

#define P (M_0F | P_66)
#define P38 (M_38 | P_66)

/* d = a OP b for registers that were used and consumed; picks d. */
static Reg emit_two(HostCompiler *hc, uint32_t op, Reg a, Reg b)
{
    uint32_t avoid = has(hc, X_AVX) || a == b ? 0 : bit_of(b);
    Reg d = ra_dest(hc, is_free(hc, a) ? a : NO_REG, avoid);
    sse_rrr(hc, op, d, a, b);
    return d;
}

/* -- integer lanes --------------------------------------------------------------------------------- */

/* Opcode by lane size; 0: not on this host. */
static uint32_t two_opcode(const HostCompiler *hc, const IrInsn *in)
{
    static const struct { uint8_t op; uint32_t code[4]; } table[] = {
        { IR_vadd, { P | 0xfc, P | 0xfd, P | 0xfe, P | 0xd4 } },
        { IR_vsub, { P | 0xf8, P | 0xf9, P | 0xfa, P | 0xfb } },
        { IR_vmul, { 0, P | 0xd5, P38 | 0x40, 0 } },
        { IR_vmins, { P38 | 0x38, P | 0xea, P38 | 0x39, 0 } },
        { IR_vmaxs, { P38 | 0x3c, P | 0xee, P38 | 0x3d, 0 } },
        { IR_vminu, { P | 0xda, P38 | 0x3a, P38 | 0x3b, 0 } },
        { IR_vmaxu, { P | 0xde, P38 | 0x3e, P38 | 0x3f, 0 } },
        { IR_vsadds, { P | 0xec, P | 0xed, 0, 0 } },
        { IR_vsaddu, { P | 0xdc, P | 0xdd, 0, 0 } },
        { IR_vssubs, { P | 0xe8, P | 0xe9, 0, 0 } },
        { IR_vssubu, { P | 0xd8, P | 0xd9, 0, 0 } },
    };

    switch (in->op) {
    case IR_vand:
        return P | 0xdb;
    case IR_vor:
        return P | 0xeb;
    case IR_vxor:
        return P | 0xef;
    default:
        break;
    }
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].op == in->op) {
            uint32_t code = table[i].code[in->aux & 3];
            return (code & M_3A) == M_38 && !has(hc, X_SSE41) ? 0 : code;
        }
    }
    return 0;
}

/* The count is a scalar: masked to the lane's width, then shared by all lanes. */
static bool lower_shift(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t by_register[3][4] = {
        { 0, 0xf1, 0xf2, 0xf3 }, { 0, 0xd1, 0xd2, 0xd3 }, { 0, 0xe1, 0xe2, 0 },
    };
    Asm *as = &hc->as;
    unsigned lane = in->aux & 3, opcode = by_register[in->op - IR_vshl][lane];
    static_assert(IR_vshr == IR_vshl + 1 && IR_vsar == IR_vshl + 2, "by_register[] follows ops.def");

    if (!opcode) {
        return false;
    }
    Reg a = ra_use(hc, hc->ops[0]);
    Reg count = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, a) ? a : NO_REG, 0);
    x_mov_rr(as, true, REG_TMP, count);
    x_alu_ri(as, false, A_AND, REG_TMP, (int32_t)(8u << lane) - 1);
    sse_rr(hc, I_MOVQ_XR | X_W, REG_VTMP, REG_TMP);
    sse_rrr(hc, P | opcode, d, a, REG_VTMP);
    ra_done(hc);
    return true;
}

/* Counts in lanes: AVX2 gives 0 or the sign for large ones, so they are masked first. */
static bool lower_shift_lanes(HostCompiler *hc, const IrInsn *in)
{
    unsigned lane = in->aux & 3;
    uint64_t mask = lane == IR_LANE_32 ? 0x0000001f0000001f : 63;
    static const uint8_t opcode[3] = { 0x47, 0x45, 0x46 };
    static_assert(IR_vshrv == IR_vshlv + 1 && IR_vsarv == IR_vshlv + 2, "opcode[] follows ops.def");

    if (!has(hc, X_AVX2) || lane < IR_LANE_32 || (lane == IR_LANE_64 && in->op == IR_vsarv)) {
        return false;
    }
    Reg a = ra_use(hc, hc->ops[0]), b = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, a) ? a : NO_REG, 0);
    sse_rrm(hc, P | 0xdb, REG_VTMP, b, pool_u64x2(hc, mask, mask));
    v_rrr(&hc->as, P38 | opcode[in->op - IR_vshlv] | x_w(lane == IR_LANE_64), d, a, REG_VTMP);
    ra_done(hc);
    return true;
}

static void shuffle(HostCompiler *hc, uint32_t op, Reg d, Reg s, unsigned imm)
{
    sse_rr(hc, op, d, s);
    x_u8(&hc->as, imm);
}

static void lower_dup(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t broadcast[4] = { 0x78, 0x79, 0x58, 0x59 };
    unsigned lane = in->aux & 3;
    Reg a = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, reg_is_vec(a) && is_free(hc, a) ? a : NO_REG, 0);
    if (!reg_is_vec(a)) {
        sse_rr(hc, I_MOVQ_XR | X_W, d, a);
        a = d;
    }
    if (has(hc, X_AVX2)) {
        sse_rr(hc, P38 | broadcast[lane], d, a);
    } else {
        if (d != a) {
            ra_move(hc, d, a, IR_V128);
        }
        switch (lane) {
        case IR_LANE_8:
            sse_rrr(hc, P | 0x60, d, d, d);                        /* punpcklbw */
            shuffle(hc, M_0F | P_F2 | 0x70, d, d, 0);              /* pshuflw */
            shuffle(hc, P | 0x70, d, d, 0);                        /* pshufd */
            break;
        case IR_LANE_16:
            shuffle(hc, M_0F | P_F2 | 0x70, d, d, 0);
            shuffle(hc, P | 0x70, d, d, 0);
            break;
        case IR_LANE_32:
            shuffle(hc, P | 0x70, d, d, 0);
            break;
        default:
            sse_rrr(hc, P | 0x6c, d, d, d);                        /* punpcklqdq */
            break;
        }
    }
    ra_done(hc);
}

/* -- floating-point lanes ----------------------------------------------------------------------------- */

static void compare_unordered(HostCompiler *hc, bool wide, Reg d, Reg s)
{
    sse_rrr(hc, M_0F | (wide ? P_66 : 0) | 0xc2, d, s, s); /* cmpunord */
    x_u8(&hc->as, 3);
}

/* r[0]: the result, with NaNs in some lanes; mem: the canonical NaN in all lanes; x: wide. */
static void emit_canonical(HostCompiler *hc, const Ool *o)
{
    Reg d = o->r[0];
    sse_rrr(hc, M_0F | (o->x ? P_66 : 0) | 0xc2, REG_VTMP, d, d);
    x_u8(&hc->as, 3);
    /* d ^ (mask & (d ^ nan)) */
    sse_rrm(hc, I_XORPS, d, d, o->mem);
    sse_rrr(hc, I_ANDPS, REG_VTMP, REG_VTMP, d);
    sse_rrm(hc, I_XORPS, d, d, o->mem);
    sse_rrr(hc, I_XORPS, d, d, REG_VTMP);
    ool_back(hc, o);
}

/* As for scalars (lower-fp.c): infinity times zero is invalid even when a quiet NaN is added. */
static void emit_canonical_fma(HostCompiler *hc, const Ool *o)
{
    Asm *as = &hc->as;
    sse_rm(hc, M_0F | 0xae, 3, arg_mem(0)); /* stmxcsr */
    sse_rrr(hc, M_0F | (o->x ? P_66 : 0) | 0x59, REG_VTMP, o->r[1], o->r[2]);
    sse_rm(hc, M_0F | 0xae, 3, arg_mem(1));
    x_load(as, 2, false, false, REG_TMP, arg_mem(1));
    x_alu_ri(as, false, A_AND, REG_TMP, 1);
    x_alu_mr(as, false, A_OR, arg_mem(0), REG_TMP);
    sse_rm(hc, M_0F | 0xae, 2, arg_mem(0)); /* ldmxcsr */
    emit_canonical(hc, o);
}

static void check_nan(HostCompiler *hc, bool wide, Reg d, Reg a, Reg b, void (*emit)(HostCompiler *, const Ool *))
{
    uint64_t nan = wide ? 0x7ff8000000000000 : 0x7fc000007fc00000;
    Mem mem = pool_u64x2(hc, nan, nan);
    compare_unordered(hc, wide, REG_VTMP, d);
    sse_rr(hc, M_0F | 0x50, REG_TMP, REG_VTMP); /* movmskps: any bit will do */
    x_test_rr(&hc->as, false, REG_TMP, REG_TMP);
    Ool *o = ool_jcc(hc, CC_NE, emit);
    o->r[0] = d;
    o->r[1] = a;
    o->r[2] = b;
    o->x = wide;
    o->mem = mem;
}

static bool lower_fp_lanes(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t opcode[] = { 0x58, 0x5c, 0x59, 0x5e };
    unsigned lane = in->aux & 15;
    bool wide = lane == IR_LANE_64;
    static_assert(IR_vfdiv - IR_vfadd == 3, "opcode[] follows the order of ops.def");

    if (lane < IR_LANE_32 || hc->target->fp.nan != FP_NAN_CANONICAL || hc->target->fp.tininess_before) {
        return false;
    }
    uint32_t prefix = M_0F | (wide ? P_66 : 0);
    if (in->op == IR_vfsqrt) {
        Reg a = ra_use(hc, hc->ops[0]);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, a) ? a : NO_REG, 0);
        sse_rr(hc, prefix | 0x51, d, a);
        check_nan(hc, wide, d, NO_REG, NO_REG, emit_canonical);
        ra_done(hc);
        return true;
    }
    if (in->op == IR_vfma) {
        unsigned signs = in->aux >> 4;
        if (!has(hc, X_FMA)) {
            return false;
        }
        Reg a = ra_use(hc, hc->ops[0]), b = ra_use(hc, hc->ops[1]), c = ra_use(hc, hc->ops[2]);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, c) && c != a && c != b ? c : NO_REG, bit_of(a) | bit_of(b));
        if (d != c) {
            ra_move(hc, d, c, IR_V128);
        }
        v_rrr(&hc->as, P38 | x_w(wide) | (0xb8 + (signs & IR_FMA_NEG_ADDEND ? 2 : 0) +
                                          (signs & IR_FMA_NEG_PRODUCT ? 4 : 0)), d, a, b);
        check_nan(hc, wide, d, a, b, emit_canonical_fma);
        ra_done(hc);
        return true;
    }
    Reg a = ra_use(hc, hc->ops[0]), b = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    Reg d = emit_two(hc, prefix | opcode[in->op - IR_vfadd], a, b);
    check_nan(hc, wide, d, NO_REG, NO_REG, emit_canonical);
    ra_done(hc);
    return true;
}

void lower_vec(HostCompiler *hc, const IrInsn *in)
{
    bool done = false;

    if (in->type != IR_V128) {
        lower_by_call(hc, in);
        return;
    }
    switch (in->op) {
    case IR_vshl:
    case IR_vshr:
    case IR_vsar:
        done = lower_shift(hc, in);
        break;
    case IR_vshlv:
    case IR_vshrv:
    case IR_vsarv:
        done = lower_shift_lanes(hc, in);
        break;
    case IR_vdup:
        lower_dup(hc, in);
        return;
    case IR_vfadd:
    case IR_vfsub:
    case IR_vfmul:
    case IR_vfdiv:
    case IR_vfsqrt:
    case IR_vfma:
        done = lower_fp_lanes(hc, in);
        break;
    default: {
        uint32_t op = two_opcode(hc, in);
        if (op) {
            Reg a = ra_use(hc, hc->ops[0]), b = ra_use(hc, hc->ops[1]);
            ra_consume(hc);
            emit_two(hc, op, a, b);
            ra_done(hc);
            done = true;
        }
        break;
    }
    }
    if (!done) {
        lower_by_call(hc, in);
    }
}
