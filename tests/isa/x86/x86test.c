/*
 * x86test.c: see x86test.h. Natively, a signal handler puts the state into its own context and returns into the snippet; the
 * fault at its end brings the state back. 32-bit code runs in the 32-bit user code segment of Linux.
 */
#include "x86test.h"
#include <cpuid.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "accel/tcg.h"

enum { CS32 = 0x23, CS64 = 0x33, SS = 0x2b, ARITH = X86_ARITH_FLAGS | X86_DF };

static struct {
    enum { IDLE, NATIVE_START, NATIVE_RUN, EMULATED } mode;
    X86tRun *run;
    sigjmp_buf env;
    Vcpu *vcpu;
    bool avx;
    unsigned ymmh_offset;
    unsigned vector;
    uint64_t fault_addr;
} t;

static const uint8_t greg_of[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

/* The XSAVE image in a signal frame; ret_header NULL: none. */
static uint8_t *fp_image(ucontext_t *uc, uint64_t **ret_header)
{
    uint8_t *image = (uint8_t *)uc->uc_mcontext.fpregs;
    *ret_header = ldle32(image + 464) == 0x46505853 ? (uint64_t *)(void *)(image + 512) : NULL;
    return image;
}

static void put_state(ucontext_t *uc, const X86tRun *run)
{
    const X86tState *s = &run->state;
    uint64_t *header;
    uint8_t *image = fp_image(uc, &header);

    for (unsigned i = 0; i < 16; i++) {
        uc->uc_mcontext.gregs[greg_of[i]] = (greg_t)s->gpr[i];
        memcpy(image + 160 + 16 * i, s->ymm[i], 16);
        if (header && t.avx) {
            memcpy(image + t.ymmh_offset + 16 * i, s->ymm[i] + 16, 16);
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        memset(image + 32 + 16 * i, 0, 16);
        memcpy(image + 32 + 16 * i, s->st[i], 10);
    }
    stle16(image, s->fcw);
    stle16(image + 2, s->fsw);
    image[4] = s->ftag;
    stle32(image + 24, s->mxcsr);
    if (header) {
        header[0] |= t.avx ? 7 : 3;
    }
    uc->uc_mcontext.gregs[REG_RIP] = X86T_CODE;
    uc->uc_mcontext.gregs[REG_EFL] = (greg_t)(0x202 | (s->eflags & ARITH));
    uint64_t cs = run->code == X86_CODE_32 ? CS32 : CS64;
    uc->uc_mcontext.gregs[REG_CSGSFS] = (greg_t)((uint64_t)SS << 48 | cs);
}

static void get_state(ucontext_t *uc, X86tRun *run)
{
    X86tState *s = &run->state;
    uint64_t *header;
    uint8_t *image = fp_image(uc, &header);

    for (unsigned i = 0; i < 16; i++) {
        s->gpr[i] = (uint64_t)uc->uc_mcontext.gregs[greg_of[i]];
        memcpy(s->ymm[i], image + 160 + 16 * i, 16);
        memset(s->ymm[i] + 16, 0, 16);
        if (header && t.avx && header[0] & 4) {
            memcpy(s->ymm[i] + 16, image + t.ymmh_offset + 16 * i, 16);
        }
        if (header && !(header[0] & 2)) {
            memset(s->ymm[i], 0, 16);
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        memcpy(s->st[i], image + 32 + 16 * i, 10);
    }
    s->fcw = ldle16(image);
    s->fsw = ldle16(image + 2);
    s->ftag = image[4];
    s->mxcsr = ldle32(image + 24);
    s->pc = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
    s->eflags = (uint32_t)uc->uc_mcontext.gregs[REG_EFL] & ARITH;
    s->vector = (unsigned)uc->uc_mcontext.gregs[REG_TRAPNO];
    s->fault_addr = s->vector == X86_EXC_PF ? (uint64_t)uc->uc_mcontext.gregs[REG_CR2] : 0;
}

static void die(const char *text)
{
    ssize_t n = write(2, text, strlen(text));
    _exit(n < 0 ? 99 : 98);
}

static void on_signal(int sig, siginfo_t *info, void *opaque)
{
    ucontext_t *uc = opaque;

    if (t.mode == NATIVE_START) {
        t.mode = NATIVE_RUN;
        put_state(uc, t.run);
        return;
    }
    if (t.mode == NATIVE_RUN) {
        get_state(uc, t.run);
        siglongjmp(t.env, 1);
    }
    if (t.mode != EMULATED) {
        die("x86test: a fault of the test program\n");
    }
    HostFrame frame = { 0 };
    for (unsigned i = 0; i < 16; i++) {
        frame.gpr[i] = (uint64_t)uc->uc_mcontext.gregs[greg_of[i]];
        memcpy(frame.vec[i], &uc->uc_mcontext.fpregs->_xmm[i], 16);
        uint64_t *header;
        uint8_t *image = fp_image(uc, &header);
        if (header && t.avx && header[0] & 4) {
            memcpy(frame.vec[i] + 16, image + t.ymmh_offset + 16 * i, 16);
        }
    }
    frame.fp_control = uc->uc_mcontext.fpregs->mxcsr;
    frame.fxsave = uc->uc_mcontext.fpregs;
    uint64_t addr = (uint64_t)(uintptr_t)info->si_addr;
    if (sig == SIGSEGV && tcg_unprotect(addr)) {
        if (tcg_restart_after_unprotect(t.vcpu, addr, (uintptr_t)uc->uc_mcontext.gregs[REG_RIP], &frame)) {
            vcpu_loop_exit(t.vcpu, VCPU_EXIT_NONE);
        }
        return;
    }
    if (!tcg_handle_fault(t.vcpu, (uintptr_t)uc->uc_mcontext.gregs[REG_RIP], &frame)) {
        char text[160];
        snprintf(text, sizeof(text), "x86test: host fault %d at %p (address %p)\n", sig, (void *)(uintptr_t)uc->uc_mcontext.gregs[REG_RIP],
                 info->si_addr);
        die(text);
    }
    t.vector = (unsigned)uc->uc_mcontext.gregs[REG_TRAPNO];
    t.fault_addr = t.vector == X86_EXC_PF ? (uint64_t)uc->uc_mcontext.gregs[REG_CR2] : 0;
    siglongjmp(t.env, 1);
}

static int page_prot(vaddr addr)
{
    return addr - X86T_CODE < X86T_CODE_BYTES ? PAGE_READ | PAGE_WRITE | PAGE_EXEC
           : addr - X86T_DATA < X86T_DATA_BYTES ? PAGE_READ | PAGE_WRITE : -1;
}

static bool read_guest(void *to, vaddr addr, size_t size_bytes)
{
    memcpy(to, (const void *)(uintptr_t)addr, size_bytes);
    return true;
}

static void host_protect(vaddr page, size_t size_bytes, bool writable)
{
    mprotect((void *)(uintptr_t)page, size_bytes, PROT_READ | PROT_EXEC | (writable ? PROT_WRITE : 0));
}

static void *area(uint64_t addr, size_t size, int prot)
{
    void *p = mmap((void *)(uintptr_t)addr, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return p;
}

static void flat_state(void)
{
    X86State *s = x86_state(t.vcpu);
    enum { CODE64 = 0xaffb00, CODE32 = 0xcffb00, DATA = 0xcff300 };
    bool code32 = t.run && t.run->code == X86_CODE_32;

    s->cr0 = X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_PG;
    s->cr4 = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_OSXSAVE | X86_CR4_FSGSBASE;
    s->efer = t.vcpu->target->word_bits == 64 ? X86_EFER_LME | X86_EFER_LMA | X86_EFER_SCE | X86_EFER_NXE : 0;
    s->xcr0 = t.avx ? 7 : 3;
    x86_seg_set(t.vcpu, X86_CS, code32 ? CS32 : CS64, 0, UINT32_MAX, code32 ? CODE32 : CODE64);
    x86_seg_set(t.vcpu, X86_SS, SS, 0, UINT32_MAX, DATA);
    x86_seg_set(t.vcpu, X86_DS, SS, 0, UINT32_MAX, DATA);
    x86_seg_set(t.vcpu, X86_ES, SS, 0, UINT32_MAX, DATA);
    x86_seg_set(t.vcpu, X86_FS, 0, 0, UINT32_MAX, DATA);
    x86_seg_set(t.vcpu, X86_GS, 0, 0, UINT32_MAX, DATA);
}

bool x86t_init(const X86tOptions *options)
{
    TcgOptions tcg = { .verify = true, .interpreter = options->interpreter, .one_insn_per_tb = options->one_insn };
    Error *err = NULL;
    unsigned a, b, c, d;

    if (!tcg_init(&tcg, &err)) {
        error_report_free(err);
        return false;
    }
    t.avx = __builtin_cpu_supports("avx");
    t.ymmh_offset = t.avx && __get_cpuid_count(13, 2, &a, &b, &c, &d) ? b : 576;
    area(X86T_CODE, X86T_CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
    area(X86T_DATA - 0x100000, 0x200000 + X86T_DATA_BYTES, PROT_NONE);
    area(X86T_DATA, X86T_DATA_BYTES, PROT_READ | PROT_WRITE);
    tcg_set_user_ops(&(TcgUserOps){ .page_prot = page_prot, .host_protect = host_protect, .read = read_guest });
    t.vcpu = vcpu_new(options->i386 ? &target_i386 : &target_x86_64, false);
    if (!t.vcpu->target->cpu_init(t.vcpu, options->cpu ? options->cpu : "max", &err)) {
        error_report_free(err);
        return false;
    }
    t.vcpu->target->cpu_reset(t.vcpu);
    static uint8_t alt[65536];
    stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
    sigaltstack(&ss, NULL);
    struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGUSR1 };
    for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
        sigaction(signals[i], &sa, NULL);
    }
    /* For 32-bit code; 64-bit code does not look at them. */
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(SS));
    return true;
}

bool x86t_host_has_avx(void) { return t.avx; }
Vcpu *x86t_vcpu(void) { return t.vcpu; }

static void load(const X86tRun *run)
{
    tcg_unprotect_range(X86T_CODE, X86T_CODE + X86T_CODE_BYTES - 1);
    memcpy((void *)(uintptr_t)X86T_CODE, run->bytes, run->n_bytes);
    memset((void *)(uintptr_t)(X86T_CODE + run->n_bytes), 0, X86T_CODE_BYTES - run->n_bytes);
    memcpy((void *)(uintptr_t)X86T_DATA, run->data, X86T_DATA_BYTES);
}

void x86t_native(X86tRun *run)
{
    load(run);
    t.run = run;
    if (!sigsetjmp(t.env, 0)) {
        t.mode = NATIVE_START;
        raise(SIGUSR1);
        abort();
    }
    t.mode = IDLE;
    __asm__ volatile("cld" : : : "cc");
    memcpy(run->data, (const void *)(uintptr_t)X86T_DATA, X86T_DATA_BYTES);
}

static void emulator_put(const X86tState *in)
{
    X86State *s = x86_state(t.vcpu);
    memcpy(s->gpr, in->gpr, sizeof(s->gpr));
    for (unsigned i = 0; i < 16; i++) {
        memcpy(&s->xmm[i], in->ymm[i], 16);
        memcpy(&s->ymmh[i], in->ymm[i] + 16, 16);
    }
    s->ftop = in->fsw >> 11 & 7;
    s->fsw = in->fsw & ~0x3800;
    s->fcw = in->fcw;
    s->fempty = (uint8_t)~in->ftag;
    for (unsigned i = 0; i < 8; i++) {
        memset(&s->fpr[(s->ftop + i) & 7], 0, sizeof(s->fpr[0]));
        memcpy(&s->fpr[(s->ftop + i) & 7], in->st[i], 10);
    }
    x86_mxcsr_set(t.vcpu, in->mxcsr);
    x86_eflags_set(t.vcpu, (in->eflags & ARITH) | X86_IF | 2);
    s->pc = X86T_CODE;
}

static void emulator_get(X86tState *out)
{
    const X86State *s = x86_state(t.vcpu);
    memcpy(out->gpr, s->gpr, sizeof(s->gpr));
    for (unsigned i = 0; i < 16; i++) {
        memcpy(out->ymm[i], &s->xmm[i], 16);
        memcpy(out->ymm[i] + 16, &s->ymmh[i], 16);
    }
    out->fsw = (uint16_t)(s->fsw | s->ftop << 11);
    out->fcw = s->fcw;
    out->ftag = (uint8_t)~s->fempty;
    for (unsigned i = 0; i < 8; i++) {
        memcpy(out->st[i], &s->fpr[(s->ftop + i) & 7], 10);
    }
    out->mxcsr = x86_mxcsr_get(t.vcpu);
    out->eflags = x86_eflags_get(t.vcpu) & ARITH;
    out->pc = s->pc;
    out->vector = t.vector;
    out->fault_addr = t.fault_addr;
}

void x86t_emulated(X86tRun *run)
{
    load(run);
    t.run = run;
    flat_state();
    emulator_put(&run->state);
    t.vector = 0;
    t.fault_addr = 0;
    t.mode = EMULATED;
    if (!sigsetjmp(t.env, 0)) {
        for (;;) {
            VcpuExit reason = tcg_run(t.vcpu);
            if (reason == VCPU_EXIT_EXCEPTION) {
                if (t.vcpu->exception.cause == VCPU_CAUSE_FETCH) {
                    t.vector = X86_EXC_PF;
                    t.fault_addr = t.vcpu->exception.value;
                } else {
                    t.vector = (unsigned)t.vcpu->exception.cause & X86_CAUSE_VECTOR_MASK;
                    if (t.vcpu->exception.cause & X86_CAUSE_SOFT) { /* a trap: behind the instruction */
                        x86_state(t.vcpu)->pc += t.vcpu->exception.value >> 32;
                    }
                }
                break;
            } else if (reason != VCPU_EXIT_NONE && reason != VCPU_EXIT_REQUEST) {
                fprintf(stderr, "x86test: exit %d\n", (int)reason);
                exit(2);
            }
        }
    }
    t.mode = IDLE;
    emulator_get(&run->state);
    memcpy(run->data, (const void *)(uintptr_t)X86T_DATA, X86T_DATA_BYTES);
}

void x86t_initial(X86tState *state)
{
    *state = (X86tState){ .mxcsr = 0x1f80, .fcw = 0x37f };
    state->gpr[X86_RSP] = X86T_DATA + X86T_DATA_BYTES / 2;
}

static void say(char *out, size_t size, const char *what, uint64_t a, uint64_t b)
{
    size_t at = strlen(out);
    if (a != b && at < size) {
        snprintf(out + at, size - at, "    %-10s native %016" PRIx64 " emulated %016" PRIx64 "\n", what, a, b);
    }
}

void x86t_diff(const X86tRun *native, const X86tRun *emulated, const X86tMask *mask, char *out, size_t size)
{
    const X86tState *a = &native->state, *b = &emulated->state;
    char name[32];

    out[0] = '\0';
    for (unsigned i = 0; i < (native->code == X86_CODE_64 ? 16 : 8); i++) {
        snprintf(name, sizeof(name), "gpr[%u]", i);
        say(out, size, name, native->code == X86_CODE_64 ? a->gpr[i] : (uint32_t)a->gpr[i],
            native->code == X86_CODE_64 ? b->gpr[i] : (uint32_t)b->gpr[i]);
    }
    say(out, size, "pc", a->pc, b->pc);
    say(out, size, "eflags", a->eflags & mask->eflags, b->eflags & mask->eflags);
    say(out, size, "vector", a->vector, b->vector);
    say(out, size, "address", a->fault_addr, b->fault_addr);
    say(out, size, "mxcsr", a->mxcsr & mask->mxcsr, b->mxcsr & mask->mxcsr);
    for (unsigned i = 0; i < (native->code == X86_CODE_64 ? 16 : 8); i++) {
        for (unsigned k = 0; k < (t.avx ? 4 : 2); k++) {
            snprintf(name, sizeof(name), "ymm%u.q[%u]", i, k);
            say(out, size, name, ldle64(a->ymm[i] + 8 * k), ldle64(b->ymm[i] + 8 * k));
        }
    }
    for (unsigned i = 0; i < 8 && mask->x87; i++) {
        snprintf(name, sizeof(name), "st%u.low", i);
        say(out, size, name, ldle64(a->st[i]), ldle64(b->st[i]));
        snprintf(name, sizeof(name), "st%u.high", i);
        say(out, size, name, ldle16(a->st[i] + 8), ldle16(b->st[i] + 8));
    }
    if (mask->x87) {
        say(out, size, "fcw", a->fcw, b->fcw);
        say(out, size, "fsw", a->fsw & mask->fsw, b->fsw & mask->fsw);
        say(out, size, "ftag", a->ftag, b->ftag);
    }
    if (memcmp(native->data, emulated->data, X86T_DATA_BYTES)) {
        for (unsigned i = 0, n = 0; i < X86T_DATA_BYTES && n < 8; i++) {
            if (native->data[i] != emulated->data[i]) {
                snprintf(name, sizeof(name), "[%08x]", X86T_DATA + i);
                say(out, size, name, native->data[i], emulated->data[i]);
                n++;
            }
        }
    }
}
