/*
 * client-request.c: requests of the NBD client and the replies of its server (section "Transmission").
 *
 * A request takes one of NBD_REQUESTS slots, is sent, and sleeps; one coroutine receives the replies and wakes whose it is. A cookie is
 * used once in a connection's life, so that a reply to something else is told. A server that breaks the protocol loses the
 * connection: nothing after that could be understood. When a connection ends, requests under way are lost; within reconnect-delay
 * seconds they are sent again over a new one.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "block/nbd/client.h"
#include "util/alloc.h"
#include "util/bits.h"

#define MAX_CONTEXT_EXTENTS (1u << 20)
enum { RETRY_NS = 1000000000 };

/* -- replies --------------------------------------------------------------------------------------------------------- */

static NbdRequest *find_request(NbdClientState *s, uint64_t cookie)
{
    NbdRequest *r = &s->requests[cookie % NBD_REQUESTS];
    return r->co && r->cookie == cookie && !r->done ? r : NULL;
}

static void finish(NbdRequest *r)
{
    r->done = true;
    if (r->waiting) { /* else it is still being sent, and will look */
        r->waiting = false;
        co_wake(r->co);
    }
}

typedef struct Chunk {
    unsigned type;
    uint64_t offset, bytes;    /* offset: of extended headers */
} Chunk;

static int broken(NbdClientState *s, const char *what)
{
    if (s->state == NBD_UP) {
        error_report("nbd: the server's replies break the protocol: %s", what);
    }
    return -EINVAL;
}

static int read_data_chunk(NbdClientState *s, NbdRequest *r, uint64_t bytes)
{
    uint8_t be[8];
    int err = bytes <= 8 || r->type != NBD_CMD_READ ? broken(s, "data chunk") : channel_co_read(s->ch, be, sizeof(be));
    uint64_t offset = err ? 0 : ldbe64(be), n = bytes - 8;

    if (!err && (offset < r->offset || n > r->bytes || offset - r->offset > r->bytes - n)) {
        err = broken(s, "data outside of what was asked for");
    }
    if (!err) {
        r->received += n;
        err = channel_co_read_sg(s->ch, sg_after(r->sg, offset - r->offset), n);
    }
    return err;
}

static int read_hole_chunk(NbdClientState *s, NbdRequest *r, uint64_t bytes)
{
    uint8_t be[12];
    int err = bytes != 12 || r->type != NBD_CMD_READ ? broken(s, "hole chunk") : channel_co_read(s->ch, be, sizeof(be));
    uint64_t offset = err ? 0 : ldbe64(be), n = err ? 0 : ldbe32(be + 8);

    if (!err && (!n || offset < r->offset || n > r->bytes || offset - r->offset > r->bytes - n)) {
        err = broken(s, "a hole outside of what was asked for");
    }
    if (!err) {
        r->received += n;
        sg_zero(sg_after(r->sg, offset - r->offset), n);
    }
    return err;
}

/* The first extents of a context; those with the same state are one. */
static int read_status_chunk(NbdClientState *s, NbdRequest *r, uint64_t bytes, bool extended)
{
    uint8_t be[16];
    unsigned head = extended ? 8 : 4, each = extended ? 16 : 8;

    if (r->type != NBD_CMD_BLOCK_STATUS || bytes < head + each || (bytes - head) % each || (bytes - head) / each > MAX_CONTEXT_EXTENTS) {
        return broken(s, "block status chunk");
    }
    int err = channel_co_read(s->ch, be, head);
    uint32_t context = err ? 0 : ldbe32(be);
    uint64_t n = (bytes - head) / each, length, flags;
    bool wanted = s->has_context && context == s->context_id;
    if (!err && extended && ldbe32(be + 4) != n) {
        return broken(s, "number of extents");
    }
    BlockStatus st = { 0 };
    bool same = true;
    for (uint64_t i = 0; i < n && !err; i++) {
        err = channel_co_read(s->ch, be, each);
        length = extended ? ldbe64(be) : ldbe32(be);
        flags = extended ? ldbe64(be + 8) : ldbe32(be + 4);
        if (!err && !length) {
            return broken(s, "an extent of no bytes");
        }
        /* x-dirty-bitmap= shows other contexts in these bits: of a bitmap, what is dirty is no data; of depths, more than 2 are 2. */
        flags = s->context_is_depth ? MIN(flags, 2u) : flags;
        unsigned state = (flags & NBD_STATE_HOLE ? 0 : STATUS_DATA) | (flags & NBD_STATE_ZERO ? STATUS_ZERO : 0);
        same = same && (!i || state == st.flags);
        if (same) {
            st.flags = state;
            st.bytes = st.bytes + length < st.bytes ? UINT64_MAX : st.bytes + length;
        }
    }
    if (!err && wanted && !r->received) {
        r->received = 1;
        *r->status = st;
    }
    return err;
}

static int read_error_chunk(NbdClientState *s, NbdRequest *r, const Chunk *c)
{
    uint8_t be[6];
    int err = c->bytes < sizeof(be) || c->bytes > NBD_MAX_STRING + 64 ? broken(s, "error chunk") : channel_co_read(s->ch, be, sizeof(be));

    if (!err && (!ldbe32(be) || ldbe16(be + 4) > c->bytes - sizeof(be))) {
        err = broken(s, "error chunk");
    }
    if (!err) {
        r->result = r->result ? r->result : nbd_error_to_errno(ldbe32(be));
        err = channel_co_skip(s->ch, c->bytes - sizeof(be));
    }
    return err;
}

static int read_chunk(NbdClientState *s, NbdRequest *r, const Chunk *c)
{
    switch (c->type) {
    case NBD_REPLY_NONE: return c->bytes ? broken(s, "chunk without data has some") : 0;
    case NBD_REPLY_OFFSET_DATA: return read_data_chunk(s, r, c->bytes);
    case NBD_REPLY_OFFSET_HOLE: return read_hole_chunk(s, r, c->bytes);
    case NBD_REPLY_BLOCK_STATUS: return read_status_chunk(s, r, c->bytes, false);
    case NBD_REPLY_BLOCK_STATUS_EXT: return s->info.extended ? read_status_chunk(s, r, c->bytes, true) : broken(s, "extended status");
    default:
        if (c->type & 0x8000) {
            return read_error_chunk(s, r, c);
        }
        return broken(s, "unknown chunk type");
    }
}

static int receive_one(NbdClientState *s)
{
    uint8_t head[NBD_EXTENDED_REPLY_BYTES];
    int err = channel_co_read(s->ch, head, 4);

    if (err) {
        return err;
    }
    uint32_t magic = ldbe32(head);
    bool simple = magic == NBD_SIMPLE_REPLY_MAGIC && !s->info.extended, structured = magic == NBD_STRUCTURED_REPLY_MAGIC && s->info.structured && !s->info.extended;
    bool extended = magic == NBD_EXTENDED_REPLY_MAGIC && s->info.extended;
    if (!simple && !structured && !extended) {
        return broken(s, "magic number");
    }
    err = channel_co_read(s->ch, head + 4, (simple ? NBD_SIMPLE_REPLY_BYTES : structured ? NBD_STRUCTURED_REPLY_BYTES : NBD_EXTENDED_REPLY_BYTES) - 4);
    if (err) {
        return err == CHANNEL_END ? -ECONNRESET : err;
    }
    NbdRequest *r = find_request(s, ldbe64(head + 8));
    if (!r) {
        return broken(s, "a reply nobody waits for");
    }
    if (simple) {
        r->result = nbd_error_to_errno(ldbe32(head + 4));
        if (r->type == NBD_CMD_READ && s->info.structured) {
            return broken(s, "simple reply to a read");
        }
        if (r->type == NBD_CMD_READ && !r->result) {
            r->received = r->bytes;
            err = channel_co_read_sg(s->ch, r->sg, r->bytes);
        }
        if (!err) {
            finish(r);
        }
        return err;
    }
    Chunk c = { .type = ldbe16(head + 6), .bytes = structured ? ldbe32(head + 16) : ldbe64(head + 24) };
    err = c.bytes > NBD_MAX_PAYLOAD + 64u + 16u * MAX_CONTEXT_EXTENTS ? broken(s, "chunk too large") : read_chunk(s, r, &c);
    if (!err && ldbe16(head + 4) & NBD_REPLY_DONE) {
        if (!r->result && ((r->type == NBD_CMD_READ && r->received != r->bytes) || (r->type == NBD_CMD_BLOCK_STATUS && !r->received))) {
            return broken(s, "a reply that lacks data");
        }
        finish(r);
    }
    return err;
}

void nbd_receive_replies(void *opaque)
{
    NbdClientState *s = opaque;

    while (s->state == NBD_UP && !receive_one(s)) {
    }
    if (s->state == NBD_UP) {
        s->state = NBD_DOWN;
        s->lost_ns = io_now_ns();
        s->tried_ns = 0;
    }
    channel_shutdown(s->ch);
    for (unsigned i = 0; i < NBD_REQUESTS; i++) {
        NbdRequest *r = &s->requests[i];
        if (r->co && !r->done) {
            r->lost = true;
            finish(r);
        }
    }
    s->reading = 0;
    co_queue_wake_all(&s->drained);
}

/* -- requests -------------------------------------------------------------------------------------------------------- */

int nbd_co_ensure_connected(NbdClientState *s)
{
    int err = 0;

    if (s->state == NBD_UP) {
        return 0;
    }
    co_mutex_lock(&s->connecting);
    while (s->state == NBD_DOWN) {
        /* Those of the old connection leave first. */
        while (s->reading || s->in_flight) {
            co_queue_wait(&s->drained);
        }
        int64_t now = io_now_ns();
        bool patient = now - s->lost_ns < (int64_t)s->reconnect_delay_s * 1000000000;
        if (!patient && s->tried_ns && now - s->tried_ns < RETRY_NS) {
            err = -EIO;
            break;
        }
        s->tried_ns = now;
        if (nbd_co_connect(s, NULL)) {
            break;
        }
        s->tried_ns = io_now_ns();
        if (!patient || s->state == NBD_QUIT) {
            err = -EIO;
            break;
        }
        co_sleep_ns(RETRY_NS / 4);
    }
    co_mutex_unlock(&s->connecting);
    return s->state == NBD_UP ? 0 : err ? err : -EIO;
}

static int send_request(NbdClientState *s, const NbdRequest *r, uint16_t flags)
{
    uint8_t head[NBD_EXTENDED_REQUEST_BYTES];
    bool ext = s->info.extended, payload = r->type == NBD_CMD_WRITE;

    stbe32(head, ext ? NBD_EXTENDED_REQUEST_MAGIC : NBD_REQUEST_MAGIC);
    stbe16(head + 4, (uint16_t)(flags | (ext && payload ? NBD_PAYLOAD_LEN : 0)));
    stbe16(head + 6, r->type);
    stbe64(head + 8, r->cookie);
    stbe64(head + 16, r->offset);
    if (ext) {
        stbe64(head + 24, r->bytes);
    } else {
        stbe32(head + 24, (uint32_t)r->bytes);
    }
    co_mutex_lock(&s->send);
    int err = s->state != NBD_UP ? -EIO
                                 : channel_co_write(s->ch, head, ext ? NBD_EXTENDED_REQUEST_BYTES : NBD_REQUEST_BYTES, r->sg, payload ? r->bytes : 0);
    co_mutex_unlock(&s->send);
    return err;
}

/* Over the connection there is. *lost: it ended. */
static int try_request(NbdClientState *s, const NbdRequest *request, uint16_t flags, bool *lost)
{
    unsigned i;

    for (;;) {
        for (i = 0; i < NBD_REQUESTS && s->requests[i].co; i++) {
        }
        if (i < NBD_REQUESTS) {
            break;
        }
        co_queue_wait(&s->slots);
    }
    if (s->state != NBD_UP) {
        co_queue_wake_one(&s->slots);
        *lost = true;
        return -EIO;
    }
    NbdRequest *r = &s->requests[i];
    *r = *request;
    r->co = co_self();
    r->cookie = s->next_cookie++ * NBD_REQUESTS + i;
    s->in_flight++;
    if (send_request(s, r, flags)) {
        channel_shutdown(s->ch); /* the reader sees it, and gives up all that wait */
    }
    while (!r->done) {
        r->waiting = true;
        co_yield();
    }
    int result = r->lost ? -EIO : r->result;
    *lost = r->lost;
    r->co = NULL;
    if (!--s->in_flight) {
        co_queue_wake_all(&s->drained);
    }
    co_queue_wake_one(&s->slots);
    return result;
}

int nbd_co_request(NbdClientState *s, NbdRequest request, uint16_t flags)
{
    for (;;) {
        bool lost = false;
        int err = nbd_co_ensure_connected(s);
        if (err) {
            return err;
        }
        err = try_request(s, &request, flags, &lost);
        if (!lost || !s->reconnect_delay_s || s->state == NBD_QUIT) {
            return err;
        }
    }
}
