/*
 * host-sse.c: the library against this machine's SSE, AVX, F16C, FMA and
 * AVX-512 scalar instructions, results and exception flags, bit for bit, in
 * every rounding mode and flush mode.
 *
 * usage: host-sse ROUNDS (operand sets per rounding and flush mode)
 */
#include <stdlib.h>
#include "target/fpu.h"
#include "tests/fpu/operands.h"
#include "tests/test.h"

#if defined(__x86_64__)
#include <immintrin.h>

static unsigned long n_bad;
static FpStatus st;
static uint32_t host_csr;
static bool has_fma, has_f16c, has_avx512;

static uint32_t csr_of_flags(uint32_t f)
{
    return (f & FP_INVALID ? 1u : 0) | (f & FP_DENORMAL ? 2u : 0) | (f & FP_DIVZERO ? 4u : 0) |
           (f & FP_OVERFLOW ? 8u : 0) | (f & FP_UNDERFLOW ? 16u : 0) | (f & FP_INEXACT ? 32u : 0);
}

static void check(const char *op, uint64_t a, uint64_t b, uint64_t c, uint64_t ours, uint64_t host,
                  uint32_t csr)
{
    uint32_t flags = csr_of_flags(st.flags);
    test_checks++;
    if (ours != host || flags != (csr & 63)) {
        if (n_bad++ < 40) {
            fprintf(stderr, "%s(%#llx, %#llx, %#llx) rounding %d daz %d ftz %d: "
                    "%#llx flags %#x, host %#llx flags %#x\n", op, (unsigned long long)a,
                    (unsigned long long)b, (unsigned long long)c, st.rounding, st.flush_inputs,
                    st.flush_outputs, (unsigned long long)ours, flags, (unsigned long long)host,
                    csr & 63);
        }
        test_failures++;
    }
    st.flags = 0;
}

/* Runs one instruction under host_csr and leaves its flags in `csr`. */
#define RUN(insn, out, ...)                                                        \
    __asm__ volatile("ldmxcsr %[set]\n\t" insn "\n\tstmxcsr %[got]\n\tldmxcsr %[def]" \
                     : out, [got] "=m"(csr) : [set] "m"(host_csr), [def] "m"(csr_default), __VA_ARGS__)

static const uint32_t csr_default = 0x1f80;

typedef union { uint32_t u; float f; } F32;
typedef union { uint64_t u; double f; } F64;

#define BINARY(T, U, insn, op)                                                    \
    do {                                                                          \
        U x = { .u = a }, y = { .u = b };                                         \
        RUN(insn " %[y], %[x]", [x] "+x"(x.f), [y] "x"(y.f));                     \
        check(#T "_" #op, a, b, 0, T##_##op(a, b, &st), x.u, csr);                \
    } while (0)

#define COMPARE(T, U, insn, fn)                                                          \
    do {                                                                                 \
        U x = { .u = a }, y = { .u = b };                                                \
        uint8_t zf, pf, cf;                                                              \
        __asm__ volatile("ldmxcsr %[set]\n\t" insn " %[y], %[x]\n\tsetz %[z]\n\tsetp %[p]\n\t" \
                         "setc %[c]\n\tstmxcsr %[got]\n\tldmxcsr %[def]"                 \
                         : [z] "=r"(zf), [p] "=r"(pf), [c] "=r"(cf), [got] "=m"(csr)     \
                         : [x] "x"(x.f), [y] "x"(y.f), [set] "m"(host_csr),              \
                           [def] "m"(csr_default) : "cc");                               \
        uint64_t want = pf ? FP_UNORDERED : zf ? FP_EQUAL : cf ? (uint64_t)FP_LESS : FP_GREATER; \
        check(#fn, a, b, 0, (uint64_t)(int64_t)fn(a, b, &st), pf ? want : zf ? want          \
              : cf ? (uint64_t)(int64_t)-1 : want, csr);                                 \
    } while (0)

#define UNARY(insn, U, V, expr, name)                                             \
    do {                                                                          \
        U x = { .u = a };                                                         \
        V y = { .u = 0 };                                                         \
        RUN(insn " %[x], %[y]", [y] "+x"(y.f), [x] "x"(x.f));                     \
        check(name, a, 0, 0, expr, y.u, csr);                                     \
    } while (0)

#define TO_INT(insn, U, I, expr, name)                                            \
    do {                                                                          \
        U x = { .u = a };                                                         \
        I y;                                                                      \
        RUN(insn " %[x], %[y]", [y] "=r"(y), [x] "x"(x.f));                       \
        check(name, a, 0, 0, (I)expr, y, csr);                                    \
    } while (0)

#define FROM_INT(insn, I, V, expr, name)                                          \
    do {                                                                          \
        I x = (I)i;                                                               \
        V y = { .u = 0 };                                                         \
        RUN(insn " %[x], %[y]", [y] "+x"(y.f), [x] "r"(x));                       \
        check(name, x, 0, 0, expr, y.u, csr);                                     \
    } while (0)

#define FROM_INT3(insn, I, V, expr, name)                                         \
    do {                                                                          \
        I x = (I)i;                                                               \
        V y = { .u = 0 };                                                         \
        RUN(insn " %[x], %[y], %[y]", [y] "+x"(y.f), [x] "r"(x));                 \
        check(name, x, 0, 0, expr, y.u, csr);                                     \
    } while (0)

#define FMA(T, U, suffix, neg, flags_)                                            \
    do {                                                                          \
        U x = { .u = a }, y = { .u = b }, z = { .u = c };                         \
        RUN("vf" neg "213" suffix " %[z], %[y], %[x]", [x] "+x"(x.f), [y] "x"(y.f), [z] "x"(z.f)); \
        /* The 213 forms multiply their second operand by the first, in that order. */ \
        check(#T " " neg, a, b, c, T##_muladd(b, a, c, flags_, &st), x.u, csr);   \
    } while (0)

/* ROUNDSx: bit 2 of the immediate takes the mode from MXCSR, bit 3 hides inexact. */
#define ROUNDING(T, U, suffix, imm, mode, exact)                                  \
    UNARY("rounds" suffix " $" #imm ",", U, U, T##_round_no_denormal(a, mode, exact),    \
          #T "_round " #imm)

/* ROUNDSx, unlike FRNDINT, does not report subnormal operands. */
#define DEFINE_ROUND(T)                                                           \
    static T T##_round_no_denormal(T a, FpRounding mode, bool exact)              \
    {                                                                             \
        T r = T##_round_to_int(a, mode, exact, &st);                              \
        st.flags &= ~(uint32_t)FP_DENORMAL;                                       \
        return r;                                                                 \
    }
DEFINE_ROUND(f32)
DEFINE_ROUND(f64)

#define FORMAT_OPS(T, U, s)                                                            \
    BINARY(T, U, "adds" s, add);                                                       \
    BINARY(T, U, "subs" s, sub);                                                       \
    BINARY(T, U, "muls" s, mul);                                                       \
    BINARY(T, U, "divs" s, div);                                                       \
    COMPARE(T, U, "comis" s, T##_compare);                                             \
    COMPARE(T, U, "ucomis" s, T##_compare_quiet);                                      \
    UNARY("sqrts" s, U, U, T##_sqrt(a, &st), #T "_sqrt");                              \
    TO_INT("cvts" s "2si", U, uint32_t, T##_to_i32(a, mode, &st), #T "_to_i32");       \
    TO_INT("cvts" s "2si", U, uint64_t, T##_to_i64(a, mode, &st), #T "_to_i64");       \
    TO_INT("cvtts" s "2si", U, uint32_t, T##_to_i32(a, FP_RTZ, &st), #T "_to_i32 rtz"); \
    TO_INT("cvtts" s "2si", U, uint64_t, T##_to_i64(a, FP_RTZ, &st), #T "_to_i64 rtz"); \
    FROM_INT("cvtsi2s" s "l", uint32_t, U, T##_from_i32((int32_t)x, &st), #T "_from_i32"); \
    FROM_INT("cvtsi2s" s "q", uint64_t, U, T##_from_i64((int64_t)x, &st), #T "_from_i64"); \
    ROUNDING(T, U, s, 0, FP_RNE, true);                                                \
    ROUNDING(T, U, s, 1, FP_RDN, true);                                                \
    ROUNDING(T, U, s, 2, FP_RUP, true);                                                \
    ROUNDING(T, U, s, 3, FP_RTZ, true);                                                \
    ROUNDING(T, U, s, 4, mode, true);                                                  \
    ROUNDING(T, U, s, 8, FP_RNE, false);                                               \
    ROUNDING(T, U, s, 12, mode, false);                                                \
    if (has_fma) {                                                                     \
        FMA(T, U, "s" s, "madd", 0);                                                   \
        FMA(T, U, "s" s, "msub", FP_NEGATE_ADDEND);                                    \
        FMA(T, U, "s" s, "nmadd", FP_NEGATE_PRODUCT);                                  \
        FMA(T, U, "s" s, "nmsub", FP_NEGATE_PRODUCT | FP_NEGATE_ADDEND);               \
    }                                                                                  \
    if (has_avx512) {                                                                  \
        TO_INT("vcvts" s "2usi", U, uint32_t, T##_to_u32(a, mode, &st), #T "_to_u32"); \
        TO_INT("vcvts" s "2usi", U, uint64_t, T##_to_u64(a, mode, &st), #T "_to_u64"); \
        TO_INT("vcvtts" s "2usi", U, uint64_t, T##_to_u64(a, FP_RTZ, &st), #T "_to_u64 rtz"); \
        FROM_INT3("vcvtusi2s" s "l", uint32_t, U, T##_from_u32(x, &st), #T "_from_u32"); \
        FROM_INT3("vcvtusi2s" s "q", uint64_t, U, T##_from_u64(x, &st), #T "_from_u64"); \
    }

static void test_f32(FpRounding mode)
{
    uint32_t a = operand_f32(), b = operand_f32(), c = operand_f32(), csr;
    uint64_t i = operand_int();

    if (operand_random() & 1) {
        /* Exponents within reach of each other, so that additions interact. */
        b = (b & 0x807fffff) | (((a >> 23) + operand_random() % 51 - 25) & 255) << 23;
    }
    FORMAT_OPS(f32, F32, "s")
    UNARY("cvtss2sd", F32, F64, f32_to_f64(a, &st), "f32_to_f64");
    if (has_f16c) {
        F32 x = { .u = a };
        uint32_t h;
        __asm__ volatile("ldmxcsr %[set]\n\tvcvtps2ph $4, %[x], %%xmm0\n\tstmxcsr %[got]\n\t"
                         "ldmxcsr %[def]\n\tvmovd %%xmm0, %[h]"
                         : [h] "=r"(h), [got] "=m"(csr)
                         : [x] "x"(_mm_set_ss(x.f)), [set] "m"(host_csr), [def] "m"(csr_default)
                         : "xmm0");
        /* VCVTPS2PH ignores FTZ. */
        uint8_t flush = st.flush_outputs;
        st.flush_outputs = FP_FLUSH_NONE;
        check("f32_to_f16", a, 0, 0, f32_to_f16(a, &st), (uint16_t)h, csr);
        uint16_t half = operand_f16();
        uint32_t wide;
        __asm__ volatile("vmovd %[h], %%xmm0\n\tldmxcsr %[set]\n\tvcvtph2ps %%xmm0, %%xmm0\n\t"
                         "stmxcsr %[got]\n\tldmxcsr %[def]\n\tvmovd %%xmm0, %[w]"
                         : [w] "=r"(wide), [got] "=m"(csr)
                         : [h] "r"((uint32_t)half), [set] "m"(host_csr), [def] "m"(csr_default)
                         : "xmm0");
        /* VCVTPH2PS ignores DAZ and does not report subnormal operands. */
        bool daz = st.flush_inputs;
        st.flush_inputs = false;
        uint32_t got = f16_to_f32(half, &st);
        st.flags &= ~(uint32_t)FP_DENORMAL;
        check("f16_to_f32", half, 0, 0, got, wide, csr);
        st.flush_inputs = daz;
        st.flush_outputs = flush;
    }
}

static void test_f64(FpRounding mode)
{
    uint64_t a = operand_f64(), b = operand_f64(), c = operand_f64();
    uint32_t csr;
    uint64_t i = operand_int();

    if (operand_random() & 1) {
        b = (b & 0x800fffffffffffff) | (((a >> 52) + operand_random() % 111 - 55) & 2047) << 52;
    }
    FORMAT_OPS(f64, F64, "d")
    UNARY("cvtsd2ss", F64, F32, f64_to_f32(a, &st), "f64_to_f32");
    /* Doubles near the single range, so that narrowing has something to do. */
    a = (a & 0x800fffffffffffff) | (1023 - 160 + operand_random() % 300) << 52;
    UNARY("cvtsd2ss", F64, F32, f64_to_f32(a, &st), "f64_to_f32");
}

int main(int argc, char **argv)
{
    static const FpRounding modes[4] = { FP_RNE, FP_RDN, FP_RUP, FP_RTZ };
    long rounds = argc > 1 ? atol(argv[1]) : 10000;

    if (argc > 2) {
        operand_seed(strtoull(argv[2], NULL, 0));
    }
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.1")) {
        return 77;
    }
    has_fma = __builtin_cpu_supports("fma");
    has_f16c = __builtin_cpu_supports("f16c");
    has_avx512 = __builtin_cpu_supports("avx512f");
    st.rules = &fp_rules_x86;
    for (long n = 0; n < rounds; n++) {
        unsigned rc = (unsigned)n & 3, flush = (unsigned)(n >> 2) % 6;
        /* Flushing is rarer than not. */
        st.rounding = modes[rc];
        st.flush_inputs = flush == 1 || flush == 3;
        st.flush_outputs = flush == 2 || flush == 3 ? FP_FLUSH_AFTER : FP_FLUSH_NONE;
        host_csr = 0x1f80 | rc << 13 | (st.flush_inputs ? 1u << 6 : 0) |
                   (st.flush_outputs ? 1u << 15 : 0);
        test_f32(modes[rc]);
        test_f64(modes[rc]);
    }
    if (n_bad) {
        fprintf(stderr, "%lu of %ld differ\n", n_bad, test_checks);
    }
    return test_result();
}

#else
int main(void) { return 77; }
#endif
