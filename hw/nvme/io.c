/*
 * io.c: commands on namespaces: read, write, flush, compare, write zeroes, data set management.
 *
 * Specification: NVM Express 1.4, 6. Leaves out: write uncorrectable, verify, reservations, metadata.
 */
#include <errno.h>

#include "hw/nvme/nvme.h"

enum { OP_FLUSH = 0, OP_WRITE = 1, OP_READ = 2, OP_COMPARE = 5, OP_WRITE_ZEROES = 8, OP_DSM = 9 };
enum { DSM_RANGE_BYTES = 16, DSM_DEALLOCATE = 4 };
#define DW12_FUA UINT32_C(0x40000000)
#define DW12_DEAC UINT32_C(0x02000000)

static uint16_t status_of(const NvmeRequest *r, int result)
{
    switch (result) {
    case 0: return NVME_OK;
    case -EFAULT: return NVME_TRANSFER_ERROR;
    case -EPERM: return NVME_READ_ONLY | NVME_DNR;
    case -ENOSPC: return NVME_CAPACITY | NVME_DNR;
    default: return r->cmd[0] == OP_READ || r->cmd[0] == OP_COMPARE ? NVME_READ_ERROR : NVME_WRITE_FAULT;
    }
}

static void io_done(void *opaque, int result)
{
    NvmeRequest *r = opaque;
    nvme_complete(r, status_of(r, result));
}

/* Start and length in bytes of the blocks a command names; a status. */
static uint16_t range(NvmeRequest *r, uint64_t *ret_at, uint64_t *ret_bytes)
{
    unsigned shift = r->ns->lba_shift;
    uint64_t lba = ldle64(r->cmd + 40), blocks = (nvme_dw(r, 12) & 0xffff) + 1u, total = block_size_bytes(r->ns->conf.blk) >> shift;

    if (lba > total || blocks > total - lba) {
        return NVME_LBA_RANGE | NVME_DNR;
    }
    *ret_at = lba << shift;
    *ret_bytes = blocks << shift;
    return NVME_OK;
}

static uint16_t data_range(NvmeRequest *r, uint64_t *ret_at, uint64_t *ret_bytes)
{
    NvmeCtrl *n = r->n;
    uint64_t bytes = ((uint64_t)(nvme_dw(r, 12) & 0xffff) + 1) << r->ns->lba_shift;

    if (n->mdts && bytes > (uint64_t)NVME_PAGE_MIN << n->mdts) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    uint16_t status = range(r, ret_at, ret_bytes);
    return status != NVME_OK ? status : nvme_map(r, bytes);
}

static unsigned write_flags(const NvmeRequest *r)
{
    return (nvme_dw(r, 12) & DW12_FUA) || !r->n->write_cache ? BLOCK_FUA : 0;
}

static uint16_t read_write(NvmeRequest *r, bool is_write)
{
    NvmeCtrl *n = r->n;
    uint64_t at, bytes;

    if (is_write && block_is_readonly(r->ns->conf.blk)) {
        return NVME_READ_ONLY | NVME_DNR;
    }
    uint16_t status = data_range(r, &at, &bytes);
    if (status != NVME_OK) {
        return status;
    }
    *(is_write ? &n->writes : &n->reads) += 1;
    *(is_write ? &n->write_bytes : &n->read_bytes) += bytes;
    dma_block_rw(&n->pci.dma, &r->list, r->ns->conf.blk, is_write, at, is_write ? write_flags(r) : 0, io_done, r);
    return NVME_PENDING;
}

/* -- compare ------------------------------------------------------------------------------------------------------------- */

static void compare_step(NvmeRequest *r);

static void compare_done(void *opaque, int result)
{
    NvmeRequest *r = opaque;
    uint8_t *guest = r->buf + NVME_COMPARE_BYTES;
    uint64_t len = r->iov.iov_len, skip = r->list.bytes - r->left;

    if (result || !r->ns) {
        nvme_complete(r, result ? status_of(r, result) : NVME_INVALID_NS);
        return;
    }
    if (dma_list_read(&r->n->pci.dma, &r->list, skip, guest, len) != len) {
        nvme_complete(r, NVME_TRANSFER_ERROR);
        return;
    }
    if (memcmp(r->buf, guest, len)) {
        nvme_complete(r, NVME_COMPARE_FAILURE | NVME_DNR);
        return;
    }
    r->at += len;
    r->left -= len;
    if (r->left) {
        compare_step(r);
    } else {
        nvme_complete(r, NVME_OK);
    }
}

static void compare_step(NvmeRequest *r)
{
    r->iov = (struct iovec){ r->buf, MIN(r->left, NVME_COMPARE_BYTES) };
    block_readv(r->ns->conf.blk, r->at, &r->iov, 1, compare_done, r);
}

static uint16_t compare(NvmeRequest *r)
{
    uint64_t bytes;
    uint16_t status = data_range(r, &r->at, &bytes);

    if (status != NVME_OK) {
        return status;
    }
    r->left = bytes;
    r->buf = xmalloc(2 * NVME_COMPARE_BYTES);
    compare_step(r);
    return NVME_PENDING;
}

/* -- deallocation ------------------------------------------------------------------------------------------------------------ */

static void dsm_step(void *opaque, int result)
{
    NvmeRequest *r = opaque;

    if (result || !r->left || !r->ns) {
        nvme_complete(r, status_of(r, result));
        return;
    }
    const uint8_t *e = r->buf + r->at;
    unsigned shift = r->ns->lba_shift;
    r->at += DSM_RANGE_BYTES;
    r->left--;
    block_discard(r->ns->conf.blk, ldle64(e + 8) << shift, (uint64_t)ldle32(e + 4) << shift, dsm_step, r);
}

static uint16_t data_set_management(NvmeRequest *r)
{
    uint32_t n = (nvme_dw(r, 10) & 0xff) + 1, bytes = n * DSM_RANGE_BYTES;
    uint64_t total = block_size_bytes(r->ns->conf.blk) >> r->ns->lba_shift;
    uint16_t status = nvme_map(r, bytes);

    if (status != NVME_OK) {
        return status;
    }
    r->buf = xmalloc(bytes);
    if (dma_list_read(&r->n->pci.dma, &r->list, 0, r->buf, bytes) != bytes) {
        return NVME_TRANSFER_ERROR;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t lba = ldle64(r->buf + i * DSM_RANGE_BYTES + 8), blocks = ldle32(r->buf + i * DSM_RANGE_BYTES + 4);
        if (lba > total || blocks > total - lba) {
            return NVME_LBA_RANGE | NVME_DNR;
        }
    }
    if (!(nvme_dw(r, 11) & DSM_DEALLOCATE)) {
        return NVME_OK; /* hints */
    }
    if (block_is_readonly(r->ns->conf.blk)) {
        return NVME_READ_ONLY | NVME_DNR;
    }
    r->at = 0;
    r->left = n;
    dsm_step(r, 0);
    return NVME_PENDING;
}

static uint16_t write_zeroes(NvmeRequest *r)
{
    uint64_t at, bytes;

    if (block_is_readonly(r->ns->conf.blk)) {
        return NVME_READ_ONLY | NVME_DNR;
    }
    uint16_t status = range(r, &at, &bytes);
    if (status != NVME_OK) {
        return status;
    }
    block_write_zeroes(r->ns->conf.blk, at, bytes, write_flags(r) | (nvme_dw(r, 12) & DW12_DEAC ? BLOCK_UNMAP : 0), io_done, r);
    return NVME_PENDING;
}

/* -- flush: one namespace or, one after the other, all -------------------------------------------------------------------------- */

static void flush_step(void *opaque, int result)
{
    NvmeRequest *r = opaque;

    while (!result && r->at < NVME_MAX_NS) {
        NvmeNs *ns = r->n->ns[++r->at];
        if (ns) {
            block_flush(ns->conf.blk, flush_step, r);
            return;
        }
    }
    nvme_complete(r, status_of(r, result));
}

uint16_t nvme_io(NvmeRequest *r)
{
    uint32_t nsid = ldle32(r->cmd + 4);

    if (r->cmd[0] == OP_FLUSH && nsid == UINT32_MAX) {
        r->at = 0;
        flush_step(r, 0);
        return NVME_PENDING;
    }
    if (!nsid || nsid > NVME_MAX_NS) {
        return NVME_INVALID_NS | NVME_DNR;
    }
    r->ns = r->n->ns[nsid];
    if (!r->ns) {
        return NVME_INVALID_FIELD | NVME_DNR; /* 6.1.5: an inactive namespace */
    }
    switch (r->cmd[0]) {
    case OP_FLUSH:
        block_flush(r->ns->conf.blk, io_done, r);
        return NVME_PENDING;
    case OP_WRITE: return read_write(r, true);
    case OP_READ: return read_write(r, false);
    case OP_COMPARE: return compare(r);
    case OP_WRITE_ZEROES: return write_zeroes(r);
    case OP_DSM: return data_set_management(r);
    default: return NVME_INVALID_OPCODE | NVME_DNR;
    }
}
