/*
 * qmp-char.c: character devices by QMP.
 */
#include "softmmu/monitor/priv.h"

Json *qmp_query_chardev(Monitor *mon, const Json *args, Error **errp)
{
    return chardev_query();
}

Json *qmp_query_chardev_backends(Monitor *mon, const Json *args, Error **errp)
{
    return chardev_query_backends();
}

/* QMP nests what -chardev keeps flat, under other names here and there. */
static void flatten_address(Json *opts, const Json *addr, const char *host, const char *port)
{
    const char *type = json_get_string(addr, "type");
    const Json *data = json_get(addr, "data");
    for (size_t i = 0; i < json_count(data); i++) {
        const char *key = json_key_at(data, i);
        if (!strcmp(type, "fd")) {
            key = "fd";
        } else if (!strcmp(key, "host")) {
            key = host;
        } else if (!strcmp(key, "port")) {
            key = port;
        } else if (!strcmp(key, "numeric") || !strcmp(key, "keep-alive") ||
                   !strcmp(key, "mptcp")) {
            continue;
        }
        json_put(opts, key, json_copy(json_at(data, i)));
    }
}

static Json *flatten(const Json *backend)
{
    const char *type = json_get_string(backend, "type");
    const Json *data = json_get(backend, "data");
    Json *opts = json_object();
    json_put_string(opts, "backend", type);
    bool file = !strcmp(type, "file");
    for (size_t i = 0; i < json_count(data); i++) {
        const char *key = json_key_at(data, i);
        const Json *value = json_at(data, i);
        if (!strcmp(key, "addr") || !strcmp(key, "remote")) {
            flatten_address(opts, value, "host", "port");
        } else if (!strcmp(key, "local")) {
            flatten_address(opts, value, "localaddr", "localport");
        } else {
            key = file && !strcmp(key, "out") ? "path"
                  : file && !strcmp(key, "in") ? "input-path"
                  : !strcmp(key, "device")     ? "path"
                                               : key;
            json_put(opts, key, json_copy(value));
        }
    }
    /* Here a server does not make the whole program wait unless asked to, and servers are the
     * default; on the command line it is the other way round. */
    if (!strcmp(type, "socket")) {
        if (!json_get(opts, "server")) {
            json_put_bool(opts, "server", true);
        }
        if (json_get_bool(opts, "server", true) && !json_get(opts, "wait")) {
            json_put_bool(opts, "wait", false);
        }
    }
    return opts;
}

static Json *chardev_answer(const char *id)
{
    Json *ret = json_object();
    const Chardev *chr = chardev_find(id);
    const char *path = chr ? chardev_pty_path(chr) : NULL;
    if (path) {
        json_put_string(ret, "pty", path);
    }
    return ret;
}

Json *qmp_chardev_add(Monitor *mon, const Json *args, Error **errp)
{
    const char *id = json_get_string(args, "id");
    if (!options_id_ok(id)) {
        error_set(errp, "Parameter 'id' expects an identifier (a letter, then letters, digits, "
                        "'-', '.', '_')");
        return NULL;
    }
    Json *opts = flatten(json_get(args, "backend"));
    bool ok = chardev_new(id, opts, errp) != NULL;
    json_free(opts);
    return ok ? chardev_answer(id) : NULL;
}

Json *qmp_chardev_change(Monitor *mon, const Json *args, Error **errp)
{
    const char *id = json_get_string(args, "id");
    Json *opts = flatten(json_get(args, "backend"));
    bool ok = chardev_change(id, opts, errp);
    json_free(opts);
    return ok ? chardev_answer(id) : NULL;
}

Json *qmp_chardev_remove(Monitor *mon, const Json *args, Error **errp)
{
    return chardev_remove(json_get_string(args, "id"), errp) ? json_object() : NULL;
}

static Chardev *find(const char *id, Error **errp)
{
    Chardev *chr = chardev_find(id);
    if (!chr) {
        error_set(errp, "Chardev '%s' not found", id);
    }
    return chr;
}

Json *qmp_chardev_send_break(Monitor *mon, const Json *args, Error **errp)
{
    Chardev *chr = find(json_get_string(args, "id"), errp);
    if (!chr) {
        return NULL;
    }
    chardev_send_break(chr);
    return json_object();
}

/* ---- base 64 (RFC 4648 section 4) ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *base64_encode(const uint8_t *in, size_t len)
{
    char *out = xmalloc((len + 2) / 3 * 4 + 1), *o = out;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
                     (i + 2 < len ? in[i + 2] : 0);
        *o++ = base64_digits[v >> 18];
        *o++ = base64_digits[v >> 12 & 63];
        *o++ = i + 1 < len ? base64_digits[v >> 6 & 63] : '=';
        *o++ = i + 2 < len ? base64_digits[v & 63] : '=';
    }
    *o = 0;
    return out;
}

static uint8_t *base64_decode(const char *in, size_t *ret_len, Error **errp)
{
    size_t n = strlen(in), len = 0, pad = 0;
    uint8_t *out = xmalloc(n / 4 * 3 + 3);
    uint32_t v = 0;
    bool ok = n % 4 == 0;
    for (size_t i = 0; i < n && ok; i++) {
        const char *d = strchr(base64_digits, in[i]);
        if (in[i] == '=' && i + 2 >= n) {
            pad++;
            v <<= 6;
        } else if (d && !pad) {
            v = v << 6 | (uint32_t)(d - base64_digits);
        } else {
            ok = false;
        }
        if (i % 4 == 3) {
            out[len++] = (uint8_t)(v >> 16);
            out[len++] = (uint8_t)(v >> 8);
            out[len++] = (uint8_t)v;
            v = 0;
        }
    }
    if (!ok) {
        error_set(errp, "Base64 data is not valid");
        free(out);
        return NULL;
    }
    *ret_len = len - pad;
    return out;
}

Json *qmp_ringbuf_write(Monitor *mon, const Json *args, Error **errp)
{
    const char *data = json_get_string(args, "data"), *format = json_get_string(args, "format");
    Chardev *chr = find(json_get_string(args, "device"), errp);
    if (!chr) {
        return NULL;
    }
    size_t len = strlen(data);
    uint8_t *decoded = NULL;
    if (format && !strcmp(format, "base64")) {
        decoded = base64_decode(data, &len, errp);
        if (!decoded) {
            return NULL;
        }
    }
    bool ok = chardev_ringbuf_write(chr, decoded ? (const void *)decoded : data, len, errp);
    free(decoded);
    return ok ? json_object() : NULL;
}

Json *qmp_ringbuf_read(Monitor *mon, const Json *args, Error **errp)
{
    const char *format = json_get_string(args, "format");
    int64_t size = json_get_int(args, "size", 0);
    Chardev *chr = find(json_get_string(args, "device"), errp);
    if (!chr) {
        return NULL;
    }
    if (size <= 0) {
        error_set(errp, "size must be greater than zero");
        return NULL;
    }
    size_t len;
    char *data = chardev_ringbuf_read(chr, (size_t)size, &len, errp);
    if (!data) {
        return NULL;
    }
    Json *ret;
    if (format && !strcmp(format, "base64")) {
        char *text = base64_encode((const uint8_t *)data, len);
        ret = json_string(text);
        free(text);
    } else {
        /* The answer must be UTF-8: whatever is not ASCII text is shown as '?'. */
        for (size_t i = 0; i < len; i++) {
            data[i] = data[i] == 0 || (unsigned char)data[i] >= 0x80 ? '?' : data[i];
        }
        ret = json_stringn(data, len);
    }
    free(data);
    return ret;
}
