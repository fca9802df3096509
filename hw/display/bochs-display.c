/*
 * bochs-display.c: the Bochs display interface alone: no VGA. BAR 0: video memory, BAR 2: registers (dispi.h).
 *
 * 32 bits a pixel, in either byte order. Writes to other registers and modes do nothing.
 */
#include "hw/display/dispi.h"
#include "hw/pci.h"
#include "util/log.h"

typedef struct BochsDisplay {
    PciDevice pci;
    uint64_t vgamem_bytes;
    bool edid_on, big_endian;
    EdidInfo edid;
    uint8_t edid_bytes[EDID_BYTES];
    MemoryRegion vram, mmio;
    Dispi dispi;
    Console *con;
    Framebuffer fb;
} BochsDisplay;

static MemResult mmio_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value, MemAttrs attrs)
{
    BochsDisplay *s = opaque;

    *ret_value = 0;
    if (offset < EDID_BYTES) {
        for (unsigned i = 0; i < size && s->edid_on && offset + i < EDID_BYTES; i++) {
            *ret_value |= (uint64_t)s->edid_bytes[offset + i] << i * 8;
        }
    } else if (offset >= DISPI_WINDOW_REGS && offset < DISPI_WINDOW_REGS + DISPI_N_REGS * 2) {
        *ret_value = dispi_read(&s->dispi, (unsigned)(offset - DISPI_WINDOW_REGS) / 2);
    } else if (offset == DISPI_WINDOW_EXTENDED) {
        *ret_value = 8;
    } else if (offset == DISPI_WINDOW_EXTENDED + 4) {
        *ret_value = s->dispi.big_endian ? 0xbebebebe : 0x1e1e1e1e;
    }
    return MEM_OK;
}

static MemResult mmio_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    BochsDisplay *s = opaque;
    bool clear;

    if (offset >= DISPI_WINDOW_REGS && offset < DISPI_WINDOW_REGS + DISPI_N_REGS * 2 && !(offset & 1)) {
        dispi_write(&s->dispi, (unsigned)(offset - DISPI_WINDOW_REGS) / 2, (uint16_t)value, &clear);
        if (clear) {
            uint64_t bytes = MIN((uint64_t)dispi_stride(&s->dispi) * s->dispi.regs[DISPI_YRES], s->vgamem_bytes);
            memset(memory_region_host(&s->vram), 0, bytes);
            ram_mark_dirty(s->vram.ram, 0, bytes);
        }
    } else if (offset == DISPI_WINDOW_EXTENDED + 4 && (value == 0xbebebebe || value == 0x1e1e1e1e)) {
        s->dispi.big_endian = value == 0xbebebebe;
    } else {
        log_guest_error("bochs-display: write to offset 0x%" PRIx64 " of the register window\n", offset);
    }
    return MEM_OK;
}

static const MemoryOps mmio_ops = { .read = mmio_read, .write = mmio_write, .valid = { .min = 1, .max = 4 }, .impl = { .min = 1, .max = 4 } };

static void update(void *opaque)
{
    BochsDisplay *s = opaque;
    FbMode mode = {0};

    if (dispi_enabled(&s->dispi) && s->dispi.regs[DISPI_BPP] == 32) {
        dispi_mode(&s->dispi, s->vram.ram, &mode);
    }
    if (fb_set(&s->fb, &mode)) {
        fb_update(&s->fb);
    }
}

static void invalidate(void *opaque)
{
    fb_invalidate(&((BochsDisplay *)opaque)->fb);
}

static const ConsoleOps console_ops = { .update = update, .invalidate = invalidate };

static bool bochs_realize(PciDevice *pci, Error **errp)
{
    BochsDisplay *s = (BochsDisplay *)pci;

    if (s->vgamem_bytes < 4 * MiB || s->vgamem_bytes > GiB) {
        error_set(errp, "bochs-display: video memory (vgamem) must be 4 MiB to 1 GiB");
        return false;
    }
    if (!bits_is_pow2(s->vgamem_bytes)) {
        s->vgamem_bytes = BIT(64 - __builtin_clzll(s->vgamem_bytes));
    }
    if (!memory_region_init_ram(&s->vram, &pci->dev.obj, "bochs-display-vram", s->vgamem_bytes, errp)) {
        return false;
    }
    ram_dirty_log(s->vram.ram, DIRTY_DISPLAY, true);
    s->dispi = (Dispi){ .vram_bytes = (uint32_t)s->vgamem_bytes, .max_width = CONSOLE_MAX_WIDTH, .max_height = CONSOLE_MAX_HEIGHT };
    edid_make(s->edid_bytes, &s->edid);
    memory_region_init_mmio(&s->mmio, &pci->dev.obj, &mmio_ops, s, "bochs-display-mmio", DISPI_WINDOW_BYTES);
    pci_add_bar(pci, 0, PCI_BAR_MEMORY | PCI_BAR_PREFETCH, &s->vram);
    pci_add_bar(pci, 2, PCI_BAR_MEMORY, &s->mmio);
    if (pci->bus->is_express) {
        pci_add_express_cap(pci, pci->bus->bridge ? 0 : 9);
    }
    s->con = console_new(&pci->dev, 0, &console_ops, s);
    fb_init(&s->fb, s->con);
    return true;
}

static void bochs_unrealize(PciDevice *pci)
{
    BochsDisplay *s = (BochsDisplay *)pci;

    fb_finish(&s->fb);
    console_free(s->con);
}

static void bochs_reset(PciDevice *pci)
{
    BochsDisplay *s = (BochsDisplay *)pci;

    dispi_reset(&s->dispi);
    s->dispi.big_endian = s->big_endian;
}

static const StateField bochs_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    { .name = "dispi", .kind = STATE_STRUCT, .offset = offsetof(BochsDisplay, dispi), .elem_size = sizeof(Dispi), .sub = &dispi_state },
};
static const StateDesc bochs_state = { .name = "bochs-display", .version = 1, .fields = bochs_fields, .n_fields = ARRAY_SIZE(bochs_fields) };

static const Property bochs_props[] = {
    PROP_SZ("vgamem", BochsDisplay, vgamem_bytes, 16 * MiB, "Bytes of video memory, rounded up to a power of two"),
    PROP_B("edid", BochsDisplay, edid_on, true, "Tell the guest about the monitor"),
    PROP_B("big-endian-framebuffer", BochsDisplay, big_endian, false, "Byte order of pixels after a reset"), EDID_PROPS(BochsDisplay, edid),
};

static const PciType bochs_class = {
    .vendor = 0x1234, .device = 0x1111, .revision = 2, .class_code = 0x0380, .realize = bochs_realize, .unrealize = bochs_unrealize,
    .reset = bochs_reset, .is_express = true,
};

static const DeviceType bochs_type = {
    .type = { .name = "bochs-display", .parent = "pci-device", .size_bytes = sizeof(BochsDisplay), .summary = "Bochs display interface",
              .props = bochs_props, .n_props = ARRAY_SIZE(bochs_props), .class_data = &bochs_class },
    .category = DEVICE_DISPLAY, .state = &bochs_state, .user_creatable = true, PCI_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(bochs_type);
