/*
 * resize.c: another size, preallocation, emptying.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"

/* Clusters for all of [offset, end), which nobody has written. */
static int preallocate(Qcow2 *s, uint64_t offset, uint64_t end, uint64_t *ret_file_end)
{
    for (offset = round_down_cluster(s, offset); offset < end;) {
        uint64_t n = MIN(round_up_cluster(s, end) - offset, 64 * MiB), one = s->cluster_size, host, named = 0;
        MapKind kind;
        int err = map_read(s, offset, &one, &kind, &host);
        if (err) {
            return err;
        }
        if (kind != MAP_UNALLOCATED) {
            offset += s->cluster_size;
            continue;
        }
        if (s->crypt_method && s->version < 3) {
            return -ENOTSUP; /* there is no way to say that it reads as zeros */
        }
        int64_t at = s->data_file == s->file ? cluster_alloc_some(s, &n) : (int64_t)offset;
        err = at < 0 ? (int)at : name_clusters(s, offset, n, (uint64_t)at, offset, offset + n, &named);
        if (err && at >= 0 && s->data_file == s->file) {
            refcount_change(s, (uint64_t)at + named, n - named, -1);
        }
        err = err || !s->crypt_method ? err : map_zero(s, offset, n, false);
        if (err) {
            return err;
        }
        *ret_file_end = MAX(*ret_file_end, (uint64_t)at + n);
        offset += n;
    }
    return 0;
}

static int grow(Qcow2 *s, uint64_t bytes, Prealloc prealloc, Error **errp)
{
    uint64_t shift = s->l2_bits + s->cluster_bits, entries = (bytes >> shift) + ((bytes & ((1ull << shift) - 1)) != 0);
    int err = l1_grow(s, entries, true);

    if (err == -EFBIG) {
        error_set(errp, "The image size is too large for file format 'qcow2' (try using a larger cluster size)");
        return err;
    }
    if (err) {
        error_set_errno(errp, -err, "Failed to grow the L1 table");
        return err;
    }
    if (prealloc == PREALLOC_OFF) {
        if (s->data_file != s->file && s->autoclear & AUTOCLEAR_RAW_DATA) {
            err = node_co_truncate(s->data_file, bytes, false, PREALLOC_OFF, errp);
        }
        return err;
    }
    uint64_t end = 0;
    err = preallocate(s, s->node->size_bytes, bytes, &end);
    if (err) {
        error_set_errno(errp, -err, "Could not preallocate metadata");
        return err;
    }
    /* The clusters are in the file: as a hole, or with the space taken. */
    if (end > s->data_file->size_bytes) {
        err = node_co_truncate(s->data_file, end, false, prealloc == PREALLOC_METADATA ? PREALLOC_OFF : prealloc, errp);
        if (err && errp && *errp) {
            error_prepend(errp, "Failed to resize underlying file: ");
        }
    }
    return err;
}

int qcow2_co_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp)
{
    Qcow2 *s = node->state;
    uint64_t old = node->size_bytes;
    uint8_t be[8];
    int err = 0;

    if (bytes & 511) {
        error_set(errp, "The new size must be a multiple of 512");
        return -EINVAL;
    }
    if (bytes < old && prealloc != PREALLOC_OFF) {
        error_set(errp, "Preallocation can't be used for shrinking an image");
        return -EINVAL;
    }
    if (bytes != old && s->n_snapshots && s->version < 3) {
        error_set(errp, "Can't resize a version 2 image which has snapshots");
        return -ENOTSUP;
    }
    co_mutex_lock(&s->lock);
    if (bytes < old) {
        err = map_discard(s, round_up_cluster(s, bytes), round_up_cluster(s, old) - round_up_cluster(s, bytes), true);
        if (err) {
            error_set_errno(errp, -err, "Failed to discard cropped clusters");
        }
    } else {
        err = grow(s, bytes, prealloc, errp);
    }
    /* What a longer backing image has there must not show. */
    const BlockNode *backing = node_backing(node);
    if (!err && bytes > old && prealloc == PREALLOC_OFF && backing && backing->size_bytes > old) {
        uint64_t from = round_up_cluster(s, old), to = round_up_cluster(s, MIN(bytes, backing->size_bytes));
        err = s->version >= 3 && from < to ? map_zero(s, from, to - from, false) : s->version < 3 ? -ENOTSUP : 0;
        if (err) {
            error_set_errno(errp, -err, "Failed to zero out the new area");
        }
    }
    if (!err) {
        err = tables_write(s, true);
        err = err ? err : file_flush(s);
        stbe64(be, bytes);
        err = err ? err : node_co_pwrite(s->file, 24, be, sizeof(be), 0);
        if (err) {
            error_set_errno(errp, -err, "Failed to update the image size");
        }
    }
    co_mutex_unlock(&s->lock);
    return err;
}

typedef struct Emptying {
    Qcow2 *s;
    int result;
} Emptying;

static void empty_entry(void *opaque)
{
    Emptying *e = opaque;
    Qcow2 *s = e->s;

    co_mutex_lock(&s->lock);
    e->result = map_discard(s, 0, round_up_cluster(s, s->node->size_bytes), true);
    e->result = e->result ? e->result : tables_flush(s);
    co_mutex_unlock(&s->lock);
}

int qcow2_make_empty(BlockNode *node)
{
    Emptying e = { node->state, 0 };
    ioctx_run(node->context, empty_entry, &e);
    return e.result;
}
