/*
 * hmp-cmds.c: HMP commands; most call the QMP command of the same purpose.
 */
#include <errno.h>
#include <stdio.h>
#include "hw/boot.h"
#include "net/net.h"
#include "softmmu/machine.h"
#include "softmmu/monitor/priv.h"
#include "softmmu/system.h"
#include "util/log.h"
#include "util/parse.h"

/* Calls and reports; the result is only tested. */
static bool call(Monitor *mon, const char *name, Json *args)
{
    Error *err = NULL;
    Json *result = qmp_call(name, args, &err);
    json_free(result);
    return !hmp_report(mon, err);
}

static Json *copy_args(const Json *args)
{
    return json_copy(args);
}

void hmp_stop(Monitor *mon, const Json *args)
{
    call(mon, "stop", NULL);
}

void hmp_cont(Monitor *mon, const Json *args)
{
    call(mon, "cont", NULL);
}

void hmp_quit(Monitor *mon, const Json *args)
{
    call(mon, "quit", NULL);
}

void hmp_system_reset(Monitor *mon, const Json *args)
{
    call(mon, "system_reset", NULL);
}

void hmp_system_powerdown(Monitor *mon, const Json *args)
{
    call(mon, "system_powerdown", NULL);
}

void hmp_system_wakeup(Monitor *mon, const Json *args)
{
    call(mon, "system_wakeup", NULL);
}

void hmp_boot_set(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    const char *order = json_get_string(args, "bootdevice");

    if (boot_set_order(order, &err)) {
        monitor_printf(mon, "boot device list now set to %s\n", order);
    }
    hmp_report(mon, err);
}

void hmp_nmi(Monitor *mon, const Json *args)
{
    call(mon, "inject-nmi", NULL);
}

void hmp_watchdog_action(Monitor *mon, const Json *args)
{
    call(mon, "watchdog-set-action", copy_args(args));
}

void hmp_memsave(Monitor *mon, const Json *args)
{
    Json *copy = copy_args(args);
    json_put_int(copy, "cpu-index", mon->cpu_index);
    call(mon, "memsave", copy);
}

void hmp_pmemsave(Monitor *mon, const Json *args)
{
    call(mon, "pmemsave", copy_args(args));
}

void hmp_dump_guest_memory(Monitor *mon, const Json *args)
{
    Json *copy = json_object();
    json_put_bool(copy, "paging", json_get_bool(args, "-p", false));
    json_put(copy, "protocol", json_stringf("file:%s", json_get_string(args, "filename")));
    call(mon, "dump-guest-memory", copy);
}

void hmp_dumpdtb(Monitor *mon, const Json *args)
{
    if (call(mon, "dumpdtb", copy_args(args))) {
        monitor_printf(mon, "DTB dumped to '%s'\n", json_get_string(args, "filename"));
    }
}

void hmp_balloon(Monitor *mon, const Json *args)
{
    Json *copy = json_object();
    int64_t mib = json_get_int(args, "value", 0);
    json_put_int(copy, "value", mib > INT64_MAX >> 20 || mib < 0 ? INT64_MAX : mib << 20);
    call(mon, "balloon", copy);
}

/* ---- logging, debugging ---- */

static void print_log_items(Monitor *mon)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out) {
        log_print_help(out);
        fclose(out);
        monitor_puts(mon, text);
        free(text);
    }
}

void hmp_log(Monitor *mon, const Json *args)
{
    const char *items = json_get_string(args, "items");
    Error *err = NULL;
    if (!strcmp(items, "none")) {
        log_mask = 0;
    } else if (!strcmp(items, "help") || !strcmp(items, "?")) {
        print_log_items(mon);
    } else {
        log_set_items(items, &err);
        hmp_report(mon, err);
    }
}

void hmp_logfile(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    log_set_file(json_get_string(args, "filename"), &err);
    hmp_report(mon, err);
}

void hmp_trace_event(Monitor *mon, const Json *args)
{
    Json *copy = json_object();
    json_put_string(copy, "name", json_get_string(args, "name"));
    json_put_bool(copy, "enable", json_get_bool(args, "option", false));
    call(mon, "trace-event-set-state", copy);
}

void hmp_one_insn_per_tb(Monitor *mon, const Json *args)
{
    monitor_puts(mon, "Error: one-insn-per-tb cannot be changed while the machine exists; use "
                      "-accel tcg,one-insn-per-tb=on\n");
}

void hmp_gdbserver(Monitor *mon, const Json *args)
{
    const char *device = json_get_string(args, "device");
    Error *err = NULL;
    device = device ? device : "tcp::1234";
    if (!system_start_gdb(device, &err)) {
        hmp_report(mon, err);
    } else if (!strcmp(device, "none")) {
        monitor_puts(mon, "Disabled gdbserver\n");
    } else {
        monitor_printf(mon, "Waiting for gdb connection on device '%s'\n", device);
    }
}

/* ---- devices and objects ---- */

void hmp_device_add(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    Json *opts = opts_parse(json_get_string(args, "device"), "driver", &err);
    if (opts) {
        call(mon, "device_add", opts);
    } else {
        hmp_report(mon, err);
    }
}

void hmp_device_del(Monitor *mon, const Json *args)
{
    call(mon, "device_del", copy_args(args));
}

void hmp_object_add(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    Json *opts = opts_parse(json_get_string(args, "object"), "qom-type", &err);
    if (opts) {
        call(mon, "object-add", opts);
    } else {
        hmp_report(mon, err);
    }
}

void hmp_object_del(Monitor *mon, const Json *args)
{
    call(mon, "object-del", copy_args(args));
}

void hmp_qom_list(Monitor *mon, const Json *args)
{
    const char *path = json_get_string(args, "path");
    Error *err = NULL;
    Json *copy = json_object();
    json_put_string(copy, "path", path ? path : "/");
    Json *list = qmp_call("qom-list", copy, &err);
    for (size_t i = 0; i < json_count(list); i++) {
        monitor_printf(mon, "%s (%s)\n", json_get_string(json_at(list, i), "name"),
                       json_get_string(json_at(list, i), "type"));
    }
    json_free(list);
    hmp_report(mon, err);
}

void hmp_qom_get(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    Json *value = qmp_call("qom-get", copy_args(args), &err);
    if (value) {
        char *text = json_print_pretty(value);
        monitor_printf(mon, "%s\n", text);
        free(text);
        json_free(value);
    }
    hmp_report(mon, err);
}

void hmp_qom_set(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    Json *copy = copy_args(args);
    bool is_json = json_get_bool(copy, "-j", false);
    json_drop(copy, "-j");
    if (is_json) {
        Json *value = json_parse_string(json_get_string(args, "value"), &err);
        if (!value) {
            hmp_report(mon, err);
            json_free(copy);
            return;
        }
        json_put(copy, "value", value);
    } else {
        /* Without -j the property's own type decides what the text means. */
        const char *text = json_get_string(args, "value");
        int64_t number;
        bool on;
        if (text_to_int(text, &number)) {
            json_put_int(copy, "value", number);
        } else if (text_to_bool(text, &on)) {
            json_put_bool(copy, "value", on);
        }
    }
    call(mon, "qom-set", copy);
}

/* ---- character devices ---- */

void hmp_chardev_add(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    chardev_add_option(json_get_string(args, "args"), &err);
    hmp_report(mon, err);
}

void hmp_chardev_change(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    Json *opts = opts_parse(json_get_string(args, "args"), "backend", &err);
    if (opts) {
        chardev_change(json_get_string(args, "id"), opts, &err);
        json_free(opts);
    }
    hmp_report(mon, err);
}

void hmp_chardev_remove(Monitor *mon, const Json *args)
{
    call(mon, "chardev-remove", copy_args(args));
}

void hmp_chardev_send_break(Monitor *mon, const Json *args)
{
    call(mon, "chardev-send-break", copy_args(args));
}

void hmp_ringbuf_write(Monitor *mon, const Json *args)
{
    call(mon, "ringbuf-write", copy_args(args));
}

void hmp_ringbuf_read(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    Json *data = qmp_call("ringbuf-read", copy_args(args), &err);
    if (data) {
        for (const unsigned char *p = (const unsigned char *)json_as_string(data); *p; p++) {
            if (*p == '\\') {
                monitor_puts(mon, "\\\\");
            } else if ((*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f) {
                monitor_printf(mon, "\\u%04X", *p);
            } else {
                monitor_printf(mon, "%c", *p);
            }
        }
        monitor_puts(mon, "\n");
        json_free(data);
    }
    hmp_report(mon, err);
}

void hmp_getfd(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    QmpHandler *getfd = qmp_command_find("getfd")->handler;
    json_free(getfd(mon, args, &err));
    hmp_report(mon, err);
}

void hmp_closefd(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    QmpHandler *closefd = qmp_command_find("closefd")->handler;
    json_free(closefd(mon, args, &err));
    hmp_report(mon, err);
}

/* ---- network ---- */

void hmp_netdev_add(Monitor *mon, const Json *args)
{
    Error *err = NULL;
    Json *opts = opts_parse(json_get_string(args, "args"), "type", &err);
    if (opts) {
        call(mon, "netdev_add", opts);
    }
    hmp_report(mon, err);
}

void hmp_netdev_del(Monitor *mon, const Json *args)
{
    call(mon, "netdev_del", copy_args(args));
}

/* "[netdev] rule" */
static void hostfwd(Monitor *mon, const Json *args, bool remove)
{
    const char *text = json_get_string(args, "args"), *space = strchr(text, ' ');
    char *netdev = space ? xstrndup(text, (size_t)(space - text)) : NULL;
    Error *err = NULL;
    if (net_hostfwd(netdev, space ? space + 1 : text, remove, &err) && remove) {
        monitor_printf(mon, "host forwarding rule for %s removed\n", space ? space + 1 : text);
    }
    free(netdev);
    hmp_report(mon, err);
}

void hmp_hostfwd_add(Monitor *mon, const Json *args)
{
    hostfwd(mon, args, false);
}

void hmp_hostfwd_remove(Monitor *mon, const Json *args)
{
    hostfwd(mon, args, true);
}

void hmp_set_link(Monitor *mon, const Json *args)
{
    call(mon, "set_link", copy_args(args));
}

/* ---- the rest ---- */

void hmp_clear(Monitor *mon, const Json *args)
{
    monitor_puts(mon, "\x1b[2J\x1b[H");
}

void hmp_no_snapshot(Monitor *mon, const Json *args)
{
    monitor_puts(mon, "Error: snapshots of the machine are not supported yet\n");
}

void hmp_no_migration(Monitor *mon, const Json *args)
{
    monitor_puts(mon, "Error: migration is not supported yet\n");
}

/* A device of the command line is named by its -drive here. */
void hmp_eject(Monitor *mon, const Json *args)
{
    Json *copy = json_object();
    json_put_string(copy, "device", json_get_string(args, "device"));
    json_put_bool(copy, "force", json_get_bool(args, "-f", false));
    call(mon, "eject", copy);
}

void hmp_change(Monitor *mon, const Json *args)
{
    if (!strcmp(json_get_string(args, "device"), "vnc")) {
        hmp_change_vnc(mon, args);
        return;
    }
    Json *copy = json_object();
    json_put_string(copy, "device", json_get_string(args, "device"));
    json_put_string(copy, "filename", json_get_string(args, "target"));
    json_put_bool(copy, "force", json_get_bool(args, "-f", false));
    if (json_get_string(args, "format")) {
        json_put_string(copy, "format", json_get_string(args, "format"));
    }
    if (json_get_string(args, "read-only-mode")) {
        json_put_string(copy, "read-only-mode", json_get_string(args, "read-only-mode"));
    }
    call(mon, "blockdev-change-medium", copy);
}

void hmp_no_block(Monitor *mon, const Json *args)
{
    monitor_puts(mon, "Error: changing block devices is not supported yet\n");
}
