/* paging32.c: 32-bit and PAE paging: rights by level and CR0.WP, accessed and dirty bits, large pages, NX, error codes (SDM 4). */
#include "test32.h"

/* Identity for the first 16 MiB by large pages; the page at V is under test. */
enum { V = 0x01400000, DATA = 0x00300000, P = 1, W = 2, U = 4, A = 32, D = 64, PS = 128, G = 256 };
static u32 dir[1024] __attribute__((aligned(4096))), leaf[1024] __attribute__((aligned(4096)));
static u64 pd[4][512] __attribute__((aligned(4096))), pt[512] __attribute__((aligned(4096)));
static u64 pdpt[4] __attribute__((aligned(32)));
static bool pae, nx;

static void cr3(u32 v) { ASM("movl %0, %%cr3" : : "r"(v) : "memory"); }
static void cr0_bits(u32 set, u32 clear) { ASM("movl %%cr0, %%eax; orl %0, %%eax; andl %1, %%eax; movl %%eax, %%cr0" : : "r"(set), "r"(~clear) : "eax", "memory"); }
static void cr4_bits(u32 set, u32 clear) { ASM("movl %%cr4, %%eax; orl %0, %%eax; andl %1, %%eax; movl %%eax, %%cr4" : : "r"(set), "r"(~clear) : "eax", "memory"); }

static void set_pte(u64 rights) { if (pae) pt[0] = DATA | rights; else leaf[0] = DATA | (u32)rights; ASM("invlpg %0" : : "m"(*(u8 *)V) : "memory"); }
static void set_pde(u64 rights) { if (pae) pd[0][V >> 21] = (u32)pt | rights; else dir[V >> 22] = (u32)leaf | (u32)rights; ASM("invlpg %0" : : "m"(*(u8 *)V) : "memory"); }
static u64 pte(void) { return pae ? pt[0] : leaf[0]; }
static u64 pde(void) { return pae ? pd[0][V >> 21] : dir[V >> 22]; }

static void read_it(void) { ASM("movl (%0), %%eax" : : "r"(V) : "eax", "memory"); }
static void write_it(void) { ASM("movl %%eax, 8(%0)" : : "r"(V) : "memory"); }
static void fetch_it(void) { ASM("call *%0" : : "r"(V) : "memory"); }
static void write_again(void) { *(volatile u32 *)V = 1; *(volatile u32 *)V = 2; }

static int trap_of(void (*fn)(void), bool user)
{
    caught.vector = -1;
    if (user) {
        try3(fn);
    } else {
        try0(fn);
    }
    return caught.vector;
}

/* Every combination of the bits of both levels, of who accesses how, of WP. */
static void combinations(void)
{
    static void (*const access[3])(void) = { read_it, write_it, fetch_it };

    *(u8 *)DATA = 0xc3; /* RET */
    for (unsigned c = 0; c < 64 * 3 * 2 * 2; c++) {
        unsigned pde_bits = c & 7, pte_bits = c >> 3 & 7, how = c >> 6 & 3, user = c >> 8 & 1, wp = c >> 9 & 1;
        if (how == 3) {
            continue;
        }
        cr0_bits(wp << 16, wp ? 0 : 1 << 16);
        set_pde(pde_bits);
        set_pte(pte_bits);
        bool present = pde_bits & pte_bits & P, may_user = pde_bits & pte_bits & U, may_write = pde_bits & pte_bits & W;
        bool ok = present && (!user || may_user) && (how != 1 || may_write || (!user && !wp));
        u32 error = (present ? 1 : 0) | (how == 1 ? 2 : 0) | (user ? 4 : 0) | (how == 2 && nx ? 16 : 0);
        int vector = trap_of(access[how], user);
        check(vector == (ok ? -1 : 14), "trap", __FILE__, (int)(10000 + c));
        if (!ok && vector == 14) {
            check_eq(caught.error, error, "error code", __FILE__, (int)(10000 + c));
            check_eq(caught.cr2, how == 1 ? V + 8 : V, "CR2", __FILE__, (int)(10000 + c));
            check((pte() & (A | D)) == 0, "accessed after a fault", __FILE__, (int)(10000 + c));
        } else if (ok) {
            check((pde() & A) != 0, "accessed directory", __FILE__, (int)(10000 + c));
            check((pte() & (A | D)) == (u64)(A | (how == 1 ? D : 0)), "accessed, dirty", __FILE__, (int)(10000 + c));
        }
    }
    cr0_bits(1 << 16, 0);
}

static void dirty_later(void)
{
    set_pde(P | W | U);
    set_pte(P | W | U);
    read_it();
    CHECK_EQ((u32)pte() & (A | D), A);
    write_again();
    CHECK_EQ((u32)pte() & (A | D), A | D);
}

static void large(void)
{
    unsigned shift = pae ? 21 : 22;
    u64 e = 0x00c00000 | P | W | PS;
    if (pae) {
        pd[0][V >> shift] = e;
    } else {
        dir[V >> shift] = (u32)e;
    }
    cr3(pae ? (u32)pdpt : (u32)dir);
    *(volatile u32 *)(V + 0x12344) = 0x77;
    CHECK_EQ(*(volatile u32 *)(0x00c00000 + 0x12344), 0x77);
    CHECK_EQ((u32)pde() & (A | D), A | D);
    /* Reserved bits below the page. */
    if (pae) {
        pd[0][V >> shift] = e | 1 << 13;
    } else {
        dir[V >> shift] = (u32)e | 1 << 21;
    }
    cr3(pae ? (u32)pdpt : (u32)dir);
    trap_of(read_it, false);
    CHECK_EQ(caught.error, 9);
    check_trap(14, 9, __FILE__, __LINE__);
}

static void stale(void)
{
    /* A translation may stay until INVLPG; after it, it may not. */
    set_pde(P | W | U);
    set_pte(P | W | U);
    *(volatile u32 *)V = 0x11;
    *(volatile u32 *)(DATA + 0x1000) = 0x22;
    if (pae) {
        pt[0] = (DATA + 0x1000) | P | W | U;
    } else {
        leaf[0] = (DATA + 0x1000) | P | W | U;
    }
    ASM("invlpg %0" : : "m"(*(u8 *)V) : "memory");
    CHECK_EQ(*(volatile u32 *)V, 0x22);
    /* Global pages outlive CR3. */
    cr4_bits(128, 0);
    set_pte(P | W | G);
    CHECK_EQ(*(volatile u32 *)V, 0x11);
    cr3(pae ? (u32)pdpt : (u32)dir);
    CHECK_EQ(*(volatile u32 *)V, 0x11);
    cr4_bits(0, 128);
    set_pte(P | W | U);
}

static void execute_disable(void)
{
    u32 a = 0x80000001, b, c, d;
    ASM("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    if (!(d & 1 << 20)) {
        return;
    }
    set_pde(P | W | U);
    set_pte(P | W | U | 1ull << 63);
    trap_of(read_it, false);
    check_trap(14, 9, __FILE__, __LINE__); /* reserved without EFER.NXE */
    ASM("movl $0xc0000080, %%ecx; rdmsr; orl $0x800, %%eax; wrmsr" : : : "eax", "ecx", "edx");
    trap_of(read_it, false);
    check_trap(-1, 0, __FILE__, __LINE__);
    trap_of(fetch_it, false);
    check_trap(14, 17, __FILE__, __LINE__);
    trap_of(fetch_it, true);
    check_trap(14, 21, __FILE__, __LINE__);
    nx = true;
    combinations();
    nx = false;
    ASM("movl $0xc0000080, %%ecx; rdmsr; andl $~0x800, %%eax; wrmsr" : : : "eax", "ecx", "edx");
}

static void identity(u32 rights)
{
    for (unsigned i = 0; i < 8; i++) {
        dir[i / 2] = (i / 2) << 22 | rights | PS;
        pd[0][i] = (u64)i << 21 | rights | PS;
    }
    cr3(pae ? (u32)pdpt : (u32)dir);
}

static void smep_smap(void)
{
    u32 a = 7, b, c = 0, d;
    ASM("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (!(b & 1 << 7) || !(b & 1 << 20)) {
        return;
    }
    set_pde(P | W | U);
    set_pte(P | W | U);
    *(u8 *)DATA = 0xc3;
    identity(P | W); /* what runs is the supervisor's */
    cr4_bits(1 << 20, 0);
    trap_of(fetch_it, false);
    check_trap(14, 17, __FILE__, __LINE__);
    cr4_bits(1 << 21, 1 << 20);
    trap_of(read_it, false);
    check_trap(14, 1, __FILE__, __LINE__);
    trap_of(write_it, false);
    check_trap(14, 3, __FILE__, __LINE__);
    void with_stac(void) { ASM("stac"); read_it(); write_it(); ASM("clac"); }
    trap_of(with_stac, false);
    check_trap(-1, 0, __FILE__, __LINE__);
    set_pte(P | W);
    trap_of(read_it, false);
    check_trap(-1, 0, __FILE__, __LINE__);
    cr4_bits(0, 1 << 21);
    identity(P | W | U);
}

/* A store over a page edge into nothing changes nothing; CR2 is the second page. */
static void edges(void)
{
    set_pde(P | W | U);
    set_pte(P | W | U);
    if (pae) {
        pt[1] = 0;
    } else {
        leaf[1] = 0;
    }
    *(volatile u32 *)(V + 0xffc) = 0x12345678;
    void cross(void) { ASM("movl %1, (%0)" : : "r"(V + 0xffe), "r"(0) : "memory"); }
    trap_of(cross, false);
    CHECK_EQ(caught.cr2, V + 0x1000);
    check_trap(14, 2, __FILE__, __LINE__);
    CHECK_EQ(*(volatile u32 *)(V + 0xffc), 0x12345678);
}

void test_paging(void)
{
    for (unsigned i = 0; i < 4; i++) {
        dir[i] = i << 22 | P | W | U | PS;
    }
    cr4_bits(16, 0);
    cr3((u32)dir);
    set_pde(P | W | U);
    cr0_bits(0x80010000, 0);
    combinations();
    dirty_later();
    large();
    stale();
    smep_smap();
    edges();
    cr0_bits(0, 0x80000000);

    pae = true;
    for (unsigned i = 0; i < 8; i++) {
        pd[0][i] = (u64)i << 21 | P | W | U | PS;
    }
    pdpt[0] = (u32)pd[0] | P;
    cr4_bits(32, 0);
    cr3((u32)pdpt);
    cr0_bits(0x80000000, 0);
    combinations();
    dirty_later();
    large();
    stale();
    execute_disable();
    smep_smap();
    edges();
    /* A PDPTE is a register: what is in memory counts from the next CR3. Reserved bits are #GP there. */
    pdpt[1] = 6 | P;
    void load(void) { cr3((u32)pdpt); }
    trap_of(load, false);
    check_trap(13, 0, __FILE__, __LINE__);
    pdpt[1] = 0;
    cr3((u32)pdpt);
    cr0_bits(0, 0x80000000);
    cr4_bits(0, 48);
}
