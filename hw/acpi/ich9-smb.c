/*
 * ich9-smb.c: the SMBus function of the ICH9, 00:1f.3.
 *
 * Specification: ICH9 data sheet, chapter 20.
 */
#include "hw/acpi.h"
#include "hw/smbus.h"

enum { HOSTC = 0x40, HOSTC_ENABLE = 1, SMB_BAR = 4 };

typedef struct Ich9Smb {
    PciDevice pci;
    SmBusHost smbus;
} Ich9Smb;

static void update(Ich9Smb *s)
{
    memory_region_set_enabled(&s->smbus.mr, s->pci.config[HOSTC] & HOSTC_ENABLE);
}

static void config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    if (offset == HOSTC) {
        update((Ich9Smb *)pci);
    }
}

static void reset(PciDevice *pci)
{
    Ich9Smb *s = (Ich9Smb *)pci;

    smbus_host_reset(&s->smbus);
    update(s);
}

static bool realize(PciDevice *pci, Error **errp)
{
    Ich9Smb *s = (Ich9Smb *)pci;

    pci->config[PCI_INTERRUPT_PIN] = 1;
    pci->write_mask[HOSTC] = 0x0f;
    smbus_host_init(&s->smbus, &pci->dev);
    pci_add_bar(pci, SMB_BAR, PCI_BAR_IO, &s->smbus.mr);
    return true;
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    update(opaque);
    return true;
}

static const StateField fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    { .name = "smbus", .kind = STATE_STRUCT, .offset = offsetof(Ich9Smb, smbus), .elem_size = sizeof(SmBusHost),
      .sub = &smbus_host_state },
};

static const StateDesc state = {
    .name = "ich9-smb", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields),
    .post_load = post_load,
};

static const PciType pci_class = {
    .vendor = 0x8086, .device = 0x2930, .revision = 2, .class_code = 0x0c05, .realize = realize, .reset = reset,
    .config_written = config_written,
};

static const DeviceType ich9_smb_type = {
    .type = { .name = "ICH9-SMB", .parent = "pci-device", .summary = "ICH9 SMBus", .size_bytes = sizeof(Ich9Smb),
              .class_data = &pci_class },
    .category = DEVICE_BRIDGE, .bus = "PCI", .state = &state, .realize = pci_device_realize,
    .unrealize = pci_device_unrealize, .reset_hold = pci_device_reset,
};
DEVICE_TYPE_REGISTER(ich9_smb_type);
