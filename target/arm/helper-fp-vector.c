/*
 * helper-fp-vector.c: software floating point over the lanes of vector registers: what generated code has no operations for, and all
 * of it in modes that the host has not.
 */
#include "target/arm/fp.h"
#include "target/arm/translate.h"

typedef struct Regs {
    unsigned d, n, m, form, index, bytes;
    bool scalar;
} Regs;

static uint64_t lane_get(const ArmVector *v, unsigned size, unsigned i)
{
    switch (size) {
    case 1: return v->h[i];
    case 2: return v->s[i];
    default: return v->d[i];
    }
}

static void lane_set(ArmVector *v, unsigned size, unsigned i, uint64_t x)
{
    switch (size) {
    case 1: v->h[i] = (uint16_t)x; break;
    case 2: v->s[i] = (uint32_t)x; break;
    default: v->d[i] = x; break;
    }
}

/* Reduce(): the upper half's result is the second operand, and so on down. */
static uint64_t reduce(Vcpu *vcpu, uint32_t code, unsigned size, const ArmVector *v, unsigned first, unsigned n)
{
    if (n == 1) {
        return lane_get(v, size, first);
    }
    uint64_t low = reduce(vcpu, code, size, v, first, n / 2);
    return arm_fp_lane(vcpu, code, low, reduce(vcpu, code, size, v, first + n / 2, n / 2), 0);
}

static uint64_t pair(Vcpu *vcpu, uint32_t code, unsigned size, const ArmVector *v, unsigned i)
{
    return arm_fp_lane(vcpu, code, lane_get(v, size, i), lane_get(v, size, i + 1), 0);
}

/* FCADD and FCMLA: even lanes are real parts (FPAdd and FPMulAdd of operands negated or exchanged by the rotation). */
static void complex_lanes(Vcpu *vcpu, uint32_t code, unsigned size, Regs r, const ArmVector *n, const ArmVector *m,
                          const ArmVector *d, ArmVector *ret)
{
    uint64_t sign = BIT((8u << size) - 1);
    unsigned rotation = r.index & 3;

    for (unsigned i = 0; i < r.bytes >> size; i += 2) {
        unsigned k = r.index >> 4 & 1 ? (r.index >> 2 & 3) * 2 : i;
        uint64_t re = lane_get(m, size, k), im = lane_get(m, size, k + 1);
        uint64_t x = lane_get(n, size, i), y = lane_get(n, size, i + 1);
        if (r.form == ARM_FORM_COMPLEX_ADD) {
            lane_set(ret, size, i, arm_fp_lane(vcpu, code, x, rotation & 1 ? im : im ^ sign, 0));
            lane_set(ret, size, i + 1, arm_fp_lane(vcpu, code, y, rotation & 1 ? re ^ sign : re, 0));
            continue;
        }
        uint64_t by = rotation & 1 ? y : x;
        uint64_t to_re = rotation & 1 ? im : re, to_im = rotation & 1 ? re : im;
        to_re ^= rotation == 1 || rotation == 2 ? sign : 0;
        to_im ^= rotation >= 2 ? sign : 0;
        lane_set(ret, size, i, arm_fp_lane(vcpu, code, by, to_re, lane_get(d, size, i)));
        lane_set(ret, size, i + 1, arm_fp_lane(vcpu, code, by, to_im, lane_get(d, size, i + 1)));
    }
}

/* A half as a single, without quieting; zero for a subnormal under FZ16. */
static uint32_t half_as_single(uint16_t h, bool flush)
{
    FpStatus s = { .rules = &fp_rules_arm, .flush_inputs = flush };

    if ((h & 0x7c00) == 0x7c00) {
        return (uint32_t)(h & 0x8000) << 16 | 0x7f800000 | (uint32_t)(h & 0x3ff) << 13;
    }
    return f16_to_f32(h, &s);
}

/* FPMulAddH */
static void madd_long(Vcpu *vcpu, uint32_t code, Regs r, const ArmVector *n, const ArmVector *m, const ArmVector *d, ArmVector *ret)
{
    bool flush = arm_state(vcpu)->fpcr & ARM_FPCR_FZ16;
    unsigned lanes = r.bytes / 4, first = r.index & 1 ? lanes : 0;

    for (unsigned i = 0; i < lanes; i++) {
        uint16_t y = r.index >> 4 & 1 ? m->h[r.index >> 1 & 7] : m->h[first + i];
        ret->s[i] = (uint32_t)arm_fp_lane(vcpu, code, half_as_single(n->h[first + i], flush), half_as_single(y, flush), d->s[i]);
    }
}

static void lanes(Vcpu *vcpu, uint32_t code, unsigned size, Regs r, const ArmVector *n, const ArmVector *m, const ArmVector *d,
                  ArmVector *ret)
{
    unsigned count = r.scalar ? 1 : r.bytes >> size;
    ArmFpOp op = code & 255;
    bool compares = op >= ARM_FP_CMEQ && op <= ARM_FP_CMGT;

    for (unsigned i = 0; i < count; i++) {
        uint64_t x = lane_get(n, size, i), y = lane_get(m, size, r.form == ARM_FORM_ELEMENT ? r.index : i);
        if (compares) {
            y = code >> 16 & ARM_FP_B_ZERO ? 0 : code >> 16 & ARM_FP_A_ZERO ? x : y;
            x = code >> 16 & ARM_FP_A_ZERO ? 0 : x;
        }
        lane_set(ret, size, i, arm_fp_lane(vcpu, code, x, y, lane_get(d, size, i)));
    }
}

void arm_helper_fp_vector(Vcpu *vcpu, uint32_t code, uint32_t regs)
{
    ArmState *st = arm_state(vcpu);
    Regs r = { regs & 31, regs >> 5 & 31, regs >> 10 & 31, regs >> 15 & 15, regs >> 19 & 31, regs & ARM_REGS_Q ? 16 : 8,
               regs & ARM_REGS_SCALAR };
    unsigned size = code >> 8 & 3, other = code >> 10 & 3, half;
    ArmVector n = st->v[r.n], m = st->v[r.m], d = st->v[r.d], v = { .d = { 0 } };

    switch ((ArmFpForm)r.form) {
    case ARM_FORM_LANES: case ARM_FORM_ELEMENT:
        lanes(vcpu, code, size, r, &n, &m, &d, &v);
        break;
    case ARM_FORM_PAIRS:
        half = r.bytes >> size >> 1;
        for (unsigned i = 0; i < half; i++) {
            lane_set(&v, size, i, pair(vcpu, code, size, &n, 2 * i));
            lane_set(&v, size, half + i, pair(vcpu, code, size, &m, 2 * i));
        }
        break;
    case ARM_FORM_PAIR:
        lane_set(&v, size, 0, pair(vcpu, code, size, &n, 0));
        break;
    case ARM_FORM_ACROSS:
        lane_set(&v, size, 0, reduce(vcpu, code, size, &n, 0, r.bytes >> size));
        break;
    case ARM_FORM_WIDEN:
        half = 16 >> other;
        for (unsigned i = 0; i < half; i++) {
            lane_set(&v, other, i, arm_fp_lane(vcpu, code, lane_get(&n, size, r.index ? half + i : i), 0, 0));
        }
        break;
    case ARM_FORM_NARROW:
        half = 16 >> size;
        v.d[0] = r.index ? d.d[0] : 0;
        for (unsigned i = 0; i < (r.scalar ? 1 : half); i++) {
            lane_set(&v, other, r.index ? half + i : i, arm_fp_lane(vcpu, code, lane_get(&n, size, i), 0, 0));
        }
        break;
    case ARM_FORM_COMPLEX_ADD: case ARM_FORM_COMPLEX_MADD:
        complex_lanes(vcpu, code, size, r, &n, &m, &d, &v);
        break;
    case ARM_FORM_MADD_LONG:
        madd_long(vcpu, code, r, &n, &m, &d, &v);
        break;
    default:
        break;
    }
    st->v[r.d] = v;
}
