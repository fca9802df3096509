/*
 * a9scu.c: the snoop control unit of a Cortex-A9 MPCore: how many processors there are, and registers that keep what is written.
 *
 * Arm DDI 0407I, 2.2. Memory is coherent without it. Left out: access control, filtering.
 */
#include "hw/arm/mpcore.h"

typedef struct A9Scu {
    Device dev;
    uint32_t num_cpu, control, power, filter[2], access, ns_access;
} A9Scu;

/* Number of processors less one, which of them are in SMP mode; caches of 16 KiB. */
static uint64_t config_read(Device *dev, const Register *reg, unsigned index)
{
    A9Scu *s = (A9Scu *)dev;

    return (((1u << s->num_cpu) - 1) << 4) | (s->num_cpu - 1);
}

static void invalidate_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
}

static const Register scu_regs[] = {
    { .name = "Control", .offset = 0x00, .size = 4, REGISTER_FIELD(A9Scu, control), .write_mask = 0x7f },
    { .name = "Configuration", .offset = 0x04, .size = 4, .read = config_read, .read_only = true },
    { .name = "CPUPowerStatus", .offset = 0x08, .size = 4, REGISTER_FIELD(A9Scu, power), .write_mask = 0x03030303 },
    { .name = "Invalidate", .offset = 0x0c, .size = 4, .write = invalidate_write, .write_only = true },
    { .name = "FilteringStart/End", .offset = 0x40, .size = 4, .count = 2, REGISTER_ARRAY(A9Scu, filter), .write_mask = 0xfff00000 },
    { .name = "SAC", .offset = 0x50, .size = 4, REGISTER_FIELD(A9Scu, access), .write_mask = 0xf },
    { .name = "SNSAC", .offset = 0x54, .size = 4, REGISTER_FIELD(A9Scu, ns_access), .write_mask = 0xfff },
};
static const RegisterBank scu_banks[] = {
    { .name = "a9-scu", .size_bytes = 0x100, .access_min = 1, .access_max = 4, .regs = scu_regs, .n_regs = ARRAY_SIZE(scu_regs) },
};

static bool scu_realize(Device *dev, Error **errp)
{
    A9Scu *s = (A9Scu *)dev;

    if (!s->num_cpu || s->num_cpu > MPCORE_MAX_CPUS) {
        error_set(errp, "a9-scu: num-cpu must be between 1 and %d", MPCORE_MAX_CPUS);
        return false;
    }
    return true;
}

static const Property scu_props[] = { PROP_U32("num-cpu", A9Scu, num_cpu, 1, NULL) };

static const DeviceType scu_type = {
    .type = { .name = "a9-scu", .parent = "sys-bus-device", .summary = "Cortex-A9 snoop control unit", .size_bytes = sizeof(A9Scu),
              .props = scu_props, .n_props = ARRAY_SIZE(scu_props) },
    .category = DEVICE_MISC, .bus = "System", .banks = scu_banks, .n_banks = ARRAY_SIZE(scu_banks), .realize = scu_realize,
};
DEVICE_TYPE_REGISTER(scu_type);
