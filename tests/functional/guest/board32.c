/*
 * board32.c: a program for Arm boards without an operating system: serial port both ways, timer interrupts, an SD card by a PL181, a picture by a PL110 or
 * PL111, restart. Where things are comes from -D: UART, TIMER, MMCI, CLCD, LCD_CONTROL, ID, RESET (an expression); with a GIC TIMER_IRQ, GIC_CPU and GIC_DIST, else
 * INT_ENABLE, the register that enables it, and TIMER_IRQ, a bit there. Vectors are at 0, or with a GIC where VBAR says.
 */
typedef unsigned char u8;
typedef unsigned int u32;

static volatile u32 *reg(u32 addr) { return (volatile u32 *)addr; }

static void put(char c)
{
    while (*reg(UART + 0x18) & 0x20) {
    }
    *reg(UART) = (u8)c;
}

static void text(const char *s)
{
    for (; *s; s++) {
        put(*s);
    }
}

static void number(const char *what, u32 value)
{
    text(what);
    for (int shift = 28; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[value >> shift & 15]);
    }
    put('\n');
}

static volatile u32 ticks;

__attribute__((interrupt("IRQ"), used)) void on_irq(void)
{
#ifdef GIC_CPU
    u32 irq = *reg(GIC_CPU + 0xc);

    if ((irq & 0x3ff) == TIMER_IRQ) {
        *reg(TIMER + 0xc) = 1;
        ticks++;
    }
    *reg(GIC_CPU + 0x10) = irq;
#else
    *reg(TIMER + 0xc) = 1;
    ticks++;
#endif
}

__asm__(".globl _start\n"
        "_start: ldr sp, =stack + 8192\n"
        "  msr cpsr_c, #0xd2\n ldr sp, =stack + 4096\n msr cpsr_c, #0xd3\n"
        "  bl main\n"
        "1: b 1b\n"
        ".balign 32\n"
        "vectors: b .\n b .\n b .\n b .\n b .\n b .\n ldr pc, [pc, #0]\n b .\n .word on_irq\n"
        ".ltorg\n"
        ".bss\n.balign 8\nstack: .space 8192\n.text\n");
extern u32 vectors[9];

static void test_timer(void)
{
#ifdef GIC_CPU
    __asm__ volatile("mcr p15, 0, %0, c12, c0, 0" :: "r"(vectors));
    *reg(GIC_DIST + 0x100 + TIMER_IRQ / 32 * 4) = 1u << TIMER_IRQ % 32;
    *(volatile u8 *)(GIC_DIST + 0x800 + TIMER_IRQ) = 1;
    *reg(GIC_DIST) = 1;
    *reg(GIC_CPU + 4) = 0xff;
    *reg(GIC_CPU) = 1;
#else
    volatile u32 *zero = reg(0);

    __asm__("" : "+r"(zero)); /* to the compiler nothing can be there */
    for (int i = 0; i < 9; i++) {
        zero[i] = vectors[i];
    }
    *reg(INT_ENABLE) = 1u << TIMER_IRQ;
#endif
    *reg(TIMER) = 1000;
    *reg(TIMER + 8) = 0xe2;
    __asm__ volatile("msr cpsr_c, #0x53" ::: "memory");
    while (ticks < 5) {
    }
    *reg(TIMER + 8) = 0;
    number("ticks ", ticks >= 5);
}

static u32 command(u32 index, u32 arg)
{
    *reg(MMCI + 0x38) = 0x7ff;
    *reg(MMCI + 0x08) = arg;
    *reg(MMCI + 0x0c) = 1 << 10 | index;
    while (!(*reg(MMCI + 0x34) & 0xc5)) {
    }
    return *reg(MMCI + 0x14);
}

enum { R = 1 << 6, LONG = 3 << 6 };

static void test_card(void)
{
    u32 sum = 0;

    command(0, 0);
    command(8 | R, 0x1aa);
    command(55 | R, 0);
    number("ocr ", command(41 | R, 0x40ff8000));
    command(2 | LONG, 0);
    command(7 | R, command(3 | R, 0));
    *reg(MMCI + 0x28) = 512;
    *reg(MMCI + 0x2c) = 9 << 4 | 3;
    command(17 | R, 7 * 512);
    for (int i = 0; i < 128; i++) {
        while (!(*reg(MMCI + 0x34) & 1 << 21)) {
        }
        sum = (sum << 1 | sum >> 31) ^ *reg(MMCI + 0x80);
    }
    number("card ", sum);
    *reg(MMCI + 0x28) = 512;
    command(24 | R, 9 * 512);
    *reg(MMCI + 0x2c) = 9 << 4 | 1;
    for (u32 i = 0; i < 128; i++) {
        while (!(*reg(MMCI + 0x34) & 1 << 14)) {
        }
        *reg(MMCI + 0x80) = 0xb0a20000 + i;
    }
    while (!(*reg(MMCI + 0x34) & 0x100)) {
    }
}

static u32 picture[64 * 64] __attribute__((aligned(8)));

static void test_picture(void)
{
    for (u32 i = 0; i < 64 * 64; i++) {
        picture[i] = i * 0x1234 & 0xffffff;
    }
    *reg(CLCD) = 3 << 2;
    *reg(CLCD + 4) = 63;
    *reg(CLCD + 0x10) = (u32)picture;
    *reg(CLCD + LCD_CONTROL) = 5 << 1 | 1 << 8 | 0x821;
    text("drawn\n");
}

int main(void)
{
    *reg(UART + 0x2c) = 0x70;
    *reg(UART + 0x30) = 0x301;
    text("hello\n");
    number("id ", *reg(ID));
    test_timer();
    test_card();
    test_picture();
    while (*reg(UART + 0x18) & 0x10) {
    }
    number("got ", *reg(UART) & 0xff);
    RESET;
    return 0;
}
