/*
 * blocktables.h: tables in two levels: an entry of the first says where a table of the second is, whose entries say where blocks are.
 *
 * Tables of the second level are made when an entry in them is set. They are step 0 of the cache, entries of the first level step 1.
 */
#ifndef BLOCK_BLOCKTABLES_H
#define BLOCK_BLOCKTABLES_H

#include "block/blockmap.h"

typedef struct BlockTables {
    uint64_t l1_offset, l1_entries;  /* in the file */
    uint64_t l2_entries, l2_align;   /* of a table; where one may begin */
    uint64_t unit;                   /* of offsets in the first level */
    unsigned entry_bytes;            /* 4 or 8 */
    bool big_endian;
    uint64_t data_from;              /* no table is before it */
} BlockTables;

/* The place of the entry for block `index`, 0 if it has no table. *ret_run: blocks from it to the end of its table. */
int tables_find(BlockMap *m, const BlockTables *t, uint64_t index, uint64_t *ret_offset, uint64_t *ret_run);
/* The same for writing: the table is made. */
int tables_make(BlockMap *m, const BlockTables *t, uint64_t index, uint64_t *ret_offset);
int tables_load(BlockMap *m, const BlockTables *t, uint64_t offset, uint64_t *ret_entry);
int tables_store(BlockMap *m, const BlockTables *t, uint64_t offset, uint64_t entry, unsigned step);
static inline uint64_t tables_l2_bytes(const BlockTables *t) { return t->l2_entries * t->entry_bytes; }
/* For `check`: entries of the first level that name no table are errors; `fix` clears them. Returns how many tables there are. */
uint64_t tables_check(BlockMap *m, const BlockTables *t, BlockCheck *check, unsigned fix);

#endif
