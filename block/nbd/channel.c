/*
 * channel.c: a socket for coroutines (see the header). Small reads are served from a buffer, large ones go to their place at once.
 *
 * An I/O context has one waiter a descriptor, so the writer waits for a duplicate of it.
 */
#include "block/nbd/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "block/ioctx.h"
#include "block/nbd/tls.h"
#include "util/alloc.h"

enum { INPUT_BYTES = 16 * 1024, PIECES = 64 };

struct Channel {
    int fd, write_fd;
    bool down;
    TlsSession *tls;
    size_t head, tail;                 /* of input */
    uint8_t input[INPUT_BYTES];
};

/* As much as the host allows: who fills a unix socket's buffer is woken when three quarters of it are empty, and a small one is then
 * empty before more comes. TCP finds its own size. */
static void enlarge_buffer(int fd)
{
    int family = 0, bytes = 2 << 20;
    socklen_t n = sizeof(family);

    if (!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &n) && family == AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    }
}

Channel *channel_new(int fd)
{
    Channel *ch = xmalloc(sizeof(*ch));

    enlarge_buffer(fd);

    *ch = (Channel){ .fd = fd, .write_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0) };
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return ch;
}

void channel_free(Channel *ch)
{
    if (!ch) {
        return;
    }
    tls_session_free(ch->tls);
    if (ch->fd >= 0) {
        close(ch->fd);
    }
    if (ch->write_fd >= 0) {
        close(ch->write_fd);
    }
    free(ch);
}

void channel_shutdown(Channel *ch)
{
    ch->down = true;
    shutdown(ch->fd, SHUT_RDWR);
}

bool channel_is_down(const Channel *ch) { return ch->down; }
int channel_fd(const Channel *ch) { return ch->fd; }
bool channel_is_tls(const Channel *ch) { return ch->tls != NULL; }
const char *channel_peer_name(const Channel *ch) { return ch->tls ? tls_peer_name(ch->tls) : NULL; }
bool channel_has_input(const Channel *ch) { return ch->head < ch->tail || (ch->tls && tls_pending(ch->tls)); }

int channel_take_fd(Channel *ch)
{
    int fd = ch->fd;
    ch->fd = -1;
    return fd;
}

/* Some bytes, at least one; 0: the end. */
static ssize_t read_some(Channel *ch, struct iovec *iov, unsigned n)
{
    for (;;) {
        ssize_t got;
        unsigned events = POLLIN;
        if (ch->down) {
            return -ESHUTDOWN;
        }
        if (ch->tls) {
            got = tls_read(ch->tls, iov->iov_base, iov->iov_len, &events);
        } else {
            got = recvmsg(ch->fd, &(struct msghdr){ .msg_iov = iov, .msg_iovlen = n }, 0);
            got = got < 0 ? -errno : got;
        }
        if (got == -EAGAIN || got == -EINTR) {
            co_wait_fd(ch->fd, events);
            continue;
        }
        return got;
    }
}

static ssize_t write_some(Channel *ch, struct iovec *iov, unsigned n)
{
    for (;;) {
        ssize_t done;
        unsigned events = POLLOUT;
        if (ch->down) {
            return -ESHUTDOWN;
        }
        if (ch->tls) {
            done = tls_write(ch->tls, iov->iov_base, iov->iov_len, &events);
        } else {
            done = sendmsg(ch->fd, &(struct msghdr){ .msg_iov = iov, .msg_iovlen = n }, MSG_NOSIGNAL);
            done = done < 0 ? -errno : done;
        }
        if (done == -EAGAIN || done == -EINTR) {
            co_wait_fd(ch->write_fd, events);
            continue;
        }
        return done;
    }
}

int channel_co_read_sg(Channel *ch, Sg sg, size_t bytes)
{
    bool any = false;

    while (bytes) {
        size_t have = MIN(ch->tail - ch->head, bytes);
        if (have) {
            sg_store(sg, ch->input + ch->head, have);
            ch->head += have;
            sg = sg_after(sg, have);
            bytes -= have;
            any = true;
            continue;
        }
        struct iovec iov[PIECES];
        unsigned n;
        size_t mapped;
        bool direct = bytes >= INPUT_BYTES;
        if (direct) {
            n = sg_map(sg, bytes, iov, PIECES, &mapped);
        } else {
            iov[0] = (struct iovec){ ch->input, INPUT_BYTES };
            n = 1;
        }
        ssize_t got = read_some(ch, iov, n);
        if (got <= 0) {
            return got < 0 ? (int)got : any ? -ECONNRESET : CHANNEL_END;
        }
        any = true;
        if (direct) {
            sg = sg_after(sg, (size_t)got);
            bytes -= (size_t)got;
        } else {
            ch->head = 0;
            ch->tail = (size_t)got;
        }
    }
    return 0;
}

int channel_co_read(Channel *ch, void *buf, size_t bytes)
{
    struct iovec v = { buf, bytes };

    if (ch->tail - ch->head >= bytes) { /* headers, mostly */
        memcpy(buf, ch->input + ch->head, bytes);
        ch->head += bytes;
        return 0;
    }
    return channel_co_read_sg(ch, sg_of(&v), bytes);
}

int channel_co_skip(Channel *ch, uint64_t bytes)
{
    uint8_t waste[4096];

    while (bytes) {
        size_t n = MIN(bytes, sizeof(waste));
        int err = channel_co_read(ch, waste, n);
        if (err) {
            return err;
        }
        bytes -= n;
    }
    return 0;
}

int channel_co_write(Channel *ch, const void *head, size_t head_bytes, Sg sg, size_t bytes)
{
    while (head_bytes || bytes) {
        struct iovec iov[PIECES];
        unsigned n = 0;
        size_t mapped;
        if (head_bytes) {
            iov[n++] = (struct iovec){ (void *)head, head_bytes };
        }
        if (bytes) {
            n += sg_map(sg, bytes, iov + n, PIECES - n, &mapped);
        }
        ssize_t done = write_some(ch, iov, n);
        if (done <= 0) {
            return done < 0 ? (int)done : -EPIPE;
        }
        size_t of_head = MIN((size_t)done, head_bytes);
        head = (const uint8_t *)head + of_head;
        head_bytes -= of_head;
        sg = sg_after(sg, (size_t)done - of_head);
        bytes -= (size_t)done - of_head;
    }
    return 0;
}

bool channel_co_tls(Channel *ch, const TlsCreds *creds, const char *hostname, Error **errp)
{
    TlsSession *tls = tls_session_new(creds, ch->fd, hostname, errp);
    unsigned events;
    int err = tls ? -EAGAIN : -EINVAL;

    while (err == -EAGAIN) {
        if (ch->down) {
            error_set(errp, "the connection ended in the TLS handshake");
            break;
        }
        err = tls_handshake(tls, &events, errp);
        if (err == -EAGAIN) {
            co_wait_fd(ch->fd, events);
        }
    }
    if (err) {
        tls_session_free(tls);
        return false;
    }
    ch->tls = tls;
    return true;
}
