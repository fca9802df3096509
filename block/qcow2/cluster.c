/*
 * cluster.c: from guest clusters to the file: L1 and L2 tables.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"

#define LOW_BITS 0xffffffffull

void l1_set(Qcow2 *s, uint64_t index, uint64_t value)
{
    s->l1[index] = value;
    dirty_parts_add(&s->l1_dirty, index);
}

int slice_get(Qcow2 *s, uint64_t l2_offset, uint64_t guest, uint8_t **ret_slice)
{
    unsigned n = slice_entries(s);
    return cache_get(s, &s->l2_cache, l2_offset + l2_index(s, guest) / n * s->l2_cache.entry_bytes, false, ret_slice);
}

void slice_set(Qcow2 *s, uint8_t *slice, unsigned i, uint64_t entry, uint64_t bitmap)
{
    stbe64(slice + i * 8 * s->entry_words, entry);
    if (s->entry_words == 2) {
        stbe64(slice + i * 16 + 8, bitmap);
    }
    cache_dirty(&s->l2_cache, slice);
}

/* -- reading --------------------------------------------------------------------------------------------------------- */

static MapKind kind_of(const Qcow2 *s, uint64_t entry, uint64_t bitmap, unsigned sub)
{
    if (entry & ENTRY_COMPRESSED) {
        return MAP_COMPRESSED;
    }
    /* In an external data file the first cluster is one like any other, so there the flag says that an entry is used. */
    bool allocated = entry & ENTRY_OFFSET || (s->data_file != s->file && entry & ENTRY_COPIED);
    if (s->entry_words == 2) {
        if (bitmap >> (32 + sub) & 1) {
            return allocated ? MAP_ZERO_ALLOCATED : MAP_ZERO;
        }
        return bitmap >> sub & 1 ? MAP_NORMAL : allocated ? MAP_PLACED : MAP_UNALLOCATED;
    }
    if (entry & ENTRY_ZERO && s->version >= 3) {
        return allocated ? MAP_ZERO_ALLOCATED : MAP_ZERO;
    }
    return allocated ? MAP_NORMAL : MAP_UNALLOCATED;
}

static int check_entry(Qcow2 *s, uint64_t entry, uint64_t bitmap, uint64_t l2_offset, unsigned index)
{
    if (entry & ENTRY_COMPRESSED) {
        return s->data_file != s->file ? mark_corrupt(s, "Compressed cluster entry found in image with external data file "
                                                      "(L2 offset: %#" PRIx64 ", L2 index: %#x)", l2_offset, index) : 0;
    }
    uint64_t at = entry & ENTRY_OFFSET;
    if (at & (s->cluster_size - 1)) {
        return mark_corrupt(s, "Cluster allocation offset %#" PRIx64 " unaligned (L2 offset: %#" PRIx64 ", L2 index: %#x)", at, l2_offset, index);
    }
    if (s->entry_words == 2 && bitmap >> 32 & bitmap & LOW_BITS) {
        return mark_corrupt(s, "Invalid subcluster bitmap (L2 offset: %#" PRIx64 ", L2 index: %#x)", l2_offset, index);
    }
    return 0;
}

int map_read(Qcow2 *s, uint64_t offset, uint64_t *bytes, MapKind *ret_kind, uint64_t *ret_host)
{
    uint64_t index = l1_index(s, offset), l2 = index < s->l1_size ? s->l1[index] & ENTRY_OFFSET : 0;
    uint64_t table_left = (1ull << (s->l2_bits + s->cluster_bits)) - (offset & ((1ull << (s->l2_bits + s->cluster_bits)) - 1));
    uint8_t *slice;

    *ret_host = 0;
    if (!l2) {
        *bytes = MIN(*bytes, table_left);
        *ret_kind = MAP_UNALLOCATED;
        return 0;
    }
    if (l2 & (s->cluster_size - 1)) {
        return mark_corrupt(s, "L2 table offset %#" PRIx64 " unaligned (L1 index: %#" PRIx64 ")", l2, index);
    }
    int err = slice_get(s, l2, offset, &slice);
    if (err) {
        return err;
    }
    unsigned n = slice_entries(s), i = l2_index(s, offset) % n;
    uint64_t sub_size = subcluster_size(s), in_cluster = offset & (s->cluster_size - 1), got = 0, host = 0;
    unsigned sub = (unsigned)(in_cluster / sub_size), subs = (unsigned)(s->cluster_size / sub_size);
    uint64_t skip = offset & (sub_size - 1);
    MapKind kind = MAP_UNALLOCATED;

    for (bool first = true; i < n && got < *bytes + skip; i++) {
        uint64_t entry = slice_entry(s, slice, i), bitmap = s->entry_words == 2 ? slice_bitmap(s, slice, i) : 0;
        err = check_entry(s, entry, bitmap, l2, l2_index(s, offset));
        if (err) {
            break;
        }
        uint64_t at = entry & ENTRY_OFFSET;
        for (; sub < subs && got < *bytes + skip; sub++, got += sub_size) {
            MapKind k = kind_of(s, entry, bitmap, sub);
            uint64_t here = at + sub * sub_size;
            if (first) {
                kind = k;
                host = k == MAP_COMPRESSED ? entry : here + skip;
                first = false;
            } else if (k != kind || k == MAP_COMPRESSED || (map_has_place(k) && here != host - skip + got)) {
                goto done;
            }
            if (k == MAP_COMPRESSED) {
                got = s->cluster_size - (sub * sub_size);
                goto done;
            }
        }
        sub = 0;
    }
done:
    cache_put(&s->l2_cache, slice);
    *bytes = MIN(*bytes, got - MIN(skip, got));
    *ret_kind = kind;
    *ret_host = host;
    return err;
}

/* -- tables for writing ---------------------------------------------------------------------------------------------- */

int l1_grow(Qcow2 *s, uint64_t entries, bool exact)
{
    uint64_t size = MAX((uint64_t)s->l1_size, 1u);

    if (entries <= s->l1_size) {
        return 0;
    }
    while (size < entries) {
        size = exact ? entries : size < 1u << 16 ? size * 2 : size + size / 2;
    }
    size = MIN(size, QCOW2_MAX_L1_BYTES / 8);
    if (entries > size) {
        return -EFBIG;
    }
    int err = tables_write(s, true); /* the old table, as it is */
    if (err) {
        return err;
    }
    int64_t at = cluster_alloc(s, size * 8);
    if (at < 0) {
        return (int)at;
    }
    uint64_t *l1 = xcalloc(round_up_cluster(s, size * 8), 1), *be = xcalloc(round_up_cluster(s, size * 8), 1);
    if (s->l1_size) {
        memcpy(l1, s->l1, s->l1_size * 8ull);
    }
    for (uint64_t i = 0; i < size; i++) {
        stbe64(&be[i], l1[i]);
    }
    err = refcounts_write(s);
    err = err ? err : node_co_pwrite(s->file, (uint64_t)at, be, (size_t)ROUND_UP(size * 8, (uint64_t)512), 0);
    err = err ? err : file_flush(s);
    free(be);
    if (!err) {
        uint8_t head[12];
        stbe32(head, (uint32_t)size);
        stbe64(head + 4, (uint64_t)at);
        err = node_co_pwrite(s->file, 36, head, sizeof(head), 0);
        err = err ? err : file_flush(s);
    }
    if (err) {
        free(l1);
        refcount_change(s, (uint64_t)at, round_up_cluster(s, size * 8), -1);
        return err;
    }
    uint64_t old_offset = s->l1_offset, old_bytes = round_up_cluster(s, s->l1_size * 8ull);
    free(s->l1);
    s->l1 = l1;
    s->l1_size = (uint32_t)size;
    s->l1_offset = (uint64_t)at;
    dirty_parts_init(&s->l1_dirty, size * 8);
    metadata_forget(s);
    return old_offset && old_bytes ? refcount_change(s, old_offset, old_bytes, -1) : 0;
}

/* An L2 table of this image's own: a new one, or a copy of one that is shared with a snapshot. */
static int make_table(Qcow2 *s, uint64_t index)
{
    uint64_t old = s->l1[index] & ENTRY_OFFSET;
    int64_t at = cluster_alloc(s, s->cluster_size);
    size_t bytes = s->l2_cache.entry_bytes;
    int err = 0;

    if (at < 0) {
        return (int)at;
    }
    for (uint64_t i = 0; i < s->cluster_size && !err; i += bytes) {
        uint8_t *to = NULL, *from;
        err = cache_get(s, &s->l2_cache, (uint64_t)at + i, true, &to);
        if (!err && old) {
            err = cache_get(s, &s->l2_cache, old + i, false, &from);
            if (!err) {
                memcpy(to, from, bytes);
                cache_put(&s->l2_cache, from);
            }
        }
        if (to) {
            cache_dirty(&s->l2_cache, to);
            cache_put(&s->l2_cache, to);
        }
    }
    if (err) {
        cache_forget(&s->l2_cache, (uint64_t)at, s->cluster_size);
        refcount_change(s, (uint64_t)at, s->cluster_size, -1);
        return err;
    }
    s->needs_refcounts = true;
    metadata_add(s, (uint64_t)at, s->cluster_size);
    l1_set(s, index, (uint64_t)at | ENTRY_COPIED);
    if (old) {
        free_later(s, old, s->cluster_size, false);
    }
    return 0;
}

int slice_for_write(Qcow2 *s, uint64_t offset, uint8_t **ret_slice, unsigned *ret_index)
{
    uint64_t index = l1_index(s, offset);
    int err = s->freed.n > MAX_FREED ? tables_flush(s) : 0;

    err = err ? err : l1_grow(s, index + 1, false);
    if (!err && s->l1[index] & ENTRY_OFFSET & (s->cluster_size - 1)) {
        err = mark_corrupt(s, "L2 table offset %#" PRIx64 " unaligned (L1 index: %#" PRIx64 ")", (uint64_t)(s->l1[index] & ENTRY_OFFSET), index);
    }
    if (!err && !(s->l1[index] & ENTRY_COPIED)) {
        err = make_table(s, index);
    }
    *ret_index = l2_index(s, offset) % slice_entries(s);
    return err ? err : slice_get(s, s->l1[index] & ENTRY_OFFSET, offset, ret_slice);
}

/* -- zeros and discards ---------------------------------------------------------------------------------------------- */

static void drop(Qcow2 *s, uint64_t entry)
{
    uint64_t offset, bytes;

    if (entry_range(s, entry, &offset, &bytes)) {
        free_later(s, offset, bytes, s->discard_passdown);
    }
}

/* Bits of subclusters [from, to) of a cluster. */
static uint64_t sub_mask(unsigned from, unsigned to)
{
    return ((1ull << to) - 1) & ~((1ull << from) - 1);
}

int map_zero(Qcow2 *s, uint64_t offset, uint64_t bytes, bool unmap)
{
    while (bytes) {
        uint64_t in_cluster = offset & (s->cluster_size - 1), n = MIN(bytes, s->cluster_size - in_cluster), sub = subcluster_size(s);
        uint8_t *slice;
        unsigned i;
        int err = slice_for_write(s, offset, &slice, &i);
        if (err) {
            return err;
        }
        uint64_t entry = slice_entry(s, slice, i), bitmap = s->entry_words == 2 ? slice_bitmap(s, slice, i) : 0;
        bool whole = n == s->cluster_size, external = s->data_file != s->file;
        if (whole && (entry & ENTRY_COMPRESSED || (unmap && !external))) {
            slice_set(s, slice, i, s->entry_words == 2 ? 0 : ENTRY_ZERO, LOW_BITS << 32);
            drop(s, entry);
        } else if (whole && s->entry_words == 1) {
            slice_set(s, slice, i, entry | ENTRY_ZERO, 0);
        } else if (s->entry_words == 2 && !(entry & ENTRY_COMPRESSED)) {
            uint64_t mask = sub_mask((unsigned)(in_cluster / sub), (unsigned)((in_cluster + n) / sub));
            slice_set(s, slice, i, entry, (bitmap & ~mask) | mask << 32);
        } else {
            err = -ENOTSUP;
        }
        cache_put(&s->l2_cache, slice);
        if (err) {
            return err;
        }
        offset += n;
        bytes -= n;
    }
    return 0;
}

int map_discard(Qcow2 *s, uint64_t offset, uint64_t bytes, bool full)
{
    for (uint64_t end = offset + bytes; offset < end; offset += s->cluster_size) {
        uint64_t index = l1_index(s, offset);
        uint8_t *slice;
        unsigned i;
        if (index >= s->l1_size || (!s->l1[index] && (full || !node_backing(s->node)))) {
            /* Nothing here: on to the next table. */
            offset |= (1ull << (s->l2_bits + s->cluster_bits)) - 1;
            offset = offset - s->cluster_size + 1;
            continue;
        }
        int err = slice_for_write(s, offset, &slice, &i);
        if (err) {
            return err;
        }
        uint64_t entry = slice_entry(s, slice, i), bitmap = s->entry_words == 2 ? slice_bitmap(s, slice, i) : 0;
        bool nothing = s->entry_words == 2 ? !(entry & ~ENTRY_COPIED) && !bitmap : !entry;
        bool zeros = !full && (!nothing || node_backing(s->node));
        if (zeros && s->version < 3) {
            /* Version 2 can say "not here" only, which means the backing image. */
            zeros = false;
            if (node_backing(s->node)) {
                cache_put(&s->l2_cache, slice);
                continue;
            }
        }
        uint64_t now = zeros && s->entry_words == 1 ? ENTRY_ZERO : 0, now_bitmap = zeros ? LOW_BITS << 32 : 0;
        if (s->data_file != s->file && entry & (ENTRY_OFFSET | ENTRY_COPIED)) {
            now |= full ? 0 : entry;
        }
        if (now != entry || now_bitmap != bitmap) {
            slice_set(s, slice, i, now, now_bitmap);
            if (s->data_file == s->file) {
                drop(s, entry);
            }
        }
        cache_put(&s->l2_cache, slice);
    }
    return 0;
}
