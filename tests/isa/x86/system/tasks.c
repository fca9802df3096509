/* tasks.c: task switches by JMP, CALL, IRET and a task gate, with 32- and 16-bit TSS, and what they leave behind (SDM 8). */
#include "test32.h"

enum { T = T0, T2 = T0 + 8, L = T0 + 16, S = T0 + 24 };
static Tss other;
typedef struct Tss16 { u16 link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt; } Tss16;
static Tss16 small;
static u32 log_[16];
static u32 n_log;

static void note(u32 v) { log_[n_log++ & 15] = v; }

static u32 flags_now(void) { u32 f; ASM("pushfl; popl %0" : "=r"(f)); return f; }
static u32 cr0_now(void) { u32 v; ASM("movl %%cr0, %0" : "=r"(v)); return v; }
static u32 task_now(void) { u32 v; ASM("str %0" : "=r"(v)); return v & 0xffff; }
static u8 access_of(u16 sel) { return (u8)(gdt[sel >> 3] >> 40); }
static void clts(void) { ASM("clts"); }

static void prepare(void (*fn)(void))
{
    for (unsigned i = 0; i < 0x68; i++) {
        ((u8 *)&other)[i] = 0;
    }
    other.eip = (u32)fn;
    other.eflags = 2;
    other.esp = 0x70000;
    other.cs = CODE0;
    other.ss = other.ds = other.es = other.fs = other.gs = DATA0;
    other.eax = 0xa1;
    other.ebx = 0xb1;
    gdt_set(T, segment((u32)&other, 0x67, 0x89, 0));
    n_log = 0;
}

#define JMP_TASK(sel) ASM("ljmp %0, $0" : : "i"(sel) : "eax", "ebx", "ecx", "edx", "esi", "edi", "memory")
#define CALL_TASK(sel) ASM("lcall %0, $0" : : "i"(sel) : "memory")

static void by_jmp(void)
{
    u32 a, b;
    ASM("movl %%eax, %0; movl %%ebx, %1" : "=m"(a), "=m"(b) : : "memory");
    note(a);
    note(b);
    note(task_now());
    note(cr0_now() & 8);
    note(flags_now() & 0x4000);
    note(access_of(TSS));
    note(access_of(T));
    clts();
    JMP_TASK(TSS);
    note(0x77); /* the second time, here */
    JMP_TASK(TSS);
}

static void test_jmp(void)
{
    prepare(by_jmp);
    ASM("movl $0x55, %%ecx; stc; ljmp %1, $0; movl %%ecx, %0" : "=m"(log_[10]) : "i"(T) : "eax", "ebx", "ecx", "edx", "esi", "edi", "cc", "memory");
    CHECK_EQ(log_[2], T);
    CHECK_EQ(log_[3], 8); /* TS */
    CHECK_EQ(log_[4], 0); /* no NT */
    CHECK_EQ(log_[5], 0x89);
    CHECK_EQ(log_[6], 0x8b);
    CHECK_EQ(log_[10], 0x55);
    CHECK_EQ(task_now(), TSS);
    CHECK_EQ(access_of(TSS), 0x8b);
    CHECK_EQ(access_of(T), 0x89);
    CHECK_EQ(cr0_now() & 8, 8);
    CHECK_EQ(other.link, 0);
    CHECK(other.eip > (u32)by_jmp && other.eip < (u32)by_jmp + 512);
    clts();
    JMP_TASK(T); /* goes on where it jumped */
    CHECK_EQ(log_[7], 0x77);
    clts();
}

static void by_call(void)
{
    for (;;) {
        note(flags_now() & 0x4000);
        note(access_of(TSS));
        note(other.link & 0xffff);
        clts();
        ASM("iret");
    }
}

static void test_call(void)
{
    prepare(by_call);
    CALL_TASK(T);
    CHECK_EQ(log_[0], 0x4000);
    CHECK_EQ(log_[1], 0x8b);
    CHECK_EQ(log_[2], TSS);
    CHECK_EQ(task_now(), TSS);
    CHECK_EQ(access_of(T), 0x89);
    CHECK_EQ(flags_now() & 0x4000, 0);
    CHECK_EQ(other.eflags & 0x4000, 0); /* cleared in the image by IRET */
    clts();
    /* Through a task gate, also as an interrupt. */
    gdt_set(T2, gate(T, 0, 0x85, 0));
    CALL_TASK(T2);
    CHECK_EQ(log_[3], 0x4000);
    clts();
    u64 old = idt[0x50];
    idt[0x50] = gate(T, 0, 0x85, 0);
    ASM("int $0x50" : : : "memory");
    CHECK_EQ(log_[6], 0x4000);
    idt[0x50] = old;
    clts();
}

static void test_16(void)
{
    small = (Tss16){ 0 };
    gdt_set(T, segment((u32)&small, 0x2b, 0x81, 0));
    ASM(".pushsection .text.in16, \"ax\"; .globl in_16; in_16: movl $0x1616, log_16; clts; iret; .popsection");
    extern void in_16(void);
    extern u32 log_16;
    gdt_set(S, segment(0xf0000, 0xffff, 0x9b, 0x40));
    small.cs = S;
    small.ip = (u16)(u32)in_16;
    small.flags = 2;
    small.ss = small.ds = small.es = DATA0;
    small.sp = 0x7000;
    log_16 = 0;
    CALL_TASK(T);
    CHECK_EQ(log_16, 0x1616);
    CHECK_EQ(small.link, TSS);
    CHECK_EQ(task_now(), TSS);
    clts();
}
u32 log_16;

static void faults(void)
{
    prepare(by_call);
    TRAP3(13, T, CALL_TASK(T)); /* DPL */
    gdt_set(T, segment((u32)&other, 0x66, 0x89, 0));
    TRAP0(10, T, CALL_TASK(T)); /* too small */
    gdt_set(T, segment((u32)&other, 0x67, 0x09, 0));
    TRAP0(11, T, CALL_TASK(T));
    gdt_set(T, segment((u32)&other, 0x67, 0x8b, 0));
    TRAP0(13, T, CALL_TASK(T));
    /* What is found in the new task is its own. (Before SS is loaded there would be no stack for the handler.) */
    prepare(by_call);
    other.es = 0xfff8;
    TRAP0(10, 0xfff8, CALL_TASK(T));
    ASM("pushfl; andl $~0x4000, (%%esp); popfl" : : : "memory", "cc");
    gdt_set(TSS, segment((u32)&tss, sizeof(tss) - 1, 0x89, 0));
    ASM("ltr %w0; clts" : : "r"(TSS));
    /* NT with no task to go back to. */
    tss.link = 0;
    TRAP0(10, 0, ASM("pushfl; orl $0x4000, (%%esp); popfl; iret" : : : "memory", "cc"));
    ASM("pushfl; andl $~0x4000, (%%esp); popfl" : : : "memory", "cc");
}

void test_tasks(void)
{
    test_jmp();
    test_call();
    test_16();
    faults();
}
