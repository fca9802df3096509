/*
 * rtc.c: the date the guest's real-time clock shows (-rtc base=, clock=).
 * Configured once before the machine runs; read from any thread.
 */
#include <time.h>
#include "softmmu/clock.h"

static RtcConfig rtc_config;
static int64_t rtc_offset_ns; /* added to the chosen clock */

ClockKind rtc_clock(void)
{
    switch (rtc_config.clock) {
    case RTC_CLOCK_RT: return VM_CLOCK_REALTIME;
    case RTC_CLOCK_VM: return VM_CLOCK_VIRTUAL;
    default: return VM_CLOCK_HOST;
    }
}

void rtc_configure(const RtcConfig *config)
{
    rtc_config = *config;
    int64_t now_s = clock_get_ns(VM_CLOCK_HOST) / NS_PER_SECOND;
    int64_t start_ns = clock_get_ns(VM_CLOCK_HOST);

    if (config->has_base) {
        start_ns = config->base_s * NS_PER_SECOND;
    } else if (config->localtime) {
        struct tm tm;
        time_t t = (time_t)now_s;
        localtime_r(&t, &tm);
        start_ns += (int64_t)tm.tm_gmtoff * NS_PER_SECOND;
    }
    rtc_offset_ns = start_ns - clock_get_ns(rtc_clock());
}

int64_t rtc_now_ns(void)
{
    return clock_get_ns(rtc_clock()) + rtc_offset_ns;
}
