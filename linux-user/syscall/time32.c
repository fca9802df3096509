/*
 * time32.c: system calls of 32-bit ABIs whose times are two 32-bit words. Each does what the call with 64-bit times does: the times are
 * converted into a page of the guest's, where that call finds them.
 */
#include <sys/mman.h>
#include "linux-user/syscall/syscall.h"

enum { NONE = -1, SPEC_BYTES = 16, OUT_AT = 64 };

/* A timespec or, with n = 2, an itimerspec or a pair of times. */
static bool widen(vaddr to, vaddr from, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint32_t sec, nsec;
        if (!load_guest_u32(from + 8 * i, &sec) || !load_guest_u32(from + 8 * i + 4, &nsec) ||
            !store_guest_u64(to + SPEC_BYTES * i, (uint64_t)(int64_t)(int32_t)sec) ||
            !store_guest_u64(to + SPEC_BYTES * i + 8, (uint64_t)(int64_t)(int32_t)nsec)) {
            return false;
        }
    }
    return true;
}

static bool narrow(vaddr to, vaddr from, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t sec, nsec;
        if (!load_guest_u64(from + SPEC_BYTES * i, &sec) || !load_guest_u64(from + SPEC_BYTES * i + 8, &nsec) ||
            !store_guest_u32(to + 8 * i, (uint32_t)sec) || !store_guest_u32(to + 8 * i + 4, (uint32_t)nsec)) {
            return false;
        }
    }
    return true;
}

static int64_t time32(Thread *t, unsigned row, const uint64_t *a, int in, int out, unsigned n)
{
    uint64_t args[6];

    if (!t->time_scratch) {
        int64_t at = mm_mmap(0, mm.page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, 0);
        if (at < 0) {
            return at;
        }
        t->time_scratch = (vaddr)at;
    }
    memcpy(args, a, sizeof(args));
    if (in >= 0 && a[in]) {
        if (!widen(t->time_scratch, a[in], n)) {
            return -EFAULT;
        }
        args[in] = t->time_scratch;
    }
    if (out >= 0 && a[out] && out != in) {
        args[out] = t->time_scratch + OUT_AT;
        clear_guest(args[out], 2 * SPEC_BYTES);
    }
    int64_t r = syscall_call_row(t, row, args);
    /* The time left of an interrupted sleep is written, too. */
    bool wrote = out >= 0 && a[out] && (r >= 0 || r == -EINTR || out == in);
    return wrote && !narrow(a[out], args[out], n) ? -EFAULT : r;
}

#define TIME32(name, row, in, out, n)                                      \
    int64_t sys_##name##_time32(Thread *t, const uint64_t *a)               \
    {                                                                      \
        return time32(t, SYSCALL_##row, a, in, out, n);                     \
    }
TIME32(nanosleep, nanosleep, 0, 1, 1)
TIME32(clock_gettime, clock_gettime, NONE, 1, 1)
TIME32(clock_settime, clock_settime, 1, NONE, 1)
TIME32(clock_getres, clock_getres, NONE, 1, 1)
TIME32(clock_nanosleep, clock_nanosleep, 2, 3, 1)
TIME32(timer_gettime, timer_gettime, NONE, 1, 2)
TIME32(timer_settime, timer_settime, 2, 3, 2)
TIME32(timerfd_gettime, timerfd_gettime, NONE, 1, 2)
TIME32(timerfd_settime, timerfd_settime, 2, 3, 2)
TIME32(utimensat, utimensat, 2, NONE, 2)
TIME32(ppoll, ppoll, 2, 2, 1)
TIME32(pselect6, pselect6, 4, 4, 1)
TIME32(rt_sigtimedwait, rt_sigtimedwait, 2, NONE, 1)
TIME32(recvmmsg, recvmmsg, 4, 4, 1)
TIME32(mq_timedsend, mq_timedsend, 4, NONE, 1)
TIME32(mq_timedreceive, mq_timedreceive, 4, NONE, 1)
TIME32(semtimedop, semtimedop, 3, NONE, 1)
TIME32(sched_rr_get_interval, sched_rr_get_interval, NONE, 1, 1)

/* The fourth argument is a time for the operations that wait, a number for others. */
int64_t sys_futex_time32(Thread *t, const uint64_t *a)
{
    enum { WAIT = 0, LOCK_PI = 6, WAIT_BITSET = 9, WAIT_REQUEUE_PI = 11, LOCK_PI2 = 13 };
    int cmd = (int)a[1] & 127;
    bool waits = cmd == WAIT || cmd == LOCK_PI || cmd == WAIT_BITSET || cmd == WAIT_REQUEUE_PI || cmd == LOCK_PI2;

    return waits && a[3] ? time32(t, SYSCALL_futex, a, 3, NONE, 1) : sys_futex(t, a);
}
