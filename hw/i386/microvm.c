/*
 * microvm.c: the board "microvm": no PCI, virtio-mmio transports, hardware-reduced ACPI with a generic event device.
 *
 * Options leave out the 8259s, the PIT, the RTC, the serial port and the second I/O APIC. Left out here: PCI Express (pcie=on) and machines
 * without ACPI tables (acpi=off), whose kernels are told of the transports on the command line.
 */
#include <stdio.h>

#include "hw/acpi.h"
#include "hw/boot.h"
#include "hw/chardev-prop.h"
#include "hw/fw_cfg.h"
#include "hw/i386/e820.h"
#include "hw/i386/kernel.h"
#include "hw/i386/pc.h"
#include "hw/i386/pic.h"

enum { N_VIRTIO = 24, N_VIRTIO_ONE_APIC = 8, VIRTIO_BYTES = 0x200, VIRTIO_GSI = 24, VIRTIO_GSI_ONE_APIC = 16, GED_GSI = 9,
       MAX_CPUS = 288 };
#define GED_ADDR 0xfea00000u
#define VIRTIO_ADDR 0xfeb00000u

static unsigned n_virtio(const X86Machine *x)
{
    return x->ioapic2 ? N_VIRTIO : N_VIRTIO_ONE_APIC;
}

static unsigned virtio_gsi(const X86Machine *x)
{
    return x->ioapic2 ? VIRTIO_GSI : VIRTIO_GSI_ONE_APIC;
}

static bool create_isa(X86Machine *x, Error **errp)
{
    Machine *m = &x->machine;

    x->isa = isa_bus_new(NULL, "isa.0", &m->system_memory, &m->system_io);
    object_add_child(&m->obj, "isa.0", &isa_bus_as_bus(x->isa)->obj);
    x86_connect_isa(x);
    if (x86_is_on(x->pic_option, true) && !x86_create_pic(x, errp)) {
        return false;
    }
    if (x86_is_on(x->pit_option, true)) {
        x->pit = device_create("isa-pit", isa_bus_as_bus(x->isa), NULL, errp);
        if (!x->pit) {
            return false;
        }
        device_connect_irq(x->pit, NULL, 0, isa_irq(x->isa, 0));
    }
    if (x86_is_on(x->rtc_option, true)) {
        x->rtc = device_create("mc146818rtc", isa_bus_as_bus(x->isa), NULL, errp);
        if (!x->rtc) {
            return false;
        }
    }
    if (!x->isa_serial_on || !m->serials[0]) {
        return true;
    }
    Device *serial = device_new("isa-serial", errp);
    bool ok = serial && device_attach_chardev(serial, m->serials[0], errp) &&
              device_realize(serial, isa_bus_as_bus(x->isa), errp);
    if (serial) {
        object_unref(&serial->obj);
    }
    return ok;
}

static bool create_virtio(X86Machine *x, Error **errp)
{
    for (unsigned i = 0; i < n_virtio(x); i++) {
        Device *dev = device_create("virtio-mmio", NULL, NULL, errp);
        if (!dev) {
            return false;
        }
        sysbus_map(dev, 0, VIRTIO_ADDR + i * VIRTIO_BYTES);
        device_connect_irq(dev, "sysbus-irq", 0, x86_gsi(x, virtio_gsi(x) + i));
    }
    return true;
}

static bool microvm_init(Machine *m, Error **errp)
{
    X86Machine *x = (X86Machine *)m;

    if (x->acpi == OFF || x->pcie_option == ON) {
        error_set(errp, "machine 'microvm' is supported only with ACPI tables and without PCI Express");
        return false;
    }
    if (!x86_create_memory(x, 0xc0000000, errp)) {
        return false;
    }
    x->rom_memory = &m->system_memory;
    x->firmware_writable = true;
    if (!x86_create_cpus(x, errp) || !x86_create_ioapic(x, errp) ||
        (x86_is_on(x->ioapic2_option, true) && !x86_create_ioapic2(x, errp)) || !create_isa(x, errp) || !create_virtio(x, errp)) {
        return false;
    }
    Device *ged = device_create("acpi-ged", NULL, NULL, errp);
    if (!ged) {
        return false;
    }
    sysbus_map(ged, 0, GED_ADDR);
    device_connect_irq(ged, "sysbus-irq", 0, x86_gsi(x, GED_GSI));
    if (!x86_create_fw_cfg(x, errp)) {
        return false;
    }
    x86_fill_fw_cfg(x);
    return x86_load_firmware(x, "bios-microvm.bin", errp);
}

/* -- tables ----------------------------------------------------------------------------------------------------------------- */

static bool has_device(const X86Machine *x, unsigned n)
{
    unsigned i = 0;

    for (Device *dev = x->machine.sysbus.first; dev; dev = dev->bus_next) {
        if (!strcmp(dev->obj.type->name, "virtio-mmio") && i++ == n) {
            return dev->first_bus && dev->first_bus->first;
        }
    }
    return false;
}

static bool install_acpi(X86Machine *x, Error **errp)
{
    Machine *m = &x->machine;
    uint32_t *ids = xnew_array(uint32_t, m->smp.max_cpus);
    AcpiBoard b = {
        .machine = m, .fw_cfg = x->fw_cfg, .chipset = ACPI_CHIPSET_MICROVM, .oem_id = x->oem_id, .oem_table_id = x->oem_table_id,
        .apic_ids = ids, .n_cpus = m->smp.cpus, .max_cpus = m->smp.max_cpus, .io_apic = { IOAPIC_ADDR, 0x1000 }, .sci_irq = GED_GSI,
        .irq0_override = true, .hw_reduced = true, .ged = { GED_ADDR, 0x1000 }, .ged_irq = GED_GSI, .fw_cfg_port = 0x510,
        .rtc = x->rtc != NULL,
    };

    for (unsigned i = 0; i < m->smp.max_cpus; i++) {
        ids[i] = x86_apic_id(&m->smp, i);
    }
    if (x->ioapic2) {
        b.io_apic2 = (AcpiRange){ IOAPIC2_ADDR, 0x1000 };
        b.io_apic2_id = 1;
        b.io_apic2_first = IOAPIC_PINS;
    }
    if (x->isa_serial_on && m->serials[0]) {
        b.serial[0] = (AcpiIsaPort){ 0x3f8, 4 };
    }
    for (unsigned i = 0; i < n_virtio(x); i++) {
        if (has_device(x, i)) {
            b.virtio[i] = (AcpiRange){ VIRTIO_ADDR + i * VIRTIO_BYTES, VIRTIO_BYTES };
            b.virtio_irq[i] = (uint16_t)(virtio_gsi(x) + i);
        }
    }
    return acpi_install(&b, errp);
}

static bool microvm_ready(Machine *m, Error **errp)
{
    X86Machine *x = (X86Machine *)m;
    E820Entry entries[2] = { { 0, x->below_4g_bytes, E820_RAM }, { 4 * GiB, x->above_4g_bytes, E820_RAM } };

    if (x->rtc) {
        pc_fill_cmos(x);
    }
    if (!e820_install(x->fw_cfg, entries, x->above_4g_bytes ? 2 : 1, errp) || !install_acpi(x, errp) ||
        !boot_install(m, x->fw_cfg, errp)) {
        return false;
    }
    if (m->kernel) {
        X86Kernel kernel = { .machine = m, .fw_cfg = x->fw_cfg, .below_4g_bytes = x->below_4g_bytes, .acpi_data_bytes = 0,
                             .pvh = true, .linuxboot_dma = true, .no_roms = !x->option_roms_on };
        if (!x86_load_kernel(&kernel, errp)) {
            return false;
        }
    }
    return fw_cfg_take_options(x->fw_cfg, errp);
}

/* -- machine type ------------------------------------------------------------------------------------------------------------- */

static void microvm_obj_init(Object *obj)
{
    X86Machine *x = (X86Machine *)obj;

    x->isa_serial_on = x->fd_bootchk = x->option_roms_on = true;
    x->max_fw_bytes = 8 * MiB;
}

static void microvm_obj_finish(Object *obj)
{
    free(((X86Machine *)obj)->cpus);
}

#define ON_OFF_AUTO(pname, field, text) \
    { .name = (pname), .kind = PROP_ENUM, .type_name = "OnOffAuto", .offset = offsetof(X86Machine, field), \
      .names = on_off_auto_names, .help = (text) }

static const Property microvm_props[] = {
    ON_OFF_AUTO("acpi", acpi, "Enable ACPI"),
    ON_OFF_AUTO("pic", pic_option, "Enable i8259 PIC"),
    ON_OFF_AUTO("pit", pit_option, "Enable i8254 PIT"),
    ON_OFF_AUTO("rtc", rtc_option, "Enable MC146818 RTC"),
    ON_OFF_AUTO("pcie", pcie_option, "Enable PCIe"),
    ON_OFF_AUTO("ioapic2", ioapic2_option, "Enable second IO-APIC"),
    { .name = "isa-serial", .kind = PROP_BOOL, .offset = offsetof(X86Machine, isa_serial_on),
      .help = "Set off to disable the instantiation an ISA serial port" },
    { .name = "x-option-roms", .kind = PROP_BOOL, .offset = offsetof(X86Machine, option_roms_on),
      .help = "Set off to disable loading option ROMs: the firmware (qboot) fetches the kernel" },
    PROP_STR("x-oem-id", X86Machine, oem_id,
             "Override the default value of field OEMID in ACPI table header.The string may be up to 6 bytes in size"),
    PROP_STR("x-oem-table-id", X86Machine, oem_table_id,
             "Override the default value of field OEM Table ID in ACPI table header.The string may be up to 8 bytes in size"),
};

static const char *const microvm_arches[] = { "x86_64", "i386", NULL };

static const MachineType microvm_type = {
    .type = { .name = "microvm-machine", .parent = "machine", .summary = "microvm (i386)", .size_bytes = sizeof(X86Machine),
              .props = microvm_props, .n_props = ARRAY_SIZE(microvm_props), .init = microvm_obj_init, .finish = microvm_obj_finish },
    .name = "microvm", .desc = "microvm (i386)", .arches = microvm_arches, .default_cpu32 = "qemu32", .default_cpu64 = "qemu64",
    .max_cpus = MAX_CPUS, .default_cpus = 1, .default_ram_bytes = 128 * MiB, .ram_id = "microvm.ram", .default_block_if = "virtio",
    .no_parallel = true, .no_floppy = true, .no_cdrom = true, .init = microvm_init, .ready = microvm_ready, X86_MACHINE_HOOKS,
};
OBJECT_TYPE_REGISTER(microvm_type);
