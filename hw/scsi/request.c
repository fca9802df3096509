/*
 * request.c: the life of a SCSI command: parsing, unit attentions, data phases, sense.
 *
 * Specification: SPC-4, 4.5 (sense data), 6 (commands); SAM-5, 5.14 (unit attention conditions).
 */
#include <errno.h>

#include "hw/scsi/internal.h"

void scsi_build_sense(uint8_t out[SCSI_SENSE_BYTES], ScsiSense s)
{
    memset(out, 0, SCSI_SENSE_BYTES);
    out[0] = 0x70; /* current, fixed format */
    out[2] = s.key;
    out[7] = SCSI_SENSE_BYTES - 8;
    out[12] = s.asc;
    out[13] = s.ascq;
}

/* -- direction and length ------------------------------------------------------------------------------------------------- */

static uint64_t blocks_of(const uint8_t *cdb)
{
    switch (scsi_cdb_bytes(cdb[0])) {
    case 6: return cdb[4] ? cdb[4] : 256;
    case 10: return ldbe16(cdb + 7);
    case 12: return ldbe32(cdb + 6);
    default: return ldbe32(cdb + 10);
    }
}

static uint64_t lba_of(const uint8_t *cdb)
{
    switch (scsi_cdb_bytes(cdb[0])) {
    case 6: return (ldbe32(cdb) & 0x1fffff);
    case 10: case 12: return ldbe32(cdb + 2);
    default: return ldbe64(cdb + 2);
    }
}

bool scsi_parse(ScsiUnit *unit, ScsiRequest *req)
{
    const uint8_t *c = req->cdb;
    uint64_t size = unit->block_bytes;

    req->to_device = false;
    req->xfer_bytes = 0;
    if (!scsi_cdb_bytes(c[0])) {
        return false;
    }
    switch (c[0]) {
    case OP_READ_6: case OP_READ_10: case OP_READ_12: case OP_READ_16:
        req->xfer_bytes = blocks_of(c) * size;
        break;
    case OP_WRITE_6: case OP_WRITE_10: case OP_WRITE_12: case OP_WRITE_16:
    case OP_WRITE_VERIFY_10: case OP_WRITE_VERIFY_12: case OP_WRITE_VERIFY_16:
        req->xfer_bytes = blocks_of(c) * size;
        req->to_device = true;
        break;
    case OP_VERIFY_10: case OP_VERIFY_12: case OP_VERIFY_16:
        req->to_device = true;
        req->xfer_bytes = !(c[1] & 2) ? 0 : (c[1] & 4) ? size : blocks_of(c) * size; /* BYTCHK: 1 all blocks, 3 one */
        break;
    case OP_WRITE_SAME_10: case OP_WRITE_SAME_16:
        req->to_device = true;
        req->xfer_bytes = c[1] & 1 ? 0 : size; /* NDOB */
        break;
    case OP_MODE_SELECT_6:
        req->to_device = true;
        req->xfer_bytes = c[4];
        break;
    case OP_MODE_SELECT_10:
        req->to_device = true;
        req->xfer_bytes = ldbe16(c + 7);
        break;
    case OP_UNMAP: /* READ SUB-CHANNEL of CD-ROMs */
        req->to_device = !unit->is_cdrom;
        req->xfer_bytes = ldbe16(c + 7);
        break;
    case OP_SEND_DIAGNOSTIC:
        req->to_device = true;
        req->xfer_bytes = ldbe16(c + 3);
        break;
    case OP_INQUIRY:
        req->xfer_bytes = ldbe16(c + 3);
        break;
    case OP_REQUEST_SENSE: case OP_MODE_SENSE_6:
        req->xfer_bytes = c[4];
        break;
    case OP_READ_CAPACITY_10:
        req->xfer_bytes = 8;
        break;
    case OP_SERVICE_IN_16:
        req->xfer_bytes = ldbe32(c + 10);
        break;
    case OP_REPORT_LUNS:
        req->xfer_bytes = ldbe32(c + 6);
        break;
    case OP_READ_FORMAT_CAPACITIES: case OP_READ_TOC: case OP_GET_CONFIGURATION: case OP_GET_EVENT_STATUS:
    case OP_READ_DISC_INFO: case OP_READ_TRACK_INFO: case OP_MODE_SENSE_10:
        req->xfer_bytes = ldbe16(c + 7);
        break;
    case OP_READ_DVD_STRUCTURE: case OP_MECHANISM_STATUS:
        req->xfer_bytes = ldbe16(c + 8);
        break;
    case OP_READ_CD:
        req->xfer_bytes = (ldbe32(c + 5) & 0xffffff) * (uint64_t)((c[9] & 0xf8) == 0xf8 ? CD_RAW : c[9] & 0x10 ? CD_BLOCK : 0);
        break;
    default:
        break;
    }
    return true;
}

/* -- ends ------------------------------------------------------------------------------------------------------------------- */

static void complete(ScsiRequest *req)
{
    *req->prev = req->next;
    if (req->next) {
        req->next->prev = req->prev;
    }
    free(req->buf);
    req->buf = NULL;
    req->in_data = false;
    req->ops->complete(req);
}

void scsi_good(ScsiRequest *req)
{
    req->status = SCSI_GOOD;
    req->sense_bytes = 0;
    if (req->unit) {
        req->unit->last = NO_SENSE;
    }
    complete(req);
}

void scsi_check(ScsiRequest *req, ScsiSense s)
{
    req->status = SCSI_CHECK_CONDITION;
    scsi_build_sense(req->sense, s);
    req->sense_bytes = SCSI_SENSE_BYTES;
    if (req->unit) {
        req->unit->last = s;
    }
    complete(req);
}

ScsiSense scsi_errno_sense(const ScsiRequest *req, int err)
{
    switch (err) {
    case -ENOMEDIUM: return NO_MEDIUM;
    case -EPERM: case -EROFS: case -EACCES: return WRITE_PROTECTED;
    case -ENOSPC: return SPACE_ALLOCATION;
    case -EIO: return req->to_device ? WRITE_FAULT : READ_ERROR;
    default: return TARGET_FAILURE;
    }
}

void scsi_block_done(void *opaque, int result)
{
    ScsiRequest *req = opaque;

    if (result) {
        scsi_check(req, scsi_errno_sense(req, result));
    } else {
        scsi_good(req);
    }
}

void scsi_abort(ScsiRequest *req)
{
    *req->prev = req->next;
    if (req->next) {
        req->next->prev = req->prev;
    }
    free(req->buf);
    req->buf = NULL;
    req->in_data = false;
}

/* -- replies and parameters ---------------------------------------------------------------------------------------------------- */

static size_t iov_copy(const struct iovec *iov, unsigned n, size_t skip, uint8_t *buf, size_t len, bool to_iov)
{
    size_t done = 0;

    for (unsigned i = 0; i < n && done < len; i++) {
        if (skip >= iov[i].iov_len) {
            skip -= iov[i].iov_len;
            continue;
        }
        size_t part = MIN(iov[i].iov_len - skip, len - done);
        if (to_iov) {
            memcpy((uint8_t *)iov[i].iov_base + skip, buf + done, part);
        } else {
            memcpy(buf + done, (uint8_t *)iov[i].iov_base + skip, part);
        }
        done += part;
        skip = 0;
    }
    return done;
}

/* A part is in req->buf (or wanted there): the adapter moves it. */
static void offer(ScsiRequest *req, uint32_t bytes, bool final)
{
    req->part_bytes = bytes;
    req->final_part = final;
    req->in_data = true;
    req->ops->data(req, req->buf, bytes);
}

void scsi_reply(ScsiRequest *req, const uint8_t *data, uint32_t bytes, uint32_t alloc)
{
    bytes = MIN(bytes, alloc);
    if (!bytes) {
        scsi_good(req);
    } else if (req->iov) {
        req->done_bytes = iov_copy(req->iov, req->n_iov, 0, (uint8_t *)data, bytes, true);
        scsi_good(req);
    } else {
        req->buf = xmemdup(data, bytes);
        req->buf_bytes = bytes;
        offer(req, bytes, true);
    }
}

void scsi_collect(ScsiRequest *req, uint32_t bytes, void (*then)(ScsiRequest *req, const uint8_t *data, uint32_t len))
{
    if (bytes > SCSI_PARAM_MAX) {
        scsi_check(req, INVALID_PARAM_LEN);
        return;
    }
    req->buf = xcalloc(1, MAX(bytes, 1u));
    req->buf_bytes = bytes;
    if (!bytes) {
        then(req, req->buf, 0);
    } else if (req->iov) {
        uint32_t got = (uint32_t)iov_copy(req->iov, req->n_iov, 0, req->buf, bytes, false);
        req->done_bytes = got;
        then(req, req->buf, got);
    } else {
        req->collected = then;
        offer(req, bytes, true);
    }
}

/* -- blocks ------------------------------------------------------------------------------------------------------------------- */

static void next_part(ScsiRequest *req);

static void part_written(void *opaque, int result)
{
    ScsiRequest *req = opaque;

    if (result) {
        scsi_check(req, scsi_errno_sense(req, result));
    } else {
        next_part(req);
    }
}

static void part_read(void *opaque, int result)
{
    ScsiRequest *req = opaque;

    if (result) {
        scsi_check(req, scsi_errno_sense(req, result));
    } else {
        offer(req, req->part_bytes, req->left_blocks == 0);
    }
}

static unsigned write_flags(const ScsiRequest *req)
{
    bool fua = scsi_cdb_bytes(req->cdb[0]) != 6 && (req->cdb[1] & 8);
    return fua || !req->unit->write_cache ? BLOCK_FUA : 0;
}

static void next_part(ScsiRequest *req)
{
    ScsiUnit *unit = req->unit;

    if (!req->left_blocks) {
        scsi_good(req);
        return;
    }
    uint64_t blocks = MIN(req->left_blocks, MAX(SCSI_PART_BYTES / unit->block_bytes, 1u));
    req->part_bytes = (uint32_t)(blocks * unit->block_bytes);
    req->left_blocks -= blocks;
    if (!req->buf) {
        req->buf_bytes = req->part_bytes;
        req->buf = xmalloc(req->part_bytes);
    }
    if (req->to_device) {
        offer(req, req->part_bytes, false);
        return;
    }
    req->bounce = (struct iovec){ req->buf, req->part_bytes };
    uint64_t at = req->lba * unit->block_bytes;
    req->lba += blocks;
    block_readv(unit->conf->blk, at, &req->bounce, 1, part_read, req);
}

void scsi_continue(ScsiRequest *req)
{
    ScsiUnit *unit = req->unit;

    req->in_data = false;
    req->done_bytes += req->part_bytes;
    if (req->collected) {
        void (*then)(ScsiRequest *, const uint8_t *, uint32_t) = req->collected;
        req->collected = NULL;
        then(req, req->buf, req->part_bytes);
    } else if (req->to_device) {
        uint64_t at = req->lba * unit->block_bytes;
        req->lba += req->part_bytes / unit->block_bytes;
        req->bounce = (struct iovec){ req->buf, req->part_bytes };
        block_writev(unit->conf->blk, at, &req->bounce, 1, write_flags(req), part_written, req);
    } else if (req->final_part) {
        scsi_good(req);
    } else {
        next_part(req);
    }
}

/* The whole transfer at once, in the adapter's memory. */
static void rw_direct(ScsiRequest *req, uint64_t lba, uint64_t bytes)
{
    ScsiUnit *unit = req->unit;
    struct iovec *part = xnew_array(struct iovec, req->n_iov + 1);
    unsigned n = 0;

    bytes = MIN(bytes, req->iov_bytes);
    if (req->to_device) {
        bytes -= bytes % unit->block_bytes;
    }
    req->done_bytes = bytes;
    for (uint64_t left = bytes; left; n++) {
        part[n] = (struct iovec){ req->iov[n].iov_base, MIN(req->iov[n].iov_len, left) };
        left -= part[n].iov_len;
    }
    if (req->to_device) {
        block_writev(unit->conf->blk, lba * unit->block_bytes, part, n, write_flags(req), scsi_block_done, req);
    } else {
        block_readv(unit->conf->blk, lba * unit->block_bytes, part, n, scsi_block_done, req);
    }
    free(part);
}

void scsi_rw(ScsiRequest *req, uint64_t lba, uint64_t blocks, bool is_write)
{
    ScsiUnit *unit = req->unit;
    uint64_t total = scsi_blocks(unit);

    if (lba > total || blocks > total - lba) {
        scsi_check(req, LBA_OUT_OF_RANGE);
    } else if (is_write && block_is_readonly(unit->conf->blk)) {
        scsi_check(req, WRITE_PROTECTED);
    } else if (!blocks) {
        scsi_good(req);
    } else if (req->iov) {
        rw_direct(req, lba, blocks * unit->block_bytes);
    } else {
        req->lba = lba;
        req->left_blocks = blocks;
        next_part(req);
    }
}

/* -- start ----------------------------------------------------------------------------------------------------------------------- */

static void request_sense(ScsiUnit *unit, ScsiRequest *req)
{
    uint8_t out[SCSI_SENSE_BYTES];
    ScsiSense s = unit->attention.key ? unit->attention : unit->last;

    unit->attention = NO_SENSE;
    if (req->cdb[1] & 1) { /* descriptor format */
        uint8_t desc[8] = { 0x72, s.key, s.asc, s.ascq };
        scsi_reply(req, desc, sizeof(desc), req->cdb[4]);
        return;
    }
    scsi_build_sense(out, s);
    scsi_reply(req, out, sizeof(out), req->cdb[4]);
}

void scsi_start(ScsiUnit *unit, ScsiRequest *req)
{
    uint8_t op = req->cdb[0];
    ScsiSense why;

    req->unit = unit;
    req->status = SCSI_GOOD;
    req->sense_bytes = 0;
    req->done_bytes = 0;
    req->buf = NULL;
    req->collected = NULL;
    req->in_data = req->final_part = false;
    req->next = unit->requests;
    req->prev = &unit->requests;
    if (req->next) {
        req->next->prev = &req->next;
    }
    unit->requests = req;
    if (op == OP_REQUEST_SENSE) {
        request_sense(unit, req);
        return;
    }
    /* SAM-5, 5.14: not for INQUIRY, REPORT LUNS; MMC-6, 6.5.6.2: nor GET EVENT STATUS, GET CONFIGURATION. */
    if (unit->attention.key && op != OP_INQUIRY && op != OP_REPORT_LUNS &&
        !(unit->is_cdrom && (op == OP_GET_EVENT_STATUS || op == OP_GET_CONFIGURATION))) {
        why = unit->attention;
        unit->attention = NO_SENSE;
        scsi_check(req, why);
        return;
    }
    if (!scsi_is_allowed_unready(unit, op) && !scsi_ready(unit, &why)) {
        scsi_check(req, why);
        return;
    }
    if (!scsi_primary(unit, req) && !(unit->is_cdrom && scsi_mmc(unit, req)) && !scsi_block_command(unit, req)) {
        scsi_check(req, INVALID_OPCODE);
    }
}

/* For the command sets: the place a CDB names. */
bool scsi_block_command(ScsiUnit *unit, ScsiRequest *req)
{
    static const uint8_t writes[] = { OP_WRITE_6, OP_WRITE_10, OP_WRITE_12, OP_WRITE_16, OP_WRITE_VERIFY_10,
                                      OP_WRITE_VERIFY_12, OP_WRITE_VERIFY_16 };
    const uint8_t *c = req->cdb;

    if (c[0] == OP_READ_6 || c[0] == OP_READ_10 || c[0] == OP_READ_12 || c[0] == OP_READ_16) {
        scsi_rw(req, lba_of(c), blocks_of(c), false);
        return true;
    }
    if (unit->is_cdrom) {
        return false;
    }
    if (memchr(writes, c[0], sizeof(writes))) {
        scsi_rw(req, lba_of(c), blocks_of(c), true);
        return true;
    }
    return scsi_disk_command(unit, req, lba_of(c), blocks_of(c));
}
