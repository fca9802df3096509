/*
 * piix4-pm.c: function 3 of the PIIX4: power management, SMI command port, SMBus.
 *
 * Modelled: PMBASE, PMREGMISC, the SMBus base and its enable bit, APMC_EN of DEVACTB, and the blocks they lead to. Other
 * device monitors and the PIIX4's own GPE registers (GPSTS) are left out; GPE0 of the ACPI tables is a block of four bytes
 * at port 0xafe0 that firmware and guests know from the FADT.
 *
 * Specification: Intel 82371AB (PIIX4), chapter 7.
 */
#include "hw/acpi.h"
#include "hw/smbus.h"

enum {
    PMBASE = 0x40, DEVACTB_HIGH = 0x5b, APMC_EN = 0x02, PMREGMISC = 0x80, SMBBA = 0x90, SMBHSTCFG = 0xd2,
    GPE_PORT = 0xafe0, GPE_BYTES = 4, APM_PORT = 0xb2,
    ACPI_ENABLE = 0xf1, ACPI_DISABLE = 0xf0,
};
#define UNMAPPED UINT32_MAX

typedef struct Piix4Pm {
    PciDevice pci;
    AcpiPm pm;
    AcpiApm apm;
    SmBusHost smbus;
    uint32_t smb_io_base;
    uint8_t disable_s3, disable_s4, s4_value;
    bool smm_enabled;
    uint32_t pm_at, smbus_at; /* ports where they are mapped */
} Piix4Pm;

static void map(Piix4Pm *s, MemoryRegion *mr, uint32_t *at, uint32_t port)
{
    if (*at == port) {
        return;
    }
    if (*at != UNMAPPED) {
        memory_region_remove(s->pci.bus->io, mr);
    }
    *at = port;
    if (port != UNMAPPED) {
        memory_region_add_overlap(s->pci.bus->io, port, mr, 1);
    }
}

static void update_maps(Piix4Pm *s)
{
    PciDevice *pci = &s->pci;

    memory_begin();
    map(s, &s->pm.pm1_mr, &s->pm_at, pci->config[PMREGMISC] & 1 ? pci_get32(pci, PMBASE) & 0xffc0 : UNMAPPED);
    map(s, &s->smbus.mr, &s->smbus_at, pci->config[SMBHSTCFG] & 1 ? pci_get32(pci, SMBBA) & 0xffc0 : UNMAPPED);
    memory_commit();
}

static void config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    if (offset >= PMBASE) {
        update_maps((Piix4Pm *)pci);
    }
}

static void command(void *opaque, uint8_t value)
{
    Piix4Pm *s = opaque;

    if (value == ACPI_ENABLE || value == ACPI_DISABLE) {
        acpi_pm_enable(&s->pm, value == ACPI_ENABLE);
    }
    if (s->smm_enabled && (s->pci.config[DEVACTB_HIGH] & APMC_EN)) {
        irq_pulse(device_irq_out(&s->pci.dev, "smi", 0));
    }
}

static void reset(PciDevice *pci)
{
    Piix4Pm *s = (Piix4Pm *)pci;

    pci->config[PMBASE] = 1;
    stle32(pci->config + SMBBA, s->smb_io_base | 1);
    pci->config[SMBHSTCFG] = s->smb_io_base ? 0x09 : 0;
    if (!s->smm_enabled) {
        pci->config[DEVACTB_HIGH] |= APMC_EN; /* firmware must not look for SMM */
    }
    s->pm.sci = device_irq_out(&pci->dev, "sci", 0);
    acpi_pm_reset(&s->pm, RESET_COLD);
    acpi_apm_reset(&s->apm);
    smbus_host_reset(&s->smbus);
    update_maps(s);
}

static bool realize(PciDevice *pci, Error **errp)
{
    Piix4Pm *s = (Piix4Pm *)pci;
    Machine *m = machine_current();

    s->pm_at = s->smbus_at = UNMAPPED;
    s->pm.no_s3 = s->disable_s3;
    s->pm.no_s4 = s->disable_s4;
    s->pm.s4_value = s->s4_value;
    pci->config[PCI_STATUS] |= 0x80; /* fast back-to-back; medium DEVSEL */
    pci->config[PCI_STATUS + 1] = 2;
    pci->config[PCI_INTERRUPT_PIN] = 1;
    pci->config[0x5f] = 0x10;
    pci->config[0x63] = 0x60;
    pci->config[0x67] = (uint8_t)((m->serials[0] ? 0x08 : 0) | (m->serials[1] ? 0x90 : 0));
    stle32(pci->write_mask + PMBASE, 0xffc0);
    stle32(pci->write_mask + DEVACTB_HIGH - 3, 0x0f00ffff | APMC_EN << 24);
    pci->write_mask[PMREGMISC] = 1;
    stle32(pci->write_mask + SMBBA, 0xffc0);
    pci->write_mask[SMBHSTCFG] = 0x0f;
    device_init_irqs_out(&pci->dev, "sci", 1);
    device_init_irqs_out(&pci->dev, "smi", 1);
    acpi_pm_init(&s->pm, &pci->dev.obj, GPE_BYTES);
    acpi_apm_init(&s->apm, &pci->dev.obj, command, s);
    smbus_host_init(&s->smbus, &pci->dev);
    memory_region_add(pci->bus->io, GPE_PORT, &s->pm.gpe_mr);
    memory_region_add(pci->bus->io, APM_PORT, &s->apm.mr);
    return true;
}

static void unrealize(PciDevice *pci)
{
    Piix4Pm *s = (Piix4Pm *)pci;

    map(s, &s->pm.pm1_mr, &s->pm_at, UNMAPPED);
    map(s, &s->smbus.mr, &s->smbus_at, UNMAPPED);
    memory_region_remove(pci->bus->io, &s->pm.gpe_mr);
    memory_region_remove(pci->bus->io, &s->apm.mr);
    acpi_pm_finish(&s->pm);
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    update_maps(opaque);
    return true;
}

static const StateField fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    { .name = "pm", .kind = STATE_STRUCT, .offset = offsetof(Piix4Pm, pm), .elem_size = sizeof(AcpiPm), .sub = &acpi_pm_state },
    { .name = "smbus", .kind = STATE_STRUCT, .offset = offsetof(Piix4Pm, smbus), .elem_size = sizeof(SmBusHost),
      .sub = &smbus_host_state },
    { .name = "apm_control", .kind = STATE_UINT, .offset = offsetof(Piix4Pm, apm.control), .elem_size = 1 },
    { .name = "apm_status", .kind = STATE_UINT, .offset = offsetof(Piix4Pm, apm.status), .elem_size = 1 },
};

static const StateDesc state = {
    .name = "piix4-pm", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields),
    .post_load = post_load,
};

static const Property props[] = {
    PROP_U32("smb_io_base", Piix4Pm, smb_io_base, 0, NULL),
    PROP_U8("disable_s3", Piix4Pm, disable_s3, 0, NULL),
    PROP_U8("disable_s4", Piix4Pm, disable_s4, 0, NULL),
    PROP_U8("s4_val", Piix4Pm, s4_value, 2, NULL),
    PROP_B("smm-enabled", Piix4Pm, smm_enabled, false, "on/off"),
};

static const PciType pci_class = {
    .vendor = 0x8086, .device = 0x7113, .revision = 3, .class_code = 0x0680, .realize = realize, .unrealize = unrealize,
    .reset = reset, .config_written = config_written,
};

static const DeviceType piix4_pm_type = {
    .type = { .name = PIIX4_PM_TYPE, .parent = "pci-device", .summary = "PM", .size_bytes = sizeof(Piix4Pm), .props = props,
              .n_props = ARRAY_SIZE(props), .class_data = &pci_class },
    .category = DEVICE_BRIDGE, .bus = "PCI", .state = &state, .realize = pci_device_realize,
    .unrealize = pci_device_unrealize, .reset_hold = pci_device_reset,
};
DEVICE_TYPE_REGISTER(piix4_pm_type);
