/*
 * trace.h: named events, off until somebody asks for them (-trace, -d trace:PATTERN, trace-event-set-state).
 *
 * An event is declared where it fires:
 *     TRACE("chardev_open", "id %s backend %s", id, name);
 * One place, one name; names are room_what_happened. The arguments are not evaluated while the event is
 * off, and the test is one load. Not for inline functions in headers (each copy would be an event).
 *
 * Output goes where the log goes (-D). Threads: all functions from any thread.
 */
#ifndef UTIL_TRACE_H
#define UTIL_TRACE_H

#include "util/log.h"

typedef struct TraceEvent {
    const char *name;
    _Atomic bool on;
} TraceEvent;

#define TRACE(event_name, ...)                                                               \
    do {                                                                                     \
        static TraceEvent trace_event_ = { event_name, false };                              \
        static TraceEvent *const trace_entry_                                                \
            __attribute__((used, section("trace_events"))) = &trace_event_;                  \
        if (unlikely(atomic_load_explicit(&trace_event_.on, memory_order_relaxed))) {        \
            trace_write(&trace_event_, __VA_ARGS__);                                         \
        }                                                                                    \
        (void)trace_entry_;                                                                  \
    } while (0)

void trace_write(const TraceEvent *event, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Switches every event whose name matches the pattern (*, ?, [a-z]); returns how many did. */
unsigned trace_set(const char *pattern, bool on);
/* One line of a -trace events=FILE or a -trace argument: PATTERN, or -PATTERN to switch off. */
bool trace_enable(const char *text, Error **errp);
bool trace_read_file(const char *path, Error **errp);
/* In order of names, each name once. */
void trace_foreach(void (*fn)(const char *name, bool on, void *opaque), void *opaque);

#endif
