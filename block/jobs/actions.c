/*
 * actions.c: changes of bitmaps and of the graph, alone or together in a transaction: all of them, or none.
 *
 * Each action says what undoes it. A transaction's nodes are drained before its first action, and nothing of a guest comes in between.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "block/jobs/internal.h"
#include "block/jobs/qmp.h"
#include "softmmu/options.h"

typedef struct Undo {
    void (*run)(struct Undo *undo);
    BlockNode *node, *over;
    char *name;
    BitSet bits;
    bool flag, has_bits;
} Undo;

typedef bool ActionFn(const Json *args, JobFindNode *find, Undo *undo, Error **errp);

/* -- bitmaps --------------------------------------------------------------------------------------------------------- */

static BlockNode *bitmap_node(const Json *args, JobFindNode *find, Error **errp)
{
    return find(json_get_string(args, "node"), errp);
}

static void undo_add(Undo *u)
{
    DirtyBitmap *b = bitmap_find(u->node, u->name);
    if (b) {
        bitmap_remove(b);
    }
}

static void undo_bits(Undo *u)
{
    DirtyBitmap *b = bitmap_find(u->node, u->name);
    if (b) {
        BitSet now = b->bits;
        b->bits = u->bits;
        u->bits = now;
    }
}

static void undo_enabled(Undo *u)
{
    DirtyBitmap *b = bitmap_find(u->node, u->name);
    if (b) {
        b->enabled = u->flag;
    }
}

static bool act_add(const Json *args, JobFindNode *find, Undo *u, Error **errp)
{
    const char *name = json_get_string(args, "name");

    u->node = bitmap_node(args, find, errp);
    bool ok = u->node && bitmap_add(u->node, name ? name : "", (uint64_t)json_get_int(args, "granularity", 0), json_get_bool(args, "persistent", false),
                                    !json_get_bool(args, "disabled", false), errp);
    if (ok) {
        u->name = xstrdup(name);
        u->run = undo_add;
    }
    return ok;
}

static DirtyBitmap *usable(const Json *args, JobFindNode *find, Undo *u, unsigned allow, const char *key, Error **errp)
{
    const char *name = json_get_string(args, key);

    u->node = bitmap_node(args, find, errp);
    DirtyBitmap *b = u->node ? bitmap_get(u->node, name ? name : "", allow, errp) : NULL;
    u->name = b ? xstrdup(name) : NULL;
    return b;
}

static bool act_remove(const Json *args, JobFindNode *find, Undo *u, Error **errp)
{
    DirtyBitmap *b = usable(args, find, u, BITMAP_ALLOW_INCONSISTENT, "name", errp);
    if (b) {
        bitmap_remove(b);
    }
    return b != NULL;
}

static bool act_clear(const Json *args, JobFindNode *find, Undo *u, Error **errp)
{
    DirtyBitmap *b = usable(args, find, u, 0, "name", errp);
    if (b) {
        u->bits = bitset_copy(&b->bits);
        u->has_bits = true;
        u->run = undo_bits;
        bitmap_clear(b);
    }
    return b != NULL;
}

static bool enable(const Json *args, JobFindNode *find, Undo *u, bool on, Error **errp)
{
    DirtyBitmap *b = usable(args, find, u, 0, "name", errp);
    if (b) {
        u->flag = b->enabled;
        u->run = undo_enabled;
        b->enabled = on;
    }
    return b != NULL;
}

static bool act_enable(const Json *args, JobFindNode *find, Undo *u, Error **errp) { return enable(args, find, u, true, errp); }
static bool act_disable(const Json *args, JobFindNode *find, Undo *u, Error **errp) { return enable(args, find, u, false, errp); }

static bool act_merge(const Json *args, JobFindNode *find, Undo *u, Error **errp)
{
    DirtyBitmap *to = usable(args, find, u, 0, "target", errp);
    const Json *list = json_get(args, "bitmaps");

    if (!to) {
        return false;
    }
    u->bits = bitset_copy(&to->bits);
    u->has_bits = true;
    u->run = undo_bits;
    for (size_t i = 0; i < json_count(list); i++) {
        const Json *item = json_at(list, i);
        const char *node_name = json_is(item, JSON_OBJECT) ? json_get_string(item, "node") : NULL;
        const char *name = json_is(item, JSON_OBJECT) ? json_get_string(item, "name") : json_is(item, JSON_STRING) ? json_as_string(item) : NULL;
        BlockNode *node = node_name ? find(node_name, errp) : node_ref(u->node);
        const DirtyBitmap *from = node && name ? bitmap_get(node, name, 0, errp) : NULL;
        if (from) {
            bitmap_merge(to, from);
        }
        node_unref(node);
        if (!from) {
            if (!name) {
                error_set(errp, "a bitmap to merge is a name, or an object with node and name");
            }
            return false;
        }
    }
    return true;
}

/* -- snapshots ------------------------------------------------------------------------------------------------------- */

static void undo_snapshot(Undo *u)
{
    node_replace(u->over, u->node, NULL);
}

/* `over` goes on top of `node`, whose users use it from now on. */
static bool put_on_top(BlockNode *node, BlockNode *over, Undo *u, Error **errp)
{
    node_drain(node);
    node_flush(node);
    if (!node_replace(node, over, errp)) {
        return false;
    }
    u->over = node_ref(over);
    u->run = undo_snapshot;
    return true;
}

static bool act_snapshot(const Json *args, JobFindNode *find, Undo *u, Error **errp)
{
    u->node = find(json_get_string(args, "node"), errp);
    BlockNode *over = u->node ? find(json_get_string(args, "overlay"), errp) : NULL;
    BlockEdge *edge = NULL;
    bool ok = false;

    if (over && node_backing(over)) {
        error_set(errp, "The overlay already has a backing image");
    } else if (over && !over->driver->has_backing) {
        error_set(errp, "The overlay does not support backing images");
    } else if (over && over->perm & PERM_WRITE) {
        error_set(errp, "The overlay is already in use");
    } else if (over) {
        edge = node_add_child(over, u->node, "backing", ROLE_COW, errp);
        ok = edge && put_on_top(u->node, over, u, errp);
        if (edge && !ok) {
            edge_detach(edge);
        }
    }
    node_unref(over);
    return ok;
}

static bool act_snapshot_sync(const Json *args, JobFindNode *find, Undo *u, Error **errp)
{
    const char *device = json_get_string(args, "device"), *node_name = json_get_string(args, "node-name"), *file = json_get_string(args, "snapshot-file");
    const char *format = json_get_string(args, "format"), *mode = json_get_string(args, "mode"), *name = json_get_string(args, "snapshot-node-name");

    if (!device && !node_name) {
        error_set(errp, "Cannot find device='' nor node-name=''");
        return false;
    }
    format = format ? format : "qcow2";
    u->node = find(device ? device : node_name, errp);
    if (!u->node) {
        return false;
    }
    if (!mode || strcmp(mode, "existing")) {
        Json *shape = json_object();
        json_put_uint(shape, "size", u->node->size_bytes);
        if (u->node->filename) {
            json_put_string(shape, "backing_file", u->node->filename);
            json_put_string(shape, "backing_fmt", u->node->driver->name);
        }
        bool ok = image_create(file, format, shape, true, errp);
        json_free(shape);
        if (!ok) {
            return false;
        }
    }
    Json *options = json_object();
    json_put_string(options, "driver", format);
    json_put_string(options, "backing", u->node->name);
    if (name) {
        json_put_string(options, "node-name", name);
    }
    BlockNode *over = node_open(file, options, (u->node->flags & (BLOCK_DISCARD | BLOCK_DIRECT | BLOCK_NO_FLUSH)) | BLOCK_RDWR, errp);
    bool ok = over && put_on_top(u->node, over, u, errp);
    node_unref(over);
    return ok;
}

static void undo_internal(Undo *u)
{
    u->node->driver->snapshot_delete(u->node, u->name, NULL);
}

static bool act_snapshot_internal(const Json *args, JobFindNode *find, Undo *u, Error **errp)
{
    const char *name = json_get_string(args, "name");
    struct timespec now;

    u->node = find(json_get_string(args, "device"), errp);
    if (!u->node) {
        return false;
    }
    if (!name || !*name) {
        error_set(errp, "Name is empty");
        return false;
    }
    if (!u->node->driver->snapshot_create) {
        error_set(errp, "Block format '%s' used by device '%s' does not support internal snapshots", u->node->driver->name, json_get_string(args, "device"));
        return false;
    }
    BlockSnapshot *list;
    size_t n = u->node->driver->snapshot_list(u->node, &list);
    bool there = false;
    for (size_t i = 0; i < n; i++) {
        there |= !strcmp(list[i].name, name);
        free(list[i].id);
        free(list[i].name);
    }
    free(list);
    if (there) {
        error_set(errp, "Snapshot with name '%s' already exists on device '%s'", name, json_get_string(args, "device"));
        return false;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    BlockSnapshot sn = { .name = xstrdup(name), .date_s = (uint32_t)now.tv_sec, .date_ns = (uint32_t)now.tv_nsec, .icount = UINT64_MAX };
    node_drain(u->node);
    bool ok = u->node->driver->snapshot_create(u->node, &sn, errp);
    free(sn.id);
    free(sn.name);
    if (ok) {
        u->name = xstrdup(name);
        u->run = undo_internal;
    }
    return ok;
}

static bool act_snapshot_internal_delete(const Json *args, JobFindNode *find, Undo *u, Error **errp)
{
    u->node = find(json_get_string(args, "device"), errp);
    if (!u->node) {
        return false;
    }
    if (!u->node->driver->snapshot_delete) {
        error_set(errp, "Block format '%s' used by device '%s' does not support internal snapshots", u->node->driver->name, json_get_string(args, "device"));
        return false;
    }
    const char *name = json_get_string(args, "name");
    node_drain(u->node);
    return u->node->driver->snapshot_delete(u->node, name ? name : "", errp);
}

/* -- jobs in a transaction ------------------------------------------------------------------------------------------- */

static void undo_job(Undo *u)
{
    Job *job = job_find(u->name);
    if (job) {
        job_cancel(job, true, NULL);
    }
}

static bool start_backup(const char *command, const Json *args, JobFindNode *find, Undo *u, Error **errp)
{
    const char *id = json_get_string(args, "job-id");
    Json *answer = qmp_start_backup(command, args, find, errp);

    if (answer) {
        u->name = xstrdup(id ? id : json_get_string(args, "device"));
        u->run = undo_job;
    }
    json_free(answer);
    return answer != NULL;
}

static bool act_blockdev_backup(const Json *args, JobFindNode *find, Undo *u, Error **errp) { return start_backup("blockdev-backup", args, find, u, errp); }
static bool act_drive_backup(const Json *args, JobFindNode *find, Undo *u, Error **errp) { return start_backup("drive-backup", args, find, u, errp); }

static bool act_abort(const Json *args, JobFindNode *find, Undo *u, Error **errp)
{
    error_set(errp, "Transaction aborted using Abort action");
    return false;
}

/* -- the table ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    ActionFn *run;
    bool alone, together;      /* a command; an action of a transaction */
} actions[] = {
    { "block-dirty-bitmap-add", act_add, true, true }, { "block-dirty-bitmap-remove", act_remove, true, false }, { "block-dirty-bitmap-clear", act_clear, true, true },
    { "block-dirty-bitmap-enable", act_enable, true, true }, { "block-dirty-bitmap-disable", act_disable, true, true },
    { "block-dirty-bitmap-merge", act_merge, true, true }, { "blockdev-snapshot", act_snapshot, true, true },
    { "blockdev-snapshot-sync", act_snapshot_sync, true, true }, { "blockdev-snapshot-internal-sync", act_snapshot_internal, true, true },
    { "blockdev-snapshot-delete-internal-sync", act_snapshot_internal_delete, true, false }, { "blockdev-backup", act_blockdev_backup, false, true },
    { "drive-backup", act_drive_backup, false, true }, { "abort", act_abort, false, true },
};

static ActionFn *find_action(const char *name, bool in_transaction)
{
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (!strcmp(actions[i].name, name) && (in_transaction ? actions[i].together : actions[i].alone)) {
            return actions[i].run;
        }
    }
    return NULL;
}

static void undo_free(Undo *u)
{
    if (u->has_bits) {
        bitset_finish(&u->bits);
    }
    node_unref(u->over);
    node_unref(u->node);
    free(u->name);
}

bool qmp_is_action(const char *command)
{
    return find_action(command, false) != NULL;
}

bool qmp_action(const char *command, const Json *args, JobFindNode *find, Error **errp)
{
    Undo undo = { 0 };
    bool ok = find_action(command, false)(args, find, &undo, errp);

    if (!ok && undo.run) {
        undo.run(&undo);
    }
    undo_free(&undo);
    return ok;
}

Json *qmp_transaction(const char *command, const Json *args, JobFindNode *find, Error **errp)
{
    const Json *list = json_get(args, "actions");
    size_t n = json_count(list), done = 0;
    Undo *undo = xnew_array(Undo, MAX(n, 1u));
    bool ok = true;

    for (BlockNode *node = node_next(NULL); node; node = node_next(node)) {
        node_drain(node);
    }
    for (; ok && done < n; done++) {
        const Json *action = json_at(list, done), *data = json_get(action, "data");
        const char *type = json_get_string(action, "type");
        ActionFn *run = type ? find_action(type, true) : NULL;
        if (!run) {
            error_set(errp, "Parameter 'type' does not accept value '%s'", type ? type : "");
            ok = false;
        } else {
            ok = run(data, find, &undo[done], errp);
        }
    }
    for (size_t i = done; i-- > 0;) {
        if (!ok && undo[i].run) {
            undo[i].run(&undo[i]);
        }
        undo_free(&undo[i]);
    }
    free(undo);
    return ok ? json_object() : NULL;
}
