/*
 * clock.h: guest and host time, and timers.
 *
 * CLOCK_REALTIME  host monotonic time; runs while the VM is stopped
 * CLOCK_VIRTUAL   guest time: stands still while the VM is stopped; may be driven by
 *                 an instruction counter (clock_set_source)
 * CLOCK_HOST      host wall clock; may jump
 *
 * All times are int64_t nanoseconds. A TimerGroup holds the timers of one
 * event loop and is attached to its GMainContext; callbacks run in the thread
 * that iterates this context, with the BQL held when the group was made so.
 * The main group (timer_main_group()) belongs to the default context.
 *
 * Threads: clocks may be read and timers set or cancelled from any thread. After
 * timer_cancel() returns the callback may still be running in the group's
 * thread, unless the caller holds the BQL and the group takes it.
 */
#ifndef SOFTMMU_CLOCK_H
#define SOFTMMU_CLOCK_H

#include "util/base.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)

typedef enum ClockKind { VM_CLOCK_REALTIME, VM_CLOCK_VIRTUAL, VM_CLOCK_HOST, VM_CLOCK_N } ClockKind;

int64_t clock_get_ns(ClockKind kind);
/* Starts and stops CLOCK_VIRTUAL (it starts stopped at 0). BQL. */
void clock_virtual_run(bool run);
bool clock_virtual_running(void);
/* Sets CLOCK_VIRTUAL, e.g. to that of an incoming VM. BQL. */
void clock_virtual_set_ns(int64_t now_ns);

/* Another source for CLOCK_VIRTUAL (instruction counting): now() may be called
 * from any thread; deadline_changed() is told the earliest virtual deadline
 * (INT64_MAX: none) and should end in clock_source_expired() when it passes.
 * NULL goes back to the host's clock. */
typedef struct ClockSource {
    int64_t (*now_ns)(void *opaque);
    void (*deadline_changed)(void *opaque, int64_t deadline_ns);
    void *opaque;
    /* The source calls clock_run_virtual_timers() itself, so that they run at the very instruction; the loops leave
     * virtual timers alone. */
    bool runs_timers;
} ClockSource;
void clock_set_source(const ClockSource *source);
/* The source's time has moved: run expired virtual timers soon. Any thread. */
void clock_source_expired(void);
/* The earliest deadline of a virtual timer; INT64_MAX: none. Any thread. */
int64_t clock_virtual_deadline_ns(void);
/* Runs the virtual timers that are due, of every group. BQL. */
void clock_run_virtual_timers(void);

typedef struct TimerGroup TimerGroup;
typedef struct Timer Timer;
typedef void TimerFn(void *opaque);

struct Timer {
    TimerGroup *group;
    ClockKind clock;
    int64_t deadline_ns;
    TimerFn *fn;
    void *opaque;
    size_t slot; /* 1 + position in the heap; 0: not pending */
    uint64_t seq;
};

TimerGroup *timer_main_group(void);
/* context: a GMainContext (NULL: the default one). */
TimerGroup *timer_group_new(void *context, bool takes_bql);
void timer_group_free(TimerGroup *group);
/* For loops without GLib: the nearest deadline as a delay from now, -1: none. */
int64_t timer_group_delay_ns(TimerGroup *group);
/* Runs what has expired; returns whether anything ran. */
bool timer_group_run(TimerGroup *group);

/* In the caller's storage, in the main group. */
void timer_init(Timer *timer, ClockKind clock, TimerFn *fn, void *opaque);
void timer_init_in(Timer *timer, TimerGroup *group, ClockKind clock, TimerFn *fn, void *opaque);
/* Also moves a pending timer. Deadlines before now fire at once, from the loop. */
void timer_set_ns(Timer *timer, int64_t deadline_ns);
void timer_cancel(Timer *timer);
bool timer_pending(const Timer *timer);
/* INT64_MAX when not pending. */
int64_t timer_deadline_ns(const Timer *timer);

/* --- What the guest's real-time clock shows (-rtc) --- */
typedef enum RtcClock { RTC_CLOCK_HOST, RTC_CLOCK_RT, RTC_CLOCK_VM } RtcClock;
typedef struct RtcConfig {
    RtcClock clock;
    bool localtime;      /* base=localtime */
    bool has_base;       /* base=DATE */
    int64_t base_s;      /* seconds since 1970 UTC */
    bool driftfix_slew;
} RtcConfig;
/* The dates a guest's clock can begin at, years 1900 to 2254: what is left of 64 bits of nanoseconds is for it to run. */
#define RTC_MIN_S INT64_C(-2208988800)
#define RTC_MAX_S INT64_C(8993721600)
/* Before the machine runs. */
void rtc_configure(const RtcConfig *config);
/* Nanoseconds since 1970 as the guest should see it. */
int64_t rtc_now_ns(void);
/* The VM clock that rtc_now_ns() follows, for alarms. */
ClockKind rtc_clock(void);

#endif
