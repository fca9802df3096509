/*
 * img-convert.c: convert and dd: copies of images.
 *
 * Several coroutines take the next stretch of the source each, read it and write what is not zeros. Writes go out in order of the source, as a
 * file that is read from start to end later wants it, unless -W or compression, where the work in between takes its time.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "block/tools/img.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/parse.h"

enum { MAX_PARALLEL = 16 };
#define BUFFER_BYTES (2 * MiB)
#define MAX_SPARSE (16 * MiB)

static const ImgOption convert_options[] = {
    IMG_HELP,
    { "source-format", 'f', "FMT", "format of the sources (default: what their contents look like)" },
    { "image-opts", 0, NULL, "each source is options (key=value,...), not a name" },
    { "source-image-opts", 0, NULL, "the same" },
    { "source-cache", 'T', "CACHE", "cache mode of the sources (default: writeback)" },
    { "snapshot", 'l', "SNAPSHOT", "this snapshot of the source" },
    { "salvage", 0, NULL, "unreadable parts become zeros" },
    { "target-format", 'O', "FMT", "format of the target (default: raw)" },
    { "target-image-opts", 0, NULL, "the target is options, not a name (with -n)" },
    { "target-format-options", 'o', "FMT_OPTS", "options of the target's format" },
    { "target-cache", 't', "CACHE", "cache mode of the target (default: unsafe)" },
    { "backing", 'b', "BACKING_FILE", "the target gets only what differs from this image" },
    { "backing", 'B', "BACKING_FILE", NULL },
    { "backing-format", 'F', "BACKING_FMT", "its format" },
    { "sparse-size", 'S', "SIZE", "so many zeros become a gap (default: 4k; 0: none)" },
    { "no-create", 'n', NULL, "the target is there" },
    { "target-is-zero", 0, NULL, "and reads as zeros" },
    { "compress", 'c', NULL, "compressed" },
    IMG_SHARE,
    { "rate-limit", 'r', "RATE", "bytes a second" },
    { "parallel", 'm', "N", "requests at a time (default: 8)" },
    { "oob-writes", 'W', NULL, "write in any order" },
    { "bitmaps", 0, NULL, "with the persistent bitmaps" },
    { "skip-broken-bitmaps", 0, NULL, "but for inconsistent ones" },
    { "copy-range-offloading", 'C', NULL, "let the file system copy" },
    IMG_PROGRESS, IMG_QUIET, IMG_OBJECT, { NULL },
};

typedef enum StretchKind { STRETCH_DATA, STRETCH_ZERO, STRETCH_BACKING } StretchKind;

typedef struct Convert {
    BlockNode **sources, *target;
    uint64_t *source_start;          /* with one more: the end */
    unsigned n_sources;
    uint64_t size, next, written;    /* written: all before has been, in order */
    bool in_order, compressed, target_is_zero, target_has_backing, salvage, offload;
    uint64_t min_sparse, chunk, align, rate;
    unsigned running;
    CoMutex choosing;
    CoQueue turn;
    ImgProgress progress;
    int err;
    uint64_t err_at;
    const char *err_what;
    struct timespec began;
} Convert;

static void convert_fail(Convert *c, int err, uint64_t at, const char *what)
{
    if (!c->err) {
        c->err = err;
        c->err_at = at;
        c->err_what = what;
    }
}

static unsigned source_at(const Convert *c, uint64_t at)
{
    unsigned i = 0;
    while (i + 1 < c->n_sources && at >= c->source_start[i + 1]) {
        i++;
    }
    return i;
}

static int next_stretch(Convert *c, uint64_t *at, uint64_t *bytes, StretchKind *kind, bool *compressed_source)
{
    BlockStatus st;
    unsigned i = source_at(c, c->next);
    BlockNode *source = c->sources[i];
    uint64_t in_source = c->next - c->source_start[i], left = c->source_start[i + 1] - c->next;
    BlockNode *base = c->target_has_backing ? node_backing(node_skip_filters(source)) : NULL;
    int err = node_co_status_above(source, base, in_source, MIN(left, source->size_bytes - in_source), &st);

    if (err) {
        if (!c->salvage) {
            convert_fail(c, err, c->next, "error while reading block status at offset");
            return err;
        }
        st = (BlockStatus){ .flags = STATUS_DATA, .bytes = MIN(left, c->chunk) };
    }
    *at = c->next;
    *bytes = MIN(st.bytes, left);
    bool below = c->target_has_backing && !(st.flags & STATUS_ALLOCATED);
    *kind = below ? STRETCH_BACKING : st.flags & STATUS_ZERO && c->min_sparse ? STRETCH_ZERO : STRETCH_DATA;
    *compressed_source = st.flags & STATUS_COMPRESSED;
    if (*kind == STRETCH_DATA || c->compressed) {
        /* With compression stretches are whole clusters of the target; so they begin at one. */
        uint64_t end = *at + *bytes, chunk = c->chunk;
        if (c->compressed) {
            end = MIN(ROUND_UP(end, c->align), c->size);
            if (*kind != STRETCH_DATA && end - *at > c->align && end % c->align) {
                end = ROUND_DOWN(end, c->align);
            }
            uint64_t whole = ROUND_DOWN(*at + *bytes, c->align);
            if (*kind != STRETCH_DATA && whole > *at) {
                end = whole;
            } else if (*kind != STRETCH_DATA && *at + *bytes < c->size) {
                *kind = STRETCH_DATA; /* a part of a cluster: read it */
                end = MIN(*at + c->align, c->size);
            }
        }
        *bytes = *kind == STRETCH_DATA ? MIN(end - *at, chunk) : end - *at;
    }
    c->next += *bytes;
    return 0;
}

/* Across the ends of sources. */
static int read_sources(Convert *c, uint64_t at, uint64_t bytes, uint8_t *buf)
{
    while (bytes) {
        unsigned i = source_at(c, at);
        uint64_t in_source = at - c->source_start[i], n = MIN(bytes, c->source_start[i + 1] - at);
        int err = node_co_pread(c->sources[i], in_source, buf, n);
        if (err && c->salvage) {
            for (uint64_t k = 0; k < n; k += 512) {
                if (node_co_pread(c->sources[i], in_source + k, buf + k, MIN(n - k, 512u))) {
                    memset(buf + k, 0, MIN(n - k, 512u));
                }
            }
            error_warn("error while reading offset %" PRIu64 ": %s", at, strerror(-err));
            err = 0;
        }
        if (err) {
            convert_fail(c, err, at, "error while reading at byte");
            return err;
        }
        at += n;
        buf += n;
        bytes -= n;
    }
    return 0;
}

/* The length of the stretch at `buf` that is zeros throughout, or has none, in units of `unit`; the first is cut to the unit's boundary. */
static uint64_t same_kind(const uint8_t *buf, uint64_t at, uint64_t bytes, uint64_t unit, bool *zero)
{
    uint64_t n = MIN(bytes, unit - at % unit);

    *zero = buffer_is_zero(buf, n);
    while (n < bytes) {
        uint64_t step = MIN(bytes - n, unit);
        if (buffer_is_zero(buf + n, step) != *zero) {
            break;
        }
        n += step;
    }
    return n;
}

static int write_zeros(Convert *c, uint64_t at, uint64_t bytes)
{
    return c->target_is_zero ? 0 : node_co_zero(c->target, at, bytes, REQ_UNMAP);
}

static int write_data(Convert *c, uint64_t at, uint64_t bytes, uint8_t *buf)
{
    int err = 0;

    while (bytes && !err) {
        bool zero = false;
        uint64_t n = bytes;
        if (c->compressed) {
            n = MIN(bytes, c->align);
            zero = c->min_sparse && buffer_is_zero(buf, n);
        } else if (c->min_sparse) {
            n = same_kind(buf, at, bytes, c->min_sparse, &zero);
        }
        struct iovec v = { buf, n };
        err = zero ? write_zeros(c, at, n) : node_co_write(c->target, at, n, sg_of(&v), c->compressed ? REQ_COMPRESSED : 0);
        at += n;
        buf += n;
        bytes -= n;
    }
    return err;
}

static void wait_for_turn(Convert *c, uint64_t at)
{
    while (c->in_order && c->written != at && !c->err) {
        co_queue_wait(&c->turn);
    }
}

static void limit_rate(Convert *c)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t spent = (now.tv_sec - c->began.tv_sec) * 1000000000ll + now.tv_nsec - c->began.tv_nsec;
    double due = (double)c->progress.done / (double)c->rate * 1e9;
    if (due > (double)spent) {
        co_sleep_ns((int64_t)(due - (double)spent));
    }
}

static void convert_worker(void *opaque)
{
    Convert *c = opaque;
    uint8_t *buf = NULL;
    uint64_t at, bytes;
    StretchKind kind;
    bool from_compressed;

    while (!c->err && c->next < c->size) {
        co_mutex_lock(&c->choosing); /* looking may yield, and each stretch is for one */
        bool none = c->next >= c->size || c->err || next_stretch(c, &at, &bytes, &kind, &from_compressed);
        co_mutex_unlock(&c->choosing);
        if (none) {
            break;
        }
        int err = 0;
        bool done = false;
        if (kind == STRETCH_DATA && c->offload && !from_compressed) {
            unsigned i = source_at(c, at);
            wait_for_turn(c, at);
            err = c->err ? 0 : node_co_copy(c->sources[i], at - c->source_start[i], c->target, at, bytes, 0);
            done = !err;
            c->offload &= err != -ENOTSUP;
            err = err == -ENOTSUP ? 0 : err;
        }
        if (kind == STRETCH_DATA && !done && !err) {
            buf = buf ? buf : node_alloc(c->target, c->chunk);
            if (read_sources(c, at, bytes, buf)) {
                break;
            }
        }
        wait_for_turn(c, at);
        if (c->err) {
            break;
        }
        if (!done && !err) {
            err = kind == STRETCH_DATA ? write_data(c, at, bytes, buf) : kind == STRETCH_ZERO ? write_zeros(c, at, bytes) : 0;
        }
        if (err) {
            convert_fail(c, err, at, "error while writing at byte");
            break;
        }
        if (c->in_order) {
            c->written = at + bytes;
            co_queue_wake_all(&c->turn);
        }
        img_progress(&c->progress, bytes);
        if (c->rate) {
            limit_rate(c);
        }
    }
    co_queue_wake_all(&c->turn);
    free(buf);
    c->running--;
}

static bool convert_run(Convert *c, unsigned parallel)
{
    co_queue_init(&c->turn);
    co_mutex_init(&c->choosing);
    clock_gettime(CLOCK_MONOTONIC, &c->began);
    c->progress.total = c->size;
    for (unsigned i = 0; i < parallel; i++) {
        c->running++;
        ioctx_start(ioctx_main(), convert_worker, c);
    }
    ioctx_wait_zero(ioctx_main(), &c->running);
    if (c->err) {
        error_report("%s %" PRIu64 ": %s", c->err_what, c->err_at, strerror(-c->err));
    }
    return !c->err;
}

/* -- convert --------------------------------------------------------------------------------------------------------- */

typedef struct Endpoints {
    BlockEdge **source_edges, *target_edge;
    unsigned n_edges;
} Endpoints;

static bool open_sources(ImgArgs *args, Convert *c, Endpoints *e, int n)
{
    unsigned flags = img_flag(args, "force-share") ? BLOCK_FORCE_SHARE : 0;
    const char *snapshot = img_arg(args, "snapshot");
    bool writethrough;
    Error *err = NULL;

    if (!node_cache_flags(img_arg(args, "source-cache"), &flags, &writethrough)) {
        error_report("Invalid source cache option: %s", img_arg(args, "source-cache"));
        return false;
    }
    for (int i = 0; i < n; i++) {
        BlockNode *node = img_open(args->files[i], img_arg(args, "source-format"), img_flag(args, "image-opts") || img_flag(args, "source-image-opts"), flags, NULL);
        if (!node) {
            return false;
        }
        c->sources[c->n_sources++] = node;
        if (snapshot) {
            const char *name = !strncmp(snapshot, "snapshot.name=", 14) ? snapshot + 14 : !strncmp(snapshot, "snapshot.id=", 12) ? snapshot + 12 : snapshot;
            if (n > 1) {
                error_report("No support for concatenating multiple snapshot");
                return false;
            }
            if (!node->driver->snapshot_load) {
                error_report("Failed to load snapshot: Block format '%s' used by device '' does not support temporarily loading internal snapshots",
                             node->driver->name);
                return false;
            }
            if (!node->driver->snapshot_load(node, name, &err)) {
                error_report("Failed to load snapshot: %s", error_message(err));
                error_free(err);
                return false;
            }
        }
        e->source_edges[i] = img_use(node, args->files[i], PERM_READ, PERM_READ | PERM_WRITE_UNCHANGED | (flags & BLOCK_FORCE_SHARE ? PERM_ALL : 0));
        if (!e->source_edges[i]) {
            return false;
        }
        e->n_edges++;
        c->source_start[i + 1] = c->source_start[i] + node->size_bytes;
        c->size = c->source_start[i + 1];
    }
    return true;
}

static bool create_target(ImgArgs *args, Convert *c, const char *file, const char *format, bool *ret_new_is_zero)
{
    const BlockDriver *driver = driver_find(format);
    Json *options = img_creation_options(args);
    const char *backing = img_arg(args, "backing"), *backing_format = img_arg(args, "backing-format");
    Error *err = NULL;

    if (!options) {
        return false;
    }
    if (!driver->create_options) {
        error_report("Format driver '%s' does not support image creation", format);
        json_free(options);
        return false;
    }
    if (backing) {
        json_put_string(options, "backing_file", backing);
    }
    if (backing_format) {
        json_put_string(options, "backing_fmt", backing_format);
    }
    backing = json_get_string(options, "backing_file");
    if (c->compressed && !driver->co_write_compressed) {
        error_report("Compression not supported for this file format");
        json_free(options);
        return false;
    }
    if (c->compressed && (json_get(options, "encryption") || json_get(options, "encrypt.format"))) {
        error_report("Compression and encryption not supported at the same time");
        json_free(options);
        return false;
    }
    const char *mode = json_get_string(options, "preallocation");
    if (c->compressed && mode && strcmp(mode, "off")) {
        error_report("Compression and preallocation not supported at the same time");
        json_free(options);
        return false;
    }
    if (backing && !json_get(options, "backing_fmt")) {
        error_report("Use of backing file requires explicit backing format");
        json_free(options);
        return false;
    }
    if (!image_create_check(file, format, options, &err)) {
        error_report_free(err);
        json_free(options);
        return false;
    }
    if (!json_get(options, "size")) {
        json_put_uint(options, "size", c->size);
    }
    bool ok = image_create(file, format, options, true, &err);
    if (!ok) {
        error_report("%s: error while converting %s: %s", file, format, error_message(err));
        error_free(err);
    }
    *ret_new_is_zero = driver->zero_init && !backing;
    c->target_has_backing = backing != NULL;
    json_free(options);
    return ok;
}

static bool open_target(ImgArgs *args, Convert *c, Endpoints *e, const char *file)
{
    unsigned flags = BLOCK_RDWR | BLOCK_DISCARD;
    const char *format = img_arg(args, "target-format"), *cache = img_arg(args, "target-cache");
    bool writethrough, opts = img_flag(args, "target-image-opts"), no_create = img_flag(args, "no-create"), is_zero = false;

    format = format || opts ? format : "raw";
    if (!node_cache_flags(cache ? cache : "unsafe", &flags, &writethrough)) {
        error_report("Invalid cache option: %s", cache);
        return false;
    }
    if (format && !driver_find(format)) {
        error_report("Unknown file format '%s'", format);
        return false;
    }
    if (!no_create && !create_target(args, c, file, format, &is_zero)) {
        return false;
    }
    /* The keys it has been made with open it, too. */
    Json *keys = json_object(), *given = no_create ? NULL : img_creation_options(args);
    for (size_t i = 0; i < json_count(given); i++) {
        size_t n = strlen(json_key_at(given, i));
        if (n >= 10 && !strcmp(json_key_at(given, i) + n - 10, "key-secret")) {
            json_put(keys, json_key_at(given, i), json_copy(json_at(given, i)));
        }
    }
    json_free(given);
    opts_nest(keys, NULL);
    c->target = img_open(file, format, opts, flags, keys);
    e->target_edge = c->target ? img_use(c->target, file, PERM_WRITE | PERM_RESIZE, PERM_READ | PERM_WRITE_UNCHANGED) : NULL;
    if (!e->target_edge) {
        return false;
    }
    c->target_is_zero = is_zero || img_flag(args, "target-is-zero");
    if (no_create && c->target->size_bytes < c->size) {
        error_report("output file is smaller than input file");
        return false;
    }
    if (c->compressed && !c->target->driver->co_write_compressed) {
        error_report("Compression not supported for this file format");
        return false;
    }
    return true;
}

static bool read_numbers(ImgArgs *args, Convert *c, unsigned *parallel)
{
    uint64_t n;

    c->min_sparse = 4096;
    if (img_arg(args, "sparse-size")) {
        if (!img_size(img_arg(args, "sparse-size"), "sparse size", &c->min_sparse)) {
            return false;
        }
        if (c->min_sparse > MAX_SPARSE || (c->min_sparse && c->min_sparse < 512)) {
            error_report("Invalid buffer size for sparse output specified. Valid sizes are multiples of 512 up to %d. Select 0 to disable sparse "
                         "detection (fully allocates output).", (int)MAX_SPARSE);
            return false;
        }
        c->min_sparse = ROUND_DOWN(c->min_sparse, (uint64_t)512);
    }
    if (img_arg(args, "parallel")) {
        if (!text_to_uint(img_arg(args, "parallel"), &n) || n < 1 || n > MAX_PARALLEL) {
            error_report("Invalid number of coroutines specified. Must be between 1 and %d.", MAX_PARALLEL);
            return false;
        }
        *parallel = (unsigned)n;
    }
    if (img_arg(args, "rate-limit") && !img_size(img_arg(args, "rate-limit"), "rate limit", &c->rate)) {
        return false;
    }
    return true;
}

static bool source_has_bitmaps(BlockNode *source, bool skip_broken)
{
    if (!source->driver->bitmap_can_store) {
        error_report("Source lacks bitmap support");
        return false;
    }
    return img_bitmaps_check(source, skip_broken);
}

static bool target_keeps_bitmaps(BlockNode *target)
{
    BlockInfo info = { 0 };

    if (target->driver->info) {
        target->driver->info(target, &info);
    }
    const char *compat = json_get_string(json_get(info.specific, "data"), "compat");
    bool ok = target->driver->bitmap_can_store && !(compat && !strcmp(compat, "0.10"));
    json_free(info.specific);
    if (!ok) {
        error_report("Format driver '%s' does not support bitmaps", target->driver->name);
    }
    return ok;
}

static int run_convert(ImgArgs *args)
{
    Convert c = { .compressed = img_flag(args, "compress"), .salvage = img_flag(args, "salvage"), .offload = img_flag(args, "copy-range-offloading"),
                  .chunk = BUFFER_BYTES, .progress.on = img_flag(args, "progress") && !img_flag(args, "quiet") };
    Endpoints e = { 0 };
    unsigned parallel = 8;
    bool ok = false;

    if (img_wants_option_help(args->creation)) {
        return img_print_option_help(img_arg(args, "target-format") ? img_arg(args, "target-format") : "raw", args->n_files ? args->files[args->n_files - 1] : NULL);
    }
    if (args->n_files < 2) {
        error_report("Must specify image file name");
        return 1;
    }
    if (c.offload && c.compressed) {
        error_report("Cannot enable copy offloading when -c is used");
        return 1;
    }
    if (c.offload && img_arg(args, "sparse-size")) {
        error_report("Cannot enable copy offloading when -S is used");
        return 1;
    }
    if (img_flag(args, "target-image-opts") && !img_flag(args, "no-create")) {
        error_report("--target-image-opts requires use of -n flag");
        return 1;
    }
    if (img_flag(args, "target-is-zero") && !img_flag(args, "no-create")) {
        error_report("--target-is-zero requires use of -n flag");
        return 1;
    }
    bool bitmaps = img_flag(args, "bitmaps"), skip_broken = img_flag(args, "skip-broken-bitmaps");
    if (skip_broken && !bitmaps) {
        error_report("Use of --skip-broken-bitmaps requires --bitmaps");
        return 1;
    }
    if (bitmaps && args->n_files > 2) {
        error_report("Copying bitmaps only possible with single source");
        return 1;
    }
    if (!read_numbers(args, &c, &parallel)) {
        return 1;
    }
    int n = args->n_files - 1;
    c.sources = xnew_array(BlockNode *, (size_t)n);
    c.source_start = xnew_array(uint64_t, (size_t)n + 1);
    e.source_edges = xnew_array(BlockEdge *, (size_t)n);
    c.in_order = !img_flag(args, "oob-writes") && !c.compressed;
    if (open_sources(args, &c, &e, n) && (!bitmaps || source_has_bitmaps(c.sources[0], skip_broken)) &&
        open_target(args, &c, &e, args->files[n]) && (!bitmaps || target_keeps_bitmaps(c.target))) {
        BlockInfo info = { 0 };
        if (c.target->driver->info) {
            c.target->driver->info(c.target, &info);
            json_free(info.specific);
        }
        c.align = c.compressed && info.cluster_size ? info.cluster_size : 512;
        c.chunk = c.compressed ? c.align : MAX(BUFFER_BYTES, c.align);
        ok = convert_run(&c, parallel);
        ok = ok && (!bitmaps || img_bitmaps_copy(c.sources[0], c.target));
        int err = ok ? node_flush(c.target) : 0;
        if (err) {
            error_report("error while flushing the target: %s", strerror(-err));
            ok = false;
        }
        if (ok) {
            img_progress_end(&c.progress);
        }
    }
    if (e.target_edge) {
        edge_detach(e.target_edge);
    }
    node_unref(c.target);
    for (unsigned i = 0; i < c.n_sources; i++) {
        if (i < e.n_edges) {
            edge_detach(e.source_edges[i]);
        }
        node_unref(c.sources[i]);
    }
    free(c.sources);
    free(c.source_start);
    free(e.source_edges);
    return ok ? 0 : 1;
}

const ImgCommand img_convert = { "convert", "Copy images to another, also of another format", "SRC_FILE... TGT_FILE", convert_options, run_convert };

/* -- dd -------------------------------------------------------------------------------------------------------------- */

static const ImgOption dd_options[] = {
    IMG_HELP, IMG_FORMAT, IMG_IMAGE_OPTS, { "output-format", 'O', "FMT", "format of the output (default: raw)" }, IMG_SHARE, IMG_OBJECT, { NULL },
};

static int run_dd(ImgArgs *args)
{
    const char *in = NULL, *out = NULL, *format = img_arg(args, "output-format");
    uint64_t bs = 512, count = UINT64_MAX, skip = 0;
    Error *err = NULL;
    int status = 1;

    format = format ? format : "raw";
    for (int i = 0; i < args->n_files; i++) {
        const char *word = args->files[i], *eq = strchr(word, '=');
        if (!eq) {
            error_report("unrecognized operand %s", word);
            return 1;
        }
        if (!strncmp(word, "if=", 3)) {
            in = eq + 1;
        } else if (!strncmp(word, "of=", 3)) {
            out = eq + 1;
        } else if (!strncmp(word, "bs=", 3)) {
            if (!text_to_size(eq + 1, 1, &bs)) {
                error_report("Invalid bs specified: '%s'", eq + 1);
                return 1;
            }
            if (!bs || bs > INT32_MAX) {
                error_report("Invalid bs specified. Must be between 1 and %d.", INT32_MAX);
                return 1;
            }
        } else if (!strncmp(word, "count=", 6)) {
            if (!text_to_size(eq + 1, 1, &count)) {
                error_report("Invalid count specified: '%s'", eq + 1);
                return 1;
            }
        } else if (!strncmp(word, "skip=", 5)) {
            if (!text_to_size(eq + 1, 1, &skip)) {
                error_report("Invalid skip specified: '%s'", eq + 1);
                return 1;
            }
        } else {
            error_report("unrecognized operand %.*s", (int)(eq - word), word);
            return 1;
        }
    }
    if (!in || !out) {
        error_report("Must specify both input and output files");
        return 1;
    }
    const BlockDriver *driver = driver_find(format);
    if (!driver || !driver->create_options) {
        error_report(driver ? "Format driver '%s' does not support image creation" : "Unknown file format", format);
        return 1;
    }
    BlockNode *source = img_open_args(args, in, "format", 0), *target = NULL;
    BlockEdge *from = source ? img_use(source, in, PERM_READ, PERM_READ | PERM_WRITE_UNCHANGED) : NULL, *to = NULL;
    if (from) {
        uint64_t start = skip > source->size_bytes / bs ? source->size_bytes : skip * bs, size = source->size_bytes - start;
        size = count <= size / bs ? count * bs : size;
        if (skip && start >= source->size_bytes) {
            error_report("%s: cannot skip to specified offset", in);
        }
        Json *options = json_object();
        json_put_uint(options, "size", size);
        if (!image_create(out, format, options, true, &err)) {
            error_report("%s: error while creating output image of format '%s': %s", out, format, error_message(err));
            error_free(err);
        } else {
            target = img_open(out, format, false, BLOCK_RDWR, NULL);
            to = target ? img_use(target, out, PERM_WRITE | PERM_RESIZE, PERM_READ | PERM_WRITE_UNCHANGED) : NULL;
        }
        json_free(options);
        if (to) {
            /* A window of the source: as if it began there. */
            uint8_t *buf = node_alloc(source, BUFFER_BYTES);
            int e = 0;
            for (uint64_t at = 0; at < size && !e;) {
                uint64_t n = MIN(size - at, BUFFER_BYTES);
                e = node_pread(source, start + at, buf, n);
                for (uint64_t k = 0; k < n && !e;) {
                    bool zero;
                    uint64_t run = same_kind(buf + k, at + k, n - k, 4096, &zero);
                    e = zero && driver->zero_init ? 0 : node_pwrite(target, at + k, buf + k, run, 0);
                    k += run;
                }
                at += n;
            }
            e = e ? e : node_flush(target);
            if (e) {
                error_report("error while copying: %s", strerror(-e));
            }
            free(buf);
            status = e ? 1 : 0;
        }
    }
    if (to) {
        edge_detach(to);
    }
    node_unref(target);
    if (from) {
        edge_detach(from);
    }
    node_unref(source);
    return status;
}

const ImgCommand img_dd = { "dd", "Copy a part of an image", "[bs=SIZE] [count=N] [skip=N] if=INPUT of=OUTPUT", dd_options, run_dd };
