/*
 * virtio-pci.c: the PCI transport, transitional or modern, and the PCI forms of the devices.
 *
 * BAR 0: legacy registers (I/O). BAR 1: MSI-X. BAR 4: modern registers, one page each: common, ISR, device, notify. A type may have
 * another layout (virtio-pci.h).
 * Specification: VIRTIO 1.2, 4.1.
 */
#include "hw/virtio-types.h"
#include "hw/virtio/virtio-pci.h"
#include "util/log.h"

enum { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4, CAP_PCI_CFG = 5 };
enum { PAGE = 0x1000, NOTIFY_MULTIPLIER = 4, MODERN_BYTES = 16 * 1024, MSIX_BYTES = 4 * 1024 * 8 };

/* 4.1.4.8 */
enum { L_HOST_FEATURES = 0, L_GUEST_FEATURES = 4, L_QUEUE_PFN = 8, L_QUEUE_NUM = 12, L_QUEUE_SEL = 14, L_NOTIFY = 16,
       L_STATUS = 18, L_ISR = 19, L_CONFIG_VECTOR = 20, L_QUEUE_VECTOR = 22 };

typedef enum Legacy { LEGACY_AUTO, LEGACY_ON, LEGACY_OFF } Legacy;

static const VirtioPciLayout usual_layout = {
    .modern_bar = 4, .msix_bar = 1, .common = 0, .isr = 0x1000, .device = 0x2000, .notify = 0x3000, .page = PAGE, .msix_bytes = MSIX_BYTES,
};

static const VirtioPciType *virtio_pci_type(const VirtioPci *s)
{
    return (const VirtioPciType *)s->pci.dev.obj.type->class_data;
}

static const VirtioPciLayout *layout_of(const VirtioPci *s)
{
    const VirtioPciLayout *l = virtio_pci_type(s)->layout;
    return l ? l : &usual_layout;
}

/* -- interrupts ---------------------------------------------------------------------------------------------------- */

static void update_intx(VirtioPci *s)
{
    pci_set_irq(&s->pci, s->vdev->isr && !pci_msix_enabled(&s->pci));
}

static void transport_notify(Device *transport, uint16_t vector)
{
    VirtioPci *s = (VirtioPci *)transport;

    if (pci_msix_enabled(&s->pci)) {
        if (vector != VIRTIO_NO_VECTOR) {
            pci_msix_notify(&s->pci, vector);
        }
    } else {
        update_intx(s);
    }
}

static void transport_config_changed(Device *transport)
{
    VirtioPci *s = (VirtioPci *)transport;
    transport_notify(transport, s->vdev->config_vector);
}

/* Behind an IOMMU only devices that say so are translated (VIRTIO_F_ACCESS_PLATFORM, 6.1). */
static AddressSpace *transport_dma(Device *transport)
{
    const VirtioPci *s = (VirtioPci *)transport;

    if (s->pci.dma.iommu && !(s->vdev->user_features >> VIRTIO_F_ACCESS_PLATFORM & 1)) {
        return pci_plain_memory(&s->pci);
    }
    return &PCI_DEVICE(transport)->dma;
}

static void transport_eventfd(Device *transport, unsigned queue, int fd, bool on)
{
    VirtioPci *s = (VirtioPci *)transport;
    void (*change)(MemoryRegion *mr, const MemoryEventfd *event) = on ? memory_region_add_eventfd : memory_region_del_eventfd;
    unsigned size = memory_eventfd_support() == MEMORY_EVENTFDS_ANY_SIZE ? 0 : 2;

    if (s->modern) {
        change(&s->notify_mr, &(MemoryEventfd){ .offset = queue * NOTIFY_MULTIPLIER, .size = size, .fd = fd });
    }
    if (s->legacy) {
        change(&s->legacy_mr, &(MemoryEventfd){ .offset = L_NOTIFY, .size = 2, .match_data = true, .data = queue, .fd = fd });
    }
}

static const VirtioTransport pci_transport = { transport_notify, transport_config_changed, transport_dma, transport_eventfd };

static bool inner_bus_check(Bus *bus, Device *dev, Error **errp)
{
    virtio_bind(VIRTIO_DEVICE(dev), bus->parent, &pci_transport);
    return true;
}

static const BusType virtio_pci_bus_type = {
    .type = { .name = "virtio-pci-bus", .parent = "virtio-bus", .size_bytes = sizeof(Bus) },
    .kind = "virtio-bus", .max_devices = 1, .check = inner_bus_check,
};
OBJECT_TYPE_REGISTER(virtio_pci_bus_type);

static VirtQueue *selected(VirtioPci *s)
{
    return s->queue_select < s->vdev->n_queues ? &s->vdev->queues[s->queue_select] : NULL;
}

static uint16_t checked_vector(VirtioPci *s, uint32_t value)
{
    return value < s->pci.msix.n_vectors ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

static uint64_t both(const uint32_t pair[2])
{
    return (uint64_t)pair[1] << 32 | pair[0];
}

static void set_status(VirtioPci *s, uint8_t status)
{
    virtio_set_status(s->vdev, status);
    if (!s->vdev->status) {
        s->feature_select = s->driver_feature_select = s->queue_select = 0;
        memset(s->driver_features, 0, sizeof(s->driver_features));
        memset(s->queues, 0, sizeof(s->queues));
        update_intx(s);
    }
}

/* -- legacy registers (4.1.4.8) --------------------------------------------------------------------------------------- */

static unsigned legacy_config(const VirtioPci *s)
{
    return pci_msix_enabled(&s->pci) ? 24 : 20;
}

static MemResult legacy_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    VirtioPci *s = opaque;
    VirtQueue *vq = selected(s);

    *ret = 0;
    if (offset >= legacy_config(s)) {
        *ret = virtio_config_read(s->vdev, (uint32_t)offset - legacy_config(s), size);
        return MEM_OK;
    }
    switch (offset) {
    case L_HOST_FEATURES: *ret = (uint32_t)s->vdev->host_features; break;
    case L_GUEST_FEATURES: *ret = (uint32_t)s->vdev->guest_features; break;
    case L_QUEUE_PFN: *ret = vq ? vq->desc >> 12 : 0; break;
    case L_QUEUE_NUM: *ret = vq ? vq->num_default : 0; break;
    case L_QUEUE_SEL: *ret = s->queue_select; break;
    case L_STATUS: *ret = s->vdev->status; break;
    case L_ISR:
        *ret = s->vdev->isr;
        s->vdev->isr = 0;
        update_intx(s);
        break;
    case L_CONFIG_VECTOR: *ret = s->vdev->config_vector; break;
    case L_QUEUE_VECTOR: *ret = vq ? vq->vector : VIRTIO_NO_VECTOR; break;
    }
    return MEM_OK;
}

static MemResult legacy_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    VirtioPci *s = opaque;
    VirtQueue *vq = selected(s);

    if (offset >= legacy_config(s)) {
        virtio_config_write(s->vdev, (uint32_t)offset - legacy_config(s), size, (uint32_t)value);
        return MEM_OK;
    }
    switch (offset) {
    case L_GUEST_FEATURES: virtio_set_features(s->vdev, (uint32_t)value); break;
    case L_QUEUE_PFN:
        if (!value) {
            set_status(s, 0);
        } else if (vq) {
            virtq_set_legacy(vq, (uint32_t)value * (uint64_t)PAGE, PAGE);
        }
        break;
    case L_QUEUE_SEL: s->queue_select = (uint16_t)value; break;
    case L_NOTIFY: virtio_kick(s->vdev, value & 0xffff); break;
    case L_STATUS: set_status(s, (uint8_t)value); break;
    case L_CONFIG_VECTOR: s->vdev->config_vector = checked_vector(s, (uint16_t)value); break;
    case L_QUEUE_VECTOR:
        if (vq) {
            vq->vector = checked_vector(s, (uint16_t)value);
        }
        break;
    }
    return MEM_OK;
}

static const MemoryOps legacy_ops = {
    .read = legacy_read, .write = legacy_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 1, 4, true }, .impl = { 1, 4, true },
};

/* -- modern registers --------------------------------------------------------------------------------------------------- */

enum { C_DEVICE_FEATURE_SELECT = 0, C_DEVICE_FEATURE = 4, C_DRIVER_FEATURE_SELECT = 8, C_DRIVER_FEATURE = 12, C_CONFIG_VECTOR = 16,
       C_NUM_QUEUES = 18, C_STATUS = 20, C_GENERATION = 21, C_QUEUE_SELECT = 22, C_QUEUE_SIZE = 24, C_QUEUE_VECTOR = 26,
       C_QUEUE_ENABLE = 28, C_QUEUE_NOTIFY_OFF = 30, C_QUEUE_DESC = 32, C_QUEUE_DRIVER = 40, C_QUEUE_DEVICE = 48,
       C_QUEUE_NOTIFY_DATA = 56, C_QUEUE_RESET = 58 };

static uint32_t *queue_address(VirtioPci *s, uint64_t offset)
{
    static struct QueueRegs nowhere;
    struct QueueRegs *q = s->queue_select < s->vdev->n_queues ? &s->queues[s->queue_select] : &nowhere;

    switch (offset & ~(uint64_t)7) {
    case C_QUEUE_DESC: return &q->desc[offset >> 2 & 1];
    case C_QUEUE_DRIVER: return &q->driver[offset >> 2 & 1];
    default: return &q->device[offset >> 2 & 1];
    }
}

static MemResult common_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    VirtioPci *s = opaque;
    VirtQueue *vq = selected(s);

    *ret = 0;
    switch (offset) {
    case C_DEVICE_FEATURE_SELECT: *ret = s->feature_select; break;
    case C_DEVICE_FEATURE:
        *ret = s->feature_select < 2 ? (uint32_t)(s->vdev->host_features >> s->feature_select * 32) : 0;
        break;
    case C_DRIVER_FEATURE_SELECT: *ret = s->driver_feature_select; break;
    case C_DRIVER_FEATURE: *ret = s->driver_feature_select < 2 ? s->driver_features[s->driver_feature_select] : 0; break;
    case C_CONFIG_VECTOR: *ret = s->vdev->config_vector; break;
    case C_NUM_QUEUES: *ret = s->vdev->n_queues; break;
    case C_STATUS: *ret = s->vdev->status; break;
    case C_GENERATION: *ret = s->vdev->config_generation & 0xff; break;
    case C_QUEUE_SELECT: *ret = s->queue_select; break;
    case C_QUEUE_SIZE: *ret = vq ? vq->num : 0; break;
    case C_QUEUE_VECTOR: *ret = vq ? vq->vector : VIRTIO_NO_VECTOR; break;
    case C_QUEUE_ENABLE: *ret = vq ? vq->enabled : 0; break;
    case C_QUEUE_NOTIFY_OFF: *ret = s->queue_select; break;
    case C_QUEUE_NOTIFY_DATA: *ret = s->queue_select; break;
    case C_QUEUE_RESET: *ret = 0; break;
    default:
        if (offset >= C_QUEUE_DESC && offset < C_QUEUE_NOTIFY_DATA && !(offset & 3)) {
            *ret = *queue_address(s, offset);
        }
    }
    return MEM_OK;
}

static MemResult common_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    VirtioPci *s = opaque;
    VirtQueue *vq = selected(s);

    switch (offset) {
    case C_DEVICE_FEATURE_SELECT: s->feature_select = (uint32_t)value; break;
    case C_DRIVER_FEATURE_SELECT: s->driver_feature_select = (uint32_t)value; break;
    case C_DRIVER_FEATURE:
        if (s->driver_feature_select < 2 && !(s->vdev->status & VIRTIO_STATUS_FEATURES_OK)) {
            s->driver_features[s->driver_feature_select] = (uint32_t)value;
            virtio_set_features(s->vdev, both(s->driver_features));
        }
        break;
    case C_CONFIG_VECTOR: s->vdev->config_vector = checked_vector(s, (uint16_t)value); break;
    case C_STATUS: set_status(s, (uint8_t)value); break;
    case C_QUEUE_SELECT: s->queue_select = (uint16_t)value; break;
    case C_QUEUE_SIZE:
        if (vq) {
            virtq_set_num(vq, (unsigned)value);
        }
        break;
    case C_QUEUE_VECTOR:
        if (vq) {
            vq->vector = checked_vector(s, (uint16_t)value);
        }
        break;
    case C_QUEUE_ENABLE:
        if (vq && value == 1) {
            struct QueueRegs *q = &s->queues[s->queue_select];
            virtq_set_rings(vq, both(q->desc), both(q->driver), both(q->device));
            virtq_enable(vq, true);
        }
        break;
    default:
        if (offset >= C_QUEUE_DESC && offset < C_QUEUE_NOTIFY_DATA && !(offset & 3)) {
            *queue_address(s, offset) = (uint32_t)value;
        }
    }
    return MEM_OK;
}

static MemResult isr_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    VirtioPci *s = opaque;

    *ret = s->vdev->isr;
    s->vdev->isr = 0;
    update_intx(s);
    return MEM_OK;
}

static MemResult isr_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    return MEM_OK;
}

static MemResult device_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = virtio_config_read(((VirtioPci *)opaque)->vdev, (uint32_t)offset, size);
    return MEM_OK;
}

static MemResult device_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    virtio_config_write(((VirtioPci *)opaque)->vdev, (uint32_t)offset, size, (uint32_t)value);
    return MEM_OK;
}

static MemResult notify_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = 0;
    return MEM_OK;
}

static MemResult notify_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    virtio_kick(((VirtioPci *)opaque)->vdev, (unsigned)(offset / NOTIFY_MULTIPLIER));
    return MEM_OK;
}

#define MODERN_OPS(room) \
    { .read = room##_read, .write = room##_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 1, 4, true }, .impl = { 1, 4, true } }
static const MemoryOps common_ops = MODERN_OPS(common), isr_ops = MODERN_OPS(isr), device_ops = MODERN_OPS(device),
                       notify_ops = MODERN_OPS(notify);

static uint8_t add_cap(PciDevice *pci, uint8_t type, uint8_t bar, uint32_t offset, uint32_t length, uint8_t size)
{
    uint8_t cap = pci_add_cap(pci, PCI_CAP_VENDOR, size);

    pci->config[cap + 2] = size;
    pci->config[cap + 3] = type;
    pci->config[cap + 4] = bar;
    stle32(pci->config + cap + 8, offset);
    stle32(pci->config + cap + 12, length);
    return cap;
}

/* The window in configuration space to a place in a BAR (4.1.4.9): carried out on access to its data. */
static void pci_cfg_access(VirtioPci *s, bool is_write)
{
    uint8_t *cap = s->pci.config + s->cfg_cap;
    uint32_t bar = cap[4], offset = ldle32(cap + 8), length = ldle32(cap + 12);
    uint64_t value = 0;
    const VirtioPciLayout *l = layout_of(s);
    const MemoryOps *page;

    if (bar != l->modern_bar || (length != 1 && length != 2 && length != 4) || offset > MODERN_BYTES - length || offset % length) {
        return;
    }
    if (offset >= l->notify) {
        page = &notify_ops;
        offset -= l->notify;
    } else if (offset >= l->device) {
        page = &device_ops;
        offset -= l->device;
    } else if (offset >= l->isr) {
        page = &isr_ops;
        offset -= l->isr;
    } else if (offset >= l->common) {
        page = &common_ops;
        offset -= l->common;
    } else {
        return;
    }
    if (is_write) {
        page->write(s, offset, length, length == 4 ? ldle32(cap + 16) : length == 2 ? ldle16(cap + 16) : cap[16], MEM_ATTRS_NONE);
    } else {
        page->read(s, offset, length, &value, MEM_ATTRS_NONE);
        stle32(cap + 16, (uint32_t)value);
    }
}

static bool touches_cfg_data(const VirtioPci *s, unsigned offset, unsigned size)
{
    return s->cfg_cap && offset < s->cfg_cap + 20u && offset + size > s->cfg_cap + 16u;
}

void virtio_pci_config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    VirtioPci *s = (VirtioPci *)pci;

    if (touches_cfg_data(s, offset, size)) {
        pci_cfg_access(s, true);
    }
    if (pci->msix.cap && offset <= pci->msix.cap + 3u && offset + size > pci->msix.cap + 2u) {
        update_intx(s); /* enabling MSI-X takes the line down */
    }
}

void virtio_pci_config_reading(PciDevice *pci, unsigned offset, unsigned size)
{
    if (touches_cfg_data((VirtioPci *)pci, offset, size)) {
        pci_cfg_access((VirtioPci *)pci, false);
    }
}

/* -- device --------------------------------------------------------------------------------------------------------------- */

void virtio_pci_init(Object *obj)
{
    VirtioPci *s = (VirtioPci *)obj;
    const VirtioPciType *t = (const VirtioPciType *)obj->type->class_data;

    s->vdev = (VirtioDevice *)((char *)obj + t->inner_offset);
    object_init_embedded(&s->vdev->dev.obj, object_type_find(t->inner_type));
    object_add_child(obj, "virtio-backend", &s->vdev->dev.obj);
}

bool virtio_pci_realize(PciDevice *pci, Error **errp)
{
    VirtioPci *s = (VirtioPci *)pci;
    const VirtioPciType *t = virtio_pci_type(s);
    const VirtioPciLayout *l = layout_of(s);
    uint32_t vectors = s->n_vectors == UINT32_MAX ? t->vectors : s->n_vectors;

    if (t->flavour != FLAVOUR_ANY && (s->disable_modern || s->disable_legacy != LEGACY_AUTO)) {
        error_set(errp, "disable-modern and disable-legacy are for the device without '%s' in its name",
                  t->flavour == FLAVOUR_MODERN ? "-non-transitional" : "-transitional");
        return false;
    }
    s->modern = !s->disable_modern;
    s->legacy = s->disable_legacy == LEGACY_AUTO ? !(pci->bus->is_express && pci->bus->bridge) : s->disable_legacy == LEGACY_OFF;
    s->legacy = t->flavour == FLAVOUR_ANY ? s->legacy : t->flavour == FLAVOUR_TRANSITIONAL;
    s->legacy = s->legacy && !t->modern_only;
    if (!s->legacy && !s->modern) {
        error_set(errp, "device cannot work as neither modern nor legacy mode is enabled");
        return false;
    }
    bus_init_embedded(&s->bus, "virtio-pci-bus", &pci->dev, "virtio-bus");
    s->vdev->disable_modern = !s->modern;
    s->vdev->use_eventfds = s->use_eventfds;
    if (!device_realize(&s->vdev->dev, &s->bus, errp)) {
        return false;
    }
    uint16_t id = s->vdev->vtype->id;
    stle16(pci->config + PCI_VENDOR_ID, 0x1af4);
    stle16(pci->config + PCI_SUBSYSTEM_VENDOR, 0x1af4);
    if (s->legacy) {
        static const uint8_t legacy_ids[] = { [VIRTIO_ID_NET] = 0, [VIRTIO_ID_BLOCK] = 1, [VIRTIO_ID_BALLOON] = 2,
                                              [VIRTIO_ID_CONSOLE] = 3, [VIRTIO_ID_RNG] = 5, [VIRTIO_ID_SCSI] = 4,
                                              [VIRTIO_ID_9P] = 9 };
        stle16(pci->config + PCI_DEVICE_ID, (uint16_t)(0x1000 + legacy_ids[id]));
        stle16(pci->config + PCI_SUBSYSTEM_ID, id);
        pci->config[PCI_REVISION] = 0;
        unsigned bytes = 24 + s->vdev->config_size;
        bytes = 1u << (32 - __builtin_clz(MAX(bytes, 32u) - 1));
        memory_region_init_mmio(&s->legacy_mr, &pci->dev.obj, &legacy_ops, s, "virtio-pci", bytes);
        pci_add_bar(pci, 0, PCI_BAR_IO, &s->legacy_mr);
    } else {
        stle16(pci->config + PCI_DEVICE_ID, (uint16_t)(0x1040 + id));
        stle16(pci->config + PCI_SUBSYSTEM_ID, 0x1100);
        pci->config[PCI_REVISION] = 1;
    }
    pci->config[PCI_INTERRUPT_PIN] = 1;
    if (s->modern) {
        memory_region_init(&s->modern_mr, &pci->dev.obj, "virtio-pci", MODERN_BYTES);
        memory_region_init_mmio(&s->common_mr, &pci->dev.obj, &common_ops, s, "virtio-pci-common", l->page);
        memory_region_init_mmio(&s->isr_mr, &pci->dev.obj, &isr_ops, s, "virtio-pci-isr", l->page);
        memory_region_init_mmio(&s->device_mr, &pci->dev.obj, &device_ops, s, "virtio-pci-device", PAGE);
        memory_region_init_mmio(&s->notify_mr, &pci->dev.obj, &notify_ops, s, "virtio-pci-notify", PAGE);
        memory_region_add(&s->modern_mr, l->common, &s->common_mr);
        memory_region_add(&s->modern_mr, l->isr, &s->isr_mr);
        memory_region_add(&s->modern_mr, l->device, &s->device_mr);
        memory_region_add(&s->modern_mr, l->notify, &s->notify_mr);
        add_cap(pci, CAP_COMMON, l->modern_bar, l->common, l->page, 16);
        add_cap(pci, CAP_ISR, l->modern_bar, l->isr, l->page, 16);
        add_cap(pci, CAP_DEVICE, l->modern_bar, l->device, PAGE, 16);
        uint8_t cap = add_cap(pci, CAP_NOTIFY, l->modern_bar, l->notify, PAGE, 20);
        stle32(pci->config + cap + 16, NOTIFY_MULTIPLIER);
        s->cfg_cap = add_cap(pci, CAP_PCI_CFG, 0, 0, 0, 20);
        pci->write_mask[s->cfg_cap + 4] = 0xff;
        memset(pci->write_mask + s->cfg_cap + 8, 0xff, 12);
        pci_add_bar(pci, l->modern_bar, PCI_BAR_64 | PCI_BAR_PREFETCH, &s->modern_mr);
    }
    if (pci->bus->is_express) {
        pci_add_express_cap(pci, pci->bus->bridge ? 0 : 9);
    }
    if (vectors) {
        memory_region_init(&s->msix_mr, &pci->dev.obj, "msix", l->msix_bytes);
        if (!pci_add_msix(pci, vectors, l->msix_bar, &s->msix_mr, 0, l->msix_bytes / 2, errp)) {
            device_unrealize(&s->vdev->dev);
            return false;
        }
        pci_add_bar(pci, l->msix_bar, PCI_BAR_MEMORY, &s->msix_mr);
        if (s->use_eventfds) {
            pci_msix_use_wires(pci);
        }
    }
    return true;
}

void virtio_pci_unrealize(PciDevice *pci)
{
    VirtioPci *s = (VirtioPci *)pci;

    device_unrealize(&s->vdev->dev);
}

void virtio_pci_reset(PciDevice *pci)
{
    VirtioPci *s = (VirtioPci *)pci;

    set_status(s, 0);
}

static const StateField virtio_pci_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    STATE_U(VirtioPci, feature_select), STATE_U(VirtioPci, driver_feature_select), STATE_U(VirtioPci, queue_select),
    STATE_U_ARRAY(VirtioPci, driver_features),
};
const StateDesc virtio_pci_state = {
    .name = "virtio-pci", .version = 1, .fields = virtio_pci_fields, .n_fields = ARRAY_SIZE(virtio_pci_fields),
};

static const char *const on_off_auto[] = { "auto", "on", "off", NULL };

static const Property virtio_pci_props[] = {
    { .name = "disable-legacy", .kind = PROP_ENUM, .offset = offsetof(VirtioPci, disable_legacy), .names = on_off_auto,
      .def = LEGACY_AUTO, .has_default = true, .type_name = "OnOffAuto", .help = "Modern only" },
    PROP_B("disable-modern", VirtioPci, disable_modern, false, "Legacy only"),
    PROP_B("ioeventfd", VirtioPci, use_eventfds, true, "Kicks and messages by eventfds, where the accelerator has them"),
    PROP_U32("vectors", VirtioPci, n_vectors, UINT32_MAX, "MSI-X vectors; 0: none"),
};

static const DeviceType virtio_pci_base = {
    .type = { .name = "virtio-pci", .parent = "pci-device", .size_bytes = sizeof(VirtioPci), .abstract = true,
              .summary = "virtio PCI transport", .props = virtio_pci_props, .n_props = ARRAY_SIZE(virtio_pci_props) },
    .category = DEVICE_MISC, .bus = "PCI",
};
DEVICE_TYPE_REGISTER(virtio_pci_base);

/* -- the devices ------------------------------------------------------------------------------------------------------------ */

/* name in C, name of the type without its "-pci", which is an alias, inner type, its struct, PCI class, category, MSI-X vectors, property list */
#define VIRTIO_PCI_TYPES(T)                                                                                               \
    T(blk, "virtio-blk", "virtio-blk-device", VirtioBlk, 0x0100, DEVICE_STORAGE, 2, VIRTIO_BLK_PROPS)                    \
    T(scsi, "virtio-scsi", "virtio-scsi-device", VirtioScsi, 0x0100, DEVICE_STORAGE, 4, VIRTIO_SCSI_PROPS)               \
    T(net, "virtio-net", "virtio-net-device", VirtioNet, 0x0200, DEVICE_NETWORK, 4, VIRTIO_NET_PROPS)                    \
    T(rng, "virtio-rng", "virtio-rng-device", VirtioRng, 0x00ff, DEVICE_MISC, 2, VIRTIO_RNG_PROPS)                       \
    T(balloon, "virtio-balloon", "virtio-balloon-device", VirtioBalloon, 0x00ff, DEVICE_MISC, 0, VIRTIO_BALLOON_PROPS)   \
    T(serial, "virtio-serial", "virtio-serial-device", VirtioSerial, 0x0780, DEVICE_INPUT, 2, VIRTIO_SERIAL_PROPS)

/* Devices younger than virtio 1.0: one type each, modern. */
#define VIRTIO_PCI_MODERN_TYPES(T)                                                                                           \
    T(gpu, "virtio-gpu", "virtio-gpu-device", VirtioGpu, 0x0380, DEVICE_DISPLAY, 3, VIRTIO_GPU_PROPS)                    \
    T(keyboard, "virtio-keyboard", "virtio-keyboard-device", VirtioInput, 0x0900, DEVICE_INPUT, 2, VIRTIO_INPUT_PROPS)   \
    T(mouse, "virtio-mouse", "virtio-mouse-device", VirtioInput, 0x0902, DEVICE_INPUT, 2, VIRTIO_INPUT_PROPS)            \
    T(tablet, "virtio-tablet", "virtio-tablet-device", VirtioInput, 0x0980, DEVICE_INPUT, 2, VIRTIO_INPUT_PROPS)

#define VIRTIO_PCI_CLASS(iname, Inner, class_, vectors_, flavour_)                                                           \
    {                                                                                                                        \
        .pci = { .vendor = 0x1af4, .class_code = class_, .romfile = (class_) == 0x0200 ? "efi-virtio.rom" : NULL,            \
                 .realize = virtio_pci_realize, .unrealize = virtio_pci_unrealize, .reset = virtio_pci_reset,                \
                 .config_written = virtio_pci_config_written, .config_reading = virtio_pci_config_reading },                 \
        .inner_type = iname, .inner_offset = offsetof(Inner##Pci, inner), .vectors = vectors_, .flavour = flavour_,          \
    }

#define VIRTIO_PCI_ROW(row, tname, alias_, iname, Inner, props_, class, category_)                                           \
    static const DeviceType row = {                                                                                          \
        .type = { .name = tname, .parent = "virtio-pci", .size_bytes = sizeof(Inner##Pci), .summary = iname " on PCI",       \
                  .props = props_, .n_props = ARRAY_SIZE(props_), .init = virtio_pci_init, .class_data = &class },           \
        .alias = alias_, .category = category_, .state = &virtio_pci_state, .user_creatable = true, PCI_DEVICE_HOOKS,        \
    };                                                                                                                       \
    DEVICE_TYPE_REGISTER(row);

#define DEFINE_VIRTIO_PCI(cname, tname, iname, Inner, class_, category_, vectors_, PROPS)                                    \
    typedef struct Inner##Pci { VirtioPci proxy; Inner inner; } Inner##Pci;                                                  \
    static const Property cname##_props[] = { PROPS(Inner##Pci, inner.) };                                                   \
    static const VirtioPciType cname##_type = VIRTIO_PCI_CLASS(iname, Inner, class_, vectors_, FLAVOUR_ANY);                 \
    static const VirtioPciType cname##_modern_type = VIRTIO_PCI_CLASS(iname, Inner, class_, vectors_, FLAVOUR_MODERN);       \
    static const VirtioPciType cname##_both_type = VIRTIO_PCI_CLASS(iname, Inner, class_, vectors_, FLAVOUR_TRANSITIONAL);   \
    VIRTIO_PCI_ROW(cname##_device, tname "-pci", tname, iname, Inner, cname##_props, cname##_type, category_)                              \
    VIRTIO_PCI_ROW(cname##_modern_device, tname "-pci-non-transitional", NULL, iname, Inner, cname##_props, cname##_modern_type, category_)  \
    VIRTIO_PCI_ROW(cname##_both_device, tname "-pci-transitional", NULL, iname, Inner, cname##_props, cname##_both_type, category_)

VIRTIO_PCI_TYPES(DEFINE_VIRTIO_PCI)

#define DEFINE_VIRTIO_PCI_MODERN(cname, tname, iname, Inner, class_, category_, vectors_, PROPS)                             \
    typedef struct cname##Pci { VirtioPci proxy; Inner inner; } cname##Pci;                                                  \
    static const Property cname##_props[] = { PROPS(cname##Pci, inner.) };                                                   \
    static const VirtioPciType cname##_type = {                                                                              \
        .pci = { .vendor = 0x1af4, .class_code = class_, .romfile = (class_) == 0x0200 ? "efi-virtio.rom" : NULL,            \
                 .realize = virtio_pci_realize, .unrealize = virtio_pci_unrealize, .reset = virtio_pci_reset,                \
                 .config_written = virtio_pci_config_written, .config_reading = virtio_pci_config_reading },                 \
        .inner_type = iname, .inner_offset = offsetof(cname##Pci, inner), .vectors = vectors_, .modern_only = true,          \
    };                                                                                                                       \
    static const DeviceType cname##_device = {                                                                               \
        .type = { .name = tname "-pci", .parent = "virtio-pci", .size_bytes = sizeof(cname##Pci), .summary = iname " on PCI", \
                  .props = cname##_props, .n_props = ARRAY_SIZE(cname##_props), .init = virtio_pci_init, .class_data = &cname##_type }, \
        .alias = tname, .category = category_, .state = &virtio_pci_state, .user_creatable = true, PCI_DEVICE_HOOKS,                         \
    };                                                                                                                       \
    DEVICE_TYPE_REGISTER(cname##_device);

VIRTIO_PCI_MODERN_TYPES(DEFINE_VIRTIO_PCI_MODERN)
