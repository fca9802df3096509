/*
 * block.h: disks as devices see them.
 *
 * A BlockBackend is what a device's drive= names: an id, an image, requests that complete later. Requests are carried out by
 * worker threads; `done` runs in the main loop with the device lock, with 0 or a negative errno. Buffers must stay
 * until then. A flush completes when everything completed before it is on stable storage.
 *
 * Images: raw files and block devices, whole or a window (offset, size). Other formats end with a clear error.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <sys/uio.h>
#include "util/error.h"
#include "util/json.h"

typedef struct BlockBackend BlockBackend;
typedef void BlockDone(void *opaque, int result);

/* -drive TEXT: file=,if=,id=,index=,format=,cache=,aio=,readonly=,snapshot=,media=,discard=,…
 * `default_if` is the board's. */
bool drive_add(const char *text, const char *default_if, Error **errp);
/* -blockdev / blockdev-add: driver raw, file, host_device, null-co; nested "file" allowed. */
bool blockdev_add(const Json *options, Error **errp);
bool blockdev_del(const char *node_name, Error **errp);

BlockBackend *block_find(const char *id_or_node);
/* The drive with if=`interface` and this index that no device has taken; NULL: none. Boards call it. */
BlockBackend *drive_get(const char *interface, unsigned index);
/* Calls fn for each -drive with if=`interface` that no device has taken. */
void drive_foreach(const char *interface, void (*fn)(BlockBackend *blk, void *opaque), void *opaque);
/* A device takes and gives back its disk. */
bool block_attach(BlockBackend *blk, const char *owner, bool writes, Error **errp);
void block_detach(BlockBackend *blk);

const char *block_id(const BlockBackend *blk);
uint64_t block_size_bytes(const BlockBackend *blk);
bool block_is_readonly(const BlockBackend *blk);
bool block_has_write_cache(const BlockBackend *blk);  /* cache.writeback */

enum { BLOCK_FUA = 1, BLOCK_UNMAP = 2 };
void block_readv(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n, BlockDone *done, void *opaque);
void block_writev(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n, unsigned flags,
                  BlockDone *done, void *opaque);
void block_flush(BlockBackend *blk, BlockDone *done, void *opaque);
void block_discard(BlockBackend *blk, uint64_t offset, uint64_t bytes, BlockDone *done, void *opaque);
void block_write_zeroes(BlockBackend *blk, uint64_t offset, uint64_t bytes, unsigned flags, BlockDone *done, void *opaque);
/* Waits until no request is in flight (reset, stop, exit). Main loop's thread. */
void block_drain(BlockBackend *blk);
void block_drain_all(void);
/* Synchronous, for loaders and flash; negative errno. */
int block_pread(BlockBackend *blk, uint64_t offset, void *buf, size_t bytes);
int block_pwrite(BlockBackend *blk, uint64_t offset, const void *buf, size_t bytes);

/* query-block's array; text of info block. */
Json *block_query(void);
/* The answer to query-blockstats: of the disks devices use, or of all nodes. */
Json *block_query_stats(bool nodes);
/* Flushes and closes everything; at exit. */
void block_cleanup(void);

#endif
