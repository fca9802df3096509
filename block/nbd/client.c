/*
 * client.c: the "nbd" driver: a node whose data an NBD server has (doc/proto.md of the NBD project: fixed newstyle, newstyle and oldstyle
 * handshakes; simple, structured and extended replies; block status; TLS).
 *
 * Leaves out: resizing.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "block/nbd/client.h"
#include "block/nbd/tls.h"
#include "block/nbd/uri.h"
#include "block/node-internal.h"
#include "block/object.h"
#include "softmmu/options.h"
#include "util/alloc.h"

static const BlockOption nbd_options[] = {
    { "host", OPTION_STRING, "TCP host to connect to", NULL },
    { "port", OPTION_STRING, "TCP port to connect to", NBD_DEFAULT_PORT },
    { "path", OPTION_STRING, "Unix socket path to connect to", NULL },
    { "server", OPTION_STRING, "address of the server", NULL },
    { "export", OPTION_STRING, "Name of the NBD export to open", NULL },
    { "tls-creds", OPTION_STRING, "ID of the TLS credentials to use", NULL },
    { "tls-hostname", OPTION_STRING, "Override hostname for validating TLS x509 certificate", NULL },
    { "x-dirty-bitmap", OPTION_STRING, "expose named dirty bitmap in place of block status", NULL },
    { "reconnect-delay", OPTION_NUMBER, "On an unexpected disconnect, the nbd client tries to connect again for so many seconds", "0" },
    { "open-timeout", OPTION_NUMBER, "In seconds. If zero, the nbd driver tries the connection only once", "0" },
    { NULL },
};

/* -- connecting ------------------------------------------------------------------------------------------------------ */

static bool check_info(NbdClientState *s, const NbdInfo *info, Error **errp)
{
    if (info->size_bytes > INT64_MAX) {
        error_set(errp, "NBD server's export is too large");
    } else if (info->size_bytes & (info->min_block - 1)) {
        error_set(errp, "export length 0x%" PRIx64 " is not multiple of minimum block size 0x%" PRIx32, info->size_bytes, info->min_block);
    } else if (s->node->is_open && info->size_bytes != s->info.size_bytes) {
        error_set(errp, "the export's size has changed from %" PRIu64 " to %" PRIu64, s->info.size_bytes, info->size_bytes);
    } else if (s->node->is_open && info->flags & NBD_READ_ONLY && !s->node->readonly) {
        error_set(errp, "the export has become read-only");
    } else {
        return true;
    }
    return false;
}

/* Which context tells the state of blocks. */
static bool choose_context(NbdClientState *s, Error **errp)
{
    const char *wanted = s->context ? s->context : "base:allocation";

    s->has_context = false;
    for (size_t i = 0; i < s->info.n_contexts; i++) {
        if (!strcmp(s->info.contexts[i].name, wanted)) {
            s->has_context = true;
            s->context_id = s->info.contexts[i].id;
        }
    }
    s->context_is_depth = !strcmp(wanted, "qemu:allocation-depth");
    if (s->context && !s->has_context) {
        error_set(errp, "requested x-dirty-bitmap %s not found", s->context);
        return false;
    }
    return true;
}

bool nbd_co_connect(NbdClientState *s, Error **errp)
{
    int fd = address_co_connect(s->address, errp);
    NbdInfo info = { 0 };
    bool oldstyle, ok;

    if (fd < 0) {
        return false;
    }
    channel_free(s->ch);
    s->ch = channel_new(fd);
    NbdHandshake h = { .ch = s->ch, .tls = s->tls, .headers = NBD_HEADERS_EXTENDED };
    h.hostname = s->hostname ? s->hostname : s->address->kind == ADDRESS_INET ? s->address->host : NULL;
    info.name = xstrdup(s->export_name ? s->export_name : "");
    ok = nbd_co_greet(&h, &info, &oldstyle, errp);
    if (ok && oldstyle) {
        info.min_block = 1;
        info.max_block = NBD_MAX_PAYLOAD;
    } else {
        ok = ok && nbd_co_go(&h, &info, s->context ? s->context : "base:allocation", errp);
    }
    if (!ok || !check_info(s, &info, errp)) {
        nbd_info_free(&info);
        channel_shutdown(s->ch);
        return false;
    }
    nbd_info_free(&s->info);
    s->info = info;
    if (!choose_context(s, errp)) {
        channel_shutdown(s->ch);
        return false;
    }
    s->state = NBD_UP;
    s->reading = 1;
    ioctx_start(s->node->context, nbd_receive_replies, s);
    return true;
}

typedef struct OpenRun {
    NbdClientState *s;
    Error **errp;
    bool ok;
} OpenRun;

static void open_entry(void *opaque)
{
    OpenRun *run = opaque;
    struct timespec start, now;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        Error *err = NULL;
        run->ok = nbd_co_connect(run->s, &err);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (run->ok || (uint64_t)(now.tv_sec - start.tv_sec) >= run->s->open_timeout_s) {
            if (!run->ok) {
                error_propagate(run->errp, err);
            }
            return;
        }
        error_free(err);
        co_sleep_ns(250000000);
    }
}

/* -- opening --------------------------------------------------------------------------------------------------------- */

static Address *take_address(Json *options, Error **errp)
{
    const char *host = NULL, *port = NULL, *path = NULL;
    const Json *server = json_get(options, "server");

    if (!opts_string(options, "host", NULL, &host, errp) || !opts_string(options, "port", NULL, &port, errp) ||
        !opts_string(options, "path", NULL, &path, errp)) {
        return NULL;
    }
    if (server) {
        if (host || port || path) {
            error_set(errp, "'server' and path/host/port cannot be used at the same time");
            return NULL;
        }
        return address_parse(server, errp);
    }
    if (path && host) {
        error_set(errp, "path and host may not be used at the same time");
        return NULL;
    }
    if (path) {
        if (port) {
            error_set(errp, "port may not be used without host");
            return NULL;
        }
        return address_unix(path);
    }
    if (!host) {
        error_set(errp, port ? "port may not be used without host" : "NBD server address missing");
        return NULL;
    }
    return address_inet(host, port ? port : NBD_DEFAULT_PORT);
}

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static bool take_options(NbdClientState *s, Json *options, Error **errp)
{
    const char *name = NULL, *context = NULL, *tls = NULL, *hostname = NULL;

    s->address = take_address(options, errp);
    if (!s->address || !opts_string(options, "export", NULL, &name, errp) || !opts_string(options, "x-dirty-bitmap", NULL, &context, errp) ||
        !opts_string(options, "tls-creds", NULL, &tls, errp) || !opts_string(options, "tls-hostname", NULL, &hostname, errp) ||
        !opts_uint(options, "reconnect-delay", 0, &s->reconnect_delay_s, errp) || !opts_uint(options, "open-timeout", 0, &s->open_timeout_s, errp)) {
        return false;
    }
    if (name && strlen(name) > NBD_MAX_STRING) {
        error_set(errp, "export name too long to send to server");
        return false;
    }
    if (context && strlen(context) > NBD_MAX_STRING) {
        error_set(errp, "x-dirty-bitmap query too long to send to server");
        return false;
    }
    if (s->reconnect_delay_s > UINT32_MAX || s->open_timeout_s > UINT32_MAX) {
        error_set(errp, "reconnect-delay and open-timeout are at most %" PRIu32, UINT32_MAX);
        return false;
    }
    s->export_name = copy_or_null(name);
    s->context = copy_or_null(context);
    s->hostname = copy_or_null(hostname);
    if (tls) {
        TlsCreds *creds = block_tls_creds(tls, false, errp);
        if (!creds) {
            return false;
        }
        s->tls = tls_creds_ref(creds);
    } else if (hostname) {
        error_set(errp, "tls-hostname is not valid without tls-creds");
        return false;
    }
    for (size_t i = 0; nbd_options[i].name; i++) {
        json_drop(options, nbd_options[i].name);
    }
    return true;
}

static void put_limits(BlockNode *node, const NbdInfo *info)
{
    uint32_t min = info->min_block;

    node->size_bytes = info->size_bytes;
    node->request_align = min;
    node->zero_align = min;
    node->max_transfer = ROUND_DOWN(MIN(info->max_block, (uint32_t)NBD_MAX_PAYLOAD), min);
    node->max_zero = info->extended ? 0 : ROUND_DOWN(UINT32_MAX, MAX(min, 64u * 1024));
}

static bool connect_node(BlockNode *node, Json *options, Error **errp)
{
    NbdClientState *s = node->state;
    OpenRun run = { .s = s, .errp = errp };

    if (!take_options(s, options, errp)) {
        return false;
    }
    ioctx_run(node->context, open_entry, &run);
    if (!run.ok) {
        return false;
    }
    if (s->info.flags & NBD_READ_ONLY && !node->readonly) {
        if (!(node->flags & BLOCK_AUTO_RDONLY)) {
            error_set(errp, "request on denied for write access");
            return false;
        }
        node->readonly = true;
    }
    put_limits(node, &s->info);
    char *uri = nbd_make_uri(s->address, s->export_name);
    if (uri) {
        free(node->filename);
        node->filename = uri;
    }
    return true;
}

static void close_entry(void *opaque)
{
    NbdClientState *s = opaque;

    if (s->state == NBD_UP) {
        uint8_t head[NBD_EXTENDED_REQUEST_BYTES] = { 0 };
        struct iovec none = { 0 };
        s->state = NBD_QUIT;
        head[0] = (uint8_t)((s->info.extended ? NBD_EXTENDED_REQUEST_MAGIC : NBD_REQUEST_MAGIC) >> 24);
        for (unsigned i = 1; i < 4; i++) {
            head[i] = (uint8_t)((s->info.extended ? NBD_EXTENDED_REQUEST_MAGIC : NBD_REQUEST_MAGIC) >> (24 - 8 * i));
        }
        head[7] = NBD_CMD_DISC;
        channel_co_write(s->ch, head, s->info.extended ? NBD_EXTENDED_REQUEST_BYTES : NBD_REQUEST_BYTES, sg_of(&none), 0);
    }
    s->state = NBD_QUIT;
    if (s->ch) {
        channel_shutdown(s->ch);
    }
    while (s->reading) {
        co_queue_wait(&s->drained);
    }
}

static void nbd_close(BlockNode *node)
{
    NbdClientState *s = node->state;

    ioctx_run(node->context, close_entry, s);
    channel_free(s->ch);
    nbd_info_free(&s->info);
    tls_creds_unref(s->tls);
    address_free(s->address);
    free(s->export_name);
    free(s->context);
    free(s->hostname);
}

static bool nbd_open(BlockNode *node, Json *options, Error **errp)
{
    NbdClientState *s = node->state;

    s->node = node;
    s->state = NBD_DOWN;
    co_mutex_init(&s->send);
    co_mutex_init(&s->connecting);
    co_queue_init(&s->slots);
    co_queue_init(&s->drained);
    bool ok = connect_node(node, options, errp);
    if (!ok) {
        nbd_close(node); /* there may be a connection, and a coroutine that reads from it */
    }
    return ok;
}

/* -- requests -------------------------------------------------------------------------------------------------------- */

static uint16_t fua_flag(const NbdClientState *s, unsigned flags)
{
    return flags & REQ_FUA && s->info.flags & NBD_SEND_FUA ? NBD_FUA : 0;
}

static int nbd_flush(BlockNode *node)
{
    NbdClientState *s = node->state;
    return s->info.flags & NBD_SEND_FLUSH ? nbd_co_request(s, (NbdRequest){ .type = NBD_CMD_FLUSH }, 0) : 0;
}

/* Where the server has no FUA, a flush does it. */
static int end_write(BlockNode *node, int err, unsigned flags)
{
    NbdClientState *s = node->state;
    return !err && flags & REQ_FUA && !(s->info.flags & NBD_SEND_FUA) ? nbd_flush(node) : err;
}

static int nbd_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    NbdClientState *s = node->state;
    uint64_t there = offset < s->info.size_bytes ? MIN(bytes, s->info.size_bytes - offset) : 0;

    if (there < bytes) {
        sg_zero(sg_after(sg, there), bytes - there);
    }
    return there ? nbd_co_request(s, (NbdRequest){ .type = NBD_CMD_READ, .offset = offset, .bytes = there, .sg = sg }, 0) : 0;
}

static int nbd_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    NbdClientState *s = node->state;
    NbdRequest r = { .type = NBD_CMD_WRITE, .offset = offset, .bytes = bytes, .sg = sg };

    if (offset > s->info.size_bytes || bytes > s->info.size_bytes - offset) {
        return -ENOSPC;
    }
    return end_write(node, nbd_co_request(s, r, fua_flag(s, flags)), flags);
}

static int nbd_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    NbdClientState *s = node->state;
    NbdRequest r = { .type = NBD_CMD_WRITE_ZEROES, .offset = offset, .bytes = bytes };

    if (!(s->info.flags & NBD_SEND_WRITE_ZEROES) || (flags & REQ_NO_FALLBACK && !(s->info.flags & NBD_SEND_FAST_ZERO))) {
        return -ENOTSUP;
    }
    if (offset > s->info.size_bytes || bytes > s->info.size_bytes - offset) {
        return -ENOSPC;
    }
    uint16_t wire = fua_flag(s, flags) | (flags & REQ_UNMAP ? 0 : NBD_NO_HOLE) | (flags & REQ_NO_FALLBACK ? NBD_FAST_ZERO : 0);
    return end_write(node, nbd_co_request(s, r, wire), flags);
}

static int nbd_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    NbdClientState *s = node->state;

    if (!(s->info.flags & NBD_SEND_TRIM) || offset >= s->info.size_bytes) {
        return 0;
    }
    NbdRequest r = { .type = NBD_CMD_TRIM, .offset = offset, .bytes = MIN(bytes, s->info.size_bytes - offset) };
    return nbd_co_request(s, r, 0);
}

static int nbd_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    NbdClientState *s = node->state;
    BlockStatus st = { .flags = STATUS_DATA, .bytes = bytes };

    if (s->has_context && offset < s->info.size_bytes) {
        uint64_t most = s->info.extended ? bytes : ROUND_DOWN(UINT32_MAX, MAX(s->info.min_block, 64u * 1024));
        NbdRequest r = { .type = NBD_CMD_BLOCK_STATUS, .offset = offset, .bytes = MIN(MIN(bytes, most), s->info.size_bytes - offset), .status = &st };
        int err = nbd_co_request(s, r, 0);
        if (err) {
            return err;
        }
        st.bytes = MIN(st.bytes, bytes);
        /* A server need not keep to its own block size here; what is asked next must. */
        if (st.bytes & (s->info.min_block - 1) && offset + st.bytes < s->info.size_bytes) {
            st.bytes = ROUND_DOWN(st.bytes, (uint64_t)s->info.min_block);
            if (!st.bytes) {
                st.bytes = s->info.min_block;
                st.flags = STATUS_DATA;
            }
        }
    }
    *ret = (BlockStatus){ .flags = st.flags | STATUS_MAPPED, .bytes = st.bytes, .map_offset = offset, .map_node = node };
    return 0;
}

static int nbd_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp)
{
    if (exact && bytes != node->size_bytes) {
        error_set(errp, "Cannot resize NBD nodes");
        return -ENOTSUP;
    }
    if (bytes > node->size_bytes) {
        error_set(errp, "Cannot grow NBD nodes");
        return -EINVAL;
    }
    return 0;
}

const BlockDriver block_nbd = {
    .name = "nbd", .protocol = "nbd nbd+tcp nbd+unix", .summary = "an export of an NBD server", .kind = DRIVER_PROTOCOL,
    .state_bytes = sizeof(NbdClientState), .options = nbd_options, .handles_fua = true,
    .parse_filename = nbd_parse_filename, .open = nbd_open, .close = nbd_close,
    .co_read = nbd_read, .co_write = nbd_write, .co_zero = nbd_zero, .co_discard = nbd_discard, .co_flush = nbd_flush,
    .co_truncate = nbd_truncate, .co_status = nbd_status,
};
