/*
 * a32.c: a bare-metal program of AArch32's system level: modes and their registers, exceptions with what they leave behind, short and long
 * descriptors with their faults, User mode, address translation operations, endianness, VFP's enable.
 */
#include <stdint.h>

typedef struct Event { uint32_t vector, spsr, lr, dfsr, dfar, ifsr, ifar, count; } Event;
extern uint32_t in_user(uint32_t (*fn)(uint32_t), uint32_t argument);
extern char in_user_back[], user_stack[], stacks[];
static volatile Event last;
static volatile uint32_t resume; /* where a prefetch abort goes on */
static uint32_t n_failed;

static void put(char c) { *(volatile uint32_t *)0x09000000 = (uint8_t)c; }
static void text(const char *s) { while (*s) { put(*s++); } }
static void hex(uint32_t v) { for (int i = 28; i >= 0; i -= 4) { put("0123456789abcdef"[v >> i & 15]); } }

static void check(const char *what, uint32_t got, uint32_t want)
{
    if (got != want) {
        text(what); text(": "); hex(got); text(" is not "); hex(want); put('\n');
        n_failed++;
    }
}

#define READ(name, ...) static inline uint32_t name(void) { uint32_t v; __asm__ volatile("mrc " __VA_ARGS__ : "=r"(v)); return v; }
#define WRITE(name, ...) static inline void name(uint32_t v) { __asm__ volatile("mcr " __VA_ARGS__ "\n isb" :: "r"(v) : "memory"); }
READ(get_dfsr, "p15, 0, %0, c5, c0, 0") READ(get_ifsr, "p15, 0, %0, c5, c0, 1") READ(get_dfar, "p15, 0, %0, c6, c0, 0")
READ(get_ifar, "p15, 0, %0, c6, c0, 2") READ(get_sctlr, "p15, 0, %0, c1, c0, 0") READ(get_par, "p15, 0, %0, c7, c4, 0")
WRITE(set_sctlr, "p15, 0, %0, c1, c0, 0") WRITE(set_ttbcr, "p15, 0, %0, c2, c0, 2") WRITE(set_ttbr0, "p15, 0, %0, c2, c0, 0")
WRITE(set_dacr, "p15, 0, %0, c3, c0, 0") WRITE(tlbiall, "p15, 0, %0, c8, c7, 0") WRITE(set_cpacr, "p15, 0, %0, c1, c0, 2")
WRITE(at_read, "p15, 0, %0, c7, c8, 0") WRITE(at_user_write, "p15, 0, %0, c7, c8, 3") WRITE(set_mair0, "p15, 0, %0, c10, c2, 0")
WRITE(iciallu, "p15, 0, %0, c7, c5, 0") WRITE(set_contextidr, "p15, 0, %0, c13, c0, 1")

void handle(uint32_t number, uint32_t *frame)
{
    uint32_t lr = frame[15];

    last = (Event){ number, frame[0], lr, get_dfsr(), get_dfar(), get_ifsr(), get_ifar(), last.count + 1 };
    if (number == 2 && !(frame[0] & 0x20) && *(uint32_t *)(lr - 4) == 0xef000077) {
        frame[0] = (frame[0] & ~0x3fu) | 0xd3; /* back from User mode */
        frame[15] = (uint32_t)in_user_back;
    } else if (number == 4) {
        frame[15] = frame[0] & 0x20 ? lr - 6 : lr - 4;
    } else if (number == 3) {
        frame[15] = resume;
        frame[0] = (frame[0] & ~0x20u) | (frame[0] & 0x1f);
    }
}

static uint32_t cpsr(void) { uint32_t v; __asm__ volatile("mrs %0, cpsr" : "=r"(v)); return v; }

static void modes(void)
{
    uint32_t a, b, c, d;

    check("mode", cpsr() & 0x1df, 0x1d3);
    __asm__ volatile("cps #0x11\n mov r8, #8\n mov r12, #12\n mov lr, #14\n cps #0x13\n mov r8, #1\n mov r12, #2\n"
                     "cps #0x11\n mov r0, r8\n mov r1, r12\n mov r2, lr\n cps #0x13\n mov %3, r8\n mov %0, r0\n mov %1, r1\n mov %2, r2"
                     : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d) :: "r0", "r1", "r2", "r8", "r12");
    check("r8_fiq", a, 8); check("r12_fiq", b, 12); check("lr_fiq", c, 14); check("r8", d, 1);
    __asm__ volatile("cps #0x1f\n mov sp, %2\n cps #0x12\n msr spsr_fsxc, %3\n cps #0x13\n cps #0x1f\n mov %0, sp\n cps #0x12\n mrs %1, spsr\n cps #0x13"
                     : "=&r"(a), "=&r"(b) : "r"(0x1234), "r"(0x600001d0));
    check("sp_usr", a, 0x1234); check("spsr_irq", b, 0x600001d0);
    uint32_t had = last.count;
    __asm__ volatile(".arch_extension virt\n mov %0, #8\n mrs %0, r8_fiq\n mov %1, #0x600\n mrs %1, sp_usr" : "=&r"(a), "=&r"(b));
    check("banked mrs", a, 8); check("mrs sp_usr", b, last.count == had ? 0x1234 : 0x600); /* undefined without the Virtualization Extensions */
    /* User registers by STM and LDM with ^, from IRQ mode, which has its own. */
    uint32_t box[2] = { 0, 0 };
    __asm__ volatile("cps #0x12\n stm %2, {sp, lr}^\n ldr %0, [%2]\n mov r3, #0x55\n str r3, [%2]\n ldm %2, {sp}^\n nop\n cps #0x1f\n mov %1, sp\n cps #0x13"
                     : "=&r"(a), "=&r"(b) : "r"(box) : "r3", "memory");
    check("stm ^", a, 0x1234); check("ldm ^", b, 0x55);
    __asm__ volatile("cpsid aif\n cpsie a\n mrs %0, cpsr\n cpsid a\n msr cpsr_c, #0xdb\n mrs %1, cpsr\n msr cpsr_c, #0xd3" : "=r"(a), "=r"(b));
    check("cpsie", a & 0x1df, 0xd3); check("msr cpsr_c", b & 0xdf, 0xdb);
    __asm__ volatile("mov r3, sp\n srsdb sp!, #0x13\n mov %0, sp\n ldr %1, [sp, #4]\n mrs %2, spsr\n mov sp, r3" : "=r"(a), "=r"(b), "=r"(c) :: "r3", "memory");
    check("srs", b, c);
}

__attribute__((naked, target("thumb"))) static uint32_t thumb_undefined(uint32_t x) { __asm__ volatile("cmp r0, r0\n it eq\n .inst.n 0xde00\n nop\n bx lr"); }
__attribute__((naked)) static uint32_t user_cpsr(uint32_t x) { __asm__ volatile("msr cpsr_c, #0xd3\n mrs r0, cpsr\n bx lr"); }
__attribute__((naked)) static uint32_t user_load(uint32_t x) { __asm__ volatile("ldr r0, [r0]\n bx lr"); }
__attribute__((naked)) static uint32_t user_cp15(uint32_t x) { __asm__ volatile("mrc p15, 0, r0, c1, c0, 0\n bx lr"); }

static void exceptions(void)
{
    uint32_t pc, n = last.count;

    __asm__ volatile("adr %0, 1f\n svc #5\n1:" : "=r"(pc) :: "lr");
    check("svc", last.vector, 2); check("svc lr", last.lr, pc); check("svc spsr", last.spsr & 0xff, 0xd3);
    __asm__ volatile("adr %0, 1f\n .inst 0xe7f000f0\n1:" : "=r"(pc));
    check("udf", last.vector, 1); check("udf lr", last.lr, pc); check("spsr_und", last.spsr & 0x1f, 0x13);
    thumb_undefined(0);
    check("t32 udf", last.vector, 1); check("t32 lr", last.lr, ((uint32_t)thumb_undefined & ~1u) + 6); check("t32 spsr.it", last.spsr & 0x0600fc20, 0x00000820);
    resume = 0;
    __asm__ volatile("adr r3, 2f\n str r3, %1\n adr %0, 1f\n bkpt #3\n1: nop\n2:" : "=r"(pc), "=m"(resume) :: "r3");
    check("bkpt", last.vector, 3); check("bkpt lr", last.lr, pc); check("bkpt ifsr", last.ifsr & 0x40f, 2);
    check("four exceptions", last.count - n, 4);
    check("user cpsr", in_user(user_cpsr, 0) & 0x1f, 0x10);
    n = last.count;
    in_user(user_cp15, 0);
    check("user cp15", last.count - n, 2);
}

/* -- translation ------------------------------------------------------------------------------------------------------------ */

static uint32_t l1[4096] __attribute__((aligned(16384))), l2[256] __attribute__((aligned(1024)));
static uint64_t lpae1[4] __attribute__((aligned(32))), lpae2[512] __attribute__((aligned(4096))), lpae3[512] __attribute__((aligned(4096)));
static uint32_t page[1024] __attribute__((aligned(4096)));

static uint32_t load(uint32_t at)
{
    uint32_t v = 0, n = last.count;
    __asm__ volatile("ldr %0, [%1]" : "+r"(v) : "r"(at) : "memory");
    return last.count == n ? v : 0xffff0000 | last.dfsr;
}

static uint32_t store(uint32_t at)
{
    uint32_t n = last.count;
    __asm__ volatile("str %0, [%0]" :: "r"(at) : "memory");
    return last.count == n ? 0 : 0xffff0000 | last.dfsr;
}

static uint32_t load_user(uint32_t at)
{
    uint32_t v = 0, n = last.count;
    __asm__ volatile("ldrt %0, [%1]" : "+r"(v) : "r"(at) : "memory");
    return last.count == n ? v : 0xffff0000 | last.dfsr;
}

static uint32_t call(uint32_t at)
{
    uint32_t n = last.count;
    __asm__ volatile("adr r3, 1f\n str r3, %0\n blx %1\n1:" : "=m"(resume) : "r"(at) : "r3", "lr", "r0", "memory");
    return last.count == n ? 0 : 0xffff0000 | (last.ifsr & 0xe3f & (last.ifsr & 0x200 ? ~0u : ~0xf0u)); /* the reference has a domain there */
}

enum { AT = 0x80000000, SECTION = 2, PAGE_ = 2, AP_RW = 1 << 10, USER_ = 1 << 11 };
static uint32_t small(uint32_t ap, uint32_t more) { return (uint32_t)page | (ap & 3) << 4 | (ap >> 2) << 9 | 2 | more; }

static void short_descriptors(void)
{
    uint32_t sctlr = get_sctlr();

    for (uint32_t i = 0; i < 4096; i++) {
        l1[i] = 0;
    }
    l1[0x090] = 0x09000000 | AP_RW | SECTION;
    for (uint32_t i = 0x400; i < 0x410; i++) {
        l1[i] = i << 20 | 3 << 10 | SECTION;
    }
    l1[AT >> 20] = (uint32_t)l2 | 1 << 5 | 1;                          /* pages, domain 1 */
    l1[(AT >> 20) + 1] = 0x40000000 | AP_RW | 2 << 5 | SECTION;        /* domain 2: none */
    l1[(AT >> 20) + 2] = 0x40000000 | 1 << 15 | AP_RW | SECTION;       /* read only, kernel */
    l1[(AT >> 20) + 3] = 0x40000000 | AP_RW | 1 << 4 | SECTION;        /* never code */
    l2[0] = small(3, 0); l2[1] = small(1, 0); l2[2] = small(7, 0); l2[3] = small(0, 0); l2[4] = small(3, 1); l2[5] = 0;
    page[0] = 0xe12fff1e; /* bx lr */
    set_ttbcr(0);
    set_ttbr0((uint32_t)l1);
    set_dacr(1 | 1 << 2);
    tlbiall(0);
    set_sctlr(sctlr | 1);
    check("page", load(AT), 0xe12fff1e);
    check("code", call(AT), 0);
    check("kernel page", load(AT + 0x1000), 0xe12fff1e); check("user of it", load_user(AT + 0x1000), 0xffff001f);
    check("read only", load_user(AT + 0x2000), 0xe12fff1e); check("written", store(AT + 0x2004), 0xffff081f); check("dfar", last.dfar, AT + 0x2004);
    check("nobody's", load(AT + 0x3000), 0xffff001f);
    check("xn", call(AT + 0x4000), 0xffff000f); check("ifar", last.ifar, AT + 0x4000);
    check("no page", load(AT + 0x5008), 0xffff0017); check("no section", store(AT + 0x900000) & 0xffffff0f, 0xffff0805);
    check("domain", load(AT + 0x100000), 0xffff0029);
    check("read only section", store(AT + 0x200000), 0xffff080d); check("xn section", call(AT + 0x300000), 0xffff000d);
    set_dacr(1 | 3 << 2);
    check("manager", load(AT + 0x3000), 0xe12fff1e); check("manager runs xn", call(AT + 0x4000), 0);
    set_dacr(1);
    check("page's domain", load(AT), 0xffff001b);
    set_dacr(1 | 1 << 2);
    check("in user mode", in_user(user_load, AT + 0x1000) != page[0], 1); check("its fault", last.vector == 2 && last.dfsr == 0x1f, 1);
    at_read(AT + 0x2008); check("par", get_par() & 0xfffff001, (uint32_t)page);
    at_user_write(AT + 0x1000); check("par fault", get_par() & 0x7f, 0x0f << 1 | 1);
    set_sctlr(get_sctlr() | 1 << 29); /* AFE */
    check("access flag", load(AT + 0x3000), 0xffff0016); check("simple user", load_user(AT + 0x1000), 0xffff001f); check("simple", load_user(AT), 0xe12fff1e);
    set_sctlr(get_sctlr() & ~(1u << 29));
    check("unaligned", (*(volatile uint32_t *)(AT + 2), last.dfsr) != 1, 1);
    uint32_t n = last.count;
    __asm__ volatile("ldm %0, {r2, r3}" :: "r"(AT + 2) : "r2", "r3");
    check("unaligned ldm", last.count - n, 1); check("its dfsr", last.dfsr & 0x40f, 1);
    set_sctlr(get_sctlr() | 2);
    check("sctlr.a", load(AT + 2) & 0x40f, 1);
    set_sctlr(sctlr);
}

static void long_descriptors(void)
{
    uint32_t sctlr = get_sctlr();

    for (uint32_t i = 0; i < 512; i++) {
        lpae2[i] = lpae3[i] = 0;
    }
    lpae1[0] = 0x00000000 | 1 << 10 | 1;                                   /* a gigabyte of devices: attribute 0 */
    lpae1[1] = 0x40000000 | 1 << 10 | 1 << 2 | 1;
    lpae1[2] = (uint32_t)lpae2 | 3;
    lpae1[3] = 0;
    lpae2[0] = (uint32_t)lpae3 | 3;
    lpae2[1] = 0x40000000 | 1 << 10 | 1 << 2 | 1 << 7 | 1;                 /* read only */
    lpae3[0] = (uint32_t)page | 1 << 10 | 1 << 2 | 1 << 6 | 3;
    lpae3[1] = (uint32_t)page | 1 << 2 | 3;                                /* no access flag */
    lpae3[2] = (uint32_t)page | 1 << 10 | 1 << 2 | 3 | 1ull << 54;         /* never code */
    set_mair0(0x0000ff00);
    set_ttbcr(0x80000000);
    __asm__ volatile("mcrr p15, 0, %0, %1, c2\n isb" :: "r"(lpae1), "r"(0));
    tlbiall(0);
    set_sctlr(sctlr | 1);
    check("lpae page", load(AT), 0xe12fff1e); check("lpae user", load_user(AT), 0xe12fff1e);
    check("lpae access flag", load(AT + 0x1000), 0xffff020b); check("lpae xn", call(AT + 0x2000), 0xffff020f);
    check("lpae user of kernel's", load_user(AT + 0x2000), 0xffff020f); check("lpae read only", store(AT + 0x200000), 0xffff0a0e);
    check("lpae no page", load(AT + 0x3000), 0xffff0207); check("lpae no block", load(AT + 0x400000), 0xffff0206); check("lpae level 1", load(0xc0000000), 0xffff0205);
    at_read(AT + 8); check("lpae par", get_par() & 0xfffff801, (uint32_t)page | 0x800);
    set_sctlr(sctlr);
    set_ttbcr(0);
    tlbiall(0);
}

static void rest(void)
{
    uint32_t a, b, n = last.count;
    static const uint32_t word = 0x01020304;

    __asm__ volatile("setend be\n ldr %0, [%2]\n ldrh %1, [%2]\n setend le" : "=&r"(a), "=&r"(b) : "r"(&word));
    check("big-endian", a, 0x04030201); check("halfword", b, 0x0403);
    set_cpacr(0);
    __asm__ volatile(".fpu vfpv3\n vmrs r3, fpscr" ::: "r3");
    check("no vfp", last.count - n, 1);
    set_cpacr(0xf << 20);
    __asm__ volatile("vmrs r3, fpscr" ::: "r3");
    check("fpexc.en clear", last.count - n, 2);
    __asm__ volatile("mov r3, #0x40000000\n vmsr fpexc, r3\n vmov.f64 d0, #2.0\n vadd.f64 d0, d0, d0\n vmov %0, %1, d0" : "=r"(a), "=r"(b) :: "r3");
    check("vfp", b, 0x40100000); check("vfp quiet", last.count - n, 2);
    __asm__ volatile("mrc p15, 0, %0, c13, c0, 3\n" : "=r"(a));
    __asm__ volatile("mcr p15, 0, %1, c13, c0, 4\n mrc p15, 0, %0, c13, c0, 4" : "=r"(a) : "r"(0x1234567));
    check("tpidrprw", a, 0x1234567);
}

/* Its number was another register's on Armv6. */
static void counter(void)
{
    uint32_t low, high, then_low, then_high, n = last.count;

    __asm__ volatile("mrrc p15, 0, %0, %1, c14" : "=r"(low), "=r"(high));
    __asm__ volatile("mrrc p15, 0, %0, %1, c14" : "=r"(then_low), "=r"(then_high));
    check("CNTPCT", ((uint64_t)then_high << 32 | then_low) >= ((uint64_t)high << 32 | low), 1);
    check("CNTPCT quiet", last.count - n, 0);
}

void test_main(void)
{
    modes();
    exceptions();
    short_descriptors();
    long_descriptors();
    rest();
    counter();
    text(n_failed ? "failed\n" : "ok\n");
}
