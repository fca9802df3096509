/*
 * server.h: what the files of the NBD server share.
 */
#ifndef BLOCK_NBD_SERVER_H
#define BLOCK_NBD_SERVER_H

#include "block/bitmap.h"
#include "block/nbd.h"
#include "block/nbd/channel.h"
#include "block/nbd/proto.h"
#include "block/nbd/tls.h"

typedef struct NbdClient NbdClient;

/* What a client may have of us at a time: a hostile one costs no more. */
enum { NBD_CLIENT_REQUESTS = 32, NBD_CLIENT_BYTES = 64 << 20, NBD_READ_CHUNK = 2 << 20 };

struct NbdExport {
    NbdExport *next;
    NbdServer *server;
    char *name, *description;
    BlockEdge *edge;
    bool writable, multi_conn, writethrough, allocation_depth, removed;
    DirtyBitmap **dirty;
    size_t n_bitmaps;
    unsigned clients, refs;      /* refs: the server's list and each client */
    void (*gone)(void *opaque);
    void *opaque;
};

struct NbdServer {
    NbdServerConfig config;
    char *authz;
    TlsCreds *tls;
    struct NbdListener *listeners;
    NbdExport *exports;
    NbdClient *clients;
    unsigned n_clients, busy;    /* busy: coroutines */
    bool stopping, watching;
    CoQueue room;                /* listeners that wait for a client to leave */
};

enum { NBD_MAX_CONTEXTS = 64 };

struct NbdClient {
    NbdClient *next;
    NbdServer *server;
    NbdExport *export;           /* NULL: in the handshake */
    Channel *ch;
    int64_t since_ns;            /* the connection */
    bool fixed, no_zeroes, structured, extended, closing;
    /* Metadata contexts that were chosen, for `context_export`; their ids are their places. */
    NbdExport *context_export;
    uint8_t contexts[NBD_MAX_CONTEXTS];     /* NBD_CONTEXT_…_ID */
    unsigned n_contexts;
    unsigned in_flight;
    size_t buffered;
    CoQueue room;                /* the reader, until requests end */
    CoMutex send;
};

static inline BlockNode *export_node(const NbdExport *e) { return e->edge->node; }
uint16_t nbd_export_flags(const NbdClient *client, const NbdExport *export);
void nbd_export_unref(NbdExport *export);

/* -- server-handshake.c -- */
/* True: client->export is set, transmission follows. */
bool nbd_co_handshake(NbdClient *client);

/* -- server-request.c -- */
void nbd_co_transmission(NbdClient *client);

/* -- server-status.c -- */
enum { NBD_CONTEXT_ALLOCATION_ID = 0, NBD_CONTEXT_DEPTH_ID = 1, NBD_CONTEXT_BITMAP_ID = 2 };
typedef struct NbdExtents {
    uint64_t *lengths;           /* caller's array of `max` */
    uint32_t *flags;
    size_t n, max;
    bool use_32bit;              /* lengths must fit */
} NbdExtents;
/* The extents of a range in a context of the export (NBD_CONTEXT_…_ID, bitmaps from NBD_CONTEXT_BITMAP_ID on). 0 or a negative errno. */
int nbd_co_extents(NbdExport *export, unsigned context, uint64_t offset, uint64_t bytes, NbdExtents *ret);

#endif
