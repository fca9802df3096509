/*
 * priv.h: inside the monitor room.
 */
#ifndef SOFTMMU_MONITOR_PRIV_H
#define SOFTMMU_MONITOR_PRIV_H

#include "softmmu/monitor/handlers.h"
#include "softmmu/options.h"
#include "util/alloc.h"

struct Vcpu;
struct BlockNode;

typedef struct HmpLine HmpLine; /* the line editor */

struct Monitor {
    CharFrontend fe;
    MonitorMode mode;
    bool open;
    /* QMP */
    bool pretty, negotiated;
    JsonStream stream;
    /* HMP */
    HmpLine *line;
    bool muted;               /* another front end of the mux has the terminal */
    int cpu_index;            /* the vCPU that registers and addresses mean */
    VEC(char) text;           /* human-monitor-command: collected output */
    bool collecting;
    struct { char *name; int fd; } *fds; /* getfd */
    size_t n_fds;
    Monitor *next;
};

Monitor *monitor_first(void);
void monitor_send(Monitor *mon, const char *text, size_t len);

/* ---- schema.c ---- */
enum {
    QMP_ALLOW_PRECONFIG = 1,
    QMP_UNSTABLE = 2, /* x-… */
    QMP_DEPRECATED = 4,
};

typedef struct QmpCommand {
    const char *name;
    const char *args;    /* members, see qmp-schema.def */
    const char *returns; /* type; NULL: nothing */
    QmpHandler *handler;
    unsigned flags;
    const char *doc;
} QmpCommand;

const QmpCommand *qmp_command_find(const char *name);
const QmpCommand *qmp_command_at(size_t i); /* NULL behind the last */
bool qmp_check_args(const QmpCommand *cmd, const Json *args, Error **errp);
Json *qmp_schema_introspect(void);
/* Every type that is named exists, every name is unique; prints what is wrong. */
bool qmp_schema_verify(void);
bool qmp_event_known(const char *name);
/* The values of an enum type, NULL-terminated, for completion and help; caller's (free()). */
Json *qmp_enum_values(const char *type);

/* ---- qmp-export.c ---- */
/* As block-export-add, --export. */
bool monitor_export_add(const Json *options, Error **errp);
/* The node that a command names; the caller's reference. The emulator knows drives by their ids, too. */
struct BlockNode *monitor_block_node(const char *name, Error **errp);
/* The same for a job, which must see each write: a raw image of the emulator's becomes a node. */
struct BlockNode *monitor_job_node(const char *name, Error **errp);
/* The main loop serves the block layer's context from now on. */
void monitor_watch_blocks(void);

/* ---- qmp.c ---- */
extern const CharHandlers qmp_handlers;
Json *qmp_dispatch(Monitor *mon, const Json *request);

/* ---- hmp.c ---- */
extern const CharHandlers hmp_handlers;
void hmp_init(Monitor *mon);
void hmp_finish(Monitor *mon);
void hmp_execute(Monitor *mon, const char *line);
void hmp_complete(Monitor *mon, const char *line, void (*found)(void *opaque, const char *word),
                  void *opaque);
/* Prints and frees; for HMP handlers. True if there was one. */
bool hmp_report(Monitor *mon, Error *err);
struct Vcpu *hmp_vcpu(Monitor *mon); /* NULL: there is none */

/* ---- readline.c ---- */
HmpLine *hmp_line_new(Monitor *mon, const char *prompt);
void hmp_line_free(HmpLine *line);
void hmp_line_input(HmpLine *line, const uint8_t *buf, size_t len);
/* Shows prompt and text again, on a new line. */
void hmp_line_show(HmpLine *line);
void hmp_line_print_history(HmpLine *line);
/* The next line entered is a password: it is shown as stars and goes to `answer`; Ctrl-C: to nobody. */
void hmp_line_ask_secret(HmpLine *line, void (*answer)(Monitor *mon, const char *text));

/* ---- expr.c ---- */
/* C-like: + - * / % & | ^ ~ ( ) $register, numbers, 'c'. Advances *text. */
bool hmp_expression(Monitor *mon, const char **text, int64_t *ret, Error **errp);

#endif
