/*
 * framebuffer.c: linear frame buffers (see framebuffer.h).
 *
 * A vCPU may have passed the check whether its store must be noticed just before the dirty bits were cleared, and store just
 * after the pixels were read. So a page is looked at once more in the round after it was written.
 */
#include "hw/display/framebuffer.h"
#include <string.h>
#include "util/bits.h"

void fb_init(Framebuffer *fb, Console *con)
{
    memset(fb, 0, sizeof(*fb));
    fb->con = con;
}

void fb_finish(Framebuffer *fb)
{
    free(fb->fresh);
    free(fb->before);
    free(fb->line);
    memset(fb, 0, sizeof(*fb));
}

unsigned fb_bytes_per_pixel(FbFormat format)
{
    static const uint8_t bytes[FB_N_FORMATS] = {
        [FB_PALETTE8] = 1, [FB_RGB555] = 2, [FB_RGB565] = 2, [FB_RGB888] = 3, [FB_XRGB8888] = 4,
        [FB_RGB555_BE] = 2, [FB_RGB565_BE] = 2, [FB_RGB888_BE] = 3, [FB_XRGB8888_BE] = 4,
        [FB_BGR555] = 2, [FB_BGR565] = 2, [FB_BGR888] = 3, [FB_XBGR8888] = 4,
    };
    return bytes[format];
}

static uint32_t from555(uint32_t v)
{
    uint32_t r = v >> 10 & 31, g = v >> 5 & 31, b = v & 31;
    return (r << 3 | r >> 2) << 16 | (g << 3 | g >> 2) << 8 | (b << 3 | b >> 2);
}

static uint32_t from565(uint32_t v)
{
    uint32_t r = v >> 11 & 31, g = v >> 5 & 63, b = v & 31;
    return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

static uint32_t swapped(uint32_t v)
{
    return (v & 0xff) << 16 | (v & 0xff00) | (v >> 16 & 0xff);
}

void fb_convert(FbFormat format, const uint32_t *palette, const uint8_t *p, uint32_t *to, unsigned n)
{
    switch (format) {
#define PIXELS(label, bytes, value) case label: for (unsigned i = 0; i < n; i++, p += (bytes)) { to[i] = (value); } break;
    PIXELS(FB_PALETTE8, 1, palette[*p])
    PIXELS(FB_RGB555, 2, from555(ldle16(p)))
    PIXELS(FB_RGB565, 2, from565(ldle16(p)))
    PIXELS(FB_RGB888, 3, (uint32_t)(p[2] << 16 | p[1] << 8 | p[0]))
    PIXELS(FB_XRGB8888, 4, ldle32(p))
    PIXELS(FB_RGB555_BE, 2, from555(ldbe16(p)))
    PIXELS(FB_RGB565_BE, 2, from565(ldbe16(p)))
    PIXELS(FB_RGB888_BE, 3, (uint32_t)(p[0] << 16 | p[1] << 8 | p[2]))
    PIXELS(FB_XRGB8888_BE, 4, ldbe32(p))
    PIXELS(FB_BGR555, 2, swapped(from555(ldle16(p))))
    PIXELS(FB_BGR565, 2, swapped(from565(ldle16(p))))
    PIXELS(FB_BGR888, 3, (uint32_t)(p[0] << 16 | p[1] << 8 | p[2]))
    PIXELS(FB_XBGR8888, 4, swapped(ldle32(p)))
#undef PIXELS
    default: break;
    }
}

void fb_put_line(Console *con, Surface *surface, uint32_t y, const uint32_t *line)
{
    uint32_t *row = surface_row(surface, y), first = 0, last = surface->width;

    while (first < last && row[first] == line[first]) {
        first++;
    }
    while (last > first && row[last - 1] == line[last - 1]) {
        last--;
    }
    if (first < last) {
        memcpy(row + first, line + first, (last - first) * 4u);
        console_update(con, first, y, last - first, 1);
    }
}

static uint64_t picture_bytes(const FbMode *mode)
{
    return (uint64_t)mode->stride_bytes * (mode->height - 1) + (uint64_t)mode->width * fb_bytes_per_pixel(mode->format);
}

bool fb_set(Framebuffer *fb, const FbMode *mode)
{
    if (!memcmp(mode, &fb->mode, sizeof(*mode))) {
        return mode->ram != NULL;
    }
    bool ok = mode->ram && mode->width && mode->height && mode->width <= CONSOLE_MAX_WIDTH && mode->height <= CONSOLE_MAX_HEIGHT &&
              mode->format < FB_N_FORMATS && mode->stride_bytes >= mode->width * fb_bytes_per_pixel(mode->format) &&
              mode->offset < mode->ram->size_bytes && picture_bytes(mode) <= mode->ram->size_bytes - mode->offset;
    if (!ok) {
        if (fb->mode.ram) {
            fb->mode = (FbMode){0};
            console_set_surface(fb->con, NULL);
        }
        return false;
    }
    bool new_size = !fb->mode.ram || mode->width != fb->mode.width || mode->height != fb->mode.height || fb->direct;
    fb->mode = *mode;
    fb->redraw = true;
    uint64_t first = mode->offset >> MEMORY_PAGE_BITS, last = (mode->offset + picture_bytes(mode) - 1) >> MEMORY_PAGE_BITS;
    fb->n_pages = last - first + 1;
    fb->fresh = xrealloc(fb->fresh, DIV_ROUND_UP(fb->n_pages, 64) * 8);
    fb->before = xrealloc(fb->before, DIV_ROUND_UP(fb->n_pages, 64) * 8);
    memset(fb->before, 0xff, DIV_ROUND_UP(fb->n_pages, 64) * 8);
    ram_dirty_log(mode->ram, DIRTY_DISPLAY, true);
    /* Direct: the host's byte order and alignment must fit. */
    uint8_t *pixels = mode->ram->host + mode->offset;
    bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    fb->direct = mode->format == (little ? FB_XRGB8888 : FB_XRGB8888_BE) && !((uintptr_t)pixels & 3) && !(mode->stride_bytes & 3);
    if (fb->direct) {
        console_set_surface(fb->con, surface_new_for(mode->width, mode->height, mode->stride_bytes, pixels));
    } else {
        fb->line = xrealloc(fb->line, mode->width * 4u);
        if (new_size || !console_surface(fb->con)) {
            console_set_surface(fb->con, surface_new(mode->width, mode->height));
        }
    }
    return true;
}

void fb_invalidate(Framebuffer *fb)
{
    fb->redraw = true;
}

/* Whether any page of bytes [from, from + len) of the block was written. */
static bool any_page(const Framebuffer *fb, uint64_t from, uint64_t len)
{
    uint64_t base = fb->mode.offset >> MEMORY_PAGE_BITS;
    uint64_t page = (from >> MEMORY_PAGE_BITS) - base, last = ((from + len - 1) >> MEMORY_PAGE_BITS) - base;

    for (; page <= last; page++) {
        if ((fb->fresh[page / 64] | fb->before[page / 64]) >> page % 64 & 1) {
            return true;
        }
    }
    return false;
}

void fb_update(Framebuffer *fb)
{
    const FbMode *m = &fb->mode;
    uint64_t words = DIV_ROUND_UP(fb->n_pages, 64), seen = 0;

    if (!m->ram) {
        return;
    }
    uint64_t start = m->offset & ~(MEMORY_PAGE_BYTES - 1);
    uint64_t len = MIN(fb->n_pages << MEMORY_PAGE_BITS, m->ram->size_bytes - start);
    ram_dirty_harvest(m->ram, DIRTY_DISPLAY, start, len, fb->fresh);
    for (uint64_t i = 0; i < words; i++) {
        seen |= fb->fresh[i] | fb->before[i];
    }
    if (!seen && !fb->redraw) {
        return;
    }
    Surface *surface = console_surface(fb->con);
    uint32_t run = UINT32_MAX; /* direct: first of the rows to be told together */
    for (uint32_t y = 0; y < m->height; y++) {
        uint64_t at = m->offset + (uint64_t)y * m->stride_bytes;
        bool changed = fb->redraw || any_page(fb, at, (uint64_t)m->width * fb_bytes_per_pixel(m->format));
        if (fb->direct) {
            if (changed && run == UINT32_MAX) {
                run = y;
            } else if (!changed && run != UINT32_MAX) {
                console_update(fb->con, 0, run, m->width, y - run);
                run = UINT32_MAX;
            }
        } else if (changed) {
            fb_convert(m->format, fb->palette, m->ram->host + at, fb->line, m->width);
            if (fb->redraw) {
                memcpy(surface_row(surface, y), fb->line, m->width * 4u);
            } else {
                fb_put_line(fb->con, surface, y, fb->line);
            }
        }
    }
    if (fb->direct && run != UINT32_MAX) {
        console_update(fb->con, 0, run, m->width, m->height - run);
    } else if (!fb->direct && fb->redraw) {
        console_update(fb->con, 0, 0, m->width, m->height);
    }
    uint64_t *swap = fb->before;
    fb->before = fb->fresh;
    fb->fresh = swap;
    fb->redraw = false;
}
