/*
 * vdi.c: "vdi", VirtualBox' disk images: a header, a map with the number of each block in the file, and the blocks.
 *
 * Version 1.1, dynamic and static images, blocks of any power of two. Not: images that are the difference to another, additional data in front
 * of each block. There is no published specification; the fields are named as in VirtualBox' headers.
 *
 * Order: the count of blocks is stable before an entry of the map names one, and so a crash leaves at worst a count that is too high.
 */
#include <errno.h>
#include <string.h>

#include "block/blockmap.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/bits.h"

enum {
    VDI_SIGNATURE = 0x40, VDI_VERSION = 0x44, VDI_HEADER_BYTES = 0x48, VDI_TYPE = 0x4c, VDI_MAP_OFFSET = 0x154, VDI_DATA_OFFSET = 0x158,
    VDI_SECTOR_BYTES = 0x168, VDI_DISK_BYTES = 0x170, VDI_BLOCK_BYTES = 0x178, VDI_BLOCK_EXTRA = 0x17c, VDI_BLOCKS = 0x180, VDI_ALLOCATED = 0x184,
    VDI_UUID = 0x188, VDI_UUID_SNAPSHOT = 0x198, VDI_UUID_LINK = 0x1a8, VDI_UUID_PARENT = 0x1b8, VDI_HEADER = 512,
    VDI_TYPE_DYNAMIC = 1, VDI_TYPE_STATIC = 2, DEFAULT_BLOCK = 1 << 20,
};
#define VDI_MAGIC 0xbeda107fu
#define VDI_VERSION_1_1 0x00010001u
#define ENTRY_NONE 0xffffffffu
#define ENTRY_ZERO 0xfffffffeu
#define MAX_BLOCKS 0x1fffff80u /* as much as the reference creates */

typedef struct VdiState {
    BlockMap map;
    uint32_t map_offset, data_offset, allocated;
    bool is_static;
} VdiState;

static unsigned vdi_probe(const uint8_t *head, size_t bytes, const char *filename)
{
    return bytes >= VDI_HEADER && ldle32(head + VDI_SIGNATURE) == VDI_MAGIC ? 100 : 0;
}

/* -- the map --------------------------------------------------------------------------------------------------------- */

static int vdi_get(BlockMap *m, uint64_t index, BlockEntry *ret)
{
    const VdiState *s = m->opaque;
    uint8_t le[4];
    int err = meta_read(&m->meta, s->map_offset + index * 4, le, sizeof(le));
    uint32_t entry = ldle32(le);

    if (err || entry >= ENTRY_ZERO) {
        ret->kind = BLOCK_ZERO;
        return err;
    }
    ret->kind = BLOCK_DATA;
    ret->host = s->data_offset + entry * m->block_bytes;
    return entry < m->n_blocks ? 0 : -EIO;
}

static int vdi_set(BlockMap *m, uint64_t index, const BlockEntry *e)
{
    const VdiState *s = m->opaque;
    uint8_t le[4];

    stle32(le, e->kind == BLOCK_DATA ? (uint32_t)((e->host - s->data_offset) / m->block_bytes) : ENTRY_NONE);
    return meta_write(&m->meta, s->map_offset + index * 4, le, sizeof(le), 1);
}

static int vdi_alloc(BlockMap *m, uint64_t n, uint64_t *ret_host)
{
    VdiState *s = m->opaque;
    uint8_t le[4];

    /* A block can be in the file only once; more of them than the disk has are damage, or left by many crashes. */
    if (n > m->n_blocks - MIN(s->allocated, m->n_blocks)) {
        return -ENOSPC;
    }
    stle32(le, s->allocated + (uint32_t)n);
    int err = meta_write(&m->meta, VDI_ALLOCATED, le, sizeof(le), 0);
    if (!err) {
        *ret_host = s->data_offset + s->allocated * m->block_bytes;
        s->allocated += (uint32_t)n;
    }
    return err;
}

static const BlockMapOps vdi_map_ops = { .get = vdi_get, .set = vdi_set, .alloc = vdi_alloc };

/* -- opening --------------------------------------------------------------------------------------------------------- */

static bool fail(Error **errp, const char *what, uint64_t value)
{
    error_set(errp, "unsupported VDI image (%s %" PRIu64 ")", what, value);
    return false;
}

static bool vdi_open(BlockNode *node, Json *options, Error **errp)
{
    VdiState *s = node->state;
    BlockNode *file = node_file(node);
    uint8_t h[VDI_HEADER];
    static const uint8_t none[16];
    int err = node_pread(file, 0, h, sizeof(h));

    if (err) {
        error_set_errno(errp, -err, "Could not read the header");
        return false;
    }
    uint64_t size = ldle64(h + VDI_DISK_BYTES), block = ldle32(h + VDI_BLOCK_BYTES), blocks = ldle32(h + VDI_BLOCKS);
    s->map_offset = ldle32(h + VDI_MAP_OFFSET);
    s->data_offset = ldle32(h + VDI_DATA_OFFSET);
    s->allocated = ldle32(h + VDI_ALLOCATED);
    s->is_static = ldle32(h + VDI_TYPE) == VDI_TYPE_STATIC;
    if (ldle32(h + VDI_SIGNATURE) != VDI_MAGIC) {
        error_set(errp, "Image not in VDI format (bad signature %08" PRIx32 ")", ldle32(h + VDI_SIGNATURE));
        return false;
    }
    if (ldle32(h + VDI_VERSION) != VDI_VERSION_1_1) {
        error_set(errp, "unsupported VDI image (version %u.%u)", ldle32(h + VDI_VERSION) >> 16, ldle32(h + VDI_VERSION) & 0xffff);
        return false;
    }
    if (s->map_offset % META_SECTOR || s->map_offset < VDI_HEADER) {
        return fail(errp, "unaligned block map offset", s->map_offset);
    }
    if (s->data_offset % META_SECTOR) {
        return fail(errp, "unaligned data offset", s->data_offset);
    }
    if (ldle32(h + VDI_SECTOR_BYTES) != 512) {
        return fail(errp, "sector size is not 512 but", ldle32(h + VDI_SECTOR_BYTES));
    }
    if (!bits_is_pow2(block) || block < 4 * KiB || block > 256 * MiB) {
        return fail(errp, "block size", block);
    }
    if (ldle32(h + VDI_BLOCK_EXTRA)) {
        return fail(errp, "extra data of blocks", ldle32(h + VDI_BLOCK_EXTRA));
    }
    if (blocks > MAX_BLOCKS) {
        return fail(errp, "too many blocks", blocks);
    }
    if (size > blocks * block) {
        return fail(errp, "block map too small for disk size", size);
    }
    if (s->data_offset < s->map_offset + ROUND_UP(blocks * 4, (uint64_t)META_SECTOR)) {
        return fail(errp, "block map overlaps data at", s->data_offset);
    }
    if (s->map_offset + blocks * 4 > file->size_bytes) {
        return fail(errp, "the file ends in the block map, at", file->size_bytes);
    }
    if (memcmp(h + VDI_UUID_LINK, none, 16) || memcmp(h + VDI_UUID_PARENT, none, 16)) {
        error_set(errp, "unsupported VDI image (non-NULL %s UUID)", memcmp(h + VDI_UUID_LINK, none, 16) ? "link" : "parent");
        return false;
    }
    node->size_bytes = ROUND_UP(size, (uint64_t)512);
    blockmap_init(&s->map, &vdi_map_ops, node, file, block, blocks, s->map_offset + blocks * 4);
    s->map.opaque = s;
    return true;
}

static void vdi_close(BlockNode *node)
{
    blockmap_finish(&((VdiState *)node->state)->map);
}

/* -- creating -------------------------------------------------------------------------------------------------------- */

static const BlockOption vdi_create_options[] = {
    { "size", OPTION_SIZE, "Virtual disk size", NULL },
    { "static", OPTION_BOOL, "VDI static (pre-allocated) image", "off" },
    { NULL },
};

static int write_image(BlockNode *file, uint64_t size, bool is_static)
{
    uint64_t blocks = DIV_ROUND_UP(size, (uint64_t)DEFAULT_BLOCK), map_bytes = ROUND_UP(blocks * 4, (uint64_t)META_SECTOR), data = VDI_HEADER + map_bytes;
    uint8_t h[VDI_HEADER] = "<<< QEMU VM Virtual Disk Image >>>\n";

    stle32(h + VDI_SIGNATURE, VDI_MAGIC);
    stle32(h + VDI_VERSION, VDI_VERSION_1_1);
    stle32(h + VDI_HEADER_BYTES, 0x180);
    stle32(h + VDI_TYPE, is_static ? VDI_TYPE_STATIC : VDI_TYPE_DYNAMIC);
    stle32(h + VDI_MAP_OFFSET, VDI_HEADER);
    stle32(h + VDI_DATA_OFFSET, (uint32_t)data);
    stle32(h + VDI_SECTOR_BYTES, 512);
    stle64(h + VDI_DISK_BYTES, size);
    stle32(h + VDI_BLOCK_BYTES, DEFAULT_BLOCK);
    stle32(h + VDI_BLOCKS, (uint32_t)blocks);
    stle32(h + VDI_ALLOCATED, is_static ? (uint32_t)blocks : 0);
    for (unsigned at = VDI_UUID; at <= VDI_UUID_SNAPSHOT; at += 16) {
        format_uuid(h + at);
    }
    int err = node_pwrite(file, 0, h, sizeof(h), 0);
    if (!is_static) {
        return err ? err : format_fill(file, VDI_HEADER, map_bytes, 0xff);
    }
    uint8_t *map = xcalloc(1, map_bytes ? map_bytes : 1);
    for (uint64_t i = 0; i < blocks; i++) {
        stle32(map + i * 4, (uint32_t)i);
    }
    err = err || !map_bytes ? err : node_pwrite(file, VDI_HEADER, map, map_bytes, 0);
    free(map);
    return err ? err : node_truncate(file, data + blocks * DEFAULT_BLOCK, false, PREALLOC_OFF, NULL) ? 0 : -ENOSPC;
}

static bool vdi_create(const char *filename, const Json *options, Error **errp)
{
    uint64_t size;
    bool is_static;

    if (!opts_size(options, "size", 0, &size, errp) || !opts_bool(options, "static", false, &is_static, errp)) {
        return false;
    }
    if (size > (uint64_t)MAX_BLOCKS * DEFAULT_BLOCK) {
        error_set(errp, "Unsupported VDI image size (size is 0x%" PRIx64 ", max supported is 0x%" PRIx64 ")", size, (uint64_t)MAX_BLOCKS * DEFAULT_BLOCK);
        return false;
    }
    BlockNode *file = format_create_file(filename, options, errp);
    if (!file) {
        return false;
    }
    int err = write_image(file, ROUND_UP(size, (uint64_t)512), is_static);
    if (err) {
        error_set_errno(errp, -err, "Error writing header");
    }
    node_unref(file);
    return !err;
}

/* -- the driver ------------------------------------------------------------------------------------------------------ */

static int vdi_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    VdiState *s = node->state;
    int err = blockmap_status(&s->map, offset, bytes, ret);

    /* The blocks of a static image are there, but perhaps as holes of the file. */
    ret->flags |= !err && s->is_static && ret->flags & STATUS_DATA ? STATUS_RECURSE : 0;
    return err;
}

static void vdi_info(BlockNode *node, BlockInfo *ret)
{
    *ret = (BlockInfo){ .cluster_size = ((VdiState *)node->state)->map.block_bytes };
}

typedef struct CountFix {
    VdiState *s;
    uint32_t count;
} CountFix;

static int fix_count(void *opaque)
{
    CountFix *f = opaque;
    uint8_t le[4];

    stle32(le, f->count);
    f->s->allocated = f->count;
    int err = meta_write(&f->s->map.meta, VDI_ALLOCATED, le, sizeof(le), 0);
    err = err ? err : meta_write_all(&f->s->map.meta);
    return err ? err : node_co_flush(f->s->map.file);
}

static bool vdi_check(BlockNode *node, BlockCheck *check, unsigned fix, Error **errp)
{
    VdiState *s = node->state;
    BlockMapCheck how = { s->data_offset, s->map.block_bytes, s->data_offset };

    blockmap_check(&s->map, &how, check, fix);
    uint32_t used = (uint32_t)DIV_ROUND_UP(how.end - s->data_offset, s->map.block_bytes);
    if (used != s->allocated) {
        bool few = used > s->allocated, repair = fix & (few ? CHECK_FIX_ERRORS : CHECK_FIX_LEAKS) && !node->readonly;
        block_check_say(check, "%s the header counts %" PRIu32 " blocks, there are %" PRIu32, repair ? "Repairing" : few ? "ERROR" : "Leaked", s->allocated, used);
        uint64_t n = few ? 1 : s->allocated - used;
        repair = repair && !node_run(node, fix_count, &(CountFix){ s, used });
        *(few ? repair ? &check->corruptions_fixed : &check->corruptions : repair ? &check->leaks_fixed : &check->leaks) += n;
    }
    /* The reference's tools say nothing about clusters of this format. */
    check->has_clusters = false;
    check->total_clusters = check->allocated_clusters = check->fragmented_clusters = 0;
    return true;
}

static const BlockOption no_options[] = { { NULL } };

const BlockDriver block_vdi = {
    .name = "vdi", .summary = "VirtualBox' disk images", .kind = DRIVER_FORMAT, .state_bytes = sizeof(VdiState), .options = no_options,
    .create_options = vdi_create_options, .zero_init = true, .probe = vdi_probe, .open = vdi_open, .close = vdi_close, .create = vdi_create,
    .co_read = map_co_read, .co_write = map_co_write, .co_zero = map_co_zero, .co_discard = map_co_discard, .co_flush = map_co_flush, .co_status = vdi_status,
    .info = vdi_info, .check = vdi_check,
};
