/*
 * ir-target.c: the guest architecture of the IR tests.
 */
#include "ir-target.h"

#define SLOT(index, name_, field, type_) \
    [index] = { .name = name_, .offset = offsetof(TestState, field), .type = type_ }

static const SlotDesc slots[T_N_SLOTS] = {
    SLOT(T_PC, "pc", pc, IR_I64),
    SLOT(T_X0, "x0", x[0], IR_I64), SLOT(T_X1, "x1", x[1], IR_I64),
    SLOT(T_X2, "x2", x[2], IR_I64), SLOT(T_X3, "x3", x[3], IR_I64),
    SLOT(T_X4, "x4", x[4], IR_I64), SLOT(T_X5, "x5", x[5], IR_I64),
    SLOT(T_X6, "x6", x[6], IR_I64), SLOT(T_X7, "x7", x[7], IR_I64),
    SLOT(T_W0, "w0", w[0], IR_I32), SLOT(T_W1, "w1", w[1], IR_I32),
    SLOT(T_W2, "w2", w[2], IR_I32), SLOT(T_W3, "w3", w[3], IR_I32),
    SLOT(T_F0, "f0", f[0], IR_F64), SLOT(T_F1, "f1", f[1], IR_F64), SLOT(T_F2, "f2", f[2], IR_F64),
    SLOT(T_S0, "s0", s[0], IR_F32), SLOT(T_S1, "s1", s[1], IR_F32),
    SLOT(T_V0, "v0", v[0], IR_V128), SLOT(T_V1, "v1", v[1], IR_V128), SLOT(T_V2, "v2", v[2], IR_V128),
    SLOT(T_Y0, "y0", y[0], IR_V256), SLOT(T_Y1, "y1", y[1], IR_V256),
    SLOT(T_CNT, "cnt", cnt, IR_I32),
};

static uint64_t helper_mix(uint64_t a, uint32_t b, uint64_t c)
{
    return (a ^ c << 7 ^ b) * 0x9e3779b97f4a7c15;
}

static uint64_t helper_sum(Vcpu *vcpu)
{
    const TestState *st = (const TestState *)vcpu->state;
    uint64_t sum = st->w[0];

    for (unsigned i = 0; i < 8; i++) {
        sum = sum * 3 + st->x[i];
    }
    return sum;
}

static void helper_step(Vcpu *vcpu, uint64_t v)
{
    TestState *st = (TestState *)vcpu->state;

    st->x[0] = v * 5;
    st->w[1] = (uint32_t)(v >> 3);
    st->f[0] = v ^ 0x3ff0000000000000;
}

static void helper_swap(Vcpu *vcpu)
{
    TestState *st = (TestState *)vcpu->state;
    uint64_t t = st->x[1];

    st->x[1] = st->x[2];
    st->x[2] = t;
}

static uint64_t helper_maybe(Vcpu *vcpu, uint64_t v)
{
    if (!(v & 7)) {
        vcpu_raise(vcpu, 3, v);
    }
    return v + 1;
}

static void helper_stop(Vcpu *vcpu)
{
    vcpu_loop_exit(vcpu, VCPU_EXIT_HALTED);
}

static uint64_t helper_fp(Vcpu *vcpu, uint64_t f)
{
    vcpu->jit.fp_control_guest |= 0x20;
    return f;
}

static uint64_t helper_six(uint64_t a, uint32_t b, uint32_t s, uint64_t d, uint64_t e, uint32_t g)
{
    return a + 3 * (uint64_t)b + 5 * (uint64_t)s + 7 * d + 11 * e + 13 * (uint64_t)g;
}

static uint64_t helper_seven(Vcpu *vcpu, uint64_t a, uint32_t b, uint32_t s, uint64_t d, uint64_t e, uint32_t g)
{
    return vcpu ? helper_six(a, b, s, d, e, g) : 0;
}

static const HelperDesc helpers[T_N_HELPERS] = {
    [T_H_MIX] = { "mix", (void *)helper_mix, HELPER_PURE, IR_I64, 3, { IR_I64, IR_I32, IR_I64 } },
    [T_H_SUM] = { "sum", (void *)helper_sum, HELPER_READS_STATE | HELPER_VCPU, IR_I64, 0, { 0 } },
    [T_H_STEP] = { "step", (void *)helper_step, HELPER_WRITES_STATE | HELPER_VCPU, IR_VOID, 1, { IR_I64 } },
    [T_H_SWAP] = { "swap", (void *)helper_swap,
                   HELPER_READS_STATE | HELPER_WRITES_STATE | HELPER_VCPU, IR_VOID, 0, { 0 } },
    [T_H_MAYBE] = { "maybe", (void *)helper_maybe, HELPER_RAISES | HELPER_VCPU, IR_I64, 1, { IR_I64 } },
    [T_H_STOP] = { "stop", (void *)helper_stop, HELPER_RAISES | HELPER_NORETURN | HELPER_VCPU,
                   IR_VOID, 0, { 0 } },
    [T_H_FP] = { "fp", (void *)helper_fp, HELPER_FP | HELPER_VCPU, IR_F64, 1, { IR_F64 } },
    [T_H_SIX] = { "six", (void *)helper_six, HELPER_PURE, IR_I64, 6,
                  { IR_I64, IR_I32, IR_F32, IR_F64, IR_I64, IR_I32 } },
    [T_H_SEVEN] = { "seven", (void *)helper_seven, HELPER_VCPU, IR_I64, 6,
                    { IR_I64, IR_I32, IR_F32, IR_F64, IR_I64, IR_I32 } },
};

static vaddr get_pc(const Vcpu *vcpu)
{
    return ((const TestState *)vcpu->state)->pc;
}

static void set_pc(Vcpu *vcpu, vaddr pc)
{
    ((TestState *)vcpu->state)->pc = pc;
}

const Target test_target = {
    .name = "test",
    .summary = "guest architecture of the IR tests",
    .word_bits = 64,
    .pc_shift = 1,
    .max_insn_bytes = 4,
    .page_bits = 12,
    .slots = slots,
    .n_slots = T_N_SLOTS,
    .pc_slot = T_PC,
    .state_size_bytes = sizeof(TestState),
    .helpers = helpers,
    .n_helpers = T_N_HELPERS,
    .n_mmu_modes = 2,
    .get_pc = get_pc,
    .set_pc = set_pc,
};
