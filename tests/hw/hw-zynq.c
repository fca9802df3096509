/*
 * hw-zynq.c: Zynq-7000 without processors: UART, triple timer counters and system control through their registers, and every device's contract.
 */
#include "hw/arm/cpus.h"
#include "softmmu/clock.h"
#include "tests/hw/contract.h"
#include "tests/hw/storage.h"

enum { UART = 0xe0000000, SLCR = 0xf8000000, TTC = 0xf8001000, DIST = 0xf8f01000, CARD_BYTES = 4 << 20 };

static bool pending(unsigned irq)
{
    return ld(DIST + 0x200 + irq / 32 * 4, 4) >> irq % 32 & 1;
}

static void test_uart(void)
{
    CHECK_EQ(ld(UART, 4), 0x128);
    CHECK_EQ(ld(UART + 0x2c, 4), 0xa);                    /* both empty */
    st(UART + 0x30, 4, 'a');                              /* disabled: it stays */
    CHECK_EQ(ld(UART + 0x2c, 4) & 8, 0);
    st(UART, 4, 0x117);
    CHECK_EQ(ld(UART, 4), 0x114);                         /* resets are done at once */
    CHECK_EQ(ld(UART + 0x2c, 4), 0xa);
    st(UART + 0x04, 4, 0x220);                            /* looped */
    st(UART + 0x20, 4, 3);
    st(UART + 0x14, 4, 0x1fff);
    st(UART + 0x08, 4, 1);
    CHECK_EQ(ld(UART + 0x10, 4), 1);
    st(UART + 0x30, 4, 'a');
    st(UART + 0x30, 4, 'b');
    CHECK(!pending(59));
    st(UART + 0x30, 4, 'c');
    CHECK(pending(59));
    st(UART + 0x14, 4, 1);
    CHECK(pending(59));                                   /* the level is still there */
    CHECK_EQ(ld(UART + 0x30, 4), 'a');
    st(UART + 0x14, 4, 1);
    CHECK(!pending(59));
    CHECK_EQ(ld(UART + 0x30, 4), 'b');
    CHECK_EQ(ld(UART + 0x30, 4), 'c');
    CHECK_EQ(ld(UART + 0x2c, 4) & 2, 2);
    for (unsigned i = 0; i < 65; i++) {
        st(UART + 0x30, 4, i);
    }
    CHECK_EQ(ld(UART + 0x14, 4) & 0x24, 0x24);            /* full, overrun */
    for (unsigned i = 0; i < 64; i++) {
        CHECK_EQ(ld(UART + 0x30, 4), i);
    }
    st(UART + 0x0c, 4, 0x1fff);
    st(UART + 0x34, 4, 2);                                /* too small: ignored */
    CHECK_EQ(ld(UART + 0x34, 4), 0xf);
    st(UART + 0x04, 4, 0x20);
}

static void test_ttc(void)
{
    CHECK_EQ(ld(TTC + 0x0c, 4), 0x21);
    st(TTC + 0x24, 4, 9999);
    st(TTC + 0x60, 4, 1);
    st(TTC + 0x00, 4, 0x0f);                              /* divided by 256 */
    st(TTC + 0x0c, 4, 0x32);
    CHECK_EQ(ld(TTC + 0x0c, 4), 0x22);
    CHECK(ld(TTC + 0x18, 4) < 9999);
    WAIT(pending(42));
    CHECK_EQ(ld(TTC + 0x54, 4), 1);
    CHECK_EQ(ld(TTC + 0x54, 4), 0);
    CHECK(!pending(42) && !pending(43) && !pending(44));
    WAIT(pending(42));                                    /* again */
    st(TTC + 0x0c, 4, 0x23);
    uint64_t at = ld(TTC + 0x18, 4);
    CHECK_EQ(ld(TTC + 0x18, 4), at);
    st(TTC + 0x60, 4, 0);
    /* Down from the interval; a match beyond it never comes; without the interval's bit the counter wraps. */
    st(TTC + 0x28, 4, 500);
    st(TTC + 0x34, 4, 400);
    st(TTC + 0x40, 4, 501);
    st(TTC + 0x64, 4, 0x3f);
    st(TTC + 0x04, 4, 0x1f);                              /* divided by 65536: 2,029 Hz */
    st(TTC + 0x10, 4, 0x3e);
    CHECK(ld(TTC + 0x1c, 4) > 480);
    WAIT(pending(43));
    CHECK_EQ(ld(TTC + 0x58, 4), 2);
    CHECK(ld(TTC + 0x1c, 4) <= 400);
    st(TTC + 0x10, 4, 1);
    st(TTC + 0x08, 4, 0);
    st(TTC + 0x14, 4, 0x10);
    CHECK_EQ(ld(TTC + 0x5c, 4) & ~0x10u, 0);
    WAIT(ld(TTC + 0x5c, 4) == 0x10);
    st(TTC + 0x14, 4, 1);
}

static void test_slcr(void)
{
    CHECK_EQ(ld(SLCR + 0x0c, 4), 1);
    CHECK_EQ(ld(SLCR + 0x25c, 4), 1);                     /* QSPI */
    CHECK_EQ(ld(SLCR + 0x708, 4), 0x601);
    CHECK_EQ(ld(SLCR + 0x7d4, 4), 0x1601);
    st(SLCR + 0x7d4, 4, 0x200);
    CHECK_EQ(ld(SLCR + 0x7d4, 4), 0x1601);                /* locked */
    st(SLCR + 0x08, 4, 0x767b);                           /* the wrong key */
    CHECK_EQ(ld(SLCR + 0x0c, 4), 1);
    st(SLCR + 0x08, 4, 0xdf0d);
    CHECK_EQ(ld(SLCR + 0x0c, 4), 0);
    st(SLCR + 0x7d4, 4, 0x200);
    CHECK_EQ(ld(SLCR + 0x7d4, 4), 0x200);
    st(SLCR + 0x258, 4, 0x12ffffff);
    CHECK_EQ(ld(SLCR + 0x258, 4), 0x12400000);
    st(SLCR + 0x04, 4, 0x767b);
    CHECK_EQ(ld(SLCR + 0x0c, 4), 1);
}

int main(void)
{
    unsigned n = 0;

    storage_image("sd0", CARD_BYTES, "if=sd");
    storage_start_on("xilinx-zynq-a9", "arm", 2);
    storage_ready();
    st(DIST, 4, 1);
    test_uart();
    test_ttc();
    test_slcr();
    device_foreach(contract_check, &n);
    CHECK(n >= 35);
    CHECK_EQ(contract_failures(), 0);
    storage_finish();
    return test_result();
}
