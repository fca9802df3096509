/*
 * storage-daemon.c: qemu-storage-daemon: nodes and exports without a guest.
 *
 * Options are done in the order they are given in, so what one refers to comes before it.
 */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "block/export.h"
#include "block/job.h"
#include "block/object.h"
#include "block/tools/storage-daemon.h"
#include "softmmu/loop.h"
#include "softmmu/monitor/priv.h"
#include "softmmu/process.h"
#include "softmmu/version.h"
#include "util/trace.h"

enum { OPT_BLOCKDEV = 256, OPT_CHARDEV, OPT_DAEMONIZE, OPT_EXPORT, OPT_MONITOR, OPT_NBD_SERVER, OPT_OBJECT, OPT_PIDFILE };

static const struct option longs[] = {
    { "blockdev", required_argument, NULL, OPT_BLOCKDEV }, { "chardev", required_argument, NULL, OPT_CHARDEV },
    { "daemonize", no_argument, NULL, OPT_DAEMONIZE }, { "export", required_argument, NULL, OPT_EXPORT }, { "help", no_argument, NULL, 'h' },
    { "monitor", required_argument, NULL, OPT_MONITOR }, { "nbd-server", required_argument, NULL, OPT_NBD_SERVER },
    { "object", required_argument, NULL, OPT_OBJECT }, { "pidfile", required_argument, NULL, OPT_PIDFILE }, { "trace", required_argument, NULL, 'T' },
    { "version", no_argument, NULL, 'V' }, { NULL },
};

static bool quitting;

void daemon_quit(void)
{
    quitting = true;
    loop_wake(loop_main());
}

static void print_version(void)
{
    printf("qemu-storage-daemon version %d.%d.%d (%s)\n", EMULATOR_COMPAT_MAJOR, EMULATOR_COMPAT_MINOR, EMULATOR_COMPAT_MICRO, EMULATOR_PACKAGE);
}

static void print_help(const char *program)
{
    printf("Usage: %s [OPTIONS]\nServes disk images without a guest.\n", program);
    fputs("\n"
          "  -h, --help              print this text and exit\n"
          "  -V, --version           print the version and exit\n"
          "  -T, --trace PATTERN     show events\n"
          "  --blockdev [driver=]DRIVER,node-name=NAME[,…]\n"
          "                          a block node, as the emulator's -blockdev\n"
          "  --chardev BACKEND,id=ID[,…]\n"
          "                          a character device, as the emulator's -chardev\n"
          "  --daemonize             go to the background once all is ready\n"
          "  --nbd-server addr.type=inet,addr.host=HOST,addr.port=PORT[,…]\n"
          "  --nbd-server addr.type=unix,addr.path=PATH[,tls-creds=ID][,tls-authz=ID][,max-connections=N]\n"
          "                          an NBD server for exports of the type nbd\n"
          "  --export [type=]TYPE,id=ID,node-name=NODE[,writable=on][,…]\n", stdout);
    for (const BlockExportType *const *t = export_types; *t; t++) {
        printf("                          %s: %s\n", (*t)->name, (*t)->summary);
        for (const BlockOption *o = (*t)->options; o->name; o++) {
            printf("                            %s: %s\n", o->name, o->help);
        }
    }
    fputs("  --monitor [chardev=]ID[,mode=control][,pretty=on]\n"
          "                          QMP on a character device\n"
          "  --object TYPE,id=ID[,…] an object: secret, tls-creds-x509, …\n"
          "  --pidfile PATH          write the process' number there\n", stdout);
}

/* -- options --------------------------------------------------------------------------------------------------------- */

/* "a.b=1" and JSON alike. */
static Json *parse(const char *text, const char *implied, Error **errp)
{
    Json *options = opts_parse(text, implied, errp);

    if (options && !opts_nest(options, errp)) {
        json_free(options);
        options = NULL;
    }
    return options;
}

static bool add_blockdev(const char *text, Error **errp)
{
    Json *options = parse(text, "driver", errp);
    bool ok = options && daemon_blockdev_add(options, errp);

    json_free(options);
    return ok;
}

static bool add_export(const char *text, Error **errp)
{
    Json *options = parse(text, "type", errp);
    bool ok = options && monitor_export_add(options, errp);

    json_free(options);
    return ok;
}

static bool start_nbd_server(const char *text, Error **errp)
{
    static const char *const known[] = { "addr", "tls-creds", "tls-authz", "max-connections", "handshake-max-seconds", NULL };
    Json *options = parse(text, NULL, errp);
    bool ok = options && opts_check(options, "--nbd-server", known, errp) && nbd_exports_start(options, errp);

    json_free(options);
    return ok;
}

static bool add_monitor(const char *text, Error **errp)
{
    Json *options = opts_parse(text, "chardev", errp);
    const char *mode = options ? json_get_string(options, "mode") : NULL;
    bool ok = options != NULL;

    if (mode && strcmp(mode, "control")) {
        error_set(errp, "Only QMP is supported");
        ok = false;
    } else if (ok && !mode) {
        json_put_string(options, "mode", "control");
    }
    char *full = ok ? opts_print(options) : NULL;
    ok = ok && monitor_add_option(full, errp);
    free(full);
    json_free(options);
    return ok;
}

static bool add_object(const char *text, Error **errp)
{
    bool help = false;

    if (!block_object_add_option(text, &help, errp)) {
        return false;
    }
    if (help) {
        exit(0);
    }
    return true;
}

static bool set_trace(const char *text, Error **errp)
{
    return trace_enable(!strncmp(text, "enable=", 7) ? text + 7 : text, errp);
}

/* Before anything that has a thread. */
static bool wants_daemon(int argc, char **argv)
{
    bool wants = false;

    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "-hT:V", longs, NULL)) != -1;) {
        wants |= c == OPT_DAEMONIZE;
    }
    opterr = 1;
    optind = 0;
    return wants;
}

static const char *take_options(int argc, char **argv)
{
    static const struct {
        int option;
        bool (*handle)(const char *text, Error **errp);
    } handlers[] = {
        { OPT_BLOCKDEV, add_blockdev }, { OPT_CHARDEV, chardev_add_option }, { OPT_EXPORT, add_export }, { OPT_MONITOR, add_monitor },
        { OPT_NBD_SERVER, start_nbd_server }, { OPT_OBJECT, add_object }, { 'T', set_trace },
    };
    const char *pid_file = NULL;
    int index = -1;

    for (int c; (c = getopt_long(argc, argv, "-hT:V", longs, &index)) != -1; index = -1) {
        Error *err = NULL;
        switch (c) {
        case 'h': print_help(argv[0]); exit(0);
        case 'V': print_version(); exit(0);
        case '?': exit(1);
        case 1: error_exit("%s: Unexpected argument", optarg);
        case OPT_PIDFILE: pid_file = optarg; continue;
        case OPT_DAEMONIZE: continue;
        default: break;
        }
        for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
            if (handlers[i].option == c && !handlers[i].handle(optarg, &err)) {
                if (index >= 0) {
                    error_exit("--%s %s: %s", longs[index].name, optarg, error_message(err));
                }
                error_exit("-%c %s: %s", c, optarg, error_message(err));
            }
        }
    }
    return pid_file;
}

/* -- running --------------------------------------------------------------------------------------------------------- */

static void poll_context(void *opaque, unsigned events)
{
    ioctx_poll(ioctx_main(), false);
}

static void got_signal(void *opaque, unsigned events)
{
    daemon_quit();
}

static void watch_signals(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        struct sigaction old;
        if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN) { /* nohup's stay ignored */
            sigaddset(&set, signals[i]);
        }
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        error_exit("cannot watch for signals: %s", strerror(errno));
    }
    loop_watch(loop_main(), fd, LOOP_READ, got_signal, NULL);
}

int main(int argc, char **argv)
{
    Error *err = NULL;

    error_set_program(basename(argv[0]));
    signal(SIGPIPE, SIG_IGN);
    if (wants_daemon(argc, argv) && !process_daemonize(&err)) {
        error_exit("%s", error_message(err));
    }
    watch_signals();
    loop_watch(loop_main(), ioctx_fd(ioctx_main()), LOOP_READ, poll_context, NULL);
    const char *pid_file = take_options(argc, argv);
    if ((pid_file && !process_write_pidfile(pid_file, &err)) || !process_daemon_ready(&err)) {
        error_exit("%s", error_message(err));
    }
    while (!quitting) {
        loop_run_once(loop_main(), true);
    }
    job_cancel_all();
    block_export_close_all();
    if (nbd_exports_running()) {
        nbd_exports_stop(NULL);
    }
    daemon_close_nodes();
    monitor_cleanup();
    chardev_cleanup();
    return 0;
}
