/*
 * socket.c: TCP and unix stream sockets, as server or client, with telnet
 * option handling (RFC 854, 855; binary RFC 856, echo 857, SGA 858) and
 * reconnecting clients. Leaves out TLS and WebSocket (clear errors).
 *
 * One peer at a time. Descriptors that come over a unix socket are kept until
 * the front end takes them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "softmmu/chardev/priv.h"
#include "util/parse.h"

typedef struct CharSocket {
    CharFd cf;             /* in == out == the connection; -1: none */
    char *host, *port, *path;
    int port_to;           /* to=: last port to try; 0 */
    bool ipv4, ipv6;       /* allowed */
    bool abstract, tight, server, telnet, nodelay, wait;
    int listen_fd;
    char *listen_name;
    FdWatch *listen_watch;
    int64_t reconnect_ms;  /* 0: never */
    GSource *reconnect_timer;
    FdWatch *connect_watch;
    int connect_fd;
    struct {
        int state;         /* 0: data; then IAC, command, sub-negotiation */
        uint8_t command;
    } tn;
} CharSocket;

enum { TN_DATA, TN_IAC, TN_OPTION, TN_SUB, TN_SUB_IAC };
enum { IAC = 255, DONT = 254, DO = 253, WONT = 252, WILL = 251, SB = 250, SE = 240, BREAK = 243,
       INTERRUPT = 244 };
enum { OPT_BINARY = 0, OPT_ECHO = 1, OPT_SGA = 3 };

static CharSocket *sock_of(Chardev *chr)
{
    return container_of(chr, CharSocket, cf.chr);
}

static void sock_listen_start(CharSocket *s);
static void sock_reconnect_later(CharSocket *s);

/* ---- names ---- */

static char *sock_address_text(const struct sockaddr *sa, socklen_t len)
{
    if (sa->sa_family == AF_UNIX) {
        return NULL;
    }
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV)) {
        return NULL;
    }
    return xasprintf(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static char *sock_local_text(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    return getsockname(fd, (struct sockaddr *)&sa, &len) < 0
               ? NULL : sock_address_text((struct sockaddr *)&sa, len);
}

static char *sock_peer_text(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    return getpeername(fd, (struct sockaddr *)&sa, &len) < 0
               ? NULL : sock_address_text((struct sockaddr *)&sa, len);
}

static void sock_update_name(CharSocket *s)
{
    const char *kind = s->path ? "unix" : s->telnet ? "telnet" : "tcp";
    const char *suffix = s->server ? ",server=on" : "";
    bool connected = s->cf.in >= 0;
    char *where = s->path        ? xstrdup(s->path)
                  : s->listen_name ? xstrdup(s->listen_name)
                                   : xasprintf("%s:%s", s->host ? s->host : "", s->port);
    char *local = connected && !s->path ? sock_local_text(s->cf.in) : NULL;
    char *peer = connected && !s->path ? sock_peer_text(s->cf.in) : NULL;
    char *name;
    if (connected && local && peer) {
        name = xasprintf("%s:%s%s <-> %s", kind, local, suffix, peer);
    } else {
        name = xasprintf("%s%s:%s%s", connected ? "" : "disconnected:", kind, where, suffix);
    }
    free(where);
    free(local);
    free(peer);
    chardev_set_filename(&s->cf.chr, name);
}

/* ---- telnet ---- */

static void telnet_send(CharSocket *s, const uint8_t *buf, size_t len)
{
    /* A handful of bytes into a fresh connection, or an answer: never worth waiting for. */
    ssize_t n = send(s->cf.in, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)n;
}

static void telnet_greet(CharSocket *s)
{
    static const uint8_t hello[] = {
        IAC, WILL, OPT_ECHO, IAC, WILL, OPT_SGA, IAC, WILL, OPT_BINARY, IAC, DO, OPT_BINARY,
    };
    s->tn.state = TN_DATA;
    telnet_send(s, hello, sizeof(hello));
}

/* Removes telnet commands from buf in place; returns the bytes left. */
static size_t telnet_filter(CharSocket *s, uint8_t *buf, size_t len)
{
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = buf[i];
        switch (s->tn.state) {
        case TN_DATA:
            if (c == IAC) {
                s->tn.state = TN_IAC;
            } else {
                buf[out++] = c;
            }
            break;
        case TN_IAC:
            s->tn.state = TN_DATA;
            if (c == IAC) {
                buf[out++] = c;
            } else if (c == SB) {
                s->tn.state = TN_SUB;
            } else if (c >= WILL) {
                s->tn.command = c;
                s->tn.state = TN_OPTION;
            } else if (c == BREAK) {
                chardev_event(&s->cf.chr, CHAR_EVENT_BREAK);
            } else if (c == INTERRUPT) {
                buf[out++] = 3;
            }
            break;
        case TN_OPTION:
            s->tn.state = TN_DATA;
            /* What we offered or asked for is agreed; anything else is refused. */
            if (s->tn.command == DO && c != OPT_ECHO && c != OPT_SGA && c != OPT_BINARY) {
                telnet_send(s, (uint8_t[]){ IAC, WONT, c }, 3);
            } else if (s->tn.command == WILL && c != OPT_BINARY && c != OPT_SGA) {
                telnet_send(s, (uint8_t[]){ IAC, DONT, c }, 3);
            }
            break;
        case TN_SUB:
            s->tn.state = c == IAC ? TN_SUB_IAC : TN_SUB;
            break;
        case TN_SUB_IAC:
            s->tn.state = c == SE ? TN_DATA : TN_SUB;
            break;
        }
    }
    return out;
}

/* ---- the connection ---- */

static void sock_disconnected(CharSocket *s)
{
    char_fd_stop(&s->cf);
    s->cf.out_waiting = false;
    sock_update_name(s);
    /* What was queued was for the peer that has gone. */
    pthread_mutex_lock(&s->cf.chr.lock);
    vec_clear(&s->cf.chr.queue);
    s->cf.chr.queue_at = 0;
    pthread_mutex_unlock(&s->cf.chr.lock);
    chardev_event(&s->cf.chr, CHAR_EVENT_CLOSED);
    chardev_writable(&s->cf.chr);
    if (s->server) {
        sock_listen_start(s);
    } else if (s->reconnect_ms) {
        sock_reconnect_later(s);
    }
}

static void sock_keep_fds(Chardev *chr, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (chr->n_fds < CHAR_MAX_FDS) {
                chr->fds[chr->n_fds++] = fd;
            } else {
                close(fd);
            }
        }
    }
}

static ssize_t sock_receive(CharSocket *s, uint8_t *buf, size_t len)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(CHAR_MAX_FDS * sizeof(int))];
    } control;
    struct iovec iov = { buf, len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (s->path) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);
    }
    ssize_t n = recvmsg(s->cf.in, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n > 0 && s->path) {
        sock_keep_fds(&s->cf.chr, &msg);
    }
    return n;
}

static void sock_readable(void *opaque, unsigned events)
{
    CharSocket *s = opaque;
    uint8_t buf[4096];
    size_t room = chardev_can_read(&s->cf.chr);
    if (!room) {
        if (!s->cf.chr.fe && events & (LOOP_HANGUP | LOOP_ERROR)) {
            sock_disconnected(s);
            return;
        }
        s->cf.in_paused = true;
        loop_watch_set(s->cf.in_watch, 0);
        return;
    }
    ssize_t n = sock_receive(s, buf, MIN(room, sizeof(buf)));
    if (n > 0) {
        size_t left = s->telnet ? telnet_filter(s, buf, (size_t)n) : (size_t)n;
        chardev_give(&s->cf.chr, buf, left);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        sock_disconnected(s);
    }
}

static void sock_out_ready(void *opaque, unsigned events)
{
    CharSocket *s = opaque;
    pthread_mutex_lock(&s->cf.chr.lock);
    s->cf.out_waiting = false;
    loop_watch_set(s->cf.out_watch, 0);
    pthread_mutex_unlock(&s->cf.chr.lock);
    chardev_writable(&s->cf.chr);
}

static void sock_connected(CharSocket *s, int fd)
{
    if (s->nodelay && !s->path) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    pthread_mutex_lock(&s->cf.chr.lock);
    s->cf.in = s->cf.out = fd;
    s->cf.out_is_stream_socket = true;
    s->cf.in_watch = loop_watch(loop_main(), fd, 0, sock_readable, s);
    s->cf.out_watch = loop_watch(loop_main(), fd, 0, sock_out_ready, s);
    s->cf.in_paused = true;
    pthread_mutex_unlock(&s->cf.chr.lock);
    loop_unwatch(s->listen_watch);
    s->listen_watch = NULL;
    if (s->telnet) {
        telnet_greet(s);
    }
    sock_update_name(s);
    chardev_event(&s->cf.chr, CHAR_EVENT_OPENED);
    chardev_writable(&s->cf.chr);
    bh_schedule(s->cf.chr.accept_bh);
}

/* Nobody listens: bytes are swallowed, as by a cable without an end. */
static size_t sock_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    CharSocket *s = sock_of(chr);
    if (s->cf.out < 0) {
        return len;
    }
    if (!s->telnet) {
        return char_fd_write(chr, buf, len);
    }
    for (size_t i = 0; i < len; i++) {
        if (buf[i] == IAC) {
            static const uint8_t doubled[2] = { IAC, IAC };
            size_t n = char_fd_write(chr, doubled, 2);
            if (n < 2) {
                return i; /* at worst one stray IAC precedes the doubled one: a no-op pair */
            }
        } else if (!char_fd_write(chr, &buf[i], 1)) {
            return i;
        }
    }
    return len;
}

static void sock_accept(void *opaque, unsigned events)
{
    CharSocket *s = opaque;
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        sock_connected(s, fd);
    }
}

static void sock_listen_start(CharSocket *s)
{
    if (s->listen_fd >= 0 && !s->listen_watch) {
        s->listen_watch = loop_watch(loop_main(), s->listen_fd, LOOP_READ, sock_accept, s);
    }
}

/* ---- opening ---- */

static bool unix_address(const CharSocket *s, struct sockaddr_un *sa, socklen_t *ret_len,
                         Error **errp)
{
    size_t n = strlen(s->path);
    *sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (n + s->abstract >= sizeof(sa->sun_path)) {
        error_set(errp, "UNIX socket path '%s' is too long (at most %zu bytes)", s->path,
                  sizeof(sa->sun_path) - 1);
        return false;
    }
    memcpy(sa->sun_path + s->abstract, s->path, n);
    /* unix(7): the name of an abstract socket is all of the address, padding included. */
    *ret_len = s->abstract && s->tight
                   ? (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)
                   : (socklen_t)sizeof(*sa);
    return true;
}

static int unix_open(CharSocket *s, Error **errp)
{
    struct sockaddr_un sa;
    socklen_t len;
    if (!unix_address(s, &sa, &len, errp)) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        error_set_errno(errp, errno, "cannot create a unix socket");
        return -1;
    }
    if (s->server) {
        if (!s->abstract) {
            unlink(s->path); /* left over by an earlier run */
        }
        if (bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, 1) < 0) {
            error_set_errno(errp, errno, "Failed to bind socket to %s", s->path);
            close(fd);
            return -1;
        }
    } else if (connect(fd, (struct sockaddr *)&sa, len) < 0) {
        error_set_errno(errp, errno, "Failed to connect to '%s'", s->path);
        close(fd);
        return -1;
    }
    return fd;
}

static struct addrinfo *tcp_resolve(const CharSocket *s, const char *port, Error **errp)
{
    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_family = s->ipv4 && s->ipv6 ? AF_UNSPEC : s->ipv6 ? AF_INET6 : AF_INET,
        .ai_flags = s->server ? AI_PASSIVE : 0,
    };
    struct addrinfo *list = NULL;
    const char *host = s->host && *s->host ? s->host : NULL;
    char *end;
    unsigned long number = strtoul(port, &end, 10);
    /* The library would keep the low 16 bits. */
    if (*port && !*end && number > 65535) {
        error_set(errp, "port '%s' is larger than 65535", port);
        return NULL;
    }
    int err = getaddrinfo(host, port, &hints, &list);
    if (err) {
        error_set(errp, "address resolution failed for %s:%s: %s", host ? host : "", port,
                  gai_strerror(err));
        return NULL;
    }
    return list;
}

static int tcp_listen(CharSocket *s, Error **errp)
{
    char *end;
    long port = strtol(s->port, &end, 10);
    long last = !*end && s->port_to > port ? s->port_to : port;
    int err = 0;
    for (; port <= last; port++) {
        char text[16];
        snprintf(text, sizeof(text), "%ld", port);
        struct addrinfo *list = tcp_resolve(s, *end ? s->port : text, errp);
        if (!list) {
            return -1;
        }
        for (struct addrinfo *a = list; a; a = a->ai_next) {
            int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
            if (fd < 0) {
                err = errno;
                continue;
            }
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
            if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 1) == 0) {
                freeaddrinfo(list);
                return fd;
            }
            err = errno;
            close(fd);
        }
        freeaddrinfo(list);
    }
    error_set_errno(errp, err, "Failed to find an available port '%s:%s'",
                    s->host ? s->host : "", s->port);
    return -1;
}

static int tcp_connect(CharSocket *s, Error **errp)
{
    struct addrinfo *list = tcp_resolve(s, s->port, errp);
    int err = 0;
    if (!list) {
        return -1;
    }
    for (struct addrinfo *a = list; a; a = a->ai_next) {
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
            freeaddrinfo(list);
            return fd;
        }
        err = errno;
        if (fd >= 0) {
            close(fd);
        }
    }
    freeaddrinfo(list);
    error_set_errno(errp, err, "Failed to connect to '%s:%s'", s->host, s->port);
    return -1;
}

/* ---- reconnecting: never blocks the loop ---- */

static void sock_connect_done(void *opaque, unsigned events)
{
    CharSocket *s = opaque;
    int err = 0, fd = s->connect_fd;
    socklen_t len = sizeof(err);
    loop_unwatch(s->connect_watch);
    s->connect_watch = NULL;
    s->connect_fd = -1;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err) {
        close(fd);
        sock_reconnect_later(s);
    } else {
        sock_connected(s, fd);
    }
}

static void sock_connect_start(CharSocket *s)
{
    struct sockaddr_storage sa;
    socklen_t len = 0;
    if (s->path) {
        if (!unix_address(s, (struct sockaddr_un *)&sa, &len, NULL)) {
            return;
        }
    } else {
        struct addrinfo *list = tcp_resolve(s, s->port, NULL);
        if (!list) {
            sock_reconnect_later(s);
            return;
        }
        memcpy(&sa, list->ai_addr, list->ai_addrlen);
        len = list->ai_addrlen;
        freeaddrinfo(list);
    }
    int fd = socket(((struct sockaddr *)&sa)->sa_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        sock_reconnect_later(s);
        return;
    }
    if (connect(fd, (struct sockaddr *)&sa, len) == 0) {
        sock_connected(s, fd);
    } else if (errno == EINPROGRESS) {
        s->connect_fd = fd;
        s->connect_watch = loop_watch(loop_main(), fd, LOOP_WRITE, sock_connect_done, s);
    } else {
        close(fd);
        sock_reconnect_later(s);
    }
}

static gboolean sock_reconnect(gpointer opaque)
{
    CharSocket *s = opaque;
    g_source_unref(s->reconnect_timer);
    s->reconnect_timer = NULL;
    sock_connect_start(s);
    return G_SOURCE_REMOVE;
}

static void sock_reconnect_later(CharSocket *s)
{
    if (!s->reconnect_timer) {
        s->reconnect_timer = g_timeout_source_new((guint)s->reconnect_ms);
        g_source_set_callback(s->reconnect_timer, sock_reconnect, s, NULL);
        g_source_attach(s->reconnect_timer, loop_context(loop_main()));
    }
}

static bool sock_options(CharSocket *s, const Json *opts, Error **errp)
{
    static const char *const absent[] = { "tls-creds", "tls-authz", "tn3270", "websocket" };
    const char *host, *port, *path, *unused;
    uint64_t port_to;
    int64_t reconnect_s;
    bool delay;
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
        if (opts_is_set(opts, absent[i]) &&
            (!opts_bool(opts, absent[i], false, &delay, NULL) || delay)) {
            error_set(errp, "chardev: socket: '%s' is not supported", absent[i]);
            return false;
        }
    }
    if (!opts_string(opts, "host", NULL, &host, errp) ||
        !opts_string(opts, "port", NULL, &port, errp) ||
        !opts_string(opts, "path", NULL, &path, errp) ||
        !opts_string(opts, "fd", NULL, &unused, errp) ||
        !opts_uint(opts, "to", 0, &port_to, errp) ||
        !opts_bool(opts, "ipv4", true, &s->ipv4, errp) ||
        !opts_bool(opts, "ipv6", true, &s->ipv6, errp) ||
        !opts_bool(opts, "abstract", false, &s->abstract, errp) ||
        !opts_bool(opts, "tight", true, &s->tight, errp) ||
        !opts_bool(opts, "server", false, &s->server, errp) ||
        !opts_bool(opts, "telnet", false, &s->telnet, errp) ||
        !opts_bool(opts, "delay", true, &delay, errp) ||
        !opts_bool(opts, "nodelay", !delay, &s->nodelay, errp) ||
        !opts_bool(opts, "wait", s->server, &s->wait, errp) ||
        !opts_int(opts, "reconnect", 0, &reconnect_s, errp) ||
        !opts_int(opts, "reconnect-ms", 0, &s->reconnect_ms, errp)) {
        return false;
    }
    bool v4 = s->ipv4, v6 = s->ipv6;
    if (opts_is_set(opts, "ipv4") && v4 && !opts_is_set(opts, "ipv6")) {
        s->ipv6 = false;
    } else if (opts_is_set(opts, "ipv6") && v6 && !opts_is_set(opts, "ipv4")) {
        s->ipv4 = false;
    }
    if (!s->ipv4 && !s->ipv6) {
        error_set(errp, "chardev: socket: both ipv4 and ipv6 are off");
        return false;
    }
    if (reconnect_s < 0 || reconnect_s > 86400 * 365 || s->reconnect_ms < 0 ||
        s->reconnect_ms > INT32_MAX) {
        error_set(errp, "chardev: socket: 'reconnect' is out of range");
        return false;
    }
    s->reconnect_ms = s->reconnect_ms ? s->reconnect_ms : MIN(reconnect_s * 1000, INT32_MAX);
    s->port_to = port_to <= 65535 ? (int)port_to : 65535;
    if (s->server && s->reconnect_ms) {
        error_set(errp, "'reconnect' option is incompatible with socket in server listen mode");
        return false;
    }
    if (!s->server && opts_is_set(opts, "wait")) {
        error_set(errp, "'wait' option is incompatible with socket in client connect mode");
        return false;
    }
    if (opts_is_set(opts, "fd")) {
        if (path || host || port) {
            error_set(errp, "chardev: socket: 'fd' excludes 'path', 'host' and 'port'");
            return false;
        }
    } else if (!path && !port) {
        error_set(errp, "chardev: socket: no %s given", host ? "port" : "path, port or fd");
        return false;
    } else if (path && (host || port)) {
        error_set(errp, "chardev: socket: 'path' excludes 'host' and 'port'");
        return false;
    } else if (!path && !host && !s->server) {
        error_set(errp, "chardev: socket: no host given");
        return false;
    }
    s->path = path ? xstrdup(path) : NULL;
    s->host = host ? xstrdup(host) : NULL;
    s->port = port ? xstrdup(port) : NULL;
    return true;
}

/* fd=N: a connected or (server=on) listening socket that was inherited. */
static int sock_inherited(CharSocket *s, const Json *opts, Error **errp)
{
    uint64_t fd;
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    const char *text = json_get_string(opts, "fd");
    if (!text || !text_to_uint(text, &fd) || fd > INT32_MAX ||
        getsockname((int)fd, (struct sockaddr *)&sa, &len) < 0) {
        error_set(errp, "chardev: socket: fd '%s' is not an open socket", text ? text : "");
        return -1;
    }
    fcntl((int)fd, F_SETFD, FD_CLOEXEC);
    if (sa.ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&sa;
        s->path = xstrndup(un->sun_path, len > offsetof(struct sockaddr_un, sun_path)
                                             ? len - offsetof(struct sockaddr_un, sun_path) : 0);
    } else {
        s->listen_name = sock_address_text((struct sockaddr *)&sa, len);
        s->port = xstrdup("");
    }
    return (int)fd;
}

static bool sock_open(Chardev *chr, const Json *opts, Error **errp)
{
    CharSocket *s = sock_of(chr);
    s->cf.in = s->cf.out = s->listen_fd = s->connect_fd = -1;
    if (!sock_options(s, opts, errp)) {
        return false;
    }
    if (s->reconnect_ms) {
        sock_update_name(s);
        sock_connect_start(s);
        return true;
    }
    int fd = opts_is_set(opts, "fd") ? sock_inherited(s, opts, errp)
             : s->path               ? unix_open(s, errp)
             : s->server             ? tcp_listen(s, errp)
                                     : tcp_connect(s, errp);
    if (fd < 0) {
        return false;
    }
    if (!s->server) {
        sock_connected(s, fd);
        return true;
    }
    s->listen_fd = fd;
    if (!s->path && !s->listen_name) {
        s->listen_name = sock_local_text(fd);
    }
    sock_update_name(s);
    if (s->wait) {
        /* Until somebody comes nothing starts: that is what wait=on asks for. */
        error_report("info: waiting for connection on: %s", chardev_filename(chr));
        int peer;
        do {
            peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        } while (peer < 0 && errno == EINTR);
        if (peer < 0) {
            error_set_errno(errp, errno, "cannot accept a connection on %s",
                            chardev_filename(chr));
            return false;
        }
        sock_connected(s, peer);
    } else {
        sock_listen_start(s);
    }
    return true;
}

static void sock_close(Chardev *chr)
{
    CharSocket *s = sock_of(chr);
    char_fd_stop(&s->cf);
    loop_unwatch(s->listen_watch);
    loop_unwatch(s->connect_watch);
    s->listen_watch = s->connect_watch = NULL;
    if (s->connect_fd >= 0) {
        close(s->connect_fd);
        s->connect_fd = -1;
    }
    if (s->reconnect_timer) {
        g_source_destroy(s->reconnect_timer);
        g_source_unref(s->reconnect_timer);
        s->reconnect_timer = NULL;
    }
    if (s->listen_fd >= 0) {
        if (s->path && !s->abstract) {
            unlink(s->path);
        }
        close(s->listen_fd);
        s->listen_fd = -1;
    }
    free(s->path);
    free(s->host);
    free(s->port);
    free(s->listen_name);
    s->path = s->host = s->port = s->listen_name = NULL;
}

static void sock_disconnect(Chardev *chr)
{
    CharSocket *s = sock_of(chr);
    if (s->cf.in >= 0) {
        sock_disconnected(s);
    }
}

static const char *const sock_option_names[] = {
    "host", "port", "path", "fd", "to", "ipv4", "ipv6", "abstract", "tight", "server", "telnet",
    "delay", "nodelay", "wait", "reconnect", "reconnect-ms", "tls-creds", "tls-authz", "tn3270",
    "websocket", NULL
};
const CharBackend chardev_socket = {
    .name = "socket", .size_bytes = sizeof(CharSocket), .options = sock_option_names,
    .open = sock_open, .close = sock_close, .write = sock_write,
    .accept_input = char_fd_accept_input, .disconnect = sock_disconnect,
};

/* ---- udp ---- */

typedef struct CharUdp {
    Chardev chr;
    int fd;
    FdWatch *watch;
    bool paused;
    uint8_t packet[65536];
    size_t len, at;
} CharUdp;

static CharUdp *udp_of(Chardev *chr)
{
    return container_of(chr, CharUdp, chr);
}

static void udp_deliver(CharUdp *udp)
{
    while (udp->at < udp->len) {
        size_t n = MIN(chardev_can_read(&udp->chr), udp->len - udp->at);
        if (!n) {
            return;
        }
        udp->at += n;
        chardev_give(&udp->chr, udp->packet + udp->at - n, n);
    }
}

static void udp_readable(void *opaque, unsigned events)
{
    CharUdp *udp = opaque;
    if (!chardev_can_read(&udp->chr) || udp->at < udp->len) {
        udp->paused = true;
        loop_watch_set(udp->watch, 0);
        return;
    }
    ssize_t n = recv(udp->fd, udp->packet, sizeof(udp->packet), MSG_DONTWAIT);
    udp->at = 0;
    udp->len = n > 0 ? (size_t)n : 0;
    udp_deliver(udp);
}

static void udp_accept_input(Chardev *chr)
{
    CharUdp *udp = udp_of(chr);
    udp_deliver(udp);
    if (udp->watch && udp->paused && udp->at == udp->len && chardev_can_read(chr)) {
        udp->paused = false;
        loop_watch_set(udp->watch, LOOP_READ);
    }
}

static size_t udp_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    CharUdp *udp = udp_of(chr);
    if (udp->fd >= 0) {
        /* A datagram that cannot be sent is lost, as datagrams may be. */
        ssize_t n = send(udp->fd, buf, MIN(len, 65507), MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)n;
    }
    return len;
}

static struct addrinfo *udp_resolve(const char *host, const char *port, int family, bool passive,
                                    Error **errp)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_family = family,
                              .ai_flags = passive ? AI_PASSIVE : 0 };
    struct addrinfo *list = NULL;
    int err = getaddrinfo(host && *host ? host : NULL, port, &hints, &list);
    if (err) {
        error_set(errp, "address resolution failed for %s:%s: %s", host ? host : "", port,
                  gai_strerror(err));
    }
    return list;
}

static bool udp_open(Chardev *chr, const Json *opts, Error **errp)
{
    CharUdp *udp = udp_of(chr);
    const char *host, *port, *local_host, *local_port;
    bool ipv4, ipv6;
    udp->fd = -1;
    if (!opts_string(opts, "host", "localhost", &host, errp) ||
        !opts_string(opts, "port", NULL, &port, errp) ||
        !opts_string(opts, "localaddr", "", &local_host, errp) ||
        !opts_string(opts, "localport", "0", &local_port, errp) ||
        !opts_bool(opts, "ipv4", false, &ipv4, errp) ||
        !opts_bool(opts, "ipv6", false, &ipv6, errp)) {
        return false;
    }
    if (!port || !*port) {
        error_set(errp, "chardev: udp: remote port not specified");
        return false;
    }
    struct addrinfo *to = udp_resolve(*host ? host : "localhost", port,
                                      ipv4 == ipv6 ? AF_UNSPEC : ipv6 ? AF_INET6 : AF_INET,
                                      false, errp);
    struct addrinfo *from = to ? udp_resolve(local_host, local_port, to->ai_family, true, errp)
                               : NULL;
    bool ok = false;
    if (from) {
        udp->fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (udp->fd < 0 || bind(udp->fd, from->ai_addr, from->ai_addrlen) < 0) {
            error_set_errno(errp, errno, "cannot bind a UDP socket to %s:%s", local_host,
                            local_port);
        } else if (connect(udp->fd, to->ai_addr, to->ai_addrlen) < 0) {
            error_set_errno(errp, errno, "cannot reach UDP port %s:%s", host, port);
        } else {
            ok = true;
        }
        freeaddrinfo(from);
    }
    if (to) {
        freeaddrinfo(to);
    }
    if (ok) {
        udp->watch = loop_watch(loop_main(), udp->fd, 0, udp_readable, udp);
        udp->paused = true;
        chr->peer_open = true;
    }
    return ok;
}

static void udp_close(Chardev *chr)
{
    CharUdp *udp = udp_of(chr);
    loop_unwatch(udp->watch);
    udp->watch = NULL;
    if (udp->fd >= 0) {
        close(udp->fd);
        udp->fd = -1;
    }
}

static const char *const udp_options[] = {
    "host", "port", "localaddr", "localport", "ipv4", "ipv6", NULL
};
const CharBackend chardev_udp = {
    .name = "udp", .alias = "dgram", .size_bytes = sizeof(CharUdp), .options = udp_options,
    .open = udp_open, .close = udp_close, .write = udp_write, .accept_input = udp_accept_input,
};
