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

/*
 * ---- "arm-gicv3" ---- Region 0 is the distributor. Processors' interfaces are system registers.
 */
enum { GICV3_REDIST_BYTES = 0x20000, GICV4_REDIST_BYTES = 0x40000 };
/* Before the first reset: affinity as in MPIDR_EL1, and whether another redistributor follows in memory. */
void gicv3_set_place(Device *gic, unsigned cpu, uint64_t mpidr, bool last);
/* The redistributor of a processor, for the board to map. */
MemoryRegion *gicv3_redist(Device *gic, unsigned cpu);

/* How the processor stands at an access to a register of its interface. */
typedef struct GicV3Access {
    uint8_t el;
    bool secure;
    bool el2, el3;            /* these levels exist, EL2 also enabled */
    bool virtual0, virtual1;  /* ICC_* of group 0, 1 mean ICV_* (HCR_EL2.FMO, IMO) */
} GicV3Access;
typedef enum GicV3Result { GICV3_OK, GICV3_UNDEFINED, GICV3_TRAP_EL2, GICV3_TRAP_EL3 } GicV3Result;
/* A system register as bits 20 to 5 of MRS and MSR say it. BQL. */
GicV3Result gicv3_sysreg_read(Device *gic, unsigned cpu, uint32_t sysreg, const GicV3Access *how, uint64_t *ret);
GicV3Result gicv3_sysreg_write(Device *gic, unsigned cpu, uint32_t sysreg, const GicV3Access *how, uint64_t value);

/* ---- "arm-gicv3-its" ---- Region 0: control frame, then the translation frame. Messages say who sends them (MemAttrs.requester_id). */
void gicv3_its_connect(Device *its, Device *gic);

#endif
