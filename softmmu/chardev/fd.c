/*
 * fd.c: input and output through descriptors, shared by most back ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "softmmu/chardev/priv.h"

bool char_fd_set_nonblocking(int fd, Error **errp)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        error_set_errno(errp, errno, "cannot make descriptor %d non-blocking", fd);
        return false;
    }
    return true;
}

static void char_fd_end_input(CharFd *cf)
{
    loop_unwatch(cf->in_watch);
    cf->in_watch = NULL;
    if (cf->eof) {
        cf->eof(&cf->chr);
    }
}

static void char_fd_readable(void *opaque, unsigned events)
{
    CharFd *cf = opaque;
    uint8_t buf[4096];
    size_t room = chardev_can_read(&cf->chr);
    if (!room) {
        /* Not even hang-ups, or a peer that has gone would make the loop spin. */
        cf->in_paused = true;
        loop_watch_set(cf->in_watch, 0);
        return;
    }
    ssize_t n = read(cf->in, buf, MIN(room, sizeof(buf)));
    if (n > 0) {
        chardev_give(&cf->chr, buf, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        char_fd_end_input(cf);
    }
}

static void char_fd_out_ready(void *opaque, unsigned events)
{
    CharFd *cf = opaque;
    pthread_mutex_lock(&cf->chr.lock);
    cf->out_waiting = false;
    loop_watch_set(cf->out_watch, 0);
    pthread_mutex_unlock(&cf->chr.lock);
    chardev_writable(&cf->chr);
}

void char_fd_start(CharFd *cf, int in, int out)
{
    cf->in = in;
    cf->out = out;
    if (in >= 0) {
        cf->in_watch = loop_watch(loop_main(), in, 0, char_fd_readable, cf);
        cf->in_paused = true;
        bh_schedule(cf->chr.accept_bh);
    }
    if (out >= 0) {
        cf->out_watch = loop_watch(loop_main(), out, 0, char_fd_out_ready, cf);
    }
}

void char_fd_stop(CharFd *cf)
{
    pthread_mutex_lock(&cf->chr.lock);
    loop_unwatch(cf->in_watch);
    loop_unwatch(cf->out_watch);
    cf->in_watch = cf->out_watch = NULL;
    if (cf->in >= 0 && !cf->saved_in) {
        close(cf->in);
    }
    if (cf->out >= 0 && cf->out != cf->in && !cf->saved_out) {
        close(cf->out);
    }
    cf->in = cf->out = -1;
    pthread_mutex_unlock(&cf->chr.lock);
}

size_t char_fd_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    CharFd *cf = container_of(chr, CharFd, chr);
    size_t done = 0;
    while (done < len && cf->out >= 0) {
        ssize_t n = cf->out_is_stream_socket
                        ? send(cf->out, buf + done, len - done, MSG_DONTWAIT | MSG_NOSIGNAL)
                        : write(cf->out, buf + done, len - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            if (!cf->out_waiting) {
                cf->out_waiting = true;
                loop_watch_set(cf->out_watch, LOOP_WRITE);
            }
            return done;
        } else {
            /* A full disk or a closed pipe: the guest's output is lost, the guest goes on. */
            return len;
        }
    }
    return len;
}

void char_fd_accept_input(Chardev *chr)
{
    CharFd *cf = container_of(chr, CharFd, chr);
    if (cf->in_watch && cf->in_paused && chardev_can_read(chr)) {
        cf->in_paused = false;
        loop_watch_set(cf->in_watch, LOOP_READ);
    }
}

/* ---- file ---- */

static bool file_open(Chardev *chr, const Json *opts, Error **errp)
{
    CharFd *cf = container_of(chr, CharFd, chr);
    const char *path, *input;
    bool append;
    cf->in = cf->out = -1;
    if (!opts_string(opts, "path", NULL, &path, errp) ||
        !opts_string(opts, "input-path", NULL, &input, errp) ||
        !opts_bool(opts, "append", false, &append, errp)) {
        return false;
    }
    if (!path) {
        error_set(errp, "chardev: file: no filename given");
        return false;
    }
    int in = -1;
    if (input) {
        in = open(input, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (in < 0) {
            error_set_errno(errp, errno, "could not open '%s'", input);
            return false;
        }
    }
    int out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
    if (out < 0) {
        error_set_errno(errp, errno, "could not open '%s'", path);
        if (in >= 0) {
            close(in);
        }
        return false;
    }
    char_fd_start(cf, in, out);
    chr->peer_open = true;
    return true;
}

static void fd_close(Chardev *chr)
{
    char_fd_stop(container_of(chr, CharFd, chr));
}

static const char *const file_options[] = { "path", "input-path", "append", NULL };
const CharBackend chardev_file = {
    .name = "file", .size_bytes = sizeof(CharFd), .options = file_options,
    .open = file_open, .close = fd_close, .write = char_fd_write,
    .accept_input = char_fd_accept_input,
};

/* ---- pipe: PATH.in and PATH.out, or PATH both ways ---- */

static bool pipe_open(Chardev *chr, const Json *opts, Error **errp)
{
    CharFd *cf = container_of(chr, CharFd, chr);
    const char *path;
    cf->in = cf->out = -1;
    if (!opts_string(opts, "path", NULL, &path, errp)) {
        return false;
    }
    if (!path) {
        error_set(errp, "chardev: pipe: no device path given");
        return false;
    }
    char *in_path = xasprintf("%s.in", path), *out_path = xasprintf("%s.out", path);
    /* Read-write, so that neither open waits for a peer and no peer means no end of file. */
    int in = open(in_path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    int out = open(out_path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    free(in_path);
    free(out_path);
    if (in < 0 || out < 0) {
        if (in >= 0) {
            close(in);
        }
        if (out >= 0) {
            close(out);
        }
        in = out = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (in < 0) {
            error_set_errno(errp, errno, "could not open '%s'", path);
            return false;
        }
    }
    char_fd_start(cf, in, out);
    chr->peer_open = true;
    return true;
}

static const char *const pipe_options[] = { "path", NULL };
const CharBackend chardev_pipe = {
    .name = "pipe", .size_bytes = sizeof(CharFd), .options = pipe_options,
    .open = pipe_open, .close = fd_close, .write = char_fd_write,
    .accept_input = char_fd_accept_input,
};
