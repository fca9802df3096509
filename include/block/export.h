/*
 * export.h: nodes that others use: by NBD, as a vhost-user-blk device, as a file (FUSE).
 *
 * An export has an id and is made from options as block-export-add and --export have them. All run in the main context.
 */
#ifndef BLOCK_EXPORT_H
#define BLOCK_EXPORT_H

#include "block/node.h"

typedef struct BlockExport BlockExport;

typedef struct BlockExportType {
    const char *name, *summary;
    const BlockOption *options;      /* besides those of all; ends with a NULL name */
    size_t state_bytes;
    bool (*open)(BlockExport *export, const Json *options, Error **errp);
    bool (*in_use)(const BlockExport *export);
    /* Ends it; export_gone() follows, perhaps before this returns. */
    void (*shutdown)(BlockExport *export);
} BlockExportType;

struct BlockExport {
    BlockExport *next;
    const BlockExportType *type;
    char *id;
    BlockNode *node;
    bool writable, writethrough, shutting_down;
    void *state;
};

extern const BlockExportType *const export_types[]; /* NULL-terminated */

/* `node` is referenced. The options' node-name has been looked up by the caller. */
bool block_export_add(const Json *options, BlockNode *node, Error **errp);
bool block_export_del(const char *id, bool hard, Error **errp);
BlockExport *block_export_find(const char *id);
Json *block_export_query(void);
/* Ends all and waits. Outside of coroutines. */
void block_export_close_all(void);
/* Of the types: the export's state is free to go. */
void export_gone(BlockExport *export);
/* Told of each export that is gone; set by who sends the event. */
extern void (*block_export_deleted)(const char *id);

/* -- the NBD server that exports of the type "nbd" are served by -- */
/* addr (an object), tls-creds, tls-authz, max-connections, handshake-max-seconds. */
bool nbd_exports_start(const Json *options, Error **errp);
bool nbd_exports_stop(Error **errp);
bool nbd_exports_running(void);
/* An export by the name clients know it by; NULL. */
BlockExport *nbd_exports_find(const char *name);

#endif
