/*
 * fuzz-nbd.c: NBD's server against a client that says anything, and its client against such a server.
 *
 * An input is a program that makes the peer's bytes: messages that are nearly right, with fields from the input, and bytes of the input as they
 * are. The peer says all of it, then nothing more. What must hold: no crash, no endless loop, every client of the server ends, the driver's
 * requests end.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "block/nbd.h"
#include "block/nbd/proto.h"
#include "tests/fuzz/fuzz.h"
#include "util/alloc.h"
#include "util/bits.h"

const char *const fuzz_seeds[] = {
    "S7LLGD_rAAAArBBBBwCCCC", "S3TXCgCGD_sAAAAsBBBBzCCCCrDDDDfEEEEtFFFFdGGGG", "S3YgGD_rAAAAwBBBBsCCCCzDDDDcEEEE", "S3EDrAAAA", "S3bbbbbbbbbbbbbbbbqLLLLqIIIIqMMMM",
    "D3ayiiIa_dAAAAdBBBBdCCCCdDDDD", "D3naciiIa_dAAAAhBBBBsCCCCeDDDDnEEEE", "D3yaciiIa_DAAAASBBBBEAAAA", "D0X_dAAAA", "DOxxxxxxxx_dAAAA", "D3auuuIa_mAAAAmBBBB", NULL,
};
const char *const fuzz_words[] = { "_", "GD", "YgGD_", "TgGD_", "rAAAA", "sAAAA", "dAAAA", "hAAAA", "\xff\xff\xff\xff", "S7", "D3", "base:allocation", NULL };

#define DISK_BYTES (1 * MiB)
enum { MAX_OUTPUT = 256 * 1024 };

typedef struct Gen {
    const uint8_t *in;
    size_t left;
    VEC(uint8_t) out;
    unsigned cookies;
} Gen;

static unsigned next(Gen *g)
{
    if (!g->left) {
        return 0;
    }
    g->left--;
    return *g->in++;
}

static void put(Gen *g, const void *data, size_t n)
{
    for (size_t i = 0; i < n && g->out.n < MAX_OUTPUT; i++) {
        *vec_push(&g->out) = ((const uint8_t *)data)[i];
    }
}

static void put16(Gen *g, unsigned v) { uint8_t be[2]; stbe16(be, (uint16_t)v); put(g, be, 2); }
static void put32(Gen *g, uint32_t v) { uint8_t be[4]; stbe32(be, v); put(g, be, 4); }
static void put64(Gen *g, uint64_t v) { uint8_t be[8]; stbe64(be, v); put(g, be, 8); }
static void put_string(Gen *g, const char *s) { put32(g, (uint32_t)strlen(s)); put(g, s, strlen(s)); }

/* Places and lengths that are interesting: inside, at the end, behind it, huge. */
static uint64_t number(Gen *g)
{
    static const uint64_t table[] = { 0, 512, 4096, 65536, DISK_BYTES / 2, DISK_BYTES - 512, DISK_BYTES, 1, 100, 70000, 33 << 20, UINT32_MAX, INT64_MAX, UINT64_MAX, 3, DISK_BYTES - 1 };
    unsigned c = next(g);
    return c < 0xe0 ? table[c & 15] : (uint64_t)next(g) << (c & 31);
}

static const char *name_of(unsigned c)
{
    static const char *const names[] = { "", "disk", "nobody", "disk" };
    return names[c & 3];
}

/* -- what a client says ---------------------------------------------------------------------------------------------- */

static void option(Gen *g, uint32_t type, const uint8_t *data, uint32_t bytes)
{
    put64(g, NBD_OPTS_MAGIC);
    put32(g, type);
    put32(g, bytes);
    put(g, data, bytes);
}

static void info_option(Gen *g, uint32_t type)
{
    Gen inner = { 0 };
    unsigned c = next(g);

    put_string(&inner, name_of(c));
    put16(&inner, c >> 4 & 3);
    for (unsigned i = 0; i < (c >> 4 & 3u) + (c == 'Z'); i++) {
        put16(&inner, i + (c >> 6));
    }
    option(g, type, inner.out.at, (uint32_t)inner.out.n);
    vec_free(&inner.out);
}

static void context_option(Gen *g, uint32_t type)
{
    static const char *const queries[] = { "base:allocation", "qemu:allocation-depth", "base:", "qemu:", "qemu:dirty-bitmap:", "", "nosuch:thing", "x" };
    Gen inner = { 0 };
    unsigned c = next(g);

    put_string(&inner, name_of(c == 'C' || c == 'G' ? 1 : c));
    put32(&inner, c == 0xff ? UINT32_MAX : 1 + (c & 1));
    put_string(&inner, queries[c == 'C' || c == 'G' ? 0 : c >> 1 & 7]);
    if (c & 1) {
        put_string(&inner, queries[c >> 2 & 7]);
    }
    option(g, type, inner.out.at, (uint32_t)inner.out.n);
    vec_free(&inner.out);
}

static void client_options(Gen *g)
{
    for (unsigned n = 0; g->left && n < 200; n++) {
        unsigned c = next(g);
        switch (c) {
        case '_': return;
        case 'L': option(g, NBD_OPT_LIST, NULL, 0); break;
        case 'X': option(g, NBD_OPT_STRUCTURED_REPLY, NULL, 0); break;
        case 'T': option(g, NBD_OPT_STRUCTURED_REPLY, NULL, 0); break;
        case 'Y': option(g, NBD_OPT_EXTENDED_HEADERS, NULL, 0); break;
        case 'E': {
            const char *name = name_of(next(g));
            option(g, NBD_OPT_EXPORT_NAME, (const uint8_t *)name, (uint32_t)strlen(name));
            return;
        }
        case 'G': put64(g, NBD_OPTS_MAGIC); put32(g, NBD_OPT_GO); put32(g, 4 + 4 + 2); put_string(g, "disk"); put16(g, 0); next(g); break;
        case 'I': info_option(g, NBD_OPT_INFO); break;
        case 'D': info_option(g, NBD_OPT_GO); break;
        case 'C': context_option(g, NBD_OPT_SET_META_CONTEXT); break;
        case 'g': context_option(g, next(g) & 1 ? NBD_OPT_LIST_META_CONTEXT : NBD_OPT_SET_META_CONTEXT); break;
        case 'S': option(g, NBD_OPT_STARTTLS, NULL, 0); break;
        case 'A': option(g, NBD_OPT_ABORT, NULL, 0); break;
        case 'q': { /* any option with bytes of the input, and a length that may lie */
            uint32_t type = next(g) & 15, bytes = next(g) & 31, said = next(g) & 7 ? bytes : (uint32_t)number(g);
            put64(g, NBD_OPTS_MAGIC);
            put32(g, type);
            put32(g, said);
            for (uint32_t i = 0; i < bytes; i++) {
                uint8_t b = (uint8_t)next(g);
                put(g, &b, 1);
            }
            break;
        }
        default: { uint8_t b = (uint8_t)c; put(g, &b, 1); }
        }
    }
}

static void client_requests(Gen *g, bool extended)
{
    static const uint8_t zeros[4096];
    static const char letters[] = "rwdftczs";

    for (unsigned n = 0; g->left && n < 300; n++) {
        unsigned c = next(g);
        const char *at = c ? strchr(letters, (int)c) : NULL;
        if (!at) {
            uint8_t b = (uint8_t)c;
            put(g, &b, 1);
            continue;
        }
        unsigned type = (unsigned)(at - letters), flags = next(g);
        uint64_t offset = number(g), bytes = number(g);
        flags = flags >= 'A' && flags <= 'Z' ? (extended && type == NBD_CMD_WRITE ? NBD_PAYLOAD_LEN : 0) : flags & 0x3f;
        put32(g, extended ? NBD_EXTENDED_REQUEST_MAGIC : NBD_REQUEST_MAGIC);
        put16(g, flags);
        put16(g, type == 2 && next(g) & 3 ? 3 : type);
        put64(g, n);
        put64(g, offset);
        if (extended) {
            put64(g, bytes);
        } else {
            put32(g, (uint32_t)bytes);
        }
        if (extended ? flags & NBD_PAYLOAD_LEN : type == NBD_CMD_WRITE) {
            for (uint64_t k = 0; k < MIN(bytes, (uint64_t)128 * 1024); k += sizeof(zeros)) {
                put(g, zeros, MIN(sizeof(zeros), bytes - k));
            }
        }
    }
}

/* -- what a server says ---------------------------------------------------------------------------------------------- */

static void option_reply(Gen *g, uint32_t opt, uint32_t type, const void *data, uint32_t bytes)
{
    put64(g, NBD_REPLY_MAGIC);
    put32(g, opt);
    put32(g, type);
    put32(g, bytes);
    put(g, data, bytes);
}

static void server_handshake(Gen *g)
{
    /* The options that our client sends, in their order, are what replies go to. */
    static const uint32_t order[] = { NBD_OPT_EXTENDED_HEADERS, NBD_OPT_STRUCTURED_REPLY, NBD_OPT_SET_META_CONTEXT, NBD_OPT_GO };
    unsigned at = 0;

    for (unsigned n = 0; g->left && n < 100; n++) {
        unsigned c = next(g);
        uint32_t opt = order[MIN(at, ARRAY_SIZE(order) - 1)];
        uint8_t data[64] = { 0 };
        switch (c) {
        case '_': return;
        case 'y': option_reply(g, opt, NBD_REP_ACK, NULL, 0); at = at ? at + 1 : 2; break;   /* extended headers: the other is not asked for */
        case 'a': option_reply(g, opt, NBD_REP_ACK, NULL, 0); at++; break;
        case 'n': option_reply(g, opt, NBD_REP_ERR_UNSUP, NULL, 0); at++; break;
        case 'u': option_reply(g, opt, NBD_REP_ERR(next(g) & 15), "why", 3); at++; break;
        case 'c': stbe32(data, next(g)); memcpy(data + 4, "base:allocation", 15); option_reply(g, NBD_OPT_SET_META_CONTEXT, NBD_REP_META_CONTEXT, data, 19); break;
        case 'i': /* the export */
            stbe64(data + 2, next(g) & 8 ? DISK_BYTES : number(g));
            stbe16(data + 10, 0xced);
            option_reply(g, NBD_OPT_GO, NBD_REP_INFO, data, 12);
            break;
        case 'I': /* block sizes */
            stbe16(data, NBD_INFO_BLOCK_SIZE);
            stbe32(data + 2, 1u << (next(g) & 15));
            stbe32(data + 6, 4096);
            stbe32(data + 10, (uint32_t)number(g));
            option_reply(g, NBD_OPT_GO, NBD_REP_INFO, data, 14);
            break;
        case 'x': option_reply(g, opt, next(g) & 7, data, next(g) & 63); break;
        case 'X': put64(g, DISK_BYTES); put16(g, 0xced); put(g, (uint8_t[124]){ 0 }, 124); break;
        default: { uint8_t b = (uint8_t)c; put(g, &b, 1); }
        }
    }
}

static void chunk(Gen *g, bool extended, unsigned type, const void *data, uint32_t bytes, unsigned done)
{
    put32(g, extended ? NBD_EXTENDED_REPLY_MAGIC : NBD_STRUCTURED_REPLY_MAGIC);
    put16(g, done);
    put16(g, type);
    put64(g, (uint64_t)g->cookies * 64);
    if (extended) {
        put64(g, 0);
        put64(g, bytes);
    } else {
        put32(g, bytes);
    }
    put(g, data, bytes);
    g->cookies += done & 1;
}

static void server_replies(Gen *g)
{
    uint8_t data[4096 + 64];

    for (unsigned n = 0; g->left && n < 100; n++) {
        unsigned c = next(g), done = next(g) & 3;
        bool extended = c < 'a';
        memset(data, 0, sizeof(data));
        switch (c | 32) {
        case 'm': /* simple */
            put32(g, NBD_SIMPLE_REPLY_MAGIC);
            put32(g, next(g) & 3 ? 0 : next(g));
            put64(g, (uint64_t)g->cookies++ * 64);
            put(g, data, next(g) & 1 ? 4096 : 0);
            break;
        case 'd': {
            uint64_t bytes = number(g); /* once: MIN() is a macro */
            stbe64(data, number(g));
            chunk(g, extended, NBD_REPLY_OFFSET_DATA, data, 8 + (uint32_t)MIN(bytes, 4096u), done);
            break;
        }
        case 'h': stbe64(data, number(g)); stbe32(data + 8, (uint32_t)number(g)); chunk(g, extended, NBD_REPLY_OFFSET_HOLE, data, next(g) & 7 ? 12 : 5, done); break;
        case 's': {
            unsigned head = extended ? 8 : 4, each = extended ? 16 : 8, count = next(g) & 7;
            stbe32(data, next(g) & 1);
            if (extended) {
                stbe32(data + 4, count);
            }
            for (unsigned i = 0; i < count; i++) {
                stbe32(data + head + i * each + (extended ? 4 : 0), (uint32_t)number(g));
                stbe32(data + head + i * each + (extended ? 12 : 4), next(g) & 3);
            }
            chunk(g, extended, extended ? NBD_REPLY_BLOCK_STATUS_EXT : NBD_REPLY_BLOCK_STATUS, data, head + count * each + (next(g) == 7), done);
            break;
        }
        case 'e': stbe32(data, next(g)); stbe16(data + 4, next(g) & 15); chunk(g, extended, next(g) & 1 ? NBD_REPLY_ERROR : NBD_REPLY_ERROR_OFFSET, data, 6 + (next(g) & 31), done); break;
        case 'n': chunk(g, extended, NBD_REPLY_NONE, data, next(g) == 7, done); break;
        default: { uint8_t b = (uint8_t)c; put(g, &b, 1); }
        }
    }
}

/* -- running --------------------------------------------------------------------------------------------------------- */

/* Without waiting: what does not fit is not said. */
static void say(int fd, const Gen *g, size_t *said)
{
    while (*said < g->out.n) {
        ssize_t n = send(fd, g->out.at + *said, g->out.n - *said, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0) {
            break;
        }
        *said += (size_t)n;
    }
}

static bool hear(int fd)
{
    static uint8_t waste[65536];
    bool any = false;

    while (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) > 0) {
        any = true;
    }
    return any;
}

static BlockNode *make_disk(void)
{
    Json *options = json_object();

    json_put_string(options, "driver", "null-co");
    json_put_uint(options, "size", DISK_BYTES);
    return node_open(NULL, options, BLOCK_RDWR, error_fatal);
}

static void try_server(Gen *g)
{
    static NbdServer *server;
    int pair[2];
    size_t said = 0;

    if (!server) {
        server = nbd_server_new(&(NbdServerConfig){ 0 });
        nbd_export_new(server, &(NbdExportConfig){ .name = "disk", .description = "a disk", .node = make_disk(), .writable = true, .allocation_depth = true }, error_fatal);
    }
    put32(g, next(g) & 7);
    client_options(g);
    client_requests(g, g->left & 1);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        return;
    }
    nbd_server_serve(server, pair[1]);
    for (bool any = true; any;) {
        size_t before = said;
        say(pair[0], g, &said);
        any = hear(pair[0]) || said != before;
        any |= ioctx_poll(ioctx_main(), false);
    }
    shutdown(pair[0], SHUT_WR);
    for (unsigned n = 0; nbd_server_clients(server); n++) {
        assert(n < 1000000); /* a client that has gone, and stays */
        hear(pair[0]);
        ioctx_poll(ioctx_main(), false);
    }
    close(pair[0]);
}

static void use(BlockNode *node)
{
    static uint8_t buf[8192];
    BlockStatus st;

    for (unsigned i = 0; i < 3; i++) {
        node_pread(node, 0, buf, 4096);
        node_status_above(node, NULL, 0, DISK_BYTES, &st);
        node_pwrite(node, 512, buf, 512, 0);
        node_zero(node, 0, 65536, 0);
        node_pread(node, 100, buf, 4096);
        node_flush(node);
    }
}

static void try_client(Gen *g)
{
    int pair[2];
    size_t said = 0;
    char name[16];
    unsigned flags = next(g);

    put64(g, NBD_MAGIC);
    if (flags == 'O') {
        put64(g, NBD_OLDSTYLE_MAGIC);
        put64(g, DISK_BYTES);
        put32(g, next(g));
        put(g, (uint8_t[124]){ 0 }, 124);
    } else {
        put64(g, NBD_OPTS_MAGIC);
        put16(g, flags & 3);
    }
    server_handshake(g);
    server_replies(g);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        return;
    }
    say(pair[0], g, &said);
    shutdown(pair[0], SHUT_WR);
    snprintf(name, sizeof(name), "%d", pair[1]);
    Json *options = json_object(), *server = json_object();
    json_put_string(server, "type", "fd");
    json_put_string(server, "str", name);
    json_put_string(options, "driver", "nbd");
    json_put(options, "server", server);
    json_put_string(options, "export", "disk");
    BlockNode *node = node_open(NULL, options, BLOCK_RDWR | BLOCK_AUTO_RDONLY, NULL);
    if (node) {
        use(node);
        node_unref(node);
    }
    close(pair[0]);
    close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool quiet;
    Gen g = { data, size, { 0 }, 0 };

    if (!quiet) { /* each broken reply is reported, as it should be */
        quiet = freopen("/dev/null", "w", stderr) != NULL;
    }
    if (next(&g) & 1) {
        try_server(&g);
    } else {
        try_client(&g);
    }
    vec_free(&g.out);
    return 0;
}
