/*
 * bcm2835-aux.c: the BCM2835's auxiliary peripherals: the mini UART.
 *
 * Broadcom "BCM2835 ARM Peripherals", chapter 2: registers like a 16550's, 4 bytes apart from 0x40 on, FIFOs of eight bytes. Bit 0 of IER is for
 * transmitting in some copies of the manual; hardware and kernels agree on 0: receive, 1: transmit.
 *
 * Left out: the two SPI masters, whose registers are not there; breaks, the line's speed, modem lines.
 */
#include "hw/chardev-prop.h"
#include "softmmu/chardev.h"

enum {
    FIFO_BYTES = 8,
    ENABLE_UART = 1,
    IER_RX = 1, IER_TX = 2,
    IIR_NONE = 1, IIR_TX = 2, IIR_RX = 4, IIR_FIFOS = 0xc0,
    LCR_DLAB = 0x80,
    LSR_RX = 1, LSR_OVERRUN = 2, LSR_TX_ROOM = 0x20, LSR_TX_IDLE = 0x40,
    CNTL_RX = 1,
};

typedef struct Aux {
    Device dev;
    CharFrontend chr;
    uint8_t fifo[FIFO_BYTES], head, count;
    uint8_t enables, ier, lcr, mcr, scratch, cntl;
    uint8_t tx;                         /* the byte that waits while tx_full */
    bool tx_full, overrun;
    bool tx_irq;                        /* empty since it was last told */
    uint16_t baud;
} Aux;

static unsigned cause(const Aux *s)
{
    return s->ier & IER_RX && s->count ? IIR_RX : s->ier & IER_TX && s->tx_irq ? IIR_TX : IIR_NONE;
}

static void update(Aux *s)
{
    device_set_irq(&s->dev, "sysbus-irq", 0, cause(s) != IIR_NONE);
}

static size_t aux_can_read(void *opaque)
{
    Aux *s = opaque;

    return s->cntl & CNTL_RX ? FIFO_BYTES - s->count : 0;
}

static void aux_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Aux *s = opaque;

    for (size_t i = 0; i < len; i++) {
        if (s->count == FIFO_BYTES) {
            s->overrun = true;
            break;
        }
        s->fifo[(s->head + s->count++) % FIFO_BYTES] = buf[i];
    }
    update(s);
}

static void drain(Aux *s)
{
    if (s->tx_full && char_write(&s->chr, &s->tx, 1)) {
        s->tx_full = false;
        s->tx_irq = true;
    }
    update(s);
}

static void aux_writable(void *opaque)
{
    drain(opaque);
}

static uint64_t irq_read(Device *dev, const Register *reg, unsigned index)
{
    return cause((Aux *)dev) != IIR_NONE;
}

static uint64_t io_read(Device *dev, const Register *reg, unsigned index)
{
    Aux *s = (Aux *)dev;
    uint8_t byte;

    if (s->lcr & LCR_DLAB) {
        return s->baud & 0xff;
    }
    if (!s->count) {
        return 0;
    }
    byte = s->fifo[s->head];
    s->head = (s->head + 1) % FIFO_BYTES;
    s->count--;
    update(s);
    char_accept_input(&s->chr);
    return byte;
}

static void io_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Aux *s = (Aux *)dev;

    if (s->lcr & LCR_DLAB) {
        s->baud = (s->baud & 0xff00) | (uint8_t)value;
        return;
    }
    if (s->tx_full) {
        return; /* lost, as there */
    }
    s->tx = (uint8_t)value;
    s->tx_full = true;
    s->tx_irq = false;
    drain(s);
}

static uint64_t ier_read(Device *dev, const Register *reg, unsigned index)
{
    Aux *s = (Aux *)dev;

    return s->lcr & LCR_DLAB ? s->baud >> 8 : 0xc0 | s->ier;
}

static void ier_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Aux *s = (Aux *)dev;

    if (s->lcr & LCR_DLAB) {
        s->baud = (uint16_t)((s->baud & 0xff) | value << 8);
        return;
    }
    if (value & ~s->ier & IER_TX) {
        s->tx_irq = !s->tx_full;
    }
    s->ier = value & 3;
    update(s);
}

static uint64_t iir_read(Device *dev, const Register *reg, unsigned index)
{
    Aux *s = (Aux *)dev;
    unsigned now = cause(s);

    if (now == IIR_TX) { /* told */
        s->tx_irq = false;
        update(s);
    }
    return IIR_FIFOS | now;
}

static void fifo_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Aux *s = (Aux *)dev;

    if (value & 2) {
        s->head = s->count = 0;
    }
    update(s);
    char_accept_input(&s->chr);
}

static uint64_t lsr_read(Device *dev, const Register *reg, unsigned index)
{
    Aux *s = (Aux *)dev;
    uint64_t value = (s->count ? LSR_RX : 0) | (s->overrun ? LSR_OVERRUN : 0) | (s->tx_full ? 0 : LSR_TX_ROOM | LSR_TX_IDLE);

    s->overrun = false;
    return value;
}

static uint64_t msr_read(Device *dev, const Register *reg, unsigned index)
{
    return 0x10; /* CTS */
}

static void cntl_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    char_accept_input(&((Aux *)dev)->chr);
}

/* Symbol available, space available, receiver idle, both FIFO's levels (2.2.2, AUX_MU_STAT_REG). */
static uint64_t stat_read(Device *dev, const Register *reg, unsigned index)
{
    Aux *s = (Aux *)dev;

    return (s->count ? 1u : 0) | (s->tx_full ? 0 : 2u) | (s->count ? 0 : 4u) | 8 | (s->tx_full ? 0 : 0x300u) |
           (uint32_t)s->count << 16 | (s->tx_full ? 1u << 24 : 0);
}

static const Register aux_regs[] = {
    { .name = "AUX_IRQ", .offset = 0x00, .size = 4, .read = irq_read, .read_only = true },
    { .name = "AUX_ENABLES", .offset = 0x04, .size = 4, REGISTER_FIELD(Aux, enables), .reset = ENABLE_UART, .write_mask = 7 },
    { .name = "AUX_MU_IO", .offset = 0x40, .size = 4, .read = io_read, .write = io_write },
    { .name = "AUX_MU_IER", .offset = 0x44, .size = 4, .read = ier_read, .write = ier_write },
    { .name = "AUX_MU_IIR", .offset = 0x48, .size = 4, .read = iir_read, .write = fifo_write },
    { .name = "AUX_MU_LCR", .offset = 0x4c, .size = 4, REGISTER_FIELD(Aux, lcr), .write_mask = 0xc3 },
    { .name = "AUX_MU_MCR", .offset = 0x50, .size = 4, REGISTER_FIELD(Aux, mcr), .write_mask = 2 },
    { .name = "AUX_MU_LSR", .offset = 0x54, .size = 4, .read = lsr_read, .read_only = true },
    { .name = "AUX_MU_MSR", .offset = 0x58, .size = 4, .read = msr_read, .read_only = true },
    { .name = "AUX_MU_SCRATCH", .offset = 0x5c, .size = 4, REGISTER_FIELD(Aux, scratch) },
    { .name = "AUX_MU_CNTL", .offset = 0x60, .size = 4, REGISTER_FIELD(Aux, cntl), .reset = 3, .changed = cntl_changed },
    { .name = "AUX_MU_STAT", .offset = 0x64, .size = 4, .read = stat_read, .read_only = true },
    { .name = "AUX_MU_BAUD", .offset = 0x68, .size = 4, REGISTER_FIELD(Aux, baud) },
};

static const RegisterBank aux_banks[] = {
    { .name = "bcm2835-aux", .size_bytes = 0x100, .access_min = 1, .access_max = 4, .regs = aux_regs, .n_regs = ARRAY_SIZE(aux_regs) },
};

static const CharHandlers aux_handlers = { .can_read = aux_can_read, .read = aux_receive, .writable = aux_writable };

static bool aux_realize(Device *dev, Error **errp)
{
    char_set_handlers(&((Aux *)dev)->chr, &aux_handlers, dev);
    return true;
}

static void aux_unrealize(Device *dev)
{
    Aux *s = (Aux *)dev;

    char_set_handlers(&s->chr, NULL, NULL);
    char_detach(&s->chr);
}

static void aux_reset_enter(Device *dev, ResetKind kind)
{
    Aux *s = (Aux *)dev;

    s->head = s->count = s->ier = 0;
    s->tx_full = s->overrun = s->tx_irq = false;
}

static void aux_reset_hold(Device *dev, ResetKind kind)
{
    update((Aux *)dev);
}

static void aux_reset_exit(Device *dev, ResetKind kind)
{
    char_accept_input(&((Aux *)dev)->chr);
}

static bool aux_post_load(void *opaque, uint32_t version, Error **errp)
{
    Aux *s = opaque;

    if (s->head >= FIFO_BYTES || s->count > FIFO_BYTES) {
        error_set(errp, "bcm2835-aux: FIFO positions are out of range");
        return false;
    }
    update(s);
    return true;
}

static const StateField aux_fields[] = {
    STATE_U_ARRAY(Aux, fifo), STATE_U(Aux, head), STATE_U(Aux, count), STATE_U(Aux, ier), STATE_U(Aux, tx), STATE_U(Aux, tx_full),
    STATE_U(Aux, overrun), STATE_U(Aux, tx_irq),
};
static const StateDesc aux_state = {
    .name = "bcm2835-aux", .version = 1, .min_version = 1, .fields = aux_fields, .n_fields = ARRAY_SIZE(aux_fields), .post_load = aux_post_load,
};
static const Property aux_props[] = { PROP_CHR("chardev", Aux, chr) };
static const IrqDef aux_out[] = { { .name = "sysbus-irq", .count = 1 } };

static const DeviceType aux_type = {
    .type = { .name = "bcm2835-aux", .parent = "sys-bus-device", .summary = "BCM2835 mini UART", .size_bytes = sizeof(Aux), .props = aux_props,
              .n_props = ARRAY_SIZE(aux_props) },
    .category = DEVICE_INPUT, .bus = "System", .banks = aux_banks, .n_banks = ARRAY_SIZE(aux_banks), .irqs_out = aux_out,
    .n_irqs_out = ARRAY_SIZE(aux_out), .state = &aux_state, .realize = aux_realize, .unrealize = aux_unrealize, .reset_enter = aux_reset_enter,
    .reset_hold = aux_reset_hold, .reset_exit = aux_reset_exit,
};
DEVICE_TYPE_REGISTER(aux_type);
