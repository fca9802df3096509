/* processes.c: fork, vfork, posix_spawn, exec of programs and scripts, wait, pipes, inherited state. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int status_of(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, 0) != pid) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void capture(const char *what, pid_t (*start)(int out, char **argv), char **argv)
{
    int p[2];
    char buf[512];
    fflush(stdout);
    if (pipe(p)) {
        return;
    }
    pid_t pid = start(p[1], argv);
    close(p[1]);
    size_t n = 0;
    ssize_t got;
    while (n < sizeof(buf) - 1 && (got = read(p[0], buf + n, sizeof(buf) - 1 - n)) > 0) {
        n += (size_t)got;
    }
    buf[n] = 0;
    close(p[0]);
    printf("%s: %d [%s]\n", what, status_of(pid), buf);
}

static pid_t by_fork(int out, char **argv)
{
    pid_t pid = fork();
    if (!pid) {
        dup2(out, 1);
        execvp(argv[0], argv);
        printf("exec: %s\n", strerrorname_np(errno));
        fflush(stdout);
        _exit(errno == ENOENT ? 127 : 126);
    }
    return pid;
}

static pid_t by_vfork(int out, char **argv)
{
    pid_t pid = vfork();
    if (!pid) {
        dup2(out, 1);
        execvp(argv[0], argv);
        _exit(errno == ENOENT ? 127 : 126);
    }
    return pid;
}

static volatile int shared;

/* Touches `bytes` of stack, page by page, downwards. */
static int deep(size_t bytes)
{
    volatile char page[4096];
    page[0] = page[4095] = (char)bytes;
    return bytes <= sizeof(page) ? page[0] : deep(bytes - sizeof(page)) + page[4095];
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "deep")) {
        deep((size_t)24 << 20);
        return 5;
    }
    if (argc > 1 && !strcmp(argv[1], "child")) {
        sigset_t set;
        sigprocmask(SIG_BLOCK, NULL, &set);
        struct sigaction sa;
        sigaction(SIGUSR1, NULL, &sa);
        struct sigaction sb;
        sigaction(SIGUSR2, NULL, &sb);
        printf("%s %d env %s masked %d ignored %d default %d", argv[2], argc, getenv("V") ? getenv("V") : "-",
               sigismember(&set, SIGHUP), sa.sa_handler == SIG_IGN, sb.sa_handler == SIG_DFL);
        /* Signals that a runner may need for itself are kept as well. */
        static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT };
        sigset_t waiting;
        sigpending(&waiting);
        printf(" faults");
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
            sigaction(faults[i], NULL, &sa);
            printf(" %d%d%d", sigismember(&set, faults[i]), sa.sa_handler == SIG_IGN, sigismember(&waiting, faults[i]));
        }
        return 5;
    }
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n] = 0;
    setenv("V", "value", 1);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, exit);
    sigset_t faults;
    sigemptyset(&faults);
    sigaddset(&faults, SIGSEGV);
    sigaddset(&faults, SIGILL);
    sigaddset(&faults, SIGTRAP);
    sigprocmask(SIG_BLOCK, &faults, NULL);
    signal(SIGBUS, SIG_IGN);
    signal(SIGABRT, SIG_IGN);
    signal(SIGSEGV, exit);
    raise(SIGILL);
    char *args[] = { self, "child", "one arg", NULL };
    capture("fork and exec", by_fork, args);
    capture("vfork and exec", by_vfork, args);
    execl("/nonexistent/program", "x", NULL);
    sigpending(&faults);
    printf("still waits %d\n", sigismember(&faults, SIGILL));
    fflush(stdout);
    if (!fork()) { /* the one that waits is what ends the program, when it is let */
        sigfillset(&faults);
        execl("/nonexistent/program", "x", NULL);
        signal(SIGILL, _exit);
        raise(SIGILL);
        sigprocmask(SIG_UNBLOCK, &faults, NULL);
        _exit(99);
    }
    int ended;
    wait(&ended);
    printf("ended %#x\n", ended);
    char *host[] = { "echo", "a program of the system", NULL };
    capture("system program", by_fork, host);
    char *missing[] = { "/nonexistent/program", NULL };
    capture("missing", by_vfork, missing);
    char *dir[] = { "/tmp", NULL };
    capture("directory", by_fork, dir);
    char *exe[] = { "/proc/self/exe", "child", "by link", NULL };
    capture("self exe", by_fork, exe);

    char script[] = "/tmp/script-XXXXXX", line[5000];
    int fd = mkstemp(script);
    int len = snprintf(line, sizeof(line), "#!%s child\nnothing\n", self);
    if (write(fd, line, (size_t)len) != len) {
        return 1;
    }
    fchmod(fd, 0755);
    close(fd);
    char *scr[] = { script, "x", NULL };
    int before = (int)strlen(script);
    int p[2];
    if (pipe(p)) {
        return 1;
    }
    pid_t pid = by_fork(p[1], scr);
    close(p[1]);
    char buf[512];
    n = read(p[0], buf, sizeof(buf) - 1);
    buf[n > 0 ? n : 0] = 0;
    printf("script: %d name %d rest [%s]\n", status_of(pid), !strncmp(buf, script, (size_t)before), buf + before);
    fd = open(script, O_WRONLY | O_TRUNC);
    if (write(fd, "garbage\n", 8) != 8) {
        return 1;
    }
    close(fd);
    pid = fork();
    if (!pid) {
        execve(script, scr, environ);
        _exit(errno == ENOEXEC ? 88 : 89);
    }
    printf("garbage %d\n", status_of(pid));
    chmod(script, 0644);
    pid = fork();
    if (!pid) {
        execve(script, scr, environ);
        _exit(errno == EACCES ? 88 : 89);
    }
    printf("not executable %d\n", status_of(pid));
    unlink(script);

    posix_spawn_file_actions_t fa;
    posix_spawn_file_actions_init(&fa);
    int r = posix_spawn(&pid, "/nonexistent", &fa, NULL, args, environ);
    printf("posix_spawn of nothing %s\n", strerrorname_np(r));
    fflush(stdout);
    r = posix_spawn(&pid, self, NULL, NULL, args, environ);
    int status = status_of(pid); /* the child writes on our stdout: let it finish first */
    printf(" posix_spawn %d status %d\n", r, status);

    pid = vfork();
    if (!pid) {
        shared = 1234;
        _exit(6);
    }
    printf("vfork shares memory %d, status %d\n", shared, status_of(pid));
    pid = fork();
    if (!pid) {
        shared = 99;
        _exit(7);
    }
    r = status_of(pid);
    printf("fork does not %d, status %d\n", shared, r);

    for (int i = 0; i < 20; i++) {
        pid = fork();
        if (!pid) {
            pid_t grandchild = fork();
            if (!grandchild) {
                _exit(i);
            }
            _exit(status_of(grandchild));
        }
        r = status_of(pid);
        if (r != i) {
            printf("fork %d: %d\n", i, r);
        }
    }
    fd = open(self, O_RDONLY | O_CLOEXEC);
    fflush(stdout);
    pid = fork();
    if (!pid) {
        syscall(SYS_execveat, fd, "", args, environ, AT_EMPTY_PATH);
        _exit(44);
    }
    printf(" execveat %d\n", status_of(pid));
    /* Every number is the program's own, also across fork. */
    for (int k = 3; k < 20; k++) {
        dup2(1, k);
    }
    pid = fork();
    if (!pid) {
        for (int k = 3; k < 20; k++) {
            if (write(k, "", 0) != 0 || fcntl(k, F_GETFD) != 0) {
                _exit(k);
            }
        }
        _exit(0);
    }
    printf("descriptors %d\n", status_of(pid));
    siginfo_t si;
    struct rusage ru;
    pid = fork();
    if (!pid) {
        _exit(21);
    }
    memset(&si, 0, sizeof(si));
    r = (int)syscall(SYS_waitid, P_PID, pid, &si, WEXITED, &ru);
    printf("waitid %d status %d code %d pid %d\n", r, si.si_status, si.si_code, si.si_pid == pid);
    char name[16];
    prctl(PR_SET_NAME, "a-thread-name");
    prctl(PR_GET_NAME, name);
    printf("name %s\n", name);
    /* A program's stack is as large as the limit says. */
    fflush(stdout);
    for (int mib = 4; mib <= 64; mib += 60) {
        pid = fork();
        if (!pid) {
            struct rlimit stack = { (rlim_t)mib << 20, (rlim_t)mib << 20 };
            struct rlimit core = { 0, 0 };
            setrlimit(RLIMIT_CORE, &core);
            setrlimit(RLIMIT_STACK, &stack);
            close(2);
            execl(self, self, "deep", NULL);
            _exit(45);
        }
        printf("24 MiB of a stack of %d MiB: %d\n", mib, status_of(pid));
        fflush(stdout);
    }
    printf("system %d\n", WEXITSTATUS(system("exit 12")));
    /* A pointer among numbers: which of its descriptors a set of events has. */
    int ep = epoll_create1(0), ends[2];
    struct epoll_event ev = { .events = EPOLLIN };
    unsigned slot[3] = { (unsigned)ep, 0, 0 };
    r = pipe(ends);
    slot[1] = (unsigned)ends[0];
    epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &ev);
    for (int i = 0; i < 3; i++) {
        errno = 0;
        r = (int)syscall(SYS_kcmp, getpid(), getpid(), 7 /* KCMP_EPOLL_TFD */, ends[i == 1], i == 2 ? NULL : slot);
        printf("kcmp %d %s\n", r ? 1 : 0, i == 1 ? "" : strerrorname_np(errno)); /* greater and less are as addresses are */
    }
    /* Large pages lie as the host wants them, wherever the guest's memory is. */
    char *large = mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_HUGETLB | 21 << 26, -1, 0);
    printf("2 MiB: %d %s\n", large != MAP_FAILED, large == MAP_FAILED ? strerrorname_np(errno) : (unsigned long)large & 0x1fffff ? "odd" : "even");
    return 0;
}
