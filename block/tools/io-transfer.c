/*
 * io-transfer.c: qemu-io's reads, writes, discards and flushes.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "block/tools/io.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/parse.h"

enum { MAX_PIECES = 64, DEFAULT_PATTERN = 0xcd };
#define MAX_BYTES ((int64_t)INT32_MAX - 511)

typedef enum TransferKind { READ, WRITE, DISCARD } TransferKind;

/* One request, as it was asked for. */
typedef struct Transfer {
    IoShell *shell;
    const IoCommand *command;
    TransferKind kind;
    bool compressed, csv, fua, no_fallback, quiet, unmap, verbose, zeroes, invalid, has_pattern, has_length;
    uint8_t pattern;
    const char *source_file;
    int64_t offset, bytes, pattern_offset, pattern_length;
    uint8_t *buf, *mapping;
    struct iovec pieces[MAX_PIECES];
    int n_pieces;
    struct timespec began;
    int result;
} Transfer;

/* -- what is said ---------------------------------------------------------------------------------------------------- */

static void dump(const uint8_t *buf, int64_t offset, int64_t bytes)
{
    for (int64_t at = 0; at < bytes; at += 16) {
        int n = (int)MIN(bytes - at, 16);
        printf("%08" PRIx64 ":  ", (uint64_t)(offset + at));
        for (int i = 0; i < n; i++) {
            printf("%02x ", buf[at + i]);
        }
        printf(" ");
        for (int i = 0; i < n; i++) {
            uint8_t c = buf[at + i];
            printf("%c", c >= 0x20 && c < 0x7f ? c : '.');
        }
        printf("\n");
    }
}

static void report(const Transfer *t, const char *verb)
{
    struct timespec now;
    char total[64], rate[64], spent[64];

    clock_gettime(CLOCK_MONOTONIC, &now);
    double s = (double)(now.tv_sec - t->began.tv_sec) + (double)(now.tv_nsec - t->began.tv_nsec) / 1e9;
    s = s > 0 ? s : 1e-9;
    unsigned hours = (unsigned)s / 3600, minutes = (unsigned)s / 60 % 60, seconds = (unsigned)s % 60, hundredths = (unsigned)((s - (unsigned)s) * 100);
    if (t->csv) {
        printf("%" PRId64 ",1,%u:%02u:%02u.%02u,%.3f,%.3f\n", t->bytes, hours, minutes, seconds, hundredths, (double)t->bytes / s, 1 / s);
        return;
    }
    io_format_size((double)t->bytes, total, sizeof(total));
    io_format_size((double)t->bytes / s, rate, sizeof(rate));
    if (hours || minutes) {
        snprintf(spent, sizeof(spent), "%u:%02u:%02u.%02u", hours, minutes, seconds, hundredths);
    } else {
        snprintf(spent, sizeof(spent), "%02u.%02u sec", seconds, hundredths);
    }
    printf("%s %" PRId64 "/%" PRId64 " bytes at offset %" PRId64 "\n%s, 1 ops; %s (%s/sec and %.4f ops/sec)\n", verb, t->bytes, t->bytes, t->offset, total, spent,
           rate, 1 / s);
}

/* What came, against the pattern, and as asked for on the terminal. False: it is not what it should be. */
static bool look_at(const Transfer *t)
{
    bool ok = true;

    if (t->has_pattern) {
        int64_t from = t->pattern_offset, n = t->has_length ? t->pattern_length : t->bytes - from;
        for (int64_t i = from; i < from + n && ok; i++) {
            ok = t->buf[i] == t->pattern;
        }
        if (!ok) {
            printf("Pattern verification failed at offset %" PRId64 ", %" PRId64 " bytes\n", t->offset + from, n);
        }
    }
    if (t->verbose) {
        dump(t->buf, t->offset, t->bytes);
    }
    return ok;
}

/* -- the request ----------------------------------------------------------------------------------------------------- */

static int perform(Transfer *t)
{
    BlockNode *node = t->shell->node;
    uint64_t offset = (uint64_t)t->offset, bytes = (uint64_t)t->bytes;

    if (offset > node->size_bytes || bytes > node->size_bytes - offset) {
        return -EIO;
    }
    if (t->kind == READ) {
        return node_co_read(node, offset, bytes, sg_of(t->pieces), 0);
    }
    if (t->kind == DISCARD) {
        return node_co_discard(node, offset, bytes);
    }
    unsigned fua = t->fua || t->shell->writethrough ? REQ_FUA : 0;
    if (t->zeroes) {
        return node_co_zero(node, offset, bytes, fua | (t->unmap ? REQ_UNMAP : 0) | (t->no_fallback ? REQ_NO_FALLBACK : 0));
    }
    return node_co_write(node, offset, bytes, sg_of(t->pieces), fua | (t->compressed ? REQ_COMPRESSED : 0));
}

static void transfer_free(Transfer *t)
{
    free(t->mapping);
    free(t);
}

static void sync_entry(void *opaque)
{
    Transfer *t = opaque;
    t->result = perform(t);
}

static void async_entry(void *opaque)
{
    Transfer *t = opaque;
    static const char *const verbs[] = { "read", "wrote", "discard" }, *const names[] = { "readv", "aio_write", "aio_discard" };

    t->result = perform(t);
    if (t->result) {
        printf("%s failed: %s\n", t->kind == READ ? "readv" : names[t->kind], strerror(-t->result));
    } else {
        if (t->kind == READ) {
            look_at(t);
        }
        if (!t->quiet) {
            report(t, verbs[t->kind]);
        }
    }
    t->shell->in_flight--;
    transfer_free(t);
}

static int run_now(Transfer *t)
{
    static const char *const verbs[] = { "read", "wrote", "discard" };
    bool ok;

    ioctx_run(ioctx_main(), sync_entry, t);
    if (t->result) {
        printf("%s failed: %s\n", t->kind == WRITE ? "write" : verbs[t->kind], strerror(-t->result));
        ok = false;
    } else {
        ok = t->kind != READ || look_at(t);
        if (!t->quiet) {
            report(t, verbs[t->kind]);
        }
    }
    transfer_free(t);
    return ok ? 0 : 1;
}

/* -- reading the command --------------------------------------------------------------------------------------------- */

static bool read_pattern(const char *text, uint8_t *ret)
{
    uint64_t value;

    if (!text_to_uint(text, &value) || value > 255) {
        printf("%s is not a valid pattern byte\n", text);
        return false;
    }
    *ret = (uint8_t)value;
    return true;
}

static bool read_flags(Transfer *t, const char *letters, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, letters)) != -1) {
        switch (c) {
        case 'b': printf("the VM state is not supported yet\n"); return false;
        case 'c': t->compressed = true; break;
        case 'C': t->csv = true; break;
        case 'f': t->fua = true; break;
        case 'i': t->invalid = true; break;
        case 'l': t->has_length = true; if (!io_number(optarg, &t->pattern_length)) { return false; } break;
        case 'n': t->no_fallback = true; break;
        case 'p': case 'r': break;
        case 'P': t->has_pattern = true; if (!read_pattern(optarg, &t->pattern)) { return false; } break;
        case 'q': t->quiet = true; break;
        case 's':
            if (t->kind == WRITE) {
                t->source_file = optarg;
            } else if (!io_number(optarg, &t->pattern_offset)) {
                return false;
            }
            break;
        case 'u': t->unmap = true; break;
        case 'v': t->verbose = true; break;
        case 'z': t->zeroes = true; break;
        default: io_usage(t->command); return false;
        }
    }
    return true;
}

static bool check_flags(const Transfer *t)
{
    if (t->kind == WRITE && t->zeroes + (t->source_file != NULL) + t->has_pattern > 1) {
        printf("Only one of -z, -P, and -s can be specified at the same time\n");
        return false;
    }
    if (t->kind == WRITE && t->compressed && t->zeroes) {
        printf("-c and -z cannot be specified at the same time\n");
        return false;
    }
    if (t->no_fallback && !t->zeroes) {
        printf("-n requires -z to be specified\n");
        return false;
    }
    if (t->unmap && !t->zeroes) {
        printf("-u requires -z to be specified\n");
        return false;
    }
    return true;
}

/* The bytes of a file, over and over. */
static bool fill_from_file(uint8_t *buf, int64_t bytes, const char *path)
{
    FILE *in = fopen(path, "rb");

    if (!in) {
        fflush(stdout);
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    size_t n = fread(buf, 1, (size_t)bytes, in);
    bool ok = n > 0 && !ferror(in);
    fclose(in);
    if (!ok) {
        printf("%s: file is empty or cannot be read\n", path);
        return false;
    }
    for (int64_t at = (int64_t)n; at < bytes; at += (int64_t)n) {
        memcpy(buf + at, buf, MIN((size_t)(bytes - at), n));
    }
    return true;
}

static bool read_range(Transfer *t, int argc, char **argv)
{
    if (argc - optind < 2) {
        io_usage(t->command);
        return false;
    }
    if (!io_number(argv[optind++], &t->offset)) {
        return false;
    }
    for (; optind < argc; optind++) {
        int64_t n;
        if (!io_number(argv[optind], &n)) {
            return false;
        }
        if (n > MAX_BYTES - t->bytes && !t->zeroes && t->kind != DISCARD) {
            printf("length cannot exceed %" PRId64 ", given %s\n", MAX_BYTES, argv[optind]);
            return false;
        }
        if (t->n_pieces == MAX_PIECES) {
            printf("at most %d lengths\n", MAX_PIECES);
            return false;
        }
        t->pieces[t->n_pieces++].iov_len = (size_t)n;
        t->bytes += n;
    }
    if (t->has_length || t->pattern_offset) {
        if (!t->has_pattern) {
            io_usage(t->command);
            return false;
        }
        if (t->pattern_offset > t->bytes || (t->has_length && t->pattern_length > t->bytes - t->pattern_offset)) {
            printf("pattern verification range exceeds end of read data\n");
            return false;
        }
    }
    return true;
}

static bool make_buffer(Transfer *t)
{
    size_t skip = t->shell->misalign ? 16 : 0;

    if (t->zeroes || t->kind == DISCARD) {
        return true;
    }
    t->mapping = node_alloc(t->shell->node, (size_t)t->bytes + skip);
    t->buf = t->mapping + skip;
    memset(t->buf, t->kind == READ ? 0xab : t->has_pattern ? t->pattern : DEFAULT_PATTERN, (size_t)t->bytes);
    size_t at = 0;
    for (int i = 0; i < t->n_pieces; i++) {
        t->pieces[i].iov_base = t->buf + at;
        at += t->pieces[i].iov_len;
    }
    return !t->source_file || fill_from_file(t->buf, t->bytes, t->source_file);
}

static int transfer(IoShell *shell, TransferKind kind, const char *letters, bool async, int argc, char **argv)
{
    Transfer *t = xnew(Transfer);

    t->shell = shell;
    t->command = io_find(argv[0]);
    t->kind = kind;
    if (!read_flags(t, letters, argc, argv) || !check_flags(t) || !read_range(t, argc, argv)) {
        transfer_free(t);
        return 1;
    }
    if (kind != READ && shell->node->readonly) {
        error_report("Block node is read-only");
        transfer_free(t);
        return 1;
    }
    if (!make_buffer(t)) {
        transfer_free(t);
        return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &t->began);
    if (!async) {
        return run_now(t);
    }
    shell->in_flight++;
    ioctx_start(ioctx_main(), async_entry, t);
    return 0;
}

static int do_read(IoShell *shell, int argc, char **argv) { return transfer(shell, READ, "bCl:pP:qrs:v", false, argc, argv); }
static int do_readv(IoShell *shell, int argc, char **argv) { return transfer(shell, READ, "CP:qrv", false, argc, argv); }
static int do_write(IoShell *shell, int argc, char **argv) { return transfer(shell, WRITE, "bcCfnpP:qrs:uz", false, argc, argv); }
static int do_writev(IoShell *shell, int argc, char **argv) { return transfer(shell, WRITE, "CfP:qr", false, argc, argv); }
static int do_discard(IoShell *shell, int argc, char **argv) { return transfer(shell, DISCARD, "Cq", false, argc, argv); }
static int do_aio_read(IoShell *shell, int argc, char **argv) { return transfer(shell, READ, "CiP:qrv", true, argc, argv); }
static int do_aio_write(IoShell *shell, int argc, char **argv) { return transfer(shell, WRITE, "CfiP:qruz", true, argc, argv); }
static int do_aio_discard(IoShell *shell, int argc, char **argv) { return transfer(shell, DISCARD, "Cq", true, argc, argv); }

static int do_flush(IoShell *shell, int argc, char **argv)
{
    int err = node_flush(shell->node);

    if (err) {
        printf("flush failed: %s\n", strerror(-err));
    }
    return err ? 1 : 0;
}

static int do_aio_flush(IoShell *shell, int argc, char **argv)
{
    ioctx_wait_zero(ioctx_main(), &shell->in_flight);
    return 0;
}

#define FLAG_C " -C, -- statistics in a form for programs\n"
#define FLAG_P_READ " -P, -- the byte that must be read\n"
#define FLAG_P_WRITE " -P, -- the byte to write instead of 0xcd\n"
#define FLAG_Q " -q, -- no statistics\n"
#define FLAG_V " -v, -- show what was read\n"
#define FLAG_F " -f, -- force unit access: stable when it ends\n"
#define FLAG_ZU " -u, -- with -z: the space may be given back\n -z, -- write zeroes without a buffer\n"
#define ASYNC " It goes on in the background; aio_flush waits for all of these.\n"

const IoCommand io_transfer_commands[] = {
    { "aio_discard", NULL, "[-Cq] off len", "asynchronously discards a number of bytes", ASYNC FLAG_C FLAG_Q, 2, -1, true, do_aio_discard },
    { "aio_flush", NULL, "", "completes all outstanding aio requests", NULL, 0, 0, false, do_aio_flush },
    { "aio_read", NULL, "[-Ciqrv] [-P pattern] off len [len..]", "asynchronously reads a number of bytes",
      ASYNC FLAG_C FLAG_P_READ FLAG_Q FLAG_V, 2, -1, true, do_aio_read },
    { "aio_write", NULL, "[-Cfiqruz] [-P pattern] off len [len..]", "asynchronously writes a number of bytes",
      ASYNC FLAG_C FLAG_F FLAG_P_WRITE FLAG_Q FLAG_ZU, 2, -1, true, do_aio_write },
    { "discard", "d", "[-Cq] off len", "discards a number of bytes at a specified offset", FLAG_C FLAG_Q, 2, -1, true, do_discard },
    { "flush", "f", "", "flush all in-core file state to disk", NULL, 0, 0, true, do_flush },
    { "read", "r", "[-abCqrv] [-P pattern [-s off] [-l len]] off len", "reads a number of bytes at a specified offset",
      FLAG_C FLAG_P_READ " -s, -- where the part that must have the byte begins\n -l, -- how long it is\n" FLAG_Q FLAG_V, 2, -1, true, do_read },
    { "readv", "rv", "[-Cqrv] [-P pattern] off len [len..]", "reads a number of bytes at a specified offset", FLAG_C FLAG_P_READ FLAG_Q FLAG_V, 2, -1, true,
      do_readv },
    { "write", "w", "[-bcCfnqruz] [-P pattern | -s source_file] off len", "writes a number of bytes at a specified offset",
      " -c, -- compressed\n" FLAG_C FLAG_F " -n, -- with -z: not by writing data\n" FLAG_P_WRITE FLAG_Q " -s, -- write what this file has, repeated\n" FLAG_ZU, 2, -1,
      true, do_write },
    { "writev", "wv", "[-Cfqr] [-P pattern] off len [len..]", "writes a number of bytes at a specified offset", FLAG_C FLAG_F FLAG_P_WRITE FLAG_Q, 2, -1, true,
      do_writev },
    { NULL },
};
