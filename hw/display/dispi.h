/*
 * dispi.h: the registers of the Bochs VBE display interface, and the MMIO window that modern drivers use them through.
 *
 * Specification: Bochs "VBE display" interface, version 0xb0c5; the PCI window: offset 0 EDID, 0x400 VGA ports from 0x3c0,
 * 0x500 these registers as 16-bit words, 0x600 length and byte order.
 */
#ifndef HW_DISPLAY_DISPI_H
#define HW_DISPLAY_DISPI_H

#include "hw/device.h"
#include "hw/display/framebuffer.h"

enum {
    DISPI_ID, DISPI_XRES, DISPI_YRES, DISPI_BPP, DISPI_ENABLE, DISPI_BANK, DISPI_VIRT_WIDTH, DISPI_VIRT_HEIGHT, DISPI_X_OFFSET,
    DISPI_Y_OFFSET, DISPI_MEMORY_64K, DISPI_N_REGS,
};
enum { DISPI_ENABLED = 0x01, DISPI_GETCAPS = 0x02, DISPI_8BIT_DAC = 0x20, DISPI_LFB = 0x40, DISPI_NO_CLEAR = 0x80 };
enum { DISPI_ID0 = 0xb0c0, DISPI_ID5 = 0xb0c5 };
enum { DISPI_WINDOW_BYTES = 4096, DISPI_WINDOW_VGA = 0x400, DISPI_WINDOW_REGS = 0x500, DISPI_WINDOW_EXTENDED = 0x600, EDID_BYTES = 256 };

typedef struct Dispi {
    uint16_t regs[DISPI_N_REGS];
    uint16_t index;         /* of the port pair */
    bool big_endian;        /* of pixels */
    uint32_t vram_bytes;    /* not saved: fixed */
    uint32_t max_width, max_height;
} Dispi;

void dispi_reset(Dispi *d);
uint16_t dispi_read(const Dispi *d, unsigned index);
/* Returns true when the mode may have changed (also the start or the bank). *ret_clear: video memory is to be cleared. */
bool dispi_write(Dispi *d, unsigned index, uint16_t value, bool *ret_clear);
static inline bool dispi_enabled(const Dispi *d) { return d->regs[DISPI_ENABLE] & DISPI_ENABLED; }
/* Bytes from one row to the next; 4-bit modes: in each plane. */
uint32_t dispi_stride(const Dispi *d);
uint64_t dispi_start(const Dispi *d);
/* For linear modes (8 bits and more). */
void dispi_mode(const Dispi *d, RamBlock *vram, FbMode *ret);
extern const StateDesc dispi_state;

/* What monitors say about themselves. */
typedef struct EdidInfo {
    uint32_t width, height, max_width, max_height, refresh_mhz; /* mHz; 0: a default each */
} EdidInfo;
void edid_make(uint8_t edid[EDID_BYTES], const EdidInfo *info);

#define EDID_PROPS(T, field)                                                                                          \
    PROP_U32("xres", T, field.width, 0, "Width the monitor prefers; 0: 1280"),                                        \
    PROP_U32("yres", T, field.height, 0, "Height the monitor prefers; 0: 800"),                                       \
    PROP_U32("xmax", T, field.max_width, 0, "Largest width; 0: as the device allows"),                                \
    PROP_U32("ymax", T, field.max_height, 0, "Largest height; 0: as the device allows"),                              \
    PROP_U32("refresh_rate", T, field.refresh_mhz, 0, "Refresh rate in mHz; 0: 75000")

#endif
