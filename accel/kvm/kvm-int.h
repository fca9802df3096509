/*
 * kvm-int.h: shared by the files of accel/kvm.
 */
#ifndef ACCEL_KVM_INT_H
#define ACCEL_KVM_INT_H

#include <linux/kvm.h>
#include <pthread.h>
#include "accel/kvm.h"
#include "softmmu/machine.h"

typedef struct KvmVcpu {
    Vcpu *vcpu;
    int fd;
    struct kvm_run *run;
    size_t run_bytes;
    pthread_t thread;
    bool started;
    _Atomic int tid;               /* the host's; 0 until it runs */
    _Atomic bool quit;
    _Atomic(void *) work;          /* a KvmWork */
    bool state_here;               /* the state struct has the registers; put before the next run */
    bool debug_changed;
} KvmVcpu;

typedef struct KvmVm {
    int fd, vm_fd;
    Machine *machine;
    const KvmTargetOps *ops;
    KvmIrqchip irqchip;
    size_t run_bytes;
} KvmVm;
extern KvmVm kvm;

static inline KvmVcpu *kvm_of(Vcpu *vcpu) { return vcpu->kvm; }

/* events.c */
void kvm_events_init(Machine *machine);
void kvm_flush_ring(void);  /* any thread */
/* vcpu.c */
bool kvm_vcpu_start(Vcpu *vcpu, Error **errp);
int kvm_vcpu_thread_id(const Vcpu *vcpu);
void kvm_vcpu_stop_thread(Vcpu *vcpu);
void kvm_pause_all(Machine *machine);
void kvm_resume_all(Machine *machine);
void kvm_run_on(Vcpu *vcpu, void (*fn)(Vcpu *vcpu, void *opaque), void *opaque);
void kvm_reset_all(void);
/* debug.c */
bool kvm_breakpoint(Machine *machine, vaddr pc, bool insert, Error **errp);
bool kvm_watchpoint(Machine *machine, vaddr addr, uint64_t size_bytes, bool read, bool write, bool insert, Error **errp);

#endif
