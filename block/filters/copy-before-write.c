/*
 * copy-before-write.c: "copy-before-write": before data changes it is copied to a target; "snapshot-access": the disk as it was when that filter was
 * opened, read from the target where it has been copied, else from the disk itself.
 *
 * With a bitmap only its blocks are kept: others cannot be read. A copy that fails ends the write that wanted it (on-cbw-error=break-guest-write), or
 * the snapshot (break-snapshot): then reads of it fail. A range that is copied or read is held, and writes wait for it.
 *
 * Leaves out: cbw-timeout (an error).
 */
#include <errno.h>
#include <string.h>

#include "block/filters/filter.h"
#include "block/jobs/internal.h"

typedef struct CbwState {
    uint64_t cluster;
    BitSet todo;             /* not copied yet, but to be kept */
    BitSet kept;             /* of a bitmap; no bits: all */
    CopyRange *held;
    bool break_snapshot;
    int snapshot_error;
} CbwState;

static const BlockOption cbw_options[] = {
    { "file", OPTION_NODE, "the node that is written", NULL },
    { "target", OPTION_NODE, "where old data goes", NULL },
    { "bitmap", OPTION_STRING, "only what this bitmap has: an object with node and name", NULL },
    { "on-cbw-error", OPTION_STRING, "break-guest-write or break-snapshot", "break-guest-write" },
    { "min-cluster-size", OPTION_SIZE, "the least that is copied at once", "65536" },
    { NULL },
};

static BlockNode *target_of(const BlockNode *node) { return edge_node(node_child(node, "target")); }

static bool keep_bitmap(CbwState *s, const Json *which, uint64_t size, Error **errp)
{
    const char *node_name = json_get_string(which, "node"), *name = json_get_string(which, "name");
    BlockNode *node = node_name ? node_find(node_name) : NULL;
    const DirtyBitmap *b = node && name ? bitmap_get(node, name, 0, errp) : NULL;

    if (!b) {
        if (!node || !name) {
            error_set(errp, "Cannot find the bitmap of 'bitmap'");
        }
        return false;
    }
    bitset_init(&s->kept, s->todo.n_bits);
    for (uint64_t at = 0, offset, bytes; bitmap_next_dirty(b, at, &offset, &bytes); at = offset + bytes) {
        bitset_set(&s->kept, offset / s->cluster, DIV_ROUND_UP(MIN(offset + bytes, size), s->cluster));
    }
    bitset_clear(&s->todo, 0, s->todo.n_bits);
    bitset_or(&s->todo, &s->kept);
    return true;
}

static void cbw_close(BlockNode *node)
{
    CbwState *s = node->state;
    bitset_finish(&s->todo);
    bitset_finish(&s->kept);
}

static bool cbw_open(BlockNode *node, Json *options, Error **errp)
{
    CbwState *s = node->state;
    const char *policy;
    BlockInfo info = { 0 };

    if (!filter_open_child(node, options, "file", errp) || !node_open_child(node, options, "target", ROLE_DATA, NULL, false, errp) ||
        !opts_string(options, "on-cbw-error", "break-guest-write", &policy, errp) || !opts_size(options, "min-cluster-size", 65536, &s->cluster, errp)) {
        return false;
    }
    s->break_snapshot = !strcmp(policy, "break-snapshot");
    if (!s->break_snapshot && strcmp(policy, "break-guest-write")) {
        error_set(errp, "Parameter 'on-cbw-error' does not accept value '%s'", policy);
        return false;
    }
    if (!s->cluster || s->cluster & (s->cluster - 1)) {
        error_set(errp, "min-cluster-size needs to be a power of 2");
        return false;
    }
    BlockNode *target = target_of(node), *image = node_skip_filters(target);
    if (target->size_bytes < node->size_bytes) {
        error_set(errp, "the target of copy-before-write is smaller than the node");
        return false;
    }
    if (image->driver->info) {
        image->driver->info(image, &info);
        json_free(info.specific);
    }
    s->cluster = MAX(MAX(s->cluster, info.cluster_size), target->request_align);
    bitset_init(&s->todo, DIV_ROUND_UP(node->size_bytes, s->cluster));
    bitset_set(&s->todo, 0, s->todo.n_bits);
    const Json *which = json_get(options, "bitmap");
    if (which && !keep_bitmap(s, which, node->size_bytes, errp)) {
        cbw_close(node);
        return false;
    }
    for (size_t i = 0; cbw_options[i].name; i++) {
        json_drop(options, cbw_options[i].name);
    }
    return true;
}

static void cbw_child_perm(BlockNode *node, const BlockEdge *edge, unsigned perm, unsigned shared, unsigned *ret_perm, unsigned *ret_shared)
{
    bool writes = perm & (PERM_WRITE | PERM_WRITE_UNCHANGED);

    if (edge->role & ROLE_FILTERED) {
        *ret_perm = perm | (writes ? PERM_READ : 0);
        *ret_shared = shared & ~(unsigned)PERM_WRITE; /* who wrote beside it would not be noticed */
    } else {
        *ret_perm = PERM_READ | (writes ? PERM_WRITE : 0);
        *ret_shared = PERM_READ | PERM_WRITE_UNCHANGED;
    }
}

/* What the range has of clusters that are not copied yet is, before they change. */
static int keep_old(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    CbwState *s = node->state;
    uint64_t first = offset / s->cluster, end = MIN(DIV_ROUND_UP(offset + bytes, s->cluster), s->todo.n_bits);
    int err = 0;

    copy_range_wait(&s->held, offset, bytes);
    while (!err && !s->snapshot_error) {
        uint64_t at = bitset_next(&s->todo, first), last = MIN(bitset_next_clear(&s->todo, at), end);
        if (at >= end) {
            break;
        }
        uint64_t start = at * s->cluster, n = MIN(last * s->cluster, node->size_bytes) - start;
        if (copy_range_wait(&s->held, start, n)) {
            continue;
        }
        CopyRange range;
        bool is_read;
        copy_range_begin(&s->held, &range, start, n);
        err = copy_all(node_filtered(node), target_of(node), start, n, 0, &is_read);
        if (!err) {
            bitset_clear(&s->todo, at, last);
        } else if (s->break_snapshot) {
            s->snapshot_error = err;
            err = 0;
        }
        copy_range_end(&s->held, &range);
    }
    return err;
}

static int cbw_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    int err = keep_old(node, offset, bytes);
    return err ? err : filter_co_write(node, offset, bytes, sg, flags);
}

static int cbw_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    int err = keep_old(node, offset, bytes);
    return err ? err : filter_co_zero(node, offset, bytes, flags);
}

static int cbw_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    int err = keep_old(node, offset, bytes);
    return err ? err : filter_co_discard(node, offset, bytes);
}

const BlockDriver block_copy_before_write = {
    .name = "copy-before-write", .summary = "keeps what is overwritten", .kind = DRIVER_FILTER, .state_bytes = sizeof(CbwState), .options = cbw_options,
    .handles_fua = true, .open = cbw_open, .close = cbw_close, .child_perm = cbw_child_perm, .co_read = filter_co_read, .co_write = cbw_write,
    .co_zero = cbw_zero, .co_discard = cbw_discard,
};

/* -- snapshot-access ------------------------------------------------------------------------------------------------- */

static const BlockOption access_options[] = { { "file", OPTION_NODE, "a copy-before-write node", NULL }, { NULL } };

static bool access_open(BlockNode *node, Json *options, Error **errp)
{
    BlockEdge *edge = node_open_child(node, options, "file", ROLE_DATA | ROLE_PRIMARY, NULL, false, errp);

    if (edge && edge->node->driver != &block_copy_before_write) {
        error_set(errp, "the node beneath 'snapshot-access' must be a copy-before-write node");
        return false;
    }
    if (edge) {
        node->size_bytes = edge->node->size_bytes;
        node->request_align = edge->node->request_align;
        node->memory_align = edge->node->memory_align;
        node->readonly = true;
    }
    return edge != NULL;
}

static void access_child_perm(BlockNode *node, const BlockEdge *edge, unsigned perm, unsigned shared, unsigned *ret_perm, unsigned *ret_shared)
{
    *ret_perm = perm & PERM_READ;
    *ret_shared = PERM_ALL; /* that it is written is the point */
}

/* How far from `offset` on it is of one kind: copied, or not. */
static uint64_t run_of(const CbwState *s, uint64_t offset, uint64_t bytes, bool *copied)
{
    uint64_t first = offset / s->cluster;

    *copied = !bitset_has(&s->todo, first);
    uint64_t end = *copied ? bitset_next(&s->todo, first) : bitset_next_clear(&s->todo, first);
    return MIN(bytes, end * s->cluster - offset);
}

static bool is_kept(const CbwState *s, uint64_t offset, uint64_t bytes)
{
    return !s->kept.n_bits || bitset_next_clear(&s->kept, offset / s->cluster) >= DIV_ROUND_UP(offset + bytes, s->cluster);
}

static int access_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    BlockNode *cbw = node_file(node);
    CbwState *s = cbw->state;
    int err = s->snapshot_error ? s->snapshot_error : is_kept(s, offset, bytes) ? 0 : -EACCES;

    while (bytes && !err) {
        bool copied;
        uint64_t n = MIN(run_of(s, offset, bytes, &copied), JOB_CHUNK);
        if (copied) {
            err = node_co_read(target_of(cbw), offset, n, sg, 0);
        } else {
            if (copy_range_wait(&s->held, offset, n)) {
                continue;
            }
            CopyRange range;
            copy_range_begin(&s->held, &range, offset, n);
            err = node_co_read(node_filtered(cbw), offset, n, sg, 0);
            copy_range_end(&s->held, &range);
        }
        err = err ? err : s->snapshot_error;
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    return err;
}

static int access_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    BlockNode *cbw = node_file(node);
    CbwState *s = cbw->state;
    bool copied;

    if (s->snapshot_error || !is_kept(s, offset, 1)) {
        return s->snapshot_error ? s->snapshot_error : -EACCES;
    }
    bytes = run_of(s, offset, bytes, &copied);
    int err = node_co_status_above(copied ? target_of(cbw) : node_filtered(cbw), NULL, offset, bytes, ret);
    ret->flags = (ret->flags & (STATUS_ZERO | STATUS_DATA)) | STATUS_ALLOCATED;
    ret->map_node = NULL;
    return err;
}

const BlockDriver block_snapshot_access = {
    .name = "snapshot-access", .summary = "a disk as it was when copy-before-write began", .kind = DRIVER_PROTOCOL, .options = access_options,
    .open = access_open, .child_perm = access_child_perm, .co_read = access_read, .co_status = access_status,
};
