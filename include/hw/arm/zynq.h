/*
 * zynq.h: what the devices of a Zynq-7000 tell each other.
 */
#ifndef HW_ARM_ZYNQ_H
#define HW_ARM_ZYNQ_H

#include "hw/arm/cpus.h"

/* The processors that the SLCR's reset lines hold. */
void zynq_slcr_connect(Device *slcr, Machine *machine);

#endif
