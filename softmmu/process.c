/*
 * process.c: the process around the machine: users, signals (see the header; daemons and pid files are daemon.c's).
 */
#include "softmmu/process.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "softmmu/machine.h"

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
