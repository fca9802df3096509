/*
 * kvm.h: the accelerator that runs vCPUs on the host's own virtualization (Linux KVM), as boards, devices and targets
 * see it. Facts: Linux Documentation/virt/kvm/api.rst.
 *
 * Where the interrupt controllers are is the machine's kernel-irqchip property: all in the kernel, only the local APICs
 * ("split"), or all of ours. A board asks kvm_irqchip() and connects its lines to kvm_set_irq() where it must.
 *
 * Threads: BQL, except kvm_set_irq(), kvm_send_msi() and what a target does in the vCPU's thread.
 */
#ifndef ACCEL_KVM_H
#define ACCEL_KVM_H

#include "accel/accel.h"

struct kvm_run;

typedef enum KvmIrqchip { KVM_IRQCHIP_OFF, KVM_IRQCHIP_SPLIT, KVM_IRQCHIP_ON } KvmIrqchip;

/* What a guest architecture does for KVM: Target.kvm. All in the vCPU's thread but vm_init. */
typedef struct KvmTargetOps {
    /* After KVM_CREATE_VM, before the first vCPU: identity map, irqchip, PIT… */
    bool (*vm_init)(Machine *machine, int vm_fd, KvmIrqchip irqchip, Error **errp);
    /* CPUID, MSR list, first registers. The fd and the run area are there. */
    bool (*vcpu_init)(Vcpu *vcpu, Error **errp);
    /* Registers are those of a reset: what a reset changes in the kernel besides is put, too. */
    void (*reset)(Vcpu *vcpu);
    /* Between the kernel's registers and the target's state struct. */
    bool (*get_state)(Vcpu *vcpu, Error **errp);
    bool (*put_state)(Vcpu *vcpu, Error **errp);
    /* Right before and after KVM_RUN. before: false when the vCPU is not to run now (halted, waits for start-up). */
    bool (*before_run)(Vcpu *vcpu);
    void (*after_run)(Vcpu *vcpu);
    /* An exit that is not common: true when it was handled. */
    bool (*handle_exit)(Vcpu *vcpu);
    /* Guest debugging: KVM_SET_GUEST_DEBUG from what gdb has set. */
    bool (*update_debug)(Vcpu *vcpu, Error **errp);
    bool (*debug_exit)(Vcpu *vcpu);   /* true: it is gdb's; false: the guest's, which got it */
    /* All vCPUs stand; they are about to go on. BQL. */
    void (*vm_paused)(Machine *machine);
    void (*vm_resumed)(Machine *machine);
} KvmTargetOps;

/* -- for targets ------------------------------------------------------------------------------------- */

int kvm_vm_ioctl(unsigned long request, void *arg);              /* negative errno on failure */
int kvm_vcpu_ioctl(Vcpu *vcpu, unsigned long request, void *arg);
int kvm_system_ioctl(unsigned long request, void *arg);
int kvm_check_extension(int capability);                       /* of the VM when there is one */
bool kvm_enable_cap(int capability, uint64_t arg0);
struct kvm_run *kvm_run_area(Vcpu *vcpu);
/* A view of memory as the guest's: its RAM and ROM become memory slots. SMM's is seen by processors in that mode. */
enum { KVM_SPACE_NORMAL, KVM_SPACE_SMM, KVM_N_SPACES };
void kvm_add_space(AddressSpace *as, unsigned space);
/* The state struct is brought up to date, and written back before the vCPU runs again. In its thread, or while it stands. */
void kvm_sync_state(Vcpu *vcpu);
/* gdb's points, for update_debug. */
typedef struct KvmDebugPoint { vaddr addr; uint64_t size_bytes; bool read, write; } KvmDebugPoint;
const KvmDebugPoint *kvm_watchpoints(size_t *n);
const vaddr *kvm_breakpoints(size_t *n);

/* -- for boards ---------------------------------------------------------------------------------------- */

static inline bool kvm_enabled(const AccelOps *accel) { return accel && accel->name[0] == 'k'; }
KvmIrqchip kvm_irqchip(void);
/* Raises or lowers a global system interrupt of the in-kernel controllers. Any thread. */
void kvm_set_irq(unsigned gsi, int level);
/* Any thread; false: nobody took it. */
bool kvm_send_msi(uint64_t address, uint32_t data);
/* Of a split irqchip: input `gsi` of a board's I/O APIC sends this message, or nothing. At once. */
void kvm_route_pin(unsigned gsi, bool present, uint64_t address, uint32_t data);
/* The routing table of an in-kernel or split irqchip; commit makes it the kernel's. */
void kvm_route_irqchip(unsigned gsi, unsigned chip, unsigned pin);
void kvm_route_commit(void);
/* Messages: a new GSI for this one (gsi -1), or another message for a GSI; negative when there is none left. Both commit. */
int kvm_route_msi(int gsi, uint64_t address, uint32_t data);
void kvm_route_release(int gsi);
/* A write to the eventfd sends what the GSI is routed to. */
bool kvm_irqfd(int gsi, int fd, bool add);

extern const AccelOps accel_kvm;

#endif
