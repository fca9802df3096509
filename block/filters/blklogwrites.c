/*
 * blklogwrites.c: "blklogwrites": a log of writes, flushes and discards, in order, as dm-log-writes of Linux has it and its replayers read it.
 *
 * The log is sectors: a superblock, then for each request an entry in a sector of its own, followed by its data. The superblock says how many
 * entries there are; it is written when the disk is flushed, and after so many entries. All numbers are little-endian.
 */
#include <errno.h>
#include <string.h>

#include "block/filters/filter.h"
#include "util/alloc.h"
#include "util/bits.h"

#define LOG_MAGIC 0x6a736677736872ull
enum { LOG_VERSION = 1, LOG_FLUSH = 1, LOG_FUA = 2, LOG_DISCARD = 4, SUPER_BYTES = 28, ENTRY_BYTES = 32 };

typedef struct LogState {
    uint64_t sector_bytes, interval;
    uint64_t entries, next;      /* next: sector of the log */
    CoMutex lock;
} LogState;

static const BlockOption log_options[] = {
    { "file", OPTION_NODE, "the disk", NULL },
    { "log", OPTION_NODE, "where the log goes", NULL },
    { "log-sector-size", OPTION_SIZE, "Log sector size", "512" },
    { "log-append", OPTION_BOOL, "Append to an existing log", "off" },
    { "log-super-update-interval", OPTION_NUMBER, "Log superblock update interval (# of write requests)", "4096" },
    { NULL },
};

static BlockNode *log_of(const BlockNode *node) { return edge_node(node_child(node, "log")); }

static void build_super(const LogState *s, uint8_t *sector)
{
    memset(sector, 0, s->sector_bytes);
    stle64(sector, LOG_MAGIC);
    stle64(sector + 8, LOG_VERSION);
    stle64(sector + 16, s->entries);
    stle32(sector + 24, (uint32_t)s->sector_bytes);
}

/* Where an existing log ends. */
static bool find_end(BlockNode *node, Error **errp)
{
    LogState *s = node->state;
    BlockNode *log = log_of(node);
    uint8_t super[SUPER_BYTES], entry[ENTRY_BYTES];
    int err = node_pread(log, 0, super, sizeof(super));

    if (err || ldle64(super) != LOG_MAGIC || ldle64(super + 8) != LOG_VERSION) {
        error_set(errp, err ? "Could not read log superblock" : ldle64(super) == LOG_MAGIC ? "Unsupported log version" : "Invalid log superblock magic");
        return false;
    }
    s->sector_bytes = ldle32(super + 24);
    if (s->sector_bytes < 512 || s->sector_bytes > 8 * MiB || !bits_is_pow2(s->sector_bytes)) {
        error_set(errp, "Invalid log sector size %" PRIu64, s->sector_bytes);
        return false;
    }
    s->entries = ldle64(super + 16);
    s->next = 1;
    for (uint64_t i = 0; i < s->entries; i++) {
        if (s->next * s->sector_bytes >= log->size_bytes || node_pread(log, s->next * s->sector_bytes, entry, sizeof(entry))) {
            error_set(errp, "Failed to read log entry %" PRIu64, i);
            return false;
        }
        uint64_t flags = ldle64(entry + 16), n = ldle64(entry + 8);
        if (flags & ~15ull || (!(flags & LOG_DISCARD) && n > log->size_bytes / s->sector_bytes)) {
            error_set(errp, "Invalid log entry %" PRIu64, i);
            return false;
        }
        s->next += 1 + (flags & LOG_DISCARD ? 0 : n);
    }
    return true;
}

static bool log_open(BlockNode *node, Json *options, Error **errp)
{
    LogState *s = node->state;
    bool append;

    s->interval = 4096;
    s->sector_bytes = 512;
    s->next = 1;
    co_mutex_init(&s->lock);
    if (!filter_open_child(node, options, "file", errp) || !node_open_child(node, options, "log", ROLE_DATA | ROLE_METADATA, NULL, false, errp) ||
        !opts_bool(options, "log-append", false, &append, errp) || !opts_size(options, "log-sector-size", 512, &s->sector_bytes, errp) ||
        !opts_uint(options, "log-super-update-interval", 4096, &s->interval, errp)) {
        return false;
    }
    if (append && json_get(options, "log-sector-size")) {
        error_set(errp, "log-append and log-sector-size are mutually exclusive");
        return false;
    }
    if (s->sector_bytes < 512 || s->sector_bytes > 8 * MiB || !bits_is_pow2(s->sector_bytes)) {
        error_set(errp, "Invalid log sector size %" PRIu64, s->sector_bytes);
        return false;
    }
    if (!s->interval) {
        error_set(errp, "Invalid log superblock update interval 0");
        return false;
    }
    if (append && !find_end(node, errp)) {
        return false;
    }
    node->request_align = MAX(node->request_align, (uint32_t)s->sector_bytes);
    for (size_t i = 0; log_options[i].name; i++) {
        json_drop(options, log_options[i].name);
    }
    return true;
}

static void log_child_perm(BlockNode *node, const BlockEdge *edge, unsigned perm, unsigned shared, unsigned *ret_perm, unsigned *ret_shared)
{
    bool filtered = edge->role & ROLE_FILTERED;

    *ret_perm = filtered ? perm : perm & PERM_READ ? PERM_READ | (perm & PERM_WRITE ? PERM_WRITE | PERM_RESIZE : 0) : perm & PERM_WRITE ? PERM_WRITE | PERM_RESIZE : 0;
    *ret_shared = filtered ? shared : PERM_READ | PERM_WRITE_UNCHANGED;
}

/* An entry and its data, once the request is done. */
static int log_entry(BlockNode *node, uint64_t offset, uint64_t bytes, const Sg *sg, unsigned flags)
{
    LogState *s = node->state;
    BlockNode *log = log_of(node);
    uint8_t *sector = node_alloc(log, s->sector_bytes);

    co_mutex_lock(&s->lock);
    uint64_t at = s->next * s->sector_bytes, n = bytes / s->sector_bytes;
    memset(sector, 0, s->sector_bytes);
    stle64(sector, offset / s->sector_bytes);
    stle64(sector + 8, n);
    stle64(sector + 16, flags);
    stle64(sector + 24, 0);
    s->next += 1 + (flags & LOG_DISCARD ? 0 : n);
    s->entries++;
    bool super = flags & LOG_FLUSH || s->entries % s->interval == 0;
    int err = node_co_pwrite(log, at, sector, s->sector_bytes, 0);
    if (!err && bytes && !(flags & LOG_DISCARD)) {
        err = sg ? node_co_write(log, at + s->sector_bytes, bytes, *sg, 0) : node_co_zero(log, at + s->sector_bytes, bytes, 0);
    }
    if (!err && super) {
        build_super(s, sector);
        err = node_co_pwrite(log, 0, sector, s->sector_bytes, 0);
        err = err ? err : node_co_flush(log);
    }
    co_mutex_unlock(&s->lock);
    free(sector);
    return err;
}

static int log_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    int err = filter_co_write(node, offset, bytes, sg, flags);
    return err ? err : log_entry(node, offset, bytes, &sg, flags & REQ_FUA ? LOG_FUA : 0);
}

static int log_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    int err = filter_co_zero(node, offset, bytes, flags);
    return err ? err : log_entry(node, offset, bytes, NULL, flags & REQ_FUA ? LOG_FUA : 0);
}

static int log_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    int err = filter_co_discard(node, offset, bytes);
    return err ? err : log_entry(node, offset, bytes, NULL, LOG_DISCARD);
}

static int log_flush(BlockNode *node)
{
    int err = node_co_flush(node_filtered(node));
    return err ? err : log_entry(node, 0, 0, NULL, LOG_FLUSH);
}

const BlockDriver block_blklogwrites = {
    .name = "blklogwrites", .summary = "a log of all writes", .kind = DRIVER_FILTER, .state_bytes = sizeof(LogState), .options = log_options,
    .handles_fua = true, .open = log_open, .child_perm = log_child_perm, .co_read = filter_co_read, .co_write = log_write, .co_zero = log_zero,
    .co_discard = log_discard, .co_flush = log_flush,
};
