/* vm86.c: virtual-8086 mode: entry by IRET, traps, IOPL, segments, with and without VME (SDM 21.2, 21.3). */
#include "test32.h"

/* 8086 code at 5000:0000. It ends with INT 40h or a trap. */
enum { SEG = 0x5000 };
static u8 *const code = (u8 *)(SEG << 4);

static void run(const u8 *bytes, unsigned n, u32 flags)
{
    for (unsigned i = 0; i < n; i++) {
        code[i] = bytes[i];
    }
    code[n] = 0xf4; /* HLT: #GP */
    static u32 frame[9];
    frame[0] = 0;
    frame[1] = SEG;
    frame[2] = flags | 0x20002;
    frame[3] = 0xfff0;
    frame[4] = 0x6000; /* SS ES DS FS GS */
    frame[5] = 0x7000;
    frame[6] = 0x7100;
    frame[7] = 0x7200;
    frame[8] = 0x7300;
    void go(void) { ASM("movl %0, %%esp; iret" : : "r"(frame) : "memory"); }
    try0(go);
}
#define RUN(flags, ...) do { static const u8 b_[] = { __VA_ARGS__ }; run(b_, sizeof(b_), flags); } while (0)
enum { IOPL3 = 0x3000 };

static void basics(void)
{
    RUN(IOPL3, 0x90);
    CHECK_EQ(caught.vector, 13);
    CHECK_EQ(caught.cs, SEG);
    CHECK_EQ(caught.eip, 1);
    CHECK_EQ(caught.eflags & 0x23000, 0x23000);
    CHECK_EQ(caught.ss, 0x6000);
    CHECK_EQ(caught.esp & 0xffff, 0xfff0);
    RUN(IOPL3, 0x8c, 0xd8, 0x26, 0xa3, 0x10, 0x00, 0x8c, 0xe0, 0xa3, 0x12, 0x00, 0xcd, 0x40); /* mov ax, ds; mov es:[10], ax; mov ax, fs; mov [12], ax */
    CHECK_EQ(caught.vector, (u32)-1);
    CHECK_EQ(*(u16 *)0x70010, 0x7100);
    CHECK_EQ(*(u16 *)0x71012, 0x7200);
    RUN(IOPL3, 0xb8, 0x34, 0x12, 0x8e, 0xd8, 0xc6, 0x06, 0x05, 0x00, 0x99, 0xcd, 0x40); /* mov ax, 1234; mov ds, ax; mov byte [5], 99 */
    CHECK_EQ(*(u8 *)0x12345, 0x99);
    RUN(IOPL3, 0xa1, 0xff, 0xff, 0xcd, 0x40); /* mov ax, [ffff]: over the limit */
    check_trap(13, 0, __FILE__, __LINE__);
    RUN(IOPL3, 0x0f, 0x00, 0xd8); /* ltr ax */
    check_trap(6, 0, __FILE__, __LINE__);
    RUN(IOPL3, 0x0f, 0x20, 0xc0); /* mov eax, cr0 */
    check_trap(13, 0, __FILE__, __LINE__);
}

static void iopl(void)
{
    static const u8 sensitive[][2] = { { 0xfa, 0x90 }, { 0xfb, 0x90 }, { 0x9c, 0x58 }, { 0x9d, 0x90 }, { 0xcf, 0x90 }, { 0xcd, 0x21 } };
    for (unsigned i = 0; i < 6; i++) {
        run(sensitive[i], 2, 0);
        CHECK_EQ(caught.eip, 0);
        check_trap(13, 0, __FILE__, (int)(1000 + i));
    }
    RUN(IOPL3, 0xfa, 0xfb, 0x9c, 0x58, 0xfa, 0xcd, 0x40); /* cli sti pushf pop ax cli */
    check_trap(-1, 0, __FILE__, __LINE__);
    RUN(IOPL3, 0xcd, 0x21);
    check_trap(13, 0x21 * 8 + 2, __FILE__, __LINE__); /* the gate's DPL is 0 */
    RUN(IOPL3, 0xcc);
    CHECK_EQ(caught.vector, 3);
    RUN(0, 0xcc);
    CHECK_EQ(caught.vector, 3); /* not IOPL-sensitive */
    RUN(IOPL3, 0xe4, 0x80);
    check_trap(13, 0, __FILE__, __LINE__); /* the bitmap counts, IOPL does not */
    tss.io[0x10] = 0xfe;
    RUN(IOPL3, 0xe4, 0x80, 0xcd, 0x40);
    check_trap(-1, 0, __FILE__, __LINE__);
    tss.io[0x10] = 0xff;
}

/* With operands of 32 bits, by the bitmap's end, and to handlers that an 8086 program may not enter (SDM 6.12.1, 21.3.3.1). */
static void iopl_more(void)
{
    static const u8 sensitive[][3] = { { 0x66, 0x9c, 0x90 }, { 0x66, 0x9d, 0x90 }, { 0x66, 0xcf, 0x90 } };
    for (unsigned i = 0; i < 3; i++) {
        run(sensitive[i], 3, 0);
        CHECK_EQ(caught.eip, 0);
        check_trap(13, 0, __FILE__, (int)(2000 + i));
    }
    RUN(0, 0xf4);
    CHECK_EQ(caught.eip, 0);
    check_trap(13, 0, __FILE__, __LINE__);
    RUN(IOPL3, 0x66, 0x9c, 0x66, 0x9d, 0xcd, 0x40); /* pushfd; popfd */
    check_trap(-1, 0, __FILE__, __LINE__);
    u16 map = tss.map;
    tss.io[0x10] = 0;
    tss.map = sizeof(tss) - 0x10; /* port 80h is beyond the segment */
    RUN(IOPL3, 0xe4, 0x80);
    check_trap(13, 0, __FILE__, __LINE__);
    tss.map = map;
    tss.io[0x10] = 0xff;
    /* Of another level than 0, or conforming: #GP of the segment. */
    u64 old = idt[0x50];
    idt[0x50] = gate(CODE3, 0, 0xee, 0);
    RUN(IOPL3, 0xcd, 0x50);
    CHECK_EQ(caught.eip, 0);
    check_trap(13, CODE3 & ~3, __FILE__, __LINE__);
    gdt_set(T0, segment(0, 0xfffff, 0x9f, 0xc0));
    idt[0x50] = gate(T0, 0, 0xee, 0);
    RUN(IOPL3, 0xcd, 0x50);
    check_trap(13, T0, __FILE__, __LINE__);
    gdt_set(T0, segment(0, 0xfffff, 0xbb, 0xc0));
    idt[0x50] = gate(T0 | 1, 0, 0xee, 0);
    RUN(IOPL3, 0xcd, 0x50);
    check_trap(13, T0, __FILE__, __LINE__);
    idt[0x50] = old;
}

static void near_real(void)
{
    /* call far 5000:0008; int 40; nop; retf */
    RUN(IOPL3, 0x9a, 0x08, 0x00, 0x00, 0x50, 0xcd, 0x40, 0x90, 0xb8, 0x77, 0x00, 0xa3, 0x00, 0x00, 0xcb);
    check_trap(-1, 0, __FILE__, __LINE__);
    CHECK_EQ(*(u16 *)0x71000, 0x77);
    /* pushf; push cs; push 9; iret -> int 40 */
    RUN(IOPL3, 0x9c, 0x0e, 0x6a, 0x09, 0xcf, 0x90, 0x90, 0x90, 0xf4, 0xcd, 0x40);
    check_trap(-1, 0, __FILE__, __LINE__);
}

static void vme(void)
{
    u32 a = 1, b, c, d;
    ASM("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    if (!(d & 2)) {
        return;
    }
    ASM("movl %%cr4, %%eax; orl $1, %%eax; movl %%eax, %%cr4" : : : "eax");
    /* INT 21h stays in the 8086 program: its handler at 5000:0010 in the vector table. */
    u32 *ivt = 0;
    ASM("" : "+r"(ivt));
    u32 old = ivt[0x21];
    ivt[0x21] = SEG << 16 | 0x10;
    for (unsigned i = 0; i < 32; i++) {
        tss.redirect[i] = 0xff;
    }
    tss.redirect[4] = 0xfd;
    /* int 21; mov [2], ax; int 40 … 10: mov ax, 55; iret */
    RUN(0, 0xcd, 0x21, 0xa3, 0x02, 0x00, 0xcd, 0x40, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xb8, 0x55, 0x00, 0xcf);
    CHECK_EQ(caught.vector, 13); /* INT 40h is not redirected, and IOPL is 0 */
    CHECK_EQ(caught.eip, 5);
    CHECK_EQ(*(u16 *)0x71002, 0x55);
    /* CLI and STI work on VIF. */
    RUN(0x80000, 0xfa, 0x9c, 0x58, 0xa3, 0x04, 0x00, 0xfb, 0x9c, 0x58, 0xa3, 0x06, 0x00);
    CHECK_EQ(*(u16 *)0x71004 & 0x3200, 0x3000);
    CHECK_EQ(*(u16 *)0x71006 & 0x3200, 0x3200);
    CHECK_EQ(caught.eflags & 0x80000, 0x80000);
    RUN(0x100000, 0xfb); /* STI with VIP */
    CHECK_EQ(caught.eip, 0);
    check_trap(13, 0, __FILE__, __LINE__);
    ivt[0x21] = old;
    ASM("movl %%cr4, %%eax; andl $~1, %%eax; movl %%eax, %%cr4" : : : "eax");
}

void test_vm86(void)
{
    basics();
    iopl();
    iopl_more();
    near_real();
    vme();
}
