/*
 * segments.c: segment registers as Linux loads them for a program: back from a signal handler, and before one.
 *
 * Facts: SDM volume 2 IRET and MOV, at level 3; linux arch/x86/kernel/signal_64.c and signal_32.c describe which registers are restored.
 * Nothing here raises: the descriptors are the guest's, and so may be anything.
 */
#include "linux-user/x86/abi.h"

/* Selectors that only the kernel has, and the null ones, have no descriptor here. */
static bool descriptor(const X86State *s, uint16_t sel, uint64_t *ret)
{
    bool ldt = sel & 4;
    uint64_t base = ldt ? s->ldt_base : s->gdt_base, limit = ldt ? (s->ldt_sel ? s->ldt_limit : 0) : s->gdt_limit;

    return (sel & 0xfffc) && (sel | 7u) <= limit && load_guest_u64(base + (sel & 0xfff8), ret);
}

static void set(Vcpu *vcpu, X86SegId seg, uint16_t sel, uint64_t d)
{
    uint32_t lo = (uint32_t)d, hi = (uint32_t)(d >> 32), limit = (lo & 0xffff) | (hi & 0xf0000);

    x86_seg_set(vcpu, seg, sel, lo >> 16 | (hi & 0xff) << 16 | (hi & 0xff000000), hi & X86_ATTR_G ? limit << 12 | 0xfff : limit,
                (hi | X86_ATTR_A) & 0x00f0ff00u);
}

/* 0, or the exception that a load at level 3 would raise. */
static unsigned check(X86SegId seg, uint16_t sel, uint32_t hi)
{
    bool is_code = hi & X86_ATTR_CODE;
    unsigned dpl = hi >> 13 & 3;

    if (!(hi & X86_ATTR_S)) {
        return X86_EXC_GP;
    }
    if (seg == X86_CS ? !is_code || (hi & X86_ATTR_E ? dpl > 3 : dpl != 3) : seg == X86_SS ? is_code || !(hi & X86_ATTR_W) || dpl != 3
                                                          : (is_code && !(hi & X86_ATTR_W)) || (!(is_code && (hi & X86_ATTR_E)) && dpl != 3)) {
        return X86_EXC_GP;
    }
    return hi & X86_ATTR_P ? 0 : seg == X86_SS ? X86_EXC_SS : X86_EXC_NP;
}

bool x86_user_ss_is_valid(Thread *t)
{
    const X86State *s = x86_state(t->vcpu);
    uint64_t d;

    return descriptor(s, s->seg_sel[X86_SS], &d) && !check(X86_SS, s->seg_sel[X86_SS], (uint32_t)(d >> 32));
}

/* A data segment that cannot be loaded becomes a null one. */
void x86_user_load_data(Thread *t, X86SegId seg, uint16_t sel)
{
    X86State *s = x86_state(t->vcpu);
    uint64_t d;

    if (descriptor(s, sel, &d) && !check(seg, sel, (uint32_t)(d >> 32))) {
        set(t->vcpu, seg, sel, d);
    } else {
        x86_seg_set(t->vcpu, seg, sel > 3 ? 0 : sel, 0, 0, 0);
    }
}

void x86_user_enter_handler(Thread *t)
{
    X86State *s = x86_state(t->vcpu);
    bool is64 = t->abi->word_bytes == 8;
    uint16_t cs = is64 ? X86_USER_CS : X86_USER32_CS;
    uint64_t d;

    if (s->seg_sel[X86_CS] != cs && descriptor(s, cs, &d)) {
        set(t->vcpu, X86_CS, cs, d);
    }
    if (s->seg_sel[X86_SS] != X86_USER_DS && !(is64 && x86_user_ss_is_valid(t)) && descriptor(s, X86_USER_DS, &d)) {
        set(t->vcpu, X86_SS, X86_USER_DS, d);
    }
    if (!is64) {
        x86_user_load_data(t, X86_DS, X86_USER_DS);
        x86_user_load_data(t, X86_ES, X86_USER_DS);
    }
    x86_fpu_start(t->vcpu);
}

/* As the IRET that ends sigreturn: a selector that does not load is seen by the handler of the signal that follows. */
void x86_user_return_to(Thread *t, uint16_t cs, uint16_t ss, uint64_t ip)
{
    X86State *s = x86_state(t->vcpu);
    const struct { X86SegId seg; uint16_t sel; } both[2] = { { X86_CS, cs | 3u }, { X86_SS, ss | 3u } };
    uint32_t fault = 0;
    uint64_t d[2] = { 0, 0 };

    for (unsigned i = 0; i < 2 && !fault; i++) {
        unsigned vector = descriptor(s, both[i].sel, &d[i]) ? check(both[i].seg, both[i].sel, (uint32_t)(d[i] >> 32)) : X86_EXC_GP;
        fault = vector ? x86_user_fault(vector, both[i].sel & 0xfffcu) : 0;
    }
    if (!fault) {
        set(t->vcpu, X86_CS, both[0].sel, d[0]);
        set(t->vcpu, X86_SS, both[1].sel, d[1]);
        s->pc = d[0] >> 32 & X86_ATTR_L ? ip : (uint32_t)(s->seg_base[X86_CS] + ip);
        return;
    }
    s->seg_sel[X86_CS] = both[0].sel;
    s->seg_sel[X86_SS] = both[1].sel;
    s->pc = s->seg_base[X86_CS] + ip;
    signal_raise_sync(t, (fault & 0xff) == X86_EXC_GP ? SIGSEGV : SIGBUS, SI_KERNEL, 0);
    t->sync_fault = fault;
}
