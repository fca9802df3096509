/*
 * pci.h: PCI and PCI Express functions, buses, host bridges.
 *
 * A function is a DeviceType with parent "pci-device" (or one below) whose ObjectType.class_data is a PciType. Its
 * configuration space is plain bytes with masks of what a guest may write or clear; BARs are memory regions that appear
 * where the guest puts them. DMA goes through pci->dma, which is open while the bus master bit is set.
 *
 * Specifications: PCI Local Bus 3.0, PCI-to-PCI Bridge 1.2, PCI Express Base 4.0 (7.5 configuration space, 7.7.2 MSI-X).
 * Threads: BQL.
 */
#ifndef HW_PCI_H
#define HW_PCI_H

#include "hw/device.h"
#include "util/bits.h"
#include "util/print.h"

typedef struct PciDevice PciDevice;
typedef struct PciBus PciBus;

enum { PCI_CONFIG_BYTES = 256, PCIE_CONFIG_BYTES = 4096, PCI_N_BARS = 6, PCI_ROM_BAR = 6, PCI_N_SLOTS = 32,
       PCI_MAX_LINES = 8 };

enum { /* configuration space */
    PCI_VENDOR_ID = 0x00, PCI_DEVICE_ID = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06, PCI_REVISION = 0x08,
    PCI_PROG_IF = 0x09, PCI_CLASS = 0x0a, PCI_CACHE_LINE = 0x0c, PCI_LATENCY = 0x0d, PCI_HEADER_TYPE = 0x0e, PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR = 0x2c, PCI_SUBSYSTEM_ID = 0x2e, PCI_ROM = 0x30, PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c, PCI_INTERRUPT_PIN = 0x3d,
    PCI_PRIMARY_BUS = 0x18, PCI_SECONDARY_BUS = 0x19, PCI_SUBORDINATE_BUS = 0x1a, PCI_IO_BASE = 0x1c, PCI_IO_LIMIT = 0x1d,
    PCI_SEC_STATUS = 0x1e, PCI_MEM_BASE = 0x20, PCI_MEM_LIMIT = 0x22, PCI_PREF_BASE = 0x24, PCI_PREF_LIMIT = 0x26,
    PCI_PREF_BASE_HIGH = 0x28, PCI_PREF_LIMIT_HIGH = 0x2c, PCI_IO_BASE_HIGH = 0x30, PCI_IO_LIMIT_HIGH = 0x32,
    PCI_BRIDGE_ROM = 0x38, PCI_BRIDGE_CONTROL = 0x3e,
};
enum { /* PCI_COMMAND, PCI_STATUS */
    PCI_COMMAND_IO = 1, PCI_COMMAND_MEMORY = 2, PCI_COMMAND_MASTER = 4, PCI_COMMAND_SERR = 0x100,
    PCI_COMMAND_INTX_DISABLE = 0x400, PCI_STATUS_INTERRUPT = 8, PCI_STATUS_CAPABILITIES = 0x10,
};
enum { PCI_CAP_POWER = 1, PCI_CAP_SLOT = 4, PCI_CAP_MSI = 5, PCI_CAP_VENDOR = 9, PCI_CAP_SUBSYSTEM = 0x0d, PCI_CAP_EXPRESS = 0x10, PCI_CAP_MSIX = 0x11 };
enum { PCI_BAR_MEMORY = 0, PCI_BAR_IO = 1, PCI_BAR_64 = 4, PCI_BAR_PREFETCH = 8 };

typedef struct PciType {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint8_t revision, prog_if;
    uint16_t class_code;
    bool is_bridge;          /* header type 1 */
    bool is_express;         /* 4096 bytes of configuration space, an Express capability */
    const char *romfile;     /* its option ROM, unless romfile= says otherwise */
    bool (*realize)(PciDevice *pci, Error **errp);
    void (*unrealize)(PciDevice *pci);
    void (*reset)(PciDevice *pci);
    /* After a guest's write of [offset, offset + size); NULL: nothing more to do. */
    void (*config_written)(PciDevice *pci, unsigned offset, unsigned size);
    /* Before a read of the same; may change config. */
    void (*config_reading)(PciDevice *pci, unsigned offset, unsigned size);
} PciType;

typedef struct PciBar {
    MemoryRegion *mr;
    uint64_t size_bytes, addr;   /* addr UINT64_MAX: not mapped */
    uint8_t flags;
} PciBar;

typedef struct PciWire PciWire;

typedef struct PciMsix {
    uint8_t cap;                 /* offset of the capability; 0: none */
    unsigned n_vectors;
    uint8_t *table;              /* 16 bytes a vector */
    uint8_t *pending;
    PciWire *wires;              /* one a vector; NULL: messages are stores */
    MemoryRegion table_mr, pending_mr;
} PciMsix;

typedef struct PciMsi {
    uint8_t cap;                 /* 0: none */
    bool has_64, has_mask;
} PciMsi;

struct PciDevice {
    Device dev;
    const PciType *ptype;
    PciBus *bus;
    int32_t addr;                /* property: slot and function, -1: choose */
    uint8_t devfn;
    bool multifunction;
    uint8_t *config, *write_mask, *w1c_mask;
    uint32_t config_bytes;
    uint8_t last_cap;
    PciBar bars[PCI_N_BARS + 1];
    bool intx_level;
    PciMsix msix;
    PciMsi msi;
    MemoryRegion dma_root, dma_alias;
    AddressSpace dma;
    char *romfile;
    int32_t rombar;              /* 0: no ROM BAR */
    MemoryRegion rom;
};

/* Who translates functions' DMA. */
typedef struct PciIommuOps {
    MemoryIommu *(*attach)(void *opaque, PciDevice *pci);
    void (*detach)(void *opaque, MemoryIommu *iommu);
} PciIommuOps;

struct PciBus {
    Bus bus;
    PciDevice *devices[256];
    PciDevice *bridge;           /* NULL: root bus */
    MemoryRegion *memory, *io;   /* where BARs are mapped */
    AddressSpace *dma;           /* what DMA reaches (root bus) */
    void (*set_irq)(void *opaque, unsigned line, int level); /* root bus */
    /* Root bus: which of its lines a function's pin is wired to. NULL: (pin + slot) % 4. */
    unsigned (*map_irq)(void *opaque, unsigned devfn, unsigned pin);
    void *opaque;
    unsigned irq_count[PCI_MAX_LINES];
    const PciIommuOps *iommu_ops; /* root bus; NULL: nobody */
    void *iommu_opaque;
    bool is_express;
    bool allow_0;                /* root bus: a BAR may be at address 0 */
    uint8_t reserved_slots;      /* first slots not given to -device */
};

#define PCI_DEVICE(p) ((PciDevice *)(p))
#define PCI_BUS(p) ((PciBus *)(p))

#define PCI_PROPS(T, m)                                                                                          \
    { .name = "addr", .kind = PROP_PCI_ADDR, .offset = offsetof(T, m addr), .def = (uint64_t)-1, .has_default = true, \
      .help = "Slot and optional function number, example: 06.0 or 06" },                                          \
    PROP_B("multifunction", T, m multifunction, false, "More functions share this slot"),                          \
    PROP_STR("romfile", T, m romfile, "Option ROM; empty: none"), PROP_I32("rombar", T, m rombar, -1, "0: no ROM BAR")

bool pci_device_realize(Device *dev, Error **errp);
void pci_device_unrealize(Device *dev);
void pci_device_reset(Device *dev, ResetKind kind);
#define PCI_DEVICE_HOOKS                                                                     \
    .bus = "PCI", .realize = pci_device_realize, .unrealize = pci_device_unrealize,             \
    .reset_hold = pci_device_reset, .hotpluggable = true
extern const StateDesc pci_state;

/* For realize(). */
void pci_add_bar(PciDevice *pci, unsigned bar, unsigned flags, MemoryRegion *mr);
/* Offset of the new capability (type 0 space); contents after its two-byte header are zero. */
uint8_t pci_add_cap(PciDevice *pci, uint8_t id, uint8_t size);
void pci_add_express_cap(PciDevice *pci, unsigned port_type);
bool pci_add_msix(PciDevice *pci, unsigned n_vectors, unsigned bar, MemoryRegion *bar_mr, uint64_t table_offset,
                  uint64_t pending_offset, Error **errp);
void pci_finish_msix(PciDevice *pci);
bool pci_msix_enabled(const PciDevice *pci);
void pci_msix_notify(PciDevice *pci, unsigned vector);
/* After a write to configuration space: messages held back by the function's mask go out, a disabled one gives its wires back. */
void pci_msix_written(PciDevice *pci, unsigned offset, unsigned size);

/* wire.c: messages by eventfds. Set by an accelerator that has the interrupt controllers in the kernel. */
typedef struct PciWiring {
    int (*route)(int route, uint64_t address, uint32_t data); /* route -1: a new one. Negative: not this message */
    void (*release)(int route);
    bool (*connect)(int route, int fd, bool on);
} PciWiring;
void pci_set_wiring(const PciWiring *wiring);
/* After pci_add_msix(): vectors are to have wires where there is such an accelerator. */
void pci_msix_use_wires(PciDevice *pci);
bool pci_wire_send(PciDevice *pci, unsigned vector, uint64_t address, uint32_t data); /* false: a store has to */
void pci_release_wires(PciDevice *pci);

/* msi.c: 1, 2, 4, … 32 messages; the capability is at ret's offset. */
NODISCARD bool pci_add_msi(PciDevice *pci, unsigned n_vectors, bool has_64, bool has_mask, Error **errp);
bool pci_msi_enabled(const PciDevice *pci);
/* Messages the guest allows: 1 to n_vectors. */
unsigned pci_msi_allowed(const PciDevice *pci);
void pci_msi_notify(PciDevice *pci, unsigned vector);
/* After a write to the capability or a load: what was pending and is no longer masked goes out. */
void pci_msi_written(PciDevice *pci, unsigned offset, unsigned size);

/* Level of the function's INTx line. */
void pci_set_irq(PciDevice *pci, int level);
static inline uint16_t pci_get16(const PciDevice *pci, unsigned offset) { return ldle16(pci->config + offset); }
static inline uint32_t pci_get32(const PciDevice *pci, unsigned offset) { return ldle32(pci->config + offset); }

/* rom.c */
NODISCARD bool pci_load_rom(PciDevice *pci, Error **errp);
char *pci_fw_path(Device *dev); /* "ethernet@3", "ide@1,1", "pci8086,2922@1f,2" */

/* For host bridges. */
void pci_root_init(PciBus *bus, Device *host, const char *name, bool is_express, MemoryRegion *memory, MemoryRegion *io,
                   AddressSpace *dma, void (*set_irq)(void *opaque, unsigned pin, int level), void *opaque);
/* For functions that are realized from now on, behind bridges, too. */
void pci_set_iommu(PciBus *root, const PciIommuOps *ops, void *opaque);
/* Memory as who is not translated sees it. */
AddressSpace *pci_plain_memory(const PciDevice *pci);
/* bdf: bus << 8 | devfn, as seen from the root bus. Absent functions read as ones. */
uint32_t pci_config_read(PciBus *root, unsigned bdf, unsigned offset, unsigned size);
void pci_config_write(PciBus *root, unsigned bdf, unsigned offset, unsigned size, uint32_t value);
PciDevice *pci_find(PciBus *root, unsigned bdf);
unsigned pci_bus_number(const PciBus *bus);
/* Who the function is when it masters the bus: bus, device and function number. */
static inline MemAttrs pci_attrs(const PciDevice *pci)
{
    return (MemAttrs){ .requester_id = (uint16_t)(pci_bus_number(pci->bus) << 8 | pci->devfn) };
}
void pci_update_bars(PciDevice *pci);
/* The wiring behind map_irq has changed: all lines are driven anew. */
void pci_reroute_irqs(PciBus *root);
/* The bus behind a bridge; NULL: no bridge. */
PciBus *pci_secondary(const PciDevice *bridge);
/* print.c: "VGA controller"; its line in "info qtree". */
const char *pci_class_name(uint16_t class_code);
void pci_print_device(Device *dev, PrintFn *print, void *opaque);
/* "info pci" */
void pci_print(PciBus *root, PrintFn *print, void *opaque);
PciBus *pci_first_root(void);

#endif
