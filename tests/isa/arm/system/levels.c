/*
 * levels.c: exceptions, returns, translation and TLB maintenance of EL1 (or of EL2, when entered there) and EL0, as the Arm ARM says
 * (DDI 0487, D1.3, D8). Prints what it finds wrong, then "ok" or "failed".
 */
#include "test.h"

/* -- tables: 4 KiB granule, 39 bits of address, so three levels -------------------------------------------------------- */

enum { VALID = 1, TABLE = 3, PAGE = 3, USER = 1 << 6, RO = 1 << 7, SHARED = 3 << 8, AF = 1 << 10, NG = 1 << 11 };
#define PXN (1ul << 53)
#define UXN (1ul << 54)
#define VA 0x80000000ul            /* what the tests map: the third GiB of the address space */

static uint64_t level1[512] __attribute__((aligned(4096))), level2[512] __attribute__((aligned(4096))), level3[512] __attribute__((aligned(4096)));
static uint64_t other1[512] __attribute__((aligned(4096))), other2[512] __attribute__((aligned(4096))), other3[512] __attribute__((aligned(4096)));
static char page_a[4096] __attribute__((aligned(4096))), page_b[4096] __attribute__((aligned(4096)));
static uint64_t code_page[512] __attribute__((aligned(4096)));

static bool at_el2;
static const uint64_t bits56 = (1ul << 56) - 1;

static void tlbi_all(void)
{
    DSB();
    if (at_el2) {
        __asm__ volatile("tlbi alle2" ::: "memory");
    } else {
        __asm__ volatile("tlbi vmalle1" ::: "memory");
    }
    DSB();
    ISB();
}

static void map(uint64_t *table, unsigned index, const void *to, uint64_t attributes)
{
    table[index] = (uint64_t)to | attributes;
    tlbi_all();
}

static void mmu_on(void)
{
    level1[0] = 0x00000000ul | VALID | AF | 1 << 2 | UXN;                  /* devices */
    level1[1] = 0x40000000ul | VALID | AF | SHARED;                         /* RAM, privileged */
    level1[2] = (uint64_t)level2 | TABLE;
    level2[0] = (uint64_t)level3 | TABLE;
    for (int i = 0; i < 512; i++) {
        other1[i] = level1[i];
    }
    other1[2] = (uint64_t)other2 | TABLE;
    other2[0] = (uint64_t)other3 | TABLE;
    uint64_t mair = 0xf000ff, tcr = 25 | 3 << 12 | 1 << 10 | 1 << 8, sctlr;
    DSB();
    if (at_el2) {
        WRITE(mair_el2, mair);
        WRITE(tcr_el2, tcr | 1ul << 31 | 1ul << 23 | 2 << 16);
        WRITE(ttbr0_el2, level1);
        ISB();
        sctlr = READ(sctlr_el2);
        WRITE(sctlr_el2, sctlr | 1);
    } else {
        WRITE(mair_el1, mair);
        WRITE(tcr_el1, tcr | 1ul << 23 | 2ul << 32 | 1ul << 36); /* EPD1, 40 bits, 16-bit ASIDs */
        WRITE(ttbr0_el1, level1);
        ISB();
        sctlr = READ(sctlr_el1);
        WRITE(sctlr_el1, (sctlr | 1) & ~(uint64_t)(1 << 23 | 2)); /* MMU on, SPAN off: exceptions set PAN, where there is one */
    }
    ISB();
}

static uint64_t load(uint64_t at) { return *(volatile uint64_t *)at; }
static void store(uint64_t at, uint64_t v) { *(volatile uint64_t *)at = v; }

static void translation(void)
{
    n_taken = 0;
    load(VA + 0x5008);
    expect("no page", 0x25, 0x07, 4);
    check("  FAR", last.far, VA + 0x5008);
    store(VA + 0x5010, 1);
    expect("no page, store", 0x25, 0x47, 4);
    load(VA + 0x40200000);
    expect("no table", 0x25, 0x05, 4);
    load(0x8000000000ul);
    expect("beyond the range", 0x25, 0x04, 4);

    map(level3, 0, page_a, PAGE | AF | SHARED);
    page_a[0] = 0x11;
    check("mapped", load(VA), 0x11);
    map(level3, 1, page_a, PAGE | SHARED);
    load(VA + 0x1000);
    expect("access flag", 0x25, 0x0b, 4);
    map(level3, 2, page_a, PAGE | AF | SHARED | RO);
    check("read-only", load(VA + 0x2000), 0x11);
    check("  taken", n_taken, 0);
    store(VA + 0x2000, 5);
    expect("read-only, store", 0x25, 0x4f, 4);

    /* Another mapping is seen after maintenance by address. */
    page_b[0] = 0x22;
    level3[0] = (uint64_t)page_b | PAGE | AF | SHARED;
    DSB();
    if (at_el2) {
        __asm__ volatile("tlbi vae2, %0" :: "r"(VA >> 12) : "memory");
    } else {
        __asm__ volatile("tlbi vae1, %0" :: "r"(VA >> 12) : "memory");
    }
    DSB();
    ISB();
    check("moved", load(VA), 0x22);
    check("block of 2 MiB, before", n_taken, 0);
    map(level2, 1, (void *)0x40000000ul, VALID | AF | SHARED);
    check("block of 2 MiB", load(VA + 0x200000 + ((uint64_t)page_a & 0x1fffff)) == load(0x40000000 + ((uint64_t)page_a & 0x1fffff)), 1);
    check("  taken", n_taken, 0);

    /* Address translation instructions. */
    if (!at_el2) {
        __asm__ volatile("at s1e1r, %0; isb" :: "r"(VA + 0x123) : "memory");
        check("AT", READ(par_el1) & 0xfffffffff001, (uint64_t)page_b);
        __asm__ volatile("at s1e1w, %0; isb" :: "r"(VA + 0x2000) : "memory");
        check("AT of a page that is read-only", READ(par_el1) & 0x7f, 0x0f << 1 | 1);
        __asm__ volatile("at s1e0r, %0; isb" :: "r"(VA) : "memory");
        check("AT as EL0", READ(par_el1) & 0x7f, 0x0f << 1 | 1);
    }
}

static void address_spaces(void)
{
    map(level3, 8, page_a, PAGE | AF | SHARED | NG);
    map(other3, 8, page_b, PAGE | AF | SHARED | NG);
    page_a[0] = 0x11;
    page_b[0] = 0x22;
    for (int i = 0; i < 4; i++) {
        WRITE(ttbr0_el1, (uint64_t)(i & 1 ? other1 : level1) | (uint64_t)(1 + (i & 1)) << 48);
        ISB();
        check("address space", load(VA + 0x8000), i & 1 ? 0x22 : 0x11);
    }
    /* Both ASIDs keep what they had: without maintenance the change is not to be seen, with it it must. */
    level3[8] = (uint64_t)page_b | PAGE | AF | SHARED | NG;
    DSB();
    __asm__ volatile("tlbi aside1, %0" :: "r"(1ul << 48) : "memory");
    DSB();
    WRITE(ttbr0_el1, (uint64_t)level1 | 1ul << 48);
    ISB();
    check("address space after TLBI ASIDE1", load(VA + 0x8000), 0x22);
    WRITE(ttbr0_el1, level1);
    ISB();
}

/* -- EL0 ---------------------------------------------------------------------------------------------------------------- */

#define CODE(n) (VA + 0x10000 + 8 * 4 * (n))

static void el0(const char *what, unsigned index, unsigned ec, uint64_t iss)
{
    put("from EL0: ");
    then = LEAVE;
    n_taken = 0;
    run_at((void *)CODE(index), 0);
    then = SKIP;
    expect(what, ec, iss, 8);
    check("  SPSR", last.spsr & 0x3ff, 0);
}

static void a32_at_el0(unsigned index)
{
    then = LEAVE;
    n_taken = 0;
    run_at((void *)CODE(index), 0x10);
    then = SKIP;
    check("from AArch32: SVC", last.esr >> 26, 0x11);
}

/* FPSCR's flags and those of Advanced SIMD are FPSR's (DDI 0487, C5.2.8): an operating system keeps them there for 32-bit programs. */
static void fpsr_of_a32(void)
{
    WRITE(fpsr, 0);
    a32_at_el0(11);
    check("  FPSR behind VCMP", READ(fpsr), 6ul << 28);
    WRITE(fpsr, 9ul << 28);
    check("  FPSR as written", READ(fpsr), 9ul << 28);
    a32_at_el0(12);
    check("  flags by VMRS", last.spsr >> 28 & 15, 9);
    WRITE(fpsr, 16);
    a32_at_el0(13);
    check("  FPSR behind a subnormal operand", READ(fpsr) & 0x90, 0x90);
    WRITE(fpsr, 0);
    a32_at_el0(12);
    check("  FPSR of another program", READ(fpsr), 0);
}

static void user(void)
{
    uint32_t *code = (uint32_t *)code_page;
    code[8 * 0] = 0xd4000001 | 0x123 << 5;      /* svc #0x123 */
    code[8 * 1] = 0xd4200000 | 0x456 << 5;      /* brk #0x456 */
    code[8 * 2] = 0x00000000;                   /* udf #0 */
    code[8 * 3] = 0xd5381000;                   /* mrs x0, sctlr_el1 */
    code[8 * 4] = 0xf9400000;                   /* ldr x0, [x0]: the function's address */
    code[8 * 5] = 0xd51b4220;                   /* msr daif, x0 */
    code[8 * 6] = 0xd53be040;                   /* mrs x0, cntvct_el0 */
    code[8 * 7] = 0x1e604020;                   /* fmov d0, d1 */
    code[8 * 8] = 0xd4000002;                   /* hvc #0 */
    code[8 * 10] = 0xd10023ff;                  /* sub sp, sp, #8 */
    code[8 * 10 + 1] = 0xf94003e0;              /* ldr x0, [sp] */
    /* A32, and an SVC behind each */
    code[8 * 11] = 0xeeb70a00;                  /* vmov.f32 s0, #1.0 */
    code[8 * 11 + 1] = 0xeeb40a40;              /* vcmp.f32 s0, s0 */
    code[8 * 12] = 0xeef1fa10;                  /* vmrs APSR_nzcv, fpscr */
    code[8 * 13] = 0xf2800011;                  /* vmov.i32 d0, #1 */
    code[8 * 13 + 1] = 0xf3001d10;              /* vmul.f32 d1, d0, d0 */
    code[8 * 11 + 2] = code[8 * 12 + 1] = code[8 * 13 + 2] = 0xef000000;
    __asm__ volatile("dsb ish; ic iallu; dsb ish; isb" ::: "memory");
    map(level3, 16, code_page, PAGE | AF | SHARED | USER | RO | NG | PXN);

    el0("SVC", 0, 0x15, 0x123);
    check("  ELR", last.elr, CODE(0) + 4);
    el0("BRK", 1, 0x3c, 0x456);
    check("  ELR", last.elr, CODE(1));
    el0("UDF", 2, 0x00, 0);
    el0("MRS of EL1", 3, 0x00, 0);
    el0("MSR of DAIF", 5, 0x18, 3 << 20 | 1 << 17 | 3 << 14 | 4 << 10 | 0 << 5 | 2 << 1);
    WRITE(cntkctl_el1, 0);
    el0("MRS of CNTVCT", 6, 0x18, 3 << 20 | 2 << 17 | 3 << 14 | 14 << 10 | 0 << 5 | 0 << 1 | 1);
    WRITE(cpacr_el1, 1 << 20);
    ISB();
    el0("FP", 7, 0x07, 0x1e00000);
    WRITE(cpacr_el1, 3 << 20);
    ISB();
    el0("HVC", 8, 0x00, 0);
    fpsr_of_a32();
    WRITE(sctlr_el1, READ(sctlr_el1) | 1 << 4);  /* SA0 */
    ISB();
    el0("misaligned SP", 10, 0x26, 0);
    check("  ELR", last.elr, CODE(10) + 4);
    WRITE(sctlr_el1, READ(sctlr_el1) & ~(uint64_t)(1 << 4));
    ISB();
    el0("misaligned SP, not checked", 10, 0x24, 0x0d); /* privileged memory */
    put("from EL0: ");
    n_taken = 0;
    run_at((void *)(VA + 0x10002), 0);
    expect("misaligned PC", 0x22, 0, 8);
    check("  FAR", last.far, VA + 0x10002);
    put("from EL0: ");
    map(level3, 3, page_a, PAGE | AF | SHARED | USER | UXN);
    run_at((void *)(VA + 0x3000), 0);
    expect("UXN", 0x20, 0x0f, 8);
    put("from EL1: ");
    run_at((void *)CODE(0), 0x3c5);
    expect("PXN", 0x21, 0x0f, 4);
    /* A return to a level that is not there. */
    run_at((void *)load, 0x3c9);
    expect("illegal return", 0x0e, 0, 4);
    check("  SPSR.IL", last.spsr >> 20 & 1, 1);
    check("  level", last.spsr & 15, 5);
}

/* Branch target identification on pages with GP (D8.4.2); the code page is mapped anew each time, also where its code stays (`same`). */
static void landing(void)
{
    static const struct { uint32_t branch, target; uint64_t from, gp; unsigned btype, bad, same; } cases[] = {
        { 0xd63f0000, 0xd503201f, 0, 1, 2, 1 },   /* blr x0, nop */
        { 0xd63f0000, 0xd503245f, 0, 1, 2, 0 },   /* bti c */
        { 0xd63f0000, 0xd503249f, 0, 1, 2, 1 },   /* bti j */
        { 0xd61f0000, 0xd503249f, 0, 1, 3, 0 },   /* br x0 */
        { 0xd61f0000, 0xd503245f, 0, 1, 3, 1 },
        { 0xd61f0000, 0xd503233f, 0, 1, 3, 0 },   /* paciasp: SCTLR_EL1.BT0 is 0 */
        { 0xd65f0000, 0xd503201f, 0, 1, 0, 0 },   /* ret x0 */
        { 0xd63f0000, 0xd503201f, 0, 0, 2, 0 },   /* no GP */
        { 0xd503201f, 0xd503201f, 1, 1, 1, 1 },   /* ERET with SPSR.BTYPE */
        { 0xd503245f, 0xd503201f, 1, 1, 1, 0 },
        { 0xd63f0000, 0xd503201f, 0, 1, 2, 1 },
        { 0xd63f0000, 0xd503201f, 0, 0, 2, 0, 1 },
        { 0xd63f0000, 0xd503201f, 0, 1, 2, 1, 1 },
        { 0xd63f0000, 0xd503201f, 0, 0, 2, 0, 1 },
    };
    uint32_t *code = (uint32_t *)code_page;

    if (!(READ(id_aa64pfr1_el1) & 15)) {
        return;
    }
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool eret = cases[i].from;
        if (!cases[i].same) {
            code[8 * 11] = eret ? cases[i].branch : 0x91002000; /* add x0, x0, #8 */
            code[8 * 11 + 1] = eret ? 0xd4000001 | 0x55 << 5 : cases[i].branch;
            code[8 * 11 + 2] = cases[i].target;
            code[8 * 11 + 3] = 0xd4000001 | 0x55 << 5; /* svc #0x55 */
            __asm__ volatile("dsb ish; ic iallu; dsb ish; isb" ::: "memory");
        }
        map(level3, 16, code_page, PAGE | AF | SHARED | USER | RO | NG | PXN | cases[i].gp << 50);
        then = LEAVE;
        n_taken = 0;
        run_at((void *)CODE(11), eret ? cases[i].btype << 10 : 0);
        then = SKIP;
        put("from EL0: ");
        expect("landing", cases[i].bad ? 0x0d : 0x15, cases[i].bad ? cases[i].btype : 0x55, 8);
        check("  SPSR.BTYPE", last.spsr >> 10 & 3, cases[i].bad ? cases[i].btype : 0);
        check("  ELR", last.elr, CODE(11) + (cases[i].bad ? eret ? 0 : 8 : eret ? 8 : 16));
    }
    map(level3, 16, code_page, PAGE | AF | SHARED | USER | RO | NG | PXN);
}

/* Memory tagging of EL1 and EL0: page_a is Tagged at one address and not at another. */
#define MTE ".arch armv8.5-a+memtag\n"
#define TAGGED(at, tag) ((at) | (uint64_t)(tag) << 56)

static void stg(uint64_t at) { __asm__ volatile(MTE "stg %0, [%0]" :: "r"(at) : "memory"); }
static uint64_t ldg(uint64_t at) { __asm__ volatile(MTE "ldg %0, [%0]" : "+r"(at) :: "memory"); return at; }

static void tcf(unsigned mode, unsigned mode0)
{
    WRITE(sctlr_el1, (READ(sctlr_el1) & ~(15ul << 38)) | (uint64_t)mode << 40 | (uint64_t)mode0 << 38 | 3ul << 42); /* ATA, ATA0 */
    ISB();
}

static void tags(void)
{
    const uint64_t at = VA + 0x14000, plain = VA + 0x15000;
    uint64_t v;

    if ((READ(id_aa64pfr1_el1) >> 8 & 15) < 2) {
        return;
    }
    WRITE(tcr_el1, READ(tcr_el1) | 1ul << 37); /* TBI0 */
    WRITE(S3_0_C1_C0_6, 0); /* GCR_EL1 */
    map(level3, 20, page_a, PAGE | AF | SHARED | 2 << 2 | UXN);
    map(level3, 21, page_a, PAGE | AF | SHARED | UXN);
    __asm__ volatile(MTE "msr tco, #0");
    n_taken = 0;
    tcf(0, 0);
    stg(TAGGED(at, 5));
    stg(TAGGED(at + 16, 6));
    check("LDG", ldg(at + 8), TAGGED(at + 8, 5));
    check("LDG, next", ldg(TAGGED(at + 16, 1)), TAGGED(at + 16, 6));
    check("LDG, not Tagged", ldg(TAGGED(plain, 9)), plain);
    load(TAGGED(at, 3));
    check("no checks", n_taken, 0);
    tcf(1, 0);
    load(TAGGED(at, 5));
    store(TAGGED(at, 5), 1);
    load(TAGGED(plain, 3));
    check("good tags", n_taken, 0);
    load(TAGGED(at + 8, 3));
    expect("bad tag, load", 0x25, 0x11, 4);
    check("  FAR", last.far & ~(15ul << 60), TAGGED(at + 8, 3) & ~(15ul << 60));
    check("  SPSR.TCO", last.spsr >> 25 & 1, 0);
    store(at, 1);
    expect("bad tag, store", 0x25, 0x51, 4);
    __asm__ volatile("ldr %0, [%1, #12]" : "=r"(v) : "r"(TAGGED(at, 5)) : "memory");
    expect("across a border", 0x25, 0x11, 4);
    check("  FAR", last.far & bits56, at + 16);
    __asm__ volatile(MTE "msr tco, #1");
    load(TAGGED(at, 3));
    check("TCO", n_taken, 0);
    __asm__ volatile(MTE "msr tco, #0");
    WRITE(tcr_el1, READ(tcr_el1) | 1ul << 57); /* TCMA0 */
    ISB();
    load(at);
    check("TCMA0", n_taken, 0);
    tcf(2, 0);
    WRITE(S3_0_C5_C6_0, 0); /* TFSR_EL1 */
    load(TAGGED(at, 3));
    DSB();
    check("asynchronous", n_taken, 0);
    check("  TFSR_EL1", READ(S3_0_C5_C6_0), 1);
    tcf(3, 0);
    WRITE(S3_0_C5_C6_0, 0);
    store(TAGGED(at, 3), 7);
    check("asymmetric, store", n_taken, 0);
    check("  TFSR_EL1", READ(S3_0_C5_C6_0), 1);
    load(TAGGED(at, 3));
    expect("asymmetric, load", 0x25, 0x11, 4);
    check("  stored", load(plain), 7);
    tcf(1, 0);
    __asm__ volatile(MTE "stgm %1, [%0]" :: "r"(at + 256), "r"(0x0123456789abcdeful) : "memory");
    check("STGM", ldg(at + 256 + 16), TAGGED(at + 256 + 16, 14));
    __asm__ volatile(MTE "ldgm %0, [%1]" : "=r"(v) : "r"(at + 256) : "memory");
    check("LDGM", v, 0x0123456789abcdeful);
    check("GMID_EL1", READ(S3_1_C0_C0_4), 6);
    __asm__ volatile(MTE "stzgm %1, [%0]" :: "r"(at + 512), "r"(3ul) : "memory");
    check("STZGM", ldg(at + 512 + 48), TAGGED(at + 512 + 48, 3));
    tcf(0, 1);
    uint32_t *code = (uint32_t *)code_page;
    code[8 * 10] = 0xb2480400; /* orr x0, x0, #3 << 56 */
    code[8 * 10 + 1] = 0xf9400001; /* ldr x1, [x0] */
    __asm__ volatile("dsb ish; ic iallu; dsb ish; isb" ::: "memory");
    map(level3, 16, code_page, PAGE | AF | SHARED | 2 << 2 | USER | RO | NG | PXN);
    el0("bad tag", 10, 0x24, 0x11);
    check("  FAR", last.far & bits56, CODE(10));
    map(level3, 16, code_page, PAGE | AF | SHARED | USER | RO | NG | PXN);
    tcf(0, 0);
    WRITE(tcr_el1, READ(tcr_el1) & ~(1ul << 37 | 1ul << 57));
    ISB();
}

static void registers(void)
{
    check("CurrentEL", READ(CurrentEL), at_el2 ? 8 : 4);
    WRITE(tpidr_el1, 0x1234567812345678);
    check("TPIDR_EL1", READ(tpidr_el1), 0x1234567812345678);
    WRITE(daif, 0x3c0);
    check("DAIF", READ(daif), 0x3c0);
    __asm__ volatile("msr daifclr, #5");
    check("DAIFClr", READ(daif), 0x280);
    __asm__ volatile("msr daifset, #4");
    check("DAIFSet", READ(daif), 0x380);
    check("MPIDR", READ(mpidr_el1) & 0xff80ffffff, 0x80000000);
    __asm__ volatile("mrs x9, sp_el0\n mov x10, #0x5550\n msr sp_el0, x10\n msr spsel, #0\n mov x11, sp\n msr spsel, #1\n"
                     "cmp x11, x10\n cset %0, eq\n msr sp_el0, x9" : "=r"(n_taken) :: "x9", "x10", "x11", "cc");
    check("SP_EL0 with SPSel 0", (uint64_t)n_taken, 1);
    n_taken = 0;
}

static void timers(void)
{
    uint64_t hz = READ(cntfrq_el0), start = READ(cntpct_el0);
    check("the counter counts", READ(cntpct_el0) >= start, 1);
    WRITE(cntv_tval_el0, hz / 1000); /* a millisecond */
    WRITE(cntv_ctl_el0, 3);
    check("the timer waits", READ(cntv_ctl_el0), 3);
    check("its value counts down", READ(cntv_tval_el0) <= hz / 1000, 1);
    while (READ(cntv_ctl_el0) != 7 && READ(cntpct_el0) - start < 20 * hz) {
    }
    check("the timer is due", READ(cntv_ctl_el0), 7);
    WRITE(cntv_ctl_el0, 0);
    check("the timer is off", READ(cntv_ctl_el0), 0);
    /* Who sees the status sees the interrupt, too: in the GIC's distributor. */
    unsigned late = 0;
    for (int i = 0; i < 50; i++) {
        WRITE(cntv_cval_el0, READ(cntvct_el0) + 100);
        WRITE(cntv_ctl_el0, 1);
        ISB();
        while (!(READ(cntv_ctl_el0) & 4)) {
        }
        late += !(*(volatile uint32_t *)0x8000200 >> 27 & 1);
        WRITE(cntv_ctl_el0, 0);
        ISB();
    }
    check("timer's interrupt with its status", late, 0);
}

static void alignment(void)
{
    WRITE(sctlr_el1, READ(sctlr_el1) | 2);
    ISB();
    load((uint64_t)page_a + 1);
    expect("alignment check", 0x25, 0x21, 4);
    check("  FAR", last.far, (uint64_t)page_a + 1);
    WRITE(sctlr_el1, READ(sctlr_el1) & ~2ul);
    ISB();
    load((uint64_t)page_a + 1);
    check("unaligned", n_taken, 0);
}

static void step(void)
{
    uint32_t *code = (uint32_t *)code_page;
    code[8 * 9] = code[8 * 9 + 1] = 0xd503201f; /* nop */
    __asm__ volatile("dsb ish; ic iallu; dsb ish; isb" ::: "memory");
    WRITE(oslar_el1, 0);
    WRITE(mdscr_el1, 1);
    ISB();
    put("from EL0: ");
    then = LEAVE;
    run_at((void *)CODE(9), 1 << 21);
    then = SKIP;
    WRITE(mdscr_el1, 0);
    ISB();
    expect("software step", 0x32, 1 << 24 | 0x22, 8);
    check("  ELR", last.elr, CODE(9) + 4);

    WRITE(dbgbvr0_el1, CODE(9) + 4);
    WRITE(dbgbcr0_el1, 0xf << 5 | 2 << 1 | 1);
    WRITE(mdscr_el1, 1 << 15);
    ISB();
    put("from EL0: ");
    then = LEAVE;
    run_at((void *)CODE(9), 0);
    then = SKIP;
    WRITE(mdscr_el1, 0);
    WRITE(dbgbcr0_el1, 0);
    ISB();
    expect("breakpoint", 0x30, 0x22, 8);
    check("  ELR", last.elr, CODE(9) + 4);
}

/* At the level of the handler itself, allowed by the very instruction before; a second time from translations that are there. */
static void breakpoints_here(void)
{
    extern char here[];

    WRITE(dbgbvr0_el1, (uint64_t)here);
    WRITE(dbgbvr1_el1, (uint64_t)here + 4);
    WRITE(dbgbcr0_el1, 0xff << 5 | 1 << 1 | 1);
    check("BAS has four bits", READ(dbgbcr0_el1), 0xf << 5 | 1 << 1 | 1);
    WRITE(dbgbcr1_el1, 0xf << 5 | 1 << 1 | 1);
    WRITE(mdscr_el1, 1 << 13 | 1 << 15);
    ISB();
    for (int i = 0; i < 2; i++) {
        n_taken = 0;
        __asm__ volatile("msr daifclr, #8\n .globl here\n here: nop\n nop\n msr daifset, #8" ::: "memory");
        check("breakpoints at EL1", n_taken, 2);
        check("  EC", last.esr >> 26, 0x31);
        check("  ELR", last.elr, (uint64_t)here + 4);
    }
    WRITE(mdscr_el1, 0);
    WRITE(dbgbcr0_el1, 0);
    WRITE(dbgbcr1_el1, 0);
    ISB();
}

static void monitors(void)
{
    if ((READ(id_aa64dfr0_el1) >> 8 & 15) == 0) {
        return;
    }
    WRITE(pmcr_el0, 0x47); /* E, P, C, LC */
    check("PMCR.N", (READ(pmcr_el0) >> 11 & 31) >= 2, 1);
    WRITE(pmccfiltr_el0, at_el2 ? 1ul << 27 : 0);
    WRITE(pmevtyper0_el0, 0x11 | (at_el2 ? 1ul << 27 : 0));
    WRITE(pmevtyper1_el0, 0x00 | (at_el2 ? 1ul << 27 : 0));
    WRITE(pmcntenset_el0, 1ul << 31 | 3);
    ISB();
    uint64_t start = READ(pmccntr_el0), until = READ(cntpct_el0) + 100;
    while (READ(cntpct_el0) < until) {
    }
    check("cycles", READ(pmccntr_el0) > start, 1);
    check("cycles as an event", READ(pmevcntr0_el0) > 0, 1);
    WRITE(pmswinc_el0, 2);
    WRITE(pmswinc_el0, 2);
    WRITE(pmselr_el0, 1);
    ISB();
    check("software increments", READ(pmxevcntr_el0), 2);
    WRITE(pmovsclr_el0, ~0ul);
    WRITE(pmevcntr1_el0, 0xffffffff);
    WRITE(pmswinc_el0, 2);
    ISB();
    check("overflow", READ(pmovsclr_el0) & 2, 2);
    check("  value", READ(pmevcntr1_el0) & 0xffffffff, 0); /* counters of PMUv3p5 have 64 bits */
    WRITE(pmcntenclr_el0, ~0ul);
    ISB();
    start = READ(pmccntr_el0);
    check("stopped", READ(pmccntr_el0), start);
    WRITE(pmcr_el0, 0);
}

void test_main(void)
{
    at_el2 = READ(CurrentEL) == 8;
    registers();
    mmu_on();
    translation();
    timers();
    monitors();
    if (!at_el2) {
        address_spaces();
        user();
        landing();
        tags();
        alignment();
        step();
        breakpoints_here();
    }
    put(n_bad ? "failed\n" : "ok\n");
}
