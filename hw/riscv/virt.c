/*
 * virt.c: the generic RISC-V board.
 *
 * Memory map, interrupt numbers and device tree are those of the machine that
 * firmware and kernels know as "riscv-virtio". What depends on images (firmware,
 * kernel) happens in virt_ready(), after -device devices are there.
 */
#include <stdio.h>
#include "hw/chardev-prop.h"
#include "hw/fw_cfg.h"
#include "hw/riscv/fdt.h"
#include "hw/riscv/virt.h"
#include "util/parse.h"

const VirtPlace virt_map[VIRT_N_PARTS] = {
    [VIRT_ROM]          = {     0x1000,     0xf000 },
    [VIRT_TEST]         = {   0x100000,     0x1000 },
    [VIRT_RTC]          = {   0x101000,     0x1000 },
    [VIRT_CLINT]        = {  0x2000000,    0x10000 },
    [VIRT_SSWI]         = {  0x2f00000,     0x4000 },
    [VIRT_PCIE_PIO]     = {  0x3000000,    0x10000 },
    [VIRT_PLATFORM_BUS] = {  0x4000000,  0x2000000 },
    [VIRT_PLIC]         = {  0xc000000,  VIRT_PLIC_CONTEXT +
                             VIRT_MAX_HARTS * 2 * VIRT_PLIC_CONTEXT_STRIDE },
    [VIRT_APLIC_M]      = {  0xc000000,     0x8000 },
    [VIRT_APLIC_S]      = {  0xd000000,     0x8000 },
    [VIRT_UART0]        = { 0x10000000,      0x100 },
    [VIRT_VIRTIO]       = { 0x10001000,     0x1000 },
    [VIRT_FW_CFG]       = { 0x10100000,       0x18 },
    [VIRT_FLASH0]       = { 0x20000000,  0x2000000 },
    [VIRT_FLASH1]       = { 0x22000000,  0x2000000 },
    [VIRT_IMSIC_M]      = { 0x24000000,  0x4000000 },
    [VIRT_IMSIC_S]      = { 0x28000000,  0x4000000 },
    [VIRT_PCIE_ECAM]    = { 0x30000000, 0x10000000 },
    [VIRT_PCIE_MMIO]    = { 0x40000000, 0x40000000 },
    [VIRT_RAM]          = { 0x80000000,          0 },
};

uint64_t virt_imsic_bytes(const VirtMachine *v, bool mmode)
{
    uint64_t pages = mmode ? 1 : (uint64_t)1 << virt_guest_bits(v);

    return pages * 4096 * v->machine.smp.cpus;
}

/* --- devices --- */

Irq *virt_irq(VirtMachine *v, unsigned source)
{
    return device_irq_in(v->intc, NULL, source);
}

/* One device, mapped at `base`, its first output on `source` (0: none). */
static Device *virt_device(VirtMachine *v, const char *type, const char *const *props, gpa base,
                           unsigned source, Error **errp)
{
    Device *dev = device_create(type, NULL, props, errp);

    if (dev) {
        sysbus_map(dev, 0, base);
        if (source) {
            device_connect_irq(dev, "sysbus-irq", 0, virt_irq(v, source));
        }
    }
    return dev;
}

#define NUMBER(name, value) \
    char name[24]; snprintf(name, sizeof(name), "%" PRIu64, (uint64_t)(value))

static bool virt_swi(VirtMachine *v, gpa base, bool supervisor, Error **errp)
{
    NUMBER(harts, v->machine.smp.cpus);
    const char *props[] = { "num-harts", harts, "sswi", supervisor ? "1" : "0", NULL };
    Device *dev = virt_device(v, "riscv.aclint.swi", props, base, 0, errp);

    for (unsigned i = 0; dev && i < v->machine.smp.cpus; i++) {
        device_connect_irq(dev, NULL, i, harts_irq(&v->machine, i, supervisor ? HART_IRQ_SSI
                                                                               : HART_IRQ_MSI));
    }
    return dev != NULL;
}

/* The timer follows the software interrupts, or stands alone where the IMSIC makes
 * these needless. */
static bool virt_timer(VirtMachine *v, Error **errp)
{
    bool swi = virt_has_clint_swi(v) || !v->aclint;
    NUMBER(harts, v->machine.smp.cpus);
    NUMBER(hz, VIRT_TIMEBASE_HZ);
    const char *props[] = { "num-harts", harts, "timebase-freq", hz,
                            NULL };
    v->mtimer = virt_device(v, "riscv.aclint.mtimer", props,
                            virt_map[VIRT_CLINT].base + (swi ? 0x4000 : 0), 0, errp);

    for (unsigned i = 0; v->mtimer && i < v->machine.smp.cpus; i++) {
        device_connect_irq(v->mtimer, NULL, i, harts_irq(&v->machine, i, HART_IRQ_MTI));
    }
    return v->mtimer != NULL;
}

static bool virt_plic(VirtMachine *v, Error **errp)
{
    unsigned n = v->machine.smp.cpus;
    char *config = xcalloc(n, 3);

    for (unsigned i = 0; i < n; i++) {
        memcpy(config + 3 * i, i + 1 < n ? "MS," : "MS", i + 1 < n ? 3 : 2);
    }
    NUMBER(sources, VIRT_N_SOURCES);
    NUMBER(priorities, VIRT_PRIORITIES);
    NUMBER(priority, VIRT_PLIC_PRIORITY);
    NUMBER(pending, VIRT_PLIC_PENDING);
    NUMBER(enable, VIRT_PLIC_ENABLE);
    NUMBER(enable_stride, VIRT_PLIC_ENABLE_STRIDE);
    NUMBER(context, VIRT_PLIC_CONTEXT);
    NUMBER(context_stride, VIRT_PLIC_CONTEXT_STRIDE);
    NUMBER(aperture, virt_map[VIRT_PLIC].size);
    const char *props[] = {
        "hart-config", config, "num-sources", sources, "num-priorities", priorities,
        "priority-base", priority, "pending-base", pending, "enable-base", enable,
        "enable-stride", enable_stride, "context-base", context,
        "context-stride", context_stride, "aperture-size", aperture, NULL,
    };
    v->intc = virt_device(v, "riscv.sifive.plic", props, virt_map[VIRT_PLIC].base, 0, errp);
    free(config);
    for (unsigned i = 0; v->intc && i < n; i++) {
        device_connect_irq(v->intc, NULL, 2 * i, harts_irq(&v->machine, i, HART_IRQ_MEI));
        device_connect_irq(v->intc, NULL, 2 * i + 1, harts_irq(&v->machine, i, HART_IRQ_SEI));
    }
    return v->intc != NULL;
}

static bool virt_uart(VirtMachine *v, Error **errp)
{
    NUMBER(baudbase, 399193);
    Device *dev = device_new("serial-mm", errp);

    if (!dev || !object_property_parse(&dev->obj, "baudbase", baudbase, errp) ||
        !device_attach_chardev(dev, v->machine.serials[0], errp) ||
        !device_realize(dev, NULL, errp)) {
        return false;
    }
    object_unref(&dev->obj);
    sysbus_map(dev, 0, virt_map[VIRT_UART0].base);
    device_connect_irq(dev, "sysbus-irq", 0, virt_irq(v, VIRT_IRQ_UART0));
    return true;
}

static bool virt_virtio(VirtMachine *v, Error **errp)
{
    v->have_virtio = device_type_find("virtio-mmio") != NULL;
    for (unsigned i = 0; v->have_virtio && i < VIRT_N_VIRTIO; i++) {
        if (!virt_device(v, "virtio-mmio", NULL,
                         virt_map[VIRT_VIRTIO].base + i * virt_map[VIRT_VIRTIO].size,
                         VIRT_IRQ_VIRTIO + i, errp)) {
            return false;
        }
    }
    return true;
}

static bool virt_fw_cfg(VirtMachine *v, Error **errp)
{
    static const char *const props[] = { "data_width", "8", NULL };
    gpa base = virt_map[VIRT_FW_CFG].base;
    Device *dev = device_new("fw_cfg_mem", errp);

    if (!dev || !object_property_parse(&dev->obj, props[0], props[1], errp)) {
        return false;
    }
    object_add_child(&v->machine.obj, "fw_cfg", &dev->obj);
    bool ok = device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    if (!ok) {
        return false;
    }
    sysbus_map(dev, 0, base + 8);
    sysbus_map(dev, 1, base);
    sysbus_map(dev, 2, base + 16);
    fw_cfg_add_u64(dev, FW_CFG_RAM_SIZE, v->machine.ram_bytes);
    fw_cfg_add_u16(dev, FW_CFG_NB_CPUS, (uint16_t)v->machine.smp.cpus);
    fw_cfg_add_u16(dev, FW_CFG_MAX_CPUS, (uint16_t)v->machine.smp.max_cpus);
    fw_cfg_add_u16(dev, FW_CFG_NOGRAPHIC, !v->machine.graphics);
    v->fw_cfg = dev;
    v->have_fw_cfg = true;
    return true;
}

static bool virt_pcie(VirtMachine *v, Error **errp)
{
    Device *dev = device_create("gpex-pcihost", sysbus_get(), NULL, errp);

    if (!dev) {
        return false;
    }
    sysbus_map(dev, 0, virt_map[VIRT_PCIE_ECAM].base);
    /* The windows show PCI addresses that are equal to the CPU's. */
    const VirtPlace *windows[] = { &virt_map[VIRT_PCIE_MMIO], &v->pcie_high };
    for (unsigned i = 0; i < ARRAY_SIZE(windows); i++) {
        memory_region_init_alias(&v->pcie_window[i], NULL, i ? "pcie-mmio-high" : "pcie-mmio", device_mmio(dev, 1),
                                 windows[i]->base, windows[i]->size);
        memory_region_add(&v->machine.system_memory, windows[i]->base, &v->pcie_window[i]);
    }
    sysbus_map(dev, 2, virt_map[VIRT_PCIE_PIO].base);
    for (unsigned i = 0; i < 4; i++) {
        device_connect_irq(dev, "sysbus-irq", i, virt_irq(v, VIRT_IRQ_PCIE + i));
    }
    v->have_pcie = true;
    return true;
}

static bool virt_memory(VirtMachine *v, Error **errp)
{
    Machine *m = &v->machine;

    if (v->is32 && m->ram_bytes > 10 * GiB) {
        error_set(errp, "a 32-bit 'virt' machine takes at most 10 GiB of memory, not %" PRIu64
                  " bytes", m->ram_bytes);
        return false;
    }
    if (m->ram_bytes < 1 * MiB || m->ram_bytes % 4096) {
        error_set(errp, "memory of %" PRIu64 " bytes is not possible: 'virt' takes multiples of "
                  "4 KiB from 1 MiB up", m->ram_bytes);
        return false;
    }
    if (!machine_create_ram(m, errp)) {
        return false;
    }
    memory_region_add(&m->system_memory, virt_map[VIRT_RAM].base, m->ram);
    if (!memory_region_init_rom(&v->rom, NULL, "riscv_virt_board.mrom", virt_map[VIRT_ROM].size,
                                errp)) {
        return false;
    }
    memory_region_add(&m->system_memory, virt_map[VIRT_ROM].base, &v->rom);
    /* The upper PCI window lies above RAM, aligned to its size. */
    if (v->is32) {
        v->pcie_high = (VirtPlace){ 0x300000000, 4 * GiB };
    } else {
        v->pcie_high.size = 16 * GiB;
        v->pcie_high.base = ROUND_UP(virt_map[VIRT_RAM].base + m->ram_bytes, 16 * GiB);
    }
    return true;
}

static bool virt_init(Machine *m, Error **errp)
{
    VirtMachine *v = (VirtMachine *)m;

    v->is32 = !strcmp(m->arch, "riscv32");
    if (!virt_memory(v, errp) || !harts_create(m, virt_map[VIRT_ROM].base, errp)) {
        return false;
    }
    if (virt_has_clint_swi(v) || !v->aclint) {
        if (!virt_swi(v, virt_map[VIRT_CLINT].base, false, errp)) {
            return false;
        }
    }
    if (!virt_timer(v, errp) ||
        (v->aclint && virt_has_clint_swi(v) &&
         !virt_swi(v, virt_map[VIRT_SSWI].base, true, errp))) {
        return false;
    }
    harts_set_time(m, v->mtimer);
    if (!(v->aia == VIRT_AIA_NONE ? virt_plic(v, errp) : virt_create_aia(v, errp))) {
        return false;
    }
    return virt_device(v, "riscv.sifive.test", NULL, virt_map[VIRT_TEST].base, 0, errp) &&
           virt_virtio(v, errp) && virt_pcie(v, errp) && virt_uart(v, errp) &&
           virt_device(v, "goldfish_rtc", NULL, virt_map[VIRT_RTC].base, VIRT_IRQ_RTC, errp) &&
           virt_fw_cfg(v, errp) &&
           (!virt_create_flash || (v->have_flash = virt_create_flash(v, errp)));
}

static bool virt_ready(Machine *m, Error **errp)
{
    VirtMachine *v = (VirtMachine *)m;
    RiscvBoot *boot = &v->boot;

    if (!fw_cfg_take_options(v->fw_cfg, errp)) {
        return false;
    }
    *boot = (RiscvBoot){ .is32 = v->is32, .ram_base = virt_map[VIRT_RAM].base,
                         .ram_bytes = m->ram_bytes };
    if (!(m->dtb ? fdt_load(m, errp) : virt_make_fdt(v, errp)) ||
        !riscv_load_firmware(m, boot, errp) || !riscv_load_kernel(m, boot, errp) ||
        !riscv_load_initrd(m, boot, m->fdt_bytes + 4096, errp) || !fdt_finish_chosen(m, boot->initrd, boot->initrd_bytes, errp)) {
        return false;
    }
    bool flash_code = virt_flash_has_code && virt_flash_has_code();
    if (!boot->have_firmware) {
        /* No firmware: harts start in the flash or in the kernel. */
        boot->start = boot->next ? boot->next : flash_code ? virt_map[VIRT_FLASH0].base
                                                           : boot->start;
    } else if (!boot->next && flash_code) {
        boot->next = virt_map[VIRT_FLASH0].base;
    }
    boot->fdt = riscv_fdt_addr(boot, m->fdt_bytes);
    if (boot->fdt < MAX(boot->firmware_end, boot->kernel_end)) {
        error_set(errp, "%" PRIu64 " bytes of memory are too few for the firmware, the kernel and "
                  "the device tree", m->ram_bytes);
        return false;
    }
    machine_add_rom(m, "fdt", boot->fdt, m->fdt, m->fdt_bytes, 0);
    riscv_make_reset_code(m, boot, virt_map[VIRT_ROM].base);
    return true;
}

/* --- the machine type --- */

static const char *const aia_names[] = { "none", "aplic", "aplic-imsic", NULL };

static bool aia_guests_get(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", ((VirtMachine *)obj)->aia_guests);
    *ret = prop_string(text);
    return true;
}

static bool aia_guests_set(Object *obj, const Property *prop, const PropValue *value,
                           Error **errp)
{
    uint64_t n = 8;

    if (value->kind == VALUE_INT || value->kind == VALUE_UINT) {
        n = value->u;
    } else if (value->kind == VALUE_STRING && !parse_uint(prop->name, value->s, 7, &n, NULL)) {
        n = 8;
    }
    if (n > 7) {
        error_set(errp, "Invalid value of aia-guests: it should be between 0 and 7");
        return false;
    }
    ((VirtMachine *)obj)->aia_guests = (uint32_t)n;
    return true;
}

static bool acpi_get(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    *ret = prop_string("off");
    return true;
}

static bool acpi_set(Object *obj, const Property *prop, const PropValue *value, Error **errp)
{
    if (value->kind == VALUE_STRING && (!strcmp(value->s, "off") || !strcmp(value->s, "auto"))) {
        return true;
    }
    error_set(errp, "ACPI tables are not available yet: acpi takes only 'off' and 'auto'");
    return false;
}

static const Property virt_props[] = {
    { .name = "aclint", .kind = PROP_BOOL, .offset = offsetof(VirtMachine, aclint),
      .help = "(TCG only) Set on/off to enable/disable emulating ACLINT devices" },
    { .name = "acpi", .kind = PROP_CUSTOM, .type_name = "OnOffAuto", .get = acpi_get,
      .set = acpi_set, .help = "Enable ACPI" },
    { .name = "aia", .kind = PROP_ENUM, .type_name = "string",
      .offset = offsetof(VirtMachine, aia), .names = aia_names,
      .help = "Set type of AIA interrupt controller. Valid values are none, aplic, and "
              "aplic-imsic." },
    { .name = "aia-guests", .kind = PROP_CUSTOM, .type_name = "string", .get = aia_guests_get,
      .set = aia_guests_set,
      .help = "Set number of guest MMIO pages for AIA IMSIC. Valid value should be between 0 "
              "and 7." },
};

static const char *const virt_arches[] = { "riscv32", "riscv64", NULL };

static const MachineType virt_type = {
    .type = {
        .name = "virt-machine",
        .parent = "machine",
        .summary = "RISC-V VirtIO board",
        .size_bytes = sizeof(VirtMachine),
        .props = virt_props,
        .n_props = ARRAY_SIZE(virt_props),
    },
    .name = "virt",
    .desc = "RISC-V VirtIO board",
    .arches = virt_arches,
    .default_cpu32 = "rv32",
    .default_cpu64 = "rv64",
    .max_cpus = VIRT_MAX_HARTS,
    .default_cpus = 1,
    .default_ram_bytes = 128 * MiB,
    .ram_id = "riscv_virt_board.ram",
    .default_block_if = "virtio",
    .no_parallel = true,
    .default_nic = "virtio-net-pci",
    .init = virt_init,
    .ready = virt_ready,
};
OBJECT_TYPE_REGISTER(virt_type);
