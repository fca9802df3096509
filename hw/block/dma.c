/*
 * dma.c: disk transfers into scatter lists of guest memory, a bounded part at a time.
 */
#include <errno.h>

#include "hw/dma.h"

#include "util/rcu.h"

enum { DMA_PART_BYTES = 1 << 20, DMA_PART_PIECES = 256 };

/* RAM at addr: how much of `len` is in one piece; NULL: something else is there. */
static uint8_t *ram_at(AddressSpace *as, gpa addr, uint64_t *len, bool is_write, bool *ret_readonly)
{
    rcu_read_lock();
    MemLookup at = memory_lookup_dma(as, addr, is_write);
    rcu_read_unlock();
    *len = MIN(*len, at.length);
    *ret_readonly = at.readonly;
    return at.ram ? at.host : NULL;
}

MemResult dma_read(AddressSpace *as, gpa addr, void *buf, uint64_t len)
{
    for (uint64_t part; len; addr += part, buf = (uint8_t *)buf + part, len -= part) {
        bool readonly;
        part = len;
        const uint8_t *host = ram_at(as, addr, &part, false, &readonly);
        if (!host || !part) {
            return MEM_DECODE_ERROR;
        }
        memcpy(buf, host, part);
    }
    return MEM_OK;
}

MemResult dma_write(AddressSpace *as, gpa addr, const void *buf, uint64_t len)
{
    for (uint64_t part; len; addr += part, buf = (const uint8_t *)buf + part, len -= part) {
        bool readonly;
        part = len;
        uint8_t *host = ram_at(as, addr, &part, true, &readonly);
        if (!host || !part) {
            return MEM_DECODE_ERROR;
        }
        if (!readonly) {
            memcpy(host, buf, part);
            memory_unmap(as, host, part, true, part);
        }
    }
    return MEM_OK;
}

static uint64_t copy(AddressSpace *as, const DmaList *list, uint64_t skip, uint8_t *buf, uint64_t len, bool to_guest)
{
    uint64_t done = 0;

    for (size_t i = 0; i < list->pieces.n && done < len; i++) {
        DmaPiece p = list->pieces.at[i];
        if (skip >= p.len) {
            skip -= p.len;
            continue;
        }
        uint64_t part = MIN(p.len - skip, len - done);
        MemResult r = to_guest ? dma_write(as, p.addr + skip, buf + done, part)
                               : dma_read(as, p.addr + skip, buf + done, part);
        if (r != MEM_OK) {
            break;
        }
        done += part;
        skip = 0;
    }
    return done;
}

uint64_t dma_list_read(AddressSpace *as, const DmaList *list, uint64_t skip, void *buf, uint64_t len)
{
    return copy(as, list, skip, buf, len, false);
}

uint64_t dma_list_write(AddressSpace *as, const DmaList *list, uint64_t skip, const void *buf, uint64_t len)
{
    return copy(as, list, skip, (uint8_t *)buf, len, true);
}

typedef struct DmaIo {
    AddressSpace *as;
    DmaList list;
    size_t piece;          /* where in the list the next part begins */
    uint64_t piece_skip;
    BlockBackend *blk;
    bool is_write;
    unsigned flags, n_iov;
    uint64_t offset, part_bytes;
    struct iovec iov[DMA_PART_PIECES];
    BlockDone *done;
    void *opaque;
} DmaIo;

static void part_done(void *opaque, int result);

static void unmap(DmaIo *io, bool used)
{
    for (unsigned i = 0; i < io->n_iov; i++) {
        memory_unmap(io->as, io->iov[i].iov_base, io->iov[i].iov_len, !io->is_write, used ? io->iov[i].iov_len : 0);
    }
    io->n_iov = 0;
}

static void finish(DmaIo *io, int result)
{
    BlockDone *done = io->done;
    void *opaque = io->opaque;

    dma_list_finish(&io->list);
    free(io);
    done(opaque, result);
}

static void next_part(DmaIo *io)
{
    io->part_bytes = 0;
    while (io->piece < io->list.pieces.n && io->n_iov < DMA_PART_PIECES && io->part_bytes < DMA_PART_BYTES) {
        DmaPiece p = io->list.pieces.at[io->piece];
        uint64_t len = MIN(p.len - io->piece_skip, DMA_PART_BYTES - io->part_bytes);
        bool readonly;
        uint8_t *host = ram_at(io->as, p.addr + io->piece_skip, &len, !io->is_write, &readonly);
        if (!host || !len || (readonly && !io->is_write)) {
            break;
        }
        io->iov[io->n_iov++] = (struct iovec){ host, len };
        io->part_bytes += len;
        io->piece_skip += len;
        if (io->piece_skip == p.len) {
            io->piece++;
            io->piece_skip = 0;
        }
    }
    if (!io->n_iov) {
        finish(io, io->piece < io->list.pieces.n ? -EFAULT : 0);
    } else if (io->is_write) {
        block_writev(io->blk, io->offset, io->iov, io->n_iov, io->flags, part_done, io);
    } else {
        block_readv(io->blk, io->offset, io->iov, io->n_iov, part_done, io);
    }
}

static void part_done(void *opaque, int result)
{
    DmaIo *io = opaque;

    unmap(io, result == 0);
    if (result) {
        finish(io, result);
        return;
    }
    io->offset += io->part_bytes;
    next_part(io);
}

void dma_block_rw(AddressSpace *as, DmaList *list, BlockBackend *blk, bool is_write, uint64_t offset, unsigned flags,
                  BlockDone *done, void *opaque)
{
    DmaIo *io = xmalloc(sizeof(*io));

    io->as = as;
    io->list = *list;
    *list = (DmaList){ { NULL, 0, 0 }, 0 };
    io->piece = 0;
    io->piece_skip = 0;
    io->n_iov = 0;
    io->blk = blk;
    io->is_write = is_write;
    io->flags = flags;
    io->offset = offset;
    io->done = done;
    io->opaque = opaque;
    next_part(io);
}
