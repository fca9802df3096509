/*
 * export.c: the list of exports: making, asking, ending (see the header).
 */
#include "block/export.h"

#include <string.h>

#include "softmmu/options.h"
#include "util/alloc.h"

extern const BlockExportType export_fuse, export_nbd, export_vhost_user_blk;

const BlockExportType *const export_types[] = {
    &export_fuse,
    &export_nbd,
    &export_vhost_user_blk,
    NULL,
};

void (*block_export_deleted)(const char *id);

static BlockExport *exports;
static unsigned n_exports;

static const BlockOption common_options[] = {
    { "type", OPTION_STRING, "how it is exported", NULL },
    { "id", OPTION_STRING, "its name", NULL },
    { "node-name", OPTION_NODE, "what is exported", NULL },
    { "writable", OPTION_BOOL, "clients may write", "off" },
    { "writethrough", OPTION_BOOL, "what is written is stable before a client is told so", "off" },
    { "iothread", OPTION_STRING, "taken: requests run in the main context", NULL },
    { "fixed-iothread", OPTION_BOOL, "taken", "off" },
    { "allow-inactive", OPTION_BOOL, "taken: no node is ever inactive", "off" },
    { NULL },
};

BlockExport *block_export_find(const char *id)
{
    for (BlockExport *e = exports; e; e = e->next) {
        if (!strcmp(e->id, id)) {
            return e;
        }
    }
    return NULL;
}

static bool has_option(const BlockOption *rows, const char *key)
{
    while (rows->name && strcmp(rows->name, key)) {
        rows++;
    }
    return rows->name != NULL;
}

static const BlockExportType *find_type(const char *name, Error **errp)
{
    for (const BlockExportType *const *t = export_types; *t; t++) {
        if (!strcmp((*t)->name, name)) {
            return *t;
        }
    }
    error_set(errp, "Parameter 'type' does not accept value '%s'", name);
    return NULL;
}

static void export_free(BlockExport *e)
{
    node_unref(e->node);
    free(e->id);
    free(e->state);
    free(e);
}

bool block_export_add(const Json *options, BlockNode *node, Error **errp)
{
    const char *type_name = NULL, *id = NULL, *iothread = NULL;
    bool writable, writethrough;

    if (!opts_string(options, "type", NULL, &type_name, errp) || !opts_string(options, "id", NULL, &id, errp) ||
        !opts_bool(options, "writable", false, &writable, errp) || !opts_bool(options, "writethrough", false, &writethrough, errp) ||
        !opts_string(options, "iothread", NULL, &iothread, errp)) {
        return false;
    }
    if (!type_name || !id) {
        error_set(errp, "Parameter '%s' is missing", type_name ? "id" : "type");
        return false;
    }
    const BlockExportType *type = find_type(type_name, errp);
    if (!type) {
        return false;
    }
    for (size_t i = 0; i < json_count(options); i++) {
        const char *key = json_key_at(options, i);
        if (!has_option(common_options, key) && !has_option(type->options, key)) {
            error_set(errp, "Parameter '%s' is unexpected", key);
            return false;
        }
    }
    if (!options_id_ok(id)) {
        error_set(errp, "Invalid block export id");
        return false;
    }
    if (block_export_find(id)) {
        error_set(errp, "Block export id '%s' is already in use", id);
        return false;
    }
    if (writable && node->readonly) {
        error_set(errp, "Cannot export read-only node as writable");
        return false;
    }
    BlockExport *e = xnew(BlockExport);
    *e = (BlockExport){ .type = type, .id = xstrdup(id), .node = node_ref(node), .writable = writable, .writethrough = writethrough };
    e->state = xcalloc(1, type->state_bytes);
    if (!type->open(e, options, errp)) {
        export_free(e);
        return false;
    }
    e->next = exports;
    exports = e;
    n_exports++;
    return true;
}

void export_gone(BlockExport *e)
{
    for (BlockExport **at = &exports; *at; at = &(*at)->next) {
        if (*at == e) {
            *at = e->next;
            n_exports--;
            break;
        }
    }
    if (block_export_deleted) {
        block_export_deleted(e->id);
    }
    export_free(e);
}

static void end(BlockExport *e)
{
    if (!e->shutting_down) {
        e->shutting_down = true;
        e->type->shutdown(e);
    }
}

bool block_export_del(const char *id, bool hard, Error **errp)
{
    BlockExport *e = block_export_find(id);

    if (!e) {
        error_set(errp, "Export '%s' is not found", id);
        return false;
    }
    if (e->shutting_down) {
        error_set(errp, "Export '%s' is already shutting down", id);
        return false;
    }
    if (!hard && e->type->in_use(e)) {
        error_set(errp, "export '%s' still in use", id);
        return false;
    }
    end(e);
    return true;
}

Json *block_export_query(void)
{
    Json *list = json_array();

    for (const BlockExport *e = exports; e; e = e->next) {
        Json *row = json_object();
        json_put_string(row, "node-name", e->node->name);
        json_put_bool(row, "shutting-down", e->shutting_down);
        json_put_string(row, "type", e->type->name);
        json_put_string(row, "id", e->id);
        json_push(list, row);
    }
    return list;
}

void block_export_close_all(void)
{
    for (BlockExport *e = exports, *next; e; e = next) {
        next = e->next;
        end(e);
    }
    ioctx_wait_zero(ioctx_main(), &n_exports);
}
