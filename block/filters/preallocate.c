/*
 * preallocate.c: "preallocate": the file grows in large steps when something is written behind its end, and loses the rest when it is closed.
 */
#include <errno.h>
#include <string.h>

#include "block/filters/filter.h"
#include "util/bits.h"

typedef struct PreallocState {
    uint64_t align, size;
    uint64_t data_end;        /* what is behind was never written */
    CoMutex lock;
} PreallocState;

static const BlockOption prealloc_options[] = {
    { "file", OPTION_NODE, "the file", NULL },
    { "prealloc-align", OPTION_SIZE, "on preallocation, align file length to this number", "1M" },
    { "prealloc-size", OPTION_SIZE, "how much to preallocate", "128M" },
    { NULL },
};

static bool prealloc_open(BlockNode *node, Json *options, Error **errp)
{
    PreallocState *s = node->state;

    if (!filter_open_child(node, options, "file", errp) || !opts_size(options, "prealloc-align", 1 * MiB, &s->align, errp) ||
        !opts_size(options, "prealloc-size", 128 * MiB, &s->size, errp)) {
        return false;
    }
    if (!s->align || s->align % 512) {
        error_set(errp, "prealloc-align parameter of preallocate filter is not aligned to %d", 512);
        return false;
    }
    if (s->size % 512) {
        error_set(errp, "prealloc-size parameter of preallocate filter is not aligned to %d", 512);
        return false;
    }
    co_mutex_init(&s->lock);
    s->data_end = node->size_bytes;
    for (size_t i = 0; prealloc_options[i].name; i++) {
        json_drop(options, prealloc_options[i].name);
    }
    return true;
}

static void prealloc_close(BlockNode *node)
{
    PreallocState *s = node->state;
    BlockNode *file = node_filtered(node);

    if (file && !node->readonly && file->size_bytes > s->data_end) {
        node_truncate(file, s->data_end, true, PREALLOC_OFF, NULL);
    }
}

static void prealloc_child_perm(BlockNode *node, const BlockEdge *edge, unsigned perm, unsigned shared, unsigned *ret_perm, unsigned *ret_shared)
{
    bool writes = perm & PERM_WRITE;
    *ret_perm = perm | (writes ? PERM_RESIZE : 0);
    *ret_shared = writes ? shared & ~(unsigned)(PERM_WRITE | PERM_RESIZE) : shared;
}

/* The file is long enough for a write to `end`, and then some. That it cannot be made longer is for the write to find out. */
static void make_room(BlockNode *node, uint64_t end)
{
    PreallocState *s = node->state;
    BlockNode *file = node_filtered(node);

    if (end > s->data_end) {
        co_mutex_lock(&s->lock);
        if (end > file->size_bytes) {
            node_co_truncate(file, ROUND_UP(end + s->size, s->align), false, PREALLOC_FALLOC, NULL);
        }
        s->data_end = MAX(s->data_end, end);
        co_mutex_unlock(&s->lock);
    }
}

static int prealloc_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    make_room(node, offset + bytes);
    return filter_co_write(node, offset, bytes, sg, flags);
}

static int prealloc_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    make_room(node, offset + bytes);
    return filter_co_zero(node, offset, bytes, flags);
}

static int prealloc_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp)
{
    PreallocState *s = node->state;
    int err = filter_co_truncate(node, bytes, exact, prealloc, errp);

    s->data_end = err ? s->data_end : bytes;
    return err;
}

const BlockDriver block_preallocate = {
    .name = "preallocate", .summary = "files grow in large steps", .kind = DRIVER_FILTER, .state_bytes = sizeof(PreallocState), .options = prealloc_options,
    .handles_fua = true, .open = prealloc_open, .close = prealloc_close, .child_perm = prealloc_child_perm, .co_read = filter_co_read,
    .co_write = prealloc_write, .co_zero = prealloc_zero, .co_discard = filter_co_discard, .co_truncate = prealloc_truncate,
};
