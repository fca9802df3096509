/*
 * sifive-test.c: the "test finisher": one register that ends the machine.
 *
 * SiFive test device as described by the device tree binding "sifive,test0": the
 * low half-word written at offset 0 says pass (0x5555: power off), fail (0x3333: end
 * with the high half-word as exit status) or reset (0x7777).
 */
#include "hw/device.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum { FINISHER_FAIL = 0x3333, FINISHER_PASS = 0x5555, FINISHER_RESET = 0x7777 };

static uint64_t finisher_read(Device *dev, const Register *reg, unsigned index)
{
    return 0;
}

static void finisher_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    switch (value & 0xffff) {
    case FINISHER_FAIL:
        machine_request_shutdown_with(SHUTDOWN_CAUSE_GUEST_PANIC, (int)(value >> 16 & 0xffff));
        break;
    case FINISHER_PASS:
        machine_request_shutdown_with(SHUTDOWN_CAUSE_GUEST_SHUTDOWN, 0);
        break;
    case FINISHER_RESET:
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
        break;
    default:
        log_guest_error("riscv.sifive.test: unknown command 0x%" PRIx64 "\n", value);
    }
}

static const Register finisher_regs[] = {
    { .name = "FINISHER", .offset = 0, .size = 4, .read = finisher_read,
      .write = finisher_write },
};

static const RegisterBank finisher_banks[] = {
    { .name = "riscv.sifive.test", .size_bytes = 0x1000, .access_min = 2, .access_max = 4,
      .regs = finisher_regs, .n_regs = ARRAY_SIZE(finisher_regs) },
};

static const DeviceType finisher_type = {
    .type = {
        .name = "riscv.sifive.test",
        .parent = "sys-bus-device",
        .summary = "SiFive test finisher",
        .size_bytes = sizeof(Device),
    },
    .category = DEVICE_MISC,
    .bus = "System",
    .banks = finisher_banks,
    .n_banks = ARRAY_SIZE(finisher_banks),
};
DEVICE_TYPE_REGISTER(finisher_type);
