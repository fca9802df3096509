/*
 * aplic.h: what boards need of the APLIC besides its properties.
 */
#ifndef HW_RISCV_APLIC_H
#define HW_RISCV_APLIC_H

#include "hw/device.h"

/* The domain that sources of `parent` can be delegated to; before the first reset. */
void aplic_set_child(Device *parent, Device *child);

#endif
