/*
 * nbd.c: exports of the type "nbd", and the one server that has them.
 */
#include <string.h>
#include <unistd.h>

#include "block/export.h"
#include "block/nbd.h"
#include "block/object.h"
#include "softmmu/options.h"
#include "util/alloc.h"

typedef struct NbdExportState {
    NbdExport *export;
    char *name;
} NbdExportState;

static NbdServer *server;
static char *socket_path;     /* to be removed; NULL */
static bool multi_conn;

static const BlockOption nbd_export_options[] = {
    { "name", OPTION_STRING, "the export's name for clients", "the node's" },
    { "description", OPTION_STRING, "a text for clients", NULL },
    { "bitmap", OPTION_STRING, "a dirty bitmap clients may see", NULL },
    { "bitmaps", OPTION_STRING, "dirty bitmaps clients may see", NULL },
    { "allocation-depth", OPTION_BOOL, "clients may see which image has what", "off" },
    { NULL },
};

/* -- exports --------------------------------------------------------------------------------------------------------- */

static void gone(void *opaque)
{
    BlockExport *e = opaque;
    NbdExportState *s = e->state;

    free(s->name);
    export_gone(e);
}

/* bitmap=NAME, or bitmaps=[NAME, {"node": …, "name": …}]. */
static bool take_bitmaps(const Json *options, const char **names, size_t max, Error **errp)
{
    const Json *list = json_get(options, "bitmaps");
    const char *one = json_get_string(options, "bitmap");
    size_t n = 0;

    if (one && list) {
        error_set(errp, "Can't specify both 'bitmap' and 'bitmaps'");
        return false;
    }
    if (one) {
        names[n++] = one;
    }
    for (size_t i = 0; i < json_count(list); i++) {
        const Json *item = json_at(list, i);
        const char *name = json_is(item, JSON_STRING) ? json_as_string(item) : json_get_string(item, "name");
        if (!name || n + 1 >= max) {
            error_set(errp, name ? "Too many bitmaps" : "Invalid parameter type for 'bitmaps', expected: list of bitmaps");
            return false;
        }
        names[n++] = name;
    }
    names[n] = NULL;
    return true;
}

static bool nbd_export_open(BlockExport *e, const Json *options, Error **errp)
{
    NbdExportState *s = e->state;
    const char *name = NULL, *description = NULL, *bitmaps[32];
    bool depth;

    if (!server) {
        error_set(errp, "NBD server not running");
        return false;
    }
    const char *node_name = json_get_string(options, "node-name");
    if (!opts_string(options, "name", node_name ? node_name : e->node->name, &name, errp) ||
        !opts_string(options, "description", NULL, &description, errp) ||
        !opts_bool(options, "allocation-depth", false, &depth, errp) || !take_bitmaps(options, bitmaps, ARRAY_SIZE(bitmaps), errp)) {
        return false;
    }
    NbdExportConfig config = {
        .name = name, .description = description, .node = e->node, .writable = e->writable, .multi_conn = multi_conn, .writethrough = e->writethrough,
        .allocation_depth = depth, .bitmaps = bitmaps, .gone = gone, .opaque = e,
    };
    s->export = nbd_export_new(server, &config, errp);
    s->name = s->export ? xstrdup(name) : NULL;
    return s->export != NULL;
}

static bool nbd_export_in_use(const BlockExport *e)
{
    const NbdExportState *s = e->state;
    return nbd_export_clients(s->export) != 0;
}

static void nbd_export_shutdown(BlockExport *e)
{
    NbdExportState *s = e->state;
    nbd_export_remove(s->export);
}

const BlockExportType export_nbd = {
    .name = "nbd", .summary = "by Network Block Device", .options = nbd_export_options, .state_bytes = sizeof(NbdExportState),
    .open = nbd_export_open, .in_use = nbd_export_in_use, .shutdown = nbd_export_shutdown,
};

BlockExport *nbd_exports_find(const char *name)
{
    /* Those of the server have a NbdExport whose owner we are. */
    NbdExport *e = server ? nbd_export_find(server, name) : NULL;
    return e ? nbd_export_owner(e) : NULL;
}

/* -- the server ------------------------------------------------------------------------------------------------------ */

bool nbd_exports_running(void) { return server != NULL; }

bool nbd_exports_start(const Json *options, Error **errp)
{
    const char *tls = NULL, *authz = NULL;
    uint64_t max, limit;
    TlsCreds *creds = NULL;
    int *fds;
    size_t n;

    if (server) {
        error_set(errp, "NBD server already running");
        return false;
    }
    if (!opts_string(options, "tls-creds", NULL, &tls, errp) || !opts_string(options, "tls-authz", NULL, &authz, errp) ||
        !opts_uint(options, "max-connections", 100, &max, errp) || !opts_uint(options, "handshake-max-seconds", 10, &limit, errp)) {
        return false;
    }
    if (tls && !(creds = block_tls_creds(tls, true, errp))) {
        return false;
    }
    if (max > UINT32_MAX || limit > UINT32_MAX) {
        error_set(errp, "max-connections and handshake-max-seconds are at most %" PRIu32, UINT32_MAX);
        return false;
    }
    Address *address = json_get(options, "addr") ? address_parse(json_get(options, "addr"), errp) : NULL;
    if (!address) {
        if (!json_get(options, "addr")) {
            error_set(errp, "Parameter 'addr' is missing");
        }
        return false;
    }
    if (address_listen(address, max ? (int)MIN(max, 128u) : 128, &fds, &n, errp)) {
        NbdServerConfig config = { .tls = creds, .authz = authz, .max_clients = (unsigned)max, .handshake_limit_s = (unsigned)limit };
        server = nbd_server_new(&config);
        multi_conn = max != 1;
        socket_path = address_socket_path(address);
        nbd_server_listen(server, fds, n);
        free(fds);
    }
    address_free(address);
    return server != NULL;
}

bool nbd_exports_stop(Error **errp)
{
    if (!server) {
        error_set(errp, "NBD server not running");
        return false;
    }
    nbd_server_free(server);
    server = NULL;
    if (socket_path) {
        unlink(socket_path);
    }
    free(socket_path);
    socket_path = NULL;
    return true;
}
