/*
 * refcount.c: who uses which cluster of the file, and where new ones come from.
 *
 * New clusters are looked for from `free_hint` upwards, below which none is free. A refcount block for a part of the file that had none is put
 * into the first free cluster, often one that it counts itself. When the table of blocks is full, a larger one is put behind all that the
 * old one can count, with the blocks for itself.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"

#define MAX_FILE_OFFSET (1ull << 56)

/* -- entries --------------------------------------------------------------------------------------------------------- */

uint64_t refcount_read_entry(const Qcow2 *s, const uint8_t *block, uint64_t i)
{
    switch (s->refcount_order) {
    case 0: return block[i / 8] >> (i & 7) & 1;
    case 1: return block[i / 4] >> (i & 3) * 2 & 3;
    case 2: return block[i / 2] >> (i & 1) * 4 & 15;
    case 3: return block[i];
    case 4: return ldbe16(block + i * 2);
    case 5: return ldbe32(block + i * 4);
    default: return ldbe64(block + i * 8);
    }
}

void refcount_write_entry(const Qcow2 *s, uint8_t *block, uint64_t i, uint64_t value)
{
    unsigned shift;

    switch (s->refcount_order) {
    case 0: case 1: case 2:
        shift = (unsigned)(i << s->refcount_order & 7);
        i = i << s->refcount_order >> 3;
        block[i] = (uint8_t)((block[i] & ~(refcount_max(s) << shift)) | value << shift);
        break;
    case 3: block[i] = (uint8_t)value; break;
    case 4: stbe16(block + i * 2, (uint16_t)value); break;
    case 5: stbe32(block + i * 4, (uint32_t)value); break;
    default: stbe64(block + i * 8, value); break;
    }
}

bool refcount_load(Qcow2 *s, Error **errp)
{
    size_t bytes = s->reftable_clusters * s->cluster_size;
    int err = 0;

    s->reftable_entries = (uint32_t)(bytes / 8);
    s->reftable = xcalloc(1, bytes);
    err = node_pread(s->file, s->reftable_offset, s->reftable, bytes);
    if (err) {
        error_set_errno(errp, -err, "Could not read refcount table");
        return false;
    }
    for (uint32_t i = 0; i < s->reftable_entries; i++) {
        s->reftable[i] = ldbe64(&s->reftable[i]) & REFTABLE_OFFSET;
    }
    dirty_parts_init(&s->reftable_dirty, bytes);
    return true;
}

/* The block that counts `cluster`; *ret NULL: there is none, all are free. */
static int block_get(Qcow2 *s, uint64_t cluster, uint8_t **ret)
{
    uint64_t i = cluster >> refblock_bits(s);

    *ret = NULL;
    if (i >= s->reftable_entries || !s->reftable[i]) {
        return 0;
    }
    if (s->reftable[i] & (s->cluster_size - 1)) {
        return mark_corrupt(s, "Refblock offset %#" PRIx64 " unaligned (reftable index: %#" PRIx64 ")", s->reftable[i], i);
    }
    return cache_get(s, &s->refcount_cache, s->reftable[i], false, ret);
}

int refcount_get(Qcow2 *s, uint64_t cluster, uint64_t *ret)
{
    uint8_t *block;
    int err = block_get(s, cluster, &block);

    *ret = 0;
    if (!err && block) {
        *ret = refcount_read_entry(s, block, cluster & ((1ull << refblock_bits(s)) - 1));
        cache_put(&s->refcount_cache, block);
    }
    return err;
}

/* -- looking for free clusters --------------------------------------------------------------------------------------- */

/* The first of `n` free ones in a row. */
static int find_free(Qcow2 *s, uint64_t n, uint64_t *ret)
{
    uint64_t at = MAX(s->free_hint, 1u), run = 0, per_block = 1ull << refblock_bits(s), limit = MAX_FILE_OFFSET >> s->cluster_bits;

    while (run < n && at < limit) {
        uint8_t *block;
        int err = block_get(s, at, &block);
        uint64_t end = (at | (per_block - 1)) + 1;
        if (err) {
            return err;
        }
        if (!block) {
            run += end - at;
            at = end;
            continue;
        }
        for (; at < end && run < n; at++) {
            run = refcount_read_entry(s, block, at & (per_block - 1)) ? 0 : run + 1;
        }
        cache_put(&s->refcount_cache, block);
    }
    *ret = at - run;
    return run < n ? -EFBIG : 0;
}

/* -- refcount blocks ------------------------------------------------------------------------------------------------- */

/*
 * A table for at least `entries` entries. Its clusters and those of the blocks that count them are the first ones the old table cannot
 * count, which therefore nobody uses.
 */
static int grow_table(Qcow2 *s, uint64_t entries)
{
    uint64_t per_block = 1ull << refblock_bits(s), first = (uint64_t)s->reftable_entries << refblock_bits(s);
    uint64_t blocks = 1, table, total, got = 0;

    entries = MAX(entries, (uint64_t)s->reftable_entries + s->reftable_entries / 2 + 1);
    for (;;) {
        uint64_t need = MAX(entries, s->reftable_entries + blocks);
        table = DIV_ROUND_UP(need * 8, s->cluster_size);
        total = table + blocks;
        if (DIV_ROUND_UP(total, per_block) <= blocks) {
            break;
        }
        blocks = DIV_ROUND_UP(total, per_block);
    }
    if (table * s->cluster_size > QCOW2_MAX_REFTABLE_BYTES || first + total > MAX_FILE_OFFSET >> s->cluster_bits) {
        return -EFBIG;
    }
    uint64_t *grown = xcalloc((size_t)(table * s->cluster_size / 8), 8), *old = s->reftable;
    uint8_t *buf = xcalloc(1, (size_t)(total * s->cluster_size));
    memcpy(grown, old, (size_t)s->reftable_entries * 8);
    for (uint64_t b = 0; b < blocks; b++) {
        grown[s->reftable_entries + b] = (first + b) << s->cluster_bits;
        for (uint64_t i = 0; i < per_block && got < total; i++, got++) {
            refcount_write_entry(s, buf + b * s->cluster_size, i, 1);
        }
    }
    for (uint64_t i = 0; i < table * s->cluster_size / 8; i++) {
        stbe64(buf + blocks * s->cluster_size + i * 8, grown[i]);
    }
    /* What the old table had not written yet is in the new one, so its blocks must be there. */
    int err = cache_write_all(s, &s->refcount_cache);
    err = err ? err : node_co_pwrite(s->file, first << s->cluster_bits, buf, (size_t)(total * s->cluster_size), 0);
    err = err ? err : file_flush(s);
    free(buf);
    if (!err) {
        uint8_t head[12];
        stbe64(head, (first + blocks) << s->cluster_bits);
        stbe32(head + 8, (uint32_t)table);
        err = node_co_pwrite(s->file, 48, head, sizeof(head), 0);
        err = err ? err : file_flush(s);
    }
    if (err) {
        free(grown);
        return err;
    }
    uint64_t old_offset = s->reftable_offset, old_clusters = s->reftable_clusters;
    free(old);
    s->reftable = grown;
    s->reftable_offset = (first + blocks) << s->cluster_bits;
    s->reftable_clusters = (uint32_t)table;
    s->reftable_entries = (uint32_t)(table * s->cluster_size / 8);
    dirty_parts_init(&s->reftable_dirty, table * s->cluster_size);
    metadata_forget(s);
    return refcount_change(s, old_offset, old_clusters << s->cluster_bits, -1);
}

/* The block that counts `cluster`, made if there is none. -EAGAIN: it was made, and clusters that were free may be taken. */
static int block_for_write(Qcow2 *s, uint64_t cluster, uint8_t **ret)
{
    uint64_t i = cluster >> refblock_bits(s), at;
    int err = block_get(s, cluster, ret);

    if (err || *ret) {
        return err;
    }
    if (i >= s->reftable_entries) {
        err = grow_table(s, i + 1);
        return err ? err : -EAGAIN;
    }
    node_event(s->file, "refblock_alloc");
    err = find_free(s, 1, &at);
    if (err) {
        return err;
    }
    if (at >> refblock_bits(s) != i) {
        /* It is counted by another block, which may have to be made first. */
        err = refcount_change(s, at << s->cluster_bits, s->cluster_size, 1);
        if (err) {
            return err;
        }
        s->free_hint = MAX(s->free_hint, at + 1);
    }
    uint8_t *block;
    cache_forget(&s->l2_cache, at << s->cluster_bits, s->cluster_size);
    err = cache_get(s, &s->refcount_cache, at << s->cluster_bits, true, &block);
    if (err) {
        return err;
    }
    if (at >> refblock_bits(s) == i) {
        refcount_write_entry(s, block, at & ((1ull << refblock_bits(s)) - 1), 1);
        s->free_hint = MAX(s->free_hint, at + 1);
    }
    cache_dirty(&s->refcount_cache, block);
    cache_put(&s->refcount_cache, block);
    s->reftable[i] = at << s->cluster_bits;
    dirty_parts_add(&s->reftable_dirty, i);
    metadata_add(s, at << s->cluster_bits, s->cluster_size);
    s->needs_refcounts = true;
    return -EAGAIN;
}

int refcount_change(Qcow2 *s, uint64_t offset, uint64_t bytes, int delta)
{
    uint64_t first = offset >> s->cluster_bits, last = bytes ? (offset + bytes - 1) >> s->cluster_bits : first;
    int err = 0;

    if (!bytes) {
        return 0;
    }
    for (uint64_t c = first; c <= last && !err; c++) {
        uint8_t *block = NULL;
        do {
            err = delta > 0 ? block_for_write(s, c, &block) : block_get(s, c, &block);
        } while (err == -EAGAIN);
        if (!err && !block) {
            err = mark_corrupt(s, "cluster %#" PRIx64 " is freed, which nobody used", c << s->cluster_bits);
        }
        if (!err) {
            uint64_t index = c & ((1ull << refblock_bits(s)) - 1), count = refcount_read_entry(s, block, index);
            if (delta < 0 && !count) {
                err = mark_corrupt(s, "cluster %#" PRIx64 " is freed, which nobody used", c << s->cluster_bits);
            } else if (delta > 0 && count >= refcount_max(s)) {
                err = -EOVERFLOW;
            } else {
                count = delta > 0 ? count + 1 : count - 1;
                refcount_write_entry(s, block, index, count);
                cache_dirty(&s->refcount_cache, block);
                s->needs_refcounts |= delta > 0;
            }
            cache_put(&s->refcount_cache, block);
            if (!err && !count) {
                s->free_hint = MIN(s->free_hint, c);
                cache_forget(&s->refcount_cache, c << s->cluster_bits, s->cluster_size);
                cache_forget(&s->l2_cache, c << s->cluster_bits, s->cluster_size);
            }
        }
        if (err && c > first) {
            /* What is undone here has just been done, so it cannot fail for its own reasons. */
            refcount_change(s, first << s->cluster_bits, (c - first) << s->cluster_bits, -delta);
        }
    }
    return err;
}

/* -- allocation ------------------------------------------------------------------------------------------------------ */

/* Blocks for these clusters are made before anything is counted, since making them may take what was found. */
static int make_blocks(Qcow2 *s, uint64_t first, uint64_t n)
{
    for (uint64_t c = first; c < first + n;) {
        uint8_t *block;
        int err = block_for_write(s, c, &block);
        if (err) {
            return err;
        }
        cache_put(&s->refcount_cache, block);
        c = (c | ((1ull << refblock_bits(s)) - 1)) + 1;
    }
    return 0;
}

int64_t cluster_alloc(Qcow2 *s, uint64_t bytes)
{
    uint64_t n = DIV_ROUND_UP(bytes, s->cluster_size), at;
    int err;

    node_event(s->file, "cluster_alloc");
    do {
        err = find_free(s, n, &at);
        err = err ? err : make_blocks(s, at, n);
    } while (err == -EAGAIN);
    err = err ? err : refcount_change(s, at << s->cluster_bits, n << s->cluster_bits, 1);
    if (err) {
        return err;
    }
    if (n == 1 || at == s->free_hint) {
        s->free_hint = at + n;
    }
    return (int64_t)(at << s->cluster_bits);
}

int64_t cluster_alloc_some(Qcow2 *s, uint64_t *bytes)
{
    uint64_t at;
    int64_t got = 0;

    node_event(s->file, "cluster_alloc");
    while (!got) {
        int err = find_free(s, 1, &at);
        if (err) {
            return err;
        }
        s->free_hint = MAX(s->free_hint, at);
        got = cluster_alloc_at(s, at << s->cluster_bits, *bytes);
        if (got < 0) {
            return got;
        }
    }
    *bytes = (uint64_t)got;
    return (int64_t)(at << s->cluster_bits);
}

int64_t cluster_alloc_at(Qcow2 *s, uint64_t offset, uint64_t bytes)
{
    uint64_t first = offset >> s->cluster_bits, want = bytes >> s->cluster_bits, n, count = 0;
    int err;

    do {
        err = 0;
        for (n = 0; n < want && !err; n++) {
            err = refcount_get(s, first + n, &count);
            if (err || count) {
                break;
            }
        }
        err = err || !n ? err : make_blocks(s, first, n);
    } while (err == -EAGAIN);
    err = err || !n ? err : refcount_change(s, offset, n << s->cluster_bits, 1);
    if (!err && first == s->free_hint) {
        s->free_hint = first + n;
    }
    return err ? err : (int64_t)(n << s->cluster_bits);
}

int64_t compressed_alloc(Qcow2 *s, uint64_t bytes)
{
    uint64_t at = s->compressed_at, used = at & (s->cluster_size - 1), left = s->cluster_size - used;

    if (at && used) {
        uint64_t count;
        int err = refcount_get(s, at >> s->cluster_bits, &count);
        if (err) {
            return err;
        }
        bool shared = count && count < refcount_max(s);
        if (shared && bytes > left) {
            int64_t got = cluster_alloc_at(s, at + left, round_up_cluster(s, bytes - left));
            if (got < 0) {
                return got;
            }
            if ((uint64_t)got < bytes - left) {
                if (got && (err = refcount_change(s, at + left, (uint64_t)got, -1)) != 0) {
                    return err;
                }
                shared = false;
            }
        }
        if (shared) {
            err = refcount_change(s, at, MIN(left, bytes), 1);
            if (err) {
                return err;
            }
            s->compressed_at = at + bytes;
            return (int64_t)at;
        }
    }
    int64_t got = cluster_alloc(s, bytes);
    if (got >= 0) {
        s->compressed_at = (uint64_t)got + bytes;
    }
    return got;
}

/* -- what uses what -------------------------------------------------------------------------------------------------- */

bool entry_range(const Qcow2 *s, uint64_t entry, uint64_t *ret_offset, uint64_t *ret_bytes)
{
    if (entry & ENTRY_COMPRESSED) {
        uint64_t start = compressed_offset(s, entry);
        *ret_offset = start;
        *ret_bytes = compressed_bytes(s, entry);
        return true;
    }
    *ret_offset = entry & ENTRY_OFFSET;
    *ret_bytes = s->cluster_size;
    return *ret_offset && s->data_file == s->file;
}

/* One entry of an L2 table: its cluster's count changes, and its flag becomes what is so. */
static int change_entry(Qcow2 *s, uint64_t *entry, int delta)
{
    uint64_t offset, bytes, count = 1;
    int err = 0;

    if (entry_range(s, *entry, &offset, &bytes)) {
        err = delta ? refcount_change(s, offset, bytes, delta) : 0;
        err = err ? err : refcount_get(s, offset >> s->cluster_bits, &count);
    } else if (!(*entry & ENTRY_OFFSET)) {
        return 0;
    }
    if (!err && !(*entry & ENTRY_COMPRESSED)) {
        *entry = count == 1 ? *entry | ENTRY_COPIED : *entry & ~ENTRY_COPIED;
    }
    return err;
}

static int change_l2(Qcow2 *s, uint64_t l2_offset, int delta)
{
    unsigned n = slice_entries(s), slices = (1u << s->l2_bits) / n;
    int err = 0;

    for (unsigned i = 0; i < slices && !err; i++) {
        uint8_t *slice;
        err = cache_get(s, &s->l2_cache, l2_offset + i * s->l2_cache.entry_bytes, false, &slice);
        for (unsigned k = 0; k < n && !err; k++) {
            uint64_t was = slice_entry(s, slice, k), now = was;
            err = change_entry(s, &now, delta);
            if (!err && now != was) {
                stbe64(slice + k * 8 * s->entry_words, now);
                cache_dirty(&s->l2_cache, slice);
                s->needs_refcounts |= delta > 0;
            }
            if (k + 1 == n || err) {
                cache_put(&s->l2_cache, slice);
            }
        }
    }
    return err;
}

int refcount_change_l1(Qcow2 *s, uint64_t l1_offset, uint32_t l1_size, int delta)
{
    bool active = l1_offset == s->l1_offset;
    uint64_t *l1 = active ? s->l1 : xcalloc(MAX(l1_size, 1u), 8);
    bool changed = false;
    int err = 0;

    if (!active) {
        err = node_co_pread(s->file, l1_offset, l1, (size_t)l1_size * 8);
        for (uint32_t i = 0; i < l1_size; i++) {
            l1[i] = ldbe64(&l1[i]);
        }
    }
    for (uint32_t i = 0; i < l1_size && !err; i++) {
        uint64_t l2 = l1[i] & ENTRY_OFFSET, count;
        if (!l2) {
            continue;
        }
        if (l2 & (s->cluster_size - 1)) {
            err = mark_corrupt(s, "L2 table offset %#" PRIx64 " unaligned (L1 index: %#x)", l2, i);
            break;
        }
        err = change_l2(s, l2, delta);
        err = err || !delta ? err : refcount_change(s, l2, s->cluster_size, delta);
        err = err ? err : refcount_get(s, l2 >> s->cluster_bits, &count);
        if (!err) {
            uint64_t now = count == 1 ? l2 | ENTRY_COPIED : l2;
            if (active && now != l1[i]) {
                l1_set(s, i, now);
            }
            changed |= now != l1[i];
            l1[i] = now;
        }
    }
    if (!active) {
        if (!err && changed && delta >= 0) {
            for (uint32_t i = 0; i < l1_size; i++) {
                stbe64(&l1[i], l1[i]);
            }
            err = node_co_pwrite(s->file, l1_offset, l1, (size_t)l1_size * 8, 0);
        }
        free(l1);
    }
    return err;
}
