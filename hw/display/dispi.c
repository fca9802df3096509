/*
 * dispi.c: the Bochs VBE display interface (see dispi.h).
 *
 * Resolutions are checked when the mode is switched on, and so that the picture fits the video memory.
 */
#include "hw/display/dispi.h"
#include "util/log.h"

static unsigned bits_to_bytes(unsigned bpp)
{
    return bpp == 15 ? 2 : bpp / 8;
}

uint32_t dispi_stride(const Dispi *d)
{
    unsigned bpp = d->regs[DISPI_BPP];
    return bpp == 4 ? d->regs[DISPI_VIRT_WIDTH] / 8u : d->regs[DISPI_VIRT_WIDTH] * bits_to_bytes(bpp);
}

uint64_t dispi_start(const Dispi *d)
{
    unsigned bpp = d->regs[DISPI_BPP], x = d->regs[DISPI_X_OFFSET];
    uint64_t row = (uint64_t)d->regs[DISPI_Y_OFFSET] * dispi_stride(d);
    return row + (bpp == 4 ? x / 8u : x * bits_to_bytes(bpp));
}

/* Makes the registers agree with each other and with the memory there is. */
static void fit(Dispi *d)
{
    uint16_t *r = d->regs;
    unsigned bpp = r[DISPI_BPP];

    if (bpp != 4 && bpp != 8 && bpp != 15 && bpp != 16 && bpp != 24 && bpp != 32) {
        bpp = r[DISPI_BPP] = 8;
    }
    r[DISPI_XRES] = (uint16_t)MIN(MAX(r[DISPI_XRES] & ~7u, 8u), d->max_width);
    r[DISPI_YRES] = (uint16_t)MIN(MAX(r[DISPI_YRES], 1u), d->max_height);
    r[DISPI_VIRT_WIDTH] = (uint16_t)MAX(r[DISPI_VIRT_WIDTH] & ~7u, r[DISPI_XRES]);
    /* Planes share the memory: four bytes for eight pixels. */
    uint64_t memory = bpp == 4 ? d->vram_bytes / 4 : d->vram_bytes;
    uint64_t stride = dispi_stride(d), rows = memory / stride;
    if (rows < r[DISPI_YRES]) {
        r[DISPI_VIRT_WIDTH] = r[DISPI_XRES];
        stride = dispi_stride(d);
        rows = memory / stride;
    }
    r[DISPI_YRES] = (uint16_t)MIN(r[DISPI_YRES], MAX(rows, 1u));
    r[DISPI_VIRT_HEIGHT] = (uint16_t)MIN(rows, UINT16_MAX);
    /* The start: no pixel beyond the end. */
    uint64_t last = memory > stride * r[DISPI_YRES] ? memory - stride * r[DISPI_YRES] : 0;
    if (dispi_start(d) > last) {
        r[DISPI_X_OFFSET] = 0;
        r[DISPI_Y_OFFSET] = (uint16_t)MIN(r[DISPI_Y_OFFSET], last / stride);
    }
}

void dispi_reset(Dispi *d)
{
    memset(d->regs, 0, sizeof(d->regs));
    d->regs[DISPI_ID] = DISPI_ID5;
    d->regs[DISPI_MEMORY_64K] = (uint16_t)(d->vram_bytes / (64 * KiB));
    d->index = 0;
}

uint16_t dispi_read(const Dispi *d, unsigned index)
{
    if (index >= DISPI_N_REGS) {
        return 0;
    }
    if (d->regs[DISPI_ENABLE] & DISPI_GETCAPS) {
        switch (index) {
        case DISPI_XRES: return (uint16_t)d->max_width;
        case DISPI_YRES: return (uint16_t)d->max_height;
        case DISPI_BPP: return 32;
        }
    }
    return d->regs[index];
}

bool dispi_write(Dispi *d, unsigned index, uint16_t value, bool *ret_clear)
{
    uint16_t *r = d->regs;
    bool was = dispi_enabled(d);

    *ret_clear = false;
    switch (index) {
    case DISPI_ID:
        if (value >= DISPI_ID0 && value <= DISPI_ID5) {
            r[DISPI_ID] = value;
        }
        return false;
    case DISPI_XRES: case DISPI_YRES: case DISPI_BPP:
        /* Fixed while the mode is on. */
        if (!was) {
            r[index] = value;
        }
        return false;
    case DISPI_ENABLE:
        r[DISPI_ENABLE] = value;
        if (dispi_enabled(d) && !was) {
            r[DISPI_VIRT_WIDTH] = 0;
            r[DISPI_X_OFFSET] = r[DISPI_Y_OFFSET] = 0;
            r[DISPI_BANK] = 0;
            fit(d);
            *ret_clear = !(value & DISPI_NO_CLEAR);
        }
        return true;
    case DISPI_BANK:
        r[DISPI_BANK] = (uint16_t)(value % MAX(d->vram_bytes / (64 * KiB), 1u));
        return true;
    case DISPI_VIRT_WIDTH: case DISPI_X_OFFSET: case DISPI_Y_OFFSET:
        r[index] = value;
        if (was) {
            fit(d);
        }
        return true;
    case DISPI_VIRT_HEIGHT: case DISPI_MEMORY_64K:
        return false; /* what follows from the others */
    default:
        log_guest_error("dispi: write to register %u\n", index);
        return false;
    }
}

void dispi_mode(const Dispi *d, RamBlock *vram, FbMode *ret)
{
    unsigned bpp = d->regs[DISPI_BPP];
    unsigned format = bpp == 8 ? FB_PALETTE8 : bpp == 15 ? FB_RGB555 : bpp == 16 ? FB_RGB565 : bpp == 24 ? FB_RGB888 : FB_XRGB8888;

    *ret = (FbMode){ .ram = vram, .offset = dispi_start(d), .width = d->regs[DISPI_XRES], .height = d->regs[DISPI_YRES],
                     .stride_bytes = dispi_stride(d), .format = (FbFormat)format };
    if (d->big_endian && format != FB_PALETTE8) {
        ret->format = (FbFormat)(format - FB_RGB555 + FB_RGB555_BE);
    }
}

static bool dispi_post_load(void *opaque, uint32_t version, Error **errp)
{
    Dispi *d = opaque;

    if (d->regs[DISPI_ENABLE] & DISPI_ENABLED) {
        fit(d);
    }
    d->regs[DISPI_MEMORY_64K] = (uint16_t)(d->vram_bytes / (64 * KiB));
    d->regs[DISPI_BANK] = (uint16_t)(d->regs[DISPI_BANK] % MAX(d->vram_bytes / (64 * KiB), 1u));
    return true;
}

static const StateField dispi_fields[] = { STATE_U_ARRAY(Dispi, regs), STATE_U(Dispi, index), STATE_U(Dispi, big_endian) };

const StateDesc dispi_state = {
    .name = "dispi", .version = 1, .fields = dispi_fields, .n_fields = ARRAY_SIZE(dispi_fields), .post_load = dispi_post_load,
};
