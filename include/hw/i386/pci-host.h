/*
 * pci-host.h: what a PC board and its chip set need of each other.
 */
#ifndef HW_I386_PCI_HOST_H
#define HW_I386_PCI_HOST_H

#include "hw/isa.h"
#include "hw/pci.h"

/* Where a host bridge finds things; regions are the board's. */
typedef struct PciHostMemory {
    MemoryRegion *system, *pci, *ram, *io;
    MemoryRegion *smram;          /* container: what a processor in SMM sees besides `system` */
    AddressSpace *dma;
    uint64_t below_4g_bytes;
} PciHostMemory;

/* Between device_new() and device_realize(). */
void i440fx_connect(Device *host, const PciHostMemory *memory);
void q35_connect(Device *host, const PciHostMemory *memory);
PciBus *i440fx_bus(Device *host);
PciBus *q35_bus(Device *host);
/* The ECAM window as the guest has set it; false: off. */
bool q35_ecam(Device *host, uint64_t *ret_base, uint64_t *ret_bytes);

/* South bridges: the bus they make; ICH9's lines go to all 24 inputs of the I/O APIC. */
IsaBus *piix3_isa(Device *piix3);
IsaBus *ich9_isa(Device *lpc);
/* ISA irq n is input n of the interrupt controllers: PIRQs and the SCI are routed to them. smi (NULL: there is no SMM) is raised to
 * one of these levels. */
enum { ICH9_SMI_TO_ONE = 1, ICH9_SMI_TO_ALL = 2 };
void ich9_connect(Device *lpc, Irq *const gsi[24], Irq *smi);
/* fw_cfg files by which firmware asks for SMIs to all processors. */
NODISCARD bool ich9_install_smi_features(Device *lpc, Device *fw_cfg, Error **errp);

#endif
