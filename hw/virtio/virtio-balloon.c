/*
 * virtio-balloon.c: the guest gives memory back and takes it again; memory statistics.
 *
 * Specification: VIRTIO 1.2, 5.5. Leaves out: free page hints, page poison.
 */
#include <sys/mman.h>

#include "hw/virtio-types.h"
#include "softmmu/machine.h"
#include "util/bits.h"
#include "util/log.h"

enum { F_STATS_VQ = 1, F_DEFLATE_ON_OOM = 2, F_REPORTING = 5, PAGE_BITS = 12, CONFIG_BYTES = 8, N_STATS = 16 };

/* Gives the pages' memory to the host; the guest reads zeros (or anything) afterwards. */
static void give_back(VirtioBalloon *s, gpa addr, uint64_t bytes)
{
    uint64_t len = bytes;
    void *host = memory_map(s->vdev.dma, addr, &len, true, MEM_ATTRS_NONE);

    if (!host) {
        return;
    }
    if (len == bytes && !((uintptr_t)host & 4095) && ram_block_from_host(host, &(uint64_t){ 0 })) {
        madvise(host, len, MADV_DONTNEED);
    }
    memory_unmap(s->vdev.dma, host, len, true, len);
}

static void handle_pages(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioBalloon *s = (VirtioBalloon *)vdev;
    VirtElem *elem;

    while ((elem = virtq_pop(vq))) {
        uint8_t raw[4];
        for (size_t at = 0; iov_to_buf(elem->out, elem->n_out, at, raw, 4) == 4; at += 4) {
            if (vq == s->inflate) {
                give_back(s, (gpa)ldle32(raw) << PAGE_BITS, 1 << PAGE_BITS);
            }
        }
        virtq_push(vq, elem, 0);
        virtq_notify(vq);
    }
}

static void handle_reporting(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtElem *elem;

    while ((elem = virtq_pop(vq))) {
        for (unsigned i = 0; i < elem->n_in; i++) {
            void *host = elem->in[i].iov_base;
            if (!((uintptr_t)host & 4095) && !(elem->in[i].iov_len & 4095) && ram_block_from_host(host, &(uint64_t){ 0 })) {
                madvise(host, elem->in[i].iov_len, MADV_DONTNEED);
            }
        }
        virtq_push(vq, elem, 0);
        virtq_notify(vq);
    }
}

static void handle_stats(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioBalloon *s = (VirtioBalloon *)vdev;
    VirtElem *elem = virtq_pop(vq);
    uint8_t raw[10];

    if (!elem) {
        return;
    }
    if (s->stats_elem) { /* one buffer at a time goes to and fro */
        virtq_push(vq, s->stats_elem, 0);
    }
    s->stats_elem = elem;
    for (size_t at = 0; iov_to_buf(elem->out, elem->n_out, at, raw, sizeof(raw)) == sizeof(raw); at += sizeof(raw)) {
        uint16_t tag = ldle16(raw);
        if (tag < N_STATS) {
            s->stat[tag] = ldle64(raw + 2);
        }
    }
    s->stats_at_s = clock_get_ns(VM_CLOCK_HOST) / NS_PER_SECOND;
    if (s->poll_s) {
        timer_set_ns(&s->timer, clock_get_ns(VM_CLOCK_VIRTUAL) + s->poll_s * NS_PER_SECOND);
    }
}

static void poll_stats(void *opaque)
{
    VirtioBalloon *s = opaque;

    if (s->stats_elem && virtq_ready(s->stats)) {
        VirtElem *elem = s->stats_elem;
        s->stats_elem = NULL;
        virtq_push(s->stats, elem, 0);
        virtq_notify(s->stats);
    } else {
        timer_set_ns(&s->timer, clock_get_ns(VM_CLOCK_VIRTUAL) + s->poll_s * NS_PER_SECOND);
    }
}

static uint64_t balloon_features(VirtioDevice *vdev, uint64_t user)
{
    VirtioBalloon *s = (VirtioBalloon *)vdev;
    return user | BIT(F_STATS_VQ) | (s->deflate_on_oom ? BIT(F_DEFLATE_ON_OOM) : 0) | (s->free_page_reporting ? BIT(F_REPORTING) : 0);
}

static void balloon_config_read(VirtioDevice *vdev, uint8_t *c)
{
    VirtioBalloon *s = (VirtioBalloon *)vdev;

    stle32(c, s->num_pages);
    stle32(c + 4, s->actual);
}

static void balloon_config_write(VirtioDevice *vdev, const uint8_t *c, size_t offset, size_t size)
{
    ((VirtioBalloon *)vdev)->actual = ldle32(c + 4);
}

static void balloon_reset(VirtioDevice *vdev)
{
    VirtioBalloon *s = (VirtioBalloon *)vdev;

    if (s->stats_elem) {
        virtq_detach(s->stats, s->stats_elem);
        s->stats_elem = NULL;
    }
}

static void find_balloon(Device *dev, void *opaque)
{
    if (dev->realized && object_is_a(&dev->obj, "virtio-balloon-device")) {
        *(VirtioBalloon **)opaque = (VirtioBalloon *)dev;
    }
}

static VirtioBalloon *the_balloon(void)
{
    VirtioBalloon *found = NULL;

    device_foreach(find_balloon, &found);
    return found;
}

static bool balloon_realize(VirtioDevice *vdev, Error **errp)
{
    VirtioBalloon *s = (VirtioBalloon *)vdev;

    if (the_balloon()) { /* the monitor's commands name none */
        error_set(errp, "Only one balloon device is supported");
        return false;
    }
    virtio_init(vdev, CONFIG_BYTES);
    s->inflate = virtio_add_queue(vdev, 128, handle_pages);
    s->deflate = virtio_add_queue(vdev, 128, handle_pages);
    s->stats = virtio_add_queue(vdev, 128, handle_stats);
    if (s->free_page_reporting) {
        s->reporting = virtio_add_queue(vdev, 32, handle_reporting);
    }
    memset(s->stat, 0xff, sizeof(s->stat));
    timer_init(&s->timer, VM_CLOCK_VIRTUAL, poll_stats, s);
    return true;
}

static void balloon_unrealize(VirtioDevice *vdev)
{
    balloon_reset(vdev);
    timer_cancel(&((VirtioBalloon *)vdev)->timer);
}

static const VirtioType virtio_balloon = {
    .id = VIRTIO_ID_BALLOON, .features = balloon_features, .config_read = balloon_config_read,
    .config_write = balloon_config_write, .reset = balloon_reset, .realize = balloon_realize, .unrealize = balloon_unrealize,
};

/* -- the monitor's side ------------------------------------------------------------------------------------------------- */

static bool get_poll(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    *ret = prop_int(((VirtioBalloon *)obj)->poll_s);
    return true;
}

static bool set_poll(Object *obj, const Property *prop, const PropValue *value, Error **errp)
{
    VirtioBalloon *s = (VirtioBalloon *)obj;
    int64_t seconds = value->kind == VALUE_INT ? value->i : value->kind == VALUE_UINT ? (int64_t)value->u : -1;

    if (seconds < 0 || seconds > UINT32_MAX) {
        error_set(errp, "timer value must be between 0 and %u", UINT32_MAX);
        return false;
    }
    s->poll_s = seconds;
    if (seconds) {
        timer_set_ns(&s->timer, clock_get_ns(VM_CLOCK_VIRTUAL) + seconds * NS_PER_SECOND);
    } else {
        timer_cancel(&s->timer);
    }
    return true;
}

static const Property balloon_props[] = {
    VIRTIO_BALLOON_PROPS(VirtioBalloon, ),
    { .name = "guest-stats-polling-interval", .kind = PROP_CUSTOM, .type_name = "int", .get = get_poll, .set = set_poll,
      .settable_when_realized = true, .help = "Seconds between requests for statistics; 0: never" },
};

static const StateField balloon_fields[] = {
    { .name = "virtio", .kind = STATE_STRUCT, .offset = offsetof(VirtioBalloon, vdev), .elem_size = sizeof(VirtioDevice),
      .sub = &virtio_state },
    STATE_U(VirtioBalloon, num_pages), STATE_U(VirtioBalloon, actual),
};
static const StateDesc balloon_state = {
    .name = "virtio-balloon", .version = 1, .fields = balloon_fields, .n_fields = ARRAY_SIZE(balloon_fields),
};

static const DeviceType virtio_balloon_device_type = {
    .type = { .name = "virtio-balloon-device", .parent = "virtio-device", .size_bytes = sizeof(VirtioBalloon),
              .summary = "virtio memory balloon", .props = balloon_props, .n_props = ARRAY_SIZE(balloon_props),
              .class_data = &virtio_balloon },
    .category = DEVICE_MISC, .state = &balloon_state, VIRTIO_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(virtio_balloon_device_type);

bool virtio_balloon_set_target(uint64_t bytes, Error **errp)
{
    VirtioBalloon *s = the_balloon();
    uint64_t ram = machine_current()->ram_bytes;

    if (!s) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_ACTIVE, "No balloon device has been activated");
        return false;
    }
    if (!bytes) {
        error_set(errp, "Parameter 'target' expects a size");
        return false;
    }
    s->num_pages = (uint32_t)((ram - MIN(bytes, ram)) >> PAGE_BITS);
    virtio_config_changed(&s->vdev);
    return true;
}

bool virtio_balloon_query(uint64_t *ret_actual_bytes, Error **errp)
{
    VirtioBalloon *s = the_balloon();

    if (!s) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_ACTIVE, "No balloon device has been activated");
        return false;
    }
    *ret_actual_bytes = machine_current()->ram_bytes - ((uint64_t)s->actual << PAGE_BITS);
    return true;
}
