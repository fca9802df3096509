/*
 * virt.c: the generic Arm board.
 *
 * Memory map, interrupt numbers and device tree are those of the machine that firmware and kernels know as "linux,dummy-virt". Options are
 * made sense of in virt-options.c. What depends on images happens in arm_virt_ready(), after -device devices are there.
 *
 * Left out: memory hotplug, NVDIMM, the platform bus for -device of system bus devices, paravirtualized time.
 */
#include <stdio.h>
#include "hw/boot.h"
#include "hw/arm/board.h"
#include "hw/fdt.h"
#include "hw/fw_cfg.h"
#include "hw/arm/virt.h"

static const VirtPlace virt_map[VIRT_REDIST2] = {
    [VIRT_FLASH0]       = { 0x00000000, 0x04000000 },
    [VIRT_FLASH1]       = { 0x04000000, 0x04000000 },
    [VIRT_GIC_DIST]     = { 0x08000000, 0x00010000 },
    [VIRT_GIC_CPU]      = { 0x08010000, 0x00010000 },
    [VIRT_GIC_V2M]      = { 0x08020000, 0x00001000 },
    [VIRT_GIC_HYP]      = { 0x08030000, 0x00010000 },
    [VIRT_GIC_VCPU]     = { 0x08040000, 0x00010000 },
    [VIRT_GIC_ITS]      = { 0x08080000, 0x00020000 },
    [VIRT_GIC_REDIST]   = { 0x080a0000, 0x00f60000 },
    [VIRT_UART0]        = { 0x09000000, 0x00001000 },
    [VIRT_RTC]          = { 0x09010000, 0x00001000 },
    [VIRT_FW_CFG]       = { 0x09020000, 0x00000018 },
    [VIRT_GPIO]         = { 0x09030000, 0x00001000 },
    [VIRT_UART1]        = { 0x09040000, 0x00001000 },
    [VIRT_SMMU]         = { 0x09050000, 0x00020000 },
    [VIRT_GED]          = { 0x09080000, 0x00001000 },
    [VIRT_SECURE_GPIO]  = { 0x090b0000, 0x00001000 },
    [VIRT_VIRTIO]       = { 0x0a000000, 0x00000200 },
    [VIRT_PLATFORM_BUS] = { 0x0c000000, 0x02000000 },
    [VIRT_SECURE_RAM]   = { 0x0e000000, 0x01000000 },
    [VIRT_PCIE_MMIO]    = { 0x10000000, 0x2eff0000 },
    [VIRT_PCIE_PIO]     = { 0x3eff0000, 0x00010000 },
    [VIRT_PCIE_ECAM]    = { 0x3f000000, 0x01000000 },
    [VIRT_RAM]          = { 0x40000000, 0 },
};

VirtPlace arm_virt_place(const VirtMachine *v, VirtPart part)
{
    return part >= VIRT_REDIST2 ? v->high[part - VIRT_REDIST2] : virt_map[part];
}

VirtPlace arm_virt_ecam(const VirtMachine *v)
{
    VirtPlace high = arm_virt_place(v, VIRT_ECAM_HIGH);

    return high.size ? high : arm_virt_place(v, VIRT_PCIE_ECAM);
}

/* -- devices ------------------------------------------------------------------------------------------------------------ */

/* One device, its first region at `part` of `where`, its first output on an SPI. */
static Device *put(VirtMachine *v, Device *dev, MemoryRegion *where, gpa base, int spi)
{
    if (where == &arm_virt_m(v)->system_memory) {
        sysbus_map(dev, 0, base);
    } else {
        memory_region_add(where, base, device_mmio(dev, 0));
    }
    device_connect_irq(dev, "sysbus-irq", 0, gic_spi(v->gic_dev, (unsigned)spi));
    return dev;
}

static Device *add(VirtMachine *v, const char *type, VirtPart part, int spi, Error **errp)
{
    Device *dev = device_create(type, NULL, NULL, errp);

    return dev ? put(v, dev, &arm_virt_m(v)->system_memory, arm_virt_place(v, part).base, spi) : NULL;
}

static bool add_uart(VirtMachine *v, unsigned n, MemoryRegion *where, Error **errp)
{
    Device *dev = arm_pl011(arm_virt_m(v), n, errp);

    if (!dev) {
        return false;
    }
    put(v, dev, where, arm_virt_place(v, n ? VIRT_UART1 : VIRT_UART0).base, n ? VIRT_SPI_UART1 : VIRT_SPI_UART0);
    return true;
}

static bool add_uarts(VirtMachine *v, Error **errp)
{
    Machine *m = arm_virt_m(v);

    /* The second is the secure world's, or, without one, there only for somebody at its other end. */
    v->have_uart1 = v->secure || m->serials[1];
    return add_uart(v, 0, &m->system_memory, errp) &&
           (!v->have_uart1 || add_uart(v, 1, v->secure ? &v->secure_memory : &m->system_memory, errp));
}

static bool add_fw_cfg(VirtMachine *v, Error **errp)
{
    Machine *m = arm_virt_m(v);
    gpa base = arm_virt_place(v, VIRT_FW_CFG).base;
    Device *dev = device_new("fw_cfg_mem", errp);

    if (!dev || !object_property_parse(&dev->obj, "data_width", "8", errp)) {
        return false;
    }
    object_add_child(&m->obj, "fw_cfg", &dev->obj);
    bool ok = device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    if (!ok) {
        return false;
    }
    sysbus_map(dev, 0, base + 8);
    sysbus_map(dev, 1, base);
    sysbus_map(dev, 2, base + 16);
    fw_cfg_add_u64(dev, FW_CFG_RAM_SIZE, m->ram_bytes);
    fw_cfg_add_u16(dev, FW_CFG_NB_CPUS, (uint16_t)m->smp.cpus);
    fw_cfg_add_u16(dev, FW_CFG_MAX_CPUS, (uint16_t)m->smp.max_cpus);
    v->fw_cfg = dev;
    return true;
}

static bool add_virtio(VirtMachine *v, Error **errp)
{
    VirtPlace place = arm_virt_place(v, VIRT_VIRTIO);

    for (unsigned i = 0; i < v->n_virtio; i++) {
        Device *dev = device_create("virtio-mmio", NULL, NULL, errp);

        if (!dev) {
            return false;
        }
        put(v, dev, &arm_virt_m(v)->system_memory, place.base + i * place.size, VIRT_SPI_VIRTIO + (int)i);
    }
    return true;
}

static bool add_pcie(VirtMachine *v, Error **errp)
{
    MemoryRegion *system = &arm_virt_m(v)->system_memory;
    VirtPlace ecam = arm_virt_ecam(v), mmio = arm_virt_place(v, VIRT_PCIE_MMIO), high = arm_virt_place(v, VIRT_PCIE_HIGH);
    Device *dev = device_create("gpex-pcihost", sysbus_get(), NULL, errp);

    if (!dev) {
        return false;
    }
    v->pcie = dev;
    memory_region_init_alias(&v->pcie_windows[0], NULL, "pcie-ecam", device_mmio(dev, 0), 0, ecam.size);
    memory_region_add(system, ecam.base, &v->pcie_windows[0]);
    /* The windows show PCI addresses that are equal to the CPU's. */
    memory_region_init_alias(&v->pcie_windows[1], NULL, "pcie-mmio", device_mmio(dev, 1), mmio.base, mmio.size);
    memory_region_add(system, mmio.base, &v->pcie_windows[1]);
    if (high.size) {
        memory_region_init_alias(&v->pcie_windows[2], NULL, "pcie-mmio-high", device_mmio(dev, 1), high.base, high.size);
        memory_region_add(system, high.base, &v->pcie_windows[2]);
    }
    sysbus_map(dev, 2, arm_virt_place(v, VIRT_PCIE_PIO).base);
    for (unsigned i = 0; i < 4; i++) {
        device_connect_irq(dev, "sysbus-irq", i, gic_spi(v->gic_dev, VIRT_SPI_PCIE + i));
    }
    return true;
}

/* -- power key ----------------------------------------------------------------------------------------------------------- */

/* ACPI's power button where firmware offers tables, else the key of the device tree. */
static void power_down(void *opaque)
{
    VirtMachine *v = opaque;

    if (!v->ged) {
        irq_raise(device_irq_in(v->key, NULL, 0));
    }
}

static bool add_gpio(VirtMachine *v, Error **errp)
{
    v->gpio = add(v, "pl061", VIRT_GPIO, VIRT_SPI_GPIO, errp);
    v->key = v->gpio ? device_create("gpio-key", NULL, NULL, errp) : NULL;
    if (!v->key) {
        return false;
    }
    device_connect_irq(v->key, "sysbus-irq", 0, device_irq_in(v->gpio, NULL, VIRT_GPIO_POWER));
    machine_add_powerdown(power_down, v);
    return true;
}

/* -- secure world ---------------------------------------------------------------------------------------------------------- */

static void secure_power(void *opaque, int n, int level)
{
    if (level) {
        if (n) {
            machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
        } else {
            machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
        }
    }
}

static bool add_secure(VirtMachine *v, Error **errp)
{
    VirtPlace ram = arm_virt_place(v, VIRT_SECURE_RAM);

    if (!memory_region_init_ram(&v->secure_ram, NULL, "virt.secure-ram", ram.size, errp)) {
        return false;
    }
    memory_region_add(&v->secure_memory, ram.base, &v->secure_ram);
    /* Lines that firmware does not drive yet must not switch the machine off. */
    const char *props[] = { "pullups", "0", "pulldowns", "255", NULL };
    Device *gpio = device_create("pl061", NULL, props, errp);
    if (!gpio) {
        return false;
    }
    memory_region_add(&v->secure_memory, arm_virt_place(v, VIRT_SECURE_GPIO).base, device_mmio(gpio, 0));
    for (int i = 0; i < 2; i++) { /* firmware's way to power off and to restart */
        device_connect_irq(gpio, NULL, (unsigned)i, irq_new(secure_power, v, i));
    }
    return true;
}

/* -- the machine --------------------------------------------------------------------------------------------------------- */

static bool add_memory(VirtMachine *v, Error **errp)
{
    Machine *m = arm_virt_m(v);

    if (!machine_create_ram(m, errp)) {
        return false;
    }
    memory_region_add(&m->system_memory, arm_virt_place(v, VIRT_RAM).base, m->ram);
    if (v->secure) {
        memory_region_init(&v->secure_memory, NULL, "secure-memory", MEMORY_SIZE_ALL);
    }
    return true;
}

static Device *gic_of(Machine *m)
{
    return ((VirtMachine *)m)->gic_dev;
}

static bool add_cpus(VirtMachine *v, Error **errp)
{
    v->cpus = (ArmCpusConfig){
        .machine = arm_virt_m(v), .has_el2 = v->virtualization, .has_el3 = v->secure, .has_mte = v->mte,
        .cluster_cpus = v->gic_version == 2 ? 8 : 16, /* as many as one SGI reaches */
        .secure = v->secure ? &v->secure_memory : NULL, .gic = v->gic_version >= 3 ? gic_of : NULL,
    };
    return arm_cpus_create(&v->cpus, errp);
}

bool arm_virt_init(Machine *m, Error **errp)
{
    VirtMachine *v = (VirtMachine *)m;

    if (!arm_virt_resolve(v, errp) || !add_memory(v, errp) || !add_cpus(v, errp) || !arm_virt_fit_cpu(v, errp) ||
        (arm_virt_create_flash && !arm_virt_create_flash(v, errp)) || !arm_virt_create_gic(v, errp) || !add_uarts(v, errp) ||
        (v->secure && !add_secure(v, errp)) || !add(v, "pl031", VIRT_RTC, VIRT_SPI_RTC, errp) || !add_fw_cfg(v, errp) ||
        !add_pcie(v, errp) || !arm_virt_create_smmu(v, errp) || !add_gpio(v, errp)) {
        return false;
    }
    /* Firmware in the secure world does it itself. */
    v->conduit = v->secure && (v->firmware_loaded || !m->kernel) ? PSCI_CONDUIT_NONE
               : v->virtualization ? PSCI_CONDUIT_SMC : PSCI_CONDUIT_HVC;
    if (arm_virt_has_acpi(v)) {
        v->ged = add(v, "acpi-ged", VIRT_GED, VIRT_SPI_GED, errp);
        if (!v->ged) {
            return false;
        }
    }
    return add_virtio(v, errp);
}

bool arm_virt_ready(Machine *m, Error **errp)
{
    VirtMachine *v = (VirtMachine *)m;
    ArmBoot *boot = &v->boot;

    *boot = (ArmBoot){ .ram_base = arm_virt_place(v, VIRT_RAM).base, .ram_bytes = m->ram_bytes, .have_firmware = v->firmware_loaded,
                       .fw_cfg = v->fw_cfg };
    if (!boot_install(m, v->fw_cfg, errp) || !fw_cfg_take_options(v->fw_cfg, errp) || !arm_load_images(m, boot, errp) ||
        !(m->dtb ? fdt_load(m, errp) : arm_virt_make_fdt(v, errp)) || !fdt_finish_chosen(m, boot->initrd, boot->initrd_bytes, errp) ||
        !arm_virt_install_tables(v, errp)) {
        return false;
    }
    return arm_place_boot(m, boot, v->conduit, v->virtualization ? 2 : 1, errp);
}
