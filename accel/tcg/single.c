/*
 * single.c: system mode: one host thread runs all vCPUs in turn (thread=single, -icount).
 *
 * Each gets a slice: with -icount a number of instructions, so that the order of everything is the same in every run;
 * else some time, if there are others to run. What a vCPU has left of its slice when it is disturbed (a kick for
 * another reason, a stop of the machine) it goes on with afterwards.
 *
 * The thread sleeps on a counter of events that everybody advances who may have made a vCPU runnable.
 *
 * Threads: single_wake() any; the rest under the BQL or in the thread.
 */
#include <linux/futex.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "icount.h"
#include "softmmu/bql.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "tlb.h"
#include "vcpu-thread.h"

enum {
    SLICE_INSNS = 50000,    /* -icount */
    SLICE_NS = 2000000,
};

static struct {
    Machine *machine;
    pthread_t thread;
    bool started;
    _Atomic int tid;
    _Atomic uint32_t events;
    _Atomic(Vcpu *) running;   /* in a slice that time ends */
    _Atomic bool slice_over;
    _Atomic bool timer_armed;
    Timer timer;
    unsigned turn;
    uint32_t left_insns;       /* of the slice of `turn` */
} single;

static __thread bool in_thread;

bool single_is_current(void)
{
    return in_thread;
}

int single_thread_id(void)
{
    return atomic_load(&single.tid);
}

void single_wake(void)
{
    atomic_fetch_add(&single.events, 1);
    syscall(SYS_futex, &single.events, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}


/* ---- slices by time ---- */

/* Main loop. */
static void slice_expired(void *opaque)
{
    atomic_store(&single.timer_armed, false);
    Vcpu *vcpu = atomic_load(&single.running);
    if (vcpu) {
        atomic_store(&single.slice_over, true);
        atomic_store(&tcg_vcpu(vcpu)->leave_request, true);
        vcpu_kick(vcpu);
    }
}

static void arm_slice(void)
{
    if (!atomic_exchange(&single.timer_armed, true)) {
        timer_set_ns(&single.timer, clock_get_ns(VM_CLOCK_REALTIME) + SLICE_NS);
    }
}

/* A halted one was kicked: whoever runs shares from now on. */
static void wake_vcpu(Vcpu *vcpu)
{
    single_wake();
    if (!icount_enabled() && atomic_load(&single.running)) {
        arm_slice();
    }
}

static bool others_want(const Vcpu *self)
{
    Machine *m = single.machine;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        Vcpu *vcpu = m->vcpus[i];
        if (vcpu != self && !atomic_load(&vcpu->stopped)
            && (!atomic_load(&vcpu->halted) || vcpu->target->has_work(vcpu))) {
            return true;
        }
    }
    return false;
}

static VcpuExit run_timed(Vcpu *vcpu)
{
    atomic_store(&single.slice_over, false);
    atomic_store(&single.running, vcpu);
    if (others_want(vcpu)) {
        arm_slice();
    }
    VcpuExit reason = tcg_run(vcpu);
    atomic_store(&single.running, NULL);
    return reason;
}

static VcpuExit run_counted(Vcpu *vcpu)
{
    bool alone = single.machine->n_vcpus == 1;
    /* With nobody to take turns with, where a slice ends means nothing, and it need not be exact. */
    if (!single.left_insns || alone) {
        single.left_insns = SLICE_INSNS;
    }
    icount_slice_begin(vcpu, single.left_insns, !alone);
    VcpuExit reason = tcg_run(vcpu);
    uint32_t n = icount_slice_end(vcpu);
    single.left_insns -= MIN(n, single.left_insns);
    return reason;
}

/* ---- the thread ---- */

static void next_turn(void)
{
    single.turn = (single.turn + 1) % single.machine->n_vcpus;
    single.left_insns = 0;
}

/* Work and stops, for all at once, so that all stop and go on at the same place. False: every vCPU has ended. */
static bool serve(void)
{
    Machine *m = single.machine;
    bool look = false, alive = false;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        Vcpu *vcpu = m->vcpus[i];
        look |= thread_of(vcpu) && (vcpu_must_stop(vcpu) || atomic_load(&vcpu->stopped));
    }
    if (!look) {
        return true;
    }
    bql_lock();
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        Vcpu *vcpu = m->vcpus[i];
        if (!thread_of(vcpu)) {
            continue;
        }
        vcpu_do_work(vcpu);
        bool stop = atomic_load(&vcpu->stop_request);
        if (atomic_exchange(&vcpu->stopped, stop) != stop) {
            pthread_cond_broadcast(&vcpu_stopped_cond);
        }
        alive |= !atomic_load(&thread_of(vcpu)->quit);
    }
    bql_unlock();
    return alive;
}

static bool runnable(Vcpu *vcpu)
{
    if (!thread_of(vcpu) || atomic_load(&vcpu->stopped) || atomic_load(&thread_of(vcpu)->quit)) {
        return false;
    }
    if (!atomic_load(&vcpu->halted)) {
        return true;
    }
    atomic_store(&vcpu->jit.exit_request, 0);
    tlb_requests(tcg_vcpu(vcpu));
    if (!vcpu->target->has_work(vcpu)) {
        return false;
    }
    atomic_store(&vcpu->halted, false);
    return true;
}

/* The one whose turn it is, else the next that can. */
static Vcpu *pick(void)
{
    Machine *m = single.machine;
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        Vcpu *vcpu = m->vcpus[single.turn];
        if (runnable(vcpu)) {
            return vcpu;
        }
        next_turn();
    }
    return NULL;
}

static void idle(uint32_t seen)
{
    bool stopped = true;
    for (unsigned i = 0; i < single.machine->n_vcpus; i++) {
        stopped &= atomic_load(&single.machine->vcpus[i]->stopped);
    }
    if (icount_enabled() && !stopped) {
        icount_idle(&single.events, seen);
    } else {
        syscall(SYS_futex, &single.events, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    }
}

static void *single_thread(void *opaque)
{
    in_thread = true;
    pthread_setname_np(pthread_self(), "ALL CPUs/TCG");
    atomic_store(&single.tid, (int)syscall(SYS_gettid));
    for (;;) {
        uint32_t seen = atomic_load(&single.events);
        if (!serve()) {
            return NULL;
        }
        Vcpu *vcpu = pick();
        if (!vcpu) {
            idle(seen);
            continue;
        }
        VcpuExit reason = icount_enabled() ? run_counted(vcpu) : run_timed(vcpu);
        vcpu_handle_exit(vcpu, reason);
        bool over = icount_enabled() ? !single.left_insns : atomic_load(&single.slice_over);
        if (over || reason == VCPU_EXIT_HALTED) {
            next_turn();
        }
    }
}

/* ---- control, under the BQL ---- */

bool single_vcpu_start(Vcpu *vcpu, Error **errp)
{
    if (!single.started) {
        single.machine = vcpu->machine;
        timer_init(&single.timer, VM_CLOCK_REALTIME, slice_expired, NULL);
        tcg.wake = wake_vcpu;
        int err = pthread_create(&single.thread, NULL, single_thread, NULL);
        if (err) {
            error_set_errno(errp, err, "cannot start the thread of the vCPUs");
            return false;
        }
        single.started = true;
    }
    single_wake();
    return true;
}

/* The last one takes the thread with it. */
void single_vcpu_stop(Vcpu *vcpu)
{
    Machine *m = single.machine;
    bool last = true;
    atomic_store(&thread_of(vcpu)->quit, true);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        last &= !thread_of(m->vcpus[i]) || atomic_load(&thread_of(m->vcpus[i])->quit);
    }
    atomic_store(&tcg_vcpu(vcpu)->leave_request, true);
    vcpu_kick(vcpu);
    single_wake();
    if (last) {
        bool held = bql_held();
        if (held) {
            bql_unlock();
        }
        pthread_join(single.thread, NULL);
        if (held) {
            bql_lock();
        }
        single.started = false;
    }
}
