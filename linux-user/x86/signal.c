/*
 * signal.c: x86-64 signal frames (linux uapi asm/ucontext.h, asm/sigcontext.h; psABI: 128 bytes below the stack pointer are
 * the program's).
 *
 * struct rt_sigframe { return address; ucontext; siginfo[128] }, at an address that is 8 modulo 16, with the FXSAVE or
 * XSAVE image behind it, aligned to 64. ucontext: flags, link, stack (3 words), sigcontext (256 bytes), mask.
 */
#include "linux-user/x86/abi.h"

enum {
    UC = 8, UC_STACK = UC + 16, UC_REGS = UC + 40, UC_MASK = UC_REGS + 256, INFO = UC_MASK + 8, FRAME_BYTES = INFO + SIGINFO_BYTES,
    /* in the sigcontext, after eighteen words of registers */
    SC_SEGS = 144, SC_ERR = 152, SC_TRAPNO = 160, SC_OLDMASK = 168, SC_CR2 = 176, SC_FPSTATE = 184,
    RED_ZONE = 128, FP_ALIGN = 64, FXSAVE_BYTES = 512, SW_RESERVED = 464, MAX_XSAVE = 4096,
    UC_FP_XSTATE = 1, UC_SIGCONTEXT_SS = 2, UC_STRICT_RESTORE_SS = 4,
};
#define MAGIC1 0x46505853u
#define MAGIC2 0x46505845u

/* The order of struct sigcontext. */
static const uint8_t order[16] = { 8, 9, 10, 11, 12, 13, 14, 15, X86_RDI, X86_RSI, X86_RBP, X86_RBX, X86_RDX, X86_RAX, X86_RCX, X86_RSP };
enum { SC_RIP = 16 * 8, SC_FLAGS = 17 * 8 };

static unsigned fp_bytes(Thread *t)
{
    uint64_t xcr0 = x86_user_xcr0(t->vcpu); /* also before the registers are set: AT_MINSIGSTKSZ */
    return xcr0 ? x86_xsave_size(xcr0) : FXSAVE_BYTES;
}

static unsigned total_bytes(Thread *t)
{
    return RED_ZONE + 8 + FRAME_BYTES + FP_ALIGN + fp_bytes(t) + 4;
}

static bool put_fp(Thread *t, vaddr at)
{
    uint8_t image[MAX_XSAVE + 4] = { 0 };
    uint64_t xcr0 = x86_state(t->vcpu)->xcr0;
    unsigned n = fp_bytes(t);

    if (!xcr0) {
        x86_fxsave(t->vcpu, image, true);
        return copy_to_guest(at, image, n);
    }
    x86_xsave(t->vcpu, image, xcr0, true);
    stle32(image + SW_RESERVED, MAGIC1);
    stle32(image + SW_RESERVED + 4, n + 4);
    stle64(image + SW_RESERVED + 8, xcr0);
    stle32(image + SW_RESERVED + 16, n);
    stle32(image + n, MAGIC2);
    return copy_to_guest(at, image, n + 4);
}

static bool get_fp(Thread *t, vaddr at)
{
    uint8_t image[MAX_XSAVE + 4] = { 0 };
    uint64_t xcr0 = x86_state(t->vcpu)->xcr0;
    unsigned n = fp_bytes(t);

    if (!at) {
        x86_fpu_start(t->vcpu);
        return true;
    }
    if (!copy_from_guest(image, at, FXSAVE_BYTES)) {
        return false;
    }
    bool whole = xcr0 && ldle32(image + SW_RESERVED) == MAGIC1 && ldle32(image + SW_RESERVED + 16) == n &&
                 copy_from_guest(image + FXSAVE_BYTES, at + FXSAVE_BYTES, n + 4 - FXSAVE_BYTES) && ldle32(image + n) == MAGIC2;
    return whole ? x86_xrstor(t->vcpu, image, xcr0, true) : x86_fxrstor(t->vcpu, image, true);
}

void x86_user_trap(const Thread *t, int sig, const siginfo_t *info, uint64_t *trap, uint64_t *code)
{
    *trap = *code = 0;
    if (info->si_code > 0 && t->sync_fault) {
        *trap = t->sync_fault & 0xff;
        *code = t->sync_fault >> 8 & 0xffff;
    } else if (info->si_code > 0) {
        switch (sig) {
        case SIGSEGV:
            *trap = info->si_code == SI_KERNEL ? X86_EXC_GP : X86_EXC_PF;
            *code = *trap == X86_EXC_PF ? 4u | (t->sync_write ? 2u : 0) | (info->si_code == SEGV_ACCERR) : 0;
            break;
        case SIGBUS: *trap = info->si_code == BUS_ADRALN ? X86_EXC_AC : X86_EXC_PF; break;
        case SIGILL: *trap = X86_EXC_UD; break;
        case SIGFPE: *trap = info->si_code == FPE_INTDIV ? X86_EXC_DE : X86_EXC_XM; break;
        case SIGTRAP: *trap = info->si_code == SI_KERNEL ? X86_EXC_BP : X86_EXC_DB; break;
        }
    }
}

bool x86_user_signal_frame(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act)
{
    X86State *s = x86_state(t->vcpu);
    uint8_t f[FRAME_BYTES] = { 0 };
    uint8_t *sc = f + UC_REGS;
    vaddr at = signal_frame_sp(t, act, total_bytes(t)) + 8, fp = ROUND_UP(at + FRAME_BYTES, (vaddr)FP_ALIGN);

    if (!(act->flags & 0x04000000 /* SA_RESTORER */)) {
        return false; /* as Linux: there is nothing to return to */
    }
    stle64(f, act->restorer);
    bool code64 = s->seg_sel[X86_CS] == X86_USER_CS;
    stle64(f + UC, (s->xcr0 ? UC_FP_XSTATE : 0) | UC_SIGCONTEXT_SS | (code64 ? UC_STRICT_RESTORE_SS : 0));
    stle64(f + UC_STACK, t->altstack_sp);
    stle32(f + UC_STACK + 8, !t->altstack_bytes ? SS_DISABLE
                             : (signal_on_altstack(t, s->gpr[X86_RSP]) ? SS_ONSTACK : 0) | t->altstack_flags);
    stle64(f + UC_STACK + 16, t->altstack_bytes);
    for (unsigned i = 0; i < 16; i++) {
        stle64(sc + 8 * i, s->gpr[order[i]]);
    }
    stle64(sc + SC_RIP, x86_ip(t->vcpu));
    stle64(sc + SC_FLAGS, x86_eflags_get(t->vcpu));
    stle16(sc + SC_SEGS, s->seg_sel[X86_CS]);
    stle16(sc + SC_SEGS + 2, s->seg_sel[X86_GS]);
    stle16(sc + SC_SEGS + 4, s->seg_sel[X86_FS]);
    stle16(sc + SC_SEGS + 6, s->seg_sel[X86_SS]);
    uint64_t mask = t->restore_sigmask ? t->saved_sigmask : t->sigmask;
    uint64_t trap, code;
    x86_user_trap(t, sig, info, &trap, &code);
    stle64(sc + SC_ERR, code);
    stle64(sc + SC_TRAPNO, trap);
    stle64(sc + SC_CR2, trap == X86_EXC_PF ? (uintptr_t)info->si_addr : 0);
    stle64(sc + SC_OLDMASK, mask);
    stle64(sc + SC_FPSTATE, fp);
    stle64(f + UC_MASK, mask);
    siginfo_pack(t->abi, f + INFO, info);
    if (!put_fp(t, fp) || !copy_to_guest(at, f, sizeof(f))) {
        return false;
    }
    s->gpr[X86_RDI] = (uint64_t)sig;
    s->gpr[X86_RSI] = at + INFO;
    s->gpr[X86_RDX] = at + UC;
    s->gpr[X86_RAX] = 0;
    s->gpr[X86_RSP] = at;
    x86_user_enter_handler(t);
    s->pc = act->handler;
    x86_eflags_set(t->vcpu, x86_eflags_get(t->vcpu) & ~(uint32_t)(X86_DF | X86_RF | X86_TF));
    x86_debug_update(t->vcpu);
    return true;
}

int64_t x86_user_signal_return(Thread *t)
{
    X86State *s = x86_state(t->vcpu);
    uint8_t f[FRAME_BYTES];
    const uint8_t *sc = f + UC_REGS;
    vaddr at = s->gpr[X86_RSP] - 8; /* the handler's return took the address */

    if (!copy_from_guest(f, at, sizeof(f))) {
        return -EFAULT;
    }
    if (!signal_set_mask(t, ldle64(f + UC_MASK))) {
        return -USER_ERESTARTNOINTR;
    }
    for (unsigned i = 0; i < 16; i++) {
        s->gpr[order[i]] = ldle64(sc + 8 * i);
    }
    uint32_t flags = x86_eflags_get(t->vcpu);
    x86_eflags_set(t->vcpu, (flags & ~(uint32_t)X86_USER_FLAGS) | ((uint32_t)ldle64(sc + SC_FLAGS) & (uint32_t)X86_USER_FLAGS));
    x86_debug_update(t->vcpu);
    x86_user_return_to(t, ldle16(sc + SC_SEGS), ldle16(sc + SC_SEGS + 6), ldle64(sc + SC_RIP));
    if (t->sync_valid && !(ldle64(f + UC) & UC_STRICT_RESTORE_SS) && ldle16(sc + SC_SEGS) == X86_USER_CS) {
        /* A program that does not know of SS there: a flat one for 64-bit code. */
        t->sync_valid = false;
        x86_user_return_to(t, X86_USER_CS, X86_USER_DS, ldle64(sc + SC_RIP));
    }
    /* Last, as Linux does: the handler of the SIGSEGV that follows a bad image finds the registers restored. */
    if (!get_fp(t, ldle64(sc + SC_FPSTATE))) {
        get_fp(t, 0);
        return -EFAULT;
    }
    t->altstack_sp = ldle64(f + UC_STACK);
    t->altstack_flags = ldle32(f + UC_STACK + 8) & ~(uint32_t)(SS_ONSTACK | SS_DISABLE);
    t->altstack_bytes = ldle32(f + UC_STACK + 8) & SS_DISABLE ? 0 : ldle64(f + UC_STACK + 16);
    return -USER_ESIGRETURN;
}

unsigned x86_user_min_sigstack(Thread *t)
{
    return total_bytes(t) + 16;
}
