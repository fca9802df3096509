/*
 * pc-devices.c: what every PC has on its ISA bus, and the configuration bytes its BIOS reads.
 *
 * Devices of other rooms (i8042, floppy, VGA, network) are made by their type's name, if this program has it.
 */
#include <stdio.h>

#include "hw/chardev-prop.h"
#include "hw/i386/dma.h"
#include "hw/i386/pc.h"
#include "hw/i386/pic.h"
#include "hw/i386/pit.h"
#include "hw/i386/rtc.h"

enum { /* configuration bytes in the RTC (SeaBIOS, OVMF; the first are the IBM PC AT's) */
    CMOS_EQUIPMENT = 0x14, CMOS_BASE_KB = 0x15, CMOS_EXTENDED_KB = 0x17, CMOS_EXTENDED_KB_2 = 0x30,
    CMOS_ABOVE_16M = 0x34, CMOS_BOOT_3 = 0x38, CMOS_BOOT_1_2 = 0x3d, CMOS_ABOVE_4G = 0x5b, CMOS_CPUS = 0x5f,
    EQUIPMENT_FPU = 2, EQUIPMENT_MOUSE = 4,
};
enum { MAX_SERIALS = 4 };

/* -- ports that nothing answers ------------------------------------------------------------------------------------------ */

static MemResult ones_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = UINT64_MAX;
    return MEM_OK;
}

/* Port 80h: a code that is shown nowhere, and a delay. */
static MemResult port80_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    return MEM_OK;
}

/* Port F0h: the coprocessor's interrupt has been seen. */
static MemResult port_f0_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    irq_lower(((X86Machine *)opaque)->ferr);
    return MEM_OK;
}

static const MemoryOps port80_ops = { .read = ones_read, .write = port80_write, .valid = { 1, 8 }, .impl = { 1, 8 } };
static const MemoryOps port_f0_ops = { .read = ones_read, .write = port_f0_write, .valid = { 1, 8 }, .impl = { 1, 8 } };

static Device *isa_create(X86Machine *x, const char *type, const char *const *props, Error **errp)
{
    return device_create(type, isa_bus_as_bus(x->isa), props, errp);
}

/* -- timers ---------------------------------------------------------------------------------------------------------------- */

static bool create_hpet(X86Machine *x, Error **errp)
{
    /* Inputs of the I/O APIC it may drive: 2, 8 and, where PIRQs have 16 to 23 anyway, these. */
    bool q35 = x->root && x->root->is_express;
    const char *const props[] = { "hpet-intcap", q35 ? "0xff0104" : "4", NULL };

    x->hpet = device_create("hpet", NULL, props, errp);
    if (!x->hpet) {
        return false;
    }
    sysbus_map(x->hpet, 0, 0xfed00000);
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        device_connect_irq(x->hpet, "sysbus-irq", n, x86_gsi(x, n));
    }
    return true;
}

const char *x86_pit_type(X86Machine *x)
{
    return x->irqchip->pit ? x->irqchip->pit : "isa-pit";
}

static bool create_pit(X86Machine *x, Error **errp)
{
    x->pit = isa_create(x, x86_pit_type(x), NULL, errp);
    if (!x->pit) {
        return false;
    }
    /* With an HPET the timers' lines run through it, so that it can take their place. */
    if (x->hpet) {
        device_connect_irq(x->pit, NULL, 0, device_irq_in(x->hpet, NULL, 0));
        device_connect_irq(x->hpet, NULL, 0, device_irq_in(x->pit, NULL, 0));
    } else {
        device_connect_irq(x->pit, NULL, 0, isa_irq(x->isa, 0));
    }
    char *path = object_path(&x->pit->obj);
    bool ok = isa_create(x, "isa-pcspk", (const char *const[]){ "pit", path, "audiodev", x->pcspk_audiodev ? x->pcspk_audiodev : "", NULL }, errp) != NULL;
    free(path);
    return ok;
}

/* -- the rest -------------------------------------------------------------------------------------------------------------- */

static bool create_port(X86Machine *x, const char *type, unsigned n, struct Chardev *chr, Error **errp)
{
    char index[16];
    Device *dev = device_new(type, errp);

    snprintf(index, sizeof(index), "%u", n);
    bool ok = dev && object_property_parse(&dev->obj, "index", index, errp) &&
              device_attach_chardev(dev, chr, errp) && device_realize(dev, isa_bus_as_bus(x->isa), errp);
    if (dev) {
        object_unref(&dev->obj);
    }
    return ok;
}

static bool create_i8042(X86Machine *x, Error **errp)
{
    Device *port92 = isa_create(x, "port92", NULL, errp);

    if (!port92) {
        return false;
    }
    device_connect_irq(port92, "a20", 0, &x->a20);
    if (!x->i8042_on || !device_type_find("i8042")) {
        return true;
    }
    Device *dev = isa_create(x, "i8042", NULL, errp);
    if (dev) {
        device_connect_irq(dev, "a20", 0, &x->a20);
        device_connect_irq(dev, "reset", 0, &x->reset);
    }
    return dev != NULL;
}

bool pc_create_isa_devices(X86Machine *x, Error **errp)
{
    Machine *m = &x->machine;

    memory_region_init_mmio(&x->port80, NULL, &port80_ops, x, "ioport80", 1);
    memory_region_init_mmio(&x->port_f0, NULL, &port_f0_ops, x, "ioportF0", 1);
    memory_region_add(&m->system_io, 0x80, &x->port80);
    memory_region_add(&m->system_io, 0xf0, &x->port_f0);
    if (x->hpet_on && !create_hpet(x, errp)) {
        return false;
    }
    x->rtc = isa_create(x, "mc146818rtc", NULL, errp);
    if (!x->rtc) {
        return false;
    }
    if (x->hpet) {
        device_connect_irq(x->rtc, NULL, 0, device_irq_in(x->hpet, NULL, 1));
    }
    if (x86_is_on(x->pit_option, true) && !create_pit(x, errp)) {
        return false;
    }
    for (unsigned n = 0; n < MACHINE_MAX_SERIALS; n++) {
        if (m->serials[n] && n >= MAX_SERIALS) {
            error_set(errp, "a PC has at most %d serial ports", MAX_SERIALS);
            return false;
        }
        if (m->serials[n] && !create_port(x, "isa-serial", n, m->serials[n], errp)) {
            return false;
        }
    }
    for (unsigned n = 0; n < MACHINE_MAX_PARALLELS; n++) {
        if (m->parallels[n] && !create_port(x, "isa-parallel", n, m->parallels[n], errp)) {
            return false;
        }
    }
    return create_i8042(x, errp) && i8257_create(x->isa, errp);
}

/* -- graphics --------------------------------------------------------------------------------------------------------------- */

bool pc_create_vga(X86Machine *x, Error **errp)
{
    static const struct {
        const char *option, *type;
    } cards[] = {
        { "std", "VGA" }, { "cirrus", "cirrus-vga" }, { "vmware", "vmware-svga" }, { "qxl", "qxl-vga" }, { "virtio", "virtio-vga" },
    };
    const char *vga = x->machine.vga;

    if (!vga) {
        return !device_type_find("VGA") || device_create("VGA", &x->root->bus, NULL, errp) != NULL;
    }
    if (!strcmp(vga, "none")) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(cards); i++) {
        if (!strcmp(vga, cards[i].option)) {
            if (!device_type_find(cards[i].type)) {
                error_set(errp, "graphics card '%s' is not available", vga);
                return false;
            }
            return device_create(cards[i].type, &x->root->bus, NULL, errp) != NULL;
        }
    }
    error_set(errp, "unknown vga type: %s", vga);
    return false;
}

/* -- configuration bytes ----------------------------------------------------------------------------------------------------- */

static void cmos16(Device *rtc, unsigned index, uint64_t value)
{
    value = MIN(value, 0xffff);
    rtc_set_cmos(rtc, index, (uint8_t)value);
    rtc_set_cmos(rtc, index + 1, (uint8_t)(value >> 8));
}

/* -boot order= as the nibbles SeaBIOS reads. */
static unsigned boot_code(char device)
{
    switch (device) {
    case 'a': case 'b': return 1;
    case 'c': return 2;
    case 'd': return 3;
    case 'n': return 4;
    }
    return 0;
}

void pc_set_boot_order(X86Machine *x, const char *order)
{
    unsigned nibbles[3] = {0};

    for (unsigned i = 0; i < 3 && order[i]; i++) {
        nibbles[i] = boot_code(order[i]);
    }
    rtc_set_cmos(x->rtc, CMOS_BOOT_1_2, (uint8_t)(nibbles[1] << 4 | nibbles[0]));
    rtc_set_cmos(x->rtc, CMOS_BOOT_3, (uint8_t)(nibbles[2] << 4 | !x->fd_bootchk));
}

void pc_fill_cmos(X86Machine *x)
{
    const Machine *m = &x->machine;
    uint64_t low = x->below_4g_bytes, high = x->above_4g_bytes;

    cmos16(x->rtc, CMOS_BASE_KB, MIN(low / KiB, 640));
    cmos16(x->rtc, CMOS_EXTENDED_KB, (low - MIN(low, 1 * MiB)) / KiB);
    cmos16(x->rtc, CMOS_EXTENDED_KB_2, (low - MIN(low, 1 * MiB)) / KiB);
    cmos16(x->rtc, CMOS_ABOVE_16M, (low - MIN(low, 16 * MiB)) / (64 * KiB));
    high = MIN(high / (64 * KiB), 0xffffff);
    for (unsigned i = 0; i < 3; i++) {
        rtc_set_cmos(x->rtc, CMOS_ABOVE_4G + i, (uint8_t)(high >> 8 * i));
    }
    rtc_set_cmos(x->rtc, CMOS_CPUS, m->smp.cpus <= 256 ? (uint8_t)(m->smp.cpus - 1) : 0);
    rtc_set_cmos(x->rtc, CMOS_EQUIPMENT, EQUIPMENT_FPU | (x->i8042_on ? EQUIPMENT_MOUSE : 0));
}
