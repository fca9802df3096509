/*
 * ipv4-offload.c: see ipv4-offload.h.
 */
#include "hw/net/ipv4-offload.h"
#include <string.h>
#include "util/bits.h"

enum { ETHER_IPV4 = 0x0800, ETHER_VLAN = 0x8100, ETHER_HEADER = 14, IP_MIN_HEADER = 20, TCP_MIN_HEADER = 20, UDP_HEADER = 8, MAX_SEGMENT = 16384, MIN_MSS = 28, TAG_ROOM = 4 };
enum { TCP_FIN = 1, TCP_PSH = 8, TCP_CWR = 0x80 };

static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, uint32_t n)
{
    for (uint32_t i = 0; i + 1 < n; i += 2) {
        sum += ldbe16(p + i);
    }
    return sum + (n & 1 ? (uint32_t)p[n - 1] << 8 : 0);
}

static uint16_t fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

bool ipv4_parse(uint8_t *frame, uint32_t n, Ipv4Frame *ret)
{
    uint32_t at = ETHER_HEADER;

    if (n >= ETHER_HEADER + 4 && ldbe16(frame + 12) == ETHER_VLAN) {
        at += 4;
    }
    if (n < at + IP_MIN_HEADER || ldbe16(frame + at - 2) != ETHER_IPV4) {
        return false;
    }
    uint8_t *ip = frame + at;
    uint32_t header = (ip[0] & 15u) * 4, total = ldbe16(ip + 2);
    if (ip[0] >> 4 != 4 || header < IP_MIN_HEADER || header > n - at || total < header || total > n - at) {
        return false;
    }
    *ret = (Ipv4Frame){ .ip = ip, .l4 = ip + header, .header_bytes = header, .l4_bytes = total - header };
    bool fragment = ldbe16(ip + 6) & 0x3fff;
    if (!fragment && ((ip[9] == IP_PROTO_TCP && ret->l4_bytes >= TCP_MIN_HEADER) || (ip[9] == IP_PROTO_UDP && ret->l4_bytes >= UDP_HEADER))) {
        ret->protocol = ip[9];
    }
    return true;
}

uint16_t ipv4_sum_header(const Ipv4Frame *f)
{
    return fold(sum_bytes(0, f->ip, f->header_bytes));
}

uint16_t ipv4_sum_l4(const Ipv4Frame *f)
{
    /* The pseudo header: both addresses, the protocol, the length. */
    uint32_t sum = sum_bytes(f->ip[9] + f->l4_bytes, f->ip + 12, 8);
    return fold(sum_bytes(sum, f->l4, f->l4_bytes));
}

void ipv4_fill_header(const Ipv4Frame *f)
{
    stbe16(f->ip + 10, 0);
    stbe16(f->ip + 10, (uint16_t)~ipv4_sum_header(f));
}

void ipv4_fill_l4(const Ipv4Frame *f)
{
    uint8_t *field = f->l4 + (f->protocol == IP_PROTO_TCP ? 16 : 6);

    if (!f->protocol) {
        return;
    }
    stbe16(field, 0);
    uint16_t sum = (uint16_t)~ipv4_sum_l4(f);
    stbe16(field, !sum && f->protocol == IP_PROTO_UDP ? 0xffff : sum); /* UDP: zero says "none" */
}

bool ipv4_segment(uint8_t *frame, uint32_t n, uint32_t mss, void (*send)(void *opaque, uint8_t *frame, uint32_t n), void *opaque)
{
    Ipv4Frame f;
    uint8_t room[TAG_ROOM + MAX_SEGMENT], *part = room + TAG_ROOM;

    if (mss < MIN_MSS || !ipv4_parse(frame, n, &f) || f.protocol != IP_PROTO_TCP) {
        return false;
    }
    uint32_t tcp_header = (f.l4[12] >> 4) * 4u;
    if (tcp_header < TCP_MIN_HEADER || tcp_header > f.l4_bytes) {
        return false;
    }
    uint32_t headers = (uint32_t)(f.l4 - frame) + tcp_header, data = f.l4_bytes - tcp_header, done = 0;
    if (headers + mss > MAX_SEGMENT) {
        return false;
    }
    uint32_t ip_at = (uint32_t)(f.ip - frame), tcp_at = (uint32_t)(f.l4 - frame), sequence = ldbe32(f.l4 + 4);
    uint16_t id = ldbe16(f.ip + 4);
    do {
        uint32_t bytes = MIN(mss, data - done);
        bool first = !done, last = done + bytes == data;
        memcpy(part, frame, headers);
        memcpy(part + headers, frame + headers + done, bytes);
        stbe16(part + ip_at + 2, (uint16_t)(headers - ip_at + bytes));
        stbe16(part + ip_at + 4, id++);
        stbe32(part + tcp_at + 4, sequence + done);
        if (!last) {
            part[tcp_at + 13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
        }
        if (!first) {
            part[tcp_at + 13] &= (uint8_t)~TCP_CWR;
        }
        Ipv4Frame p = { .ip = part + ip_at, .l4 = part + tcp_at, .header_bytes = f.header_bytes, .l4_bytes = tcp_header + bytes, .protocol = IP_PROTO_TCP };
        ipv4_fill_header(&p);
        ipv4_fill_l4(&p);
        send(opaque, part, headers + bytes);
        done += bytes;
    } while (done < data);
    return true;
}
