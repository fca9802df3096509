/*
 * qcow2.h: what the files of the qcow2 driver share.
 *
 * Specification: "qcow2 Image File Format", versions 2 and 3, with extended L2 entries, compression types, external data files.
 *
 * An image is clusters in a file. The L1 table points to L2 tables, which say for each guest cluster where its data is; the refcount table
 * points to refcount blocks, which count the uses of each host cluster. L2 tables are handled in slices of at most L2_SLICE_BYTES.
 *
 * Order of writes (what makes a crash at any point harmless: at worst clusters are counted that nobody uses):
 *   a cluster's refcount is stable before an L2 entry, and an L2 table before an L1 entry, points to it;
 *   an L2 entry that stops using a cluster is stable before the cluster's refcount goes down;
 *   data copied from elsewhere is stable before the entry that makes it visible.
 * order.c keeps that order; all tables are written late, and freed clusters are used again only once nothing stable names them.
 *
 * Locking: `lock` is held while tables are looked at or changed. Data is read and written without it; `allocating` lists the guest
 * clusters that are being given host clusters meanwhile, and requests that touch those wait.
 */
#ifndef BLOCK_QCOW2_H
#define BLOCK_QCOW2_H

#include "block/node-internal.h"
#include "util/alloc.h"
#include "util/bits.h"

enum {
    QCOW2_MIN_CLUSTER_BITS = 9, QCOW2_MAX_CLUSTER_BITS = 21,
    QCOW2_HEADER_V2 = 72, QCOW2_HEADER_V3 = 104,
    L2_SLICE_BYTES = 4096, SUBCLUSTERS = 32, MAX_FREED = 4096,
};
#define QCOW2_MAGIC 0x514649fbu
#define QCOW2_MAX_L1_BYTES (32 * MiB)
#define QCOW2_MAX_REFTABLE_BYTES (8 * MiB)
#define QCOW2_MAX_SNAPSHOTS 65536u
#define QCOW2_MAX_SNAPSHOT_TABLE (64 * MiB)

#define INCOMPAT_DIRTY 1u
#define INCOMPAT_CORRUPT 2u
#define INCOMPAT_DATA_FILE 4u
#define INCOMPAT_COMPRESSION 8u
#define INCOMPAT_EXTENDED_L2 16u
#define INCOMPAT_KNOWN 31u
#define COMPAT_LAZY_REFCOUNTS 1u
#define AUTOCLEAR_BITMAPS 1u
#define AUTOCLEAR_RAW_DATA 2u

#define ENTRY_COPIED (1ull << 63)
#define ENTRY_COMPRESSED (1ull << 62)
#define ENTRY_ZERO 1ull
#define ENTRY_OFFSET 0x00fffffffffffe00ull
#define REFTABLE_OFFSET 0xfffffffffffffe00ull

typedef enum HeaderExtension {
    EXTENSION_END = 0, EXTENSION_BACKING_FORMAT = (int)0xe2792aca, EXTENSION_FEATURES = 0x6803f857, EXTENSION_BITMAPS = 0x23852875,
    EXTENSION_ENCRYPTION = 0x0537be77, EXTENSION_DATA_FILE = 0x44415441,
} HeaderExtension;

typedef struct Qcow2 Qcow2;
typedef struct Qcow2Crypt Qcow2Crypt;

typedef struct CacheEntry {
    uint64_t offset;                /* in the file; 0: free */
    unsigned refs;
    bool dirty;
    struct CacheEntry *hash_next, *newer, *older;
} CacheEntry;

typedef struct TableCache {
    CacheEntry *entries, **hash;
    uint8_t *data;                  /* of entry i at i * entry_bytes; pages nobody used take no memory */
    unsigned n_entries, n_used, n_dirty, hash_mask;
    size_t entry_bytes;
    CacheEntry *newest, *oldest;
    int (*before_write)(Qcow2 *s);  /* what must be stable before an entry is written; NULL: nothing */
} TableCache;

/* Parts of a table that is in memory as a whole and has not been written: a bit for each 512 bytes. */
typedef struct DirtyParts {
    uint64_t *bits;
    size_t parts, n_dirty;
} DirtyParts;

/* Clusters an L2 entry on the disk may still name. */
typedef struct Freed {
    uint64_t offset, bytes;
    bool discard;
} Freed;

/* Clusters that are being given to guest clusters. */
typedef struct Allocation {
    struct Allocation *next;
    uint64_t guest, bytes, host;    /* whole clusters */
    CoQueue waiters;
} Allocation;

typedef struct Qcow2Snapshot {
    uint64_t l1_offset;
    uint32_t l1_size, extra_bytes;
    uint8_t *extra;                 /* what is behind the fields known here */
    size_t unknown_extra_bytes;
    BlockSnapshot is;
} Qcow2Snapshot;

typedef struct Qcow2Bitmap {
    char *name;
    uint64_t table_offset;
    uint32_t table_entries, flags;
    uint8_t granularity_bits;
    bool is_new;                    /* while they are stored: its clusters are */
} Qcow2Bitmap;

struct Qcow2 {
    BlockNode *node, *file, *data_file;
    unsigned version, cluster_bits, l2_bits, refcount_order, entry_words; /* l2_bits: of entries a table */
    uint64_t cluster_size;
    uint64_t incompatible, compatible, autoclear;
    unsigned crypt_method, compression;    /* 0 none, 1 AES, 2 LUKS; 0 zlib, 1 zstd */
    Qcow2Crypt *crypt;
    uint32_t header_bytes;
    uint64_t backing_offset;
    char *data_file_name;
    struct { uint32_t type; uint32_t bytes; uint8_t *data; } *unknown;  /* header extensions that are kept */
    size_t n_unknown;

    uint64_t l1_offset;
    uint32_t l1_size;
    uint64_t *l1;                          /* host's byte order */
    uint64_t reftable_offset;
    uint32_t reftable_clusters, reftable_entries;
    uint64_t *reftable;
    DirtyParts l1_dirty, reftable_dirty;
    bool needs_refcounts, needs_data;      /* refcounts, data: stable before an L2 entry is written */
    VEC(Freed) freed, leaving;             /* leaving: stable, but requests may still be at them */
    unsigned in_flight[2], generation;     /* requests that use clusters without the lock; see order.c */

    uint64_t snapshots_offset, snapshots_bytes;
    unsigned n_snapshots;
    Qcow2Snapshot *snapshots;

    VEC(Qcow2Bitmap) bitmaps;              /* the directory in the file */
    uint64_t bitmaps_offset, bitmaps_bytes;

    CoMutex lock;
    TableCache l2_cache, refcount_cache;
    Allocation *allocating;
    uint64_t free_hint;                    /* no free cluster before this one's index, perhaps */
    uint64_t compressed_at;                /* where the next compressed cluster may go; 0: a new cluster */
    bool lazy_refcounts, is_corrupt, discard_passdown;
    struct { uint64_t *at; size_t n, mask; } metadata; /* host clusters that hold tables */
    bool metadata_known;
    bool hollow, hollow_known;             /* the file has holes where clusters are */

    /* The last clusters decompressed. */
    struct { uint64_t entry; uint8_t *data; uint64_t last_use; } decompressed[4];
    uint64_t decompressed_clock;
};

/* -- cache.c: an entry stays until it is put back -- */
void cache_init(TableCache *c, unsigned n_entries, size_t entry_bytes, int (*before_write)(Qcow2 *s));
void cache_finish(TableCache *c);
int cache_get(Qcow2 *s, TableCache *c, uint64_t offset, bool fresh, uint8_t **ret); /* fresh: not read, zeros */
void cache_put(TableCache *c, const uint8_t *data);
void cache_dirty(TableCache *c, const uint8_t *data);
int cache_write_all(Qcow2 *s, TableCache *c);
/* Entries of [offset, offset + bytes) are dropped, written or not. */
void cache_forget(TableCache *c, uint64_t offset, uint64_t bytes);
void cache_forget_all(TableCache *c);
void dirty_parts_init(DirtyParts *d, uint64_t table_bytes);
void dirty_parts_add(DirtyParts *d, uint64_t entry_index);
int dirty_parts_write(Qcow2 *s, DirtyParts *d, const uint64_t *table, uint64_t entries, uint64_t offset);

/* -- order.c: writing tables back, with the lock -- */
int before_l2_write(Qcow2 *s);
int refcounts_write(Qcow2 *s);                           /* blocks, then the table that points to them */
int tables_write(Qcow2 *s, bool with_refcounts);         /* all of them, in order; the last ones are not flushed yet */
int file_flush(Qcow2 *s);
/* The clusters' refcounts go down once no stable entry names them. */
void free_later(Qcow2 *s, uint64_t offset, uint64_t bytes, bool discard);
int freed_process(Qcow2 *s);                             /* when everything is stable */
int tables_flush(Qcow2 *s);                              /* stable, and as far as requests allow nothing to free left */
/* Around the use of clusters without the lock: until it ends they are not used for something else. */
static inline unsigned use_begin(Qcow2 *s) { s->in_flight[s->generation & 1]++; return s->generation & 1; }
static inline void use_end(Qcow2 *s, unsigned use) { s->in_flight[use]--; }

/* -- refcount.c: with the lock -- */
bool refcount_load(Qcow2 *s, Error **errp);
int refcount_get(Qcow2 *s, uint64_t cluster, uint64_t *ret);
/* delta 1 or -1 for each cluster the range touches. Goes back when one fails. */
int refcount_change(Qcow2 *s, uint64_t offset, uint64_t bytes, int delta);
int64_t cluster_alloc(Qcow2 *s, uint64_t bytes);         /* contiguous; an offset or negative errno */
/* The first free ones, up to *bytes: how many they are. */
int64_t cluster_alloc_some(Qcow2 *s, uint64_t *bytes);
/* Up to `bytes` starting exactly at `offset`, while they are free; how many bytes, perhaps none. */
int64_t cluster_alloc_at(Qcow2 *s, uint64_t offset, uint64_t bytes);
int64_t compressed_alloc(Qcow2 *s, uint64_t bytes);
uint64_t refcount_read_entry(const Qcow2 *s, const uint8_t *block, uint64_t index);
void refcount_write_entry(const Qcow2 *s, uint8_t *block, uint64_t index, uint64_t value);
static inline uint64_t refcount_max(const Qcow2 *s) { return s->refcount_order == 6 ? INT64_MAX : (1ull << (1u << s->refcount_order)) - 1; }
static inline unsigned refblock_bits(const Qcow2 *s) { return s->cluster_bits + 3 - s->refcount_order; } /* log2 of entries a block */
/* What an L2 entry names: its file range. False: none. */
bool entry_range(const Qcow2 *s, uint64_t entry, uint64_t *ret_offset, uint64_t *ret_bytes);
/* Adds `delta` (or 0) to what the L1 table and everything under it uses, and sets the COPIED flags to what is so. */
int refcount_change_l1(Qcow2 *s, uint64_t l1_offset, uint32_t l1_size, int delta);
/* Whether tables or the header are in the range. */
int metadata_check(Qcow2 *s, uint64_t offset, uint64_t bytes);
void metadata_add(Qcow2 *s, uint64_t offset, uint64_t bytes);
void metadata_forget(Qcow2 *s);
int mark_corrupt(Qcow2 *s, const char *fmt, ...) PRINTF_LIKE(2, 3); /* -EIO */

/* -- cluster.c: with the lock -- */
/* MAP_PLACED: a subcluster that is not there, of a cluster that has a place. */
typedef enum MapKind { MAP_UNALLOCATED, MAP_PLACED, MAP_ZERO, MAP_ZERO_ALLOCATED, MAP_NORMAL, MAP_COMPRESSED } MapKind;

static inline bool map_has_place(MapKind k) { return k == MAP_NORMAL || k == MAP_ZERO_ALLOCATED || k == MAP_PLACED; }
static inline unsigned compressed_sectors_shift(const Qcow2 *s) { return 62 - (s->cluster_bits - 8); }
static inline uint64_t compressed_offset(const Qcow2 *s, uint64_t entry) { return entry & ((1ull << compressed_sectors_shift(s)) - 1); }
/* From its offset to the end of its last sector. */
static inline uint64_t compressed_bytes(const Qcow2 *s, uint64_t entry)
{
    uint64_t sectors = ((entry & ~(ENTRY_COPIED | ENTRY_COMPRESSED)) >> compressed_sectors_shift(s)) + 1;
    return sectors * 512 - (compressed_offset(s, entry) & 511);
}
static inline uint64_t subcluster_size(const Qcow2 *s) { return s->entry_words == 2 ? s->cluster_size / SUBCLUSTERS : s->cluster_size; }
static inline uint64_t round_down_cluster(const Qcow2 *s, uint64_t x) { return x & ~(s->cluster_size - 1); }
static inline uint64_t round_up_cluster(const Qcow2 *s, uint64_t x) { return (x + s->cluster_size - 1) & ~(s->cluster_size - 1); }

/* What is at `offset`, for *bytes (lowered). host: of the byte; for MAP_COMPRESSED: the entry. */
int map_read(Qcow2 *s, uint64_t offset, uint64_t *bytes, MapKind *ret_kind, uint64_t *ret_host);
/* A slice of the table for `offset`, for writing: the table is made or copied if it is not this image's own. Put it back. */
int slice_for_write(Qcow2 *s, uint64_t offset, uint8_t **ret_slice, unsigned *ret_index);
static inline unsigned slice_entries(const Qcow2 *s) { return (unsigned)MIN(s->cluster_size, (uint64_t)L2_SLICE_BYTES) / (8 * s->entry_words); }
int slice_get(Qcow2 *s, uint64_t l2_offset, uint64_t guest, uint8_t **ret_slice);
static inline uint64_t slice_entry(const Qcow2 *s, const uint8_t *slice, unsigned i) { return ldbe64(slice + i * 8 * s->entry_words); }
/* Extended entries: low half allocated, high half zeros. */
static inline uint64_t slice_bitmap(const Qcow2 *s, const uint8_t *slice, unsigned i) { return ldbe64(slice + i * 16 + 8); }
void slice_set(Qcow2 *s, uint8_t *slice, unsigned i, uint64_t entry, uint64_t bitmap);
static inline uint64_t l1_index(const Qcow2 *s, uint64_t offset) { return offset >> (s->l2_bits + s->cluster_bits); }
static inline unsigned l2_index(const Qcow2 *s, uint64_t offset) { return (unsigned)(offset >> s->cluster_bits & ((1u << s->l2_bits) - 1)); }
int l1_grow(Qcow2 *s, uint64_t entries, bool exact);
/* Guest clusters get the host's as their own; subclusters [sub_from, sub_to) of them have data. */
int name_clusters(Qcow2 *s, uint64_t guest, uint64_t bytes, uint64_t host, uint64_t sub_from, uint64_t sub_to, uint64_t *ret_named);
void l1_set(Qcow2 *s, uint64_t index, uint64_t value);
/* Zeros, or nothing (full discard), for whole clusters or subclusters. */
int map_zero(Qcow2 *s, uint64_t offset, uint64_t bytes, bool unmap);
int map_discard(Qcow2 *s, uint64_t offset, uint64_t bytes, bool full);

/* -- compress.c -- */
/* Compressed size, or 0 when it does not get smaller than `limit`. In workers. */
size_t compress_cluster(unsigned type, const uint8_t *in, size_t in_bytes, uint8_t *out, size_t limit);
bool decompress_cluster(unsigned type, const uint8_t *in, size_t in_bytes, uint8_t *out, size_t out_bytes);
bool compression_known(unsigned type);

/* -- io.c: the driver's requests -- */
int qcow2_co_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags);
int qcow2_co_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags);
int qcow2_co_write_compressed(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg);
int qcow2_co_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags);
int qcow2_co_discard(BlockNode *node, uint64_t offset, uint64_t bytes);
int qcow2_co_flush(BlockNode *node);
int qcow2_co_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret);

/* -- header.c -- */
unsigned qcow2_probe(const uint8_t *head, size_t bytes, const char *filename);
bool qcow2_open(BlockNode *node, Json *options, Error **errp);
void qcow2_close(BlockNode *node);
bool qcow2_set_writable(BlockNode *node, bool writable, Error **errp);
int header_write(Qcow2 *s);                              /* all of it, extensions too */
int header_build(const Qcow2 *s, uint8_t *cluster);
int header_write_features(Qcow2 *s);
bool qcow2_change_backing(BlockNode *node, const char *file, const char *format, Error **errp);
extern const BlockOption qcow2_options[];

/* -- create.c, resize.c, snapshot.c, check.c, info.c -- */
bool qcow2_create(const char *filename, const Json *options, Error **errp);
extern const BlockOption qcow2_create_options[], qcow2_amend_options[];
bool qcow2_measure(const Json *options, BlockNode *in, uint64_t *required, uint64_t *full, Error **errp);
int qcow2_co_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp);
int qcow2_make_empty(BlockNode *node);
bool snapshots_load(Qcow2 *s, Error **errp);
void snapshots_free(Qcow2 *s);
bool qcow2_snapshot_create(BlockNode *node, BlockSnapshot *snapshot, Error **errp);
bool qcow2_snapshot_goto(BlockNode *node, const char *id_or_name, Error **errp);
bool qcow2_snapshot_delete(BlockNode *node, const char *name, Error **errp);
size_t qcow2_snapshot_list(BlockNode *node, BlockSnapshot **ret);
bool qcow2_snapshot_load(BlockNode *node, const char *id_or_name, Error **errp);

/* -- crypt.c -- */
bool crypt_read_extension(Qcow2 *s, const uint8_t *data, uint32_t bytes, Error **errp);
bool crypt_build_extension(const Qcow2 *s, uint8_t *ret);  /* 16 bytes; false: there is none */
void crypt_range(const Qcow2 *s, uint64_t *ret_offset, uint64_t *ret_bytes); /* the LUKS header in the file; 0: none */
bool crypt_open(Qcow2 *s, Json *options, Error **errp);
void crypt_close(Qcow2 *s);
/* The guest's data in the file, which may be encrypted. */
int data_co_read(Qcow2 *s, uint64_t guest, uint64_t host, uint64_t bytes, Sg sg);
int data_co_write(Qcow2 *s, uint64_t guest, uint64_t host, uint64_t bytes, Sg sg);
bool crypt_create_options(const Json *options, unsigned *ret_method, Error **errp);
uint64_t crypt_measure(const Json *options, unsigned method);
bool crypt_create(BlockNode *node, const Json *options, unsigned method, Error **errp);
bool crypt_amend(Qcow2 *s, const Json *options, bool force, Error **errp);
Json *crypt_describe(const Qcow2 *s);

/* -- bitmaps.c -- */
bool bitmaps_read_directory(Qcow2 *s, const uint8_t *extension, uint32_t bytes, Error **errp);
/* They become the node's; if it is writable they are marked as in use. */
bool bitmaps_load(Qcow2 *s, Error **errp);
bool bitmaps_mark_in_use(Qcow2 *s, Error **errp);
int bitmaps_store(Qcow2 *s);                             /* with the lock, when all tables are stable */
void bitmaps_forget(Qcow2 *s);
void bitmaps_build_extension(const Qcow2 *s, uint8_t *ret); /* 24 bytes */
Json *bitmaps_describe(const Qcow2 *s);
bool qcow2_bitmap_can_store(const struct DirtyBitmap *bitmap, Error **errp);

bool qcow2_check(BlockNode *node, BlockCheck *check, unsigned fix, Error **errp);
void qcow2_info(BlockNode *node, BlockInfo *ret);
bool qcow2_amend(BlockNode *node, const Json *options, Error **errp);

#endif
