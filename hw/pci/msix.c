/*
 * msix.c: message signalled interrupts, extended: a table of addresses and data in a BAR, with pending bits.
 *
 * Specification: PCI Local Bus 3.0, 6.8.2.
 */
#include "hw/pci.h"

enum { ENTRY_BYTES = 16, ENTRY_CONTROL = 12, CONTROL_MASKED = 1 };
enum { CAP_ENABLE = 0x8000, CAP_MASK_ALL = 0x4000 };

static uint16_t control(const PciDevice *pci)
{
    return pci_get16(pci, pci->msix.cap + 2u);
}

bool pci_msix_enabled(const PciDevice *pci)
{
    return pci->msix.cap && (control(pci) & CAP_ENABLE);
}

static bool is_masked(const PciDevice *pci, unsigned vector)
{
    return (control(pci) & CAP_MASK_ALL) || (pci->msix.table[vector * ENTRY_BYTES + ENTRY_CONTROL] & CONTROL_MASKED);
}

static void deliver(PciDevice *pci, unsigned vector)
{
    const uint8_t *entry = pci->msix.table + vector * ENTRY_BYTES;

    if (!pci_wire_send(pci, vector, ldle64(entry), ldle32(entry + 8))) {
        memory_store(&pci->dma, ldle64(entry), 4, MEM_LITTLE_ENDIAN, ldle32(entry + 8), pci_attrs(pci));
    }
}

void pci_msix_notify(PciDevice *pci, unsigned vector)
{
    if (vector >= pci->msix.n_vectors || !pci_msix_enabled(pci)) {
        return;
    }
    if (is_masked(pci, vector)) {
        pci->msix.pending[vector / 8] |= (uint8_t)(1 << vector % 8);
    } else {
        deliver(pci, vector);
    }
}

static void deliver_pending(PciDevice *pci, unsigned vector)
{
    uint8_t bit = (uint8_t)(1 << vector % 8);

    if (pci_msix_enabled(pci) && !is_masked(pci, vector) && (pci->msix.pending[vector / 8] & bit)) {
        pci->msix.pending[vector / 8] &= (uint8_t)~bit;
        deliver(pci, vector);
    }
}

void pci_msix_written(PciDevice *pci, unsigned offset, unsigned size)
{
    if (!pci->msix.cap || offset > pci->msix.cap + 3u || offset + size <= pci->msix.cap + 2u) {
        return;
    }
    if (!pci_msix_enabled(pci)) {
        pci_release_wires(pci);
    }
    for (unsigned i = 0; i < pci->msix.n_vectors; i++) {
        deliver_pending(pci, i);
    }
}

static MemResult table_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    PciDevice *pci = opaque;
    *ret = ldle32(pci->msix.table + offset);
    return MEM_OK;
}

static MemResult table_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    PciDevice *pci = opaque;

    stle32(pci->msix.table + offset, (uint32_t)value);
    deliver_pending(pci, (unsigned)(offset / ENTRY_BYTES));
    return MEM_OK;
}

static MemResult pending_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    PciDevice *pci = opaque;
    *ret = ldle32(pci->msix.pending + offset);
    return MEM_OK;
}

static MemResult pending_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    return MEM_OK;
}

static const MemoryOps table_ops = {
    .read = table_read, .write = table_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 4, 8 }, .impl = { 4, 4 },
};
static const MemoryOps pending_ops = {
    .read = pending_read, .write = pending_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 4, 8 }, .impl = { 4, 4 },
};

bool pci_add_msix(PciDevice *pci, unsigned n_vectors, unsigned bar, MemoryRegion *bar_mr, uint64_t table_offset,
                  uint64_t pending_offset, Error **errp)
{
    PciMsix *m = &pci->msix;
    size_t pending_bytes = DIV_ROUND_UP(n_vectors, 64) * 8;

    if (!n_vectors || n_vectors > 2048) {
        error_set(errp, "the number of MSI-X vectors must be 1 to 2048");
        return false;
    }
    m->n_vectors = n_vectors;
    m->table = xcalloc(n_vectors, ENTRY_BYTES);
    m->pending = xcalloc(1, pending_bytes);
    memory_region_init_mmio(&m->table_mr, &pci->dev.obj, &table_ops, pci, "msix-table", n_vectors * ENTRY_BYTES);
    memory_region_init_mmio(&m->pending_mr, &pci->dev.obj, &pending_ops, pci, "msix-pba", pending_bytes);
    memory_region_add(bar_mr, table_offset, &m->table_mr);
    memory_region_add(bar_mr, pending_offset, &m->pending_mr);
    m->cap = pci_add_cap(pci, PCI_CAP_MSIX, 12);
    stle16(pci->config + m->cap + 2, (uint16_t)(n_vectors - 1));
    stle32(pci->config + m->cap + 4, (uint32_t)table_offset | bar);
    stle32(pci->config + m->cap + 8, (uint32_t)pending_offset | bar);
    stle16(pci->write_mask + m->cap + 2, CAP_ENABLE | CAP_MASK_ALL);
    for (unsigned i = 0; i < n_vectors; i++) {
        m->table[i * ENTRY_BYTES + ENTRY_CONTROL] = CONTROL_MASKED;
    }
    return true;
}

void pci_finish_msix(PciDevice *pci)
{
    pci_release_wires(pci);
    free(pci->msix.wires);
    free(pci->msix.table);
    free(pci->msix.pending);
    pci->msix.table = pci->msix.pending = NULL;
    pci->msix.wires = NULL;
    pci->msix.n_vectors = pci->msix.cap = 0;
}
