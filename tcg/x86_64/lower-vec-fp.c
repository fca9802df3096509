/*
 * lower-vec-fp.c: floating-point vectors.
 *
 * Under a NaN policy other than the host's, results with a NaN among the lanes are mended out of line, or go to the
 * interpreter's definition by a host call; under FP_NAN_X86 the host's instruction is the operation, and the order of its
 * operands says which NaN wins. Fused multiply-add picks among a, b and c in this order in every form.
 */
#include "tcg/x86_64/host.h"

static inline uint32_t bit_of(Reg r) { return 1u << r; }
static inline bool is_free(const HostCompiler *hc, Reg r) { return !(hc->used >> r & 1); }
static inline uint32_t wide(IrType type) { return type == IR_V256 ? X_256 : 0; }

enum { I_CMPPS = M_0F | 0xc2, I_MOVMSKPS = M_0F | 0x50 };

/* Sets the host's flags: NE when some lane of d is a NaN. */
static void test_nan(HostCompiler *hc, bool d64, uint32_t l, Reg d)
{
    uint32_t pp = d64 ? P_66 : 0;
    sse_rrr(hc, I_CMPPS | pp | l, REG_VTMP, d, d);
    x_u8(&hc->as, 3); /* unordered */
    sse_rr(hc, I_MOVMSKPS | pp | l, REG_TMP, REG_VTMP);
    x_test_rr(&hc->as, false, REG_TMP, REG_TMP);
}

/* r[0]: the result, with NaNs in some lanes; mem: the canonical NaN in all lanes; x: lane size and X_256. */
static void emit_canonical(HostCompiler *hc, const Ool *o)
{
    Reg d = o->r[0];
    uint32_t l = o->x & X_256;
    sse_rrr(hc, I_CMPPS | ((o->x & 3) == 3 ? P_66 : 0) | l, REG_VTMP, d, d);
    x_u8(&hc->as, 3);
    /* d ^ (mask & (d ^ nan)) */
    sse_rrm(hc, I_XORPS | l, d, d, o->mem);
    sse_rrr(hc, I_ANDPS | l, REG_VTMP, REG_VTMP, d);
    sse_rrm(hc, I_XORPS | l, d, d, o->mem);
    sse_rrr(hc, I_XORPS | l, d, d, REG_VTMP);
    ool_back(hc, o);
}

/* As for scalars (lower-fp.c): infinity times zero is invalid even when a quiet NaN is added. */
static void emit_canonical_fma(HostCompiler *hc, const Ool *o)
{
    Asm *as = &hc->as;
    sse_rm(hc, M_0F | 0xae, 3, arg_mem(0)); /* stmxcsr */
    sse_rrr(hc, M_0F | ((o->x & 3) == 3 ? P_66 : 0) | 0x59 | (o->x & X_256), REG_VTMP, o->r[1], o->r[2]);
    sse_rm(hc, M_0F | 0xae, 3, arg_mem(1));
    x_load(as, 2, false, false, REG_TMP, arg_mem(1));
    x_alu_ri(as, false, A_AND, REG_TMP, 1);
    x_alu_mr(as, false, A_OR, arg_mem(0), REG_TMP);
    sse_rm(hc, M_0F | 0xae, 2, arg_mem(0)); /* ldmxcsr */
    emit_canonical(hc, o);
}

static void check_canonical(HostCompiler *hc, const IrInsn *in, Reg d, Reg a, Reg b)
{
    bool d64 = (in->aux & 15) == 3;
    uint32_t l = wide(in->type);
    uint64_t nan = d64 ? 0x7ff8000000000000 : 0x7fc000007fc00000;
    IrVecConst c = { .u64 = { nan, nan, nan, nan } };
    Mem mem = pool_vec(hc, &c, l ? 32 : 16);
    test_nan(hc, d64, l, d);
    Ool *o = ool_jcc(hc, CC_NE, in->op == IR_vfma ? emit_canonical_fma : emit_canonical);
    o->r[0] = d;
    o->r[1] = a;
    o->r[2] = b;
    o->x = (in->aux & 3) | l;
    o->mem = mem;
}

/* The same, and when some lane is the smallest normal number of either sign (lower-fp.c); AVX. */
static void test_nan_or_tiny(HostCompiler *hc, bool d64, uint32_t l, Reg d)
{
    uint32_t pp = d64 ? P_66 : 0;
    uint64_t magnitude = d64 ? 0x7fffffffffffffff : 0x7fffffff7fffffff, least = d64 ? 0x0010000000000000 : 0x0080000000800000;
    const IrVecConst m = { .u64 = { magnitude, magnitude, magnitude, magnitude } }, t = { .u64 = { least, least, least, least } };
    unsigned size = l ? 32 : 16;
    sse_rrm(hc, I_ANDPS | l, REG_VTMP, d, pool_vec(hc, &m, size));
    v_rrm(&hc->as, I_CMPPS | pp | l, REG_VTMP, REG_VTMP, pool_vec(hc, &t, size), 1);
    x_u8(&hc->as, 8); /* equal or unordered, quiet */
    sse_rr(hc, I_MOVMSKPS | pp | l, REG_TMP, REG_VTMP);
    x_test_rr(&hc->as, false, REG_TMP, REG_TMP);
}

/* Some lane is a NaN: all over again by the interpreter's rules. r[0] result, r[1..3] operands. */
static void emit_vector_call(HostCompiler *hc, const Ool *o)
{
    static const uint8_t places[3] = { SPILL_VEC_A, SPILL_VEC_B, SPILL_VEC_ARG };
    const IrInsn *in = &hc->insns[o->insn];
    for (unsigned k = 0; k < 3; k++) {
        if (o->r[k + 1] != NO_REG) {
            ra_store(hc, spill_mem(places[k]), in->type, o->r[k + 1]);
        }
    }
    emit_host_call(hc, HOST_CALL_VEC, o->imm);
    ra_load(hc, o->r[0], in->type, spill_mem(SPILL_VEC_ARG));
    ool_back(hc, o);
}

/* On NE, `in` by the interpreter's definition; returns the out-of-line code's index. */
static size_t vector_call(HostCompiler *hc, const IrInsn *in, Reg d, const Reg r[3])
{
    Ool *o = ool_jcc(hc, CC_NE, emit_vector_call);
    o->r[0] = d;
    for (unsigned k = 0; k < 3; k++) {
        o->r[k + 1] = r[k];
    }
    o->imm = host_call_what(in->op, in->type, in->type, in->aux) | (uint64_t)in->type << 24;
    return (size_t)(o - hc->ool.at);
}

static inline void ool_back_here_vec(HostCompiler *hc, size_t index) { hc->ool.at[index].back = x_offset(&hc->as); }

/* ---- IR_FP_STD: lanes of 32 bits, AVX ---- */

enum { I_PTEST = M_38 | P_66 | 0x17 };

static Mem magnitudes32(HostCompiler *hc) { return pool_u64x2(hc, 0x7fffffff7fffffff, 0x7fffffff7fffffff); }
static Mem least_normals32(HostCompiler *hc) { return pool_u64x2(hc, 0x0080000000800000, 0x0080000000800000); }

/* t = lanes of r whose magnitude has the relation to the smallest normal number. */
static void select_by_magnitude(HostCompiler *hc, Reg t, Reg r, int relation)
{
    sse_rrm(hc, I_ANDPS, t, r, magnitudes32(hc));
    v_rrm(&hc->as, I_CMPPS, t, t, least_normals32(hc), 1);
    x_u8(&hc->as, (uint8_t)relation);
    sse_rrr(hc, I_ANDPS, t, t, r);
}

/* Is it the result of such an operation, and so no subnormal? */
static bool is_flushed(const HostCompiler *hc, IrRef v)
{
    const IrInsn *in = &hc->insns[v];
    return in->op >= IR_vfadd && in->op <= IR_vfmax && in->aux >> 4 & IR_FP_STD;
}

/* NE if an operand is subnormal, before anything has been raised. t is overwritten. False: none can be. */
static bool test_subnormal(HostCompiler *hc, const IrInsn *in, Reg t, const Reg r[3])
{
    enum { LT_OQ = 0x11 };
    const IrRef refs[3] = { in->a, in->b, in->c };
    bool any = false;
    for (unsigned k = 0; k < 3 && r[k] != NO_REG; k++) {
        if (is_flushed(hc, refs[k]) || (k && r[k] == r[0]) || (k == 2 && r[2] == r[1])) {
            continue;
        }
        select_by_magnitude(hc, any ? REG_VTMP : t, r[k], LT_OQ);
        if (any) {
            sse_rrr(hc, I_ORPS, t, t, REG_VTMP);
        }
        any = true;
    }
    if (any) {
        sse_rm(hc, I_PTEST, t, magnitudes32(hc));
    }
    return any;
}

/* The same of a result: NE if some lane is a NaN, subnormal or the smallest normal number. */
static void test_result(HostCompiler *hc, Reg d)
{
    enum { NGT_UQ = 0x1a };
    select_by_magnitude(hc, REG_VTMP, d, NGT_UQ);
    sse_rm(hc, I_PTEST, REG_VTMP, magnitudes32(hc));
}

static void fma_insn(HostCompiler *hc, const IrInsn *in, Reg d, const Reg r[3])
{
    unsigned flags = in->aux >> 4;
    bool low = flags & IR_LANE_LOW, d64 = (in->aux & 3) == 3;
    unsigned rest = !low || flags & IR_FMA_REST_C ? 2 : flags & IR_FMA_REST_B ? 1 : 0;
    unsigned neg = (flags & IR_FMA_NEG_ADDEND ? 2 : 0) + (flags & IR_FMA_NEG_PRODUCT ? 4 : 0);
    uint32_t op = M_38 | P_66 | wide(in->type) | x_w(d64) | (low ? 1 : 0);
    ra_move(hc, d, r[rest], in->type);
    switch (rest) {
    case 0: v_rrr(&hc->as, op | (0x98 + neg), d, r[2], r[1]); break; /* vfmadd132: d * rm + v */
    case 1: v_rrr(&hc->as, op | (0xa8 + neg), d, r[0], r[2]); break; /* vfmadd213: v * d + rm */
    default: v_rrr(&hc->as, op | (0xb8 + neg), d, r[0], r[1]); break; /* vfmadd231: v * rm + d */
    }
}

/* The prefix of packed and of lowest-lane forms. */
static uint32_t float_prefix(unsigned lane, bool low)
{
    return lane == 3 ? (low ? P_F2 : P_66) : low ? P_F3 : 0;
}

static bool lower_arith(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t opcode[] = { 0x58, 0x5c, 0x59, 0x5e, 0x51 };
    unsigned lane = in->aux & 3;
    bool d64 = lane == 3, fma = in->op == IR_vfma, low = in->aux >> 4 & IR_LANE_LOW;
    uint32_t l = wide(in->type), pp = float_prefix(lane, low);
    bool own = hc->target->fp.nan == FP_NAN_X86;
    bool canonical = hc->target->fp.nan == FP_NAN_CANONICAL;
    bool tiny = hc->target->fp.tininess_before && in->op != IR_vfadd && in->op != IR_vfsub && in->op != IR_vfsqrt;
    bool standard = in->aux >> 4 & IR_FP_STD;
    if ((standard && (!has(hc, X_AVX) || low)) || (tiny && (canonical || own || !has(hc, X_AVX))) || (fma && !has(hc, X_FMA)) || (low && !own)) {
        return false;
    }
    unsigned n = ir_op_info[in->op].n_operands;
    if (own && n == 2) {
        lower_vec_binary(hc, in, M_0F | pp | opcode[in->op - IR_vfadd], hc->ops[0], hc->ops[1], -1);
        return true;
    }
    Reg r[3] = { NO_REG, NO_REG, NO_REG };
    uint32_t avoid = 0;
    for (unsigned k = 0; k < n; k++) {
        r[k] = ra_use(hc, hc->ops[k]);
        avoid |= bit_of(r[k]);
    }
    ra_consume(hc);
    Reg hint = NO_REG;
    if (canonical || own) {
        /* In place where the instruction allows it; else the operands stay as they are for the other path. */
        unsigned in_place = !fma ? 0 : !low || in->aux >> 4 & IR_FMA_REST_C ? 2 : in->aux >> 4 & IR_FMA_REST_B ? 1 : 0;
        hint = r[in_place];
        avoid = !fma && n == 2 && !has(hc, X_AVX) && r[0] != r[1] ? bit_of(r[1]) : 0;
        for (unsigned k = 0; fma && k < 3; k++) {
            avoid |= k != in_place ? bit_of(r[k]) : 0;
        }
        if (!is_free(hc, hint) || (avoid >> hint & 1)) {
            hint = NO_REG;
        }
    }
    Reg d = ra_dest(hc, hint, avoid);
    size_t subnormal = 0;
    if (standard && test_subnormal(hc, in, d, r)) {
        subnormal = 1 + vector_call(hc, in, d, r);
    }
    if (fma) {
        fma_insn(hc, in, d, r);
    } else if (n == 1) {
        sse_rr(hc, M_0F | pp | opcode[in->op - IR_vfadd] | l, d, r[0]);
    } else {
        sse_rrr(hc, M_0F | pp | opcode[in->op - IR_vfadd] | l, d, r[0], r[1]);
    }
    if (standard) {
        test_result(hc, d);
        vector_call(hc, in, d, r);
        if (subnormal) {
            ool_back_here_vec(hc, subnormal - 1);
        }
    } else if (canonical) {
        check_canonical(hc, in, d, r[0], r[1]);
    } else if (!own) {
        (tiny ? test_nan_or_tiny : test_nan)(hc, d64, l, d);
        vector_call(hc, in, d, r);
    }
    ra_done(hc);
    return true;
}

/* Under FP_NAN_ARM. Both orders: they differ for zeros of different sign only, and then or/and picks the right one. */
static bool lower_minmax_lanes(HostCompiler *hc, const IrInsn *in)
{
    bool max = in->op == IR_vfmax;
    uint32_t l = wide(in->type), op = M_0F | float_prefix(in->aux & 3, false) | (max ? 0x5f : 0x5d) | l;
    if (in->aux >> 4 & IR_LANE_LOW || (in->aux >> 4 & 3) == IR_MINMAX_X86 || (in->aux >> 4 & IR_FP_STD && !has(hc, X_AVX))) {
        return false;
    }
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    const Reg r[3] = { ra, rb, NO_REG };
    Reg d = ra_dest(hc, NO_REG, bit_of(ra) | bit_of(rb));
    size_t subnormal = in->aux >> 4 & IR_FP_STD && test_subnormal(hc, in, d, r) ? 1 + vector_call(hc, in, d, r) : 0;
    sse_rrr(hc, I_CMPPS | float_prefix(in->aux & 3, false) | l, REG_VTMP, ra, rb);
    x_u8(&hc->as, 3); /* unordered */
    sse_rr(hc, I_MOVMSKPS | float_prefix(in->aux & 3, false) | l, REG_TMP, REG_VTMP);
    x_test_rr(&hc->as, false, REG_TMP, REG_TMP);
    size_t slow = vector_call(hc, in, d, r);
    sse_rrr(hc, op, REG_VTMP, rb, ra);
    sse_rrr(hc, op, d, ra, rb);
    sse_rrr(hc, (max ? I_ANDPS : I_ORPS) | l, d, d, REG_VTMP);
    hc->ool.at[slow].back = x_offset(&hc->as);
    if (subnormal) {
        ool_back_here_vec(hc, subnormal - 1);
    }
    ra_done(hc);
    return true;
}

/* The predicate of cmpps by relation and IR_FREL_SIG: SDM, table 3-1 of CMPPD. */
static int predicate(unsigned frel)
{
    enum { LT = IR_FREL_LT, EQ = IR_FREL_EQ, GT = IR_FREL_GT, UN = IR_FREL_UNORD, SIG = IR_FREL_SIG };
    static const uint8_t of[32] = {
        EQ, LT | SIG, LT | EQ | SIG, UN, LT | GT | UN, EQ | GT | UN | SIG, GT | UN | SIG, LT | EQ | GT,
        EQ | UN, LT | UN | SIG, LT | EQ | UN | SIG, 0, LT | GT, EQ | GT | SIG, GT | SIG, LT | EQ | GT | UN,
    };
    for (unsigned i = 0; i < 32; i++) {
        /* The second half is the first with the other way of signalling. */
        if ((i < 16 ? of[i] : of[i - 16] ^ SIG) == frel) {
            return i;
        }
    }
    return -1;
}

static unsigned mirrored(unsigned frel)
{
    unsigned lt = frel & IR_FREL_LT, gt = frel & IR_FREL_GT;
    return (frel & ~(unsigned)(IR_FREL_LT | IR_FREL_GT)) | (lt ? IR_FREL_GT : 0) | (gt ? IR_FREL_LT : 0);
}

static bool lower_fcmp_standard(HostCompiler *hc, const IrInsn *in)
{
    int p = predicate(in->aux >> 4 & (IR_FREL_STD - 1));
    if (!has(hc, X_AVX) || p < 0 || in->aux & 4) {
        return false;
    }
    const Reg r[3] = { ra_use(hc, hc->ops[0]), ra_use(hc, hc->ops[1]), NO_REG };
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, bit_of(r[0]) | bit_of(r[1]));
    size_t subnormal = test_subnormal(hc, in, d, r) ? 1 + vector_call(hc, in, d, r) : 0;
    v_rrr(&hc->as, I_CMPPS, d, r[0], r[1]);
    x_u8(&hc->as, (uint8_t)p);
    if (subnormal) {
        ool_back_here_vec(hc, subnormal - 1);
    }
    ra_done(hc);
    return true;
}

static bool lower_fcmp_lanes(HostCompiler *hc, const IrInsn *in)
{
    if (in->aux >> 4 & IR_FREL_STD) {
        return lower_fcmp_standard(hc, in);
    }
    unsigned frel = in->aux >> 4, lane = in->aux & 3;
    bool low = in->aux & 4;
    int p = predicate(frel);
    IrRef a = hc->ops[0], b = hc->ops[1];
    if (p >= 8 && !has(hc, X_AVX)) {
        p = predicate(mirrored(frel));
        if (p >= 8 || low) {
            return false;
        }
        a = hc->ops[1];
        b = hc->ops[0];
    }
    lower_vec_binary(hc, in, I_CMPPS | float_prefix(lane, low), a, b, p);
    return true;
}

/* d = OP a, `imm` follows unless it is negative. */
static bool unary(HostCompiler *hc, const IrInsn *in, uint32_t op, int imm)
{
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    sse_rr(hc, op | wide(in->type), d, ra);
    if (imm >= 0) {
        x_u8(&hc->as, imm);
    }
    ra_done(hc);
    return true;
}

/* The immediate of roundps and vcvtps2ph but for its inexact bit; -1: not to be had. */
static int rounding_imm(unsigned rm)
{
    static const int8_t mode[] = { [IR_RM_DYN] = 4, [IR_RM_NEAREST_EVEN] = 0, [IR_RM_DOWN] = 1, [IR_RM_UP] = 2,
                                   [IR_RM_ZERO] = 3, [IR_RM_NEAREST_AWAY] = -1 };
    return mode[rm];
}

/* Conversions whose results under FP_NAN_ARM and FP_TO_INT_ARM are not always the host's. */
static bool lower_convert_arm(HostCompiler *hc, const IrInsn *in, uint32_t op)
{
    bool to_int = (in->aux & 15) == IR_CVT_F32_I32;
    if (!to_int && !has(hc, X_AVX)) {
        return false;
    }
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, bit_of(ra));
    sse_rr(hc, op, d, ra);
    if (to_int) { /* the host answers MIN for everything it cannot convert */
        const IrVecConst least = { .u32 = { 0x80000000, 0x80000000, 0x80000000, 0x80000000 } };
        sse_rrm(hc, M_0F | P_66 | 0x76, REG_VTMP, d, pool_vec(hc, &least, 16));
        sse_rr(hc, I_MOVMSKPS, REG_TMP, REG_VTMP);
        x_test_rr(&hc->as, false, REG_TMP, REG_TMP);
    } else {
        test_nan_or_tiny(hc, false, 0, d);
    }
    vector_call(hc, in, d, (const Reg[3]){ ra, NO_REG, NO_REG });
    ra_done(hc);
    return true;
}

static bool lower_convert(HostCompiler *hc, const IrInsn *in)
{
    static const struct { uint16_t dyn, zero; } op[] = {
        [IR_CVT_F32_F64] = { M_0F | 0x5a, M_0F | 0x5a },
        [IR_CVT_F64_F32] = { M_0F | P_66 | 0x5a, 0 },
        [IR_CVT_I32_F32] = { M_0F | 0x5b, 0 },
        [IR_CVT_I32_F64] = { M_0F | P_F3 | 0xe6, M_0F | P_F3 | 0xe6 },
        [IR_CVT_F32_I32] = { M_0F | P_66 | 0x5b, M_0F | P_F3 | 0x5b },
        [IR_CVT_F64_I32] = { M_0F | P_F2 | 0xe6, M_0F | P_66 | 0xe6 },
        [IR_CVT_F16_F32] = { M_38 | P_66 | 0x13, M_38 | P_66 | 0x13 },
        [IR_CVT_F32_F16] = { M_3A | P_66 | 0x1d, M_3A | P_66 | 0x1d },
    };
    unsigned kind = in->aux & 15, rm = in->aux >> 4;
    bool half = kind == IR_CVT_F16_F32 || kind == IR_CVT_F32_F16;
    if (half && (!has(hc, X_F16C) || hc->target->fp.nan != FP_NAN_X86)) {
        return false;
    }
    if (kind == IR_CVT_F32_F16) {
        if (rounding_imm(rm) < 0) {
            return false;
        }
        Reg ra = ra_use(hc, hc->ops[0]);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        v_rrr(&hc->as, op[kind].dyn, ra, 0, d);
        x_u8(&hc->as, rounding_imm(rm));
        ra_done(hc);
        return true;
    }
    if (kind == IR_CVT_F64_I32 && hc->target->fp.to_int != FP_TO_INT_X86) {
        return false;
    }
    uint32_t insn = rm == IR_RM_DYN ? op[kind].dyn : rm == IR_RM_ZERO ? op[kind].zero : 0;
    if (insn && hc->target->fp.nan == FP_NAN_ARM && (kind == IR_CVT_F64_F32 || kind == IR_CVT_F32_I32)) {
        return lower_convert_arm(hc, in, insn);
    }
    return insn && unary(hc, in, insn, -1);
}

unsigned x64_float_memory_bytes(const HostCompiler *hc, const IrInsn *in)
{
    const FpPolicy *fp = &hc->target->fp;
    unsigned lane_bytes = 1u << (in->aux & 3);
    if (fp->nan != FP_NAN_X86 || fp->to_int != FP_TO_INT_X86 || fp->tininess_before) {
        return 0;
    }
    switch (in->op) {
    case IR_vfadd: case IR_vfsub: case IR_vfmul: case IR_vfdiv: return in->aux >> 4 & IR_LANE_LOW ? lane_bytes : 16;
    case IR_vfmin: case IR_vfmax:
        return (in->aux >> 4 & 3) != IR_MINMAX_X86 ? 0 : in->aux >> 4 & IR_LANE_LOW ? lane_bytes : 16;
    case IR_vfcmp: return in->aux & 4 ? lane_bytes : 16;
    case IR_vfaddsub: return 16;
    default: return 0;
    }
}

bool lower_vec_float(HostCompiler *hc, const IrInsn *in)
{
    unsigned lane = in->aux & 3;
    bool low = in->aux >> 4 & IR_LANE_LOW;
    if (in->op <= IR_vfma) {
        return lower_arith(hc, in);
    }
    if (in->op == IR_vfcmp) {
        return lower_fcmp_lanes(hc, in);
    }
    bool arm = hc->target->fp.nan == FP_NAN_ARM && hc->target->fp.to_int == FP_TO_INT_ARM;
    if (!arm && (hc->target->fp.nan != FP_NAN_X86 || hc->target->fp.to_int != FP_TO_INT_X86 || hc->target->fp.tininess_before)) {
        return false;
    }
    switch (in->op) {
    case IR_vfmin: case IR_vfmax:
        if (arm) {
            return lower_minmax_lanes(hc, in);
        }
        if ((in->aux >> 4 & 3) != IR_MINMAX_X86) {
            return false;
        }
        lower_vec_binary(hc, in, M_0F | float_prefix(lane, low) | (in->op == IR_vfmin ? 0x5d : 0x5f), hc->ops[0], hc->ops[1], -1);
        return true;
    case IR_vfaddsub:
        if (arm || !has(hc, X_SSSE3)) {
            return false;
        }
        lower_vec_binary(hc, in, M_0F | (lane == 3 ? P_66 : P_F2) | 0xd0, hc->ops[0], hc->ops[1], -1);
        return true;
    case IR_vfcvt:
        return lower_convert(hc, in);
    default: { /* vfround */
        unsigned rm = in->aux >> 4;
        int imm = rounding_imm(rm & IR_RM_MASK);
        if (!has(hc, X_SSE41) || imm < 0) {
            return false;
        }
        return unary(hc, in, M_3A | P_66 | (lane == 3 ? 0x09 : 0x08), imm | (rm & IR_ROUND_EXACT ? 0 : 8));
    }
    }
}
