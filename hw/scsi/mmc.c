/*
 * mmc.c: commands of CD-ROM and DVD-ROM drives: one data track, one session.
 *
 * Specification: MMC-6, 6 (commands), 5 (features). Leaves out: audio, recording, regions and keys.
 */
#include "hw/scsi/internal.h"

enum { CD_MAX_BLOCKS = 80 * 60 * 75, LEAD_OUT = 0xaa, RAW_CHUNK = 16 };
enum { PROFILE_NONE = 0, PROFILE_CD_ROM = 8, PROFILE_DVD_ROM = 0x10 };

static unsigned profile(const ScsiUnit *unit)
{
    ScsiSense why;
    return !scsi_ready(unit, &why) ? PROFILE_NONE : scsi_blocks(unit) <= CD_MAX_BLOCKS ? PROFILE_CD_ROM : PROFILE_DVD_ROM;
}

/* Addresses in four bytes: blocks, or minute, second, frame with two seconds of lead-in. */
static void address(uint8_t *out, uint32_t lba, bool msf)
{
    if (!msf) {
        stbe32(out, lba);
        return;
    }
    lba += 150;
    out[0] = 0;
    out[1] = (uint8_t)(lba / 75 / 60);
    out[2] = (uint8_t)(lba / 75 % 60);
    out[3] = (uint8_t)(lba % 75);
}

/* 6.26 */
static unsigned toc(const ScsiUnit *unit, uint8_t *out, bool msf, unsigned first)
{
    unsigned n = 4;

    out[2] = out[3] = 1;
    if (first <= 1) {
        out[n + 1] = 0x14; /* data track, position in the subchannel */
        out[n + 2] = 1;
        address(out + n + 4, 0, msf);
        n += 8;
    }
    out[n + 1] = 0x14;
    out[n + 2] = LEAD_OUT;
    address(out + n + 4, (uint32_t)MIN(scsi_blocks(unit), UINT32_MAX), msf);
    return n + 8;
}

static unsigned toc_session(uint8_t *out, bool msf)
{
    out[2] = out[3] = 1;
    out[5] = 0x14;
    out[6] = 1;
    address(out + 8, 0, msf);
    return 12;
}

static unsigned toc_raw_entry(uint8_t *out, uint8_t point, bool msf, uint32_t lba, uint8_t minute)
{
    out[0] = 1;    /* session */
    out[1] = 0x14;
    out[3] = point;
    if (point == 0xa0 || point == 0xa1) {
        out[8] = minute;
    } else if (msf) {
        address(out + 7, lba, true);
    } else {
        stbe32(out + 7, lba);
    }
    return 11;
}

static unsigned toc_raw(const ScsiUnit *unit, uint8_t *out)
{
    unsigned n = 4;

    out[2] = out[3] = 1;
    n += toc_raw_entry(out + n, 0xa0, true, 0, 1);
    n += toc_raw_entry(out + n, 0xa1, true, 0, 1);
    n += toc_raw_entry(out + n, 0xa2, true, (uint32_t)MIN(scsi_blocks(unit), UINT32_MAX), 0);
    n += toc_raw_entry(out + n, 1, true, 0, 0);
    return n;
}

static void read_toc(ScsiUnit *unit, ScsiRequest *req)
{
    const uint8_t *c = req->cdb;
    bool msf = c[1] & 2;
    unsigned format = c[2] & 15 ? c[2] & 15 : c[9] >> 6, n; /* old drivers put it into the control byte */
    uint8_t out[128] = { 0 };

    switch (format) {
    case 0:
        if (c[6] > 1 && c[6] != LEAD_OUT) {
            scsi_check(req, INVALID_FIELD);
            return;
        }
        n = toc(unit, out, msf, c[6]);
        break;
    case 1: n = toc_session(out, msf); break;
    case 2: n = toc_raw(unit, out); break;
    default:
        scsi_check(req, INVALID_FIELD);
        return;
    }
    stbe16(out, (uint16_t)(n - 2));
    scsi_reply(req, out, n, ldbe16(c + 7));
}

/* -- features (5.3) ---------------------------------------------------------------------------------------------------------- */

static unsigned feature(uint8_t *out, uint16_t code, uint8_t version, bool persistent, bool current, const void *data, unsigned len)
{
    stbe16(out, code);
    out[2] = (uint8_t)(version << 2 | persistent << 1 | current);
    out[3] = (uint8_t)len;
    memcpy(out + 4, data, len);
    return len + 4;
}

static void get_configuration(ScsiUnit *unit, ScsiRequest *req)
{
    const uint8_t *c = req->cdb;
    unsigned type = c[1] & 3, start = ldbe16(c + 2), now = profile(unit), n = 8;
    bool medium = now != PROFILE_NONE, cd = now == PROFILE_CD_ROM, dvd = now == PROFILE_DVD_ROM;
    const struct { uint16_t code; uint8_t version, len; bool persistent, current; uint8_t data[12]; } features[] = {
        { 0x0000, 0, 8, true, true, { 0, PROFILE_DVD_ROM, dvd, 0, 0, PROFILE_CD_ROM, cd, 0 } },          /* profiles */
        { 0x0001, 2, 8, true, true, { 0, 0, 0, unit->scsi_version ? 1 : 2, 1, 0, 0, 0 } },               /* core */
        { 0x0003, 1, 4, true, true, { 1 | 8 | 1 << 5, 0, 0, 0 } },                                       /* removable medium */
        { 0x0010, 0, 8, false, medium, { 0, 0, 8, 0, 0, 1, 0, 0 } },                                     /* random readable */
        { 0x001e, 2, 4, false, cd, { 0, 0, 0, 0 } },                                                     /* CD read */
        { 0x001f, 0, 4, false, dvd, { 0, 0, 0, 0 } },                                                    /* DVD read */
    };
    uint8_t out[128] = { 0 };

    if (type == 3) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    stbe16(out + 6, (uint16_t)now);
    for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
        bool wanted = type == 2 ? features[i].code == start
                                : features[i].code >= start && (type == 0 || features[i].current);
        if (wanted) {
            n += feature(out + n, features[i].code, features[i].version, features[i].persistent, features[i].current,
                         features[i].data, features[i].len);
        }
    }
    stbe32(out, n - 4);
    scsi_reply(req, out, n, ldbe16(c + 7));
}

/* 6.6: polled, media class only. */
static void get_event_status(ScsiUnit *unit, ScsiRequest *req)
{
    uint8_t out[8] = { 0 };
    unsigned n = 4;

    if (!(req->cdb[1] & 1)) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    out[3] = 1 << 4;
    if (req->cdb[4] & 1 << 4) {
        out[2] = 4;
        if (unit->event_new_media) {
            out[4] = 2;
            unit->event_new_media = false;
        } else if (unit->event_eject) {
            out[4] = 1;
            unit->event_eject = false;
        }
        out[5] = (uint8_t)((unit->tray_open ? 1 : 0) | (block_has_medium(unit->conf->blk) && !unit->tray_open ? 2 : 0));
        n = 8;
    } else {
        out[2] = 0x80; /* no class that was asked for */
    }
    stbe16(out, (uint16_t)(n - 2));
    scsi_reply(req, out, n, ldbe16(req->cdb + 7));
}

static void read_disc_info(ScsiUnit *unit, ScsiRequest *req)
{
    uint8_t out[34] = { 0 };

    if (req->cdb[1] & 7) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    stbe16(out, sizeof(out) - 2);
    out[2] = 0x0e;                 /* last session complete, disc finalized */
    out[3] = out[4] = out[5] = out[6] = 1;
    out[7] = 0x20;                 /* unrestricted use */
    memset(out + 17, 0xff, 7);
    scsi_reply(req, out, sizeof(out), ldbe16(req->cdb + 7));
}

static void read_track_info(ScsiUnit *unit, ScsiRequest *req)
{
    uint8_t out[36] = { 0 };
    uint32_t number = ldbe32(req->cdb + 2), blocks = (uint32_t)MIN(scsi_blocks(unit), UINT32_MAX);
    unsigned kind = req->cdb[1] & 3;

    if (kind > 2 || (kind == 0 ? number >= blocks : number != 1)) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    stbe16(out, sizeof(out) - 2);
    out[2] = out[3] = 1;
    out[5] = 4;                    /* data track */
    out[6] = 1;                    /* mode 1 */
    stbe32(out + 24, blocks);
    scsi_reply(req, out, sizeof(out), ldbe16(req->cdb + 7));
}

static void mechanism_status(ScsiUnit *unit, ScsiRequest *req)
{
    uint8_t out[8] = { 0 };

    out[1] = unit->tray_open ? 1 << 4 : 0;
    out[5] = 1;
    scsi_reply(req, out, sizeof(out), ldbe16(req->cdb + 8));
}

/* 6.22: single layer, one closed disc. */
static void read_dvd_structure(ScsiUnit *unit, ScsiRequest *req)
{
    const uint8_t *c = req->cdb;
    uint8_t out[4 + 2048] = { 0 }, *d = out + 4;
    uint32_t last = (uint32_t)MIN(scsi_blocks(unit), 0xcfffff) - 1;
    unsigned n;

    if (c[7] != 0xff && profile(unit) != PROFILE_DVD_ROM) {
        scsi_check(req, profile(unit) == PROFILE_NONE ? NO_MEDIUM : INCOMPATIBLE_FORMAT);
        return;
    }
    if (c[6] || (c[1] & 15)) {
        scsi_check(req, INVALID_FIELD);
        return;
    }
    switch (c[7]) {
    case 0:
        d[0] = 1;                                  /* DVD-ROM, version 1 */
        d[1] = 0x0f;                               /* 120 mm, no rate given */
        d[2] = 1;                                  /* one layer, embossed */
        stbe32(d + 4, 0x30000);
        stbe32(d + 8, 0x30000 + last);
        stbe32(d + 12, 0x30000 + last);
        n = 2048;
        break;
    case 1: n = 4; break;                          /* no copyright protection */
    case 4: n = 2048; break;                       /* no manufacturing data */
    case 0xff: {
        static const uint8_t formats[][4] = { { 0, 0x40, 8, 4 }, { 1, 0x40, 0, 8 }, { 4, 0x40, 8, 4 } };
        memcpy(d, formats, sizeof(formats));
        n = sizeof(formats);
        break;
    }
    default:
        scsi_check(req, INVALID_FIELD);
        return;
    }
    stbe16(out, (uint16_t)(n + 2));
    scsi_reply(req, out, n + 4, ldbe16(c + 8));
}

/* -- READ CD (6.19): user data, or whole sectors of 2352 bytes without error correction --------------------------------------- */

typedef struct RawRead {
    ScsiRequest *req;
    uint8_t data[RAW_CHUNK * CD_BLOCK];
    uint32_t lba, left, chunk;
    uint64_t at;
    struct iovec iov;
} RawRead;

static void raw_step(RawRead *r);

static void raw_sector(uint8_t *out, uint32_t lba, const uint8_t *data)
{
    memset(out, 0, CD_RAW);
    memset(out + 1, 0xff, 10);
    address(out + 11, lba, true);
    out[11] = 0;
    for (unsigned i = 12; i < 15; i++) { /* header addresses are in BCD */
        out[i] = (uint8_t)(out[i] / 10 << 4 | out[i] % 10);
    }
    out[15] = 1;
    memcpy(out + 16, data, CD_BLOCK);
}

static void raw_end(RawRead *r, int result)
{
    ScsiRequest *req = r->req;

    free(r);
    scsi_block_done(req, result);
}

static void raw_done(void *opaque, int result)
{
    RawRead *r = opaque;
    uint8_t sector[CD_RAW];

    if (result) {
        raw_end(r, result);
        return;
    }
    for (uint32_t i = 0; i < r->chunk; i++) {
        raw_sector(sector, r->lba + i, r->data + i * CD_BLOCK);
        size_t skip = r->at;
        for (unsigned k = 0, put = 0; k < r->req->n_iov && put < CD_RAW; k++) {
            const struct iovec *v = &r->req->iov[k];
            if (skip >= v->iov_len) {
                skip -= v->iov_len;
                continue;
            }
            unsigned part = (unsigned)MIN(v->iov_len - skip, CD_RAW - put);
            memcpy((uint8_t *)v->iov_base + skip, sector + put, part);
            put += part;
            skip = 0;
        }
        r->at += CD_RAW;
    }
    r->req->done_bytes = MIN(r->at, r->req->iov_bytes);
    r->lba += r->chunk;
    r->left -= r->chunk;
    if (r->at >= r->req->iov_bytes) {
        r->left = 0;
    }
    raw_step(r);
}

static void raw_step(RawRead *r)
{
    if (!r->left) {
        raw_end(r, 0);
        return;
    }
    r->chunk = MIN(r->left, RAW_CHUNK);
    r->iov = (struct iovec){ r->data, (size_t)r->chunk * CD_BLOCK };
    block_readv(r->req->unit->conf->blk, (uint64_t)r->lba * CD_BLOCK, &r->iov, 1, raw_done, r);
}

static void read_cd(ScsiUnit *unit, ScsiRequest *req)
{
    const uint8_t *c = req->cdb;
    uint32_t lba = ldbe32(c + 2), blocks = ldbe32(c + 5) & 0xffffff;
    unsigned kind = c[1] >> 2 & 7, what = c[9] & 0xf8;

    if (kind && kind != 2) { /* any, or mode 1 */
        scsi_check(req, ILLEGAL_TRACK_MODE);
    } else if (lba > scsi_blocks(unit) || blocks > scsi_blocks(unit) - lba) {
        scsi_check(req, LBA_OUT_OF_RANGE);
    } else if (!blocks || !what) {
        scsi_good(req);
    } else if (what == 0x10) {
        scsi_rw(req, lba, blocks, false);
    } else if (what == 0xf8 && req->iov) {
        RawRead *r = xmalloc(sizeof(*r));
        r->req = req;
        r->lba = lba;
        r->left = blocks;
        r->at = 0;
        raw_step(r);
    } else {
        scsi_check(req, INVALID_FIELD);
    }
}

bool scsi_mmc(ScsiUnit *unit, ScsiRequest *req)
{
    switch (req->cdb[0]) {
    case OP_READ_TOC: read_toc(unit, req); return true;
    case OP_GET_CONFIGURATION: get_configuration(unit, req); return true;
    case OP_GET_EVENT_STATUS: get_event_status(unit, req); return true;
    case OP_READ_DISC_INFO: read_disc_info(unit, req); return true;
    case OP_READ_TRACK_INFO: read_track_info(unit, req); return true;
    case OP_MECHANISM_STATUS: mechanism_status(unit, req); return true;
    case OP_READ_DVD_STRUCTURE: read_dvd_structure(unit, req); return true;
    case OP_READ_CD: read_cd(unit, req); return true;
    case OP_SET_CD_SPEED:
        scsi_good(req);
        return true;
    case OP_READ_CAPACITY_10: case OP_SERVICE_IN_16: case OP_VERIFY_10: case OP_SEEK_10:
        return scsi_disk_command(unit, req, ldbe32(req->cdb + 2), ldbe16(req->cdb + 7));
    default:
        return false;
    }
}
