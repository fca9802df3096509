/*
 * qtest.c: the accelerator "qtest": vCPUs have their registers and execute no instruction; guest time stands still until a test moves it.
 *
 * Threads: BQL; the clock may be read from any thread.
 */
#include <unistd.h>
#include "accel/qtest.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "target/target.h"

static _Atomic int64_t guest_ns;

static int64_t now_ns(void *opaque)
{
    return atomic_load(&guest_ns);
}

void qtest_clock_go(int64_t to_ns)
{
    while (atomic_load(&guest_ns) < to_ns) {
        int64_t first = clock_virtual_deadline_ns();
        atomic_store(&guest_ns, MAX(MIN(first, to_ns), atomic_load(&guest_ns)));
        clock_run_virtual_timers();
        /* One that sets itself for a time that has passed must not hold up the rest: it runs once for each nanosecond. */
        if (first < to_ns && clock_virtual_deadline_ns() <= atomic_load(&guest_ns)) {
            atomic_fetch_add(&guest_ns, 1);
        }
    }
}

static bool available(const char *arch, Error **errp)
{
    return true;
}

static bool set_option(const char *key, const char *value, Error **errp)
{
    error_set(errp, "Property 'qtest-accel.%s' not found", key);
    return false;
}

static void nothing(void)
{
}

static void reset_all(void)
{
    Machine *m = machine_current();

    for (unsigned i = 0; i < m->n_vcpus; i++) {
        m->vcpus[i]->target->cpu_reset(m->vcpus[i]);
    }
}

static void wake(Vcpu *vcpu)
{
}

static bool vcpu_start(Vcpu *vcpu, Error **errp)
{
    vcpu->wake = wake;
    return true;
}

static bool init(Machine *machine, Error **errp)
{
    static const ClockSource clock = { .now_ns = now_ns, .runs_timers = true };

    clock_set_source(&clock);
    machine_set_vcpu_control(&(VcpuControl){ .pause_all = nothing, .resume_all = nothing, .reset_all = reset_all, .start = vcpu_start });
    return true;
}

static int vcpu_thread_id(const Vcpu *vcpu)
{
    return getpid();
}

static void vcpu_stop_thread(Vcpu *vcpu)
{
}

static void for_all(Machine *machine)
{
}

static void run_on(Vcpu *vcpu, void (*fn)(Vcpu *vcpu, void *opaque), void *opaque)
{
    fn(vcpu, opaque);
}

static bool breakpoint(Machine *machine, vaddr pc, bool insert, Error **errp)
{
    error_set(errp, "no instructions are executed");
    return false;
}

static bool watchpoint(Machine *machine, vaddr addr, uint64_t size_bytes, bool read, bool write, bool insert, Error **errp)
{
    return breakpoint(machine, addr, insert, errp);
}

const AccelOps accel_qtest = {
    .name = "qtest",
    .summary = "nothing is executed; for tests of devices",
    .unlisted = true,
    .available = available,
    .set_option = set_option,
    .init = init,
    .vcpu_start = vcpu_start,
    .vcpu_thread_id = vcpu_thread_id,
    .vcpu_stop_thread = vcpu_stop_thread,
    .pause_all = for_all,
    .resume_all = for_all,
    .run_on = run_on,
    .breakpoint = breakpoint,
    .watchpoint = watchpoint,
};
