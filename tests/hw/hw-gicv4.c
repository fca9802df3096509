/*
 * hw-gicv4.c: a GICv4.0 on the `virt` board: message interrupts of virtual processors, resident or not (IHI 0069H chapter 9, commands 5.3, registers 12.13).
 */
#include "hw/intc/gicv3.h"
#include "tests/hw/arm-board.h"
#include "tests/hw/contract.h"
#include "tests/test.h"

enum { DIST = 0x8000000, REDIST = 0x80a0000, ITS = 0x8080000, RAM = 0x40000000, N_CPUS = 4, DEVICE = 0x10 };
enum { IRQ = 1 << ARM_LINE_IRQ, VIRQ = 1 << ARM_LINE_VIRQ };
enum {
    CONFIG = RAM + 0x100000, VCONFIG = RAM + 0x180000, PENDING = RAM + 0x200000, VPENDING = RAM + 0x300000, DEVICES = RAM + 0x400000,
    COLLECTIONS = RAM + 0x500000, VPES = RAM + 0x580000, ITT = RAM + 0x600000, QUEUE = RAM + 0x700000,
};
#define VALID (UINT64_C(1) << 63)
#define up arm_board_up

static Device *gic;
static MemAttrs attrs;
static const GicV3Access hyp = { .el = 2, .el2 = true }, guest = { .el = 1, .el2 = true, .virtual0 = true, .virtual1 = true };
static unsigned tail;

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

static uint64_t mrs(unsigned cpu, uint32_t reg, const GicV3Access *how)
{
    uint64_t value = 0;

    CHECK_EQ(gicv3_sysreg_read(gic, cpu, reg, how, &value), GICV3_OK);
    return value;
}

static void msr(unsigned cpu, uint32_t reg, uint64_t value, const GicV3Access *how)
{
    CHECK_EQ(gicv3_sysreg_write(gic, cpu, reg, how, value), GICV3_OK);
}

static gpa redist(unsigned cpu)
{
    return REDIST + cpu * GICV4_REDIST_BYTES;
}

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

static void message(uint32_t event)
{
    attrs.requester_id = DEVICE;
    wr(ITS + 0x10040, 4, event);
    attrs.requester_id = 0;
}

static gpa table(unsigned vpe)
{
    return VPENDING + 0x10000 * vpe;
}

static bool in_table(unsigned vpe, unsigned lpi)
{
    return rd(table(vpe) + lpi / 8, 1) >> lpi % 8 & 1;
}

static void vmapp(unsigned vpe, unsigned cpu)
{
    command(0x29, (uint64_t)vpe << 32, VALID | cpu << 16, table(vpe) | 15);
}

static void vmapti(uint32_t event, unsigned vpe, uint64_t doorbell, uint32_t lpi)
{
    command(0x2a | (uint64_t)DEVICE << 32, (uint64_t)vpe << 32 | event, doorbell << 32 | lpi, 0);
}

static void enter(unsigned vpe, unsigned cpu)
{
    wr(redist(cpu) + 0x20070, 8, VCONFIG | 15);
    wr(redist(cpu) + 0x20078, 8, VALID | table(vpe));
    CHECK_EQ(rd(redist(cpu) + 0x20078, 8), VALID | table(vpe));
}

/* GICR_VPENDBASER afterwards: PendingLast. */
static bool leave(unsigned cpu)
{
    wr(redist(cpu) + 0x20078, 8, rd(redist(cpu) + 0x20078, 8) & ~VALID);
    return rd(redist(cpu) + 0x20078, 8) >> 61 == 1;
}

static void start(bool indirect)
{
    machine_reset(board, RESET_COLD);
    CHECK_EQ(memory_fill(&board->memory, RAM, 0, 0x800000, MEM_ATTRS_NONE), MEM_OK);
    CHECK_EQ(memory_fill(&board->memory, CONFIG, 0xa1, 0x4000, MEM_ATTRS_NONE), MEM_OK);
    CHECK_EQ(memory_fill(&board->memory, VCONFIG, 0x81, 0x4000, MEM_ATTRS_NONE), MEM_OK);
    wr(DIST, 4, 2);
    for (unsigned c = 0; c < N_CPUS; c++) {
        wr(redist(c) + 0x14, 4, 0);
        wr(redist(c) + 0x70, 8, CONFIG | 15);
        wr(redist(c) + 0x78, 8, (PENDING + c * 0x10000) | UINT64_C(1) << 62);
        wr(redist(c), 4, 1);
        msr(c, ICC_PMR, 0xf0, &hyp);
        msr(c, ICC_IGRPEN1, 1, &hyp);
        msr(c, ICH_HCR, 1, &hyp);
        msr(c, ICC_PMR, 0xff, &guest);
        msr(c, ICC_IGRPEN1, 1, &guest);
    }
    wr(ITS + 0x100, 8, VALID | DEVICES | 0x200 | 7);
    wr(ITS + 0x108, 8, VALID | COLLECTIONS | 0x200);
    wr(ITS + 0x110, 8, VALID | (uint64_t)indirect << 62 | VPES | 0x200);
    CHECK_EQ(rd(ITS + 0x110, 8) >> 62, indirect ? 3 : 2);
    if (indirect) {
        wr(VPES, 8, VALID | (VPES + 0x10000));
    }
    wr(ITS + 0x80, 8, VALID | QUEUE | 15);
    tail = 0;
    wr(ITS, 4, 1);
    command(0x08 | (uint64_t)DEVICE << 32, 4, VALID | ITT, 0);
    command(0x09, 0, VALID | 3 << 16 | 7, 0);                          /* MAPC 7 to processor 3 */
    vmapp(1, 0);
    vmapp(2, 1);
    vmapti(3, 1, 9000, 8200);
    vmapti(4, 1, 1023, 8201);
    vmapti(5, 2, 1023, 8202);
    command(0x25, UINT64_C(1) << 32, 0, 0);                            /* VSYNC */
}

static void test_registers(void)
{
    CHECK_EQ(rd(DIST + 0xffe8, 4), 0x4b);
    CHECK_EQ(rd(redist(0) + 0xffe8, 4), 0x4b);
    CHECK_EQ(rd(redist(1) + 0x08, 8) & 0x1ff, 0x107);
    CHECK_EQ(rd(ITS + 0x08, 8) & (UINT64_C(1) << 37 | 3), UINT64_C(1) << 37 | 3);
    CHECK_EQ(rd(ITS + 0x110, 8) >> 56 & 7, 2);
    CHECK_EQ(mrs(0, ICH_VTR, &hyp) >> 20 & 1, 0);
    CHECK_EQ(rd(redist(0) + 0x20070, 8) | rd(redist(0) + 0x20078, 8) | rd(redist(0) + 0x30000, 4), 0);
}

static void test_resident(void)
{
    enter(1, 0);
    CHECK_EQ(up[0], 0);
    message(3);
    CHECK_EQ(up[0], VIRQ);                                             /* the guest's, and no doorbell */
    CHECK_EQ(mrs(0, ICC_HPPIR1, &guest), 8200);
    CHECK_EQ(mrs(0, ICC_IAR1, &guest), 8200);
    CHECK(!up[0] && mrs(0, ICC_RPR, &guest) == 0x80);
    message(3);                                                        /* no active state: waits for its priority */
    CHECK_EQ(up[0], 0);
    msr(0, ICC_EOIR1, 8200, &guest);
    CHECK(up[0] == VIRQ && mrs(0, ICC_IAR1, &guest) == 8200);
    msr(0, ICC_EOIR1, 8200, &guest);
    CHECK_EQ(mrs(0, ICH_HCR, &hyp), 1);                                /* nothing counted */
    /* Beside list registers: the better one first. */
    msr(0, ICH_LR0, UINT64_C(1) << 62 | UINT64_C(1) << 60 | UINT64_C(0x88) << 48 | 40, &hyp);
    message(4);
    CHECK_EQ(mrs(0, ICC_IAR1, &guest), 8201);
    msr(0, ICC_EOIR1, 8201, &guest);
    CHECK_EQ(mrs(0, ICC_IAR1, &guest), 40);
    msr(0, ICC_EOIR1, 40, &guest);
    CHECK_EQ(mrs(0, ICC_IAR1, &guest), 1023);
    /* Its configuration, after INV and VINVALL; its group. */
    wr(VCONFIG + 8200 - 8192, 1, 0x80);
    command(0x0c | (uint64_t)DEVICE << 32, 3, 0, 0);
    message(3);
    CHECK_EQ(up[0], 0);
    wr(VCONFIG + 8200 - 8192, 1, 0x21);
    command(0x2d, UINT64_C(1) << 32, 0, 0);
    CHECK_EQ(up[0], VIRQ);
    msr(0, ICC_IGRPEN1, 0, &guest);
    CHECK_EQ(up[0], 0);
    msr(0, ICC_IGRPEN1, 1, &guest);
    msr(0, ICH_HCR, 0, &hyp);
    CHECK_EQ(up[0], 0);
    msr(0, ICH_HCR, 1, &hyp);
    CHECK_EQ(up[0], VIRQ);
    command(0x04 | (uint64_t)DEVICE << 32, 3, 0, 0);                   /* CLEAR */
    CHECK_EQ(up[0], 0);
    command(0x03 | (uint64_t)DEVICE << 32, 4, 0, 0);                   /* INT */
    CHECK_EQ(up[0], VIRQ);
    /* It goes, and what is pending stays its own. */
    CHECK(leave(0));
    CHECK(!up[0] && in_table(1, 8201));
    enter(2, 0);                                                       /* another one, which is mapped to processor 1 */
    CHECK_EQ(up[0], 0);
    CHECK(!leave(0));
    enter(1, 0);
    CHECK_EQ(mrs(0, ICC_IAR1, &guest), 8201);
    msr(0, ICC_EOIR1, 8201, &guest);
    wr(redist(0) + 0x20078, 8, VALID | table(2));                      /* one is resident: ignored */
    CHECK_EQ(rd(redist(0) + 0x20078, 8), VALID | table(1));
    CHECK(!leave(0));
    CHECK(!in_table(1, 8201));
}

static void test_away(void)
{
    message(4);                                                        /* no doorbell */
    CHECK(!up[0] && in_table(1, 8201));
    message(3);
    CHECK(up[0] == IRQ && in_table(1, 8200));
    CHECK_EQ(mrs(0, ICC_IAR1, &hyp), 9000);
    msr(0, ICC_EOIR1, 9000, &hyp);
    enter(1, 0);
    CHECK_EQ(mrs(0, ICC_IAR1, &guest), 8200);
    msr(0, ICC_EOIR1, 8200, &guest);
    CHECK_EQ(mrs(0, ICC_IAR1, &guest), 8201);
    msr(0, ICC_EOIR1, 8201, &guest);
    leave(0);
    /* Moved: doorbells and messages follow. */
    command(0x22, UINT64_C(1) << 32, 2 << 16, 0);
    message(3);
    CHECK(!up[0] && up[2] == IRQ);
    CHECK_EQ(mrs(2, ICC_IAR1, &hyp), 9000);
    msr(2, ICC_EOIR1, 9000, &hyp);
    enter(1, 2);
    CHECK_EQ(up[2], VIRQ);
    message(4);
    CHECK(mrs(2, ICC_IAR1, &guest) == 8200);
    msr(2, ICC_EOIR1, 8200, &guest);
    /* VMOVI: an event that is pending goes to the other virtual processor, with a doorbell. */
    command(0x21 | (uint64_t)DEVICE << 32, UINT64_C(2) << 32 | 4, UINT64_C(9001) << 32 | 1, 0);
    CHECK(!up[2] && in_table(2, 8201) && up[1] == IRQ);
    CHECK_EQ(mrs(1, ICC_IAR1, &hyp), 9001);
    msr(1, ICC_EOIR1, 9001, &hyp);
    leave(2);
    enter(2, 1);
    CHECK(up[1] == VIRQ && mrs(1, ICC_IAR1, &guest) == 8201);
    msr(1, ICC_EOIR1, 8201, &guest);
    command(0x0f | (uint64_t)DEVICE << 32, 4, 0, 0);                   /* DISCARD */
    message(4);
    CHECK_EQ(up[1], 0);
    command(0x2b | (uint64_t)DEVICE << 32, UINT64_C(2) << 32 | 6, UINT64_C(1023) << 32, 0); /* VMAPI: 6 is no LPI */
    message(6);
    CHECK_EQ(up[1], 0);
}

static void test_nonsense(void)
{
    vmapp(3, 99);                                                      /* no such processor */
    command(0x29, UINT64_C(70) << 32 << 10, VALID, 0);
    vmapti(7, 40, 1023, 8300);                                         /* no such virtual processor */
    message(7);
    vmapti(7, 2, 5, 8300);                                             /* its doorbell is no LPI */
    message(7);
    command(0x01 | (uint64_t)DEVICE << 32, 5, 7, 0);                   /* MOVI of a virtual one */
    command(0x21 | (uint64_t)DEVICE << 32, UINT64_C(40) << 32 | 5, 0, 0);
    message(5);
    CHECK(up[1] == VIRQ && mrs(1, ICC_IAR1, &guest) == 8202);          /* nothing has become of that */
    msr(1, ICC_EOIR1, 8202, &guest);
    command(0x29, UINT64_C(2) << 32, 0, 0);                            /* VMAPP, not valid */
    message(5);
    CHECK_EQ(up[1], 0);
    command(0x0a | (uint64_t)DEVICE << 32, 5 | UINT64_C(8500) << 32, 7, 0); /* physical again */
    message(5);
    CHECK(up[3] == IRQ && mrs(3, ICC_IAR1, &hyp) == 8500);
    msr(3, ICC_EOIR1, 8500, &hyp);
    for (unsigned number = 0x20; number < 0x40; number++) {
        command(number, UINT64_MAX, UINT64_MAX, UINT64_MAX);
        command(number | UINT64_C(7) << 32, 0, 0, 0);
    }
}

int main(void)
{
    unsigned n = 0;

    arm_board_start(N_CPUS, (const char *const[]){ "gic-version", "4", "virtualization", "on", NULL });
    gic = arm_board_find("arm-gicv3");
    contract_check(gic, &n);
    contract_check(arm_board_find("arm-gicv3-its"), &n);
    CHECK_EQ(contract_failures(), 0);
    machine_reset(board, RESET_COLD);
    test_registers();
    for (int indirect = 0; indirect < 2; indirect++) {
        start(indirect);
        test_resident();
        test_away();
        test_nonsense();
    }
    return test_result();
}
