/*
 * vexpress.c: Versatile Express: the uATX mother board V2M-P1 with a Cortex-A9 or Cortex-A15 daughter board.
 *
 * Mother board: Arm DUI 0447J (memory maps 4.2, interrupts 4.6); CoreTile Express A9x4: DUI 0448I; A15x2: DUI 0604E (memory map 3.2). The A9's mother board map
 * is the old one, the A15's the new one ("RS1").
 *
 * The other processors wait in SRAM for an interrupt and then for an address in SYS_FLAGS, as the boot monitor has them.
 *
 * Left out (reads as 0): USB (ISP1761), CompactFlash, the A15's graphics and HDLCD, DVI's transmitter on I2C, Ethernet (LAN9118), SP805, SP810, AACI.
 */
#include <stdio.h>
#include "hw/arm/board.h"
#include "hw/arm/mpcore.h"
#include "hw/arm/smpboot32.h"

enum { N_UARTS = 4, N_VIRTIO = 4, FLASH_BYTES = 64 * MiB, SRAM_BYTES = 32 * MiB, VRAM_BYTES = 8 * MiB, BOARD_ID = 2272 };
/* Interrupts of the mother board; on both daughter boards SPIs of the same number. */
enum { IRQ_TIMER01 = 2, IRQ_TIMER23 = 3, IRQ_RTC = 4, IRQ_UART = 5, IRQ_MMCI = 9, IRQ_KEYBOARD = 12, IRQ_MOUSE = 13, IRQ_CLCD = 14, IRQ_VIRTIO = 40 };

typedef enum VexPart {
    VEX_SYSREGS, VEX_MMCI, VEX_KEYBOARD, VEX_MOUSE, VEX_UART0, VEX_TIMER01 = VEX_UART0 + N_UARTS, VEX_TIMER23, VEX_VIRTIO, VEX_RTC, VEX_CLCD, VEX_FLASH0,
    VEX_FLASH1, VEX_SRAM, VEX_VRAM, VEX_N_PARTS,
} VexPart;

typedef struct VexModel {
    gpa map[VEX_N_PARTS];
    gpa ram, cores, tile_clcd, tile_timer, l2, tile_sram;
    uint64_t max_ram;
    unsigned n_irqs, tile_clcd_irq, tile_timer_irq;
    bool a15;
    uint32_t proc_id;
    const char *const *clocks, *const *volts;
} VexModel;

typedef struct VexpressMachine {
    ArmMachine arm;
    ArmCpusConfig cpus;
    MpCore core;
    MemoryRegion flash_alias, sram, vram, tile_sram;
    Device *sysctl, *flash[2];
    ArmBoot boot;
} VexpressMachine;

static Machine *mach(VexpressMachine *v) { return &v->arm.machine; }

static const VexModel *model(const VexpressMachine *v)
{
    return v->arm.machine.type->type.class_data;
}

static Device *add(VexpressMachine *v, const char *type, gpa base, int spi, const char *const *props, Error **errp)
{
    return arm_place(type, props, base, spi < 0 ? NULL : gic_spi(v->core.gic, (unsigned)spi), errp);
}

static bool add_uarts(VexpressMachine *v, Error **errp)
{
    for (unsigned n = 0; n < N_UARTS; n++) {
        if (!arm_place_uart(mach(v), n, model(v)->map[VEX_UART0 + n], gic_spi(v->core.gic, IRQ_UART + n), errp)) {
            return false;
        }
    }
    return true;
}

/* Two 16-bit chips side by side, as on other boards. */
static bool add_flash(VexpressMachine *v, unsigned n, Error **errp)
{
    char name[24];

    snprintf(name, sizeof(name), "vexpress.flash%u", n);
    const char *const props[] = { "name", name, "num-blocks", "256", "sector-length", "262144", "width", "4", "device-width", "2", "id0", "0x89",
                                  "id1", "0x18", NULL };

    v->flash[n] = arm_place_flash(props, n, model(v)->map[VEX_FLASH0 + n], errp);
    return v->flash[n] != NULL;
}

static bool add_memory(VexpressMachine *v, Error **errp)
{
    Machine *m = mach(v);
    const VexModel *x = model(v);

    if (m->ram_bytes > x->max_ram) {
        error_set(errp, "%s: cannot model more than %" PRIu64 " MiB RAM", m->type->name, x->max_ram / MiB);
        return false;
    }
    if (!machine_create_ram(m, errp) || !memory_region_init_ram(&v->sram, NULL, "vexpress.sram", SRAM_BYTES, errp) ||
        !memory_region_init_ram(&v->vram, NULL, "vexpress.vram", VRAM_BYTES, errp)) {
        return false;
    }
    memory_region_add(&m->system_memory, x->ram, m->ram);
    memory_region_add(&m->system_memory, x->map[VEX_SRAM], &v->sram);
    memory_region_add(&m->system_memory, x->map[VEX_VRAM], &v->vram);
    if (x->tile_sram) {
        if (!memory_region_init_ram(&v->tile_sram, NULL, "vexpress.a15sram", 64 * KiB, errp)) {
            return false;
        }
        memory_region_add(&m->system_memory, x->tile_sram, &v->tile_sram);
    }
    return true;
}

/* Processors and what is on their board. */
static bool add_tile(VexpressMachine *v, Error **errp)
{
    Machine *m = mach(v);
    const VexModel *x = model(v);

    v->cpus = (ArmCpusConfig){ .machine = m, .cluster_cpus = MPCORE_MAX_CPUS, .periphbase = x->cores };
    if (!arm_cpus_create(&v->cpus, errp)) {
        return false;
    }
    if (x->a15) {
        return a15mpcore_create(m, &v->core, x->cores, x->n_irqs, false, errp);
    }
    return a9mpcore_create(m, &v->core, x->cores, x->n_irqs, errp) && add(v, "pl111", x->tile_clcd, (int)x->tile_clcd_irq, NULL, errp) &&
           add(v, "sp804", x->tile_timer, (int)x->tile_timer_irq, NULL, errp) && add(v, "l2x0", x->l2, -1, NULL, errp);
}

static Device *add_sysregs(VexpressMachine *v, Error **errp)
{
    const VexModel *x = model(v);
    char id[24], names[16][24];
    const char *props[5 + 2 * 16] = { "sys_id", "0x1190f500", "proc_id", id };
    unsigned n = 4, k = 0;

    snprintf(id, sizeof(id), "0x%x", x->proc_id);
    for (unsigned i = 0; x->clocks[i]; i++, k++) {
        snprintf(names[k], sizeof(names[k]), "db-clock[%u]", i);
        props[n++] = names[k];
        props[n++] = x->clocks[i];
    }
    for (unsigned i = 0; x->volts[i]; i++, k++) {
        snprintf(names[k], sizeof(names[k]), "db-voltage[%u]", i);
        props[n++] = names[k];
        props[n++] = x->volts[i];
    }
    props[n] = NULL;
    return add(v, "realview_sysctl", x->map[VEX_SYSREGS], -1, props, errp);
}

static bool add_card(VexpressMachine *v, Error **errp)
{
    return arm_place_mmci(model(v)->map[VEX_MMCI], gic_spi(v->core.gic, IRQ_MMCI), gic_spi(v->core.gic, IRQ_MMCI + 1), v->sysctl, errp);
}

/* What is left out reads as 0: kernels look at some of it without asking. */
static bool add_background(VexpressMachine *v, Error **errp)
{
    enum { FROM = 0x10000000 };

    return arm_place_absent(mach(v), "vexpress", FROM, model(v)->ram - FROM, errp);
}

static bool vexpress_init(Machine *m, Error **errp)
{
    VexpressMachine *v = (VexpressMachine *)m;
    const gpa *map = model(v)->map;

    if (!add_background(v, errp) || !add_memory(v, errp) || !add_tile(v, errp)) {
        return false;
    }
    v->sysctl = add_sysregs(v, errp);
    if (!v->sysctl || !add_card(v, errp) || !add(v, "pl050_keyboard", map[VEX_KEYBOARD], IRQ_KEYBOARD, NULL, errp) ||
        !add(v, "pl050_mouse", map[VEX_MOUSE], IRQ_MOUSE, NULL, errp) || !add_uarts(v, errp) ||
        !add(v, "sp804", map[VEX_TIMER01], IRQ_TIMER01, NULL, errp) || !add(v, "sp804", map[VEX_TIMER23], IRQ_TIMER23, NULL, errp) ||
        !add(v, "pl031", map[VEX_RTC], IRQ_RTC, NULL, errp) || !add(v, "pl111", map[VEX_CLCD], IRQ_CLCD, NULL, errp) || !add_flash(v, 0, errp) ||
        !add_flash(v, 1, errp)) {
        return false;
    }
    /* Flash 0 is at address 0 when the board starts. */
    memory_region_init_alias(&v->flash_alias, NULL, "vexpress.flashalias", device_mmio(v->flash[0], 0), 0, FLASH_BYTES);
    memory_region_add(&m->system_memory, 0, &v->flash_alias);
    for (unsigned i = 0; i < N_VIRTIO; i++) {
        if (!add(v, "virtio-mmio", map[VEX_VIRTIO] + 0x200 * i, (int)(IRQ_VIRTIO + i), NULL, errp)) {
            return false;
        }
    }
    return true;
}

static bool vexpress_ready(Machine *m, Error **errp)
{
    VexpressMachine *v = (VexpressMachine *)m;
    const VexModel *x = model(v);

    v->boot = (ArmBoot){ .ram_base = x->ram, .ram_bytes = m->ram_bytes, .board_id = BOARD_ID };
    if (!arm_boot_kernel(m, &v->boot, " yet: use -drive if=pflash", errp)) {
        return false;
    }
    if (v->boot.is_linux) {
        arm_smpboot32(m, x->map[VEX_SRAM], &(ArmSmpBoot){ .reg = x->map[VEX_SYSREGS] + 0x30, .gic_cpu = x->cores + (x->a15 ? 0x2000 : 0x100) });
    }
    return true;
}

static const char *const a9_clocks[] = { "45000000", "23750000", "66670000", NULL };
static const char *const a9_volts[] = { "1000000", "1000000", "1000000", "1800000", "900000", "3300000", NULL };
static const char *const a15_clocks[] = { "60000000", "0", "0", "0", "40000000", "23750000", "50000000", "60000000", NULL };
static const char *const a15_volts[] = { "900000", NULL };

static const VexModel model_a9 = {
    .map = {
        [VEX_SYSREGS] = 0x10000000, [VEX_MMCI] = 0x10005000, [VEX_KEYBOARD] = 0x10006000, [VEX_MOUSE] = 0x10007000,
        [VEX_UART0] = 0x10009000, 0x1000a000, 0x1000b000, 0x1000c000, [VEX_TIMER01] = 0x10011000, [VEX_TIMER23] = 0x10012000,
        [VEX_VIRTIO] = 0x10013000, [VEX_RTC] = 0x10017000, [VEX_CLCD] = 0x1001f000, [VEX_FLASH0] = 0x40000000, [VEX_FLASH1] = 0x44000000,
        [VEX_SRAM] = 0x48000000, [VEX_VRAM] = 0x4c000000,
    },
    .ram = 0x60000000, .max_ram = 1 * GiB, .cores = 0x1e000000, .l2 = 0x1e00a000, .n_irqs = 96, .tile_clcd = 0x10020000, .tile_clcd_irq = 44,
    .tile_timer = 0x100e4000, .tile_timer_irq = 48, .proc_id = 0x0c000191, .clocks = a9_clocks, .volts = a9_volts,
};
static const VexModel model_a15 = {
    .map = {
        [VEX_SYSREGS] = 0x1c010000, [VEX_MMCI] = 0x1c050000, [VEX_KEYBOARD] = 0x1c060000, [VEX_MOUSE] = 0x1c070000,
        [VEX_UART0] = 0x1c090000, 0x1c0a0000, 0x1c0b0000, 0x1c0c0000, [VEX_TIMER01] = 0x1c110000, [VEX_TIMER23] = 0x1c120000,
        [VEX_VIRTIO] = 0x1c130000, [VEX_RTC] = 0x1c170000, [VEX_CLCD] = 0x1c1f0000, [VEX_FLASH0] = 0x08000000, [VEX_FLASH1] = 0x0c000000,
        [VEX_SRAM] = 0x14000000, [VEX_VRAM] = 0x18000000,
    },
    .ram = 0x80000000, .max_ram = 2 * GiB, .cores = 0x2c000000, .tile_sram = 0x2e000000, .n_irqs = 160, .a15 = true, .proc_id = 0x14000237,
    .clocks = a15_clocks, .volts = a15_volts,
};

static const ObjectType vexpress_base_type = {
    .name = "vexpress-machine", .parent = "machine", .size_bytes = sizeof(VexpressMachine), .abstract = true,
};
OBJECT_TYPE_REGISTER(vexpress_base_type);

static const char *const arches[] = { "arm", "aarch64", NULL };

#define VEXPRESS(id, text, cpu)                                                                                                         \
    static const MachineType vexpress_##id = {                                                                                         \
        .type = { .name = "vexpress-" #id "-machine", .parent = "vexpress-machine", .summary = text, .size_bytes = sizeof(VexpressMachine), \
                  .class_data = &model_##id },                                                                                          \
        .name = "vexpress-" #id, .desc = text, .arches = arches, .max_cpus = MPCORE_MAX_CPUS, .default_cpus = 1, .default_cpu32 = cpu,     \
        .default_cpu64 = cpu, .default_ram_bytes = 128 * MiB, .ram_id = "vexpress.highmem", .default_block_if = "sd", .no_floppy = true,  \
        .no_cdrom = true, .no_parallel = true, .init = vexpress_init, .ready = vexpress_ready, .reset = arm_machine_reset,                \
        .vcpu_path = arm_vcpu_path,                                                                                                     \
    };                                                                                                                                  \
    OBJECT_TYPE_REGISTER(vexpress_##id)
VEXPRESS(a9, "ARM Versatile Express for Cortex-A9", "cortex-a9");
VEXPRESS(a15, "ARM Versatile Express for Cortex-A15", "cortex-a15");
