/*
 * blockmap.c: requests on block maps; see blockmap.h.
 */
#include <errno.h>
#include <string.h>

#include "block/blockmap.h"
#include "util/alloc.h"

enum { MAX_SCAN = 1 << 20 };       /* blocks one status looks at */
#define MAX_NEW_BYTES (64 * MiB)   /* that one request gives places at a time */
#define COPY_BYTES (1 * MiB)

void blockmap_init(BlockMap *m, const BlockMapOps *ops, BlockNode *node, BlockNode *file, uint64_t block_bytes, uint64_t n_blocks, uint64_t table_bytes)
{
    *m = (BlockMap){ .ops = ops, .node = node, .file = file, .block_bytes = block_bytes, .n_blocks = n_blocks, .align = 1 };
    co_mutex_init(&m->lock);
    meta_init(&m->meta, file, table_bytes);
}

void blockmap_finish(BlockMap *m)
{
    meta_finish(&m->meta);
    for (size_t i = 0; i < ARRAY_SIZE(m->loaded); i++) {
        free(m->loaded[i].data);
        m->loaded[i].data = NULL;
    }
}

/* -- looking --------------------------------------------------------------------------------------------------------- */

static int get_entry(BlockMap *m, uint64_t index, BlockEntry *e)
{
    *e = (BlockEntry){ 0 };
    int err = index < m->n_blocks ? m->ops->get(m, index, e) : 0;
    e->run = MAX(e->run, 1u);
    return err;
}

/* What is at `offset`, and for how many of *bytes in a row, also in the file. With the lock. */
static int find(BlockMap *m, uint64_t offset, uint64_t *bytes, BlockEntry *e)
{
    uint64_t index = offset / m->block_bytes, in = offset % m->block_bytes, want = *bytes;
    int err = get_entry(m, index, e);

    if (err) {
        return err;
    }
    uint64_t got = e->run > (want + in) / m->block_bytes ? want : e->run * m->block_bytes - in;
    for (unsigned n = 0; got < want && e->kind != BLOCK_COMPRESSED && n < MAX_SCAN; n++) {
        BlockEntry next;
        if (get_entry(m, (offset + got) / m->block_bytes, &next) || next.kind != e->kind ||
            (e->kind == BLOCK_DATA && next.host != e->host + in + got)) {
            break;
        }
        got = next.run > (want - got) / m->block_bytes ? want : got + next.run * m->block_bytes;
    }
    *bytes = MIN(got, want);
    return 0;
}

/* -- reading --------------------------------------------------------------------------------------------------------- */

static int read_compressed(BlockMap *m, uint64_t index, const BlockEntry *e, uint64_t in, uint64_t bytes, Sg sg)
{
    size_t oldest = 0;

    for (size_t i = 0; i < ARRAY_SIZE(m->loaded); i++) {
        if (m->loaded[i].data && m->loaded[i].host == e->host) {
            m->loaded[i].last_use = ++m->clock;
            sg_store(sg, m->loaded[i].data + in, bytes);
            return 0;
        }
    }
    uint8_t *block = xmalloc(m->block_bytes);
    int err = m->ops->load(m, index, e, block);
    if (err) {
        free(block);
        return err;
    }
    sg_store(sg, block + in, bytes);
    for (size_t i = 1; i < ARRAY_SIZE(m->loaded); i++) {
        oldest = m->loaded[i].last_use < m->loaded[oldest].last_use ? i : oldest;
    }
    free(m->loaded[oldest].data);
    m->loaded[oldest].host = e->host;
    m->loaded[oldest].data = block;
    m->loaded[oldest].last_use = ++m->clock;
    return 0;
}

/* Of one kind. */
static int read_kind(BlockMap *m, uint64_t offset, uint64_t bytes, const BlockEntry *e, Sg sg)
{
    uint64_t in = offset % m->block_bytes;

    switch (e->kind) {
    case BLOCK_HOLE:
        if (node_backing(m->node)) {
            return node_co_read(node_backing(m->node), m->base + offset, bytes, sg, 0);
        }
        /* fall through */
    case BLOCK_ZERO:
        sg_zero(sg, bytes);
        return 0;
    case BLOCK_DATA:
        return node_co_read(m->file, e->host + in, bytes, sg, 0);
    case BLOCK_COMPRESSED:
        return read_compressed(m, offset / m->block_bytes, e, in, bytes, sg);
    }
    return -EIO;
}

int blockmap_read(BlockMap *m, uint64_t offset, uint64_t bytes, Sg sg)
{
    int err = 0;

    while (bytes && !err) {
        uint64_t n = bytes;
        BlockEntry e;
        co_mutex_lock(&m->lock);
        err = find(m, offset, &n, &e);
        co_mutex_unlock(&m->lock);
        err = err ? err : read_kind(m, offset, n, &e, sg);
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    return err;
}

int blockmap_status(BlockMap *m, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    static const unsigned flags[] = {
        [BLOCK_HOLE] = 0, [BLOCK_ZERO] = STATUS_ZERO | STATUS_ALLOCATED, [BLOCK_DATA] = STATUS_DATA | STATUS_ALLOCATED | STATUS_MAPPED,
        [BLOCK_COMPRESSED] = STATUS_DATA | STATUS_ALLOCATED | STATUS_COMPRESSED,
    };
    BlockEntry e;

    co_mutex_lock(&m->lock);
    int err = find(m, offset, &bytes, &e);
    co_mutex_unlock(&m->lock);
    if (err) {
        return err;
    }
    *ret = (BlockStatus){ .flags = flags[e.kind], .bytes = bytes };
    if (e.kind == BLOCK_DATA) {
        ret->map_node = m->file;
        ret->map_offset = e.host + offset % m->block_bytes;
    }
    return 0;
}

/* -- giving blocks a place ------------------------------------------------------------------------------------------- */

/* With the lock, which is given up meanwhile. True: it waited, and what was known is old. */
static bool wait_for(BlockMap *m, uint64_t first, uint64_t n)
{
    for (BlockAllocation *a = m->allocating; a; a = a->next) {
        if (first < a->first + a->n && a->first < first + n) {
            co_mutex_unlock(&m->lock);
            co_queue_wait(&a->waiters);
            co_mutex_lock(&m->lock);
            return true;
        }
    }
    return false;
}

static void allocation_begin(BlockMap *m, BlockAllocation *a, uint64_t first, uint64_t n)
{
    *a = (BlockAllocation){ m->allocating, first, n, { 0 } };
    co_queue_init(&a->waiters);
    m->allocating = a;
}

static void allocation_end(BlockMap *m, BlockAllocation *a)
{
    BlockAllocation **at = &m->allocating;

    while (*at != a) {
        at = &(*at)->next;
    }
    *at = a->next;
    co_queue_wake_all(&a->waiters);
}

static bool is_taken(const BlockMap *m, uint64_t index)
{
    for (const BlockAllocation *a = m->allocating; a; a = a->next) {
        if (index >= a->first && index < a->first + a->n) {
            return true;
        }
    }
    return false;
}

static int take_place(BlockMap *m, uint64_t n, uint64_t *ret_host)
{
    if (m->ops->alloc) {
        return m->ops->alloc(m, n, ret_host);
    }
    uint64_t at = ROUND_UP(m->end, m->align);
    if (at > (uint64_t)INT64_MAX - n * m->block_bytes) {
        return -EFBIG;
    }
    *ret_host = at;
    m->end = at + n * m->block_bytes;
    return 0;
}

/* What of a block is not written: from where it was before. `fresh`: the file reads as zeros there. */
static int fill_rest(BlockMap *m, const BlockEntry *old, uint64_t offset, uint64_t bytes, uint64_t host, bool fresh)
{
    bool zeros = old->kind == BLOCK_ZERO || (old->kind == BLOCK_HOLE && (!node_backing(m->node) || m->base + offset >= node_backing(m->node)->size_bytes));

    if (!bytes || (zeros && fresh)) {
        return 0;
    }
    if (zeros) {
        return node_co_zero(m->file, host, bytes, 0);
    }
    uint8_t *buf = node_alloc(m->file, MIN(bytes, COPY_BYTES));
    int err = 0;
    while (bytes && !err) {
        uint64_t n = MIN(bytes, COPY_BYTES);
        struct iovec v = { buf, n };
        err = read_kind(m, offset, n, old, sg_of(&v));
        err = err ? err : node_co_write(m->file, host, n, sg_of(&v), 0);
        offset += n;
        host += n;
        bytes -= n;
    }
    free(buf);
    return err;
}

/* The file ends where its last block does. By one sector, not by its size: another request may be writing behind it. */
static int extend_file(BlockMap *m, uint64_t end)
{
    static const uint8_t zeros[512];
    return m->file->size_bytes >= end ? 0 : node_co_pwrite(m->file, end - sizeof(zeros), zeros, sizeof(zeros), 0);
}

/* With the lock, kept in the end: blocks for [offset, offset + *bytes), as many of them as are of one kind now. `sg` NULL: zeros. */
static int write_new(BlockMap *m, uint64_t offset, uint64_t *bytes, const Sg *sg, const BlockEntry *old, unsigned flags)
{
    uint64_t bb = m->block_bytes, first = offset / bb, head = offset % bb, want = MIN(DIV_ROUND_UP(head + *bytes, bb), MAX(MAX_NEW_BYTES / bb, 1u));
    uint64_t n = 1, host;
    BlockAllocation a;

    want = m->ops->max_run ? MIN(want, m->ops->max_run) : want;
    while (n < want && old->kind != BLOCK_COMPRESSED && !is_taken(m, first + n)) {
        BlockEntry next;
        if (get_entry(m, first + n, &next) || next.kind != old->kind) {
            break;
        }
        n++;
    }
    *bytes = MIN(*bytes, n * bb - head);
    int err = take_place(m, n, &host);
    if (err) {
        return err;
    }
    uint64_t tail = n * bb - head - *bytes, end = m->end;
    bool fresh = host >= m->file->size_bytes;
    allocation_begin(m, &a, first, n);
    co_mutex_unlock(&m->lock);
    err = fill_rest(m, old, first * bb, head, host, fresh);
    if (!err && sg) {
        err = node_co_write(m->file, host + head, *bytes, *sg, 0);
    } else if (!err && !fresh) {
        err = node_co_zero(m->file, host + head, *bytes, flags);
    }
    err = err ? err : fill_rest(m, old, offset + *bytes, tail, host + head + *bytes, fresh);
    err = err ? err : extend_file(m, host + n * bb);
    co_mutex_lock(&m->lock);
    for (uint64_t i = 0; i < n && !err; i++) {
        err = m->ops->set(m, first + i, &(BlockEntry){ .kind = BLOCK_DATA, .host = host + i * bb });
    }
    if (err && m->end == end && !m->ops->alloc) {
        m->end = host; /* nobody came after; an entry that was set keeps its block */
        for (uint64_t i = n; i-- > 0;) {
            BlockEntry e;
            if (get_entry(m, first + i, &e) || (e.kind == BLOCK_DATA && e.host == host + i * bb)) {
                m->end = host + (i + 1) * bb;
                break;
            }
        }
    }
    allocation_end(m, &a);
    return err;
}

/* -- compressed ------------------------------------------------------------------------------------------------------ */

typedef struct Compress {
    const BlockMap *m;
    uint64_t index;
    const uint8_t *in;
    uint8_t *out;
    size_t limit, got;
} Compress;

static int compress_work(void *opaque)
{
    Compress *c = opaque;
    c->got = c->m->ops->compress(c->m, c->index, c->in, c->out, c->limit);
    return 0;
}

/* With `sg` a part of the block (NULL: zeros), else all of it is in `block`. *done: false if it did not get smaller, and nothing was stored. */
static int store_compressed(BlockMap *m, uint64_t index, uint8_t *block, uint64_t in, uint64_t bytes, const Sg *sg, bool *done)
{
    size_t limit = m->block_bytes + m->ops->compress_extra;
    Compress c = { m, index, block, xmalloc(limit), limit - (m->ops->compress_extra ? 0 : 1), 0 };
    struct iovec v = { block, m->block_bytes };
    BlockAllocation a;
    int err = 0;

    co_mutex_lock(&m->lock);
    while (wait_for(m, index, 1)) {
    }
    allocation_begin(m, &a, index, 1); /* who reads and writes the same block comes after */
    co_mutex_unlock(&m->lock);
    if (bytes < m->block_bytes) {
        err = blockmap_read(m, index * m->block_bytes, m->block_bytes, sg_of(&v));
    }
    if (sg) {
        sg_load(*sg, block + in, bytes);
    } else {
        memset(block + in, 0, bytes);
    }
    if (!err) {
        co_compute(compress_work, &c);
    }
    *done = c.got != 0;
    co_mutex_lock(&m->lock);
    if (c.got) {
        uint64_t at = m->end;
        m->end += c.got;
        co_mutex_unlock(&m->lock);
        err = node_co_pwrite(m->file, at, c.out, c.got, 0);
        co_mutex_lock(&m->lock);
        err = err ? err : m->ops->set(m, index, &(BlockEntry){ .kind = BLOCK_COMPRESSED, .host = at, .bytes = c.got });
    }
    allocation_end(m, &a);
    co_mutex_unlock(&m->lock);
    free(c.out);
    return err;
}

static bool is_outside(const BlockMap *m, uint64_t offset, uint64_t bytes)
{
    return offset + bytes > m->n_blocks * m->block_bytes;
}

int blockmap_write_compressed(BlockMap *m, uint64_t offset, uint64_t bytes, Sg sg)
{
    uint64_t bb = m->block_bytes, size = m->node->size_bytes - m->base;
    int err = is_outside(m, offset, bytes) ? -EIO : offset % bb ? -EINVAL : 0;
    uint8_t *buf = xmalloc(bb);

    while (bytes && !err) {
        uint64_t n = MIN(bytes, bb);
        bool done = false;
        if (n < bb && offset + n < size) {
            err = -EINVAL; /* only the last block may be short */
            break;
        }
        memset(buf + n, 0, bb - n);
        sg_load(sg, buf, n);
        struct iovec v = { buf, bb };
        Sg block = sg_of(&v);
        err = store_compressed(m, offset / bb, buf, 0, bb, &block, &done);
        if (!err && !done) {
            err = m->ops->always_compressed ? -EIO : blockmap_write(m, offset, n, sg);
        }
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    free(buf);
    return err;
}

/* -- writing --------------------------------------------------------------------------------------------------------- */

/* One stretch of a write, without the lock; *bytes: how much was done, perhaps none. */
static int write_some(BlockMap *m, uint64_t offset, uint64_t *bytes, const Sg *sg, unsigned flags)
{
    uint64_t n = *bytes, bb = m->block_bytes;
    BlockEntry e;

    if (m->ops->always_compressed) {
        bool done = false;
        uint8_t *buf = xmalloc(bb);
        *bytes = MIN(n, bb - offset % bb);
        int err = store_compressed(m, offset / bb, buf, offset % bb, *bytes, sg, &done);
        free(buf);
        return err ? err : done ? 0 : -EIO;
    }
    co_mutex_lock(&m->lock);
    if (wait_for(m, offset / bb, 1)) {
        co_mutex_unlock(&m->lock);
        *bytes = 0;
        return 0;
    }
    int err = find(m, offset, &n, &e);
    if (err) {
        co_mutex_unlock(&m->lock);
        return err;
    }
    if (e.kind == BLOCK_DATA) {
        co_mutex_unlock(&m->lock);
        *bytes = n;
        return sg ? node_co_write(m->file, e.host + offset % bb, n, *sg, 0) : node_co_zero(m->file, e.host + offset % bb, n, flags);
    }
    bool whole = offset % bb == 0 && (n >= bb || offset + n >= m->node->size_bytes - m->base), hole_is_zero = !m->node->driver->has_backing || (!node_backing(m->node) && !m->node->backing_file);
    /* Where there can be a backing image, also one that comes later, zeros are said if an entry can say them. */
    bool say = m->ops->can_zero && whole && m->node->driver->has_backing;
    if (!sg && (e.kind == BLOCK_ZERO || (e.kind == BLOCK_HOLE && hole_is_zero && !say))) {
        *bytes = n; /* they are */
    } else if (!sg && whole && m->ops->can_zero) {
        /* A stretch of one kind may run into blocks that are being allocated. */
        uint64_t done = 0;
        do {
            err = m->ops->set(m, (offset + done) / bb, &(BlockEntry){ .kind = BLOCK_ZERO });
            done += bb;
        } while (!err && (n >= done + bb || (n > done && offset + n >= m->node->size_bytes - m->base)) && !is_taken(m, (offset + done) / bb));
        *bytes = MIN(done, n);
    } else {
        err = write_new(m, offset, bytes, sg, &e, flags);
    }
    co_mutex_unlock(&m->lock);
    return err;
}

int blockmap_write(BlockMap *m, uint64_t offset, uint64_t bytes, Sg sg)
{
    int err = is_outside(m, offset, bytes) ? -EIO : 0;

    while (bytes && !err) {
        uint64_t n = bytes;
        err = write_some(m, offset, &n, &sg, 0);
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    return err;
}

int blockmap_zero(BlockMap *m, uint64_t offset, uint64_t bytes, unsigned flags)
{
    int err = is_outside(m, offset, bytes) ? -EIO : 0;

    while (bytes && !err) {
        uint64_t n = bytes;
        err = write_some(m, offset, &n, NULL, flags & REQ_UNMAP);
        offset += n;
        bytes -= n;
    }
    return err;
}

/* Blocks keep their place; the file may forget what is there. */
int blockmap_discard(BlockMap *m, uint64_t offset, uint64_t bytes)
{
    int err = 0;

    while (bytes && !err) {
        uint64_t n = bytes;
        BlockEntry e;
        co_mutex_lock(&m->lock);
        err = find(m, offset, &n, &e);
        co_mutex_unlock(&m->lock);
        if (!err && e.kind == BLOCK_DATA) {
            err = node_co_discard(m->file, e.host + offset % m->block_bytes, n);
        }
        offset += n;
        bytes -= n;
    }
    return err;
}

int blockmap_flush(BlockMap *m)
{
    co_mutex_lock(&m->lock);
    int err = meta_write_all(&m->meta);
    co_mutex_unlock(&m->lock);
    return err;
}

/* -- drivers' functions ---------------------------------------------------------------------------------------------- */

int map_co_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    return blockmap_read(node->state, offset, bytes, sg);
}

int map_co_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    return blockmap_write(node->state, offset, bytes, sg);
}

int map_co_write_compressed(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg)
{
    return blockmap_write_compressed(node->state, offset, bytes, sg);
}

int map_co_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    return blockmap_zero(node->state, offset, bytes, flags);
}

int map_co_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    return blockmap_discard(node->state, offset, bytes);
}

int map_co_flush(BlockNode *node)
{
    return blockmap_flush(node->state);
}

int map_co_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    return blockmap_status(node->state, offset, bytes, ret);
}
