/*
 * runstate.c: whether the machine runs, and requests to change that.
 *
 * Requests are atomic words set from any thread or signal handler and an eventfd
 * that wakes the default GMainContext; machine_process_requests() carries them out.
 * Everything else: BQL.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "softmmu/bql.h"
#include "softmmu/machine.h"
#include "softmmu/runstate-internal.h"
#include "util/trace.h"
#include <glib-unix.h> /* after ours: it redefines MIN and MAX alike */

static const char *const state_names[] = {
#define STATE_NAME(name, text) text,
    RUN_STATES(STATE_NAME)
#undef STATE_NAME
};

static const char *const cause_names[] = {
#define CAUSE_NAME(name, text) text,
    SHUTDOWN_CAUSES(CAUSE_NAME)
#undef CAUSE_NAME
};

typedef struct ChangeHandler {
    VmChangeFn *fn;
    void *opaque;
} ChangeHandler;

typedef struct PowerdownHandler {
    void (*fn)(void *opaque);
    void *opaque;
} PowerdownHandler;

static VEC(ChangeHandler) change_handlers;
static VEC(PowerdownHandler) powerdown_handlers;
static VcpuControl vcpu_control;
static MachineEvents machine_events;
static void (*quit_hook)(int status);

static _Atomic int request_reset, request_shutdown, request_stop = -1, request_exit_status = -1;
static _Atomic bool request_powerdown, request_watchdog;
static _Atomic int request_panic; /* 1: panicked, 2: a crash kernel was loaded */
static _Atomic int request_fd = -1;

const char *run_state_name(RunState state)
{
    return state_names[state];
}

const char *shutdown_cause_name(ShutdownCause cause)
{
    return cause_names[cause];
}

bool run_state_is(RunState state)
{
    return machine_current() && machine_current()->state == state;
}

void run_state_set(Machine *m, RunState state)
{
    TRACE("runstate_set", "from %s to %s", run_state_name(m->state), run_state_name(state));
    m->state = state;
}

void vm_add_change_handler(VmChangeFn *fn, void *opaque)
{
    *vec_push(&change_handlers) = (ChangeHandler){ fn, opaque };
}

void vm_remove_change_handler(VmChangeFn *fn, void *opaque)
{
    for (size_t i = 0; i < change_handlers.n; i++) {
        if (change_handlers.at[i].fn == fn && change_handlers.at[i].opaque == opaque) {
            change_handlers.at[i] = change_handlers.at[--change_handlers.n];
            return;
        }
    }
}

void machine_set_vcpu_control(const VcpuControl *control)
{
    vcpu_control = *control;
}

void vcpu_control_reset_all(void)
{
    if (vcpu_control.reset_all) {
        vcpu_control.reset_all();
    }
}

void vcpu_control_pause_all(void)
{
    if (vcpu_control.pause_all) {
        vcpu_control.pause_all();
    }
}

void vcpu_control_resume_all(void)
{
    if (vcpu_control.resume_all) {
        vcpu_control.resume_all();
    }
}

bool vcpu_control_start(struct Vcpu *vcpu, Error **errp)
{
    return !vcpu_control.start || vcpu_control.start(vcpu, errp);
}

static void change_notify(bool running, RunState state)
{
    TRACE("vm_state_notify", "running %d state %s", running, run_state_name(state));
    for (size_t i = 0; i < change_handlers.n; i++) {
        change_handlers.at[i].fn(change_handlers.at[i].opaque, running, state);
    }
}

void vm_start(Machine *m)
{
    if (m->running) {
        return;
    }
    m->running = true;
    run_state_set(m, RUN_STATE_RUNNING);
    clock_virtual_run(true);
    change_notify(true, RUN_STATE_RUNNING);
    if (vcpu_control.resume_all) {
        vcpu_control.resume_all();
    }
    if (machine_events.resume) {
        machine_events.resume();
    }
}

void vm_stop(Machine *m, RunState state)
{
    if (m->state == RUN_STATE_SUSPENDED && state == RUN_STATE_PAUSED) {
        return; /* its vCPUs stand still already */
    }
    if (!m->running) {
        run_state_set(m, state);
        return;
    }
    if (vcpu_control.pause_all) {
        vcpu_control.pause_all();
    }
    m->running = false;
    clock_virtual_run(false);
    run_state_set(m, state);
    change_notify(false, state);
    if (machine_events.stop) {
        machine_events.stop();
    }
}

/* --- requests --- */

static gboolean request_dispatch(gint fd, GIOCondition condition, gpointer data)
{
    uint64_t count;

    if (read(fd, &count, sizeof(count)) == sizeof(count)) {
        bool took = bql_enter();
        if (machine_current()) {
            machine_process_requests(machine_current());
        }
        bql_leave(took);
    }
    return G_SOURCE_CONTINUE;
}

void machine_wake_loop(void)
{
    int fd = atomic_load(&request_fd);
    uint64_t one = 1;

    /* A full counter is a wake-up too. */
    while (fd >= 0 && write(fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

void machine_set_quit_hook(void (*quit)(int status))
{
    quit_hook = quit;
    if (request_fd < 0) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        atomic_store(&request_fd, fd);
        g_unix_fd_add(fd, G_IO_IN, request_dispatch, NULL);
        machine_wake_loop(); /* requests made before now */
    }
}

void machine_request_reset(ShutdownCause cause)
{
    atomic_store(&request_reset, (int)cause);
    machine_wake_loop();
}

void machine_request_shutdown_with(ShutdownCause cause, int exit_status)
{
    atomic_store(&request_exit_status, exit_status);
    atomic_store(&request_shutdown, (int)cause);
    machine_wake_loop();
}

void machine_request_shutdown(ShutdownCause cause)
{
    atomic_store(&request_shutdown, (int)cause);
    machine_wake_loop();
}

void machine_request_powerdown(void)
{
    atomic_store(&request_powerdown, true);
    machine_wake_loop();
}

void machine_request_stop(RunState state)
{
    atomic_store(&request_stop, (int)state);
    machine_wake_loop();
}

void machine_request_watchdog(void)
{
    atomic_store(&request_watchdog, true);
    machine_wake_loop();
}

void machine_request_panic(bool crash_loaded)
{
    atomic_store(&request_panic, crash_loaded ? 2 : 1);
    machine_wake_loop();
}

void machine_add_powerdown(void (*fn)(void *opaque), void *opaque)
{
    *vec_push(&powerdown_handlers) = (PowerdownHandler){ fn, opaque };
}

void machine_set_events(const MachineEvents *events)
{
    machine_events = *events;
}

static void do_shutdown(Machine *m, ShutdownCause cause)
{
    int status = atomic_exchange(&request_exit_status, -1);

    if (machine_events.shutdown) {
        machine_events.shutdown(shutdown_cause_by_guest(cause), cause);
    }
    if (status >= 0) {
        m->exit_status = status;
    }
    if (m->no_shutdown && shutdown_cause_by_guest(cause)) {
        vm_stop(m, RUN_STATE_SHUTDOWN);
        return;
    }
    vm_stop(m, RUN_STATE_SHUTDOWN);
    if (quit_hook) {
        quit_hook(m->exit_status);
    }
}

void machine_process_requests(Machine *m)
{
    if (atomic_exchange(&request_watchdog, false) && machine_events.watchdog) {
        machine_events.watchdog();
    }
    int panic = atomic_exchange(&request_panic, 0);
    if (panic && machine_events.panicked) {
        machine_events.panicked(panic == 2);
    }
    int cause = atomic_exchange(&request_shutdown, 0);

    if (cause) {
        do_shutdown(m, (ShutdownCause)cause);
        return;
    }
    cause = atomic_exchange(&request_reset, 0);
    if (cause && m->no_reboot_action_shutdown && cause == SHUTDOWN_CAUSE_GUEST_RESET) {
        do_shutdown(m, (ShutdownCause)cause);
        return;
    }
    if (cause) {
        bool was_running = m->running;
        if (vcpu_control.pause_all) {
            vcpu_control.pause_all();
        }
        machine_reset(m, RESET_COLD);
        if (!was_running) {
            run_state_set(m, RUN_STATE_PRELAUNCH); /* whatever had ended may start anew */
        } else if (m->state == RUN_STATE_SUSPENDED) {
            run_state_set(m, RUN_STATE_RUNNING);
        }
        if (machine_events.reset) {
            machine_events.reset(shutdown_cause_by_guest((ShutdownCause)cause),
                                 (ShutdownCause)cause);
        }
        if (was_running && vcpu_control.resume_all) {
            vcpu_control.resume_all();
        }
    }
    if (atomic_exchange(&request_powerdown, false)) {
        if (machine_events.powerdown) {
            machine_events.powerdown();
        }
        for (size_t i = 0; i < powerdown_handlers.n; i++) {
            powerdown_handlers.at[i].fn(powerdown_handlers.at[i].opaque);
        }
    }
    suspend_process(m, &machine_events);
    int stop = atomic_exchange(&request_stop, -1);
    if (stop >= 0) {
        vm_stop(m, (RunState)stop);
    }
}
