/*
 * acpi-arm.h: what ACPI tables say of an Arm board; AcpiBoard.arm points to it.
 *
 * Interrupts are numbers of the GIC (GSIs). Ranges of size 0 are not there. Specifications: see hw/acpi/arm.c.
 */
#ifndef HW_ACPI_ARM_H
#define HW_ACPI_ARM_H

#include "hw/acpi.h"

enum { ACPI_ARM_MAX_FLASH = 2 };

typedef struct AcpiArm {
    unsigned gic_version;                 /* 2, 3 */
    AcpiRange gic_dist, gic_cpu, gic_hyp, gic_vcpu, gic_redist[2], its, v2m, smmu;
    uint32_t smmu_irq;                    /* of the SMMU's events; PRI, synchronization and errors follow */
    uint16_t v2m_first, v2m_count;        /* interrupts of the message frame */
    uint64_t (*affinity)(void *opaque, unsigned cpu); /* MPIDR_EL1; opaque is AcpiBoard.opaque */
    bool has_pmu, has_el2;
    bool psci, psci_hvc;
    uint32_t pmu_irq, maintenance_irq;
    uint32_t timer_secure, timer_phys, timer_virt, timer_hyp;
    AcpiRange uart;
    uint32_t uart_irq;
    AcpiRange flash[ACPI_ARM_MAX_FLASH], fw_cfg;
    AcpiRange pio;                        /* where PCI's I/O space is seen */
    AcpiRange ecam;
    uint32_t pci_irq;                     /* of pin A of slot 0; four follow each other and rotate with the slot */
} AcpiArm;

#endif
