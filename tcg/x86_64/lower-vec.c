/*
 * lower-vec.c: vectors on SSE2 and what is there beyond: SSSE3, SSE4.1/4.2, AVX, AVX2, FMA.
 *
 * V256 integer operations need AVX2; V256 bitwise and floating ones AVX. What the host has no instruction
 * for goes to the interpreter's definition by a host call. Here: bits and integer arithmetic within lanes.
 */
#include "tcg/x86_64/host.h"

static inline uint32_t bit_of(Reg r) { return 1u << r; }
static inline bool is_free(const HostCompiler *hc, Reg r) { return !(hc->used >> r & 1); }

/* An instruction of the 66 0F map by lane size, in 0F38 where marked; 0: none. */
enum { NONE = 0, V38 = M_38 | P_66, V0F = M_0F | P_66 };

typedef struct LaneOp {
    uint16_t op[4];
    uint16_t need[4]; /* features beyond SSE2 */
} LaneOp;

static const LaneOp lane_ops[] = {
    [IR_vadd - IR_vadd] = { { V0F | 0xfc, V0F | 0xfd, V0F | 0xfe, V0F | 0xd4 }, { 0 } },
    [IR_vsub - IR_vadd] = { { V0F | 0xf8, V0F | 0xf9, V0F | 0xfa, V0F | 0xfb }, { 0 } },
    [IR_vmul - IR_vadd] = { { NONE, V0F | 0xd5, V38 | 0x40, NONE }, { 0, 0, X_SSE41 } },
    [IR_vmins - IR_vadd] = { { V38 | 0x38, V0F | 0xea, V38 | 0x39, NONE }, { X_SSE41, 0, X_SSE41 } },
    [IR_vmaxs - IR_vadd] = { { V38 | 0x3c, V0F | 0xee, V38 | 0x3d, NONE }, { X_SSE41, 0, X_SSE41 } },
    [IR_vminu - IR_vadd] = { { V0F | 0xda, V38 | 0x3a, V38 | 0x3b, NONE }, { 0, X_SSE41, X_SSE41 } },
    [IR_vmaxu - IR_vadd] = { { V0F | 0xde, V38 | 0x3e, V38 | 0x3f, NONE }, { 0, X_SSE41, X_SSE41 } },
    [IR_vsadds - IR_vadd] = { { V0F | 0xec, V0F | 0xed, NONE, NONE }, { 0 } },
    [IR_vsaddu - IR_vadd] = { { V0F | 0xdc, V0F | 0xdd, NONE, NONE }, { 0 } },
    [IR_vssubs - IR_vadd] = { { V0F | 0xe8, V0F | 0xe9, NONE, NONE }, { 0 } },
    [IR_vssubu - IR_vadd] = { { V0F | 0xd8, V0F | 0xd9, NONE, NONE }, { 0 } },
};

enum {
    I_PCMPEQD = V0F | 0x76, I_PUNPCKLQDQ = V0F | 0x6c, I_PSHUFD = V0F | 0x70, I_PSHUFLW = M_0F | P_F2 | 0x70,
};

static inline uint32_t wide(IrType type) { return type == IR_V256 ? X_256 : 0; }

/* Two-operand instructions: d may be neither operand's register by accident in the legacy forms. */
static Reg dest_for(HostCompiler *hc, Reg ra, Reg rb)
{
    bool avx = has(hc, X_AVX);
    return ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, avx || ra == rb ? 0 : bit_of(rb));
}

/* Nothing in a register, and better read where it is: a slot or spill that is not wanted again, a constant. */
static bool in_memory(HostCompiler *hc, IrRef v, Mem *ret)
{
    if (!val_is_const(hc, v)) {
        return ra_is_memory(hc, v, ret);
    }
    if (hc->val[v].reg != NO_REG || !ir_type_is_vec(hc->insns[v].type)) {
        return false;
    }
    *ret = pool_vec(hc, &hc->unit->vconst.at[hc->insns[v].imm], ir_type_bytes(hc->insns[v].type));
    return true;
}

void lower_vec_binary(HostCompiler *hc, const IrInsn *in, uint32_t op, IrRef a, IrRef b, int imm)
{
    Mem m;
    Reg ra, rb;
    if (fused_load(hc, in)) {
        lower_with_load(hc, in, op, imm);
        return;
    }
    bool moves = op == I_MOVSS_LD || op == I_MOVSD_LD; /* with memory they clear the rest */
    if (has(hc, X_AVX) && ir_op_info[in->op].flags & IR_OP_COMM && in_memory(hc, a, &m) && !in_memory(hc, b, &m)) {
        IrRef t = a;
        a = b;
        b = t;
    }
    ra = ra_use(hc, a);
    if (has(hc, X_AVX) && !moves && in_memory(hc, b, &m)) {
        /* Read no more: no register for it. Legacy forms would want it aligned. */
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        v_rrm(&hc->as, op | wide(in->type), d, ra, m, imm >= 0);
        if (imm >= 0) {
            x_u8(&hc->as, imm);
        }
        ra_done(hc);
        return;
    }
    rb = ra_use(hc, b);
    ra_consume(hc);
    Reg d = dest_for(hc, ra, rb);
    sse_rrr(hc, op | wide(in->type), d, ra, rb);
    if (imm >= 0) {
        x_u8(&hc->as, imm);
    }
    ra_done(hc);
}

static void binary(HostCompiler *hc, const IrInsn *in, uint32_t op, IrRef a, IrRef b)
{
    lower_vec_binary(hc, in, op, a, b, -1);
}

static void all_ones(HostCompiler *hc, Reg d, bool is_256)
{
    sse_rrr(hc, I_PCMPEQD | (is_256 && has(hc, X_AVX2) ? X_256 : 0), d, d, d);
    if (is_256 && !has(hc, X_AVX2)) {
        v_rrr(&hc->as, M_3A | P_66 | X_256 | 0x18, d, d, d); /* vinsertf128 */
        x_u8(&hc->as, 1);
    }
}

/* d = ~a */
static void complement(HostCompiler *hc, uint32_t l, Reg d, Reg a)
{
    if (has(hc, X_AVX512VL)) {
        e_rrr(&hc->as, I_VPTERNLOGQ | l, d, a, a);
        x_u8(&hc->as, 0x55);
        return;
    }
    all_ones(hc, REG_VTMP, l);
    sse_rrr(hc, I_XORPS | l, d, a, REG_VTMP);
}

static void lower_xor3(HostCompiler *hc, const IrInsn *in)
{
    Reg r[3];
    unsigned best = 0;

    for (unsigned i = 0; i < 3; i++) {
        r[i] = ra_use(hc, hc->ops[i]);
    }
    ra_consume(hc);
    for (unsigned i = 1; i < 3; i++) {
        best = is_free(hc, r[best]) ? best : i;
    }
    Reg x = r[best], y = r[(best + 1) % 3], z = r[(best + 2) % 3];
    Reg d = ra_dest(hc, is_free(hc, x) ? x : NO_REG, (bit_of(y) | bit_of(z)) & ~bit_of(x));
    ra_move(hc, d, x, in->type);
    e_rrr(&hc->as, I_VPTERNLOGQ | wide(in->type), d, y, z);
    x_u8(&hc->as, 0x96);
    ra_done(hc);
}

static bool lower_bitwise(HostCompiler *hc, const IrInsn *in)
{
    uint32_t l = wide(in->type);
    switch (in->op) {
    case IR_vand: binary(hc, in, I_ANDPS, hc->ops[0], hc->ops[1]); return true;
    case IR_vor: binary(hc, in, I_ORPS, hc->ops[0], hc->ops[1]); return true;
    case IR_vxor:
        if (hc->val[in->a].fused == FUSED_TEST) {
            lower_xor3(hc, in);
        } else {
            binary(hc, in, I_XORPS, hc->ops[0], hc->ops[1]);
        }
        return true;
    case IR_vandn: binary(hc, in, I_ANDNPS, hc->ops[1], hc->ops[0]); return true;
    case IR_vnot: {
        Reg ra = ra_use(hc, hc->ops[0]);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        complement(hc, l, d, ra);
        ra_done(hc);
        return true;
    }
    default: { /* vbsel: a & b | ~a & c */
        Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]), rc = ra_use(hc, hc->ops[2]);
        ra_consume(hc);
        if (has(hc, X_AVX512VL)) {
            Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, bit_of(rb) | bit_of(rc));
            ra_move(hc, d, ra, in->type);
            e_rrr(&hc->as, I_VPTERNLOGQ | l, d, rb, rc);
            x_u8(&hc->as, 0xca);
            ra_done(hc);
            return true;
        }
        Reg d = ra_dest(hc, NO_REG, bit_of(ra) | bit_of(rb) | bit_of(rc));
        sse_rrr(hc, I_ANDPS | l, d, ra, rb);
        sse_rrr(hc, I_ANDNPS | l, REG_VTMP, ra, rc);
        sse_rrr(hc, I_ORPS | l, d, d, REG_VTMP);
        ra_done(hc);
        return true;
    }
    }
}

static bool lower_lanes(HostCompiler *hc, const IrInsn *in)
{
    const LaneOp *lo = &lane_ops[in->op - IR_vadd];
    unsigned lane = in->aux & 3;
    if (!lo->op[lane] || (lo->need[lane] && !has(hc, lo->need[lane]))) {
        return false;
    }
    binary(hc, in, lo->op[lane], hc->ops[0], hc->ops[1]);
    return true;
}

static bool lower_neg_abs(HostCompiler *hc, const IrInsn *in)
{
    static const uint16_t abs_op[] = { V38 | 0x1c, V38 | 0x1d, V38 | 0x1e };
    unsigned lane = in->aux & 3;
    uint32_t l = wide(in->type);
    if (in->op == IR_vabs && (lane == 3 || !has(hc, X_SSSE3))) {
        return false;
    }
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, in->op == IR_vabs && is_free(hc, ra) ? ra : NO_REG, in->op == IR_vabs ? 0 : bit_of(ra));
    if (in->op == IR_vabs) {
        sse_rr(hc, abs_op[lane] | l, d, ra);
    } else {
        sse_rrr(hc, I_XORPS | l, d, d, d);
        sse_rrr(hc, lane_ops[IR_vsub - IR_vadd].op[lane] | l, d, d, ra);
    }
    ra_done(hc);
    return true;
}

static bool lower_vcmp(HostCompiler *hc, const IrInsn *in)
{
    static const uint16_t eq[] = { V0F | 0x74, V0F | 0x75, V0F | 0x76, V38 | 0x29 };
    static const uint16_t gt[] = { V0F | 0x64, V0F | 0x65, V0F | 0x66, V38 | 0x37 };
    unsigned lane = in->aux & 3, cond = in->aux >> 4;
    uint32_t l = wide(in->type);
    bool invert = false, flip = false;
    IrRef a = hc->ops[0], b = hc->ops[1];
    if (lane == 3 && !has(hc, X_SSE42)) {
        return false;
    }
    if (lower_vec_order(hc, in, cond)) {
        return true;
    }
    if (cond == IR_EQ || cond == IR_GT) {
        binary(hc, in, (cond == IR_EQ ? eq : gt)[lane], a, b);
        return true;
    }
    switch (cond) {
    case IR_NE: case IR_GE: case IR_LE: case IR_GEU: case IR_LEU: case IR_TSTNE:
        invert = true;
        cond = ir_cond_invert(cond);
        break;
    }
    if (cond == IR_LT || cond == IR_LTU) {
        IrRef t = a;
        a = b;
        b = t;
    }
    flip = cond == IR_LTU || cond == IR_GTU;
    Reg ra = ra_use(hc, a), rb = ra_use(hc, b);
    Reg t = flip ? ra_temp(hc, REGS_VEC) : NO_REG;
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, bit_of(ra) | bit_of(rb));
    if (cond == IR_TSTEQ) {
        sse_rrr(hc, I_ANDPS | l, d, ra, rb);
        sse_rrr(hc, I_XORPS | l, REG_VTMP, REG_VTMP, REG_VTMP);
        sse_rrr(hc, eq[lane] | l, d, d, REG_VTMP);
    } else if (cond == IR_EQ) { /* inverted */
        sse_rrr(hc, eq[lane] | l, d, ra, rb);
    } else if (flip) {
        /* Unsigned order is signed order with the top bits turned over. */
        static const uint64_t sign[] = { 0x8080808080808080, 0x8000800080008000,
                                         0x8000000080000000, 0x8000000000000000 };
        IrVecConst c = { .u64 = { sign[lane], sign[lane], sign[lane], sign[lane] } };
        sse_rm(hc, I_MOVUPS_LD | l, REG_VTMP, pool_vec(hc, &c, l ? 32 : 16));
        sse_rrr(hc, I_XORPS | l, d, ra, REG_VTMP);
        sse_rrr(hc, I_XORPS | l, t, rb, REG_VTMP);
        sse_rrr(hc, gt[lane] | l, d, d, t);
    } else {
        sse_rrr(hc, gt[lane] | l, d, ra, rb);
    }
    if (invert) {
        complement(hc, l, d, d);
    }
    ra_done(hc);
    return true;
}

/* By one count for all lanes. */
static bool lower_shift(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t by_xmm[3][4] = { { 0, 0xf1, 0xf2, 0xf3 }, { 0, 0xd1, 0xd2, 0xd3 }, { 0, 0xe1, 0xe2, 0 } };
    static const uint8_t digit[3] = { 6, 2, 4 };
    unsigned lane = in->aux & 3, kind = in->op - IR_vshl, bits = 8u << lane;
    uint32_t l = wide(in->type);
    Asm *as = &hc->as;
    IrRef count = hc->ops[1];
    if (!by_xmm[kind][lane]) {
        return false;
    }
    Reg ra = ra_use(hc, hc->ops[0]);
    if (val_is_const(hc, count)) {
        unsigned n = hc->insns[count].imm & (bits - 1);
        ra_consume(hc);
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        if (has(hc, X_AVX)) {
            v_rrr(as, V0F | (0x70 + lane) | l, digit[kind], d, ra);
        } else {
            ra_move(hc, d, ra, in->type);
            x_rr(as, V0F | (0x70 + lane), digit[kind], d);
        }
        x_u8(as, n);
        ra_done(hc);
        return true;
    }
    Reg rc = ra_use(hc, count);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    x_mov_rr(as, false, REG_TMP, rc);
    x_alu_ri(as, false, A_AND, REG_TMP, bits - 1);
    sse_rr(hc, I_MOVQ_XR, REG_VTMP, REG_TMP);
    sse_rrr(hc, V0F | by_xmm[kind][lane] | l, d, ra, REG_VTMP);
    ra_done(hc);
    return true;
}

/* By a count per lane: AVX2, 32 and 64 bits. */
static bool lower_shift_lanes(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t op[3] = { 0x47, 0x45, 0x46 };
    unsigned lane = in->aux & 3, kind = in->op - IR_vshlv;
    uint32_t l = wide(in->type);
    if (!has(hc, X_AVX2) || lane < 2 || (kind == 2 && lane == 3)) {
        return false;
    }
    uint64_t mask = lane == 3 ? 63 : 31 | (uint64_t)31 << 32;
    IrVecConst c = { .u64 = { mask, mask, mask, mask } };
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    v_rrm(&hc->as, I_ANDPS | l, REG_VTMP, rb, pool_vec(hc, &c, in->type == IR_V256 ? 32 : 16), 0);
    v_rrr(&hc->as, V38 | op[kind] | l | x_w(lane == 3), d, ra, REG_VTMP);
    ra_done(hc);
    return true;
}

static bool lower_dup(HostCompiler *hc, const IrInsn *in)
{
    static const uint16_t broadcast[] = { V38 | 0x78, V38 | 0x79, V38 | 0x58, V38 | 0x59 };
    unsigned lane = in->aux & 3;
    uint32_t l = wide(in->type);
    Asm *as = &hc->as;
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    if (!reg_is_vec(ra) && has(hc, X_AVX512VL)) {
        static const uint16_t from_general[] = { V38 | 0x7a, V38 | 0x7b, V38 | 0x7c, V38 | 0x7c | X_W };
        e_rrr(as, from_general[lane] | l, d, 0, ra);
        ra_done(hc);
        return true;
    }
    if (!reg_is_vec(ra)) {
        sse_rr(hc, I_MOVQ_XR | x_w(lane == 3), REG_VTMP, ra);
        ra = REG_VTMP;
    }
    if (has(hc, X_AVX2)) {
        v_rrr(as, broadcast[lane] | l, d, 0, ra);
    } else if (lane == 3) {
        ra_move(hc, REG_VTMP, ra, IR_V128);
        sse_rr(hc, I_PSHUFD, d, REG_VTMP);
        x_u8(as, 0x44);
    } else if (lane == 2) {
        sse_rr(hc, I_PSHUFD, d, ra);
        x_u8(as, 0);
    } else {
        if (lane == 0) {
            ra_move(hc, REG_VTMP, ra, IR_V128);
            sse_rrr(hc, V0F | 0x60, REG_VTMP, REG_VTMP, REG_VTMP); /* punpcklbw */
            ra = REG_VTMP;
        }
        sse_rr(hc, I_PSHUFLW, d, ra);
        x_u8(as, 0);
        sse_rrr(hc, I_PUNPCKLQDQ, d, d, d);
    }
    ra_done(hc);
    return true;
}

/* The 16 bytes that hold the lane, as an xmm register: REG_VTMP for an upper half. */
static Reg half_of(HostCompiler *hc, Reg r, unsigned *index, unsigned lane)
{
    unsigned per_half = 16u >> lane;
    if (*index < per_half) {
        return r;
    }
    *index -= per_half;
    v_rrr(&hc->as, M_3A | P_66 | X_256 | 0x19, r, 0, REG_VTMP); /* vextractf128 */
    x_u8(&hc->as, 1);
    return REG_VTMP;
}

static bool lower_get_lane(HostCompiler *hc, const IrInsn *in)
{
    unsigned lane = in->aux & 15, index = in->aux >> 4;
    Asm *as = &hc->as;
    if (!has(hc, X_SSE41) && lane != 1 && index) {
        return false;
    }
    if (!has(hc, X_SSE41) && lane == 0) {
        return false;
    }
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    Reg h = half_of(hc, ra, &index, lane);
    if (lane >= 2 && index == 0) {
        sse_rr(hc, I_MOVQ_RX | x_w(lane == 3), h, d);
    } else if (lane == 1) {
        sse_rr(hc, V0F | 0xc5, d, h); /* pextrw */
        x_u8(as, index);
    } else {
        sse_rr(hc, M_3A | P_66 | (lane == 0 ? 0x14 : 0x16) | x_w(lane == 3), h, d);
        x_u8(as, index);
    }
    ra_done(hc);
    return true;
}

static bool lower_set_lane(HostCompiler *hc, const IrInsn *in)
{
    static const uint16_t op[] = { M_3A | P_66 | 0x20, V0F | 0xc4, M_3A | P_66 | 0x22, M_3A | P_66 | 0x22 };
    unsigned lane = in->aux & 15, index = in->aux >> 4, at = index;
    Asm *as = &hc->as;
    if (!has(hc, X_SSE41) && lane != 1) {
        return false;
    }
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    uint32_t o = op[lane] | x_w(lane == 3);
    if (in->type == IR_V256) {
        Reg h = half_of(hc, ra, &at, lane);
        v_rrr(as, o, REG_VTMP, h, rb);
        x_u8(as, at);
        v_rrr(as, M_3A | P_66 | X_256 | 0x18, d, ra, REG_VTMP); /* vinsertf128 */
        x_u8(as, at != index);
    } else {
        if (has(hc, X_AVX)) {
            v_rrr(as, o, d, ra, rb);
        } else {
            ra_move(hc, d, ra, in->type);
            x_rr(as, o, d, rb);
        }
        x_u8(as, index);
    }
    ra_done(hc);
    return true;
}

unsigned x64_vec_memory_bytes(const HostCompiler *hc, const IrInsn *in)
{
    unsigned lane = in->aux & 3, cond = in->aux >> 4;
    switch (in->op) {
    case IR_vand: case IR_vor: case IR_vxor: return 16;
    case IR_vcmp: return cond == IR_EQ || cond == IR_GT ? 16 : 0;
    case IR_vadd: case IR_vsub: case IR_vmul: case IR_vmins: case IR_vmaxs: case IR_vminu: case IR_vmaxu:
    case IR_vsadds: case IR_vsaddu: case IR_vssubs: case IR_vssubu: return lane_ops[in->op - IR_vadd].op[lane] ? 16 : 0;
    default: return in->op >= IR_vfadd ? x64_float_memory_bytes(hc, in) : in->op >= IR_vlow ? x64_move_memory_bytes(in) : 0;
    }
}

void lower_vec(HostCompiler *hc, const IrInsn *in)
{
    IrType type = ir_type_is_vec(in->type) ? in->type : hc->insns[in->a].type;
    bool done = false;
    bool bitwise = in->op >= IR_vand && in->op <= IR_vbsel, is_float = in->op >= IR_vfadd;
    if (type == IR_V256 && !has(hc, bitwise || is_float ? X_AVX : X_AVX2)) {
        lower_by_call(hc, in);
        return;
    }
    if (in->op >= IR_CRYPTO_FIRST && in->op <= IR_CRYPTO_LAST) {
        done = lower_crypto(hc, in);
    } else if (bitwise) {
        done = lower_bitwise(hc, in);
    } else if (is_float) {
        done = lower_vec_float(hc, in);
    } else if (in->op >= IR_vlow) {
        done = lower_vec_move(hc, in);
    } else {
        switch (in->op) {
        case IR_vget_lane: done = lower_get_lane(hc, in); break;
        case IR_vset_lane: done = lower_set_lane(hc, in); break;
        case IR_vdup: done = lower_dup(hc, in); break;
        case IR_vneg: case IR_vabs: done = lower_neg_abs(hc, in); break;
        case IR_vshl: case IR_vshr: case IR_vsar: done = lower_shift(hc, in); break;
        case IR_vshlv: case IR_vshrv: case IR_vsarv: done = lower_shift_lanes(hc, in); break;
        case IR_vcmp: done = lower_vcmp(hc, in); break;
        default: done = lower_lanes(hc, in); break;
        }
    }
    if (!done && !lower_vec_expand(hc, in)) {
        lower_by_call(hc, in);
    }
}
