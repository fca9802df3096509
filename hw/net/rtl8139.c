/*
 * rtl8139.c: Realtek RTL8139C+ Fast Ethernet controller ("rtl8139"): registers, EEPROM, timer, statistics; C mode and C+ mode.
 *
 * The PHY has negotiated 100 Mb/s full duplex with its partner as soon as the cable is there.
 * Left out: wake-up, power states, boot ROM at registers (the PCI ROM BAR has it), flash, early interrupts, half duplex and its errors.
 * Specification: see rtl8139.h.
 */
#include <string.h>
#include "hw/boot.h"
#include "hw/net/rtl8139.h"
#include "util/log.h"

enum { TCR_VERSION = 0x74800000, TCR_WRITABLE = 0x030707f1, RCR_WRITABLE = 0x0f03ffbf, CONFIG1_WRITABLE = 0xf3, CONFIG1_MAPS = 0x0c,
       CONFIG3_WRITABLE = 0x70, CONFIG3_BACK_TO_BACK = 1, CONFIG4_WRITABLE = 0xf5, CONFIG5_WRITABLE = 0x7f, CPCR_WRITABLE = 0x7b,
       MSR_FIXED = 0xd0, MSR_LINK_DOWN = 4, BMCR_RESET = 0x8000, BMCR_NEGOTIATE = 0x1000, BMCR_LOCKED = 0x3100, BMCR_WRITABLE = 0x3100,
       BMSR_FIXED = 0x7809, BMSR_LINK = 0x24, ABILITIES = 0x05e1, CSCR_FIXED = 0x340, CSCR_LINK = 8, CLOCK_MHZ = 33, REVISION = 0x20,
       EEPROM_ID = 0x8129, EEPROM_MAC = 7, TALLY_BYTES = 64, CAPR_BIAS = 16 };

/* -- interrupts, timer ---------------------------------------------------------------------------------------- */

static void update_irq(Rtl8139 *s)
{
    pci_set_irq(&s->pci, (s->isr & s->imr) != 0);
}

void rtl_raise(Rtl8139 *s, uint16_t cause)
{
    s->isr |= cause;
    update_irq(s);
}

static uint32_t tctr(const Rtl8139 *s)
{
    return (uint32_t)((uint64_t)(clock_get_ns(VM_CLOCK_VIRTUAL) - s->tctr_start_ns) * CLOCK_MHZ / 1000);
}

/* To when TCTR, which counts up and goes round, is at TIMERINT the next time. */
static void set_timer(Rtl8139 *s)
{
    if (!s->timer_interrupt) {
        timer_cancel(&s->timer);
        return;
    }
    uint64_t ticks = (uint32_t)(s->timer_interrupt - tctr(s));
    ticks = ticks ? ticks : UINT64_C(1) << 32;
    timer_set_ns(&s->timer, clock_get_ns(VM_CLOCK_VIRTUAL) + (int64_t)(ticks * 1000 / CLOCK_MHZ + 1));
}

static void timer_fired(void *opaque)
{
    Rtl8139 *s = opaque;

    rtl_raise(s, RTL_INT_TIMEOUT);
    set_timer(s);
}

/* -- EEPROM (5.8) -------------------------------------------------------------------------------------------------- */

static void make_eeprom(Rtl8139 *s)
{
    s->eeprom.words[0] = EEPROM_ID;
    s->eeprom.words[1] = s->pci.ptype->vendor;
    s->eeprom.words[2] = s->pci.ptype->device;
    for (unsigned i = 0; i < 3; i++) {
        s->eeprom.words[EEPROM_MAC + i] = ldle16(s->mac + 2 * i);
    }
}

static void load_from_eeprom(Rtl8139 *s)
{
    for (unsigned i = 0; i < 3; i++) {
        stle16(s->idr + 2 * i, s->eeprom.words[EEPROM_MAC + i]);
    }
}

static void write_9346(Rtl8139 *s, uint8_t value)
{
    if ((value & RTL_EEM) == RTL_EEM_LOAD) { /* clears itself */
        load_from_eeprom(s);
        value = 0;
    }
    s->cr9346 = value & (RTL_EEM | RTL_EECS | RTL_EESK | RTL_EEDI);
    bool pins = (value & RTL_EEM) == RTL_EEM_PROGRAM;
    eeprom93c46_set(&s->eeprom, pins && (value & RTL_EECS), pins && (value & RTL_EESK), value & RTL_EEDI);
}

/* -- statistics ------------------------------------------------------------------------------------------------------- */

static void dump_tally(Rtl8139 *s)
{
    uint8_t t[TALLY_BYTES] = {0};

    stle64(t, s->tally.tx_ok);
    stle64(t + 8, s->tally.rx_ok);
    stle16(t + 28, s->tally.missed);
    stle64(t + 40, s->tally.rx_ok_physical);
    stle64(t + 48, s->tally.rx_ok_broadcast);
    stle32(t + 56, s->tally.rx_ok_multicast);
    stle16(t + 60, s->tally.tx_aborted);
    memory_write(&s->pci.dma, s->dtccr & ~UINT64_C(63), t, sizeof(t), MEM_ATTRS_NONE);
    s->dtccr &= ~(uint64_t)RTL_DTCCR_DUMP; /* done */
}

/* -- resets ------------------------------------------------------------------------------------------------------------- */

/* CR.RST: addresses, filter, configuration and PHY stay. */
static void soft_reset(Rtl8139 *s)
{
    s->cr = 0;
    s->imr = s->isr = s->cpcr = s->multiple_interrupt = 0;
    s->tcr = TCR_VERSION;
    s->rbstart = s->rx_read = s->rx_write = s->missed = 0;
    s->timer_interrupt = 0;
    s->tctr_start_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
    s->dtccr = s->rdsar = 0;
    s->tx_next = s->rx_index = s->tx_bytes = 0;
    s->rx_starved = false;
    memset(s->tx_index, 0, sizeof(s->tx_index));
    for (unsigned i = 0; i < RTL_N_TX; i++) {
        s->tsd[i] = RTL_TSD_OWN;
        s->tsad[i] = 0;
    }
    timer_cancel(&s->timer);
    update_irq(s);
}

static void rtl8139_reset(PciDevice *pci)
{
    Rtl8139 *s = (Rtl8139 *)pci;

    eeprom93c46_reset(&s->eeprom);
    load_from_eeprom(s);
    memset(s->mar, 0, sizeof(s->mar));
    memset(&s->tally, 0, sizeof(s->tally));
    s->rcr = 0;
    s->cr9346 = s->config0 = s->config4 = s->config5 = 0;
    s->config1 = CONFIG1_MAPS;
    s->config3 = CONFIG3_BACK_TO_BACK;
    s->bmcr = BMCR_NEGOTIATE;
    s->anar = ABILITIES;
    soft_reset(s);
}

/* -- registers -------------------------------------------------------------------------------------------------------- */

/* Width of the register at an offset. */
static unsigned width(unsigned offset)
{
    if (offset < 0x10 || (offset >= RTL_ERSR && offset < RTL_CAPR) || (offset >= RTL_9346CR && offset < RTL_TIMERINT) ||
        (offset >= RTL_MSR && offset < RTL_MULINT) || (offset >= RTL_RERID && offset < RTL_TSAD_ALL) || offset == RTL_CONFIG5 || offset == RTL_TPPOLL) {
        return 1;
    }
    if ((offset >= RTL_ERBCR && offset < RTL_TCR) || (offset >= RTL_MULINT && offset < RTL_RERID) || (offset >= RTL_TSAD_ALL && offset < 0x78) ||
        (offset >= RTL_CPCR && offset < RTL_RDSAR) || (offset >= 0xda && offset < 0xdc)) {
        return 2;
    }
    return 4;
}

static bool is_cplus(const Rtl8139 *s)
{
    return s->cpcr & (RTL_CPCR_TX | RTL_CPCR_RX);
}

static uint16_t tsad_all(const Rtl8139 *s)
{
    uint16_t all = 0;

    for (unsigned i = 0; i < RTL_N_TX; i++) {
        all |= (uint16_t)((s->tsd[i] & RTL_TSD_OWN ? 1u << i : 0) | (s->tsd[i] & RTL_TSD_TABT ? 0x10u << i : 0) |
                          (s->tsd[i] & RTL_TSD_TUN ? 0x100u << i : 0) | (s->tsd[i] & RTL_TSD_TOK ? 0x1000u << i : 0));
    }
    return all;
}

static uint32_t reg_read(Rtl8139 *s, unsigned offset)
{
    if (offset < RTL_MAR) {
        return offset < 6 ? s->idr[offset] : 0;
    }
    if (offset < RTL_TSD) {
        return s->mar[offset - RTL_MAR];
    }
    if (offset < RTL_TSAD) {
        return is_cplus(s) && offset < RTL_DTCCR + 8 ? (uint32_t)(s->dtccr >> (offset & 4) * 8) : s->tsd[(offset - RTL_TSD) / 4];
    }
    if (offset < RTL_RBSTART) {
        return s->tsad[(offset - RTL_TSAD) / 4];
    }
    switch (offset) {
    case RTL_RBSTART: return s->rbstart;
    case RTL_CR: return s->cr | (rtl_rx_empty(s) ? RTL_CR_BUFE : 0);
    case RTL_CAPR: return (s->rx_read - CAPR_BIAS) & 0xffff;
    case RTL_CBR: return s->rx_write & 0xffff;
    case RTL_IMR: return s->imr;
    case RTL_ISR: return s->isr;
    case RTL_TCR: return s->tcr;
    case RTL_RCR: return s->rcr;
    case RTL_TCTR: return tctr(s);
    case RTL_MPC: return s->missed;
    case RTL_9346CR: return s->cr9346 | ((s->cr9346 & RTL_EEM) == RTL_EEM_PROGRAM && s->eeprom.data_out ? RTL_EEDO : 0);
    case RTL_CONFIG0: return s->config0;
    case RTL_CONFIG1: return s->config1;
    case RTL_TIMERINT: return s->timer_interrupt;
    case RTL_MSR: return MSR_FIXED | (s->link_up ? 0 : MSR_LINK_DOWN);
    case RTL_CONFIG3: return s->config3;
    case RTL_CONFIG4: return s->config4;
    case RTL_MULINT: return s->multiple_interrupt;
    case RTL_RERID: return REVISION;
    case RTL_TSAD_ALL: return tsad_all(s);
    case RTL_BMCR: return s->bmcr;
    case RTL_BMSR: return BMSR_FIXED | (s->link_up ? BMSR_LINK : 0);
    case RTL_ANAR: return s->anar;
    case RTL_ANLPAR: return s->link_up ? ABILITIES : 0;
    case RTL_ANER: return s->link_up;
    case RTL_CSCR: return CSCR_FIXED | (s->link_up ? CSCR_LINK : 0);
    case RTL_CONFIG5: return s->config5;
    case RTL_CPCR: return s->cpcr;
    case RTL_RDSAR: return (uint32_t)s->rdsar;
    case RTL_RDSAR + 4: return (uint32_t)(s->rdsar >> 32);
    }
    return 0;
}

static void set_half(uint64_t *reg, bool high, uint32_t value)
{
    *reg = high ? (*reg & 0xffffffff) | (uint64_t)value << 32 : (*reg & ~UINT64_C(0xffffffff)) | value;
}

static void write_transmit(Rtl8139 *s, unsigned offset, uint32_t value)
{
    unsigned i = offset >> 2 & 3;

    if (offset >= RTL_TSAD) {
        s->tsad[i] = value;
        s->tx_index[i / 2] = is_cplus(s) ? 0 : s->tx_index[i / 2];
    } else if (is_cplus(s)) {
        if (offset < RTL_DTCCR + 8) {
            set_half(&s->dtccr, i, value);
            if (!i && (value & RTL_DTCCR_DUMP)) {
                dump_tally(s);
            }
        }
    } else {
        s->tsd[i] = value & (RTL_TSD_SIZE | RTL_TSD_OWN | 0x3f0000);
        rtl_transmit_c(s);
    }
}

static void write_command(Rtl8139 *s, uint8_t value)
{
    if (value & RTL_CR_RST) {
        soft_reset(s);
        return;
    }
    bool starts = value & ~s->cr & RTL_CR_TE;
    if (value & ~s->cr & RTL_CR_RE) {
        s->rx_index = 0;
    }
    s->cr = value & (RTL_CR_TE | RTL_CR_RE);
    if (starts) {
        memset(s->tx_index, 0, sizeof(s->tx_index));
        rtl_transmit_c(s);
    }
}

static void poll(Rtl8139 *s, uint8_t value)
{
    if (value & RTL_TPPOLL_HIGH) {
        rtl_transmit_cplus(s, true);
    }
    if (value & RTL_TPPOLL_NORMAL) {
        rtl_transmit_cplus(s, false);
    }
    if (value & RTL_TPPOLL_SWINT) {
        rtl_raise(s, RTL_INT_SWINT);
    }
}

/* What may be written only while 9346CR says so (5.7). False: it is not one of these. */
static bool write_locked(Rtl8139 *s, unsigned offset, uint32_t value)
{
    bool open = (s->cr9346 & RTL_EEM) == RTL_EEM;
    uint8_t *field = offset < 6 ? &s->idr[offset] : offset == RTL_CONFIG1 ? &s->config1 : offset == RTL_CONFIG3 ? &s->config3
                     : offset == RTL_CONFIG4 ? &s->config4 : offset == RTL_CONFIG5 ? &s->config5 : NULL;
    uint8_t mask = offset < 6 ? 0xff : offset == RTL_CONFIG1 ? CONFIG1_WRITABLE : offset == RTL_CONFIG3 ? CONFIG3_WRITABLE
                   : offset == RTL_CONFIG4 ? CONFIG4_WRITABLE : CONFIG5_WRITABLE;

    if (!field) {
        return offset == RTL_CONFIG0;
    }
    if (open) {
        *field = (uint8_t)((*field & ~mask) | (value & mask));
    } else {
        log_guest_error("rtl8139: write to register 0x%x, which 9346CR locks\n", offset);
    }
    return true;
}

static void write_bmcr(Rtl8139 *s, uint16_t value)
{
    uint16_t mask = (s->cr9346 & RTL_EEM) == RTL_EEM ? BMCR_WRITABLE : BMCR_WRITABLE & ~BMCR_LOCKED;

    if (value & BMCR_RESET) {
        s->bmcr = BMCR_NEGOTIATE;
        s->anar = ABILITIES;
    } else {
        s->bmcr = (uint16_t)((s->bmcr & ~mask) | (value & mask));
    }
}

/* Returns whether it may have made room for a frame. */
static bool reg_write(Rtl8139 *s, unsigned offset, uint32_t value)
{
    if (write_locked(s, offset, value) || offset < RTL_MAR) {
        return false;
    }
    if (offset < RTL_TSD) {
        s->mar[offset - RTL_MAR] = (uint8_t)value;
        return false;
    }
    if (offset < RTL_RBSTART) {
        write_transmit(s, offset, value);
        return false;
    }
    switch (offset) {
    case RTL_RBSTART:
        s->rbstart = value;
        s->rx_read = s->rx_write = 0;
        return true;
    case RTL_CR:
        write_command(s, (uint8_t)value);
        return true;
    case RTL_CAPR:
        s->rx_read = (value + CAPR_BIAS) % rtl_rx_ring_bytes(s) & ~3u;
        return true;
    case RTL_IMR:
        s->imr = value & RTL_INT_ALL;
        update_irq(s);
        return true;
    case RTL_ISR:
        s->isr &= (uint16_t)~value;
        update_irq(s);
        return true;
    case RTL_TCR:
        if (s->cr & RTL_CR_TE) {
            s->tcr = TCR_VERSION | (value & TCR_WRITABLE & ~1u); /* CLRABT does what is done already */
        }
        return false;
    case RTL_RCR:
        s->rcr = value & RCR_WRITABLE;
        s->rx_read %= rtl_rx_ring_bytes(s);
        s->rx_write %= rtl_rx_ring_bytes(s);
        return true;
    case RTL_TCTR:
        s->tctr_start_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
        set_timer(s);
        return false;
    case RTL_MPC:
        s->missed = 0;
        return false;
    case RTL_9346CR:
        write_9346(s, (uint8_t)value);
        return false;
    case RTL_TIMERINT:
        s->timer_interrupt = value;
        set_timer(s);
        return false;
    case RTL_MULINT:
        s->multiple_interrupt = value & 0xfff;
        return false;
    case RTL_BMCR:
        write_bmcr(s, (uint16_t)value);
        return false;
    case RTL_ANAR:
        s->anar = (uint16_t)value;
        return false;
    case RTL_TPPOLL:
        poll(s, (uint8_t)value);
        return true;
    case RTL_CPCR:
        s->cpcr = value & CPCR_WRITABLE;
        return true;
    case RTL_RDSAR: case RTL_RDSAR + 4:
        set_half(&s->rdsar, offset != RTL_RDSAR, offset == RTL_RDSAR ? value & ~255u : value);
        s->rx_index = 0;
        return true;
    default:
        log_guest_error("rtl8139: write of 0x%x to register 0x%x\n", value, offset);
        return false;
    }
}

/* Any size at any place: register by register. */
static MemResult io_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    uint64_t value = 0;

    for (unsigned at = (unsigned)offset, end = at + size; at < end;) {
        unsigned w = width(at), base = at & ~(w - 1);
        for (uint32_t reg = reg_read(opaque, base); at < end && at < base + w; at++) {
            value |= (uint64_t)(reg >> (at - base) * 8 & 0xff) << (at - offset) * 8;
        }
    }
    *ret = value;
    return MEM_OK;
}

static MemResult io_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Rtl8139 *s = opaque;
    bool room = false;

    for (unsigned at = (unsigned)offset, end = at + size; at < end;) {
        unsigned w = width(at), base = at & ~(w - 1);
        bool whole = at == base && end >= base + w;
        /* A part of a register: the rest stays as it is, bits that ones clear do. */
        uint32_t reg = whole || base == RTL_ISR ? 0 : reg_read(s, base);
        for (; at < end && at < base + w; at++) {
            unsigned shift = (at - base) * 8;
            reg = (reg & ~(0xffu << shift)) | (uint32_t)(value >> (at - offset) * 8 & 0xff) << shift;
        }
        room |= reg_write(s, base, reg);
    }
    if (room) {
        net_flush(&s->nic);
    }
    return MEM_OK;
}

static const MemoryOps io_ops = { .read = io_read, .write = io_write, .valid = { 1, 4, true }, .impl = { 1, 4, true } };

/* -- the device ---------------------------------------------------------------------------------------------------------- */

static bool nic_receive(NetPeer *self, const uint8_t *frame, size_t n)
{
    Rtl8139 *s = self->opaque;

    /* Looped back to itself it hears nobody else. */
    return !s->link_up || (s->tcr & RTL_TCR_LOOPBACK) == RTL_TCR_LOOPBACK || rtl_receive(s, frame, n);
}

static void link_changed(NetPeer *self)
{
    Rtl8139 *s = self->opaque;
    bool up = !self->link_down && self->peer && !self->peer->link_down;

    if (up != s->link_up) {
        s->link_up = up;
        rtl_raise(s, RTL_INT_LINK);
    }
}

static const NetPeerOps nic_ops = { .kind = "nic", .receive = nic_receive, .link_changed = link_changed };

static bool rtl8139_realize(PciDevice *pci, Error **errp)
{
    Rtl8139 *s = (Rtl8139 *)pci;

    if (!nic_attach(&s->nic, &nic_ops, s->netdev, pci->dev.id, "rtl8139", s->mac, s, errp)) {
        return false;
    }
    s->link_up = s->nic.peer != NULL;
    make_eeprom(s);
    timer_init(&s->timer, VM_CLOCK_VIRTUAL, timer_fired, s);
    pci->config[PCI_INTERRUPT_PIN] = 1;
    memory_region_init_mmio(&s->io, &pci->dev.obj, &io_ops, s, "rtl8139", RTL_REG_BYTES);
    memory_region_init_mmio(&s->mmio, &pci->dev.obj, &io_ops, s, "rtl8139", RTL_REG_BYTES);
    pci_add_bar(pci, 0, PCI_BAR_IO, &s->io);
    pci_add_bar(pci, 1, PCI_BAR_MEMORY, &s->mmio);
    return true;
}

static void rtl8139_unrealize(PciDevice *pci)
{
    Rtl8139 *s = (Rtl8139 *)pci;

    timer_cancel(&s->timer);
    nic_detach(&s->nic);
}

static const PciType rtl8139_pci = {
    .vendor = 0x10ec, .device = 0x8139, .revision = REVISION, .class_code = 0x0200, .romfile = "efi-rtl8139.rom",
    .realize = rtl8139_realize, .unrealize = rtl8139_unrealize, .reset = rtl8139_reset,
};

static const StateField tally_fields[] = {
    STATE_U(RtlTally, tx_ok), STATE_U(RtlTally, rx_ok), STATE_U(RtlTally, rx_ok_physical), STATE_U(RtlTally, rx_ok_broadcast),
    STATE_U(RtlTally, rx_ok_multicast), STATE_U(RtlTally, missed), STATE_U(RtlTally, tx_aborted),
};
static const StateDesc tally_state = { .name = "rtl8139-tally", .version = 1, .fields = tally_fields, .n_fields = ARRAY_SIZE(tally_fields) };

static const StateField rtl8139_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    { .name = "eeprom", .kind = STATE_STRUCT, .offset = offsetof(Rtl8139, eeprom), .elem_size = sizeof(Eeprom93c46), .sub = &eeprom93c46_state },
    { .name = "tally", .kind = STATE_STRUCT, .offset = offsetof(Rtl8139, tally), .elem_size = sizeof(RtlTally), .sub = &tally_state },
    STATE_U_ARRAY(Rtl8139, idr), STATE_U_ARRAY(Rtl8139, mar), STATE_U(Rtl8139, cr), STATE_U(Rtl8139, cr9346), STATE_U(Rtl8139, config0),
    STATE_U(Rtl8139, config1), STATE_U(Rtl8139, config3), STATE_U(Rtl8139, config4), STATE_U(Rtl8139, config5), STATE_U(Rtl8139, imr),
    STATE_U(Rtl8139, isr), STATE_U(Rtl8139, multiple_interrupt), STATE_U(Rtl8139, bmcr), STATE_U(Rtl8139, anar), STATE_U(Rtl8139, cpcr),
    STATE_U_ARRAY(Rtl8139, tsd), STATE_U_ARRAY(Rtl8139, tsad), STATE_U(Rtl8139, rbstart), STATE_U(Rtl8139, tcr), STATE_U(Rtl8139, rcr),
    STATE_U(Rtl8139, missed), STATE_U(Rtl8139, timer_interrupt), STATE_U(Rtl8139, rx_read), STATE_U(Rtl8139, rx_write), STATE_U(Rtl8139, dtccr),
    STATE_U(Rtl8139, rdsar), STATE_U(Rtl8139, tx_next), STATE_U(Rtl8139, rx_index), STATE_U_ARRAY(Rtl8139, tx_index), STATE_U(Rtl8139, rx_starved),
    STATE_U(Rtl8139, tctr_start_ns), STATE_BYTES(Rtl8139, tx), STATE_U(Rtl8139, tx_bytes), STATE_U(Rtl8139, link_up),
};

static bool rtl8139_post_load(void *opaque, uint32_t version, Error **errp)
{
    Rtl8139 *s = opaque;

    s->rx_read %= rtl_rx_ring_bytes(s);
    s->rx_write %= rtl_rx_ring_bytes(s);
    s->tx_next %= RTL_N_TX;
    s->rx_index %= RTL_RING_MAX;
    s->tx_index[0] %= RTL_RING_MAX;
    s->tx_index[1] %= RTL_RING_MAX;
    if (s->tx_bytes > RTL_TX_BYTES - 4) {
        error_set(errp, "rtl8139: a packet of %u bytes", s->tx_bytes);
        return false;
    }
    set_timer(s);
    update_irq(s);
    return true;
}

static const StateDesc rtl8139_state = {
    .name = "rtl8139", .version = 1, .fields = rtl8139_fields, .n_fields = ARRAY_SIZE(rtl8139_fields), .post_load = rtl8139_post_load,
};

static const Property rtl8139_props[] = {
    PROP_BOOTINDEX(Rtl8139, bootindex, "/ethernet-phy@0"),
    { .name = "mac", .kind = PROP_MACADDR, .offset = offsetof(Rtl8139, mac), .help = "Ethernet address" },
    { .name = "netdev", .kind = PROP_NETDEV, .offset = offsetof(Rtl8139, netdev), .help = "ID of a netdev to use as a backend" },
};

static const DeviceType rtl8139_type = {
    .type = { .name = "rtl8139", .parent = "pci-device", .size_bytes = sizeof(Rtl8139), .summary = "Realtek RTL8139C+ Fast Ethernet",
              .props = rtl8139_props, .n_props = ARRAY_SIZE(rtl8139_props), .class_data = &rtl8139_pci },
    .category = DEVICE_NETWORK, .state = &rtl8139_state, .user_creatable = true, PCI_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(rtl8139_type);
