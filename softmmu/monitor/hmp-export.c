/*
 * hmp-export.c: the NBD server by HMP.
 */
#include "softmmu/monitor/priv.h"

static bool call(Monitor *mon, const char *command, Json *args)
{
    Error *err = NULL;

    json_free(qmp_call(command, args, &err));
    return !hmp_report(mon, err);
}

/* "host:port", "[v6]:port", "unix:path" as nbd-server-start has them. */
static Json *parse_address(const char *text, Error **errp)
{
    Json *addr = json_object(), *data = json_object();
    const char *colon = strrchr(text, ':');

    if (!strncmp(text, "unix:", 5)) {
        json_put_string(addr, "type", "unix");
        json_put_string(data, "path", text + 5);
    } else if (colon && colon[1]) {
        bool six = *text == '[' && colon[-1] == ']';
        char *host = xstrndup(text + six, (size_t)(colon - text) - (six ? 2 : 0));
        json_put_string(addr, "type", "inet");
        json_put_string(data, "host", host);
        json_put_string(data, "port", colon + 1);
        free(host);
    } else {
        error_set(errp, "error parsing address '%s'", text);
        json_free(addr);
        json_free(data);
        return NULL;
    }
    json_put(addr, "data", data);
    return addr;
}

/* Every drive that has a medium. */
static bool export_all(Monitor *mon, bool writable)
{
    Error *err = NULL;
    Json *drives = qmp_call("query-block", NULL, &err);
    bool ok = !hmp_report(mon, err);

    for (size_t i = 0; i < json_count(drives) && ok; i++) {
        const char *device = json_get_string(json_at(drives, i), "device");
        if (json_get(json_at(drives, i), "inserted") && device && *device) {
            Json *args = json_object();
            json_put_string(args, "device", device);
            json_put_bool(args, "writable", writable);
            ok = call(mon, "nbd-server-add", args);
        }
    }
    json_free(drives);
    return ok;
}

void hmp_nbd_server_start(Monitor *mon, const Json *args)
{
    bool all = json_get_bool(args, "-a", false), writable = json_get_bool(args, "-w", false);
    Error *err = NULL;

    if (writable && !all) {
        error_set(&err, "-w only valid together with -a");
        hmp_report(mon, err);
        return;
    }
    Json *addr = parse_address(json_get_string(args, "uri"), &err);
    if (hmp_report(mon, err)) {
        return;
    }
    Json *start = json_object();
    json_put(start, "addr", addr);
    if (call(mon, "nbd-server-start", start) && all && !export_all(mon, writable)) {
        call(mon, "nbd-server-stop", NULL);
    }
}

void hmp_nbd_server_add(Monitor *mon, const Json *args)
{
    Json *add = json_object();

    json_put_string(add, "device", json_get_string(args, "device"));
    json_put_bool(add, "writable", json_get_bool(args, "-w", false));
    if (json_get_string(args, "name")) {
        json_put_string(add, "name", json_get_string(args, "name"));
    }
    call(mon, "nbd-server-add", add);
}

void hmp_nbd_server_remove(Monitor *mon, const Json *args)
{
    Json *remove = json_object();

    json_put_string(remove, "name", json_get_string(args, "name"));
    json_put_string(remove, "mode", json_get_bool(args, "-f", false) ? "hard" : "safe");
    call(mon, "nbd-server-remove", remove);
}

void hmp_nbd_server_stop(Monitor *mon, const Json *args)
{
    call(mon, "nbd-server-stop", NULL);
}
