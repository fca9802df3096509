/*
 * server-status.c: the extents an NBD server tells of its metadata contexts: base:allocation, qemu:allocation-depth, qemu:dirty-bitmap:NAME
 * (section "Metadata querying"; the latter two as QEMU's interoperability document on NBD names them).
 */
#include "block/nbd/server.h"

/* Adds an extent, or makes the last one longer. False: there is no room. */
static bool add_extent(NbdExtents *e, uint64_t bytes, uint32_t flags)
{
    uint64_t limit = e->use_32bit ? UINT32_MAX - 65535u : UINT64_MAX;

    while (bytes) {
        bool same = e->n && e->flags[e->n - 1] == flags && e->lengths[e->n - 1] < limit;
        if (!same && e->n == e->max) {
            return false;
        }
        if (!same) {
            e->flags[e->n] = flags;
            e->lengths[e->n++] = 0;
        }
        uint64_t n = MIN(bytes, limit - e->lengths[e->n - 1]);
        e->lengths[e->n - 1] += n;
        bytes -= n;
    }
    return true;
}

/* How deep in the chain the data of a range's beginning is: 1 the top, 0 nowhere. */
static int depth_at(BlockNode *node, uint64_t offset, uint64_t bytes, uint32_t *ret_depth, uint64_t *ret_bytes)
{
    uint32_t depth = 1;

    for (BlockNode *n = node_skip_filters(node); n; n = node_backing(n) ? node_skip_filters(node_backing(n)) : NULL, depth++) {
        BlockStatus st;
        int err = node_co_status(n, offset, bytes, &st);
        if (err) {
            return err;
        }
        bytes = MIN(bytes, st.bytes);
        if (st.flags & STATUS_ALLOCATED) {
            *ret_depth = depth;
            *ret_bytes = bytes;
            return 0;
        }
    }
    *ret_depth = 0;
    *ret_bytes = bytes;
    return 0;
}

/* 1: dirty; *bytes becomes the length of what is in the same state. */
static uint32_t dirty_at(const DirtyBitmap *b, uint64_t offset, uint64_t *bytes)
{
    uint64_t start, n;

    if (!bitmap_next_dirty(b, offset, &start, &n) || start >= offset + *bytes) {
        return 0;
    }
    *bytes = start > offset ? start - offset : MIN(n, *bytes);
    return start > offset ? 0 : 1;
}

int nbd_co_extents(NbdExport *export, unsigned context, uint64_t offset, uint64_t bytes, NbdExtents *ret)
{
    BlockNode *node = export_node(export);
    bool room = true;

    ret->n = 0;
    while (bytes && room) {
        uint64_t n = bytes;
        uint32_t flags = 0;
        int err = 0;
        if (context == NBD_CONTEXT_ALLOCATION_ID) {
            BlockStatus st;
            err = node_co_status_above(node, NULL, offset, bytes, &st);
            n = err ? 0 : MIN(st.bytes, bytes);
            flags = (st.flags & STATUS_DATA ? 0 : NBD_STATE_HOLE) | (st.flags & STATUS_ZERO ? NBD_STATE_ZERO : 0);
        } else if (context == NBD_CONTEXT_DEPTH_ID) {
            err = depth_at(node, offset, bytes, &flags, &n);
        } else {
            flags = dirty_at(export->dirty[context - NBD_CONTEXT_BITMAP_ID], offset, &n);
        }
        if (err) {
            return err;
        }
        room = add_extent(ret, n, flags);
        offset += n;
        bytes -= n;
    }
    return 0;
}
