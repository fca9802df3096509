/*
 * rtl8139-tx.c: frames from the guest: the four descriptors of C mode, the two rings of C+ mode with check sums, TCP segmentation and tags.
 *
 * Every pass over a ring is bounded by the ring's largest size: what the driver adds meanwhile is taken at its next poll command.
 * Specification: see rtl8139.h.
 */
#include <string.h>
#include "hw/net/ipv4-offload.h"
#include "hw/net/rtl8139.h"
#include "util/log.h"

enum { DESC_LARGE_SEND = 0x8000000, DESC_MSS_SHIFT = 16, DESC_MSS = 0x7ff, DESC_IP_SUM = 0x40000, DESC_UDP_SUM = 0x20000, DESC_TCP_SUM = 0x10000,
       DESC_SIZE = 0xffff, DESC_TAG = 0x20000, TAG_BYTES = 4, ETHER_VLAN = 0x8100, MIN_BYTES = 14 };

static void send_frame(Rtl8139 *s, const uint8_t *frame, size_t n)
{
    if (n < MIN_BYTES) {
        return;
    }
    s->tally.tx_ok++;
    if ((s->tcr & RTL_TCR_LOOPBACK) == RTL_TCR_LOOPBACK) {
        if (!rtl_receive(s, frame, n)) {
            s->missed = (s->missed + 1) & 0xffffff;
            s->tally.missed++;
        }
    } else if (s->link_up) {
        net_send(&s->nic, frame, n);
    }
}

/* ---- C mode ---- */

void rtl_transmit_c(Rtl8139 *s)
{
    uint8_t frame[RTL_C_FRAME_MAX];

    for (unsigned i = 0; i < RTL_N_TX && (s->cr & RTL_CR_TE) && !(s->cpcr & RTL_CPCR_TX); i++) {
        uint32_t *tsd = &s->tsd[s->tx_next], n = *tsd & RTL_TSD_SIZE;
        if (*tsd & RTL_TSD_OWN) {
            break;
        }
        bool fits = n <= sizeof(frame);
        if (fits) {
            memory_read(&s->pci.dma, s->tsad[s->tx_next], frame, n, MEM_ATTRS_NONE);
        } else {
            log_guest_error("rtl8139: a frame of %u bytes\n", n);
            s->tally.tx_aborted++;
        }
        *tsd |= RTL_TSD_OWN | (fits ? RTL_TSD_TOK : RTL_TSD_TABT);
        s->tx_next = (s->tx_next + 1) % RTL_N_TX;
        if (fits) {
            send_frame(s, frame, n);
        }
        rtl_raise(s, fits ? RTL_INT_TOK : RTL_INT_TER);
    }
}

/* ---- C+ mode ---- */

typedef struct Tagged {
    Rtl8139 *nic;
    uint32_t tag; /* the second word of the descriptor */
} Tagged;

static void send_tagged(void *opaque, uint8_t *frame, uint32_t n)
{
    const Tagged *t = opaque;
    uint8_t head[12];

    if (!(t->tag & DESC_TAG) || n < MIN_BYTES) {
        send_frame(t->nic, frame, n);
        return;
    }
    /* The buffers have room for a tag before the frame. */
    memcpy(head, frame, sizeof(head));
    memcpy(frame - TAG_BYTES, head, sizeof(head));
    stbe16(frame + 12 - TAG_BYTES, ETHER_VLAN);
    stle16(frame + 14 - TAG_BYTES, (uint16_t)t->tag);
    send_frame(t->nic, frame - TAG_BYTES, n + TAG_BYTES);
}

/* The whole frame is in s->tx behind TAG_BYTES; `command` is the last descriptor's. */
static void finish_frame(Rtl8139 *s, uint32_t command, uint32_t tag)
{
    Tagged t = { s, tag };
    uint8_t *frame = s->tx + TAG_BYTES;
    Ipv4Frame f;

    if (command & DESC_LARGE_SEND) {
        if (!ipv4_segment(frame, s->tx_bytes, command >> DESC_MSS_SHIFT & DESC_MSS, send_tagged, &t)) {
            log_guest_error("rtl8139: a large send of %u bytes that is not TCP\n", s->tx_bytes);
        }
        return;
    }
    if ((command & (DESC_IP_SUM | DESC_UDP_SUM | DESC_TCP_SUM)) && ipv4_parse(frame, s->tx_bytes, &f)) {
        if (command & DESC_IP_SUM) {
            ipv4_fill_header(&f);
        }
        if (f.protocol && command & (f.protocol == IP_PROTO_TCP ? DESC_TCP_SUM : DESC_UDP_SUM)) {
            ipv4_fill_l4(&f);
        }
    }
    send_tagged(&t, frame, s->tx_bytes);
}

void rtl_transmit_cplus(Rtl8139 *s, bool high_priority)
{
    uint64_t ring = (s->tsad[high_priority ? 2 : 0] & ~255u) | (uint64_t)s->tsad[high_priority ? 3 : 1] << 32;
    uint32_t *index = &s->tx_index[high_priority];
    uint16_t cause = RTL_INT_TDU;

    if (!(s->cr & RTL_CR_TE) || !(s->cpcr & RTL_CPCR_TX)) {
        log_guest_error("rtl8139: transmission is not enabled\n");
        return;
    }
    for (unsigned i = 0; i < RTL_RING_MAX; i++) {
        uint8_t d[RTL_DESC_BYTES];
        uint64_t where = ring + (uint64_t)*index * RTL_DESC_BYTES;
        if (memory_read(&s->pci.dma, where, d, sizeof(d), MEM_ATTRS_NONE) != MEM_OK) {
            break;
        }
        uint32_t command = ldle32(d), tag = ldle32(d + 4);
        if (!(command & RTL_DESC_OWN)) {
            break;
        }
        if (command & RTL_DESC_FIRST) {
            s->tx_bytes = 0;
        }
        uint32_t n = MIN(command & DESC_SIZE, RTL_TX_BYTES - TAG_BYTES - s->tx_bytes);
        memory_read(&s->pci.dma, ldle64(d + 8), s->tx + TAG_BYTES + s->tx_bytes, n, MEM_ATTRS_NONE);
        s->tx_bytes += n;
        /* Status: no collision, no error; a large send's size field goes too. */
        stle32(d, command & (RTL_DESC_END | RTL_DESC_FIRST | RTL_DESC_LAST));
        memory_write(&s->pci.dma, where, d, 4, MEM_ATTRS_NONE);
        *index = command & RTL_DESC_END || *index == RTL_RING_MAX - 1 ? 0 : *index + 1;
        if (command & RTL_DESC_LAST) {
            finish_frame(s, command, tag);
            s->tx_bytes = 0;
            cause |= RTL_INT_TOK;
        }
    }
    rtl_raise(s, cause);
}
