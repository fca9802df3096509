/*
 * qmp.c: the QMP protocol: greeting, negotiation, dispatch, answers.
 *
 * Requests are served in order. Out-of-band execution is not offered.
 */
#include <stdio.h>
#include "softmmu/monitor/priv.h"
#include "softmmu/version.h"
#include "util/trace.h"

/* A peer that reads no answers gets no more questions served. */
#define QMP_MAX_QUEUED_BYTES (1u << 20)

static const char *const class_names[] = {
    [ERROR_CLASS_GENERIC] = "GenericError",
    [ERROR_CLASS_COMMAND_NOT_FOUND] = "CommandNotFound",
    [ERROR_CLASS_DEVICE_NOT_FOUND] = "DeviceNotFound",
    [ERROR_CLASS_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
    [ERROR_CLASS_KVM_MISSING_CAP] = "KVMMissingCap",
};

static void qmp_send(Monitor *mon, Json *json)
{
    char *text = mon->pretty ? json_print_pretty(json) : json_print(json);
    char_write_all(&mon->fe, text, strlen(text));
    char_write_all(&mon->fe, "\r\n", 2);
    free(text);
    json_free(json);
}

/* Takes err. */
static Json *qmp_error(Error *err)
{
    Json *reply = json_object(), *body = json_object();
    json_put_string(body, "class", class_names[error_class(err)]);
    json_put_string(body, "desc", error_message(err));
    json_put(reply, "error", body);
    error_free(err);
    return reply;
}

static Json *qmp_version(void)
{
    Json *version = json_object(), *numbers = json_object();
    json_put_int(numbers, "micro", EMULATOR_COMPAT_MICRO);
    json_put_int(numbers, "minor", EMULATOR_COMPAT_MINOR);
    json_put_int(numbers, "major", EMULATOR_COMPAT_MAJOR);
    json_put(version, "qemu", numbers);
    json_put_string(version, "package", EMULATOR_PACKAGE);
    return version;
}

Json *qmp_query_version(Monitor *mon, const Json *args, Error **errp)
{
    return qmp_version();
}

/* ---- dispatch ---- */

/* The name of the command and its arguments (borrowed) out of a request; false with an error. */
static bool qmp_unpack(const Json *request, const char **ret_name, const Json **ret_args,
                       Error **errp)
{
    if (!json_is(request, JSON_OBJECT)) {
        error_set(errp, "QMP input must be a JSON object");
        return false;
    }
    const Json *execute = NULL, *args = NULL;
    for (size_t i = 0; i < json_count(request); i++) {
        const char *key = json_key_at(request, i);
        const Json *value = json_at(request, i);
        if (!strcmp(key, "execute") || !strcmp(key, "exec-oob")) {
            if (!json_is(value, JSON_STRING)) {
                error_set(errp, "QMP input member '%s' must be a string", key);
                return false;
            }
            if (execute) {
                error_set(errp, "QMP input member '%s' clashes with '%s'", "exec-oob", "execute");
                return false;
            }
            if (!strcmp(key, "exec-oob")) {
                error_set(errp, "QMP input member 'exec-oob' is unexpected");
                return false;
            }
            execute = value;
        } else if (!strcmp(key, "arguments")) {
            if (!json_is(value, JSON_OBJECT)) {
                error_set(errp, "QMP input member 'arguments' must be an object");
                return false;
            }
            args = value;
        } else if (strcmp(key, "id")) {
            error_set(errp, "QMP input member '%s' is unexpected", key);
            return false;
        }
    }
    if (!execute) {
        error_set(errp, "QMP input lacks member 'execute'");
        return false;
    }
    *ret_name = json_as_string(execute);
    *ret_args = args;
    return true;
}

static Json *qmp_run(Monitor *mon, const char *name, const Json *args, Error **errp)
{
    const QmpCommand *cmd = qmp_command_find(name);
    if (mon && !mon->negotiated && (!cmd || strcmp(name, "qmp_capabilities"))) {
        error_set_class(errp, ERROR_CLASS_COMMAND_NOT_FOUND,
                        "Expecting capabilities negotiation with 'qmp_capabilities'");
        return NULL;
    }
    if (!cmd) {
        error_set_class(errp, ERROR_CLASS_COMMAND_NOT_FOUND, "The command %s has not been found",
                        name);
        return NULL;
    }
    if (mon && mon->negotiated && !strcmp(name, "qmp_capabilities")) {
        error_set_class(errp, ERROR_CLASS_COMMAND_NOT_FOUND,
                        "Capabilities negotiation is already complete, command ignored");
        return NULL;
    }
    TRACE("qmp_command", "mon %p command %s", (void *)mon, name);
    Json *none = args ? NULL : json_object();
    Json *result = NULL;
    if (qmp_check_args(cmd, args ? args : none, errp)) {
        result = cmd->handler(mon, args ? args : none, errp);
    }
    json_free(none);
    return result;
}

Json *qmp_dispatch(Monitor *mon, const Json *request)
{
    Error *err = NULL;
    const char *name;
    const Json *args;
    Json *reply, *result = NULL;
    if (qmp_unpack(request, &name, &args, &err)) {
        result = qmp_run(mon, name, args, &err);
    }
    if (result) {
        reply = json_object();
        json_put(reply, "return", result);
    } else {
        reply = qmp_error(err);
    }
    Json *id = json_get(request, "id");
    if (id) {
        json_put(reply, "id", json_copy(id));
    }
    return reply;
}

Json *qmp_call(const char *name, Json *args, Error **errp)
{
    Json *result = qmp_run(NULL, name, args, errp);
    json_free(args);
    return result;
}

Json *qmp_capabilities(Monitor *mon, const Json *args, Error **errp)
{
    Json *enable = json_get(args, "enable");
    if (json_count(enable)) {
        error_set(errp, "Capability %s not available", json_as_string(json_at(enable, 0)));
        return NULL;
    }
    if (mon) {
        mon->negotiated = true;
    }
    return json_object();
}

Json *qmp_query_commands(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array();
    const QmpCommand *cmd;
    for (size_t i = 0; (cmd = qmp_command_at(i)); i++) {
        Json *item = json_object();
        json_put_string(item, "name", cmd->name);
        json_push(list, item);
    }
    return list;
}

Json *qmp_query_qmp_schema(Monitor *mon, const Json *args, Error **errp)
{
    return qmp_schema_introspect();
}

/* ---- the connection ---- */

static void qmp_found(void *opaque, Json *request, Error *err)
{
    Monitor *mon = opaque;
    if (err) {
        qmp_send(mon, qmp_error(err));
        return;
    }
    Json *reply = qmp_dispatch(mon, request);
    json_free(request);
    qmp_send(mon, reply);
}

static size_t qmp_can_read(void *opaque)
{
    Monitor *mon = opaque;
    return char_queued(&mon->fe) > QMP_MAX_QUEUED_BYTES ? 0 : 4096;
}

static void qmp_read(void *opaque, const uint8_t *buf, size_t len)
{
    Monitor *mon = opaque;
    json_stream_feed(&mon->stream, (const char *)buf, len);
}

static void qmp_writable(void *opaque)
{
    Monitor *mon = opaque;
    char_accept_input(&mon->fe);
}

static void qmp_event_seen(void *opaque, CharEvent event)
{
    Monitor *mon = opaque;
    if (event == CHAR_EVENT_OPENED && !mon->open) {
        mon->open = true;
        mon->negotiated = false;
        json_stream_finish(&mon->stream);
        json_stream_init(&mon->stream, qmp_found, mon);
        Json *greeting = json_object(), *body = json_object();
        json_put(body, "version", qmp_version());
        json_put(body, "capabilities", json_array());
        json_put(greeting, "QMP", body);
        qmp_send(mon, greeting);
    } else if (event == CHAR_EVENT_CLOSED) {
        mon->open = false;
        mon->negotiated = false;
    }
}

const CharHandlers qmp_handlers = {
    .can_read = qmp_can_read, .read = qmp_read, .event = qmp_event_seen, .writable = qmp_writable,
};
