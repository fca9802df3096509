/*
 * virtio-blk.c: a disk.
 *
 * Specification: VIRTIO 1.2, 5.2. Leaves out: zoned and SCSI pass-through commands, lifetime, secure erase.
 */
#include <errno.h>

#include "block/block.h"
#include "hw/virtio.h"
#include "hw/virtio-types.h"
#include "util/bits.h"
#include "util/log.h"

enum { /* features */
    F_SIZE_MAX = 1, F_SEG_MAX = 2, F_GEOMETRY = 4, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_TOPOLOGY = 10, F_CONFIG_WCE = 11,
    F_MQ = 12, F_DISCARD = 13, F_WRITE_ZEROES = 14,
};
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13, T_BARRIER = 0x80000000 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };
enum { SECTOR_BYTES = 512, CONFIG_BYTES = 60, ID_BYTES = 20 };

typedef struct BlkRequest {
    struct BlkRequest *next, **prev;
    VirtioBlk *s;
    VirtElem *elem;
    uint32_t in_bytes;    /* data the device writes, without the status byte */
    bool abandoned;       /* the device was reset meanwhile */
} BlkRequest;

static void finish(BlkRequest *req, uint8_t status)
{
    VirtElem *elem = req->elem;
    VirtQueue *vq = elem->vq;

    /* The status byte is the last of what the device may write. */
    iov_from_buf(elem->in, elem->n_in, req->in_bytes, &status, 1);
    virtq_push(vq, elem, req->in_bytes + 1);
    virtq_notify(vq);
}

static void request_done(void *opaque, int result)
{
    BlkRequest *req = opaque;

    *req->prev = req->next;
    if (req->next) {
        req->next->prev = req->prev;
    }
    if (req->abandoned) {
        virtq_detach(req->elem->vq, req->elem);
    } else {
        finish(req, result ? S_IOERR : S_OK);
    }
    free(req);
}

static bool sectors_ok(VirtioBlk *s, uint64_t sector, uint64_t bytes)
{
    uint64_t total = block_size_bytes(s->drive) / SECTOR_BYTES;
    return bytes % SECTOR_BYTES == 0 && sector <= total && bytes / SECTOR_BYTES <= total - sector;
}

/* True: the request is under way and will call request_done. */
static bool start(BlkRequest *req, uint32_t type, uint64_t sector, uint8_t *ret_status)
{
    VirtioBlk *s = req->s;
    VirtElem *elem = req->elem;
    uint8_t range[16];

    *ret_status = S_IOERR;
    switch (type) {
    case T_IN:
        if (!sectors_ok(s, sector, req->in_bytes)) {
            return false;
        }
        iov_discard_back(elem->in, &elem->n_in, 1);
        block_readv(s->drive, sector * SECTOR_BYTES, elem->in, elem->n_in, request_done, req);
        return true;
    case T_OUT:
        req->in_bytes = 0;
        if (!sectors_ok(s, sector, elem->out_bytes - 16)) {
            return false;
        }
        block_writev(s->drive, sector * SECTOR_BYTES, elem->out, elem->n_out, s->write_cache ? 0 : BLOCK_FUA, request_done, req);
        return true;
    case T_FLUSH:
        req->in_bytes = 0;
        block_flush(s->drive, request_done, req);
        return true;
    case T_GET_ID: {
        char id[ID_BYTES] = { 0 };
        if (s->serial) {
            memcpy(id, s->serial, strnlen(s->serial, ID_BYTES));
        }
        req->in_bytes = (uint32_t)iov_from_buf(elem->in, elem->n_in, 0, id, MIN(req->in_bytes, ID_BYTES));
        *ret_status = S_OK;
        return false;
    }
    case T_DISCARD:
    case T_WRITE_ZEROES: {
        req->in_bytes = 0;
        if ((type == T_DISCARD && !s->discard) || (type == T_WRITE_ZEROES && !s->write_zeroes)) {
            *ret_status = S_UNSUPP;
            return false;
        }
        /* One segment a request is what we offer (max_discard_seg). */
        if (iov_to_buf(elem->out, elem->n_out, 0, range, sizeof(range)) != sizeof(range)) {
            return false;
        }
        uint64_t first = ldle64(range), bytes = (uint64_t)ldle32(range + 8) * SECTOR_BYTES;
        uint32_t flags = ldle32(range + 12);
        if ((flags & ~1u) || (type == T_DISCARD && flags)) {
            *ret_status = S_UNSUPP;
            return false;
        }
        if (!sectors_ok(s, first, bytes)) {
            return false;
        }
        if (type == T_DISCARD) {
            block_discard(s->drive, first * SECTOR_BYTES, bytes, request_done, req);
        } else {
            block_write_zeroes(s->drive, first * SECTOR_BYTES, bytes,
                               (flags & 1 ? BLOCK_UNMAP : 0) | (s->write_cache ? 0 : BLOCK_FUA), request_done, req);
        }
        return true;
    }
    default:
        *ret_status = S_UNSUPP;
        return false;
    }
}

static void handle_queue(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioBlk *s = (VirtioBlk *)vdev;
    VirtElem *elem;

    do {
        virtq_set_notify(vq, false);
        while ((elem = virtq_pop(vq))) {
            uint8_t head[16], status;
            if (elem->out_bytes < sizeof(head) || elem->in_bytes < 1) {
                virtio_fail(vdev, "request without header or status");
                virtq_detach(vq, elem);
                return;
            }
            iov_to_buf(elem->out, elem->n_out, 0, head, sizeof(head));
            iov_discard_front(&elem->out, &elem->n_out, sizeof(head));
            BlkRequest *req = xnew(BlkRequest);
            *req = (BlkRequest){ .s = s, .elem = elem, .in_bytes = (uint32_t)elem->in_bytes - 1, .next = s->requests,
                                 .prev = &s->requests };
            if (s->requests) {
                s->requests->prev = &req->next;
            }
            s->requests = req;
            /* The status byte's place: keep the whole of `in` for it. */
            struct iovec *in = xmemdup(elem->in, elem->n_in * sizeof(*in));
            unsigned n_in = elem->n_in;
            uint32_t type = ldle32(head) & ~(uint32_t)T_BARRIER;
            bool started = start(req, type, ldle64(head + 8), &status);
            if (started && type == T_IN) {
                /* The request has its own copy of the vector: widen it again for the status. */
                memcpy(elem->in, in, n_in * sizeof(*in));
                elem->n_in = n_in;
            }
            free(in);
            if (!started) {
                *req->prev = req->next;
                if (req->next) {
                    req->next->prev = req->prev;
                }
                finish(req, status);
                free(req);
            }
        }
        virtq_set_notify(vq, true);
    } while (!virtq_empty(vq));
}

static uint64_t blk_features(VirtioDevice *vdev, uint64_t user)
{
    VirtioBlk *s = (VirtioBlk *)vdev;
    uint64_t f = user | BIT(F_SEG_MAX) | BIT(F_GEOMETRY) | BIT(F_TOPOLOGY) | BIT(F_BLK_SIZE) | BIT(F_FLUSH);

    if (block_is_readonly(s->drive)) {
        f |= BIT(F_RO);
    } else {
        f |= (s->discard ? BIT(F_DISCARD) : 0) | (s->write_zeroes ? BIT(F_WRITE_ZEROES) : 0);
    }
    return f | (s->config_wce ? BIT(F_CONFIG_WCE) : 0) | (s->num_queues > 1 ? BIT(F_MQ) : 0);
}

static void blk_config_read(VirtioDevice *vdev, uint8_t *c)
{
    VirtioBlk *s = (VirtioBlk *)vdev;
    uint64_t sectors = block_size_bytes(s->drive) / SECTOR_BYTES;
    uint32_t block = s->logical_block_size ? s->logical_block_size : 512;

    memset(c, 0, CONFIG_BYTES);
    stle64(c, sectors);
    stle32(c + 12, (s->seg_max_adjust ? s->queue_size : 128) - 2);     /* seg_max: header and status aside */
    stle16(c + 16, (uint16_t)MIN(sectors / (16 * 63), 65535));
    c[18] = 16;
    c[19] = 63;
    stle32(c + 20, block);
    c[24] = (uint8_t)(s->physical_block_size > block ? __builtin_ctz(s->physical_block_size / block) : 0);
    stle16(c + 26, (uint16_t)(s->min_io_size / block));
    stle32(c + 28, s->opt_io_size / block);
    c[32] = s->write_cache;
    stle16(c + 34, s->num_queues);
    stle32(c + 36, INT32_MAX / SECTOR_BYTES);   /* max_discard_sectors */
    stle32(c + 40, 1);
    stle32(c + 44, MAX(block / SECTOR_BYTES, 1));
    stle32(c + 48, INT32_MAX / SECTOR_BYTES);   /* max_write_zeroes_sectors */
    stle32(c + 52, 1);
    c[56] = 1;                                  /* write_zeroes_may_unmap */
}

static void blk_config_write(VirtioDevice *vdev, const uint8_t *c, size_t offset, size_t size)
{
    VirtioBlk *s = (VirtioBlk *)vdev;

    if (offset <= 32 && offset + size > 32 && virtio_has(vdev, F_CONFIG_WCE)) {
        s->write_cache = c[32] & 1;
    }
}

static void blk_reset(VirtioDevice *vdev)
{
    VirtioBlk *s = (VirtioBlk *)vdev;

    /* What is in flight ends before the queues go away; its results are nobody's. */
    for (BlkRequest *req = s->requests; req; req = req->next) {
        req->abandoned = true;
    }
    if (s->drive) {
        block_drain(s->drive);
        s->write_cache = block_has_write_cache(s->drive);
    }
}

static bool blk_realize(VirtioDevice *vdev, Error **errp)
{
    VirtioBlk *s = (VirtioBlk *)vdev;
    char *path;

    if (!s->drive) {
        error_set(errp, "drive property not set");
        return false;
    }
    if (!s->num_queues || s->num_queues > VIRTIO_QUEUE_MAX) {
        error_set(errp, "num-queues must be 1 to %u", VIRTIO_QUEUE_MAX);
        return false;
    }
    if (s->queue_size < 4 || s->queue_size > VIRTIO_QUEUE_MAX || !bits_is_pow2(s->queue_size)) {
        error_set(errp, "queue-size must be a power of two, 4 to %u", VIRTIO_QUEUE_MAX);
        return false;
    }
    if (s->logical_block_size && (s->logical_block_size < 512 || !bits_is_pow2(s->logical_block_size))) {
        error_set(errp, "logical_block_size must be a power of two, 512 at least");
        return false;
    }
    if (!block_has_medium(s->drive)) {
        error_set(errp, "Device needs media, but drive is empty");
        return false;
    }
    path = object_path(&vdev->dev.obj);
    bool ok = block_attach(&s->drive, path ? path : "virtio-blk", false, errp);
    free(path);
    if (!ok) {
        return false;
    }
    block_set_error_policy(s->drive, (BlockOnError)s->rerror, (BlockOnError)s->werror);
    virtio_init(vdev, CONFIG_BYTES);
    for (unsigned i = 0; i < s->num_queues; i++) {
        virtio_add_queue(vdev, s->queue_size, handle_queue);
    }
    s->write_cache = block_has_write_cache(s->drive);
    return true;
}

static void blk_unrealize(VirtioDevice *vdev)
{
    VirtioBlk *s = (VirtioBlk *)vdev;

    blk_reset(vdev);
    block_detach(&s->drive);
}

static const VirtioType virtio_blk = {
    .id = VIRTIO_ID_BLOCK, .features = blk_features, .config_read = blk_config_read, .config_write = blk_config_write,
    .reset = blk_reset, .realize = blk_realize, .unrealize = blk_unrealize,
};

static const StateField blk_fields[] = {
    { .name = "virtio", .kind = STATE_STRUCT, .offset = offsetof(VirtioBlk, vdev), .elem_size = sizeof(VirtioDevice),
      .sub = &virtio_state },
    STATE_U(VirtioBlk, write_cache),
};

static void blk_pre_save(void *opaque)
{
    VirtioBlk *s = opaque;
    if (s->drive) {
        block_drain(s->drive); /* no request is in flight in saved state */
    }
}

static const StateDesc blk_state = {
    .name = "virtio-blk", .version = 1, .fields = blk_fields, .n_fields = ARRAY_SIZE(blk_fields), .pre_save = blk_pre_save,
};

static const Property blk_props[] = { VIRTIO_BLK_PROPS(VirtioBlk, ) };

static const DeviceType virtio_blk_device_type = {
    .type = { .name = "virtio-blk-device", .parent = "virtio-device", .size_bytes = sizeof(VirtioBlk),
              .summary = "virtio block device", .props = blk_props, .n_props = ARRAY_SIZE(blk_props),
              .class_data = &virtio_blk },
    .category = DEVICE_STORAGE, .state = &blk_state, VIRTIO_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(virtio_blk_device_type);
