/*
 * blockmap-check.c: `check` of block maps, and small things formats need: files of new images, coroutines, random ids.
 */
#include <errno.h>
#include <string.h>

#include "block/blockmap.h"
#include "util/alloc.h"
#include "util/random.h"

/* One bit for each place of a block; a larger file's blocks are not compared. */
#define MAX_PLACES ((uint64_t)1 << 30)

typedef struct Walk {
    BlockMap *m;
    BlockMapCheck *how;
    BlockCheck *check;
    unsigned fix;
    uint64_t *used, places;
    int result;
} Walk;

static bool entry_is_inside(const Walk *w, const BlockEntry *e)
{
    const BlockMap *m = w->m;
    uint64_t file = m->file->size_bytes, bytes = e->kind == BLOCK_COMPRESSED ? MAX(e->bytes, 1u) : m->block_bytes;

    /* The last block may be cut where the disk ends. */
    return e->host >= w->how->data_from && e->host < file && (e->kind == BLOCK_DATA || bytes <= file - e->host) &&
           (!w->how->data_unit || e->kind == BLOCK_COMPRESSED || (e->host - w->how->data_from) % w->how->data_unit == 0);
}

/* False: another block has the place. */
static bool take(Walk *w, const BlockEntry *e)
{
    uint64_t at = (e->host - w->how->data_from) / w->m->block_bytes;

    if (e->kind != BLOCK_DATA || at >= w->places) {
        return true;
    }
    bool was = w->used[at / 64] >> (at % 64) & 1;
    w->used[at / 64] |= 1ull << (at % 64);
    return !was;
}

/* A copy of its own for a block whose place another has, too. */
static int copy_block(Walk *w, uint64_t index, const BlockEntry *e)
{
    BlockMap *m = w->m;
    uint8_t *buf = node_alloc(m->file, m->block_bytes);
    uint64_t host = ROUND_UP(m->end, m->align);
    int err = node_co_pread(m->file, e->host, buf, m->block_bytes);

    if (!err && m->ops->alloc) {
        err = m->ops->alloc(m, 1, &host);
    } else {
        m->end = host + m->block_bytes;
    }
    err = err ? err : node_co_pwrite(m->file, host, buf, m->block_bytes, 0);
    err = err ? err : m->ops->set(m, index, &(BlockEntry){ .kind = BLOCK_DATA, .host = host });
    free(buf);
    return err;
}

static void look_at(Walk *w, uint64_t index, const BlockEntry *e, uint64_t *previous)
{
    BlockCheck *c = w->check;
    uint64_t guest = w->m->base + index * w->m->block_bytes;
    int err = -ENOTSUP;

    c->allocated_clusters++;
    c->compressed_clusters += e->kind == BLOCK_COMPRESSED;
    c->fragmented_clusters += *previous && e->host != *previous + w->m->block_bytes;
    *previous = e->host;
    if (!entry_is_inside(w, e)) {
        block_check_say(c, "%s block at %#" PRIx64 " of the disk is at %#" PRIx64 ", outside of the file's data", w->fix & CHECK_FIX_ERRORS ? "Repairing" : "ERROR",
                        guest, e->host);
        c->corruptions++;
        if (w->fix & CHECK_FIX_ERRORS && w->m->ops->set) {
            err = w->m->ops->set(w->m, index, &(BlockEntry){ .kind = BLOCK_HOLE });
        }
    } else if (!take(w, e)) {
        block_check_say(c, "%s block at %#" PRIx64 " of the disk shares %#" PRIx64 " of the file with another", w->fix & CHECK_FIX_ERRORS ? "Repairing" : "ERROR",
                        guest, e->host);
        c->corruptions++;
        if (w->fix & CHECK_FIX_ERRORS && w->m->ops->set) {
            err = copy_block(w, index, e);
        }
    } else {
        w->how->end = MAX(w->how->end, e->host + (e->kind == BLOCK_COMPRESSED ? MAX(e->bytes, 1u) : w->m->block_bytes));
        return;
    }
    if (!err) {
        c->corruptions--;
        c->corruptions_fixed++;
    } else if (err != -ENOTSUP) {
        c->check_errors++;
    }
}

static int walk(void *opaque)
{
    Walk *w = opaque;
    BlockMap *m = w->m;
    uint64_t previous = 0;

    co_mutex_lock(&m->lock);
    for (uint64_t i = 0; i < m->n_blocks;) {
        BlockEntry e = { 0 };
        int err = m->ops->get(m, i, &e);
        if (err) {
            block_check_say(w->check, "ERROR the table for %#" PRIx64 " of the disk cannot be read: %s", m->base + i * m->block_bytes, strerror(-err));
            w->check->check_errors++;
            e = (BlockEntry){ .run = 1 };
            if (w->check->check_errors > 1000) {
                break;
            }
        }
        if (e.kind == BLOCK_DATA || e.kind == BLOCK_COMPRESSED) {
            look_at(w, i, &e, &previous);
        }
        i += MAX(e.run, 1u);
    }
    if (w->fix) {
        w->result = meta_write_all(&m->meta);
        w->result = w->result ? w->result : node_co_flush(m->file);
    }
    co_mutex_unlock(&m->lock);
    return 0;
}

void blockmap_check(BlockMap *m, BlockMapCheck *how, BlockCheck *check, unsigned fix)
{
    uint64_t data = m->file->size_bytes > how->data_from ? m->file->size_bytes - how->data_from : 0;
    Walk w = { .m = m, .how = how, .check = check, .fix = m->node->readonly ? 0 : fix, .places = MIN(data / m->block_bytes + 1, MAX_PLACES) };

    check->has_clusters = true;
    check->total_clusters += m->n_blocks;
    w.used = xnew_array(uint64_t, w.places / 64 + 1);
    node_run(m->node, walk, &w);
    if (w.result) {
        block_check_say(check, "ERROR repaired tables cannot be written: %s", strerror(-w.result));
        check->check_errors++;
    }
    free(w.used);
}

/* -- for the formats ------------------------------------------------------------------------------------------------- */

bool format_is_readonly(BlockNode *node, Error **errp)
{
    if (!node->readonly && node->flags & BLOCK_AUTO_RDONLY) {
        node->readonly = true;
    }
    if (!node->readonly) {
        error_set(errp, "Block format '%s' is read-only", node->driver->name);
    }
    return node->readonly;
}

typedef struct Run {
    int (*fn)(void *opaque);
    void *opaque;
    int result;
} Run;

static void run_entry(void *opaque)
{
    Run *r = opaque;
    r->result = r->fn(r->opaque);
}

int node_run(BlockNode *node, int (*fn)(void *opaque), void *opaque)
{
    Run r = { fn, opaque, 0 };
    ioctx_run(node->context, run_entry, &r);
    return r.result;
}

BlockNode *format_create_file(const char *filename, const Json *options, Error **errp)
{
    Json *below = json_object();

    if (json_get(options, "nocow")) {
        json_put(below, "nocow", json_copy(json_get(options, "nocow")));
    }
    bool ok = image_create_file(filename, below, errp);
    json_free(below);
    return ok ? node_open_protocol(filename, BLOCK_RDWR, errp) : NULL;
}

int format_fill(BlockNode *file, uint64_t offset, uint64_t bytes, uint8_t pattern)
{
    const uint64_t chunk = 1 * MiB;
    uint8_t *buf = xmalloc(MAX(MIN(bytes, chunk), 1u));
    int err = 0;

    memset(buf, pattern, MIN(bytes, chunk));
    while (bytes && !err) {
        uint64_t n = MIN(bytes, chunk);
        err = node_pwrite(file, offset, buf, n, 0);
        offset += n;
        bytes -= n;
    }
    free(buf);
    return err;
}

void format_uuid(uint8_t *at)
{
    if (!random_bytes(at, 16, true)) {
        memset(at, 0x5a, 16);
    }
    at[7] = (at[7] & 0x0f) | 0x40; /* RFC 4122, 4.4: version 4 */
    at[8] = (at[8] & 0x3f) | 0x80;
}
