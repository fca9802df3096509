/*
 * net.c: sockets. Addresses and packet contents (netlink included) are the same for every little-endian ABI; message
 * headers and control messages depend on the word size.
 *
 * What netlink carries, for big-endian guests: netlink.c.
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include "linux-user/syscall/syscall.h"

enum { MAX_CONTROL = 64 * 1024, MAX_OPTION = 1 << 20, MAX_MMSG = 1024 };

int64_t sys_socket(Thread *t, const uint64_t *a)
{
    if (t->abi->big_endian && (int)a[0] == AF_NETLINK && !netlink_supported((int)a[2])) {
        return -EPROTONOSUPPORT;
    }
    return RAW_SYSCALL(SYS_socket, a[0], a[1], a[2]);
}

/* -- addresses ---------------------------------------------------------------------------------------- */

/* By family, for big-endian ABIs; ports and addresses are in the network's order. */
static const char *address_layout(unsigned family)
{
    switch (family) {
    case AF_INET6: return "w6b16bl";
    case AF_NETLINK: return "2w2l";
    case AF_PACKET: return "w2blw2b8b";
    case AF_VSOCK: return "2w2l4b";
    default: return "w126b";
    }
}

/* An address the kernel has given, of `len` bytes in `p`. */
static void order_address(const Abi *abi, struct sockaddr_storage *p, size_t len)
{
    order_fields(abi, p, MIN(len, sizeof(*p)), address_layout(p->ss_family));
}

/* One for the kernel: the guest's own, or *ret in the host's order. */
static void *address_in(const Abi *abi, struct sockaddr_storage *ret, vaddr addr, uint32_t len, bool *ok)
{
    if (!abi->big_endian || !addr || len < 2 || len > sizeof(*ret)) {
        return guest_in(addr, len, ok);
    }
    *ok = *ok && copy_from_guest(ret, addr, len);
    order_fields(abi, ret, len, address_layout(*ok ? __builtin_bswap16(ret->ss_family) : 0));
    return ret;
}

int64_t sys_bind(Thread *t, const uint64_t *a)
{
    struct sockaddr_storage ss;
    bool ok = true;
    void *p = address_in(t->abi, &ss, a[1], (uint32_t)a[2], &ok);
    return ok ? RAW_SYSCALL(SYS_bind, a[0], p, a[2]) : -EFAULT;
}

int64_t sys_connect(Thread *t, const uint64_t *a)
{
    struct sockaddr_storage ss;
    bool ok = true;
    void *p = address_in(t->abi, &ss, a[1], (uint32_t)a[2], &ok);
    return ok ? SAFE_SYSCALL(t, SYS_connect, a[0], p, a[2]) : -EFAULT;
}

/* Calls that fill an address and its length. */
static int64_t with_name(Thread *t, long nr, const uint64_t *a, uint64_t flags, bool wait)
{
    struct sockaddr_storage ss;
    uint32_t room = 0, len = sizeof(ss);
    int64_t r = wait ? SAFE_SYSCALL(t, nr, a[0], a[1] ? &ss : NULL, a[1] ? &len : NULL, flags) : RAW_SYSCALL(nr, a[0], &ss, &len, flags);
    if (r < 0 || (wait && !a[1])) {
        return r;
    }
    /* Only now: a connection that has been accepted is lost when its address cannot be told. */
    int64_t err = !load_guest_u32(a[2], &room) ? -EFAULT : (int32_t)room < 0 ? -EINVAL : 0;
    if (!err) {
        order_address(t->abi, &ss, len);
        err = copy_to_guest(a[1], &ss, MIN(MIN(len, room), (uint32_t)sizeof(ss))) && store_guest_u32(a[2], len) ? 0 : -EFAULT;
    }
    if (err && wait) {
        RAW_SYSCALL(SYS_close, r);
    }
    return err ? err : r;
}

int64_t sys_accept(Thread *t, const uint64_t *a)
{
    return with_name(t, SYS_accept, a, 0, true);
}

int64_t sys_accept4(Thread *t, const uint64_t *a)
{
    return with_name(t, SYS_accept4, a, a[3], true);
}

int64_t sys_getsockname(Thread *t, const uint64_t *a)
{
    return with_name(t, SYS_getsockname, a, 0, false);
}

int64_t sys_getpeername(Thread *t, const uint64_t *a)
{
    return with_name(t, SYS_getpeername, a, 0, false);
}

int64_t sys_sendto(Thread *t, const uint64_t *a)
{
    struct sockaddr_storage ss;
    bool ok = true;
    struct iovec iov = { guest_in(a[1], a[2], &ok), a[2] }, copy = { 0 };
    void *name = address_in(t->abi, &ss, a[4], (uint32_t)a[5], &ok);
    int64_t r = ok ? contents_to_send(t, (int)a[0], &iov, 1, &copy) : -EFAULT;
    if (!r) {
        const struct iovec *v = copy.iov_base ? &copy : &iov;
        r = SAFE_SYSCALL(t, SYS_sendto, a[0], v->iov_base, v->iov_len, a[3], name, a[5]);
    }
    free(copy.iov_base);
    return r;
}

int64_t sys_recvfrom(Thread *t, const uint64_t *a)
{
    bool ok = true;
    struct sockaddr_storage ss;
    uint32_t room = 0, len;
    void *buf = guest_out(a[1], a[2], &ok);
    if (!ok || (a[4] && !load_guest_u32(a[5], &room))) {
        return -EFAULT;
    }
    if ((int32_t)room < 0) {
        return -EINVAL;
    }
    len = MIN(room, (uint32_t)sizeof(ss));
    int64_t r = SAFE_SYSCALL(t, SYS_recvfrom, a[0], buf, a[2], a[3], a[4] ? &ss : NULL, &len);
    r = contents_received(t, (int)a[0], &(struct iovec){ buf, a[2] }, 1, r);
    if (r >= 0 && a[4]) {
        order_address(t->abi, &ss, len);
        if (!copy_to_guest(a[4], &ss, MIN(MIN(len, room), (uint32_t)sizeof(ss))) || !store_guest_u32(a[5], len)) {
            return -EFAULT;
        }
    }
    return r;
}

/* -- options --------------------------------------------------------------------------------------------- */

/* Options that hold a struct timeval in words. */
static bool is_timeval(int level, int opt)
{
    return level == SOL_SOCKET && (opt == SO_RCVTIMEO || opt == SO_SNDTIMEO);
}

/* Numbers but for strings and addresses; only asked for by big-endian ABIs. */
static const char *option_layout(int level, int opt)
{
    if (level == SOL_SOCKET) {
        return opt == SO_BINDTODEVICE ? "b" : is_timeval(level, opt) ? "q" : "l";
    }
    if (level == IPPROTO_IP) {
        switch (opt) {
        case IP_MULTICAST_IF: case IP_ADD_MEMBERSHIP: case IP_DROP_MEMBERSHIP: return "8bl"; /* struct ip_mreqn */
        case IP_ADD_SOURCE_MEMBERSHIP: case IP_DROP_SOURCE_MEMBERSHIP: return "b";
        }
    }
    if (level == IPPROTO_IPV6 && (opt == IPV6_ADD_MEMBERSHIP || opt == IPV6_DROP_MEMBERSHIP)) {
        return "16bl"; /* struct ipv6_mreq */
    }
    return level == IPPROTO_TCP && (opt == 13 /* TCP_CONGESTION */ || opt == 31 /* TCP_ULP */) ? "b" : "l";
}

int64_t sys_setsockopt(Thread *t, const uint64_t *a)
{
    int level = (int)a[1], opt = (int)a[2];
    uint32_t len = (uint32_t)a[4];
    bool ok = true;
    if ((int32_t)len < 0 || len > MAX_OPTION) {
        return -EINVAL;
    }
    if (is_timeval(level, opt) && t->abi->word_bytes == 4) {
        struct timeval tv;
        if (len < 8) {
            return -EINVAL;
        }
        if (!struct_from_guest(t->abi, &struct_timeval, &tv, a[3])) {
            return -EFAULT;
        }
        return RAW_SYSCALL(SYS_setsockopt, a[0], level, opt, &tv, sizeof(tv));
    }
    if (level == SOL_SOCKET && (opt == SO_ATTACH_FILTER || opt == SO_ATTACH_REUSEPORT_CBPF)) {
        /* struct sock_fprog: length and a pointer */
        struct { uint16_t n; void *filter; } prog = { 0 };
        uint8_t n[2];
        uint64_t p;
        if (!copy_from_guest(n, a[3], 2) || !load_guest_word(t->abi, a[3] + t->abi->word_bytes, &p)) {
            return -EFAULT;
        }
        prog.n = t->abi->big_endian ? ldbe16(n) : ldle16(n);
        Ordered o;
        prog.filter = order_in(t, &o, p, prog.n * 8u, "w2bl", &ok); /* struct sock_filter */
        int64_t r = ok ? RAW_SYSCALL(SYS_setsockopt, a[0], level, opt, &prog, sizeof(prog)) : -EFAULT;
        order_out(&o, false);
        return r;
    }
    Ordered o;
    void *p = order_in(t, &o, a[3], len, option_layout(level, opt), &ok);
    int64_t r = ok ? RAW_SYSCALL(SYS_setsockopt, a[0], level, opt, p, len) : -EFAULT;
    order_out(&o, false);
    return r;
}

int64_t sys_getsockopt(Thread *t, const uint64_t *a)
{
    int level = (int)a[1], opt = (int)a[2];
    uint32_t room, len;
    bool ok = true;
    bool readable = load_guest_u32(a[4], &room);
    if (!readable || (int32_t)room < 0) { /* an error, this or that of the descriptor */
        return RAW_SYSCALL(SYS_getsockopt, a[0], level, opt, BAD_HOST_POINTER, readable ? &room : BAD_HOST_POINTER);
    }
    len = MIN(room, (uint32_t)MAX_OPTION);
    if (is_timeval(level, opt) && t->abi->word_bytes == 4) {
        struct timeval tv;
        uint32_t host_len = sizeof(tv);
        int64_t r = RAW_SYSCALL(SYS_getsockopt, a[0], level, opt, &tv, &host_len);
        if (r < 0) {
            return r;
        }
        return struct_to_guest(t->abi, &struct_timeval, a[3], &tv) && store_guest_u32(a[4], 8) ? 0 : -EFAULT;
    }
    Ordered o;
    void *p = order_inout(t, &o, a[3], len, option_layout(level, opt), &ok);
    int64_t r = ok ? RAW_SYSCALL(SYS_getsockopt, a[0], level, opt, p, &len) : -EFAULT;
    if (!order_out(&o, r >= 0)) {
        return -EFAULT;
    }
    if (r < 0) {
        return r;
    }
    return store_guest_u32(a[4], len) ? 0 : -EFAULT;
}

/* -- messages ----------------------------------------------------------------------------------------------- */

typedef struct GuestMsg {
    vaddr name, iov, control;
    uint32_t name_len, flags;
    uint64_t n_iov, control_len;
} GuestMsg;

/* struct msghdr: pointer, u32 (padded), pointer, word, pointer, word, u32 (padded). */
static unsigned msghdr_bytes(const Abi *abi)
{
    return abi->word_bytes * 7;
}

static bool msg_get(const Abi *abi, GuestMsg *m, vaddr addr)
{
    unsigned w = abi->word_bytes;
    return load_guest_word(abi, addr, &m->name) && load_guest_u32(addr + w, &m->name_len)
           && load_guest_word(abi, addr + 2 * w, &m->iov) && load_guest_word(abi, addr + 3 * w, &m->n_iov)
           && load_guest_word(abi, addr + 4 * w, &m->control) && load_guest_word(abi, addr + 5 * w, &m->control_len)
           && load_guest_u32(addr + 6 * w, &m->flags);
}

/*
 * Control messages: header { word length; int level, type; } padded to words. Contents are ints and file
 * descriptors, or structures of fixed layout, except timestamps, which are words.
 */
/* Of a control message: file descriptors, credentials, single numbers; timestamps. */
static const char *control_layout(int level, int type, size_t data)
{
    bool stamp = level == SOL_SOCKET && (type == SCM_TIMESTAMP || type == SCM_TIMESTAMPNS || type == SCM_TIMESTAMPING);
    return stamp ? "q" : level == SOL_SOCKET || data == 4 ? "l" : "b";
}

static bool control_from_guest(const Abi *abi, const GuestMsg *m, uint8_t *out, size_t room, size_t *ret_len)
{
    unsigned w = abi->word_bytes, header = w + 8;
    size_t at = 0;
    for (uint64_t pos = 0; pos + header <= m->control_len;) {
        uint64_t len;
        uint32_t level, type;
        if (!load_guest_word(abi, m->control + pos, &len) || !load_guest_u32(m->control + pos + w, &level)
            || !load_guest_u32(m->control + pos + w + 4, &type)) {
            return false;
        }
        if (len < header || len > m->control_len - pos) {
            break;
        }
        size_t data = len - header, host_len = CMSG_LEN(data);
        if (at + CMSG_SPACE(data) > room) {
            break;
        }
        struct cmsghdr *c = (struct cmsghdr *)(out + at);
        memset(c, 0, CMSG_SPACE(data));
        c->cmsg_len = host_len;
        c->cmsg_level = (int)level;
        c->cmsg_type = (int)type;
        if (!copy_from_guest(CMSG_DATA(c), m->control + pos + ROUND_UP(header, w), data)) {
            return false;
        }
        order_fields(abi, CMSG_DATA(c), data, control_layout((int)level, (int)type, data));
        at += CMSG_SPACE(data);
        pos += ROUND_UP(len, w);
    }
    *ret_len = at;
    return true;
}

static bool control_to_guest(const Abi *abi, const GuestMsg *m, struct msghdr *host, uint64_t *ret_len, int *flags)
{
    unsigned w = abi->word_bytes, header = w + 8;
    uint64_t at = 0;
    *ret_len = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(host); c; c = CMSG_NXTHDR(host, c)) {
        size_t data = c->cmsg_len - CMSG_LEN(0);
        uint8_t small[16];
        const uint8_t *src = CMSG_DATA(c);
        if (w == 4 && c->cmsg_level == SOL_SOCKET && data == 16
            && (c->cmsg_type == SCM_TIMESTAMP || c->cmsg_type == SCM_TIMESTAMPNS)) {
            uint64_t v[2];
            memcpy(v, src, 16);
            abi_put32(abi, small, v[0]);
            abi_put32(abi, small + 4, v[1]);
            src = small;
            data = 8;
        }
        if (src != small) {
            order_fields(abi, CMSG_DATA(c), data, control_layout(c->cmsg_level, c->cmsg_type, data));
        }
        if (at + header > m->control_len) {
            *flags |= MSG_CTRUNC;
            break;
        }
        if (at + header + data > m->control_len) {
            *flags |= MSG_CTRUNC;
            data = m->control_len - at - header;
        }
        if (!store_guest_word(abi, m->control + at, header + data)
            || !store_guest_u32(m->control + at + w, (uint32_t)c->cmsg_level)
            || !store_guest_u32(m->control + at + w + 4, (uint32_t)c->cmsg_type)
            || !copy_to_guest(m->control + at + header, src, data)) {
            return false;
        }
        at += MIN(ROUND_UP((uint64_t)header + data, w), m->control_len - at);
    }
    *ret_len = at;
    return true;
}

static int64_t one_message(Thread *t, int fd, vaddr addr, uint64_t flags, bool send, int64_t *err_with_result)
{
    const Abi *abi = t->abi;
    GuestMsg m;
    struct msghdr h = { 0 };
    struct sockaddr_storage ss;
    struct iovec fast[IOV_ON_STACK];
    uint8_t *control = NULL;
    bool ok = true;
    (void)err_with_result;
    if (!msg_get(abi, &m, addr)) {
        return -EFAULT;
    }
    if (m.n_iov > 1024) {
        return -EMSGSIZE;
    }
    if ((int32_t)m.name_len < 0) {
        return -EINVAL;
    }
    if (m.control_len > MAX_CONTROL) {
        if (send) {
            return -ENOBUFS;
        }
        m.control_len = MAX_CONTROL;
    }
    int64_t r = -EFAULT;
    h.msg_iov = iov_from_guest(abi, m.iov, m.n_iov, !send, fast, &r);
    if (!h.msg_iov) {
        return r;
    }
    h.msg_iovlen = m.n_iov;
    if (send && m.name && m.name_len) {
        h.msg_name = address_in(abi, &ss, m.name, m.name_len, &ok);
        h.msg_namelen = m.name_len;
    } else if (!send && m.name) {
        h.msg_name = &ss;
        h.msg_namelen = MIN(m.name_len, (uint32_t)sizeof(ss));
    }
    r = ok ? 0 : -EFAULT;
    if (!r && m.control && m.control_len) {
        /* Host headers are never smaller than the guest's by more than this. */
        size_t room = m.control_len * 2 + 64;
        control = xcalloc(1, room);
        h.msg_control = control;
        if (send) {
            size_t len = 0;
            r = control_from_guest(abi, &m, control, room, &len) ? 0 : -EFAULT;
            h.msg_controllen = len;
        } else {
            h.msg_controllen = abi->word_bytes == 8 ? m.control_len : m.control_len + m.control_len / 2;
        }
    }
    struct iovec copy = { 0 };
    if (!r && send) {
        r = contents_to_send(t, fd, h.msg_iov, h.msg_iovlen, &copy);
    }
    if (!r) {
        struct iovec *iov = h.msg_iov;
        if (copy.iov_base) {
            h.msg_iov = &copy;
            h.msg_iovlen = 1;
        }
        r = SAFE_SYSCALL(t, send ? SYS_sendmsg : SYS_recvmsg, fd, &h, flags);
        h.msg_iov = iov;
        free(copy.iov_base);
        if (!send) {
            r = contents_received(t, fd, iov, m.n_iov, r);
        }
        if (r >= 0 && !send) {
            unsigned w = abi->word_bytes;
            uint64_t control_len = 0;
            int out_flags = h.msg_flags;
            if (h.msg_name) {
                order_address(abi, &ss, h.msg_namelen);
            }
            if ((h.msg_name && !copy_to_guest(m.name, &ss, MIN(h.msg_namelen, m.name_len)))
                || (m.name && !store_guest_u32(addr + w, h.msg_namelen))
                || (control && !control_to_guest(abi, &m, &h, &control_len, &out_flags))
                || !store_guest_word(abi, addr + 5 * w, control_len)
                || !store_guest_u32(addr + 6 * w, (uint32_t)out_flags)) {
                r = -EFAULT;
            }
        }
    }
    free(control);
    if (h.msg_iov != fast) {
        free(h.msg_iov);
    }
    return r;
}

int64_t sys_sendmsg(Thread *t, const uint64_t *a)
{
    return one_message(t, (int)a[0], a[1], a[2], true, NULL);
}

int64_t sys_recvmsg(Thread *t, const uint64_t *a)
{
    return one_message(t, (int)a[0], a[1], a[2], false, NULL);
}

static int64_t many_messages(Thread *t, const uint64_t *a, bool send)
{
    unsigned w = t->abi->word_bytes, stride = (unsigned)ROUND_UP(msghdr_bytes(t->abi) + 4, w);
    uint64_t n = MIN(a[2], (uint64_t)MAX_MMSG), i, flags = a[3];
    struct timespec limit = { 0 }, now;
    int64_t r = 0;
    if (!send && a[4]) {
        struct timespec ts;
        if (!timespecs_from_guest(t->abi, &ts, a[4], 1)) {
            return -EFAULT;
        }
        clock_gettime(CLOCK_MONOTONIC, &limit);
        limit.tv_sec += ts.tv_sec;
        limit.tv_nsec += ts.tv_nsec;
    }
    for (i = 0; i < n; i++) {
        vaddr at = a[1] + i * stride;
        r = one_message(t, (int)a[0], at, flags & ~(uint64_t)MSG_WAITFORONE, send, NULL);
        if (r < 0) {
            break;
        }
        if (!store_guest_u32(at + msghdr_bytes(t->abi), (uint32_t)r)) {
            return -EFAULT;
        }
        if (!send && (flags & MSG_WAITFORONE)) {
            flags |= MSG_DONTWAIT;
        }
        if (!send && a[4]) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            int64_t left = (limit.tv_sec - now.tv_sec) * 1000000000 + limit.tv_nsec - now.tv_nsec;
            if (left <= 0) {
                i++;
                break;
            }
        }
    }
    return i ? (int64_t)i : r;
}

int64_t sys_sendmmsg(Thread *t, const uint64_t *a)
{
    return many_messages(t, a, true);
}

int64_t sys_recvmmsg(Thread *t, const uint64_t *a)
{
    return many_messages(t, a, false);
}
