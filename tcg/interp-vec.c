/*
 * interp-vec.c: vector operations of the interpreter, lane by lane.
 *
 * Written for clearness: every integer lane goes through 64-bit arithmetic and is cut to its width.
 */
#include "tcg/interp-ops.h"

static uint64_t lane_get(const InterpValue *v, unsigned size_log2, unsigned i)
{
    switch (size_log2) {
    case IR_LANE_8: return v->u8[i];
    case IR_LANE_16: return v->u16[i];
    case IR_LANE_32: return v->u32[i];
    default: return v->u64[i];
    }
}

static void lane_set(InterpValue *v, unsigned size_log2, unsigned i, uint64_t value)
{
    switch (size_log2) {
    case IR_LANE_8: v->u8[i] = (uint8_t)value; break;
    case IR_LANE_16: v->u16[i] = (uint16_t)value; break;
    case IR_LANE_32: v->u32[i] = (uint32_t)value; break;
    default: v->u64[i] = value; break;
    }
}

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
    case IR_vshl: case IR_vshlv: return a << n;
    case IR_vshr: case IR_vshrv: return a >> n;
    default: return (uint64_t)(sa >> n); /* vsar, vsarv */
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

static IrOp scalar_of(IrOp op)
{
    switch (op) {
    case IR_vfadd: return IR_fadd;
    case IR_vfsub: return IR_fsub;
    case IR_vfmul: return IR_fmul;
    case IR_vfdiv: return IR_fdiv;
    case IR_vfsqrt: return IR_fsqrt;
    default: return IR_fma;
    }
}

static void float_lanes(Vcpu *vcpu, const IrInsn *in, const InterpValue *a, const InterpValue *b,
                        const InterpValue *c, InterpValue *ret)
{
    unsigned lane = in->aux & 3, n = ir_type_bytes(in->type) >> lane;
    IrType type = lane == IR_LANE_64 ? IR_F64 : IR_F32;
    uint16_t aux = IR_RM_DYN | in->aux >> 4;

    for (unsigned i = 0; i < n; i++) {
        lane_set(ret, lane, i, interp_fp(vcpu, scalar_of(in->op), type, type, aux,
                                         lane_get(a, lane, i), lane_get(b, lane, i),
                                         lane_get(c, lane, i)));
    }
}

void interp_vec(Vcpu *vcpu, const IrInsn *in, IrType operand_type, const InterpValue *a,
                const InterpValue *b, const InterpValue *c, InterpValue *ret)
{
    unsigned lane = in->aux & 3, bits = 8u << lane;
    unsigned n_lanes = ir_type_bytes(in->type) >> lane;

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
    case IR_vfadd: case IR_vfsub: case IR_vfmul: case IR_vfdiv: case IR_vfsqrt: case IR_vfma:
        float_lanes(vcpu, in, a, b, c, ret);
        break;
    default:
        for (unsigned i = 0; i < n_lanes; i++) {
            lane_set(ret, lane, i, lane_op(in->op, bits, lane_get(a, lane, i), lane_get(b, lane, i)));
        }
        break;
    }
}
