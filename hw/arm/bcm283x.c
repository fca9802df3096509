/*
 * bcm283x.c: the BCM2836 and BCM2837: peripherals, their interrupts, the buses between them.
 *
 * Broadcom "BCM2835 ARM Peripherals" 1.2 (addresses, interrupts 7.5), "BCM2836 ARM-local peripherals"; what these leave out as the device tree
 * bcm283x.dtsi of Linux has it. What is not modelled reads as 0 and says so with -d unimp: USB, I2C, SPI, PWM, I2S, the display pipeline, the 3D
 * engine, camera interfaces, VCHIQ.
 */
#include <stdio.h>
#include "hw/arm/raspi.h"
#include "hw/chardev-prop.h"
#include "hw/sdhci.h"

enum { PERIPHERALS_BYTES = 16 * MiB, NO_IRQ = -1, IRQ_ARM_MAILBOX = 1, IRQ_DMA_SHARED = 27, FIRST_SHARED_DMA = 11, DREQ_SDHOST = 13 };
#define LOCAL_CONTROL 0x40000000u

/* The devices; interrupts are the GPU's. */
typedef enum SocPart {
    SOC_TIMER, SOC_DMA, SOC_IC, SOC_MBOX, SOC_POWER, SOC_CPRMAN, SOC_RNG, SOC_GPIO, SOC_UART, SOC_SDHOST, SOC_THERMAL, SOC_AUX, SOC_SDHCI,
    SOC_N_PARTS,
} SocPart;
static const struct { const char *type; uint32_t offset; int16_t irq; uint8_t n_irqs; } parts[SOC_N_PARTS] = {
    [SOC_TIMER]   = { "bcm2835-sys-timer", 0x003000, 0, 4 },
    [SOC_DMA]     = { "bcm2835-dma", 0x007000, 16, 0 }, /* its interrupts below */
    [SOC_IC]      = { "bcm2835-ic", 0x00b200, NO_IRQ, 0 },
    [SOC_MBOX]    = { "bcm2835-mbox", 0x00b800, NO_IRQ, 0 },
    [SOC_POWER]   = { "bcm2835-powermgt", 0x100000, NO_IRQ, 0 },
    [SOC_CPRMAN]  = { "bcm2835-cprman", 0x101000, NO_IRQ, 0 },
    [SOC_RNG]     = { "bcm2835-rng", 0x104000, NO_IRQ, 0 },
    [SOC_GPIO]    = { "bcm2835_gpio", 0x200000, 49, 4 },
    [SOC_UART]    = { "pl011", 0x201000, 57, 1 },
    [SOC_SDHOST]  = { "bcm2835-sdhost", 0x202000, 56, 1 },
    [SOC_THERMAL] = { "bcm2835-thermal", 0x212000, NO_IRQ, 0 },
    [SOC_AUX]     = { "bcm2835-aux", 0x215000, 29, 1 },
    [SOC_SDHCI]   = { "generic-sdhci", 0x300000, 62, 1 },
};

/* A device with properties; -serial's n-th if it has a chardev. */
static Device *make(RaspiMachine *r, const char *type, const char *const *props, int serial, Error **errp)
{
    Device *dev = device_new(type, errp);

    if (!dev) {
        return NULL;
    }
    bool ok = serial < 0 || device_attach_chardev(dev, raspi_m(r)->serials[serial], errp);
    for (; ok && props && props[0]; props += 2) {
        ok = object_property_parse(&dev->obj, props[0], props[1], errp);
    }
    ok = ok && device_realize(dev, NULL, errp);
    object_unref(&dev->obj);
    return ok ? dev : NULL;
}

static bool make_buses(RaspiMachine *r, Error **errp)
{
    Machine *m = raspi_m(r);
    static const char *const background[] = { "name", "bcm2835-peripherals", "size", "16777216", NULL };
    Device *unimp = make(r, "unimplemented-device", background, -1, errp);

    if (!unimp) {
        return false;
    }
    memory_region_init(&r->peripherals, NULL, "bcm2835-peripherals", PERIPHERALS_BYTES);
    memory_region_add_overlap(&r->peripherals, 0, device_mmio(unimp, 0), -1000);
    memory_region_add_overlap(&m->system_memory, raspi_model(r)->peripherals, &r->peripherals, 1);
    /* Four views of memory, which differ in how caches are used. */
    memory_region_init(&r->bus_root, NULL, "bcm2835-gpu", UINT64_C(1) << 32);
    for (unsigned i = 0; i < ARRAY_SIZE(r->bus_ram); i++) {
        memory_region_init_alias(&r->bus_ram[i], NULL, "bcm2835-gpu-ram-alias[*]", m->ram, 0, m->ram_bytes);
        memory_region_add(&r->bus_root, (uint64_t)i << 30, &r->bus_ram[i]);
    }
    memory_region_init_alias(&r->bus_peripherals, NULL, "bcm2835-peripherals", &r->peripherals, 0, PERIPHERALS_BYTES);
    memory_region_add_overlap(&r->bus_root, BCM2835_BUS_PERIPHERALS, &r->bus_peripherals, 1);
    address_space_init(&r->bus, &r->bus_root, "bcm2835-dma-memory");
    return true;
}

static Irq *gpu_irq(RaspiMachine *r, unsigned n)
{
    return device_irq_in(r->ic, "gpu-irq", n);
}

static void connect_dma(RaspiMachine *r, Device *dma, Device *sdhost)
{
    Irq *shared[4];

    irq_new_or(shared, ARRAY_SIZE(shared), gpu_irq(r, IRQ_DMA_SHARED));
    for (unsigned n = 0; n < FIRST_SHARED_DMA; n++) {
        device_connect_irq(dma, "sysbus-irq", n, gpu_irq(r, (unsigned)parts[SOC_DMA].irq + n));
    }
    for (unsigned n = 0; n < ARRAY_SIZE(shared); n++) {
        device_connect_irq(dma, "sysbus-irq", FIRST_SHARED_DMA + n, shared[n]);
    }
    memory_region_add(&r->peripherals, 0xe05000, device_mmio(dma, 1));
    bcm2835_dma_connect(dma, &r->bus);
    r->bus.owner = &dma->obj;
    device_connect_irq(sdhost, "dreq", 0, device_irq_in(dma, "dreq", DREQ_SDHOST));
}

static bool make_firmware(RaspiMachine *r, Device *const dev[], Error **errp)
{
    Machine *m = raspi_m(r);
    uint64_t vcram = 64 * MiB;
    char base[32], rev[32];

    snprintf(base, sizeof(base), "0x%" PRIx64, m->ram_bytes - vcram);
    snprintf(rev, sizeof(rev), "0x%x", raspi_model(r)->board_rev);
    Device *fb = make(r, "bcm2835-fb", (const char *const[]){ "vcram-base", base, NULL }, -1, errp);
    Device *property = fb ? make(r, "bcm2835-property",
                                 (const char *const[]){ "board-rev", rev, "command-line", m->append ? m->append : "", NULL }, -1, errp) : NULL;
    if (!property) {
        return false;
    }
    bcm2835_fb_connect(fb, dev[SOC_MBOX], &r->bus);
    bcm2835_property_connect(property, dev[SOC_MBOX], fb, dev[SOC_CPRMAN], &r->bus);
    device_connect_irq(dev[SOC_MBOX], "sysbus-irq", 0, device_irq_in(r->ic, "arm-irq", IRQ_ARM_MAILBOX));
    return true;
}

static bool make_local(RaspiMachine *r, Error **errp)
{
    static const struct { ArmOutput from; const char *to; } lines[] = {
        { ARM_OUTPUT_TIMER_SECURE, "cntpsirq" }, { ARM_OUTPUT_TIMER_PHYS, "cntpnsirq" }, { ARM_OUTPUT_TIMER_HYP, "cnthpirq" },
        { ARM_OUTPUT_TIMER_VIRT, "cntvirq" }, { ARM_OUTPUT_PMU, "pmuirq" },
    };

    r->control = make(r, "bcm2836-control", NULL, -1, errp);
    if (!r->control) {
        return false;
    }
    sysbus_map(r->control, 0, LOCAL_CONTROL);
    device_connect_irq(r->ic, "sysbus-irq", 0, device_irq_in(r->control, "gpu-irq", 0));
    device_connect_irq(r->ic, "sysbus-irq", 1, device_irq_in(r->control, "gpu-fiq", 0));
    for (unsigned i = 0; i < raspi_m(r)->smp.cpus; i++) {
        ArmCpu *cpu = arm_cpu(raspi_m(r), i);

        device_connect_irq(r->control, "irq", i, &cpu->lines[ARM_LINE_IRQ]);
        device_connect_irq(r->control, "fiq", i, &cpu->lines[ARM_LINE_FIQ]);
        for (unsigned n = 0; n < ARRAY_SIZE(lines); n++) {
            cpu->outputs[lines[n].from] = device_irq_in(r->control, lines[n].to, i);
        }
    }
    return true;
}

bool raspi_create_soc(RaspiMachine *r, Error **errp)
{
    /* What its BCM2835 can: version 3.00, high speed, 3.3 V, no DMA modes but the plain one. */
    static const char *const sdhci[] = { "sd-spec-version", "3", "capareg", "0x52134b4", NULL };
    Device *dev[SOC_N_PARTS];

    if (!make_buses(r, errp)) {
        return false;
    }
    for (unsigned i = 0; i < SOC_N_PARTS; i++) {
        dev[i] = make(r, parts[i].type, i == SOC_SDHCI ? sdhci : NULL, i == SOC_UART ? 0 : i == SOC_AUX ? 1 : -1, errp);
        if (!dev[i]) {
            return false;
        }
        memory_region_add(&r->peripherals, parts[i].offset, device_mmio(dev[i], 0));
    }
    r->ic = dev[SOC_IC];
    for (unsigned i = 0; i < SOC_N_PARTS; i++) {
        for (unsigned n = 0; n < parts[i].n_irqs; n++) {
            device_connect_irq(dev[i], "sysbus-irq", n, gpu_irq(r, (unsigned)parts[i].irq + n));
        }
    }
    connect_dma(r, dev[SOC_DMA], dev[SOC_SDHOST]);
    sdhci_set_dma(dev[SOC_SDHCI], &r->bus);
    bcm2835_gpio_connect(dev[SOC_GPIO], sdhci_slot(dev[SOC_SDHCI]), bcm2835_sdhost_slot(dev[SOC_SDHOST]));
    return make_firmware(r, dev, errp) && make_local(r, errp) && sd_card_create(sdhci_slot(dev[SOC_SDHCI])->bus, 0, errp);
}
