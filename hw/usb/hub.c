/*
 * hub.c: usb-hub: a full-speed hub with up to eight ports.
 *
 * Specification: USB 2.0, 11.23 (descriptors), 11.24 (requests), 11.12 (status change endpoint). Port indicators and over-current are
 * not there.
 */
#include <stdlib.h>

#include "hw/usb.h"

enum { MAX_PORTS = 8, ENDPOINT = 0x81, HUB_DESC_BYTES = 9 };
enum { /* wPortStatus, wPortChange; features have the same numbers (11.24.2.7, table 11-17) */
    PORT_CONNECTION = 0, PORT_ENABLE = 1, PORT_SUSPEND = 2, PORT_RESET = 4, PORT_POWER = 8, PORT_LOW_SPEED = 9, PORT_HIGH_SPEED = 10,
    C_PORT_FIRST = 16, C_PORT_CONNECTION = 16, C_PORT_ENABLE = 17, C_PORT_SUSPEND = 18, C_PORT_RESET = 20,
};
enum { PORT_BYTES = 4, HUB_POWER_ALL = 0, HUB_POWER_EACH = 1, HUB_NO_OVER_CURRENT = 0x10 };

typedef struct UsbHub {
    UsbDevice usb;
    bool port_power;
    UsbPort ports[MAX_PORTS];
    uint16_t status[MAX_PORTS], change[MAX_PORTS];
} UsbHub;

static const UsbEndpointDesc endpoint = { .address = ENDPOINT, .type = USB_EP_INTERRUPT, .max_packet = 1 + DIV_ROUND_UP(MAX_PORTS, 8),
                                          .interval = 255 };
static const UsbInterfaceDesc interface = { .class_code = 9, .endpoints = &endpoint, .n_endpoints = 1 };
static const UsbConfigDesc config = {
    .value = 1, .attributes = USB_CONFIG_ALWAYS | USB_CONFIG_SELF_POWERED | USB_CONFIG_WAKEUP, .interfaces = &interface, .n_interfaces = 1,
};
static const UsbSpeedDesc full = { .usb_version = 0x0110, .class_code = 9, .max_packet0 = 8, .configs = &config, .n_configs = 1 };
static const char *const strings[] = { NULL, "QEMU", "QEMU USB Hub", "314159" };
static const UsbDesc hub_desc = {
    .vendor = 0x0409, .product = 0x55aa, .version = 0x0101, .manufacturer_string = 1, .product_string = 2, .serial_string = 3,
    .strings = strings, .n_strings = ARRAY_SIZE(strings), .speeds = { [USB_SPEED_FULL] = &full },
};

/* -- ports ---------------------------------------------------------------------------------------------------------------- */

static bool is_set(uint16_t word, unsigned bit)
{
    return word >> bit & 1;
}

static void set(uint16_t *word, unsigned bit, bool on)
{
    *word = (uint16_t)(on ? *word | 1u << bit : *word & ~(1u << bit));
}

static void changed(UsbHub *h, unsigned n, unsigned feature)
{
    set(&h->change[n], feature - C_PORT_FIRST, true);
    usb_wakeup(&h->usb, ENDPOINT);
}

/* What is plugged in, as a hub with power sees it. */
static void connect(UsbHub *h, unsigned n)
{
    const UsbDevice *dev = h->ports[n].dev;
    bool powered = is_set(h->status[n], PORT_POWER);

    h->status[n] = (uint16_t)(powered << PORT_POWER);
    if (powered && dev) {
        set(&h->status[n], PORT_CONNECTION, true);
        set(&h->status[n], PORT_LOW_SPEED, dev->speed == USB_SPEED_LOW);
    }
}

static void attached(UsbPort *port)
{
    UsbHub *h = port->opaque;

    connect(h, port->index);
    if (is_set(h->status[port->index], PORT_CONNECTION)) {
        changed(h, port->index, C_PORT_CONNECTION);
    }
}

static void detached(UsbPort *port)
{
    UsbHub *h = port->opaque;
    UsbDevice *dev = port->dev;
    bool was_seen = is_set(h->status[port->index], PORT_CONNECTION);

    port->dev = NULL;
    connect(h, port->index);
    port->dev = dev;
    if (was_seen) {
        changed(h, port->index, C_PORT_CONNECTION);
    }
}

static void wakeup(UsbPort *port, UsbDevice *dev, uint8_t ep)
{
    UsbHub *h = port->opaque;

    if (is_set(h->status[port->index], PORT_SUSPEND) && dev->remote_wakeup) {
        set(&h->status[port->index], PORT_SUSPEND, false);
        changed(h, port->index, C_PORT_SUSPEND);
    }
}

static const UsbPortOps port_ops = { .attached = attached, .detached = detached, .wakeup = wakeup };

static UsbStatus set_feature(UsbHub *h, unsigned n, unsigned feature)
{
    UsbDevice *dev = h->ports[n].dev;

    switch (feature) {
    case PORT_RESET:
        if (is_set(h->status[n], PORT_CONNECTION)) {
            usb_reset(dev);
            set(&h->status[n], PORT_ENABLE, true);
            set(&h->status[n], PORT_SUSPEND, false);
            changed(h, n, C_PORT_RESET);
        }
        return USB_OK;
    case PORT_SUSPEND:
        set(&h->status[n], PORT_SUSPEND, is_set(h->status[n], PORT_ENABLE));
        return USB_OK;
    case PORT_POWER:
        if (!is_set(h->status[n], PORT_POWER)) {
            set(&h->status[n], PORT_POWER, true);
            attached(&h->ports[n]);
        }
        return USB_OK;
    default:
        return USB_STALL;
    }
}

static UsbStatus clear_feature(UsbHub *h, unsigned n, unsigned feature)
{
    switch (feature) {
    case PORT_ENABLE:
        set(&h->status[n], PORT_ENABLE, false);
        return USB_OK;
    case PORT_SUSPEND:
        if (is_set(h->status[n], PORT_SUSPEND)) {
            set(&h->status[n], PORT_SUSPEND, false);
            changed(h, n, C_PORT_SUSPEND);
        }
        return USB_OK;
    case PORT_POWER:
        if (h->port_power) { /* else they are all on as long as the hub is */
            h->status[n] = h->change[n] = 0;
        }
        return USB_OK;
    default:
        if (feature < C_PORT_FIRST || feature > C_PORT_RESET) {
            return USB_STALL;
        }
        set(&h->change[n], feature - C_PORT_FIRST, false);
        return USB_OK;
    }
}

/* -- requests --------------------------------------------------------------------------------------------------------------- */

static UsbStatus get_descriptor(UsbHub *h, const UsbSetup *s, uint8_t *data, uint32_t *ret_bytes)
{
    uint8_t d[HUB_DESC_BYTES + 2] = {
        0, USB_DT_HUB, (uint8_t)h->usb.n_ports, (uint8_t)((h->port_power ? HUB_POWER_EACH : HUB_POWER_ALL) | HUB_NO_OVER_CURRENT), 0, 1, 0,
    };
    unsigned map = DIV_ROUND_UP(h->usb.n_ports + 1, 8u);

    /* No port's device is fixed; then a map of ones that old software looks at (11.23.2.1). */
    memset(d + 7 + map, 0xff, map);
    d[0] = (uint8_t)(7 + 2 * map);
    *ret_bytes = MIN(d[0], (uint32_t)s->length);
    memcpy(data, d, *ret_bytes);
    return USB_OK;
}

static UsbStatus hub_control(UsbDevice *dev, const UsbSetup *s, uint8_t *data, uint32_t *ret_bytes)
{
    UsbHub *h = (UsbHub *)dev;
    unsigned n = (s->index & 0xff) - 1u;
    bool is_port = (s->type & USB_REQ_RECIPIENT) == USB_REQ_OTHER;

    if ((s->type & USB_REQ_KIND) != USB_REQ_CLASS || (is_port && n >= dev->n_ports)) {
        return USB_STALL;
    }
    switch ((s->type & USB_REQ_IN) << 8 | s->request) {
    case USB_REQ_IN << 8 | USB_GET_DESCRIPTOR:
        return get_descriptor(h, s, data, ret_bytes);
    case USB_REQ_IN << 8 | USB_GET_STATUS:
        if (is_port) {
            data[0] = (uint8_t)h->status[n];
            data[1] = (uint8_t)(h->status[n] >> 8);
            data[2] = (uint8_t)h->change[n];
        }
        *ret_bytes = PORT_BYTES;
        return USB_OK;
    case USB_SET_FEATURE:
        return is_port ? set_feature(h, n, s->value) : USB_STALL;
    case USB_CLEAR_FEATURE:
        return is_port ? clear_feature(h, n, s->value) : s->value <= 1 ? USB_OK : USB_STALL; /* the hub's own changes never come */
    default:
        return USB_STALL;
    }
}

/* Bit n: port n has changed. */
static UsbStatus hub_data(UsbDevice *dev, UsbPacket *p)
{
    UsbHub *h = (UsbHub *)dev;
    uint8_t map[2] = {0};

    for (unsigned n = 0; n < dev->n_ports; n++) {
        map[(n + 1) / 8] |= (uint8_t)((h->change[n] != 0) << (n + 1) % 8);
    }
    if (!map[0] && !map[1]) {
        return USB_NAK;
    }
    unsigned bytes = DIV_ROUND_UP(dev->n_ports + 1, 8u);
    usb_copy(p, map, bytes);
    return p->bytes < bytes ? USB_BABBLE : USB_OK;
}

/* -- life -------------------------------------------------------------------------------------------------------------------- */

static void hub_reset(UsbDevice *dev)
{
    UsbHub *h = (UsbHub *)dev;

    for (unsigned n = 0; n < dev->n_ports; n++) {
        h->status[n] = h->change[n] = 0;
        set(&h->status[n], PORT_POWER, !h->port_power);
        connect(h, n);
        set(&h->change[n], C_PORT_CONNECTION - C_PORT_FIRST, is_set(h->status[n], PORT_CONNECTION));
        if (h->ports[n].dev) {
            usb_reset(h->ports[n].dev);
        }
    }
}

static bool hub_realize(UsbDevice *dev, Error **errp)
{
    UsbHub *h = (UsbHub *)dev;

    if (!dev->n_ports || dev->n_ports > MAX_PORTS) {
        error_set(errp, "num_ports (%u) out of range (1..%d)", dev->n_ports, MAX_PORTS);
        dev->n_ports = 0;
        return false;
    }
    dev->ports = h->ports;
    for (unsigned n = 0; n < dev->n_ports; n++) {
        usb_port_add(dev->port->bus, &h->ports[n], dev, n + 1, 1 << USB_SPEED_LOW | 1 << USB_SPEED_FULL, &port_ops, h, n);
    }
    hub_reset(dev);
    return true;
}

static void hub_unrealize(UsbDevice *dev)
{
    for (unsigned n = 0; n < dev->n_ports; n++) {
        usb_port_remove(&dev->ports[n]);
    }
}

static const StateField fields[] = {
    { .name = "usb", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(UsbDevice), .sub = &usb_device_state },
    STATE_U_ARRAY(UsbHub, status), STATE_U_ARRAY(UsbHub, change),
};
static const StateDesc state = { .name = "usb-hub", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields) };

static const UsbDeviceType hub_class = {
    .product = "QEMU USB Hub", .fw_name = "hub", .desc = &hub_desc, .realize = hub_realize, .unrealize = hub_unrealize, .reset = hub_reset,
    .control = hub_control, .data = hub_data,
};

static const Property props[] = {
    PROP_U32("ports", UsbHub, usb.n_ports, MAX_PORTS, "1 to 8"),
    PROP_B("port-power", UsbHub, port_power, false, "Each port's power can be switched"),
};

static const DeviceType hub_type = {
    .type = { .name = "usb-hub", .parent = "usb-device", .size_bytes = sizeof(UsbHub), .summary = "USB hub",
              .props = props, .n_props = ARRAY_SIZE(props), .class_data = &hub_class },
    .category = DEVICE_USB, .state = &state, USB_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(hub_type);
