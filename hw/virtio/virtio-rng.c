/*
 * virtio-rng.c: random bytes from the host's generator, with an optional rate limit.
 *
 * Specification: VIRTIO 1.2, 5.4. The back ends of rng= (rng-random, rng-builtin) all read the host kernel's generator.
 */
#include <errno.h>
#include <sys/random.h>

#include "hw/virtio-types.h"
#include "util/bits.h"

static void handle_queue(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioRng *s = (VirtioRng *)vdev;
    VirtElem *elem;

    while (s->quota && (elem = virtq_pop(vq))) {
        uint32_t done = 0;
        for (unsigned i = 0; i < elem->n_in && s->quota; i++) {
            size_t want = MIN(MIN(elem->in[i].iov_len, s->quota), 64 * KiB);
            ssize_t got = getrandom(elem->in[i].iov_base, want, 0);
            if (got <= 0) {
                break;
            }
            done += (uint32_t)got;
            s->quota -= (uint64_t)got;
            if ((size_t)got < elem->in[i].iov_len) {
                break; /* fewer than asked is allowed; at least one */
            }
        }
        virtq_push(vq, elem, done);
        virtq_notify(vq);
    }
}

static void new_period(void *opaque)
{
    VirtioRng *s = opaque;

    s->quota = s->max_bytes;
    if (s->max_bytes < INT64_MAX) {
        timer_set_ns(&s->timer, clock_get_ns(VM_CLOCK_VIRTUAL) + s->period_ms * NS_PER_MS);
        if (virtq_ready(s->vq)) {
            handle_queue(&s->vdev, s->vq);
        }
    }
}

static bool rng_realize(VirtioDevice *vdev, Error **errp)
{
    VirtioRng *s = (VirtioRng *)vdev;

    if (!s->period_ms) {
        error_set(errp, "'period' parameter expects a positive integer");
        return false;
    }
    virtio_init(vdev, 0);
    s->vq = virtio_add_queue(vdev, 8, handle_queue);
    timer_init(&s->timer, VM_CLOCK_VIRTUAL, new_period, s);
    new_period(s);
    return true;
}

static void rng_unrealize(VirtioDevice *vdev)
{
    timer_cancel(&((VirtioRng *)vdev)->timer);
}

static const VirtioType virtio_rng = { .id = VIRTIO_ID_RNG, .realize = rng_realize, .unrealize = rng_unrealize };

static const StateField rng_fields[] = {
    { .name = "virtio", .kind = STATE_STRUCT, .offset = offsetof(VirtioRng, vdev), .elem_size = sizeof(VirtioDevice),
      .sub = &virtio_state },
    STATE_U(VirtioRng, quota),
};
static const StateDesc rng_state = {
    .name = "virtio-rng", .version = 1, .fields = rng_fields, .n_fields = ARRAY_SIZE(rng_fields),
};
static const Property rng_props[] = { VIRTIO_RNG_PROPS(VirtioRng, ) };

static const DeviceType virtio_rng_device_type = {
    .type = { .name = "virtio-rng-device", .parent = "virtio-device", .size_bytes = sizeof(VirtioRng),
              .summary = "virtio entropy source", .props = rng_props, .n_props = ARRAY_SIZE(rng_props),
              .class_data = &virtio_rng },
    .category = DEVICE_MISC, .state = &rng_state, VIRTIO_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(virtio_rng_device_type);
