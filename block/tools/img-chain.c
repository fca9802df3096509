/*
 * img-chain.c: commit, rebase, bench.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "block/tools/img.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/parse.h"

#define COPY_BYTES (1 * MiB)

/* -- commit ---------------------------------------------------------------------------------------------------------- */

static const ImgOption commit_options[] = {
    IMG_HELP, IMG_FORMAT, IMG_IMAGE_OPTS, IMG_CACHE('t'),
    { "base", 'b', "BASE", "into this image of the chain (default: the backing file); implies -d" },
    { "drop", 'd', NULL, "leave FILE as it is" },
    { "rate-limit", 'r', "RATE", "bytes a second" },
    IMG_PROGRESS, IMG_QUIET, IMG_OBJECT, { NULL },
};

typedef struct Commit {
    BlockNode *top, *base;
    ImgProgress progress;
    uint64_t rate;
    int err;
} Commit;

static void commit_entry(void *opaque)
{
    Commit *c = opaque;
    uint8_t *buf = node_alloc(c->base, COPY_BYTES);
    struct timespec began, now;

    clock_gettime(CLOCK_MONOTONIC, &began);
    for (uint64_t at = 0, n; at < c->top->size_bytes && !c->err; at += n) {
        BlockStatus st;
        c->err = node_co_status_above(c->top, c->base, at, c->top->size_bytes - at, &st);
        n = st.bytes;
        if (!c->err && st.flags & STATUS_ALLOCATED) {
            if (st.flags & STATUS_ZERO) {
                c->err = node_co_zero(c->base, at, n, 0);
            } else {
                n = MIN(n, COPY_BYTES);
                c->err = node_co_pread(c->top, at, buf, n);
                c->err = c->err ? c->err : node_co_pwrite(c->base, at, buf, n, 0);
            }
        }
        img_progress(&c->progress, n);
        if (c->rate && !c->err) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            int64_t due = (int64_t)((double)(at + n) / (double)c->rate * 1e9);
            int64_t spent = (now.tv_sec - began.tv_sec) * 1000000000ll + now.tv_nsec - began.tv_nsec;
            if (due > spent) {
                co_sleep_ns(due - spent);
            }
        }
    }
    c->err = c->err ? c->err : node_co_flush(c->base);
    free(buf);
}

static BlockNode *find_base(BlockNode *top, const char *name)
{
    for (BlockNode *n = node_backing(top), *above = top; n; above = n, n = node_backing(n)) {
        if (!name || !strcmp(n->filename, name) || (above->backing_file && !strcmp(above->backing_file, name))) {
            return n;
        }
    }
    return NULL;
}

/* The base was opened for reading; it is needed for writing, so the chain is opened anew with it writable. */
static Json *writable_backing(const BlockNode *top, const BlockNode *base)
{
    Json *options = json_object();
    const BlockNode *below = node_backing(top);

    json_put_bool(options, "read-only", below != base);
    if (below != base) {
        json_put(options, "backing", writable_backing(below, base));
    }
    return options;
}

static int run_commit(ImgArgs *args)
{
    const char *base_name = img_arg(args, "base");
    Commit c = { .progress.on = img_flag(args, "progress") && !img_flag(args, "quiet") };
    unsigned flags = BLOCK_RDWR;
    bool writethrough, drop = img_flag(args, "drop") || base_name;
    Error *err = NULL;

    if (args->n_files != 1) {
        img_usage(args, "Expecting one image file name");
    }
    if (img_arg(args, "rate-limit") && !img_size(img_arg(args, "rate-limit"), "rate limit", &c.rate)) {
        return 1;
    }
    if (!node_cache_flags(img_arg(args, "cache"), &flags, &writethrough)) {
        error_report("Invalid cache option: %s", img_arg(args, "cache"));
        return 1;
    }
    /* First a look at the chain, to find the base. */
    BlockNode *look = img_open_args(args, args->files[0], "format", 0), *base = look ? find_base(look, base_name) : NULL;
    if (!base) {
        if (look && base_name) {
            error_report("Did not find '%s' in the backing chain of '%s'", base_name, args->files[0]);
        } else if (look) {
            error_report("Image does not have a backing file");
        }
        node_unref(look);
        return 1;
    }
    Json *options = json_object();
    unsigned depth = 0;
    for (BlockNode *n = node_backing(look); n != base; n = node_backing(n)) {
        depth++;
    }
    json_put(options, "backing", writable_backing(look, base));
    node_unref(look);
    c.top = img_open(args->files[0], img_arg(args, "format"), img_flag(args, "image-opts"), flags, options);
    for (c.base = c.top ? node_backing(c.top) : NULL; depth && c.base; depth--) {
        c.base = node_backing(c.base);
    }
    BlockEdge *top = c.base ? img_use(c.top, args->files[0], PERM_READ | PERM_WRITE | PERM_RESIZE, PERM_ALL) : NULL;
    BlockEdge *into = top ? img_use(c.base, c.base->filename, PERM_READ | PERM_WRITE | PERM_RESIZE, PERM_ALL) : NULL;
    bool ok = into != NULL;
    if (ok) {
        c.progress.total = c.top->size_bytes;
        if (c.base->size_bytes < c.top->size_bytes) {
            ok = node_truncate(c.base, c.top->size_bytes, false, PREALLOC_OFF, &err);
        }
        if (ok) {
            ioctx_run(ioctx_main(), commit_entry, &c);
            ok = !c.err;
        }
        if (ok && !drop && c.top->driver->make_empty) {
            c.err = c.top->driver->make_empty(c.top);
            ok = !c.err;
        }
        if (!ok) {
            error_report("Could not commit: %s", err ? error_message(err) : strerror(-c.err));
            error_free(err);
        } else {
            img_progress_end(&c.progress);
            if (!img_flag(args, "quiet")) {
                printf("Image committed.\n");
            }
        }
    }
    if (into) {
        edge_detach(into);
    }
    if (top) {
        edge_detach(top);
    }
    node_unref(c.top);
    return ok ? 0 : 1;
}

const ImgCommand img_commit = { "commit", "Put an image's changes into its backing file", "FILE", commit_options, run_commit };

/* -- rebase ---------------------------------------------------------------------------------------------------------- */

static const ImgOption rebase_options[] = {
    IMG_HELP, IMG_FORMAT, IMG_IMAGE_OPTS, IMG_CACHE('t'),
    { "backing", 'b', "BACKING_FILE", "the new backing file (empty: none)" },
    { "backing-format", 'B', "BACKING_FMT", "its format" },
    { "backing-format", 'F', "BACKING_FMT", NULL },
    { "backing-cache", 'T', "CACHE", "cache mode of the backing files" },
    { "backing-unsafe", 'u', NULL, "change the name only" },
    { "compress", 'c', NULL, "compress what is copied" },
    IMG_SHARE, IMG_PROGRESS, IMG_QUIET, IMG_OBJECT, { NULL },
};

typedef struct Rebase {
    BlockNode *node, *old, *new;
    uint64_t align;
    bool compress;
    ImgProgress progress;
    int err;
} Rebase;

static int read_or_zero(BlockNode *node, uint64_t at, uint8_t *buf, uint64_t bytes)
{
    uint64_t have = node && at < node->size_bytes ? MIN(bytes, node->size_bytes - at) : 0;
    memset(buf + have, 0, bytes - have);
    return have ? node_co_pread(node, at, buf, have) : 0;
}

/* What the image does not have itself, and reads differently from the new backing file, becomes its own. */
static void rebase_entry(void *opaque)
{
    Rebase *r = opaque;
    uint8_t *was = node_alloc(r->node, COPY_BYTES), *now = node_alloc(r->node, COPY_BYTES);
    uint64_t size = r->node->size_bytes;

    for (uint64_t at = 0, n; at < size && !r->err; at += n) {
        BlockStatus st;
        r->err = node_co_status(r->node, at, size - at, &st);
        n = MIN(st.bytes, size - at);
        if (!r->err && !(st.flags & STATUS_ALLOCATED)) {
            n = MIN(n, COPY_BYTES - (at % r->align));
            r->err = read_or_zero(r->old, at, was, n);
            r->err = r->err ? r->err : read_or_zero(r->new, at, now, n);
            /* By cluster, since that is what gets allocated. */
            for (uint64_t k = 0; k < n && !r->err;) {
                uint64_t step = MIN(n - k, r->align - (at + k) % r->align);
                if (memcmp(was + k, now + k, step)) {
                    struct iovec v = { was + k, step };
                    r->err = buffer_is_zero(was + k, step) ? node_co_zero(r->node, at + k, step, 0)
                             : node_co_write(r->node, at + k, step, sg_of(&v), r->compress ? REQ_COMPRESSED : 0);
                }
                k += step;
            }
        }
        img_progress(&r->progress, n);
    }
    r->err = r->err ? r->err : node_co_flush(r->node);
    free(was);
    free(now);
}

static int run_rebase(ImgArgs *args)
{
    const char *backing = img_arg(args, "backing"), *format = img_arg(args, "backing-format");
    bool unsafe = img_flag(args, "backing-unsafe"), ok = true;
    Rebase r = { .compress = img_flag(args, "compress"), .progress.on = img_flag(args, "progress") && !img_flag(args, "quiet"), .align = 65536 };
    Error *err = NULL;

    if (args->n_files != 1) {
        img_usage(args, "Expecting one image file name");
    }
    if (!backing && !unsafe) {
        img_usage(args, "Must specify backing file (-b) or use unsafe mode (-u)");
    }
    r.node = img_open_args(args, args->files[0], "format", BLOCK_RDWR | (unsafe ? BLOCK_NO_BACKING : 0));
    BlockEdge *edge = r.node ? img_use(r.node, args->files[0], PERM_READ | PERM_WRITE | PERM_RESIZE, PERM_READ | PERM_WRITE_UNCHANGED) : NULL;
    if (!edge) {
        node_unref(r.node);
        return 1;
    }
    if (format && !driver_find(format)) {
        error_report("Invalid format name: '%s'", format);
        ok = false;
    }
    if (ok && !r.node->driver->change_backing) {
        error_report("Could not change the backing file to '%s': Operation not supported", backing ? backing : "");
        ok = false;
    }
    if (ok && !unsafe) {
        BlockInfo info = { 0 };
        if (r.node->driver->info) {
            r.node->driver->info(r.node, &info);
            json_free(info.specific);
            r.align = info.cluster_size ? info.cluster_size : r.align;
        }
        if (r.compress && !r.node->driver->co_write_compressed) {
            error_report("Compression not supported for this file format");
            ok = false;
        }
        r.old = node_backing(r.node);
        if (ok && *backing) {
            char *path = filename_relative_to(r.node->filename, backing);
            Json *options = json_object();
            if (format) {
                json_put_string(options, "driver", format);
            }
            r.new = node_open(path, options, 0, &err);
            ok = r.new != NULL;
            if (!ok) {
                error_report("Could not open new backing file '%s': %s", backing, error_message(err));
                error_free(err);
            }
            free(path);
        }
        if (ok) {
            r.progress.total = r.node->size_bytes;
            ioctx_run(ioctx_main(), rebase_entry, &r);
            if (r.err) {
                error_report("error while rebasing: %s", strerror(-r.err));
                ok = false;
            }
        }
    }
    if (ok && !r.node->driver->change_backing(r.node, backing && *backing ? backing : NULL, backing && *backing ? format : NULL, &err)) {
        error_report_free(err);
        ok = false;
    }
    if (ok) {
        img_progress_end(&r.progress);
    }
    node_unref(r.new);
    edge_detach(edge);
    node_unref(r.node);
    return ok ? 0 : 1;
}

const ImgCommand img_rebase = { "rebase", "Give an image another backing file", "FILE", rebase_options, run_rebase };

/* -- bench ----------------------------------------------------------------------------------------------------------- */

static const ImgOption bench_options[] = {
    IMG_HELP, IMG_FORMAT, IMG_IMAGE_OPTS, IMG_CACHE('t'),
    { "count", 'c', "N", "requests (default: 75000)" },
    { "depth", 'd', "N", "at a time (default: 64)" },
    { "offset", 'o', "OFFSET", "where the first begins" },
    { "buffer-size", 's', "SIZE", "bytes a request (default: 4k)" },
    { "step-size", 'S', "SIZE", "from one to the next (default: the buffer's)" },
    { "write", 'w', NULL, "write instead of read" },
    { "pattern", 0, "BYTE", "what is written (default: 0)" },
    { "flush-interval", 0, "N", "flush after so many" },
    { "no-drain", 0, NULL, "without waiting for the others" },
    { "aio", 'i', "AIO", "how the host's files are read: threads, native, io_uring" },
    { "native", 'n', NULL, "the same as -i native" },
    IMG_SHARE, IMG_QUIET, IMG_OBJECT, { NULL },
};

typedef struct Bench {
    BlockNode *node;
    uint64_t count, begun, offset, size, buffer, step, flush_interval, in_group;
    bool writes, drain, flushing;
    uint8_t pattern;
    unsigned running, in_flight;
    CoQueue idle, flushed;
    int err;
} Bench;

static void bench_worker(void *opaque)
{
    Bench *b = opaque;
    uint8_t *buf = node_alloc(b->node, b->buffer);

    memset(buf, b->pattern, b->buffer);
    while (b->begun < b->count && !b->err) {
        while (b->flushing && b->drain) {
            co_queue_wait(&b->flushed);
        }
        if (b->begun >= b->count || b->err) {
            break;
        }
        uint64_t at = b->offset;
        b->begun++;
        b->offset += b->step;
        if (b->offset + b->buffer > b->size) {
            b->offset = b->buffer < b->size ? b->offset % (b->size - b->buffer + 1) / 512 * 512 : 0;
        }
        b->in_flight++;
        int err = b->writes ? node_co_pwrite(b->node, at, buf, b->buffer, 0) : node_co_pread(b->node, at, buf, b->buffer);
        b->in_flight--;
        if (!b->in_flight) {
            co_queue_wake_all(&b->idle);
        }
        if (!err && b->flush_interval && ++b->in_group >= b->flush_interval && !b->flushing) {
            b->in_group = 0;
            b->flushing = true;
            while (b->drain && b->in_flight) {
                co_queue_wait(&b->idle);
            }
            err = node_co_flush(b->node);
            b->flushing = false;
            co_queue_wake_all(&b->flushed);
        }
        b->err = b->err ? b->err : err;
    }
    co_queue_wake_all(&b->flushed);
    free(buf);
    b->running--;
}

static bool bench_number(const ImgArgs *args, const char *name, uint64_t low, uint64_t high, uint64_t *ret)
{
    const char *text = img_arg(args, name);

    if (text && (!text_to_size(text, 1, ret) || *ret < low || *ret > high)) {
        error_report("Invalid %s specified: '%s'", name, text);
        return false;
    }
    return true;
}

static int run_bench(ImgArgs *args)
{
    Bench b = { .count = 75000, .buffer = 4096, .writes = img_flag(args, "write"), .drain = !img_flag(args, "no-drain") };
    uint64_t depth = 64, pattern = 0, step = 0;
    struct timespec t0, t1;
    const char *aio = img_arg(args, "aio");

    if (args->n_files != 1) {
        img_usage(args, "Expecting one image file name");
    }
    if (!bench_number(args, "count", 1, INT32_MAX, &b.count) || !bench_number(args, "depth", 1, 65536, &depth) ||
        !bench_number(args, "offset", 0, INT64_MAX, &b.offset) || !bench_number(args, "buffer-size", 512, 1 << 30, &b.buffer) ||
        !bench_number(args, "step-size", 0, INT32_MAX, &step) || !bench_number(args, "pattern", 0, 255, &pattern) ||
        !bench_number(args, "flush-interval", 1, INT32_MAX, &b.flush_interval)) {
        return 1;
    }
    if (!b.writes && b.flush_interval) {
        error_report("--flush-interval is only available in write tests");
        return 1;
    }
    if (b.flush_interval && b.flush_interval < depth) {
        error_report("Flush interval can't be smaller than depth");
        return 1;
    }
    if (aio && strcmp(aio, "threads") && strcmp(aio, "native") && strcmp(aio, "io_uring")) {
        error_report("Invalid aio option: %s", aio);
        return 1;
    }
    b.step = step ? step : b.buffer;
    b.pattern = (uint8_t)pattern;
    co_queue_init(&b.idle);
    co_queue_init(&b.flushed);
    b.node = img_open_args(args, args->files[0], "format", b.writes ? BLOCK_RDWR : 0);
    BlockEdge *edge = b.node ? img_use(b.node, args->files[0], b.writes ? PERM_READ | PERM_WRITE : PERM_READ, PERM_READ | PERM_WRITE_UNCHANGED) : NULL;
    if (!edge) {
        node_unref(b.node);
        return 1;
    }
    b.size = b.node->size_bytes;
    if (b.size < b.buffer) {
        error_report("the image is smaller than a request");
        edge_detach(edge);
        node_unref(b.node);
        return 1;
    }
    if (!img_flag(args, "quiet")) {
        printf("Sending %" PRIu64 " %s requests, %" PRIu64 " bytes each, %" PRIu64 " in parallel (starting at offset %" PRIu64 ", step size %" PRIu64 ")\n",
               b.count, b.writes ? "write" : "read", b.buffer, depth, b.offset, b.step);
        if (b.flush_interval) {
            printf("Sending flush every %s%" PRIu64 " requests\n", b.drain ? "" : "undrained ", b.flush_interval);
        }
        fflush(stdout);
    }
    clock_gettime(CLOCK_MONOTONIC, &t0);
    for (uint64_t i = 0; i < MIN(depth, b.count); i++) {
        b.running++;
        ioctx_start(ioctx_main(), bench_worker, &b);
    }
    ioctx_wait_zero(ioctx_main(), &b.running);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    if (b.err) {
        error_report("Failed request: %s", strerror(-b.err));
    } else if (!img_flag(args, "quiet")) {
        printf("Run completed in %3.3f seconds.\n", (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9);
    }
    edge_detach(edge);
    node_unref(b.node);
    return b.err ? 1 : 0;
}

const ImgCommand img_bench = { "bench", "Measure requests on an image", "FILE", bench_options, run_bench };
