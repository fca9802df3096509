/*
 * pl011.c: Arm PrimeCell UART, PL011 r1p5 with FIFOs of 16 bytes.
 *
 * Arm DDI 0183G: register map 3.2, registers 3.3, interrupts 2.8. Bytes leave as fast as the chardev takes them; the line's speed decides
 * when the receive timeout comes (32 bit times) and is told to host serial ports. Left out: IrDA, DMA requests (the register is kept), parity
 * and framing errors (the host's side has none), hardware flow control by CTS.
 */
#include "hw/primecell.h"
#include "hw/chardev-prop.h"
#include "softmmu/chardev.h"
#include "softmmu/clock.h"
#include "util/bits.h"

enum {
    FIFO_ENTRIES = 16,
    DR_BREAK = 1 << 10, DR_OVERRUN = 1 << 11, DR_ERRORS = 0xf00,
    FR_CTS = 1 << 0, FR_DSR = 1 << 1, FR_DCD = 1 << 2, FR_BUSY = 1 << 3, FR_RXFE = 1 << 4, FR_TXFF = 1 << 5, FR_RXFF = 1 << 6,
    FR_TXFE = 1 << 7, FR_RI = 1 << 8,
    LCR_BREAK = 1, LCR_PARITY = 2, LCR_EVEN = 4, LCR_STOP2 = 8, LCR_FIFOS = 16, LCR_WLEN_SHIFT = 5,
    CR_ENABLE = 1, CR_LOOPBACK = 1 << 7, CR_TX = 1 << 8, CR_RX = 1 << 9, CR_DTR = 1 << 10, CR_RTS = 1 << 11, CR_OUT1 = 1 << 12, CR_OUT2 = 1 << 13,
    INT_RI = 1 << 0, INT_CTS = 1 << 1, INT_DCD = 1 << 2, INT_DSR = 1 << 3, INT_RX = 1 << 4, INT_TX = 1 << 5, INT_TIMEOUT = 1 << 6,
    INT_BREAK = 1 << 9, INT_OVERRUN = 1 << 10, INT_ALL = 0x7ff,
    INT_MODEM = INT_RI | INT_CTS | INT_DCD | INT_DSR, INT_ERROR = 0xf << 7,
    CLOCK_HZ = 24000000,
};

typedef struct Fifo {
    uint16_t data[FIFO_ENTRIES]; /* a byte with its DR_* error bits */
    uint8_t head, count;
} Fifo;

/* UARTINTR and what it is made of, in the order of the outputs. */
static const uint16_t outputs[] = { INT_ALL, INT_RX, INT_TX, INT_TIMEOUT, INT_MODEM, INT_ERROR };

typedef struct Pl011 {
    Device dev;
    CharFrontend chr;
    Fifo rx, tx;
    uint16_t ris, imsc, cr, ibrd, dmacr;
    uint8_t fbrd, lcr, ifls, ilpr, rsr;
    uint16_t modem;  /* FR_CTS … of the chardev's lines, or of the loop */
    bool overrun;    /* since the newest entry: told with the next one */
    Timer timeout;
} Pl011;

static void fifo_put(Fifo *f, uint16_t entry)
{
    f->data[(f->head + f->count++) % FIFO_ENTRIES] = entry;
}

static uint16_t fifo_get(Fifo *f)
{
    uint16_t entry = f->data[f->head];

    f->head = (f->head + 1) % FIFO_ENTRIES;
    f->count--;
    return entry;
}

static unsigned depth(const Pl011 *s)
{
    return s->lcr & LCR_FIFOS ? FIFO_ENTRIES : 1;
}

/* UARTIFLS: an eighth, a quarter, a half, three quarters, seven eighths. */
static unsigned fifo_level(const Pl011 *s, unsigned shift)
{
    static const uint8_t level[8] = { 2, 4, 8, 12, 14, 14, 14, 14 };

    return s->lcr & LCR_FIFOS ? level[s->ifls >> shift & 7] : 1;
}

static void update(Pl011 *s)
{
    for (unsigned i = 0; i < ARRAY_SIZE(outputs); i++) {
        device_set_irq(&s->dev, "sysbus-irq", i, (s->ris & s->imsc & outputs[i]) != 0);
    }
}

static uint64_t baud(const Pl011 *s)
{
    uint64_t divisor = s->ibrd * 64u + s->fbrd; /* in 64ths */

    return divisor ? CLOCK_HZ * UINT64_C(4) / divisor : 115200;
}

/* --- receiving --- */

static void timeout_arm(Pl011 *s)
{
    if (s->rx.count && (s->lcr & LCR_FIFOS)) {
        timer_set_ns(&s->timeout, clock_get_ns(VM_CLOCK_VIRTUAL) + 32 * NS_PER_SECOND / (int64_t)MAX(baud(s), 1));
    } else {
        timer_cancel(&s->timeout);
    }
}

static void timeout_expired(void *opaque)
{
    Pl011 *s = opaque;

    if (s->rx.count) {
        s->ris |= INT_TIMEOUT;
        update(s);
    }
}

static void receive(Pl011 *s, uint16_t entry)
{
    if (s->rx.count >= depth(s)) {
        s->overrun = true;
        s->ris |= INT_OVERRUN;
        return;
    }
    fifo_put(&s->rx, entry | (s->overrun ? DR_OVERRUN : 0));
    s->overrun = false;
    if (entry & DR_BREAK) {
        s->ris |= INT_BREAK;
    }
    if (s->rx.count == fifo_level(s, 3)) {
        s->ris |= INT_RX;
    }
}

static size_t pl011_can_read(void *opaque)
{
    Pl011 *s = opaque;

    return (s->cr & CR_LOOPBACK) || (s->cr & (CR_ENABLE | CR_RX)) != (CR_ENABLE | CR_RX) ? 0 : depth(s) - MIN(s->rx.count, depth(s));
}

static void pl011_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Pl011 *s = opaque;

    for (size_t i = 0; i < len; i++) {
        receive(s, buf[i]);
    }
    timeout_arm(s);
    update(s);
}

static void pl011_event(void *opaque, CharEvent event)
{
    Pl011 *s = opaque;

    if (event == CHAR_EVENT_BREAK && !(s->cr & CR_LOOPBACK)) {
        receive(s, DR_BREAK);
        timeout_arm(s);
        update(s);
    }
}

static uint64_t dr_read(Device *dev, const Register *reg, unsigned index)
{
    Pl011 *s = (Pl011 *)dev;

    if (!s->rx.count) {
        return 0;
    }
    uint16_t entry = fifo_get(&s->rx);
    s->rsr = entry >> 8 & 0xf;
    if (s->rx.count < fifo_level(s, 3)) {
        s->ris &= ~INT_RX;
    }
    if (!s->rx.count) {
        s->ris &= ~INT_TIMEOUT;
    }
    timeout_arm(s);
    update(s);
    char_accept_input(&s->chr);
    return entry;
}

/* --- sending --- */

static void drain(Pl011 *s)
{
    bool fed = s->tx.count > fifo_level(s, 0) || (!(s->lcr & LCR_FIFOS) && s->tx.count);

    while (s->tx.count) {
        uint8_t byte = (uint8_t)s->tx.data[s->tx.head];
        if (s->cr & CR_LOOPBACK) {
            receive(s, byte);
            timeout_arm(s);
        } else if (!char_write(&s->chr, &byte, 1)) {
            break; /* pl011_writable() goes on */
        }
        fifo_get(&s->tx);
    }
    /* The interrupt is for passing the level on the way down; a byte that leaves at once has passed it too. */
    if (s->tx.count <= fifo_level(s, 0) && (fed || !s->tx.count)) {
        s->ris |= INT_TX;
    }
    update(s);
}

static void pl011_writable(void *opaque)
{
    drain(opaque);
}

static void dr_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pl011 *s = (Pl011 *)dev;

    if (s->tx.count >= depth(s)) {
        return; /* full: lost, as there */
    }
    fifo_put(&s->tx, value & 0xff);
    if (s->tx.count > fifo_level(s, 0)) {
        s->ris &= ~INT_TX;
    }
    /* Firmware writes without enabling the UART and expects to be seen; a real one would keep the byte. */
    drain(s);
}

/* --- status and control --- */

static void line_changed(Pl011 *s)
{
    CharLine line = {
        .speed_baud = (unsigned)baud(s),
        .data_bits = 5 + (s->lcr >> LCR_WLEN_SHIFT & 3u),
        .stop_bits = s->lcr & LCR_STOP2 ? 2 : 1,
        .parity = s->lcr & LCR_PARITY ? (s->lcr & LCR_EVEN ? 'E' : 'O') : 'N',
    };

    char_set_line(&s->chr, &line);
}

static void modem_update(Pl011 *s)
{
    uint16_t old = s->modem;
    unsigned tio;

    if (s->cr & CR_LOOPBACK) { /* 3.3.8: the outputs are the inputs */
        s->modem = (s->cr & CR_RTS ? FR_CTS : 0) | (s->cr & CR_DTR ? FR_DSR : 0) | (s->cr & CR_OUT1 ? FR_DCD : 0) | (s->cr & CR_OUT2 ? FR_RI : 0);
    } else if (char_get_modem(&s->chr, &tio)) {
        s->modem = (tio & CHAR_TIO_CTS ? FR_CTS : 0) | (tio & CHAR_TIO_DSR ? FR_DSR : 0) | (tio & CHAR_TIO_CAR ? FR_DCD : 0) |
                   (tio & CHAR_TIO_RI ? FR_RI : 0);
    } else {
        s->modem = FR_CTS | FR_DSR | FR_DCD;
    }
    uint16_t changed = s->modem ^ old;
    s->ris |= (changed & FR_RI ? INT_RI : 0) | (changed & FR_CTS ? INT_CTS : 0) | (changed & FR_DCD ? INT_DCD : 0) |
              (changed & FR_DSR ? INT_DSR : 0);
}

static uint64_t fr_read(Device *dev, const Register *reg, unsigned index)
{
    Pl011 *s = (Pl011 *)dev;

    if (!(s->cr & CR_LOOPBACK)) {
        modem_update(s);
        update(s);
    }
    return s->modem | (s->rx.count ? 0 : FR_RXFE) | (s->rx.count >= depth(s) ? FR_RXFF : 0) | (s->tx.count ? FR_BUSY : FR_TXFE) |
           (s->tx.count >= depth(s) ? FR_TXFF : 0);
}

static void rsr_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    ((Pl011 *)dev)->rsr = 0;
}

static void divisor_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    line_changed((Pl011 *)dev);
}

static void lcr_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    Pl011 *s = (Pl011 *)dev;

    if ((old ^ s->lcr) & LCR_FIFOS) { /* either way the FIFOs are empty afterwards */
        s->rx = s->tx = (Fifo){ 0 };
        s->ris &= ~(INT_RX | INT_TIMEOUT);
        timer_cancel(&s->timeout);
    }
    if ((old ^ s->lcr) & LCR_BREAK) {
        char_set_break(&s->chr, s->lcr & LCR_BREAK);
        if ((s->lcr & LCR_BREAK) && (s->cr & CR_LOOPBACK)) {
            receive(s, DR_BREAK);
        }
    }
    line_changed(s);
    update(s);
    char_accept_input(&s->chr);
}

static void cr_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    Pl011 *s = (Pl011 *)dev;

    if (!(s->cr & CR_LOOPBACK) && ((old ^ s->cr) & (CR_DTR | CR_RTS))) {
        char_set_modem(&s->chr, (s->cr & CR_DTR ? CHAR_TIO_DTR : 0) | (s->cr & CR_RTS ? CHAR_TIO_RTS : 0));
    }
    if ((old | s->cr) & CR_LOOPBACK) {
        modem_update(s);
    }
    update(s);
    char_accept_input(&s->chr);
}

static void level_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    Pl011 *s = (Pl011 *)dev;

    if (s->rx.count >= fifo_level(s, 3)) {
        s->ris |= INT_RX;
    }
    update(s);
}

static void mask_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    update((Pl011 *)dev);
}

static uint64_t mis_read(Device *dev, const Register *reg, unsigned index)
{
    Pl011 *s = (Pl011 *)dev;

    return s->ris & s->imsc;
}

static void icr_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    Pl011 *s = (Pl011 *)dev;

    s->ris &= ~value & INT_ALL;
    update(s);
}

static const Register pl011_regs[] = {
    { .name = "UARTDR", .offset = 0x00, .size = 4, .read = dr_read, .write = dr_write },
    { .name = "UARTRSR/UARTECR", .offset = 0x04, .size = 4, REGISTER_FIELD(Pl011, rsr), .write = rsr_write },
    { .name = "UARTFR", .offset = 0x18, .size = 4, REGISTER_FIELD(Pl011, modem), .reset = FR_CTS | FR_DSR | FR_DCD, .read = fr_read, .read_only = true },
    { .name = "UARTILPR", .offset = 0x20, .size = 4, REGISTER_FIELD(Pl011, ilpr) },
    { .name = "UARTIBRD", .offset = 0x24, .size = 4, REGISTER_FIELD(Pl011, ibrd), .changed = divisor_changed },
    { .name = "UARTFBRD", .offset = 0x28, .size = 4, REGISTER_FIELD(Pl011, fbrd), .write_mask = 0x3f, .changed = divisor_changed },
    { .name = "UARTLCR_H", .offset = 0x2c, .size = 4, REGISTER_FIELD(Pl011, lcr), .changed = lcr_changed },
    { .name = "UARTCR", .offset = 0x30, .size = 4, REGISTER_FIELD(Pl011, cr), .reset = CR_TX | CR_RX, .write_mask = 0xff87, .changed = cr_changed },
    { .name = "UARTIFLS", .offset = 0x34, .size = 4, REGISTER_FIELD(Pl011, ifls), .reset = 0x12, .write_mask = 0x3f, .changed = level_changed },
    { .name = "UARTIMSC", .offset = 0x38, .size = 4, REGISTER_FIELD(Pl011, imsc), .write_mask = INT_ALL, .changed = mask_changed },
    { .name = "UARTRIS", .offset = 0x3c, .size = 4, REGISTER_FIELD(Pl011, ris), .read_only = true },
    { .name = "UARTMIS", .offset = 0x40, .size = 4, .read = mis_read, .read_only = true },
    { .name = "UARTICR", .offset = 0x44, .size = 4, .write = icr_write, .write_only = true },
    { .name = "UARTDMACR", .offset = 0x48, .size = 4, REGISTER_FIELD(Pl011, dmacr), .write_mask = 7 },
    PRIMECELL_ID_ROW(0x00341011),
};

static const RegisterBank pl011_banks[] = {
    { .name = "pl011", .size_bytes = 0x1000, .access_min = 1, .access_max = 4, .regs = pl011_regs, .n_regs = ARRAY_SIZE(pl011_regs) },
};

static const CharHandlers pl011_handlers = {
    .can_read = pl011_can_read, .read = pl011_receive, .event = pl011_event, .writable = pl011_writable,
};

static bool pl011_realize(Device *dev, Error **errp)
{
    Pl011 *s = (Pl011 *)dev;

    timer_init(&s->timeout, VM_CLOCK_VIRTUAL, timeout_expired, s);
    char_set_handlers(&s->chr, &pl011_handlers, s);
    return true;
}

static void pl011_unrealize(Device *dev)
{
    Pl011 *s = (Pl011 *)dev;

    timer_cancel(&s->timeout);
    char_set_handlers(&s->chr, NULL, NULL);
    char_detach(&s->chr);
}

static void pl011_reset_enter(Device *dev, ResetKind kind)
{
    Pl011 *s = (Pl011 *)dev;

    s->rx = s->tx = (Fifo){ 0 };
    s->overrun = false;
    timer_cancel(&s->timeout);
}

static void pl011_reset_hold(Device *dev, ResetKind kind)
{
    update((Pl011 *)dev);
}

static void pl011_reset_exit(Device *dev, ResetKind kind)
{
    char_accept_input(&((Pl011 *)dev)->chr);
}

static bool pl011_post_load(void *opaque, uint32_t version, Error **errp)
{
    Pl011 *s = opaque;

    if (s->rx.count > depth(s) || s->rx.head >= FIFO_ENTRIES || s->tx.count > depth(s) || s->tx.head >= FIFO_ENTRIES) {
        error_set(errp, "pl011: FIFO positions are out of range");
        return false;
    }
    line_changed(s);
    update(s);
    return true;
}

static const StateField pl011_fields[] = {
    STATE_U_ARRAY(Pl011, rx.data), STATE_U(Pl011, rx.head), STATE_U(Pl011, rx.count),
    STATE_U_ARRAY(Pl011, tx.data), STATE_U(Pl011, tx.head), STATE_U(Pl011, tx.count),
    STATE_U(Pl011, overrun), STATE_TIMER_FIELD(Pl011, timeout),
};

static const StateDesc pl011_state = {
    .name = "pl011", .version = 1, .min_version = 1, .fields = pl011_fields, .n_fields = ARRAY_SIZE(pl011_fields), .post_load = pl011_post_load,
};

static const Property pl011_props[] = {
    PROP_CHR("chardev", Pl011, chr),
};

static const IrqDef pl011_irqs[] = { { .name = "sysbus-irq", .count = ARRAY_SIZE(outputs) } };

static const DeviceType pl011_type = {
    .type = {
        .name = "pl011",
        .parent = "sys-bus-device",
        .summary = "Arm PrimeCell UART",
        .size_bytes = sizeof(Pl011),
        .props = pl011_props,
        .n_props = ARRAY_SIZE(pl011_props),
    },
    .category = DEVICE_INPUT,
    .bus = "System",
    .banks = pl011_banks,
    .n_banks = ARRAY_SIZE(pl011_banks),
    .irqs_out = pl011_irqs,
    .n_irqs_out = ARRAY_SIZE(pl011_irqs),
    .state = &pl011_state,
    .realize = pl011_realize,
    .unrealize = pl011_unrealize,
    .reset_enter = pl011_reset_enter,
    .reset_hold = pl011_reset_hold,
    .reset_exit = pl011_reset_exit,
};
DEVICE_TYPE_REGISTER(pl011_type);
