/* interrupts.c: gates, error codes, flags pushed, interrupt shadow, nested faults, lines of the board (SDM 6). */
#include "test32.h"

enum { C = T0, V = 0x50 };
extern char stubs[];
static volatile u32 count;
static volatile Frame last;

static bool count_it(Frame *f)
{
    count++;
    last = *f;
    return true;
}

/* Three more come while the first NMI is handled. */
static bool count_nmi(Frame *f)
{
    if (!count++) {
        outb(0x501, 1);
        outb(0x501, 2);
    }
    return true;
}

static void software(void)
{
    u64 old = idt[V];
    u32 flags;
    on_trap = count_it;
    count = 0;
    ASM("pushfl; orl $1, (%%esp); popfl; int $0x50; pushfl; popl %0" : "=r"(flags) : : "cc");
    CHECK_EQ(count, 1);
    CHECK_EQ(last.vector, 0x50);
    CHECK_EQ(flags & 1, 1);
    CHECK_EQ(last.cs & 0xffff, CODE0);
    ASM("int3");
    CHECK_EQ(last.vector, 3);
    ASM("movb $0x7f, %%al; addb $1, %%al; into" : : : "eax", "cc");
    CHECK_EQ(last.vector, 4);
    count = 0;
    ASM("xorl %%eax, %%eax; into" : : : "eax", "cc");
    CHECK_EQ(count, 0);
    on_trap = NULL;
    idt[V] = gate(CODE0, (u32)stubs + 16 * V, 0x0e, 0);
    TRAP0(11, V * 8 + 2, ASM("int $0x50"));
    idt[V] = gate(DATA0, (u32)stubs + 16 * V, 0x8e, 0);
    TRAP0(13, DATA0, ASM("int $0x50"));
    idt[V] = gate(0, (u32)stubs + 16 * V, 0x8e, 0);
    TRAP0(13, 0, ASM("int $0x50"));
    idt[V] = gate(CODE3, (u32)stubs + 16 * V, 0x8e, 0);
    TRAP0(13, CODE3 & ~3, ASM("int $0x50"));
    idt[V] = gate(CODE0, (u32)stubs + 16 * V, 0x8c, 0);
    TRAP0(13, V * 8 + 2, ASM("int $0x50"));
    gdt_set(C, segment(0, 0xfffff, 0x1b, 0xc0));
    idt[V] = gate(C, (u32)stubs + 16 * V, 0x8e, 0);
    TRAP0(11, C, ASM("int $0x50"));
    idt[V] = old;
    TRAP3(13, V * 8 + 2, ASM("int $0x50")); /* DPL 0 */
    /* The end of the table. */
    struct { u16 limit; u32 base; } __attribute__((packed)) i = { V * 8 + 6, (u32)idt };
    ASM("lidt %0" : : "m"(i));
    TRAP0(13, V * 8 + 2, ASM("int $0x50"));
    gdt_load();
}

static void exceptions(void)
{
    TRAP0(0, 0, ASM("xorl %%ecx, %%ecx; divl %%ecx" : : : "eax", "ecx", "edx"));
    TRAP3(0, 0, ASM("xorl %%ecx, %%ecx; divb %%cl" : : : "eax", "ecx", "edx"));
    TRAP0(6, 0, ASM("ud2"));
    u32 pc;
    void ud(void) { ASM("ud2"); }
    try0(ud);
    pc = caught.eip;
    CHECK_EQ(*(u16 *)pc, 0x0b0f); /* a fault: points at the instruction */
    CHECK_EQ(caught.eflags & 0x10000, 0x10000); /* RF */
    ASM("movl %%cr0, %%eax; orl $8, %%eax; movl %%eax, %%cr0" : : : "eax");
    TRAP0(7, 0, ASM("fninit"));
    ASM("clts");
    TRAP0(13, 0, ASM("movl $0x12345, %%ecx; rdmsr" : : : "eax", "ecx", "edx"));
    TRAP0(13, 0, ASM("movl $0x80000000, %%eax; movl %%eax, %%cr0" : : : "eax")); /* PG without PE */
    TRAP0(13, 0, ASM("movl $0x20000011, %%eax; movl %%eax, %%cr0" : : : "eax")); /* NW without CD */
    TRAP0(13, 0, ASM("movl $0x80000000, %%eax; movl %%eax, %%cr4" : : : "eax"));
    TRAP0(13, 0, ASM(".fill 15, 1, 0x66; nop")); /* too long */
    TRAP3(13, 0, ASM("cli"));
    TRAP3(13, 0, ASM("sti"));
    TRAP3(13, 0, ASM("inb $0x80, %%al" : : : "eax"));
    /* The I/O bitmap. */
    tss.io[0x80 / 8] = 0xfe;
    TRAP3(-1, 0, ASM("inb $0x80, %%al" : : : "eax"));
    TRAP3(13, 0, ASM("inw $0x80, %%ax" : : : "eax"));
    TRAP3(13, 0, ASM("inb $0x81, %%al" : : : "eax"));
    tss.io[0x80 / 8] = 0xff;
}

/* What a handler sees: CS, SS, its stack pointer, and six words of the stack from there. Its return is by 32 bits; the second ends in #UD. */
extern u32 entered[9];
void entered_iret(void), entered_ud(void), after_int(void);
__asm__("see_entry: movw %cs, entered; movw %ss, entered+4; movl %esp, entered+8; pushl %eax\n"
    "movl 4(%esp), %eax; movl %eax, entered+12; movl 8(%esp), %eax; movl %eax, entered+16; movl 12(%esp), %eax; movl %eax, entered+20\n"
    "popl %eax; ret\n"
    ".globl entered_iret, entered_ud\n"
    "entered_iret: call see_entry; iret\n"
    "entered_ud: call see_entry; ud2\n");
u32 entered[9];
/* see_entry's return address lies below. */
static u32 entry_esp(void) { return entered[2] + 4; }

static u32 outer_esp;
static void int_50(void) { ASM("movl %%esp, %0; int $0x50; .globl after_int; after_int:" : "=m"(outer_esp) : : "memory"); }

/* From each level to each: conforming and other segments, gates of 16 bits (SDM 6.12.1). */
static void levels(void)
{
    u64 old = idt[V];
    tss.esp0 = 0x88000;
    /* To a conforming segment: the level and the stack stay. */
    gdt_set(C, segment(0, 0xfffff, 0x9f, 0xc0));
    idt[V] = gate(C, (u32)entered_iret, 0xee, 0);
    try3(int_50);
    check_trap(-1, 0, __FILE__, __LINE__);
    CHECK_EQ(entered[0] & 0xffff, C | 3);
    CHECK_EQ(entered[1] & 0xffff, DATA3);
    CHECK_EQ(entry_esp(), outer_esp - 12);
    CHECK_EQ(entered[4], (u32)after_int);
    try0(int_50);
    check_trap(-1, 0, __FILE__, __LINE__);
    CHECK_EQ(entered[0] & 0xffff, C);
    /* From level 3 to a segment of its own. */
    idt[V] = gate(CODE3, (u32)entered_iret, 0xee, 0);
    try3(int_50);
    check_trap(-1, 0, __FILE__, __LINE__);
    CHECK_EQ(entered[0] & 0xffff, CODE3);
    CHECK_EQ(entry_esp(), outer_esp - 12);
    TRAP0(13, CODE3 & ~3, ASM("int $0x50"));
    /* A gate of 16 bits: ten bytes on the inner stack, its upper half is not looked at, and IF is cleared. */
    u32 target = (u32)entered_ud;
    gdt_set(C, segment(target & ~0xffffu, 0xffff, 0x9b, 0x40));
    idt[V] = gate(C, (target & 0xffff) | 0xdead0000, 0xe6, 0);
    user_flags = 0x202;
    try3(int_50);
    user_flags = 2;
    CHECK_EQ(caught.cs, C);
    CHECK_EQ(caught.eflags & 0x200, 0);
    check_trap(6, 0, __FILE__, __LINE__);
    CHECK_EQ(entered[1] & 0xffff, DATA0);
    CHECK_EQ(entry_esp(), 0x88000 - 10);
    CHECK_EQ(entered[4], ((u32)after_int & 0xffff) | CODE3 << 16);
    CHECK_EQ(entered[5], 0x202 | (outer_esp & 0xffff) << 16);
    /* A trap gate of 16 bits leaves IF; without a change of level six bytes. */
    idt[V] = gate(C, (target & 0xffff) | 0xdead0000, 0xe7, 0);
    user_flags = 0x202;
    try3(int_50);
    user_flags = 2;
    CHECK_EQ(caught.eflags & 0x200, 0x200);
    check_trap(6, 0, __FILE__, __LINE__);
    try0(int_50);
    check_trap(6, 0, __FILE__, __LINE__);
    CHECK_EQ(entry_esp(), outer_esp - 6);
    ASM("cli");
    idt[V] = old;
}

/* #DF: a fault whose handler cannot be entered; and a benign one. */
static void nested(void)
{
    u64 old13 = idt[13], old0 = idt[0], old6 = idt[6];
    idt[13] = gate(DATA0, 0, 0x8e, 0);
    TRAP0(8, 0, ASM("movl $0xfff8, %%eax; movl %%eax, %%es" : : : "eax"));
    idt[0] = gate(CODE0, 0, 0x0e, 0);
    idt[13] = old13;
    TRAP0(8, 0, ASM("xorl %%ecx, %%ecx; divl %%ecx" : : : "eax", "ecx", "edx")); /* #DE, then #NP */
    idt[0] = old0;
    idt[6] = gate(CODE0, 0, 0x0e, 0);
    TRAP0(11, 6 * 8 + 2 + 1, ASM("ud2")); /* #UD is benign: the second is as it is, EXT set */
    idt[6] = old6;
}

/* Flags: what POPF may change, IF and the shadow of STI. */
static u32 popf_pushf(u32 set)
{
    u32 f;
    ASM("pushfl; pushl %1; popfl; pushfl; popl %0; popfl" : "=r"(f) : "r"(set) : "cc", "memory");
    return f;
}

static void flags(void)
{
    CHECK_EQ(popf_pushf(0x3202) & 0x3200, 0x3200);
    CHECK_EQ(popf_pushf(0x30002) & 0x30000, 0); /* VM, RF stay 0 */
    CHECK_EQ(popf_pushf(0x240002) & 0x240000, 0x240000); /* AC, ID */
    CHECK_EQ(popf_pushf(0x28) & 0x2a, 2);
    void at3(void)
    {
        ASM("pushl $0x3202; popfl; pushfl; popl %0" : "=m"(count) : : "cc", "memory");
    }
    user_flags = 0x3002;
    try3(at3);
    CHECK_EQ(count & 0x3200, 0x3200);
    ASM("cli");
    void ac(void) { ASM("cli; sti; cli"); }
    try3(ac);
    check_trap(-1, 0, __FILE__, __LINE__);
    TRAP3(-1, 0, ASM("inb $0x80, %%al" : : : "eax"));
    user_flags = 2;
}

static void lines(void)
{
    if (!own_board()) {
        return;
    }
    on_trap = count_it;
    count = 0;
    outb(0x502, 0x60);
    ASM("nop");
    CHECK_EQ(count, 0); /* IF is 0 */
    ASM("sti; nop; 1: cli; movl $1b, %0" : "=r"(last.eax) : : "memory");
    CHECK_EQ(count, 1);
    CHECK_EQ(last.vector, 0x60);
    u32 want;
    outb(0x502, 0x61);
    ASM("sti; cli");
    CHECK_EQ(count, 1); /* the shadow covers CLI */
    ASM("sti; nop; cli");
    CHECK_EQ(count, 2);
    outb(0x502, 0x62);
    ASM("sti; hlt; 1: cli; movl $1b, %0" : "=r"(want) : : "memory");
    CHECK_EQ(count, 3);
    CHECK_EQ(last.eip, want); /* behind HLT */
    /* MOV SS holds one instruction off, whatever it is. */
    ASM("sti");
    ASM("movb $0x63, %%al; movw $0x502, %%dx; movl %%ss, %%ecx; cli; outb %%al, %%dx; pushfl; orl $0x200, (%%esp)\n"
        "movl $2f, %0; movl %%ss, %%ecx; popfl; 1: nop; 2: nop; cli" : "=m"(want) : : "eax", "ecx", "edx", "memory", "cc");
    CHECK_EQ(count, 4);
    ASM("movb $0x64, %%al; movw $0x502, %%dx; cli; outb %%al, %%dx; movl %%ss, %%ecx; movl $1f, %0; sti; movl %%ecx, %%ss; incl %%ecx; 1: nop; cli"
        : "=m"(want) : : "eax", "ecx", "edx", "memory", "cc");
    CHECK_EQ(count, 5);
    CHECK_EQ(last.eip, want);
    /* NMI, and none while one is handled. */
    outb(0x501, 1);
    for (unsigned i = 0; i < 1000 && count < 6; i++) {
        ASM("nop");
    }
    CHECK_EQ(count, 6);
    CHECK_EQ(last.vector, 2);
    /* Two before the processor comes to look. */
    outb(0x501, 2);
    for (unsigned i = 0; i < 1000; i++) {
        ASM("nop");
    }
    CHECK_EQ(count, 8);
    /* Of those that come while one is handled one stays pending (6.7.1). */
    on_trap = count_nmi;
    count = 0;
    outb(0x501, 1);
    for (unsigned i = 0; i < 1000; i++) {
        ASM("nop");
    }
    CHECK_EQ(count, 2);
    on_trap = NULL;
}

/* LOCK works on whatever answers at the address, and across pages. */
static void locked(void)
{
    static u8 two[0x3000];
    u32 ram = ((u32)two + 0x1fff) & ~0xfffu, at[] = { ram - 3, 0xe0000010, 0xe0000ffe, ram - 1 };
    u32 eax, edx;
    for (unsigned i = 0; i < (own_board() ? 4 : 1); i++) {
        volatile u32 *p = (u32 *)at[i];
        *p = 0x12345678;
        ASM("xchgl %0, %1" : "=r"(eax), "+m"(*p) : "0"(0x7f000001) : "memory");
        CHECK_EQ(eax, 0x12345678);
        CHECK_EQ(*p, 0x7f000001);
        ASM("lock incl %0" : "+m"(*p) : : "cc");
        ASM("lock addw $0x10, %0" : "+m"(*(volatile u16 *)p) : : "cc");
        ASM("lock orb $0x80, %0" : "+m"(*(volatile u8 *)p) : : "cc");
        CHECK_EQ(*p, 0x7f000092);
        ASM("lock xaddl %0, %1" : "=r"(eax), "+m"(*p) : "0"(5) : "cc");
        CHECK_EQ(eax, 0x7f000092);
        ASM("lock cmpxchgl %3, %1" : "=a"(eax), "+m"(*p) : "0"(0x7f000097), "r"(3) : "cc");
        CHECK_EQ(eax, 0x7f000097);
        CHECK_EQ(*p, 3);
        ASM("lock cmpxchgl %3, %1" : "=a"(eax), "+m"(*p) : "0"(4), "r"(9) : "cc");
        CHECK_EQ(eax, 3);
        ASM("lock negl %0" : "+m"(*p) : : "cc");
        ASM("lock notl %0" : "+m"(*p));
        CHECK_EQ(*p, 2);
        ASM("lock btsl $9, %0" : "+m"(*p) : : "cc");
        CHECK_EQ(*p, 0x202);
        p[1] = 0x55;
        eax = 0x202;
        edx = 0x55;
        ASM("lock cmpxchg8b %0" : "+m"(*(volatile u64 *)p), "+a"(eax), "+d"(edx) : "b"(1), "c"(2) : "cc");
        CHECK_EQ(p[0], 1);
        CHECK_EQ(p[1], 2);
    }
}

void test_interrupts(void)
{
    locked();
    software();
    exceptions();
    levels();
    nested();
    flags();
    lines();
}
