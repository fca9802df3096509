/*
 * i440fx.c: the 82441FX host bridge: PCI bus "pci.0", its function 00.0, shadowing, SMRAM.
 *
 * Specification: Intel 82441FX data sheet (290549-001, 1996). Left out: DRAM timing and error registers beyond storage.
 */
#include "hw/pci-host/host.h"
#include "softmmu/machine.h"

enum { PAM = 0x59, SMRAM = 0x72 };
enum { SMRAM_OPEN = 1 << 6, SMRAM_CLOSED = 1 << 5, SMRAM_LOCK = 1 << 4, SMRAM_ENABLE = 1 << 3, SMRAM_BASE = 2 };

typedef struct I440fxHost {
    Device dev;
    PciHostMemory memory;
    PciBus bus;
    ConfigPorts ports;
    uint64_t hole64_bytes;
    uint32_t short_root_bus;
    bool hole64_fix, config_saved, bypass_iommu;
} I440fxHost;

typedef struct I440fx {
    PciDevice pci;
    const PciHostMemory *memory;
    Pam pam[PAM_N];
    MemoryRegion smram_region, smram_low;
} I440fx;

void i440fx_connect(Device *host, const PciHostMemory *memory)
{
    ((I440fxHost *)host)->memory = *memory;
}

PciBus *i440fx_bus(Device *host)
{
    return &((I440fxHost *)host)->bus;
}

/* -- function 00.0 --------------------------------------------------------------------------------------------------- */

static void update_memory(PciDevice *pci)
{
    I440fx *s = (I440fx *)pci;
    uint8_t smram = pci->config[SMRAM];

    memory_begin();
    pam_update(s->pam, pci->config + PAM);
    memory_region_set_enabled(&s->smram_region, !(smram & SMRAM_OPEN));
    memory_region_set_enabled(&s->smram_low, smram & SMRAM_ENABLE);
    memory_commit();
}

static bool function_realize(PciDevice *pci, Error **errp)
{
    I440fx *s = (I440fx *)pci;
    I440fxHost *host = (I440fxHost *)pci->bus->bus.parent;

    s->memory = &host->memory;
    pci->write_mask[PCI_LATENCY] = 0xf8;
    stle16(pci->write_mask + 0x50, 0xffff);      /* PMCCFG */
    memset(pci->write_mask + 0x52, 0xff, 6);     /* deturbo, buffering, DRAM control and timing */
    memset(pci->write_mask + PAM, 0xff, 0x13);   /* PAM, DRB, fixed hole */
    memset(pci->write_mask + 0x69, 0xff, 7);     /* DRAM row type and on */
    pci->write_mask[SMRAM] = SMRAM_OPEN | SMRAM_CLOSED | SMRAM_LOCK | SMRAM_ENABLE;
    pam_init(s->pam, &pci->dev.obj, s->memory);
    smram_region_init(&s->smram_region, &pci->dev.obj, s->memory);
    memory_region_init_alias(&s->smram_low, &pci->dev.obj, "smram-low", s->memory->ram, 0xa0000, 128 * KiB);
    memory_region_add_overlap(s->memory->smram, 0xa0000, &s->smram_low, 0);
    pci->config[SMRAM] = SMRAM_BASE;
    return true;
}

static void function_written(PciDevice *pci, unsigned offset, unsigned size)
{
    uint8_t *smram = &pci->config[SMRAM];

    if (offset <= SMRAM && SMRAM < offset + size && (*smram & SMRAM_LOCK)) { /* locked until reset: closed, enable fixed */
        *smram &= (uint8_t)~SMRAM_OPEN;
        pci->write_mask[SMRAM] = SMRAM_CLOSED;
    }
    if (offset < SMRAM + 1 && offset + size > PAM) {
        update_memory(pci);
    }
}

static void function_reset(PciDevice *pci)
{
    uint8_t *c = pci->config;

    stle16(c + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    stle16(c + PCI_STATUS, 0x0280);
    memset(c + PAM, 0, 7);
    c[SMRAM] = SMRAM_BASE;
    pci->write_mask[SMRAM] = SMRAM_OPEN | SMRAM_CLOSED | SMRAM_LOCK | SMRAM_ENABLE;
    update_memory(pci);
}

/* Memory keeps what it has while the machine sleeps, and the BIOS wakes up in its copy there. */
static void function_reset_hold(Device *dev, ResetKind kind)
{
    PciDevice *pci = PCI_DEVICE(dev);
    uint8_t pam[7];

    memcpy(pam, pci->config + PAM, sizeof(pam));
    pci_device_reset(dev, kind);
    if (kind == RESET_WAKEUP) {
        memcpy(pci->config + PAM, pam, sizeof(pam));
        update_memory(pci);
    }
}

static bool function_post_load(void *opaque, uint32_t version, Error **errp)
{
    PciDevice *pci = opaque;

    pci->config[SMRAM] = (uint8_t)((pci->config[SMRAM] & 0x78) | SMRAM_BASE);
    pci->write_mask[SMRAM] = pci->config[SMRAM] & SMRAM_LOCK ? SMRAM_CLOSED
                                                             : SMRAM_OPEN | SMRAM_CLOSED | SMRAM_LOCK | SMRAM_ENABLE;
    update_memory(pci);
    return true;
}

static const PciType function = {
    .vendor = 0x8086, .device = 0x1237, .revision = 2, .class_code = 0x0600, .realize = function_realize,
    .reset = function_reset, .config_written = function_written,
};
static const StateField function_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
};
static const StateDesc function_state = {
    .name = "i440FX", .version = 1, .min_version = 1, .fields = function_fields, .n_fields = ARRAY_SIZE(function_fields),
    .post_load = function_post_load,
};
static const DeviceType function_type = {
    .type = { .name = "i440FX", .parent = "pci-device", .summary = "Host bridge", .size_bytes = sizeof(I440fx),
              .class_data = &function },
    .category = DEVICE_BRIDGE, .state = &function_state, .bus = "PCI", .realize = pci_device_realize,
    .unrealize = pci_device_unrealize, .reset_hold = function_reset_hold,
};
DEVICE_TYPE_REGISTER(function_type);

/* -- host bridge ------------------------------------------------------------------------------------------------------- */

static bool host_realize(Device *dev, Error **errp)
{
    I440fxHost *s = (I440fxHost *)dev;

    if (!s->memory.pci) {
        error_set(errp, "i440FX-pcihost is part of a board");
        return false;
    }
    pci_root_init(&s->bus, dev, "pci.0", false, s->memory.pci, s->memory.io, s->memory.dma, NULL, NULL);
    config_ports_init(&s->ports, &dev->obj, &s->bus, s->memory.io);
    return device_create("i440FX", &s->bus.bus, (const char *const[]){ "addr", "00.0", NULL }, errp) != NULL;
}

static void host_reset(Device *dev, ResetKind kind)
{
    ((I440fxHost *)dev)->ports.address = 0;
}

static char *host_fw_path(Device *dev)
{
    return xstrdup("pci@i0cf8");
}

static const StateField host_fields[] = { STATE_U(I440fxHost, ports.address) };
static const StateDesc host_state = {
    .name = "i440FX-pcihost", .version = 1, .min_version = 1, .fields = host_fields, .n_fields = ARRAY_SIZE(host_fields),
};
static const Property host_props[] = {
    PROP_SZ("pci-hole64-size", I440fxHost, hole64_bytes, 2 * GiB, NULL),
    PROP_U32("short_root_bus", I440fxHost, short_root_bus, 0, NULL),
    PROP_B("x-pci-hole64-fix", I440fxHost, hole64_fix, true, NULL),
    PROP_B("x-config-reg-migration-enabled", I440fxHost, config_saved, true, NULL),
    PROP_B("bypass-iommu", I440fxHost, bypass_iommu, false, NULL),
};
static const DeviceType host_type = {
    .type = { .name = "i440FX-pcihost", .parent = "sys-bus-device", .summary = "82441FX host bridge",
              .size_bytes = sizeof(I440fxHost), .props = host_props, .n_props = ARRAY_SIZE(host_props) },
    .category = DEVICE_BRIDGE, .bus = "System", .state = &host_state, .realize = host_realize, .reset_enter = host_reset,
    .fw_path = host_fw_path,
};
DEVICE_TYPE_REGISTER(host_type);
