/*
 * vga.c: registers and memory window of a VGA (see vga.h; the picture is made in vga-render.c).
 *
 * Leaves out: the feature connector, light pen, interrupt 2 at the vertical retrace, monitor sensing by level.
 * Specification: IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem" (1992): 2-41 to 2-107 registers, 2-33 memory.
 */
#include "hw/display/vga.h"
#include "softmmu/clock.h"
#include "util/log.h"

enum { PLANE_BYTES = 64 * KiB, WINDOW_BYTES = 128 * KiB };

/* ---- memory ---- */

/* Where a CPU address of the window goes; false: outside what the graphics controller decodes. */
static bool window_offset(const Vga *s, uint64_t addr, uint32_t *ret)
{
    switch (s->gr[VGA_GR_MISC] >> 2 & 3) {
    case 0: *ret = (uint32_t)addr; return true;
    case 1: *ret = (uint32_t)addr + s->dispi.regs[DISPI_BANK] * 64u * 1024; return addr < 0x10000;
    case 2: *ret = (uint32_t)addr - 0x10000; return addr >= 0x10000 && addr < 0x18000;
    default: *ret = (uint32_t)addr - 0x18000; return addr >= 0x18000;
    }
}

static bool chain4(const Vga *s)
{
    return (s->sr[VGA_SR_MEMORY] & 8) || (dispi_enabled(&s->dispi) && s->dispi.regs[DISPI_BPP] > 4);
}

static uint8_t *vram_ptr(const Vga *s)
{
    return memory_region_host(&s->vram);
}

static uint32_t mask4(uint8_t bits)
{
    uint32_t mask = 0;
    for (unsigned p = 0; p < 4; p++) {
        mask |= bits >> p & 1 ? 0xffu << p * 8 : 0;
    }
    return mask;
}

static MemResult window_read(void *opaque, uint64_t addr, unsigned size, uint64_t *ret_value, MemAttrs attrs)
{
    Vga *s = opaque;
    const uint8_t *vram = vram_ptr(s);
    uint32_t at;

    *ret_value = 0xff;
    if (!window_offset(s, addr, &at)) {
        return MEM_OK;
    }
    if (chain4(s)) {
        *ret_value = vram[at & (s->vram_bytes - 1)];
        return MEM_OK;
    }
    unsigned plane = s->gr[VGA_GR_READ_MAP] & 3;
    if (s->gr[VGA_GR_MODE] & 0x10) { /* odd/even */
        plane = (plane & 2) | (at & 1);
        at >>= 1;
    }
    at = at * 4 & (s->vram_bytes - 1);
    if (attrs.debug) {
        *ret_value = vram[at + plane];
        return MEM_OK;
    }
    memcpy(s->latch, vram + at, 4);
    if (!(s->gr[VGA_GR_MODE] & 8)) {
        *ret_value = s->latch[plane];
        return MEM_OK;
    }
    /* Read mode 1: bits of dots whose colour is that of the compare register, where planes count. */
    uint8_t differ = 0;
    for (unsigned p = 0; p < 4; p++) {
        if (s->gr[VGA_GR_DONT_CARE] >> p & 1) {
            differ |= s->latch[p] ^ (s->gr[VGA_GR_COMPARE] >> p & 1 ? 0xff : 0);
        }
    }
    *ret_value = (uint8_t)~differ;
    return MEM_OK;
}

/* What the graphics controller makes of a byte for the four planes. */
static uint32_t write_data(const Vga *s, uint8_t byte)
{
    unsigned mode = s->gr[VGA_GR_MODE] & 3, rotate = s->gr[VGA_GR_ROTATE] & 7;
    uint32_t latch = ldle32(s->latch), data, bits = s->gr[VGA_GR_BIT_MASK];

    if (mode == 1) {
        return latch;
    }
    if (mode == 2) {
        data = mask4(byte);
    } else {
        byte = (uint8_t)(byte >> rotate | byte << (8 - rotate));
        uint32_t set = mask4(s->gr[VGA_GR_SET_RESET]);
        if (mode == 3) {
            bits &= byte;
            data = set;
        } else {
            uint32_t enable = mask4(s->gr[VGA_GR_ENABLE_SET_RESET]);
            data = (byte * 0x01010101u & ~enable) | (set & enable);
        }
    }
    switch (s->gr[VGA_GR_ROTATE] >> 3 & 3) {
    case 1: data &= latch; break;
    case 2: data |= latch; break;
    case 3: data ^= latch; break;
    }
    bits *= 0x01010101u;
    return (data & bits) | (latch & ~bits);
}

static MemResult window_write(void *opaque, uint64_t addr, unsigned size, uint64_t value, MemAttrs attrs)
{
    Vga *s = opaque;
    uint8_t *vram = vram_ptr(s);
    uint8_t planes = s->sr[VGA_SR_MAP_MASK] & 15;
    uint32_t at;

    if (!window_offset(s, addr, &at)) {
        return MEM_OK;
    }
    if (chain4(s)) {
        at &= s->vram_bytes - 1;
        if (planes >> (at & 3) & 1 || dispi_enabled(&s->dispi)) {
            vram[at] = (uint8_t)value;
            ram_mark_dirty(s->vram.ram, at, 1);
        }
        return MEM_OK;
    }
    if (!(s->sr[VGA_SR_MEMORY] & 4)) { /* odd/even */
        planes &= at & 1 ? 10 : 5;
        at >>= 1;
    }
    at = at * 4 & (s->vram_bytes - 1);
    uint32_t mask = mask4(planes), data = write_data(s, (uint8_t)value);
    stle32(vram + at, (ldle32(vram + at) & ~mask) | (data & mask));
    ram_mark_dirty(s->vram.ram, at, 4);
    return MEM_OK;
}

static const MemoryOps window_ops = {
    .read = window_read, .write = window_write, .valid = { .min = 1, .max = 8, .unaligned = true }, .impl = { .min = 1, .max = 1 },
};

/* In chain-4 modes with all planes enabled the window is memory: then nobody has to ask us. */
void vga_update_window(Vga *s)
{
    unsigned map = s->gr[VGA_GR_MISC] >> 2 & 3;
    bool plain = chain4(s) && map <= 1 && ((s->sr[VGA_SR_MAP_MASK] & 15) == 15 || dispi_enabled(&s->dispi));
    uint64_t bank = map == 1 ? s->dispi.regs[DISPI_BANK] * 64u * 1024 : 0;

    if (plain && bank + 0x10000 > s->vram_bytes) {
        plain = false;
    }
    if (s->chain4.enabled == plain && (!plain || s->chain4.alias_offset == bank)) {
        return;
    }
    memory_begin();
    if (plain) {
        memory_region_set_alias_offset(&s->chain4, bank);
    }
    memory_region_set_enabled(&s->chain4, plain);
    memory_commit();
}

/* ---- ports ---- */

static bool is_color(const Vga *s)
{
    return s->misc & 1;
}

static bool ignored(const Vga *s, unsigned port)
{
    /* The CRT controller and status 1 are at 0x3bX or 0x3dX. */
    return is_color(s) ? port >= 0x3b0 && port <= 0x3bf : port >= 0x3d0;
}

/* Status 1: the beam's position follows from guest time and the CRT controller's counts. */
static uint8_t retrace_status(const Vga *s)
{
    static const uint32_t clocks_khz[4] = { 25175, 28322, 28322, 28322 };
    unsigned chars = s->cr[0] + 5u, shown = s->cr[1] + 1u, dots = s->sr[VGA_SR_CLOCKING] & 1 ? 8 : 9;
    unsigned lines = (s->cr[6] | (s->cr[7] & 1u) << 8 | (s->cr[7] >> 5 & 1u) << 9) + 2;
    unsigned visible = (s->cr[0x12] | (s->cr[7] >> 1 & 1u) << 8 | (s->cr[7] >> 6 & 1u) << 9) + 1;
    unsigned sync = s->cr[0x10] | (s->cr[7] >> 2 & 1u) << 8 | (s->cr[7] >> 7 & 1u) << 9;
    unsigned sync_lines = (s->cr[0x11] - sync) & 15;
    uint64_t char_ps = UINT64_C(1000000000) * dots * (s->sr[VGA_SR_CLOCKING] & 8 ? 2 : 1) / clocks_khz[s->misc >> 2 & 3];
    uint64_t line_ps = char_ps * chars, frame_ns = line_ps * lines / 1000;
    uint64_t in_frame_ps = (uint64_t)clock_get_ns(VM_CLOCK_VIRTUAL) % frame_ns * 1000;
    uint64_t line = in_frame_ps / line_ps, column = in_frame_ps % line_ps / char_ps;
    uint8_t status = 0;

    if (line >= visible || column >= shown) {
        status |= 1; /* not displaying */
    }
    if (line >= sync && line < sync + MAX(sync_lines, 1u)) {
        status |= 9;
    }
    return status;
}

static uint8_t dac_data_read(Vga *s)
{
    uint8_t value = s->palette[s->dac_read * 3 + s->dac_sub];

    if (++s->dac_sub == 3) {
        s->dac_sub = 0;
        s->dac_read++;
    }
    return value;
}

static void dac_data_write(Vga *s, uint8_t value)
{
    s->dac_temp[s->dac_sub] = s->dispi.regs[DISPI_ENABLE] & DISPI_8BIT_DAC ? value : value & 0x3f;
    if (++s->dac_sub == 3) {
        memcpy(s->palette + s->dac_write * 3, s->dac_temp, 3);
        s->dac_sub = 0;
        s->dac_write++;
        s->colors_changed = true;
    }
}

uint8_t vga_port_read(Vga *s, unsigned port)
{
    if (ignored(s, port)) {
        return 0xff;
    }
    switch (port) {
    case 0x3c0: return s->ar_data ? 0 : s->ar_index;
    case 0x3c1: return (s->ar_index & 0x1f) < sizeof(s->ar) ? s->ar[s->ar_index & 0x1f] : 0;
    case 0x3c2: return s->status0;
    case 0x3c3: return 1;
    case 0x3c4: return s->sr_index;
    case 0x3c5: return s->sr[s->sr_index];
    case 0x3c6: return s->dac_mask;
    case 0x3c7: return s->dac_state;
    case 0x3c8: return s->dac_write;
    case 0x3c9: return dac_data_read(s);
    case 0x3ca: return s->feature;
    case 0x3cc: return s->misc;
    case 0x3ce: return s->gr_index;
    case 0x3cf: return s->gr[s->gr_index];
    case 0x3b4: case 0x3d4: return s->cr_index;
    case 0x3b5: case 0x3d5: return s->cr_index < sizeof(s->cr) ? s->cr[s->cr_index] : 0xff;
    case 0x3ba: case 0x3da:
        s->ar_data = 0;
        return retrace_status(s);
    default: return 0xff;
    }
}

static void attribute_write(Vga *s, uint8_t value)
{
    static const uint8_t masks[5] = { 0xef, 0xff, 0x3f, 0x0f, 0x0f };
    unsigned index = s->ar_index & 0x1f;

    if (!s->ar_data) {
        s->ar_index = value & 0x3f; /* bit 5: the palette is in use, the screen is on */
    } else if (index < 16) {
        s->ar[index] = value & 0x3f;
    } else if (index < sizeof(s->ar)) {
        s->ar[index] = value & masks[index - 16];
    }
    s->ar_data = !s->ar_data;
}

static void crtc_write(Vga *s, uint8_t value)
{
    if (s->cr_index >= sizeof(s->cr)) {
        return;
    }
    /* Bit 7 of register 0x11 protects 0 to 7, but for bit 4 of register 7 (line compare). */
    if ((s->cr[0x11] & 0x80) && s->cr_index <= 7) {
        if (s->cr_index == 7) {
            s->cr[7] = (uint8_t)((s->cr[7] & ~0x10) | (value & 0x10));
        }
        return;
    }
    s->cr[s->cr_index] = value;
}

void vga_port_write(Vga *s, unsigned port, uint8_t value)
{
    static const uint8_t sr_masks[8] = { 3, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff };
    static const uint8_t gr_masks[16] = { 0x0f, 0x0f, 0x0f, 0x1f, 3, 0x7b, 0x0f, 0x0f, 0xff };

    if (ignored(s, port)) {
        return;
    }
    switch (port) {
    case 0x3c0: attribute_write(s, value); break;
    case 0x3c2: s->misc = value & 0xef; break;
    case 0x3c4: s->sr_index = value & 7; break;
    case 0x3c5:
        s->sr[s->sr_index] = value & sr_masks[s->sr_index];
        vga_update_window(s);
        break;
    case 0x3c6:
        s->dac_mask = value;
        s->colors_changed = true;
        break;
    case 0x3c7:
        s->dac_read = value;
        s->dac_sub = 0;
        s->dac_state = 3;
        break;
    case 0x3c8:
        s->dac_write = value;
        s->dac_sub = 0;
        s->dac_state = 0;
        break;
    case 0x3c9: dac_data_write(s, value); break;
    case 0x3ce: s->gr_index = value & 15; break;
    case 0x3cf:
        s->gr[s->gr_index] = value & gr_masks[s->gr_index];
        vga_update_window(s);
        break;
    case 0x3b4: case 0x3d4: s->cr_index = value; break;
    case 0x3b5: case 0x3d5: crtc_write(s, value); break;
    case 0x3ba: case 0x3da: s->feature = value & 0x10; break;
    }
}

/* ---- the Bochs extension ---- */

uint16_t vga_dispi_read(Vga *s, unsigned index)
{
    return dispi_read(&s->dispi, index);
}

/* Programs that switch modes through the extension only find the VGA in a state that fits: chain-4, map A0000, planes enabled. */
static void linear_registers(Vga *s)
{
    const Dispi *d = &s->dispi;
    unsigned columns = d->regs[DISPI_XRES] / 8u, lines = d->regs[DISPI_YRES] - 1u;

    s->gr[VGA_GR_MISC] = (uint8_t)((s->gr[VGA_GR_MISC] & ~0x0c) | 0x05);
    s->cr[0x17] |= 3;
    s->cr[0x11] &= 0x7f;
    s->cr[1] = (uint8_t)(columns - 1);
    s->cr[0x12] = (uint8_t)lines;
    s->cr[7] = (uint8_t)((s->cr[7] & ~0x42) | (lines >> 8 & 1) << 1 | (lines >> 9 & 1) << 6);
    s->cr[0x13] = (uint8_t)(dispi_stride(d) >> 3);
    s->cr[9] &= 0x60;                /* one line a row, no doubling */
    s->cr[0x18] = 0xff;              /* no split */
    s->cr[9] |= 0x40;
    s->cr[7] |= 0x10;
    if (d->regs[DISPI_BPP] == 4) {
        s->gr[VGA_GR_MODE] &= (uint8_t)~0x60;
        s->sr[VGA_SR_MEMORY] &= (uint8_t)~8;
    } else {
        s->gr[VGA_GR_MODE] = (uint8_t)((s->gr[VGA_GR_MODE] & ~0x60) | 0x40);
        s->sr[VGA_SR_MEMORY] |= 8;
        s->sr[VGA_SR_MAP_MASK] |= 15;
    }
}

void vga_dispi_write(Vga *s, unsigned index, uint16_t value)
{
    bool was = dispi_enabled(&s->dispi), clear;

    if (!dispi_write(&s->dispi, index, value, &clear)) {
        return;
    }
    if (clear) {
        uint64_t bytes = s->dispi.regs[DISPI_BPP] == 4 ? 4ull * dispi_stride(&s->dispi) * s->dispi.regs[DISPI_YRES]
                                                       : (uint64_t)dispi_stride(&s->dispi) * s->dispi.regs[DISPI_YRES];
        bytes = MIN(bytes, s->vram_bytes);
        memset(vram_ptr(s), 0, bytes);
        ram_mark_dirty(s->vram.ram, 0, bytes);
    }
    if (index == DISPI_ENABLE) {
        if (dispi_enabled(&s->dispi) && !was) {
            linear_registers(s);
        }
        s->colors_changed = true;
    }
    vga_update_window(s);
}

/* ---- life ---- */

uint32_t vga_memory_bytes(uint32_t mib)
{
    uint32_t size = 1;

    while (size < mib && size < 512) {
        size *= 2;
    }
    return size * MiB;
}

bool vga_init(Vga *s, Device *owner, uint32_t vram_bytes, Console *con, Error **errp)
{
    s->owner = owner;
    s->vram_bytes = vram_bytes;
    s->dispi.vram_bytes = vram_bytes;
    s->dispi.max_width = CONSOLE_MAX_WIDTH;
    s->dispi.max_height = CONSOLE_MAX_HEIGHT;
    dispi_reset(&s->dispi);
    if (!memory_region_init_ram(&s->vram, &owner->obj, "vga.vram", vram_bytes, errp)) {
        return false;
    }
    ram_dirty_log(s->vram.ram, DIRTY_DISPLAY, true);
    memory_region_init(&s->low, &owner->obj, "vga-lowmem-container", WINDOW_BYTES);
    memory_region_init_mmio(&s->window, &owner->obj, &window_ops, s, "vga-lowmem", WINDOW_BYTES);
    memory_region_add_coalescing(&s->window, 0, WINDOW_BYTES);
    memory_region_init_alias(&s->chain4, &owner->obj, "vga.chain4", &s->vram, 0, 0x10000);
    memory_region_set_enabled(&s->chain4, false);
    memory_region_add(&s->low, 0, &s->window);
    memory_region_add_overlap(&s->low, 0, &s->chain4, 1);
    s->own_console = !con;
    s->con = con ? con : console_new(owner, 0, &vga_console_ops, s);
    fb_init(&s->fb, s->con);
    s->fb.palette = s->colors;
    return true;
}

void vga_finish(Vga *s)
{
    vga_render_finish(s);
    fb_finish(&s->fb);
    if (s->own_console) {
        console_free(s->con);
    }
    s->con = NULL;
}

void vga_redraw_all(Vga *s)
{
    s->fb.mode = (FbMode){0};
    s->fb.direct = false;
    s->colors_changed = s->redraw = true;
}

void vga_reset(Vga *s)
{
    memset(s->sr, 0, sizeof(s->sr));
    memset(s->gr, 0, sizeof(s->gr));
    memset(s->ar, 0, sizeof(s->ar));
    memset(s->cr, 0, sizeof(s->cr));
    memset(s->palette, 0, sizeof(s->palette));
    memset(s->latch, 0, sizeof(s->latch));
    s->sr_index = s->gr_index = s->ar_index = s->cr_index = s->ar_data = 0;
    s->misc = s->feature = s->status0 = 0;
    s->dac_mask = s->dac_state = s->dac_read = s->dac_write = s->dac_sub = 0;
    dispi_reset(&s->dispi);
    /* Dark until somebody draws; only what the VGA's own modes show, so that a start does not touch all of it. */
    memset(vram_ptr(s), 0, MIN(s->vram_bytes, 4u * PLANE_BYTES));
    ram_mark_dirty(s->vram.ram, 0, MIN(s->vram_bytes, 4u * PLANE_BYTES));
    s->colors_changed = s->redraw = true;
    vga_update_window(s);
}

/* ---- port regions ---- */

static MemResult port_read(Vga *s, unsigned port, uint64_t *ret_value)
{
    *ret_value = vga_port_read(s, port);
    return MEM_OK;
}

#define PORT_OPS(name, first)                                                                                             \
    static MemResult name##_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value, MemAttrs attrs)       \
    {                                                                                                                     \
        return port_read(opaque, (first) + (unsigned)offset, ret_value);                                                  \
    }                                                                                                                     \
    static MemResult name##_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)           \
    {                                                                                                                     \
        vga_port_write(opaque, (first) + (unsigned)offset, (uint8_t)value);                                               \
        return MEM_OK;                                                                                                    \
    }                                                                                                                     \
    static const MemoryOps name##_ops = {                                                                                 \
        .read = name##_read, .write = name##_write, .valid = { .min = 1, .max = 4, .unaligned = true }, .impl = { .min = 1, .max = 1 }, \
    }
PORT_OPS(crtc_mono, 0x3b4u);
PORT_OPS(status_mono, 0x3bau);
PORT_OPS(vga, 0x3c0u);
PORT_OPS(crtc_color, 0x3d4u);
PORT_OPS(status_color, 0x3dau);

/* 0x1ce: index; 0x1cf, and 0x1d0 where 16-bit ports must be even: data. */
static MemResult dispi_port_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value, MemAttrs attrs)
{
    Vga *s = opaque;

    *ret_value = offset ? vga_dispi_read(s, s->dispi.index) : s->dispi.index;
    return MEM_OK;
}

static MemResult dispi_port_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Vga *s = opaque;

    if (offset) {
        vga_dispi_write(s, s->dispi.index, (uint16_t)value);
    } else {
        s->dispi.index = (uint16_t)value;
    }
    return MEM_OK;
}

static const MemoryOps dispi_ops = {
    .read = dispi_port_read, .write = dispi_port_write, .valid = { .min = 1, .max = 2, .unaligned = true },
    .impl = { .min = 1, .max = 2, .unaligned = true },
};

void vga_init_ports(Vga *s, MemoryRegion regions[VGA_N_PORT_REGIONS], uint16_t ret_ports[VGA_N_PORT_REGIONS])
{
    static const struct {
        const char *name;
        uint16_t port, n;
        const MemoryOps *ops;
    } ranges[VGA_N_PORT_REGIONS] = {
        { "vga-crtc-mono", 0x3b4, 2, &crtc_mono_ops }, { "vga-status-mono", 0x3ba, 1, &status_mono_ops }, { "vga", 0x3c0, 16, &vga_ops },
        { "vga-crtc", 0x3d4, 2, &crtc_color_ops }, { "vga-status", 0x3da, 1, &status_color_ops }, { "vbe", 0x1ce, 4, &dispi_ops },
    };

    for (unsigned i = 0; i < VGA_N_PORT_REGIONS; i++) {
        memory_region_init_mmio(&regions[i], &s->owner->obj, ranges[i].ops, s, ranges[i].name, ranges[i].n);
        ret_ports[i] = ranges[i].port;
    }
}

/* ---- saved state ---- */

static bool vga_post_load(void *opaque, uint32_t version, Error **errp)
{
    Vga *s = opaque;

    s->sr_index &= 7;
    s->gr_index &= 15;
    if (s->dac_sub > 2) {
        error_set(errp, "state of the VGA palette makes no sense");
        return false;
    }
    s->colors_changed = s->redraw = true;
    vga_update_window(s);
    return true;
}

static const StateField vga_fields[] = {
    STATE_U(Vga, sr_index), STATE_U(Vga, gr_index), STATE_U(Vga, ar_index), STATE_U(Vga, cr_index), STATE_U(Vga, ar_data),
    STATE_BYTES(Vga, sr), STATE_BYTES(Vga, gr), STATE_BYTES(Vga, ar), STATE_BYTES(Vga, cr), STATE_U(Vga, misc), STATE_U(Vga, feature),
    STATE_U(Vga, status0), STATE_U(Vga, dac_mask), STATE_U(Vga, dac_state), STATE_U(Vga, dac_read), STATE_U(Vga, dac_write), STATE_U(Vga, dac_sub),
    STATE_BYTES(Vga, dac_temp), STATE_BYTES(Vga, palette), STATE_BYTES(Vga, latch),
    { .name = "dispi", .kind = STATE_STRUCT, .offset = offsetof(Vga, dispi), .elem_size = sizeof(Dispi), .sub = &dispi_state },
};

const StateDesc vga_state = {
    .name = "vga", .version = 1, .fields = vga_fields, .n_fields = ARRAY_SIZE(vga_fields), .post_load = vga_post_load,
};
