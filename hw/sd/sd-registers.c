/*
 * sd-registers.c: what an SD card says about itself: Physical Layer Specification 5.2 (CID), 5.3 (CSD), 5.6 (SCR), 4.10.2 (SD status),
 * 4.3.10 (CMD6).
 */
#include "hw/sd/internal.h"
#include "util/bits.h"

enum { CSD_MAX_UNITS = 4096, LARGE_UNIT = 512 * 1024, N_GROUPS = 6 };

/* CRC7 (4.5) and the end bit. */
static uint8_t crc7(const uint8_t *p, unsigned n)
{
    uint8_t crc = 0;

    for (unsigned i = 0; i < n; i++) {
        for (unsigned bit = 8; bit--;) {
            uint8_t feed = (crc >> 6 ^ p[i] >> bit) & 1;

            crc = (uint8_t)((crc << 1 ^ (feed ? 0x09 : 0)) & 0x7f);
        }
    }
    return (uint8_t)(crc << 1 | 1);
}

void sd_make_cid(const SdCard *c, uint8_t ret[16])
{
    /* Manufacturer, application, name, revision 0.1, serial number, made in February 2026. */
    static const uint8_t cid[15] = { 0xaa, 'X', 'Y', 'S', 'D', 'E', 'M', 'U', 0x01, 0xde, 0xad, 0xbe, 0xef, 0x01, 0xa2 };

    memcpy(ret, cid, sizeof(cid));
    ret[15] = crc7(ret, 15);
}

/* Version 1: (C_SIZE + 1) << (C_SIZE_MULT + 2) blocks of 1 << READ_BL_LEN bytes. */
static void small_size(uint64_t bytes, unsigned *ret_len, unsigned *ret_mult, uint32_t *ret_units)
{
    *ret_len = bytes > 1 * GiB ? 10 : 9;
    for (*ret_mult = 0; *ret_mult < 7 && bytes >> (*ret_len + *ret_mult + 2) > CSD_MAX_UNITS;) {
        ++*ret_mult;
    }
    *ret_units = (uint32_t)(bytes >> (*ret_len + *ret_mult + 2));
}

bool sd_size_ok(uint64_t bytes)
{
    unsigned len, mult;
    uint32_t units;

    if (bytes > 2 * GiB) {
        return bytes % LARGE_UNIT == 0 && bytes / LARGE_UNIT <= 1u << 22;
    }
    small_size(bytes, &len, &mult, &units);
    return units && units <= CSD_MAX_UNITS && (uint64_t)units << (len + mult + 2) == bytes;
}

void sd_make_csd(const SdCard *c, uint8_t ret[16])
{
    uint64_t bytes = sd_bytes(c);

    memset(ret, 0, 16);
    ret[0] = sd_is_large(c) ? 0x40 : 0x00;
    ret[1] = sd_is_large(c) ? 0x0e : 0x26;    /* TAAC: 1 ms, 1.5 ms */
    ret[3] = 0x32;                            /* TRAN_SPEED: 25 MHz */
    ret[4] = 0x5b;                            /* CCC: classes 0, 2, 4, 5, 7, 8, 10 */
    ret[5] = 0x59;                            /* … and READ_BL_LEN 9 */
    ret[10] = 0x7f;                           /* ERASE_BLK_EN, SECTOR_SIZE */
    ret[11] = 0x80;
    ret[12] = 0x0a;                           /* R2W_FACTOR, WRITE_BL_LEN 9 */
    ret[13] = 0x40;
    if (sd_is_large(c)) {
        uint32_t size = (uint32_t)(bytes / LARGE_UNIT) - 1;

        ret[7] = size >> 16 & 0x3f;
        ret[8] = size >> 8 & 0xff;
        ret[9] = size & 0xff;
    } else {
        unsigned len, mult;
        uint32_t units;

        small_size(bytes, &len, &mult, &units);
        units -= units ? 1 : 0;
        ret[5] = (uint8_t)(0x50 | len);
        ret[6] = (uint8_t)(0x80 | units >> 10);         /* READ_BL_PARTIAL */
        ret[7] = (uint8_t)(units >> 2);
        ret[8] = (uint8_t)(units << 6 | 0x3f);          /* currents: the highest */
        ret[9] = (uint8_t)(0xfc | mult >> 1);
        ret[10] = (uint8_t)(mult << 7 | 0x7f);
        ret[12] = (uint8_t)(0x08 | len >> 2);
        ret[13] = (uint8_t)(len << 6);
    }
    if (c->blk && block_is_readonly(c->blk)) {
        ret[14] |= 0x10;                      /* TMP_WRITE_PROTECT */
    }
    ret[15] = crc7(ret, 15);
}

void sd_make_scr(const SdCard *c, uint8_t ret[8])
{
    memset(ret, 0, 8);
    ret[0] = c->spec_version >= 2 ? 2 : 1;    /* SD_SPEC: 2.00 or later, 1.10 */
    ret[1] = 0x05;                            /* data is 0 after erasing; 1 and 4 data lines */
    ret[2] = c->spec_version >= 3 ? 0x80 : 0; /* SD_SPEC3 */
    ret[3] = c->spec_version >= 3 ? 0x02 : 0; /* CMD23 */
}

void sd_make_status(const SdCard *c, uint8_t ret[64])
{
    memset(ret, 0, 64);
    ret[0] = c->wide ? 0x80 : 0;              /* DAT_BUS_WIDTH */
}

/* Groups: access mode (default, high speed), command system, driver strength, current limit, two reserved ones: their function 0 only. */
void sd_switch(SdCard *c, uint32_t arg, uint8_t ret[64])
{
    static const uint8_t supported[N_GROUPS] = { 0x03, 0x01, 0x01, 0x01, 0x01, 0x01 };
    uint8_t chosen[N_GROUPS];
    bool ok = true;

    memset(ret, 0, 64);
    ret[1] = 100;                             /* mA */
    for (unsigned g = 0; g < N_GROUPS; g++) {
        unsigned want = arg >> 4 * g & 15;

        stbe16(ret + 2 + 2 * (N_GROUPS - 1 - g), (uint16_t)(0x8000 | supported[g]));
        chosen[g] = want == 15 ? c->functions[g] : want < 8 && supported[g] >> want & 1 ? (uint8_t)want : 15;
        ok &= chosen[g] != 15;
    }
    for (unsigned g = 0; g < N_GROUPS; g++) {
        ret[16 - g / 2] |= (uint8_t)(chosen[g] << 4 * (g & 1));
    }
    if (arg >> 31 && ok) {
        memcpy(c->functions, chosen, sizeof(chosen));
    }
}
