/* armflags.c: flags that logical instructions keep, after every way of setting them, within a block and across one (A32 and T32): a digest of
 * the four flags over random operands. */
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

int main(void)
{
    uint32_t digest = 0;
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
    }
    puts(digest == 0x4a6e3362 ? "flags ok" : "flags differ"); /* what QEMU 11.1 finds, too */
    return digest != 0x4a6e3362;
}
