/*
 * virtio-mmio.c: the memory-mapped transport, version 2 (modern) or 1 (legacy).
 *
 * Specification: VIRTIO 1.2, 4.2.2 (registers), 4.2.4 (legacy).
 */
#include "hw/virtio.h"
#include "softmmu/machine.h"
#include "util/bits.h"
#include "util/log.h"

enum {
    REG_MAGIC = 0x000, REG_VERSION = 0x004, REG_DEVICE_ID = 0x008, REG_VENDOR_ID = 0x00c,
    REG_DEVICE_FEATURES = 0x010, REG_DEVICE_FEATURES_SEL = 0x014, REG_DRIVER_FEATURES = 0x020,
    REG_DRIVER_FEATURES_SEL = 0x024, REG_GUEST_PAGE_SIZE = 0x028, REG_QUEUE_SEL = 0x030, REG_QUEUE_NUM_MAX = 0x034,
    REG_QUEUE_NUM = 0x038, REG_QUEUE_ALIGN = 0x03c, REG_QUEUE_PFN = 0x040, REG_QUEUE_READY = 0x044,
    REG_QUEUE_NOTIFY = 0x050, REG_INTERRUPT_STATUS = 0x060, REG_INTERRUPT_ACK = 0x064, REG_STATUS = 0x070,
    REG_QUEUE_DESC_LOW = 0x080, REG_QUEUE_DESC_HIGH = 0x084, REG_QUEUE_DRIVER_LOW = 0x090,
    REG_QUEUE_DRIVER_HIGH = 0x094, REG_QUEUE_DEVICE_LOW = 0x0a0, REG_QUEUE_DEVICE_HIGH = 0x0a4,
    REG_SHM_SEL = 0x0ac, REG_SHM_LEN_LOW = 0x0b0, REG_SHM_BASE_HIGH = 0x0bc, REG_QUEUE_RESET = 0x0c0,
    REG_CONFIG_GENERATION = 0x0fc, REG_CONFIG = 0x100, MMIO_BYTES = 0x200,
    VENDOR_ID = 0x554d4551, /* "QEMU" */
};

typedef struct VirtioMmio {
    Device dev;
    MemoryRegion iomem;
    Bus bus;
    bool force_legacy, use_eventfds;
    uint32_t features_sel, driver_features_sel, queue_sel, page_bytes, align;
    uint32_t driver_features[2];
    uint32_t desc[2], driver[2], device[2];
} VirtioMmio;

static VirtioDevice *plugged(VirtioMmio *s)
{
    return (VirtioDevice *)s->bus.first;
}

static VirtQueue *selected(VirtioMmio *s, VirtioDevice *vdev)
{
    return s->queue_sel < vdev->n_queues ? &vdev->queues[s->queue_sel] : NULL;
}

static MemResult mmio_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    VirtioMmio *s = opaque;
    VirtioDevice *vdev = plugged(s);
    VirtQueue *vq;

    *ret = 0;
    if (!vdev) {
        /* An empty slot: magic and version, device id 0 (4.2.2.2). */
        *ret = offset == REG_MAGIC ? 0x74726976 : offset == REG_VERSION ? (s->force_legacy ? 1 : 2) :
               offset == REG_VENDOR_ID ? VENDOR_ID : 0;
        return MEM_OK;
    }
    if (offset >= REG_CONFIG) {
        *ret = virtio_config_read(vdev, (uint32_t)offset - REG_CONFIG, size);
        return MEM_OK;
    }
    if (size != 4) {
        log_guest_error("virtio-mmio: read of %u bytes at 0x%" PRIx64 "\n", size, offset);
        return MEM_OK;
    }
    vq = selected(s, vdev);
    switch (offset) {
    case REG_MAGIC: *ret = 0x74726976; break;
    case REG_VERSION: *ret = s->force_legacy ? 1 : 2; break;
    case REG_DEVICE_ID: *ret = vdev->vtype->id; break;
    case REG_VENDOR_ID: *ret = VENDOR_ID; break;
    case REG_DEVICE_FEATURES: {
        uint64_t features = vdev->host_features;
        if (s->force_legacy) {
            features &= ~BIT(VIRTIO_F_VERSION_1) & 0xffffffff;
        }
        *ret = s->features_sel < 2 ? (uint32_t)(features >> s->features_sel * 32) : 0;
        break;
    }
    case REG_QUEUE_NUM_MAX: *ret = vq ? vq->num_default : 0; break;
    case REG_QUEUE_PFN: *ret = vq && s->page_bytes ? vq->desc / s->page_bytes : 0; break;
    case REG_QUEUE_READY: *ret = vq ? vq->enabled : 0; break;
    case REG_INTERRUPT_STATUS: *ret = vdev->isr; break;
    case REG_STATUS: *ret = vdev->status; break;
    case REG_CONFIG_GENERATION: *ret = vdev->config_generation; break;
    default:
        if (offset >= REG_SHM_LEN_LOW && offset <= REG_SHM_BASE_HIGH) {
            *ret = 0xffffffff; /* no shared memory region (4.2.2) */
        } else {
            log_guest_error("virtio-mmio: read of register 0x%" PRIx64 "\n", offset);
        }
    }
    return MEM_OK;
}

static void set_half(uint32_t pair[2], bool high, uint64_t value)
{
    pair[high] = (uint32_t)value;
}

static uint64_t both(const uint32_t pair[2])
{
    return (uint64_t)pair[1] << 32 | pair[0];
}

static void update_irq(VirtioMmio *s)
{
    VirtioDevice *vdev = plugged(s);
    device_set_irq(&s->dev, "sysbus-irq", 0, vdev && vdev->isr);
}

static void queue_ready(VirtioMmio *s, VirtQueue *vq, bool on)
{
    if (on) {
        virtq_set_rings(vq, both(s->desc), both(s->driver), both(s->device));
    } else {
        virtq_reset(vq);
    }
    virtq_enable(vq, on);
}

static MemResult mmio_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    VirtioMmio *s = opaque;
    VirtioDevice *vdev = plugged(s);
    VirtQueue *vq;

    if (!vdev) {
        return MEM_OK;
    }
    if (offset >= REG_CONFIG) {
        virtio_config_write(vdev, (uint32_t)offset - REG_CONFIG, size, (uint32_t)value);
        return MEM_OK;
    }
    if (size != 4) {
        log_guest_error("virtio-mmio: write of %u bytes at 0x%" PRIx64 "\n", size, offset);
        return MEM_OK;
    }
    vq = selected(s, vdev);
    switch (offset) {
    case REG_DEVICE_FEATURES_SEL: s->features_sel = (uint32_t)value; break;
    case REG_DRIVER_FEATURES_SEL: s->driver_features_sel = (uint32_t)value; break;
    case REG_DRIVER_FEATURES:
        if (s->driver_features_sel < 2 && !(vdev->status & VIRTIO_STATUS_FEATURES_OK)) {
            s->driver_features[s->driver_features_sel] = (uint32_t)value;
            virtio_set_features(vdev, both(s->driver_features));
        }
        break;
    case REG_GUEST_PAGE_SIZE:
        s->page_bytes = bits_is_pow2(value) ? (uint32_t)value : 0;
        break;
    case REG_QUEUE_SEL: s->queue_sel = (uint32_t)value; break;
    case REG_QUEUE_NUM:
        if (vq) {
            virtq_set_num(vq, (unsigned)MIN(value, VIRTIO_QUEUE_MAX + 1));
        }
        break;
    case REG_QUEUE_ALIGN:
        s->align = bits_is_pow2(value) ? (uint32_t)value : 4096;
        break;
    case REG_QUEUE_PFN:
        if (vq && s->force_legacy) {
            virtq_set_legacy(vq, value * s->page_bytes, s->align);
        }
        break;
    case REG_QUEUE_READY:
        if (vq && !s->force_legacy) {
            queue_ready(s, vq, value & 1);
        }
        break;
    case REG_QUEUE_RESET:
        if (vq) {
            virtq_reset(vq);
        }
        break;
    case REG_QUEUE_NOTIFY:
        virtio_kick(vdev, value & 0xffff);
        break;
    case REG_INTERRUPT_ACK:
        vdev->isr &= (uint8_t)~value;
        update_irq(s);
        break;
    case REG_STATUS:
        virtio_set_status(vdev, (uint8_t)value);
        if (!vdev->status) {
            s->driver_features[0] = s->driver_features[1] = 0;
            memset(s->desc, 0, sizeof(s->desc));
            memset(s->driver, 0, sizeof(s->driver));
            memset(s->device, 0, sizeof(s->device));
        }
        update_irq(s);
        break;
    case REG_QUEUE_DESC_LOW: case REG_QUEUE_DESC_HIGH: set_half(s->desc, offset & 4, value); break;
    case REG_QUEUE_DRIVER_LOW: case REG_QUEUE_DRIVER_HIGH: set_half(s->driver, offset & 4, value); break;
    case REG_QUEUE_DEVICE_LOW: case REG_QUEUE_DEVICE_HIGH: set_half(s->device, offset & 4, value); break;
    case REG_SHM_SEL: break;
    default:
        log_guest_error("virtio-mmio: write of register 0x%" PRIx64 "\n", offset);
    }
    return MEM_OK;
}

static const MemoryOps mmio_ops = {
    .read = mmio_read, .write = mmio_write, .endian = MEM_LITTLE_ENDIAN,
    .valid = { .min = 1, .max = 4, .unaligned = false }, .impl = { .min = 1, .max = 4 },
};

/* -- the bus and its device ---------------------------------------------------------------------------------- */

static void transport_notify(Device *transport, uint16_t vector)
{
    update_irq((VirtioMmio *)transport);
}

static void transport_config_changed(Device *transport)
{
    update_irq((VirtioMmio *)transport);
}

static AddressSpace *transport_dma(Device *transport)
{
    return &machine_current()->memory;
}

static void transport_eventfd(Device *transport, unsigned queue, int fd, bool on)
{
    VirtioMmio *s = (VirtioMmio *)transport;
    void (*change)(MemoryRegion *mr, const MemoryEventfd *event) = on ? memory_region_add_eventfd : memory_region_del_eventfd;

    change(&s->iomem, &(MemoryEventfd){ .offset = REG_QUEUE_NOTIFY, .size = 4, .match_data = true, .data = queue, .fd = fd });
}

static const VirtioTransport mmio_transport = { transport_notify, transport_config_changed, transport_dma, transport_eventfd };

static bool bus_check(Bus *bus, Device *dev, Error **errp)
{
    VirtioMmio *s = (VirtioMmio *)bus->parent;

    VIRTIO_DEVICE(dev)->disable_modern = s->force_legacy;
    VIRTIO_DEVICE(dev)->use_eventfds = s->use_eventfds;
    virtio_bind(VIRTIO_DEVICE(dev), bus->parent, &mmio_transport);
    return true;
}

static const BusType virtio_bus_type = {
    .type = { .name = "virtio-bus", .parent = "bus", .size_bytes = sizeof(Bus), .abstract = true },
    .kind = "virtio-bus", .max_devices = 1,
};
OBJECT_TYPE_REGISTER(virtio_bus_type);

static const BusType virtio_mmio_bus_type = {
    .type = { .name = "virtio-mmio-bus", .parent = "virtio-bus", .size_bytes = sizeof(Bus) },
    .kind = "virtio-bus", .max_devices = 1, .check = bus_check,
};
OBJECT_TYPE_REGISTER(virtio_mmio_bus_type);

static void mmio_reset(Device *dev, ResetKind kind)
{
    VirtioMmio *s = (VirtioMmio *)dev;

    s->features_sel = s->driver_features_sel = s->queue_sel = s->page_bytes = 0;
    s->align = 4096;
    memset(s->driver_features, 0, sizeof(s->driver_features));
    memset(s->desc, 0, sizeof(s->desc));
    memset(s->driver, 0, sizeof(s->driver));
    memset(s->device, 0, sizeof(s->device));
    update_irq(s);
}

static bool mmio_realize(Device *dev, Error **errp)
{
    VirtioMmio *s = (VirtioMmio *)dev;

    bus_init_embedded(&s->bus, "virtio-mmio-bus", dev, NULL);
    memory_region_init_mmio(&s->iomem, &dev->obj, &mmio_ops, s, "virtio-mmio", MMIO_BYTES);
    device_add_mmio(dev, &s->iomem);
    return true;
}

static const Property mmio_props[] = {
    PROP_B("force-legacy", VirtioMmio, force_legacy, true, "Be a version 1 (legacy) device"),
    PROP_B("ioeventfd", VirtioMmio, use_eventfds, true, "Kicks of queues through eventfds, where the accelerator has them"),
};

static const IrqDef mmio_irqs[] = { { "sysbus-irq", 1, NULL } };

static const StateField mmio_fields[] = {
    STATE_U(VirtioMmio, features_sel), STATE_U(VirtioMmio, driver_features_sel), STATE_U(VirtioMmio, queue_sel),
    STATE_U(VirtioMmio, page_bytes), STATE_U(VirtioMmio, align), STATE_U_ARRAY(VirtioMmio, driver_features),
    STATE_U_ARRAY(VirtioMmio, desc), STATE_U_ARRAY(VirtioMmio, driver), STATE_U_ARRAY(VirtioMmio, device),
};

static const StateDesc mmio_state = {
    .name = "virtio-mmio", .version = 1, .fields = mmio_fields, .n_fields = ARRAY_SIZE(mmio_fields),
};

static const DeviceType virtio_mmio_type = {
    .type = { .name = "virtio-mmio", .parent = "sys-bus-device", .size_bytes = sizeof(VirtioMmio),
              .summary = "virtio memory-mapped transport", .props = mmio_props, .n_props = ARRAY_SIZE(mmio_props) },
    .category = DEVICE_MISC, .bus = "System", .irqs_out = mmio_irqs, .n_irqs_out = 1, .state = &mmio_state,
    .realize = mmio_realize, .reset_enter = mmio_reset,
};
DEVICE_TYPE_REGISTER(virtio_mmio_type);
