/*
 * serial-isa.c: "isa-serial", COM1 to COM4: the 16550A at an I/O port.
 */
#include "hw/isa.h"
#include "hw/serial.h"

typedef struct SerialIsa {
    SerialState serial;
    uint32_t index, iobase, isa_irq; /* index UINT32_MAX: the next free one */
    Irq *line;
} SerialIsa;

enum { MAX_PORTS = 4 };

static unsigned ports_before(Device *dev)
{
    unsigned n = 0;

    for (Device *at = dev->bus->first; at && at != dev; at = at->bus_next) {
        n += device_type(at) == device_type(dev);
    }
    return n;
}

static bool isa_realize(Device *dev, Error **errp)
{
    static const uint16_t ports[MAX_PORTS] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
    static const uint8_t irqs[MAX_PORTS] = { 4, 3, 4, 3 };
    SerialIsa *s = (SerialIsa *)dev;
    IsaBus *bus = isa_bus_of(dev);

    if (s->index == UINT32_MAX) {
        s->index = ports_before(dev);
    }
    if (s->index >= MAX_PORTS) {
        error_set(errp, "Max. supported number of ISA serial ports is %d.", MAX_PORTS);
        return false;
    }
    s->iobase = s->iobase == UINT32_MAX ? ports[s->index] : s->iobase;
    s->isa_irq = s->isa_irq == UINT32_MAX ? irqs[s->index] : s->isa_irq;
    if (s->isa_irq >= ISA_N_IRQS || s->iobase > 0xfff8) {
        error_set(errp, "isa-serial: iobase 0x%x, irq %u are not on the bus", s->iobase, s->isa_irq);
        return false;
    }
    if (!serial_realize(&s->serial, "isa-serial", errp)) {
        return false;
    }
    s->line = isa_irq(bus, s->isa_irq);
    isa_add_io(bus, (uint16_t)s->iobase, device_mmio(dev, 0));
    return true;
}

static void isa_reset_hold(Device *dev, ResetKind kind)
{
    serial_connect((SerialState *)dev, ((SerialIsa *)dev)->line);
}

static const RegisterBank banks[] = {
    { .name = "serial", .size_bytes = SERIAL_N_REGS, .regs = serial_regs, .n_regs = SERIAL_N_REGS },
};

static const Property props[] = {
    PROP_U32("index", SerialIsa, index, UINT32_MAX, NULL), PROP_U32("iobase", SerialIsa, iobase, UINT32_MAX, NULL),
    PROP_U32("irq", SerialIsa, isa_irq, UINT32_MAX, NULL), PROP_U32("baudbase", SerialIsa, serial.baudbase, 115200, NULL),
    PROP_B("wakeup", SerialIsa, serial.wakeup, false, "on/off"), PROP_CHR("chardev", SerialIsa, serial.chr),
};

static const DeviceType isa_serial_type = {
    .type = { .name = "isa-serial", .parent = "isa-device", .summary = "16550A UART on the ISA bus",
              .size_bytes = sizeof(SerialIsa), .props = props, .n_props = ARRAY_SIZE(props) },
    .category = DEVICE_INPUT, .bus = "ISA", .banks = banks, .n_banks = 1, .state = &serial_state, .user_creatable = true,
    .realize = isa_realize, .unrealize = serial_unrealize, .reset_enter = serial_reset_enter, .reset_hold = isa_reset_hold,
    .reset_exit = serial_reset_exit,
};
DEVICE_TYPE_REGISTER(isa_serial_type);
