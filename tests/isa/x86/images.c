/*
 * images.c: what FXSAVE, XSAVE, XSAVEOPT, XSAVEC, FNSAVE and FNSTENV write, and FXRSTOR, XRSTOR, FRSTOR and FLDENV read, on the
 * host's processor and under the translator: memory byte for byte, registers.
 *
 * Not compared are the pointers of the last x87 instruction (processors differ in when they are saved) and MXCSR_MASK. A processor may say
 * that a component in its initial state is in use (SDM volume 1, 13.6: Intel's do), and may have restored some components when XRSTOR faults
 * because of another.
 *
 * usage: images [-3] ROUNDS [SEED]
 */
#include "x86test.h"
#include "target/x86/fpu-state.h"
#include <stdio.h>
#include <stdlib.h>

enum { AREA = 0x2000, AREA_BYTES = 0x1000, OTHER = 0x4000 };

static uint64_t seed = 1;
static bool code32;

static uint64_t rnd(void)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

typedef struct Case {
    const char *name;
    uint8_t bytes[8];
    unsigned n;
    enum { FX, XS, ENV } kind;
    bool restores;
    unsigned feature;    /* bit of CPUID.D.1:EAX the host must have, 32: XSAVE, 33: none */
} Case;

/* The operand is [rbx]. */
static const Case cases[] = {
    { "fxsave", { 0x0f, 0xae, 0x03 }, 3, FX, false, 33 }, { "fxrstor", { 0x0f, 0xae, 0x0b }, 3, FX, true, 33 },
    { "fxsave64", { 0x48, 0x0f, 0xae, 0x03 }, 4, FX, false, 33 }, { "fxrstor64", { 0x48, 0x0f, 0xae, 0x0b }, 4, FX, true, 33 },
    { "xsave", { 0x0f, 0xae, 0x23 }, 3, XS, false, 32 }, { "xrstor", { 0x0f, 0xae, 0x2b }, 3, XS, true, 32 },
    { "xsaveopt", { 0x0f, 0xae, 0x33 }, 3, XS, false, 0 }, { "xsavec", { 0x0f, 0xc7, 0x23 }, 3, XS, false, 1 },
    { "fnsave", { 0xdd, 0x33 }, 2, ENV, false, 33 }, { "frstor", { 0xdd, 0x23 }, 2, ENV, true, 33 },
    { "fnstenv", { 0xd9, 0x33 }, 2, ENV, false, 33 }, { "fldenv", { 0xd9, 0x23 }, 2, ENV, true, 33 },
    { "fnsave16", { 0x66, 0xdd, 0x33 }, 3, ENV, false, 33 }, { "frstor16", { 0x66, 0xdd, 0x23 }, 3, ENV, true, 33 },
};

static void random_state(X86tState *s)
{
    x86t_initial(s);
    for (unsigned i = 0; i < (code32 ? 8 : 16); i++) {
        for (unsigned k = 0; k < (x86t_host_has_avx() ? 32 : 16); k += 8) {
            stle64(s->ymm[i] + k, rnd() % 4 ? rnd() : 0);
        }
    }
    if (rnd() % 4 == 0) {
        memset(s->ymm, 0, sizeof(s->ymm));
    }
    for (unsigned i = 0; i < 8; i++) {
        uint64_t r = rnd();
        stle64(s->st[i], r & 1 ? rnd() : r & 2 ? BIT(63) : rnd() | BIT(63));
        stle16(s->st[i] + 8, (uint16_t)(r & 4 ? r >> 8 : r & 8 ? 0x7fff : r & 16 ? 0 : 0x3fff));
    }
    s->fcw = (uint16_t)(0x7f | (rnd() & 0xf00));
    s->fsw = (uint16_t)(rnd() & 0x7f7f);
    s->ftag = (uint8_t)rnd();
    s->mxcsr = 0x1f80 | (uint32_t)(rnd() & 0x603f);
    s->gpr[X86_RBX] = X86T_DATA + AREA;
    s->gpr[X86_RAX] = rnd() % 3 ? 7 : rnd() & 7;
}

/* Components the host's system has enabled (XCR0): a header may ask for them there. */
static uint64_t host_components(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* An area to restore from: what the host saves of another state, its masks as random. */
static void make_area(const Case *c, uint8_t *data)
{
    static const struct { uint8_t bytes[4]; unsigned n; } save[] = { [FX] = { { 0x0f, 0xae, 0x03 }, 3 }, [XS] = { { 0x0f, 0xae, 0x23 }, 3 },
                                                                     [ENV] = { { 0xdd, 0x33 }, 2 } };
    uint8_t bytes[8];
    X86tRun run = { .code = code32 ? X86_CODE_32 : X86_CODE_64, .bytes = bytes, .data = data };
    bool wide = c->bytes[0] == 0x66;
    unsigned n = 0;
    if (wide || c->bytes[0] == 0x48) {
        bytes[n++] = c->bytes[0];
    }
    memcpy(bytes + n, save[c->kind].bytes, save[c->kind].n);
    n += save[c->kind].n;
    memcpy(bytes + n, "\x0f\x0b", 2);
    run.n_bytes = n + 2;
    memset(data + AREA, 0, AREA_BYTES);
    random_state(&run.state);
    x86t_native(&run);
    if (c->kind == XS && rnd() % 8 == 0) {
        /* #GP, or other components. Not the highest bits: AMD's processors accept more there than the manual says (SDM volume 1, 13.8). */
        unsigned bit = (unsigned)(rnd() % 192);
        bool other = bit == 63 || bit == 127 || (bit > 2 && bit < 64 && host_components() >> bit & 1);
        data[AREA + 512 + bit / 8] ^= (uint8_t)(other ? 0 : 1u << bit % 8);
    }
    if (c->kind != ENV && rnd() % 16 == 0) {
        data[AREA + 26 + rnd() % 2] = 0x10; /* reserved bits of MXCSR */
    }
}

static bool host_has(unsigned feature)
{
    unsigned a = 0, b, c = 0, d;
    if (feature == 33) {
        return true;
    }
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "0"(1), "2"(0));
    if (!(c >> 27 & 1)) {
        return false;
    }
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "0"(13), "2"(1));
    return feature == 32 || (a >> feature & 1);
}

/* Components that only the host calls in use: they must have been written as their initial state, and count as written here too. */
static void accept_initial(const uint8_t *native, uint8_t *emulated)
{
    static const struct { uint64_t bit; unsigned at, bytes; } parts[] = { { 1, 32, 128 }, { 2, 160, 256 }, { 4, 576, 256 } };
    uint64_t more = ldle64(native + 512) & ~ldle64(emulated + 512);

    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        unsigned n = parts[i].bit > 1 && code32 ? 128 : parts[i].bytes;
        bool initial = true;
        for (unsigned k = 0; k < n; k++) {
            initial &= !native[parts[i].at + k];
        }
        if (!(more & parts[i].bit) || !initial || (parts[i].bit == 1 && (ldle16(native) != 0x37f || ldle16(native + 2) || native[4]))) {
            continue;
        }
        memcpy(emulated + parts[i].at, native + parts[i].at, n);
        if (parts[i].bit == 1) {
            memcpy(emulated, native, 5);
        }
        if (parts[i].bit == 2 && ldle32(native + 24) == 0x1f80) {
            memcpy(emulated + 24, native + 24, 4); /* XSAVEC writes MXCSR with the registers only */
        }
        emulated[512] |= (uint8_t)parts[i].bit;
    }
}

static unsigned check(const Case *c)
{
    static uint8_t before[X86T_DATA_BYTES], native[X86T_DATA_BYTES], emulated[X86T_DATA_BYTES];
    uint8_t bytes[16];
    X86tRun a = { .code = code32 ? X86_CODE_32 : X86_CODE_64, .bytes = bytes, .data = native }, b;
    for (unsigned i = 0; i < AREA_BYTES; i += 8) {
        stle64(before + AREA + i, rnd());
    }
    if (c->restores) {
        make_area(c, before);
    } else if (c->kind == XS) {
        memset(before + AREA + 512, 0, 64);
        stle64(before + AREA + 512, rnd() & 7);
    }
    memcpy(bytes, c->bytes, c->n);
    memcpy(bytes + c->n, "\x0f\x0b", 2);
    a.n_bytes = c->n + 2u;
    random_state(&a.state);
    b = a;
    b.data = emulated;
    memcpy(native, before, sizeof(before));
    memcpy(emulated, before, sizeof(before));
    X86tState first = a.state;
    x86t_native(&a);
    x86t_emulated(&b);
    /* pointers and MXCSR_MASK */
    if (!c->restores && c->kind != ENV) {
        memcpy(emulated + AREA + 6, native + AREA + 6, 18);
        memcpy(emulated + AREA + 28, native + AREA + 28, 4);
        if (c->kind == XS) {
            accept_initial(native + AREA, emulated + AREA);
        }
    } else if (!c->restores) {
        unsigned from = c->bytes[0] == 0x66 ? 6 : 12, to = c->bytes[0] == 0x66 ? 14 : 28;
        memcpy(emulated + AREA + from, native + AREA + from, to - from);
    }
    if (c->restores && c->kind == XS && a.state.vector == X86_EXC_GP) {
        b.state.fcw = a.state.fcw;
        b.state.fsw = a.state.fsw;
        b.state.ftag = a.state.ftag;
        memcpy(b.state.st, a.state.st, sizeof(b.state.st));
        memcpy(b.state.ymm, a.state.ymm, sizeof(b.state.ymm));
    }
    char text[4000];
    X86tMask mask = { .eflags = X86_ARITH_FLAGS, .x87 = true, .fsw = 0xffff, .mxcsr = ~0u };
    x86t_diff(&a, &b, &mask, text, sizeof(text));
    if (text[0]) {
        printf("FAILED %s: rax %llx fcw %x fsw %x ftag %x header %llx %llx %llx\n%s", c->name, (unsigned long long)first.gpr[X86_RAX], first.fcw,
               first.fsw, first.ftag, (unsigned long long)ldle64(before + AREA + 512), (unsigned long long)ldle64(before + AREA + 520),
               (unsigned long long)ldle64(before + AREA + 528), text);
    }
    return text[0] != 0;
}

int main(int argc, char **argv)
{
    code32 = argc > 1 && !strcmp(argv[1], "-3");
    argc -= code32;
    argv += code32;
    long rounds = argc > 1 ? atol(argv[1]) : 100;
    X86tOptions options = { .i386 = code32, .cpu = "max" };
    unsigned failures = 0, done = 0;

    if (argc > 2) {
        seed = strtoull(argv[2], NULL, 0);
    }
    if (!x86t_init(&options)) {
        return 77;
    }
    for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
        if (!host_has(cases[k].feature) || (code32 && cases[k].bytes[0] == 0x48)) {
            continue;
        }
        unsigned bad = 0;
        for (long n = 0; n < rounds && bad < 3; n++, done++) {
            bad += check(&cases[k]);
        }
        failures += bad;
    }
    printf("%u images, %u failures\n", done, failures);
    return failures != 0;
}
