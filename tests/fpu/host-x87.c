/*
 * host-x87.c: f80 against this machine's x87 unit: arithmetic under every
 * rounding and precision control, rounding to integer, conversions, compare,
 * remainder; results, exception flags and C1, including encodings the x87 rejects.
 *
 * usage: host-x87 ROUNDS [SEED]
 */
#include <stdlib.h>
#include "target/fpu.h"
#include "tests/fpu/operands.h"
#include "tests/test.h"

#if defined(__x86_64__)

static unsigned long n_bad;
static FpStatus st;
static uint16_t control;

static uint32_t sw_of_flags(uint32_t f)
{
    return (f & FP_INVALID ? 1u : 0) | (f & FP_DENORMAL ? 2u : 0) | (f & FP_DIVZERO ? 4u : 0) |
           (f & FP_OVERFLOW ? 8u : 0) | (f & FP_UNDERFLOW ? 16u : 0) | (f & FP_INEXACT ? 32u : 0);
}

static void check(const char *op, f80 a, f80 b, f80 ours, f80 host, uint16_t sw, bool c1)
{
    uint32_t flags = sw_of_flags(st.flags), mask = 63;
    test_checks++;
    if (c1) {
        flags |= st.flags & FP_ROUNDED_UP ? 1u << 9 : 0;
        mask |= 1u << 9;
    }
    if (ours.sig != host.sig || ours.sign_exp != host.sign_exp || flags != (sw & mask)) {
        test_failures++;
        if (n_bad++ < 40) {
            fprintf(stderr, "%s(%04x:%016llx, %04x:%016llx) rounding %d precision %d: "
                    "%04x:%016llx flags %#x, host %04x:%016llx flags %#x\n", op, a.sign_exp,
                    (unsigned long long)a.sig, b.sign_exp, (unsigned long long)b.sig, st.rounding,
                    st.precision, ours.sign_exp, (unsigned long long)ours.sig, flags,
                    host.sign_exp, (unsigned long long)host.sig, sw & mask);
        }
    }
    st.flags = 0;
}

static f80 as_f80(uint64_t v)
{
    return (f80){ .sig = v };
}

static f80 operand_f80(void)
{
    uint64_t r = operand_random();
    uint64_t wide = operand_float(15, 48);
    f80 v = { .sign_exp = (uint16_t)(wide >> 48), .sig = operand_fraction(63) | (uint64_t)1 << 63 };

    if ((v.sign_exp & 0x7fff) == 0 || (r & 63) == 0) {
        v.sig &= ~(uint64_t)0 >> ((r >> 8) & 63);
    }
    if ((r >> 16 & 7) == 0) {
        v.sig &= ~(uint64_t)0 << 39; /* halfway cases for 24 and 53 bits */
    } else if ((r >> 16 & 7) == 1) {
        v.sig &= ~(uint64_t)0 << 10;
    }
    return v;
}

static const uint16_t control_default = 0x37f;

#define BINARY(insn, fn)                                                              \
    do {                                                                              \
        f80 r;                                                                        \
        uint16_t sw;                                                                  \
        __asm__ volatile("fninit\n\tfldt %[b]\n\tfldt %[a]\n\tfldcw %[cw]\n\t" insn   \
                         "\n\tfnstsw %[sw]\n\tfninit\n\t"                             \
                         : [sw] "=m"(sw) : [a] "m"(a), [b] "m"(b), [cw] "m"(control)); \
        __asm__ volatile("fninit\n\tfldt %[b]\n\tfldt %[a]\n\tfldcw %[cw]\n\t" insn   \
                         "\n\tfldcw %[def]\n\tfstpt %[r]\n\tfninit"                   \
                         : [r] "=m"(r) : [a] "m"(a), [b] "m"(b), [cw] "m"(control),   \
                           [def] "m"(control_default));                               \
        f80 ours = fn;                                                                \
        check(insn, a, b, ours, r, sw, true);                                         \
    } while (0)

#define STORE(insn, type, fn)                                                         \
    do {                                                                              \
        type r;                                                                       \
        uint16_t sw;                                                                  \
        __asm__ volatile("fninit\n\tfldt %[a]\n\tfldcw %[cw]\n\t" insn " %[r]"        \
                         "\n\tfnstsw %[sw]\n\tfninit\n\t"                             \
                         : [sw] "=m"(sw), [r] "=m"(r) : [a] "m"(a), [cw] "m"(control)); \
        type ours = fn;                                                               \
        st.flags &= ~(uint32_t)FP_DENORMAL; /* stores do not report it */             \
        check(insn, a, b, as_f80(ours), as_f80(r), sw, false);                        \
    } while (0)

#define LOAD(insn, type, value, fn)                                                   \
    do {                                                                              \
        type x = (type)(value);                                                       \
        f80 r;                                                                        \
        uint16_t sw;                                                                  \
        __asm__ volatile("fninit\n\tfldcw %[cw]\n\t" insn " %[x]\n\tfnstsw %[sw]\n\t" \
                         "fstpt %[r]\n\tfninit\n\t"                                   \
                         : [sw] "=m"(sw), [r] "=m"(r) : [x] "m"(x), [cw] "m"(control)); \
        f80 ours = fn;                                                                \
        check(insn, as_f80(x), as_f80(0), ours, r, sw, false);                        \
    } while (0)

#define COMPARE(insn, fn)                                                             \
    do {                                                                              \
        uint16_t sw;                                                                  \
        __asm__ volatile("fninit\n\tfldt %[b]\n\tfldt %[a]\n\t" insn                  \
                         "\n\tfnstsw %[sw]\n\tfninit\n\t"                             \
                         : [sw] "=m"(sw) : [a] "m"(a), [b] "m"(b));                   \
        unsigned c = (sw >> 8 & 1) | (sw >> 9 & 2) | (sw >> 12 & 4);                  \
        FpRelation rel = fn;                                                          \
        unsigned ours = rel == FP_UNORDERED ? 7 : rel == FP_LESS ? 1 : rel == FP_EQUAL ? 4 : 0; \
        check(insn, a, b, as_f80(ours), as_f80(c), sw, false);                        \
    } while (0)

static void rem_check(f80 a, f80 b, bool nearest)
{
    f80 r;
    uint16_t sw;

    if (nearest) {
        __asm__ volatile("fninit\n\tfldt %[b]\n\tfldt %[a]\n\tfprem1\n\tfnstsw %[sw]\n\tfstpt %[r]\n\t"
                         "fninit" : [r] "=m"(r), [sw] "=m"(sw) : [a] "m"(a), [b] "m"(b));
    } else {
        __asm__ volatile("fninit\n\tfldt %[b]\n\tfldt %[a]\n\tfprem\n\tfnstsw %[sw]\n\tfstpt %[r]\n\t"
                         "fninit" : [r] "=m"(r), [sw] "=m"(sw) : [a] "m"(a), [b] "m"(b));
    }
    FpRemStep step = f80_rem_step(a, b, nearest, &st);
    bool complete = !(sw >> 10 & 1);
    test_checks++;
    if (complete != step.complete) {
        test_failures++;
        fprintf(stderr, "fprem completeness differs\n");
    }
    if (complete && !(sw & 1)) {
        unsigned q = (sw >> 9 & 1) | (sw >> 13 & 2) | (sw >> 6 & 4);
        CHECK_EQ(step.quotient & 7, q);
    }
    check(nearest ? "fprem1" : "fprem", a, b, step.value, r, sw, false);
}

int main(int argc, char **argv)
{
    static const FpRounding modes[4] = { FP_RNE, FP_RDN, FP_RUP, FP_RTZ };
    static const uint8_t precisions[4] = { 24, 64, 53, 64 };
    static const uint16_t precision_codes[4] = { 0, 3, 2, 3 };
    long rounds = argc > 1 ? atol(argv[1]) : 10000;

    if (argc > 2) {
        operand_seed(strtoull(argv[2], NULL, 0));
    }
    st.rules = &fp_rules_x87;
    for (long n = 0; n < rounds; n++) {
        unsigned rc = (unsigned)n & 3, pc = (unsigned)(n >> 2) & 3;
        f80 a = operand_f80(), b = operand_f80();
        if (operand_random() & 1) {
            b.sign_exp = (uint16_t)((b.sign_exp & 0x8000) |
                                    ((a.sign_exp + operand_random() % 141 - 70) & 0x7fff));
        }
        st.rounding = modes[rc];
        st.precision = precisions[pc];
        control = (uint16_t)(0x3f | precision_codes[pc] << 8 | rc << 10);

        BINARY("faddp", f80_add(b, a, &st));
        BINARY("fsubrp", f80_sub(b, a, &st));
        BINARY("fmulp", f80_mul(b, a, &st));
        BINARY("fdivrp", f80_div(b, a, &st));
        BINARY("fsqrt", f80_sqrt(a, &st));
        BINARY("frndint", f80_round_to_int(a, modes[rc], true, &st));
        COMPARE("fcom", f80_compare(a, b, &st));
        COMPARE("fucom", f80_compare_quiet(a, b, &st));
        STORE("fstps", uint32_t, f80_to_f32(a, &st));
        STORE("fstpl", uint64_t, f80_to_f64(a, &st));
        STORE("fistps", uint16_t, (uint16_t)f80_to_int(a, 16, true, 0, modes[rc], &st));
        STORE("fistpl", uint32_t, (uint32_t)f80_to_i32(a, modes[rc], &st));
        STORE("fistpq", uint64_t, (uint64_t)f80_to_i64(a, modes[rc], &st));
        LOAD("flds", uint32_t, operand_f32(), f32_to_f80(x, &st));
        LOAD("fldl", uint64_t, operand_f64(), f64_to_f80(x, &st));
        LOAD("fildq", uint64_t, operand_int(), f80_from_i64((int64_t)x, &st));
        rem_check(a, b, false);
        rem_check(a, b, true);
    }
    if (n_bad) {
        fprintf(stderr, "%lu of %ld differ\n", n_bad, test_checks);
    }
    return test_result();
}

#else
int main(void) { return 77; }
#endif
