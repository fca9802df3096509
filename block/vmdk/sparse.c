/*
 * sparse.c: extents whose grains are found by a directory and tables.
 *
 * Hosted sparse extents (versions 1 to 3) with their second directory, grains that are zeros (version 2) and compressed ones with markers
 * (stream-optimized), and extents of ESX servers. A directory at the file's end, as streams have it, is read; such extents are not written.
 * A compressed grain that is written again goes to the end of the file; its old place is not used any more.
 */
#include <errno.h>
#include <string.h>

#include "block/vmdk/vmdk.h"

#define MAX_GRAIN (64 * MiB)
#define MAX_COMPRESSED_GRAIN (16 * MiB) /* several are in memory */
#define MAX_DIRECTORY (64 * MiB)
enum { ZEROED = 1, FOOTER_MARKER = 3 };

static int sparse_get(BlockMap *m, uint64_t index, BlockEntry *ret)
{
    const VmdkExtent *e = m->opaque;
    uint64_t at, run, entry = 0;
    int err = tables_find(m, &e->tables, index, &at, &run);

    if (err || !at) {
        ret->run = run;
        return err;
    }
    err = tables_load(m, &e->tables, at, &entry);
    if (err || !entry) {
        return err;
    }
    if (entry == ZEROED && e->has_zero_grain) {
        ret->kind = BLOCK_ZERO;
        return 0;
    }
    ret->kind = e->compressed ? BLOCK_COMPRESSED : BLOCK_DATA;
    ret->host = entry * VMDK_SECTOR;
    return 0;
}

static int sparse_set(BlockMap *m, uint64_t index, const BlockEntry *entry)
{
    const VmdkExtent *e = m->opaque;
    uint64_t value = entry->kind == BLOCK_ZERO ? ZEROED : entry->kind == BLOCK_HOLE ? 0 : entry->host / VMDK_SECTOR, at;

    if (value > UINT32_MAX) {
        return -EFBIG;
    }
    for (unsigned i = 0; i < 2; i++) {
        const BlockTables *t = i ? &e->backup : &e->tables;
        int err = t->l1_entries ? tables_make(m, t, index, &at) : 0;
        err = err || !t->l1_entries ? err : tables_store(m, t, at, value, 0);
        if (err) {
            return err;
        }
    }
    return 0;
}

static int sparse_load(BlockMap *m, uint64_t index, const BlockEntry *entry, uint8_t *block)
{
    uint8_t marker[VMDK_MARKER_BYTES];
    int err = node_co_pread(m->file, entry->host, marker, sizeof(marker));
    uint32_t bytes = ldle32(marker + 8);

    if (err || !bytes || bytes > m->block_bytes * 2 || entry->host + bytes > m->file->size_bytes) {
        return err ? err : -EIO;
    }
    uint8_t *in = node_alloc(m->file, bytes);
    err = node_co_pread(m->file, entry->host + sizeof(marker), in, bytes);
    err = err ? err : co_inflate(true, in, bytes, block, m->block_bytes);
    free(in);
    return err;
}

static size_t sparse_compress(const BlockMap *m, uint64_t index, const uint8_t *block, uint8_t *out, size_t limit)
{
    size_t bytes = deflate_zlib(block, m->block_bytes, out + VMDK_MARKER_BYTES, limit - VMDK_MARKER_BYTES - VMDK_SECTOR);

    if (!bytes) {
        return 0;
    }
    stle64(out, index * m->block_bytes / VMDK_SECTOR);
    stle32(out + 8, (uint32_t)bytes);
    size_t all = VMDK_MARKER_BYTES + bytes, padded = ROUND_UP(all, (size_t)VMDK_SECTOR);
    memset(out + all, 0, padded - all);
    return padded;
}

/* zlib's bound for the data, a marker, the rest of a sector. */
enum { COMPRESS_EXTRA = 64 * 1024 };
static const BlockMapOps sparse_ops = { .get = sparse_get, .set = sparse_set };
static const BlockMapOps zero_grain_ops = { .get = sparse_get, .set = sparse_set, .can_zero = true };
static const BlockMapOps compressed_ops = { .get = sparse_get, .set = sparse_set, .load = sparse_load, .compress = sparse_compress,
                                            .compress_extra = COMPRESS_EXTRA, .always_compressed = true };

typedef struct Shape {
    uint64_t capacity, grain, gtes, gd, rgd, data_from; /* sectors */
} Shape;

static bool set_up(BlockNode *node, VmdkExtent *e, const Shape *h, Error **errp)
{
    uint64_t grain = h->grain * VMDK_SECTOR;

    if (!h->grain || h->grain > (e->compressed ? MAX_COMPRESSED_GRAIN : MAX_GRAIN) / VMDK_SECTOR) {
        error_set(errp, "Invalid granularity, image may be corrupt");
        return false;
    }
    if (!h->gtes || h->gtes > 64 * KiB) {
        error_set(errp, "L2 table size too big");
        return false;
    }
    if (h->capacity > INT64_MAX / VMDK_SECTOR / 2) {
        error_set(errp, "the extent is too large");
        return false;
    }
    uint64_t blocks = DIV_ROUND_UP(h->capacity, h->grain), entries = DIV_ROUND_UP(blocks, h->gtes);
    if (entries > MAX_DIRECTORY / 4) {
        error_set(errp, "L1 size too big");
        return false;
    }
    e->capacity = h->capacity;
    if (!e->bytes) {
        e->bytes = h->capacity * VMDK_SECTOR;
    }
    if (e->bytes > h->capacity * VMDK_SECTOR) {
        error_set(errp, "the extent has less sectors than the descriptor says");
        return false;
    }
    uint64_t limit = e->file->size_bytes / VMDK_SECTOR, gd_sectors = DIV_ROUND_UP(entries * 4, VMDK_SECTOR);
    if (!h->gd || h->gd > limit || gd_sectors > limit - h->gd || (h->rgd && (h->rgd > limit || gd_sectors > limit - h->rgd))) {
        error_set(errp, "File truncated: the grain directory is behind its end");
        return false;
    }
    e->tables = (BlockTables){ .l1_offset = h->gd * VMDK_SECTOR, .l1_entries = entries, .l2_entries = h->gtes, .l2_align = VMDK_SECTOR, .unit = VMDK_SECTOR,
                               .entry_bytes = 4, .data_from = VMDK_SECTOR };
    e->backup = e->tables;
    e->backup.l1_offset = h->rgd * VMDK_SECTOR;
    e->backup.l1_entries = h->rgd ? entries : 0;
    blockmap_init(&e->map, e->compressed ? &compressed_ops : e->has_zero_grain ? &zero_grain_ops : &sparse_ops, node, e->file, grain, blocks, 0);
    e->map.opaque = e;
    e->map.base = e->start;
    e->map.align = VMDK_SECTOR;
    e->map.end = ROUND_UP(MAX(e->file->size_bytes, h->data_from * VMDK_SECTOR), (uint64_t)VMDK_SECTOR);
    return true;
}

/* "COWD": fields of four bytes: version, flags, sectors, grain, directory, its entries. A table has 4096 entries. */
static bool open_cowd(BlockNode *node, VmdkExtent *e, const uint8_t *h, Error **errp)
{
    Shape shape = { ldle32(h + 12), ldle32(h + 16), 4096, ldle32(h + 20), 0, 0 };

    if (ldle32(h + 4) != 1) {
        error_set(errp, "Unsupported version %" PRIu32 " of a sparse extent", ldle32(h + 4));
        return false;
    }
    return set_up(node, e, &shape, errp);
}

/* The last header of a stream is in front of the marker of its end. */
static bool read_footer(VmdkExtent *e, uint8_t *h, Error **errp)
{
    uint8_t tail[3 * VMDK_SECTOR];
    uint64_t size = e->file->size_bytes;
    int err = size < sizeof(tail) ? -EINVAL : node_pread(e->file, size - sizeof(tail), tail, sizeof(tail));

    if (err || ldle64(tail) != 1 || ldle32(tail + 8) || ldle32(tail + 12) != FOOTER_MARKER || ldbe32(tail + VMDK_SECTOR) != VMDK_MAGIC) {
        error_set(errp, "Invalid footer");
        return false;
    }
    memcpy(h, tail + VMDK_SECTOR, VMDK_SECTOR);
    e->has_footer = true;
    return true;
}

bool vmdk_open_sparse(BlockNode *node, VmdkExtent *e, Error **errp)
{
    uint8_t h[VMDK_SECTOR];
    int err = node_pread(e->file, 0, h, sizeof(h));

    if (err) {
        error_set_errno(errp, -err, "Could not read header from file '%s'", e->file->filename);
        return false;
    }
    if (ldbe32(h) == COWD_MAGIC) {
        return open_cowd(node, e, h, errp);
    }
    if (ldbe32(h) != VMDK_MAGIC) {
        error_set(errp, "Image not in VMDK format");
        return false;
    }
    e->descriptor_offset = ldle64(h + VMDK_DESC_OFFSET);
    e->descriptor_bytes = ldle64(h + VMDK_DESC_SIZE);
    if (ldle64(h + VMDK_GD) == VMDK_GD_AT_END && !read_footer(e, h, errp)) {
        return false;
    }
    uint32_t version = ldle32(h + VMDK_VERSION), flags = ldle32(h + VMDK_FLAGS);
    e->compressed = flags & FLAG_COMPRESSED;
    e->has_zero_grain = flags & FLAG_ZERO_GRAIN;
    if (version > 3) {
        error_set(errp, "Unsupported VMDK version %" PRIu32, version);
        return false;
    }
    if (version == 3 && !e->compressed && !node->readonly && !(node->flags & BLOCK_AUTO_RDONLY)) {
        error_set(errp, "VMDK version 3 must be read only");
        return false;
    }
    if (e->has_footer && !node->readonly && !(node->flags & BLOCK_AUTO_RDONLY)) {
        error_set(errp, "VMDK images with their directory at the end must be read only");
        return false;
    }
    if ((version == 3 && !e->compressed) || e->has_footer) {
        node->readonly = true;
    }
    if (e->compressed && (ldle16(h + VMDK_ALGORITHM) != 1 || !(flags & FLAG_MARKERS))) {
        error_set(errp, "Unsupported compression of a sparse extent");
        return false;
    }
    uint64_t rgd = flags & FLAG_REDUNDANT ? ldle64(h + VMDK_RGD) : 0;
    Shape shape = { ldle64(h + VMDK_CAPACITY), ldle64(h + VMDK_GRAIN), ldle32(h + VMDK_GTES), ldle64(h + VMDK_GD), rgd == VMDK_GD_AT_END ? 0 : rgd,
                    ldle64(h + VMDK_OVERHEAD) };
    if (shape.gtes > VMDK_MAX_GTES) {
        error_set(errp, "L2 table size too big");
        return false;
    }
    if (shape.data_from > INT64_MAX / 4 / VMDK_SECTOR) {
        error_set(errp, "the extent's data is behind what a file can have");
        return false;
    }
    return set_up(node, e, &shape, errp);
}
