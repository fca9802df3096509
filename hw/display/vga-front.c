/*
 * vga-front.c: what VGA cards on PCI have besides the VGA: the window to its registers and to the Bochs interface (dispi.h), and the
 * ports and the memory at 0xa0000 where a primary card answers whatever its BARs say.
 */
#include "hw/display/vga.h"
#include "hw/pci.h"
#include "util/log.h"

static MemResult mmio_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value, MemAttrs attrs)
{
    VgaFront *s = opaque;
    Vga *vga = &s->vga;

    *ret_value = 0;
    if (offset < EDID_BYTES) {
        for (unsigned i = 0; i < size && s->edid && offset + i < EDID_BYTES; i++) {
            *ret_value |= (uint64_t)s->edid[offset + i] << i * 8;
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
    VgaFront *s = opaque;
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

void vga_front_init_window(VgaFront *s)
{
    memory_region_init_mmio(&s->window, &s->vga.owner->obj, &mmio_ops, s, "vga.mmio", DISPI_WINDOW_BYTES);
}

void vga_front_map_legacy(VgaFront *s, PciBus *bus)
{
    vga_init_ports(&s->vga, s->ports, s->port_at);
    for (unsigned i = 0; i < VGA_N_PORT_REGIONS; i++) {
        memory_region_add(bus->io, s->port_at[i], &s->ports[i]);
    }
    memory_region_add_overlap(bus->memory, 0xa0000, &s->vga.low, 1);
}

void vga_front_unmap_legacy(VgaFront *s, PciBus *bus)
{
    memory_begin();
    for (unsigned i = 0; i < VGA_N_PORT_REGIONS; i++) {
        memory_region_remove(bus->io, &s->ports[i]);
    }
    memory_region_remove(bus->memory, &s->vga.low);
    memory_commit();
}
