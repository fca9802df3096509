/*
 * vga.h: a VGA: registers, video memory seen through the window at 0xa0000, the picture; with the Bochs VBE extension.
 *
 * Shared by the PCI and the ISA card. Video memory holds the four planes interleaved: byte n of plane p is at 4n + p. In chain-4
 * and odd/even modes the address bits that choose the plane are taken out of the offset (chain-4: address / 4, odd/even: address / 2), where IBM's
 * card leaves holes; the display counter in word and doubleword mode is taken accordingly. So a chain-4 window is
 * plain memory, and a program sees a difference only if it writes in one mode and reads in another.
 *
 * Threads: BQL.
 */
#ifndef HW_DISPLAY_VGA_H
#define HW_DISPLAY_VGA_H

#include "hw/display/dispi.h"
#include "hw/display/framebuffer.h"
#include "util/bits.h"

enum { /* register indexes that are used by name */
    VGA_SR_CLOCKING = 1, VGA_SR_MAP_MASK = 2, VGA_SR_FONT = 3, VGA_SR_MEMORY = 4,
    VGA_GR_SET_RESET = 0, VGA_GR_ENABLE_SET_RESET = 1, VGA_GR_COMPARE = 2, VGA_GR_ROTATE = 3, VGA_GR_READ_MAP = 4, VGA_GR_MODE = 5,
    VGA_GR_MISC = 6, VGA_GR_DONT_CARE = 7, VGA_GR_BIT_MASK = 8,
    VGA_AR_MODE = 0x10, VGA_AR_OVERSCAN = 0x11, VGA_AR_PLANES = 0x12, VGA_AR_PANNING = 0x13, VGA_AR_COLOR_SELECT = 0x14,
};

typedef enum VgaKind { VGA_BLANK, VGA_TEXT, VGA_PLANAR, VGA_CGA, VGA_BYTES } VgaKind;

/* All a picture depends on but the contents of memory and palette, and the phase of blinking. Compared as bytes. */
typedef struct VgaView {
    uint32_t kind;
    uint32_t columns, lines, cell_dots;       /* characters a line; 8 dots each in graphics modes */
    uint32_t start, row_step, offset_mask;    /* display counter: first address, distance of rows; wraps at the mask */
    uint32_t line_compare, max_scan, preset_scan, panning, word_bits;
    uint32_t font[2];                         /* plane offsets: attribute bit 3 clear, set */
    uint32_t underline;
    uint8_t scan_to_13, scan_to_14;           /* row scan bits replace address bits: CGA and Hercules modes */
    uint8_t pan_stops, double_scan, dot_repeat, pixel_dots, line_graphics, blink_enabled, plane_enable;
    uint8_t colors[16];                       /* attribute palette: DAC indexes */
    uint8_t pad[3];
} VgaView;

typedef struct Vga {
    Device *owner;
    Console *con;
    bool own_console;
    MemoryRegion vram, window, chain4, low; /* low: container of window and the chain-4 alias, 128 KiB */
    uint32_t vram_bytes;
    uint8_t sr_index, gr_index, ar_index, cr_index, ar_data; /* ar_data: the next write to 0x3c0 is data */
    uint8_t sr[8], gr[16], ar[21], cr[32];
    uint8_t misc, feature, status0;
    uint8_t dac_mask, dac_state, dac_read, dac_write, dac_sub, dac_temp[3], palette[768];
    uint8_t latch[4];
    Dispi dispi;
    /* The picture; derived, not saved. */
    Framebuffer fb;              /* linear modes */
    VgaView view;
    uint32_t colors[256];
    bool redraw, colors_changed, again; /* again: memory changed in the last round */
    uint32_t cursor_drawn;       /* counter value of the cursor on the screen; UINT32_MAX: none */
    uint16_t cursor_shape;
    bool blink_drawn;
    uint32_t *line, *cells;      /* one line of dots; text: the characters shown */
    uint8_t *font_copy;
    uint64_t *pages;
} Vga;

/* con NULL: one of its own. */
NODISCARD bool vga_init(Vga *vga, Device *owner, uint32_t vram_bytes, Console *con, Error **errp);
void vga_finish(Vga *vga);
void vga_reset(Vga *vga);
/* port: 0x3b0 to 0x3df. */
uint8_t vga_port_read(Vga *vga, unsigned port);
void vga_port_write(Vga *vga, unsigned port, uint8_t value);
/* The registers may have changed what is seen at 0xa0000. */
void vga_update_window(Vga *vga);
uint16_t vga_dispi_read(Vga *vga, unsigned index);
void vga_dispi_write(Vga *vga, unsigned index, uint16_t value);
extern const StateDesc vga_state;

/* A port range of an ISA or PCI VGA; regions are the caller's, VGA_N_PORT_REGIONS of them. */
enum { VGA_N_PORT_REGIONS = 6 };
void vga_init_ports(Vga *vga, MemoryRegion regions[VGA_N_PORT_REGIONS], uint16_t ret_ports[VGA_N_PORT_REGIONS]);
/* Somebody else has used the console: nothing of what was drawn is there. */
void vga_redraw_all(Vga *vga);
/* As a property: a power of two of MiB. */
uint32_t vga_memory_bytes(uint32_t mib);

/* vga-front.c: what PCI cards have besides: the register window (dispi.h), and where a primary card answers. */
struct PciBus;
typedef struct VgaFront {
    Vga vga;
    const uint8_t *edid;                       /* EDID_BYTES; NULL: the window has none */
    bool extended_regs;
    MemoryRegion window, ports[VGA_N_PORT_REGIONS];
    uint16_t port_at[VGA_N_PORT_REGIONS];
} VgaFront;
void vga_front_init_window(VgaFront *front);
void vga_front_map_legacy(VgaFront *front, struct PciBus *bus);
void vga_front_unmap_legacy(VgaFront *front, struct PciBus *bus);

/* vga-render.c */
extern const ConsoleOps vga_console_ops;
void vga_render_finish(Vga *vga);

#endif
