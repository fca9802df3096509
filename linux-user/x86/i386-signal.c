/*
 * i386-signal.c: signal frames of i386 (linux uapi asm/sigcontext.h, asm/ucontext.h).
 *
 * With SA_SIGINFO: { return address, signal, &info, &ucontext, info[128], ucontext, code[8] }, without: { return address, signal,
 * sigcontext, unused floating-point state[624], second mask word, code[8] }. Both have the FSAVE image and behind it the FXSAVE or XSAVE image,
 * which is aligned to 64, at higher addresses.
 */
#include "linux-user/x86/abi.h"

enum {
    /* sigcontext: segments, registers in the order of PUSHA, … */
    SC_GS = 0, SC_FS = 4, SC_ES = 8, SC_DS = 12, SC_REGS = 16, SC_TRAPNO = 48, SC_ERR = 52, SC_IP = 56, SC_CS = 60, SC_FLAGS = 64,
    SC_SP_AT_SIGNAL = 68, SC_SS = 72, SC_FPSTATE = 76, SC_OLDMASK = 80, SC_CR2 = 84, SC_BYTES = 88,
    RT_INFO = 16, RT_UC = RT_INFO + SIGINFO_BYTES, UC_STACK = 8, UC_SC = 20, UC_MASK = UC_SC + SC_BYTES, UC_BYTES = UC_MASK + 8,
    RT_CODE = RT_UC + UC_BYTES, RT_BYTES = RT_CODE + 8,
    OLD_SC = 8, OLD_MASK2 = OLD_SC + SC_BYTES + 624, OLD_CODE = OLD_MASK2 + 4, OLD_BYTES = OLD_CODE + 8,
    FSAVE_BYTES = 112, FXSAVE_BYTES = 512, SW_RESERVED = 464, FP_ALIGN = 64, MAX_XSAVE = 4096, UC_FP_XSTATE = 1,
};
#define MAGIC1 0x46505853u
#define MAGIC2 0x46505845u

static const uint8_t pusha[8] = { X86_RDI, X86_RSI, X86_RBP, X86_RSP, X86_RBX, X86_RDX, X86_RCX, X86_RAX };

static unsigned fx_bytes(Thread *t)
{
    uint64_t xcr0 = x86_user_xcr0(t->vcpu); /* also before the registers are set: AT_MINSIGSTKSZ */
    return xcr0 ? x86_xsave_size(xcr0) : FXSAVE_BYTES;
}

static unsigned total_bytes(Thread *t)
{
    return MAX(RT_BYTES, OLD_BYTES) + 16 + FP_ALIGN + FSAVE_BYTES + fx_bytes(t) + 4;
}

/* fp: of the FSAVE image; the other is FSAVE_BYTES behind it. */
static bool put_fp(Thread *t, vaddr fp)
{
    uint8_t image[FSAVE_BYTES + MAX_XSAVE + 4] = { 0 }, *fx = image + FSAVE_BYTES;
    uint64_t xcr0 = x86_state(t->vcpu)->xcr0;
    unsigned n = fx_bytes(t);

    if (xcr0) {
        x86_xsave(t->vcpu, fx, xcr0, false);
        stle32(fx + SW_RESERVED, MAGIC1);
        stle32(fx + SW_RESERVED + 4, FSAVE_BYTES + n + 4);
        stle64(fx + SW_RESERVED + 8, xcr0);
        stle32(fx + SW_RESERVED + 16, n);
        stle32(fx + n, MAGIC2);
        n += 4;
    } else {
        x86_fxsave(t->vcpu, fx, false);
    }
    x86_fsave(t->vcpu, image, true);
    stle32(image + 108, ldle16(image + 4)); /* status; magic 0: an FXSAVE image follows */
    return copy_to_guest(fp, image, FSAVE_BYTES + n);
}

static bool get_fp(Thread *t, vaddr fp)
{
    uint8_t fx[MAX_XSAVE + 4] = { 0 }, fsave[108];
    uint64_t xcr0 = x86_state(t->vcpu)->xcr0;
    unsigned n = fx_bytes(t);

    if (!fp) {
        x86_fpu_start(t->vcpu);
        return true;
    }
    if (!copy_from_guest(fsave, fp, sizeof(fsave)) || !copy_from_guest(fx, fp + FSAVE_BYTES, FXSAVE_BYTES)) {
        return false;
    }
    bool whole = xcr0 && ldle32(fx + SW_RESERVED) == MAGIC1 && ldle32(fx + SW_RESERVED + 16) == n &&
                 copy_from_guest(fx + FXSAVE_BYTES, fp + FSAVE_BYTES + FXSAVE_BYTES, n + 4 - FXSAVE_BYTES) && ldle32(fx + n) == MAGIC2;
    /* The x87 registers are those of the FSAVE image, which programs change. */
    return (whole ? x86_xrstor(t->vcpu, fx, xcr0, false) : x86_fxrstor(t->vcpu, fx, false)) && x86_frstor(t->vcpu, fsave, true);
}

static void put_context(Thread *t, uint8_t *sc, int sig, const siginfo_t *info, vaddr fp)
{
    const X86State *s = x86_state(t->vcpu);
    uint64_t trap, code;

    stle32(sc + SC_GS, s->seg_sel[X86_GS]);
    stle32(sc + SC_FS, s->seg_sel[X86_FS]);
    stle32(sc + SC_ES, s->seg_sel[X86_ES]);
    stle32(sc + SC_DS, s->seg_sel[X86_DS]);
    for (unsigned i = 0; i < 8; i++) {
        stle32(sc + SC_REGS + 4 * i, (uint32_t)s->gpr[pusha[i]]);
    }
    x86_user_trap(t, sig, info, &trap, &code);
    stle32(sc + SC_TRAPNO, (uint32_t)trap);
    stle32(sc + SC_ERR, (uint32_t)code);
    stle32(sc + SC_IP, (uint32_t)x86_ip(t->vcpu));
    stle32(sc + SC_CS, s->seg_sel[X86_CS]);
    stle32(sc + SC_FLAGS, x86_eflags_get(t->vcpu));
    stle32(sc + SC_SP_AT_SIGNAL, (uint32_t)s->gpr[X86_RSP]);
    stle32(sc + SC_SS, s->seg_sel[X86_SS]);
    stle32(sc + SC_FPSTATE, (uint32_t)fp);
    stle32(sc + SC_OLDMASK, (uint32_t)(t->restore_sigmask ? t->saved_sigmask : t->sigmask));
    stle32(sc + SC_CR2, trap == X86_EXC_PF ? (uint32_t)(uintptr_t)info->si_addr : 0);
}

bool i386_user_signal_frame(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act)
{
    X86State *s = x86_state(t->vcpu);
    bool rt = act->flags & SA_SIGINFO;
    unsigned bytes = rt ? RT_BYTES : OLD_BYTES;
    uint8_t f[MAX(RT_BYTES, OLD_BYTES)] = { 0 };
    uint64_t mask = t->restore_sigmask ? t->saved_sigmask : t->sigmask;
    /* The stack is aligned as at a call: 4 below a multiple of 16. */
    vaddr at = signal_frame_sp(t, act, total_bytes(t)) + 12, fp = ROUND_UP(at + bytes + FSAVE_BYTES, (vaddr)FP_ALIGN) - FSAVE_BYTES;
    bool restorer = act->flags & 0x04000000 /* SA_RESTORER */;

    stle32(f, (uint32_t)(restorer ? act->restorer : user.vdso_function[rt ? I386_VDSO_RT_SIGRETURN : I386_VDSO_SIGRETURN]));
    stle32(f + 4, (uint32_t)sig);
    if (rt) {
        uint8_t *uc = f + RT_UC;
        stle32(f + 8, (uint32_t)(at + RT_INFO));
        stle32(f + 12, (uint32_t)(at + RT_UC));
        siginfo_pack(t->abi, f + RT_INFO, info);
        stle32(uc, s->xcr0 ? UC_FP_XSTATE : 0);
        stle32(uc + UC_STACK, (uint32_t)t->altstack_sp);
        stle32(uc + UC_STACK + 4, !t->altstack_bytes ? SS_DISABLE
                                  : (signal_on_altstack(t, s->gpr[X86_RSP]) ? SS_ONSTACK : 0) | t->altstack_flags);
        stle32(uc + UC_STACK + 8, (uint32_t)t->altstack_bytes);
        put_context(t, uc + UC_SC, sig, info, fp);
        stle64(uc + UC_MASK, mask);
        memcpy(f + RT_CODE, "\xb8\xad\0\0\0\xcd\x80", 8);
    } else {
        put_context(t, f + OLD_SC, sig, info, fp);
        stle32(f + OLD_MASK2, (uint32_t)(mask >> 32));
        memcpy(f + OLD_CODE, "\x58\xb8\x77\0\0\0\xcd\x80", 8);
    }
    if (!put_fp(t, fp) || !copy_to_guest(at, f, bytes)) {
        return false;
    }
    s->gpr[X86_RAX] = (uint32_t)sig;
    s->gpr[X86_RDX] = rt ? (uint32_t)(at + RT_INFO) : 0;
    s->gpr[X86_RCX] = rt ? (uint32_t)(at + RT_UC) : 0;
    s->gpr[X86_RSP] = (uint32_t)at;
    x86_user_enter_handler(t);
    s->pc = act->handler;
    x86_eflags_set(t->vcpu, x86_eflags_get(t->vcpu) & ~(uint32_t)(X86_DF | X86_RF | X86_TF));
    x86_debug_update(t->vcpu);
    return true;
}

static int64_t get_context(Thread *t, const uint8_t *sc, uint64_t mask)
{
    X86State *s = x86_state(t->vcpu);
    static const struct { uint8_t at, seg; } segs[] = { { SC_GS, X86_GS }, { SC_FS, X86_FS }, { SC_ES, X86_ES }, { SC_DS, X86_DS } };

    if (!signal_set_mask(t, mask)) {
        return -USER_ERESTARTNOINTR;
    }
    for (unsigned i = 0; i < 8; i++) {
        s->gpr[pusha[i]] = ldle32(sc + SC_REGS + 4 * i);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(segs); i++) {
        uint16_t sel = ldle16(sc + segs[i].at);
        if (sel != s->seg_sel[segs[i].seg]) {
            x86_user_load_data(t, (X86SegId)segs[i].seg, sel > 3 ? sel | 3 : sel);
        }
    }
    uint32_t flags = x86_eflags_get(t->vcpu);
    x86_eflags_set(t->vcpu, (flags & ~(uint32_t)X86_USER_FLAGS) | (ldle32(sc + SC_FLAGS) & (uint32_t)X86_USER_FLAGS));
    x86_debug_update(t->vcpu);
    x86_user_return_to(t, ldle16(sc + SC_CS), ldle16(sc + SC_SS), ldle32(sc + SC_IP));
    if (!get_fp(t, ldle32(sc + SC_FPSTATE))) {
        get_fp(t, 0);
        return -EFAULT;
    }
    return -USER_ESIGRETURN;
}

int64_t i386_user_signal_return(Thread *t)
{
    uint8_t uc[UC_BYTES];
    vaddr at = (uint32_t)(x86_state(t->vcpu)->gpr[X86_RSP] - 4); /* the handler's return took the address */

    if (!copy_from_guest(uc, at + RT_UC, sizeof(uc))) {
        return -EFAULT;
    }
    int64_t r = get_context(t, uc + UC_SC, ldle64(uc + UC_MASK));
    if (r == -USER_ESIGRETURN) {
        t->altstack_sp = ldle32(uc + UC_STACK);
        t->altstack_flags = ldle32(uc + UC_STACK + 4) & ~(uint32_t)(SS_ONSTACK | SS_DISABLE);
        t->altstack_bytes = ldle32(uc + UC_STACK + 4) & SS_DISABLE ? 0 : ldle32(uc + UC_STACK + 8);
    }
    return r;
}

/* sigreturn(2), of frames without siginfo: its code has popped the signal number as well. */
int64_t i386_user_old_signal_return(Thread *t)
{
    uint8_t f[OLD_BYTES];
    vaddr at = (uint32_t)(x86_state(t->vcpu)->gpr[X86_RSP] - 8);

    if (!copy_from_guest(f, at, sizeof(f))) {
        return -EFAULT;
    }
    return get_context(t, f + OLD_SC, ldle32(f + OLD_SC + SC_OLDMASK) | (uint64_t)ldle32(f + OLD_MASK2) << 32);
}

unsigned i386_user_min_sigstack(Thread *t)
{
    return total_bytes(t) + 16;
}
