/*
 * cpu-loop.c: runs x86 user code: system calls, and exceptions turned into the signals Linux sends.
 *
 * Facts: the signals and codes that Linux documents and delivers for each vector (checked on a host), SDM volume 3 chapter 6.
 */
#include "gdbstub/gdbstub.h"
#include "linux-user/x86/abi.h"

static int fp_code(unsigned flags)
{
    return flags & 1 ? FPE_FLTINV : flags & 4 ? FPE_FLTDIV : flags & 8 ? FPE_FLTOVF : flags & 0x12 ? FPE_FLTUND : flags & 0x20 ? FPE_FLTRES : 0;
}

static bool vsyscall(Thread *t, vaddr pc)
{
    static const uint16_t numbers[] = { 96 /* gettimeofday */, 201 /* time */, 309 /* getcpu */ };
    X86State *s = x86_state(t->vcpu);
    uint64_t ret;

    if (pc < X86_VSYSCALL_PAGE || (pc & 0x3ff) || (pc - X86_VSYSCALL_PAGE) >> 10 >= ARRAY_SIZE(numbers)) {
        return false;
    }
    if (!load_guest_u64(s->gpr[X86_RSP], &ret)) {
        return false;
    }
    const uint64_t args[6] = { s->gpr[X86_RDI], s->gpr[X86_RSI], s->gpr[X86_RDX] };
    s->gpr[X86_RAX] = (uint64_t)syscall_dispatch(t, numbers[(pc - X86_VSYSCALL_PAGE) >> 10], args);
    s->gpr[X86_RSP] += 8;
    s->pc = ret;
    return true;
}

/* nr and result in rax; rcx and r11 as the instruction leaves them. i386: the six registers of int $0x80. */
static bool do_syscall(Thread *t)
{
    Vcpu *vcpu = t->vcpu;
    X86State *s = x86_state(vcpu);
    uint64_t *g = s->gpr;
    bool is64 = t->abi->word_bytes == 8;
    uint64_t nr = (uint32_t)g[X86_RAX], args[6]; /* Linux looks at the low half */
    vaddr pc = s->pc;
    bool debugged = unlikely(gdb_user_active());

    if (is64) {
        const uint64_t regs[6] = { g[X86_RDI], g[X86_RSI], g[X86_RDX], g[10], g[8], g[9] };
        memcpy(args, regs, sizeof(args));
        g[X86_RCX] = pc + 2;
        g[11] = x86_eflags_get(vcpu);
    } else {
        const uint64_t regs[6] = { (uint32_t)g[X86_RBX], (uint32_t)g[X86_RCX], (uint32_t)g[X86_RDX], (uint32_t)g[X86_RSI],
                                   (uint32_t)g[X86_RDI], (uint32_t)g[X86_RBP] };
        memcpy(args, regs, sizeof(args));
    }
    s->pc = pc + 2;
    if (debugged) {
        gdb_user_syscall_begins(vcpu, nr);
    }
    int64_t r = syscall_dispatch(t, nr, args);
    if (unlikely(t->exiting)) {
        return false;
    }
    if (debugged) {
        gdb_user_syscall_done(vcpu);
    }
    if (unlikely(r == -USER_ERESTARTNOINTR || (r == -USER_ERESTARTSYS && signal_wants_restart(t)))) {
        s->pc = pc;
    } else if (likely(r != -USER_ESIGRETURN)) {
        r = r == -USER_ERESTARTSYS ? -EINTR : r;
        g[X86_RAX] = is64 ? (uint64_t)r : (uint32_t)r;
    }
    if (debugged && s->pc != pc) {
        gdb_user_syscall_ended(vcpu, nr);
    }
    return true;
}

/* INT 80h in a 64-bit program: a system call of i386, which knows the low halves of registers. */
static void do_syscall_i386(Thread *t, unsigned length)
{
    X86State *s = x86_state(t->vcpu);
    const uint64_t *g = s->gpr;
    const uint64_t args[6] = { (uint32_t)g[X86_RBX], (uint32_t)g[X86_RCX], (uint32_t)g[X86_RDX], (uint32_t)g[X86_RSI], (uint32_t)g[X86_RDI],
                               (uint32_t)g[X86_RBP] };
    const Abi *own = t->abi;
    uint32_t nr = (uint32_t)g[X86_RAX];
    vaddr pc = s->pc;
    int64_t r = -ENOSYS;

    s->pc = pc + length;
    /* DEVIATION: new threads and frames of the other kind are not made this way. */
    if (nr == I386_NR_CLONE || nr == I386_NR_VFORK || nr == I386_NR_SIGRETURN || nr == I386_NR_RT_SIGRETURN) {
        log_unimp("int $0x80 of a 64-bit program: system call %u\n", nr);
    } else {
        t->abi = &abi_i386;
        r = syscall_dispatch(t, nr, args);
        t->abi = own;
    }
    if (unlikely(t->exiting)) {
        return;
    }
    if (r == -USER_ERESTARTNOINTR || (r == -USER_ERESTARTSYS && signal_wants_restart(t))) {
        s->pc = pc;
    } else {
        s->gpr[X86_RAX] = (uint64_t)(r == -USER_ERESTARTSYS ? -EINTR : r);
    }
}

static void raise_exception(Thread *t)
{
    Vcpu *vcpu = t->vcpu;
    X86State *s = x86_state(vcpu);
    vaddr pc = s->pc, value = vcpu->exception.value;
    int32_t cause = vcpu->exception.cause;

    if (cause == VCPU_CAUSE_FETCH) {
        if (!vsyscall(t, value)) {
            signal_raise_sync(t, SIGSEGV, mm_page_prot(value) < 0 ? SEGV_MAPERR : SEGV_ACCERR, value);
        }
        return;
    }
    unsigned vector = (unsigned)cause & X86_CAUSE_VECTOR_MASK;
    if (s->eflags & X86_TF) { /* an instruction that faults, or goes through a gate, is not stepped over */
        s->db_pending = 0;
        x86_debug_update(vcpu);
    }
    if ((cause & X86_CAUSE_SOFT) && vector == 0x80) {
        if (unlikely(atomic_load_explicit(&t->pending, memory_order_relaxed))) {
            return;
        }
        if (t->abi->word_bytes == 4) {
            do_syscall(t); /* the loop sees it when the thread has ended */
        } else {
            do_syscall_i386(t, (unsigned)(value >> 32));
        }
        return;
    }
    bool icebp = (cause & X86_CAUSE_SOFT) && vector == X86_EXC_DB && (value >> 32 & X86_SOFT_ICEBP);
    uint32_t code = (uint32_t)value & 0xffff;
    if (cause & X86_CAUSE_SOFT) {
        if (vector == X86_EXC_BP || vector == X86_EXC_OF || icebp) {
            s->pc = pc = pc + (value >> 32 & 15);
        } else {
            code = vector * 8 + 2;
            vector = X86_EXC_GP; /* gates that user mode may not use */
        }
    }
    switch (vector) {
    case X86_EXC_DE:
        signal_raise_sync(t, SIGFPE, FPE_INTDIV, pc);
        break;
    case X86_EXC_DB:
        signal_raise_sync(t, SIGTRAP, !icebp && (value & BIT(14)) ? TRAP_TRACE : TRAP_BRKPT, pc); /* DR6.BS */
        break;
    case X86_EXC_BP:
        signal_raise_sync(t, SIGTRAP, SI_KERNEL, 0);
        break;
    case X86_EXC_UD:
        signal_raise_sync(t, SIGILL, ILL_ILLOPN, pc);
        break;
    case X86_EXC_NP:
    case X86_EXC_SS:
        signal_raise_sync(t, SIGBUS, SI_KERNEL, 0);
        t->sync_fault = x86_user_fault(vector, code);
        break;
    case X86_EXC_PF:
        signal_raise_sync(t, SIGSEGV, mm_page_prot(s->cr2) < 0 ? SEGV_MAPERR : SEGV_ACCERR, s->cr2);
        t->sync_write = value & 2;
        break;
    case X86_EXC_MF:
        signal_raise_sync(t, SIGFPE, fp_code(s->fsw & ~s->fcw & 0x3fu), pc);
        break;
    case X86_EXC_XM: {
        uint32_t mxcsr = x86_mxcsr_get(vcpu);
        signal_raise_sync(t, SIGFPE, fp_code(mxcsr & ~(mxcsr >> 7) & 0x3f), pc);
        break;
    }
    case X86_EXC_AC:
        signal_raise_sync(t, SIGBUS, BUS_ADRALN, 0);
        break;
    default: /* GP, TS, OF, BR */
        signal_raise_sync(t, SIGSEGV, SI_KERNEL, 0);
        t->sync_fault = x86_user_fault(vector, vector == X86_EXC_GP || vector == X86_EXC_TS ? code : 0);
    }
}

void x86_user_cpu_loop(Thread *t)
{
    Vcpu *vcpu = t->vcpu;

    for (;;) {
        VcpuExit reason = tcg_run(vcpu);
        switch (reason) {
        case VCPU_EXIT_NONE:
        case VCPU_EXIT_FLUSH:
        case VCPU_EXIT_HALTED:
            break;
        case VCPU_EXIT_REQUEST:
            x86_debug_update(vcpu); /* POPF of TF */
            if (gdb_user_active()) {
                gdb_user_check(vcpu);
            }
            break;
        case VCPU_EXIT_SYSCALL:
            /* A signal that waits comes first; the instruction is run again after its handler. */
            if (likely(!atomic_load_explicit(&t->pending, memory_order_relaxed)) && !do_syscall(t)) {
                return;
            }
            break;
        case VCPU_EXIT_BREAKPOINT: /* the program's own */
            signal_raise_sync(t, SIGTRAP, SI_KERNEL, 0);
            break;
        case VCPU_EXIT_DEBUG:
            gdb_user_debug(vcpu);
            break;
        case VCPU_EXIT_EXCEPTION:
            raise_exception(t);
            if (unlikely(t->exiting)) {
                return;
            }
            break;
        default:
            error_exit("unexpected exit %d from translated code at " VADDR_FMT, (int)reason, x86_state(vcpu)->pc);
        }
        if (unlikely(atomic_load_explicit(&t->pending, memory_order_acquire))) {
            signal_deliver(t);
        }
    }
}
