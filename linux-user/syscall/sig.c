/* sig.c: system calls on signals; delivery is in linux-user/signal.c. */
#include <time.h>
#include <unistd.h>
#include "linux-user/syscall/syscall.h"

#define SIG_BIT(sig) ((uint64_t)1 << ((sig) - 1))

/* struct sigaction: handler, flags as words, [restorer], mask of 8 bytes. The generic ABIs have no restorer. */
static bool action_word(Thread *t, vaddr addr, bool present, vaddr *value, bool store)
{
    return !present || (store ? store_guest_word(t->abi, addr, *value) : load_guest_word(t->abi, addr, value));
}

int64_t sys_rt_sigaction(Thread *t, const uint64_t *a)
{
    int sig = (int)a[0];
    unsigned w = t->abi->word_bytes;
    bool restorer = t->abi->has_restorer;
    unsigned mask_at = (restorer ? 3 : 2) * w;
    GuestSigaction act = { 0 }, old;
    if (a[3] != 8 || sig < 1 || sig > USER_N_SIGNALS || (a[1] && (sig == SIGKILL || sig == SIGSTOP))) {
        return -EINVAL;
    }
    if (a[1]) {
        if (!load_guest_word(t->abi, a[1], &act.handler) || !load_guest_word(t->abi, a[1] + w, &act.flags)
            || !action_word(t, a[1] + 2 * w, restorer, &act.restorer, false) || !load_guest_sigset(a[1] + mask_at, &act.mask)) {
            return -EFAULT;
        }
        act.mask &= ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP));
    }
    sighand_lock(t->sighand);
    old = t->sighand->action[sig];
    if (a[1]) {
        t->sighand->action[sig] = act;
        signal_action_changed(t, sig, &act);
    }
    sighand_unlock(t->sighand);
    if (a[2] && (!store_guest_word(t->abi, a[2], old.handler) || !store_guest_word(t->abi, a[2] + w, old.flags)
                 || !action_word(t, a[2] + 2 * w, restorer, &old.restorer, true) || !store_guest_sigset(a[2] + mask_at, old.mask))) {
        return -EFAULT;
    }
    return 0;
}

int64_t sys_rt_sigprocmask(Thread *t, const uint64_t *a)
{
    uint64_t set = 0, old = t->sigmask, mask = old;
    if (a[3] != 8) {
        return -EINVAL;
    }
    if (a[1]) {
        if (!load_guest_sigset(a[1], &set)) {
            return -EFAULT;
        }
        switch ((int)a[0]) {
        case SIG_BLOCK: mask |= set; break;
        case SIG_UNBLOCK: mask &= ~set; break;
        case SIG_SETMASK: mask = set; break;
        default: return -EINVAL;
        }
        if (!signal_set_mask(t, mask)) {
            return -USER_ERESTARTNOINTR;
        }
    }
    return !a[2] || store_guest_sigset(a[2], old) ? 0 : -EFAULT;
}

int64_t sys_rt_sigpending(Thread *t, const uint64_t *a)
{
    uint64_t set = 0;
    if (a[1] > 8) {
        return -EINVAL;
    }
    RAW_SYSCALL(SYS_rt_sigpending, &set, 8);
    for (uint32_t i = 0; i < t->n_captured; i++) {
        set |= SIG_BIT(t->captured[i].sig);
    }
    set &= t->sigmask;
    uint8_t raw[8];
    sigset_pack(raw, set);
    return copy_to_guest(a[0], raw, a[1]) ? 0 : -EFAULT;
}

int64_t sys_rt_sigsuspend(Thread *t, const uint64_t *a)
{
    uint64_t mask;
    int64_t r = sigset_from_guest(a[0], a[1], &mask);
    if (r < 0) {
        return r;
    }
    /* No translated code runs in between: fault signals can be blocked as the guest wants it. */
    signal_hold_faults(t);
    r = SAFE_SYSCALL(t, SYS_rt_sigsuspend, &mask, 8);
    signal_release_faults(t);
    signal_ran_with_mask(t, mask);
    /* A signal that came just before counts as the one waited for: its handler runs, and the call is over. */
    return r == -USER_ERESTARTNOINTR || r == -USER_ERESTARTSYS ? -EINTR : r;
}

int64_t sys_rt_sigtimedwait(Thread *t, const uint64_t *a)
{
    uint64_t set;
    struct timespec ts;
    siginfo_t info;
    int64_t r = sigset_from_guest(a[0], a[3], &set);
    if (r < 0) {
        return r;
    }
    if (a[2] && !timespecs_from_guest(t->abi, &ts, a[2], 1)) {
        return -EFAULT;
    }
    signal_hold_faults(t);
    r = SAFE_SYSCALL(t, SYS_rt_sigtimedwait, &set, &info, a[2] ? &ts : NULL, 8);
    signal_release_faults(t);
    if (r > 0) {
        signal_info_received(&info);
    }
    if (r > 0 && a[1] && !siginfo_to_guest(t->abi, a[1], &info)) {
        return -EFAULT;
    }
    return r;
}

/* Only to itself may a process send what looks like the kernel's own; the kernel refuses the rest. */
static bool queue_to_self(uint64_t pid, uint64_t sig, siginfo_t *info)
{
    return (pid_t)pid != (pid_t)RAW_SYSCALL(SYS_getpid, 0) || signal_info_to_send((int)sig, info);
}

int64_t sys_rt_sigqueueinfo(Thread *t, const uint64_t *a)
{
    siginfo_t info;
    if (!siginfo_from_guest(t->abi, &info, a[2])) {
        return -EFAULT;
    }
    return queue_to_self(a[0], a[1], &info) ? RAW_SYSCALL(SYS_rt_sigqueueinfo, a[0], a[1], &info) : -EINVAL;
}

int64_t sys_rt_tgsigqueueinfo(Thread *t, const uint64_t *a)
{
    siginfo_t info;
    if (!siginfo_from_guest(t->abi, &info, a[3])) {
        return -EFAULT;
    }
    return queue_to_self(a[0], a[2], &info) ? RAW_SYSCALL(SYS_rt_tgsigqueueinfo, a[0], a[1], a[2], &info) : -EINVAL;
}

int64_t sys_pidfd_send_signal(Thread *t, const uint64_t *a)
{
    siginfo_t info;
    if (a[2] && !siginfo_from_guest(t->abi, &info, a[2])) {
        return -EFAULT;
    }
    /* DEVIATION: allowed to itself by Linux. Whose descriptor it is cannot be seen from here. */
    if (a[2] && signal_looks_like_fault((int)a[1], &info)) {
        return -EPERM;
    }
    return RAW_SYSCALL(424, a[0], a[1], a[2] ? &info : NULL, a[3]);
}

static int64_t return_from(Thread *t, int64_t (*function)(Thread *t))
{
    int64_t r = function(t);
    if (r == -EFAULT) {
        signal_raise_sync(t, SIGSEGV, SI_KERNEL, 0);
        return -USER_ESIGRETURN;
    }
    return r;
}

int64_t sys_rt_sigreturn(Thread *t, const uint64_t *a) { return return_from(t, t->abi->signal_return); }
int64_t sys_sigreturn(Thread *t, const uint64_t *a) { return return_from(t, t->abi->old_signal_return); }

int64_t sys_sigaltstack(Thread *t, const uint64_t *a)
{
    enum { MIN_STACK = 2048 };
    stack_t ss, old = { .ss_sp = (void *)(uintptr_t)t->altstack_sp, .ss_size = t->altstack_bytes };
    bool on = signal_on_altstack(t, t->abi->get_sp(t));
    old.ss_flags = (int)t->altstack_flags | (!t->altstack_bytes ? SS_DISABLE : on ? SS_ONSTACK : 0);
    if (a[0]) {
        if (!struct_from_guest(t->abi, &struct_stack, &ss, a[0])) {
            return -EFAULT;
        }
        uint32_t mode = (uint32_t)ss.ss_flags & ~SIGNAL_AUTODISARM;
        if (on) {
            return -EPERM;
        }
        if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE) {
            return -EINVAL;
        }
        if (mode == SS_DISABLE) {
            ss.ss_sp = NULL;
            ss.ss_size = 0;
        } else if (ss.ss_size < MIN_STACK) {
            return -ENOMEM;
        }
        t->altstack_sp = (uintptr_t)ss.ss_sp;
        t->altstack_bytes = ss.ss_size;
        t->altstack_flags = (uint32_t)ss.ss_flags & SIGNAL_AUTODISARM;
    }
    return !a[1] || struct_to_guest(t->abi, &struct_stack, a[1], &old) ? 0 : -EFAULT;
}
