/*
 * host.h: what the PC's two host bridges share: shadowing of 0xc0000 to 0xfffff (PAM) and configuration ports.
 */
#ifndef HW_PCI_HOST_HOST_H
#define HW_PCI_HOST_HOST_H

#include "hw/i386/pci-host.h"

enum { PAM_N = 13 };

/* One stretch: at most one of the regions is visible. PCI: the bus answers. */
typedef struct Pam {
    MemoryRegion pci, ram, rom;
} Pam;

/* All stretches, bus visible. */
void pam_init(Pam pam[PAM_N], Object *owner, const PciHostMemory *memory);
/* `regs`: the seven PAM registers. */
void pam_update(Pam pam[PAM_N], const uint8_t regs[7]);
/* The 128 KiB at 0xa0000: bus, or (open) memory. */
void smram_region_init(MemoryRegion *mr, Object *owner, const PciHostMemory *memory);

/* Ports 0xcf8 and 0xcfc (PCI Local Bus 3.0, 3.2.2.3.2). */
typedef struct ConfigPorts {
    PciBus *bus;
    uint32_t address;
    MemoryRegion address_mr, data_mr;
} ConfigPorts;
void config_ports_init(ConfigPorts *ports, Object *owner, PciBus *bus, MemoryRegion *io);

#endif
