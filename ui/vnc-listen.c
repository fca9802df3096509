/*
 * vnc-listen.c: -vnc: addresses and parameters of a server, its sockets, new connections.
 *
 *   [host]:display | unix:path; with reverse=on: host:port or unix:path of a viewer that listens
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "block/secret.h"
#include "softmmu/options.h"
#include "ui/audio.h"
#include "ui/vnc-server.h"
#include "util/parse.h"

enum { PORT_VNC = 5900, PORT_WEBSOCKET = 5700, BACKLOG = 16 };

/* Numbers of an address; malloc'd. */
static void name_address(const struct sockaddr *sa, socklen_t len, char **ret_host, char **ret_service, const char **ret_family)
{
    char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "";

    if (sa->sa_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)sa;
        size_t n = len > offsetof(struct sockaddr_un, sun_path) ? strnlen(un->sun_path, sizeof(un->sun_path)) : 0;
        *ret_host = xstrdup("");
        *ret_service = xstrndup(un->sun_path, n);
        *ret_family = "unix";
        return;
    }
    getnameinfo(sa, len, host, sizeof(host), service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV);
    *ret_host = xstrdup(host);
    *ret_service = xstrdup(service);
    *ret_family = sa->sa_family == AF_INET6 ? "ipv6" : "ipv4";
}

/* ---- connections ---- */

static void new_connection(VncServer *s, int fd, const VncSocket *socket)
{
    struct sockaddr_storage peer, own;
    socklen_t peer_len = sizeof(peer), own_len = sizeof(own);
    int on = 1;
    const char *family;

    if (s->n_clients >= s->max_clients || getpeername(fd, (struct sockaddr *)&peer, &peer_len) ||
        getsockname(fd, (struct sockaddr *)&own, &own_len)) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* unix sockets have none */
    vnc_client_new(s, fd, socket);
    VncClient *c = s->clients;
    name_address((struct sockaddr *)&peer, peer_len, &c->host, &c->service, &c->family);
    name_address((struct sockaddr *)&own, own_len, &c->server_host, &c->server_service, &family);
    Json *data = json_object();
    json_put(data, "server", vnc_server_event(c, true));
    json_put(data, "client", vnc_client_describe(c));
    vnc_event("VNC_CONNECTED", data);
}

static void socket_ready(void *opaque, unsigned events)
{
    VncSocket *socket = opaque;
    int fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        new_connection(socket->server, fd, socket);
    }
}

void vnc_server_close_sockets(VncServer *s)
{
    for (unsigned i = 0; i < s->n_sockets; i++) {
        loop_unwatch(s->sockets[i].watch);
        close(s->sockets[i].fd);
        free(s->sockets[i].host);
        free(s->sockets[i].service);
    }
    s->n_sockets = 0;
    if (s->unix_path) {
        unlink(s->unix_path);
        free(s->unix_path);
        s->unix_path = NULL;
    }
}

/* ---- listening ---- */

static bool add_socket(VncServer *s, int fd, bool websocket, Error **errp)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof(own);

    if (s->n_sockets == VNC_MAX_SOCKETS || listen(fd, BACKLOG) || getsockname(fd, (struct sockaddr *)&own, &len)) {
        error_set_errno(errp, errno, "failed to listen");
        close(fd);
        return false;
    }
    VncSocket *socket = &s->sockets[s->n_sockets++];
    *socket = (VncSocket){ .server = s, .fd = fd, .websocket = websocket };
    name_address((struct sockaddr *)&own, len, &socket->host, &socket->service, &socket->family);
    socket->watch = loop_watch(loop_main(), fd, LOOP_READ, socket_ready, socket);
    return true;
}

typedef struct Address {
    char *host;             /* "": any */
    unsigned port, to;      /* TCP ports, not displays */
    bool ipv4, ipv6, ipv4_set, ipv6_set, websocket;
} Address;

static bool family_wanted(const Address *a, int family)
{
    if (family == AF_INET6) {
        return a->ipv6_set ? a->ipv6 : !(a->ipv4_set && a->ipv4);
    }
    return family == AF_INET && (a->ipv4_set ? a->ipv4 : !(a->ipv6_set && a->ipv6));
}

/* Every address of the host at one port. Returns sockets made, 0 with errno. */
static unsigned bind_port(const struct addrinfo *list, const Address *a, unsigned port, int fds[VNC_MAX_SOCKETS])
{
    unsigned n = 0;
    int on = 1;

    for (const struct addrinfo *ai = list; ai && n < VNC_MAX_SOCKETS / 2; ai = ai->ai_next) {
        struct sockaddr_storage sa;
        if (!family_wanted(a, ai->ai_family)) {
            continue;
        }
        memcpy(&sa, ai->ai_addr, ai->ai_addrlen);
        if (ai->ai_family == AF_INET6) {
            ((struct sockaddr_in6 *)&sa)->sin6_port = htons((uint16_t)port);
        } else {
            ((struct sockaddr_in *)&sa)->sin_port = htons((uint16_t)port);
        }
        int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
            continue; /* no IPv6 in this kernel */
        }
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (ai->ai_family == AF_INET6) {
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
        }
        if (bind(fd, (struct sockaddr *)&sa, ai->ai_addrlen)) {
            int err = errno;
            close(fd);
            if (err == EADDRNOTAVAIL) {
                continue; /* an address family without addresses */
            }
            while (n) {
                close(fds[--n]);
            }
            errno = err;
            return 0;
        }
        fds[n++] = fd;
    }
    return n;
}

static bool listen_tcp(VncServer *s, const Address *a, Error **errp)
{
    struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM }, *list;
    int fds[VNC_MAX_SOCKETS];
    int status = getaddrinfo(*a->host ? a->host : NULL, "1", &hints, &list);

    if (status) {
        error_set(errp, "address resolution failed for '%s': %s", a->host, gai_strerror(status));
        return false;
    }
    unsigned n = 0;
    errno = EADDRNOTAVAIL;
    for (unsigned port = a->port; !n && port <= a->to; port++) {
        n = bind_port(list, a, port, fds);
        if (!n && errno != EADDRINUSE) {
            break;
        }
    }
    int err = errno;
    freeaddrinfo(list);
    if (!n) {
        error_set_errno(errp, err, "Failed to find an available port");
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!add_socket(s, fds[i], a->websocket, errp)) {
            while (++i < n) {
                close(fds[i]);
            }
            return false;
        }
    }
    return true;
}

static bool listen_unix(VncServer *s, const char *path, Error **errp)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    if (!*path || strlen(path) >= sizeof(sa.sun_path)) {
        error_set(errp, "a unix socket's path must have 1 to %zu bytes", sizeof(sa.sun_path) - 1);
        return false;
    }
    memcpy(sa.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa))) {
        error_set_errno(errp, errno, "failed to bind socket '%s'", path);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    s->unix_path = xstrdup(path);
    return add_socket(s, fd, false, errp);
}

static bool connect_viewer(VncServer *s, const char *where, Error **errp)
{
    if (!strncmp(where, "unix:", 5)) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", where + 5);
        if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
            error_set_errno(errp, errno, "failed to connect to '%s'", where + 5);
            if (fd >= 0) {
                close(fd);
            }
            return false;
        }
        new_connection(s, fd, NULL);
        return true;
    }
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
    const char *colon = strrchr(where, ':');
    char *host = xstrndup(where, (size_t)(colon - where));
    int status = getaddrinfo(*host ? host : "localhost", colon + 1, &hints, &list), err = ECONNREFUSED;
    free(host);
    if (status) {
        error_set(errp, "address resolution failed for '%s': %s", where, gai_strerror(status));
        return false;
    }
    bool ok = false;
    for (const struct addrinfo *ai = list; ai && !ok; ai = ai->ai_next) {
        int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ok = fd >= 0 && !connect(fd, ai->ai_addr, ai->ai_addrlen);
        err = errno;
        if (ok) {
            new_connection(s, fd, NULL);
        } else if (fd >= 0) {
            close(fd);
        }
    }
    freeaddrinfo(list);
    if (!ok) {
        error_set_errno(errp, err, "failed to connect to '%s'", where);
    }
    return ok;
}

/* ---- parameters ---- */

static bool parse_tcp(const char *where, const Json *opts, Address *a, Error **errp)
{
    const char *colon = strrchr(where, ':');
    uint64_t display, to = 0;

    if (!colon) {
        error_set(errp, "no vnc port specified");
        return false;
    }
    if (!text_to_uint(colon + 1, &display) || display > 65535 - PORT_VNC) {
        error_set(errp, "can't convert to a number: '%s' (a display number from 0 to %d is expected)", colon + 1, 65535 - PORT_VNC);
        return false;
    }
    if (!opts_uint(opts, "to", display, &to, errp) || !opts_bool(opts, "ipv4", true, &a->ipv4, errp) || !opts_bool(opts, "ipv6", true, &a->ipv6, errp)) {
        return false;
    }
    if (to < display || to > 65535 - PORT_VNC) {
        error_set(errp, "to=%" PRIu64 " is not a display number from %" PRIu64 " up", to, display);
        return false;
    }
    a->ipv4_set = opts_is_set(opts, "ipv4");
    a->ipv6_set = opts_is_set(opts, "ipv6");
    size_t len = (size_t)(colon - where);
    bool brackets = len >= 2 && *where == '[' && where[len - 1] == ']';
    a->host = xstrndup(where + brackets, len - 2 * brackets);
    a->port = PORT_VNC + (unsigned)display;
    a->to = PORT_VNC + (unsigned)to;
    return true;
}

/* websocket=on: 5700 + display; a number: this port; "[host]:port". */
static bool open_websocket(VncServer *s, const char *text, const Address *rfb, unsigned display, Error **errp)
{
    Address a = *rfb;
    const char *colon = strrchr(text, ':');
    uint64_t port;
    bool on;

    a.websocket = true;
    if (!colon && text_to_bool(text, &on) && strcmp(text, "1") && strcmp(text, "0")) {
        if (!on) {
            return true;
        }
        a.port = a.to = PORT_WEBSOCKET + display;
        return listen_tcp(s, &a, errp);
    }
    if (!text_to_uint(colon ? colon + 1 : text, &port) || !port || port > 65535) {
        error_set(errp, "websocket=%s: a port number, [host]:port or on is expected", text);
        return false;
    }
    a.port = a.to = (unsigned)port;
    a.host = colon && colon > text ? xstrndup(text, (size_t)(colon - text)) : xstrdup(rfb->host);
    bool ok = listen_tcp(s, &a, errp);
    free(a.host);
    return ok;
}

static bool refuse_parameters(const Json *opts, Error **errp)
{
    static const struct {
        const char *key, *why;
    } refused[] = {
        { "tls-creds", "TLS is not supported" }, { "tls-authz", "TLS is not supported" }, { "sasl-authz", "SASL is not supported" },
    };
    const char *audio = json_get_string(opts, "audiodev");
    bool sasl;

    if (audio && !audio_check(audio, errp)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        if (opts_is_set(opts, refused[i].key)) {
            error_set(errp, "%s: %s", refused[i].key, refused[i].why);
            return false;
        }
    }
    if (!opts_bool(opts, "sasl", false, &sasl, errp)) {
        return false;
    }
    if (sasl) {
        error_set(errp, "sasl: SASL is not supported");
    }
    return !sasl;
}

static bool set_parameters(VncServer *s, const Json *opts, Error **errp)
{
    static const char *const shares[] = { "allow-exclusive", "force-shared", "ignore", NULL };
    const char *share, *device, *key_delay, *secret, *layout = display_layout();
    uint64_t connections, head, delay;
    bool lossy, non_adaptive, power;

    if (!refuse_parameters(opts, errp) || !opts_bool(opts, "password", false, &s->use_password, errp) ||
        !opts_string(opts, "share", shares[0], &share, errp) || !opts_string(opts, "display", NULL, &device, errp) ||
        !opts_uint(opts, "head", 0, &head, errp) || !opts_bool(opts, "lossy", false, &lossy, errp) ||
        !opts_bool(opts, "non-adaptive", false, &non_adaptive, errp) || !opts_bool(opts, "power-control", false, &power, errp) ||
        !opts_bool(opts, "lock-key-sync", true, &s->lock_key_sync, errp) || !opts_uint(opts, "connections", 32, &connections, errp) ||
        !opts_string(opts, "key-delay-ms", NULL, &key_delay, errp) || !opts_string(opts, "password-secret", NULL, &secret, errp)) {
        return false;
    }
    if (secret && s->use_password) {
        error_set(errp, "'password' flag is redundant with 'password-secret'");
        return false;
    }
    if (secret) {
        size_t bytes;
        const char *password = secret_get(secret, &bytes, errp);
        if (password && memchr(password, 0, bytes)) {
            error_set(errp, "Data from secret %s is not valid UTF-8", secret);
            password = NULL;
        }
        if (!password) {
            return false;
        }
        s->password = xstrndup(password, bytes);
        s->use_password = true;
    }
    if (key_delay && !text_to_uint(key_delay, &delay)) {
        error_set(errp, "key-delay-ms=%s: a number is expected", key_delay);
        return false;
    }
    unsigned i = 0;
    while (shares[i] && strcmp(shares[i], share)) {
        i++;
    }
    if (!shares[i]) {
        error_set(errp, "unknown vnc share= option '%s' (allow-exclusive, force-shared, ignore)", share);
        return false;
    }
    if (power) {
        error_set(errp, "power-control is not supported");
        return false;
    }
    s->share = (VncShare)i;
    s->max_clients = (unsigned)MIN(MAX(connections, 1u), 1024u);
    s->head = (unsigned)MIN(head, 255u);
    s->device = device ? xstrdup(device) : NULL;
    s->keymap = keymap_get(layout ? layout : "en-us", errp);
    return s->keymap != NULL;
}

static bool attach_console(VncServer *s, Error **errp)
{
    Console *con = s->device ? console_by_device(s->device, s->head, errp) : console_by_index(0);

    if (s->device && !con) {
        return false;
    }
    vnc_server_attach(s, con);
    return true;
}

static bool start(VncServer *s, const char *where, const Json *opts, Error **errp)
{
    bool reverse;
    const char *websocket = json_get_string(opts, "websocket");

    if (!set_parameters(s, opts, errp) || !opts_bool(opts, "reverse", false, &reverse, errp) || !attach_console(s, errp)) {
        return false;
    }
    bool is_unix = !strncmp(where, "unix:", 5);
    if (reverse) {
        if (!is_unix && !strrchr(where, ':')) {
            error_set(errp, "no vnc port specified");
            return false;
        }
        return connect_viewer(s, where, errp);
    }
    if (is_unix) {
        if (websocket) {
            error_set(errp, "websocket: a unix socket cannot be one too");
            return false;
        }
        return listen_unix(s, where + 5, errp);
    }
    Address a = {0};
    if (!parse_tcp(where, opts, &a, errp)) {
        return false;
    }
    bool ok = listen_tcp(s, &a, errp);
    if (ok && websocket) {
        unsigned port = (unsigned)strtoul(s->sockets[0].service, NULL, 10);
        ok = open_websocket(s, websocket, &a, port - PORT_VNC, errp);
    }
    free(a.host);
    return ok;
}

bool vnc_start(const char *text, Error **errp)
{
    static const char *const known[] = {
        "vnc", "id", "to", "reverse", "websocket", "password", "password-secret", "share", "display", "head", "lossy", "non-adaptive", "connections",
        "key-delay-ms", "lock-key-sync", "power-control", "tls-creds", "tls-authz", "sasl", "sasl-authz", "audiodev", "ipv4", "ipv6", NULL,
    };
    Json *opts = opts_parse(text, "vnc", errp);

    if (!opts) {
        return false;
    }
    const char *where = json_get_string(opts, "vnc"), *id = json_get_string(opts, "id");
    if (where && !strcmp(where, "none")) {
        json_free(opts);
        return true;
    }
    char *name = id ? xstrdup(id) : vnc_count() ? xasprintf("vnc%u", vnc_count() + 1) : xstrdup("default");
    VncServer *s = NULL;
    bool ok = where && opts_check(opts, "-vnc", known, errp);
    for (VncServer *other = vnc_servers(); other && ok; other = other->next) {
        if (!strcmp(other->id, name)) {
            error_set(errp, "Duplicate ID '%s' for vnc", name);
            ok = false;
        }
    }
    if (ok) {
        s = vnc_server_new(name);
        s->text = xstrdup(text);
        ok = start(s, where, opts, errp);
    } else if (!where) {
        error_set(errp, "no vnc port specified");
    }
    if (!ok && s) {
        vnc_server_free(s);
    }
    free(name);
    json_free(opts);
    return ok;
}

bool vnc_start_default(Error **errp)
{
    if (!vnc_start("localhost:0,to=99,id=default", errp)) {
        return false;
    }
    const VncSocket *socket = &vnc_servers()->sockets[0];
    printf("VNC server running on %s:%s\n", socket->host, socket->service);
    fflush(stdout);
    return true;
}
