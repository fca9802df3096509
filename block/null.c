/*
 * null.c: "null-co" and "null-aio": a disk that forgets what is written and, with read-zeroes=on, reads as zeros.
 */
#include <string.h>

#include "block/node-internal.h"
#include "softmmu/options.h"

typedef struct NullState {
    uint64_t latency_ns;
    bool read_zeroes;
} NullState;

static const BlockOption null_options[] = {
    { "size", OPTION_SIZE, "size of the null block", "1G" },
    { "latency-ns", OPTION_NUMBER, "nanoseconds (approximated) to wait before completing request", "0" },
    { "read-zeroes", OPTION_BOOL, "return zeroes when read", "off" },
    { NULL },
};

static bool null_parse_filename(const char *filename, Json *options, Error **errp)
{
    const char *rest = strstr(filename, "://");

    if (rest && rest[3]) {
        error_set(errp, "The only allowed filename for this driver is '%.*s'", (int)(rest + 3 - filename), filename);
        return false;
    }
    return true;
}

static bool null_open(BlockNode *node, Json *options, Error **errp)
{
    NullState *s = node->state;

    if (!opts_size(options, "size", 1 * GiB, &node->size_bytes, errp) || !opts_uint(options, "latency-ns", 0, &s->latency_ns, errp) ||
        !opts_bool(options, "read-zeroes", false, &s->read_zeroes, errp)) {
        return false;
    }
    for (size_t i = 0; null_options[i].name; i++) {
        json_drop(options, null_options[i].name);
    }
    return true;
}

static int wait_a_while(const BlockNode *node)
{
    const NullState *s = node->state;
    if (s->latency_ns) {
        co_sleep_ns((int64_t)s->latency_ns);
    }
    return 0;
}

static int null_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    /* Not for speed's sake left as it is: memory of the host must not show through. */
    sg_zero(sg, bytes);
    return wait_a_while(node);
}

static int null_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags) { return wait_a_while(node); }
static int null_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags) { return wait_a_while(node); }
static int null_flush(BlockNode *node) { return wait_a_while(node); }

static int null_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    const NullState *s = node->state;
    *ret = (BlockStatus){ .flags = STATUS_MAPPED | (s->read_zeroes ? STATUS_ZERO : 0), .bytes = bytes, .map_offset = offset, .map_node = node };
    return 0;
}

static uint64_t null_allocated_bytes(BlockNode *node) { return 0; }

#define NULL_DRIVER(symbol, text)                                                                                                    \
    const BlockDriver symbol = {                                                                                                     \
        .name = text, .protocol = text, .summary = "a disk that forgets", .kind = DRIVER_PROTOCOL, .state_bytes = sizeof(NullState), \
        .options = null_options, .parse_filename = null_parse_filename, .open = null_open, .handles_fua = true,                      \
        .co_read = null_read, .co_write = null_write, .co_zero = null_zero, .co_flush = null_flush, .co_status = null_status,        \
        .allocated_bytes = null_allocated_bytes,                                                                                     \
    }

NULL_DRIVER(block_null_co, "null-co");
NULL_DRIVER(block_null_aio, "null-aio");
