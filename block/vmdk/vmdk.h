/*
 * vmdk.h: what the files of the vmdk driver share.
 *
 * Specification: "Virtual Disk Format 5.0" (VMware, 2011): descriptor, simple extents, hosted sparse extents, stream-optimized extents;
 * "Virtual Disk Format 1.1" for sparse extents of ESX servers ("COWD").
 *
 * A disk is extents one after the other: files with the data as it is (flat), sparse ones with a grain directory and grain tables, and
 * ranges of zeros. A text, the descriptor, names them; it is a file of its own, or in the only extent's. An image that others are based
 * on has a content id (CID) that is changed when it is written; the others know it.
 */
#ifndef BLOCK_VMDK_H
#define BLOCK_VMDK_H

#include "block/blocktables.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { VMDK_SECTOR = 512, VMDK_DESCRIPTOR_SECTORS = 20, VMDK_MAX_EXTENTS = 4096, VMDK_MAX_GTES = 512 };
#define VMDK_MAGIC 0x4b444d56u         /* "KDMV", big-endian */
#define COWD_MAGIC 0x434f5744u         /* "COWD" */
#define VMDK_MAX_DESCRIPTOR (1 * MiB)
#define VMDK_EXTENT_LIMIT (2 * GiB)    /* of the twoGb… kinds */
#define VMDK_NO_PARENT 0xffffffffu
#define VMDK_GD_AT_END UINT64_MAX

#define FLAG_REDUNDANT 2u
#define FLAG_ZERO_GRAIN 4u
#define FLAG_COMPRESSED (1u << 16)
#define FLAG_MARKERS (1u << 17)

/* Of the header of a hosted sparse extent, little-endian. */
enum {
    VMDK_VERSION = 4, VMDK_FLAGS = 8, VMDK_CAPACITY = 12, VMDK_GRAIN = 20, VMDK_DESC_OFFSET = 28, VMDK_DESC_SIZE = 36, VMDK_GTES = 44, VMDK_RGD = 48, VMDK_GD = 56,
    VMDK_OVERHEAD = 64, VMDK_LINE_ENDS = 73, VMDK_ALGORITHM = 77,
    VMDK_MARKER_BYTES = 12, /* of a compressed grain: its sector, the bytes of its data */
};

typedef enum VmdkKind { VMDK_FLAT, VMDK_ZERO, VMDK_SPARSE } VmdkKind;

typedef struct VmdkExtent {
    VmdkKind kind;
    const char *type;              /* as the descriptor has it; "" in an image of one file */
    BlockNode *file;
    uint64_t start, bytes;         /* of the disk */
    uint64_t file_offset;          /* flat */
    bool readonly;
    /* sparse: */
    BlockMap map;
    BlockTables tables, backup;    /* backup.l1_entries 0: none */
    uint64_t capacity, descriptor_offset, descriptor_bytes;
    bool compressed, has_zero_grain, has_footer;
} VmdkExtent;

typedef struct VmdkState {
    VmdkExtent **extents;
    unsigned n_extents;
    char *create_type;
    uint32_t cid, parent_cid;
    uint64_t cid_at;               /* where its digits are in the file; 0: nowhere */
    bool cid_changed, parent_known, parent_ok;
} VmdkState;

/* -- descriptor.c -- */
unsigned vmdk_probe(const uint8_t *head, size_t bytes, const char *filename);
/* The value behind `key=` at the start of a line, without quotes; NULL: none. The caller's. */
char *vmdk_value(const char *text, const char *key);
/* The extents a descriptor names, opened. */
bool vmdk_open_extents(BlockNode *node, const char *text, Json *options, Error **errp);
VmdkExtent *vmdk_add_extent(VmdkState *s, VmdkKind kind, const char *type, BlockNode *file, uint64_t bytes);
/* The descriptor's common part. */
bool vmdk_read_descriptor(BlockNode *node, const char *text, uint64_t at, Error **errp);

/* -- sparse.c -- */
/* Fills in a sparse extent from its file's header. */
bool vmdk_open_sparse(BlockNode *node, VmdkExtent *e, Error **errp);

/* -- create.c -- */
bool vmdk_create(const char *filename, const Json *options, Error **errp);
extern const BlockOption vmdk_create_options[];

#endif
