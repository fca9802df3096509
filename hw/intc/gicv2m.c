/*
 * gicv2m.c: "arm-gicv2m": a frame whose one writable register turns messages into edges of SPIs.
 *
 * Specification: Server Base System Architecture 2.3, appendix E. Properties: base-spi (interrupt number), num-spi.
 */
#include "hw/arm/gic.h"
#include "util/log.h"

enum { MSI_TYPER = 0x008, MSI_SETSPI_NS = 0x040, MSI_IIDR = 0xfcc, IIDR = 0x05100000, MAX_SPIS = 128 };

typedef struct GicV2m {
    Device dev;
    uint32_t base_spi, n_spis;
} GicV2m;

static uint64_t typer_read(Device *dev, const Register *reg, unsigned index)
{
    GicV2m *s = (GicV2m *)dev;

    return s->base_spi << 16 | s->n_spis;
}

static uint64_t iidr_read(Device *dev, const Register *reg, unsigned index)
{
    return IIDR;
}

static void setspi_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    GicV2m *s = (GicV2m *)dev;
    uint64_t irq = value & 0x3ff;

    if (irq < s->base_spi || irq >= s->base_spi + s->n_spis) {
        log_guest_error("gicv2m: message for interrupt %u, which is not one of the frame's\n", (unsigned)irq);
        return;
    }
    irq_pulse(device_irq_out(dev, "sysbus-irq", (unsigned)irq - s->base_spi));
}

static const Register regs[] = {
    { .name = "MSI_TYPER", .offset = MSI_TYPER, .size = 4, .read = typer_read, .read_only = true },
    { .name = "MSI_SETSPI_NS", .offset = MSI_SETSPI_NS, .size = 4, .write = setspi_write, .write_only = true },
    { .name = "MSI_IIDR", .offset = MSI_IIDR, .size = 4, .read = iidr_read, .read_only = true },
};
static const RegisterBank banks[] = {
    { .name = "gicv2m", .size_bytes = 0x1000, .access_min = 2, .access_max = 4, .regs = regs, .n_regs = ARRAY_SIZE(regs) },
};

static bool realize(Device *dev, Error **errp)
{
    GicV2m *s = (GicV2m *)dev;

    if (!s->n_spis || s->n_spis > MAX_SPIS || s->base_spi < GIC_FIRST_SPI || s->base_spi + s->n_spis > 1020) {
        error_set(errp, "gicv2m: %u SPIs from interrupt %u on: 1 to %u within 32 to 1019 are possible", s->n_spis, s->base_spi, MAX_SPIS);
        return false;
    }
    device_init_irqs_out(dev, "sysbus-irq", s->n_spis);
    return true;
}

static const Property props[] = {
    PROP_U32("base-spi", GicV2m, base_spi, 0, NULL), PROP_U32("num-spi", GicV2m, n_spis, 64, NULL),
};

static const DeviceType type = {
    .type = { .name = "arm-gicv2m", .parent = "sys-bus-device", .summary = "ARM GICv2m message frame", .size_bytes = sizeof(GicV2m),
              .props = props, .n_props = ARRAY_SIZE(props) },
    .category = DEVICE_MISC, .bus = "System", .banks = banks, .n_banks = ARRAY_SIZE(banks), .realize = realize,
};
DEVICE_TYPE_REGISTER(type);
