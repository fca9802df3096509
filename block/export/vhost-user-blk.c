/*
 * vhost-user-blk.c: a node as a virtio block device of another program's guest (virtio 1.2, 5.2), by vhost-user.
 *
 * Leaves out: zoned devices, secure erase, lifetime.
 */
#include <errno.h>
#include <string.h>

#include "block/export.h"
#include "block/export/vhost-user.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { SECTOR_BYTES = 512, MAX_DISCARD_SECTORS = 32768 * 8, MAX_SEGMENTS = 32, ID_BYTES = 20, CONFIG_BYTES = 60 };
enum { REQ_IN = 0, REQ_OUT = 1, REQ_FLUSH = 4, REQ_GET_ID = 8, REQ_DISCARD = 11, REQ_WRITE_ZEROES = 13 };
enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_UNSUPP = 2 };
enum { F_SEG_MAX = 2, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_TOPOLOGY = 10, F_CONFIG_WCE = 11, F_MQ = 12, F_DISCARD = 13, F_WRITE_ZEROES = 14 };

typedef struct VuBlk {
    BlockExport *export;
    BlockEdge *edge;
    VuServer *server;
    unsigned n_queues;
    uint32_t block_bytes;
    bool writethrough;          /* the guest asked for it, or the user */
} VuBlk;

static const BlockOption vu_options[] = {
    { "addr", OPTION_STRING, "the unix socket (addr.type=unix, addr.path=) or descriptor (addr.type=fd, addr.str=) it is served on", NULL },
    { "logical-block-size", OPTION_SIZE, "size of the guest's sectors", "512" },
    { "num-queues", OPTION_NUMBER, "number of queues", "1" },
    { NULL },
};

/* -- the device ------------------------------------------------------------------------------------------------------ */

static void fill_config(void *opaque, uint8_t config[VU_MAX_CONFIG], size_t *bytes)
{
    const VuBlk *s = opaque;

    stle64(config, s->edge->node->size_bytes / SECTOR_BYTES);
    stle32(config + 12, 128 - 2);                        /* seg_max */
    stle32(config + 20, s->block_bytes);
    stle16(config + 26, 1);                              /* min_io_size */
    stle32(config + 28, 1);                              /* opt_io_size */
    config[32] = !s->writethrough;
    stle16(config + 34, (uint16_t)s->n_queues);
    stle32(config + 36, MAX_DISCARD_SECTORS);
    stle32(config + 40, MAX_SEGMENTS);
    stle32(config + 44, s->block_bytes / SECTOR_BYTES);
    stle32(config + 48, MAX_DISCARD_SECTORS);
    stle32(config + 52, MAX_SEGMENTS);
    config[56] = 1;                                      /* write_zeroes_may_unmap */
    *bytes = CONFIG_BYTES;
}

static bool set_config(void *opaque, size_t offset, const uint8_t *data, size_t bytes)
{
    VuBlk *s = opaque;

    if (offset != 32 || bytes != 1) {
        return false;
    }
    s->writethrough = !data[0] || s->export->writethrough;
    return true;
}

/* "If VIRTIO_BLK_F_CONFIG_WCE and F_FLUSH were not negotiated the device is in writethrough mode." */
static void set_features(void *opaque, uint64_t features)
{
    VuBlk *s = opaque;
    s->writethrough = s->export->writethrough || !(features >> F_FLUSH & 1);
}

static size_t iov_bytes(const struct iovec *iov, unsigned n)
{
    size_t sum = 0;
    for (unsigned i = 0; i < n; i++) {
        sum += iov[i].iov_len;
    }
    return sum;
}

/* DISCARD and WRITE_ZEROES: segments of sector, number, flags. */
static unsigned serve_segments(const VuBlk *s, BlockNode *node, unsigned type, Sg sg, size_t bytes)
{
    uint8_t segment[16];

    if (!bytes || bytes % sizeof(segment) || bytes / sizeof(segment) > MAX_SEGMENTS) {
        return STATUS_IOERR;
    }
    for (; bytes; bytes -= sizeof(segment), sg = sg_after(sg, sizeof(segment))) {
        sg_load(sg, segment, sizeof(segment));
        uint64_t sector = ldle64(segment), n = ldle32(segment + 8), total = node->size_bytes / SECTOR_BYTES;
        uint32_t flags = ldle32(segment + 12);
        if (flags & ~1u || (flags && type == REQ_DISCARD)) {
            return STATUS_UNSUPP;
        }
        if (n > MAX_DISCARD_SECTORS || sector > total || n > total - sector) {
            return STATUS_IOERR;
        }
        unsigned request = (flags & 1 ? REQ_UNMAP : 0) | (s->writethrough ? REQ_FUA : 0);
        int err = type == REQ_DISCARD ? node_co_discard(node, sector * SECTOR_BYTES, n * SECTOR_BYTES)
                                      : node_co_zero(node, sector * SECTOR_BYTES, n * SECTOR_BYTES, request);
        if (err) {
            return STATUS_IOERR;
        }
    }
    return STATUS_OK;
}

static bool in_range(const VuBlk *s, const BlockNode *node, uint64_t sector, size_t bytes)
{
    uint64_t size = node->size_bytes;
    return bytes && !(bytes % SECTOR_BYTES) && sector <= size / SECTOR_BYTES && bytes <= size - sector * SECTOR_BYTES &&
           !(sector * SECTOR_BYTES & (s->block_bytes - 1)) && !(bytes & (s->block_bytes - 1));
}

/* `out` is behind the header, `in` before the status. *filled: bytes of `in`. */
static unsigned serve(const VuBlk *s, BlockNode *node, uint32_t type, uint64_t sector, Sg out, size_t out_bytes, Sg in, size_t in_bytes, size_t *filled)
{
    char id[ID_BYTES] = "";

    if (!s->export->writable && (type == REQ_OUT || type == REQ_DISCARD || type == REQ_WRITE_ZEROES)) {
        return STATUS_IOERR;
    }
    switch (type) {
    case REQ_IN:
        if (!in_range(s, node, sector, in_bytes) || node_co_read(node, sector * SECTOR_BYTES, in_bytes, in, 0)) {
            return STATUS_IOERR;
        }
        *filled = in_bytes;
        return STATUS_OK;
    case REQ_OUT:
        return in_range(s, node, sector, out_bytes) && !node_co_write(node, sector * SECTOR_BYTES, out_bytes, out, s->writethrough ? REQ_FUA : 0) ? STATUS_OK : STATUS_IOERR;
    case REQ_FLUSH: return node_co_flush(node) ? STATUS_IOERR : STATUS_OK;
    case REQ_GET_ID:
        strncpy(id, s->export->id, sizeof(id) - 1);
        *filled = MIN(in_bytes, sizeof(id));
        sg_store(in, id, *filled);
        return STATUS_OK;
    case REQ_DISCARD: case REQ_WRITE_ZEROES: return serve_segments(s, node, type, out, out_bytes);
    default: return STATUS_UNSUPP;
    }
}

static void handle(void *opaque, VuElement *e)
{
    const VuBlk *s = opaque;
    size_t out_bytes = iov_bytes(e->iov, e->n_out), in_bytes = iov_bytes(e->iov + e->n_out, e->n_in), filled = 0;
    Sg out = sg_of(e->iov), in = sg_of(e->iov + e->n_out);
    uint8_t head[16], status;

    if (out_bytes < sizeof(head) || in_bytes < 1) {
        vu_push(e, 0); /* there is nowhere to say so */
        return;
    }
    sg_load(out, head, sizeof(head));
    BlockNode *node = edge_co_node(s->edge);
    status = (uint8_t)serve(s, node, ldle32(head), ldle64(head + 8), sg_after(out, sizeof(head)), out_bytes - sizeof(head), in, in_bytes - 1, &filled);
    node_unref(node);
    sg_store(sg_after(in, in_bytes - 1), &status, 1);
    vu_push(e, status == STATUS_OK ? (uint32_t)MIN(filled + 1, (size_t)UINT32_MAX) : 1);
}

/* -- the export ------------------------------------------------------------------------------------------------------ */

static bool vu_open(BlockExport *e, const Json *options, Error **errp)
{
    VuBlk *s = e->state;
    uint64_t block, queues;

    if (!opts_size(options, "logical-block-size", SECTOR_BYTES, &block, errp) || !opts_uint(options, "num-queues", 1, &queues, errp)) {
        return false;
    }
    if (!bits_is_pow2(block) || block < SECTOR_BYTES || block > 65536) {
        error_set(errp, "parameter logical-block-size must be a power of two between 512 and 65536");
        return false;
    }
    if (!queues || queues > VU_MAX_QUEUES) {
        error_set(errp, "num-queues must be between 1 and %d", VU_MAX_QUEUES);
        return false;
    }
    Address *address = json_get(options, "addr") ? address_parse(json_get(options, "addr"), errp) : NULL;
    if (!address) {
        if (!json_get(options, "addr")) {
            error_set(errp, "Parameter 'addr' is missing");
        }
        return false;
    }
    *s = (VuBlk){ .export = e, .n_queues = (unsigned)queues, .block_bytes = (uint32_t)block, .writethrough = e->writethrough };
    s->edge = node_attach(e->node, e->id, PERM_READ | (e->writable ? PERM_WRITE : 0), PERM_ALL, errp);
    VuDevice device = {
        .features = BIT(F_SEG_MAX) | BIT(F_TOPOLOGY) | BIT(F_BLK_SIZE) | BIT(F_FLUSH) | BIT(F_CONFIG_WCE) | BIT(F_DISCARD) | BIT(F_WRITE_ZEROES) |
                    (queues > 1 ? BIT(F_MQ) : 0) | (e->writable ? 0 : BIT(F_RO)),
        .n_queues = s->n_queues, .config = fill_config, .set_config = set_config, .set_features = set_features, .co_handle = handle, .opaque = s,
    };
    s->server = s->edge ? vu_server_new(address, &device, errp) : NULL;
    address_free(address);
    if (!s->server && s->edge) {
        edge_detach(s->edge);
    }
    return s->server != NULL;
}

static bool vu_in_use(const BlockExport *e)
{
    const VuBlk *s = e->state;
    return vu_server_has_client(s->server);
}

static void gone(void *opaque)
{
    VuBlk *s = opaque;

    edge_detach(s->edge);
    export_gone(s->export);
}

static void vu_shutdown(BlockExport *e)
{
    VuBlk *s = e->state;
    vu_server_end(s->server, gone, s);
}

const BlockExportType export_vhost_user_blk = {
    .name = "vhost-user-blk", .summary = "as a virtio block device by vhost-user", .options = vu_options, .state_bytes = sizeof(VuBlk),
    .open = vu_open, .in_use = vu_in_use, .shutdown = vu_shutdown,
};
