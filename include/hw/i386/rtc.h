/*
 * rtc.h: what boards need of "mc146818rtc": the battery-backed bytes firmware reads its configuration from.
 */
#ifndef HW_I386_RTC_H
#define HW_I386_RTC_H

#include "hw/device.h"

void rtc_set_cmos(Device *rtc, unsigned index, uint8_t value);
uint8_t rtc_get_cmos(Device *rtc, unsigned index);

#endif
