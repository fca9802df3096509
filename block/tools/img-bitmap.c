/*
 * img-bitmap.c: qemu-img bitmap: changes of persistent bitmaps, and their copies for convert.
 */
#include <string.h>

#include "block/bitmap.h"
#include "block/tools/img.h"
#include "util/alloc.h"
#include "util/parse.h"

static const ImgOption bitmap_options[] = {
    IMG_HELP, IMG_FORMAT, IMG_IMAGE_OPTS,
    { "add", 0, NULL, "make BITMAP, which records writes from now on" },
    { "granularity", 'g', "SIZE", "bytes a bit of a new bitmap stands for" },
    { "remove", 0, NULL, "remove BITMAP" },
    { "remove-all", 0, NULL, "remove all bitmaps" },
    { "clear", 0, NULL, "clear BITMAP" },
    { "enable", 0, NULL, "record writes from now on" },
    { "disable", 0, NULL, "do not record them" },
    { "merge", 0, "SOURCE", "add what SOURCE has to BITMAP" },
    { "source-file", 'b', "SRC_FILE", "where SOURCE is" },
    { "source-format", 'F', "SRC_FMT", "format of SRC_FILE" },
    IMG_OBJECT, { NULL },
};

static const char *const actions[] = { "add", "remove", "remove-all", "clear", "enable", "disable", "merge" };

/* What one can do about a bitmap that is not usable. */
void img_bitmap_hint(const Error *err)
{
    if (strstr(error_message(err), "is inconsistent")) {
        fprintf(stderr, "Try block-dirty-bitmap-remove to delete this bitmap from disk\n");
    }
}

static bool perform(BlockNode *node, BlockNode *source, const char *action, const char *arg, const char *name, uint64_t granularity, Error **errp)
{
    if (!strcmp(action, "add")) {
        return bitmap_add(node, name, granularity, true, true, errp) != NULL;
    }
    if (!strcmp(action, "remove-all")) {
        bitmaps_free(node);
        return true;
    }
    bool removes = !strcmp(action, "remove");
    if (!strcmp(action, "merge")) {
        DirtyBitmap *to = bitmap_get(node, name, 0, errp), *from = to ? bitmap_get(source, arg, 0, errp) : NULL;
        if (from) {
            bitmap_merge(to, from);
        }
        return from != NULL;
    }
    DirtyBitmap *b = bitmap_get(node, name, removes ? BITMAP_ALLOW_INCONSISTENT : 0, errp);
    if (!b) {
        return false;
    }
    if (removes) {
        bitmap_remove(b);
    } else if (!strcmp(action, "clear")) {
        bitmap_clear(b);
    } else {
        b->enabled = !strcmp(action, "enable");
    }
    return true;
}

static int run_bitmap(ImgArgs *args)
{
    const char *source_file = img_arg(args, "source-file"), *source_format = img_arg(args, "source-format");
    bool add = false, merge = false, remove_all = false, others = false, ok = false;
    uint64_t granularity = 0;
    Error *err = NULL;

    if (img_arg(args, "granularity") && !img_size(img_arg(args, "granularity"), "granularity", &granularity)) {
        return 1;
    }
    for (size_t i = 0; i < args->n_actions; i++) {
        const char *action = args->actions[i].name;
        add |= !strcmp(action, "add");
        merge |= !strcmp(action, "merge");
        remove_all |= !strcmp(action, "remove-all");
        others |= strcmp(action, "remove-all") != 0;
    }
    if (!args->n_actions) {
        error_report("Need at least one of --add, --remove, --remove-all, --clear, --enable, --disable, or --merge");
        return 1;
    }
    if (args->n_files != (remove_all && !others ? 1 : 2)) {
        error_report(remove_all && !others ? "Expecting filename" : "Expecting filename and bitmap name");
        return 1;
    }
    if (granularity && !add) {
        error_report("granularity only supported with --add");
        return 1;
    }
    if (source_format && !source_file) {
        error_report("-F only supported with -b");
        return 1;
    }
    if (source_file && !merge) {
        error_report("Merge bitmap source file only supported with --merge");
        return 1;
    }
    const char *name = args->n_files > 1 ? args->files[1] : "";
    BlockEdge *source_edge = NULL;
    BlockNode *source = NULL, *node = img_open_args(args, args->files[0], "format", BLOCK_RDWR);
    BlockEdge *edge = node ? img_use(node, args->files[0], PERM_READ | PERM_WRITE | PERM_RESIZE, PERM_ALL) : NULL;
    if (edge && source_file) {
        source = img_open(source_file, source_format, false, 0, NULL);
        source_edge = source ? img_use(source, source_file, PERM_READ, PERM_ALL) : NULL;
    } else if (edge) {
        source = node_ref(node);
    }
    ok = source && (source_edge || !source_file);
    for (size_t i = 0; ok && i < args->n_actions; i++) {
        ok = perform(node, source, args->actions[i].name, args->actions[i].arg, name, granularity, &err);
        if (!ok) {
            error_report("Operation %s on bitmap %s failed: %s", args->actions[i].name, name, error_message(err));
            img_bitmap_hint(err);
            error_free(err);
        }
    }
    if (source_edge) {
        edge_detach(source_edge);
    }
    node_unref(source);
    if (edge) {
        edge_detach(edge);
    }
    node_unref(node);
    return ok ? 0 : 1;
}

bool img_is_bitmap_action(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (!strcmp(actions[i], name)) {
            return true;
        }
    }
    return false;
}

const ImgCommand img_bitmap = { "bitmap", "Change the persistent bitmaps of an image", "FILE [BITMAP]", bitmap_options, run_bitmap };

/* -- convert --bitmaps ----------------------------------------------------------------------------------------------- */

bool img_bitmaps_check(BlockNode *source, bool skip_broken)
{
    for (const DirtyBitmap *b = source->bitmaps; b; b = b->next) {
        if (b->persistent && b->inconsistent && !skip_broken) {
            error_report("Cannot copy inconsistent bitmap '%s'", b->name);
            fprintf(stderr, "Try --skip-broken-bitmaps, or use 'qemu-img bitmap --remove' to delete it\n");
            return false;
        }
    }
    return true;
}

bool img_bitmaps_copy(BlockNode *source, BlockNode *target)
{
    Error *err = NULL;

    for (const DirtyBitmap *b = source->bitmaps; b; b = b->next) {
        if (!b->persistent) {
            continue;
        }
        if (b->inconsistent) {
            error_warn("Skipping inconsistent bitmap '%s'", b->name);
            continue;
        }
        DirtyBitmap *copy = bitmap_add(target, b->name, bitmap_granularity(b), true, b->enabled, &err);
        if (!copy) {
            error_report("Failed to populate bitmap %s: %s", b->name, error_message(err));
            error_free(err);
            return false;
        }
        bitmap_merge(copy, b);
    }
    return true;
}
