/*
 * gdb.c: the debugger's side of a machine: runs gdbstub/ on a chardev.
 *
 * vCPUs are threads of the one process; all stop and start together, but for a
 * step, which may leave others where they are. Breakpoints and watchpoints are
 * the accelerator's. Threads: main loop with the device lock; debug_stop comes
 * from a vCPU's thread, with the lock.
 */
#include <stdio.h>
#include "accel/accel.h"
#include "gdbstub/gdbstub.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "softmmu/monitor.h"
#include "softmmu/system.h"
#include "target/target.h"
#include "util/alloc.h"

enum { SIGNAL_INT = 2, SIGNAL_QUIT = 3, SIGNAL_TRAP = 5, SIGNAL_ABRT = 6 }; /* gdb's numbers */

typedef struct Point {
    GdbPoint kind;
    vaddr addr;
    uint64_t size_bytes;
} Point;

static struct {
    GdbServer *server;
    CharFrontend fe;
    char *chardev_id;     /* of our own making; NULL: somebody else's */
    Vcpu *stopped_by;     /* set by debug_stop */
    Vcpu *told;           /* gdb was told of a watched access at told_pc that has not been made */
    vaddr told_pc;
    Vcpu *making;         /* makes that access alone, then goes on */
    unsigned step_flags;  /* STEP_* */
    bool physical;        /* memory packets are of physical addresses */
    VEC(Point) points;
    VEC(vaddr) pcs;       /* where the vCPUs stood when they stopped */
} gdb;

/* ---- what the protocol asks ---- */

static void ops_send(void *opaque, const void *data, size_t size_bytes)
{
    char_write_all(&gdb.fe, data, size_bytes);
}

static size_t ops_n_vcpus(void *opaque)
{
    return machine_current()->n_vcpus;
}

static Vcpu *ops_vcpu(void *opaque, size_t index)
{
    Machine *m = machine_current();
    return index < m->n_vcpus ? m->vcpus[index] : NULL;
}

static uint32_t ops_thread_id(void *opaque, Vcpu *vcpu)
{
    return (uint32_t)vcpu->index + 1;
}

static void ops_thread_name(void *opaque, Vcpu *vcpu, char *out, size_t size)
{
    snprintf(out, size, "CPU#%d [%s]", vcpu->index,
             atomic_load(&vcpu->halted) ? "halted " : "running");
}

static bool ops_mem_read(void *opaque, Vcpu *vcpu, vaddr addr, void *out, size_t size_bytes)
{
    if (gdb.physical) {
        return memory_read(&machine_current()->memory, addr, out, size_bytes, (MemAttrs){ .debug = true }) == MEM_OK;
    }
    return system_debug_read(vcpu, addr, out, size_bytes);
}

static bool ops_mem_write(void *opaque, Vcpu *vcpu, vaddr addr, const void *in, size_t size_bytes)
{
    if (gdb.physical) {
        return memory_write(&machine_current()->memory, addr, in, size_bytes, MEM_ATTRS_NONE) == MEM_OK; /* devices too */
    }
    return system_debug_write(vcpu, addr, in, size_bytes);
}

static GdbPointResult set_point(const Point *p, bool insert)
{
    const AccelOps *accel = system_config.accel;
    Machine *m = machine_current();
    bool ok;
    if (p->kind <= GDB_POINT_HARDWARE) {
        if (!accel->breakpoint) {
            return GDB_POINT_UNSUPPORTED;
        }
        ok = accel->breakpoint(m, p->addr, insert, NULL);
    } else {
        if (!accel->watchpoint) {
            return GDB_POINT_UNSUPPORTED;
        }
        ok = accel->watchpoint(m, p->addr, p->size_bytes, p->kind != GDB_POINT_WRITE,
                               p->kind != GDB_POINT_READ, insert, NULL);
    }
    return ok ? GDB_POINT_DONE : GDB_POINT_FAILED;
}

static GdbPointResult ops_point(void *opaque, GdbPoint kind, vaddr addr, uint64_t size_bytes,
                                bool insert)
{
    Point p = { kind, addr, MAX(size_bytes, 1) };
    if (!machine_current()->n_vcpus) {
        return GDB_POINT_FAILED;
    }
    size_t i = 0;
    while (i < gdb.points.n && (gdb.points.at[i].kind != kind || gdb.points.at[i].addr != addr ||
                                gdb.points.at[i].size_bytes != p.size_bytes)) {
        i++;
    }
    bool known = i < gdb.points.n;
    gdb.told = insert ? NULL : gdb.told; /* not of this one */
    if (known == insert) {
        return known ? GDB_POINT_DONE : GDB_POINT_FAILED;
    }
    GdbPointResult result = set_point(&p, insert);
    if (result == GDB_POINT_DONE && insert) {
        *vec_push(&gdb.points) = p;
    } else if (!insert) {
        gdb.points.at[i] = gdb.points.at[--gdb.points.n];
    }
    return result;
}

static bool watching(void)
{
    for (size_t i = 0; i < gdb.points.n; i++) {
        if (gdb.points.at[i].kind >= GDB_POINT_WRITE) {
            return true;
        }
    }
    return false;
}

static void ops_resume(void *opaque, const GdbAction *actions, size_t n, int signal,
                       Vcpu *signal_vcpu)
{
    Machine *m = machine_current();
    if (m->state == RUN_STATE_SHUTDOWN || m->state == RUN_STATE_INTERNAL_ERROR) {
        /* Nothing can run before a reset: it stops at once. */
        GdbStop stop = { .vcpu = ops_vcpu(NULL, 0), .signal = SIGNAL_QUIT };
        gdb_stopped(gdb.server, &stop);
        return;
    }
    gdb.making = NULL;
    for (size_t i = 0; i < n && i < m->n_vcpus; i++) {
        Vcpu *vcpu = m->vcpus[i];
        bool make = vcpu == gdb.told && actions[i] == GDB_CONTINUE && vcpu->target->get_pc(vcpu) == gdb.told_pc && watching();
        gdb.making = make ? vcpu : gdb.making;
        if (actions[i] == GDB_STEP || (i < gdb.pcs.n && gdb.pcs.at[i] != vcpu->target->get_pc(vcpu))) {
            atomic_store(&vcpu->halted, false); /* it no longer is where it waits for an interrupt */
        }
        vcpu->single_step = make || actions[i] == GDB_STEP;
    }
    gdb.told = NULL;
    bool steps_only = gdb.making == NULL;
    for (size_t i = 0; i < n && i < m->n_vcpus; i++) {
        steps_only &= actions[i] != GDB_CONTINUE;
        m->vcpus[i]->step_takes_irqs = !(gdb.step_flags & GDB_STEP_NO_IRQS);
    }
    vm_start(m);
    if (steps_only && (gdb.step_flags & GDB_STEP_NO_TIMERS)) {
        clock_virtual_run(false);
    }
    /* The lock is held, so nobody has run yet: those who stay are stopped again unseen. */
    for (size_t i = 0; i < n && i < m->n_vcpus; i++) {
        if (actions[i] == GDB_STAY) {
            atomic_store(&m->vcpus[i]->stop_request, true);
        }
    }
}

static void ops_interrupt(void *opaque)
{
    if (machine_current()->running) {
        vm_stop(machine_current(), RUN_STATE_PAUSED);
    }
}

static void ops_kill(void *opaque)
{
    system_request_quit(SHUTDOWN_CAUSE_HOST_SIGNAL);
}

static void ops_detached(void *opaque)
{
    Machine *m = machine_current();
    for (size_t i = 0; i < gdb.points.n; i++) {
        set_point(&gdb.points.at[i], false);
    }
    vec_clear(&gdb.points);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        m->vcpus[i]->single_step = false;
    }
    if (!m->running && m->state != RUN_STATE_SHUTDOWN && m->state != RUN_STATE_INTERNAL_ERROR) {
        vm_start(m);
    }
}

static unsigned ops_step_flags(void *opaque, int change)
{
    if (change >= 0) {
        gdb.step_flags = (unsigned)change;
    }
    return gdb.step_flags;
}

static bool ops_physical(void *opaque, int change)
{
    if (change >= 0) {
        gdb.physical = change;
    }
    return gdb.physical;
}

static char *ops_monitor(void *opaque, const char *command)
{
    return hmp_run(command, 0);
}

static const GdbOps gdb_ops = {
    .send = ops_send, .n_vcpus = ops_n_vcpus, .vcpu = ops_vcpu, .thread_id = ops_thread_id,
    .pid = 1, .thread_name = ops_thread_name, .mem_read = ops_mem_read,
    .mem_write = ops_mem_write, .point = ops_point, .resume = ops_resume,
    .interrupt = ops_interrupt, .kill = ops_kill, .detached = ops_detached,
    .monitor = ops_monitor, .step_flags = ops_step_flags, .physical = ops_physical,
};

/* ---- stops ---- */

/*
 * A watched access is noticed before it is done. Where gdb expects the new value when it is told, the vCPU does that one instruction
 * alone, then stops again; where gdb does that itself (Target.gdb_watch_before) but leaves the watchpoint where it is, it is done when
 * the vCPU goes on.
 */
static void debug_stop(Vcpu *vcpu)
{
    bool again = vcpu == gdb.making;
    if (again) {
        gdb.making = NULL;
        vcpu->single_step = false;
    } else if (vcpu->watch_hit && !vcpu->single_step && !vcpu->target->gdb_watch_before) {
        vcpu->single_step = again = true;
    }
    if (again) {
        atomic_store(&vcpu->stop_request, false);
        return;
    }
    if (vcpu->watch_hit) {
        gdb.told = vcpu;
        gdb.told_pc = vcpu->target->get_pc(vcpu);
    }
    gdb.stopped_by = vcpu;
    machine_request_stop(RUN_STATE_DEBUG);
}

static int stop_signal(RunState state)
{
    switch (state) {
    case RUN_STATE_DEBUG:
        return SIGNAL_TRAP;
    case RUN_STATE_PAUSED:
        return SIGNAL_INT;
    case RUN_STATE_SHUTDOWN:
        return SIGNAL_QUIT;
    default:
        return SIGNAL_ABRT;
    }
}

static void run_state_changed(void *opaque, bool running, RunState state)
{
    Machine *m = machine_current();
    if (running || !gdb.server || !m->n_vcpus) {
        return;
    }
    Vcpu *vcpu = gdb.stopped_by && state == RUN_STATE_DEBUG ? gdb.stopped_by : m->vcpus[0];
    GdbStop stop = { .vcpu = vcpu, .signal = stop_signal(state) };
    gdb.stopped_by = NULL;
    if (state == RUN_STATE_DEBUG && vcpu->watch_hit) {
        for (size_t i = 0; i < gdb.points.n; i++) {
            const Point *p = &gdb.points.at[i];
            if (p->kind >= GDB_POINT_WRITE && vcpu->watch_addr < p->addr + p->size_bytes &&
                p->addr < vcpu->watch_addr + 8) {
                stop.watch = p->kind;
                stop.watch_addr = MAX(p->addr, vcpu->watch_addr);
            }
        }
    } else if (state == RUN_STATE_DEBUG && !vcpu->single_step) {
        vaddr pc = vcpu->target->get_pc(vcpu);
        for (size_t i = 0; i < gdb.points.n; i++) {
            stop.breakpoint |= gdb.points.at[i].kind <= GDB_POINT_HARDWARE &&
                               gdb.points.at[i].addr == pc;
        }
    }
    vec_clear(&gdb.pcs);
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        m->vcpus[i]->single_step = m->vcpus[i]->watch_hit = false;
        *vec_push(&gdb.pcs) = m->vcpus[i]->target->get_pc(m->vcpus[i]);
    }
    gdb_stopped(gdb.server, &stop);
}

/* ---- the connection ---- */

static size_t gdb_can_read(void *opaque)
{
    return 4096;
}

static void gdb_read(void *opaque, const uint8_t *buf, size_t len)
{
    gdb_input(gdb.server, buf, len);
}

static void gdb_event(void *opaque, CharEvent event)
{
    Machine *m = machine_current();
    if (event == CHAR_EVENT_OPENED) {
        if (m->running) {
            vm_stop(m, RUN_STATE_PAUSED);
        }
        gdb.step_flags = GDB_STEP_ENABLE | GDB_STEP_NO_IRQS | GDB_STEP_NO_TIMERS;
        gdb.physical = false;
        gdb_connected(gdb.server);
    } else if (event == CHAR_EVENT_CLOSED) {
        gdb_disconnected(gdb.server);
    }
}

static const CharHandlers gdb_handlers = {
    .can_read = gdb_can_read, .read = gdb_read, .event = gdb_event,
};

static void gdb_stop_server(void)
{
    if (!gdb.server) {
        return;
    }
    ops_detached(NULL);
    char_detach(&gdb.fe);
    if (gdb.chardev_id) {
        chardev_remove(gdb.chardev_id, NULL);
        free(gdb.chardev_id);
        gdb.chardev_id = NULL;
    }
    gdb_server_free(gdb.server);
    gdb.server = NULL;
}

bool system_start_gdb(const char *device, Error **errp)
{
    static bool hooked;
    Chardev *chr = NULL;
    if (!strcmp(device, "none")) {
        gdb_stop_server();
        return true;
    }
    /* A debugger comes and goes: the socket listens, whatever the spelling says. */
    char *text = strncmp(device, "tcp:", 4) || strstr(device, "server")
                     ? xstrdup(device)
                     : xasprintf("%s,server=on,wait=off,nodelay=on", device);
    bool own = strncmp(device, "chardev:", 8) != 0;
    gdb_stop_server();
    bool ok = chardev_new_legacy("gdb", text, NULL, &chr, errp);
    free(text);
    if (!ok) {
        return false;
    }
    if (!char_attach(&gdb.fe, chr, errp)) {
        return false;
    }
    gdb.fe.fixed = true;
    gdb.chardev_id = own ? xstrdup(chardev_id(chr)) : NULL;
    gdb.server = gdb_server_new(&gdb_ops, NULL);
    if (!hooked) {
        hooked = true;
        accel_hooks.debug_stop = debug_stop;
        vm_add_change_handler(run_state_changed, NULL);
    }
    char_set_handlers(&gdb.fe, &gdb_handlers, NULL);
    return true;
}
