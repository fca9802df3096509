/*
 * compress.c: one cluster compressed or decompressed, in a worker thread.
 *
 * Type 0 is a raw deflate stream (RFC 1951) whose window has 4 KiB, because that is what other readers allow for; type 1 a zstd frame (RFC 8878).
 * Each worker keeps what its libraries want to have between clusters.
 */
#include <pthread.h>
#include <string.h>
#include <zlib.h>

#include "block/qcow2/qcow2.h"
#ifdef CONFIG_LIBDEFLATE
#include <libdeflate.h>
#endif
#ifdef CONFIG_ZSTD
#include <zstd.h>
#endif

enum { WINDOW_BITS = 12, LEVEL = 6 };

typedef struct Compressors {
    z_stream deflate, inflate;
    bool has_deflate, has_inflate;
#ifdef CONFIG_LIBDEFLATE
    struct libdeflate_decompressor *fast;
#endif
#ifdef CONFIG_ZSTD
    ZSTD_CCtx *zstd_out;
    ZSTD_DCtx *zstd_in;
#endif
} Compressors;

static pthread_key_t compressors_key;
static pthread_once_t compressors_once = PTHREAD_ONCE_INIT;

static void compressors_free(void *opaque)
{
    Compressors *c = opaque;

    if (c->has_deflate) {
        deflateEnd(&c->deflate);
    }
    if (c->has_inflate) {
        inflateEnd(&c->inflate);
    }
#ifdef CONFIG_LIBDEFLATE
    libdeflate_free_decompressor(c->fast);
#endif
#ifdef CONFIG_ZSTD
    ZSTD_freeCCtx(c->zstd_out);
    ZSTD_freeDCtx(c->zstd_in);
#endif
    free(c);
}

static void make_key(void)
{
    pthread_key_create(&compressors_key, compressors_free);
}

static Compressors *compressors(void)
{
    pthread_once(&compressors_once, make_key);
    Compressors *c = pthread_getspecific(compressors_key);
    if (!c) {
        c = xnew(Compressors);
        pthread_setspecific(compressors_key, c);
    }
    return c;
}

bool compression_known(unsigned type)
{
#ifdef CONFIG_ZSTD
    return type <= 1;
#else
    return type == 0;
#endif
}

static size_t compress_deflate(Compressors *c, const uint8_t *in, size_t in_bytes, uint8_t *out, size_t limit)
{
    if (!c->has_deflate) {
        if (deflateInit2(&c->deflate, LEVEL, Z_DEFLATED, -WINDOW_BITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
            return 0;
        }
        c->has_deflate = true;
    } else {
        deflateReset(&c->deflate);
    }
    c->deflate.next_in = (Bytef *)in;
    c->deflate.avail_in = (uInt)in_bytes;
    c->deflate.next_out = out;
    c->deflate.avail_out = (uInt)limit;
    return deflate(&c->deflate, Z_FINISH) == Z_STREAM_END ? limit - c->deflate.avail_out : 0;
}

size_t compress_cluster(unsigned type, const uint8_t *in, size_t in_bytes, uint8_t *out, size_t limit)
{
    Compressors *c = compressors();

#ifdef CONFIG_ZSTD
    if (type == 1) {
        c->zstd_out = c->zstd_out ? c->zstd_out : ZSTD_createCCtx();
        size_t n = c->zstd_out ? ZSTD_compressCCtx(c->zstd_out, out, limit, in, in_bytes, ZSTD_CLEVEL_DEFAULT) : 0;
        return ZSTD_isError(n) ? 0 : n;
    }
#endif
    return type == 0 ? compress_deflate(c, in, in_bytes, out, limit) : 0;
}

/* `in_bytes` may be more than the stream has: a cluster's end is known to its sector. */
static bool decompress_deflate(Compressors *c, const uint8_t *in, size_t in_bytes, uint8_t *out, size_t out_bytes)
{
#ifdef CONFIG_LIBDEFLATE
    size_t used, got;
    c->fast = c->fast ? c->fast : libdeflate_alloc_decompressor();
    if (c->fast) {
        return libdeflate_deflate_decompress_ex(c->fast, in, in_bytes, out, out_bytes, &used, &got) == LIBDEFLATE_SUCCESS && got == out_bytes;
    }
#endif
    if (!c->has_inflate) {
        if (inflateInit2(&c->inflate, -15) != Z_OK) {
            return false;
        }
        c->has_inflate = true;
    } else {
        inflateReset(&c->inflate);
    }
    c->inflate.next_in = (Bytef *)in;
    c->inflate.avail_in = (uInt)in_bytes;
    c->inflate.next_out = out;
    c->inflate.avail_out = (uInt)out_bytes;
    int ret = inflate(&c->inflate, Z_FINISH);
    return (ret == Z_STREAM_END || ret == Z_BUF_ERROR) && !c->inflate.avail_out;
}

bool decompress_cluster(unsigned type, const uint8_t *in, size_t in_bytes, uint8_t *out, size_t out_bytes)
{
    Compressors *c = compressors();

#ifdef CONFIG_ZSTD
    if (type == 1) {
        c->zstd_in = c->zstd_in ? c->zstd_in : ZSTD_createDCtx();
        if (!c->zstd_in) {
            return false;
        }
        /* By streaming, since what is behind the frame is not known to be another. */
        ZSTD_inBuffer from = { in, in_bytes, 0 };
        ZSTD_outBuffer to = { out, out_bytes, 0 };
        ZSTD_DCtx_reset(c->zstd_in, ZSTD_reset_session_only);
        while (to.pos < to.size) {
            size_t before = to.pos + from.pos, left = ZSTD_decompressStream(c->zstd_in, &to, &from);
            if (ZSTD_isError(left) || (left == 0 && to.pos < to.size) || to.pos + from.pos == before) {
                return false;
            }
        }
        return true;
    }
#endif
    return type == 0 && decompress_deflate(c, in, in_bytes, out, out_bytes);
}
