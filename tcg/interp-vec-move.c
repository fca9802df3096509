/*
 * interp-vec-move.c: vector operations of the interpreter that move, combine or resize lanes. Like their definition
 * in ops.def they work on 16 bytes; on a V256 on both halves.
 */
#include "tcg/interp-vec.h"

static uint64_t clamp(int64_t x, int64_t min, int64_t max)
{
    return (uint64_t)(x > max ? max : x < min ? min : x);
}

static void zip(unsigned lane, bool high, const InterpValue *a, const InterpValue *b, InterpValue *ret)
{
    unsigned half = 8u >> lane;

    for (unsigned i = 0; i < half; i++) {
        lane_set(ret, lane, 2 * i, lane_get(a, lane, i + (high ? half : 0)));
        lane_set(ret, lane, 2 * i + 1, lane_get(b, lane, i + (high ? half : 0)));
    }
}

static void pack(unsigned lane, bool is_signed, const InterpValue *a, const InterpValue *b, InterpValue *ret)
{
    unsigned n = 16u >> lane, bits = 4u << lane;
    int64_t max = is_signed ? ((int64_t)1 << (bits - 1)) - 1 : ((int64_t)1 << bits) - 1;

    for (unsigned i = 0; i < 2 * n; i++) {
        int64_t x = bits_sext(lane_get(i < n ? a : b, lane, i % n), 8u << lane);
        lane_set(ret, lane - 1, i, clamp(x, is_signed ? -max - 1 : 0, max));
    }
}

static void select_lanes(IrOp op, unsigned aux, const InterpValue *a, const InterpValue *b, InterpValue *ret)
{
    *ret = *a;
    for (unsigned i = 0; i < 4; i++) {
        unsigned from = aux >> 2 * i & 3;
        switch (op) {
        case IR_vsel32: ret->u32[i] = (i < 2 ? a : b)->u32[from]; break;
        case IR_vperm32: ret->u32[i] = a->u32[from]; break;
        case IR_vperm16_lo: ret->u16[i] = a->u16[from]; break;
        default: ret->u16[4 + i] = a->u16[4 + from]; break;
        }
    }
}

static void sums(IrOp op, unsigned aux, const InterpValue *a, const InterpValue *b, InterpValue *ret)
{
    for (unsigned i = 0; i < 8; i++) {
        switch (op) {
        case IR_vmadds:
            if (i < 4) {
                ret->u32[i] = (uint32_t)((int16_t)a->u16[2 * i] * (int16_t)b->u16[2 * i]) +
                              (uint32_t)((int16_t)a->u16[2 * i + 1] * (int16_t)b->u16[2 * i + 1]);
            }
            break;
        case IR_vmaddus:
            ret->u16[i] = (uint16_t)clamp(a->u8[2 * i] * (int8_t)b->u8[2 * i] + a->u8[2 * i + 1] * (int8_t)b->u8[2 * i + 1],
                                          INT16_MIN, INT16_MAX);
            break;
        case IR_vsad:
            for (unsigned k = 0; i < 2 && k < 8; k++) {
                ret->u64[i] += (unsigned)abs(a->u8[8 * i + k] - b->u8[8 * i + k]);
            }
            break;
        default: /* vmpsad */
            for (unsigned k = 0; k < 4; k++) {
                ret->u16[i] += abs(a->u8[(aux & 4) + i + k] - b->u8[(aux & 3) * 4 + k]);
            }
            break;
        }
    }
}

static void part(const IrInsn *in, unsigned index, const InterpValue *a, const InterpValue *b, InterpValue *ret)
{
    unsigned aux = in->aux, lane = aux & 3, n = 16u >> lane, bits = 8u << lane;

    memset(ret, 0, sizeof(*ret));
    switch (in->op) {
    case IR_vzip_lo: case IR_vzip_hi: zip(lane, in->op == IR_vzip_hi, a, b, ret); break;
    case IR_vpack_s: case IR_vpack_u: pack(lane, in->op == IR_vpack_s, a, b, ret); break;
    case IR_vtbl:
        for (unsigned i = 0; i < 16; i++) {
            ret->u8[i] = b->u8[i] & 0x80 ? 0 : a->u8[b->u8[i] & 15];
        }
        break;
    case IR_vsel32: case IR_vperm32: case IR_vperm16_lo: case IR_vperm16_hi:
        select_lanes(in->op, aux, a, b, ret);
        break;
    case IR_vsel64:
        ret->u64[0] = a->u64[aux >> 2 * index & 1];
        ret->u64[1] = b->u64[aux >> (2 * index + 1) & 1];
        break;
    case IR_vext:
        for (unsigned i = 0; i < 16; i++) {
            ret->u8[i] = i + aux < 16 ? a->u8[i + aux] : b->u8[i + aux - 16];
        }
        break;
    case IR_vshl_bytes: memcpy(ret->u8 + aux, a->u8, 16 - aux); break;
    case IR_vshr_bytes: memcpy(ret->u8, a->u8 + aux, 16 - aux); break;
    case IR_vrotl:
        for (unsigned i = 0; i < n; i++) {
            uint64_t x = lane_get(a, lane, i);
            lane_set(ret, lane, i, aux >> 4 ? x << (aux >> 4) | x >> ((8u << lane) - (aux >> 4)) : x);
        }
        break;
    case IR_vblend:
        for (unsigned i = 0; i < n; i++) {
            lane_set(ret, lane, i, lane_get(aux >> (4 + i) & 1 ? b : a, lane, i));
        }
        break;
    case IR_vmulws: case IR_vmulwu:
        for (unsigned i = 0; i < n; i += 2) {
            uint64_t p = lane_get(a, lane, i), q = lane_get(b, lane, i);
            lane_set(ret, lane + 1, i / 2, in->op == IR_vmulwu ? p * q : (uint64_t)(bits_sext(p, bits) * bits_sext(q, bits)));
        }
        break;
    default: sums(in->op, aux, a, b, ret); break;
    }
}

static void whole(const IrInsn *in, IrType operand_type, const InterpValue *a, const InterpValue *b, InterpValue *ret)
{
    unsigned aux = in->aux, lane = aux & 3, bytes = ir_type_bytes(operand_type);

    switch (in->op) {
    case IR_vlow: ret->u64[0] = in->type == IR_F32 ? a->u32[0] : a->u64[0]; break;
    case IR_vzext: ret->u64[0] = a->u64[0]; break;
    case IR_vmovmsk:
        for (unsigned i = 0; i < bytes >> lane; i++) {
            ret->u64[0] |= lane_get(a, lane, i) >> ((8u << lane) - 1) << i;
        }
        break;
    case IR_vwiden_s: case IR_vwiden_u:
        for (unsigned i = 0; i < 16u >> (aux >> 4); i++) {
            uint64_t x = lane_get(a, lane, i);
            lane_set(ret, aux >> 4, i, in->op == IR_vwiden_s ? (uint64_t)bits_sext(x, 8u << lane) : x);
        }
        break;
    case IR_vtest:
        ret->u64[0] = 1;
        for (unsigned i = 0; i < bytes / 8; i++) {
            if ((aux ? ~a->u64[i] : a->u64[i]) & b->u64[i]) {
                ret->u64[0] = 0;
            }
        }
        break;
    default: /* vminpos */
        ret->u16[0] = a->u16[0];
        for (unsigned i = 1; i < 8; i++) {
            if (a->u16[i] < ret->u16[0]) {
                ret->u16[0] = a->u16[i];
                ret->u16[1] = i;
            }
        }
        break;
    }
}

void interp_vec_move(const IrInsn *in, IrType operand_type, const InterpValue *a, const InterpValue *b, InterpValue *ret)
{
    switch (in->op) {
    case IR_vlow: case IR_vzext: case IR_vmovmsk: case IR_vwiden_s: case IR_vwiden_u: case IR_vtest: case IR_vminpos:
        whole(in, operand_type, a, b, ret);
        return;
    }
    for (unsigned i = 0; i < ir_type_bytes(in->type) / 16; i++) {
        InterpValue p = { { 0 } }, q = { { 0 } }, r;
        memcpy(&p, a->u8 + 16 * i, 16);
        memcpy(&q, b->u8 + 16 * i, 16);
        part(in, i, &p, &q, &r);
        memcpy(ret->u8 + 16 * i, &r, 16);
    }
}
