/*
 * vhost-user.h: the device's side of vhost-user: a socket on which a front end (an emulator) hands over its guest's memory and the rings of a
 * virtio device, which is implemented here.
 *
 * All runs in the main context. One front end at a time.
 */
#ifndef BLOCK_EXPORT_VHOST_USER_H
#define BLOCK_EXPORT_VHOST_USER_H

#include <sys/uio.h>

#include "block/address.h"

typedef struct VuServer VuServer;
typedef struct VuQueue VuQueue;

enum { VU_MAX_QUEUES = 64, VU_MAX_RING = 1024, VU_MAX_CONFIG = 256, VU_MAX_PIECES = 512 };

/* A request of the guest: buffers of its memory. `out` is what it wrote for the device, `in` what the device fills. */
typedef struct VuElement {
    VuQueue *queue;
    uint16_t head;
    unsigned n_out, n_in;
    struct iovec iov[];       /* first out, then in */
} VuElement;

typedef struct VuDevice {
    uint64_t features;        /* of virtio; those of rings and vhost-user come to it */
    unsigned n_queues;
    /* The configuration space as it is now. */
    void (*config)(void *opaque, uint8_t config[VU_MAX_CONFIG], size_t *bytes);
    /* False: not allowed. */
    bool (*set_config)(void *opaque, size_t offset, const uint8_t *data, size_t bytes);
    void (*set_features)(void *opaque, uint64_t features);
    /* In a coroutine of its own; ends with vu_push(). */
    void (*co_handle)(void *opaque, VuElement *element);
    void *opaque;
} VuDevice;

VuServer *vu_server_new(const Address *address, const VuDevice *device, Error **errp);
bool vu_server_has_client(const VuServer *s);
/* Ends it; `gone` is called, perhaps before this returns, when nothing runs any more and the server is freed. */
void vu_server_end(VuServer *s, void (*gone)(void *opaque), void *opaque);

/* The request is done: `written` bytes of `in` are filled. Frees the element. */
void vu_push(VuElement *element, uint32_t written);

#endif
