/*
 * image.c: a surface as a PPM or PNG file.
 *
 * PPM: "P6" of the Netpbm formats. PNG: Portable Network Graphics, second edition (ISO/IEC 15948:2003): 5.3 chunks, 9 filtering,
 * 10 deflate by zlib; 8-bit RGB, filter "up", which suits flat desktops.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "ui/console.h"
#include "util/alloc.h"
#include "util/bits.h"

static bool write_all(int fd, const void *data, size_t len, Error **errp)
{
    const uint8_t *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            error_set_errno(errp, n < 0 ? errno : EIO, "failed to write the picture");
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static void row_to_rgb(const Surface *s, uint32_t y, uint8_t *out)
{
    const uint32_t *in = surface_row(s, y);

    for (uint32_t x = 0; x < s->width; x++) {
        *out++ = (uint8_t)(in[x] >> 16);
        *out++ = (uint8_t)(in[x] >> 8);
        *out++ = (uint8_t)in[x];
    }
}

static bool write_ppm(const Surface *s, int fd, Error **errp)
{
    char *head = xasprintf("P6\n%u %u\n255\n", s->width, s->height);
    uint8_t *row = xmalloc((size_t)s->width * 3);
    bool ok = write_all(fd, head, strlen(head), errp);

    for (uint32_t y = 0; y < s->height && ok; y++) {
        row_to_rgb(s, y, row);
        ok = write_all(fd, row, (size_t)s->width * 3, errp);
    }
    free(row);
    free(head);
    return ok;
}

static bool write_chunk(int fd, const char *type, const uint8_t *data, uint32_t len, Error **errp)
{
    uint8_t head[8], tail[4];

    stbe32(head, len);
    memcpy(head + 4, type, 4);
    uLong crc = crc32(crc32(0, NULL, 0), head + 4, 4);
    crc = len ? crc32(crc, data, len) : crc;
    stbe32(tail, (uint32_t)crc);
    return write_all(fd, head, 8, errp) && write_all(fd, data, len, errp) && write_all(fd, tail, 4, errp);
}

/* Compresses what z has as input; full buffers become IDAT chunks, at the end the rest too. */
static bool deflate_out(z_stream *z, int fd, uint8_t *buf, uint32_t size, int flush, Error **errp)
{
    int status;
    do {
        status = deflate(z, flush);
        if (!z->avail_out || (flush == Z_FINISH && status == Z_STREAM_END)) {
            if (!write_chunk(fd, "IDAT", buf, size - z->avail_out, errp)) {
                return false;
            }
            z->next_out = buf;
            z->avail_out = size;
        }
    } while (z->avail_in || (flush == Z_FINISH && status != Z_STREAM_END));
    return true;
}

static bool write_png(const Surface *s, int fd, Error **errp)
{
    static const uint8_t signature[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    enum { OUT_BYTES = 64 * KiB };
    size_t row_bytes = (size_t)s->width * 3;
    uint8_t header[13] = {0}, *buf = xmalloc(OUT_BYTES);
    uint8_t *rows[2] = { xcalloc(1, row_bytes), xcalloc(1, row_bytes) }, *line = xmalloc(row_bytes + 1);
    z_stream z = { .next_out = buf, .avail_out = OUT_BYTES };

    stbe32(header, s->width);
    stbe32(header + 4, s->height);
    header[8] = 8;  /* bits a sample */
    header[9] = 2;  /* RGB */
    bool ok = deflateInit(&z, 6) == Z_OK;
    if (!ok) {
        error_set(errp, "failed to write the picture: no memory to compress it");
    }
    ok = ok && write_all(fd, signature, 8, errp) && write_chunk(fd, "IHDR", header, 13, errp);
    for (uint32_t y = 0; y < s->height && ok; y++) {
        uint8_t *now = rows[y & 1], *above = rows[~y & 1];
        row_to_rgb(s, y, now);
        line[0] = 2; /* filter type: up */
        for (size_t i = 0; i < row_bytes; i++) {
            line[1 + i] = (uint8_t)(now[i] - above[i]);
        }
        z.next_in = line;
        z.avail_in = (uInt)row_bytes + 1;
        ok = deflate_out(&z, fd, buf, OUT_BYTES, Z_NO_FLUSH, errp);
    }
    ok = ok && deflate_out(&z, fd, buf, OUT_BYTES, Z_FINISH, errp) && write_chunk(fd, "IEND", NULL, 0, errp);
    deflateEnd(&z);
    free(rows[0]);
    free(rows[1]);
    free(line);
    free(buf);
    return ok;
}

bool image_write(const Surface *surface, int fd, ImageFormat format, Error **errp)
{
    return format == IMAGE_PNG ? write_png(surface, fd, errp) : write_ppm(surface, fd, errp);
}
