/*
 * address.c: addresses of sockets: reading, connecting, listening (see the header). Names are looked up in a worker.
 */
#include "block/address.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "block/ioctx.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/parse.h"

int (*address_find_fd)(const char *name, Error **errp);

/* -- reading --------------------------------------------------------------------------------------------------------- */

static bool take_string(const Json *options, const char *key, char **ret, Error **errp)
{
    const char *text = NULL;

    if (!opts_string(options, key, NULL, &text, errp)) {
        return false;
    }
    if (!text) {
        error_set(errp, "Parameter '%s' is missing", key);
        return false;
    }
    *ret = xstrdup(text);
    return true;
}

static bool parse_inet(Address *a, const Json *options, Error **errp)
{
    bool has4 = json_get(options, "ipv4") != NULL, has6 = json_get(options, "ipv6") != NULL;

    if (!take_string(options, "host", &a->host, errp) || !take_string(options, "port", &a->port, errp) ||
        !opts_uint(options, "to", 0, &a->to, errp) || !opts_bool(options, "keep-alive", false, &a->keep_alive, errp) ||
        !opts_bool(options, "ipv4", false, &a->ipv4, errp) || !opts_bool(options, "ipv6", false, &a->ipv6, errp)) {
        return false;
    }
    /* What is not named is allowed unless the other one is asked for. */
    bool four = has4 ? a->ipv4 : !(has6 && a->ipv6), six = has6 ? a->ipv6 : !(has4 && a->ipv4);
    a->ipv4 = four;
    a->ipv6 = six;
    if (!four && !six) {
        error_set(errp, "Cannot disable IPv4 and IPv6 at same time");
        return false;
    }
    if (a->to > 65535) {
        error_set(errp, "port number in 'to' is too large");
        return false;
    }
    return true;
}

static bool parse_kind(Address *a, const char *type, const Json *options, Error **errp)
{
    char *cid = NULL, *port = NULL;
    bool ok;

    if (!strcmp(type, "inet")) {
        a->kind = ADDRESS_INET;
        return parse_inet(a, options, errp);
    }
    if (!strcmp(type, "unix")) {
        a->kind = ADDRESS_UNIX;
        return take_string(options, "path", &a->path, errp) && opts_bool(options, "abstract", false, &a->abstract, errp) &&
               opts_bool(options, "tight", true, &a->tight, errp);
    }
    if (!strcmp(type, "fd")) {
        a->kind = ADDRESS_FD;
        return take_string(options, "str", &a->fd_name, errp);
    }
    if (!strcmp(type, "vsock")) {
        a->kind = ADDRESS_VSOCK;
        ok = take_string(options, "cid", &cid, errp) && take_string(options, "port", &port, errp) &&
             parse_uint("cid", cid, UINT32_MAX, &a->cid, errp) && parse_uint("port", port, UINT32_MAX, &a->vsock_port, errp);
        free(cid);
        free(port);
        return ok;
    }
    error_set(errp, "Parameter 'type' does not accept value '%s'", type);
    return false;
}

Address *address_parse(const Json *options, Error **errp)
{
    static const char *const known[] = {
        "type", "host", "port", "to", "ipv4", "ipv6", "keep-alive", "numeric", "path", "abstract", "tight", "cid", "str", "mptcp", NULL,
    };
    Address *a = xnew(Address);
    const Json *data = json_get(options, "data");
    const char *type = NULL;

    if (!json_is(options, JSON_OBJECT)) {
        error_set(errp, "an address must be given by its members (type, …)");
    } else if (opts_string(options, "type", NULL, &type, errp) && !type) {
        error_set(errp, "Parameter 'type' is missing");
    } else if (type && (data || opts_check(options, "address", known, errp)) && parse_kind(a, type, data ? data : options, errp)) {
        return a;
    }
    address_free(a);
    return NULL;
}

Address *address_unix(const char *path)
{
    Address *a = xnew(Address);
    *a = (Address){ .kind = ADDRESS_UNIX, .path = xstrdup(path), .tight = true };
    return a;
}

Address *address_inet(const char *host, const char *port)
{
    Address *a = xnew(Address);
    *a = (Address){ .kind = ADDRESS_INET, .host = xstrdup(host), .port = xstrdup(port), .ipv4 = true, .ipv6 = true };
    return a;
}

void address_free(Address *a)
{
    if (a) {
        free(a->host);
        free(a->port);
        free(a->path);
        free(a->fd_name);
        free(a);
    }
}

char *address_text(const Address *a)
{
    switch (a->kind) {
    case ADDRESS_INET: return strchr(a->host, ':') ? xasprintf("[%s]:%s", a->host, a->port) : xasprintf("%s:%s", a->host, a->port);
    case ADDRESS_UNIX: return xasprintf("%s%s", a->abstract ? "@" : "", a->path);
    case ADDRESS_VSOCK: return xasprintf("%" PRIu64 ":%" PRIu64, a->cid, a->vsock_port);
    case ADDRESS_FD: return xasprintf("fd:%s", a->fd_name);
    }
    return xstrdup("");
}

bool address_equal(const Address *a, const Address *b)
{
    char *x = address_text(a), *y = address_text(b);
    bool same = a->kind == b->kind && !strcmp(x, y);
    free(x);
    free(y);
    return same;
}

/* -- sockets --------------------------------------------------------------------------------------------------------- */

typedef union AnyAddress {
    struct sockaddr sa;
    struct sockaddr_un un;
    struct sockaddr_vm vm;
} AnyAddress;

static bool make_unix(const Address *a, AnyAddress *ret, socklen_t *bytes, Error **errp)
{
    size_t n = strlen(a->path), at = a->abstract ? 1 : 0;

    if (n + at > sizeof(ret->un.sun_path) - (a->abstract ? 0 : 0)) {
        error_set(errp, "UNIX socket path '%s' is too long", a->path);
        return false;
    }
    memset(ret, 0, sizeof(*ret));
    ret->un.sun_family = AF_UNIX;
    memcpy(ret->un.sun_path + at, a->path, n);
    *bytes = a->abstract && a->tight ? (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n) : sizeof(ret->un);
    return true;
}

static int named_fd(const Address *a, Error **errp)
{
    uint64_t n;

    if (text_to_uint(a->fd_name, &n) && n <= INT32_MAX) {
        int fd = fcntl((int)n, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            error_set_errno(errp, errno, "file descriptor '%s' is not usable", a->fd_name);
        }
        return fd;
    }
    if (address_find_fd) {
        return address_find_fd(a->fd_name, errp);
    }
    error_set(errp, "File descriptor named '%s' has not been found", a->fd_name);
    return -1;
}

typedef struct Lookup {
    const Address *a;
    struct addrinfo hints, *list;
    int status;
} Lookup;

static int look_up(void *arg)
{
    Lookup *l = arg;
    const char *host = *l->a->host ? l->a->host : NULL;

    l->status = getaddrinfo(host, *l->a->port ? l->a->port : "0", &l->hints, &l->list);
    return 0;
}

static bool find_inet(const Address *a, bool passive, Lookup *ret, Error **errp)
{
    *ret = (Lookup){ .a = a, .hints = { .ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0,
                                        .ai_family = a->ipv4 && a->ipv6 ? AF_UNSPEC : a->ipv4 ? AF_INET : AF_INET6 } };
    if (co_self()) {
        co_work(look_up, ret);
    } else {
        look_up(ret);
    }
    if (ret->status) {
        error_set(errp, "address resolution failed for %s:%s: %s", a->host, a->port, gai_strerror(ret->status));
        return false;
    }
    return true;
}

/* 0 or a negative errno; the socket does not block. */
static int connect_fd(int fd, const struct sockaddr *sa, socklen_t bytes)
{
    int err = 0;
    socklen_t size = sizeof(err);

    if (!connect(fd, sa, bytes)) {
        return 0;
    }
    if (errno != EINPROGRESS) {
        return errno == EAGAIN ? -ECONNREFUSED : -errno; /* a unix socket with a full queue */
    }
    co_wait_fd(fd, POLLOUT);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) ? -errno : -err;
}

static int connect_new(int family, const struct sockaddr *sa, socklen_t bytes)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -errno;
    }
    int err = connect_fd(fd, sa, bytes);
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

static int connect_inet(const Address *a, Error **errp)
{
    Lookup l;
    int fd = -EHOSTUNREACH, one = 1;

    if (!find_inet(a, false, &l, errp)) {
        return -ENOENT;
    }
    for (struct addrinfo *i = l.list; i && fd < 0; i = i->ai_next) {
        fd = connect_new(i->ai_family, i->ai_addr, i->ai_addrlen);
    }
    freeaddrinfo(l.list);
    if (fd < 0) {
        char *text = address_text(a);
        error_set_errno(errp, -fd, "Failed to connect to '%s'", text);
        free(text);
        return fd;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (a->keep_alive) {
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    }
    return fd;
}

int address_co_connect(const Address *a, Error **errp)
{
    AnyAddress any = { 0 };
    socklen_t bytes = sizeof(any.vm);
    int fd;

    switch (a->kind) {
    case ADDRESS_INET:
        return connect_inet(a, errp);
    case ADDRESS_FD:
        fd = named_fd(a, errp);
        if (fd >= 0) {
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        }
        return fd < 0 ? -EBADF : fd;
    case ADDRESS_UNIX:
        if (!make_unix(a, &any, &bytes, errp)) {
            return -ENAMETOOLONG;
        }
        break;
    case ADDRESS_VSOCK:
        any.vm = (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = (unsigned)a->cid, .svm_port = (unsigned)a->vsock_port };
        break;
    }
    fd = connect_new(any.sa.sa_family, &any.sa, bytes);
    if (fd < 0) {
        char *text = address_text(a);
        error_set_errno(errp, -fd, "Failed to connect to '%s'", text);
        free(text);
    }
    return fd;
}

/* -- listening ------------------------------------------------------------------------------------------------------- */

static int listen_on(int family, const struct sockaddr *sa, socklen_t bytes, int backlog)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

    if (fd < 0) {
        return -errno;
    }
    if (family == AF_INET || family == AF_INET6) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    }
    if (bind(fd, sa, bytes) || listen(fd, backlog)) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

static void add_fd(int fd, int **fds, size_t *n)
{
    *fds = xrealloc(*fds, (*n + 1) * sizeof(**fds));
    (*fds)[(*n)++] = fd;
}

static bool listen_inet(const Address *a, int backlog, int **fds, size_t *n, Error **errp)
{
    Lookup l;
    int err = -EADDRNOTAVAIL;
    uint64_t first;

    if (!find_inet(a, true, &l, errp)) {
        return false;
    }
    for (struct addrinfo *i = l.list; i; i = i->ai_next) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)i->ai_addr; /* the port is at the same place for both families */
        first = ntohs(in->sin_port);
        for (uint64_t port = first; port <= MAX(a->to, first); port++) {
            in->sin_port = htons((uint16_t)port);
            int fd = listen_on(i->ai_family, i->ai_addr, i->ai_addrlen, backlog);
            if (fd >= 0) {
                add_fd(fd, fds, n);
                break;
            }
            err = fd;
            if (fd != -EADDRINUSE) {
                break;
            }
        }
        if (*n && !first) {
            break; /* any port: another family would get another one */
        }
    }
    freeaddrinfo(l.list);
    if (!*n) {
        error_set_errno(errp, -err, "Failed to find an available port");
    }
    return *n != 0;
}

/* What an earlier program left. Anything but a socket stays, and bind() says so. */
static bool remove_old_socket(const char *path, Error **errp)
{
    struct stat st;

    if (!lstat(path, &st) && S_ISSOCK(st.st_mode) && unlink(path)) {
        error_set_errno(errp, errno, "Failed to unlink socket %s", path);
        return false;
    }
    return true;
}

char *address_socket_path(const Address *a)
{
    char folder[4096];

    if (a->kind != ADDRESS_UNIX || a->abstract) {
        return NULL;
    }
    if (*a->path == '/' || !getcwd(folder, sizeof(folder))) {
        return xstrdup(a->path);
    }
    return xasprintf("%s/%s", folder, a->path); /* daemons leave their folder */
}

bool address_listen(const Address *a, int backlog, int **fds, size_t *n, Error **errp)
{
    AnyAddress any = { 0 };
    socklen_t bytes = sizeof(any.vm);
    int fd;

    *fds = NULL;
    *n = 0;
    switch (a->kind) {
    case ADDRESS_INET:
        return listen_inet(a, backlog, fds, n, errp);
    case ADDRESS_FD:
        fd = named_fd(a, errp);
        if (fd < 0) {
            return false;
        }
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        if (listen(fd, backlog)) {
            error_set_errno(errp, errno, "Failed to listen on fd socket");
            close(fd);
            return false;
        }
        add_fd(fd, fds, n);
        return true;
    case ADDRESS_UNIX:
        if (!make_unix(a, &any, &bytes, errp)) {
            return false;
        }
        if (!a->abstract && !remove_old_socket(a->path, errp)) {
            return false;
        }
        break;
    case ADDRESS_VSOCK:
        any.vm = (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = (unsigned)a->cid, .svm_port = (unsigned)a->vsock_port };
        break;
    }
    fd = listen_on(any.sa.sa_family, &any.sa, bytes, backlog);
    if (fd < 0) {
        char *text = address_text(a);
        error_set_errno(errp, -fd, "Failed to bind socket to %s", text);
        free(text);
        return false;
    }
    add_fd(fd, fds, n);
    return true;
}
