/*
 * pages.c: what a unit tells about itself: INQUIRY with vital product data, mode pages.
 *
 * Specification: SPC-4, 6.6 (INQUIRY), 7.5 (mode parameters), 7.8 (vital product data); SBC-3, 6.4, 6.5; MMC-6, 7.
 */
#include "hw/scsi/internal.h"

enum { VPD_SUPPORTED = 0, VPD_SERIAL = 0x80, VPD_IDS = 0x83, VPD_LIMITS = 0xb0, VPD_CHARACTERISTICS = 0xb1, VPD_PROVISIONING = 0xb2 };
enum { PAGE_RECOVERY = 1, PAGE_RIGID_GEOMETRY = 4, PAGE_FLEXIBLE_DISK = 5, PAGE_CACHING = 8, PAGE_AUDIO = 0x0e, PAGE_CAPABILITIES = 0x2a,
       PAGE_ALL = 0x3f };
enum { PC_CURRENT = 0, PC_CHANGEABLE = 1, PC_DEFAULT = 2, PC_SAVED = 3 };

static void padded(uint8_t *to, const char *text, size_t bytes)
{
    size_t n = strnlen(text, bytes);

    memset(to, ' ', bytes);
    memcpy(to, text, n);
}

static uint8_t device_type_byte(const ScsiUnit *unit)
{
    return unit->is_cdrom ? 5 : 0;
}

/* -- vital product data ------------------------------------------------------------------------------------------------------ */

static unsigned vpd_supported(const ScsiUnit *unit, uint8_t *out)
{
    unsigned n = 0;

    out[n++] = VPD_SUPPORTED;
    if (unit->serial) {
        out[n++] = VPD_SERIAL;
    }
    out[n++] = VPD_IDS;
    if (!unit->is_cdrom) {
        out[n++] = VPD_LIMITS;
        out[n++] = VPD_CHARACTERISTICS;
        out[n++] = VPD_PROVISIONING;
    }
    return n;
}

static unsigned naa(uint8_t *out, uint8_t association, uint64_t value)
{
    out[0] = 1;                              /* binary */
    out[1] = (uint8_t)(association | 3);     /* NAA */
    out[3] = 8;
    stbe64(out + 4, value);
    return 12;
}

static unsigned vpd_ids(const ScsiUnit *unit, uint8_t *out)
{
    const char *id = unit->device_id ? unit->device_id : unit->serial ? unit->serial : block_id(unit->conf->blk);
    size_t len = strnlen(id, 255 - 8);
    unsigned n = 0;

    if (len) {
        out[0] = 2;                          /* ASCII */
        out[3] = (uint8_t)len;
        memcpy(out + 4, id, len);
        n = (unsigned)len + 4;
    }
    if (unit->wwn) {
        n += naa(out + n, 0, unit->wwn);
    }
    if (unit->port_wwn) {
        n += naa(out + n, 0x90, unit->port_wwn); /* of the target port, SAS protocol */
        out[n - 12] |= 0x60;
    }
    return n;
}

static unsigned vpd_limits(const ScsiUnit *unit, uint8_t *out)
{
    uint32_t size = unit->block_bytes;
    uint64_t unmap = unit->max_unmap_bytes / size, io = unit->max_io_bytes / size;
    uint64_t granularity = unit->conf->discard_granularity == UINT32_MAX ? 4096 : unit->conf->discard_granularity;

    stbe16(out + 2, (uint16_t)(unit->conf->min_io_size / size));
    stbe32(out + 4, (uint32_t)MIN(io, UINT32_MAX));
    stbe32(out + 8, (uint32_t)(unit->conf->opt_io_size / size));
    stbe32(out + 16, (uint32_t)MIN(unmap, UINT32_MAX));
    stbe32(out + 20, 255);                   /* descriptors */
    stbe32(out + 24, (uint32_t)(granularity / size));
    stbe64(out + 32, 0);                     /* WRITE SAME: no limit */
    return 60;
}

static void vpd(ScsiUnit *unit, ScsiRequest *req)
{
    uint8_t out[1024] = { 0 };
    unsigned n;

    out[0] = device_type_byte(unit);
    out[1] = req->cdb[2];
    switch (req->cdb[2]) {
    case VPD_SUPPORTED:
        n = vpd_supported(unit, out + 4);
        break;
    case VPD_SERIAL:
        if (!unit->serial) {
            scsi_check(req, INVALID_FIELD);
            return;
        }
        n = (unsigned)strnlen(unit->serial, 36);
        memcpy(out + 4, unit->serial, n);
        break;
    case VPD_IDS:
        n = vpd_ids(unit, out + 4);
        break;
    default:
        if (unit->is_cdrom || req->cdb[2] < VPD_LIMITS || req->cdb[2] > VPD_PROVISIONING) {
            scsi_check(req, INVALID_FIELD);
            return;
        }
        if (req->cdb[2] == VPD_LIMITS) {
            n = vpd_limits(unit, out + 4);
        } else if (req->cdb[2] == VPD_CHARACTERISTICS) {
            stbe16(out + 4, unit->rotation_rate);
            n = 60;
        } else {
            out[5] = unit->conf->discard_granularity ? 0xe0 : 0; /* UNMAP, WRITE SAME (16) and (10) unmap */
            out[6] = unit->conf->discard_granularity ? 2 : 0;    /* thin */
            n = 4;
        }
        break;
    }
    stbe16(out + 2, (uint16_t)n);
    scsi_reply(req, out, n + 4, ldbe16(req->cdb + 3));
}

void scsi_inquiry(ScsiUnit *unit, ScsiRequest *req)
{
    uint8_t out[36] = { 0 };

    if (req->cdb[1] & 1) {
        vpd(unit, req);
        return;
    }
    if (req->cdb[2] || (req->cdb[1] & 2)) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    out[0] = device_type_byte(unit);
    out[1] = unit->removable ? 0x80 : 0;
    out[2] = unit->scsi_version;
    out[3] = unit->scsi_version ? 2 | 0x10 : 0x21; /* ATAPI: version 2 of its transport */
    out[4] = sizeof(out) - 5;
    out[7] = unit->scsi_version ? 2 : 0;           /* command queueing */
    padded(out + 8, unit->vendor, 8);
    padded(out + 16, unit->product, 16);
    padded(out + 32, unit->revision, 4);
    scsi_reply(req, out, sizeof(out), ldbe16(req->cdb + 3));
}

/* -- mode pages ------------------------------------------------------------------------------------------------------------------ */

/* Writes page `code` with its header; 0: the unit has none of this code. */
static unsigned mode_page(const ScsiUnit *unit, unsigned code, unsigned control, uint8_t *out)
{
    bool values = control != PC_CHANGEABLE;
    const BlockConf *conf = unit->conf;
    uint8_t *p = out + 2;
    unsigned n;

    switch (code) {
    case PAGE_RECOVERY:
        n = unit->is_cdrom ? 6 : 10;
        p[0] = values && !unit->is_cdrom ? 0x80 : 0; /* automatic reallocation of writes */
        p[1] = values && unit->is_cdrom ? 0x20 : 0;  /* read retries */
        break;
    case PAGE_RIGID_GEOMETRY:
        if (unit->is_cdrom || !conf->cyls) {
            return 0;
        }
        n = 22;
        if (values) {
            p[0] = (uint8_t)(conf->cyls >> 16);
            stbe16(p + 1, (uint16_t)conf->cyls);
            p[3] = (uint8_t)conf->heads;
            memcpy(p + 4, p, 3);                     /* no write precompensation, no reduced current */
            memcpy(p + 7, p, 3);
            stbe16(p + 18, 5400);
        }
        break;
    case PAGE_FLEXIBLE_DISK:
        if (unit->is_cdrom || !conf->cyls) {
            return 0;
        }
        n = 30;
        if (values) {
            stbe16(p, 5000);                         /* kbit/s */
            p[2] = (uint8_t)conf->heads;
            p[3] = (uint8_t)conf->secs;
            stbe16(p + 4, (uint16_t)unit->block_bytes);
            stbe16(p + 6, (uint16_t)MIN(conf->cyls, 65535));
            stbe16(p + 26, 5400);
        }
        break;
    case PAGE_CACHING:
        n = 18;
        p[0] = control == PC_CHANGEABLE ? (unit->is_cdrom ? 0 : 4) : unit->write_cache && !unit->is_cdrom ? 4 : 0;
        break;
    case PAGE_AUDIO:
        if (!unit->is_cdrom) {
            return 0;
        }
        n = 14;
        break;
    case PAGE_CAPABILITIES:
        if (!unit->is_cdrom) {
            return 0;
        }
        n = 20;
        if (values) {
            p[0] = 0x3b;                             /* reads CD-R, CD-RW, method 2, DVD-ROM, DVD-R */
            p[2] = 0x70;                             /* multi session, mode 2 form 1 and 2 */
            p[4] = (uint8_t)(1 | 8 | (unit->locked ? 2 : 0) | 1 << 5); /* lock, eject, tray */
            stbe16(p + 6, 50 * 176);                 /* 50x */
            stbe16(p + 8, 2);
            stbe16(p + 10, 2048);                    /* buffer, KiB */
            stbe16(p + 12, 16 * 176);
        }
        break;
    default:
        return 0;
    }
    out[0] = (uint8_t)code;
    out[1] = (uint8_t)n;
    return n + 2;
}

void scsi_mode_sense(ScsiUnit *unit, ScsiRequest *req)
{
    const uint8_t *c = req->cdb;
    bool is_10 = c[0] == OP_MODE_SENSE_10, dbd = c[1] & 8;
    unsigned code = c[2] & 63, control = c[2] >> 6, n = is_10 ? 8 : 4, header = n;
    uint8_t out[512] = { 0 };
    uint8_t specific = 0;

    if (control == PC_SAVED) {
        scsi_check(req, SAVING_NOT_SUPPORTED);
        return;
    }
    if (c[3] && c[3] != 0xff) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    if (!unit->is_cdrom) {
        specific = (uint8_t)((block_is_readonly(unit->conf->blk) ? 0x80 : 0) | (unit->dpofua ? 0x10 : 0));
    }
    if (!dbd && !unit->is_cdrom) {
        uint64_t blocks = scsi_blocks(unit);
        stbe32(out + n, (uint32_t)(blocks > 0xffffff ? 0 : blocks));
        stbe32(out + n + 4, unit->block_bytes);
        out[n] = 0;
        out[n + 4] = 0;
        n += 8;
    }
    unsigned before = n;
    if (code == PAGE_ALL) {
        for (unsigned i = 0; i < PAGE_ALL; i++) {
            n += mode_page(unit, i, control, out + n);
        }
    } else {
        n += mode_page(unit, code, control, out + n);
    }
    if (n == before) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    if (is_10) {
        stbe16(out, (uint16_t)(n - 2));
        out[3] = specific;
        out[7] = (uint8_t)(before - header);
    } else {
        out[0] = (uint8_t)(n - 1);
        out[2] = specific;
        out[3] = (uint8_t)(before - header);
    }
    scsi_reply(req, out, n, is_10 ? ldbe16(c + 7) : c[4]);
}

static bool check_page(const ScsiUnit *unit, const uint8_t *page, unsigned len)
{
    uint8_t current[64] = { 0 }, mask[64] = { 0 };
    unsigned n = mode_page(unit, page[0] & 63, PC_CURRENT, current);

    if (!n || n != len || page[0] & 0x40) {
        return false;
    }
    mode_page(unit, page[0] & 63, PC_CHANGEABLE, mask);
    for (unsigned i = 2; i < len; i++) {
        if ((page[i] ^ current[i]) & ~mask[i]) {
            return false;
        }
    }
    return true;
}

static void select_flushed(void *opaque, int result)
{
    scsi_block_done(opaque, result);
}

static void select_collected(ScsiRequest *req, const uint8_t *data, uint32_t len)
{
    ScsiUnit *unit = req->unit;
    bool is_10 = req->cdb[0] == OP_MODE_SELECT_10, write_cache = unit->write_cache;
    unsigned header = is_10 ? 8 : 4, at;

    if (!len) {
        scsi_good(req);
        return;
    }
    if (len < header) {
        scsi_check(req, INVALID_PARAM_LEN);
        return;
    }
    at = header + (is_10 ? ldbe16(data + 6) : data[3]);
    if (at > len || (at != header && at != header + 8)) {
        scsi_check(req, at > len ? INVALID_PARAM_LEN : INVALID_PARAM);
        return;
    }
    if (at != header && (ldbe32(data + header + 4) & 0xffffff) != unit->block_bytes) {
        scsi_check(req, INVALID_PARAM);
        return;
    }
    while (at < len) {
        unsigned bytes = at + 2 <= len ? data[at + 1] + 2u : UINT16_MAX;
        if (at + bytes > len) {
            scsi_check(req, INVALID_PARAM_LEN);
            return;
        }
        if (!check_page(unit, data + at, bytes)) {
            scsi_check(req, INVALID_PARAM);
            return;
        }
        if ((data[at] & 63) == PAGE_CACHING && !unit->is_cdrom) {
            write_cache = data[at + 2] & 4;
        }
        at += bytes;
    }
    bool flush = unit->write_cache && !write_cache;
    unit->write_cache = write_cache;
    if (flush) {
        block_flush(unit->conf->blk, select_flushed, req);
    } else {
        scsi_good(req);
    }
}

void scsi_mode_select(ScsiUnit *unit, ScsiRequest *req)
{
    /* Page format only; nothing can be saved. */
    if ((req->cdb[1] & 0x11) != 0x10) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    scsi_collect(req, (uint32_t)req->xfer_bytes, select_collected);
}
