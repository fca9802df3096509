/*
 * cadence_uart.c: the UART of Zynq-7000 (Cadence), with FIFOs of 64 bytes.
 *
 * Xilinx UG585 (Zynq-7000 TRM), chapter 19 and appendix B.33. Bytes leave as fast as the chardev takes them; the line's speed decides when the receive
 * timeout comes (four bit times for each count of RXTOUT) and is told to host serial ports.
 *
 * Left out: parity and framing errors (the host's side has none), automatic flow control (FCM is kept), the clock's dividers in the SLCR (refclk-hz says what
 * they give). Threads: BQL.
 */
#include "hw/chardev-prop.h"
#include "softmmu/chardev.h"
#include "softmmu/clock.h"

enum {
    FIFO_BYTES = 64,
    CR_RXRES = 1 << 0, CR_TXRES = 1 << 1, CR_RXEN = 1 << 2, CR_RXDIS = 1 << 3, CR_TXEN = 1 << 4, CR_TXDIS = 1 << 5, CR_RSTTO = 1 << 6,
    CR_STTBRK = 1 << 7, CR_STPBRK = 1 << 8,
    MR_CLKS = 1 << 0, MR_CHRL_SHIFT = 1, MR_PAR_SHIFT = 3, MR_NBSTOP_SHIFT = 6, MR_CHMODE_SHIFT = 8,
    MODE_ECHO = 1, MODE_LOCAL_LOOP = 2, MODE_REMOTE_LOOP = 3,
    SR_RTRIG = 1 << 0, SR_REMPTY = 1 << 1, SR_RFUL = 1 << 2, SR_TEMPTY = 1 << 3, SR_TFUL = 1 << 4, SR_TTRIG = 1 << 13, SR_TNFUL = 1 << 14,
    INT_LEVELS = 0x1f, INT_ROVR = 1 << 5, INT_TIMEOUT = 1 << 8, INT_DMSI = 1 << 9, INT_TTRIG = 1 << 10, INT_TNFUL = 1 << 11, INT_TOVR = 1 << 12,
    INT_ALL = 0x1fff,
    MCR_DTR = 1, MCR_RTS = 2, MSR_CTS = 1 << 4, MSR_DSR = 1 << 5, MSR_RI = 1 << 6, MSR_DCD = 1 << 7, MSR_LINES = 0xf0, MSR_DELTAS = 0xf,
};

typedef struct Fifo {
    uint8_t data[FIFO_BYTES];
    uint8_t head, count;
} Fifo;

typedef struct CadenceUart {
    Device dev;
    CharFrontend chr;
    Fifo rx, tx;
    uint32_t refclk_hz, cr, mr, imr, isr, baudgen, rxtout, rxwm, modemcr, modemsr, bauddiv, flow_delay, txwm;
    Timer timeout;
} CadenceUart;

static void put(Fifo *f, uint8_t byte)
{
    f->data[(f->head + f->count++) % FIFO_BYTES] = byte;
}

static uint8_t get(Fifo *f)
{
    uint8_t byte = f->data[f->head];

    f->head = (f->head + 1) % FIFO_BYTES;
    f->count--;
    return byte;
}

static unsigned mode(const CadenceUart *s)
{
    return s->mr >> MR_CHMODE_SHIFT & 3;
}

static bool receives(const CadenceUart *s)
{
    return (s->cr & CR_RXEN) && !(s->cr & CR_RXDIS);
}

static bool sends(const CadenceUart *s)
{
    return (s->cr & CR_TXEN) && !(s->cr & CR_TXDIS);
}

static uint32_t status(const CadenceUart *s)
{
    return (s->rxwm && s->rx.count >= s->rxwm ? SR_RTRIG : 0) | (s->rx.count ? 0 : SR_REMPTY) | (s->rx.count == FIFO_BYTES ? SR_RFUL : 0) |
           (s->tx.count ? 0 : SR_TEMPTY) | (s->tx.count == FIFO_BYTES ? SR_TFUL : 0) | (s->tx.count >= s->txwm ? SR_TTRIG : 0) |
           (s->tx.count >= FIFO_BYTES - 1 ? SR_TNFUL : 0);
}

/* What the FIFOs' levels ask for comes back until it is served; the rest is set by its event. */
static void update(CadenceUart *s)
{
    uint32_t sr = status(s);

    s->isr |= (sr & INT_LEVELS) | (sr & SR_TTRIG ? INT_TTRIG : 0) | (sr & SR_TNFUL ? INT_TNFUL : 0);
    device_set_irq(&s->dev, "sysbus-irq", 0, (s->isr & s->imr) != 0);
}

static unsigned baud(const CadenceUart *s)
{
    uint64_t divisor = (uint64_t)MAX(s->baudgen, 1u) * (s->bauddiv + 1) * (s->mr & MR_CLKS ? 8 : 1);

    return (unsigned)MAX(s->refclk_hz / divisor, 1u);
}

/* --- receiving --- */

static void timeout_arm(CadenceUart *s)
{
    if (s->rxtout && s->rx.count) {
        timer_set_ns(&s->timeout, clock_get_ns(VM_CLOCK_VIRTUAL) + 4 * NS_PER_SECOND * s->rxtout / baud(s));
    } else {
        timer_cancel(&s->timeout);
    }
}

static void timeout_expired(void *opaque)
{
    CadenceUart *s = opaque;

    s->isr |= INT_TIMEOUT;
    update(s);
}

static void receive(CadenceUart *s, uint8_t byte)
{
    if (s->rx.count == FIFO_BYTES) {
        s->isr |= INT_ROVR;
    } else {
        put(&s->rx, byte);
    }
    timeout_arm(s);
}

static size_t uart_can_read(void *opaque)
{
    CadenceUart *s = opaque;

    switch (mode(s)) {
    case MODE_LOCAL_LOOP: return 0;
    case MODE_REMOTE_LOOP: return FIFO_BYTES;
    default: return receives(s) ? (size_t)(FIFO_BYTES - s->rx.count) : 0;
    }
}

static void uart_receive(void *opaque, const uint8_t *buf, size_t len)
{
    CadenceUart *s = opaque;

    for (size_t i = 0; i < len && mode(s) != MODE_REMOTE_LOOP; i++) {
        receive(s, buf[i]);
    }
    if (mode(s) == MODE_ECHO || mode(s) == MODE_REMOTE_LOOP) {
        char_write(&s->chr, buf, len); /* wired through: what the line does not take is lost */
    }
    update(s);
}

static uint64_t fifo_read(Device *dev, const Register *reg, unsigned index)
{
    CadenceUart *s = (CadenceUart *)dev;
    uint8_t byte = s->rx.count ? get(&s->rx) : 0;

    timeout_arm(s);
    update(s);
    char_accept_input(&s->chr);
    return byte;
}

/* --- sending --- */

static void drain(CadenceUart *s)
{
    while (s->tx.count && sends(s)) {
        uint8_t byte = s->tx.data[s->tx.head];

        if (mode(s) == MODE_LOCAL_LOOP) {
            receive(s, byte);
        } else if (!char_write(&s->chr, &byte, 1)) {
            break; /* uart_writable() goes on */
        }
        get(&s->tx);
    }
    update(s);
}

static void uart_writable(void *opaque)
{
    drain(opaque);
}

static void fifo_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    CadenceUart *s = (CadenceUart *)dev;

    if (s->tx.count == FIFO_BYTES) {
        s->isr |= INT_TOVR;
        update(s);
        return;
    }
    put(&s->tx, (uint8_t)value);
    drain(s);
}

/* --- control --- */

static void line_changed(CadenceUart *s)
{
    unsigned length = s->mr >> MR_CHRL_SHIFT & 3, parity = s->mr >> MR_PAR_SHIFT & 7;
    CharLine line = {
        .speed_baud = baud(s), .data_bits = length == 3 ? 6 : length == 2 ? 7 : 8, .stop_bits = s->mr >> MR_NBSTOP_SHIFT & 2 ? 2 : 1,
        .parity = parity == 0 ? 'E' : parity == 1 ? 'O' : 'N',
    };

    char_set_line(&s->chr, &line);
}

static void mr_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    CadenceUart *s = (CadenceUart *)dev;

    line_changed(s);
    drain(s);
    char_accept_input(&s->chr);
}

static void cr_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    CadenceUart *s = (CadenceUart *)dev;

    if (value & CR_RXRES) {
        s->rx = (Fifo){ 0 };
        timeout_arm(s);
    }
    if (value & CR_TXRES) {
        s->tx = (Fifo){ 0 };
    }
    if (value & CR_RSTTO) {
        timeout_arm(s);
    }
    if ((value & CR_STTBRK) && !(value & CR_STPBRK)) {
        char_set_break(&s->chr, true);
    } else if ((value & CR_STPBRK) && (s->cr & CR_STTBRK)) {
        char_set_break(&s->chr, false);
    }
    s->cr = (uint32_t)value & 0x1ff & ~(CR_RXRES | CR_TXRES | CR_RSTTO); /* these do their work and are clear again */
    drain(s);
    char_accept_input(&s->chr);
}

static void speed_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    CadenceUart *s = (CadenceUart *)dev;

    if (!(s->bauddiv + 1 > 4)) { /* 0 to 3 are ignored */
        s->bauddiv = (uint32_t)old;
    }
    line_changed(s);
}

static void timeout_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    timeout_arm((CadenceUart *)dev);
}

static void level_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update((CadenceUart *)dev);
}

static void mask_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    CadenceUart *s = (CadenceUart *)dev;

    s->imr = reg->aux ? s->imr | ((uint32_t)value & INT_ALL) : s->imr & ~(uint32_t)value;
    update(s);
}

static uint64_t status_read(Device *dev, const Register *reg, unsigned index)
{
    return status((CadenceUart *)dev);
}

static void modem_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    CadenceUart *s = (CadenceUart *)dev;

    char_set_modem(&s->chr, (s->modemcr & MCR_DTR ? CHAR_TIO_DTR : 0) | (s->modemcr & MCR_RTS ? CHAR_TIO_RTS : 0));
}

static uint64_t modem_read(Device *dev, const Register *reg, unsigned index)
{
    CadenceUart *s = (CadenceUart *)dev;
    uint32_t lines = MSR_CTS | MSR_DSR | MSR_DCD;
    unsigned tio;

    if (char_get_modem(&s->chr, &tio)) {
        lines = (tio & CHAR_TIO_CTS ? MSR_CTS : 0u) | (tio & CHAR_TIO_DSR ? MSR_DSR : 0u) | (tio & CHAR_TIO_CAR ? MSR_DCD : 0u) |
                (tio & CHAR_TIO_RI ? MSR_RI : 0u);
    }
    s->modemsr |= ((s->modemsr ^ lines) & MSR_LINES) >> 4;
    s->modemsr = (s->modemsr & MSR_DELTAS) | lines;
    if (s->modemsr & MSR_DELTAS) {
        s->isr |= INT_DMSI;
    }
    update(s);
    return s->modemsr;
}

static const Register uart_regs[] = {
    { .name = "Control_reg0", .offset = 0x00, .size = 4, REGISTER_FIELD(CadenceUart, cr), .reset = CR_RXDIS | CR_TXDIS | CR_STPBRK, .write = cr_write },
    { .name = "mode_reg0", .offset = 0x04, .size = 4, REGISTER_FIELD(CadenceUart, mr), .write_mask = 0x3ff, .changed = mr_changed },
    { .name = "Intrpt_en_reg0", .offset = 0x08, .size = 4, .write = mask_write, .write_only = true, .aux = 1 },
    { .name = "Intrpt_dis_reg0", .offset = 0x0c, .size = 4, .write = mask_write, .write_only = true },
    { .name = "Intrpt_mask_reg0", .offset = 0x10, .size = 4, REGISTER_FIELD(CadenceUart, imr), .read_only = true },
    { .name = "Chnl_int_sts_reg0", .offset = 0x14, .size = 4, REGISTER_FIELD(CadenceUart, isr), .w1c_mask = INT_ALL, .changed = level_changed },
    { .name = "Baud_rate_gen_reg0", .offset = 0x18, .size = 4, REGISTER_FIELD(CadenceUart, baudgen), .reset = 0x28b, .write_mask = 0xffff,
      .changed = mr_changed },
    { .name = "Rcvr_timeout_reg0", .offset = 0x1c, .size = 4, REGISTER_FIELD(CadenceUart, rxtout), .write_mask = 0xff, .changed = timeout_changed },
    { .name = "Rcvr_FIFO_trigger_level0", .offset = 0x20, .size = 4, REGISTER_FIELD(CadenceUart, rxwm), .reset = 0x20, .write_mask = 0x3f,
      .changed = level_changed },
    { .name = "Modem_ctrl_reg0", .offset = 0x24, .size = 4, REGISTER_FIELD(CadenceUart, modemcr), .write_mask = 0x23, .changed = modem_changed },
    { .name = "Modem_sts_reg0", .offset = 0x28, .size = 4, REGISTER_FIELD(CadenceUart, modemsr), .reset = MSR_CTS | MSR_DSR | MSR_DCD,
      .w1c_mask = MSR_DELTAS, .read = modem_read },
    { .name = "Channel_sts_reg0", .offset = 0x2c, .size = 4, .read = status_read, .read_only = true },
    { .name = "TX_RX_FIFO0", .offset = 0x30, .size = 4, .read = fifo_read, .write = fifo_write },
    { .name = "Baud_rate_divider_reg0", .offset = 0x34, .size = 4, REGISTER_FIELD(CadenceUart, bauddiv), .reset = 0xf, .write_mask = 0xff,
      .changed = speed_changed },
    { .name = "Flow_delay_reg0", .offset = 0x38, .size = 4, REGISTER_FIELD(CadenceUart, flow_delay), .write_mask = 0x3f },
    { .name = "Tx_FIFO_trigger_level0", .offset = 0x44, .size = 4, REGISTER_FIELD(CadenceUart, txwm), .reset = 0x20, .write_mask = 0x3f,
      .changed = level_changed },
};

static const RegisterBank uart_banks[] = { { .name = "uart", .size_bytes = 0x1000, .regs = uart_regs, .n_regs = ARRAY_SIZE(uart_regs) } };

/* --- life --- */

static const CharHandlers uart_handlers = { .can_read = uart_can_read, .read = uart_receive, .writable = uart_writable };

static bool uart_realize(Device *dev, Error **errp)
{
    CadenceUart *s = (CadenceUart *)dev;

    timer_init(&s->timeout, VM_CLOCK_VIRTUAL, timeout_expired, s);
    char_set_handlers(&s->chr, &uart_handlers, s);
    return true;
}

static void uart_unrealize(Device *dev)
{
    CadenceUart *s = (CadenceUart *)dev;

    timer_cancel(&s->timeout);
    char_set_handlers(&s->chr, NULL, NULL);
    char_detach(&s->chr);
}

static void uart_reset_enter(Device *dev, ResetKind kind)
{
    CadenceUart *s = (CadenceUart *)dev;

    s->rx = s->tx = (Fifo){ 0 };
    timer_cancel(&s->timeout);
}

static void uart_reset_hold(Device *dev, ResetKind kind)
{
    device_set_irq(dev, "sysbus-irq", 0, 0);
}

static bool uart_post_load(void *opaque, uint32_t version, Error **errp)
{
    CadenceUart *s = opaque;

    if (s->rx.count > FIFO_BYTES || s->rx.head >= FIFO_BYTES || s->tx.count > FIFO_BYTES || s->tx.head >= FIFO_BYTES) {
        error_set(errp, "cadence_uart: FIFO positions are out of range");
        return false;
    }
    line_changed(s);
    update(s);
    return true;
}

static const StateField uart_fields[] = {
    STATE_BYTES(CadenceUart, rx.data), STATE_U(CadenceUart, rx.head), STATE_U(CadenceUart, rx.count),
    STATE_BYTES(CadenceUart, tx.data), STATE_U(CadenceUart, tx.head), STATE_U(CadenceUart, tx.count), STATE_TIMER_FIELD(CadenceUart, timeout),
};
static const StateDesc uart_state = {
    .name = "cadence_uart", .version = 1, .min_version = 1, .fields = uart_fields, .n_fields = ARRAY_SIZE(uart_fields), .post_load = uart_post_load,
};
static const Property uart_props[] = {
    PROP_CHR("chardev", CadenceUart, chr), PROP_U32("refclk-hz", CadenceUart, refclk_hz, 100000000, "Hz"),
};
static const IrqDef uart_out[] = { { .name = "sysbus-irq", .count = 1 } };

static const DeviceType uart_type = {
    .type = { .name = "cadence_uart", .parent = "sys-bus-device", .summary = "UART of Zynq-7000", .size_bytes = sizeof(CadenceUart), .props = uart_props,
              .n_props = ARRAY_SIZE(uart_props) },
    .category = DEVICE_INPUT, .bus = "System", .banks = uart_banks, .n_banks = ARRAY_SIZE(uart_banks), .irqs_out = uart_out,
    .n_irqs_out = ARRAY_SIZE(uart_out), .state = &uart_state, .realize = uart_realize, .unrealize = uart_unrealize,
    .reset_enter = uart_reset_enter, .reset_hold = uart_reset_hold,
};
DEVICE_TYPE_REGISTER(uart_type);
