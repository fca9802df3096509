/*
 * stream.c: "stream", what is in backing images becomes the image's own; "commit", what is in images above one goes into it, below the image
 * that is in use. Afterwards the chain is shorter, and the headers say so.
 */
#include <errno.h>

#include "block/jobs/internal.h"

typedef struct Chain {
    Job *job;
    BlockNode *node, *base;            /* stream: base may be NULL. commit: node is the top */
    BlockNode *overlay;                /* of a commit: whose backing image the top is */
    BlockEdge *node_edge, *base_edge;
    char *backing_file;
    JobOnError on_error;
    bool base_was_readonly;
} Chain;

/* -- stream ---------------------------------------------------------------------------------------------------------- */

static int stream_run(Job *job)
{
    Chain *c = job->state;
    uint64_t size = c->node->size_bytes;
    int err = 0;

    job->total = size;
    for (uint64_t at = 0, n; at < size && !err; at += n) {
        if (!job_co_pause_point(job)) {
            return -ECANCELED;
        }
        n = MIN(size - at, JOB_CHUNK);
        BlockStatus st;
        err = node_co_status_above(c->node, c->base, at, n, &st);
        n = err ? n : MIN(st.bytes, n);
        bool below = !err && st.flags & STATUS_ALLOCATED;
        err = err || !below ? err : node_co_copy_up(c->node, c->base, at, n);
        if (err && job_co_error(job, c->on_error, true, err)) {
            bool again = c->on_error != JOB_ON_ERROR_IGNORE;
            err = 0;
            if (again) {
                n = 0;
                continue;
            }
        }
        if (below) {
            job_co_advance(job, n);
        } else {
            job->done += n;
            co_pass();
        }
    }
    return err ? err : node_co_flush(c->node);
}

/* `over` gets another backing image, in memory and in its header. */
static int relink(BlockNode *over, BlockNode *base, const char *name, Error **errp)
{
    BlockEdge *edge = over->children;
    const char *format = base ? base->driver->name : NULL;

    while (edge && !(edge->role & ROLE_COW)) {
        edge = edge->next_child;
    }
    name = name ? name : base ? base->filename : NULL;
    if (over->driver->change_backing) {
        bool was_readonly = over->readonly;
        if (was_readonly && !node_set_writable(over, true, errp)) {
            return -EROFS;
        }
        bool ok = over->driver->change_backing(over, name, name ? format : NULL, errp);
        if (was_readonly) {
            node_set_writable(over, false, NULL);
        }
        if (!ok) {
            return -EIO;
        }
    }
    if (edge && base) {
        return edge_replace(edge, base, errp) ? 0 : -EPERM;
    }
    if (edge) {
        edge_detach(edge);
    }
    return 0;
}

static int stream_commit(Job *job, Error **errp)
{
    Chain *c = job->state;

    node_co_quiesce(c->node);
    int err = relink(c->node, c->base, c->backing_file, errp);
    node_co_resume(c->node);
    return err;
}

static void chain_clean(Job *job)
{
    Chain *c = job->state;

    if (c->node_edge) {
        edge_detach(c->node_edge);
    }
    if (c->base_edge) {
        edge_detach(c->base_edge);
    }
    if (c->base_was_readonly) {
        node_set_writable(c->base, false, NULL);
    }
    node_unref(c->overlay);
    node_unref(c->base);
    node_unref(c->node);
    free(c->backing_file);
    free(c);
}

static const JobDriver stream_driver = { "stream", true, stream_run, stream_commit, chain_clean };

static Chain *chain_new(BlockNode *node, BlockNode *base, BlockNode *overlay, const char *backing_file, JobOnError on_error)
{
    Chain *c = xnew(Chain);

    *c = (Chain){ .node = node_ref(node), .base = base ? node_ref(base) : NULL, .overlay = overlay ? node_ref(overlay) : NULL,
                  .backing_file = backing_file ? xstrdup(backing_file) : NULL, .on_error = on_error };
    return c;
}

static void chain_free(Chain *c)
{
    Job shell = { .state = c };
    chain_clean(&shell);
}

bool stream_start(BlockNode *node, BlockNode *base, const char *backing_file, const JobCommon *o, Error **errp)
{
    Chain *c = chain_new(node, base, NULL, backing_file, o->on_source_error);

    c->node_edge = job_attach(node, o->id ? o->id : "stream", PERM_READ | (node->readonly ? 0 : PERM_WRITE_UNCHANGED), PERM_ALL, errp);
    if (c->node_edge && node->readonly) {
        error_set(errp, "Block node '%s' is read-only", node->name);
    }
    c->job = c->node_edge && !node->readonly ? job_new(&stream_driver, o->id, NULL, o->auto_finalize, o->auto_dismiss, o->speed, c, errp) : NULL;
    if (!c->job) {
        chain_free(c);
        return false;
    }
    job_start(c->job);
    return true;
}

/* -- commit ---------------------------------------------------------------------------------------------------------- */

static int commit_run(Job *job)
{
    Chain *c = job->state;
    uint64_t size = c->node->size_bytes;
    int err = 0;

    job->total = size;
    for (uint64_t at = 0, n; at < size && !err; at += n) {
        if (!job_co_pause_point(job)) {
            return -ECANCELED;
        }
        n = size - at;
        bool is_read = true;
        int is = node_co_is_allocated_above(c->node, c->base, false, at, n, &n);
        n = MIN(n, JOB_CHUNK);
        err = is < 0 ? is : is ? copy_all(c->node, c->base, at, n, 0, &is_read) : 0;
        if (err && job_co_error(job, c->on_error, is_read, err)) {
            bool again = c->on_error != JOB_ON_ERROR_IGNORE;
            err = 0;
            if (again) {
                n = 0;
                continue;
            }
        }
        job_co_advance(job, n);
    }
    return err ? err : node_co_flush(c->base);
}

static int commit_commit(Job *job, Error **errp)
{
    Chain *c = job->state;

    node_co_quiesce(c->overlay);
    edge_set_perm(c->base_edge, 0, PERM_ALL, NULL);
    int err = relink(c->overlay, c->base, c->backing_file, errp);
    node_co_resume(c->overlay);
    return err;
}

static const JobDriver commit_driver = { "commit", true, commit_run, commit_commit, chain_clean };

bool commit_start(BlockNode *active, BlockNode *top, BlockNode *base, const char *backing_file, const JobCommon *o, Error **errp)
{
    BlockNode *overlay = active;

    while (overlay && node_backing(overlay) != top) {
        overlay = node_backing(overlay);
    }
    Chain *c = chain_new(top, base, overlay, backing_file, o->on_source_error);
    bool ok = overlay != NULL;
    if (!ok) {
        error_set(errp, "'%s' is not in this backing file chain", top->filename ? top->filename : top->name);
    }
    c->base_was_readonly = base->readonly;
    ok = ok && node_set_writable(base, true, errp);
    c->node_edge = ok ? job_attach(top, o->id ? o->id : "commit", PERM_READ, PERM_ALL, errp) : NULL;
    c->base_edge = c->node_edge ? job_attach(base, o->id ? o->id : "commit", PERM_READ | PERM_WRITE_UNCHANGED, PERM_ALL, errp) : NULL;
    ok = c->base_edge && (base->size_bytes >= top->size_bytes || node_truncate(base, top->size_bytes, false, PREALLOC_OFF, errp));
    c->job = ok ? job_new(&commit_driver, o->id, NULL, o->auto_finalize, o->auto_dismiss, o->speed, c, errp) : NULL;
    if (!c->job) {
        chain_free(c);
        return false;
    }
    job_start(c->job);
    return true;
}
