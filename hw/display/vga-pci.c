/*
 * vga-pci.c: "VGA", the standard VGA on PCI, and "secondary-vga", the same without the legacy ports and memory.
 *
 * BAR 0: video memory. BAR 2: registers (dispi.h). PCI id 1234:1111, revision 2: the Bochs interface and the register window.
 */
#include "hw/display/vga.h"
#include "hw/pci.h"
#include "util/log.h"

typedef struct VgaPci {
    PciDevice pci;
    VgaFront front;
    uint32_t vgamem_mb;
    bool use_mmio, edid_on, big_endian, global_vmstate;
    EdidInfo edid;
    uint8_t edid_bytes[EDID_BYTES];
    bool is_primary;
} VgaPci;

static bool vga_pci_realize(PciDevice *pci, Error **errp)
{
    VgaPci *s = (VgaPci *)pci;

    if (!vga_init(&s->front.vga, &pci->dev, vga_memory_bytes(s->vgamem_mb), NULL, errp)) {
        return false;
    }
    s->is_primary = pci->ptype->class_code == 0x0300;
    s->front.vga.dispi.big_endian = s->big_endian;
    edid_make(s->edid_bytes, &s->edid);
    s->front.edid = s->edid_on ? s->edid_bytes : NULL;
    pci_add_bar(pci, 0, PCI_BAR_MEMORY | PCI_BAR_PREFETCH, &s->front.vga.vram);
    if (s->use_mmio || !s->is_primary) {
        vga_front_init_window(&s->front);
        pci_add_bar(pci, 2, PCI_BAR_MEMORY, &s->front.window);
    } else {
        pci->config[PCI_REVISION] = 0;
    }
    if (s->is_primary) {
        vga_front_map_legacy(&s->front, pci->bus);
    }
    return true;
}

static void vga_pci_unrealize(PciDevice *pci)
{
    VgaPci *s = (VgaPci *)pci;

    if (s->is_primary) {
        vga_front_unmap_legacy(&s->front, pci->bus);
    }
    vga_finish(&s->front.vga);
}

static void vga_pci_reset(PciDevice *pci)
{
    vga_reset(&((VgaPci *)pci)->front.vga);
}

static const StateField vga_pci_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    { .name = "vga", .kind = STATE_STRUCT, .offset = offsetof(VgaPci, front.vga), .elem_size = sizeof(Vga), .sub = &vga_state },
};
static const StateDesc vga_pci_state = { .name = "vga-pci", .version = 1, .fields = vga_pci_fields, .n_fields = ARRAY_SIZE(vga_pci_fields) };

#define VGA_PCI_PROPS                                                                                                  \
    PROP_U32("vgamem_mb", VgaPci, vgamem_mb, 16, "Video memory in MiB, rounded up to a power of two"),                 \
    PROP_B("edid", VgaPci, edid_on, true, "Tell the guest about the monitor"),                                        \
    PROP_B("qemu-extended-regs", VgaPci, front.extended_regs, true, "Offer the byte order register"),                        \
    PROP_B("big-endian-framebuffer", VgaPci, big_endian, false, "Byte order of pixels after a reset of the machine"), EDID_PROPS(VgaPci, edid)

static const Property vga_props[] = {
    VGA_PCI_PROPS, PROP_B("mmio", VgaPci, use_mmio, true, "Offer the register window"),
    PROP_B("global-vmstate", VgaPci, global_vmstate, false, "Name of the saved memory; without effect"),
};
static const Property secondary_props[] = { VGA_PCI_PROPS };

static const PciType vga_pci_class = {
    .vendor = 0x1234, .device = 0x1111, .revision = 2, .class_code = 0x0300, .realize = vga_pci_realize, .unrealize = vga_pci_unrealize,
    .reset = vga_pci_reset,
};
static const PciType secondary_class = {
    .vendor = 0x1234, .device = 0x1111, .revision = 2, .class_code = 0x0380, .realize = vga_pci_realize, .unrealize = vga_pci_unrealize,
    .reset = vga_pci_reset,
};

static void vga_instance_init(Object *obj)
{
    PCI_DEVICE(obj)->romfile = xstrdup("vgabios-stdvga.bin");
}

static const DeviceType vga_pci_type = {
    .type = { .name = "VGA", .parent = "pci-device", .size_bytes = sizeof(VgaPci), .summary = "standard VGA with Bochs VBE",
              .props = vga_props, .n_props = ARRAY_SIZE(vga_props), .init = vga_instance_init, .class_data = &vga_pci_class },
    .category = DEVICE_DISPLAY, .state = &vga_pci_state, .user_creatable = true, PCI_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(vga_pci_type);

static const DeviceType secondary_type = {
    .type = { .name = "secondary-vga", .parent = "pci-device", .size_bytes = sizeof(VgaPci), .summary = "Bochs display without VGA ports",
              .props = secondary_props, .n_props = ARRAY_SIZE(secondary_props), .class_data = &secondary_class },
    .category = DEVICE_DISPLAY, .state = &vga_pci_state, .user_creatable = true, PCI_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(secondary_type);
