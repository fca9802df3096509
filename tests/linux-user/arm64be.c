/*
 * Big-endian data of AArch64 (-mbig-endian), without a C library: which byte of memory is which part of a register, for every kind of
 * access; numbers in structures of system calls, signal frames and the initial stack; futexes.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef __attribute__((vector_size(16))) u8 V;

__asm__(".globl _start\n_start: mov x0, sp\n bl start\n");

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d,
                  x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#define CALL(nr, a, b, c, d) call(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

static int failures;
static void text(const char *s)
{
    u64 n = 0;
    while (s[n]) {
        n++;
    }
    CALL(64, 1, s, n, 0);
}
static void check(int line, u64 got, u64 want)
{
    if (got != want) {
        char t[64] = "line ";
        unsigned n = 5;
        for (int shift = 1000; shift; shift /= 10) {
            t[n++] = (char)('0' + line / shift % 10);
        }
        t[n++] = ' ';
        for (int i = 60; i >= 0; i -= 4) {
            t[n++] = "0123456789abcdef"[got >> i & 15];
        }
        t[n++] = '\n';
        t[n] = 0;
        text(t);
        failures++;
    }
}
#define CHECK(got, want) check(__LINE__, (u64)(got), (u64)(want))

static u8 m[64] __attribute__((aligned(64)));
static void fill(void)
{
    for (unsigned i = 0; i < sizeof(m); i++) {
        ((volatile u8 *)m)[i] = (u8)(i + 1);
    }
}
#define LOAD(insn, type) ({ type r; __asm__ volatile(insn : "=&r"(r) : "r"(m) : "memory"); r; })

static void plain(void)
{
    fill();
    CHECK(LOAD("ldr %0, [%1]", u64), 0x0102030405060708);
    CHECK(LOAD("ldr %w0, [%1, #3]", u64), 0x04050607);
    CHECK(LOAD("ldrh %w0, [%1]", u64), 0x0102);
    CHECK(LOAD("ldrsw %0, [%1]", u64), 0x01020304);
    CHECK(LOAD("ldar %0, [%1]", u64), 0x0102030405060708);
    CHECK(LOAD("ldp %0, xzr, [%1, #8]", u64), 0x090a0b0c0d0e0f10);
    CHECK(LOAD("ldp wzr, %w0, [%1]", u64), 0x05060708);
    CHECK(LOAD("adr %0, 1f\n ldr %0, 1f\n b 2f\n1: .8byte 0x1122334455667788\n2:", u64), 0x1122334455667788);
    __asm__ volatile("str %0, [%1]\n strh %w0, [%1, #8]\n stp %w0, wzr, [%1, #16]\n stlr %0, [%2]"
                     :: "r"(0xa1a2a3a4a5a6a7a8), "r"(m), "r"(m + 24) : "memory");
    CHECK(m[0] << 8 | m[7], 0xa1a8);
    CHECK(m[8] << 8 | m[9], 0xa7a8);
    CHECK(m[16] << 8 | m[19], 0xa5a8);
    CHECK(m[24] << 8 | m[31], 0xa1a8);
}

static void atomics(void)
{
    u64 x, y, z, w;
    u32 failed;

    fill();
    __asm__ volatile("1: ldxr %0, [%2]\n add %0, %0, #1\n stxr %w1, %0, [%2]\n cbnz %w1, 1b" : "=&r"(x), "=&r"(failed) : "r"(m) : "memory");
    CHECK(x, 0x0102030405060709);
    CHECK(m[7], 9);
    __asm__ volatile("1: ldxp %w0, %w1, [%3]\n stxp %w2, %w1, %w0, [%3]\n cbnz %w2, 1b" : "=&r"(x), "=&r"(y), "=&r"(failed) : "r"(m + 8) : "memory");
    CHECK(x << 32 | y, 0x090a0b0c0d0e0f10);
    CHECK(m[8] << 8 | m[12], 0x0d09);
    __asm__ volatile("1: ldxp %0, %1, [%3]\n stxp %w2, %1, %0, [%3]\n cbnz %w2, 1b" : "=&r"(x), "=&r"(y), "=&r"(failed) : "r"(m + 16) : "memory");
    CHECK(x, 0x1112131415161718);
    CHECK(y, 0x191a1b1c1d1e1f20);
    CHECK(m[16] << 8 | m[31], 0x1918);
    fill();
    __asm__ volatile(".arch armv8.1-a+lse\n ldadd %1, %0, [%2]" : "=r"(x) : "r"(1l), "r"(m) : "memory");
    CHECK(x, 0x0102030405060708);
    CHECK(m[7], 9);
    __asm__ volatile("ldaddh %w1, %w0, [%2]" : "=r"(x) : "r"(0xff), "r"(m) : "memory");
    CHECK(m[0] << 8 | m[1], 0x0201);
    x = 0x090a0b0c0d0e0f10;
    __asm__ volatile("cas %0, %1, [%2]" : "+r"(x) : "r"(0x55l), "r"(m + 8) : "memory");
    CHECK(m[8] << 8 | m[15], 0x55);
    {
        register u64 x2 __asm__("x2") = 0x1112131415161718, x3 __asm__("x3") = 0x191a1b1c1d1e1f20, x4 __asm__("x4") = 4, x5 __asm__("x5") = 5;
        __asm__ volatile("casp x2, x3, x4, x5, [%4]" : "+r"(x2), "+r"(x3) : "r"(x4), "r"(x5), "r"(m + 16) : "memory");
        CHECK(x2 ^ x3, 0x1112131415161718 ^ 0x191a1b1c1d1e1f20);
        CHECK(m[23] << 8 | m[31], 0x0405);
    }
    {
        register u64 x2 __asm__("x2") = 0x21222324, x3 __asm__("x3") = 0x25262728, x4 __asm__("x4") = 4, x5 __asm__("x5") = 5;
        __asm__ volatile("casp w2, w3, w4, w5, [%4]" : "+r"(x2), "+r"(x3) : "r"(x4), "r"(x5), "r"(m + 32) : "memory");
        CHECK(x2 << 32 | x3, 0x2122232425262728);
        CHECK(m[35] << 8 | m[39], 0x0405);
    }
    z = w = 0;
    (void)z;
    (void)w;
}

/* A register as two numbers. */
#define VECTOR(insn, low, high) ({ \
    __asm__ volatile("movi v0.2d, #0\n movi v1.2d, #0\n movi v2.2d, #0\n movi v3.2d, #0\n" insn "\n mov %0, v0.d[0]\n mov %1, v0.d[1]" \
                     : "=&r"(lo), "=&r"(hi) : "r"(m) : "v0", "v1", "v2", "v3", "memory"); \
    CHECK(lo, low); \
    CHECK(hi, high); })

static void vectors(void)
{
    u64 lo, hi;

    fill();
    VECTOR("ldr q0, [%2]", 0x090a0b0c0d0e0f10, 0x0102030405060708);
    VECTOR("ldr d0, [%2]", 0x0102030405060708, 0);
    VECTOR("ldr s0, [%2, #4]", 0x05060708, 0);
    VECTOR("ldr h0, [%2]", 0x0102, 0);
    VECTOR("ldr b0, [%2]", 0x01, 0);
    VECTOR("ldp q1, q0, [%2]", 0x191a1b1c1d1e1f20, 0x1112131415161718);
    VECTOR("ld1 {v0.16b}, [%2]", 0x0807060504030201, 0x100f0e0d0c0b0a09);
    VECTOR("ld1 {v0.8h}, [%2]", 0x0708050603040102, 0x0f100d0e0b0c090a);
    VECTOR("ld1 {v0.4s}, [%2]", 0x0506070801020304, 0x0d0e0f10090a0b0c);
    VECTOR("ld1 {v0.2d}, [%2]", 0x0102030405060708, 0x090a0b0c0d0e0f10);
    VECTOR("ld1 {v0.4h}, [%2]", 0x0708050603040102, 0);
    VECTOR("ld2 {v0.4s, v1.4s}, [%2]", 0x090a0b0c01020304, 0x191a1b1c11121314);
    VECTOR("ld3 {v0.8h, v1.8h, v2.8h}, [%2]", 0x13140d0e07080102, 0x2b2c25261f20191a);
    VECTOR("ld4 {v0.2d, v1.2d, v2.2d, v3.2d}, [%2]", 0x0102030405060708, 0x2122232425262728);
    VECTOR("ld1 {v0.s}[1], [%2]", 0x0102030400000000, 0);
    VECTOR("ld1r {v0.4h}, [%2]", 0x0102010201020102, 0);
    VECTOR("ldr q0, [%2]\n str q0, [%2, #32]\n ldr x9, [%2, #32]\n fmov d0, x9", 0x0102030405060708, 0);
    VECTOR("ld1 {v0.8h}, [%2]\n st1 {v0.8h}, [%2]\n ldr q0, [%2]", 0x090a0b0c0d0e0f10, 0x0102030405060708);
    VECTOR("ld1 {v0.4s}, [%2]\n st1 {v0.s}[1], [%2]\n ldr d0, [%2]", 0x0506070805060708, 0);
    fill();
    VECTOR("ld3 {v0.4s, v1.4s, v2.4s}, [%2]\n st3 {v0.4s, v1.4s, v2.4s}, [%2]\n ldr q0, [%2, #32]", 0x292a2b2c2d2e2f30, 0x2122232425262728);
}

static volatile u64 handled, seen_x20, seen_address, seen_v8;
static void handler(int sig, void *info, void *context)
{
    u64 *regs = (u64 *)((u8 *)context + 176 + 8);
    u8 *fpsimd = (u8 *)context + 176 + 288;
    handled = (u64)sig;
    seen_x20 = regs[20];
    seen_address = *(u64 *)((u8 *)info + 16);
    CHECK(*(u32 *)fpsimd, 0x46508001);
    u64 *v8 = (u64 *)(fpsimd + 16 + 8 * 16); /* a number of 128 bits */
    seen_v8 = v8[1];
    v8[1] = 0x77;
    regs[20] = 0x99;
    regs[32] += 4;                      /* past the load */
}

static void system_calls(u64 *sp)
{
    u64 time[2], argc = sp[0], action[4] = { (u64)handler, 4 /* SA_SIGINFO */, 0, 0 }, x20, v8;
    int pipes[2];
    u8 st[128];
    u32 futex = 5;

    CHECK(argc, 1);
    CHECK(CALL(113, 0, time, 0, 0), 0);
    CHECK(time[0] > 1700000000 && time[0] < 5000000000, 1);
    CHECK(time[1] < 1000000000, 1);
    CHECK(CALL(59, pipes, 0, 0, 0), 0);
    CHECK(pipes[0] > 2 && pipes[0] < 1000, 1);
    CHECK(CALL(64, pipes[1], "abc", 3, 0), 3);
    struct { int fd; u16 events, got; } poll = { pipes[0], 1, 0 };
    CHECK(CALL(73, &poll, 1, 0, 0), 1);
    CHECK(poll.got, 1);
    CHECK(CALL(80, pipes[0], st, 0, 0), 0);
    CHECK(*(u32 *)(st + 16) >> 12, 1);  /* st_mode: a FIFO */
    CHECK(CALL(134, 11, action, 0, 8), 0);
    __asm__ volatile("mov x20, #0x1234\n mov x9, #0x4321\n fmov d8, x9\n mov x9, #0x10\n ldr x9, [x9]\n mov %0, x20\n fmov %1, d8"
                     : "=r"(x20), "=r"(v8) :: "x9", "x20", "v8", "memory");
    CHECK(handled, 11);
    CHECK(seen_x20, 0x1234);
    CHECK(seen_address, 0x10);
    CHECK(seen_v8, 0x4321);
    CHECK(x20, 0x99);
    CHECK(v8, 0x77);
    CHECK(CALL(98, &futex, 128, 6, 0), -11);       /* FUTEX_WAIT for another value: EAGAIN */
    time[0] = 0;
    time[1] = 1000000;
    CHECK(CALL(98, &futex, 128, 5, time), -110);   /* the right one: ETIMEDOUT */
}

void start(u64 *sp)
{
    plain();
    atomics();
    vectors();
    system_calls(sp);
    text(failures ? "failed\n" : "ok\n");
    CALL(94, failures != 0, 0, 0, 0);
}
