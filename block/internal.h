/*
 * internal.h: what the files of block/ share.
 *
 * A Medium is an open image: a raw one as a descriptor, another format as a node of the block layer (node.h); a BlockBackend is the slot a device reads it through. Removable drives change their medium,
 * and several backends may hold the same one. A node (-blockdev) is a backend no device uses itself: block_attach() makes
 * a front for it with the node's medium.
 */
#ifndef BLOCK_INTERNAL_H
#define BLOCK_INTERNAL_H

#include "block/block.h"
#include "util/alloc.h"

typedef struct Overlay Overlay;
struct BlockNode;
struct BlockEdge;

typedef struct Medium {
    unsigned refs;
    char *filename, *node_name; /* node_name: of the -blockdev; NULL */
    int fd;                     /* -1: null-co */
    int cached_fd;              /* with direct: for accesses the host cannot do directly; -1 */
    bool readonly, direct, no_flush, discard, is_device;
    uint64_t size_bytes, window;  /* window: first byte in the file */
    Overlay *overlay;           /* snapshot: where writes go; NULL */
    struct BlockNode *node;     /* of another format than raw: fd is -1; NULL */
    struct BlockEdge *edge;     /* the drive's use of it */
    const char *found;          /* while it is opened: what its first bytes say */
} Medium;

struct BlockBackend {
    BlockBackend *next;
    char *id, *interface, *owner, *serial;
    unsigned bus, unit, index;
    bool is_node, is_front, is_cdrom;
    BlockBackend *node;         /* of a front: the node its device was given */
    Medium *medium;             /* NULL: empty */
    bool writeback, readonly;   /* readonly: as the user asked, for media put in later */
    BlockOnError on_read_error, on_write_error;
    int io_error;               /* why the machine stopped; 0 */
    unsigned in_flight;
    uint64_t reads, writes, read_bytes, write_bytes, flushes;
    const BlockMediaOps *ops;
    void *ops_opaque;
    struct ThrottleGroup *throttle; /* NULL: no limits */
};

extern BlockBackend *block_backends;

void backend_link(BlockBackend *blk);
void backend_free(BlockBackend *blk); /* and takes it out of the list */

/* -- limits.c -- */
/* The members of -drive that are limits; NULL: none. */
Json *limits_take(Json *opts);
/* Also to none. The medium becomes a node. */
bool limits_set(BlockBackend *blk, const Json *opts, Error **errp);
void limits_end(BlockBackend *blk);
void limits_describe(const BlockBackend *blk, Json *inserted);

/* -- policy.c -- */
bool block_parse_policy(const char *option, const char *text, BlockOnError *ret, Error **errp);
/* What is to be done about a failed request: report, ignore or stop. */
BlockOnError block_error_action(BlockBackend *blk, bool is_read, int result);

/* -- open.c -- */
typedef struct OpenMode {
    bool readonly, direct, no_flush, discard, snapshot;
    const char *format;         /* NULL: probe */
    const Json *options;        /* others, for nodes; NULL: none */
} OpenMode;
Medium *medium_open(const char *filename, const OpenMode *mode, Error **errp);
Medium *medium_open_json(const Json *options, const OpenMode *mode, Error **errp);
Medium *medium_ref(Medium *m);
void medium_unref(Medium *m);    /* NULL is allowed */

typedef enum RequestKind { REQ_READ, REQ_WRITE, REQ_FLUSH, REQ_DISCARD, REQ_ZERO } RequestKind;

typedef struct Request {
    struct Request *next;
    BlockBackend *blk;
    RequestKind kind;
    unsigned flags;
    uint64_t offset, bytes;
    struct iovec *iov;
    unsigned n_iov;
    int result;
    BlockDone *done;
    void *opaque;
} Request;
/* Its completion runs in the main loop. Any thread. */
void request_finished(Request *req);

/* -- node-medium.c -- */
bool format_is_node(const char *format);           /* NULL: no */
/* Takes `options`. A medium that could not be opened may have a node: medium_unref() it. */
bool node_medium_open(Medium *m, const char *filename, Json *options, const OpenMode *mode, Error **errp);
void node_medium_close(Medium *m);
/* A raw medium becomes one that is a node, so that what is between drives and nodes sees each request. */
bool medium_become_node(Medium *m, Error **errp);
/* A device has it, or no longer has: while one has, nobody else may write. */
bool node_medium_use(Medium *m, bool used, Error **errp);
bool filename_is_node(const char *filename);       /* not a path */
void node_medium_start(Request *req);
void node_medium_poll(void);
int node_medium_rw(Medium *m, bool writes, uint64_t offset, void *buf, size_t bytes);
const char *node_medium_format(const Medium *m);
void node_medium_describe(const Medium *m, Json *image);

/* -- transfer.c: system calls of the workers; 0 or negative errno -- */
int transfer(const Medium *m, int fd, RequestKind kind, const struct iovec *iov, unsigned n, uint64_t offset);
int medium_rw(Medium *m, RequestKind kind, const struct iovec *iov, unsigned n, uint64_t offset);
int medium_zero(Medium *m, uint64_t offset, uint64_t bytes, unsigned flags);
int medium_discard(Medium *m, uint64_t offset, uint64_t bytes);
int medium_sync(Medium *m);

/* -- overlay.c -- */
const char *snapshot_folder(void);      /* for temporary files */
Overlay *overlay_new(uint64_t size_bytes, Error **errp);
void overlay_free(Overlay *o);
int overlay_read(Medium *m, const struct iovec *iov, unsigned n, uint64_t offset);
int overlay_write(Medium *m, const struct iovec *iov, unsigned n, uint64_t offset);
/* The part [skip, skip + bytes) of a vector; returns the entries used. `out` has room for n of them. */
unsigned iov_part(const struct iovec *iov, unsigned n, size_t skip, size_t bytes, struct iovec *out);

#endif
