/*
 * hyp.c: what EL2 sees of a guest at EL1 and EL0: calls, traps, stage 2 and its syndromes, virtual interrupts, the host extensions
 * (Arm ARM DDI 0487, D1.3, D8.2, D24.2). Entered at EL1 there is nothing to test.
 */
#include "test.h"

enum { HCR_VM = 1, HCR_IMO = 1 << 4, HCR_VI = 1 << 7, HCR_TWI = 1 << 13, HCR_TID3 = 1 << 18, HCR_TSC = 1 << 19, HCR_TVM = 1 << 26, HCR_TGE = 1 << 27 };
#define HCR_RW  (1ul << 31)
#define HCR_E2H (1ul << 34)
enum { S2_NORMAL = 15 << 2, S2_READ = 1 << 6, S2_WRITE = 1 << 7, SHARED = 3 << 8, AF = 1 << 10, PAGE = 3, BLOCK = 1, TABLE = 3 };
#define S2_XN (1ul << 54)

static uint64_t level1[512] __attribute__((aligned(4096))), level2[512] __attribute__((aligned(4096))), level3[512] __attribute__((aligned(4096)));
static uint32_t code[1024] __attribute__((aligned(4096)));
static uint64_t data[512] __attribute__((aligned(4096)));

/* Runs these words at EL1 (spsr 0x3c5) or EL0 (0x3c0). */
static void guest(uint64_t hcr, uint64_t spsr, const uint32_t *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        code[i] = words[i];
    }
    __asm__ volatile("dsb ish; ic iallu; dsb ish; isb" ::: "memory");
    WRITE(hcr_el2, HCR_RW | hcr);
    ISB();
    then = LEAVE;
    n_taken = 0;
    run_at(code, spsr);
    WRITE(hcr_el2, HCR_RW);
    ISB();
}
#define GUEST(hcr, spsr, ...) guest(hcr, spsr, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

#define HVC(n)      (0xd4000002u | (n) << 5)
#define LOAD_X0     0xd2b00000u           /* movz x0, #0x8000, lsl #16: the IPA under test */
#define LDR_W1      0xb9400801u           /* ldr w1, [x0, #8] */
#define LDRSB_X5    0x39800005u           /* ldrsb x5, [x0] */
#define STR_X3      0xf9000003u           /* str x3, [x0] */
#define LDP         0xa9400c02u           /* ldp x2, x3, [x0] */
#define BR_X0       0xd61f0000u

static void stage2_map(unsigned page, uint64_t to, uint64_t attributes)
{
    level3[page] = to | attributes;
    DSB();
    __asm__ volatile("tlbi vmalls12e1; dsb sy; isb" ::: "memory");
}

static void stage2(void)
{
    level1[1] = 0x40000000ul | BLOCK | S2_NORMAL | S2_READ | S2_WRITE | SHARED | AF;
    level1[2] = (uint64_t)level2 | TABLE;
    level2[0] = (uint64_t)level3 | TABLE;
    WRITE(vtcr_el2, 1ul << 31 | 2 << 16 | 3 << 12 | 1 << 10 | 1 << 8 | 1 << 6 | 25); /* 40 bits out, 39 bits in, from level 1 */
    WRITE(vttbr_el2, (uint64_t)level1 | 3ul << 48);
    ISB();
    stage2_map(0, 0, 0);

    put("stage 2: ");
    GUEST(HCR_VM, 0x3c5, LOAD_X0, LDR_W1);
    expect("ldr w1", 0x24, 1 << 24 | 2 << 22 | 1 << 16 | 0x07, 8);
    check("  FAR", last.far, 0x80000008);
    check("  HPFAR", READ(hpfar_el2), 0x800000);
    GUEST(HCR_VM, 0x3c5, LOAD_X0, LDRSB_X5);
    put("stage 2: ");
    expect("ldrsb x5", 0x24, 1 << 24 | 0 << 22 | 1 << 21 | 5 << 16 | 1 << 15 | 0x07, 8);
    GUEST(HCR_VM, 0x3c5, LOAD_X0, LDP);
    put("stage 2: ");
    expect("ldp", 0x24, 0x07, 8);
    GUEST(HCR_VM, 0x3c5, LOAD_X0, BR_X0);
    put("stage 2: ");
    expect("fetch", 0x20, 0x07, 8);

    data[1] = 0x1122334455667788;
    stage2_map(0, (uint64_t)data, PAGE | S2_NORMAL | S2_READ | SHARED | AF);
    GUEST(HCR_VM, 0x3c5, LOAD_X0, LDR_W1, HVC(0x42));
    put("stage 2: ");
    expect("mapped, HVC", 0x16, 0x42, 8);
    check("  value", last.x[1], 0x55667788);
    check("  ELR", last.elr, (uint64_t)&code[3]);
    GUEST(HCR_VM, 0x3c5, LOAD_X0, STR_X3);
    put("stage 2: ");
    expect("read-only", 0x24, 1 << 24 | 3 << 22 | 3 << 16 | 1 << 15 | 1 << 6 | 0x0f, 8);
    stage2_map(0, (uint64_t)data, PAGE | S2_NORMAL | S2_READ | SHARED);
    GUEST(HCR_VM, 0x3c5, LOAD_X0, LDR_W1);
    put("stage 2: ");
    expect("access flag", 0x24, 1 << 24 | 2 << 22 | 1 << 16 | 0x0b, 8);
    stage2_map(0, (uint64_t)data, PAGE | S2_NORMAL | S2_READ | SHARED | AF | S2_XN);
    GUEST(HCR_VM, 0x3c5, LOAD_X0, BR_X0);
    put("stage 2: ");
    expect("execute-never", 0x20, 0x0f, 8);

    WRITE(hcr_el2, HCR_RW | HCR_VM);
    ISB();
    __asm__ volatile("at s12e1r, %0; isb" :: "r"(0x80000008ul) : "memory");
    check("AT S12E1R", READ(par_el1) & 0xfffffffff001, (uint64_t)data);
    __asm__ volatile("at s12e1w, %0; isb" :: "r"(0x80000008ul) : "memory");
    check("AT S12E1W", READ(par_el1) & 0x27f, 1 << 9 | 0x0f << 1 | 1);
    WRITE(hcr_el2, HCR_RW);
    ISB();
}

static void traps(void)
{
    const uint32_t msr_ttbr0 = 0xd5182000 | 7, mrs_isar0 = 0xd5380600 | 9, mrs_midr = 0xd5380000 | 1, mrs_mpidr = 0xd53800a0 | 2;

    GUEST(HCR_TVM, 0x3c5, msr_ttbr0);
    expect("MSR TTBR0_EL1 with TVM", 0x18, 3 << 20 | 0 << 17 | 0 << 14 | 2 << 10 | 7 << 5 | 0 << 1, 8);
    GUEST(HCR_TID3, 0x3c5, mrs_isar0);
    expect("MRS ID_AA64ISAR0_EL1 with TID3", 0x18, 3 << 20 | 0 << 17 | 0 << 14 | 0 << 10 | 9 << 5 | 6 << 1 | 1, 8);
    GUEST(HCR_TWI, 0x3c5, 0xd503207f);
    expect("WFI with TWI", 0x01, 0x1e00000, 8);
    check("  ELR", last.elr, (uint64_t)code);
    GUEST(HCR_TSC, 0x3c5, 0xd4000003 | 5 << 5);
    expect("SMC with TSC", 0x17, 5, 8);
    check("  ELR", last.elr, (uint64_t)code);
    GUEST(HCR_TGE, 0x3c0, 0xd4000001 | 9 << 5);
    expect("SVC with TGE", 0x15, 9, 8);
    WRITE(cptr_el2, 1 << 10);
    GUEST(0, 0x3c5, 0x1e604020);
    expect("FP with TFP", 0x07, 0x1e00000, 8);
    WRITE(cptr_el2, 0);
    WRITE(vpidr_el2, 0x12345678);
    WRITE(vmpidr_el2, 0x80000321);
    GUEST(0, 0x3c5, mrs_midr, mrs_mpidr, HVC(1));
    expect("MIDR and MPIDR of the guest", 0x16, 1, 8);
    check("  MIDR", last.x[1], 0x12345678);
    check("  MPIDR", last.x[2], 0x80000321);
}

static void virtual_interrupt(void)
{
    static uint32_t vectors_el1[512] __attribute__((aligned(2048)));
    vectors_el1[0x280 / 4] = HVC(0x55);
    vectors_el1[0x400 / 4] = HVC(0x66);
    WRITE(vbar_el1, vectors_el1);
    GUEST(HCR_IMO | HCR_VI, 0x345, 0xd503201f, HVC(1));
    expect("virtual IRQ", 0x16, 0x55, 8);
    check("  ELR_EL1", READ(elr_el1), (uint64_t)code);
    GUEST(HCR_IMO | HCR_VI, 0x3c5, 0xd503201f, HVC(1));
    expect("virtual IRQ, masked", 0x16, 1, 8);
    GUEST(0, 0x3c0, HVC(1));
    expect("HVC of EL0", 0x16, 0x66, 8);
    check("  class at EL1", READ(esr_el1) >> 26, 0);
}

static void host(void)
{
    uint64_t el1 = READ(sctlr_el1), sp = READ(sp_el1);
    WRITE(vbar_el1, 0x1000);
    WRITE(hcr_el2, HCR_RW | HCR_E2H);
    ISB();
    check("VBAR_EL1 means VBAR_EL2", READ(vbar_el1) == READ(vbar_el2), 1);
    check("VBAR_EL12", READ(s3_5_c12_c0_0), 0x1000);
    check("SCTLR_EL12", READ(s3_5_c1_c0_0), el1);
    WRITE(s3_5_c14_c3_2, 0x1234); /* CNTV_CVAL_EL02 */
    WRITE(cntv_cval_el0, 0x5678);
    check("CNTV_CVAL_EL0 means CNTHV_CVAL_EL2", READ(s3_4_c14_c3_2), 0x5678);
    check("CNTV_CVAL_EL02", READ(s3_5_c14_c3_2), 0x1234);
    check("SP_EL1", READ(sp_el1), sp);
    WRITE(hcr_el2, HCR_RW);
    ISB();
}

void test_main(void)
{
    if (READ(CurrentEL) == 8) {
        traps();
        stage2();
        virtual_interrupt();
        if (READ(id_aa64mmfr1_el1) >> 8 & 15) {
            host();
        }
    }
    put(n_bad ? "failed\n" : "ok\n");
}
