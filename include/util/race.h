/*
 * race.h: guest memory that other threads of the guest may be writing just now.
 *
 * Which value is seen is the guest's affair, as on hardware; for the host's C it would be a data race. The accesses are therefore volatile
 * (each one host access of that size, never split or repeated) and left out of the thread sanitizer's view. For guest memory only:
 * whatever the emulator's own threads share is atomic or under a lock.
 */
#ifndef UTIL_RACE_H
#define UTIL_RACE_H

#include "util/base.h"

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define RACE_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(RACE_TSAN)
#define GUEST_RACE __attribute__((noinline, unused, no_sanitize("thread")))
#else
#define GUEST_RACE inline
#endif

typedef uint16_t __attribute__((aligned(1), may_alias)) Race16;
typedef uint32_t __attribute__((aligned(1), may_alias)) Race32;
typedef uint64_t __attribute__((aligned(1), may_alias)) Race64;

/* In the host's byte order; p need not be aligned. */
static GUEST_RACE uint64_t race_read(const void *p, unsigned size_bytes)
{
    switch (size_bytes) {
    case 1: return *(const volatile uint8_t *)p;
    case 2: return *(const volatile Race16 *)p;
    case 4: return *(const volatile Race32 *)p;
    default: return *(const volatile Race64 *)p;
    }
}

static GUEST_RACE void race_write(void *p, unsigned size_bytes, uint64_t value)
{
    switch (size_bytes) {
    case 1: *(volatile uint8_t *)p = (uint8_t)value; break;
    case 2: *(volatile Race16 *)p = (uint16_t)value; break;
    case 4: *(volatile Race32 *)p = (uint32_t)value; break;
    default: *(volatile Race64 *)p = value; break;
    }
}

#endif
