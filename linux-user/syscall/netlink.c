/*
 * netlink.c: rtnetlink messages between the host's byte order and a big-endian guest's: headers, links, addresses, routes, neighbours and rules with their
 * attributes by tables, errors with the request they quote.
 *
 * Leaves out: queueing disciplines and other message types of rtnetlink (a request is refused, what comes unasked keeps its body), options of kinds of links,
 * every other protocol (sys_socket refuses them) but uevents, which are text.
 * Facts: linux uapi linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/neighbour.h, linux/fib_rules.h.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include "linux-user/syscall/syscall.h"

/* Of what is not named in a table: bytes, unless `other` says something else. */
typedef struct Attrs {
    const char *other;
    struct Attr { uint8_t type; const char *layout; const struct Attrs *nested; } at[56];
} Attrs;

static const Attrs words = { .other = "l" }; /* also a list of interfaces' reasons */
static const Attrs inet_link = { .at = { { 1, "l", NULL } } };
static const Attrs inet6_link = { .at = { { 1, "l", NULL }, { 2, "l", NULL }, { 3, "q", NULL }, { 5, "l", NULL }, { 6, "q", NULL }, { 9, "l", NULL } } };
static const Attrs families = { .at = { { 2 /* AF_INET */, NULL, &inet_link }, { 10 /* AF_INET6 */, NULL, &inet6_link } } };
static const Attrs link_info = { .at = { { 0, NULL, NULL } } }; /* names of kinds; their options are theirs */
static const Attrs xdp = { .at = { { 1, "l", NULL }, { 3, "l", NULL }, { 4, "l", NULL }, { 5, "l", NULL }, { 6, "l", NULL }, { 7, "l", NULL }, { 8, "l", NULL } } };

#define L(n) { n, "l", NULL }
static const Attrs link_attrs = { .at = {
    L(4), L(5), { 7, "l", NULL }, L(10), L(13), { 14, "3qw6b", NULL }, L(15), { 18, NULL, &link_info }, L(19), L(21), { 23, "q", NULL }, { 26, NULL, &families },
    L(27), L(28), L(29), L(30), L(31), L(32), L(35), L(37), L(40), L(41), { 43, NULL, &xdp }, L(44), L(45), L(46), L(47), L(48), L(49), L(50), L(51),
    { 55, NULL, &words }, L(58), L(59), L(60), L(61), L(63), L(64), L(65), { 66, "q", NULL },
} };
static const Attrs address_attrs = { .at = { L(6), L(8), L(9), L(10) } };
static const Attrs metrics = { .other = "l", .at = { { 16 /* congestion control, a name */, "b", NULL } } };
static const Attrs route_attrs = { .at = {
    L(3), L(4), L(6), { 8, NULL, &metrics }, L(11), L(12), L(15), L(16), { 17, "q", NULL }, { 18, "w254b", NULL }, { 21, "w", NULL }, L(23), L(25), L(30),
} };
static const Attrs neighbour_attrs = { .at = { L(3), L(4), { 5, "w", NULL }, L(7), L(8), L(9), L(10), L(11), L(13), L(15) } };
static const Attrs rule_attrs = { .at = { L(4), L(6), L(10), L(11), { 12, "q", NULL }, L(13), L(14), L(15), L(16), { 20, "l", NULL }, { 23, "w", NULL }, { 24, "w", NULL } } };
#undef L
static const Attrs error_attrs = { .at = { { 2 /* where in the request */, "l", NULL } } };

/* By (type - RTM_NEWLINK) / 4. */
static const struct { uint8_t bytes; const char *layout; const Attrs *attrs; } messages[] = {
    { sizeof(struct ifinfomsg), "2bw3l", &link_attrs }, { 8, "4bl", &address_attrs }, { sizeof(struct rtmsg), "8bl", &route_attrs },
    { 12, "2bwlw2b", &neighbour_attrs }, { 12, "8bl", &rule_attrs },
};

/* The number as the host has it, before or after the fields were exchanged. */
static uint32_t number(const uint8_t *p, unsigned bytes, bool to_host)
{
    return bytes == 2 ? (to_host ? ldbe16(p) : ldle16(p)) : to_host ? ldbe32(p) : ldle32(p);
}

static void order_attrs(const Abi *abi, uint8_t *p, size_t n, const Attrs *known, bool to_host, unsigned depth)
{
    while (n >= 4) {
        size_t len = number(p, 2, to_host), step = ROUND_UP(len, (size_t)4);
        unsigned type = number(p + 2, 2, to_host) & NLA_TYPE_MASK;
        const char *layout = known->other;
        const Attrs *nested = NULL;

        order_fields(abi, p, 4, "2w");
        if (len < 4 || len > n) {
            return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(known->at) && (known->at[i].layout || known->at[i].nested); i++) {
            if (known->at[i].type == type) {
                layout = known->at[i].layout;
                nested = known->at[i].nested;
            }
        }
        if (known == &route_attrs && type == RTA_MULTIPATH) { /* each { u16 length; u8 flags, hops; int interface }, attributes */
            for (size_t at = 4; at + 8 <= len;) {
                size_t hop = number(p + at, 2, to_host);
                order_fields(abi, p + at, 8, "w2bl");
                if (hop < 8 || hop > len - at) {
                    break;
                }
                if (depth) {
                    order_attrs(abi, p + at + 8, hop - 8, known, to_host, depth - 1);
                }
                at += ROUND_UP(hop, (size_t)4);
            }
        } else if (nested && depth) {
            order_attrs(abi, p + 4, len - 4, nested, to_host, depth - 1);
        } else if (layout) {
            order_fields(abi, p + 4, len - 4, layout);
        }
        if (step >= n) {
            return;
        }
        p += step;
        n -= step;
    }
}

static bool order_messages(const Abi *abi, uint8_t *p, size_t n, bool to_host, unsigned depth)
{
    enum { HEAD = sizeof(struct nlmsghdr), DEEP = 4 };
    bool known = true;

    while (n >= HEAD) {
        size_t len = number(p, 4, to_host), step = ROUND_UP(len, (size_t)4);
        unsigned type = number(p + 4, 2, to_host), flags = number(p + 6, 2, to_host);
        uint8_t *body = p + HEAD;

        order_fields(abi, p, HEAD, "l2w2l");
        if (len < HEAD || len > n) {
            return known; /* what is cut off in the middle of its body is nobody's */
        }
        size_t bytes = len - HEAD, kind = (type - RTM_NEWLINK) / 4;
        if (type == NLMSG_DONE) {
            order_fields(abi, body, MIN(bytes, (size_t)4), "l");
        } else if (type == NLMSG_ERROR && bytes >= 4 + HEAD) {
            size_t quoted = flags & NLM_F_CAPPED ? HEAD : MIN((size_t)number(body + 4, 4, to_host), bytes - 4);
            size_t after = 4 + ROUND_UP(MAX(quoted, (size_t)HEAD), (size_t)4);
            order_fields(abi, body, 4, "l");
            if (flags & NLM_F_CAPPED) {
                order_fields(abi, body + 4, HEAD, "l2w2l");
            } else if (depth) {
                order_messages(abi, body + 4, quoted, to_host, depth - 1);
            }
            if (flags & NLM_F_ACK_TLVS && after < bytes) {
                order_attrs(abi, body + after, bytes - after, &error_attrs, to_host, DEEP);
            }
        } else if (type >= RTM_NEWLINK && kind < ARRAY_SIZE(messages)) {
            order_fields(abi, body, MIN(bytes, (size_t)messages[kind].bytes), messages[kind].layout);
            if (bytes > messages[kind].bytes) {
                order_attrs(abi, body + messages[kind].bytes, bytes - messages[kind].bytes, messages[kind].attrs, to_host, DEEP);
            }
        } else if (type >= NLMSG_MIN_TYPE) {
            log_unimp("netlink message %u in the other byte order\n", type);
            known = false;
        }
        if (step >= n) {
            return known;
        }
        p += step;
        n -= step;
    }
    return known;
}

bool netlink_order(const Abi *abi, uint8_t *p, size_t n, int protocol, bool to_host)
{
    return protocol == NETLINK_KOBJECT_UEVENT || order_messages(abi, p, n, to_host, 2);
}

bool netlink_supported(int protocol) { return protocol == NETLINK_ROUTE || protocol == NETLINK_KOBJECT_UEVENT; }
