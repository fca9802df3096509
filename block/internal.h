/*
 * internal.h: what the files of block/ share.
 *
 * A Medium is an open image; a BlockBackend is the slot a device reads it through. Removable drives change their medium,
 * and several backends may hold the same one. A node (-blockdev) is a backend no device uses itself: block_attach() makes
 * a front for it with the node's medium.
 */
#ifndef BLOCK_INTERNAL_H
#define BLOCK_INTERNAL_H

#include "block/block.h"
#include "util/alloc.h"

typedef struct Overlay Overlay;

typedef struct Medium {
    unsigned refs;
    char *filename, *node_name; /* node_name: of the -blockdev; NULL */
    int fd;                     /* -1: null-co */
    int cached_fd;              /* with direct: for accesses the host cannot do directly; -1 */
    bool readonly, direct, no_flush, discard, is_device;
    uint64_t size_bytes, window;  /* window: first byte in the file */
    Overlay *overlay;           /* snapshot: where writes go; NULL */
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
};

extern BlockBackend *block_backends;

void backend_link(BlockBackend *blk);
void backend_free(BlockBackend *blk); /* and takes it out of the list */

/* -- policy.c -- */
bool block_parse_policy(const char *option, const char *text, BlockOnError *ret, Error **errp);
/* What is to be done about a failed request: report, ignore or stop. */
BlockOnError block_error_action(BlockBackend *blk, bool is_read, int result);

/* -- open.c -- */
typedef struct OpenMode {
    bool readonly, direct, no_flush, discard, snapshot;
    const char *format;         /* NULL: probe */
} OpenMode;
Medium *medium_open(const char *filename, const OpenMode *mode, Error **errp);
Medium *medium_open_json(const Json *options, const OpenMode *mode, Error **errp);
Medium *medium_ref(Medium *m);
void medium_unref(Medium *m);    /* NULL is allowed */

/* -- transfer.c: system calls of the workers; 0 or negative errno -- */
typedef enum RequestKind { REQ_READ, REQ_WRITE, REQ_FLUSH, REQ_DISCARD, REQ_ZERO } RequestKind;
int transfer(const Medium *m, int fd, RequestKind kind, const struct iovec *iov, unsigned n, uint64_t offset);
int medium_rw(Medium *m, RequestKind kind, const struct iovec *iov, unsigned n, uint64_t offset);
int medium_zero(Medium *m, uint64_t offset, uint64_t bytes, unsigned flags);
int medium_discard(Medium *m, uint64_t offset, uint64_t bytes);
int medium_sync(Medium *m);

/* -- overlay.c -- */
Overlay *overlay_new(uint64_t size_bytes, Error **errp);
void overlay_free(Overlay *o);
int overlay_read(Medium *m, const struct iovec *iov, unsigned n, uint64_t offset);
int overlay_write(Medium *m, const struct iovec *iov, unsigned n, uint64_t offset);
/* The part [skip, skip + bytes) of a vector; returns the entries used. `out` has room for n of them. */
unsigned iov_part(const struct iovec *iov, unsigned n, size_t skip, size_t bytes, struct iovec *out);

#endif
