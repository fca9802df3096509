/*
 * raspi.h: between the files of the Raspberry Pi boards.
 */
#ifndef HW_ARM_RASPI_H
#define HW_ARM_RASPI_H

#include "hw/arm/bcm2835.h"
#include "hw/arm/boot.h"

/* What differs between boards. */
typedef struct RaspiModel {
    uint32_t board_rev;
    gpa peripherals;             /* as the processors see them */
    uint64_t ram_bytes;
    gpa firmware;                /* where -bios goes, and runs */
    bool has_el2;
    uint64_t affinity;           /* of the first processor */
    uint32_t machine_number;     /* for kernels of 32 bits without a device tree */
} RaspiModel;

typedef struct RaspiMachine {
    ArmMachine arm;
    ArmCpusConfig cpus;
    MemoryRegion peripherals, bus_root, bus_ram[4], bus_peripherals;
    AddressSpace bus;            /* what the GPU and DMA controllers see */
    Device *control, *ic;
    ArmBoot boot;
} RaspiMachine;

static inline Machine *raspi_m(RaspiMachine *r) { return &r->arm.machine; }
const RaspiModel *raspi_model(const RaspiMachine *r);

/* bcm283x.c: the system on the chip: everything besides processors and memory. */
NODISCARD bool raspi_create_soc(RaspiMachine *r, Error **errp);

#endif
