/*
 * vga-isa.c: "isa-vga", the standard VGA on the ISA bus. Its video memory is at 0xa0000, and at 0xe0000000 for the Bochs interface.
 */
#include "hw/display/vga.h"
#include "hw/isa.h"

typedef struct VgaIsa {
    Device dev;
    Vga vga;
    uint32_t vgamem_mb;
    MemoryRegion ports[VGA_N_PORT_REGIONS];
    uint16_t port_at[VGA_N_PORT_REGIONS];
} VgaIsa;

enum { LFB_ADDRESS = 0xe0000000 };

static bool vga_isa_realize(Device *dev, Error **errp)
{
    VgaIsa *s = (VgaIsa *)dev;
    IsaBus *bus = isa_bus_of(dev);

    if (!vga_init(&s->vga, dev, vga_memory_bytes(s->vgamem_mb), NULL, errp)) {
        return false;
    }
    vga_init_ports(&s->vga, s->ports, s->port_at);
    for (unsigned i = 0; i < VGA_N_PORT_REGIONS; i++) {
        isa_add_io(bus, s->port_at[i], &s->ports[i]);
    }
    isa_add_memory(bus, 0xa0000, &s->vga.low);
    isa_add_memory(bus, LFB_ADDRESS, &s->vga.vram);
    return true;
}

static void vga_isa_unrealize(Device *dev)
{
    vga_finish(&((VgaIsa *)dev)->vga);
}

static void vga_isa_reset(Device *dev, ResetKind kind)
{
    vga_reset(&((VgaIsa *)dev)->vga);
}

static const StateField vga_isa_fields[] = {
    { .name = "vga", .kind = STATE_STRUCT, .offset = offsetof(VgaIsa, vga), .elem_size = sizeof(Vga), .sub = &vga_state },
};
static const StateDesc vga_isa_state = { .name = "vga-isa", .version = 1, .fields = vga_isa_fields, .n_fields = ARRAY_SIZE(vga_isa_fields) };

static const Property vga_isa_props[] = {
    PROP_U32("vgamem_mb", VgaIsa, vgamem_mb, 8, "Video memory in MiB, rounded up to a power of two"),
};

static const DeviceType vga_isa_type = {
    .type = { .name = "isa-vga", .parent = "isa-device", .size_bytes = sizeof(VgaIsa), .summary = "standard VGA on the ISA bus",
              .props = vga_isa_props, .n_props = ARRAY_SIZE(vga_isa_props) },
    .category = DEVICE_DISPLAY, .bus = "ISA", .state = &vga_isa_state, .realize = vga_isa_realize, .unrealize = vga_isa_unrealize,
    .reset_hold = vga_isa_reset, .user_creatable = true,
};
DEVICE_TYPE_REGISTER(vga_isa_type);
