/*
 * vhdx.h: what the files of the vhdx driver share.
 *
 * Specification: [MS-VHDX] "Virtual Hard Disk v2 (VHDX) File Format" (Microsoft): 2.2 header section, 2.3 log, 2.5 BAT, 2.6 metadata region.
 *
 * A file is a header section of 1 MiB (identifier, two headers of which the newer is true, two copies of the region table), the log, the BAT
 * with the place of each block, metadata, and the blocks. All of them begin at multiples of 1 MiB.
 */
#ifndef BLOCK_VHDX_H
#define BLOCK_VHDX_H

#include "block/blockmap.h"
#include "util/bits.h"

enum {
    VHDX_HEADER_1 = 64 << 10, VHDX_HEADER_2 = 128 << 10, VHDX_REGIONS_1 = 192 << 10, VHDX_REGIONS_2 = 256 << 10, VHDX_REGIONS_BYTES = 64 << 10,
    VHDX_HEADER_BYTES = 4096, VHDX_METADATA_BYTES = 64 << 10, VHDX_GUID = 16,
    /* of a header */
    HEADER_CHECKSUM = 4, HEADER_SEQUENCE = 8, HEADER_FILE_GUID = 16, HEADER_DATA_GUID = 32, HEADER_LOG_GUID = 48, HEADER_LOG_VERSION = 64, HEADER_VERSION = 66,
    HEADER_LOG_BYTES = 68, HEADER_LOG_OFFSET = 72,
    /* of a table of regions or metadata */
    REGIONS_CHECKSUM = 4, REGIONS_COUNT = 8, REGIONS_ENTRIES = 16, METADATA_COUNT = 10, METADATA_ENTRIES = 32, ENTRY_BYTES = 32,
};
#define VHDX_UNIT (1 * MiB)
#define VHDX_MAX_BLOCK (256 * MiB)
#define VHDX_MAX_BYTES (64 * TiB)
#define VHDX_MAX_LOG (128 * MiB)
#define PAYLOAD_STATE 7u
#define PAYLOAD_OFFSET (~(VHDX_UNIT - 1))

typedef enum PayloadState { PAYLOAD_NOT_PRESENT = 0, PAYLOAD_UNDEFINED = 1, PAYLOAD_ZERO = 2, PAYLOAD_UNMAPPED = 3, PAYLOAD_PRESENT = 6, PAYLOAD_PARTIAL = 7 } PayloadState;

typedef struct VhdxState {
    BlockMap map;
    uint64_t bat, chunk_ratio;
    uint8_t header[VHDX_HEADER_BYTES];  /* the one that is true */
    uint64_t header_at;
    uint64_t log_offset, log_bytes;
    uint64_t data_from;
    bool log_replayed, guids_changed;
} VhdxState;

extern const uint8_t vhdx_guid_bat[VHDX_GUID], vhdx_guid_metadata[VHDX_GUID], vhdx_guid_parameters[VHDX_GUID], vhdx_guid_size[VHDX_GUID],
    vhdx_guid_page_83[VHDX_GUID], vhdx_guid_logical[VHDX_GUID], vhdx_guid_physical[VHDX_GUID], vhdx_guid_parent[VHDX_GUID], vhdx_guid_none[VHDX_GUID];

/* CRC-32C of a structure whose checksum, 4 bytes at `skip`, counts as zeros. */
uint32_t vhdx_checksum(const uint8_t *data, size_t bytes, size_t skip);
/* The other header becomes the true one; `header` has what it shall say but for sequence number and checksum. Not in coroutines. */
int vhdx_write_header(BlockNode *file, uint8_t *header, uint64_t *header_at);

/* -- log.c -- */
/* Brings what the log says to its places and empties it. Only for images that are written. */
bool vhdx_replay_log(BlockNode *node, Error **errp);

/* -- create.c -- */
bool vhdx_create(const char *filename, const Json *options, Error **errp);
extern const BlockOption vhdx_create_options[];

#endif
