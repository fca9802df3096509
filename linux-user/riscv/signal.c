/*
 * signal.c: RISC-V signal frames (linux uapi asm/ucontext.h, asm/sigcontext.h).
 *
 * struct rt_sigframe { siginfo[128]; ucontext }. ucontext: flags, link, stack (3 words), a signal set of 8 bytes
 * in a field of 128, then the machine context aligned to 16: pc and x1..x31 as words, and the floating-point union
 * of 528 bytes (32 doubles, fcsr; the last words are the header of the vector extension's record, 0 when absent).
 *
 * Leaves out: the vector record (magic 0x53465457), as long as the target has no vector state.
 */
#include "linux-user/riscv/abi.h"

enum { FP_BYTES = 528, INFO_BYTES = 128 };

typedef struct FrameLayout {
    unsigned stack, sigmask, gregs, fp, bytes; /* offsets from the frame's start */
} FrameLayout;

static FrameLayout layout(const Abi *abi)
{
    unsigned w = abi->word_bytes;
    FrameLayout l;
    unsigned uc = INFO_BYTES;
    l.stack = uc + 2 * w;
    l.sigmask = l.stack + 3 * w;
    l.gregs = uc + ROUND_UP(5 * w + 128, 16);
    l.fp = l.gregs + 32 * w;
    l.bytes = ROUND_UP(l.fp + FP_BYTES, 16);
    return l;
}

static void put_word(const Abi *abi, uint8_t *p, uint64_t v)
{
    abi->word_bytes == 8 ? stle64(p, v) : stle32(p, (uint32_t)v);
}

static uint64_t get_word(const Abi *abi, const uint8_t *p)
{
    return abi->word_bytes == 8 ? ldle64(p) : ldle32(p);
}

bool riscv_user_signal_frame(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act)
{
    const Abi *abi = t->abi;
    RiscvState *s = riscv_state(t->vcpu);
    FrameLayout l = layout(abi);
    unsigned w = abi->word_bytes;
    uint8_t f[1280] = { 0 };
    vaddr sp = signal_frame_sp(t, act, l.bytes);

    put_word(abi, f + l.stack, t->altstack_sp);
    stle32(f + l.stack + w, !t->altstack_bytes ? SS_DISABLE
                            : (signal_on_altstack(t, s->x[RISCV_SP]) ? SS_ONSTACK : 0) | t->altstack_flags);
    put_word(abi, f + l.stack + 2 * w, t->altstack_bytes);
    stle64(f + l.sigmask, t->restore_sigmask ? t->saved_sigmask : t->sigmask);
    put_word(abi, f + l.gregs, s->pc);
    for (unsigned i = 1; i < 32; i++) {
        put_word(abi, f + l.gregs + i * w, s->x[i]);
    }
    for (unsigned i = 0; i < 32; i++) {
        stle64(f + l.fp + 8 * i, s->f[i]);
    }
    stle32(f + l.fp + 256, riscv_fflags_get(t->vcpu) | s->frm << 5);
    if (!copy_to_guest(sp, f, l.bytes) || !siginfo_to_guest(abi, sp, info)) {
        return false;
    }
    s->pc = act->handler;
    s->x[RISCV_RA] = user.sigreturn;
    s->x[RISCV_SP] = sp;
    s->x[RISCV_A0] = (uint64_t)sig;
    s->x[RISCV_A0 + 1] = sp;
    s->x[RISCV_A0 + 2] = sp + INFO_BYTES;
    return true;
}

int64_t riscv_user_signal_return(Thread *t)
{
    const Abi *abi = t->abi;
    RiscvState *s = riscv_state(t->vcpu);
    FrameLayout l = layout(abi);
    unsigned w = abi->word_bytes;
    uint8_t f[1280];
    if (s->x[RISCV_SP] & 15 || !copy_from_guest(f, s->x[RISCV_SP], l.bytes)) {
        return -EFAULT;
    }
    if (!signal_set_mask(t, ldle64(f + l.sigmask))) {
        return -USER_ERESTARTNOINTR;
    }
    s->pc = get_word(abi, f + l.gregs) & ~(uint64_t)1;
    for (unsigned i = 1; i < 32; i++) {
        s->x[i] = get_word(abi, f + l.gregs + i * w);
    }
    for (unsigned i = 0; i < 32; i++) {
        s->f[i] = ldle64(f + l.fp + 8 * i);
    }
    uint32_t fcsr = ldle32(f + l.fp + 256);
    riscv_fflags_set(t->vcpu, fcsr & 31);
    riscv_frm_set(t->vcpu, fcsr >> 5 & 7);
    t->altstack_sp = get_word(abi, f + l.stack);
    t->altstack_flags = ldle32(f + l.stack + w) & ~(uint32_t)(SS_ONSTACK | SS_DISABLE);
    t->altstack_bytes = ldle32(f + l.stack + w) & SS_DISABLE ? 0 : get_word(abi, f + l.stack + 2 * w);
    return -USER_ESIGRETURN;
}
