/*
 * mpcore.h: what is around the processors of a Cortex-A9 or Cortex-A15 MPCore: snoop control, interrupt controller, timers.
 */
#ifndef HW_ARM_MPCORE_H
#define HW_ARM_MPCORE_H

#include "hw/arm/cpus.h"
#include "hw/arm/gic.h"

enum { MPCORE_MAX_CPUS = 4 };

typedef struct MpCore {
    Device *gic;
    unsigned n_spis;
    MemoryRegion windows[2 * MPCORE_MAX_CPUS];
} MpCore;

/* Interrupt controller (n_irqs: with the first 32), timers and the rest at `base`, wired to the processors that are there already. */
NODISCARD bool a9mpcore_create(Machine *machine, MpCore *core, gpa base, unsigned n_irqs, Error **errp);
NODISCARD bool a15mpcore_create(Machine *machine, MpCore *core, gpa base, unsigned n_irqs, bool virtualization, Error **errp);

#endif
