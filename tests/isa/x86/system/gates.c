/* gates.c: far JMP, CALL and RET, call gates with a stack switch and parameters (SDM 6.8). */
#include "test32.h"

enum { G = T0, C = T0 + 8, S = T0 + 16 };

static u32 far_ip;
static u16 far_sel;
#define FAR() struct { u32 ip; u16 sel; } __attribute__((packed)) far_ = { far_ip, far_sel }

static void jmp_to(void) { FAR(); ASM("ljmp *%0" : : "m"(far_)); }
static void call_to(void) { FAR(); ASM("lcall *%0" : : "m"(far_)); }

static void expect(void (*fn)(void), bool level3, u16 sel, u32 ip, int vector, u32 error, int line)
{
    far_sel = sel;
    far_ip = ip;
    if (level3) {
        try3(fn);
    } else {
        try0(fn);
    }
    check_trap(vector, error, __FILE__, line);
}
#define JMP0(sel, vector, error) expect(jmp_to, false, sel, (u32)land, vector, error, __LINE__)
#define JMP3(sel, vector, error) expect(jmp_to, true, sel, (u32)land, vector, error, __LINE__)
#define CALL0(sel, vector, error) expect(call_to, false, sel, (u32)far_return, vector, error, __LINE__)
#define CALL3(sel, vector, error) expect(call_to, true, sel, (u32)far_return, vector, error, __LINE__)

/* Far targets: UD2 shows where a jump went, RETF comes back. */
void land(void);
void far_return(void);
void gate_target(void);
extern u32 seen[10];
__asm__(".globl land, far_return, gate_target\n"
    "land: ud2\n"
    "far_return: lret\n"
    /* What a gate's target sees: its stack and level. */
    "gate_target: movl %esp, seen; movw %cs, seen+4; movw %ss, seen+8\n"
    "pushl %eax; movl 4(%esp), %eax; movl %eax, seen+12; movl 8(%esp), %eax; movl %eax, seen+16; movl 12(%esp), %eax; movl %eax, seen+20\n"
    "movl 16(%esp), %eax; movl %eax, seen+24; movl 20(%esp), %eax; movl %eax, seen+28; movl 24(%esp), %eax; movl %eax, seen+32; popl %eax\n"
    "lret $8\n");
u32 seen[10];

static void direct(void)
{
    JMP0(CODE0, 6, 0);
    JMP0(0, 13, 0);
    JMP0(3, 13, 0);
    JMP0(DATA0, 13, DATA0);
    JMP0(0xfff8, 13, 0xfff8);
    JMP0(CODE3 & ~3, 13, CODE3 & ~3); /* DPL is not CPL */
    JMP3(CODE0, 13, CODE0);
    JMP3(CODE3, 6, 0);
    gdt_set(C, segment(0, 0xfffff, 0x1b, 0xc0));
    JMP0(C, 11, C);
    gdt_set(C, segment(0, 0xfffff, 0x9f, 0xc0)); /* conforming: level stays */
    JMP3(C, 6, 0);
    far_sel = C;
    far_ip = (u32)land;
    try3(jmp_to);
    CHECK_EQ(caught.cs, C | 3);
    caught.vector = -1;
    gdt_set(C, segment(0, 0xfff, 0x9b, 0x40)); /* limit */
    JMP0(C, 13, 0);
    gdt_set(C, segment(0, 0xfffff, 0x98, 0xc0));
    JMP0(C, 6, 0);
    CHECK_EQ((u32)(gdt[C >> 3] >> 40 & 0xff), 0x99); /* accessed */
    CALL0(CODE0, -1, 0);
    CALL3(CODE3, -1, 0);
    CALL3(CODE0, 13, CODE0);
}

static void bad_gates(void)
{
    gdt_set(G, gate(CODE0, (u32)far_return, 0x8c, 0));
    CALL0(G, -1, 0);
    CALL3(G, 13, G); /* DPL of the gate */
    gdt_set(G, gate(CODE0, (u32)far_return, 0xec, 0));
    CALL3(G | 3, -1, 0);
    JMP3(G | 3, 13, CODE0); /* a jump goes nowhere inner */
    gdt_set(G, gate(CODE0, (u32)far_return, 0x6c, 0));
    CALL3(G, 11, G);
    gdt_set(G, gate(0, (u32)far_return, 0xec, 0));
    CALL3(G, 13, 0);
    gdt_set(G, gate(DATA0, (u32)far_return, 0xec, 0));
    CALL3(G, 13, DATA0);
    gdt_set(G, gate(C, (u32)far_return, 0xec, 0));
    gdt_set(C, segment(0, 0xfffff, 0x1b, 0xc0));
    CALL3(G, 11, C);
    gdt_set(C, segment(0, 0xfff, 0x9b, 0x40));
    CALL3(G, 13, 0); /* entry beyond the limit */
    gdt_set(G, gate(CODE0, (u32)far_return, 0xe9, 0)); /* not a gate: a TSS of no use */
    gdt_set(G, segment(0, 0x10, 0xe9, 0));
    CALL3(G, 10, G);
    gdt_set(G, segment(0, 0x67, 0xeb, 0));
    CALL3(G, 13, G); /* busy */
}

static struct { u32 ip; u16 sel; } __attribute__((packed)) far_pointer;

static void pushes_params(void)
{
    far_pointer.sel = far_sel;
    ASM("pushl $0x1111; pushl $0x2222; movl %%esp, seen+36; lcall *%0" : : "m"(far_pointer) : "memory");
}

static void inner(void)
{
    tss.esp0 = 0x88000;
    gdt_set(G, gate(CODE0, (u32)gate_target, 0xec, 2));
    far_sel = G;
    far_ip = 0;
    try3(pushes_params);
    check_trap(-1, 0, __FILE__, __LINE__);
    CHECK_EQ(seen[0], 0x88000 - 24);
    CHECK_EQ(seen[1] & 0xffff, CODE0);
    CHECK_EQ(seen[2] & 0xffff, DATA0);
    CHECK_EQ(seen[4] & 0xffff, CODE3);
    CHECK_EQ(seen[5], 0x2222);
    CHECK_EQ(seen[6], 0x1111);
    CHECK_EQ(seen[7], seen[9]); /* the outer stack pointer */
    CHECK_EQ(seen[8] & 0xffff, DATA3);
    /* Bad stacks in the TSS: of level 1, as the trap handler needs the one of level 0. */
    gdt_set(C, segment(0, 0xfffff, 0xbb, 0xc0));
    gdt_set(G, gate(C | 1, (u32)gate_target, 0xec, 0));
    tss.esp1 = 0x8c000;
    tss.ss1 = 0;
    CALL3(G, 10, 0);
    tss.ss1 = DATA3;
    CALL3(G, 10, DATA3 & ~3);
    tss.ss1 = CODE0 | 1;
    CALL3(G, 10, CODE0);
    tss.ss1 = 0xfff9;
    CALL3(G, 10, 0xfff8);
    gdt_set(S, segment(0, 0xfffff, 0xb1, 0xc0));
    tss.ss1 = S | 1;
    CALL3(G, 10, S); /* not writable */
    gdt_set(S, segment(0, 0xfffff, 0x33, 0xc0));
    CALL3(G, 12, S);
    gdt_set(S, segment(0, 0xfff, 0xb3, 0x40));
    CALL3(G, 12, S);
    gdt_set(S, segment(0, 0xfffff, 0xb3, 0xc0));
    seen[1] = 0;
    try3(call_to);
    CHECK_EQ(seen[1] & 0xffff, C | 1);
    CHECK_EQ(seen[2] & 0xffff, S | 1);
}

/* A return to level 3 drops data segments that it may not have. */
static void drops(void)
{
    u32 es, fs;
    gdt_set(S, segment(0, 0xfffff, 0x93, 0xc0));
    gdt_set(C, segment(0, 0xfffff, 0x9f, 0xc0));
    ASM("movl %0, %%es; movl %1, %%fs" : : "r"(S), "r"(C));
    void body(void)
    {
        ASM("movl %%fs, %0" : "=r"(seen[1]));
    }
    /* try3 loads es itself: look at fs, and use a far return for es. */
    try3(body);
    check_trap(-1, 0, __FILE__, __LINE__);
    CHECK_EQ(seen[1] & 0xffff, C); /* conforming: stays */
    ASM("movl %0, %%fs" : : "r"(S));
    try3(body);
    CHECK_EQ(seen[1] & 0xffff, 0);
    ASM("movl %%es, %0; movl %%fs, %1" : "=r"(es), "=r"(fs));
    /* Returns that must not be: to an inner level, to data, with a bad stack. */
    TRAP3(13, CODE0, ASM("pushl %0; pushl $land; lret" : : "i"(CODE0)));
    TRAP0(13, DATA0, ASM("pushl %0; pushl $land; lret" : : "i"(DATA0)));
    TRAP0(13, 0, ASM("pushl $0; pushl $land; lret"));
    TRAP0(13, DATA0, ASM("pushl %0; pushl $0x80000; pushl %1; pushl $land; lret" : : "i"(DATA0), "i"(CODE3)));
    TRAP0(13, 0, ASM("pushl $0; pushl $0x80000; pushl %0; pushl $land; lret" : : "i"(CODE3)));
    TRAP0(6, 0, ASM("pushl %0; pushl $0x80000; pushl %1; pushl $land; lret" : : "i"(DATA3), "i"(CODE3)));
    TRAP0(6, 0, ASM("pushl $0x7002; pushl %0; pushl $land; iret" : : "i"(CODE0)) /* NT in the image does nothing */);
}

void test_gates(void)
{
    direct();
    bad_gates();
    inner();
    drops();
}
