/*
 * arm64pauth.c: pointer authentication of a program on `max`: codes come off again, differ by key, leave bit 55 alone; one that is wrong is
 * SIGILL, ILL_ILLOPN at the instruction (FPAC, FPACCOMBINE); prctl(2) gives new keys.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>

static sigjmp_buf back;
static volatile int got;

static void on_ill(int sig, siginfo_t *info, void *context)
{
    got = info->si_code;
    siglongjmp(back, 1);
}

#define PAUTH(insn, ptr, modifier) \
    ({ uint64_t r = (ptr); __asm__ volatile(".arch armv8.3-a\n" insn " %0, %1" : "+r"(r) : "r"((uint64_t)(modifier))); r; })
#define XPACI(ptr) ({ uint64_t r = (ptr); __asm__ volatile(".arch armv8.3-a\nxpaci %0" : "+r"(r)); r; })

int main(void)
{
    static const uint64_t pointers[] = { 0x1234567890, 0x123456789a, 0x7fffffffffff, 0, ~(uint64_t)0, 0xffff800000001000 };
    struct sigaction sa = { .sa_sigaction = on_ill, .sa_flags = SA_SIGINFO };
    int bad = 0, differ = 0, coded = 0, n = 0;

    sigaction(SIGILL, &sa, NULL);
    for (unsigned i = 0; i < sizeof(pointers) / sizeof(*pointers); i++) {
        for (uint64_t modifier = 0; modifier < 50; modifier++, n++) {
            uint64_t p = pointers[i], a = PAUTH("pacia", p, modifier), b = PAUTH("pacib", p, modifier), d = PAUTH("pacda", p, modifier);
            bad += PAUTH("autia", a, modifier) != p || PAUTH("autib", b, modifier) != p || PAUTH("autda", d, modifier) != p;
            bad += XPACI(a) != p || XPACI(b) != p || (a >> 55 & 1) != (p >> 55 & 1);
            differ += a != b && a != d;
            coded += a != p;
        }
    }
    if (bad || differ < n * 9 / 10 || coded < n * 9 / 10) {
        printf("%d wrong; %d of %d differ by key, %d have a code\n", bad, differ, n, coded);
        return 1;
    }
    if (!sigsetjmp(back, 1)) {
        PAUTH("autia", PAUTH("pacia", 0x1234, 1) ^ (uint64_t)1 << 50, 1);
        bad++;
    }
    bad += got != ILL_ILLOPN;
    got = 0;
    if (!sigsetjmp(back, 1)) {
        __asm__ volatile(".arch armv8.3-a\nbraa %0, %1" :: "r"(PAUTH("pacia", (uint64_t)main, 1) ^ (uint64_t)1 << 49), "r"((uint64_t)1));
        bad++;
    }
    bad += got != ILL_ILLOPN;
    uint64_t before[8], same = 0;
    for (int i = 0; i < 8; i++) {
        before[i] = PAUTH("pacib", 0x1000, i);
    }
    int rc = prctl(54 /* PR_PAC_RESET_KEYS */, 2, 0, 0, 0); /* of instructions, B */
    for (int i = 0; i < 8; i++) {
        same += PAUTH("pacib", 0x1000, i) == before[i];
    }
    printf("%d wrong, reset %d, %d unchanged\n", bad, rc, (int)same);
    return bad || rc || same > 4 || prctl(54, 64, 0, 0, 0) != -1;
}
