/*
 * hw-exynos.c: Exynos 4210 without processors: multi core timer, combiner, UART, power management through their registers, and every device's contract.
 */
#include "hw/arm/cpus.h"
#include "softmmu/clock.h"
#include "tests/hw/contract.h"
#include "tests/hw/storage.h"

enum {
    PMU = 0x10020000, CLK = 0x10030000, MCT = 0x10050000, LOCAL1 = MCT + 0x400, COMBINER = 0x10440000, DIST = 0x10490000, UART = 0x13800000, COMP2 = 12 * 8 + 6,
    CARD_BYTES = 4 << 20,
};

static bool pending(unsigned spi)
{
    unsigned irq = 32 + spi;

    return ld(DIST + 0x200 + irq / 32 * 4, 4) >> irq % 32 & 1;
}

static void test_global(void)
{
    CHECK_EQ(ld(MCT + 0x100, 4), 0);
    st(MCT + 0x100, 4, 0xfffffff0);
    st(MCT + 0x104, 4, 2);
    CHECK_EQ(ld(MCT + 0x110, 4), 3);
    st(MCT + 0x110, 4, 3);
    CHECK_EQ(ld(MCT + 0x110, 4), 0);
    CHECK_EQ(ld(MCT + 0x100, 4), 0xfffffff0);             /* stands */
    st(MCT + 0x240, 4, 0x100);
    WAIT(ld(MCT + 0x104, 4) == 3);                        /* carries */
    st(MCT + 0x248, 4, 0xf);
    uint64_t now = ld(MCT + 0x100, 4);
    st(MCT + 0x200, 4, now + 48000);
    st(MCT + 0x204, 4, 3);
    CHECK_EQ(ld(MCT + 0x24c, 4), 0x10003);
    st(MCT + 0x24c, 4, 0x10003);
    st(MCT + 0x240, 4, 0x101);
    WAIT(pending(57));
    CHECK(ld(MCT + 0x100, 4) >= now + 48000);
    CHECK_EQ(ld(MCT + 0x244, 4), 1);
    st(MCT + 0x244, 4, 1);
    CHECK(!pending(57));
    st(MCT + 0x240, 4, 0x100);
    st(MCT + 0x240, 4, 0x101);
    CHECK(!pending(57));                                  /* had its value */
    /* The third by the combiner, over and over; enabled when its time was over. */
    now = ld(MCT + 0x100, 4);
    st(MCT + 0x220, 4, now);
    st(MCT + 0x224, 4, 3);
    st(MCT + 0x228, 4, 24000);
    st(MCT + 0x240, 4, 0x130);
    WAIT(ld(COMBINER + 0x38, 4) >> COMP2 % 32 & 1);
    CHECK(!pending(12));
    CHECK_EQ(ld(COMBINER + 0x3c, 4), 0);
    st(COMBINER + 0x30, 4, 1u << COMP2 % 32);
    CHECK(pending(12));
    CHECK_EQ(ld(COMBINER + 0x100, 4), 1 << 12);
    st(MCT + 0x244, 4, 4);
    WAIT(ld(MCT + 0x244, 4) == 4);                        /* again */
    st(COMBINER + 0x34, 4, 1u << COMP2 % 32);
    CHECK(!pending(12));
    st(MCT + 0x240, 4, 0);
    st(MCT + 0x244, 4, 0xf);
    CHECK_EQ(ld(COMBINER + 0x38, 4), 0);
}

static void test_local(void)
{
    st(LOCAL1 + 0x00, 4, 1);
    st(LOCAL1 + 0x08, 4, 1u << 31 | 11999);               /* 2 * 12000 ticks: a millisecond */
    CHECK_EQ(ld(LOCAL1 + 0x40, 4), 3);
    st(LOCAL1 + 0x40, 4, 0xf);
    st(LOCAL1 + 0x34, 4, 1);
    st(LOCAL1 + 0x20, 4, 7);
    CHECK_EQ(ld(LOCAL1 + 0x40, 4), 8);
    CHECK(ld(LOCAL1 + 0x0c, 4) <= 11999);
    WAIT(pending(48));
    CHECK(!pending(42));
    st(LOCAL1 + 0x30, 4, 1);
    CHECK(!pending(48));
    WAIT(pending(48));                                    /* again */
    st(LOCAL1 + 0x20, 4, 3);                              /* once */
    st(LOCAL1 + 0x30, 4, 1);
    WAIT(pending(48));
    CHECK_EQ(ld(LOCAL1 + 0x20, 4), 1);
    st(LOCAL1 + 0x30, 4, 1);
    st(LOCAL1 + 0x34, 4, 0);
}

static void test_uart(void)
{
    CHECK_EQ(ld(UART + 0x10, 4), 6);
    st(UART + 0x08, 4, 0x17);                             /* FIFOs, reset; an interrupt from a quarter on */
    CHECK_EQ(ld(UART + 0x08, 4), 0x11);
    st(UART + 0x38, 4, 0xe);
    st(UART + 0x04, 4, 0x3025);                           /* looped, both by interrupts */
    for (unsigned i = 0; i < 63; i++) {
        st(UART + 0x20, 4, i);
    }
    CHECK_EQ(ld(UART + 0x18, 4), 63);
    CHECK(!pending(52));
    st(UART + 0x20, 4, 63);
    CHECK(pending(52));
    CHECK_EQ(ld(UART + 0x30, 4), 1);
    st(UART + 0x30, 4, 1);
    CHECK(pending(52));                                   /* the level is still there */
    for (unsigned i = 0; i < 64; i++) {
        CHECK_EQ(ld(UART + 0x24, 4), i);
    }
    st(UART + 0x30, 4, 1);
    CHECK(!pending(52));
    CHECK_EQ(ld(UART + 0x34, 4), 4);                      /* empty, but masked */
    for (unsigned i = 0; i < 257; i++) {
        st(UART + 0x20, 4, i);
    }
    CHECK_EQ(ld(UART + 0x18, 4), 0x100);
    CHECK_EQ(ld(UART + 0x14, 4), 1);                      /* overrun, once */
    CHECK_EQ(ld(UART + 0x14, 4), 0);
}

static void test_power(void)
{
    CHECK_EQ(ld(PMU + 0x2084, 4), 3);
    st(PMU + 0x3c40, 4, 0);
    CHECK_EQ(ld(PMU + 0x3c44, 4), 0);
    st(PMU + 0x3c44, 4, 7);
    CHECK_EQ(ld(PMU + 0x3c44, 4), 0);
    st(PMU + 0x3c40, 4, 7);
    CHECK_EQ(ld(PMU + 0x3c44, 4), 7);
    CHECK_EQ(ld(0x10000000, 4), 0x43210211);
    CHECK_EQ(ld(CLK + 0x14100, 4) >> 28, 0xa);            /* on, locked */
    st(CLK + 0x14100, 4, 0x00c80601);
    CHECK_EQ(ld(CLK + 0x14100, 4), 0x00c80601);
}

int main(void)
{
    unsigned n = 0;

    storage_image("sd0", CARD_BYTES, "if=sd");
    storage_start_on("smdkc210", "arm", 2);
    storage_ready();
    st(DIST, 4, 1);
    test_global();
    test_local();
    test_uart();
    test_power();
    device_foreach(contract_check, &n);
    CHECK(n >= 20);
    CHECK_EQ(contract_failures(), 0);
    storage_finish();
    return test_result();
}
