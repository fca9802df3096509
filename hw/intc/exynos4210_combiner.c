/*
 * exynos4210_combiner.c: the interrupt combiner of Exynos 4210: groups of eight lines, each to one line of the GIC.
 *
 * Samsung Exynos 4210 user's manual, chapter "Interrupt combiner"; Linux' samsung,exynos4210-combiner binding (registers: four groups in a word). Threads: BQL.
 */
#include "hw/device.h"

enum { N_GROUPS = 16, GROUP_LINES = 8, N_WORDS = N_GROUPS / 4, SET_STRIDE = 16 };

typedef struct Combiner {
    Device dev;
    uint32_t enabled[N_WORDS], raw[N_WORDS];
} Combiner;

static void update(Combiner *s, unsigned word)
{
    uint32_t active = s->raw[word] & s->enabled[word];

    for (unsigned i = 0; i < 4; i++) {
        device_set_irq(&s->dev, "sysbus-irq", 4 * word + i, (active >> GROUP_LINES * i & 0xff) != 0);
    }
}

static void line(void *opaque, int n, int level)
{
    Combiner *s = opaque;
    unsigned word = (unsigned)n / 32;
    uint32_t bit = 1u << n % 32;

    s->raw[word] = level ? s->raw[word] | bit : s->raw[word] & ~bit;
    update(s, word);
}

static void enable_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Combiner *s = (Combiner *)dev;

    s->enabled[index] = reg->aux ? s->enabled[index] & ~(uint32_t)value : s->enabled[index] | (uint32_t)value;
    update(s, index);
}

static uint64_t masked_read(Device *dev, const Register *reg, unsigned index)
{
    return ((Combiner *)dev)->raw[index] & ((Combiner *)dev)->enabled[index];
}

static uint64_t groups_read(Device *dev, const Register *reg, unsigned index)
{
    uint32_t groups = 0;

    for (unsigned g = 0; g < N_GROUPS; g++) {
        groups |= (masked_read(dev, reg, g / 4) >> GROUP_LINES * (g % 4) & 0xff) ? 1u << g : 0;
    }
    return groups;
}

#define WORDS(title, at, ...) \
    { .name = title, .offset = at, .size = 4, .count = N_WORDS, .stride = SET_STRIDE, __VA_ARGS__ }
static const Register combiner_regs[] = {
    WORDS("IESR", 0x00, REGISTER_ARRAY(Combiner, enabled), .write = enable_write),
    WORDS("IECR", 0x04, REGISTER_ARRAY(Combiner, enabled), .write = enable_write, .aux = 1),
    WORDS("ISTR", 0x08, REGISTER_ARRAY(Combiner, raw), .read_only = true, .no_reset = true), /* what the lines say */
    WORDS("IMSR", 0x0c, .read = masked_read, .read_only = true),
    { .name = "CIPSR", .offset = 0x100, .size = 4, .read = groups_read, .read_only = true },
};
static const RegisterBank combiner_banks[] = {
    { .name = "exynos4210-combiner", .size_bytes = 0x108, .regs = combiner_regs, .n_regs = ARRAY_SIZE(combiner_regs) },
};

static void combiner_reset_hold(Device *dev, ResetKind kind)
{
    for (unsigned w = 0; w < N_WORDS; w++) {
        update((Combiner *)dev, w);
    }
}

static bool combiner_post_load(void *opaque, uint32_t version, Error **errp)
{
    combiner_reset_hold(opaque, RESET_COLD);
    return true;
}

static const StateDesc combiner_state = { .name = "exynos4210.combiner", .version = 1, .min_version = 1, .post_load = combiner_post_load };
static const IrqDef combiner_in[] = { { .count = N_GROUPS * GROUP_LINES, .handler = line } };
static const IrqDef combiner_out[] = { { .name = "sysbus-irq", .count = N_GROUPS } };

static const DeviceType combiner_type = {
    .type = { .name = "exynos4210.combiner", .parent = "sys-bus-device", .summary = "interrupt combiner of Exynos 4210", .size_bytes = sizeof(Combiner) },
    .category = DEVICE_MISC, .bus = "System", .banks = combiner_banks, .n_banks = ARRAY_SIZE(combiner_banks), .irqs_in = combiner_in,
    .n_irqs_in = ARRAY_SIZE(combiner_in), .irqs_out = combiner_out, .n_irqs_out = ARRAY_SIZE(combiner_out), .state = &combiner_state,
    .reset_hold = combiner_reset_hold,
};
DEVICE_TYPE_REGISTER(combiner_type);
