/*
 * vhdx.c: "vhdx", the disk images of Hyper-V: opening, blocks, the driver.
 *
 * Fixed and dynamic disks with sectors of 512 or 4096 bytes. Not: differencing disks.
 *
 * The log is replayed when there is something in it, but not used here: the only metadata that changes are entries of the BAT, each alone right
 * or wrong and whole in a sector, and data is stable before them (blockmap.h). So there is nothing that has to change at once. The GUIDs
 * in the header change before anything else does (2.2.2).
 */
#include <errno.h>
#include <string.h>

#include "block/vhdx/vhdx.h"
#include "softmmu/options.h"
#include "util/alloc.h"

const uint8_t vhdx_guid_bat[VHDX_GUID] = { 0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42, 0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08 };
const uint8_t vhdx_guid_metadata[VHDX_GUID] = { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e };
const uint8_t vhdx_guid_parameters[VHDX_GUID] = { 0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b };
const uint8_t vhdx_guid_size[VHDX_GUID] = { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8 };
const uint8_t vhdx_guid_page_83[VHDX_GUID] = { 0xab, 0x12, 0xca, 0xbe, 0xe6, 0xb2, 0x23, 0x45, 0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46 };
const uint8_t vhdx_guid_logical[VHDX_GUID] = { 0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47, 0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f };
const uint8_t vhdx_guid_physical[VHDX_GUID] = { 0xc7, 0x48, 0xa3, 0xcd, 0x5d, 0x44, 0x71, 0x44, 0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56 };
const uint8_t vhdx_guid_parent[VHDX_GUID] = { 0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45, 0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c };
const uint8_t vhdx_guid_none[VHDX_GUID];

static unsigned vhdx_probe(const uint8_t *head, size_t bytes, const char *filename)
{
    return bytes >= 8 && !memcmp(head, "vhdxfile", 8) ? 100 : 0;
}

static uint32_t crc32c_byte(uint32_t crc)
{
    for (unsigned bit = 0; bit < 8; bit++) {
        crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return crc;
}

uint32_t vhdx_checksum(const uint8_t *data, size_t bytes, size_t skip)
{
    uint32_t table[256], crc = UINT32_MAX;

    for (unsigned i = 0; i < 256; i++) {
        table[i] = crc32c_byte(i);
    }
    for (size_t i = 0; i < bytes; i++) {
        crc = crc >> 8 ^ table[(crc ^ (i >= skip && i < skip + 4 ? 0 : data[i])) & 0xff];
    }
    return ~crc;
}

/* -- headers --------------------------------------------------------------------------------------------------------- */

int vhdx_write_header(BlockNode *file, uint8_t *header, uint64_t *header_at)
{
    uint64_t at = *header_at == VHDX_HEADER_1 ? VHDX_HEADER_2 : VHDX_HEADER_1;

    stle64(header + HEADER_SEQUENCE, ldle64(header + HEADER_SEQUENCE) + 1);
    stle32(header + HEADER_CHECKSUM, vhdx_checksum(header, VHDX_HEADER_BYTES, HEADER_CHECKSUM));
    int err = node_pwrite(file, at, header, VHDX_HEADER_BYTES, 0);
    err = err ? err : node_flush(file);
    *header_at = err ? *header_at : at;
    return err;
}

/* The one with the higher number of those that are whole. */
static bool read_headers(BlockNode *node, Error **errp)
{
    VhdxState *s = node->state;
    uint8_t h[VHDX_HEADER_BYTES];

    for (unsigned i = 0; i < 2; i++) {
        uint64_t at = i ? VHDX_HEADER_2 : VHDX_HEADER_1;
        if (!node_pread(node_file(node), at, h, sizeof(h)) && !memcmp(h, "head", 4) && ldle16(h + HEADER_VERSION) == 1 &&
            ldle32(h + HEADER_CHECKSUM) == vhdx_checksum(h, sizeof(h), HEADER_CHECKSUM) &&
            (!s->header_at || ldle64(h + HEADER_SEQUENCE) > ldle64(s->header + HEADER_SEQUENCE))) {
            memcpy(s->header, h, sizeof(h));
            s->header_at = at;
        }
    }
    if (!s->header_at) {
        error_set(errp, "No valid VHDX header found");
        return false;
    }
    s->log_bytes = ldle32(s->header + HEADER_LOG_BYTES);
    s->log_offset = ldle64(s->header + HEADER_LOG_OFFSET);
    if (s->log_offset % VHDX_UNIT || s->log_offset < VHDX_UNIT || s->log_bytes % VHDX_UNIT || !s->log_bytes || s->log_offset > INT64_MAX - s->log_bytes) {
        error_set(errp, "The place of the VHDX log is invalid");
        return false;
    }
    return true;
}

typedef struct Region {
    uint64_t offset, bytes;
} Region;

static bool overlap(const Region *a, const Region *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static bool parse_regions(const uint8_t *t, Region *bat, Region *metadata, Error **errp)
{
    uint32_t n = ldle32(t + REGIONS_COUNT);

    if (n > (VHDX_REGIONS_BYTES - REGIONS_ENTRIES) / ENTRY_BYTES) {
        error_set(errp, "The VHDX region table has too many entries");
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *e = t + REGIONS_ENTRIES + i * ENTRY_BYTES;
        Region *r = !memcmp(e, vhdx_guid_bat, VHDX_GUID) ? bat : !memcmp(e, vhdx_guid_metadata, VHDX_GUID) ? metadata : NULL;
        if (!r) {
            if (ldle32(e + 28) & 1) {
                error_set(errp, "The VHDX image has a region that is not known here, and needed");
                return false;
            }
            continue;
        }
        Region found = { ldle64(e + 16), ldle32(e + 24) };
        if (r->bytes || !found.bytes || found.offset % VHDX_UNIT || found.bytes % VHDX_UNIT || found.offset < VHDX_UNIT || found.offset > INT64_MAX / 2) {
            error_set(errp, "A region of the VHDX image is invalid");
            return false;
        }
        *r = found;
    }
    if (!bat->bytes || !metadata->bytes) {
        error_set(errp, "The VHDX image has no %s", bat->bytes ? "metadata" : "BAT");
        return false;
    }
    return true;
}

static bool read_regions(BlockNode *node, Region *bat, Region *metadata, Error **errp)
{
    VhdxState *s = node->state;
    uint8_t *t = xmalloc(VHDX_REGIONS_BYTES);
    bool found = false, ok = false;

    for (unsigned i = 0; i < 2 && !found; i++) {
        found = !node_pread(node_file(node), i ? VHDX_REGIONS_2 : VHDX_REGIONS_1, t, VHDX_REGIONS_BYTES) && !memcmp(t, "regi", 4) &&
                ldle32(t + REGIONS_CHECKSUM) == vhdx_checksum(t, VHDX_REGIONS_BYTES, REGIONS_CHECKSUM);
    }
    if (!found) {
        error_set(errp, "No valid VHDX region table found");
    } else {
        Region log = { s->log_offset, s->log_bytes };
        ok = parse_regions(t, bat, metadata, errp);
        if (ok && (overlap(bat, metadata) || overlap(bat, &log) || overlap(metadata, &log))) {
            error_set(errp, "Regions of the VHDX image overlap");
            ok = false;
        }
        s->data_from = MAX(MAX(bat->offset + bat->bytes, metadata->offset + metadata->bytes), log.offset + log.bytes);
    }
    free(t);
    return ok;
}

/* -- metadata -------------------------------------------------------------------------------------------------------- */

/* An item of exactly `bytes`. */
static bool read_item(BlockNode *file, const Region *region, const uint8_t *table, const uint8_t *guid, void *buf, uint32_t bytes, Error **errp)
{
    uint16_t n = ldle16(table + METADATA_COUNT);

    for (uint16_t i = 0; i < n; i++) {
        const uint8_t *e = table + METADATA_ENTRIES + i * ENTRY_BYTES;
        uint32_t at = ldle32(e + 16);
        if (memcmp(e, guid, VHDX_GUID)) {
            continue;
        }
        if (ldle32(e + 20) != bytes || at < VHDX_METADATA_BYTES || at > region->bytes - bytes) {
            break;
        }
        int err = node_pread(file, region->offset + at, buf, bytes);
        if (err) {
            error_set_errno(errp, -err, "Could not read metadata of the VHDX image");
        }
        return !err;
    }
    error_set(errp, "Metadata of the VHDX image is missing or invalid");
    return false;
}

static bool check_items(const uint8_t *table, Error **errp)
{
    static const uint8_t *const known[] = { vhdx_guid_parameters, vhdx_guid_size, vhdx_guid_page_83, vhdx_guid_logical, vhdx_guid_physical, vhdx_guid_parent };
    uint16_t n = ldle16(table + METADATA_COUNT);

    if (memcmp(table, "metadata", 8) || n > 2047) {
        error_set(errp, "The metadata table of the VHDX image is invalid");
        return false;
    }
    for (uint16_t i = 0; i < n; i++) {
        const uint8_t *e = table + METADATA_ENTRIES + i * ENTRY_BYTES;
        bool is_known = false;
        for (size_t k = 0; k < ARRAY_SIZE(known); k++) {
            is_known |= !memcmp(e, known[k], VHDX_GUID);
        }
        if (!is_known && ldle32(e + 24) & 4) {
            error_set(errp, "The VHDX image has metadata that is not known here, and needed");
            return false;
        }
    }
    return true;
}

static bool read_metadata(BlockNode *node, const Region *region, uint64_t *ret_block, Error **errp)
{
    VhdxState *s = node->state;
    BlockNode *file = node_file(node);
    uint8_t *table = xmalloc(VHDX_METADATA_BYTES), parameters[8], size[8], logical[4], physical[4];
    int err = node_pread(file, region->offset, table, VHDX_METADATA_BYTES);

    if (err) {
        error_set_errno(errp, -err, "Could not read metadata of the VHDX image");
    }
    bool ok = !err && check_items(table, errp) && read_item(file, region, table, vhdx_guid_parameters, parameters, 8, errp) &&
              read_item(file, region, table, vhdx_guid_size, size, 8, errp) && read_item(file, region, table, vhdx_guid_logical, logical, 4, errp) &&
              read_item(file, region, table, vhdx_guid_physical, physical, 4, errp);
    free(table);
    if (!ok) {
        return false;
    }
    uint64_t block = ldle32(parameters), sector = ldle32(logical);
    node->size_bytes = ldle64(size);
    if (ldle32(parameters + 4) & 2) {
        error_set(errp, "differencing VHDX images are not supported");
        return false;
    }
    if (!bits_is_pow2(block) || block < VHDX_UNIT || block > VHDX_MAX_BLOCK) {
        error_set(errp, "Invalid block size %" PRIu64 " of the VHDX image", block);
        return false;
    }
    if (sector != 512 && sector != 4096) {
        error_set(errp, "Invalid sector size %" PRIu64 " of the VHDX image", sector);
        return false;
    }
    if (node->size_bytes % sector || node->size_bytes > VHDX_MAX_BYTES) {
        error_set(errp, "Invalid size %" PRIu64 " of the VHDX image", node->size_bytes);
        return false;
    }
    s->chunk_ratio = (sector << 23) / block;
    *ret_block = block;
    return true;
}

/* -- blocks ---------------------------------------------------------------------------------------------------------- */

/* Behind each chunk there is an entry for a bitmap, which only differencing disks use. */
static uint64_t entry_at(const VhdxState *s, uint64_t index)
{
    return s->bat + (index + index / s->chunk_ratio) * 8;
}

static int vhdx_get(BlockMap *m, uint64_t index, BlockEntry *ret)
{
    const VhdxState *s = m->opaque;
    uint8_t le[8];
    int err = meta_read(&m->meta, entry_at(s, index), le, sizeof(le));
    uint64_t entry = ldle64(le);

    ret->kind = BLOCK_ZERO;
    if (err || (entry & PAYLOAD_STATE) <= PAYLOAD_UNMAPPED) {
        return err;
    }
    if ((entry & PAYLOAD_STATE) != PAYLOAD_PRESENT || (entry & PAYLOAD_OFFSET) < VHDX_UNIT || (entry & PAYLOAD_OFFSET) > INT64_MAX - VHDX_MAX_BLOCK) {
        return -EIO;
    }
    ret->kind = BLOCK_DATA;
    ret->host = entry & PAYLOAD_OFFSET;
    return 0;
}

static int vhdx_set(BlockMap *m, uint64_t index, const BlockEntry *e)
{
    uint8_t le[8];

    stle64(le, e->kind == BLOCK_DATA ? e->host | PAYLOAD_PRESENT : PAYLOAD_ZERO);
    return meta_write(&m->meta, entry_at(m->opaque, index), le, sizeof(le), 1);
}

static const BlockMapOps vhdx_map_ops = { .get = vhdx_get, .set = vhdx_set };

/* -- opening --------------------------------------------------------------------------------------------------------- */

static bool vhdx_open(BlockNode *node, Json *options, Error **errp)
{
    VhdxState *s = node->state;
    BlockNode *file = node_file(node);
    uint8_t id[8] = { 0 };
    Region bat = { 0 }, metadata = { 0 };
    uint64_t block;
    int err = node_pread(file, 0, id, sizeof(id));

    if (err || memcmp(id, "vhdxfile", 8)) {
        error_set(errp, err ? "Could not read the header" : "Image not in VHDX format");
        return false;
    }
    if (!read_headers(node, errp) || !read_regions(node, &bat, &metadata, errp)) {
        return false;
    }
    if (memcmp(s->header + HEADER_LOG_GUID, vhdx_guid_none, VHDX_GUID)) {
        if (node->readonly) {
            error_set(errp, "VHDX image file '%s' opened read-only, but contains a log that needs to be replayed. To replay the log, run: qemu-img check -r all '%s'",
                      file->filename, file->filename);
            return false;
        }
        if (ldle16(s->header + HEADER_LOG_VERSION) || s->log_bytes > VHDX_MAX_LOG || s->log_offset + s->log_bytes > file->size_bytes) {
            error_set(errp, "the log of the VHDX image is of another version, too large, or not in the file");
            return false;
        }
        if (!vhdx_replay_log(node, errp)) {
            return false;
        }
    }
    if (!read_metadata(node, &metadata, &block, errp)) {
        return false;
    }
    uint64_t blocks = DIV_ROUND_UP(node->size_bytes, block), entries = blocks ? blocks + (blocks - 1) / s->chunk_ratio : 0;
    if (bat.offset + entries * 8 > file->size_bytes) {
        error_set(errp, "The VHDX image ends in its BAT");
        return false;
    }
    if (entries * 8 > bat.bytes) {
        error_set(errp, "The BAT of the VHDX image is too small");
        return false;
    }
    s->bat = bat.offset;
    blockmap_init(&s->map, &vhdx_map_ops, node, file, block, blocks, bat.bytes);
    s->map.opaque = s;
    s->map.align = VHDX_UNIT;
    s->map.end = MAX(file->size_bytes, s->data_from);
    return true;
}

static void vhdx_close(BlockNode *node)
{
    blockmap_finish(&((VhdxState *)node->state)->map);
}

/* -- the driver ------------------------------------------------------------------------------------------------------ */

/* Before the first change: the file is another, and so is its data. */
static int before_write(BlockNode *node)
{
    VhdxState *s = node->state;
    int err = 0;

    co_mutex_lock(&s->map.lock);
    if (!s->guids_changed) {
        format_uuid(s->header + HEADER_FILE_GUID);
        format_uuid(s->header + HEADER_DATA_GUID);
        err = vhdx_write_header(node_file(node), s->header, &s->header_at);
        s->guids_changed = !err;
    }
    co_mutex_unlock(&s->map.lock);
    return err;
}

static int vhdx_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    return blockmap_read(&((VhdxState *)node->state)->map, offset, bytes, sg);
}

static int vhdx_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    int err = before_write(node);
    return err ? err : blockmap_write(&((VhdxState *)node->state)->map, offset, bytes, sg);
}

static int vhdx_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    int err = before_write(node);
    return err ? err : blockmap_zero(&((VhdxState *)node->state)->map, offset, bytes, flags);
}

static int vhdx_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    int err = before_write(node);
    return err ? err : blockmap_discard(&((VhdxState *)node->state)->map, offset, bytes);
}

static int vhdx_flush(BlockNode *node)
{
    return blockmap_flush(&((VhdxState *)node->state)->map);
}

static int vhdx_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    return blockmap_status(&((VhdxState *)node->state)->map, offset, bytes, ret);
}

static void vhdx_info(BlockNode *node, BlockInfo *ret)
{
    *ret = (BlockInfo){ .cluster_size = ((VhdxState *)node->state)->map.block_bytes };
}

static bool vhdx_check(BlockNode *node, BlockCheck *check, unsigned fix, Error **errp)
{
    VhdxState *s = node->state;
    BlockMapCheck how = { .data_from = VHDX_UNIT, .data_unit = VHDX_UNIT };

    check->corruptions_fixed += s->log_replayed;
    blockmap_check(&s->map, &how, check, fix);
    /* The reference's tools say nothing about clusters of this format. */
    check->has_clusters = false;
    check->total_clusters = check->allocated_clusters = check->fragmented_clusters = 0;
    return true;
}

static const BlockOption no_options[] = { { NULL } };

const BlockDriver block_vhdx = {
    .name = "vhdx", .summary = "Hyper-V's disk images", .kind = DRIVER_FORMAT, .state_bytes = sizeof(VhdxState), .options = no_options,
    .create_options = vhdx_create_options, .zero_init = true, .probe = vhdx_probe, .open = vhdx_open, .close = vhdx_close, .create = vhdx_create,
    .co_read = vhdx_read, .co_write = vhdx_write, .co_zero = vhdx_zero, .co_discard = vhdx_discard, .co_flush = vhdx_flush, .co_status = vhdx_status,
    .info = vhdx_info, .check = vhdx_check,
};
