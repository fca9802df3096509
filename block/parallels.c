/*
 * parallels.c: "parallels", expandable images of Parallels' hypervisors: a header, a table (BAT) with the place of each cluster, the clusters.
 *
 * Both kinds of version 2 ("WithoutFreeSpace", whose table counts sectors, and "WithouFreSpacExt", whose table counts clusters). Not: the
 * format extension (dirty bitmaps). An image that has one is read; once it was written the header says that the extension is not true any more.
 * "Parallels Expandable Image File Format" (as of 2023): Header, BAT, Data Area.
 *
 * While an image is open for writing its header says so, and that it has to be checked if that is still there the next time.
 */
#include <errno.h>
#include <string.h>

#include "block/blockmap.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/bits.h"

enum {
    HEADER_BYTES = 64, AT_VERSION = 16, AT_HEADS = 20, AT_CYLINDERS = 24, AT_TRACKS = 28, AT_ENTRIES = 32, AT_SECTORS = 36, AT_IN_USE = 44, AT_DATA = 48,
    SECTOR = 512,
};
#define IN_USE 0x746f6e59u
#define MAX_ENTRIES ((uint64_t)INT32_MAX / 4)
#define MAX_CLUSTER (256 * MiB)

static const char magic_sectors[16] = { "WithoutFreeSpace" }, magic_clusters[16] = { "WithouFreSpacExt" };

typedef struct ParallelsState {
    BlockMap map;
    uint64_t unit;           /* of the table's entries, in bytes */
    uint64_t data_from;
    bool in_use;             /* as the header said */
    bool marked;             /* by this process */
} ParallelsState;

static unsigned parallels_probe(const uint8_t *head, size_t bytes, const char *filename)
{
    return bytes >= HEADER_BYTES && (!memcmp(head, magic_sectors, 16) || !memcmp(head, magic_clusters, 16)) && ldle32(head + AT_VERSION) == 2 ? 100 : 0;
}

static int parallels_get(BlockMap *m, uint64_t index, BlockEntry *ret)
{
    const ParallelsState *s = m->opaque;
    uint8_t le[4];
    int err = meta_read(&m->meta, HEADER_BYTES + index * 4, le, sizeof(le));

    if (!err && ldle32(le)) {
        ret->kind = BLOCK_DATA;
        ret->host = ldle32(le) * s->unit;
    }
    return err;
}

static int parallels_set(BlockMap *m, uint64_t index, const BlockEntry *e)
{
    const ParallelsState *s = m->opaque;
    uint64_t entry = e->kind == BLOCK_DATA ? e->host / s->unit : 0;
    uint8_t le[4];

    if (entry > UINT32_MAX) {
        return -EFBIG;
    }
    stle32(le, (uint32_t)entry);
    return meta_write(&m->meta, HEADER_BYTES + index * 4, le, sizeof(le), 1);
}

static const BlockMapOps parallels_map_ops = { .get = parallels_get, .set = parallels_set };

/* Where the next cluster goes: the first place from `from` on. */
static void set_end(ParallelsState *s, uint64_t from)
{
    uint64_t cluster = s->map.block_bytes;
    s->map.end = s->data_from + (from > s->data_from ? DIV_ROUND_UP(from - s->data_from, cluster) * cluster : 0);
}

static int mark_in_use(BlockNode *node, bool in_use)
{
    uint8_t le[4];

    /* Not "closed", 0x312e3276: that says that an extension, if there is one, is up to date. */
    stle32(le, in_use ? IN_USE : 0);
    int err = node_pwrite(node_file(node), AT_IN_USE, le, sizeof(le), 0);
    return err ? err : node_flush(node_file(node));
}

static bool parallels_check(BlockNode *node, BlockCheck *check, unsigned fix, Error **errp);

static bool parallels_open(BlockNode *node, Json *options, Error **errp)
{
    ParallelsState *s = node->state;
    BlockNode *file = node_file(node);
    uint8_t h[HEADER_BYTES];
    int err = node_pread(file, 0, h, sizeof(h));

    if (err) {
        error_set_errno(errp, -err, "Could not read the header");
        return false;
    }
    if (!parallels_probe(h, sizeof(h), "")) {
        error_set(errp, "Image not in Parallels format");
        return false;
    }
    bool sectors = !memcmp(h, magic_sectors, 16);
    uint64_t tracks = ldle32(h + AT_TRACKS), entries = ldle32(h + AT_ENTRIES), size = sectors ? ldle32(h + AT_SECTORS) : ldle64(h + AT_SECTORS);
    if (!tracks) {
        error_set(errp, "Invalid image: Zero sectors per track");
        return false;
    }
    if (tracks * SECTOR > MAX_CLUSTER) {
        error_set(errp, "Invalid image: Too big cluster");
        return false;
    }
    if (entries > MAX_ENTRIES) {
        error_set(errp, "Catalog too large");
        return false;
    }
    if (size > INT64_MAX / SECTOR || size > entries * tracks) {
        error_set(errp, "Invalid image: the disk has more sectors than its table");
        return false;
    }
    uint64_t bat_end = ROUND_UP(HEADER_BYTES + entries * 4, (uint64_t)SECTOR), data = ldle32(h + AT_DATA) * (uint64_t)SECTOR;
    s->data_from = data ? data : bat_end;
    s->unit = sectors ? SECTOR : tracks * SECTOR;
    s->in_use = ldle32(h + AT_IN_USE) == IN_USE;
    if (HEADER_BYTES + entries * 4 > file->size_bytes) {
        error_set(errp, "Invalid image: the file ends in the catalog");
        return false;
    }
    if (s->data_from < HEADER_BYTES + entries * 4 || (!sectors && s->data_from % s->unit)) {
        error_set(errp, "Invalid image: data offset %" PRIu64, s->data_from);
        return false;
    }
    node->size_bytes = size * SECTOR;
    blockmap_init(&s->map, &parallels_map_ops, node, file, tracks * SECTOR, entries, HEADER_BYTES + entries * 4);
    s->map.opaque = s;
    set_end(s, file->size_bytes);
    if (s->in_use && !node->readonly && !(node->flags & BLOCK_CHECK)) {
        BlockCheck check = { 0 };
        parallels_check(node, &check, CHECK_FIX_ERRORS, NULL);
        bool clean = !check.corruptions && !check.check_errors;
        block_check_free(&check);
        if (!clean) {
            error_set(errp, "the image was not closed, and could not be repaired");
            blockmap_finish(&s->map);
            return false;
        }
    }
    return true;
}

static void parallels_close(BlockNode *node)
{
    ParallelsState *s = node->state;

    if (s->marked) {
        mark_in_use(node, false);
    }
    blockmap_finish(&s->map);
}

/* -- creating -------------------------------------------------------------------------------------------------------- */

static const BlockOption parallels_create_options[] = {
    { "size", OPTION_SIZE, "Virtual disk size", NULL },
    { "cluster_size", OPTION_SIZE, "Parallels image cluster size", "1048576" },
    { NULL },
};

static bool parallels_create(const char *filename, const Json *options, Error **errp)
{
    uint64_t size, cluster;
    enum { HEADS = 16, SECTORS_PER_TRACK = 32 };

    if (!opts_size(options, "size", 0, &size, errp) || !opts_size(options, "cluster_size", 1 * MiB, &cluster, errp)) {
        return false;
    }
    cluster = ROUND_UP(cluster, (uint64_t)SECTOR);
    size = ROUND_UP(size, (uint64_t)SECTOR);
    if (!cluster || cluster > MAX_CLUSTER) {
        error_set(errp, "Cluster size is too large");
        return false;
    }
    uint64_t entries = DIV_ROUND_UP(size, cluster);
    if (entries > MAX_ENTRIES) {
        error_set(errp, "Image size is too large for this cluster size");
        return false;
    }
    BlockNode *file = format_create_file(filename, options, errp);
    if (!file) {
        return false;
    }
    uint64_t data = DIV_ROUND_UP(HEADER_BYTES + entries * 4, cluster) * cluster;
    uint8_t h[SECTOR] = { 0 };
    memcpy(h, magic_clusters, 16);
    stle32(h + AT_VERSION, 2);
    stle32(h + AT_HEADS, HEADS);
    stle32(h + AT_CYLINDERS, (uint32_t)MIN(size / SECTOR / HEADS / SECTORS_PER_TRACK, UINT32_MAX));
    stle32(h + AT_TRACKS, (uint32_t)(cluster / SECTOR));
    stle32(h + AT_ENTRIES, (uint32_t)entries);
    stle64(h + AT_SECTORS, size / SECTOR);
    stle32(h + AT_DATA, (uint32_t)(data / SECTOR));
    int err = node_pwrite(file, 0, h, sizeof(h), 0);
    err = err || data <= SECTOR ? err : node_zero(file, SECTOR, data - SECTOR, 0);
    if (err) {
        error_set_errno(errp, -err, "Failed to create Parallels image");
    }
    node_unref(file);
    return !err;
}

/* -- the driver ------------------------------------------------------------------------------------------------------ */

/* Before the first change. */
static int before_write(BlockNode *node)
{
    ParallelsState *s = node->state;
    int err = 0;

    co_mutex_lock(&s->map.lock);
    if (!s->marked) {
        err = mark_in_use(node, true);
        s->marked = !err;
    }
    co_mutex_unlock(&s->map.lock);
    return err;
}

static int parallels_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    int err = before_write(node);
    return err ? err : blockmap_write(&((ParallelsState *)node->state)->map, offset, bytes, sg);
}

static int parallels_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    int err = before_write(node);
    return err ? err : blockmap_zero(&((ParallelsState *)node->state)->map, offset, bytes, flags);
}

static bool parallels_check(BlockNode *node, BlockCheck *check, unsigned fix, Error **errp)
{
    ParallelsState *s = node->state;
    BlockNode *file = node_file(node);
    BlockMapCheck how = { s->data_from, s->map.block_bytes, s->data_from };

    if (s->in_use) {
        bool repair = fix & CHECK_FIX_ERRORS && !node->readonly;
        block_check_say(check, "%s image was not closed correctly", repair ? "Repairing" : "ERROR");
        repair = repair && !mark_in_use(node, false);
        s->in_use = !repair;
        *(repair ? &check->corruptions_fixed : &check->corruptions) += 1;
    }
    blockmap_check(&s->map, &how, check, fix);
    check->image_end_offset = how.end;
    if (file->size_bytes > how.end) {
        uint64_t n = DIV_ROUND_UP(file->size_bytes - how.end, s->map.block_bytes);
        bool repair = fix & CHECK_FIX_LEAKS && !node->readonly && node_truncate(file, how.end, true, PREALLOC_OFF, NULL);
        block_check_say(check, "%s space leaked at the end of the image %" PRIu64, repair ? "Repairing" : "ERROR", file->size_bytes - how.end);
        *(repair ? &check->leaks_fixed : &check->leaks) += n;
        if (repair) {
            set_end(s, how.end);
        }
    }
    return true;
}

static const BlockOption no_options[] = { { NULL } };

const BlockDriver block_parallels = {
    .name = "parallels", .summary = "Parallels' expandable images", .kind = DRIVER_FORMAT, .state_bytes = sizeof(ParallelsState), .options = no_options,
    .create_options = parallels_create_options, .zero_init = true, .probe = parallels_probe, .open = parallels_open, .close = parallels_close,
    .create = parallels_create, .co_read = map_co_read, .co_write = parallels_write, .co_zero = parallels_zero, .co_discard = map_co_discard,
    .co_flush = map_co_flush, .co_status = map_co_status, .check = parallels_check,
};
