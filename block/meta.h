/*
 * meta.h: a write-back cache for the tables of an image.
 *
 * Tables are read and written as bytes of the file, at any place in it, through pages of META_PAGE bytes of which a bounded number is in memory.
 * What is written stays there until meta_write_all(); then it goes out in steps: first all that it may rely on is stable (the file is flushed),
 * then the places of step 0, another flush, those of step 1. So a table is stable before an entry of another points to it, and data before an
 * entry points to that. Only sectors that were written are written back; two steps never share one, nor tables and data.
 *
 * Locking: the caller's lock is held around each call; all of them may wait.
 */
#ifndef BLOCK_META_H
#define BLOCK_META_H

#include "block/node-internal.h"

enum { META_SECTOR = 512, META_PAGE = 32 * META_SECTOR, META_WAYS = 4, META_STEPS = 2 };

typedef struct MetaPage {
    uint64_t offset;             /* UINT64_MAX: free */
    uint64_t last_use;
    uint32_t dirty[META_STEPS];  /* a bit for each sector */
    uint8_t *data;
} MetaPage;

typedef struct MetaCache {
    BlockNode *file;
    MetaPage *pages;             /* n_sets × META_WAYS */
    unsigned n_sets, n_dirty[META_STEPS]; /* pages with dirty sectors */
    uint64_t clock;
} MetaCache;

/* `table_bytes`: of all tables, if known (0: not): no more pages than those need. */
void meta_init(MetaCache *c, BlockNode *file, uint64_t table_bytes);
void meta_finish(MetaCache *c);  /* what is dirty is lost */
int meta_read(MetaCache *c, uint64_t offset, void *buf, size_t bytes);
int meta_write(MetaCache *c, uint64_t offset, const void *buf, size_t bytes, unsigned step);
int meta_zero(MetaCache *c, uint64_t offset, size_t bytes, unsigned step);
/* In their order; not flushed in the end. */
int meta_write_all(MetaCache *c);
static inline bool meta_is_dirty(const MetaCache *c) { return c->n_dirty[0] || c->n_dirty[1]; }

#endif
