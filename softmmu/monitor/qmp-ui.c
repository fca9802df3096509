/*
 * qmp-ui.c: QMP commands on displays and input: screendump, keys, pointers, VNC.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "softmmu/monitor/priv.h"
#include "ui/console.h"
#include "ui/display.h"
#include "ui/input.h"
#include "util/parse.h"

/* ---- the picture ---- */

static Console *choose_console(const Json *args, Error **errp)
{
    const char *device = json_get_string(args, "device");
    int64_t head = json_get_int(args, "head", 0);

    if (!device && json_get(args, "head")) {
        error_set(errp, "'head' must be specified together with 'device'");
        return NULL;
    }
    if (device) {
        return console_by_device(device, head < 0 || head > 255 ? 255 : (unsigned)head, errp);
    }
    Console *con = console_by_index(0);
    if (!con) {
        error_set(errp, "There is no console to take a screendump from");
    }
    return con;
}

Json *qmp_screendump(Monitor *mon, const Json *args, Error **errp)
{
    const char *path = json_get_string(args, "filename"), *format = json_get_string(args, "format");
    Console *con = choose_console(args, errp);

    if (!con) {
        return NULL;
    }
    console_refresh(con);
    /* A screen that is off is dark. */
    Surface *surface = console_surface(con), *dark = surface ? NULL : surface_new(640, 480);
    int fd = !strncmp(path, "/dev/fdset/", 11) ? monitor_fdset_open(path, O_WRONLY, errp)
                                               : open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        if (errp && !*errp) {
            error_set_errno(errp, errno, "failed to open file '%s'", path);
        }
        surface_free(dark);
        return NULL;
    }
    bool ok = image_write(dark ? dark : surface, fd, format && !strcmp(format, "png") ? IMAGE_PNG : IMAGE_PPM, errp);
    surface_free(dark);
    if (close(fd) && ok) {
        error_set_errno(errp, errno, "failed to write '%s'", path);
        ok = false;
    }
    if (!ok && strncmp(path, "/dev/", 5)) {
        unlink(path); /* half a picture is of no use */
    }
    return ok ? json_object() : NULL;
}

/* ---- keys and pointers ---- */

/* A KeyValue: {"type": "qcode", "data": "a"} or {"type": "number", "data": 30}. */
static InputKey key_value(const Json *value)
{
    const Json *data = json_get(value, "data");

    if (!strcmp(json_get_string(value, "type"), "qcode")) {
        const char *name = json_as_string(data);
        return input_key_from_name(name, strlen(name));
    }
    int64_t number = json_as_int(data);
    InputKey key = number > 0 && number <= 0xff ? input_key_from_xt((unsigned)number) : INPUT_N_KEYS;
    return key == INPUT_N_KEYS ? INPUT_KEY_UNMAPPED : key;
}

Json *qmp_send_key(Monitor *mon, const Json *args, Error **errp)
{
    const Json *keys = json_get(args, "keys");
    int64_t hold_ms = json_get_int(args, "hold-time", 100);
    size_t n = json_count(keys);

    if (hold_ms < 0 || hold_ms > INT32_MAX) {
        error_set(errp, "Parameter 'hold-time' expects milliseconds from 0 to %d", INT32_MAX);
        return NULL;
    }
    if (n > INPUT_N_KEYS) {
        error_set(errp, "more keys than a keyboard has");
        return NULL;
    }
    InputKey *list = xnew_array(InputKey, n + 1);
    for (size_t i = 0; i < n; i++) {
        list[i] = key_value(json_at(keys, i));
    }
    input_press_keys(list, (unsigned)n, (unsigned)hold_ms);
    free(list);
    return json_object();
}

static int enum_index(const char *const *names, const char *name)
{
    int i = 0;
    while (names[i] && strcmp(names[i], name)) {
        i++;
    }
    return i;
}

static const char *const button_names[] = { "left", "middle", "right", "wheel-up", "wheel-down", "side", "extra",
                                            "wheel-left", "wheel-right", "touch", NULL };
static const char *const axis_names[] = { "x", "y", NULL };

/* False: no such kind of event here (multi-touch). */
static bool make_event(const Json *item, InputEvent *ret)
{
    const char *type = json_get_string(item, "type");
    const Json *data = json_get(item, "data");

    *ret = (InputEvent){ .down = json_get_bool(data, "down", false) };
    if (!strcmp(type, "key")) {
        ret->kind = INPUT_KEY_EVENT;
        ret->code = key_value(json_get(data, "key"));
    } else if (!strcmp(type, "btn")) {
        ret->kind = INPUT_BUTTON_EVENT;
        ret->code = enum_index(button_names, json_get_string(data, "button"));
    } else if (!strcmp(type, "rel") || !strcmp(type, "abs")) {
        int64_t value = json_get_int(data, "value", 0);
        ret->kind = *type == 'r' ? INPUT_REL_EVENT : INPUT_ABS_EVENT;
        ret->code = enum_index(axis_names, json_get_string(data, "axis"));
        ret->value = (int)(*type == 'r' ? MIN(MAX(value, INT16_MIN), INT16_MAX) : MIN(MAX(value, 0), INPUT_ABS_MAX));
    } else {
        return false;
    }
    return true;
}

Json *qmp_input_send_event(Monitor *mon, const Json *args, Error **errp)
{
    const Json *events = json_get(args, "events");
    Console *con = NULL;
    InputEvent event;

    if (json_get_string(args, "device") || json_get(args, "head")) {
        con = choose_console(args, errp);
        if (!con) {
            return NULL;
        }
    }
    for (size_t i = 0; i < json_count(events); i++) {
        const Json *item = json_at(events, i);
        if (!make_event(item, &event) || !(input_kinds() & event.kind)) {
            error_set(errp, "Input handler not found for event type %s", json_get_string(item, "type"));
            return NULL;
        }
    }
    for (size_t i = 0; i < json_count(events); i++) {
        make_event(json_at(events, i), &event);
        input_send(con, &event);
    }
    input_sync();
    return json_object();
}

Json *qmp_query_mice(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array();
    const char *name;
    int id;
    bool absolute, current;

    for (unsigned i = 0; input_mouse_at(i, &name, &id, &absolute, &current); i++) {
        Json *item = json_object();
        json_put_string(item, "name", name);
        json_put_int(item, "index", id);
        json_put_bool(item, "current", current);
        json_put_bool(item, "absolute", absolute);
        json_push(list, item);
    }
    return list;
}

/* ---- displays ---- */

Json *qmp_query_display_options(Monitor *mon, const Json *args, Error **errp)
{
    return display_describe();
}

Json *qmp_query_vnc(Monitor *mon, const Json *args, Error **errp)
{
    return vnc_describe(errp);
}

Json *qmp_query_vnc_servers(Monitor *mon, const Json *args, Error **errp)
{
    return vnc_describe_servers();
}

/* set_password and expire_password: this build has one protocol. */
static bool protocol_ok(const Json *args, Error **errp)
{
    const char *protocol = json_get_string(args, "protocol");

    if (strcmp(protocol, "vnc")) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_ACTIVE, "SPICE is not in use");
        return false;
    }
    return true;
}

Json *qmp_set_password(Monitor *mon, const Json *args, Error **errp)
{
    const char *connected = json_get_string(args, "connected");

    if (!protocol_ok(args, errp)) {
        return NULL;
    }
    if (connected && strcmp(connected, "keep")) {
        error_set(errp, "parameter 'connected' must be 'keep' when 'protocol' is 'vnc'");
        return NULL;
    }
    return vnc_set_password(json_get_string(args, "display"), json_get_string(args, "password"), errp) ? json_object() : NULL;
}

Json *qmp_change_vnc_password(Monitor *mon, const Json *args, Error **errp)
{
    return vnc_set_password(NULL, json_get_string(args, "password"), errp) ? json_object() : NULL;
}

/* "now", "never", "+SECONDS", or seconds since 1970. */
Json *qmp_expire_password(Monitor *mon, const Json *args, Error **errp)
{
    const char *text = json_get_string(args, "time");
    int64_t at_s;
    uint64_t number;

    if (!protocol_ok(args, errp)) {
        return NULL;
    }
    if (!strcmp(text, "now")) {
        at_s = VNC_EXPIRED;
    } else if (!strcmp(text, "never")) {
        at_s = VNC_EXPIRES_NEVER;
    } else if (text_to_uint(text + (*text == '+'), &number) && number < INT32_MAX * (uint64_t)1000) {
        at_s = (int64_t)number + (*text == '+' ? time(NULL) : 0);
    } else {
        error_set(errp, "invalid expiration time '%s'", text);
        return NULL;
    }
    return vnc_expire_password(json_get_string(args, "display"), at_s, errp) ? json_object() : NULL;
}
