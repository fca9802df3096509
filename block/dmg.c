/*
 * dmg.c: "dmg", Apple's disk images (UDIF; read only).
 *
 * A trailer ("koly") at the end of the file names a property list or a resource fork; in those are tables ("mish") of chunks: sectors of the
 * disk and where they are in the file, as they are, as zeros, or compressed. zlib, and bzip2 where the library is there; chunks in other
 * codings (ADC, LZFSE, LZMA) cannot be read and are said when the image is opened. All numbers are big-endian.
 */
#include <errno.h>
#include <string.h>
#ifdef CONFIG_BZIP2
#include <bzlib.h>
#endif

#include "block/blockmap.h"
#include "util/alloc.h"
#include "util/bits.h"

enum {
    TRAILER_BYTES = 512, KOLY_DATA_FORK = 24, KOLY_RESOURCES = 40, KOLY_RESOURCES_BYTES = 48, KOLY_XML = 216, KOLY_XML_BYTES = 224,
    MISH_FIRST = 8, MISH_DATA = 24, MISH_COUNT = 200, MISH_CHUNKS = 204, CHUNK_BYTES = 40, SECTOR = 512,
};
#define MAX_TABLES (16 * MiB)
#define MAX_CHUNK_BYTES (64 * MiB)
#define MAX_CHUNKS (1u << 20)

typedef enum ChunkType {
    CHUNK_ZERO = 0, CHUNK_RAW = 1, CHUNK_IGNORE = 2, CHUNK_ADC = (int)0x80000004, CHUNK_ZLIB = (int)0x80000005, CHUNK_BZIP2 = (int)0x80000006,
    CHUNK_LZFSE = (int)0x80000007, CHUNK_LZMA = (int)0x80000008, CHUNK_COMMENT = 0x7ffffffe, CHUNK_END = (int)0xffffffff,
} ChunkType;

typedef struct Chunk {
    ChunkType type;
    uint64_t start, sectors, offset, bytes;
} Chunk;

typedef struct DmgState {
    Chunk *chunks;
    size_t n_chunks, cap_chunks;
    CoMutex lock;                /* of the buffer */
    uint8_t *buffer;             /* the chunk decompressed last */
    const Chunk *loaded;
} DmgState;

static unsigned dmg_probe(const uint8_t *head, size_t bytes, const char *filename)
{
    size_t n = strlen(filename);
    return n > 4 && !strcmp(filename + n - 4, ".dmg") ? 2 : 0;
}

/* -- tables ---------------------------------------------------------------------------------------------------------- */

static bool type_is_known(ChunkType type)
{
#ifdef CONFIG_BZIP2
    if (type == CHUNK_BZIP2) {
        return true;
    }
#endif
    return type == CHUNK_ZERO || type == CHUNK_RAW || type == CHUNK_IGNORE || type == CHUNK_ZLIB;
}

static bool add_chunks(BlockNode *node, const uint8_t *mish, size_t bytes, uint64_t data_fork, Error **errp)
{
    DmgState *s = node->state;
    uint64_t first = ldbe64(mish + MISH_FIRST), data = ldbe64(mish + MISH_DATA), n = ldbe32(mish + MISH_COUNT);

    if (n > (bytes - MISH_CHUNKS) / CHUNK_BYTES || s->n_chunks + n > MAX_CHUNKS) {
        error_set(errp, "a table of the image has more chunks than room");
        return false;
    }
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *e = mish + MISH_CHUNKS + i * CHUNK_BYTES;
        Chunk c = { (ChunkType)ldbe32(e), ldbe64(e + 8), ldbe64(e + 16), ldbe64(e + 24), ldbe64(e + 32) };
        bool zeros = c.type == CHUNK_ZERO || c.type == CHUNK_IGNORE;
        if (c.type == CHUNK_COMMENT || c.type == CHUNK_END || !c.sectors) {
            continue;
        }
        if (!type_is_known(c.type)) {
            error_set(errp, "the image has chunks in a coding (%#x) that this build cannot read", (unsigned)c.type);
            return false;
        }
        if (first > INT64_MAX / SECTOR / 4 || c.start > INT64_MAX / SECTOR / 4 || c.sectors > INT64_MAX / SECTOR / 4 || data > INT64_MAX / 8 ||
            data_fork > INT64_MAX / 8 || c.offset > INT64_MAX / 8) {
            error_set(errp, "a chunk of the image is behind what a disk or a file can have");
            return false;
        }
        c.start += first;
        c.offset += data + data_fork;
        if (!zeros && c.type != CHUNK_RAW && (c.sectors > MAX_CHUNK_BYTES / SECTOR || c.bytes > MAX_CHUNK_BYTES)) {
            error_set(errp, "a chunk of the image is too large");
            return false;
        }
        if (c.type == CHUNK_RAW && c.bytes < c.sectors * SECTOR) {
            error_set(errp, "a chunk of the image is shorter than its sectors");
            return false;
        }
        if (s->n_chunks == s->cap_chunks) {
            s->chunks = vec_grow(s->chunks, &s->cap_chunks, sizeof(Chunk));
        }
        s->chunks[s->n_chunks++] = c;
    }
    return true;
}

static int base64_digit(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* In place of the text; returns the bytes. Line ends and blanks are passed over. */
static size_t base64_decode(char *text, size_t n)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t out = 0;

    for (size_t i = 0; i < n; i++) {
        int digit = base64_digit(text[i]);
        if (digit >= 0) {
            bits = bits << 6 | (uint32_t)digit;
            have += 6;
            if (have >= 8) {
                have -= 8;
                text[out++] = (char)(bits >> have);
            }
        }
    }
    return out;
}

/* Every <data> of the list that has a table. */
static bool read_xml(BlockNode *node, char *text, size_t bytes, uint64_t data_fork, Error **errp)
{
    char *at = text;

    while ((at = memmem(at, bytes - (size_t)(at - text), "<data>", 6)) != NULL) {
        at += 6;
        char *end = memmem(at, bytes - (size_t)(at - text), "</data>", 7);
        if (!end) {
            error_set(errp, "the property list of the image is cut off");
            return false;
        }
        size_t n = base64_decode(at, (size_t)(end - at));
        if (n >= MISH_CHUNKS && !memcmp(at, "mish", 4) && !add_chunks(node, (const uint8_t *)at, n, data_fork, errp)) {
            return false;
        }
        at = end;
    }
    return true;
}

/* A resource fork: where its data is, then resources each with its length in front. */
static bool read_resources(BlockNode *node, const uint8_t *fork, size_t bytes, uint64_t data_fork, Error **errp)
{
    size_t at = bytes >= 16 ? ldbe32(fork) : bytes, end = bytes >= 16 ? at + ldbe32(fork + 8) : 0;

    if (at > bytes || end > bytes) {
        error_set(errp, "the resource fork of the image is cut off");
        return false;
    }
    while (at + 4 <= end) {
        size_t n = ldbe32(fork + at);
        at += 4;
        if (n > end - at) {
            error_set(errp, "the resource fork of the image is damaged");
            return false;
        }
        if (n >= MISH_CHUNKS && !memcmp(fork + at, "mish", 4) && !add_chunks(node, fork + at, n, data_fork, errp)) {
            return false;
        }
        at += n;
    }
    return true;
}

static int by_start(const void *a, const void *b)
{
    const Chunk *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* The trailer is at the end, or in front of a bit more. */
static bool find_trailer(BlockNode *file, uint8_t *trailer, Error **errp)
{
    uint64_t bytes = MIN(file->size_bytes, 2u * TRAILER_BYTES);
    uint8_t tail[2 * TRAILER_BYTES] = { 0 };
    int err = node_pread(file, file->size_bytes - bytes, tail, bytes);

    for (size_t at = bytes < TRAILER_BYTES ? SIZE_MAX : (size_t)bytes - TRAILER_BYTES; !err && at != SIZE_MAX; at--) {
        if (!memcmp(tail + at, "koly", 4)) {
            memcpy(trailer, tail + at, TRAILER_BYTES);
            return true;
        }
    }
    error_set(errp, "Could not locate UDIF trailer in dmg file");
    return false;
}

static bool dmg_open(BlockNode *node, Json *options, Error **errp)
{
    DmgState *s = node->state;
    BlockNode *file = node_file(node);
    uint8_t k[TRAILER_BYTES];

    if (!format_is_readonly(node, errp) || !find_trailer(file, k, errp)) {
        return false;
    }
    uint64_t xml = ldbe64(k + KOLY_XML), xml_bytes = ldbe64(k + KOLY_XML_BYTES), fork = ldbe64(k + KOLY_RESOURCES), fork_bytes = ldbe64(k + KOLY_RESOURCES_BYTES);
    bool by_fork = fork_bytes != 0;
    uint64_t at = by_fork ? fork : xml, bytes = by_fork ? fork_bytes : xml_bytes;
    if (!bytes || bytes > MAX_TABLES || at > file->size_bytes || bytes > file->size_bytes - at) {
        error_set(errp, "the image has no tables of chunks, or too large ones");
        return false;
    }
    char *text = xmalloc(bytes);
    int err = node_pread(file, at, text, bytes);
    bool ok = false;
    if (err) {
        error_set_errno(errp, -err, "Could not read the tables of chunks");
    } else {
        ok = by_fork ? read_resources(node, (uint8_t *)text, bytes, ldbe64(k + KOLY_DATA_FORK), errp)
                     : read_xml(node, text, bytes, ldbe64(k + KOLY_DATA_FORK), errp);
    }
    free(text);
    if (ok) {
        qsort(s->chunks, s->n_chunks, sizeof(Chunk), by_start);
        uint64_t largest = 0;
        for (size_t i = 0; i < s->n_chunks; i++) {
            const Chunk *c = &s->chunks[i];
            if (i && c->start < c[-1].start + c[-1].sectors) {
                error_set(errp, "chunks of the image overlap");
                ok = false;
                break;
            }
            node->size_bytes = (c->start + c->sectors) * SECTOR;
            largest = c->type == CHUNK_ZLIB || c->type == CHUNK_BZIP2 ? MAX(largest, c->sectors * SECTOR) : largest;
        }
        s->buffer = ok ? xmalloc(MAX(largest, 1u)) : NULL;
    }
    if (!ok) {
        free(s->chunks);
    }
    co_mutex_init(&s->lock);
    return ok;
}

static void dmg_close(BlockNode *node)
{
    DmgState *s = node->state;
    free(s->chunks);
    free(s->buffer);
}

/* -- reading --------------------------------------------------------------------------------------------------------- */

#ifdef CONFIG_BZIP2
typedef struct Bunzip {
    uint8_t *in, *out;
    size_t in_bytes, out_bytes;
} Bunzip;

static int bunzip_work(void *opaque)
{
    Bunzip *b = opaque;
    unsigned got = (unsigned)b->out_bytes;
    int ret = BZ2_bzBuffToBuffDecompress((char *)b->out, &got, (char *)b->in, (unsigned)b->in_bytes, 0, 0);

    if (ret == BZ_OK) {
        memset(b->out + got, 0, b->out_bytes - got);
    }
    return ret == BZ_OK ? 0 : -EIO;
}
#endif

/* With the lock. */
static int load(BlockNode *node, const Chunk *c)
{
    DmgState *s = node->state;
    size_t out = (size_t)c->sectors * SECTOR;

    if (s->loaded == c) {
        return 0;
    }
    s->loaded = NULL;
    uint8_t *in = node_alloc(node_file(node), c->bytes);
    int err = node_co_pread(node_file(node), c->offset, in, c->bytes);
    if (!err && c->type == CHUNK_ZLIB) {
        err = co_inflate(true, in, c->bytes, s->buffer, out);
    }
#ifdef CONFIG_BZIP2
    if (!err && c->type == CHUNK_BZIP2) {
        Bunzip b = { in, s->buffer, c->bytes, out };
        err = co_compute(bunzip_work, &b);
    }
#endif
    free(in);
    s->loaded = err ? NULL : c;
    return err;
}

/* The last chunk that does not begin after `sector`. */
static const Chunk *chunk_at(const DmgState *s, uint64_t sector)
{
    size_t low = 0, high = s->n_chunks;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->chunks[middle].start <= sector) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? &s->chunks[low - 1] : NULL;
}

static int dmg_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    DmgState *s = node->state;
    int err = 0;

    while (bytes && !err) {
        const Chunk *c = chunk_at(s, offset / SECTOR);
        uint64_t in = c ? offset - c->start * SECTOR : 0;
        if (!c || in >= c->sectors * SECTOR) {
            return -EIO; /* no table has it */
        }
        uint64_t n = MIN(bytes, c->sectors * SECTOR - in);
        if (c->type == CHUNK_ZERO || c->type == CHUNK_IGNORE) {
            sg_zero(sg, n);
        } else if (c->type == CHUNK_RAW) {
            err = node_co_read(node_file(node), c->offset + in, n, sg, 0);
        } else {
            co_mutex_lock(&s->lock);
            err = load(node, c);
            if (!err) {
                sg_store(sg, s->buffer + in, n);
            }
            co_mutex_unlock(&s->lock);
        }
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    return err;
}

static const BlockOption no_options[] = { { NULL } };

const BlockDriver block_dmg = {
    .name = "dmg", .summary = "Apple's disk images (read only)", .kind = DRIVER_FORMAT, .state_bytes = sizeof(DmgState), .options = no_options,
    .probe = dmg_probe, .open = dmg_open, .close = dmg_close, .co_read = dmg_read,
};
