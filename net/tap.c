/*
 * tap.c: frames through a host tap interface (Linux), and through a stream or datagram socket.
 *
 * tap: ifname=, fd=, script=no/PATH, downscript=no/PATH. socket: listen=/connect= (frames with a 32-bit big-endian length
 * before each), udp=/localaddr=, fd=.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/net.h"
#include "softmmu/loop.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { FRAME_MAX = 65536 + 18 };

typedef struct FdNet {
    NetPeer *self;
    int fd, listener;
    FdWatch *watch, *listen_watch;
    bool stream;
    char *ifname, *downscript;
    struct sockaddr_in udp_to;
    uint8_t in[4 + FRAME_MAX];
    size_t n_in;
} FdNet;

static void stream_closed(FdNet *n)
{
    loop_unwatch(n->watch);
    n->watch = NULL;
    close(n->fd);
    n->fd = -1;
    n->n_in = 0;
}

static void deliver_stream(FdNet *n)
{
    for (;;) {
        if (n->n_in < 4) {
            return;
        }
        uint32_t len = ldbe32(n->in);
        if (len > FRAME_MAX) {
            stream_closed(n); /* not our protocol */
            return;
        }
        if (n->n_in < 4 + len) {
            return;
        }
        net_send(n->self, n->in + 4, len);
        n->n_in -= 4 + len;
        memmove(n->in, n->in + 4 + len, n->n_in);
    }
}

static void fd_ready(void *opaque, unsigned events)
{
    FdNet *n = opaque;

    for (int budget = 64; budget && n->fd >= 0; budget--) {
        ssize_t got = n->stream ? read(n->fd, n->in + n->n_in, sizeof(n->in) - n->n_in) : read(n->fd, n->in, sizeof(n->in));
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (got <= 0) {
            if (n->stream) {
                stream_closed(n);
            }
            return;
        }
        if (n->stream) {
            n->n_in += (size_t)got;
            deliver_stream(n);
        } else {
            net_send(n->self, n->in, (size_t)got);
        }
    }
}

static bool fd_receive(NetPeer *self, const uint8_t *frame, size_t size_bytes)
{
    FdNet *n = self->opaque;
    uint8_t head[4];
    struct iovec v[2] = { { head, sizeof(head) }, { (void *)frame, size_bytes } };
    ssize_t done;

    if (n->fd < 0) {
        return true;
    }
    if (n->udp_to.sin_family) {
        done = sendto(n->fd, frame, size_bytes, MSG_DONTWAIT, (struct sockaddr *)&n->udp_to, sizeof(n->udp_to));
    } else if (n->stream) {
        stbe32(head, (uint32_t)size_bytes);
        struct msghdr msg = { .msg_iov = v, .msg_iovlen = 2 };
        done = sendmsg(n->fd, &msg, MSG_NOSIGNAL);
    } else {
        done = write(n->fd, frame, size_bytes);
    }
    (void)done; /* a full queue loses the frame, as a switch does */
    return true;
}

static void run_script(const char *script, const char *ifname)
{
    pid_t pid = fork();

    if (!pid) {
        execlp(script, script, ifname, (char *)NULL);
        _exit(127);
    }
    if (pid > 0) {
        waitpid(pid, NULL, 0);
    }
}

static void fd_finish(NetPeer *self)
{
    FdNet *n = self->opaque;

    loop_unwatch(n->watch);
    loop_unwatch(n->listen_watch);
    if (n->downscript) {
        run_script(n->downscript, n->ifname);
    }
    if (n->fd >= 0) {
        close(n->fd);
    }
    if (n->listener >= 0) {
        close(n->listener);
    }
    free(n->ifname);
    free(n->downscript);
    free(n);
}

static char *fd_info(NetPeer *self)
{
    FdNet *n = self->opaque;
    return n->ifname ? xasprintf("ifname=%s", n->ifname) : xasprintf("fd=%d", n->fd);
}

static const NetPeerOps tap_ops = { .kind = "tap", .receive = fd_receive, .finish = fd_finish, .info = fd_info };
static const NetPeerOps socket_ops = { .kind = "socket", .receive = fd_receive, .finish = fd_finish, .info = fd_info };

static FdNet *fd_net_new(NetPeer *self, const NetPeerOps *ops)
{
    FdNet *n = xnew(FdNet);
    n->self = self;
    n->fd = n->listener = -1;
    self->ops = ops;
    self->opaque = n;
    return n;
}

static void fd_start(FdNet *n)
{
    fcntl(n->fd, F_SETFL, fcntl(n->fd, F_GETFL) | O_NONBLOCK);
    n->watch = loop_watch(loop_main(), n->fd, LOOP_READ, fd_ready, n);
}

static bool tap_create(NetPeer *self, const Json *options, Error **errp)
{
    const char *ifname = NULL, *script = NULL, *downscript = NULL;
    uint64_t fd = UINT64_MAX;
    struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };

    if (!opts_string(options, "ifname", NULL, &ifname, errp) || !opts_string(options, "script", "no", &script, errp) ||
        !opts_string(options, "downscript", "no", &downscript, errp) || !opts_uint(options, "fd", UINT64_MAX, &fd, errp)) {
        return false;
    }
    FdNet *n = fd_net_new(self, &tap_ops);
    if (fd != UINT64_MAX) {
        n->fd = (int)fd;
        if (fcntl(n->fd, F_GETFD) < 0) {
            error_set_errno(errp, errno, "tap: file descriptor %d", n->fd);
            n->fd = -1;
            fd_finish(self);
            return false;
        }
    } else {
        if (ifname && strlen(ifname) >= sizeof(ifr.ifr_name)) {
            error_set(errp, "ifname '%s' is longer than %zu characters", ifname, sizeof(ifr.ifr_name) - 1);
            fd_finish(self);
            return false;
        }
        n->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        if (ifname) {
            snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
        } else {
            snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "tap%%d");
        }
        if (n->fd < 0 || ioctl(n->fd, TUNSETIFF, &ifr)) {
            error_set_errno(errp, errno, "could not configure /dev/net/tun%s%s", ifname ? " for " : "", ifname ? ifname : "");
            fd_finish(self);
            return false;
        }
        n->ifname = xstrdup(ifr.ifr_name);
        if (strcmp(script, "no") && *script) {
            run_script(script, n->ifname);
        }
        if (strcmp(downscript, "no") && *downscript) {
            n->downscript = xstrdup(downscript);
        }
    }
    fd_start(n);
    return true;
}

static void accepted(void *opaque, unsigned events)
{
    FdNet *n = opaque;
    int one = 1, fd = accept4(n->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0) {
        return;
    }
    if (n->fd >= 0) {
        close(fd); /* one peer at a time */
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    n->fd = fd;
    fd_start(n);
}

static bool resolve(const char *text, struct sockaddr_in *addr, Error **errp)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    struct addrinfo hints = { .ai_family = AF_INET }, *found;

    if (!colon || (size_t)(colon - text) >= sizeof(host)) {
        error_set(errp, "'%s' is not HOST:PORT", text);
        return false;
    }
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    int err = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &found);
    if (err) {
        error_set(errp, "cannot resolve '%s': %s", text, gai_strerror(err));
        return false;
    }
    *addr = *(struct sockaddr_in *)found->ai_addr;
    if (!*host) {
        addr->sin_addr.s_addr = htonl(INADDR_ANY);
    }
    freeaddrinfo(found);
    return true;
}

static bool socket_create(NetPeer *self, const Json *options, Error **errp)
{
    const char *listen_on = NULL, *connect_to = NULL, *udp = NULL, *local = NULL;
    uint64_t fd = UINT64_MAX;
    struct sockaddr_in addr;
    int one = 1;

    if (!opts_string(options, "listen", NULL, &listen_on, errp) || !opts_string(options, "connect", NULL, &connect_to, errp) ||
        !opts_string(options, "udp", NULL, &udp, errp) || !opts_string(options, "localaddr", NULL, &local, errp) ||
        !opts_uint(options, "fd", UINT64_MAX, &fd, errp)) {
        return false;
    }
    if (!!listen_on + !!connect_to + !!udp + (fd != UINT64_MAX) != 1) {
        error_set(errp, "socket: exactly one of listen=, connect=, udp= and fd= is needed");
        return false;
    }
    if (fd != UINT64_MAX ? false : !resolve(listen_on ? listen_on : connect_to ? connect_to : udp, &addr, errp)) {
        return false;
    }
    FdNet *n = fd_net_new(self, &socket_ops);
    n->stream = !udp;
    if (fd != UINT64_MAX) {
        n->fd = (int)fd;
        fd_start(n);
        return true;
    }
    int s = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (listen_on) {
        n->listener = s;
        if (bind(s, (struct sockaddr *)&addr, sizeof(addr)) || listen(s, 1)) {
            error_set_errno(errp, errno, "socket: cannot listen on '%s'", listen_on);
            fd_finish(self);
            return false;
        }
        n->listen_watch = loop_watch(loop_main(), s, LOOP_READ, accepted, n);
        return true;
    }
    n->fd = s;
    if (udp) {
        struct sockaddr_in from = { .sin_family = AF_INET };
        n->udp_to = addr;
        if ((local && !resolve(local, &from, errp)) || bind(s, (struct sockaddr *)&from, sizeof(from))) {
            if (!local || !*errp) {
                error_set_errno(errp, errno, "socket: cannot bind '%s'", local ? local : "any port");
            }
            fd_finish(self);
            return false;
        }
    } else if (connect(s, (struct sockaddr *)&addr, sizeof(addr))) {
        error_set_errno(errp, errno, "socket: cannot connect to '%s'", connect_to);
        fd_finish(self);
        return false;
    }
    fd_start(n);
    return true;
}

static const char *const tap_options[] = { "ifname", "fd", "script", "downscript", NULL };
static const char *const socket_options[] = { "listen", "connect", "udp", "localaddr", "fd", NULL };

const NetBackend net_backend_tap = { "tap", "A host tap interface", tap_create, tap_options };
const NetBackend net_backend_socket = { "socket", "A TCP or UDP socket to another emulator", socket_create, socket_options };
