/*
 * backend.c: requests and the worker threads that carry them out.
 *
 * Requests on raw media are done here; those on nodes as coroutines (node-medium.c).
 *
 * Threads: requests are made and completed under the device lock; workers do the system calls and nothing else.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "block/internal.h"
#include "block/throttle.h"
#include "softmmu/loop.h"

enum { BLOCK_WORKERS = 16, COMPLETE_AT_ONCE = 256 };

BlockBackend *block_backends;

/* -- workers ------------------------------------------------------------------------------------------------- */

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_work = PTHREAD_COND_INITIALIZER;
static Request *pool_first, **pool_last = &pool_first;
static Request *finished_first, **finished_last = &finished_first;
static unsigned pool_threads, pool_idle;
static BottomHalf *finished_bh;

static int carry_out(const Request *req)
{
    BlockBackend *blk = req->blk;
    Medium *m = blk->medium;
    int err = 0;

    switch (req->kind) {
    case REQ_READ:
        return medium_rw(m, REQ_READ, req->iov, req->n_iov, req->offset);
    case REQ_WRITE:
        err = medium_rw(m, REQ_WRITE, req->iov, req->n_iov, req->offset);
        break;
    case REQ_FLUSH:
        return medium_sync(m);
    case REQ_DISCARD:
        return medium_discard(m, req->offset, req->bytes);
    case REQ_ZERO:
        err = medium_zero(m, req->offset, req->bytes, req->flags);
        break;
    }
    return err || (blk->writeback && !(req->flags & BLOCK_FUA)) ? err : medium_sync(m);
}

void request_finished(Request *req)
{
    pthread_mutex_lock(&pool_lock);
    req->next = NULL;
    *finished_last = req;
    finished_last = &req->next;
    pthread_mutex_unlock(&pool_lock);
    bh_schedule(finished_bh);
}

static void *worker(void *arg)
{
    pthread_mutex_lock(&pool_lock);
    for (;;) {
        while (!pool_first) {
            pool_idle++;
            pthread_cond_wait(&pool_work, &pool_lock);
            pool_idle--;
        }
        Request *req = pool_first;
        pool_first = req->next;
        if (!pool_first) {
            pool_last = &pool_first;
        }
        pthread_mutex_unlock(&pool_lock);
        req->result = carry_out(req);
        request_finished(req);
        pthread_mutex_lock(&pool_lock);
    }
    return NULL;
}

static void enqueue(Request *req)
{
    if (req->blk->medium->node) {
        node_medium_start(req);
        return;
    }
    pthread_mutex_lock(&pool_lock);
    req->next = NULL;
    *pool_last = req;
    pool_last = &req->next;
    pthread_cond_signal(&pool_work);
    pthread_mutex_unlock(&pool_lock);
}

static void finish(Request *req)
{
    req->blk->in_flight--;
    req->done(req->opaque, req->result);
    free(req->iov);
    free(req);
}

static Request *parked; /* failed, to be tried again when the machine goes on */

static void park(Request *req)
{
    Request **at = &parked;

    while (*at) {
        at = &(*at)->next;
    }
    req->next = NULL;
    *at = req;
}

void block_retry(void)
{
    while (parked) {
        Request *req = parked;
        parked = req->next;
        req->blk->io_error = 0;
        enqueue(req);
    }
}

static void end_parked(BlockBackend *blk)
{
    for (Request **at = &parked; *at;) {
        Request *req = *at;
        if (req->blk == blk) {
            *at = req->next;
            finish(req);
            at = &parked; /* the completion may have changed the list */
        } else {
            at = &req->next;
        }
    }
}

static void complete(Request *req)
{
    if (req->result) {
        switch (block_error_action(req->blk, req->kind == REQ_READ, req->result)) {
        case BLOCK_ON_ERROR_STOP:
            park(req);
            return;
        case BLOCK_ON_ERROR_IGNORE:
            req->result = 0;
            break;
        default:
            break;
        }
    }
    finish(req);
}

/* In the main loop: completes what workers have finished. One at a time: a completion may drain, and must then find
 * those behind it. */
static void complete_finished(void *opaque)
{
    for (unsigned i = 0; i < COMPLETE_AT_ONCE; i++) {
        pthread_mutex_lock(&pool_lock);
        Request *req = finished_first;
        if (req) {
            finished_first = req->next;
            finished_last = finished_first ? finished_last : &finished_first;
        }
        pthread_mutex_unlock(&pool_lock);
        if (!req) {
            return;
        }
        complete(req);
    }
    bh_schedule(finished_bh);
}

static void submit(BlockBackend *blk, RequestKind kind, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                   unsigned n, unsigned flags, BlockDone *done, void *opaque)
{
    Request *req = xnew(Request);
    pthread_t id;
    pthread_attr_t attr;

    *req = (Request){ .blk = blk, .kind = kind, .flags = flags, .offset = offset, .bytes = bytes,
                      .n_iov = n, .done = done, .opaque = opaque };
    req->iov = xmemdup(iov, n * sizeof(*iov));
    blk->in_flight++;
    if (!finished_bh) {
        finished_bh = bh_new(loop_main(), complete_finished, NULL);
    }
    if (blk->medium->node) {
        enqueue(req);
        return;
    }
    pthread_mutex_lock(&pool_lock);
    if (!pool_idle && pool_threads < BLOCK_WORKERS) {
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        if (!pthread_create(&id, &attr, worker, NULL)) {
            pool_threads++;
        }
        pthread_attr_destroy(&attr);
    }
    pthread_mutex_unlock(&pool_lock);
    enqueue(req);
}

/* -- requests -------------------------------------------------------------------------------------------------- */

static size_t iov_bytes(const struct iovec *iov, unsigned n)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        bytes += iov[i].iov_len;
    }
    return bytes;
}

static bool in_range(const BlockBackend *blk, uint64_t offset, uint64_t bytes)
{
    uint64_t size = block_size_bytes(blk);
    return offset <= size && bytes <= size - offset;
}

/* 0, or why a request cannot be done. */
static int request_error(const BlockBackend *blk, bool writes, uint64_t offset, uint64_t bytes)
{
    return !blk->medium ? -ENOMEDIUM : writes && blk->medium->readonly ? -EPERM : in_range(blk, offset, bytes) ? 0 : -EIO;
}

void block_readv(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n, BlockDone *done, void *opaque)
{
    size_t bytes = iov_bytes(iov, n);
    int err = request_error(blk, false, offset, bytes);

    if (err) {
        done(opaque, err);
        return;
    }
    blk->reads++;
    blk->read_bytes += bytes;
    submit(blk, REQ_READ, offset, bytes, iov, n, 0, done, opaque);
}

void block_writev(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n, unsigned flags,
                  BlockDone *done, void *opaque)
{
    size_t bytes = iov_bytes(iov, n);
    int err = request_error(blk, true, offset, bytes);

    if (err) {
        done(opaque, err);
        return;
    }
    blk->writes++;
    blk->write_bytes += bytes;
    submit(blk, REQ_WRITE, offset, bytes, iov, n, flags, done, opaque);
}

void block_flush(BlockBackend *blk, BlockDone *done, void *opaque)
{
    if (!blk->medium) {
        done(opaque, -ENOMEDIUM);
        return;
    }
    blk->flushes++;
    submit(blk, REQ_FLUSH, 0, 0, NULL, 0, 0, done, opaque);
}

void block_discard(BlockBackend *blk, uint64_t offset, uint64_t bytes, BlockDone *done, void *opaque)
{
    int err = request_error(blk, true, offset, bytes);

    if (err || !bytes) {
        done(opaque, err);
        return;
    }
    submit(blk, REQ_DISCARD, offset, bytes, NULL, 0, 0, done, opaque);
}

void block_write_zeroes(BlockBackend *blk, uint64_t offset, uint64_t bytes, unsigned flags, BlockDone *done, void *opaque)
{
    int err = request_error(blk, true, offset, bytes);

    if (err || !bytes) {
        done(opaque, err);
        return;
    }
    submit(blk, REQ_ZERO, offset, bytes, NULL, 0, flags, done, opaque);
}

void block_drain(BlockBackend *blk)
{
    if (blk->throttle) {
        throttle_group_bypass(blk->throttle, true);
    }
    while (blk->in_flight) {
        if (blk->medium && blk->medium->node) {
            node_medium_poll();
        }
        complete_finished(NULL);
        end_parked(blk);
        if (blk->in_flight) {
            usleep(100);
        }
    }
    if (blk->throttle) {
        throttle_group_bypass(blk->throttle, false);
    }
}

void block_drain_all(void)
{
    for (BlockBackend *blk = block_backends; blk; blk = blk->next) {
        block_drain(blk);
    }
}

int block_pread(BlockBackend *blk, uint64_t offset, void *buf, size_t bytes)
{
    struct iovec v = { buf, bytes };
    int err = request_error(blk, false, offset, bytes);

    if (!err && blk->medium->node) {
        return node_medium_rw(blk->medium, false, offset, buf, bytes);
    }
    return err ? err : medium_rw(blk->medium, REQ_READ, &v, 1, offset);
}

int block_pwrite(BlockBackend *blk, uint64_t offset, const void *buf, size_t bytes)
{
    struct iovec v = { (void *)buf, bytes };
    int err = request_error(blk, true, offset, bytes);

    if (!err && blk->medium->node) {
        return node_medium_rw(blk->medium, true, offset, (void *)buf, bytes);
    }
    return err ? err : medium_rw(blk->medium, REQ_WRITE, &v, 1, offset);
}

const char *block_id(const BlockBackend *blk) { return blk->node ? blk->node->id : blk->id ? blk->id : ""; }
const char *block_serial(const BlockBackend *blk) { return blk->serial; }
uint64_t block_size_bytes(const BlockBackend *blk) { return blk->medium ? blk->medium->size_bytes : 0; }
bool block_is_readonly(const BlockBackend *blk) { return blk->medium ? blk->medium->readonly : blk->readonly; }
bool block_has_write_cache(const BlockBackend *blk) { return blk->writeback; }
bool block_has_medium(const BlockBackend *blk) { return blk->medium != NULL; }
bool drive_is_cdrom(const BlockBackend *blk) { return blk->is_cdrom; }
unsigned drive_bus(const BlockBackend *blk) { return blk->bus; }
unsigned drive_unit(const BlockBackend *blk) { return blk->unit; }

void block_cleanup(void)
{
    block_drain_all();
    while (block_backends) {
        backend_free(block_backends);
    }
}
