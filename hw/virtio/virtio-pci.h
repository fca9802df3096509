/*
 * virtio-pci.h: the PCI transport, for types with more than a virtio device behind one function (virtio-vga).
 *
 * Such a type's struct starts with a VirtioPci and embeds the virtio device; its class_data is a VirtioPciType.
 * Threads: BQL.
 */
#ifndef HW_VIRTIO_VIRTIO_PCI_H
#define HW_VIRTIO_VIRTIO_PCI_H

#include "hw/pci.h"
#include "hw/virtio.h"

typedef struct VirtioPci {
    PciDevice pci;
    Bus bus;
    VirtioDevice *vdev;
    MemoryRegion legacy_mr, modern_mr, msix_mr, common_mr, isr_mr, device_mr, notify_mr;
    int disable_legacy;         /* property: auto, on, off */
    bool disable_modern, legacy, modern, use_eventfds;
    uint32_t n_vectors;         /* property; UINT32_MAX: as many as the device wants */
    uint32_t feature_select, driver_feature_select, queue_select;
    uint32_t driver_features[2];
    uint8_t cfg_cap;
    struct QueueRegs { uint32_t desc[2], driver[2], device[2]; } queues[VIRTIO_QUEUE_MAX];
} VirtioPci;

/*
 * Each device comes three times: as it is, with disable-legacy and disable-modern to choose by, and as "-transitional" and
 * "-non-transitional" (virtio 1.2, 1.3.1), which say it in the name: management layers look for these.
 */
typedef enum VirtioPciFlavour { FLAVOUR_ANY, FLAVOUR_MODERN, FLAVOUR_TRANSITIONAL } VirtioPciFlavour;

/* Where the registers are. Offsets in the modern BAR (16 KiB) ascend from common to notify. */
typedef struct VirtioPciLayout {
    uint8_t modern_bar, msix_bar;
    uint16_t common, isr, device, notify;
    uint16_t page;              /* bytes of the first two; the others have a page */
    uint32_t msix_bytes;        /* the table in the first half, pending bits in the second */
} VirtioPciLayout;

/* What differs between the PCI forms: class_data of each type. */
typedef struct VirtioPciType {
    PciType pci;
    const char *inner_type;
    size_t inner_offset;
    unsigned vectors;           /* default; 0: none. +1 for the configuration is included */
    VirtioPciFlavour flavour;
    bool modern_only;           /* the device has no legacy form */
    const VirtioPciLayout *layout; /* NULL: the usual one */
} VirtioPciType;

/* Hooks of PciType and ObjectType; a type with more to do calls them from its own. */
void virtio_pci_init(Object *obj);
NODISCARD bool virtio_pci_realize(PciDevice *pci, Error **errp);
void virtio_pci_unrealize(PciDevice *pci);
void virtio_pci_reset(PciDevice *pci);
void virtio_pci_config_written(PciDevice *pci, unsigned offset, unsigned size);
void virtio_pci_config_reading(PciDevice *pci, unsigned offset, unsigned size);
extern const StateDesc virtio_pci_state;

#endif
