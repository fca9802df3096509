/*
 * x87-math.c: the transcendental functions, for x87-soft.c.
 *
 * On x86 hosts the host's unit computes them, so that it does not matter which way an instruction went. See x87.h for the operands.
 */
#include "target/x86/x87.h"

#if defined(__x86_64__)

unsigned x87_math(X87Math op, unsigned control, f80 st0, f80 st1, f80 *ret, f80 *ret2)
{
    uint16_t cw = (uint16_t)control, sw = 0;

    /* The unit is nobody's here: jit.x87_live is clear. Unmasked exceptions are pending only until fnclex. */
#define ONE(insn)                                                                                                     \
    __asm__ volatile("fninit\n\tfldt %[a]\n\tfldcw %[cw]\n\t" insn "\n\tfnstsw %[sw]\n\tfnclex\n\tfstpt %[r]\n\tfninit"         \
                     : [r] "=m"(*ret), [sw] "=m"(sw) : [a] "m"(st0), [cw] "m"(cw))
#define TWO_OPERANDS(insn)                                                                                            \
    __asm__ volatile("fninit\n\tfldt %[b]\n\tfldt %[a]\n\tfldcw %[cw]\n\t" insn "\n\tfnstsw %[sw]\n\tfnclex\n\tfstpt %[r]\n\t"  \
                     "fninit" : [r] "=m"(*ret), [sw] "=m"(sw) : [a] "m"(st0), [b] "m"(st1), [cw] "m"(cw))
    /* Out of range there is no second result and the place of the first holds the operand. */
#define TWO_RESULTS(insn)                                                                                             \
    __asm__ volatile("fninit\n\tfldt %[a]\n\tfldcw %[cw]\n\t" insn "\n\tfnstsw %[sw]\n\tfnclex\n\ttestw $0x400, %[sw]\n\t"      \
                     "jnz 1f\n\tfstpt %[r2]\n\t1:\n\tfstpt %[r]\n\tfninit"                                            \
                     : [r] "=m"(*ret), [r2] "+m"(*ret2), [sw] "=m"(sw) : [a] "m"(st0), [cw] "m"(cw) : "cc")
    *ret = (f80){ 0 };
    switch (op) {
    case X87_F2XM1: ONE("f2xm1"); break;
    case X87_FSIN: ONE("fsin"); break;
    case X87_FCOS: ONE("fcos"); break;
    case X87_FYL2X: TWO_OPERANDS("fyl2x"); break;
    case X87_FYL2XP1: TWO_OPERANDS("fyl2xp1"); break;
    case X87_FPATAN: TWO_OPERANDS("fpatan"); break;
    case X87_FPTAN: TWO_RESULTS("fptan"); break;
    case X87_FSINCOS: TWO_RESULTS("fsincos"); break;
    }
#undef ONE
#undef TWO_OPERANDS
#undef TWO_RESULTS
    return sw;
}

#else

unsigned x87_math(X87Math op, unsigned control, f80 st0, f80 st1, f80 *ret, f80 *ret2)
{
    return x87_math_soft(op, control, st0, st1, ret, ret2);
}

#endif
