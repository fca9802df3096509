/*
 * io-image.c: qemu-io's commands about the image as a whole.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/tools/io.h"
#include "softmmu/options.h"
#include "util/alloc.h"

static int do_length(IoShell *shell, int argc, char **argv)
{
    char size[64];

    io_format_size((double)shell->node->size_bytes, size, sizeof(size));
    printf("%s\n", size);
    return 0;
}

static void print_members(const Json *data)
{
    for (size_t i = 0; i < json_count(data); i++) {
        char *name = xstrdup(json_key_at(data, i));
        const Json *v = json_at(data, i);
        for (char *c = name; *c; c++) {
            *c = *c == '-' ? ' ' : *c;
        }
        if (json_is(v, JSON_STRING)) {
            printf("    %s: %s\n", name, json_as_string(v));
        } else if (json_is(v, JSON_BOOL)) {
            printf("    %s: %s\n", name, json_as_bool(v) ? "true" : "false");
        } else {
            printf("    %s: %" PRId64 "\n", name, json_as_int(v));
        }
        free(name);
    }
}

static int do_info(IoShell *shell, int argc, char **argv)
{
    BlockInfo info = { 0 };
    char size[64];

    printf("format name: %s\n", shell->node->driver->name);
    if (shell->node->driver->info) {
        shell->node->driver->info(shell->node, &info);
    }
    io_format_size((double)info.cluster_size, size, sizeof(size));
    printf("cluster size: %s\n", size);
    io_format_size((double)info.vm_state_offset, size, sizeof(size));
    printf("vm state offset: %s\n", size);
    if (info.specific) {
        printf("Format specific information:\n");
        print_members(json_get(info.specific, "data"));
    }
    json_free(info.specific);
    return 0;
}

typedef struct Allocated {
    BlockNode *node;
    uint64_t offset, bytes, sum, run;
    int result;                 /* of the run: 1 allocated, 0 not, or negative errno */
    bool whole;                 /* count all of it; else the first run */
} Allocated;

static void allocated_entry(void *opaque)
{
    Allocated *a = opaque;
    bool first = true;

    for (uint64_t at = a->offset, end = a->offset + a->bytes; at < end;) {
        uint64_t n;
        int is = node_co_is_allocated_above(a->node, node_backing(a->node), false, at, end - at, &n);
        if (is < 0 || n == 0) {
            a->result = is < 0 ? is : -EIO;
            return;
        }
        if (!a->whole && !first && is != a->result) {
            return;
        }
        a->result = is;
        a->run += n;
        a->sum += is ? n : 0;
        at += n;
        first = false;
    }
}

static int do_alloc(IoShell *shell, int argc, char **argv)
{
    int64_t offset, count = 512;
    char size[64];

    if (!io_number(argv[1], &offset) || (argc == 3 && !io_number(argv[2], &count))) {
        return 1;
    }
    Allocated a = { .node = shell->node, .offset = (uint64_t)offset, .bytes = (uint64_t)count, .whole = true };
    ioctx_run(ioctx_main(), allocated_entry, &a);
    if (a.result < 0) {
        printf("is_allocated failed: %s\n", strerror(-a.result));
        return 1;
    }
    io_format_size((double)offset, size, sizeof(size));
    printf("%" PRIu64 "/%" PRId64 " bytes allocated at offset %s\n", a.sum, count, size);
    return 0;
}

static int do_map(IoShell *shell, int argc, char **argv)
{
    uint64_t size = shell->node->size_bytes;

    for (uint64_t at = 0; at < size;) {
        Allocated a = { .node = shell->node, .offset = at, .bytes = size - at };
        char bytes[64], offset[64];
        ioctx_run(ioctx_main(), allocated_entry, &a);
        if (a.result < 0) {
            printf("Failed to get allocation status: %s\n", strerror(-a.result));
            return 1;
        }
        io_format_size((double)a.run, bytes, sizeof(bytes));
        io_format_size((double)at, offset, sizeof(offset));
        printf("%s (0x%" PRIx64 ") bytes %s allocated at offset %s (0x%" PRIx64 ")\n", bytes, a.run, a.result ? "   " : "not", offset, at);
        at += a.run;
    }
    return 0;
}

static int do_truncate(IoShell *shell, int argc, char **argv)
{
    Prealloc prealloc = PREALLOC_OFF;
    Error *err = NULL;
    int64_t size;
    int c;

    while ((c = getopt(argc, argv, "m:")) != -1) {
        if (c != 'm') {
            return io_usage(io_find("truncate"));
        }
        while (prealloc_names[prealloc] && strcmp(prealloc_names[prealloc], optarg)) {
            prealloc++;
        }
        if (!prealloc_names[prealloc]) {
            error_report("Invalid parameter '%s'", optarg);
            return 1;
        }
    }
    if (optind != argc - 1) {
        return io_usage(io_find("truncate"));
    }
    if (!io_number(argv[optind], &size)) {
        return 1;
    }
    if (shell->node->readonly) {
        error_report("Block node is read-only");
        return 1;
    }
    if (!node_truncate(shell->node, (uint64_t)size, false, prealloc, &err)) {
        error_report_free(err);
        return 1;
    }
    return 0;
}

static int do_open(IoShell *shell, int argc, char **argv)
{
    unsigned flags = shell->default_flags;
    Json *options = json_object();
    Error *err = NULL;
    int c;

    while ((c = getopt(argc, argv, "rsCnkUi:t:d:o:")) != -1) {
        switch (c) {
        case 'r': flags &= ~(unsigned)BLOCK_RDWR; break;
        case 'n': flags |= BLOCK_DIRECT; break;
        case 'k': case 'i': break;
        case 'U': flags |= BLOCK_FORCE_SHARE; break;
        case 't':
            flags &= ~(unsigned)(BLOCK_DIRECT | BLOCK_NO_FLUSH);
            if (!node_cache_flags(optarg, &flags, &shell->writethrough)) {
                error_report("Invalid cache option: %s", optarg);
                json_free(options);
                return 1;
            }
            break;
        case 'd':
            flags = !strcmp(optarg, "unmap") || !strcmp(optarg, "on") ? flags | BLOCK_DISCARD : flags & ~(unsigned)BLOCK_DISCARD;
            break;
        case 'o': {
            Json *more = opts_parse(optarg, NULL, &err);
            if (!more || !opts_nest(more, &err)) {
                error_report_free(err);
                json_free(more);
                json_free(options);
                return 1;
            }
            for (size_t i = 0; i < json_count(more); i++) {
                json_put(options, json_key_at(more, i), json_copy(json_at(more, i)));
            }
            json_free(more);
            break;
        }
        default:
            json_free(options);
            return c == 's' || c == 'C' ? (error_report("open -%c is not supported yet", c), 1) : io_usage(io_find("open"));
        }
    }
    if (argc - optind > 1 || (argc == optind && !json_count(options))) {
        json_free(options);
        return io_usage(io_find("open"));
    }
    return io_open(shell, argc > optind ? argv[optind] : NULL, options, flags) ? 0 : 1;
}

static int do_close(IoShell *shell, int argc, char **argv)
{
    io_close(shell);
    return 0;
}

static int do_sleep(IoShell *shell, int argc, char **argv)
{
    int64_t ms;

    if (!io_number(argv[1], &ms)) {
        return 1;
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t until = now.tv_sec * 1000000000ll + now.tv_nsec + ms * 1000000;
    while (now.tv_sec * 1000000000ll + now.tv_nsec < until) { /* requests in the background go on */
        while (ioctx_poll(ioctx_main(), false)) {
        }
        usleep(200);
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    return 0;
}

static int do_abort(IoShell *shell, int argc, char **argv)
{
    abort();
}

static int do_sigraise(IoShell *shell, int argc, char **argv)
{
    int64_t number;

    if (!io_number(argv[1], &number)) {
        return 1;
    }
    fflush(stdout); /* it may be the last that is heard of us */
    raise((int)number);
    return 0;
}

const IoCommand io_image_commands[] = {
    { "abort", NULL, "", "simulate a program crash using abort(3)", NULL, 0, 0, false, do_abort },
    { "alloc", NULL, "offset [count]", "checks if offset is allocated in the file", NULL, 1, 2, true, do_alloc },
    { "close", "c", "", "close the current open file", NULL, 0, 0, true, do_close },
    { "info", NULL, "", "prints information about the current file", NULL, 0, 0, true, do_info },
    { "length", "l", "", "gets the length of the current file", NULL, 0, 0, true, do_length },
    { "map", NULL, "", "prints the allocated areas of a file", NULL, 0, 0, true, do_map },
    { "open", "o", "[-rnkU] [-t cache] [-d discard] [-o options] [path]", "open the file specified by path",
      " -r, -- for reading only\n -n, -- past the host's cache (-t none)\n -U, -- although others have it open\n -t, -- cache mode\n -d, -- ignore or unmap\n"
      " -o, -- options of the block driver\n", 0, -1, false, do_open },
    { "sigraise", NULL, "signal", "raises a signal", NULL, 1, 1, false, do_sigraise },
    { "sleep", NULL, "milliseconds", "waits for the given value in milliseconds", NULL, 1, 1, false, do_sleep },
    { "truncate", "t", "[-m prealloc_mode] off", "truncates the current file at the given offset", NULL, 1, -1, true, do_truncate },
    { NULL },
};
