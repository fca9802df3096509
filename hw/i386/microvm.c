/*
 * microvm.c: the board "microvm": no PCI, virtio-mmio transports, hardware-reduced ACPI with a generic event device, or (acpi=off)
 * no ACPI at all.
 *
 * Options leave out the 8259s, the PIT, the RTC, the serial port and the second I/O APIC. Without ACPI another firmware starts, qboot,
 * whose MP table tells of the processors; transports are on ISA lines, and the kernel's command line says where they are. With ACPI the
 * hardware-reduced kind makes Linux leave the PIT alone, and it has no other clock to compare the time stamp counter with: the command
 * line says how fast that is. auto-kernel-cmdline=off leaves the command line as it is. Left out here: PCI Express (pcie=on).
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

enum { N_VIRTIO = X86_MAX_TRANSPORTS, N_VIRTIO_ONE_APIC = 8, VIRTIO_BYTES = 0x200, VIRTIO_GSI = 24, VIRTIO_GSI_ONE_APIC = 16,
       VIRTIO_GSI_ISA = 5, GED_GSI = 9, MAX_CPUS = 288 };
#define GED_ADDR 0xfea00000u
#define VIRTIO_ADDR 0xfeb00000u

static unsigned n_virtio(const X86Machine *x)
{
    return x->ioapic2 ? N_VIRTIO : N_VIRTIO_ONE_APIC;
}

static bool has_acpi(const X86Machine *x)
{
    return x86_is_on(x->acpi, true);
}

static unsigned virtio_gsi(const X86Machine *x)
{
    return !has_acpi(x) ? VIRTIO_GSI_ISA : x->ioapic2 ? VIRTIO_GSI : VIRTIO_GSI_ONE_APIC;
}

/* What the ISA bus hangs from, so that a reset reaches what is on it. */
static const DeviceType bridge_type = {
    .type = { .name = "isabus-bridge", .parent = "sys-bus-device", .summary = "ISA bus without a PCI bridge", .size_bytes = sizeof(Device) },
    .category = DEVICE_BRIDGE, .bus = "System",
};
DEVICE_TYPE_REGISTER(bridge_type);

static bool create_isa(X86Machine *x, Error **errp)
{
    Machine *m = &x->machine;

    Device *bridge = device_create("isabus-bridge", NULL, NULL, errp);
    if (!bridge) {
        return false;
    }
    x->isa = isa_bus_new(bridge, "isa.0", &m->system_memory, &m->system_io);
    x86_connect_isa(x);
    if (x86_is_on(x->pic_option, true) && !x86_create_pic(x, errp)) {
        return false;
    }
    if (x86_is_on(x->pit_option, true)) {
        x->pit = device_create(x86_pit_type(x), isa_bus_as_bus(x->isa), NULL, errp);
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
    /* Devices take the transports in the order these were made in: from the top. */
    for (unsigned i = n_virtio(x); i-- > 0;) {
        Device *dev = device_create("virtio-mmio", NULL, NULL, errp);
        if (!dev) {
            return false;
        }
        sysbus_map(dev, 0, VIRTIO_ADDR + i * VIRTIO_BYTES);
        device_connect_irq(dev, "sysbus-irq", 0, x86_gsi(x, virtio_gsi(x) + i));
        x->transports[i] = dev;
    }
    return true;
}

static bool create_ged(X86Machine *x, Error **errp)
{
    Device *ged = device_create("acpi-ged", NULL, NULL, errp);

    if (ged) {
        sysbus_map(ged, 0, GED_ADDR);
        device_connect_irq(ged, "sysbus-irq", 0, x86_gsi(x, GED_GSI));
    }
    return ged != NULL;
}

static bool microvm_init(Machine *m, Error **errp)
{
    X86Machine *x = (X86Machine *)m;

    if (x->pcie_option == ON) {
        error_set(errp, "machine 'microvm' is supported only without PCI Express");
        return false;
    }
    if (!x86_create_memory(x, 0xc0000000, errp)) {
        return false;
    }
    x->rom_memory = &m->system_memory;
    x->firmware_writable = true;
    if (!x86_create_cpus(x, errp) || !x86_create_ioapic(x, errp) ||
        (has_acpi(x) && x86_is_on(x->ioapic2_option, !x->irqchip->set_gsi) && !x86_create_ioapic2(x, errp)) || !create_isa(x, errp) ||
        !create_virtio(x, errp) || (has_acpi(x) && !create_ged(x, errp)) || !x86_create_fw_cfg(x, errp)) {
        return false;
    }
    x86_fill_fw_cfg(x);
    return x86_load_firmware(x, has_acpi(x) ? "bios-microvm.bin" : "qboot.rom", errp);
}

/* -- tables ----------------------------------------------------------------------------------------------------------------- */

static bool has_device(const X86Machine *x, unsigned n)
{
    return x->transports[n]->first_bus && x->transports[n]->first_bus->first;
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

/* -- the kernel's command line ------------------------------------------------------------------------------------------------- */

/* At the end of what is the kernel's: words behind "--" are the first program's. */
static void cmdline_add(Machine *m, char *text)
{
    const char *old = m->append ? m->append : "", *tail = strstr(old, " -- ");
    int head = (int)(tail ? (size_t)(tail - old) : strlen(old));
    char *all = xasprintf("%.*s%s%s%s", head, old, head ? " " : "", text, tail ? tail : "");

    free(text);
    free(m->append);
    m->append = all;
}

static void cmdline_devices(X86Machine *x)
{
    for (unsigned i = n_virtio(x); i-- > 0;) {
        if (has_device(x, i)) {
            cmdline_add(&x->machine, xasprintf("virtio_mmio.device=%u@0x%x:%u", VIRTIO_BYTES, VIRTIO_ADDR + i * VIRTIO_BYTES,
                                               virtio_gsi(x) + i));
        }
    }
}

static void cmdline_clock(X86Machine *x)
{
    static const char word[] = "tsc_early_khz=";
    Machine *m = &x->machine;
    uint64_t hz = x86_cpus_tsc_hz(m);

    if (hz && !(m->append && strstr(m->append, word))) {
        cmdline_add(m, xasprintf("%s%" PRIu64, word, hz / 1000));
    }
}

static bool microvm_ready(Machine *m, Error **errp)
{
    X86Machine *x = (X86Machine *)m;
    E820Entry entries[2] = { { 0, x->below_4g_bytes, E820_RAM }, { 4 * GiB, x->above_4g_bytes, E820_RAM } };

    if (x->rtc) {
        pc_fill_cmos(x);
    }
    if (!e820_install(x->fw_cfg, entries, x->above_4g_bytes ? 2 : 1, errp) ||
        (has_acpi(x) && !install_acpi(x, errp)) || !boot_install(m, x->fw_cfg, errp)) {
        return false;
    }
    if (m->kernel && x->auto_cmdline_on) {
        has_acpi(x) ? cmdline_clock(x) : cmdline_devices(x);
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

    x->isa_serial_on = x->fd_bootchk = x->option_roms_on = x->auto_cmdline_on = true;
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
    { .name = "auto-kernel-cmdline", .kind = PROP_BOOL, .offset = offsetof(X86Machine, auto_cmdline_on),
      .help = "Set off to disable adding virtio-mmio devices to the kernel cmdline" },
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
