/*
 * pit.h: what the speaker port needs of the 8254 "isa-pit".
 */
#ifndef HW_I386_PIT_H
#define HW_I386_PIT_H

#include "hw/device.h"

enum { PIT_HZ = 1193182 };

void pit_set_gate(Device *pit, unsigned channel, bool level);
bool pit_gate(Device *pit, unsigned channel);
bool pit_out(Device *pit, unsigned channel);

#endif
