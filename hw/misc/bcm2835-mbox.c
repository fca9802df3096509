/*
 * bcm2835-mbox.c: the mailboxes between the BCM2835's ARM side and its GPU.
 *
 * "BCM2835 mailboxes" (Raspberry Pi firmware wiki): mailbox 0 is read by the ARM side, mailbox 1 written by it; a word's low four bits are the
 * channel. Each holds eight words. What the GPU answers goes into mailbox 0; while that is full, words wait in mailbox 1.
 *
 * Left out: doorbells, and the interrupts for the other directions, which nobody raises.
 */
#include "hw/arm/bcm2835.h"
#include "util/log.h"

enum {
    FIFO_WORDS = 8,
    STATUS_EMPTY = 1 << 30,
    CONFIG_IRQ = 1,                     /* when mailbox 0 has something */
    CONFIG_PENDING = 1 << 4,
};
#define STATUS_FULL (1u << 31)

typedef struct MboxFifo {
    uint32_t word[FIFO_WORDS];
    uint8_t head, count;
} MboxFifo;

typedef struct Mbox {
    Device dev;
    MboxFifo box[2];                    /* 0: to the ARM side, 1: from it */
    uint32_t config[2];
    struct { Bcm2835MboxFn *fn; void *opaque; } channels[BCM2835_MBOX_CHANNELS];
    bool busy;                          /* a message is being handled */
} Mbox;

static void put(MboxFifo *f, uint32_t word)
{
    f->word[(f->head + f->count++) % FIFO_WORDS] = word;
}

static uint32_t get(MboxFifo *f)
{
    uint32_t word = f->word[f->head];

    f->head = (f->head + 1) % FIFO_WORDS;
    f->count--;
    return word;
}

static bool irq_level(const Mbox *s)
{
    return s->config[0] & CONFIG_IRQ && s->box[0].count;
}

static void update(Mbox *s)
{
    device_set_irq(&s->dev, "sysbus-irq", 0, irq_level(s));
}

/* The GPU takes messages as long as there is room for answers. */
static void serve(Mbox *s)
{
    if (s->busy) { /* a message's buffer is in the mailbox itself */
        return;
    }
    s->busy = true;
    while (s->box[1].count && s->box[0].count < FIFO_WORDS) {
        uint32_t word = get(&s->box[1]);
        unsigned channel = word & 15;

        if (s->channels[channel].fn) {
            put(&s->box[0], (s->channels[channel].fn(s->channels[channel].opaque, word & ~15u) & ~15u) | channel);
        } else {
            log_unimp("bcm2835-mbox: message 0x%08x to channel %u\n", word, channel);
        }
    }
    s->busy = false;
    update(s);
}

void bcm2835_mbox_connect(Device *mbox, unsigned channel, Bcm2835MboxFn *fn, void *opaque)
{
    Mbox *s = (Mbox *)mbox;

    s->channels[channel].fn = fn;
    s->channels[channel].opaque = opaque;
}

static uint64_t data_read(Device *dev, const Register *reg, unsigned index)
{
    Mbox *s = (Mbox *)dev;

    if (!s->box[0].count) {
        return 0;
    }
    uint32_t word = get(&s->box[0]);
    serve(s);
    return word;
}

static void data_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Mbox *s = (Mbox *)dev;

    if (s->box[1].count == FIFO_WORDS) {
        log_guest_error("bcm2835-mbox: write to a full mailbox\n");
        return;
    }
    put(&s->box[1], (uint32_t)value);
    serve(s);
}

static uint64_t peek_read(Device *dev, const Register *reg, unsigned index)
{
    const MboxFifo *f = &((Mbox *)dev)->box[reg->aux];

    return f->count ? f->word[f->head] : 0;
}

static uint64_t sender_read(Device *dev, const Register *reg, unsigned index)
{
    return 0;
}

static uint64_t status_read(Device *dev, const Register *reg, unsigned index)
{
    const MboxFifo *f = &((Mbox *)dev)->box[reg->aux];

    return (f->count == FIFO_WORDS ? STATUS_FULL : 0) | (f->count ? 0 : STATUS_EMPTY) | f->count;
}

static uint64_t config_read(Device *dev, const Register *reg, unsigned index)
{
    Mbox *s = (Mbox *)dev;

    return s->config[reg->aux] | (!reg->aux && irq_level(s) ? CONFIG_PENDING : 0);
}

static void config_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Mbox *s = (Mbox *)dev;

    s->config[reg->aux] = (uint32_t)value & CONFIG_IRQ;
    update(s);
}

static const Register mbox_regs[] = {
    { .name = "MAIL0_READ", .offset = 0x80, .size = 4, .read = data_read, .read_only = true },
    { .name = "MAIL0_PEEK", .offset = 0x90, .size = 4, .read = peek_read, .read_only = true },
    { .name = "MAIL0_SENDER", .offset = 0x94, .size = 4, .read = sender_read, .read_only = true },
    { .name = "MAIL0_STATUS", .offset = 0x98, .size = 4, .read = status_read, .read_only = true },
    { .name = "MAIL0_CONFIG", .offset = 0x9c, .size = 4, .read = config_read, .write = config_write },
    { .name = "MAIL1_WRITE", .offset = 0xa0, .size = 4, .write = data_write, .write_only = true },
    { .name = "MAIL1_PEEK", .offset = 0xb0, .size = 4, .read = peek_read, .read_only = true, .aux = 1 },
    { .name = "MAIL1_SENDER", .offset = 0xb4, .size = 4, .read = sender_read, .read_only = true, .aux = 1 },
    { .name = "MAIL1_STATUS", .offset = 0xb8, .size = 4, .read = status_read, .read_only = true, .aux = 1 },
    { .name = "MAIL1_CONFIG", .offset = 0xbc, .size = 4, .read = config_read, .write = config_write, .aux = 1 },
};

static const RegisterBank mbox_banks[] = {
    { .name = "bcm2835-mbox", .size_bytes = 0x400, .access_min = 4, .access_max = 4, .regs = mbox_regs, .n_regs = ARRAY_SIZE(mbox_regs) },
};

static void mbox_reset_enter(Device *dev, ResetKind kind)
{
    Mbox *s = (Mbox *)dev;

    for (unsigned i = 0; i < 2; i++) {
        s->box[i] = (MboxFifo){0};
        s->config[i] = 0;
    }
}

static void mbox_reset_hold(Device *dev, ResetKind kind)
{
    update((Mbox *)dev);
}

static bool mbox_post_load(void *opaque, uint32_t version, Error **errp)
{
    Mbox *s = opaque;

    for (unsigned i = 0; i < 2; i++) {
        if (s->box[i].head >= FIFO_WORDS || s->box[i].count > FIFO_WORDS) {
            error_set(errp, "bcm2835-mbox: mailbox %u has %u words from %u on", i, s->box[i].count, s->box[i].head);
            return false;
        }
    }
    update(s);
    return true;
}

static const StateField fifo_fields[] = { STATE_U_ARRAY(MboxFifo, word), STATE_U(MboxFifo, head), STATE_U(MboxFifo, count) };
static const StateDesc fifo_state = { .name = "fifo", .version = 1, .min_version = 1, .fields = fifo_fields, .n_fields = ARRAY_SIZE(fifo_fields) };
static const StateField mbox_fields[] = {
    { .name = "box", .kind = STATE_STRUCT, .offset = offsetof(Mbox, box), .elem_size = sizeof(MboxFifo), .count = 2, .sub = &fifo_state },
    STATE_U_ARRAY(Mbox, config),
};

static const StateDesc mbox_state = {
    .name = "bcm2835-mbox", .version = 1, .min_version = 1, .fields = mbox_fields, .n_fields = ARRAY_SIZE(mbox_fields), .post_load = mbox_post_load,
};

static const IrqDef mbox_out[] = { { .name = "sysbus-irq", .count = 1 } };

static const DeviceType mbox_type = {
    .type = { .name = "bcm2835-mbox", .parent = "sys-bus-device", .summary = "BCM2835 mailboxes", .size_bytes = sizeof(Mbox) },
    .category = DEVICE_MISC, .bus = "System", .banks = mbox_banks, .n_banks = ARRAY_SIZE(mbox_banks), .irqs_out = mbox_out,
    .n_irqs_out = ARRAY_SIZE(mbox_out), .state = &mbox_state, .reset_enter = mbox_reset_enter, .reset_hold = mbox_reset_hold,
};
DEVICE_TYPE_REGISTER(mbox_type);
