/*
 * nbd.h: serving nodes by NBD.
 *
 * A server listens and has exports; its clients come and go. All of it runs in the main context.
 */
#ifndef BLOCK_NBD_H
#define BLOCK_NBD_H

#include "block/address.h"
#include "block/node.h"

typedef struct NbdServer NbdServer;
typedef struct NbdExport NbdExport;
typedef struct TlsCreds TlsCreds;

typedef struct NbdServerConfig {
    const TlsCreds *tls;            /* NULL: without */
    const char *authz;              /* id of who may connect; NULL: anybody */
    unsigned max_clients;           /* 0: no limit. Further ones wait in the host's queue. */
    unsigned handshake_limit_s;     /* 0: none */
    void (*client_gone)(void *opaque, bool was_served);   /* was_served: it came as far as an export */
    void *opaque;
} NbdServerConfig;

typedef struct NbdExportConfig {
    const char *name, *description; /* description NULL: none */
    BlockNode *node;
    bool writable, multi_conn;      /* multi_conn: told so although it is writable */
    bool writethrough;              /* what was written is stable before that is said */
    bool allocation_depth;
    const char *const *bitmaps;     /* names of the node's or its backing images'; NULL-terminated */
    void (*gone)(void *opaque);     /* after nbd_export_remove(), when the last client is gone */
    void *opaque;
} NbdExportConfig;

NbdServer *nbd_server_new(const NbdServerConfig *config);
/* Takes listening sockets. */
void nbd_server_listen(NbdServer *server, const int *fds, size_t n_fds);
/* A client on a socket that is connected already. */
void nbd_server_serve(NbdServer *server, int fd);
/* No new clients. */
void nbd_server_stop_listening(NbdServer *server);
/* Removes the exports, ends the clients and waits for them. Outside of coroutines. */
void nbd_server_free(NbdServer *server);
unsigned nbd_server_clients(const NbdServer *server);

NbdExport *nbd_export_new(NbdServer *server, const NbdExportConfig *config, Error **errp);
unsigned nbd_export_clients(const NbdExport *export);
void *nbd_export_owner(const NbdExport *export);   /* the config's `opaque` */
/* Its clients are ended; `gone` follows. */
void nbd_export_remove(NbdExport *export);
NbdExport *nbd_export_find(const NbdServer *server, const char *name);

#endif
