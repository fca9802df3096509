/*
 * bcm2835-gpio.c: the BCM2835's 54 general purpose pins.
 *
 * Broadcom "BCM2835 ARM Peripherals", chapter 6. Pins that are outputs drive the unnamed lines; others have the level of the inputs. Edges and
 * levels are detected on all of them. Pins 48 to 53 are the SD card's: their function says which of two host controllers it is connected to.
 * Interrupt outputs: pins 0 to 27, 28 to 45, 46 to 53, all.
 *
 * Left out: pull-up and pull-down resistors (the registers are kept), other functions of pins.
 */
#include "hw/arm/bcm2835.h"
#include "hw/sd.h"

enum {
    N_PINS = 54, N_FSEL = 6, PINS_PER_FSEL = 10,
    FN_INPUT = 0, FN_OUTPUT = 1, FN_ALT0 = 4, FN_ALT3 = 7,
    SD_FIRST = 48, SD_LAST = 53,
    BANK0_PINS = (1 << 28) - 1, BANK1_PINS = (1 << 18) - 1,
};
#define ALL_PINS ((UINT64_C(1) << N_PINS) - 1)

typedef struct Gpio {
    Device dev;
    uint32_t fsel[N_FSEL];
    uint32_t detect[6][2];              /* rising, falling, high, low, asynchronous rising and falling */
    uint32_t pud, pud_clock[2];
    uint64_t out, in, events, driven;   /* driven: levels that the lines were told */
    SdSlot *sdhci, *sdhost;
    uint8_t sd_function;
} Gpio;

enum { RISING, FALLING, HIGH, LOW, ASYNC_RISING, ASYNC_FALLING };

static unsigned function(const Gpio *s, unsigned pin)
{
    return s->fsel[pin / PINS_PER_FSEL] >> 3 * (pin % PINS_PER_FSEL) & 7;
}

static uint64_t outputs(const Gpio *s)
{
    uint64_t mask = 0;

    for (unsigned pin = 0; pin < N_PINS; pin++) {
        mask |= (uint64_t)(function(s, pin) == FN_OUTPUT) << pin;
    }
    return mask;
}

static uint64_t levels(const Gpio *s)
{
    uint64_t mask = outputs(s);

    return (s->out & mask) | (s->in & ~mask);
}

static uint64_t both(const Gpio *s, unsigned which)
{
    return (s->detect[which][0] | (uint64_t)s->detect[which][1] << 32) & ALL_PINS;
}

/* `before`: levels before something happened. */
static void update(Gpio *s, uint64_t before)
{
    uint64_t now = levels(s), up = now & ~before, down = before & ~now, drive = s->out & outputs(s);

    s->events |= (up & (both(s, RISING) | both(s, ASYNC_RISING))) | (down & (both(s, FALLING) | both(s, ASYNC_FALLING))) |
                 (now & both(s, HIGH)) | (~now & both(s, LOW));
    for (uint64_t changed = drive ^ s->driven; changed; changed &= changed - 1) {
        unsigned pin = (unsigned)__builtin_ctzll(changed);

        s->driven ^= UINT64_C(1) << pin;
        device_set_irq(&s->dev, NULL, pin, drive >> pin & 1);
    }
    device_set_irq(&s->dev, "sysbus-irq", 0, (s->events & BANK0_PINS) != 0);
    device_set_irq(&s->dev, "sysbus-irq", 1, (s->events >> 28 & BANK1_PINS) != 0);
    device_set_irq(&s->dev, "sysbus-irq", 2, s->events >> 46 != 0);
    device_set_irq(&s->dev, "sysbus-irq", 3, s->events != 0);
}

/* The card goes where all six pins lead; while they do not agree it stays. */
static void update_sd(Gpio *s)
{
    unsigned fn = function(s, SD_FIRST);

    for (unsigned pin = SD_FIRST; pin <= SD_LAST; pin++) {
        if (function(s, pin) != fn) {
            return;
        }
    }
    if (fn == s->sd_function || !s->sdhci || !s->sdhost) {
        return;
    }
    if (fn == FN_ALT0) {
        sd_slot_move(s->sdhci, s->sdhost);
    } else if (fn == FN_ALT3) {
        sd_slot_move(s->sdhost, s->sdhci);
    } else {
        return;
    }
    s->sd_function = (uint8_t)fn;
}

static void pin_set(void *opaque, int n, int level)
{
    Gpio *s = opaque;
    uint64_t before = levels(s), bit = UINT64_C(1) << n;

    s->in = level ? s->in | bit : s->in & ~bit;
    update(s, before);
}

static void fsel_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Gpio *s = (Gpio *)dev;
    uint64_t before = levels(s);

    s->fsel[index] = (uint32_t)value;
    update(s, before);
    update_sd(s);
}

/* aux: 1 sets, 0 clears. */
static void out_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Gpio *s = (Gpio *)dev;
    uint64_t before = levels(s), bits = (value << 32 * index) & ALL_PINS;

    s->out = reg->aux ? s->out | bits : s->out & ~bits;
    update(s, before);
}

static uint64_t level_read(Device *dev, const Register *reg, unsigned index)
{
    return (uint32_t)(levels((Gpio *)dev) >> 32 * index);
}

static uint64_t event_read(Device *dev, const Register *reg, unsigned index)
{
    return (uint32_t)(((Gpio *)dev)->events >> 32 * index);
}

static void event_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Gpio *s = (Gpio *)dev;

    s->events &= ~((value & 0xffffffff) << 32 * index);
    update(s, levels(s));
}

static uint64_t detect_read(Device *dev, const Register *reg, unsigned index)
{
    return ((Gpio *)dev)->detect[reg->aux][index];
}

static void detect_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Gpio *s = (Gpio *)dev;

    s->detect[reg->aux][index] = (uint32_t)value;
    update(s, levels(s));
}

#define DETECT(text, at, which) \
    { .name = (text), .offset = (at), .size = 4, .count = 2, .read = detect_read, .write = detect_write, .aux = (which) }

static const Register gpio_regs[] = {
    { .name = "GPFSEL", .offset = 0x00, .size = 4, .count = N_FSEL, REGISTER_ARRAY(Gpio, fsel), .write = fsel_write },
    { .name = "GPSET", .offset = 0x1c, .size = 4, .count = 2, .write = out_write, .write_only = true, .aux = 1 },
    { .name = "GPCLR", .offset = 0x28, .size = 4, .count = 2, .write = out_write, .write_only = true },
    { .name = "GPLEV", .offset = 0x34, .size = 4, .count = 2, .read = level_read, .read_only = true },
    { .name = "GPEDS", .offset = 0x40, .size = 4, .count = 2, .read = event_read, .write = event_write },
    DETECT("GPREN", 0x4c, RISING), DETECT("GPFEN", 0x58, FALLING), DETECT("GPHEN", 0x64, HIGH), DETECT("GPLEN", 0x70, LOW),
    DETECT("GPAREN", 0x7c, ASYNC_RISING), DETECT("GPAFEN", 0x88, ASYNC_FALLING),
    { .name = "GPPUD", .offset = 0x94, .size = 4, REGISTER_FIELD(Gpio, pud), .write_mask = 3 },
    { .name = "GPPUDCLK", .offset = 0x98, .size = 4, .count = 2, REGISTER_ARRAY(Gpio, pud_clock) },
};

static const RegisterBank gpio_banks[] = {
    { .name = "bcm2835_gpio", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = gpio_regs, .n_regs = ARRAY_SIZE(gpio_regs) },
};

void bcm2835_gpio_connect(Device *gpio, struct SdSlot *sdhci, struct SdSlot *sdhost)
{
    ((Gpio *)gpio)->sdhci = sdhci;
    ((Gpio *)gpio)->sdhost = sdhost;
}

static void gpio_reset_enter(Device *dev, ResetKind kind)
{
    Gpio *s = (Gpio *)dev;

    memset(s->detect, 0, sizeof(s->detect));
    s->out = s->events = 0;
}

static void gpio_reset_hold(Device *dev, ResetKind kind)
{
    Gpio *s = (Gpio *)dev;

    update(s, levels(s));
    if (s->sdhci && s->sdhost && s->sd_function != FN_ALT3) { /* where firmware has read the kernel from */
        sd_slot_move(s->sdhost, s->sdhci);
    }
    s->sd_function = FN_ALT3;
}

static bool gpio_post_load(void *opaque, uint32_t version, Error **errp)
{
    Gpio *s = opaque;

    if (s->sd_function != FN_ALT0 && s->sd_function != FN_ALT3) {
        error_set(errp, "bcm2835_gpio: the SD card is connected by function %u", s->sd_function);
        return false;
    }
    s->events &= ALL_PINS;
    s->driven &= ALL_PINS;
    if (s->sdhci && s->sdhost) {
        sd_slot_move(s->sd_function == FN_ALT0 ? s->sdhci : s->sdhost, s->sd_function == FN_ALT0 ? s->sdhost : s->sdhci);
    }
    update(s, levels(s));
    return true;
}

static const StateField gpio_fields[] = {
    { .name = "detect", .kind = STATE_UINT, .offset = offsetof(Gpio, detect), .elem_size = 4, .count = 12 },
    STATE_U(Gpio, out), STATE_U(Gpio, in), STATE_U(Gpio, events), STATE_U(Gpio, driven), STATE_U(Gpio, sd_function),
};
static const StateDesc gpio_state = {
    .name = "bcm2835_gpio", .version = 1, .min_version = 1, .fields = gpio_fields, .n_fields = ARRAY_SIZE(gpio_fields), .post_load = gpio_post_load,
};
static const IrqDef gpio_in[] = { { .count = N_PINS, .handler = pin_set } };
static const IrqDef gpio_out[] = { { .count = N_PINS }, { .name = "sysbus-irq", .count = 4 } };

static const DeviceType gpio_type = {
    .type = { .name = "bcm2835_gpio", .parent = "sys-bus-device", .summary = "BCM2835 pins", .size_bytes = sizeof(Gpio) },
    .category = DEVICE_MISC, .bus = "System", .banks = gpio_banks, .n_banks = ARRAY_SIZE(gpio_banks), .irqs_in = gpio_in,
    .n_irqs_in = ARRAY_SIZE(gpio_in), .irqs_out = gpio_out, .n_irqs_out = ARRAY_SIZE(gpio_out), .state = &gpio_state,
    .reset_enter = gpio_reset_enter, .reset_hold = gpio_reset_hold,
};
DEVICE_TYPE_REGISTER(gpio_type);
