/*
 * create.c: new images: headers, region tables, an empty log, the BAT, metadata.
 */
#include <errno.h>
#include <string.h>

#include "block/vhdx/vhdx.h"
#include "softmmu/options.h"
#include "util/alloc.h"

const BlockOption vhdx_create_options[] = {
    { "size", OPTION_SIZE, "Virtual disk size; max of 64TB.", NULL },
    { "log_size", OPTION_SIZE, "Log size; min 1MB.", "1048576" },
    { "block_size", OPTION_SIZE, "Block Size; min 1MB, max 256MB. 0 means auto-calculate based on image size.", "0" },
    { "subformat", OPTION_STRING, "VHDX format type, can be either 'dynamic' or 'fixed'. Default is 'dynamic'.", NULL },
    { "block_state_zero", OPTION_BOOL, "Force use of payload blocks of type 'ZERO'. Non-standard, but default.  Do not set to 'off' when using 'qemu-img convert' with subformat=dynamic.", NULL },
    { NULL },
};

typedef struct CreateOptions {
    uint64_t size, log, block;
    bool fixed, zero_state;
    uint64_t blocks, entries, chunk_ratio, bat, bat_bytes, metadata, data;   /* places in the file */
} CreateOptions;

static bool read_options(const Json *options, CreateOptions *o, Error **errp)
{
    const char *subformat;

    if (!opts_size(options, "size", 0, &o->size, errp) || !opts_size(options, "log_size", 1 * MiB, &o->log, errp) ||
        !opts_size(options, "block_size", 0, &o->block, errp) || !opts_string(options, "subformat", "dynamic", &subformat, errp) ||
        !opts_bool(options, "block_state_zero", true, &o->zero_state, errp)) {
        return false;
    }
    o->fixed = !strcmp(subformat, "fixed");
    if (!o->fixed && strcmp(subformat, "dynamic")) {
        error_set(errp, "Parameter 'subformat' does not accept value '%s'", subformat);
        return false;
    }
    if (o->size > VHDX_MAX_BYTES) {
        error_set(errp, "Image size too large; max of 64TB");
        return false;
    }
    o->size = ROUND_UP(o->size, (uint64_t)512);
    if (o->log >= 4 * GiB - VHDX_UNIT) {
        error_set(errp, "Log size must be smaller than 4 GB");
        return false;
    }
    if (!o->log) {
        error_set(errp, "Log size must be a multiple of 1 MB");
        return false;
    }
    o->log = ROUND_UP(o->log, VHDX_UNIT);
    if (!o->block) {
        o->block = o->size > 32 * TiB ? 64 * MiB : o->size > 100 * GiB ? 32 * MiB : o->size > 1 * GiB ? 16 * MiB : 8 * MiB;
    }
    if (o->block != VHDX_UNIT && !bits_is_pow2(o->block)) {
        error_set(errp, "Block size must be a power of two");
        return false;
    }
    o->block = MIN(MAX(o->block, VHDX_UNIT), VHDX_MAX_BLOCK);
    o->chunk_ratio = (512ull << 23) / o->block;
    o->blocks = DIV_ROUND_UP(o->size, o->block);
    o->entries = o->blocks ? o->blocks + (o->blocks - 1) / o->chunk_ratio : 0;
    o->bat = VHDX_UNIT + o->log;
    o->bat_bytes = MAX(ROUND_UP(o->entries * 8, VHDX_UNIT), VHDX_UNIT);
    o->metadata = o->bat + o->bat_bytes;
    o->data = o->metadata + VHDX_UNIT;
    return true;
}

static int write_headers(BlockNode *file, const CreateOptions *o)
{
    static const char creator[] = "QEMU";
    uint8_t *buf = xcalloc(1, VHDX_REGIONS_BYTES);
    int err;

    memcpy(buf, "vhdxfile", 8);
    for (size_t i = 0; i < sizeof(creator) - 1; i++) {
        buf[8 + 2 * i] = (uint8_t)creator[i]; /* UTF-16 */
    }
    err = node_pwrite(file, 0, buf, VHDX_HEADER_BYTES, 0);
    memset(buf, 0, VHDX_HEADER_BYTES);
    memcpy(buf, "head", 4);
    format_uuid(buf + HEADER_FILE_GUID);
    format_uuid(buf + HEADER_DATA_GUID);
    stle16(buf + HEADER_VERSION, 1);
    stle32(buf + HEADER_LOG_BYTES, (uint32_t)o->log);
    stle64(buf + HEADER_LOG_OFFSET, VHDX_UNIT);
    uint64_t at = VHDX_HEADER_2;
    for (unsigned i = 0; i < 2 && !err; i++) {
        err = vhdx_write_header(file, buf, &at);
    }
    memset(buf, 0, VHDX_HEADER_BYTES);
    memcpy(buf, "regi", 4);
    stle32(buf + REGIONS_COUNT, 2);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *e = buf + REGIONS_ENTRIES + i * ENTRY_BYTES;
        memcpy(e, i ? vhdx_guid_metadata : vhdx_guid_bat, VHDX_GUID);
        stle64(e + 16, i ? o->metadata : o->bat);
        stle32(e + 24, i ? (uint32_t)VHDX_UNIT : (uint32_t)o->bat_bytes);
        stle32(e + 28, 1);
    }
    stle32(buf + REGIONS_CHECKSUM, vhdx_checksum(buf, VHDX_REGIONS_BYTES, REGIONS_CHECKSUM));
    err = err ? err : node_pwrite(file, VHDX_REGIONS_1, buf, VHDX_REGIONS_BYTES, 0);
    err = err ? err : node_pwrite(file, VHDX_REGIONS_2, buf, VHDX_REGIONS_BYTES, 0);
    free(buf);
    return err;
}

static int write_metadata(BlockNode *file, const CreateOptions *o)
{
    enum { IS_DISK = 2, IS_REQUIRED = 4, ITEMS_BYTES = 40 };
    uint8_t *buf = xcalloc(1, VHDX_METADATA_BYTES + ITEMS_BYTES), *item = buf + VHDX_METADATA_BYTES;
    const struct { const uint8_t *guid; uint32_t at, bytes, flags; } items[] = {
        { vhdx_guid_parameters, 0, 8, IS_REQUIRED }, { vhdx_guid_size, 8, 8, IS_DISK | IS_REQUIRED }, { vhdx_guid_page_83, 16, 16, IS_DISK | IS_REQUIRED },
        { vhdx_guid_logical, 32, 4, IS_DISK | IS_REQUIRED }, { vhdx_guid_physical, 36, 4, IS_DISK | IS_REQUIRED },
    };

    memcpy(buf, "metadata", 8);
    stle16(buf + METADATA_COUNT, ARRAY_SIZE(items));
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        uint8_t *e = buf + METADATA_ENTRIES + i * ENTRY_BYTES;
        memcpy(e, items[i].guid, VHDX_GUID);
        stle32(e + 16, VHDX_METADATA_BYTES + items[i].at);
        stle32(e + 20, items[i].bytes);
        stle32(e + 24, items[i].flags);
    }
    stle32(item, (uint32_t)o->block);
    stle32(item + 4, o->fixed); /* LeaveBlocksAllocated */
    stle64(item + 8, o->size);
    format_uuid(item + 16);
    stle32(item + 32, 512);
    stle32(item + 36, 512);
    int err = node_pwrite(file, o->metadata, buf, VHDX_METADATA_BYTES + ITEMS_BYTES, 0);
    free(buf);
    return err;
}

static int write_bat(BlockNode *file, const CreateOptions *o)
{
    uint8_t *buf = xcalloc(1, VHDX_UNIT);
    int err = 0;

    for (uint64_t done = 0; done < o->bat_bytes && !err; done += VHDX_UNIT) {
        memset(buf, 0, VHDX_UNIT);
        for (uint64_t k = 0; k < VHDX_UNIT / 8 && done / 8 + k < o->entries; k++) {
            uint64_t i = done / 8 + k, chunk = i / (o->chunk_ratio + 1), index = i - chunk;
            if (i % (o->chunk_ratio + 1) != o->chunk_ratio) { /* else a bitmap's, of which there is none */
                stle64(buf + k * 8, o->fixed ? (o->data + index * o->block) | PAYLOAD_PRESENT : o->zero_state ? PAYLOAD_ZERO : PAYLOAD_NOT_PRESENT);
            }
        }
        err = node_pwrite(file, o->bat + done, buf, VHDX_UNIT, 0);
    }
    free(buf);
    return err;
}

bool vhdx_create(const char *filename, const Json *options, Error **errp)
{
    CreateOptions o = { 0 };

    if (!read_options(options, &o, errp)) {
        return false;
    }
    BlockNode *file = format_create_file(filename, options, errp);
    if (!file) {
        return false;
    }
    bool ok = node_truncate(file, o.data + (o.fixed ? o.blocks * o.block : 0), false, PREALLOC_OFF, errp);
    int err = ok ? write_headers(file, &o) : 0;
    err = err || !ok ? err : write_metadata(file, &o);
    err = err || !ok || (!o.fixed && !o.zero_state) ? err : write_bat(file, &o);
    if (err) {
        error_set_errno(errp, -err, "Could not write the image");
    }
    node_unref(file);
    return ok && !err;
}
