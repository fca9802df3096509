/*
 * pc.c: the boards "pc" (440FX and PIIX3) and "q35" (Q35 and ICH9).
 *
 * Memory map: RAM from 0 to the PCI hole and from 4 GiB on; at 0xa0000 the VGA window, at 0xc0000 ROMs and shadow RAM, the I/O APIC at
 * 0xfec00000, the HPET at 0xfed00000, local APICs and MSI at 0xfee00000, firmware below 4 GiB. PCI lies under all of it: what nothing
 * else answers is the bus's.
 */
#include <stdio.h>

#include "hw/acpi.h"
#include "hw/fw_cfg.h"
#include "hw/disks-cmos.h"
#include "hw/i386/pc.h"
#include "hw/i386/pc-tables.h"
#include "hw/i386/pc-versions.h"
#include "hw/i386/rtc.h"
#include "util/parse.h"

enum { PC_MAX_CPUS = 255, Q35_MAX_CPUS = 288, PIIX_CPU_STATUS = 0xaf00, ICH9_CPU_STATUS = 0xcd8 };

/* -- memory ----------------------------------------------------------------------------------------------------------------- */

static bool create_memory(X86Machine *x, uint64_t usual_limit, uint64_t small_limit, Error **errp)
{
    /* As much as fits below the PCI hole; larger machines leave more room to PCI and split at a round address. */
    uint64_t limit = x->max_ram_below_4g ? MIN(x->max_ram_below_4g, usual_limit) : usual_limit;

    if (x->machine.ram_bytes >= limit) {
        limit = MIN(limit, small_limit);
    }
    if (!x86_create_memory(x, limit, errp)) {
        return false;
    }
    memory_region_init(&x->pci_memory, NULL, "pci", MEMORY_SIZE_ALL);
    memory_region_add_overlap(&x->machine.system_memory, 0, &x->pci_memory, -1);
    x->rom_memory = &x->pci_memory;
    /* The VGA window and shadow memory without a device behind them do not show the RAM below. */
    x86_init_master_abort(&x->master_abort, NULL, 1 * MiB);
    memory_region_add_overlap(&x->pci_memory, 0, &x->master_abort, -2);
    if (!memory_region_init_rom(&x->option_rom, NULL, "pc.rom", 128 * KiB, errp)) {
        return false;
    }
    memory_region_add_overlap(&x->pci_memory, 0xc0000, &x->option_rom, 1);
    return true;
}

static PciHostMemory host_memory(X86Machine *x)
{
    Machine *m = &x->machine;

    return (PciHostMemory){ .system = &m->system_memory, .pci = &x->pci_memory, .ram = m->ram, .io = &m->system_io,
                            .smram = &x->smram, .dma = &m->memory, .below_4g_bytes = x->below_4g_bytes };
}

/* A host bridge below /machine. */
static bool create_host(X86Machine *x, const char *type, const char *name, void (*connect)(Device *, const PciHostMemory *),
                        const char *const *props, Error **errp)
{
    PciHostMemory memory = host_memory(x);
    Device *dev = device_new(type, errp);

    if (!dev) {
        return false;
    }
    for (; props && *props; props += 2) {
        if (!object_property_parse(&dev->obj, props[0], props[1], errp)) {
            return false;
        }
    }
    connect(dev, &memory);
    object_add_child(&x->machine.obj, name, &dev->obj);
    x->host = dev;
    bool ok = device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    return ok;
}

static Device *pci_create(X86Machine *x, const char *type, const char *addr, bool multifunction, Error **errp)
{
    const char *const props[] = { "addr", addr, "multifunction", multifunction ? "on" : "off", NULL };
    return device_create(type, &x->root->bus, props, errp);
}

/* -- what both have ------------------------------------------------------------------------------------------------------------ */

static bool pc_begin(X86Machine *x, Error **errp)
{
    if (x->pic_option == OFF) {
        error_set(errp, "a PC without interrupt controllers (pic=off) is not supported");
        return false;
    }
    if (x->vmport == ON) {
        error_set(errp, "vmport=on is not supported");
        return false;
    }
    if (x->smm == ON && x->machine.no_smm) {
        error_set(errp, "System Management Mode not supported by this hypervisor.");
        return false;
    }
    return x86_create_cpus(x, errp);
}

static bool pc_middle(X86Machine *x, uint16_t cpu_status, Error **errp)
{
    return (x->acpi == OFF || acpi_cpu_status_create(&x->machine, x86_apic_id, &x->machine.system_io, cpu_status, errp)) &&
           x86_create_ioapic(x, errp) && x86_create_pic(x, errp) && pc_create_vga(x, errp) && pc_create_isa_devices(x, errp);
}

/* Reset: -no-fd-bootchk etc. stay; memory contents of the RTC are its own. */
static bool pc_end(X86Machine *x, Error **errp)
{
    if (!x86_create_fw_cfg(x, errp)) {
        return false;
    }
    x86_fill_fw_cfg(x);
    pc_fill_cmos(x);
    return x86_load_firmware(x, "bios-256k.bin", errp);
}

static uint8_t cmos_get(void *rtc, unsigned index)
{
    return rtc_get_cmos(rtc, index);
}

static void cmos_set(void *rtc, unsigned index, uint8_t value)
{
    rtc_set_cmos(rtc, index, value);
}

static bool pc_ready(Machine *m, Error **errp)
{
    X86Machine *x = (X86Machine *)m;

    disks_fill_cmos(cmos_get, cmos_set, x->rtc);
    return pc_finish_tables(x, errp) && fw_cfg_take_options(x->fw_cfg, errp);
}

/* -- pc ------------------------------------------------------------------------------------------------------------------------ */

static void smi_line(void *opaque, int n, int level)
{
    if (level) {
        x86_cpus_smi(opaque, level == ICH9_SMI_TO_ALL);
    }
}

static bool has_smm(const X86Machine *x)
{
    /* The accelerator may lack it: then firmware is not told of it. */
    return x86_is_on(x->smm, !x->machine.no_smm);
}

static bool i440fx_power(X86Machine *x, Error **errp)
{
    if (x->acpi == OFF || !device_type_find("PIIX4_PM")) {
        return true;
    }
    const char *const props[] = { "addr", "01.3", "smb_io_base", "0xb100", "smm-enabled", has_smm(x) ? "on" : "off", NULL };
    x->pm = device_create("PIIX4_PM", &x->root->bus, props, errp);
    if (!x->pm) {
        return false;
    }
    device_connect_irq(x->pm, "sci", 0, isa_irq(x->isa, 9));
    if (has_smm(x)) {
        device_connect_irq(x->pm, "smi", 0, irq_new(smi_line, x, 0));
    }
    return !x->smbus_on || pc_add_spd(x, x->pm, errp);
}

static bool i440fx_init(Machine *m, Error **errp)
{
    X86Machine *x = (X86Machine *)m;

    if (!create_memory(x, 0xe0000000, 0xc0000000, errp) || !pc_begin(x, errp) ||
        !create_host(x, "i440FX-pcihost", "i440fx", i440fx_connect, NULL, errp)) {
        return false;
    }
    x->root = i440fx_bus(x->host);
    x->south = pci_create(x, "PIIX3", "01.0", true, errp);
    if (!x->south) {
        return false;
    }
    x->isa = piix3_isa(x->south);
    return pc_middle(x, PIIX_CPU_STATUS, errp) && pc_create_storage(x, "piix3-ide", "01.1", false, 2, errp) && i440fx_power(x, errp) &&
           pc_end(x, errp);
}

/* -- q35 ------------------------------------------------------------------------------------------------------------------------ */

static bool q35_power(X86Machine *x, Error **errp)
{
    Irq *gsi[IOAPIC_PINS];

    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        gsi[n] = x86_gsi(x, n);
    }
    ich9_connect(x->south, gsi, has_smm(x) ? irq_new(smi_line, x, 0) : NULL);
    if (!x->smbus_on || !device_type_find("ICH9-SMB")) {
        return true;
    }
    Device *smbus = pci_create(x, "ICH9-SMB", "1f.3", true, errp);
    return smbus && pc_add_spd(x, smbus, errp);
}

static bool q35_init(Machine *m, Error **errp)
{
    static const char *const host_props[] = { "MCFG", "0xffffffffffffffff", NULL };
    X86Machine *x = (X86Machine *)m;

    if (!create_memory(x, 0xb0000000, 0x80000000, errp) || !pc_begin(x, errp) ||
        !create_host(x, "q35-pcihost", "q35", q35_connect, host_props, errp)) {
        return false;
    }
    x->root = q35_bus(x->host);
    x->south = pci_create(x, "ICH9-LPC", "1f.0", true, errp);
    if (!x->south) {
        return false;
    }
    x->isa = ich9_isa(x->south);
    return pc_middle(x, ICH9_CPU_STATUS, errp) && (!x->sata_on || pc_create_storage(x, "ich9-ahci", "1f.2", true, 1, errp)) &&
           q35_power(x, errp) && pc_end(x, errp);
}

/* -- machine types ---------------------------------------------------------------------------------------------------------------- */

static void pc_obj_init(Object *obj)
{
    X86Machine *x = (X86Machine *)obj;

    x->hpet_on = x->i8042_on = x->sata_on = x->smbus_on = x->fd_bootchk = true;
    x->max_fw_bytes = 8 * MiB;
}

static void pc_obj_finish(Object *obj)
{
    free(((X86Machine *)obj)->cpus);
}

static bool set_low_limit(Object *obj, const Property *prop, const PropValue *value, Error **errp)
{
    uint64_t n = value->u;

    if ((value->kind == VALUE_STRING && !parse_size(value->s, &n, errp))) {
        return false;
    }
    if (n > 4 * GiB) {
        error_set(errp, "Machine option 'max-ram-below-4g=%" PRIu64 "' expects size less than or equal to 4G", n);
        return false;
    }
    ((X86Machine *)obj)->max_ram_below_4g = n;
    return true;
}

#define ON_OFF_AUTO(pname, field, text) \
    { .name = (pname), .kind = PROP_ENUM, .type_name = "OnOffAuto", .offset = offsetof(X86Machine, field), \
      .names = on_off_auto_names, .help = (text) }
#define FLAG(pname, field, text) \
    { .name = (pname), .kind = PROP_BOOL, .offset = offsetof(X86Machine, field), .help = (text) }

static const Property pc_props[] = {
    ON_OFF_AUTO("acpi", acpi, "Enable ACPI"),
    ON_OFF_AUTO("smm", smm, "Enable SMM"),
    ON_OFF_AUTO("pic", pic_option, "Enable i8259 PIC"),
    ON_OFF_AUTO("pit", pit_option, "Enable i8254 PIT"),
    ON_OFF_AUTO("vmport", vmport, "Enable vmport (pc & q35)"),
    FLAG("hpet", hpet_on, "Enable/disable high precision event timer emulation"),
    FLAG("i8042", i8042_on, "Enable/disable Intel 8042 PS/2 controller emulation"),
    FLAG("sata", sata_on, "Enable/disable Serial ATA bus"),
    FLAG("smbus", smbus_on, "Enable/disable system management bus"),
    FLAG("fd-bootchk", fd_bootchk, "Enable/disable boot signature checking for floppy disks in BIOS"),
    { .name = "max-ram-below-4g", .kind = PROP_SIZE, .offset = offsetof(X86Machine, max_ram_below_4g), .set = set_low_limit,
      .help = "Maximum ram below the 4G boundary (32bit boundary)" },
    { .name = "max-fw-size", .kind = PROP_SIZE, .offset = offsetof(X86Machine, max_fw_bytes),
      .help = "Maximum combined firmware size" },
    PROP_STR("pcspk-audiodev", X86Machine, pcspk_audiodev, "ID of an audiodev for the PC speaker"),
    PROP_STR("smbios-entry-point-type", X86Machine, smbios_entry, "SMBIOS Entry Point type [32, 64]"),
    PROP_STR("x-oem-id", X86Machine, oem_id,
             "Override the default value of field OEMID in ACPI table header.The string may be up to 6 bytes in size"),
    PROP_STR("x-oem-table-id", X86Machine, oem_table_id,
             "Override the default value of field OEM Table ID in ACPI table header.The string may be up to 8 bytes in size"),
    PROP_STR("pflash0", X86Machine, pflash[0], "Node name or ID of a block device to use as a backend"),
    PROP_STR("pflash1", X86Machine, pflash[1], "Node name or ID of a block device to use as a backend"),
};

static const ObjectType pc_base_type = {
    .name = "generic-pc-machine", .parent = "machine", .summary = "what PC boards share", .size_bytes = sizeof(X86Machine),
    .abstract = true, .props = pc_props, .n_props = ARRAY_SIZE(pc_props), .init = pc_obj_init, .finish = pc_obj_finish,
};
OBJECT_TYPE_REGISTER(pc_base_type);

static const char *const pc_arches[] = { "x86_64", "i386", NULL };

#define PC_TYPE(id, version, is_newest, chip, description, init_fn, cpus, block_if, units, nic)                                  \
    static const MachineType id = {                                                                                     \
        .type = { .name = version "-machine", .parent = "generic-pc-machine", .summary = description, .size_bytes = sizeof(X86Machine) }, \
        .name = version, .alias = is_newest ? chip : NULL, .desc = description, .arches = pc_arches,                       \
        .is_default = is_newest && chip[0] == 'p', .default_cpu32 = "qemu32", .default_cpu64 = "qemu64", .max_cpus = cpus,    \
        .default_cpus = 1, .default_ram_bytes = 128 * MiB, .ram_id = "pc.ram", .default_block_if = block_if, .default_nic = nic, \
        .usb_controller = "qemu-xhci", .usb_addr = chip[0] == 'p' ? "01.2" : "1d.0",                                            \
        .init = init_fn, .ready = pc_ready, X86_MACHINE_HOOKS, .creates_nic = true, .has_vga = true, .has_numa = true, .units_per_bus = units, .no_floppy = (units) == 1, \
    };                                                                                                                     \
    OBJECT_TYPE_REGISTER(id);

#define I440FX(id, version, newest)                                                                                      \
    PC_TYPE(i440fx_##id, "pc-i440fx-" version, newest, "pc", "Standard PC (i440FX + PIIX, 1996)", i440fx_init, PC_MAX_CPUS, \
            "ide", 2, "e1000")
#define Q35(id, version, newest)                                                                                         \
    PC_TYPE(q35_##id, "pc-q35-" version, newest, "q35", "Standard PC (Q35 + ICH9, 2009)", q35_init, Q35_MAX_CPUS, "ide", 1, "e1000e")
PC_VERSIONS(I440FX, Q35)
