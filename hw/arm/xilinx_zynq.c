/*
 * xilinx_zynq.c: Zynq-7000, processing system: one or two Cortex-A9 and the devices beside the programmable logic.
 *
 * Xilinx UG585 (Zynq-7000 TRM): memory map chapter 4, interrupts 7.2.3, start of the second processor 6.1.10. With a kernel the boot ROM is done: the second processor
 * waits for an address at 0xfffffff0, as it leaves it.
 *
 * What is not modelled reads as 0 and says so with -d unimp: USB, I2C, SPI and QSPI with their flash, CAN, GPIO, static memory (NAND, NOR), DMA (PL330), system
 * watchdog, DDR controller, device configuration, XADC, debug. The programmable logic is empty. Threads: BQL.
 */
#include <stdio.h>
#include "hw/arm/board.h"
#include "hw/arm/mpcore.h"
#include "hw/arm/smpboot32.h"
#include "hw/arm/zynq.h"
#include "hw/sd.h"

enum { MAX_CPUS = 2, N_IRQS = 96, BOARD_ID = 0xd32 };
#define RAM_MAX_BYTES (1 * GiB)
#define OCM_BASE UINT64_C(0xfffc0000)
#define OCM_BYTES (256 * KiB)
#define PRIVATE_BASE UINT64_C(0xf8f00000)
#define SLCR_BASE UINT64_C(0xf8000000)
#define L2_BASE UINT64_C(0xf8f02000)
#define PEN UINT64_C(0xfffffe00)
#define PEN_MAILBOX UINT64_C(0xffffffe0) /* processor 1's is 16 bytes on */

static const struct { uint32_t base; uint8_t spi; } uarts[] = { { 0xe0000000, 27 }, { 0xe0001000, 50 } },
                                                    cards[] = { { 0xe0100000, 24 }, { 0xe0101000, 47 } },
                                                    timers[] = { { 0xf8001000, 10 }, { 0xf8002000, 37 } }; /* three each */
static const struct { const char *name; uint32_t base, bytes; } absent[] = {
    { "zynq.usb0", 0xe0002000, 0x1000 }, { "zynq.usb1", 0xe0003000, 0x1000 }, { "zynq.i2c0", 0xe0004000, 0x1000 }, { "zynq.i2c1", 0xe0005000, 0x1000 },
    { "zynq.spi0", 0xe0006000, 0x1000 }, { "zynq.spi1", 0xe0007000, 0x1000 }, { "zynq.can0", 0xe0008000, 0x1000 }, { "zynq.can1", 0xe0009000, 0x1000 },
    { "zynq.gpio", 0xe000a000, 0x1000 }, { "zynq.gem0", 0xe000b000, 0x1000 }, { "zynq.gem1", 0xe000c000, 0x1000 }, { "zynq.qspi", 0xe000d000, 0x1000 },
    { "zynq.smcc", 0xe000e000, 0x1000 }, { "zynq.nand", 0xe1000000, 0x1000000 }, { "zynq.nor", 0xe2000000, 0x4000000 },
    { "zynq.dma_s", 0xf8003000, 0x1000 }, { "zynq.dma_ns", 0xf8004000, 0x1000 }, { "zynq.swdt", 0xf8005000, 0x1000 }, { "zynq.ddrc", 0xf8006000, 0x1000 },
    { "zynq.devcfg", 0xf8007000, 0x1000 }, { "zynq.axi_hp", 0xf8008000, 0x4000 }, { "zynq.ocm", 0xf800c000, 0x1000 }, { "zynq.efuse", 0xf800d000, 0x1000 },
    { "zynq.debug", 0xf8800000, 0x100000 }, { "zynq.gpv", 0xf8900000, 0x100000 }, { "zynq.qspi_linear", 0xfc000000, 0x2000000 },
};
static const struct { const char *name; uint8_t pins; } boot_modes[] = { { "jtag", 0 }, { "qspi", 1 }, { "nor", 2 }, { "sd", 5 } };

typedef struct ZynqMachine {
    ArmMachine arm;
    ArmCpusConfig cpus;
    MpCore core;
    MemoryRegion ocm;
    ArmBoot boot;
    char *boot_mode;
} ZynqMachine;

static Irq *spi(ZynqMachine *z, unsigned n) { return gic_spi(z->core.gic, n); }

static bool add_memory(ZynqMachine *z, Error **errp)
{
    Machine *m = &z->arm.machine;

    if (m->ram_bytes > RAM_MAX_BYTES) {
        error_set(errp, "xilinx-zynq-a9: cannot model more than 1024 MiB RAM");
        return false;
    }
    if (!machine_create_ram(m, errp) || !memory_region_init_ram(&z->ocm, NULL, "zynq.ocm_ram", OCM_BYTES, errp)) {
        return false;
    }
    memory_region_add(&m->system_memory, 0, m->ram);
    memory_region_add(&m->system_memory, OCM_BASE, &z->ocm);
    return true;
}

static bool add_slcr(ZynqMachine *z, Error **errp)
{
    const char *mode = z->boot_mode ? z->boot_mode : "qspi";
    char pins[8] = "";

    for (size_t i = 0; i < ARRAY_SIZE(boot_modes); i++) {
        if (!strcmp(mode, boot_modes[i].name)) {
            snprintf(pins, sizeof(pins), "%u", boot_modes[i].pins);
        }
    }
    if (!pins[0]) {
        error_set(errp, "boot-mode=%s: jtag, qspi, sd and nor are known", mode);
        return false;
    }
    Device *slcr = arm_place("xilinx-zynq_slcr", (const char *const[]){ "boot-mode", pins, NULL }, SLCR_BASE, NULL, errp);
    if (slcr) {
        zynq_slcr_connect(slcr, &z->arm.machine);
    }
    return slcr != NULL;
}

static bool add_devices(ZynqMachine *z, Error **errp)
{
    static const char *const sdhci[] = { "sd-spec-version", "2", "capareg", "0x69ec0080", NULL };
    Machine *m = &z->arm.machine;

    for (unsigned n = 0; n < ARRAY_SIZE(timers); n++) {
        Device *ttc = arm_place("cadence_ttc", NULL, timers[n].base, spi(z, timers[n].spi), errp);

        if (!ttc) {
            return false;
        }
        device_connect_irq(ttc, "sysbus-irq", 1, spi(z, timers[n].spi + 1u));
        device_connect_irq(ttc, "sysbus-irq", 2, spi(z, timers[n].spi + 2u));
    }
    for (unsigned n = 0; n < ARRAY_SIZE(uarts); n++) {
        if (!arm_place_serial(m, "cadence_uart", NULL, n, uarts[n].base, spi(z, uarts[n].spi), errp)) {
            return false;
        }
    }
    for (unsigned n = 0; n < ARRAY_SIZE(cards); n++) {
        Device *host = arm_place("generic-sdhci", sdhci, cards[n].base, spi(z, cards[n].spi), errp);

        if (!host || !sd_card_create(host->first_bus, n, errp)) {
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
        if (!arm_place_absent(m, absent[i].name, absent[i].base, absent[i].bytes, errp)) {
            return false;
        }
    }
    return true;
}

static bool zynq_init(Machine *m, Error **errp)
{
    ZynqMachine *z = (ZynqMachine *)m;

    z->cpus = (ArmCpusConfig){ .machine = m, .cluster_cpus = MAX_CPUS, .periphbase = PRIVATE_BASE };
    return add_memory(z, errp) && arm_cpus_create(&z->cpus, errp) && a9mpcore_create(m, &z->core, PRIVATE_BASE, N_IRQS, errp) &&
           arm_place("l2x0", NULL, L2_BASE, NULL, errp) && add_slcr(z, errp) && add_devices(z, errp);
}

static bool zynq_ready(Machine *m, Error **errp)
{
    ZynqMachine *z = (ZynqMachine *)m;

    z->boot = (ArmBoot){ .ram_base = 0, .ram_bytes = m->ram_bytes, .board_id = BOARD_ID };
    if (!arm_boot_kernel(m, &z->boot, ": there is no boot ROM", errp)) {
        return false;
    }
    if (m->smp.cpus > 1) {
        arm_smpboot32(m, PEN, &(ArmSmpBoot){ .reg = PEN_MAILBOX });
    }
    return true;
}

static const char *const arches[] = { "arm", "aarch64", NULL };
static const Property zynq_props[] = { PROP_STR("boot-mode", ZynqMachine, boot_mode, "Boot mode pins: jtag, qspi (default), sd, nor") };

static const MachineType zynq_machine = {
    .type = { .name = "xilinx-zynq-a9-machine", .parent = "machine", .summary = "Xilinx Zynq 7000 Platform Baseboard for Cortex-A9",
              .size_bytes = sizeof(ZynqMachine), .props = zynq_props, .n_props = ARRAY_SIZE(zynq_props) },
    .name = "xilinx-zynq-a9", .desc = "Xilinx Zynq 7000 Platform Baseboard for Cortex-A9", .arches = arches, .max_cpus = MAX_CPUS, .default_cpus = 1,
    .default_cpu32 = "cortex-a9", .default_cpu64 = "cortex-a9", .default_ram_bytes = 128 * MiB, .ram_id = "zynq.ext_ram", .default_block_if = "sd",
    .no_floppy = true, .no_cdrom = true, .no_parallel = true, .init = zynq_init, .ready = zynq_ready, .reset = arm_machine_reset,
    .vcpu_path = arm_vcpu_path,
};
OBJECT_TYPE_REGISTER(zynq_machine);
