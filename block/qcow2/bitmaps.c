/*
 * bitmaps.c: persistent dirty bitmaps: a directory of bitmaps, each with a table of the clusters that hold its bits.
 *
 * Specification: "qcow2 Image File Format", bitmaps extension, bitmap directory, bitmap table, bitmap data.
 *
 * While the image is open for writing every entry of the directory in the file has its in-use flag: set in place before the guest's first
 * write, so that after a crash no bitmap is believed. When it is closed what changed is written to new clusters, then a new directory,
 * all of it is made stable, and only then the header names the new directory; the old one's clusters are freed last. At any moment the
 * header names a directory that is whole.
 *
 * Bounds: no image makes more be read than the file has clusters, or more bits be kept than ALL_BITMAPS_PHYSICAL has.
 */
#include <errno.h>
#include <string.h>

#include "block/bitmap.h"
#include "block/qcow2/qcow2.h"

enum { DIR_ENTRY = 24, TYPE_TRACKING = 1, FLAG_IN_USE = 1, FLAG_AUTO = 2, FLAGS_KNOWN = 7, MAX_BITMAPS = 65535 };
#define MAX_DIRECTORY (64 * MiB)
#define MAX_TABLE_ENTRIES 0x8000000u
#define MAX_PHYSICAL (512 * MiB)
#define ALL_BITMAPS_PHYSICAL (64 * MAX_PHYSICAL)
#define TABLE_ALL_ONES 1ull

static uint64_t bits_of(const Qcow2 *s, const Qcow2Bitmap *b)
{
    return bitmap_blocks(s->node->size_bytes, b->granularity_bits);
}

/* -- the directory --------------------------------------------------------------------------------------------------- */

static bool entry_ok(const Qcow2 *s, const Qcow2Bitmap *b, uint32_t name_bytes, uint32_t extra_bytes)
{
    uint64_t physical = (uint64_t)b->table_entries * s->cluster_size;

    if (!b->table_entries || !b->table_offset || b->table_offset & (s->cluster_size - 1) || b->flags & ~(uint32_t)FLAGS_KNOWN ||
        b->granularity_bits < BITMAP_MIN_SHIFT || b->granularity_bits > BITMAP_MAX_SHIFT || !name_bytes || name_bytes > BITMAP_MAX_NAME ||
        b->table_entries > MAX_TABLE_ENTRIES || physical > MAX_PHYSICAL || extra_bytes) {
        return false;
    }
    /* One in use may be of a disk that has grown since; more bits than could be stored none has. */
    return bits_of(s, b) <= (b->flags & FLAG_IN_USE ? MAX_PHYSICAL : physical) * 8;
}

void bitmaps_forget(Qcow2 *s)
{
    for (size_t i = 0; i < s->bitmaps.n; i++) {
        free(s->bitmaps.at[i].name);
    }
    vec_free(&s->bitmaps);
    s->bitmaps_offset = s->bitmaps_bytes = 0;
}

bool bitmaps_read_directory(Qcow2 *s, const uint8_t *extension, uint32_t bytes, Error **errp)
{
    uint64_t dir_bytes, offset;
    uint32_t n;

    if (bytes != 24) {
        error_set(errp, "bitmaps_ext: Invalid extension length");
        return false;
    }
    n = ldbe32(extension);
    dir_bytes = ldbe64(extension + 8);
    offset = ldbe64(extension + 16);
    if (ldbe32(extension + 4)) {
        error_set(errp, "bitmaps_ext: Reserved field is not zero");
        return false;
    }
    if (!n || n > MAX_BITMAPS) {
        error_set(errp, n ? "bitmaps_ext: image has %u bitmaps, exceeding the limit of %d" : "found bitmaps extension with zero bitmaps", n, MAX_BITMAPS);
        return false;
    }
    if (offset & (s->cluster_size - 1) || offset > (uint64_t)INT64_MAX) {
        error_set(errp, "bitmaps_ext: invalid bitmap directory offset");
        return false;
    }
    if (dir_bytes > MAX_DIRECTORY || dir_bytes < (uint64_t)n * DIR_ENTRY || offset + dir_bytes > s->file->size_bytes + s->cluster_size) {
        error_set(errp, "bitmaps_ext: bitmap directory size (%" PRIu64 ") is not possible", dir_bytes);
        return false;
    }
    uint8_t *dir = xmalloc(dir_bytes);
    int err = node_pread(s->file, offset, dir, dir_bytes);
    if (err) {
        error_set_errno(errp, -err, "Failed to read bitmap directory");
        free(dir);
        return false;
    }
    bool ok = true;
    uint64_t at = 0, all = 0;
    while (ok && at + DIR_ENTRY <= dir_bytes && s->bitmaps.n < n) {
        const uint8_t *e = dir + at;
        uint32_t name_bytes = ldbe16(e + 18), extra_bytes = ldbe32(e + 20);
        uint64_t end = at + ROUND_UP((uint64_t)DIR_ENTRY + name_bytes + extra_bytes, (uint64_t)8);
        Qcow2Bitmap b = { .table_offset = ldbe64(e), .table_entries = ldbe32(e + 8), .flags = ldbe32(e + 12), .granularity_bits = e[17] };
        ok = end <= dir_bytes && e[16] == TYPE_TRACKING && entry_ok(s, &b, name_bytes, extra_bytes);
        all += ok ? MAX((uint64_t)b.table_entries * s->cluster_size, DIV_ROUND_UP(bits_of(s, &b), 8u)) : 0;
        if (ok) {
            b.name = xstrndup((const char *)e + DIR_ENTRY, name_bytes);
            *vec_push(&s->bitmaps) = b;
        }
        at = end;
    }
    free(dir);
    if (!ok || s->bitmaps.n != n || at != dir_bytes) {
        error_set(errp, "Broken bitmap directory");
    } else if (all > ALL_BITMAPS_PHYSICAL) {
        error_set(errp, "the bitmaps of the image are too large");
    } else {
        s->bitmaps_offset = offset;
        s->bitmaps_bytes = dir_bytes;
        return true;
    }
    bitmaps_forget(s);
    return false;
}

static uint8_t *build_directory(const Qcow2Bitmap *list, size_t n, size_t *ret_bytes)
{
    size_t bytes = 0, at = 0;

    for (size_t i = 0; i < n; i++) {
        bytes += ROUND_UP(DIR_ENTRY + strlen(list[i].name), (size_t)8);
    }
    uint8_t *dir = xcalloc(1, MAX(bytes, 1u));
    for (size_t i = 0; i < n; i++) {
        uint8_t *e = dir + at;
        size_t name_bytes = strlen(list[i].name);
        stbe64(e, list[i].table_offset);
        stbe32(e + 8, list[i].table_entries);
        stbe32(e + 12, list[i].flags);
        e[16] = TYPE_TRACKING;
        e[17] = list[i].granularity_bits;
        stbe16(e + 18, (uint16_t)name_bytes);
        memcpy(e + DIR_ENTRY, list[i].name, name_bytes);
        at += ROUND_UP(DIR_ENTRY + name_bytes, (size_t)8);
    }
    *ret_bytes = bytes;
    return dir;
}

void bitmaps_build_extension(const Qcow2 *s, uint8_t *ret)
{
    memset(ret, 0, 24);
    stbe32(ret, (uint32_t)s->bitmaps.n);
    stbe64(ret + 8, s->bitmaps_bytes);
    stbe64(ret + 16, s->bitmaps_offset);
}

/* -- loading --------------------------------------------------------------------------------------------------------- */

/* *budget: clusters that may still be read. */
static bool load_bits(Qcow2 *s, const Qcow2Bitmap *b, DirtyBitmap *to, uint64_t *budget, Error **errp)
{
    uint64_t per_cluster = s->cluster_size * 8, need = DIV_ROUND_UP(bits_of(s, b), per_cluster);
    uint64_t bytes = MIN(need, (uint64_t)b->table_entries) * 8;
    uint8_t *table = xmalloc(MAX(bytes, 1u)), *data = xmalloc(s->cluster_size);
    int err = b->table_offset + bytes > s->file->size_bytes + s->cluster_size ? -EINVAL : bytes ? node_pread(s->file, b->table_offset, table, bytes) : 0;
    bool ok = !err;

    if (!ok) {
        error_set_errno(errp, -err, "Could not read bitmap_table table from image for bitmap '%s'", b->name);
    }
    for (uint64_t i = 0; ok && i < need; i++) {
        uint64_t entry = ldbe64(table + i * 8), offset = entry & ENTRY_OFFSET;
        if (entry & ~(ENTRY_OFFSET | TABLE_ALL_ONES) || (offset && entry & TABLE_ALL_ONES) || offset & (s->cluster_size - 1)) {
            error_set(errp, "bitmap '%s' has a table entry that is not valid: %#" PRIx64, b->name, entry);
            ok = false;
        } else if (entry == TABLE_ALL_ONES) {
            bitset_set(&to->bits, i * per_cluster, (i + 1) * per_cluster);
        } else if (offset) {
            err = !*budget ? -EINVAL : node_pread(s->file, offset, data, s->cluster_size);
            *budget -= *budget != 0;
            ok = !err;
            if (!ok) {
                error_set_errno(errp, -err, "Could not read bitmap '%s'", b->name);
            } else {
                bitset_load(&to->bits, i * per_cluster, data, s->cluster_size);
            }
        }
    }
    free(table);
    free(data);
    return ok;
}

/* In place, in the file: nothing else has changed yet. */
bool bitmaps_mark_in_use(Qcow2 *s, Error **errp)
{
    size_t bytes;

    for (size_t i = 0; i < s->bitmaps.n; i++) {
        s->bitmaps.at[i].flags |= FLAG_IN_USE;
    }
    uint8_t *dir = build_directory(s->bitmaps.at, s->bitmaps.n, &bytes);
    int err = bytes != s->bitmaps_bytes ? -EINVAL : node_pwrite(s->file, s->bitmaps_offset, dir, bytes, 0);
    err = err ? err : node_flush(s->file);
    free(dir);
    if (err) {
        error_set_errno(errp, -err, "Can't update bitmap directory");
    }
    return !err;
}

bool bitmaps_load(Qcow2 *s, Error **errp)
{
    BlockNode *node = s->node;
    uint64_t budget = s->file->size_bytes / s->cluster_size + 1;

    if (!s->bitmaps.n || node->flags & BLOCK_CHECK) {
        return true;
    }
    for (size_t i = 0; i < s->bitmaps.n; i++) {
        const Qcow2Bitmap *from = &s->bitmaps.at[i];
        DirtyBitmap *b = bitmap_new(node, from->name, 1ull << from->granularity_bits, errp);
        if (!b) {
            return false;
        }
        b->persistent = true;
        b->inconsistent = from->flags & FLAG_IN_USE;
        b->enabled = from->flags & FLAG_AUTO;
        if (!b->inconsistent && !(node->flags & BLOCK_NO_IO) && !load_bits(s, from, b, &budget, errp)) {
            return false;
        }
        b->changed = false;
    }
    return node->readonly || bitmaps_mark_in_use(s, errp);
}

/* -- storing --------------------------------------------------------------------------------------------------------- */

static void free_table(Qcow2 *s, const Qcow2Bitmap *b)
{
    uint64_t bytes = (uint64_t)b->table_entries * 8;
    uint8_t *table = xmalloc(bytes);

    if (!node_co_pread(s->file, b->table_offset, table, bytes)) {
        for (uint32_t i = 0; i < b->table_entries; i++) {
            uint64_t offset = ldbe64(table + i * 8ull) & ENTRY_OFFSET, count;
            /* A table that is not right would have clusters freed that others use. */
            if (offset && !(offset & (s->cluster_size - 1)) && !refcount_get(s, offset >> s->cluster_bits, &count) && count) {
                refcount_change(s, offset, s->cluster_size, -1);
            }
        }
    }
    free(table);
    uint64_t count;
    if (!refcount_get(s, b->table_offset >> s->cluster_bits, &count) && count) {
        refcount_change(s, b->table_offset, bytes, -1);
    }
}

static void free_data(Qcow2 *s, const uint8_t *table, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t offset = ldbe64(table + i * 8) & ENTRY_OFFSET;
        if (offset) {
            refcount_change(s, offset, s->cluster_size, -1);
        }
    }
}

static int store_bits(Qcow2 *s, const DirtyBitmap *b, Qcow2Bitmap *ret)
{
    uint64_t per_cluster = s->cluster_size * 8, n = MAX(DIV_ROUND_UP(b->bits.n_bits, per_cluster), 1u);
    uint8_t *table = xcalloc(n, 8), *data = node_alloc(s->file, s->cluster_size);
    int64_t at = 0;
    int err = 0;

    for (uint64_t i = 0; i < n && !err; i++) {
        uint64_t first = i * per_cluster, end = MIN(first + per_cluster, b->bits.n_bits);
        if (first >= end || bitset_next(&b->bits, first) >= end) {
            continue;
        }
        if (bitset_next_clear(&b->bits, first) >= end) {
            stbe64(table + i * 8, TABLE_ALL_ONES);
            continue;
        }
        at = cluster_alloc(s, s->cluster_size);
        err = at < 0 ? (int)at : metadata_check(s, (uint64_t)at, s->cluster_size);
        if (at > 0) {
            stbe64(table + i * 8, (uint64_t)at);
        }
        bitset_store(&b->bits, first, data, s->cluster_size);
        err = err ? err : node_co_pwrite(s->file, (uint64_t)at, data, s->cluster_size, 0);
    }
    at = err ? err : cluster_alloc(s, n * 8);
    err = at < 0 ? (int)at : node_co_pwrite(s->file, (uint64_t)at, table, n * 8, 0);
    if (err) {
        free_data(s, table, n);
        if (at > 0) {
            refcount_change(s, (uint64_t)at, n * 8, -1);
        }
    } else {
        ret->table_offset = (uint64_t)at;
        ret->table_entries = (uint32_t)n;
    }
    free(table);
    free(data);
    return err;
}

static const Qcow2Bitmap *entry_of(const Qcow2 *s, const DirtyBitmap *b)
{
    for (size_t i = 0; i < s->bitmaps.n; i++) {
        if (!strcmp(s->bitmaps.at[i].name, b->name)) {
            return &s->bitmaps.at[i];
        }
    }
    return NULL;
}

/* What of the old tables a bitmap still has: all that did not change. */
static bool keeps_table(const Qcow2 *s, const DirtyBitmap *b)
{
    const Qcow2Bitmap *old = entry_of(s, b);
    return old && old->granularity_bits == b->shift && (b->inconsistent || (!b->changed && !(s->node->flags & BLOCK_NO_IO)));
}

int bitmaps_store(Qcow2 *s)
{
    VEC(Qcow2Bitmap) now = { 0 };
    size_t bytes = 0;
    int64_t at = 0;
    int err = 0;

    for (const DirtyBitmap *b = s->node->bitmaps; b && !err; b = b->next) {
        if (!b->persistent || !b->name) {
            continue;
        }
        bool keeps = keeps_table(s, b);
        Qcow2Bitmap e = { .name = b->name, .granularity_bits = (uint8_t)b->shift,
                          .flags = (b->enabled ? FLAG_AUTO : 0u) | (b->inconsistent ? FLAG_IN_USE : 0u) };
        if (keeps) {
            const Qcow2Bitmap *old = entry_of(s, b);
            e.table_offset = old->table_offset;
            e.table_entries = old->table_entries;
            e.flags = b->inconsistent ? old->flags : e.flags;
        } else {
            e.is_new = true;
            err = store_bits(s, b, &e);
        }
        if (!err) {
            *vec_push(&now) = e;
        }
    }
    if (!now.n && !s->bitmaps.n) {
        vec_free(&now);
        return err;
    }
    uint8_t *dir = build_directory(now.at, now.n, &bytes);
    at = err || !now.n ? err : cluster_alloc(s, bytes);
    err = at < 0 ? (int)at : at ? node_co_pwrite(s->file, (uint64_t)at, dir, bytes, 0) : 0;
    err = err ? err : tables_flush(s);
    free(dir);
    if (err) {
        for (size_t i = 0; i < now.n; i++) {
            if (now.at[i].is_new) {
                free_table(s, &now.at[i]);
            }
        }
        if (at > 0) {
            refcount_change(s, (uint64_t)at, bytes, -1);
        }
        vec_free(&now);
        tables_flush(s);
        return err;
    }
    /* The header; then nothing names what was there before. */
    uint64_t old_offset = s->bitmaps_offset, old_bytes = s->bitmaps_bytes;
    s->bitmaps_offset = (uint64_t)at;
    s->bitmaps_bytes = bytes;
    size_t n_old = s->bitmaps.n;
    Qcow2Bitmap *old = s->bitmaps.at;
    s->bitmaps.at = now.at;
    s->bitmaps.n = now.n;
    s->bitmaps.cap = now.cap;
    s->autoclear = now.n ? s->autoclear | AUTOCLEAR_BITMAPS : s->autoclear & ~(uint64_t)AUTOCLEAR_BITMAPS;
    for (size_t i = 0; i < now.n; i++) {
        now.at[i].name = xstrdup(now.at[i].name);
    }
    err = header_write(s);
    for (size_t i = 0; i < n_old; i++) {
        bool kept = false;
        for (size_t k = 0; k < now.n; k++) {
            kept |= now.at[k].table_offset == old[i].table_offset;
        }
        if (!err && !kept) {
            free_table(s, &old[i]);
        }
        free(old[i].name);
    }
    free(old);
    if (!err && old_bytes) {
        refcount_change(s, old_offset, old_bytes, -1);
    }
    metadata_forget(s);
    return err ? err : tables_flush(s);
}

bool qcow2_bitmap_can_store(const DirtyBitmap *b, Error **errp)
{
    const Qcow2 *s = b->node->state;
    size_t n = 0, bytes = 0;

    if (s->version < 3) {
        error_set(errp, "Cannot store dirty bitmaps in qcow2 v2 files");
        return false;
    }
    if (strlen(b->name) > BITMAP_MAX_NAME) {
        error_set(errp, "Name length exceeds maximum (%u characters)", BITMAP_MAX_NAME);
        return false;
    }
    if (DIV_ROUND_UP(b->bits.n_bits, 8u) > MAX_PHYSICAL) {
        error_set(errp, "Too much space will be occupied by the bitmap. Use larger granularity");
        return false;
    }
    for (const DirtyBitmap *o = b->node->bitmaps; o; o = o->next) {
        if ((o->persistent || o == b) && o->name) {
            n++;
            bytes += ROUND_UP(DIR_ENTRY + strlen(o->name), (size_t)8);
        }
    }
    if (n > MAX_BITMAPS) {
        error_set(errp, "Maximum number of persistent bitmaps is already reached");
        return false;
    }
    if (bytes > MAX_DIRECTORY) {
        error_set(errp, "Not enough space in the bitmap directory");
        return false;
    }
    return true;
}

/* -- what is known of them ------------------------------------------------------------------------------------------- */

Json *bitmaps_describe(const Qcow2 *s)
{
    Json *array = json_array();

    for (size_t i = 0; i < s->bitmaps.n; i++) {
        const Qcow2Bitmap *b = &s->bitmaps.at[i];
        Json *row = json_object(), *flags = json_array();
        if (b->flags & FLAG_IN_USE) {
            json_push(flags, json_string("in-use"));
        }
        if (b->flags & FLAG_AUTO) {
            json_push(flags, json_string("auto"));
        }
        json_put(row, "flags", flags);
        json_put_string(row, "name", b->name);
        json_put_uint(row, "granularity", 1ull << b->granularity_bits);
        json_push(array, row);
    }
    return array;
}

/* Of all bitmaps that `in` has, in an image with such clusters, were every bit stored. */
uint64_t qcow2_bitmaps_size(const BlockNode *in, uint64_t cluster_size)
{
    uint64_t clusters = 0, dir = 0;

    for (const DirtyBitmap *b = in->bitmaps; b; b = b->next) {
        if (b->persistent) {
            uint64_t n = DIV_ROUND_UP(DIV_ROUND_UP(b->bits.n_bits, 8u), cluster_size);
            clusters += n + DIV_ROUND_UP(n * 8, cluster_size);
            dir += ROUND_UP(DIR_ENTRY + strlen(b->name), (size_t)8);
        }
    }
    return (clusters + DIV_ROUND_UP(dir, cluster_size)) * cluster_size;
}
