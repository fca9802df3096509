/*
 * prp.c: the guest memory of a command: physical region pages and lists of them.
 *
 * Specification: NVM Express 1.4, 4.3. The number of entries read follows from the length, which the command bounds.
 */
#include "hw/nvme/nvme.h"

uint16_t nvme_map(NvmeRequest *r, uint64_t bytes)
{
    NvmeCtrl *n = r->n;
    uint32_t page = n->page_bytes;
    gpa prp1 = ldle64(r->cmd + 24), prp2 = ldle64(r->cmd + 32);
    uint64_t first = MIN(bytes, page - prp1 % page);

    if (prp1 & 3) {
        return NVME_INVALID_PRP_OFFSET | NVME_DNR;
    }
    dma_list_add(&r->list, prp1, first);
    uint64_t left = bytes - first;
    if (!left) {
        return NVME_OK;
    }
    if (left <= page) {
        if (prp2 % page) {
            return NVME_INVALID_PRP_OFFSET | NVME_DNR;
        }
        dma_list_add(&r->list, prp2, left);
        return NVME_OK;
    }
    if (prp2 & 7) {
        return NVME_INVALID_PRP_OFFSET | NVME_DNR;
    }
    /* prp2 is a list; where more than fits into its page is needed, the last entry names the next list. */
    uint8_t *entries = xmalloc(page);
    uint16_t status = NVME_OK;
    gpa at = prp2;
    while (left && status == NVME_OK) {
        uint32_t room = (page - (uint32_t)(at % page)) / 8;
        uint64_t need = DIV_ROUND_UP(left, page);
        uint32_t count = (uint32_t)MIN(need, room);
        bool chained = need > room;
        if (dma_read(&n->pci.dma, at, entries, (uint64_t)count * 8) != MEM_OK) {
            status = NVME_TRANSFER_ERROR;
            break;
        }
        for (uint32_t i = 0; i < count - chained; i++) {
            gpa addr = ldle64(entries + i * 8);
            if (addr % page) {
                status = NVME_INVALID_PRP_OFFSET | NVME_DNR;
                break;
            }
            uint64_t len = MIN(left, page);
            dma_list_add(&r->list, addr, len);
            left -= len;
        }
        if (chained) {
            at = ldle64(entries + (count - 1) * 8);
            if (at % page) {
                status = NVME_INVALID_PRP_OFFSET | NVME_DNR;
            }
        }
    }
    free(entries);
    return status;
}

uint16_t nvme_reply(NvmeRequest *r, const void *data, uint32_t data_bytes, uint64_t skip, uint32_t bytes)
{
    if (skip > data_bytes) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    uint32_t len = (uint32_t)MIN(bytes, data_bytes - skip);
    uint16_t status = nvme_map(r, len);
    if (status != NVME_OK) {
        return status;
    }
    return dma_list_write(&r->n->pci.dma, &r->list, 0, (const uint8_t *)data + skip, len) == len ? NVME_OK : NVME_TRANSFER_ERROR;
}
