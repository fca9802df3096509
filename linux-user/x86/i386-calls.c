/*
 * i386-calls.c: system calls that only i386 has: multiplexed sockets and IPC, arguments in memory, signals with masks of one word.
 *
 * Facts: linux uapi asm/unistd_32.h, linux/net.h, linux/ipc.h.
 */
#include <linux/net.h>
#include <sys/resource.h>
#include <unistd.h>
#include "linux-user/x86/abi.h"

static bool load_words(vaddr addr, unsigned n, uint64_t *ret)
{
    for (unsigned i = 0; i < n; i++) {
        uint32_t v;
        if (!load_guest_u32(addr + 4 * i, &v)) {
            return false;
        }
        ret[i] = v;
    }
    return true;
}

int64_t sys_socketcall(Thread *t, const uint64_t *a)
{
    static const struct { uint16_t row; uint8_t n; } calls[] = {
        [SYS_SOCKET] = { SYSCALL_socket, 3 }, [SYS_BIND] = { SYSCALL_bind, 3 }, [SYS_CONNECT] = { SYSCALL_connect, 3 },
        [SYS_LISTEN] = { SYSCALL_listen, 2 }, [SYS_ACCEPT] = { SYSCALL_accept, 3 }, [SYS_GETSOCKNAME] = { SYSCALL_getsockname, 3 },
        [SYS_GETPEERNAME] = { SYSCALL_getpeername, 3 }, [SYS_SOCKETPAIR] = { SYSCALL_socketpair, 4 }, [SYS_SEND] = { SYSCALL_sendto, 4 },
        [SYS_RECV] = { SYSCALL_recvfrom, 4 }, [SYS_SENDTO] = { SYSCALL_sendto, 6 }, [SYS_RECVFROM] = { SYSCALL_recvfrom, 6 },
        [SYS_SHUTDOWN] = { SYSCALL_shutdown, 2 }, [SYS_SETSOCKOPT] = { SYSCALL_setsockopt, 5 }, [SYS_GETSOCKOPT] = { SYSCALL_getsockopt, 5 },
        [SYS_SENDMSG] = { SYSCALL_sendmsg, 3 }, [SYS_RECVMSG] = { SYSCALL_recvmsg, 3 }, [SYS_ACCEPT4] = { SYSCALL_accept4, 4 },
        [SYS_RECVMMSG] = { SYSCALL_recvmmsg_time32, 5 }, [SYS_SENDMMSG] = { SYSCALL_sendmmsg, 4 },
    };
    uint64_t call = a[0], args[6] = { 0 };

    if (call < 1 || call >= ARRAY_SIZE(calls)) {
        return -EINVAL;
    }
    return load_words(a[1], calls[call].n, args) ? syscall_call_row_raw(t, calls[call].row, args) : -EFAULT;
}

int64_t sys_ipc(Thread *t, const uint64_t *a)
{
    enum { SEMOP = 1, SEMGET, SEMCTL, SEMTIMEDOP, MSGSND = 11, MSGRCV, MSGGET, MSGCTL, SHMAT = 21, SHMDT, SHMGET, SHMCTL };
    uint64_t first = a[1], second = a[2], third = a[3], ptr = a[4], fifth = a[5];
    uint64_t v[2];

    switch (a[0] & 0xffff) {
    case SEMOP:
        return syscall_call_row_raw(t, SYSCALL_semop, (const uint64_t[6]){ first, ptr, second });
    case SEMTIMEDOP:
        return syscall_call_row_raw(t, SYSCALL_semtimedop_time32, (const uint64_t[6]){ first, ptr, second, fifth });
    case SEMGET:
        return syscall_call_row_raw(t, SYSCALL_semget, (const uint64_t[6]){ first, second, third });
    case SEMCTL: /* the union is behind the pointer */
        return load_words(ptr, 1, v) ? syscall_call_row_raw(t, SYSCALL_semctl, (const uint64_t[6]){ first, second, third, v[0] }) : -EFAULT;
    case MSGSND:
        return syscall_call_row_raw(t, SYSCALL_msgsnd, (const uint64_t[6]){ first, ptr, second, third });
    case MSGRCV:
        if (a[0] >> 16) {
            return syscall_call_row_raw(t, SYSCALL_msgrcv, (const uint64_t[6]){ first, ptr, second, fifth, third });
        }
        return load_words(ptr, 2, v) ? syscall_call_row_raw(t, SYSCALL_msgrcv, (const uint64_t[6]){ first, v[0], second, v[1], third }) : -EFAULT;
    case MSGGET:
        return syscall_call_row_raw(t, SYSCALL_msgget, (const uint64_t[6]){ first, second });
    case MSGCTL:
        return syscall_call_row_raw(t, SYSCALL_msgctl, (const uint64_t[6]){ first, second, ptr });
    case SHMAT: {
        int64_t r = syscall_call_row_raw(t, SYSCALL_shmat, (const uint64_t[6]){ first, ptr, second });
        return r < 0 && r > -4096 ? r : store_guest_u32(third, (uint32_t)r) ? 0 : -EFAULT;
    }
    case SHMDT:
        return syscall_call_row_raw(t, SYSCALL_shmdt, (const uint64_t[6]){ ptr });
    case SHMGET:
        return syscall_call_row_raw(t, SYSCALL_shmget, (const uint64_t[6]){ first, second, third });
    case SHMCTL:
        return syscall_call_row_raw(t, SYSCALL_shmctl, (const uint64_t[6]){ first, second, ptr });
    default:
        return -ENOSYS;
    }
}

int64_t sys_old_mmap(Thread *t, const uint64_t *a)
{
    uint64_t v[6];

    if (!load_words(a[0], 6, v)) {
        return -EFAULT;
    }
    return v[5] & 0xfff ? -EINVAL : sys_mmap(t, (const uint64_t[6]){ v[0], v[1], v[2], v[3], (uint64_t)(int32_t)v[4], v[5] });
}

int64_t sys_old_select(Thread *t, const uint64_t *a)
{
    uint64_t v[5];

    return load_words(a[0], 5, v) ? sys_select(t, (const uint64_t[6]){ v[0], v[1], v[2], v[3], v[4] }) : -EFAULT;
}

int64_t sys_waitpid(Thread *t, const uint64_t *a)
{
    return sys_wait4(t, (const uint64_t[6]){ a[0], a[1], a[2], 0 });
}

int64_t sys_nice(Thread *t, const uint64_t *a)
{
    return syscall_result(nice((int)a[0])) < 0 ? -EPERM : 0;
}

int64_t sys_sendfile32(Thread *t, const uint64_t *a)
{
    uint32_t pos = 0;
    int64_t offset;

    if (a[2] && !load_guest_u32(a[2], &pos)) {
        return -EFAULT;
    }
    offset = (int32_t)pos;
    int64_t r = SAFE_SYSCALL(t, SYS_sendfile, a[0], a[1], a[2] ? &offset : NULL, a[3]);
    return r >= 0 && a[2] && !store_guest_u32(a[2], (uint32_t)offset) ? -EFAULT : r;
}

/* -- signals with a mask of one word: handler, mask, flags, restorer --------------------------------------------- */

int64_t sys_i386_sigaction(Thread *t, const uint64_t *a)
{
    int sig = (int)a[0];
    uint64_t v[4];
    GuestSigaction act = { 0 }, old;

    if (sig < 1 || sig > USER_N_SIGNALS || (a[1] && (sig == SIGKILL || sig == SIGSTOP))) {
        return -EINVAL;
    }
    if (a[1]) {
        if (!load_words(a[1], 4, v)) {
            return -EFAULT;
        }
        act = (GuestSigaction){ .handler = v[0], .mask = v[1] & ~(uint64_t)(1u << (SIGKILL - 1) | 1u << (SIGSTOP - 1)), .flags = v[2],
                                .restorer = v[3] };
    }
    sighand_lock(t->sighand);
    old = t->sighand->action[sig];
    if (a[1]) {
        t->sighand->action[sig] = act;
        signal_action_changed(t, sig, &act);
    }
    sighand_unlock(t->sighand);
    if (a[2] && (!store_guest_u32(a[2], (uint32_t)old.handler) || !store_guest_u32(a[2] + 4, (uint32_t)old.mask) ||
                 !store_guest_u32(a[2] + 8, (uint32_t)old.flags) || !store_guest_u32(a[2] + 12, (uint32_t)old.restorer))) {
        return -EFAULT;
    }
    return 0;
}

int64_t sys_i386_signal(Thread *t, const uint64_t *a)
{
    int sig = (int)a[0];

    if (sig < 1 || sig > USER_N_SIGNALS || sig == SIGKILL || sig == SIGSTOP) {
        return -EINVAL;
    }
    GuestSigaction act = { .handler = a[1], .flags = SA_RESETHAND | SA_NODEFER }, old;
    sighand_lock(t->sighand);
    old = t->sighand->action[sig];
    t->sighand->action[sig] = act;
    signal_action_changed(t, sig, &act);
    sighand_unlock(t->sighand);
    return (int64_t)old.handler;
}

int64_t sys_i386_sigprocmask(Thread *t, const uint64_t *a)
{
    uint64_t old = t->sigmask, mask = old;

    if (a[1]) {
        uint32_t set;
        if (!load_guest_u32(a[1], &set)) {
            return -EFAULT;
        }
        switch ((int)a[0]) {
        case SIG_BLOCK: mask |= set; break;
        case SIG_UNBLOCK: mask &= ~(uint64_t)set; break;
        case SIG_SETMASK: mask = (mask & ~(uint64_t)UINT32_MAX) | set; break;
        default: return -EINVAL;
        }
        if (!signal_set_mask(t, mask)) {
            return -USER_ERESTARTNOINTR;
        }
    }
    return !a[2] || store_guest_u32(a[2], (uint32_t)old) ? 0 : -EFAULT;
}

int64_t sys_i386_sigsuspend(Thread *t, const uint64_t *a)
{
    uint64_t mask = (uint32_t)a[2];

    signal_hold_faults(t);
    int64_t r = SAFE_SYSCALL(t, SYS_rt_sigsuspend, &mask, 8);
    signal_release_faults(t);
    signal_ran_with_mask(t, mask);
    return r == -USER_ERESTARTNOINTR || r == -USER_ERESTARTSYS ? -EINTR : r;
}

int64_t sys_i386_sigpending(Thread *t, const uint64_t *a)
{
    return sys_rt_sigpending(t, (const uint64_t[6]){ a[0], 4 });
}
