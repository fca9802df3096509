/*
 * ioapic.c: I/O APIC with 24 inputs.
 *
 * Specification: Intel 82093AA data sheet (1996), 3.1 and 3.2; the EOI register of version 20h (ICH9 data sheet, 13.5.8). Input 0 of
 * the board (the timer) is wired to pin 2, as the interrupt source override in the tables says.
 */
#include "hw/i386/apic-state.h"
#include "util/bits.h"

enum { SELECT = 0x00, WINDOW = 0x10, EOI = 0x40, IOAPIC_BYTES = 0x1000 };
enum { REG_ID = 0, REG_VERSION = 1, REG_ARBITRATION = 2, REG_TABLE = 0x10 };
#define RTE_WRITABLE (UINT64_C(0xff) << 56 | 0x1afff)

static ApicMessage message(uint64_t rte)
{
    ApicMessage msg = {
        .vector = (uint8_t)rte, .delivery = rte >> 8 & 7, .logical = (rte & RTE_LOGICAL) != 0, .level = (rte & RTE_LEVEL) != 0,
        .dest = (uint32_t)(rte >> 56),
    };

    msg.broadcast = msg.dest == 0xff;
    return msg;
}

/* Whoever has the local APICs is told whose end of interrupt is waited for. */
static void route(IoApic *s, unsigned pin)
{
    ApicMessage msg = message(s->table[pin]);

    apic_bus_route(s->bus, s->first_gsi + pin, msg.level && !(s->table[pin] & RTE_MASKED) ? &msg : NULL);
}

static void deliver(IoApic *s, unsigned pin)
{
    uint64_t rte = s->table[pin];
    bool level = rte & RTE_LEVEL;
    ApicMessage msg = message(rte);

    if (rte & RTE_MASKED) {
        return;
    }
    if (level) {
        if (!(s->lines >> pin & 1) || (rte & RTE_REMOTE_IRR)) {
            return;
        }
        /* Accepted by an APIC until its EOI. Other delivery modes have none. */
        if (msg.delivery == APIC_FIXED || msg.delivery == APIC_LOWEST) {
            s->table[pin] |= RTE_REMOTE_IRR;
        }
    } else if (!(s->irr >> pin & 1)) {
        return;
    }
    s->irr &= ~(UINT32_C(1) << pin);
    s->delivered[pin]++;
    apic_bus_deliver(s->bus, &msg);
}

static void ioapic_line(void *opaque, int n, int level)
{
    IoApic *s = opaque;
    unsigned pin = n == 0 && s->timer_at_2 ? 2 : (unsigned)n;
    uint32_t bit = UINT32_C(1) << pin;
    bool high = (level != 0), rises = high && !(s->lines & bit);

    /* Boards drive all lines active high; polarity (RTE_LOW) describes the wire, not them. */
    s->lines = high ? s->lines | bit : s->lines & ~bit;
    if (s->table[pin] & RTE_LEVEL) {
        if (high) {
            deliver(s, pin);
        }
    } else if (rises && !(s->table[pin] & RTE_MASKED)) { /* 3.2.4: masked edges are neither delivered nor held pending */
        s->irr |= bit;
        deliver(s, pin);
    }
}

static void end_of_interrupt(void *opaque, uint8_t vector)
{
    IoApic *s = opaque;

    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        if ((uint8_t)s->table[pin] == vector && (s->table[pin] & RTE_REMOTE_IRR) && (s->table[pin] & RTE_LEVEL)) {
            s->table[pin] &= ~(uint64_t)RTE_REMOTE_IRR;
            deliver(s, pin);
        }
    }
}

static uint64_t window_read(Device *dev, const Register *reg, unsigned index)
{
    IoApic *s = (IoApic *)dev;
    unsigned n = (s->select - REG_TABLE) / 2u;

    switch (s->select) {
    case REG_ID: case REG_ARBITRATION: return (uint32_t)s->id << 24;
    case REG_VERSION: return s->version | (IOAPIC_PINS - 1) << 16;
    }
    return s->select >= REG_TABLE && n < IOAPIC_PINS ? s->table[n] >> (s->select & 1 ? 32 : 0) & UINT32_MAX : 0;
}

static void window_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    IoApic *s = (IoApic *)dev;
    unsigned n = (s->select - REG_TABLE) / 2u;

    if (s->select == REG_ID) {
        s->id = value >> 24 & 15;
    } else if (s->select >= REG_TABLE && n < IOAPIC_PINS) {
        unsigned shift = s->select & 1 ? 32 : 0;
        uint64_t mask = RTE_WRITABLE & (UINT64_C(0xffffffff) << shift);
        s->table[n] = (s->table[n] & ~mask) | (value << shift & mask);
        if (!(s->table[n] & RTE_LEVEL)) {
            s->table[n] &= ~(uint64_t)RTE_REMOTE_IRR; /* edge: the bit has no meaning */
        } else {
            s->irr &= ~(UINT32_C(1) << n);
        }
        route(s, n);
        deliver(s, n);
    }
}

static void eoi_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    if (((IoApic *)dev)->version >= 0x20) {
        end_of_interrupt(dev, (uint8_t)value);
    }
}

static const Register ioapic_regs[] = {
    { .name = "IOREGSEL", .offset = SELECT, .size = 4, REGISTER_FIELD(IoApic, select), .write_mask = 0xff },
    { .name = "IOWIN", .offset = WINDOW, .size = 4, .read = window_read, .write = window_write },
    { .name = "EOI", .offset = EOI, .size = 4, .write = eoi_write, .write_only = true },
};
static const RegisterBank ioapic_banks[] = {
    { .name = "ioapic", .size_bytes = IOAPIC_BYTES, .regs = ioapic_regs, .n_regs = ARRAY_SIZE(ioapic_regs) },
};

void ioapic_connect(Device *ioapic, ApicBus *bus, unsigned first_gsi)
{
    ((IoApic *)ioapic)->bus = bus;
    ((IoApic *)ioapic)->first_gsi = first_gsi;
    ((IoApic *)ioapic)->timer_at_2 = first_gsi == 0;
    apic_bus_add_eoi(bus, end_of_interrupt, ioapic);
}

static bool ioapic_realize(Device *dev, Error **errp)
{
    IoApic *s = (IoApic *)dev;

    if (!s->bus) {
        error_set(errp, "an 'ioapic' is part of a board");
        return false;
    }
    if (s->version != 0x11 && s->version != 0x20) {
        error_set(errp, "IOAPIC version must be 0x11 or 0x20");
        return false;
    }
    return true;
}

void ioapic_power_up(IoApic *s)
{
    s->id = s->select = 0;
    s->lines = s->irr = 0;
    memset(s->delivered, 0, sizeof(s->delivered));
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        s->table[n] = RTE_MASKED;
    }
}

static void ioapic_reset(Device *dev, ResetKind kind)
{
    IoApic *s = (IoApic *)dev;

    ioapic_power_up(s);
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        route(s, n);
    }
}

static void ioapic_pre_save(void *opaque)
{
    IoApic *s = opaque;

    if (s->fetch) {
        s->fetch(s);
    }
}

static bool ioapic_post_load(void *opaque, uint32_t version, Error **errp)
{
    IoApic *s = opaque;

    s->id &= 15;
    s->lines &= (1u << IOAPIC_PINS) - 1;
    s->irr &= (1u << IOAPIC_PINS) - 1;
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        s->table[n] &= RTE_WRITABLE | RTE_REMOTE_IRR;
        if (!s->load) {
            route(s, n);
        }
    }
    if (s->load) {
        s->load(s);
    }
    return true;
}

static const StateField ioapic_fields[] = {
    STATE_U(IoApic, id), STATE_U(IoApic, lines), STATE_U(IoApic, irr), STATE_U_ARRAY(IoApic, table),
    STATE_U_ARRAY(IoApic, delivered),
};
const StateDesc ioapic_state = {
    .name = "ioapic", .version = 1, .min_version = 1, .fields = ioapic_fields, .n_fields = ARRAY_SIZE(ioapic_fields),
    .pre_save = ioapic_pre_save, .post_load = ioapic_post_load,
};
static const Property ioapic_props[] = { PROP_U32("version", IoApic, version, 0x20, NULL) };
static const IrqDef ioapic_irqs[] = { { NULL, IOAPIC_PINS, ioapic_line } };

static const DeviceType ioapic_type = {
    .type = { .name = "ioapic", .parent = "sys-bus-device", .summary = "I/O APIC", .size_bytes = sizeof(IoApic),
              .props = ioapic_props, .n_props = ARRAY_SIZE(ioapic_props) },
    .category = DEVICE_MISC, .bus = "System", .banks = ioapic_banks, .n_banks = 1, .irqs_in = ioapic_irqs, .n_irqs_in = 1,
    .state = &ioapic_state, .realize = ioapic_realize, .reset_enter = ioapic_reset,
};
DEVICE_TYPE_REGISTER(ioapic_type);

void ioapic_print(Device *ioapic, PrintFn *print, void *opaque)
{
    IoApic *s = (IoApic *)ioapic;

    ioapic_pre_save(s);
    print_fmt(print, opaque, "ioapic0: ver=0x%x id=0x%02x sel=0x%02x\n", s->version, s->id, s->select);
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        static const char *const modes[] = { "fixed", "lowest", "SMI", "...", "NMI", "INIT", "...", "extINT" };
        uint64_t e = s->table[n];
        print_fmt(print, opaque, "  pin %-2u 0x%016" PRIx64 " dest=%" PRIx64 " vec=%-3u %s %s %s %s %s\n", n, e, e >> 56,
                  (unsigned)(e & 0xff), e & RTE_LOW ? "active-lo" : "active-hi", e & RTE_LEVEL ? "level" : "edge ",
                  e & RTE_MASKED ? "masked" : "      ", modes[e >> 8 & 7], e & RTE_LOGICAL ? "logical" : "physical");
    }
    print_fmt(print, opaque, "  IRR      0x%08x\n  Remote IRR", s->irr);
    bool any = false;
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        if (s->table[n] & RTE_REMOTE_IRR) {
            print_fmt(print, opaque, " %u", n);
            any = true;
        }
    }
    print(opaque, any ? "\n" : " (none)\n");
}
