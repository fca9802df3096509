/*
 * mem.c: see mem.h.
 */
#include <errno.h>
#include <string.h>

#include "block/node-internal.h"
#include "tests/block/mem.h"
#include "util/alloc.h"

enum { SECTOR = 512 };
#define MAX_BYTES (256 * MiB)

typedef enum WriteKind { WRITE_DATA, WRITE_ZERO, WRITE_SIZE } WriteKind;

typedef struct MemWrite {
    WriteKind kind;
    uint64_t offset, bytes;
    uint8_t *data;
} MemWrite;

typedef struct MemState {
    MemFile *file;
} MemState;

uint64_t mem_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Others go first sometimes, so that requests meet in every order. */
static void stumble(MemFile *f)
{
    for (uint64_t n = f->seed ? mem_random(&f->seed) % 4 : 0; n; n--) {
        co_pass();
    }
}

static bool fails(MemFile *f)
{
    return f->fail_one_in && mem_random(&f->seed) % f->fail_one_in == 0;
}

static void resize(uint8_t **data, uint64_t *bytes, uint64_t *cap, uint64_t want)
{
    if (want > *cap) {
        *cap = MAX(want, MIN(*cap * 2, *cap + 16 * MiB));
        *data = xrealloc(*data, *cap);
    }
    if (want > *bytes) {
        memset(*data + *bytes, 0, want - *bytes);
    }
    *bytes = want;
}

static void apply(uint8_t **data, uint64_t *bytes, uint64_t *cap, const MemWrite *w)
{
    if (w->kind == WRITE_SIZE) {
        resize(data, bytes, cap, w->offset);
        return;
    }
    if (w->offset + w->bytes > *bytes) {
        resize(data, bytes, cap, w->offset + w->bytes);
    }
    if (w->kind == WRITE_ZERO) {
        memset(*data + w->offset, 0, w->bytes);
    } else {
        memcpy(*data + w->offset, w->data, w->bytes);
    }
}

static int record(MemFile *f, MemWrite w)
{
    if (w.offset + w.bytes > MAX_BYTES) {
        free(w.data);
        return -ENOSPC;
    }
    if (f->n_log == f->cap_log) {
        f->log = vec_grow(f->log, &f->cap_log, sizeof(MemWrite));
    }
    f->log[f->n_log++] = w;
    f->writes++;
    if (f->crash_in && !--f->crash_in) {
        mem_crash(f, f->seed | 1, f->crash_to);
    }
    apply(&f->data, &f->bytes, &f->cap, &w);
    return 0;
}

static int mem_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    MemFile *f = ((MemState *)node->state)->file;

    stumble(f);
    if (fails(f)) {
        return -EIO;
    }
    uint64_t have = offset < f->bytes ? MIN(bytes, f->bytes - offset) : 0;
    sg_store(sg, f->data + offset, have);
    sg_zero(sg_after(sg, have), bytes - have);
    return 0;
}

static int mem_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    MemFile *f = ((MemState *)node->state)->file;

    stumble(f);
    if (fails(f)) {
        return mem_random(&f->seed) & 1 ? -EIO : -ENOSPC;
    }
    MemWrite w = { WRITE_DATA, offset, bytes, xmalloc(MAX(bytes, 1u)) };
    sg_load(sg, w.data, bytes);
    int err = record(f, w);
    stumble(f);
    return err;
}

static int mem_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    MemFile *f = ((MemState *)node->state)->file;

    stumble(f);
    return fails(f) ? -EIO : record(f, (MemWrite){ WRITE_ZERO, offset, bytes, NULL });
}

static int mem_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp)
{
    MemFile *f = ((MemState *)node->state)->file;
    return record(f, (MemWrite){ WRITE_SIZE, bytes, 0, NULL });
}

static void log_clear(MemFile *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(f->log[i].data);
    }
    if (f->n_log > n) {
        memmove(f->log, f->log + n, (f->n_log - n) * sizeof(MemWrite));
    }
    f->n_log -= n;
}

static int mem_flush(BlockNode *node)
{
    MemFile *f = ((MemState *)node->state)->file;
    size_t n = f->n_log; /* what is there now, not what comes meanwhile */

    stumble(f);
    if (fails(f)) {
        return -EIO;
    }
    for (size_t i = 0; i < n; i++) {
        apply(&f->stable, &f->stable_bytes, &f->stable_cap, &f->log[i]);
    }
    log_clear(f, n);
    f->flushes++;
    return 0;
}

static const BlockDriver mem_driver = {
    .name = "mem", .summary = "a file in memory, for tests", .kind = DRIVER_PROTOCOL, .state_bytes = sizeof(MemState),
    .co_read = mem_read, .co_write = mem_write, .co_zero = mem_zero, .co_flush = mem_flush, .co_truncate = mem_truncate,
};

BlockNode *mem_open(MemFile *file, const char *name)
{
    BlockNode *node = node_new(&mem_driver, name);

    ((MemState *)node->state)->file = file;
    node->flags = BLOCK_RDWR | BLOCK_DISCARD;
    node->is_open = true;
    node->size_bytes = file->bytes;
    node->options = json_object();
    node->filename = xstrdup(name);
    return node;
}

void mem_free(MemFile *file)
{
    log_clear(file, file->n_log);
    free(file->log);
    free(file->data);
    free(file->stable);
    *file = (MemFile){ 0 };
}

void mem_crash(const MemFile *file, uint64_t seed, MemFile *ret)
{
    *ret = (MemFile){ 0 };
    resize(&ret->data, &ret->bytes, &ret->cap, file->stable_bytes);
    if (file->stable_bytes) {
        memcpy(ret->data, file->stable, file->stable_bytes);
    }
    /* A prefix, any subset, or all but one; a write may be there in part. */
    uint64_t mode = mem_random(&seed) % 3, prefix = mem_random(&seed) % (file->n_log + 1);
    for (size_t i = 0; i < file->n_log; i++) {
        bool there = mode == 0 ? i < prefix : mode == 1 ? mem_random(&seed) & 1 : i != prefix;
        const MemWrite *w = &file->log[i];
        bool torn = there && w->kind == WRITE_DATA && mem_random(&seed) % 8 == 0;
        if (there && !torn) {
            apply(&ret->data, &ret->bytes, &ret->cap, w);
        }
        for (uint64_t at = 0; torn && at < w->bytes;) {
            uint64_t n = MIN(SECTOR - (w->offset + at) % SECTOR, w->bytes - at);
            if (mem_random(&seed) & 1) {
                apply(&ret->data, &ret->bytes, &ret->cap, &(MemWrite){ WRITE_DATA, w->offset + at, n, w->data + at });
            }
            at += n;
        }
    }
    resize(&ret->stable, &ret->stable_bytes, &ret->stable_cap, ret->bytes);
    if (ret->bytes) {
        memcpy(ret->stable, ret->data, ret->bytes);
    }
}
