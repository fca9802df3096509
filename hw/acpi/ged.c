/*
 * ged.c: "acpi-ged": the generic event device's registers, and the sleep and reset registers of hardware-reduced ACPI.
 *
 * Region 0: the event selector at 0 (reading says what happened and clears it), the sleep control, sleep status and
 * reset registers at 0x200 to 0x202. Events: bit 1, power button. Output "sysbus-irq" 0 is pulsed for an event.
 *
 * Specification: ACPI 6.5, 5.6.9 (GED), 4.8.3.7 (sleep control and status), 4.8.3.6 (reset register).
 */
#include "hw/acpi.h"

enum { GED_BYTES = 0x1000, REG_EVENT = 0, REG_SLEEP_CONTROL = 0x200, REG_SLEEP_STATUS = 0x201, REG_RESET = 0x202 };
enum { EVENT_POWER_BUTTON = 1 << 1, SLEEP_ENABLE = 1 << 5, SLEEP_TYPE_SHIFT = 2, SLEEP_S5 = 5, RESET_VALUE = 0x42 };

typedef struct AcpiGed {
    Device dev;
    uint32_t event;
} AcpiGed;

static MemResult ged_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    AcpiGed *s = opaque;

    *ret = 0;
    if (offset == REG_EVENT && size == 4) {
        *ret = s->event;
        s->event = 0;
    }
    return MEM_OK;
}

static MemResult ged_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    if (offset == REG_SLEEP_CONTROL && (value & SLEEP_ENABLE) && (value >> SLEEP_TYPE_SHIFT & 7) == SLEEP_S5) {
        machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    } else if (offset == REG_RESET && value == RESET_VALUE) {
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    }
    return MEM_OK;
}

static const MemoryOps ged_ops = {
    .read = ged_read, .write = ged_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 1, .max = 4 },
};

static const RegisterBank banks[] = { { .name = "acpi-ged-regs", .size_bytes = GED_BYTES, .ops = &ged_ops } };
static const IrqDef irqs[] = { { .name = "sysbus-irq", .count = 1 } };

static void power_button(void *opaque)
{
    AcpiGed *s = opaque;

    s->event |= EVENT_POWER_BUTTON;
    irq_pulse(device_irq_out(&s->dev, "sysbus-irq", 0));
}

static bool realize(Device *dev, Error **errp)
{
    machine_add_powerdown(power_button, dev);
    return true;
}

static void reset(Device *dev, ResetKind kind)
{
    ((AcpiGed *)dev)->event = 0;
}

static const StateField fields[] = { STATE_U(AcpiGed, event) };
static const StateDesc state = {
    .name = "acpi-ged", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields),
};

static const DeviceType ged_type = {
    .type = { .name = "acpi-ged", .parent = "sys-bus-device", .summary = "ACPI generic event device",
              .size_bytes = sizeof(AcpiGed) },
    .category = DEVICE_MISC, .bus = "System", .banks = banks, .n_banks = ARRAY_SIZE(banks), .irqs_out = irqs,
    .n_irqs_out = ARRAY_SIZE(irqs), .state = &state, .realize = realize, .reset_enter = reset,
};
DEVICE_TYPE_REGISTER(ged_type);
