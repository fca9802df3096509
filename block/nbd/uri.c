/*
 * uri.c: file names of NBD exports: nbd:HOST:PORT, nbd:unix:PATH, both with :exportname=NAME, and the URIs nbd://, nbd+tcp:// and
 * nbd+unix:// (doc/uri.md of the NBD project).
 */
#include <string.h>

#include "block/nbd/uri.h"
#include "block/nbd/proto.h"
#include "softmmu/options.h"
#include "util/alloc.h"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent signs undone; NULL: malformed. */
static char *decode(const char *text, size_t n)
{
    char *out = xmalloc(n + 1);
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        if (text[i] == '%') {
            int hi = i + 2 < n ? hex_digit(text[i + 1]) : -1, lo = i + 2 < n ? hex_digit(text[i + 2]) : -1;
            if (hi < 0 || lo < 0 || !(hi | lo)) {
                free(out);
                return NULL;
            }
            out[k++] = (char)(hi << 4 | lo);
            i += 2;
        } else {
            out[k++] = text[i];
        }
    }
    out[k] = '\0';
    return out;
}

static char *encode(const char *text, const char *also_plain)
{
    char *out = xmalloc(strlen(text) * 3 + 1), *p = out;

    for (; *text; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9') || strchr("-._~", *text) ||
                     strchr(also_plain, *text);
        if (plain) {
            *p++ = *text;
        } else {
            *p++ = '%';
            *p++ = "0123456789ABCDEF"[(uint8_t)*text >> 4];
            *p++ = "0123456789ABCDEF"[(uint8_t)*text & 15];
        }
    }
    *p = '\0';
    return out;
}

/* The value of `key` in "a=b&c=d", decoded; NULL: not there. *other: there is another key. */
static char *query_value(const char *query, const char *key, bool *other)
{
    char *value = NULL;

    while (*query) {
        size_t n = strcspn(query, "&;"), k = strcspn(query, "=&;");
        if (k == strlen(key) && !strncmp(query, key, k) && query[k] == '=' && !value) {
            value = decode(query + k + 1, n - k - 1);
        } else if (n) {
            *other = true;
        }
        query += n + (query[n] != 0);
    }
    return value;
}

static void put_inet(Json *server, const char *host, const char *port)
{
    json_put_string(server, "type", "inet");
    json_put_string(server, "host", host);
    json_put_string(server, "port", port);
}

/* "host", "host:port", "[v6]:port". */
static bool split_authority(const char *text, size_t n, Json *server)
{
    size_t host_from = 0, host_bytes;
    const char *end = text + n, *after;

    for (size_t i = 0; i < n; i++) { /* a user's name means nothing here */
        if (text[i] == '@') {
            text += i + 1;
            n -= i + 1;
            break;
        }
    }
    if (n && *text == '[') {
        const char *close = memchr(text, ']', n);
        if (!close) {
            return false;
        }
        host_from = 1;
        host_bytes = (size_t)(close - text) - 1;
        after = close + 1;
    } else {
        const char *colon = memchr(text, ':', n);
        after = colon ? colon : end;
        host_bytes = (size_t)(after - text);
    }
    if (after < end && *after != ':') {
        return false;
    }
    char *host = decode(text + host_from, host_bytes), *port = after + 1 < end ? xstrndup(after + 1, (size_t)(end - after) - 1) : xstrdup(NBD_DEFAULT_PORT);
    bool ok = host && strspn(port, "0123456789") == strlen(port);
    if (ok) {
        put_inet(server, *host ? host : "localhost", port);
    }
    free(host);
    free(port);
    return ok;
}

static bool parse_uri(const char *uri, Json *server, char **name)
{
    size_t scheme = strcspn(uri, ":");
    bool is_unix = scheme == 8 && !strncmp(uri, "nbd+unix", scheme), other = false;
    const char *authority = uri + scheme + 3, *path = authority + strcspn(authority, "/?#");
    size_t path_bytes = strcspn(path, "?#");
    const char *query = path[path_bytes] == '?' ? path + path_bytes + 1 : "";
    char *text = xstrndup(query, strcspn(query, "#")), *socket = query_value(text, "socket", &other);
    bool ok;

    free(text);
    if (path_bytes > 1) {
        *name = decode(path + 1, path_bytes - 1);
    }
    ok = (path_bytes <= 1 || *name) && !other;
    if (is_unix) {
        ok = ok && socket && path == authority;
        if (ok) {
            json_put_string(server, "type", "unix");
            json_put_string(server, "path", socket);
        }
    } else {
        ok = ok && !socket && split_authority(authority, (size_t)(path - authority), server);
    }
    free(socket);
    return ok;
}

static bool parse_plain(const char *filename, Json *server, char **name, Error **errp)
{
    const char *spec = strstr(filename, ":exportname="), *rest = filename + 4;
    char *address = xstrndup(rest, spec ? (size_t)(spec - rest) : strlen(rest));
    bool ok = true;

    if (spec && spec[12]) {
        *name = xstrdup(spec + 12);
    }
    if (!strncmp(address, "unix:", 5)) {
        json_put_string(server, "type", "unix");
        json_put_string(server, "path", address + 5);
    } else if (!*address) {
        error_set(errp, "nbd: needs an address");
        ok = false;
    } else {
        char *colon = strrchr(address, ':');
        size_t n = colon ? (size_t)(colon - address) : 0;
        bool six = n >= 2 && address[0] == '[' && address[n - 1] == ']';
        if (!colon || !colon[1] || (!six && memchr(address, ':', n))) {
            error_set(errp, "error parsing address '%s'", address);
            ok = false;
        } else {
            char *host = xstrndup(address + six, n - (six ? 2 : 0));
            put_inet(server, host, colon + 1);
            free(host);
        }
    }
    free(address);
    return ok;
}

bool nbd_parse_filename(const char *filename, Json *options, Error **errp)
{
    static const char *const clashing[] = { "host", "port", "path", "server" };
    Json *server = json_object();
    char *name = NULL;
    bool ok;

    for (size_t i = 0; i < ARRAY_SIZE(clashing); i++) {
        if (json_get(options, clashing[i])) {
            error_set(errp, "host/port/path and file names may not be specified at the same time");
            json_free(server);
            return false;
        }
    }
    if (strstr(filename, "://")) {
        ok = parse_uri(filename, server, &name);
        if (!ok) {
            error_set(errp, "No valid URL specified");
        }
    } else {
        ok = parse_plain(filename, server, &name, errp);
    }
    if (ok) {
        json_put(options, "server", server);
        if (name && !json_get(options, "export")) {
            json_put_string(options, "export", name);
        }
    } else {
        json_free(server);
    }
    free(name);
    return ok;
}

char *nbd_make_uri(const Address *a, const char *export_name)
{
    char *name = encode(export_name ? export_name : "", "/:@"), *uri = NULL;

    if (a->kind == ADDRESS_UNIX && !a->abstract) {
        char *path = encode(a->path, "/:@");
        uri = xasprintf("nbd+unix://%s%s?socket=%s", *name ? "/" : "", name, path);
        free(path);
    } else if (a->kind == ADDRESS_INET) {
        char *text = address_text(a);
        uri = xasprintf("nbd://%s%s%s", text, *name ? "/" : "", name);
        free(text);
    }
    free(name);
    return uri;
}
