/*
 * qed.c: "qed", images with tables in two levels and a backing image.
 *
 * "QED Image File Format Specification". Clusters are 4 KiB to 64 MiB, tables 1 to 16 clusters. An entry 0 is the backing image's cluster, 1 is
 * zeros. The image is always consistent on the disk but for clusters nobody names (see blockmap.h), so the bit that demands a check is not set; an
 * image that has it set is checked and repaired when it is opened for writing.
 */
#include <errno.h>
#include <string.h>

#include "block/blocktables.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/bits.h"

enum {
    AT_CLUSTER = 4, AT_TABLE = 8, AT_HEADER = 12, AT_FEATURES = 16, AT_COMPAT = 24, AT_AUTOCLEAR = 32, AT_L1 = 40, AT_SIZE = 48, AT_BACKING = 56,
    AT_BACKING_BYTES = 60, HEADER_BYTES = 64, MAX_TABLE = 16, MAX_NAME = 1023,
};
#define QED_MAGIC 0x00444551u
#define QED_BACKING 1u
#define QED_NEED_CHECK 2u
#define QED_RAW_BACKING 4u
#define MIN_CLUSTER (4 * KiB)
#define MAX_CLUSTER (64 * MiB)

typedef struct QedState {
    BlockMap map;
    BlockTables tables;
    uint64_t header_bytes, features, max_bytes;
} QedState;

static unsigned qed_probe(const uint8_t *head, size_t bytes, const char *filename)
{
    return bytes >= HEADER_BYTES && ldle32(head) == QED_MAGIC ? 100 : 0;
}

/* -- tables ---------------------------------------------------------------------------------------------------------- */

static int qed_get(BlockMap *m, uint64_t index, BlockEntry *ret)
{
    const QedState *s = m->opaque;
    uint64_t at, run, entry = 0;
    int err = tables_find(m, &s->tables, index, &at, &run);

    if (err || !at) {
        ret->run = run;
        return err;
    }
    err = tables_load(m, &s->tables, at, &entry);
    if (!err && entry > 1) {
        ret->kind = BLOCK_DATA;
        ret->host = entry;
        err = entry % m->block_bytes || entry < s->header_bytes || entry > INT64_MAX - m->block_bytes ? -EIO : 0;
    } else if (entry == 1) {
        ret->kind = BLOCK_ZERO;
    }
    return err;
}

static int qed_set(BlockMap *m, uint64_t index, const BlockEntry *e)
{
    const QedState *s = m->opaque;
    uint64_t at;
    int err = tables_make(m, &s->tables, index, &at);
    return err ? err : tables_store(m, &s->tables, at, e->kind == BLOCK_DATA ? e->host : e->kind == BLOCK_ZERO, 0);
}

static const BlockMapOps qed_map_ops = { .get = qed_get, .set = qed_set, .can_zero = true };

/* -- opening --------------------------------------------------------------------------------------------------------- */

static uint64_t max_size(uint64_t cluster, uint64_t table)
{
    uint64_t entries = cluster * table / 8;
    return entries > (uint64_t)INT64_MAX / entries / cluster ? INT64_MAX : entries * entries * cluster;
}

static bool shape_ok(uint64_t cluster, uint64_t table, uint64_t size, Error **errp)
{
    if (!bits_is_pow2(cluster) || cluster < MIN_CLUSTER || cluster > MAX_CLUSTER) {
        error_set(errp, "QED cluster size must be within range [%" PRIu64 ", %" PRIu64 "] and power of 2", MIN_CLUSTER, MAX_CLUSTER);
        return false;
    }
    if (!bits_is_pow2(table) || table > MAX_TABLE) {
        error_set(errp, "QED table size must be within range [1, %d] and power of 2", MAX_TABLE);
        return false;
    }
    if (size % 512 || size > max_size(cluster, table)) {
        error_set(errp, "QED image size must be a non-zero multiple of cluster size and less than %" PRIu64 " bytes", max_size(cluster, table));
        return false;
    }
    return true;
}

static bool read_backing(BlockNode *node, const uint8_t *h, uint64_t header_bytes, Error **errp)
{
    uint64_t at = ldle32(h + AT_BACKING), bytes = ldle32(h + AT_BACKING_BYTES);

    if (bytes > MAX_NAME || at > header_bytes || bytes > header_bytes - at) {
        error_set(errp, "QED backing file name is invalid");
        return false;
    }
    node->backing_file = xcalloc(1, bytes + 1);
    int err = node_pread(node_file(node), at, node->backing_file, bytes);
    if (err) {
        error_set_errno(errp, -err, "Could not read the backing file name");
        return false;
    }
    if (ldle64(h + AT_FEATURES) & QED_RAW_BACKING) {
        node->backing_format = xstrdup("raw");
    }
    return true;
}

static bool qed_check(BlockNode *node, BlockCheck *check, unsigned fix, Error **errp);

static bool qed_open(BlockNode *node, Json *options, Error **errp)
{
    QedState *s = node->state;
    BlockNode *file = node_file(node);
    uint8_t h[HEADER_BYTES];
    int err = node_pread(file, 0, h, sizeof(h));

    if (err) {
        error_set_errno(errp, -err, "Could not read the header");
        return false;
    }
    if (ldle32(h) != QED_MAGIC) {
        error_set(errp, "Image not in QED format");
        return false;
    }
    uint64_t cluster = ldle32(h + AT_CLUSTER), table = ldle32(h + AT_TABLE), size = ldle64(h + AT_SIZE), l1 = ldle64(h + AT_L1);
    s->features = ldle64(h + AT_FEATURES);
    if (s->features & ~(uint64_t)(QED_BACKING | QED_NEED_CHECK | QED_RAW_BACKING)) {
        error_set(errp, "Unsupported QED features: %" PRIx64, s->features & ~(uint64_t)(QED_BACKING | QED_NEED_CHECK | QED_RAW_BACKING));
        return false;
    }
    if (!shape_ok(cluster, table, size, errp)) {
        return false;
    }
    s->header_bytes = ldle32(h + AT_HEADER) * cluster;
    if (!s->header_bytes || s->header_bytes > INT64_MAX / 2) {
        error_set(errp, "QED header size is invalid");
        return false;
    }
    if (l1 % cluster || l1 < s->header_bytes || l1 > (uint64_t)INT64_MAX - cluster * table || l1 + cluster * table > file->size_bytes) {
        error_set(errp, "QED table offset is invalid");
        return false;
    }
    if (s->features & QED_BACKING && !read_backing(node, h, s->header_bytes, errp)) {
        return false;
    }
    uint64_t entries = cluster * table / 8;
    node->size_bytes = size;
    s->max_bytes = max_size(cluster, table);
    s->tables = (BlockTables){ .l1_offset = l1, .l1_entries = entries, .l2_entries = entries, .l2_align = cluster, .unit = 1, .entry_bytes = 8,
                               .data_from = s->header_bytes };
    blockmap_init(&s->map, &qed_map_ops, node, file, cluster, DIV_ROUND_UP(size, cluster), 0);
    s->map.opaque = s;
    s->map.align = cluster;
    s->map.end = MAX(file->size_bytes, l1 + cluster * table);
    if (s->features & QED_NEED_CHECK && !node->readonly && !(node->flags & BLOCK_CHECK)) {
        BlockCheck check = { 0 };
        qed_check(node, &check, CHECK_FIX_ERRORS, NULL);
        block_check_free(&check);
        if (s->features & QED_NEED_CHECK) {
            error_set(errp, "the image was not closed, and could not be repaired");
            blockmap_finish(&s->map);
            return false;
        }
    }
    return true;
}

static void qed_close(BlockNode *node)
{
    blockmap_finish(&((QedState *)node->state)->map);
}

/* -- creating and changing ------------------------------------------------------------------------------------------- */

static const BlockOption qed_create_options[] = {
    { "size", OPTION_SIZE, "Virtual disk size", NULL },
    { "backing_file", OPTION_STRING, "File name of a base image", NULL },
    { "backing_fmt", OPTION_STRING, "Image format of the base image", NULL },
    { "cluster_size", OPTION_SIZE, "Cluster size (in bytes)", "65536" },
    { "table_size", OPTION_SIZE, "L1/L2 table size (in clusters)", NULL },
    { NULL },
};

static bool qed_create(const char *filename, const Json *options, Error **errp)
{
    uint64_t size, cluster, table;
    const char *backing, *format;

    if (!opts_size(options, "size", 0, &size, errp) || !opts_size(options, "cluster_size", 64 * KiB, &cluster, errp) ||
        !opts_size(options, "table_size", 4, &table, errp) || !opts_string(options, "backing_file", NULL, &backing, errp) ||
        !opts_string(options, "backing_fmt", NULL, &format, errp)) {
        return false;
    }
    size = ROUND_UP(size, (uint64_t)512);
    if (!shape_ok(cluster, table, size, errp)) {
        return false;
    }
    if (backing && strlen(backing) > MAX_NAME) {
        error_set(errp, "Backing file name too long");
        return false;
    }
    BlockNode *file = format_create_file(filename, options, errp);
    if (!file) {
        return false;
    }
    uint8_t h[HEADER_BYTES + MAX_NAME] = { 0 };
    stle32(h, QED_MAGIC);
    stle32(h + AT_CLUSTER, (uint32_t)cluster);
    stle32(h + AT_TABLE, (uint32_t)table);
    stle32(h + AT_HEADER, 1);
    stle64(h + AT_L1, cluster);
    stle64(h + AT_SIZE, size);
    if (backing) {
        stle64(h + AT_FEATURES, QED_BACKING | (format && !strcmp(format, "raw") ? QED_RAW_BACKING : 0));
        stle32(h + AT_BACKING, HEADER_BYTES);
        stle32(h + AT_BACKING_BYTES, (uint32_t)strlen(backing));
        memcpy(h + HEADER_BYTES, backing, strlen(backing));
    }
    int err = node_pwrite(file, 0, h, HEADER_BYTES + (backing ? strlen(backing) : 0), 0);
    err = err ? err : node_zero(file, cluster, cluster * table, 0);
    if (err) {
        error_set_errno(errp, -err, "Could not write the header");
    }
    node_unref(file);
    return !err;
}

static bool qed_change_backing(BlockNode *node, const char *name, const char *format, Error **errp)
{
    QedState *s = node->state;
    size_t bytes = name ? strlen(name) : 0;
    uint8_t h[HEADER_BYTES + MAX_NAME];

    if (bytes > MAX_NAME || HEADER_BYTES + bytes > s->header_bytes) {
        error_set(errp, "Backing file name too long");
        return false;
    }
    int err = node_pread(node_file(node), 0, h, sizeof(h));
    s->features &= ~(uint64_t)(QED_BACKING | QED_RAW_BACKING);
    s->features |= name ? QED_BACKING | (format && !strcmp(format, "raw") ? QED_RAW_BACKING : 0) : 0;
    stle64(h + AT_FEATURES, s->features);
    stle32(h + AT_BACKING, name ? HEADER_BYTES : 0);
    stle32(h + AT_BACKING_BYTES, (uint32_t)bytes);
    if (name) {
        memcpy(h + HEADER_BYTES, name, bytes);
    }
    err = err ? err : node_pwrite(node_file(node), 0, h, HEADER_BYTES + bytes, 0);
    if (err) {
        error_set_errno(errp, -err, "Could not write the header");
        return false;
    }
    free(node->backing_file);
    free(node->backing_format);
    node->backing_file = name ? xstrdup(name) : NULL;
    node->backing_format = name && format && !strcmp(format, "raw") ? xstrdup("raw") : NULL;
    return true;
}

static int qed_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp)
{
    QedState *s = node->state;
    const BlockNode *backing = node_backing(node);
    uint64_t old = node->size_bytes;
    uint8_t le[8];
    int err = 0;

    if (prealloc != PREALLOC_OFF) {
        error_set(errp, "Unsupported preallocation mode '%s'", prealloc_names[prealloc]);
        return -ENOTSUP;
    }
    if (bytes % 512 || bytes > s->max_bytes) {
        error_set(errp, "Invalid image size specified");
        return -EINVAL;
    }
    if (bytes < old) {
        error_set(errp, "Shrinking images is currently not supported");
        return -ENOTSUP;
    }
    s->map.n_blocks = DIV_ROUND_UP(bytes, s->map.block_bytes);
    if (backing && backing->size_bytes > old) { /* what it has there was not on this disk */
        err = blockmap_zero(&s->map, old, MIN(bytes, backing->size_bytes) - old, 0);
    }
    err = err ? err : blockmap_flush(&s->map);
    err = err ? err : node_co_flush(node_file(node));
    stle64(le, bytes);
    err = err ? err : node_co_pwrite(node_file(node), AT_SIZE, le, sizeof(le), 0);
    if (err) {
        error_set_errno(errp, -err, "Failed to update the image size");
    }
    return err;
}

/* -- the driver ------------------------------------------------------------------------------------------------------ */

static void qed_info(BlockNode *node, BlockInfo *ret)
{
    const QedState *s = node->state;
    *ret = (BlockInfo){ .cluster_size = s->map.block_bytes, .is_dirty = s->features & QED_NEED_CHECK };
}

static bool qed_check(BlockNode *node, BlockCheck *check, unsigned fix, Error **errp)
{
    QedState *s = node->state;
    uint64_t cluster = s->map.block_bytes, table = tables_l2_bytes(&s->tables) / cluster;
    BlockMapCheck how = { s->header_bytes, cluster, s->header_bytes };

    uint64_t tables = tables_check(&s->map, &s->tables, check, fix);
    blockmap_check(&s->map, &how, check, fix);
    uint64_t there = node_file(node)->size_bytes / cluster, used = s->header_bytes / cluster + (tables + 1) * table + check->allocated_clusters;
    if (there > used && !check->corruptions) {
        block_check_say(check, "Leaked %" PRIu64 " clusters", there - used);
        check->leaks += there - used;
    }
    if (s->features & QED_NEED_CHECK && fix & CHECK_FIX_ERRORS && !node->readonly && !check->corruptions && !check->check_errors) {
        uint8_t le[8];
        stle64(le, s->features & ~(uint64_t)QED_NEED_CHECK);
        if (!node_pwrite(node_file(node), AT_FEATURES, le, sizeof(le), 0) && !node_flush(node_file(node))) {
            s->features &= ~(uint64_t)QED_NEED_CHECK;
        }
    }
    return true;
}

static const BlockOption qed_options[] = {
    { "backing", OPTION_NODE, "the image for what this one does not have", NULL },
    { NULL },
};

const BlockDriver block_qed = {
    .name = "qed", .summary = "copy-on-write images with tables in two levels", .kind = DRIVER_FORMAT, .state_bytes = sizeof(QedState), .options = qed_options,
    .create_options = qed_create_options, .has_backing = true, .zero_init = true, .probe = qed_probe, .open = qed_open, .close = qed_close,
    .create = qed_create, .co_read = map_co_read, .co_write = map_co_write, .co_zero = map_co_zero, .co_discard = map_co_discard, .co_flush = map_co_flush,
    .co_status = map_co_status, .co_truncate = qed_truncate, .info = qed_info, .check = qed_check, .change_backing = qed_change_backing,
};
