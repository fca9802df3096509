/*
 * versatile_sic.c: second-level interrupt controllers without priorities: the Versatile's ("versatilepb_sic") and the Integrator/CP's ("integrator_pic").
 *
 * Versatile PB: Arm DUI 0225D, 4.10.3: one output, and those inputs above 20 that SIC_PICENABLE names go straight through. Integrator/CP: DUI 0159B, 4.8: IRQ and FIQ,
 * each with its own mask. Both latch nothing; a soft interrupt register is or'ed to the inputs.
 */
#include "hw/device.h"

enum { N_INPUTS = 32, FIRST_THROUGH = 21, LAST_THROUGH = 30 };

typedef struct Sic {
    Device dev;
    uint32_t level, soft, enable[2], through;
} Sic;

static bool is_integrator(const Sic *s)
{
    return s->dev.obj.type->class_data != NULL;
}

static uint32_t raw(const Sic *s)
{
    return s->level | s->soft;
}

static void update(Sic *s)
{
    device_set_irq(&s->dev, "sysbus-irq", 0, (raw(s) & s->enable[0]) != 0);
    if (is_integrator(s)) {
        device_set_irq(&s->dev, "sysbus-irq", 1, (raw(s) & s->enable[1]) != 0);
        return;
    }
    for (unsigned n = FIRST_THROUGH; n <= LAST_THROUGH; n++) {
        device_set_irq(&s->dev, "sysbus-irq", n, s->through >> n & s->level >> n & 1);
    }
}

static void input(void *opaque, int n, int level)
{
    Sic *s = opaque;

    s->level = level ? s->level | 1u << n : s->level & ~(1u << n);
    update(s);
}

/* aux: which mask; of the second one (FIQ) there are status and raw status, too. */
static uint64_t status_read(Device *dev, const Register *reg, unsigned index)
{
    Sic *s = (Sic *)dev;

    return index ? raw(s) : raw(s) & s->enable[reg->aux];
}

enum { WHICH_ENABLE0, WHICH_ENABLE1, WHICH_SOFT, WHICH_THROUGH };

static uint32_t *which(Sic *s, uint32_t aux)
{
    switch (aux) {
    case WHICH_SOFT: return &s->soft;
    case WHICH_THROUGH: return &s->through;
    default: return &s->enable[aux];
    }
}

static uint64_t mask_read(Device *dev, const Register *reg, unsigned index)
{
    return *which((Sic *)dev, reg->aux);
}

/* The first of the pair sets, the second clears. */
static void mask_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Sic *s = (Sic *)dev;
    uint32_t *at = which(s, reg->aux);

    *at = index ? *at & ~(uint32_t)value : *at | (uint32_t)value;
    update(s);
}

#define STATUS(text, at, n) { .name = (text), .offset = (at), .size = 4, .count = 2, .read = status_read, .read_only = true, .aux = (n) }
#define MASK(text, at, n) { .name = (text), .offset = (at), .size = 4, .count = 2, .read = mask_read, .write = mask_write, .aux = (n) }

static const Register sic_regs[] = {
    STATUS("SIC_STATUS", 0x00, 0), MASK("SIC_ENABLE", 0x08, WHICH_ENABLE0), MASK("SIC_SOFTINT", 0x10, WHICH_SOFT),
    MASK("SIC_PICENABLE", 0x20, WHICH_THROUGH),
};
static const Register pic_regs[] = {
    STATUS("PIC_IRQ_STATUS", 0x00, 0), MASK("PIC_IRQ_ENABLE", 0x08, WHICH_ENABLE0), MASK("PIC_INT_SOFT", 0x10, WHICH_SOFT),
    STATUS("PIC_FIQ_STATUS", 0x20, 1), MASK("PIC_FIQ_ENABLE", 0x28, WHICH_ENABLE1),
};
static const RegisterBank sic_banks[] = {
    { .name = "vpb-sic", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = sic_regs, .n_regs = ARRAY_SIZE(sic_regs) },
};
static const RegisterBank pic_banks[] = {
    { .name = "icp-pic", .size_bytes = 0x800000, .access_min = 1, .access_max = 4, .regs = pic_regs, .n_regs = ARRAY_SIZE(pic_regs) },
};

static void sic_reset_enter(Device *dev, ResetKind kind)
{
    Sic *s = (Sic *)dev;

    s->soft = s->enable[0] = s->enable[1] = s->through = 0;
}

static void sic_reset_hold(Device *dev, ResetKind kind)
{
    update((Sic *)dev);
}

static bool sic_post_load(void *opaque, uint32_t version, Error **errp)
{
    update(opaque);
    return true;
}

static const StateField sic_fields[] = { STATE_U(Sic, level), STATE_U(Sic, soft), STATE_U_ARRAY(Sic, enable), STATE_U(Sic, through) };
static const StateDesc sic_state = {
    .name = "versatilepb_sic", .version = 1, .min_version = 1, .fields = sic_fields, .n_fields = ARRAY_SIZE(sic_fields), .post_load = sic_post_load,
};
static const StateDesc pic_state = {
    .name = "integrator_pic", .version = 1, .min_version = 1, .fields = sic_fields, .n_fields = ARRAY_SIZE(sic_fields), .post_load = sic_post_load,
};
static const IrqDef sic_in[] = { { .count = N_INPUTS, .handler = input } };
static const IrqDef sic_out[] = { { .name = "sysbus-irq", .count = N_INPUTS } };
static const IrqDef pic_out[] = { { .name = "sysbus-irq", .count = 2 } };

static const DeviceType sic_type = {
    .type = { .name = "versatilepb_sic", .parent = "sys-bus-device", .summary = "Versatile's second interrupt controller", .size_bytes = sizeof(Sic) },
    .category = DEVICE_MISC, .bus = "System", .banks = sic_banks, .n_banks = ARRAY_SIZE(sic_banks), .irqs_in = sic_in, .n_irqs_in = ARRAY_SIZE(sic_in),
    .irqs_out = sic_out, .n_irqs_out = ARRAY_SIZE(sic_out), .state = &sic_state, .reset_enter = sic_reset_enter, .reset_hold = sic_reset_hold,
};
DEVICE_TYPE_REGISTER(sic_type);

static const DeviceType pic_type = {
    .type = { .name = "integrator_pic", .parent = "sys-bus-device", .summary = "Integrator/CP interrupt controller", .size_bytes = sizeof(Sic),
              .class_data = pic_banks },
    .category = DEVICE_MISC, .bus = "System", .banks = pic_banks, .n_banks = ARRAY_SIZE(pic_banks), .irqs_in = sic_in, .n_irqs_in = ARRAY_SIZE(sic_in),
    .irqs_out = pic_out, .n_irqs_out = ARRAY_SIZE(pic_out), .state = &pic_state, .reset_enter = sic_reset_enter, .reset_hold = sic_reset_hold,
};
DEVICE_TYPE_REGISTER(pic_type);
