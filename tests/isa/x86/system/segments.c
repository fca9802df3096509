/* segments.c: loads of segment registers, limits and rights of accesses, LAR, LSL, VERR, VERW, ARPL (SDM 3.4, 6.2-6.10). */
#include "test32.h"

#define LOAD(reg, sel) ASM("movw %w0, %%" #reg : : "r"(sel))
#define READ8(reg, at) ASM("movb %%" #reg ":(%0), %%al" : : "r"(at) : "eax", "memory")
#define READ16(reg, at) ASM("movw %%" #reg ":(%0), %%ax" : : "r"(at) : "eax", "memory")
#define READ32(reg, at) ASM("movl %%" #reg ":(%0), %%eax" : : "r"(at) : "eax", "memory")
#define WRITE8(reg, at) ASM("movb %%al, %%" #reg ":(%0)" : : "r"(at), "a"(0) : "memory")

enum { D = T0 }; /* the descriptor under test */

static void loads(void)
{
    gdt_set(D, segment(0, 0xfffff, 0x93, 0xc0));
    TRAP0(-1, 0, LOAD(es, D));
    TRAP0(13, D, LOAD(es, D | 3));
    CHECK((gdt[D >> 3] >> 40 & 1) == 1);
    gdt_set(D, segment(0, 0xfffff, 0x92, 0xc0));
    TRAP0(-1, 0, LOAD(fs, D));
    CHECK_EQ((u32)(gdt[D >> 3] >> 40 & 0xff), 0x93); /* accessed */
    gdt_set(D, segment(0, 0xfffff, 0x13, 0xc0));
    TRAP0(11, D, LOAD(es, D));
    TRAP0(12, D, LOAD(ss, D));
    gdt_set(D, segment(0, 0xfffff, 0x9b, 0xc0));
    TRAP0(-1, 0, LOAD(es, D)); /* readable code */
    TRAP0(13, D, LOAD(ss, D));
    gdt_set(D, segment(0, 0xfffff, 0x99, 0xc0));
    TRAP0(13, D, LOAD(es, D)); /* execute-only */
    gdt_set(D, segment(0, 0xfffff, 0x91, 0xc0));
    TRAP0(-1, 0, LOAD(es, D)); /* read-only */
    TRAP0(13, D, LOAD(ss, D));
    gdt_set(D, segment(0, 0xfffff, 0x89, 0x00));
    TRAP0(13, D, LOAD(es, D)); /* a TSS */
    gdt_set(D, segment(0, 0xfffff, 0xf3, 0xc0));
    TRAP0(13, D, LOAD(ss, D | 3)); /* CPL is not 3 */
    TRAP0(13, D, LOAD(ss, D));
    TRAP0(13, 0, LOAD(ss, 0));
    TRAP0(13, 0, LOAD(ss, 3));
    TRAP0(-1, 0, LOAD(es, 0));
    TRAP0(-1, 0, LOAD(gs, 3));
    TRAP0(13, 0xfff8, LOAD(es, 0xfff8)); /* beyond the table */
    TRAP0(13, D | 4, LOAD(es, D | 4)); /* no LDT */
    TRAP0(6, 0, ASM(".byte 0x8e, 0xc8")); /* MOV CS, EAX */
}

static void levels(void)
{
    gdt_set(D, segment(0, 0xfffff, 0x93, 0xc0));
    TRAP3(13, D, LOAD(es, D | 3));
    TRAP3(13, D, LOAD(es, D));
    gdt_set(D, segment(0, 0xfffff, 0xf3, 0xc0));
    TRAP3(-1, 0, LOAD(es, D));
    TRAP3(-1, 0, LOAD(es, D | 3));
    gdt_set(D, segment(0, 0xfffff, 0x9f, 0xc0));
    TRAP3(-1, 0, LOAD(es, D | 3)); /* conforming */
    gdt_set(D, segment(0, 0xfffff, 0xd3, 0xc0));
    TRAP0(-1, 0, LOAD(es, D | 2));
    TRAP0(13, D, LOAD(es, D | 3));
}

static void limits(void)
{
    gdt_set(D, segment(0x200000, 0xfff, 0x93, 0x40));
    TRAP0(-1, 0, LOAD(es, D); READ8(es, 0xfff));
    TRAP0(13, 0, LOAD(es, D); READ8(es, 0x1000));
    TRAP0(-1, 0, LOAD(es, D); READ16(es, 0xffe));
    TRAP0(13, 0, LOAD(es, D); READ16(es, 0xfff));
    TRAP0(-1, 0, LOAD(es, D); READ32(es, 0xffc));
    TRAP0(13, 0, LOAD(es, D); READ32(es, 0xffd));
    TRAP0(13, 0, LOAD(es, D); READ32(es, 0xffffffff));
    TRAP0(13, 0, LOAD(es, D); WRITE8(es, 0x1000));
    TRAP0(13, 0, LOAD(es, D); ASM("movl $0xffe, %%edi; movl $2, %%ecx; rep stosw" : : : "edi", "ecx", "memory"));
    gdt_set(D, segment(0x200000, 0, 0x93, 0xc0));
    TRAP0(-1, 0, LOAD(fs, D); READ8(fs, 0xfff)); /* granularity */
    TRAP0(13, 0, LOAD(fs, D); READ8(fs, 0x1000));
    gdt_set(D, segment(0, 0xfffff, 0x91, 0xc0));
    TRAP0(-1, 0, LOAD(gs, D); READ8(gs, 0x100000));
    TRAP0(13, 0, LOAD(gs, D); WRITE8(gs, 0x200000));
    TRAP0(13, 0, LOAD(es, 0); READ8(es, 0x100000));
    TRAP0(13, 0, LOAD(es, 3); WRITE8(es, 0x100000));
    TRAP0(-1, 0, READ8(cs, 0x100000));
    TRAP0(13, 0, WRITE8(cs, 0x200000));
    gdt_set(D, segment(0, 0xfffff, 0x9b, 0xc0));
    TRAP0(13, 0, LOAD(es, D); WRITE8(es, 0x200000));
    /* Through SS it is #SS; at level 3, where the handler has another stack. */
    gdt_set(D, segment(0, 0xff, 0xf3, 0xc0));
    TRAP3(12, 0, LOAD(ss, D | 3); READ8(ss, 0x100000));
    TRAP3(12, 0, LOAD(ss, D | 3); ASM("movl $0x200000, %%esp; pushl %%eax" : : : "memory"));
}

static void expand_down(void)
{
    gdt_set(D, segment(0x200000, 0xfff, 0x97, 0x40));
    TRAP0(13, 0, LOAD(es, D); READ8(es, 0xfff));
    TRAP0(-1, 0, LOAD(es, D); READ8(es, 0x1000));
    TRAP0(13, 0, LOAD(es, D); READ32(es, 0xffe));
    TRAP0(-1, 0, LOAD(es, D); READ32(es, 0x10000));
    gdt_set(D, segment(0x200000, 0xfff, 0x97, 0x00)); /* 16 bits: up to 64 KiB */
    TRAP0(-1, 0, LOAD(es, D); READ8(es, 0xffff));
    TRAP0(13, 0, LOAD(es, D); READ8(es, 0x10000));
    TRAP0(13, 0, LOAD(es, D); READ16(es, 0xffff));
}

static u32 lar(u16 sel, bool *ok)
{
    u32 v = 0x12345678;
    ASM("lar %2, %0; setz %1" : "+r"(v), "=qm"(*ok) : "r"((u32)sel) : "cc");
    return v;
}

static u32 lsl(u16 sel, bool *ok)
{
    u32 v = 0x12345678;
    ASM("lsl %2, %0; setz %1" : "+r"(v), "=qm"(*ok) : "r"((u32)sel) : "cc");
    return v;
}

static bool verr(u16 sel) { bool ok; ASM("verr %w1; setz %0" : "=qm"(ok) : "r"(sel) : "cc"); return ok; }
static bool verw(u16 sel) { bool ok; ASM("verw %w1; setz %0" : "=qm"(ok) : "r"(sel) : "cc"); return ok; }

static void verify(void)
{
    static const struct { u8 access; bool lar, lsl, verr, verw; } rows[] = {
        { 0x93, 1, 1, 1, 1 }, { 0x91, 1, 1, 1, 0 }, { 0x9b, 1, 1, 1, 0 }, { 0x99, 1, 1, 0, 0 }, { 0x13, 1, 1, 1, 1 },
        { 0x81, 1, 1, 0, 0 }, { 0x82, 1, 1, 0, 0 }, { 0x83, 1, 1, 0, 0 }, { 0x84, 1, 0, 0, 0 }, { 0x85, 1, 0, 0, 0 },
        { 0x86, 0, 0, 0, 0 }, { 0x87, 0, 0, 0, 0 }, { 0x89, 1, 1, 0, 0 }, { 0x8b, 1, 1, 0, 0 }, { 0x8c, 1, 0, 0, 0 },
        { 0x8e, 0, 0, 0, 0 }, { 0x8f, 0, 0, 0, 0 }, { 0x80, 0, 0, 0, 0 }, { 0x88, 0, 0, 0, 0 },
    };
    bool ok;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        gdt_set(D, segment(0, 0x12345, rows[i].access, 0x40));
        u32 rights = lar(D, &ok);
        check(ok == rows[i].lar, "LAR", __FILE__, rows[i].access);
        CHECK_EQ(rights, rows[i].lar ? 0x410000u | (u32)rows[i].access << 8 : 0x12345678);
        u32 limit = lsl(D, &ok);
        check(ok == rows[i].lsl, "LSL", __FILE__, rows[i].access);
        CHECK_EQ(limit, rows[i].lsl ? 0x12345u : 0x12345678);
        check(verr(D) == rows[i].verr, "VERR", __FILE__, rows[i].access);
        check(verw(D) == rows[i].verw, "VERW", __FILE__, rows[i].access);
    }
    gdt_set(D, segment(0, 0x12345, 0x93, 0xc0));
    CHECK_EQ(lsl(D, &ok), 0x12345fff);
    CHECK(!verr(0) && !verr(0xfff8));
    lar(D | 3, &ok);
    CHECK(!ok); /* RPL above DPL */
    gdt_set(D, segment(0, 0x12345, 0x9f, 0xc0));
    lar(D | 3, &ok);
    CHECK(ok);
    u16 sel = 0x10;
    ASM("arpl %w2, %w0; setz %1" : "+r"(sel), "=qm"(ok) : "r"((u16)0x1b) : "cc");
    CHECK(ok && sel == 0x13);
    ASM("arpl %w2, %w0; setz %1" : "+r"(sel), "=qm"(ok) : "r"((u16)0x1a) : "cc");
    CHECK(!ok && sel == 0x13);
}

static void tables(void)
{
    u64 ldt[2] __attribute__((aligned(8))) = { 0, segment(0, 0xfffff, 0x93, 0xc0) };
    gdt_set(D, segment((u32)ldt, sizeof(ldt) - 1, 0x82, 0));
    TRAP0(-1, 0, ASM("lldt %w0" : : "r"(D)));
    TRAP0(-1, 0, LOAD(es, 8 | 4); READ8(es, 0x100000));
    TRAP0(13, 0x10 | 4, LOAD(es, 0x10 | 4));
    TRAP0(13, 0xc, ASM("lldt %w0" : : "r"(8 | 4)));
    TRAP0(13, DATA0, ASM("lldt %w0" : : "r"(DATA0)));
    u32 sel;
    ASM("sldt %0" : "=r"(sel));
    CHECK_EQ(sel & 0xffff, D);
    gdt_set(D, segment((u32)ldt, sizeof(ldt) - 1, 0x02, 0));
    TRAP0(11, D, ASM("lldt %w0" : : "r"(D)));
    TRAP0(-1, 0, ASM("lldt %w0" : : "r"(0)));
    TRAP0(13, 8 | 4, LOAD(es, 8 | 4));
    ASM("str %0" : "=r"(sel));
    CHECK_EQ(sel & 0xffff, TSS);
    TRAP0(13, TSS, ASM("ltr %w0" : : "r"(TSS))); /* busy */
    TRAP0(13, 0, ASM("ltr %w0" : : "r"(0)));
    TRAP3(13, 0, ASM("ltr %w0" : : "r"(TSS)));
    TRAP3(13, 0, ASM("lldt %w0" : : "r"(0)));
    TRAP3(13, 0, ASM("lgdt 0xf0000"));
    TRAP3(13, 0, ASM("movl %%cr0, %%eax" : : : "eax"));
    TRAP3(13, 0, ASM("hlt"));
    TRAP3(13, 0, ASM("clts"));
    TRAP3(13, 0, ASM("invd"));
    TRAP3(13, 0, ASM("rdmsr"));
    TRAP3(13, 0, ASM("movl %%dr0, %%eax" : : : "eax"));
    TRAP0(6, 0, ASM("movl %%cr1, %%eax" : : : "eax"));
    TRAP0(6, 0, ASM("movl %%eax, %%cr5" : : ));
    struct { u16 limit; u32 base; } __attribute__((packed)) t;
    ASM("sgdt %0" : "=m"(t));
    CHECK(t.limit == sizeof(gdt) - 1 && t.base == (u32)gdt);
    ASM("sidt %0" : "=m"(t));
    CHECK(t.limit == sizeof(idt) - 1 && t.base == (u32)idt);
}

/* PUSH of a segment register, POP, far pointers. */
static void moves(void)
{
    u32 sel, got;
    gdt_set(D, segment(0, 0xfffff, 0x93, 0xc0));
    ASM("pushl %2; popl %%gs; movl %%gs, %0; pushl %%gs; popl %1" : "=&r"(sel), "=r"(got) : "r"(D));
    CHECK_EQ(sel & 0xffff, D);
    CHECK_EQ(got & 0xffff, D);
    struct { u32 offset; u16 sel; } __attribute__((packed)) p = { 0x1234567, D };
    ASM("lfs %2, %0; movl %%fs, %1" : "=&r"(got), "=r"(sel) : "m"(p));
    CHECK_EQ(got, 0x1234567);
    CHECK_EQ(sel & 0xffff, D);
    p.sel = 0xfff0;
    got = 7;
    TRAP0(13, 0xfff0, ASM("lfs %0, %%ebx" : : "m"(p) : "ebx"));
    ASM("movl %0, %%gs; movl %0, %%fs" : : "r"(DATA0));
}

void test_segments(void)
{
    loads();
    levels();
    limits();
    expand_down();
    verify();
    tables();
    moves();
}
