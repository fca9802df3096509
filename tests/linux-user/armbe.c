/* armbe.c: big-endian 32-bit Arm without a C library (armbe.py): accesses of every width by general and vector registers, exclusive ones, SETEND,
 * structures of system calls, a signal's frame. Ends with the number of the check that failed, 0 if none did. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

static long sys(long n, long a, long b, long c, long d)
{
    register long r0 __asm__("r0") = a, r1 __asm__("r1") = b, r2 __asm__("r2") = c, r3 __asm__("r3") = d, r7 __asm__("r7") = n;
    __asm__ volatile("svc 0" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3), "r"(r7) : "memory");
    return r0;
}
enum { EXIT = 1, WRITE = 4, GETPID = 20, KILL = 37, UNAME = 122, SIGACTION = 174, FSTAT64 = 197, GETTIME = 263 };
#define CHECK(n, ok) do { if (!(ok)) sys(EXIT, n, 0, 0, 0); } while (0)

static volatile u32 signalled;
static u8 bytes[32] __attribute__((aligned(8))) = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x01,
                                                    2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17 };

struct action { void (*handler)(int, u32 *, u32 *); u32 flags; void *restorer; u32 mask[2]; };
static void handler(int number, u32 *info, u32 *context)
{
    volatile u32 word = 0x01020304;
    signalled = number == 10 && info[0] == 10 && *(volatile u8 *)&word == 1 && context[20 / 4 + 3 + 16] & 0x200; /* CPSR.E */
}

int __attribute__((used)) begin(void)
{
    u32 w, h, lo, hi;
    __asm__ volatile("ldr %0, [%2]\n ldrh %1, [%2]" : "=&r"(w), "=&r"(h) : "r"(bytes) : "memory");
    CHECK(1, w == 0x11223344 && h == 0x1122);
    __asm__ volatile("ldmia %2, {r4, r5}\n mov %0, r4\n mov %1, r5" : "=&r"(lo), "=&r"(hi) : "r"(bytes) : "r4", "r5", "memory");
    CHECK(2, lo == 0x11223344 && hi == 0x55667788);
    __asm__ volatile("ldrd r4, [%2]\n mov %0, r4\n mov %1, r5" : "=&r"(lo), "=&r"(hi) : "r"(bytes) : "r4", "r5", "memory");
    CHECK(3, lo == 0x11223344 && hi == 0x55667788);
    *(volatile unsigned short *)(bytes + 20) = 0x1234;
    CHECK(4, bytes[20] == 0x12 && bytes[21] == 0x34);
#if __ARM_ARCH >= 7
    __asm__ volatile("ldrexd r4, r5, [%2]\n clrex\n mov %0, r4\n mov %1, r5" : "=&r"(lo), "=&r"(hi) : "r"(bytes) : "r4", "r5", "memory");
    CHECK(5, lo == 0x11223344 && hi == 0x55667788);
    __asm__ volatile("1: ldrexd r4, r5, [%0]\n add r5, r5, #1\n strexd r6, r4, r5, [%0]\n cmp r6, #0\n bne 1b" : : "r"(bytes) : "r4", "r5", "r6", "cc", "memory");
    CHECK(6, bytes[7] == 0x89 && bytes[0] == 0x11);
    bytes[7] = 0x88;
    /* a double is one number of eight bytes; its low word is at the higher address */
    __asm__ volatile("vldr d0, [%2]\n vmov %0, %1, d0" : "=&r"(lo), "=&r"(hi) : "r"(bytes) : "d0", "memory");
    CHECK(7, lo == 0x55667788 && hi == 0x11223344);
    __asm__ volatile("vldmia %2, {s0, s1}\n vmov %0, s0\n vmov %1, s1" : "=&r"(lo), "=&r"(hi) : "r"(bytes) : "d0", "memory");
    CHECK(8, lo == 0x11223344 && hi == 0x55667788);
    /* elements change their bytes, not their order */
    __asm__ volatile(".fpu neon\n vld1.16 {d0}, [%2]\n vmov %0, %1, d0" : "=&r"(lo), "=&r"(hi) : "r"(bytes) : "d0", "memory");
    CHECK(9, lo == 0x33441122 && hi == 0x77885566);
    __asm__ volatile("vld1.32 {d0[1]}, [%1]\n vmov.32 %0, d0[1]" : "=r"(hi) : "r"(bytes) : "d0", "memory");
    CHECK(11, hi == 0x11223344);
    __asm__ volatile("vld1.32 {d0}, [%0]\n vst1.32 {d0}, [%1]" : : "r"(bytes), "r"(bytes + 24) : "d0", "memory");
    CHECK(12, bytes[24] == 0x11 && bytes[31] == 0x88);
    __asm__ volatile("setend le\n ldr %0, [%1]\n setend be" : "=r"(w) : "r"(bytes) : "memory");
    CHECK(13, w == 0x44332211);
    __asm__ volatile("mrs %0, cpsr" : "=r"(w));
    CHECK(14, w & 0x200);
#endif
    struct action act = { handler, 4, 0, { 0, 0 } };
    CHECK(20, sys(SIGACTION, 10, (long)&act, 0, 8) == 0);
    CHECK(21, sys(KILL, sys(GETPID, 0, 0, 0, 0), 10, 0, 0) == 0 && signalled);
    static u8 names[6 * 65];
    CHECK(22, sys(UNAME, (long)names, 0, 0, 0) == 0 && names[4 * 65] == 'a' && names[4 * 65 + 3] == 'v' && names[0] == 'L');
    static u32 time[2];
    CHECK(23, sys(GETTIME, 0, (long)time, 0, 0) == 0 && time[0] > 1600000000 && time[1] < 1000000000);
    static u64 status[13];
    CHECK(24, sys(FSTAT64, 0, (long)status, 0, 0) == 0);
    sys(WRITE, 1, (long)"ok\n", 3, 0);
    return 0;
}
__asm__(".globl _start\n.arm\n_start: bl begin\n mov r7, #1\n svc 0\n");
