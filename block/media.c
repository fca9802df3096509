/*
 * media.c: drives whose medium comes and goes: trays, locks, eject and change.
 *
 * A drive with a tray gives its medium only while the tray is open; one without (floppy) at any time. The medium changes
 * when no request is under way.
 */
#include <string.h>

#include "block/internal.h"

static void (*tray_hook)(const char *device, const char *id, bool open);

void block_set_tray_hook(void (*moved)(const char *device, const char *id, bool open))
{
    tray_hook = moved;
}

void block_set_media_ops(BlockBackend *blk, const BlockMediaOps *ops, void *opaque)
{
    blk->ops = ops;
    blk->ops_opaque = opaque;
}

void block_tray_moved(BlockBackend *blk, bool open)
{
    if (tray_hook) {
        tray_hook(blk->id ? blk->id : "", blk->owner ? blk->owner : "", open);
    }
}

BlockBackend *block_find_owned(const char *device_id, const char *drive_id, Error **errp)
{
    const char *name = device_id ? device_id : drive_id;

    if (!device_id == !drive_id) {
        error_set(errp, "Need exactly one of 'device' and 'id'");
        return NULL;
    }
    for (BlockBackend *blk = block_backends; blk; blk = blk->next) {
        const char *have = blk->is_node ? NULL : device_id ? blk->owner : blk->id;
        if (have && !strcmp(have, name)) {
            return blk;
        }
    }
    error_set_class(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", name);
    return NULL;
}

static const char *name_of(const BlockBackend *blk)
{
    return blk->id ? blk->id : blk->owner ? blk->owner : "";
}

static bool check_removable(BlockBackend *blk, Error **errp)
{
    if (blk->owner && !blk->ops) {
        error_set(errp, "Device '%s' is not removable", name_of(blk));
        return false;
    }
    return true;
}

static bool has_tray(const BlockBackend *blk)
{
    return blk->ops && blk->ops->is_tray_open;
}

bool block_open_tray(BlockBackend *blk, bool force, Error **errp)
{
    if (!check_removable(blk, errp)) {
        return false;
    }
    if (!has_tray(blk) || blk->ops->is_tray_open(blk->ops_opaque)) {
        return true;
    }
    bool locked = blk->ops->is_locked && blk->ops->is_locked(blk->ops_opaque);
    if (locked) {
        blk->ops->eject_request(blk->ops_opaque, force);
    }
    if (locked && !force) {
        error_set(errp, "Device '%s' is locked and force was not specified, wait for tray to open and try again", name_of(blk));
        return false;
    }
    blk->ops->changed(blk->ops_opaque, false);
    block_tray_moved(blk, true);
    return true;
}

bool block_close_tray(BlockBackend *blk, Error **errp)
{
    if (!check_removable(blk, errp)) {
        return false;
    }
    if (has_tray(blk) && blk->ops->is_tray_open(blk->ops_opaque)) {
        blk->ops->changed(blk->ops_opaque, true);
        block_tray_moved(blk, false);
    }
    return true;
}

static void put(BlockBackend *blk, Medium *m)
{
    block_drain(blk);
    if (blk->medium) {
        node_medium_use(blk->medium, false, NULL);
    }
    medium_unref(blk->medium);
    blk->medium = m;
    if (!has_tray(blk) && blk->ops) {
        blk->ops->changed(blk->ops_opaque, m != NULL);
    }
}

static bool check_open(BlockBackend *blk, Error **errp)
{
    if (has_tray(blk) && !blk->ops->is_tray_open(blk->ops_opaque)) {
        error_set(errp, "Tray of device '%s' is not open", name_of(blk));
        return false;
    }
    return true;
}

bool block_remove_medium(BlockBackend *blk, Error **errp)
{
    if (!check_removable(blk, errp)) {
        return false;
    }
    if (!blk->medium) {
        return true;
    }
    if (!check_open(blk, errp)) {
        return false;
    }
    put(blk, NULL);
    return true;
}

static bool check_empty(BlockBackend *blk, Error **errp)
{
    if (blk->medium) {
        error_set(errp, "There already is a medium in device '%s'", name_of(blk));
        return false;
    }
    return true;
}

bool block_insert_medium(BlockBackend *blk, const char *node_name, Error **errp)
{
    BlockBackend *node = block_find(node_name);

    if (!node || !node->is_node) {
        error_set(errp, "Node '%s' not found", node_name);
        return false;
    }
    for (const BlockBackend *other = block_backends; other; other = other->next) {
        if (!other->is_node && other->medium == node->medium) {
            error_set(errp, "Node '%s' is already in use", node_name);
            return false;
        }
    }
    if (!check_removable(blk, errp) || !check_open(blk, errp) || !check_empty(blk, errp)) {
        return false;
    }
    if (!node_medium_use(node->medium, true, errp)) {
        return false;
    }
    put(blk, medium_ref(node->medium));
    return true;
}

bool block_eject(BlockBackend *blk, bool force, Error **errp)
{
    return block_open_tray(blk, force, errp) && block_remove_medium(blk, errp);
}

bool block_change_medium(BlockBackend *blk, const char *filename, const char *format, const char *read_only, bool force,
                         Error **errp)
{
    OpenMode mode = { .readonly = block_is_readonly(blk), .format = format };

    if (!check_removable(blk, errp)) {
        return false;
    }
    if (read_only && !strcmp(read_only, "read-only")) {
        mode.readonly = true;
    } else if (read_only && !strcmp(read_only, "read-write")) {
        mode.readonly = false;
    } else if (read_only && strcmp(read_only, "retain")) {
        error_set(errp, "Parameter 'read-only-mode' does not accept value '%s'", read_only);
        return false;
    }
    Medium *m = medium_open(filename, &mode, errp);
    if (!m || !node_medium_use(m, true, errp)) {
        medium_unref(m);
        return false;
    }
    if (!block_open_tray(blk, force, errp) || !block_remove_medium(blk, errp)) {
        medium_unref(m);
        return false;
    }
    put(blk, m);
    blk->readonly = mode.readonly;
    return block_close_tray(blk, errp);
}
