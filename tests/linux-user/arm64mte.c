/*
 * arm64mte.c: memory tagging: the instructions, checks of every kind of access in synchronous and asynchronous mode, what is unchecked, PSTATE.TCO,
 * tags over mprotect, mremap, munmap, madvise and fork, system calls, prctl and HWCAP2.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PROT_MTE
#define PROT_MTE 0x20
#endif
enum { ENABLE = 1, SYNC = 2, ASYNC = 4, SERR = 9, AERR = 8 };
#define INCLUDE(mask) ((uint64_t)(mask) << 3)
#define TAG(p, t) ((void *)(((uintptr_t)(p) & ~((uintptr_t)15 << 56)) | (uintptr_t)(t) << 56))
#define M ".arch armv8.8-a+memtag+mops\n"
#define BIT25 ((uint64_t)1 << 25)

static int bad;
#define CHECK(e) do { if (!(e)) { printf("line %d: %s\n", __LINE__, #e); bad++; } } while (0)

static sigjmp_buf back;
static volatile int got_code;
static void *volatile got_addr;
static volatile uint64_t got_tco;

static uint64_t tco(void) { uint64_t v; __asm__ volatile(M "mrs %0, tco" : "=r"(v)); return v; }

static void on_segv(int sig, siginfo_t *info, void *context)
{
    got_code = info->si_code;
    got_addr = info->si_addr;
    got_tco = tco();
    if (info->si_code != AERR) {
        siglongjmp(back, 1);
    }
}

#define FAULTS(...) ({ got_code = 0; if (!sigsetjmp(back, 1)) { __VA_ARGS__; } got_code; })

static void *ldg(void *p) { __asm__ volatile(M "ldg %0, [%0]" : "+r"(p) :: "memory"); return p; }
static unsigned tag_of(void *p) { return (uintptr_t)ldg(p) >> 56 & 15; }
static void stg(void *p) { __asm__ volatile(M "stg %0, [%0]" :: "r"(p) : "memory"); }

static void instructions(char *p)
{
    uint64_t x, y, mask;

    prctl(PR_SET_TAGGED_ADDR_CTRL, ENABLE | INCLUDE(0x00f0), 0, 0, 0);
    unsigned seen = 0;
    for (int i = 0; i < 200; i++) {
        __asm__ volatile(M "irg %0, %1, %2" : "=r"(x) : "r"((uintptr_t)p | (uintptr_t)0xa3 << 56), "r"((uint64_t)0x20));
        seen |= 1u << (x >> 56 & 15);
        CHECK((x & ~((uint64_t)15 << 56)) == ((uintptr_t)p | (uint64_t)0xa0 << 56));
    }
    CHECK(seen == 0x00d0);
    __asm__ volatile(M "gmi %0, %1, %2" : "=r"(mask) : "r"(TAG(p, 9)), "r"((uint64_t)0x8001));
    CHECK(mask == 0x8201);
    __asm__ volatile(M "addg %0, %1, #32, #2" : "=r"(x) : "r"(TAG(p, 6)));
    CHECK(x == (uintptr_t)TAG(p + 32, 4)); /* 6, 7, then 4 again: the others are excluded */
    __asm__ volatile(M "subg %0, %1, #16, #0" : "=r"(x) : "r"(TAG(p + 64, 1)));
    CHECK(x == (uintptr_t)TAG(p + 48, 4));
    __asm__ volatile(M "subp %0, %1, %2" : "=r"(x) : "r"(TAG(p, 3)), "r"(TAG(p + 40, 5)));
    CHECK(x == (uint64_t)-40);
    __asm__ volatile(M "subps %0, %2, %3\n mrs %1, nzcv" : "=r"(x), "=r"(y) : "r"(TAG(p, 3)), "r"(TAG(p, 5)) : "cc");
    CHECK(x == 0 && y == 0x60000000);
    prctl(PR_SET_TAGGED_ADDR_CTRL, ENABLE, 0, 0, 0);
    __asm__ volatile(M "irg %0, %1" : "=r"(x) : "r"(TAG(p, 7)));
    CHECK(x == (uintptr_t)p);

    memset(p, 0x55, 256);
    char *q = TAG(p, 1);
    __asm__ volatile(M "stg %0, [%0], #16\n stzg %1, [%0, #0]\n st2g %2, [%0, #16]!\n stz2g %3, [%0, #32]"
                     : "+r"(q) : "r"(TAG(p, 2)), "r"(TAG(p, 3)), "r"(TAG(p, 4)) : "memory");
    CHECK(q == (char *)TAG(p + 32, 1));
    static const uint8_t tags[6] = { 1, 2, 3, 3, 4, 4 }, zero[6] = { 0, 1, 0, 0, 1, 1 };
    for (int i = 0; i < 6; i++) {
        CHECK(tag_of(p + 16 * i) == tags[i] && tag_of(p + 16 * i + 9) == tags[i] && p[16 * i + 8] == (zero[i] ? 0 : 0x55));
    }
    __asm__ volatile(M "stgp %1, %2, [%0, #32]" :: "r"(TAG(p, 0xc)), "r"((uint64_t)11), "r"((uint64_t)12) : "memory");
    CHECK(tag_of(p + 32) == 12 && *(uint64_t *)(p + 32) == 11 && *(uint64_t *)(p + 40) == 12);
    __asm__ volatile(M "dc gva, %0\n dc gzva, %1" :: "r"(TAG(p + 128, 5)), "r"(TAG(p + 192, 6)) : "memory");
    CHECK(tag_of(p + 128) == 5 && tag_of(p + 176) == 5 && p[130] == 0x55 && tag_of(p + 192) == 6 && tag_of(p + 240) == 6 && !p[250]);
    CHECK(FAULTS(stg(p + 8)) == BUS_ADRALN);
    CHECK(FAULTS(stg(TAG((void *)0x10, 0))) == SEGV_MAPERR);
    memset(p, 0, 256);
}

/* Each access at a right and at a wrong tag; the granule behind has another one. */
static void accesses(char *p, int mode)
{
    struct { const char *name; int size, store; } const *k;
    static const struct { const char *name; int size, store; } kinds[] = {
        { "ldrb", 1, 0 }, { "str", 8, 1 }, { "ldp", 16, 0 }, { "stp post", 16, 1 }, { "ldr reg", 4, 0 }, { "str q pre", 16, 1 },
        { "ld1", 16, 0 }, { "ldxr", 8, 0 }, { "swp", 8, 1 }, { "cas", 4, 1 }, { "ldar", 8, 0 }, { "stlur", 8, 1 }, { "setp", 16, 1 }, { "cpyf", 16, 1 },
        { "ldraa", 8, 0 }, { "swpp", 16, 1 }, { "zva", 64, 1 },
    };
    static char other[16];
    uint64_t a, b;

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        k = (void *)&kinds[i];
        for (int wrong = 0; wrong < 2; wrong++) {
            char *q = TAG(p, wrong ? 7 : 6), *r = q;
            uint64_t n = 16, zero = 0;
            got_code = 0;
            if (!sigsetjmp(back, 1)) {
                switch (i) {
                case 0: __asm__ volatile("ldrb %w0, [%1, #15]" : "=r"(a) : "r"(q) : "memory"); break;
                case 1: __asm__ volatile("str xzr, [%0, #8]" :: "r"(q) : "memory"); break;
                case 2: __asm__ volatile("ldp %0, %1, [%2]" : "=&r"(a), "=&r"(b) : "r"(q) : "memory"); break;
                case 3: __asm__ volatile("stp xzr, xzr, [%0], #16" : "+r"(r) :: "memory"); break;
                case 4: __asm__ volatile("ldr %w0, [%1, %2]" : "=r"(a) : "r"(q), "r"((uint64_t)12) : "memory"); break;
                case 5: r = q - 16; __asm__ volatile("str q0, [%0, #16]!" : "+r"(r) :: "memory"); break;
                case 6: __asm__ volatile("ld1 {v0.16b}, [%0]" :: "r"(q) : "v0", "memory"); break;
                case 7: __asm__ volatile("ldxr %0, [%1]\n clrex" : "=r"(a) : "r"(q) : "memory"); break;
                case 8: __asm__ volatile(M "swp xzr, %0, [%1]" : "=r"(a) : "r"(q) : "memory"); break;
                case 9: __asm__ volatile(M "cas wzr, wzr, [%0]" :: "r"(q) : "memory"); break;
                case 10: __asm__ volatile("ldar %0, [%1]" : "=r"(a) : "r"(q) : "memory"); break;
                case 11: __asm__ volatile(M "stlur xzr, [%0, #8]" :: "r"(q) : "memory"); break;
                case 12: __asm__ volatile(M "setp [%0]!, %1!, %2\n setm [%0]!, %1!, %2\n sete [%0]!, %1!, %2" : "+r"(r), "+r"(n) : "r"(zero) : "memory", "cc"); break;
                case 13: { char *s = other; __asm__ volatile(M "cpyfp [%0]!, [%1]!, %2!\n cpyfm [%0]!, [%1]!, %2!\n cpyfe [%0]!, [%1]!, %2!"
                                                             : "+r"(r), "+r"(s), "+r"(n) :: "memory", "cc"); } break;
                case 14: __asm__ volatile(M "pacdza %1\n ldraa %0, [%1]" : "=r"(a), "+r"(r) :: "memory"); break;
                case 15: __asm__ volatile("mov x1, %0\n mov x0, #0\n mov x2, #0\n .inst 0x19208000 | 2 << 16 | 1 << 5" /* swpp x0, x2, [x1] */
                                          :: "r"(q) : "x0", "x1", "x2", "memory"); break;
                default: __asm__ volatile("dc zva, %0" :: "r"(TAG(p + 256, wrong ? 7 : 6)) : "memory");
                }
            }
            if (mode == ASYNC && wrong) {
                getppid(); /* the kernel notices at the latest */
            }
            int expected = !wrong ? 0 : mode == SYNC ? SERR : mode == ASYNC ? AERR : 0;
            if (got_code != expected) {
                printf("mode %d: %s with %s tag: %d instead of %d\n", mode, k->name, wrong ? "a wrong" : "the right", got_code, expected);
                bad++;
            }
            if (got_code == SERR) {
                char *first = i == 16 ? p + 256 : p;
                CHECK((char *)got_addr >= first && (char *)got_addr < first + 64);
            } else if (got_code == AERR) {
                CHECK(!got_addr);
            }
        }
    }
}

static void *in_thread(void *p)
{
    CHECK(prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0) == (ENABLE | SYNC));
    return (void *)(uintptr_t)((*(volatile char *)TAG(p, 6)) + 1);
}

int main(void)
{
    struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_MTE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

    CHECK((getauxval(AT_HWCAP2) >> 18 & 1) && (getauxval(AT_HWCAP2) >> 22 & 1));
    CHECK(p != MAP_FAILED);
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    instructions(p);
    for (int i = 0; i < 16; i++) {
        stg(TAG(p + 256 + 16 * i, 6));
    }
    stg(TAG(p, 6));
    stg(TAG(p + 16, 9));
    accesses(p, 0);
    CHECK(prctl(PR_SET_TAGGED_ADDR_CTRL, ENABLE | SYNC, 0, 0, 0) == 0);
    CHECK(prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0) == (ENABLE | SYNC));
    accesses(p, SYNC);
    CHECK(prctl(PR_SET_TAGGED_ADDR_CTRL, ENABLE | ASYNC | INCLUDE(0xfffe), 0, 0, 0) == 0);
    CHECK(prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0) == (int)(ENABLE | ASYNC | INCLUDE(0xfffe)));
    accesses(p, ASYNC);
    prctl(PR_SET_TAGGED_ADDR_CTRL, ENABLE | SYNC, 0, 0, 0);

    /* Across a border of tags: where the second begins. */
    uint64_t v;
    CHECK(FAULTS(__asm__ volatile("ldr %0, [%1, #12]" : "=r"(v) : "r"(TAG(p, 6)) : "memory")) == SERR && got_addr == p + 16);
    /* A matching tag of 0 is nothing special; memory without PROT_MTE is not checked. */
    CHECK(FAULTS(*(volatile char *)p) == SERR && got_addr == p);
    static char plain[32];
    CHECK(FAULTS(*(volatile char *)TAG(plain, 5)) == 0 && tag_of(TAG(plain, 5)) == 0);
    stg(TAG(plain + (-(uintptr_t)plain & 15), 5)); /* ignored */
    CHECK(FAULTS(*(volatile char *)plain) == 0);
    /* SP with an immediate is not checked. */
    CHECK(FAULTS(__asm__ volatile("mov x9, sp\n mov sp, %0\n ldr x10, [sp, #8]\n stp x10, x10, [sp, #32]\n mov sp, x9" :: "r"(p) : "x9", "x10", "memory")) == 0);
    /* TCO. */
    __asm__ volatile(M "msr tco, #1");
    CHECK(tco() == BIT25 && FAULTS(*(volatile char *)p) == 0);
    __asm__ volatile(M "msr tco, %0" :: "r"((uint64_t)0));
    CHECK(FAULTS(*(volatile char *)p) == SERR && got_tco == 0 && tco() == 0);

    /* System calls see tags in synchronous mode. */
    int fds[2];
    if (pipe(fds)) {
        return 2;
    }
    CHECK(write(fds[1], TAG(p, 6), 4) == 4);
    CHECK(write(fds[1], p, 4) == -1 && errno == EFAULT);
    CHECK(read(fds[0], TAG(p, 6), 4) == 4);

    /* Tags stay, go and move with the memory. */
    CHECK(mprotect(TAG(p, 3), 4096, PROT_READ) == 0 && mprotect(p, 4096, PROT_READ | PROT_WRITE) == 0 && tag_of(p) == 6);
    CHECK(FAULTS(*(volatile char *)p) == SERR);
    q = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mremap(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q && tag_of(q) == 6 && FAULTS(*(volatile char *)q) == SERR);
    CHECK(FAULTS(*(volatile char *)TAG(q, 6)) == 0);
    CHECK(mmap(p, 4096, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p && tag_of(p) == 0 && FAULTS(*(volatile char *)TAG(p, 3)) == 0);
    CHECK(mprotect(p, 4096, PROT_READ | PROT_WRITE | PROT_MTE) == 0 && FAULTS(*(volatile char *)TAG(p, 3)) == SERR);
    pthread_t thread;
    void *ret = NULL;
    CHECK(pthread_create(&thread, NULL, in_thread, q) == 0 && pthread_join(thread, &ret) == 0 && ret);
    pid_t child = fork();
    if (!child) {
        bad = 0;
        CHECK(tag_of(q) == 6 && FAULTS(*(volatile char *)q) == SERR && FAULTS(*(volatile char *)TAG(q, 6)) == 0);
        stg(TAG(q, 8));
        fflush(stdout);
        _exit(bad);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0 && tag_of(q) == 6);
    CHECK(madvise(q, 4096, MADV_DONTNEED) == 0 && tag_of(q) == 0);
    int fd = open("/proc/self/exe", 0);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_MTE, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(prctl(PR_SET_TAGGED_ADDR_CTRL, 1 << 20, 0, 0, 0) == -1 && errno == EINVAL);
    return bad != 0;
}
