/*
 * handlers.h: prototypes of every command's handler, from the tables.
 */
#ifndef SOFTMMU_MONITOR_HANDLERS_H
#define SOFTMMU_MONITOR_HANDLERS_H

#include "softmmu/monitor.h"

typedef void HmpHandler(Monitor *mon, const Json *args);

#define QMP_STRUCT(name, members, doc)
#define QMP_ENUM(name, values, doc)
#define QMP_UNION(name, base, tag, variants, doc)
#define QMP_ALTERNATE(name, members, doc)
#define QMP_EVENT(name, data, doc)
#define QMP_COMMAND(name, args, returns, handler, flags, doc) QmpHandler handler;
#include "softmmu/monitor/qmp-schema.def"
#undef QMP_STRUCT
#undef QMP_ENUM
#undef QMP_UNION
#undef QMP_ALTERNATE
#undef QMP_EVENT
#undef QMP_COMMAND

#define INFO(name, args, usage, handler, help) HmpHandler handler;
#define HMP(name, alias, args, usage, handler, help) HmpHandler handler;
#include "softmmu/monitor/hmp-commands.def"
#undef INFO
#undef HMP

void hmp_change_vnc(Monitor *mon, const Json *args); /* hmp-ui.c: change vnc */

#endif
