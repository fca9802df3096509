/*
 * e1000.c: Intel 82540EM gigabit Ethernet controller ("e1000").
 *
 * Registers, EEPROM (Microwire and EERD) and PHY as far as drivers use them, legacy and extended transmit descriptors
 * with checksum insertion and TCP segmentation, receive filters (unicast, multicast hash, VLAN), VLAN tags.
 * Specification: Intel PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual (317453-005).
 * Left out: flash, wake-up, packet split, interrupt moderation (every cause interrupts at once), statistics other
 * than packets and bytes, received checksums (descriptors say "not checked").
 */
#include <string.h>
#include "hw/boot.h"
#include "hw/pci.h"
#include "net/net.h"
#include "softmmu/clock.h"
#include "util/log.h"

enum {
    REG_BYTES = 0x20000, IO_BYTES = 0x40,
    CTRL = 0x0, STATUS = 0x8, EECD = 0x10, EERD = 0x14, MDIC = 0x20, VET = 0x38, ICR = 0xc0, ICS = 0xc8, IMS = 0xd0, IMC = 0xd8,
    RCTL = 0x100, TCTL = 0x400, RDBAL = 0x2800, RDBAH = 0x2804, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818,
    TDBAL = 0x3800, TDBAH = 0x3804, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818, STATS = 0x4000, STATS_END = 0x4128,
    GPRC = 0x4074, GPTC = 0x4080, GORCL = 0x4088, GORCH = 0x408c, GOTCL = 0x4090, GOTCH = 0x4094, MPC = 0x4010, TPR = 0x40d0, TPT = 0x40d4,
    MTA = 0x5200, RA = 0x5400, VFTA = 0x5600,
    /* bits */
    CTRL_SLU = BIT(6), CTRL_RST = BIT(26), CTRL_VME = BIT(30), STATUS_FD = 1, STATUS_LU = 2, STATUS_1000 = 0x80,
    EECD_SK = 1, EECD_CS = 2, EECD_DI = 4, EECD_DO = 8, EECD_REQ = 0x40, EECD_GNT = 0x80, EECD_PRES = 0x100,
    EERD_START = 1, EERD_DONE = 0x10, MDIC_READY = BIT(28), MDIC_INT = BIT(29), MDIC_ERROR = BIT(30),
    INT_TXDW = 1, INT_TXQE = 2, INT_LSC = 4, INT_RXDMT0 = 0x10, INT_RXO = 0x40, INT_RXT0 = 0x80, INT_MDAC = 0x200,
    RCTL_EN = 2, RCTL_UPE = 8, RCTL_MPE = 0x10, RCTL_LPE = 0x20, RCTL_BAM = 0x8000, RCTL_VFE = 0x40000, RCTL_BSEX = BIT(25), RCTL_SECRC = BIT(26),
    TCTL_EN = 2, TCTL_PSP = 8,
    TX_EOP = 1, TX_IFCS = 2, TX_IC = 4, TX_TSE = 4, TX_RS = 8, TX_DEXT = 0x20, TX_VLE = 0x40, TX_POPTS_IXSM = 1, TX_POPTS_TXSM = 2,
    TUCMD_TCP = 1, TUCMD_IP = 2, DESC_DONE = 1, RX_EOP = 2, RX_IXSM = 4, RX_VP = 8,
    SLICE_DESCRIPTORS = 4096, SLICE_BYTES = 4 * 1024 * 1024, FRAME_COST = 256, EEPROM_WORDS = 64, N_PHY = 32, N_RA = 16, DESC_BYTES = 16, MAX_FRAME = 16384, TX_BYTES = 65536 + 256,
};

/* What of the context descriptor matters. */
typedef struct TxContext {
    uint8_t ipcss, ipcso, tucss, tucso, hdrlen, flags;
    uint16_t ipcse, tucse, mss;
    uint32_t paylen;
} TxContext;

typedef struct E1000 {
    PciDevice pci;
    NetPeer nic;
    NetPeer *netdev;
    int32_t bootindex;
    uint8_t mac[6];
    MemoryRegion mmio, io;
    uint32_t regs[0x6000 / 4];       /* by offset; what is above reads as zero */
    uint16_t eeprom[EEPROM_WORDS], phy[N_PHY];
    uint32_t io_addr;
    /* Microwire: bits shifted in since chip select, what is being shifted out. */
    uint32_t ee_in, ee_in_bits, ee_out, ee_out_bits;
    TxContext context;
    /* The packet under way. */
    uint8_t tx[TX_BYTES];
    uint32_t tx_bytes;
    uint8_t tx_popts;
    bool tx_tse, tx_vlan;
    uint16_t tx_tag;
    bool link_up;
    uint32_t slice_bytes;            /* fetched and, for each frame sent, FRAME_COST */
    Timer tx_timer;                  /* goes on with a ring that is too much for one access */
} E1000;

static uint32_t *reg(E1000 *s, unsigned offset)
{
    return &s->regs[offset / 4];
}

/* -- interrupts ---------------------------------------------------------------------------------------------- */

static void update_irq(E1000 *s)
{
    pci_set_irq(&s->pci, (*reg(s, ICR) & *reg(s, IMS)) != 0);
}

static void raise_cause(E1000 *s, uint32_t cause)
{
    *reg(s, ICR) |= cause;
    update_irq(s);
}

/* -- EEPROM and PHY ---------------------------------------------------------------------------------------------- */

/* The driver needs the address, identification and a good checksum (5.6): all words add up to 0xbaba. */
static void make_eeprom(E1000 *s)
{
    static const struct { uint8_t at; uint16_t value; } words[] = {
        { 0x03, 0x0420 }, { 0x08, 0x3000 }, { 0x09, 0x1000 }, { 0x0a, 0x6403 }, { 0x0b, 0x1100 }, { 0x0c, 0x1af4 }, { 0x0d, 0x100e }, { 0x0e, 0x8086 },
        { 0x0f, 0x3040 }, { 0x10, 0x0008 }, { 0x20, 0x0c00 }, { 0x21, 0x7861 }, { 0x2f, 0x0602 }, { 0x30, 0xf746 }, { 0x31, 0x8104 },
    };
    uint16_t sum = 0;

    memset(s->eeprom, 0, sizeof(s->eeprom));
    for (unsigned i = 0; i < 3; i++) {
        s->eeprom[i] = (uint16_t)(s->mac[2 * i] | s->mac[2 * i + 1] << 8);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        s->eeprom[words[i].at] = words[i].value;
    }
    for (unsigned i = 0; i < EEPROM_WORDS - 1; i++) {
        sum = (uint16_t)(sum + s->eeprom[i]);
    }
    s->eeprom[EEPROM_WORDS - 1] = (uint16_t)(0xbaba - sum);
}

/* Microwire: after chip select a start bit, two bits of opcode (10: read), six of address; then sixteen bits come out. */
static void eecd_write(E1000 *s, uint32_t value)
{
    uint32_t old = *reg(s, EECD);

    *reg(s, EECD) = (old & EECD_DO) | EECD_PRES | (value & (EECD_SK | EECD_CS | EECD_DI | EECD_REQ)) | (value & EECD_REQ ? EECD_GNT : 0);
    if (!(value & EECD_CS)) {
        s->ee_in = s->ee_in_bits = s->ee_out_bits = 0;
        return;
    }
    if (!(value & EECD_SK) || (old & EECD_SK)) {
        return;
    }
    if (s->ee_out_bits) {
        s->ee_out_bits--;
        *reg(s, EECD) = (*reg(s, EECD) & ~(uint32_t)EECD_DO) | (s->ee_out >> s->ee_out_bits & 1 ? EECD_DO : 0);
        return;
    }
    uint32_t bit = value & EECD_DI ? 1 : 0;
    if (!s->ee_in_bits && !bit) {
        return; /* waits for the start bit */
    }
    s->ee_in = s->ee_in << 1 | bit;
    if (++s->ee_in_bits == 9) {
        if ((s->ee_in >> 6 & 3) == 2) {
            s->ee_out = s->eeprom[s->ee_in & 63];
            s->ee_out_bits = 16;
            *reg(s, EECD) &= ~(uint32_t)EECD_DO; /* a zero goes before */
        }
        s->ee_in = s->ee_in_bits = 0;
    }
}

static void phy_reset(E1000 *s)
{
    static const uint16_t values[N_PHY] = {
        [0] = 0x1140, [1] = 0x794d, [2] = 0x0141, [3] = 0x0c20, [4] = 0x0de1, [5] = 0x01e0, [9] = 0x0e00, [10] = 0x3c00, [15] = 0x3000,
        [16] = 0x0360, [17] = 0xac04, [20] = 0x0d60,
    };

    memcpy(s->phy, values, sizeof(values));
}

/* Link bits of the PHY and of STATUS. */
static void show_link(E1000 *s)
{
    bool up = s->link_up;

    s->phy[1] = (uint16_t)((s->phy[1] & ~0x24) | (up ? 0x24 : 0));   /* link, negotiation complete */
    s->phy[5] = (uint16_t)((s->phy[5] & ~0x4000) | (up ? 0x4000 : 0));
    s->phy[17] = (uint16_t)((s->phy[17] & ~0x0400) | (up ? 0x0400 : 0));
    *reg(s, STATUS) = (*reg(s, STATUS) & ~(uint32_t)STATUS_LU) | (up ? STATUS_LU : 0);
}

static void mdic_write(E1000 *s, uint32_t value)
{
    unsigned n = value >> 16 & 31, phy = value >> 21 & 31, op = value >> 26 & 3;
    uint32_t ret = value | MDIC_READY;

    if (phy != 1 || (op != 1 && op != 2)) {
        ret |= MDIC_ERROR;
    } else if (op == 2) {
        ret = (ret & ~0xffffu) | s->phy[n];
    } else if (n == 0) {
        if (value & 0x8000) {
            phy_reset(s);
        }
        s->phy[0] = (uint16_t)(value & 0x7dbf); /* reset and restart clear themselves */
        show_link(s);
    } else if (n != 1 && n != 2 && n != 3 && n != 5 && n != 10 && n != 17) {
        s->phy[n] = (uint16_t)value;
    }
    *reg(s, MDIC) = ret;
    if (value & MDIC_INT) {
        raise_cause(s, INT_MDAC);
    }
}

/* -- receiving ------------------------------------------------------------------------------------------------------ */

static bool wanted(E1000 *s, const uint8_t *f, size_t n)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t shifts[] = { 4, 3, 2, 0 };
    uint32_t rctl = *reg(s, RCTL);

    if ((rctl & RCTL_VFE) && n >= 18 && ldbe16(f + 12) == (uint16_t)*reg(s, VET)) {
        unsigned vid = ldbe16(f + 14) & 0xfff;
        if (!(*reg(s, VFTA + vid / 32 * 4) >> (vid & 31) & 1)) {
            return false;
        }
    }
    if ((f[0] & 1) ? rctl & RCTL_MPE : rctl & RCTL_UPE) {
        return true;
    }
    if (!memcmp(f, broadcast, 6) && (rctl & RCTL_BAM)) {
        return true;
    }
    for (unsigned i = 0; i < N_RA; i++) {
        uint32_t low = *reg(s, RA + 8 * i), high = *reg(s, RA + 8 * i + 4);
        if ((high & BIT(31)) && ldle32(f) == low && ldle16(f + 4) == (uint16_t)high) {
            return true;
        }
    }
    if (f[0] & 1) {
        unsigned hash = (unsigned)((f[4] | f[5] << 8) >> shifts[rctl >> 12 & 3]) & 0xfff;
        return *reg(s, MTA + (hash >> 5) * 4) >> (hash & 31) & 1;
    }
    return false;
}

static uint32_t rx_buffer_bytes(E1000 *s)
{
    uint32_t rctl = *reg(s, RCTL), size = 2048u >> (rctl >> 16 & 3);

    return rctl & RCTL_BSEX ? (rctl >> 16 & 3 ? size * 16 : 2048) : size;
}

static uint32_t rx_free(E1000 *s)
{
    uint32_t n = *reg(s, RDLEN) / DESC_BYTES, head = *reg(s, RDH), tail = *reg(s, RDT);

    return !n || head >= n || tail >= n ? 0 : (tail + n - head) % n;
}

static bool nic_receive(NetPeer *self, const uint8_t *frame, size_t size)
{
    E1000 *s = self->opaque;
    uint8_t padded[64];
    uint32_t room = rx_buffer_bytes(s), at = 0;
    uint16_t tag = 0;
    bool has_tag = false;

    memory_flush_coalesced();
    if (!(*reg(s, RCTL) & RCTL_EN) || !s->link_up || size > MAX_FRAME || (size > 1522 && !(*reg(s, RCTL) & RCTL_LPE)) || !wanted(s, frame, size)) {
        return true;
    }
    uint8_t copy[MAX_FRAME + 4];
    if ((*reg(s, CTRL) & CTRL_VME) && size >= 18 && ldbe16(frame + 12) == (uint16_t)*reg(s, VET)) {
        tag = ldbe16(frame + 14);
        has_tag = true;
        memcpy(copy, frame, 12);
        memcpy(copy + 12, frame + 16, size - 16);
        frame = copy;
        size -= 4;
    }
    if (size < 60) {
        memset(padded, 0, sizeof(padded));
        memcpy(padded, frame, size);
        frame = padded;
        size = 60;
    }
    size_t total = size + (*reg(s, RCTL) & RCTL_SECRC ? 0 : 4);
    if ((uint64_t)rx_free(s) * room < total) {
        *reg(s, MPC) += 1;
        raise_cause(s, INT_RXO);
        return false;
    }
    uint64_t ring = *reg(s, RDBAL) | (uint64_t)*reg(s, RDBAH) << 32;
    uint32_t n = *reg(s, RDLEN) / DESC_BYTES;
    while (at < total) {
        uint8_t d[DESC_BYTES];
        uint64_t desc = ring + (uint64_t)*reg(s, RDH) * DESC_BYTES;
        uint32_t part = (uint32_t)MIN((size_t)room, total - at);
        if (memory_read(&s->pci.dma, desc, d, sizeof(d), MEM_ATTRS_NONE) != MEM_OK) {
            return true;
        }
        if (at < size) {
            memory_write(&s->pci.dma, ldle64(d), frame + at, MIN((size_t)part, size - at), MEM_ATTRS_NONE);
        }
        at += part;
        stle16(d + 8, (uint16_t)part);
        stle16(d + 10, 0);
        d[12] = (uint8_t)(DESC_DONE | (at == total ? RX_EOP | RX_IXSM : 0) | (at == total && has_tag ? RX_VP : 0));
        d[13] = 0;
        stle16(d + 14, tag);
        memory_write(&s->pci.dma, desc, d, sizeof(d), MEM_ATTRS_NONE);
        *reg(s, RDH) = (*reg(s, RDH) + 1) % n;
    }
    *reg(s, GPRC) += 1;
    *reg(s, TPR) += 1;
    *reg(s, GORCL) += (uint32_t)total;
    raise_cause(s, INT_RXT0 | (rx_free(s) <= n >> (1 + (*reg(s, RCTL) >> 8 & 3)) ? INT_RXDMT0 : 0));
    return true;
}

/* -- sending ------------------------------------------------------------------------------------------------------------ */

static uint16_t checksum(const uint8_t *p, size_t n, uint32_t sum)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        sum += ldbe16(p + i);
    }
    sum += n & 1 ? (uint32_t)p[n - 1] << 8 : 0;
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

/* The field at `offset` is part of the sum: it holds what is to be added beforehand. end 0: to the end. */
static void insert_checksum(uint8_t *f, uint32_t n, uint8_t start, uint8_t offset, uint16_t end)
{
    uint32_t last = end && end + 1u < n ? end + 1u : n;

    if (start < last && offset + 2u <= n) {
        stbe16(f + offset, checksum(f + start, last - start, 0));
    }
}

static void transmit(E1000 *s, uint8_t *f, uint32_t n, uint8_t popts)
{
    uint8_t tagged[MAX_FRAME + 8];
    const TxContext *c = &s->context;

    if (popts & TX_POPTS_TXSM) {
        insert_checksum(f, n, c->tucss, c->tucso, c->tucse);
    }
    if (popts & TX_POPTS_IXSM) {
        insert_checksum(f, n, c->ipcss, c->ipcso, c->ipcse);
    }
    if (s->tx_vlan && n >= 14 && n <= MAX_FRAME) {
        memcpy(tagged, f, 12);
        stbe16(tagged + 12, (uint16_t)*reg(s, VET));
        stbe16(tagged + 14, s->tx_tag);
        memcpy(tagged + 16, f + 12, n - 12);
        f = tagged;
        n += 4;
    }
    s->slice_bytes += FRAME_COST;
    *reg(s, GPTC) += 1;
    *reg(s, TPT) += 1;
    *reg(s, GOTCL) += n;
    if ((s->phy[0] & 0x4000) || (*reg(s, RCTL) >> 6 & 3) == 3) {
        nic_receive(&s->nic, f, n); /* looped back in the PHY or the controller */
    } else if (s->link_up) {
        net_send(&s->nic, f, n);
    }
}

/* TCP segmentation (3.3): the header again before each part, with length, identification, sequence number and flags of its own. */
static void segment(E1000 *s)
{
    const TxContext *c = &s->context;
    uint32_t header = c->hdrlen, done = header, piece = 0;
    uint8_t f[MAX_FRAME];

    if (!c->mss || header < 14 || header >= s->tx_bytes || header + c->mss > sizeof(f) || c->ipcss + 20u > header ||
        ((c->flags & TUCMD_TCP) && c->tucss + 20u > header)) {
        return;
    }
    while (done < s->tx_bytes) {
        uint32_t part = MIN((uint32_t)c->mss, s->tx_bytes - done), n = header + part;
        bool last = done + part == s->tx_bytes;
        memcpy(f, s->tx, header);
        memcpy(f + header, s->tx + done, part);
        if (c->flags & TUCMD_IP) {
            stbe16(f + c->ipcss + 2, (uint16_t)(n - c->ipcss));
            stbe16(f + c->ipcss + 4, (uint16_t)(ldbe16(f + c->ipcss + 4) + piece));
        } else {
            stbe16(f + c->ipcss + 4, (uint16_t)(n - c->ipcss - 40));
        }
        if (c->flags & TUCMD_TCP) {
            stbe32(f + c->tucss + 4, ldbe32(f + c->tucss + 4) + (done - header));
            if (!last) {
                f[c->tucss + 13] &= (uint8_t)~9; /* PSH, FIN */
            }
        } else {
            stbe16(f + c->tucss + 4, (uint16_t)(n - c->tucss));
        }
        /* The driver left the pseudo header's sum without the length. */
        if ((s->tx_popts & TX_POPTS_TXSM) && c->tucso + 2u <= n) {
            uint32_t sum = ldbe16(f + c->tucso) + (n - c->tucss);
            stbe16(f + c->tucso, (uint16_t)((sum & 0xffff) + (sum >> 16)));
        }
        transmit(s, f, n, s->tx_popts);
        done += part;
        piece++;
    }
}

static void take_context(E1000 *s, const uint8_t *d)
{
    uint32_t low = ldle32(d + 8), high = ldle32(d + 12);

    s->context = (TxContext){ .ipcss = d[0], .ipcso = d[1], .ipcse = ldle16(d + 2), .tucss = d[4], .tucso = d[5], .tucse = ldle16(d + 6),
                              .paylen = low & 0xfffff, .flags = (uint8_t)(low >> 24), .hdrlen = (uint8_t)(high >> 8), .mss = (uint16_t)(high >> 16) };
}

static void take_data(E1000 *s, const uint8_t *d, bool extended)
{
    uint32_t low = ldle32(d + 8), high = ldle32(d + 12), n = low & (extended ? 0xfffff : 0xffff);
    uint8_t cmd = (uint8_t)(low >> 24);

    if (!s->tx_bytes) {
        s->tx_popts = extended ? (uint8_t)(high >> 8) : 0;
        s->tx_tse = extended && (cmd & TX_TSE);
    }
    n = MIN(n, TX_BYTES - s->tx_bytes);
    memory_read(&s->pci.dma, ldle64(d), s->tx + s->tx_bytes, n, MEM_ATTRS_NONE);
    s->tx_bytes += n;
    s->slice_bytes += n;
    if (!(cmd & TX_EOP)) {
        return;
    }
    s->tx_vlan = (cmd & TX_VLE) && (*reg(s, CTRL) & CTRL_VME);
    s->tx_tag = (uint16_t)(high >> 16);
    if (s->tx_tse) {
        segment(s);
    } else if (s->tx_bytes && s->tx_bytes <= MAX_FRAME) {
        unsigned cso = low >> 16 & 0xff, css = high >> 8 & 0xff;
        if (!extended && (cmd & TX_IC)) {
            insert_checksum(s->tx, s->tx_bytes, (uint8_t)css, (uint8_t)cso, 0);
        }
        transmit(s, s->tx, s->tx_bytes, s->tx_popts);
    }
    s->tx_bytes = 0;
}

static void start_transmit(E1000 *s)
{
    uint64_t ring = *reg(s, TDBAL) | (uint64_t)*reg(s, TDBAH) << 32;
    uint32_t n = *reg(s, TDLEN) / DESC_BYTES, cause = INT_TXQE, i = 0;

    if (!(*reg(s, TCTL) & TCTL_EN) || !n || *reg(s, TDT) >= n || *reg(s, TDH) >= n) {
        return;
    }
    /* A ring is gone through at most once, and in slices: the access that starts it may not take for ever. */
    s->slice_bytes = 0;
    for (; i < MIN(n, SLICE_DESCRIPTORS) && s->slice_bytes < SLICE_BYTES && *reg(s, TDH) != *reg(s, TDT); i++) {
        uint8_t d[DESC_BYTES];
        uint64_t desc = ring + (uint64_t)*reg(s, TDH) * DESC_BYTES;
        if (memory_read(&s->pci.dma, desc, d, sizeof(d), MEM_ATTRS_NONE) != MEM_OK) {
            break;
        }
        uint8_t cmd = d[11];
        bool extended = cmd & TX_DEXT;
        if (extended && !(d[10] & 0xf0)) {
            take_context(s, d);
        } else {
            take_data(s, d, extended);
        }
        if (cmd & TX_RS) {
            d[12] |= DESC_DONE;
            memory_write(&s->pci.dma, desc + 12, d + 12, 1, MEM_ATTRS_NONE);
            cause |= INT_TXDW;
        }
        *reg(s, TDH) = (*reg(s, TDH) + 1) % n;
    }
    if (*reg(s, TDH) != *reg(s, TDT) && (i == SLICE_DESCRIPTORS || s->slice_bytes >= SLICE_BYTES)) {
        timer_set_ns(&s->tx_timer, clock_get_ns(VM_CLOCK_VIRTUAL));
    }
    raise_cause(s, cause);
}

static void tx_goes_on(void *opaque)
{
    start_transmit(opaque);
}

/* -- registers ------------------------------------------------------------------------------------------------------------- */

static void controller_reset(E1000 *s)
{
    timer_cancel(&s->tx_timer);
    memset(s->regs, 0, sizeof(s->regs));
    s->ee_in = s->ee_in_bits = s->ee_out_bits = 0;
    s->tx_bytes = 0;
    memset(&s->context, 0, sizeof(s->context));
    phy_reset(s);
    *reg(s, CTRL) = 0x140241;  /* full duplex, link up, 1000 Mb/s, SWDPIN as straps have them */
    *reg(s, STATUS) = 0x80080000 | STATUS_FD | STATUS_1000;
    *reg(s, EECD) = EECD_PRES;
    *reg(s, VET) = 0x8100;
    *reg(s, RA) = ldle32(s->mac);
    *reg(s, RA + 4) = ldle16(s->mac + 4) | (uint32_t)BIT(31);
    show_link(s);
    pci_set_irq(&s->pci, 0);
}

static uint32_t reg_read(E1000 *s, unsigned offset)
{
    uint32_t value;

    if (offset >= sizeof(s->regs)) {
        return 0;
    }
    value = *reg(s, offset);
    switch (offset) {
    case ICR: /* reading clears */
        *reg(s, ICR) = 0;
        update_irq(s);
        return value;
    case ICS: case IMC:
        return 0;
    default:
        if (offset >= STATS && offset < STATS_END) {
            *reg(s, offset) = 0;
        }
        return value;
    }
}

static void reg_write(E1000 *s, unsigned offset, uint32_t value)
{
    if (offset >= sizeof(s->regs)) {
        return;
    }
    switch (offset) {
    case CTRL:
        if (value & CTRL_RST) {
            controller_reset(s);
            return;
        }
        *reg(s, CTRL) = value;
        break;
    case STATUS:
        break;
    case EECD:
        eecd_write(s, value);
        break;
    case EERD:
        *reg(s, EERD) = value & EERD_START ? EERD_DONE | (value & 0xff00) | (uint32_t)((value >> 8 & 0xff) < EEPROM_WORDS ? s->eeprom[value >> 8 & 0xff] : 0) << 16 : value;
        break;
    case MDIC:
        mdic_write(s, value);
        break;
    case ICR: /* ones clear */
        *reg(s, ICR) &= ~value;
        update_irq(s);
        break;
    case ICS:
        raise_cause(s, value);
        break;
    case IMS:
        *reg(s, IMS) |= value;
        update_irq(s);
        break;
    case IMC:
        *reg(s, IMS) &= ~value;
        update_irq(s);
        break;
    case RCTL: case RDT:
        *reg(s, offset) = offset == RDT ? value & 0xffff : value;
        if (rx_free(s)) {
            net_flush(&s->nic);
        }
        break;
    case TCTL: case TDT:
        *reg(s, offset) = offset == TDT ? value & 0xffff : value;
        start_transmit(s);
        break;
    case RDLEN: case TDLEN:
        *reg(s, offset) = value & 0xfff80;
        break;
    case RDBAL: case TDBAL:
        *reg(s, offset) = value & ~15u;
        break;
    case RDH: case TDH:
        *reg(s, offset) = value & 0xffff;
        break;
    default:
        if (offset < STATS || offset >= STATS_END) {
            *reg(s, offset) = value;
        }
    }
}

static MemResult mmio_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = reg_read(opaque, (unsigned)offset);
    return MEM_OK;
}

static MemResult mmio_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    reg_write(opaque, (unsigned)offset, (uint32_t)value);
    return MEM_OK;
}

static const MemoryOps mmio_ops = { .read = mmio_read, .write = mmio_write, .valid = { 1, 4, false }, .impl = { 4, 4, false } };

/* IOADDR and IODATA (4.2). */
static MemResult io_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    E1000 *s = opaque;

    *ret = offset == 0 ? s->io_addr : offset == 4 ? reg_read(s, s->io_addr & (REG_BYTES - 4)) : 0;
    return MEM_OK;
}

static MemResult io_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    E1000 *s = opaque;

    if (offset == 0) {
        s->io_addr = (uint32_t)value;
    } else if (offset == 4) {
        reg_write(s, s->io_addr & (REG_BYTES - 4), (uint32_t)value);
    }
    return MEM_OK;
}

static const MemoryOps io_ops = { .read = io_read, .write = io_write, .valid = { 1, 4, false }, .impl = { 4, 4, false } };

/* -- the device --------------------------------------------------------------------------------------------------------------- */

static void link_changed(NetPeer *self)
{
    E1000 *s = self->opaque;
    bool up = !self->link_down && self->peer && !self->peer->link_down;

    if (up != s->link_up) {
        s->link_up = up;
        show_link(s);
        raise_cause(s, INT_LSC);
    }
}

static const NetPeerOps nic_ops = { .kind = "nic", .receive = nic_receive, .link_changed = link_changed };

static bool e1000_realize(PciDevice *pci, Error **errp)
{
    E1000 *s = (E1000 *)pci;

    if (!nic_attach(&s->nic, &nic_ops, s->netdev, pci->dev.id, "e1000", s->mac, s, errp)) {
        return false;
    }
    s->link_up = s->nic.peer != NULL;
    make_eeprom(s);
    timer_init(&s->tx_timer, VM_CLOCK_VIRTUAL, tx_goes_on, s);
    pci->config[PCI_INTERRUPT_PIN] = 1;
    pci->config[PCI_CACHE_LINE] = 0x10;
    memory_region_init_mmio(&s->mmio, &pci->dev.obj, &mmio_ops, s, "e1000-mmio", REG_BYTES);
    memory_region_add_coalescing(&s->mmio, MTA, RA + 8 * N_RA - MTA); /* filters: looked at by nic_receive() alone */
    memory_region_add_coalescing(&s->mmio, VFTA, 4096 / 8);
    memory_region_init_mmio(&s->io, &pci->dev.obj, &io_ops, s, "e1000-io", IO_BYTES);
    pci_add_bar(pci, 0, PCI_BAR_MEMORY, &s->mmio);
    pci_add_bar(pci, 1, PCI_BAR_IO, &s->io);
    return true;
}

static void e1000_unrealize(PciDevice *pci)
{
    timer_cancel(&((E1000 *)pci)->tx_timer);
    nic_detach(&((E1000 *)pci)->nic);
}

static void e1000_reset(PciDevice *pci)
{
    controller_reset((E1000 *)pci);
}

static const PciType e1000_pci = {
    .vendor = 0x8086, .device = 0x100e, .revision = 3, .class_code = 0x0200, .romfile = "efi-e1000.rom",
    .realize = e1000_realize, .unrealize = e1000_unrealize, .reset = e1000_reset,
};

static const StateField e1000_fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    STATE_U_ARRAY(E1000, regs), STATE_U_ARRAY(E1000, phy), STATE_U(E1000, io_addr), STATE_U(E1000, ee_in), STATE_U(E1000, ee_in_bits),
    STATE_U(E1000, ee_out), STATE_U(E1000, ee_out_bits), STATE_BYTES(E1000, context), STATE_BYTES(E1000, tx), STATE_U(E1000, tx_bytes),
    STATE_U(E1000, tx_popts), STATE_U(E1000, tx_tse), STATE_U(E1000, tx_vlan), STATE_U(E1000, tx_tag), STATE_U(E1000, link_up),
    STATE_TIMER_FIELD(E1000, tx_timer),
};

static bool e1000_post_load(void *opaque, uint32_t version, Error **errp)
{
    E1000 *s = opaque;

    if (s->tx_bytes > TX_BYTES || s->ee_in_bits > 9 || s->ee_out_bits > 16) {
        error_set(errp, "e1000: a packet of %u bytes", s->tx_bytes);
        return false;
    }
    update_irq(s);
    return true;
}

static const StateDesc e1000_state = {
    .name = "e1000", .version = 1, .fields = e1000_fields, .n_fields = ARRAY_SIZE(e1000_fields), .post_load = e1000_post_load,
};

static const Property e1000_props[] = {
    { .name = "mac", .kind = PROP_MACADDR, .offset = offsetof(E1000, mac), .help = "Ethernet address" },
    { .name = "netdev", .kind = PROP_NETDEV, .offset = offsetof(E1000, netdev), .help = "ID of a netdev to use as a backend" },
    PROP_BOOTINDEX(E1000, bootindex, "/ethernet-phy@0"),
};

static const DeviceType e1000_type = {
    .type = { .name = "e1000", .parent = "pci-device", .size_bytes = sizeof(E1000), .summary = "Intel Gigabit Ethernet",
              .props = e1000_props, .n_props = ARRAY_SIZE(e1000_props), .class_data = &e1000_pci },
    .alias = "e1000-82540em", .category = DEVICE_NETWORK, .state = &e1000_state, .user_creatable = true, PCI_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(e1000_type);
