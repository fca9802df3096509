/*
 * interp-vec.c: vector operations of the interpreter, lane by lane.
 *
 * Written for clearness: every integer lane goes through 64-bit arithmetic and is cut to its width.
 */
#include "tcg/interp-vec.h"

/* Saturates x = p ± q, known exactly in 128 bits, to `bits` bits. */
static uint64_t saturate(__int128 x, unsigned bits, bool is_signed)
{
    __int128 max = is_signed ? ((__int128)1 << (bits - 1)) - 1 : ((__int128)1 << bits) - 1;
    __int128 min = is_signed ? -max - 1 : 0;

    return (uint64_t)(x > max ? max : x < min ? min : x);
}

/* a and b zero-extended from `bits`; the result's low bits count. */
static uint64_t lane_op(IrOp op, unsigned bits, uint64_t a, uint64_t b)
{
    int64_t sa = bits_sext(a, bits), sb = bits_sext(b, bits);
    unsigned n = b & (bits - 1);

    switch (op) {
    case IR_vadd: return a + b;
    case IR_vsub: return a - b;
    case IR_vmul: return a * b;
    case IR_vneg: return 0 - a;
    case IR_vabs: return sa < 0 ? 0 - a : a;
    case IR_vmins: return sa < sb ? a : b;
    case IR_vmaxs: return sa > sb ? a : b;
    case IR_vminu: return a < b ? a : b;
    case IR_vmaxu: return a > b ? a : b;
    case IR_vsadds: return saturate((__int128)sa + sb, bits, true);
    case IR_vsaddu: return saturate((__int128)a + b, bits, false);
    case IR_vssubs: return saturate((__int128)sa - sb, bits, true);
    case IR_vssubu: return saturate((__int128)a - b, bits, false);
    case IR_vmulhs: return (uint64_t)((__int128)sa * sb >> bits);
    case IR_vmulhu: return (uint64_t)((unsigned __int128)a * b >> bits);
    case IR_vmulhr: return (uint64_t)((((__int128)sa * sb >> (bits - 2)) + 1) >> 1);
    case IR_vavgu: return (uint64_t)(((unsigned __int128)a + b + 1) >> 1);
    case IR_vsign: return sb < 0 ? 0 - a : sb ? a : 0;
    case IR_vshl: case IR_vshlv: return a << n;
    case IR_vshr: case IR_vshrv: return a >> n;
    default: return (uint64_t)(sa >> n); /* vsar, vsarv */
    }
}

/* Counts are not reduced. */
static uint64_t shift(IrOp op, unsigned bits, uint64_t a, uint64_t n)
{
    switch (op) {
    case IR_vshl_by: case IR_vshl_each: return n < bits ? a << n : 0;
    case IR_vshr_by: case IR_vshr_each: return n < bits ? a >> n : 0;
    default: return (uint64_t)(bits_sext(a, bits) >> MIN(n, bits - 1));
    }
}

static uint64_t bitwise(IrOp op, uint64_t a, uint64_t b, uint64_t c)
{
    switch (op) {
    case IR_vand: return a & b;
    case IR_vor: return a | b;
    case IR_vxor: return a ^ b;
    case IR_vandn: return a & ~b;
    case IR_vnot: return ~a;
    default: return (a & b) | (~a & c); /* vbsel */
    }
}

void interp_vec(Vcpu *vcpu, const IrInsn *in, IrType operand_type, IrType b_type, const InterpValue *a,
                const InterpValue *b, const InterpValue *c, InterpValue *ret)
{
    unsigned lane = in->aux & 3, bits = 8u << lane;
    unsigned n_lanes = ir_type_bytes(in->type) >> lane, b_bytes = ir_type_bytes(b_type);

    if (in->op >= IR_CRYPTO_FIRST && in->op <= IR_CRYPTO_LAST) {
        interp_crypto(in, a, b, c, ret);
        return;
    }
    switch (in->op) {
    case IR_vget_lane:
        ret->u64[0] = lane_get(a, lane, in->aux >> 4);
        if (in->type == IR_I32) {
            ret->u64[0] = (uint32_t)ret->u64[0];
        }
        break;
    case IR_vset_lane:
        *ret = *a;
        lane_set(ret, lane, in->aux >> 4, b->u64[0]);
        break;
    case IR_vdup:
        for (unsigned i = 0; i < n_lanes; i++) {
            lane_set(ret, lane, i, a->u64[0]);
        }
        break;
    case IR_vand: case IR_vor: case IR_vxor: case IR_vandn: case IR_vnot: case IR_vbsel:
        for (unsigned i = 0; i < ir_type_bytes(in->type) / 8; i++) {
            ret->u64[i] = bitwise(in->op, a->u64[i], b->u64[i], c->u64[i]);
        }
        break;
    case IR_vcmp:
        for (unsigned i = 0; i < n_lanes; i++) {
            uint64_t p = lane_get(a, lane, i), q = lane_get(b, lane, i);
            IrCond cond = in->aux >> 4;
            bool is_signed = cond >= IR_LT && cond <= IR_GT;
            bool holds = ir_cond_eval(cond, IR_I64, is_signed ? (uint64_t)bits_sext(p, bits) : p,
                                      is_signed ? (uint64_t)bits_sext(q, bits) : q);
            lane_set(ret, lane, i, holds ? UINT64_MAX : 0);
        }
        break;
    case IR_vshl: case IR_vshr: case IR_vsar:
        for (unsigned i = 0; i < n_lanes; i++) {
            lane_set(ret, lane, i, lane_op(in->op, bits, lane_get(a, lane, i), b->u64[0]));
        }
        break;
    case IR_vfadd: case IR_vfsub: case IR_vfmul: case IR_vfdiv: case IR_vfsqrt: case IR_vfma: case IR_vfmin: case IR_vfmax:
    case IR_vfcmp: case IR_vfaddsub: case IR_vfcvt: case IR_vfround: case IR_vfrcp: case IR_vfrsqrt:
        interp_vec_fp(vcpu, in, a, b, c, ret);
        break;
    case IR_vset_low:
        *ret = *a;
        memcpy(ret, b, b_bytes);
        break;
    case IR_vblendv:
        for (unsigned i = 0; i < n_lanes; i++) {
            bool chosen = lane_get(a, lane, i) >> (bits - 1);
            lane_set(ret, lane, i, lane_get(chosen ? b : c, lane, i));
        }
        break;
    case IR_vshl_by: case IR_vshr_by: case IR_vsar_by:
        for (unsigned i = 0; i < n_lanes; i++) {
            lane_set(ret, lane, i, shift(in->op, bits, lane_get(a, lane, i), b->u64[0]));
        }
        break;
    case IR_vshl_each: case IR_vshr_each: case IR_vsar_each:
        for (unsigned i = 0; i < n_lanes; i++) {
            lane_set(ret, lane, i, shift(in->op, bits, lane_get(a, lane, i), lane_get(b, lane, i)));
        }
        break;
    case IR_vlow: case IR_vzext: case IR_vzip_lo: case IR_vzip_hi: case IR_vpack_s: case IR_vpack_u: case IR_vtbl:
    case IR_vsel32: case IR_vsel64: case IR_vperm32: case IR_vperm16_lo: case IR_vperm16_hi: case IR_vext:
    case IR_vshl_bytes: case IR_vshr_bytes: case IR_vrotl: case IR_vblend: case IR_vmovmsk: case IR_vmulws: case IR_vmulwu:
    case IR_vmadds: case IR_vmaddus: case IR_vsad: case IR_vwiden_s: case IR_vwiden_u: case IR_vtest: case IR_vminpos:
    case IR_vmpsad:
        interp_vec_move(in, operand_type, a, b, ret);
        break;
    default:
        for (unsigned i = 0; i < n_lanes; i++) {
            lane_set(ret, lane, i, lane_op(in->op, bits, lane_get(a, lane, i), lane_get(b, lane, i)));
        }
        break;
    }
}
