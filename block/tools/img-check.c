/*
 * img-check.c: check, map, compare.
 */
#include <errno.h>
#include <string.h>

#include "block/tools/img.h"
#include "softmmu/options.h"
#include "util/alloc.h"

/* -- check ----------------------------------------------------------------------------------------------------------- */

enum { CHECK_OK = 0, CHECK_FAILED = 1, CHECK_CORRUPT = 2, CHECK_LEAKS = 3, CHECK_NOT_SUPPORTED = 63 };

static const ImgOption check_options[] = {
    IMG_HELP, IMG_FORMAT, IMG_IMAGE_OPTS, IMG_CACHE('T'),
    { "repair", 'r', "leaks|all", "repair what is wrong" },
    IMG_SHARE, IMG_OUTPUT, IMG_QUIET, IMG_OBJECT, { NULL },
};

static void put_if(Json *json, const char *key, uint64_t value)
{
    if (value) {
        json_put_uint(json, key, value);
    }
}

static void print_check_json(BlockNode *node, const char *file, const BlockCheck *c)
{
    Json *json = json_object();

    put_if(json, "image-end-offset", c->image_end_offset);
    put_if(json, "corruptions-fixed", c->corruptions_fixed);
    put_if(json, "leaks-fixed", c->leaks_fixed);
    put_if(json, "total-clusters", c->total_clusters);
    json_put_uint(json, "check-errors", c->check_errors);
    put_if(json, "corruptions", c->corruptions);
    put_if(json, "leaks", c->leaks);
    put_if(json, "fragmented-clusters", c->fragmented_clusters);
    put_if(json, "allocated-clusters", c->allocated_clusters);
    json_put_string(json, "filename", file);
    json_put_string(json, "format", node->driver->name);
    put_if(json, "compressed-clusters", c->compressed_clusters);
    char *text = json_print_pretty(json);
    printf("%s\n", text);
    free(text);
    json_free(json);
}

static void print_check_human(const BlockCheck *c)
{
    if (!c->corruptions && !c->leaks && !c->check_errors) {
        printf("No errors were found on the image.\n");
    } else {
        if (c->corruptions) {
            printf("\n%" PRIu64 " errors were found on the image.\nData may be corrupted, or further writes to the image may corrupt it.\n", c->corruptions);
        }
        if (c->leaks) {
            printf("\n%" PRIu64 " leaked clusters were found on the image.\nThis means waste of disk space, but no harm to data.\n", c->leaks);
        }
        if (c->check_errors) {
            printf("\n%" PRIu64 " internal errors have occurred during the check.\n", c->check_errors);
        }
    }
    if (c->total_clusters && c->allocated_clusters) {
        printf("%" PRIu64 "/%" PRIu64 " = %0.2f%% allocated, %0.2f%% fragmented, %0.2f%% compressed clusters\n", c->allocated_clusters, c->total_clusters,
               (double)c->allocated_clusters * 100.0 / (double)c->total_clusters, (double)c->fragmented_clusters * 100.0 / (double)c->allocated_clusters,
               (double)c->compressed_clusters * 100.0 / (double)c->allocated_clusters);
    }
    if (c->image_end_offset) {
        printf("Image end offset: %" PRIu64 "\n", c->image_end_offset);
    }
}

static bool do_check(BlockNode *node, BlockCheck *c, unsigned fix)
{
    Error *err = NULL;
    bool ok = node->driver->check(node, c, fix, &err);

    fflush(stdout);
    for (size_t i = 0; i < c->n_messages; i++) {
        fprintf(stderr, "%s\n", c->messages[i]);
    }
    if (!ok) {
        error_report_free(err);
    }
    return ok;
}

static int run_check(ImgArgs *args)
{
    const char *repair = img_arg(args, "repair");
    bool json = img_wants_json(args), quiet = img_flag(args, "quiet");
    unsigned fix = 0;
    BlockCheck c = { 0 };

    if (repair && !strcmp(repair, "leaks")) {
        fix = CHECK_FIX_LEAKS;
    } else if (repair && !strcmp(repair, "all")) {
        fix = CHECK_FIX_LEAKS | CHECK_FIX_ERRORS;
    } else if (repair) {
        img_usage(args, "--repair (-r) expects 'leaks' or 'all', not '%s'", repair);
    }
    if (args->n_files != 1) {
        img_usage(args, "Expecting one image file name");
    }
    BlockNode *node = img_open_args(args, args->files[0], "format", BLOCK_CHECK | (fix ? BLOCK_RDWR : 0));
    BlockEdge *edge = node ? img_use(node, args->files[0], PERM_READ | (fix ? PERM_WRITE | PERM_RESIZE : 0), fix ? PERM_READ : PERM_ALL & ~(unsigned)(PERM_WRITE | PERM_RESIZE)) : NULL;
    int status = CHECK_FAILED;
    if (edge && !node->driver->check) {
        error_report("This image format does not support checks");
        status = CHECK_NOT_SUPPORTED;
    } else if (edge && do_check(node, &c, fix)) {
        uint64_t leaks_fixed = c.leaks_fixed, corruptions_fixed = c.corruptions_fixed;
        bool ok = true;
        if (leaks_fixed || corruptions_fixed) {
            if (!json && !quiet) {
                printf("The following inconsistencies were found and repaired:\n\n    %" PRIu64 " leaked clusters\n    %" PRIu64 " corruptions\n\n"
                       "Double checking the fixed image now...\n", leaks_fixed, corruptions_fixed);
            }
            block_check_free(&c);
            ok = do_check(node, &c, 0);
            c.leaks_fixed = leaks_fixed;
            c.corruptions_fixed = corruptions_fixed;
        }
        if (ok && json && !quiet) {
            print_check_json(node, args->files[0], &c);
        } else if (ok && !quiet) {
            print_check_human(&c);
        }
        status = !ok || c.check_errors ? CHECK_FAILED : c.corruptions ? CHECK_CORRUPT : c.leaks ? CHECK_LEAKS : CHECK_OK;
    }
    block_check_free(&c);
    if (edge) {
        edge_detach(edge);
    }
    node_unref(node);
    return status;
}

const ImgCommand img_check = { "check", "Find and repair damage", "FILE", check_options, run_check };

/* -- map ------------------------------------------------------------------------------------------------------------- */

static const ImgOption map_options[] = {
    IMG_HELP, IMG_FORMAT, IMG_IMAGE_OPTS,
    { "start-offset", 's', "OFFSET", "from here" },
    { "max-length", 'l', "LENGTH", "at most so much" },
    IMG_OUTPUT, IMG_SHARE, IMG_OBJECT, { NULL },
};

typedef struct MapEntry {
    uint64_t start, bytes, offset;
    unsigned flags;
    int depth;
    BlockNode *where;
} MapEntry;

typedef struct MapWalk {
    BlockNode *node;
    uint64_t start, end;
    bool json, any;
    int result;
} MapWalk;

/* The part of the chain that decides for a range, and how deep it is. */
static int map_one(BlockNode *node, uint64_t at, uint64_t bytes, MapEntry *ret)
{
    int depth = 0;
    BlockStatus st = { 0 };

    for (BlockNode *n = node_skip_filters(node); n; n = node_backing(n) ? node_skip_filters(node_backing(n)) : NULL, depth++) {
        int err = node_co_status(n, at, bytes, &st);
        if (err) {
            return err;
        }
        if (depth && st.flags & STATUS_EOF && at >= n->size_bytes) {
            /* It ends before: the gap is the image's above. */
            st = (BlockStatus){ .flags = STATUS_ZERO, .bytes = bytes };
            depth--;
            break;
        }
        bytes = MIN(bytes, st.bytes);
        if (st.flags & STATUS_ALLOCATED) {
            break;
        }
        if (!node_backing(n)) {
            st.flags |= STATUS_ZERO;
            break;
        }
    }
    bool mapped = st.flags & STATUS_MAPPED && st.map_node;
    *ret = (MapEntry){ at, bytes, mapped ? st.map_offset : 0, st.flags, depth, mapped ? st.map_node : NULL };
    return 0;
}

static void map_print(MapWalk *w, const MapEntry *e)
{
    bool mapped = e->flags & STATUS_MAPPED && e->where, data = e->flags & STATUS_DATA && !(e->flags & STATUS_ZERO), zero = e->flags & STATUS_ZERO;

    if (w->json) {
        printf("%s{ \"start\": %" PRIu64 ", \"length\": %" PRIu64 ", \"depth\": %d, \"present\": %s, \"zero\": %s, \"data\": %s, \"compressed\": %s",
               w->any ? ",\n" : "", e->start, e->bytes, e->depth, e->flags & STATUS_ALLOCATED ? "true" : "false", zero ? "true" : "false",
               e->flags & STATUS_DATA ? "true" : "false", e->flags & STATUS_COMPRESSED ? "true" : "false");
        if (mapped) {
            printf(", \"offset\": %" PRIu64, e->offset);
        }
        printf("}");
        w->any = true;
    } else if (data && e->flags & STATUS_COMPRESSED) {
        w->result = -ENOTSUP;
    } else if (data && mapped) {
        printf("%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s\n", e->start, e->bytes, e->offset, e->where->filename);
    }
}

static void map_entry(void *opaque)
{
    MapWalk *w = opaque;
    MapEntry pending = { .start = w->start }, e;

    for (uint64_t at = w->start; at < w->end && !w->result; at += e.bytes) {
        w->result = map_one(w->node, at, w->end - at, &e);
        if (w->result) {
            error_report("Failed to read image metadata: %s", strerror(-w->result));
            return;
        }
        const unsigned told = STATUS_DATA | STATUS_ZERO | STATUS_ALLOCATED | STATUS_COMPRESSED | STATUS_MAPPED;
        bool same = pending.bytes && (pending.flags & told) == (e.flags & told) && pending.depth == e.depth && pending.where == e.where &&
                    (!(e.flags & STATUS_MAPPED) || pending.offset + pending.bytes == e.offset);
        if (same) {
            pending.bytes += e.bytes;
            continue;
        }
        if (pending.bytes) {
            map_print(w, &pending);
        }
        pending = e;
    }
    if ((pending.bytes || (w->json && !w->any)) && !w->result) {
        map_print(w, &pending);
    }
    if (w->result == -ENOTSUP) {
        fflush(stdout);
        error_report("File contains external, encrypted or compressed clusters.");
    }
}

static int run_map(ImgArgs *args)
{
    MapWalk w = { .json = img_wants_json(args) };
    uint64_t length = UINT64_MAX;

    if (args->n_files != 1) {
        img_usage(args, "Expecting one image file name");
    }
    if (img_arg(args, "start-offset") && !img_size(img_arg(args, "start-offset"), "start offset", &w.start)) {
        return 1;
    }
    if (img_arg(args, "max-length") && !img_size(img_arg(args, "max-length"), "max length", &length)) {
        return 1;
    }
    w.node = img_open_args(args, args->files[0], "format", 0);
    BlockEdge *edge = w.node ? img_use(w.node, args->files[0], PERM_READ, PERM_ALL) : NULL;
    if (!edge) {
        node_unref(w.node);
        return 1;
    }
    w.end = length == UINT64_MAX || length > w.node->size_bytes - MIN(w.start, w.node->size_bytes) ? w.node->size_bytes : w.start + length;
    printf("%s", w.json ? "[" : "Offset          Length          Mapped to       File\n");
    ioctx_run(w.node->context, map_entry, &w);
    printf("%s", w.json ? "]\n" : "");
    edge_detach(edge);
    node_unref(w.node);
    return w.result ? 1 : 0;
}

const ImgCommand img_map = { "map", "Show where data is", "FILE", map_options, run_map };

/* -- compare --------------------------------------------------------------------------------------------------------- */

static const ImgOption compare_options[] = {
    IMG_HELP,
    { "a-format", 'f', "FMT", "format of FILE1" },
    { "b-format", 'F', "FMT", "format of FILE2" },
    IMG_IMAGE_OPTS,
    { "strict", 's', NULL, "sizes must be the same, too" },
    IMG_CACHE('T'), IMG_SHARE, IMG_PROGRESS, IMG_QUIET, IMG_OBJECT, { NULL },
};

enum { COMPARE_BUFFER = 2 << 20, COMPARE_PARALLEL = 4 };

typedef struct Compare {
    BlockNode *a, *b;
    uint64_t size, next, differs;   /* differs: the lowest offset known; UINT64_MAX */
    bool strict, status_differs;
    ImgProgress progress;
    CoMutex choosing;
    unsigned running;
    int err;
    const char *failed;             /* the file */
    const char *files[2];
} Compare;

static void compare_differs(Compare *c, uint64_t at)
{
    if (at < c->differs) {
        c->differs = at;
        c->status_differs = false;
    }
}

static bool compare_fail(Compare *c, int err, unsigned which)
{
    if (err && !c->err) {
        c->err = err;
        c->failed = c->files[which];
    }
    return err != 0;
}

/* How far the next stretch goes in which both are of one kind. */
static int next_stretch(Compare *c, uint64_t *at, uint64_t *bytes, bool *zero_a, bool *zero_b)
{
    BlockStatus sa = { 0 }, sb = { 0 };
    uint64_t left;

    *at = c->next;
    left = c->size - c->next;
    uint64_t la = c->next < c->a->size_bytes ? MIN(left, c->a->size_bytes - c->next) : left;
    uint64_t lb = c->next < c->b->size_bytes ? MIN(left, c->b->size_bytes - c->next) : left;
    if (compare_fail(c, node_co_status_above(c->a, NULL, c->next, la, &sa), 0) || compare_fail(c, node_co_status_above(c->b, NULL, c->next, lb, &sb), 1)) {
        return -1;
    }
    *zero_a = sa.flags & STATUS_ZERO;
    *zero_b = sb.flags & STATUS_ZERO;
    *bytes = MIN(MIN(sa.bytes, sb.bytes), left);
    const unsigned told = STATUS_DATA | STATUS_ZERO | STATUS_ALLOCATED;
    if (c->strict && (sa.flags & told) != (sb.flags & told) && *at < c->differs) {
        c->differs = *at;
        c->status_differs = true;
    }
    if (!*zero_a || !*zero_b) {
        *bytes = MIN(*bytes, (uint64_t)COMPARE_BUFFER);
    }
    c->next += *bytes;
    return 0;
}

static uint64_t first_difference(const uint8_t *a, const uint8_t *b, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i += 512) {
        uint64_t n = MIN(bytes - i, 512u);
        if (b ? memcmp(a + i, b + i, n) != 0 : !buffer_is_zero(a + i, n)) {
            return i;
        }
    }
    return UINT64_MAX;
}

static void compare_worker(void *opaque)
{
    Compare *c = opaque;
    uint8_t *a = node_alloc(c->a, COMPARE_BUFFER), *b = node_alloc(c->b, COMPARE_BUFFER);
    uint64_t at, bytes;
    bool zero_a, zero_b;

    while (!c->err && c->next < c->size && c->next < c->differs) {
        co_mutex_lock(&c->choosing); /* looking may yield, and each stretch is for one */
        bool none = c->err || c->next >= c->size || c->next >= c->differs || next_stretch(c, &at, &bytes, &zero_a, &zero_b);
        co_mutex_unlock(&c->choosing);
        if (none) {
            break;
        }
        uint64_t where = UINT64_MAX;
        if (zero_a && !zero_b) {
            if (compare_fail(c, node_co_pread(c->b, at, b, bytes), 1)) {
                break;
            }
            where = first_difference(b, NULL, bytes);
        } else if (!zero_a && zero_b) {
            if (compare_fail(c, node_co_pread(c->a, at, a, bytes), 0)) {
                break;
            }
            where = first_difference(a, NULL, bytes);
        } else if (!zero_a) {
            if (compare_fail(c, node_co_pread(c->a, at, a, bytes), 0) || compare_fail(c, node_co_pread(c->b, at, b, bytes), 1)) {
                break;
            }
            where = memcmp(a, b, bytes) ? first_difference(a, b, bytes) : UINT64_MAX;
        }
        if (where != UINT64_MAX) {
            compare_differs(c, at + where);
        }
        img_progress(&c->progress, bytes);
    }
    free(a);
    free(b);
    c->running--;
}

static int run_compare(ImgArgs *args)
{
    Compare c = { .differs = UINT64_MAX, .strict = img_flag(args, "strict"), .progress.on = img_flag(args, "progress") };
    bool quiet = img_flag(args, "quiet");
    int status = 2;

    if (args->n_files != 2) {
        img_usage(args, "Expecting two image file names");
    }
    c.files[0] = args->files[0];
    c.files[1] = args->files[1];
    c.a = img_open_args(args, c.files[0], "a-format", 0);
    c.b = c.a ? img_open_args(args, c.files[1], "b-format", 0) : NULL;
    BlockEdge *ea = c.b ? img_use(c.a, c.files[0], PERM_READ, PERM_READ | PERM_WRITE_UNCHANGED) : NULL;
    BlockEdge *eb = ea ? img_use(c.b, c.files[1], PERM_READ, PERM_READ | PERM_WRITE_UNCHANGED) : NULL;
    if (eb && c.strict && c.a->size_bytes != c.b->size_bytes) {
        status = 1;
        if (!quiet) {
            printf("Strict mode: Image size mismatch!\n");
        }
    } else if (eb) {
        co_mutex_init(&c.choosing);
        c.size = c.progress.total = MAX(c.a->size_bytes, c.b->size_bytes);
        for (unsigned i = 0; i < COMPARE_PARALLEL; i++) {
            c.running++;
            ioctx_start(ioctx_main(), compare_worker, &c);
        }
        ioctx_wait_zero(ioctx_main(), &c.running);
        bool sizes_differ = c.a->size_bytes != c.b->size_bytes;
        if (c.err) {
            error_report("Error while reading offset of %s: %s", c.failed, strerror(-c.err));
        } else {
            status = c.differs != UINT64_MAX ? 1 : 0;
            if (!status) {
                img_progress_end(&c.progress);
            }
            if (sizes_differ && !quiet && c.differs >= MIN(c.a->size_bytes, c.b->size_bytes)) {
                printf("Warning: Image size mismatch!\n");
            }
            if (!quiet && c.status_differs) {
                printf("Strict mode: Offset %" PRIu64 " block status mismatch!\n", c.differs);
            } else if (!quiet && status) {
                printf("Content mismatch at offset %" PRIu64 "!\n", c.differs);
            } else if (!quiet) {
                printf("Images are identical.\n");
            }
        }
    }
    if (eb) {
        edge_detach(eb);
    }
    if (ea) {
        edge_detach(ea);
    }
    node_unref(c.b);
    node_unref(c.a);
    return status;
}

const ImgCommand img_compare = { "compare", "Say whether two images have the same contents", "FILE1 FILE2", compare_options, run_compare };
