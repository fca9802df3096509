/*
 * bcm2835-ic.c: the interrupt controller of the BCM2835's ARM side.
 *
 * Broadcom "BCM2835 ARM Peripherals", chapter 7: 64 interrupts of the GPU's devices in two registers, 8 of the ARM side in the basic register,
 * which also tells of the others and shows ten of them itself; one source of all may be the FIQ.
 */
#include "hw/device.h"

enum { N_GPU = 64, N_ARM = 8, FIQ_ENABLE = 0x80, FIQ_SOURCE = 0x7f };

typedef struct Ic {
    Device dev;
    uint64_t gpu_level, gpu_enable;
    uint8_t arm_level, arm_enable, fiq;
} Ic;

/* GPU interrupts with a bit of their own in the basic register, from bit 10 on; they do not count for bits 8 and 9. */
static const uint8_t shortcuts[] = { 7, 9, 10, 18, 19, 53, 54, 55, 56, 57, 62 };

static uint64_t gpu_pending(const Ic *s)
{
    return s->gpu_level & s->gpu_enable;
}

static uint32_t basic_pending(const Ic *s)
{
    uint64_t gpu = gpu_pending(s), others = gpu;
    uint32_t basic = s->arm_level & s->arm_enable;

    for (unsigned i = 0; i < ARRAY_SIZE(shortcuts); i++) {
        basic |= (uint32_t)(gpu >> shortcuts[i] & 1) << (10 + i);
        others &= ~(UINT64_C(1) << shortcuts[i]);
    }
    return basic | ((uint32_t)others ? 1u << 8 : 0) | (others >> 32 ? 1u << 9 : 0);
}

static void update(Ic *s)
{
    unsigned source = s->fiq & FIQ_SOURCE;
    bool fiq = s->fiq & FIQ_ENABLE && (source < N_GPU ? s->gpu_level >> source & 1
                                                      : source < N_GPU + N_ARM && (s->arm_level >> (source - N_GPU) & 1));

    device_set_irq(&s->dev, "sysbus-irq", 0, basic_pending(s) != 0);
    device_set_irq(&s->dev, "sysbus-irq", 1, fiq);
}

static void gpu_irq(void *opaque, int n, int level)
{
    Ic *s = opaque;
    uint64_t bit = UINT64_C(1) << n;

    s->gpu_level = level ? s->gpu_level | bit : s->gpu_level & ~bit;
    update(s);
}

static void arm_irq(void *opaque, int n, int level)
{
    Ic *s = opaque;

    s->arm_level = (uint8_t)(level ? s->arm_level | 1 << n : s->arm_level & ~(1 << n));
    update(s);
}

static uint64_t basic_read(Device *dev, const Register *reg, unsigned index)
{
    return basic_pending((Ic *)dev);
}

static uint64_t pending_read(Device *dev, const Register *reg, unsigned index)
{
    return (uint32_t)(gpu_pending((Ic *)dev) >> 32 * index);
}

/* Enable and disable registers: two of the GPU's, then the basic one. aux: 1 disables. */
static uint64_t enable_read(Device *dev, const Register *reg, unsigned index)
{
    Ic *s = (Ic *)dev;
    uint32_t now = index < 2 ? (uint32_t)(s->gpu_enable >> 32 * index) : s->arm_enable;

    return reg->aux ? (uint32_t)~now : now;
}

static void enable_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Ic *s = (Ic *)dev;

    if (index == 2) {
        s->arm_enable = (uint8_t)(reg->aux ? s->arm_enable & ~value : s->arm_enable | value);
    } else {
        uint64_t bits = (uint64_t)(uint32_t)value << 32 * index;

        s->gpu_enable = reg->aux ? s->gpu_enable & ~bits : s->gpu_enable | bits;
    }
    update(s);
}

static void fiq_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update((Ic *)dev);
}

static const Register ic_regs[] = {
    { .name = "IRQ_BASIC_PENDING", .offset = 0x00, .size = 4, .read = basic_read, .read_only = true },
    { .name = "IRQ_PENDING", .offset = 0x04, .size = 4, .count = 2, .read = pending_read, .read_only = true },
    { .name = "FIQ_CONTROL", .offset = 0x0c, .size = 4, REGISTER_FIELD(Ic, fiq), .write_mask = 0xff, .changed = fiq_changed },
    { .name = "ENABLE", .offset = 0x10, .size = 4, .count = 3, .read = enable_read, .write = enable_write },
    { .name = "DISABLE", .offset = 0x1c, .size = 4, .count = 3, .read = enable_read, .write = enable_write, .aux = 1 },
};

static const RegisterBank ic_banks[] = {
    { .name = "bcm2835-ic", .size_bytes = 0x200, .access_min = 4, .access_max = 4, .regs = ic_regs, .n_regs = ARRAY_SIZE(ic_regs) },
};

static void ic_reset_enter(Device *dev, ResetKind kind)
{
    Ic *s = (Ic *)dev;

    s->gpu_enable = s->arm_enable = 0;
}

static void ic_reset_hold(Device *dev, ResetKind kind)
{
    update((Ic *)dev);
}

static bool ic_post_load(void *opaque, uint32_t version, Error **errp)
{
    update(opaque);
    return true;
}

static const StateField ic_fields[] = { STATE_U(Ic, gpu_level), STATE_U(Ic, gpu_enable), STATE_U(Ic, arm_level), STATE_U(Ic, arm_enable) };

static const StateDesc ic_state = {
    .name = "bcm2835-ic", .version = 1, .min_version = 1, .fields = ic_fields, .n_fields = ARRAY_SIZE(ic_fields), .post_load = ic_post_load,
};

static const IrqDef ic_in[] = { { .name = "arm-irq", .count = N_ARM, .handler = arm_irq }, { .name = "gpu-irq", .count = N_GPU, .handler = gpu_irq } };
static const IrqDef ic_out[] = { { .name = "sysbus-irq", .count = 2 } }; /* IRQ, FIQ */

static const DeviceType ic_type = {
    .type = { .name = "bcm2835-ic", .parent = "sys-bus-device", .summary = "BCM2835 interrupt controller", .size_bytes = sizeof(Ic) },
    .category = DEVICE_MISC, .bus = "System", .banks = ic_banks, .n_banks = ARRAY_SIZE(ic_banks),
    .irqs_in = ic_in, .n_irqs_in = ARRAY_SIZE(ic_in), .irqs_out = ic_out, .n_irqs_out = ARRAY_SIZE(ic_out), .state = &ic_state,
    .reset_enter = ic_reset_enter, .reset_hold = ic_reset_hold,
};
DEVICE_TYPE_REGISTER(ic_type);
