/* test32.c: the run time of the 32-bit images. */
#include "test32.h"

u64 gdt[N_GDT], idt[256];
Tss tss;
Caught caught;
bool (*on_trap)(Frame *f);
unsigned n_checks, n_failed;
extern char stubs[], try_back[];
extern u32 try_result;

void print(const char *s)
{
    while (*s) {
        outb(0xe9, (u8)*s++);
    }
}

void print_hex(u32 v)
{
    for (int i = 28; i >= 0; i -= 4) {
        outb(0xe9, (u8)"0123456789abcdef"[v >> i & 15]);
    }
}

static void print_int(u32 v)
{
    if (v > 9) {
        print_int(v / 10);
    }
    outb(0xe9, (u8)('0' + v % 10));
}

static void failed(const char *file, int line)
{
    n_failed++;
    print("FAIL ");
    for (const char *p = file; *p; p++) {
        file = *p == '/' ? p + 1 : file;
    }
    print(file);
    print(":");
    print_int((u32)line);
    print(": ");
}

void check(bool ok, const char *what, const char *file, int line)
{
    n_checks++;
    if (!ok) {
        failed(file, line);
        print(what);
        print("\n");
    }
}

void check_eq(u32 a, u32 b, const char *what, const char *file, int line)
{
    n_checks++;
    if (a != b) {
        failed(file, line);
        print(what);
        print(" is ");
        print_hex(a);
        print(", not ");
        print_hex(b);
        print("\n");
    }
}

void check_trap(int vector, u32 error, const char *file, int line)
{
    n_checks++;
    if (caught.vector != vector || (vector >= 0 && caught.error != error)) {
        failed(file, line);
        print("trap ");
        print_hex((u32)caught.vector);
        print(" error ");
        print_hex(caught.error);
        print(" eip ");
        print_hex(caught.eip);
        print(", not ");
        print_hex((u32)vector);
        print(" error ");
        print_hex(error);
        print("\n");
    }
    caught.vector = -1;
}

u64 segment(u32 base, u32 limit, u8 access, u8 flags)
{
    return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit >> 16 & 15) << 48 | (u64)(flags >> 4) << 52 |
           (u64)(base >> 24) << 56;
}

u64 gate(u16 sel, u32 offset, u8 access, u8 params)
{
    return (offset & 0xffff) | (u64)sel << 16 | (u64)params << 32 | (u64)access << 40 | (u64)(offset >> 16) << 48;
}

void gdt_set(u16 sel, u64 d)
{
    gdt[sel >> 3] = d;
}

void gdt_load(void)
{
    struct { u16 limit; u32 base; } __attribute__((packed)) g = { sizeof(gdt) - 1, (u32)gdt }, i = { sizeof(idt) - 1, (u32)idt };

    ASM("lgdt %0; lidt %1" : : "m"(g), "m"(i));
}

/* From trap_common. Traps that nobody handles end the test that runs. */
void trap(Frame *f)
{
    if (on_trap && on_trap(f)) {
        return;
    }
    u32 cr2;
    ASM("movl %%cr2, %0" : "=r"(cr2));
    bool outer = (f->eflags & 1 << 17) || (f->cs & 3);
    caught = (Caught){ (int)f->vector, f->error, f->eip, f->cs & 0xffff, f->eflags, outer ? f->esp : (u32)&f->esp, outer ? f->ss & 0xffff : 0, cr2 };
    if (f->vector == 0x40) {
        caught.vector = -1;
    }
    try_result = caught.vector == -1;
    ASM("jmp try_back");
    __builtin_unreachable();
}

int main(void)
{
    gdt_set(CODE0, segment(0, 0xfffff, 0x9b, 0xc0));
    gdt_set(DATA0, segment(0, 0xfffff, 0x93, 0xc0));
    gdt_set(CODE3 & ~3, segment(0, 0xfffff, 0xfb, 0xc0));
    gdt_set(DATA3 & ~3, segment(0, 0xfffff, 0xf3, 0xc0));
    gdt_set(TSS, segment((u32)&tss, sizeof(tss) - 1, 0x89, 0));
    for (unsigned i = 0; i < 256; i++) {
        idt[i] = gate(CODE0, (u32)stubs + 16 * i, i == 0x40 || i == 3 || i == 4 ? 0xee : 0x8e, 0);
    }
    tss.ss0 = DATA0;
    tss.esp0 = 0x88000;
    tss.map = (u16)((u8 *)tss.io - (u8 *)&tss);
    for (unsigned i = 0; i < sizeof(tss.io); i++) {
        tss.io[i] = 0xff;
    }
    gdt_load();
    ASM("ljmp $8, $1f; 1:");
    ASM("ltr %w0" : : "r"(TSS));
    caught.vector = -1;

    test_segments();
    test_gates();
    test_tasks();
    test_interrupts();
    test_debug();
    test_vm86();
    test_paging();
    test_smm();
    print_int(n_checks);
    print(" checks, ");
    print_int(n_failed);
    print(" failed\n");
    return n_failed != 0;
}
