/*
 * virtio.h: virtio devices, their queues, and what a transport (virtio-mmio, virtio-pci) does for them.
 *
 * A device is a DeviceType with parent "virtio-device" plus a VirtioType (class_data of its ObjectType). It gives its
 * features and configuration, and is called when a queue is kicked. Queues are split or packed rings in guest memory;
 * everything read from them is checked, and a guest that breaks the rules gets DEVICE_NEEDS_RESET, no more service.
 *
 * Specification: Virtual I/O Device (VIRTIO) Version 1.2, 2.6-2.8 (rings), 4.1 (PCI), 4.2 (MMIO), 5 (devices).
 * Threads: BQL.
 */
#ifndef HW_VIRTIO_H
#define HW_VIRTIO_H

#include <sys/uio.h>
#include "hw/device.h"

typedef struct VirtioDevice VirtioDevice;
typedef struct VirtQueue VirtQueue;
typedef struct VirtNotifier VirtNotifier;

enum { /* device ids, section 5 */
    VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4, VIRTIO_ID_BALLOON = 5,
    VIRTIO_ID_SCSI = 8, VIRTIO_ID_9P = 9, VIRTIO_ID_GPU = 16, VIRTIO_ID_INPUT = 18, VIRTIO_ID_VSOCK = 19,
};

enum { /* feature bits, section 6 */
    VIRTIO_F_NOTIFY_ON_EMPTY = 24, VIRTIO_F_ANY_LAYOUT = 27, VIRTIO_RING_F_INDIRECT_DESC = 28, VIRTIO_RING_F_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32, VIRTIO_F_ACCESS_PLATFORM = 33, VIRTIO_F_RING_PACKED = 34, VIRTIO_F_IN_ORDER = 35,
    VIRTIO_F_ORDER_PLATFORM = 36, VIRTIO_F_RING_RESET = 40,
};

enum { /* device status, section 2.1 */
    VIRTIO_STATUS_ACKNOWLEDGE = 1, VIRTIO_STATUS_DRIVER = 2, VIRTIO_STATUS_DRIVER_OK = 4, VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_NEEDS_RESET = 64, VIRTIO_STATUS_FAILED = 128,
};

enum { VIRTIO_QUEUE_MAX = 1024, VIRTIO_NO_VECTOR = 0xffff };

typedef struct VirtioType {
    uint16_t id;
    /* Bits offered; `user` are those the properties of the common part allow. */
    uint64_t (*features)(VirtioDevice *vdev, uint64_t user);
    void (*features_set)(VirtioDevice *vdev);                 /* negotiated: vdev->guest_features */
    void (*config_read)(VirtioDevice *vdev, uint8_t *config); /* fills config_size bytes, little-endian */
    void (*config_write)(VirtioDevice *vdev, const uint8_t *config, size_t offset, size_t size);
    void (*status_set)(VirtioDevice *vdev, uint8_t old);      /* vdev->status changed */
    void (*reset)(VirtioDevice *vdev);
    bool (*realize)(VirtioDevice *vdev, Error **errp);        /* calls virtio_init, virtio_add_queue */
    void (*unrealize)(VirtioDevice *vdev);
} VirtioType;

/* A buffer the driver made available. `out` is read, `in` is written by the device. */
typedef struct VirtElem {
    VirtQueue *vq;
    unsigned index;        /* descriptor index or packed buffer id */
    unsigned n_descs;      /* packed: descriptors the chain took */
    unsigned n_out, n_in;
    struct iovec *out, *in;
    size_t out_bytes, in_bytes;
    unsigned mapped_out, mapped_in; /* lengths of iov[], which the queue keeps for itself */
    struct iovec iov[];
} VirtElem;

typedef void VirtQueueHandler(VirtioDevice *vdev, VirtQueue *vq);

struct VirtQueue {
    VirtioDevice *vdev;
    VirtQueueHandler *handler;
    uint16_t index, num, num_default, vector;
    bool enabled;
    gpa desc, driver, device;      /* packed: ring, driver event area, device event area */
    uint16_t last_avail, used_idx; /* split; packed: positions in the ring */
    bool avail_wrap, used_wrap;    /* packed */
    uint16_t signalled_used;
    bool signalled_valid;
    bool notify;                   /* the driver is asked to kick */
    unsigned in_use;
    VirtNotifier *notifier;        /* kicks come through an eventfd; NULL: as calls */
};

/* What the transport does. */
typedef struct VirtioTransport {
    void (*notify)(Device *transport, uint16_t vector);  /* vector VIRTIO_NO_VECTOR: plain interrupt */
    void (*config_changed)(Device *transport);
    AddressSpace *(*dma)(Device *transport);
    /* The queue's notification register signals fd from now on, or no longer. */
    void (*eventfd)(Device *transport, unsigned queue, int fd, bool on);
} VirtioTransport;

struct VirtioDevice {
    Device dev;
    const VirtioType *vtype;
    const VirtioTransport *transport;
    Device *proxy;
    AddressSpace *dma;
    uint64_t user_features;   /* properties: event_idx, indirect_desc, packed, … as feature bits */
    uint64_t host_features, guest_features;
    uint8_t status, isr;
    bool broken, disable_modern, disable_legacy;
    bool use_eventfds;        /* property ioeventfd of the transport */
    bool legacy;              /* the driver did not negotiate VERSION_1 */
    uint16_t config_vector;
    uint32_t config_generation;
    uint8_t *config;
    uint32_t config_size;
    VirtQueue *queues;
    uint32_t n_queues;
};

#define VIRTIO_DEVICE(p) ((VirtioDevice *)(p))

/* Properties every virtio device has; `m` is the path to its VirtioDevice ("vdev." or empty). */
#define VIRTIO_COMMON_PROPS(T, m)                                                                                     \
    { .name = "event_idx", .kind = PROP_BIT64, .offset = offsetof(T, m user_features), .def_aux = VIRTIO_RING_F_EVENT_IDX, .def = 1, .has_default = true, .help = "Offer notification suppression by event index" }, \
    { .name = "indirect_desc", .kind = PROP_BIT64, .offset = offsetof(T, m user_features), .def_aux = VIRTIO_RING_F_INDIRECT_DESC, .def = 1, .has_default = true, .help = "Offer indirect descriptors" }, \
    { .name = "notify_on_empty", .kind = PROP_BIT64, .offset = offsetof(T, m user_features), .def_aux = VIRTIO_F_NOTIFY_ON_EMPTY, .def = 1, .has_default = true, .help = "Legacy: interrupt when a queue runs empty" }, \
    { .name = "any_layout", .kind = PROP_BIT64, .offset = offsetof(T, m user_features), .def_aux = VIRTIO_F_ANY_LAYOUT, .def = 1, .has_default = true, .help = "Legacy: accept any descriptor layout" }, \
    { .name = "packed", .kind = PROP_BIT64, .offset = offsetof(T, m user_features), .def_aux = VIRTIO_F_RING_PACKED, .def = 0, .has_default = true, .help = "Offer packed rings" }, \
    { .name = "in_order", .kind = PROP_BIT64, .offset = offsetof(T, m user_features), .def_aux = VIRTIO_F_IN_ORDER, .def = 0, .has_default = true, .help = "Offer use of buffers in order" }, \
    { .name = "iommu_platform", .kind = PROP_BIT64, .offset = offsetof(T, m user_features), .def_aux = VIRTIO_F_ACCESS_PLATFORM, .def = 0, .has_default = true, .help = "Access memory as the platform says" }

/* -- for devices ------------------------------------------------------------------------------------------- */
void virtio_init(VirtioDevice *vdev, size_t config_size_bytes);
VirtQueue *virtio_add_queue(VirtioDevice *vdev, unsigned num, VirtQueueHandler *handler);
static inline bool virtio_has(const VirtioDevice *vdev, unsigned feature) { return vdev->guest_features >> feature & 1; }
static inline bool virtio_driver_ok(const VirtioDevice *vdev)
{
    return (vdev->status & VIRTIO_STATUS_DRIVER_OK) && !vdev->broken;
}
/* The configuration changed by itself: the driver is told. */
void virtio_config_changed(VirtioDevice *vdev);
/* The guest broke the rules: one line in the guest-error log, DEVICE_NEEDS_RESET. */
void virtio_fail(VirtioDevice *vdev, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Takes the next available buffer; NULL: none, or the guest broke the rules. Ended by virtq_push or virtq_detach. */
VirtElem *virtq_pop(VirtQueue *vq);
/* Gives the buffer back with `written_bytes` at the start of `in`, and frees the element. */
void virtq_push(VirtQueue *vq, VirtElem *elem, uint32_t written_bytes);
/* Puts it back as if it had never been popped (the last one popped only). */
void virtq_unpop(VirtQueue *vq, VirtElem *elem);
/* Frees it without telling the driver (device reset). */
void virtq_detach(VirtQueue *vq, VirtElem *elem);
/* Interrupts the driver if it wants that for what has been pushed. */
void virtq_notify(VirtQueue *vq);
bool virtq_empty(VirtQueue *vq);
/* Whether kicks are wanted (a polling device says no). */
void virtq_set_notify(VirtQueue *vq, bool on);
static inline bool virtq_ready(const VirtQueue *vq) { return vq->enabled && vq->desc && virtio_driver_ok(vq->vdev); }

/* Scatter/gather copies; return the bytes copied. */
size_t iov_to_buf(const struct iovec *iov, unsigned n, size_t offset, void *buf, size_t bytes);
size_t iov_from_buf(const struct iovec *iov, unsigned n, size_t offset, const void *buf, size_t bytes);
/* Drops bytes from the front or back in place; return what was dropped. */
size_t iov_discard_front(struct iovec **iov, unsigned *n, size_t bytes);
size_t iov_discard_back(struct iovec *iov, unsigned *n, size_t bytes);

/* DeviceType hooks of every virtio device; the rest is in its VirtioType. */
bool virtio_device_realize(Device *dev, Error **errp);
void virtio_device_unrealize(Device *dev);
void virtio_device_reset(Device *dev, ResetKind kind);
#define VIRTIO_DEVICE_HOOKS                                                                  \
    .bus = "virtio-bus", .realize = virtio_device_realize, .unrealize = virtio_device_unrealize, \
    .reset_hold = virtio_device_reset, .user_creatable = true, .hotpluggable = true

/* -- for transports ---------------------------------------------------------------------------------------- */
/* Makes the device sit behind a transport; called before it is realized. */
void virtio_bind(VirtioDevice *vdev, Device *proxy, const VirtioTransport *transport);
void virtio_reset(VirtioDevice *vdev);
void virtio_set_status(VirtioDevice *vdev, uint8_t status);
/* What the driver accepts; false: not a subset of what was offered (FEATURES_OK then stays clear). */
bool virtio_set_features(VirtioDevice *vdev, uint64_t features);
uint32_t virtio_config_read(VirtioDevice *vdev, uint32_t offset, unsigned size);
void virtio_config_write(VirtioDevice *vdev, uint32_t offset, unsigned size, uint32_t value);
void virtio_kick(VirtioDevice *vdev, unsigned queue);
/* notifier.c. Status, queues or the machine's state have changed: queues get their eventfds, or lose them. */
void virtio_update_notifiers(VirtioDevice *vdev);
void virtio_init_notifiers(VirtioDevice *vdev);
void virtio_finish_notifiers(VirtioDevice *vdev);
void virtq_set_num(VirtQueue *vq, unsigned num);
/* Modern drivers give three addresses; legacy ones the first, with the ring alignment. */
void virtq_set_rings(VirtQueue *vq, gpa desc, gpa driver, gpa device);
void virtq_set_legacy(VirtQueue *vq, gpa base, unsigned align);
void virtq_enable(VirtQueue *vq, bool on);
void virtq_reset(VirtQueue *vq);
extern const StateDesc virtio_state;

#endif
