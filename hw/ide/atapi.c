/*
 * atapi.c: the PACKET command: a SCSI unit behind an ATA interface.
 *
 * Specification: ATA/ATAPI-7 volume 1, 6.24 (PACKET); volume 2, 9.9 and 9.10 (protocols).
 */
#include "hw/ide/internal.h"

static void packet_error(IdeDrive *d, ScsiSense s)
{
    d->reg.nsector = ATAPI_IO | ATAPI_CD;
    ide_finish(d, (uint8_t)(s.key << 4 | (s.key == SENSE_ILLEGAL_REQUEST || s.key == SENSE_ABORTED_COMMAND ? ATA_ABRT : 0)));
}

/* The next part of the packet's buffer, no longer than the byte count the host gave (6.24.4). */
static void next_piece(IdeDrive *d)
{
    /* A controller that moves data itself takes all at once. */
    uint32_t limit = d->channel->host->pio ? UINT32_MAX : d->chunk, len = MIN(d->atapi_bytes - d->atapi_at, limit);

    d->reg.mid = (uint8_t)len;
    d->reg.high = (uint8_t)(len >> 8);
    d->reg.nsector = d->packet.to_device ? 0 : ATAPI_IO;
    ide_start_data(d, PIO_ATAPI, d->data + d->atapi_at, len, d->packet.to_device);
}

static void packet_data(ScsiRequest *req, uint8_t *buf, uint32_t len)
{
    IdeDrive *d = req->opaque;

    if (d->drop) { /* ide_cancel() aborts it */
        return;
    }
    d->data = buf;
    d->atapi_at = 0;
    d->atapi_bytes = len;
    if (d->packet_dma) {
        ide_dma_want(d, DMA_ATAPI);
        d->to_device = req->to_device;
    } else {
        next_piece(d);
    }
}

void ide_atapi_data_done(IdeDrive *d)
{
    uint8_t *buf = d->packet.buf;

    d->atapi_at += d->data_bytes;
    d->data = buf;
    if (d->atapi_at < d->atapi_bytes) {
        next_piece(d);
        return;
    }
    d->status = ATA_DRDY | ATA_DSC | ATA_BSY;
    scsi_continue(&d->packet);
}

void ide_atapi_dma(IdeDrive *d)
{
    const IdeHost *host = d->channel->host;
    AddressSpace *as = host->dma_space(d->channel);
    DmaList list = { 0 };

    host->dma_list(d->channel, &list, d->atapi_bytes);
    uint64_t want = MIN(list.bytes, d->atapi_bytes);
    bool short_list = list.bytes < d->atapi_bytes, to_device = d->packet.to_device;
    uint64_t got = to_device ? dma_list_read(as, &list, 0, d->data, want) : dma_list_write(as, &list, 0, d->data, want);
    dma_list_finish(&list);
    if (got < want || short_list) {
        scsi_abort(&d->packet);
        d->packet_active = false;
        host->dma_end(d->channel, short_list && got == want, got < want);
        packet_error(d, (ScsiSense){ SENSE_ABORTED_COMMAND, 0, 0 });
        return;
    }
    scsi_continue(&d->packet);
}

static void packet_complete(ScsiRequest *req)
{
    IdeDrive *d = req->opaque;

    d->packet_active = false;
    if (d->drop) {
        return;
    }
    if (d->packet_dma && d->dma == DMA_ATAPI) {
        d->channel->host->dma_end(d->channel, false, false);
    }
    if (req->status != SCSI_GOOD) {
        packet_error(d, (ScsiSense){ req->sense[2] & 15, req->sense[12], req->sense[13] });
        return;
    }
    d->reg.nsector = ATAPI_IO | ATAPI_CD;
    ide_finish(d, 0);
}

static const ScsiRequestOps packet_ops = { .data = packet_data, .complete = packet_complete };

void ide_packet(IdeDrive *d)
{
    d->packet_dma = d->reg.feature & 1;
    d->chunk = d->reg.mid | (uint32_t)d->reg.high << 8;
    /* 6.24.4: an odd limit is one less, except for the last piece; zero has no meaning and is taken as the most. */
    d->chunk = d->chunk == 0xffff ? 0xfffe : d->chunk ? d->chunk & ~1u : 0xfffe;
    d->chunk = d->chunk ? d->chunk : 0xfffe;
    if (d->reg.feature & 2) { /* overlapped */
        ide_finish(d, ATA_ABRT);
        return;
    }
    d->reg.nsector = ATAPI_CD;
    ide_start_data(d, PIO_PACKET, d->buf, PACKET_BYTES, true);
}

void ide_packet_cdb(IdeDrive *d)
{
    ScsiRequest *req = &d->packet;

    d->status = ATA_DRDY | ATA_DSC | ATA_BSY;
    memset(req, 0, sizeof(*req));
    memcpy(req->cdb, d->buf, PACKET_BYTES);
    req->ops = &packet_ops;
    req->opaque = d;
    d->packet_active = true;
    scsi_parse(&d->scsi, req);
    scsi_start(&d->scsi, req);
}

/* Requests of the medium have ended. */
void ide_atapi_cancel(IdeDrive *d)
{
    if (d->packet_active) {
        scsi_abort(&d->packet);
        d->packet_active = false;
    }
}
