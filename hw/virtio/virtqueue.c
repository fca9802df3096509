/*
 * virtqueue.c: split and packed virtqueues.
 *
 * Everything in guest memory is untrusted: each value is read once, checked, then used. A chain may not be longer
 * than the queue (or, indirect, than VIRTIO_QUEUE_MAX), and must be readable descriptors followed by writable ones.
 *
 * Specification: VIRTIO 1.2, 2.7 (split), 2.8 (packed), 2.7.10/2.8.10 (notification suppression).
 */
#include "hw/virtio.h"
#include "util/bits.h"
#include "util/log.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, DESC_AVAIL = 1 << 7, DESC_USED = 1 << 15 };
enum { EVENT_ENABLE = 0, EVENT_DISABLE = 1, EVENT_DESC = 2 };

typedef struct Desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next, id;
} Desc;

static bool is_packed(const VirtQueue *vq)
{
    return virtio_has(vq->vdev, VIRTIO_F_RING_PACKED);
}

static uint16_t ld16(const VirtQueue *vq, gpa addr)
{
    return memory_ld_le16(vq->vdev->dma, addr, NULL);
}

static void st16(const VirtQueue *vq, gpa addr, uint16_t value)
{
    memory_st_le16(vq->vdev->dma, addr, value);
}

static bool read_desc(VirtQueue *vq, gpa table, unsigned i, bool packed, Desc *ret)
{
    uint8_t raw[16];

    if (memory_read(vq->vdev->dma, table + i * 16, raw, sizeof(raw), MEM_ATTRS_NONE) != MEM_OK) {
        virtio_fail(vq->vdev, "queue %u: descriptor %u at 0x%" PRIx64 " is not in memory", vq->index, i, table);
        return false;
    }
    ret->addr = ldle64(raw);
    ret->len = ldle32(raw + 8);
    if (packed) {
        ret->id = ldle16(raw + 12);
        ret->flags = ldle16(raw + 14);
        ret->next = 0;
    } else {
        ret->flags = ldle16(raw + 12);
        ret->next = ldle16(raw + 14);
        ret->id = 0;
    }
    return true;
}

/* -- collecting a chain ------------------------------------------------------------------------------------- */

typedef struct Chain {
    struct iovec iov[VIRTIO_QUEUE_MAX];
    unsigned n_out, n_in;
    size_t out_bytes, in_bytes;
} Chain;

static void unmap(VirtQueue *vq, const struct iovec *iov, unsigned n, bool is_write, size_t written)
{
    for (unsigned i = 0; i < n; i++) {
        size_t used = is_write ? MIN(written, iov[i].iov_len) : iov[i].iov_len;
        memory_unmap(vq->vdev->dma, iov[i].iov_base, iov[i].iov_len, is_write, used);
        written -= is_write ? used : 0;
    }
}

static bool chain_add(VirtQueue *vq, Chain *c, const Desc *d)
{
    bool is_write = d->flags & DESC_WRITE;
    gpa addr = d->addr;
    uint64_t left = d->len;

    if (!is_write && c->n_in) {
        virtio_fail(vq->vdev, "queue %u: readable descriptor after a writable one", vq->index);
        return false;
    }
    while (left) {
        uint64_t len = left;
        if (c->n_out + c->n_in == VIRTIO_QUEUE_MAX) {
            virtio_fail(vq->vdev, "queue %u: too many descriptors in a chain", vq->index);
            return false;
        }
        void *host = memory_map(vq->vdev->dma, addr, &len, is_write, MEM_ATTRS_NONE);
        if (!host || !len) {
            virtio_fail(vq->vdev, "queue %u: buffer at 0x%" PRIx64 " (%u bytes) is not in memory", vq->index, d->addr, d->len);
            return false;
        }
        c->iov[c->n_out + c->n_in] = (struct iovec){ host, len };
        if (is_write) {
            c->n_in++;
            c->in_bytes += len;
        } else {
            c->n_out++;
            c->out_bytes += len;
        }
        addr += len;
        left -= len;
    }
    return true;
}

static void chain_drop(VirtQueue *vq, Chain *c)
{
    unmap(vq, c->iov, c->n_out, false, 0);
    unmap(vq, c->iov + c->n_out, c->n_in, true, 0);
}

static bool check_indirect(VirtQueue *vq, const Desc *d)
{
    if (!virtio_has(vq->vdev, VIRTIO_RING_F_INDIRECT_DESC) && !vq->vdev->legacy) {
        virtio_fail(vq->vdev, "queue %u: indirect descriptor was not negotiated", vq->index);
        return false;
    }
    if (!d->len || d->len % 16 || d->len / 16 > VIRTIO_QUEUE_MAX) {
        virtio_fail(vq->vdev, "queue %u: indirect table of %u bytes", vq->index, d->len);
        return false;
    }
    return true;
}

static bool collect_split(VirtQueue *vq, unsigned head, Chain *c)
{
    gpa table = vq->desc;
    unsigned max = vq->num, i = head, seen = 0;
    Desc d;

    if (!read_desc(vq, table, i, false, &d)) {
        return false;
    }
    if (d.flags & DESC_INDIRECT) {
        if (!check_indirect(vq, &d)) {
            return false;
        }
        table = d.addr;
        max = d.len / 16;
        if (!read_desc(vq, table, 0, false, &d)) {
            return false;
        }
    }
    for (;;) {
        if (d.flags & DESC_INDIRECT) {
            virtio_fail(vq->vdev, "queue %u: nested indirect descriptor", vq->index);
            return false;
        }
        if (++seen > max) {
            virtio_fail(vq->vdev, "queue %u: descriptors form a loop", vq->index);
            return false;
        }
        if (!chain_add(vq, c, &d)) {
            return false;
        }
        if (!(d.flags & DESC_NEXT)) {
            return true;
        }
        if (d.next >= max) {
            virtio_fail(vq->vdev, "queue %u: next descriptor %u of %u", vq->index, d.next, max);
            return false;
        }
        i = d.next;
        if (!read_desc(vq, table, i, false, &d)) {
            return false;
        }
    }
}

static bool collect_packed(VirtQueue *vq, Chain *c, unsigned *ret_id, unsigned *ret_descs)
{
    unsigned at = vq->last_avail, n = 0;
    Desc d;

    if (!read_desc(vq, vq->desc, at, true, &d)) {
        return false;
    }
    if (d.flags & DESC_INDIRECT) {
        unsigned entries = d.len / 16;
        Desc inner;
        if (!check_indirect(vq, &d)) {
            return false;
        }
        for (unsigned i = 0; i < entries; i++) {
            if (!read_desc(vq, d.addr, i, true, &inner) || !chain_add(vq, c, &inner)) {
                return false;
            }
        }
        *ret_id = d.id;
        *ret_descs = 1;
        return true;
    }
    for (;;) {
        if (++n > vq->num) {
            virtio_fail(vq->vdev, "queue %u: descriptors form a loop", vq->index);
            return false;
        }
        if (!chain_add(vq, c, &d)) {
            return false;
        }
        if (!(d.flags & DESC_NEXT)) {
            break;
        }
        at = at + 1 == vq->num ? 0 : at + 1;
        if (!read_desc(vq, vq->desc, at, true, &d)) {
            return false;
        }
        if (d.flags & DESC_INDIRECT) {
            virtio_fail(vq->vdev, "queue %u: indirect descriptor inside a chain", vq->index);
            return false;
        }
    }
    *ret_id = d.id;
    *ret_descs = n;
    return true;
}

/* -- available ------------------------------------------------------------------------------------------------ */

static bool packed_available(VirtQueue *vq)
{
    uint16_t flags = ld16(vq, vq->desc + vq->last_avail * 16 + 14);
    bool avail = flags & DESC_AVAIL, used = flags & DESC_USED;

    atomic_thread_fence(memory_order_acquire);
    return avail != used && avail == vq->avail_wrap;
}

bool virtq_empty(VirtQueue *vq)
{
    if (!virtq_ready(vq)) {
        return true;
    }
    return is_packed(vq) ? !packed_available(vq) : ld16(vq, vq->driver + 2) == vq->last_avail;
}

/* Split with EVENT_IDX: the driver kicks when it goes past this entry. */
static void set_avail_event(VirtQueue *vq)
{
    if (vq->notify) {
        st16(vq, vq->device + 4 + vq->num * 8, vq->last_avail);
    }
}

void virtq_set_notify(VirtQueue *vq, bool on)
{
    vq->notify = on;
    if (!virtq_ready(vq)) {
        return;
    }
    if (is_packed(vq)) {
        if (on && virtio_has(vq->vdev, VIRTIO_RING_F_EVENT_IDX)) {
            st16(vq, vq->device, (uint16_t)(vq->last_avail | vq->avail_wrap << 15));
            atomic_thread_fence(memory_order_release);
            st16(vq, vq->device + 2, EVENT_DESC);
        } else {
            st16(vq, vq->device + 2, on ? EVENT_ENABLE : EVENT_DISABLE);
        }
    } else if (virtio_has(vq->vdev, VIRTIO_RING_F_EVENT_IDX)) {
        set_avail_event(vq);
    } else {
        uint16_t flags = ld16(vq, vq->device);
        st16(vq, vq->device, (uint16_t)(on ? flags & ~1 : flags | 1));
    }
    if (on) {
        atomic_thread_fence(memory_order_seq_cst); /* expose before looking for buffers again */
    }
}

static VirtElem *element_new(VirtQueue *vq, const Chain *c)
{
    unsigned n = c->n_out + c->n_in;
    VirtElem *elem = xmalloc(sizeof(*elem) + 2 * n * sizeof(struct iovec));

    memcpy(elem->iov, c->iov, n * sizeof(struct iovec));
    memcpy(elem->iov + n, c->iov, n * sizeof(struct iovec));
    elem->vq = vq;
    elem->n_descs = 1;
    elem->n_out = c->n_out;
    elem->n_in = c->n_in;
    elem->mapped_out = c->n_out;
    elem->mapped_in = c->n_in;
    elem->out = elem->iov + n;
    elem->in = elem->iov + n + c->n_out;
    elem->out_bytes = c->out_bytes;
    elem->in_bytes = c->in_bytes;
    return elem;
}

VirtElem *virtq_pop(VirtQueue *vq)
{
    Chain c;
    unsigned id = 0, n_descs = 1;
    bool ok;

    if (virtq_empty(vq)) {
        return NULL;
    }
    if (vq->in_use >= vq->num) {
        virtio_fail(vq->vdev, "queue %u: more buffers in flight than the queue has", vq->index);
        return NULL;
    }
    c.n_out = c.n_in = 0;
    c.out_bytes = c.in_bytes = 0;
    if (is_packed(vq)) {
        ok = collect_packed(vq, &c, &id, &n_descs);
    } else {
        uint16_t pending = (uint16_t)(ld16(vq, vq->driver + 2) - vq->last_avail);
        if (pending > vq->num) {
            virtio_fail(vq->vdev, "queue %u: available index is %u ahead of %u entries", vq->index, pending, vq->num);
            return NULL;
        }
        atomic_thread_fence(memory_order_acquire);
        id = ld16(vq, vq->driver + 4 + vq->last_avail % vq->num * 2);
        if (id >= vq->num) {
            virtio_fail(vq->vdev, "queue %u: available descriptor %u of %u", vq->index, id, vq->num);
            return NULL;
        }
        ok = collect_split(vq, id, &c);
    }
    if (!ok) {
        chain_drop(vq, &c);
        return NULL;
    }
    VirtElem *elem = element_new(vq, &c);
    elem->index = id;
    elem->n_descs = n_descs;
    if (is_packed(vq)) {
        vq->last_avail += n_descs;
        if (vq->last_avail >= vq->num) {
            vq->last_avail -= vq->num;
            vq->avail_wrap = !vq->avail_wrap;
        }
        if (vq->notify && virtio_has(vq->vdev, VIRTIO_RING_F_EVENT_IDX)) {
            virtq_set_notify(vq, true);
        }
    } else {
        vq->last_avail++;
        if (virtio_has(vq->vdev, VIRTIO_RING_F_EVENT_IDX)) {
            set_avail_event(vq);
        }
    }
    vq->in_use++;
    return elem;
}

/* iov[] is what was mapped; `out` and `in` are a copy a device may have narrowed. */
static void element_unmap(VirtQueue *vq, VirtElem *elem, size_t written_bytes)
{
    unmap(vq, elem->iov, elem->mapped_out, false, 0);
    unmap(vq, elem->iov + elem->mapped_out, elem->mapped_in, true, written_bytes);
    vq->in_use -= vq->in_use > 0;
}

void virtq_unpop(VirtQueue *vq, VirtElem *elem)
{
    if (is_packed(vq)) {
        if (vq->last_avail < elem->n_descs) {
            vq->last_avail += vq->num;
            vq->avail_wrap = !vq->avail_wrap;
        }
        vq->last_avail -= elem->n_descs;
    } else {
        vq->last_avail--;
    }
    virtq_detach(vq, elem);
}

void virtq_detach(VirtQueue *vq, VirtElem *elem)
{
    element_unmap(vq, elem, 0);
    free(elem);
}

/* -- used ------------------------------------------------------------------------------------------------------ */

void virtq_push(VirtQueue *vq, VirtElem *elem, uint32_t written_bytes)
{
    AddressSpace *as = vq->vdev->dma;

    element_unmap(vq, elem, written_bytes);
    if (!virtq_ready(vq)) {
        free(elem);
        return;
    }
    if (is_packed(vq)) {
        uint8_t raw[8];
        gpa at = vq->desc + vq->used_idx * 16;
        uint16_t flags = (uint16_t)((vq->used_wrap ? DESC_AVAIL | DESC_USED : 0) | (written_bytes ? DESC_WRITE : 0));
        stle32(raw, written_bytes);
        stle16(raw + 4, (uint16_t)elem->index);
        memory_write(as, at + 8, raw, 6, MEM_ATTRS_NONE);
        atomic_thread_fence(memory_order_release);
        st16(vq, at + 14, flags);
        vq->used_idx += elem->n_descs;
        if (vq->used_idx >= vq->num) {
            vq->used_idx -= vq->num;
            vq->used_wrap = !vq->used_wrap;
            vq->signalled_valid = false;
        }
    } else {
        uint8_t raw[8];
        stle32(raw, elem->index);
        stle32(raw + 4, written_bytes);
        memory_write(as, vq->device + 4 + vq->used_idx % vq->num * 8, raw, sizeof(raw), MEM_ATTRS_NONE);
        vq->used_idx++;
        atomic_thread_fence(memory_order_release);
        st16(vq, vq->device + 2, vq->used_idx);
        if ((uint16_t)(vq->used_idx - vq->signalled_used) == 0) {
            vq->signalled_valid = false; /* all of 2^16 went by */
        }
    }
    free(elem);
}

/* 2.7.7.1: whether `event` is in (old, now]. */
static bool need_event(uint16_t event, uint16_t now, uint16_t old)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

static bool wants_interrupt(VirtQueue *vq)
{
    bool event_idx = virtio_has(vq->vdev, VIRTIO_RING_F_EVENT_IDX);
    uint16_t old = vq->signalled_used, now = vq->used_idx;
    bool valid = vq->signalled_valid;

    atomic_thread_fence(memory_order_seq_cst); /* used ring before the driver's wish */
    if (is_packed(vq)) {
        uint16_t flags = ld16(vq, vq->driver + 2), off_wrap;
        vq->signalled_used = now;
        vq->signalled_valid = true;
        if (flags == EVENT_DISABLE) {
            return false;
        }
        if (flags != EVENT_DESC || !event_idx) {
            return true;
        }
        off_wrap = ld16(vq, vq->driver);
        int event = off_wrap & 0x7fff;
        if ((off_wrap >> 15) != vq->used_wrap) {
            event -= vq->num;
        }
        return !valid || need_event((uint16_t)event, now, old);
    }
    if (virtio_has(vq->vdev, VIRTIO_F_NOTIFY_ON_EMPTY) && !vq->in_use && virtq_empty(vq)) {
        return true;
    }
    if (!event_idx) {
        return !(ld16(vq, vq->driver) & 1);
    }
    vq->signalled_used = now;
    vq->signalled_valid = true;
    return !valid || need_event(ld16(vq, vq->driver + 4 + vq->num * 2), now, old);
}

void virtq_notify(VirtQueue *vq)
{
    if (virtq_ready(vq) && wants_interrupt(vq)) {
        vq->vdev->isr |= 1;
        vq->vdev->transport->notify(vq->vdev->proxy, vq->vector);
    }
}

/* -- set-up --------------------------------------------------------------------------------------------------- */

void virtq_set_num(VirtQueue *vq, unsigned num)
{
    if (!num || num > VIRTIO_QUEUE_MAX || (!bits_is_pow2(num) && !is_packed(vq))) {
        log_guest_error("%s: queue %u: bad size %u\n", vq->vdev->dev.obj.type->name, vq->index, num);
        return;
    }
    vq->num = (uint16_t)num;
}

void virtq_set_rings(VirtQueue *vq, gpa desc, gpa driver, gpa device)
{
    vq->desc = desc;
    vq->driver = driver;
    vq->device = device;
}

void virtq_set_legacy(VirtQueue *vq, gpa base, unsigned align)
{
    gpa avail = base + vq->num * 16;

    if (!base) {
        virtq_reset(vq);
        return;
    }
    virtq_set_rings(vq, base, avail, ROUND_UP(avail + 4 + vq->num * 2 + 2, (uint64_t)align));
    virtq_enable(vq, true);
}

void virtq_enable(VirtQueue *vq, bool on)
{
    vq->enabled = on;
    virtio_update_notifiers(vq->vdev);
}

void virtq_reset(VirtQueue *vq)
{
    vq->desc = vq->driver = vq->device = 0;
    vq->num = vq->num_default;
    vq->vector = VIRTIO_NO_VECTOR;
    virtq_enable(vq, false);
    vq->last_avail = vq->used_idx = vq->signalled_used = 0;
    vq->avail_wrap = vq->used_wrap = true;
    vq->signalled_valid = false;
    vq->notify = true;
    vq->in_use = 0;
}

/* -- scatter/gather --------------------------------------------------------------------------------------------- */

static size_t iov_copy(const struct iovec *iov, unsigned n, size_t offset, uint8_t *buf, size_t bytes, bool to_buf)
{
    size_t done = 0;

    for (unsigned i = 0; i < n && done < bytes; i++) {
        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        size_t len = MIN(iov[i].iov_len - offset, bytes - done);
        char *guest = (char *)iov[i].iov_base + offset;
        memcpy(to_buf ? (void *)(buf + done) : guest, to_buf ? guest : (void *)(buf + done), len);
        done += len;
        offset = 0;
    }
    return done;
}

size_t iov_to_buf(const struct iovec *iov, unsigned n, size_t offset, void *buf, size_t bytes)
{
    return iov_copy(iov, n, offset, buf, bytes, true);
}

size_t iov_from_buf(const struct iovec *iov, unsigned n, size_t offset, const void *buf, size_t bytes)
{
    return iov_copy(iov, n, offset, (uint8_t *)buf, bytes, false);
}

size_t iov_discard_front(struct iovec **iov, unsigned *n, size_t bytes)
{
    size_t done = 0;

    while (*n && done < bytes) {
        size_t len = MIN((*iov)->iov_len, bytes - done);
        (*iov)->iov_base = (char *)(*iov)->iov_base + len;
        (*iov)->iov_len -= len;
        done += len;
        if (!(*iov)->iov_len) {
            (*iov)++;
            (*n)--;
        }
    }
    return done;
}

size_t iov_discard_back(struct iovec *iov, unsigned *n, size_t bytes)
{
    size_t done = 0;

    while (*n && done < bytes) {
        struct iovec *last = &iov[*n - 1];
        size_t len = MIN(last->iov_len, bytes - done);
        last->iov_len -= len;
        done += len;
        if (!last->iov_len) {
            (*n)--;
        }
    }
    return done;
}
