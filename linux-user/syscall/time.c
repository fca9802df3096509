/*
 * time.c: clocks and timers whose structures depend on the word size. (struct timespec of the generic ABIs is two
 * 64-bit words everywhere and needs nothing.)
 */
#include <signal.h>
#include <sys/time.h>
#include <sys/times.h>
#include <string.h>
#include <time.h>
#include "linux-user/syscall/syscall.h"

int64_t sys_clock_gettime(Thread *t, const uint64_t *a)
{
    struct timespec ts;
    /* The C library reads the host's vDSO: no system call. */
    if (clock_gettime((clockid_t)a[0], &ts) < 0) {
        return -errno;
    }
    order_fields(t->abi, &ts, 16, "q");
    return copy_to_guest(a[1], &ts, 16) ? 0 : -EFAULT;
}

int64_t sys_gettimeofday(Thread *t, const uint64_t *a)
{
    struct timeval tv;
    struct timezone tz = { 0 };
    gettimeofday(&tv, NULL);
    if (a[0] && !struct_to_guest(t->abi, &struct_timeval, a[0], &tv)) {
        return -EFAULT;
    }
    if (a[1]) {
        RAW_SYSCALL(SYS_gettimeofday, 0, &tz);
        order_fields(t->abi, &tz, 8, "l");
        return copy_to_guest(a[1], &tz, 8) ? 0 : -EFAULT;
    }
    return 0;
}

int64_t sys_getitimer(Thread *t, const uint64_t *a)
{
    struct itimerval it;
    int64_t r = RAW_SYSCALL(SYS_getitimer, a[0], &it);
    if (r < 0) {
        return r;
    }
    return struct_to_guest(t->abi, &struct_itimerval, a[1], &it) ? 0 : -EFAULT;
}

int64_t sys_setitimer(Thread *t, const uint64_t *a)
{
    struct itimerval it = { 0 }, old;
    if (a[1] && !struct_from_guest(t->abi, &struct_itimerval, &it, a[1])) {
        return -EFAULT;
    }
    int64_t r = RAW_SYSCALL(SYS_setitimer, a[0], &it, &old);
    if (r < 0) {
        return r;
    }
    return !a[2] || struct_to_guest(t->abi, &struct_itimerval, a[2], &old) ? 0 : -EFAULT;
}

int64_t sigevent_from_guest(const Abi *abi, vaddr addr, void *host_sigevent)
{
    struct sigevent *ev = host_sigevent;
    memset(ev, 0, sizeof(*ev));
    /* The kernel checks it; where nothing is to be sent, the signal's number may be anything. */
    return struct_from_guest(abi, &struct_sigevent, ev, addr) ? 0 : -EFAULT;
}

int64_t sys_timer_create(Thread *t, const uint64_t *a)
{
    struct sigevent ev;
    int32_t id = 0;
    if (a[1]) {
        int64_t r = sigevent_from_guest(t->abi, a[1], &ev);
        if (r < 0) {
            return r;
        }
    }
    int64_t r = RAW_SYSCALL(SYS_timer_create, a[0], a[1] ? &ev : NULL, &id);
    if (r < 0) {
        return r;
    }
    if (!store_guest_u32(a[2], (uint32_t)id)) {
        RAW_SYSCALL(SYS_timer_delete, id);
        return -EFAULT;
    }
    return 0;
}

int64_t sys_times(Thread *t, const uint64_t *a)
{
    struct tms tms;
    int64_t r = RAW_SYSCALL(SYS_times, &tms);
    if (a[0] && !struct_to_guest(t->abi, &struct_tms, a[0], &tms)) {
        return -EFAULT;
    }
    return r;
}
