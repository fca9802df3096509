/*
 * helper-fp-brain.c: BFloat16 products (Arm ARM J1, BFDotAdd, BFMatMulAdd, BFMulAddH), without FEAT_EBF16: sums of products are
 * rounded to odd, subnormals are zeros, NaNs the default one, and nothing is flagged.
 */
#include "target/arm/fp.h"
#include "target/arm/translate.h"

static FpStatus odd(void)
{
    return (FpStatus){
        .rules = &fp_rules_arm_default, .rounding = FP_RTO, .tininess_before = true, .flush_inputs = true,
        .flush_outputs = FP_FLUSH_BEFORE,
    };
}

/* BFRound makes an infinity of what is too large. */
static f32 finish(f32 r, const FpStatus *s) { return s->flags & FP_OVERFLOW ? (r & BIT(31)) | 0x7f800000 : r; }

static f32 mul(uint16_t a, uint16_t b)
{
    FpStatus s = odd();
    f32 r = f32_mul((f32)a << 16, (f32)b << 16, &s);

    return finish(r, &s);
}

static f32 add(f32 a, f32 b)
{
    FpStatus s = odd();
    f32 r = f32_add(a, b, &s);

    return finish(r, &s);
}

static f32 dot(f32 addend, const uint16_t a[2], const uint16_t b[2])
{
    return add(addend, add(mul(a[0], b[0]), mul(a[1], b[1])));
}

void arm_helper_fp_brain(Vcpu *vcpu, uint32_t upper, uint32_t regs)
{
    ArmState *st = arm_state(vcpu);
    unsigned rd = regs & 31, index = regs >> 19 & 31, form = regs >> 15 & 15;
    bool by_element = index >> 4 & 1;
    ArmVector n = st->v[regs >> 5 & 31], m = st->v[regs >> 10 & 31], d = st->v[rd], v = { .d = { 0 } };

    for (unsigned i = 0; i < (regs & ARM_REGS_Q ? 4 : 2); i++) {
        if (form == ARM_FORM_BF_DOT) {
            v.s[i] = dot(d.s[i], &n.h[2 * i], &m.h[2 * (by_element ? index & 3 : i)]);
        } else if (form == ARM_FORM_BF_MATRIX) { /* 2x4 by 4x2, rows of both */
            unsigned row = i / 2 * 4, column = (i & 1) * 4;
            v.s[i] = dot(dot(d.s[i], &n.h[row], &m.h[column]), &n.h[row + 2], &m.h[column + 2]);
        } else {
            uint32_t y = by_element ? m.h[index & 7] : m.h[2 * i + upper];
            v.s[i] = (uint32_t)arm_fp_lane(vcpu, arm_fp_code(ARM_FP_MADD, 2, 0, ARM_FP_DYN, 0, 0),
                                           (uint32_t)n.h[2 * i + upper] << 16, y << 16, d.s[i]);
        }
    }
    st->v[rd] = v;
}
