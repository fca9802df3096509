/*
 * blocktables.c: see blocktables.h.
 */
#include <errno.h>

#include "block/blocktables.h"
#include "util/bits.h"

int tables_load(BlockMap *m, const BlockTables *t, uint64_t offset, uint64_t *ret_entry)
{
    uint8_t raw[8];
    int err = meta_read(&m->meta, offset, raw, t->entry_bytes);

    if (!err) {
        *ret_entry = t->entry_bytes == 4 ? (t->big_endian ? ldbe32(raw) : ldle32(raw)) : t->big_endian ? ldbe64(raw) : ldle64(raw);
    }
    return err;
}

int tables_store(BlockMap *m, const BlockTables *t, uint64_t offset, uint64_t entry, unsigned step)
{
    uint8_t raw[8];

    if (t->entry_bytes == 4) {
        (t->big_endian ? stbe32 : stle32)(raw, (uint32_t)entry);
    } else {
        (t->big_endian ? stbe64 : stle64)(raw, entry);
    }
    return meta_write(&m->meta, offset, raw, t->entry_bytes, step);
}

static bool table_is_there(const BlockMap *m, const BlockTables *t, uint64_t entry)
{
    uint64_t offset = entry * t->unit;

    /* One that was made a moment ago is behind the end of the file until it is written. */
    return entry <= INT64_MAX / t->unit && offset >= t->data_from && offset % t->l2_align == 0 && offset < MAX(m->file->size_bytes, m->end);
}

int tables_find(BlockMap *m, const BlockTables *t, uint64_t index, uint64_t *ret_offset, uint64_t *ret_run)
{
    uint64_t l1 = index / t->l2_entries, in = index % t->l2_entries, entry;

    *ret_offset = 0;
    *ret_run = t->l2_entries - in;
    if (l1 >= t->l1_entries) {
        return -EIO;
    }
    int err = tables_load(m, t, t->l1_offset + l1 * t->entry_bytes, &entry);
    if (err || !entry) {
        return err;
    }
    if (!table_is_there(m, t, entry)) {
        return -EIO;
    }
    *ret_offset = entry * t->unit + in * t->entry_bytes;
    return 0;
}

int tables_make(BlockMap *m, const BlockTables *t, uint64_t index, uint64_t *ret_offset)
{
    uint64_t run, at;
    int err = tables_find(m, t, index, ret_offset, &run);

    if (err || *ret_offset) {
        return err;
    }
    at = DIV_ROUND_UP(m->end, t->l2_align) * t->l2_align;
    err = meta_zero(&m->meta, at, tables_l2_bytes(t), 0);
    err = err ? err : tables_store(m, t, t->l1_offset + index / t->l2_entries * t->entry_bytes, at / t->unit, 1);
    if (!err) {
        m->end = at + tables_l2_bytes(t);
        *ret_offset = at + index % t->l2_entries * t->entry_bytes;
    }
    return err;
}

typedef struct Check {
    BlockMap *m;
    const BlockTables *t;
    BlockCheck *check;
    bool fix;
    uint64_t tables;
} Check;

static int check_first_level(void *opaque)
{
    Check *c = opaque;

    co_mutex_lock(&c->m->lock);
    for (uint64_t i = 0; i < c->t->l1_entries; i++) {
        uint64_t at = c->t->l1_offset + i * c->t->entry_bytes, entry = 0;
        if (tables_load(c->m, c->t, at, &entry)) {
            c->check->check_errors++;
            break;
        }
        c->tables += entry != 0;
        if (!entry || table_is_there(c->m, c->t, entry)) {
            continue;
        }
        c->tables--;
        block_check_say(c->check, "%s entry %" PRIu64 " of the first table names %#" PRIx64 ", where no table can be", c->fix ? "Repairing" : "ERROR", i, entry);
        bool fixed = c->fix && !tables_store(c->m, c->t, at, 0, 1);
        *(fixed ? &c->check->corruptions_fixed : &c->check->corruptions) += 1;
    }
    co_mutex_unlock(&c->m->lock);
    return 0;
}

uint64_t tables_check(BlockMap *m, const BlockTables *t, BlockCheck *check, unsigned fix)
{
    Check c = { m, t, check, fix & CHECK_FIX_ERRORS && !m->node->readonly, 0 };
    node_run(m->node, check_first_level, &c);
    return c.tables;
}
