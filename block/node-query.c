/*
 * node-query.c: nodes as query-named-block-nodes shows them.
 */
#include "block/bitmap.h"
#include "block/node-internal.h"
#include "util/alloc.h"

/* "image": what qemu-img info says, with the chain of backing images. */
static Json *describe_image(BlockNode *node, bool flat)
{
    Json *image = json_object();
    BlockInfo info = { 0 };
    uint64_t bytes = node_allocated_bytes(node);

    json_put_string(image, "filename", node->filename ? node->filename : "");
    json_put_string(image, "format", node->driver->name);
    json_put_uint(image, "virtual-size", node->size_bytes);
    if (node->driver->info) {
        node->driver->info(node, &info);
    }
    if (bytes != UINT64_MAX) {
        json_put_uint(image, "actual-size", bytes);
    }
    if (info.cluster_size) {
        json_put_uint(image, "cluster-size", info.cluster_size);
    }
    if (node->backing_file) {
        char *full = filename_relative_to(node->filename, node->backing_file);
        json_put_string(image, "backing-filename", node->backing_file);
        json_put_string(image, "full-backing-filename", full);
        if (node->backing_format) {
            json_put_string(image, "backing-filename-format", node->backing_format);
        }
        free(full);
    }
    if (info.specific) {
        json_put(image, "format-specific", info.specific);
    }
    json_put_bool(image, "dirty-flag", info.is_dirty);
    if (!flat && node_backing(node)) {
        json_put(image, "backing-image", describe_image(node_backing(node), false));
    }
    return image;
}

Json *node_describe(BlockNode *node, bool flat)
{
    static const char *const limits[] = { "bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr" };
    Json *row = json_object(), *cache = json_object(), *children = json_array();
    int64_t depth = 0;

    for (const BlockNode *n = node_backing(node); n; n = node_backing(n)) {
        depth++;
    }
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        json_put_int(row, limits[i], 0);
    }
    json_put_string(row, "detect_zeroes", node->flags & BLOCK_DETECT_UNMAP ? "unmap" : node->flags & BLOCK_DETECT_ZEROES ? "on" : "off");
    json_put(row, "image", describe_image(node, flat));
    json_put_bool(row, "ro", node->readonly);
    json_put_string(row, "node-name", node->name);
    json_put_int(row, "backing_file_depth", depth);
    json_put_string(row, "drv", node->driver->name);
    json_put_int(row, "write_threshold", 0);
    json_put_bool(row, "encrypted", false);
    json_put_bool(row, "active", true);
    json_put_bool(cache, "no-flush", node->flags & BLOCK_NO_FLUSH);
    json_put_bool(cache, "direct", node->flags & BLOCK_DIRECT);
    json_put_bool(cache, "writeback", true);
    json_put(row, "cache", cache);
    json_put_string(row, "file", node->filename ? node->filename : "");
    if (node->backing_file) {
        json_put_string(row, "backing_file", node->backing_file);
    }
    for (const BlockEdge *e = node->children; e; e = e->next_child) {
        Json *child = json_object();
        json_put_string(child, "child", e->name);
        json_put_string(child, "node-name", e->node->name);
        json_push(children, child);
    }
    json_put(row, "children", children);
    Json *bitmaps = bitmaps_json(node);
    if (bitmaps) {
        json_put(row, "dirty-bitmaps", bitmaps);
    }
    return row;
}
