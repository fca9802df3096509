/*
 * io.c: requests on nodes: range checks, alignment, splitting, serialising, and what drivers leave to be made of simpler requests.
 *
 * A request on a node whose driver wants aligned requests is widened: reads go through a buffer, writes read the rest of their first and last
 * block. Such a write serialises: others that touch the same blocks wait for it.
 */
#include <errno.h>
#include <string.h>

#include "block/bitmap.h"
#include "block/node-internal.h"
#include "util/alloc.h"

enum { ZERO_BUFFER = 64 * 1024 };
#define MAX_REQUEST_BYTES ((uint64_t)INT64_MAX)
#define DISCARD_CHUNK (1 * GiB)

/* -- tracked requests ------------------------------------------------------------------------------------------------ */

void tracked_begin(BlockNode *node, TrackedRequest *req, uint64_t offset, uint64_t bytes)
{
    *req = (TrackedRequest){ .next = node->tracked, .offset = offset, .end = offset + bytes };
    co_queue_init(&req->waiters);
    if (node->tracked) {
        node->tracked->prev = req;
    }
    node->tracked = req;
}

void tracked_end(BlockNode *node, TrackedRequest *req)
{
    *(req->prev ? &req->prev->next : &node->tracked) = req->next;
    if (req->next) {
        req->next->prev = req->prev;
    }
    co_queue_wake_all(&req->waiters);
}

/* Waits for those that began before `req` and overlap it, where one of the two serialises. Requests are in the list from the last to the
 * first, so that two never wait for each other. */
static void wait_for_overlapping(BlockNode *node, TrackedRequest *req)
{
    TrackedRequest *r = req->next;

    while (r) {
        if ((r->serialising || req->serialising) && r->offset < req->end && req->offset < r->end) {
            co_queue_wait(&r->waiters);
            r = req->next;
        } else {
            r = r->next;
        }
    }
}

void tracked_serialise(BlockNode *node, TrackedRequest *req, uint64_t align)
{
    /* To the front: it is the last now, and waits for all that are there. */
    CoQueue waiters = req->waiters;
    *(req->prev ? &req->prev->next : &node->tracked) = req->next;
    if (req->next) {
        req->next->prev = req->prev;
    }
    uint64_t start = ROUND_DOWN(req->offset, align), end = ROUND_UP(req->end, align);
    tracked_begin(node, req, start, end - start);
    if (waiters.first) {
        req->waiters = waiters;
    }
    req->serialising = true;
    wait_for_overlapping(node, req);
}

/* -- reading --------------------------------------------------------------------------------------------------------- */

static int check_range(uint64_t offset, uint64_t bytes)
{
    return offset > MAX_REQUEST_BYTES || bytes > MAX_REQUEST_BYTES - offset ? -EIO : 0;
}

void *node_alloc(const BlockNode *node, size_t bytes)
{
    return xmemalign(MAX(node->memory_align, 512u), MAX(bytes, 1u));
}

static uint64_t transfer_limit(const BlockNode *node)
{
    uint64_t limit = node->max_transfer ? node->max_transfer : 1 * GiB;
    return MAX(ROUND_DOWN(limit, (uint64_t)node->request_align), node->request_align);
}

/* Aligned, but for memory. */
static int read_aligned(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    uint64_t limit = transfer_limit(node), end = ROUND_UP(node->size_bytes, (uint64_t)node->request_align);

    while (bytes) {
        uint64_t n = offset < end ? MIN(MIN(bytes, limit), end - offset) : 0;
        if (!n) {
            sg_zero(sg, bytes);
            return 0;
        }
        int err = node->driver->co_read(node, offset, n, sg, flags);
        if (err) {
            return err;
        }
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    return 0;
}

/* Through a buffer of the node's alignment. */
static int read_bounced(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    uint64_t start = ROUND_DOWN(offset, (uint64_t)node->request_align), end = ROUND_UP(offset + bytes, (uint64_t)node->request_align);
    const uint64_t chunk = 1 * MiB;
    uint8_t *buf = node_alloc(node, MIN(end - start, chunk));
    int err = 0;

    while (bytes && !err) {
        uint64_t n = MIN(end - start, chunk), skip = offset - start, got = MIN(n - skip, bytes);
        struct iovec v = { buf, n };
        err = read_aligned(node, start, n, sg_of(&v), flags);
        if (!err) {
            sg_store(sg, buf + skip, got);
        }
        sg = sg_after(sg, got);
        offset += got;
        bytes -= got;
        start += n;
    }
    free(buf);
    return err;
}

int node_co_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    int err = check_range(offset, bytes);

    if (err || !bytes) {
        return err;
    }
    node->in_flight++;
    if ((offset | bytes) & (node->request_align - 1)) {
        err = read_bounced(node, offset, bytes, sg, flags);
    } else {
        err = read_aligned(node, offset, bytes, sg, flags);
    }
    node->in_flight--;
    return err;
}

/* -- writing --------------------------------------------------------------------------------------------------------- */

static int zero_aligned(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags);

/* It has ended: a flush includes it, and what is copied from now on has it, or some of it where it failed. */
static void written(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    node->writes++;
    if (node->bitmaps) {
        bitmaps_mark(node, offset, bytes);
    }
}

static int before_write(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    int err = 0;

    for (WriteHook *h = node->hooks, *next; h && !err; h = next) {
        next = h->next;
        err = h->before ? h->before(h, offset, bytes) : 0;
    }
    return err;
}

static void after_write(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    for (WriteHook *h = node->hooks, *next; h; h = next) {
        next = h->next;
        if (h->after) {
            h->after(h, offset, bytes);
        }
    }
}

static int write_aligned(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    uint64_t limit = transfer_limit(node);
    int err = 0;

    if (node->flags & BLOCK_DETECT_ZEROES && !(flags & REQ_COMPRESSED) && bytes && sg_is_zero(sg, bytes)) {
        return zero_aligned(node, offset, bytes, flags | (node->flags & BLOCK_DETECT_UNMAP ? REQ_UNMAP : 0));
    }
    if (flags & REQ_COMPRESSED) {
        err = node->driver->co_write_compressed ? node->driver->co_write_compressed(node, offset, bytes, sg) : -ENOTSUP;
        written(node, offset, bytes);
        return err;
    }
    unsigned pass = node->driver->handles_fua ? flags : flags & ~(unsigned)REQ_FUA;
    uint64_t start = offset, end = offset + bytes;
    while (bytes && !err) {
        uint64_t n = MIN(bytes, limit);
        node_event(node, "pwritev");
        err = node->driver->co_write ? node->driver->co_write(node, offset, n, sg, pass) : -ENOTSUP;
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    written(node, start, end - start);
    if (!err && offset > node->size_bytes) {
        node->size_bytes = offset;
    }
    return !err && flags & REQ_FUA && !node->driver->handles_fua ? node_co_flush(node) : err;
}

/* The first and last block of an unaligned write, with what was there around it. */
static int write_bounced(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    uint64_t align = node->request_align;
    uint8_t *buf = node_alloc(node, align);
    struct iovec v = { buf, align };
    int err = 0;

    while (bytes && !err) {
        uint64_t start = ROUND_DOWN(offset, align), skip = offset - start;
        if (!skip && bytes >= align) {
            uint64_t whole = ROUND_DOWN(bytes, align);
            err = write_aligned(node, offset, whole, sg, flags);
            offset += whole;
            bytes -= whole;
            sg = sg_after(sg, whole);
            continue;
        }
        uint64_t n = MIN(align - skip, bytes);
        err = read_aligned(node, start, align, sg_of(&v), 0);
        if (!err) {
            sg_load(sg, buf + skip, n);
            err = write_aligned(node, start, align, sg_of(&v), flags);
        }
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    free(buf);
    return err;
}

int node_co_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    TrackedRequest req;
    int err = node->readonly ? -EPERM : check_range(offset, bytes);

    if (err || !bytes) {
        return err;
    }
    bool unaligned = (offset | bytes) & (node->request_align - 1) && !(flags & REQ_COMPRESSED);
    node->in_flight++;
    tracked_begin(node, &req, offset, bytes);
    if (unaligned) {
        tracked_serialise(node, &req, node->request_align);
    } else {
        wait_for_overlapping(node, &req);
    }
    err = before_write(node, offset, bytes);
    err = err ? err : unaligned ? write_bounced(node, offset, bytes, sg, flags) : write_aligned(node, offset, bytes, sg, flags);
    after_write(node, offset, bytes);
    tracked_end(node, &req);
    node->in_flight--;
    return err;
}

/* Zeros as data. */
static int write_zero_buffer(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    enum { PIECES = 16 };
    uint64_t chunk = MIN(ROUND_UP(MIN(bytes, (uint64_t)ZERO_BUFFER), (uint64_t)node->request_align), transfer_limit(node));
    uint8_t *buf = node_alloc(node, chunk);
    struct iovec v[PIECES];
    int err = 0;

    memset(buf, 0, chunk);
    for (unsigned i = 0; i < PIECES; i++) {
        v[i] = (struct iovec){ buf, chunk };
    }
    while (bytes && !err) {
        uint64_t n = MIN(bytes, MIN(chunk * PIECES, transfer_limit(node)));
        err = node->driver->co_write ? node->driver->co_write(node, offset, n, sg_of(v), flags & ~(unsigned)(REQ_FUA | REQ_UNMAP)) : -ENOTSUP;
        offset += n;
        bytes -= n;
    }
    free(buf);
    return err;
}

static int zero_aligned(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    uint64_t align = MAX(node->zero_align, node->request_align), end = offset + bytes;
    int err = 0;

    if (!(node->flags & BLOCK_DISCARD)) {
        flags &= ~(unsigned)REQ_UNMAP;
    }
    unsigned pass = node->driver->handles_fua ? flags : flags & ~(unsigned)REQ_FUA;
    uint64_t start = offset;
    while (offset < end && !err) {
        uint64_t head = ROUND_UP(offset, align), n;
        bool whole = offset == head && end - offset >= align;
        if (!whole) {
            n = MIN(head == offset ? align : head - offset, end - offset);
        } else {
            n = ROUND_DOWN(end - offset, align);
            n = node->max_zero ? MIN(n, node->max_zero) : n;
        }
        err = -ENOTSUP;
        node_event(node, "pwritev_zero");
        if (node->driver->co_zero) {
            err = node->driver->co_zero(node, offset, n, pass);
        }
        if (err == -ENOTSUP && !(flags & REQ_NO_FALLBACK)) {
            err = write_zero_buffer(node, offset, n, flags);
        }
        offset += n;
    }
    written(node, start, end - start);
    if (!err && end > node->size_bytes) {
        node->size_bytes = end;
    }
    return !err && flags & REQ_FUA && !node->driver->handles_fua ? node_co_flush(node) : err;
}

int node_co_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    static const uint8_t zeroes[4096];
    TrackedRequest req;
    int err = node->readonly ? -EPERM : check_range(offset, bytes);
    uint64_t align = node->request_align;

    if (err || !bytes) {
        return err;
    }
    node->in_flight++;
    tracked_begin(node, &req, offset, bytes);
    if ((offset | bytes) & (align - 1)) {
        tracked_serialise(node, &req, align);
        uint64_t head = MIN(ROUND_UP(offset, align), offset + bytes) - offset, tail;
        struct iovec v[16];
        for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
            v[i] = (struct iovec){ (void *)zeroes, sizeof(zeroes) };
        }
        err = before_write(node, offset, bytes);
        err = err || !head ? err : write_bounced(node, offset, head, sg_of(v), flags);
        tail = (bytes - head) & (align - 1);
        if (!err && bytes > head + tail) {
            err = zero_aligned(node, offset + head, bytes - head - tail, flags);
        }
        if (!err && tail) {
            err = write_bounced(node, offset + bytes - tail, tail, sg_of(v), flags);
        }
    } else {
        wait_for_overlapping(node, &req);
        err = before_write(node, offset, bytes);
        err = err ? err : zero_aligned(node, offset, bytes, flags);
    }
    after_write(node, offset, bytes);
    tracked_end(node, &req);
    node->in_flight--;
    return err;
}

/* Advice: only whole blocks, and no error where it is not possible. */
int node_co_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    TrackedRequest req;
    int err = node->readonly ? -EPERM : check_range(offset, bytes);
    uint64_t align = MAX(node->zero_align, node->request_align);

    if (err || !bytes || !node->driver->co_discard || !(node->flags & BLOCK_DISCARD)) {
        return err;
    }
    uint64_t at = ROUND_UP(offset, align), end = ROUND_DOWN(offset + bytes, align);
    if (offset + bytes >= node->size_bytes) {
        end = MIN(offset + bytes, node->size_bytes);
    }
    node->in_flight++;
    tracked_begin(node, &req, offset, bytes);
    wait_for_overlapping(node, &req);
    err = before_write(node, offset, bytes);
    while (at < end && !err) {
        uint64_t n = MIN(end - at, DISCARD_CHUNK);
        err = node->driver->co_discard(node, at, n);
        written(node, at, n);
        err = err == -ENOTSUP ? 0 : err;
        at += n;
    }
    after_write(node, offset, bytes);
    tracked_end(node, &req);
    node->in_flight--;
    return err;
}

/* -- jobs ------------------------------------------------------------------------------------------------------------ */

void node_add_hook(BlockNode *node, WriteHook *hook)
{
    hook->next = node->hooks;
    node->hooks = hook;
}

void node_remove_hook(BlockNode *node, WriteHook *hook)
{
    for (WriteHook **at = &node->hooks; *at; at = &(*at)->next) {
        if (*at == hook) {
            *at = hook->next;
            return;
        }
    }
}

void node_co_quiesce(BlockNode *node)
{
    node->quiesced++;
    while (node->in_flight) {
        co_sleep_ns(100000);
    }
}

void node_co_resume(BlockNode *node)
{
    if (!--node->quiesced) {
        co_queue_wake_all(&node->quiesce_waiters);
    }
}

BlockNode *edge_co_node(const BlockEdge *edge)
{
    while (edge->node->quiesced) {
        co_queue_wait(&edge->node->quiesce_waiters);
    }
    return node_ref(edge->node);
}

int node_co_copy_up(BlockNode *node, BlockNode *base, uint64_t offset, uint64_t bytes)
{
    enum { PIECE = 1 << 20 };
    TrackedRequest req;
    uint8_t *buf = node_alloc(node, MIN(bytes, (uint64_t)PIECE));
    uint64_t align = MAX((uint64_t)node->request_align, 512u);
    int err = 0;

    node->in_flight++;
    tracked_begin(node, &req, offset, bytes);
    tracked_serialise(node, &req, align);
    while (bytes && !err) {
        BlockStatus own, st;
        uint64_t n = MIN(bytes, (uint64_t)PIECE);
        err = node_co_status(node, offset, n, &own);
        n = MIN(n, own.bytes);
        if (!err && !(own.flags & STATUS_ALLOCATED)) {
            err = node_co_status_above(node, base, offset, n, &st);
            n = MIN(n, st.bytes);
            if (!err && st.flags & STATUS_ALLOCATED && st.flags & STATUS_ZERO) {
                err = zero_aligned(node, offset, ROUND_UP(n, align), 0);
            } else if (!err && st.flags & STATUS_ALLOCATED) {
                struct iovec v = { buf, ROUND_UP(n, align) };
                err = read_aligned(node, offset, v.iov_len, sg_of(&v), 0);
                err = err ? err : write_aligned(node, offset, v.iov_len, sg_of(&v), 0);
            }
        }
        offset += n;
        bytes -= n;
    }
    tracked_end(node, &req);
    node->in_flight--;
    free(buf);
    return err;
}

/* One at a time: who comes while one is under way waits, and then makes another if something was written in between. */
int node_co_flush(BlockNode *node)
{
    uint64_t writes = node->writes;
    int err = 0;

    if (node->readonly) {
        return 0;
    }
    node->in_flight++;
    while (node->flushing && node->flushed < writes) {
        co_queue_wait(&node->flush_waiters);
    }
    if (node->flushed < writes) {
        node->flushing = true;
        writes = node->writes;
        if (node_file(node)) {
            node_event(node_file(node), "flush_to_os");
        }
        if (node->driver->co_flush) {
            err = node->driver->co_flush(node);
        }
        if (node_file(node)) {
            node_event(node_file(node), "flush_to_disk");
        }
        for (BlockEdge *e = node->children; e && !err; e = e->next_child) {
            if (!(e->role & ROLE_COW)) {
                err = node_co_flush(e->node);
            }
        }
        if (!err) {
            node->flushed = writes;
        }
        node->flushing = false;
        co_queue_wake_all(&node->flush_waiters);
    }
    node->in_flight--;
    return err;
}

int node_co_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp)
{
    if (node->readonly) {
        error_set(errp, "Image is read-only");
        return -EPERM;
    }
    if (bytes > MAX_REQUEST_BYTES) {
        error_set(errp, "Image size is too large");
        return -EFBIG;
    }
    if (!node->driver->co_truncate) {
        error_set(errp, "Image format driver does not support resize");
        return -ENOTSUP;
    }
    if (bytes != node->size_bytes && !bitmaps_can_resize(node, errp)) {
        return -ENOTSUP;
    }
    TrackedRequest req;
    uint64_t old = node->size_bytes, from = MIN(old, bytes);
    node->in_flight++;
    tracked_begin(node, &req, from, MAX(old, bytes) - from);
    tracked_serialise(node, &req, 1);
    int err = node->driver->co_truncate(node, bytes, exact, prealloc, errp);
    node->writes++;
    if (!err) {
        node->size_bytes = MAX(bytes, exact ? 0 : node->size_bytes);
        bitmaps_resize(node, node->size_bytes);
    }
    tracked_end(node, &req);
    node->in_flight--;
    return err;
}

/* -- status ---------------------------------------------------------------------------------------------------------- */

int node_co_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    BlockStatus s = { .bytes = bytes };
    uint64_t align = node->request_align;

    if (offset >= node->size_bytes) {
        *ret = (BlockStatus){ .flags = STATUS_EOF | STATUS_ZERO, .bytes = bytes };
        return 0;
    }
    bytes = MIN(bytes, node->size_bytes - offset);
    s.bytes = bytes;
    BlockNode *filtered = node_filtered(node);
    if (!node->driver->co_status && filtered) {
        return node_co_status(filtered, offset, bytes, ret);
    }
    if (!node->driver->co_status || !bytes) {
        s.flags = STATUS_DATA | STATUS_ALLOCATED | (node->driver->kind == DRIVER_PROTOCOL ? STATUS_MAPPED : 0);
        s.map_node = node;
        s.map_offset = offset;
    } else {
        uint64_t start = ROUND_DOWN(offset, align), end = ROUND_UP(offset + bytes, align);
        node->in_flight++;
        int err = node->driver->co_status(node, start, end - start, &s);
        node->in_flight--;
        if (err) {
            return err;
        }
        s.bytes = MIN(s.bytes - (offset - start), bytes);
        s.map_offset += offset - start;
        if (s.flags & STATUS_RECURSE && s.flags & STATUS_MAPPED && s.map_node && s.map_node != node) {
            BlockStatus below;
            err = node_co_status(s.map_node, s.map_offset, s.bytes, &below);
            if (!err) {
                s.bytes = MIN(s.bytes, below.bytes);
                s.flags |= below.flags & STATUS_ZERO;
                if (below.flags & STATUS_ZERO && !(below.flags & STATUS_DATA)) {
                    s.flags &= ~(unsigned)STATUS_DATA;
                }
            }
        }
    }
    if (s.flags & (STATUS_DATA | STATUS_ZERO) && !node->driver->has_backing) {
        s.flags |= STATUS_ALLOCATED;
    }
    s.flags &= ~(unsigned)STATUS_RECURSE;
    if (offset + s.bytes >= node->size_bytes) {
        s.flags |= STATUS_EOF;
    }
    *ret = s;
    return 0;
}

int node_co_status_above(BlockNode *node, BlockNode *base, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    uint64_t end = node->size_bytes;
    bool first = true;

    if (offset >= end) {
        *ret = (BlockStatus){ .flags = STATUS_EOF | STATUS_ZERO, .bytes = bytes };
        return 0;
    }
    bytes = MIN(bytes, end - offset);
    for (BlockNode *n = node; n && n != base;) {
        BlockStatus s;
        int err = node_co_status(n, offset, bytes, &s);
        if (err) {
            return err;
        }
        if (!first && offset >= n->size_bytes) {
            /* A backing image that ends before: zeros, and those are the one's above it. */
            *ret = (BlockStatus){ .flags = STATUS_ZERO | STATUS_ALLOCATED, .bytes = bytes };
            break;
        }
        s.bytes = MIN(s.bytes, bytes);
        if (s.flags & STATUS_ALLOCATED) {
            *ret = s;
            break;
        }
        bytes = s.bytes; /* the ones below decide for this much */
        BlockNode *below = node_filtered(n);
        below = below ? below : node_backing(n);
        if (!below) {
            *ret = (BlockStatus){ .flags = STATUS_ZERO, .bytes = bytes };
            break;
        }
        *ret = (BlockStatus){ .flags = 0, .bytes = bytes };
        n = below;
        first = false;
    }
    ret->flags &= ~(unsigned)STATUS_EOF;
    if (offset + ret->bytes >= end) {
        ret->flags |= STATUS_EOF;
    }
    return 0;
}

int node_co_is_allocated_above(BlockNode *node, BlockNode *base, bool include_base, uint64_t offset, uint64_t bytes, uint64_t *ret_bytes)
{
    BlockStatus s;
    BlockNode *stop = base && include_base ? node_filtered(base) ? node_filtered(base) : node_backing(base) : base;
    int err = node_co_status_above(node, stop, offset, bytes, &s);

    if (err) {
        return err;
    }
    *ret_bytes = s.bytes;
    return s.flags & STATUS_ALLOCATED ? 1 : 0;
}

int node_co_copy(BlockNode *from, uint64_t from_offset, BlockNode *to, uint64_t to_offset, uint64_t bytes, unsigned flags)
{
    BlockNode *below = from;

    if (to->readonly) {
        return -EPERM;
    }
    while (node_filtered(below)) {
        below = node_filtered(below);
    }
    if (!to->driver->co_copy || from_offset + bytes > from->size_bytes) {
        return -ENOTSUP;
    }
    TrackedRequest req;
    to->in_flight++;
    tracked_begin(to, &req, to_offset, bytes);
    wait_for_overlapping(to, &req);
    int err = to->driver->co_copy(below, from_offset, to, to_offset, bytes, flags);
    written(to, to_offset, bytes);
    tracked_end(to, &req);
    to->in_flight--;
    return err;
}

/* -- buffers, and waiting -------------------------------------------------------------------------------------------- */

int node_co_pread(BlockNode *node, uint64_t offset, void *buf, size_t bytes)
{
    struct iovec v = { buf, bytes };
    return node_co_read(node, offset, bytes, sg_of(&v), 0);
}

int node_co_pwrite(BlockNode *node, uint64_t offset, const void *buf, size_t bytes, unsigned flags)
{
    struct iovec v = { (void *)buf, bytes };
    return node_co_write(node, offset, bytes, sg_of(&v), flags);
}

typedef enum SyncKind { SYNC_READ, SYNC_WRITE, SYNC_ZERO, SYNC_DISCARD, SYNC_FLUSH, SYNC_TRUNCATE, SYNC_STATUS } SyncKind;

typedef struct SyncRequest {
    SyncKind kind;
    BlockNode *node, *base;
    uint64_t offset, bytes;
    void *buf;
    unsigned flags;
    bool exact;
    Prealloc prealloc;
    BlockStatus *status;
    Error **errp;
    int result;
} SyncRequest;

static void sync_entry(void *opaque)
{
    SyncRequest *r = opaque;

    switch (r->kind) {
    case SYNC_READ: r->result = node_co_pread(r->node, r->offset, r->buf, r->bytes); break;
    case SYNC_WRITE: r->result = node_co_pwrite(r->node, r->offset, r->buf, r->bytes, r->flags); break;
    case SYNC_ZERO: r->result = node_co_zero(r->node, r->offset, r->bytes, r->flags); break;
    case SYNC_DISCARD: r->result = node_co_discard(r->node, r->offset, r->bytes); break;
    case SYNC_FLUSH: r->result = node_co_flush(r->node); break;
    case SYNC_TRUNCATE: r->result = node_co_truncate(r->node, r->bytes, r->exact, r->prealloc, r->errp); break;
    case SYNC_STATUS: r->result = node_co_status_above(r->node, r->base, r->offset, r->bytes, r->status); break;
    }
}

static int run_sync(SyncRequest *r)
{
    ioctx_run(r->node->context, sync_entry, r);
    return r->result;
}

int node_pread(BlockNode *node, uint64_t offset, void *buf, size_t bytes)
{
    return run_sync(&(SyncRequest){ .kind = SYNC_READ, .node = node, .offset = offset, .buf = buf, .bytes = bytes });
}

int node_pwrite(BlockNode *node, uint64_t offset, const void *buf, size_t bytes, unsigned flags)
{
    return run_sync(&(SyncRequest){ .kind = SYNC_WRITE, .node = node, .offset = offset, .buf = (void *)buf, .bytes = bytes, .flags = flags });
}

int node_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    return run_sync(&(SyncRequest){ .kind = SYNC_ZERO, .node = node, .offset = offset, .bytes = bytes, .flags = flags });
}

int node_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    return run_sync(&(SyncRequest){ .kind = SYNC_DISCARD, .node = node, .offset = offset, .bytes = bytes });
}

int node_flush(BlockNode *node)
{
    return run_sync(&(SyncRequest){ .kind = SYNC_FLUSH, .node = node });
}

bool node_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp)
{
    return !run_sync(&(SyncRequest){ .kind = SYNC_TRUNCATE, .node = node, .bytes = bytes, .exact = exact, .prealloc = prealloc, .errp = errp });
}

int node_status_above(BlockNode *node, BlockNode *base, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    return run_sync(&(SyncRequest){ .kind = SYNC_STATUS, .node = node, .base = base, .offset = offset, .bytes = bytes, .status = ret });
}

void node_drain(BlockNode *node)
{
    if (!co_self()) {
        ioctx_wait_zero(node->context, &node->in_flight);
    }
}

uint64_t node_allocated_bytes(BlockNode *node)
{
    uint64_t sum = 0;
    bool any = false;

    if (node->driver->allocated_bytes) {
        return node->driver->allocated_bytes(node);
    }
    for (BlockEdge *e = node->children; e; e = e->next_child) {
        uint64_t bytes = e->role & ROLE_COW ? 0 : node_allocated_bytes(e->node);
        if (bytes == UINT64_MAX) {
            return bytes;
        }
        any |= !(e->role & ROLE_COW);
        sum += bytes;
    }
    return any ? sum : UINT64_MAX;
}
