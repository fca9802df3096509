/*
 * internal.h: what the files of hw/scsi/ share: data phases (request.c) and the command sets.
 */
#ifndef HW_SCSI_INTERNAL_H
#define HW_SCSI_INTERNAL_H

#include "hw/scsi.h"
#include "util/bits.h"

enum { SCSI_PARAM_MAX = 65536, SCSI_PART_BYTES = 65536, CD_BLOCK = 2048, CD_RAW = 2352 };

enum { /* operation codes: SPC-4, SBC-3, MMC-6 */
    OP_TEST_UNIT_READY = 0x00, OP_REZERO = 0x01, OP_REQUEST_SENSE = 0x03, OP_READ_6 = 0x08, OP_WRITE_6 = 0x0a, OP_SEEK_6 = 0x0b,
    OP_INQUIRY = 0x12, OP_MODE_SELECT_6 = 0x15, OP_RESERVE_6 = 0x16, OP_RELEASE_6 = 0x17, OP_MODE_SENSE_6 = 0x1a,
    OP_START_STOP = 0x1b, OP_SEND_DIAGNOSTIC = 0x1d, OP_PREVENT_ALLOW = 0x1e, OP_READ_FORMAT_CAPACITIES = 0x23,
    OP_READ_CAPACITY_10 = 0x25, OP_READ_10 = 0x28, OP_WRITE_10 = 0x2a, OP_SEEK_10 = 0x2b, OP_WRITE_VERIFY_10 = 0x2e,
    OP_VERIFY_10 = 0x2f, OP_SYNC_CACHE_10 = 0x35, OP_WRITE_SAME_10 = 0x41, OP_UNMAP = 0x42, OP_READ_SUBCHANNEL = 0x42,
    OP_READ_TOC = 0x43, OP_GET_CONFIGURATION = 0x46, OP_GET_EVENT_STATUS = 0x4a, OP_READ_DISC_INFO = 0x51,
    OP_READ_TRACK_INFO = 0x52, OP_MODE_SELECT_10 = 0x55, OP_MODE_SENSE_10 = 0x5a, OP_READ_16 = 0x88, OP_WRITE_16 = 0x8a,
    OP_WRITE_VERIFY_16 = 0x8e, OP_VERIFY_16 = 0x8f, OP_SYNC_CACHE_16 = 0x91, OP_WRITE_SAME_16 = 0x93, OP_SERVICE_IN_16 = 0x9e,
    OP_REPORT_LUNS = 0xa0, OP_READ_12 = 0xa8, OP_WRITE_12 = 0xaa, OP_READ_DVD_STRUCTURE = 0xad, OP_WRITE_VERIFY_12 = 0xae,
    OP_VERIFY_12 = 0xaf, OP_SET_CD_SPEED = 0xbb, OP_MECHANISM_STATUS = 0xbd, OP_READ_CD = 0xbe,
};

#define SCSI_SENSE(name, k, a, q) static const ScsiSense name __attribute__((unused)) = { k, a, q }
SCSI_SENSE(NO_SENSE, 0, 0, 0);
SCSI_SENSE(NO_MEDIUM, SENSE_NOT_READY, 0x3a, 0);
SCSI_SENSE(NO_MEDIUM_TRAY_OPEN, SENSE_NOT_READY, 0x3a, 2);
SCSI_SENSE(READ_ERROR, SENSE_MEDIUM_ERROR, 0x11, 0);
SCSI_SENSE(WRITE_FAULT, SENSE_MEDIUM_ERROR, 0x0c, 0);
SCSI_SENSE(TARGET_FAILURE, SENSE_HARDWARE_ERROR, 0x44, 0);
SCSI_SENSE(SPACE_ALLOCATION, SENSE_DATA_PROTECT, 0x27, 7);
SCSI_SENSE(INVALID_OPCODE, SENSE_ILLEGAL_REQUEST, 0x20, 0);
SCSI_SENSE(LBA_OUT_OF_RANGE, SENSE_ILLEGAL_REQUEST, 0x21, 0);
SCSI_SENSE(INVALID_FIELD, SENSE_ILLEGAL_REQUEST, 0x24, 0);
SCSI_SENSE(INVALID_PARAM_LEN, SENSE_ILLEGAL_REQUEST, 0x1a, 0);
SCSI_SENSE(INVALID_PARAM_VALUE, SENSE_ILLEGAL_REQUEST, 0x26, 1);
SCSI_SENSE(INVALID_PARAM, SENSE_ILLEGAL_REQUEST, 0x26, 0);
SCSI_SENSE(SAVING_NOT_SUPPORTED, SENSE_ILLEGAL_REQUEST, 0x39, 0);
SCSI_SENSE(LUN_NOT_SUPPORTED, SENSE_ILLEGAL_REQUEST, 0x25, 0);
SCSI_SENSE(INCOMPATIBLE_FORMAT, SENSE_ILLEGAL_REQUEST, 0x30, 0);
SCSI_SENSE(ILLEGAL_TRACK_MODE, SENSE_ILLEGAL_REQUEST, 0x64, 0);
SCSI_SENSE(REMOVAL_PREVENTED, SENSE_ILLEGAL_REQUEST, 0x53, 2);
SCSI_SENSE(NOT_READY_STOPPED, SENSE_NOT_READY, 0x04, 2);
SCSI_SENSE(WRITE_PROTECTED, SENSE_DATA_PROTECT, 0x27, 0);
SCSI_SENSE(MISCOMPARE, SENSE_MISCOMPARE, 0x1d, 0);
SCSI_SENSE(MEDIUM_CHANGED, SENSE_UNIT_ATTENTION, 0x28, 0);
SCSI_SENSE(POWER_ON, SENSE_UNIT_ATTENTION, 0x29, 0);
SCSI_SENSE(MODE_CHANGED, SENSE_UNIT_ATTENTION, 0x2a, 1);

/* -- ends of a command -- */
void scsi_good(ScsiRequest *req);
void scsi_check(ScsiRequest *req, ScsiSense s);
/* Sends min(bytes, alloc) of a reply and ends well. */
void scsi_reply(ScsiRequest *req, const uint8_t *data, uint32_t bytes, uint32_t alloc);
/* Gets `bytes` of parameters, then calls then(), which ends the command. */
void scsi_collect(ScsiRequest *req, uint32_t bytes, void (*then)(ScsiRequest *req, const uint8_t *data, uint32_t len));
/* Moves whole blocks between the medium and the initiator. */
void scsi_rw(ScsiRequest *req, uint64_t lba, uint64_t blocks, bool is_write);
/* BlockDone for requests that end the command with what happened. */
void scsi_block_done(void *opaque, int result);
/* The sense a host error becomes. */
ScsiSense scsi_errno_sense(const ScsiRequest *req, int err);

/* -- the unit -- */
uint64_t scsi_blocks(const ScsiUnit *unit);
bool scsi_ready(const ScsiUnit *unit, ScsiSense *ret_why);

/* -- command sets; false: not theirs -- */
bool scsi_primary(ScsiUnit *unit, ScsiRequest *req);
bool scsi_block_command(ScsiUnit *unit, ScsiRequest *req);
bool scsi_disk_command(ScsiUnit *unit, ScsiRequest *req, uint64_t lba, uint64_t blocks);
bool scsi_mmc(ScsiUnit *unit, ScsiRequest *req);
void scsi_inquiry(ScsiUnit *unit, ScsiRequest *req);
void scsi_mode_sense(ScsiUnit *unit, ScsiRequest *req);
void scsi_mode_select(ScsiUnit *unit, ScsiRequest *req);
void scsi_start_stop(ScsiUnit *unit, ScsiRequest *req);
bool scsi_is_allowed_unready(const ScsiUnit *unit, uint8_t opcode);

#endif
