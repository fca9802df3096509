/*
 * vvfat.h: what the files of the vvfat driver share: a folder of the host as the files of a FAT volume.
 *
 * Specification: "Microsoft Extensible Firmware Initiative FAT32 File System Specification" 1.03 (FAT12, FAT16, FAT32, long names).
 *
 * The volume is made when it is opened: boot sector, tables and folders are in memory, the contents of files stay where they are.
 */
#ifndef BLOCK_VVFAT_H
#define BLOCK_VVFAT_H

#include "util/error.h"

enum { FAT_SECTOR = 512, FAT_LABEL_BYTES = 11, FAT_ENTRY_BYTES = 32 };

/* Clusters in a row: of a folder, in memory, or of a file. */
typedef struct FatExtent {
    uint32_t first, n;
    uint64_t bytes;
    char *path;          /* of the file; NULL: a folder */
    uint8_t *data;
} FatExtent;

typedef struct FatVolume {
    unsigned bits;                                   /* 12, 16, 32 */
    bool floppy;
    char label[FAT_LABEL_BYTES + 1];
    uint32_t cylinders, heads, per_track;            /* of the disk */
    uint64_t disk_bytes;
    uint32_t start;                                  /* sector of the partition */
    uint32_t reserved, fat_sectors, root_sectors, cluster_sectors, n_clusters; /* root_sectors 0: a folder as others are */
    uint8_t *head;                                   /* of the disk, up to the first cluster */
    uint64_t head_bytes;
    uint32_t next_cluster;
    FatExtent *extents;                              /* by their first cluster */
    size_t n_extents, cap_extents;
} FatVolume;

/* `v` has bits (0: as usual), floppy and label. */
bool fat_make(FatVolume *v, const char *folder, Error **errp);
void fat_free(FatVolume *v);
/* The extent with a cluster; NULL: it is free. */
const FatExtent *fat_extent_at(const FatVolume *v, uint32_t cluster);

#endif
