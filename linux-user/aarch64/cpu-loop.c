/*
 * cpu-loop.c: runs AArch64 user code: system calls, and exceptions turned into the signals Linux sends.
 *
 * Facts: Linux's documented and observed signals and codes; Arm ARM DDI 0487, C4.1.96 (addressing).
 */
#include "gdbstub/gdbstub.h"
#include "linux-user/aarch64/abi.h"

static uint64_t xsp(const ArmState *s, unsigned n) { return n == 31 ? s->sp : s->x[n]; }

/* The data address of the load or store at pc; used when the host could not name it (non-canonical). */
vaddr aarch64_user_fault_addr(Thread *t)
{
    const ArmState *s = arm_state(t->vcpu);
    uint32_t insn;

    if (!load_guest_u32(s->pc, &insn) || (insn & 0x0a000000) != 0x08000000) {
        return s->pc;
    }
    uint64_t base = xsp(s, bits_get(insn, 5, 5));
    bool simd = insn >> 26 & 1;
    if ((insn & 0x3a000000) == 0x28000000) { /* pairs: post-index is 1 in 24:23 */
        unsigned log2 = simd ? 2 + bits_get(insn, 30, 2) : insn >> 31 ? 3 : 2;
        return base + (bits_get(insn, 23, 2) == 1 ? 0 : (uint64_t)bits_sext(bits_get(insn, 15, 7), 7) << log2);
    }
    if ((insn & 0x3a000000) != 0x38000000) {
        return base; /* exclusive, ordered, structures */
    }
    unsigned log2 = bits_get(insn, 30, 2) | (simd && (insn >> 23 & 1) ? 4 : 0);
    if (insn >> 24 & 1) {
        return base + ((uint64_t)bits_get(insn, 10, 12) << log2);
    }
    if (!(insn >> 21 & 1)) { /* bits 11:10 are 1 for post-index */
        return base + (bits_get(insn, 10, 2) == 1 ? 0 : (uint64_t)bits_sext(bits_get(insn, 12, 9), 9));
    }
    if (bits_get(insn, 10, 2) != 2) {
        return base; /* atomic */
    }
    unsigned m = bits_get(insn, 16, 5);
    uint64_t index = m == 31 ? 0 : s->x[m];
    switch (bits_get(insn, 13, 3)) {
    case 2: index = (uint32_t)index; break;
    case 6: index = (uint64_t)(int32_t)index; break;
    }
    return base + (index << (insn >> 12 & 1 ? log2 : 0));
}

static void raise_exception(Thread *t)
{
    const ArmState *s = arm_state(t->vcpu);
    vaddr pc = s->pc, value = t->vcpu->exception.value;

    switch (t->vcpu->exception.cause) {
    case ARM_EC_UNKNOWN:
        signal_raise_sync(t, SIGILL, ILL_ILLOPC, pc);
        break;
    case ARM_EC_PC_ALIGN:
    case ARM_EC_DABT: /* here only for alignment */
        signal_raise_sync(t, SIGBUS, BUS_ADRALN, value);
        break;
    case ARM_EC_FPAC:
        signal_raise_sync(t, SIGILL, ILL_ILLOPN, pc);
        break;
    case VCPU_CAUSE_FETCH:
        if (value & 3) {
            signal_raise_sync(t, SIGBUS, BUS_ADRALN, value);
        } else {
            signal_raise_sync(t, SIGSEGV, mm_page_prot(value) < 0 ? SEGV_MAPERR : SEGV_ACCERR, value);
        }
        break;
    default:
        log_printf("unexpected exception %d at " VADDR_FMT "\n", t->vcpu->exception.cause, pc);
        signal_raise_sync(t, SIGILL, ILL_ILLOPC, pc);
    }
}

void aarch64_user_cpu_loop(Thread *t)
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
        case VCPU_EXIT_SYSCALL: {
            if (unlikely(atomic_load_explicit(&t->pending, memory_order_relaxed))) {
                break; /* the signal comes first; the instruction is run again after its handler */
            }
            uint64_t args[6], nr = (uint32_t)s->x[AARCH64_NR]; /* Linux looks at the low half */
            memcpy(args, s->x, sizeof(args));
            vaddr pc = s->pc;
            s->pc = pc + 4;
            bool debugged = unlikely(gdb_user_active());
            if (debugged) {
                gdb_user_syscall_begins(vcpu, nr);
            }
            int64_t r = syscall_dispatch(t, nr, args);
            if (unlikely(t->exiting)) {
                return;
            }
            if (debugged) {
                gdb_user_syscall_done(vcpu);
            }
            if (unlikely(r == -USER_ERESTARTNOINTR || (r == -USER_ERESTARTSYS && signal_wants_restart(t)))) {
                s->pc = pc;
            } else if (likely(r != -USER_ESIGRETURN)) {
                s->x[0] = (uint64_t)(r == -USER_ERESTARTSYS ? -EINTR : r);
            }
            if (debugged && s->pc != pc) {
                gdb_user_syscall_ended(vcpu, nr);
            }
            break;
        }
        case VCPU_EXIT_BREAKPOINT: /* the program's own */
            signal_raise_sync(t, SIGTRAP, TRAP_BRKPT, s->pc);
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
