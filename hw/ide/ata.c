/*
 * ata.c: ATA commands: reading and writing sectors by programmed I/O and DMA, and everything small.
 *
 * Specification: ATA/ATAPI-7 volume 1, 6 (commands); ACS-2, 7.10 (DATA SET MANAGEMENT). Leaves out: security, host
 * protected area, streaming, device configuration overlay, the queued commands before NCQ. NCQ is the AHCI controller's.
 */
#include <errno.h>

#include "hw/ide/internal.h"

uint64_t ide_sectors(const IdeDrive *d)
{
    return d->conf.blk ? block_size_bytes(d->conf.blk) / SECTOR : 0;
}

/* -- addresses ------------------------------------------------------------------------------------------------------------ */

static uint64_t address_of(const IdeDrive *d, bool *ret_ok)
{
    const IdeTaskFile *r = &d->reg, *h = &d->hob;

    *ret_ok = true;
    if (d->lba48) {
        return r->low | (uint64_t)r->mid << 8 | (uint64_t)r->high << 16 | (uint64_t)h->low << 24 | (uint64_t)h->mid << 32 |
               (uint64_t)h->high << 40;
    }
    if (d->select & ATA_DEV_LBA) {
        return r->low | (uint64_t)r->mid << 8 | (uint64_t)r->high << 16 | (uint64_t)(d->select & 15) << 24;
    }
    uint64_t cyl = r->mid | (uint64_t)r->high << 8;
    *ret_ok = r->low && r->low <= d->cur_secs && (unsigned)(d->select & 15) < d->cur_heads;
    return (cyl * d->cur_heads + (d->select & 15)) * d->cur_secs + r->low - 1;
}

static void set_address(IdeDrive *d, uint64_t lba)
{
    IdeTaskFile *r = &d->reg, *h = &d->hob;

    if (d->lba48 || (d->select & ATA_DEV_LBA)) {
        r->low = (uint8_t)lba;
        r->mid = (uint8_t)(lba >> 8);
        r->high = (uint8_t)(lba >> 16);
        if (d->lba48) {
            h->low = (uint8_t)(lba >> 24);
            h->mid = (uint8_t)(lba >> 32);
            h->high = (uint8_t)(lba >> 40);
        } else {
            d->select = (uint8_t)((d->select & 0xf0) | (lba >> 24 & 15));
        }
        return;
    }
    uint64_t track = lba / d->cur_secs, cyl = track / d->cur_heads;
    r->low = (uint8_t)(lba % d->cur_secs + 1);
    r->mid = (uint8_t)cyl;
    r->high = (uint8_t)(cyl >> 8);
    d->select = (uint8_t)((d->select & 0xf0) | track % d->cur_heads);
}

static uint32_t count_of(const IdeDrive *d)
{
    uint32_t n = d->lba48 ? d->reg.nsector | (uint32_t)d->hob.nsector << 8 : d->reg.nsector;
    return n ? n : d->lba48 ? 65536 : 256;
}

/* Takes address and count from the registers; false: the command has ended. */
static bool take_address(IdeDrive *d)
{
    bool ok;
    uint64_t total = ide_sectors(d);

    d->lba = address_of(d, &ok);
    d->left = count_of(d);
    if (!ok || d->lba > total || d->left > total - d->lba) {
        ide_finish(d, ATA_IDNF);
        return false;
    }
    return true;
}

/* -- what can go wrong ------------------------------------------------------------------------------------------------------ */

static void fail(IdeDrive *d, bool is_write, uint64_t lba)
{
    set_address(d, lba);
    ide_finish(d, is_write ? ATA_ABRT : ATA_UNC);
}

static unsigned write_flags(const IdeDrive *d)
{
    bool fua = d->command == CMD_WRITE_DMA_FUA_EXT || d->command == CMD_WRITE_MULTIPLE_FUA_EXT;
    return fua || !d->write_cache ? BLOCK_FUA : 0;
}

/* -- programmed I/O ------------------------------------------------------------------------------------------------------------ */

static void read_done(void *opaque, int result)
{
    IdeDrive *d = opaque;

    if (d->drop) {
        return;
    }
    if (result) {
        fail(d, false, d->lba);
        return;
    }
    d->lba += d->chunk;
    d->left -= d->chunk;
    ide_start_data(d, PIO_READ, d->buf, d->chunk * SECTOR, false);
}

static void read_block(IdeDrive *d)
{
    d->status = ATA_DRDY | ATA_DSC | ATA_BSY;
    d->chunk = (uint32_t)MIN(d->left, d->block);
    d->iov = (struct iovec){ d->buf, d->chunk * SECTOR };
    block_readv(d->conf.blk, d->lba * SECTOR, &d->iov, 1, read_done, d);
}

static void write_block(IdeDrive *d)
{
    d->chunk = (uint32_t)MIN(d->left, d->block);
    ide_start_data(d, PIO_WRITE, d->buf, d->chunk * SECTOR, true);
}

static void write_done(void *opaque, int result)
{
    IdeDrive *d = opaque;

    if (d->drop) {
        return;
    }
    if (result) {
        fail(d, true, d->lba);
        return;
    }
    d->lba += d->chunk;
    d->left -= d->chunk;
    if (d->left) {
        write_block(d);
    } else {
        set_address(d, d->lba - 1);
        d->reg.nsector = 0;
        ide_finish(d, 0);
    }
}

static void trim_start(IdeDrive *d);

void ide_data_done(IdeDrive *d)
{
    IdePio kind = d->pio;

    d->pio = PIO_NONE;
    switch (kind) {
    case PIO_READ:
        if (d->left) {
            read_block(d);
            return;
        }
        /* The interrupt of the last block was the end of the command for the guest. */
        set_address(d, d->lba - 1);
        d->reg.nsector = 0;
        d->status = ATA_DRDY | ATA_DSC;
        if (d->channel->host->command_done) {
            d->channel->host->command_done(d->channel);
        }
        return;
    case PIO_REPLY:
        d->status = ATA_DRDY | ATA_DSC;
        if (d->channel->host->command_done) {
            d->channel->host->command_done(d->channel);
        }
        return;
    case PIO_WRITE:
        d->status = ATA_DRDY | ATA_DSC | ATA_BSY;
        d->iov = (struct iovec){ d->buf, d->chunk * SECTOR };
        block_writev(d->conf.blk, d->lba * SECTOR, &d->iov, 1, write_flags(d), write_done, d);
        return;
    case PIO_PACKET:
        ide_packet_cdb(d);
        return;
    case PIO_ATAPI:
        ide_atapi_data_done(d);
        return;
    default:
        return;
    }
}

static void reply(IdeDrive *d)
{
    ide_start_data(d, PIO_REPLY, d->buf, SECTOR, false);
}

/* -- DMA ------------------------------------------------------------------------------------------------------------------------- */

void ide_dma_want(IdeDrive *d, IdeDma kind)
{
    d->dma = kind;
    d->to_device = kind != DMA_READ;
    d->status = ATA_DRDY | ATA_DSC | ATA_BSY;
    d->dma_waits = true;
    d->channel->host->dma_ready(d->channel);
}

static void dma_done(void *opaque, int result)
{
    IdeDrive *d = opaque;
    bool is_write = d->dma == DMA_WRITE;

    if (d->drop) {
        return;
    }
    if (result) {
        d->channel->host->dma_end(d->channel, false, result == -EFAULT);
        fail(d, is_write, d->lba);
        return;
    }
    d->lba += d->chunk;
    d->left -= d->chunk;
    if (d->left) {
        ide_dma_run(d);
        return;
    }
    set_address(d, d->lba - 1);
    d->reg.nsector = 0;
    d->channel->host->dma_end(d->channel, false, false);
    ide_finish(d, 0);
}

/* The list ended before the drive did. 82371SB data sheet, 2.8.2: neither active nor interrupt; the drive waits for the
 * host to give up, with a reset. */
static void dma_short(IdeDrive *d)
{
    d->dma_waits = false;
    d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
    d->channel->host->dma_end(d->channel, true, false);
    if (d->channel->host->pio) { /* a controller that runs the command itself sees it fail */
        ide_finish(d, ATA_ABRT);
    }
}

static void trim_dma(IdeDrive *d)
{
    const IdeHost *host = d->channel->host;
    DmaList list = { 0 };

    host->dma_list(d->channel, &list, d->trim_bytes);
    uint64_t got = dma_list_read(host->dma_space(d->channel), &list, 0, d->trim, d->trim_bytes);
    bool short_list = list.bytes < d->trim_bytes;
    dma_list_finish(&list);
    if (short_list) {
        dma_short(d);
    } else if (got < d->trim_bytes) {
        host->dma_end(d->channel, false, true);
        ide_finish(d, ATA_ABRT);
    } else {
        trim_start(d);
    }
}

void ide_dma_run(IdeDrive *d)
{
    const IdeHost *host = d->channel->host;
    DmaList list = { 0 };

    d->dma_waits = false;
    if (d->dma == DMA_ATAPI) {
        ide_atapi_dma(d);
        return;
    }
    if (d->dma == DMA_TRIM) {
        trim_dma(d);
        return;
    }
    uint64_t want = d->left * SECTOR;
    host->dma_list(d->channel, &list, want);
    if (list.bytes < want) {
        /* What there is of whole sectors still moves. */
        dma_list_finish(&list);
        dma_short(d);
        return;
    }
    d->chunk = (uint32_t)d->left;
    dma_block_rw(host->dma_space(d->channel), &list, d->conf.blk, d->dma == DMA_WRITE, d->lba * SECTOR, write_flags(d), dma_done, d);
}

/* -- TRIM -------------------------------------------------------------------------------------------------------------------------- */

static void trim_done(void *opaque, int result)
{
    IdeDrive *d = opaque;

    if (d->drop) {
        return;
    }
    while (!result && d->trim_at < d->trim_bytes) {
        uint64_t entry = ldle64(d->trim + d->trim_at), lba = entry & 0xffffffffffff, n = entry >> 48;
        d->trim_at += 8;
        if (!n) {
            continue;
        }
        if (lba > ide_sectors(d) || n > ide_sectors(d) - lba) {
            result = -EINVAL;
            break;
        }
        block_discard(d->conf.blk, lba * SECTOR, n * SECTOR, trim_done, d);
        return;
    }
    free(d->trim);
    d->trim = NULL;
    d->channel->host->dma_end(d->channel, false, false);
    ide_finish(d, result ? ATA_ABRT : 0);
}

static void trim_start(IdeDrive *d)
{
    d->trim_at = 0;
    trim_done(d, 0);
}

static void data_set_management(IdeDrive *d)
{
    d->lba48 = true;
    if (!(d->reg.feature & 1) || block_is_readonly(d->conf.blk) || count_of(d) > IDE_TRIM_SECTORS) {
        ide_finish(d, ATA_ABRT);
        return;
    }
    d->trim_bytes = count_of(d) * SECTOR;
    free(d->trim);
    d->trim = xmalloc(d->trim_bytes);
    ide_dma_want(d, DMA_TRIM);
}

/* -- the rest ------------------------------------------------------------------------------------------------------------------------ */

static void flush_done(void *opaque, int result)
{
    IdeDrive *d = opaque;

    if (!d->drop) {
        ide_finish(d, result ? ATA_ABRT : 0);
    }
}

static void flush(IdeDrive *d)
{
    d->status = ATA_DRDY | ATA_DSC | ATA_BSY;
    block_flush(d->conf.blk, flush_done, d);
}

/* 6.49 */
static void set_features(IdeDrive *d)
{
    uint8_t mode = d->reg.nsector;

    switch (d->reg.feature) {
    case 0x02:
        d->write_cache = true;
        break;
    case 0x82:
        d->write_cache = false;
        if (!d->is_cd) {
            flush(d);
            return;
        }
        break;
    case 0x03:
        /* PIO default, PIO with flow control, single and multi word DMA, Ultra DMA 0 to 5 */
        if (mode >> 3 > 8 || (mode >> 3 == 8 && (mode & 7) > 5) || ((mode >> 3 == 2 || mode >> 3 == 4) && (mode & 7) > 2) ||
            (mode >> 3 == 1 && (mode & 7) > 4) || mode >> 3 == 3 || (mode >> 3 > 4 && mode >> 3 < 8)) {
            ide_finish(d, ATA_ABRT);
            return;
        }
        if (mode >= 0x10) {
            d->dma_mode = mode;
        }
        break;
    case 0x05: case 0x85: case 0x42: case 0xc2:  /* power and noise: nothing to manage */
    case 0x55: case 0xaa: case 0x66: case 0xcc:  /* look-ahead; defaults after reset */
    case 0x5d: case 0xdd:
        break;
    default:
        ide_finish(d, ATA_ABRT);
        return;
    }
    ide_finish(d, 0);
}

static void verify(IdeDrive *d, bool lba48)
{
    d->lba48 = lba48;
    if (take_address(d)) {
        set_address(d, d->lba + d->left - 1);
        ide_finish(d, 0);
    }
}

static void native_max(IdeDrive *d, bool lba48)
{
    d->lba48 = lba48;
    uint64_t last = ide_sectors(d) - 1;
    d->select |= ATA_DEV_LBA;
    set_address(d, lba48 ? last : MIN(last, 0xfffffff));
    ide_finish(d, 0);
}

static void read_sectors(IdeDrive *d, bool lba48, bool multiple)
{
    d->lba48 = lba48;
    if (multiple && !d->multiple) {
        ide_finish(d, ATA_ABRT);
    } else if (take_address(d)) {
        d->block = multiple ? d->multiple : 1;
        /* The controller moves whole buffers at once. */
        d->block = d->channel->host->pio ? IDE_MULT_MAX : d->block;
        read_block(d);
    }
}

static void write_sectors(IdeDrive *d, bool lba48, bool multiple)
{
    d->lba48 = lba48;
    if ((multiple && !d->multiple) || block_is_readonly(d->conf.blk)) {
        ide_finish(d, ATA_ABRT);
    } else if (take_address(d)) {
        d->block = multiple ? d->multiple : 1;
        d->block = d->channel->host->pio ? IDE_MULT_MAX : d->block;
        write_block(d);
    }
}

static void rw_dma(IdeDrive *d, bool lba48, bool is_write)
{
    d->lba48 = lba48;
    if (is_write && block_is_readonly(d->conf.blk)) {
        ide_finish(d, ATA_ABRT);
    } else if (take_address(d)) {
        ide_dma_want(d, is_write ? DMA_WRITE : DMA_READ);
    }
}

static void diagnostic(IdeChannel *ch)
{
    ch->selected = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (ch->drives[i]) {
            ide_cancel(ch->drives[i]);
            ide_set_signature(ch->drives[i]);
        }
    }
    if (ch->drives[0]) {
        ch->drives[0]->irq_pending = true;
        ch->host->set_irq(ch, !(ch->control & ATA_NIEN));
    }
    if (ch->host->command_done) {
        ch->host->command_done(ch);
    }
}

/* Commands of both kinds of drives; false: not one of them. */
static bool execute_common(IdeDrive *d, uint8_t command)
{
    switch (command) {
    case CMD_DIAGNOSTIC:
        diagnostic(d->channel);
        return true;
    case CMD_SET_FEATURES:
        set_features(d);
        return true;
    case CMD_STANDBY_NOW: case CMD_IDLE_NOW: case CMD_STANDBY: case CMD_IDLE: case CMD_SLEEP:
    case 0x94: case 0x95: case 0x96: case 0x97: case 0x99: /* the same, of ATA-1 */
        ide_finish(d, 0);
        return true;
    case CMD_CHECK_POWER: case 0x98:
        d->reg.nsector = 0xff; /* active or idle */
        ide_finish(d, 0);
        return true;
    default:
        return false;
    }
}

static void execute_packet_device(IdeDrive *d, uint8_t command)
{
    switch (command) {
    case CMD_DEVICE_RESET:
        ide_cancel(d);
        ide_set_signature(d);
        if (d->channel->host->command_done) {
            d->channel->host->command_done(d->channel);
        }
        break;
    case CMD_PACKET:
        ide_packet(d);
        break;
    case CMD_IDENTIFY_PACKET:
        ide_identify_packet(d, d->buf);
        reply(d);
        break;
    case CMD_IDENTIFY: case CMD_READ: /* 6.16.5.2: the signature tells what it is */
        ide_set_signature(d);
        ide_finish(d, ATA_ABRT);
        break;
    default:
        ide_finish(d, ATA_ABRT);
        break;
    }
}

static void execute_disk(IdeDrive *d, uint8_t command)
{
    switch (command) {
    case CMD_READ: case CMD_READ_ONCE: read_sectors(d, false, false); break;
    case CMD_READ_EXT: read_sectors(d, true, false); break;
    case CMD_READ_MULTIPLE: read_sectors(d, false, true); break;
    case CMD_READ_MULTIPLE_EXT: read_sectors(d, true, true); break;
    case CMD_WRITE: case CMD_WRITE_ONCE: write_sectors(d, false, false); break;
    case CMD_WRITE_EXT: write_sectors(d, true, false); break;
    case CMD_WRITE_MULTIPLE: write_sectors(d, false, true); break;
    case CMD_WRITE_MULTIPLE_EXT: case CMD_WRITE_MULTIPLE_FUA_EXT: write_sectors(d, true, true); break;
    case CMD_READ_DMA: case CMD_READ_DMA_ONCE: rw_dma(d, false, false); break;
    case CMD_READ_DMA_EXT: rw_dma(d, true, false); break;
    case CMD_WRITE_DMA: case CMD_WRITE_DMA_ONCE: rw_dma(d, false, true); break;
    case CMD_WRITE_DMA_EXT: case CMD_WRITE_DMA_FUA_EXT: rw_dma(d, true, true); break;
    case CMD_VERIFY: case CMD_VERIFY_ONCE: verify(d, false); break;
    case CMD_VERIFY_EXT: verify(d, true); break;
    case CMD_READ_NATIVE_MAX: native_max(d, false); break;
    case CMD_READ_NATIVE_MAX_EXT: native_max(d, true); break;
    case CMD_DATA_SET_MANAGEMENT: data_set_management(d); break;
    case CMD_SMART: ide_smart(d); break;
    case CMD_FLUSH: case CMD_FLUSH_EXT: flush(d); break;
    case CMD_IDENTIFY:
        ide_identify(d, d->buf);
        reply(d);
        break;
    case CMD_SET_MULTIPLE:
        if (d->reg.nsector > IDE_MULT_MAX || (d->reg.nsector && !bits_is_pow2(d->reg.nsector))) {
            ide_finish(d, ATA_ABRT);
        } else {
            d->multiple = d->reg.nsector;
            ide_finish(d, 0);
        }
        break;
    case CMD_INIT_PARAMETERS:
        if (!d->reg.nsector) {
            ide_finish(d, ATA_ABRT);
        } else {
            d->cur_secs = d->reg.nsector;
            d->cur_heads = (d->select & 15) + 1u;
            ide_finish(d, 0);
        }
        break;
    default:
        if ((command & 0xf0) == CMD_RECALIBRATE || (command & 0xf0) == CMD_SEEK) {
            ide_finish(d, 0);
        } else {
            ide_finish(d, ATA_ABRT);
        }
        break;
    }
}

void ide_execute(IdeDrive *d, uint8_t command)
{
    d->command = command;
    d->error = 0;
    d->lba48 = false;
    d->first_block = true;
    if (execute_common(d, command)) {
        return;
    }
    if (d->is_cd) {
        execute_packet_device(d, command);
    } else {
        execute_disk(d, command);
    }
}

void ide_cancel(IdeDrive *d)
{
    d->drop = true;
    if (d->conf.blk) {
        block_drain(d->conf.blk);
    }
    ide_atapi_cancel(d);
    d->drop = false;
    free(d->trim);
    d->trim = NULL;
    d->pio = PIO_NONE;
    d->dma = DMA_NONE;
    d->dma_waits = false;
    d->irq_pending = false;
}

/* 9.12: what both kinds show after a reset. */
void ide_set_signature(IdeDrive *d)
{
    d->select = 0xa0;
    d->reg = (IdeTaskFile){ .nsector = 1, .low = 1, .mid = d->is_cd ? 0x14 : 0, .high = d->is_cd ? 0xeb : 0 };
    d->hob = (IdeTaskFile){ 0 };
    d->error = 1;
    d->status = d->is_cd ? 0 : ATA_DRDY | ATA_DSC;
}

void ide_drive_reset(IdeDrive *d)
{
    ide_cancel(d);
    d->multiple = IDE_MULT_MAX;
    d->dma_mode = 0;
    d->smart = true;
    d->write_cache = block_conf_write_cache(&d->conf);
    d->cur_heads = d->conf.heads;
    d->cur_secs = d->conf.secs;
    if (d->is_cd) {
        scsi_unit_reset(&d->scsi);
    }
    ide_set_signature(d);
}
