/*
 * interp-vec-fp.c: floating-point vector operations of the interpreter: lane by lane by the scalar rules.
 */
#include <math.h>
#include "tcg/interp-vec.h"

#ifdef __SSE__
#include <xmmintrin.h>
#endif

static IrOp scalar_of(IrOp op)
{
    switch (op) {
    case IR_vfadd: return IR_fadd;
    case IR_vfsub: return IR_fsub;
    case IR_vfmul: return IR_fmul;
    case IR_vfdiv: return IR_fdiv;
    case IR_vfsqrt: return IR_fsqrt;
    case IR_vfmin: return IR_fmin;
    case IR_vfmax: return IR_fmax;
    default: return IR_fma;
    }
}

static void convert(Vcpu *vcpu, const IrInsn *in, const InterpValue *a, InterpValue *ret)
{
    unsigned kind = in->aux & 15;
    uint16_t rm = in->aux >> 4;

    for (unsigned i = 0; i < 4; i++) {
        switch (kind) {
        case IR_CVT_I32_F32: ret->u32[i] = (uint32_t)interp_fp(vcpu, IR_i2f, IR_F32, IR_I32, rm, a->u32[i], 0, 0); break;
        case IR_CVT_F32_I32: ret->u32[i] = (uint32_t)interp_fp(vcpu, IR_f2i, IR_I32, IR_F32, rm, a->u32[i], 0, 0); break;
        case IR_CVT_F16_F32: ret->u32[i] = interp_half_to_single(vcpu, a->u16[i]); break;
        case IR_CVT_F32_F16: ret->u16[i] = interp_single_to_half(vcpu, rm, a->u32[i]); break;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        switch (kind) {
        case IR_CVT_F32_F64: ret->u64[i] = interp_fp(vcpu, IR_fcvt, IR_F64, IR_F32, rm, a->u32[i], 0, 0); break;
        case IR_CVT_F64_F32: ret->u32[i] = (uint32_t)interp_fp(vcpu, IR_fcvt, IR_F32, IR_F64, rm, a->u64[i], 0, 0); break;
        case IR_CVT_I32_F64: ret->u64[i] = interp_fp(vcpu, IR_i2f, IR_F64, IR_I32, rm, a->u32[i], 0, 0); break;
        case IR_CVT_F64_I32: ret->u32[i] = (uint32_t)interp_fp(vcpu, IR_f2i, IR_I32, IR_F64, rm, a->u64[i], 0, 0); break;
        }
    }
}

static bool related(Vcpu *vcpu, unsigned frel, IrType type, uint64_t a, uint64_t b)
{
    bool sig = frel & IR_FREL_SIG;
    uint64_t relation = frel & IR_FREL_STD ? interp_fp_standard(vcpu, IR_frel, sig, (uint32_t)a, (uint32_t)b, 0)
                                           : interp_fp(vcpu, IR_frel, IR_I32, type, sig, a, b, 0);
    switch (relation) {
    case 0: return frel & IR_FREL_GT;
    case 1: return frel & IR_FREL_LT;
    case 0x40: return frel & IR_FREL_EQ;
    default: return frel & IR_FREL_UNORD;
    }
}

/* Neither rounds by the mode nor raises flags: on this host what generated code does. */
static float estimate(IrOp op, float x)
{
#ifdef __SSE__
    __m128 v = _mm_set_ss(x);
    return _mm_cvtss_f32(op == IR_vfrcp ? _mm_rcp_ss(v) : _mm_rsqrt_ss(v));
#else
    if (fpclassify(x) == FP_SUBNORMAL) {
        x = copysignf(0, x);
    }
    if (isnan(x)) {
        return x + x;
    }
    if (op == IR_vfrsqrt) {
        return (float)(1 / sqrt((double)x));
    }
    float r = (float)(1 / (double)x);
    return fpclassify(r) == FP_SUBNORMAL ? copysignf(0, r) : r;
#endif
}

void interp_vec_fp(Vcpu *vcpu, const IrInsn *in, const InterpValue *a, const InterpValue *b, const InterpValue *c,
                   InterpValue *ret)
{
    unsigned lane = in->aux & 3, n = ir_type_bytes(in->type) >> lane, flags = in->aux >> 4;
    IrType type = lane == IR_LANE_64 ? IR_F64 : IR_F32;
    bool low = in->op == IR_vfcmp ? in->aux & 4 : in->op != IR_vfround && flags & IR_LANE_LOW;

    if (in->op == IR_vfcvt) {
        convert(vcpu, in, a, ret);
        return;
    }
    if (low) {
        *ret = in->op != IR_vfma ? *a : flags & IR_FMA_REST_C ? *c : flags & IR_FMA_REST_B ? *b : *a;
        n = 1;
    }
    bool standard = in->op != IR_vfcmp && in->op != IR_vfround && flags & IR_FP_STD, minmax = in->op == IR_vfmin || in->op == IR_vfmax;
    for (unsigned i = 0; i < n; i++) {
        uint64_t x = lane_get(a, lane, i), y = lane_get(b, lane, i), r;
        if (standard) {
            uint64_t z = in->op == IR_vfma ? lane_get(c, lane, i) : 0;
            lane_set(ret, lane, i, interp_fp_standard(vcpu, scalar_of(in->op), flags & (minmax ? 3 : IR_FMA_NEG_PRODUCT | IR_FMA_NEG_ADDEND),
                                                      (uint32_t)x, (uint32_t)y, (uint32_t)z));
            continue;
        }
        switch (in->op) {
        case IR_vfcmp: r = related(vcpu, flags, type, x, y) ? UINT64_MAX : 0; break;
        case IR_vfaddsub: r = interp_fp(vcpu, i & 1 ? IR_fadd : IR_fsub, type, type, IR_RM_DYN, x, y, 0); break;
        case IR_vfround: r = interp_fp(vcpu, IR_fround, type, type, flags, x, 0, 0); break;
        case IR_vfmin: case IR_vfmax: r = interp_fp(vcpu, scalar_of(in->op), type, type, flags & 3, x, y, 0); break;
        case IR_vfrcp: case IR_vfrsqrt: {
            uint32_t bits = (uint32_t)x;
            float f;
            memcpy(&f, &bits, 4);
            f = estimate(in->op, f);
            memcpy(&bits, &f, 4);
            r = bits;
            break;
        }
        default:
            r = interp_fp(vcpu, scalar_of(in->op), type, type,
                          IR_RM_DYN | (flags & (IR_FMA_NEG_PRODUCT | IR_FMA_NEG_ADDEND)), x, y, lane_get(c, lane, i));
            break;
        }
        lane_set(ret, lane, i, r);
    }
}
