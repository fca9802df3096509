/* armclone.c: a thread begins with the FPSCR of the one that made it: rounding, and flags, those that Advanced SIMD raised just before included. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#pragma GCC target("fpu=neon")

static uint32_t get(void)
{
    uint32_t v;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(v));
    return v;
}

static void set(uint32_t v) { __asm__ volatile("vmsr fpscr, %0" : : "r"(v)); }

enum { IOC = 1, DZC = 2, IXC = 16, IDC = 128 };
static uint32_t at_start;

static void *body(void *arg)
{
    at_start = get();
    return arg;
}

/* The operands' product, in a lane of Advanced SIMD, which flushes subnormal ones, and a thread. */
static uint32_t started(uint32_t fpscr, uint32_t x, uint32_t y)
{
    pthread_t t;
    set(fpscr);
    __asm__ volatile("vdup.32 q8, %0\n\tvdup.32 q9, %1\n\tvmul.f32 q8, q8, q9" : : "r"(x), "r"(y) : "q8", "q9");
    if (pthread_create(&t, NULL, body, NULL) || pthread_join(t, NULL)) {
        return ~0u;
    }
    return at_start;
}

int main(void)
{
    const uint32_t one = 0x3f800000, subnormal = 1, infinity = 0x7f800000, up = 1 << 22;
    const struct { const char *what; uint32_t fpscr, x, y, expected; } cases[] = {
        { "nothing", 0, one, one, 0 },
        { "subnormal", 0, subnormal, one, IDC },
        { "subnormal, inexact before", IXC, subnormal, one, IXC | IDC },
        { "invalid, rounding up", up | IXC, 0, infinity, up | IXC | IOC },
        { "invalid, subnormal", DZC | IXC, subnormal, infinity, DZC | IXC | IOC | IDC },
    };
    int bad = 0;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t seen = started(cases[i].fpscr, cases[i].x, cases[i].y);
        printf("%s: %08x\n", cases[i].what, seen);
        bad |= seen != cases[i].expected;
    }
    return bad;
}
