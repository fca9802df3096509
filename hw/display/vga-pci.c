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
    Vga vga;
    uint32_t vgamem_mb;
    bool use_mmio, edid_on, extended_regs, big_endian, global_vmstate;
    EdidInfo edid;
    uint8_t edid_bytes[EDID_BYTES];
    MemoryRegion mmio, ports[VGA_N_PORT_REGIONS];
    uint16_t port_at[VGA_N_PORT_REGIONS];
    bool is_primary;
} VgaPci;

static MemResult mmio_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value, MemAttrs attrs)
{
    VgaPci *s = opaque;
    Vga *vga = &s->vga;

    *ret_value = 0;
    if (offset < EDID_BYTES) {
        for (unsigned i = 0; i < size && s->edid_on && offset + i < EDID_BYTES; i++) {
            *ret_value |= (uint64_t)s->edid_bytes[offset + i] << i * 8;
        }
    } else if (offset >= DISPI_WINDOW_VGA && offset < DISPI_WINDOW_VGA + 0x20) {
        for (unsigned i = 0; i < size; i++) {
            *ret_value |= (uint64_t)vga_port_read(vga, 0x3c0 + (unsigned)(offset - DISPI_WINDOW_VGA) + i) << i * 8;
        }
    } else if (offset >= DISPI_WINDOW_REGS && offset < DISPI_WINDOW_REGS + DISPI_N_REGS * 2) {
        *ret_value = vga_dispi_read(vga, (unsigned)(offset - DISPI_WINDOW_REGS) / 2);
    } else if (s->extended_regs && offset == DISPI_WINDOW_EXTENDED) {
        *ret_value = 8;
    } else if (s->extended_regs && offset == DISPI_WINDOW_EXTENDED + 4) {
        *ret_value = vga->dispi.big_endian ? 0xbebebebe : 0x1e1e1e1e;
    }
    return MEM_OK;
}

static MemResult mmio_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    VgaPci *s = opaque;
    Vga *vga = &s->vga;

    if (offset >= DISPI_WINDOW_VGA && offset < DISPI_WINDOW_VGA + 0x20) {
        for (unsigned i = 0; i < size; i++) {
            vga_port_write(vga, 0x3c0 + (unsigned)(offset - DISPI_WINDOW_VGA) + i, (uint8_t)(value >> i * 8));
        }
    } else if (offset >= DISPI_WINDOW_REGS && offset < DISPI_WINDOW_REGS + DISPI_N_REGS * 2 && !(offset & 1)) {
        vga_dispi_write(vga, (unsigned)(offset - DISPI_WINDOW_REGS) / 2, (uint16_t)value);
    } else if (s->extended_regs && offset == DISPI_WINDOW_EXTENDED + 4 && (value == 0xbebebebe || value == 0x1e1e1e1e)) {
        vga->dispi.big_endian = value == 0xbebebebe;
    } else {
        log_guest_error("vga: write to offset 0x%" PRIx64 " of the register window\n", offset);
    }
    return MEM_OK;
}

static const MemoryOps mmio_ops = { .read = mmio_read, .write = mmio_write, .valid = { .min = 1, .max = 4 }, .impl = { .min = 1, .max = 4 } };

/* Where a primary card answers besides its BARs. */
static void map_legacy(VgaPci *s)
{
    vga_init_ports(&s->vga, s->ports, s->port_at);
    for (unsigned i = 0; i < VGA_N_PORT_REGIONS; i++) {
        memory_region_add(s->pci.bus->io, s->port_at[i], &s->ports[i]);
    }
    memory_region_add_overlap(s->pci.bus->memory, 0xa0000, &s->vga.low, 1);
}

static bool vga_pci_realize(PciDevice *pci, Error **errp)
{
    VgaPci *s = (VgaPci *)pci;

    if (!vga_init(&s->vga, &pci->dev, vga_memory_bytes(s->vgamem_mb), errp)) {
        return false;
    }
    s->is_primary = pci->ptype->class_code == 0x0300;
    s->vga.dispi.big_endian = s->big_endian;
    edid_make(s->edid_bytes, &s->edid);
    pci_add_bar(pci, 0, PCI_BAR_MEMORY | PCI_BAR_PREFETCH, &s->vga.vram);
    if (s->use_mmio || !s->is_primary) {
        memory_region_init_mmio(&s->mmio, &pci->dev.obj, &mmio_ops, s, "vga.mmio", DISPI_WINDOW_BYTES);
        pci_add_bar(pci, 2, PCI_BAR_MEMORY, &s->mmio);
    } else {
        pci->config[PCI_REVISION] = 0;
    }
    if (s->is_primary) {
        map_legacy(s);
    }
    return true;
}

static void vga_pci_unrealize(PciDevice *pci)
{
    VgaPci *s = (VgaPci *)pci;

    memory_begin();
    for (unsigned i = 0; i < VGA_N_PORT_REGIONS && s->is_primary; i++) {
        memory_region_remove(pci->bus->io, &s->ports[i]);
    }
    if (s->is_primary) {
        memory_region_remove(pci->bus->memory, &s->vga.low);
    }
    memory_commit();
    vga_finish(&s->vga);
}

static void vga_pci_reset(PciDevice *pci)
{
    vga_reset(&((VgaPci *)pci)->vga);
}

static const StateField vga_pci_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    { .name = "vga", .kind = STATE_STRUCT, .offset = offsetof(VgaPci, vga), .elem_size = sizeof(Vga), .sub = &vga_state },
};
static const StateDesc vga_pci_state = { .name = "vga-pci", .version = 1, .fields = vga_pci_fields, .n_fields = ARRAY_SIZE(vga_pci_fields) };

#define VGA_PCI_PROPS                                                                                                  \
    PROP_U32("vgamem_mb", VgaPci, vgamem_mb, 16, "Video memory in MiB, rounded up to a power of two"),                 \
    PROP_B("edid", VgaPci, edid_on, true, "Tell the guest about the monitor"),                                        \
    PROP_B("qemu-extended-regs", VgaPci, extended_regs, true, "Offer the byte order register"),                        \
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
