/*
 * hw-gicv2.c: the GICv2 and its message frame on the `virt` board, through their registers as the manual says (IHI 0048B).
 */
#include "hw/arm/gic.h"
#include "tests/hw/arm-board.h"
#include "tests/hw/contract.h"
#include "tests/test.h"

enum { DIST = 0x8000000, CPU = 0x8010000, HYP = 0x8030000, VCPU = 0x8040000, V2M = 0x8020000 };
enum { CTLR = 0, PMR = 4, BPR = 8, IAR = 0xc, EOIR = 0x10, RPR = 0x14, HPPIR = 0x18, ABPR = 0x1c, AIAR = 0x20, AEOIR = 0x24, DIR = 0x1000 };
enum { N_CPUS = 4, N_SPIS = 256, NONE = 1023 };

static Device *gic, *v2m;
static bool secure;         /* of the next accesses */

static uint32_t rd(unsigned cpu, gpa addr)
{
    uint64_t value = 0;

    CHECK_EQ(memory_load(&arm_cpu(board, cpu)->memory, addr, 4, MEM_LITTLE_ENDIAN, &value, (MemAttrs){ .secure = secure }), MEM_OK);
    return (uint32_t)value;
}

static void wr_size(unsigned cpu, gpa addr, unsigned size, uint32_t value)
{
    CHECK_EQ(memory_store(&arm_cpu(board, cpu)->memory, addr, size, MEM_LITTLE_ENDIAN, value, (MemAttrs){ .secure = secure }), MEM_OK);
}

static void wr(unsigned cpu, gpa addr, uint32_t value)
{
    wr_size(cpu, addr, 4, value);
}

static void spi(unsigned irq, int level)
{
    irq_set(gic_spi(gic, irq - 32), level);
}

/* An interrupt with this priority for these processors, enabled. */
static void give(unsigned irq, uint8_t priority, uint8_t cpus)
{
    wr_size(0, DIST + 0x400 + irq, 1, priority);
    wr_size(0, DIST + 0x800 + irq, 1, cpus);
    wr(0, DIST + 0x100 + irq / 32 * 4, 1u << irq % 32);
}

static void set_group1(unsigned irq, bool on)
{
    uint32_t old = rd(0, DIST + 0x80 + irq / 32 * 4), bit = 1u << irq % 32;

    wr(0, DIST + 0x80 + irq / 32 * 4, on ? old | bit : old & ~bit);
}

static void start(void)
{
    machine_reset(board, RESET_COLD);
    wr(0, DIST, 3);
    for (unsigned c = 0; c < N_CPUS; c++) {
        wr(c, CPU + PMR, 0xf0);
        wr(c, CPU + CTLR, 1);
    }
}

/* Offset, value after reset, bits that keep what is written. */
static void test_rows(void)
{
    static const struct { gpa at; uint32_t reset, keeps; } rows[] = {
        { DIST + 0x000, 0, 3 }, { DIST + 0x004, 8 | 3 << 5, 0 }, { DIST + 0x008, 0x43b, 0 },
        { DIST + 0x080, 0, 0xffffffff }, { DIST + 0x0a0, 0, 0xffffffff }, { DIST + 0x0a4, 0, 0 },
        { DIST + 0x400, 0, 0xffffffff }, { DIST + 0x51c, 0, 0xffffffff }, { DIST + 0x520, 0, 0 },
        { DIST + 0x800, 0x01010101, 0 }, { DIST + 0x820, 0, 0x0f0f0f0f }, { DIST + 0x91c, 0, 0x0f0f0f0f },
        { DIST + 0xc00, 0xaaaaaaaa, 0 }, { DIST + 0xc04, 0, 0xaaaaaaaa }, { DIST + 0xc44, 0, 0xaaaaaaaa },
        { DIST + 0xfe8, 0x2b, 0 }, { DIST + 0xff0, 0x0d, 0 }, { DIST + 0xffc, 0xb1, 0 },
        { CPU + CTLR, 0, 0x21f }, { CPU + PMR, 0, 0xff }, { CPU + BPR, 0, 7 }, { CPU + ABPR, 1, 7 },
        { CPU + 0xd0, 0, 0xffffffff }, { CPU + 0xec, 0, 0xffffffff }, { CPU + 0xfc, 0x0002043b, 0 },
        { CPU + IAR, NONE, 0 }, { CPU + RPR, 0xff, 0 }, { CPU + HPPIR, NONE, 0 },
        { V2M + 0x008, 80 << 16 | 64, 0 }, { V2M + 0xfcc, 0x05100000, 0 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        machine_reset(board, RESET_COLD);
        CHECK_EQ(rd(0, rows[i].at), rows[i].reset);
        if (rows[i].at == CPU + IAR) {
            continue;
        }
        wr(0, rows[i].at, UINT32_MAX);
        CHECK_EQ(rd(0, rows[i].at), (rows[i].reset & ~rows[i].keeps) | rows[i].keeps);
        wr(0, rows[i].at, 0);
        CHECK_EQ(rd(0, rows[i].at), rows[i].at == CPU + ABPR ? 1 : rows[i].reset & ~rows[i].keeps);
    }
    /* Bits that are set by one register and cleared by another. SGIs stay enabled. */
    machine_reset(board, RESET_COLD);
    for (unsigned at = 0x100; at < 0x400; at += 0x100) {
        wr(0, DIST + at + 4, 0xff00ff00);
        CHECK_EQ(rd(0, DIST + at + 4), 0xff00ff00);
        wr(0, DIST + at + 0x84, 0x0f000f00);
        CHECK_EQ(rd(0, DIST + at + 0x84), 0xf000f000);
    }
    wr(0, DIST + 0x180, UINT32_MAX);
    CHECK_EQ(rd(0, DIST + 0x100), 0xffff);
    /* Banked: each processor has its own, and is its own target. */
    wr(1, DIST + 0x100, 1u << 27);
    CHECK_EQ(rd(1, DIST + 0x100), 0x0800ffff);
    CHECK_EQ(rd(0, DIST + 0x100), 0xffff);
    CHECK_EQ(rd(2, DIST + 0x810), 0x04040404);
    /* A byte of a word of bits. */
    wr_size(0, DIST + 0x105, 1, 0x81);
    CHECK_EQ(rd(0, DIST + 0x104) & 0xff00, 0xf100);
}

static void test_levels(void)
{
    start();
    give(40, 0x80, 1);
    spi(40, 1);
    CHECK_EQ(arm_board_up[0], 1);
    CHECK_EQ(rd(0, DIST + 0x204), 1 << 8);
    CHECK_EQ(rd(0, CPU + HPPIR), 40);
    CHECK_EQ(rd(0, CPU + IAR), 40);
    CHECK_EQ(arm_board_up[0], 0);
    CHECK_EQ(rd(0, CPU + RPR), 0x80);
    CHECK_EQ(rd(0, DIST + 0x304), 1 << 8);
    CHECK_EQ(rd(0, DIST + 0x204), 1 << 8);      /* the level is still up */
    CHECK_EQ(rd(0, CPU + IAR), NONE);
    wr(0, CPU + EOIR, 40);
    CHECK_EQ(arm_board_up[0], 1);                         /* and it comes again */
    spi(40, 0);
    CHECK_EQ(arm_board_up[0], 0);
    CHECK_EQ(rd(0, CPU + RPR), 0xff);
    /* An edge waits, and comes once more when it comes while active. */
    wr(0, DIST + 0xc08, 2 << 16);
    spi(40, 1);
    spi(40, 0);
    CHECK_EQ(arm_board_up[0], 1);
    CHECK_EQ(rd(0, CPU + IAR), 40);
    CHECK_EQ(rd(0, DIST + 0x204), 0);
    spi(40, 1);
    CHECK_EQ(arm_board_up[0], 0);
    wr(0, CPU + EOIR, 40);
    CHECK_EQ(arm_board_up[0], 1);
    CHECK_EQ(rd(0, CPU + IAR), 40);
    wr(0, CPU + EOIR, 40);
    spi(40, 0);
    CHECK_EQ(arm_board_up[0], 0);
    /* Software's pending. */
    wr(0, DIST + 0x204, 1 << 8);
    CHECK_EQ(arm_board_up[0], 1);
    wr(0, DIST + 0x284, 1 << 8);
    CHECK_EQ(arm_board_up[0], 0);
    /* Two targets: who asks first has it. */
    give(41, 0x80, 6);
    spi(41, 1);
    CHECK(arm_board_up[1] == 1 && arm_board_up[2] == 1 && !arm_board_up[0] && !arm_board_up[3]);
    CHECK_EQ(rd(2, CPU + IAR), 41);
    CHECK(!arm_board_up[1] && rd(1, CPU + IAR) == NONE);
    spi(41, 0);
    wr(2, CPU + EOIR, 41);
    /* A PPI is one processor's. */
    wr(3, DIST + 0x100, 1u << 27);
    irq_set(gic_ppi(gic, N_SPIS, 3, 27), 1);
    CHECK(arm_board_up[3] == 1 && !arm_board_up[0]);
    CHECK_EQ(rd(3, CPU + IAR), 27);
    irq_set(gic_ppi(gic, N_SPIS, 3, 27), 0);
    wr(3, CPU + EOIR, 27);
    /* Switched off: the distributor, the interface, the interrupt. */
    spi(40, 1);
    wr(0, DIST + 0x204, 1 << 8);
    CHECK_EQ(arm_board_up[0], 1);
    wr(0, DIST, 0);
    CHECK(!arm_board_up[0] && rd(0, CPU + IAR) == NONE);
    wr(0, DIST, 1);
    wr(0, CPU + CTLR, 0);
    CHECK_EQ(arm_board_up[0], 0);
    wr(0, CPU + CTLR, 1);
    CHECK_EQ(arm_board_up[0], 1);
    wr(0, DIST + 0x184, 1 << 8);
    CHECK_EQ(arm_board_up[0], 0);
    spi(40, 0);
}

static void test_priorities(void)
{
    start();
    give(50, 0xa0, 1);
    give(51, 0x40, 1);
    give(52, 0x40, 1);
    give(53, 0x44, 1);
    wr(0, CPU + PMR, 0xa0);
    spi(50, 1);
    CHECK_EQ(arm_board_up[0], 0);                          /* not above the mask */
    wr(0, CPU + PMR, 0xa1);
    CHECK_EQ(arm_board_up[0], 1);
    CHECK_EQ(rd(0, CPU + IAR), 50);
    spi(52, 1);
    spi(51, 1);
    CHECK_EQ(arm_board_up[0], 1);                          /* preempts */
    CHECK_EQ(rd(0, CPU + IAR), 51);              /* the lower number first */
    CHECK_EQ(rd(0, CPU + RPR), 0x40);
    CHECK_EQ(arm_board_up[0], 0);                          /* 52 is no better than what runs */
    CHECK_EQ(rd(0, CPU + 0xd8), 1u << 16);       /* 0xa0 / 2 = 80 */
    CHECK_EQ(rd(0, CPU + 0xd4), 1);              /* 0x40 / 2 = 32 */
    wr(0, CPU + EOIR, 51);
    CHECK_EQ(rd(0, CPU + RPR), 0xa0);
    spi(51, 0);
    CHECK_EQ(rd(0, CPU + IAR), 52);
    spi(53, 1);
    spi(52, 0);
    wr(0, CPU + EOIR, 52);
    /* With a binary point of 3, 0x44 and 0x40 are one group. */
    wr(0, CPU + BPR, 3);
    spi(51, 1);
    CHECK_EQ(rd(0, CPU + IAR), 51);
    CHECK_EQ(arm_board_up[0], 0);
    wr(0, CPU + BPR, 0);
    CHECK_EQ(arm_board_up[0], 0);                          /* 0x44 does not preempt 0x40 anyhow */
    spi(51, 0);
    wr(0, CPU + EOIR, 51);
    CHECK_EQ(rd(0, CPU + IAR), 53);
    CHECK_EQ(rd(0, CPU + RPR), 0x44);
    spi(51, 1);
    CHECK_EQ(arm_board_up[0], 1);                          /* but 0x40 does 0x44 */
    spi(51, 0);
    spi(53, 0);
    wr(0, CPU + EOIR, 53);
    spi(50, 0);
    wr(0, CPU + EOIR, 50);
    CHECK_EQ(rd(0, CPU + RPR), 0xff);
}

static void test_sgis(void)
{
    start();
    wr(2, DIST + 0xf00, 3 | 1 << 16);            /* from 2 and 3 to 0 */
    wr(3, DIST + 0xf00, 3 | 3 << 16);
    CHECK_EQ(rd(0, DIST + 0xf20), 0x0c000000);
    CHECK(arm_board_up[0] == 1 && arm_board_up[1] == 1);
    CHECK_EQ(rd(0, CPU + IAR), 3 | 2 << 10);
    wr(0, CPU + EOIR, 3 | 2 << 10);
    CHECK_EQ(arm_board_up[0], 1);
    CHECK_EQ(rd(0, CPU + IAR), 3 | 3 << 10);
    wr(0, CPU + EOIR, 3 | 3 << 10);
    CHECK_EQ(arm_board_up[0], 0);
    wr(1, DIST + 0xf10, 0x08000000);
    CHECK_EQ(arm_board_up[1], 0);
    wr(1, DIST + 0xf00, 5 | 1 << 24);            /* all the others */
    CHECK(arm_board_up[0] == 1 && !arm_board_up[1] && arm_board_up[2] == 1 && arm_board_up[3] == 1);
    wr(1, DIST + 0xf00, 5 | 2 << 24);            /* itself */
    CHECK_EQ(rd(1, CPU + IAR), 5 | 1 << 10);
    wr(0, DIST + 0xf24, 0x00000100);
    CHECK_EQ(rd(0, DIST + 0xf24), 0x0300);
}

static void test_modes(void)
{
    start();
    wr(0, CPU + CTLR, 1 | 1 << 9);
    give(60, 0x50, 1);
    spi(60, 1);
    CHECK_EQ(rd(0, CPU + IAR), 60);
    wr(0, CPU + EOIR, 60);                       /* drops the priority only */
    CHECK_EQ(rd(0, CPU + RPR), 0xff);
    CHECK_EQ(rd(0, DIST + 0x304), 1u << 28);
    CHECK_EQ(arm_board_up[0], 0);
    wr(0, CPU + DIR, 60);
    CHECK_EQ(rd(0, DIST + 0x304), 0);
    CHECK_EQ(arm_board_up[0], 1);
    spi(60, 0);
    /* Groups: group 0 by FIQ; IAR does not give group 1 without AckCtl, AIAR does. */
    start();
    give(61, 0x60, 1);
    give(62, 0x50, 1);
    set_group1(61, true);
    wr(0, CPU + CTLR, 1 | 2 | 8);
    spi(61, 1);
    CHECK_EQ(arm_board_up[0], 1);
    CHECK_EQ(rd(0, CPU + HPPIR), 1022);
    CHECK_EQ(rd(0, CPU + IAR), 1022);
    spi(62, 1);
    CHECK_EQ(arm_board_up[0], 2);
    CHECK_EQ(rd(0, CPU + AIAR), NONE);
    CHECK_EQ(rd(0, CPU + IAR), 62);
    spi(62, 0);
    wr(0, CPU + EOIR, 62);
    CHECK_EQ(arm_board_up[0], 1);
    CHECK_EQ(rd(0, CPU + AIAR), 61);
    CHECK_EQ(rd(0, CPU + 0xe0), 0);
    CHECK_EQ(rd(0, CPU + 0xe4), 1u << 16);
    spi(61, 0);
    wr(0, CPU + AEOIR, 61);
    CHECK_EQ(rd(0, CPU + RPR), 0xff);
    wr(0, CPU + CTLR, 1 | 2 | 4);
    spi(61, 1);
    CHECK_EQ(rd(0, CPU + IAR), 61);
    spi(61, 0);
    wr(0, CPU + EOIR, 61);
    wr(0, DIST, 1);                              /* group 1 off */
    spi(61, 1);
    CHECK_EQ(arm_board_up[0], 0);
    spi(61, 0);
}

static void test_v2m(void)
{
    start();
    give(81, 0x10, 2);
    wr(0, DIST + 0xc14, 2 << 2);                 /* edge */
    wr(0, V2M + 0x40, 81);
    CHECK(arm_board_up[1] == 1 && rd(1, CPU + IAR) == 81);
    wr(1, CPU + EOIR, 81);
    CHECK_EQ(arm_board_up[1], 0);
    wr(0, V2M + 0x40, 79);                       /* not the frame's */
    wr(0, V2M + 0x40, 144);
    CHECK_EQ(rd(0, DIST + 0x208), 0);
}

/* A hypervisor's view and its guest's (chapter 5). */
static void test_virtual(void)
{
    start();
    CHECK_EQ(rd(0, HYP + 0x04), UINT32_C(0x90000003));
    CHECK_EQ(rd(0, HYP + 0x30), 15);
    wr(0, HYP, 1);
    wr(0, VCPU + CTLR, 1);
    wr(0, VCPU + PMR, 0xf0);
    CHECK_EQ(rd(0, HYP + 0x08), 1 | UINT32_C(30) << 27 | 2 << 21 | 3 << 18);
    give(70, 0x80, 1);
    spi(70, 1);
    CHECK_EQ(rd(0, CPU + IAR), 70);
    wr(0, CPU + CTLR, 1 | 1 << 9);
    wr(0, CPU + EOIR, 70);
    wr(0, HYP + 0x100, 33 | 70 << 10 | 8u << 23 | 1u << 28 | 1u << 31); /* hardware: 33 to the guest */
    wr(0, HYP + 0x104, 5 | 2 << 10 | 4u << 23 | 1u << 28 | 1u << 19);   /* an SGI from 2, wants an EOI */
    CHECK_EQ(arm_board_up[0], 1 << ARM_LINE_VIRQ);
    CHECK_EQ(rd(0, VCPU + IAR), 5 | 2 << 10);
    CHECK_EQ(arm_board_up[0], 0);
    CHECK_EQ(rd(0, VCPU + RPR), 0x20);
    CHECK_EQ(rd(0, HYP + 0xf0), 1 << 4);
    wr(0, VCPU + EOIR, 5 | 2 << 10);
    CHECK_EQ(rd(0, HYP + 0x20), 2);
    CHECK_EQ(rd(0, HYP + 0x10), 1);
    CHECK_EQ(rd(0, VCPU + IAR), 33);
    CHECK_EQ(rd(0, DIST + 0x308), 1 << 6);
    spi(70, 0);
    wr(0, VCPU + EOIR, 33);
    CHECK_EQ(rd(0, DIST + 0x308), 0);            /* the guest's end is the hardware's */
    CHECK_EQ(rd(0, HYP + 0x30), 13);
    wr(0, HYP + 0x104, 0);
    wr(0, HYP, 1 | 2);                           /* underflow: maintenance, a PPI */
    CHECK_EQ(rd(0, HYP + 0x10), 2);
    CHECK_EQ(rd(0, DIST + 0x200) >> 25 & 1, 1);
    wr(0, HYP, 0);
    CHECK_EQ(rd(0, DIST + 0x200) >> 25 & 1, 0);
}

/* With the Security Extensions (4.1.5). */
static void test_security(void)
{
    secure = true;
    start();
    CHECK_EQ(rd(0, DIST + 4) >> 10 & 1, 1);
    give(90, 0x40, 1);
    give(91, 0xc0, 1);
    set_group1(91, true);
    wr(0, CPU + CTLR, 1 | 2 | 8);
    secure = false;
    CHECK_EQ(rd(0, DIST), 1);
    CHECK_EQ(rd(0, DIST + 0x88), 0);
    CHECK_EQ(rd(0, DIST + 0x108), 1u << 27);     /* 91 alone */
    CHECK_EQ(rd(0, DIST + 0x458), 0x80000000);   /* as if its priority were all */
    wr(0, DIST + 0x188, UINT32_MAX);
    CHECK_EQ(rd(0, DIST + 0x108), 0);
    wr(0, DIST + 0x108, UINT32_MAX);
    wr_size(0, DIST + 0x45b, 1, 0x40);
    CHECK_EQ(rd(0, CPU + CTLR), 1);
    CHECK_EQ(rd(0, CPU + PMR), 0xe0);
    spi(90, 1);
    CHECK_EQ(arm_board_up[0], 2);
    CHECK_EQ(rd(0, CPU + IAR), NONE);
    spi(91, 1);
    secure = true;
    CHECK_EQ(rd(0, DIST + 0x108), 3u << 26);
    CHECK_EQ(rd(0, DIST + 0x458), 0xa0400000);
    CHECK_EQ(rd(0, CPU + IAR), 90);
    secure = false;
    wr(0, CPU + EOIR, 90);                       /* is not its to end */
    secure = true;
    CHECK_EQ(rd(0, CPU + RPR), 0x40);
    spi(90, 0);
    wr(0, CPU + EOIR, 90);
    secure = false;
    CHECK_EQ(rd(0, CPU + IAR), 91);
    CHECK_EQ(rd(0, CPU + RPR), 0x40);
    spi(91, 0);
    wr(0, CPU + EOIR, 91);
    CHECK_EQ(arm_board_up[0], 0);
    /* An SGI of group 0 is not for non-secure software to send. */
    wr(0, DIST + 0xf00, 1 << 16);
    CHECK_EQ(arm_board_up[0], 0);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    unsigned n = 0;

    arm_board_start(N_CPUS, (const char *const[]){ *mode ? mode : "gic-version", *mode ? "on" : "2", NULL });
    gic = arm_board_find("arm_gic");
    v2m = arm_board_find("arm-gicv2m");
    contract_check(gic, &n);
    contract_check(v2m, &n);
    CHECK_EQ(contract_failures(), 0);
    if (!strcmp(mode, "secure")) {
        test_security();
        return test_result();
    }
    test_rows();
    test_levels();
    test_priorities();
    test_sgis();
    test_modes();
    test_v2m();
    if (!strcmp(mode, "virtualization")) {
        test_virtual();
    }
    return test_result();
}
