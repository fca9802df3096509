/*
 * vcpu-thread.h: what the two ways of running vCPUs share: a thread each (mttcg.c) and one for all (single.c).
 */
#ifndef ACCEL_TCG_VCPU_THREAD_H
#define ACCEL_TCG_VCPU_THREAD_H

#include "accel/accel.h"
#include "internal.h"

typedef struct VcpuThread {
    pthread_t thread;
    bool started;
    _Atomic int tid;               /* the host's; 0 until it runs */
    _Atomic bool quit;
    _Atomic(void *) work;          /* a RunOn */
} VcpuThread;

static inline VcpuThread *thread_of(Vcpu *vcpu)
{
    return atomic_load_explicit(&tcg_vcpu(vcpu)->thread, memory_order_acquire);
}

extern pthread_cond_t vcpu_stopped_cond; /* somebody stopped, or work is done */

/* It was asked to stop, to end, or to do some work. */
bool vcpu_must_stop(Vcpu *vcpu);
/* Under the BQL, in its thread. */
void vcpu_do_work(Vcpu *vcpu);
/* What tcg_run() returned. */
void vcpu_handle_exit(Vcpu *vcpu, VcpuExit reason);

#endif
