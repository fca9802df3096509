/*
 * bcm2835-rng.c: the BCM2835's random number generator: always one word ready, from the host's source.
 *
 * Registers as the Linux driver bcm2835-rng uses them. Left out: the interrupt, the count of words to throw away at start.
 */
#include <sys/random.h>
#include "hw/device.h"

enum { CTRL_ENABLE = 1, STATUS_COUNT_SHIFT = 24 };

typedef struct Rng {
    Device dev;
    uint32_t ctrl, status, mask;
} Rng;

static uint64_t status_read(Device *dev, const Register *reg, unsigned index)
{
    return ((Rng *)dev)->status | 1u << STATUS_COUNT_SHIFT;
}

static void status_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ((Rng *)dev)->status = (uint32_t)value & 0xfffff;
}

static uint64_t data_read(Device *dev, const Register *reg, unsigned index)
{
    uint32_t word = 0;

    if (getrandom(&word, sizeof(word), GRND_NONBLOCK) != sizeof(word)) {
        return 0;
    }
    return word;
}

static const Register rng_regs[] = {
    { .name = "RNG_CTRL", .offset = 0x0, .size = 4, REGISTER_FIELD(Rng, ctrl) },
    { .name = "RNG_STATUS", .offset = 0x4, .size = 4, REGISTER_FIELD(Rng, status), .read = status_read, .write = status_write },
    { .name = "RNG_DATA", .offset = 0x8, .size = 4, .read = data_read, .read_only = true },
    { .name = "RNG_INT_MASK", .offset = 0xc, .size = 4, REGISTER_FIELD(Rng, mask), .write_mask = 1 },
};

static const RegisterBank rng_banks[] = {
    { .name = "bcm2835-rng", .size_bytes = 0x10, .access_min = 4, .access_max = 4, .regs = rng_regs, .n_regs = ARRAY_SIZE(rng_regs) },
};

static const DeviceType rng_type = {
    .type = { .name = "bcm2835-rng", .parent = "sys-bus-device", .summary = "BCM2835 random number generator", .size_bytes = sizeof(Rng) },
    .category = DEVICE_MISC, .bus = "System", .banks = rng_banks, .n_banks = ARRAY_SIZE(rng_banks),
};
DEVICE_TYPE_REGISTER(rng_type);
