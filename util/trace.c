/*
 * trace.c: see trace.h. The events are found through a linker section.
 */
#include "util/trace.h"
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "util/alloc.h"

/* Weak: a program may have no event. */
extern TraceEvent *const __start_trace_events[] __attribute__((weak));
extern TraceEvent *const __stop_trace_events[] __attribute__((weak));

void trace_write(const TraceEvent *event, const char *fmt, ...)
{
    struct timespec now;
    va_list ap;
    clock_gettime(CLOCK_REALTIME, &now);
    va_start(ap, fmt);
    FILE *f = log_lock();
    fprintf(f, "%lld.%06ld:%s ", (long long)now.tv_sec, now.tv_nsec / 1000, event->name);
    vfprintf(f, fmt, ap);
    fputc('\n', f);
    log_unlock();
    va_end(ap);
}

unsigned trace_set(const char *pattern, bool on)
{
    unsigned n = 0;
    for (TraceEvent *const *e = __start_trace_events; e < __stop_trace_events; e++) {
        if (!fnmatch(pattern, (*e)->name, 0)) {
            atomic_store(&(*e)->on, on);
            n++;
        }
    }
    return n;
}

bool trace_enable(const char *text, Error **errp)
{
    bool on = *text != '-';
    const char *pattern = text + !on;
    if (!trace_set(pattern, on) && !strpbrk(pattern, "*?[")) {
        error_set(errp, "trace event '%s' does not exist", pattern);
        return false;
    }
    return true;
}

bool trace_read_file(const char *path, Error **errp)
{
    FILE *f = fopen(path, "re");
    char line[256];
    bool ok = true;
    if (!f) {
        error_set_errno(errp, errno, "cannot open '%s'", path);
        return false;
    }
    while (ok && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\r\n")] = 0;
        if (*line && *line != '#') {
            ok = trace_enable(line, errp);
        }
    }
    fclose(f);
    return ok;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(TraceEvent *const *)a)->name, (*(TraceEvent *const *)b)->name);
}

void trace_foreach(void (*fn)(const char *name, bool on, void *opaque), void *opaque)
{
    size_t n = (size_t)(__stop_trace_events - __start_trace_events);
    TraceEvent **sorted = xcalloc(n + 1, sizeof(*sorted));
    for (size_t i = 0; i < n; i++) {
        sorted[i] = __start_trace_events[i];
    }
    qsort(sorted, n, sizeof(*sorted), by_name);
    for (size_t i = 0; i < n; i++) {
        if (!i || strcmp(sorted[i]->name, sorted[i - 1]->name)) {
            fn(sorted[i]->name, atomic_load(&sorted[i]->on), opaque);
        }
    }
    free(sorted);
}
