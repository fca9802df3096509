/*
 * port92.c: "port92", system control port A: bit 0 resets the processor at its rising edge, bit 1 opens address line 20 (output
 * line "a20").
 *
 * Specification: IBM PS/2 Hardware Interface Technical Reference, system control port A.
 */
#include "hw/isa.h"
#include "softmmu/machine.h"

enum { RESET_NOW = 1, A20 = 2 };

typedef struct Port92 {
    Device dev;
    uint8_t control;
} Port92;

static void control_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    Port92 *s = (Port92 *)dev;

    device_set_irq(dev, "a20", 0, (s->control & A20) != 0);
    if ((s->control & ~old) & RESET_NOW) {
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

static const Register regs[] = {
    { .name = "CONTROL_A", .offset = 0, .size = 1, REGISTER_FIELD(Port92, control), .changed = control_changed },
};
static const RegisterBank banks[] = { { .name = "port92", .size_bytes = 1, .regs = regs, .n_regs = 1 } };

static bool port92_realize(Device *dev, Error **errp)
{
    isa_add_io(isa_bus_of(dev), 0x92, device_mmio(dev, 0));
    return true;
}

static bool port92_post_load(void *opaque, uint32_t version, Error **errp)
{
    device_set_irq(opaque, "a20", 0, (((Port92 *)opaque)->control & A20) != 0);
    return true;
}

static const StateDesc state = { .name = "port92", .version = 1, .min_version = 1, .post_load = port92_post_load };
static const IrqDef irqs[] = { { "a20", 1, NULL } };

static const DeviceType port92_type = {
    .type = { .name = "port92", .parent = "isa-device", .summary = "system control port A", .size_bytes = sizeof(Port92) },
    .category = DEVICE_MISC, .bus = "ISA", .banks = banks, .n_banks = 1, .irqs_out = irqs, .n_irqs_out = 1, .state = &state,
    .realize = port92_realize,
};
DEVICE_TYPE_REGISTER(port92_type);
