/*
 * hw-arm.c: PrimeCell peripherals through their registers, as their manuals say: PL011, PL031, PL061.
 */
#include "softmmu/clock.h"
#include "tests/hw/chardev-double.h"
#include "tests/hw/contract.h"
#include "tests/hw/storage.h"

enum { UART = 0x9000000, RTC = 0x9010000, GPIO = 0x9030000 };
static int uart_irq[6], rtc_irq[1], gpio_irq[1], gpio_out[8];

static void line(void *opaque, int n, int level)
{
    ((int *)opaque)[n] = level;
}

static Device *add(const char *type, gpa addr, int *irqs, unsigned n)
{
    Device *dev = device_create(type, NULL, NULL, NULL);

    CHECK(dev != NULL);
    sysbus_map(dev, 0, addr);
    for (unsigned i = 0; i < n; i++) {
        device_connect_irq(dev, "sysbus-irq", i, irq_new(line, irqs, (int)i));
    }
    return dev;
}

static void check_id(gpa base, uint32_t id)
{
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(ld(base + 0xfe0 + 4 * i, 4), id >> 8 * i & 0xff);
        CHECK_EQ(ld(base + 0xff0 + 4 * i, 4), 0xb105f00d >> 8 * i & 0xff);
        CHECK_EQ(ld(base + 0xff0 + 4 * i, 1), 0xb105f00d >> 8 * i & 0xff); /* as UEFI looks */
    }
}

static void test_uart(Device *dev)
{
    device_reset(dev, RESET_COLD);
    check_id(UART, 0x00341011);
    CHECK_EQ(ld(UART + 0x18, 4) & 0xf8, 0x90);         /* both FIFOs empty */
    CHECK_EQ(ld(UART + 0x30, 4), 0x300);
    CHECK_EQ(ld(UART + 0x34, 4), 0x12);
    st(UART + 0x24, 4, 13);                            /* 115200 of 24 MHz */
    st(UART + 0x28, 4, 0xff);
    CHECK_EQ(ld(UART + 0x28, 4), 0x3f);
    st(UART + 0x28, 4, 1);
    /* Without FIFOs each byte is an interrupt. */
    st(UART + 0x2c, 4, 0x60);
    st(UART + 0x30, 4, 0x301);
    st(UART + 0x38, 4, 0x10);
    CHECK_EQ(double_input("ab", 2), 1);
    CHECK(uart_irq[0] && uart_irq[1] && !uart_irq[2]);
    CHECK_EQ(ld(UART + 0x18, 4) & 0xf8, 0xc0);
    CHECK_EQ(ld(UART, 4), 'a');
    CHECK(!uart_irq[0] && !uart_irq[1]);
    CHECK_EQ(ld(UART + 0x18, 4) & 0x50, 0x10);
    /* With FIFOs: eight of sixteen, or the timeout. */
    st(UART + 0x2c, 4, 0x70);
    st(UART + 0x38, 4, 0x50);
    CHECK_EQ(double_input("01234567", 7), 7);
    CHECK(!uart_irq[1]);
    WAIT(uart_irq[3]);
    CHECK_EQ(ld(UART + 0x40, 4), 0x40);
    CHECK_EQ(double_input("789abcdefgh", 11), 9);
    CHECK(uart_irq[1]);
    for (unsigned i = 0; i < 16; i++) {
        CHECK_EQ(ld(UART, 4), "0123456789abcdef"[i]);
        CHECK_EQ(uart_irq[1], i < 8);
    }
    CHECK(!uart_irq[0] && !uart_irq[3]);
    CHECK_EQ(ld(UART, 4), 0);                          /* nothing there */
    double_break();
    CHECK_EQ(ld(UART + 0x3c, 4) & 0x200, 0x200);
    CHECK_EQ(ld(UART, 4), 0x400);
    CHECK_EQ(ld(UART + 4, 4), 4);
    st(UART + 4, 4, 0);
    CHECK_EQ(ld(UART + 4, 4), 0);
    /* Sending, with back-pressure: the interrupt is for passing the level downwards. */
    double_out_len = 0;
    st(UART + 0x44, 4, 0x7ff);
    st(UART + 0x38, 4, 0x20);
    st(UART, 4, 'x');
    CHECK(double_out_len == 1 && double_out[0] == 'x' && uart_irq[0] && uart_irq[2]);
    st(UART + 0x44, 4, 0x20);
    CHECK(!uart_irq[2]);
    double_blocked = true;
    for (unsigned i = 0; i < 17; i++) {
        CHECK_EQ(ld(UART + 0x18, 4) & 0x20, i < 16 ? 0 : 0x20);
        st(UART, 4, 'a' + i);
    }
    CHECK_EQ(ld(UART + 0x18, 4) & 0x88, 8);            /* busy */
    CHECK(!uart_irq[2]);
    double_unblock();
    CHECK(uart_irq[2] && double_out_len == 17 && double_out[16] == 'a' + 15);
    /* Loop-back: bytes and modem lines. */
    st(UART + 0x44, 4, 0x7ff);
    st(UART + 0x30, 4, 0x381);
    st(UART, 4, 'L');
    CHECK_EQ(ld(UART, 4), 'L');
    CHECK_EQ(ld(UART + 0x18, 4) & 7, 0);
    st(UART + 0x30, 4, 0xf81);
    CHECK_EQ(ld(UART + 0x18, 4) & 7, 3);
    CHECK_EQ(ld(UART + 0x3c, 4) & 0xa, 0xa);
    for (unsigned i = 0; i < 17; i++) {                /* one too many */
        st(UART, 4, 'a' + i);
    }
    CHECK_EQ(ld(UART + 0x3c, 4) & 0x400, 0x400);
    for (unsigned i = 0; i < 16; i++) {
        CHECK_EQ(ld(UART, 4), 'a' + i);
    }
    st(UART, 4, 'z');
    CHECK_EQ(ld(UART, 4), 0x800 | 'z');                /* told with the next one */
    /* Disabled it takes nothing in. */
    st(UART + 0x30, 4, 0x300);
    CHECK_EQ(double_input("no", 2), 0);
}

static void test_rtc(Device *dev)
{
    device_reset(dev, RESET_COLD);
    check_id(RTC, 0x00041031);
    uint32_t now = (uint32_t)(rtc_now_ns() / NS_PER_SECOND);
    CHECK(ld(RTC, 4) - now <= 1);
    CHECK_EQ(ld(RTC + 0xc, 4), 1);
    st(RTC + 8, 4, 1000);
    CHECK(ld(RTC, 4) - 1000 <= 1);
    st(RTC + 0x10, 4, 1);
    st(RTC + 4, 4, (uint32_t)ld(RTC, 4) + 1);
    WAIT(rtc_irq[0]);
    CHECK(ld(RTC, 4) - 1001 <= 2);
    CHECK_EQ(ld(RTC + 0x14, 4) & ld(RTC + 0x18, 4), 1);
    st(RTC + 0x10, 4, 0);
    CHECK(!rtc_irq[0] && ld(RTC + 0x14, 4) == 1 && ld(RTC + 0x18, 4) == 0);
    st(RTC + 0x1c, 4, 1);
    CHECK_EQ(ld(RTC + 0x14, 4), 0);
}

static void test_gpio(Device *dev)
{
    device_reset(dev, RESET_COLD);
    check_id(GPIO, 0x00041061);
    st(GPIO + 0x400, 4, 0x0f);
    st(GPIO + 0x3fc, 4, 0xff);
    CHECK(gpio_out[0] && gpio_out[3]);
    st(GPIO + 4 * 0x05, 4, 0);                          /* the mask is in the address */
    CHECK_EQ(ld(GPIO + 4 * 0x0f, 4), 0x0a);
    CHECK(!gpio_out[0] && gpio_out[1]);
    for (unsigned i = 4; i < 8; i++) {
        irq_lower(device_irq_in(dev, NULL, i));
    }
    CHECK_EQ(ld(GPIO + 0x3fc, 4), 0x0a);
    st(GPIO + 0x404, 4, 0x80);                          /* line 7 by level, low */
    st(GPIO + 0x408, 4, 0x20);                          /* 5 by both edges */
    st(GPIO + 0x40c, 4, 0x10);                          /* 4 by rising edges, 6 by falling ones */
    st(GPIO + 0x41c, 4, 0xff);
    CHECK_EQ(ld(GPIO + 0x414, 4), 0x80);                /* a level cannot be cleared */
    irq_raise(device_irq_in(dev, NULL, 7));
    CHECK_EQ(ld(GPIO + 0x414, 4), 0);
    irq_raise(device_irq_in(dev, NULL, 4));
    irq_raise(device_irq_in(dev, NULL, 5));
    irq_raise(device_irq_in(dev, NULL, 6));
    CHECK_EQ(ld(GPIO + 0x414, 4), 0x30);
    CHECK(!gpio_irq[0]);
    st(GPIO + 0x410, 4, 0x20);
    CHECK(gpio_irq[0] && ld(GPIO + 0x418, 4) == 0x20);
    st(GPIO + 0x41c, 4, 0xff);
    CHECK(!gpio_irq[0]);
    for (unsigned i = 4; i < 7; i++) {
        irq_lower(device_irq_in(dev, NULL, i));
    }
    CHECK_EQ(ld(GPIO + 0x414, 4), 0x60);
    CHECK(gpio_irq[0]);
}

int main(void)
{
    unsigned n = 0;

    storage_start();
    Device *uart = add("pl011", UART, uart_irq, 6);
    Device *rtc = add("pl031", RTC, rtc_irq, 1);
    Device *gpio = add("pl061", GPIO, gpio_irq, 1);
    for (unsigned i = 0; i < 8; i++) {
        device_connect_irq(gpio, NULL, i, irq_new(line, gpio_out, (int)i));
    }
    storage_ready();
    Device *const devices[] = { uart, rtc, gpio };
    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
        contract_check(devices[i], &n);
        device_reset(devices[i], RESET_COLD);
    }
    CHECK_EQ(contract_failures(), 0);
    test_uart(uart);
    test_rtc(rtc);
    test_gpio(gpio);
    storage_finish();
    return test_result();
}
