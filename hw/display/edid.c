/*
 * edid.c: what a monitor says about itself: a base block of 128 bytes.
 *
 * Specification: VESA Enhanced Extended Display Identification Data, release A2 (2006), section 3.
 */
#include <string.h>
#include "hw/display/dispi.h"
#include "util/bits.h"

/* A detailed timing (3.10.2) with the reduced blanking of CVT: 160 dots, and about 3 % of the lines. */
static void detailed_timing(uint8_t *d, uint32_t width, uint32_t height, uint32_t refresh_mhz)
{
    uint32_t hblank = 160, hsync_off = 48, hsync = 32, vblank = MAX(height / 32, 10u), vsync_off = 3, vsync = 6;
    uint64_t clock_10khz = (uint64_t)(width + hblank) * (height + vblank) * refresh_mhz / 1000 / 10000;
    uint32_t mm_w = MIN(width * 254 / 1000, 4095u), mm_h = MIN(height * 254 / 1000, 4095u); /* 100 dots an inch */

    stle16(d, (uint16_t)MIN(clock_10khz, UINT16_MAX));
    d[2] = (uint8_t)width;
    d[3] = (uint8_t)hblank;
    d[4] = (uint8_t)((width >> 8 & 15) << 4 | hblank >> 8);
    d[5] = (uint8_t)height;
    d[6] = (uint8_t)vblank;
    d[7] = (uint8_t)((height >> 8 & 15) << 4 | (vblank >> 8 & 15));
    d[8] = (uint8_t)hsync_off;
    d[9] = (uint8_t)hsync;
    d[10] = (uint8_t)(vsync_off << 4 | vsync);
    d[12] = (uint8_t)mm_w;
    d[13] = (uint8_t)mm_h;
    d[14] = (uint8_t)(mm_w >> 8 << 4 | mm_h >> 8);
    d[17] = 0x18; /* digital separate sync */
}

static void text_descriptor(uint8_t *d, uint8_t tag, const char *text)
{
    size_t n = strlen(text);

    d[3] = tag;
    memset(d + 5, ' ', 13);
    memcpy(d + 5, text, MIN(n, 13u));
    if (n < 13) {
        d[5 + n] = '\n';
    }
}

void edid_make(uint8_t edid[EDID_BYTES], const EdidInfo *info)
{
    static const struct {
        uint16_t width, height;
        uint8_t byte, bit; /* in the established timings, 3.8; byte 0: a standard timing, 3.9 */
    } modes[] = {
        { 640, 480, 0x23, 5 }, { 800, 600, 0x23, 0 }, { 1024, 768, 0x24, 3 }, { 1280, 960, 0, 0 }, { 1280, 1024, 0, 0 },
        { 1440, 900, 0, 0 }, { 1680, 1050, 0, 0 }, { 1920, 1080, 0, 0 }, { 1600, 1200, 0, 0 }, { 1920, 1200, 0, 0 }, { 2048, 1152, 0, 0 },
    };
    static const uint8_t header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    /* sRGB: 3.7 */
    static const uint8_t chroma[10] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };
    uint32_t width = info->width ? info->width : 1280, height = info->height ? info->height : 800;
    uint32_t refresh = info->refresh_mhz ? info->refresh_mhz : 75000;
    unsigned standard = 0x26, descriptor = 54;

    width = MIN(width, 4095u);
    height = MIN(height, 4095u);
    memset(edid, 0, EDID_BYTES);
    memcpy(edid, header, 8);
    stbe16(edid + 8, ('R' - 64) << 10 | ('H' - 64) << 5 | ('T' - 64)); /* the maker drivers know this monitor by */
    stle16(edid + 10, 0x1234);
    edid[16] = 42; /* week, year - 1990 */
    edid[17] = 24;
    edid[18] = 1;
    edid[19] = 4;
    edid[20] = 0xa5; /* digital, 8 bits a colour, DisplayPort */
    edid[21] = (uint8_t)MIN(width * 254 / 10000, 255u); /* cm */
    edid[22] = (uint8_t)MIN(height * 254 / 10000, 255u);
    edid[23] = 120; /* gamma 2.2 */
    edid[24] = 0x06; /* sRGB, the first timing is the preferred one */
    memcpy(edid + 25, chroma, sizeof(chroma));
    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
        uint32_t w = modes[i].width, h = modes[i].height;
        if ((info->max_width && w > info->max_width) || (info->max_height && h > info->max_height)) {
            continue;
        }
        if (modes[i].byte) {
            edid[modes[i].byte] |= (uint8_t)(1 << modes[i].bit);
        } else if (standard < 54) {
            unsigned aspect = w * 10 == h * 16 ? 0 : w * 3 == h * 4 ? 1 : w * 4 == h * 5 ? 2 : 3;
            edid[standard++] = (uint8_t)(w / 8 - 31);
            edid[standard++] = (uint8_t)(aspect << 6); /* 60 Hz */
        }
    }
    while (standard < 54) {
        edid[standard++] = 1; /* unused */
    }
    detailed_timing(edid + descriptor, width, height, refresh);
    descriptor += 18;
    edid[descriptor + 3] = 0xfd; /* range limits: 50-125 Hz, 30-160 kHz, 2550 MHz */
    static const uint8_t range[] = { 50, 125, 30, 160, 255, 1 };
    memcpy(edid + descriptor + 5, range, sizeof(range));
    edid[descriptor + 11] = '\n';
    memset(edid + descriptor + 12, ' ', 6);
    descriptor += 18;
    text_descriptor(edid + descriptor, 0xfc, "QEMU Monitor");
    descriptor += 18;
    edid[descriptor + 3] = 0x10; /* dummy */
    uint8_t sum = 0;
    for (unsigned i = 0; i < 127; i++) {
        sum += edid[i];
    }
    edid[127] = (uint8_t)-sum;
}
