/*
 * lower-vec-expand.c: vector operations within lanes of sizes for which the host's instruction set has no instruction, by several:
 * products and shifts of bytes, shifts by lanes of 8 and 16 bits, arithmetic shifts of 64 bits, saturation of 32 and 64 bits,
 * comparisons that minima and maxima decide. What is not here either is done by the interpreter's definition (lower_by_call).
 *
 * A function gets registers that differ from each other where it says so, and fills d. REG_VTMP is free.
 */
#include "tcg/x86_64/host.h"

enum {
    V38 = M_38 | P_66, V0F = M_0F | P_66, V3A = M_3A | P_66,
    I_PADDD = V0F | 0xfe, I_PADDQ = V0F | 0xd4, I_PSUBB = V0F | 0xf8, I_PSUBD = V0F | 0xfa, I_PSUBQ = V0F | 0xfb,
    I_PMULLW = V0F | 0xd5, I_PMULHW = V0F | 0xe5, I_PMULHUW = V0F | 0xe4, I_PCMPEQD = V0F | 0x76, I_PCMPGTQ = V38 | 0x37,
    I_PMINUB = V0F | 0xda, I_PMINUD = V38 | 0x3b, I_PMAXUD = V38 | 0x3f, I_PSHUFD = V0F | 0x70, I_PSHUFB = V38 | 0x00,
    I_PUNPCKLBW = V0F | 0x60, I_PUNPCKHBW = V0F | 0x68, I_PUNPCKLWD = V0F | 0x61, I_PUNPCKHWD = V0F | 0x69,
    I_PACKUSWB = V0F | 0x67, I_PACKSSWB = V0F | 0x63, I_PACKUSDW = V38 | 0x2b, I_PACKSSDW = V0F | 0x6b, I_PBLENDW = V3A | 0x0e,
    I_PSLLVD = V38 | 0x47, I_PSRLVD = V38 | 0x45, I_PSRAVD = V38 | 0x46, I_PSRLVQ = V38 | 0x45 | X_W,
};

enum { G_SRL = 2, G_SRA = 4, G_SLL = 6 }; /* digits of shifts by immediates */

static inline uint32_t bit_of(Reg r) { return 1u << r; }
static inline uint32_t wide(IrType type) { return type == IR_V256 ? X_256 : 0; }

/* d = s shifted by n; lane 1 to 3 */
static void shift_by(HostCompiler *hc, uint32_t l, unsigned lane, unsigned digit, Reg d, Reg s, unsigned n)
{
    uint32_t op = V0F | (0x70 + lane);

    if (has(hc, X_AVX)) {
        v_rrr(&hc->as, op | l, digit, d, s);
    } else {
        if (d != s) {
            x_rr(&hc->as, I_MOVAPS, d, s);
        }
        x_rr(&hc->as, op, digit, d);
    }
    x_u8(&hc->as, n);
}

static Mem byte_table(HostCompiler *hc, uint32_t l, uint64_t low, uint64_t high)
{
    return pool_vec(hc, &(IrVecConst){ .u64 = { low, high, low, high } }, l ? 32 : 16);
}

static Mem all_lanes(HostCompiler *hc, uint32_t l, uint64_t v) { return byte_table(hc, l, v, v); }

/* Lanes for which AVX-512 has one instruction. */
static bool one_evex(HostCompiler *hc, const IrInsn *in, uint32_t op)
{
    Reg a = ra_use(hc, hc->ops[0]), b = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    e_rrr(&hc->as, op | X_W | wide(in->type), d, a, b);
    ra_done(hc);
    return true;
}

/* Low bytes of products: of even bytes in place, of odd ones from above. All registers differ but a and b. */
static void mul_bytes(HostCompiler *hc, uint32_t l, Reg d, Reg t, Reg a, Reg b)
{
    shift_by(hc, l, 1, G_SRL, t, a, 8);
    shift_by(hc, l, 1, G_SRL, REG_VTMP, b, 8);
    sse_rrr(hc, I_PMULLW | l, t, t, REG_VTMP);
    shift_by(hc, l, 1, G_SLL, t, t, 8);
    sse_rrr(hc, I_PMULLW | l, d, a, b);
    sse_rrm(hc, I_ANDPS | l, d, d, all_lanes(hc, l, 0x00ff00ff00ff00ff));
    sse_rrr(hc, I_ORPS | l, d, d, t);
}

static bool mul(HostCompiler *hc, const IrInsn *in)
{
    if ((in->aux & 3) == IR_LANE_64 && has(hc, X_AVX512VL)) {
        return one_evex(hc, in, V38 | 0x40);
    }
    if ((in->aux & 3) != IR_LANE_8) {
        return false;
    }
    Reg a = ra_use(hc, hc->ops[0]), b = ra_use(hc, hc->ops[1]), t = ra_temp(hc, REGS_VEC);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, bit_of(a) | bit_of(b));
    mul_bytes(hc, wide(in->type), d, t, a, b);
    ra_done(hc);
    return true;
}

static bool extreme_quads(HostCompiler *hc, const IrInsn *in)
{
    static const uint8_t op[] = { 0x39, 0x3d, 0x3b, 0x3f };

    return (in->aux & 3) == IR_LANE_64 && has(hc, X_AVX512VL) && one_evex(hc, in, V38 | op[in->op - IR_vmins]);
}

/* -- by one constant count ----------------------------------------------------------------------------- */

/* What came from the neighbour is cut off; arithmetic: the sign bit, now at 7 - n, is extended by turning it over and taking it away. */
static void shift_bytes_by(HostCompiler *hc, uint32_t l, IrOp op, Reg d, Reg a, unsigned n)
{
    unsigned kept = op == IR_vshl ? 0xff << n & 0xff : 0xff >> n;

    shift_by(hc, l, 1, op == IR_vshl ? G_SLL : G_SRL, d, a, n);
    sse_rrm(hc, I_ANDPS | l, d, d, all_lanes(hc, l, kept * 0x0101010101010101));
    if (op == IR_vsar) {
        Mem sign = all_lanes(hc, l, (0x80u >> n) * 0x0101010101010101);
        sse_rrm(hc, I_XORPS | l, d, d, sign);
        sse_rrm(hc, I_PSUBB | l, d, d, sign);
    }
}

/* The upper halves are shifted as 32 bits; they are also all that is left from 32 on. Needs SSE4.1 below 32. */
static void sar_quads_by(HostCompiler *hc, uint32_t l, Reg d, Reg a, unsigned n)
{
    if (has(hc, X_AVX512VL)) {
        e_rrr(&hc->as, V0F | X_W | 0x72 | l, G_SRA, d, a);
        x_u8(&hc->as, n);
        return;
    }
    if (n < 32) {
        shift_by(hc, l, 2, G_SRA, REG_VTMP, a, n);
        shift_by(hc, l, 3, G_SRL, d, a, n);
    } else {
        shift_by(hc, l, 2, G_SRA, REG_VTMP, a, 31);
        if (n < 63) {
            shift_by(hc, l, 2, G_SRA, d, a, n - 32);
        }
        sse_rr(hc, I_PSHUFD | l, d, n < 63 ? d : REG_VTMP);
        x_u8(&hc->as, 0xf5);
        if (n == 63) {
            return;
        }
    }
    sse_rrr(hc, I_PBLENDW | l, d, d, REG_VTMP);
    x_u8(&hc->as, 0xcc);
}

static bool shift(HostCompiler *hc, const IrInsn *in)
{
    unsigned lane = in->aux & 3;
    bool quads = lane == IR_LANE_64 && in->op == IR_vsar && has(hc, X_SSE41);

    if (!val_is_const(hc, hc->ops[1]) || !(quads || lane == IR_LANE_8)) {
        return false;
    }
    unsigned n = hc->insns[hc->ops[1]].imm & ((8u << lane) - 1);
    Reg a = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, bit_of(a));
    if (quads) {
        sar_quads_by(hc, wide(in->type), d, a, n);
    } else {
        shift_bytes_by(hc, wide(in->type), in->op, d, a, n);
    }
    ra_done(hc);
    return true;
}

/* -- by lanes; counts from the width on are not reduced ----------------------------------------------------- */

/* As 32-bit lanes, which have such instructions (AVX2). */
static void shift_words_each(HostCompiler *hc, uint32_t l, IrOp op, Reg d, Reg t, Reg u, Reg a, Reg b)
{
    static const uint32_t shifts[] = { I_PSLLVD, I_PSRLVD, I_PSRAVD };
    uint32_t by = shifts[op - IR_vshl_each] | l;
    bool right = op == IR_vsar_each;

    sse_rrr(hc, I_XORPS | l, REG_VTMP, REG_VTMP, REG_VTMP);
    for (unsigned high = 0; high < 2; high++) {
        uint32_t unpack = (high ? I_PUNPCKHWD : I_PUNPCKLWD) | l;
        Reg x = high ? t : d;
        sse_rrr(hc, unpack, x, a, right ? a : REG_VTMP);
        if (right) {
            shift_by(hc, l, 2, G_SRA, x, x, 16);
        }
        sse_rrr(hc, unpack, u, b, REG_VTMP);
        sse_rrr(hc, by, x, x, u);
        if (op == IR_vshl_each) {
            sse_rrr(hc, I_PBLENDW | l, x, x, REG_VTMP);
            x_u8(&hc->as, 0xaa);
        }
    }
    sse_rrr(hc, (right ? I_PACKSSDW : I_PACKUSDW) | l, d, d, t);
}

/* By multiplication with powers of two out of a table of counts 0 to 8. */
static void shift_bytes_each(HostCompiler *hc, uint32_t l, IrOp op, Reg d, Reg t, Reg u, Reg v, Reg a, Reg b)
{
    sse_rrm(hc, I_PMINUB | l, u, b, all_lanes(hc, l, 0x0808080808080808));
    if (op == IR_vshl_each) {
        sse_rm(hc, I_MOVUPS_LD | l, t, byte_table(hc, l, 0x8040201008040201, 0));
        sse_rrr(hc, I_PSHUFB | l, t, t, u);
        mul_bytes(hc, l, d, u, a, t);
        return;
    }
    /* The upper half of (a << 8) * (256 >> n); 256 itself needs a second byte. */
    sse_rm(hc, I_MOVUPS_LD | l, t, byte_table(hc, l, 0x0204081020408000, 1));
    sse_rrr(hc, I_PSHUFB | l, t, t, u);
    sse_rm(hc, I_MOVUPS_LD | l, v, byte_table(hc, l, 1, 0));
    sse_rrr(hc, I_PSHUFB | l, v, v, u);
    sse_rrr(hc, I_XORPS | l, REG_VTMP, REG_VTMP, REG_VTMP);
    for (unsigned high = 0; high < 2; high++) {
        uint32_t unpack = (high ? I_PUNPCKHBW : I_PUNPCKLBW) | l;
        Reg x = high ? t : d; /* t is read for the last time */
        sse_rrr(hc, unpack, u, t, v);
        sse_rrr(hc, unpack, x, REG_VTMP, a);
        sse_rrr(hc, (op == IR_vsar_each ? I_PMULHW : I_PMULHUW) | l, x, x, u);
    }
    sse_rrr(hc, (op == IR_vsar_each ? I_PACKSSWB : I_PACKUSWB) | l, d, d, t);
}

/* Of the complement if negative: a logical shift then brings in what becomes signs. */
static void sar_quads_each(HostCompiler *hc, uint32_t l, Reg d, Reg a, Reg b)
{
    sse_rrr(hc, I_XORPS | l, REG_VTMP, REG_VTMP, REG_VTMP);
    sse_rrr(hc, I_PCMPGTQ | l, REG_VTMP, REG_VTMP, a);
    sse_rrr(hc, I_XORPS | l, d, a, REG_VTMP);
    sse_rrr(hc, I_PSRLVQ | l, d, d, b);
    sse_rrr(hc, I_XORPS | l, d, d, REG_VTMP);
}

static bool shift_each(HostCompiler *hc, const IrInsn *in)
{
    static const uint32_t words[] = { V38 | 0x12, V38 | 0x10, V38 | 0x11 };
    unsigned lane = in->aux & 3;
    uint32_t l = wide(in->type);
    Reg t[3] = { NO_REG, NO_REG, NO_REG };

    if (has(hc, X_AVX512VL) && lane == IR_LANE_16) {
        return one_evex(hc, in, words[in->op - IR_vshl_each]);
    }
    if (has(hc, X_AVX512VL) && lane == IR_LANE_64) {
        return one_evex(hc, in, V38 | 0x46);
    }

    if (!has(hc, X_AVX2) || lane == IR_LANE_32) {
        return false;
    }
    Reg a = ra_use(hc, hc->ops[0]), b = ra_use(hc, hc->ops[1]);
    for (unsigned k = 0; k < 3 && lane < IR_LANE_32; k++) {
        t[k] = ra_temp(hc, REGS_VEC);
    }
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, bit_of(a) | bit_of(b));
    switch (lane) {
    case IR_LANE_8: shift_bytes_each(hc, l, in->op, d, t[0], t[1], t[2], a, b); break;
    case IR_LANE_16: shift_words_each(hc, l, in->op, d, t[0], t[1], a, b); break;
    default: sar_quads_each(hc, l, d, a, b); break;
    }
    ra_done(hc);
    return true;
}

/* -- absolute values and saturation ------------------------------------------------------------------------ */

static bool abs_quads(HostCompiler *hc, const IrInsn *in)
{
    uint32_t l = wide(in->type);

    if ((in->aux & 3) != IR_LANE_64 || !has(hc, X_SSE42)) {
        return false;
    }
    Reg a = ra_use(hc, hc->ops[0]);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, bit_of(a));
    sse_rrr(hc, I_XORPS | l, REG_VTMP, REG_VTMP, REG_VTMP);
    sse_rrr(hc, I_PCMPGTQ | l, REG_VTMP, REG_VTMP, a);
    sse_rrr(hc, I_XORPS | l, d, a, REG_VTMP);
    sse_rrr(hc, I_PSUBQ | l, d, d, REG_VTMP);
    ra_done(hc);
    return true;
}

/* Unsigned: at most what is left above b is added, and nothing smaller than b is what b is taken from. */
static void saturate_unsigned_words(HostCompiler *hc, uint32_t l, IrOp op, Reg d, Reg a, Reg b)
{
    if (op == IR_vsaddu) {
        sse_rrr(hc, I_PCMPEQD | l, REG_VTMP, REG_VTMP, REG_VTMP);
        sse_rrr(hc, I_XORPS | l, REG_VTMP, REG_VTMP, b);
        sse_rrr(hc, I_PMINUD | l, d, a, REG_VTMP);
        sse_rrr(hc, I_PADDD | l, d, d, b);
    } else {
        sse_rrr(hc, I_PMAXUD | l, d, a, b);
        sse_rrr(hc, I_PSUBD | l, d, d, b);
    }
}

/* A sum less than a has wrapped; a difference has if a is less than b. Unsigned order is signed order with the top bits turned over. */
static void saturate_unsigned_quads(HostCompiler *hc, uint32_t l, IrOp op, Reg d, Reg t, Reg a, Reg b)
{
    bool add = op == IR_vsaddu;
    Mem sign = all_lanes(hc, l, 0x8000000000000000);

    sse_rrr(hc, (add ? I_PADDQ : I_PSUBQ) | l, d, a, b);
    sse_rrm(hc, I_XORPS | l, REG_VTMP, add ? d : a, sign);
    sse_rrm(hc, I_XORPS | l, t, add ? a : b, sign);
    sse_rrr(hc, I_PCMPGTQ | l, t, t, REG_VTMP);
    if (add) {
        sse_rrr(hc, I_ORPS | l, d, d, t);
    } else {
        sse_rrr(hc, I_ANDNPS | l, d, t, d);
    }
}

/* Signed overflow shows in the sign bits; the limit is the one of the other sign than the wrapped result. */
static void saturate_signed(HostCompiler *hc, uint32_t l, IrOp op, bool quads, Reg d, Reg t, Reg a, Reg b)
{
    bool add = op == IR_vsadds;

    sse_rrr(hc, (add ? quads ? I_PADDQ : I_PADDD : quads ? I_PSUBQ : I_PSUBD) | l, d, a, b);
    if (add) {
        sse_rrr(hc, I_XORPS | l, REG_VTMP, b, d);
    } else {
        sse_rrr(hc, I_XORPS | l, REG_VTMP, a, b);
    }
    sse_rrr(hc, I_XORPS | l, t, a, d);
    sse_rrr(hc, I_ANDPS | l, REG_VTMP, REG_VTMP, t);
    if (quads) {
        sse_rrr(hc, I_XORPS | l, t, t, t);
        sse_rrr(hc, I_PCMPGTQ | l, t, t, d);
    } else {
        shift_by(hc, l, 2, G_SRA, t, d, 31);
    }
    sse_rrm(hc, I_XORPS | l, t, t, all_lanes(hc, l, quads ? 0x8000000000000000 : 0x8000000080000000));
    v_rrr(&hc->as, V3A | (quads ? 0x4b : 0x4a) | l, d, d, t); /* vblendvps, vblendvpd */
    x_u8(&hc->as, (REG_VTMP & 15) << 4);
}

static bool saturating(HostCompiler *hc, const IrInsn *in)
{
    unsigned lane = in->aux & 3;
    bool quads = lane == IR_LANE_64, is_signed = in->op == IR_vsadds || in->op == IR_vssubs;
    uint32_t l = wide(in->type);

    if (lane < IR_LANE_32 || !has(hc, X_AVX)) {
        return false;
    }
    Reg a = ra_use(hc, hc->ops[0]), b = ra_use(hc, hc->ops[1]);
    Reg t = is_signed || quads ? ra_temp(hc, REGS_VEC) : NO_REG;
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, bit_of(a) | bit_of(b));
    if (is_signed) {
        saturate_signed(hc, l, in->op, quads, d, t, a, b);
    } else if (quads) {
        saturate_unsigned_quads(hc, l, in->op, d, t, a, b);
    } else {
        saturate_unsigned_words(hc, l, in->op, d, a, b);
    }
    ra_done(hc);
    return true;
}

/* -- comparisons ------------------------------------------------------------------------------------------- */

/* a >= b if the larger one is a, a <= b if the smaller one is; unsigned a < b and a > b are the complements where one instruction makes them. */
bool lower_vec_order(HostCompiler *hc, const IrInsn *in, unsigned cond)
{
    static const uint16_t eq[] = { V0F | 0x74, V0F | 0x75, V0F | 0x76 };
    static const uint16_t ops[4][3] = {
        { V38 | 0x3c, V0F | 0xee, V38 | 0x3d }, /* signed maximum */
        { V38 | 0x38, V0F | 0xea, V38 | 0x39 },
        { V0F | 0xde, V38 | 0x3e, V38 | 0x3f }, /* unsigned */
        { V0F | 0xda, V38 | 0x3a, V38 | 0x3b },
    };
    unsigned lane = in->aux & 3, which;
    uint32_t l = wide(in->type);

    switch (cond) {
    case IR_GE: which = 0; break;
    case IR_LE: which = 1; break;
    case IR_GEU: which = 2; break;
    case IR_LEU: which = 3; break;
    case IR_LTU: which = 2; break;
    case IR_GTU: which = 3; break;
    default: return false;
    }
    bool invert = cond == IR_LTU || cond == IR_GTU;
    if (invert && !has(hc, X_AVX512VL)) {
        return false;
    }
    if (lane == IR_LANE_64 || !has(hc, X_SSE41)) {
        return false;
    }
    Reg a = ra_use(hc, hc->ops[0]), b = ra_use(hc, hc->ops[1]);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, bit_of(a) | bit_of(b));
    sse_rrr(hc, ops[which][lane] | l, d, a, b);
    sse_rrr(hc, eq[lane] | l, d, d, a);
    if (invert) {
        e_rrr(&hc->as, I_VPTERNLOGQ | l, d, d, d);
        x_u8(&hc->as, 0x55);
    }
    ra_done(hc);
    return true;
}

bool lower_vec_expand(HostCompiler *hc, const IrInsn *in)
{
    switch (in->op) {
    case IR_vmul: return mul(hc, in);
    case IR_vmins: case IR_vmaxs: case IR_vminu: case IR_vmaxu: return extreme_quads(hc, in);
    case IR_vabs: return abs_quads(hc, in);
    case IR_vshl: case IR_vshr: case IR_vsar: return shift(hc, in);
    case IR_vshl_each: case IR_vshr_each: case IR_vsar_each: return shift_each(hc, in);
    case IR_vsadds: case IR_vsaddu: case IR_vssubs: case IR_vssubu: return saturating(hc, in);
    default: return false;
    }
}
