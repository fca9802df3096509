/* clones.c: children that are more than a fork, alternate stacks that disarm themselves, what cannot be executed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

/* Not libc's: flags, pidfd, child_tid, parent_tid, exit_signal, and six zeros. */
static long clone3_raw(uint64_t flags, int *pidfd, int exit_signal)
{
    uint64_t args[11] = { flags, (uintptr_t)pidfd, 0, 0, (uint64_t)exit_signal };
    return syscall(SYS_clone3, args, sizeof(args));
}

static volatile int got_usr1, in_handler_flags = -1;

static void on_usr1(int sig)
{
    got_usr1++;
}

static void shared_files(void)
{
    int bad = 0;
    for (int i = 0; i < 20; i++) {
        int status;
        long pid = clone3_raw(CLONE_FILES | CLONE_FS, NULL, SIGCHLD);
        if (!pid) {
            int fd = open("/dev/null", O_WRONLY);
            _exit(fd >= 0 && dup2(fd, 77) == 77 && close(fd) == 0 && chdir("/proc") == 0 ? 3 : 1);
        }
        bad += waitpid((pid_t)pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 3;
        char cwd[64] = "";
        bad += close(77) != 0 || !getcwd(cwd, sizeof(cwd)) || strcmp(cwd, "/proc") || chdir("/");
        pid = clone3_raw(0, NULL, SIGCHLD); /* its own: nothing comes back */
        if (!pid) {
            _exit(dup2(0, 77) == 77 ? 0 : 1);
        }
        bad += waitpid((pid_t)pid, &status, 0) != pid || status || fcntl(77, F_GETFD) >= 0;
    }
    printf("shared files and directory: bad %d\n", bad);
}

static void exit_signals(void)
{
    int status, pidfd = -1;
    signal(SIGUSR1, on_usr1);
    long pid = clone3_raw(0, NULL, SIGUSR1);
    if (!pid) {
        _exit(4);
    }
    while (waitpid((pid_t)pid, &status, __WALL) < 0 && errno == EINTR) {
    }
    printf("exit signal: %d status %d\n", got_usr1, WEXITSTATUS(status));
    pid = clone3_raw(CLONE_PIDFD, &pidfd, 0);
    if (!pid) {
        _exit(6);
    }
    struct pollfd p = { pidfd, POLLIN, 0 };
    int polled = poll(&p, 1, 20000);
    int plain = waitpid((pid_t)pid, &status, 0);
    printf("pidfd: %d, wait without __WALL %d\n", polled, plain < 0 ? errno : 0);
    waitpid((pid_t)pid, &status, __WALL);
    printf("status %d, exec flag %d\n", WEXITSTATUS(status), fcntl(pidfd, F_GETFD));
    close(pidfd);
    errno = 0;
    pid = clone3_raw(CLONE_SIGHAND, NULL, SIGCHLD);
    printf("bad flags: %ld %d\n", pid, errno);
    pid = clone3_raw(CLONE_PARENT, NULL, SIGCHLD);
    printf("parent with signal: %ld %d\n", pid, errno);
}

static void on_stack(int sig)
{
    stack_t now;
    sigaltstack(NULL, &now);
    in_handler_flags = now.ss_flags;
}

static void disarm(void)
{
    struct sigaction sa = { .sa_handler = on_stack, .sa_flags = SA_ONSTACK };
    stack_t set = { .ss_sp = malloc(65536), .ss_size = 65536, .ss_flags = (int)SS_AUTODISARM }, after;
    sigaction(SIGUSR2, &sa, NULL);
    if (sigaltstack(&set, NULL)) {
        perror("sigaltstack");
    }
    raise(SIGUSR2);
    sigaltstack(NULL, &after);
    printf("in handler: disabled %d; after: same %d flags %#x\n", in_handler_flags == SS_DISABLE,
           after.ss_sp == set.ss_sp && after.ss_size == set.ss_size, (unsigned)after.ss_flags);
}

int main(void)
{
    char fifo[64];
    char *args[] = { fifo, NULL };
    shared_files();
    exit_signals();
    disarm();
    snprintf(fifo, sizeof(fifo), "/tmp/clones-fifo-%d", (int)getpid());
    mkfifo(fifo, 0777);
    alarm(20);
    int r = execv(fifo, args);
    printf("exec of a FIFO: %d %s\n", r, strerror(errno));
    unlink(fifo);
    return 0;
}
