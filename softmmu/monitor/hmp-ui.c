/*
 * hmp-ui.c: HMP commands on displays and input.
 */
#include <stdlib.h>
#include "softmmu/monitor/priv.h"
#include "ui/display.h"
#include "ui/input.h"
#include "util/parse.h"

static bool call(Monitor *mon, const char *name, Json *args)
{
    Error *err = NULL;
    Json *result = qmp_call(name, args, &err);
    json_free(result);
    return !hmp_report(mon, err);
}

/* "ctrl-alt-delete", "0x1d-a", "<" */
void hmp_sendkey(Monitor *mon, const Json *args)
{
    const char *text = json_get_string(args, "keys");
    Json *keys = json_array();

    for (const char *p = text; *p;) {
        size_t len = strcspn(p + 1, "-") + 1;
        char *word = xstrndup(p, len);
        Json *key = json_object();
        uint64_t number;
        if (!strcmp(word, "<")) {
            free(word);
            word = xstrdup("less");
        }
        if (!strncmp(word, "0x", 2) && text_to_uint(word, &number) && number <= INT32_MAX) {
            json_put_string(key, "type", "number");
            json_put_int(key, "data", (int64_t)number);
        } else if (input_key_from_name(word, strlen(word)) != INPUT_N_KEYS) {
            json_put_string(key, "type", "qcode");
            json_put_string(key, "data", word);
        } else {
            monitor_printf(mon, "Error: invalid parameter: %s\n", word);
            free(word);
            json_free(key);
            json_free(keys);
            return;
        }
        json_push(keys, key);
        free(word);
        p += len + (p[len] == '-');
    }
    Json *call_args = json_object();
    json_put(call_args, "keys", keys);
    if (json_get(args, "hold")) {
        json_put_int(call_args, "hold-time", json_get_int(args, "hold", 100));
    }
    call(mon, "send-key", call_args);
}

void hmp_screendump(Monitor *mon, const Json *args)
{
    Json *call_args = json_object();
    const char *device = json_get_string(args, "device"), *format = json_get_string(args, "format");

    /* "-f png" before the name or after it. */
    json_put_string(call_args, "filename", json_get_string(args, "filename"));
    if (format) {
        json_put_string(call_args, "format", format);
    }
    if (device) {
        json_put_string(call_args, "device", device);
    }
    if (json_get(args, "head")) {
        json_put_int(call_args, "head", json_get_int(args, "head", 0));
    }
    call(mon, "screendump", call_args);
}

void hmp_mouse_move(Monitor *mon, const Json *args)
{
    int64_t dz = json_get_int(args, "dz", 0);

    input_send_rel(INPUT_AXIS_X, (int)MIN(MAX(json_get_int(args, "dx", 0), INT16_MIN), INT16_MAX));
    input_send_rel(INPUT_AXIS_Y, (int)MIN(MAX(json_get_int(args, "dy", 0), INT16_MIN), INT16_MAX));
    input_sync();
    if (dz) {
        InputButton button = dz > 0 ? INPUT_BUTTON_WHEEL_UP : INPUT_BUTTON_WHEEL_DOWN;
        input_send_button(button, true);
        input_sync();
        input_send_button(button, false);
        input_sync();
    }
}

/* The state of the buttons: 1 left, 2 middle, 4 right. */
void hmp_mouse_button(Monitor *mon, const Json *args)
{
    int64_t state = json_get_int(args, "state", 0);

    input_send_button(INPUT_BUTTON_LEFT, state & 1);
    input_send_button(INPUT_BUTTON_MIDDLE, state & 2);
    input_send_button(INPUT_BUTTON_RIGHT, state & 4);
    input_sync();
}

void hmp_mouse_set(Monitor *mon, const Json *args)
{
    int64_t index = json_get_int(args, "index", 0);
    const char *name;
    int id;
    bool absolute, current;

    for (unsigned i = 0; input_mouse_at(i, &name, &id, &absolute, &current); i++) {
        if (id == index) {
            input_activate(id);
            return;
        }
    }
    monitor_printf(mon, "Error: Mouse at index '%" PRId64 "' not found\n", index);
}

void hmp_info_mice(Monitor *mon, const Json *args)
{
    Json *mice = qmp_query_mice(mon, NULL, NULL);

    if (!json_count(mice)) {
        monitor_puts(mon, "No mouse devices connected\n");
    }
    for (size_t i = 0; i < json_count(mice); i++) {
        const Json *m = json_at(mice, i);
        monitor_printf(mon, "%c Mouse #%" PRId64 ": %s%s\n", json_get_bool(m, "current", false) ? '*' : ' ',
                       json_get_int(m, "index", 0), json_get_string(m, "name"),
                       json_get_bool(m, "absolute", false) ? " (absolute)" : "");
    }
    json_free(mice);
}

static void print_socket(Monitor *mon, const char *prefix, const Json *at)
{
    monitor_printf(mon, "%s: %s:%s (%s%s)\n", prefix, json_get_string(at, "host"), json_get_string(at, "service"),
                   json_get_string(at, "family"), json_get_bool(at, "websocket", false) ? " (Websocket)" : "");
}

void hmp_info_vnc(Monitor *mon, const Json *args)
{
    Json *servers = vnc_describe_servers();

    if (!json_count(servers)) {
        monitor_puts(mon, "None\n");
    }
    for (size_t i = 0; i < json_count(servers); i++) {
        const Json *s = json_at(servers, i), *sockets = json_get(s, "server"), *clients = json_get(s, "clients");
        monitor_printf(mon, "%s:\n", json_get_string(s, "id"));
        for (size_t k = 0; k < json_count(sockets); k++) {
            print_socket(mon, "  Server", json_at(sockets, k));
            monitor_printf(mon, "    Auth: %s (Sub: none)\n", json_get_string(json_at(sockets, k), "auth"));
        }
        if (!json_count(sockets)) {
            monitor_printf(mon, "  Auth: %s (Sub: none)\n", json_get_string(s, "auth"));
        }
        for (size_t k = 0; k < json_count(clients); k++) {
            print_socket(mon, "  Client", json_at(clients, k));
            monitor_puts(mon, "    x509_dname: none\n    sasl_username: none\n");
        }
        const char *display = json_get_string(s, "display");
        if (display) {
            monitor_printf(mon, "  Display: %s\n", display);
        }
    }
    json_free(servers);
}

void hmp_set_password(Monitor *mon, const Json *args)
{
    call(mon, "set_password", json_copy(args));
}

void hmp_expire_password(Monitor *mon, const Json *args)
{
    call(mon, "expire_password", json_copy(args));
}

static void change_vnc_password(Monitor *mon, const char *password)
{
    Json *call_args = json_object();
    json_put_string(call_args, "password", password);
    call(mon, "change-vnc-password", call_args);
}

/* "change vnc password [NEW]"; everything else changes a medium. */
void hmp_change_vnc(Monitor *mon, const Json *args)
{
    const char *what = json_get_string(args, "target"), *password = json_get_string(args, "format");

    if (strcmp(what, "password")) {
        monitor_puts(mon, "Error: Parameter 'target' expects 'password'\n");
        return;
    }
    if (password) {
        change_vnc_password(mon, password);
    } else if (mon->collecting) { /* human-monitor-command: nobody can be asked */
        monitor_puts(mon, "Error: the new password is missing: change vnc password PASSWORD\n");
    } else {
        hmp_line_ask_secret(mon->line, change_vnc_password);
    }
}
