/*
 * htif.h: what boards need of the HTIF device besides its properties.
 */
#ifndef HW_RISCV_HTIF_H
#define HW_RISCV_HTIF_H

#include "hw/device.h"

/* Regions for sysbus_map() or an overlapping mapping: 8 bytes each. */
enum { HTIF_FROMHOST, HTIF_TOHOST, HTIF_BYTES = 8 };

#endif
