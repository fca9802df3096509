/*
 * block-conf.c: the properties every disk device has.
 *
 * Geometry: what the MBR's partitions imply (the end of one is the last sector of a cylinder), else 16 heads and 63 sectors.
 */
#include "hw/block-conf.h"
#include "util/bits.h"

const char *const block_conf_on_off_auto[] = { "auto", "on", "off", NULL };

enum { CACHE_AUTO, CACHE_ON, CACHE_OFF, MAX_BLOCK = 2 << 20 };

char *block_conf_owner(const Device *dev)
{
    char *path = dev->id ? xstrdup(dev->id) : object_path(&dev->obj);
    return path ? path : xstrdup(dev->obj.type->name);
}

static bool check_size(const char *name, uint64_t *size, uint64_t usual, Error **errp)
{
    if (!*size) {
        *size = usual;
    }
    if (*size < 512 || *size > MAX_BLOCK || !bits_is_pow2(*size)) {
        error_set(errp, "Property %s must be a power of two between 512 and %u", name, MAX_BLOCK);
        return false;
    }
    return true;
}

bool block_conf_attach(BlockConf *conf, Device *dev, bool writes, bool may_be_empty, unsigned usual_bytes, Error **errp)
{
    if (!conf->blk && !may_be_empty) {
        error_set(errp, "drive property not set");
        return false;
    }
    if (!may_be_empty && !block_has_medium(conf->blk)) {
        error_set(errp, "Device needs media, but drive is empty");
        return false;
    }
    if (!check_size("logical_block_size", &conf->logical_block_size, usual_bytes, errp) ||
        !check_size("physical_block_size", &conf->physical_block_size, MAX(conf->logical_block_size, 512u), errp)) {
        return false;
    }
    if (conf->logical_block_size > conf->physical_block_size) {
        error_set(errp, "logical_block_size > physical_block_size not supported");
        return false;
    }
    if (conf->min_io_size % conf->logical_block_size || conf->opt_io_size % conf->logical_block_size) {
        error_set(errp, "min_io_size and opt_io_size must be multiples of logical_block_size");
        return false;
    }
    if (conf->rerror == BLOCK_ON_ERROR_ENOSPC) {
        error_set(errp, "rerror=enospc is not a policy for reading");
        return false;
    }
    char *owner = block_conf_owner(dev);
    bool ok = block_attach(&conf->blk, owner, writes, errp);
    free(owner);
    if (ok) {
        block_set_error_policy(conf->blk, (BlockOnError)conf->rerror, (BlockOnError)conf->werror);
    }
    return ok;
}

void block_conf_detach(BlockConf *conf)
{
    if (conf->blk) {
        block_detach(&conf->blk);
    }
}

bool block_conf_write_cache(const BlockConf *conf)
{
    return conf->write_cache == CACHE_AUTO ? block_has_write_cache(conf->blk) : conf->write_cache == CACHE_ON;
}

const char *block_conf_serial(const BlockConf *conf)
{
    return conf->serial ? conf->serial : block_serial(conf->blk);
}

static void guess_geometry(BlockConf *conf)
{
    uint64_t sectors = block_size_bytes(conf->blk) / 512;
    uint8_t mbr[512];

    conf->heads = 16;
    conf->secs = 63;
    if (!block_pread(conf->blk, 0, mbr, sizeof(mbr)) && ldle16(mbr + 510) == 0xaa55) {
        for (unsigned i = 0; i < 4; i++) {
            const uint8_t *p = mbr + 0x1be + i * 16;
            unsigned heads = p[5] + 1u, secs = p[6] & 63;
            if (ldle32(p + 12) && p[5] && secs && sectors / (heads * secs) >= 1 && sectors / (heads * secs) <= 16383 && heads <= 16) {
                conf->heads = heads;
                conf->secs = secs;
                break;
            }
        }
    }
    uint64_t cyls = sectors / (conf->heads * conf->secs);
    conf->cyls = (uint32_t)(cyls > 16383 ? 16383 : cyls < 2 ? 2 : cyls);
}

bool block_conf_geometry(BlockConf *conf, uint32_t max_cyls, uint32_t max_heads, uint32_t max_secs, Error **errp)
{
    if (!conf->cyls && !conf->heads && !conf->secs) {
        guess_geometry(conf);
        return true;
    }
    if (!conf->cyls || conf->cyls > max_cyls) {
        error_set(errp, "cyls must be between 1 and %u", max_cyls);
    } else if (!conf->heads || conf->heads > max_heads) {
        error_set(errp, "heads must be between 1 and %u", max_heads);
    } else if (!conf->secs || conf->secs > max_secs) {
        error_set(errp, "secs must be between 1 and %u", max_secs);
    } else {
        return true;
    }
    return false;
}
