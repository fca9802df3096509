/*
 * cpu-loop.c: runs A32 and T32 user code: system calls, and exceptions turned into the signals Linux sends.
 *
 * Facts: linux uapi asm/unistd.h (Arm's own calls), asm/ptrace.h; the breakpoint encodings debuggers use.
 */
#include "gdbstub/gdbstub.h"
#include "linux-user/arm/abi.h"

enum { NR_BREAKPOINT = 0xf0001, NR_CACHEFLUSH, NR_USR26, NR_USR32, NR_SET_TLS, NR_GET_TLS };

/* Arm's own calls. False: not one of them. */
static bool private_call(Thread *t, uint32_t nr, const uint64_t *a, int64_t *ret)
{
    ArmState *s = arm_state(t->vcpu);

    switch (nr) {
    case NR_BREAKPOINT:
        signal_raise_sync(t, SIGTRAP, TRAP_BRKPT, s->pc & ~(uint64_t)1);
        *ret = 0;
        return true;
    case NR_CACHEFLUSH:
        if (a[2] || a[0] > a[1]) {
            *ret = -EINVAL;
        } else {
            tcg_icache_sync(t->vcpu);
            *ret = 0;
        }
        return true;
    case NR_SET_TLS:
        s->tpidrro_el0 = a[0];
        *ret = 0;
        return true;
    case NR_GET_TLS:
        *ret = (int64_t)s->tpidrro_el0;
        return true;
    case NR_USR26:
    case NR_USR32:
        *ret = -ENOSYS;
        return true;
    default:
        return false;
    }
}

/* Instructions at pc, of 16 or 32 bits. */
static bool load_code(const Thread *t, vaddr pc, unsigned bytes, uint32_t *ret)
{
    uint8_t raw[4] = { 0 };
    bool be = arm_state(t->vcpu)->code_be;

    if (!copy_from_guest(raw, pc, bytes)) {
        return false;
    }
    *ret = bytes == 2 ? (be ? ldbe16(raw) : ldle16(raw)) : be ? ldbe32(raw) : ldle32(raw);
    return true;
}

/* False: the thread ends. */
static bool do_syscall(Thread *t)
{
    Vcpu *vcpu = t->vcpu;
    ArmState *s = arm_state(vcpu);
    uint64_t args[6];
    uint32_t nr = (uint32_t)s->x[ARM_NR], insn;
    vaddr pc = s->pc;
    bool thumb = pc & 1, debugged = unlikely(gdb_user_active());
    int64_t r;

    for (unsigned i = 0; i < 6; i++) {
        args[i] = (uint32_t)s->x[i];
    }
    s->pc = pc + (thumb ? 2 : 4);
    /* SVC with a number in it is the old ABI's, which has breakpoints and cache flushes only here. */
    if (!thumb && load_code(t, pc, 4, &insn) && (insn & 0xffffff)) {
        nr = (insn & 0xffffff) == 0x9f0001 ? NR_BREAKPOINT : (insn & 0xffffff) == 0x9f0002 ? NR_CACHEFLUSH : UINT32_MAX;
    }
    if (debugged) {
        gdb_user_syscall_begins(vcpu, nr);
    }
    if (!private_call(t, nr, args, &r)) {
        r = syscall_dispatch(t, nr, args);
    }
    if (unlikely(t->exiting)) {
        return false;
    }
    if (debugged) {
        gdb_user_syscall_done(vcpu);
    }
    if (unlikely(r == -USER_ERESTARTNOINTR || (r == -USER_ERESTARTSYS && signal_wants_restart(t)))) {
        s->pc = pc;
    } else if (likely(r != -USER_ESIGRETURN)) {
        s->x[0] = (uint32_t)(r == -USER_ERESTARTSYS ? -EINTR : r);
    }
    if (debugged && s->pc != pc) {
        gdb_user_syscall_ended(vcpu, nr);
    }
    return true;
}

/* The undefined instructions that stand for breakpoints. */
static bool is_breakpoint(const Thread *t, vaddr pc)
{
    uint32_t insn = 0;

    if (pc & 1) {
        return load_code(t, pc & ~(vaddr)1, 2, &insn) &&
               (insn == 0xde01 || (insn == 0xf7f0 && load_code(t, pc + 1, 2, &insn) && insn == 0xa000));
    }
    return load_code(t, pc, 4, &insn) && (insn & 0x0fffffff) == 0x07f001f0;
}

static void raise_exception(Thread *t)
{
    const ArmState *s = arm_state(t->vcpu);
    vaddr pc = s->pc & ~(uint64_t)1, value = (uint32_t)t->vcpu->exception.value;

    switch (t->vcpu->exception.cause) {
    case ARM_CAUSE_SEMIHOST:
        arm_semihosting_call(t->vcpu, true);
        break;
    case ARM_EC_UNKNOWN:
        if (is_breakpoint(t, s->pc)) {
            signal_raise_sync(t, SIGTRAP, TRAP_BRKPT, pc);
        } else {
            signal_raise_sync(t, SIGILL, ILL_ILLOPC, pc);
        }
        break;
    case ARM_EC_DABT: /* here only for alignment */
        signal_raise_sync(t, SIGBUS, BUS_ADRALN, value);
        break;
    case VCPU_CAUSE_FETCH:
        signal_raise_sync(t, SIGSEGV, mm_page_prot(value) < 0 ? SEGV_MAPERR : SEGV_ACCERR, value);
        break;
    default:
        log_printf("unexpected exception %d at " VADDR_FMT "\n", t->vcpu->exception.cause, pc);
        signal_raise_sync(t, SIGILL, ILL_ILLOPC, pc);
    }
}

void arm_user_cpu_loop(Thread *t)
{
    Vcpu *vcpu = t->vcpu;
    ArmState *s = arm_state(vcpu);

    for (;;) {
        VcpuExit reason = tcg_run(vcpu);
        switch (reason) {
        case VCPU_EXIT_NONE:
        case VCPU_EXIT_FLUSH:
        case VCPU_EXIT_HALTED:
            break;
        case VCPU_EXIT_REQUEST:
            if (gdb_user_active()) {
                gdb_user_check(vcpu);
            }
            break;
        case VCPU_EXIT_SYSCALL:
            if (unlikely(atomic_load_explicit(&t->pending, memory_order_relaxed))) {
                break; /* the signal comes first; the instruction is run again after its handler */
            }
            s->itstate = (uint8_t)arm_it_advance(s->itstate);
            if (!do_syscall(t)) {
                return;
            }
            break;
        case VCPU_EXIT_BREAKPOINT: /* the program's own */
            signal_raise_sync(t, SIGTRAP, TRAP_BRKPT, s->pc & ~(uint64_t)1);
            break;
        case VCPU_EXIT_DEBUG:
            gdb_user_debug(vcpu);
            break;
        case VCPU_EXIT_EXCEPTION:
            raise_exception(t);
            break;
        default:
            error_exit("unexpected exit %d from translated code at " VADDR_FMT, (int)reason, s->pc);
        }
        if (unlikely(atomic_load_explicit(&t->pending, memory_order_acquire))) {
            signal_deliver(t);
        }
    }
}
