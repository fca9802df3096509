/*
 * log.c: replaying the log ([MS-VHDX] 2.3), which another writer left when it was interrupted.
 *
 * The log is a ring of entries of whole 4 KiB sectors. Those of one sequence have numbers one after the other; the last one says where the
 * first that still counts begins (tail). Each has descriptors: zeros for a range, or the contents of a sector of 4 KiB.
 *
 * A damaged log must not cost more than a whole one: the checksum of an entry is looked at once, and all together over so many bytes as some
 * rings have.
 */
#include <errno.h>
#include <string.h>

#include "block/vhdx/vhdx.h"
#include "util/alloc.h"

enum {
    LOG_SECTOR = 4096, LOG_HEADER_BYTES = 64, DESCRIPTOR_BYTES = 32,
    ENTRY_CHECKSUM = 4, ENTRY_LENGTH = 8, ENTRY_TAIL = 12, ENTRY_SEQUENCE = 16, ENTRY_COUNT = 24, ENTRY_GUID = 32, ENTRY_FLUSHED = 48, ENTRY_LAST = 56,
    DESCRIPTOR_TRAILING = 4, DESCRIPTOR_LEADING = 8, DESCRIPTOR_OFFSET = 16, DESCRIPTOR_SEQUENCE = 24, DATA_HIGH = 4, DATA_LOW = 4092,
    LEADING_BYTES = 8, TRAILING_BYTES = 4,
};

typedef struct Log {
    const uint8_t *ring;
    uint64_t bytes, budget;
    const uint8_t *guid;
    uint8_t *flat;               /* an entry in one piece */
    uint8_t *known;              /* for each sector: whether an entry begins there */
} Log;
enum { NOT_LOOKED_AT, WHOLE, NOT_WHOLE, BUDGET_RINGS = 4 };

static bool entry_is_whole(Log *l, const uint8_t *h);

/* The entry at `at`, in l->flat if it goes around the end; NULL: there is none that is whole. */
static const uint8_t *entry_at(Log *l, uint64_t at)
{
    uint8_t *known = &l->known[at / LOG_SECTOR];
    const uint8_t *h = l->ring + at;
    uint64_t length = ldle32(h + ENTRY_LENGTH), count = ldle32(h + ENTRY_COUNT);

    if (memcmp(h, "loge", 4) || memcmp(h + ENTRY_GUID, l->guid, VHDX_GUID) || !length || length % LOG_SECTOR || length > l->bytes ||
        ldle32(h + ENTRY_TAIL) % LOG_SECTOR || ldle32(h + ENTRY_TAIL) >= l->bytes || !ldle64(h + ENTRY_SEQUENCE) ||
        LOG_HEADER_BYTES + count * DESCRIPTOR_BYTES > length || *known == NOT_WHOLE) {
        return NULL;
    }
    if (at + length > l->bytes) {
        memcpy(l->flat, h, l->bytes - at);
        memcpy(l->flat + (l->bytes - at), l->ring, length - (l->bytes - at));
        h = l->flat;
    }
    if (*known == NOT_LOOKED_AT) {
        *known = entry_is_whole(l, h) ? WHOLE : NOT_WHOLE;
    }
    return *known == WHOLE ? h : NULL;
}

static bool entry_is_whole(Log *l, const uint8_t *h)
{
    uint64_t length = ldle32(h + ENTRY_LENGTH), count = ldle32(h + ENTRY_COUNT);

    if (length > l->budget) {
        return false;
    }
    l->budget -= length;
    if (ldle32(h + ENTRY_CHECKSUM) != vhdx_checksum(h, length, ENTRY_CHECKSUM)) {
        return false;
    }
    /* Descriptors and data have the entry's number, so that none is left from before. */
    uint64_t sequence = ldle64(h + ENTRY_SEQUENCE), data = ROUND_UP(LOG_HEADER_BYTES + count * DESCRIPTOR_BYTES, (uint64_t)LOG_SECTOR);
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *d = h + LOG_HEADER_BYTES + i * DESCRIPTOR_BYTES;
        bool is_data = !memcmp(d, "desc", 4);
        if ((!is_data && memcmp(d, "zero", 4)) || ldle64(d + DESCRIPTOR_SEQUENCE) != sequence || ldle64(d + DESCRIPTOR_OFFSET) % LOG_SECTOR ||
            (!is_data && ldle64(d + DESCRIPTOR_LEADING) % LOG_SECTOR)) {
            return false;
        }
        if (is_data) {
            const uint8_t *sector = h + data;
            data += LOG_SECTOR;
            if (data > length || memcmp(sector, "data", 4) || ((uint64_t)ldle32(sector + DATA_HIGH) << 32 | ldle32(sector + DATA_LOW)) != sequence) {
                return false;
            }
        }
    }
    return true;
}

typedef struct Sequence {
    uint64_t first, tail, head, last_number, n;   /* places of entries; tail: where the replay begins */
    uint64_t flushed, last;                       /* sizes of the file */
    bool valid;
} Sequence;

static Sequence follow(Log *l, uint64_t start)
{
    Sequence s = { .first = start };
    uint64_t at = start, number = 0;

    for (;;) {
        const uint8_t *e = entry_at(l, at);
        if (!e || (s.n && ldle64(e + ENTRY_SEQUENCE) != number + 1)) {
            break;
        }
        number = ldle64(e + ENTRY_SEQUENCE);
        s.n++;
        s.head = at;
        s.tail = ldle32(e + ENTRY_TAIL);
        s.flushed = ldle64(e + ENTRY_FLUSHED);
        s.last = ldle64(e + ENTRY_LAST);
        at = (at + ldle32(e + ENTRY_LENGTH)) % l->bytes;
        if (at == start) {
            break;
        }
    }
    s.last_number = number;
    /* It is whole if it begins where its last entry says. */
    s.valid = s.n && s.tail == start;
    return s;
}

static int replay_entry(VhdxState *s, BlockNode *file, const uint8_t *e)
{
    uint64_t count = ldle32(e + ENTRY_COUNT), data = ROUND_UP(LOG_HEADER_BYTES + count * DESCRIPTOR_BYTES, (uint64_t)LOG_SECTOR);
    uint64_t end = s->log_offset + s->log_bytes;
    uint8_t sector[LOG_SECTOR];
    int err = 0;

    for (uint64_t i = 0; i < count && !err; i++) {
        const uint8_t *d = e + LOG_HEADER_BYTES + i * DESCRIPTOR_BYTES;
        uint64_t at = ldle64(d + DESCRIPTOR_OFFSET), bytes = memcmp(d, "desc", 4) ? ldle64(d + DESCRIPTOR_LEADING) : LOG_SECTOR;
        /* Neither headers nor the log are in the log, and what is must be in the file. */
        if (at < VHDX_REGIONS_1 || at > file->size_bytes || bytes > file->size_bytes - at || (at < end && at + bytes > s->log_offset)) {
            return -EINVAL;
        }
        if (memcmp(d, "desc", 4)) {
            err = bytes ? node_zero(file, at, bytes, 0) : 0;
            continue;
        }
        /* The sector's own first and last bytes are in the descriptor. */
        memcpy(sector, e + data, LOG_SECTOR);
        memcpy(sector, d + DESCRIPTOR_LEADING, LEADING_BYTES);
        memcpy(sector + LOG_SECTOR - TRAILING_BYTES, d + DESCRIPTOR_TRAILING, TRAILING_BYTES);
        data += LOG_SECTOR;
        err = node_pwrite(file, at, sector, LOG_SECTOR, 0);
    }
    return err;
}

static int replay(BlockNode *node, Log *l, const Sequence *q)
{
    VhdxState *s = node->state;
    BlockNode *file = node_file(node);
    uint64_t at = q->tail;

    if (q->last > file->size_bytes && !node_truncate(file, q->last, false, PREALLOC_OFF, NULL)) {
        return -ENOSPC;
    }
    for (;;) {
        const uint8_t *e = entry_at(l, at);
        int err = e ? replay_entry(s, file, e) : -EINVAL;
        if (err || at == q->head) {
            return err ? err : node_flush(file);
        }
        at = (at + ldle32(e + ENTRY_LENGTH)) % l->bytes;
    }
}

bool vhdx_replay_log(BlockNode *node, Error **errp)
{
    VhdxState *s = node->state;
    BlockNode *file = node_file(node);
    uint8_t *ring = xmalloc(s->log_bytes);
    Log l = { ring, s->log_bytes, BUDGET_RINGS * s->log_bytes, s->header + HEADER_LOG_GUID, xmalloc(s->log_bytes), xcalloc(s->log_bytes / LOG_SECTOR, 1) };
    Sequence best = { 0 };

    int err = node_pread(file, s->log_offset, ring, s->log_bytes);
    for (uint64_t at = 0; at < s->log_bytes && !err; at += LOG_SECTOR) {
        Sequence q = memcmp(ring + at, "loge", 4) ? (Sequence){ 0 } : follow(&l, at);
        if (q.valid && q.last_number > best.last_number) {
            best = q;
        }
    }
    const char *why = NULL;
    if (!err && !best.valid) {
        why = "the log of the image has no whole entry";
    } else if (!err && (best.flushed > file->size_bytes || best.last > (uint64_t)INT64_MAX / 2)) {
        why = "the file is shorter than its log says";
    } else if (!err) {
        err = replay(node, &l, &best);
    }
    if (!err && !why) {
        memset(s->header + HEADER_LOG_GUID, 0, VHDX_GUID);
        err = vhdx_write_header(file, s->header, &s->header_at);
        s->log_replayed = true;
    }
    if (why) {
        error_set(errp, "VHDX log cannot be replayed: %s", why);
    } else if (err) {
        error_set_errno(errp, -err, "VHDX log cannot be replayed");
    }
    free(ring);
    free(l.flat);
    free(l.known);
    return !err && !why;
}
