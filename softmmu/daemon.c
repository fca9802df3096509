/*
 * daemon.c: daemons and pid files (process.h), for the emulator and the storage daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "softmmu/process.h"

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
