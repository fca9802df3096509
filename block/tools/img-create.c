/*
 * img-create.c: create, resize, amend, and the size of an image to be (measure).
 */
#include <string.h>

#include "block/bitmap.h"
#include "block/tools/img.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/parse.h"

/* -- create ---------------------------------------------------------------------------------------------------------- */

static const ImgOption create_options[] = {
    IMG_HELP,
    { "format", 'f', "FMT", "format of the new image (default: raw)" },
    { "options", 'o', "FMT_OPTS", "options of the format ('-o help' lists them)" },
    { "backing", 'b', "BACKING_FILE", "the new image has only what differs from this one" },
    { "backing-format", 'B', "BACKING_FMT", "its format" },
    { "backing-format", 'F', "BACKING_FMT", NULL },
    { "backing-unsafe", 'u', NULL, "the backing file need not be there" },
    IMG_QUIET, IMG_OBJECT, { NULL },
};

/* The size of the backing image, and its format where it is not given. */
static bool look_at_backing(const char *filename, const char *backing, const char *format, bool unsafe, bool has_size, uint64_t *size)
{
    char *path = filename_relative_to(filename, backing);
    Error *err = NULL;
    Json *options = json_object();

    if (format) {
        json_put_string(options, "driver", format);
    }
    BlockNode *node = node_open(path, options, BLOCK_NO_IO, &err);
    if (!node) {
        if (has_size && unsafe) {
            error_free(err);
        } else {
            error_report("%s: %s", filename, error_message(err));
            fprintf(stderr, "Could not open backing image.\n");
            error_free(err);
            free(path);
            return false;
        }
    } else if (!has_size) {
        *size = node->size_bytes;
    }
    if (!format && node) {
        error_report("%s: Backing file specified without backing format", filename);
        fprintf(stderr, "Detected format of %s.\n", node->driver->name);
        node_unref(node);
        free(path);
        return false;
    }
    node_unref(node);
    free(path);
    return true;
}

static void print_option_value(const Json *v)
{
    switch (json_kind(v)) {
    case JSON_STRING: printf("%s", json_as_string(v)); break;
    case JSON_BOOL: printf("%s", json_as_bool(v) ? "on" : "off"); break;
    default: printf("%" PRIu64, json_as_uint(v));
    }
}

static bool is_encryption(const char *option)
{
    return !strncmp(option, "encrypt", 7);
}

/* What was asked for and what is so without asking, how it is encrypted first, then in the order of the driver's table. */
static void say_what(const char *filename, const char *format, const Json *options, const BlockDriver *driver)
{
    printf("Formatting '%s', fmt=%s", filename, format);
    for (size_t i = 0; i < json_count(options); i++) {
        if (is_encryption(json_key_at(options, i))) {
            printf(" %s=", json_key_at(options, i));
            print_option_value(json_at(options, i));
        }
    }
    for (const BlockOption *row = driver->create_options; row->name; row++) {
        const Json *given = is_encryption(row->name) ? NULL : json_get(options, row->name);
        if (given) {
            printf(" %s=", row->name);
            print_option_value(given);
        } else if (row->fallback && strcmp(row->name, "compat") && strcmp(row->name, "preallocation") && strcmp(row->name, "data_file_raw")) {
            printf(" %s=%s", row->name, row->fallback);
        }
    }
    for (size_t i = 0; i < json_count(options); i++) {
        const BlockOption *row = driver->create_options;
        while (row->name && strcmp(row->name, json_key_at(options, i))) {
            row++;
        }
        if (!row->name && !is_encryption(json_key_at(options, i))) {
            printf(" %s=", json_key_at(options, i));
            print_option_value(json_at(options, i));
        }
    }
    printf("\n");
}

static int run_create(ImgArgs *args)
{
    const char *format = img_arg(args, "format"), *backing = img_arg(args, "backing"), *backing_format = img_arg(args, "backing-format");
    Error *err = NULL;
    uint64_t size = 0;

    format = format ? format : "raw";
    if (img_wants_option_help(args->creation)) {
        return img_print_option_help(format, args->n_files ? args->files[0] : NULL);
    }
    if (!args->n_files) {
        img_usage(args, "Expecting image file name");
    }
    const char *filename = args->files[0];
    bool has_size = args->n_files >= 2, unsafe = img_flag(args, "backing-unsafe");
    if (has_size && !img_size(args->files[1], "image size", &size)) {
        return 1;
    }
    if (args->n_files > 2) {
        img_usage(args, "Unexpected argument: %s", args->files[2]);
    }
    const BlockDriver *driver = driver_find(format);
    if (!driver) {
        error_report("%s: Unknown file format '%s'", filename, format);
        return 1;
    }
    Json *options = img_creation_options(args);
    if (!options) {
        return 1;
    }
    if ((backing || backing_format) && !driver->has_backing) {
        error_report("%s: Backing %s not supported for file format '%s'", filename, backing ? "file" : "format", format);
        json_free(options);
        return 1;
    }
    if (backing) {
        json_put_string(options, "backing_file", backing);
    }
    if (backing_format) {
        json_put_string(options, "backing_fmt", backing_format);
    }
    bool ok = true;
    if (driver->create_options && !image_create_check(filename, format, options, &err)) {
        ok = false;
    } else if (has_size && json_get(options, "size")) {
        error_set(&err, "The image size must be specified only once");
        ok = false;
    } else if (has_size) {
        json_put_uint(options, "size", size);
    } else if (json_get(options, "size")) {
        size = json_as_uint(json_get(options, "size"));
        has_size = true;
    }
    backing = json_get_string(options, "backing_file");
    backing_format = json_get_string(options, "backing_fmt");
    if (ok && backing && !strcmp(backing, filename)) {
        error_set(&err, "Error: Trying to create an image with the same filename as the backing file");
        ok = false;
    }
    if (ok && backing_format && !driver_find(backing_format)) {
        error_report("%s: Unknown driver '%s'", filename, backing_format);
        fprintf(stderr, "Could not open backing image.\n");
        json_free(options);
        return 1;
    }
    if (ok && backing_format && !backing) {
        error_set(&err, "Backing format cannot be used without backing file");
        ok = false;
    }
    if (ok && backing && !unsafe) {
        if (!look_at_backing(filename, backing, backing_format, unsafe, has_size, &size)) {
            json_free(options);
            return 1;
        }
        has_size = true;
    }
    if (ok && !has_size) {
        error_set(&err, "Image creation needs a size parameter");
        ok = false;
    }
    if (ok) {
        json_put_uint(options, "size", size);
        if (!img_flag(args, "quiet") && driver->create_options) {
            say_what(filename, format, options, driver);
            fflush(stdout);
        }
        ok = image_create(filename, format, options, false, &err);
    }
    json_free(options);
    if (!ok) {
        error_report("%s: %s", filename, error_message(err));
        error_free(err);
    }
    return ok ? 0 : 1;
}

const ImgCommand img_create = { "create", "Create a new image", "FILE [SIZE]", create_options, run_create };

/* -- resize ---------------------------------------------------------------------------------------------------------- */

static const ImgOption resize_options[] = {
    IMG_HELP, IMG_FORMAT, IMG_IMAGE_OPTS,
    { "preallocation", 0, "MODE", "what happens to new space: off, metadata, falloc, full" },
    { "shrink", 0, NULL, "allow a smaller size: what is behind it is lost" },
    IMG_QUIET, IMG_OBJECT, { NULL },
};

static int run_resize(ImgArgs *args)
{
    Prealloc prealloc = PREALLOC_OFF;
    const char *mode = img_arg(args, "preallocation");
    uint64_t size;
    Error *err = NULL;
    int status = 1;

    if (args->n_files < 2) {
        img_usage(args, "Expecting image file name and size");
    }
    if (args->n_files > 2) {
        img_usage(args, "Unexpected argument: %s", args->files[2]);
    }
    const char *text = args->files[1];
    char sign = *text == '+' || *text == '-' ? *text++ : 0;
    if (*text == '-' || !text_to_size(text, 1, &size)) {
        error_report("Parameter 'size' expects a non-negative number below 2^64\nOptional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, "
                     "peta-\nand exabytes, respectively.");
        return 1;
    }
    size = MIN(size, (uint64_t)INT64_MAX + 1);
    while (mode && prealloc_names[prealloc] && strcmp(prealloc_names[prealloc], mode)) {
        prealloc++;
    }
    if (!prealloc_names[prealloc]) {
        error_report("Invalid preallocation mode '%s'", mode);
        return 1;
    }
    BlockNode *node = img_open_args(args, args->files[0], "format", BLOCK_RDWR);
    BlockEdge *edge = node ? img_use(node, args->files[0], PERM_READ | PERM_WRITE | PERM_RESIZE, PERM_READ) : NULL;
    if (!edge) {
        node_unref(node);
        return 1;
    }
    uint64_t now = node->size_bytes, want = sign == '+' ? now + size : sign == '-' ? now - MIN(size, now) : size;
    if (want == 0 || want > INT64_MAX || (sign == '-' && size >= now)) {
        error_report("New image size must be positive");
    } else if (want < now && prealloc != PREALLOC_OFF) {
        error_report("Preallocation can only be used for growing images");
    } else if (want < now && !img_flag(args, "shrink")) {
        error_report("Use the --shrink option to perform a shrink operation.");
        error_warn("Shrinking an image will delete all data beyond the shrunken image's end. Before performing such an operation, make sure there "
                   "is no important data there.");
    } else if (!node_truncate(node, want, !strcmp(node->driver->name, "raw") ? false : true, prealloc, &err)) {
        error_report("%s", error_message(err));
        img_bitmap_hint(err);
        error_free(err);
    } else {
        if (!img_flag(args, "quiet")) {
            printf("Image resized.\n");
        }
        status = 0;
    }
    edge_detach(edge);
    node_unref(node);
    return status;
}

const ImgCommand img_resize = { "resize", "Change the size of an image", "FILE [+-]SIZE", resize_options, run_resize };

/* -- amend ----------------------------------------------------------------------------------------------------------- */

static const ImgOption amend_options[] = {
    IMG_HELP, { "options", 'o', "FMT_OPTS", "what to change (needed)" }, IMG_FORMAT, IMG_IMAGE_OPTS, IMG_CACHE('t'),
    { "force", 0, NULL, "allow changes that may lose something" }, IMG_PROGRESS, IMG_QUIET, IMG_OBJECT, { NULL },
};

/* `created`: what could have been asked for when it was made. */
static void report_unknown(const BlockOption *rows, const BlockOption *created, const Json *options)
{
    for (size_t i = 0; i < json_count(options); i++) {
        const BlockOption *row = rows;
        while (row->name && strcmp(row->name, json_key_at(options, i))) {
            row++;
        }
        if (!row->name) {
            error_report("Invalid parameter '%s'", json_key_at(options, i));
            for (const BlockOption *other = created; other && other->name; other++) {
                if (!strcmp(other->name, json_key_at(options, i))) {
                    fprintf(stderr, "This option is only supported for image creation\n");
                }
            }
            return;
        }
    }
}

static bool amend(BlockNode *node, Json *options, bool force, Error **errp)
{
    json_put_bool(options, "force", force);
    return node->driver->amend(node, options, errp);
}

static int run_amend(ImgArgs *args)
{
    Error *err = NULL;
    int status = 1;

    if (!args->creation) {
        img_usage(args, "Must specify options (-o)");
    }
    if (img_wants_option_help(args->creation) && img_arg(args, "format")) {
        const BlockDriver *driver = driver_find(img_arg(args, "format"));
        if (!driver) {
            error_report("Unknown file format '%s'", img_arg(args, "format"));
            return 1;
        }
        return img_print_amend_help(driver);
    }
    if (args->n_files != 1) {
        img_usage(args, "Expecting one image file name");
    }
    BlockNode *node = img_open_args(args, args->files[0], "format", BLOCK_RDWR);
    BlockEdge *edge = node ? img_use(node, args->files[0], PERM_READ | PERM_WRITE | PERM_RESIZE, PERM_READ) : NULL;
    Json *options = edge ? img_creation_options(args) : NULL;
    const BlockOption *rows = !node ? NULL : node->driver->amend_options ? node->driver->amend_options : node->driver->create_options;
    if (options && img_wants_option_help(args->creation)) {
        status = img_print_amend_help(node->driver);
    } else if (options && !node->driver->amend) {
        error_report("Format driver '%s' does not support option amendment", node->driver->name);
    } else if (options && !driver_check_options(rows, node->driver->name, options, &err)) {
        error_free(err);
        report_unknown(rows, node->driver->create_options, options);
    } else if (options && !amend(node, options, img_flag(args, "force"), &err)) {
        error_report_free(err);
    } else if (options) {
        status = 0;
        if (img_flag(args, "progress")) {
            printf("    (100.00/100%%)\n");
        }
    }
    json_free(options);
    if (edge) {
        edge_detach(edge);
    }
    node_unref(node);
    return status;
}

const ImgCommand img_amend = { "amend", "Change options of an image's format", "FILE", amend_options, run_amend };

/* -- measure --------------------------------------------------------------------------------------------------------- */

static const ImgOption measure_options[] = {
    IMG_HELP, IMG_FORMAT, IMG_IMAGE_OPTS,
    { "snapshot", 'l', "SNAPSHOT", "this snapshot of FILE" },
    { "target-format", 'O', "FMT", "format of the image to be (default: raw)" },
    { "options", 'o', "FMT_OPTS", "its options" },
    IMG_OUTPUT, IMG_SHARE,
    { "size", 's', "SIZE", "for an image of this size instead of a file" },
    IMG_OBJECT, { NULL },
};

static bool measure_raw(uint64_t size, uint64_t *required, uint64_t *full)
{
    /* All of it: whether the file system has holes is not known. */
    *required = *full = size;
    return true;
}

static Json *source_specific(BlockNode *in)
{
    BlockInfo info = { 0 };
    if (in->driver->info) {
        in->driver->info(in, &info);
    }
    return info.specific;
}

static int run_measure(ImgArgs *args)
{
    const char *format = img_arg(args, "target-format"), *size_text = img_arg(args, "size");
    bool json = img_wants_json(args), ok = true;
    uint64_t size = 0, required = 0, full = 0;
    BlockNode *in = NULL;
    Error *err = NULL;

    format = format ? format : "raw";
    if (args->n_files > 1) {
        error_report("At most one filename argument is allowed.");
        return 1;
    }
    if (!args->n_files && (img_flag(args, "image-opts") || img_arg(args, "format") || img_arg(args, "snapshot"))) {
        error_report("--image-opts, -f, and -l require a filename argument.");
        return 1;
    }
    if (!args->n_files && !size_text) {
        error_report("Either --size N or one filename must be specified.");
        return 1;
    }
    if (args->n_files && size_text) {
        error_report("--size N cannot be used together with a filename.");
        return 1;
    }
    if (size_text && !img_size(size_text, "image size", &size)) {
        return 1;
    }
    const BlockDriver *driver = driver_find(format);
    if (!driver) {
        error_report("Unknown file format '%s'", format);
        return 1;
    }
    Json *options = img_creation_options(args);
    if (!options) {
        return 1;
    }
    if (!driver->create_options || (!driver->measure && strcmp(format, "raw"))) {
        error_report("Block driver '%s' does not support size measurement", format);
        json_free(options);
        return 1;
    }
    if (args->n_files) {
        in = img_open_args(args, args->files[0], "format", 0);
        ok = in != NULL;
        if (ok && img_arg(args, "snapshot")) {
            ok = in->driver->snapshot_load && in->driver->snapshot_load(in, img_arg(args, "snapshot"), &err);
            if (!ok) {
                error_report("Failed to load snapshot: %s", err ? error_message(err) : "the format has none");
            }
        }
    } else {
        json_put_uint(options, "size", size);
    }
    if (ok && strcmp(format, "raw") && !driver_check_options(driver->create_options, format, options, &err)) {
        error_free(err);
        report_unknown(driver->create_options, NULL, options);
        error_report("Invalid options for file format '%s'", format);
        ok = false;
    }
    if (ok && driver->measure) {
        ok = driver->measure(options, in, &required, &full, &err);
        if (!ok) {
            error_report_free(err);
        }
    } else if (ok) {
        ok = measure_raw(in ? in->size_bytes : size, &required, &full);
    }
    /* Images that could have bitmaps say how much those take. */
    Json *specific = in && !strcmp(format, "qcow2") ? source_specific(in) : NULL;
    bool bitmaps = specific && !strcmp(in->driver->name, "qcow2") && strcmp(json_get_string(json_get(specific, "data"), "compat"), "0.10") &&
                   (!json_get_string(options, "compat") || (strcmp(json_get_string(options, "compat"), "0.10") && strcmp(json_get_string(options, "compat"), "v2")));
    uint64_t cluster = 65536, bitmap_bytes = 0;
    if (ok && bitmaps && opts_size(options, "cluster_size", cluster, &cluster, NULL)) {
        bitmap_bytes = qcow2_bitmaps_size(in, cluster);
    }
    if (ok && json) {
        printf("{\n");
        if (bitmaps) {
            printf("    \"bitmaps\": %" PRIu64 ",\n", bitmap_bytes);
        }
        printf("    \"required\": %" PRIu64 ",\n    \"fully-allocated\": %" PRIu64 "\n}\n", required, full);
    } else if (ok) {
        printf("required size: %" PRIu64 "\nfully allocated size: %" PRIu64 "\n", required, full);
        if (bitmaps) {
            printf("bitmaps size: %" PRIu64 "\n", bitmap_bytes);
        }
    }
    json_free(specific);
    node_unref(in);
    json_free(options);
    return ok ? 0 : 1;
}

const ImgCommand img_measure = { "measure", "Say how large an image would be", "(--size SIZE | FILE)", measure_options, run_measure };
