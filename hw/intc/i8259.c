/*
 * i8259.c: 8259A programmable interrupt controllers, master and slave, with the chip set's edge/level registers.
 *
 * Specification: Intel 8259A data sheet (1988): initialization and operation command words, priority rotation, special mask,
 * poll, special fully nested mode; ELCR1/ELCR2 of the 82371SB (PIIX3), 2.5.4. 8080/8085 mode is left out: INTA always gives the
 * 8086's vector.
 *
 * DEVIATION: an edge stays latched when its line falls before INTA, where the chip would answer with IR7: devices here may
 * pulse a line.
 */
#include <stdio.h>

#include "hw/i386/pic-state.h"
#include "util/log.h"

static bool is_level(const Pic *s, unsigned n)
{
    return (s->icw1 & ICW1_LEVEL) || (s->elcr >> n & 1);
}

/* The request of highest priority among `bits`: 0 is the highest rank, 8 means none. */
static unsigned rank_of(const Pic *s, uint8_t bits)
{
    for (unsigned rank = 0; rank < 8; rank++) {
        if (bits >> ((s->lowest + 1 + rank) & 7) & 1) {
            return rank;
        }
    }
    return 8;
}

static unsigned at_rank(const Pic *s, unsigned rank)
{
    return (s->lowest + 1 + rank) & 7;
}

/* The request that INT stands for; -1: none. */
static int pending(const Pic *s)
{
    unsigned want = rank_of(s, s->irr & (uint8_t)~s->imr);
    uint8_t in_service = s->isr;

    if (want == 8) {
        return -1;
    }
    if (s->special_mask) {
        in_service &= (uint8_t)~s->imr;  /* masked levels do not hold back lower ones */
    }
    if (s->master && (s->icw4 & ICW4_SFNM)) {
        in_service &= (uint8_t)~(1 << CASCADE); /* the slave may ask again while it is served */
    }
    return want < rank_of(s, in_service) ? (int)at_rank(s, want) : -1;
}

static void update(Pic *s)
{
    irq_set(s->out, pending(s) >= 0);
}

static void pic_line(void *opaque, int n, int level)
{
    Pic *s = opaque;
    uint8_t bit = (uint8_t)(1 << n);

    if (level) {
        if (is_level(s, (unsigned)n) || !(s->lines & bit)) {
            s->irr |= bit;
        }
        s->lines |= bit;
    } else {
        if (is_level(s, (unsigned)n)) {
            s->irr &= (uint8_t)~bit;
        }
        s->lines &= (uint8_t)~bit;
    }
    update(s);
}

static void end_of_interrupt(Pic *s, unsigned n, bool rotate)
{
    s->isr &= (uint8_t)~(1 << n);
    if (rotate) {
        s->lowest = (uint8_t)n;
    }
}

static void in_service(Pic *s, unsigned n)
{
    if (!is_level(s, n)) {
        s->irr &= (uint8_t)~(1 << n);
    }
    s->isr |= (uint8_t)(1 << n);
    if (s->icw4 & ICW4_AUTO_EOI) {
        end_of_interrupt(s, n, s->rotate_auto_eoi);
    }
}

unsigned i8259_acknowledge(Device *master)
{
    Pic *s = (Pic *)master, *slave = s->slave;
    int n = pending(s);
    unsigned vector;

    if (n < 0) {
        vector = s->base + 7u; /* spurious: nothing in service */
    } else if (n == CASCADE && slave) {
        int m = pending(slave);
        in_service(s, CASCADE);
        if (m >= 0) {
            in_service(slave, (unsigned)m);
        }
        vector = slave->base + (m >= 0 ? (unsigned)m : 7u);
        update(slave);
    } else {
        in_service(s, (unsigned)n);
        vector = s->base + (unsigned)n;
    }
    update(s);
    return vector;
}

bool i8259_pending(Device *master)
{
    return pending((Pic *)master) >= 0;
}

/* -- ports ---------------------------------------------------------------------------------------------------------- */

static void initialize(Pic *s, uint8_t icw1)
{
    s->icw1 = icw1;
    s->icw4 = 0;
    s->imr = s->isr = 0;
    s->irr = 0;
    s->lowest = 7;
    s->read_isr = s->poll = s->special_mask = s->rotate_auto_eoi = false;
    s->init_step = 2;
    for (unsigned n = 0; n < 8; n++) {
        s->irr |= is_level(s, n) ? s->lines & (uint8_t)(1 << n) : 0;
    }
    if (icw1 & ICW1_SINGLE) {
        log_unimp("i8259: single mode: a PC has two controllers\n");
    }
    update(s);
}

static void write_ocw2(Pic *s, uint8_t value)
{
    unsigned command = value >> 5, n = value & 7;

    switch (command) {
    case 0: case 4: /* rotation in automatic EOI mode: clear, set */
        s->rotate_auto_eoi = command == 4;
        break;
    case 1: case 5: /* non-specific EOI */
        if (s->isr) {
            uint8_t bits = s->special_mask ? s->isr & (uint8_t)~s->imr : s->isr;
            unsigned rank = rank_of(s, bits ? bits : s->isr);
            end_of_interrupt(s, at_rank(s, rank), command == 5);
        }
        break;
    case 3: case 7: /* specific EOI */
        end_of_interrupt(s, n, command == 7);
        break;
    case 6: /* set priority */
        s->lowest = (uint8_t)n;
        break;
    }
    update(s);
}

static void even_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pic *s = (Pic *)dev;

    if (value & ICW1) {
        initialize(s, (uint8_t)value);
    } else if (value & OCW3) {
        s->poll = (value & OCW3_POLL) != 0;
        if (value & OCW3_READ) {
            s->read_isr = value & OCW3_READ_ISR;
        }
        if (value & OCW3_MASK_SET) {
            s->special_mask = (value & OCW3_MASK) != 0;
            update(s);
        }
    } else {
        write_ocw2(s, (uint8_t)value);
    }
}

static void odd_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pic *s = (Pic *)dev;

    switch (s->init_step) {
    case 0:
        s->imr = (uint8_t)value;
        break;
    case 2:
        s->base = value & 0xf8;
        s->init_step = !(s->icw1 & ICW1_SINGLE) ? 3 : s->icw1 & ICW1_ICW4 ? 4 : 0;
        break;
    case 3:
        s->icw3 = (uint8_t)value;
        s->init_step = s->icw1 & ICW1_ICW4 ? 4 : 0;
        break;
    case 4:
        s->icw4 = (uint8_t)value;
        s->init_step = 0;
        break;
    }
    update(s);
}

/* A poll is an acknowledge of this chip alone. */
static uint8_t poll(Pic *s)
{
    int n = pending(s);

    s->poll = false;
    if (n < 0) {
        return 0;
    }
    in_service(s, (unsigned)n);
    update(s);
    return (uint8_t)(0x80 | n);
}

static uint64_t even_read(Device *dev, const Register *reg, unsigned index)
{
    Pic *s = (Pic *)dev;
    return s->poll ? poll(s) : s->read_isr ? s->isr : s->irr;
}

static uint64_t odd_read(Device *dev, const Register *reg, unsigned index)
{
    Pic *s = (Pic *)dev;
    return s->poll ? poll(s) : s->imr;
}

static void elcr_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pic *s = (Pic *)dev;
    uint8_t old = s->elcr;

    s->elcr = (uint8_t)value & s->elcr_mask;
    /* A line that becomes level-triggered asks as long as it is high. */
    uint8_t turned = s->elcr & (uint8_t)~old;
    s->irr = (uint8_t)((s->irr & ~turned) | (s->lines & turned));
    update(s);
}

static const Register pic_regs[] = {
    { .name = "IRR/ISR/ICW1/OCW2/OCW3", .offset = 0, .size = 1, .read = even_read, .write = even_write },
    { .name = "IMR/ICW2..ICW4", .offset = 1, .size = 1, .read = odd_read, .write = odd_write },
};
static const Register elcr_regs[] = {
    { .name = "ELCR", .offset = 0, .size = 1, REGISTER_FIELD(Pic, elcr), .write = elcr_write },
};
static const RegisterBank pic_banks[] = {
    { .name = "pic", .size_bytes = 2, .regs = pic_regs, .n_regs = ARRAY_SIZE(pic_regs) },
    { .name = "elcr", .size_bytes = 1, .regs = elcr_regs, .n_regs = ARRAY_SIZE(elcr_regs) },
};

/* -- life ------------------------------------------------------------------------------------------------------------- */

static bool pic_realize(Device *dev, Error **errp)
{
    Pic *s = (Pic *)dev;
    IsaBus *bus = isa_bus_of(dev);

    isa_add_io(bus, (uint16_t)s->iobase, device_mmio(dev, 0));
    isa_add_io(bus, (uint16_t)s->elcr_addr, device_mmio(dev, 1));
    return true;
}

void i8259_power_up(Pic *s)
{
    s->irr = s->imr = s->isr = s->base = s->icw1 = s->icw3 = s->icw4 = s->init_step = 0;
    s->lines = 0;
    s->lowest = 7;
    s->read_isr = s->poll = s->special_mask = s->rotate_auto_eoi = false;
}

static void pic_reset(Device *dev, ResetKind kind)
{
    i8259_power_up((Pic *)dev);
}

static void pic_reset_hold(Device *dev, ResetKind kind)
{
    Pic *s = (Pic *)dev;

    s->out = device_irq_out(dev, NULL, 0);
    update(s);
}

static void pic_pre_save(void *opaque)
{
    Pic *s = opaque;

    if (s->fetch) {
        s->fetch(s);
    }
}

static bool pic_post_load(void *opaque, uint32_t version, Error **errp)
{
    Pic *s = opaque;

    if (s->lowest > 7 || s->init_step > 4 || s->init_step == 1 || (s->base & 7)) {
        error_set(errp, "isa-i8259: impossible state");
        return false;
    }
    if (s->load) {
        s->elcr &= s->elcr_mask;
        s->load(s);
        return true;
    }
    s->out = device_irq_out(&s->dev, NULL, 0);
    update(s);
    return true;
}

static const StateField pic_fields[] = {
    STATE_U(Pic, lines), STATE_U(Pic, irr), STATE_U(Pic, imr), STATE_U(Pic, isr), STATE_U(Pic, base), STATE_U(Pic, icw1),
    STATE_U(Pic, icw3), STATE_U(Pic, icw4), STATE_U(Pic, init_step), STATE_U(Pic, lowest), STATE_U(Pic, read_isr),
    STATE_U(Pic, poll), STATE_U(Pic, special_mask), STATE_U(Pic, rotate_auto_eoi),
};
const StateDesc i8259_state = {
    .name = "i8259", .version = 1, .min_version = 1, .fields = pic_fields, .n_fields = ARRAY_SIZE(pic_fields),
    .pre_save = pic_pre_save, .post_load = pic_post_load,
};

const Property i8259_props[] = {
    PROP_U32("iobase", Pic, iobase, UINT32_MAX, NULL), PROP_U32("elcr_addr", Pic, elcr_addr, UINT32_MAX, NULL),
    PROP_U8("elcr_mask", Pic, elcr_mask, UINT8_MAX, NULL), PROP_B("master", Pic, master, false, NULL),
};
static_assert(ARRAY_SIZE(i8259_props) == I8259_N_PROPS, "pic-state.h");
static const IrqDef pic_irqs_in[] = { { NULL, 8, pic_line } };
static const IrqDef pic_irqs_out[] = { { NULL, 1, NULL } };

static const DeviceType pic_type = {
    .type = { .name = "isa-i8259", .parent = "isa-device", .summary = "8259A interrupt controller", .size_bytes = sizeof(Pic),
              .props = i8259_props, .n_props = I8259_N_PROPS },
    .category = DEVICE_MISC, .bus = "ISA", .banks = pic_banks, .n_banks = ARRAY_SIZE(pic_banks),
    .irqs_in = pic_irqs_in, .n_irqs_in = 1, .irqs_out = pic_irqs_out, .n_irqs_out = 1, .state = &i8259_state,
    .realize = pic_realize, .reset_enter = pic_reset, .reset_hold = pic_reset_hold,
};
DEVICE_TYPE_REGISTER(pic_type);

Device *i8259_create(IsaBus *bus, const char *type, Irq *to, Irq *ret_irqs[ISA_N_IRQS], Error **errp)
{
    static const char *const master_props[] = {
        "iobase", "0x20", "elcr_addr", "0x4d0", "elcr_mask", "0xf8", "master", "on", NULL,
    };
    static const char *const slave_props[] = {
        "iobase", "0xa0", "elcr_addr", "0x4d1", "elcr_mask", "0xde", NULL,
    };
    Device *master = device_create(type, isa_bus_as_bus(bus), master_props, errp);
    Device *slave = master ? device_create(type, isa_bus_as_bus(bus), slave_props, errp) : NULL;

    if (!slave) {
        return NULL;
    }
    ((Pic *)master)->slave = (Pic *)slave;
    if (!to) {
        return master; /* an accelerator's: nobody sees its lines */
    }
    device_connect_irq(master, NULL, 0, to);
    device_connect_irq(slave, NULL, 0, device_irq_in(master, NULL, CASCADE));
    for (unsigned n = 0; n < ISA_N_IRQS; n++) {
        ret_irqs[n] = device_irq_in(n < 8 ? master : slave, NULL, n % 8);
    }
    return master;
}

static void print_one(const Pic *s, unsigned n, PrintFn *print, void *opaque)
{
    print_fmt(print, opaque, "pic%u: irr=%02x imr=%02x isr=%02x hprio=%u irq_base=%02x rr_sel=%u elcr=%02x fnm=%u\n", n, s->irr,
              s->imr, s->isr, (s->lowest + 1u) & 7, s->base, s->read_isr, s->elcr, (s->icw4 & ICW4_SFNM) != 0);
}

void i8259_print(Device *master, PrintFn *print, void *opaque)
{
    Pic *s = (Pic *)master;

    pic_pre_save(s->slave);
    pic_pre_save(s);
    print_one(s->slave, 1, print, opaque);
    print_one(s, 0, print, opaque);
}
