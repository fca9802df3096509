/*
 * sbc.c: commands of disks besides reading and writing: capacity, flushing, verifying, unmapping, writing one block many times.
 *
 * Specification: SBC-3, 5. Leaves out: protection information, ORWRITE, FORMAT UNIT, reassigning blocks.
 */
#include <errno.h>

#include "hw/scsi/internal.h"

enum { WRITE_SAME_CHUNK = 1 << 20, UNMAP_DESCRIPTORS = 255 };

static void read_capacity_10(ScsiUnit *unit, ScsiRequest *req)
{
    uint64_t last = scsi_blocks(unit) - 1;
    uint8_t out[8];

    if (!scsi_blocks(unit)) {
        scsi_check(req, LBA_OUT_OF_RANGE);
        return;
    }
    stbe32(out, (uint32_t)MIN(last, UINT32_MAX));
    stbe32(out + 4, unit->block_bytes);
    scsi_reply(req, out, sizeof(out), 8);
}

static void read_capacity_16(ScsiUnit *unit, ScsiRequest *req)
{
    uint8_t out[32] = { 0 };
    uint64_t physical = unit->conf->physical_block_size;

    if (!scsi_blocks(unit)) {
        scsi_check(req, LBA_OUT_OF_RANGE);
        return;
    }
    stbe64(out, scsi_blocks(unit) - 1);
    stbe32(out + 8, unit->block_bytes);
    out[13] = (uint8_t)(physical > unit->block_bytes ? __builtin_ctzll(physical / unit->block_bytes) : 0);
    if (!unit->is_cdrom && unit->conf->discard_granularity) {
        out[14] = 0x80; /* LBPME: blocks can be unmapped */
    }
    scsi_reply(req, out, sizeof(out), (uint32_t)MIN(req->xfer_bytes, sizeof(out)));
}

static void sync_cache(ScsiUnit *unit, ScsiRequest *req)
{
    block_flush(unit->conf->blk, scsi_block_done, req);
}

/* -- VERIFY: compares, or reads to see whether it can ---------------------------------------------------------------------- */

typedef struct Verify {
    ScsiRequest *req;
    uint8_t *data, *disk;    /* what it should be; NULL: only read */
    uint64_t lba, left;
    uint32_t data_blocks, at_block;
    struct iovec iov;
} Verify;

static void verify_step(Verify *v);

static void verify_end(Verify *v, ScsiSense s)
{
    ScsiRequest *req = v->req;

    free(v->data);
    free(v->disk);
    free(v);
    if (s.key) {
        scsi_check(req, s);
    } else {
        scsi_good(req);
    }
}

static void verify_done(void *opaque, int result)
{
    Verify *v = opaque;
    uint32_t size = v->req->unit->block_bytes;
    uint64_t blocks = v->iov.iov_len / size;

    if (result) {
        verify_end(v, scsi_errno_sense(v->req, result));
        return;
    }
    for (uint64_t i = 0; v->data && i < blocks; i++) {
        if (memcmp(v->disk + i * size, v->data + (uint64_t)(v->at_block % v->data_blocks) * size, size)) {
            verify_end(v, MISCOMPARE);
            return;
        }
        v->at_block++;
    }
    v->lba += blocks;
    v->left -= blocks;
    verify_step(v);
}

static void verify_step(Verify *v)
{
    ScsiUnit *unit = v->req->unit;

    if (!v->left) {
        verify_end(v, NO_SENSE);
        return;
    }
    uint64_t blocks = MIN(v->left, MAX(SCSI_PART_BYTES / unit->block_bytes, 1u));
    v->iov = (struct iovec){ v->disk, blocks * unit->block_bytes };
    block_readv(unit->conf->blk, v->lba * unit->block_bytes, &v->iov, 1, verify_done, v);
}

static void verify_begin(ScsiRequest *req, const uint8_t *data, uint32_t len)
{
    ScsiUnit *unit = req->unit;
    Verify *v = xnew(Verify);

    v->req = req;
    v->lba = req->lba;
    v->left = req->left_blocks;
    v->disk = xmalloc(MAX(SCSI_PART_BYTES, unit->block_bytes));
    if (len >= unit->block_bytes) {
        v->data = xmemdup(data, len);
        v->data_blocks = len / unit->block_bytes;
    }
    verify_step(v);
}

static void verify(ScsiUnit *unit, ScsiRequest *req, uint64_t lba, uint64_t blocks)
{
    if (lba > scsi_blocks(unit) || blocks > scsi_blocks(unit) - lba) {
        scsi_check(req, LBA_OUT_OF_RANGE);
    } else if (!req->xfer_bytes) { /* the medium is as good as the host's */
        scsi_good(req);
    } else if (req->xfer_bytes > SCSI_PARAM_MAX) {
        scsi_check(req, INVALID_FIELD);
    } else {
        req->lba = lba;
        req->left_blocks = blocks;
        scsi_collect(req, (uint32_t)req->xfer_bytes, verify_begin);
    }
}

/* -- UNMAP -------------------------------------------------------------------------------------------------------------------- */

typedef struct Unmap {
    ScsiRequest *req;
    uint8_t list[UNMAP_DESCRIPTORS * 16];
    unsigned n, at;
} Unmap;

static void unmap_step(void *opaque, int result)
{
    Unmap *u = opaque;
    ScsiRequest *req = u->req;
    ScsiUnit *unit = req->unit;

    if (result || u->at == u->n) {
        free(u);
        scsi_block_done(req, result);
        return;
    }
    const uint8_t *d = u->list + u->at++ * 16;
    block_discard(unit->conf->blk, ldbe64(d) * unit->block_bytes, (uint64_t)ldbe32(d + 8) * unit->block_bytes, unmap_step, u);
}

static void unmap_begin(ScsiRequest *req, const uint8_t *data, uint32_t len)
{
    ScsiUnit *unit = req->unit;
    uint64_t total = scsi_blocks(unit);

    if (len < 8) {
        if (len) {
            scsi_check(req, INVALID_PARAM_LEN);
        } else {
            scsi_good(req);
        }
        return;
    }
    unsigned bytes = ldbe16(data + 2);
    if (len < bytes + 8 || len < ldbe16(data) + 2u || bytes % 16 || bytes / 16 > UNMAP_DESCRIPTORS) {
        scsi_check(req, bytes / 16 > UNMAP_DESCRIPTORS ? INVALID_PARAM : INVALID_PARAM_LEN);
        return;
    }
    for (unsigned i = 0; i < bytes / 16; i++) {
        uint64_t lba = ldbe64(data + 8 + i * 16);
        uint32_t n = ldbe32(data + 16 + i * 16);
        if (lba > total || n > total - lba) {
            scsi_check(req, LBA_OUT_OF_RANGE);
            return;
        }
    }
    Unmap *u = xnew(Unmap);
    u->req = req;
    u->n = bytes / 16;
    memcpy(u->list, data + 8, bytes);
    unmap_step(u, 0);
}

/* -- WRITE SAME ------------------------------------------------------------------------------------------------------------------ */

typedef struct WriteSame {
    ScsiRequest *req;
    uint8_t *chunk;
    uint64_t at, left;
    struct iovec iov;
} WriteSame;

static void write_same_step(void *opaque, int result)
{
    WriteSame *w = opaque;
    ScsiRequest *req = w->req;

    if (result || !w->left) {
        free(w->chunk);
        free(w);
        scsi_block_done(req, result);
        return;
    }
    uint64_t bytes = MIN(w->left, WRITE_SAME_CHUNK);
    uint64_t at = w->at;
    w->iov = (struct iovec){ w->chunk, bytes };
    w->at += bytes;
    w->left -= bytes;
    block_writev(req->unit->conf->blk, at, &w->iov, 1, req->unit->write_cache ? 0 : BLOCK_FUA, write_same_step, w);
}

static void write_same_begin(ScsiRequest *req, const uint8_t *data, uint32_t len)
{
    ScsiUnit *unit = req->unit;
    uint32_t size = unit->block_bytes;
    bool unmap = req->cdb[1] & 8, zero = true;
    uint64_t at = req->lba * size, bytes = req->left_blocks * size;

    if (len && len < size) {
        scsi_check(req, INVALID_PARAM_LEN);
        return;
    }
    for (uint32_t i = 0; i < MIN(len, size) && zero; i++) {
        zero = !data[i];
    }
    if (zero || !len || unmap) {
        if (unmap && !zero && len) {
            unmap = false; /* the pattern must be there afterwards */
        } else {
            block_write_zeroes(unit->conf->blk, at, bytes, (unmap ? BLOCK_UNMAP : 0) | (unit->write_cache ? 0 : BLOCK_FUA),
                               scsi_block_done, req);
            return;
        }
    }
    WriteSame *w = xnew(WriteSame);
    w->req = req;
    w->at = at;
    w->left = bytes;
    w->chunk = xmalloc(MAX(WRITE_SAME_CHUNK, size));
    for (uint32_t i = 0; i + size <= WRITE_SAME_CHUNK; i += size) {
        memcpy(w->chunk + i, data, size);
    }
    write_same_step(w, 0);
}

static void write_same(ScsiUnit *unit, ScsiRequest *req, uint64_t lba, uint64_t blocks)
{
    uint64_t total = scsi_blocks(unit);

    if (req->cdb[1] & 0xe0 || (req->cdb[0] == OP_WRITE_SAME_10 && (req->cdb[1] & 1))) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    if (block_is_readonly(unit->conf->blk)) {
        scsi_check(req, WRITE_PROTECTED);
        return;
    }
    if (lba > total || blocks > total - lba) {
        scsi_check(req, LBA_OUT_OF_RANGE);
        return;
    }
    req->lba = lba;
    req->left_blocks = blocks ? blocks : total - lba;
    scsi_collect(req, (uint32_t)req->xfer_bytes, write_same_begin);
}

bool scsi_disk_command(ScsiUnit *unit, ScsiRequest *req, uint64_t lba, uint64_t blocks)
{
    const uint8_t *c = req->cdb;

    switch (c[0]) {
    case OP_READ_CAPACITY_10:
        read_capacity_10(unit, req);
        return true;
    case OP_SERVICE_IN_16:
        if ((c[1] & 31) != 0x10) {
            scsi_check(req, INVALID_FIELD);
        } else {
            read_capacity_16(unit, req);
        }
        return true;
    case OP_SYNC_CACHE_10: case OP_SYNC_CACHE_16:
        sync_cache(unit, req);
        return true;
    case OP_VERIFY_10: case OP_VERIFY_12: case OP_VERIFY_16:
        verify(unit, req, lba, blocks);
        return true;
    case OP_SEEK_6: case OP_SEEK_10:
        if (lba >= scsi_blocks(unit)) {
            scsi_check(req, LBA_OUT_OF_RANGE);
        } else {
            scsi_good(req);
        }
        return true;
    case OP_REZERO:
        scsi_good(req);
        return true;
    case OP_UNMAP:
        if (block_is_readonly(unit->conf->blk)) {
            scsi_check(req, WRITE_PROTECTED);
        } else {
            scsi_collect(req, (uint32_t)req->xfer_bytes, unmap_begin);
        }
        return true;
    case OP_WRITE_SAME_10: case OP_WRITE_SAME_16:
        write_same(unit, req, lba, blocks);
        return true;
    default:
        return false;
    }
}
