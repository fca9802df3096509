/*
 * q35.c: the Q35 memory controller hub: PCI Express root "pcie.0" with configuration space in memory, its function 00.0, shadowing,
 * SMRAM and TSEG.
 *
 * Specification: Intel 3 Series Express Chipset Family data sheet (316966-002), chapter 5 (5.1.15 PCIEXBAR, 5.1.18 PAM, 5.1.27 SMRAM,
 * 5.1.28 ESMRAMC, top of memory registers behind it). What virtual machines add, and firmware (OVMF) expects: a TSEG of EXT_TSEG_MBYTES (register 0x50) for size 3; SMBASE
 * memory at 0x30000 (register 0x9c). Left out: DMI and memory timing.
 */
#include "hw/pci-host/host.h"
#include "softmmu/machine.h"

enum { EXT_TSEG = 0x50, GGC = 0x52, PCIEXBAR = 0x60, TOM = 0xa0, TOUUD = 0xa2, GBSM = 0xa4, BGSM = 0xa8, TSEGMB = 0xac, TOLUD = 0xb0, PAM = 0x90, SMBASE = 0x9c, SMRAM = 0x9d, ESMRAMC = 0x9e };
enum {
    SMRAM_OPEN = 1 << 6, SMRAM_CLOSED = 1 << 5, SMRAM_LOCK = 1 << 4, SMRAM_ENABLE = 1 << 3, SMRAM_BASE = 2,
    ESMRAMC_HIGH = 1 << 7, ESMRAMC_ERROR = 1 << 6, ESMRAMC_CACHE = 0x38, ESMRAMC_TSEG_SIZE = 6, ESMRAMC_TSEG = 1,
    SMBASE_QUERY = 0xff, SMBASE_UNLOCKED = 0x01, SMBASE_LOCKED = 0x02,
    EXT_TSEG_QUERY = 0xffff, SMBASE_ADDR = 0x30000, SMBASE_BYTES = 0x20000,
};
#define HIGH_SMRAM_ADDR 0xfeda0000u

typedef struct Q35Host {
    Device dev;
    PciHostMemory memory;
    PciBus bus;
    ConfigPorts ports;
    MemoryRegion ecam;
    uint64_t ecam_base, ecam_bytes; /* as mapped; bytes 0: not */
    uint64_t mcfg, hole64_bytes, below_4g, above_4g;
    uint32_t short_root_bus;
    bool hole64_fix, config_saved, bypass_iommu;
} Q35Host;

typedef struct Mch {
    PciDevice pci;
    Q35Host *host;
    uint16_t ext_tseg_mbytes;
    bool has_smbase;
    Pam pam[PAM_N];
    MemoryRegion smram_region, smram_low, smram_high, open_high, tseg_window, tseg_hole, smbase_window, smbase_hole;
} Mch;

void q35_connect(Device *host, const PciHostMemory *memory)
{
    ((Q35Host *)host)->memory = *memory;
}

PciBus *q35_bus(Device *host)
{
    return &((Q35Host *)host)->bus;
}

bool q35_ecam(Device *host, uint64_t *ret_base, uint64_t *ret_bytes)
{
    Q35Host *s = (Q35Host *)host;

    *ret_base = s->ecam_base;
    *ret_bytes = s->ecam_bytes;
    return s->ecam_bytes != 0;
}

/* -- configuration space in memory --------------------------------------------------------------------------------------- */

static MemResult ecam_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = pci_config_read(&((Q35Host *)opaque)->bus, (unsigned)(offset >> 12), offset & 0xfff, size);
    return MEM_OK;
}

static MemResult ecam_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    pci_config_write(&((Q35Host *)opaque)->bus, (unsigned)(offset >> 12), offset & 0xfff, size, (uint32_t)value);
    return MEM_OK;
}

static const MemoryOps ecam_ops = { .read = ecam_read, .write = ecam_write, .valid = { 1, 8 }, .impl = { 1, 4 } };

static void update_ecam(Mch *s)
{
    static const uint32_t sizes[] = { 256 * MiB, 128 * MiB, 64 * MiB, 0 };
    Q35Host *host = s->host;
    uint64_t reg = ldle64(s->pci.config + PCIEXBAR), bytes = reg & 1 ? sizes[reg >> 1 & 3] : 0;
    uint64_t base = bytes ? reg & UINT64_C(0xfffffffff) & ~(bytes - 1) : 0;

    if (base == host->ecam_base && bytes == host->ecam_bytes) {
        return;
    }
    memory_begin();
    if (host->ecam_bytes) {
        memory_region_remove(host->memory.system, &host->ecam);
    }
    host->ecam_base = base;
    host->ecam_bytes = bytes;
    if (bytes) {
        memory_region_set_size(&host->ecam, bytes);
        memory_region_add_overlap(host->memory.system, base, &host->ecam, 0);
    }
    memory_commit();
}

/* -- system management memory -------------------------------------------------------------------------------------------- */

/* What normal accesses find where memory is SMM's: ones. */
static MemResult hole_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = UINT64_MAX;
    return MEM_OK;
}

static MemResult hole_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    return MEM_OK;
}

static const MemoryOps hole_ops = { .read = hole_read, .write = hole_write, .valid = { 1, 8 }, .impl = { 1, 8 } };

static uint64_t tseg_bytes(const Mch *s)
{
    uint8_t esmramc = s->pci.config[ESMRAMC];

    if (!(esmramc & ESMRAMC_TSEG)) {
        return 0;
    }
    switch (esmramc >> 1 & 3) {
    case 0: return 1 * MiB;
    case 1: return 2 * MiB;
    case 2: return 8 * MiB;
    }
    return s->ext_tseg_mbytes * (uint64_t)MiB;
}

static void place(MemoryRegion *mr, bool on, uint64_t addr, uint64_t bytes)
{
    memory_region_set_enabled(mr, false);
    if (on) {
        memory_region_set_size(mr, bytes);
        memory_region_set_address(mr, addr);
        memory_region_set_enabled(mr, true);
    }
}

static void update_smram(Mch *s)
{
    const uint8_t *c = s->pci.config;
    bool enabled = c[SMRAM] & SMRAM_ENABLE, open = c[SMRAM] & SMRAM_OPEN, high = c[ESMRAMC] & ESMRAMC_HIGH;
    uint64_t tseg = tseg_bytes(s), top = s->host->memory.below_4g_bytes;
    bool smbase = c[SMBASE] == SMBASE_LOCKED && s->has_smbase;

    tseg = enabled && tseg < top ? tseg : 0;
    memory_begin();
    memory_region_set_enabled(&s->smram_region, !(enabled && open && !high));
    memory_region_set_enabled(&s->open_high, enabled && open && high);
    memory_region_set_enabled(&s->smram_low, enabled && !high);
    memory_region_set_enabled(&s->smram_high, enabled && high);
    place(&s->tseg_hole, tseg, top - tseg, tseg);
    memory_region_set_enabled(&s->tseg_window, false);
    if (tseg) {
        memory_region_set_alias_offset(&s->tseg_window, top - tseg);
        place(&s->tseg_window, true, top - tseg, tseg);
    }
    memory_region_set_enabled(&s->smbase_hole, smbase);
    memory_region_set_enabled(&s->smbase_window, smbase);
    memory_commit();
}

static const uint8_t smram_writable = SMRAM_OPEN | SMRAM_CLOSED | SMRAM_LOCK | SMRAM_ENABLE;
static const uint8_t esmramc_writable = ESMRAMC_HIGH | ESMRAMC_TSEG_SIZE | ESMRAMC_TSEG;

static void update_locks(PciDevice *pci)
{
    if (pci->config[SMRAM] & SMRAM_LOCK) { /* 5.1.27: until the next reset */
        pci->config[SMRAM] &= (uint8_t)~SMRAM_OPEN;
        pci->write_mask[SMRAM] = SMRAM_CLOSED;
        pci->write_mask[ESMRAMC] = 0;
        pci->write_mask[SMBASE] = 0;
        stle16(pci->write_mask + EXT_TSEG, 0);
        stle16(pci->write_mask + GGC, 0);
        stle32(pci->write_mask + TSEGMB, 0);
        stle16(pci->write_mask + TOLUD, 0);
    } else {
        pci->write_mask[SMRAM] = smram_writable;
        pci->write_mask[ESMRAMC] = esmramc_writable;
        stle16(pci->write_mask + EXT_TSEG, ((Mch *)pci)->ext_tseg_mbytes ? 0xffff : 0);
        stle16(pci->write_mask + GGC, 0x0ff2);
        stle32(pci->write_mask + TSEGMB, 0xfff00000);
        stle16(pci->write_mask + TOLUD, 0xfff0);
    }
}

static void mch_written(PciDevice *pci, unsigned offset, unsigned size)
{
    Mch *s = (Mch *)pci;
    unsigned end = offset + size;
    uint8_t *c = pci->config;

    if (offset < PAM + 7 && end > PAM) {
        pam_update(s->pam, c + PAM);
    }
    if (offset < PCIEXBAR + 8 && end > PCIEXBAR) {
        update_ecam(s);
    }
    if (offset < EXT_TSEG + 2 && end > EXT_TSEG && s->ext_tseg_mbytes && ldle16(c + EXT_TSEG) == EXT_TSEG_QUERY) {
        stle16(c + EXT_TSEG, s->ext_tseg_mbytes); /* a write of ones asks for the size */
    }
    if (offset <= SMBASE && end > SMBASE && s->has_smbase) {
        /* Ones ask whether the register is there, then it can be locked, or dropped. */
        if (c[SMBASE] == SMBASE_QUERY) {
            c[SMBASE] = SMBASE_UNLOCKED;
        } else if (c[SMBASE] == SMBASE_LOCKED) {
            pci->write_mask[SMBASE] = 0;
        } else {
            c[SMBASE] = 0;
        }
        update_smram(s);
    }
    if (offset < ESMRAMC + 1 && end > SMRAM) {
        update_locks(pci);
        update_smram(s);
    }
}

static bool mch_realize(PciDevice *pci, Error **errp)
{
    Mch *s = (Mch *)pci;
    Object *owner = &pci->dev.obj;

    s->host = (Q35Host *)pci->bus->bus.parent;
    const PciHostMemory *m = &s->host->memory;
    if (s->ext_tseg_mbytes > 0xfff) {
        error_set(errp, "invalid extended-tseg-mbytes value: %u", s->ext_tseg_mbytes);
        return false;
    }
    memset(pci->write_mask + 0x40, 0xff, 8);       /* EPBAR */
    memset(pci->write_mask + 0x48, 0xff, 8);       /* MCHBAR */
    stle64(pci->write_mask + PCIEXBAR, UINT64_C(0xffc000007) | UINT64_C(0x30000000));
    memset(pci->write_mask + 0x68, 0xff, 8);       /* DMIBAR */
    memset(pci->write_mask + PAM, 0x33, 7);
    pci->write_mask[PAM] = 0x30;
    /* Where firmware says that memory and its parts end, for itself: nothing follows from it here. */
    stle16(pci->write_mask + TOM, 0x01ff);
    stle16(pci->write_mask + TOUUD, 0xffff);
    stle32(pci->write_mask + GBSM, 0xfff00000);
    stle32(pci->write_mask + BGSM, 0xfff00000);
    pam_init(s->pam, owner, m);
    smram_region_init(&s->smram_region, owner, m);
    memory_region_init_alias(&s->open_high, owner, "smram-open-high", m->ram, 0xa0000, 128 * KiB);
    memory_region_init_alias(&s->smram_low, owner, "smram-low", m->ram, 0xa0000, 128 * KiB);
    memory_region_init_alias(&s->smram_high, owner, "smram-high", m->ram, 0xa0000, 128 * KiB);
    memory_region_init_mmio(&s->tseg_hole, owner, &hole_ops, s, "tseg-blackhole", 0);
    memory_region_init_alias(&s->tseg_window, owner, "tseg-window", m->ram, 0, 0);
    memory_region_init_mmio(&s->smbase_hole, owner, &hole_ops, s, "smbase-blackhole", SMBASE_BYTES);
    memory_region_init_alias(&s->smbase_window, owner, "smbase-window", m->ram, SMBASE_ADDR, SMBASE_BYTES);
    memory_begin();
    memory_region_add_overlap(m->system, HIGH_SMRAM_ADDR, &s->open_high, 1);
    memory_region_add_overlap(m->system, 0, &s->tseg_hole, 1);
    memory_region_add_overlap(m->system, SMBASE_ADDR, &s->smbase_hole, 1);
    memory_region_add(m->smram, 0xa0000, &s->smram_low);
    memory_region_add(m->smram, HIGH_SMRAM_ADDR, &s->smram_high);
    memory_region_add_overlap(m->smram, 0, &s->tseg_window, 1);
    memory_region_add_overlap(m->smram, SMBASE_ADDR, &s->smbase_window, 1);
    update_smram(s);
    memory_commit();
    memory_region_init_mmio(&s->host->ecam, &s->host->dev.obj, &ecam_ops, s->host, "pcie-mmcfg-mmio", 256 * MiB);
    return true;
}

static void mch_reset(PciDevice *pci)
{
    Mch *s = (Mch *)pci;
    uint8_t *c = pci->config;

    stle16(c + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    stle16(c + PCI_STATUS, 0x0080);
    stle64(c + PCIEXBAR, s->host->mcfg & UINT64_C(0xff0000000)); /* the window is off */
    memset(c + PAM, 0, 7);
    c[SMRAM] = SMRAM_BASE;
    c[ESMRAMC] = ESMRAMC_CACHE;
    c[SMBASE] = 0;
    stle16(c + EXT_TSEG, 0);
    stle16(c + GGC, 0);
    memset(c + TOM, 0, TOLUD + 2 - TOM);
    pci->write_mask[SMBASE] = s->has_smbase ? 0xff : 0;
    update_locks(pci);
    memory_begin();
    pam_update(s->pam, c + PAM);
    update_smram(s);
    update_ecam(s);
    memory_commit();
}

/* Memory keeps what it has while the machine sleeps, and the BIOS wakes up in its copy there. That BIOS reaches configuration space by the
   window it had opened before it opens it again: without the window it cannot open SMRAM, and its handler has no stack. */
static void mch_reset_hold(Device *dev, ResetKind kind)
{
    PciDevice *pci = PCI_DEVICE(dev);
    uint64_t window = ldle64(pci->config + PCIEXBAR);
    uint8_t pam[7];

    memcpy(pam, pci->config + PAM, sizeof(pam));
    pci_device_reset(dev, kind);
    if (kind == RESET_WAKEUP) {
        stle64(pci->config + PCIEXBAR, window);
        update_ecam((Mch *)pci);
        memcpy(pci->config + PAM, pam, sizeof(pam));
        pam_update(((Mch *)pci)->pam, pci->config + PAM);
    }
}

static bool mch_post_load(void *opaque, uint32_t version, Error **errp)
{
    Mch *s = opaque;
    uint8_t *c = s->pci.config;

    c[SMRAM] = (uint8_t)((c[SMRAM] & smram_writable) | SMRAM_BASE);
    c[ESMRAMC] = (uint8_t)((c[ESMRAMC] & esmramc_writable) | ESMRAMC_CACHE);
    s->pci.write_mask[SMBASE] = s->has_smbase && c[SMBASE] != SMBASE_LOCKED ? 0xff : 0;
    update_locks(&s->pci);
    memory_begin();
    pam_update(s->pam, c + PAM);
    update_smram(s);
    update_ecam(s);
    memory_commit();
    return true;
}

static const PciType mch = {
    .vendor = 0x8086, .device = 0x29c0, .class_code = 0x0600, .realize = mch_realize, .reset = mch_reset,
    .config_written = mch_written,
};
static const StateField mch_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
};
static const StateDesc mch_state = {
    .name = "mch", .version = 1, .min_version = 1, .fields = mch_fields, .n_fields = ARRAY_SIZE(mch_fields),
    .post_load = mch_post_load,
};
static const Property mch_props[] = {
    PROP_U16("extended-tseg-mbytes", Mch, ext_tseg_mbytes, 16, NULL), PROP_B("smbase-smram", Mch, has_smbase, true, NULL),
};
static const DeviceType mch_type = {
    .type = { .name = "mch", .parent = "pci-device", .summary = "Host bridge", .size_bytes = sizeof(Mch), .props = mch_props,
              .n_props = ARRAY_SIZE(mch_props), .class_data = &mch },
    .category = DEVICE_BRIDGE, .state = &mch_state, .bus = "PCI", .realize = pci_device_realize,
    .unrealize = pci_device_unrealize, .reset_hold = mch_reset_hold,
};
DEVICE_TYPE_REGISTER(mch_type);

/* -- host bridge ------------------------------------------------------------------------------------------------------- */

static bool host_realize(Device *dev, Error **errp)
{
    Q35Host *s = (Q35Host *)dev;

    if (!s->memory.pci) {
        error_set(errp, "q35-pcihost is part of a board");
        return false;
    }
    pci_root_init(&s->bus, dev, "pcie.0", true, s->memory.pci, s->memory.io, s->memory.dma, NULL, NULL);
    config_ports_init(&s->ports, &dev->obj, &s->bus, s->memory.io);
    return device_create("mch", &s->bus.bus, (const char *const[]){ "addr", "00.0", NULL }, errp) != NULL;
}

static void host_reset(Device *dev, ResetKind kind)
{
    ((Q35Host *)dev)->ports.address = 0;
}

static char *host_fw_path(Device *dev)
{
    return xstrdup("pci@i0cf8");
}

static const StateField host_fields[] = { STATE_U(Q35Host, ports.address) };
static const StateDesc host_state = {
    .name = "q35-pcihost", .version = 1, .min_version = 1, .fields = host_fields, .n_fields = ARRAY_SIZE(host_fields),
};
static const Property host_props[] = {
    PROP_U64("MCFG", Q35Host, mcfg, 0xb0000000, NULL), PROP_SZ("pci-hole64-size", Q35Host, hole64_bytes, 32 * GiB, NULL),
    PROP_U32("short_root_bus", Q35Host, short_root_bus, 0, NULL), PROP_SZ("below-4g-mem-size", Q35Host, below_4g, 0, NULL),
    PROP_SZ("above-4g-mem-size", Q35Host, above_4g, 0, NULL), PROP_B("x-pci-hole64-fix", Q35Host, hole64_fix, true, NULL),
    PROP_B("x-config-reg-migration-enabled", Q35Host, config_saved, true, NULL),
    PROP_B("bypass-iommu", Q35Host, bypass_iommu, false, NULL),
};
static const DeviceType host_type = {
    .type = { .name = "q35-pcihost", .parent = "sys-bus-device", .summary = "Q35 host bridge", .size_bytes = sizeof(Q35Host),
              .props = host_props, .n_props = ARRAY_SIZE(host_props) },
    .category = DEVICE_BRIDGE, .bus = "System", .state = &host_state, .realize = host_realize, .reset_enter = host_reset,
    .fw_path = host_fw_path,
};
DEVICE_TYPE_REGISTER(host_type);
