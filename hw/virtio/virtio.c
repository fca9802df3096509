/*
 * virtio.c: what all virtio devices share: status, features, configuration, saved state.
 *
 * Specification: VIRTIO 1.2, 2.1 to 2.5, 3.1 (initialisation), legacy interfaces as the sections on them say.
 */
#include <stdarg.h>

#include "hw/virtio.h"
#include "util/bits.h"
#include "util/log.h"

static const VirtioType *virtio_type(const VirtioDevice *vdev)
{
    return vdev->vtype;
}

void virtio_init(VirtioDevice *vdev, size_t config_size_bytes)
{
    vdev->config_size = (uint32_t)config_size_bytes;
    vdev->config = xcalloc(1, config_size_bytes);
}

VirtQueue *virtio_add_queue(VirtioDevice *vdev, unsigned num, VirtQueueHandler *handler)
{
    VirtQueue *vq = &vdev->queues[vdev->n_queues];

    assert(vdev->n_queues < VIRTIO_QUEUE_MAX && num <= VIRTIO_QUEUE_MAX);
    *vq = (VirtQueue){ .vdev = vdev, .handler = handler, .index = (uint16_t)vdev->n_queues++, .num_default = (uint16_t)num };
    virtq_reset(vq);
    return vq;
}

void virtio_fail(VirtioDevice *vdev, const char *fmt, ...)
{
    va_list ap;

    if (log_enabled(LOG_GUEST_ERROR)) {
        va_start(ap, fmt);
        char *text = xvasprintf(fmt, ap);
        va_end(ap);
        log_printf("%s: %s\n", vdev->dev.obj.type->name, text);
        free(text);
    }
    vdev->broken = true;
    if (virtio_has(vdev, VIRTIO_F_VERSION_1)) {
        vdev->status |= VIRTIO_STATUS_NEEDS_RESET;
        virtio_config_changed(vdev);
    }
}

void virtio_config_changed(VirtioDevice *vdev)
{
    if (!(vdev->status & VIRTIO_STATUS_DRIVER_OK)) {
        return;
    }
    vdev->config_generation++;
    vdev->isr |= 2;
    vdev->transport->config_changed(vdev->proxy);
}

void virtio_reset(VirtioDevice *vdev)
{
    uint8_t old = vdev->status;

    vdev->status = 0;
    if (old && virtio_type(vdev)->status_set) {
        virtio_type(vdev)->status_set(vdev, old);
    }
    if (virtio_type(vdev)->reset) {
        virtio_type(vdev)->reset(vdev);
    }
    for (unsigned i = 0; i < vdev->n_queues; i++) {
        virtq_reset(&vdev->queues[i]);
    }
    vdev->guest_features = 0;
    vdev->legacy = true;
    vdev->broken = false;
    vdev->isr = 0;
    vdev->config_vector = VIRTIO_NO_VECTOR;
    virtio_update_notifiers(vdev);
}

void virtio_set_status(VirtioDevice *vdev, uint8_t status)
{
    uint8_t old = vdev->status;

    if (!status) {
        virtio_reset(vdev);
        return;
    }
    /* A modern driver must not go on with features that were refused (3.1.1), nor give addresses that nobody translates (6.2). */
    if ((status & VIRTIO_STATUS_FEATURES_OK) && !(old & VIRTIO_STATUS_FEATURES_OK) &&
        ((vdev->guest_features & ~vdev->host_features) || (vdev->host_features & ~vdev->guest_features & BIT(VIRTIO_F_ACCESS_PLATFORM)))) {
        status &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    }
    vdev->status = status | (old & VIRTIO_STATUS_NEEDS_RESET);
    if (old != vdev->status && virtio_type(vdev)->status_set) {
        virtio_type(vdev)->status_set(vdev, old);
    }
    virtio_update_notifiers(vdev);
}

bool virtio_set_features(VirtioDevice *vdev, uint64_t features)
{
    bool ok = !(features & ~vdev->host_features);

    vdev->guest_features = features & vdev->host_features;
    vdev->legacy = !virtio_has(vdev, VIRTIO_F_VERSION_1);
    if (virtio_type(vdev)->features_set) {
        virtio_type(vdev)->features_set(vdev);
    }
    return ok;
}

uint32_t virtio_config_read(VirtioDevice *vdev, uint32_t offset, unsigned size)
{
    if (offset + size > vdev->config_size || offset + size < offset) {
        return size == 1 ? 0xff : size == 2 ? 0xffff : 0xffffffff;
    }
    if (virtio_type(vdev)->config_read) {
        virtio_type(vdev)->config_read(vdev, vdev->config);
    }
    const uint8_t *p = vdev->config + offset;
    return size == 1 ? *p : size == 2 ? ldle16(p) : ldle32(p);
}

void virtio_config_write(VirtioDevice *vdev, uint32_t offset, unsigned size, uint32_t value)
{
    if (offset + size > vdev->config_size || offset + size < offset) {
        return;
    }
    uint8_t *p = vdev->config + offset;
    if (size == 1) {
        *p = (uint8_t)value;
    } else if (size == 2) {
        stle16(p, (uint16_t)value);
    } else {
        stle32(p, value);
    }
    if (virtio_type(vdev)->config_write) {
        virtio_type(vdev)->config_write(vdev, vdev->config, offset, size);
    }
}

void virtio_kick(VirtioDevice *vdev, unsigned queue)
{
    if (queue < vdev->n_queues && vdev->queues[queue].handler && virtq_ready(&vdev->queues[queue])) {
        vdev->queues[queue].handler(vdev, &vdev->queues[queue]);
    }
}

void virtio_bind(VirtioDevice *vdev, Device *proxy, const VirtioTransport *transport)
{
    vdev->proxy = proxy;
    vdev->transport = transport;
    vdev->dma = transport->dma(proxy);
}

/* -- the abstract device type ---------------------------------------------------------------------------------- */

/* Called by every virtio device's realize through DeviceType.realize = virtio_device_realize. */
bool virtio_device_realize(Device *dev, Error **errp)
{
    VirtioDevice *vdev = VIRTIO_DEVICE(dev);

    vdev->vtype = dev->obj.type->class_data;
    if (!vdev->transport) {
        error_set(errp, "device '%s' needs a virtio bus", dev->obj.type->name);
        return false;
    }
    vdev->queues = xnew_array(VirtQueue, VIRTIO_QUEUE_MAX);
    if (!vdev->vtype->realize(vdev, errp)) {
        virtio_device_unrealize(dev);
        return false;
    }
    uint64_t user = vdev->user_features | (vdev->disable_modern ? 0 : BIT(VIRTIO_F_VERSION_1)) |
                    BIT(VIRTIO_F_RING_RESET);
    vdev->host_features = vdev->vtype->features ? vdev->vtype->features(vdev, user) : user;
    vdev->host_features |= user & (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_ACCESS_PLATFORM) | BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_RING_F_INDIRECT_DESC));
    vdev->host_features &= ~BIT(VIRTIO_F_RING_RESET);
    virtio_reset(vdev);
    virtio_init_notifiers(vdev);
    return true;
}

void virtio_device_unrealize(Device *dev)
{
    VirtioDevice *vdev = VIRTIO_DEVICE(dev);

    virtio_finish_notifiers(vdev);
    if (vdev->vtype->unrealize && dev->realized) {
        vdev->vtype->unrealize(vdev);
    }
    free(vdev->queues);
    free(vdev->config);
    vdev->queues = NULL;
    vdev->config = NULL;
    vdev->n_queues = 0;
}

void virtio_device_reset(Device *dev, ResetKind kind)
{
    virtio_reset(VIRTIO_DEVICE(dev));
}

static const DeviceType virtio_device_type = {
    .type = { .name = "virtio-device", .parent = "device", .size_bytes = sizeof(VirtioDevice), .abstract = true,
              .summary = "What all virtio devices share" },
    .category = DEVICE_MISC,
};
DEVICE_TYPE_REGISTER(virtio_device_type);

/* -- saved state --------------------------------------------------------------------------------------------------- */

static const StateField queue_fields[] = {
    STATE_U(VirtQueue, num), STATE_U(VirtQueue, vector), STATE_U(VirtQueue, enabled), STATE_U(VirtQueue, desc),
    STATE_U(VirtQueue, driver), STATE_U(VirtQueue, device), STATE_U(VirtQueue, last_avail), STATE_U(VirtQueue, used_idx),
    STATE_U(VirtQueue, avail_wrap), STATE_U(VirtQueue, used_wrap), STATE_U(VirtQueue, signalled_used),
    STATE_U(VirtQueue, signalled_valid), STATE_U(VirtQueue, notify),
};

static const StateDesc queue_state = {
    .name = "virtqueue", .version = 1, .fields = queue_fields, .n_fields = ARRAY_SIZE(queue_fields),
};

static bool virtio_post_load(void *opaque, uint32_t version, Error **errp)
{
    VirtioDevice *vdev = opaque;

    if (vdev->guest_features & ~vdev->host_features) {
        error_set(errp, "features 0x%" PRIx64 " are not all offered (0x%" PRIx64 ")", vdev->guest_features, vdev->host_features);
        return false;
    }
    for (unsigned i = 0; i < vdev->n_queues; i++) {
        VirtQueue *vq = &vdev->queues[i];
        if (vq->num > VIRTIO_QUEUE_MAX || (virtio_has(vdev, VIRTIO_F_RING_PACKED) && vq->num &&
                                           (vq->last_avail >= vq->num || vq->used_idx >= vq->num))) {
            error_set(errp, "queue %u: sizes or positions make no sense", i);
            return false;
        }
    }
    return true;
}

static const StateField virtio_fields[] = {
    STATE_U(VirtioDevice, guest_features), STATE_U(VirtioDevice, status), STATE_U(VirtioDevice, isr),
    STATE_U(VirtioDevice, broken), STATE_U(VirtioDevice, legacy), STATE_U(VirtioDevice, config_vector),
    STATE_U(VirtioDevice, config_generation),
    { .name = "queues", .kind = STATE_STRUCT, .offset = offsetof(VirtioDevice, queues), .elem_size = sizeof(VirtQueue),
      .count_is_field = true, .count_field = offsetof(VirtioDevice, n_queues), .indirect = true, .sub = &queue_state },
};

const StateDesc virtio_state = {
    .name = "virtio", .version = 1, .fields = virtio_fields, .n_fields = ARRAY_SIZE(virtio_fields),
    .post_load = virtio_post_load,
};
