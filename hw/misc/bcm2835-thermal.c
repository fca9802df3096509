/*
 * bcm2835-thermal.c: the temperature sensor of the BCM2835 family: 25 degrees, always.
 *
 * Registers as the Linux driver bcm2835_thermal uses them: millidegrees = 412000 - 538 * count on the
 * BCM2837.
 */
#include "hw/device.h"

enum { STATUS_VALID = 1 << 10, COUNT = (412000 - 25000) / 538 };

typedef struct Thermal {
    Device dev;
    uint32_t ctl;
} Thermal;

static uint64_t status_read(Device *dev, const Register *reg, unsigned index)
{
    return STATUS_VALID | COUNT;
}

static const Register thermal_regs[] = {
    { .name = "TSENSCTL", .offset = 0x0, .size = 4, REGISTER_FIELD(Thermal, ctl) },
    { .name = "TSENSSTAT", .offset = 0x4, .size = 4, .read = status_read, .read_only = true },
};

static const RegisterBank thermal_banks[] = {
    { .name = "bcm2835-thermal", .size_bytes = 0x8, .access_min = 4, .access_max = 4, .regs = thermal_regs, .n_regs = ARRAY_SIZE(thermal_regs) },
};

static const DeviceType thermal_type = {
    .type = { .name = "bcm2835-thermal", .parent = "sys-bus-device", .summary = "BCM2835 temperature sensor", .size_bytes = sizeof(Thermal) },
    .category = DEVICE_MISC, .bus = "System", .banks = thermal_banks, .n_banks = ARRAY_SIZE(thermal_banks),
};
DEVICE_TYPE_REGISTER(thermal_type);
