/*
 * framebuffer.h: a linear frame buffer in guest RAM or video memory, shown on a console.
 *
 * The owner says where it is and how pixels look with fb_set(); fb_update() brings the console up to date at the cost of what has changed.
 * 32-bit little-endian pixels are shown where they are, others are converted into a surface of our own.
 * Only rows that lie inside the RAM block are looked at.
 *
 * Threads: BQL.
 */
#ifndef HW_DISPLAY_FRAMEBUFFER_H
#define HW_DISPLAY_FRAMEBUFFER_H

#include "hw/device.h"
#include "ui/console.h"

typedef enum FbFormat {
    FB_PALETTE8, FB_RGB555, FB_RGB565, FB_RGB888, FB_XRGB8888, /* little-endian words; RGB888: blue first */
    FB_RGB555_BE, FB_RGB565_BE, FB_RGB888_BE, FB_XRGB8888_BE,
    FB_BGR565, FB_BGR888, FB_XBGR8888, FB_BGR555, /* as the first four, red and blue exchanged */
    FB_N_FORMATS,
} FbFormat;

typedef struct FbMode {
    RamBlock *ram;          /* NULL: no picture */
    uint64_t offset;        /* of the first pixel in ram */
    uint32_t width, height, stride_bytes;
    FbFormat format;
} FbMode;

typedef struct Framebuffer {
    Console *con;
    FbMode mode;
    const uint32_t *palette;     /* FB_PALETTE8: 256 colours, the owner's */
    bool redraw, direct;
    uint64_t *fresh, *before;    /* a bit for each page of the picture: written now, and the round before */
    uint32_t *line;
    uint64_t n_pages;
} Framebuffer;

void fb_init(Framebuffer *fb, Console *con);
void fb_finish(Framebuffer *fb);
unsigned fb_bytes_per_pixel(FbFormat format);
/* False: the picture is empty, too large or does not lie in the RAM block; nothing is shown then. */
bool fb_set(Framebuffer *fb, const FbMode *mode);
void fb_invalidate(Framebuffer *fb);
void fb_update(Framebuffer *fb);

void fb_convert(FbFormat format, const uint32_t *palette, const uint8_t *from, uint32_t *to, unsigned n);
/* Copies the parts of `line` that differ into row y of the surface and tells the console. */
void fb_put_line(Console *con, Surface *surface, uint32_t y, const uint32_t *line);

#endif
