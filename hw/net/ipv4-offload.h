/*
 * ipv4-offload.h: what network controllers do with IPv4 in a frame: check sums of the header and of TCP and UDP, TCP segmentation.
 *
 * Frames begin with the Ethernet header, with or without a VLAN tag; their bytes and lengths are a guest's or a peer's, nothing is trusted.
 * Specifications: RFC 791, 793, 768, 1071.
 */
#ifndef HW_NET_IPV4_OFFLOAD_H
#define HW_NET_IPV4_OFFLOAD_H

#include "util/base.h"

enum { IP_PROTO_TCP = 6, IP_PROTO_UDP = 17 };

typedef struct Ipv4Frame {
    uint8_t *ip, *l4;          /* l4: behind the header; what it is says protocol */
    uint32_t header_bytes, l4_bytes;
    uint8_t protocol;          /* 0: a fragment, or too short for TCP or UDP */
} Ipv4Frame;

/* False: not a whole IPv4 header. */
bool ipv4_parse(uint8_t *frame, uint32_t n, Ipv4Frame *ret);
/* Ones' complement sum over what is there: 0xffff (or 0) when the sum that is in it is right. */
uint16_t ipv4_sum_header(const Ipv4Frame *f);
uint16_t ipv4_sum_l4(const Ipv4Frame *f);
void ipv4_fill_header(const Ipv4Frame *f);
/* TCP and UDP only. */
void ipv4_fill_l4(const Ipv4Frame *f);
/* Cuts a TCP frame into parts with at most mss bytes of data each, with all sums filled in; `send` may write four bytes before its frame. False: it is
 * not one to cut, or mss is less than what every network carries (RFC 791: 68 bytes with both headers). */
bool ipv4_segment(uint8_t *frame, uint32_t n, uint32_t mss, void (*send)(void *opaque, uint8_t *frame, uint32_t n), void *opaque);

#endif
