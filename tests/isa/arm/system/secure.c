/*
 * secure.c: EL3 and the secure world on virt,secure=on: which memory each state sees, by state and by the NS bit of a page, SMC from the non-secure and the secure
 * EL1, interrupt groups as a non-secure access sees them. Its own entry and vectors: the others know two levels.
 */
#include <stdint.h>

enum { SECURE_RAM = 0x0e000000, SECURE_UART = 0x09040000, UART = 0x09000000, GICD = 0x08000000 };
enum { SPSR_EL1H = 0x3c5, NS = 1 };
static volatile uint64_t last_esr, last_far, n_events;
static uint32_t n_failed;
uint64_t saved[16];
static uint64_t tables[2][512] __attribute__((aligned(4096)));
uint8_t stack_el3[8192] __attribute__((aligned(16))), stack_el1[8192] __attribute__((aligned(16)));

__asm__(".section .text.start, \"ax\"\n.global _start\n_start: ldr x0, =stack_el3 + 8192\n mov sp, x0\n ldr x0, =vectors\n msr vbar_el3, x0\n msr vbar_el1, x0\n"
        " msr cptr_el3, xzr\n isb\n bl test_main\n ldr x0, =0x84000008\n hvc #0\n1: b 1b\n"
        ".balign 2048\nvectors:\n"
        ".macro one\n.balign 128\n stp x0, x30, [sp, #-16]!\n mrs x0, CurrentEL\n cmp x0, #12\n b.eq 2f\n ldp x0, x30, [sp], #16\n smc #0x55\n"
        "2: stp x1, x2, [sp, #-256]!\n stp x3, x4, [sp, #16]\n stp x5, x6, [sp, #32]\n stp x7, x8, [sp, #48]\n stp x9, x10, [sp, #64]\n stp x11, x12, [sp, #80]\n"
        " stp x13, x14, [sp, #96]\n stp x15, x16, [sp, #112]\n stp x17, x18, [sp, #128]\n bl handle\n ldp x3, x4, [sp, #16]\n ldp x5, x6, [sp, #32]\n ldp x7, x8, [sp, #48]\n"
        " ldp x9, x10, [sp, #64]\n ldp x11, x12, [sp, #80]\n ldp x13, x14, [sp, #96]\n ldp x15, x16, [sp, #112]\n ldp x17, x18, [sp, #128]\n ldp x1, x2, [sp], #256\n"
        " ldp x0, x30, [sp], #16\n eret\n.endm\n"
        ".rept 16\n one\n.endr\n"
        /* uint64_t at_el1(fn, argument, scr): fn(argument) at EL1; SMC #0x77 brings its result back. */
        ".global at_el1, back\nat_el1: ldr x3, =saved\n stp x19, x20, [x3]\n stp x21, x22, [x3, #16]\n stp x23, x24, [x3, #32]\n stp x25, x26, [x3, #48]\n stp x27, x28, [x3, #64]\n"
        " stp x29, x30, [x3, #80]\n mov x4, sp\n str x4, [x3, #96]\n msr scr_el3, x2\n msr elr_el3, x0\n mov x5, #0x3c5\n msr spsr_el3, x5\n mov x0, x1\n ldr x30, =leave\n"
        " ldr x5, =stack_el1 + 8192\n msr sp_el1, x5\n isb\n eret\nleave: smc #0x77\n"
        "back: ldr x3, =saved\n ldp x19, x20, [x3]\n ldp x21, x22, [x3, #16]\n ldp x23, x24, [x3, #32]\n ldp x25, x26, [x3, #48]\n ldp x27, x28, [x3, #64]\n ldp x29, x30, [x3, #80]\n"
        " ldr x4, [x3, #96]\n mov sp, x4\n ldr x0, =result\n ldr x0, [x0]\n ret\n");
extern char back[];
volatile uint64_t result;
extern uint64_t at_el1(uint64_t (*fn)(uint64_t), uint64_t argument, uint64_t scr);

#define GET(reg) ({ uint64_t v_; __asm__ volatile("mrs %0, " #reg : "=r"(v_)); v_; })
#define SET(reg, v) __asm__ volatile("msr " #reg ", %0\n isb" :: "r"((uint64_t)(v)) : "memory")

/* Of EL3's: what happens at EL1 comes by SMC #0x55 from its vectors. */
void handle(uint64_t x0)
{
    uint64_t esr = GET(esr_el3), elr = GET(elr_el3), *frame = (uint64_t *)__builtin_frame_address(0);

    (void)x0; (void)frame;
    n_events++;
    if (esr >> 26 == 0x17 && (esr & 0xffff) == 0x77) {
        SET(elr_el3, back);
        SET(spsr_el3, 0x3cd);
        return;
    }
    if (esr >> 26 == 0x17 && (esr & 0xffff) == 0x55) { /* EL1's own exception: go on behind it, there */
        last_esr = GET(esr_el1);
        last_far = GET(far_el1);
        SET(elr_el3, GET(elr_el1) + 4);
        SET(spsr_el3, SPSR_EL1H);
        return;
    }
    last_esr = esr;
    last_far = GET(far_el3);
    if (esr >> 26 != 0x17) {
        SET(elr_el3, elr + 4);
    }
}

static void put(char c) { *(volatile uint32_t *)UART = (uint8_t)c; }
static void text(const char *s) { while (*s) { put(*s++); } }
static void hex(uint64_t v) { for (int i = 60; i >= 0; i -= 4) { put("0123456789abcdef"[v >> i & 15]); } }
static void check(const char *what, uint64_t got, uint64_t want)
{
    if (got != want) {
        text(what); text(": "); hex(got); text(" is not "); hex(want); put('\n');
        n_failed++;
    }
}

static uint64_t load(uint64_t at)
{
    uint64_t v = 0x5555;
    __asm__ volatile("ldr %w0, [%1]" : "+r"(v) : "r"(at) : "memory");
    return v;
}
static uint64_t load1(uint64_t at) { uint64_t v = load(at); result = v; return v; }
static uint64_t call1(uint64_t x) { __asm__ volatile("smc #0x1234"); result = x + 1; return 0; }
static uint64_t set_group(uint64_t at) { *(volatile uint32_t *)at = ~0u; result = *(volatile uint32_t *)at; return 0; }

static int faulted(uint64_t before) { return n_events != before && (last_esr >> 26 & ~1ull) == 0x24 && (last_esr & 0x3f) == 0x10; }

void test_main(void)
{
    uint64_t rw = 1 << 10, n;

    check("level", GET(CurrentEL), 12);
    *(volatile uint32_t *)SECURE_RAM = 0x12345678;
    check("secure ram", load(SECURE_RAM), 0x12345678);
    *(volatile uint32_t *)SECURE_UART = 's';
    check("secure el1", at_el1(load1, SECURE_RAM, rw), 0x12345678);
    n = n_events;
    check("non-secure el1", at_el1(load1, SECURE_RAM, rw | NS), 0x5555); check("its abort", faulted(n), 1); check("far", last_far, SECURE_RAM);
    n = n_events;
    at_el1(load1, SECURE_UART, rw | NS); check("secure uart", faulted(n), 1);
    SET(scr_el3, rw | NS);
    check("el3 is secure with NS", load(SECURE_RAM), 0x12345678);
    check("smc", at_el1(call1, 41, rw | NS), 42); check("its syndrome", last_esr, 0x5e001234);
    /* NS of a page of EL3's. */
    tables[0][0] = (uint64_t)tables[1] | 3;
    tables[0][1] = 0x40000000 | 1 << 10 | 3 << 8 | 1;
    tables[1][0x48] = 0x09000000 | 1 << 10 | 1 << 2 | 1;
    tables[1][0x70] = SECURE_RAM | 1 << 10 | 1 << 2 | 1;
    tables[1][0x71] = SECURE_RAM | 1 << 10 | 1 << 2 | 1 << 5 | 1;
    SET(mair_el3, 0xff);
    SET(tcr_el3, 25 | 2 << 16);
    SET(ttbr0_el3, tables[0]);
    __asm__ volatile("dsb sy\n tlbi alle3\n dsb sy\n isb");
    SET(sctlr_el3, GET(sctlr_el3) | 1);
    check("mapped secure", load(SECURE_RAM), 0x12345678);
    n = n_events;
    check("mapped non-secure", load(0x0e200000), 0x5555); check("bus error", faulted(n), 1);
    SET(sctlr_el3, GET(sctlr_el3) & ~1ull);
    /* Interrupt groups are the secure world's. */
    check("igroupr, secure", at_el1(set_group, GICD + 0x84, rw), 0xffffffff);
    check("igroupr, non-secure", at_el1(load1, GICD + 0x84, rw | NS), 0);
    text(n_failed ? "failed\n" : "ok\n");
}
