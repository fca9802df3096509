/*
 * dma.h: scatter lists in guest memory, and disk transfers straight into them.
 *
 * A controller makes a DmaList from its own descriptors (PRDs, PRPs, …), bounded by what one command may transfer, and
 * either copies (registers, small answers) or gives it to dma_block_rw().
 *
 * Threads: BQL.
 */
#ifndef HW_DMA_H
#define HW_DMA_H

#include "block/block.h"
#include "softmmu/memory.h"
#include "util/alloc.h"

typedef struct DmaPiece {
    gpa addr;
    uint64_t len;
} DmaPiece;

typedef struct DmaList {
    VEC(DmaPiece) pieces;
    uint64_t bytes;
} DmaList;

static inline void dma_list_add(DmaList *list, gpa addr, uint64_t len)
{
    DmaPiece *last = list->pieces.n ? &list->pieces.at[list->pieces.n - 1] : NULL;

    if (last && last->addr + last->len == addr) {
        last->len += len;
    } else if (len) {
        *vec_push(&list->pieces) = (DmaPiece){ addr, len };
    }
    list->bytes += len;
}

static inline void dma_list_finish(DmaList *list)
{
    vec_free(&list->pieces);
    list->bytes = 0;
}

/* RAM only: a descriptor that points to a device's registers would let a guest call one device from within another. ROM
 * swallows writes. */
MemResult dma_read(AddressSpace *as, gpa addr, void *buf, uint64_t len);
MemResult dma_write(AddressSpace *as, gpa addr, const void *buf, uint64_t len);

/* Copies at position `skip` of the list; returns the bytes copied, fewer when the list ends or memory refuses. */
uint64_t dma_list_read(AddressSpace *as, const DmaList *list, uint64_t skip, void *buf, uint64_t len);
uint64_t dma_list_write(AddressSpace *as, const DmaList *list, uint64_t skip, const void *buf, uint64_t len);

/* Disk and list.bytes of guest memory. Takes the list over. done() gets 0 or a negative errno (-EFAULT: memory refused),
 * perhaps before the call returns. flags: BLOCK_FUA. */
void dma_block_rw(AddressSpace *as, DmaList *list, BlockBackend *blk, bool is_write, uint64_t offset, unsigned flags,
                  BlockDone *done, void *opaque);

#endif
