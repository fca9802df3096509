/*
 * vpc.c: "vpc", the VHD images of Virtual PC, Virtual Server and early Hyper-V.
 *
 * "Virtual Hard Disk Image Format Specification" 1.0 (Microsoft, 2006): fixed disks (data and a footer) and dynamic ones (a copy of the footer,
 * a header, a table of blocks, the blocks each behind a bitmap of its sectors, the footer). Not: differencing disks. Bitmaps are not
 * looked at, as blocks are zeros where nothing was written; those of blocks that are written get all their bits.
 *
 * The size is that of the footer's geometry if Virtual PC or the reference wrote it, else the footer's own; force_size_calc chooses.
 *
 * Order: a block's bitmap and data are stable before the table names it. The last footer is overwritten by the block that follows it and is
 * written anew when the image is flushed; after a crash in between the copy in front has all it had.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "block/blockmap.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/bits.h"

enum {
    FOOTER_BYTES = 512, HEADER_BYTES = 1024, SECTOR = 512,
    AT_FEATURES = 8, AT_VERSION = 12, AT_DATA = 16, AT_TIME = 24, AT_APP = 28, AT_APP_VERSION = 32, AT_OS = 36, AT_ORIGINAL = 40, AT_SIZE = 48,
    AT_CYLINDERS = 56, AT_HEADS = 58, AT_SECTORS = 59, AT_TYPE = 60, AT_CHECKSUM = 64, AT_UUID = 68,
    HEADER_TABLE = 16, HEADER_VERSION = 24, HEADER_ENTRIES = 28, HEADER_BLOCK = 32, HEADER_CHECKSUM = 36,
    TYPE_FIXED = 2, TYPE_DYNAMIC = 3, TYPE_DIFFERENCING = 4, DEFAULT_BLOCK = 2 << 20,
};
#define NO_BLOCK 0xffffffffu
#define MAX_CHS_SECTORS (65535ull * 16 * 255)
#define MAX_BYTES (2040 * GiB)
#define EPOCH_2000 946684800

typedef struct VpcState {
    BlockMap map;                 /* dynamic */
    uint8_t footer[FOOTER_BYTES];
    bool is_dynamic, footer_is_old;
    uint64_t table, bitmap_bytes;
    uint64_t *marked;             /* a bit for each block whose bitmap is known to be full */
} VpcState;

static uint32_t checksum(const uint8_t *data, size_t bytes, size_t skip)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < bytes; i++) {
        sum += i >= skip && i < skip + 4 ? 0 : data[i];
    }
    return ~sum;
}

static unsigned vpc_probe(const uint8_t *head, size_t bytes, const char *filename)
{
    return bytes >= 8 && !memcmp(head, "conectix", 8) ? 100 : 0;
}

/* -- dynamic disks --------------------------------------------------------------------------------------------------- */

static int vpc_get(BlockMap *m, uint64_t index, BlockEntry *ret)
{
    const VpcState *s = m->opaque;
    uint8_t be[4];
    int err = meta_read(&m->meta, s->table + index * 4, be, sizeof(be));

    ret->kind = BLOCK_ZERO;
    if (!err && ldbe32(be) != NO_BLOCK) {
        ret->kind = BLOCK_DATA;
        ret->host = ldbe32(be) * (uint64_t)SECTOR + s->bitmap_bytes;
    }
    return err;
}

static int vpc_set(BlockMap *m, uint64_t index, const BlockEntry *e)
{
    VpcState *s = m->opaque;
    uint64_t sector = (e->host - s->bitmap_bytes) / SECTOR;
    uint8_t be[4];

    if (e->kind == BLOCK_DATA && sector >= NO_BLOCK) {
        return -EFBIG;
    }
    s->marked[index / 64] |= 1ull << (index % 64);
    stbe32(be, e->kind == BLOCK_DATA ? (uint32_t)sector : NO_BLOCK);
    return meta_write(&m->meta, s->table + index * 4, be, sizeof(be), 1);
}

static int vpc_alloc(BlockMap *m, uint64_t n, uint64_t *ret_host)
{
    VpcState *s = m->opaque;
    uint64_t at = m->end;

    if (at / SECTOR + (s->bitmap_bytes + m->block_bytes) / SECTOR >= NO_BLOCK) {
        return -EFBIG;
    }
    m->end = at + s->bitmap_bytes + m->block_bytes;
    s->footer_is_old = true;
    uint8_t *bitmap = xmalloc(s->bitmap_bytes);
    memset(bitmap, 0xff, s->bitmap_bytes);
    int err = node_co_pwrite(m->file, at, bitmap, s->bitmap_bytes, 0);
    free(bitmap);
    *ret_host = at + s->bitmap_bytes;
    return err;
}

static const BlockMapOps vpc_map_ops = { .get = vpc_get, .set = vpc_set, .alloc = vpc_alloc, .max_run = 1 };

/* Others know by the bitmap what was written. */
static int mark_blocks(VpcState *s, uint64_t offset, uint64_t bytes)
{
    BlockMap *m = &s->map;
    int err = 0;

    for (uint64_t i = offset / m->block_bytes; i <= (offset + bytes - 1) / m->block_bytes && i < m->n_blocks && !err; i++) {
        BlockEntry e = { 0 };
        if (s->marked[i / 64] >> (i % 64) & 1) {
            continue;
        }
        co_mutex_lock(&m->lock);
        err = vpc_get(m, i, &e);
        if (!err && e.kind == BLOCK_DATA) {
            uint8_t *bitmap = xmalloc(s->bitmap_bytes);
            memset(bitmap, 0xff, s->bitmap_bytes);
            err = node_co_pwrite(m->file, e.host - s->bitmap_bytes, bitmap, s->bitmap_bytes, 0);
            free(bitmap);
            s->marked[i / 64] |= err ? 0 : 1ull << (i % 64);
        }
        co_mutex_unlock(&m->lock);
    }
    return err;
}

/* -- opening --------------------------------------------------------------------------------------------------------- */

static const BlockOption vpc_options[] = {
    { "force_size_calc", OPTION_STRING, "Force disk size calculation to use either CHS geometry, or use the disk current_size specified in the VHD footer. {chs, current_size}", NULL },
    { NULL },
};

static bool choose_size(BlockNode *node, Json *options, Error **errp)
{
    VpcState *s = node->state;
    const uint8_t *f = s->footer;
    const char *how = NULL;
    uint64_t chs = (uint64_t)ldbe16(f + AT_CYLINDERS) * f[AT_HEADS] * f[AT_SECTORS], size = ldbe64(f + AT_SIZE);

    if (!opts_string(options, "force_size_calc", NULL, &how, errp)) {
        return false;
    }
    bool by_chs = !memcmp(f + AT_APP, "vpc ", 4) || !memcmp(f + AT_APP, "qemu", 4);
    if (how && strcmp(how, "chs") && strcmp(how, "current_size")) {
        error_set(errp, "Invalid size calculation mode: '%s'", how);
        return false;
    }
    by_chs = how ? !strcmp(how, "chs") : by_chs;
    json_drop(options, "force_size_calc");
    if (by_chs && chs && chs < MAX_CHS_SECTORS) { /* the largest geometry says nothing */
        size = chs * SECTOR;
    }
    node->size_bytes = ROUND_DOWN(size, (uint64_t)SECTOR);
    if (size > MAX_BYTES) {
        error_set(errp, "the disk is larger than a VHD image can be");
        return false;
    }
    return true;
}

static bool open_dynamic(BlockNode *node, Error **errp)
{
    VpcState *s = node->state;
    BlockNode *file = node_file(node);
    uint8_t h[HEADER_BYTES];
    uint64_t at = ldbe64(s->footer + AT_DATA);
    int err = at > INT64_MAX - HEADER_BYTES ? -EINVAL : node_pread(file, at, h, sizeof(h));

    if (err) {
        error_set_errno(errp, -err, "Error reading dynamic VHD header");
        return false;
    }
    if (memcmp(h, "cxsparse", 8)) {
        error_set(errp, "Invalid header magic");
        return false;
    }
    if (ldbe32(h + HEADER_CHECKSUM) != checksum(h, sizeof(h), HEADER_CHECKSUM)) {
        error_set(errp, "Incorrect header checksum");
        return false;
    }
    uint64_t block = ldbe32(h + HEADER_BLOCK), entries = ldbe32(h + HEADER_ENTRIES), table = ldbe64(h + HEADER_TABLE);
    if (!bits_is_pow2(block) || block < SECTOR * 8) {
        error_set(errp, "Invalid block size %" PRIu64, block);
        return false;
    }
    if (entries > (uint64_t)INT32_MAX / 4) {
        error_set(errp, "Too many blocks");
        return false;
    }
    if (entries * block < node->size_bytes) {
        error_set(errp, "Page table too small");
        return false;
    }
    if (table < HEADER_BYTES || table % SECTOR || table > INT64_MAX - entries * 4 || table + entries * 4 > MAX(file->size_bytes, 1u)) {
        error_set(errp, "Invalid table offset %" PRIu64, table);
        return false;
    }
    s->is_dynamic = true;
    s->table = table;
    s->bitmap_bytes = ROUND_UP(block / SECTOR / 8, (uint64_t)SECTOR);
    blockmap_init(&s->map, &vpc_map_ops, node, file, block, entries, table + entries * 4);
    s->map.opaque = s;
    s->marked = xnew_array(uint64_t, entries / 64 + 1);
    /* The next block begins where the footer is; without one at the end of the file. */
    uint8_t last[FOOTER_BYTES] = { 0 };
    uint64_t end = ROUND_UP(MAX(file->size_bytes, table + ROUND_UP(entries * 4, (uint64_t)SECTOR)), (uint64_t)SECTOR);
    if (end == file->size_bytes && !node_pread(file, end - FOOTER_BYTES, last, sizeof(last)) && !memcmp(last, "conectix", 8)) {
        end -= FOOTER_BYTES;
    } else {
        s->footer_is_old = true; /* lost in a crash */
    }
    s->map.end = end;
    return true;
}

static bool vpc_open(BlockNode *node, Json *options, Error **errp)
{
    VpcState *s = node->state;
    BlockNode *file = node_file(node);
    uint8_t *f = s->footer;
    int err = node_pread(file, 0, f, FOOTER_BYTES);

    if (err) {
        error_set_errno(errp, -err, "Unable to read VHD header");
        return false;
    }
    bool dynamic = !memcmp(f, "conectix", 8);
    if (!dynamic) {
        if (file->size_bytes < FOOTER_BYTES) {
            error_set(errp, "File too small for a VHD header");
            return false;
        }
        err = node_pread(file, file->size_bytes - FOOTER_BYTES, f, FOOTER_BYTES);
        if (err || memcmp(f, "conectix", 8)) {
            error_set(errp, "invalid VPC image");
            return false;
        }
    }
    if (ldbe32(f + AT_CHECKSUM) != checksum(f, FOOTER_BYTES, AT_CHECKSUM)) {
        error_set(errp, "Incorrect header checksum");
        return false;
    }
    uint32_t type = ldbe32(f + AT_TYPE);
    if (type != TYPE_FIXED && type != TYPE_DYNAMIC) {
        error_set(errp, type == TYPE_DIFFERENCING ? "differencing VHD images are not supported" : "unknown type %" PRIu32 " of a VHD image", type);
        return false;
    }
    if (!choose_size(node, options, errp)) {
        return false;
    }
    if (type == TYPE_DYNAMIC) {
        return open_dynamic(node, errp);
    }
    if (dynamic || node->size_bytes > file->size_bytes - FOOTER_BYTES) {
        error_set(errp, "the file is shorter than the fixed disk in it");
        return false;
    }
    return true;
}

static void vpc_close(BlockNode *node)
{
    VpcState *s = node->state;

    if (s->is_dynamic) {
        blockmap_finish(&s->map);
    }
    free(s->marked);
}

/* -- creating -------------------------------------------------------------------------------------------------------- */

static const BlockOption vpc_create_options[] = {
    { "size", OPTION_SIZE, "Virtual disk size", NULL },
    { "subformat", OPTION_STRING, "Type of virtual hard disk format. Supported formats are {dynamic (default) | fixed} ", NULL },
    { "force_size", OPTION_BOOL, "Force disk size calculation to use the actual size specified, rather than using the nearest CHS-based calculation", NULL },
    { NULL },
};

/* Appendix "CHS Calculation". */
static void geometry(uint64_t sectors, uint64_t *ret_cylinders, unsigned *ret_heads, unsigned *ret_per_track)
{
    uint64_t by_heads;
    unsigned heads, per_track;

    sectors = MIN(sectors, MAX_CHS_SECTORS);
    if (sectors > 65535ull * 16 * 63) {
        per_track = 255;
        heads = 16;
        by_heads = sectors / per_track;
    } else {
        per_track = 17;
        by_heads = sectors / per_track;
        heads = MAX((unsigned)((by_heads + 1023) / 1024), 4u);
        if (by_heads >= heads * 1024ull || heads > 16) {
            per_track = 31;
            heads = 16;
            by_heads = sectors / per_track;
        }
        if (by_heads >= heads * 1024ull) {
            per_track = 63;
            heads = 16;
            by_heads = sectors / per_track;
        }
    }
    *ret_cylinders = by_heads / heads;
    *ret_heads = heads;
    *ret_per_track = per_track;
}

static void make_footer(uint8_t *f, uint64_t sectors, uint64_t cylinders, unsigned heads, unsigned per_track, bool fixed, bool force)
{
    memset(f, 0, FOOTER_BYTES);
    memcpy(f, "conectix", 8);
    stbe32(f + AT_FEATURES, 2); /* reserved, always set */
    stbe32(f + AT_VERSION, 0x00010000);
    stbe64(f + AT_DATA, fixed ? UINT64_MAX : FOOTER_BYTES);
    stbe32(f + AT_TIME, (uint32_t)(time(NULL) - EPOCH_2000));
    memcpy(f + AT_APP, force ? "qem2" : "qemu", 4); /* by which readers know how the size is meant */
    stbe32(f + AT_APP_VERSION, 0x00050003);
    memcpy(f + AT_OS, "Wi2k", 4);
    stbe64(f + AT_ORIGINAL, sectors * SECTOR);
    stbe64(f + AT_SIZE, sectors * SECTOR);
    stbe16(f + AT_CYLINDERS, (uint16_t)cylinders);
    f[AT_HEADS] = (uint8_t)heads;
    f[AT_SECTORS] = (uint8_t)per_track;
    stbe32(f + AT_TYPE, fixed ? TYPE_FIXED : TYPE_DYNAMIC);
    format_uuid(f + AT_UUID);
    stbe32(f + AT_CHECKSUM, checksum(f, FOOTER_BYTES, AT_CHECKSUM));
}

static int write_dynamic(BlockNode *file, const uint8_t *footer, uint64_t sectors)
{
    uint64_t entries = DIV_ROUND_UP(sectors, (uint64_t)DEFAULT_BLOCK / SECTOR), table = FOOTER_BYTES + HEADER_BYTES, bytes = ROUND_UP(entries * 4, (uint64_t)SECTOR);
    uint8_t h[HEADER_BYTES] = "cxsparse";

    stbe64(h + 8, UINT64_MAX);
    stbe64(h + HEADER_TABLE, table);
    stbe32(h + HEADER_VERSION, 0x00010000);
    stbe32(h + HEADER_ENTRIES, (uint32_t)entries);
    stbe32(h + HEADER_BLOCK, DEFAULT_BLOCK);
    stbe32(h + HEADER_CHECKSUM, checksum(h, sizeof(h), HEADER_CHECKSUM));
    int err = node_pwrite(file, 0, footer, FOOTER_BYTES, 0);
    err = err ? err : node_pwrite(file, FOOTER_BYTES, h, sizeof(h), 0);
    err = err ? err : format_fill(file, table, bytes, 0xff);
    return err ? err : node_pwrite(file, table + bytes, footer, FOOTER_BYTES, 0);
}

static bool vpc_create(const char *filename, const Json *options, Error **errp)
{
    uint64_t size, cylinders = 0;
    unsigned heads = 0, per_track = 0;
    bool force;
    const char *subformat;

    if (!opts_size(options, "size", 0, &size, errp) || !opts_bool(options, "force_size", false, &force, errp) ||
        !opts_string(options, "subformat", "dynamic", &subformat, errp)) {
        return false;
    }
    bool fixed = !strcmp(subformat, "fixed");
    if (!fixed && strcmp(subformat, "dynamic")) {
        error_set(errp, "Parameter 'subformat' does not accept value '%s'", subformat);
        return false;
    }
    uint64_t sectors = DIV_ROUND_UP(size, (uint64_t)SECTOR);
    if (size > MAX_BYTES) {
        error_set(errp, "The image size is too large for file format 'vpc'");
        return false;
    }
    if (force) {
        cylinders = 65535;
        heads = 16;
        per_track = 255;
    } else {
        /* The smallest geometry that holds all sectors; where none does, its size says nothing. */
        for (uint64_t more = 0; cylinders * heads * per_track < MIN(sectors, MAX_CHS_SECTORS) || !heads; more++) {
            geometry(sectors + more, &cylinders, &heads, &per_track);
        }
        sectors = cylinders * heads * per_track < MAX_CHS_SECTORS ? cylinders * heads * per_track : sectors;
    }
    BlockNode *file = format_create_file(filename, options, errp);
    if (!file) {
        return false;
    }
    uint8_t footer[FOOTER_BYTES];
    int err;
    make_footer(footer, sectors, cylinders, heads, per_track, fixed, force);
    if (fixed) {
        err = node_truncate(file, sectors * SECTOR, false, PREALLOC_OFF, NULL) ? 0 : -ENOSPC;
        err = err ? err : node_pwrite(file, sectors * SECTOR, footer, FOOTER_BYTES, 0);
    } else {
        err = write_dynamic(file, footer, sectors);
    }
    if (err) {
        error_set_errno(errp, -err, "Could not write the image");
    }
    node_unref(file);
    return !err;
}

/* -- requests -------------------------------------------------------------------------------------------------------- */

static int vpc_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    VpcState *s = node->state;
    return s->is_dynamic ? blockmap_read(&s->map, offset, bytes, sg) : node_co_read(node_file(node), offset, bytes, sg, 0);
}

/* Behind a fixed disk there is its footer. */
static int check_range(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    return offset + bytes > node->size_bytes ? -EIO : 0;
}

static int vpc_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    VpcState *s = node->state;
    int err = check_range(node, offset, bytes);

    if (err || !s->is_dynamic) {
        return err ? err : node_co_write(node_file(node), offset, bytes, sg, 0);
    }
    err = mark_blocks(s, offset, bytes);
    return err ? err : blockmap_write(&s->map, offset, bytes, sg);
}

static int vpc_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    VpcState *s = node->state;
    int err = check_range(node, offset, bytes);

    if (err || !s->is_dynamic) {
        return err ? err : node_co_zero(node_file(node), offset, bytes, flags);
    }
    return blockmap_zero(&s->map, offset, bytes, flags);
}

static int vpc_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    VpcState *s = node->state;
    int err = check_range(node, offset, bytes);
    return err ? err : s->is_dynamic ? blockmap_discard(&s->map, offset, bytes) : node_co_discard(node_file(node), offset, bytes);
}

static int vpc_flush(BlockNode *node)
{
    VpcState *s = node->state;

    if (!s->is_dynamic) {
        return 0;
    }
    int err = blockmap_flush(&s->map);
    co_mutex_lock(&s->map.lock);
    if (!err && s->footer_is_old) {
        s->footer_is_old = false;
        err = node_co_pwrite(node_file(node), s->map.end, s->footer, FOOTER_BYTES, 0);
        s->footer_is_old |= err != 0;
    }
    co_mutex_unlock(&s->map.lock);
    return err;
}

static int vpc_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    VpcState *s = node->state;

    if (s->is_dynamic) {
        return blockmap_status(&s->map, offset, bytes, ret);
    }
    *ret = (BlockStatus){ .flags = STATUS_DATA | STATUS_MAPPED | STATUS_RECURSE, .bytes = bytes, .map_node = node_file(node), .map_offset = offset };
    return 0;
}

static void vpc_info(BlockNode *node, BlockInfo *ret)
{
    const VpcState *s = node->state;
    *ret = (BlockInfo){ .cluster_size = s->is_dynamic ? s->map.block_bytes : 0 };
}

const BlockDriver block_vpc = {
    .name = "vpc", .summary = "VHD images of Virtual PC and Hyper-V", .kind = DRIVER_FORMAT, .state_bytes = sizeof(VpcState), .options = vpc_options,
    .create_options = vpc_create_options, .zero_init = true, .probe = vpc_probe, .open = vpc_open, .close = vpc_close, .create = vpc_create,
    .co_read = vpc_read, .co_write = vpc_write, .co_zero = vpc_zero, .co_discard = vpc_discard, .co_flush = vpc_flush, .co_status = vpc_status,
    .info = vpc_info,
};
