/*
 * server.c: an NBD server: listening, clients' lives, exports (section "Handshake" and following of doc/proto.md of the NBD project).
 *
 * Each listening socket has a coroutine that accepts, each client one that reads its requests, each request one of its own. A client
 * that has not come to its end of the handshake after handshake_limit_s is ended by a watcher, which runs as long as there are such
 * clients.
 */
#include "block/nbd/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "block/object.h"
#include "util/alloc.h"

typedef struct NbdListener {
    struct NbdListener *next;
    NbdServer *server;
    int fd;
} NbdListener;

/* -- clients --------------------------------------------------------------------------------------------------------- */

static void client_entry(void *opaque)
{
    NbdClient *client = opaque;
    NbdServer *server = client->server;

    bool served = nbd_co_handshake(client);
    if (served) {
        nbd_co_transmission(client);
    }
    NbdClient **at = &server->clients;
    while (*at != client) {
        at = &(*at)->next;
    }
    *at = client->next;
    server->n_clients--;
    server->busy--;
    if (client->export) {
        client->export->clients--;
        nbd_export_unref(client->export);
    }
    channel_free(client->ch);
    free(client);
    co_queue_wake_one(&server->room);
    if (server->config.client_gone && !server->stopping) {
        server->config.client_gone(server->config.opaque, served);
    }
}

/* Ends clients that take too long to shake hands. */
static void watch_entry(void *opaque)
{
    NbdServer *server = opaque;
    bool any = true;

    while (any && !server->stopping) {
        int64_t now = io_now_ns(), limit = (int64_t)server->config.handshake_limit_s * 1000000000;
        any = false;
        for (NbdClient *c = server->clients; c; c = c->next) {
            if (!c->export && now - c->since_ns >= limit) {
                channel_shutdown(c->ch);
            }
            any |= !c->export;
        }
        if (any) {
            co_sleep_ns(250000000);
        }
    }
    server->watching = false;
    server->busy--;
}

void nbd_server_serve(NbdServer *server, int fd)
{
    NbdClient *client = xnew(NbdClient);
    int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* fails on other sockets, which need it not */
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    *client = (NbdClient){ .server = server, .next = server->clients, .ch = channel_new(fd), .since_ns = io_now_ns() };
    co_queue_init(&client->room);
    co_mutex_init(&client->send);
    server->clients = client;
    server->n_clients++;
    server->busy++;
    if (server->config.handshake_limit_s && !server->watching) {
        server->watching = true;
        server->busy++;
        ioctx_start(ioctx_main(), watch_entry, server);
    }
    ioctx_start(ioctx_main(), client_entry, client);
}

static void listen_entry(void *opaque)
{
    NbdListener *l = opaque;
    NbdServer *server = l->server;

    while (!server->stopping && l->fd >= 0) {
        if (server->config.max_clients && server->n_clients >= server->config.max_clients) {
            co_queue_wait(&server->room);
            continue;
        }
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            nbd_server_serve(server, fd);
        } else if (errno == EAGAIN) {
            co_wait_fd(l->fd, POLLIN);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            co_sleep_ns(100000000);
        } else if (errno != ECONNABORTED && errno != EINTR) {
            break;
        }
    }
    NbdListener **at = &server->listeners;
    while (*at != l) {
        at = &(*at)->next;
    }
    *at = l->next;
    close(l->fd);
    free(l);
    server->busy--;
}

/* -- the server ------------------------------------------------------------------------------------------------------ */

NbdServer *nbd_server_new(const NbdServerConfig *config)
{
    NbdServer *server = xnew(NbdServer);

    server->config = *config;
    server->authz = config->authz ? xstrdup(config->authz) : NULL;
    server->tls = config->tls ? tls_creds_ref((TlsCreds *)config->tls) : NULL;
    co_queue_init(&server->room);
    return server;
}

void nbd_server_listen(NbdServer *server, const int *fds, size_t n_fds)
{
    for (size_t i = 0; i < n_fds; i++) {
        NbdListener *l = xnew(NbdListener);
        *l = (NbdListener){ .next = server->listeners, .server = server, .fd = fds[i] };
        server->listeners = l;
        server->busy++;
        ioctx_start(ioctx_main(), listen_entry, l);
    }
}

void nbd_server_stop_listening(NbdServer *server)
{
    server->stopping = true;
    for (NbdListener *l = server->listeners; l; l = l->next) {
        shutdown(l->fd, SHUT_RDWR); /* who waits for it wakes */
    }
    co_queue_wake_all(&server->room);
}

void nbd_server_free(NbdServer *server)
{
    nbd_server_stop_listening(server);
    while (server->exports) {
        nbd_export_remove(server->exports);
    }
    for (NbdClient *c = server->clients; c; c = c->next) {
        c->closing = true;
        channel_shutdown(c->ch);
    }
    ioctx_wait_zero(ioctx_main(), &server->busy);
    tls_creds_unref(server->tls);
    free(server->authz);
    free(server);
}

unsigned nbd_server_clients(const NbdServer *server) { return server->n_clients; }

/* -- exports --------------------------------------------------------------------------------------------------------- */

NbdExport *nbd_export_find(const NbdServer *server, const char *name)
{
    for (NbdExport *e = server->exports; e; e = e->next) {
        if (!strcmp(e->name, name)) {
            return e;
        }
    }
    return NULL;
}

static void export_free(NbdExport *e)
{
    for (size_t i = 0; i < e->n_bitmaps; i++) {
        e->dirty[i]->busy = false;
    }
    free(e->dirty);
    if (e->edge) {
        edge_detach(e->edge);
    }
    free(e->name);
    free(e->description);
    free(e);
}

void nbd_export_unref(NbdExport *e)
{
    if (--e->refs) {
        return;
    }
    void (*gone)(void *opaque) = e->gone;
    void *opaque = e->opaque;
    export_free(e);
    if (gone) {
        gone(opaque);
    }
}

/* Of the node or one beneath it. They are busy as long as they are exported, so nobody removes or merges them. */
static bool take_bitmaps(NbdExport *e, const NbdExportConfig *config, Error **errp)
{
    for (const char *const *name = config->bitmaps; name && *name; name++) {
        DirtyBitmap *b = NULL;
        for (BlockNode *n = config->node; n && !b; n = node_filtered(n) ? node_filtered(n) : node_backing(n)) {
            b = bitmap_find(n, *name);
        }
        if (!b) {
            error_set(errp, "Bitmap '%s' is not found", *name);
            return false;
        }
        if (!bitmap_usable(b, 0, errp)) {
            return false;
        }
        if (config->node->readonly && b->enabled) {
            error_set(errp, "Enabled bitmap '%s' incompatible with readonly export", *name);
            return false;
        }
        if (e->n_bitmaps + NBD_CONTEXT_BITMAP_ID >= NBD_MAX_CONTEXTS) {
            error_set(errp, "Too many bitmaps");
            return false;
        }
        e->dirty = xrealloc(e->dirty, (e->n_bitmaps + 1) * sizeof(*e->dirty));
        e->dirty[e->n_bitmaps++] = b;
        b->busy = true;
    }
    return true;
}

NbdExport *nbd_export_new(NbdServer *server, const NbdExportConfig *config, Error **errp)
{
    if (strlen(config->name) > NBD_MAX_STRING) {
        error_set(errp, "export name '%s' too long", config->name);
        return NULL;
    }
    if (config->description && strlen(config->description) > NBD_MAX_STRING) {
        error_set(errp, "description '%s' too long", config->description);
        return NULL;
    }
    if (nbd_export_find(server, config->name)) {
        error_set(errp, "NBD server already has export named '%s'", config->name);
        return NULL;
    }
    NbdExport *e = xnew(NbdExport);
    *e = (NbdExport){
        .server = server, .name = xstrdup(config->name), .description = config->description ? xstrdup(config->description) : NULL,
        .writable = config->writable, .multi_conn = config->multi_conn, .writethrough = config->writethrough,
        .allocation_depth = config->allocation_depth, .refs = 1,
        .gone = config->gone, .opaque = config->opaque,
    };
    unsigned perm = PERM_READ | (config->writable ? PERM_WRITE : 0);
    e->edge = node_attach(config->node, "nbd export", perm, PERM_ALL, errp);
    if (!e->edge || !take_bitmaps(e, config, errp)) {
        e->gone = NULL;
        export_free(e);
        return NULL;
    }
    NbdExport **at = &server->exports;
    while (*at) {
        at = &(*at)->next;
    }
    *at = e;
    return e;
}

unsigned nbd_export_clients(const NbdExport *export) { return export->clients; }
void *nbd_export_owner(const NbdExport *export) { return export->opaque; }

void nbd_export_remove(NbdExport *e)
{
    for (NbdExport **at = &e->server->exports; *at; at = &(*at)->next) {
        if (*at == e) {
            *at = e->next;
            break;
        }
    }
    e->removed = true;
    for (NbdClient *c = e->server->clients; c; c = c->next) {
        if (c->export == e) {
            c->closing = true;
            channel_shutdown(c->ch);
        }
        if (c->context_export == e) {
            c->context_export = NULL;
            c->n_contexts = 0;
        }
    }
    nbd_export_unref(e);
}

uint16_t nbd_export_flags(const NbdClient *client, const NbdExport *e)
{
    unsigned flags = NBD_HAS_FLAGS | NBD_SEND_FLUSH | NBD_SEND_FUA | NBD_SEND_CACHE;

    if (e->writable) {
        flags |= NBD_SEND_TRIM | NBD_SEND_WRITE_ZEROES | NBD_SEND_FAST_ZERO;
    } else {
        flags |= NBD_READ_ONLY;
    }
    if (!e->writable || e->multi_conn) {
        flags |= NBD_CAN_MULTI_CONN; /* a flush of ours is a flush of all that any client wrote */
    }
    if (client->structured) {
        flags |= NBD_SEND_DF;
    }
    if (client->extended) {
        flags |= NBD_BLOCK_STATUS_PAYLOAD;
    }
    return (uint16_t)flags;
}
