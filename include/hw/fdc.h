/*
 * fdc.h: what a board needs of the floppy disk controller.
 */
#ifndef HW_FDC_H
#define HW_FDC_H

#include "hw/device.h"

/* What CMOS register 10h says of drive 0 or 1: 0 none, 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M. */
unsigned fdc_cmos_type(Device *fdc, unsigned unit);
/* Cylinders, heads and sectors of the drive's medium (or, empty, of what it takes), for ACPI's _FDI; false: no drive. */
bool fdc_geometry(Device *fdc, unsigned unit, unsigned *ret_cyls, unsigned *ret_heads, unsigned *ret_secs);

#endif
