/*
 * versatile.c: Versatile Platform Baseboard for ARM926EJ-S.
 *
 * Arm DUI 0225D: memory map 4.1, interrupts 4.10 (PL190, behind it the second-level controller).
 *
 * Left out: PCI, USB, Ethernet (SMC91C111), DMA controller PL080, AACI, SSP, SCI, I2C, watchdog, the second MMCI, the fourth UART's modem lines.
 */
#include "block/block.h"
#include "hw/arm/boot.h"
#include "hw/chardev-prop.h"
#include "hw/sd.h"

enum { BOARD_ID = 0x183, N_UARTS = 4, VIC_SIC = 31, SIC_MMCI0_SECOND = 1, SIC_KEYBOARD = 3, SIC_MOUSE = 4, SIC_UART3 = 6, SIC_MMCI0 = 22,
       VIC_UART0 = 12, FIRST_THROUGH = 21, LAST_THROUGH = 30 };
#define RAM_MAX_BYTES (256 * MiB)
#define FLASH_BASE 0x34000000u
#define SYSCTL 0x10000000u
#define SIC 0x10003000u
#define MMCI 0x10005000u
#define VIC 0x10140000u
#define CLCD 0x10120000u

/* Interrupts of the PL190. */
static const struct { const char *type; uint32_t base; int8_t irq; } devices[] = {
    { "sp804", 0x101e2000, 4 }, { "sp804", 0x101e3000, 5 }, { "pl061", 0x101e4000, 6 }, { "pl061", 0x101e5000, 7 }, { "pl061", 0x101e6000, 8 },
    { "pl061", 0x101e7000, 9 }, { "pl031", 0x101e8000, 10 },
};
static const uint32_t uarts[N_UARTS] = { 0x101f1000, 0x101f2000, 0x101f3000, 0x10009000 };

typedef struct VersatileMachine {
    ArmMachine arm;
    ArmCpusConfig cpus;
    Device *vic, *sic;
    ArmBoot boot;
} VersatileMachine;

static Device *place(const char *type, const char *const *props, gpa base, Irq *irq, Error **errp)
{
    Device *dev = device_create(type, NULL, props, errp);

    if (dev) {
        sysbus_map(dev, 0, base);
        if (irq) {
            device_connect_irq(dev, "sysbus-irq", 0, irq);
        }
    }
    return dev;
}

static Irq *vic_irq(VersatileMachine *v, unsigned n) { return device_irq_in(v->vic, NULL, n); }
static Irq *sic_irq(VersatileMachine *v, unsigned n) { return device_irq_in(v->sic, NULL, n); }

static bool add_interrupts(VersatileMachine *v, Error **errp)
{
    ArmCpu *cpu = arm_cpu(&v->arm.machine, 0);

    v->vic = place("pl190", NULL, VIC, &cpu->lines[ARM_LINE_IRQ], errp);
    v->sic = v->vic ? place("versatilepb_sic", NULL, SIC, vic_irq(v, VIC_SIC), errp) : NULL;
    if (!v->sic) {
        return false;
    }
    device_connect_irq(v->vic, "sysbus-irq", 1, &cpu->lines[ARM_LINE_FIQ]);
    for (unsigned n = FIRST_THROUGH; n <= LAST_THROUGH; n++) {
        device_connect_irq(v->sic, "sysbus-irq", n, vic_irq(v, n));
    }
    return true;
}

static bool add_uart(VersatileMachine *v, unsigned n, Irq *irq, Error **errp)
{
    Device *dev = device_new("pl011", errp);

    if (!dev || !device_attach_chardev(dev, v->arm.machine.serials[n], errp) || !device_realize(dev, NULL, errp)) {
        return false;
    }
    object_unref(&dev->obj);
    sysbus_map(dev, 0, uarts[n]);
    device_connect_irq(dev, "sysbus-irq", 0, irq);
    return true;
}

static bool add_flash(Error **errp)
{
    static const char *const props[] = { "name", "versatile.flash", "num-blocks", "256", "sector-length", "262144", "width", "4", "id0", "0x89", "id1", "0x18",
                                         NULL };
    Device *dev = device_new("cfi.pflash01", errp);
    bool ok = dev != NULL;

    for (const char *const *p = props; ok && *p; p += 2) {
        ok = object_property_parse(&dev->obj, p[0], p[1], errp);
    }
    if (!ok) {
        return false;
    }
    *(BlockBackend **)((char *)dev + object_type_find_prop(dev->obj.type, "drive")->offset) = drive_get("pflash", 0);
    ok = device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    if (ok) {
        sysbus_map(dev, 0, FLASH_BASE);
    }
    return ok;
}

static bool add_devices(VersatileMachine *v, Error **errp)
{
    static const char *const ids[] = { "sys_id", "0x41007004", "proc_id", "0x02000000", NULL };
    Device *sysctl = place("realview_sysctl", ids, SYSCTL, NULL, errp);

    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        if (!sysctl || !place(devices[i].type, NULL, devices[i].base, vic_irq(v, (unsigned)devices[i].irq), errp)) {
            return false;
        }
    }
    for (unsigned n = 0; n < N_UARTS; n++) {
        if (!add_uart(v, n, n < 3 ? vic_irq(v, VIC_UART0 + n) : sic_irq(v, SIC_UART3), errp)) {
            return false;
        }
    }
    Device *lcd = place("pl110_versatile", NULL, CLCD, vic_irq(v, 16), errp), *mmci = place("pl181", NULL, MMCI, sic_irq(v, SIC_MMCI0), errp);
    if (!lcd || !mmci || !place("pl050_keyboard", NULL, 0x10006000, sic_irq(v, SIC_KEYBOARD), errp) ||
        !place("pl050_mouse", NULL, 0x10007000, sic_irq(v, SIC_MOUSE), errp)) {
        return false;
    }
    device_connect_irq(sysctl, "pl110_mux_ctrl", 0, device_irq_in(lcd, NULL, 0));
    device_connect_irq(mmci, "sysbus-irq", 1, sic_irq(v, SIC_MMCI0_SECOND));
    device_connect_irq(mmci, "card-read-only", 0, device_irq_in(sysctl, NULL, 0));
    device_connect_irq(mmci, "card-inserted", 0, device_irq_in(sysctl, NULL, 1));
    return sd_card_create(mmci->first_bus, 0, errp) != NULL && add_flash(errp);
}

static bool versatile_init(Machine *m, Error **errp)
{
    VersatileMachine *v = (VersatileMachine *)m;

    if (m->ram_bytes > RAM_MAX_BYTES) {
        error_set(errp, "versatilepb: cannot model more than 256 MiB RAM");
        return false;
    }
    if (!machine_create_ram(m, errp)) {
        return false;
    }
    memory_region_add(&m->system_memory, 0, m->ram);
    v->cpus = (ArmCpusConfig){ .machine = m, .cluster_cpus = 1 };
    return arm_cpus_create(&v->cpus, errp) && add_interrupts(v, errp) && add_devices(v, errp);
}

static bool versatile_ready(Machine *m, Error **errp)
{
    VersatileMachine *v = (VersatileMachine *)m;

    if (m->firmware && strcmp(m->firmware, "none")) {
        error_set(errp, "-bios is not supported by this board: use -drive if=pflash");
        return false;
    }
    v->boot = (ArmBoot){ .ram_bytes = m->ram_bytes, .board_id = BOARD_ID };
    return arm_load_images(m, &v->boot, errp) && arm_take_dtb(m, &v->boot, m->ram_bytes, errp) &&
           arm_place_boot(m, &v->boot, PSCI_CONDUIT_NONE, 1, errp);
}

static const char *const arches[] = { "arm", "aarch64", NULL };

static const MachineType versatile_machine = {
    .type = { .name = "versatilepb-machine", .parent = "machine", .summary = "ARM Versatile/PB (ARM926EJ-S)", .size_bytes = sizeof(VersatileMachine) },
    .name = "versatilepb", .desc = "ARM Versatile/PB (ARM926EJ-S)", .arches = arches, .max_cpus = 1, .default_cpus = 1, .default_cpu32 = "arm926",
    .default_cpu64 = "arm926", .default_ram_bytes = 128 * MiB, .ram_id = "versatile.ram", .default_block_if = "sd", .no_floppy = true, .no_cdrom = true,
    .no_parallel = true, .init = versatile_init, .ready = versatile_ready, .reset = arm_machine_reset, .vcpu_path = arm_vcpu_path,
};
OBJECT_TYPE_REGISTER(versatile_machine);
