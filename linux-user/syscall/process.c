/*
 * process.c: processes, threads, futexes, identity and limits.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "gdbstub/gdbstub.h"
#include "linux-user/syscall/syscall.h"

/* -- birth and death ---------------------------------------------------------------------------------- */

int64_t sys_exit(Thread *t, const uint64_t *a)
{
    thread_exit(t, (int)a[0]);
    return -USER_ESIGRETURN; /* nobody looks at the registers any more */
}

int64_t sys_exit_group(Thread *t, const uint64_t *a)
{
    process_exit(t, (int)a[0]);
}

/* flags, stack, parent tid, tls, child tid is the order of generic ABIs (CLONE_BACKWARDS). */
int64_t sys_clone(Thread *t, const uint64_t *a)
{
    CloneArgs c = {
        .flags = (uint32_t)a[0] & ~(uint64_t)0xff, .exit_signal = (int)(a[0] & 0xff), .stack = a[1],
        .parent_tid = a[2], .tls = a[t->abi->clone_tls_last ? 4 : 3], .child_tid = a[t->abi->clone_tls_last ? 3 : 4],
    };
    if (c.flags & CLONE_PIDFD) {
        c.pidfd = a[2];
        if (c.flags & CLONE_PARENT_SETTID) {
            return -EINVAL;
        }
    }
    return thread_clone(t, &c);
}

int64_t sys_clone3(Thread *t, const uint64_t *a)
{
    enum { MIN_BYTES = 64, MAX_BYTES = 88 };
    uint64_t raw[MAX_BYTES / 8] = { 0 };
    if (a[1] < MIN_BYTES) {
        return -EINVAL;
    }
    if (a[1] > 4096) {
        return -E2BIG;
    }
    for (uint64_t i = 0; i < a[1] / 8; i++) {
        uint64_t v;
        if (!load_guest_u64(a[0] + 8 * i, &v)) {
            return -EFAULT;
        }
        if (i < ARRAY_SIZE(raw)) {
            raw[i] = v;
        } else if (v) {
            return -E2BIG;
        }
    }
    /* flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup */
    CloneArgs c = {
        .flags = raw[0], .pidfd = raw[1], .child_tid = raw[2], .parent_tid = raw[3], .tls = raw[7],
        .from_clone3 = true, .cgroup = raw[10], .n_set_tid = (uint32_t)raw[9],
    };
    if (raw[4] > USER_N_SIGNALS || (raw[0] & 0x7f) || (raw[0] & CLONE_DETACHED) || (!raw[5] != !raw[6])
        || raw[9] > ARRAY_SIZE(c.set_tid) || !raw[8] != !raw[9]) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < c.n_set_tid; i++) {
        uint32_t tid;
        if (!load_guest_u32(raw[8] + 4 * i, &tid)) {
            return -EFAULT;
        }
        c.set_tid[i] = (int32_t)tid;
    }
    if (c.n_set_tid && (raw[0] & (CLONE_THREAD | CLONE_VM))) {
        return -EINVAL; /* host threads are made by the C library */
    }
    c.exit_signal = (int)raw[4];
    c.stack = raw[5] ? raw[5] + raw[6] : 0;
    return thread_clone(t, &c);
}

static char **strings_from_guest(const Abi *abi, vaddr addr, int64_t *err)
{
    enum { MAX_STRINGS = 1 << 20, MAX_STRING = 128 * 1024 };
    VEC(char *) v = { 0 };
    char *buf = xmalloc(MAX_STRING);
    *err = 0;
    for (size_t i = 0; addr && !*err; i++) {
        uint64_t p;
        if (!load_guest_word(abi, addr + i * abi->word_bytes, &p)) {
            *err = -EFAULT;
        } else if (!p) {
            break;
        } else if (i >= MAX_STRINGS) {
            *err = -E2BIG;
        } else {
            int64_t n = string_from_guest(buf, p, MAX_STRING);
            if (n < 0) {
                *err = n == -ENAMETOOLONG ? -E2BIG : n;
            } else {
                *vec_push(&v) = xmemdup(buf, (size_t)n + 1);
            }
        }
    }
    free(buf);
    *vec_push(&v) = NULL;
    return v.at;
}

static void strings_free(char **v)
{
    for (char **p = v; *p; p++) {
        free(*p);
    }
    free(v);
}

static int64_t exec_common(Thread *t, const char *path, vaddr argv, vaddr envp, int fd)
{
    int64_t err;
    char **args = strings_from_guest(t->abi, argv, &err), **env = NULL;
    if (!err) {
        env = strings_from_guest(t->abi, envp, &err);
    }
    int64_t r = err ? err : user_execve(t, path, args, env, fd);
    strings_free(args);
    if (env) {
        strings_free(env);
    }
    return r;
}

int64_t sys_execve(Thread *t, const uint64_t *a)
{
    char path[USER_PATH_MAX];
    int64_t r = path_from_guest(path, a[0]);
    return r < 0 ? r : exec_common(t, path, a[1], a[2], -1);
}

int64_t sys_execveat(Thread *t, const uint64_t *a)
{
    char path[USER_PATH_MAX], full[USER_PATH_MAX + 64];
    int64_t r = path_from_guest(path, a[1]);
    if (r < 0) {
        return r;
    }
    if (a[4] & ~(uint64_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) {
        return -EINVAL;
    }
    if (!path[0]) {
        if (!(a[4] & AT_EMPTY_PATH)) {
            return -ENOENT;
        }
        if (fcntl((int)a[0], F_GETFD) < 0) {
            return -EBADF;
        }
        snprintf(full, sizeof(full), "/proc/self/fd/%d", (int)a[0]);
        return exec_common(t, full, a[2], a[3], (int)a[0]);
    }
    if (a[4] & AT_SYMLINK_NOFOLLOW) {
        char link[8];
        if (RAW_SYSCALL(SYS_readlinkat, a[0], path, link, sizeof(link)) >= 0) {
            return -ELOOP;
        }
    }
    if (path[0] == '/' || (int)a[0] == AT_FDCWD) {
        return exec_common(t, path, a[2], a[3], -1);
    }
    snprintf(full, sizeof(full), "/proc/self/fd/%d/%s", (int)a[0], path);
    return exec_common(t, full, a[2], a[3], -1);
}

int64_t sys_wait4(Thread *t, const uint64_t *a)
{
    int status = 0;
    struct rusage ru;
    int64_t r = SAFE_SYSCALL(t, SYS_wait4, a[0], &status, a[2], &ru);
    if (r > 0) {
        if ((a[1] && !store_guest_u32(a[1], (uint32_t)status))
            || (a[3] && !struct_to_guest(t->abi, &struct_rusage, a[3], &ru))) {
            return -EFAULT;
        }
    }
    return r;
}

int64_t sys_waitid(Thread *t, const uint64_t *a)
{
    siginfo_t info;
    struct rusage ru;
    memset(&info, 0, sizeof(info));
    int64_t r = SAFE_SYSCALL(t, SYS_waitid, a[0], a[1], &info, a[3], &ru);
    if (r >= 0) {
        if ((a[2] && !siginfo_to_guest(t->abi, a[2], &info))
            || (a[4] && info.si_pid && !struct_to_guest(t->abi, &struct_rusage, a[4], &ru))) {
            return -EFAULT;
        }
    }
    return r;
}

/* -- threads ----------------------------------------------------------------------------------------------- */

int64_t sys_set_tid_address(Thread *t, const uint64_t *a)
{
    t->clear_child_tid = a[0];
    return t->tid;
}

int64_t sys_set_robust_list(Thread *t, const uint64_t *a)
{
    if (a[1] != 3u * t->abi->word_bytes) {
        return -EINVAL;
    }
    t->robust_list = a[0];
    t->robust_list_bytes = a[1];
    return 0;
}

int64_t sys_get_robust_list(Thread *t, const uint64_t *a)
{
    vaddr head = 0;
    bool found = !a[0] || (pid_t)a[0] == t->tid;
    if (found) {
        head = t->robust_list;
    } else {
        thread_list_lock();
        for (Thread *o = thread_list_first(); o; o = o->next) {
            if (o->tid == (pid_t)a[0]) {
                head = o->robust_list;
                found = true;
            }
        }
        thread_list_unlock();
    }
    if (!found) {
        return kill((pid_t)a[0], 0) < 0 && errno == ESRCH ? -ESRCH : -EPERM;
    }
    return store_guest_word(t->abi, a[1], head) && store_guest_word(t->abi, a[2], 3u * t->abi->word_bytes)
           ? 0 : -EFAULT;
}

int64_t sys_futex(Thread *t, const uint64_t *a)
{
    int op = (int)a[1], cmd = op & FUTEX_CMD_MASK;
    bool ok = true;
    uint64_t timeout = a[3];
    struct timespec ts;
    void *p = guest_in(a[0], 4, &ok), *p2 = NULL;
    switch (cmd) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_REQUEUE_PI:
        if (a[3]) {
            ok = ok && timespecs_from_guest(t->abi, &ts, a[3], 1);
            timeout = (uintptr_t)&ts;
        }
        break;
    }
    switch (cmd) {
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_CMP_REQUEUE_PI:
    case FUTEX_WAKE_OP:
    case FUTEX_WAIT_REQUEUE_PI:
        p2 = guest_in(a[4], 4, &ok);
        break;
    }
    /* It fails for a null address by itself. */
    if (!ok) {
        return -EFAULT;
    }
    uint64_t value = a[2], value3 = a[5];
    if (t->abi->big_endian) { /* the kernel compares and writes the word in its own byte order */
        switch (cmd) {
        case FUTEX_WAIT:
        case FUTEX_WAIT_BITSET:
            value = __builtin_bswap32((uint32_t)value);
            break;
        case FUTEX_CMP_REQUEUE:
            value3 = __builtin_bswap32((uint32_t)value3);
            break;
        case FUTEX_WAKE:
        case FUTEX_WAKE_BITSET:
        case FUTEX_REQUEUE:
            break;
        default:
            return -ENOSYS;
        }
    }
    return SAFE_SYSCALL(t, SYS_futex, p, op, value, timeout, p2, value3);
}

int64_t sys_futex_waitv(Thread *t, const uint64_t *a)
{
    enum { MAX_WAITV = 128 };
    struct { uint64_t val, uaddr; uint32_t flags, reserved; } w[MAX_WAITV];
    struct timespec ts;
    uint64_t n = a[1];
    if (!n || n > MAX_WAITV || t->abi->big_endian) {
        return -EINVAL;
    }
    if (!copy_from_guest(w, a[0], n * sizeof(w[0])) || (a[3] && !timespecs_from_guest(t->abi, &ts, a[3], 1))) {
        return -EFAULT;
    }
    for (uint64_t i = 0; i < n; i++) {
        bool ok = true;
        w[i].uaddr = (uintptr_t)guest_in(w[i].uaddr, 4, &ok);
        if (!ok) {
            return -EFAULT;
        }
    }
    return SAFE_SYSCALL(t, 449, w, n, a[2], a[3] ? &ts : NULL, a[4]);
}

/* Sizes are in bytes of words; the host's words may be larger. */
int64_t sys_sched_setaffinity(Thread *t, const uint64_t *a)
{
    uint8_t mask[1024] = { 0 };
    uint64_t n = MIN(a[1], sizeof(mask));
    if (!copy_from_guest(mask, a[2], n)) {
        return -EFAULT;
    }
    order_fields(t->abi, mask, n, t->abi->word_bytes == 8 ? "q" : "l");
    return RAW_SYSCALL(SYS_sched_setaffinity, a[0], sizeof(mask), mask);
}

int64_t sys_sched_getaffinity(Thread *t, const uint64_t *a)
{
    uint8_t mask[1024] = { 0 };
    if (!a[1] || a[1] & (t->abi->word_bytes - 1u)) {
        return -EINVAL;
    }
    int64_t r = RAW_SYSCALL(SYS_sched_getaffinity, a[0], sizeof(mask), mask);
    if (r < 0) {
        return r;
    }
    if (a[1] < (uint64_t)r) {
        for (int64_t i = (int64_t)a[1]; i < r; i++) {
            if (mask[i]) {
                return -EINVAL;
            }
        }
        r = (int64_t)a[1];
    }
    order_fields(t->abi, mask, (size_t)r, t->abi->word_bytes == 8 ? "q" : "l");
    return copy_to_guest(a[2], mask, (size_t)r) ? r : -EFAULT;
}

int64_t sys_sched_getattr(Thread *t, const uint64_t *a)
{
    uint8_t attr[56] = { 0 };
    uint64_t n = MIN(a[2], sizeof(attr));
    int64_t r = RAW_SYSCALL(SYS_sched_getattr, a[0], attr, n, a[3]);
    if (r < 0) {
        return r;
    }
    order_fields(t->abi, attr, n, "2lq2l3q2l");
    return copy_to_guest(a[1], attr, n) ? 0 : -EFAULT;
}

int64_t sys_unshare(Thread *t, const uint64_t *a)
{
    (void)t;
    return RAW_SYSCALL(SYS_unshare, a[0]);
}

/* -- identity, limits, the machine ----------------------------------------------------------------------------- */

int64_t sys_getgroups(Thread *t, const uint64_t *a)
{
    Ordered o;
    bool ok = true;
    int n = (int)a[0];
    void *p = order_inout(t, &o, a[1], n > 0 ? (uint64_t)MIN(n, NGROUPS_MAX) * 4 : 0, "l", &ok);
    int64_t r = ok ? RAW_SYSCALL(SYS_getgroups, n, p) : -EFAULT;
    return order_out(&o, r >= 0) ? r : -EFAULT;
}

int64_t sys_setgroups(Thread *t, const uint64_t *a)
{
    Ordered o;
    bool ok = true;
    int n = (int)a[0];
    void *p = order_in(t, &o, a[1], n > 0 ? (uint64_t)MIN(n, NGROUPS_MAX) * 4 : 0, "l", &ok);
    int64_t r = ok ? RAW_SYSCALL(SYS_setgroups, n, p) : -EFAULT;
    order_out(&o, false);
    return r;
}

int64_t sys_uname(Thread *t, const uint64_t *a)
{
    struct utsname u;
    if (uname(&u) < 0) {
        return -errno;
    }
    snprintf(u.machine, sizeof(u.machine), "%s", t->abi->model_machine ? t->abi->model_machine(t) : t->abi->uname_machine);
    if (user.options.uname_release) {
        snprintf(u.release, sizeof(u.release), "%s", user.options.uname_release);
    }
    return copy_to_guest(a[0], &u, sizeof(u)) ? 0 : -EFAULT;
}

/* Limits on address space are the guest's to see, but would hit the emulator's own memory. */
static bool limit_is_ours(int resource)
{
    return resource == RLIMIT_AS || resource == RLIMIT_DATA || resource == RLIMIT_STACK;
}

static struct rlimit kept_limits[RLIM_NLIMITS];
static bool kept_valid[RLIM_NLIMITS];

static int64_t limit_get(int resource, struct rlimit *ret)
{
    if (resource >= 0 && resource < RLIM_NLIMITS && kept_valid[resource]) {
        *ret = kept_limits[resource];
        return 0;
    }
    if (getrlimit(resource, ret) < 0) {
        return -errno;
    }
    return 0;
}

static int64_t limit_set(int resource, const struct rlimit *rl)
{
    if (rl->rlim_cur > rl->rlim_max) {
        return -EINVAL;
    }
    if (resource >= 0 && resource < RLIM_NLIMITS && limit_is_ours(resource)) {
        kept_limits[resource] = *rl;
        kept_valid[resource] = true;
        /* A stack limit is what programs started later get. */
        return resource == RLIMIT_STACK ? RAW_SYSCALL(SYS_prlimit64, 0, resource, rl, 0) : 0;
    }
    return RAW_SYSCALL(SYS_prlimit64, 0, resource, rl, 0);
}

int64_t sys_getrlimit(Thread *t, const uint64_t *a)
{
    struct rlimit rl;
    int64_t r = limit_get((int)a[0], &rl);
    if (r < 0) {
        return r;
    }
    return struct_to_guest(t->abi, &struct_rlimit, a[1], &rl) ? 0 : -EFAULT;
}

int64_t sys_setrlimit(Thread *t, const uint64_t *a)
{
    struct rlimit rl;
    if (!struct_from_guest(t->abi, &struct_rlimit, &rl, a[1])) {
        return -EFAULT;
    }
    return limit_set((int)a[0], &rl);
}

/* struct rlimit64 is two 64-bit words everywhere. */
int64_t sys_prlimit64(Thread *t, const uint64_t *a)
{
    struct rlimit new, old;
    (void)t;
    if (a[2] && (!load_guest_u64(a[2], &new.rlim_cur) || !load_guest_u64(a[2] + 8, &new.rlim_max))) {
        return -EFAULT;
    }
    bool self = !(pid_t)a[0] || (pid_t)a[0] == getpid();
    int64_t r;
    if (self) {
        r = limit_get((int)a[1], &old);
        if (r == 0 && a[2]) {
            r = limit_set((int)a[1], &new);
        }
    } else {
        r = RAW_SYSCALL(SYS_prlimit64, a[0], a[1], a[2] ? &new : NULL, &old);
    }
    if (r < 0) {
        return r;
    }
    return !a[3] || (store_guest_u64(a[3], old.rlim_cur) && store_guest_u64(a[3] + 8, old.rlim_max)) ? 0 : -EFAULT;
}

int64_t sys_getrusage(Thread *t, const uint64_t *a)
{
    struct rusage ru;
    int64_t r = RAW_SYSCALL(SYS_getrusage, a[0], &ru);
    if (r < 0) {
        return r;
    }
    return struct_to_guest(t->abi, &struct_rusage, a[1], &ru) ? 0 : -EFAULT;
}

int64_t sys_sysinfo(Thread *t, const uint64_t *a)
{
    struct sysinfo si;
    if (sysinfo(&si) < 0) {
        return -errno;
    }
    if (t->abi->word_bytes == 4) { /* as compat system calls: a larger unit until the numbers fit */
        while (si.totalram > UINT32_MAX || si.totalswap > UINT32_MAX) {
            si.mem_unit <<= 1;
            si.totalram >>= 1, si.freeram >>= 1, si.sharedram >>= 1, si.bufferram >>= 1;
            si.totalswap >>= 1, si.freeswap >>= 1;
        }
    }
    return struct_to_guest(t->abi, &struct_sysinfo, a[0], &si) ? 0 : -EFAULT;
}

int64_t sys_personality(Thread *t, const uint64_t *a)
{
    (void)t;
    return RAW_SYSCALL(SYS_personality, a[0]);
}

/* -- what is refused, and what is passed on with care ------------------------------------------------------------ */

/* Debugging a guest process would show the emulator's registers: refuse as a kernel without rights does. */
int64_t sys_ptrace(Thread *t, const uint64_t *a)
{
    (void)t;
    (void)a;
    return -EPERM;
}

int64_t sys_seccomp(Thread *t, const uint64_t *a)
{
    (void)t;
    (void)a;
    /* Filters are for the guest's system call numbers; the kernel would apply them to ours. */
    return -EINVAL;
}

int64_t sys_prctl(Thread *t, const uint64_t *a)
{
    bool ok = true;
    switch ((int)a[0]) {
    case PR_SET_NAME: {
        char name[16] = "";
        int64_t n = string_from_guest(name, a[1], sizeof(name));
        if (n == -ENAMETOOLONG) {
            ok = copy_from_guest(name, a[1], 15);
            name[15] = 0;
        }
        return n == -EFAULT || !ok ? -EFAULT : RAW_SYSCALL(SYS_prctl, PR_SET_NAME, name);
    }
    case PR_GET_NAME: {
        void *p = guest_out(a[1], 16, &ok);
        return ok ? RAW_SYSCALL(SYS_prctl, PR_GET_NAME, p) : -EFAULT;
    }
    case PR_GET_PDEATHSIG:
    case PR_GET_CHILD_SUBREAPER:
    case PR_GET_TSC: {
        Ordered o;
        void *p = order_inout(t, &o, a[1], 4, "l", &ok);
        int64_t r = ok ? RAW_SYSCALL(SYS_prctl, a[0], p) : -EFAULT;
        return order_out(&o, r >= 0) ? r : -EFAULT;
    }
    case PR_GET_TID_ADDRESS:
        return store_guest_word(t->abi, a[1], t->clear_child_tid) ? 0 : -EFAULT;
    case PR_SET_PDEATHSIG:
    case PR_GET_DUMPABLE:
    case PR_SET_DUMPABLE:
    case PR_GET_KEEPCAPS:
    case PR_SET_KEEPCAPS:
    case PR_GET_SECUREBITS:
    case PR_SET_SECUREBITS:
    case PR_GET_TIMERSLACK:
    case PR_SET_TIMERSLACK:
    case PR_SET_CHILD_SUBREAPER:
    case PR_SET_NO_NEW_PRIVS:
    case PR_GET_NO_NEW_PRIVS:
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
    case PR_CAP_AMBIENT:
    case PR_SET_THP_DISABLE:
    case PR_GET_THP_DISABLE:
    case PR_SET_PTRACER:
    case PR_MCE_KILL:
    case PR_MCE_KILL_GET:
        return RAW_SYSCALL(SYS_prctl, a[0], a[1], a[2], a[3], a[4]);
    case 0x53564d41 /* PR_SET_VMA: names of anonymous mappings */:
        return a[1] == 0 && uaccess_ok(a[2], a[3]) ? 0 : -EINVAL;
    case PR_GET_SECCOMP:
        return 0;
    default:
        return t->abi->prctl ? t->abi->prctl(t, a) : -EINVAL;
    }
}

int64_t sys_kcmp(Thread *t, const uint64_t *a)
{
    Ordered o = { 0 };
    bool ok = true, slot = (int)a[2] == KCMP_EPOLL_TFD; /* struct kcmp_epoll_slot */
    uint64_t second = slot ? (uintptr_t)order_in(t, &o, a[4], sizeof(struct kcmp_epoll_slot), "l", &ok) : a[4];
    int64_t r = ok ? RAW_SYSCALL(SYS_kcmp, a[0], a[1], a[2], a[3], second) : -EFAULT;

    order_out(&o, false);
    return r;
}
