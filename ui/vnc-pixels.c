/*
 * vnc-pixels.c: pixel formats (RFC 6143, 7.4) and the raw, hextile and zlib encodings (7.7.1, 7.7.4, registered encoding 6).
 */
#include <string.h>
#include "ui/vnc.h"

bool vnc_set_format(VncPixelFormat *pf, unsigned bits, unsigned depth, bool big_endian, bool true_color, const uint16_t max[3],
                    const uint8_t shift[3])
{
    if (bits != 8 && bits != 16 && bits != 32) {
        return false;
    }
    memset(pf, 0, sizeof(*pf));
    pf->bits = (uint8_t)bits;
    pf->depth = (uint8_t)depth;
    pf->big_endian = big_endian;
    pf->true_color = true_color;
    pf->bytes = bits / 8;
    for (unsigned k = 0; k < 3; k++) {
        /* A colour map: eight bits of our own choice, red and green three, blue two. */
        static const uint16_t map_max[3] = { 7, 7, 3 };
        static const uint8_t map_shift[3] = { 0, 3, 6 };
        pf->max[k] = true_color ? max[k] : map_max[k];
        pf->shift[k] = true_color ? shift[k] : map_shift[k];
        unsigned width = pf->max[k] ? 32u - (unsigned)__builtin_clz(pf->max[k]) : 0;
        if (pf->shift[k] + width > bits || !pf->max[k]) {
            return false;
        }
        for (unsigned i = 0; i < 256; i++) {
            pf->lut[k][i] = (i * pf->max[k] + 127) / 255 << pf->shift[k];
        }
    }
    bool host_big = __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__;
    bool eight = pf->max[0] == 255 && pf->max[1] == 255 && pf->max[2] == 255;
    pf->native = bits == 32 && eight && big_endian == host_big && pf->shift[0] == 16 && pf->shift[1] == 8 && pf->shift[2] == 0;
    /* 7.7.5: a CPIXEL has three bytes if the depth is at most 24 and all colour bits are in three of the four. */
    uint32_t used = (uint32_t)pf->max[0] << pf->shift[0] | (uint32_t)pf->max[1] << pf->shift[1] | (uint32_t)pf->max[2] << pf->shift[2];
    pf->compact = bits == 32 && true_color && depth <= 24 && (!(used & 0xff000000) || !(used & 0xff));
    pf->compact_high = pf->compact && (used & 0xff000000);
    return true;
}

void vnc_default_format(VncPixelFormat *pf)
{
    static const uint16_t max[3] = { 255, 255, 255 };
    static const uint8_t shift[3] = { 16, 8, 0 };

    vnc_set_format(pf, 32, 24, __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__, true, max, shift);
}

void vnc_put_color_map(VncClient *c)
{
    vnc_put8(&c->out, 1);
    vnc_put8(&c->out, 0);
    vnc_put16(&c->out, 0);
    vnc_put16(&c->out, 256);
    for (unsigned i = 0; i < 256; i++) {
        vnc_put16(&c->out, (uint16_t)((i & 7) * 65535 / 7));
        vnc_put16(&c->out, (uint16_t)((i >> 3 & 7) * 65535 / 7));
        vnc_put16(&c->out, (uint16_t)((i >> 6 & 3) * 65535 / 3));
    }
}

void vnc_store_pixel(const VncPixelFormat *pf, uint32_t v, uint8_t *to)
{
    if (pf->bytes == 1) {
        *to = (uint8_t)v;
    } else if (pf->bytes == 2) {
        pf->big_endian ? stbe16(to, (uint16_t)v) : stle16(to, (uint16_t)v);
    } else {
        pf->big_endian ? stbe32(to, v) : stle32(to, v);
    }
}

uint8_t *vnc_convert(const VncPixelFormat *pf, const uint32_t *from, unsigned n, uint8_t *to)
{
    if (pf->native) {
        memcpy(to, from, n * 4u);
        return to + n * 4u;
    }
    for (unsigned i = 0; i < n; i++, to += pf->bytes) {
        vnc_store_pixel(pf, vnc_pixel(pf, from[i]), to);
    }
    return to;
}

static const uint32_t *row_of(const VncClient *c, const VncRect *r, uint32_t y)
{
    return c->server->picture + (size_t)(r->y + y) * c->server->width + r->x;
}

static void encode_raw(VncClient *c, const VncRect *r, VncBuffer *out)
{
    uint8_t *to = vnc_reserve(out, (size_t)r->width * r->height * c->pf.bytes);

    for (uint32_t y = 0; y < r->height; y++) {
        to = vnc_convert(&c->pf, row_of(c, r, y), r->width, to);
    }
    out->n += (size_t)r->width * r->height * c->pf.bytes;
}

/* ---- hextile ---- */

enum { HEX_RAW = 1, HEX_BACKGROUND = 2, HEX_FOREGROUND = 4, HEX_SUBRECTS = 8, HEX_COLORED = 16 };

typedef struct Tile {
    uint32_t pixels[256];
    unsigned width, height;
} Tile;

static void load_tile(const VncClient *c, const VncRect *r, uint32_t x, uint32_t y, Tile *t)
{
    t->width = MIN(16u, r->width - x);
    t->height = MIN(16u, r->height - y);
    for (unsigned i = 0; i < t->height; i++) {
        const uint32_t *from = row_of(c, r, y + i) + x;
        for (unsigned k = 0; k < t->width; k++) {
            /* Equal after conversion is equal. */
            t->pixels[i * 16 + k] = vnc_pixel(&c->pf, from[k]);
        }
    }
}

static uint8_t *put_pixel(const VncPixelFormat *pf, uint32_t v, uint8_t *to)
{
    vnc_store_pixel(pf, v, to);
    return to + pf->bytes;
}

/*
 * One tile: the most frequent of its first colours is the background, the rest is cut into rectangles. Too many of them: raw.
 * *bg and *fg are what the decoder remembers; not valid: it remembers none.
 */
static void encode_tile(VncClient *c, const Tile *t, uint32_t *bg, bool *bg_valid, uint32_t *fg, bool *fg_valid)
{
    const VncPixelFormat *pf = &c->pf;
    unsigned bytes = pf->bytes, raw_bytes = t->width * t->height * bytes;
    uint8_t *start = vnc_reserve(&c->out, 1 + 2 * 4 + 1 + 256 * 6 + raw_bytes), *to = start + 1;
    uint32_t first = t->pixels[0], other = 0, n_first = 0, n_other = 0;
    bool more = false;
    uint16_t done[16] = {0};

    for (unsigned y = 0; y < t->height; y++) {
        for (unsigned x = 0; x < t->width; x++) {
            uint32_t v = t->pixels[y * 16 + x];
            if (v == first) {
                n_first++;
            } else if (!n_other || v == other) {
                other = v;
                n_other++;
            } else {
                more = true;
            }
        }
    }
    if (n_other > n_first) {
        uint32_t swap = first;
        first = other;
        other = swap;
    }
    uint8_t flags = 0;
    if (!*bg_valid || *bg != first) {
        flags |= HEX_BACKGROUND;
        to = put_pixel(pf, first, to);
        *bg = first;
        *bg_valid = true;
    }
    if (n_other) {
        flags |= HEX_SUBRECTS | (more ? HEX_COLORED : 0);
        if (!more && (!*fg_valid || *fg != other)) {
            flags |= HEX_FOREGROUND;
            to = put_pixel(pf, other, to);
            *fg = other;
            *fg_valid = true;
        }
        uint8_t *count = to++;
        unsigned n = 0;
        bool fits = true;
        for (unsigned y = 0; y < t->height && fits; y++) {
            for (unsigned x = 0; x < t->width && fits; x++) {
                uint32_t v = t->pixels[y * 16 + x];
                if (v == first || (done[y] >> x & 1)) {
                    continue;
                }
                unsigned w = 1, h = 1;
                while (x + w < t->width && t->pixels[y * 16 + x + w] == v && !(done[y] >> (x + w) & 1)) {
                    w++;
                }
                uint16_t mask = (uint16_t)(((1u << w) - 1) << x);
                for (; y + h < t->height && !(done[y + h] & mask); h++) {
                    unsigned k = 0;
                    while (k < w && t->pixels[(y + h) * 16 + x + k] == v) {
                        k++;
                    }
                    if (k < w) {
                        break;
                    }
                }
                for (unsigned k = 0; k < h; k++) {
                    done[y + k] |= mask;
                }
                if (more) {
                    to = put_pixel(pf, v, to);
                }
                *to++ = (uint8_t)(x << 4 | y);
                *to++ = (uint8_t)((w - 1) << 4 | (h - 1));
                fits = ++n < 255 && (unsigned)(to - start) < raw_bytes;
            }
        }
        *count = (uint8_t)n;
        if (!fits) {
            flags = HEX_RAW;
            to = start + 1;
            for (unsigned y = 0; y < t->height; y++) {
                for (unsigned x = 0; x < t->width; x++) {
                    to = put_pixel(pf, t->pixels[y * 16 + x], to);
                }
            }
            *bg_valid = *fg_valid = false;
        } else if (more) {
            *fg_valid = false; /* coloured tiles end the foreground's validity */
        }
    }
    *start = flags;
    c->out.n += (size_t)(to - start);
}

static void encode_hextile(VncClient *c, const VncRect *r)
{
    uint32_t bg = 0, fg = 0;
    bool bg_valid = false, fg_valid = false;
    Tile t;

    for (uint32_t y = 0; y < r->height; y += 16) {
        for (uint32_t x = 0; x < r->width; x += 16) {
            load_tile(c, r, x, y, &t);
            encode_tile(c, &t, &bg, &bg_valid, &fg, &fg_valid);
        }
    }
}

/* ---- zlib ---- */

void vnc_put_deflated(VncClient *c, const uint8_t *bytes, size_t n)
{
    z_stream *z = &c->zlib;

    if (!c->zlib_open) {
        c->zlib_level = c->compress_level;
        c->zlib_open = deflateInit(z, c->zlib_level) == Z_OK;
        if (!c->zlib_open) {
            vnc_client_close(c);
            return;
        }
    }
    size_t length_at = c->out.n;
    vnc_put32(&c->out, 0);
    if (c->zlib_level != c->compress_level) {
        c->zlib_level = c->compress_level;
        enum { ROOM = 64 }; /* all earlier data was flushed */
        z->next_in = NULL;
        z->avail_in = 0;
        z->next_out = vnc_reserve(&c->out, ROOM);
        z->avail_out = ROOM;
        deflateParams(z, c->zlib_level, Z_DEFAULT_STRATEGY);
        c->out.n += ROOM - z->avail_out;
    }
    z->next_in = (Bytef *)bytes;
    z->avail_in = (uInt)n;
    do {
        enum { STEP = 16 * 1024 };
        z->next_out = vnc_reserve(&c->out, STEP);
        z->avail_out = STEP;
        deflate(z, Z_SYNC_FLUSH);
        c->out.n += STEP - z->avail_out;
    } while (!z->avail_out);
    stbe32(c->out.at + length_at, (uint32_t)(c->out.n - length_at - 4));
}

void vnc_encode(VncClient *c, int encoding, const VncRect *r)
{
    switch (encoding) {
    case ENC_HEXTILE:
        encode_hextile(c, r);
        break;
    case ENC_ZLIB:
        c->zscratch.n = 0;
        encode_raw(c, r, &c->zscratch);
        vnc_put_deflated(c, c->zscratch.at, c->zscratch.n);
        break;
    case ENC_ZRLE:
        vnc_encode_zrle(c, r);
        break;
    default:
        encode_raw(c, r, &c->out);
    }
}
