/*
 * pc-tables.c: what the PC boards tell firmware and guests about themselves: memory map, ACPI, SMBIOS, boot order, kernel.
 */
#include "block/block.h"
#include "hw/acpi.h"
#include "hw/boot.h"
#include "hw/disks-cmos.h"
#include "hw/fw_cfg.h"
#include "hw/i386/e820.h"
#include "hw/i386/kernel.h"
#include "hw/i386/pc-tables.h"
#include "hw/i386/rtc.h"
#include "hw/ide.h"
#include "hw/smbios.h"
#include "hw/smbus.h"

bool pc_add_spd(X86Machine *x, Device *controller, Error **errp)
{
    return smbus_add_eeproms(controller, errp);
}

bool pc_create_storage(X86Machine *x, const char *type, const char *addr, bool multifunction, unsigned units_per_bus, Error **errp)
{
    const char *const props[] = { "addr", addr, "multifunction", multifunction ? "on" : "off", NULL };

    if (device_type_find(type)) {
        Device *ide = device_create(type, &x->root->bus, props, errp);
        if (!ide || !ide_add_drives(ide, 0, units_per_bus, errp)) {
            return false;
        }
    }
    bool floppies = drive_get("floppy", 0) || drive_get("floppy", 1);
    if (device_type_find("isa-fdc") && (!x->root->is_express || floppies)) {
        x->fdc = device_create("isa-fdc", isa_bus_as_bus(x->isa), NULL, errp);
        return x->fdc != NULL;
    }
    return true;
}

/* -- memory map -------------------------------------------------------------------------------------------------------------- */

static bool install_e820(X86Machine *x, Error **errp)
{
    E820Entry entries[3] = { { 0, x->below_4g_bytes, E820_RAM } };
    unsigned n = 1;
    uint32_t cpuid[4];

    if (x->above_4g_bytes) {
        entries[n++] = (E820Entry){ 4 * GiB, x->above_4g_bytes, E820_RAM };
    }
    /* AMD's processors keep the top of the first TiB for HyperTransport. */
    x86_cpus_cpuid(&x->machine, 0, 0, cpuid);
    if (!memcmp(cpuid + 1, "Auth", 4)) {
        entries[n++] = (E820Entry){ UINT64_C(0xfd00000000), UINT64_C(0x300000000), E820_RESERVED };
    }
    return e820_install(x->fw_cfg, entries, n, errp);
}

/* -- ACPI ---------------------------------------------------------------------------------------------------------------------- */

static bool ecam(void *opaque, AcpiRange *ret)
{
    X86Machine *x = opaque;
    return q35_ecam(x->host, &ret->base, &ret->size_bytes);
}

static void describe_isa(X86Machine *x, AcpiBoard *b)
{
    uint8_t floppies = rtc_get_cmos(x->rtc, 0x10);
    static const AcpiIsaPort serial[4] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };
    static const AcpiIsaPort parallel[] = { { 0x378, 7 }, { 0x278, 7 }, { 0x3bc, 7 } };

    for (unsigned n = 0; n < 4; n++) {
        if (x->machine.serials[n]) {
            b->serial[n] = serial[n];
        }
    }
    for (unsigned n = 0; n < MIN(ARRAY_SIZE(parallel), ARRAY_SIZE(b->parallel)); n++) {
        if (x->machine.parallels[n]) {
            b->parallel[n] = parallel[n];
        }
    }
    b->hpet = x->hpet != NULL;
    b->rtc = true;
    b->i8042 = x->i8042_on && device_type_find("i8042");
    b->floppy = x->fdc != NULL;
    b->floppy_type[0] = floppies >> 4;
    b->floppy_type[1] = floppies & 15;
    b->fw_cfg_port = 0x510;
}

static uint8_t pm_property(Device *pm, const char *name)
{
    PropValue value;
    bool ok = object_property_get(&pm->obj, name, &value, NULL);
    assert(ok && value.kind == VALUE_UINT);
    return (uint8_t)value.u;
}

static bool install_acpi(X86Machine *x, Error **errp)
{
    Machine *m = &x->machine;
    bool q35 = x->root->is_express;
    uint32_t *ids = xnew_array(uint32_t, m->smp.max_cpus);
    uint64_t hole = x->below_4g_bytes;
    AcpiBoard b = {
        .machine = m, .fw_cfg = x->fw_cfg, .chipset = q35 ? ACPI_CHIPSET_ICH9 : ACPI_CHIPSET_PIIX, .oem_id = x->oem_id,
        .oem_table_id = x->oem_table_id, .apic_ids = ids, .n_cpus = m->smp.cpus, .max_cpus = m->smp.max_cpus,
        .ram = { { 0, x->below_4g_bytes }, { 4 * GiB, x->above_4g_bytes } },
        .io_apic = { IOAPIC_ADDR, 0x1000 }, .irq0_override = true, .sci_irq = 9, .level_irqs = 1 << 5 | 1 << 9 | 1 << 10 | 1 << 11,
        .root = x->root, .pci_hole = { hole, IOAPIC_ADDR - hole }, .lpc_devfn = q35 ? 0xf8 : 0x08,
        .pm_base = 0x600, .gpe0_base = q35 ? 0x620 : 0xafe0, .gpe0_bytes = q35 ? 16 : 4,
        .acpi_enable = q35 ? ICH9_ACPI_ENABLE : 0xf1, .acpi_disable = q35 ? ICH9_ACPI_DISABLE : 0xf0, .reset_register = true,
    };
    Device *pm = q35 ? x->south : x->pm;

    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        ids[i] = x86_apic_id(&m->smp, i);
    }
    if (q35) {
        b.ecam = ecam;
        b.opaque = x;
    }
    b.no_s3 = pm_property(pm, "disable_s3");
    b.no_s4 = pm_property(pm, "disable_s4");
    b.s4_value = pm_property(pm, "s4_val");
    describe_isa(x, &b);
    return acpi_install(&b, errp);
}

/* -- SMBIOS -------------------------------------------------------------------------------------------------------------------- */

static bool smbios_entry(const X86Machine *x, SmbiosEntry *ret, Error **errp)
{
    static const char *const names[] = { [SMBIOS_ENTRY_32] = "32", [SMBIOS_ENTRY_64] = "64", [SMBIOS_ENTRY_AUTO] = "auto" };

    *ret = SMBIOS_ENTRY_AUTO;
    for (size_t i = 0; x->smbios_entry && i < ARRAY_SIZE(names); i++) {
        if (!strcmp(x->smbios_entry, names[i])) {
            *ret = (SmbiosEntry)i;
            return true;
        }
    }
    if (x->smbios_entry) {
        error_set(errp, "smbios-entry-point-type '%s' is not 32, 64 or auto", x->smbios_entry);
    }
    return !x->smbios_entry;
}

static bool install_smbios(X86Machine *x, Error **errp)
{
    const MachineType *type = x->machine.type;
    SmbiosRange memory[2] = { { 0, x->below_4g_bytes }, { 4 * GiB, x->above_4g_bytes } };
    uint32_t cpuid[4];
    SmbiosBoard b = { .machine = &x->machine, .manufacturer = "QEMU", .product = type->desc, .version = type->name,
                      .memory = memory, .n_memory = x->above_4g_bytes ? 2 : 1 };

    x86_cpus_cpuid(&x->machine, 1, 0, cpuid);
    b.cpu_signature = cpuid[0];
    b.cpu_features = cpuid[3];
    return smbios_entry(x, &b.entry, errp) && smbios_install(&b, x->fw_cfg, errp);
}

static uint8_t get_cmos(void *opaque, unsigned index)
{
    return rtc_get_cmos(opaque, index);
}

static void set_cmos(void *opaque, unsigned index, uint8_t value)
{
    rtc_set_cmos(opaque, index, value);
}

static void set_boot_order(void *opaque, const char *order)
{
    pc_set_boot_order(opaque, order);
}

bool pc_finish_tables(X86Machine *x, Error **errp)
{
    Machine *m = &x->machine;

    disks_fill_cmos(get_cmos, set_cmos, x->rtc);
    boot_set_handler(m, set_boot_order, x);
    if (!install_e820(x, errp) || (x->acpi != OFF && !install_acpi(x, errp)) || !install_smbios(x, errp) ||
        !boot_install(m, x->fw_cfg, errp)) {
        return false;
    }
    if (m->kernel) {
        X86Kernel kernel = { .machine = m, .fw_cfg = x->fw_cfg, .below_4g_bytes = x->below_4g_bytes,
                             .acpi_data_bytes = 0x20000 + 0x8000, .pvh = true, .linuxboot_dma = true };
        if (!x86_load_kernel(&kernel, errp)) {
            return false;
        }
    }
    return !x->root->is_express || ich9_install_smi_features(x->south, x->fw_cfg, errp);
}
