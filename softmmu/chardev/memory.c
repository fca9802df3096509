/*
 * memory.c: back ends without a host side: null, ringbuf and testdev.
 */
#include <stdio.h>
#include "softmmu/chardev/priv.h"
#include "util/bits.h"

static size_t null_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    return len;
}

static bool null_open(Chardev *chr, const Json *opts, Error **errp)
{
    chr->peer_open = false;
    return true;
}

const CharBackend chardev_null = {
    .name = "null", .size_bytes = sizeof(Chardev), .open = null_open, .write = null_write,
};

/* ---- ringbuf: keeps the last bytes for ringbuf-read ---- */

typedef struct Ringbuf {
    Chardev chr;
    uint8_t *data;
    size_t size, produced, consumed; /* free running */
} Ringbuf;

#define RINGBUF_MAX_BYTES (256u << 20)

static bool ringbuf_open(Chardev *chr, const Json *opts, Error **errp)
{
    Ringbuf *ring = container_of(chr, Ringbuf, chr);
    uint64_t size;
    if (!opts_size(opts, "size", 65536, &size, errp)) {
        return false;
    }
    if (!bits_is_pow2(size) || size > RINGBUF_MAX_BYTES) {
        error_set(errp, "size of ringbuf chardev must be power of two, at most 256M");
        return false;
    }
    ring->data = xmalloc(size);
    ring->size = size;
    return true;
}

static void ringbuf_close(Chardev *chr)
{
    Ringbuf *ring = container_of(chr, Ringbuf, chr);
    free(ring->data);
    ring->data = NULL;
}

static size_t ringbuf_store(Chardev *chr, const uint8_t *buf, size_t len)
{
    Ringbuf *ring = container_of(chr, Ringbuf, chr);
    for (size_t i = 0; i < len; i++) {
        ring->data[ring->produced++ & (ring->size - 1)] = buf[i];
    }
    if (ring->produced - ring->consumed > ring->size) {
        ring->consumed = ring->produced - ring->size;
    }
    return len;
}

static const char *const ringbuf_options[] = { "size", NULL };
const CharBackend chardev_ringbuf = {
    .name = "ringbuf", .alias = "memory", .size_bytes = sizeof(Ringbuf),
    .options = ringbuf_options, .open = ringbuf_open, .close = ringbuf_close,
    .write = ringbuf_store,
};

static Ringbuf *ringbuf_of(Chardev *chr, Error **errp)
{
    if (chr->backend != &chardev_ringbuf) {
        error_set(errp, "%s is not a ringbuf device", chr->id);
        return NULL;
    }
    return container_of(chr, Ringbuf, chr);
}

bool chardev_ringbuf_write(Chardev *chr, const void *buf, size_t len, Error **errp)
{
    if (!ringbuf_of(chr, errp)) {
        return false;
    }
    pthread_mutex_lock(&chr->lock);
    ringbuf_store(chr, buf, len);
    pthread_mutex_unlock(&chr->lock);
    return true;
}

char *chardev_ringbuf_read(Chardev *chr, size_t max_bytes, size_t *ret_len, Error **errp)
{
    Ringbuf *ring = ringbuf_of(chr, errp);
    if (!ring) {
        return NULL;
    }
    pthread_mutex_lock(&chr->lock);
    size_t n = MIN(ring->produced - ring->consumed, max_bytes);
    char *out = xmalloc(n + 1);
    for (size_t i = 0; i < n; i++) {
        out[i] = (char)ring->data[ring->consumed++ & (ring->size - 1)];
    }
    out[n] = 0;
    pthread_mutex_unlock(&chr->lock);
    *ret_len = n;
    return out;
}

/* ---- testdev: lets a guest test end the emulator: "<status>q" exits with status*2+1 ---- */

typedef struct Testdev {
    Chardev chr;
    unsigned number;
} Testdev;

static size_t testdev_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    Testdev *dev = container_of(chr, Testdev, chr);
    for (size_t i = 0; i < len; i++) {
        if (buf[i] >= '0' && buf[i] <= '9') {
            dev->number = (dev->number * 10 + (buf[i] - '0')) & 0xffff;
        } else if (buf[i] == 'q') {
            exit((int)(dev->number << 1 | 1) & 0xff);
        } else {
            dev->number = 0;
        }
    }
    return len;
}

const CharBackend chardev_testdev = {
    .name = "testdev", .size_bytes = sizeof(Testdev), .write = testdev_write,
};
