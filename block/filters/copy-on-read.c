/*
 * copy-on-read.c: "copy-on-read": what is read from a backing image becomes the image's own.
 *
 * "bottom": images below this one are not copied from. Reads and the copies they make are serialised against writes of the same clusters.
 */
#include <string.h>

#include "block/filters/filter.h"
#include "util/alloc.h"

enum { COPY_BYTES = 1 << 20 };

typedef struct CorState {
    uint64_t cluster;
    BlockNode *bottom;      /* NULL: the whole chain; a reference */
} CorState;

static const BlockOption cor_options[] = {
    { "file", OPTION_NODE, "the node that is read through", NULL },
    { "bottom", OPTION_STRING, "node of the chain below which nothing is copied", NULL },
    { NULL },
};

static bool cor_open(BlockNode *node, Json *options, Error **errp)
{
    CorState *s = node->state;
    BlockInfo info = { 0 };
    const char *bottom;

    if (!filter_open_child(node, options, "file", errp) || !opts_string(options, "bottom", NULL, &bottom, errp)) {
        return false;
    }
    BlockNode *child = node_filtered(node), *image = node_skip_filters(child);
    if (image->driver->info) {
        image->driver->info(image, &info);
        json_free(info.specific);
    }
    s->cluster = MAX(info.cluster_size, 65536u);
    if (bottom) {
        s->bottom = node_find(bottom);
        if (!s->bottom) {
            error_set(errp, "Bottom node '%s' not found", bottom);
            return false;
        }
        node_ref(s->bottom);
        json_drop(options, "bottom");
    }
    return true;
}

static void cor_close(BlockNode *node)
{
    CorState *s = node->state;
    node_unref(s->bottom);
}

static void cor_child_perm(BlockNode *node, const BlockEdge *edge, unsigned perm, unsigned shared, unsigned *ret_perm, unsigned *ret_shared)
{
    *ret_perm = perm | (perm & PERM_READ && !node->readonly ? PERM_WRITE_UNCHANGED : 0);
    *ret_shared = shared;
}

/* The node's own copy of [offset, offset + bytes), which is in one cluster or more whole ones. */
static int copy_up(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    CorState *s = node->state;
    BlockNode *child = node_filtered(node);
    BlockNode *stop = s->bottom ? node_backing(node_skip_filters(s->bottom)) : NULL;
    uint8_t *buf = node_alloc(child, MIN(bytes, (uint64_t)COPY_BYTES));
    int err = 0;

    while (bytes && !err) {
        uint64_t n = MIN(bytes, (uint64_t)COPY_BYTES);
        BlockStatus st, deep;
        BlockNode *image = node_skip_filters(child);
        err = node_co_status(image, offset, n, &st);
        n = MIN(st.bytes, n);
        if (!err && !(st.flags & STATUS_ALLOCATED)) {
            err = node_co_status_above(image, stop, offset, n, &deep);
            n = MIN(deep.bytes, n);
            if (!err && (!stop || deep.flags & STATUS_ALLOCATED)) {
                if (deep.flags & STATUS_ZERO) {
                    err = node_co_zero(child, offset, n, 0);
                } else {
                    struct iovec v = { buf, n };
                    err = node_co_read(child, offset, n, sg_of(&v), 0);
                    err = err ? err : node_co_write(child, offset, n, sg_of(&v), 0);
                }
            }
        }
        offset += n;
        bytes -= n;
    }
    free(buf);
    return err;
}

static int cor_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    CorState *s = node->state;

    if (!node->readonly) {
        TrackedRequest req;
        uint64_t start = ROUND_DOWN(offset, s->cluster), end = MIN(ROUND_UP(offset + bytes, s->cluster), node->size_bytes);
        tracked_begin(node, &req, start, MAX(end, start) - start);
        tracked_serialise(node, &req, s->cluster);
        int err = start < end ? copy_up(node, start, end - start) : 0;
        err = err ? err : filter_co_read(node, offset, bytes, sg, flags);
        tracked_end(node, &req);
        return err;
    }
    return filter_co_read(node, offset, bytes, sg, flags);
}

const BlockDriver block_copy_on_read = {
    .name = "copy-on-read", .summary = "copies what is read from backing images", .kind = DRIVER_FILTER, .state_bytes = sizeof(CorState),
    .options = cor_options, .handles_fua = true, .open = cor_open, .close = cor_close, .child_perm = cor_child_perm,
    .co_read = cor_read, .co_write = filter_co_write, .co_write_compressed = filter_co_write_compressed, .co_zero = filter_co_zero,
    .co_discard = filter_co_discard, .co_truncate = filter_co_truncate,
};
