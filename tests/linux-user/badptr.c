/* badptr.c: system calls on pointers that are not good for anything. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAY(expr) (errno = 0, r = (long)(expr), printf("%s: %ld %s\n", #expr, r, r == -1 ? strerrorname_np(errno) : ""))

int main(void)
{
    long r;
    void *bad[] = { (void *)16, (void *)0xdead0000beef0000ul, (void *)0x3ffffffffff000ul, (void *)-1ul };
    int p[2], sp[2];
    if (pipe(p) || socketpair(AF_UNIX, SOCK_STREAM, 0, sp)) {
        return 1;
    }
    for (unsigned i = 0; i < 4; i++) {
        void *b = bad[i];
        SAY(write(p[1], b, 4));
        SAY(syscall(SYS_openat, AT_FDCWD, b, O_RDONLY));
        SAY(syscall(SYS_fstat, 0, b));
        SAY(syscall(SYS_uname, b));
        SAY(syscall(SYS_pipe2, b, 0));
        SAY(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, b));
        SAY(syscall(SYS_nanosleep, b, NULL));
        SAY(syscall(SYS_rt_sigaction, SIGUSR1, b, NULL, 8));
        SAY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, b, NULL, 8));
        SAY(syscall(SYS_getrlimit, RLIMIT_NOFILE, b));
        SAY(syscall(SYS_getcwd, b, 100));
        SAY(syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", b, 100));
        SAY(syscall(SYS_ppoll, b, 1, NULL, NULL, 8));
        SAY(syscall(SYS_epoll_ctl, epoll_create1(0), EPOLL_CTL_ADD, 0, b));
        SAY(syscall(SYS_writev, p[1], b, 1));
        struct iovec iov = { b, 10 };
        SAY(writev(p[1], &iov, 1));
        SAY(syscall(SYS_sendmsg, sp[0], b, 0));
        SAY(syscall(SYS_connect, sp[0], b, 16));
        SAY(syscall(SYS_getsockname, sp[0], b, b));
        SAY(ioctl(0, FIONREAD, b) == -1 ? -2 : 0);
        SAY(syscall(SYS_execve, b, NULL, NULL));
        SAY(syscall(SYS_statfs, "/", b));
        SAY(syscall(SYS_sysinfo, b));
        SAY(syscall(SYS_times, b));
        SAY(syscall(SYS_getrusage, 0, b));
        SAY(syscall(SYS_getitimer, ITIMER_REAL, b));
        SAY(syscall(SYS_sched_getaffinity, 0, 128, b));
        SAY(syscall(SYS_sigaltstack, b, NULL));
        SAY(syscall(SYS_timer_create, CLOCK_MONOTONIC, b, b));
        SAY(syscall(SYS_getrandom, b, 16, 0));
        SAY(syscall(SYS_statx, AT_FDCWD, "/", 0, STATX_BASIC_STATS, b));
        SAY(syscall(SYS_clone3, b, 64));
        SAY(syscall(SYS_mkdirat, AT_FDCWD, b, 0755));
        SAY(syscall(SYS_set_robust_list, b, 24));
        SAY(syscall(SYS_pselect6, 1, b, NULL, NULL, NULL, NULL));
    }
    SAY(syscall(SYS_set_robust_list, NULL, 23));
    SAY(syscall(9999));
    SAY(syscall(SYS_io_uring_setup, 1, NULL) < 0);
    SAY(close(-1));
    SAY(read(-1, bad, 4));
    SAY(fcntl(-1, F_GETFD));
    char name[5000];
    memset(name, 'x', sizeof(name));
    name[4999] = 0;
    SAY(open(name, O_RDONLY));
    SAY(open("", O_RDONLY));
    SAY(open("/proc/self/nonexistent", O_RDONLY));
    SAY(lseek(p[0], 0, SEEK_SET));
    SAY(readv(p[0], NULL, -1));
    SAY(mkdir("/", 0755));
    SAY(kill(getpid(), 100));
    SAY(waitpid(-1, NULL, 0));
    SAY(nanosleep(&(struct timespec){ 0, 2000000000 }, NULL));
    return 0;
}
