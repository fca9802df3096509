/*
 * cache.c: tables of the image in memory.
 *
 * An entry with users (refs) stays. Of the others the one used longest ago makes room.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"

void cache_init(TableCache *c, unsigned n_entries, size_t entry_bytes, int (*before_write)(Qcow2 *s))
{
    unsigned buckets = 16;

    *c = (TableCache){ .n_entries = MAX(n_entries, 4u), .entry_bytes = entry_bytes, .before_write = before_write };
    while (buckets < c->n_entries) {
        buckets *= 2;
    }
    c->entries = xnew_array(CacheEntry, c->n_entries);
    c->hash = xnew_array(CacheEntry *, buckets);
    c->data = xmemalign(4096, c->n_entries * entry_bytes);
    c->hash_mask = buckets - 1;
}

void cache_finish(TableCache *c)
{
    free(c->data);
    free(c->entries);
    free(c->hash);
    *c = (TableCache){ 0 };
}

static uint8_t *data_of(const TableCache *c, const CacheEntry *e)
{
    return c->data + (size_t)(e - c->entries) * c->entry_bytes;
}

static CacheEntry *entry_of(const TableCache *c, const uint8_t *data)
{
    return &c->entries[(size_t)(data - c->data) / c->entry_bytes];
}

static CacheEntry **bucket_of(TableCache *c, uint64_t offset)
{
    return &c->hash[(offset / c->entry_bytes * 0x9e3779b97f4a7c15ull >> 32) & c->hash_mask];
}

static CacheEntry *find(TableCache *c, uint64_t offset)
{
    for (CacheEntry *e = *bucket_of(c, offset); e; e = e->hash_next) {
        if (e->offset == offset) {
            return e;
        }
    }
    return NULL;
}

static void unlink_entry(TableCache *c, CacheEntry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void link_newest(TableCache *c, CacheEntry *e)
{
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void link_oldest(TableCache *c, CacheEntry *e)
{
    e->newer = c->oldest;
    *(c->oldest ? &c->oldest->older : &c->newest) = e;
    c->oldest = e;
}

static void set_dirty(TableCache *c, CacheEntry *e, bool dirty)
{
    c->n_dirty += (unsigned)dirty - (unsigned)e->dirty;
    e->dirty = dirty;
}

static void unhash(TableCache *c, CacheEntry *e)
{
    for (CacheEntry **at = bucket_of(c, e->offset); *at; at = &(*at)->hash_next) {
        if (*at == e) {
            *at = e->hash_next;
            break;
        }
    }
    e->offset = 0;
    set_dirty(c, e, false);
}

static int write_entry(Qcow2 *s, TableCache *c, CacheEntry *e)
{
    if (!e->dirty) {
        return 0;
    }
    int err = c->before_write ? c->before_write(s) : 0;
    err = err || !s->is_corrupt ? err : -EIO;
    if (!err) {
        set_dirty(c, e, false);
        node_event(s->file, c == &s->l2_cache ? "l2_update" : "refblock_update_part");
        err = node_co_pwrite(s->file, e->offset, data_of(c, e), c->entry_bytes, 0);
        if (err) {
            set_dirty(c, e, true);
        }
    }
    return err;
}

/* In order of place: one pass over the file. */
static int by_offset(const void *a, const void *b)
{
    const CacheEntry *const *x = a, *const *y = b;
    return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

int cache_write_all(Qcow2 *s, TableCache *c)
{
    if (!c->n_dirty) {
        return 0;
    }
    CacheEntry **dirty = xnew_array(CacheEntry *, c->n_dirty);
    unsigned n = 0;
    int err = 0;

    for (unsigned i = 0; i < c->n_used; i++) {
        if (c->entries[i].offset && c->entries[i].dirty) {
            dirty[n++] = &c->entries[i];
        }
    }
    qsort(dirty, n, sizeof(*dirty), by_offset);
    for (unsigned i = 0; i < n; i++) {
        int e = write_entry(s, c, dirty[i]);
        err = err ? err : e;
    }
    free(dirty);
    return err;
}

static CacheEntry *make_room(Qcow2 *s, TableCache *c, int *err)
{
    CacheEntry *e = c->oldest;

    if (c->n_used < c->n_entries && !(e && !e->offset)) {
        return &c->entries[c->n_used++];
    }
    while (e && e->refs) {
        e = e->newer;
    }
    *err = !e ? -EBUSY : e->offset ? write_entry(s, c, e) : 0;
    if (*err) {
        return NULL;
    }
    if (e->offset) {
        unhash(c, e);
    }
    unlink_entry(c, e);
    return e;
}

int cache_get(Qcow2 *s, TableCache *c, uint64_t offset, bool fresh, uint8_t **ret)
{
    CacheEntry *e = find(c, offset);
    int err = 0;

    if (e) {
        unlink_entry(c, e);
        link_newest(c, e);
        if (fresh) {
            memset(data_of(c, e), 0, c->entry_bytes);
        }
    } else {
        e = make_room(s, c, &err);
        if (err) {
            return err;
        }
        link_newest(c, e);
        e->refs = 1; /* not to be thrown out while it is read */
        if (fresh) {
            memset(data_of(c, e), 0, c->entry_bytes);
        } else {
            node_event(s->file, c == &s->l2_cache ? "l2_load" : "refblock_load");
            err = node_co_pread(s->file, offset, data_of(c, e), c->entry_bytes);
        }
        e->refs = 0;
        if (err) {
            unlink_entry(c, e);
            link_oldest(c, e);
            return err;
        }
        e->offset = offset;
        CacheEntry **at = bucket_of(c, offset);
        e->hash_next = *at;
        *at = e;
    }
    e->refs++;
    *ret = data_of(c, e);
    return 0;
}

void cache_put(TableCache *c, const uint8_t *data)
{
    entry_of(c, data)->refs--;
}

void cache_dirty(TableCache *c, const uint8_t *data)
{
    set_dirty(c, entry_of(c, data), true);
}

static void forget(TableCache *c, CacheEntry *e)
{
    unhash(c, e);
    unlink_entry(c, e);
    link_oldest(c, e);
}

void cache_forget(TableCache *c, uint64_t offset, uint64_t bytes)
{
    for (uint64_t at = offset; at < offset + bytes; at += c->entry_bytes) {
        CacheEntry *e = find(c, at);
        if (e && !e->refs) {
            forget(c, e);
        }
    }
}

void cache_forget_all(TableCache *c)
{
    for (unsigned i = 0; i < c->n_used; i++) {
        if (c->entries[i].offset && !c->entries[i].refs) {
            forget(c, &c->entries[i]);
        }
    }
}

/* -- the tables that are in memory as a whole ------------------------------------------------------------------------ */

enum { PART_BYTES = 512, PART_ENTRIES = PART_BYTES / 8 };

void dirty_parts_init(DirtyParts *d, uint64_t table_bytes)
{
    free(d->bits);
    *d = (DirtyParts){ .parts = (size_t)DIV_ROUND_UP(table_bytes, (uint64_t)PART_BYTES) };
    d->bits = xnew_array(uint64_t, d->parts / 64 + 1);
}

void dirty_parts_add(DirtyParts *d, uint64_t entry_index)
{
    uint64_t part = entry_index / PART_ENTRIES, bit = 1ull << (part & 63);

    d->n_dirty += !(d->bits[part / 64] & bit);
    d->bits[part / 64] |= bit;
}

int dirty_parts_write(Qcow2 *s, DirtyParts *d, const uint64_t *table, uint64_t entries, uint64_t offset)
{
    int err = 0;

    for (size_t part = 0; part < d->parts && d->n_dirty && !err; part++) {
        if (d->bits[part / 64] >> (part & 63) & 1) {
            uint8_t buf[PART_BYTES] = { 0 };
            for (unsigned i = 0; i < PART_ENTRIES && part * PART_ENTRIES + i < entries; i++) {
                stbe64(buf + i * 8, table[part * PART_ENTRIES + i]);
            }
            node_event(s->file, d == &s->l1_dirty ? "l1_update" : "reftable_update");
            err = node_co_pwrite(s->file, offset + part * PART_BYTES, buf, sizeof(buf), 0);
            if (!err) {
                d->bits[part / 64] &= ~(1ull << (part & 63));
                d->n_dirty--;
            }
        }
    }
    return err;
}
