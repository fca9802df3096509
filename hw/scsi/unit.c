/*
 * unit.c: what every SCSI logical unit has: readiness, media, unit attentions, and the primary commands.
 *
 * Specification: SPC-4, 6; MMC-6, 6.42 (START STOP UNIT), 6.17 (PREVENT ALLOW MEDIUM REMOVAL).
 */
#include "hw/scsi/internal.h"

uint64_t scsi_blocks(const ScsiUnit *unit)
{
    return block_size_bytes(unit->conf->blk) / unit->block_bytes;
}

bool scsi_ready(const ScsiUnit *unit, ScsiSense *ret_why)
{
    if (unit->removable && unit->tray_open) {
        *ret_why = NO_MEDIUM_TRAY_OPEN;
        return false;
    }
    if (!block_has_medium(unit->conf->blk)) {
        *ret_why = NO_MEDIUM;
        return false;
    }
    if (unit->stopped) {
        *ret_why = NOT_READY_STOPPED;
        return false;
    }
    return true;
}

bool scsi_is_allowed_unready(const ScsiUnit *unit, uint8_t opcode)
{
    switch (opcode) {
    case OP_INQUIRY: case OP_REPORT_LUNS: case OP_MODE_SENSE_6: case OP_MODE_SENSE_10: case OP_MODE_SELECT_6:
    case OP_MODE_SELECT_10: case OP_START_STOP: case OP_PREVENT_ALLOW: case OP_RESERVE_6: case OP_RELEASE_6:
    case OP_SEND_DIAGNOSTIC:
        return true;
    case OP_GET_CONFIGURATION: case OP_GET_EVENT_STATUS: case OP_MECHANISM_STATUS: case OP_SET_CD_SPEED:
    case OP_READ_DVD_STRUCTURE:
        return unit->is_cdrom;
    default:
        return false;
    }
}

/* -- media ------------------------------------------------------------------------------------------------------------- */

static void attention(ScsiUnit *unit, ScsiSense why)
{
    unit->attention = why;
    if (unit->changed) {
        unit->changed(unit, why);
    }
}

static void media_changed(void *opaque, bool loaded)
{
    ScsiUnit *unit = opaque;

    unit->tray_open = !loaded;
    unit->stopped = false;
    if (loaded) {
        unit->event_new_media = true;
        unit->event_eject = false;
    }
    attention(unit, MEDIUM_CHANGED);
}

static void eject_request(void *opaque, bool force)
{
    ScsiUnit *unit = opaque;

    unit->event_eject = true;
    if (force) {
        unit->locked = false;
    }
}

static bool is_locked(void *opaque)
{
    return ((ScsiUnit *)opaque)->locked;
}

static bool is_tray_open(void *opaque)
{
    return ((ScsiUnit *)opaque)->tray_open;
}

static const BlockMediaOps media_ops = {
    .changed = media_changed, .eject_request = eject_request, .is_locked = is_locked, .is_tray_open = is_tray_open,
};

void scsi_unit_init(ScsiUnit *unit, Device *dev, BlockConf *conf, bool is_cdrom)
{
    unit->dev = dev;
    unit->conf = conf;
    unit->is_cdrom = is_cdrom;
    unit->removable |= is_cdrom;
    unit->block_bytes = (uint32_t)conf->logical_block_size;
    unit->attention = POWER_ON;
    unit->last = NO_SENSE;
    unit->write_cache = block_conf_write_cache(conf);
    if (unit->removable) {
        block_set_media_ops(conf->blk, &media_ops, unit);
    }
}

/* Requests of the adapter's have been given up; those of the medium have ended. */
void scsi_unit_reset(ScsiUnit *unit)
{
    block_drain(unit->conf->blk);
    while (unit->requests && unit->requests->in_data) {
        scsi_abort(unit->requests);
    }
    unit->write_cache = block_conf_write_cache(unit->conf);
    unit->locked = unit->stopped = unit->tray_open = false;
    unit->event_new_media = unit->event_eject = false;
    unit->attention = POWER_ON;
    unit->last = NO_SENSE;
}

void scsi_unit_finish(ScsiUnit *unit)
{
    block_drain(unit->conf->blk);
    while (unit->requests) {
        scsi_abort(unit->requests);
    }
}

static const StateField unit_fields[] = {
    STATE_U(ScsiUnit, write_cache), STATE_U(ScsiUnit, tray_open), STATE_U(ScsiUnit, locked), STATE_U(ScsiUnit, event_new_media),
    STATE_U(ScsiUnit, event_eject), STATE_U(ScsiUnit, stopped), STATE_BYTES(ScsiUnit, attention), STATE_BYTES(ScsiUnit, last),
};

const StateDesc scsi_unit_state = {
    .name = "scsi-unit", .version = 1, .fields = unit_fields, .n_fields = ARRAY_SIZE(unit_fields),
};

/* -- commands ------------------------------------------------------------------------------------------------------------- */

void scsi_start_stop(ScsiUnit *unit, ScsiRequest *req)
{
    bool start = req->cdb[4] & 1, loej = req->cdb[4] & 2;

    if (req->cdb[4] & 0xf0) { /* a power condition: nothing changes that a guest could see */
        scsi_good(req);
        return;
    }
    if (loej && unit->removable) {
        if (!start && !unit->tray_open && unit->locked) {
            scsi_check(req, REMOVAL_PREVENTED);
            return;
        }
        if (unit->tray_open == start) {
            unit->tray_open = !start;
            unit->event_eject = false;
            if (start && block_has_medium(unit->conf->blk)) {
                unit->event_new_media = true;
                unit->attention = MEDIUM_CHANGED;
            }
            block_tray_moved(unit->conf->blk, !start);
        }
    } else if (!loej) {
        unit->stopped = !start && !unit->removable;
    }
    scsi_good(req);
}

static void report_luns(ScsiUnit *unit, ScsiRequest *req)
{
    uint8_t out[8 + 256 * 8] = { 0 };
    uint32_t alloc = ldbe32(req->cdb + 6), bytes = 8;

    if (alloc < 16) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    if (req->cdb[2] > 2) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    if (req->cdb[2] != 1) { /* 1: well known units only; there are none */
        bytes = unit->list_luns ? unit->list_luns(unit, out + 8, sizeof(out) - 8) : 8;
    } else {
        bytes = 0;
    }
    stbe32(out, bytes);
    scsi_reply(req, out, 8 + bytes, alloc);
}

void scsi_start_absent(ScsiRequest *req, uint32_t (*list_luns)(void *opaque, uint8_t *buf, uint32_t room), void *opaque)
{
    uint8_t out[8 + 256 * 8] = { 0 };
    uint32_t bytes;

    req->unit = NULL;
    req->next = NULL;
    req->prev = &req->next; /* a list of its own */
    req->buf = NULL;
    req->collected = NULL;
    req->in_data = false;
    req->done_bytes = 0;
    req->status = SCSI_GOOD;
    req->sense_bytes = 0;
    switch (req->cdb[0]) {
    case OP_REPORT_LUNS:
        bytes = list_luns(opaque, out + 8, sizeof(out) - 8);
        stbe32(out, bytes);
        scsi_reply(req, out, 8 + bytes, ldbe32(req->cdb + 6));
        break;
    case OP_INQUIRY:
        if (req->cdb[1] || req->cdb[2]) {
            scsi_check(req, INVALID_FIELD);
            break;
        }
        out[0] = 0x7f; /* no device of any type can be here */
        out[2] = 5;
        out[3] = 0x12;
        out[4] = 31;
        scsi_reply(req, out, 36, ldbe16(req->cdb + 3));
        break;
    case OP_REQUEST_SENSE:
        scsi_build_sense(out, LUN_NOT_SUPPORTED);
        scsi_reply(req, out, SCSI_SENSE_BYTES, req->cdb[4]);
        break;
    default:
        scsi_check(req, LUN_NOT_SUPPORTED);
        break;
    }
}

static void diagnostic_done(ScsiRequest *req, const uint8_t *data, uint32_t len)
{
    scsi_good(req);
}

bool scsi_primary(ScsiUnit *unit, ScsiRequest *req)
{
    switch (req->cdb[0]) {
    case OP_TEST_UNIT_READY: case OP_RESERVE_6: case OP_RELEASE_6:
        scsi_good(req);
        return true;
    case OP_INQUIRY:
        scsi_inquiry(unit, req);
        return true;
    case OP_REPORT_LUNS:
        report_luns(unit, req);
        return true;
    case OP_MODE_SENSE_6: case OP_MODE_SENSE_10:
        scsi_mode_sense(unit, req);
        return true;
    case OP_MODE_SELECT_6: case OP_MODE_SELECT_10:
        scsi_mode_select(unit, req);
        return true;
    case OP_START_STOP:
        scsi_start_stop(unit, req);
        return true;
    case OP_PREVENT_ALLOW:
        unit->locked = unit->removable && (req->cdb[4] & 1);
        scsi_good(req);
        return true;
    case OP_SEND_DIAGNOSTIC:
        if (!(req->cdb[1] & 4) && req->xfer_bytes) { /* only the default self test */
            scsi_check(req, INVALID_FIELD);
        } else {
            scsi_collect(req, (uint32_t)req->xfer_bytes, diagnostic_done);
        }
        return true;
    default:
        return false;
    }
}
