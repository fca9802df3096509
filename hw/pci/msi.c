/*
 * msi.c: message signalled interrupts: up to 32 messages, an address and data in configuration space.
 *
 * Specification: PCI Local Bus 3.0, 6.8.1.
 */
#include "hw/pci.h"

enum { CONTROL = 2, ADDRESS = 4, ADDRESS_HIGH = 8 }; /* offsets in the capability */
enum { ENABLE = 1, CAPABLE_SHIFT = 1, ALLOWED_SHIFT = 4, HAS_64 = 1 << 7, HAS_MASK = 1 << 8 };

static unsigned data_offset(const PciDevice *pci)
{
    return pci->msi.cap + (pci->msi.has_64 ? 12u : 8u);
}

static unsigned mask_offset(const PciDevice *pci)
{
    return pci->msi.cap + (pci->msi.has_64 ? 16u : 12u);
}

static uint16_t control(const PciDevice *pci)
{
    return pci_get16(pci, pci->msi.cap + CONTROL);
}

bool pci_add_msi(PciDevice *pci, unsigned n_vectors, bool has_64, bool has_mask, Error **errp)
{
    if (!bits_is_pow2(n_vectors) || n_vectors > 32) {
        error_set(errp, "the number of MSI messages must be 1, 2, 4, 8, 16 or 32");
        return false;
    }
    unsigned log = (unsigned)__builtin_ctz(n_vectors);
    uint8_t bytes = (uint8_t)(10 + (has_64 ? 4 : 0) + (has_mask ? 10 : 0));
    uint8_t cap = pci_add_cap(pci, PCI_CAP_MSI, bytes);
    pci->msi = (PciMsi){ cap, has_64, has_mask };
    stle16(pci->config + cap + CONTROL, (uint16_t)(log << CAPABLE_SHIFT | (has_64 ? HAS_64 : 0) | (has_mask ? HAS_MASK : 0)));
    stle16(pci->write_mask + cap + CONTROL, ENABLE | 7 << ALLOWED_SHIFT);
    stle32(pci->write_mask + cap + ADDRESS, 0xfffffffc);
    if (has_64) {
        stle32(pci->write_mask + cap + ADDRESS_HIGH, UINT32_MAX);
    }
    stle16(pci->write_mask + data_offset(pci), 0xffff);
    if (has_mask) {
        stle32(pci->write_mask + mask_offset(pci), UINT32_MAX >> (32 - n_vectors));
    }
    return true;
}

bool pci_msi_enabled(const PciDevice *pci)
{
    return pci->msi.cap && (control(pci) & ENABLE);
}

unsigned pci_msi_allowed(const PciDevice *pci)
{
    unsigned capable = control(pci) >> CAPABLE_SHIFT & 7, allowed = control(pci) >> ALLOWED_SHIFT & 7;
    return 1u << MIN(allowed, capable);
}

static void send(PciDevice *pci, unsigned vector)
{
    uint64_t addr = pci_get32(pci, pci->msi.cap + ADDRESS);
    uint32_t data = pci_get16(pci, data_offset(pci));

    if (pci->msi.has_64) {
        addr |= (uint64_t)pci_get32(pci, pci->msi.cap + ADDRESS_HIGH) << 32;
    }
    data = (data & ~(pci_msi_allowed(pci) - 1)) | vector;
    memory_store(&pci->dma, addr, 4, MEM_LITTLE_ENDIAN, data, pci_attrs(pci));
}

void pci_msi_notify(PciDevice *pci, unsigned vector)
{
    if (!pci_msi_enabled(pci)) {
        return;
    }
    vector &= pci_msi_allowed(pci) - 1; /* fewer than wanted are shared */
    if (pci->msi.has_mask && (pci_get32(pci, mask_offset(pci)) >> vector & 1)) {
        uint8_t *pending = pci->config + mask_offset(pci) + 4;
        stle32(pending, ldle32(pending) | UINT32_C(1) << vector);
    } else {
        send(pci, vector);
    }
}

void pci_msi_written(PciDevice *pci, unsigned offset, unsigned size)
{
    unsigned cap = pci->msi.cap;

    if (!pci->msi.has_mask || offset + size <= cap || offset >= mask_offset(pci) + 4 || !pci_msi_enabled(pci)) {
        return;
    }
    uint8_t *pending = pci->config + mask_offset(pci) + 4;
    uint32_t ready = ldle32(pending) & ~pci_get32(pci, mask_offset(pci));
    stle32(pending, ldle32(pending) & ~ready);
    for (; ready; ready &= ready - 1) {
        send(pci, (unsigned)__builtin_ctz(ready));
    }
}
