/* vfp_streams.c: runs the functions of vfp_streams.py on random registers; the digest of what each leaves. A load that faults is skipped, and the
 * VFP registers of its signal frame go to r6. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <ucontext.h>

extern unsigned n_tests;
extern void (*tests[])(void *);

/* 64 words of registers D0 to D31, 32 words to load and store, r4 to r7, FPSCR. */
enum { N_WORDS = 101, N_VFP_WORDS = 66, THUMB = 32 };
static uint32_t state[N_WORDS + 3] __attribute__((aligned(64)));
static unsigned n_faults;

static uint32_t next(void)
{
    static uint64_t x = 88172645463325252u;
    x ^= x << 13;
    x ^= x >> 7;
    return (uint32_t)((x ^= x << 17) >> 16);
}

static uint32_t word(unsigned kind)
{
    static const uint32_t special[] = {
        0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0x00800000, 0x7f7fffff, 0x4b000000,
        0x4effffff, 0x3f000000, 0x40200000, 0x3ff00000, 0x40080000, 0xc0000000, 0x41000000, 0x40400000,
    };
    uint32_t r = next();
    return kind == 0 ? r : kind == 1 ? special[r % (sizeof(special) / sizeof(special[0]))] : 0x3f000000 + (r & 0x00ffffff) + (r >> 30 << 28);
}

static uint32_t digest(uint32_t h, const uint32_t *words, unsigned n)
{
    while (n--) {
        h = (h ^ *words++) * 16777619;
    }
    return h;
}

static void on_fault(int sig, siginfo_t *info, void *opaque)
{
    ucontext_t *uc = opaque;
    uint16_t first = *(const uint16_t *)(uintptr_t)(uc->uc_mcontext.arm_pc & ~1ul);
    (void)sig;
    (void)info;
    n_faults++;
    uc->uc_mcontext.arm_pc += uc->uc_mcontext.arm_cpsr & THUMB && first >> 11 < 29 ? 2 : 4;
    uc->uc_mcontext.arm_r6 = digest(0, (const uint32_t *)uc->uc_regspace, N_VFP_WORDS);
}

int main(void)
{
    sigaction(SIGSEGV, &(struct sigaction){ .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, NULL);
    for (unsigned i = 0; i < n_tests; i++) {
        uint32_t h = 0;
        for (unsigned round = 0; round < 12; round++) {
            unsigned kind = next() % 3;
            for (unsigned k = 0; k < N_WORDS; k++) {
                state[k] = word(kind);
            }
            tests[i](state);
            h = digest(h, state, N_WORDS);
        }
        printf("%u %08x\n", i, h);
    }
    printf("%u faults\n", n_faults);
    return 0;
}
