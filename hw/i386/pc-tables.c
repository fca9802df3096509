/*
 * pc-tables.c: what the PC boards tell firmware and guests about themselves: memory map, ACPI, SMBIOS, boot order, kernel.
 */
#include "hw/acpi.h"
#include "hw/fw_cfg.h"
#include "hw/i386/e820.h"
#include "hw/i386/pc-tables.h"
#include "hw/i386/rtc.h"
#include "hw/ide.h"
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
    if (device_type_find("isa-fdc") && !x->root->is_express) {
        x->fdc = device_create("isa-fdc", isa_bus_as_bus(x->isa), NULL, errp);
        return x->fdc != NULL;
    }
    return true;
}

/* -- memory map -------------------------------------------------------------------------------------------------------------- */

static bool install_e820(X86Machine *x, Error **errp)
{
    E820Entry entries[2] = { { 0, x->below_4g_bytes, E820_RAM }, { 4 * GiB, x->above_4g_bytes, E820_RAM } };

    return e820_install(x->fw_cfg, entries, x->above_4g_bytes ? 2 : 1, errp);
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

    for (unsigned n = 0; n < 4; n++) {
        if (x->machine.serials[n]) {
            b->serial[n] = serial[n];
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

static bool install_acpi(X86Machine *x, Error **errp)
{
    Machine *m = &x->machine;
    bool q35 = x->root->is_express;
    uint32_t *ids = xnew_array(uint32_t, m->smp.max_cpus);
    uint64_t hole = x->below_4g_bytes;
    AcpiBoard b = {
        .machine = m, .fw_cfg = x->fw_cfg, .chipset = q35 ? ACPI_CHIPSET_ICH9 : ACPI_CHIPSET_PIIX, .oem_id = x->oem_id,
        .oem_table_id = x->oem_table_id, .apic_ids = ids, .n_cpus = m->smp.cpus, .max_cpus = m->smp.max_cpus,
        .io_apic = { IOAPIC_ADDR, 0x1000 }, .irq0_override = true, .sci_irq = 9, .level_irqs = 1 << 5 | 1 << 9 | 1 << 10 | 1 << 11,
        .root = x->root, .pci_hole = { hole, IOAPIC_ADDR - hole }, .lpc_devfn = q35 ? 0xf8 : 0x08,
        .pm_base = 0x600, .gpe0_base = q35 ? 0x620 : 0xafe0, .gpe0_bytes = q35 ? 16 : 4,
        .acpi_enable = q35 ? ICH9_ACPI_ENABLE : 0xf1, .acpi_disable = q35 ? ICH9_ACPI_DISABLE : 0xf0, .reset_register = true,
        .s4_value = 2,
    };

    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        ids[i] = x86_apic_id(&m->smp, i);
    }
    if (q35) {
        b.ecam = ecam;
        b.opaque = x;
    }
    describe_isa(x, &b);
    return acpi_install(&b, errp);
}

bool pc_finish_tables(X86Machine *x, Error **errp)
{
    if (!install_e820(x, errp) || (x->acpi != OFF && !install_acpi(x, errp))) {
        return false;
    }
    return !x->root->is_express || ich9_install_smi_features(x->south, x->fw_cfg, errp);
}
