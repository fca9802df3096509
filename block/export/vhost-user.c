/*
 * vhost-user.c: vhost-user for devices (docs/interop of the vhost-user protocol: messages, memory, rings; virtio 1.2, 2.7 split virtqueues).
 *
 * Leaves out: packed rings, logging for migration, in-flight descriptors, IOMMU messages.
 *
 * Nothing the peer says is believed: regions must lie in their files, rings in regions, descriptors in regions; a chain is bounded. A peer
 * that breaks the rules is disconnected, a ring that does is stopped. (It can still shrink a file it gave us, and an access then is
 * a SIGBUS: who connects must be trusted that far.)
 */
#include "block/export/vhost-user.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/ioctx.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { MAX_REGIONS = 8, MAX_FDS = 8, MAX_PAYLOAD = 4096, VERSION_1 = 1, FLAG_REPLY = 4, FLAG_NEED_REPLY = 8 };

typedef enum VuRequest {
    VU_GET_FEATURES = 1, VU_SET_FEATURES, VU_SET_OWNER, VU_RESET_OWNER, VU_SET_MEM_TABLE, VU_SET_LOG_BASE, VU_SET_LOG_FD, VU_SET_VRING_NUM, VU_SET_VRING_ADDR,
    VU_SET_VRING_BASE, VU_GET_VRING_BASE, VU_SET_VRING_KICK, VU_SET_VRING_CALL, VU_SET_VRING_ERR, VU_GET_PROTOCOL_FEATURES, VU_SET_PROTOCOL_FEATURES,
    VU_GET_QUEUE_NUM, VU_SET_VRING_ENABLE, VU_GET_CONFIG = 24, VU_SET_CONFIG, VU_RESET_DEVICE = 34, VU_SET_STATUS = 39, VU_GET_STATUS,
} VuRequest;

#define VIRTIO_RING_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTIO_RING_EVENT_IDX (UINT64_C(1) << 29)
#define VU_F_PROTOCOL_FEATURES (UINT64_C(1) << 30)
#define VIRTIO_VERSION_1 (UINT64_C(1) << 32)
#define VU_PROTOCOL_MQ (UINT64_C(1) << 0)
#define VU_PROTOCOL_REPLY_ACK (UINT64_C(1) << 3)
#define VU_PROTOCOL_CONFIG (UINT64_C(1) << 9)
#define OUR_PROTOCOL_FEATURES (VU_PROTOCOL_MQ | VU_PROTOCOL_REPLY_ACK | VU_PROTOCOL_CONFIG)

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, AVAIL_NO_INTERRUPT = 1 };

typedef struct Region {
    uint64_t gpa, bytes, user;
    uint8_t *map;              /* of the region's first byte */
    void *base;                /* of the mapping */
    size_t mapped;
} Region;

struct VuQueue {
    VuServer *server;
    unsigned index, size;
    uint64_t desc_at, avail_at, used_at;      /* in the front end's addresses; 0: none */
    uint8_t *desc, *avail, *used;             /* mapped, while it runs */
    uint16_t last_avail, used_index, told;    /* told: used_index when the guest was last told, or need not be */
    int kick, call, poke, epoll;              /* epoll has kick and poke, so that one wait is for both */
    bool enabled, running, stopping, broken;
    unsigned in_flight;
    CoQueue drained;
};

struct VuServer {
    VuDevice device;
    int listener, client;                     /* -1: none */
    char *path;                               /* of the socket, to be removed; NULL */
    bool ending;
    uint64_t features, protocol_features;
    Region regions[MAX_REGIONS];
    unsigned n_regions;
    VuQueue queues[VU_MAX_QUEUES];
    void (*gone)(void *opaque);
    void *gone_opaque;
};

typedef struct Message {
    uint32_t request, flags, bytes;
    uint8_t payload[MAX_PAYLOAD];
    int fds[MAX_FDS];
    unsigned n_fds;
} Message;

/* -- memory ---------------------------------------------------------------------------------------------------------- */

/* `bytes` at a guest's address, if they are in one region; *there: how many of them are. */
static uint8_t *guest_memory(const VuServer *s, uint64_t gpa, uint64_t bytes, uint64_t *there)
{
    for (unsigned i = 0; i < s->n_regions; i++) {
        const Region *r = &s->regions[i];
        if (gpa >= r->gpa && gpa - r->gpa < r->bytes) {
            *there = MIN(bytes, r->bytes - (gpa - r->gpa));
            return r->map + (gpa - r->gpa);
        }
    }
    return NULL;
}

static uint8_t *user_memory(const VuServer *s, uint64_t user, uint64_t bytes, unsigned align)
{
    for (unsigned i = 0; i < s->n_regions; i++) {
        const Region *r = &s->regions[i];
        if (user >= r->user && user - r->user < r->bytes && bytes <= r->bytes - (user - r->user)) {
            uint8_t *p = r->map + (user - r->user);
            return (uintptr_t)p % align ? NULL : p;
        }
    }
    return NULL;
}

static void unmap_all(VuServer *s)
{
    for (unsigned i = 0; i < s->n_regions; i++) {
        munmap(s->regions[i].base, s->regions[i].mapped);
    }
    s->n_regions = 0;
}

static bool map_region(VuServer *s, const uint8_t *p, int fd)
{
    Region r = { .gpa = ldle64(p), .bytes = ldle64(p + 8), .user = ldle64(p + 16) };
    uint64_t offset = ldle64(p + 24);
    struct stat st;

    if (!r.bytes || r.gpa + r.bytes < r.gpa || r.user + r.bytes < r.user || offset + r.bytes < offset || offset + r.bytes > SIZE_MAX / 2 || fstat(fd, &st) ||
        (S_ISREG(st.st_mode) && (uint64_t)st.st_size < offset + r.bytes)) {
        return false;
    }
    /* The whole file: huge pages want offsets of their own size. */
    r.mapped = offset + r.bytes;
    r.base = mmap(NULL, r.mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (r.base == MAP_FAILED) {
        return false;
    }
    r.map = (uint8_t *)r.base + offset;
    s->regions[s->n_regions++] = r;
    return true;
}

/* -- rings ----------------------------------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

static uint16_t load_index(const uint8_t *p)
{
    return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

static bool has_event_index(const VuQueue *q)
{
    return q->server->features & VIRTIO_RING_EVENT_IDX;
}

/* Virtio 1.2, 2.7.7.2: "used_event" says with which used buffer the guest wants to be told, else a flag whether at all. */
static bool wants_interrupt(VuQueue *q)
{
    if (!has_event_index(q)) {
        return !(ldle16(q->avail) & AVAIL_NO_INTERRUPT);
    }
    uint16_t event = load_index(q->avail + 4 + 2 * q->size), before = q->told;
    q->told = q->used_index;
    return (uint16_t)(q->used_index - event - 1) < (uint16_t)(q->used_index - before);
}

static void signal_guest(VuQueue *q)
{
    uint64_t one = 1;

    if (wants_interrupt(q) && q->call >= 0 && write(q->call, &one, sizeof(one)) < 0) {
        return; /* full: it knows already */
    }
}

/* "avail_event": with the next available buffer we want to be told. */
static void ask_for_kick(VuQueue *q)
{
    if (has_event_index(q)) {
        __atomic_store_n((uint16_t *)(void *)(q->used + 4 + 8 * (size_t)q->size), q->last_avail, __ATOMIC_SEQ_CST);
    }
}

void vu_push(VuElement *e, uint32_t written)
{
    VuQueue *q = e->queue;
    uint8_t *slot = q->used + 4 + 8 * (q->used_index % q->size);

    stle32(slot, e->head);
    stle32(slot + 4, written);
    q->used_index++;
    __atomic_store_n((uint16_t *)(void *)(q->used + 2), q->used_index, __ATOMIC_SEQ_CST);
    signal_guest(q);
    free(e);
    if (!--q->in_flight) {
        co_queue_wake_all(&q->drained);
    }
}

typedef struct Chain {
    VuQueue *queue;
    struct iovec iov[VU_MAX_PIECES];
    unsigned n_out, n_in;
} Chain;

/* A descriptor's bytes, in as many pieces as they have regions. */
static bool add_piece(Chain *c, uint64_t gpa, uint64_t bytes, bool in)
{
    if (c->n_in && !in) {
        return false; /* "the driver MUST place any device-writable descriptor elements after any device-readable ones" */
    }
    while (bytes) {
        uint64_t there;
        uint8_t *p = guest_memory(c->queue->server, gpa, bytes, &there);
        if (!p || c->n_out + c->n_in == VU_MAX_PIECES) {
            return false;
        }
        c->iov[c->n_out + c->n_in] = (struct iovec){ p, there };
        *(in ? &c->n_in : &c->n_out) += 1;
        gpa += there;
        bytes -= there;
    }
    return true;
}

static bool walk_chain(Chain *c, const uint8_t *table, unsigned entries, unsigned i, bool indirect)
{
    for (unsigned steps = 0; steps < entries; steps++) {
        uint8_t d[16];
        if (i >= entries) {
            return false;
        }
        memcpy(d, table + 16 * (size_t)i, sizeof(d)); /* read once: the guest may change it */
        uint64_t gpa = ldle64(d), there;
        uint32_t bytes = ldle32(d + 8);
        unsigned flags = ldle16(d + 12);
        if (flags & DESC_INDIRECT) {
            if (indirect || flags & DESC_NEXT || !bytes || bytes % 16 || bytes / 16 > VU_MAX_RING) {
                return false;
            }
            const uint8_t *inner = guest_memory(c->queue->server, gpa, bytes, &there);
            return inner && there == bytes && walk_chain(c, inner, bytes / 16, 0, true);
        }
        if (!add_piece(c, gpa, bytes, flags & DESC_WRITE)) {
            return false;
        }
        if (!(flags & DESC_NEXT)) {
            return true;
        }
        i = ldle16(d + 14);
    }
    return false; /* a loop */
}

static void element_entry(void *opaque)
{
    VuElement *e = opaque;
    const VuDevice *d = &e->queue->server->device;

    d->co_handle(d->opaque, e);
}

/* Starts what the guest has made available. */
static void take_available(VuQueue *q)
{
    Chain c;

    /* "If VHOST_USER_F_PROTOCOL_FEATURES has been negotiated, the ring starts disabled." */
    if (q->server->features & VU_F_PROTOCOL_FEATURES && !q->enabled) {
        return;
    }
    while (!q->broken && !q->stopping) {
        if (load_index(q->avail + 2) == q->last_avail) {
            ask_for_kick(q);
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            if (load_index(q->avail + 2) == q->last_avail) {
                return;
            }
        }
        uint16_t head = ldle16(q->avail + 4 + 2 * (q->last_avail % q->size));
        c = (Chain){ .queue = q };
        if ((uint16_t)(load_index(q->avail + 2) - q->last_avail) > q->size || head >= q->size || q->in_flight >= q->size ||
            !walk_chain(&c, q->desc, q->size, head, false)) {
            q->broken = true;
            error_report("vhost-user: ring %u of the guest is damaged, and stopped", q->index);
            break;
        }
        q->last_avail++;
        q->in_flight++;
        VuElement *e = xmalloc(sizeof(*e) + (c.n_out + c.n_in) * sizeof(e->iov[0]));
        *e = (VuElement){ .queue = q, .head = head, .n_out = c.n_out, .n_in = c.n_in };
        memcpy(e->iov, c.iov, (c.n_out + c.n_in) * sizeof(e->iov[0]));
        ioctx_start(ioctx_main(), element_entry, e);
    }
}

static void queue_entry(void *opaque)
{
    VuQueue *q = opaque;
    uint64_t count;

    while (!q->stopping) {
        take_available(q);
        co_wait_fd(q->epoll, POLLIN);
        bool poked = read(q->poke, &count, sizeof(count)) == sizeof(count);
        if (read(q->kick, &count, sizeof(count)) != sizeof(count) && errno != EAGAIN && !poked) {
            break; /* the peer's descriptor is of no use: until it sends another one */
        }
    }
    while (q->in_flight) {
        co_queue_wait(&q->drained);
    }
    q->running = false;
    co_queue_wake_all(&q->drained);
}

static bool watch(int epoll, int fd)
{
    struct epoll_event ev = { .events = EPOLLIN };
    return !epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
}

/* Has its coroutine look around. */
static void poke(VuQueue *q)
{
    uint64_t one = 1;

    if (q->running && write(q->poke, &one, sizeof(one)) < 0) {
        return; /* it has been poked many times already */
    }
}

/* Waits until it has no requests and its coroutine has ended. */
static void stop_queue(VuQueue *q)
{
    q->stopping = true;
    poke(q);
    while (q->running) {
        co_queue_wait(&q->drained);
    }
    close_fd(&q->epoll);
    close_fd(&q->poke);
    q->stopping = false;
    q->broken = false;
}

/* Once there are addresses, a size and a kick. False: what the peer gave does not fit. */
static bool start_queue(VuQueue *q)
{
    VuServer *s = q->server;

    if (q->running || q->kick < 0 || !q->size || !q->desc_at || !s->n_regions) {
        return true;
    }
    q->desc = user_memory(s, q->desc_at, 16 * (uint64_t)q->size, 16);
    q->avail = user_memory(s, q->avail_at, 6 + 2 * (uint64_t)q->size, 2);
    q->used = user_memory(s, q->used_at, 6 + 8 * (uint64_t)q->size, 4);
    q->epoll = epoll_create1(EPOLL_CLOEXEC);
    q->poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!q->desc || !q->avail || !q->used || q->epoll < 0 || q->poke < 0 || !watch(q->epoll, q->kick) || !watch(q->epoll, q->poke)) {
        close_fd(&q->epoll);
        close_fd(&q->poke);
        return false;
    }
    q->used_index = q->told = load_index(q->used + 2);
    q->running = true;
    ioctx_start(ioctx_main(), queue_entry, q);
    return true;
}

static void stop_all(VuServer *s)
{
    for (unsigned i = 0; i < s->device.n_queues; i++) {
        stop_queue(&s->queues[i]);
    }
}

static void reset_queue(VuQueue *q)
{
    close_fd(&q->kick);
    close_fd(&q->call);
    q->size = 0;
    q->desc_at = q->avail_at = q->used_at = 0;
    q->last_avail = 0;
    q->enabled = false;
}

/* -- messages -------------------------------------------------------------------------------------------------------- */

static bool receive(VuServer *s, void *buf, size_t bytes, Message *m)
{
    size_t got = 0;

    while (got < bytes) {
        union {
            struct cmsghdr head;
            char space[CMSG_SPACE(MAX_FDS * sizeof(int))];
        } control;
        struct iovec v = { (char *)buf + got, bytes - got };
        struct msghdr msg = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        ssize_t n = s->ending ? 0 : recvmsg(s->client, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            co_wait_fd(s->client, POLLIN);
            continue;
        }
        if (n <= 0) {
            return false;
        }
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
            if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
                size_t n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < n_fds; i++) {
                    int fd;
                    memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                    if (m->n_fds < MAX_FDS) {
                        m->fds[m->n_fds++] = fd;
                    } else {
                        close(fd);
                    }
                }
            }
        }
        got += (size_t)n;
    }
    return true;
}

static bool read_message(VuServer *s, Message *m)
{
    uint8_t head[12];

    m->n_fds = 0;
    if (!receive(s, head, sizeof(head), m)) {
        return false;
    }
    m->request = ldle32(head);
    m->flags = ldle32(head + 4);
    m->bytes = ldle32(head + 8);
    return (m->flags & 3) == VERSION_1 && m->bytes <= MAX_PAYLOAD && receive(s, m->payload, m->bytes, m);
}

static bool reply(VuServer *s, const Message *m, const void *data, uint32_t bytes)
{
    uint8_t buf[12 + 16 + VU_MAX_CONFIG];
    size_t done = 0, total = 12 + bytes;

    stle32(buf, m->request);
    stle32(buf + 4, VERSION_1 | FLAG_REPLY);
    stle32(buf + 8, bytes);
    memcpy(buf + 12, data, bytes);
    while (done < total) {
        ssize_t n = send(s->client, buf + done, total - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            co_wait_fd(s->client, POLLOUT);
            continue;
        }
        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

static bool reply_u64(VuServer *s, const Message *m, uint64_t value)
{
    uint8_t le[8];

    stle64(le, value);
    return reply(s, m, le, sizeof(le));
}

static int take_fd(Message *m)
{
    return m->n_fds ? m->fds[--m->n_fds] : -1;
}

static VuQueue *named_queue(VuServer *s, uint32_t index)
{
    return index < s->device.n_queues ? &s->queues[index] : NULL;
}

static bool set_mem_table(VuServer *s, Message *m)
{
    uint32_t n = m->bytes >= 8 ? ldle32(m->payload) : 0;

    if (!n || n > MAX_REGIONS || m->bytes < 8 + 32 * n || m->n_fds != n) {
        return false;
    }
    bool was_running[VU_MAX_QUEUES];
    for (unsigned i = 0; i < s->device.n_queues; i++) {
        was_running[i] = s->queues[i].running;
    }
    stop_all(s);
    unmap_all(s);
    for (uint32_t i = 0; i < n; i++) {
        if (!map_region(s, m->payload + 8 + 32 * i, m->fds[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < s->device.n_queues; i++) {
        if (was_running[i] && !start_queue(&s->queues[i])) {
            return false;
        }
    }
    return true;
}

/* SET_VRING_KICK, _CALL, _ERR. */
static bool set_vring_fd(VuServer *s, Message *m)
{
    uint64_t word = m->bytes >= 8 ? ldle64(m->payload) : 0;
    VuQueue *q = m->bytes >= 8 ? named_queue(s, (uint32_t)(word & 0xff)) : NULL;
    int fd = word & 0x100 ? -1 : take_fd(m);

    if (!q || (!(word & 0x100) && fd < 0)) {
        close_fd(&fd);
        return false;
    }
    if (fd >= 0) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    if (m->request == VU_SET_VRING_CALL) {
        close_fd(&q->call);
        q->call = fd;
        return true;
    }
    if (m->request == VU_SET_VRING_ERR) {
        close_fd(&fd); /* nothing is told that way */
        return true;
    }
    stop_queue(q);
    close_fd(&q->kick);
    q->kick = fd;
    return start_queue(q); /* without a kick polling would be asked for: such a ring stays stopped */
}

static bool get_vring_base(VuServer *s, const Message *m)
{
    VuQueue *q = m->bytes >= 8 ? named_queue(s, ldle32(m->payload)) : NULL;
    uint8_t le[8];

    if (!q) {
        return false;
    }
    stop_queue(q);
    stle32(le, q->index);
    stle32(le + 4, q->last_avail);
    bool ok = reply(s, m, le, sizeof(le));
    close_fd(&q->kick);
    close_fd(&q->call);
    return ok;
}

static bool set_vring(VuServer *s, const Message *m)
{
    VuQueue *q = m->bytes >= 8 ? named_queue(s, ldle32(m->payload)) : NULL;
    uint32_t n = q ? ldle32(m->payload + 4) : 0;

    if (!q) {
        return false;
    }
    switch (m->request) {
    case VU_SET_VRING_NUM:
        if (q->running || !bits_is_pow2(n) || n > VU_MAX_RING) {
            return false;
        }
        q->size = n;
        return true;
    case VU_SET_VRING_BASE:
        if (q->running) {
            return false;
        }
        q->last_avail = (uint16_t)n;
        return true;
    case VU_SET_VRING_ENABLE:
        q->enabled = n == 1;
        poke(q);
        return n <= 1;
    default:
        if (m->bytes < 40) {
            return false;
        }
        stop_queue(q);
        q->desc_at = ldle64(m->payload + 8);
        q->used_at = ldle64(m->payload + 16);
        q->avail_at = ldle64(m->payload + 24);
        return start_queue(q);
    }
}

static bool get_config(VuServer *s, const Message *m)
{
    uint8_t out[12 + VU_MAX_CONFIG], config[VU_MAX_CONFIG] = { 0 };
    size_t have = 0;
    uint32_t offset = m->bytes >= 12 ? ldle32(m->payload) : 0, n = m->bytes >= 12 ? ldle32(m->payload + 4) : UINT32_MAX;

    s->device.config(s->device.opaque, config, &have);
    if (n > VU_MAX_CONFIG || offset > VU_MAX_CONFIG - n) {
        return reply(s, m, NULL, 0); /* "an empty payload": an error */
    }
    memcpy(out, m->payload, 12);
    memcpy(out + 12, config + offset, n);
    return reply(s, m, out, 12 + n);
}

static bool set_config(VuServer *s, const Message *m)
{
    uint32_t offset = m->bytes >= 12 ? ldle32(m->payload) : 0, n = m->bytes >= 12 ? ldle32(m->payload + 4) : UINT32_MAX;
    return n <= m->bytes - 12 && s->device.set_config && s->device.set_config(s->device.opaque, offset, m->payload + 12, n);
}

static uint64_t all_features(const VuServer *s)
{
    return s->device.features | VIRTIO_VERSION_1 | VIRTIO_RING_INDIRECT_DESC | VIRTIO_RING_EVENT_IDX | VU_F_PROTOCOL_FEATURES;
}

/* False: the connection ends. *answered: a reply has been sent. */
static bool handle(VuServer *s, Message *m, bool *answered)
{
    uint64_t u64 = m->bytes >= 8 ? ldle64(m->payload) : 0;

    *answered = true;
    switch (m->request) {
    case VU_GET_FEATURES: return reply_u64(s, m, all_features(s));
    case VU_GET_PROTOCOL_FEATURES: return reply_u64(s, m, OUR_PROTOCOL_FEATURES);
    case VU_GET_QUEUE_NUM: return reply_u64(s, m, s->device.n_queues);
    case VU_GET_VRING_BASE: return get_vring_base(s, m);
    case VU_GET_CONFIG: return get_config(s, m);
    default: break;
    }
    *answered = false;
    switch (m->request) {
    case VU_SET_FEATURES:
        if (u64 & ~all_features(s)) {
            return false;
        }
        s->features = u64;
        if (s->device.set_features) {
            s->device.set_features(s->device.opaque, u64);
        }
        return true;
    case VU_SET_PROTOCOL_FEATURES:
        s->protocol_features = u64;
        return !(u64 & ~OUR_PROTOCOL_FEATURES);
    case VU_SET_OWNER: return true;
    case VU_RESET_OWNER: case VU_RESET_DEVICE:
        stop_all(s);
        for (unsigned i = 0; i < s->device.n_queues; i++) {
            reset_queue(&s->queues[i]);
        }
        return true;
    case VU_SET_MEM_TABLE: return set_mem_table(s, m);
    case VU_SET_VRING_NUM: case VU_SET_VRING_ADDR: case VU_SET_VRING_BASE: case VU_SET_VRING_ENABLE: return set_vring(s, m);
    case VU_SET_VRING_KICK: case VU_SET_VRING_CALL: case VU_SET_VRING_ERR: return set_vring_fd(s, m);
    case VU_SET_CONFIG: return set_config(s, m);
    default: return false;
    }
}

static void serve_client(VuServer *s)
{
    Message *m = xmalloc(sizeof(*m));
    bool ok = true, answered;

    while (ok && read_message(s, m)) {
        ok = handle(s, m, &answered);
        bool wants = s->protocol_features & VU_PROTOCOL_REPLY_ACK && m->flags & FLAG_NEED_REPLY && !answered;
        if (!ok && !wants) {
            error_report("vhost-user: message %" PRIu32 " of the front end is wrong or unknown", m->request);
        }
        if (wants) {
            ok = reply_u64(s, m, ok ? 0 : 1); /* with an answer it may go on */
        }
        while (m->n_fds) {
            close(m->fds[--m->n_fds]);
        }
    }
    while (m->n_fds) {
        close(m->fds[--m->n_fds]);
    }
    free(m);
    stop_all(s);
    for (unsigned i = 0; i < s->device.n_queues; i++) {
        reset_queue(&s->queues[i]);
    }
    unmap_all(s);
    s->features = s->protocol_features = 0;
    close_fd(&s->client);
}

/* -- life ------------------------------------------------------------------------------------------------------------ */

static void server_entry(void *opaque)
{
    VuServer *s = opaque;

    while (!s->ending) {
        s->client = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (s->client >= 0) {
            serve_client(s);
        } else if (errno == EAGAIN) {
            co_wait_fd(s->listener, POLLIN);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
            co_sleep_ns(100000000);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            break;
        }
    }
    while (!s->ending) {
        co_sleep_ns(100000000); /* the socket is of no use any more; whoever made the export ends it */
    }
    close(s->listener);
    if (s->path) {
        unlink(s->path);
    }
    free(s->path);
    void (*gone)(void *) = s->gone;
    void *gone_opaque = s->gone_opaque;
    free(s);
    gone(gone_opaque);
}

VuServer *vu_server_new(const Address *address, const VuDevice *device, Error **errp)
{
    int *fds;
    size_t n;

    if (address->kind != ADDRESS_UNIX && address->kind != ADDRESS_FD) {
        error_set(errp, "vhost-user-blk needs a unix socket or a file descriptor");
        return NULL;
    }
    if (!address_listen(address, 1, &fds, &n, errp)) {
        return NULL;
    }
    VuServer *s = xnew(VuServer);
    s->device = *device;
    s->client = -1;
    s->listener = fds[0];
    s->path = address_socket_path(address);
    for (unsigned i = 0; i < VU_MAX_QUEUES; i++) {
        s->queues[i] = (VuQueue){ .server = s, .index = i, .kick = -1, .call = -1, .poke = -1, .epoll = -1 };
        co_queue_init(&s->queues[i].drained);
    }
    free(fds);
    ioctx_start(ioctx_main(), server_entry, s);
    return s;
}

bool vu_server_has_client(const VuServer *s) { return s->client >= 0; }

void vu_server_end(VuServer *s, void (*gone)(void *opaque), void *opaque)
{
    s->gone = gone;
    s->gone_opaque = opaque;
    s->ending = true;
    shutdown(s->listener, SHUT_RDWR);
    if (s->client >= 0) {
        shutdown(s->client, SHUT_RDWR);
    }
}
