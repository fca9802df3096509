/*
 * arm64tags.c: the top byte of a pointer is ignored: by every kind of load and store, by memory copies, branches, cache maintenance, by
 * system calls after PR_SET_TAGGED_ADDR_CTRL (before, they refuse it), and in fault addresses unless SA_EXPOSE_TAGBITS is set.
 * Also SP alignment and pc alignment: SIGBUS, BUS_ADRALN.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAG(p, t) ((void *)((uintptr_t)(p) | (uintptr_t)(t) << 56))

static int bad;
static void check(int ok, const char *what, int line)
{
    if (!ok) {
        printf("line %d: %s\n", line, what);
        bad++;
    }
}
#define CHECK(e) check(e, #e, __LINE__)

static sigjmp_buf back;
static siginfo_t got;
static uintptr_t got_context;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    got = *info;
    got_context = ((ucontext_t *)context)->uc_mcontext.fault_address;
    siglongjmp(back, 1);
}

#define FAULTS(...) ({ memset(&got, 0, sizeof(got)); int f = sigsetjmp(back, 1); if (!f) { __VA_ARGS__; } f; })

static void handler(int flags)
{
    struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | flags };
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    sigaction(SIGILL, &sa, NULL);
}

static int seven(void) { return 7; }

static void accesses(char *p, unsigned tag)
{
    uint64_t *q = TAG(p, tag), a = 1, b = 2, status = 9;

    for (int i = 0; i < 64; i++) {
        ((volatile uint8_t *)q)[i] = (uint8_t)(i + tag);
    }
    for (int i = 0; i < 64; i++) {
        CHECK((uint8_t)p[i] == (uint8_t)(i + tag));
    }
    __asm__ volatile("stp %0, %1, [%2, #16]!\n ldp %1, %0, [%2], #-16" : "+r"(a), "+r"(b), "+r"(q) :: "memory");
    CHECK(a == 2 && b == 1 && q == TAG(p, tag) && *(uint64_t *)(p + 16) == 1);
    __asm__ volatile("ldr %0, [%1, %2, lsl #3]" : "=r"(a) : "r"(q), "r"((uint64_t)2) : "memory");
    CHECK(a == 1);
    /* The tag may come from the index, and sums wrap at 64 bits. */
    __asm__ volatile("ldr %0, [%1, %2]" : "=r"(a) : "r"(p + 16), "r"((uint64_t)tag << 56) : "memory");
    CHECK(a == 1);
    __asm__ volatile("1: ldxr %0, [%2]\n add %0, %0, #5\n stlxr %w1, %0, [%2]\n cbnz %w1, 1b" : "=&r"(a), "=&r"(status) : "r"(q + 2) : "memory");
    CHECK(a == 6 && *(uint64_t *)(p + 16) == 6);
    __asm__ volatile("ldxp %0, %1, [%3]\n stxp %w2, %1, %0, [%3]" : "=&r"(a), "=&r"(b), "=&r"(status) : "r"(q + 2) : "memory");
    CHECK(!status && *(uint64_t *)(p + 24) == 6);
    __asm__ volatile(".arch armv8.1-a\nldaddal %1, %0, [%2]" : "=r"(a) : "r"((uint64_t)3), "r"(q + 3) : "memory");
    CHECK(a == 6 && *(uint64_t *)(p + 24) == 9);
    a = 9;
    __asm__ volatile(".arch armv8.1-a\ncasal %0, %1, [%2]" : "+r"(a) : "r"((uint64_t)4), "r"(q + 3) : "memory");
    CHECK(a == 9 && *(uint64_t *)(p + 24) == 4);
    __asm__ volatile("mov x0, #1\n mov x1, #2\n stp x0, x1, [%0]\n mov x2, #3\n mov x3, #4\n.arch armv8.1-a\n caspal x0, x1, x2, x3, [%0]"
                     :: "r"(q) : "x0", "x1", "x2", "x3", "memory");
    CHECK(*(uint64_t *)p == 3 && *(uint64_t *)(p + 8) == 4);
    __asm__ volatile("ldar %0, [%1]\n add %0, %0, #1\n stlr %0, [%1]" : "=&r"(a) : "r"(q) : "memory");
    CHECK(*(uint64_t *)p == 4);
    __asm__ volatile("ld1 {v0.16b, v1.16b}, [%0]\n st1 {v0.16b, v1.16b}, [%1]\n ldr q2, [%0, #16]\n str q2, [%1, #32]\n"
                     "ld4r {v4.2s, v5.2s, v6.2s, v7.2s}, [%0]\n st2 {v4.s, v5.s}[1], [%1]"
                     :: "r"(q), "r"(q + 8) : "v0", "v1", "v2", "v4", "v5", "v6", "v7", "memory");
    CHECK(!memcmp(p + 72, p + 8, 24) && !memcmp(p + 96, p + 16, 16));
    __asm__ volatile("dc zva, %0\n dc cvau, %0\n ic ivau, %0\n prfm pldl1keep, [%0]" :: "r"(q + 32) : "memory");
    CHECK(!p[256] && !p[256 + 63]);
    uint64_t *d = TAG(p + 512, tag ^ 0x35), *s = q, n = 300;
    __asm__ volatile(".arch armv8.8-a+mops\ncpyp [%0]!, [%1]!, %2!\n cpym [%0]!, [%1]!, %2!\n cpye [%0]!, [%1]!, %2!" : "+r"(d), "+r"(s), "+r"(n) :: "memory", "cc");
    CHECK(!memcmp(p, p + 512, 300));
    CHECK(((int (*)(void))TAG(seven, tag))() == 7);
}

static void *in_thread(void *p)
{
    CHECK(prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0) == PR_TAGGED_ADDR_ENABLE);
    accesses(p, 0x77);
    return NULL;
}

int main(int argc, char **argv)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fds[2];

    handler(0);
    if (pipe(fds) || p == MAP_FAILED) {
        return 2;
    }
    for (unsigned tag = 1; tag < 256; tag += 37) {
        accesses(p, tag);
    }
    /* System calls: not before the program asks for it, except where addresses are only looked up. */
    CHECK(write(fds[1], TAG(p, 1), 4) == -1 && errno == EFAULT);
    CHECK(mprotect(TAG(p, 3), 4096, PROT_READ | PROT_WRITE) == 0);
    CHECK(madvise(TAG(p + 4096, 3), 4096, MADV_DONTNEED) == 0);
    CHECK(prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_TAGGED_ADDR_CTRL, 1, 1, 0, 0) == -1 && errno == EINVAL);
    CHECK(prctl(PR_SET_TAGGED_ADDR_CTRL, (uint64_t)1 << 40, 0, 0, 0) == -1 && errno == EINVAL);
    CHECK(prctl(PR_SET_TAGGED_ADDR_CTRL, PR_TAGGED_ADDR_ENABLE, 0, 0, 0) == 0);
    memcpy(p, "abcd", 4);
    CHECK(write(fds[1], TAG(p, 1), 4) == 4);
    struct iovec iov[2] = { { TAG(p + 8, 2), 2 }, { TAG(p + 16, 0xfe), 2 } };
    CHECK(readv(fds[0], TAG(iov, 9), 2) == 4 && !memcmp(p + 8, "ab", 2) && !memcmp(p + 16, "cd", 2));
    CHECK(access(TAG("/", 5), F_OK) == 0);
    CHECK(mmap(TAG(p, 1), 4096, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, in_thread, p) == 0 && pthread_join(thread, NULL) == 0);
    pid_t child = fork();
    if (!child) {
        _exit(write(fds[1], TAG(p, 1), 4) != 4);
    }
    int status = 0;
    CHECK(waitpid(child, TAG(&status, 0x11), 0) == child && status == 0);
    CHECK(prctl(PR_SET_TAGGED_ADDR_CTRL, 0, 0, 0, 0) == 0);
    CHECK(write(fds[1], TAG(p, 1), 4) == -1 && errno == EFAULT);

    /* Fault addresses. */
    mprotect(p + 4096, 4096, PROT_NONE);
    volatile char *hole = TAG(p + 4096 + 40, 0x5a);
    CHECK(FAULTS(*hole) && got.si_signo == SIGSEGV && got.si_code == SEGV_ACCERR && got.si_addr == p + 4096 + 40);
    CHECK(got_context == (uintptr_t)p + 4096 + 40);
    handler(0x800 /* SA_EXPOSE_TAGBITS */);
    CHECK(FAULTS(*hole = 1) && got.si_signo == SIGSEGV && got.si_addr == (void *)hole && got_context == (uintptr_t)p + 4096 + 40);
    handler(0);
    munmap(p + 4096, 4096);
    CHECK(FAULTS(*hole) && got.si_code == SEGV_MAPERR && got.si_addr == p + 4096 + 40);
    /* Bit 55 says the other half of the address space; that is nobody's. */
    volatile char *upper = (char *)((uintptr_t)p | (uintptr_t)1 << 55);
    CHECK(FAULTS(*upper) && got.si_signo == SIGSEGV && got.si_code == SEGV_MAPERR);
    uint64_t v;
    CHECK(FAULTS(__asm__ volatile("ldxr %0, [%1]" : "=r"(v) : "r"(TAG(p + 1, 3)))) && got.si_signo == SIGBUS && got.si_addr == p + 1);
    CHECK(FAULTS(((void (*)(void))TAG(p, 4))()) && got.si_signo == SIGSEGV && got.si_addr == p);

    /* SP as the base of an access, its write-back, and other ways to change it. Without an access any value is good. */
#define WITH_SP(change, access, undo) __asm__ volatile(change "\n" access "\n" undo ::: "x0", "x1", "x2", "v0", "memory")
    CHECK(FAULTS(WITH_SP("mov x2, sp\n sub sp, sp, #8", "ldr x0, [sp]", "mov sp, x2")) && got.si_signo == SIGBUS && got.si_code == BUS_ADRALN);
    CHECK(((uintptr_t)got.si_addr & 15) == 8);
    CHECK(FAULTS(WITH_SP("mov x2, sp\n sub x1, sp, #24\n mov sp, x1", "stp x0, x1, [sp, #-16]!", "mov sp, x2")) && got.si_signo == SIGBUS);
    CHECK(FAULTS(WITH_SP("mov x2, sp\n mov x1, #4\n sub sp, sp, x1", "ldr q0, [sp, #16]", "mov sp, x2")) && got.si_signo == SIGBUS);
    CHECK(FAULTS(WITH_SP("mov x2, sp\n sub sp, sp, #64\n str x0, [sp], #8", "ldrb w0, [sp]", "mov sp, x2")) && got.si_signo == SIGBUS);
    CHECK(FAULTS(WITH_SP("mov x2, sp\n sub sp, sp, #64\n ld1 {v0.8b}, [sp], #8", "ld1 {v0.8b}, [sp]", "mov sp, x2")) && got.si_signo == SIGBUS);
    CHECK(FAULTS(WITH_SP("mov x2, sp\n orr sp, x2, #2", "ldadd x0, x1, [sp]", "mov sp, x2")) && got.si_signo == SIGBUS);
    CHECK(!FAULTS(WITH_SP("mov x2, sp\n sub sp, sp, #8\n add x0, sp, #8", "ldr x1, [x0]\n prfm pldl1keep, [sp]\n sub sp, sp, #8\n ldr x1, [sp, #8]", "mov sp, x2")));
    CHECK(FAULTS(__asm__ volatile("adr x0, 1f\n add x0, x0, #2\n br x0\n1: nop" ::: "x0")) && got.si_signo == SIGBUS && got.si_code == BUS_ADRALN);

    if (argc < 2) {
        fflush(stdout);
        /* A new program begins without. */
        prctl(PR_SET_TAGGED_ADDR_CTRL, PR_TAGGED_ADDR_ENABLE, 0, 0, 0);
        child = fork();
        if (!child) {
            execl("/proc/self/exe", argv[0], "again", (char *)NULL);
            _exit(3);
        }
        waitpid(child, &status, 0);
        CHECK(status == 0);
    }
    return bad != 0;
}
