/*
 * exynos4210_uart.c: a UART of Exynos 4210 (and S5PV210, S3C6400): FIFOs of 16 to 256 bytes, interrupt source, pending and mask registers.
 *
 * Samsung Exynos 4210 user's manual, chapter "UART". Bytes leave as fast as the chardev takes them; the line's speed decides when the receive timeout comes (32 bit
 * times) and is told to host serial ports.
 *
 * Left out: parity and framing errors (the host's side has none), automatic flow control, infrared, DMA requests (the modes of UCON are kept). The source clock's
 * dividers in the clock controller do not count: sclk-hz says what they give. Threads: BQL.
 */
#include "hw/chardev-prop.h"
#include "softmmu/chardev.h"
#include "softmmu/clock.h"

enum {
    MAX_FIFO = 256,
    UCON_RX_MODE = 3, UCON_TX_MODE = 3 << 2, UCON_BREAK = 1 << 4, UCON_LOOP = 1 << 5, UCON_RX_TIMEOUT = 1 << 7,
    UFCON_ENABLE = 1, UFCON_RX_RESET = 2, UFCON_TX_RESET = 4,
    UTRSTAT_RX = 1, UTRSTAT_TX_BUFFER = 2, UTRSTAT_TX_EMPTY = 4, UERSTAT_OVERRUN = 1,
    UFSTAT_RX_FULL = 1 << 8, UFSTAT_TX_FULL = 1 << 24, UMSTAT_CTS = 1,
    INT_RX = 1, INT_ERROR = 2, INT_TX = 4, INT_ALL = 0xf,
};

typedef struct Fifo {
    uint8_t data[MAX_FIFO];
    uint16_t head, count;
} Fifo;

typedef struct ExynosUart {
    Device dev;
    CharFrontend chr;
    Fifo rx, tx;
    uint32_t rx_size, tx_size, channel, sclk_hz;
    uint32_t ulcon, ucon, ufcon, umcon, uerstat, ubrdiv, ufracval, uintsp, uintm;
    bool timed_out;
    Timer timeout;
} ExynosUart;

static void put(Fifo *f, uint8_t byte)
{
    f->data[(f->head + f->count++) % MAX_FIFO] = byte;
}

static uint8_t get(Fifo *f)
{
    uint8_t byte = f->data[f->head];

    f->head = (f->head + 1) % MAX_FIFO;
    f->count--;
    return byte;
}

static unsigned depth(const ExynosUart *s, unsigned size)
{
    return s->ufcon & UFCON_ENABLE ? size : 1;
}

/* Eighths of the FIFO: the receiver's from one eighth on, the transmitter's from none on. */
static unsigned rx_trigger(const ExynosUart *s)
{
    return s->ufcon & UFCON_ENABLE ? s->rx_size / 8 * ((s->ufcon >> 4 & 7) + 1) : 1;
}

static unsigned tx_trigger(const ExynosUart *s)
{
    return s->ufcon & UFCON_ENABLE ? s->tx_size / 8 * (s->ufcon >> 8 & 7) : 0;
}

static unsigned baud(const ExynosUart *s)
{
    uint64_t sixteenths = ((uint64_t)s->ubrdiv + 1) * 16 + (s->ufracval & 15);

    return (unsigned)MAX(s->sclk_hz / sixteenths, 1u);
}

/* Levels come back after they have been acknowledged, as long as they last. */
static void update(ExynosUart *s)
{
    if ((s->ucon & UCON_RX_MODE) == 1 && s->rx.count && (s->rx.count >= rx_trigger(s) || s->timed_out)) {
        s->uintsp |= INT_RX;
    }
    if ((s->ucon & UCON_TX_MODE) == 1 << 2 && s->tx.count <= tx_trigger(s)) {
        s->uintsp |= INT_TX;
    }
    device_set_irq(&s->dev, "sysbus-irq", 0, (s->uintsp & ~s->uintm & INT_ALL) != 0);
}

/* --- receiving --- */

static void timeout_arm(ExynosUart *s)
{
    if (s->rx.count && (s->ufcon & UFCON_ENABLE) && (s->ucon & UCON_RX_TIMEOUT)) {
        timer_set_ns(&s->timeout, clock_get_ns(VM_CLOCK_VIRTUAL) + 32 * NS_PER_SECOND / baud(s));
    } else {
        timer_cancel(&s->timeout);
    }
}

static void timeout_expired(void *opaque)
{
    ExynosUart *s = opaque;

    s->timed_out = true;
    update(s);
}

static void receive(ExynosUart *s, uint8_t byte)
{
    if (s->rx.count >= depth(s, s->rx_size)) {
        s->uerstat |= UERSTAT_OVERRUN;
        s->uintsp |= INT_ERROR;
        return;
    }
    put(&s->rx, byte);
}

static size_t uart_can_read(void *opaque)
{
    ExynosUart *s = opaque;
    unsigned room = depth(s, s->rx_size);

    return (s->ucon & UCON_LOOP) || !(s->ucon & UCON_RX_MODE) || s->rx.count >= room ? 0 : room - s->rx.count;
}

static void uart_receive(void *opaque, const uint8_t *buf, size_t len)
{
    ExynosUart *s = opaque;

    for (size_t i = 0; i < len; i++) {
        receive(s, buf[i]);
    }
    timeout_arm(s);
    update(s);
}

static uint64_t urxh_read(Device *dev, const Register *reg, unsigned index)
{
    ExynosUart *s = (ExynosUart *)dev;
    uint8_t byte = s->rx.count ? get(&s->rx) : 0;

    s->timed_out &= s->rx.count != 0;
    timeout_arm(s);
    update(s);
    char_accept_input(&s->chr);
    return byte;
}

/* --- sending --- */

static void drain(ExynosUart *s)
{
    /* Kernels' early consoles write without enabling the transmitter, which a boot loader has done, and expect to be seen. */
    while (s->tx.count) {
        uint8_t byte = s->tx.data[s->tx.head];

        if (s->ucon & UCON_LOOP) {
            receive(s, byte);
            timeout_arm(s);
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

static void utxh_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ExynosUart *s = (ExynosUart *)dev;

    if (s->tx.count < depth(s, s->tx_size)) { /* else lost, as there */
        put(&s->tx, (uint8_t)value);
        drain(s);
    }
}

/* --- control and status --- */

static void line_changed(ExynosUart *s)
{
    unsigned parity = s->ulcon >> 3 & 7;
    CharLine line = { .speed_baud = baud(s), .data_bits = 5 + (s->ulcon & 3u), .stop_bits = s->ulcon & 4 ? 2 : 1,
                      .parity = parity == 4 ? 'O' : parity == 5 ? 'E' : 'N' };

    char_set_line(&s->chr, &line);
}

static void speed_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    line_changed((ExynosUart *)dev);
}

static void ucon_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    ExynosUart *s = (ExynosUart *)dev;

    if (s->ucon & UCON_BREAK) { /* for one frame, then the bit is clear */
        char_set_break(&s->chr, true);
        char_set_break(&s->chr, false);
        s->ucon &= ~UCON_BREAK;
    }
    timeout_arm(s);
    drain(s);
    char_accept_input(&s->chr);
}

static void ufcon_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    ExynosUart *s = (ExynosUart *)dev;

    if ((s->ufcon & UFCON_RX_RESET) || ((old ^ s->ufcon) & UFCON_ENABLE)) {
        s->rx = (Fifo){ 0 };
        s->timed_out = false;
    }
    if ((s->ufcon & UFCON_TX_RESET) || ((old ^ s->ufcon) & UFCON_ENABLE)) {
        s->tx = (Fifo){ 0 };
    }
    s->ufcon &= ~(UFCON_RX_RESET | UFCON_TX_RESET);
    timeout_arm(s);
    update(s);
    char_accept_input(&s->chr);
}

static uint64_t utrstat_read(Device *dev, const Register *reg, unsigned index)
{
    ExynosUart *s = (ExynosUart *)dev;

    return (s->rx.count ? UTRSTAT_RX : 0) | (s->tx.count < depth(s, s->tx_size) && !(s->ufcon & UFCON_ENABLE && s->tx.count) ? UTRSTAT_TX_BUFFER : 0) |
           (s->tx.count ? 0 : UTRSTAT_TX_EMPTY);
}

static uint64_t uerstat_read(Device *dev, const Register *reg, unsigned index)
{
    ExynosUart *s = (ExynosUart *)dev;
    uint32_t was = s->uerstat;

    s->uerstat = 0;
    return was;
}

static uint64_t ufstat_read(Device *dev, const Register *reg, unsigned index)
{
    ExynosUart *s = (ExynosUart *)dev;
    bool rx_full = s->rx.count == s->rx_size, tx_full = s->tx.count == s->tx_size;

    if (!(s->ufcon & UFCON_ENABLE)) {
        return 0;
    }
    return (rx_full ? UFSTAT_RX_FULL : s->rx.count & 0xffu) | (tx_full ? UFSTAT_TX_FULL : (s->tx.count & 0xffu) << 16);
}

static uint64_t umstat_read(Device *dev, const Register *reg, unsigned index)
{
    unsigned tio;

    return !char_get_modem(&((ExynosUart *)dev)->chr, &tio) || (tio & CHAR_TIO_CTS) ? UMSTAT_CTS : 0;
}

static uint64_t uintp_read(Device *dev, const Register *reg, unsigned index)
{
    return ((ExynosUart *)dev)->uintsp & ~((ExynosUart *)dev)->uintm & INT_ALL;
}

static void uintp_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ExynosUart *s = (ExynosUart *)dev;

    s->uintsp &= ~(uint32_t)value;
    update(s);
}

static void mask_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update((ExynosUart *)dev);
}

static const Register uart_regs[] = {
    { .name = "ULCON", .offset = 0x00, .size = 4, REGISTER_FIELD(ExynosUart, ulcon), .write_mask = 0x7f, .changed = speed_changed },
    { .name = "UCON", .offset = 0x04, .size = 4, REGISTER_FIELD(ExynosUart, ucon), .reset = 0x3000, .write_mask = 0x77f7ff, .changed = ucon_changed },
    { .name = "UFCON", .offset = 0x08, .size = 4, REGISTER_FIELD(ExynosUart, ufcon), .write_mask = 0x777, .changed = ufcon_changed },
    { .name = "UMCON", .offset = 0x0c, .size = 4, REGISTER_FIELD(ExynosUart, umcon), .write_mask = 0xf9 },
    { .name = "UTRSTAT", .offset = 0x10, .size = 4, .read = utrstat_read, .read_only = true },
    { .name = "UERSTAT", .offset = 0x14, .size = 4, REGISTER_FIELD(ExynosUart, uerstat), .read = uerstat_read, .read_only = true },
    { .name = "UFSTAT", .offset = 0x18, .size = 4, .read = ufstat_read, .read_only = true },
    { .name = "UMSTAT", .offset = 0x1c, .size = 4, .read = umstat_read, .read_only = true },
    { .name = "UTXH", .offset = 0x20, .size = 4, .write = utxh_write, .write_only = true },
    { .name = "URXH", .offset = 0x24, .size = 4, .read = urxh_read, .read_only = true },
    { .name = "UBRDIV", .offset = 0x28, .size = 4, REGISTER_FIELD(ExynosUart, ubrdiv), .write_mask = 0xffff, .changed = speed_changed },
    { .name = "UFRACVAL", .offset = 0x2c, .size = 4, REGISTER_FIELD(ExynosUart, ufracval), .write_mask = 0xf, .changed = speed_changed },
    { .name = "UINTP", .offset = 0x30, .size = 4, .read = uintp_read, .write = uintp_write },
    { .name = "UINTSP", .offset = 0x34, .size = 4, REGISTER_FIELD(ExynosUart, uintsp), .w1c_mask = INT_ALL, .changed = mask_changed },
    { .name = "UINTM", .offset = 0x38, .size = 4, REGISTER_FIELD(ExynosUart, uintm), .write_mask = INT_ALL, .changed = mask_changed },
};
static const RegisterBank uart_banks[] = { { .name = "exynos4210.uart", .size_bytes = 0x3c, .regs = uart_regs, .n_regs = ARRAY_SIZE(uart_regs) } };

/* --- life --- */

static const CharHandlers uart_handlers = { .can_read = uart_can_read, .read = uart_receive, .writable = uart_writable };

static bool uart_realize(Device *dev, Error **errp)
{
    ExynosUart *s = (ExynosUart *)dev;

    if (s->rx_size < 8 || s->rx_size > MAX_FIFO || s->tx_size < 8 || s->tx_size > MAX_FIFO) {
        error_set(errp, "exynos4210.uart: FIFOs have 8 to %u bytes", MAX_FIFO);
        return false;
    }
    timer_init(&s->timeout, VM_CLOCK_VIRTUAL, timeout_expired, s);
    char_set_handlers(&s->chr, &uart_handlers, s);
    return true;
}

static void uart_unrealize(Device *dev)
{
    ExynosUart *s = (ExynosUart *)dev;

    timer_cancel(&s->timeout);
    char_set_handlers(&s->chr, NULL, NULL);
    char_detach(&s->chr);
}

static void uart_reset_enter(Device *dev, ResetKind kind)
{
    ExynosUart *s = (ExynosUart *)dev;

    s->rx = s->tx = (Fifo){ 0 };
    s->timed_out = false;
    timer_cancel(&s->timeout);
}

static void uart_reset_hold(Device *dev, ResetKind kind)
{
    update((ExynosUart *)dev);
}

static bool uart_post_load(void *opaque, uint32_t version, Error **errp)
{
    ExynosUart *s = opaque;

    if (s->rx.count > s->rx_size || s->rx.head >= MAX_FIFO || s->tx.count > s->tx_size || s->tx.head >= MAX_FIFO) {
        error_set(errp, "exynos4210.uart: FIFO positions are out of range");
        return false;
    }
    line_changed(s);
    update(s);
    return true;
}

static const StateField uart_fields[] = {
    STATE_BYTES(ExynosUart, rx.data), STATE_U(ExynosUart, rx.head), STATE_U(ExynosUart, rx.count), STATE_BYTES(ExynosUart, tx.data),
    STATE_U(ExynosUart, tx.head), STATE_U(ExynosUart, tx.count), STATE_U(ExynosUart, timed_out), STATE_TIMER_FIELD(ExynosUart, timeout),
};
static const StateDesc uart_state = {
    .name = "exynos4210.uart", .version = 1, .min_version = 1, .fields = uart_fields, .n_fields = ARRAY_SIZE(uart_fields), .post_load = uart_post_load,
};
static const Property uart_props[] = {
    PROP_CHR("chardev", ExynosUart, chr), PROP_U32("channel", ExynosUart, channel, 0, "Number of the UART"),
    PROP_U32("rx-size", ExynosUart, rx_size, 16, "Bytes of the receive FIFO"), PROP_U32("tx-size", ExynosUart, tx_size, 16, "Bytes of the transmit FIFO"),
    PROP_U32("sclk-hz", ExynosUart, sclk_hz, 24000000, "Hz"),
};
static const IrqDef uart_out[] = { { .name = "sysbus-irq", .count = 1 } };

static const DeviceType uart_type = {
    .type = { .name = "exynos4210.uart", .parent = "sys-bus-device", .summary = "UART of Exynos 4210", .size_bytes = sizeof(ExynosUart), .props = uart_props,
              .n_props = ARRAY_SIZE(uart_props) },
    .category = DEVICE_INPUT, .bus = "System", .banks = uart_banks, .n_banks = ARRAY_SIZE(uart_banks), .irqs_out = uart_out,
    .n_irqs_out = ARRAY_SIZE(uart_out), .state = &uart_state, .realize = uart_realize, .unrealize = uart_unrealize,
    .reset_enter = uart_reset_enter, .reset_hold = uart_reset_hold,
};
DEVICE_TYPE_REGISTER(uart_type);
