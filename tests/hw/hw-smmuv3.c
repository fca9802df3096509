/*
 * hw-smmuv3.c: the SMMUv3 of the `virt` board (IHI 0070): registers, queues, and what DMA of a PCI function meets through stream table, context
 * descriptor and tables that this test writes. And the host bridge: addresses where nobody is, a BAR at address 0.
 */
#include "hw/arm/gic.h"
#include "hw/pci.h"
#include "softmmu/loop.h"
#include "tests/hw/arm-board.h"
#include "tests/hw/contract.h"
#include "tests/test.h"
#include "util/bits.h"

enum {
    SMMU = 0x9050000, CR0 = SMMU + 0x20, CR0ACK = SMMU + 0x24, GBPA = SMMU + 0x44, IRQ_CTRL = SMMU + 0x50, GERROR = SMMU + 0x60, GERRORN = SMMU + 0x64,
    STRTAB = SMMU + 0x80, STRTAB_CFG = SMMU + 0x88, CMDQ = SMMU + 0x90, CMDQ_PROD = SMMU + 0x98, CMDQ_CONS = SMMU + 0x9c, EVENTQ = SMMU + 0xa0,
    EVENTQ_PROD = SMMU + 0x100a8, EVENTQ_CONS = SMMU + 0x100ac,
};
enum { /* memory */
    RAM = 0x40000000, STREAMS = RAM + 0x100000, COMMANDS = RAM + 0x200000, EVENTS = RAM + 0x210000, CD = RAM + 0x220000, S1 = RAM + 0x230000,
    S2 = RAM + 0x240000, DATA = RAM + 0x400000,
};
enum { EVENTQ_BITS = 3, SPI_EVENT = 74, SPI_ERROR = 77 };
enum { F_TRANSLATION = 0x10, F_ACCESS = 0x12, F_PERMISSION = 0x13, C_BAD_STE = 4, C_BAD_STREAMID = 2, C_BAD_CD = 0x0a };

static PciDevice *pci;
static uint32_t sid, prod, seen;

static uint64_t rd(gpa addr, unsigned size)
{
    uint64_t value = 0;

    CHECK_EQ(memory_load(&board->memory, addr, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE), MEM_OK);
    return value;
}

static void wr(gpa addr, unsigned size, uint64_t value)
{
    CHECK_EQ(memory_store(&board->memory, addr, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE), MEM_OK);
}

static void command(uint64_t first, uint64_t second)
{
    wr(COMMANDS + prod % 16 * 16, 8, first);
    wr(COMMANDS + prod % 16 * 16 + 8, 8, second);
    prod = (prod + 1) % 32;
    wr(CMDQ_PROD, 4, prod);
}

/* The device reads a word; what became of it. */
static MemResult dma(uint64_t iova, bool is_write, uint64_t *value)
{
    return is_write ? memory_store(&pci->dma, iova, 4, MEM_LITTLE_ENDIAN, *value, MEM_ATTRS_NONE)
                    : memory_load(&pci->dma, iova, 4, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
}

static void reaches(uint64_t iova, gpa addr)
{
    uint64_t value = 0;

    wr(addr, 4, addr ^ 0x5a5a5a5a);
    CHECK_EQ(dma(iova, false, &value), MEM_OK);
    CHECK_EQ(value, (uint32_t)(addr ^ 0x5a5a5a5a));
}

/* The access fails with this event (0: without one); its words 1 to 3. */
static void faults(uint64_t iova, bool is_write, unsigned type, uint64_t words[3])
{
    uint64_t value = 1;

    CHECK(dma(iova, is_write, &value) != MEM_OK);
    while (loop_run_once(loop_main(), false)) {
    }
    uint32_t now = (uint32_t)rd(EVENTQ_PROD, 4) & ((2 << EVENTQ_BITS) - 1);
    CHECK_EQ(now, (seen + (type != 0)) % (2 << EVENTQ_BITS));
    if (type && now != seen) {
        gpa at = EVENTS + seen % (1 << EVENTQ_BITS) * 32;

        CHECK_EQ(rd(at, 8), (uint64_t)sid << 32 | type);
        for (unsigned i = 0; words && i < 3; i++) {
            words[i] = rd(at + 8 + 8 * i, 8);
        }
    }
    seen = now;
    wr(EVENTQ_CONS, 4, now);
}

static void ste(uint64_t w0, uint64_t w2, uint64_t w3)
{
    gpa at = STREAMS + 64 * sid;

    wr(at, 8, w0);
    wr(at + 8, 8, 0);
    wr(at + 16, 8, w2);
    wr(at + 24, 8, w3);
    command(0x03 | (uint64_t)sid << 32, 1);           /* CFGI_STE */
    command(0x30, 0);                                  /* TLBI_NSNH_ALL */
    command(0x46, 0);
    CHECK_EQ(rd(CMDQ_CONS, 4), prod);
}

/* A three-level table of 4 KiB pages for addresses below 512 GiB: one page. */
static void map(gpa table, uint64_t va, uint64_t leaf)
{
    wr(table + bits_get(va, 30, 9) * 8, 8, (table + 0x1000) | 3);
    wr(table + 0x1000 + bits_get(va, 21, 9) * 8, 8, (table + 0x2000) | 3);
    wr(table + 0x2000 + bits_get(va, 12, 9) * 8, 8, leaf);
}

enum { AF = 1 << 10, EL0 = 1 << 6, READONLY = 1 << 7, PAGE = 3, S2_RW = 3 << 6 };
#define S1_STE (1 | 5 << 1 | (uint64_t)CD)
/* T0SZ 25, EPD1, V, 48 bits, AA64, R, A, ASID 7. */
#define CD_WORD (25 | BIT(30) | BIT(31) | UINT64_C(5) << 32 | BIT(41) | BIT(45) | BIT(46) | UINT64_C(7) << 48)
/* VMID 9, 4 KiB pages, 39 bits from level 1 on, 48 bits out, S2AA64, S2R. */
#define S2_WORD (9 | UINT64_C(25) << 32 | UINT64_C(1) << 38 | UINT64_C(5) << 48 | BIT(51) | BIT(58))

static void start(void)
{
    machine_reset(board, RESET_COLD);
    pci_config_write(PCI_BUS(pci->bus), sid, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_IO);
    prod = seen = 0;
    CHECK_EQ(rd(SMMU, 4) & 3, 3);                      /* both stages */
    wr(STRTAB, 8, STREAMS);
    wr(STRTAB_CFG, 4, 8);                              /* linear, 256 streams */
    wr(CMDQ, 8, (uint64_t)COMMANDS | 4);
    wr(EVENTQ, 8, (uint64_t)EVENTS | EVENTQ_BITS);
    wr(IRQ_CTRL, 4, 5);
    CHECK_EQ(rd(IRQ_CTRL + 4, 4), 5);
    reaches(DATA, DATA);                               /* not enabled: addresses are memory's */
    uint64_t value;
    wr(GBPA, 4, 1u << 31 | 1 << 20 | 0x1000);
    CHECK_EQ(rd(GBPA, 4), 1 << 20 | 0x1000);
    CHECK(dma(DATA, false, &value) != MEM_OK);
    wr(GBPA, 4, 0x1000);                               /* without UPDATE: nothing */
    CHECK(dma(DATA, false, &value) != MEM_OK);
    wr(CR0, 4, 0xd);
    CHECK_EQ(rd(CR0ACK, 4), 0xd);
    wr(STRTAB, 8, 0);                                  /* in use: stays */
    CHECK_EQ(rd(STRTAB, 8), STREAMS);
}

static void test_configurations(void)
{
    uint64_t words[3];

    start();
    ste(0, 0, 0);
    faults(DATA, false, C_BAD_STE, NULL);
    ste(1, 0, 0);                                      /* abort: says nothing */
    faults(DATA, false, 0, NULL);
    ste(1 | 4 << 1, 0, 0);
    reaches(DATA + 0x1230, DATA + 0x1230);
    ste(S1_STE, 0, 0);
    for (unsigned i = 0; i < 8; i++) {
        wr(CD + 8 * i, 8, 0);
    }
    faults(DATA, false, C_BAD_CD, words);
    wr(CR0, 4, 0xc);
    wr(STRTAB_CFG, 4, 2);                              /* four streams: ours is none of them */
    wr(SMMU + 0x2c, 4, 2);                             /* RECINVSID */
    wr(CR0, 4, 0xd);
    faults(DATA, false, C_BAD_STREAMID, NULL);
}

static void test_stage1(void)
{
    uint64_t words[3];

    start();
    wr(CD, 8, CD_WORD);
    wr(CD + 8, 8, S1);
    map(S1, 0x12345000, DATA | AF | EL0 | PAGE);
    map(S1, 0x12346000, (DATA + 0x3000) | AF | EL0 | READONLY | PAGE);
    map(S1, 0x12347000, (DATA + 0x4000) | EL0 | PAGE);
    map(S1, 0x12348000, (DATA + 0x5000) | AF | PAGE);
    ste(S1_STE, 0, 0);
    reaches(0x12345678, DATA + 0x678);
    reaches(0x12346004, DATA + 0x3004);
    faults(0x12346004, true, F_PERMISSION, words);
    CHECK_EQ(words[1], 0x12346004);
    CHECK_EQ(words[0] >> 35 & 1, 0);                   /* RnW */
    CHECK_EQ(words[0] >> 40 & 3, 2);                   /* class IN */
    faults(0x12347000, false, F_ACCESS, words);
    CHECK_EQ(words[0] >> 35 & 1, 1);
    faults(0x12348000, false, F_PERMISSION, NULL);     /* the privileged level's alone */
    faults(0x12349000, false, F_TRANSLATION, NULL);
    faults(0x8000000000, false, F_TRANSLATION, NULL);
    faults(UINT64_MAX - 0xfff, false, F_TRANSLATION, NULL);
    /* What was read stays until it is invalidated; other ASIDs' invalidation is none. */
    map(S1, 0x12345000, (DATA + 0x6000) | AF | EL0 | PAGE);
    command(0x12 | UINT64_C(8) << 48, 0x12345000);
    reaches(0x12345678, DATA + 0x678);
    command(0x12 | UINT64_C(7) << 48, 0x12345000);
    reaches(0x12345678, DATA + 0x6678);
    /* A range: four pages of 4 KiB (NUM 1, SCALE 1) from two before on. */
    map(S1, 0x12345000, DATA | AF | EL0 | PAGE);
    command(0x12 | 1 << 12 | 1 << 20 | UINT64_C(7) << 48, 0x12343000 | 1 << 10);
    reaches(0x12345678, DATA + 0x678);
    /* A block of 2 MiB, and a transfer over the edge of a page. */
    wr(S1 + 0x1000 + bits_get(0x40000000, 21, 9) * 8, 8, RAM | AF | EL0 | 1);
    wr(S1 + bits_get(0x40000000, 30, 9) * 8, 8, (S1 + 0x1000) | 3);
    reaches(0x40000000 + 0x1ff000, RAM + 0x1ff000);
    uint8_t bytes[16], there[16] = "0123456789abcde";
    map(S1, 0x12346000, (DATA + 0x3000) | AF | EL0 | PAGE);
    command(0x10, 0);
    CHECK_EQ(memory_write(&pci->dma, 0x12345ff8, there, 16, MEM_ATTRS_NONE), MEM_OK);
    CHECK_EQ(memory_read(&board->memory, DATA + 0xff8, bytes, 8, MEM_ATTRS_NONE), MEM_OK);
    CHECK_EQ(memory_read(&board->memory, DATA + 0x3000, bytes + 8, 8, MEM_ATTRS_NONE), MEM_OK);
    CHECK(!memcmp(bytes, there, 16));
}

static void test_stage2(bool both)
{
    uint64_t words[3];

    start();
    wr(CD, 8, CD_WORD);
    wr(CD + 8, 8, S1);
    map(S1, 0x5000, 0x12345000 | AF | EL0 | PAGE);
    map(S1, 0x6000, 0x12346000 | AF | EL0 | PAGE);
    map(S2, 0x12345000, DATA | AF | S2_RW | PAGE);
    map(S2, 0x12346000, 0);
    /* Tables and descriptor of stage 1 at their own addresses: one block of 1 GiB. */
    wr(S2 + bits_get(RAM, 30, 9) * 8, 8, RAM | AF | S2_RW | 1);
    ste(both ? S1_STE | 3 << 2 : 1 | 6 << 1, S2_WORD, S2);
    if (!both) {
        reaches(0x12345abc, DATA + 0xabc);
        faults(0x12346000, false, F_TRANSLATION, words);
        CHECK_EQ(words[0] >> 39 & 1, 1);
        CHECK_EQ(words[2], 0x12346000);
        command(0x2a | UINT64_C(9) << 32, 0x12345000); /* TLBI_S2_IPA */
        map(S2, 0x12345000, (DATA + 0x1000) | AF | 1 << 6 | PAGE);
        reaches(0x12345abc, DATA + 0x1abc);
        faults(0x12345000, true, F_PERMISSION, NULL);
        return;
    }
    reaches(0x5abc, DATA + 0xabc);
    faults(0x6004, false, F_TRANSLATION, words);
    CHECK_EQ(words[0] >> 39 & 1, 1);
    CHECK_EQ(words[1], 0x6004);
    CHECK_EQ(words[2], 0x12346000);
    /* A table of stage 1 where stage 2 has nothing. */
    wr(S1 + bits_get(0x40000000, 30, 9) * 8, 8, 0x80000000 | 3);
    command(0x28 | UINT64_C(9) << 32, 0);
    faults(0x40000000, false, F_TRANSLATION, words);
    CHECK_EQ(words[0] >> 40 & 3, 1);                   /* class TTD */
}

static void test_queues(void)
{
    start();
    ste(0, 0, 0);
    command(0xff, 0);                                  /* no such command */
    CHECK_EQ(rd(GERROR, 4), 1);
    CHECK_EQ(rd(CMDQ_CONS, 4) >> 24, 1);
    command(0x46, 0);
    CHECK_EQ(rd(CMDQ_CONS, 4) & 31, (prod + 30) % 32); /* waits */
    wr(COMMANDS + (prod + 14) % 16 * 16, 8, 0x46);
    wr(GERRORN, 4, 1);
    CHECK_EQ(rd(CMDQ_CONS, 4) & 31, prod);
    /* Nine events have no place in a queue of eight. */
    uint64_t value;
    for (unsigned i = 0; i < 9; i++) {
        dma(DATA, false, &value);
        while (loop_run_once(loop_main(), false)) {
        }
    }
    CHECK_EQ(rd(EVENTQ_PROD, 4), UINT32_C(1) << 31 | 8);
    for (unsigned i = 0; i < 500; i++) {               /* nor in the SMMU */
        dma(DATA, false, &value);
    }
    wr(CR0, 4, 9);
    wr(EVENTQ, 8, (uint64_t)0xf0000000 << 8 | EVENTQ_BITS);
    wr(EVENTQ_PROD, 4, 0);
    wr(EVENTQ_CONS, 4, 0);
    wr(CR0, 4, 0xd);
    dma(DATA, false, &value);
    while (loop_run_once(loop_main(), false)) {
    }
    CHECK_EQ((rd(GERROR, 4) ^ rd(GERRORN, 4)) & 4, 4); /* the queue is not in memory */
}

static void test_bridge(void)
{
    enum { PIO = 0x3eff0000, MMIO = 0x10000000 };

    machine_reset(board, RESET_COLD);
    CHECK_EQ(rd(PIO + 0x12, 1), 0xff);
    wr(PIO + 0x12, 1, 0);
    CHECK_EQ(rd(MMIO, 4), UINT32_MAX);
    pci_config_write(PCI_BUS(pci->bus), sid, PCI_BAR0, 4, 0);
    pci_config_write(PCI_BUS(pci->bus), sid, PCI_COMMAND, 2, PCI_COMMAND_IO);
    wr(PIO + 0x12, 1, 3);                              /* virtio's legacy status */
    CHECK_EQ(rd(PIO + 0x12, 1), 3);
}

int main(void)
{
    unsigned n = 0;

    arm_board_start(1, (const char *const[]){ "gic-version", "3", "iommu", "smmuv3", NULL });
    contract_check(arm_board_find("arm-smmuv3"), &n);
    CHECK_EQ(contract_failures(), 0);
    pci = PCI_DEVICE(device_create("virtio-rng-pci", &pci_first_root()->bus, (const char *const[]){ "addr", "05.0", NULL }, NULL));
    CHECK(pci != NULL);
    sid = 5 << 3;
    test_bridge();
    test_configurations();
    test_stage1();
    test_stage2(false);
    test_stage2(true);
    test_queues();
    return test_result();
}
