/*
 * block-conf.h: the properties every disk device has, and how it takes its drive.
 */
#ifndef HW_BLOCK_CONF_H
#define HW_BLOCK_CONF_H

#include "block/block.h"
#include "hw/boot.h"
#include "hw/device.h"

typedef struct BlockConf {
    BlockBackend *blk;
    uint64_t logical_block_size, physical_block_size, min_io_size, opt_io_size;
    uint64_t discard_granularity;
    int32_t bootindex;            /* hw/boot.h */
    int write_cache;           /* auto, on, off */
    int rerror, werror;        /* BlockOnError */
    uint32_t cyls, heads, secs;
    char *serial;
} BlockConf;

extern const char *const block_conf_on_off_auto[];

#define BLOCK_ERROR_PROPS(T, m)                                                                                      \
    { .name = "rerror", .kind = PROP_ENUM, .offset = offsetof(T, m rerror), .names = block_on_error_names, .def = 0,    \
      .has_default = true, .type_name = "BlockdevOnError", .help = "Error handling policy, report/ignore/enospc/stop/auto" }, \
    { .name = "werror", .kind = PROP_ENUM, .offset = offsetof(T, m werror), .names = block_on_error_names, .def = 0,    \
      .has_default = true, .type_name = "BlockdevOnError", .help = "Error handling policy, report/ignore/enospc/stop/auto" }

#define BLOCK_CONF_PROPS(T, m)                                                                                       \
    PROP_BLK("drive", T, m.blk),                                                                                      \
    PROP_SZ("logical_block_size", T, m.logical_block_size, 0, "A power of two between 512 B and 2 MiB; 0: usual"),     \
    PROP_SZ("physical_block_size", T, m.physical_block_size, 0, "A power of two between 512 B and 2 MiB; 0: as logical"), \
    PROP_SZ("min_io_size", T, m.min_io_size, 0, "Bytes"), PROP_SZ("opt_io_size", T, m.opt_io_size, 0, "Bytes"),         \
    PROP_SZ("discard_granularity", T, m.discard_granularity, UINT32_MAX, "Bytes"),                                     \
    PROP_BOOTINDEX(T, m.bootindex, ""),                                                                                \
    { .name = "write-cache", .kind = PROP_ENUM, .offset = offsetof(T, m.write_cache), .names = block_conf_on_off_auto, \
      .def = 0, .has_default = true, .type_name = "OnOffAuto", .help = "The write cache at reset; auto: the drive's" }, \
    BLOCK_ERROR_PROPS(T, m.)

#define BLOCK_CONF_SERIAL_PROP(T, m) PROP_STR("serial", T, m.serial, "Serial number the guest sees")
#define BLOCK_CONF_CHS_PROPS(T, m)                                                                                   \
    PROP_U32("cyls", T, m.cyls, 0, "Cylinders; 0: guess"), PROP_U32("heads", T, m.heads, 0, "Heads; 0: guess"),        \
    PROP_U32("secs", T, m.secs, 0, "Sectors a track; 0: guess")

/* Checks sizes and takes the drive (an empty one when none is named and `may_be_empty`). On success block sizes are set,
 * `usual_bytes` where the user said nothing. */
NODISCARD bool block_conf_attach(BlockConf *conf, Device *dev, bool writes, bool may_be_empty, unsigned usual_bytes, Error **errp);
void block_conf_detach(BlockConf *conf);
/* What the drive's cache is at reset. */
bool block_conf_write_cache(const BlockConf *conf);
/* serial= of the device, then of the -drive; NULL. */
const char *block_conf_serial(const BlockConf *conf);
/* The device's -device id or its path; malloc'd. */
char *block_conf_owner(const Device *dev);
/* Cylinders, heads and sectors: as given, or from the partition table's ends, or what firmware would take. */
NODISCARD bool block_conf_geometry(BlockConf *conf, uint32_t max_cyls, uint32_t max_heads, uint32_t max_secs, Error **errp);

#endif
