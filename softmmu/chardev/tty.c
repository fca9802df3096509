/*
 * tty.c: terminals: the one we were started on (stdio), new pseudo terminals
 * (pty), serial ports (serial) and printer ports (parallel) of the host.
 *
 * The user's terminal is put in raw mode while we run and restored at exit and
 * around a stop (Ctrl-Z, where signals are on). POSIX termios(3).
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include "softmmu/chardev/priv.h"

bool chardev_stdio_signals = true;

void chardev_set_stdio_signals(bool on)
{
    chardev_stdio_signals = on;
}

/* ---- stdio ---- */

static struct {
    bool in_use, is_tty;
    struct termios saved, raw;
    int saved_out_flags; /* -1: untouched */
} terminal = { .saved_out_flags = -1 };

static void stdio_restore(void)
{
    if (terminal.is_tty) {
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.saved);
        terminal.is_tty = false;
    }
    if (terminal.saved_out_flags >= 0) {
        fcntl(STDOUT_FILENO, F_SETFL, terminal.saved_out_flags);
        terminal.saved_out_flags = -1;
    }
}

/* Back in the foreground: the shell has set its own mode meanwhile. */
static void stdio_continued(int sig)
{
    if (terminal.is_tty) {
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.raw);
    }
}

static void stdio_set_raw(bool signals)
{
    if (tcgetattr(STDIN_FILENO, &terminal.saved) < 0) {
        return;
    }
    terminal.raw = terminal.saved;
    terminal.raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL |
                                        IXON);
    terminal.raw.c_oflag |= OPOST; /* stays: our own messages and printf count on it */
    terminal.raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    terminal.raw.c_cflag = (terminal.raw.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
    terminal.raw.c_cc[VMIN] = 1;
    terminal.raw.c_cc[VTIME] = 0;
    if (signals) {
        terminal.raw.c_lflag |= ISIG;
    } else {
        terminal.raw.c_lflag &= ~(tcflag_t)ISIG;
    }
    terminal.is_tty = true;
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal.raw);
    struct sigaction sa = { .sa_handler = stdio_continued, .sa_flags = SA_RESTART };
    sigaction(SIGCONT, &sa, NULL);
}

/*
 * A non-blocking way to stdout. Setting O_NONBLOCK on it would also change the shell's and our
 * stderr's open file, so terminals and pipes are opened again.
 */
static int stdio_open_out(void)
{
    struct stat st;
    if (fstat(STDOUT_FILENO, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode))) {
        int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
        terminal.saved_out_flags = fcntl(STDOUT_FILENO, F_GETFL);
        fcntl(STDOUT_FILENO, F_SETFL, terminal.saved_out_flags | O_NONBLOCK);
    }
    return STDOUT_FILENO;
}

static bool stdio_open(Chardev *chr, const Json *opts, Error **errp)
{
    static bool at_exit;
    CharFd *cf = container_of(chr, CharFd, chr);
    bool signals;
    cf->in = cf->out = -1;
    if (!opts_bool(opts, "signal", chardev_stdio_signals, &signals, errp)) {
        return false;
    }
    if (terminal.in_use) {
        error_set(errp, "cannot use stdio by multiple character devices");
        return false;
    }
    terminal.in_use = true;
    stdio_set_raw(signals);
    if (!at_exit) {
        at_exit = true;
        atexit(stdio_restore);
    }
    struct stat st;
    int out = stdio_open_out();
    cf->saved_in = true;
    cf->saved_out = out == STDOUT_FILENO;
    cf->out_is_stream_socket = fstat(out, &st) == 0 && S_ISSOCK(st.st_mode);
    char_fd_start(cf, STDIN_FILENO, out);
    chr->peer_open = true;
    return true;
}

static void stdio_close(Chardev *chr)
{
    CharFd *cf = container_of(chr, CharFd, chr);
    if (cf->in >= 0) {
        terminal.in_use = false;
        stdio_restore();
    }
    char_fd_stop(cf);
}

static const char *const stdio_options[] = { "signal", NULL };
const CharBackend chardev_stdio = {
    .name = "stdio", .size_bytes = sizeof(CharFd), .options = stdio_options,
    .open = stdio_open, .close = stdio_close, .write = char_fd_write,
    .accept_input = char_fd_accept_input,
};

/* ---- pty ---- */

/* How often to look whether somebody has opened the other side: the master has no event for it. */
#define PTY_POLL_MS 500

typedef struct Pty {
    CharFd cf;
    char *path, *link;
    GSource *timer;
} Pty;

static Pty *pty_of(Chardev *chr)
{
    return container_of(chr, Pty, cf.chr);
}

static bool pty_peer_is_there(Pty *pty)
{
    struct pollfd pfd = { pty->cf.in, POLLOUT, 0 };
    return poll(&pfd, 1, 0) >= 0 && !(pfd.revents & POLLHUP);
}

static gboolean pty_tick(gpointer opaque);

static void pty_wait(Pty *pty)
{
    if (!pty->timer) {
        pty->timer = g_timeout_source_new(PTY_POLL_MS);
        g_source_set_callback(pty->timer, pty_tick, pty, NULL);
        g_source_attach(pty->timer, loop_context(loop_main()));
    }
}

static void pty_set_connected(Pty *pty, bool connected)
{
    if (connected == pty->cf.chr.peer_open) {
        return;
    }
    if (connected) {
        /* Give the watch back what the hang-up took. */
        char_fd_start(&pty->cf, pty->cf.in, pty->cf.in);
        chardev_event(&pty->cf.chr, CHAR_EVENT_OPENED);
        chardev_writable(&pty->cf.chr);
    } else {
        pthread_mutex_lock(&pty->cf.chr.lock);
        loop_unwatch(pty->cf.in_watch);
        loop_unwatch(pty->cf.out_watch);
        pty->cf.in_watch = pty->cf.out_watch = NULL;
        pty->cf.out_waiting = false;
        pty->cf.out = -1;
        pthread_mutex_unlock(&pty->cf.chr.lock);
        chardev_event(&pty->cf.chr, CHAR_EVENT_CLOSED);
        chardev_writable(&pty->cf.chr);
        pty_wait(pty);
    }
}

static gboolean pty_tick(gpointer opaque)
{
    Pty *pty = opaque;
    if (!pty_peer_is_there(pty)) {
        return G_SOURCE_CONTINUE;
    }
    g_source_unref(pty->timer);
    pty->timer = NULL;
    pty_set_connected(pty, true);
    return G_SOURCE_REMOVE;
}

static void pty_eof(Chardev *chr)
{
    pty_set_connected(pty_of(chr), false);
}

static bool pty_open(Chardev *chr, const Json *opts, Error **errp)
{
    Pty *pty = pty_of(chr);
    const char *link;
    char path[128];
    pty->cf.in = pty->cf.out = -1;
    if (!opts_string(opts, "path", NULL, &link, errp)) {
        return false;
    }
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 || ptsname_r(fd, path, sizeof(path))) {
        error_set_errno(errp, errno, "Failed to create PTY");
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    /* Raw from the start. Opening and closing the other side once also makes the master report
     * "nobody there" from now on. */
    int slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios t;
    if (slave >= 0) {
        if (tcgetattr(slave, &t) == 0) {
            cfmakeraw(&t);
            tcsetattr(slave, TCSAFLUSH, &t);
        }
        close(slave);
    }
    if (link && symlink(path, link) < 0) {
        error_set_errno(errp, errno, "Failed to create PTY symlink '%s'", link);
        close(fd);
        return false;
    }
    pty->link = link ? xstrdup(link) : NULL;
    pty->path = xstrdup(path);
    char_fd_set_nonblocking(fd, NULL);
    pty->cf.in = fd;
    pty->cf.out = -1;
    pty->cf.eof = pty_eof;
    chardev_set_filename(chr, xasprintf("pty:%s", path));
    fprintf(stderr, "char device redirected to %s (label %s)\n", path, chr->id ? chr->id : "");
    pty_wait(pty);
    return true;
}

static void pty_close(Chardev *chr)
{
    Pty *pty = pty_of(chr);
    if (pty->timer) {
        g_source_destroy(pty->timer);
        g_source_unref(pty->timer);
        pty->timer = NULL;
    }
    if (pty->link) {
        unlink(pty->link);
        free(pty->link);
        pty->link = NULL;
    }
    char_fd_stop(&pty->cf);
    free(pty->path);
    pty->path = NULL;
}

static const char *const pty_options[] = { "path", NULL };
const CharBackend chardev_pty = {
    .name = "pty", .size_bytes = sizeof(Pty), .options = pty_options,
    .open = pty_open, .close = pty_close, .write = char_fd_write,
    .accept_input = char_fd_accept_input,
};

const char *chardev_pty_path(const Chardev *chr)
{
    return chr->backend == &chardev_pty ? container_of(chr, Pty, cf.chr)->path : NULL;
}

/* ---- serial: a tty of the host ---- */

static bool device_open(Chardev *chr, const char *what, const Json *opts, Error **errp)
{
    CharFd *cf = container_of(chr, CharFd, chr);
    const char *path;
    cf->in = cf->out = -1;
    if (!opts_string(opts, "path", NULL, &path, errp)) {
        return false;
    }
    if (!path) {
        error_set(errp, "chardev: %s: no device path given", what);
        return false;
    }
    int fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(errp, errno, "could not open '%s'", path);
        return false;
    }
    char_fd_start(cf, fd, fd);
    chr->peer_open = true;
    return true;
}

static const struct {
    unsigned baud;
    speed_t code;
} speeds[] = {
    { 50, B50 }, { 75, B75 }, { 110, B110 }, { 134, B134 }, { 150, B150 }, { 200, B200 },
    { 300, B300 }, { 600, B600 }, { 1200, B1200 }, { 1800, B1800 }, { 2400, B2400 },
    { 4800, B4800 }, { 9600, B9600 }, { 19200, B19200 }, { 38400, B38400 }, { 57600, B57600 },
    { 115200, B115200 }, { 230400, B230400 }, { 460800, B460800 }, { 500000, B500000 },
    { 576000, B576000 }, { 921600, B921600 }, { 1000000, B1000000 }, { 1500000, B1500000 },
    { 2000000, B2000000 }, { 3000000, B3000000 }, { 4000000, B4000000 },
};

static bool serial_set_line(Chardev *chr, const CharLine *line)
{
    CharFd *cf = container_of(chr, CharFd, chr);
    struct termios t;
    if (cf->in < 0 || tcgetattr(cf->in, &t) < 0) {
        return false;
    }
    cfmakeraw(&t);
    size_t best = 0;
    for (size_t i = 1; i < ARRAY_SIZE(speeds); i++) {
        /* The nearest speed: dividers do not hit the standard ones exactly. */
        if (llabs((long long)speeds[i].baud - line->speed_baud) <
            llabs((long long)speeds[best].baud - line->speed_baud)) {
            best = i;
        }
    }
    cfsetispeed(&t, speeds[best].code);
    cfsetospeed(&t, speeds[best].code);
    static const tcflag_t sizes[] = { CS5, CS6, CS7, CS8 };
    t.c_cflag &= ~(tcflag_t)(CSIZE | PARENB | PARODD | CSTOPB | CRTSCTS);
    t.c_cflag |= CREAD | CLOCAL | sizes[(line->data_bits - 5) & 3];
    t.c_cflag |= line->parity == 'E' ? PARENB : line->parity == 'O' ? PARENB | PARODD : 0;
    t.c_cflag |= line->stop_bits == 2 ? CSTOPB : 0;
    return tcsetattr(cf->in, TCSANOW, &t) == 0;
}

static bool serial_set_break(Chardev *chr, bool on)
{
    return ioctl(container_of(chr, CharFd, chr)->in, on ? TIOCSBRK : TIOCCBRK) == 0;
}

static const struct {
    unsigned tio;
    int host;
} modem_lines[] = {
    { CHAR_TIO_CTS, TIOCM_CTS }, { CHAR_TIO_CAR, TIOCM_CAR }, { CHAR_TIO_DSR, TIOCM_DSR },
    { CHAR_TIO_RI, TIOCM_RI }, { CHAR_TIO_DTR, TIOCM_DTR }, { CHAR_TIO_RTS, TIOCM_RTS },
};

static bool serial_get_modem(Chardev *chr, unsigned *ret_tio)
{
    int host = 0;
    if (ioctl(container_of(chr, CharFd, chr)->in, TIOCMGET, &host) < 0) {
        return false;
    }
    unsigned tio = 0;
    for (size_t i = 0; i < ARRAY_SIZE(modem_lines); i++) {
        tio |= host & modem_lines[i].host ? modem_lines[i].tio : 0;
    }
    *ret_tio = tio;
    return true;
}

static bool serial_set_modem(Chardev *chr, unsigned tio)
{
    CharFd *cf = container_of(chr, CharFd, chr);
    int host = 0;
    if (ioctl(cf->in, TIOCMGET, &host) < 0) {
        return false;
    }
    host &= ~(TIOCM_DTR | TIOCM_RTS);
    host |= tio & CHAR_TIO_DTR ? TIOCM_DTR : 0;
    host |= tio & CHAR_TIO_RTS ? TIOCM_RTS : 0;
    return ioctl(cf->in, TIOCMSET, &host) == 0;
}

static bool serial_open(Chardev *chr, const Json *opts, Error **errp)
{
    if (!device_open(chr, "serial/tty", opts, errp)) {
        return false;
    }
    static const CharLine start = { 115200, 8, 1, 'N' };
    serial_set_line(chr, &start);
    return true;
}

static bool parallel_open(Chardev *chr, const Json *opts, Error **errp)
{
    return device_open(chr, "parallel", opts, errp);
}

static void device_close(Chardev *chr)
{
    char_fd_stop(container_of(chr, CharFd, chr));
}

static const char *const device_options[] = { "path", NULL };
const CharBackend chardev_serial = {
    .name = "serial", .alias = "tty", .size_bytes = sizeof(CharFd), .options = device_options,
    .open = serial_open, .close = device_close, .write = char_fd_write,
    .accept_input = char_fd_accept_input, .set_line = serial_set_line,
    .set_break = serial_set_break, .get_modem = serial_get_modem, .set_modem = serial_set_modem,
};

/* Byte output only: what the modes of IEEE 1284 add is not passed on. */
const CharBackend chardev_parallel = {
    .name = "parallel", .alias = "parport", .size_bytes = sizeof(CharFd),
    .options = device_options, .open = parallel_open, .close = device_close,
    .write = char_fd_write, .accept_input = char_fd_accept_input,
};
