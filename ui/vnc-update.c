/*
 * vnc-update.c: FramebufferUpdate messages (RFC 6143, 7.6.1): what changed since the client was told, in rectangles of whole tiles,
 * and pseudo-rectangles (7.8 and registered ones).
 */
#include <string.h>
#include "ui/vnc.h"
#include "util/trace.h"

enum { RECTS_MAX = 60000, RECT_PIXELS_MAX = 256 * 1024 };

static void put_header(VncBuffer *b, uint32_t x, uint32_t y, uint32_t width, uint32_t height, int32_t encoding)
{
    vnc_put16(b, (uint16_t)x);
    vnc_put16(b, (uint16_t)y);
    vnc_put16(b, (uint16_t)width);
    vnc_put16(b, (uint16_t)height);
    vnc_put32(b, (uint32_t)encoding);
}

void vnc_mark_all(VncClient *c)
{
    const VncServer *s = c->server;

    for (uint32_t y = 0; y < s->tiles_y; y++) {
        for (uint32_t x = 0; x < s->tiles_x; x++) {
            c->dirty[(size_t)y * s->row_words + x / 64] |= BIT(x % 64);
        }
    }
}

/* The new size, in whatever way the client understands; returns rectangles made. */
static unsigned put_size(VncClient *c)
{
    const VncServer *s = c->server;
    bool answer = c->size_answer;

    c->size_changed = c->size_answer = false;
    if (c->features & F_EXTENDED_DESKTOP_SIZE) {
        put_header(&c->out, answer ? (uint32_t)c->size_reason : 0, answer ? (uint32_t)c->size_status : 0, s->width, s->height, ENC_EXTENDED_DESKTOP_SIZE);
        vnc_put32(&c->out, 1u << 24); /* one screen */
        vnc_put32(&c->out, 0);
        vnc_put32(&c->out, 0);
        vnc_put16(&c->out, (uint16_t)s->width);
        vnc_put16(&c->out, (uint16_t)s->height);
        vnc_put32(&c->out, 0);
        return 1;
    }
    if (c->features & F_DESKTOP_SIZE) {
        put_header(&c->out, 0, 0, s->width, s->height, ENC_DESKTOP_SIZE);
        return 1;
    }
    if (c->features & F_WMVI) {
        put_header(&c->out, 0, 0, s->width, s->height, ENC_WMVI);
        vnc_put8(&c->out, c->pf.bits);
        vnc_put8(&c->out, c->pf.depth);
        vnc_put8(&c->out, c->pf.big_endian);
        vnc_put8(&c->out, c->pf.true_color);
        for (unsigned k = 0; k < 3; k++) {
            vnc_put16(&c->out, c->pf.max[k]);
        }
        vnc_put(&c->out, c->pf.shift, 3);
        vnc_put(&c->out, "\0\0\0", 3);
        return 1;
    }
    return 0;
}

static unsigned put_cursor(VncClient *c)
{
    int x, y;
    bool visible;
    const CursorImage *cur = c->server->con ? console_cursor(c->server->con, &x, &y, &visible) : NULL;

    c->cursor_changed = false;
    if (!cur || !(c->features & (F_CURSOR | F_ALPHA_CURSOR))) {
        return 0;
    }
    uint32_t w = cur->width, h = cur->height;
    if (c->features & F_ALPHA_CURSOR) {
        put_header(&c->out, cur->hot_x, cur->hot_y, w, h, ENC_ALPHA_CURSOR);
        vnc_put32(&c->out, ENC_RAW);
        for (uint32_t i = 0; i < w * h; i++) {
            uint32_t p = cur->argb[i], a = p >> 24;
            uint8_t rgba[4] = { (uint8_t)((p >> 16 & 255) * a / 255), (uint8_t)((p >> 8 & 255) * a / 255), (uint8_t)((p & 255) * a / 255), (uint8_t)a };
            vnc_put(&c->out, rgba, 4);
        }
        return 1;
    }
    put_header(&c->out, cur->hot_x, cur->hot_y, w, h, ENC_CURSOR);
    for (uint32_t i = 0; i < h; i++) {
        uint8_t *to = vnc_reserve(&c->out, (size_t)w * c->pf.bytes);
        vnc_convert(&c->pf, cur->argb + (size_t)i * w, w, to);
        c->out.n += (size_t)w * c->pf.bytes;
    }
    for (uint32_t i = 0; i < h; i++) {
        uint8_t bits = 0;
        for (uint32_t k = 0; k < w; k++) {
            bits |= (uint8_t)((cur->argb[(size_t)i * w + k] >> 31) << (7 - k % 8));
            if (k % 8 == 7 || k == w - 1) {
                vnc_put8(&c->out, bits);
                bits = 0;
            }
        }
    }
    return 1;
}

/* What the client has to know besides pixels. */
static unsigned put_states(VncClient *c)
{
    const VncServer *s = c->server;
    unsigned n = c->cursor_changed ? put_cursor(c) : 0;

    if (c->mode_changed && (c->features & F_POINTER_CHANGE)) {
        put_header(&c->out, s->absolute, 0, s->width, s->height, ENC_POINTER_CHANGE);
        n++;
    }
    if (!c->keys_offered && (c->features & F_EXTENDED_KEY)) {
        put_header(&c->out, 0, 0, s->width, s->height, ENC_EXTENDED_KEY);
        c->keys_offered = true;
        n++;
    }
    if (c->leds_changed && (c->features & F_LED_STATE)) {
        put_header(&c->out, 0, 0, 1, 1, ENC_LED_STATE);
        vnc_put8(&c->out, (uint8_t)s->leds);
        n++;
    }
    c->mode_changed = c->leds_changed = false;
    return n;
}

static bool is_dirty(const VncClient *c, uint32_t x, uint32_t y)
{
    return c->dirty[(size_t)y * c->server->row_words + x / 64] >> x % 64 & 1;
}

static void clear_dirty(VncClient *c, uint32_t x, uint32_t y)
{
    c->dirty[(size_t)y * c->server->row_words + x / 64] &= ~BIT(x % 64);
}

static bool row_dirty(const VncClient *c, uint32_t x0, uint32_t x1, uint32_t y)
{
    for (uint32_t x = x0; x < x1; x++) {
        if (!is_dirty(c, x, y)) {
            return false;
        }
    }
    return true;
}

static void put_rect(VncClient *c, uint32_t x0, uint32_t y0, uint32_t x1, uint32_t y1)
{
    const VncServer *s = c->server;
    VncRect r = { x0 * VNC_TILE, y0 * VNC_TILE, 0, 0 };

    r.width = MIN(x1 * VNC_TILE, s->width) - r.x;
    r.height = MIN(y1 * VNC_TILE, s->height) - r.y;
    put_header(&c->out, r.x, r.y, r.width, r.height, c->encoding);
    vnc_encode(c, c->encoding, &r);
}

/* Dirty tiles of what was asked for, merged into rectangles: a run in a row of tiles, and the same run in the rows below. */
static unsigned put_tiles(VncClient *c, unsigned n)
{
    uint32_t left = c->ask_x / VNC_TILE, right = DIV_ROUND_UP(c->ask_x + c->ask_width, VNC_TILE);
    uint32_t top = c->ask_y / VNC_TILE, bottom = DIV_ROUND_UP(c->ask_y + c->ask_height, VNC_TILE);
    size_t start = c->out.n;

    right = MIN(right, c->server->tiles_x);
    bottom = MIN(bottom, c->server->tiles_y);
    for (uint32_t y = top; y < bottom; y++) {
        for (uint32_t x = left; x < right; x++) {
            if (!is_dirty(c, x, y)) {
                continue;
            }
            if (c->out.n - start > VNC_UPDATE_BYTES || n >= RECTS_MAX || c->closing) {
                return n; /* the rest when it asks again */
            }
            uint32_t x1 = x + 1, y1 = y + 1;
            while (x1 < right && is_dirty(c, x1, y)) {
                x1++;
            }
            while (y1 < bottom && (x1 - x) * (y1 - y + 1) * VNC_TILE * VNC_TILE <= RECT_PIXELS_MAX && row_dirty(c, x, x1, y1)) {
                y1++;
            }
            for (uint32_t i = y; i < y1; i++) {
                for (uint32_t k = x; k < x1; k++) {
                    clear_dirty(c, k, i);
                }
            }
            put_rect(c, x, y, x1, y1);
            n++;
            x = x1;
        }
    }
    return n;
}

void vnc_update(VncClient *c)
{
    size_t start = c->out.n;
    unsigned n;

    if (!c->initialized || c->closing || !c->wants_update || vnc_pending(c) > VNC_OUT_LOW) {
        return;
    }
    vnc_put8(&c->out, 0);
    vnc_put8(&c->out, 0);
    vnc_put16(&c->out, 0);
    /* A change of size is the last rectangle of its message: the client asks again for all of it. */
    n = c->size_changed || c->size_answer ? put_size(c) : 0;
    if (!n) {
        n = put_states(c);
        n = put_tiles(c, n);
    }
    if (!n) {
        c->out.n = start;
        return;
    }
    stbe16(c->out.at + start + 2, (uint16_t)n);
    c->wants_update = c->forced = false;
    TRACE("vnc_update", "rectangles %u bytes %zu", n, c->out.n - start);
    vnc_flush(c);
}
