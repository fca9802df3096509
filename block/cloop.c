/*
 * cloop.c: "cloop", compressed loopback images (read only).
 *
 * Version 2: 128 bytes of a shell script, the size and number of blocks, their places (one more than there are blocks), the blocks as
 * zlib streams. All numbers are big-endian.
 */
#include <errno.h>
#include <string.h>

#include "block/blockmap.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { SCRIPT_BYTES = 128, TABLE = 136 };
#define MAX_BLOCK (16 * MiB)   /* several are in memory */
static const char script[] = "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n";

static unsigned cloop_probe(const uint8_t *head, size_t bytes, const char *filename)
{
    size_t n = MIN(bytes, sizeof(script) - 1);
    return n >= 24 && !memcmp(head, script, n) ? 2 : 0;
}

static int cloop_get(BlockMap *m, uint64_t index, BlockEntry *ret)
{
    uint8_t be[16];
    int err = meta_read(&m->meta, TABLE + index * 8, be, sizeof(be));
    uint64_t from = ldbe64(be), to = ldbe64(be + 8);

    ret->kind = BLOCK_COMPRESSED;
    ret->host = from;
    ret->bytes = to - from;
    return err ? err : to < from || to > m->file->size_bytes || to - from > 2 * m->block_bytes ? -EIO : 0;
}

static int cloop_load(BlockMap *m, uint64_t index, const BlockEntry *e, uint8_t *block)
{
    uint8_t *in = node_alloc(m->file, e->bytes);
    int err = node_co_pread(m->file, e->host, in, e->bytes);

    err = err ? err : co_inflate(true, in, e->bytes, block, m->block_bytes);
    free(in);
    return err;
}

static const BlockMapOps cloop_ops = { .get = cloop_get, .load = cloop_load };

static bool cloop_open(BlockNode *node, Json *options, Error **errp)
{
    BlockNode *file = node_file(node);
    uint8_t h[TABLE];

    if (!format_is_readonly(node, errp)) {
        return false;
    }
    int err = node_pread(file, 0, h, sizeof(h));
    if (err) {
        error_set_errno(errp, -err, "Could not read the header");
        return false;
    }
    uint64_t block = ldbe32(h + SCRIPT_BYTES), blocks = ldbe32(h + SCRIPT_BYTES + 4);
    if (!block) {
        error_set(errp, "block_size cannot be zero");
        return false;
    }
    if (block % 512) {
        error_set(errp, "block_size %" PRIu64 " must be a multiple of 512", block);
        return false;
    }
    if (block > MAX_BLOCK) {
        error_set(errp, "block_size %" PRIu64 " must be %" PRIu64 " MB or less", block, MAX_BLOCK / MiB);
        return false;
    }
    if (TABLE + (blocks + 1) * 8 > file->size_bytes) {
        error_set(errp, "image requires too many offsets, try increasing block size");
        return false;
    }
    node->size_bytes = block * blocks;
    blockmap_init(node->state, &cloop_ops, node, file, block, blocks, TABLE + (blocks + 1) * 8);
    return true;
}

static void cloop_close(BlockNode *node)
{
    blockmap_finish(node->state);
}

static int cloop_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    return blockmap_read(node->state, offset, bytes, sg);
}

static const BlockOption no_options[] = { { NULL } };

const BlockDriver block_cloop = {
    .name = "cloop", .summary = "compressed loopback images (read only)", .kind = DRIVER_FORMAT, .state_bytes = sizeof(BlockMap), .options = no_options,
    .probe = cloop_probe, .open = cloop_open, .close = cloop_close, .co_read = cloop_read,
};
