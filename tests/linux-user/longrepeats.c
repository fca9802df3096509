/*
 * longrepeats.c (x86): repeated copies and fills of up to two megabytes, also where areas overlap or a page is missing: what is stored, which address
 * faults, and what the registers say then.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifdef __x86_64__
enum { CX = REG_RCX, SI = REG_RSI, DI = REG_RDI };
#else
enum { CX = REG_ECX, SI = REG_ESI, DI = REG_EDI };
#endif

enum { PAGE = 4096, AREA = 3 << 20 };
static unsigned char *area;
static uint64_t sum;
static sigjmp_buf out;
static void mix(uint64_t x) { sum = (sum ^ x) * 0x9e3779b97f4a7c15u; sum ^= sum >> 29; }
static uintptr_t offset(const void *p) { return (uintptr_t)p - (uintptr_t)area; }

static void on_fault(int sig, siginfo_t *info, void *context)
{
    const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    mix((uint64_t)sig + offset(info->si_addr) * 3);
    mix((uint64_t)r[CX]);
    mix(offset((void *)r[SI]));
    mix(offset((void *)r[DI]));
    siglongjmp(out, 1);
}

static void fill_area(void)
{
    for (unsigned i = 0; i < AREA; i += 4) {
        uint32_t v = i * 2654435761u;
        memcpy(area + i, &v, 4);
    }
}

static void mix_area(void)
{
    for (unsigned i = 0; i < AREA; i += 8) {
        uint64_t v;
        memcpy(&v, area + i, 8);
        mix(v + i);
    }
}

static void copy_bytes(size_t to, size_t from, size_t n)
{
    void *d = area + to;
    const void *s = area + from;
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
    mix(offset(d) + offset(s) * 5 + n);
}

static void copy_words(size_t to, size_t from, size_t n)
{
    void *d = area + to;
    const void *s = area + from;
    __asm__ volatile("rep movsl" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
    mix(offset(d) + offset(s) * 5 + n);
}

static void copy_back(size_t to, size_t from, size_t n)
{
    void *d = area + to;
    const void *s = area + from;
    __asm__ volatile("std; rep movsb; cld" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
    mix(offset(d) + offset(s) * 5 + n);
}

static void fill_words(size_t to, uint32_t value, size_t n)
{
    void *d = area + to;
    __asm__ volatile("rep stosl" : "+D"(d), "+c"(n) : "a"(value), "S"(area) : "memory");
    mix(offset(d) + n);
}

int main(void)
{
    static const size_t sizes[] = { 127, 128, 129, 500, 4095, 4096, 5000, 65537, (512 << 10) - 1, 512 << 10, (512 << 10) + 77, 1 << 20 };
    area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) return 1;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t n = sizes[i];
        for (unsigned k = 0; k < 3; k++) {
            fill_area();
            copy_bytes((3 << 19) + 5 * k, 1000 + 3 * k, n);
            copy_words((3 << 19) + 64 * k, 1000 + k, n / 4);
            copy_bytes(2000, 2000 + 1 + 70 * k, n);     /* the lower one is written */
            copy_bytes(2000 + 9 + 300 * k, 2000, n);    /* what was written is read again */
            copy_back((3 << 19) + n + k, 3000 + n, n);
            fill_words(777 + k, 0xa1b2c3d4, n / 4);
            mix_area();
        }
    }

    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, NULL);
    static const size_t holes[] = { 0, 1, 5, 200 };
    for (volatile unsigned i = 0; i < 4; i++) {
        for (volatile unsigned k = 0; k < 2; k++) {
            size_t hole = (size_t)(1 + holes[i]) * PAGE;
            for (volatile unsigned way = 0; way < 8; way++) {
                fill_area();
                mprotect(area + hole, PAGE, way & 1 ? PROT_NONE : PROT_READ);
                if (!sigsetjmp(out, 1)) {
                    switch (way >> 1) {
                    case 0: copy_bytes(k * 3 + 8, (3 << 19) + 100, 1 << 20); break;
                    case 1: copy_words(k * 4 + 8, (3 << 19) + 101, 1 << 18); break;
                    case 2: copy_bytes((3 << 19) + 40 * k, 50, 1 << 20); break;
                    default: fill_words(k * 4 + 16, 0x01020304, 1 << 18); break;
                    }
                }
                mprotect(area + hole, PAGE, PROT_READ | PROT_WRITE);
                mix_area();
            }
            /* Backwards, and a few hundred bytes in a page that is not there. */
            mprotect(area + hole, PAGE, PROT_NONE);
            if (!sigsetjmp(out, 1)) copy_back(hole + 3 * PAGE, (3 << 19) + 4 * PAGE, 5 * PAGE);
            if (!sigsetjmp(out, 1)) copy_bytes(hole + 50, 3 << 19, 700);
            if (!sigsetjmp(out, 1)) copy_bytes(3 << 19, hole + 50, 700);
            if (!sigsetjmp(out, 1)) fill_words(hole + 52, 7, 300);
            mprotect(area + hole, PAGE, PROT_READ | PROT_WRITE);
            __asm__ volatile("cld");
            mix_area();
        }
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
