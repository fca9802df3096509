/*
 * misaligned.c: atomics at an odd address are bus errors with the address and BUS_ADRALN. The host build
 * says what is expected.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

static sigjmp_buf back;
static char *target;

static void on_bus(int sig, siginfo_t *info, void *context)
{
    printf("signal %d code %d offset %d\n", sig, info->si_code, (int)((char *)info->si_addr - target));
    siglongjmp(back, 1);
}

int main(void)
{
    static long buffer[4] __attribute__((aligned(16)));
    struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };

    sigaction(SIGBUS, &sa, NULL);
    for (volatile int kind = 0; kind < 3; kind++) {
        target = (char *)buffer + 13; /* beyond what any extension allows: across 16 bytes */
        if (sigsetjmp(back, 1)) {
            continue;
        }
#ifdef __riscv
        long v = 1;
        if (kind == 0) {
            __asm__ volatile("lr.w %0, (%1)" : "=r"(v) : "r"(target) : "memory");
        } else if (kind == 1) {
            __asm__ volatile("amoadd.w %0, %0, (%1)" : "+r"(v) : "r"(target) : "memory");
        } else {
            __asm__ volatile("sc.w %0, %0, (%1)" : "+r"(v) : "r"(target) : "memory");
        }
        puts("no fault");
#elif defined(__aarch64__)
        long v = 1, failed;
        if (kind == 0) {
            __asm__ volatile("ldxr %w0, [%1]" : "=r"(v) : "r"(target) : "memory");
        } else if (kind == 1) {
            __asm__ volatile(".arch armv8.1-a\nswp %w0, %w0, [%1]" : "+r"(v) : "r"(target) : "memory");
        } else {
            __asm__ volatile("stxr %w0, %w1, [%2]" : "=&r"(failed) : "r"(v), "r"(target) : "memory");
        }
        puts("no fault");
#else
        siginfo_t info = { .si_code = BUS_ADRALN };
        info.si_addr = target;
        on_bus(SIGBUS, &info, NULL);
#endif
    }
    return 0;
}
