/*
 * legacy.c: system calls that only older ABIs have; generic ones have a newer call that does the same.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "linux-user/syscall/syscall.h"

#define AT_CWD ((uint64_t)(int64_t)AT_FDCWD)

int64_t sys_open(Thread *t, const uint64_t *a)
{
    return sys_openat(t, (const uint64_t[6]){ AT_CWD, a[0], a[1], a[2] });
}

int64_t sys_creat(Thread *t, const uint64_t *a)
{
    return sys_openat(t, (const uint64_t[6]){ AT_CWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, a[1] });
}

int64_t sys_stat(Thread *t, const uint64_t *a)
{
    return sys_newfstatat(t, (const uint64_t[6]){ AT_CWD, a[0], a[1], 0 });
}

int64_t sys_lstat(Thread *t, const uint64_t *a)
{
    return sys_newfstatat(t, (const uint64_t[6]){ AT_CWD, a[0], a[1], AT_SYMLINK_NOFOLLOW });
}

int64_t sys_readlink(Thread *t, const uint64_t *a)
{
    return sys_readlinkat(t, (const uint64_t[6]){ AT_CWD, a[0], a[1], a[2] });
}

int64_t sys_fork(Thread *t, const uint64_t *a)
{
    (void)a;
    return thread_clone(t, &(CloneArgs){ .exit_signal = SIGCHLD });
}

int64_t sys_vfork(Thread *t, const uint64_t *a)
{
    (void)a;
    return thread_clone(t, &(CloneArgs){ .flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD });
}

int64_t sys_poll(Thread *t, const uint64_t *a)
{
    bool ok = true;
    if (a[1] > 1 << 20) {
        return -EINVAL;
    }
    Ordered o;
    void *fds = order_inout(t, &o, a[0], a[1] * sizeof(struct pollfd), "l2w", &ok);
    int64_t r = ok ? SAFE_SYSCALL(t, SYS_poll, fds, a[1], a[2]) : -EFAULT;
    return order_out(&o, r >= 0) ? r : -EFAULT;
}

int64_t sys_select(Thread *t, const uint64_t *a)
{
    return select_common(t, a, a[4], 0, true);
}

/* struct linux_dirent: inode, offset, record length, name, a zero, the type in the last byte. */
int64_t sys_getdents(Thread *t, const uint64_t *a)
{
    enum { HEAD64 = 19 };
    unsigned w = t->abi->word_bytes;
    uint64_t room = MIN(a[2], (uint64_t)32768);
    uint8_t raw[32768], out[300 + 32];
    off_t start = lseek((int)a[0], 0, SEEK_CUR);
    /* A record of ours is never longer than the host's: its head is, with words of 8 bytes, 18 against 19. */
    int64_t n = RAW_SYSCALL(SYS_getdents64, a[0], raw, room);
    uint64_t done = 0;
    off_t next = start;
    for (int64_t at = 0; at < n;) {
        const uint8_t *d = raw + at;
        unsigned len = ldle16(d + 16);
        size_t name = strnlen((const char *)d + HEAD64, len - HEAD64);
        unsigned bytes = (unsigned)ROUND_UP(2 * w + 2 + name + 2, w);
        if (name > 300 || done + bytes > a[2]) {
            /* What does not fit is read again next time. */
            lseek((int)a[0], next, SEEK_SET);
            return done ? (int64_t)done : -EINVAL;
        }
        memset(out, 0, bytes);
        if (w == 8) {
            stle64(out, ldle64(d));
            stle64(out + 8, ldle64(d + 8));
        } else {
            stle32(out, (uint32_t)ldle64(d));
            stle32(out + 4, (uint32_t)ldle64(d + 8));
        }
        stle16(out + 2 * w, (uint16_t)bytes);
        order_fields(t->abi, out, 2 * w + 2, w == 8 ? "2qw" : "2lw");
        memcpy(out + 2 * w + 2, d + HEAD64, name);
        out[bytes - 1] = d[18];
        if (!copy_to_guest(a[1] + done, out, bytes)) {
            return -EFAULT;
        }
        done += bytes;
        next = (off_t)ldle64(d + 8);
        at += len;
    }
    return n < 0 ? n : (int64_t)done;
}

/* Times as words: seconds, or seconds and microseconds. */
static int64_t set_times(Thread *t, uint64_t dirfd, vaddr name, vaddr times, bool micro)
{
    char path[USER_PATH_MAX];
    struct timespec ts[2] = { 0 };
    unsigned w = t->abi->word_bytes;
    int64_t r = path_from_guest(path, name);
    if (r < 0) {
        return r;
    }
    for (unsigned i = 0; times && i < 2; i++) {
        uint64_t sec, usec = 0;
        if (!load_guest_word(t->abi, times + (micro ? 2 * i : i) * w, &sec)
            || (micro && !load_guest_word(t->abi, times + (2 * i + 1) * w, &usec))) {
            return -EFAULT;
        }
        if (usec >= 1000000) {
            return -EINVAL;
        }
        ts[i].tv_sec = w == 4 ? (int32_t)sec : (int64_t)sec;
        ts[i].tv_nsec = (long)usec * 1000;
    }
    return RAW_SYSCALL(SYS_utimensat, dirfd, path, times ? ts : NULL, 0);
}

int64_t sys_utime(Thread *t, const uint64_t *a)
{
    return set_times(t, AT_CWD, a[0], a[1], false);
}

int64_t sys_utimes(Thread *t, const uint64_t *a)
{
    return set_times(t, AT_CWD, a[0], a[1], true);
}

int64_t sys_futimesat(Thread *t, const uint64_t *a)
{
    return set_times(t, a[0], a[1], a[2], true);
}

int64_t sys_time(Thread *t, const uint64_t *a)
{
    time_t now = time(NULL);
    return !a[0] || store_guest_word(t->abi, a[0], (uint64_t)now) ? (int64_t)now : -EFAULT;
}

int64_t sys_epoll_create(Thread *t, const uint64_t *a)
{
    (void)t;
    return (int)a[0] > 0 ? RAW_SYSCALL(SYS_epoll_create1, 0) : -EINVAL;
}

int64_t sys_epoll_wait(Thread *t, const uint64_t *a)
{
    return sys_epoll_pwait(t, (const uint64_t[6]){ a[0], a[1], a[2], a[3], 0, 8 });
}

int64_t sys_signalfd(Thread *t, const uint64_t *a)
{
    return sys_signalfd4(t, (const uint64_t[6]){ a[0], a[1], a[2], 0 });
}
