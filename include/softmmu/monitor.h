/*
 * monitor.h: the control interfaces: QMP for programs, HMP for people.
 *
 * A monitor sits on a Chardev. There may be any number; each has its own
 * state. Commands are rows of softmmu/monitor/qmp-schema.def, their handlers
 * are functions of type QmpHandler anywhere; HMP commands are rows of
 * hmp-commands.def and mostly call QMP handlers.
 *
 * Threads: handlers run in the main loop with the device lock. monitor_event()
 * may be called from any thread. Output never blocks: it is queued, and a peer
 * that does not read is not served until it does.
 */
#ifndef SOFTMMU_MONITOR_H
#define SOFTMMU_MONITOR_H

#include "softmmu/chardev.h"
#include "util/json.h"
#include "util/print.h"

typedef struct Monitor Monitor;

/*
 * A QMP command. `args` has been checked against the schema: required members
 * are there, types are right, nothing else is in it (`args` is an object even
 * if the client sent none). The result is the caller's; json_object() for
 * commands that return nothing; NULL with an error. `mon` may be NULL: called
 * from inside.
 */
typedef Json *QmpHandler(Monitor *mon, const Json *args, Error **errp);

typedef enum MonitorMode { MONITOR_READLINE, MONITOR_CONTROL } MonitorMode;

/* A monitor on `chr`, which must be free (or a mux). */
bool monitor_add(Chardev *chr, MonitorMode mode, bool pretty, Error **errp);
/* -mon [chardev=]ID[,mode=readline|control][,pretty=on|off] */
bool monitor_add_option(const char *text, Error **errp);
/* Ends every monitor: their last output is written. */
void monitor_cleanup(void);

/* Sends an event to every QMP monitor that has negotiated. Takes `data` (NULL: none).
 * The name and the shape of data are rows of the schema. */
void monitor_event(const char *name, Json *data);

/* Runs a QMP command from inside, with the same checks as from outside. Takes `args`
 * (NULL: none). */
Json *qmp_call(const char *name, Json *args, Error **errp);
/* Runs an HMP command line; the result is its output (caller's, free()). */
char *hmp_run(const char *command_line, int cpu_index);

/* HMP output; on a QMP monitor (human-monitor-command) it is collected. */
void monitor_printf(Monitor *mon, const char *fmt, ...) PRINTF_LIKE(2, 3);
void monitor_puts(Monitor *mon, const char *text);
/* The same as a call-back for the print functions of other rooms. */
void monitor_print(void *mon, const char *text);

/* What "info network", "usernet", "block", "pci" and "pic" print: set by the rooms that know. */
void monitor_register_info(const char *what, void (*fn)(PrintFn *print, void *opaque));

/* A descriptor named by getfd, or a plain number; dup'ed or handed over: the caller's to
 * close. -1 with an error if there is none. */
int monitor_take_fd(Monitor *mon, const char *name, Error **errp);
/* Opens /dev/fdset/N with matching access mode (dup); -1 with an error. */
int monitor_fdset_open(const char *path, int flags, Error **errp);
bool monitor_fdset_add(int64_t *set, int fd, const char *opaque, Error **errp); /* takes fd */

#endif
