/*
 * versatile.c: Versatile Platform Baseboard for ARM926EJ-S.
 *
 * Arm DUI 0225D: memory map 4.1, interrupts 4.10 (PL190, behind it the second-level controller).
 *
 * Left out: PCI, USB, Ethernet (SMC91C111), DMA controller PL080, AACI, SSP, SCI, I2C, watchdog, the second MMCI, the fourth UART's modem lines.
 */
#include "hw/arm/board.h"

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

static Irq *vic_irq(VersatileMachine *v, unsigned n) { return device_irq_in(v->vic, NULL, n); }
static Irq *sic_irq(VersatileMachine *v, unsigned n) { return device_irq_in(v->sic, NULL, n); }

static bool add_interrupts(VersatileMachine *v, Error **errp)
{
    ArmCpu *cpu = arm_cpu(&v->arm.machine, 0);

    v->vic = arm_place("pl190", NULL, VIC, &cpu->lines[ARM_LINE_IRQ], errp);
    v->sic = v->vic ? arm_place("versatilepb_sic", NULL, SIC, vic_irq(v, VIC_SIC), errp) : NULL;
    if (!v->sic) {
        return false;
    }
    device_connect_irq(v->vic, "sysbus-irq", 1, &cpu->lines[ARM_LINE_FIQ]);
    for (unsigned n = FIRST_THROUGH; n <= LAST_THROUGH; n++) {
        device_connect_irq(v->sic, "sysbus-irq", n, vic_irq(v, n));
    }
    return true;
}

static bool add_flash(Error **errp)
{
    static const char *const props[] = { "name", "versatile.flash", "num-blocks", "256", "sector-length", "262144", "width", "4", "id0", "0x89", "id1", "0x18",
                                         NULL };

    return arm_place_flash(props, 0, FLASH_BASE, errp) != NULL;
}

static bool add_devices(VersatileMachine *v, Error **errp)
{
    static const char *const ids[] = { "sys_id", "0x41007004", "proc_id", "0x02000000", NULL };
    Device *sysctl = arm_place("realview_sysctl", ids, SYSCTL, NULL, errp);

    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        if (!sysctl || !arm_place(devices[i].type, NULL, devices[i].base, vic_irq(v, (unsigned)devices[i].irq), errp)) {
            return false;
        }
    }
    for (unsigned n = 0; n < N_UARTS; n++) {
        if (!arm_place_uart(&v->arm.machine, n, uarts[n], n < 3 ? vic_irq(v, VIC_UART0 + n) : sic_irq(v, SIC_UART3), errp)) {
            return false;
        }
    }
    Device *lcd = arm_place("pl110_versatile", NULL, CLCD, vic_irq(v, 16), errp);
    if (!lcd || !arm_place("pl050_keyboard", NULL, 0x10006000, sic_irq(v, SIC_KEYBOARD), errp) ||
        !arm_place("pl050_mouse", NULL, 0x10007000, sic_irq(v, SIC_MOUSE), errp)) {
        return false;
    }
    device_connect_irq(sysctl, "pl110_mux_ctrl", 0, device_irq_in(lcd, NULL, 0));
    return arm_place_mmci(MMCI, sic_irq(v, SIC_MMCI0), sic_irq(v, SIC_MMCI0_SECOND), sysctl, errp) && add_flash(errp);
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

    v->boot = (ArmBoot){ .ram_bytes = m->ram_bytes, .board_id = BOARD_ID };
    return arm_boot_kernel(m, &v->boot, ": use -drive if=pflash", errp);
}

static const char *const arches[] = { "arm", "aarch64", NULL };

static const MachineType versatile_machine = {
    .type = { .name = "versatilepb-machine", .parent = "machine", .summary = "ARM Versatile/PB (ARM926EJ-S)", .size_bytes = sizeof(VersatileMachine) },
    .name = "versatilepb", .desc = "ARM Versatile/PB (ARM926EJ-S)", .arches = arches, .max_cpus = 1, .default_cpus = 1, .default_cpu32 = "arm926",
    .default_cpu64 = "arm926", .default_ram_bytes = 128 * MiB, .ram_id = "versatile.ram", .default_block_if = "sd", .no_floppy = true, .no_cdrom = true,
    .no_parallel = true, .init = versatile_init, .ready = versatile_ready, .reset = arm_machine_reset, .vcpu_path = arm_vcpu_path,
};
OBJECT_TYPE_REGISTER(versatile_machine);
