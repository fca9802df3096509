/*
 * disks-cmos.h: what a PC's firmware reads about drives in the RTC's memory.
 */
#ifndef HW_DISKS_CMOS_H
#define HW_DISKS_CMOS_H

#include <stdint.h>

/* Floppy types (10h), disk types and geometry (12h, 19h to 2Ch), translation (39h), floppies in the equipment byte (14h). When all
 * drives are there; boards call it from ready(). */
void disks_fill_cmos(uint8_t (*get)(void *opaque, unsigned index), void (*set)(void *opaque, unsigned index, uint8_t value), void *opaque);

#endif
