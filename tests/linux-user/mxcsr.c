/*
 * mxcsr.c: the SSE control and status register of a thread: flags that operations raise, that LDMXCSR sets and clears, with and without unmasked
 * exceptions; across signal frames, new threads and forks; and stored where it cannot be, at first.
 */
#pragma GCC target("sse2")
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static uint32_t get(void)
{
    uint32_t v;
    __asm__ volatile("stmxcsr %0" : "=m"(v));
    return v;
}

static void set(uint32_t v)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(v));
}

static volatile double one = 1, three = 3, zero, tiny = 0x1p-1070, big = 0x1p1000;

/* The division and STMXCSR behind each other, as in an instruction stream. */
static uint32_t divided(double a, double b)
{
    uint32_t v;
    __asm__ volatile("divsd %2, %1\n\tstmxcsr %0" : "=m"(v), "+x"(a) : "x"(b));
    return v;
}

static sigjmp_buf back;
static volatile uint32_t in_handler;
static volatile int code;
static char *page;

static void on_fpe(int sig, siginfo_t *info, void *uc)
{
    code = info->si_code;
    in_handler = get();
    siglongjmp(back, 1);
}

static void on_segv(int sig, siginfo_t *info, void *uc)
{
    in_handler = get();
    set(0x1f80 | 0x21);
    if (info->si_addr != page + 8) {
        _exit(3);
    }
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static uint16_t x87_control, x87_status, handler_control, handler_status;

static void on_usr1(int sig)
{
    in_handler = get();
    __asm__ volatile("fnstcw %0; fnstsw %1" : "=m"(handler_control), "=m"(handler_status));
    divided(one, zero);
}

static void *thread(void *arg)
{
    uint32_t before = get(), after = divided(one, three);
    printf("thread: %x, then %x\n", before, after);
    return NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction fpe = { .sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO | SA_NODEFER }, segv = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
    sigaction(SIGFPE, &fpe, NULL);
    sigaction(SIGSEGV, &segv, NULL);
    signal(SIGUSR1, on_usr1);

    set(0x1f80);
    printf("fresh %x\n", get());
    printf("exact %x, inexact %x, by zero %x, invalid %x\n", divided(one, one), divided(one, three), divided(one, zero), divided(zero, zero));
    printf("sticky %x %x\n", get(), get());
    for (unsigned flags = 0; flags < 64; flags += 9) {
        set(0x1f80 | flags);
        uint32_t a = get(), b = divided(one, three);
        set(0x1f80);
        printf("flags %x: %x, %x, cleared %x\n", flags, a, b, get());
    }
    for (unsigned mode = 0; mode < 4; mode++) {
        set(0x1f80 | mode << 13);
        printf("rounding %u: %x %.17g\n", mode, divided(one, three), one / three);
    }
    set(0x1f80 | 0x8040);
    printf("DAZ and FTZ: %x %x %x\n", get(), divided(tiny, three), divided(0x1p-1000, big));
    uint32_t sum = 0;
    set(0x1f80);
    for (unsigned i = 0; i < 1000; i++) { /* a loop that asks, raises, sets */
        sum = sum * 31 + divided(i % 7 ? one : zero, i % 5 ? three : zero);
        if (i % 11 == 0) {
            set(0x1f80 | (i & 0x3f));
        }
    }
    printf("loop %x\n", sum);

    for (unsigned unmasked = 0; unmasked < 6; unmasked++) {
        set((0x1f80 & ~(0x80u << unmasked)) | 1u << (unmasked + 3) % 6 % 3); /* with a flag that is masked, mostly */
        uint32_t before = get();
        volatile uint32_t after = 0;
        code = 0;
        if (!sigsetjmp(back, 1)) {
            after = divided(unmasked == 0 ? zero : unmasked == 1 ? tiny : unmasked == 4 ? 0x1p-1000 : unmasked == 3 ? big : one,
                            unmasked == 0 || unmasked == 2 ? zero : unmasked == 4 ? big : unmasked == 3 ? 0x1p-1000 : three);
        }
        uint32_t now = get();
        set(0x1f80);
        printf("unmasked %u: %x, code %d, %s, in the handler %x, now %x, cleared %x\n", unmasked, before, code, after ? "went on" : "stopped", in_handler,
               unmasked == 3 || unmasked == 4 ? now & ~0x20u : now, get());
    }

    page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    set(0x5f80);
    register double d __asm__("xmm5") = one;
    __asm__ volatile("divsd %2, %0\n\tstmxcsr 8(%1)" : "+x"(d) : "r"(page), "x"(three) : "memory");
    printf("after a fault: stored %x, now %x, in the handler %x, %.17g\n", *(uint32_t *)(page + 8), get(), in_handler, d);

    set(0x1f80);
    divided(one, three);
    x87_control = 0x27f;
    __asm__ volatile("fldcw %0; fldz; fld1" : : "m"(x87_control));
    raise(SIGUSR1);
    __asm__ volatile("fnstcw %0; fnstsw %1; fninit" : "=m"(x87_control), "=m"(x87_status));
    printf("signal: in the handler %x, behind it %x; x87 %x %x, %x %x\n", in_handler, get(), handler_control, handler_status, x87_control, x87_status);
    pthread_t t;
    divided(zero, zero);
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    if (!fork()) {
        printf("child: %x, then %x\n", get(), divided(one, zero));
        exit(0);
    }
    wait(NULL);
    printf("parent: %x\n", get());
    return 0;
}
