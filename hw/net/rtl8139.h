/*
 * rtl8139.h: what the files of the RTL8139C+ share. Registers: rtl8139.c; receiving: rtl8139-rx.c; sending: rtl8139-tx.c.
 *
 * Specification: Realtek RTL8139C(L)+ data sheet 1.6 (C+ mode: section 9); RTL8139C(L) programming guide 0.1.
 * Threads: BQL.
 */
#ifndef HW_NET_RTL8139_H
#define HW_NET_RTL8139_H

#include "hw/net/eeprom93c46.h"
#include "hw/pci.h"
#include "net/net.h"
#include "softmmu/clock.h"

enum { /* registers */
    RTL_IDR = 0x00, RTL_MAR = 0x08, RTL_TSD = 0x10, RTL_TSAD = 0x20, RTL_RBSTART = 0x30, RTL_ERBCR = 0x34, RTL_ERSR = 0x36, RTL_CR = 0x37,
    RTL_CAPR = 0x38, RTL_CBR = 0x3a, RTL_IMR = 0x3c, RTL_ISR = 0x3e, RTL_TCR = 0x40, RTL_RCR = 0x44, RTL_TCTR = 0x48, RTL_MPC = 0x4c,
    RTL_9346CR = 0x50, RTL_CONFIG0 = 0x51, RTL_CONFIG1 = 0x52, RTL_TIMERINT = 0x54, RTL_MSR = 0x58, RTL_CONFIG3 = 0x59, RTL_CONFIG4 = 0x5a,
    RTL_MULINT = 0x5c, RTL_RERID = 0x5e, RTL_TSAD_ALL = 0x60, RTL_BMCR = 0x62, RTL_BMSR = 0x64, RTL_ANAR = 0x66, RTL_ANLPAR = 0x68,
    RTL_ANER = 0x6a, RTL_CSCR = 0x74, RTL_CONFIG5 = 0xd8, RTL_TPPOLL = 0xd9, RTL_CPCR = 0xe0, RTL_RDSAR = 0xe4, RTL_REG_BYTES = 0x100,
    /* C+ mode gives these another meaning */
    RTL_DTCCR = 0x10, RTL_TNPDS = 0x20, RTL_THPDS = 0x28,
};
enum { /* bits */
    RTL_CR_BUFE = 1, RTL_CR_TE = 4, RTL_CR_RE = 8, RTL_CR_RST = 0x10,
    RTL_INT_ROK = 1, RTL_INT_TOK = 4, RTL_INT_TER = 8, RTL_INT_RXOVW = 0x10, RTL_INT_LINK = 0x20, RTL_INT_TDU = 0x80, RTL_INT_SWINT = 0x100,
    RTL_INT_TIMEOUT = 0x4000, RTL_INT_ALL = 0xe1ff,
    RTL_TSD_SIZE = 0x1fff, RTL_TSD_OWN = 0x2000, RTL_TSD_TUN = 0x4000, RTL_TSD_TOK = 0x8000, RTL_TSD_TABT = 0x40000000,
    RTL_RCR_AAP = 1, RTL_RCR_APM = 2, RTL_RCR_AM = 4, RTL_RCR_AB = 8, RTL_RCR_WRAP = 0x80,
    RTL_TCR_LOOPBACK = 0x60000, RTL_CPCR_TX = 1, RTL_CPCR_RX = 2, RTL_CPCR_RX_SUMS = 0x20, RTL_CPCR_RX_VLAN = 0x40,
    RTL_EEM = 0xc0, RTL_EEM_PROGRAM = 0x80, RTL_EEM_LOAD = 0x40, RTL_EECS = 8, RTL_EESK = 4, RTL_EEDI = 2, RTL_EEDO = 1,
    RTL_DTCCR_DUMP = 8, RTL_TPPOLL_HIGH = 0x80, RTL_TPPOLL_NORMAL = 0x40, RTL_TPPOLL_SWINT = 1,
    RTL_DESC_OWN = BIT(31), RTL_DESC_END = 0x40000000, RTL_DESC_FIRST = 0x20000000, RTL_DESC_LAST = 0x10000000,
};
/* Rings of C+ mode have at most 64 descriptors of 16 bytes. */
enum { RTL_N_TX = 4, RTL_RING_MAX = 64, RTL_DESC_BYTES = 16, RTL_C_FRAME_MAX = 0x700, RTL_RX_MAX = 0x1fff - 4, RTL_TX_BYTES = 65536 + 256 };

/* The tally counters as the controller stores them (6.3.6). */
typedef struct RtlTally {
    uint64_t tx_ok, rx_ok, rx_ok_physical, rx_ok_broadcast;
    uint32_t rx_ok_multicast;
    uint16_t missed, tx_aborted;
} RtlTally;

typedef struct Rtl8139 {
    PciDevice pci;
    NetPeer nic;
    NetPeer *netdev;
    int32_t bootindex;
    uint8_t mac[6];             /* property; in use is idr */
    MemoryRegion io, mmio;
    Eeprom93c46 eeprom;
    uint8_t idr[6], mar[8], cr, cr9346, config0, config1, config3, config4, config5;
    uint16_t imr, isr, multiple_interrupt, bmcr, anar, cpcr;
    uint32_t tsd[RTL_N_TX], tsad[RTL_N_TX]; /* C+ mode: tsad is TNPDS and THPDS */
    uint32_t rbstart, tcr, rcr, missed, timer_interrupt;
    uint32_t rx_read, rx_write;  /* C mode, in the ring: CAPR + 16, CBR */
    uint64_t dtccr, rdsar;
    uint32_t tx_next, rx_index, tx_index[2]; /* descriptor under way: C mode; C+ mode, normal and high priority */
    bool rx_starved;             /* no descriptor for the frame that waits: said once */
    int64_t tctr_start_ns;
    Timer timer;
    RtlTally tally;
    uint8_t tx[RTL_TX_BYTES];    /* the frame under way */
    uint32_t tx_bytes;
    bool link_up;
} Rtl8139;

/* rtl8139.c */
void rtl_raise(Rtl8139 *s, uint16_t cause);

/* rtl8139-rx.c */
bool rtl_receive(Rtl8139 *s, const uint8_t *frame, size_t n);
/* C mode: nothing in the ring. */
bool rtl_rx_empty(const Rtl8139 *s);
uint32_t rtl_rx_ring_bytes(const Rtl8139 *s);

/* rtl8139-tx.c */
void rtl_transmit_c(Rtl8139 *s);
void rtl_transmit_cplus(Rtl8139 *s, bool high_priority);

#endif
