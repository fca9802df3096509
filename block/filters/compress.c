/*
 * compress.c: "compress": writes of whole clusters are stored compressed.
 */
#include "block/filters/filter.h"

static const BlockOption compress_options[] = { { "file", OPTION_NODE, "the image, of a format that compresses", NULL }, { NULL } };

static bool compress_open(BlockNode *node, Json *options, Error **errp)
{
    BlockInfo info = { 0 };

    if (!filter_open_child(node, options, "file", errp)) {
        return false;
    }
    BlockNode *child = node_filtered(node), *image = node_skip_filters(child);
    if (!image->driver->co_write_compressed) {
        error_set(errp, "Compression is not supported for underlying format: %s", image->driver->name);
        return false;
    }
    image->driver->info(image, &info);
    json_free(info.specific);
    node->request_align = MAX((uint32_t)info.cluster_size, child->request_align);
    return true;
}

static int compress_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    /* The last cluster may be longer than the disk. */
    uint64_t size = node_filtered(node)->size_bytes, n = offset < size ? MIN(bytes, size - offset) : 0;

    if (!n) {
        return filter_co_write(node, offset, bytes, sg, flags);
    }
    int err = node_co_write(node_filtered(node), offset, n, sg, flags | REQ_COMPRESSED);
    return err || !(flags & REQ_FUA) ? err : node_co_flush(node_filtered(node));
}

const BlockDriver block_compress = {
    .name = "compress", .summary = "compresses what is written", .kind = DRIVER_FILTER, .options = compress_options, .handles_fua = true,
    .open = compress_open, .co_read = filter_co_read, .co_write = compress_write, .co_zero = filter_co_zero, .co_discard = filter_co_discard,
    .co_truncate = filter_co_truncate,
};
