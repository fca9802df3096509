/* smm.c: an SMI, what the handler finds, and RSM; SMBASE moved (SDM 31). The SMI comes from the board's own port. */
#include "test32.h"


/* 16-bit code at SMBASE + 8000h: a marker, the revision, then RSM. */
static void install(u32 smbase, const u8 *code, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        ((volatile u8 *)smbase)[0x8000 + i] = code[i];
    }
}

void test_smm(void)
{
    if (!own_board()) {
        return;
    }
    bool is64;
    static const u8 handler[] = {
        0x0f, 0x20, 0xc0,                         /* mov eax, cr0 (32 bits) */
        0x66, 0x67, 0xa3, 0x00, 0x20, 0x06, 0x00, /* mov [62000], eax */
        0x66, 0x67, 0xc7, 0x05, 0x04, 0x20, 0x06, 0x00, 0x5a, 0xa5, 0x01, 0x00, /* mov dword [62004], 1a55a */
        0x8c, 0xc8,                               /* mov ax, cs */
        0x67, 0xa3, 0x08, 0x20, 0x06, 0x00,       /* mov [62008], ax */
        0x0f, 0xaa,                               /* rsm */
    };
    volatile u32 *out = (volatile u32 *)0x62000;
    out[0] = out[1] = out[2] = 0;
    install(0x30000, handler, sizeof(handler));
    u32 flags, ebx = 0x1234567;
    ASM("stc; movl $0x500, %%edx; outb %%al, %%dx; nop; pushfl; popl %0" : "=r"(flags), "+b"(ebx) : : "edx", "cc", "memory");
    CHECK_EQ(out[1], 0x1a55a);
    CHECK_EQ(out[0] & 0x80000001, 0); /* CR0: no PE, no PG */
    CHECK_EQ(out[2] & 0xffff, 0x3000);
    CHECK_EQ(flags & 1, 1);
    CHECK_EQ(ebx, 0x1234567);
    u32 rev = *(volatile u32 *)0x3fefc;
    CHECK(rev == 0x20064 || rev == 0x30000);
    is64 = rev == 0x20064;
    /* SMBASE moves by the save map. */
    u8 mover[] = { 0x66, 0x67, 0xc7, 0x05, is64 ? 0x00 : 0xf8, is64 ? 0xff : 0xfe, 0x03, 0x00, 0x00, 0x00, 0x04, 0x00, 0x0f, 0xaa };
    install(0x30000, mover, sizeof(mover));
    outb(0x500, 0);
    out[1] = out[2] = 0;
    install(0x40000, handler, sizeof(handler));
    outb(0x500, 0);
    CHECK_EQ(out[1], 0x1a55a);
    CHECK_EQ(out[2] & 0xffff, 0x4000);
    on_trap = NULL;
    TRAP0(6, 0, ASM(".byte 0x0f, 0xaa")); /* RSM outside */
}
