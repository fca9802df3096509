/*
 * hw-vexpress.c: Versatile Express with four Cortex-A9, without processors: the PrimeCells and the MPCore's private devices through their registers.
 */
#include "hw/arm/cpus.h"
#include "softmmu/clock.h"
#include "tests/hw/contract.h"
#include "tests/hw/storage.h"

enum {
    SYS = 0x10000000, MMCI = 0x10005000, KMI = 0x10006000, TIMER = 0x10011000, CLCD = 0x1001f000, PRIVATE = 0x1e000000, L2 = 0x1e00a000,
    GIC_CPU = PRIVATE + 0x100, GTIMER = PRIVATE + 0x200, PTIMER = PRIVATE + 0x600, DIST = PRIVATE + 0x1000, RAM_A9 = 0x60000000, VRAM = 0x4c000000,
    CARD_BYTES = 4 << 20,
};

static const char *image;

static void check_id(gpa base, uint32_t id)
{
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(ld(base + 0xfe0 + 4 * i, 4), id >> 8 * i & 0xff);
    }
}

/* As one of the processors sees it. */
static uint32_t cpu_ld(unsigned cpu, gpa addr)
{
    uint64_t value = 0;

    CHECK_EQ(memory_load(&arm_cpu(machine, cpu)->memory, addr, 4, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE), MEM_OK);
    return (uint32_t)value;
}

static void cpu_st(unsigned cpu, gpa addr, uint32_t value)
{
    CHECK_EQ(memory_store(&arm_cpu(machine, cpu)->memory, addr, 4, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE), MEM_OK);
}

/* Pending in the distributor, as processor `cpu` sees it. */
static bool pending(unsigned cpu, unsigned irq)
{
    return cpu_ld(cpu, DIST + 0x200 + irq / 32 * 4) >> irq % 32 & 1;
}

static void test_sp804(void)
{
    check_id(TIMER, 0x00141804);
    CHECK_EQ(ld(TIMER + 8, 4), 0x20);
    st(TIMER + 8, 4, 0x62);                              /* 32 bits, periodic, interrupt; 1 MHz */
    st(TIMER, 4, 5000);
    CHECK_EQ(ld(TIMER + 4, 4), 5000);
    st(TIMER + 8, 4, 0xe2);
    WAIT(ld(TIMER + 0x10, 4));
    CHECK_EQ(ld(TIMER + 0x14, 4), 1);
    CHECK(pending(0, 34));
    CHECK(ld(TIMER + 4, 4) <= 5000);
    st(TIMER + 0xc, 4, 1);
    CHECK_EQ(ld(TIMER + 0x10, 4), 0);
    CHECK(!pending(0, 34));
    WAIT(ld(TIMER + 0x10, 4));                           /* again */
    st(TIMER + 8, 4, 0);
    st(TIMER + 0xc, 4, 1);
    /* The second, once, 16 bits, divided by 16. */
    st(TIMER + 0x28, 4, 0x25);
    st(TIMER + 0x20, 4, 0x10100);
    CHECK_EQ(ld(TIMER + 0x24, 4), 0x100);
    st(TIMER + 0x28, 4, 0xa5);
    WAIT(ld(TIMER + 0x34, 4));
    CHECK_EQ(ld(TIMER + 0x24, 4), 0);
    CHECK(pending(0, 34));
    st(TIMER + 0x28, 4, 0x80);                           /* without its interrupt */
    CHECK(ld(TIMER + 0x30, 4) && !ld(TIMER + 0x34, 4) && !pending(0, 34));
    st(TIMER + 0x28, 4, 0);
}

static void test_private(void)
{
    CHECK_EQ(ld(PRIVATE + 4, 4), 0xf3);
    /* Timers are each processor's own. */
    cpu_st(1, PTIMER, 50000);
    CHECK_EQ(cpu_ld(1, PTIMER + 4), 50000);
    CHECK_EQ(cpu_ld(0, PTIMER + 4), 0);
    cpu_st(1, PTIMER + 8, 7);
    WAIT(cpu_ld(1, PTIMER + 0xc));
    CHECK(pending(1, 29) && !pending(0, 29));
    CHECK(cpu_ld(1, PTIMER + 4) <= 50000);
    cpu_st(1, PTIMER + 0xc, 1);
    CHECK(!pending(1, 29));
    WAIT(cpu_ld(1, PTIMER + 0xc));
    cpu_st(1, PTIMER + 8, 0);
    cpu_st(1, PTIMER + 0xc, 1);
    /* It runs out before the main loop looks, and then its control register is written. */
    cpu_st(1, PTIMER + 8, 5);
    cpu_st(1, PTIMER + 4, 20);
    for (int64_t end = clock_get_ns(VM_CLOCK_VIRTUAL) + 100000; clock_get_ns(VM_CLOCK_VIRTUAL) < end;) {
    }
    cpu_st(1, PTIMER + 8, 5);
    CHECK_EQ(cpu_ld(1, PTIMER + 0xc), 1);
    CHECK(pending(1, 29));
    cpu_st(1, PTIMER + 8, 0);
    cpu_st(1, PTIMER + 0xc, 1);
    /* One counter for all, comparators apart. */
    cpu_st(0, GTIMER + 8, 1);
    uint32_t now = cpu_ld(3, GTIMER);
    cpu_st(2, GTIMER + 0x10, now + 200000);
    cpu_st(2, GTIMER + 0x14, 0);
    CHECK_EQ(cpu_ld(3, GTIMER + 0x10), 0);
    cpu_st(2, GTIMER + 0x18, 100000);
    cpu_st(2, GTIMER + 8, 0xf);
    CHECK_EQ(cpu_ld(1, GTIMER + 8), 1);
    WAIT(pending(2, 27));
    CHECK_EQ(cpu_ld(2, GTIMER + 0xc), 1);
    CHECK((int32_t)(cpu_ld(2, GTIMER + 0x10) - now) > 200000);
    CHECK((int32_t)(cpu_ld(2, GTIMER) - now) >= 200000);
    cpu_st(2, GTIMER + 8, 0);
    cpu_st(2, GTIMER + 0xc, 1);
    CHECK(!pending(2, 27));
    CHECK_EQ(ld(L2, 4), 0x410000c8);
    st(L2 + 0x7fc, 4, 0xff);
    CHECK_EQ(ld(L2 + 0x7fc, 4), 0);
}

static uint32_t configuration(uint32_t ctrl)
{
    st(SYS + 0xa8, 4, 0);
    st(SYS + 0xa4, 4, 1u << 31 | ctrl);
    CHECK_EQ(ld(SYS + 0xa4, 4) >> 31, 0);
    return (uint32_t)ld(SYS + 0xa8, 4);
}

static void test_sysregs(void)
{
    CHECK_EQ(ld(SYS, 4), 0x1190f500);
    CHECK_EQ(ld(SYS + 0x84, 4), 0x0c000191);
    st(SYS + 0x30, 4, 0x60008001);
    st(SYS + 0x34, 4, 1);
    CHECK_EQ(ld(SYS + 0x30, 4), 0x60008000);
    CHECK_EQ(ld(SYS + 0x48, 4), 1);                      /* the card is there */
    CHECK_EQ(configuration(1 << 20 | 1), 1);             /* oscillator 1 of the mother board */
    CHECK_EQ(ld(SYS + 0xa0, 4), 23750000);
    CHECK_EQ(configuration(1 << 20 | 1 << 16), 1);
    CHECK_EQ(ld(SYS + 0xa0, 4), 45000000);
    CHECK_EQ(configuration(1 << 20 | 1 << 16 | 9), 3);   /* no such oscillator */
    st(SYS + 0xa0, 4, 30000000);
    CHECK_EQ(configuration(1 << 30 | 1 << 20 | 1), 1);
    st(SYS + 0xa0, 4, 0);
    CHECK_EQ(configuration(1 << 20 | 1), 1);
    CHECK_EQ(ld(SYS + 0xa0, 4), 30000000);
    uint32_t from = (uint32_t)ld(SYS + 0x5c, 4);
    while ((uint32_t)ld(SYS + 0x5c, 4) - from <= 24000) { /* no event will come: the clock alone */
    }
}

static uint32_t mci(unsigned command, uint32_t arg)
{
    st(MMCI + 0x38, 4, 0x7ff);
    st(MMCI + 0x08, 4, arg);
    st(MMCI + 0x0c, 4, 1 << 10 | command);
    return (uint32_t)ld(MMCI + 0x34, 4) & 0x7ff;
}

enum { RESPONSE = 1 << 6, LONG_RESPONSE = 3 << 6 };

static void test_card(void)
{
    check_id(MMCI, 0x00041181);
    CHECK_EQ(mci(0, 0), 0x80);
    CHECK_EQ(mci(8 | RESPONSE, 0x1aa), 0x40);
    CHECK_EQ(mci(5 | RESPONSE, 0), 4);                   /* a timeout */
    CHECK_EQ(mci(55 | RESPONSE, 0), 0x40);
    CHECK_EQ(mci(41 | RESPONSE, 0x40ff8000), 0x40);
    CHECK_EQ(ld(MMCI + 0x14, 4), 0x80ff8000);
    CHECK_EQ(mci(2 | LONG_RESPONSE, 0), 0x40);
    CHECK_EQ(ld(MMCI + 0x14, 4) >> 24, 0xaa);
    CHECK_EQ(mci(3 | RESPONSE, 0), 0x40);
    CHECK_EQ(mci(7 | RESPONSE, (uint32_t)ld(MMCI + 0x14, 4)), 0x40);
    /* Three blocks; the data path is enabled first. */
    st(MMCI + 0x28, 4, 3 * 512);
    st(MMCI + 0x2c, 4, 9 << 4 | 3);
    st(MMCI + 0x40, 4, 1 << 21);                         /* the second interrupt: data available */
    CHECK_EQ(mci(18 | RESPONSE, 40 * 512), 0x40);
    WAIT(pending(0, 42));
    for (unsigned i = 0; i < 3 * 128; i++) {
        WAIT(ld(MMCI + 0x34, 4) & 1 << 21);
        CHECK_EQ(ld(MMCI + 0x80 + i % 16 * 4, 4), storage_word(40 + i / 128, i % 128));
    }
    CHECK_EQ(ld(MMCI + 0x34, 4) & 0x500, 0x500);
    CHECK(!pending(0, 42));
    CHECK_EQ(mci(12 | RESPONSE, 0), 0x40);
    /* Two back. */
    st(MMCI + 0x28, 4, 2 * 512);
    CHECK_EQ(mci(25 | RESPONSE, 60 * 512), 0x40);
    st(MMCI + 0x2c, 4, 9 << 4 | 1);
    for (unsigned i = 0; i < 256; i++) {
        WAIT(ld(MMCI + 0x34, 4) & 1 << 14);
        st(MMCI + 0x80, 4, 0x77000000 + i);
    }
    CHECK_EQ(ld(MMCI + 0x34, 4) & 0x100, 0x100);
    CHECK_EQ(mci(12 | RESPONSE, 0), 0x40);
    WAIT(storage_file_word(image, 61, 127) == 0x770000ff);
    CHECK_EQ(storage_file_word(image, 60, 0), 0x77000000);
    CHECK_EQ(storage_file_word(image, 62, 0), storage_word(62, 0));
}

static void test_keyboard(void)
{
    check_id(KMI, 0x00041050);
    check_id(KMI + 0x1000, 0x00041050);
    st(KMI, 4, 0x14);
    CHECK_EQ(ld(KMI + 4, 4) & 0x50, 0x40);
    st(KMI + 8, 4, 0xee);                                /* echo */
    CHECK(pending(0, 44));
    CHECK_EQ(ld(KMI + 0x10, 4), 3);
    CHECK_EQ(ld(KMI + 8, 4), 0xee);
    CHECK_EQ(ld(KMI + 4, 4) & 0x14, 4);                  /* six ones: the odd parity bit is set */
    CHECK(!pending(0, 44));
    st(KMI + 0x1000 + 8, 4, 0xf2);                       /* the mouse's identification */
    CHECK_EQ(ld(KMI + 0x1000 + 8, 4), 0xfa);
    CHECK_EQ(ld(KMI + 0x1000 + 8, 4), 0);
    CHECK_EQ(ld(KMI + 0x1000 + 4, 4) & 0x10, 0);
}

static void test_lcd(void)
{
    check_id(CLCD, 0x00241111);
    st(CLCD, 4, (640 / 16 - 1) << 2);
    st(CLCD + 4, 4, 479);
    st(CLCD + 0x10, 4, VRAM);
    st(CLCD + 0x1c, 4, 0xc);
    CHECK(!pending(0, 46));
    st(CLCD + 0x18, 4, 6 << 1 | 0x821);                  /* on, 5:6:5 */
    WAIT(pending(0, 46));
    CHECK_EQ(ld(CLCD + 0x24, 4), 0xc);
    CHECK_EQ(ld(CLCD + 0x2c, 4), VRAM);
    st(CLCD + 0x1c, 4, 0);
    st(CLCD + 0x28, 4, 0xc);
    CHECK_EQ(ld(CLCD + 0x20, 4), 0);
    CHECK(!pending(0, 46));
    st(CLCD + 0x18, 4, 0);
}

int main(void)
{
    unsigned n = 0;

    image = storage_image("sd0", CARD_BYTES, "if=sd");
    storage_start_on("vexpress-a9", "arm", 4);
    storage_ready();
    st(DIST, 4, 1);
    test_sp804();
    test_private();
    test_sysregs();
    test_card();
    test_keyboard();
    test_lcd();
    device_foreach(contract_check, &n);
    CHECK(n >= 20);
    CHECK_EQ(contract_failures(), 0);
    storage_finish();
    return test_result();
}
