/*
 * rtl8139-rx.c: frames for the guest: the address filter, the ring of C mode, the descriptors of C+ mode.
 *
 * A frame there is no room for waits in its queue and is tried again when the driver writes to a register that has to do with receiving;
 * only a looped back one is missed.
 * Specification: see rtl8139.h.
 */
#include <string.h>
#include <zlib.h>
#include "hw/net/ipv4-offload.h"
#include "hw/net/rtl8139.h"

enum { /* status of a received frame; in descriptors of C+ mode these three are elsewhere */
    RX_ROK = 1, RX_BROADCAST = 0x2000, RX_PHYSICAL = 0x4000, RX_MULTICAST = 0x8000,
    DESC_BROADCAST = 0x1000000, DESC_PHYSICAL = 0x2000000, DESC_MULTICAST = 0x4000000, DESC_SIZE = 0x1fff, DESC_TAGGED = 0x10000,
    DESC_TCP = 0x10000, DESC_UDP = 0x20000, DESC_IP = 0x30000, DESC_TCP_BAD = 0x2000, DESC_UDP_BAD = 0x4000, DESC_IP_BAD = 0x8000,
};
enum { HEADER = 4, CRC = 4, MIN_FRAME = 60, ETHER_VLAN = 0x8100 };

/* The multicast filter's bit: the upper six bits of the CRC as it is shifted out, most significant bit first. */
static unsigned hash_bit(const uint8_t *address)
{
    uint32_t crc = ~(uint32_t)crc32(0, address, 6);
    unsigned bit = 0;

    for (unsigned i = 0; i < 6; i++) {
        bit = bit << 1 | (crc >> i & 1);
    }
    return bit;
}

/* Status bits of C mode; 0: not for us. */
static uint32_t filter(const Rtl8139 *s, const uint8_t *f)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (!memcmp(f, broadcast, 6)) {
        return s->rcr & RTL_RCR_AB ? RX_BROADCAST : 0;
    }
    if (f[0] & 1) {
        unsigned bit = hash_bit(f);
        return (s->rcr & RTL_RCR_AM) && (s->mar[bit / 8] >> bit % 8 & 1) ? RX_MULTICAST : 0;
    }
    if (!memcmp(f, s->idr, 6)) {
        return s->rcr & (RTL_RCR_APM | RTL_RCR_AAP) ? RX_PHYSICAL : 0;
    }
    return s->rcr & RTL_RCR_AAP ? RX_ROK : 0;
}

static void count(Rtl8139 *s, uint32_t kind)
{
    s->tally.rx_ok++;
    s->tally.rx_ok_physical += kind == RX_PHYSICAL;
    s->tally.rx_ok_broadcast += kind == RX_BROADCAST;
    s->tally.rx_ok_multicast += kind == RX_MULTICAST;
}

static void append_crc(uint8_t *frame, size_t n)
{
    stle32(frame + n, (uint32_t)crc32(0, frame, (uInt)n));
}

/* ---- C mode ---- */

uint32_t rtl_rx_ring_bytes(const Rtl8139 *s)
{
    return 8192u << (s->rcr >> 11 & 3);
}

bool rtl_rx_empty(const Rtl8139 *s)
{
    return s->rx_read == s->rx_write;
}

/* block: room for the header, then the frame. */
static bool receive_c(Rtl8139 *s, uint8_t *block, size_t n, uint32_t kind)
{
    uint32_t ring = rtl_rx_ring_bytes(s), total = HEADER + (uint32_t)n + CRC, need = ROUND_UP(total, 4);
    uint32_t free_bytes = ring - (s->rx_write + ring - s->rx_read) % ring;

    if (need >= free_bytes) { /* a full ring would look empty */
        return false;
    }
    append_crc(block + HEADER, n);
    stle16(block, (uint16_t)(RX_ROK | kind));
    stle16(block + 2, (uint16_t)(n + CRC));
    /* WRAP: the frame goes on behind the ring's end; not with 64 KiB. */
    uint32_t first = (s->rcr & RTL_RCR_WRAP) && ring != 65536 ? total : MIN(total, ring - s->rx_write);
    memory_write(&s->pci.dma, s->rbstart + (uint64_t)s->rx_write, block, first, MEM_ATTRS_NONE);
    memory_write(&s->pci.dma, s->rbstart, block + first, total - first, MEM_ATTRS_NONE);
    s->rx_write = (s->rx_write + need) % ring;
    return true;
}

/* ---- C+ mode ---- */

static uint64_t descriptor(const Rtl8139 *s, uint32_t index)
{
    return s->rdsar + (uint64_t)index * RTL_DESC_BYTES;
}

static uint32_t following(uint32_t index, uint32_t command)
{
    return command & RTL_DESC_END || index == RTL_RING_MAX - 1 ? 0 : index + 1;
}

/* How many descriptors from rx_index on a frame takes; 0: there is not enough. */
static unsigned room(Rtl8139 *s, uint32_t bytes)
{
    uint32_t index = s->rx_index;

    for (unsigned n = 1; n <= RTL_RING_MAX; n++) {
        uint8_t d[RTL_DESC_BYTES];
        if (memory_read(&s->pci.dma, descriptor(s, index), d, sizeof(d), MEM_ATTRS_NONE) != MEM_OK || !(ldle32(d) & RTL_DESC_OWN)) {
            return 0;
        }
        uint32_t size = ldle32(d) & DESC_SIZE;
        if (size >= bytes) {
            return n;
        }
        bytes -= size;
        index = following(index, ldle32(d));
    }
    return 0;
}

static uint32_t check_sums(uint8_t *frame, size_t n)
{
    Ipv4Frame f;
    uint32_t status;

    if (!ipv4_parse(frame, (uint32_t)n, &f)) {
        return 0;
    }
    status = f.protocol == IP_PROTO_TCP ? DESC_TCP : f.protocol == IP_PROTO_UDP ? DESC_UDP : DESC_IP;
    if (ipv4_sum_header(&f) != 0xffff) {
        status |= DESC_IP_BAD;
    }
    bool none = f.protocol == IP_PROTO_UDP && !ldle16(f.l4 + 6); /* the sender made none */
    if (f.protocol && !none && ipv4_sum_l4(&f) != 0xffff) {
        status |= f.protocol == IP_PROTO_TCP ? DESC_TCP_BAD : DESC_UDP_BAD;
    }
    return status;
}

static bool receive_cplus(Rtl8139 *s, uint8_t *frame, size_t n, uint32_t kind)
{
    uint32_t tag = 0, status = 0, at = 0;

    if (s->cpcr & RTL_CPCR_RX_SUMS) {
        status = check_sums(frame, n);
    }
    if ((s->cpcr & RTL_CPCR_RX_VLAN) && ldbe16(frame + 12) == ETHER_VLAN) {
        tag = DESC_TAGGED | ldle16(frame + 14); /* bytes as they are on the wire */
        memmove(frame + 12, frame + 16, n - 16);
        n -= 4;
    }
    append_crc(frame, n);
    uint32_t total = (uint32_t)n + CRC;
    unsigned n_desc = room(s, total);
    if (!n_desc) {
        return false;
    }
    status |= (kind == RX_BROADCAST ? DESC_BROADCAST : kind == RX_MULTICAST ? DESC_MULTICAST : kind == RX_PHYSICAL ? DESC_PHYSICAL : 0) | total;
    for (unsigned i = 0; i < n_desc; i++) {
        uint8_t d[RTL_DESC_BYTES];
        uint64_t where = descriptor(s, s->rx_index);
        memory_read(&s->pci.dma, where, d, sizeof(d), MEM_ATTRS_NONE);
        uint32_t command = ldle32(d), part = MIN(command & DESC_SIZE, total - at);
        memory_write(&s->pci.dma, ldle64(d + 8), frame + at, part, MEM_ATTRS_NONE);
        at += part;
        stle32(d + 4, tag);
        memory_write(&s->pci.dma, where + 4, d + 4, 4, MEM_ATTRS_NONE);
        stle32(d, (command & RTL_DESC_END) | status | (i ? 0 : RTL_DESC_FIRST) | (i == n_desc - 1 ? RTL_DESC_LAST : 0));
        memory_write(&s->pci.dma, where, d, 4, MEM_ATTRS_NONE); /* last: it gives the descriptor back */
        s->rx_index = following(s->rx_index, command);
    }
    return true;
}

bool rtl_receive(Rtl8139 *s, const uint8_t *frame, size_t n)
{
    uint8_t block[HEADER + RTL_RX_MAX + CRC + 4];
    bool cplus = s->cpcr & RTL_CPCR_RX;

    if (!(s->cr & RTL_CR_RE) || n < 14 || n > RTL_RX_MAX) {
        return true;
    }
    uint32_t kind = filter(s, frame);
    if (!kind) {
        return true;
    }
    memcpy(block + HEADER, frame, n);
    if (n < MIN_FRAME) {
        memset(block + HEADER + n, 0, MIN_FRAME - n);
        n = MIN_FRAME;
    }
    if (cplus ? receive_cplus(s, block + HEADER, n, kind) : receive_c(s, block, n, kind)) {
        s->rx_starved = false;
        count(s, kind);
        rtl_raise(s, RTL_INT_ROK);
        return true;
    }
    if (!s->rx_starved) {
        s->rx_starved = true;
        rtl_raise(s, RTL_INT_RXOVW);
    }
    return false;
}
