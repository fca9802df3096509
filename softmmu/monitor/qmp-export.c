/*
 * qmp-export.c: exports of block nodes by QMP, and the NBD server.
 */
#include "block/export.h"
#include "softmmu/monitor/priv.h"

static void send_deleted(const char *id)
{
    Json *data = json_object();

    json_put_string(data, "id", id);
    monitor_event("BLOCK_EXPORT_DELETED", data);
}

bool monitor_export_add(const Json *options, Error **errp)
{
    const char *name = json_get_string(options, "node-name");

    if (!name) {
        error_set(errp, "Parameter 'node-name' is missing");
        return false;
    }
    BlockNode *node = monitor_block_node(name, errp);
    if (!node) {
        return false;
    }
    block_export_deleted = send_deleted;
    bool ok = block_export_add(options, node, errp);
    node_unref(node);
    return ok;
}

static Json *done(bool ok)
{
    return ok ? json_object() : NULL;
}

Json *qmp_block_export_add(Monitor *mon, const Json *args, Error **errp)
{
    return done(monitor_export_add(args, errp));
}

static bool remove_export(const char *id, const Json *args, Error **errp)
{
    const char *mode = json_get_string(args, "mode");
    return block_export_del(id, mode && !strcmp(mode, "hard"), errp);
}

Json *qmp_block_export_del(Monitor *mon, const Json *args, Error **errp)
{
    return done(remove_export(json_get_string(args, "id"), args, errp));
}

Json *qmp_query_block_exports(Monitor *mon, const Json *args, Error **errp)
{
    return block_export_query();
}

/* -- the NBD server -- */

Json *qmp_nbd_server_start(Monitor *mon, const Json *args, Error **errp)
{
    monitor_watch_blocks();
    return done(nbd_exports_start(args, errp));
}

Json *qmp_nbd_server_stop(Monitor *mon, const Json *args, Error **errp)
{
    return done(nbd_exports_stop(errp));
}

/* The older way: the id is the name clients know. */
Json *qmp_nbd_server_add(Monitor *mon, const Json *args, Error **errp)
{
    const char *device = json_get_string(args, "device"), *name = json_get_string(args, "name");
    Json *options = json_copy(args);

    json_drop(options, "device");
    json_put_string(options, "type", "nbd");
    json_put_string(options, "id", name ? name : device);
    json_put_string(options, "node-name", device);
    json_put_string(options, "name", name ? name : device);
    bool ok = true;
    if (nbd_exports_running() && nbd_exports_find(name ? name : device)) {
        error_set(errp, "NBD server already has export named '%s'", name ? name : device);
        ok = false;
    }
    /* A read-only node is exported as what it is. */
    BlockNode *node = ok ? monitor_block_node(device, errp) : NULL;
    if (node && node->readonly) {
        json_put_bool(options, "writable", false);
    }
    ok = node && monitor_export_add(options, errp);
    node_unref(node);
    json_free(options);
    return done(ok);
}

Json *qmp_nbd_server_remove(Monitor *mon, const Json *args, Error **errp)
{
    const char *name = json_get_string(args, "name");
    const BlockExport *e = nbd_exports_find(name);

    return done(remove_export(e ? e->id : name, args, errp));
}
