/*
 * helper-fp.c: floating point that hosts do not do inline: half precision, rounding to nearest-away, and the
 * odd conversions. Exact results and flags from libfpu.
 */
#include "target/fpu.h"
#include "target/riscv/fp-ops.h"
#include "target/riscv/translate.h"

/* A value whose upper bits are not all ones is the canonical NaN (Unprivileged 22.2). */
static uint64_t unbox(uint64_t v, RiscvFpFormat format)
{
    switch (format) {
    case RISCV_FP_S:
        return v >> 32 == UINT32_MAX ? (uint32_t)v : 0x7fc00000;
    case RISCV_FP_H:
    case RISCV_FP_B:
        return v >> 16 == 0xffffffffffff ? (uint16_t)v : format == RISCV_FP_H ? 0x7e00 : 0x7fc0;
    default:
        return v;
    }
}

static uint64_t box(uint64_t v, RiscvFpFormat format)
{
    return format == RISCV_FP_S ? v | 0xffffffff00000000 : format == RISCV_FP_D ? v : v | 0xffffffffffff0000;
}

#define FP_FORMAT(T, FMT)                                                                       \
    static uint64_t compute_##T(RiscvFpOp op, uint64_t x, uint64_t y, uint64_t z, FpStatus *st)  \
    {                                                                                            \
        T a = unbox(x, FMT), b = unbox(y, FMT), c = unbox(z, FMT);                              \
        FpRounding r = st->rounding;                                                            \
        switch (op) {                                                                            \
        case RISCV_FP_ADD: return box(T##_add(a, b, st), FMT);                                  \
        case RISCV_FP_SUB: return box(T##_sub(a, b, st), FMT);                                  \
        case RISCV_FP_MUL: return box(T##_mul(a, b, st), FMT);                                  \
        case RISCV_FP_DIV: return box(T##_div(a, b, st), FMT);                                  \
        case RISCV_FP_SQRT: return box(T##_sqrt(a, st), FMT);                                   \
        case RISCV_FP_MADD: return box(T##_muladd(a, b, c, 0, st), FMT);                        \
        case RISCV_FP_MSUB: return box(T##_muladd(a, b, c, FP_NEGATE_ADDEND, st), FMT);         \
        case RISCV_FP_NMSUB: return box(T##_muladd(a, b, c, FP_NEGATE_PRODUCT, st), FMT);       \
        case RISCV_FP_NMADD:                                                                     \
            return box(T##_muladd(a, b, c, FP_NEGATE_PRODUCT | FP_NEGATE_ADDEND, st), FMT);     \
        case RISCV_FP_MIN: return box(T##_minmax(a, b, FP_MINIMUM_NUMBER, st), FMT);            \
        case RISCV_FP_MAX: return box(T##_minmax(a, b, FP_MAXIMUM_NUMBER, st), FMT);            \
        case RISCV_FP_MINM: return box(T##_minmax(a, b, FP_MINIMUM, st), FMT);                  \
        case RISCV_FP_MAXM: return box(T##_minmax(a, b, FP_MAXIMUM, st), FMT);                  \
        case RISCV_FP_EQ: return T##_eq(a, b, st);                                              \
        case RISCV_FP_LT: return T##_lt(a, b, st);                                              \
        case RISCV_FP_LE: return T##_le(a, b, st);                                              \
        case RISCV_FP_LTQ: return T##_lt_quiet(a, b, st);                                       \
        case RISCV_FP_LEQ: return T##_le_quiet(a, b, st);                                       \
        case RISCV_FP_CLASS: return T##_classify(a, st->rules);                                \
        case RISCV_FP_TO_W: return (int64_t)T##_to_i32(a, r, st);                               \
        case RISCV_FP_TO_WU: return (int64_t)(int32_t)T##_to_u32(a, r, st);                     \
        case RISCV_FP_TO_L: return T##_to_i64(a, r, st);                                        \
        case RISCV_FP_TO_LU: return T##_to_u64(a, r, st);                                       \
        case RISCV_FP_FROM_W: return box(T##_from_i32((int32_t)x, st), FMT);                    \
        case RISCV_FP_FROM_WU: return box(T##_from_u32((uint32_t)x, st), FMT);                  \
        case RISCV_FP_FROM_L: return box(T##_from_i64((int64_t)x, st), FMT);                    \
        case RISCV_FP_FROM_LU: return box(T##_from_u64(x, st), FMT);                            \
        case RISCV_FP_ROUND: return box(T##_round_to_int(a, r, false, st), FMT);                \
        case RISCV_FP_ROUNDNX: return box(T##_round_to_int(a, r, true, st), FMT);               \
        case RISCV_FP_TO_S: return box(T##_to_f32(a, st), RISCV_FP_S);                          \
        case RISCV_FP_TO_D: return T##_to_f64(a, st);                                           \
        case RISCV_FP_TO_H: return box(T##_to_f16(a, st), RISCV_FP_H);                          \
        case RISCV_FP_TO_B: return box(T##_to_bf16(a, st), RISCV_FP_B);                        \
        case RISCV_FP_CVTMOD: break; /* D only */                                               \
        }                                                                                        \
        return 0;                                                                                \
    }


FP_FORMAT(f16, RISCV_FP_H)
FP_FORMAT(bf16, RISCV_FP_B)
FP_FORMAT(f32, RISCV_FP_S)
FP_FORMAT(f64, RISCV_FP_D)

uint64_t riscv_helper_fp(Vcpu *vcpu, uint32_t what, uint64_t a, uint64_t b, uint64_t c)
{
    RiscvState *s = riscv_state(vcpu);
    FpStatus st = { .rules = &fp_rules_riscv, .rounding = what >> 16 & 7 };
    RiscvFpOp op = what & 0xff;
    uint64_t v;

    switch ((RiscvFpFormat)(what >> 8 & 0xff)) {
    case RISCV_FP_S:
        v = compute_f32(op, a, b, c, &st);
        break;
    case RISCV_FP_H:
        v = compute_f16(op, a, b, c, &st);
        break;
    case RISCV_FP_B:
        v = compute_bf16(op, a, b, c, &st);
        break;
    default:
        v = op == RISCV_FP_CVTMOD ? (uint64_t)(int64_t)f64_to_i32_modular(a, &st)
                                  : compute_f64(op, a, b, c, &st);
        break;
    }
    s->fflags |= st.flags & FP_IEEE_FLAGS;
    return v;
}
