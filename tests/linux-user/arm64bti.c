/*
 * arm64bti.c: branch target identification: which instructions may follow which indirect branch on pages with and without PROT_BTI; what the
 * signal says and how a handler goes on; signal handlers are entered as if they were called; programs with the property have guarded code.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef PROT_BTI
#define PROT_BTI 0x10
#endif

static int bad;
#define CHECK(e) do { if (!(e)) { printf("line %d: %s\n", __LINE__, #e); bad++; } } while (0)

enum { CALL, JUMP_16, JUMP_17, JUMP_2, RETURN, CALL_PAUTH, JUMP_PAUTH, DIRECT, N_KINDS };
enum { NOP, BTI, BTI_C, BTI_J, BTI_JC, PACIASP, PACIBSP, BRK, ADR, N_LANDINGS };

/* At x1; both come back to x9, the landing's own return address. x2 and x16, x17: the target. */
static const uint32_t branches[N_KINDS] = {
    0xd63f0040 /* blr x2 */, 0xd61f0200 /* br x16 */, 0xd61f0220 /* br x17 */, 0xd61f0040 /* br x2 */, 0xd65f0040 /* ret x2 */,
    0xd63f085f /* blraaz x2 */, 0xd61f085f /* braaz x2 */, 0,
};
static const uint32_t landings[N_LANDINGS] = {
    0xd503201f, 0xd503241f, 0xd503245f, 0xd503249f, 0xd50324df, 0xd503233f, 0xd503237f, 0xd4200000, 0x10000000 /* adr x0, . */,
};

/* D8.4.2: BTYPE behind the branch, and whether the landing is compatible with it. */
static unsigned btype(int kind, int from_guarded)
{
    switch (kind) {
    case CALL: case CALL_PAUTH: return 2;
    case JUMP_16: case JUMP_17: return 1;
    case JUMP_2: case JUMP_PAUTH: return from_guarded ? 3 : 1;
    default: return 0;
    }
}

static int may_land(int landing, unsigned type)
{
    switch (landing) {
    case BTI_C: return type != 3;
    case BTI_J: return type != 2;
    case BTI_JC: case BRK: return 1;
    case PACIASP: case PACIBSP: return type != 3; /* SCTLR_EL1.BT0 */
    default: return !type;
    }
}

static volatile int got, got_code, go_on;
static volatile uint64_t got_pc, got_pstate;
static sigjmp_buf back;

static void on_ill(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    got++;
    got_code = info->si_code;
    got_pc = uc->uc_mcontext.pc;
    got_pstate = uc->uc_mcontext.pstate;
    if ((uintptr_t)info->si_addr != got_pc) {
        bad++;
    }
    if (sig == SIGTRAP) {
        uc->uc_mcontext.pc += 4;
    } else if (go_on) {
        uc->uc_mcontext.pstate &= ~(uint64_t)(3 << 10);
    } else {
        siglongjmp(back, 1);
    }
}

static uint32_t *pages(void)
{
    return mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static uint64_t go(uint32_t *from, int kind, void *target)
{
    void *branch = from + kind;
    register uint64_t r __asm__("x0");

    if (kind == CALL_PAUTH || kind == JUMP_PAUTH) {
        __asm__(".arch armv8.3-a\npaciza %0" : "+r"(target));
    }
    __asm__ volatile("mov x1, %1\n mov x2, %2\n mov x16, %2\n mov x17, %2\n adr x9, 1f\n mov x10, x30\n ret %1\n1: mov x30, x10"
                     : "=&r"(r) : "r"(branch), "r"(target) : "x1", "x2", "x9", "x10", "x16", "x17", "x30", "memory");
    return r;
}

int main(void)
{
    struct sigaction sa = { .sa_sigaction = on_ill, .sa_flags = SA_SIGINFO };
    uint32_t *from = pages(), *to = pages();
    int wrong = 0;

    CHECK(getauxval(AT_HWCAP2) >> 17 & 1); /* HWCAP2_BTI */
    sigaction(SIGILL, &sa, NULL);
    sigaction(SIGTRAP, &sa, NULL);
    for (int i = 0; i < N_KINDS; i++) {
        from[i] = branches[i];
    }
    from[DIRECT] = 0x14000000 | ((uint32_t)((char *)to - (char *)(from + DIRECT)) >> 2 & 0x3ffffff);
    for (int i = 0; i < N_LANDINGS; i++) {
        to[4 * i] = landings[i];
        to[4 * i + 1] = i == PACIASP || i == PACIBSP ? landings[i] ^ 0x80 : 0xd503201f; /* AUTIxSP */
        to[4 * i + 2] = 0xd61f0120; /* br x9: unguarded code waits there */
    }
    __builtin___clear_cache((char *)from, (char *)from + 4096);
    __builtin___clear_cache((char *)to, (char *)to + 4096);
    /* Twice, and without and with protection in turn: translations have to follow. */
    for (int round = 0; round < 8; round++) {
        int from_guarded = round & 1, to_guarded = round >> 1 & 1;
        CHECK(mprotect(from, 4096, PROT_READ | PROT_EXEC | (from_guarded ? PROT_BTI : 0)) == 0);
        CHECK(mprotect(to, 4096, PROT_READ | PROT_EXEC | (to_guarded ? PROT_BTI : 0)) == 0);
        for (int k = 0; k < N_KINDS; k++) {
            for (int l = 0; l < (k == DIRECT ? 1 : N_LANDINGS); l++) {
                unsigned type = btype(k, from_guarded);
                int expected = to_guarded && !may_land(l, type);
                for (int again = 0; again < 2; again++) {
                    got = 0;
                    go_on = again;
                    if (!sigsetjmp(back, 1)) {
                        uint64_t r = go(from, k, to + 4 * l);
                        wrong += l == ADR && r != (uintptr_t)(to + 4 * l);
                    }
                    int brk = l == BRK && !(expected && !again);
                    if (got != expected + brk || (expected && !brk && (got_code != ILL_ILLOPC || got_pc != (uintptr_t)(to + 4 * l) || (got_pstate >> 10 & 3) != type))) {
                        if (wrong++ < 20) {
                            printf("round %d kind %d landing %d: %d signals instead of %d, code %d, BTYPE %d\n", round, k, l, got, expected + brk,
                                   got_code, (int)(got_pstate >> 10 & 3));
                        }
                    }
                }
            }
        }
    }
    CHECK(!wrong);

    /* A handler on a guarded page has to begin with BTI C; what it returns to has not. */
    mprotect(to, 4096, PROT_READ | PROT_EXEC | PROT_BTI);
    struct sigaction in_page = { .sa_handler = (void (*)(int))(void *)(to + 4 * BTI_J) };
    sigaction(SIGUSR1, &in_page, NULL);
    got = go_on = 0;
    if (!sigsetjmp(back, 1)) {
        raise(SIGUSR1);
    }
    CHECK(got == 1 && got_pc == (uintptr_t)(to + 4 * BTI_J) && (got_pstate >> 10 & 3) == 2);
    CHECK(mprotect(to, 4096, PROT_READ | PROT_EXEC | PROT_BTI | 0x100) == -1 && errno == EINVAL);
    /* A branch to no instruction. */
    mprotect(from, 4096, PROT_READ | PROT_EXEC);
    got = 0;
    sigaction(SIGBUS, &sa, NULL);
    for (int k = 0; k < DIRECT; k++) {
        got = go_on = 0;
        if (!sigsetjmp(back, 1)) {
            go(from, k, (char *)to + 2);
        }
        CHECK(got == 1 && got_code == BUS_ADRALN && got_pc == (uintptr_t)to + 2);
    }
    return bad != 0;
}
