/*
 * backup.c: "backup": the source as it was when the job began, also while it is written: what a write would change is copied first.
 *
 * With sync=bitmap (incremental: the same with bitmap-mode=on-success) only what a dirty bitmap has is copied. A bitmap that records goes on with what
 * is written from the job's beginning on; what it had before comes back where the job fails.
 */
#include <errno.h>

#include "block/jobs/internal.h"

typedef struct Backup {
    Job *job;
    BackupOptions o;
    BlockNode *source, *target;
    BlockEdge *source_edge, *target_edge;
    uint64_t cluster;
    BitSet todo;                  /* clusters */
    CopyRange *copying;
    DirtyBitmap *bitmap;          /* of sync=bitmap */
    BitSet before;                /* what it had */
    WriteHook hook;
    bool hooked, hook_is_read;
    int hook_err;
} Backup;

static uint64_t shift_of(const Backup *b) { return (uint64_t)__builtin_ctzll(b->cluster); }

/* One run of clusters that are to be copied, from `first` on; with the range taken. */
static int copy_clusters(Backup *b, uint64_t first, uint64_t end, bool *is_read)
{
    uint64_t offset = first * b->cluster, bytes = MIN(end * b->cluster, b->source->size_bytes) - offset;
    CopyRange range;

    copy_range_begin(&b->copying, &range, offset, bytes);
    int err = copy_all(b->source, b->target, offset, bytes, b->o.compress ? REQ_COMPRESSED : 0, is_read);
    if (!err) {
        bitset_clear(&b->todo, first, end);
        b->job->done += bytes;
    }
    copy_range_end(&b->copying, &range);
    return err;
}

/* Before a write: what it changes and the target does not have yet. A failure is the job's, not the guest's. */
static int copy_before(WriteHook *hook, uint64_t offset, uint64_t bytes)
{
    Backup *b = hook->opaque;
    uint64_t first = offset / b->cluster, end = DIV_ROUND_UP(MIN(offset + bytes, b->source->size_bytes), b->cluster);

    while (first < end && !b->hook_err) {
        uint64_t at = bitset_next(&b->todo, first);
        if (at >= end) {
            break;
        }
        if (copy_range_wait(&b->copying, at * b->cluster, b->cluster)) {
            continue;
        }
        int err = copy_clusters(b, at, at + 1, &b->hook_is_read);
        b->hook_err = b->hook_err ? b->hook_err : err;
        first = at + 1;
    }
    /* Also those that are copied right now, which this write must not change before they are read. */
    copy_range_wait(&b->copying, offset, bytes);
    return 0;
}

static void find_todo(Backup *b)
{
    switch (b->o.sync) {
    case SYNC_NONE:
    case SYNC_FULL:
        bitset_set(&b->todo, 0, b->todo.n_bits);
        return;
    case SYNC_INCREMENTAL:
    case SYNC_BITMAP:
        for (uint64_t at = bitset_next(&b->before, 0), end; at < b->before.n_bits; at = bitset_next(&b->before, end)) {
            end = bitset_next_clear(&b->before, at);
            bitset_set(&b->todo, (at << b->bitmap->shift) >> shift_of(b), DIV_ROUND_UP(end << b->bitmap->shift, b->cluster));
        }
        return;
    case SYNC_TOP:
        break;
    }
    bitset_set(&b->todo, 0, b->todo.n_bits);
}

/* sync=top: clusters of which the top image has nothing are left out; a write meanwhile copies too much, which is harmless. */
static int leave_out_backing(Backup *b)
{
    BlockNode *top = node_skip_filters(b->source), *base = node_backing(top);

    for (uint64_t at = 0, n; at < b->source->size_bytes;) {
        int is = base ? node_co_is_allocated_above(top, base, false, at, b->source->size_bytes - at, &n) : 1;
        if (is < 0) {
            return is;
        }
        if (!base) {
            break;
        }
        n = MIN(n, b->source->size_bytes - at);
        if (!is) {
            uint64_t end = at + n == b->source->size_bytes ? b->todo.n_bits : (at + n) / b->cluster;
            bitset_clear(&b->todo, DIV_ROUND_UP(at, b->cluster), end);
        }
        at += n;
    }
    return 0;
}

static int backup_run(Job *job)
{
    Backup *b = job->state;
    int err = 0;

    /* From here on: nothing of the guest is in flight while the point in time is set. */
    node_co_quiesce(b->source);
    if (b->bitmap) {
        b->before = bitset_copy(&b->bitmap->bits);
        bitmap_clear(b->bitmap);
    }
    find_todo(b);
    b->hook = (WriteHook){ .before = copy_before, .opaque = b };
    node_add_hook(b->source, &b->hook);
    b->hooked = true;
    node_co_resume(b->source);
    err = err || b->o.sync != SYNC_TOP ? err : leave_out_backing(b);
    job->total = MIN(b->todo.n_set * b->cluster, b->source->size_bytes);
    while (!err) {
        if (!job_co_pause_point(job)) {
            return -ECANCELED;
        }
        if (b->hook_err) {
            err = b->hook_err;
            b->hook_err = 0;
            if (job_co_error(job, b->hook_is_read ? b->o.common.on_source_error : b->o.common.on_target_error, b->hook_is_read, err)) {
                err = -EIO; /* what could not be copied is overwritten now: this copy is not the point in time any more */
            }
            break;
        }
        if (b->o.sync == SYNC_NONE) {
            job_co_sleep(job, 20000000);
            continue;
        }
        uint64_t first = bitset_next(&b->todo, 0), end = MIN(bitset_next_clear(&b->todo, first), first + MAX(JOB_CHUNK / b->cluster, 1u));
        if (first >= b->todo.n_bits) {
            if (b->copying) {
                co_sleep_ns(1000000);
                continue;
            }
            break;
        }
        if (copy_range_wait(&b->copying, first * b->cluster, (end - first) * b->cluster)) {
            continue;
        }
        bool is_read = true;
        uint64_t bytes = MIN(end * b->cluster, b->source->size_bytes) - first * b->cluster;
        err = copy_clusters(b, first, end, &is_read);
        if (err) {
            JobOnError policy = is_read ? b->o.common.on_source_error : b->o.common.on_target_error;
            if (job_co_error(job, policy, is_read, err)) {
                err = 0;
                if (policy == JOB_ON_ERROR_IGNORE) {
                    bitset_clear(&b->todo, first, end);
                }
            }
        } else {
            job->done -= bytes;
            job_co_advance(job, bytes);
        }
    }
    return err ? err : node_co_flush(b->target);
}

static void backup_clean(Job *job)
{
    Backup *b = job->state;
    bool ok = !job->result;

    if (b->hooked) {
        node_co_quiesce(b->source);
        node_remove_hook(b->source, &b->hook);
        node_co_resume(b->source);
    }
    if (b->bitmap) {
        if (b->hooked) {
            /* never: as if nothing had been copied. always: but for what has been copied. */
            if (b->o.bitmap_mode == BITMAP_SYNC_ALWAYS && !ok) {
                for (uint64_t at = bitset_next(&b->todo, 0); at < b->todo.n_bits; at = bitset_next(&b->todo, at + 1)) {
                    bitmap_set(b->bitmap, at * b->cluster, b->cluster);
                }
            } else if (!ok || b->o.bitmap_mode == BITMAP_SYNC_NEVER) {
                bitmap_merge_bits(b->bitmap, &b->before, b->bitmap->shift);
            }
        }
        b->bitmap->busy = false;
    }
    bitset_finish(&b->todo);
    bitset_finish(&b->before);
    edge_detach(b->target_edge);
    edge_detach(b->source_edge);
    node_unref(b->target);
    node_unref(b->source);
    free(b);
}

static const JobDriver backup_driver = { "backup", true, backup_run, NULL, backup_clean };

static uint64_t copy_unit(const BlockNode *target)
{
    BlockNode *image = node_skip_filters((BlockNode *)target);
    BlockInfo info = { 0 };

    if (image->driver->info) {
        image->driver->info(image, &info);
        json_free(info.specific);
    }
    return MAX(info.cluster_size, 65536u);
}

bool backup_start(BlockNode *source, BlockNode *target, const BackupOptions *o, Error **errp)
{
    DirtyBitmap *bitmap = NULL;

    if (source == target) {
        error_set(errp, "Source and target cannot be the same");
        return false;
    }
    if (o->bitmap && o->sync != SYNC_INCREMENTAL && o->sync != SYNC_BITMAP && o->sync != SYNC_FULL && o->sync != SYNC_TOP) {
        error_set(errp, "sync mode 'none' does not produce meaningful bitmap outputs");
        return false;
    }
    if (!o->bitmap && (o->sync == SYNC_INCREMENTAL || o->sync == SYNC_BITMAP)) {
        error_set(errp, "must provide a valid bitmap name for '%s' sync mode", o->sync == SYNC_BITMAP ? "bitmap" : "incremental");
        return false;
    }
    if (o->bitmap && !(bitmap = bitmap_get(source, o->bitmap, 0, errp))) {
        return false;
    }
    if (source->size_bytes != target->size_bytes) {
        error_set(errp, "Source and target image have different sizes");
        return false;
    }
    if (o->compress && !node_skip_filters(target)->driver->co_write_compressed) {
        error_set(errp, "Compression is not supported for this drive %s", target->name);
        return false;
    }
    Backup *b = xnew(Backup);
    *b = (Backup){ .o = *o, .cluster = copy_unit(target), .bitmap = bitmap };
    b->source_edge = job_attach(source, o->common.id ? o->common.id : "backup", PERM_READ, PERM_ALL, errp);
    b->target_edge = b->source_edge ? job_attach(target, o->common.id ? o->common.id : "backup", PERM_WRITE, PERM_READ | PERM_WRITE_UNCHANGED, errp) : NULL;
    b->job = b->target_edge ? job_new(&backup_driver, o->common.id, NULL, o->common.auto_finalize, o->common.auto_dismiss, o->common.speed, b, errp) : NULL;
    if (!b->job) {
        if (b->target_edge) {
            edge_detach(b->target_edge);
        }
        if (b->source_edge) {
            edge_detach(b->source_edge);
        }
        free(b);
        return false;
    }
    b->source = node_ref(source);
    b->target = node_ref(target);
    bitset_init(&b->todo, DIV_ROUND_UP(source->size_bytes, b->cluster));
    if (bitmap) {
        bitmap->busy = true;
    }
    job_start(b->job);
    return true;
}
