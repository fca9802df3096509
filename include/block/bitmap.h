/*
 * bitmap.h: dirty bitmaps: what of a node was written since a point in time.
 *
 * A bitmap belongs to a node and has a bit for each block of `granularity` bytes. Requests set bits once they have ended, so that who clears
 * a bit and then reads the block never misses a write. A persistent one is kept in the image by its format driver: it is in the
 * file as of the last close, and marked as in use while the image is open for writing, so that after a crash it is known to be
 * inconsistent rather than believed.
 *
 * Threads: as the graph.
 */
#ifndef BLOCK_BITMAP_H
#define BLOCK_BITMAP_H

#include "block/node.h"
#include "util/bitset.h"

enum { BITMAP_MAX_NAME = 1023, BITMAP_MIN_SHIFT = 9, BITMAP_MAX_SHIFT = 31 };

typedef struct DirtyBitmap DirtyBitmap;
struct DirtyBitmap {
    DirtyBitmap *next;
    BlockNode *node;
    char *name;              /* NULL: a job's own */
    unsigned shift;          /* log2 of the granularity */
    uint64_t size_bytes;     /* of the disk */
    BitSet bits;
    bool enabled;            /* writes are recorded */
    bool persistent, inconsistent;
    bool busy;               /* a job uses it */
    bool changed;            /* since it was loaded */
};

/* What must be so for an operation. */
enum { BITMAP_ALLOW_BUSY = 1, BITMAP_ALLOW_INCONSISTENT = 2 };

/* granularity 0: the cluster size, within 4 KiB and 64 KiB. `name` NULL: without one. */
DirtyBitmap *bitmap_new(BlockNode *node, const char *name, uint64_t granularity, Error **errp);
/* The same with persistence, as users ask for it. */
DirtyBitmap *bitmap_add(BlockNode *node, const char *name, uint64_t granularity, bool persistent, bool enabled, Error **errp);
void bitmap_remove(DirtyBitmap *b);
DirtyBitmap *bitmap_find(const BlockNode *node, const char *name);
/* With a message if there is none, or it cannot be used. */
DirtyBitmap *bitmap_get(const BlockNode *node, const char *name, unsigned allow, Error **errp);
bool bitmap_usable(const DirtyBitmap *b, unsigned allow, Error **errp);
uint64_t bitmap_default_granularity(BlockNode *node);

static inline uint64_t bitmap_granularity(const DirtyBitmap *b) { return 1ull << b->shift; }
static inline uint64_t bitmap_blocks(uint64_t size_bytes, unsigned shift)
{
    return (size_bytes >> shift) + ((size_bytes & ((1ull << shift) - 1)) != 0);
}
static inline uint64_t bitmap_dirty_bytes(const DirtyBitmap *b) { return b->bits.n_set << b->shift; }

void bitmap_set(DirtyBitmap *b, uint64_t offset, uint64_t bytes);
/* Of blocks that are wholly in the range (or reach the disk's end with it). */
void bitmap_reset(DirtyBitmap *b, uint64_t offset, uint64_t bytes);
void bitmap_clear(DirtyBitmap *b);
/* Bits of another granularity are rounded out. */
void bitmap_merge(DirtyBitmap *to, const DirtyBitmap *from);
void bitmap_merge_bits(DirtyBitmap *to, const BitSet *from, unsigned from_shift);
/* The first dirty range from `offset` on; false: there is none. */
bool bitmap_next_dirty(const DirtyBitmap *b, uint64_t offset, uint64_t *ret_offset, uint64_t *ret_bytes);

/* As query-block shows them; NULL: there are none. */
Json *bitmaps_json(const BlockNode *node);

/* What storing the bitmaps of `in` takes in a qcow2 image. */
uint64_t qcow2_bitmaps_size(const BlockNode *in, uint64_t cluster_size);

/* -- for the block layer -- */
void bitmaps_mark(BlockNode *node, uint64_t offset, uint64_t bytes);
void bitmaps_resize(BlockNode *node, uint64_t size_bytes);
bool bitmaps_can_resize(const BlockNode *node, Error **errp);
void bitmaps_free(BlockNode *node);

#endif
