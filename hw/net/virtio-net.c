/*
 * virtio-net.c: a network card: one queue pair, mergeable receive buffers, receive filters, link state.
 *
 * Leaves out: checksum and segmentation offloads (the back ends carry plain frames), multiqueue, RSS.
 * Specification: VIRTIO 1.2, 5.1.
 */
#include "hw/virtio-types.h"
#include "util/bits.h"
#include "util/log.h"

enum { /* feature bits */
    F_MTU = 3, F_MAC = 5, F_MRG_RXBUF = 15, F_STATUS = 16, F_CTRL_VQ = 17, F_CTRL_RX = 18, F_CTRL_VLAN = 19,
    F_CTRL_RX_EXTRA = 20, F_GUEST_ANNOUNCE = 21, F_CTRL_MAC_ADDR = 23,
};
enum { CTRL_RX = 0, CTRL_MAC = 1, CTRL_VLAN = 2, CTRL_ANNOUNCE = 3 };
enum { CTRL_OK = 0, CTRL_ERR = 1, STATUS_LINK_UP = 1 };
enum { MAC_TABLE = 64, CONFIG_BYTES = 12, FRAME_MAX = 65536 + 18 };

static size_t header_bytes(const VirtioNet *s)
{
    return virtio_has(&s->vdev, F_MRG_RXBUF) || virtio_has(&s->vdev, VIRTIO_F_VERSION_1) ? 12 : 10;
}

/* -- receiving ----------------------------------------------------------------------------------------------- */

static bool in_table(const VirtioNet *s, const uint8_t *mac)
{
    for (unsigned i = 0; i < s->n_mac; i++) {
        if (!memcmp(s->mac_table[i], mac, 6)) {
            return true;
        }
    }
    return false;
}

static bool wanted(const VirtioNet *s, const uint8_t *frame, size_t size)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (s->promisc) {
        return true;
    }
    if (size >= 18 && ldbe16(frame + 12) == 0x8100) {
        unsigned vid = ldbe16(frame + 14) & 0xfff;
        if (!(s->vlans[vid / 32] >> vid % 32 & 1)) {
            return false;
        }
    }
    if (frame[0] & 1) {
        if (!memcmp(frame, broadcast, 6)) {
            return !s->nobcast;
        }
        return !s->nomulti && (s->allmulti || s->mac_overflow_multi || in_table(s, frame));
    }
    return !s->nouni && (s->alluni || s->mac_overflow_uni || !memcmp(frame, s->mac, 6) || in_table(s, frame));
}

static bool net_receive(NetPeer *self, const uint8_t *frame, size_t size)
{
    VirtioNet *s = self->opaque;
    size_t head = header_bytes(s), at = 0;
    uint8_t header[12] = { 0 };
    VirtElem *elems[32];
    uint32_t used[32];
    unsigned n = 0;
    bool mergeable = virtio_has(&s->vdev, F_MRG_RXBUF);

    if (!virtio_driver_ok(&s->vdev) || size > FRAME_MAX || !wanted(s, frame, size)) {
        return true; /* nobody there: lost */
    }
    while (at < size || !n) {
        VirtElem *elem = n < ARRAY_SIZE(elems) ? virtq_pop(s->rx) : NULL;
        if (!elem) {
            bool broken = s->vdev.broken;
            while (n) { /* not enough buffers: wait for more */
                n--;
                virtq_unpop(s->rx, elems[n]);
            }
            return broken || !virtq_empty(s->rx);
        }
        size_t skip = n ? 0 : head;
        elems[n] = elem;
        if (elem->in_bytes <= skip || (!mergeable && elem->in_bytes < skip + size)) {
            if (!mergeable && elem->in_bytes > skip) {
                virtq_push(s->rx, elem, 0); /* a frame too long for its buffer is dropped */
                virtq_notify(s->rx);
                return true;
            }
            virtio_fail(&s->vdev, "receive buffer of %zu bytes", elem->in_bytes);
            n++;
            while (n) {
                virtq_detach(s->rx, elems[--n]);
            }
            return true;
        }
        size_t len = iov_from_buf(elem->in, elem->n_in, skip, frame + at, size - at);
        at += len;
        used[n++] = (uint32_t)(skip + len);
    }
    stle16(header + 10, (uint16_t)n);
    iov_from_buf(elems[0]->in, elems[0]->n_in, 0, header, head);
    for (unsigned i = 0; i < n; i++) {
        virtq_push(s->rx, elems[i], used[i]);
    }
    virtq_notify(s->rx);
    return true;
}

static void handle_rx(VirtioDevice *vdev, VirtQueue *vq)
{
    net_flush(&((VirtioNet *)vdev)->nic);
}

/* -- sending --------------------------------------------------------------------------------------------------- */

static void handle_tx(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioNet *s = (VirtioNet *)vdev;
    VirtElem *elem;
    unsigned budget = 4 * VIRTIO_QUEUE_MAX; /* a guest that refills for ever gets a pause at its next kick */

    do {
        virtq_set_notify(vq, false);
        while (budget && (elem = virtq_pop(vq))) {
            size_t head = header_bytes(s);
            budget--;
            if (elem->out_bytes < head) {
                virtio_fail(vdev, "transmit buffer of %zu bytes", elem->out_bytes);
                virtq_detach(vq, elem);
                return;
            }
            if (elem->out_bytes <= head + FRAME_MAX) {
                net_send_iov(&s->nic, elem->out, elem->n_out, head);
            }
            virtq_push(vq, elem, 0);
            virtq_notify(vq);
        }
        virtq_set_notify(vq, true);
    } while (budget && !virtq_empty(vq));
}

/* -- control ---------------------------------------------------------------------------------------------------- */

static uint8_t ctrl_rx(VirtioNet *s, uint8_t cmd, const uint8_t *data, size_t n)
{
    bool *const modes[] = { &s->promisc, &s->allmulti, &s->alluni, &s->nomulti, &s->nouni, &s->nobcast };

    if (n < 1 || cmd >= ARRAY_SIZE(modes)) {
        return CTRL_ERR;
    }
    *modes[cmd] = data[0] != 0;
    return CTRL_OK;
}

static uint8_t ctrl_mac(VirtioNet *s, uint8_t cmd, const uint8_t *data, size_t n)
{
    if (cmd == 1) {
        if (n < 6) {
            return CTRL_ERR;
        }
        memcpy(s->mac, data, 6);
        memcpy(s->nic.mac, data, 6);
        return CTRL_OK;
    }
    if (cmd != 0) {
        return CTRL_ERR;
    }
    /* Two tables, unicast then multicast: a 32-bit count and the addresses. */
    s->n_mac = 0;
    s->mac_overflow_uni = s->mac_overflow_multi = false;
    for (int table = 0; table < 2; table++) {
        if (n < 4) {
            return CTRL_ERR;
        }
        uint32_t count = ldle32(data);
        data += 4;
        n -= 4;
        if (count > n / 6) {
            return CTRL_ERR;
        }
        if (s->n_mac + count <= MAC_TABLE) {
            memcpy(s->mac_table[s->n_mac], data, count * 6);
            s->n_mac += count;
        } else {
            *(table ? &s->mac_overflow_multi : &s->mac_overflow_uni) = true;
        }
        data += count * 6;
        n -= count * 6;
    }
    return CTRL_OK;
}

static uint8_t ctrl_vlan(VirtioNet *s, uint8_t cmd, const uint8_t *data, size_t n)
{
    unsigned vid = n >= 2 ? ldle16(data) : 4096;

    if (vid >= 4096 || cmd > 1) {
        return CTRL_ERR;
    }
    if (cmd == 0) {
        s->vlans[vid / 32] |= 1u << vid % 32;
    } else {
        s->vlans[vid / 32] &= ~(1u << vid % 32);
    }
    return CTRL_OK;
}

static void handle_ctrl(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioNet *s = (VirtioNet *)vdev;
    VirtElem *elem;

    while ((elem = virtq_pop(vq))) {
        uint8_t data[2 + 8 + (MAC_TABLE + 1024) * 6];
        size_t n = iov_to_buf(elem->out, elem->n_out, 0, data, sizeof(data));
        uint8_t ack = CTRL_ERR;
        if (n < 2 || elem->in_bytes < 1) {
            virtio_fail(vdev, "control command of %zu bytes", n);
            virtq_detach(vq, elem);
            return;
        }
        switch (data[0]) {
        case CTRL_RX: ack = ctrl_rx(s, data[1], data + 2, n - 2); break;
        case CTRL_MAC: ack = ctrl_mac(s, data[1], data + 2, n - 2); break;
        case CTRL_VLAN: ack = ctrl_vlan(s, data[1], data + 2, n - 2); break;
        case CTRL_ANNOUNCE: ack = CTRL_OK; break;
        }
        iov_from_buf(elem->in, elem->n_in, 0, &ack, 1);
        virtq_push(vq, elem, 1);
        virtq_notify(vq);
        net_flush(&s->nic);
    }
}

/* -- device -------------------------------------------------------------------------------------------------------- */

static uint64_t net_features(VirtioDevice *vdev, uint64_t user)
{
    VirtioNet *s = (VirtioNet *)vdev;
    uint64_t f = user | BIT(F_MAC) | (s->features & (BIT(F_MRG_RXBUF) | BIT(F_STATUS) | BIT(F_GUEST_ANNOUNCE)));

    if (s->features & BIT(F_CTRL_VQ)) {
        f |= s->features & (BIT(F_CTRL_VQ) | BIT(F_CTRL_RX) | BIT(F_CTRL_VLAN) | BIT(F_CTRL_RX_EXTRA) | BIT(F_CTRL_MAC_ADDR));
    } else {
        f &= ~BIT(F_GUEST_ANNOUNCE);
    }
    return f | (s->host_mtu ? BIT(F_MTU) : 0);
}

static void net_config_read(VirtioDevice *vdev, uint8_t *c)
{
    VirtioNet *s = (VirtioNet *)vdev;

    memcpy(c, s->mac, 6);
    stle16(c + 6, s->link_up ? STATUS_LINK_UP : 0);
    stle16(c + 8, 1);
    stle16(c + 10, s->host_mtu);
}

static void net_config_write(VirtioDevice *vdev, const uint8_t *c, size_t offset, size_t size)
{
    VirtioNet *s = (VirtioNet *)vdev;

    if (vdev->legacy && offset < 6) { /* only legacy drivers may set the address here */
        memcpy(s->mac, c, 6);
        memcpy(s->nic.mac, c, 6);
    }
}

static void net_reset(VirtioDevice *vdev)
{
    VirtioNet *s = (VirtioNet *)vdev;

    s->promisc = true; /* until the driver says otherwise (legacy drivers never do) */
    s->allmulti = s->alluni = s->nomulti = s->nouni = s->nobcast = false;
    s->n_mac = 0;
    s->mac_overflow_uni = s->mac_overflow_multi = false;
    memset(s->vlans, 0, sizeof(s->vlans));
}

static void net_features_set(VirtioDevice *vdev)
{
    VirtioNet *s = (VirtioNet *)vdev;

    if (!virtio_has(vdev, F_CTRL_VLAN)) {
        memset(s->vlans, 0xff, sizeof(s->vlans));
    }
}

static void link_changed(NetPeer *self)
{
    VirtioNet *s = self->opaque;
    bool up = !self->link_down && self->peer && !self->peer->link_down;

    if (up != s->link_up) {
        s->link_up = up;
        virtio_config_changed(&s->vdev);
    }
}

static const NetPeerOps nic_ops = { .kind = "nic", .receive = net_receive, .link_changed = link_changed };

static bool queue_size_ok(uint16_t size, const char *name, Error **errp)
{
    if (size < 64 || size > VIRTIO_QUEUE_MAX || !bits_is_pow2(size)) {
        error_set(errp, "Invalid %s (= %u), must be a power of two between 64 and 1024", name, size);
        return false;
    }
    return true;
}

static bool net_realize(VirtioDevice *vdev, Error **errp)
{
    VirtioNet *s = (VirtioNet *)vdev;

    if (!queue_size_ok(s->rx_queue_size, "rx_queue_size", errp) || !queue_size_ok(s->tx_queue_size, "tx_queue_size", errp)) {
        return false;
    }
    if (!nic_attach(&s->nic, &nic_ops, s->netdev, vdev->proxy->id, vdev->proxy->obj.type->name, s->mac, s, errp)) {
        return false;
    }
    virtio_init(vdev, CONFIG_BYTES);
    s->rx = virtio_add_queue(vdev, s->rx_queue_size, handle_rx);
    s->tx = virtio_add_queue(vdev, s->tx_queue_size, handle_tx);
    if (s->features & BIT(F_CTRL_VQ)) {
        s->ctrl = virtio_add_queue(vdev, 64, handle_ctrl);
    }
    s->link_up = s->nic.peer != NULL;
    return true;
}

static void net_unrealize(VirtioDevice *vdev)
{
    nic_detach(&((VirtioNet *)vdev)->nic);
}

static const VirtioType virtio_net = {
    .id = VIRTIO_ID_NET, .features = net_features, .features_set = net_features_set, .config_read = net_config_read,
    .config_write = net_config_write, .reset = net_reset, .realize = net_realize, .unrealize = net_unrealize,
};

static const StateField net_fields[] = {
    { .name = "virtio", .kind = STATE_STRUCT, .offset = offsetof(VirtioNet, vdev), .elem_size = sizeof(VirtioDevice),
      .sub = &virtio_state },
    STATE_U_ARRAY(VirtioNet, mac), STATE_U(VirtioNet, promisc), STATE_U(VirtioNet, allmulti), STATE_U(VirtioNet, alluni),
    STATE_U(VirtioNet, nomulti), STATE_U(VirtioNet, nouni), STATE_U(VirtioNet, nobcast), STATE_U(VirtioNet, n_mac),
    STATE_BYTES(VirtioNet, mac_table), STATE_U(VirtioNet, mac_overflow_uni), STATE_U(VirtioNet, mac_overflow_multi),
    STATE_U_ARRAY(VirtioNet, vlans), STATE_U(VirtioNet, link_up),
};

static bool net_post_load(void *opaque, uint32_t version, Error **errp)
{
    VirtioNet *s = opaque;

    if (s->n_mac > MAC_TABLE) {
        error_set(errp, "receive filter of %u addresses", s->n_mac);
        return false;
    }
    return true;
}

static const StateDesc net_state = {
    .name = "virtio-net", .version = 1, .fields = net_fields, .n_fields = ARRAY_SIZE(net_fields), .post_load = net_post_load,
};

static const Property net_props[] = { VIRTIO_NET_PROPS(VirtioNet, ) };

static const DeviceType virtio_net_device_type = {
    .type = { .name = "virtio-net-device", .parent = "virtio-device", .size_bytes = sizeof(VirtioNet),
              .summary = "virtio network device", .props = net_props, .n_props = ARRAY_SIZE(net_props),
              .class_data = &virtio_net },
    .category = DEVICE_NETWORK, .state = &net_state, VIRTIO_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(virtio_net_device_type);
