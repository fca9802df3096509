/*
 * long.c: long mode: IST and stack switches, canonical addresses, SYSCALL, SYSENTER, call gates, compatibility mode, 4-level paging rights, NX,
 * SMEP, SMAP, protection keys, PCID, FSGSBASE, MSRs (SDM 4.5, 6.14; APM 2, 6.1).
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)
#define ASM(...) __asm__ volatile(__VA_ARGS__)

typedef struct Frame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax, vector, error, rip, cs, rflags, rsp, ss;
} Frame;
enum { CODE32 = 8, DATA0 = 0x10, CODE0 = 0x18, DATA3 = 0x23, CODE3 = 0x2b, CODE3_32 = 0x33, TSS = 0x40, G = 0x50, N_GDT = 16 };
static u64 gdt[N_GDT] __attribute__((aligned(16))), idt[512] __attribute__((aligned(16)));
static struct { u32 r0; u64 rsp[3]; u64 r1, ist[7], r2; u16 r3, map; u8 end[8]; } __attribute__((packed)) tss;
static struct { int vector; u64 error, rip, cs, rsp, ss, rflags, cr2, sp_in_handler; } caught;
extern char stubs[], syscall_entry[], compat_code[];
extern void syscall_user(void);
extern u64 pml4[512], pdpt[512], pd[512], try_result, user_flags, syscall_seen[8];
extern u32 compat_seen[8];
bool try0(void (*fn)(void));
bool try3(void (*fn)(void));
static unsigned n_checks, n_failed;
static bool (*on_trap)(Frame *f);

static void outb(u16 port, u8 v) { ASM("outb %0, %1" : : "a"(v), "Nd"(port)); }
static void print(const char *s) { while (*s) outb(0xe9, (u8)*s++); }
static void print_hex(u64 v) { for (int i = 60; i >= 0; i -= 4) outb(0xe9, (u8)"0123456789abcdef"[v >> i & 15]); }
static void print_int(unsigned v) { if (v > 9) print_int(v / 10); outb(0xe9, (u8)('0' + v % 10)); }

static void check_eq(u64 a, u64 b, const char *what, int line)
{
    n_checks++;
    if (a != b) {
        n_failed++;
        print("FAIL long.c:");
        print_int((unsigned)line);
        print(": ");
        print(what);
        print(" is ");
        print_hex(a);
        print(", not ");
        print_hex(b);
        print("\n");
    }
}
#define EQ(a, b) check_eq((u64)(a), (u64)(b), #a, __LINE__)
static void check_trap(int vector, u64 error, int line)
{
    check_eq((u64)(long)caught.vector, (u64)(long)vector, "vector", line);
    if (vector >= 0) {
        check_eq(caught.error, error, "error code", line);
    }
    caught.vector = -1;
}
#define TRAP0(vector, error, ...) do { void f_(void) { __VA_ARGS__; } try0(f_); check_trap(vector, error, __LINE__); } while (0)
#define TRAP3(vector, error, ...) do { void f_(void) { __VA_ARGS__; } try3(f_); check_trap(vector, error, __LINE__); } while (0)

void trap(Frame *f)
{
    if (on_trap && on_trap(f)) {
        return;
    }
    caught.vector = f->vector == 0x40 ? -1 : (int)f->vector;
    caught.error = f->error;
    caught.rip = f->rip;
    caught.cs = f->cs;
    caught.rsp = f->rsp;
    caught.ss = f->ss;
    caught.rflags = f->rflags;
    caught.sp_in_handler = (u64)(f + 1);
    ASM("movq %%cr2, %0" : "=r"(caught.cr2));
    try_result = caught.vector == -1;
    ASM("jmp try_back");
    __builtin_unreachable();
}

static u64 rdmsr(u32 n) { u32 a, d; ASM("rdmsr" : "=a"(a), "=d"(d) : "c"(n)); return (u64)d << 32 | a; }
static void wrmsr(u32 n, u64 v) { ASM("wrmsr" : : "c"(n), "a"((u32)v), "d"((u32)(v >> 32)) : "memory"); }
static u64 cr4(void) { u64 v; ASM("movq %%cr4, %0" : "=r"(v)); return v; }
static void set_cr4(u64 v) { ASM("movq %0, %%cr4" : : "r"(v) : "memory"); }
static u64 cr3(void) { u64 v; ASM("movq %%cr3, %0" : "=r"(v)); return v; }
static void set_cr3(u64 v) { ASM("movq %0, %%cr3" : : "r"(v) : "memory"); }

static void gate_set(unsigned v, u16 sel, u64 at, u8 access, u8 ist)
{
    idt[2 * v] = (at & 0xffff) | (u64)sel << 16 | (u64)ist << 32 | (u64)access << 40 | (at >> 16 & 0xffff) << 48;
    idt[2 * v + 1] = at >> 32;
}

static void setup(void)
{
    gdt[1] = 0x00cf9b000000ffff;
    gdt[2] = 0x00cf93000000ffff;
    gdt[3] = 0x00af9b000000ffff;
    gdt[4] = 0x00cff3000000ffff;
    gdt[5] = 0x00affb000000ffff;
    gdt[6] = 0x00cffb000000ffff;
    u64 t = (u64)&tss;
    gdt[TSS / 8] = (sizeof(tss) - 1) | (t & 0xffffff) << 16 | 0x89ul << 40 | (t >> 24 & 0xff) << 56;
    gdt[TSS / 8 + 1] = t >> 32;
    for (unsigned i = 0; i < 256; i++) {
        gate_set(i, CODE0, (u64)stubs + 16 * i, i == 0x40 ? 0xee : 0x8e, 0);
    }
    tss.rsp[0] = 0x88000;
    tss.ist[0] = 0x78000;
    tss.ist[6] = 0x74000;
    tss.map = sizeof(tss);
    struct { u16 limit; u64 base; } __attribute__((packed)) g = { sizeof(gdt) - 1, (u64)gdt }, i = { sizeof(idt) - 1, (u64)idt };
    ASM("lgdt %0; lidt %1; ltr %w2; movl %3, %%ds; movl %3, %%es; movl %3, %%ss" : : "m"(g), "m"(i), "r"(TSS), "r"(DATA0));
    caught.vector = -1;
}

static void traps(void)
{
    TRAP0(6, 0, ASM("ud2"));
    EQ(caught.cs, CODE0);
    EQ(caught.ss, DATA0);
    EQ(caught.sp_in_handler & 15, 0); /* aligned, five words and the two of the stub: 56 bytes below */
    TRAP3(6, 0, ASM("ud2"));
    EQ(caught.cs, CODE3);
    EQ(caught.ss, DATA3);
    EQ(caught.sp_in_handler, 0x88000);
    gate_set(6, CODE0, (u64)stubs + 16 * 6, 0x8e, 1);
    TRAP0(6, 0, ASM("ud2"));
    EQ(caught.sp_in_handler, 0x78000);
    gate_set(6, CODE0, (u64)stubs + 16 * 6, 0x8e, 7);
    TRAP3(6, 0, ASM("ud2"));
    EQ(caught.sp_in_handler, 0x74000);
    gate_set(6, CODE0, (u64)stubs + 16 * 6, 0x8e, 0);
    TRAP0(13, 0x50 * 8 + 2, gate_set(0x50, CODE0, 0, 0x86, 0); ASM("int $0x50")); /* no 16-bit gates here */
    TRAP0(13, 0x50 * 8 + 2, gate_set(0x50, CODE0, 0, 0x85, 0); ASM("int $0x50")); /* no task gates */
    TRAP0(13, CODE32, gate_set(0x50, CODE32, 0, 0x8e, 0); ASM("int $0x50")); /* handlers are 64-bit */
    TRAP0(13, 0, gate_set(0x50, CODE0, 1ul << 50, 0x8e, 0); ASM("int $0x50")); /* not canonical */
    TRAP3(13, 0x51 * 8 + 2, ASM("int $0x51"));
}

static void canonical(void)
{
    u64 bad = 0x800000000000;
    for (unsigned v = 12; v <= 14; v++) {
        gate_set(v, CODE0, (u64)stubs + 16 * v, 0x8e, 1); /* whatever the stack pointer is */
    }
    TRAP0(13, 0, ASM("movq (%0), %%rax" : : "r"(bad) : "rax"));
    TRAP0(13, 0, ASM("movq %%rax, (%0)" : : "r"(bad) : "memory"));
    TRAP0(14, 0, ASM("movq (%0), %%rax" : : "r"(bad - 8) : "rax"));
    TRAP0(14, 0, ASM("movq (%0), %%rax" : : "r"(~0x7ffffffffffful) : "rax"));
    TRAP0(12, 0, ASM("movq %0, %%rbx; movq %%rsp, %%rcx; movq %%rbx, %%rsp; popq %%rax; movq %%rcx, %%rsp" : : "r"(bad) : "rax", "rbx", "rcx", "memory"));
    TRAP0(12, 0, ASM("pushq %%rbp; movq %0, %%rbp; movq (%%rbp), %%rax; popq %%rbp" : : "r"(bad) : "rax", "memory"));
    TRAP0(13, 0, ASM("jmp *%0" : : "r"(bad)));
    TRAP0(13, 0, wrmsr(0xc0000082, 1ul << 60));
    TRAP0(13, 0, wrmsr(0xc0000100, 1ul << 60));
    TRAP0(13, 0, wrmsr(0x176, 1ul << 60));
    TRAP3(13, 0, ASM("sysretq"));
    TRAP0(13, 0, ASM("movq %0, %%rcx; sysretq" : : "r"(bad) : "rcx"));
    TRAP0(13, 0, ASM("pushq %1; pushq $0x80000; pushq $2; pushq %2; pushq %0; iretq" : : "r"(bad), "i"(DATA3), "i"(CODE3)));
    TRAP0(13, 0, ASM("movq %%cr0, %%rax; btcq $40, %%rax; movq %%rax, %%cr0" : : : "rax"));
    TRAP0(13, 0, ASM("movq %%cr4, %%rax; andq $~0x20, %%rax; movq %%rax, %%cr4" : : : "rax")); /* PAE is needed */
    TRAP0(13, 0, ASM("movq %%cr0, %%rax; btcq $31, %%rax; movq %%rax, %%cr0" : : : "rax")); /* PG off in 64-bit code */
    TRAP0(13, 0, wrmsr(0xc0000080, rdmsr(0xc0000080) & ~0x100ul)); /* LME while paging */
    TRAP0(13, 0, wrmsr(0xc0000080, 1ul << 20));
    wrmsr(0x410, ~0x400ul); /* MC4_CTL: table walk errors of the GART may be left out */
    EQ(rdmsr(0x410), ~0x400ul);
    wrmsr(0x410, ~0ul);
    TRAP0(13, 0, wrmsr(0x411, 1));
    for (unsigned v = 12; v <= 14; v++) {
        gate_set(v, CODE0, (u64)stubs + 16 * v, 0x8e, 0);
    }
}

static void system_calls(void)
{
    wrmsr(0xc0000081, (u64)(CODE3_32 - 16 - 3 + 0) << 48 | (u64)CODE0 << 32);
    wrmsr(0xc0000081, (u64)0x18 << 48 | (u64)CODE0 << 32); /* SYSRET: SS 20h, CS 28h */
    wrmsr(0xc0000082, (u64)syscall_entry);
    wrmsr(0xc0000084, 0x40700);
    user_flags = 0x3202 | 1;
    user_flags &= ~0x200ul;
    try3(syscall_user);
    check_trap(-1, 0, __LINE__);
    EQ(syscall_seen[0] > (u64)syscall_user && syscall_seen[0] < (u64)syscall_user + 32, 1);
    EQ(syscall_seen[1] & 0x3001, 0x3001);
    EQ(syscall_seen[2] & 0x700, 0);
    EQ(syscall_seen[3] & 0xffff, CODE0);
    EQ(syscall_seen[3] >> 32 & 0xffff, CODE0 + 8);
    EQ(syscall_seen[4] & 0xffff, CODE3);
    EQ(syscall_seen[4] >> 32 & 0xffff, DATA3);
    user_flags = 2;
    wrmsr(0xc0000080, rdmsr(0xc0000080) & ~1ul);
    TRAP3(6, 0, ASM("syscall" : : : "rcx", "r11"));
    wrmsr(0xc0000080, rdmsr(0xc0000080) | 1);
    /* Single steps go by the TF that SYSCALL and SYSRET load: the kernel sees none, the program one as soon as it is back. */
    extern void syscall_stepped(void), syscall_stepped_back(void);
    user_flags = 2;
    try3(syscall_stepped);
    check_trap(1, 0, __LINE__);
    EQ(caught.cs, CODE3);
    EQ(caught.rip, syscall_stepped_back);
    EQ(caught.rflags >> 8 & 1, 1);
    wrmsr(0x174, 0);
    /* AMD's processors do not have it in long mode. */
    u32 eax = 0, ebx, ecx, edx;
    ASM("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    TRAP3(ebx == 0x68747541 ? 6 : 13, 0, ASM("sysenter"));
    TRAP0(ebx == 0x68747541 ? 6 : 13, 0, ASM("sysexit"));
}

static bool has7(unsigned reg, unsigned bit);

/* Bases take what is canonical for the widest paging that there is, whatever the paging in use (5-level paging white paper, 2.2). */
static void wide_bases(void)
{
    u64 wide = 0xaaul << 48, bad = 0xaaul << 57;
    int refused = has7(2, 16) ? -1 : 13;
    struct { u16 limit; u64 base; } __attribute__((packed)) old, t = { 0xfff, wide };
    static const u32 msrs[] = { 0x175, 0x176, 0xc0000082, 0xc0000083, 0xc0000100, 0xc0000101, 0xc0000102 };

    for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        u64 before = rdmsr(msrs[i]);
        TRAP0(refused, 0, wrmsr(msrs[i], wide));
        EQ(rdmsr(msrs[i]), refused == -1 ? wide : before);
        TRAP0(13, 0, wrmsr(msrs[i], bad));
        wrmsr(msrs[i], before);
    }
    ASM("sgdt %0" : "=m"(old));
    TRAP0(refused, 0, ASM("lgdt %0; lgdt %1" : : "m"(t), "m"(old)));
    t.base = bad;
    TRAP0(13, 0, ASM("lgdt %0" : : "m"(t)));
}

static void gates(void)
{
    static struct { u64 ip; u16 sel; } __attribute__((packed)) to;
    extern void gate64(void);
    __asm__(".pushsection .text.gate64, \"ax\"; .globl gate64; gate64: movq %rsp, %rax; movl %cs, %edx; movl %ss, %ecx; lretq; .popsection");
    u64 at = (u64)gate64;
    gdt[G / 8] = (at & 0xffff) | (u64)CODE0 << 16 | 0xecul << 40 | (at >> 16 & 0xffff) << 48;
    gdt[G / 8 + 1] = at >> 32;
    to.sel = G;
    static u64 sp;
    static u32 cs, ss;
    void call_it(void) { ASM("rex.W lcall *%3" : "=a"(sp), "=d"(cs), "=c"(ss) : "m"(to) : "memory"); }
    try3(call_it);
    check_trap(-1, 0, __LINE__);
    EQ(sp, 0x88000 - 32);
    EQ(cs & 0xffff, CODE0);
    EQ(ss & 0xffff, 0); /* null, level 0 */
    gdt[G / 8] &= ~(0x60ul << 40);
    try3(call_it);
    check_trap(13, G, __LINE__);
    TRAP0(13, TSS, to.sel = TSS; ASM("rex.W lcall *%0" : : "m"(to)));
    TRAP0(13, CODE3 & ~3, to.sel = CODE3 & ~3; ASM("rex.W lcall *%0" : : "m"(to)));
}

static void compatibility(void)
{
    static u64 frame[5] = { 0, CODE3_32, 2, 0x81000, DATA3 };
    frame[0] = (u64)compat_code;
    void go(void) { ASM("movl %1, %%ds; movl %1, %%es; movq %0, %%rsp; iretq" : : "r"(frame), "r"(DATA3)); }
    try0(go);
    check_trap(-1, 0, __LINE__);
    EQ(compat_seen[0], 0x11223344);
    EQ(compat_seen[1], 0x81000);
    EQ(compat_seen[2], 0x55);
    EQ(compat_seen[3] & 0xffff, CODE3_32);
    EQ(compat_seen[4] & 0xffff, CODE3_32 - 1);
}

/* -- paging: rights of four levels ------------------------------------------------------------------------------ */

enum { P = 1, W = 2, U = 4, A = 32, D = 64, PS = 128 };
#define NX (1ul << 63)
enum { DATA = 0x300000 };
#define V 0x8040200000ul
static u64 t_pdpt[512] __attribute__((aligned(4096))), t_pd[512] __attribute__((aligned(4096))), t_pt[512] __attribute__((aligned(4096)));
static u64 *const e4 = &pml4[V >> 39 & 511], *const e3 = &t_pdpt[V >> 30 & 511], *const e2 = &t_pd[V >> 21 & 511], *const e1 = &t_pt[V >> 12 & 511];

static void map(u64 r4, u64 r3, u64 r2, u64 r1)
{
    *e4 = (u64)t_pdpt | r4;
    *e3 = (u64)t_pd | r3;
    *e2 = (u64)t_pt | r2;
    *e1 = DATA | r1;
    ASM("invlpg (%0)" : : "r"(V) : "memory");
}

static void read_it(void) { ASM("movl (%0), %%eax" : : "r"(V) : "eax", "memory"); }
static void write_it(void) { ASM("movl %%eax, 8(%0)" : : "r"(V) : "memory"); }
static void fetch_it(void) { ASM("call *%0" : : "r"(V) : "memory"); }
static void (*const access[3])(void) = { read_it, write_it, fetch_it };

static void paging(void)
{
    *(volatile u8 *)DATA = 0xc3;
    u64 all = P | W | U;
    for (unsigned level = 0; level < 4; level++) {
        for (unsigned bits = 0; bits < 16; bits++) {
            for (unsigned how = 0; how < 3; how++) {
                for (unsigned user = 0; user < 2; user++) {
                    u64 r[4] = { all, all, all, all };
                    r[level] = (bits & 7) | (bits & 8 ? NX : 0);
                    map(r[0], r[1], r[2], r[3]);
                    bool present = bits & P, ok = present && (!user || bits & U) && (how != 1 || bits & W) && (how != 2 || !(bits & 8));
                    caught.vector = -1;
                    if (user) {
                        try3(access[how]);
                    } else {
                        try0(access[how]);
                    }
                    int line = (int)(10000 + level * 1000 + bits * 10 + how * 2 + user);
                    check_eq((u64)(long)caught.vector, ok ? ~0ul : 14, "vector", line);
                    if (!ok) {
                        check_eq(caught.error, (u64)present | (how == 1) << 1 | user << 2 | (how == 2) << 4, "error code", line);
                        check_eq(caught.cr2, how == 1 ? V + 8 : V, "CR2", line);
                        check_eq(*e1 & (A | D), 0, "accessed", line);
                    } else {
                        check_eq((*e4 & *e3 & *e2 & *e1 & A) | (*e1 & D), A | (how == 1 ? D : 0), "accessed, dirty", line);
                        check_eq((*e4 | *e3 | *e2) & D, 0, "dirty above", line);
                    }
                }
            }
        }
    }
    map(all, all, all, all | 1ul << 51); /* beyond the physical address */
    try0(read_it);
    check_trap(14, 9, __LINE__);
    map(all | PS, all, all, all);
    try0(read_it);
    check_trap(14, 9, __LINE__);
    map(all, all, all, all);
    *e2 = DATA | all | PS; /* 3 MiB is no place for a large page: reserved bits */
    ASM("invlpg (%0)" : : "r"(V) : "memory");
    try0(read_it);
    check_trap(14, 9, __LINE__);
    *e2 = 0x200000 | all | PS;
    ASM("invlpg (%0)" : : "r"(V) : "memory");
    *(volatile u32 *)(V + 0x123458) = 0x99;
    EQ(*(volatile u32 *)(0x200000 + 0x123458), 0x99);
    caught.vector = -1;
}

static bool has7(unsigned reg, unsigned bit)
{
    u32 a = 0, b, c = 0, d;
    ASM("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (a < 7) {
        return false;
    }
    a = 7;
    c = 0;
    ASM("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (reg == 1 ? b : c) >> bit & 1;
}

static void keys(void)
{
    if (!has7(2, 3)) {
        return;
    }
    map(P | W | U, P | W | U, P | W | U, P | W | U | 5ul << 59);
    TRAP0(6, 0, ASM("xorl %%ecx, %%ecx; rdpkru" : : : "eax", "ecx", "edx"));
    set_cr4(cr4() | 1 << 22);
    void pkru(u32 v) { ASM("wrpkru" : : "a"(v), "c"(0), "d"(0) : "memory"); }
    pkru(0);
    TRAP3(-1, 0, read_it());
    TRAP3(-1, 0, write_it());
    pkru(2 << 10); /* write disable */
    TRAP3(-1, 0, read_it());
    TRAP3(14, 0x27, write_it());
    TRAP0(14, 0x23, write_it());
    pkru(1 << 10); /* access disable */
    TRAP3(14, 0x25, read_it());
    TRAP0(14, 0x21, read_it());
    *(volatile u8 *)DATA = 0xc3;
    TRAP3(-1, 0, fetch_it()); /* fetches do not ask */
    pkru(0);
    TRAP3(-1, 0, write_it());
    /* The key is said to forbid what other rights forbid as well (SDM 4.7, PK). */
    map(P | W | U, P | W | U, P | W | U, P | U | 5ul << 59);
    TRAP3(14, 7, write_it());
    pkru(2 << 10);
    TRAP3(14, 0x27, write_it());
    pkru(1 << 10);
    TRAP3(14, 0x27, write_it());
    pkru(0);
    map(P | W | U, P | W | U, P | W | U, P | W | U | 5ul << 59);
    *(volatile u8 *)DATA = 0xc3;
    set_cr4(cr4() & ~(1ul << 22));
}

static void pcid(void)
{
    u32 a = 1, b, c, d;
    ASM("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    if (!(c & 1 << 17)) {
        return;
    }
    map(P | W | U, P | W | U, P | W | U, P | W | U);
    *(volatile u32 *)DATA = 0x11;
    *(volatile u32 *)(DATA + 0x1000) = 0x22;
    u64 root = cr3();
    TRAP0(13, 0, set_cr3(cr3() | 1); set_cr4(cr4() | 1 << 17)); /* PCID must be 0 first */
    set_cr3(root);
    set_cr4(cr4() | 1 << 17);
    EQ(*(volatile u32 *)V, 0x11);
    set_cr3(root | 1);
    EQ(*(volatile u32 *)V, 0x11);
    *e1 = (DATA + 0x1000) | P | W | U;
    set_cr3(root | 2 | 1ul << 63);
    set_cr3(root | 1); /* flushes PCID 1 */
    EQ(*(volatile u32 *)V, 0x22);
    *e1 = DATA | P | W | U;
    ASM("invlpg (%0)" : : "r"(V) : "memory");
    EQ(*(volatile u32 *)V, 0x11);
    if (has7(1, 10)) {
        struct { u64 id, addr; } desc = { 1, V };
        *e1 = (DATA + 0x1000) | P | W | U;
        ASM("invpcid %0, %1" : : "m"(desc), "r"(0ul) : "memory");
        EQ(*(volatile u32 *)V, 0x22);
        *e1 = DATA | P | W | U;
        ASM("invpcid %0, %1" : : "m"(desc), "r"(1ul) : "memory");
        EQ(*(volatile u32 *)V, 0x11);
        *e1 = (DATA + 0x1000) | P | W | U;
        ASM("invpcid %0, %1" : : "m"(desc), "r"(2ul) : "memory");
        EQ(*(volatile u32 *)V, 0x22);
        TRAP0(13, 0, ASM("invpcid %0, %1" : : "m"(desc), "r"(4ul) : "memory"));
        desc.id = 0x1000;
        TRAP0(13, 0, ASM("invpcid %0, %1" : : "m"(desc), "r"(0ul) : "memory"));
    }
    set_cr3(root);
    set_cr4(cr4() & ~(1ul << 17));
}

static u64 through_gs;
static void read_gs(void) { ASM("movq %%gs:0, %%rax; movq %%rax, %0" : "=m"(through_gs) : : "rax", "memory"); }

/* A return to level 3 takes away the selector of an inner level's segment, not the base. */
static void returns_keep_bases(void)
{
    u64 value = 0x1122334455667788, old = rdmsr(0xc0000101);
    u16 sel = 0x10;
    ASM("mov %0, %%gs" : : "r"(sel));
    wrmsr(0xc0000101, (u64)&value);
    through_gs = 0;
    try3(read_gs);
    check_trap(-1, 0, __LINE__);
    EQ(through_gs, value);
    ASM("mov %%gs, %0" : "=r"(sel));
    EQ(sel, 0);
    wrmsr(0xc0000101, old);
}

static void bases(void)
{
    returns_keep_bases();
    static u64 cells[2] = { 0x1111, 0x2222 };
    u64 v;
    wrmsr(0xc0000100, (u64)cells);
    ASM("movq %%fs:8, %0" : "=r"(v));
    EQ(v, 0x2222);
    wrmsr(0xc0000101, (u64)cells);
    wrmsr(0xc0000102, (u64)&cells[1]);
    ASM("movq %%gs:0, %0" : "=r"(v));
    EQ(v, 0x1111);
    ASM("swapgs; movq %%gs:0, %0; swapgs" : "=r"(v));
    EQ(v, 0x2222);
    EQ(rdmsr(0xc0000101), cells);
    TRAP3(13, 0, ASM("swapgs"));
    TRAP0(6, 0, ASM("rdfsbase %%rax" : : : "rax"));
    if (has7(1, 0)) {
        set_cr4(cr4() | 1 << 16);
        ASM("wrgsbase %1; rdgsbase %0" : "=r"(v) : "r"(0x123456789ul));
        EQ(v, 0x123456789);
        ASM("wrfsbase %k1; rdfsbase %0" : "=r"(v) : "r"(0xfffffffffffffffful));
        EQ(v, 0xffffffff);
        TRAP3(13, 0, ASM("wrfsbase %0" : : "r"(1ul << 60)));
    }
    ASM("movl %0, %%fs; movl %0, %%gs" : : "r"(DATA0));
    EQ(rdmsr(0xc0000100), 0); /* a load gives the descriptor's base */
}

static u32 cpuid_of(u32 leaf, unsigned reg)
{
    u32 r[4];
    ASM("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "0"(leaf), "2"(0));
    return r[reg];
}

static void machine_msrs(void)
{
    enum { MC0_CTL = 0x400, MC0_STATUS, MC0_ADDR, MC0_MISC, MISC_ENABLE = 0x1a0, EFER = 0xc0000080 };
    if (cpuid_of(1, 3) >> 14 & 1) {
        TRAP0(13, 0, wrmsr(MC0_CTL, 0x1234));
        TRAP0(13, 0, wrmsr(MC0_STATUS, 1));
        wrmsr(MC0_STATUS, 0);
        wrmsr(MC0_ADDR, 0xaaaaaaaaaaaaaaaa);
        EQ(rdmsr(MC0_ADDR), 0xaaaaaaaaaaaaaaaa);
        wrmsr(MC0_MISC, ~0ul);
        EQ(rdmsr(MC0_MISC), ~0ul);
    }
    if (cpuid_of(0, 1) == 0x756e6547) { /* Intel's: XD bit disable (SDM 4, IA32_MISC_ENABLE bit 34) */
        u64 was = rdmsr(MISC_ENABLE);
        EQ(cpuid_of(0x80000001, 3) >> 20 & 1, 1);
        wrmsr(MISC_ENABLE, was | 1ul << 34);
        EQ(rdmsr(MISC_ENABLE), was | 1ul << 34);
        EQ(cpuid_of(0x80000001, 3) >> 20 & 1, 0);
        TRAP0(13, 0, wrmsr(EFER, rdmsr(EFER) | 1 << 11));
        wrmsr(MISC_ENABLE, was);
        wrmsr(EFER, rdmsr(EFER) | 1 << 11);
    }
}

static void supervisor_only(void)
{
    if (!has7(1, 7) || !has7(1, 20)) {
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        pd[i] &= ~(u64)U;
    }
    set_cr3(cr3());
    map(P | W | U, P | W | U, P | W | U, P | W | U);
    *(volatile u8 *)DATA = 0xc3;
    set_cr4(cr4() | 1 << 20);
    TRAP0(14, 17, fetch_it());
    set_cr4((cr4() & ~(1ul << 20)) | 1 << 21);
    TRAP0(14, 1, read_it());
    TRAP0(-1, 0, ASM("stac"); read_it(); ASM("clac"));
    TRAP0(14, 1, ASM("stac; clac"); read_it());
    set_cr4(cr4() & ~(1ul << 21));
    for (unsigned i = 0; i < 8; i++) {
        pd[i] |= U;
    }
    set_cr3(cr3());
}

int main(void)
{
    setup();
    traps();
    canonical();
    system_calls();
    wide_bases();
    gates();
    compatibility();
    paging();
    keys();
    pcid();
    bases();
    machine_msrs();
    supervisor_only();
    (void)on_trap;
    print_int(n_checks);
    print(" checks, ");
    print_int(n_failed);
    print(" failed\n");
    return n_failed != 0;
}
