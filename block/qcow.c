/*
 * qcow.c: "qcow", the first version of the format: tables in two levels, compressed clusters, a backing image.
 *
 * Fields as in "The QCOW Image Format" (version 1). Not: encrypted images.
 * The tables' order on the disk is blocktables.h'. A compressed cluster that is written again leaves its old place unused.
 */
#include <errno.h>
#include <string.h>

#include "block/blocktables.h"
#include "block/qcow2/qcow2.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/bits.h"

enum {
    AT_VERSION = 4, AT_BACKING = 8, AT_BACKING_BYTES = 16, AT_SIZE = 24, AT_CLUSTER_BITS = 32, AT_L2_BITS = 33, AT_CRYPT = 36, AT_L1 = 40, HEADER_BYTES = 48,
    MAX_NAME = 1023,
};
#define COMPRESSED (1ull << 63)
#define MAX_L1_BYTES (256 * MiB)

typedef struct QcowState {
    BlockMap map;
    BlockTables tables;
    unsigned cluster_bits;
} QcowState;

static unsigned qcow_probe(const uint8_t *head, size_t bytes, const char *filename)
{
    return bytes >= HEADER_BYTES && ldbe32(head) == QCOW2_MAGIC && ldbe32(head + AT_VERSION) == 1 ? 100 : 0;
}

/* -- tables ---------------------------------------------------------------------------------------------------------- */

static int qcow_get(BlockMap *m, uint64_t index, BlockEntry *ret)
{
    const QcowState *s = m->opaque;
    uint64_t at, run, entry = 0;
    int err = tables_find(m, &s->tables, index, &at, &run);

    if (err || !at) {
        ret->run = run;
        return err;
    }
    err = tables_load(m, &s->tables, at, &entry);
    if (entry & COMPRESSED) {
        /* The size is in the bits above those of an offset. */
        unsigned shift = 63 - s->cluster_bits;
        ret->kind = BLOCK_COMPRESSED;
        ret->bytes = entry >> shift & (m->block_bytes - 1);
        ret->host = entry & ((1ull << shift) - 1);
        err = err ? err : ret->host > INT64_MAX - ret->bytes ? -EIO : 0;
    } else if (entry) {
        ret->kind = BLOCK_DATA;
        ret->host = entry;
        err = err ? err : entry > INT64_MAX - m->block_bytes || entry < s->tables.data_from ? -EIO : 0;
    }
    return err;
}

static int qcow_set(BlockMap *m, uint64_t index, const BlockEntry *e)
{
    const QcowState *s = m->opaque;
    unsigned shift = 63 - s->cluster_bits;
    uint64_t at;
    int err = tables_make(m, &s->tables, index, &at);

    if (!err && e->kind == BLOCK_COMPRESSED && e->host >> shift) {
        return -EFBIG;
    }
    return err ? err : tables_store(m, &s->tables, at, e->kind == BLOCK_COMPRESSED ? COMPRESSED | e->bytes << shift | e->host : e->kind == BLOCK_DATA ? e->host : 0, 0);
}

static int qcow_load(BlockMap *m, uint64_t index, const BlockEntry *e, uint8_t *block)
{
    uint8_t *in = node_alloc(m->file, e->bytes);
    int err = node_co_pread(m->file, e->host, in, e->bytes);

    err = err ? err : co_inflate(false, in, e->bytes, block, m->block_bytes);
    free(in);
    return err;
}

static size_t qcow_compress(const BlockMap *m, uint64_t index, const uint8_t *block, uint8_t *out, size_t limit)
{
    return compress_cluster(0, block, m->block_bytes, out, limit);
}

static const BlockMapOps qcow_map_ops = { .get = qcow_get, .set = qcow_set, .load = qcow_load, .compress = qcow_compress };

/* -- opening --------------------------------------------------------------------------------------------------------- */

static bool qcow_open(BlockNode *node, Json *options, Error **errp)
{
    QcowState *s = node->state;
    BlockNode *file = node_file(node);
    uint8_t h[HEADER_BYTES];
    int err = node_pread(file, 0, h, sizeof(h));

    if (err) {
        error_set_errno(errp, -err, "Could not read the header");
        return false;
    }
    if (ldbe32(h) != QCOW2_MAGIC) {
        error_set(errp, "Image not in qcow format");
        return false;
    }
    if (ldbe32(h + AT_VERSION) != 1) {
        error_set(errp, "qcow (v%" PRIu32 ") does not support qcow version %" PRIu32, 1u, ldbe32(h + AT_VERSION));
        return false;
    }
    uint64_t size = ldbe64(h + AT_SIZE), backing = ldbe64(h + AT_BACKING), l1 = ldbe64(h + AT_L1);
    unsigned bits = h[AT_CLUSTER_BITS], l2_bits = h[AT_L2_BITS];
    if (size <= 1) {
        error_set(errp, "Image size is too small (must be at least 2 bytes)");
        return false;
    }
    if (bits < 9 || bits > 16) {
        error_set(errp, "Cluster size must be between 512 and 64k");
        return false;
    }
    /* A table is 512 bytes to 64 KiB. */
    if (l2_bits < 9 - 3 || l2_bits > 16 - 3) {
        error_set(errp, "L2 table size must be between 512 and 64k");
        return false;
    }
    if (ldbe32(h + AT_CRYPT)) {
        error_set(errp, ldbe32(h + AT_CRYPT) > 1 ? "invalid encryption method in qcow header" : "encrypted images are not supported yet");
        return false;
    }
    uint64_t entries = (size >> (bits + l2_bits)) + ((size & ((1ull << (bits + l2_bits)) - 1)) != 0);
    if (size > INT64_MAX || entries * 8 > MAX_L1_BYTES) {
        error_set(errp, "Image too large");
        return false;
    }
    if (l1 < HEADER_BYTES || l1 % 8 || l1 > (uint64_t)INT64_MAX - entries * 8 || l1 + entries * 8 > file->size_bytes) {
        error_set(errp, "L1 table offset invalid");
        return false;
    }
    if (backing) {
        uint32_t bytes = ldbe32(h + AT_BACKING_BYTES);
        if (bytes > MAX_NAME) {
            error_set(errp, "Backing file name too long");
            return false;
        }
        node->backing_file = xcalloc(1, bytes + 1);
        err = backing > INT64_MAX - MAX_NAME ? -EINVAL : node_pread(file, backing, node->backing_file, bytes);
        if (err) {
            error_set_errno(errp, -err, "Could not read the backing file name");
            return false;
        }
    }
    node->size_bytes = ROUND_UP(size, (uint64_t)512);
    s->cluster_bits = bits;
    s->tables = (BlockTables){ .l1_offset = l1, .l1_entries = entries, .l2_entries = 1ull << l2_bits, .l2_align = 512, .unit = 1, .entry_bytes = 8,
                               .big_endian = true, .data_from = 512 };
    blockmap_init(&s->map, &qcow_map_ops, node, file, 1ull << bits, ((size - 1) >> bits) + 1, 0);
    s->map.opaque = s;
    s->map.align = 1ull << bits;
    s->tables.l2_align = MIN(s->map.align, 512u);
    s->map.end = MAX(file->size_bytes, l1 + entries * 8);
    return true;
}

static void qcow_close(BlockNode *node)
{
    blockmap_finish(&((QcowState *)node->state)->map);
}

/* -- creating -------------------------------------------------------------------------------------------------------- */

static const BlockOption qcow_create_options[] = {
    { "size", OPTION_SIZE, "Virtual disk size", NULL },
    { "backing_file", OPTION_STRING, "File name of a base image", NULL },
    { "backing_fmt", OPTION_STRING, "Format of the backing image", NULL },
    { "encryption", OPTION_BOOL, "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)", NULL },
    { NULL },
};

static bool qcow_create(const char *filename, const Json *options, Error **errp)
{
    uint64_t size;
    const char *backing;
    bool encryption;

    if (!opts_size(options, "size", 0, &size, errp) || !opts_string(options, "backing_file", NULL, &backing, errp) ||
        !opts_bool(options, "encryption", false, &encryption, errp)) {
        return false;
    }
    size = ROUND_UP(size, (uint64_t)512);
    if (!size) {
        error_set(errp, "Image size is too small, cannot be zero length");
        return false;
    }
    if (encryption) {
        error_set(errp, "encrypted images are not supported yet");
        return false;
    }
    if (backing && strlen(backing) > MAX_NAME) {
        error_set(errp, "Backing file name too long");
        return false;
    }
    /* With a backing image small clusters, so that little is copied, and large tables. */
    unsigned bits = backing ? 9 : 12, l2_bits = backing ? 12 : 9;
    uint64_t name = backing ? strlen(backing) : 0, l1 = ROUND_UP(HEADER_BYTES + name, 8u);
    uint64_t entries = (size >> (bits + l2_bits)) + ((size & ((1ull << (bits + l2_bits)) - 1)) != 0);
    if (entries * 8 > MAX_L1_BYTES) {
        error_set(errp, "Image too large");
        return false;
    }
    BlockNode *file = format_create_file(filename, options, errp);
    if (!file) {
        return false;
    }
    uint8_t h[HEADER_BYTES + MAX_NAME] = { 0 };
    stbe32(h, QCOW2_MAGIC);
    stbe32(h + AT_VERSION, 1);
    stbe64(h + AT_BACKING, backing ? HEADER_BYTES : 0);
    stbe32(h + AT_BACKING_BYTES, (uint32_t)name);
    stbe64(h + AT_SIZE, size);
    h[AT_CLUSTER_BITS] = (uint8_t)bits;
    h[AT_L2_BITS] = (uint8_t)l2_bits;
    stbe64(h + AT_L1, l1);
    memcpy(h + HEADER_BYTES, backing ? backing : "", name);
    int err = node_pwrite(file, 0, h, HEADER_BYTES + name, 0);
    err = err ? err : format_fill(file, HEADER_BYTES + name, l1 + entries * 8 - HEADER_BYTES - name, 0);
    if (err) {
        error_set_errno(errp, -err, "Could not write the header");
    }
    node_unref(file);
    return !err;
}

/* -- the driver ------------------------------------------------------------------------------------------------------ */

static void qcow_info(BlockNode *node, BlockInfo *ret)
{
    *ret = (BlockInfo){ .cluster_size = ((QcowState *)node->state)->map.block_bytes };
}

static const BlockOption qcow_options[] = {
    { "backing", OPTION_NODE, "the image for what this one does not have", NULL },
    { NULL },
};

const BlockDriver block_qcow = {
    .name = "qcow", .summary = "the first version of qcow2", .kind = DRIVER_FORMAT, .state_bytes = sizeof(QcowState), .options = qcow_options,
    .create_options = qcow_create_options, .has_backing = true, .zero_init = true, .probe = qcow_probe, .open = qcow_open, .close = qcow_close,
    .create = qcow_create, .co_read = map_co_read, .co_write = map_co_write, .co_write_compressed = map_co_write_compressed, .co_zero = map_co_zero,
    .co_discard = map_co_discard, .co_flush = map_co_flush, .co_status = map_co_status, .info = qcow_info,
};
