/*
 * order.c: in which order tables are written back, so that what is on the disk is an image at every moment.
 *
 * Tables are written late: when the guest flushes, when a cache needs room, when the image is closed. Before an L2 entry is written, the
 * refcounts it relies on and the data it names are stable: a cluster that was used before, or one in the place of older data, must not show what
 * is neither the old nor the new; before an L1 entry, the L2 tables. Refcount blocks are stable before the table points to
 * them. Clusters that are not used any more keep their refcount, and so are not used for something else, until the tables that no longer
 * name them are stable: a crash in between leaves leaks, never a cluster with two owners.
 */
#include <errno.h>

#include "block/qcow2/qcow2.h"

int file_flush(Qcow2 *s)
{
    int err = s->data_file != s->file ? node_co_flush(s->data_file) : 0;
    return err ? err : node_co_flush(s->file);
}

int refcounts_write(Qcow2 *s)
{
    int err = cache_write_all(s, &s->refcount_cache);

    if (!err && s->reftable_dirty.n_dirty) {
        err = file_flush(s);
        err = err ? err : dirty_parts_write(s, &s->reftable_dirty, s->reftable, s->reftable_entries, s->reftable_offset);
    }
    return err;
}

int before_l2_write(Qcow2 *s)
{
    bool refcounts = s->needs_refcounts && !s->lazy_refcounts;
    int err = 0;

    if (refcounts || s->needs_data) {
        err = refcounts ? refcounts_write(s) : 0;
        err = err ? err : file_flush(s);
        if (!err) {
            s->needs_refcounts = s->needs_data = false;
        }
    }
    return err;
}

int tables_write(Qcow2 *s, bool with_refcounts)
{
    int err = cache_write_all(s, &s->l2_cache);

    if (!err && s->l1_dirty.n_dirty) {
        /* New L2 tables count, too. */
        err = s->lazy_refcounts && !with_refcounts ? 0 : refcounts_write(s);
        err = err ? err : file_flush(s);
        err = err ? err : dirty_parts_write(s, &s->l1_dirty, s->l1, s->l1_size, s->l1_offset);
    }
    return err || (s->lazy_refcounts && !with_refcounts) ? err : refcounts_write(s);
}

void free_later(Qcow2 *s, uint64_t offset, uint64_t bytes, bool discard)
{
    if (s->freed.n) {
        Freed *last = &s->freed.at[s->freed.n - 1];
        uint64_t end = last->offset + last->bytes;
        if (end == offset && !((offset | last->offset) & (s->cluster_size - 1)) && last->discard == discard) {
            last->bytes += bytes;
            return;
        }
    }
    *vec_push(&s->freed) = (Freed){ offset, bytes, discard };
}

static int free_all(Qcow2 *s, const Freed *freed, size_t n)
{
    int err = 0;

    for (size_t i = 0; i < n && !err; i++) {
        Freed f = freed[i];
        err = refcount_change(s, f.offset, f.bytes, -1);
        for (uint64_t at = round_down_cluster(s, f.offset); f.discard && !err && at < f.offset + f.bytes; at += s->cluster_size) {
            uint64_t count;
            if (!refcount_get(s, at >> s->cluster_bits, &count) && !count) {
                node_co_discard(s->file, at, s->cluster_size);
            }
        }
    }
    return err;
}

/*
 * A request that found a cluster in a table before it was freed may still read or write it. So freed clusters leave in two steps: when the
 * generation changes, new requests no longer find them; when those of the generation before have ended, nobody is there.
 */
int freed_process(Qcow2 *s)
{
    int err = 0;

    for (unsigned round = 0; round < 2 && !err; round++) {
        if (s->leaving.n && !s->in_flight[~s->generation & 1]) {
            err = free_all(s, s->leaving.at, s->leaving.n);
            vec_clear(&s->leaving);
        }
        if (!s->leaving.n && s->freed.n) {
            Freed *at = s->leaving.at;
            size_t cap = s->leaving.cap;
            s->leaving.at = s->freed.at;
            s->leaving.n = s->freed.n;
            s->leaving.cap = s->freed.cap;
            s->freed.at = at;
            s->freed.cap = cap;
            s->freed.n = 0;
            s->generation++;
        }
    }
    return err;
}

int tables_flush(Qcow2 *s)
{
    int err = tables_write(s, true);

    err = err ? err : file_flush(s);
    if (!err && s->freed.n + s->leaving.n) {
        err = freed_process(s);
        err = err ? err : refcounts_write(s);
        err = err ? err : file_flush(s);
    }
    return err;
}
