/*
 * cpu-loop.c: runs RISC-V user code: system calls, and exceptions turned into the signals Linux sends.
 *
 * Facts: linux arch/riscv/kernel/traps.c's documented behaviour (si_code values), Privileged 3.1.15 (causes).
 */
#include "gdbstub/gdbstub.h"
#include "linux-user/riscv/abi.h"

/* The data address of the load or store at pc; used when the host could not name it (non-canonical). */
vaddr riscv_user_fault_addr(Thread *t)
{
    const RiscvState *s = riscv_state(t->vcpu);
    uint8_t raw[4] = { 0 };
    if (!copy_from_guest(raw, s->pc, 2)) {
        return s->pc;
    }
    uint32_t insn = ldle16(raw);
    if ((insn & 3) == 3) {
        if (!copy_from_guest(raw, s->pc, 4)) {
            return s->pc;
        }
        insn = ldle32(raw);
        uint64_t base = s->x[bits_get(insn, 15, 5)];
        switch (insn & 0x7f) {
        case 0x03: /* LOAD */
            return base + (uint64_t)bits_sext(insn >> 20, 12);
        case 0x07: /* LOAD-FP: widths 1..4 are scalar, the others vector with no displacement */
            return bits_get(insn, 12, 3) >= 1 && bits_get(insn, 12, 3) <= 4
                   ? base + (uint64_t)bits_sext(insn >> 20, 12) : base;
        case 0x27:
            if (bits_get(insn, 12, 3) < 1 || bits_get(insn, 12, 3) > 4) {
                return base;
            }
            /* fall through */
        case 0x23: /* STORE */
            return base + (uint64_t)bits_sext(bits_get(insn, 25, 7) << 5 | bits_get(insn, 7, 5), 12);
        default: /* AMO and cache-block operations */
            return base;
        }
    }
    uint64_t rs1c = s->x[8 + bits_get(insn, 7, 3)], sp = s->x[RISCV_SP];
    uint64_t w = bits_get(insn, 10, 3) << 3 | bits_get(insn, 6, 1) << 2 | bits_get(insn, 5, 1) << 6;
    uint64_t d = bits_get(insn, 10, 3) << 3 | bits_get(insn, 5, 2) << 6;
    bool rv32 = t->abi->word_bytes == 4;
    switch ((insn & 3) << 3 | insn >> 13) {
    case 002: case 006: /* c.lw, c.sw */
        return rs1c + w;
    case 003: case 007: /* c.ld, c.sd; RV32: c.flw, c.fsw */
        return rs1c + (rv32 ? w : d);
    case 001: case 005: /* c.fld, c.fsd */
        return rs1c + d;
    case 022: /* c.lwsp */
        return sp + (bits_get(insn, 12, 1) << 5 | bits_get(insn, 4, 3) << 2 | bits_get(insn, 2, 2) << 6);
    case 021: case 023: /* c.fldsp, c.ldsp */
        return sp + (bits_get(insn, 12, 1) << 5 | bits_get(insn, 5, 2) << 3 | bits_get(insn, 2, 3) << 6);
    case 026: /* c.swsp */
        return sp + (bits_get(insn, 9, 4) << 2 | bits_get(insn, 7, 2) << 6);
    case 025: case 027: /* c.fsdsp, c.sdsp */
        return sp + (bits_get(insn, 10, 3) << 3 | bits_get(insn, 7, 3) << 6);
    default:
        return s->pc;
    }
}

static void raise_exception(Thread *t)
{
    const RiscvState *s = riscv_state(t->vcpu);
    vaddr pc = s->pc, value = riscv_word(t->abi, t->vcpu->exception.value);
    switch (t->vcpu->exception.cause) {
    case RISCV_EXC_FETCH_MISALIGNED:
        signal_raise_sync(t, SIGBUS, BUS_ADRALN, value);
        break;
    case RISCV_EXC_LOAD_MISALIGNED:
    case RISCV_EXC_STORE_MISALIGNED:
        signal_raise_sync(t, SIGBUS, BUS_ADRALN, value);
        break;
    case RISCV_EXC_ILLEGAL:
        signal_raise_sync(t, SIGILL, ILL_ILLOPC, pc);
        break;
    case RISCV_EXC_BREAKPOINT:
        signal_raise_sync(t, SIGTRAP, TRAP_BRKPT, pc);
        break;
    case VCPU_CAUSE_FETCH:
    case RISCV_EXC_FETCH_ACCESS:
    case RISCV_EXC_FETCH_PAGE:
    case RISCV_EXC_LOAD_ACCESS:
    case RISCV_EXC_LOAD_PAGE:
    case RISCV_EXC_STORE_ACCESS:
    case RISCV_EXC_STORE_PAGE:
        signal_raise_sync(t, SIGSEGV, mm_page_prot(value) < 0 ? SEGV_MAPERR : SEGV_ACCERR, value);
        break;
    default:
        log_printf("unexpected exception %d at " VADDR_FMT "\n", t->vcpu->exception.cause, pc);
        signal_raise_sync(t, SIGILL, ILL_ILLTRP, pc);
    }
}

void riscv_user_cpu_loop(Thread *t)
{
    Vcpu *vcpu = t->vcpu;
    RiscvState *s = riscv_state(vcpu);
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
            uint64_t args[6], nr = riscv_word(t->abi, s->x[RISCV_A7]);
            for (unsigned i = 0; i < 6; i++) {
                args[i] = riscv_word(t->abi, s->x[RISCV_A0 + i]);
            }
            vaddr pc = s->pc;
            s->pc = riscv_word(t->abi, pc + 4);
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
                s->x[RISCV_A0] = riscv_word(t->abi, (uint64_t)(r == -USER_ERESTARTSYS ? -EINTR : r));
            }
            if (debugged && s->pc != pc) {
                gdb_user_syscall_ended(vcpu, nr);
            }
            break;
        }
        case VCPU_EXIT_BREAKPOINT: { /* the program's own */
            uint8_t code[12];
            if (!copy_from_guest(code, s->pc - 4, sizeof(code)) || !riscv_semihosting_call(vcpu, code)) {
                signal_raise_sync(t, SIGTRAP, TRAP_BRKPT, s->pc);
            }
            break;
        }
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
