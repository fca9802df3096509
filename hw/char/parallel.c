/*
 * parallel.c: "isa-parallel", a printer port whose bytes go to a chardev.
 *
 * Specification: IBM PC AT parallel adapter; IEEE 1284-1994, compatibility (SPP) mode. The printer is always ready: it takes a byte at
 * the falling edge of STROBE, answers with ACK, and is selected and not busy. Left out: EPP and ECP.
 */
#include "hw/isa.h"
#include "softmmu/chardev.h"

enum {
    STATUS_ERROR = 0x08, STATUS_SELECTED = 0x10, STATUS_PAPER = 0x20, STATUS_ACK = 0x40, STATUS_NOT_BUSY = 0x80,
    CONTROL_STROBE = 0x01, CONTROL_INIT = 0x04, CONTROL_SELECT = 0x08, CONTROL_IRQ = 0x10, CONTROL_INPUT = 0x20,
    MAX_PORTS = 3,
};

typedef struct Parallel {
    Device dev;
    CharFrontend chr;
    uint32_t index, iobase, isa_irq;
    Irq *line;
    uint8_t data, status, control;
    bool pending;
} Parallel;

static void update(Parallel *s)
{
    irq_set(s->line, s->pending && (s->control & CONTROL_IRQ));
}

static void control_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    Parallel *s = (Parallel *)dev;

    if (!(s->control & CONTROL_INIT)) {
        s->status = STATUS_ERROR | STATUS_SELECTED | STATUS_ACK | STATUS_NOT_BUSY;
        s->pending = false;
    } else if ((s->control & CONTROL_SELECT) && (s->control & CONTROL_STROBE) && !(old & CONTROL_STROBE)) {
        char_write(&s->chr, &s->data, 1);
        s->status &= (uint8_t)~STATUS_ACK; /* seen once */
        s->pending = true;
    }
    update(s);
}

static uint64_t status_read(Device *dev, const Register *reg, unsigned index)
{
    Parallel *s = (Parallel *)dev;
    uint8_t value = s->status;

    s->status |= STATUS_ACK;
    s->pending = false;
    update(s);
    return value;
}

static uint64_t data_read(Device *dev, const Register *reg, unsigned index)
{
    Parallel *s = (Parallel *)dev;
    return s->control & CONTROL_INPUT ? 0xff : s->data; /* nobody drives the lines */
}

static const Register regs[] = {
    { .name = "DATA", .offset = 0, .size = 1, REGISTER_FIELD(Parallel, data), .reset = 0xff, .read = data_read },
    { .name = "STATUS", .offset = 1, .size = 1, REGISTER_FIELD(Parallel, status),
      .reset = STATUS_ERROR | STATUS_SELECTED | STATUS_ACK | STATUS_NOT_BUSY, .read = status_read, .read_only = true },
    { .name = "CONTROL", .offset = 2, .size = 1, REGISTER_FIELD(Parallel, control), .reset = CONTROL_INIT | CONTROL_SELECT,
      .read_mask = 0xff, .write_mask = 0x3f, .changed = control_changed },
};
static const RegisterBank banks[] = {
    { .name = "parallel", .size_bytes = 8, .regs = regs, .n_regs = ARRAY_SIZE(regs) },
};

static bool parallel_realize(Device *dev, Error **errp)
{
    static const uint16_t ports[MAX_PORTS] = { 0x378, 0x278, 0x3bc };
    Parallel *s = (Parallel *)dev;
    IsaBus *bus = isa_bus_of(dev);

    if (s->index == UINT32_MAX) {
        s->index = 0;
        for (Device *at = dev->bus->first; at && at != dev; at = at->bus_next) {
            s->index += device_type(at) == device_type(dev);
        }
    }
    if (s->index >= MAX_PORTS) {
        error_set(errp, "Max. supported number of parallel ports is %d.", MAX_PORTS);
        return false;
    }
    if (!s->chr.chr) {
        error_set(errp, "Can't create parallel device, empty char device");
        return false;
    }
    s->iobase = s->iobase == UINT32_MAX ? ports[s->index] : s->iobase;
    if (s->isa_irq >= ISA_N_IRQS || s->iobase > 0xfff8) {
        error_set(errp, "isa-parallel: iobase 0x%x, irq %u are not on the bus", s->iobase, s->isa_irq);
        return false;
    }
    s->line = isa_irq(bus, s->isa_irq);
    isa_add_io(bus, (uint16_t)s->iobase, device_mmio(dev, 0));
    return true;
}

static void parallel_unrealize(Device *dev)
{
    char_detach(&((Parallel *)dev)->chr);
}

static void parallel_reset(Device *dev, ResetKind kind)
{
    ((Parallel *)dev)->pending = false;
}

static void parallel_reset_hold(Device *dev, ResetKind kind)
{
    update((Parallel *)dev);
}

static bool parallel_post_load(void *opaque, uint32_t version, Error **errp)
{
    update(opaque);
    return true;
}

static const StateField fields[] = { STATE_U(Parallel, pending) };
static const StateDesc state = {
    .name = "parallel", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields),
    .post_load = parallel_post_load,
};
static const Property props[] = {
    PROP_U32("index", Parallel, index, UINT32_MAX, NULL), PROP_U32("iobase", Parallel, iobase, UINT32_MAX, NULL),
    PROP_U32("irq", Parallel, isa_irq, 7, NULL), PROP_CHR("chardev", Parallel, chr),
};

static const DeviceType parallel_type = {
    .type = { .name = "isa-parallel", .parent = "isa-device", .summary = "parallel port on the ISA bus",
              .size_bytes = sizeof(Parallel), .props = props, .n_props = ARRAY_SIZE(props) },
    .category = DEVICE_INPUT, .bus = "ISA", .banks = banks, .n_banks = 1, .state = &state, .user_creatable = true,
    .realize = parallel_realize, .unrealize = parallel_unrealize, .reset_enter = parallel_reset,
    .reset_hold = parallel_reset_hold,
};
DEVICE_TYPE_REGISTER(parallel_type);
