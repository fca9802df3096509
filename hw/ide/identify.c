/*
 * identify.c: what drives say of themselves: IDENTIFY DEVICE, IDENTIFY PACKET DEVICE, SMART.
 *
 * Specification: ATA/ATAPI-7 volume 1, 6.16, 6.17, 6.54; ACS-2, 7.16.7 (words for TRIM and sector sizes).
 */
#include "hw/ide/internal.h"

static void put(uint8_t *id, unsigned word, uint32_t value)
{
    stle16(id + word * 2, (uint16_t)value);
}

static void put32(uint8_t *id, unsigned word, uint32_t value)
{
    put(id, word, value & 0xffff);
    put(id, word + 1, value >> 16);
}

/* Text with the bytes of each word swapped (3.2.9), padded with spaces. */
static void put_text(uint8_t *id, unsigned word, const char *text, size_t bytes)
{
    size_t len = strnlen(text, bytes);

    for (size_t i = 0; i < bytes; i++) {
        id[word * 2 + (i ^ 1)] = i < len ? (uint8_t)text[i] : ' ';
    }
}

/* Words 62 to 68 and 88: modes a drive has, and the one chosen. */
static void put_modes(const IdeDrive *d, uint8_t *id)
{
    unsigned kind = d->dma_mode >> 3, mode = d->dma_mode & 7;

    put(id, 62, 0x07 | (kind == 2 ? 0x100u << mode : 0));
    put(id, 63, 0x07 | (kind == 4 ? 0x100u << mode : 0));
    put(id, 64, 3);
    put(id, 65, 120);
    put(id, 66, 120);
    put(id, 67, 120);
    put(id, 68, 120);
    put(id, 88, 0x3f | (kind == 8 ? 0x100u << mode : 0));
}

/* Word 255: makes the sum of all bytes zero. */
static void put_checksum(uint8_t *id)
{
    uint8_t sum = 0xa5;

    id[510] = 0xa5;
    for (unsigned i = 0; i < 510; i++) {
        sum = (uint8_t)(sum + id[i]);
    }
    id[511] = (uint8_t)-sum;
}

void ide_identify(const IdeDrive *d, uint8_t id[SECTOR])
{
    uint64_t sectors = ide_sectors(d), current = (uint64_t)d->conf.cyls * d->cur_heads * d->cur_secs;
    uint32_t cyls = d->conf.cyls;
    bool trim = d->conf.discard_granularity && !block_is_readonly(d->conf.blk), ncq = d->channel->host->pio != NULL;
    unsigned per_physical = (unsigned)(d->conf.physical_block_size / d->conf.logical_block_size);

    memset(id, 0, SECTOR);
    if (d->cur_heads && d->cur_secs) {
        cyls = (uint32_t)MIN((uint64_t)d->conf.cyls * d->conf.heads * d->conf.secs / (d->cur_heads * d->cur_secs), 65535);
        current = (uint64_t)cyls * d->cur_heads * d->cur_secs;
    }
    put(id, 0, 0x0040);
    put(id, 1, d->conf.cyls);
    put(id, 3, d->conf.heads);
    put(id, 4, 512 * d->conf.secs);
    put(id, 5, 512);
    put(id, 6, d->conf.secs);
    put_text(id, 10, d->serial_text, 20);
    put(id, 20, 3);
    put(id, 21, 512);
    put(id, 22, 4);
    put_text(id, 23, d->version ? d->version : "2.5+", 8);
    put_text(id, 27, d->model ? d->model : "QEMU HARDDISK", 40);
    put(id, 47, 0x8000 | IDE_MULT_MAX);
    put(id, 48, 1);
    put(id, 49, 1 << 11 | 1 << 9 | 1 << 8);     /* IORDY, LBA, DMA */
    put(id, 51, 0x200);
    put(id, 52, 0x200);
    put(id, 53, 1 | 2 | 4);
    put(id, 54, cyls);
    put(id, 55, d->cur_heads);
    put(id, 56, d->cur_secs);
    put32(id, 57, (uint32_t)current);
    if (d->multiple) {
        put(id, 59, 0x100 | d->multiple);
    }
    put32(id, 60, (uint32_t)MIN(sectors, 0xfffffff));
    put_modes(d, id);
    if (trim) {
        put(id, 69, 1 << 14);                   /* deterministic reads after TRIM */
    }
    if (ncq) {
        put(id, 75, 31);                        /* queue depth */
        put(id, 76, 1 << 8 | 2);                /* NCQ, 1.5 Gbit/s */
    }
    put(id, 80, 0xf0);                          /* ATA-4 to ATA/ATAPI-7 */
    put(id, 81, 0x16);
    put(id, 82, 1 << 14 | 1 << 5 | 1);          /* NOP, write cache, SMART */
    put(id, 83, 1 << 14 | 1 << 13 | 1 << 12 | 1 << 10); /* FLUSH CACHE (EXT), LBA48 */
    put(id, 84, 1 << 14 | 1 << 6 | (d->wwn ? 1 << 8 : 0)); /* WRITE DMA FUA EXT */
    put(id, 85, 1 << 14 | (d->write_cache ? 1 << 5 : 0) | (d->smart ? 1 : 0));
    put(id, 86, 1 << 13 | 1 << 12 | 1 << 10);
    put(id, 87, 1 << 14 | 1 << 6 | (d->wwn ? 1 << 8 : 0));
    put(id, 93, 1 | 1 << 14 | 0x2000);
    put32(id, 100, (uint32_t)sectors);
    put32(id, 102, (uint32_t)(sectors >> 32));
    if (trim) {
        put(id, 105, IDE_TRIM_SECTORS);
        put(id, 169, 1);
    }
    if (per_physical > 1) {
        put(id, 106, 0x6000 | (unsigned)__builtin_ctz(per_physical));
    }
    for (unsigned i = 0; d->wwn && i < 4; i++) {
        put(id, 108 + i, (uint32_t)(d->wwn >> (48 - i * 16)) & 0xffff);
    }
    put(id, 217, d->rotation_rate);
    put_checksum(id);
}

void ide_identify_packet(const IdeDrive *d, uint8_t id[SECTOR])
{
    memset(id, 0, SECTOR);
    put(id, 0, 2 << 14 | 5 << 8 | 1 << 7 | 2 << 5); /* ATAPI, CD-ROM, removable, DRQ within 50 us, 12-byte packets */
    put_text(id, 10, d->serial_text, 20);
    put(id, 20, 3);
    put(id, 21, 512);
    put(id, 22, 4);
    put_text(id, 23, d->version ? d->version : "2.5+", 8);
    put_text(id, 27, d->model ? d->model : "QEMU DVD-ROM", 40);
    put(id, 48, 1);
    put(id, 49, 1 << 9 | 1 << 8);
    put(id, 53, 7);
    put_modes(d, id);
    put(id, 71, 30);
    put(id, 72, 30);
    put(id, 80, 0x1e);
    put(id, 82, 1 << 4);                        /* PACKET */
    put(id, 85, 1 << 4);
    if (d->channel->host->pio) {
        put(id, 76, 2);
    }
    for (unsigned i = 0; d->wwn && i < 4; i++) {
        put(id, 108 + i, (uint32_t)(d->wwn >> (48 - i * 16)) & 0xffff);
    }
    if (d->wwn) {
        put(id, 84, 1 << 14 | 1 << 8);
        put(id, 87, 1 << 14 | 1 << 8);
    }
    put_checksum(id);
}

/* -- SMART ---------------------------------------------------------------------------------------------------------------- */

enum { SMART_READ_DATA = 0xd0, SMART_READ_THRESHOLDS = 0xd1, SMART_AUTOSAVE = 0xd2, SMART_OFFLINE = 0xd4, SMART_READ_LOG = 0xd5,
       SMART_ENABLE = 0xd8, SMART_DISABLE = 0xd9, SMART_STATUS = 0xda };

/* Attributes of a disk that is well: id, flags, value and worst, threshold, raw value. */
static const struct { uint8_t id, flags, value, threshold; uint32_t raw; } attributes[] = {
    { 1, 0x03, 100, 6, 0 }, { 3, 0x03, 100, 0, 16 }, { 4, 0x02, 100, 20, 100 }, { 5, 0x03, 100, 36, 0 }, { 9, 0x03, 100, 0, 1 },
    { 12, 0x03, 100, 0, 0 }, { 190, 0x03, 69, 50, 0x1f },
};

static void smart_checksum(uint8_t *data)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < SECTOR - 1; i++) {
        sum = (uint8_t)(sum + data[i]);
    }
    data[SECTOR - 1] = (uint8_t)-sum;
}

static void smart_data(uint8_t *out, bool thresholds)
{
    memset(out, 0, SECTOR);
    out[0] = 1; /* revision */
    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
        uint8_t *p = out + 2 + i * 12;
        p[0] = attributes[i].id;
        if (thresholds) {
            p[1] = attributes[i].threshold;
        } else {
            p[1] = attributes[i].flags;
            p[3] = p[4] = attributes[i].value;
            stle32(p + 5, attributes[i].raw);
        }
    }
    if (!thresholds) {
        out[362] = 2;               /* off-line collection completed */
        stle16(out + 364, 288);     /* seconds it takes */
        out[367] = 1 << 4 | 1 << 3 | 1; /* self tests, off-line read scan, execute off-line immediate */
        stle16(out + 368, 3);
        out[370] = 1;               /* error log */
        out[372] = 2;
        out[373] = 54;
    }
    smart_checksum(out);
}

/* False: there is no such log. */
static bool smart_log(uint8_t *out, uint8_t log)
{
    memset(out, 0, SECTOR);
    switch (log) {
    case 0:
        out[0] = 1;
        out[2] = 1;                 /* summary error log: one sector */
        out[12] = 1;                /* self-test log */
        return true;
    case 1: case 6:
        out[0] = 1;
        smart_checksum(out);
        return true;
    default:
        return false;
    }
}

void ide_smart(IdeDrive *d)
{
    if (d->reg.mid != 0x4f || d->reg.high != 0xc2 || (!d->smart && d->reg.feature != SMART_ENABLE)) {
        ide_finish(d, ATA_ABRT);
        return;
    }
    switch (d->reg.feature) {
    case SMART_ENABLE: case SMART_DISABLE:
        d->smart = d->reg.feature == SMART_ENABLE;
        break;
    case SMART_STATUS:              /* the signature stays as it is: no threshold exceeded */
    case SMART_AUTOSAVE: case SMART_OFFLINE:
        break;
    case SMART_READ_DATA: case SMART_READ_THRESHOLDS:
        smart_data(d->buf, d->reg.feature == SMART_READ_THRESHOLDS);
        ide_start_data(d, PIO_REPLY, d->buf, SECTOR, false);
        return;
    case SMART_READ_LOG:
        if (d->reg.nsector == 1 && smart_log(d->buf, d->reg.low)) {
            ide_start_data(d, PIO_REPLY, d->buf, SECTOR, false);
            return;
        }
        ide_finish(d, ATA_ABRT);
        return;
    default:
        ide_finish(d, ATA_ABRT);
        return;
    }
    ide_finish(d, 0);
}
