/*
 * nbd-device.c: qemu-nbd -c and -d: the kernel's client. It gets a socket whose other end is our own server; the
 * handshake, which the kernel does not do, is done here.
 *
 * Threads: one that stays in the kernel as long as the device is connected.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "block/nbd/channel.h"
#include "block/nbd/client.h"
#include "block/tools/nbd.h"
#include "util/alloc.h"
#include "util/bits.h"

/* linux/nbd.h, whose other names are the protocol's. */
enum {
    NBD_SET_SOCK = _IO(0xab, 0), NBD_SET_BLKSIZE = _IO(0xab, 1), NBD_DO_IT = _IO(0xab, 3), NBD_CLEAR_SOCK = _IO(0xab, 4), NBD_CLEAR_QUE = _IO(0xab, 5),
    NBD_SET_SIZE_BLOCKS = _IO(0xab, 7), NBD_DISCONNECT = _IO(0xab, 8), NBD_SET_FLAGS = _IO(0xab, 10),
};

struct NbdDevice {
    int fd, sock, ended;           /* ended: an event descriptor */
    pthread_t thread;
    bool running;
    int result;                    /* of the kernel's loop: 0 or errno */
    char *export_name;
    void (*done)(void *opaque, const char *error);
    void *opaque;
    NbdInfo info;
    Error *err;
};

static void *stay_in_kernel(void *arg)
{
    NbdDevice *d = arg;
    uint64_t one = 1;

    d->result = ioctl(d->fd, NBD_DO_IT) && errno != EPIPE ? errno : 0;
    ioctl(d->fd, NBD_CLEAR_QUE);
    ioctl(d->fd, NBD_CLEAR_SOCK);
    if (write(d->ended, &one, sizeof(one)) != sizeof(one)) {
        return NULL; /* nobody waits any more */
    }
    return NULL;
}

/* The kernel knows simple replies alone. */
static void shake_hands(void *opaque)
{
    NbdDevice *d = opaque;
    bool oldstyle;
    NbdHandshake h = { .ch = channel_new(d->sock), .headers = NBD_HEADERS_SIMPLE };

    d->info.name = xstrdup(d->export_name);
    if (nbd_co_greet(&h, &d->info, &oldstyle, &d->err) && nbd_co_go(&h, &d->info, NULL, &d->err)) {
        d->sock = channel_take_fd(h.ch);
        fcntl(d->sock, F_SETFL, fcntl(d->sock, F_GETFL) & ~O_NONBLOCK);
    } else {
        d->sock = -1;
    }
    channel_free(h.ch);
}

static bool hand_over(NbdDevice *d, Error **errp)
{
    unsigned long block = MAX(d->info.min_block, 512u), blocks = d->info.size_bytes / block;
    int readonly = d->info.flags & NBD_READ_ONLY ? 1 : 0;

    if (ioctl(d->fd, NBD_SET_SOCK, d->sock)) {
        error_set_errno(errp, errno, "Failed to set NBD socket");
    } else if (ioctl(d->fd, NBD_SET_BLKSIZE, block)) {
        error_set_errno(errp, errno, "Failed setting NBD block size");
    } else if (ioctl(d->fd, NBD_SET_SIZE_BLOCKS, blocks)) {
        error_set_errno(errp, errno, "Failed setting size (in blocks)");
    } else if (ioctl(d->fd, NBD_SET_FLAGS, (unsigned long)d->info.flags) && errno != ENOTTY) {
        error_set_errno(errp, errno, "Failed setting flags");
    } else if (readonly && ioctl(d->fd, BLKROSET, &readonly)) {
        error_set_errno(errp, errno, "Failed setting read-only attribute");
    } else {
        return true;
    }
    ioctl(d->fd, NBD_CLEAR_SOCK);
    return false;
}

static void wait_for_end(void *opaque)
{
    NbdDevice *d = opaque;

    co_wait_fd(d->ended, POLLIN);
    pthread_join(d->thread, NULL);
    d->running = false;
    d->done(d->opaque, d->result ? strerror(d->result) : NULL);
}

NbdDevice *nbd_device_connect(const char *device, NbdServer *server, const char *export_name, void (*done)(void *opaque, const char *error), void *opaque,
                              Error **errp)
{
    NbdDevice *d = xnew(NbdDevice);
    int pair[2] = { -1, -1 };

    *d = (NbdDevice){ .fd = open(device, O_RDWR | O_CLOEXEC), .sock = -1, .export_name = xstrdup(export_name), .done = done, .opaque = opaque };
    d->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->fd < 0) {
        error_set_errno(errp, errno, "Failed to open %s", device);
    } else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        error_set_errno(errp, errno, "cannot make a pair of sockets");
    } else {
        nbd_server_serve(server, pair[1]);
        d->sock = pair[0];
        ioctx_run(ioctx_main(), shake_hands, d);
        if (d->sock < 0) {
            error_propagate(errp, d->err);
        } else if (hand_over(d, errp)) {
            d->running = !pthread_create(&d->thread, NULL, stay_in_kernel, d);
        }
    }
    if (!d->running) {
        nbd_device_free(d);
        return NULL;
    }
    ioctx_start(ioctx_main(), wait_for_end, d);
    return d;
}

void nbd_device_free(NbdDevice *d)
{
    if (!d) {
        return;
    }
    if (d->running) {
        ioctl(d->fd, NBD_DISCONNECT);
        while (d->running) {
            ioctx_poll(ioctx_main(), true);
        }
    }
    if (d->fd >= 0) {
        close(d->fd);
    }
    if (d->sock >= 0) {
        close(d->sock);
    }
    close(d->ended);
    nbd_info_free(&d->info);
    free(d->export_name);
    free(d);
}

bool nbd_device_disconnect(const char *device, Error **errp)
{
    int fd = open(device, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        error_set_errno(errp, errno, "Cannot open %s", device);
        return false;
    }
    ioctl(fd, NBD_CLEAR_QUE);
    ioctl(fd, NBD_DISCONNECT);
    ioctl(fd, NBD_CLEAR_SOCK);
    close(fd);
    return true;
}
