/* armflags.c: carries of longer sums, and flags that logical instructions keep, after every way of setting them, within a block and across one (A32 and T32): digests of
 * flags and sums over random operands. */
#include <stdbool.h>
#include <stdio.h>
#include <stdint.h>

static uint32_t state = 12345;
static uint32_t next(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

#define TRY(setter, logical)                                                                                                  \
    do {                                                                                                                      \
        uint32_t r;                                                                                                           \
        __asm__ volatile(setter "\n b 1f\n1: " logical "\n mrs %0, cpsr" : "=r"(r) : "r"(a), "r"(b), "r"(c) : "cc", "r12", "lr"); \
        digest = digest * 31 + (r >> 28);                                                                                     \
    } while (0)

/* One condition each behind additions and subtractions of two and three words; the sum too. */
#define BRANCH(chain, condition)                                                                                              \
    do {                                                                                                                      \
        uint32_t r, sum;                                                                                                      \
        __asm__ volatile(chain "\n mov %0, #1\n b" condition " 1f\n mov %0, #0\n1: mov %1, r12"                              \
                         : "=&r"(r), "=r"(sum) : "r"(a), "r"(b), "r"(c) : "cc", "r12", "lr");                                 \
        digest = (digest * 31 + r) * 31 + sum;                                                                                \
    } while (0)
#define CONDITIONS(chain)                                                                                                     \
    BRANCH(chain, "eq"); BRANCH(chain, "cs"); BRANCH(chain, "mi"); BRANCH(chain, "vs"); BRANCH(chain, "hi"); BRANCH(chain, "ge"); BRANCH(chain, "gt")

static uint32_t chains(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t digest = 0;
    CONDITIONS("cmp %2, %3\n sbcs r12, %4, %2");
    CONDITIONS("adds r12, %2, %3\n adcs r12, %4, %2");
    CONDITIONS("subs r12, %2, %3\n sbcs r12, %4, %2\n sbcs r12, %3, %4");
    CONDITIONS("adds lr, %2, %3\n adcs lr, %4, %2\n adc r12, lr, %3\n adcs lr, r12, lr");
    CONDITIONS("cmn %2, %3\n sbcs lr, %4, %2\n adcs r12, %3, %4\n sbc r12, r12, %2");
    CONDITIONS("tst %2, %3\n adcs r12, %4, #7\n sbcs r12, %3, #1\n adc r12, r12, r12");
    CONDITIONS("adds r12, %2, %3\n b 3f\n3: sbcs r12, %4, %2\n b 4f\n4: adcs r12, r12, %3");
    return digest;
}

int main(void)
{
    uint32_t digest = 0, chain = 0;
    for (int i = 0; i < 200000; i++) {
        uint32_t a = next(), b = next(), c = next();
        if (i & 1) {
            a >>= b & 31;
            b = (uint32_t)((int32_t)b >> (c & 31));
        }
        if (i % 5 == 0) {
            b = a;
        }
        TRY("cmp %1, %2", "tst %3, #1");
        TRY("cmn %1, %2", "tst %3, #1");
        TRY("adds r12, %1, %2", "movs lr, %3");
        TRY("subs r12, %1, %2", "eors lr, %3, %1");
        TRY("rsbs r12, %1, %2", "lsls lr, %3, #3");
        TRY("adcs r12, %1, %2", "tst %3, %1");
        TRY("sbcs r12, %1, %2", "tst %3, #3");
        TRY("movs r12, %1, lsr #3", "bics lr, %3, %2");
        TRY("tst %1, %2\n b 2f\n2: ands r12, %1, %3", "tst %3, #1");
        TRY("msr cpsr_f, %1", "tst %3, #1");
        TRY("cmp %1, %2\n b 2f\n2: movs r12, %3", "movs lr, %1");
        TRY("cmp %1, %2\n tst %3, #1", "tst %3, %1");
        chain = chain * 31 + chains(a, b, c);
    }
    bool same = digest == 0x4a6e3362 && chain == 0x748272f0; /* what QEMU 11.1 finds, too */
    puts(same ? "flags ok" : "flags differ");
    return !same;
}
