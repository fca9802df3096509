/*
 * lpc-ich9.c: "ICH9-LPC", the ICH9's LPC bridge: ISA bus, interrupt routing, power management base, RCRB, reset control at 0xcf9.
 *
 * Specification: Intel I/O Controller Hub 9 data sheet (316972-004): 13.1 (configuration registers), 10.1 (chipset configuration
 * registers behind RCBA), 13.7.5 (reset control). The power management block itself is hw/acpi's.
 */
#include "hw/acpi.h"
#include "hw/i386/pci-host.h"

enum {
    PMBASE = 0x40, ACPI_CNTL = 0x44, PIRQ_ROUTE_A = 0x60, PIRQ_ROUTE_E = 0x68, GEN_PMCON_1 = 0xa0, RCBA = 0xf0,
    ROUTE_OFF = 0x80, N_PIRQS = 8, N_GSI = 24, ACPI_ENABLE = 0x80, SMI_LOCK = 1 << 4,
    RCRB_BYTES = 0x4000, OIC = 0x31ff, GCS = 0x3410, GCS_NO_REBOOT = 1 << 5, D31IR = 0x3140, FIRST_DIR_SLOT = 25,
    RESET_SYSTEM = 2, RESET_CPU = 4, RESET_FULL = 8,
};

typedef struct Ich9Lpc {
    PciDevice pci;
    IsaBus *isa;
    Irq *irqs[ISA_N_IRQS];       /* through the ISA bus: shared with its devices */
    Irq sci, smi;                /* from the power management block */
    Irq *board_smi;
    bool sci_level, no_reboot, smm_compat;
    uint8_t disable_s3, disable_s4, s4_value;
    uint32_t smi_features;       /* x-smi-*: bits */
    bool pirq[N_PIRQS];
    uint8_t reset_control;
    uint8_t rcrb[RCRB_BYTES];
    bool rcrb_mapped;
    MemoryRegion reset_mr, rcrb_mr;
    Ich9Pm pm;
} Ich9Lpc;

/* Device interrupt route registers of slots 25 to 31; slots 28 to 31 have D28IR … (10.1.39 on). */
static unsigned dir_offset(unsigned slot)
{
    static const uint16_t offset[] = { 0x3150, 0x314c, 0x3148, 0x3146, 0x3144, 0, 0x3140 };
    return offset[slot - FIRST_DIR_SLOT];
}

/* -- interrupts ------------------------------------------------------------------------------------------------------ */

/* The PIRQ of a function: slots with a route register as it says, others by swizzling over PIRQE to PIRQH. */
static unsigned map_pirq(void *opaque, unsigned devfn, unsigned pin)
{
    const Ich9Lpc *s = opaque;
    unsigned slot = devfn >> 3;

    if (slot == 30) {
        return 4 + pin; /* what is behind the DMI-to-PCI bridge: boards wire it to PIRQE to PIRQH, and so does _PRT (dsdt-pci.c) */
    }
    if (slot >= FIRST_DIR_SLOT) {
        return ldle16(s->rcrb + dir_offset(slot)) >> 4 * pin & 7;
    }
    return (slot + pin) % 4 + 4;
}

static uint8_t route(const Ich9Lpc *s, unsigned pirq)
{
    return s->pci.config[pirq < 4 ? PIRQ_ROUTE_A + pirq : PIRQ_ROUTE_E + pirq - 4];
}

/* 5.8.6: PIRQA to PIRQH are inputs 16 to 23 of the I/O APIC, and, when routed, an ISA interrupt of the 8259s. */
static void update(Ich9Lpc *s)
{
    static const uint8_t sci_irqs[8] = { 9, 10, 11, 9, 20, 21, 9, 9 }; /* 13.1.13: where the SCI goes */
    uint32_t high = s->sci_level ? 1u << sci_irqs[s->pci.config[ACPI_CNTL] & 7] : 0;

    for (unsigned n = 0; n < N_PIRQS; n++) {
        if (s->pirq[n]) {
            high |= 1u << (16 + n) | (route(s, n) & ROUTE_OFF ? 0u : 1u << (route(s, n) & 15));
        }
    }
    for (unsigned n = 0; n < N_GSI; n++) {
        if (n < ISA_N_IRQS) {
            irq_set(s->irqs[n], high >> n & 1);
        } else {
            device_set_irq(&s->pci.dev, "gsi", n, high >> n & 1);
        }
    }
}

static void set_pirq(void *opaque, unsigned line, int level)
{
    Ich9Lpc *s = opaque;

    s->pirq[line] = level != 0;
    update(s);
}

static void sci_line(void *opaque, int n, int level)
{
    Ich9Lpc *s = opaque;

    s->sci_level = level != 0;
    update(s);
}

static void smi_line(void *opaque, int n, int level)
{
    Ich9Lpc *s = opaque;

    irq_set(s->board_smi, !level ? 0 : s->pm.smi_features & ICH9_SMI_BROADCAST ? ICH9_SMI_TO_ALL : ICH9_SMI_TO_ONE);
}

/* -- RCRB ------------------------------------------------------------------------------------------------------------ */

static MemResult rcrb_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    Ich9Lpc *s = opaque;

    *ret = 0;
    for (unsigned i = 0; i < size; i++) {
        *ret |= (uint64_t)s->rcrb[offset + i] << i * 8;
    }
    return MEM_OK;
}

static MemResult rcrb_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Ich9Lpc *s = opaque;

    for (unsigned i = 0; i < size; i++) {
        s->rcrb[offset + i] = (uint8_t)(value >> 8 * i);
    }
    if (offset + size > D31IR && offset < 0x3160) {
        pci_reroute_irqs(s->pci.bus);
    }
    s->pm.tco.no_reboot = ldle32(s->rcrb + GCS) & GCS_NO_REBOOT;
    return MEM_OK;
}

static const MemoryOps rcrb_ops = { .read = rcrb_read, .write = rcrb_write, .valid = { 1, 4 }, .impl = { 1, 4 } };

static void update_rcrb(Ich9Lpc *s)
{
    uint32_t rcba = pci_get32(&s->pci, RCBA);

    memory_begin();
    if (s->rcrb_mapped) {
        memory_region_remove(s->pci.bus->memory, &s->rcrb_mr);
    }
    s->rcrb_mapped = rcba & 1;
    if (s->rcrb_mapped) {
        memory_region_add_overlap(s->pci.bus->memory, rcba & 0xffffc000, &s->rcrb_mr, 1);
    }
    memory_commit();
}

static void update_pm(Ich9Lpc *s)
{
    ich9_pm_set_base(&s->pm, pci_get32(&s->pci, PMBASE) & 0xff80, s->pci.config[ACPI_CNTL] & ACPI_ENABLE);
}

/* 13.8.1.1: once SMI_LOCK is set, it and GBL_SMI_EN stay until the next reset. */
static void update_smi_lock(Ich9Lpc *s)
{
    s->pm.smi_locked = s->pci.config[GEN_PMCON_1] & SMI_LOCK;
    s->pci.write_mask[GEN_PMCON_1] = s->pm.smi_locked ? 0xff & ~SMI_LOCK : 0xff;
}

/* -- reset control --------------------------------------------------------------------------------------------------- */

static MemResult reset_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = ((Ich9Lpc *)opaque)->reset_control;
    return MEM_OK;
}

static MemResult reset_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Ich9Lpc *s = opaque;

    if (value & RESET_CPU) {
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    } else {
        s->reset_control = value & (RESET_SYSTEM | RESET_FULL);
    }
    return MEM_OK;
}

static const MemoryOps reset_ops = { .read = reset_read, .write = reset_write, .valid = { 1, 4 }, .impl = { 1, 1 } };

/* -- life ------------------------------------------------------------------------------------------------------------ */

IsaBus *ich9_isa(Device *lpc)
{
    return ((Ich9Lpc *)lpc)->isa;
}

void ich9_connect(Device *lpc, Irq *const gsi[24], Irq *smi)
{
    for (unsigned n = 0; n < N_GSI; n++) {
        device_connect_irq(lpc, "gsi", n, gsi[n]);
    }
    ((Ich9Lpc *)lpc)->board_smi = smi;
    ((Ich9Lpc *)lpc)->pm.smm = smi != NULL;
}

bool ich9_install_smi_features(Device *lpc, Device *fw_cfg, Error **errp)
{
    return ich9_smi_features_install(&((Ich9Lpc *)lpc)->pm, fw_cfg, errp);
}

static bool lpc_realize(PciDevice *pci, Error **errp)
{
    Ich9Lpc *s = (Ich9Lpc *)pci;

    s->isa = isa_bus_new(&pci->dev, "isa.0", pci->bus->memory, pci->bus->io);
    for (unsigned n = 0; n < ISA_N_IRQS; n++) {
        s->irqs[n] = isa_irq(s->isa, n);
    }
    device_init_irqs_out(&pci->dev, "gsi", N_GSI);
    pci->bus->set_irq = set_pirq;
    pci->bus->map_irq = map_pirq;
    pci->bus->opaque = s;
    stle32(pci->write_mask + PMBASE, 0xff80);
    pci->write_mask[ACPI_CNTL] = 0x87;
    memset(pci->write_mask + 0x48, 0xff, 5);       /* GPIO base and control */
    memset(pci->write_mask + PIRQ_ROUTE_A, 0x8f, 4);
    pci->write_mask[0x64] = 0xf0;                  /* serial interrupts */
    memset(pci->write_mask + PIRQ_ROUTE_E, 0x8f, 4);
    memset(pci->write_mask + 0x80, 0xff, 0x14);    /* LPC decode ranges */
    memset(pci->write_mask + GEN_PMCON_1, 0xff, 2);
    memset(pci->write_mask + 0xd0, 0xff, 0x0e);    /* firmware hub, BIOS control */
    stle32(pci->write_mask + RCBA, 0xffffc001);
    irq_init(&s->sci, sci_line, s, 0);
    s->pm.pm.no_s3 = s->disable_s3;
    s->pm.pm.no_s4 = s->disable_s4;
    s->pm.pm.s4_value = s->s4_value;
    ich9_pm_init(&s->pm, &pci->dev.obj, pci->bus->io);
    irq_init(&s->smi, smi_line, s, 0);
    s->pm.pm.sci = &s->sci;
    s->pm.smi = &s->smi;
    memory_region_init_mmio(&s->reset_mr, &pci->dev.obj, &reset_ops, s, "lpc-reset-control", 1);
    memory_region_init_mmio(&s->rcrb_mr, &pci->dev.obj, &rcrb_ops, s, "lpc-rcrb-mmio", RCRB_BYTES);
    memory_region_add_overlap(pci->bus->io, 0xcf9, &s->reset_mr, 1);
    return true;
}

static void lpc_unrealize(PciDevice *pci)
{
    ich9_pm_finish(&((Ich9Lpc *)pci)->pm);
}

static void lpc_reset(PciDevice *pci)
{
    Ich9Lpc *s = (Ich9Lpc *)pci;
    uint8_t *c = pci->config;

    stle16(c + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    stle16(c + PCI_STATUS, 0x0200);
    stle32(c + PMBASE, 1); /* I/O space */
    memset(c + PIRQ_ROUTE_A, ROUTE_OFF, 4);
    c[0x64] = 0x10;
    memset(c + PIRQ_ROUTE_E, ROUTE_OFF, 4);
    memset(s->rcrb, 0, sizeof(s->rcrb));
    for (unsigned slot = FIRST_DIR_SLOT; slot < PCI_N_SLOTS; slot++) {
        if (dir_offset(slot)) {
            stle16(s->rcrb + dir_offset(slot), 0x3210);
        }
    }
    stle32(s->rcrb + GCS, s->no_reboot ? GCS_NO_REBOOT : 0);
    s->reset_control = 0;
    pci->config[GEN_PMCON_1] = 0;
    update_smi_lock(s);
    ich9_pm_reset(&s->pm, RESET_COLD);
    s->pm.tco.no_reboot = s->no_reboot;
    update_rcrb(s);
    update_pm(s);
    update(s);
}

/* Where the power management block is survives sleeping: the guest looks there for what woke it, and firmware leaves it. */
static void lpc_reset_hold(Device *dev, ResetKind kind)
{
    PciDevice *pci = PCI_DEVICE(dev);
    uint32_t base = pci_get32(pci, PMBASE);
    uint8_t control = pci->config[ACPI_CNTL];

    pci_device_reset(dev, kind);
    if (kind == RESET_WAKEUP) {
        stle32(pci->config + PMBASE, base);
        pci->config[ACPI_CNTL] = control;
        update_pm((Ich9Lpc *)pci);
        update((Ich9Lpc *)pci);
    }
}

static void lpc_written(PciDevice *pci, unsigned offset, unsigned size)
{
    Ich9Lpc *s = (Ich9Lpc *)pci;
    unsigned end = offset + size;

    if (offset < ACPI_CNTL + 1 && end > PMBASE) {
        update_pm(s);
    }
    if (offset < RCBA + 4 && end > RCBA) {
        update_rcrb(s);
    }
    if (offset <= GEN_PMCON_1 && end > GEN_PMCON_1) {
        update_smi_lock(s);
    }
    if (offset < PIRQ_ROUTE_E + 4 && end > ACPI_CNTL) {
        update(s);
    }
}

static bool lpc_post_load(void *opaque, uint32_t version, Error **errp)
{
    Ich9Lpc *s = opaque;

    update_rcrb(s);
    update_pm(s);
    update_smi_lock(s);
    pci_reroute_irqs(s->pci.bus);
    return true;
}

static const PciType lpc = {
    .vendor = 0x8086, .device = 0x2918, .revision = 2, .class_code = 0x0601, .realize = lpc_realize, .unrealize = lpc_unrealize,
    .reset = lpc_reset, .config_written = lpc_written,
};
static const StateField lpc_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    { .name = "pm", .kind = STATE_STRUCT, .offset = offsetof(Ich9Lpc, pm), .elem_size = sizeof(Ich9Pm), .sub = &ich9_pm_state },
    STATE_BYTES(Ich9Lpc, rcrb), STATE_U(Ich9Lpc, reset_control), STATE_U(Ich9Lpc, sci_level),
};
static const StateDesc lpc_state = {
    .name = "ICH9-LPC", .version = 1, .min_version = 1, .fields = lpc_fields, .n_fields = ARRAY_SIZE(lpc_fields),
    .post_load = lpc_post_load,
};
static const Property lpc_props[] = {
    PROP_U8("disable_s3", Ich9Lpc, disable_s3, 0, NULL), PROP_U8("disable_s4", Ich9Lpc, disable_s4, 0, NULL),
    PROP_B("noreboot", Ich9Lpc, no_reboot, true, NULL), PROP_U8("s4_val", Ich9Lpc, s4_value, 2, NULL),
    PROP_B("smm-compat", Ich9Lpc, smm_compat, false, NULL),
};
static const DeviceType lpc_type = {
    .type = { .name = "ICH9-LPC", .parent = "pci-device", .summary = "ICH9 LPC bridge", .size_bytes = sizeof(Ich9Lpc),
              .props = lpc_props, .n_props = ARRAY_SIZE(lpc_props), .class_data = &lpc },
    .category = DEVICE_BRIDGE, .state = &lpc_state, .bus = "PCI", .realize = pci_device_realize,
    .unrealize = pci_device_unrealize, .reset_hold = lpc_reset_hold,
};
DEVICE_TYPE_REGISTER(lpc_type);
