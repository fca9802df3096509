/*
 * signal.c: AArch64 signal frames (linux uapi asm/sigcontext.h, asm/ucontext.h).
 *
 * struct rt_sigframe { siginfo[128]; ucontext }. ucontext: flags, link, stack, a signal set of 8 bytes in a field of 128, then the machine
 * context aligned to 16: fault address, x0 to x30, sp, pc, pstate, and 4096 bytes of records { magic, size, … } that end with zeros:
 * fpsimd_context always, esr_context after a fault. A record of frame pointer and link register stands above the frame.
 */
#include "linux-user/aarch64/abi.h"
#include "target/arm/system.h"

enum {
    UC = 128, UC_STACK = UC + 16, UC_MASK = UC + 40, SC = UC + 176, SC_REGS = SC + 8, SC_SP = SC_REGS + 31 * 8, SC_PC = SC_SP + 8,
    SC_PSTATE = SC_PC + 8, RECORDS = SC + 288, RECORDS_BYTES = 4096, FRAME_BYTES = RECORDS + RECORDS_BYTES,
    FRAME_RECORD_BYTES = 16, BTYPE_SHIFT = 10,
    SA_EXPOSE_TAGBITS = 0x800,
    FPSIMD_MAGIC = 0x46508001, FPSIMD_BYTES = 528, ESR_MAGIC = 0x45535201, ESR_BYTES = 16, EXTRA_MAGIC = 0x45585401,
};

/* ESR_EL1 of a fault (D24.2.40): abort from EL0, 32-bit instruction; translation or permission fault of level 3. */
static uint32_t fault_syndrome(const Thread *t, int sig, const siginfo_t *info)
{
    enum { ABORT_DATA = 0x24, ABORT_INSN = 0x20, IL = 1 << 25, WRITE = 1 << 6, TRANSLATION = 7, PERMISSION = 15, ALIGNMENT = 0x21, TAG_CHECK = 0x11 };
    bool fetch = (uintptr_t)info->si_addr == arm_pc(t->vcpu);

    if (info->si_code <= 0 || (sig == SIGSEGV && info->si_code == AARCH64_SEGV_MTEAERR) || (sig != SIGSEGV && sig != SIGBUS)) {
        return 0;
    }
    uint32_t code = sig == SIGBUS ? ALIGNMENT : info->si_code == SEGV_ACCERR ? PERMISSION : info->si_code == AARCH64_SEGV_MTESERR ? TAG_CHECK : TRANSLATION;
    return (uint32_t)(fetch ? ABORT_INSN : ABORT_DATA) << 26 | IL | (t->sync_write ? WRITE : 0) | code;
}

/* The 32 vector registers, each a number of 128 bits. */
static void copy_v(const Abi *abi, uint8_t *to, const uint8_t *from)
{
    if (!abi->big_endian) {
        memcpy(to, from, 32 * 16);
        return;
    }
    for (unsigned i = 0; i < 32 * 16; i++) {
        to[i] = from[i ^ 15];
    }
}

bool aarch64_user_signal_frame(Thread *t, int sig, const siginfo_t *raised, const GuestSigaction *act)
{
    siginfo_t shown = *raised, *info = &shown;
    ArmState *s = arm_state(t->vcpu);
    uint8_t f[FRAME_BYTES] = { 0 }, record[FRAME_RECORD_BYTES];
    vaddr at = signal_frame_sp(t, act, FRAME_BYTES + FRAME_RECORD_BYTES), record_at = at + FRAME_BYTES;
    uint32_t esr = fault_syndrome(t, sig, info);

    /* Tags of fault addresses are for who asks for them (Documentation/arch/arm64/tagged-pointers.rst). */
    if (esr && !(act->flags & SA_EXPOSE_TAGBITS)) {
        info->si_addr = (void *)((uintptr_t)info->si_addr & AARCH64_ADDR_MASK);
    }

    abi_put64(t->abi, f + UC_STACK, t->altstack_sp);
    abi_put32(t->abi, f + UC_STACK + 8, !t->altstack_bytes ? SS_DISABLE : (signal_on_altstack(t, s->sp) ? SS_ONSTACK : 0) | t->altstack_flags);
    abi_put64(t->abi, f + UC_STACK + 16, t->altstack_bytes);
    abi_put64(t->abi, f + UC_MASK, t->restore_sigmask ? t->saved_sigmask : t->sigmask);
    abi_put64(t->abi, f + SC, esr ? (uintptr_t)info->si_addr & AARCH64_ADDR_MASK : 0);
    for (unsigned i = 0; i < 31; i++) {
        abi_put64(t->abi, f + SC_REGS + 8 * i, s->x[i]);
    }
    abi_put64(t->abi, f + SC_SP, s->sp);
    abi_put64(t->abi, f + SC_PC, arm_pc(t->vcpu));
    abi_put64(t->abi, f + SC_PSTATE, arm_nzcv_get(t->vcpu) | (uint64_t)arm_btype(t->vcpu) << BTYPE_SHIFT | (s->pstate & PSTATE_TCO));
    uint8_t *p = f + RECORDS;
    abi_put32(t->abi, p, FPSIMD_MAGIC);
    abi_put32(t->abi, p + 4, FPSIMD_BYTES);
    abi_put32(t->abi, p + 8, arm_fpsr_get(t->vcpu));
    abi_put32(t->abi, p + 12, arm_fpcr_get(t->vcpu));
    copy_v(t->abi, p + 16, (const uint8_t *)s->v);
    p += FPSIMD_BYTES;
    if (esr) {
        abi_put32(t->abi, p, ESR_MAGIC);
        abi_put32(t->abi, p + 4, ESR_BYTES);
        abi_put64(t->abi, p + 8, esr);
    }
    abi_put64(t->abi, record, s->x[AARCH64_FP]);
    abi_put64(t->abi, record + 8, s->x[AARCH64_LR]);
    if (!copy_to_guest(at, f, sizeof(f)) || !copy_to_guest(record_at, record, sizeof(record)) || !siginfo_to_guest(t->abi, at, info)) {
        return false;
    }
    arm_set_pc(t->vcpu, act->handler, 2); /* as if it were called */
    s->pstate &= ~PSTATE_TCO;
    s->sp = at;
    s->x[0] = (uint64_t)sig;
    s->x[1] = at;
    s->x[2] = at + UC;
    s->x[AARCH64_FP] = record_at;
    s->x[AARCH64_LR] = act->flags & 0x04000000 /* SA_RESTORER */ ? act->restorer : user.sigreturn;
    return true;
}

/* The record of floating-point registers; others are passed over. False: not well formed. */
static bool find_fpsimd(const Thread *t, const uint8_t *records, const uint8_t **ret)
{
    size_t at = 0;

    *ret = NULL;
    for (;;) {
        if (RECORDS_BYTES - at < 8) {
            return false;
        }
        uint32_t magic = abi_get32(t->abi, records + at), bytes = abi_get32(t->abi, records + at + 4);
        if (!magic) {
            return bytes == 0 && *ret;
        }
        if (bytes < 16 || bytes & 15 || bytes > RECORDS_BYTES - at || (magic != FPSIMD_MAGIC && magic != ESR_MAGIC && magic != EXTRA_MAGIC)) {
            return false;
        }
        if (magic == FPSIMD_MAGIC) {
            if (*ret || bytes != FPSIMD_BYTES) {
                return false;
            }
            *ret = records + at;
        }
        at += bytes;
    }
}

int64_t aarch64_user_signal_return(Thread *t)
{
    ArmState *s = arm_state(t->vcpu);
    uint8_t f[FRAME_BYTES];
    const uint8_t *fp;

    if (s->sp & 15 || !copy_from_guest(f, s->sp, sizeof(f)) || !find_fpsimd(t, f + RECORDS, &fp)) {
        return -EFAULT;
    }
    if (!signal_set_mask(t, abi_get64(t->abi, f + UC_MASK))) {
        return -USER_ERESTARTNOINTR;
    }
    for (unsigned i = 0; i < 31; i++) {
        s->x[i] = abi_get64(t->abi, f + SC_REGS + 8 * i);
    }
    s->sp = abi_get64(t->abi, f + SC_SP);
    arm_set_pc(t->vcpu, abi_get64(t->abi, f + SC_PC), (unsigned)bits_get(abi_get64(t->abi, f + SC_PSTATE), BTYPE_SHIFT, 2));
    arm_nzcv_set(t->vcpu, (uint32_t)abi_get64(t->abi, f + SC_PSTATE));
    s->pstate = (s->pstate & ~PSTATE_TCO) | (arm_has(t->vcpu, MTE) ? abi_get64(t->abi, f + SC_PSTATE) & PSTATE_TCO : 0);
    arm_fpsr_set(t->vcpu, abi_get32(t->abi, fp + 8));
    arm_fpcr_set(t->vcpu, abi_get32(t->abi, fp + 12));
    copy_v(t->abi, (uint8_t *)s->v, fp + 16);
    t->altstack_sp = abi_get64(t->abi, f + UC_STACK);
    t->altstack_flags = abi_get32(t->abi, f + UC_STACK + 8) & ~(uint32_t)(SS_ONSTACK | SS_DISABLE);
    t->altstack_bytes = abi_get32(t->abi, f + UC_STACK + 8) & SS_DISABLE ? 0 : abi_get64(t->abi, f + UC_STACK + 16);
    return -USER_ESIGRETURN;
}

unsigned aarch64_user_min_sigstack(Thread *t)
{
    return FRAME_BYTES + FRAME_RECORD_BYTES + 16; /* and what alignment may cost */
}
