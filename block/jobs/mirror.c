/*
 * mirror.c: "mirror", and "commit" of the image that is in use: a copy that follows what is written until it takes the source's place.
 *
 * What is to be copied is a dirty bitmap of the source, which writes go on marking. A range's bits are cleared before it is read, so that no write
 * is missed. When nothing is dirty the job is ready; it takes effect while no user's request is in flight and the rest has been copied.
 * With copy-mode=write-blocking each write is copied before it ends.
 */
#include <errno.h>

#include "block/jobs/internal.h"

typedef struct Mirror {
    Job *job;
    MirrorOptions o;
    BlockNode *source, *target, *replaces;
    BlockEdge *source_edge, *target_edge;
    DirtyBitmap *bitmap;
    CopyRange *copying;
    CoQueue changed;            /* a copy has ended */
    unsigned active;
    uint64_t active_bytes;
    int err;
    bool err_is_read, hooked, target_was_readonly;
    WriteHook hook;
} Mirror;

typedef struct Copy {
    Mirror *m;
    uint64_t offset, bytes;
} Copy;

static void show_progress(Mirror *m)
{
    m->job->total = m->job->done + bitmap_dirty_bytes(m->bitmap) + m->active_bytes;
}

static void copy_entry(void *opaque)
{
    Copy c = *(Copy *)opaque;
    Mirror *m = c.m;
    CopyRange range;
    bool is_read = false;

    copy_range_begin(&m->copying, &range, c.offset, c.bytes);
    int err = copy_all(m->source, m->target, c.offset, c.bytes, 0, &is_read);
    if (err) {
        bitmap_set(m->bitmap, c.offset, c.bytes);
        m->err = m->err ? m->err : err;
        m->err_is_read = is_read;
    } else {
        m->job->done += c.bytes;
    }
    copy_range_end(&m->copying, &range);
    m->active--;
    m->active_bytes -= c.bytes;
    co_queue_wake_all(&m->changed);
}

/* The next dirty range, which becomes clean. */
static bool take_dirty(Mirror *m, uint64_t from, uint64_t *offset, uint64_t *bytes)
{
    if (!bitmap_next_dirty(m->bitmap, from, offset, bytes) && !bitmap_next_dirty(m->bitmap, 0, offset, bytes)) {
        return false;
    }
    *bytes = MIN(*bytes, MAX(JOB_CHUNK, bitmap_granularity(m->bitmap)));
    return true;
}

/* With `all`: until nothing is dirty and nothing under way. */
static int copy_dirty(Mirror *m, bool all)
{
    uint64_t at = 0, offset, bytes;

    while (job_co_pause_point(m->job) || all) {
        if (m->err) {
            while (m->active) {
                co_queue_wait(&m->changed);
            }
            int err = m->err;
            m->err = 0;
            if (all || !job_co_error(m->job, m->err_is_read ? m->o.common.on_source_error : m->o.common.on_target_error, m->err_is_read, err)) {
                return err;
            }
            co_sleep_ns(10000000);
        }
        if (m->active >= JOB_PARALLEL || !take_dirty(m, at, &offset, &bytes)) {
            if (!m->active) {
                show_progress(m);
                return 0;
            }
            co_queue_wait(&m->changed);
            continue;
        }
        if (copy_range_wait(&m->copying, offset, bytes)) {
            continue;
        }
        bitmap_reset(m->bitmap, offset, bytes);
        Copy c = { m, offset, bytes };
        m->active++;
        m->active_bytes += bytes;
        at = offset + bytes;
        ioctx_start(ioctx_main(), copy_entry, &c);
        show_progress(m);
        if (!all) {
            job_co_limit(m->job, bytes);
        }
    }
    while (m->active) {
        co_queue_wait(&m->changed);
    }
    return -ECANCELED;
}

/* write-blocking: the copy of a write, before its request ends. */
static void copy_write(WriteHook *hook, uint64_t offset, uint64_t bytes)
{
    Mirror *m = hook->opaque;
    uint64_t grain = bitmap_granularity(m->bitmap), end = MIN(ROUND_UP(offset + bytes, grain), m->source->size_bytes);
    CopyRange range;
    bool is_read;

    offset = ROUND_DOWN(offset, grain);
    if (offset >= end) {
        return;
    }
    while (copy_range_wait(&m->copying, offset, end - offset)) {
    }
    copy_range_begin(&m->copying, &range, offset, end - offset);
    bitmap_reset(m->bitmap, offset, end - offset);
    if (copy_all(m->source, m->target, offset, end - offset, 0, &is_read)) {
        bitmap_set(m->bitmap, offset, end - offset); /* the job itself tries again, and knows what to do about it */
    }
    copy_range_end(&m->copying, &range);
}

static int find_dirty(Mirror *m)
{
    uint64_t size = m->source->size_bytes;
    BlockNode *base = m->o.sync == SYNC_TOP && !m->o.base ? node_backing(node_skip_filters(m->source)) : m->o.base;
    int err = 0;

    if (m->o.sync == SYNC_NONE) {
        return 0;
    }
    if (m->o.sync == SYNC_FULL) {
        bitmap_set(m->bitmap, 0, size);
        return 0;
    }
    for (uint64_t at = 0, n; at < size && !err && job_co_pause_point(m->job); at += n) {
        int is = node_co_is_allocated_above(m->source, base, false, at, size - at, &n);
        err = is < 0 ? is : 0;
        n = MIN(n, size - at);
        if (is > 0) {
            bitmap_set(m->bitmap, at, n);
        }
        job_co_advance(m->job, 0);
    }
    return err;
}

static int mirror_run(Job *job)
{
    Mirror *m = job->state;
    int err = find_dirty(m);

    if (!err && m->o.write_blocking) {
        m->hook = (WriteHook){ .after = copy_write, .opaque = m };
        node_co_quiesce(m->source);
        node_add_hook(m->source, &m->hook);
        m->hooked = true;
        node_co_resume(m->source);
    }
    while (!err) {
        err = copy_dirty(m, false);
        if (err) {
            break;
        }
        job_set_ready(job);
        if (job->completing || job->cancelled) {
            return 0;
        }
        job_co_sleep(job, 20000000);
        show_progress(m);
    }
    return err;
}

static int mirror_commit(Job *job, Error **errp)
{
    Mirror *m = job->state;

    node_co_quiesce(m->source);
    int err = copy_dirty(m, true);
    err = err ? err : node_co_flush(m->target);
    if (!err && job->completing) {
        BlockNode *replaced = m->replaces ? m->replaces : m->source;
        /* The job's hold on it must not be in the way of those that take it over. */
        edge_set_perm(m->target_edge, 0, PERM_ALL, NULL);
        if (!node_replace(replaced, m->target, errp)) {
            err = -EPERM;
        }
    }
    node_co_resume(m->source);
    return err;
}

static void mirror_clean(Job *job)
{
    Mirror *m = job->state;

    if (m->hooked) {
        node_co_quiesce(m->source);
        node_remove_hook(m->source, &m->hook);
        node_co_resume(m->source);
    }
    if (m->bitmap) {
        bitmap_remove(m->bitmap);
    }
    edge_detach(m->target_edge);
    edge_detach(m->source_edge);
    if (m->target_was_readonly && job->result) {
        node_set_writable(m->target, false, NULL);
    }
    node_unref(m->replaces);
    node_unref(m->target);
    node_unref(m->source);
    free(m);
}

static const JobDriver mirror_driver = { "mirror", true, mirror_run, mirror_commit, mirror_clean };
static const JobDriver commit_driver = { "commit", true, mirror_run, mirror_commit, mirror_clean };

bool mirror_start(BlockNode *source, BlockNode *target, const MirrorOptions *o, Error **errp)
{
    if (source == target) {
        error_set(errp, "Can't mirror node into itself");
        return false;
    }
    Mirror *m = xnew(Mirror);
    Job *job = job_new(o->is_commit ? &commit_driver : &mirror_driver, o->common.id, NULL, o->common.auto_finalize, o->common.auto_dismiss, o->common.speed,
                       m, errp);
    if (!job) {
        free(m);
        return false;
    }
    *m = (Mirror){ .job = job, .o = *o, .source = node_ref(source), .target = node_ref(target), .replaces = o->replaces ? node_ref(o->replaces) : NULL };
    co_queue_init(&m->changed);
    m->target_was_readonly = target->readonly && o->is_commit;
    bool ok = !m->target_was_readonly || node_set_writable(target, true, errp);
    m->source_edge = ok ? job_attach(source, job->id, PERM_READ, PERM_ALL, errp) : NULL;
    m->target_edge = m->source_edge ? job_attach(target, job->id, o->is_commit ? PERM_WRITE_UNCHANGED : PERM_WRITE, o->is_commit ? PERM_ALL :
                                                 PERM_READ | PERM_WRITE_UNCHANGED | PERM_RESIZE, errp) : NULL;
    m->bitmap = m->target_edge ? bitmap_new(source, NULL, o->granularity, errp) : NULL;
    if (m->bitmap && target->size_bytes < source->size_bytes && (o->is_commit || target->driver->co_truncate)) {
        ok = node_truncate(target, source->size_bytes, false, PREALLOC_OFF, errp);
    } else {
        ok = m->bitmap != NULL;
    }
    if (!ok) {
        if (m->bitmap) {
            bitmap_remove(m->bitmap);
        }
        if (m->target_edge) {
            edge_detach(m->target_edge);
        }
        if (m->source_edge) {
            edge_detach(m->source_edge);
        }
        node_unref(m->replaces);
        node_unref(target);
        node_unref(source);
        free(m);
        job_abandon(job);
        return false;
    }
    job->total = bitmap_dirty_bytes(m->bitmap);
    job_start(job);
    return true;
}
