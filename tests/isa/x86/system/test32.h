/* test32.h: what the 32-bit images use: printing, descriptors, code that is expected to trap. */
#ifndef TEST32_H
#define TEST32_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

typedef struct Frame {
    u32 gs, fs, es, ds, edi, esi, ebp, esp_unused, ebx, edx, ecx, eax, vector, error, eip, cs, eflags, esp, ss;
    u32 vm_es, vm_ds, vm_fs, vm_gs;
} Frame;

/* The last trap caught; vector -1: none. */
typedef struct Caught { int vector; u32 error, eip, cs, eflags, esp, ss, cr2; } Caught;
extern Caught caught;

/* Selectors. 30h and up are for tests. */
enum { CODE0 = 8, DATA0 = 0x10, CODE3 = 0x1b, DATA3 = 0x23, TSS = 0x28, T0 = 0x30, N_GDT = 64 };
extern u64 gdt[N_GDT], idt[256];
typedef struct Tss {
    u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    u32 es, cs, ss, ds, fs, gs, ldt;
    u16 trap, map;
    u8 redirect[32], io[8193];
} __attribute__((packed)) Tss;
extern Tss tss;

/* A segment descriptor: access byte and flags (G D L AVL in the upper four bits) as in the manual. */
u64 segment(u32 base, u32 limit, u8 access, u8 flags);
u64 gate(u16 sel, u32 offset, u8 access, u8 params);
void gdt_set(u16 sel, u64 d);
void gdt_load(void);

bool try0(void (*fn)(void));
bool try3(void (*fn)(void));
extern u32 user_flags; /* EFLAGS at level 3 */
/* Handles a trap instead of catching it; true: go on where it happened (the frame may be changed). */
extern bool (*on_trap)(Frame *f);

void print(const char *s);
void print_hex(u32 v);
void check(bool ok, const char *what, const char *file, int line);
void check_trap(int vector, u32 error, const char *file, int line);
extern unsigned n_checks, n_failed;

#define CHECK(cond) check(cond, #cond, __FILE__, __LINE__)
#define CHECK_EQ(a, b) check_eq(a, b, #a, __FILE__, __LINE__)
void check_eq(u32 a, u32 b, const char *what, const char *file, int line);
/* Runs statements at level 0 or 3 and expects a trap; -1: none. */
#define TRAP0(vector, error, ...) do { void f_(void) { __VA_ARGS__; } try0(f_); check_trap(vector, error, __FILE__, __LINE__); } while (0)
#define TRAP3(vector, error, ...) do { void f_(void) { __VA_ARGS__; } try3(f_); check_trap(vector, error, __FILE__, __LINE__); } while (0)
#define ASM(...) __asm__ volatile(__VA_ARGS__)

static inline void outb(u16 port, u8 v) { ASM("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline u8 inb(u16 port) { u8 v; ASM("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline bool own_board(void) { return inb(0x503) == 0x58; }

void test_segments(void);
void test_gates(void);
void test_tasks(void);
void test_paging(void);
void test_debug(void);
void test_interrupts(void);
void test_vm86(void);
void test_smm(void);
#endif
