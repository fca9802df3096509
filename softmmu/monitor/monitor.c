/*
 * monitor.c: the list of monitors, output, events, descriptors handed over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>
#include "softmmu/monitor/priv.h"
#include "util/parse.h"
#include "util/trace.h"

static Monitor *monitors;

Monitor *monitor_first(void)
{
    return monitors;
}

void monitor_send(Monitor *mon, const char *text, size_t len)
{
    if (mon->collecting) {
        for (size_t i = 0; i < len; i++) {
            *vec_push(&mon->text) = text[i];
        }
    } else {
        char_write_all(&mon->fe, text, len);
    }
}

void monitor_puts(Monitor *mon, const char *text)
{
    if (mon->collecting) {
        monitor_send(mon, text, strlen(text));
        return;
    }
    for (const char *nl; (nl = strchr(text, '\n')); text = nl + 1) {
        monitor_send(mon, text, (size_t)(nl - text));
        monitor_send(mon, "\r\n", 2);
    }
    monitor_send(mon, text, strlen(text));
}

void monitor_printf(Monitor *mon, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    monitor_puts(mon, text);
    free(text);
}

void monitor_print(void *mon, const char *text)
{
    monitor_puts(mon, text);
}

/* ---- life ---- */

bool monitor_add(Chardev *chr, MonitorMode mode, bool pretty, Error **errp)
{
    Monitor *mon = xnew(Monitor);
    mon->mode = mode;
    mon->pretty = pretty;
    if (!char_attach(&mon->fe, chr, errp)) {
        free(mon);
        return false;
    }
    mon->fe.fixed = true;
    Monitor **p = &monitors;
    while (*p) {
        p = &(*p)->next;
    }
    *p = mon;
    if (mode == MONITOR_READLINE) {
        hmp_init(mon);
    }
    char_set_handlers(&mon->fe, mode == MONITOR_CONTROL ? &qmp_handlers : &hmp_handlers, mon);
    return true;
}

bool monitor_add_option(const char *text, Error **errp)
{
    static const char *const known[] = { "chardev", "mode", "pretty", "id", NULL };
    Json *opts = opts_parse(text, "chardev", errp);
    const char *id = NULL, *mode = NULL;
    bool pretty = false, ok = false;
    if (!opts || !opts_check(opts, "-mon", known, errp) ||
        !opts_string(opts, "chardev", NULL, &id, errp) ||
        !opts_string(opts, "mode", "readline", &mode, errp) ||
        !opts_bool(opts, "pretty", false, &pretty, errp)) {
        json_free(opts);
        return false;
    }
    Chardev *chr = id ? chardev_find(id) : NULL;
    bool control = !strcmp(mode, "control");
    if (!control && strcmp(mode, "readline")) {
        error_set(errp, "unknown monitor mode \"%s\"", mode);
    } else if (!chr) {
        error_set(errp, "chardev \"%s\" not found", id ? id : "");
    } else if (pretty && !control) {
        error_set(errp, "'pretty' is not compatible with HMP monitors");
    } else {
        ok = monitor_add(chr, control ? MONITOR_CONTROL : MONITOR_READLINE, pretty, errp);
    }
    json_free(opts);
    return ok;
}

void monitor_cleanup(void)
{
    while (monitors) {
        Monitor *mon = monitors;
        monitors = mon->next;
        char_detach(&mon->fe);
        if (mon->mode == MONITOR_CONTROL) {
            json_stream_finish(&mon->stream);
        } else {
            hmp_finish(mon);
        }
        for (size_t i = 0; i < mon->n_fds; i++) {
            close(mon->fds[i].fd);
            free(mon->fds[i].name);
        }
        free(mon->fds);
        vec_free(&mon->text);
        free(mon);
    }
}

/* ---- events ---- */

static void send_event(void *opaque)
{
    Json *event = opaque;
    char *line = json_print(event), *pretty = NULL;
    for (Monitor *mon = monitors; mon; mon = mon->next) {
        if (mon->mode != MONITOR_CONTROL || !mon->negotiated) {
            continue;
        }
        if (mon->pretty && !pretty) {
            pretty = json_print_pretty(event);
        }
        const char *text = mon->pretty ? pretty : line;
        char_write_all(&mon->fe, text, strlen(text));
        char_write_all(&mon->fe, "\r\n", 2);
    }
    free(line);
    free(pretty);
    json_free(event);
}

void monitor_event(const char *name, Json *data)
{
    assert(qmp_event_known(name));
    TRACE("monitor_event", "event %s", name);
    struct timeval now;
    gettimeofday(&now, NULL);
    Json *event = json_object(), *stamp = json_object();
    json_put_int(stamp, "seconds", now.tv_sec);
    json_put_int(stamp, "microseconds", now.tv_usec);
    json_put(event, "timestamp", stamp);
    json_put_string(event, "event", name);
    if (data) {
        json_put(event, "data", data);
    }
    /* From other threads through the main loop, which owns the list of monitors. */
    if (loop_thread_id(loop_main()) == gettid()) {
        send_event(event);
    } else {
        loop_call(loop_main(), send_event, event);
    }
}

/* ---- descriptors: getfd, closefd ---- */

static bool fd_name_ok(const char *name, Error **errp)
{
    if (*name >= '0' && *name <= '9') {
        error_set(errp, "Parameter 'fdname' expects a name not starting with a digit");
        return false;
    }
    return true;
}

Json *qmp_getfd(Monitor *mon, const Json *args, Error **errp)
{
    const char *name = json_get_string(args, "fdname");
    int fd = mon ? char_take_fd(&mon->fe) : -1;
    if (fd < 0) {
        error_set(errp, "No file descriptor supplied via SCM_RIGHTS");
        return NULL;
    }
    if (!fd_name_ok(name, errp)) {
        close(fd);
        return NULL;
    }
    for (size_t i = 0; i < mon->n_fds; i++) {
        if (!strcmp(mon->fds[i].name, name)) {
            close(mon->fds[i].fd);
            mon->fds[i].fd = fd;
            return json_object();
        }
    }
    mon->fds = xrealloc(mon->fds, (mon->n_fds + 1) * sizeof(*mon->fds));
    mon->fds[mon->n_fds].name = xstrdup(name);
    mon->fds[mon->n_fds++].fd = fd;
    return json_object();
}

static int take_named(Monitor *mon, const char *name)
{
    for (size_t i = 0; mon && i < mon->n_fds; i++) {
        if (!strcmp(mon->fds[i].name, name)) {
            int fd = mon->fds[i].fd;
            free(mon->fds[i].name);
            mon->fds[i] = mon->fds[--mon->n_fds];
            return fd;
        }
    }
    return -1;
}

Json *qmp_closefd(Monitor *mon, const Json *args, Error **errp)
{
    const char *name = json_get_string(args, "fdname");
    int fd = take_named(mon, name);
    if (fd < 0) {
        error_set(errp, "File descriptor named '%s' not found", name);
        return NULL;
    }
    close(fd);
    return json_object();
}

int monitor_take_fd(Monitor *mon, const char *name, Error **errp)
{
    uint64_t number;
    int fd = -1;
    if (text_to_uint(name, &number) && number <= INT32_MAX) {
        fd = fcntl((int)number, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            error_set_errno(errp, errno, "file descriptor %s", name);
        }
        return fd;
    }
    for (Monitor *m = mon ? mon : monitors; m && fd < 0; m = mon ? NULL : m->next) {
        fd = take_named(m, name);
    }
    if (fd < 0) {
        error_set(errp, "File descriptor named '%s' has not been found", name);
    }
    return fd;
}

/* ---- descriptor sets: add-fd, remove-fd, query-fdsets ---- */

typedef struct SetFd {
    int64_t set;
    int fd;
    char *opaque;
} SetFd;

static VEC(SetFd) fdsets;

bool monitor_fdset_add(int64_t *set, int fd, const char *opaque, Error **errp)
{
    if (*set < 0) {
        /* The first free number. */
        *set = 0;
        for (size_t i = 0; i < fdsets.n; i++) {
            if (fdsets.at[i].set == *set) {
                ++*set;
                i = (size_t)-1;
            }
        }
    }
    *vec_push(&fdsets) = (SetFd){ *set, fd, opaque ? xstrdup(opaque) : NULL };
    return true;
}

Json *qmp_add_fd(Monitor *mon, const Json *args, Error **errp)
{
    int64_t set = json_get_int(args, "fdset-id", -1);
    int fd = mon ? char_take_fd(&mon->fe) : -1;
    if (fd < 0) {
        error_set(errp, "No file descriptor supplied via SCM_RIGHTS");
        return NULL;
    }
    if (json_get(args, "fdset-id") && set < 0) {
        close(fd);
        error_set(errp, "Parameter 'fdset-id' expects a non-negative value");
        return NULL;
    }
    monitor_fdset_add(&set, fd, json_get_string(args, "opaque"), NULL);
    Json *ret = json_object();
    json_put_int(ret, "fd", fd);
    json_put_int(ret, "fdset-id", set);
    return ret;
}

Json *qmp_remove_fd(Monitor *mon, const Json *args, Error **errp)
{
    int64_t set = json_get_int(args, "fdset-id", -1), fd = json_get_int(args, "fd", -1);
    bool found = false;
    for (size_t i = fdsets.n; i-- > 0;) {
        if (fdsets.at[i].set == set && (fd < 0 || fdsets.at[i].fd == fd)) {
            close(fdsets.at[i].fd);
            free(fdsets.at[i].opaque);
            memmove(&fdsets.at[i], &fdsets.at[i + 1], (--fdsets.n - i) * sizeof(SetFd));
            found = true;
        }
    }
    if (!found) {
        if (fd >= 0) {
            error_set(errp, "File descriptor named 'fdset-id:%" PRId64 ", fd:%" PRId64
                      "' not found", set, fd);
        } else {
            error_set(errp, "File descriptor named 'fdset-id:%" PRId64 "' not found", set);
        }
        return NULL;
    }
    return json_object();
}

Json *qmp_query_fdsets(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array();
    for (size_t i = 0; i < fdsets.n; i++) {
        Json *entry = NULL;
        for (size_t k = 0; k < json_count(list) && !entry; k++) {
            if (json_get_int(json_at(list, k), "fdset-id", -1) == fdsets.at[i].set) {
                entry = json_at(list, k);
            }
        }
        if (!entry) {
            entry = json_object();
            json_put(entry, "fds", json_array());
            json_put_int(entry, "fdset-id", fdsets.at[i].set);
            json_push(list, entry);
        }
        Json *fd = json_object();
        json_put_int(fd, "fd", fdsets.at[i].fd);
        if (fdsets.at[i].opaque) {
            json_put_string(fd, "opaque", fdsets.at[i].opaque);
        }
        json_push(json_get(entry, "fds"), fd);
    }
    return list;
}

int monitor_fdset_open(const char *path, int flags, Error **errp)
{
    static const char prefix[] = "/dev/fdset/";
    int64_t set;
    if (strncmp(path, prefix, strlen(prefix)) ||
        !text_to_int(path + strlen(prefix), &set)) {
        error_set(errp, "'%s' is not /dev/fdset/NUMBER", path);
        return -1;
    }
    for (size_t i = 0; i < fdsets.n; i++) {
        int mode = fdsets.at[i].set == set ? fcntl(fdsets.at[i].fd, F_GETFL) : -1;
        if (mode >= 0 && (mode & O_ACCMODE) == (flags & O_ACCMODE)) {
            int fd = fcntl(fdsets.at[i].fd, F_DUPFD_CLOEXEC, 0);
            if (fd < 0) {
                error_set_errno(errp, errno, "cannot duplicate a descriptor of '%s'", path);
            }
            return fd;
        }
    }
    error_set(errp, "'%s' has no descriptor with the access mode asked for", path);
    return -1;
}
