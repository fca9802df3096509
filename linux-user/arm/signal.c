/*
 * signal.c: signal frames of 32-bit Arm (linux uapi asm/sigcontext.h, asm/ucontext.h).
 *
 * { ucontext, two words of code }, with SA_SIGINFO { siginfo[128], ucontext, code }. ucontext: flags, link, stack, sigcontext (trap
 * number, error code, mask, r0 to r15, cpsr, fault address), a signal set of 8 bytes in a field of 128, and 512 bytes for records { magic,
 * size, … } aligned to 8: here the VFP's, then one of zeros.
 */
#include "linux-user/arm/abi.h"
#include "target/arm/system.h"

enum {
    INFO_BYTES = 128, UC_STACK = 8, UC_SC = 20, SC_TRAP = UC_SC, SC_ERROR = UC_SC + 4, SC_MASK = UC_SC + 8, SC_REGS = UC_SC + 12,
    SC_CPSR = SC_REGS + 64, SC_FAULT = SC_CPSR + 4, UC_MASK = 104, UC_RECORDS = 232, RECORDS_BYTES = 512, UC_BYTES = UC_RECORDS + RECORDS_BYTES,
    CODE_BYTES = 16, FRAME_BYTES = INFO_BYTES + UC_BYTES + CODE_BYTES,
    VFP_MAGIC = 0x56465001, VFP_BYTES = 288, UC_ENABLE_VFP = 5, FPEXC_EN = 1 << 30,
    TRAP_PAGE_FAULT = 14, TRAP_UNDEFINED = 6,
};

static void put_context(Thread *t, uint8_t *uc, int sig, const siginfo_t *info)
{
    const ArmState *s = arm_state(t->vcpu);
    uint64_t mask = t->restore_sigmask ? t->saved_sigmask : t->sigmask;
    bool fault = info->si_code > 0 && (sig == SIGSEGV || sig == SIGBUS);
    uint32_t sp = (uint32_t)s->x[ARM_SP];

    put32(uc + UC_STACK, (uint32_t)t->altstack_sp);
    put32(uc + UC_STACK + 4, !t->altstack_bytes ? SS_DISABLE : (signal_on_altstack(t, sp) ? SS_ONSTACK : 0) | t->altstack_flags);
    put32(uc + UC_STACK + 8, (uint32_t)t->altstack_bytes);
    put32(uc + SC_TRAP, fault ? TRAP_PAGE_FAULT : sig == SIGILL ? TRAP_UNDEFINED : 0);
    /* The fault status register: translation or permission, bit 11 for a write. */
    put32(uc + SC_ERROR, fault ? (t->sync_write ? 0x800u : 0) | (info->si_code == SEGV_ACCERR ? 0xf : 7) : 0);
    put32(uc + SC_MASK, (uint32_t)mask);
    for (unsigned i = 0; i < 15; i++) {
        put32(uc + SC_REGS + 4 * i, (uint32_t)s->x[i]);
    }
    put32(uc + SC_REGS + 4 * 15, (uint32_t)s->pc & ~1u);
    put32(uc + SC_CPSR, arm_cpsr_get(t->vcpu));
    put32(uc + SC_FAULT, fault ? (uint32_t)(uintptr_t)info->si_addr : 0);
    put32(uc + UC_MASK, (uint32_t)mask);
    put32(uc + UC_MASK + 4, (uint32_t)(mask >> 32));
    uint8_t *vfp = uc + UC_RECORDS;
    put32(vfp, VFP_MAGIC);
    put32(vfp + 4, VFP_BYTES);
    for (unsigned i = 0; i < 32; i++) {
        put64(vfp + 8 + 8 * i, s->v[i / 2].d[i & 1]);
    }
    put32(vfp + 264, arm_fpscr_get(t->vcpu));
    put32(vfp + 272, FPEXC_EN);
}

bool arm_user_signal_frame(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act)
{
    ArmState *s = arm_state(t->vcpu);
    bool rt = act->flags & SA_SIGINFO;
    unsigned uc_at = rt ? INFO_BYTES : 0, bytes = uc_at + UC_BYTES + CODE_BYTES;
    uint8_t f[FRAME_BYTES] = { 0 };
    vaddr at = signal_frame_sp(t, act, bytes) & ~(vaddr)7;

    if (rt) {
        siginfo_pack(t->abi, f, info);
    }
    put_context(t, f + uc_at, sig, info);
    put_code(t, f + uc_at + UC_BYTES, rt ? 0xe3a070ad : 0xe3a07077); /* unwinders look for mov r7, #nr; svc 0 here */
    put_code(t, f + uc_at + UC_BYTES + 4, 0xef000000);
    if (!copy_to_guest(at, f, bytes)) {
        return false;
    }
    s->itstate = 0;
    s->pstate = (s->pstate & ~PSTATE_E) | (user.abi->big_endian ? PSTATE_E : 0);
    s->pc = (uint32_t)act->handler;
    s->x[0] = (uint32_t)sig;
    s->x[1] = rt ? (uint32_t)at : 0;
    s->x[2] = rt ? (uint32_t)(at + uc_at) : 0;
    s->x[ARM_SP] = (uint32_t)at;
    s->x[ARM_LR] = act->flags & 0x04000000 /* SA_RESTORER */ ? (uint32_t)act->restorer : ARM_VECTORS + (rt ? ARM_RT_SIGRETURN : ARM_SIGRETURN);
    return true;
}

/* Which of the two calls it is says whether siginfo comes first. */
int64_t arm_user_signal_return(Thread *t)
{
    ArmState *s = arm_state(t->vcpu);
    bool rt = (uint32_t)s->x[ARM_NR] == 173;
    vaddr at = (uint32_t)s->x[ARM_SP] + (rt ? INFO_BYTES : 0u);
    uint8_t uc[UC_BYTES];

    if (s->x[ARM_SP] & 7 || !copy_from_guest(uc, at, sizeof(uc))) {
        return -EFAULT;
    }
    const uint8_t *vfp = uc + UC_RECORDS;
    if (get32(vfp) != VFP_MAGIC || get32(vfp + 4) != VFP_BYTES) {
        return -EFAULT;
    }
    if (!signal_set_mask(t, get32(uc + UC_MASK) | (uint64_t)get32(uc + UC_MASK + 4) << 32)) {
        return -USER_ERESTARTNOINTR;
    }
    for (unsigned i = 0; i < 15; i++) {
        s->x[i] = get32(uc + SC_REGS + 4 * i);
    }
    s->pc = get32(uc + SC_REGS + 4 * 15);
    arm_cpsr_set_user(t->vcpu, get32(uc + SC_CPSR));
    for (unsigned i = 0; i < 32; i++) {
        s->v[i / 2].d[i & 1] = get64(vfp + 8 + 8 * i);
    }
    arm_fpscr_set(t->vcpu, get32(vfp + 264));
    if (rt) {
        t->altstack_sp = get32(uc + UC_STACK);
        t->altstack_flags = get32(uc + UC_STACK + 4) & ~(uint32_t)(SS_ONSTACK | SS_DISABLE);
        t->altstack_bytes = get32(uc + UC_STACK + 4) & SS_DISABLE ? 0 : get32(uc + UC_STACK + 8);
    }
    return -USER_ESIGRETURN;
}

unsigned arm_user_min_sigstack(Thread *t)
{
    return FRAME_BYTES + 8; /* and what alignment may cost */
}
