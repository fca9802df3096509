/*
 * legacy.c: the one-word spellings of -serial, -monitor, -qmp, -gdb and friends.
 */
#include <stdio.h>
#include "softmmu/chardev/priv.h"

/* Splits "host:port" (or "[v6]:port") at the last colon; either may be empty. */
static bool split_host(const char *text, char **ret_host, char **ret_port)
{
    const char *colon = *text == '[' ? strchr(text, ']') : strchr(text, ':');
    if (colon && *text == '[') {
        colon++;
    }
    if (!colon || *colon != ':') {
        return false;
    }
    bool v6 = *text == '[';
    *ret_host = xstrndup(text + v6, (size_t)(colon - text) - (v6 ? 2 : 0));
    *ret_port = xstrdup(colon + 1);
    return true;
}

/* The first comma-separated word of `text`; *ret_rest points behind the comma. */
static char *first_word(const char *text, const char **ret_rest)
{
    size_t n = strcspn(text, ",");
    *ret_rest = text[n] ? text + n + 1 : text + n;
    return xstrndup(text, n);
}

static bool add_options(Json *opts, const char *rest, Error **errp)
{
    Json *more = opts_parse(rest, NULL, errp);
    if (!more) {
        return false;
    }
    for (size_t i = 0; i < json_count(more); i++) {
        json_put(opts, json_key_at(more, i), json_copy(json_at(more, i)));
    }
    json_free(more);
    return true;
}

static bool parse_tcp(Json *opts, const char *text, bool telnet, Error **errp)
{
    const char *rest;
    char *addr = first_word(text, &rest), *host, *port;
    if (!split_host(addr, &host, &port)) {
        error_set(errp, "address '%s' must be HOST:PORT", addr);
        free(addr);
        return false;
    }
    json_put_string(opts, "backend", "socket");
    json_put_string(opts, "host", host);
    json_put_string(opts, "port", port);
    if (telnet) {
        json_put_string(opts, "telnet", "on");
    }
    free(host);
    free(port);
    free(addr);
    return add_options(opts, rest, errp);
}

/* udp:[REMOTE_HOST]:REMOTE_PORT[@[LOCAL_HOST]:LOCAL_PORT] */
static bool parse_udp(Json *opts, const char *text, Error **errp)
{
    char *remote = xstrdup(text), *host, *port;
    char *at = strchr(remote, '@');
    bool ok = true;
    if (at) {
        *at++ = 0;
    }
    json_put_string(opts, "backend", "udp");
    if (split_host(remote, &host, &port)) {
        if (*host) {
            json_put_string(opts, "host", host);
        }
        json_put_string(opts, "port", port);
        free(host);
        free(port);
    } else {
        error_set(errp, "address '%s' must be [HOST]:PORT[@[HOST]:PORT]", text);
        ok = false;
    }
    if (ok && at) {
        if (split_host(at, &host, &port)) {
            json_put_string(opts, "localaddr", host);
            json_put_string(opts, "localport", port);
            free(host);
            free(port);
        } else {
            error_set(errp, "address '%s' must be [HOST]:PORT[@[HOST]:PORT]", text);
            ok = false;
        }
    }
    free(remote);
    return ok;
}

static const char *after(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(text, prefix, n) ? NULL : text + n;
}

static bool parse_legacy(Json *opts, const char *text, Error **errp)
{
    const char *p;
    size_t n = strcspn(text, ",");
    if (!strcmp(text, "null") || !strcmp(text, "pty") || !strcmp(text, "testdev")) {
        json_put_string(opts, "backend", text);
    } else if (n == 5 && !strncmp(text, "stdio", 5)) {
        json_put_string(opts, "backend", "stdio");
        return add_options(opts, text[n] ? text + n + 1 : "", errp);
    } else if ((p = after(text, "vc")) && (!*p || *p == ':')) {
        json_put_string(opts, "backend", "vc");
    } else if ((p = after(text, "file:"))) {
        json_put_string(opts, "backend", "file");
        json_put_string(opts, "path", p);
    } else if ((p = after(text, "pipe:"))) {
        json_put_string(opts, "backend", "pipe");
        json_put_string(opts, "path", p);
    } else if ((p = after(text, "pty:"))) {
        json_put_string(opts, "backend", "pty");
        json_put_string(opts, "path", p);
    } else if ((p = after(text, "tcp:"))) {
        return parse_tcp(opts, p, false, errp);
    } else if ((p = after(text, "telnet:"))) {
        return parse_tcp(opts, p, true, errp);
    } else if (after(text, "tn3270:") || after(text, "websocket:")) {
        error_set(errp, "'%.*s' is not supported", (int)strcspn(text, ":"), text);
        return false;
    } else if ((p = after(text, "udp:"))) {
        return parse_udp(opts, p, errp);
    } else if ((p = after(text, "unix:"))) {
        const char *rest;
        char *path = first_word(p, &rest);
        json_put_string(opts, "backend", "socket");
        json_put_string(opts, "path", path);
        free(path);
        return add_options(opts, rest, errp);
    } else if (after(text, "/dev/parport") || after(text, "/dev/ppi")) {
        json_put_string(opts, "backend", "parallel");
        json_put_string(opts, "path", text);
    } else if (after(text, "/dev/")) {
        json_put_string(opts, "backend", "serial");
        json_put_string(opts, "path", text);
    } else {
        error_set(errp, "'%s' is not a valid char driver", text);
        return false;
    }
    return true;
}

bool chardev_new_legacy(const char *id, const char *text, bool *ret_mon, Chardev **ret_chr,
                        Error **errp)
{
    const char *p = after(text, "chardev:");
    bool mon = false;
    if (p) {
        Chardev *chr = chardev_find(p);
        if (!chr) {
            error_set(errp, "chardev '%s' not found", p);
            return false;
        }
        *ret_chr = chr;
        return true;
    }
    if (!strcmp(text, "none")) {
        *ret_chr = NULL;
        return true;
    }
    Json *opts = json_object();
    if (ret_mon && (p = after(text, "mon:"))) {
        mon = true;
        text = p;
        json_put_string(opts, "mux", "on");
        /* The keys of the terminal, Ctrl-C included, belong to the guest. */
        if (!strcmp(text, "stdio")) {
            json_put_string(opts, "signal", "off");
        }
    }
    Chardev *chr = parse_legacy(opts, text, errp) ? chardev_new(id, opts, errp) : NULL;
    json_free(opts);
    if (!chr) {
        return false;
    }
    if (ret_mon) {
        *ret_mon = mon;
    }
    *ret_chr = chr;
    return true;
}
