/*
 * zynq.c: a program for Zynq-7000 without an operating system: UART both ways and looped, timer interrupts of a TTC, an SD card by SDHCI, the second processor as
 * the boot ROM leaves it and by its reset line, the SLCR's lock, restart. Prints what it finds; run at 0x100000.
 */
typedef unsigned char u8;
typedef unsigned int u32;

enum {
    UART = 0xe0000000, SDHCI = 0xe0100000, SLCR = 0xf8000000, TTC = 0xf8001000, GIC_CPU = 0xf8f00100, GIC_DIST = 0xf8f01000, TTC_IRQ = 43,
    MAILBOX = 0xfffffff0, UART_IRQ = 59, WAS_HERE = 0xa5,
};

static volatile u32 *reg(u32 addr) { return (volatile u32 *)addr; }

static void text(const char *s)
{
    for (; *s; s++) {
        while (*reg(UART + 0x2c) & 0x10) {
        }
        *reg(UART + 0x30) = (u8)*s;
    }
}

static void number(const char *what, u32 value)
{
    char digit[2] = { 0, 0 };

    text(what);
    for (int shift = 28; shift >= 0; shift -= 4) {
        digit[0] = "0123456789abcdef"[value >> shift & 15];
        text(digit);
    }
    text("\n");
}

static volatile u32 ticks, uart_irqs, others;

__attribute__((interrupt("IRQ"), used)) void on_irq(void)
{
    u32 irq = *reg(GIC_CPU + 0xc);

    if ((irq & 0x3ff) == TTC_IRQ) {
        ticks += *reg(TTC + 0x58); /* reading acknowledges: the interval's bit is 1 */
    } else if ((irq & 0x3ff) == UART_IRQ) {
        *reg(UART + 0x0c) = 0x100; /* the receive timeout, once */
        *reg(UART + 0x14) = 0x100;
        uart_irqs++;
    } else {
        others++;
    }
    *reg(GIC_CPU + 0x10) = irq;
}

static void enable(u32 irq)
{
    *reg(GIC_DIST + 0x100 + irq / 32 * 4) = 1u << irq % 32;
    *(volatile u8 *)(GIC_DIST + 0x800 + irq) = 1;
}

__asm__(".globl _start\n"
        "_start: ldr sp, =stack + 8192\n"
        "  msr cpsr_c, #0xd2\n ldr sp, =stack + 4096\n msr cpsr_c, #0xd3\n"
        "  bl main\n"
        "1: b 1b\n"
        ".globl second\n"
        "second: ldr r0, =seconds\n ldr r1, [r0]\n add r1, r1, #1\n str r1, [r0]\n mrc p15, 0, r1, c0, c0, 5\n str r1, [r0, #4]\n dsb\n"
        "1: wfi\n b 1b\n"
        ".balign 32\n"
        "vectors: b .\n b .\n b .\n b .\n b .\n b .\n ldr pc, [pc, #0]\n b .\n .word on_irq\n"
        ".ltorg\n"
        ".bss\n.balign 8\nstack: .space 8192\n.text\n");
extern u32 vectors[9];
void second(void);
volatile u32 seconds[2];

static void test_timer(void)
{
    __asm__ volatile("mcr p15, 0, %0, c12, c0, 0" :: "r"(vectors));
    enable(TTC_IRQ);
    *reg(GIC_DIST) = 1;
    *reg(GIC_CPU + 4) = 0xff;
    *reg(GIC_CPU) = 1;
    *reg(TTC + 4) = 3;             /* counter 2: divided by four */
    *reg(TTC + 0x28) = 33333;
    *reg(TTC + 0x64) = 1;
    *reg(TTC + 0x10) = 0x32;       /* interval, restarted */
    __asm__ volatile("msr cpsr_c, #0x53" ::: "memory");
    while (ticks < 5) {
    }
    *reg(TTC + 0x10) = 0x33;
    u32 stopped = *reg(TTC + 0x1c);
    for (volatile int i = 0; i < 1000; i++) {
    }
    number("ticks ", ticks >= 5 && stopped <= 33333 && *reg(TTC + 0x1c) == stopped);
    /* Down, and a match on the way. */
    *reg(TTC + 0) = 1;
    *reg(TTC + 0x24) = 1000;
    *reg(TTC + 0x30) = 400;
    *reg(TTC + 0x0c) = 0x3e;
    u32 first = *reg(TTC + 0x18), seen = 0;
    while (!(seen & 2)) {
        seen |= *reg(TTC + 0x54);
    }
    number("down ", first <= 1000 && !(seen & ~3u));
    *reg(TTC + 0x0c) = 1;
}

static void test_uart(void)
{
    enable(UART_IRQ);
    *reg(UART + 0x04) = 0x220;     /* local loopback, no parity */
    *reg(UART + 0x1c) = 10;
    *reg(UART + 0x08) = 0x100;
    *reg(UART + 0x30) = 'x';
    while (!uart_irqs) {
    }
    u32 looped = *reg(UART + 0x30) << 8 | (*reg(UART + 0x2c) & 2);
    *reg(UART + 0x04) = 0x20;
    number("looped ", looped);
    *reg(UART + 0x1c) = 0;
    number("uart ", uart_irqs << 16 | others);
}

static u32 command(u32 word, u32 arg)
{
    *reg(SDHCI + 0x30) = 0xffffffff;
    *reg(SDHCI + 0x08) = arg;
    *reg(SDHCI + 0x0c) = word;
    while (!(*reg(SDHCI + 0x30) & 0x8001)) {
    }
    return *reg(SDHCI + 0x10);
}

static void test_card(void)
{
    enum { R1 = 0x1a, R2 = 0x09, R3 = 0x02, R6 = 0x1a, DATA = 0x20 };
    u32 sum = 0;

    *reg(SDHCI + 0x34) = 0x00ff00ff;       /* show all states */
    *reg(SDHCI + 0x2c) = 0x0001;
    while (!(*reg(SDHCI + 0x2c) & 2)) {
    }
    *reg(SDHCI + 0x2c) |= 4;
    *(volatile u8 *)(SDHCI + 0x29) = 0xf;
    command(0, 0);
    command(8 << 24 | R1 << 16, 0x1aa);
    command(55 << 24 | R1 << 16, 0);
    number("ocr ", command(41 << 24 | R3 << 16, 0x40ff8000));
    command(2 << 24 | R2 << 16, 0);
    command(7 << 24 | R1 << 16, command(3 << 24 | R6 << 16, 0) & 0xffff0000);
    command(16 << 24 | R1 << 16, 512);
    *reg(SDHCI + 0x04) = 1 << 16 | 512;
    command(17 << 24 | (R1 | DATA) << 16 | 0x10, 7 * 512);
    while (!(*reg(SDHCI + 0x24) & 1 << 11)) {
    }
    for (int i = 0; i < 128; i++) {
        sum = (sum << 1 | sum >> 31) ^ *reg(SDHCI + 0x20);
    }
    while (!(*reg(SDHCI + 0x30) & 2)) {
    }
    number("card ", sum);
    command(24 << 24 | (R1 | DATA) << 16, 9 * 512);
    while (!(*reg(SDHCI + 0x24) & 1 << 10)) {
    }
    for (u32 i = 0; i < 128; i++) {
        *reg(SDHCI + 0x20) = 0xb0a20000 + i;
    }
    while (!(*reg(SDHCI + 0x30) & 2)) {
    }
}

static void test_second(void)
{
    volatile u32 *zero = reg(0);

    __asm__("" : "+r"(zero)); /* to the compiler nothing can be there */
    *reg(MAILBOX) = (u32)second;
    __asm__ volatile("dsb\n sev" ::: "memory");
    while (seconds[0] != 1) {
    }
    number("mailbox ", seconds[0]);
    zero[0] = 0xe51ff004; /* ldr pc, [pc, #-4] */
    zero[1] = (u32)second;
    *reg(SLCR + 0x244) = 0x22;
    *reg(SLCR + 0x244) = 0x20;
    for (volatile int i = 0; i < 100000; i++) {
    }
    number("held ", seconds[0]);
    *reg(SLCR + 0x244) = 0;
    while (seconds[0] != 2) {
    }
    number("second ", seconds[1]);
}

int main(void)
{
    *reg(UART + 0x00) = 0x117;
    *reg(UART + 0x04) = 0x20;
    if (*reg(SLCR + 0x258) >> 24 == WAS_HERE) {
        number("again ", *reg(SLCR + 0x258));
        while (*reg(UART + 0x2c) & 2) {
        }
        number("got ", *reg(UART + 0x30));
        return 0;
    }
    text("hello\n");
    number("locked ", *reg(SLCR + 0x0c));
    *reg(SLCR + 0x258) = WAS_HERE << 24;
    number("kept ", *reg(SLCR + 0x258));
    *reg(SLCR + 0x08) = 0xdf0d;
    test_timer();
    test_uart();
    test_card();
    test_second();
    *reg(SLCR + 0x258) = WAS_HERE << 24;
    *reg(SLCR + 0x200) = 1;
    return 0;
}
