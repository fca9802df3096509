/*
 * bochs.c: "bochs", the "growing" images of the Bochs emulator (read only).
 *
 * A header, a catalog with the number of each extent in the file, the extents: a bitmap of the sectors that are there, then room for all of
 * them. Versions 1 and 2 of redologs, little-endian.
 */
#include <errno.h>
#include <string.h>

#include "block/blockmap.h"
#include "util/alloc.h"
#include "util/bits.h"

enum {
    AT_TYPE = 32, AT_SUBTYPE = 48, AT_VERSION = 64, AT_HEADER = 68, AT_CATALOG = 72, AT_BITMAP = 76, AT_EXTENT = 80, AT_DISK_1 = 84, AT_DISK_2 = 88,
    HEADER_BYTES = 96, SECTOR = 512,
};
#define VERSION_1 0x00010000u
#define VERSION_2 0x00020000u
#define NO_EXTENT UINT32_MAX
#define MAX_EXTENT (8 * MiB)
#define MAX_CATALOG 0x100000u

typedef struct BochsState {
    BlockMap map;                       /* blocks are sectors */
    uint64_t catalog, data, bitmap_bytes, extent_sectors;
    uint32_t entries;
} BochsState;

static unsigned bochs_probe(const uint8_t *head, size_t bytes, const char *filename)
{
    return bytes >= HEADER_BYTES && !strncmp((const char *)head, "Bochs Virtual HD Image", 32) && !strncmp((const char *)head + AT_TYPE, "Redolog", 16) &&
           !strncmp((const char *)head + AT_SUBTYPE, "Growing", 16) && (ldle32(head + AT_VERSION) == VERSION_1 || ldle32(head + AT_VERSION) == VERSION_2) ? 100 : 0;
}

static int bochs_get(BlockMap *m, uint64_t index, BlockEntry *ret)
{
    const BochsState *s = m->opaque;
    uint64_t extent = index / s->extent_sectors, in = index % s->extent_sectors;
    uint8_t le[4], bits;

    ret->run = s->extent_sectors - in;
    if (extent >= s->entries) {
        return 0;
    }
    int err = meta_read(&m->meta, s->catalog + extent * 4, le, sizeof(le));
    if (err || ldle32(le) == NO_EXTENT) {
        return err;
    }
    uint64_t at = s->data + ldle32(le) * (s->bitmap_bytes + s->extent_sectors * SECTOR);
    ret->run = 1;
    err = meta_read(&m->meta, at + in / 8, &bits, 1);
    if (!err && bits >> (in % 8) & 1) {
        ret->kind = BLOCK_DATA;
        ret->host = at + s->bitmap_bytes + in * SECTOR;
    }
    return err;
}

static const BlockMapOps bochs_ops = { .get = bochs_get };

static bool bochs_open(BlockNode *node, Json *options, Error **errp)
{
    BochsState *s = node->state;
    BlockNode *file = node_file(node);
    uint8_t h[HEADER_BYTES];

    if (!format_is_readonly(node, errp)) {
        return false;
    }
    int err = node_pread(file, 0, h, sizeof(h));
    if (err) {
        error_set_errno(errp, -err, "Could not read the header");
        return false;
    }
    if (!bochs_probe(h, sizeof(h), "")) {
        error_set(errp, "Image not in Bochs format");
        return false;
    }
    uint64_t size = ldle32(h + AT_VERSION) == VERSION_1 ? ldle64(h + AT_DISK_1) : ldle64(h + AT_DISK_2), extent = ldle32(h + AT_EXTENT);
    s->entries = ldle32(h + AT_CATALOG);
    s->catalog = ldle32(h + AT_HEADER);
    s->bitmap_bytes = ROUND_UP(MAX(ldle32(h + AT_BITMAP), 1u), (uint64_t)SECTOR);
    if (s->entries > MAX_CATALOG) {
        error_set(errp, "Catalog size is too large");
        return false;
    }
    if (extent < SECTOR || !bits_is_pow2(extent)) {
        error_set(errp, extent < SECTOR ? "Extent size must be at least 512" : "Extent size %" PRIu64 " is not a power of two", extent);
        return false;
    }
    if (extent > MAX_EXTENT) {
        error_set(errp, "Extent size %" PRIu64 " is too large", extent);
        return false;
    }
    if (ldle32(h + AT_BITMAP) < extent / SECTOR / 8) {
        error_set(errp, "The bitmap of an extent is too small");
        return false;
    }
    if (size > s->entries * extent) {
        error_set(errp, "Catalog size is too small for this disk size");
        return false;
    }
    s->extent_sectors = extent / SECTOR;
    s->data = s->catalog + s->entries * 4ull;
    node->size_bytes = ROUND_DOWN(size, (uint64_t)SECTOR);
    blockmap_init(&s->map, &bochs_ops, node, file, SECTOR, node->size_bytes / SECTOR, 0);
    s->map.opaque = s;
    return true;
}

static void bochs_close(BlockNode *node)
{
    blockmap_finish(&((BochsState *)node->state)->map);
}

static const BlockOption no_options[] = { { NULL } };

const BlockDriver block_bochs = {
    .name = "bochs", .summary = "growing images of the Bochs emulator (read only)", .kind = DRIVER_FORMAT, .state_bytes = sizeof(BochsState), .options = no_options,
    .probe = bochs_probe, .open = bochs_open, .close = bochs_close, .co_read = map_co_read, .co_status = map_co_status,
};
