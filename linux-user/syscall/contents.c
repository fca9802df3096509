/*
 * contents.c: what descriptors carry whose contents are numbers of the kernel's, for ABIs of the other byte order: eventfd, timerfd, signalfd,
 * inotify, fanotify; netlink's in netlink.c. What a descriptor is, is asked of the host each time: it may come from another program, a
 * socket, dup(). Little-endian ABIs get none of this.
 *
 * Leaves out: descriptors of these kinds without /proc, which names them (their reads and writes fail then); splice() and its like.
 * Facts: linux uapi linux/signalfd.h, linux/inotify.h, linux/fanotify.h, eventfd(2), timerfd_create(2).
 */
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "linux-user/syscall/syscall.h"

typedef enum ContentsKind { CONTENTS_BYTES, CONTENTS_LAYOUT, CONTENTS_INOTIFY, CONTENTS_FANOTIFY, CONTENTS_NETLINK, CONTENTS_UNKNOWN } ContentsKind;

static const struct { const char *name; ContentsKind kind; const char *layout; } kinds[] = {
    { "anon_inode:[eventfd]", CONTENTS_LAYOUT, "q" }, { "anon_inode:[timerfd]", CONTENTS_LAYOUT, "q" },
    { "anon_inode:[signalfd]", CONTENTS_LAYOUT, "12l4q2wlql28b" }, /* struct signalfd_siginfo */
    { "anon_inode:inotify", CONTENTS_INOTIFY, "4l" }, { "anon_inode:[fanotify]", CONTENTS_FANOTIFY, "l2bwq2l" },
};

static ContentsKind contents_kind(int fd, const char **ret_layout, int *ret_protocol)
{
    struct stat st;
    char link[32], name[64];
    int domain = 0;
    socklen_t len = sizeof(domain), plen = sizeof(*ret_protocol);

    if (fstat(fd, &st) < 0) {
        return CONTENTS_BYTES;
    }
    if (S_ISSOCK(st.st_mode)) {
        bool netlink = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK
                       && getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, ret_protocol, &plen) == 0;
        return netlink ? CONTENTS_NETLINK : CONTENTS_BYTES;
    }
    if (st.st_mode & S_IFMT) {
        return CONTENTS_BYTES;
    }
    /* Inodes that have no type are anonymous ones. */
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof(name) - 1);
    if (n < 0) {
        return CONTENTS_UNKNOWN;
    }
    name[n] = 0;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!strcmp(name, kinds[i].name)) {
            *ret_layout = kinds[i].layout;
            return kinds[i].kind;
        }
    }
    return CONTENTS_BYTES;
}

/* Records that say themselves, in the host's order, how long they are. */
static void order_events(const Abi *abi, uint8_t *p, size_t n, ContentsKind kind, const char *layout)
{
    size_t head = kind == CONTENTS_INOTIFY ? sizeof(struct inotify_event) : 24;

    while (n >= head) {
        size_t bytes = kind == CONTENTS_INOTIFY ? head + ldle32(p + 12) : ldle32(p);
        order_fields(abi, p, head, layout);
        if (bytes < head || bytes > n) {
            return;
        }
        if (kind == CONTENTS_FANOTIFY) { /* what follows: { u8 type, pad; u16 length }, then a file system's number and a handle { bytes, type } */
            for (size_t at = head; bytes - at >= 4;) {
                size_t info = ldle16(p + at + 2);
                if (info < 4 || info > bytes - at) {
                    break;
                }
                order_fields(abi, p + at, MIN(info, (size_t)20), p[at] == 4 /* a pidfd */ ? "2bwl" : "2bw4l");
                at += info;
            }
        }
        p += bytes;
        n -= bytes;
    }
}

static size_t gather(uint8_t *copy, const struct iovec *iov, size_t n, size_t most, bool scatter)
{
    size_t done = 0;

    for (size_t i = 0; i < n && done < most; i++) {
        size_t bytes = MIN(iov[i].iov_len, most - done);
        if (scatter ? uaccess_copy(iov[i].iov_base, copy + done, bytes) : uaccess_copy(copy + done, iov[i].iov_base, bytes)) {
            break;
        }
        done += bytes;
    }
    return done;
}

int64_t contents_received(Thread *t, int fd, const struct iovec *iov, size_t n, int64_t result)
{
    const char *layout = NULL;
    int protocol = 0;

    if (!t->abi->big_endian || result <= 0) {
        return result;
    }
    ContentsKind kind = contents_kind(fd, &layout, &protocol);
    if (kind == CONTENTS_BYTES || kind == CONTENTS_UNKNOWN) {
        return kind == CONTENTS_BYTES ? result : -EIO;
    }
    uint8_t *copy = xmalloc((size_t)result);
    size_t bytes = gather(copy, iov, n, (size_t)result, false); /* a datagram that was cut off says how long it was */
    if (kind == CONTENTS_LAYOUT) {
        order_fields(t->abi, copy, bytes, layout);
    } else if (kind == CONTENTS_NETLINK) {
        netlink_order(t->abi, copy, bytes, protocol, false);
    } else {
        order_events(t->abi, copy, bytes, kind, layout);
    }
    bool ok = gather(copy, iov, n, bytes, true) == bytes;
    free(copy);
    return ok ? result : -EFAULT;
}

int64_t contents_to_send(Thread *t, int fd, const struct iovec *iov, size_t n, struct iovec *ret)
{
    const char *layout = NULL;
    int protocol = 0;
    size_t total = 0;

    *ret = (struct iovec){ 0 };
    if (!t->abi->big_endian) {
        return 0;
    }
    ContentsKind kind = contents_kind(fd, &layout, &protocol);
    if (kind != CONTENTS_LAYOUT && kind != CONTENTS_NETLINK) {
        return kind == CONTENTS_UNKNOWN ? -EIO : 0;
    }
    for (size_t i = 0; i < n; i++) {
        total += iov[i].iov_len;
    }
    if (total > MAX_CONTENTS_BYTES) {
        return -EMSGSIZE;
    }
    uint8_t *copy = xmalloc(MAX(total, (size_t)1));
    bool ok = gather(copy, iov, n, total, false) == total, known = true;
    if (ok && kind == CONTENTS_LAYOUT) {
        order_fields(t->abi, copy, total, layout);
    } else if (ok) {
        known = netlink_order(t->abi, copy, total, protocol, true);
    }
    if (!ok || !known) {
        free(copy);
        return ok ? -EOPNOTSUPP : -EFAULT;
    }
    *ret = (struct iovec){ copy, total };
    return 0;
}
