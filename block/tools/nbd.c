/*
 * nbd.c: qemu-nbd: serves a disk image by NBD, or makes it a block device of the kernel's.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/object.h"
#include "block/nbd/tls.h"
#include "block/tools/nbd.h"
#include "softmmu/options.h"
#include "softmmu/version.h"
#include "util/alloc.h"
#include "util/parse.h"
#include "util/trace.h"

typedef struct Options {
    const char *port, *bind, *socket, *export_name, *description, *tls_creds, *tls_authz, *tls_hostname, *pid_file, *device, *disconnect, *format;
    const char *snapshot_id, *file, *cache, *detect_zeroes;
    VEC(const char *) bitmaps;
    uint64_t shared, offset, handshake_limit_s;
    bool persistent, verbose, list, fork, readonly, temporary, image_opts, allocation_depth, has_discard, has_aio, has_offset, unmap;
} Options;

typedef struct Daemon {
    Options o;
    NbdServer *server;
    BlockNode *node;
    bool done, failed;
} Daemon;

static const char *program_path;

/* -- help ------------------------------------------------------------------------------------------------------------ */

static void print_version(void)
{
    printf("qemu-nbd %d.%d.%d (%s)\n", EMULATOR_COMPAT_MAJOR, EMULATOR_COMPAT_MINOR, EMULATOR_COMPAT_MICRO, EMULATOR_PACKAGE);
}

static void print_help(void)
{
    printf("Usage: %s [OPTIONS] FILE\n  or:  %s -L [OPTIONS]\nServes a disk image by the Network Block Device protocol.\n", program_path, program_path);
    fputs("\n"
          "  -h, --help                print this text and exit\n"
          "  -V, --version             print the version and exit\n"
          "\nConnections:\n"
          "  -p, --port=PORT           port to listen on (default 10809)\n"
          "  -b, --bind=IFACE          interface to bind to (default 0.0.0.0)\n"
          "  -k, --socket=PATH         unix socket to listen on instead\n"
          "  -e, --shared=NUM          up to NUM clients at a time, 0: any number (default 1)\n"
          "  -t, --persistent          go on when the last client has gone\n"
          "      --handshake-limit=N   clients must have shaken hands after N seconds, 0: some time (default 10)\n"
          "  -x, --export-name=NAME    name of the export (default: the empty one)\n"
          "  -D, --description=TEXT    its description\n"
          "      --tls-creds=ID        TLS with the credentials of an --object\n"
          "      --tls-authz=ID        who may connect is what this --object says\n"
          "      --tls-hostname=NAME   the name a server's certificate must have (-L)\n"
          "\nThe image:\n"
          "  -f, --format=FORMAT       its format (default: what it looks like)\n"
          "      --image-opts          FILE is options (key=value,...), not a name\n"
          "  -r, --read-only           clients may not write\n"
          "  -s, --snapshot            what is written is forgotten in the end\n"
          "  -l, --load-snapshot=SNAP  serve an internal snapshot: ID_OR_NAME, or snapshot.id=ID,snapshot.name=NAME\n"
          "  -o, --offset=OFFSET       begin there\n"
          "  -B, --bitmap=NAME         tell clients of this dirty bitmap\n"
          "  -A, --allocation-depth    tell clients which image of the chain has what\n"
          "  -n, --nocache             the same as --cache=none\n"
          "      --cache=MODE          none, writeback (default), writethrough, directsync or unsafe\n"
          "      --aio=MODE            native, io_uring or threads\n"
          "      --discard=MODE        ignore or unmap (default)\n"
          "      --detect-zeroes=MODE  off (default), on or unmap\n"
          "\nThe program:\n"
          "  -L, --list                list the exports of another server\n"
          "  -c, --connect=DEV         make the image the kernel's device DEV\n"
          "  -d, --disconnect          disconnect FILE, such a device\n"
          "      --fork                return once the server is ready\n"
          "      --pid-file=PATH       write the process' number there\n"
          "  -v, --verbose             say more, and stay in the foreground\n"
          "      --object TYPE,id=ID,… make an object: secret, tls-creds-x509, tls-creds-psk, authz-simple, …\n"
          "  -T, --trace PATTERN       show events\n", stdout);
}

static noreturn void try_help(const char *message)
{
    error_report("%s", message);
    fprintf(stderr, "Try `%s --help' for more information.\n", program_path);
    exit(1);
}

/* -- options --------------------------------------------------------------------------------------------------------- */

enum { OPT_CACHE = 256, OPT_AIO, OPT_DISCARD, OPT_DETECT, OPT_OBJECT, OPT_TLS, OPT_TLS_HOSTNAME, OPT_TLS_AUTHZ, OPT_IMAGE_OPTS, OPT_FORK, OPT_PID, OPT_SELINUX,
       OPT_HANDSHAKE };

static const struct option longs[] = {
    { "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { "port", required_argument, NULL, 'p' },
    { "bind", required_argument, NULL, 'b' }, { "socket", required_argument, NULL, 'k' }, { "offset", required_argument, NULL, 'o' },
    { "read-only", no_argument, NULL, 'r' }, { "allocation-depth", no_argument, NULL, 'A' }, { "bitmap", required_argument, NULL, 'B' },
    { "connect", required_argument, NULL, 'c' }, { "disconnect", no_argument, NULL, 'd' }, { "list", no_argument, NULL, 'L' },
    { "snapshot", no_argument, NULL, 's' }, { "load-snapshot", required_argument, NULL, 'l' }, { "nocache", no_argument, NULL, 'n' },
    { "cache", required_argument, NULL, OPT_CACHE }, { "aio", required_argument, NULL, OPT_AIO }, { "discard", required_argument, NULL, OPT_DISCARD },
    { "detect-zeroes", required_argument, NULL, OPT_DETECT }, { "shared", required_argument, NULL, 'e' }, { "format", required_argument, NULL, 'f' },
    { "persistent", no_argument, NULL, 't' }, { "verbose", no_argument, NULL, 'v' }, { "object", required_argument, NULL, OPT_OBJECT },
    { "export-name", required_argument, NULL, 'x' }, { "description", required_argument, NULL, 'D' }, { "tls-creds", required_argument, NULL, OPT_TLS },
    { "tls-hostname", required_argument, NULL, OPT_TLS_HOSTNAME }, { "tls-authz", required_argument, NULL, OPT_TLS_AUTHZ },
    { "image-opts", no_argument, NULL, OPT_IMAGE_OPTS }, { "trace", required_argument, NULL, 'T' }, { "fork", no_argument, NULL, OPT_FORK },
    { "pid-file", required_argument, NULL, OPT_PID }, { "selinux-label", required_argument, NULL, OPT_SELINUX },
    { "handshake-limit", required_argument, NULL, OPT_HANDSHAKE }, { NULL },
};

static void set_once(bool *flag, const char *what)
{
    if (*flag) {
        error_exit("%s can only be specified once", what);
    }
    *flag = true;
}

static bool is_one_of(const char *text, const char *const *list)
{
    while (*list && strcmp(*list, text)) {
        list++;
    }
    return *list != NULL;
}

static void set_trace(const char *text)
{
    Error *err = NULL;
    if (!trace_enable(!strncmp(text, "enable=", 7) ? text + 7 : text, &err)) {
        error_exit("%s", error_message(err));
    }
}

static void take_object(const char *text)
{
    Error *err = NULL;
    bool help = false;
    if (!block_object_add_option(text, &help, &err)) {
        error_exit("%s", error_message(err));
    }
    if (help) {
        exit(0);
    }
}

/* "snapshot.id=…,snapshot.name=…": which of the two is used. */
static const char *snapshot_of(const char *text)
{
    static const char *const known[] = { "snapshot.id", "snapshot.name", NULL };
    static Json *json;
    Error *err = NULL;

    if (strncmp(text, "snapshot.", 9)) {
        return text;
    }
    json = opts_parse(text, NULL, &err);
    for (size_t i = 0; i < json_count(json); i++) {
        if (!is_one_of(json_key_at(json, i), known)) {
            error_report("Invalid parameter '%s'", json_key_at(json, i));
            error_exit("Failed in parsing snapshot param `%s'", text);
        }
    }
    const char *id = json_get_string(json, "snapshot.id"), *name = json_get_string(json, "snapshot.name");
    if (!id && !name) {
        error_exit("Failed in parsing snapshot param `%s'", text);
    }
    return id ? id : name;
}

static uint64_t number_of(const char *text, uint64_t max, const char *complaint)
{
    uint64_t n;
    if (!text_to_uint(text, &n) || n > max) {
        error_exit("%s '%s'", complaint, text);
    }
    return n;
}

static void take_option(Options *o, int c)
{
    static const char *const aio[] = { "native", "threads", "io_uring", NULL }, *const zeroes[] = { "off", "on", "unmap", NULL };
    bool has_cache = o->cache != NULL;

    switch (c) {
    case 's': o->temporary = true; break;
    case 'n': set_once(&has_cache, "-n and --cache"); o->cache = "none"; break;
    case OPT_CACHE: set_once(&has_cache, "-n and --cache"); o->cache = optarg; break;
    case OPT_AIO:
        set_once(&o->has_aio, "--aio");
        if (!is_one_of(optarg, aio)) {
            error_exit("Invalid aio mode '%s'", optarg);
        }
        break;
    case OPT_DISCARD:
        set_once(&o->has_discard, "--discard");
        o->unmap = !strcmp(optarg, "unmap") || !strcmp(optarg, "on");
        if (!o->unmap && strcmp(optarg, "ignore") && strcmp(optarg, "off")) {
            error_exit("Invalid discard mode `%s'", optarg);
        }
        break;
    case OPT_DETECT:
        if (!is_one_of(optarg, zeroes)) {
            error_exit("Failed to parse detect_zeroes mode: invalid parameter value: %s", optarg);
        }
        o->detect_zeroes = optarg;
        break;
    case 'b': o->bind = optarg; break;
    case 'p': o->port = optarg; break;
    case 'o': o->offset = number_of(optarg, INT64_MAX, "Invalid offset"); o->has_offset = true; break;
    case 'l': o->snapshot_id = snapshot_of(optarg); o->readonly = true; break;
    case 'r': o->readonly = true; break;
    case 'A': o->allocation_depth = true; break;
    case 'B': *vec_push(&o->bitmaps) = optarg; break;
    case 'k':
        o->socket = optarg;
        if (*optarg != '/') {
            error_exit("socket path must be absolute");
        }
        break;
    case 'd': o->disconnect = ""; break;
    case 'c': o->device = optarg; break;
    case 'e': o->shared = number_of(optarg, INT32_MAX, "Invalid shared device number"); break;
    case 'f': o->format = optarg; break;
    case 't': o->persistent = true; break;
    case 'x':
        o->export_name = optarg;
        if (strlen(optarg) > 4096) {
            error_exit("export name '%s' too long", optarg);
        }
        break;
    case 'D':
        o->description = optarg;
        if (strlen(optarg) > 4096) {
            error_exit("export description '%s' too long", optarg);
        }
        break;
    case 'v': o->verbose = true; break;
    case 'V': print_version(); exit(0);
    case 'h': print_help(); exit(0);
    case 'T': set_trace(optarg); break;
    case OPT_OBJECT: take_object(optarg); break;
    case OPT_TLS: o->tls_creds = optarg; break;
    case OPT_TLS_HOSTNAME: o->tls_hostname = optarg; break;
    case OPT_TLS_AUTHZ: o->tls_authz = optarg; break;
    case OPT_IMAGE_OPTS: o->image_opts = true; break;
    case OPT_FORK: o->fork = true; break;
    case 'L': o->list = true; break;
    case OPT_PID: o->pid_file = optarg; break;
    case OPT_SELINUX: error_exit("SELinux support not enabled in this binary");
    case OPT_HANDSHAKE: o->handshake_limit_s = number_of(optarg, INT32_MAX, "Invalid handshake limit"); break;
    default:
        error_report("Try `%s --help' for more information.", program_path);
        exit(1);
    }
}

static void check_options(Options *o, int argc, char **argv)
{
    int files = argc - optind;

    if (o->list) {
        if (files) {
            error_exit("List mode is incompatible with a file name");
        }
        if (o->export_name || o->description || o->device || o->disconnect || o->format || o->snapshot_id || o->bitmaps.n || o->readonly || o->has_offset ||
            o->shared != 1 || o->persistent || o->allocation_depth) {
            error_exit("List mode is incompatible with per-device settings");
        }
        if (o->fork) {
            error_exit("List mode is incompatible with forking");
        }
    } else if (files != 1) {
        try_help("Invalid number of arguments");
    } else {
        o->file = argv[optind];
    }
    if (o->tls_authz && !o->tls_creds) {
        error_exit("TLS authorization is not permitted without TLS credentials"); /* nobody would have a name */
    }
    if (o->tls_hostname && (!o->list || !o->tls_creds)) {
        error_exit(o->tls_creds ? "TLS hostname is only supported with list mode" : "TLS hostname is not permitted without TLS credentials");
    }
    if (o->tls_creds && o->device) {
        error_exit("TLS is not supported with a host device");
    }
    if (o->socket && (o->bind || o->port) && o->list) {
        error_exit("-k and -b or -p cannot be used together");
    }
    if (o->image_opts && o->format) {
        error_exit("--image-opts and -f are mutually exclusive");
    }
}

/* -- the image ------------------------------------------------------------------------------------------------------- */

static BlockNode *take(BlockNode *node, Error *err)
{
    if (!node) {
        error_exit("%s", error_message(err));
    }
    return node;
}

/* A part of the node, from the offset to its end. */
static BlockNode *open_from_offset(BlockNode *node, const Options *o, unsigned flags)
{
    Json *options = json_object();
    Error *err = NULL;

    if (o->offset >= node->size_bytes) {
        error_exit("Offset (%" PRIu64 ") has to be smaller than the image size (%" PRIu64 ")", o->offset, node->size_bytes);
    }
    json_put_string(options, "driver", "raw");
    json_put_string(options, "file", node->name);
    json_put_uint(options, "offset", o->offset);
    BlockNode *part = take(node_open(NULL, options, flags, &err), err);
    node_unref(node);
    return part;
}

static BlockNode *open_image(const Options *o, bool *writethrough)
{
    unsigned flags = (o->readonly && !o->temporary ? 0 : BLOCK_RDWR) | (o->unmap || !o->has_discard ? BLOCK_DISCARD : 0);
    Json *options = json_object();
    Error *err = NULL;
    BlockNode *node = NULL;

    if (!node_cache_flags(o->cache, &flags, writethrough)) {
        error_exit("Invalid cache mode `%s'", o->cache);
    }
    if (o->detect_zeroes && !strcmp(o->detect_zeroes, "unmap") && !o->unmap) {
        error_exit("setting detect-zeroes to unmap is not allowed without setting discard operation to unmap");
    }
    if (o->format) {
        if (!driver_find(o->format)) {
            error_exit("Failed to blk_new_open '%s': Unknown driver '%s'", o->file, o->format);
        }
        json_put_string(options, "driver", o->format);
    }
    if (o->image_opts) {
        json_free(options);
        options = opts_parse(o->file, NULL, &err);
        if (!options || !opts_nest(options, &err)) {
            error_exit("%s", error_message(err));
        }
    }
    if (o->detect_zeroes) {
        json_put_string(options, "detect-zeroes", o->detect_zeroes);
    }
    if (o->temporary) {
        flags &= ~(unsigned)BLOCK_RDWR;
    }
    node = node_open(o->image_opts ? NULL : o->file, options, flags, &err);
    if (!node) {
        error_exit("Failed to blk_new_open '%s': %s", o->file, error_message(err));
    }
    if (!node->readonly && node->flags & BLOCK_PROBED && !strcmp(node->driver->name, "raw")) {
        fprintf(stderr, "WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
                "         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be restricted.\n"
                "         Specify the 'raw' format explicitly to remove the restrictions.\n", o->file);
    }
    if (o->temporary) {
        BlockNode *top = take(node_put_temporary(node, NULL, &err), err);
        node_unref(node);
        node = top;
    }
    if (o->snapshot_id) {
        if (!node->driver->snapshot_load) {
            error_exit("Failed to load snapshot: Device '' does not support internal snapshots");
        }
        if (!node->driver->snapshot_load(node, o->snapshot_id, &err)) {
            error_exit("Failed to load snapshot: %s", error_message(err));
        }
    }
    return o->has_offset && o->offset ? open_from_offset(node, o, flags | (o->temporary ? BLOCK_RDWR : 0)) : node;
}

/* -- listening ------------------------------------------------------------------------------------------------------- */

/* systemd's: descriptors from 3 on that were opened for us. */
static size_t activation_fds(void)
{
    const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
    uint64_t who, count;

    if (!pid || !n || !text_to_uint(pid, &who) || who != (uint64_t)getpid() || !text_to_uint(n, &count) || count > 64) {
        return 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        fcntl(3 + (int)i, F_SETFD, FD_CLOEXEC);
        fcntl(3 + (int)i, F_SETFL, fcntl(3 + (int)i, F_GETFL) | O_NONBLOCK);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    return count;
}

static Address *address_of(const Options *o)
{
    if (o->socket) {
        return address_unix(o->socket);
    }
    return address_inet(o->bind ? o->bind : "0.0.0.0", o->port ? o->port : "10809");
}

static void listen_for(const Options *o, int **fds, size_t *n)
{
    size_t given = activation_fds();
    Error *err = NULL;

    if (given) {
        if (o->socket || o->bind || o->port || o->device) {
            error_exit("%s can't be set when using socket activation", o->device ? "NBD device" : o->socket ? "Unix socket" : "Interface and port number");
        }
        *fds = xnew_array(int, given);
        for (*n = 0; *n < given; ++*n) {
            (*fds)[*n] = 3 + (int)*n;
        }
        return;
    }
    if (o->device && !o->socket) {
        return; /* the kernel alone */
    }
    Address *a = address_of(o);
    if (!address_listen(a, (int)MIN(MAX(o->shared, 1u), 128u), fds, n, &err)) {
        error_exit("%s", error_message(err));
    }
    address_free(a);
}

/* -- the process ----------------------------------------------------------------------------------------------------- */

/* The parent stays until the child is ready and passes on what it says; if that is anything, it failed. Returns in the child. */
static int fork_server(void)
{
    int fds[2], kept;

    if (pipe(fds)) {
        error_exit("Error setting up communication pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid < 0) {
        error_exit("Failed to fork: %s", strerror(errno));
    }
    if (pid) {
        char buf[1024];
        bool said = false;
        close(fds[1]);
        for (ssize_t n; (n = read(fds[0], buf, sizeof(buf))) != 0;) {
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n < 0) {
                exit(1);
            }
            said = true;
            if (fwrite(buf, 1, (size_t)n, stderr) != (size_t)n) {
                exit(1);
            }
        }
        exit(said ? 1 : 0);
    }
    close(fds[0]);
    kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    setsid();
    return kept;
}

/* The parent may go; nothing keeps the terminal, who reads what it prints, or the folder. */
static void become_daemon(int old_stderr, bool verbose)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || chdir("/")) {
        error_exit("Failed to daemonize: %s", strerror(errno));
    }
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(verbose ? old_stderr : null, STDERR_FILENO);
    close(null);
    close(old_stderr);
}

/* Returns its absolute name, for the end. */
static char *write_pid_file(const char *path)
{
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char text[32];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    if (fd < 0) {
        error_exit("cannot create PID file: Cannot open pid file: %s", strerror(errno));
    }
    if (fcntl(fd, F_SETLK, &lock)) {
        error_exit("cannot create PID file: Cannot lock pid file: %s", strerror(errno));
    }
    if (ftruncate(fd, 0) || write(fd, text, (size_t)n) != n) {
        error_exit("cannot create PID file: Failed to write pid file: %s", strerror(errno));
    }
    return realpath(path, NULL); /* the lock lives as long as the process */
}

static void signal_entry(void *opaque)
{
    Daemon *d = opaque;
    struct signalfd_siginfo info;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    while (fd >= 0 && read(fd, &info, sizeof(info)) != sizeof(info)) {
        co_wait_fd(fd, POLLIN);
    }
    d->done = true;
}

static void client_gone(void *opaque, bool was_served)
{
    Daemon *d = opaque;

    if (was_served && !d->o.persistent && !nbd_server_clients(d->server)) {
        d->done = true;
    }
}

static void device_done(void *opaque, const char *error)
{
    Daemon *d = opaque;

    if (error) {
        error_report("Failed to run the device: %s", error);
        d->failed = true;
    }
    d->done = true;
}

static int run_list(const Options *o, const TlsCreds *tls)
{
    Address *a = address_of(o);
    Error *err = NULL;
    bool ok = nbd_list_exports(a, tls, o->tls_hostname, &err);

    if (!ok) {
        error_report_free(err);
    }
    address_free(a);
    return ok ? 0 : 1;
}

static void serve(Daemon *d, const TlsCreds *tls, int old_stderr)
{
    const Options *o = &d->o;
    bool writethrough = false;
    Error *err = NULL;
    int *fds = NULL;
    size_t n = 0;
    NbdDevice *device = NULL;

    d->node = open_image(o, &writethrough);
    NbdServerConfig config = {
        .tls = tls, .authz = o->tls_authz, .max_clients = (unsigned)o->shared, .handshake_limit_s = (unsigned)o->handshake_limit_s,
        .client_gone = o->device ? NULL : client_gone, .opaque = d,
    };
    *vec_push(&d->o.bitmaps) = NULL;
    NbdExportConfig export = {
        .name = o->export_name ? o->export_name : "", .description = o->description, .node = d->node, .writable = !o->readonly && !d->node->readonly,
        .multi_conn = o->shared != 1, .writethrough = writethrough, .allocation_depth = o->allocation_depth, .bitmaps = o->bitmaps.at,
    };
    /* Listening comes last: who connects finds the export. */
    d->server = nbd_server_new(&config);
    if (!nbd_export_new(d->server, &export, &err)) {
        error_exit("%s", error_message(err));
    }
    ioctx_start(ioctx_main(), signal_entry, d);
    listen_for(o, &fds, &n);
    nbd_server_listen(d->server, fds, n);
    free(fds);
    if (o->device) {
        device = nbd_device_connect(o->device, d->server, export.name, device_done, d, &err);
        if (!device) {
            error_exit("%s", error_message(err));
        }
        if (o->verbose) {
            fprintf(stderr, "NBD device %s is now connected to %s\n", o->device, o->file);
        }
    }
    char *pid_file = o->pid_file ? write_pid_file(o->pid_file) : NULL;
    if (old_stderr >= 0) {
        become_daemon(old_stderr, o->verbose);
    }
    while (!d->done) {
        ioctx_poll(ioctx_main(), true);
    }
    nbd_device_free(device);
    nbd_server_free(d->server);
    node_unref(d->node);
    if (o->socket) {
        unlink(o->socket);
    }
    if (pid_file) {
        unlink(pid_file);
    }
    free(pid_file);
}

int main(int argc, char **argv)
{
    Daemon d = { .o = { .shared = 1, .handshake_limit_s = 10 } };
    const TlsCreds *tls = NULL;
    Error *err = NULL;
    int old_stderr = -1;

    program_path = argv[0];
    error_set_program(basename(argv[0]));
    signal(SIGPIPE, SIG_IGN);
    for (int c; (c = getopt_long(argc, argv, "hVb:o:p:rsnc:dvk:e:f:tl:x:T:D:AB:L", longs, NULL)) != -1;) {
        take_option(&d.o, c);
    }
    check_options(&d.o, argc, argv);
    if (d.o.disconnect) {
        if (!nbd_device_disconnect(d.o.file, &err)) {
            error_exit("%s", error_message(err));
        }
        printf("%s disconnected\n", d.o.file);
        return 0;
    }
    if (d.o.tls_creds && !(tls = block_tls_creds(d.o.tls_creds, !d.o.list, &err))) {
        error_exit("Failed to get TLS creds: %s", error_message(err));
    }
    if (d.o.list) {
        return run_list(&d.o, tls);
    }
    if (d.o.fork || (d.o.device && !d.o.verbose)) {
        old_stderr = fork_server();
    }
    serve(&d, tls, old_stderr);
    return d.failed ? 1 : 0;
}
