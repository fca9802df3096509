/*
 * cases.c: what random streams do not do: code that changes itself, repetitions that fault on the way, jumps and stack frames, split
 * locks. Each runs on the host's processor and under the translator.
 *
 * usage: cases [-3] [-4] [-i] [-o]     as in random.c
 */
#include "x86test.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BOTH, ONLY64, ONLY32 };
#define DATA(offset) (X86T_DATA + (offset))
#define END (X86T_DATA + X86T_DATA_BYTES)
#define CODE(offset) (X86T_CODE + (offset))

typedef struct Case {
    const char *name;
    unsigned mode;
    uint64_t rax, rcx, rdx, rbx, rsi, rdi, rbp;
    uint32_t eflags;
    uint32_t undefined;         /* eflags not compared */
    unsigned n;
    uint8_t bytes[80];
} Case;

#define BYTES(...) .n = sizeof((uint8_t[]){ __VA_ARGS__ }), .bytes = { __VA_ARGS__ }

static const Case cases[] = {
    /* -- code that changes itself -- */
    { "store into the next instruction", ONLY64, BYTES(0xc6, 0x05, 1, 0, 0, 0, 0x77, 0xb8, 0x11, 0, 0, 0) },
    { "store into the next instruction, by register", BOTH, .rbx = CODE(4), BYTES(0xc6, 0x03, 0x77, 0xb8, 0x11, 0, 0, 0) },
    { "store into an instruction behind a branch", BOTH, .rbx = CODE(8), BYTES(0x31, 0xc9, 0xc6, 0x03, 0x55, 0x74, 0x00, 0xb8, 0x11, 0, 0, 0, 0x40, 0x90) },
    { "a loop that changes itself", BOTH, .rbx = CODE(4), .rcx = 50, BYTES(0x80, 0x03, 0x03, 0xb0, 0x00, 0x00, 0xc2, 0xff, 0xc9, 0x75, 0xf5) },
    { "an instruction that replaces itself", BOTH, .rax = 0x90909090, .rbx = CODE(0), BYTES(0x89, 0x03, 0x90, 0x90) },
    { "rep stosb over what follows", BOTH, .rax = 0x90, .rdi = CODE(2), .rcx = 3, BYTES(0xf3, 0xaa, 0xf4, 0xf4, 0xf4) },
    { "rep movsb over what follows", BOTH, .rsi = CODE(7), .rdi = CODE(2), .rcx = 5, BYTES(0xf3, 0xa4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xb8, 1, 2, 3, 4) },
    { "locked addition to the next instruction", BOTH, .rbx = CODE(5), BYTES(0xf0, 0x80, 0x03, 0x21, 0xb8, 0x11, 0, 0, 0) },
    { "push over the next instruction", ONLY64, BYTES(0x48, 0x8d, 0x25, 0x0d, 0, 0, 0, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0xf4, 0xf4, 0xf4) },
    /* -- repetition -- */
    { "rep movsb into the guard page", BOTH, .rsi = DATA(0x100), .rdi = END - 37, .rcx = 100, BYTES(0xf3, 0xa4) },
    { "rep movsd from the guard page", BOTH, .rsi = END - 30, .rdi = DATA(0x100), .rcx = 100, BYTES(0xf3, 0xa5) },
    { "rep stosd across pages", BOTH, .rax = 0x12345678, .rdi = DATA(0xff0), .rcx = 0x900, BYTES(0xf3, 0xab) },
    { "rep stosd, unaligned across pages", BOTH, .rax = 0x12345678, .rdi = DATA(0xff3), .rcx = 0x900, BYTES(0xf3, 0xab) },
    { "rep movsb, overlapping upwards", BOTH, .rsi = DATA(0x4000), .rdi = DATA(0x4003), .rcx = 200, BYTES(0xf3, 0xa4) },
    { "rep movsw, overlapping by one byte", BOTH, .rsi = DATA(0x4000), .rdi = DATA(0x4001), .rcx = 90, BYTES(0x66, 0xf3, 0xa5) },
    { "std; rep movsb", BOTH, .rsi = DATA(0x4100), .rdi = DATA(0x4105), .rcx = 90, BYTES(0xfd, 0xf3, 0xa4, 0xfc) },
    { "std; rep movsb, overlapping downwards", BOTH, .rsi = DATA(0x4100), .rdi = DATA(0x40fd), .rcx = 90, BYTES(0xfd, 0xf3, 0xa4) },
    { "std; rep stosd into the guard page", BOTH, .rdi = DATA(0x20), .rax = 7, .rcx = 90, BYTES(0xfd, 0xf3, 0xab) },
    { "repne scasb", BOTH, .rdi = DATA(0x4000), .rax = 0, .rcx = ~0u, BYTES(0xf2, 0xae) },
    { "repe scasb", BOTH, .rdi = DATA(0x1000), .rax = 0, .rcx = ~0u, BYTES(0xf3, 0xae) },
    { "repe cmpsb", BOTH, .rsi = DATA(0x1000), .rdi = DATA(0x2000), .rcx = 0x5000, BYTES(0xf3, 0xa6) },
    { "repne cmpsd", BOTH, .rsi = DATA(0x4000), .rdi = DATA(0x4100), .rcx = 20, BYTES(0xf2, 0xa7) },
    { "rep lodsd", BOTH, .rsi = DATA(0x4000), .rcx = 20, BYTES(0xf3, 0xad) },
    { "rep with a count of 0", BOTH, .rsi = 1, .rdi = 2, .eflags = X86_CF | X86_ZF, BYTES(0xf3, 0xa4, 0xf3, 0xa6, 0xf2, 0xae) },
    { "rep movsb with 32-bit addresses", ONLY64, .rsi = DATA(0x100), .rdi = DATA(0x200), .rcx = 0x500000007, BYTES(0x67, 0xf3, 0xa4) },
    /* -- locks -- */
    { "lock xadd across a cache line", BOTH, .rbx = DATA(0x103d), .rcx = 0x1234567, BYTES(0xf0, 0x0f, 0xc1, 0x0b) },
    { "lock or across a page", BOTH, .rbx = DATA(0x1ffe), .rcx = 0x1234567, BYTES(0xf0, 0x09, 0x0b) },
    { "lock cmpxchg8b across a page", BOTH, .rsi = DATA(0x1ffd), .rbx = 5, .rcx = 6, BYTES(0xf0, 0x0f, 0xc7, 0x0e) },
    { "lock neg", BOTH, .rbx = DATA(0x4000), BYTES(0xf0, 0xf7, 0x1b) },
    { "cmpxchg16b", ONLY64, .rsi = DATA(0x1000), .rbx = 5, .rcx = 6, BYTES(0x48, 0x0f, 0xc7, 0x0e, 0x48, 0x0f, 0xc7, 0x0e) },
    { "cmpxchg16b, misaligned", ONLY64, .rsi = DATA(0x1008), .rbx = 5, .rcx = 6, BYTES(0x48, 0x0f, 0xc7, 0x0e) },
    { "lock with a register", BOTH, BYTES(0xf0, 0x01, 0xc8) },
    { "lock cmp", BOTH, .rbx = DATA(0), BYTES(0xf0, 0x39, 0x03) },
    { "xchg with the guard page", BOTH, .rbx = END - 2, .rax = 1, BYTES(0x87, 0x03) },
    /* -- jumps and stack frames -- */
    { "call, ret", BOTH, BYTES(0xe8, 2, 0, 0, 0, 0xeb, 3, 0xb0, 7, 0xc3) },
    { "ret imm", BOTH, BYTES(0x6a, 1, 0x6a, 2, 0xe8, 2, 0, 0, 0, 0xeb, 3, 0xc2, 8, 0) },
    { "jmp rax", BOTH, .rax = CODE(4), BYTES(0xff, 0xe0, 0xf4, 0xf4) },
    { "call through memory", BOTH, .rbx = DATA(0x100), .rax = CODE(8), BYTES(0x89, 0x03, 0xff, 0x13, 0xf4, 0xf4, 0xf4, 0xf4, 0x90) },
    { "a return to somewhere else", BOTH, .rax = CODE(9), BYTES(0xe8, 0, 0, 0, 0, 0x58, 0x50, 0xb0, 0x09, 0x90) },
    { "loop", BOTH, .rcx = 7, BYTES(0xfe, 0xc0, 0xe2, 0xfc) },
    { "loopne", BOTH, .rcx = 7, .rax = 0xfd, BYTES(0xfe, 0xc0, 0xe0, 0xfc) },
    { "loope", BOTH, .rcx = 7, BYTES(0x38, 0xc0, 0xe1, 0xfc) },
    { "jrcxz", BOTH, BYTES(0xe3, 2, 0xb0, 1, 0xb4, 2) },
    { "jecxz", ONLY64, .rcx = 0x100000000, BYTES(0x67, 0xe3, 2, 0xb0, 1, 0xb4, 2) },
    { "enter, leave", BOTH, .rbp = DATA(0x9000), BYTES(0xc8, 0x20, 0, 0, 0xc9, 0xc8, 0x20, 0, 1, 0xc8, 0x10, 0, 5) },
    { "pusha, popa", ONLY32, .rax = 1, .rcx = 2, .rdx = 3, .rbx = 4, .rsi = 5, .rdi = 6, BYTES(0x60, 0x58, 0x58, 0x6a, 9, 0x61, 0x66, 0x60, 0x66, 0x61) },
    { "push and pop of all sizes", ONLY64, .rax = 0x1122334455667788, BYTES(0x50, 0x66, 0x50, 0x66, 0x59, 0x5a, 0x68, 0, 0, 0, 0x80, 0x5e, 0x66, 0x6a, 0xff, 0x66, 0x5f) },
    { "push rsp, pop rsp", BOTH, BYTES(0x54, 0x5c, 0x54, 0x58) },
    { "pop [rsp]", BOTH, BYTES(0x6a, 1, 0x6a, 2, 0x6a, 3, 0x8f, 0x04, 0x24, 0x58) },
    { "push [rsp]", BOTH, BYTES(0x6a, 1, 0xff, 0x34, 0x24, 0xff, 0x74, 0x24, 0x08) },
    { "leave from a bad frame", BOTH, .rbp = 0x40, BYTES(0xc9) },
    { "pop into the guard page", BOTH, .rbx = END, BYTES(0x8f, 0x03) },
    { "pushf, popf", BOTH, .eflags = X86_CF | X86_OF, BYTES(0x9c, 0x58, 0x34, 0x41, 0x50, 0x9d, 0x9c, 0x5b) },
    { "lahf, sahf", BOTH, .rax = 0xff00, .eflags = X86_OF, BYTES(0x9e, 0xb4, 0, 0x9f) },
    { "std, cld", BOTH, .rsi = DATA(0x40), BYTES(0xfd, 0xac, 0xfc, 0xac, 0xfd) },
    /* -- exceptions -- */
    { "division by 0", BOTH, .rax = 5, BYTES(0xb1, 3, 0xf7, 0xf2) },
    { "quotient too large", BOTH, .rdx = 5, .rcx = 5, BYTES(0xf7, 0xf1) },
    { "least number / -1", BOTH, .rax = 0x80000000, .rcx = ~0ull, BYTES(0x99, 0xf7, 0xf9) },
    { "least 64-bit number / -1", ONLY64, .rax = BIT(63), .rcx = ~0ull, BYTES(0x48, 0x99, 0x48, 0xf7, 0xf9) },
    { "128-bit division", ONLY64, .rax = 77, .rdx = 5, .rcx = 0x7777777777, .undefined = X86_ARITH_FLAGS, BYTES(0x48, 0xf7, 0xf1) },
    { "128-bit signed division", ONLY64, .rax = 77, .rdx = ~5ull, .rcx = 0x7777777777, .undefined = X86_ARITH_FLAGS, BYTES(0x48, 0xf7, 0xf9) },
    { "128-bit signed division, too large", ONLY64, .rax = 77, .rdx = 500, .rcx = 2, BYTES(0x48, 0xf7, 0xf9) },
    { "aam 0", ONLY32, .rax = 77, BYTES(0xd4, 0) },
    { "into", ONLY32, .rax = 0x7fffffff, BYTES(0xce, 0x83, 0xc0, 1, 0xce) },
    { "bound", ONLY32, .rax = 5, .rbx = DATA(0x1000), BYTES(0x62, 0x03) },
    { "not canonical", ONLY64, .rbx = BIT(63) - 1, BYTES(0x8b, 0x03) },
    { "sixteen bytes", BOTH, BYTES(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90) },
    { "fault between setting and using flags", BOTH, .rbx = END, .rax = 5, BYTES(0x83, 0xe8, 6, 0x8b, 0x0b, 0x72, 0) },
    { "16-bit addresses", ONLY32, .rbx = 0xfff0, .rsi = 0x123, BYTES(0x67, 0x8d, 0x40, 0x10, 0x67, 0x8d, 0x4e, 0x80) },
    { "xlat", BOTH, .rbx = DATA(0x4000), .rax = 0x33, BYTES(0xd7) },
    { "rorx", BOTH, .rax = 5, BYTES(0xc4, 0xe3, 0x7b, 0xf0, 0xc0, 0x01) },
    { "rorx with a second source", BOTH, .rax = 5, BYTES(0xc4, 0xe3, 0x73, 0xf0, 0xc0, 0x01) },
    { "ud0, ud1", BOTH, BYTES(0x0f, 0xff, 0xc0) },
};

int main(int argc, char **argv)
{
    X86tOptions options = { 0 };
    bool code32 = false;
    unsigned failures = 0, run = 0;
    int opt;

    while ((opt = getopt(argc, argv, "34io")) != -1) {
        switch (opt) {
        case '3': code32 = options.i386 = true; break;
        case '4': code32 = true; break;
        case 'i': options.interpreter = true; break;
        case 'o': options.one_insn = true; break;
        default: return 2;
        }
    }
    if (!x86t_init(&options)) {
        return 77;
    }
    static uint8_t native[X86T_DATA_BYTES], emulated[X86T_DATA_BYTES];
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        const Case *c = &cases[i];
        if (c->mode == (code32 ? ONLY64 : ONLY32)) {
            continue;
        }
        uint8_t bytes[96] = { 0 };
        memcpy(bytes, c->bytes, c->n);
        bytes[c->n] = 0x0f;
        bytes[c->n + 1] = 0x0b;
        X86tRun a = { .code = code32 ? X86_CODE_32 : X86_CODE_64, .bytes = bytes, .n_bytes = c->n + 2, .data = native };
        x86t_initial(&a.state);
        const uint64_t values[] = { c->rax, c->rcx, c->rdx, c->rbx, a.state.gpr[X86_RSP], c->rbp, c->rsi, c->rdi };
        for (unsigned k = 0; k < 8; k++) {
            a.state.gpr[k] = code32 ? (uint32_t)values[k] : values[k];
        }
        a.state.eflags = c->eflags;
        memset(native, 0, sizeof(native));
        for (unsigned k = 0x4000; k < 0x4200; k++) {
            native[k] = (uint8_t)(k * 37 + 11);
        }
        native[0x4180] = 0;
        memcpy(emulated, native, sizeof(native));
        X86tRun b = a;
        b.data = emulated;
        x86t_native(&a);
        x86t_emulated(&b);
        char text[4000];
        X86tMask mask = { .eflags = (X86_ARITH_FLAGS | X86_DF) & ~c->undefined, .x87 = true, .fsw = 0xffff, .mxcsr = ~0u };
        x86t_diff(&a, &b, &mask, text, sizeof(text));
        run++;
        if (text[0]) {
            printf("FAILED %s\n%s", c->name, text);
            failures++;
        }
    }
    printf("%u cases, %u failures\n", run, failures);
    return failures != 0;
}
