/*
 * process.h: the process around the machine: daemon, pid file, users, signals.
 */
#ifndef SOFTMMU_PROCESS_H
#define SOFTMMU_PROCESS_H

#include "util/error.h"

/* Forks; the parent waits until process_daemon_ready() or the child's end and exits. To be
 * called before any thread exists. */
bool process_daemonize(Error **errp);
/* Detaches from the terminal and releases the parent; harmless without daemonize. */
bool process_daemon_ready(Error **errp);
/* Creates and locks the file; it is removed at exit. */
bool process_write_pidfile(const char *path, Error **errp);
bool process_chroot(const char *dir, Error **errp);
/* NAME or UID:GID */
bool process_run_as(const char *user, Error **errp);
/* SIGINT, SIGTERM and SIGHUP ask the machine to shut down; SIGPIPE is ignored. */
void process_catch_signals(void);
/* Which of them came: for the message; 0: none. */
int process_signal(int *ret_pid);

#endif
