/*
 * host.c: see host.h.
 *
 * Specification: Intel 82441FX data sheet (1996), 3.2.16 (PAM registers); the Q35's are alike (316966-002, 5.1.18).
 *
 * DEVIATION: a stretch that is set to "read from PCI, write to memory" is left to PCI for both.
 */
#include "hw/pci-host/host.h"

static const uint32_t pam_start[PAM_N] = { 0xf0000, 0xc0000, 0xc4000, 0xc8000, 0xcc000, 0xd0000, 0xd4000, 0xd8000, 0xdc000,
                                           0xe0000, 0xe4000, 0xe8000, 0xec000 };

static uint32_t pam_bytes(unsigned n)
{
    return n ? 16 * KiB : 64 * KiB;
}

void pam_init(Pam pam[PAM_N], Object *owner, const PciHostMemory *memory)
{
    for (unsigned n = 0; n < PAM_N; n++) {
        uint32_t at = pam_start[n], bytes = pam_bytes(n);
        Pam *p = &pam[n];
        memory_region_init_alias(&p->ram, owner, "pam-ram", memory->ram, at, bytes);
        memory_region_init_alias(&p->rom, owner, "pam-rom", memory->ram, at, bytes);
        memory_region_set_readonly(&p->rom, true);
        memory_region_init_alias(&p->pci, owner, "pam-pci", memory->pci, at, bytes);
        memory_region_set_enabled(&p->ram, false);
        memory_region_set_enabled(&p->rom, false);
        memory_region_add_overlap(memory->system, at, &p->ram, 1);
        memory_region_add_overlap(memory->system, at, &p->rom, 1);
        memory_region_add_overlap(memory->system, at, &p->pci, 1);
    }
}

/* Register 0 governs stretch 0 by its high half; the others two stretches each. Bit 0: read, bit 1: write memory. */
void pam_update(Pam pam[PAM_N], const uint8_t regs[7])
{
    memory_begin();
    for (unsigned n = 0; n < PAM_N; n++) {
        unsigned bits = regs[(n + 1) / 2] >> (n & 1 ? 0 : 4) & 3;
        memory_region_set_enabled(&pam[n].ram, bits == 3);
        memory_region_set_enabled(&pam[n].rom, bits == 1);
        memory_region_set_enabled(&pam[n].pci, !(bits & 1));
    }
    memory_commit();
}

void smram_region_init(MemoryRegion *mr, Object *owner, const PciHostMemory *memory)
{
    memory_region_init_alias(mr, owner, "smram-region", memory->pci, 0xa0000, 128 * KiB);
    memory_region_add_overlap(memory->system, 0xa0000, mr, 1);
}

/* -- configuration ports ----------------------------------------------------------------------------------------------- */

static MemResult address_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = size == 4 ? ((ConfigPorts *)opaque)->address : 0xffff;
    return MEM_OK;
}

static MemResult address_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    if (size == 4) { /* only a doubleword selects; smaller ones are ordinary I/O cycles */
        ((ConfigPorts *)opaque)->address = (uint32_t)value & 0x80fffffc;
    }
    return MEM_OK;
}

static MemResult data_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    ConfigPorts *s = opaque;

    *ret = s->address >> 31 ? pci_config_read(s->bus, s->address >> 8 & 0xffff, (unsigned)((s->address & 0xfc) + offset), size)
                            : UINT32_MAX;
    return MEM_OK;
}

static MemResult data_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    ConfigPorts *s = opaque;

    if (s->address >> 31) {
        pci_config_write(s->bus, s->address >> 8 & 0xffff, (unsigned)((s->address & 0xfc) + offset), size, (uint32_t)value);
    }
    return MEM_OK;
}

static const MemoryOps address_ops = { .read = address_read, .write = address_write, .valid = { 1, 4 }, .impl = { 1, 4 } };
static const MemoryOps data_ops = { .read = data_read, .write = data_write, .valid = { 1, 4 }, .impl = { 1, 4 } };

void config_ports_init(ConfigPorts *ports, Object *owner, PciBus *bus, MemoryRegion *io)
{
    ports->bus = bus;
    memory_region_init_mmio(&ports->address_mr, owner, &address_ops, ports, "pci-conf-idx", 4);
    memory_region_init_mmio(&ports->data_mr, owner, &data_ops, ports, "pci-conf-data", 4);
    memory_region_add(io, 0xcf8, &ports->address_mr);
    memory_region_add(io, 0xcfc, &ports->data_mr);
}
