/*
 * slirp.c: user-mode networking by libslirp: DHCP, DNS and TFTP for the guest, its connections made with the
 * host's sockets, forwarded ports.
 *
 * Threads: device lock; libslirp runs in the main loop and in whatever thread sends a frame.
 */
#include <arpa/inet.h>
#include <glib.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/net.h"
#include "softmmu/chardev.h"
#include "softmmu/clock.h"
#include "softmmu/loop.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/log.h"

typedef struct UserNet {
    NetPeer *self;
    Slirp *slirp;
    LoopPoller *poller, *filling;
    struct in_addr network, host, guest;
    char *net_text;
    bool restricted;
    VEC(struct GuestForward *) forwards;
} UserNet;

typedef struct GuestForward {
    UserNet *net;
    CharFrontend fe;
    struct in_addr addr;
    int port;
} GuestForward;

/* -- libslirp's callbacks --------------------------------------------------------------------------------------- */

static ssize_t cb_send(const void *frame, size_t len, void *opaque)
{
    UserNet *net = opaque;

    if (!net->self->peer) {
        return (ssize_t)len;
    }
    if (len < 60) { /* a real Ethernet never carries less; drivers count on it */
        uint8_t padded[60] = { 0 };
        memcpy(padded, frame, len);
        net_send(net->self, padded, sizeof(padded));
    } else {
        net_send(net->self, frame, len);
    }
    return (ssize_t)len;
}

static void cb_guest_error(const char *msg, void *opaque)
{
    log_guest_error("user network: %s\n", msg);
}

static int64_t cb_clock(void *opaque)
{
    return clock_get_ns(VM_CLOCK_VIRTUAL);
}

static void *cb_timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
    Timer *timer = xnew(Timer);
    timer_init(timer, VM_CLOCK_VIRTUAL, cb, cb_opaque);
    return timer;
}

static void cb_timer_free(void *timer, void *opaque)
{
    timer_cancel(timer);
    free(timer);
}

static void cb_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
    timer_set_ns(timer, expire_ms * NS_PER_MS);
}

static void cb_nothing_fd(int fd, void *opaque)
{
}

static void cb_notify(void *opaque)
{
    loop_wake(loop_main());
}

static const SlirpCb callbacks = {
    .send_packet = cb_send, .guest_error = cb_guest_error, .clock_get_ns = cb_clock, .timer_new = cb_timer_new,
    .timer_free = cb_timer_free, .timer_mod = cb_timer_mod, .register_poll_fd = cb_nothing_fd,
    .unregister_poll_fd = cb_nothing_fd, .notify = cb_notify,
};

static int add_poll(int fd, int events, void *opaque)
{
    UserNet *net = opaque;
    short want = 0;

    want |= events & SLIRP_POLL_IN ? POLLIN : 0;
    want |= events & SLIRP_POLL_OUT ? POLLOUT : 0;
    want |= events & SLIRP_POLL_PRI ? POLLPRI : 0;
    want |= events & SLIRP_POLL_ERR ? POLLERR : 0;
    want |= events & SLIRP_POLL_HUP ? POLLHUP : 0;
    return loop_poll_add(net->filling, fd, want);
}

static int get_events(int index, void *opaque)
{
    UserNet *net = opaque;
    short got = loop_poll_events(net->filling, index);

    return (got & POLLIN ? SLIRP_POLL_IN : 0) | (got & POLLOUT ? SLIRP_POLL_OUT : 0) | (got & POLLPRI ? SLIRP_POLL_PRI : 0) |
           (got & POLLERR ? SLIRP_POLL_ERR : 0) | (got & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static void poll_fill(void *opaque, LoopPoller *poller, int64_t *timeout_ms)
{
    UserNet *net = opaque;
    uint32_t timeout = *timeout_ms < 0 || *timeout_ms > INT32_MAX ? UINT32_MAX : (uint32_t)*timeout_ms;

    net->filling = poller;
    slirp_pollfds_fill(net->slirp, &timeout, add_poll, net);
    if (timeout != UINT32_MAX) {
        *timeout_ms = timeout;
    }
}

static void poll_done(void *opaque, LoopPoller *poller)
{
    UserNet *net = opaque;

    net->filling = poller;
    slirp_pollfds_poll(net->slirp, 0, get_events, net);
}

/* -- the cable ------------------------------------------------------------------------------------------------ */

static bool user_receive(NetPeer *self, const uint8_t *frame, size_t size_bytes)
{
    UserNet *net = self->opaque;

    slirp_input(net->slirp, frame, (int)size_bytes);
    loop_wake(loop_main()); /* there may be new sockets to wait for */
    return true;
}

static void user_finish(NetPeer *self)
{
    UserNet *net = self->opaque;

    loop_remove_poller(net->poller);
    slirp_cleanup(net->slirp);
    for (size_t i = 0; i < net->forwards.n; i++) {
        char_detach(&net->forwards.at[i]->fe);
        free(net->forwards.at[i]);
    }
    vec_free(&net->forwards);
    free(net->net_text);
    free(net);
}

static char *user_info(NetPeer *self)
{
    UserNet *net = self->opaque;
    return xasprintf("net=%s,restrict=%s", net->net_text, net->restricted ? "on" : "off");
}

static const NetPeerOps user_ops = {
    .kind = "user", .receive = user_receive, .finish = user_finish, .info = user_info,
};

/* -- forwarding ------------------------------------------------------------------------------------------------ */

static bool parse_port(const char *text, int *ret)
{
    char *end;
    long port = strtol(text, &end, 10);

    *ret = (int)port;
    return end != text && !*end && port >= 0 && port <= 65535;
}

/* "[ADDR]:PORT" with an IPv4 address or nothing. */
static bool parse_endpoint(const char *text, size_t len, struct in_addr *addr, int *port)
{
    char copy[128];

    if (len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = 0;
    char *colon = strrchr(copy, ':');
    if (!colon || !parse_port(colon + 1, port)) {
        return false;
    }
    *colon = 0;
    return !*copy || inet_pton(AF_INET, copy, addr) == 1;
}

/* [tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT */
static bool hostfwd(UserNet *net, const char *rule, bool remove, Error **errp)
{
    struct in_addr host = { .s_addr = INADDR_ANY }, guest = net->guest;
    int is_udp = 0, host_port, guest_port = 0;
    const char *p = rule, *colon = strchr(rule, ':'), *dash;

    if (!colon) {
        goto bad;
    }
    if (!strncmp(p, "udp:", 4)) {
        is_udp = 1;
    } else if (strncmp(p, "tcp:", 4) && *p != ':') {
        goto bad;
    }
    p = colon + 1;
    dash = strchr(p, '-');
    if (remove) {
        if (!parse_endpoint(p, dash ? (size_t)(dash - p) : strlen(p), &host, &host_port)) {
            goto bad;
        }
        if (slirp_remove_hostfwd(net->slirp, is_udp, host, host_port)) {
            error_set(errp, "host forwarding rule '%s' not found", rule);
            return false;
        }
        return true;
    }
    if (!dash || !parse_endpoint(p, (size_t)(dash - p), &host, &host_port) ||
        !parse_endpoint(dash + 1, strlen(dash + 1), &guest, &guest_port) || !guest_port) {
        goto bad;
    }
    if (slirp_add_hostfwd(net->slirp, is_udp, host, host_port, guest, guest_port) < 0) {
        error_set(errp, "Could not set up host forwarding rule '%s': the port may be in use", rule);
        return false;
    }
    return true;
bad:
    error_set(errp, "Invalid host forwarding rule '%s' (use tcp:[HOSTADDR]:PORT-[GUESTADDR]:PORT)", rule);
    return false;
}

bool net_hostfwd(const char *netdev_id, const char *rule, bool remove, Error **errp)
{
    NetPeer *peer = netdev_id ? netdev_find(netdev_id) : netdev_next(NULL);

    while (!netdev_id && peer && peer->ops != &user_ops) {
        peer = netdev_next(peer);
    }
    if (!peer || peer->ops != &user_ops) {
        error_set(errp, netdev_id ? "'%s' is not a user-mode netdev" : "user mode network stack not in use", netdev_id);
        return false;
    }
    return hostfwd(peer->opaque, rule, remove, errp);
}

void net_print_user_connections(PrintFn *print, void *opaque)
{
    for (NetPeer *peer = netdev_next(NULL); peer; peer = netdev_next(peer)) {
        if (peer->ops == &user_ops) {
            UserNet *net = peer->opaque;
            char *table = slirp_connection_info(net->slirp), *text = xasprintf("Hub -1 (%s):\n%s", peer->id, table);
            print(opaque, text);
            free(text);
            g_free(table);
        }
    }
}

static size_t forward_can_read(void *opaque)
{
    GuestForward *f = opaque;
    return slirp_socket_can_recv(f->net->slirp, f->addr, f->port);
}

static void forward_read(void *opaque, const uint8_t *buf, size_t len)
{
    GuestForward *f = opaque;
    slirp_socket_recv(f->net->slirp, f->addr, f->port, buf, (int)len);
}

static const CharHandlers forward_handlers = { .can_read = forward_can_read, .read = forward_read };

static ssize_t forward_write(const void *buf, size_t len, void *opaque)
{
    GuestForward *f = opaque;
    char_write_all(&f->fe, buf, len);
    return (ssize_t)len;
}

/* tcp:ADDR:PORT-cmd:COMMAND or tcp:ADDR:PORT-CHARDEV */
static bool guestfwd(UserNet *net, const char *rule, Error **errp)
{
    struct in_addr addr = { 0 };
    int port;
    const char *p = rule, *dash = strchr(rule, '-');

    if (!strncmp(p, "tcp:", 4)) {
        p += 4;
    } else if (*p == ':') {
        p++;
    } else {
        dash = NULL;
    }
    if (!dash || !parse_endpoint(p, (size_t)(dash - p), &addr, &port)) {
        error_set(errp, "Invalid guest forwarding rule '%s' (use tcp:ADDR:PORT-CHARDEV or -cmd:COMMAND)", rule);
        return false;
    }
    if (!strncmp(dash + 1, "cmd:", 4)) {
        if (slirp_add_exec(net->slirp, dash + 5, &addr, port) < 0) {
            error_set(errp, "conflicting or invalid guest forwarding address in '%s'", rule);
            return false;
        }
        return true;
    }
    GuestForward *f = xnew(GuestForward);
    Chardev *chr = NULL;
    char *id = xasprintf("guestfwd.tcp.%d", port);
    bool ok = chardev_new_legacy(id, dash + 1, NULL, &chr, errp) && char_attach(&f->fe, chr, errp);
    free(id);
    if (!ok) {
        free(f);
        return false;
    }
    if (slirp_add_guestfwd(net->slirp, forward_write, f, &addr, port) < 0) {
        error_set(errp, "conflicting or invalid guest forwarding address in '%s'", rule);
        char_detach(&f->fe);
        free(f);
        return false;
    }
    f->net = net;
    f->addr = addr;
    f->port = port;
    *vec_push(&net->forwards) = f;
    char_set_handlers(&f->fe, &forward_handlers, f);
    return true;
}

/* -- options -------------------------------------------------------------------------------------------------------- */

static bool address(const Json *options, const char *key, struct in_addr *addr, Error **errp)
{
    const char *text = NULL;

    if (!opts_string(options, key, NULL, &text, errp)) {
        return false;
    }
    if (text && inet_pton(AF_INET, text, addr) != 1) {
        error_set(errp, "Parameter '%s' expects an IPv4 address, not '%s'", key, text);
        return false;
    }
    return true;
}

/* "10.0.2.0/24", "10.0.2.0", "10.0.2.0/255.255.255.0" */
static bool parse_net(const char *text, struct in_addr *net, struct in_addr *mask, Error **errp)
{
    char copy[64];
    char *slash;

    snprintf(copy, sizeof(copy), "%s", text);
    slash = strchr(copy, '/');
    if (slash) {
        char *end;
        *slash = 0;
        unsigned long bits = strtoul(slash + 1, &end, 10);
        if (*end == 0 && bits >= 4 && bits <= 30) {
            mask->s_addr = htonl(~((1u << (32 - bits)) - 1));
        } else if (inet_pton(AF_INET, slash + 1, mask) != 1) {
            goto bad;
        }
    }
    if (inet_pton(AF_INET, copy, net) != 1) {
        goto bad;
    }
    net->s_addr &= mask->s_addr;
    return true;
bad:
    error_set(errp, "Parameter 'net' expects ADDRESS[/PREFIX], not '%s'", text);
    return false;
}

static struct in_addr at(struct in_addr net, uint32_t host)
{
    return (struct in_addr){ .s_addr = net.s_addr | htonl(host) };
}

static bool for_each_rule(UserNet *net, const Json *options, const char *key,
                          bool (*add)(UserNet *net, const char *rule, Error **errp), Error **errp)
{
    const Json *list = json_get(options, key);

    for (size_t i = 0; list && i < json_count(list); i++) {
        const Json *item = json_at(list, i);
        const char *rule = json_is(item, JSON_STRING) ? json_as_string(item) : json_get_string(item, "str");
        if (!rule) {
            error_set(errp, "Parameter '%s' expects a list of strings", key);
            return false;
        }
        if (!add(net, rule, errp)) {
            return false;
        }
    }
    return true;
}

static bool add_hostfwd(UserNet *net, const char *rule, Error **errp)
{
    return hostfwd(net, rule, false, errp);
}

static bool user_create(NetPeer *self, const Json *options, Error **errp)
{
    SlirpConfig cfg = { .version = 4 };
    struct in_addr mask = { .s_addr = htonl(0xffffff00) };
    const char *text = NULL, *tftp = NULL, *bootfile = NULL, *hostname = NULL, *domain = NULL, *tftp_name = NULL;
    bool restricted = false, ipv4 = true, ipv6 = true;
    struct stat st;

    inet_pton(AF_INET, "10.0.2.0", &cfg.vnetwork);
    inet_pton(AF_INET6, "fec0::", &cfg.vprefix_addr6);
    if (!opts_string(options, "net", NULL, &text, errp) || (text && !parse_net(text, &cfg.vnetwork, &mask, errp)) ||
        !opts_bool(options, "restrict", false, &restricted, errp) || !opts_bool(options, "ipv4", true, &ipv4, errp) ||
        !opts_bool(options, "ipv6", true, &ipv6, errp) || !opts_string(options, "tftp", NULL, &tftp, errp) ||
        !opts_string(options, "bootfile", NULL, &bootfile, errp) || !opts_string(options, "hostname", NULL, &hostname, errp) ||
        !opts_string(options, "domainname", NULL, &domain, errp) ||
        !opts_string(options, "tftp-server-name", NULL, &tftp_name, errp)) {
        return false;
    }
    cfg.vhost = at(cfg.vnetwork, 2);
    cfg.vnameserver = at(cfg.vnetwork, 3);
    cfg.vdhcp_start = at(cfg.vnetwork, 15);
    if (!address(options, "host", &cfg.vhost, errp) || !address(options, "dns", &cfg.vnameserver, errp) ||
        !address(options, "dhcpstart", &cfg.vdhcp_start, errp)) {
        return false;
    }
    if ((cfg.vhost.s_addr & mask.s_addr) != cfg.vnetwork.s_addr || (cfg.vdhcp_start.s_addr & mask.s_addr) != cfg.vnetwork.s_addr ||
        (cfg.vnameserver.s_addr & mask.s_addr) != cfg.vnetwork.s_addr) {
        error_set(errp, "host, dns and dhcpstart must lie in the network");
        return false;
    }
    if (tftp && (stat(tftp, &st) || !S_ISDIR(st.st_mode))) {
        error_set(errp, "tftp folder '%s' is not accessible", tftp);
        return false;
    }
    inet_pton(AF_INET6, "fec0::2", &cfg.vhost6);
    inet_pton(AF_INET6, "fec0::3", &cfg.vnameserver6);
    cfg.vprefix_len = 64;
    cfg.vnetmask = mask;
    cfg.restricted = restricted;
    cfg.in_enabled = ipv4;
    cfg.in6_enabled = ipv6;
    cfg.vhostname = hostname;
    cfg.vdomainname = domain;
    cfg.tftp_path = tftp;
    cfg.bootfile = bootfile;
    cfg.tftp_server_name = tftp_name;
    const Json *search = json_get(options, "dnssearch");
    VEC(const char *) domains = { 0 };
    for (size_t i = 0; search && i < json_count(search); i++) {
        const char *name = json_get_string(json_at(search, i), "str");
        *vec_push(&domains) = name ? name : "";
    }
    *vec_push(&domains) = NULL;
    cfg.vdnssearch = domains.n > 1 ? domains.at : NULL;

    UserNet *net = xnew(UserNet);
    char net_text[2][INET_ADDRSTRLEN];
    net->self = self;
    net->network = cfg.vnetwork;
    net->host = cfg.vhost;
    net->guest = cfg.vdhcp_start;
    net->restricted = restricted;
    net->net_text = xasprintf("%s,netmask=%s", inet_ntop(AF_INET, &cfg.vnetwork, net_text[0], INET_ADDRSTRLEN),
                              inet_ntop(AF_INET, &mask, net_text[1], INET_ADDRSTRLEN));
    self->ops = &user_ops;
    self->opaque = net;
    net->slirp = slirp_new(&cfg, &callbacks, net);
    vec_free(&domains);
    if (!net->slirp) {
        error_set(errp, "the user network could not be started");
        free(net->net_text);
        free(net);
        return false;
    }
    net->poller = loop_add_poller(loop_main(), poll_fill, poll_done, net);
    if (!for_each_rule(net, options, "hostfwd", add_hostfwd, errp) || !for_each_rule(net, options, "guestfwd", guestfwd, errp)) {
        user_finish(self);
        return false;
    }
    return true;
}

static const char *const user_options[] = {
    "net", "host", "restrict", "ipv4", "ipv6", "hostname", "tftp", "tftp-server-name", "bootfile", "dhcpstart", "dns",
    "dnssearch", "domainname", "hostfwd", "guestfwd", NULL,
};

const NetBackend net_backend_user = {
    .kind = "user", .summary = "User-mode networking (libslirp)", .create = user_create, .options = user_options,
};
