/*
 * deflate.c: deflate streams (RFC 1951), plain or as zlib's (RFC 1950), of the block formats but qcow2: by libdeflate where it is there, else zlib.
 *
 * Each worker thread keeps its compressor and decompressor.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <zlib.h>
#ifdef CONFIG_LIBDEFLATE
#include <libdeflate.h>
#endif

#include "block/blockmap.h"
#include "util/alloc.h"

#ifdef CONFIG_LIBDEFLATE
enum { LEVEL = 7 };

typedef struct Coders {
    struct libdeflate_compressor *out;
    struct libdeflate_decompressor *in;
} Coders;

static pthread_key_t coders_key;
static pthread_once_t coders_once = PTHREAD_ONCE_INIT;

static void coders_free(void *opaque)
{
    Coders *c = opaque;
    libdeflate_free_compressor(c->out);
    libdeflate_free_decompressor(c->in);
    free(c);
}

static void make_key(void)
{
    pthread_key_create(&coders_key, coders_free);
}

static Coders *coders(void)
{
    pthread_once(&coders_once, make_key);
    Coders *c = pthread_getspecific(coders_key);
    if (!c) {
        c = xnew(Coders);
        pthread_setspecific(coders_key, c);
    }
    return c;
}
#endif

size_t deflate_zlib(const uint8_t *in, size_t in_bytes, uint8_t *out, size_t limit)
{
#ifdef CONFIG_LIBDEFLATE
    Coders *c = coders();
    c->out = c->out ? c->out : libdeflate_alloc_compressor(LEVEL);
    if (c->out) {
        return libdeflate_zlib_compress(c->out, in, in_bytes, out, limit);
    }
#endif
    uLongf bytes = limit;
    return compress2(out, &bytes, in, in_bytes, Z_DEFAULT_COMPRESSION) == Z_OK ? bytes : 0;
}

typedef struct Inflate {
    bool zlib;
    const uint8_t *in;
    uint8_t *out;
    size_t in_bytes, out_bytes;
} Inflate;

static int inflate_work(void *opaque)
{
    Inflate *f = opaque;

#ifdef CONFIG_LIBDEFLATE
    Coders *c = coders();
    size_t used, got = 0;
    c->in = c->in ? c->in : libdeflate_alloc_decompressor();
    if (c->in && (f->zlib ? libdeflate_zlib_decompress_ex : libdeflate_deflate_decompress_ex)(c->in, f->in, f->in_bytes, f->out, f->out_bytes, &used, &got) ==
                 LIBDEFLATE_SUCCESS) {
        memset(f->out + got, 0, f->out_bytes - got);
        return 0;
    }
    /* A stream that goes on behind what is wanted is none for it. */
#endif
    z_stream z = { .next_in = (Bytef *)f->in, .avail_in = (uInt)f->in_bytes, .next_out = f->out, .avail_out = (uInt)f->out_bytes };
    if (inflateInit2(&z, f->zlib ? 15 : -15) != Z_OK) {
        return -ENOMEM;
    }
    int ret = inflate(&z, Z_FINISH);
    memset(f->out + (f->out_bytes - z.avail_out), 0, z.avail_out);
    inflateEnd(&z);
    /* A full buffer is enough, even if the stream's end was not reached. */
    return ret == Z_STREAM_END || (ret == Z_BUF_ERROR && !z.avail_out) ? 0 : -EIO;
}

int co_inflate(bool zlib, const uint8_t *in, size_t in_bytes, uint8_t *out, size_t out_bytes)
{
    Inflate f = { zlib, in, out, in_bytes, out_bytes };
    return co_compute(inflate_work, &f);
}
