/*
 * raw.c: "raw": the file's bytes are the disk's, all of them or a window (offset=, size=).
 *
 * Disks have whole sectors: what a file lacks of its last one reads as zeros.
 */
#include <errno.h>
#include <string.h>

#include "block/node-internal.h"
#include "softmmu/options.h"
#include "util/alloc.h"

typedef struct RawState {
    uint64_t offset, size;
    bool has_size, has_offset;
} RawState;

static const BlockOption raw_options[] = {
    { "offset", OPTION_SIZE, "offset in the disk where the image starts", "0" },
    { "size", OPTION_SIZE, "virtual disk size", NULL },
    { NULL },
};

static bool set_size(BlockNode *node, Error **errp)
{
    RawState *s = node->state;
    uint64_t file = node_file(node)->size_bytes;

    if (s->offset > file) {
        error_set(errp, "Offset (%" PRIu64 ") cannot be greater than size of the containing file (%" PRIu64 ")", s->offset, file);
        return false;
    }
    if (s->has_size && s->size > file - s->offset) {
        error_set(errp, "The sum of offset (%" PRIu64 ") and size (%" PRIu64 ") has to be smaller or equal to the actual size of the containing "
                  "file (%" PRIu64 ")", s->offset, s->size, file);
        return false;
    }
    node->size_bytes = s->has_size ? s->size : ROUND_UP(file - s->offset, (uint64_t)512);
    return true;
}

static bool raw_open(BlockNode *node, Json *options, Error **errp)
{
    RawState *s = node->state;
    const BlockNode *file = node_file(node);

    s->has_size = opts_is_set(options, "size");
    s->has_offset = opts_is_set(options, "offset");
    if (!opts_size(options, "offset", 0, &s->offset, errp) || !opts_size(options, "size", 0, &s->size, errp)) {
        return false;
    }
    if (s->has_size && s->size % 512) {
        error_set(errp, "Specified size is not multiple of 512");
        return false;
    }
    node->request_align = file->request_align;
    node->memory_align = file->memory_align;
    if (s->offset % file->request_align) {
        error_set(errp, "the offset of the window is not a multiple of %u", file->request_align);
        return false;
    }
    json_drop(options, "offset");
    json_drop(options, "size");
    return set_size(node, errp);
}

/* Part of the request inside the window; writes behind its end fail where the window has a fixed size. */
static int check_write(const BlockNode *node, uint64_t offset, uint64_t bytes)
{
    const RawState *s = node->state;
    return s->has_size && (offset > s->size || bytes > s->size - offset) ? -ENOSPC : 0;
}

static int raw_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    const RawState *s = node->state;
    return node_co_read(node_file(node), s->offset + offset, bytes, sg, flags);
}

static int raw_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    const RawState *s = node->state;
    int err = check_write(node, offset, bytes);

    if (!err && node->flags & BLOCK_PROBED && offset < 512 && bytes) {
        /* A guest that writes the header of another format here would be given files of the host the next time. */
        uint8_t head[512] = { 0 };
        uint64_t n = MIN(bytes, 512 - offset);
        sg_load(sg, head + offset, n);
        for (const BlockDriver *const *d = block_drivers; *d && !offset; d++) {
            if ((*d)->probe && strcmp((*d)->name, "raw") && (*d)->probe(head, n, "")) {
                return -EPERM;
            }
        }
    }
    return err ? err : node_co_write(node_file(node), s->offset + offset, bytes, sg, flags);
}

static int raw_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    const RawState *s = node->state;
    int err = check_write(node, offset, bytes);
    return err ? err : node_co_zero(node_file(node), s->offset + offset, bytes, flags);
}

static int raw_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    const RawState *s = node->state;
    int err = check_write(node, offset, bytes);
    return err ? err : node_co_discard(node_file(node), s->offset + offset, bytes);
}

static int raw_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp)
{
    const RawState *s = node->state;

    if (s->has_size) {
        error_set(errp, "Cannot resize fixed-size raw disks");
        return -ENOTSUP;
    }
    if (UINT64_MAX - s->offset < bytes) {
        error_set(errp, "Disk size too large for the chosen offset");
        return -EINVAL;
    }
    return node_co_truncate(node_file(node), bytes + s->offset, exact, prealloc, errp);
}

static int raw_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    const RawState *s = node->state;
    int err = node_co_status(node_file(node), s->offset + offset, bytes, ret);

    ret->flags &= ~(unsigned)STATUS_EOF;
    return err;
}

static int raw_copy(BlockNode *from, uint64_t from_offset, BlockNode *to, uint64_t to_offset, uint64_t bytes, unsigned flags)
{
    const RawState *s = to->state;
    int err = check_write(to, to_offset, bytes);

    if (from->driver->co_copy == raw_copy) {
        from_offset += ((const RawState *)from->state)->offset;
        from = node_file(from);
    }
    return err ? err : node_co_copy(from, from_offset, node_file(to), s->offset + to_offset, bytes, flags);
}

static bool raw_create(const char *filename, const Json *options, Error **errp)
{
    return image_create_file(filename, options, errp);
}

static const BlockOption raw_create_options[] = {
    { "size", OPTION_SIZE, "Virtual disk size", NULL },
    { NULL },
};

const BlockDriver block_raw = {
    .name = "raw", .summary = "plain disk contents", .kind = DRIVER_FORMAT, .state_bytes = sizeof(RawState), .options = raw_options,
    .create_options = raw_create_options, .zero_init = true, .handles_fua = true,
    .open = raw_open, .create = raw_create, .co_read = raw_read, .co_write = raw_write, .co_zero = raw_zero, .co_discard = raw_discard,
    .co_truncate = raw_truncate, .co_status = raw_status, .co_copy = raw_copy,
};
