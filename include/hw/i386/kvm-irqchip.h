/*
 * kvm-irqchip.h: a PC's interrupt controllers under KVM.
 */
#ifndef HW_I386_KVM_IRQCHIP_H
#define HW_I386_KVM_IRQCHIP_H

#include "accel/accel.h"
#include "hw/i386/irqchip.h"

/* NULL: they are the board's own. */
const X86Irqchip *kvm_irqchip_of_pc(const AccelOps *accel);

#endif
