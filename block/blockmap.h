/*
 * blockmap.h: what formats have in common that keep a disk in blocks of one size, with tables that say where each block is in the file.
 *
 * A format gives the functions that read and write an entry of its tables; reads, writes, zeros, status, waiting for each other and the
 * general part of `check` are here. An image has one map, or one for each file it is in.
 *
 * Blocks are taken from the end of the file and never given back, so a crash leaves at worst blocks that nobody names. Entries are written
 * late, by way of a MetaCache, and so after the data they make visible is stable.
 *
 * Locking: `lock` is held while tables are looked at or changed, so in all functions of the format but `load` and `compress`. Data moves
 * without it; `allocating` lists the blocks that are being given a place meanwhile, and who wants to write there waits.
 */
#ifndef BLOCK_BLOCKMAP_H
#define BLOCK_BLOCKMAP_H

#include "block/meta.h"

typedef enum BlockKind {
    BLOCK_HOLE,        /* not here: the backing image's, or zeros */
    BLOCK_ZERO,
    BLOCK_DATA,
    BLOCK_COMPRESSED,
} BlockKind;

typedef struct BlockEntry {
    BlockKind kind;
    uint64_t host;     /* of DATA and COMPRESSED: where it is in the file */
    uint64_t bytes;    /* of COMPRESSED, as far as the entry says it */
    uint64_t run;      /* blocks from this on that are holes too, as one without a table; 0 counts as 1 */
} BlockEntry;

typedef struct BlockMap BlockMap;

typedef struct BlockMapOps {
    int (*get)(BlockMap *m, uint64_t index, BlockEntry *ret);
    int (*set)(BlockMap *m, uint64_t index, const BlockEntry *e);    /* NULL: read-only */
    /* A place for `n` blocks in a row. NULL: at `end`. */
    int (*alloc)(BlockMap *m, uint64_t n, uint64_t *ret_host);
    unsigned max_run;                                                /* of one alloc; 0: any */
    bool can_zero;                                                   /* set() takes BLOCK_ZERO */
    int (*load)(BlockMap *m, uint64_t index, const BlockEntry *e, uint8_t *block);
    /* In a worker: what is stored for a block, of at most `limit` bytes; 0: it does not get so small. */
    size_t (*compress)(const BlockMap *m, uint64_t index, const uint8_t *block, uint8_t *out, size_t limit);
    size_t compress_extra;                                           /* bytes it may be larger than the block */
    bool always_compressed;
} BlockMapOps;

typedef struct BlockAllocation {
    struct BlockAllocation *next;
    uint64_t first, n;
    CoQueue waiters;
} BlockAllocation;

struct BlockMap {
    const BlockMapOps *ops;
    void *opaque;                    /* the format's */
    BlockNode *node, *file;
    uint64_t base;                   /* where in the image its first byte is */
    uint64_t block_bytes, n_blocks;
    uint64_t end, align;             /* the next block goes to the first multiple of `align` from `end` on */
    CoMutex lock;
    MetaCache meta;
    BlockAllocation *allocating;
    struct { uint64_t host; uint8_t *data; uint64_t last_use; } loaded[4]; /* compressed blocks read last */
    uint64_t clock;
};

/* All fields but ops, node, file, block_bytes and n_blocks may be set later. */
void blockmap_init(BlockMap *m, const BlockMapOps *ops, BlockNode *node, BlockNode *file, uint64_t block_bytes, uint64_t n_blocks, uint64_t table_bytes);
void blockmap_finish(BlockMap *m);

/* Offsets are the map's: of the image, less `base`. */
int blockmap_read(BlockMap *m, uint64_t offset, uint64_t bytes, Sg sg);
int blockmap_write(BlockMap *m, uint64_t offset, uint64_t bytes, Sg sg);
int blockmap_write_compressed(BlockMap *m, uint64_t offset, uint64_t bytes, Sg sg);
int blockmap_zero(BlockMap *m, uint64_t offset, uint64_t bytes, unsigned flags);
int blockmap_discard(BlockMap *m, uint64_t offset, uint64_t bytes);
int blockmap_status(BlockMap *m, uint64_t offset, uint64_t bytes, BlockStatus *ret);
int blockmap_flush(BlockMap *m);     /* tables are written; the file's own flush comes after it */

/* A driver's functions, where its state begins with the map and nothing else is to be done. */
int map_co_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags);
int map_co_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags);
int map_co_write_compressed(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg);
int map_co_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags);
int map_co_discard(BlockNode *node, uint64_t offset, uint64_t bytes);
int map_co_flush(BlockNode *node);
int map_co_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret);

typedef struct BlockMapCheck {
    uint64_t data_from;              /* no block is before it in the file */
    uint64_t data_unit;              /* and all are at a multiple of this from there on; 0: anywhere */
    uint64_t end;                    /* out: of the last block */
} BlockMapCheck;
/* Entries that point out of the file or to one place are errors; `fix` makes those of the first kind holes, gives those of the second a
 * copy. Counts blocks. Waits. */
void blockmap_check(BlockMap *m, BlockMapCheck *how, BlockCheck *check, unsigned fix);

/* -- for the formats -- */

/* For drivers that write nothing: false if writing was asked for. */
bool format_is_readonly(BlockNode *node, Error **errp);
/* -- deflate.c -- */
/* Returns the bytes; 0: they are more than `limit`. */
size_t deflate_zlib(const uint8_t *in, size_t in_bytes, uint8_t *out, size_t limit);
/* In a worker. `zlib`: with the header of RFC 1950, else plain deflate. The rest of `out` is zeros. `in` may have more behind the stream. */
int co_inflate(bool zlib, const uint8_t *in, size_t in_bytes, uint8_t *out, size_t out_bytes);
/* fn in a coroutine, and waits for what it returns. */
int node_run(BlockNode *node, int (*fn)(void *opaque), void *opaque);
/* Creates the file of an image with those options that are the protocol's, and opens it for writing. NULL: failed. */
BlockNode *format_create_file(const char *filename, const Json *options, Error **errp);
void format_uuid(uint8_t *at);       /* a new one, random, fields little-endian */
/* `bytes` of `pattern` (a byte) from `offset` on. */
int format_fill(BlockNode *file, uint64_t offset, uint64_t bytes, uint8_t pattern);

#endif
