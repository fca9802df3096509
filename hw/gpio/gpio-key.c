/*
 * gpio-key.c: "gpio-key": a key somebody presses. A rising input holds the output high for a tenth of a second.
 */
#include "hw/device.h"
#include "softmmu/clock.h"

#define PRESSED_NS INT64_C(100000000)

typedef struct GpioKey {
    Device dev;
    Timer release;
} GpioKey;

static void release(void *opaque)
{
    irq_lower(device_irq_out(opaque, "sysbus-irq", 0));
}

static void press(void *opaque, int n, int level)
{
    GpioKey *s = opaque;

    if (level) {
        irq_raise(device_irq_out(&s->dev, "sysbus-irq", 0));
        timer_set_ns(&s->release, clock_get_ns(VM_CLOCK_VIRTUAL) + PRESSED_NS);
    }
}

static bool realize(Device *dev, Error **errp)
{
    timer_init(&((GpioKey *)dev)->release, VM_CLOCK_VIRTUAL, release, dev);
    return true;
}

static void unrealize(Device *dev)
{
    timer_cancel(&((GpioKey *)dev)->release);
}

static void reset(Device *dev, ResetKind kind)
{
    timer_cancel(&((GpioKey *)dev)->release);
    release(dev);
}

static const IrqDef in[] = { { .count = 1, .handler = press } }, out[] = { { .name = "sysbus-irq", .count = 1 } };
static const StateField fields[] = { STATE_TIMER_FIELD(GpioKey, release) };
static const StateDesc state = { .name = "gpio-key", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields) };

static const DeviceType type = {
    .type = { .name = "gpio-key", .parent = "sys-bus-device", .summary = "a key on a GPIO line", .size_bytes = sizeof(GpioKey) },
    .category = DEVICE_INPUT, .bus = "System", .irqs_in = in, .n_irqs_in = 1, .irqs_out = out, .n_irqs_out = 1, .state = &state,
    .realize = realize, .unrealize = unrealize, .reset_hold = reset,
};
DEVICE_TYPE_REGISTER(type);
