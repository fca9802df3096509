/*
 * eval.c: runs library operations named on standard input, for exact.py and
 * for questions at the desk.
 *
 * A line is  OP ROUNDING TININESS A B C  (numbers in hexadecimal, TININESS 1
 * for before rounding); the answer is  RESULT FLAGS  in hexadecimal. The
 * rules are RISC-V's.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "target/fpu.h"
#include "tests/test.h"

static FpStatus st;

typedef struct Value { uint64_t hi, lo; } Value;
typedef struct Op {
    const char *name;
    Value (*run)(Value a, Value b, Value c);
} Op;

#define V(x) ((Value){ 0, (uint64_t)(x) })
#define DEF(name, expr) \
    static Value run_##name(Value a, Value b, Value c) { (void)a; (void)b; (void)c; return expr; }
#define ARITH(DO, T)                                                                  \
    DO(T##_add, V(T##_add((T)a.lo, (T)b.lo, &st)))                                    \
    DO(T##_sub, V(T##_sub((T)a.lo, (T)b.lo, &st)))                                    \
    DO(T##_mul, V(T##_mul((T)a.lo, (T)b.lo, &st)))                                    \
    DO(T##_div, V(T##_div((T)a.lo, (T)b.lo, &st)))                                    \
    DO(T##_sqrt, V(T##_sqrt((T)a.lo, &st)))                                           \
    DO(T##_fma, V(T##_muladd((T)a.lo, (T)b.lo, (T)c.lo, 0, &st)))                     \
    DO(T##_rem, V(T##_rem((T)a.lo, (T)b.lo, &st)))                                    \
    DO(T##_scalbn, V(T##_scalbn((T)a.lo, (int)(int16_t)b.lo, &st)))                   \
    DO(T##_rint, V(T##_round_to_int((T)a.lo, st.rounding, true, &st)))                \
    DO(T##_to_i16, V(T##_to_int((T)a.lo, 16, true, 0, st.rounding, &st)))             \
    DO(T##_to_i32, V(T##_to_i32((T)a.lo, st.rounding, &st)))                          \
    DO(T##_to_u32, V(T##_to_u32((T)a.lo, st.rounding, &st)))                          \
    DO(T##_to_i64, V(T##_to_i64((T)a.lo, st.rounding, &st)))                          \
    DO(T##_to_u64, V(T##_to_u64((T)a.lo, st.rounding, &st)))                          \
    DO(T##_from_i64, V(T##_from_i64((int64_t)a.lo, &st)))                             \
    DO(T##_from_u64, V(T##_from_u64(a.lo, &st)))                                      \
    DO(T##_to_f16, V(T##_to_f16((T)a.lo, &st)))                                       \
    DO(T##_to_bf16, V(T##_to_bf16((T)a.lo, &st)))                                     \
    DO(T##_to_f32, V(T##_to_f32((T)a.lo, &st)))                                       \
    DO(T##_to_f64, V(T##_to_f64((T)a.lo, &st)))                                       \
    DO(T##_to_f128, from_f128(T##_to_f128((T)a.lo, &st)))                             \
    DO(f128_to_##T, V(f128_to_##T((f128){ a.lo, a.hi }, &st)))
#define ALL(DO) ARITH(DO, f16) ARITH(DO, bf16) ARITH(DO, f32) ARITH(DO, f64)

static Value from_f128(f128 v)
{
    return (Value){ v.hi, v.lo };
}

ALL(DEF)

#define ROW(name, expr) { #name, run_##name },
static const Op ops[] = { ALL(ROW) };

static Value parse(const char *text)
{
    size_t n = strlen(text);
    Value v = { 0, 0 };

    for (size_t i = 0; i < n; i++) {
        v.hi = v.hi << 4 | v.lo >> 60;
        v.lo = v.lo << 4 | (unsigned)strtoul((char[2]){ text[i], 0 }, NULL, 16);
    }
    return v;
}

int main(void)
{
    char line[256], name[32], text[3][40];
    int rounding, tininess;

    st.rules = &fp_rules_riscv;
    while (fgets(line, sizeof(line), stdin)) {
        if (sscanf(line, "%31s %d %d %39s %39s %39s", name, &rounding, &tininess, text[0], text[1],
                   text[2]) != 6) {
            fprintf(stderr, "bad line: %s", line);
            return 1;
        }
        size_t i = 0;
        while (i < ARRAY_SIZE(ops) && strcmp(ops[i].name, name)) {
            i++;
        }
        if (i == ARRAY_SIZE(ops)) {
            fprintf(stderr, "unknown operation %s\n", name);
            return 1;
        }
        st.rounding = (uint8_t)rounding;
        st.tininess_before = tininess;
        st.flags = 0;
        Value r = ops[i].run(parse(text[0]), parse(text[1]), parse(text[2]));
        printf("%" PRIx64 "%016" PRIx64 " %x\n", r.hi, r.lo, st.flags & FP_IEEE_FLAGS);
    }
    return 0;
}
