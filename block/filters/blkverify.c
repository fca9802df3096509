/*
 * blkverify.c: "blkverify": every request goes to an image and to a raw file, and what is read from both must be the same.
 *
 * A difference is reported and ends the request with EIO, where others end the program.
 */
#include <errno.h>
#include <string.h>

#include "block/filters/filter.h"
#include "util/alloc.h"

static const BlockOption verify_options[] = {
    { "raw", OPTION_NODE, "the raw file", NULL }, { "test", OPTION_NODE, "the image that is verified", NULL }, { NULL },
};

static bool verify_parse_filename(const char *filename, Json *options, Error **errp)
{
    const char *rest = filename + strlen("blkverify:"), *colon = strchr(rest, ':');

    if (!colon) {
        error_set(errp, "blkverify requires raw copy and original image path");
        return false;
    }
    char *raw = xstrndup(rest, (size_t)(colon - rest));
    json_put_string(options, "x-raw", raw);
    json_put_string(options, "x-image", colon + 1);
    free(raw);
    return true;
}

static BlockNode *raw_of(const BlockNode *node) { return edge_node(node_child(node, "raw")); }
static BlockNode *test_of(const BlockNode *node) { return edge_node(node_child(node, "test")); }

static bool verify_open(BlockNode *node, Json *options, Error **errp)
{
    const char *raw, *image;

    if (!opts_string(options, "x-raw", NULL, &raw, errp) || !opts_string(options, "x-image", NULL, &image, errp)) {
        return false;
    }
    /* The raw file is never guessed to be something else; the image is. */
    if (!node_open_child(node, options, "raw", ROLE_FILTERED | ROLE_PRIMARY, raw, false, errp) ||
        !node_open_child(node, options, "test", ROLE_DATA, image, false, errp)) {
        return false;
    }
    BlockNode *r = raw_of(node), *t = test_of(node);
    filter_take_limits(node, t);
    node->request_align = MAX(r->request_align, t->request_align);
    node->memory_align = MAX(r->memory_align, t->memory_align);
    json_drop(options, "x-raw");
    json_drop(options, "x-image");
    if (r->filename && t->filename && strncmp(r->filename, "json:", 5) && strncmp(t->filename, "json:", 5)) {
        free(node->filename);
        node->filename = xasprintf("blkverify:%s:%s", r->filename, t->filename);
    }
    return true;
}

static int differ(const char *what, uint64_t offset, uint64_t bytes, int raw, int test)
{
    if (raw != test) {
        error_report("blkverify: %s offset=%" PRIu64 " bytes=%" PRIu64 " return value mismatch %d != %d", what, offset, bytes, test, raw);
        return -EIO;
    }
    return raw;
}

static int verify_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    const uint64_t piece = 1 * MiB;
    uint8_t *a = node_alloc(node, MIN(bytes, piece)), *b = node_alloc(node, MIN(bytes, piece));
    int err = 0;

    for (uint64_t n; bytes && !err; bytes -= n) {
        n = MIN(bytes, piece);
        int raw = node_co_pread(raw_of(node), offset, a, n), test = node_co_pread(test_of(node), offset, b, n);
        err = differ("read", offset, n, raw, test);
        if (!err && memcmp(a, b, n)) {
            uint64_t k = 0;
            while (a[k] == b[k]) {
                k++;
            }
            error_report("blkverify: read offset=%" PRIu64 " bytes=%" PRIu64 " contents mismatch at offset %" PRIu64, offset, n, offset + k);
            err = -EIO;
        }
        sg_store(sg, b, err ? 0 : n);
        offset += n;
        sg = sg_after(sg, n);
    }
    free(a);
    free(b);
    return err;
}

static int verify_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    int raw = node_co_write(raw_of(node), offset, bytes, sg, flags), test = node_co_write(test_of(node), offset, bytes, sg, flags);
    return differ("write", offset, bytes, raw, test);
}

static int verify_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    int raw = node_co_zero(raw_of(node), offset, bytes, 0), test = node_co_zero(test_of(node), offset, bytes, flags);
    return differ("write-zeroes", offset, bytes, raw, test);
}

const BlockDriver block_blkverify = {
    .name = "blkverify", .protocol = "blkverify", .summary = "compares an image with a raw file", .kind = DRIVER_FILTER, .options = verify_options,
    .parse_filename = verify_parse_filename, .open = verify_open, .co_read = verify_read, .co_write = verify_write, .co_zero = verify_zero,
};
