/*
 * process.c: the process around the machine (see the header).
 */
#include "softmmu/process.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "softmmu/machine.h"
#include "softmmu/options.h"
#include "util/alloc.h"

static int daemon_pipe = -1;
static char *pidfile_path;
static dev_t pidfile_dev;
static ino_t pidfile_ino;

/* ---- daemon ---- */

bool process_daemonize(Error **errp)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) {
        error_set_errno(errp, errno, "cannot create a pipe");
        return false;
    }
    pid_t pid = fork();
    if (pid < 0) {
        error_set_errno(errp, errno, "cannot fork");
        return false;
    }
    if (pid > 0) {
        uint8_t status;
        ssize_t n;
        close(fds[1]);
        do {
            n = read(fds[0], &status, 1);
        } while (n < 0 && errno == EINTR);
        /* End of file without a byte: the child has failed and said why. */
        _exit(n == 1 ? status : 1);
    }
    close(fds[0]);
    daemon_pipe = fds[1];
    setsid();
    /* A second fork: not a session leader, so no terminal can become ours. */
    pid = fork();
    if (pid < 0) {
        error_set_errno(errp, errno, "cannot fork");
        return false;
    }
    if (pid > 0) {
        _exit(0);
    }
    umask(027);
    return true;
}

bool process_daemon_ready(Error **errp)
{
    if (daemon_pipe < 0) {
        return true;
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (chdir("/") < 0 || null < 0) {
        error_set_errno(errp, errno, "cannot detach from the terminal");
        return false;
    }
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    close(null);
    uint8_t status = 0;
    ssize_t n;
    do {
        n = write(daemon_pipe, &status, 1);
    } while (n < 0 && errno == EINTR);
    close(daemon_pipe);
    daemon_pipe = -1;
    return true;
}

/* ---- pid file ---- */

static void remove_pidfile(void)
{
    struct stat st;
    /* Only if it is still ours. */
    if (pidfile_path && stat(pidfile_path, &st) == 0 && st.st_dev == pidfile_dev &&
        st.st_ino == pidfile_ino) {
        unlink(pidfile_path);
    }
}

bool process_write_pidfile(const char *path, Error **errp)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    char text[24];
    if (fd < 0) {
        error_set_errno(errp, errno, "cannot create PID file: Could not create '%s'", path);
        return false;
    }
    if (fcntl(fd, F_SETLK, &lock) < 0) {
        error_set(errp, "cannot create PID file '%s': another process holds it", path);
        close(fd);
        return false;
    }
    int n = snprintf(text, sizeof(text), "%d\n", getpid());
    struct stat st;
    if (ftruncate(fd, 0) < 0 || write(fd, text, (size_t)n) != n || fstat(fd, &st) < 0) {
        error_set_errno(errp, errno, "cannot write PID file '%s'", path);
        close(fd);
        return false;
    }
    /* Absolute, as -daemonize changes directory. The descriptor stays open: it is the lock. */
    pidfile_path = realpath(path, NULL);
    pidfile_dev = st.st_dev;
    pidfile_ino = st.st_ino;
    atexit(remove_pidfile);
    return true;
}

/* ---- users ---- */

bool process_chroot(const char *dir, Error **errp)
{
    if (chroot(dir) < 0 || chdir("/") < 0) {
        error_set_errno(errp, errno, "chroot to '%s' failed", dir);
        return false;
    }
    return true;
}

bool process_run_as(const char *user, Error **errp)
{
    unsigned uid, gid;
    int end = 0;
    const struct passwd *pw = getpwnam(user);
    if (pw) {
        uid = pw->pw_uid;
        gid = pw->pw_gid;
    } else if (sscanf(user, "%u:%u%n", &uid, &gid, &end) != 2 || user[end]) {
        error_set(errp, "user \"%s\" doesn't exist (and is not uid:gid)", user);
        return false;
    }
    if ((pw ? initgroups(user, gid) : setgroups(1, &gid)) < 0 || setgid(gid) < 0 ||
        setuid(uid) < 0) {
        error_set_errno(errp, errno, "cannot become user '%s'", user);
        return false;
    }
    if (uid && setuid(0) != -1) {
        error_set(errp, "dropping privileges to '%s' failed", user);
        return false;
    }
    return true;
}

/* ---- signals ---- */

static volatile sig_atomic_t caught_signal, caught_pid;

static void on_signal(int sig, siginfo_t *info, void *context)
{
    caught_signal = sig;
    caught_pid = info->si_pid;
    machine_request_shutdown(SHUTDOWN_CAUSE_HOST_SIGNAL);
}

void process_catch_signals(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        struct sigaction old;
        /* nohup and shells without job control ignore some: stay so. */
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(signals[i], &sa, NULL);
        }
    }
    signal(SIGPIPE, SIG_IGN);
}

int process_signal(int *ret_pid)
{
    *ret_pid = (int)caught_pid;
    return caught_signal;
}
