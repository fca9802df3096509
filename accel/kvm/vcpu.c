/*
 * vcpu.c: a thread per vCPU around KVM_RUN; start, stop, halt, and work in the vCPU's thread.
 *
 * A vCPU runs without any lock and takes the BQL for device accesses (the memory core does) and to stop. A kick sets immediate_exit and
 * sends the thread a signal whose handler does nothing, so that a run under way, or one about to begin, ends.
 * Vcpu.wake makes vcpu_kick() always come here. A kick that comes before KVM_RUN is not lost: the requests are cleared first.
 */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kvm-int.h"
#include "softmmu/bql.h"
#include "softmmu/memory.h"
#include "target/target.h"

typedef struct KvmWork {
    void (*fn)(Vcpu *vcpu, void *opaque);
    void *opaque;
    bool done;
} KvmWork;

enum { KICK_SIGNAL = SIGUSR1 };

static pthread_cond_t stopped_cond = PTHREAD_COND_INITIALIZER, resume_cond = PTHREAD_COND_INITIALIZER;
static __thread Vcpu *current;

struct kvm_run *kvm_run_area(Vcpu *vcpu)
{
    return kvm_of(vcpu)->run;
}

void kvm_sync_state(Vcpu *vcpu)
{
    KvmVcpu *k = kvm_of(vcpu);
    Error *err = NULL;

    if (k && !k->state_here) {
        if (!kvm.ops->get_state(vcpu, &err)) {
            error_report_free(err);
        }
        k->state_here = true;
    }
}

static bool must_stop(KvmVcpu *k)
{
    return atomic_load(&k->vcpu->stop_request) || atomic_load(&k->quit) || atomic_load(&k->work);
}

static void do_work(KvmVcpu *k)
{
    KvmWork *work = atomic_exchange(&k->work, NULL);

    if (work) {
        work->fn(k->vcpu, work->opaque);
        work->done = true;
        pthread_cond_broadcast(&stopped_cond);
    }
}

static void wait_while_stopped(KvmVcpu *k)
{
    Vcpu *vcpu = k->vcpu;

    bql_lock();
    kvm_sync_state(vcpu);
    do_work(k);
    while (atomic_load(&vcpu->stop_request) && !atomic_load(&k->quit)) {
        if (!atomic_exchange(&vcpu->stopped, true)) {
            pthread_cond_broadcast(&stopped_cond);
        }
        bql_wait(&resume_cond);
        do_work(k);
    }
    atomic_store(&vcpu->stopped, false);
    bql_unlock();
}

static void fail(Vcpu *vcpu, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(Vcpu *vcpu, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    error_report("KVM: vCPU %d: %s", vcpu->index, text);
    bql_lock();
    machine_request_stop(RUN_STATE_INTERNAL_ERROR);
    atomic_store(&vcpu->stop_request, true);
    bql_unlock();
}

static void mmio(Vcpu *vcpu, struct kvm_run *run)
{
    unsigned n = run->mmio.len;

    if (run->mmio.is_write) {
        memory_write(vcpu->as, run->mmio.phys_addr, run->mmio.data, n, MEM_ATTRS_NONE);
    } else {
        memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
        memory_read(vcpu->as, run->mmio.phys_addr, run->mmio.data, n, MEM_ATTRS_NONE);
    }
}

static void debug_stop(Vcpu *vcpu)
{
    bql_lock();
    kvm_sync_state(vcpu);
    atomic_store(&vcpu->stop_request, true);
    if (accel_hooks.debug_stop) {
        accel_hooks.debug_stop(vcpu);
    }
    bql_unlock();
}

static void handle_exit(Vcpu *vcpu, struct kvm_run *run)
{
    switch (run->exit_reason) {
    case KVM_EXIT_MMIO:
        mmio(vcpu, run);
        break;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        break;
    case KVM_EXIT_SHUTDOWN:
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        if (run->system_event.type == KVM_SYSTEM_EVENT_RESET) {
            machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
        } else {
            machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
        }
        break;
    case KVM_EXIT_DEBUG:
        if (kvm.ops->debug_exit(vcpu)) {
            debug_stop(vcpu);
        }
        break;
    case KVM_EXIT_FAIL_ENTRY:
        fail(vcpu, "the processor refuses to enter the guest: hardware reason 0x%" PRIx64,
             (uint64_t)run->fail_entry.hardware_entry_failure_reason);
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        fail(vcpu, run->internal.suberror == 1 ? "an instruction that KVM cannot emulate" : "internal error %u of the kernel",
             run->internal.suberror);
        break;
    default:
        if (!kvm.ops->handle_exit(vcpu)) {
            fail(vcpu, "unknown exit %u", run->exit_reason);
        }
    }
}

static void run_once(KvmVcpu *k)
{
    Vcpu *vcpu = k->vcpu;
    Error *err = NULL;

    atomic_store(&vcpu->jit.exit_request, 0);
    atomic_store((_Atomic uint8_t *)&k->run->immediate_exit, 0);
    if (must_stop(k)) {
        return;
    }
    if (!kvm.ops->before_run(vcpu)) {
        syscall(SYS_futex, &vcpu->jit.exit_request, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        return;
    }
    if (k->debug_changed || vcpu->single_step) {
        k->debug_changed = vcpu->single_step;
        if (!kvm.ops->update_debug(vcpu, &err)) {
            fail(vcpu, "%s", error_message(err));
            error_free(err);
            return;
        }
    }
    if (k->state_here) {
        if (!kvm.ops->put_state(vcpu, &err)) {
            fail(vcpu, "%s", error_message(err));
            error_free(err);
            return;
        }
        k->state_here = false;
    }
    int r = ioctl(k->fd, KVM_RUN, NULL), e = errno;
    kvm.ops->after_run(vcpu);
    kvm_flush_ring();
    if (r < 0 && e != EINTR && e != EAGAIN) {
        fail(vcpu, "KVM_RUN: %s", strerror(e));
    } else if (r >= 0) {
        handle_exit(vcpu, k->run);
    }
}

static void no_handler(int sig)
{
}

static void *vcpu_thread(void *opaque)
{
    KvmVcpu *k = opaque;
    char name[16];
    sigset_t set;

    snprintf(name, sizeof(name), "CPU %d/KVM", k->vcpu->index);
    pthread_setname_np(pthread_self(), name);
    sigemptyset(&set);
    sigaddset(&set, KICK_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    atomic_store(&k->tid, (int)syscall(SYS_gettid));
    current = k->vcpu;
    while (!atomic_load(&k->quit)) {
        if (must_stop(k)) {
            wait_while_stopped(k);
        } else {
            run_once(k);
        }
    }
    return NULL;
}

static void wake(Vcpu *vcpu)
{
    KvmVcpu *k = kvm_of(vcpu);

    if (!k || !k->started) {
        return;
    }
    atomic_store((_Atomic uint8_t *)&k->run->immediate_exit, 1);
    syscall(SYS_futex, &vcpu->jit.exit_request, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    if (vcpu != current && atomic_load(&k->tid)) {
        syscall(SYS_tgkill, getpid(), atomic_load(&k->tid), KICK_SIGNAL);
    }
}

bool kvm_vcpu_start(Vcpu *vcpu, Error **errp)
{
    KvmVcpu *k = xnew(KvmVcpu);
    struct sigaction act = { .sa_handler = no_handler };

    *k = (KvmVcpu){ .vcpu = vcpu, .fd = kvm_vm_ioctl(KVM_CREATE_VCPU, (void *)(intptr_t)vcpu->index), .run_bytes = kvm.run_bytes,
                    .state_here = true };
    if (k->fd < 0) {
        error_set_errno(errp, -k->fd, "KVM cannot make vCPU %d", vcpu->index);
        free(k);
        return false;
    }
    k->run = mmap(NULL, k->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, 0);
    if (k->run == MAP_FAILED) {
        error_set_errno(errp, errno, "cannot map the state of vCPU %d", vcpu->index);
        close(k->fd);
        free(k);
        return false;
    }
    vcpu->kvm = k;
    vcpu->wake = wake;
    atomic_store(&vcpu->stop_request, true);
    if (!kvm.ops->vcpu_init(vcpu, errp)) {
        return false;
    }
    sigaction(KICK_SIGNAL, &act, NULL);
    int err = pthread_create(&k->thread, NULL, vcpu_thread, k);
    if (err) {
        error_set_errno(errp, err, "cannot start the thread of vCPU %d", vcpu->index);
        return false;
    }
    k->started = true;
    return true;
}

int kvm_vcpu_thread_id(const Vcpu *vcpu)
{
    return vcpu->kvm ? atomic_load(&vcpu->kvm->tid) : 0;
}

void kvm_vcpu_stop_thread(Vcpu *vcpu)
{
    KvmVcpu *k = kvm_of(vcpu);

    if (!k || !k->started) {
        return;
    }
    atomic_store(&k->quit, true);
    vcpu_kick(vcpu);
    pthread_cond_broadcast(&resume_cond);
    bool held = bql_held();
    if (held) {
        bql_unlock();
    }
    pthread_join(k->thread, NULL);
    if (held) {
        bql_lock();
    }
    k->started = false;
    munmap(k->run, k->run_bytes);
    close(k->fd);
}

void kvm_pause_all(Machine *machine)
{
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        atomic_store(&machine->vcpus[i]->stop_request, true);
        vcpu_kick(machine->vcpus[i]);
    }
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        Vcpu *vcpu = machine->vcpus[i];
        while (vcpu != current && kvm_of(vcpu) && kvm_of(vcpu)->started && !atomic_load(&vcpu->stopped)) {
            bql_wait(&stopped_cond);
        }
    }
    if (kvm.ops->vm_paused) {
        kvm.ops->vm_paused(machine);
    }
}

void kvm_resume_all(Machine *machine)
{
    if (kvm.ops->vm_resumed) {
        kvm.ops->vm_resumed(machine);
    }
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        atomic_store(&machine->vcpus[i]->stop_request, false);
    }
    pthread_cond_broadcast(&resume_cond);
}

void kvm_run_on(Vcpu *vcpu, void (*fn)(Vcpu *vcpu, void *opaque), void *opaque)
{
    KvmVcpu *k = kvm_of(vcpu);

    if (vcpu == current || !k || !k->started) {
        fn(vcpu, opaque);
        return;
    }
    KvmWork work = { .fn = fn, .opaque = opaque };
    void *none = NULL;
    while (!atomic_compare_exchange_strong(&k->work, &none, &work)) {
        none = NULL;
        bql_wait(&stopped_cond);
    }
    vcpu_kick(vcpu);
    pthread_cond_broadcast(&resume_cond);
    while (!work.done) {
        bql_wait(&stopped_cond);
    }
}

/* Machine reset: the vCPUs are stopped, or not started. */
void kvm_reset_all(void)
{
    for (unsigned i = 0; i < kvm.machine->n_vcpus; i++) {
        Vcpu *vcpu = kvm.machine->vcpus[i];
        vcpu->target->cpu_reset(vcpu);
        if (kvm.ops->reset) {
            kvm.ops->reset(vcpu);
        }
        if (kvm_of(vcpu)) {
            kvm_of(vcpu)->state_here = true;
        }
    }
}
