/*
 * gic.h: what boards and processors need of Arm's interrupt controllers besides properties.
 *
 * Input lines, unnamed: the SPIs (interrupt 32 is line 0), then 32 for each processor of which 16 to 31 are its PPIs; see gic_spi() and
 * gic_ppi(). Outputs, one per processor: "irq", "fiq", "virq", "vfiq", "maintenance".
 *
 * Specifications: GICv2 IHI 0048B, GICv3 and v4 IHI 0069H. Threads: BQL.
 */
#ifndef HW_ARM_GIC_H
#define HW_ARM_GIC_H

#include "hw/device.h"

enum { GIC_FIRST_SPI = 32, GICV2_MAX_CPUS = 8, GICV3_MAX_CPUS = 512 };

static inline Irq *gic_spi(Device *gic, unsigned spi)
{
    return device_irq_in(gic, NULL, spi);
}
/* ppi: 16 to 31, its interrupt number. */
static inline Irq *gic_ppi(Device *gic, unsigned n_spis, unsigned cpu, unsigned ppi)
{
    return device_irq_in(gic, NULL, n_spis + 32 * cpu + ppi);
}

/* ---- "arm_gic": GICv2. Regions 0 and 1 are what processor 0 sees. ---- */
enum { GICV2_DIST, GICV2_CPU, GICV2_VIRT_CTRL, GICV2_VIRT_CPU, GICV2_N_VIEWS };
/* The registers as processor `cpu` sees them at the one address that all processors use. */
MemoryRegion *gicv2_view(Device *gic, unsigned cpu, unsigned view);

/* ---- "arm-gicv2m": message frame. Output n of "sysbus-irq" is SPI base-spi + n. ---- */

#endif
