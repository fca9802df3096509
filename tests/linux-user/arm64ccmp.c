/*
 * arm64ccmp.c: conditional comparisons of AArch64 with every immediate set of flags, read as NZCV, by every condition and by ADC, against
 * AddWithCarry in C (Arm ARM C1.2.4).
 */
#include <stdint.h>
#include <stdio.h>

enum { N = 8, Z = 4, C = 2, V = 1 };

static unsigned add_flags(uint64_t x, uint64_t y, unsigned carry, int wide)
{
    unsigned __int128 mask = wide ? ~(uint64_t)0 : UINT32_MAX, sum = ((unsigned __int128)x & mask) + (y & mask) + carry;
    uint64_t r = (uint64_t)(sum & mask), top = wide ? (uint64_t)1 << 63 : 1u << 31;
    return (r & top ? N : 0) | (r ? 0 : Z) | (sum >> (wide ? 64 : 32) ? C : 0) | (~(x ^ y) & (x ^ r) & top ? V : 0);
}

/* By bits: EQ, LO, HI, GE, GT, MI, VS, CS, then twice that plus the carry. */
static unsigned conditions(unsigned f)
{
    int n = !!(f & N), z = !!(f & Z), c = !!(f & C), v = !!(f & V), holds[] = { z, !c, c && !z, n == v, n == v && !z, n, v, c };
    unsigned r = 0;
    for (int i = 0; i < 8; i++) {
        r = r * 2 + (unsigned)holds[i];
    }
    return 2 * r + (unsigned)c;
}

static const uint64_t values[] = { 0, 1, 2, 31, 0x7fffffff, 0x80000000, 0xffffffff, 0xffffffe1, 0x100000000, 0x7fffffffffffffff,
                                   0x8000000000000000, ~(uint64_t)0, ~(uint64_t)30 };
enum { N_VALUES = sizeof(values) / sizeof(*values) };
static long bad, done;

#define CASE(insn, imm, wide, sub, operand_y)                                                                              \
    for (unsigned i = 0; i < N_VALUES; i++) for (unsigned j = 0; j < N_VALUES; j++) for (int holds = 0; holds < 2; holds++) {  \
        uint64_t f, r, x = values[i], y = values[j];                                                                        \
        __asm__ volatile("cmp %w4, #1\n" insn ", #" #imm ", eq\nmrs %0, nzcv\n"                                             \
                         "cset %w1, eq\nadd %w1, %w1, %w1\ncinc %w1, %w1, lo\nadd %w1, %w1, %w1\ncinc %w1, %w1, hi\n"        \
                         "add %w1, %w1, %w1\ncinc %w1, %w1, ge\nadd %w1, %w1, %w1\ncinc %w1, %w1, gt\nadd %w1, %w1, %w1\n"   \
                         "cinc %w1, %w1, mi\nadd %w1, %w1, %w1\ncinc %w1, %w1, vs\nadd %w1, %w1, %w1\ncinc %w1, %w1, cs\n"   \
                         "adc %w1, %w1, %w1" : "=&r"(f), "=&r"(r) : "r"(x), "r"(y), "r"(holds) : "cc");                     \
        uint64_t other = operand_y;                                                                                         \
        unsigned want = holds ? add_flags(x, sub ? ~other : other, sub, wide) : imm;                                        \
        done++;                                                                                                             \
        if ((unsigned)(f >> 28) != want || (uint32_t)r != conditions(want)) {                                               \
            bad++;                                                                                                          \
            printf("%s, #%d: %#lx %#lx %d: %#x %#x instead of %#x %#x\n", insn, imm, (long)x, (long)y, holds, (unsigned)(f >> 28), \
                   (unsigned)r, want, conditions(want));                                                                    \
        }                                                                                                                   \
    }
#define FLAGS(imm)                                                                                                          \
    CASE("ccmp %2, %3", imm, 1, 1, y) CASE("ccmp %w2, %w3", imm, 0, 1, y) CASE("ccmn %2, %3", imm, 1, 0, y)                 \
    CASE("ccmn %w2, %w3", imm, 0, 0, y) CASE("ccmp %2, #31", imm, 1, 1, 31) CASE("ccmn %2, #31", imm, 1, 0, 31)             \
    CASE("ccmn %w2, #1", imm, 0, 0, 1) CASE("ccmn %w2, #0", imm, 0, 0, 0) CASE("ccmp %w2, #0", imm, 0, 1, 0)

int main(void)
{
    FLAGS(0) FLAGS(1) FLAGS(2) FLAGS(3) FLAGS(4) FLAGS(5) FLAGS(6) FLAGS(7)
    FLAGS(8) FLAGS(9) FLAGS(10) FLAGS(11) FLAGS(12) FLAGS(13) FLAGS(14) FLAGS(15)
    printf("%ld of %ld wrong\n", bad, done);
    return bad != 0;
}
