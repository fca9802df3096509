/*
 * vga-render.c: from registers and video memory to dots.
 *
 * The display counter is followed line by line as the CRT controller does it, so that splits, panning, double scanning and
 * row-scan addressing fall out of the registers. A line is made in a buffer and compared with what is shown; nothing
 * is made while neither registers nor memory changed. The picture has the dots of the real signal: 640x400 for mode 0x13.
 *
 * Specification: IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem" (1992): 2-13 to 2-32 modes, 2-55 to 2-77 CRT
 * controller, 2-88 to 2-98 attribute controller.
 */
#include "hw/display/vga.h"
#include "softmmu/clock.h"

enum { FONT_BYTES = 8 * KiB, MAX_COLUMNS = 256, MAX_ROWS = 1024, LEGACY_BYTES = 256 * KiB, PLANE_MASK = 0xffff };
/* A line of the widest mode, with the cell that panning needs: VBE planar modes may have 16000 dots. */
enum { LINE_DOTS = CONSOLE_MAX_WIDTH + 2 * 16 };
enum { CURSOR_BLINK_MS = 266, TEXT_BLINK_MS = 2 * CURSOR_BLINK_MS };

static const uint8_t *vram_ptr(const Vga *s)
{
    return memory_region_host(&s->vram);
}

static void update_colors(Vga *s)
{
    bool wide = s->dispi.regs[DISPI_ENABLE] & DISPI_8BIT_DAC;

    for (unsigned i = 0; i < 256; i++) {
        uint32_t rgb = 0;
        for (unsigned k = 0; k < 3; k++) {
            uint8_t v = s->palette[i * 3 + k];
            rgb = rgb << 8 | (wide ? v : (uint8_t)((v & 63) << 2 | (v & 63) >> 4));
        }
        s->colors[i] = rgb;
    }
}

/* Plane offset of one of the eight fonts. */
static uint32_t font_offset(unsigned code)
{
    return (code & 3) * 0x4000u + (code & 4 ? 0x2000u : 0);
}

static void make_view(const Vga *s, VgaView *v)
{
    const uint8_t *cr = s->cr, *ar = s->ar;
    bool graphics = s->gr[VGA_GR_MISC] & 1;

    memset(v, 0, sizeof(*v));
    v->columns = cr[1] + 1u;
    v->lines = (cr[0x12] | (cr[7] >> 1 & 1u) << 8 | (cr[7] >> 6 & 1u) << 9) + 1;
    v->cell_dots = graphics || (s->sr[VGA_SR_CLOCKING] & 1) ? 8 : 9;
    v->dot_repeat = s->sr[VGA_SR_CLOCKING] & 8 ? 2 : 1;
    v->start = (uint32_t)(cr[0x0c] << 8 | cr[0x0d]) + (cr[8] >> 5 & 3);
    v->row_step = cr[0x13] * 2u;
    v->offset_mask = PLANE_MASK;
    v->line_compare = cr[0x18] | (cr[7] >> 4 & 1u) << 8 | (cr[9] >> 6 & 1u) << 9;
    v->max_scan = cr[9] & 31u;
    v->preset_scan = cr[8] & 31u;
    v->double_scan = cr[9] >> 7;
    v->word_bits = cr[0x14] & 0x40 ? 2 : cr[0x17] & 0x40 ? 0 : 1;
    v->scan_to_13 = !(cr[0x17] & 1);
    v->scan_to_14 = !(cr[0x17] & 2);
    v->pan_stops = ar[VGA_AR_MODE] >> 5 & 1;
    v->panning = ar[VGA_AR_PANNING] & 15u;
    v->plane_enable = ar[VGA_AR_PLANES] & 15;
    v->pixel_dots = ar[VGA_AR_MODE] & 0x40 ? 2 : 1;
    for (unsigned i = 0; i < 16; i++) {
        uint8_t color = ar[VGA_AR_MODE] & 0x80 ? (uint8_t)((ar[i] & 15) | (ar[VGA_AR_COLOR_SELECT] & 3) << 4) : ar[i] & 63;
        v->colors[i] = (uint8_t)(color | (ar[VGA_AR_COLOR_SELECT] & 12) << 4) & s->dac_mask;
    }
    if (!(s->ar_index & 0x20) || (s->sr[VGA_SR_CLOCKING] & 0x20)) {
        v->kind = VGA_BLANK;
    } else if (!graphics) {
        uint8_t select = s->sr[VGA_SR_FONT];
        v->kind = VGA_TEXT;
        v->font[0] = font_offset((select & 3u) | (select >> 2 & 4u));
        v->font[1] = font_offset((select >> 2 & 3u) | (select >> 3 & 4u));
        v->underline = cr[0x14] & 31u;
        v->line_graphics = ar[VGA_AR_MODE] >> 2 & 1;
        v->blink_enabled = ar[VGA_AR_MODE] >> 3 & 1;
        /* 0 to 7 and 8: nine-dot characters move by one dot from 8 on, others from 0 on. */
        v->panning = v->cell_dots == 9 ? (v->panning >= 8 ? 0 : v->panning + 1) : v->panning & 7;
    } else {
        v->kind = s->gr[VGA_GR_MODE] & 0x40 ? VGA_BYTES : s->gr[VGA_GR_MODE] & 0x20 ? VGA_CGA : VGA_PLANAR;
        v->panning &= 7;
        if (v->kind == VGA_BYTES && v->pixel_dots == 2) {
            v->panning &= 6; /* in dots; a pixel is two */
        }
    }
    if (dispi_enabled(&s->dispi) && s->dispi.regs[DISPI_BPP] == 4) {
        v->offset_mask = s->vram_bytes / 4 - 1;
        v->start = (uint32_t)dispi_start(&s->dispi);
        v->row_step = dispi_stride(&s->dispi);
        v->columns = s->dispi.regs[DISPI_XRES] / 8u;
        v->lines = s->dispi.regs[DISPI_YRES];
        v->line_compare = UINT32_MAX;
        v->word_bits = 0;
        v->dot_repeat = 1;
        v->cell_dots = 8;
        v->panning = 0;
        v->scan_to_13 = v->scan_to_14 = 0;
        v->kind = v->kind == VGA_BLANK ? VGA_BLANK : VGA_PLANAR;
    }
}

/* ---- one line ---- */

static uint32_t fetch(const Vga *s, uint32_t counter)
{
    return ldle32(vram_ptr(s) + (size_t)(counter & s->view.offset_mask) * 4);
}

static uint32_t *text_cell(const Vga *s, uint32_t counter, uint32_t scan, uint32_t cursor, bool blink_off, uint32_t *out)
{
    const VgaView *v = &s->view;
    uint32_t cell = fetch(s, counter);
    uint8_t code = (uint8_t)cell, attr = (uint8_t)(cell >> 8);
    uint32_t glyph = v->font[attr >> 3 & 1] + code * 32u + scan;
    unsigned bits = (fetch(s, glyph) >> 16 & 0xff) << 1, fg = attr & 15, bg = attr >> 4;

    /* The ninth dot repeats the eighth of line graphics characters. */
    if (v->line_graphics && code >= 0xc0 && code <= 0xdf) {
        bits |= bits >> 1 & 1;
    }
    if (v->blink_enabled) {
        bg &= 7;
        fg = (attr & 0x80) && blink_off ? bg : fg;
    }
    if (scan == v->underline && (attr & 0x77) == 1) {
        bits = 0x1ff;
    }
    if ((counter & v->offset_mask) == cursor) {
        unsigned first = s->cr[0x0a] & 31u, last = s->cr[0x0b] & 31u;
        if (scan >= first && scan <= last) {
            bits = 0x1ff;
        }
    }
    uint32_t on = s->colors[v->colors[fg & v->plane_enable]], off = s->colors[v->colors[bg & v->plane_enable]];
    for (unsigned i = 0; i < v->cell_dots; i++) {
        *out++ = bits >> (8 - i) & 1 ? on : off;
    }
    return out;
}

static uint32_t *planar_cell(const Vga *s, uint32_t counter, uint32_t *out)
{
    const VgaView *v = &s->view;
    uint32_t word = fetch(s, counter);

    for (unsigned i = 0; i < 8; i++) {
        unsigned b = 7 - i;
        unsigned dot = (word >> b & 1) | (word >> (8 + b) & 1) << 1 | (word >> (16 + b) & 1) << 2 | (word >> (24 + b) & 1) << 3;
        *out++ = s->colors[v->colors[dot & v->plane_enable]];
    }
    return out;
}

/* Two bits a pixel: four from planes 0 and 2 (the upper bits), then four from planes 1 and 3. */
static uint32_t *cga_cell(const Vga *s, uint32_t counter, uint32_t *out)
{
    const VgaView *v = &s->view;
    uint32_t word = fetch(s, counter);

    for (unsigned i = 0; i < 8; i++) {
        unsigned shift = (i < 4 ? 0 : 8) + 6 - i % 4 * 2;
        unsigned dot = (word >> shift & 3) | (word >> (16 + shift) & 3) << 2;
        *out++ = s->colors[v->colors[dot & v->plane_enable]];
    }
    return out;
}

static uint32_t *byte_cell(const Vga *s, uint32_t counter, uint32_t *out)
{
    uint32_t word = fetch(s, counter);

    for (unsigned i = 0; i < 4; i++, word >>= 8) {
        uint32_t color = s->colors[word & 0xff & s->dac_mask];
        *out++ = color;
        if (s->view.pixel_dots == 2) {
            *out++ = color;
        }
    }
    return out;
}

/* Dots of one line at the counter's value; the buffer takes one cell more than is shown, for panning. */
static const uint32_t *make_line(Vga *s, uint32_t counter, uint32_t scan, bool pan, uint32_t cursor, bool blink_off)
{
    const VgaView *v = &s->view;
    uint32_t *out = s->line;

    if (v->scan_to_13 && v->kind != VGA_TEXT) {
        uint32_t bit = 1u << (13 - v->word_bits);
        counter = (counter & ~bit) | (scan & 1 ? bit : 0);
    }
    if (v->scan_to_14 && v->kind != VGA_TEXT) {
        uint32_t bit = 1u << (14 - v->word_bits);
        counter = (counter & ~bit) | (scan & 2 ? bit : 0);
    }
    for (uint32_t c = 0; c <= v->columns; c++) {
        switch (v->kind) {
        case VGA_TEXT: out = text_cell(s, counter + c, scan, cursor, blink_off, out); break;
        case VGA_PLANAR: out = planar_cell(s, counter + c, out); break;
        case VGA_CGA: out = cga_cell(s, counter + c, out); break;
        default: out = byte_cell(s, counter + c, out); break;
        }
    }
    return s->line + (pan ? v->panning : 0);
}

/* ---- the whole picture ---- */

static uint32_t cell_width(const VgaView *v)
{
    return v->kind == VGA_BYTES ? 4u * v->pixel_dots : v->cell_dots;
}

/* What of the text may look different from what is shown. */
typedef struct TextChange {
    uint32_t cursor, old_cursor; /* counter values; UINT32_MAX: none */
    bool all, blink;             /* blink: blinking characters change */
} TextChange;

/* Whether a row of text may look different; remembers its characters. */
static bool row_changed(Vga *s, uint32_t row, uint32_t counter, const TextChange *change)
{
    const VgaView *v = &s->view;
    uint32_t *cells = s->cells + (size_t)row * MAX_COLUMNS;
    bool changed = change->all;

    for (uint32_t c = 0; c < v->columns; c++) {
        uint32_t at = (counter + c) & v->offset_mask, cell = fetch(s, at) & 0xffff;
        changed |= cells[c] != cell || (change->cursor != change->old_cursor && (at == change->cursor || at == change->old_cursor)) ||
                   (change->blink && (cell & 0x8000));
        cells[c] = cell;
    }
    return changed;
}

static void put_line(Vga *s, Surface *surface, uint32_t y, const uint32_t *dots)
{
    if (s->view.dot_repeat == 2) {
        /* In the second part of the buffer. */
        uint32_t *twice = s->line + LINE_DOTS;
        for (uint32_t x = 0; x < surface->width / 2; x++) {
            twice[x * 2] = twice[x * 2 + 1] = dots[x];
        }
        dots = twice;
    }
    fb_put_line(s->con, surface, y, dots);
}

static void draw(Vga *s, Surface *surface, bool blink_off, const TextChange *change)
{
    const VgaView *v = &s->view;
    uint32_t counter = v->start, scan = MIN(v->preset_scan, v->max_scan), row = 0;
    bool pan = true, second = false, skip = false;
    bool text = v->kind == VGA_TEXT;

    for (uint32_t y = 0; y < v->lines; y++) {
        if (y == v->line_compare + 1 && v->line_compare != UINT32_MAX) {
            counter = 0;
            scan = 0;
            second = false;
            pan = pan && !v->pan_stops;
            row++;
        }
        if (text && (scan == 0 || !y) && !second) {
            skip = row < MAX_ROWS && !row_changed(s, row, counter, change);
        }
        if (!skip) {
            put_line(s, surface, y, make_line(s, counter, scan, pan, change->cursor, blink_off));
        }
        if (v->double_scan && !second) {
            second = true;
            continue;
        }
        second = false;
        if (scan == v->max_scan) {
            scan = 0;
            counter += v->row_step;
            row++;
        } else {
            scan = (scan + 1) & 31;
        }
    }
}

static bool font_changed(Vga *s)
{
    const uint8_t *vram = vram_ptr(s);
    bool changed = false;

    for (unsigned f = 0; f < 2; f++) {
        uint8_t *copy = s->font_copy + f * FONT_BYTES;
        for (unsigned i = 0; i < FONT_BYTES; i++) {
            uint8_t byte = vram[(size_t)((s->view.font[f] + i) & PLANE_MASK) * 4 + 2];
            changed |= copy[i] != byte;
            copy[i] = byte;
        }
    }
    return changed;
}

static void draw_blank(Vga *s)
{
    Surface *surface = console_surface(s->con);

    if (!surface) {
        console_set_surface(s->con, surface_new(720, 400));
        return;
    }
    memset(s->line, 0, MIN(surface->width, LINE_DOTS) * 4u);
    for (uint32_t y = 0; y < surface->height && surface->owned; y++) {
        fb_put_line(s->con, surface, y, s->line);
    }
}

static void update_legacy(Vga *s)
{
    VgaView view;
    make_view(s, &view);
    uint64_t bytes = view.offset_mask > PLANE_MASK ? s->vram_bytes : LEGACY_BYTES, seen = 0;

    if (!s->line) {
        s->line = xnew_array(uint32_t, 2 * LINE_DOTS);
        s->cells = xnew_array(uint32_t, MAX_ROWS * MAX_COLUMNS);
        s->font_copy = xcalloc(2, FONT_BYTES);
        s->pages = xcalloc(DIV_ROUND_UP(s->vram_bytes >> MEMORY_PAGE_BITS, 64), 8);
        s->redraw = true;
    }
    ram_dirty_harvest(s->vram.ram, DIRTY_DISPLAY, 0, bytes, s->pages);
    for (uint64_t i = 0; i < DIV_ROUND_UP(bytes >> MEMORY_PAGE_BITS, 64); i++) {
        seen |= s->pages[i];
    }
    bool written = seen || s->again;
    bool all = s->redraw || s->colors_changed || memcmp(&view, &s->view, sizeof(view));
    s->again = seen != 0; /* see framebuffer.c */
    if (s->colors_changed) {
        update_colors(s);
        s->colors_changed = false;
    }
    s->view = view;
    s->redraw = false;
    if (view.kind == VGA_BLANK) {
        if (all) {
            draw_blank(s);
        }
        return;
    }
    TextChange change = { .cursor = UINT32_MAX, .old_cursor = s->cursor_drawn };
    bool blink_off = false;
    if (view.kind == VGA_TEXT) {
        int64_t now_ms = clock_get_ns(VM_CLOCK_VIRTUAL) / NS_PER_MS;
        uint16_t shape = (uint16_t)(s->cr[0x0a] << 8 | s->cr[0x0b]);
        blink_off = view.blink_enabled && now_ms / TEXT_BLINK_MS & 1;
        change.blink = blink_off != s->blink_drawn;
        if (!(s->cr[0x0a] & 0x20) && !(now_ms / CURSOR_BLINK_MS & 1)) {
            change.cursor = ((uint32_t)(s->cr[0x0e] << 8 | s->cr[0x0f]) + (s->cr[0x0b] >> 5 & 3)) & view.offset_mask;
        }
        all |= (written && font_changed(s)) || shape != s->cursor_shape;
        s->cursor_shape = shape;
    }
    s->cursor_drawn = change.cursor;
    s->blink_drawn = blink_off;
    if (!written && !all && !change.blink && change.cursor == change.old_cursor) {
        return;
    }
    Surface *surface = console_surface(s->con);
    uint32_t width = view.columns * cell_width(&view) * view.dot_repeat;
    if (!surface || surface->width != width || surface->height != view.lines || !surface->owned) {
        surface = surface_new(width, view.lines);
        console_set_surface(s->con, surface);
        all = true;
    }
    change.all = all;
    draw(s, surface, blink_off, &change);
}

static void vga_update(void *opaque)
{
    Vga *s = opaque;
    FbMode mode = {0};

    memory_flush_coalesced();
    if (dispi_enabled(&s->dispi) && s->dispi.regs[DISPI_BPP] > 4) {
        if (s->colors_changed) {
            update_colors(s);
            s->colors_changed = false;
            fb_invalidate(&s->fb);
        }
        dispi_mode(&s->dispi, s->vram.ram, &mode);
        if (s->redraw) {
            fb_invalidate(&s->fb);
            s->redraw = false;
        }
        if (fb_set(&s->fb, &mode)) {
            fb_update(&s->fb);
            return;
        }
    }
    if (s->fb.mode.ram) {
        fb_set(&s->fb, &(FbMode){0});
        s->redraw = s->colors_changed = true;
    }
    update_legacy(s);
}

static void vga_invalidate(void *opaque)
{
    ((Vga *)opaque)->redraw = true;
}

const ConsoleOps vga_console_ops = { .update = vga_update, .invalidate = vga_invalidate };

void vga_render_finish(Vga *s)
{
    free(s->line);
    free(s->cells);
    free(s->font_copy);
    free(s->pages);
    s->line = s->cells = NULL;
    s->font_copy = NULL;
    s->pages = NULL;
}
