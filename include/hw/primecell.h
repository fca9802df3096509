/*
 * primecell.h: the identification registers at the end of every Arm PrimeCell peripheral's 4 KiB.
 *
 * UARTPeriphID0-3 and UARTPCellID0-3 and their like: eight registers, one byte of identification in each. Peripheral
 * ids are given as one word, PeriphID0 in its low byte; the cell id is the same for all (PL011 TRM, DDI 0183G, 3.3.17 and 3.3.18).
 */
#ifndef HW_PRIMECELL_H
#define HW_PRIMECELL_H

#include "hw/device.h"

uint64_t primecell_id_read(Device *dev, const Register *reg, unsigned index);

#define PRIMECELL_ID_ROW(id) \
    { .name = "PeriphID/PCellID", .offset = 0xfe0, .size = 4, .count = 8, .read = primecell_id_read, .read_only = true, .aux = (id) }

#endif
