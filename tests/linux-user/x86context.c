/*
 * x86context.c: what a signal handler finds and what it returns to on x86: single steps, INT1 and INT3, CS and SS of any kind, states that
 * cannot be restored, segments whose descriptors change; calls by INT 80h in 64-bit programs, numbers with rubbish in the high half, memory in
 * the first 2 GiB. Prints what must be the host's.
 */
#include <asm/ldt.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#ifdef __x86_64__
enum { IP = REG_RIP, SP = REG_RSP, FL = REG_EFL };
typedef uint64_t word;
#define W "q"
#else
enum { IP = REG_EIP, SP = REG_ESP, FL = REG_EFL };
typedef uint32_t word;
#define W "l"
#endif

static volatile int steps, codes[4];
static volatile word stop_at, seen_flags, seen_ip;

static void handle(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
    struct sigaction a = { .sa_sigaction = f, .sa_flags = SA_SIGINFO | flags };
    sigaction(sig, &a, NULL);
}

/* -- single steps ------------------------------------------------------------------------------------------------------------- */

static void on_step(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    (void)sig;
    steps++;
    codes[0] = info->si_code;
    seen_flags = (word)u->uc_mcontext.gregs[FL];
    if (info->si_addr != (void *)u->uc_mcontext.gregs[IP]) {
        printf("the address is not that of the instruction\n");
    }
}

static word set_flags(word change)
{
    word f;
    asm volatile("pushf\n pop %0" : "=r"(f) : : "memory");
    f ^= change;
    asm volatile("push %0\n popf" : : "r"(f) : "memory", "cc");
    return f;
}

static void single_steps(void)
{
    handle(SIGTRAP, on_step, 0);
    asm volatile("pushf\n or" W " $0x100, (%%"
#ifdef __x86_64__
                 "rsp"
#else
                 "esp"
#endif
                 ")\n popf\n nop\n nop\n mov %%eax, %%ecx\n pushf\n pop %%"
#ifdef __x86_64__
                 "rax"
#else
                 "eax"
#endif
                 "\n and $~0x100, %%eax\n push %%"
#ifdef __x86_64__
                 "rax"
#else
                 "eax"
#endif
                 "\n popf" : : : "eax", "ecx", "cc", "memory");
    printf("steps %d code %d TF %d\n", steps, codes[0], (int)(seen_flags >> 8 & 1));
    set_flags(0);
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    seen_ip = (word)u->uc_mcontext.gregs[IP];
    printf("signal %d code %d trap %d at +%d\n", sig, info->si_code, (int)u->uc_mcontext.gregs[REG_TRAPNO], (int)(seen_ip - stop_at));
}

static void traps(void)
{
    handle(SIGTRAP, on_trap, 0);
#ifdef __x86_64__
#define HERE "lea 1f(%%rip), %%rax\n mov %%rax, %0\n 1: "
#else
#define HERE "movl $1f, %0\n 1: "
#endif
    asm volatile(HERE "int3" : "=m"(stop_at) : : "eax", "memory");
    asm volatile(HERE ".byte 0xcd, 3" : "=m"(stop_at) : : "eax", "memory");
    asm volatile(HERE ".byte 0x2e; int3" : "=m"(stop_at) : : "eax", "memory");
    asm volatile(HERE ".byte 0xf1" : "=m"(stop_at) : : "eax", "memory");
    asm volatile("mov %%ss, %%ecx\n" HERE "mov %%ecx, %%ss; .byte 0xf1" : "=m"(stop_at) : : "eax", "ecx", "memory");
}

/* -- returns to other segments ---------------------------------------------------------------------------------------------------- */

static unsigned char stack16[65536] __attribute__((aligned(4096))), handler_stack[65536];
asm(".pushsection .text\n .balign 4096\n code16: mov %ss, %ecx\n int3\n .balign 4096, 0xcc\n .popsection");
extern char code16[];
enum { CODE16 = 7 << 3 | 7, DATA16 = 8 << 3 | 7, NP_CODE = 9 << 3 | 7, NOTHING = 11 << 3 | 7 };
static volatile unsigned want_cs, want_ss;
static greg_t saved[NGREG];
static volatile int clear_strict;

static unsigned get_cs(ucontext_t *u)
{
#ifdef __x86_64__
    return u->uc_mcontext.gregs[REG_CSGSFS] & 0xffff;
#else
    return u->uc_mcontext.gregs[REG_CS] & 0xffff;
#endif
}

static unsigned get_ss(ucontext_t *u)
{
#ifdef __x86_64__
    return (uint64_t)u->uc_mcontext.gregs[REG_CSGSFS] >> 48;
#else
    return u->uc_mcontext.gregs[REG_SS] & 0xffff;
#endif
}

static void on_usr1(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    (void)sig;
    (void)info;
    memcpy(saved, u->uc_mcontext.gregs, sizeof(saved));
#ifdef __x86_64__
    u->uc_mcontext.gregs[REG_CSGSFS] = (u->uc_mcontext.gregs[REG_CSGSFS] & 0x0000ffffffff0000) | want_cs | (uint64_t)want_ss << 48;
    u->uc_flags &= clear_strict ? ~4ul : ~0ul;
#else
    u->uc_mcontext.gregs[REG_CS] = want_cs;
    u->uc_mcontext.gregs[REG_SS] = want_ss;
#endif
    u->uc_mcontext.gregs[IP] = want_cs == CODE16 ? 0 : (greg_t)(intptr_t)code16;
    u->uc_mcontext.gregs[SP] = want_ss == DATA16 ? 32768 : (greg_t)(intptr_t)(stack16 + 32768);
}

static void on_return(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    int trap = (int)u->uc_mcontext.gregs[REG_TRAPNO];
    (void)info;
    printf("  signal %d trap %d CS %02x SS %02x", sig, trap, get_cs(u), get_ss(u));
    if (trap == 3) {
        printf(" ip +%d", (int)(u->uc_mcontext.gregs[IP] - (want_cs == CODE16 ? 0 : (intptr_t)code16)));
    }
#ifdef __x86_64__
    printf(" flags %lx", u->uc_flags);
#endif
    unsigned short now;
    asm volatile("mov %%ss, %0" : "=r"(now));
    printf(" SS now %02x\n", now);
    memcpy(u->uc_mcontext.gregs, saved, sizeof(saved));
}

static void returns(void)
{
    static const struct { const char *name; unsigned number, contents, is32, missing; void *base; } segs[] = {
        { "code16", 7, 2, 0, 0, code16 }, { "data16", 8, 0, 0, 0, stack16 }, { "no code", 9, 2, 1, 1, code16 },
    };
    for (unsigned i = 0; i < sizeof(segs) / sizeof(segs[0]); i++) {
        struct user_desc d = { .entry_number = segs[i].number, .base_addr = (unsigned)(uintptr_t)segs[i].base, .limit = 0xffff,
                               .seg_32bit = segs[i].is32, .contents = segs[i].contents, .seg_not_present = segs[i].missing };
        printf("%s %ld\n", segs[i].name, syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)));
    }
    /* The handlers' stack is one whose address does not depend on SS. */
    stack_t alternate = { .ss_sp = handler_stack, .ss_size = sizeof(handler_stack) };
    sigaltstack(&alternate, NULL);
    handle(SIGUSR1, on_usr1, 0);
    handle(SIGTRAP, on_return, SA_ONSTACK);
    handle(SIGSEGV, on_return, SA_ONSTACK);
    handle(SIGBUS, on_return, SA_ONSTACK);
    unsigned short cs, ss;
    asm volatile("mov %%cs, %0\n mov %%ss, %1" : "=r"(cs), "=r"(ss));
    const unsigned list[][2] = { { cs, ss }, { 0x23, ss }, { 0x23, DATA16 }, { CODE16, ss }, { CODE16, DATA16 }, { cs, DATA16 }, { NP_CODE, ss } };
    for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        want_cs = list[i][0];
        want_ss = list[i][1];
        printf("CS %02x SS %02x\n", want_cs, want_ss);
        fflush(stdout);
        raise(SIGUSR1);
    }
#ifdef __x86_64__
    clear_strict = 1;
    want_cs = cs;
    want_ss = NOTHING;
    printf("SS %02x for a program that does not know of it\n", want_ss);
    raise(SIGUSR1);
    clear_strict = 0;
#endif
}

/* -- a state that cannot be restored ------------------------------------------------------------------------------------------------ */

static void on_usr2(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    uint8_t *fp = (uint8_t *)u->uc_mcontext.fpregs;
    (void)sig;
    (void)info;
#ifdef __i386__
    fp += 112;
#endif
    uint64_t *header = (uint64_t *)(fp + 512);
    header[1] = UINT64_MAX; /* XCOMP_BV: no such format */
}

static void on_bad_state(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    printf("bad state: signal %d code %d, own stack %d\n", sig, info->si_code,
           (uintptr_t)u->uc_mcontext.gregs[SP] - (uintptr_t)&sig < 100000);
}

static void bad_state(void)
{
    handle(SIGUSR2, on_usr2, 0);
    handle(SIGSEGV, on_bad_state, 0);
    raise(SIGUSR2);
    printf("and on\n");
}

/* -- segments and calls --------------------------------------------------------------------------------------------------------------- */

#ifdef __x86_64__
static sigjmp_buf back;

static void on_no_insn(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)info;
    (void)context;
    siglongjmp(back, 1);
}
#endif

static void segments(void)
{
    struct user_desc d = { .entry_number = -1, .limit = 0xffff, .seg_32bit = 1 }, bad;
    int value = 42;
    printf("%ld\n", syscall(SYS_set_thread_area, &(struct user_desc){ .entry_number = 12, .limit = 0xffff, .seg_32bit = 0 }));
#ifdef __i386__
    bad = d;
    bad.seg_not_present = 1;
    errno = 0;
    long r = syscall(SYS_set_thread_area, &bad);
    printf("not present: %ld %d\n", r, errno);
    unsigned short sel;
    int got = 0;
    d.base_addr = (unsigned)(uintptr_t)&value;
    r = syscall(SYS_set_thread_area, &d);
    sel = d.entry_number << 3 | 3;
    asm volatile("mov %1, %%fs\n movl %%fs:0, %0" : "=r"(got) : "r"(sel));
    printf("set %ld, through it %d\n", r, got);
    syscall(SYS_set_thread_area, &(struct user_desc){ .entry_number = d.entry_number, .read_exec_only = 1, .seg_not_present = 1 });
    asm volatile("mov %%fs, %0" : "=r"(sel));
    printf("cleared: %x\n", sel);
#else
    (void)d;
    (void)bad;
    (void)value;
    void *low = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    printf("low %d\n", (uintptr_t)low + 65536 <= 0x80000000u);
    memcpy(low, "written by int $0x80\n", 21);
    fflush(stdout);
    long r;
    asm volatile("int $0x80" : "=a"(r) : "a"(4), "b"(1), "c"(low), "d"(21) : "memory", "r8", "r9", "r10", "r11");
    printf("%ld\n", r);
    asm volatile("int $0x80" : "=a"(r) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    printf("pid %d\n", r == getpid());
    asm volatile("int $0x80" : "=a"(r) : "a"(6), "b"(-1) : "memory", "r8", "r9", "r10", "r11");
    printf("close %ld\n", r);
    asm volatile("int $0x80" : "=a"(r) : "a"(192), "b"(0), "c"(4096), "d"(3), "S"(0x22), "D"(-1) : "memory", "r8", "r9", "r10", "r11");
    printf("mmap2 %d\n", r > 0 && r < 0xffffffffl);
    unsigned leaf = 0, vendor, c, d2;
    asm volatile("cpuid" : "+a"(leaf), "=b"(vendor), "=c"(c), "=d"(d2));
    handle(SIGILL, on_no_insn, SA_ONSTACK);
    if (vendor == 0x68747541 && !sigsetjmp(back, 1)) { /* AMD's long mode does not have it */
        asm volatile("sysenter" : : : "memory");
        printf("sysenter is there\n");
    }
    register long number asm("rax") = 39 | 1l << 32;
    asm volatile("syscall" : "+r"(number) : : "rcx", "r11", "memory");
    printf("high half %d\n", number == getpid());
#endif
}

/* -- the alternate stack -------------------------------------------------------------------------------------------------------------- */

static volatile uintptr_t frame_at;

static void on_alternate(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)info;
    frame_at = (uintptr_t)context;
}

static void alternate(void)
{
    static unsigned char stack[65536];
    stack_t s = { .ss_sp = stack, .ss_size = sizeof(stack) };
    sigaltstack(&s, NULL);
    handle(SIGUSR2, on_alternate, SA_ONSTACK);
    raise(SIGUSR2);
    uintptr_t used = (uintptr_t)stack + sizeof(stack) - frame_at;
    unsigned long least = getauxval(AT_MINSIGSTKSZ);
    printf("the least stack: enough %d, far too much %d\n", used < least, least > used + 1000);
}

int main(void)
{
    single_steps();
    traps();
    returns();
    bad_state();
    segments();
    alternate();
    return 0;
}
