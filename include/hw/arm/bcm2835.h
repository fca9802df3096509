/*
 * bcm2835.h: what the parts of the BCM2835 and its successors tell each other besides registers and lines.
 *
 * Threads: BQL.
 */
#ifndef HW_ARM_BCM2835_H
#define HW_ARM_BCM2835_H

#include "hw/device.h"

/* Bus addresses of the peripherals as the GPU and the DMA controllers know them. */
#define BCM2835_BUS_PERIPHERALS 0x7e000000u

/* ---- "bcm2835-mbox": messages between the processors and the GPU's firmware. ---- */
enum { BCM2835_MBOX_CHANNELS = 16, BCM2835_MBOX_FB = 1, BCM2835_MBOX_PROPERTY = 8 };
/* A message has come; word: its upper 28 bits. The answer goes the same way back: what it returns. */
typedef uint32_t Bcm2835MboxFn(void *opaque, uint32_t word);
void bcm2835_mbox_connect(Device *mbox, unsigned channel, Bcm2835MboxFn *fn, void *opaque);

/* ---- "bcm2835-fb": the frame buffer that firmware sets up. ---- */
typedef struct Bcm2835FbConfig {
    uint32_t width, height, virtual_width, virtual_height, x, y, bpp;
    uint32_t pixel_order;   /* 0: BGR, 1: RGB */
    uint32_t alpha_mode;    /* 0: enabled, 1: reversed, 2: ignored */
} Bcm2835FbConfig;
const Bcm2835FbConfig *bcm2835_fb_config(const Device *fb);
/* What would become of it: out-of-range values are replaced. */
void bcm2835_fb_validate(Bcm2835FbConfig *config);
void bcm2835_fb_set(Device *fb, const Bcm2835FbConfig *config);
uint32_t bcm2835_fb_base(const Device *fb);
uint32_t bcm2835_fb_pitch(const Bcm2835FbConfig *config);
uint32_t bcm2835_fb_bytes(const Bcm2835FbConfig *config);
void bcm2835_fb_blank(Device *fb, bool blank);
void bcm2835_fb_palette(Device *fb, uint32_t first, uint32_t n, const uint32_t *colours);

/* ---- "bcm2835-cprman": clocks. ---- */
/* Frequency of a generator by its control register's offset (0xf0: UART, 0x1c0: EMMC); 0: stopped. */
uint32_t bcm2835_cprman_hz(Device *cprman, uint32_t control);

/* ---- "bcm2835-property": connects itself to the mailbox. ---- */
void bcm2835_property_connect(Device *property, Device *mbox, Device *fb, Device *cprman, AddressSpace *bus);
/* ---- "bcm2835-fb" ---- */
void bcm2835_fb_connect(Device *fb, Device *mbox, AddressSpace *bus);
/* ---- "bcm2835-dma": input "dreq" n paces transfers whose PERMAP is n. ---- */
void bcm2835_dma_connect(Device *dma, AddressSpace *bus);
/* ---- "bcm2835-sdhost" ---- */
struct SdSlot *bcm2835_sdhost_slot(Device *dev);
/* ---- "bcm2835_gpio": which of its hosts has the SD card, by the functions of pins 48 to 53. ---- */
struct SdSlot;
void bcm2835_gpio_connect(Device *gpio, struct SdSlot *sdhci, struct SdSlot *sdhost);

#endif
