/*
 * server-request.c: the server's side of NBD's transmission phase: simple, structured and extended replies (section "Transmission").
 *
 * A client has at most NBD_CLIENT_REQUESTS requests and NBD_CLIENT_BYTES of buffers at work; until some have ended its next ones stay in the
 * socket. A request whose length or flags are wrong gets an error; one that cannot be understood ends the connection.
 */
#include <errno.h>
#include <string.h>

#include "block/nbd/server.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { SMALL_READ = 64 * 1024, MAX_EXTENTS = 32 * 1024, STATUS_BYTES = MAX_EXTENTS * 28, CACHE_CHUNK = 1 << 20 };

typedef struct Request {
    NbdClient *client;
    uint16_t flags, type;
    uint64_t cookie, offset, bytes;
    uint8_t *data;              /* of a write; the ids of a block status */
    uint64_t data_bytes;
    size_t cost;                /* of the client's share of memory */
} Request;

/* -- replies --------------------------------------------------------------------------------------------------------- */

static int send_all(const Request *r, const void *head, size_t head_bytes, const void *data, size_t bytes)
{
    NbdClient *client = r->client;
    struct iovec v = { (void *)data, bytes };

    co_mutex_lock(&client->send);
    int err = channel_co_write(client->ch, head, head_bytes, sg_of(&v), bytes);
    co_mutex_unlock(&client->send);
    if (err) {
        channel_shutdown(client->ch); /* half a reply may have gone out */
    }
    return err;
}

/* A chunk of `payload` bytes; the first part of it may be in `extra`. */
static int send_chunk(const Request *r, bool last, unsigned type, const void *extra, size_t extra_bytes, const void *data, size_t bytes)
{
    uint8_t head[NBD_EXTENDED_REPLY_BYTES + 16];
    bool ext = r->client->extended;
    size_t n = ext ? NBD_EXTENDED_REPLY_BYTES : NBD_STRUCTURED_REPLY_BYTES;

    stbe32(head, ext ? NBD_EXTENDED_REPLY_MAGIC : NBD_STRUCTURED_REPLY_MAGIC);
    stbe16(head + 4, last ? NBD_REPLY_DONE : 0);
    stbe16(head + 6, (uint16_t)type);
    stbe64(head + 8, r->cookie);
    if (ext) {
        stbe64(head + 16, r->offset);
        stbe64(head + 24, extra_bytes + bytes);
    } else {
        stbe32(head + 16, (uint32_t)(extra_bytes + bytes));
    }
    memcpy(head + n, extra, extra_bytes);
    return send_all(r, head, n + extra_bytes, data, bytes);
}

static int send_simple(const Request *r, int err, const void *data, size_t bytes)
{
    uint8_t head[NBD_SIMPLE_REPLY_BYTES];

    stbe32(head, NBD_SIMPLE_REPLY_MAGIC);
    stbe32(head + 4, nbd_error_of(err));
    stbe64(head + 8, r->cookie);
    return send_all(r, head, sizeof(head), data, bytes);
}

static int send_result(const Request *r, int err, const char *text)
{
    if (err && r->client->structured) {
        uint8_t be[6];
        size_t n = strlen(text);
        stbe32(be, nbd_error_of(err));
        stbe16(be + 4, (uint16_t)n);
        return send_chunk(r, true, NBD_REPLY_ERROR, be, sizeof(be), text, n);
    }
    if (r->client->extended) {
        return send_chunk(r, true, NBD_REPLY_NONE, "", 0, NULL, 0);
    }
    return send_simple(r, err, NULL, 0);
}

/* -- reading --------------------------------------------------------------------------------------------------------- */

static int send_data(const Request *r, bool last, uint64_t offset, const void *data, size_t bytes)
{
    uint8_t be[12];
    bool hole = !(r->flags & NBD_DF) && (!data || buffer_is_zero(data, bytes));

    stbe64(be, offset);
    if (!hole) {
        return send_chunk(r, last, NBD_REPLY_OFFSET_DATA, be, 8, data, bytes);
    }
    stbe32(be + 8, (uint32_t)bytes);
    return send_chunk(r, last, NBD_REPLY_OFFSET_HOLE, be, 12, NULL, 0);
}

/* Piece by piece; what is known to be zeros is not read. */
static int read_pieces(const Request *r, BlockNode *node, uint8_t *buf)
{
    uint64_t offset = r->offset, left = r->bytes;

    while (left) {
        BlockStatus st;
        int err = node_co_status_above(node, NULL, offset, left, &st);
        uint64_t n = err ? 0 : MIN(st.bytes, left);
        bool zero = st.flags & STATUS_ZERO;
        if (!err && !zero) {
            n = MIN(n, (uint64_t)NBD_READ_CHUNK);
            err = node_co_pread(node, offset, buf, n);
        }
        if (err) {
            return send_result(r, err, "reading from file failed");
        }
        err = send_data(r, n == left, offset, zero ? NULL : buf, n);
        if (err) {
            return err;
        }
        offset += n;
        left -= n;
    }
    return 0;
}

static void serve_read(const Request *r, BlockNode *node)
{
    const NbdClient *client = r->client;
    bool pieces = client->structured && !(r->flags & NBD_DF) && r->bytes > SMALL_READ;

    if (!r->bytes && client->structured) {
        send_chunk(r, true, NBD_REPLY_NONE, "", 0, NULL, 0);
        return;
    }
    uint8_t *buf = node_alloc(node, pieces ? MIN(r->bytes, (uint64_t)NBD_READ_CHUNK) : r->bytes);
    if (pieces) {
        read_pieces(r, node, buf);
    } else {
        int err = node_co_pread(node, r->offset, buf, r->bytes);
        if (err) {
            send_result(r, err, "reading from file failed");
        } else if (client->structured) {
            send_data(r, true, r->offset, buf, r->bytes);
        } else {
            send_simple(r, 0, buf, r->bytes);
        }
    }
    free(buf);
}

/* -- status ---------------------------------------------------------------------------------------------------------- */

static int send_extents(const Request *r, bool last, uint32_t id, const NbdExtents *e)
{
    bool ext = r->client->extended;
    size_t each = ext ? 16 : 8;
    uint8_t be[8], *data = xmalloc(e->n * each);

    stbe32(be, id);
    stbe32(be + 4, (uint32_t)e->n);
    for (size_t i = 0; i < e->n; i++) {
        if (ext) {
            stbe64(data + i * each, e->lengths[i]);
            stbe64(data + i * each + 8, e->flags[i]);
        } else {
            stbe32(data + i * each, (uint32_t)e->lengths[i]);
            stbe32(data + i * each + 4, e->flags[i]);
        }
    }
    int err = send_chunk(r, last, ext ? NBD_REPLY_BLOCK_STATUS_EXT : NBD_REPLY_BLOCK_STATUS, be, ext ? 8 : 4, data, e->n * each);
    free(data);
    return err;
}

/* Which of the chosen contexts are asked for; false: the payload is wrong. */
static bool pick_contexts(const Request *r, bool *picked, uint64_t *bytes)
{
    const NbdClient *client = r->client;

    if (!r->data) {
        memset(picked, true, client->n_contexts);
        return true;
    }
    if (r->data_bytes < 12 || r->data_bytes % 4) {
        return false;
    }
    *bytes = ldbe64(r->data);
    for (uint64_t at = 8; at < r->data_bytes; at += 4) {
        uint32_t id = ldbe32(r->data + at);
        if (id >= client->n_contexts || picked[id]) {
            return false;
        }
        picked[id] = true;
    }
    return true;
}

static void serve_status(const Request *r)
{
    NbdClient *client = r->client;
    NbdExport *e = client->export;
    bool picked[NBD_MAX_CONTEXTS] = { false };
    uint64_t bytes = r->bytes, size = export_node(e)->size_bytes;

    if (!client->n_contexts || client->context_export != e) {
        send_result(r, -EINVAL, "CMD_BLOCK_STATUS not negotiated");
        return;
    }
    if (!pick_contexts(r, picked, &bytes) || !bytes || bytes > size - r->offset) {
        send_result(r, -EINVAL, "need non-zero length and known contexts");
        return;
    }
    NbdExtents extents = { .max = r->flags & NBD_REQ_ONE ? 1 : MAX_EXTENTS, .use_32bit = !client->extended };
    extents.lengths = xnew_array(uint64_t, extents.max);
    extents.flags = xnew_array(uint32_t, extents.max);
    unsigned last = client->n_contexts - 1;
    while (last && !picked[last]) {
        last--;
    }
    for (unsigned id = 0; id <= last; id++) {
        if (picked[id]) {
            int err = nbd_co_extents(e, client->contexts[id], r->offset, bytes, &extents);
            if (err) {
                send_result(r, err, "can't get block status");
                break;
            }
            if (send_extents(r, id == last, id, &extents)) {
                break;
            }
        }
    }
    free(extents.lengths);
    free(extents.flags);
}

/* -- the others ------------------------------------------------------------------------------------------------------ */

/* Into the host's caches: read and forgotten. */
static int serve_cache(const Request *r, BlockNode *node)
{
    uint64_t offset = r->offset, left = r->bytes;
    uint8_t *buf = node_alloc(node, MIN(left, (uint64_t)CACHE_CHUNK));
    int err = 0;

    while (left && !err) {
        uint64_t n = MIN(left, (uint64_t)CACHE_CHUNK);
        err = node_co_pread(node, offset, buf, n);
        offset += n;
        left -= n;
    }
    free(buf);
    return err;
}

/* Whether what it writes must be stable before the reply. */
static bool needs_fua(const Request *r)
{
    return r->flags & NBD_FUA || r->client->export->writethrough;
}

static int serve_trim(const Request *r, BlockNode *node)
{
    int err = node_co_discard(node, r->offset, r->bytes);
    return !err && needs_fua(r) ? node_co_flush(node) : err;
}

static int serve_write(const Request *r, BlockNode *node)
{
    return node_co_pwrite(node, r->offset, r->data, r->bytes, needs_fua(r) ? REQ_FUA : 0);
}

static int serve_zeroes(const Request *r, BlockNode *node)
{
    unsigned flags = (needs_fua(r) ? REQ_FUA : 0) | (r->flags & NBD_NO_HOLE ? 0 : REQ_UNMAP) | (r->flags & NBD_FAST_ZERO ? REQ_NO_FALLBACK : 0);
    return node_co_zero(node, r->offset, r->bytes, flags);
}

/* Before anything is done; the text says why not. */
static int check(const Request *r, const char **text)
{
    const NbdExport *e = r->client->export;
    uint64_t size = export_node(e)->size_bytes;
    unsigned allowed = NBD_FUA;
    bool writes = r->type == NBD_CMD_WRITE || r->type == NBD_CMD_WRITE_ZEROES;

    switch (r->type) {
    case NBD_CMD_READ: allowed |= r->client->structured ? NBD_DF : 0; break;
    case NBD_CMD_WRITE_ZEROES: allowed |= NBD_NO_HOLE | NBD_FAST_ZERO; break;
    case NBD_CMD_BLOCK_STATUS: allowed |= NBD_REQ_ONE; break;
    case NBD_CMD_WRITE: case NBD_CMD_FLUSH: case NBD_CMD_TRIM: case NBD_CMD_CACHE: break;
    default:
        *text = "invalid request type";
        return -EINVAL;
    }
    if (r->client->extended && (r->type == NBD_CMD_WRITE || r->type == NBD_CMD_BLOCK_STATUS)) {
        allowed |= NBD_PAYLOAD_LEN;
    }
    if ((writes || r->type == NBD_CMD_TRIM) && !e->writable) {
        *text = "Export is read-only";
        return -EPERM;
    }
    if (r->flags & ~allowed || (r->type == NBD_CMD_WRITE && r->client->extended && !(r->flags & NBD_PAYLOAD_LEN))) {
        *text = "unsupported flags for the command";
        return -EINVAL;
    }
    if ((r->type == NBD_CMD_READ || r->type == NBD_CMD_WRITE) && r->bytes > NBD_MAX_PAYLOAD) {
        *text = "length is larger than the maximum block size";
        return r->type == NBD_CMD_READ && r->client->structured ? -EOVERFLOW : -EINVAL;
    }
    if (r->type != NBD_CMD_FLUSH && !(r->type == NBD_CMD_BLOCK_STATUS && r->data) && (r->offset > size || r->bytes > size - r->offset)) {
        *text = "operation past EOF";
        return writes ? -ENOSPC : -EINVAL;
    }
    if (r->offset > size) {
        *text = "operation past EOF";
        return -EINVAL;
    }
    return 0;
}

static void serve(const Request *r, BlockNode *node)
{
    const char *text = "";
    int err = check(r, &text);

    if (!err && r->type == NBD_CMD_READ) {
        serve_read(r, node);
        return;
    }
    if (!err && r->type == NBD_CMD_BLOCK_STATUS) {
        serve_status(r);
        return;
    }
    if (!err) {
        switch (r->type) {
        case NBD_CMD_WRITE: err = serve_write(r, node); text = "writing to file failed"; break;
        case NBD_CMD_WRITE_ZEROES: err = serve_zeroes(r, node); text = "writing to file failed"; break;
        case NBD_CMD_FLUSH: err = node_co_flush(node); text = "flush failed"; break;
        case NBD_CMD_TRIM: err = serve_trim(r, node); text = "discard failed"; break;
        case NBD_CMD_CACHE: err = serve_cache(r, node); text = "caching data failed"; break;
        default: break;
        }
    }
    send_result(r, err, text);
}

static void request_entry(void *opaque)
{
    Request *r = opaque;
    NbdClient *client = r->client;
    BlockNode *node = edge_co_node(client->export->edge);

    serve(r, node);
    node_unref(node);
    client->in_flight--;
    client->buffered -= r->cost;
    free(r->data);
    free(r);
    co_queue_wake_all(&client->room);
}

/* -- the reader ------------------------------------------------------------------------------------------------------ */

static bool read_header(NbdClient *client, Request *r)
{
    uint8_t head[NBD_EXTENDED_REQUEST_BYTES];
    size_t n = client->extended ? NBD_EXTENDED_REQUEST_BYTES : NBD_REQUEST_BYTES;

    if (channel_co_read(client->ch, head, n) || ldbe32(head) != (client->extended ? NBD_EXTENDED_REQUEST_MAGIC : NBD_REQUEST_MAGIC)) {
        return false;
    }
    *r = (Request){
        .client = client, .flags = ldbe16(head + 4), .type = ldbe16(head + 6), .cookie = ldbe64(head + 8), .offset = ldbe64(head + 16),
        .bytes = client->extended ? ldbe64(head + 24) : ldbe32(head + 24),
    };
    return true;
}

/* What follows the header, and what the request costs. False: the connection ends. */
static bool read_payload(NbdClient *client, Request *r)
{
    bool payload = client->extended ? r->flags & NBD_PAYLOAD_LEN : r->type == NBD_CMD_WRITE;
    uint64_t n = payload ? r->bytes : 0;

    if (n > NBD_MAX_PAYLOAD) {
        return false;
    }
    switch (r->type) {
    case NBD_CMD_READ: r->cost = MIN(r->bytes, client->structured && !(r->flags & NBD_DF) ? (uint64_t)NBD_READ_CHUNK : NBD_MAX_PAYLOAD); break;
    case NBD_CMD_BLOCK_STATUS: r->cost = STATUS_BYTES; break;
    case NBD_CMD_CACHE: r->cost = CACHE_CHUNK; break;
    default: break;
    }
    r->cost += n;
    while (client->in_flight && client->buffered + r->cost > NBD_CLIENT_BYTES) {
        co_queue_wait(&client->room);
    }
    client->buffered += r->cost;
    if (n && r->type != NBD_CMD_WRITE && r->type != NBD_CMD_BLOCK_STATUS) {
        return !channel_co_skip(client->ch, n); /* the flag is wrong here, and will be answered so */
    }
    if (n) {
        r->data = node_alloc(export_node(client->export), n);
        r->data_bytes = n;
        return !channel_co_read(client->ch, r->data, n);
    }
    return true;
}

void nbd_co_transmission(NbdClient *client)
{
    Request request;

    while (!client->closing) {
        while (client->in_flight >= NBD_CLIENT_REQUESTS) {
            co_queue_wait(&client->room);
        }
        if (!read_header(client, &request)) {
            channel_shutdown(client->ch);
            break;
        }
        if (request.type == NBD_CMD_DISC) {
            break;
        }
        if (!read_payload(client, &request)) {
            client->buffered -= request.cost;
            free(request.data);
            channel_shutdown(client->ch);
            break;
        }
        client->in_flight++;
        ioctx_start(ioctx_current(), request_entry, xmemdup(&request, sizeof(request)));
    }
    while (client->in_flight) {
        co_queue_wait(&client->room);
    }
}
