/*
 * qmp-misc.c: tracing, introspection of the command line, texts for people,
 * and true but empty answers.
 */
#include <fnmatch.h>
#include <stdio.h>
#include "accel/tcg.h"
#include "hw/device.h"
#include "hw/usb.h"
#include "softmmu/machine.h"
#include "softmmu/monitor/priv.h"
#include "softmmu/system.h"
#include "target/target.h"
#include "util/trace.h"

Json *qmp_human_monitor_command(Monitor *mon, const Json *args, Error **errp)
{
    Machine *m = machine_current();
    int64_t index = json_get_int(args, "cpu-index", 0);
    if (json_get(args, "cpu-index") && (index < 0 || index >= (int64_t)m->n_vcpus)) {
        error_set(errp, "Invalid parameter 'cpu-index', expected a CPU number");
        return NULL;
    }
    char *text = hmp_run(json_get_string(args, "command-line"), (int)index);
    Json *ret = json_string(text);
    free(text);
    return ret;
}

Json *qmp_query_none(Monitor *mon, const Json *args, Error **errp)
{
    return json_array();
}

Json *qmp_query_gic_capabilities(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array();

    if (strcmp(system_cpu_family(), "arm")) {
        json_free(list);
        error_set(errp, "GIC hardware is not available on this target");
        return NULL;
    }
    for (int version = 3; version >= 2; version--) {
        Json *item = json_object();
        json_put_int(item, "version", version);
        json_put_bool(item, "emulated", true);
        json_put_bool(item, "kernel", false);
        json_push(list, item);
    }
    return list;
}

Json *qmp_x_query_interrupt_controllers(Monitor *mon, const Json *args, Error **errp)
{
    Json *ret = json_object();
    json_put_string(ret, "human-readable-text", ""); /* none has a text of its own */
    return ret;
}

Json *qmp_query_replay(Monitor *mon, const Json *args, Error **errp)
{
    Json *ret = json_object();
    json_put_string(ret, "mode", "none");
    json_put_int(ret, "icount", 0);
    return ret;
}

Json *qmp_query_rx_filter(Monitor *mon, const Json *args, Error **errp)
{
    const char *name = json_get_string(args, "name");
    if (name) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_FOUND,
                        "net client '%s' has no receive filter to query", name);
        return NULL;
    }
    return json_array();
}

/* "events" is all there is: managers switch it on before anything else, also for machines that never migrate. */
Json *qmp_query_migrate_capabilities(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array(), *item = json_object();
    json_put_string(item, "capability", "events");
    json_put_bool(item, "state", system_config.migration_events);
    json_push(list, item);
    return list;
}

Json *qmp_migrate_set_capabilities(Monitor *mon, const Json *args, Error **errp)
{
    const Json *list = json_get(args, "capabilities");
    for (size_t i = 0; i < json_count(list); i++) {
        system_config.migration_events = json_get_bool(json_at(list, i), "state", false);
    }
    return json_object();
}

Json *qmp_query_migrate(Monitor *mon, const Json *args, Error **errp)
{
    return json_object();
}

Json *qmp_query_acpi_ospm_status(Monitor *mon, const Json *args, Error **errp)
{
    error_set(errp, "this machine has no ACPI device with status to query");
    return NULL;
}

Json *qmp_query_command_line_options(Monitor *mon, const Json *args, Error **errp)
{
    return system_describe_options(json_get_string(args, "option"), errp);
}

typedef struct TraceList {
    Json *list;
    const char *pattern;
} TraceList;

static void list_event(const char *name, bool on, void *opaque)
{
    TraceList *t = opaque;
    if (!fnmatch(t->pattern, name, 0)) {
        Json *item = json_object();
        json_put_string(item, "name", name);
        json_put_string(item, "state", on ? "enabled" : "disabled");
        json_push(t->list, item);
    }
}

Json *qmp_trace_event_get_state(Monitor *mon, const Json *args, Error **errp)
{
    TraceList t = { json_array(), json_get_string(args, "name") };
    trace_foreach(list_event, &t);
    if (!json_count(t.list) && !strpbrk(t.pattern, "*?[")) {
        json_free(t.list);
        error_set(errp, "unknown event \"%s\"", t.pattern);
        return NULL;
    }
    return t.list;
}

Json *qmp_trace_event_set_state(Monitor *mon, const Json *args, Error **errp)
{
    const char *name = json_get_string(args, "name");
    if (!trace_set(name, json_get_bool(args, "enable", false)) && !strpbrk(name, "*?[")) {
        error_set(errp, "unknown event \"%s\"", name);
        return NULL;
    }
    return json_object();
}

/* ---- texts ---- */

typedef VEC(char) Text;

static void collect(void *opaque, const char *text)
{
    for (; *text; text++) {
        *vec_push((Text *)opaque) = *text;
    }
}

static Json *human_text(Text *text)
{
    Json *ret = json_object();
    json_put(ret, "human-readable-text", json_stringn(text->at ? text->at : "", text->n));
    vec_free(text);
    return ret;
}

Json *qmp_x_query_jit(Monitor *mon, const Json *args, Error **errp)
{
    char *buf = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&buf, &len);
    tcg_counters_print(f);
    fclose(f);
    Json *ret = json_object();
    json_put_string(ret, "human-readable-text", buf);
    free(buf);
    return ret;
}

Json *qmp_x_query_roms(Monitor *mon, const Json *args, Error **errp)
{
    Text text = {0};
    machine_print_roms(collect, &text);
    return human_text(&text);
}

Json *qmp_x_query_ramblock(Monitor *mon, const Json *args, Error **errp)
{
    Text text = {0};
    collect(&text, "              Block Name              Offset                Used\n");
    for (const RamBlock *ram = ram_block_first(); ram; ram = ram->next) {
        char *line = xasprintf("%24s  0x%016" PRIx64 "  0x%016" PRIx64 "\n", ram->id,
                               ram->ram_addr, ram->size_bytes);
        collect(&text, line);
        free(line);
    }
    return human_text(&text);
}

Json *qmp_x_query_irq(Monitor *mon, const Json *args, Error **errp)
{
    Text text = {0};
    collect(&text, "interrupt statistics are not counted\n");
    return human_text(&text);
}

Json *qmp_x_query_numa(Monitor *mon, const Json *args, Error **errp)
{
    Text text = {0};
    collect(&text, "0 nodes\n");
    return human_text(&text);
}

Json *qmp_x_query_usb(Monitor *mon, const Json *args, Error **errp)
{
    Text text = {0};
    if (!usb_print(collect, &text)) {
        vec_free(&text);
        error_set(errp, "USB support not enabled");
        return NULL;
    }
    return human_text(&text);
}
