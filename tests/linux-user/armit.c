/*
 * armit.c: a branch, a load and a system call inside T32's IT blocks leave no IT state to what comes behind them. Nor does anything else look like
 * one: SHA256H, whose rounds the translator remembers.
 */
#include <stdio.h>
#include <sys/syscall.h>

/* With x = 0 the load and the branch are taken; what follows the label must not depend on the condition. */
static int branch_out(int x, const int *p)
{
    int r = 0;

    __asm__ volatile(".syntax unified\n"
                     "cmp %1, #0\n"
                     "itt eq\n"
                     "ldreq %0, [%2]\n"
                     "beq 1f\n"
                     "movs %0, #100\n"
                     "1: cmp %1, #99\n"
                     "add %0, #1\n"
                     "add %0, #2\n"
                     "add %0, #4\n"
                     : "+r"(r) : "r"(x), "r"(p) : "cc", "memory");
    return r;
}

/* The call is the second of three; the third has the other condition. */
static int call_between(int x)
{
    register long nr __asm__("r7") = SYS_getpid;
    register long result __asm__("r0") = -1;
    int r = 0;

    __asm__ volatile(".syntax unified\n"
                     "cmp %2, #0\n"
                     "itte eq\n"
                     "moveq %1, #1\n"
                     "svceq #0\n"
                     "movne %1, #2\n"
                     "cmp %2, #1\n"
                     "ite ne\n"
                     "addne %1, #16\n"
                     "addeq %1, #32\n"
                     : "+r"(result), "+r"(r) : "r"(x), "r"(nr) : "cc", "memory");
    return r * 2 + (result > 0);
}

/* A table in an IT block's last place, and conditions one after another that all hold or do not. */
static int chain(int x)
{
    int r = 0;

    __asm__ volatile(".syntax unified\n"
                     "cmp %1, #5\n"
                     "ittee gt\n"
                     "addgt %0, #1\n"
                     "addgt %0, #2\n"
                     "addle %0, #4\n"
                     "suble %0, #1\n"
                     "it ge\n"
                     "lslge %0, %0, #4\n"
                     : "+r"(r) : "r"(x) : "cc");
    return r;
}

/* Forms of 16 bits set flags outside IT blocks: 5 is not zero. */
static int flags_behind_rounds(void)
{
    int r;

    __asm__ volatile(".syntax unified\n"
                     ".arch armv8-a\n"
                     ".fpu crypto-neon-fp-armv8\n"
                     "movs %0, #0\n"
                     "sha256h.32 q0, q1, q2\n"
                     "movs %0, #5\n"
                     "bne 1f\n"
                     "movs %0, #1\n"
                     "1:\n"
                     : "=l"(r) : : "cc", "q0");
    return r;
}

int main(void)
{
    const int seven = 7;

    printf("branch %d %d\n", branch_out(0, &seven), branch_out(3, &seven));
    printf("call %d %d %d\n", call_between(0), call_between(1), call_between(2));
    printf("chain %d %d %d\n", chain(4), chain(5), chain(6));
    printf("rounds %d\n", flags_behind_rounds());
    return flags_behind_rounds() != 5 || branch_out(0, &seven) != 14 || branch_out(3, &seven) != 107 || call_between(0) != 35 || call_between(1) != 68 || call_between(2) != 36 ||
           chain(4) != 3 || chain(5) != 48 || chain(6) != 48;
}
