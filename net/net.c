/*
 * net.c: netdevs, nics and the cable between them; -netdev, -nic, -net.
 */
#include <stdio.h>

#include "hw/prop-hooks.h"
#include "net/net.h"
#include "softmmu/options.h"
#include "util/alloc.h"

enum { NET_QUEUE_FRAMES = 1024 };

struct NetFrame {
    NetFrame *next;
    size_t size_bytes;
    uint8_t data[];
};

/* A device to be made for -nic or -net nic. */
typedef struct NicRequest {
    char *model, *netdev, *mac, *id, *addr;
} NicRequest;

static NetPeer *netdevs, *nics;
static VEC(NicRequest) requests;
static bool any_option;
static unsigned next_mac = 0x56, next_id;

static const NetBackend *const backends[] = {
#ifdef CONFIG_SLIRP
    &net_backend_user,
#endif
    &net_backend_tap, &net_backend_socket,
};

/* Known to the reference, not to us. */
static const char *const absent[] = {
    "user", "l2tpv3", "stream", "dgram", "vde", "bridge", "hubport", "netmap", "vhost-user", "vhost-vdpa", "af-xdp", "passt",
};

static NetPeer *find_in(NetPeer *list, const char *id)
{
    for (NetPeer *p = list; p; p = p->next) {
        if (!strcmp(p->id, id)) {
            return p;
        }
    }
    return NULL;
}

NetPeer *netdev_find(const char *id)
{
    return find_in(netdevs, id);
}

NetPeer *netdev_next(NetPeer *peer)
{
    return peer ? peer->next : netdevs;
}

static const NetBackend *backend_find(const char *kind, Error **errp)
{
    for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
        if (!strcmp(backends[i]->kind, kind)) {
            return backends[i];
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
        if (!strcmp(absent[i], kind)) {
            error_set(errp, "network backend '%s' is not supported by this build", kind);
            return NULL;
        }
    }
    error_set(errp, "Parameter 'type' expects a netdev backend type (not '%s')", kind);
    return NULL;
}

static void append(NetPeer **list, NetPeer *peer)
{
    while (*list) {
        list = &(*list)->next;
    }
    *list = peer;
    peer->next = NULL;
    peer->queue_end = &peer->queue;
}

static void unlink_from(NetPeer **list, NetPeer *peer)
{
    while (*list && *list != peer) {
        list = &(*list)->next;
    }
    if (*list) {
        *list = peer->next;
    }
}

static void drop_queue(NetPeer *peer)
{
    while (peer->queue) {
        NetFrame *frame = peer->queue;
        peer->queue = frame->next;
        free(frame);
    }
    peer->queue_end = &peer->queue;
    peer->n_queued = 0;
}

bool netdev_add(const Json *options, Error **errp)
{
    const char *kind = NULL, *id = NULL;

    if (!opts_string(options, "type", NULL, &kind, errp) || !opts_string(options, "id", NULL, &id, errp)) {
        return false;
    }
    if (!kind || !id) {
        error_set(errp, "Parameter '%s' is missing", kind ? "id" : "type");
        return false;
    }
    if (!options_id_ok(id)) {
        error_set(errp, "Parameter 'id' expects an identifier");
        return false;
    }
    if (netdev_find(id)) {
        error_set(errp, "Duplicate netdev ID '%s'", id);
        return false;
    }
    const NetBackend *backend = backend_find(kind, errp);
    if (!backend) {
        return false;
    }
    for (size_t i = 0; i < json_count(options); i++) {
        const char *key = json_key_at(options, i);
        bool known = !strcmp(key, "type") || !strcmp(key, "id");
        for (size_t k = 0; backend->options[k] && !known; k++) {
            known = !strcmp(key, backend->options[k]);
        }
        if (!known) {
            error_set(errp, "Parameter '%s' is unexpected for netdev '%s'", key, kind);
            return false;
        }
    }
    NetPeer *peer = xnew(NetPeer);
    peer->id = xstrdup(id);
    if (!backend->create(peer, options, errp)) {
        free(peer->id);
        free(peer);
        return false;
    }
    append(&netdevs, peer);
    return true;
}

/* Repeated keys (hostfwd=…,hostfwd=…) become arrays of {"str": VALUE}, as QMP has them. */
static void collect_lists(Json *options, const char *text)
{
    static const char *const lists[] = { "hostfwd", "guestfwd", "dnssearch" };

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        size_t len = strlen(lists[i]);
        Json *list = NULL;
        for (const char *p = text; *p;) {
            const char *end = p;
            while (*end && (*end != ',' || end[1] == ',')) {
                end += *end == ',' ? 2 : 1;
            }
            if (!strncmp(p, lists[i], len) && p[len] == '=') {
                Json *one = opts_parse(xstrndup(p, (size_t)(end - p)), NULL, NULL), *item = json_object();
                json_put(item, "str", json_take(one, lists[i]));
                json_free(one);
                list = list ? list : json_array();
                json_push(list, item);
            }
            p = *end ? end + 1 : end;
        }
        if (list) {
            json_put(options, lists[i], list);
        }
    }
}

static Json *parse(const char *text, const char *implied, Error **errp)
{
    Json *options = opts_parse(text, implied, errp);

    if (options && *text != '{') {
        collect_lists(options, text);
    }
    return options;
}

bool netdev_option(const char *text, Error **errp)
{
    Json *options = parse(text, "type", errp);

    if (!options) {
        return false;
    }
    if (opts_wants_help(options, "type")) {
        printf("Available netdev backend types:\n");
        for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
            printf("%s\n", backends[i]->kind);
        }
        exit(0);
    }
    any_option = true;
    bool ok = netdev_add(options, errp);
    json_free(options);
    return ok;
}

bool netdev_del(const char *id, Error **errp)
{
    NetPeer *peer = netdev_find(id);

    if (!peer) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", id);
        return false;
    }
    if (peer->peer) {
        peer->peer->peer = NULL;
        if (peer->peer->ops->link_changed) {
            peer->peer->ops->link_changed(peer->peer);
        }
    }
    unlink_from(&netdevs, peer);
    drop_queue(peer);
    peer->ops->finish(peer);
    free(peer->id);
    free(peer);
    return true;
}

static char *take_string(Json *options, const char *key)
{
    Json *value = json_take(options, key);
    char *text = value && json_is(value, JSON_STRING) ? xstrdup(json_as_string(value)) : NULL;
    json_free(value);
    return text;
}

bool nic_option(const char *text, Error **errp)
{
    Json *options = parse(text, "type", errp);
    bool ok = true;

    if (!options) {
        return false;
    }
    any_option = true;
    const char *kind = json_get_string(options, "type");
#ifdef CONFIG_SLIRP
    if (!kind) {
        json_put_string(options, "type", kind = "user");
    }
#endif
    if (kind && !strcmp(kind, "none")) {
        json_free(options);
        return true;
    }
    NicRequest request = { take_string(options, "model"), NULL, take_string(options, "mac"), take_string(options, "id"),
                           take_string(options, "addr") };
    request.netdev = xasprintf("#net%u", next_id++);
    Json *copy = json_copy(options);
    json_put_string(copy, "id", "net");
    request.netdev[0] = 'n'; /* an id a user is unlikely to choose, yet a valid one */
    json_put_string(copy, "id", request.netdev);
    if (!kind) {
        error_set(errp, "-nic needs a backend type");
        ok = false;
    } else {
        ok = netdev_add(copy, errp);
    }
    json_free(copy);
    json_free(options);
    if (ok) {
        *vec_push(&requests) = request;
    }
    return ok;
}

/* The old spelling: everything on one hub; we connect the n-th nic with the n-th back end. */
bool net_legacy_option(const char *text, Error **errp)
{
    static VEC(char *) unclaimed;
    Json *options = parse(text, "type", errp);
    const char *kind = options ? json_get_string(options, "type") : NULL;
    bool ok = true;

    if (!options) {
        return false;
    }
    any_option = true;
    if (kind && !strcmp(kind, "nic")) {
        *vec_push(&requests) = (NicRequest){ take_string(options, "model"), take_string(options, "netdev"),
                                             take_string(options, "macaddr"), take_string(options, "name"),
                                             take_string(options, "addr") };
    } else if (kind && strcmp(kind, "none")) {
        char *id = xasprintf("nnet%u", next_id++);
        json_put_string(options, "id", id);
        ok = netdev_add(options, errp);
        *vec_push(&unclaimed) = id;
    } else if (!kind) {
        error_set(errp, "-net needs a type");
        ok = false;
    }
    json_free(options);
    for (size_t i = 0, used = 0; ok && i < requests.n && used < unclaimed.n; i++) {
        if (!requests.at[i].netdev) {
            requests.at[i].netdev = unclaimed.at[used];
            memmove(unclaimed.at, unclaimed.at + 1, --unclaimed.n * sizeof(char *));
        }
    }
    return ok;
}

bool net_create_nics(const char *model, bool defaults, bool (*add)(const char *type, const char *const *props, Error **errp),
                     Error **errp)
{
    if (!any_option && defaults && model) {
#ifdef CONFIG_SLIRP
        if (!nic_option("user", errp)) {
            return false;
        }
#endif
    }
    for (size_t i = 0; i < requests.n; i++) {
        NicRequest *r = &requests.at[i];
        const char *props[12];
        char *type = r->model ? xstrdup(r->model) : model ? xstrdup(model) : NULL;
        unsigned n = 0;
        if (!type) {
            error_set(errp, "this machine has no default network device: use -nic model=…");
            return false;
        }
        if (!strcmp(type, "virtio")) {
            free(type);
            type = xstrdup("virtio-net-pci");
        }
        if (r->netdev) {
            props[n++] = "netdev";
            props[n++] = r->netdev;
        }
        if (r->mac) {
            props[n++] = "mac";
            props[n++] = r->mac;
        }
        if (r->id) {
            props[n++] = "id";
            props[n++] = r->id;
        }
        if (r->addr) {
            props[n++] = "addr";
            props[n++] = r->addr;
        }
        props[n] = NULL;
        bool ok = add(type, props, errp);
        free(type);
        if (!ok) {
            return false;
        }
    }
    vec_clear(&requests);
    return true;
}

void net_warn_unconnected(void)
{
    for (NetPeer *p = netdevs; p; p = p->next) {
        if (!p->peer) {
            error_warn("netdev %s has no peer", p->id);
        }
    }
}

/* -- nics --------------------------------------------------------------------------------------------------- */

void net_default_mac(uint8_t mac[6])
{
    static const uint8_t zero[6];
    if (!memcmp(mac, zero, 6)) {
        memcpy(mac, (uint8_t[]){ 0x52, 0x54, 0x00, 0x12, 0x34, (uint8_t)next_mac++ }, 6);
    }
}

bool nic_attach(NetPeer *nic, const NetPeerOps *ops, NetPeer *netdev, const char *id, const char *model, uint8_t mac[6],
                void *opaque, Error **errp)
{
    if (netdev && netdev->peer) {
        error_set(errp, "netdev '%s' is already in use by '%s'", netdev->id, netdev->peer->id);
        return false;
    }
    net_default_mac(mac);
    *nic = (NetPeer){ .ops = ops, .is_nic = true, .model = xstrdup(model), .peer = netdev, .opaque = opaque };
    static unsigned number;
    nic->id = id ? xstrdup(id) : xasprintf("%s.%u", model, number++);
    memcpy(nic->mac, mac, 6);
    append(&nics, nic);
    if (netdev) {
        netdev->peer = nic;
    }
    return true;
}

void nic_detach(NetPeer *nic)
{
    if (!nic->ops) {
        return;
    }
    unlink_from(&nics, nic);
    drop_queue(nic);
    if (nic->peer) {
        nic->peer->peer = NULL;
        drop_queue(nic->peer);
    }
    free(nic->id);
    free(nic->model);
    *nic = (NetPeer){ 0 };
}

/* -- frames --------------------------------------------------------------------------------------------------- */

void net_send(NetPeer *from, const uint8_t *frame, size_t size_bytes)
{
    NetPeer *to = from->peer;

    if (!to || from->link_down || to->link_down || size_bytes < 14) {
        return;
    }
    if (!to->queue && to->ops->receive(to, frame, size_bytes)) {
        return;
    }
    if (to->n_queued >= NET_QUEUE_FRAMES) {
        return; /* a network may lose frames */
    }
    NetFrame *copy = xmalloc(sizeof(*copy) + size_bytes);
    copy->next = NULL;
    copy->size_bytes = size_bytes;
    memcpy(copy->data, frame, size_bytes);
    *to->queue_end = copy;
    to->queue_end = &copy->next;
    to->n_queued++;
}

void net_send_iov(NetPeer *from, const struct iovec *iov, unsigned n, size_t skip_bytes)
{
    static uint8_t *buffer; /* under the device lock */
    size_t bytes = 0;

    if (!buffer) {
        buffer = xmalloc(128 * KiB);
    }
    for (unsigned i = 0; i < n; i++) {
        size_t skip = MIN(skip_bytes, iov[i].iov_len), len = MIN(iov[i].iov_len - skip, 128 * KiB - bytes);
        memcpy(buffer + bytes, (char *)iov[i].iov_base + skip, len);
        bytes += len;
        skip_bytes -= skip;
    }
    net_send(from, buffer, bytes);
}

void net_flush(NetPeer *self)
{
    bool any = false;

    while (self->queue && self->ops->receive(self, self->queue->data, self->queue->size_bytes)) {
        NetFrame *frame = self->queue;
        self->queue = frame->next;
        if (!self->queue) {
            self->queue_end = &self->queue;
        }
        self->n_queued--;
        free(frame);
        any = true;
    }
    if (any && !self->queue && self->peer && self->peer->ops->writable) {
        self->peer->ops->writable(self->peer);
    }
}

bool net_set_link(const char *id, bool up, Error **errp)
{
    NetPeer *peer = find_in(nics, id);

    peer = peer ? peer : netdev_find(id);
    if (!peer) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", id);
        return false;
    }
    NetPeer *nic = peer->is_nic ? peer : peer->peer;
    peer->link_down = !up;
    if (nic && nic->ops->link_changed) {
        nic->ops->link_changed(nic);
    }
    return true;
}

char *net_info(void)
{
    char *text = xstrdup("");

    for (int pass = 0; pass < 2; pass++) {
        for (NetPeer *p = pass ? netdevs : nics; p; p = p->next) {
            char *detail = p->ops->info ? p->ops->info(p) : xstrdup("");
            char *line = p->is_nic
                ? xasprintf("%s%s: index=0,type=nic,model=%s,macaddr=%02x:%02x:%02x:%02x:%02x:%02x\n", text, p->id, p->model,
                            p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4], p->mac[5])
                : xasprintf("%s%s%s: index=0,type=%s,%s\n", text, p->peer ? " \\ " : "", p->id, p->ops->kind, detail);
            free(detail);
            free(text);
            text = line;
        }
    }
    return text;
}

/* -- set-up ---------------------------------------------------------------------------------------------------- */

static bool netdev_prop_set(Object *obj, const Property *prop, void *field, const char *text, Error **errp)
{
    NetPeer *peer = netdev_find(text);

    if (!peer) {
        error_set(errp, "Property '%s.%s' can't find value '%s'", obj->type->name, prop->name, text);
        return false;
    }
    *(NetPeer **)field = peer;
    return true;
}

static char *netdev_prop_get(const void *field)
{
    const NetPeer *peer = *(NetPeer *const *)field;
    return peer ? xstrdup(peer->id) : NULL;
}

void net_init(void)
{
    static const PropHooks hooks = { netdev_prop_set, netdev_prop_get };
    property_set_hooks(PROP_NETDEV, &hooks);
}

void net_cleanup(void)
{
    while (netdevs) {
        netdev_del(netdevs->id, NULL);
    }
}

#ifndef CONFIG_SLIRP
bool net_hostfwd(const char *netdev_id, const char *rule, bool remove, Error **errp)
{
    error_set(errp, "user mode network stack not in use");
    return false;
}

void net_print_user_connections(PrintFn *print, void *opaque)
{
}
#endif
