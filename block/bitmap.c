/*
 * bitmap.c: dirty bitmaps in memory; see bitmap.h. What the qcow2 format keeps of them is qcow2/bitmaps.c.
 */
#include <string.h>

#include "block/bitmap.h"
#include "block/node-internal.h"
#include "util/alloc.h"
#include "util/bits.h"

DirtyBitmap *bitmap_find(const BlockNode *node, const char *name)
{
    for (DirtyBitmap *b = node->bitmaps; b; b = b->next) {
        if (b->name && !strcmp(b->name, name)) {
            return b;
        }
    }
    return NULL;
}

bool bitmap_usable(const DirtyBitmap *b, unsigned allow, Error **errp)
{
    if (b->busy && !(allow & BITMAP_ALLOW_BUSY)) {
        error_set(errp, "Bitmap '%s' is currently in use by another operation and cannot be used", b->name);
        return false;
    }
    if (b->inconsistent && !(allow & BITMAP_ALLOW_INCONSISTENT)) {
        error_set(errp, "Bitmap '%s' is inconsistent and cannot be used", b->name);
        return false;
    }
    return true;
}

DirtyBitmap *bitmap_get(const BlockNode *node, const char *name, unsigned allow, Error **errp)
{
    DirtyBitmap *b = bitmap_find(node, name);

    if (!b) {
        error_set(errp, "Dirty bitmap '%s' not found", name);
        return NULL;
    }
    return bitmap_usable(b, allow, errp) ? b : NULL;
}

uint64_t bitmap_default_granularity(BlockNode *node)
{
    BlockInfo info = { 0 };

    if (node->driver->info) {
        node->driver->info(node, &info);
        json_free(info.specific);
    }
    return info.cluster_size ? MIN(MAX(info.cluster_size, 4096u), 65536u) : 65536;
}

DirtyBitmap *bitmap_new(BlockNode *node, const char *name, uint64_t granularity, Error **errp)
{
    DirtyBitmap **at = &node->bitmaps;

    if (name && bitmap_find(node, name)) {
        error_set(errp, "Bitmap already exists: %s", name);
        return NULL;
    }
    if (name && !*name) {
        error_set(errp, "Bitmap name cannot be empty");
        return NULL;
    }
    granularity = granularity ? granularity : bitmap_default_granularity(node);
    if (!bits_is_pow2(granularity) || granularity < 1u << BITMAP_MIN_SHIFT || granularity > 1ull << BITMAP_MAX_SHIFT) {
        error_set(errp, "Granularity must be power of 2 and at least 512");
        return NULL;
    }
    DirtyBitmap *b = xnew(DirtyBitmap);
    *b = (DirtyBitmap){ .node = node, .name = name ? xstrdup(name) : NULL, .shift = (unsigned)__builtin_ctzll(granularity),
                        .size_bytes = node->size_bytes, .enabled = true };
    bitset_init(&b->bits, bitmap_blocks(b->size_bytes, b->shift));
    while (*at) {
        at = &(*at)->next;
    }
    *at = b;
    return b;
}

DirtyBitmap *bitmap_add(BlockNode *node, const char *name, uint64_t granularity, bool persistent, bool enabled, Error **errp)
{
    if (name && !*name) {
        error_set(errp, "Bitmap name cannot be empty");
        return NULL;
    }
    DirtyBitmap *b = bitmap_new(node, name, granularity, errp);
    if (!b) {
        return NULL;
    }
    if (persistent && !node->driver->bitmap_can_store) {
        error_set(errp, "Can't store persistent bitmaps to %s: Operation not supported", node->name);
        bitmap_remove(b);
        return NULL;
    }
    if (persistent && !node->driver->bitmap_can_store(b, errp)) {
        if (errp && *errp) {
            error_prepend(errp, "Can't make bitmap '%s' persistent in '%s': ", name, node->name);
        }
        bitmap_remove(b);
        return NULL;
    }
    b->persistent = persistent;
    b->enabled = enabled;
    b->changed = true;
    return b;
}

void bitmap_remove(DirtyBitmap *b)
{
    for (DirtyBitmap **at = &b->node->bitmaps; *at; at = &(*at)->next) {
        if (*at == b) {
            *at = b->next;
            break;
        }
    }
    bitset_finish(&b->bits);
    free(b->name);
    free(b);
}

void bitmaps_free(BlockNode *node)
{
    while (node->bitmaps) {
        bitmap_remove(node->bitmaps);
    }
}

/* -- bits ------------------------------------------------------------------------------------------------------------ */

void bitmap_set(DirtyBitmap *b, uint64_t offset, uint64_t bytes)
{
    if (bytes && offset < b->size_bytes) {
        uint64_t last = offset + MIN(bytes, b->size_bytes - offset) - 1;
        bitset_set(&b->bits, offset >> b->shift, (last >> b->shift) + 1);
        b->changed = true;
    }
}

void bitmap_reset(DirtyBitmap *b, uint64_t offset, uint64_t bytes)
{
    uint64_t end = bytes < b->size_bytes - MIN(offset, b->size_bytes) ? (offset + bytes) >> b->shift : b->bits.n_bits;

    bitset_clear(&b->bits, bitmap_blocks(offset, b->shift), end);
    b->changed = true;
}

void bitmap_clear(DirtyBitmap *b)
{
    bitset_clear(&b->bits, 0, b->bits.n_bits);
    b->changed = true;
}

void bitmap_merge_bits(DirtyBitmap *to, const BitSet *from, unsigned from_shift)
{
    for (uint64_t at = bitset_next(from, 0), end; at < from->n_bits; at = bitset_next(from, end)) {
        end = bitset_next_clear(from, at);
        bitmap_set(to, at << from_shift, (end - at) << from_shift);
    }
}

void bitmap_merge(DirtyBitmap *to, const DirtyBitmap *from)
{
    if (to != from) {
        bitmap_merge_bits(to, &from->bits, from->shift);
    }
}

bool bitmap_next_dirty(const DirtyBitmap *b, uint64_t offset, uint64_t *ret_offset, uint64_t *ret_bytes)
{
    uint64_t first = offset < b->size_bytes ? bitset_next(&b->bits, offset >> b->shift) : b->bits.n_bits;

    if (first >= b->bits.n_bits) {
        return false;
    }
    uint64_t start = MAX(first << b->shift, offset), end = bitset_next_clear(&b->bits, first) << b->shift;
    *ret_offset = start;
    *ret_bytes = MIN(end, b->size_bytes) - start;
    return true;
}

/* -- requests -------------------------------------------------------------------------------------------------------- */

void bitmaps_mark(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    for (DirtyBitmap *b = node->bitmaps; b; b = b->next) {
        if (b->enabled && !b->inconsistent) {
            bitmap_set(b, offset, bytes);
        }
    }
}

bool bitmaps_can_resize(const BlockNode *node, Error **errp)
{
    for (const DirtyBitmap *b = node->bitmaps; b; b = b->next) {
        if (b->name && !bitmap_usable(b, 0, errp)) {
            return false;
        }
    }
    return true;
}

void bitmaps_resize(BlockNode *node, uint64_t size_bytes)
{
    for (DirtyBitmap *b = node->bitmaps; b; b = b->next) {
        bitset_resize(&b->bits, bitmap_blocks(size_bytes, b->shift));
        b->size_bytes = size_bytes;
        b->changed = true;
    }
}

Json *bitmaps_json(const BlockNode *node)
{
    Json *array = NULL;

    for (const DirtyBitmap *b = node->bitmaps; b; b = b->next) {
        Json *row = json_object();
        if (b->name) {
            json_put_string(row, "name", b->name);
        }
        json_put_bool(row, "recording", b->enabled && !b->inconsistent);
        json_put_bool(row, "persistent", b->persistent);
        json_put_bool(row, "busy", b->busy);
        if (b->inconsistent) {
            json_put_bool(row, "inconsistent", true);
        }
        json_put_uint(row, "granularity", bitmap_granularity(b));
        json_put_uint(row, "count", bitmap_dirty_bytes(b));
        array = array ? array : json_array();
        json_push(array, row);
    }
    return array;
}
