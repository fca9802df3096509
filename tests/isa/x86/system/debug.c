/* debug.c: single steps, code and data breakpoints, general detect, RF, what delays them (SDM 18.2, 18.3). */
#include "test32.h"

static volatile u32 ips[64], dr6s[64];
static volatile u32 n;
static bool keep_tf, keep_rf;

static u32 dr6(void) { u32 v; ASM("movl %%dr6, %0" : "=r"(v)); return v; }
static void dr6_clear(void) { ASM("movl %0, %%dr6" : : "r"(0)); }
static void dr7(u32 v) { ASM("movl %0, %%dr7" : : "r"(v)); }
static u32 dr7_get(void) { u32 v; ASM("movl %%dr7, %0" : "=r"(v)); return v; }

static bool record(Frame *f)
{
    if (f->vector != 1) {
        return false;
    }
    ips[n & 63] = f->eip;
    dr6s[n & 63] = dr6();
    n++;
    dr6_clear();
    if (!keep_tf) {
        f->eflags &= ~0x100u;
    }
    if (keep_rf) {
        f->eflags |= 0x10000;
    }
    return true;
}

static void steps(void)
{
    u32 a, b;
    on_trap = record;
    keep_tf = true;
    keep_rf = false;
    n = 0;
    dr6_clear();
    ASM("pushfl; orl $0x100, (%%esp); popfl; nop; 1: incl %%eax; 2: pushfl; andl $~0x100, (%%esp); popfl; nop; movl $1b, %0; movl $2b, %1"
        : "=&r"(a), "=&r"(b) : : "eax", "memory", "cc");
    CHECK_EQ(n, 5); /* nop, inc, pushf, and, popf */
    CHECK_EQ(ips[0], a);
    CHECK_EQ(ips[1], b);
    CHECK_EQ(dr6s[0] & 0xe00f, 0x4000);
    /* MOV SS delays, INT n ends it. */
    n = 0;
    ASM("movl %%ss, %%ecx; pushfl; orl $0x100, (%%esp); popfl; movl %%ecx, %%ss; nop; 1: pushfl; andl $~0x100, (%%esp); popfl; nop; movl $1b, %0"
        : "=&r"(a) : : "ecx", "memory", "cc");
    CHECK_EQ(n, 4); /* after the nop, pushf, and, popf */
    CHECK_EQ(ips[0], a);
}

static void code_breakpoints(void)
{
    u32 at;
    n = 0;
    keep_tf = false;
    keep_rf = true;
    dr6_clear();
    ASM("movl $1f, %0; movl %0, %%dr1; movl $0x408, %%eax; movl %%eax, %%dr7; nop; 1: incl %%ecx; nop; xorl %%eax, %%eax; movl %%eax, %%dr7"
        : "=&r"(at) : : "eax", "ecx", "memory", "cc");
    CHECK_EQ(n, 1);
    CHECK_EQ(ips[0], at); /* a fault: before the instruction; RF let it go on */
    CHECK_EQ(dr6s[0] & 0xe00f, 2);
}

static void data_breakpoints(void)
{
    static u32 cell[4];
    u32 at, at2;
    n = 0;
    ASM("movl %0, %%dr0" : : "r"(&cell[1]));
    dr7(1 | 1 << 16 | 3 << 18); /* writes, 4 bytes */
    ASM("movl %1, %%eax; nop; movl %%eax, %1; 1: nop; movl $1b, %0" : "=&r"(at) : "m"(cell[1]) : "eax", "memory");
    CHECK_EQ(n, 1); /* a trap: behind the write */
    CHECK_EQ(ips[0], at);
    CHECK_EQ(dr6s[0] & 0xe00f, 1);
    n = 0;
    ASM("movb %%al, %0" : : "m"(((u8 *)cell)[7]) : "memory");
    CHECK_EQ(n, 1);
    ASM("movb %%al, %0" : : "m"(((u8 *)cell)[8]) : "memory");
    CHECK_EQ(n, 1);
    dr7(1 | 3 << 16 | 3 << 18); /* reads and writes */
    n = 0;
    ASM("movl %1, %%eax; 1: nop; pushl %1; 2: popl %%eax; movl $1b, %0; movl $2b, %2" : "=&r"(at) : "m"(cell[1]), "m"(at2) : "eax", "memory");
    CHECK_EQ(n, 2);
    CHECK_EQ(ips[0], at);
    dr7(0);
}

/* What MOV SS holds off outlives INT n and INT3, as a trap at the handler's first instruction; INT1 is that trap already. */
static void held_off(void)
{
    static u32 cell;
    static volatile u32 n_soft;
    u32 first;
    bool both(Frame *f)
    {
        n_soft += f->vector == 3 || f->vector == 0x41;
        return f->vector == 3 || f->vector == 0x41 || record(f);
    }
    ASM("movl %%ss, %0" : "=r"(cell));
    on_trap = both;
    keep_tf = keep_rf = false;
    ASM("movl %0, %%dr0" : : "r"(&cell));
    dr7(1 | 3 << 16 | 3 << 18);
    n = n_soft = 0;
    ASM("mov %0, %%ss; nop" : : "m"(cell));
    CHECK_EQ(n, 1);
    first = ips[0];
    n = 0;
    ASM("mov %0, %%ss; int3" : : "m"(cell));
    CHECK_EQ(n, 1);
    CHECK_EQ(n_soft, 1);
    CHECK(ips[0] < first - 64 || ips[0] > first + 64); /* in the handler */
    CHECK_EQ(dr6s[0] & 0xe00f, 1);
    n = 0;
    ASM("mov %0, %%ss; int $0x41" : : "m"(cell));
    CHECK_EQ(n, 1);
    CHECK_EQ(n_soft, 2);
    n = 0;
    ASM("mov %0, %%ss; .byte 0xf1" : : "m"(cell));
    CHECK_EQ(n, 1);
    dr7(0);
    /* B0 to B3 are of the last exception, BS stays. */
    n = 0;
    keep_rf = true;
    ASM("movl $0x4002, %%eax; movl %%eax, %%dr6; movl $1f, %%eax; movl %%eax, %%dr2; movl $0x420, %%eax; movl %%eax, %%dr7; 1: nop; xorl %%eax, %%eax; movl %%eax, %%dr7"
        : : : "eax", "memory");
    CHECK_EQ(n, 1);
    CHECK_EQ(dr6s[0] & 0xe00f, 0x4004);
    on_trap = record;
}

static void registers(void)
{
    dr6_clear();
    CHECK_EQ(dr6(), 0xffff0ff0);
    dr7(0);
    CHECK_EQ(dr7_get(), 0x400);
    u32 v;
    ASM("movl %%dr4, %0" : "=r"(v)); /* DR6, as CR4.DE is 0 */
    CHECK_EQ(v, 0xffff0ff0);
    ASM("movl %%cr4, %%eax; orl $8, %%eax; movl %%eax, %%cr4" : : : "eax");
    on_trap = NULL;
    TRAP0(6, 0, ASM("movl %%dr4, %%eax" : : : "eax"));
    ASM("movl %%cr4, %%eax; andl $~8, %%eax; movl %%eax, %%cr4" : : : "eax");
    dr7(1 << 13);
    on_trap = record;
    n = 0;
    void gd(void) { ASM("movl %%dr0, %%eax" : : : "eax"); }
    /* General detect faults; the handler finds GD off and the instruction works then. */
    gd();
    CHECK_EQ(n, 1);
    CHECK_EQ(dr6s[0] & 0xe00f, 0x2000);
    CHECK_EQ(dr7_get() & 1 << 13, 0);
    n = 0;
    ASM(".byte 0xf1");
    CHECK_EQ(n, 1); /* INT1 */
    on_trap = NULL;
}

void test_debug(void)
{
    steps();
    code_breakpoints();
    data_breakpoints();
    held_off();
    registers();
}
