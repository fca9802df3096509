/*
 * sdhci-data.c: transfers of the SD host controller: block by block between card and buffer, and between buffer and the guest or memory.
 *
 * A transfer is a small machine of phases (see SdhciPhase); sdhci_data_run() takes it as far as it gets without waiting. ADMA2 descriptors: 1.13.
 */
#include "hw/dma.h"
#include "hw/sd/sdhci-internal.h"
#include "util/bits.h"

enum {
    DESC_VALID = 1, DESC_END = 2, DESC_INT = 4, DESC_ACT_SHIFT = 4, ACT_TRANSFER = 2, ACT_LINK = 3,
    MAX_DESCRIPTORS_IN_A_ROW = 256,  /* without data: a chain that never comes to an end */
};

static uint32_t block_bytes(const Sdhci *s)
{
    return s->blksize & BLKSIZE_MASK;
}

/* -- memory -------------------------------------------------------------------------------------------------------------- */

static bool adma_error(Sdhci *s, uint8_t state)
{
    s->adma_err = state;
    sdhci_fail(s, ERR_ADMA);
    return false;
}

/* The next descriptor with data; false: the transfer has failed. */
static bool adma_fetch(Sdhci *s)
{
    bool wide = (s->hostctl >> HOST_DMA_SHIFT & 3) == DMA_ADMA64;
    uint8_t d[12];

    for (unsigned n = 0; n < MAX_DESCRIPTORS_IN_A_ROW; n++) {
        if (s->adma_end) { /* data is left, descriptors are not */
            return adma_error(s, ADMA_STATE_FETCH | ADMA_LENGTH_MISMATCH);
        }
        if (dma_read(s->as, s->adma, d, wide ? 12 : 8) != MEM_OK || !(d[0] & DESC_VALID)) {
            return adma_error(s, ADMA_STATE_FETCH);
        }
        uint64_t addr = wide ? ldle64(d + 4) : ldle32(d + 4);
        unsigned act = d[0] >> DESC_ACT_SHIFT & 3;
        s->adma_end = d[0] & DESC_END;
        s->adma = act == ACT_LINK ? addr : s->adma + (wide ? 12 : 8);
        if (d[0] & DESC_INT) {
            sdhci_raise(s, INT_DMA);
        }
        if (act == ACT_TRANSFER) {
            uint32_t bytes = ldle16(d + 2);

            s->piece = addr;
            s->piece_bytes = bytes ? bytes : 65536;
            return true;
        }
    }
    return adma_error(s, ADMA_STATE_FETCH);
}

static bool move(Sdhci *s, uint64_t addr, uint32_t bytes)
{
    return (s->reading ? dma_write(s->as, addr, s->buffer + s->at, bytes) : dma_read(s->as, addr, s->buffer + s->at, bytes)) == MEM_OK;
}

/* Moves the rest of the block; false: it did not get to the end, phase says why. */
static bool move_block(Sdhci *s)
{
    while (s->at < block_bytes(s)) {
        uint32_t bytes = block_bytes(s) - s->at;

        if ((s->hostctl >> HOST_DMA_SHIFT & 3) == DMA_SDMA) {
            uint32_t boundary = 4096u << (s->blksize >> BLKSIZE_BOUNDARY_SHIFT & 7);

            bytes = MIN(bytes, boundary - s->sdma % boundary);
            if (!move(s, s->sdma, bytes)) {
                sdhci_fail(s, ERR_DATA_CRC);
                return false;
            }
            s->at += (uint16_t)bytes;
            s->sdma += bytes;
            bool more = s->at < block_bytes(s) || s->blkcnt > 1;
            if (s->sdma % boundary == 0 && more) {
                s->phase = SDHCI_BOUNDARY;
                sdhci_raise(s, INT_DMA);
                return false;
            }
        } else {
            if (!s->piece_bytes && !adma_fetch(s)) {
                return false;
            }
            bytes = MIN(bytes, s->piece_bytes);
            if (!move(s, s->piece, bytes)) {
                return adma_error(s, ADMA_STATE_TRANSFER);
            }
            s->at += (uint16_t)bytes;
            s->piece += bytes;
            s->piece_bytes -= bytes;
        }
    }
    return true;
}

/* -- the card -------------------------------------------------------------------------------------------------------------- */

static void complete(Sdhci *s)
{
    if (sd_busy(&s->slot)) {
        s->phase = SDHCI_WAIT_BUSY;
        return;
    }
    s->phase = SDHCI_IDLE;
    s->busy_command = false;
    sdhci_raise(s, INT_DONE);
}

void sdhci_card_ready(void *opaque)
{
    Sdhci *s = opaque;

    if (s->phase == SDHCI_WAIT_BUSY) {
        complete(s);
    }
}

/* A block is through, both ways. */
static void block_done(Sdhci *s)
{
    bool counted = s->trnmod & TRN_MULTI && s->trnmod & TRN_COUNT;

    s->at = 0;
    if (counted && s->blkcnt) {
        s->blkcnt--;
    }
    if ((!(s->trnmod & TRN_MULTI) || (counted && !s->blkcnt))) {
        if (s->trnmod & TRN_MULTI && (s->trnmod >> TRN_AUTO_SHIFT & 3) == AUTO_CMD12) {
            uint8_t response[16];

            sd_command(&s->slot, 12, 0, response);
            s->rsp[3] = ldbe32(response);
        }
        complete(s);
        return;
    }
    s->phase = s->reading ? SDHCI_CARD : s->dma ? SDHCI_MEMORY : SDHCI_GUEST;
    if (s->phase == SDHCI_GUEST) {
        sdhci_raise(s, INT_WRITE_READY);
    }
}

static void card_done(void *opaque, bool ok)
{
    Sdhci *s = opaque;

    if (!ok) {
        sdhci_data_stop(s);
        sdhci_fail(s, ERR_DATA_TIMEOUT);
    } else if (!s->reading) {
        block_done(s);
    } else if (s->dma) {
        s->phase = SDHCI_MEMORY;
    } else {
        s->phase = SDHCI_GUEST;
        sdhci_raise(s, INT_READ_READY);
    }
    sdhci_data_run(s);
}

void sdhci_data_run(Sdhci *s)
{
    if (s->looping) { /* completed at once: the loop below goes on */
        return;
    }
    s->looping = true;
    while (s->phase == SDHCI_CARD || s->phase == SDHCI_MEMORY) {
        if (s->phase == SDHCI_CARD) {
            s->phase = SDHCI_WAIT_CARD;
            if (s->reading) {
                sd_read(&s->slot, s->buffer, block_bytes(s), card_done, s);
            } else {
                sd_write(&s->slot, s->buffer, block_bytes(s), card_done, s);
            }
        } else if (move_block(s)) {
            s->at = 0;
            if (s->reading) {
                block_done(s);
            } else {
                s->phase = SDHCI_CARD;
            }
        } else if (s->phase == SDHCI_MEMORY) { /* failed */
            sdhci_data_stop(s);
        }
    }
    s->looping = false;
}

void sdhci_data_start(Sdhci *s)
{
    s->reading = s->trnmod & TRN_READ;
    s->dma = s->trnmod & TRN_DMA;
    s->at = 0;
    s->piece_bytes = 0;
    s->adma_end = false;
    if (!block_bytes(s) || block_bytes(s) > SDHCI_MAX_BLOCK || (s->trnmod & TRN_MULTI && s->trnmod & TRN_COUNT && !s->blkcnt)) {
        s->phase = SDHCI_IDLE;
        return;
    }
    if (sd_data(&s->slot) != (s->reading ? SD_DATA_READ : SD_DATA_WRITE)) {
        sdhci_fail(s, ERR_DATA_TIMEOUT);
        return;
    }
    s->phase = s->reading ? SDHCI_CARD : s->dma ? SDHCI_MEMORY : SDHCI_GUEST;
    if (s->phase == SDHCI_GUEST) {
        sdhci_raise(s, INT_WRITE_READY);
    }
    sdhci_data_run(s);
}

void sdhci_data_stop(Sdhci *s)
{
    if (s->phase == SDHCI_WAIT_CARD) {
        sd_abandon(&s->slot);
    }
    s->phase = SDHCI_IDLE;
    s->busy_command = false;
    s->at = 0;
}

/* -- the guest's side of the buffer ------------------------------------------------------------------------------------------ */

uint8_t sdhci_buffer_get(Sdhci *s)
{
    uint8_t byte;

    if (s->phase != SDHCI_GUEST || !s->reading) {
        return 0;
    }
    byte = s->buffer[s->at++];
    if (s->at >= block_bytes(s)) {
        block_done(s);
        sdhci_data_run(s);
    }
    return byte;
}

void sdhci_buffer_put(Sdhci *s, uint8_t byte)
{
    if (s->phase != SDHCI_GUEST || s->reading) {
        return;
    }
    s->buffer[s->at++] = byte;
    if (s->at >= block_bytes(s)) {
        s->phase = SDHCI_CARD;
        sdhci_data_run(s);
    }
}
