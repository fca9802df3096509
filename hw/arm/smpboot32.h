/*
 * smpboot32.h: the other processors of 32-bit boards at start.
 */
#ifndef HW_ARM_SMPBOOT32_H
#define HW_ARM_SMPBOOT32_H

#include "hw/arm/cpus.h"

typedef struct ArmSmpBoot {
    gpa reg;        /* holds the address to go to once it is not 0 */
    gpa gic_cpu;    /* they sleep until an interrupt comes there; 0: they look at 16 bytes per processor from `reg` on, which writing the value clears */
} ArmSmpBoot;

/* The code at `at`, and every processor but the first starting there; after arm_place_boot(). */
void arm_smpboot32(Machine *m, gpa at, const ArmSmpBoot *how);

#endif
