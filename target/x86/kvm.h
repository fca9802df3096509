/*
 * kvm.h: x86 under KVM: what the files kvm*.c share, and the local APIC in the kernel as the board sees it.
 */
#ifndef TARGET_X86_KVM_H
#define TARGET_X86_KVM_H

#include <linux/kvm.h>
#include "accel/kvm.h"
#include "target/x86/cpu.h"

/* A local APIC's registers as KVM hands them over: each at 16 times its number. */
typedef struct X86KvmLapic {
    uint64_t base;                     /* IA32_APIC_BASE */
    struct kvm_lapic_state page;
} X86KvmLapic;

static inline uint32_t x86_kvm_lapic_reg(const X86KvmLapic *l, unsigned n)
{
    uint32_t value;
    memcpy(&value, l->page.regs + 16 * n, sizeof(value));
    return value;
}
static inline void x86_kvm_lapic_set_reg(X86KvmLapic *l, unsigned n, uint32_t value)
{
    memcpy(l->page.regs + 16 * n, &value, sizeof(value));
}

/* Asks the kernel, in the vCPU's thread or while that stands; false: it would not say. */
bool x86_kvm_lapic_get(Vcpu *vcpu, X86KvmLapic *ret);
/* The kernel gets it before the vCPU runs again. BQL, the vCPU stands. */
void x86_kvm_lapic_load(Vcpu *vcpu, const X86KvmLapic *lapic);

/* Paravirtual registers (Documentation/virt/kvm/x86/msr.rst), by what they are. */
typedef enum X86KvmMsr {
    KVM_MSR_WALL_CLOCK, KVM_MSR_SYSTEM_TIME, KVM_MSR_ASYNC_PF, KVM_MSR_STEAL_TIME, KVM_MSR_PV_EOI, KVM_MSR_POLL, KVM_MSR_ASYNC_PF_INT,
    KVM_MSR_TSC, KVM_MSR_TSC_DEADLINE, KVM_N_MSRS,
} X86KvmMsr;

/* What KVM has besides X86State; X86State.kvm. */
typedef struct X86Kvm {
    bool smm_view;                     /* the vCPU's memory is that of SMM */
    bool after_reset;                  /* the next put is a reset's: also what runs on by itself (TSC, events, mp_state) */
    struct kvm_vcpu_events events;     /* as read; what X86State has of it is put in before it goes back */
    uint32_t mp_state;
    bool lapic_loaded;
    X86KvmLapic lapic;
    uint64_t msr[KVM_N_MSRS];
    struct kvm_xsave *xsave;           /* as read: components that X86State does not have stay */
    size_t xsave_bytes;
} X86Kvm;

/* Made when first asked for. */
X86Kvm *x86_kvm(Vcpu *vcpu);

/* Sets errp and returns true when r, of an ioctl, is negative. */
bool x86_kvm_failed(const char *what, int r, Error **errp);

/* kvm-state.c */
void x86_kvm_find_msrs(void);
bool x86_kvm_get_state(Vcpu *vcpu, Error **errp);
bool x86_kvm_put_state(Vcpu *vcpu, Error **errp);
/* kvm-cpuid.c: CPUID and the time stamp counter's frequency. */
bool x86_kvm_host_init(const char *arch, Error **errp);
/* The state components that the model and the host have. */
uint64_t x86_kvm_xcr0(const Vcpu *vcpu);
bool x86_kvm_set_cpuid(Vcpu *vcpu, Error **errp);
bool x86_kvm_set_tsc_khz(Vcpu *vcpu, Error **errp);
/* kvm-debug.c */
bool x86_kvm_update_debug(Vcpu *vcpu, Error **errp);
bool x86_kvm_debug_exit(Vcpu *vcpu);

#endif
