/*
 * traps.c: bare-metal checks of the privileged architecture on the virt board: traps, delegation, CSRs, page tables, PMP,
 * interrupts, timers. The exit status is the number of the failed check modulo 251 plus one; its line goes to the UART.
 */
#include <stdint.h>

#if __riscv_xlen == 64
typedef uint64_t u64;
#else
typedef uint32_t u64; /* a register */
#endif
struct { u64 cause, epc, tval, mode, pad, mstatus, sstatus; } extern volatile trap;
long run(u64 mode, const void *pc, u64 a0, u64 a1);
void finish(long code);
extern char m_trap[], s_trap[], user_page[];
#define BODY(x) extern char do_##x[];
BODY(ecall) BODY(load) BODY(store) BODY(illegal) BODY(fetch) BODY(wfi) BODY(sret) BODY(mret) BODY(sfence) BODY(satp)
BODY(fadd) BODY(rdtime) BODY(ebreak) BODY(amo) BODY(lr) BODY(cbo_zero) BODY(spin) BODY(flw) BODY(seed) BODY(load_value)

#define csrr_(r) ({ u64 v_; __asm__ volatile("csrr %0, " #r : "=r"(v_)); v_; })
#define csrr(r) csrr_(r)
#define csrw_(r, v) __asm__ volatile("csrw " #r ", %0" :: "r"((u64)(v)) : "memory")
#define csrw(r, v) csrw_(r, v)
#define csrs(r, v) __asm__ volatile("csrs " #r ", %0" :: "r"((u64)(v)) : "memory")
#define csrc(r, v) __asm__ volatile("csrc " #r ", %0" :: "r"((u64)(v)) : "memory")
#define fence_vma() __asm__ volatile("sfence.vma" ::: "memory")

static void putch(char c) { *(volatile uint8_t *)0x10000000 = (uint8_t)c; }
static void puts_(const char *s) { while (*s) putch(*s++); }
static void puthex(u64 v)
{
    for (int i = __riscv_xlen - 4; i >= 0; i -= 4) {
        putch("0123456789abcdef"[v >> i & 15]);
    }
}

static unsigned n_checks, n_failed;
static void check(int line, u64 got, u64 want)
{
    n_checks++;
    if (got != want) {
        n_failed++;
        puts_("line ");
        for (int d = 1000; d; d /= 10) {
            putch((char)('0' + line / d % 10));
        }
        puts_(": got ");
        puthex(got);
        puts_(" want ");
        puthex(want);
        puts_("\n");
    }
}
#define CHECK(got, want) check(__LINE__, (u64)(got), (u64)(want))

enum { U, S, M = 3 };
enum { SIE = 2, MIE = 8, SPIE = 32, MPIE = 128, SPP = 256, FS = 3 << 13, MPRV = 1 << 17, SUM = 1 << 18, MXR = 1 << 19,
       TVM = 1 << 20, TW = 1 << 21, TSR = 1 << 22 };
#define MPP (3u << 11)

enum { RV64 = __riscv_xlen == 64, HALF = sizeof(u64) / 2, ENTRIES = 4096 / sizeof(u64), INDEX_BITS = RV64 ? 9 : 10,
       BIG_MASK = (1 << (12 + INDEX_BITS)) - 1 };

/* 64-bit registers that RV32 has in halves. */
#if __riscv_xlen == 64
#define csrw64(r, rh, v) csrw(r, v)
#define load64(p) (*(volatile uint64_t *)(p))
#define store64(p, v) (*(volatile uint64_t *)(p) = (v))
#else
#define csrw64(r, rh, v) do { uint64_t w_ = (v); csrw(rh, w_ >> 32); csrw(r, (u64)w_); } while (0)
static uint64_t load64(u64 p)
{
    volatile uint32_t *w = (volatile uint32_t *)p;
    uint32_t hi, lo;
    do {
        hi = w[1];
        lo = w[0];
    } while (hi != w[1]);
    return (uint64_t)hi << 32 | lo;
}
static void store64(u64 p, uint64_t v)
{
    volatile uint32_t *w = (volatile uint32_t *)p;
    w[1] = ~0u;
    w[0] = (uint32_t)v;
    w[1] = v >> 32;
}
#endif
#define menvcfg(v) csrw64(0x30a, 0x31a, v)
#define stimecmp(v) csrw64(0x14d, 0x15d, v)

/* -- page tables: a pool of pages, Sv32/39/48/57 --------------------------------------------------------- */

enum { PV = 1, PR = 2, PW = 4, PX = 8, PU = 16, PG = 32, PA = 64, PD = 128 };
static u64 pool[64][ENTRIES] __attribute__((aligned(4096)));
static unsigned pool_used;
static u64 data_pages[4][ENTRIES] __attribute__((aligned(4096)));
static u64 *root;
static int levels;

static u64 *new_table(void)
{
    u64 *t = pool[pool_used++];
    for (int i = 0; i < ENTRIES; i++) {
        t[i] = 0;
    }
    return t;
}

static u64 *pte_of(u64 va, int leaf_level)
{
    u64 *t = root;
    for (int l = levels - 1; l > leaf_level; l--) {
        u64 *e = &t[va >> (12 + INDEX_BITS * l) & (ENTRIES - 1)];
        if (!*e) {
            *e = (u64)new_table() >> 12 << 10 | PV;
        }
        t = (u64 *)((*e >> 10) << 12);
    }
    return &t[va >> (12 + INDEX_BITS * leaf_level) & (ENTRIES - 1)];
}

static void map(u64 va, u64 pa, u64 flags, int level)
{
    *pte_of(va, level) = pa >> 12 << 10 | flags;
}

static void paging(int n_levels)
{
    pool_used = 0;
    levels = n_levels;
    root = new_table();
    map(0x80000000, 0x80000000, PV | PR | PW | PX | PA | PD, RV64 ? 2 : 1);   /* ourselves, for S */
#if __riscv_xlen == 64
    csrw(satp, (u64)(n_levels + 5) << 60 | (u64)root >> 12);
#else
    csrw(satp, 1u << 31 | (u64)root >> 12);
#endif
    fence_vma();
}

static void pmp_open(void)
{
    csrw(pmpaddr0, ~0ull);
    csrw(pmpcfg0, 0x1f);
}

/* -- the checks --------------------------------------------------------------------------------------------- */

static void test_csrs(void)
{
    u64 st = csrr(mstatus);
    csrw(mstatus, (st & ~(u64)MPP) | 2 << 11);                  /* reserved mode: keeps the old one */
    CHECK(csrr(mstatus) & MPP, st & MPP);
    csrw(mstatus, st);
    CHECK(csrr(mhartid), 0);
    CHECK(csrr(misa) >> (__riscv_xlen - 2), RV64 ? 2 : 1);
    csrw(mtvec, (u64)m_trap | 3);
    CHECK(csrr(mtvec) & 2, 0);
    csrw(mtvec, m_trap);
    csrw(mepc, 0x80000003);
    CHECK(csrr(mepc), 0x80000002);
    csrw(medeleg, ~0ull);
    CHECK(csrr(medeleg) & 1 << 11, 0);
    csrw(medeleg, 0);
    csrw(mideleg, ~0ull);
    CHECK(csrr(mideleg) & 0xaaa, 0x222);
    csrw(mideleg, 0);
    csrw(mie, ~0ull);
    CHECK(csrr(mie) & 0xaaa, 0xaaa);
    csrw(mie, 0);
#if __riscv_xlen == 64
    csrw(satp, 5ull << 60);                                     /* unknown mode: ignored */
    CHECK(csrr(satp), 0);
#endif
    csrw(mscratch, (u64)0x123456789abcdef0);
    CHECK(csrr(mscratch), (u64)0x123456789abcdef0);
    u64 a = csrr(mcycle), b = csrr(mcycle);
    CHECK(b >= a, 1);
    csrw(mcountinhibit, 5);
    a = csrr(minstret);
    for (volatile int i = 0; i < 100; i++) {
    }
    CHECK(csrr(minstret), a);
    csrw(mcountinhibit, 0);
    csrs(mstatus, FS);
    CHECK(csrr(mstatus) >> (__riscv_xlen - 1), 1);
    csrc(mstatus, FS);
    CHECK(csrr(mstatus) >> (__riscv_xlen - 1), 0);
}

static void test_traps(void)
{
    CHECK(run(M, do_ecall, 0, 0), 11);
    CHECK(trap.epc, do_ecall);
    CHECK(trap.tval, 0);
    CHECK(trap.mstatus & MPP, MPP);
    CHECK(run(M, do_illegal, 0, 0), 2);
    CHECK(trap.tval, 0xffffffff);
    CHECK(run(M, do_seed, 0, 0), 2);                            /* never read without a write */
    CHECK(run(M, do_ebreak, 0, 0), 3);
    CHECK(trap.tval, do_ebreak);
    CHECK(run(U, do_ecall, 0, 0), 1);                           /* no PMP entry: U cannot fetch */
    pmp_open();
    CHECK(run(U, do_ecall, 0, 0), 8);
    CHECK(trap.mstatus & MPP, 0);
    CHECK(run(S, do_ecall, 0, 0), 9);
    CHECK(trap.mstatus & MPP, 1 << 11);
    csrw(stvec, s_trap);
    csrw(medeleg, 1 << 8 | 1 << 3);
    CHECK(run(U, do_ecall, 0, 0), 8);
    CHECK(trap.mode, 1);
    CHECK(trap.sstatus & SPP, 0);
    CHECK(run(S, do_ebreak, 0, 0), 3);
    CHECK(trap.mode, 1);
    CHECK(trap.sstatus & SPP, SPP);
    CHECK(run(M, do_ebreak, 0, 0), 3);                          /* never delegated from M */
    CHECK(trap.mode, 3);
    csrw(medeleg, 0);
    CHECK(run(U, do_sret, 0, 0), 2);
    CHECK(run(U, do_mret, 0, 0), 2);
    CHECK(run(S, do_mret, 0, 0), 2);
    CHECK(run(U, do_sfence, 0, 0), 2);
    CHECK(run(S, do_sfence, 0, 0), 9);
    csrs(mstatus, TVM);
    CHECK(run(S, do_sfence, 0, 0), 2);
    CHECK(run(S, do_satp, 0, 0), 2);
    CHECK(trap.tval, *(uint32_t *)do_satp);
    csrc(mstatus, TVM);
    CHECK(run(S, do_satp, 0, 0), 9);
    csrs(mstatus, TSR);
    CHECK(run(S, do_sret, 0, 0), 2);
    csrc(mstatus, TSR);
    csrs(mstatus, TW);
    CHECK(run(S, do_wfi, 0, 0), 2);
    csrc(mstatus, TW);
    csrw(sepc, do_ecall);
    csrc(mstatus, SPP);
    CHECK(run(S, do_sret, 0, 0), 8);                            /* sret to U */
    csrw(sepc, do_ecall);
    csrs(mstatus, SPP);
    CHECK(run(S, do_sret, 0, 0), 9);
    /* floating point off, on, dirty */
    csrc(mstatus, FS);
    CHECK(run(S, do_fadd, 0, 0), 2);
    csrs(mstatus, 1 << 13);
    CHECK(run(S, do_fadd, 0, 0), 9);
    CHECK(csrr(mstatus) & FS, FS);
    csrc(mstatus, FS);
    csrs(mstatus, 2 << 13);
    CHECK(run(U, do_flw, (u64)data_pages, 0), 8);
    CHECK(csrr(mstatus) & FS, FS);
    /* counters */
    csrw(mcounteren, 0);
    CHECK(run(S, do_rdtime, 0, 0), 2);
    csrw(mcounteren, 2);
    csrw(scounteren, 0);
    CHECK(run(S, do_rdtime, 0, 0), 9);
    CHECK(run(U, do_rdtime, 0, 0), 2);
    csrw(scounteren, 2);
    CHECK(run(U, do_rdtime, 0, 0), 8);
    /* alignment, bus errors */
    u64 amo = run(M, do_amo, (u64)data_pages + 14, 1);          /* with Zama16b it may work */
    CHECK(amo == 6 || amo == 11, 1);
    CHECK(trap.tval, amo == 6 ? (u64)data_pages + 14 : 0);
    CHECK(run(M, do_lr, (u64)data_pages + HALF, 1), 4);
    CHECK(run(M, do_load, (u64)data_pages + 3, 0), 11);
    CHECK(run(M, do_load, 0x40, 0), 5);                         /* nothing there */
    CHECK(trap.tval, 0x40);
    CHECK(run(M, do_store, 0x40, 0), 7);
    CHECK(run(M, do_fetch, 0x40, 0), 1);
    CHECK(trap.epc, 0x40);
    /* cbo.zero by menvcfg, senvcfg */
    menvcfg(0);
    CHECK(run(S, do_cbo_zero, (u64)data_pages, 0), 2);
    menvcfg(0x80);
    CHECK(run(S, do_cbo_zero, (u64)data_pages, 0), 9);
    csrw(0x10a, 0);
    CHECK(run(U, do_cbo_zero, (u64)data_pages, 0), 2);
    csrw(0x10a, 0x80);
    data_pages[0][3] = 5;
    CHECK(run(U, do_cbo_zero, (u64)data_pages, 0), 8);
    CHECK(data_pages[0][3], 0);
}

/* Not delegated: all faults reach M. */
static void test_paging(int n)
{
    const u64 va = 0x40000000, code = 0x40010000, big = 0xc0000000;
    u64 pa = (u64)data_pages;

    pmp_open();
    paging(n);
    data_pages[0][0] = 0x1111;
    data_pages[1][0] = 0x2222;
    map(va, pa, PV | PR | PW | PA | PD | PU, 0);
    map(va + 0x1000, pa + 4096, PV | PR | PA | PU, 0);
    map(va + 0x2000, pa, PV | PX | PA | PU, 0);
    map(va + 0x3000, pa, PV | PR | PW | PA | PD, 0);
    map(code, (u64)user_page & ~4095ull, PV | PR | PX | PA | PU, 0);
    map(code + 0x1000, ((u64)user_page & ~4095ull) + 4096, PV | PR | PX | PA | PU, 0);
    fence_vma();
    u64 shift = code - ((u64)user_page & ~4095ull);
#define UB(x) ((void *)((u64)do_##x + shift))
    CHECK(run(U, UB(ecall), 0, 0), 8);
    CHECK(trap.epc, UB(ecall));
    CHECK(run(U, UB(load), va, 0), 8);
    CHECK(run(U, UB(store), va, 0x3333), 8);
    CHECK(data_pages[0][0], 0x3333);
    CHECK(run(U, UB(load), va + 0x1000, 0), 8);
    CHECK(run(U, UB(store), va + 0x1000, 1), 15);
    CHECK(trap.tval, va + 0x1000);
    CHECK(run(U, UB(load), va + 0x2000, 0), 13);                /* execute only */
    csrs(mstatus, MXR);
    CHECK(run(U, UB(load), va + 0x2000, 0), 8);
    csrc(mstatus, MXR);
    CHECK(run(U, UB(load), va + 0x2000, 0), 13);
    CHECK(run(U, UB(load), va + 0x3000, 0), 13);                /* supervisor page */
    CHECK(run(U, UB(load), va + 0x5000, 0), 13);
    CHECK(trap.tval, va + 0x5000);
    CHECK(run(U, UB(fetch), va, 0), 12);                        /* not executable */
    CHECK(trap.epc, va);
    CHECK(trap.tval, va);
    CHECK(run(S, do_ecall, 0, 0), 9);
    CHECK(run(S, do_load, va + 0x3000, 0), 9);
    CHECK(run(S, do_load, va, 0), 13);                          /* user page without SUM */
    csrs(mstatus, SUM);
    CHECK(run(S, do_load, va, 0), 9);
    CHECK(run(S, UB(ecall), 0, 0), 12);                         /* never executes user pages */
    csrc(mstatus, SUM);
    CHECK(run(S, do_load, va, 0), 13);
    /* a crossing access faults at the page that misses, with that address */
    CHECK(run(S, do_load, va + 0x4000 - HALF, 0), 13);
    CHECK(trap.tval, va + 0x4000);
    map(va + 0x4000, pa + 4096, PV | PR | PW | PA | PD, 0);
    fence_vma();
    CHECK(run(S, do_load_value, va + 0x4000 - HALF, 0), 3);
#if __riscv_xlen == 64
    /* non-canonical */
    CHECK(run(S, do_load, 1ull << 62, 0), 13);
    CHECK(trap.tval, 1ull << 62);
#endif
    /* A and D bits */
    u64 *e = pte_of(va, 0);
    menvcfg(0);                                             /* ADUE off */
    *e = pa >> 12 << 10 | PV | PR | PW | PU;
    fence_vma();
    CHECK(run(U, UB(load), va, 0), 13);
    *e = pa >> 12 << 10 | PV | PR | PW | PU | PA;
    fence_vma();
    CHECK(run(U, UB(load), va, 0), 8);
    CHECK(run(U, UB(store), va, 5), 15);
    menvcfg(1ull << 61);                                    /* ADUE on */
    *e = pa >> 12 << 10 | PV | PR | PW | PU;
    fence_vma();
    CHECK(run(U, UB(load), va, 0), 8);
    CHECK(*e & (PA | PD), PA);
    CHECK(run(U, UB(store), va, 5), 8);
    CHECK(*e & (PA | PD), PA | PD);
    CHECK(data_pages[0][0], 5);
    menvcfg(0);
    /* unmapping needs sfence, remapping works */
    *e = (pa + 4096) >> 12 << 10 | PV | PR | PW | PU | PA | PD;
    fence_vma();
    CHECK(run(U, UB(store), va, 0x77), 8);
    CHECK(data_pages[1][0], 0x77);
    *e = 0;
    fence_vma();
    CHECK(run(U, UB(load), va, 0), 13);
    /* superpages */
    map(big, 0x80000000, PV | PR | PW | PA | PD | PU, 1);
    fence_vma();
    CHECK(run(U, UB(store), big + (pa & BIG_MASK), 0x99), 8);
    CHECK(data_pages[0][0], 0x99);
    map(big, 0x80001000, PV | PR | PW | PA | PD | PU, 1);       /* misaligned */
    fence_vma();
    CHECK(run(U, UB(load), big, 0), 13);
    map(big, 0x80000000, PV | PW | PA | PD | PU, 1);            /* W without R */
    fence_vma();
    CHECK(run(U, UB(load), big, 0), 13);
#if __riscv_xlen == 64
    map(big, 0x80000000, 1ull << 54 | PV | PR | PA | PU, 1);    /* reserved bit */
    fence_vma();
    CHECK(run(U, UB(load), big, 0), 13);
#endif
    /* MPRV: M uses S's translation */
    csrs(mstatus, MPRV);
    csrc(mstatus, MPP);
    csrs(mstatus, 1 << 11);
    u64 v;
    v = *(volatile u64 *)(va + 0x3000);
    csrc(mstatus, MPRV);
    CHECK(v, 0x99);
    /* a global page survives an ASID change, others do not */
    u64 satp = csrr(satp);
    csrw(satp, satp | (u64)7 << (RV64 ? 44 : 22));
    CHECK(run(S, do_load, va + 0x3000, 0), 9);
    csrw(satp, satp);
    fence_vma();
    csrw(satp, 0);
}

/* An instruction that crosses into a page without execute permission. */
static void test_crossing_fetch(void)
{
    static uint16_t code[2][2048] __attribute__((aligned(4096)));
    const u64 va = 0x50000000;

    code[0][2047] = 0x0013;                                     /* nop, 4 bytes: 00000013 */
    code[1][0] = 0x0000;
    code[1][1] = 0x0073;                                        /* ecall */
    code[1][2] = 0x0000;
    pmp_open();
    paging(RV64 ? 3 : 2);
    map(va, (u64)code[0], PV | PR | PX | PA | PU, 0);
    fence_vma();
    CHECK(run(U, (void *)(va + 4094), 0, 0), 12);
    CHECK(trap.epc, va + 4094);
    CHECK(trap.tval, va + 4096);
    map(va + 4096, (u64)code[1], PV | PR | PX | PA | PU, 0);
    __asm__ volatile("fence.i");
    fence_vma();
    CHECK(run(U, (void *)(va + 4094), 0, 0), 8);
    CHECK(trap.epc, va + 4098);
    csrw(satp, 0);
}

static void test_pmp(void)
{
    u64 pa = (u64)data_pages;

    csrw(satp, 0);
    csrw(pmpcfg0, 0);
    /* 0: four bytes unreadable, 1: a NAPOT page read-only, 2: the rest */
    csrw(pmpaddr0, (pa + 8) >> 2);
    csrw(pmpaddr1, (pa + 4096) >> 2 | 0x1ff);
    csrw(pmpaddr2, ~0ull);
    csrw(pmpcfg0, 0x10 | 0x19 << 8 | 0x1f << 16);
    fence_vma();
    CHECK(run(S, do_load, pa, 0), 9);
    CHECK(run(S, do_load, pa + 8, 0), 5);
    CHECK(trap.tval, pa + 8);
    CHECK(run(S, do_load, pa + 16, 0), 9);
    CHECK(run(S, do_load, pa + 8 - HALF, 0), 5);                     /* partly */
    CHECK(run(S, do_load, pa + 4096, 0), 9);
    CHECK(run(S, do_store, pa + 4096, 0), 7);
    CHECK(run(S, do_store, pa + 8192, 0), 9);
    CHECK(run(S, do_fetch, pa + 4096, 0), 1);
    CHECK(run(M, do_store, pa + 4096, 0), 11);                  /* M passes unlocked entries */
    /* top of range */
    csrw(pmpcfg0, 0);
    csrw(pmpaddr0, pa >> 2);
    csrw(pmpaddr1, (pa + 64) >> 2);
    csrw(pmpcfg0, 0x08 << 8 | 0x1f << 16);
    CHECK(run(S, do_load, pa, 0), 5);
    CHECK(run(S, do_load, pa + 64 - 2 * HALF, 0), 5);
    CHECK(run(S, do_load, pa + 64, 0), 9);
    CHECK(run(S, do_load, pa - 2 * HALF, 0), 9);
    /* a page-table read is checked as well */
    paging(RV64 ? 3 : 2);
    csrw(pmpaddr0, (u64)pool >> 2);
    csrw(pmpaddr1, ((u64)pool + sizeof(pool)) >> 2);
    csrw(pmpcfg0, 0x08 << 8 | 0x1f << 16);
    fence_vma();
    CHECK(run(S, do_ecall, 0, 0), 1);
    csrw(satp, 0);
    csrw(pmpcfg0, 0);
    pmp_open();
    /* locked: M too, and for ever */
    csrw(pmpaddr5, (pa + 8192) >> 2);
    csrw(pmpaddr6, (pa + 12288) >> 2);
    csrw(pmpaddr7, ~0ull);
#if __riscv_xlen == 64
#define CFG4567 pmpcfg0
    csrw(pmpcfg0, 0x1full << 56 | 0x89ull << 48);
#else
#define CFG4567 pmpcfg1
    csrw(pmpcfg0, 0);
    csrw(pmpcfg1, 0x1f << 24 | 0x89 << 16);
#endif
    CHECK(run(M, do_store, pa + 8192, 0), 7);
    CHECK(run(M, do_load, pa + 8192, 0), 11);
    csrw(CFG4567, 0);
    CHECK(csrr(CFG4567), (u64)0x89 << (RV64 ? 48 : 16));
    csrw(pmpaddr6, 0);
    CHECK(csrr(pmpaddr6), (pa + 12288) >> 2);
    csrw(pmpaddr5, 0);
    CHECK(csrr(pmpaddr5), (pa + 8192) >> 2);
    pmp_open();
}

#define MSIP (*(volatile uint32_t *)0x2000000)
#define MTIME load64(0x200bff8)
#define IRQ ((u64)1 << (__riscv_xlen - 1))

static void test_interrupts(void)
{
    csrw(satp, 0);
    csrw(mie, 0x888);
    csrc(mstatus, MIE);
    MSIP = 1;
    CHECK(csrr(mip) & 8, 8);
    CHECK(run(U, do_spin, 0, 0), IRQ | 3);                      /* below M always enabled */
    CHECK(run(M, do_ecall, 0, 0), 11);                          /* MIE clear */
    MSIP = 0;
    CHECK(csrr(mip) & 8, 0);
    /* machine timer */
    csrs(mie, 0x80);
    store64(0x2004000, MTIME + 20000);
    CHECK(run(U, do_spin, 0, 0), IRQ | 7);
    CHECK(MTIME >= load64(0x2004000), 1);
    store64(0x2004000, ~0ull);
    CHECK(csrr(mip) & 0x80, 0);
    /* vectored */
    csrw(mtvec, (u64)m_trap | 1);
    MSIP = 1;
    CHECK(run(U, do_spin, 0, 0), IRQ | 3);
    MSIP = 0;
    /* supervisor software, delegated */
    csrw(mideleg, 0x222);
    csrw(stvec, s_trap);
    csrw(mie, 0x222);
    csrs(mip, 2);
    CHECK(run(U, do_spin, 0, 0), IRQ | 1);
    CHECK(trap.mode, 1);
    csrc(mstatus, SIE);
    CHECK(run(S, do_ecall, 0, 0), 9);                           /* SIE clear */
    csrs(mstatus, SIE);
    CHECK(run(S, do_spin, 0, 0), IRQ | 1);
    csrc(mip, 2);
    CHECK(csrr(mip) & 2, 0);
    csrw(mideleg, 0);
    csrs(mip, 2);
    CHECK(run(S, do_spin, 0, 0), IRQ | 1);                      /* to M */
    CHECK(trap.mode, 3);
    csrc(mip, 2);
    /* stimecmp */
    csrw(mideleg, 0x222);
    csrw(mcounteren, 7);
    menvcfg(1ull << 63);
    stimecmp(MTIME + 20000);
    csrw(stvec, (u64)s_trap | 1);
    CHECK(run(U, do_spin, 0, 0), IRQ | 5);
    CHECK(trap.mode, 1);
    stimecmp(~0ull);
    CHECK(csrr(mip) & 0x20, 0);
    /* wfi ends for an enabled interrupt even when globally masked */
    csrc(mstatus, SIE);
    stimecmp(MTIME + 20000);
    CHECK(run(S, do_wfi, 0, 0), 9);
    stimecmp(~0ull);
    menvcfg(0);
    csrw(mie, 0);
    csrw(mideleg, 0);
    csrw(mtvec, m_trap);
}

/* Sdtrig: which accesses of which modes a trigger stops, by the bits of tdata1. */
static void test_triggers(void)
{
    enum { MC = 2, MC6 = 6, IC = 3, LOAD = 1, STORE = 2, EXEC = 4, IN_U = 8, IN_S = 16, IN_M = 64, BREAK = 3, ECALL_U = 8, ECALL_S = 9 };
#define TYPE(t) ((u64)(t) << (__riscv_xlen - 4))
#define MATCH(m) ((u64)(m) << 7)
    static volatile u64 data[4];
    u64 at = (u64)&data[1];

    csrw(0x7a0, 2);
    CHECK(csrr(0x7a0) < 2, 1);
    csrw(0x7a0, 1);
    CHECK(csrr(0x7a0), 1);
    csrw(0x7a0, 0);
    CHECK(csrr(0x7a1) >> (__riscv_xlen - 4), MC);
    CHECK(csrr(0x7a4) & (1 << MC | 1 << MC6 | 1 << IC), 1 << MC | 1 << MC6 | 1 << IC);
    CHECK(run(S, do_ecall, 0, 0), ECALL_S);
    for (unsigned type = MC; type <= MC6; type += MC6 - MC) {
        /* Execute: before the instruction, in the modes asked for. */
        csrw(0x7a2, (u64)do_load);
        csrw(0x7a1, TYPE(type) | EXEC | IN_S);
        CHECK(run(S, do_load, at, 0), BREAK);
        CHECK(trap.epc, (u64)do_load);
        CHECK(trap.tval, (u64)do_load);
        CHECK(csrr(0x7a1) >> (type == MC ? 20 : 22) & 1, 1); /* hit */
        CHECK(run(U, do_load, at, 0), ECALL_U);
        /* Loads and stores, precisely: the store has not been made. */
        csrw(0x7a2, at);
        csrw(0x7a1, TYPE(type) | LOAD | IN_U);
        CHECK(run(U, do_load, at, 0), BREAK);
        CHECK(trap.epc, (u64)do_load);
        CHECK(trap.tval, at);
        CHECK(run(U, do_store, at, 0), ECALL_U);
        CHECK(run(U, do_load, (u64)&data[2], 0), ECALL_U);
        data[1] = 77;
        csrw(0x7a1, TYPE(type) | STORE | IN_U | IN_S);
        CHECK(run(U, do_load, at, 0), ECALL_U);
        CHECK(run(S, do_store, at, 1234), BREAK);
        CHECK(data[1], 77);
        CHECK(run(U, do_amo, at, 1), BREAK);
        /* Any byte of the access counts; its size where one is asked for. */
        csrw(0x7a2, at + 1);
        CHECK(run(U, do_store, at, 1234), BREAK);
        csrw(0x7a1, TYPE(type) | STORE | IN_U | 1 << 16); /* one byte */
        CHECK(run(U, do_store, at, 1234), ECALL_U);
        /* NAPOT over the four words, greater or equal, less, and "not". */
        csrw(0x7a2, ((u64)data & ~(u64)(sizeof(data) - 1)) | (sizeof(data) / 2 - 1));
        csrw(0x7a1, TYPE(type) | LOAD | IN_U | MATCH(1));
        CHECK(run(U, do_load, (u64)data & ~(u64)(sizeof(data) - 1), 0), BREAK);
        CHECK(run(U, do_load, ((u64)data & ~(u64)(sizeof(data) - 1)) + sizeof(data), 0), ECALL_U);
        csrw(0x7a1, TYPE(type) | LOAD | IN_U | MATCH(9));
        CHECK(run(U, do_load, (u64)data & ~(u64)(sizeof(data) - 1), 0), ECALL_U);
        csrw(0x7a2, (u64)&data[2]);
        csrw(0x7a1, TYPE(type) | LOAD | IN_U | MATCH(2));
        CHECK(run(U, do_load, (u64)&data[3], 0), BREAK);
        CHECK(run(U, do_load, at, 0), ECALL_U);
        csrw(0x7a1, TYPE(type) | LOAD | IN_U | MATCH(3));
        CHECK(run(U, do_load, at, 0), BREAK);
        CHECK(run(U, do_load, (u64)&data[3], 0), ECALL_U);
        csrw(0x7a1, TYPE(type) | LOAD | MATCH(15)); /* there is none: equal */
        CHECK(csrr(0x7a1) >> 7 & 15, 0);
        /* The exception is delegated as any other breakpoint. */
        csrw(0x7a2, at);
        csrw(0x7a1, TYPE(type) | LOAD | IN_U);
        csrw(medeleg, 1 << BREAK);
        csrw(stvec, s_trap);
        CHECK(run(U, do_load, at, 0), BREAK);
        CHECK(trap.mode, 1);
        csrw(medeleg, 0);
    }
    csrw(0x7a1, TYPE(15));
    CHECK(run(U, do_load, at, 0), ECALL_U);
    /* Instruction count: one instruction of U mode, then the exception before the next. */
    csrw(0x7a1, TYPE(IC) | 1 << 10 | 1 << 6);
    CHECK(run(S, do_load, at, 0), ECALL_S);
    CHECK(run(U, do_load, at, 0), BREAK);
    CHECK(trap.epc - (u64)do_load == 2 || trap.epc - (u64)do_load == 4, 1);
    CHECK(csrr(0x7a1) >> 10 & 0x3fff, 0);
    CHECK(run(U, do_load, at, 0), ECALL_U);
    csrw(0x7a1, TYPE(0)); /* no such type: disabled */
    CHECK(csrr(0x7a1), TYPE(15));
}

int main(void)
{
    test_csrs();
    csrw(mscratch, 0);
    test_traps();
#if __riscv_xlen == 64
    test_paging(3);
    test_paging(4);
    test_paging(5);
#else
    test_paging(2);
#endif
    test_crossing_fetch();
    test_interrupts();
    test_pmp();
    test_triggers();
    puts_(n_failed ? "FAILED\n" : "ok\n");
    return n_failed ? (int)(1 + n_failed % 100) : 0;
}
