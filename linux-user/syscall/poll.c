/*
 * poll.c: waiting for several things: epoll, poll, select, signalfd. Temporary signal masks go to the host kernel as
 * they are; signal_ran_with_mask tells delivery about them.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <sys/time.h>
#include "linux-user/syscall/syscall.h"

int64_t sigset_from_guest(vaddr addr, uint64_t size_bytes, uint64_t *ret)
{
    if (size_bytes != 8) {
        return -EINVAL;
    }
    return load_guest_sigset(addr, ret) ? 0 : -EFAULT;
}

int64_t sys_epoll_ctl(Thread *t, const uint64_t *a)
{
    struct epoll_event ev;
    if (a[1] != EPOLL_CTL_DEL && !struct_from_guest(t->abi, &struct_epoll_event, &ev, a[3])) {
        return -EFAULT;
    }
    return RAW_SYSCALL(SYS_epoll_ctl, a[0], a[1], a[2], &ev);
}

static int64_t epoll_wait_common(Thread *t, const uint64_t *a, const struct timespec *ts, bool have_ts)
{
    enum { FAST = 64, MAX_EVENTS = 1 << 20 };
    struct epoll_event fast[FAST], *ev = fast;
    int n = (int)a[2];
    uint64_t mask = 0, host_mask = 0;
    if (n <= 0 || n > MAX_EVENTS) {
        return RAW_SYSCALL(SYS_epoll_pwait, a[0], NULL, MIN(n, 0), 0, NULL, 8); /* an error, this or that of the descriptor */
    }
    if (a[4]) {
        int64_t r = sigset_from_guest(a[4], a[5], &mask);
        if (r < 0) {
            return r;
        }
        host_mask = signal_host_mask(mask);
    }
    if (n > FAST) {
        ev = xcalloc((size_t)n, sizeof(*ev));
    }
    int64_t r = have_ts
                ? SAFE_SYSCALL(t, 441 /* epoll_pwait2 */, a[0], ev, n, ts, a[4] ? &host_mask : NULL, 8)
                : SAFE_SYSCALL(t, SYS_epoll_pwait, a[0], ev, n, a[3], a[4] ? &host_mask : NULL, 8);
    if (a[4] && r < 0) {
        signal_ran_with_mask(t, mask);
    }
    size_t size = struct_guest_bytes(t->abi, &struct_epoll_event);
    for (int64_t i = 0; i < r; i++) {
        if (!struct_to_guest(t->abi, &struct_epoll_event, a[1] + (uint64_t)i * size, &ev[i])) {
            r = -EFAULT;
        }
    }
    if (ev != fast) {
        free(ev);
    }
    return r;
}

int64_t sys_epoll_pwait(Thread *t, const uint64_t *a)
{
    return epoll_wait_common(t, a, NULL, false);
}

int64_t sys_epoll_pwait2(Thread *t, const uint64_t *a)
{
    struct timespec ts;
    if (a[3] && !timespecs_from_guest(t->abi, &ts, a[3], 1)) {
        return -EFAULT;
    }
    return epoll_wait_common(t, a, a[3] ? &ts : NULL, true);
}

int64_t sys_ppoll(Thread *t, const uint64_t *a)
{
    bool ok = true;
    uint64_t mask = 0, host_mask = 0;
    struct timespec ts;
    if (a[1] > 1 << 20) {
        return -EINVAL;
    }
    if (a[2] && !timespecs_from_guest(t->abi, &ts, a[2], 1)) {
        return -EFAULT;
    }
    if (a[3]) {
        int64_t r = sigset_from_guest(a[3], a[4], &mask);
        if (r < 0) {
            return r;
        }
        host_mask = signal_host_mask(mask);
    }
    Ordered o;
    void *fds = order_inout(t, &o, a[0], a[1] * sizeof(struct pollfd), "l2w", &ok);
    if (!ok) {
        order_out(&o, false);
        return -EFAULT;
    }
    int64_t r = SAFE_SYSCALL(t, SYS_ppoll, fds, a[1], a[2] ? &ts : NULL, a[3] ? &host_mask : NULL, 8);
    if (!order_out(&o, r >= 0)) {
        r = -EFAULT;
    }
    if (a[3] && r < 0) {
        signal_ran_with_mask(t, mask);
    }
    if (a[2] && r != -USER_ERESTARTNOINTR) {
        order_fields(t->abi, &ts, 16, "q");
        copy_to_guest(a[2], &ts, 16); /* the time left, as Linux does */
    }
    return r;
}

/* times: a timespec, or with `timeval` a struct timeval of words; sig: the pair of mask and size, or 0. */
int64_t select_common(Thread *t, const uint64_t *a, vaddr times, vaddr sig_pair, bool timeval)
{
    bool ok = true;
    uint64_t mask = 0, host_mask = 0, set_addr = 0, set_size = 0;
    struct timespec ts;
    struct timeval tv;
    int n = (int)a[0];
    if (n < 0) {
        return -EINVAL;
    }
    size_t bytes = DIV_ROUND_UP((size_t)MIN(n, 1 << 20), 64) * 8;
    /* fd sets are arrays of words: on little-endian ABIs word sizes do not matter but for the last one. Larger ones than anybody has are not copied. */
    void *set[3];
    uint8_t copy[3][1024 / 8 * 8];
    unsigned word = t->abi->word_bytes;
    const char *layout = word == 4 ? "l" : "q";
    size_t guest_bytes = DIV_ROUND_UP((size_t)n, word * 8u) * word;
    bool copied = (word == 4 || t->abi->big_endian) && bytes <= sizeof(copy[0]);
    if (t->abi->big_endian && !copied) {
        return -EINVAL;
    }
    for (int i = 0; i < 3; i++) {
        set[i] = guest_out(a[1 + i], copied ? guest_bytes : bytes, &ok);
        if (ok && copied && set[i]) {
            memset(copy[i], 0, sizeof(copy[i]));
            ok = copy_from_guest(copy[i], a[1 + i], guest_bytes);
            order_fields(t->abi, copy[i], guest_bytes, layout);
            set[i] = copy[i];
        }
    }
    if (!ok || (times && !(timeval ? struct_from_guest(t->abi, &struct_timeval, &tv, times) : timespecs_from_guest(t->abi, &ts, times, 1)))) {
        return -EFAULT;
    }
    if (times && timeval) {
        if (tv.tv_sec < 0 || tv.tv_usec < 0) {
            return -EINVAL;
        }
        ts = (struct timespec){ tv.tv_sec + tv.tv_usec / 1000000, tv.tv_usec % 1000000 * 1000 };
    }
    if (sig_pair) {
        if (!load_guest_word(t->abi, sig_pair, &set_addr)
            || !load_guest_word(t->abi, sig_pair + t->abi->word_bytes, &set_size)) {
            return -EFAULT;
        }
        if (set_addr) {
            int64_t r = sigset_from_guest(set_addr, set_size, &mask);
            if (r < 0) {
                return r;
            }
            host_mask = signal_host_mask(mask);
        }
    }
    struct { const uint64_t *set; uint64_t size; } sig = { set_addr ? &host_mask : NULL, 8 };
    int64_t r = SAFE_SYSCALL(t, SYS_pselect6, n, set[0], set[1], set[2], times ? &ts : NULL, &sig);
    if (set_addr && r < 0) {
        signal_ran_with_mask(t, mask);
    }
    if (copied && r >= 0) {
        for (int i = 0; i < 3; i++) {
            order_fields(t->abi, copy[i], guest_bytes, layout);
            if (set[i] && !copy_to_guest(a[1 + i], copy[i], guest_bytes)) {
                return -EFAULT;
            }
        }
    }
    if (times && r != -USER_ERESTARTNOINTR) { /* the time left, as Linux does */
        if (timeval) {
            tv = (struct timeval){ ts.tv_sec, ts.tv_nsec / 1000 };
            struct_to_guest(t->abi, &struct_timeval, times, &tv);
        } else {
            order_fields(t->abi, &ts, 16, "q");
            copy_to_guest(times, &ts, 16);
        }
    }
    return r;
}

int64_t sys_pselect6(Thread *t, const uint64_t *a)
{
    return select_common(t, a, a[4], a[5], false);
}

int64_t sys_signalfd4(Thread *t, const uint64_t *a)
{
    uint64_t mask;
    (void)t;
    int64_t r = sigset_from_guest(a[1], a[2], &mask);
    return r < 0 ? r : RAW_SYSCALL(SYS_signalfd4, a[0], &mask, 8, a[3]);
}
