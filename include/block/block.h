/*
 * block.h: disks as devices see them.
 *
 * A BlockBackend is what a device's drive= names: an id, an image, requests that complete later. Requests are carried out by
 * worker threads; `done` runs in the main loop with the device lock, with 0 or a negative errno. Buffers must stay
 * until then. A flush completes when everything completed before it is on stable storage.
 *
 * Images: raw files and block devices, whole or a window (offset, size), and qcow2. Other formats end with a clear error.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <sys/uio.h>
#include "util/error.h"
#include "util/json.h"
#include "util/print.h"

typedef struct BlockBackend BlockBackend;
typedef void BlockDone(void *opaque, int result);

/* -drive TEXT: file=,if=,id=,index=,bus=,unit=,format=,cache=,aio=,readonly=,snapshot=,media=,discard=,serial=,…
 * `default_if` is the board's; `units_per_bus` what a bus of that interface takes, 0: what is usual for it. Without file=
 * the drive is empty. */
bool drive_add(const char *text, const char *default_if, unsigned units_per_bus, Error **errp);
/* -blockdev / blockdev-add: driver raw, file, host_device, null-co; nested "file" allowed. */
bool blockdev_add(const Json *options, Error **errp);
bool blockdev_del(const char *node_name, Error **errp);

/* -drive format=help */
void block_print_formats(PrintFn *print, void *opaque);

BlockBackend *block_find(const char *id_or_node);
/* The drive with if=`interface` and this index that no device has taken; NULL: none. Boards call it. Of interfaces with
 * buses (ide: 2 units, scsi: 7) the index is bus * units + unit. */
BlockBackend *drive_get(const char *interface, unsigned index);
bool drive_is_cdrom(const BlockBackend *blk);    /* media=cdrom */
unsigned drive_bus(const BlockBackend *blk);
unsigned drive_unit(const BlockBackend *blk);
/* Calls fn for each -drive with if=`interface` that no device has taken. */
void drive_foreach(const char *interface, void (*fn)(BlockBackend *blk, void *opaque), void *opaque);
/* A device takes and gives back its disk. *blk may change: a node of -blockdev gets a front of the device's own, and with
 * *blk NULL there is an empty drive. `owner` is the device's id or path. Detaching drains and sets *blk to NULL. */
bool block_attach(BlockBackend **blk, const char *owner, bool writes, Error **errp);
void block_detach(BlockBackend **blk);

const char *block_id(const BlockBackend *blk);
const char *block_serial(const BlockBackend *blk);    /* of -drive serial=; NULL */
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
void block_close_exports(void);
/* Synchronous, for loaders and flash; negative errno. */
int block_pread(BlockBackend *blk, uint64_t offset, void *buf, size_t bytes);
int block_pwrite(BlockBackend *blk, uint64_t offset, const void *buf, size_t bytes);


/* -- removable media ----------------------------------------------------------------------------------------------- */

/* What a drive that can change its medium gives, after block_attach(). */
typedef struct BlockMediaOps {
    /* The medium came (the tray closed), or goes (the tray opened). */
    void (*changed)(void *opaque, bool loaded);
    /* The user wants it out; the guest holds a lock. */
    void (*eject_request)(void *opaque, bool force);  /* NULL: no locks */
    bool (*is_locked)(void *opaque);
    bool (*is_tray_open)(void *opaque);                /* NULL: no tray */
} BlockMediaOps;
void block_set_media_ops(BlockBackend *blk, const BlockMediaOps *ops, void *opaque);
bool block_has_medium(const BlockBackend *blk);
/* The guest moved the tray itself. An open tray keeps its medium until the user takes it. */
void block_tray_moved(BlockBackend *blk, bool open);
/* Of the device with this -device id or path, or of the -drive with this id. NULL and an error: none. */
BlockBackend *block_find_owned(const char *device_id, const char *drive_id, Error **errp);
bool block_open_tray(BlockBackend *blk, bool force, Error **errp);
bool block_close_tray(BlockBackend *blk, Error **errp);
bool block_remove_medium(BlockBackend *blk, Error **errp);
bool block_insert_medium(BlockBackend *blk, const char *node_name, Error **errp);
bool block_eject(BlockBackend *blk, bool force, Error **errp);
/* read_only: "retain", "read-only" or "read-write". */
bool block_change_medium(BlockBackend *blk, const char *filename, const char *format, const char *read_only, bool force,
                         Error **errp);
/* The DEVICE_TRAY_MOVED event. */
void block_set_tray_hook(void (*moved)(const char *device, const char *id, bool open));

/* -- errors of the host: rerror=, werror= -------------------------------------------------------------------------------- */

/* auto: report errors of reading, stop when a write finds no space and report other errors of writing. */
typedef enum BlockOnError {
    BLOCK_ON_ERROR_AUTO, BLOCK_ON_ERROR_REPORT, BLOCK_ON_ERROR_IGNORE, BLOCK_ON_ERROR_STOP, BLOCK_ON_ERROR_ENOSPC,
} BlockOnError;
extern const char *const block_on_error_names[];
/* Of the device; auto leaves what the -drive said. */
void block_set_error_policy(BlockBackend *blk, BlockOnError on_read, BlockOnError on_write);
/* Told of each error; action "stop": it should stop the machine, and call block_retry() when it goes on. */
typedef void BlockErrorHook(const char *device, const char *owner, bool is_read, const char *action, int error);
void block_set_error_hook(BlockErrorHook *hook);
void block_retry(void);

/* block_set_io_throttle's members. */
bool block_set_io_throttle(BlockBackend *blk, const Json *args, Error **errp);
/* query-block's array, or all nodes; text of info block. */
Json *block_query(bool nodes);
/* The answer to query-blockstats: of the disks devices use, or of all nodes. */
Json *block_query_stats(bool nodes);
/* Flushes and closes everything; at exit. */
void block_cleanup(void);

#endif
