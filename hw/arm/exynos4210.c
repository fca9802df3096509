/*
 * exynos4210.c: boards with a Samsung Exynos 4210: two Cortex-A9 and the chip's devices.
 *
 * Samsung Exynos 4210 user's manual: memory map, interrupt sources; what it leaves open as Linux' exynos4.dtsi and exynos4210.dtsi have it. The GIC of the chip has its
 * processor interfaces and distributor 0x8000 apart for the processors; the one inside the MPCore is there, too, and either interrupts.
 *
 * With a kernel the second processor waits for an interrupt and then for an address in INFORM5, as the boot loader leaves it.
 *
 * What is not modelled reads as 0 and says so with -d unimp: display (FIMD), USB, Ethernet (LAN9118), DMA (PL330), I2C, SPI, GPIO and pin control, RTC, PWM,
 * watchdog, random numbers, memory controllers, sound, camera, codecs, 3D. Threads: BQL.
 */
#include <stdio.h>
#include "hw/arm/board.h"
#include "hw/arm/mpcore.h"
#include "hw/arm/smpboot32.h"
#include "hw/sd.h"

enum { N_CPUS = 2, N_IRQS = 160, PRIVATE_IRQS = 96, VIEW_STRIDE = 0x8000, CLUSTER = 0x900, N_GROUPS = 16, N_UARTS = 4, N_CARDS = 4 };
enum { SPI_UART0 = 52, SPI_CARD0 = 73 };
enum {
    IRAM = 0x02020000, IRAM_BYTES = 128 << 10, PEN = IRAM + 0x5000, CHIPID = 0x10000000, PMU = 0x10020000, INFORM5 = PMU + 0x814, CLK = 0x10030000,
    MCT = 0x10050000, COMBINER = 0x10440000, GIC_CPU = 0x10480000, GIC_DIST = 0x10490000, PRIVATE = 0x10500000, L2 = 0x10502000, CARD0 = 0x12510000,
    UART0 = 0x13800000, BLOCK = 0x10000, RAM_BASE = 0x40000000,
};
#define RAM_MAX_BYTES (1 * GiB)

typedef struct ExynosMachine {
    ArmMachine arm;
    ArmCpusConfig cpus;
    MpCore core;
    Device *gic, *combiner;
    MemoryRegion iram, gic_cpu[N_CPUS];
    ArmBoot boot;
} ExynosMachine;

static bool add_memory(ExynosMachine *x, Error **errp)
{
    Machine *m = &x->arm.machine;

    if (m->ram_bytes > RAM_MAX_BYTES) {
        error_set(errp, "%s: cannot model more than 1024 MiB RAM", m->type->name);
        return false;
    }
    if (!machine_create_ram(m, errp) || !memory_region_init_ram(&x->iram, NULL, "exynos4210.iram", IRAM_BYTES, errp)) {
        return false;
    }
    memory_region_add(&m->system_memory, RAM_BASE, m->ram);
    memory_region_add(&m->system_memory, IRAM, &x->iram);
    return arm_place_absent(m, "exynos4210", 0, RAM_BASE, errp);
}

/* Either controller interrupts a processor. */
static void join(ExynosMachine *x, const char *output, ArmLine line)
{
    for (unsigned i = 0; i < x->arm.machine.smp.cpus; i++) {
        Irq *in[2];

        irq_new_or(in, ARRAY_SIZE(in), &arm_cpu(&x->arm.machine, i)->lines[line]);
        device_connect_irq(x->core.gic, output, i, in[0]);
        device_connect_irq(x->gic, output, i, in[1]);
    }
}

static bool add_interrupts(ExynosMachine *x, Error **errp)
{
    Machine *m = &x->arm.machine;
    char cpus[8], irqs[8];

    if (!a9mpcore_create(m, &x->core, PRIVATE, PRIVATE_IRQS, errp)) {
        return false;
    }
    snprintf(cpus, sizeof(cpus), "%u", m->smp.cpus);
    snprintf(irqs, sizeof(irqs), "%u", N_IRQS);
    x->gic = device_create("arm_gic", NULL, (const char *const[]){ "num-cpu", cpus, "num-irq", irqs, "revision", "1", NULL }, errp);
    x->combiner = x->gic ? arm_place("exynos4210.combiner", NULL, COMBINER, NULL, errp) : NULL;
    if (!x->combiner) {
        return false;
    }
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        memory_region_init_alias(&x->gic_cpu[i], NULL, "gic_cpu[*]", gicv2_view(x->gic, i, GICV2_CPU), 0, 0x100);
        memory_region_add(&m->system_memory, GIC_CPU + VIEW_STRIDE * i, &x->gic_cpu[i]);
        memory_region_add(&m->system_memory, GIC_DIST + VIEW_STRIDE * i, gicv2_view(x->gic, i, GICV2_DIST));
    }
    join(x, "irq", ARM_LINE_IRQ);
    join(x, "fiq", ARM_LINE_FIQ);
    for (unsigned g = 0; g < N_GROUPS; g++) {
        device_connect_irq(x->combiner, "sysbus-irq", g, gic_spi(x->gic, g));
    }
    return true;
}

/* Comparators 0 and 1 and the local timers have lines of the GIC, comparators 2 and 3 of the combiner's group 12. */
static bool add_timer(ExynosMachine *x, Error **errp)
{
    static const uint8_t spis[] = { 57, 69, 0, 0, 42, 48 };
    Device *mct = arm_place("exynos4210.mct", NULL, MCT, NULL, errp);

    for (unsigned n = 0; mct && n < ARRAY_SIZE(spis); n++) {
        device_connect_irq(mct, "sysbus-irq", n, spis[n] ? gic_spi(x->gic, spis[n]) : device_irq_in(x->combiner, NULL, 12 * 8 + 4 + n));
    }
    return mct != NULL;
}

static bool add_devices(ExynosMachine *x, Error **errp)
{
    static const char *const fifos[N_UARTS] = { "256", "64", "16", "16" };
    static const char *const sdhci[] = { "sd-spec-version", "2", "capareg", "0x05e80080", NULL };

    if (!arm_place("exynos4210.chipid", NULL, CHIPID, NULL, errp) || !arm_place("exynos4210.pmu", NULL, PMU, NULL, errp) ||
        !arm_place("exynos4210.clk", NULL, CLK, NULL, errp) || !arm_place("l2x0", NULL, L2, NULL, errp) || !add_timer(x, errp)) {
        return false;
    }
    for (unsigned n = 0; n < N_UARTS; n++) {
        const char channel[] = { (char)('0' + n), 0 };
        const char *const props[] = { "channel", channel, "rx-size", fifos[n], "tx-size", fifos[n], NULL };

        if (!arm_place_serial(&x->arm.machine, "exynos4210.uart", props, n, UART0 + BLOCK * n, gic_spi(x->gic, SPI_UART0 + n), errp)) {
            return false;
        }
    }
    for (unsigned n = 0; n < N_CARDS; n++) {
        Device *host = arm_place("generic-sdhci", sdhci, CARD0 + BLOCK * n, gic_spi(x->gic, SPI_CARD0 + n), errp);

        if (!host || !sd_card_create(host->first_bus, n, errp)) {
            return false;
        }
    }
    return true;
}

static bool exynos_init(Machine *m, Error **errp)
{
    ExynosMachine *x = (ExynosMachine *)m;

    x->cpus = (ArmCpusConfig){ .machine = m, .cluster_cpus = N_CPUS, .affinity = CLUSTER, .periphbase = PRIVATE };
    return add_memory(x, errp) && arm_cpus_create(&x->cpus, errp) && add_interrupts(x, errp) && add_devices(x, errp);
}

static bool exynos_ready(Machine *m, Error **errp)
{
    ExynosMachine *x = (ExynosMachine *)m;
    const uint32_t *board_id = m->type->type.class_data;

    x->boot = (ArmBoot){ .ram_base = RAM_BASE, .ram_bytes = m->ram_bytes, .board_id = *board_id };
    if (!arm_boot_kernel(m, &x->boot, ": there is no boot ROM", errp)) {
        return false;
    }
    if (m->smp.cpus > 1) {
        arm_smpboot32(m, PEN, &(ArmSmpBoot){ .reg = INFORM5, .gic_cpu = GIC_CPU + VIEW_STRIDE });
    }
    return true;
}

static const ObjectType exynos_base_type = {
    .name = "exynos4210-machine", .parent = "machine", .size_bytes = sizeof(ExynosMachine), .abstract = true,
};
OBJECT_TYPE_REGISTER(exynos_base_type);

static const char *const arches[] = { "arm", "aarch64", NULL };

#define EXYNOS(id, number, text)                                                                                                        \
    static const uint32_t id##_board = number;                                                                                         \
    static const MachineType id##_machine = {                                                                                          \
        .type = { .name = #id "-machine", .parent = "exynos4210-machine", .summary = text, .size_bytes = sizeof(ExynosMachine),          \
                  .class_data = &id##_board },                                                                                          \
        .name = #id, .desc = text, .arches = arches, .max_cpus = N_CPUS, .default_cpus = N_CPUS, .default_cpu32 = "cortex-a9",             \
        .default_cpu64 = "cortex-a9", .default_ram_bytes = 1 * GiB, .ram_id = "exynos4210.dram0", .default_block_if = "sd",               \
        .no_floppy = true, .no_cdrom = true, .no_parallel = true, .init = exynos_init, .ready = exynos_ready, .reset = arm_machine_reset, \
        .vcpu_path = arm_vcpu_path,                                                                                                     \
    };                                                                                                                                  \
    OBJECT_TYPE_REGISTER(id##_machine)
EXYNOS(smdkc210, 0xb16, "Samsung SMDKC210 board (Exynos4210)");
EXYNOS(nuri, 0xd33, "Samsung NURI board (Exynos4210)");
