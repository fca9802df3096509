/*
 * cpus-target.h: between the files that know both Arm boards and target/arm.
 */
#ifndef HW_ARM_CPUS_TARGET_H
#define HW_ARM_CPUS_TARGET_H

#include "hw/arm/cpus.h"

/* ArmPsci.call; opaque: the ArmCpu. */
bool arm_psci_call(void *opaque, struct Vcpu *vcpu);

#endif
