/*
 * meta.c: see meta.h. The cache is set-associative: a page has META_WAYS places it may be in.
 */
#include <string.h>

#include "block/meta.h"
#include "util/alloc.h"

#define MAX_CACHE_BYTES (8 * MiB)

void meta_init(MetaCache *c, BlockNode *file, uint64_t table_bytes)
{
    uint64_t want = table_bytes ? MIN(table_bytes, MAX_CACHE_BYTES) : MAX_CACHE_BYTES;

    *c = (MetaCache){ .file = file, .n_sets = 4 };
    while ((uint64_t)c->n_sets * META_WAYS * META_PAGE < want) {
        c->n_sets *= 2;
    }
    c->pages = xnew_array(MetaPage, (size_t)c->n_sets * META_WAYS);
    for (unsigned i = 0; i < c->n_sets * META_WAYS; i++) {
        c->pages[i].offset = UINT64_MAX;
    }
}

void meta_finish(MetaCache *c)
{
    for (unsigned i = 0; c->pages && i < c->n_sets * META_WAYS; i++) {
        free(c->pages[i].data);
    }
    free(c->pages);
    *c = (MetaCache){ 0 };
}

static int write_page(MetaCache *c, MetaPage *p, unsigned step)
{
    uint32_t dirty = p->dirty[step];
    int err = 0;

    p->dirty[step] = 0;
    c->n_dirty[step] -= dirty != 0;
    for (unsigned i = 0; i < 32 && !err;) {
        unsigned n = 0;
        while (i + n < 32 && dirty >> (i + n) & 1) {
            n++;
        }
        if (n) {
            err = node_co_pwrite(c->file, p->offset + i * META_SECTOR, p->data + i * META_SECTOR, (size_t)n * META_SECTOR, 0);
        }
        i += n + 1;
    }
    if (err) { /* all of it again, the next time */
        c->n_dirty[step] += !p->dirty[step];
        p->dirty[step] |= dirty;
    }
    return err;
}

int meta_write_all(MetaCache *c)
{
    int err = 0;

    for (unsigned step = 0; step < META_STEPS && !err; step++) {
        if (!c->n_dirty[step]) {
            continue;
        }
        err = node_co_flush(c->file);
        for (unsigned i = 0; i < c->n_sets * META_WAYS && !err; i++) {
            if (c->pages[i].dirty[step]) {
                err = write_page(c, &c->pages[i], step);
            }
        }
    }
    return err;
}

/* The page with `offset`, in memory. `whole`: it will be written over from end to end, and need not be read. */
static int get_page(MetaCache *c, uint64_t offset, bool whole, MetaPage **ret)
{
    uint64_t start = ROUND_DOWN(offset, (uint64_t)META_PAGE);
    unsigned set = (unsigned)((start / META_PAGE) & (c->n_sets - 1)) * META_WAYS;
    MetaPage *victim = &c->pages[set];

    for (unsigned i = 0; i < META_WAYS; i++) {
        MetaPage *p = &c->pages[set + i];
        if (p->offset == start) {
            p->last_use = ++c->clock;
            *ret = p;
            return 0;
        }
        if (victim->offset != UINT64_MAX && (p->offset == UINT64_MAX || p->last_use < victim->last_use)) {
            victim = p;
        }
    }
    int err = victim->dirty[0] || victim->dirty[1] ? meta_write_all(c) : 0;
    if (err) {
        return err;
    }
    victim->offset = UINT64_MAX;
    victim->data = victim->data ? victim->data : node_alloc(c->file, META_PAGE);
    err = whole ? 0 : node_co_pread(c->file, start, victim->data, META_PAGE);
    if (err) {
        return err;
    }
    victim->offset = start;
    victim->last_use = ++c->clock;
    *ret = victim;
    return 0;
}

int meta_read(MetaCache *c, uint64_t offset, void *buf, size_t bytes)
{
    uint8_t *to = buf;

    while (bytes) {
        size_t skip = offset % META_PAGE, n = MIN(bytes, META_PAGE - skip);
        MetaPage *p;
        int err = get_page(c, offset, false, &p);
        if (err) {
            return err;
        }
        memcpy(to, p->data + skip, n);
        to += n;
        offset += n;
        bytes -= n;
    }
    return 0;
}

/* `buf` NULL: zeros. */
static int put(MetaCache *c, uint64_t offset, const uint8_t *buf, size_t bytes, unsigned step)
{
    while (bytes) {
        size_t skip = offset % META_PAGE, n = MIN(bytes, META_PAGE - skip);
        MetaPage *p;
        int err = get_page(c, offset, n == META_PAGE, &p);
        if (err) {
            return err;
        }
        if (buf) {
            memcpy(p->data + skip, buf, n);
            buf += n;
        } else {
            memset(p->data + skip, 0, n);
        }
        c->n_dirty[step] += !p->dirty[step];
        for (size_t i = skip / META_SECTOR; i <= (skip + n - 1) / META_SECTOR; i++) {
            p->dirty[step] |= 1u << i;
        }
        offset += n;
        bytes -= n;
    }
    return 0;
}

int meta_write(MetaCache *c, uint64_t offset, const void *buf, size_t bytes, unsigned step)
{
    return put(c, offset, buf, bytes, step);
}

int meta_zero(MetaCache *c, uint64_t offset, size_t bytes, unsigned step)
{
    return put(c, offset, NULL, bytes, step);
}
