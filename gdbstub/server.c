/*
 * server.c: packets in, packets out. Framing, acknowledgement, thread selection, and one small function per packet,
 * found through the tables at the end.
 *
 * Leaves out: non-stop mode, tracepoints, reverse execution.
 */
#include <stdio.h>

#include "gdbstub/internal.h"

typedef enum InState { IN_IDLE, IN_DATA, IN_ESCAPE, IN_SUM1, IN_SUM2 } InState;

struct GdbServer {
    const GdbOps *ops;
    void *opaque;
    InState in;
    uint8_t sum, want;
    char packet[GDB_PACKET_BYTES + 1];
    size_t n_packet;
    GdbText last;         /* framed, for retransmission */
    bool connected, running, no_ack, multiprocess, swbreak, hwbreak, forks;
    bool detached;        /* runs, but the debugger may attach again */
    Vcpu *general, *cont; /* chosen by Hg, Hc; NULL: any */
    bool general_child;   /* Hg chose the child of GdbStop.fork_pid: what is changed there must not change here */
    GdbStop stop;
    size_t next_thread;   /* of qsThreadInfo */
    GdbFiles files;
    VEC(struct GdbPointAt { GdbPoint kind; vaddr addr; uint64_t size; }) points;
};

void gdb_text_add(GdbText *text, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = xvasprintf(fmt, ap);
    va_end(ap);
    for (char *p = s; *p; p++) {
        *vec_push(text) = *p;
    }
    free(s);
}

void gdb_text_hex(GdbText *text, const void *data, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = ((const uint8_t *)data)[i];
        *vec_push(text) = digits[byte >> 4];
        *vec_push(text) = digits[byte & 15];
    }
}

void gdb_text_binary(GdbText *text, const void *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = ((const char *)data)[i];
        if (c == '$' || c == '#' || c == '}' || c == '*') {
            *vec_push(text) = '}';
            c ^= 0x20;
        }
        *vec_push(text) = c;
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t gdb_unhex(const char *hex, void *out, size_t room)
{
    size_t n = 0;
    while (n < room && hex_digit(hex[0]) >= 0 && hex_digit(hex[1]) >= 0) {
        ((uint8_t *)out)[n++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
        hex += 2;
    }
    return n;
}

static void send_bytes(GdbServer *gdb, const char *data, size_t n)
{
    gdb->ops->send(gdb->opaque, data, n);
}

static void reply_data(GdbServer *gdb, const char *data, size_t n)
{
    uint8_t sum = 0;

    vec_clear(&gdb->last);
    *vec_push(&gdb->last) = '$';
    for (size_t i = 0; i < n; i++) {
        sum += (uint8_t)data[i];
        *vec_push(&gdb->last) = data[i];
    }
    gdb_text_add(&gdb->last, "#%02x", sum);
    send_bytes(gdb, gdb->last.at, gdb->last.n);
}

static void reply(GdbServer *gdb, const char *text)
{
    reply_data(gdb, text, strlen(text));
}

static void reply_text(GdbServer *gdb, GdbText *text)
{
    reply_data(gdb, text->at, text->n);
    vec_free(text);
}

/* -- threads -------------------------------------------------------------------------------------- */

static Vcpu *vcpu_at(GdbServer *gdb, size_t index)
{
    return index < gdb->ops->n_vcpus(gdb->opaque) ? gdb->ops->vcpu(gdb->opaque, index) : NULL;
}

static bool vcpu_exists(GdbServer *gdb, const Vcpu *vcpu)
{
    for (size_t i = 0; vcpu && i < gdb->ops->n_vcpus(gdb->opaque); i++) {
        if (gdb->ops->vcpu(gdb->opaque, i) == vcpu) {
            return true;
        }
    }
    return false;
}

static Vcpu *general_vcpu(GdbServer *gdb)
{
    if (vcpu_exists(gdb, gdb->general)) {
        return gdb->general;
    }
    return vcpu_exists(gdb, gdb->stop.vcpu) ? gdb->stop.vcpu : vcpu_at(gdb, 0);
}

static void add_thread(GdbServer *gdb, GdbText *text, Vcpu *vcpu)
{
    uint32_t id = gdb->ops->thread_id(gdb->opaque, vcpu);
    if (gdb->multiprocess) {
        gdb_text_add(text, "p%02x.%02x", gdb->ops->pid, id);
    } else {
        gdb_text_add(text, "%02x", id);
    }
}

static bool is_fork_child(GdbServer *gdb, const char *thread)
{
    return gdb->stop.fork_pid && *thread == 'p' && strtoul(thread + 1, NULL, 16) == gdb->stop.fork_pid;
}

/* "TID", "pPID.TID", "pPID"; 0 any, -1 all. Sets *ret to NULL for any/all. */
static bool parse_thread(GdbServer *gdb, const char **at, Vcpu **ret)
{
    const char *p = *at;
    char *end;

    *ret = NULL;
    if (*p == 'p') {
        long long pid = strtoll(p + 1, &end, 16);
        if (end == p + 1) {
            return false;
        }
        if (is_fork_child(gdb, p)) {
            /* The child still is what its parent is: memory and registers are read there. */
            strtoll(*end == '.' ? end + 1 : "0", &end, 16);
            *at = end;
            *ret = gdb->stop.vcpu;
            return true;
        }
        if (pid > 0 && (uint32_t)pid != gdb->ops->pid) {
            return false;
        }
        if (*end != '.') {
            *at = end;
            return true;
        }
        p = end + 1;
    }
    long long tid = strtoll(p, &end, 16);
    if (end == p) {
        return false;
    }
    *at = end;
    if (tid <= 0) {
        return true;
    }
    for (size_t i = 0; i < gdb->ops->n_vcpus(gdb->opaque); i++) {
        Vcpu *vcpu = gdb->ops->vcpu(gdb->opaque, i);
        if (gdb->ops->thread_id(gdb->opaque, vcpu) == tid) {
            *ret = vcpu;
            return true;
        }
    }
    return false;
}

/* -- stopping and resuming ----------------------------------------------------------------------------- */

static void send_stop(GdbServer *gdb)
{
    static const char *const watch_name[] = { [GDB_POINT_WRITE] = "watch", [GDB_POINT_READ] = "rwatch",
                                              [GDB_POINT_ACCESS] = "awatch" };
    Vcpu *vcpu = vcpu_exists(gdb, gdb->stop.vcpu) ? gdb->stop.vcpu : vcpu_at(gdb, 0);
    int signal = gdb->ops->linux_signals ? gdb_signal_from_linux(gdb->stop.signal) : gdb->stop.signal;
    GdbText text = { 0 };

    if (!vcpu) {
        reply(gdb, "W00");
        return;
    }
    gdb_text_add(&text, "T%02xthread:", signal);
    add_thread(gdb, &text, vcpu);
    gdb_text_add(&text, ";");
    if (gdb->stop.watch >= GDB_POINT_WRITE) {
        gdb_text_add(&text, "%s:%" PRIx64 ";", watch_name[gdb->stop.watch], gdb->stop.watch_addr);
    } else if (gdb->stop.breakpoint && gdb->swbreak) {
        gdb_text_add(&text, "swbreak:;");
    }
    if (gdb->stop.syscall_entry || gdb->stop.syscall_return) {
        gdb_text_add(&text, "syscall_%s:%" PRIx64 ";", gdb->stop.syscall_entry ? "entry" : "return", gdb->stop.syscall);
    }
    if (gdb->stop.fork_pid) {
        gdb_text_add(&text, "fork:p%02x.%02x;", gdb->stop.fork_pid, gdb->stop.fork_pid);
    }
    reply_text(gdb, &text);
}

void gdb_stopped(GdbServer *gdb, const GdbStop *stop)
{
    bool was_running = gdb->running;

    gdb->stop = *stop;
    gdb->running = false;
    gdb->general = gdb->cont = NULL;
    if (gdb->connected && was_running && !gdb->detached) {
        send_stop(gdb);
    }
}

void gdb_exited(GdbServer *gdb, int status, int signal)
{
    GdbText text = { 0 };

    if (!gdb->connected) {
        return;
    }
    gdb_text_add(&text, "%c%02x", signal ? 'X' : 'W', (signal ? gdb_signal_from_linux(signal) : status) & 0xff);
    if (gdb->multiprocess) {
        gdb_text_add(&text, ";process:%x", gdb->ops->pid);
    }
    reply_text(gdb, &text);
}

bool gdb_is_running(const GdbServer *gdb)
{
    return gdb->running;
}

bool gdb_wants_forks(const GdbServer *gdb)
{
    return gdb->connected && gdb->forks;
}

void gdb_is_child(GdbServer *gdb, Vcpu *vcpu)
{
    gdb->stop = (GdbStop){ .vcpu = vcpu, .signal = gdb->stop.signal };
    gdb->general = gdb->cont = NULL;
    gdb->next_thread = 0;
    gdb->connected = true;
    gdb->running = false;
    gdb->in = IN_IDLE;
}

/* A debugger that wants both sides of a fork cannot have them: the child goes alone. */
static void release_fork(GdbServer *gdb, bool child)
{
    if (gdb->stop.fork_pid) {
        gdb->stop.fork_pid = 0;
        gdb->general_child = false;
        gdb->ops->release_fork(gdb->opaque, child);
    }
}

static void resume(GdbServer *gdb, const GdbAction *actions, size_t n, int gdb_signal, Vcpu *signal_vcpu)
{
    int signal = gdb->ops->linux_signals ? gdb_signal_to_linux(gdb_signal) : gdb_signal;

    release_fork(gdb, true);
    gdb->running = true;
    gdb->ops->resume(gdb->opaque, actions, n, signal, signal_vcpu);
}

/* c, s, C, S: the thread of Hc, or the one that stopped, acts; the others continue. */
static void resume_simple(GdbServer *gdb, GdbAction action, const char *args, int signal)
{
    size_t n = gdb->ops->n_vcpus(gdb->opaque);
    GdbAction *actions = xnew_array(GdbAction, n);
    Vcpu *vcpu = vcpu_exists(gdb, gdb->cont) ? gdb->cont : general_vcpu(gdb);

    if (*args && vcpu) {
        vcpu->target->set_pc(vcpu, strtoull(args, NULL, 16));
    }
    for (size_t i = 0; i < n; i++) {
        actions[i] = vcpu_at(gdb, i) == vcpu ? action : action == GDB_STEP ? GDB_STAY : GDB_CONTINUE;
    }
    resume(gdb, actions, n, signal, vcpu);
    free(actions);
}

static void packet_continue(GdbServer *gdb, char *args) { resume_simple(gdb, GDB_CONTINUE, args, 0); }
static void packet_step(GdbServer *gdb, char *args) { resume_simple(gdb, GDB_STEP, args, 0); }

static void resume_signal(GdbServer *gdb, GdbAction action, char *args)
{
    char *end;
    int signal = (int)strtoul(args, &end, 16);
    resume_simple(gdb, action, *end == ';' ? end + 1 : "", signal);
}

static void packet_continue_signal(GdbServer *gdb, char *args) { resume_signal(gdb, GDB_CONTINUE, args); }
static void packet_step_signal(GdbServer *gdb, char *args) { resume_signal(gdb, GDB_STEP, args); }

static void packet_vcont_query(GdbServer *gdb, char *args)
{
    reply(gdb, "vCont;c;C;s;S");
}

static void packet_vcont(GdbServer *gdb, char *args)
{
    size_t n = gdb->ops->n_vcpus(gdb->opaque);
    GdbAction *actions = xnew_array(GdbAction, n);
    bool *decided = xnew_array(bool, n);
    int signal = 0;
    Vcpu *signal_vcpu = NULL;
    const char *p = args;

    /* For each thread the leftmost action that applies to it counts. */
    while (*p) {
        if (*p == ';') {
            p++;
        }
        char kind = *p;
        int action_signal = 0;
        GdbAction action = kind == 's' || kind == 'S' ? GDB_STEP : GDB_CONTINUE;
        if (!kind || !strchr("cCsS", kind)) {
            goto bad;
        }
        p++;
        if (kind == 'C' || kind == 'S') {
            char *end;
            action_signal = (int)strtoul(p, &end, 16);
            p = end;
        }
        Vcpu *only = NULL;
        if (*p == ':') {
            p++;
            if (!parse_thread(gdb, &p, &only)) {
                goto bad;
            }
        }
        if (*p && *p != ';') {
            goto bad;
        }
        for (size_t i = 0; i < n; i++) {
            Vcpu *vcpu = vcpu_at(gdb, i);
            if (!decided[i] && (!only || only == vcpu)) {
                decided[i] = true;
                actions[i] = action;
                if (action_signal && !signal_vcpu && (only || vcpu == gdb->stop.vcpu)) {
                    signal = action_signal;
                    signal_vcpu = vcpu;
                }
            }
        }
    }
    resume(gdb, actions, n, signal, signal_vcpu);
    goto out;
bad:
    reply(gdb, "E22");
out:
    free(actions);
    free(decided);
}

/* -- registers and memory --------------------------------------------------------------------------------- */

static void packet_read_registers(GdbServer *gdb, char *args)
{
    Vcpu *vcpu = general_vcpu(gdb);
    GdbText text = { 0 };
    uint8_t value[256];
    unsigned n = vcpu ? gdb_reg_count_general(vcpu) : 0;

    for (unsigned i = 0; i < n; i++) {
        gdb_text_hex(&text, value, gdb_reg_read(vcpu, i, value, sizeof(value)));
    }
    reply_text(gdb, &text);
}

static void packet_write_registers(GdbServer *gdb, char *args)
{
    Vcpu *vcpu = general_vcpu(gdb);
    unsigned n = vcpu && !gdb->general_child ? gdb_reg_count_general(vcpu) : 0;
    uint8_t *data = xmalloc(GDB_PACKET_BYTES / 2);
    size_t bytes = gdb_unhex(args, data, GDB_PACKET_BYTES / 2), at = 0;

    for (unsigned i = 0; i < n && at < bytes; i++) {
        size_t used = gdb_reg_write(vcpu, i, data + at, bytes - at);
        if (!used) {
            break;
        }
        at += used;
    }
    free(data);
    reply(gdb, "OK");
}

static void packet_read_register(GdbServer *gdb, char *args)
{
    Vcpu *vcpu = general_vcpu(gdb);
    uint8_t value[256];
    size_t bytes = vcpu ? gdb_reg_read(vcpu, (unsigned)strtoul(args, NULL, 16), value, sizeof(value)) : 0;
    GdbText text = { 0 };

    if (!bytes) {
        reply(gdb, "E14");
        return;
    }
    gdb_text_hex(&text, value, bytes);
    reply_text(gdb, &text);
}

static void packet_write_register(GdbServer *gdb, char *args)
{
    Vcpu *vcpu = general_vcpu(gdb);
    char *end;
    unsigned number = (unsigned)strtoul(args, &end, 16);
    uint8_t value[256];

    if (!vcpu || *end != '=') {
        reply(gdb, "E22");
        return;
    }
    size_t n = gdb_unhex(end + 1, value, sizeof(value));
    reply(gdb, !gdb->general_child && gdb_reg_write(vcpu, number, value, n) ? "OK" : "E14");
}

static bool parse_range(char *args, char stop, vaddr *addr, uint64_t *size, char **rest)
{
    char *end;

    *addr = strtoull(args, &end, 16);
    if (end == args || *end != ',') {
        return false;
    }
    args = end + 1;
    *size = strtoull(args, &end, 16);
    *rest = end + (*end != 0);
    return end != args && *end == stop;
}

static void packet_read_memory(GdbServer *gdb, char *args)
{
    Vcpu *vcpu = general_vcpu(gdb);
    GdbText text = { 0 };
    vaddr addr;
    uint64_t size;
    char *rest;

    if (!vcpu || !parse_range(args, 0, &addr, &size, &rest)) {
        reply(gdb, "E22");
        return;
    }
    size = MIN(size, GDB_PACKET_BYTES / 2 - 16);
    uint8_t *data = xmalloc(size);
    if (gdb->ops->mem_read(gdb->opaque, vcpu, addr, data, size)) {
        gdb_text_hex(&text, data, size);
        reply_text(gdb, &text);
    } else {
        reply(gdb, "E14");
    }
    free(data);
}

static void write_memory(GdbServer *gdb, vaddr addr, const void *data, size_t size)
{
    Vcpu *vcpu = general_vcpu(gdb);
    reply(gdb, !size || (vcpu && !gdb->general_child && gdb->ops->mem_write(gdb->opaque, vcpu, addr, data, size)) ? "OK" : "E14");
}

static void packet_write_memory(GdbServer *gdb, char *args)
{
    vaddr addr;
    uint64_t size;
    char *rest;

    if (!parse_range(args, ':', &addr, &size, &rest) || size > strlen(rest) / 2) {
        reply(gdb, "E22");
        return;
    }
    uint8_t *data = xmalloc(size);
    size_t n = gdb_unhex(rest, data, size);
    if (n == size) {
        write_memory(gdb, addr, data, n);
    } else {
        reply(gdb, "E22");
    }
    free(data);
}

static void packet_write_binary(GdbServer *gdb, char *args)
{
    vaddr addr;
    uint64_t size;
    char *rest;

    if (!parse_range(args, ':', &addr, &size, &rest) || rest + size != gdb->packet + gdb->n_packet) {
        reply(gdb, "E22");
        return;
    }
    write_memory(gdb, addr, rest, size);
}

/* -- breakpoints and watchpoints ------------------------------------------------------------------------------ */

static void change_point(GdbServer *gdb, char *args, bool insert)
{
    static const char *const answer[] = { "OK", "E22", "" };
    unsigned kind = (unsigned)(args[0] - '0');
    vaddr addr;
    uint64_t size;
    char *rest, *end = strchr(args, ';');

    if (end) {
        *end = 0; /* conditions and commands are not evaluated here: not offered in qSupported */
    }
    if (kind > GDB_POINT_ACCESS || args[1] != ',') {
        reply(gdb, "");
        return;
    }
    if (!parse_range(args + 2, 0, &addr, &size, &rest)) {
        reply(gdb, "E22");
        return;
    }
    if (gdb->general_child) {
        reply(gdb, "OK"); /* it gets none, and they are taken away from what goes alone */
        return;
    }
    GdbPointResult result = gdb->ops->point(gdb->opaque, kind, addr, size, insert);
    if (result == GDB_POINT_DONE) {
        size_t i = 0;
        while (i < gdb->points.n && (gdb->points.at[i].kind != kind || gdb->points.at[i].addr != addr)) {
            i++;
        }
        if (insert && i == gdb->points.n) {
            *vec_push(&gdb->points) = (struct GdbPointAt){ kind, addr, size };
        } else if (!insert && i < gdb->points.n) {
            gdb->points.at[i] = gdb->points.at[--gdb->points.n];
        }
    }
    reply(gdb, answer[result]);
}

static void packet_insert(GdbServer *gdb, char *args) { change_point(gdb, args, true); }
static void packet_remove(GdbServer *gdb, char *args) { change_point(gdb, args, false); }

static void remove_points(GdbServer *gdb)
{
    for (size_t i = 0; i < gdb->points.n; i++) {
        gdb->ops->point(gdb->opaque, gdb->points.at[i].kind, gdb->points.at[i].addr, gdb->points.at[i].size, false);
    }
    vec_clear(&gdb->points);
}

/* -- session ------------------------------------------------------------------------------------------------- */

static void packet_why(GdbServer *gdb, char *args)
{
    /* A debugger that attaches anew asks this first: old points are not its own. */
    remove_points(gdb);
    send_stop(gdb);
}

static void packet_thread(GdbServer *gdb, char *args)
{
    const char *p = args + 1;
    Vcpu *vcpu;

    if ((args[0] != 'g' && args[0] != 'c') || !parse_thread(gdb, &p, &vcpu)) {
        reply(gdb, "E22");
        return;
    }
    *(args[0] == 'g' ? &gdb->general : &gdb->cont) = vcpu;
    if (args[0] == 'g') {
        gdb->general_child = is_fork_child(gdb, args + 1);
    }
    reply(gdb, "OK");
}

static void packet_alive(GdbServer *gdb, char *args)
{
    const char *p = args;
    Vcpu *vcpu;
    reply(gdb, parse_thread(gdb, &p, &vcpu) && vcpu ? "OK" : "E22");
}

static void detach(GdbServer *gdb)
{
    remove_points(gdb);
    gdb->running = gdb->detached = true;
    gdb->ops->detached(gdb->opaque);
}

/* "D" or "D;PID"; at a fork, either of the two may be left alone. */
static void packet_detach(GdbServer *gdb, char *args)
{
    uint32_t pid = *args == ';' ? (uint32_t)strtoul(args + 1, NULL, 16) : 0, child = gdb->stop.fork_pid;

    if (pid && pid != gdb->ops->pid && pid != child) {
        reply(gdb, "E22");
        return;
    }
    reply(gdb, "OK");
    if (child && pid == child) {
        release_fork(gdb, true);
    } else if (child && pid) {
        remove_points(gdb);
        gdb->connected = false; /* the session is the child's from here on */
        gdb->running = true;
        release_fork(gdb, false);
    } else {
        release_fork(gdb, true);
        detach(gdb);
    }
}

static void packet_kill(GdbServer *gdb, char *args)
{
    gdb->ops->kill(gdb->opaque);
}

static void packet_vkill(GdbServer *gdb, char *args)
{
    reply(gdb, "OK");
    gdb->ops->kill(gdb->opaque);
}

/* A machine can be attached to again after it was left alone; nothing else of "extended-remote" means anything here. */
static void packet_extended(GdbServer *gdb, char *args) { reply(gdb, gdb->ops->linux_signals ? "" : "OK"); }

static void packet_attach(GdbServer *gdb, char *args)
{
    if (gdb->ops->linux_signals || strtoul(args, NULL, 16) != gdb->ops->pid) {
        reply(gdb, gdb->ops->linux_signals ? "" : "E22");
        return;
    }
    bool answered = false;
    if (gdb->detached && gdb->running) {
        gdb->detached = false;
        gdb->ops->interrupt(gdb->opaque);
        answered = !gdb->running; /* it stood still at once and was told */
    }
    gdb->running = gdb->detached = false;
    remove_points(gdb);
    if (!answered) {
        send_stop(gdb);
    }
}

static void packet_file(GdbServer *gdb, char *args)
{
    GdbText text = { 0 };
    if (gdb_hostio(&gdb->files, gdb->ops, gdb->opaque, args, &text)) {
        reply_text(gdb, &text);
    } else {
        reply(gdb, "");
    }
}

static void query_supported(GdbServer *gdb, char *args)
{
    GdbText text = { 0 };

    gdb->multiprocess = strstr(args, "multiprocess+") != NULL;
    gdb->swbreak = strstr(args, "swbreak+") != NULL;
    gdb->hwbreak = strstr(args, "hwbreak+") != NULL;
    /* "vfork-events+" ends in the same words. */
    const char *forks = strstr(args, "fork-events+");
    while (forks && forks > args && forks[-1] == 'v') {
        forks = strstr(forks + 1, "fork-events+");
    }
    gdb->forks = forks && gdb->multiprocess && gdb->ops->release_fork;
    gdb_text_add(&text, "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;vContSupported+;multiprocess+;swbreak+",
                 GDB_PACKET_BYTES / 2);
    if (gdb->ops->object) {
        gdb_text_add(&text, ";qXfer:auxv:read+;qXfer:exec-file:read+;qXfer:siginfo:read+");
    }
    if (gdb->ops->catch_syscalls) {
        gdb_text_add(&text, ";QCatchSyscalls+");
    }
    if (gdb->ops->release_fork) {
        gdb_text_add(&text, ";fork-events+");
    }
    reply_text(gdb, &text);
}

/* "0", or "1" and the numbers to stop at, none for all. */
static void query_catch_syscalls(GdbServer *gdb, char *args)
{
    VEC(uint64_t) numbers = { 0 };
    char *end = args + 1;

    if (!gdb->ops->catch_syscalls || (*args != '0' && *args != '1')) {
        reply(gdb, gdb->ops->catch_syscalls ? "E22" : "");
        return;
    }
    while (*args == '1' && *end == ';') {
        char *digits = end + 1;
        uint64_t number = strtoull(digits, &end, 16);
        if (end == digits) {
            break;
        }
        *vec_push(&numbers) = number;
    }
    if (*end) {
        reply(gdb, "E22");
    } else {
        gdb->ops->catch_syscalls(gdb->opaque, numbers.at, numbers.n, *args == '1');
        reply(gdb, "OK");
    }
    vec_free(&numbers);
}

static void query_no_ack(GdbServer *gdb, char *args)
{
    gdb->no_ack = true;
    reply(gdb, "OK");
}

static void query_current(GdbServer *gdb, char *args)
{
    GdbText text = { 0 };
    Vcpu *vcpu = general_vcpu(gdb);

    if (!vcpu) {
        reply(gdb, "E01");
        return;
    }
    gdb_text_add(&text, "QC");
    add_thread(gdb, &text, vcpu);
    reply_text(gdb, &text);
}

static void query_threads_next(GdbServer *gdb, char *args)
{
    GdbText text = { 0 };
    Vcpu *vcpu;

    while (text.n < GDB_PACKET_BYTES / 4 && (vcpu = vcpu_at(gdb, gdb->next_thread))) {
        gdb_text_add(&text, "%c", text.n ? ',' : 'm');
        add_thread(gdb, &text, vcpu);
        gdb->next_thread++;
    }
    if (!text.n) {
        gdb_text_add(&text, "l");
    }
    reply_text(gdb, &text);
}

static void query_threads_first(GdbServer *gdb, char *args)
{
    gdb->next_thread = 0;
    query_threads_next(gdb, args);
}

static void query_thread_extra(GdbServer *gdb, char *args)
{
    const char *p = args;
    Vcpu *vcpu;
    char name[128];
    GdbText text = { 0 };

    if (!parse_thread(gdb, &p, &vcpu) || !vcpu) {
        reply(gdb, "E22");
        return;
    }
    gdb->ops->thread_name(gdb->opaque, vcpu, name, sizeof(name));
    gdb_text_hex(&text, name, strlen(name));
    reply_text(gdb, &text);
}

static void query_attached(GdbServer *gdb, char *args)
{
    reply(gdb, gdb->ops->linux_signals ? "0" : "1");
}

/* -- what a machine's stub can be asked beyond the protocol ------------------------------------------------------------ */

static void query_machine(GdbServer *gdb, char *args)
{
    bool has = gdb->ops->step_flags && gdb->ops->physical;
    GdbText text = { 0 };

    if (has && !strcmp(args, "Supported")) {
        gdb_text_add(&text, "sstepbits;sstep;PhyMemMode");
    } else if (has && !strcmp(args, "sstepbits")) {
        gdb_text_add(&text, "ENABLE=%x,NOIRQ=%x,NOTIMER=%x", GDB_STEP_ENABLE, GDB_STEP_NO_IRQS, GDB_STEP_NO_TIMERS);
    } else if (has && !strcmp(args, "sstep")) {
        gdb_text_add(&text, "0x%x", gdb->ops->step_flags(gdb->opaque, -1));
    } else if (has && !strcmp(args, "PhyMemMode")) {
        gdb_text_add(&text, "%d", gdb->ops->physical(gdb->opaque, -1));
    }
    reply_text(gdb, &text);
}

static void set_machine(GdbServer *gdb, char *args)
{
    bool has = gdb->ops->step_flags && gdb->ops->physical;
    char *end;

    if (has && !strncmp(args, "sstep=", 6)) {
        unsigned long flags = strtoul(args + 6, &end, 16);
        bool good = end != args + 6 && !*end && !(flags & ~(unsigned long)(GDB_STEP_ENABLE | GDB_STEP_NO_IRQS | GDB_STEP_NO_TIMERS));
        if (good) {
            gdb->ops->step_flags(gdb->opaque, (int)flags);
        }
        reply(gdb, good ? "OK" : "E22");
    } else if (has && !strncmp(args, "PhyMemMode:", 11)) {
        bool good = (args[11] == '0' || args[11] == '1') && !args[12];
        if (good) {
            gdb->ops->physical(gdb->opaque, args[11] - '0');
        }
        reply(gdb, good ? "OK" : "E22");
    } else {
        reply(gdb, "");
    }
}

static void query_symbol(GdbServer *gdb, char *args) { reply(gdb, "OK"); }

static void query_monitor(GdbServer *gdb, char *args)
{
    char command[1024];
    GdbText text = { 0 };

    if (!gdb->ops->monitor) {
        reply(gdb, "");
        return;
    }
    command[gdb_unhex(args, command, sizeof(command) - 1)] = 0;
    char *answer = gdb->ops->monitor(gdb->opaque, command);
    /* Output goes in O packets; the final answer is OK. */
    for (size_t at = 0, len = answer ? strlen(answer) : 0; at < len; at += GDB_PACKET_BYTES / 4) {
        vec_clear(&text);
        gdb_text_add(&text, "O");
        gdb_text_hex(&text, answer + at, MIN(len - at, GDB_PACKET_BYTES / 4));
        reply_data(gdb, text.at, text.n);
    }
    vec_free(&text);
    free(answer);
    reply(gdb, "OK");
}

/* OBJECT:read:ANNEX:OFFSET,LENGTH */
static void query_xfer(GdbServer *gdb, char *args)
{
    char *object = args, *op = strchr(object, ':'), *annex, *range, *end;
    GdbText text = { 0 };
    void *data;
    size_t size = 0;

    if (!op || strncmp(op, ":read:", 6) || !(range = strchr(op + 6, ':'))) {
        reply(gdb, "");
        return;
    }
    *op = 0;
    annex = op + 6;
    *range++ = 0;
    uint64_t offset = strtoull(range, &end, 16);
    uint64_t length = *end == ',' ? strtoull(end + 1, NULL, 16) : 0;
    Vcpu *vcpu = general_vcpu(gdb);

    if (!strcmp(object, "features")) {
        data = vcpu ? gdb_target_xml(vcpu, annex) : NULL;
        size = data ? strlen(data) : 0;
    } else {
        data = gdb->ops->object && vcpu ? gdb->ops->object(gdb->opaque, vcpu, object, annex, &size) : NULL;
    }
    if (!data) {
        reply(gdb, "E00");
        return;
    }
    offset = MIN(offset, size);
    length = MIN(MIN(length, size - offset), GDB_PACKET_BYTES / 4);
    gdb_text_add(&text, "%c", offset + length < size ? 'm' : 'l');
    gdb_text_binary(&text, (const char *)data + offset, length);
    free(data);
    reply_text(gdb, &text);
}

typedef struct PacketHandler {
    const char *name;
    void (*handle)(GdbServer *gdb, char *args);
} PacketHandler;

/* Longer names before their prefixes. Allowed while running: none but the interrupt byte. */
static const PacketHandler handlers[] = {
    { "?", packet_why }, { "!", packet_extended },
    { "c", packet_continue }, { "C", packet_continue_signal }, { "s", packet_step }, { "S", packet_step_signal },
    { "vCont?", packet_vcont_query }, { "vCont", packet_vcont }, { "vKill;", packet_vkill }, { "vAttach;", packet_attach }, { "vFile:", packet_file },
    { "g", packet_read_registers }, { "G", packet_write_registers },
    { "p", packet_read_register }, { "P", packet_write_register },
    { "m", packet_read_memory }, { "M", packet_write_memory }, { "X", packet_write_binary },
    { "Z", packet_insert }, { "z", packet_remove },
    { "H", packet_thread }, { "T", packet_alive }, { "D", packet_detach }, { "k", packet_kill },
    { "qSupported", query_supported }, { "QStartNoAckMode", query_no_ack }, { "QCatchSyscalls:", query_catch_syscalls },
    { "qfThreadInfo", query_threads_first }, { "qsThreadInfo", query_threads_next },
    { "qThreadExtraInfo,", query_thread_extra }, { "qAttached", query_attached }, { "qSymbol:", query_symbol },
    { "qqemu.", query_machine }, { "Qqemu.", set_machine }, { "qRcmd,", query_monitor }, { "qXfer:", query_xfer }, { "qC", query_current },
};

static void handle_packet(GdbServer *gdb)
{
    gdb->packet[gdb->n_packet] = 0;
    for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
        size_t len = strlen(handlers[i].name);
        if (!strncmp(gdb->packet, handlers[i].name, len)) {
            handlers[i].handle(gdb, gdb->packet + len);
            return;
        }
    }
    reply(gdb, ""); /* unknown: the protocol's way to say so */
}

static void input_byte(GdbServer *gdb, uint8_t c)
{
    switch (gdb->in) {
    case IN_IDLE:
        if (c == '$') {
            gdb->in = IN_DATA;
            gdb->n_packet = 0;
            gdb->sum = 0;
        } else if (c == 3 && gdb->running) {
            gdb->ops->interrupt(gdb->opaque);
        } else if (c == '-' && !gdb->no_ack) {
            send_bytes(gdb, gdb->last.at, gdb->last.n);
        }
        return;
    case IN_DATA:
        if (c == '#') {
            gdb->in = IN_SUM1;
            return;
        }
        gdb->sum += c;
        if (c == '}') {
            gdb->in = IN_ESCAPE;
            return;
        }
        break;
    case IN_ESCAPE:
        gdb->sum += c;
        c ^= 0x20;
        gdb->in = IN_DATA;
        break;
    case IN_SUM1:
        gdb->want = (uint8_t)((unsigned)hex_digit((char)c) << 4); /* no digit: no sum either */
        gdb->in = IN_SUM2;
        return;
    case IN_SUM2:
        gdb->want |= (uint8_t)hex_digit((char)c);
        gdb->in = IN_IDLE;
        if (!gdb->no_ack) {
            bool good = gdb->want == gdb->sum;
            send_bytes(gdb, good ? "+" : "-", 1);
            if (!good) {
                return;
            }
        }
        if (!gdb->running || gdb->detached) { /* a packet while running is a debugger's mistake: not answered */
            handle_packet(gdb);
        }
        return;
    }
    if (gdb->n_packet < GDB_PACKET_BYTES) {
        gdb->packet[gdb->n_packet++] = (char)c;
    } else {
        gdb->in = IN_IDLE; /* too long: dropped, gdb will time out and say so */
    }
}

void gdb_input(GdbServer *gdb, const void *data, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes && gdb->connected; i++) {
        input_byte(gdb, ((const uint8_t *)data)[i]);
    }
}

GdbServer *gdb_server_new(const GdbOps *ops, void *opaque)
{
    GdbServer *gdb = xnew(GdbServer);
    gdb->ops = ops;
    gdb->opaque = opaque;
    gdb->running = true;
    return gdb;
}

void gdb_server_free(GdbServer *gdb)
{
    if (gdb) {
        vec_free(&gdb->last);
        vec_free(&gdb->points);
        free(gdb);
    }
}

void gdb_connected(GdbServer *gdb)
{
    gdb->connected = true;
    gdb->running = gdb->detached = false;
    gdb->no_ack = gdb->multiprocess = gdb->swbreak = gdb->hwbreak = gdb->forks = false;
    gdb->in = IN_IDLE;
    gdb->general = gdb->cont = NULL;
}

void gdb_disconnected(GdbServer *gdb)
{
    gdb_hostio_finish(&gdb->files);
    if (gdb->connected) {
        gdb->connected = false;
        detach(gdb);
    }
}
