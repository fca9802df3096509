/*
 * vnc-zrle.c: the ZRLE encoding (RFC 6143, 7.7.6): tiles of 64x64, each in the shortest of its forms, through zlib.
 */
#include <string.h>
#include "ui/vnc.h"

enum { TILE = 64, PALETTE_MAX = 127, HASH = 512 };

typedef struct Palette {
    uint32_t color[PALETTE_MAX];
    unsigned n;               /* PALETTE_MAX + 1: too many */
    uint8_t slot[HASH];       /* index + 1; 0: free */
} Palette;

static unsigned hash(uint32_t v)
{
    return v * 0x9e3779b1u >> 23;
}

static int palette_find(const Palette *p, uint32_t v)
{
    for (unsigned h = hash(v);; h = (h + 1) % HASH) {
        if (!p->slot[h]) {
            return -1;
        }
        if (p->color[p->slot[h] - 1] == v) {
            return p->slot[h] - 1;
        }
    }
}

static void palette_add(Palette *p, uint32_t v)
{
    if (p->n > PALETTE_MAX || palette_find(p, v) >= 0) {
        return;
    }
    if (p->n == PALETTE_MAX) {
        p->n++;
        return;
    }
    unsigned h = hash(v);
    while (p->slot[h]) {
        h = (h + 1) % HASH;
    }
    p->color[p->n++] = v;
    p->slot[h] = (uint8_t)p->n;
}

/* A CPIXEL. */
static uint8_t *put_cpixel(const VncPixelFormat *pf, uint32_t v, uint8_t *to)
{
    uint8_t bytes[4];

    if (!pf->compact) {
        vnc_store_pixel(pf, v, to);
        return to + pf->bytes;
    }
    vnc_store_pixel(pf, v, bytes);
    /* The byte without colours is the first or the last of the four. */
    memcpy(to, bytes + (pf->compact_high != pf->big_endian), 3);
    return to + 3;
}

static uint8_t *put_length(uint8_t *to, unsigned length)
{
    for (length--; length >= 255; length -= 255) {
        *to++ = 255;
    }
    *to++ = (uint8_t)length;
    return to;
}

static unsigned length_bytes(unsigned length)
{
    return (length - 1) / 255 + 1;
}

typedef struct Counts {
    unsigned singles, runs, run_bytes; /* runs of one and of more pixels; bytes of the lengths of the latter */
} Counts;

static Counts count_runs(const uint32_t *pixels, unsigned n)
{
    Counts k = {0};

    for (unsigned i = 0, run; i < n; i += run) {
        for (run = 1; i + run < n && pixels[i + run] == pixels[i];) {
            run++;
        }
        if (run == 1) {
            k.singles++;
        } else {
            k.runs++;
            k.run_bytes += length_bytes(run);
        }
    }
    return k;
}

static uint8_t *put_packed(const Palette *p, const uint32_t *pixels, unsigned width, unsigned height, uint8_t *to)
{
    unsigned bits = p->n <= 2 ? 1 : p->n <= 4 ? 2 : 4;

    for (unsigned y = 0; y < height; y++) {
        unsigned acc = 0, have = 0;
        for (unsigned x = 0; x < width; x++) {
            acc = acc << bits | (unsigned)palette_find(p, *pixels++);
            have += bits;
            if (have == 8) {
                *to++ = (uint8_t)acc;
                acc = have = 0;
            }
        }
        if (have) {
            *to++ = (uint8_t)(acc << (8 - have));
        }
    }
    return to;
}

static uint8_t *put_runs(const VncPixelFormat *pf, const Palette *p, const uint32_t *pixels, unsigned n, uint8_t *to)
{
    for (unsigned i = 0, run; i < n; i += run) {
        for (run = 1; i + run < n && pixels[i + run] == pixels[i];) {
            run++;
        }
        if (!p) {
            to = put_length(put_cpixel(pf, pixels[i], to), run);
        } else if (run == 1) {
            *to++ = (uint8_t)palette_find(p, pixels[i]);
        } else {
            *to++ = (uint8_t)(palette_find(p, pixels[i]) | 128);
            to = put_length(to, run);
        }
    }
    return to;
}

static void encode_tile(const VncPixelFormat *pf, const uint32_t *pixels, unsigned width, unsigned height, VncBuffer *out)
{
    Palette p = {0};
    unsigned n = width * height, cbytes = pf->compact ? 3 : pf->bytes;
    uint8_t *start = vnc_reserve(out, 1 + PALETTE_MAX * 4 + (size_t)n * 5), *to = start + 1;

    for (unsigned i = 0; i < n && p.n <= PALETTE_MAX; i++) {
        if (!i || pixels[i] != pixels[i - 1]) {
            palette_add(&p, pixels[i]);
        }
    }
    if (p.n == 1) {
        *start = 1;
        to = put_cpixel(pf, pixels[0], to);
        out->n += (size_t)(to - start);
        return;
    }
    Counts k = count_runs(pixels, n);
    unsigned raw = n * cbytes, plain = (k.singles + k.runs) * cbytes + k.singles + k.run_bytes;
    unsigned palette_rle = UINT32_MAX, packed = UINT32_MAX;
    if (p.n <= PALETTE_MAX) {
        palette_rle = p.n * cbytes + k.singles + k.runs + k.run_bytes;
    }
    if (p.n <= 16) {
        unsigned bits = p.n <= 2 ? 1 : p.n <= 4 ? 2 : 4;
        packed = p.n * cbytes + (width * bits + 7) / 8 * height;
    }
    unsigned best = MIN(MIN(raw, plain), MIN(palette_rle, packed));
    bool palette = best == packed || best == palette_rle;
    *start = best == packed ? (uint8_t)p.n : best == palette_rle ? (uint8_t)(128 + p.n) : best == plain ? 128 : 0;
    for (unsigned i = 0; i < p.n && palette; i++) {
        to = put_cpixel(pf, p.color[i], to);
    }
    if (best == packed) {
        to = put_packed(&p, pixels, width, height, to);
    } else if (best == palette_rle || best == plain) {
        to = put_runs(pf, best == palette_rle ? &p : NULL, pixels, n, to);
    } else {
        for (unsigned i = 0; i < n; i++) {
            to = put_cpixel(pf, pixels[i], to);
        }
    }
    out->n += (size_t)(to - start);
}

void vnc_encode_zrle(VncClient *c, const VncRect *r)
{
    uint32_t pixels[TILE * TILE];

    c->zscratch.n = 0;
    for (uint32_t y = 0; y < r->height; y += TILE) {
        for (uint32_t x = 0; x < r->width; x += TILE) {
            unsigned width = MIN((uint32_t)TILE, r->width - x), height = MIN((uint32_t)TILE, r->height - y);
            uint32_t *to = pixels;
            for (unsigned i = 0; i < height; i++) {
                const uint32_t *from = c->server->picture + (size_t)(r->y + y + i) * c->server->width + r->x + x;
                for (unsigned m = 0; m < width; m++) {
                    *to++ = vnc_pixel(&c->pf, from[m]);
                }
            }
            encode_tile(&c->pf, pixels, width, height, &c->zscratch);
        }
    }
    vnc_put_deflated(c, c->zscratch.at, c->zscratch.n);
}
