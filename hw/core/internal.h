/*
 * internal.h: what the files of hw/core/ share.
 */
#ifndef HW_CORE_INTERNAL_H
#define HW_CORE_INTERNAL_H

#include "hw/device.h"

typedef struct DeviceBank {
    MemoryRegion mr;
    MemoryOps ops;
    Device *dev;
    const RegisterBank *bank;
} DeviceBank;

/* Makes the regions of the type's banks and adds them; frees them. */
void device_banks_init(Device *dev);
void device_banks_finish(Device *dev);
/* Reset values into the fields. */
void device_banks_reset(Device *dev);

void bus_attach(Bus *bus, Device *dev);
void bus_detach(Device *dev);
void bus_free(Bus *bus);
void device_irqs_finish(Device *dev);

#endif
