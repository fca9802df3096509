/*
 * hw-gicv3.c: the GICv3 and its ITS on the `virt` board, through registers in memory and system registers as the manual says (IHI 0069H).
 */
#include "hw/intc/gicv3.h"
#include "softmmu/clock.h"
#include "tests/hw/arm-board.h"
#include "tests/hw/contract.h"
#include "tests/test.h"

enum { DIST = 0x8000000, REDIST = 0x80a0000, ITS = 0x8080000, RAM = 0x40000000, N_CPUS = 4, N_SPIS = 256 };
enum { IRQ = 1 << ARM_LINE_IRQ, FIQ = 1 << ARM_LINE_FIQ, VIRQ = 1 << ARM_LINE_VIRQ, VFIQ = 1 << ARM_LINE_VFIQ };
#define up arm_board_up

static Device *gic;
static MemAttrs attrs;                                /* of the next accesses */
static GicV3Access how = { .el = 1 };

static uint64_t rd(gpa addr, unsigned size)
{
    uint64_t value = 0;

    CHECK_EQ(memory_load(&board->memory, addr, size, MEM_LITTLE_ENDIAN, &value, attrs), MEM_OK);
    return value;
}

static void wr(gpa addr, unsigned size, uint64_t value)
{
    CHECK_EQ(memory_store(&board->memory, addr, size, MEM_LITTLE_ENDIAN, value, attrs), MEM_OK);
}

static uint64_t mrs(unsigned cpu, uint32_t reg)
{
    uint64_t value = 0;

    CHECK_EQ(gicv3_sysreg_read(gic, cpu, reg, &how, &value), GICV3_OK);
    return value;
}

static void msr(unsigned cpu, uint32_t reg, uint64_t value)
{
    CHECK_EQ(gicv3_sysreg_write(gic, cpu, reg, &how, value), GICV3_OK);
}

static gpa redist(unsigned cpu)
{
    return REDIST + cpu * GICV3_REDIST_BYTES;
}

static void spi(unsigned irq, int level)
{
    irq_set(gic_spi(gic, irq - 32), level);
}

/* An enabled SPI of group 1. */
static void give(unsigned irq, uint8_t priority, unsigned cpu)
{
    wr(DIST + 0x400 + irq, 1, priority);
    wr(DIST + 0x6000 + 8 * irq, 8, cpu);
    wr(DIST + 0x80 + irq / 32 * 4, 4, rd(DIST + 0x80 + irq / 32 * 4, 4) | 1u << irq % 32);
    wr(DIST + 0x100 + irq / 32 * 4, 4, 1u << irq % 32);
}

static void start(void)
{
    machine_reset(board, RESET_COLD);
    wr(DIST, 4, 2);
    for (unsigned c = 0; c < N_CPUS; c++) {
        wr(redist(c) + 0x14, 4, 0);
        wr(redist(c) + 0x10080, 4, UINT32_MAX);       /* group 1 */
        msr(c, ICC_PMR, 0xf0);
        msr(c, ICC_IGRPEN1, 1);
    }
}

/* Offset, size, value after reset, bits that keep what is written. */
static void test_rows(void)
{
    static const struct { gpa at; unsigned size; uint64_t reset, keeps; } rows[] = {
        { DIST, 4, 0x50, 3 }, { DIST + 0x004, 4, 0x037a0008, 0 }, { DIST + 0x008, 4, 0x43b, 0 }, { DIST + 0x080, 4, 0, 0 },
        { DIST + 0x084, 4, 0, 0xffffffff }, { DIST + 0x0a4, 4, 0, 0 }, { DIST + 0x400, 4, 0, 0 }, { DIST + 0x420, 4, 0, 0xf8f8f8f8 },
        { DIST + 0x800, 4, 0, 0 }, { DIST + 0xc04, 4, 0, 0 }, { DIST + 0xc08, 4, 0, 0xaaaaaaaa }, { DIST + 0xd04, 4, 0, 0 },
        { DIST + 0x6100, 8, 0, UINT64_C(0xff80ffffff) }, { DIST + 0x60f8, 8, 0, 0 }, { DIST + 0xffe8, 4, 0x3b, 0 },
        { REDIST + 0x00, 4, 2, 1 }, { REDIST + 0x04, 4, 0x43b, 0 }, { REDIST + 0x08, 8, 0x01000001, 0 },
        { REDIST + 0x20008, 8, UINT64_C(0x0000000101000101), 0 }, { REDIST + 0x60008, 8, UINT64_C(0x0000000301000311), 0 },
        { REDIST + 0x14, 4, 6, 0 }, { REDIST + 0x70, 8, 0, UINT64_C(0x070ffffffffffF9f) }, { REDIST + 0x78, 8, 0, UINT64_C(0x070fffffffff0f80) },
        { REDIST + 0x10080, 4, 0, 0xffffffff }, { REDIST + 0x10084, 4, 0, 0 }, { REDIST + 0x1041c, 4, 0, 0xf8f8f8f8 },
        { REDIST + 0x10420, 4, 0, 0 }, { REDIST + 0x10c00, 4, 0xaaaaaaaa, 0 }, { REDIST + 0x10c04, 4, 0, 0xaaaaaaaa },
        { REDIST + 0xffe8, 4, 0x3b, 0 }, { ITS + 0x004, 4, 0x43b, 0 }, { ITS + 0x008, 8, UINT64_C(0x1f0001ef71), 0 },
        { ITS + 0x100, 8, UINT64_C(0x0107000000000200), UINT64_C(0xf8e0ffffffffffff) }, { ITS + 0x110, 8, 0, 0 }, { ITS + 0xffe8, 4, 0x3b, 0 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t ones = UINT64_MAX >> (64 - 8 * rows[i].size);
        /* Reserved page sizes and sleep bits that follow each other are tested apart. */
        uint64_t put = rows[i].at == ITS + 0x100 ? ~UINT64_C(0x100) : rows[i].at == REDIST + 0x14 ? 0 : ones;

        machine_reset(board, RESET_COLD);
        CHECK_EQ(rd(rows[i].at, rows[i].size), rows[i].reset);
        wr(rows[i].at, rows[i].size, put);
        CHECK_EQ(rd(rows[i].at, rows[i].size), rows[i].at == REDIST + 0x14 ? 0 : (rows[i].reset & ~rows[i].keeps) | (put & rows[i].keeps));
    }
    machine_reset(board, RESET_COLD);
    static const struct { uint32_t reg; uint64_t reset, keeps; } sysregs[] = {
        { ICC_PMR, 0, 0xf8 }, { ICC_BPR0, 2, 5 }, { ICC_BPR1, 3, 4 }, { ICC_AP0R0, 0, UINT32_MAX }, { ICC_AP1R0, 0, UINT32_MAX },
        { ICC_CTLR, 0x8400, 3 }, { ICC_SRE, 7, 0 }, { ICC_IGRPEN0, 0, 1 }, { ICC_IGRPEN1, 0, 1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(sysregs); i++) {
        machine_reset(board, RESET_COLD);
        CHECK_EQ(mrs(1, sysregs[i].reg), sysregs[i].reset);
        msr(1, sysregs[i].reg, UINT64_MAX);
        CHECK_EQ(mrs(1, sysregs[i].reg), sysregs[i].reset | sysregs[i].keeps);
        CHECK_EQ(mrs(0, sysregs[i].reg), sysregs[i].reset);
        msr(1, sysregs[i].reg, 0);
        CHECK_EQ(mrs(1, sysregs[i].reg), sysregs[i].reset);
    }
    uint64_t value;
    CHECK_EQ(gicv3_sysreg_read(gic, 0, ICH_VTR, &how, &value), GICV3_UNDEFINED);
    CHECK_EQ(gicv3_sysreg_read(gic, 0, ICC_CTLR_EL3, &how, &value), GICV3_UNDEFINED);
    CHECK_EQ(gicv3_sysreg_read(gic, 0, ICC_AP1R0 + 1, &how, &value), GICV3_UNDEFINED);
    CHECK_EQ(gicv3_sysreg_write(gic, 0, ICC_IAR1, &how, 0), GICV3_UNDEFINED);
}

static void test_spis(void)
{
    start();
    give(40, 0x80, 2);
    spi(40, 1);
    CHECK(up[2] == IRQ && !up[0]);
    CHECK_EQ(mrs(2, ICC_HPPIR1), 40);
    CHECK_EQ(mrs(2, ICC_IAR0), 1023);
    CHECK_EQ(mrs(2, ICC_IAR1), 40);
    CHECK(!up[2] && mrs(2, ICC_RPR) == 0x80 && mrs(2, ICC_AP1R0) == 1u << 16);
    CHECK_EQ(rd(DIST + 0x304, 4), 1 << 8);
    msr(2, ICC_EOIR1, 40);
    CHECK(up[2] == IRQ && mrs(2, ICC_RPR) == 0xff);
    wr(DIST + 0x6000 + 8 * 40, 8, 1);                 /* moves while pending */
    CHECK(!up[2] && up[1] == IRQ);
    wr(DIST + 0x6000 + 8 * 40, 8, 0x100);             /* nobody */
    CHECK(!up[1] && !up[2]);
    wr(DIST + 0x6004 + 8 * 40, 4, 1);
    CHECK_EQ(rd(DIST + 0x6000 + 8 * 40, 8), UINT64_C(0x100000100));
    wr(DIST + 0x6000 + 8 * 40, 8, 3);
    spi(40, 0);
    CHECK_EQ(up[3], 0);
    /* Preemption by group priority; binary points. */
    give(50, 0xa0, 0);
    give(51, 0x40, 0);
    give(52, 0x48, 0);
    spi(50, 1);
    CHECK_EQ(mrs(0, ICC_IAR1), 50);
    spi(52, 1);
    CHECK_EQ(mrs(0, ICC_IAR1), 52);
    spi(51, 1);
    CHECK_EQ(up[0], IRQ);                             /* 0x40 preempts 0x48 */
    msr(0, ICC_AP1R0, mrs(0, ICC_AP1R0) & ~(1u << 9));
    msr(0, ICC_BPR1, 4);
    spi(51, 0);
    wr(DIST + 0x304, 4, 0);
    msr(0, ICC_EOIR1, 50);
    wr(DIST + 0x384 + 0, 4, UINT32_MAX);              /* all inactive again */
    CHECK_EQ(mrs(0, ICC_IAR1), 52);
    CHECK_EQ(mrs(0, ICC_RPR), 0x40);                  /* its group's priority */
    spi(51, 1);
    CHECK_EQ(up[0], 0);
    spi(51, 0);
    spi(52, 0);
    msr(0, ICC_EOIR1, 52);
    msr(0, ICC_CTLR, 1);                              /* CBPR: group 0's, which counts one lower */
    msr(0, ICC_BPR0, 5);
    CHECK_EQ(mrs(0, ICC_BPR1), 6);
    msr(0, ICC_BPR1, 3);
    CHECK_EQ(mrs(0, ICC_BPR1), 6);
    spi(50, 0);
    /* Group 0 is a FIQ and has its own registers. */
    start();
    wr(DIST, 4, 3);
    give(60, 0x20, 0);
    wr(DIST + 0x84, 4, 0);
    msr(0, ICC_IGRPEN0, 1);
    spi(60, 1);
    CHECK(up[0] == FIQ && mrs(0, ICC_IAR1) == 1023 && mrs(0, ICC_IAR0) == 60);
    msr(0, ICC_EOIR0, 60);
    CHECK_EQ(up[0], FIQ);
    wr(redist(0) + 0x14, 4, 2);                       /* asleep: it is signalled all the same */
    CHECK(up[0] == FIQ && rd(redist(0) + 0x14, 4) == 6);
    spi(60, 0);
    /* Priority drop apart from deactivation. */
    start();
    give(61, 0x20, 0);
    msr(0, ICC_CTLR, 2);
    spi(61, 1);
    CHECK_EQ(mrs(0, ICC_IAR1), 61);
    msr(0, ICC_EOIR1, 61);
    CHECK(mrs(0, ICC_RPR) == 0xff && !up[0]);
    msr(0, ICC_DIR, 61);
    CHECK_EQ(up[0], IRQ);
    spi(61, 0);
}

static void test_private(void)
{
    start();
    for (unsigned c = 0; c < N_CPUS; c++) {
        wr(redist(c) + 0x10100, 4, UINT32_MAX);
    }
    irq_set(gic_ppi(gic, N_SPIS, 1, 27), 1);
    CHECK(up[1] == IRQ && !up[0] && mrs(1, ICC_IAR1) == 27);
    irq_set(gic_ppi(gic, N_SPIS, 1, 27), 0);
    msr(1, ICC_EOIR1, 27);
    CHECK_EQ(up[1], 0);
    msr(0, ICC_SGI1R, UINT64_C(5) << 24 | 0xa);       /* to 1 and 3 */
    CHECK(!up[0] && up[1] == IRQ && !up[2] && up[3] == IRQ);
    CHECK_EQ(mrs(3, ICC_IAR1), 5);
    msr(3, ICC_EOIR1, 5);
    CHECK_EQ(mrs(1, ICC_IAR1), 5);
    msr(1, ICC_EOIR1, 5);
    msr(2, ICC_SGI1R, UINT64_C(1) << 40 | UINT64_C(6) << 24); /* to all the others */
    CHECK(up[0] == IRQ && up[1] == IRQ && !up[2] && up[3] == IRQ);
    msr(0, ICC_SGI1R, UINT64_C(7) << 24 | 1 << 16 | 0xf); /* another cluster */
    CHECK_EQ(rd(redist(0) + 0x10200, 4), 1 << 6);
    msr(0, ICC_SGI1R, UINT64_C(7) << 24 | UINT64_C(1) << 44 | 0xf); /* affinity 16 to 19 */
    CHECK_EQ(rd(redist(0) + 0x10200, 4), 1 << 6);
    msr(0, ICC_SGI0R, UINT64_C(8) << 24 | 1);         /* it is not of group 0 */
    CHECK_EQ(rd(redist(0) + 0x10200, 4), 1 << 6);
}

/* -- LPIs and the ITS ------------------------------------------------------------------------------------------------------------ */

enum { CONFIG = RAM + 0x100000, PENDING = RAM + 0x200000, DEVICES = RAM + 0x400000, COLLECTIONS = RAM + 0x500000, ITT = RAM + 0x600000,
       QUEUE = RAM + 0x700000 };
static unsigned tail;

static void command(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    const uint64_t words[4] = { a, b, c, d };

    for (unsigned i = 0; i < 4; i++) {
        wr(QUEUE + tail + 8 * i, 8, words[i]);
    }
    tail = (tail + 32) % 0x10000;
    wr(ITS + 0x88, 8, tail);
    CHECK_EQ(rd(ITS + 0x90, 8), tail);
}

static void message(unsigned device, uint32_t event)
{
    attrs.requester_id = (uint16_t)device;
    wr(ITS + 0x10040, 4, event);
    attrs.requester_id = 0;
}

static void start_its(bool indirect)
{
    start();
    CHECK_EQ(memory_fill(&board->memory, RAM, 0, 0x800000, MEM_ATTRS_NONE), MEM_OK);
    CHECK_EQ(memory_fill(&board->memory, CONFIG, 0xa1, 0x4000, MEM_ATTRS_NONE), MEM_OK); /* 0xa0, enabled */
    for (unsigned c = 0; c < N_CPUS; c++) {
        wr(redist(c) + 0x70, 8, CONFIG | (c == 1 ? 31 : 15)); /* more bits than there are: as many as there are */
        wr(redist(c) + 0x78, 8, (PENDING + c * 0x10000) | UINT64_C(1) << 62);
        wr(redist(c), 4, 1);
        CHECK_EQ(rd(redist(c), 4), 3);
    }
    wr(ITS + 0x100, 8, UINT64_C(1) << 63 | (uint64_t)indirect << 62 | DEVICES | 0x200 | 7);
    wr(ITS + 0x108, 8, UINT64_C(1) << 63 | COLLECTIONS | 0x200);
    if (indirect) {
        wr(DEVICES, 8, UINT64_C(1) << 63 | (DEVICES + 0x10000));
    }
    wr(ITS + 0x80, 8, UINT64_C(1) << 63 | QUEUE | 15);
    tail = 0;
    wr(ITS, 4, 1);
    command(0x08 | UINT64_C(0x10) << 32, 4, UINT64_C(1) << 63 | ITT, 0);       /* MAPD 0x10, 5 bits */
    command(0x09, 0, UINT64_C(1) << 63 | 2 << 16 | 7, 0);                      /* MAPC 7 to processor 2 */
    command(0x09, 0, UINT64_C(1) << 63 | 1 << 16 | 8, 0);
    command(0x0a | UINT64_C(0x10) << 32, 3 | UINT64_C(8200) << 32, 7, 0);      /* MAPTI 3 to 8200 of 7 */
    command(0x05, 0, 2 << 16, 0);
}

static void test_its(bool indirect)
{
    start_its(indirect);
    message(0x10, 3);
    CHECK(up[2] == IRQ && mrs(2, ICC_HPPIR1) == 8200 && mrs(2, ICC_IAR1) == 8200);
    CHECK(mrs(2, ICC_RPR) == 0xa0 && !up[2]);
    message(0x10, 3);                                 /* no active state: the next one waits for its priority only */
    CHECK_EQ(up[2], 0);
    msr(2, ICC_EOIR1, 8200);
    CHECK(up[2] == IRQ && mrs(2, ICC_IAR1) == 8200);
    msr(2, ICC_EOIR1, 8200);
    CHECK_EQ(up[2], 0);
    message(0x11, 3);                                 /* another device, another event, out of range */
    message(0x10, 4);
    message(0x10, 32);
    CHECK_EQ(up[2], 0);
    /* Configuration counts after INV. */
    wr(CONFIG + 8200 - 8192, 1, 0xa0);
    command(0x0c | UINT64_C(0x10) << 32, 3, 0, 0);
    message(0x10, 3);
    CHECK_EQ(up[2], 0);
    wr(CONFIG + 8200 - 8192, 1, 0x21);
    command(0x0d, 0, 7, 0);                           /* INVALL: it was pending */
    CHECK_EQ(up[2], IRQ);
    command(0x01 | UINT64_C(0x10) << 32, 3, 8, 0);    /* MOVI takes it along */
    CHECK(!up[2] && up[1] == IRQ);
    command(0x0e, 0, 1 << 16, 3 << 16);               /* MOVALL 1 to 3 */
    CHECK(!up[1] && up[3] == IRQ);
    CHECK_EQ(mrs(3, ICC_IAR1), 8200);
    msr(3, ICC_EOIR1, 8200);
    command(0x03 | UINT64_C(0x10) << 32, 3, 0, 0);    /* INT */
    CHECK_EQ(up[1], IRQ);
    command(0x04 | UINT64_C(0x10) << 32, 3, 0, 0);    /* CLEAR */
    CHECK_EQ(up[1], 0);
    /* Better and lower numbers first; the table in memory has what is pending when LPIs are switched off, and comes back. */
    command(0x0a | UINT64_C(0x10) << 32, 5 | UINT64_C(9000) << 32, 8, 0);
    command(0x0b | UINT64_C(0x10) << 32, 8, 8, 0);    /* MAPI 8: no LPI */
    message(0x10, 8);
    message(0x10, 5);
    message(0x10, 3);
    CHECK_EQ(mrs(1, ICC_HPPIR1), 8200);               /* 0x20 */
    wr(redist(1), 4, 0);
    CHECK(!up[1] && rd(PENDING + 0x10000 + 8200 / 8, 1) == 1 && rd(PENDING + 0x10000 + 9000 / 8, 1) == 1);
    wr(PENDING + 0x10000 + 8200 / 8, 1, 0);
    wr(redist(1) + 0x78, 8, PENDING + 0x10000);
    wr(redist(1), 4, 1);
    CHECK(up[1] == IRQ && mrs(1, ICC_IAR1) == 9000);
    msr(1, ICC_EOIR1, 9000);
    CHECK_EQ(up[1], 0);
    message(0x10, 3);
    command(0x0f | UINT64_C(0x10) << 32, 3, 0, 0);    /* DISCARD */
    CHECK_EQ(up[1], 0);
    message(0x10, 3);
    CHECK_EQ(up[1], 0);
    command(0x08 | UINT64_C(0x10) << 32, 4, ITT, 0);  /* MAPD, not valid */
    message(0x10, 5);
    CHECK_EQ(up[1], 0);
    /* Nonsense is ignored; a long queue is worked through in pieces. */
    command(0x77, UINT64_MAX, UINT64_MAX, UINT64_MAX);
    command(0x09, 0, UINT64_C(1) << 63 | 99 << 16 | 7, 0);
    command(0x08 | UINT64_C(0x10) << 32, 31, UINT64_C(1) << 63 | ITT, 0);
    for (unsigned i = 0; i < 2000; i++) {
        wr(QUEUE + (tail + 32 * i) % 0x10000, 8, 5);
    }
    tail = (tail + 32 * 2000) % 0x10000;
    wr(ITS + 0x88, 8, tail);
    CHECK(rd(ITS + 0x90, 8) != tail && !(rd(ITS, 4) >> 31));
    for (unsigned i = 0; i < 8; i++) {
        clock_virtual_set_ns(clock_get_ns(VM_CLOCK_VIRTUAL) + 10);
        clock_run_virtual_timers();
    }
    CHECK(rd(ITS + 0x90, 8) == tail && rd(ITS, 4) == 0x80000001);
}

/* -- virtual interface --------------------------------------------------------------------------------------------------------------- */

static void test_virtual(void)
{
    uint64_t value;

    start();
    how = (GicV3Access){ .el = 2, .el2 = true };
    CHECK_EQ(mrs(0, ICH_VTR), 0x90380003);
    CHECK_EQ(mrs(0, ICH_ELRSR), 15);
    CHECK_EQ(mrs(0, ICC_SRE_EL2), 15);
    CHECK_EQ(gicv3_sysreg_read(gic, 0, ICH_LR0 + 4, &how, &value), GICV3_UNDEFINED);
    give(70, 0x80, 0);
    spi(70, 1);
    CHECK_EQ(mrs(0, ICC_IAR1), 70);
    msr(0, ICC_CTLR, 2);
    msr(0, ICC_EOIR1, 70);
    msr(0, ICH_HCR, 1);
    msr(0, ICH_LR0, UINT64_C(1) << 62 | UINT64_C(1) << 61 | UINT64_C(1) << 60 | UINT64_C(0x80) << 48 | UINT64_C(70) << 32 | 33);
    msr(0, ICH_LR0 + 1, UINT64_C(1) << 62 | UINT64_C(1) << 60 | UINT64_C(0x20) << 48 | UINT64_C(1) << 41 | 5);
    GicV3Access guest = { .el = 1, .el2 = true, .virtual0 = true, .virtual1 = true }, hyp = how;
    how = guest;
    msr(0, ICC_PMR, 0xff);
    msr(0, ICC_IGRPEN1, 1);
    CHECK_EQ(up[0], VIRQ);
    CHECK_EQ(mrs(0, ICC_IAR1), 5);
    CHECK(!up[0] && mrs(0, ICC_RPR) == 0x20);
    how = hyp;
    CHECK(mrs(0, ICH_AP1R0) == 1 << 4 && mrs(0, ICH_VMCR) == (UINT32_C(0xf8) << 24 | 2 << 21 | 3 << 18 | 8 | 2));
    how = guest;
    msr(0, ICC_EOIR1, 5);
    CHECK_EQ(mrs(0, ICC_IAR1), 33);
    how = hyp;
    CHECK(mrs(0, ICH_EISR) == 2 && mrs(0, ICH_MISR) == 1 && rd(DIST + 0x308, 4) == 1 << 6);
    how = guest;
    spi(70, 0);
    msr(0, ICC_EOIR1, 33);
    CHECK_EQ(rd(DIST + 0x308, 4), 0);                 /* the guest's end is the hardware's */
    msr(0, ICC_EOIR1, 99);                            /* nothing active: not counted */
    how = hyp;
    CHECK_EQ(mrs(0, ICH_HCR), 1);
    CHECK_EQ(mrs(0, ICH_ELRSR), 13);
    msr(0, ICH_AP1R0, 1);
    how = guest;
    msr(0, ICC_EOIR1, 99);
    how = hyp;
    CHECK_EQ(mrs(0, ICH_HCR), 1 | 1u << 27);
    msr(0, ICH_LR0 + 1, 0);
    msr(0, ICH_HCR, 1 | 2);                           /* underflow: maintenance, a PPI */
    CHECK(mrs(0, ICH_MISR) == 2 && (rd(redist(0) + 0x10200, 4) >> 25 & 1));
    msr(0, ICH_HCR, 0);
    CHECK_EQ(rd(redist(0) + 0x10200, 4) >> 25 & 1, 0);
    /* Group 0 is a virtual FIQ. Traps of the guest's accesses. */
    msr(0, ICH_HCR, 1);
    msr(0, ICH_LR0, UINT64_C(1) << 62 | UINT64_C(0x10) << 48 | 40);
    how = guest;
    msr(0, ICC_IGRPEN0, 1);
    CHECK(up[0] == VFIQ && mrs(0, ICC_IAR0) == 40);
    CHECK_EQ(gicv3_sysreg_write(gic, 0, ICC_SGI1R, &how, 0), GICV3_TRAP_EL2);
    static const struct { uint32_t bit, reg; } traps[] = {
        { 1 << 10, ICC_PMR }, { 1 << 11, ICC_IAR0 }, { 1 << 12, ICC_IGRPEN1 }, { 1 << 14, ICC_DIR },
    };
    for (size_t i = 0; i < ARRAY_SIZE(traps); i++) {
        how = hyp;
        msr(0, ICH_HCR, 1 | traps[i].bit);
        how = guest;
        CHECK_EQ(gicv3_sysreg_write(gic, 0, traps[i].reg, &how, 0), GICV3_TRAP_EL2);
        CHECK_EQ(gicv3_sysreg_read(gic, 0, ICC_BPR1, &how, &value), traps[i].bit == 1 << 12 ? GICV3_TRAP_EL2 : GICV3_OK);
    }
    how = (GicV3Access){ .el = 1 };
}

/* Two security states. */
static void test_security(void)
{
    GicV3Access el3 = { .el = 3, .secure = true, .el3 = true }, ns = { .el = 1, .el3 = true };

    machine_reset(board, RESET_COLD);
    attrs.secure = true;
    how = el3;
    CHECK_EQ(rd(DIST, 4), 0x30);
    CHECK_EQ(rd(DIST + 4, 4) >> 10 & 1, 1);
    wr(DIST, 4, 7);
    wr(redist(0) + 0x14, 4, 0);
    msr(0, ICC_PMR, 0xf0);
    msr(0, ICC_IGRPEN1_EL3, 3);
    msr(0, ICC_IGRPEN0, 1);
    give(90, 0x40, 0);
    give(91, 0xc0, 0);
    give(92, 0x48, 0);
    wr(DIST + 0x88, 4, 1u << 27);                     /* 91: non-secure group 1; 92: secure group 1; 90: group 0 */
    wr(DIST + 0xd08, 4, 1u << 28);
    attrs.secure = false;
    CHECK_EQ(rd(DIST, 4), 0x13);
    CHECK_EQ(rd(DIST + 0x88, 4), 0);
    CHECK_EQ(rd(DIST + 0x108, 4), 1u << 27);
    CHECK_EQ(rd(DIST + 0x458, 4), 0x80000000);
    CHECK_EQ(rd(DIST + 0x6000 + 8 * 90, 8), 0);
    how = ns;
    CHECK_EQ(mrs(0, ICC_PMR), 0xe0);
    spi(91, 1);
    CHECK_EQ(up[0], IRQ);
    CHECK_EQ(mrs(0, ICC_IAR1), 91);
    CHECK_EQ(mrs(0, ICC_RPR), 0x80);
    spi(92, 1);
    CHECK(up[0] == FIQ && mrs(0, ICC_IAR1) == 1023);  /* secure group 1 while non-secure */
    how = el3;
    CHECK_EQ(mrs(0, ICC_IAR1), 92);
    spi(90, 1);
    CHECK(up[0] == FIQ && mrs(0, ICC_IAR0) == 90);
    spi(90, 0);
    msr(0, ICC_EOIR0, 90);
    spi(92, 0);
    msr(0, ICC_EOIR1, 92);
    how = ns;
    spi(91, 0);
    msr(0, ICC_EOIR1, 91);
    CHECK_EQ(up[0], 0);
    msr(0, ICC_SGI0R, 1);                             /* not non-secure software's to send */
    attrs.secure = true;
    CHECK_EQ(rd(redist(0) + 0x10200, 4), 0);
    wr(DIST, 4, 0x47);                                /* DS: for good */
    CHECK_EQ(rd(DIST, 4), 0x53);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "its";
    unsigned n = 0;

    arm_board_start(N_CPUS, (const char *const[]){ "gic-version", "3", mode, "on", NULL });
    gic = arm_board_find("arm-gicv3");
    contract_check(gic, &n);
    contract_check(arm_board_find("arm-gicv3-its"), &n);
    CHECK_EQ(contract_failures(), 0);
    if (!strcmp(mode, "secure")) {
        test_security();
        return test_result();
    }
    if (!strcmp(mode, "virtualization")) {
        test_virtual();
        return test_result();
    }
    test_rows();
    test_spis();
    test_private();
    test_its(false);
    test_its(true);
    return test_result();
}
