/*
 * scsi.h: SCSI logical units, the bus they sit on, and what a host adapter does with them.
 *
 * A ScsiUnit carries out command descriptor blocks for a disk or a CD-ROM drive. It is no device by itself: scsi-hd and scsi-cd put one
 * on a SCSI bus, ide-cd (ATAPI) and usb-storage have one inside. A host adapter fills a ScsiRequest, calls
 * scsi_parse() (direction and length are known then) and scsi_start(); complete() is called once, perhaps before
 * that returns. Data goes straight to and from `iov` when the adapter gives one that holds all of it; otherwise a part at a time
 * through data(), each ended by scsi_continue().
 *
 * Specifications: SPC-4, SBC-3, MMC-6 (INCITS).
 * Threads: BQL.
 */
#ifndef HW_SCSI_H
#define HW_SCSI_H

#include <sys/uio.h>
#include "block/block.h"
#include "hw/block-conf.h"
#include "hw/device.h"

typedef struct ScsiUnit ScsiUnit;
typedef struct ScsiRequest ScsiRequest;

enum { SCSI_CDB_BYTES = 16, SCSI_SENSE_BYTES = 18 };
enum { SCSI_GOOD = 0, SCSI_CHECK_CONDITION = 2, SCSI_BUSY = 8, SCSI_RESERVATION_CONFLICT = 0x18, SCSI_TASK_SET_FULL = 0x28 };
enum { /* sense keys */
    SENSE_NONE = 0, SENSE_NOT_READY = 2, SENSE_MEDIUM_ERROR = 3, SENSE_HARDWARE_ERROR = 4, SENSE_ILLEGAL_REQUEST = 5,
    SENSE_UNIT_ATTENTION = 6, SENSE_DATA_PROTECT = 7, SENSE_ABORTED_COMMAND = 11, SENSE_MISCOMPARE = 14,
};

typedef struct ScsiSense { uint8_t key, asc, ascq; } ScsiSense;

typedef struct ScsiRequestOps {
    /* len bytes of buf are for the adapter to take (from the device) or to fill; then scsi_continue(). */
    void (*data)(ScsiRequest *req, uint8_t *buf, uint32_t len);
    void (*complete)(ScsiRequest *req);
} ScsiRequestOps;

struct ScsiRequest {
    /* By the adapter. */
    const ScsiRequestOps *ops;
    void *opaque;
    uint8_t cdb[SCSI_CDB_BYTES];
    const struct iovec *iov;   /* NULL: through data() */
    unsigned n_iov;
    uint64_t iov_bytes;
    /* By scsi_parse(). */
    uint64_t xfer_bytes;       /* what the command is about to move at most */
    bool to_device;
    /* The result: before complete(). */
    uint8_t status;
    uint8_t sense[SCSI_SENSE_BYTES];
    uint8_t sense_bytes;
    uint64_t done_bytes;
    /* The unit's own. */
    ScsiUnit *unit;
    ScsiRequest *next, **prev;
    uint8_t *buf;
    uint32_t buf_bytes, part_bytes;
    uint64_t lba, left_blocks, moved;
    bool in_data, final_part, internal_read;
    struct iovec bounce;
    void (*collected)(ScsiRequest *req, const uint8_t *data, uint32_t len);
};

struct ScsiUnit {
    BlockConf *conf;           /* blk taken */
    Device *dev;
    bool is_cdrom, removable, dpofua;
    uint8_t scsi_version;
    uint16_t rotation_rate;
    uint64_t wwn, port_wwn, max_io_bytes, max_unmap_bytes;
    char vendor[9], product[17], revision[5];
    const char *serial, *device_id;
    uint32_t block_bytes;
    /* State. */
    bool write_cache, tray_open, locked, event_new_media, event_eject, stopped;
    ScsiSense attention;       /* key 0: none */
    ScsiSense last;            /* for REQUEST SENSE */
    ScsiRequest *requests;
    /* Told of changes the adapter may pass on (virtio-scsi's events); may be NULL. */
    void (*changed)(ScsiUnit *unit, ScsiSense why);
    uint32_t (*list_luns)(ScsiUnit *unit, uint8_t *buf, uint32_t room);  /* REPORT LUNS; NULL: one at 0 */
};

/* conf->blk is attached; sets up media hooks. Identity fields are the caller's to fill, before or after. */
void scsi_unit_init(ScsiUnit *unit, Device *dev, BlockConf *conf, bool is_cdrom);
void scsi_unit_reset(ScsiUnit *unit);
void scsi_unit_finish(ScsiUnit *unit);
extern const StateDesc scsi_unit_state;

/* False: the CDB is of a group nobody defines; xfer_bytes is 0, scsi_start() will refuse it. */
bool scsi_parse(ScsiUnit *unit, ScsiRequest *req);
void scsi_start(ScsiUnit *unit, ScsiRequest *req);
/* After data(). */
void scsi_continue(ScsiRequest *req);
/* Forgets a request that waits in data(); complete() is not called. */
void scsi_abort(ScsiRequest *req);
/* Ends a request without a unit (no such LUN). */
void scsi_start_absent(ScsiRequest *req, uint32_t (*list_luns)(void *opaque, uint8_t *buf, uint32_t room), void *opaque);
void scsi_build_sense(uint8_t out[SCSI_SENSE_BYTES], ScsiSense s);
static inline uint8_t scsi_cdb_bytes(uint8_t opcode)
{
    static const uint8_t lengths[8] = { 6, 10, 10, 0, 16, 12, 0, 0 };
    return lengths[opcode >> 5];
}

/* -- the bus ------------------------------------------------------------------------------------------------------- */

typedef struct ScsiDevice ScsiDevice;
typedef struct ScsiBus ScsiBus;

typedef struct ScsiHba {
    uint32_t max_channel, max_target, max_lun; /* largest numbers */
    void (*plugged)(ScsiBus *bus, ScsiDevice *sd);
    void (*unplugged)(ScsiBus *bus, ScsiDevice *sd);
    void (*changed)(ScsiBus *bus, ScsiDevice *sd, ScsiSense why);
} ScsiHba;

struct ScsiBus {
    Bus bus;
    const ScsiHba *hba;
};

struct ScsiDevice {
    Device dev;
    BlockConf conf;
    ScsiUnit unit;
    uint32_t channel, id, lun;
    bool removable, dpofua;
    uint16_t rotation_rate, port_index;
    int32_t scsi_version;
    uint64_t wwn, port_wwn, max_io_size, max_unmap_size;
    char *vendor, *product, *ver, *device_id;
};

/* name NULL: "scsi.N" or "ID.0". */
void scsi_bus_init(ScsiBus *bus, Device *parent, const char *name, const ScsiHba *hba);
/* NULL: no such unit; *ret_target_exists tells whether the target has others. */
ScsiDevice *scsi_bus_find(ScsiBus *bus, uint32_t channel, uint32_t id, uint32_t lun, bool *ret_target_exists);
/* The LUNs of a target, 8 bytes each, for REPORT LUNS; bytes needed. */
uint32_t scsi_bus_list_luns(ScsiBus *bus, uint32_t channel, uint32_t id, uint8_t *buf, uint32_t room);
/* Makes scsi-hd or scsi-cd for each -drive if=scsi of this bus number. */
NODISCARD bool scsi_bus_add_drives(ScsiBus *bus, unsigned number, Error **errp);

#endif
