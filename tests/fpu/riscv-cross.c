/*
 * riscv-cross.c: the same operand stream through RISC-V instructions (when
 * compiled for RISC-V) or through the library (elsewhere); both print results
 * and flags, riscv-cross.py compares. Rounding modes include RMM; Zfh and Zfa
 * instructions are written as words so that any assembler will do.
 *
 * usage: riscv-cross ROUNDS [SEED]      output: records of two 64-bit words
 */
#include <stdio.h>
#include <stdlib.h>
#include "tests/fpu/operands.h"

static const char *op_name;
static int op_index, op_wanted = -1;
static uint64_t op_result;
static unsigned op_flags;

static void emit(void)
{
    uint64_t record[2] = { op_result, op_flags };

    if (op_wanted < 0) {
        fwrite(record, sizeof(record), 1, stdout);
    } else if (op_index == op_wanted) {
        printf("%s\n", op_name);
        exit(0);
    }
    op_index++;
}

#ifdef __riscv

/* fa0 = a, fa1 = b, fa2 = c, a0 = i; the result is fa0 (…F) or a0 (…X). */
#define LOAD_f64 "fmv.d.x fa0, %[a]\n\tfmv.d.x fa1, %[b]\n\tfmv.d.x fa2, %[c]\n\t"
#define BOX_f16 0xffffffffffff0000
#define BOX_f32 0xffffffff00000000
#define BOX_f64 0

/* Half operands are boxed by loading doubles. */
#define RUN(name, T, text)                                                              \
    do {                                                                                \
        op_name = name;                                                                 \
        __asm__ volatile("fsrm %[rm]\n\tfsflags zero\n\tmv a0, %[i]\n\t" LOAD_f64 text  \
                         "\n\tfmv.x.d %[r], fa0\n\tfrflags %[f]"                        \
                         : [r] "=&r"(op_result), [f] "=&r"(op_flags)                    \
                         : [rm] "r"((uint64_t)rm), [a] "r"(a | BOX_##T), [b] "r"(b | BOX_##T), \
                           [c] "r"(c | BOX_##T), [i] "r"(i)                             \
                         : "a0", "fa0", "fa1", "fa2");                                  \
        op_result &= ~(uint64_t)BOX_##T;                                                \
        emit();                                                                         \
    } while (0)
#define RUNX(name, T, text)                                                             \
    do {                                                                                \
        op_name = name;                                                                 \
        __asm__ volatile("fsrm %[rm]\n\tfsflags zero\n\tmv a0, %[i]\n\t" LOAD_f64 text  \
                         "\n\tmv %[r], a0\n\tfrflags %[f]"                              \
                         : [r] "=&r"(op_result), [f] "=&r"(op_flags)                    \
                         : [rm] "r"((uint64_t)rm), [a] "r"(a | BOX_##T), [b] "r"(b | BOX_##T), \
                           [c] "r"(c | BOX_##T), [i] "r"(i)                             \
                         : "a0", "fa0", "fa1", "fa2");                                  \
        emit();                                                                         \
    } while (0)

/* OP-FP: rs1 = fa0 or a0 (10), rd the same, rs2 as given. */
#define WORD_(w) #w
#define WORD(w) ".word " WORD_(w)
#define OPFP(funct7, rs2, funct3) WORD(((funct7) << 25 | (rs2) << 20 | 10 << 15 | (funct3) << 12 | 10 << 7 | 0x53))
#define FMADD(opcode, fmt) WORD((12 << 27 | (fmt) << 25 | 11 << 20 | 10 << 15 | 7 << 12 | 10 << 7 | (opcode)))

#define CASE_F(name, T, word, expr) RUN(name, T, word)
#define CASE_X(name, T, word, expr) RUNX(name, T, word)

#else

#include "target/fpu.h"
static FpStatus st;
#define CASE_F(name, T, word, expr)                         \
    do {                                                    \
        op_name = name;                                     \
        st.flags = 0;                                       \
        st.rounding = (uint8_t)rm;                          \
        op_result = (uint64_t)(expr);                       \
        op_flags = st.flags & FP_IEEE_FLAGS;                \
        emit();                                             \
    } while (0)
#define CASE_X CASE_F

#endif

/* fmt: 0 single, 1 double, 2 half */
#define CASES(T, U, fmt)                                                                         \
    CASE_F(#T " fadd", T, OPFP(0x00 + fmt, 11, 7), T##_add((U)a, (U)b, &st));                    \
    CASE_F(#T " fsub", T, OPFP(0x04 + fmt, 11, 7), T##_sub((U)a, (U)b, &st));                    \
    CASE_F(#T " fmul", T, OPFP(0x08 + fmt, 11, 7), T##_mul((U)a, (U)b, &st));                    \
    CASE_F(#T " fdiv", T, OPFP(0x0c + fmt, 11, 7), T##_div((U)a, (U)b, &st));                    \
    CASE_F(#T " fsqrt", T, OPFP(0x2c + fmt, 0, 7), T##_sqrt((U)a, &st));                         \
    CASE_F(#T " fmin", T, OPFP(0x14 + fmt, 11, 0), T##_minmax((U)a, (U)b, FP_MINIMUM_NUMBER, &st)); \
    CASE_F(#T " fmax", T, OPFP(0x14 + fmt, 11, 1), T##_minmax((U)a, (U)b, FP_MAXIMUM_NUMBER, &st)); \
    CASE_F(#T " fminm", T, OPFP(0x14 + fmt, 11, 2), T##_minmax((U)a, (U)b, FP_MINIMUM, &st));    \
    CASE_F(#T " fmaxm", T, OPFP(0x14 + fmt, 11, 3), T##_minmax((U)a, (U)b, FP_MAXIMUM, &st));    \
    CASE_F(#T " fmadd", T, FMADD(0x43, fmt), T##_muladd((U)a, (U)b, (U)c, 0, &st));              \
    CASE_F(#T " fmsub", T, FMADD(0x47, fmt), T##_muladd((U)a, (U)b, (U)c, FP_NEGATE_ADDEND, &st)); \
    CASE_F(#T " fnmsub", T, FMADD(0x4b, fmt), T##_muladd((U)a, (U)b, (U)c, FP_NEGATE_PRODUCT, &st)); \
    CASE_F(#T " fnmadd", T, FMADD(0x4f, fmt),                                                    \
           T##_muladd((U)a, (U)b, (U)c, FP_NEGATE_PRODUCT | FP_NEGATE_ADDEND, &st));             \
    CASE_X(#T " feq", T, OPFP(0x50 + fmt, 11, 2), T##_eq((U)a, (U)b, &st));                      \
    CASE_X(#T " flt", T, OPFP(0x50 + fmt, 11, 1), T##_lt((U)a, (U)b, &st));                      \
    CASE_X(#T " fle", T, OPFP(0x50 + fmt, 11, 0), T##_le((U)a, (U)b, &st));                      \
    CASE_X(#T " fleq", T, OPFP(0x50 + fmt, 11, 4), T##_le_quiet((U)a, (U)b, &st));               \
    CASE_X(#T " fltq", T, OPFP(0x50 + fmt, 11, 5), T##_lt_quiet((U)a, (U)b, &st));               \
    CASE_X(#T " fclass", T, OPFP(0x70 + fmt, 0, 1), T##_classify((U)a, &fp_rules_riscv));       \
    CASE_F(#T " fround", T, OPFP(0x20 + fmt, 4, 7), T##_round_to_int((U)a, rm, false, &st));     \
    CASE_F(#T " froundnx", T, OPFP(0x20 + fmt, 5, 7), T##_round_to_int((U)a, rm, true, &st));    \
    CASE_X(#T " fcvt.w", T, OPFP(0x60 + fmt, 0, 7), (int64_t)T##_to_i32((U)a, rm, &st));         \
    CASE_X(#T " fcvt.wu", T, OPFP(0x60 + fmt, 1, 7), (int64_t)(int32_t)T##_to_u32((U)a, rm, &st)); \
    CASE_X(#T " fcvt.l", T, OPFP(0x60 + fmt, 2, 7), T##_to_i64((U)a, rm, &st));                  \
    CASE_X(#T " fcvt.lu", T, OPFP(0x60 + fmt, 3, 7), T##_to_u64((U)a, rm, &st));                 \
    CASE_F(#T " from w", T, OPFP(0x68 + fmt, 0, 7), T##_from_i32((int32_t)i, &st));              \
    CASE_F(#T " from wu", T, OPFP(0x68 + fmt, 1, 7), T##_from_u32((uint32_t)i, &st));            \
    CASE_F(#T " from l", T, OPFP(0x68 + fmt, 2, 7), T##_from_i64((int64_t)i, &st));              \
    CASE_F(#T " from lu", T, OPFP(0x68 + fmt, 3, 7), T##_from_u64(i, &st))

/* fcvt to `fmt` from format `from`; the box of the result is T's. */
#define CONVERT(name, T, fmt, from, expr) CASE_FROM(name, T, OPFP(0x20 + fmt, from, 7), expr)

#ifdef __riscv
#define CASE_FROM(name, S, word, expr)                                                  \
    do {                                                                                \
        op_name = name;                                                                 \
        __asm__ volatile("fsrm %[rm]\n\tfsflags zero\n\tfmv.d.x fa0, %[a]\n\t" word     \
                         "\n\tfmv.x.d %[r], fa0\n\tfrflags %[f]"                        \
                         : [r] "=&r"(op_result), [f] "=&r"(op_flags)                    \
                         : [rm] "r"((uint64_t)rm), [a] "r"(a | BOX_##S) : "fa0");       \
        emit();                                                                         \
    } while (0)
#define BOXED(T, v) 0
#else
#define CASE_FROM CASE_F
#define BOXED_f16(v) (0xffffffffffff0000u | (v))
#define BOXED_f32(v) (0xffffffff00000000u | (v))
#define BOXED(T, v) BOXED_##T(v)
#endif

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1000;

    if (argc > 2) {
        operand_seed(strtoull(argv[2], NULL, 0));
    }
    if (argc > 3) {
        op_wanted = atoi(argv[3]);
    }
#ifndef __riscv
    st.rules = &fp_rules_riscv;
#endif
    for (long n = 0; n < rounds; n++) {
        int rm = (int)(n % 5);
        uint64_t i = operand_int(), a = operand_f64(), b = operand_f64(), c = operand_f64();
        CASES(f64, uint64_t, 1);
        CASE_X("fcvtmod.w.d", f64, OPFP(0x61, 8, 1), (int64_t)f64_to_i32_modular(a, &st));
        CONVERT("f64 to f32", f64, 0, 1, BOXED(f32, f64_to_f32(a, &st)));
        CONVERT("f64 to f16", f64, 2, 1, BOXED(f16, f64_to_f16(a, &st)));
        a = operand_f32(), b = operand_f32(), c = operand_f32();
        CASES(f32, uint32_t, 0);
        CONVERT("f32 to f64", f32, 1, 0, f32_to_f64((uint32_t)a, &st));
        CONVERT("f32 to f16", f32, 2, 0, BOXED(f16, f32_to_f16((uint32_t)a, &st)));
        a = operand_f16(), b = operand_f16(), c = operand_f16();
        CASES(f16, uint16_t, 2);
        CONVERT("f16 to f32", f16, 0, 2, BOXED(f32, f16_to_f32((uint16_t)a, &st)));
        CONVERT("f16 to f64", f16, 1, 2, f16_to_f64((uint16_t)a, &st));
    }
    return 0;
}
