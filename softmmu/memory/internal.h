/*
 * internal.h: what the files of softmmu/memory/ share.
 */
#ifndef SOFTMMU_MEMORY_INTERNAL_H
#define SOFTMMU_MEMORY_INTERNAL_H

#include "softmmu/memory.h"

/* One stretch of an address space that one region answers. */
typedef struct FlatRange {
    gpa first, last;     /* both included, so that 2^64 bytes need no wider type */
    MemoryRegion *mr;
    uint64_t offset;     /* of `first` in mr */
    uint8_t *host;       /* of `first`; NULL: ask the ops */
    RamBlock *ram;
    bool readonly;       /* a stage on the way, or the region itself, forbids stores to host */
} FlatRange;

struct FlatView {
    RcuHead rcu;
    size_t n;
    FlatRange *ranges;   /* ascending, not overlapping */
};

FlatView *flatview_render(MemoryRegion *root);
void flatview_free(FlatView *view);
const FlatRange *flatview_find(const FlatView *view, gpa addr);
AddressSpace *address_space_first(void);

bool ram_block_alloc(MemoryRegion *mr, uint64_t size_bytes, Error **errp);
void ram_block_adopt(MemoryRegion *mr, uint64_t size_bytes, void *host, int fd);
void ram_block_release(RamBlock *ram);

#endif
