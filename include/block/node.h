/*
 * node.h: the graph of block nodes: what drivers of formats and protocols implement, and what their users call.
 *
 * A node is an open image, protocol or filter. Its children are nodes it keeps its data in ("file", "backing", "data-file", …); its
 * parents are the nodes and users (devices, jobs, exports, tools) that have it as a child or root. A node lives as long as it
 * has references.
 *
 * Requests are made by coroutines (node_co_*), in bytes; 0 or a negative errno. Reads behind the end give zeros. The functions without
 * co_ wait for the request themselves: for tools and while images are opened.
 *
 * Permissions: each user of a node says what it does (perm) and what others may do meanwhile (shared). Conflicts are errors when the graph
 * changes, never when a request is made. The file driver shows the sum to other processes as locks.
 *
 * Threads: the graph changes in the main thread, under the device lock, while what is touched is drained. Requests run in their node's
 * IoContext.
 */
#ifndef BLOCK_NODE_H
#define BLOCK_NODE_H

#include "block/ioctx.h"
#include "block/sg.h"
#include "util/json.h"

typedef struct BlockNode BlockNode;
typedef struct BlockDriver BlockDriver;
typedef struct BlockEdge BlockEdge;
struct DirtyBitmap;

enum {
    PERM_READ = 1,             /* sees consistent data */
    PERM_WRITE = 2,
    PERM_WRITE_UNCHANGED = 4,  /* writes what is read there anyway */
    PERM_RESIZE = 8,
    PERM_ALL = 15,
};

/* What a child is for its parent. */
enum {
    ROLE_DATA = 1,       /* guest data, as the parent lays it out */
    ROLE_METADATA = 2,
    ROLE_FILTERED = 4,   /* the same data at the same place */
    ROLE_COW = 8,        /* backing image */
    ROLE_PRIMARY = 16,   /* the one a file name means */
};

enum {
    BLOCK_RDWR = 1,
    BLOCK_DIRECT = 2,         /* cache.direct */
    BLOCK_NO_FLUSH = 4,       /* cache.no-flush */
    BLOCK_DISCARD = 8,        /* discard=unmap */
    BLOCK_NO_BACKING = 16,    /* do not open the backing image the header names */
    BLOCK_CHECK = 32,         /* opened to be checked: damage is not an error yet */
    BLOCK_FORCE_SHARE = 64,   /* no locks, others may write: read-only */
    BLOCK_AUTO_RDONLY = 128,  /* read-only where writing is not possible */
    BLOCK_PROBED = 256,       /* the format was guessed */
    BLOCK_SNAPSHOT = 512,     /* writes go to a temporary image */
    BLOCK_NO_IO = 1024,       /* only for a look at the header */
    BLOCK_DETECT_ZEROES = 2048, /* writes of zeros become write-zeroes */
    BLOCK_DETECT_UNMAP = 4096,  /* which may give the space back */
};

/* Flags of requests; block.h has FUA (1) and UNMAP (2). */
enum { REQ_FUA = 1, REQ_UNMAP = 2, REQ_COMPRESSED = 4, REQ_NO_FALLBACK = 8 };

enum {
    STATUS_DATA = 1,          /* has been written */
    STATUS_ZERO = 2,          /* reads as zeros */
    STATUS_MAPPED = 4,        /* `map_offset` of `map_node` has the data */
    STATUS_ALLOCATED = 8,     /* this node's own, not its backing image's */
    STATUS_COMPRESSED = 16,
    STATUS_RECURSE = 32,      /* map_node may know better whether it reads as zeros */
    STATUS_EOF = 64,
};

typedef struct BlockStatus {
    unsigned flags;
    uint64_t bytes;           /* for how many, at least one unless asked for none */
    uint64_t map_offset;
    BlockNode *map_node;
} BlockStatus;

typedef enum Prealloc { PREALLOC_OFF, PREALLOC_METADATA, PREALLOC_FALLOC, PREALLOC_FULL } Prealloc;
extern const char *const prealloc_names[]; /* NULL-terminated */

typedef enum OptionKind { OPTION_STRING, OPTION_BOOL, OPTION_NUMBER, OPTION_SIZE, OPTION_NODE } OptionKind;
typedef struct BlockOption {
    const char *name;
    OptionKind kind;
    const char *help;
    const char *fallback;     /* shown as the default; NULL: none */
} BlockOption;

typedef struct BlockInfo {
    uint64_t cluster_size;    /* 0: none */
    bool is_dirty, is_corrupt, has_vm_state_offset, is_encrypted;
    uint64_t vm_state_offset;
    Json *specific;           /* "format-specific" of qemu-img info; NULL: none */
} BlockInfo;

typedef struct BlockCheck {
    uint64_t corruptions, leaks, check_errors, corruptions_fixed, leaks_fixed;
    uint64_t image_end_offset, total_clusters, allocated_clusters, fragmented_clusters, compressed_clusters;
    bool has_clusters;
    char **messages;          /* in the order found, as a person reads them */
    size_t n_messages;
} BlockCheck;
enum { CHECK_FIX_LEAKS = 1, CHECK_FIX_ERRORS = 2 };
void block_check_say(BlockCheck *check, const char *fmt, ...) PRINTF_LIKE(2, 3);
void block_check_free(BlockCheck *check);

typedef struct BlockSnapshot {
    char *id, *name;
    uint64_t vm_state_bytes, disk_bytes;
    uint32_t date_s, date_ns;
    uint64_t vm_clock_ns, icount;   /* icount: UINT64_MAX none */
} BlockSnapshot;

typedef enum DriverKind { DRIVER_FORMAT, DRIVER_PROTOCOL, DRIVER_FILTER } DriverKind;

struct BlockDriver {
    const char *name, *summary;
    const char *protocol;             /* words of which one is before ':' in file names; NULL */
    DriverKind kind;
    size_t state_bytes;
    const BlockOption *options;         /* runtime; ends with a NULL name */
    const BlockOption *create_options;  /* NULL: cannot create images */
    const BlockOption *amend_options;   /* NULL: the create_options */
    bool has_backing, zero_init;      /* zero_init: a new image reads as zeros */
    bool handles_fua;                 /* co_write and co_zero keep REQ_FUA */

    /* How sure that it is this format, 0 to 100. */
    unsigned (*probe)(const uint8_t *head, size_t bytes, const char *filename);
    bool (*parse_filename)(const char *filename, Json *options, Error **errp);
    /* Children that are read to open it have been opened by node_open_child(). */
    bool (*open)(BlockNode *node, Json *options, Error **errp);
    void (*close)(BlockNode *node);
    bool (*create)(const char *filename, const Json *options, Error **errp);
    /* perm and shared: of all parents; in: none, out: what the child is asked for. NULL: by the child's role. */
    void (*child_perm)(BlockNode *node, const BlockEdge *edge, unsigned perm, unsigned shared, unsigned *ret_perm, unsigned *ret_shared);
    bool (*set_perm)(BlockNode *node, unsigned perm, unsigned shared, Error **errp);

    int (*co_read)(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags);
    int (*co_write)(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags);
    int (*co_write_compressed)(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg);
    int (*co_zero)(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags); /* -ENOTSUP: data is written */
    int (*co_discard)(BlockNode *node, uint64_t offset, uint64_t bytes);
    int (*co_flush)(BlockNode *node);        /* what was written is on stable storage, but for the children's own flush */
    int (*co_truncate)(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp);
    int (*co_status)(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret);
    int (*co_copy)(BlockNode *from, uint64_t from_offset, BlockNode *to, uint64_t to_offset, uint64_t bytes, unsigned flags);

    uint64_t (*allocated_bytes)(BlockNode *node);   /* on the host; UINT64_MAX: not known */
    void (*info)(BlockNode *node, BlockInfo *ret);
    void (*debug_event)(BlockNode *node, const char *event); /* of blkdebug: what a parent is about to do */
    bool (*check)(BlockNode *node, BlockCheck *check, unsigned fix, Error **errp);
    bool (*change_backing)(BlockNode *node, const char *file, const char *format, Error **errp);
    bool (*amend)(BlockNode *node, const Json *options, Error **errp);
    /* Bytes that an image with this data takes, made with these options; *full: if all clusters had data. */
    bool (*measure)(const Json *options, BlockNode *in, uint64_t *required, uint64_t *full, Error **errp);
    int (*make_empty)(BlockNode *node);             /* after commit */
    bool (*snapshot_create)(BlockNode *node, BlockSnapshot *snapshot, Error **errp);
    bool (*snapshot_goto)(BlockNode *node, const char *id_or_name, Error **errp);
    bool (*snapshot_delete)(BlockNode *node, const char *name, Error **errp);
    size_t (*snapshot_list)(BlockNode *node, BlockSnapshot **ret);
    bool (*snapshot_load)(BlockNode *node, const char *id_or_name, Error **errp); /* read-only view (-l) */
    bool (*set_writable)(BlockNode *node, bool writable, Error **errp); /* NULL: nothing to do but for the children */
    bool (*bitmap_can_store)(const struct DirtyBitmap *bitmap, Error **errp);     /* NULL: the format keeps none */
};

/* What a job does around each write to a node, with the request tracked: before data changes (an error ends the request), and after. */
typedef struct WriteHook {
    struct WriteHook *next;
    int (*before)(struct WriteHook *hook, uint64_t offset, uint64_t bytes);
    void (*after)(struct WriteHook *hook, uint64_t offset, uint64_t bytes);
    void *opaque;
} WriteHook;

/* A use of a node: by a parent node, or by somebody outside of the graph (parent NULL). */
struct BlockEdge {
    BlockNode *node, *parent;
    const char *name;                /* "file"; of a root: who it is, for messages */
    unsigned role, perm, shared;
    BlockEdge *next_child, *next_parent;
    bool stays;                      /* it is not moved by node_replace() */
    void (*moved)(BlockEdge *edge, BlockNode *from); /* told when it is; NULL */
    void *opaque;
};

typedef struct TrackedRequest {
    struct TrackedRequest *next, *prev;
    uint64_t offset, end;            /* as far as it touches, aligned */
    bool serialising;
    CoQueue waiters;
} TrackedRequest;

struct BlockNode {
    const BlockDriver *driver;
    void *state;
    char *name;                      /* node-name, "#block123" if nobody gave one */
    char *filename;                  /* as a person would give it; json:{…} where no name says it */
    char *backing_file, *backing_format;  /* of the header; NULL */
    Json *options;                   /* explicit, with the driver */
    unsigned flags, refs;
    bool is_open, readonly;
    uint64_t size_bytes;

    uint32_t request_align;          /* 1: any; a power of two */
    uint32_t memory_align;
    uint64_t max_transfer, zero_align, max_zero;   /* 0: no limit */

    BlockEdge *children, *parents;
    unsigned perm, shared;           /* of all parents */

    IoContext *context;
    unsigned in_flight;
    TrackedRequest *tracked;
    uint64_t writes, flushed;        /* writes that have ended; how many of those are stable */
    bool flushing;
    CoQueue flush_waiters;
    struct DirtyBitmap *bitmaps;     /* bitmap.h */
    WriteHook *hooks;
    unsigned quiesced;               /* users' new requests wait */
    CoQueue quiesce_waiters;
    BlockNode *next;                 /* of all nodes */
};

/* -- opening -- */

/* A new image on top of `base` that is gone when it is closed. `folder` NULL: where temporary files are. */
BlockNode *node_put_temporary(BlockNode *base, const char *folder, Error **errp);
/* Adds the BLOCK_* of a cache mode (NULL: writeback) to `flags`. False: there is no such mode. */
bool node_cache_flags(const char *mode, unsigned *flags, bool *writethrough);
/* `options` (may be NULL) is taken. `filename` may be NULL, a path, PROTOCOL:…, or json:{…}. */
BlockNode *node_open(const char *filename, Json *options, unsigned flags, Error **errp);
/* For drivers: the child described by options[`name`] (an object, or the name of a node), else by `filename`. NULL without an error if
 * neither is there and it is `optional`. */
BlockEdge *node_open_child(BlockNode *node, Json *options, const char *name, unsigned role, const char *filename, bool optional, Error **errp);
BlockNode *node_ref(BlockNode *node);
void node_unref(BlockNode *node);    /* NULL is allowed */
BlockNode *node_find(const char *name);
BlockNode *node_next(const BlockNode *node); /* NULL: the first of all */
const BlockDriver *driver_find(const char *name);
extern const BlockDriver *const block_drivers[]; /* NULL-terminated */
enum { BLOCK_PROBE_BYTES = 2048 };
/* What the first bytes of an image (BLOCK_PROBE_BYTES, if it has so many) and its name say: "raw" if nothing. */
const BlockDriver *driver_of_contents(const uint8_t *head, size_t bytes, const char *filename);
/* False for the first key of `options` the driver does not know. */
bool driver_check_options(const BlockOption *rows, const char *driver, const Json *options, Error **errp);

/* Somebody outside of the graph uses a node; takes no reference of the caller's. */
BlockEdge *node_attach(BlockNode *node, const char *user, unsigned perm, unsigned shared, Error **errp);
void edge_detach(BlockEdge *edge);   /* drops the edge's reference */
bool edge_set_perm(BlockEdge *edge, unsigned perm, unsigned shared, Error **errp);
/* Makes the edge use another node. */
bool edge_replace(BlockEdge *edge, BlockNode *node, Error **errp);
/* All parents of `from` but those that stay, and `to` itself, use `to` instead. All or none. */
bool node_replace(BlockNode *from, BlockNode *to, Error **errp);
/* An image opened for reading, as a backing image is, takes writes from now on; back again. */
bool node_set_writable(BlockNode *node, bool writable, Error **errp);
BlockEdge *node_add_child(BlockNode *node, BlockNode *child, const char *name, unsigned role, Error **errp);
BlockEdge *node_child(const BlockNode *node, const char *name); /* NULL: none */

static inline BlockNode *edge_node(const BlockEdge *edge) { return edge ? edge->node : NULL; }
BlockNode *node_file(const BlockNode *node);     /* "file" or NULL */
BlockNode *node_backing(const BlockNode *node);  /* the COW child, NULL: none */
BlockNode *node_filtered(const BlockNode *node); /* of a filter; NULL */
BlockNode *node_skip_filters(BlockNode *node);
/* Whether a file name names a protocol ("nbd://…"); the path behind "file:". */
bool filename_has_protocol(const char *filename);
/* `name` as seen from the folder of `base`; the caller's. */
char *filename_relative_to(const char *base, const char *name);

/* -- requests -- */

int node_co_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags);
int node_co_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags);
int node_co_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags);
int node_co_discard(BlockNode *node, uint64_t offset, uint64_t bytes);
int node_co_flush(BlockNode *node);
int node_co_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp);
/* What this node itself knows of a range. */
int node_co_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret);
/* The same through filters and backing images, down to but without `base` (NULL: all). */
int node_co_status_above(BlockNode *node, BlockNode *base, uint64_t offset, uint64_t bytes, BlockStatus *ret);
/* 1 if the range's beginning is allocated above `base`, for *ret_bytes. */
int node_co_is_allocated_above(BlockNode *node, BlockNode *base, bool include_base, uint64_t offset, uint64_t bytes, uint64_t *ret_bytes);
/* Offload; -ENOTSUP: read and write instead. */
int node_co_copy(BlockNode *from, uint64_t from_offset, BlockNode *to, uint64_t to_offset, uint64_t bytes, unsigned flags);

/* Says what is about to be done to a node, for rules of tests. */
static inline void node_event(BlockNode *node, const char *event)
{
    if (node->driver->debug_event) {
        node->driver->debug_event(node, event);
    }
}

/* With a buffer, for metadata. */
int node_co_pread(BlockNode *node, uint64_t offset, void *buf, size_t bytes);
int node_co_pwrite(BlockNode *node, uint64_t offset, const void *buf, size_t bytes, unsigned flags);

/* These wait. */
int node_pread(BlockNode *node, uint64_t offset, void *buf, size_t bytes);
int node_pwrite(BlockNode *node, uint64_t offset, const void *buf, size_t bytes, unsigned flags);
int node_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags);
int node_discard(BlockNode *node, uint64_t offset, uint64_t bytes);
int node_flush(BlockNode *node);
bool node_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp);
int node_status_above(BlockNode *node, BlockNode *base, uint64_t offset, uint64_t bytes, BlockStatus *ret);
/* Waits until the node has no requests. */
void node_drain(BlockNode *node);

/* A buffer the node's files can be read into directly. */
void *node_alloc(const BlockNode *node, size_t bytes);

/* As query-named-block-nodes shows it; `flat`: without the backing images. */
Json *node_describe(BlockNode *node, bool flat);
uint64_t node_allocated_bytes(BlockNode *node);  /* with the children's; UINT64_MAX: not known */

/* No user's request is in flight until node_co_resume(): users wait in quiesce_waiters before they make one. For coroutines. */
void node_co_quiesce(BlockNode *node);
void node_co_resume(BlockNode *node);
/* For users, before each request: waits while a job has the node for itself. The node that is there then, perhaps another one; a reference of it. */
BlockNode *edge_co_node(const BlockEdge *edge);
void node_add_hook(BlockNode *node, WriteHook *hook);
void node_remove_hook(BlockNode *node, WriteHook *hook);  /* while the node is quiesced */
/* What `node` does not have itself and reads from images above `base` (NULL: any) becomes its own. In one piece of whole clusters. */
int node_co_copy_up(BlockNode *node, BlockNode *base, uint64_t offset, uint64_t bytes);

/* Serialised requests, for read-modify-write and copy-on-read. */
void tracked_begin(BlockNode *node, TrackedRequest *req, uint64_t offset, uint64_t bytes);
void tracked_serialise(BlockNode *node, TrackedRequest *req, uint64_t align);
void tracked_end(BlockNode *node, TrackedRequest *req);

/* -- creating -- */

/* Options as the format and the protocol beneath know them: values become what their kind says. */
bool image_create_check(const char *filename, const char *format, Json *options, Error **errp);
bool image_create(const char *filename, const char *format, const Json *options, bool quiet, Error **errp);

#endif
