/*
 * read.c: reads and what is known of a range.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"

typedef struct Decompress {
    unsigned type;
    const uint8_t *in;
    uint8_t *out;
    size_t in_bytes, out_bytes;
} Decompress;

static int decompress_work(void *opaque)
{
    Decompress *d = opaque;
    return decompress_cluster(d->type, d->in, d->in_bytes, d->out, d->out_bytes) ? 0 : -EIO;
}

/* From the clusters decompressed last. */
static bool read_remembered(Qcow2 *s, uint64_t entry, uint64_t in_cluster, uint64_t bytes, Sg sg)
{
    for (size_t i = 0; i < ARRAY_SIZE(s->decompressed); i++) {
        if (s->decompressed[i].entry == entry) {
            s->decompressed[i].last_use = ++s->decompressed_clock;
            sg_store(sg, s->decompressed[i].data + in_cluster, bytes);
            return true;
        }
    }
    return false;
}

static void remember(Qcow2 *s, uint64_t entry, uint8_t *data)
{
    size_t oldest = 0;

    for (size_t i = 1; i < ARRAY_SIZE(s->decompressed); i++) {
        if (s->decompressed[i].last_use < s->decompressed[oldest].last_use) {
            oldest = i;
        }
    }
    free(s->decompressed[oldest].data);
    s->decompressed[oldest].entry = entry;
    s->decompressed[oldest].data = data;
    s->decompressed[oldest].last_use = ++s->decompressed_clock;
}

static int read_compressed(Qcow2 *s, uint64_t entry, uint64_t in_cluster, uint64_t bytes, Sg sg)
{
    if (read_remembered(s, entry, in_cluster, bytes, sg)) {
        return 0;
    }
    uint64_t offset = compressed_offset(s, entry), size = compressed_bytes(s, entry);
    bool whole = bytes == s->cluster_size;
    uint8_t *direct = whole ? sg_flat(sg, bytes) : NULL, *out = direct ? direct : xmalloc(s->cluster_size);
    uint8_t *in = node_alloc(s->file, size);
    node_event(s->file, "read_compressed");
    int err = node_co_pread(s->file, offset, in, size);

    if (!err) {
        Decompress d = { s->compression, in, out, size, s->cluster_size };
        err = co_compute(decompress_work, &d);
    }
    free(in);
    if (direct) {
        return err;
    }
    if (!err) {
        sg_store(sg, out + in_cluster, bytes);
        if (!whole) {
            remember(s, entry, out); /* the rest is likely to be asked for next */
            return 0;
        }
    }
    free(out);
    return err;
}

int qcow2_co_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    Qcow2 *s = node->state;
    int err = 0;

    while (bytes && !err) {
        uint64_t n = bytes, host;
        MapKind kind;
        co_mutex_lock(&s->lock);
        err = map_read(s, offset, &n, &kind, &host);
        unsigned use = use_begin(s);
        co_mutex_unlock(&s->lock);
        switch (err ? MAP_ZERO : kind) {
        case MAP_UNALLOCATED:
        case MAP_PLACED:
            if (node_backing(node)) {
                node_event(s->file, "read_backing_aio");
                err = node_co_read(node_backing(node), offset, n, sg, 0);
                break;
            }
            /* fall through */
        case MAP_ZERO:
        case MAP_ZERO_ALLOCATED:
            if (!err) {
                sg_zero(sg, n);
            }
            break;
        case MAP_NORMAL:
            err = data_co_read(s, offset, host, n, sg);
            break;
        case MAP_COMPRESSED:
            err = read_compressed(s, host, offset & (s->cluster_size - 1), n, sg);
            break;
        }
        use_end(s, use);
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    return err;
}

static bool is_hollow(Qcow2 *s)
{
    if (!s->hollow_known) {
        uint64_t bytes = node_allocated_bytes(s->data_file);
        s->hollow_known = true;
        s->hollow = bytes != UINT64_MAX && bytes < s->data_file->size_bytes / 2;
    }
    return s->hollow;
}

int qcow2_co_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    Qcow2 *s = node->state;
    uint64_t host = 0, got = 0, n, h = 0;
    MapKind kind = MAP_UNALLOCATED, k;
    int err = 0;

    /* Tables end where the guest's data goes on: as far as it is of one kind. */
    co_mutex_lock(&s->lock);
    while (got < bytes && !err) {
        n = bytes - got;
        err = map_read(s, offset + got, &n, &k, &h);
        bool placed = map_has_place(k);
        if (err || (got && (k != kind || (placed && h != host + got)))) {
            break;
        }
        if (!got) {
            kind = k;
            host = h;
        }
        got += n;
    }
    co_mutex_unlock(&s->lock);
    if (err && !got) {
        return err;
    }
    static const unsigned flags[] = {
        [MAP_UNALLOCATED] = 0, [MAP_PLACED] = STATUS_MAPPED, [MAP_ZERO] = STATUS_ZERO | STATUS_ALLOCATED, [MAP_ZERO_ALLOCATED] = STATUS_ZERO | STATUS_ALLOCATED | STATUS_MAPPED,
        [MAP_NORMAL] = STATUS_DATA | STATUS_ALLOCATED | STATUS_MAPPED, [MAP_COMPRESSED] = STATUS_DATA | STATUS_ALLOCATED | STATUS_COMPRESSED,
    };
    *ret = (BlockStatus){ .flags = flags[kind], .bytes = got };
    if (s->crypt_method && ret->flags & STATUS_MAPPED) {
        ret->flags &= ~(unsigned)STATUS_MAPPED; /* what is there is not what the guest reads */
    } else if (ret->flags & STATUS_MAPPED) {
        ret->map_node = s->data_file;
        ret->map_offset = host;
        /* A file of which most is not there, as one with its metadata only: ask it. */
        ret->flags |= kind == MAP_NORMAL && is_hollow(s) ? STATUS_RECURSE : 0;
    }
    return 0;
}
