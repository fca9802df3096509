/*
 * client.h: what the files of the NBD client share.
 */
#ifndef BLOCK_NBD_CLIENT_H
#define BLOCK_NBD_CLIENT_H

#include "block/address.h"
#include "block/nbd/channel.h"
#include "block/nbd/proto.h"
#include "block/node.h"

typedef struct NbdContext {
    char *name;
    uint32_t id;
} NbdContext;

/* What was agreed on. With all_info, what a server says of an export; strings are then the owner's (nbd_info_free()). */
typedef struct NbdInfo {
    char *name, *description;
    uint64_t size_bytes;
    uint16_t flags;
    uint32_t min_block, opt_block, max_block;
    bool structured, extended, has_block_size;
    NbdContext *contexts;
    size_t n_contexts;
} NbdInfo;

typedef enum NbdHeaders { NBD_HEADERS_SIMPLE, NBD_HEADERS_STRUCTURED, NBD_HEADERS_EXTENDED } NbdHeaders;

typedef struct NbdHandshake {
    Channel *ch;
    const TlsCreds *tls;
    const char *hostname;     /* for TLS; NULL */
    bool fixed, no_zeroes;
    NbdHeaders headers;       /* agreed on */
} NbdHandshake;

/* -- client-handshake.c: all in coroutines -- */

/* Greeting, TLS, headers. *oldstyle: the server has one export, which it described in `info`, and takes no options. */
bool nbd_co_greet(NbdHandshake *h, NbdInfo *info, bool *oldstyle, Error **errp);
/* Enters transmission of the export info->name, with a metadata context (NULL: none). */
bool nbd_co_go(NbdHandshake *h, NbdInfo *info, const char *context, Error **errp);
/* All exports; *list is an array of *n, freed with nbd_info_free() and free(). */
bool nbd_co_list(NbdHandshake *h, NbdInfo **list, size_t *n, Error **errp);
void nbd_co_abort(NbdHandshake *h);
void nbd_info_free(NbdInfo *info);       /* not the struct itself */

/* -- client.c -- */

enum { NBD_REQUESTS = 64 };

typedef struct NbdRequest {
    Coroutine *co;             /* who waits for the reply; NULL: the slot is free */
    uint64_t cookie, offset, bytes;
    uint16_t type;
    Sg sg;
    uint64_t received;         /* of a structured read's bytes */
    int result;
    bool done, waiting, lost;  /* lost: the connection ended before the reply */
    BlockStatus *status;       /* of a block status request */
} NbdRequest;

typedef enum NbdState { NBD_DOWN, NBD_UP, NBD_QUIT } NbdState;

typedef struct NbdClientState {
    BlockNode *node;
    Address *address;
    char *export_name, *context, *tls_id, *hostname;
    TlsCreds *tls;
    uint64_t reconnect_delay_s, open_timeout_s;

    NbdState state;
    Channel *ch;
    NbdInfo info;
    uint32_t context_id;               /* whose extents are the status of blocks */
    bool has_context, context_is_depth;
    CoMutex send, connecting;
    NbdRequest requests[NBD_REQUESTS];
    unsigned in_flight, reading;       /* reading: the coroutine that receives replies runs */
    uint64_t next_cookie;
    CoQueue slots, drained;
    int64_t lost_ns, tried_ns;         /* when the connection ended; when another was tried */
} NbdClientState;

/* -- client-request.c -- */

/* One request and its reply, over as many connections as reconnect-delay allows. */
int nbd_co_request(NbdClientState *s, NbdRequest request, uint16_t flags);
void nbd_receive_replies(void *opaque);    /* the coroutine that reads, until the connection ends */
/* Connects unless it is connected; -EIO: cannot be. */
int nbd_co_ensure_connected(NbdClientState *s);

/* -- client.c, for client-request.c -- */
bool nbd_co_connect(NbdClientState *s, Error **errp);

#endif
