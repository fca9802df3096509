/*
 * cpu-loop.c: runs AArch64 user code: system calls, and exceptions turned into the signals Linux sends.
 *
 * Facts: Linux's documented and observed signals and codes.
 */
#include "gdbstub/gdbstub.h"
#include "linux-user/aarch64/abi.h"
#include "target/arm/mmu.h"

static void first_touch(void *opaque, vaddr addr, uint64_t size_bytes, bool read, bool write)
{
    *(vaddr *)opaque = addr;
}

/* The data address of the load or store at pc; used when the host could not name it (non-canonical). */
vaddr aarch64_user_fault_addr(Thread *t)
{
    vaddr pc = arm_pc(t->vcpu), addr = pc;
    uint8_t insn[4];

    if (copy_from_guest(insn, pc, sizeof(insn))) {
        arm_mem_access(t->vcpu, insn, sizeof(insn), first_touch, &addr);
    }
    return addr;
}

/*
 * Addresses whose top byte is a tag (TCR_EL1.TBI0, which Linux always sets). Code is translated for addresses without tags and
 * uses them as they are; one with a tag is not canonical on the host, so no access with a tag passes unnoticed. The first faults, and the
 * thread goes on with code that takes tags off (ARM_MODE_TBI), which begins with the same instruction. What is not tagged
 * costs nothing, what is costs two shifts; helpers always take tags off. Masking every address of every program would cost
 * all of them what a few need, and repairing single accesses would cost a signal each. A store-exclusive fails without an access
 * if its address is not the load's, tag included, which the architecture allows (B2.9.5).
 */
bool aarch64_user_other_addresses(Thread *t)
{
    ArmState *s = arm_state(t->vcpu);
    bool first = !s->tagged_data;

    s->tagged_data = true;
    return first;
}

static void raise_exception(Thread *t)
{
    ArmState *s = arm_state(t->vcpu);
    vaddr pc = arm_pc(t->vcpu), value = t->vcpu->exception.value;

    switch (t->vcpu->exception.cause) {
    case ARM_CAUSE_SEMIHOST:
        arm_semihosting_call(t->vcpu, false);
        break;
    case ARM_EC_UNKNOWN:
        signal_raise_sync(t, SIGILL, ILL_ILLOPC, pc);
        break;
    case ARM_EC_BTI:
        signal_raise_sync(t, SIGILL, ILL_ILLOPC, pc);
        break;
    case ARM_EC_PC_ALIGN:
    case ARM_EC_DABT: /* here only for alignment and tags */
        if ((s->fault.iss & 0x3f) == ARM_FSC_TAG) {
            /* Bits 63 to 60 of FAR_EL1 are unknown then: the kernel clears them. */
            signal_raise_sync(t, SIGSEGV, AARCH64_SEGV_MTESERR, value & ~((uint64_t)0xf << 60));
            t->sync_write = s->fault.iss >> 6 & 1;
        } else {
            signal_raise_sync(t, SIGBUS, BUS_ADRALN, value);
        }
        break;
    case ARM_EC_FPAC:
        signal_raise_sync(t, SIGILL, ILL_ILLOPN, pc);
        break;
    case ARM_EC_SP_ALIGN:
        signal_raise_sync(t, SIGBUS, BUS_ADRALN, s->sp);
        break;
    case VCPU_CAUSE_FETCH:
        if (pc & ~AARCH64_ADDR_MASK && !(pc & BIT(55))) { /* a branch leaves the tag behind (AArch64.BranchAddr) */
            s->pc &= AARCH64_ADDR_MASK;
        } else if (pc & 3) {
            signal_raise_sync(t, SIGBUS, BUS_ADRALN, pc);
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
        if (unlikely(s->tfsre0_el1) && !t->sync_valid && !(t->sigmask & ((uint64_t)1 << (SIGSEGV - 1)))) {
            s->tfsre0_el1 = 0;
            signal_raise_sync(t, SIGSEGV, AARCH64_SEGV_MTEAERR, 0);
        }
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
