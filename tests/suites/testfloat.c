/*
 * testfloat.c: the guest's side of testfloat.py. Checks one function of TestFloat with the instruction for it.
 *
 * usage: testfloat FUNCTION ROUNDING < cases      ROUNDING: 0–4 as in frm
 * A case is a line of operands, result and flags in hexadecimal, as testfloat_gen writes it. Each is done twice where
 * the instruction has a rounding field: with the mode in the instruction and with the mode in frm.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Result {
    uint64_t value, flags;
} Result;
enum { DYNAMIC = 5 };

#define RUN(in, text, out)                                                                        \
    asm volatile(".option push\n.option arch, +zfh\n"                                             \
                 "fmv." in ".x ft0, %2\n fmv." in ".x ft1, %3\n fmv." in ".x ft2, %4\n"           \
                 "fsflags zero\n" text "\n frflags %1\n" out "\n.option pop"                      \
                 : "=&r"(r.value), "=&r"(r.flags) : "r"(a[0]), "r"(a[1]), "r"(a[2])               \
                 : "ft0", "ft1", "ft2", "ft3")
#define ONE(name, in, text, out)                                    \
    static Result name(const uint64_t *a, int rounding)             \
    {                                                               \
        Result r;                                                   \
        RUN(in, text, out);                                         \
        return r;                                                   \
    }
#define EACH(name, in, pre, m0, m1, m2, m3, m4, m5, post, out)      \
    static Result name(const uint64_t *a, int rounding)             \
    {                                                               \
        Result r;                                                   \
        switch (rounding) {                                         \
        case 0: RUN(in, pre m0 post, out); break;                   \
        case 1: RUN(in, pre m1 post, out); break;                   \
        case 2: RUN(in, pre m2 post, out); break;                   \
        case 3: RUN(in, pre m3 post, out); break;                   \
        case 4: RUN(in, pre m4 post, out); break;                   \
        default: RUN(in, pre m5 post, out); break;                  \
        }                                                           \
        return r;                                                   \
    }
#define ROUNDED(name, in, text, out) \
    EACH(name, in, text, ",rne", ",rtz", ",rdn", ",rup", ",rmm", ",dyn", "", out)
#define TO_X(p) "fmv.x." p " %0, ft3"

#define INTEGERS(f, p)                                                  \
    ROUNDED(f##_to_i32, p, "fcvt.w." p " %0, ft0", "")                  \
    ROUNDED(f##_to_ui32, p, "fcvt.wu." p " %0, ft0", "")                \
    ROUNDED(f##_to_i64, p, "fcvt.l." p " %0, ft0", "")                  \
    ROUNDED(f##_to_ui64, p, "fcvt.lu." p " %0, ft0", "")                \
    ROUNDED(i64_to_##f, p, "fcvt." p ".l ft3, %2", TO_X(p))             \
    ROUNDED(ui64_to_##f, p, "fcvt." p ".lu ft3, %2", TO_X(p))
/* Every 32-bit integer is a double: fcvt.d.w has no rounding to do. */
#define WORDS(f, p)                                                     \
    ROUNDED(i32_to_##f, p, "fcvt." p ".w ft3, %2", TO_X(p))             \
    ROUNDED(ui32_to_##f, p, "fcvt." p ".wu ft3, %2", TO_X(p))
/* Zfa by number: fround is funct7 0x20 with rs2 4, froundnx with 5; fleq, fltq are funct3 4 and 5 of the compares. */
#define ARITH(f, p, cmp, fmt)                                           \
    ROUNDED(f##_add, p, "fadd." p " ft3, ft0, ft1", TO_X(p))            \
    ROUNDED(f##_sub, p, "fsub." p " ft3, ft0, ft1", TO_X(p))            \
    ROUNDED(f##_mul, p, "fmul." p " ft3, ft0, ft1", TO_X(p))            \
    ROUNDED(f##_div, p, "fdiv." p " ft3, ft0, ft1", TO_X(p))            \
    ROUNDED(f##_sqrt, p, "fsqrt." p " ft3, ft0", TO_X(p))               \
    ROUNDED(f##_mulAdd, p, "fmadd." p " ft3, ft0, ft1, ft2", TO_X(p))   \
    ONE(f##_eq, p, "feq." p " %0, ft0, ft1", "")                        \
    ONE(f##_le, p, "fle." p " %0, ft0, ft1", "")                        \
    ONE(f##_lt, p, "flt." p " %0, ft0, ft1", "")                        \
    ONE(f##_le_quiet, p, ".insn r 0x53, 4, " cmp ", %0, ft0, ft1", "")  \
    ONE(f##_lt_quiet, p, ".insn r 0x53, 5, " cmp ", %0, ft0, ft1", "")  \
    EACH(f##_roundToInt, p, ".insn r 0x53, ", "0", "1", "2", "3", "4", "7", ", " fmt ", ft3, ft0, x5", TO_X(p))
ARITH(f16, "h", "0x52", "0x22")
ARITH(f32, "s", "0x50", "0x20")
ARITH(f64, "d", "0x51", "0x21")
INTEGERS(f16, "h")
INTEGERS(f32, "s")
INTEGERS(f64, "d")
WORDS(f16, "h")
WORDS(f32, "s")
ONE(i32_to_f64, "d", "fcvt.d.w ft3, %2", TO_X("d"))
ONE(ui32_to_f64, "d", "fcvt.d.wu ft3, %2", TO_X("d"))
ROUNDED(f64_to_f32, "d", "fcvt.s.d ft3, ft0", TO_X("s"))
ROUNDED(f64_to_f16, "d", "fcvt.h.d ft3, ft0", TO_X("h"))
ROUNDED(f32_to_f16, "s", "fcvt.h.s ft3, ft0", TO_X("h"))
ONE(f16_to_f32, "h", "fcvt.s.h ft3, ft0", TO_X("s"))
ONE(f16_to_f64, "h", "fcvt.d.h ft3, ft0", TO_X("d"))
ONE(f32_to_f64, "s", "fcvt.d.s ft3, ft0", TO_X("d"))

typedef struct Function {
    const char *name;
    int operands, bits; /* bits of the result */
    Result (*run)(const uint64_t *a, int rounding);
} Function;
#define ROW(name, operands, bits) { #name, operands, bits, name }
#define FORMAT(f, bits)                                                                             \
    ROW(f##_add, 2, bits), ROW(f##_sub, 2, bits), ROW(f##_mul, 2, bits), ROW(f##_div, 2, bits),     \
    ROW(f##_sqrt, 1, bits), ROW(f##_mulAdd, 3, bits), ROW(f##_eq, 2, 64), ROW(f##_le, 2, 64),       \
    ROW(f##_lt, 2, 64), ROW(f##_le_quiet, 2, 64), ROW(f##_lt_quiet, 2, 64),                         \
    ROW(f##_roundToInt, 1, bits), ROW(f##_to_i32, 1, 32), ROW(f##_to_ui32, 1, 32),                  \
    ROW(f##_to_i64, 1, 64), ROW(f##_to_ui64, 1, 64), ROW(i32_to_##f, 1, bits),                      \
    ROW(ui32_to_##f, 1, bits), ROW(i64_to_##f, 1, bits), ROW(ui64_to_##f, 1, bits)
static const Function functions[] = {
    FORMAT(f16, 16), FORMAT(f32, 32), FORMAT(f64, 64),
    ROW(f64_to_f32, 1, 32), ROW(f64_to_f16, 1, 16), ROW(f32_to_f16, 1, 16), ROW(f16_to_f32, 1, 32),
    ROW(f16_to_f64, 1, 64), ROW(f32_to_f64, 1, 64),
};

static uint64_t wrong;

static void check(const Function *f, const uint64_t *v, int rounding)
{
    Result r = f->run(v, rounding);
    uint64_t mask = ~0ull >> (64 - f->bits);

    if ((r.value & mask) == v[f->operands] && r.flags == v[f->operands + 1]) {
        return;
    }
    if (wrong++ < 10) {
        printf("%s%s(", f->name, rounding == DYNAMIC ? " (frm)" : "");
        for (int i = 0; i < f->operands; i++) {
            printf("%s%llx", i ? ", " : "", (unsigned long long)v[i]);
        }
        printf(") = %llx flags %llx, expected %llx flags %llx\n", (unsigned long long)(r.value & mask),
               (unsigned long long)r.flags, (unsigned long long)v[f->operands],
               (unsigned long long)v[f->operands + 1]);
    }
}

int main(int argc, char **argv)
{
    const Function *f = NULL;
    int rounding = argc == 3 ? atoi(argv[2]) : -1;
    uint64_t cases = 0;
    char line[256];

    for (size_t i = 0; argc == 3 && i < sizeof(functions) / sizeof(functions[0]); i++) {
        f = strcmp(functions[i].name, argv[1]) ? f : &functions[i];
    }
    if (!f || rounding < 0 || rounding > 4) {
        fprintf(stderr, "usage: testfloat FUNCTION ROUNDING\n");
        return 2;
    }
    while (fgets(line, sizeof(line), stdin)) {
        uint64_t v[5] = { 0 };
        char *p = line;
        for (int i = 0; i < f->operands + 2; i++) {
            v[i] = strtoull(p, &p, 16);
        }
        check(f, v, rounding);
        asm volatile("fsrm %0" : : "r"(rounding));
        check(f, v, DYNAMIC);
        asm volatile("fsrm zero");
        cases++;
    }
    printf("%llu cases, %llu wrong\n", (unsigned long long)cases, (unsigned long long)wrong);
    return wrong || !cases;
}
