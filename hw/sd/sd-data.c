/*
 * sd-data.c: an SD card's data: reading ahead, collecting what is written, erasing.
 *
 * The buffer holds bytes [buffer_at, buffer_at + buffer_bytes) of the card. While reading they are what was read ahead; while writing what has
 * come in and is not yet on the medium. One request is in flight at a time, on the buffer. Who waits is told when it is through.
 */
#include "hw/sd/internal.h"

static void finish(SdCard *c, bool ok)
{
    SdDone *done = c->done;
    void *opaque = c->done_opaque;

    c->done = NULL;
    c->to = NULL;
    if (done) {
        done(opaque, ok);
    }
}

static void wait(SdCard *c, SdDone *done, void *opaque)
{
    c->done = done;
    c->done_opaque = opaque;
}

/* -- reading ------------------------------------------------------------------------------------------------------------- */

static bool buffered(const SdCard *c, uint64_t pos, uint32_t bytes)
{
    return pos >= c->buffer_at && pos - c->buffer_at <= c->buffer_bytes && bytes <= c->buffer_bytes - (pos - c->buffer_at);
}

static void take(SdCard *c, void *to, uint32_t bytes)
{
    memcpy(to, c->buffer + (c->pos - c->buffer_at), bytes);
    c->pos += bytes;
    if (c->count_given || c->single) { /* the last block ends the transfer by itself */
        c->count -= MIN(c->count, bytes / c->block_len);
        if (!c->count) {
            c->count_given = false;
            c->source = SD_FROM_NOTHING;
            c->state = SD_TRAN;
        }
    }
}

static void read_done(void *opaque, int result)
{
    SdCard *c = opaque;

    c->io = false;
    if (result < 0) {
        c->buffer_bytes = 0;
        c->status |= SD_ERROR;
    }
    if (c->to) {
        bool ok = result >= 0 && buffered(c, c->pos, c->to_bytes);

        if (ok) {
            take(c, c->to, c->to_bytes);
        }
        finish(c, ok);
    }
}

static void read_memory(SdCard *c, void *buf, uint32_t bytes, SdDone *done, void *opaque)
{
    uint64_t end = sd_bytes(c), ahead = SD_BUFFER_BYTES;

    if (c->pos > end || bytes > end - c->pos) {
        c->status |= SD_OUT_OF_RANGE;
        done(opaque, false);
        return;
    }
    if (buffered(c, c->pos, bytes)) {
        take(c, buf, bytes);
        done(opaque, true);
        return;
    }
    if (c->count_given || c->single) {
        ahead = MIN(ahead, (uint64_t)c->count * c->block_len);
    }
    wait(c, done, opaque);
    c->to = buf;
    c->to_bytes = bytes;
    c->buffer_at = c->pos;
    c->buffer_bytes = (uint32_t)MIN(MAX(ahead, bytes), end - c->pos);
    c->iov = (struct iovec){ c->buffer, c->buffer_bytes };
    c->io = true;
    block_readv(c->blk, c->buffer_at, &c->iov, 1, read_done, c);
}

void sd_read(SdSlot *slot, void *buf, uint32_t bytes, SdDone *done, void *opaque)
{
    SdCard *c = (SdCard *)slot->card;

    if (!c || c->state != SD_SENDING || c->done || bytes > SD_BUFFER_BYTES) {
        memset(buf, 0, bytes);
        done(opaque, false);
    } else if (c->source == SD_FROM_MEMORY) {
        read_memory(c, buf, bytes, done, opaque);
    } else {
        uint32_t n = MIN(bytes, c->small_bytes - (uint32_t)MIN(c->pos, c->small_bytes));

        memset(buf, 0, bytes);
        memcpy(buf, c->small + MIN(c->pos, c->small_bytes), n);
        c->pos += n;
        if (c->pos >= c->small_bytes) {
            c->source = SD_FROM_NOTHING;
            c->state = SD_TRAN;
        }
        done(opaque, true);
    }
}

/* -- writing ------------------------------------------------------------------------------------------------------------- */

static void flush(SdCard *c);

static void write_done(void *opaque, int result)
{
    SdCard *c = opaque;
    bool was_busy = c->busy;

    c->io = false;
    if (result < 0) {
        c->status |= SD_ERROR;
    } else {
        c->well_written += (uint32_t)(c->iov.iov_len / SD_BLOCK_BYTES);
    }
    c->buffer_bytes = 0;
    c->busy = false;
    if (c->state == SD_PRG) {
        c->state = SD_TRAN;
    } else if (c->state == SD_DIS) {
        c->state = SD_STBY;
    }
    finish(c, result >= 0);
    if (was_busy && c->slot && c->slot->ops->ready) {
        c->slot->ops->ready(c->slot->opaque);
    }
}

static void flush(SdCard *c)
{
    c->io = true;
    c->iov = (struct iovec){ c->buffer, c->buffer_bytes };
    block_writev(c->blk, c->buffer_at, &c->iov, 1, 0, write_done, c);
}

void sd_write(SdSlot *slot, const void *buf, uint32_t bytes, SdDone *done, void *opaque)
{
    SdCard *c = (SdCard *)slot->card;
    uint64_t end = c ? sd_bytes(c) : 0;

    if (!c || c->state != SD_RCV || c->source != SD_FROM_MEMORY || c->done || c->io || bytes > SD_BUFFER_BYTES) {
        done(opaque, false);
        return;
    }
    if (c->pos > end || bytes > end - c->pos) {
        c->status |= SD_OUT_OF_RANGE;
        done(opaque, false);
        return;
    }
    if (!c->buffer_bytes) {
        c->buffer_at = c->pos;
    }
    memcpy(c->buffer + c->buffer_bytes, buf, bytes);
    c->buffer_bytes += bytes;
    c->pos += bytes;
    bool last = false;
    if (c->count_given || c->single) {
        c->count -= MIN(c->count, bytes / c->block_len);
        last = !c->count;
    }
    if (!last && c->buffer_bytes + SD_BLOCK_BYTES <= SD_BUFFER_BYTES) {
        done(opaque, true);
        return;
    }
    if (last) { /* taken; the card is busy until it is on the medium, what fails is in the next status */
        c->count_given = false;
        c->source = SD_FROM_NOTHING;
        c->state = SD_PRG;
        c->busy = true;
    } else {
        wait(c, done, opaque);
    }
    flush(c);
    if (last) {
        done(opaque, true);
    }
}

void sd_data_end(SdCard *c)
{
    bool writing = c->state == SD_RCV && c->source == SD_FROM_MEMORY;

    c->source = SD_FROM_NOTHING;
    if (writing && (c->buffer_bytes || c->io)) {
        c->state = SD_PRG;
        c->busy = true;
        if (!c->io) {
            flush(c);
        }
    } else {
        c->state = SD_TRAN;
    }
}

void sd_abandon(SdSlot *slot)
{
    SdCard *c = (SdCard *)slot->card;

    if (c) {
        c->done = NULL;
        if (c->to && c->io) { /* the buffer of whoever waited is not touched; our own is until the medium is through */
            block_drain(c->blk);
        }
        c->to = NULL;
    }
}

void sd_data_cancel(SdCard *c)
{
    c->done = NULL;
    c->to = NULL;
    if (c->io) {
        block_drain(c->blk);
    }
    c->source = SD_FROM_NOTHING;
    c->buffer_bytes = 0;
    c->busy = false;
}

/* -- erasing --------------------------------------------------------------------------------------------------------------- */

static void erase_done(void *opaque, int result)
{
    SdCard *c = opaque;

    c->io = false;
    c->busy = false;
    if (result < 0) {
        c->status |= SD_ERROR;
    }
    if (c->state == SD_PRG) {
        c->state = SD_TRAN;
    }
    if (c->slot && c->slot->ops->ready) {
        c->slot->ops->ready(c->slot->opaque);
    }
}

void sd_erase(SdCard *c, uint32_t first, uint32_t last)
{
    c->busy = c->io = true;
    c->state = SD_PRG;
    c->buffer_bytes = 0;
    block_write_zeroes(c->blk, (uint64_t)first * SD_BLOCK_BYTES, ((uint64_t)last - first + 1) * SD_BLOCK_BYTES, BLOCK_UNMAP, erase_done, c);
}
