/*
 * lower-vec-move.c: vector operations that move, combine or resize lanes, mostly one host instruction each by a table.
 * A row's forms by lane size; what the host's instruction set lacks is done by two or three baseline instructions where
 * compilers' code has it often, else by the interpreter's definition.
 */
#include "tcg/x86_64/host.h"

static inline uint32_t bit_of(Reg r) { return 1u << r; }
static inline bool is_free(const HostCompiler *hc, Reg r) { return !(hc->used >> r & 1); }
static inline uint32_t wide(IrType type) { return type == IR_V256 ? X_256 : 0; }

enum {
    NONE = 0, V38 = M_38 | P_66, V0F = M_0F | P_66, V3A = M_3A | P_66,
    I_PSHUFD = V0F | 0x70, I_PMOVMSKB = V0F | 0xd7, I_PCMPEQB = V0F | 0x74, I_PCMPGTB = V0F | 0x64,
};

enum { BINARY = 1, SWAPPED, UNARY, IMM = 8 };

typedef struct Row {
    uint8_t form;
    uint16_t op[4];   /* by lane size; one for operations without */
    uint16_t need[4];
} Row;

#define ROW(name) [IR_##name - IR_vlow]
static const Row rows[] = {
    ROW(vzip_lo) = { BINARY, { V0F | 0x60, V0F | 0x61, V0F | 0x62, V0F | 0x6c }, { 0 } },
    ROW(vzip_hi) = { BINARY, { V0F | 0x68, V0F | 0x69, V0F | 0x6a, V0F | 0x6d }, { 0 } },
    ROW(vpack_s) = { BINARY, { NONE, V0F | 0x63, V0F | 0x6b, NONE }, { 0 } },
    ROW(vpack_u) = { BINARY, { NONE, V0F | 0x67, V38 | 0x2b, NONE }, { 0, 0, X_SSE41 } },
    ROW(vtbl) = { BINARY, { V38 | 0x00 }, { X_SSSE3 } },
    ROW(vsel32) = { BINARY | IMM, { M_0F | 0xc6 }, { 0 } },
    ROW(vsel64) = { BINARY | IMM, { V0F | 0xc6 }, { 0 } },
    ROW(vperm32) = { UNARY | IMM, { I_PSHUFD }, { 0 } },
    ROW(vperm16_lo) = { UNARY | IMM, { M_0F | P_F2 | 0x70 }, { 0 } },
    ROW(vperm16_hi) = { UNARY | IMM, { M_0F | P_F3 | 0x70 }, { 0 } },
    ROW(vext) = { SWAPPED | IMM, { V3A | 0x0f }, { X_SSSE3 } },
    ROW(vmulhs) = { BINARY, { NONE, V0F | 0xe5, NONE, NONE }, { 0 } },
    ROW(vmulhu) = { BINARY, { NONE, V0F | 0xe4, NONE, NONE }, { 0 } },
    ROW(vmulhr) = { BINARY, { NONE, V38 | 0x0b, NONE, NONE }, { 0, X_SSSE3 } },
    ROW(vmulws) = { BINARY, { NONE, NONE, V38 | 0x28, NONE }, { 0, 0, X_SSE41 } },
    ROW(vmulwu) = { BINARY, { NONE, NONE, V0F | 0xf4, NONE }, { 0 } },
    ROW(vmadds) = { BINARY, { V0F | 0xf5 }, { 0 } },
    ROW(vmaddus) = { BINARY, { V38 | 0x04 }, { X_SSSE3 } },
    ROW(vsad) = { BINARY, { V0F | 0xf6 }, { 0 } },
    ROW(vavgu) = { BINARY, { V0F | 0xe0, V0F | 0xe3, NONE, NONE }, { 0 } },
    ROW(vsign) = { BINARY, { V38 | 0x08, V38 | 0x09, V38 | 0x0a, NONE }, { X_SSSE3, X_SSSE3, X_SSSE3 } },
    ROW(vshl_by) = { BINARY, { NONE, V0F | 0xf1, V0F | 0xf2, V0F | 0xf3 }, { 0 } },
    ROW(vshr_by) = { BINARY, { NONE, V0F | 0xd1, V0F | 0xd2, V0F | 0xd3 }, { 0 } },
    ROW(vsar_by) = { BINARY, { NONE, V0F | 0xe1, V0F | 0xe2, NONE }, { 0 } },
    ROW(vshl_each) = { BINARY, { NONE, NONE, V38 | 0x47, V38 | 0x47 | X_W }, { 0, 0, X_AVX2, X_AVX2 } },
    ROW(vshr_each) = { BINARY, { NONE, NONE, V38 | 0x45, V38 | 0x45 | X_W }, { 0, 0, X_AVX2, X_AVX2 } },
    ROW(vsar_each) = { BINARY, { NONE, NONE, V38 | 0x46, NONE }, { 0, 0, X_AVX2 } },
    ROW(vminpos) = { UNARY, { V38 | 0x41 }, { X_SSE41 } },
    ROW(vmpsad) = { BINARY | IMM, { V3A | 0x42 }, { X_SSE41 } },
    ROW(vfrcp) = { UNARY, { 0, 0, M_0F | 0x53 }, { 0 } },
    ROW(vfrsqrt) = { UNARY, { 0, 0, M_0F | 0x52 }, { 0 } },
};

unsigned x64_move_memory_bytes(const IrInsn *in)
{
    const Row *row = &rows[in->op - IR_vlow];
    bool by_lane = strstr(ir_op_info[in->op].signature, "/lane");
    unsigned lane = by_lane ? in->aux & 3 : 0;
    /* Forms that AVX implies. */
    return (row->form & 7) == BINARY && row->op[lane] && row->need[lane] != X_AVX2 ? 16 : 0;
}

static bool by_row(HostCompiler *hc, const IrInsn *in)
{
    const Row *row = &rows[in->op - IR_vlow];
    bool by_lane = strstr(ir_op_info[in->op].signature, "/lane");
    unsigned lane = by_lane ? in->aux & 3 : 0;
    uint32_t op = row->op[lane];
    if (!row->form || !op || (row->need[lane] && !has(hc, row->need[lane]))) {
        return false;
    }
    int imm = row->form & IMM ? in->aux : -1;
    switch (row->form & 7) {
    case BINARY: lower_vec_binary(hc, in, op, hc->ops[0], hc->ops[1], imm); return true;
    case SWAPPED: lower_vec_binary(hc, in, op, hc->ops[1], hc->ops[0], imm); return true;
    }
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

/* d = s shifted by n bytes; digit 7 left, 3 right. */
static void shift_bytes(HostCompiler *hc, IrType type, unsigned digit, Reg d, Reg s, unsigned n)
{
    if (has(hc, X_AVX)) {
        v_rrr(&hc->as, V0F | 0x73 | wide(type), digit, d, s);
    } else {
        ra_move(hc, d, s, type);
        x_rr(&hc->as, V0F | 0x73, digit, d);
    }
    x_u8(&hc->as, n);
}

static bool lower_shift_bytes(HostCompiler *hc, const IrInsn *in)
{
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    shift_bytes(hc, in->type, in->op == IR_vshl_bytes ? 7 : 3, d, ra, in->aux);
    ra_done(hc);
    return true;
}

static bool lower_rotate(HostCompiler *hc, const IrInsn *in)
{
    unsigned lane = in->aux & 3, n = in->aux >> 4, bits = 8u << lane;
    uint32_t l = wide(in->type), op = V0F | (0x70 + lane) | l;
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    if (has(hc, X_AVX512VL) && lane >= IR_LANE_32) {
        Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
        e_rrr(&hc->as, V0F | 0x72 | x_w(lane == IR_LANE_64) | l, 1, d, ra);
        x_u8(&hc->as, n);
        ra_done(hc);
        return true;
    }
    Reg d = ra_dest(hc, NO_REG, bit_of(ra));
    if (has(hc, X_AVX)) {
        v_rrr(&hc->as, op, 6, REG_VTMP, ra);
        x_u8(&hc->as, n);
        v_rrr(&hc->as, op, 2, d, ra);
    } else {
        ra_move(hc, REG_VTMP, ra, in->type);
        x_rr(&hc->as, op, 6, REG_VTMP);
        x_u8(&hc->as, n);
        ra_move(hc, d, ra, in->type);
        x_rr(&hc->as, op, 2, d);
    }
    x_u8(&hc->as, bits - n);
    sse_rrr(hc, I_ORPS | l, d, d, REG_VTMP);
    ra_done(hc);
    return true;
}

/* Without palignr. */
static bool lower_ext(HostCompiler *hc, const IrInsn *in)
{
    if (in->type == IR_V256) {
        return false;
    }
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    if (in->aux) {
        shift_bytes(hc, in->type, 7, REG_VTMP, rb, 16 - in->aux);
    }
    shift_bytes(hc, in->type, 3, d, ra, in->aux);
    if (in->aux) {
        sse_rrr(hc, I_ORPS, d, d, REG_VTMP);
    }
    ra_done(hc);
    return true;
}

static bool lower_set_low(HostCompiler *hc, const IrInsn *in)
{
    bool d64 = hc->insns[in->b].type == IR_F64;
    if (hc->val[in->b].fused == FUSED_TEST) {
        int imm;
        uint32_t op = x64_fp_unary(&hc->insns[in->b], hc->insns[hc->insns[in->b].a].type, &imm);
        lower_vec_binary(hc, in, op, hc->ops[0], hc->ops[1], imm);
        return true;
    }
    lower_vec_binary(hc, in, d64 ? I_MOVSD_LD : I_MOVSS_LD, hc->ops[0], hc->ops[1], -1);
    return true;
}

/* Of a constant; others are aliases. */
static bool lower_low(HostCompiler *hc, const IrInsn *in)
{
    const IrVecConst *c = &hc->unit->vconst.at[hc->insns[in->a].imm];
    Reg d = ra_dest(hc, NO_REG, 0);
    ra_load_const(hc, d, in->type, in->type == IR_F32 ? c->u32[0] : c->u64[0]);
    ra_done(hc);
    return true;
}

static bool lower_zext(HostCompiler *hc, const IrInsn *in)
{
    unsigned type = hc->insns[in->a].type;
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, type == IR_F32 ? bit_of(ra) : 0);
    switch (type) {
    case IR_F32:
        if (has(hc, X_SSE41)) {
            sse_rrr(hc, V3A | 0x21, d, ra, ra); /* insertps: lane 0, zeros in 1 to 3 */
            x_u8(&hc->as, 0x0e);
            break;
        }
        sse_rrr(hc, I_XORPS, d, d, d);
        sse_rrr(hc, I_MOVSS_LD, d, d, ra);
        break;
    case IR_F64: sse_rr(hc, I_MOVQ_LD, d, ra); break;
    default: sse_rr(hc, I_MOVQ_XR | x_w(type == IR_I64), d, ra); break;
    }
    ra_done(hc);
    return true;
}

static bool lower_blend(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t op[] = { 0, 0x0e, 0x0c, 0x0d };
    unsigned lane = in->aux & 3, mask = in->aux >> 4, per_part = 16u >> lane;
    if (has(hc, X_SSE41)) {
        unsigned imm = lane > 1 && in->type == IR_V256 ? mask | mask << per_part : mask;
        lower_vec_binary(hc, in, V3A | op[lane], hc->ops[0], hc->ops[1], imm);
        return true;
    }
    if (lane == IR_LANE_64 && (mask == 1 || mask == 2)) {
        bool flip = mask == 2;
        lower_vec_binary(hc, in, I_MOVSD_LD, hc->ops[flip], hc->ops[!flip], -1);
        return true;
    }
    IrVecConst c = { .u64 = { 0 } };
    for (unsigned i = 0; i < 16; i++) {
        c.u8[i] = mask >> (i >> lane) & 1 ? 0xff : 0;
    }
    Mem m = pool_vec(hc, &c, 16);
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    sse_rrr(hc, I_XORPS, REG_VTMP, ra, rb);
    sse_rrm(hc, I_ANDPS, REG_VTMP, REG_VTMP, m);
    ra_move(hc, d, ra, in->type);
    sse_rrr(hc, I_XORPS, d, d, REG_VTMP);
    ra_done(hc);
    return true;
}

static bool lower_blendv(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t op[] = { 0x4c, 0, 0x4a, 0x4b };
    unsigned lane = in->aux & 3;
    Asm *as = &hc->as;
    if (lane == IR_LANE_16) {
        return false;
    }
    Reg mask = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]), rc = ra_use(hc, hc->ops[2]);
    ra_consume(hc);
    if (has(hc, X_AVX)) {
        Reg d = ra_dest(hc, is_free(hc, rc) ? rc : NO_REG, 0);
        v_rrr(as, V3A | op[lane] | wide(in->type), d, rc, rb);
        x_u8(as, (mask & 15) << 4);
        ra_done(hc);
        return true;
    }
    Reg d = ra_dest(hc, is_free(hc, rb) && rb != rc ? rb : NO_REG, bit_of(rc) | (mask != rb ? bit_of(mask) : 0));
    switch (lane) {
    case IR_LANE_8:
        x_rr(as, I_XORPS, REG_VTMP, REG_VTMP);
        x_rr(as, I_PCMPGTB, REG_VTMP, mask);
        break;
    default:
        x_rr(as, I_PSHUFD, REG_VTMP, mask);
        x_u8(as, lane == IR_LANE_64 ? 0xf5 : 0xe4);
        x_rr(as, V0F | 0x72, 4, REG_VTMP); /* psrad */
        x_u8(as, 31);
        break;
    }
    ra_move(hc, d, rb, in->type);
    x_rr(as, I_ANDPS, d, REG_VTMP);
    x_rr(as, I_ANDNPS, REG_VTMP, rc);
    x_rr(as, I_ORPS, d, REG_VTMP);
    ra_done(hc);
    return true;
}

static bool lower_movmsk(HostCompiler *hc, const IrInsn *in)
{
    static const uint16_t op[] = { I_PMOVMSKB, 0, M_0F | 0x50, V0F | 0x50 };
    if (!op[in->aux & 3]) {
        return false;
    }
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    sse_rr(hc, op[in->aux & 3] | wide(hc->insns[in->a].type), d, ra);
    ra_done(hc);
    return true;
}

static bool lower_widen(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t op[4][4] = { { 0, 0x20, 0x21, 0x22 }, { 0, 0, 0x23, 0x24 }, { 0, 0, 0, 0x25 } };
    static const uint16_t zip[] = { V0F | 0x60, V0F | 0x61, V0F | 0x62 };
    unsigned from = in->aux & 3, to = in->aux >> 4;
    bool is_signed = in->op == IR_vwiden_s;
    if (!has(hc, X_SSE41) && (is_signed || to != from + 1)) {
        return false;
    }
    Reg ra = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, is_free(hc, ra) ? ra : NO_REG, 0);
    if (has(hc, X_SSE41)) {
        sse_rr(hc, V38 | (op[from][to] + (is_signed ? 0 : 0x10)), d, ra);
    } else {
        sse_rrr(hc, I_XORPS, REG_VTMP, REG_VTMP, REG_VTMP);
        sse_rrr(hc, zip[from], d, ra, REG_VTMP);
    }
    ra_done(hc);
    return true;
}

static bool lower_test(HostCompiler *hc, const IrInsn *in)
{
    Asm *as = &hc->as;
    bool is_256 = hc->insns[in->a].type == IR_V256;
    unsigned cc = CC_E;
    Reg ra = ra_use(hc, hc->ops[0]), rb = ra_use(hc, hc->ops[1]);
    if (has(hc, X_SSE41)) {
        ra_consume(hc);
        Reg d = ra_dest(hc, NO_REG, 0);
        sse_rr(hc, V38 | 0x17 | (is_256 ? X_256 : 0), ra, rb);
        cc = in->aux ? CC_B : CC_E;
        x_setcc(as, cc, d);
        x_rr(as, I_MOVZX8, d, d);
    } else {
        Reg zero = ra_temp(hc, REGS_VEC);
        ra_consume(hc);
        Reg d = ra_dest(hc, NO_REG, 0);
        x_rr(as, I_XORPS, zero, zero);
        x_rr(as, I_MOVAPS, REG_VTMP, ra);
        x_rr(as, in->aux ? I_ANDNPS : I_ANDPS, REG_VTMP, rb);
        x_rr(as, I_PCMPEQB, REG_VTMP, zero);
        x_rr(as, I_PMOVMSKB, REG_TMP, REG_VTMP);
        x_alu_ri(as, false, A_CMP, REG_TMP, 0xffff);
        x_setcc(as, CC_E, d);
        x_rr(as, I_MOVZX8, d, d);
    }
    hc->flags_val = hc->i;
    hc->flags_cc = cc;
    ra_done(hc);
    hc->flags_at = x_offset(as);
    return true;
}

bool lower_vec_move(HostCompiler *hc, const IrInsn *in)
{
    switch (in->op) {
    case IR_vlow: return lower_low(hc, in);
    case IR_vset_low: return lower_set_low(hc, in);
    case IR_vzext: return lower_zext(hc, in);
    case IR_vext: return has(hc, X_SSSE3) ? by_row(hc, in) : lower_ext(hc, in);
    case IR_vshl_bytes: case IR_vshr_bytes: return lower_shift_bytes(hc, in);
    case IR_vrotl: return lower_rotate(hc, in);
    case IR_vblend: return lower_blend(hc, in);
    case IR_vblendv: return lower_blendv(hc, in);
    case IR_vmovmsk: return lower_movmsk(hc, in);
    case IR_vwiden_s: case IR_vwiden_u: return lower_widen(hc, in);
    case IR_vtest: return lower_test(hc, in);
    default: return by_row(hc, in);
    }
}
