/*
 * node-medium.c: media that are nodes of the block layer: every format but raw.
 *
 * A request runs as a coroutine of the main context, which the main loop polls; it may begin in the thread that makes it. Both
 * have the device lock. A completion waits for the main loop, as those of raw media do.
 */
#include <errno.h>
#include <string.h>

#include "block/export.h"
#include "block/internal.h"
#include "block/job.h"
#include "block/node.h"
#include "block/throttle.h"
#include "softmmu/monitor/priv.h"
#include "softmmu/loop.h"

static void poll_context(void *opaque, unsigned events)
{
    ioctx_poll(ioctx_main(), false);
}

static void watch_context(void)
{
    static FdWatch *watch;

    if (!watch) {
        watch = loop_watch(loop_main(), ioctx_fd(ioctx_main()), LOOP_READ, poll_context, NULL);
    }
}

/* Every driver but those the media have themselves. */
bool format_is_node(const char *format)
{
    static const char *const own[] = { "raw", "file", "host_device", "null-co", "null-aio" };

    for (size_t i = 0; format && i < ARRAY_SIZE(own); i++) {
        if (!strcmp(format, own[i])) {
            return false;
        }
    }
    return format && driver_find(format);
}

bool filename_is_node(const char *filename)
{
    return filename && (!strncmp(filename, "json:", 5) ||
                        (filename_has_protocol(filename) && strncmp(filename, "file:", 5) && strncmp(filename, "host_device:", 12)));
}

/* -- opening --------------------------------------------------------------------------------------------------------- */

/* What a named node of -blockdev is for a parent: its own node, or the same file once more, whose lock that one has. */
static Json *child_of(const char *name, bool is_backing, Error **errp)
{
    const BlockBackend *blk = block_find(name);
    const Medium *m = blk ? blk->medium : NULL;

    if (!m || !blk->is_node) {
        error_set(errp, "Cannot find device='' nor node-name='%s'", name);
        return NULL;
    }
    if (m->node) {
        return json_string(m->node->name);
    }
    if (m->fd < 0 || m->overlay || m->window) {
        error_set(errp, "block node '%s' cannot be a part of another one yet", name);
        return NULL;
    }
    Json *file = json_object(), *raw = json_object();
    json_put_string(file, "driver", m->is_device ? "host_device" : "file");
    json_put_string(file, "filename", m->filename);
    json_put_string(file, "locking", "off");
    json_put_bool(file, "read-only", m->readonly);
    if (!is_backing) {
        json_free(raw);
        return file;
    }
    json_put_string(raw, "driver", "raw");
    json_put(raw, "file", file);
    return raw;
}

/* Names of other nodes in the options. */
static bool resolve_children(Json *options, Error **errp)
{
    static const char *const roles[] = { "file", "backing", "data-file" };

    for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
        Json *child = json_get(options, roles[i]);
        if (child && json_is(child, JSON_STRING) && *json_as_string(child)) {
            Json *resolved = child_of(json_as_string(child), i == 1, errp);
            if (!resolved) {
                return false;
            }
            json_put(options, roles[i], resolved);
        } else if (child && json_is(child, JSON_OBJECT) && !resolve_children(child, errp)) {
            return false;
        }
    }
    return true;
}

/* A raw image is read by the drive itself: a node of the same file beside it, as long as somebody needs one. */
static BlockNode *node_beside(const BlockBackend *blk, Error **errp)
{
    const Medium *m = blk->medium;
    Json *options = json_object(), *file = json_object();
    bool has_file = m->fd >= 0;

    json_put_string(file, "driver", !has_file ? "null-co" : m->is_device ? "host_device" : "file");
    if (has_file) {
        json_put_string(file, "filename", m->filename);
        json_put_string(file, "locking", "off");
    } else {
        json_put_uint(file, "size", m->window + m->size_bytes);
        json_put_bool(file, "read-zeroes", true);
    }
    json_put_string(options, "driver", "raw");
    json_put(options, "file", file);
    if (m->window) {
        json_put_uint(options, "offset", m->window);
        json_put_uint(options, "size", m->size_bytes);
    }
    if (blk->is_node) {
        json_put_string(options, "node-name", blk->id);
    }
    return node_open(NULL, options, (m->readonly ? 0 : BLOCK_RDWR) | (m->direct ? BLOCK_DIRECT : 0) | (m->discard ? BLOCK_DISCARD : 0), errp);
}

void monitor_watch_blocks(void)
{
    watch_context();
}

BlockNode *monitor_block_node(const char *name, Error **errp)
{
    const BlockBackend *blk = block_find(name);
    BlockNode *node = blk && blk->medium && blk->medium->node ? blk->medium->node : node_find(name);

    watch_context();
    if (node) {
        return node_ref(node);
    }
    if (!blk) {
        error_set(errp, "Cannot find device='' nor node-name='%s'", name);
    } else if (!blk->medium) {
        error_set(errp, "Device '%s' has no medium", name);
    } else if (blk->medium->overlay) {
        error_set(errp, "drive '%s' cannot be exported: it forgets what is written", name);
    } else {
        return node_beside(blk, errp);
    }
    return NULL;
}

/* -- jobs ------------------------------------------------------------------------------------------------------------ */

static bool has_user(const Medium *m)
{
    for (const BlockBackend *blk = block_backends; blk; blk = blk->next) {
        if (!blk->is_node && blk->medium == m && blk->owner) {
            return true;
        }
    }
    return false;
}

static Medium *medium_of_node(const BlockNode *node)
{
    for (const BlockBackend *blk = block_backends; blk; blk = blk->next) {
        if (blk->is_node && blk->medium && blk->medium->node == node) {
            return blk->medium;
        }
    }
    return NULL;
}

static void take_node(Medium *m, BlockNode *node)
{
    node_ref(node);
    node_unref(m->node);
    m->node = node;
    m->size_bytes = node->size_bytes;
    m->readonly = node->readonly;
    free(m->filename);
    m->filename = node->filename ? xstrdup(node->filename) : NULL;
}

/* A job has moved the drives of one node to another. A node of -blockdev stays what it is; the devices on it go. */
static void medium_moved(BlockEdge *edge, BlockNode *from)
{
    Medium *m = edge->opaque, *target;

    if (!m->node_name) {
        take_node(m, edge->node);
        return;
    }
    target = medium_of_node(edge->node);
    bool used = has_user(m);
    if (!target) {
        /* It has no name of the user's: a medium of its own. */
        target = xnew(Medium);
        *target = (Medium){ .fd = -1, .cached_fd = -1, .direct = m->direct, .no_flush = m->no_flush, .discard = m->discard };
        take_node(target, edge->node);
        target->edge = node_attach(edge->node, "drive", 0, PERM_ALL, NULL);
        target->edge->moved = medium_moved;
        target->edge->opaque = target;
    }
    for (BlockBackend *blk = block_backends; blk; blk = blk->next) {
        if (!blk->is_node && blk->medium == m) {
            blk->medium = medium_ref(target);
            blk->node = NULL;
            medium_unref(m);
        }
    }
    node_medium_use(m, false, NULL);
    edge_replace(edge, from, NULL);
    node_medium_use(target, used, NULL);
}

/* A raw image that was read beside the nodes becomes one. */
bool medium_become_node(Medium *m, Error **errp)
{
    if (m->node) {
        return true;
    }
    if (m->overlay) {
        error_set(errp, "a drive that forgets what is written has no node");
        return false;
    }
    Json *options = json_object(), *file = json_object();
    const char *driver = m->fd < 0 ? "null-co" : m->is_device ? "host_device" : "file";
    unsigned flags = (m->readonly ? 0 : BLOCK_RDWR) | (m->direct ? BLOCK_DIRECT : 0) | (m->no_flush ? BLOCK_NO_FLUSH : 0) | (m->discard ? BLOCK_DISCARD : 0);

    json_put_string(file, "driver", driver);
    if (m->fd >= 0) {
        json_put_string(file, "filename", m->filename);
        json_put_string(file, "locking", "off"); /* the locks are those of the descriptor that stays open */
    } else {
        json_put_uint(file, "size", m->window + m->size_bytes);
        json_put_bool(file, "read-zeroes", true);
    }
    json_put_string(options, "driver", "raw");
    json_put(options, "file", file);
    if (m->window) {
        json_put_uint(options, "offset", m->window);
        json_put_uint(options, "size", m->size_bytes);
    }
    if (m->node_name) {
        json_put_string(options, "node-name", m->node_name);
    }
    for (BlockBackend *blk = block_backends; blk; blk = blk->next) {
        if (blk->medium == m) {
            block_drain(blk);
        }
    }
    BlockNode *node = node_open(NULL, options, flags, errp);
    BlockEdge *edge = node ? node_attach(node, "drive", 0, PERM_ALL, errp) : NULL;
    if (!edge) {
        node_unref(node);
        return false;
    }
    if (m->filename && !m->window) {
        free(node->filename);
        node->filename = xstrdup(m->filename);
    }
    edge->moved = medium_moved;
    edge->opaque = m;
    m->edge = edge;
    m->node = node;
    watch_context();
    return node_medium_use(m, has_user(m), errp);
}

BlockNode *monitor_job_node(const char *name, Error **errp)
{
    BlockBackend *blk = block_find(name);

    if (!blk && !node_find(name)) {
        blk = block_find_owned(name, NULL, NULL);
    }
    if (blk && blk->medium && !blk->medium->node && !blk->medium->overlay && !medium_become_node(blk->medium, errp)) {
        return NULL;
    }
    if (blk && blk->medium && blk->medium->node) {
        watch_context();
        return node_ref(blk->medium->node);
    }
    return monitor_block_node(name, errp);
}

void block_close_exports(void)
{
    job_cancel_all();
    block_export_close_all();
    if (nbd_exports_running()) {
        nbd_exports_stop(NULL);
    }
}

bool node_medium_use(Medium *m, bool used, Error **errp)
{
    if (!m->edge) {
        return true;
    }
    return edge_set_perm(m->edge, used ? PERM_READ | (m->node->readonly ? 0 : PERM_WRITE) : 0, used ? PERM_READ | PERM_WRITE_UNCHANGED : PERM_ALL, errp);
}

bool node_medium_open(Medium *m, const char *filename, Json *options, const OpenMode *mode, Error **errp)
{
    unsigned flags = (mode->readonly || mode->snapshot ? 0 : BLOCK_RDWR) | (mode->direct ? BLOCK_DIRECT : 0) |
                     (mode->no_flush ? BLOCK_NO_FLUSH : 0) | (mode->discard ? BLOCK_DISCARD : 0);

    if (!resolve_children(options, errp)) {
        json_free(options);
        return false;
    }
    BlockNode *node = node_open(filename, options, flags, errp);
    if (node && mode->snapshot && !mode->readonly) {
        BlockNode *top = node_put_temporary(node, snapshot_folder(), errp);
        node_unref(node);
        node = top;
    }
    if (!node) {
        return false;
    }
    m->node = node;
    m->readonly = node->readonly;
    m->edge = node_attach(node, "drive", 0, PERM_ALL, errp);
    if (!m->edge) {
        return false; /* the medium has the node, and lets it go */
    }
    m->edge->moved = medium_moved;
    m->edge->opaque = m;
    m->size_bytes = node->size_bytes;
    if (!m->filename && node->filename) {
        m->filename = xstrdup(node->filename);
    }
    watch_context();
    return true;
}

void node_medium_close(Medium *m)
{
    if (m->edge) {
        edge_detach(m->edge);
    }
    node_unref(m->node);
    m->edge = NULL;
    m->node = NULL;
}

/* -- requests -------------------------------------------------------------------------------------------------------- */

static int perform(const Request *req)
{
    BlockNode *node = req->blk->medium->node;
    unsigned fua = !req->blk->writeback || req->flags & BLOCK_FUA ? REQ_FUA : 0;

    switch (req->kind) {
    case REQ_READ: return node_co_read(node, req->offset, req->bytes, sg_of(req->iov), 0);
    case REQ_WRITE: return node_co_write(node, req->offset, req->bytes, sg_of(req->iov), fua);
    case REQ_FLUSH: return node_co_flush(node);
    case REQ_DISCARD: return node_co_discard(node, req->offset, req->bytes);
    case REQ_ZERO: return node_co_zero(node, req->offset, req->bytes, fua | (req->flags & BLOCK_UNMAP ? REQ_UNMAP : 0));
    }
    return -ENOTSUP;
}

static void request_entry(void *opaque)
{
    Request *req = opaque;

    if (req->blk->throttle && req->kind != REQ_FLUSH) {
        throttle_co_pass(req->blk->throttle, req->kind != REQ_READ, req->bytes);
    }
    /* While a job has the node for itself; it may be another one then. */
    for (BlockNode *node; (node = req->blk->medium->node)->quiesced;) {
        co_queue_wait(&node->quiesce_waiters);
    }
    req->result = perform(req);
    request_finished(req);
}

void node_medium_start(Request *req)
{
    ioctx_start(ioctx_main(), request_entry, req);
}

void node_medium_poll(void)
{
    ioctx_poll(ioctx_main(), false);
}

int node_medium_rw(Medium *m, bool writes, uint64_t offset, void *buf, size_t bytes)
{
    return writes ? node_pwrite(m->node, offset, buf, bytes, 0) : node_pread(m->node, offset, buf, bytes);
}

/* -- what monitors show ---------------------------------------------------------------------------------------------- */

const char *node_medium_format(const Medium *m)
{
    return m->node->driver->name;
}

void node_medium_describe(const Medium *m, Json *image)
{
    BlockInfo info = { 0 };
    uint64_t bytes = node_allocated_bytes(m->node);

    if (m->node->driver->info) {
        m->node->driver->info(m->node, &info);
    }
    if (info.cluster_size) {
        json_put_uint(image, "cluster-size", info.cluster_size);
    }
    if (bytes != UINT64_MAX) {
        json_put_uint(image, "actual-size", bytes);
    }
    if (m->node->backing_file) {
        char *full = filename_relative_to(m->node->filename, m->node->backing_file);
        json_put_string(image, "backing-filename", m->node->backing_file);
        json_put_string(image, "full-backing-filename", full);
        if (m->node->backing_format) {
            json_put_string(image, "backing-filename-format", m->node->backing_format);
        }
        free(full);
    }
    if (info.specific) {
        json_put(image, "format-specific", info.specific);
    }
    json_put_bool(image, "dirty-flag", info.is_dirty);
}
