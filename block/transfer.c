/*
 * transfer.c: reads and writes of images as the workers do them.
 *
 * Threads: any; a medium's fields do not change while requests are under way.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

#include "block/internal.h"

/* Reads past the end give zeros; a short write is continued. What O_DIRECT does not allow (buffers, offsets, lengths that
 * are not aligned, a last block that is not full) goes through the page cache. */
int transfer(const Medium *m, int fd, RequestKind kind, const struct iovec *iov, unsigned n, uint64_t offset)
{
    struct iovec part[64];
    size_t skip = 0;

    while (n) {
        unsigned count = MIN(n, ARRAY_SIZE(part));
        memcpy(part, iov, count * sizeof(*part));
        part[0].iov_base = (char *)part[0].iov_base + skip;
        part[0].iov_len -= skip;
        ssize_t done = kind == REQ_READ ? preadv(fd, part, (int)count, (off_t)offset)
                                        : pwritev(fd, part, (int)count, (off_t)offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0 && errno == EINVAL && fd == m->fd && m->cached_fd >= 0) {
            fd = m->cached_fd;
            continue;
        }
        if (done < 0) {
            return -errno;
        }
        if (done == 0 && kind == REQ_READ) {
            for (unsigned i = 0; i < count; i++) {
                memset(part[i].iov_base, 0, part[i].iov_len);
                done += (ssize_t)part[i].iov_len;
            }
        } else if (done == 0 && part[0].iov_len) {
            return -ENOSPC;
        }
        offset += (uint64_t)done;
        skip += (size_t)done;
        while (n && skip >= iov->iov_len) {
            skip -= iov->iov_len;
            iov++;
            n--;
        }
    }
    return 0;
}

int medium_rw(Medium *m, RequestKind kind, const struct iovec *iov, unsigned n, uint64_t offset)
{
    if (m->overlay) {
        return kind == REQ_READ ? overlay_read(m, iov, n, offset) : overlay_write(m, iov, n, offset);
    }
    if (m->fd < 0) { /* null-co */
        for (unsigned i = 0; kind == REQ_READ && i < n; i++) {
            memset(iov[i].iov_base, 0, iov[i].iov_len);
        }
        return 0;
    }
    return transfer(m, m->fd, kind, iov, n, offset + m->window);
}

int medium_zero(Medium *m, uint64_t offset, uint64_t bytes, unsigned flags)
{
    static const uint8_t zeroes[65536];
    int mode = flags & BLOCK_UNMAP ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;

    if (m->fd < 0 && !m->overlay) {
        return 0;
    }
    if (!m->overlay && !fallocate(m->fd, mode, (off_t)(offset + m->window), (off_t)bytes)) {
        return 0;
    }
    while (bytes) {
        struct iovec v = { (void *)zeroes, MIN(bytes, sizeof(zeroes)) };
        int err = medium_rw(m, REQ_WRITE, &v, 1, offset);
        if (err) {
            return err;
        }
        offset += v.iov_len;
        bytes -= v.iov_len;
    }
    return 0;
}

int medium_discard(Medium *m, uint64_t offset, uint64_t bytes)
{
    if (m->discard && m->fd >= 0 && !m->overlay &&
        fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(offset + m->window), (off_t)bytes) &&
        errno != EOPNOTSUPP && errno != ENOSYS) {
        return -errno;
    }
    return 0;
}

int medium_sync(Medium *m)
{
    /* What is in an overlay goes away with the process. */
    return m->fd < 0 || m->no_flush || m->overlay || !fdatasync(m->fd) ? 0 : -errno;
}
