/*
 * rv32.c: riscv32 system calls without a C library: word-sized structures, 64-bit offsets in register pairs, time64,
 * signals, processes, the top of the address space. Status 0: all is well; each failure prints its line.
 */
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned char u8;

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;
    register long a7 __asm__("a7") = nr;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
    return a0;
}
#define C(nr, ...) C_(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define C_(nr, a, b, c, d, e, f, ...) call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static int bad;
static u32 length(const char *s)
{
    u32 n = 0;
    while (s[n]) {
        n++;
    }
    return n;
}

void *memcpy(void *d, const void *s, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++) {
        ((volatile u8 *)d)[i] = ((const u8 *)s)[i];
    }
    return d;
}

void *memset(void *d, int c, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++) {
        ((volatile u8 *)d)[i] = (u8)c;
    }
    return d;
}

static void fail(const char *what)
{
    bad++;
    C(64, 1, what, length(what));
    C(64, 1, "\n", 1);
}
#define CHECK(x) do { if (!(x)) fail(#x); } while (0)

static volatile u32 fault_addr, fault_sig, queued;

static void on_fault(int sig, u8 *info, u32 *uc)
{
    fault_sig = (u32)sig;
    fault_addr = *(u32 *)(info + 12);
    /* ucontext: flags, link, stack(3 words), mask in 128 bytes, registers aligned to 16: pc first */
    uc[(5 * 4 + 128 + 12) / 16 * 4] += 4;
}

static void on_queued(int sig, u8 *info, void *uc)
{
    (void)uc;
    queued = (u32)sig << 16 | *(u32 *)(info + 20);
}

struct sigaction32 { void *handler; u32 flags; u32 mask[2]; };

static void run(long *sp)
{
    char buf[512], name[] = "/tmp/rv32-test";
    CHECK(sp[0] == 2);
    CHECK(length((char *)sp[1]) > 0);
    /* uname: the machine is the fifth of 65 bytes */
    CHECK(C(160, buf) == 0);
    CHECK(buf[65 * 4] == 'r' && buf[65 * 4 + 5] == '3' && buf[65 * 4 + 6] == '2');
    /* time64 */
    u64 ts[2] = { 0, 0 };
    CHECK(C(403, 0, ts) == 0);
    CHECK((u32)ts[0] > 1600000000u && ts[1] < 1000000000u);
    ts[0] = 0;
    ts[1] = 1000;
    CHECK(C(407, 1, 0, ts, 0) == 0);
    /* files: 64-bit positions */
    long fd = C(56, -100, name, 0102 | 01000, 0600);
    CHECK(fd >= 0);
    CHECK(C(64, fd, "0123456789", 10) == 10);
    CHECK(C(68, fd, "high", 4, 0x10, 1) == 4);            /* pwrite64 at 0x100000010 */
    u64 result = 0;
    CHECK(C(62, fd, 0, 0, &result, 2) == 0);              /* _llseek to the end */
    CHECK(result == 0x100000014ull);
    CHECK(C(67, fd, buf, 4, 0x10, 1) == 4 && buf[0] == 'h');
    CHECK(C(46, fd, 10, 0) == 0);                         /* ftruncate64 */
    CHECK(C(62, fd, 0, 0, &result, 2) == 0 && result == 10);
    struct { void *p; u32 n; } iov[2] = { { buf, 3 }, { buf + 100, 20 } };
    CHECK(C(62, fd, 0, 0, &result, 0) == 0);
    CHECK(C(65, fd, iov, 2) == 10 && buf[0] == '0' && buf[100] == '3');
    u8 stx[256];
    CHECK(C(291, fd, "", 0x1000, 0x7ff, stx) == 0);
    CHECK(*(u64 *)(stx + 40) == 10);
    u8 fs[128];
    CHECK(C(44, fd, 84, fs) == 0 && *(u32 *)(fs + 4) > 0);
    /* directory positions fit 32 bits or are errors */
    long dir = C(56, -100, "/proc/self/fd", 0200000, 0);
    CHECK(dir >= 0);
    CHECK(C(61, dir, buf, sizeof(buf)) > 0);
    CHECK(C(35, -100, name, 0) == 0);
    /* memory: mmap2 counts 4096 bytes; the top of the space is the kernel's */
    long p = C(222, 0, 8192, 3, 0x22, -1, 0);
    CHECK((u32)p < 0xfffff000u);
    *(volatile int *)(p + 4096) = 5;
    CHECK(C(222, 0xf0000000u, 4096, 3, 0x32, -1, 0) == -12);
    long f = C(222, 0, 4096, 1, 2, fd, 0);
    CHECK((u32)f < 0xfffff000u && *(char *)f == '0');
    CHECK(C(215, p, 8192) == 0);
    CHECK(C(64, 1, p, 4) == -14);
    CHECK(C(64, 1, 0xfffffff0u, 64) == -14);
    /* faults */
    struct sigaction32 sa = { (void *)on_fault, 4, { 0, 0 } };
    CHECK(C(134, 11, &sa, 0, 8) == 0);
    __asm__ volatile(".option push\n.option norvc\nlw t0, 0(%0)\n.option pop" : : "r"(p + 16) : "t0", "memory");
    CHECK(fault_sig == 11 && fault_addr == (u32)p + 16);
    fault_sig = 0;
    __asm__ volatile(".option push\n.option norvc\nsw zero, -8(%0)\n.option pop" : : "r"(4) : "memory");
    CHECK(fault_sig == 11 && fault_addr == 0xfffffffcu);
    /* queued signal with a value: siginfo { signo, errno, code, pid, uid, value } */
    sa.handler = (void *)on_queued;
    CHECK(C(134, 40, &sa, 0, 8) == 0);
    u32 info[32] = { 40, 0, (u32)-1, 0, 0, 1234 };
    CHECK(C(138, C(172, 0), 40, info) == 0);
    CHECK(queued == (40u << 16 | 1234));
    /* processes: fork, waitid with siginfo and rusage in words */
    long pid = C(220, 17, 0, 0, 0, 0);
    if (pid == 0) {
        C(94, 7);
    }
    u32 ws[32] = { 0 };
    u32 ru[40] = { 0 };
    CHECK(C(95, 1, pid, ws, 4, ru) == 0);
    CHECK(ws[0] == 17 && ws[3] == (u32)pid && ws[5] == 7);
    CHECK(C(260, pid, 0, 0, 0) == -38);                   /* wait4 is not there */
    CHECK(C(113, 0, ts) == -38);                          /* nor the old clock_gettime */
    /* sysinfo: words */
    u32 si[32] = { 0 };
    CHECK(C(179, si) == 0 && si[4] != 0);
    u32 tv[4] = { 0, 0, 0, 200000 }, old[4];
    CHECK(C(103, 0, tv, 0) == 0);
    CHECK(C(102, 0, old) == 0 && old[3] > 0 && old[3] <= 200000);
    tv[3] = 0;
    CHECK(C(103, 0, tv, 0) == 0);
    /* sockets: msghdr and control messages in words */
    int sv[2];
    CHECK(C(199, 1, 1, 0, sv) == 0);
    u32 control[4] = { 16, 1, 1, (u32)fd };
    iov[0].p = "x";
    iov[0].n = 1;
    u32 mh[7] = { 0, 0, (u32)iov, 1, (u32)control, 16, 0 };
    CHECK(C(211, sv[0], mh, 0) == 1);
    control[3] = 0;
    iov[0].p = buf;
    mh[5] = 16;
    CHECK(C(212, sv[1], mh, 0) == 1);
    CHECK(mh[5] == 16 && control[0] == 16 && control[1] == 1 && control[2] == 1 && (int)control[3] > 2);
    u64 ev[4];
    long ep = C(20, 0);
    ev[0] = 1;
    ev[1] = 0x1122334455667788ull;
    CHECK(C(21, ep, 1, sv[1], ev) == 0);
    CHECK(C(64, sv[0], "y", 1) == 1);
    ev[1] = 0;
    CHECK(C(22, ep, ev, 1, 100, 0, 8) == 1 && ev[1] == 0x1122334455667788ull);
    C(94, bad);
}

__attribute__((naked, used, noreturn)) void _start(void)
{
    __asm__ volatile(".option push\n.option norelax\nla gp, __global_pointer$\n.option pop\nmv a0, sp\nandi sp, sp, -16\n"
                     "call start_c");
}

__attribute__((used)) void start_c(long *sp)
{
    run(sp);
}
