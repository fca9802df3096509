/*
 * mttcg.c: system mode: one host thread per vCPU (all in one: single.c); start, stop, halt, and the accelerator's table.
 *
 * A vCPU thread runs guest code without any lock. To stop, it takes the BQL, says so and waits; pausing waits
 * for that with the BQL released, since a vCPU may need it for a device access before it can stop. A
 * halted vCPU waits on the futex that is its exit_request.
 *
 * Threads: AccelOps under the BQL.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "softmmu/bql.h"
#include "softmmu/machine.h"
#include "util/parse.h"
#include "icount.h"
#include "tlb.h"
#include "vcpu-thread.h"

typedef struct RunOn {
    void (*fn)(Vcpu *vcpu, void *opaque);
    void *opaque;
    bool done;
} RunOn;

AccelHooks accel_hooks;

pthread_cond_t vcpu_stopped_cond = PTHREAD_COND_INITIALIZER;
static pthread_cond_t resume_cond = PTHREAD_COND_INITIALIZER;
static __thread Vcpu *current_vcpu;
static Machine *the_machine;
static TcgOptions options;
static bool options_single, options_multi;

/* ---- the thread ---- */

bool vcpu_must_stop(Vcpu *vcpu)
{
    VcpuThread *t = thread_of(vcpu);
    return atomic_load(&vcpu->stop_request) || atomic_load(&t->quit) || atomic_load(&t->work);
}

void vcpu_do_work(Vcpu *vcpu)
{
    RunOn *work = atomic_exchange(&thread_of(vcpu)->work, NULL);
    if (work) {
        work->fn(vcpu, work->opaque);
        work->done = true;
        pthread_cond_broadcast(&vcpu_stopped_cond);
    }
}

static void wait_while_stopped(Vcpu *vcpu)
{
    VcpuThread *t = thread_of(vcpu);
    bql_lock();
    vcpu_do_work(vcpu);
    while (atomic_load(&vcpu->stop_request) && !atomic_load(&t->quit)) {
        if (!atomic_exchange(&vcpu->stopped, true)) {
            pthread_cond_broadcast(&vcpu_stopped_cond);
        }
        bql_wait(&resume_cond);
        vcpu_do_work(vcpu);
    }
    atomic_store(&vcpu->stopped, false);
    bql_unlock();
}

static void futex_wait(Vcpu *vcpu, const struct timespec *timeout)
{
    syscall(SYS_futex, &vcpu->jit.exit_request, FUTEX_WAIT_PRIVATE, 0, timeout, NULL, 0);
}

/*
 * An interrupt that is pending but masked ends a halt at once, and firmware that waits for another vCPU's store in
 * such a loop (OpenSBI's harts before they are started) would keep a processor busy. After some rounds it
 * rests, longer each time; a kick (an interrupt raised, even one that is pending already) ends that.
 *
 * The rest is long for a second reason. OpenSBI before 1.2 marks a hart as started before it writes where it is to
 * go, and sends the interrupt last: a hart that polls sees the mark early and enters the kernel's boot path a second
 * time. One that rests until the interrupt does not.
 */
static void rest_if_spinning(Vcpu *vcpu)
{
    enum { MAX_SPINS = 64, REST_NS = 200 * 1000, MAX_DOUBLINGS = 9 };
    TcgVcpu *tv = tcg_vcpu(vcpu);
    if (vcpu->target->interrupt_pending(vcpu)) {
        tv->idle_spins = 0;
    } else if (++tv->idle_spins > MAX_SPINS) {
        unsigned doublings = MIN(tv->idle_spins - MAX_SPINS - 1, (unsigned)MAX_DOUBLINGS);
        futex_wait(vcpu, &(struct timespec){ .tv_nsec = (long)REST_NS << doublings });
    }
}

/*
 * A lone vCPU that spins waits for time to pass or for a device: both go on without it. After a quarter of a millisecond of nothing but that it
 * rests for a moment again and again, or until it is kicked.
 */
static void rest_in_loop(Vcpu *vcpu)
{
    enum { SPINS = 16, DENSE_NS = SPINS * 1000, MANY = 16, REST_NS = 50 * 1000 };
    TcgVcpu *tv = tcg_vcpu(vcpu);
    if (++tv->n_spins % SPINS) {
        return;
    }
    uint64_t now = tcg_now_ns();
    tv->dense_spins = now - tv->spin_ns < DENSE_NS ? tv->dense_spins + 1 : 0;
    if (tv->dense_spins > MANY) {
        futex_wait(vcpu, &(struct timespec){ .tv_nsec = REST_NS });
        COUNT(tv, rests);
        now = tcg_now_ns();
    }
    tv->spin_ns = now;
}

static void wait_while_halted(Vcpu *vcpu)
{
    for (;;) {
        atomic_store(&vcpu->jit.exit_request, 0);
        if (vcpu_must_stop(vcpu)) {
            return;
        }
        tlb_requests(tcg_vcpu(vcpu));
        if (vcpu->target->has_work(vcpu)) {
            rest_if_spinning(vcpu);
            atomic_store(&vcpu->halted, false);
            return;
        }
        tcg_vcpu(vcpu)->idle_spins = 0;
        futex_wait(vcpu, NULL);
    }
}

void vcpu_handle_exit(Vcpu *vcpu, VcpuExit reason)
{
    switch (reason) {
    case VCPU_EXIT_REQUEST:
        break;
    case VCPU_EXIT_HALTED:
        atomic_store(&vcpu->halted, true);
        break;
    case VCPU_EXIT_DEBUG:
    case VCPU_EXIT_BREAKPOINT:
        bql_lock();
        atomic_store(&vcpu->stop_request, true);
        if (accel_hooks.debug_stop) {
            accel_hooks.debug_stop(vcpu);
        }
        bql_unlock();
        break;
    default:
        error_report("vCPU %d left guest code for reason %d", vcpu->index, (int)reason);
        bql_lock();
        machine_request_stop(RUN_STATE_INTERNAL_ERROR);
        atomic_store(&vcpu->stop_request, true);
        bql_unlock();
        break;
    }
}

static void *vcpu_thread(void *opaque)
{
    Vcpu *vcpu = opaque;
    VcpuThread *t = thread_of(vcpu);
    char name[16];
    snprintf(name, sizeof(name), "CPU %d/TCG", vcpu->index);
    pthread_setname_np(pthread_self(), name);
    atomic_store(&t->tid, (int)syscall(SYS_gettid));
    current_vcpu = vcpu;
    while (!atomic_load(&t->quit)) {
        if (vcpu_must_stop(vcpu)) {
            wait_while_stopped(vcpu);
            continue;
        }
        if (atomic_load(&vcpu->halted)) {
            wait_while_halted(vcpu);
            continue;
        }
        vcpu_handle_exit(vcpu, tcg_run(vcpu));
    }
    return NULL;
}

/* ---- control, under the BQL ---- */

static bool in_one_thread(void)
{
    return options_single || icount_enabled();
}

/* The calling thread runs this vCPU. */
static bool is_own(const Vcpu *vcpu)
{
    return vcpu == current_vcpu || single_is_current();
}

/* Stopped vCPUs look whether they go on. */
static void wake_stopped(void)
{
    pthread_cond_broadcast(&resume_cond);
    if (in_one_thread()) {
        single_wake();
    }
}

static bool start_thread(Vcpu *vcpu, VcpuThread *t, Error **errp)
{
    int err = pthread_create(&t->thread, NULL, vcpu_thread, vcpu);
    if (err) {
        error_set_errno(errp, err, "cannot start the thread of vCPU %d", vcpu->index);
        return false;
    }
    t->started = true;
    return true;
}

static bool tcg_vcpu_start(Vcpu *vcpu, Error **errp)
{
    TcgVcpu *tv = tcg_vcpu(vcpu);
    VcpuThread *t = xnew(VcpuThread);
    vcpu->use_icount = icount_enabled();
    vcpu->spin = in_one_thread() ? NULL : rest_in_loop;
    atomic_store(&vcpu->stop_request, true);
    atomic_store(&tv->thread, t); /* with one thread for all, it looks meanwhile */
    if (!(in_one_thread() ? single_vcpu_start(vcpu, errp) : start_thread(vcpu, t, errp))) {
        atomic_store(&tv->thread, NULL);
        free(t);
        return false;
    }
    return true;
}

static int tcg_vcpu_thread_id(const Vcpu *vcpu)
{
    const VcpuThread *t = thread_of((Vcpu *)vcpu);
    return in_one_thread() ? single_thread_id() : t ? atomic_load(&t->tid) : 0;
}

static void tcg_vcpu_stop_thread(Vcpu *vcpu)
{
    VcpuThread *t = thread_of(vcpu);
    if (!t) {
        return;
    }
    if (in_one_thread()) {
        single_vcpu_stop(vcpu); /* t stays: the thread may still look at it */
        return;
    }
    atomic_store(&t->quit, true);
    atomic_store(&tcg_vcpu(vcpu)->leave_request, true);
    vcpu_kick(vcpu);
    wake_stopped();
    bool held = bql_held();
    if (held) {
        bql_unlock();
    }
    pthread_join(t->thread, NULL);
    if (held) {
        bql_lock();
    }
    atomic_store(&tcg_vcpu(vcpu)->thread, NULL);
    free(t);
}

static void tcg_pause_all(Machine *machine)
{
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        atomic_store(&machine->vcpus[i]->stop_request, true);
        vcpu_kick(machine->vcpus[i]);
    }
    wake_stopped();
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        Vcpu *vcpu = machine->vcpus[i];
        /* A vCPU that asks for it stops as soon as it comes back to its loop. */
        while (!is_own(vcpu) && thread_of(vcpu) && !atomic_load(&vcpu->stopped)) {
            bql_wait(&vcpu_stopped_cond);
        }
    }
}

static void tcg_resume_all(Machine *machine)
{
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        atomic_store(&machine->vcpus[i]->stop_request, false);
    }
    wake_stopped();
}

static void tcg_run_on(Vcpu *vcpu, void (*fn)(Vcpu *vcpu, void *opaque), void *opaque)
{
    if (is_own(vcpu) || !thread_of(vcpu)) {
        fn(vcpu, opaque);
        return;
    }
    RunOn work = { .fn = fn, .opaque = opaque };
    VcpuThread *t = thread_of(vcpu);
    void *none = NULL;
    while (!atomic_compare_exchange_strong(&t->work, &none, &work)) {
        none = NULL;
        bql_wait(&vcpu_stopped_cond);
    }
    atomic_store(&tcg_vcpu(vcpu)->leave_request, true);
    vcpu_kick(vcpu);
    wake_stopped();
    while (!work.done) {
        bql_wait(&vcpu_stopped_cond);
    }
}

static void pause_all(void)
{
    tcg_pause_all(the_machine);
}

static void resume_all(void)
{
    tcg_resume_all(the_machine);
}

/* Machine reset: the vCPUs are stopped, or not started. */
static void reset_all(void)
{
    for (unsigned i = 0; i < the_machine->n_vcpus; i++) {
        Vcpu *vcpu = the_machine->vcpus[i];
        atomic_store(&vcpu->halted, false);
        vcpu->target->cpu_reset(vcpu);
        tlb_flush(vcpu);
        vcpu->jit.monitor_addr = UINT64_MAX;
    }
}

static void memory_changed(MemoryListener *listener)
{
    tlb_flush_all_vcpus(the_machine);
    for (unsigned i = 0; i < the_machine->n_vcpus; i++) {
        if (is_own(the_machine->vcpus[i])) {
            tlb_requests(tcg_vcpu(the_machine->vcpus[i])); /* its own access has changed the map: at once */
        }
    }
}

static void memory_added(MemoryListener *listener, const MemorySection *section)
{
    if (section->mr->ram) {
        tlb_log_code(section->mr->ram);
    }
}

static MemoryListener memory_listener = { .region_add = memory_added, .commit = memory_changed };

/* ---- the table ---- */

static bool tcg_available(const char *arch, Error **errp)
{
    return true;
}

static bool tcg_set_option(const char *key, const char *value, Error **errp)
{
    bool ignored;
    if (!strcmp(key, "tb-size")) {
        uint64_t mib;
        if (!parse_uint(key, value, 2047, &mib, errp)) { /* MiB */
            return false;
        }
        options.cache_bytes = mib * MiB;
        return true;
    }
    if (!strcmp(key, "thread")) {
        if (strcmp(value, "single") && strcmp(value, "multi")) {
            error_set(errp, "invalid 'thread' setting '%s' (single or multi)", value);
            return false;
        }
        options_single = !strcmp(value, "single");
        options_multi = !options_single;
        return true;
    }
    if (!strcmp(key, "one-insn-per-tb")) {
        return parse_bool(key, value, &options.one_insn_per_tb, errp);
    }
    if (!strcmp(key, "interpreter")) {
        return parse_bool(key, value, &options.interpreter, errp);
    }
    if (!strcmp(key, "perfmap")) {
        bool on;
        if (!parse_bool(key, value, &on, errp)) {
            return false;
        }
        options.perfmap_path = on ? "/tmp/perf-%d.map" : NULL;
        return true;
    }
    if (!strcmp(key, "jitdump")) {
        return parse_bool(key, value, &options.jitdump, errp);
    }
    if (!strcmp(key, "split-wx")) {
        return parse_bool(key, value, &ignored, errp); /* always on */
    }
    error_set(errp, "property 'tcg-accel.%s' not found", key);
    return false;
}

static void print_counters(void)
{
    FILE *out = log_lock();
    tcg_counters_print(out);
    icount_print(out);
    log_unlock();
}

static bool tcg_accel_init(Machine *machine, Error **errp)
{
    if (icount_enabled() && options_multi) {
        error_set(errp, "-accel tcg,thread=multi is not possible with -icount: its vCPUs run in turn");
        return false;
    }
    tcg_system = &tcg_system_ops;
    if (!tcg_init(&options, errp)) {
        return false;
    }
    the_machine = machine;
    if (icount_enabled()) {
        icount_start();
    }
    if (log_enabled(LOG_JIT)) {
        atexit(print_counters);
    }
    memory_set_code_hook(ldst_code_written);
    memory_set_watch_hook(tlb_watch_ram);
    memory_listener_add(&memory_listener, &machine->memory);
    machine_set_vcpu_control(&(VcpuControl){ .pause_all = pause_all, .resume_all = resume_all,
                                             .reset_all = reset_all, .start = tcg_vcpu_start });
    return true;
}

static bool tcg_breakpoint(Machine *machine, vaddr pc, bool insert, Error **errp)
{
    if (insert) {
        tcg_breakpoint_insert(machine->vcpus[0], pc);
    } else {
        tcg_breakpoint_remove(machine->vcpus[0], pc);
    }
    return true;
}

static bool tcg_watchpoint(Machine *machine, vaddr addr, uint64_t size_bytes, bool read, bool write,
                           bool insert, Error **errp)
{
    watchpoint_set(addr, size_bytes, read, write, insert);
    tlb_flush_all_vcpus(machine);
    return true;
}

const AccelOps accel_tcg = {
    .name = "tcg",
    .summary = "translation to host code",
    .available = tcg_available,
    .set_option = tcg_set_option,
    .set_icount = icount_configure,
    .init = tcg_accel_init,
    .vcpu_start = tcg_vcpu_start,
    .vcpu_thread_id = tcg_vcpu_thread_id,
    .vcpu_stop_thread = tcg_vcpu_stop_thread,
    .pause_all = tcg_pause_all,
    .resume_all = tcg_resume_all,
    .run_on = tcg_run_on,
    .breakpoint = tcg_breakpoint,
    .watchpoint = tcg_watchpoint,
};

void tcg_invalidate_phys(uint64_t first, uint64_t last)
{
    tcg_guard_enter();
    page_for_range(first >> TCG_PAGE_BITS, last >> TCG_PAGE_BITS, page_invalidate);
    tcg_guard_leave();
}
