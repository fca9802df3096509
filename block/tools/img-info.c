/*
 * img-info.c: what is known of an image: info, snapshot.
 */
#include <string.h>
#include <time.h>

#include "block/tools/img.h"
#include "util/alloc.h"

static const ImgOption info_options[] = {
    IMG_HELP, IMG_FORMAT, IMG_IMAGE_OPTS,
    { "backing-chain", 0, NULL, "of the backing images, too" },
    IMG_CACHE('t'), IMG_SHARE, { "limits", 0, NULL, "show alignments and limits" }, IMG_OUTPUT, IMG_OBJECT, { NULL },
};

/* -- snapshots ------------------------------------------------------------------------------------------------------- */

static void snapshots_free(BlockSnapshot *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i].id);
        free(list[i].name);
    }
    free(list);
}

void img_list_snapshots(BlockNode *node)
{
    BlockSnapshot *list = NULL;
    size_t n = node->driver->snapshot_list ? node->driver->snapshot_list(node, &list) : 0;

    if (n) {
        printf("Snapshot list:\n%-7s %-16s %8s %19s %15s %10s\n", "ID", "TAG", "VM_SIZE", "DATE", "VM_CLOCK", "ICOUNT");
    }
    for (size_t i = 0; i < n; i++) {
        char size[32], date[32], clock[32], icount[32] = "";
        time_t t = list[i].date_s;
        struct tm tm;
        uint64_t s = list[i].vm_clock_ns / 1000000000;
        img_format_size(size, sizeof(size), list[i].vm_state_bytes);
        localtime_r(&t, &tm);
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
        snprintf(clock, sizeof(clock), "%04d:%02d:%02d.%03d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60), (int)(list[i].vm_clock_ns / 1000000 % 1000));
        if (list[i].icount != UINT64_MAX) {
            snprintf(icount, sizeof(icount), "%" PRIu64, list[i].icount);
        }
        printf("%-7s %-16s %8s %19s %15s %10s\n", list[i].id, list[i].name, size, date, clock, icount);
    }
    snapshots_free(list, n);
}

Json *img_snapshots_json(BlockNode *node)
{
    BlockSnapshot *list = NULL;
    size_t n = node->driver->snapshot_list ? node->driver->snapshot_list(node, &list) : 0;
    Json *array = n ? json_array() : NULL;

    for (size_t i = 0; i < n; i++) {
        Json *sn = json_object();
        if (list[i].icount != UINT64_MAX) {
            json_put_uint(sn, "icount", list[i].icount);
        }
        json_put_uint(sn, "vm-clock-nsec", list[i].vm_clock_ns % 1000000000);
        json_put_string(sn, "name", list[i].name);
        json_put_uint(sn, "date-sec", list[i].date_s);
        json_put_uint(sn, "date-nsec", list[i].date_ns);
        json_put_uint(sn, "vm-clock-sec", list[i].vm_clock_ns / 1000000000);
        json_put_string(sn, "id", list[i].id);
        json_put_uint(sn, "vm-state-size", list[i].vm_state_bytes);
        json_push(array, sn);
    }
    snapshots_free(list, n);
    return array;
}

static const ImgOption snapshot_options[] = {
    IMG_HELP, IMG_FORMAT, IMG_IMAGE_OPTS,
    { "list", 'l', NULL, "list the snapshots (default)" },
    { "create", 'c', "SNAPSHOT", "make one" },
    { "apply", 'a', "SNAPSHOT", "go back to it" },
    { "delete", 'd', "SNAPSHOT", "delete it" },
    IMG_SHARE, IMG_QUIET, IMG_OBJECT, { NULL },
};

static int run_snapshot(ImgArgs *args)
{
    const char *create = img_arg(args, "create"), *apply = img_arg(args, "apply"), *delete = img_arg(args, "delete");
    unsigned actions = img_flag(args, "list") + (create != NULL) + (apply != NULL) + (delete != NULL);
    Error *err = NULL;
    int status = 1;

    if (actions > 1) {
        img_usage(args, "Cannot mix '-l', '-a', '-c', '-d'");
    }
    if (args->n_files != 1) {
        img_usage(args, "Expecting one image file name");
    }
    bool writes = create || apply || delete;
    BlockNode *node = img_open_args(args, args->files[0], "format", writes ? BLOCK_RDWR : 0);
    BlockEdge *edge = node ? img_use(node, args->files[0], writes ? PERM_READ | PERM_WRITE | PERM_RESIZE : PERM_READ, PERM_ALL) : NULL;
    if (!edge) {
        node_unref(node);
        return 1;
    }
    if (!writes) {
        img_list_snapshots(node);
        status = 0;
    } else if (!node->driver->snapshot_create) {
        error_report("Could not %s snapshot '%s': %s", create ? "create" : apply ? "apply" : "delete", create ? create : apply ? apply : delete,
                     "Operation not supported");
    } else if (create) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        BlockSnapshot sn = { .name = xstrdup(create), .date_s = (uint32_t)now.tv_sec, .date_ns = (uint32_t)now.tv_nsec };
        status = node->driver->snapshot_create(node, &sn, &err) ? 0 : 1;
        free(sn.id);
        free(sn.name);
    } else if (apply) {
        status = node->driver->snapshot_goto(node, apply, &err) ? 0 : 1;
    } else {
        status = node->driver->snapshot_delete(node, delete, &err) ? 0 : 1;
    }
    if (err) {
        error_report_free(err);
    }
    edge_detach(edge);
    node_unref(node);
    return status;
}

const ImgCommand img_snapshot = { "snapshot", "List, make, apply or delete snapshots", "FILE", snapshot_options, run_snapshot };

/* -- info ------------------------------------------------------------------------------------------------------------ */

/* Children are told from the last to the first; NULL: the last. Not the backing image. */
static const BlockEdge *previous_child(const BlockNode *node, const BlockEdge *of)
{
    const BlockEdge *found = NULL;

    for (const BlockEdge *e = node->children; e && e != of; e = e->next_child) {
        found = e->role & ROLE_COW ? found : e;
    }
    return found;
}

static Json *node_json(BlockNode *node)
{
    Json *json = json_object(), *children = json_array(), *snapshots;
    BlockInfo info = { 0 };
    uint64_t bytes = node_allocated_bytes(node);

    if (node->driver->info) {
        node->driver->info(node, &info);
    }
    for (const BlockEdge *e = NULL; (e = previous_child(node, e)) != NULL;) {
        Json *child = json_object();
        json_put_string(child, "name", e->name);
        json_put(child, "info", node_json(e->node));
        json_push(children, child);
    }
    json_put(json, "children", children);
    if (node->backing_format) {
        json_put_string(json, "backing-filename-format", node->backing_format);
    }
    snapshots = img_snapshots_json(node);
    if (snapshots) {
        json_put(json, "snapshots", snapshots);
    }
    json_put_uint(json, "virtual-size", node->size_bytes);
    json_put_string(json, "filename", node->filename ? node->filename : "");
    if (info.cluster_size) {
        json_put_uint(json, "cluster-size", info.cluster_size);
    }
    json_put_string(json, "format", node->driver->name);
    if (bytes != UINT64_MAX) {
        json_put_uint(json, "actual-size", bytes);
    }
    if (info.specific) {
        json_put(json, "format-specific", info.specific);
    } else if (!strcmp(node->driver->name, "file")) {
        Json *specific = json_object();
        json_put_string(specific, "type", "file");
        json_put(specific, "data", json_object());
        json_put(json, "format-specific", specific);
    }
    if (info.is_encrypted) {
        json_put_bool(json, "encrypted", true);
    }
    if (node->backing_file) {
        char *full = filename_relative_to(node->filename, node->backing_file);
        json_put_string(json, "full-backing-filename", full);
        json_put_string(json, "backing-filename", node->backing_file);
        free(full);
    }
    json_put_bool(json, "dirty-flag", info.is_dirty);
    return json;
}

/* "lazy-refcounts": false → "    lazy refcounts: false"; the members of an array have their numbers as names. */
static void print_members(const Json *data, int indent)
{
    for (size_t i = 0; i < json_count(data); i++) {
        char *name = json_is(data, JSON_ARRAY) ? xasprintf("[%zu]", i) : xstrdup(json_key_at(data, i));
        for (char *c = name; *c; c++) {
            *c = *c == '-' ? ' ' : *c;
        }
        const Json *v = json_at(data, i);
        printf("%*s%s:", indent, "", name);
        free(name);
        switch (json_kind(v)) {
        case JSON_STRING: printf(" %s\n", json_as_string(v)); break;
        case JSON_BOOL: printf(" %s\n", json_as_bool(v) ? "true" : "false"); break;
        case JSON_OBJECT:
        case JSON_ARRAY: printf("\n"); print_members(v, indent + 4); break;
        default: printf(" %" PRIu64 "\n", json_as_uint(v));
        }
    }
}

static void print_node(BlockNode *node, const char *path, int indent)
{
    BlockInfo info = { 0 };
    uint64_t bytes = node_allocated_bytes(node);
    bool protocol = node->driver->kind == DRIVER_PROTOCOL, child = *path != 0;
    char size[32], disk[32];

    if (node->driver->info) {
        node->driver->info(node, &info);
    }
    img_format_size(size, sizeof(size), node->size_bytes);
    img_format_size(disk, sizeof(disk), bytes);
    printf("%*s%s: %s\n", indent, "", child ? "filename" : "image", node->filename ? node->filename : "");
    printf("%*s%s: %s\n", indent, "", protocol && child ? "protocol type" : "file format", node->driver->name);
    printf("%*s%s: %s (%" PRIu64 " bytes)\n", indent, "", protocol && child ? "file length" : "virtual size", size, node->size_bytes);
    printf("%*sdisk size: %s\n", indent, "", bytes == UINT64_MAX ? "unavailable" : disk);
    if (info.is_encrypted) {
        printf("%*sencrypted: yes\n", indent, "");
    }
    if (info.cluster_size) {
        printf("%*scluster_size: %" PRIu64 "\n", indent, "", info.cluster_size);
    }
    if (info.is_dirty) {
        printf("%*scleanly shut down: no\n", indent, "");
    }
    if (node->backing_file) {
        char *full = filename_relative_to(node->filename, node->backing_file);
        printf("%*sbacking file: %s", indent, "", node->backing_file);
        if (strcmp(full, node->backing_file)) {
            printf(" (actual path: %s)", full);
        }
        printf("\n");
        if (node->backing_format) {
            printf("%*sbacking file format: %s\n", indent, "", node->backing_format);
        }
        free(full);
    }
    if (!child) {
        img_list_snapshots(node);
    }
    if (info.specific) {
        printf("%*sFormat specific information:\n", indent, "");
        print_members(json_get(info.specific, "data"), indent + 4);
    }
    json_free(info.specific);
    for (const BlockEdge *e = NULL; (e = previous_child(node, e)) != NULL;) {
        char *below = xasprintf("%s/%s", path, e->name);
        printf("%*sChild node '%s':\n", indent, "", below);
        print_node(e->node, below, indent + 4);
        free(below);
    }
}

static void print_limits(BlockNode *node)
{
    printf("Block limits:\n    request alignment: %u\n    write zeroes alignment: %" PRIu64 "\n    maximum transfer: %" PRIu64 "\n",
           node->request_align, (uint64_t)node->zero_align, node->max_transfer);
}

static int run_info(ImgArgs *args)
{
    bool json = img_wants_json(args), chain = img_flag(args, "backing-chain"), first = true;
    int status = 0;

    if (args->n_files != 1) {
        img_usage(args, "Expecting one image file name");
    }
    BlockNode *node = img_open_args(args, args->files[0], "format", BLOCK_NO_BACKING | BLOCK_NO_IO);
    if (!node) {
        return 1;
    }
    BlockEdge *edge = img_use(node, args->files[0], 0, PERM_ALL);
    Json *array = json_array();
    for (BlockNode *n = node, *below; n; n = below) {
        if (json) {
            json_push(array, node_json(n));
        } else {
            printf("%s", first ? "" : "\n");
            print_node(n, "", 0);
            if (img_flag(args, "limits")) {
                print_limits(n);
            }
        }
        first = false;
        /* Each by itself, so that all that is there is shown before what is not. */
        below = NULL;
        if (chain && n->backing_file) {
            char *path = filename_relative_to(n->filename, n->backing_file);
            below = img_open(path, n->backing_format, false, BLOCK_NO_BACKING | BLOCK_NO_IO | (img_flag(args, "force-share") ? BLOCK_FORCE_SHARE : 0), NULL);
            free(path);
            status = below ? status : 1;
        }
        if (n != node) {
            node_unref(n);
        }
    }
    if (json && !status) {
        char *text = json_print_pretty(chain ? array : json_at(array, 0));
        printf("%s\n", text);
        free(text);
    }
    json_free(array);
    if (edge) {
        edge_detach(edge);
    } else {
        status = 1;
    }
    node_unref(node);
    return status;
}

const ImgCommand img_info = { "info", "Say what is known of an image", "FILE", info_options, run_info };
