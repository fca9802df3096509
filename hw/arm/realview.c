/*
 * realview.c: RealView Platform Baseboard for Cortex-A8.
 *
 * Arm DUI 0417D: memory map 4.1, interrupts 4.10. Memory is at 0x70000000 and seen at 0, too.
 *
 * Left out: PCI, USB, flash, Ethernet (LAN9118), DMA controller PL080, AACI, SSP, SCI, I2C, the second core tile's site, watchdogs.
 */
#include "hw/arm/board.h"
#include "hw/arm/gic.h"

enum { N_UARTS = 4, BOARD_ID = 0x769, NO_SPI = -1 };
#define RAM_BASE UINT64_C(0x70000000)
#define RAM_MAX_BYTES (512 * MiB)
#define RAM_ALIAS_BYTES (256 * MiB) /* what is behind it is devices' */
#define GIC_CPU 0x1e000000u
#define GIC_DIST 0x1e001000u

static const struct { const char *type; uint32_t base; int8_t spi; } devices[] = {
    { "pl050_keyboard", 0x10006000, 20 }, { "pl050_mouse", 0x10007000, 21 }, { "sp804", 0x10011000, 4 }, { "sp804", 0x10012000, 5 },
    { "pl061", 0x10013000, 6 }, { "pl061", 0x10014000, 7 }, { "pl061", 0x10015000, 8 }, { "pl031", 0x10017000, 10 }, { "pl111", 0x10020000, 23 },
};
enum { SYSCTL = 0x10000000, MMCI = 0x10005000, UART0 = 0x10009000, SPI_UART0 = 12, SPI_MMCI = 17 };

typedef struct RealviewMachine {
    ArmMachine arm;
    ArmCpusConfig cpus;
    MemoryRegion low, gic_cpu;
    Device *gic;
    ArmBoot boot;
} RealviewMachine;

static Irq *spi(RealviewMachine *r, int n) { return n == NO_SPI ? NULL : gic_spi(r->gic, (unsigned)n); }

static bool add_gic(RealviewMachine *r, Error **errp)
{
    static const char *const props[] = { "num-cpu", "1", "num-irq", "96", "revision", "1", NULL };
    Machine *m = &r->arm.machine;

    r->gic = device_create("arm_gic", NULL, props, errp);
    if (!r->gic) {
        return false;
    }
    memory_region_init_alias(&r->gic_cpu, NULL, "gic_cpu", gicv2_view(r->gic, 0, GICV2_CPU), 0, 0x100);
    memory_region_add(&m->system_memory, GIC_CPU, &r->gic_cpu);
    memory_region_add(&m->system_memory, GIC_DIST, gicv2_view(r->gic, 0, GICV2_DIST));
    device_connect_irq(r->gic, "irq", 0, &arm_cpu(m, 0)->lines[ARM_LINE_IRQ]);
    device_connect_irq(r->gic, "fiq", 0, &arm_cpu(m, 0)->lines[ARM_LINE_FIQ]);
    return true;
}

static bool add_devices(RealviewMachine *r, Error **errp)
{
    static const char *const ids[] = { "sys_id", "0x01780500", "proc_id", "0x0e000000", NULL };
    Machine *m = &r->arm.machine;
    Device *sysctl = arm_place("realview_sysctl", ids, SYSCTL, NULL, errp);

    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        if (!sysctl || !arm_place(devices[i].type, NULL, devices[i].base, spi(r, devices[i].spi), errp)) {
            return false;
        }
    }
    for (unsigned n = 0; n < N_UARTS; n++) {
        if (!arm_place_uart(m, n, UART0 + 0x1000 * n, gic_spi(r->gic, SPI_UART0 + n), errp)) {
            return false;
        }
    }
    return arm_place_mmci(MMCI, gic_spi(r->gic, SPI_MMCI), gic_spi(r->gic, SPI_MMCI + 1), sysctl, errp);
}

static bool realview_init(Machine *m, Error **errp)
{
    RealviewMachine *r = (RealviewMachine *)m;

    if (m->ram_bytes > RAM_MAX_BYTES) {
        error_set(errp, "realview-pb-a8: cannot model more than 512 MiB RAM");
        return false;
    }
    if (!machine_create_ram(m, errp)) {
        return false;
    }
    memory_region_add(&m->system_memory, RAM_BASE, m->ram);
    memory_region_init_alias(&r->low, NULL, "realview.alias", m->ram, 0, MIN(m->ram_bytes, RAM_ALIAS_BYTES));
    memory_region_add(&m->system_memory, 0, &r->low);
    r->cpus = (ArmCpusConfig){ .machine = m, .cluster_cpus = 1 };
    return arm_cpus_create(&r->cpus, errp) && add_gic(r, errp) && add_devices(r, errp);
}

static bool realview_ready(Machine *m, Error **errp)
{
    RealviewMachine *r = (RealviewMachine *)m;

    r->boot = (ArmBoot){ .ram_base = RAM_BASE, .ram_bytes = m->ram_bytes, .board_id = BOARD_ID };
    return arm_boot_kernel(m, &r->boot, ": there is no flash", errp);
}

static const char *const arches[] = { "arm", "aarch64", NULL };

static const MachineType realview_machine = {
    .type = { .name = "realview-pb-a8-machine", .parent = "machine", .summary = "ARM RealView Platform Baseboard for Cortex-A8",
              .size_bytes = sizeof(RealviewMachine) },
    .name = "realview-pb-a8", .desc = "ARM RealView Platform Baseboard for Cortex-A8", .arches = arches, .max_cpus = 1, .default_cpus = 1,
    .default_cpu32 = "cortex-a8", .default_cpu64 = "cortex-a8", .default_ram_bytes = 128 * MiB, .ram_id = "realview.highmem",
    .default_block_if = "sd", .no_floppy = true, .no_cdrom = true, .no_parallel = true, .init = realview_init, .ready = realview_ready,
    .reset = arm_machine_reset, .vcpu_path = arm_vcpu_path,
};
OBJECT_TYPE_REGISTER(realview_machine);
