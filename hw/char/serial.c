/*
 * serial.c: 16550A UART, whatever bus it is on (see hw/serial.h).
 *
 * Models the National Semiconductor PC16550D (data sheet of June 1995, section 8):
 * both FIFOs of 16 bytes, trigger levels, character time-out, line and modem
 * status, loop-back, break. Bytes leave as fast as the chardev takes them: the
 * line's speed is only used for the time-out and told to host serial ports.
 * Left out: parity and framing errors (the host's side has none), DMA mode pins.
 */
#include "hw/serial.h"
#include "util/log.h"

enum {
    IER_RDA = 1, IER_THRE = 2, IER_LINE = 4, IER_MODEM = 8,
    IIR_NONE = 1, IIR_MODEM = 0, IIR_THRE = 2, IIR_RDA = 4, IIR_LINE = 6, IIR_TIMEOUT = 12,
    IIR_FIFOS = 0xc0,
    FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4, FCR_TRIGGER_SHIFT = 6,
    LCR_STOP = 4, LCR_PARITY = 8, LCR_EVEN = 16, LCR_BREAK = 64, LCR_DLAB = 128,
    MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16,
    LSR_DR = 1, LSR_OE = 2, LSR_PE = 4, LSR_FE = 8, LSR_BI = 16, LSR_THRE = 32,
    LSR_TEMT = 64, LSR_FIFO_ERROR = 128,
    MSR_DELTA = 0x0f, MSR_CTS = 16, MSR_DSR = 32, MSR_RI = 64, MSR_DCD = 128,
};

static void fifo_put(SerialFifo *f, uint8_t byte)
{
    f->data[(f->head + f->count++) % SERIAL_FIFO_BYTES] = byte;
}

static uint8_t fifo_get(SerialFifo *f)
{
    uint8_t byte = f->data[f->head];

    f->head = (f->head + 1) % SERIAL_FIFO_BYTES;
    f->count--;
    return byte;
}

static unsigned rx_size(const SerialState *s)
{
    return s->fcr & FCR_ENABLE ? SERIAL_FIFO_BYTES : 1;
}

static unsigned rx_trigger(const SerialState *s)
{
    static const uint8_t level[] = { 1, 4, 8, 14 };

    return s->fcr & FCR_ENABLE ? level[s->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* Sources in the order of table 8-4 of the data sheet. */
static uint8_t serial_cause(const SerialState *s)
{
    if ((s->ier & IER_LINE) && (s->lsr & (LSR_OE | LSR_PE | LSR_FE | LSR_BI))) {
        return IIR_LINE;
    }
    if ((s->ier & IER_RDA) && s->rx.count >= rx_trigger(s)) {
        return IIR_RDA;
    }
    if ((s->ier & IER_RDA) && s->timeout_pending) {
        return IIR_TIMEOUT;
    }
    if ((s->ier & IER_THRE) && s->thre_pending) {
        return IIR_THRE;
    }
    if ((s->ier & IER_MODEM) && (s->msr & MSR_DELTA)) {
        return IIR_MODEM;
    }
    return IIR_NONE;
}

static void serial_update(SerialState *s)
{
    irq_set(s->irq, serial_cause(s) != IIR_NONE);
}

/* --- receiving --- */

static int64_t char_time_ns(const SerialState *s)
{
    unsigned bits = 1 + 5 + (s->lcr & 3) + 1 + ((s->lcr & LCR_PARITY) != 0) +
                    ((s->lcr & LCR_STOP) != 0);
    uint64_t divisor = s->divisor ? s->divisor : 1;

    return (int64_t)(NS_PER_SECOND * bits * divisor / MAX(s->baudbase, 1));
}

static void rx_timeout_arm(SerialState *s)
{
    s->timeout_pending = false;
    if ((s->fcr & FCR_ENABLE) && s->rx.count) {
        timer_set_ns(&s->timeout, clock_get_ns(VM_CLOCK_VIRTUAL) + 4 * char_time_ns(s));
    } else {
        timer_cancel(&s->timeout);
    }
}

static void rx_timeout(void *opaque)
{
    SerialState *s = opaque;

    if (s->rx.count) {
        s->timeout_pending = true;
        serial_update(s);
    }
}

static void rx_byte(SerialState *s, uint8_t byte)
{
    if (s->rx.count >= rx_size(s)) {
        s->lsr |= LSR_OE;
        if (!(s->fcr & FCR_ENABLE)) {
            /* Without FIFO the new byte replaces the old one (8.4, OE). */
            s->rx.count = 0;
            fifo_put(&s->rx, byte);
        }
    } else {
        fifo_put(&s->rx, byte);
    }
    s->lsr |= LSR_DR;
}

static size_t serial_can_read(void *opaque)
{
    SerialState *s = opaque;

    if (s->mcr & MCR_LOOP) {
        return 0;
    }
    return rx_size(s) - MIN(s->rx.count, rx_size(s));
}

static void serial_receive(void *opaque, const uint8_t *buf, size_t len)
{
    SerialState *s = opaque;

    for (size_t i = 0; i < len; i++) {
        rx_byte(s, buf[i]);
    }
    rx_timeout_arm(s);
    serial_update(s);
}

static void serial_event(void *opaque, CharEvent event)
{
    SerialState *s = opaque;

    if (event == CHAR_EVENT_BREAK && !(s->mcr & MCR_LOOP)) {
        rx_byte(s, 0);
        s->rx_break = s->rx.count;
        s->lsr |= LSR_BI;
        serial_update(s);
    }
}

static uint64_t rbr_read(Device *dev, const Register *reg, unsigned index)
{
    SerialState *s = (SerialState *)dev;
    uint8_t byte = 0;

    if (s->lcr & LCR_DLAB) {
        return s->divisor & 0xff;
    }
    if (s->rx.count) {
        byte = fifo_get(&s->rx);
        s->rx_break -= s->rx_break > 0;
    }
    if (!s->rx.count) {
        s->lsr &= (uint8_t)~(LSR_DR | LSR_BI);
    }
    rx_timeout_arm(s);
    serial_update(s);
    char_accept_input(&s->chr);
    return byte;
}

/* --- sending --- */

static void tx_drain(SerialState *s)
{
    while (s->tx.count) {
        if (s->mcr & MCR_LOOP) {
            rx_byte(s, fifo_get(&s->tx));
            rx_timeout_arm(s);
            continue;
        }
        uint8_t byte = s->tx.data[s->tx.head];
        if (!char_write(&s->chr, &byte, 1)) {
            break; /* serial_writable() goes on */
        }
        fifo_get(&s->tx);
    }
    if (!s->tx.count && !(s->lsr & LSR_THRE)) {
        s->lsr |= LSR_THRE | LSR_TEMT;
        s->thre_pending = true;
    }
    serial_update(s);
}

static void serial_writable(void *opaque)
{
    tx_drain(opaque);
}

static void serial_line(SerialState *s)
{
    CharLine line = {
        .speed_baud = s->baudbase / (s->divisor ? s->divisor : 1),
        .data_bits = 5 + (s->lcr & 3u),
        .stop_bits = s->lcr & LCR_STOP ? 2 : 1,
        .parity = s->lcr & LCR_PARITY ? (s->lcr & LCR_EVEN ? 'E' : 'O') : 'N',
    };

    char_set_line(&s->chr, &line);
}

static void thr_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SerialState *s = (SerialState *)dev;

    if (s->lcr & LCR_DLAB) {
        s->divisor = (uint16_t)((s->divisor & 0xff00) | (value & 0xff));
        serial_line(s);
        return;
    }
    s->thre_pending = false;
    s->lsr &= (uint8_t)~(LSR_THRE | LSR_TEMT);
    if (s->tx.count == SERIAL_FIFO_BYTES || (!(s->fcr & FCR_ENABLE) && s->tx.count)) {
        fifo_get(&s->tx); /* written over */
    }
    fifo_put(&s->tx, (uint8_t)value);
    tx_drain(s);
}

/* --- control --- */

static uint64_t ier_read(Device *dev, const Register *reg, unsigned index)
{
    SerialState *s = (SerialState *)dev;

    return s->lcr & LCR_DLAB ? s->divisor >> 8 : s->ier;
}

static void ier_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SerialState *s = (SerialState *)dev;

    if (s->lcr & LCR_DLAB) {
        s->divisor = (uint16_t)((s->divisor & 0xff) | (value & 0xff) << 8);
        serial_line(s);
        return;
    }
    uint8_t old = s->ier;
    s->ier = value & 0x0f;
    /* Enabling the interrupt while the transmitter is empty raises it. */
    if (!(old & IER_THRE) && (s->ier & IER_THRE) && (s->lsr & LSR_THRE)) {
        s->thre_pending = true;
    }
    serial_update(s);
}

static uint64_t iir_read(Device *dev, const Register *reg, unsigned index)
{
    SerialState *s = (SerialState *)dev;
    uint8_t cause = serial_cause(s);

    if (cause == IIR_THRE) {
        s->thre_pending = false;
        serial_update(s);
    }
    return cause | (s->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static void fcr_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SerialState *s = (SerialState *)dev;

    /* Changing the enable bit clears both FIFOs (8.5). */
    if ((s->fcr ^ value) & FCR_ENABLE) {
        value |= FCR_CLEAR_RX | FCR_CLEAR_TX;
    }
    if (value & FCR_CLEAR_RX) {
        s->rx = (SerialFifo){0};
        s->lsr &= (uint8_t)~(LSR_DR | LSR_BI);
        s->timeout_pending = false;
        timer_cancel(&s->timeout);
    }
    if (value & FCR_CLEAR_TX) {
        s->tx = (SerialFifo){0};
        s->lsr |= LSR_THRE | LSR_TEMT;
        s->thre_pending = true;
    }
    s->fcr = value & (FCR_ENABLE | 8 | 0xc0);
    if (!(s->fcr & FCR_ENABLE)) {
        s->fcr = 0;
    }
    serial_update(s);
    char_accept_input(&s->chr);
}

static void lcr_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    SerialState *s = (SerialState *)dev;

    if ((old ^ s->lcr) & LCR_BREAK) {
        char_set_break(&s->chr, s->lcr & LCR_BREAK);
    }
    if ((old ^ s->lcr) & 0x3f) {
        serial_line(s);
    }
}

static void modem_update(SerialState *s)
{
    uint8_t old = s->msr, lines;
    unsigned tio;

    if (s->mcr & MCR_LOOP) {
        /* 8.7: the four outputs are connected to the four inputs. */
        lines = (uint8_t)((s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
                          (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0));
    } else if (char_get_modem(&s->chr, &tio)) {
        lines = (uint8_t)((tio & CHAR_TIO_CTS ? MSR_CTS : 0) |
                          (tio & CHAR_TIO_DSR ? MSR_DSR : 0) |
                          (tio & CHAR_TIO_RI ? MSR_RI : 0) | (tio & CHAR_TIO_CAR ? MSR_DCD : 0));
    } else {
        lines = MSR_CTS | MSR_DSR | MSR_DCD;
    }
    uint8_t delta = (uint8_t)((lines ^ old) >> 4 & 0x0f);
    /* The ring indicator counts on its trailing edge only. */
    if ((lines & MSR_RI) || !(old & MSR_RI)) {
        delta &= (uint8_t)~4;
    }
    s->msr = (uint8_t)(lines | (old & MSR_DELTA) | delta);
}

static void mcr_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    SerialState *s = (SerialState *)dev;

    if (!(s->mcr & MCR_LOOP)) {
        char_set_modem(&s->chr, (s->mcr & MCR_DTR ? CHAR_TIO_DTR : 0) |
                                (s->mcr & MCR_RTS ? CHAR_TIO_RTS : 0));
    }
    modem_update(s);
    serial_update(s);
    if ((old & MCR_LOOP) && !(s->mcr & MCR_LOOP)) {
        char_accept_input(&s->chr);
    }
}

static uint64_t lsr_read(Device *dev, const Register *reg, unsigned index)
{
    SerialState *s = (SerialState *)dev;
    uint8_t value = s->lsr;

    if (value & (LSR_OE | LSR_PE | LSR_FE | LSR_BI)) {
        s->lsr &= (uint8_t)~(LSR_OE | LSR_PE | LSR_FE | LSR_BI);
        serial_update(s);
    }
    return value;
}

static uint64_t msr_read(Device *dev, const Register *reg, unsigned index)
{
    SerialState *s = (SerialState *)dev;

    if (!(s->mcr & MCR_LOOP)) {
        modem_update(s);
    }
    uint8_t value = s->msr;
    s->msr &= (uint8_t)~MSR_DELTA;
    serial_update(s);
    return value;
}

const Register serial_regs[SERIAL_N_REGS] = {
    { .name = "RBR/THR/DLL", .offset = 0, .size = 1, .read = rbr_read, .write = thr_write },
    { .name = "IER/DLM", .offset = 1, .size = 1, REGISTER_FIELD(SerialState, ier),
      .read = ier_read, .write = ier_write },
    { .name = "IIR/FCR", .offset = 2, .size = 1, REGISTER_FIELD(SerialState, fcr),
      .read = iir_read, .write = fcr_write },
    { .name = "LCR", .offset = 3, .size = 1, REGISTER_FIELD(SerialState, lcr),
      .changed = lcr_changed },
    { .name = "MCR", .offset = 4, .size = 1, REGISTER_FIELD(SerialState, mcr), .reset = MCR_OUT2,
      .write_mask = 0x1f, .changed = mcr_changed },
    { .name = "LSR", .offset = 5, .size = 1, REGISTER_FIELD(SerialState, lsr),
      .reset = LSR_THRE | LSR_TEMT, .read = lsr_read, .read_only = true },
    { .name = "MSR", .offset = 6, .size = 1, REGISTER_FIELD(SerialState, msr),
      .reset = MSR_CTS | MSR_DSR | MSR_DCD, .read = msr_read, .read_only = true },
    { .name = "SCR", .offset = 7, .size = 1, REGISTER_FIELD(SerialState, scr) },
};

static const CharHandlers serial_handlers = {
    .can_read = serial_can_read,
    .read = serial_receive,
    .event = serial_event,
    .writable = serial_writable,
};

bool serial_realize(SerialState *s, const char *name, Error **errp)
{
    if (!s->baudbase) {
        error_set(errp, "%s: baudbase must not be 0", name);
        return false;
    }
    timer_init(&s->timeout, VM_CLOCK_VIRTUAL, rx_timeout, s);
    char_set_handlers(&s->chr, &serial_handlers, s);
    return true;
}

void serial_unrealize(Device *dev)
{
    SerialState *s = (SerialState *)dev;

    timer_cancel(&s->timeout);
    char_set_handlers(&s->chr, NULL, NULL);
    char_detach(&s->chr);
}

void serial_reset_enter(Device *dev, ResetKind kind)
{
    SerialState *s = (SerialState *)dev;

    s->rx = s->tx = (SerialFifo){0};
    s->divisor = 12; /* 9600 baud */
    s->rx_break = 0;
    s->thre_pending = s->timeout_pending = false;
    timer_cancel(&s->timeout);
}

void serial_connect(SerialState *s, Irq *irq)
{
    s->irq = irq;
    serial_update(s);
}

void serial_reset_exit(Device *dev, ResetKind kind)
{
    char_accept_input(&((SerialState *)dev)->chr);
}

static bool serial_post_load(void *opaque, uint32_t version, Error **errp)
{
    SerialState *s = opaque;

    if (s->rx.count > SERIAL_FIFO_BYTES || s->rx.head >= SERIAL_FIFO_BYTES || s->tx.count > SERIAL_FIFO_BYTES ||
        s->tx.head >= SERIAL_FIFO_BYTES) {
        error_set(errp, "serial: FIFO positions are out of range");
        return false;
    }
    serial_line(s);
    serial_update(s);
    return true;
}

static const StateField serial_fields[] = {
    STATE_U(SerialState, divisor),
    STATE_BYTES(SerialState, rx.data),
    STATE_U(SerialState, rx.head),
    STATE_U(SerialState, rx.count),
    STATE_BYTES(SerialState, tx.data),
    STATE_U(SerialState, tx.head),
    STATE_U(SerialState, tx.count),
    STATE_U(SerialState, rx_break),
    STATE_U(SerialState, thre_pending),
    STATE_U(SerialState, timeout_pending),
    STATE_TIMER_FIELD(SerialState, timeout),
};

const StateDesc serial_state = {
    .name = "serial", .version = 1, .min_version = 1,
    .fields = serial_fields, .n_fields = ARRAY_SIZE(serial_fields),
    .post_load = serial_post_load,
};
