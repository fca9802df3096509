/*
 * fdc-data.c: the execution phase: sectors between a drive and memory (DMA) or the data register (programmed I/O).
 *
 * Specification: 82077AA data sheet, 5.2 (execution phase), 6.1 (data transfer commands). A sector is 512 bytes. Images are small
 * and in the host's page cache: sectors are read and written at once.
 */
#include "hw/block/fdc.h"

/* 6.1: the seven result bytes. */
static void finish(Fdc *s, uint8_t st0, uint8_t st1, uint8_t st2)
{
    FloppyDrive *d = fdc_selected(s);

    if (s->use_dma && s->dma) {
        s->dma->release_dreq(s->dma_controller, s->dma_n);
    }
    s->transfer = FDC_NONE;
    s->fifo[0] = (uint8_t)(st0 | (d ? d->head << 2 : 0) | (s->dor & 3));
    s->fifo[1] = st1;
    s->fifo[2] = st2;
    s->fifo[3] = (uint8_t)(d ? d->track + s->past_end : 0);
    s->fifo[4] = d ? d->head : 0;
    s->fifo[5] = d ? d->sector : 0;
    s->fifo[6] = 2;
    fdc_result(s, 7);
    fdc_raise(s);
}

/* Goes to the next sector as table 6-4 says; false: that was the last of the transfer. */
static bool next_sector(Fdc *s, FloppyDrive *d)
{
    if (d->sector < s->eot && d->sector < d->sectors) {
        d->sector++;
        return true;
    }
    d->sector = 1;
    if (s->multi_track && d->head == 0 && d->heads > 1) {
        d->head = 1;
        return true;
    }
    if (s->multi_track) {
        d->head = 0;
    }
    s->past_end = true; /* the result names the next track; the head has not moved */
    return false;
}

static bool load_sector(Fdc *s, FloppyDrive *d)
{
    int64_t at = floppy_offset(d, d->track, d->head, d->sector);

    return at >= 0 && !block_pread(d->conf.blk, (uint64_t)at, s->data, FDC_SECTOR);
}

static bool store_sector(Fdc *s, FloppyDrive *d)
{
    int64_t at = floppy_offset(d, d->track, d->head, d->sector);

    return at >= 0 && !block_pwrite(d->conf.blk, (uint64_t)at, s->data, FDC_SECTOR);
}

/* 6.1.8: compares the sector with what the host sends; FFh matches anything. */
static void scan_bytes(Fdc *s, const uint8_t *host, unsigned at, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint8_t disk = s->data[at + i];
        if (host[i] != disk && host[i] != 0xff && disk != 0xff) {
            s->scan_equal = false;
            if ((s->scan_kind == 1 && disk > host[i]) || (s->scan_kind == 2 && disk < host[i]) || s->scan_kind == 0) {
                s->st2 |= ST2_SCAN_UNSATISFIED;
            }
        }
    }
}

/* What a sector is for, at its end. False: the transfer has ended with an error. */
static bool end_of_sector(Fdc *s, FloppyDrive *d)
{
    if (s->transfer == FDC_WRITE && !store_sector(s, d)) {
        finish(s, ST0_ABNORMAL, ST1_DATA_ERROR, 0);
        return false;
    }
    s->data_at = 0;
    s->data_valid = false;
    return true;
}

static bool begin_sector(Fdc *s, FloppyDrive *d)
{
    if (s->data_valid || s->transfer == FDC_WRITE) {
        return true;
    }
    if (!load_sector(s, d)) {
        finish(s, ST0_ABNORMAL, floppy_offset(d, d->track, d->head, d->sector) < 0 ? ST1_NO_DATA : ST1_DATA_ERROR, 0);
        return false;
    }
    s->data_valid = true;
    return true;
}

/* FORMAT TRACK: four bytes for each sector; the address they give is the sector filled. */
static bool format_id(Fdc *s, FloppyDrive *d)
{
    const uint8_t *id = s->data;
    uint8_t fill[FDC_SECTOR];
    int64_t at = floppy_offset(d, d->track, d->head, id[2]);

    memset(fill, s->filler, sizeof(fill));
    s->data_at = 0;
    d->sector = id[2];
    if (id[0] != d->track || id[1] != d->head || id[3] != 2 || at < 0 || block_pwrite(d->conf.blk, (uint64_t)at, fill, sizeof(fill))) {
        finish(s, ST0_ABNORMAL, ST1_MISSING_MARK, 0);
        return false;
    }
    if (!--s->format_left) {
        finish(s, 0, 0, 0);
        return false;
    }
    return true;
}

static uint32_t dma_format(Fdc *s, FloppyDrive *d, unsigned channel, uint32_t pos, uint32_t len)
{
    while (pos < len) {
        uint32_t part = MIN(4u - s->data_at, len - pos);
        s->dma->read_memory(s->dma_controller, channel, s->data + s->data_at, pos, part);
        s->data_at = (uint16_t)(s->data_at + part);
        pos += part;
        if (s->data_at == 4 && !format_id(s, d)) {
            return pos;
        }
    }
    finish(s, 0, 0, 0); /* terminal count */
    return pos;
}

uint32_t fdc_dma_transfer(void *opaque, unsigned channel, uint32_t pos, uint32_t len)
{
    Fdc *s = opaque;
    FloppyDrive *d = fdc_selected(s);

    if (s->phase != FDC_EXECUTION || !s->use_dma || !d) {
        return pos;
    }
    if (s->transfer == FDC_FORMAT) {
        return dma_format(s, d, channel, pos, len);
    }
    while (pos < len) {
        if (!begin_sector(s, d)) {
            return pos;
        }
        uint32_t part = MIN((uint32_t)FDC_SECTOR - s->data_at, len - pos);
        uint8_t host[FDC_SECTOR];
        if (s->transfer == FDC_READ) {
            s->dma->write_memory(s->dma_controller, channel, s->data + s->data_at, pos, part);
        } else if (s->transfer == FDC_WRITE) {
            s->dma->read_memory(s->dma_controller, channel, s->data + s->data_at, pos, part);
        } else if (s->transfer == FDC_SCAN) {
            s->dma->read_memory(s->dma_controller, channel, host, pos, part);
            scan_bytes(s, host, s->data_at, part);
        }
        s->data_at = (uint16_t)(s->data_at + part);
        pos += part;
        if (s->data_at < FDC_SECTOR) {
            break;
        }
        if (!end_of_sector(s, d)) {
            return pos;
        }
        bool more = next_sector(s, d);
        if (s->transfer == FDC_SCAN && !(s->st2 & ST2_SCAN_UNSATISFIED)) { /* found */
            finish(s, 0, 0, s->scan_equal ? ST2_SCAN_EQUAL : 0);
            return pos;
        }
        if (s->transfer == FDC_SCAN && more) {
            s->st2 = 0;
            s->scan_equal = true;
        }
        if (!more && pos < len) {
            finish(s, ST0_ABNORMAL, ST1_END_OF_TRACK, s->st2);
            return pos;
        }
    }
    /* Terminal count. The rest of a sector written in part is zeros (6.1.3). */
    if (s->transfer == FDC_WRITE && s->data_at) {
        memset(s->data + s->data_at, 0, FDC_SECTOR - s->data_at);
        if (!end_of_sector(s, d)) {
            return pos;
        }
        next_sector(s, d);
    }
    finish(s, 0, 0, s->st2);
    return pos;
}

/* -- programmed I/O: no terminal count, the transfer ends with the track --------------------------------------------------------- */

uint8_t fdc_data_read(Fdc *s)
{
    FloppyDrive *d = fdc_selected(s);

    if (!d || s->use_dma || s->transfer != FDC_READ || !begin_sector(s, d)) {
        return 0;
    }
    uint8_t value = s->data[s->data_at++];
    if (s->data_at == FDC_SECTOR && end_of_sector(s, d) && !next_sector(s, d)) {
        finish(s, ST0_ABNORMAL, ST1_END_OF_TRACK, 0);
    }
    return value;
}

void fdc_data_write(Fdc *s, uint8_t value)
{
    FloppyDrive *d = fdc_selected(s);

    if (!d || s->use_dma || s->transfer == FDC_READ || s->transfer == FDC_VERIFY) {
        return;
    }
    if (s->transfer == FDC_FORMAT) {
        s->data[s->data_at++] = value;
        if (s->data_at == 4) {
            format_id(s, d);
        }
        return;
    }
    if (!begin_sector(s, d)) {
        return;
    }
    if (s->transfer == FDC_SCAN) {
        scan_bytes(s, &value, s->data_at, 1);
    } else {
        s->data[s->data_at] = value;
    }
    s->data_at++;
    if (s->data_at == FDC_SECTOR && end_of_sector(s, d) && !next_sector(s, d)) {
        finish(s, ST0_ABNORMAL, ST1_END_OF_TRACK, s->st2);
    }
}

/* -- the start ---------------------------------------------------------------------------------------------------------------------- */

/* VERIFY moves nothing: all sectors up to the end of the track, or as many as SC says. */
static void verify(Fdc *s, FloppyDrive *d, bool enable_count, unsigned count)
{
    for (;;) {
        if (!begin_sector(s, d) || !end_of_sector(s, d)) {
            return;
        }
        bool more = next_sector(s, d);
        if (enable_count && !--count) {
            finish(s, 0, 0, 0);
            return;
        }
        if (!more) {
            finish(s, enable_count ? ST0_ABNORMAL : 0, enable_count ? ST1_END_OF_TRACK : 0, 0);
            return;
        }
    }
}

/* What stands in the way of any data transfer; false: ended. */
static bool check_drive(Fdc *s, FloppyDrive *d, bool writes)
{
    if (!d || !floppy_ready(d) || d->rate != (s->dsr & 3)) {
        finish(s, ST0_ABNORMAL, ST1_MISSING_MARK, 0); /* nothing readable turns under the head */
        return false;
    }
    if (writes && floppy_read_only(d)) {
        finish(s, ST0_ABNORMAL, ST1_NOT_WRITABLE, 0);
        return false;
    }
    return true;
}

static void begin(Fdc *s, FdcTransfer kind)
{
    s->transfer = kind;
    s->phase = FDC_EXECUTION;
    s->data_at = 0;
    s->data_valid = false;
    s->st1 = s->st2 = 0;
    s->scan_equal = true;
    s->past_end = false;
    s->use_dma = !s->non_dma && s->dma && (s->dor & 8);
}

static void run(Fdc *s)
{
    if (s->use_dma) {
        s->dma->hold_dreq(s->dma_controller, s->dma_n);
    } else {
        fdc_raise(s); /* the first byte is wanted or there */
    }
}

/* fifo: command, head and drive, C, H, R, N, EOT, GPL, DTL. */
void fdc_start_transfer(Fdc *s, FdcTransfer kind)
{
    const uint8_t *p = s->fifo;
    FloppyDrive *d = fdc_drive(s, p[1] & 3);
    uint8_t c = p[2], h = p[3], r = p[4], n = p[5];
    bool enable_count = kind == FDC_VERIFY && p[1] & 0x80, read_track = (p[0] & 0x1f) == 2;

    s->dor = (uint8_t)((s->dor & ~3) | (p[1] & 3));
    s->command = p[0];
    s->eot = p[6];
    s->multi_track = p[0] & 0x80;
    begin(s, kind);
    s->use_dma = s->use_dma && kind != FDC_VERIFY;
    if (!check_drive(s, d, kind == FDC_WRITE)) {
        return;
    }
    d->head = p[1] >> 2 & 1;
    if (s->configure & 0x40 && c != d->track && c < d->cyls) { /* implied seek */
        d->track = c;
        d->changed = false;
    }
    if (c != d->track) {
        finish(s, ST0_ABNORMAL, ST1_NO_DATA, ST2_WRONG_TRACK);
        return;
    }
    d->sector = read_track ? 1 : r;
    if (h != d->head || n != 2 || floppy_offset(d, d->track, d->head, d->sector) < 0) {
        finish(s, ST0_ABNORMAL, ST1_NO_DATA, 0);
        return;
    }
    if (kind == FDC_VERIFY) {
        verify(s, d, enable_count, p[8] ? p[8] : 256);
        return;
    }
    run(s);
}

/* fifo: command, head and drive, N, sectors, gap, filler. */
void fdc_start_format(Fdc *s)
{
    const uint8_t *p = s->fifo;
    FloppyDrive *d = fdc_drive(s, p[1] & 3);

    s->dor = (uint8_t)((s->dor & ~3) | (p[1] & 3));
    s->command = p[0];
    s->filler = p[5];
    s->format_left = p[3];
    s->last_sc = p[3];
    begin(s, FDC_FORMAT);
    if (!check_drive(s, d, true)) {
        return;
    }
    d->head = p[1] >> 2 & 1;
    if (p[2] != 2 || !p[3] || d->head >= d->heads || d->track >= d->cyls) {
        finish(s, ST0_ABNORMAL, ST1_MISSING_MARK, 0);
        return;
    }
    run(s);
}
