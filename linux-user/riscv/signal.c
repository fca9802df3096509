/*
 * signal.c: RISC-V signal frames (linux uapi asm/ucontext.h, asm/sigcontext.h).
 *
 * struct rt_sigframe { siginfo[128]; ucontext }. ucontext: flags, link, stack (3 words), a signal set of 8 bytes
 * in a field of 128, then the machine context aligned to 16: pc and x1..x31 as words, and the floating-point union
 * of 528 bytes (32 doubles, fcsr; the last 8 bytes are the header of the vector record, 0 when absent). The vector
 * record (magic, size of all of it; vstart, vl, vtype, vcsr, vlenb, pointer to the registers; the registers) is
 * followed by a header of zeros.
 */
#include "linux-user/riscv/abi.h"

enum { FP_BYTES = 528, INFO_BYTES = 128, HEADER_BYTES = 8, VECTOR_MAGIC = 0x53465457 };

typedef struct FrameLayout {
    unsigned stack, sigmask, gregs, fp; /* offsets from the frame's start */
    unsigned vector, vregs, vregs_bytes; /* state after the vector record's header, registers; 0 without */
    unsigned fixed_bytes, bytes;         /* without and with the vector record */
} FrameLayout;

static FrameLayout layout(const Thread *t)
{
    const Abi *abi = t->abi;
    unsigned w = abi->word_bytes;
    FrameLayout l;
    unsigned uc = INFO_BYTES;
    l.stack = uc + 2 * w;
    l.sigmask = l.stack + 3 * w;
    l.gregs = uc + ROUND_UP(5 * w + 128, 16);
    l.fp = l.gregs + 32 * w;
    l.fixed_bytes = ROUND_UP(l.fp + FP_BYTES, 16);
    l.bytes = l.fixed_bytes;
    l.vector = l.vregs = l.vregs_bytes = 0;
    if (riscv_has(t->vcpu, Zve32x)) {
        l.vector = l.fp + FP_BYTES;
        l.vregs = l.vector + ROUND_UP(6 * w, 16);
        l.vregs_bytes = RVV_N_REGS * riscv_state(t->vcpu)->vector.vlenb;
        l.bytes = ROUND_UP(l.vregs + l.vregs_bytes + HEADER_BYTES, 16);
    }
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

/* The record's header is in the fixed part, f. */
static bool put_vector(Thread *t, const FrameLayout *l, uint8_t *f, vaddr sp)
{
    const Abi *abi = t->abi;
    RvvState *v = &riscv_state(t->vcpu)->vector;
    unsigned w = abi->word_bytes;
    uint8_t words[48] = { 0 };
    const uint64_t values[6] = { v->vstart, v->vl, v->vill ? BIT(8 * w - 1) : v->vtype,
                                 (uint64_t)v->vxrm << 1 | v->vxsat, v->vlenb, sp + l->vregs };

    for (unsigned i = 0; i < 6; i++) {
        put_word(abi, words + i * w, values[i]);
    }
    stle32(f + l->vector - HEADER_BYTES, VECTOR_MAGIC);
    stle32(f + l->vector - HEADER_BYTES + 4, HEADER_BYTES + l->vregs - l->vector + l->vregs_bytes);
    if (!copy_to_guest(sp + l->vector, words, l->vregs - l->vector) ||
        !copy_to_guest(sp + l->vregs, v->v, l->vregs_bytes) ||
        !copy_to_guest(sp + l->vregs + l->vregs_bytes, (const uint8_t[HEADER_BYTES]){ 0 }, HEADER_BYTES)) {
        return false;
    }
    /* The handler's own vector instructions begin at element 0. */
    v->vstart = 0;
    return true;
}

static bool get_vector(Thread *t, const FrameLayout *l, const uint8_t *f, vaddr sp)
{
    const Abi *abi = t->abi;
    RvvState *v = &riscv_state(t->vcpu)->vector;
    unsigned w = abi->word_bytes;
    uint8_t words[48];

    if (!l->vector || ldle32(f + l->vector - HEADER_BYTES) != VECTOR_MAGIC) {
        return true;
    }
    if (ldle32(f + l->vector - HEADER_BYTES + 4) != HEADER_BYTES + l->vregs - l->vector + l->vregs_bytes ||
        !copy_from_guest(words, sp + l->vector, 6 * w) ||
        !copy_from_guest(v->v, get_word(abi, words + 5 * w), l->vregs_bytes)) {
        return false;
    }
    rvv_set_vl(v, get_word(abi, words + 2 * w), get_word(abi, words + w), false, 8 * w);
    v->vstart = get_word(abi, words) & (v->vlenb * 8u - 1);
    v->full &= !v->vstart;
    v->vxsat = words[3 * w] & 1;
    v->vxrm = words[3 * w] >> 1 & 3;
    return true;
}

bool riscv_user_signal_frame(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act)
{
    const Abi *abi = t->abi;
    RiscvState *s = riscv_state(t->vcpu);
    FrameLayout l = layout(t);
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
    if ((l.vector && !put_vector(t, &l, f, sp)) || !copy_to_guest(sp, f, l.fixed_bytes) || !siginfo_to_guest(abi, sp, info)) {
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
    FrameLayout l = layout(t);
    unsigned w = abi->word_bytes;
    uint8_t f[1280];
    if (s->x[RISCV_SP] & 15 || !copy_from_guest(f, s->x[RISCV_SP], l.fixed_bytes) ||
        !get_vector(t, &l, f, s->x[RISCV_SP])) {
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

unsigned riscv_user_min_sigstack(Thread *t)
{
    return layout(t).bytes + 16; /* and what alignment may cost */
}
