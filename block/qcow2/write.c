/*
 * write.c: writes, and everything else that changes what the guest sees.
 *
 * Data goes to its place without the lock. While clusters are being given to the guest's, an Allocation says so, and others that touch
 * them wait; only when the data is written do L2 entries name the new clusters.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"

#define MAX_ALLOCATION (2 * MiB)
#define LOW_BITS 0xffffffffull

/* With the lock, which is dropped meanwhile: true if it waited, and everything may have changed. */
static bool wait_for_allocation(Qcow2 *s, uint64_t offset, uint64_t *bytes)
{
    for (Allocation *a = s->allocating; a; a = a->next) {
        if (offset < a->guest + a->bytes && a->guest < offset + *bytes) {
            if (a->guest > offset) {
                *bytes = a->guest - offset; /* up to there it is free */
                continue;
            }
            co_mutex_unlock(&s->lock);
            co_queue_wait(&a->waiters);
            co_mutex_lock(&s->lock);
            return true;
        }
    }
    return false;
}

static void allocation_begin(Qcow2 *s, Allocation *a)
{
    co_queue_init(&a->waiters);
    a->next = s->allocating;
    s->allocating = a;
}

static void allocation_end(Qcow2 *s, Allocation *a)
{
    for (Allocation **at = &s->allocating; *at; at = &(*at)->next) {
        if (*at == a) {
            *at = a->next;
            break;
        }
    }
    co_queue_wake_all(&a->waiters);
}

/* What the entry at `offset` allows. in_place: data goes to *ret_host as it is. */
typedef struct Target {
    bool in_place;
    uint64_t host, bytes;     /* bytes: of the request, that are of one kind */
} Target;

static bool own_cluster(const Qcow2 *s, uint64_t entry)
{
    return entry & ENTRY_COPIED && !(entry & ENTRY_COMPRESSED) && (entry & ENTRY_OFFSET || s->data_file != s->file);
}

static bool all_allocated(const Qcow2 *s, uint64_t entry, uint64_t bitmap, unsigned first, unsigned last)
{
    if (s->entry_words == 1) {
        return !(entry & ENTRY_ZERO) || s->version < 3;
    }
    uint64_t mask = ((2ull << last) - 1) & ~((1ull << first) - 1);
    return (bitmap & mask) == mask;
}

static int find_target(Qcow2 *s, uint64_t offset, uint64_t bytes, Target *ret)
{
    uint64_t index = l1_index(s, offset), sub = subcluster_size(s), covered = 0;
    uint8_t *slice = NULL;
    unsigned n = slice_entries(s), i = l2_index(s, offset) % n;
    int err = 0;

    *ret = (Target){ .bytes = 0 };
    bool table = index < s->l1_size && s->l1[index] & ENTRY_COPIED;
    if (table) {
        err = slice_get(s, s->l1[index] & ENTRY_OFFSET, offset, &slice);
        if (err) {
            return err;
        }
    }
    for (bool first = true; i < n && covered < bytes; i++, first = false) {
        uint64_t at = offset + covered, in_cluster = at & (s->cluster_size - 1), here = MIN(bytes - covered, s->cluster_size - in_cluster);
        uint64_t entry = table ? slice_entry(s, slice, i) : 0, bitmap = table && s->entry_words == 2 ? slice_bitmap(s, slice, i) : 0;
        uint64_t host = (entry & ENTRY_OFFSET) + in_cluster;
        bool in_place = own_cluster(s, entry) && all_allocated(s, entry, bitmap, (unsigned)(in_cluster / sub), (unsigned)((in_cluster + here - 1) / sub));
        if (in_place && entry & ENTRY_OFFSET & (s->cluster_size - 1)) {
            err = mark_corrupt(s, "Cluster allocation offset %#" PRIx64 " unaligned (L2 index: %#x)", (uint64_t)(entry & ENTRY_OFFSET), l2_index(s, at));
            break;
        }
        if (first) {
            ret->in_place = in_place;
            ret->host = host;
        } else if (in_place != ret->in_place || (in_place && host != ret->host + covered)) {
            break;
        }
        covered += here;
    }
    if (slice) {
        cache_put(&s->l2_cache, slice);
    }
    ret->bytes = covered;
    return err;
}

/* A part of a cluster as the guest sees it now, for the rest of a cluster that is written in part. *zero: it is all zeros. */
static int read_old(Qcow2 *s, uint64_t offset, uint64_t bytes, uint8_t *buf, bool *zero)
{
    struct iovec v = { buf, bytes };
    uint64_t size = s->node->size_bytes, have = offset < size ? MIN(bytes, size - offset) : 0;
    node_event(s->data_file, "cow_read");
    int err = have ? qcow2_co_read(s->node, offset, have, sg_of(&v), 0) : 0;

    memset(buf + have, 0, bytes - have);
    *zero = *zero && !err && buffer_is_zero(buf, bytes);
    return err;
}

typedef struct Piece {
    uint64_t offset, bytes, host; /* of the guest; where its first byte goes */
    Sg sg;
    bool fresh;                   /* the clusters are behind the end of the file: nothing was ever there */
} Piece;

/* The data and what is copied around it to whole subclusters, in one write where that is possible. */
static int write_piece(Qcow2 *s, Piece *p, uint64_t head, uint64_t tail)
{
    enum { MAX_PIECES = 512 };
    uint8_t *around = head + tail ? node_alloc(s->data_file, head + tail) : NULL;
    const uint8_t *before = around, *after = around ? around + head : NULL;
    bool head_zero = true, tail_zero = true;
    int err = head ? read_old(s, p->offset - head, head, around, &head_zero) : 0;

    err = err || !tail ? err : read_old(s, p->offset + p->bytes, tail, around + head, &tail_zero);
    if (!err && p->fresh) {
        head = head_zero ? 0 : head;
        tail = tail_zero ? 0 : tail;
    }
    if (err || !(head + tail)) {
        err = err ? err : data_co_write(s, p->offset, p->host, p->bytes, p->sg);
    } else {
        struct iovec v[MAX_PIECES + 2];
        size_t covered;
        unsigned n = sg_map(p->sg, p->bytes, v + 1, MAX_PIECES, &covered);
        v[0] = (struct iovec){ (void *)before, head };
        v[n + 1] = (struct iovec){ (void *)after, tail };
        if (covered == p->bytes) {
            err = data_co_write(s, p->offset - head, p->host - head, head + p->bytes + tail, sg_of(head ? v : v + 1));
        } else {
            err = head ? data_co_write(s, p->offset - head, p->host - head, head, sg_of(v)) : 0;
            err = err ? err : data_co_write(s, p->offset, p->host, p->bytes, p->sg);
            err = err || !tail ? err : data_co_write(s, p->offset + p->bytes, p->host + p->bytes, tail, sg_of(v + n + 1));
        }
    }
    free(around);
    return err;
}

/* With the lock: clusters for the whole range, after those of the cluster before where they are free. */
static int64_t find_clusters(Qcow2 *s, uint64_t guest, uint64_t *bytes)
{
    if (s->data_file != s->file) {
        return (int64_t)guest; /* there each cluster has its own place */
    }
    uint64_t one = 1, host;
    MapKind kind;
    if (guest && !map_read(s, guest - 1, &one, &kind, &host) && kind == MAP_NORMAL) {
        int64_t got = cluster_alloc_at(s, host + 1, *bytes);
        if (got) {
            *bytes = got > 0 ? (uint64_t)got : *bytes;
            return got > 0 ? (int64_t)(host + 1) : got;
        }
    }
    return cluster_alloc_some(s, bytes);
}

/* With the lock: the new clusters become the guest's, *ret_named of them where it fails. */
int name_clusters(Qcow2 *s, uint64_t guest, uint64_t bytes, uint64_t host, uint64_t sub_from, uint64_t sub_to, uint64_t *ret_named)
{
    for (uint64_t at = 0; at < bytes; at += s->cluster_size) {
        uint8_t *slice;
        unsigned i;
        int err = slice_for_write(s, guest + at, &slice, &i);
        *ret_named = at;
        if (err) {
            return err;
        }
        uint64_t entry = slice_entry(s, slice, i), bitmap = 0, old, old_bytes;
        if (s->entry_words == 2) {
            uint64_t sub = subcluster_size(s), from = MAX(sub_from, guest + at), to = MIN(sub_to, guest + at + s->cluster_size);
            uint64_t mask = ((2ull << ((to - 1 - guest - at) / sub)) - 1) & ~((1ull << ((from - guest - at) / sub)) - 1);
            bool keeps = entry & ENTRY_OFFSET && !(entry & ENTRY_COMPRESSED) && (entry & ENTRY_OFFSET) == host + at;
            /* A copy of a cluster that others have, too, was copied with all its subclusters. */
            bitmap = keeps || !(entry & ENTRY_OFFSET) ? (slice_bitmap(s, slice, i) & ~(mask << 32)) | mask : LOW_BITS;
        }
        slice_set(s, slice, i, (host + at) | ENTRY_COPIED, bitmap);
        cache_put(&s->l2_cache, slice);
        s->needs_refcounts = true;
        if (entry_range(s, entry, &old, &old_bytes) && old != host + at) {
            free_later(s, old, old_bytes, s->discard_passdown);
        }
    }
    return 0;
}

/* With the lock, kept in the end: [offset, offset + *bytes) gets clusters, as much of it as there are in a row. */
static int write_new(Qcow2 *s, uint64_t offset, uint64_t *bytes, Sg sg)
{
    uint64_t start = round_down_cluster(s, offset), want = round_up_cluster(s, MIN(*bytes, MAX_ALLOCATION) + (offset - start));
    uint64_t sub = subcluster_size(s), entry = 0;
    bool reuses = false;

    /* The table before the data, so that the data of a file written from start to end is in one piece. */
    uint8_t *slice;
    unsigned i;
    int err = slice_for_write(s, offset, &slice, &i);
    if (err) {
        return err;
    }
    entry = slice_entry(s, slice, i);
    /* What has a place of its own is taken there: a zero cluster, or one of which only some subclusters are there. */
    reuses = own_cluster(s, entry);
    if (reuses || (s->entry_words == 2 && entry & (ENTRY_OFFSET | ENTRY_COMPRESSED))) {
        want = s->cluster_size;
    }
    /* With subclusters what is around the data depends on the entry, so those of a kind are taken together. */
    for (uint64_t n = s->cluster_size; s->entry_words == 2 && n < want; n += s->cluster_size) {
        if (slice_entry(s, slice, ++i) & (ENTRY_OFFSET | ENTRY_COMPRESSED | ENTRY_COPIED)) {
            want = n;
        }
    }
    cache_put(&s->l2_cache, slice);
    uint64_t file_end = s->data_file->size_bytes;
    int64_t host = reuses ? (int64_t)(s->data_file != s->file ? start : entry & ENTRY_OFFSET) : find_clusters(s, start, &want);
    if (host < 0) {
        return (int)host;
    }
    err = metadata_check(s, (uint64_t)host, s->data_file == s->file ? want : 0);
    if (err) {
        return err;
    }
    *bytes = MIN(*bytes, start + want - offset);
    Allocation a = { .guest = start, .bytes = want, .host = (uint64_t)host };
    allocation_begin(s, &a);
    /* A copy of a shared cluster takes the whole of it; else only the subclusters that are touched are filled. */
    bool whole = s->entry_words == 1 || (entry & (ENTRY_OFFSET | ENTRY_COMPRESSED) && !reuses);
    uint64_t unit = whole ? s->cluster_size : sub;
    uint64_t head = offset & (unit - 1), tail = (0 - (offset + *bytes)) & (unit - 1);
    Piece p = { offset, *bytes, (uint64_t)host + (offset - start), sg, !reuses && (uint64_t)host >= file_end && !s->crypt_method };
    co_mutex_unlock(&s->lock);
    err = write_piece(s, &p, head, tail);
    co_mutex_lock(&s->lock);
    /* Set now: whoever flushes while the data is on its way must not clear it. Behind the end of the file there are zeros, as the guest had them. */
    s->needs_data |= !p.fresh || node_backing(s->node) || entry;
    uint64_t named = 0;
    err = err ? err : name_clusters(s, start, want, (uint64_t)host, offset - head, offset + *bytes + tail, &named);
    if (err && !reuses && s->data_file == s->file) {
        refcount_change(s, (uint64_t)host + named, want - named, -1);
    }
    allocation_end(s, &a);
    return err;
}

int qcow2_co_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    Qcow2 *s = node->state;
    int err = s->is_corrupt ? -EIO : 0;

    co_mutex_lock(&s->lock);
    while (bytes && !err) {
        uint64_t n = bytes;
        if (wait_for_allocation(s, offset, &n)) {
            continue;
        }
        Target t;
        err = find_target(s, offset, n, &t);
        if (err) {
            break;
        }
        n = t.bytes;
        if (t.in_place) {
            err = s->data_file == s->file ? metadata_check(s, t.host, n) : 0;
            if (!err) {
                unsigned use = use_begin(s);
                co_mutex_unlock(&s->lock);
                err = data_co_write(s, offset, t.host, n, sg);
                use_end(s, use);
                co_mutex_lock(&s->lock);
            }
        } else {
            err = write_new(s, offset, &n, sg);
        }
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    co_mutex_unlock(&s->lock);
    return err;
}

/* -- compressed ------------------------------------------------------------------------------------------------------ */

typedef struct Compress {
    unsigned type;
    const uint8_t *in;
    uint8_t *out;
    size_t bytes, got;
} Compress;

static int compress_work(void *opaque)
{
    Compress *c = opaque;
    c->got = compress_cluster(c->type, c->in, c->bytes, c->out, c->bytes - 1);
    return 0;
}

static int store_compressed(Qcow2 *s, uint64_t guest, const uint8_t *data, size_t bytes)
{
    uint64_t cluster = s->cluster_size;
    uint8_t *slice;
    unsigned i;

    co_mutex_lock(&s->lock);
    while (wait_for_allocation(s, guest, &cluster)) {
        cluster = s->cluster_size;
    }
    int64_t at = compressed_alloc(s, bytes);
    int err = at < 0 ? (int)at : metadata_check(s, (uint64_t)at, bytes);
    Allocation a = { .guest = guest, .bytes = s->cluster_size, .host = (uint64_t)at };
    if (!err) {
        allocation_begin(s, &a);
        co_mutex_unlock(&s->lock);
        node_event(s->file, "write_compressed");
        err = node_co_pwrite(s->file, (uint64_t)at, data, bytes, 0);
        co_mutex_lock(&s->lock);
        err = err ? err : slice_for_write(s, guest, &slice, &i);
        if (!err) {
            uint64_t old = slice_entry(s, slice, i), offset, old_bytes, sectors = (((uint64_t)at + bytes - 1) >> 9) - ((uint64_t)at >> 9);
            slice_set(s, slice, i, (uint64_t)at | ENTRY_COMPRESSED | sectors << compressed_sectors_shift(s), 0);
            cache_put(&s->l2_cache, slice);
            s->needs_refcounts = s->needs_data = true;
            if (entry_range(s, old, &offset, &old_bytes)) {
                free_later(s, offset, old_bytes, s->discard_passdown);
            }
        } else {
            refcount_change(s, (uint64_t)at, bytes, -1);
        }
        allocation_end(s, &a);
    }
    co_mutex_unlock(&s->lock);
    return err;
}

int qcow2_co_write_compressed(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg)
{
    Qcow2 *s = node->state;
    int err = 0;

    if (s->data_file != s->file || s->crypt_method) {
        return -ENOTSUP;
    }
    if (offset & (s->cluster_size - 1)) {
        return -EINVAL;
    }
    while (bytes && !err) {
        uint64_t n = MIN(bytes, s->cluster_size);
        if (n < s->cluster_size && offset + n < node->size_bytes) {
            return -EINVAL; /* only the last cluster may be short */
        }
        uint8_t *in = n == s->cluster_size ? sg_flat(sg, n) : NULL, *copy = NULL;
        if (!in) {
            in = copy = xcalloc(1, s->cluster_size);
            sg_load(sg, copy, n);
        }
        Compress c = { s->compression, in, xmalloc(s->cluster_size), s->cluster_size, 0 };
        co_compute(compress_work, &c);
        if (c.got) {
            err = store_compressed(s, offset, c.out, c.got);
        } else {
            err = qcow2_co_write(node, offset, n, sg, 0);
        }
        free(c.out);
        free(copy);
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    return err;
}

/* -- zeros, discards, flushes ---------------------------------------------------------------------------------------- */

/* Whether the rest of a cluster, of which a part is to be zeros, is zeros already. With the lock. */
static bool reads_as_zeros(Qcow2 *s, uint64_t offset, uint64_t bytes)
{
    while (bytes) {
        uint64_t n = bytes, host;
        MapKind kind;
        if (map_read(s, offset, &n, &kind, &host) || kind == MAP_NORMAL || kind == MAP_COMPRESSED || ((kind == MAP_UNALLOCATED || kind == MAP_PLACED) && node_backing(s->node))) {
            return false;
        }
        offset += n;
        bytes -= n;
    }
    return true;
}

int qcow2_co_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    Qcow2 *s = node->state;
    uint64_t unit = subcluster_size(s), end = offset + bytes, start = ROUND_DOWN(offset, unit), stop = ROUND_UP(end, unit);
    int err = s->is_corrupt ? -EIO : 0;

    co_mutex_lock(&s->lock);
    while (!err) {
        uint64_t n = stop - start;
        if (!wait_for_allocation(s, start, &n)) {
            break;
        }
    }
    if (!err && s->version < 3) {
        err = node_backing(node) || !reads_as_zeros(s, start, stop - start) ? -ENOTSUP : 0;
        start = stop; /* they are there */
    }
    if (!err && ((start < offset && !reads_as_zeros(s, start, offset - start)) ||
                 (stop > end && end < node->size_bytes && !reads_as_zeros(s, end, stop - end)))) {
        err = -ENOTSUP;
    }
    while (!err && start < stop) {
        uint64_t n = stop - start;
        if (wait_for_allocation(s, start, &n)) {
            continue;
        }
        n = MIN(n, 64 * s->cluster_size);
        err = map_zero(s, start, n, flags & REQ_UNMAP);
        start += n;
    }
    co_mutex_unlock(&s->lock);
    return err;
}

int qcow2_co_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    Qcow2 *s = node->state;
    uint64_t start = round_up_cluster(s, offset), end = offset + bytes >= node->size_bytes ? round_up_cluster(s, offset + bytes) : round_down_cluster(s, offset + bytes);
    int err = s->is_corrupt ? -EIO : 0;

    co_mutex_lock(&s->lock);
    while (start < end && !err) {
        uint64_t n = end - start;
        if (!wait_for_allocation(s, start, &n)) {
            err = map_discard(s, start, n, false);
            start += n;
        }
    }
    co_mutex_unlock(&s->lock);
    return err;
}

int qcow2_co_flush(BlockNode *node)
{
    Qcow2 *s = node->state;

    co_mutex_lock(&s->lock);
    int err = s->is_corrupt ? -EIO : tables_write(s, false);
    if (!err && s->freed.n + s->leaving.n) {
        err = file_flush(s);
        err = err ? err : freed_process(s);
    }
    co_mutex_unlock(&s->lock);
    return err; /* the children's flush comes after this */
}
