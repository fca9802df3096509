/*
 * overlay.c: snapshot=on: writes go to a temporary file that has no name, and are forgotten at the end.
 *
 * The file is as large as the image and has holes where nothing was written; a bit per block of 4 KiB says which side
 * has the block. A write that covers a block in part copies the rest of it first.
 *
 * Threads: readers share the lock; a writer has it alone, so that two halves of one block cannot race.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/internal.h"

enum { OVERLAY_BLOCK = 4096 };

struct Overlay {
    int fd;
    pthread_rwlock_t lock;
    uint64_t n_blocks;
    uint8_t *present;
};

/* Not in memory: it may get as large as the disk. */
const char *snapshot_folder(void)
{
    const char *where = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
    return where;
}

Overlay *overlay_new(uint64_t size_bytes, Error **errp)
{
    const char *where = snapshot_folder();
    char *path = xasprintf("%s/snapshot-XXXXXX", where);
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0) {
        error_set_errno(errp, errno, "Could not make a temporary file in '%s'", where);
        free(path);
        return NULL;
    }
    unlink(path);
    free(path);
    Overlay *o = xnew(Overlay);
    o->fd = fd;
    o->n_blocks = size_bytes / OVERLAY_BLOCK + 1;
    o->present = calloc(o->n_blocks / 8 + 1, 1);
    if (!o->present) {
        error_set(errp, "not enough memory for the map of a snapshot");
        close(fd);
        free(o);
        return NULL;
    }
    pthread_rwlock_init(&o->lock, NULL);
    return o;
}

void overlay_free(Overlay *o)
{
    if (o) {
        close(o->fd);
        pthread_rwlock_destroy(&o->lock);
        free(o->present);
        free(o);
    }
}

static bool is_present(const Overlay *o, uint64_t block)
{
    return o->present[block / 8] >> block % 8 & 1;
}

unsigned iov_part(const struct iovec *iov, unsigned n, size_t skip, size_t bytes, struct iovec *out)
{
    unsigned used = 0;

    for (; n && bytes; iov++, n--) {
        if (skip >= iov->iov_len) {
            skip -= iov->iov_len;
            continue;
        }
        size_t len = MIN(iov->iov_len - skip, bytes);
        out[used++] = (struct iovec){ (char *)iov->iov_base + skip, len };
        bytes -= len;
        skip = 0;
    }
    return used;
}

static size_t iov_total(const struct iovec *iov, unsigned n)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        bytes += iov[i].iov_len;
    }
    return bytes;
}

static int read_below(Medium *m, const struct iovec *iov, unsigned n, uint64_t offset)
{
    if (m->fd < 0) {
        for (unsigned i = 0; i < n; i++) {
            memset(iov[i].iov_base, 0, iov[i].iov_len);
        }
        return 0;
    }
    return transfer(m, m->fd, REQ_READ, iov, n, offset + m->window);
}

int overlay_read(Medium *m, const struct iovec *iov, unsigned n, uint64_t offset)
{
    Overlay *o = m->overlay;
    size_t total = iov_total(iov, n), at = 0;
    struct iovec *part = xnew_array(struct iovec, n + 1);
    int err = 0;

    pthread_rwlock_rdlock(&o->lock);
    while (at < total && !err) {
        uint64_t block = (offset + at) / OVERLAY_BLOCK, last = (offset + total - 1) / OVERLAY_BLOCK, end = block;
        bool here = is_present(o, block);
        while (end < last && is_present(o, end + 1) == here) {
            end++;
        }
        size_t len = MIN((end + 1) * OVERLAY_BLOCK - offset, total) - at;
        unsigned k = iov_part(iov, n, at, len, part);
        err = here ? transfer(m, o->fd, REQ_READ, part, k, offset + at) : read_below(m, part, k, offset + at);
        at += len;
    }
    pthread_rwlock_unlock(&o->lock);
    free(part);
    return err;
}

static int copy_up(Medium *m, uint64_t block)
{
    uint8_t data[OVERLAY_BLOCK];
    struct iovec v = { data, sizeof(data) };

    if (is_present(m->overlay, block)) {
        return 0;
    }
    int err = read_below(m, &v, 1, block * OVERLAY_BLOCK);
    return err ? err : transfer(m, m->overlay->fd, REQ_WRITE, &v, 1, block * OVERLAY_BLOCK);
}

int overlay_write(Medium *m, const struct iovec *iov, unsigned n, uint64_t offset)
{
    Overlay *o = m->overlay;
    uint64_t end = offset + iov_total(iov, n);
    int err = 0;

    if (end == offset) {
        return 0;
    }
    pthread_rwlock_wrlock(&o->lock);
    if (offset % OVERLAY_BLOCK) {
        err = copy_up(m, offset / OVERLAY_BLOCK);
    }
    if (!err && end % OVERLAY_BLOCK) {
        err = copy_up(m, end / OVERLAY_BLOCK);
    }
    if (!err) {
        err = transfer(m, o->fd, REQ_WRITE, iov, n, offset);
    }
    if (!err) {
        for (uint64_t b = offset / OVERLAY_BLOCK; b <= (end - 1) / OVERLAY_BLOCK; b++) {
            o->present[b / 8] |= (uint8_t)(1 << b % 8);
        }
    }
    pthread_rwlock_unlock(&o->lock);
    return err;
}
