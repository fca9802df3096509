/*
 * kvm-debug.c: x86 guest debugging under KVM: gdb's points in the processor's debug registers, single steps.
 *
 * Facts: Linux Documentation/virt/kvm/api.rst, KVM_SET_GUEST_DEBUG; SDM volume 3, 18.2. With USE_HW_BP the guest's own debug registers
 * are out of force; while nothing is set its exceptions are its own business. Threads: the vCPU's own.
 */
#include "target/x86/kvm.h"

enum { N_DR = 4, DR7_FIXED = 0x400, DR7_GLOBAL = 2, KIND_WRITE = 1, KIND_ACCESS = 3 };
#define DR6_BS BIT(14)

bool x86_kvm_update_debug(Vcpu *vcpu, Error **errp)
{
    static const uint8_t length[9] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };
    struct kvm_guest_debug dbg = { 0 };
    size_t n;
    unsigned reg = 0;
    uint64_t dr7 = DR7_FIXED;
    const KvmDebugPoint *watch = kvm_watchpoints(&n);

    if (vcpu->single_step) {
        dbg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
        if (!vcpu->step_takes_irqs && (kvm_check_extension(KVM_CAP_SET_GUEST_DEBUG2) & KVM_GUESTDBG_BLOCKIRQ)) {
            dbg.control |= KVM_GUESTDBG_BLOCKIRQ;
        }
    }
    for (size_t i = 0; i < n && reg < N_DR; i++, reg++) {
        dbg.arch.debugreg[reg] = watch[i].addr;
        dr7 |= (uint64_t)DR7_GLOBAL << (2 * reg) | (uint64_t)(watch[i].read ? KIND_ACCESS : KIND_WRITE) << (16 + 4 * reg) |
               (uint64_t)length[watch[i].size_bytes] << (18 + 4 * reg);
    }
    const vaddr *pc = kvm_breakpoints(&n);
    for (size_t i = 0; i < n && reg < N_DR; i++, reg++) {
        dbg.arch.debugreg[reg] = pc[i];
        dr7 |= (uint64_t)DR7_GLOBAL << (2 * reg);
    }
    if (reg) {
        dbg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
        dbg.arch.debugreg[7] = dr7;
    }
    return !x86_kvm_failed("KVM: guest debugging", kvm_vcpu_ioctl(vcpu, KVM_SET_GUEST_DEBUG, &dbg), errp);
}

/* The guest set TF itself: its debugger gets the exception that KVM has taken away. */
static void give_back(Vcpu *vcpu, uint64_t dr6)
{
    X86State *s = x86_state(vcpu);
    struct kvm_vcpu_events *ev = &x86_kvm(vcpu)->events;

    kvm_sync_state(vcpu);
    s->dr[6] |= dr6;
    ev->exception.injected = 1;
    ev->exception.nr = DB_VECTOR;
    ev->exception.has_error_code = 0;
}

bool x86_kvm_debug_exit(Vcpu *vcpu)
{
    const struct kvm_debug_exit_arch *d = &kvm_run_area(vcpu)->debug.arch;
    size_t n, n_breakpoints;
    const KvmDebugPoint *watch = kvm_watchpoints(&n);

    kvm_breakpoints(&n_breakpoints);
    if (d->exception == DB_VECTOR) {
        for (size_t i = 0; i < n; i++) {
            if (d->dr6 & BIT(i)) {
                vcpu->watch_hit = true;
                vcpu->watch_addr = watch[i].addr;
                return true;
            }
        }
        if (d->dr6 & (BIT(n + n_breakpoints) - 1)) {
            return true;
        }
        if ((d->dr6 & DR6_BS) && vcpu->single_step) {
            return true;
        }
        give_back(vcpu, d->dr6);
        return false;
    }
    return true;
}
