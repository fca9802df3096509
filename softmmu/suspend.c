/*
 * suspend.c: suspend to RAM and waking up. See machine.h.
 *
 * While the machine sleeps it counts as running (devices work, the virtual clock goes on); only the vCPUs are paused.
 */
#include <stdatomic.h>

#include "softmmu/machine.h"
#include "softmmu/runstate-internal.h"
#include "util/alloc.h"
#include "util/trace.h"

typedef struct SuspendHandler {
    void (*fn)(void *opaque);
    void *opaque;
} SuspendHandler;

typedef struct WakeupHandler {
    void (*fn)(void *opaque, WakeupReason reason);
    void *opaque;
} WakeupHandler;

static struct {
    VEC(SuspendHandler) suspend;
    VEC(WakeupHandler) wakeup;
    unsigned enabled;       /* a mask of reasons */
    bool can;
    _Atomic bool requested, disk_requested;
    int wake_reason;        /* 1 + reason; 0: none */
} sleep = { .enabled = 1u << WAKEUP_OTHER };

void machine_set_can_suspend(bool can)
{
    sleep.can = can;
}

bool machine_can_suspend(void)
{
    return sleep.can;
}

void machine_add_suspend(void (*fn)(void *opaque), void *opaque)
{
    *vec_push(&sleep.suspend) = (SuspendHandler){ fn, opaque };
}

void machine_add_wakeup(void (*fn)(void *opaque, WakeupReason reason), void *opaque)
{
    *vec_push(&sleep.wakeup) = (WakeupHandler){ fn, opaque };
}

void machine_enable_wakeup(WakeupReason reason, bool on)
{
    sleep.enabled = on ? sleep.enabled | 1u << reason : sleep.enabled & ~(1u << reason);
}

bool machine_wakeup_enabled(WakeupReason reason)
{
    return sleep.enabled >> reason & 1;
}

void machine_request_suspend(void)
{
    atomic_store(&sleep.requested, true);
    machine_wake_loop();
}

void machine_request_suspend_disk(void)
{
    atomic_store(&sleep.disk_requested, true);
    machine_wake_loop();
}

bool machine_request_wakeup(WakeupReason reason, Error **errp)
{
    if (!run_state_is(RUN_STATE_SUSPENDED)) {
        error_set(errp, "Unable to wake up: guest is not in suspended state");
        return false;
    }
    if (machine_wakeup_enabled(reason)) {
        sleep.wake_reason = 1 + (int)reason;
        machine_wake_loop();
    }
    return true;
}

static void fall_asleep(Machine *m, const MachineEvents *events)
{
    TRACE("system_suspend", "%s", "falls asleep");
    vcpu_control_pause_all();
    for (size_t i = 0; i < sleep.suspend.n; i++) {
        sleep.suspend.at[i].fn(sleep.suspend.at[i].opaque);
    }
    sleep.wake_reason = 0;
    run_state_set(m, RUN_STATE_SUSPENDED);
    if (events->suspend) {
        events->suspend();
    }
}

static void wake_up(Machine *m, const MachineEvents *events)
{
    WakeupReason reason = (WakeupReason)(sleep.wake_reason - 1);

    TRACE("system_wakeup", "reason %d", (int)reason);
    sleep.wake_reason = 0;
    machine_reset(m, RESET_WAKEUP);
    for (size_t i = 0; i < sleep.wakeup.n; i++) {
        sleep.wakeup.at[i].fn(sleep.wakeup.at[i].opaque, reason);
    }
    run_state_set(m, RUN_STATE_RUNNING);
    vcpu_control_resume_all();
    if (events->wakeup) {
        events->wakeup();
    }
}

void suspend_process(Machine *m, const MachineEvents *events)
{
    if (atomic_exchange(&sleep.disk_requested, false)) {
        if (events->suspend_disk) {
            events->suspend_disk();
        }
        machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    }
    if (atomic_exchange(&sleep.requested, false) && m->running && m->state == RUN_STATE_RUNNING) {
        fall_asleep(m, events);
    }
    if (sleep.wake_reason && m->state == RUN_STATE_SUSPENDED) {
        wake_up(m, events);
    }
}
