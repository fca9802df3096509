/*
 * storage-daemon-qmp.c: QMP commands that mean something else, or less, without a machine. There is no HMP.
 */
#include "block/node.h"
#include "block/object.h"
#include "block/tools/storage-daemon.h"
#include "softmmu/monitor/priv.h"

static VEC(BlockNode *) nodes;   /* made by users; each has a reference */

static Json *done(bool ok)
{
    return ok ? json_object() : NULL;
}

Json *qmp_quit(Monitor *mon, const Json *args, Error **errp)
{
    daemon_quit();
    return json_object();
}

/* -- nodes -- */

bool daemon_blockdev_add(const Json *options, Error **errp)
{
    if (!json_get(options, "node-name")) {
        error_set(errp, "'node-name' must be specified for the root node");
        return false;
    }
    BlockNode *node = node_open(NULL, json_copy(options), BLOCK_RDWR, errp);
    if (node) {
        *vec_push(&nodes) = node;
    }
    return node != NULL;
}

Json *qmp_blockdev_add(Monitor *mon, const Json *args, Error **errp)
{
    return done(daemon_blockdev_add(args, errp));
}

Json *qmp_blockdev_del(Monitor *mon, const Json *args, Error **errp)
{
    const char *name = json_get_string(args, "node-name");
    BlockNode *node = node_find(name);
    size_t i = 0;

    while (i < nodes.n && nodes.at[i] != node) {
        i++;
    }
    if (!node) {
        error_set(errp, "Failed to find node with node-name='%s'", name);
    } else if (i == nodes.n) {
        error_set(errp, "Node %s is not owned by the monitor", name);
    } else if (node->refs > 1) {
        error_set(errp, "Node %s is in use", name);
    } else {
        nodes.at[i] = nodes.at[--nodes.n];
        node_unref(node);
        return json_object();
    }
    return NULL;
}

void daemon_close_nodes(void)
{
    while (nodes.n) { /* the newest first: the others may be its children */
        BlockNode *node = nodes.at[--nodes.n];
        node_flush(node);
        node_unref(node);
    }
    vec_free(&nodes);
}

void monitor_watch_blocks(void) { } /* it always does */

BlockNode *monitor_block_node(const char *name, Error **errp)
{
    BlockNode *node = node_find(name);

    if (!node) {
        error_set(errp, "Cannot find device='' nor node-name='%s'", name);
    }
    return node ? node_ref(node) : NULL;
}

BlockNode *monitor_job_node(const char *name, Error **errp)
{
    return monitor_block_node(name, errp);
}

Json *qmp_query_named_block_nodes(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array();

    for (BlockNode *node = node_next(NULL); node; node = node_next(node)) {
        json_push(list, node_describe(node, json_get_bool(args, "flat", false)));
    }
    return list;
}

/* No devices, so no disks. */
Json *qmp_query_block(Monitor *mon, const Json *args, Error **errp) { return json_array(); }
Json *qmp_query_blockstats(Monitor *mon, const Json *args, Error **errp) { return json_array(); }
Json *qmp_query_none(Monitor *mon, const Json *args, Error **errp) { return json_array(); }

/* -- objects -- */

Json *qmp_object_add(Monitor *mon, const Json *args, Error **errp)
{
    return done(block_object_add(args, errp));
}

Json *qmp_object_del(Monitor *mon, const Json *args, Error **errp)
{
    return done(block_object_del(json_get_string(args, "id"), errp));
}

/* -- HMP: monitor_add() is never called for it -- */

const CharHandlers hmp_handlers;
void hmp_init(Monitor *mon) { }
void hmp_finish(Monitor *mon) { }
