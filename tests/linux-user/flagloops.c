/*
 * flagloops.c (x86): loops that begin with a reader of flags the round before has left, by every rule they may be left by; what STC, CLC and CMC,
 * shifts by a count that may be 0 and ADCX make of flags.
 */
#include <stdint.h>
#include <stdio.h>

static uint64_t sum, seed = 0x243f6a8885a308d3;
static __attribute__((noinline)) void mix(uint64_t x) { sum = (sum ^ x) * 0x9e3779b97f4a7c15u; sum ^= sum >> 29; }
static unsigned long any(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    static const unsigned long edges[] = { 0, 1, ~0ul, ~0ul >> 1, (~0ul >> 1) + 1, 0x80, 0x8000, 0x7f };
    return seed >> 60 < 5 ? edges[seed & 7] : (unsigned long)(seed * 0x9e3779b97f4a7c15u >> 7);
}

enum { ARITH = 0x8d5 };
#ifdef __x86_64__
#define PUSHF_POP(x) "pushfq; popq %" x "; "
#define POPF(x) "pushq %" x "; popfq; "
#else
#define PUSHF_POP(x) "pushfl; popl %" x "; "
#define POPF(x) "pushl %" x "; popfl; "
#endif

/* `body` is a round of the loop, whose flags come from `before` first; it may use %0 (count), %1, %2 and ecx. What is undefined is not looked at. */
#define LOOP(before, body) do {                                                                                      \
        for (unsigned turn = 0; turn < 40; turn++) {                                                                 \
            unsigned long n = 1 + turn % 7, x = any(), y = any(), flags = any() & ARITH, c = any();                  \
            __asm__ volatile(POPF("3") before " 1: " body " jnz 1b; 2: " PUSHF_POP("3")                              \
                             : "+r"(n), "+q"(x), "+q"(y), "+r"(flags), "+c"(c) : : "cc", "memory");                  \
            mix(x);                                                                                                  \
            mix(y * 3);                                                                                              \
            mix(n);                                                                                                  \
            mix(flags & ARITH);                                                                                      \
        }                                                                                                            \
    } while (0)

static void carried(void)
{
    LOOP("", "adc %2, %1; lea 1(%1,%2,2), %2; dec %0;");
    LOOP("clc;", "sbb %2, %1; rol $3, %2; dec %0;");
    LOOP("stc;", "adc $0, %1; sbb $5, %2; dec %0;");
    LOOP("cmp %1, %2;", "rcl $1, %1; rcr $1, %2; dec %0;");
    LOOP("test %1, %1;", "rcl %%cl, %1; lea -1(%2), %2; dec %0;");
    LOOP("", "setc %b1; setbe %b2; add %1, %2; lea -1(%0), %0; inc %0; dec %0;");
    /* the rule left behind is another one than the one brought */
    LOOP("xor %%ecx, %%ecx;", "cmovs %2, %1; cmovb %1, %2; sub $1, %0;");
    LOOP("imul %2, %1;", "adc %1, %2; sub $1, %0;");
    LOOP("add %1, %2;", "seto %b1; setl %b2; add $7, %2; cmp $1, %2; sbb $0, %1; dec %0;");
    LOOP("shl $3, %1;", "adc %1, %2; shr $1, %1; dec %0;");
    /* two ways round, with rules of their own; and one that leaves early */
    LOOP("", "jc 3f; add %2, %1; lea 5(%2), %2; dec %0; jz 2f; cmp %1, %2; jmp 1b; 3: sub $9, %2; dec %0;");
    LOOP("", "ja 3f; sub %2, %1; 3: ror $5, %2; dec %0;");
    LOOP("cmp %1, %2;", "ror $3, %1; pushf; rol %%cl, %2; popf; adc %2, %1; dec %0;");
    LOOP("", "ror $1, %1; seta %b2; rol $2, %1; sub %1, %2; dec %0;");
    LOOP("", "jbe 3f; neg %1; dec %0; jz 2f; jmp 1b; 3: shr %%cl, %2; inc %1; dec %0;");
    /* shifts that may do nothing */
    LOOP("", "shl %%cl, %1; jnc 3f; inc %2; 3: mov %k0, %%ecx; lea -2(%%ecx), %%ecx; dec %0;");
    LOOP("cmp %1, %2;", "shr %%cl, %1; setbe %b2; mov %k0, %%ecx; and $1, %%ecx; dec %0;");
    LOOP("add %1, %2;", "sar %%cl, %1; jbe 3f; inc %2; 3: mov %k0, %%ecx; and $2, %%ecx; sub $1, %0;");
    /* into the middle */
    LOOP("jmp 4f;", "adc %1, %2; 4: lea (%1,%2), %1; dec %0;");
    LOOP("jc 4f;", "sbb %1, %2; setp %b1; 4: inc %1; dec %0;");
    /* one inside another */
    LOOP("", "adc %2, %1; mov $3, %%ecx; 5: rcr $1, %1; dec %%ecx; jnz 5b; dec %0;");
    LOOP("", "adc %2, %1; mov $3, %%ecx; 5: adc %1, %2; setc %b1; lea -1(%%ecx), %%ecx; jecxz 6f; jmp 5b; 6: dec %0;");
}

/* All conditions, and the flags themselves, after `insn` and what follows it. */
#define FLAGS(insn, ...) do {                                                                                       \
        for (unsigned turn = 0; turn < 60; turn++) {                                                                \
            unsigned long x = any(), y = any(), flags = any() & ARITH, one = any() & 1;                             \
            unsigned char c[16];                                                                                    \
            __asm__ volatile(POPF("2") insn "; " __VA_ARGS__                                                        \
                             "seto 0(%4); setno 1(%4); setb 2(%4); setae 3(%4); sete 4(%4); setne 5(%4); setbe 6(%4); seta 7(%4);" \
                             "sets 8(%4); setns 9(%4); setp 10(%4); setnp 11(%4); setl 12(%4); setge 13(%4); setle 14(%4); setg 15(%4);" \
                             PUSHF_POP("2")                                                                         \
                             : "+q"(x), "+q"(y), "+r"(flags), "+c"(one) : "r"(c) : "cc", "memory");                 \
            for (unsigned i = 0; i < 16; i++) mix(c[i] + 2 * i);                                                    \
            mix(flags & ARITH & ~16ul);                                                                             \
            mix(x);                                                                                                 \
        }                                                                                                           \
    } while (0)
#define AFTER(insn) FLAGS(insn, ""); FLAGS(insn, "clc; "); FLAGS(insn, "stc; "); FLAGS(insn, "cmc; "); FLAGS(insn, "clc; cmc; "); \
    FLAGS(insn, "stc; cmc; "); FLAGS(insn, "clc; inc %0; "); FLAGS(insn, "stc; dec %0; "); FLAGS(insn, "cmc; adc %0, %1; "); \
    FLAGS(insn, "stc; sbb $0, %0; "); FLAGS(insn, "clc; rcl $1, %0; "); FLAGS(insn, "stc; rol $1, %0; "); FLAGS(insn, "stc; shl %%cl, %0; ")

static void changed(void)
{
    AFTER("nop");
    AFTER("add %0, %1");
    AFTER("sub %0, %1");
    AFTER("cmp %0, %1");
    AFTER("cmpw %w0, %w1");
    AFTER("adc %0, %1");
    AFTER("and %0, %1; test %1, %1");
    AFTER("inc %1");
    AFTER("dec %1");
    AFTER("neg %1");
    AFTER("mov %1, %0; add $1, %0");
    FLAGS("add %0, %1", "shl %%cl, %0; ");
    FLAGS("cmp %0, %1", "shr %%cl, %0; ");
    FLAGS("test %0, %1", "sar %%cl, %0; clc; ");
    FLAGS("shl $1, %0", "stc; adc %0, %1; ");
    FLAGS("rol $1, %0", "cmc; sbb %0, %1; ");
}

static __attribute__((target("adx"))) void two_carries(void)
{
    LOOP("", "adcx %2, %1; adox %1, %2; lea -1(%0), %0; mov %k0, %%ecx; jecxz 2f; jmp 1b; test %0, %0;");
    LOOP("xor %%ecx, %%ecx;", "adcx %2, %1; adox %1, %2; adcx %1, %1; adox %2, %1; dec %0;");
    FLAGS("add %0, %1", "adcx %0, %1; ");
    FLAGS("cmp %0, %1", "adox %1, %0; adcx %0, %1; ");
    FLAGS("sub %0, %1", "adox %1, %0; ");
    FLAGS("shl %%cl, %1", "adox %1, %0; adcx %0, %1; ");
    FLAGS("xor %0, %1", "adcx %1, %0; adox %0, %1; ");
    FLAGS("inc %1", "adcx %0, %1; adox %1, %0; stc; ");
}

int main(void)
{
    carried();
    printf("carried %016llx\n", (unsigned long long)sum);
    changed();
    printf("changed %016llx\n", (unsigned long long)sum);
    if (__builtin_cpu_supports("adx")) {
        two_carries();
        printf("two carries %016llx\n", (unsigned long long)sum);
    }
    return 0;
}
