/*
 * device.c: what every USB device does: packets, standard requests, halted endpoints, life.
 *
 * Specification: USB 2.0, 9.4 (standard requests), 9.1.1 (states).
 */
#include <stdlib.h>

#include "hw/usb.h"
#include "util/bits.h"

enum { FEATURE_ENDPOINT_HALT = 0, FEATURE_REMOTE_WAKEUP = 1, FEATURE_U1 = 48, FEATURE_U2 = 49, FEATURE_FUNCTION_SUSPEND = 0,
       SEL_BYTES = 6 };

/* -- packets ------------------------------------------------------------------------------------------------------------------ */

UsbSetup usb_parse_setup(const uint8_t raw[USB_SETUP_BYTES])
{
    return (UsbSetup){ raw[0], raw[1], ldle16(raw + 2), ldle16(raw + 4), ldle16(raw + 6) };
}

uint64_t usb_copy(UsbPacket *p, void *data, uint64_t bytes)
{
    uint64_t n = MIN(bytes, p->bytes - p->done), moved = n;

    if (p->dma_failed || !n) {
        return 0;
    }
    if (!p->as) {
        memcpy(usb_is_in(p) ? p->buf + p->done : data, usb_is_in(p) ? data : p->buf + p->done, n);
    } else if (usb_is_in(p)) {
        moved = dma_list_write(p->as, &p->list, p->done, data, n);
    } else {
        moved = dma_list_read(p->as, &p->list, p->done, data, n);
    }
    p->dma_failed = moved < n;
    p->done += moved;
    return moved;
}

static void unlink_packet(UsbPacket *p)
{
    if (p->prev) {
        *p->prev = p->next;
        if (p->next) {
            p->next->prev = p->prev;
        }
        p->prev = NULL;
    }
}

static void set_halt(UsbDevice *dev, uint8_t endpoint, bool halted)
{
    uint16_t *bits = endpoint & 0x80 ? &dev->halted_in : &dev->halted_out;
    uint16_t bit = (uint16_t)(1u << (endpoint & 15));

    *bits = halted ? *bits | bit : *bits & (uint16_t)~bit;
}

static bool is_halted(const UsbDevice *dev, uint8_t endpoint)
{
    return (endpoint & 0x80 ? dev->halted_in : dev->halted_out) >> (endpoint & 15) & 1;
}

static void ended(UsbPacket *p, UsbStatus status)
{
    unlink_packet(p);
    p->status = status;
    if (status == USB_STALL && (p->endpoint & 0x7f)) {
        set_halt(p->dev, p->endpoint, true);
    }
}

static UsbStatus control(UsbDevice *dev, UsbPacket *p);

void usb_submit(UsbDevice *dev, UsbPacket *p)
{
    UsbStatus status;

    p->dev = dev;
    p->done = 0;
    p->dma_failed = false;
    p->status = USB_ASYNC;
    p->submitting = true;
    p->next = dev->packets;
    p->prev = &dev->packets;
    if (p->next) {
        p->next->prev = &p->next;
    }
    dev->packets = p;
    if (!(p->endpoint & 0x7f)) {
        status = control(dev, p);
    } else if (!usb_endpoint(dev, p->endpoint) || !dev->utype->data) {
        status = USB_ERROR; /* nobody answers */
    } else if (is_halted(dev, p->endpoint)) {
        status = USB_STALL;
    } else {
        status = dev->utype->data(dev, p);
    }
    p->submitting = false;
    if (status != USB_ASYNC) {
        ended(p, status);
    }
}

void usb_complete(UsbPacket *p, UsbStatus status)
{
    ended(p, status);
    if (!p->submitting) { /* else usb_submit() has still to return */
        p->complete(p);
    }
}

void usb_cancel(UsbPacket *p)
{
    UsbDevice *dev = p->dev;

    unlink_packet(p);
    p->status = USB_ERROR;
    if (dev->utype->cancel) {
        dev->utype->cancel(dev, p);
    }
}

static UsbPort *root_port(const UsbDevice *dev)
{
    UsbPort *port = dev->port;

    while (port->hub) {
        port = port->hub->port;
    }
    return port;
}

void usb_wakeup(UsbDevice *dev, uint8_t endpoint)
{
    if (!dev->dev.realized) {
        return;
    }
    for (UsbPort *port = dev->port; port; port = port->hub ? port->hub->port : NULL) {
        port->ops->wakeup(port, dev, endpoint);
    }
}

/* -- requests to the device (9.4) -------------------------------------------------------------------------------------------------- */

static UsbStatus device_status(UsbDevice *dev, uint8_t *data, uint32_t *ret_bytes)
{
    const UsbConfigDesc *config = usb_config(dev) ? usb_config(dev) : &usb_speed_desc(dev)->configs[0];

    data[0] = (uint8_t)((config->attributes & USB_CONFIG_SELF_POWERED ? 1 : 0) | dev->remote_wakeup << 1);
    *ret_bytes = 2;
    return USB_OK;
}

static UsbStatus set_configuration(UsbDevice *dev, uint16_t value)
{
    const UsbSpeedDesc *d = usb_speed_desc(dev);
    bool known = !value;

    for (unsigned i = 0; i < d->n_configs; i++) {
        known |= d->configs[i].value == value;
    }
    if (!known) {
        return USB_STALL;
    }
    dev->configuration = (uint8_t)value;
    memset(dev->alternates, 0, sizeof(dev->alternates));
    dev->halted_in = dev->halted_out = 0;
    if (dev->utype->configured) {
        dev->utype->configured(dev);
    }
    return USB_OK;
}

static UsbStatus device_feature(UsbDevice *dev, uint16_t feature, bool on)
{
    switch (feature) {
    case FEATURE_REMOTE_WAKEUP:
        if (!(usb_speed_desc(dev)->configs[0].attributes & USB_CONFIG_WAKEUP)) {
            return USB_STALL;
        }
        dev->remote_wakeup = on;
        return USB_OK;
    case FEATURE_U1: case FEATURE_U2: /* the link's states are the controller's matter */
        return dev->speed == USB_SPEED_SUPER ? USB_OK : USB_STALL;
    default:
        return USB_STALL;
    }
}

static UsbStatus device_request(UsbDevice *dev, const UsbSetup *s, uint8_t *data, uint32_t *ret_bytes)
{
    switch (s->type << 8 | s->request) {
    case USB_REQ_IN << 8 | USB_GET_STATUS:
        return device_status(dev, data, ret_bytes);
    case USB_CLEAR_FEATURE:
        return device_feature(dev, s->value, false);
    case USB_SET_FEATURE:
        return device_feature(dev, s->value, true);
    case USB_SET_ADDRESS:
        dev->address = s->value & 127;
        return USB_OK;
    case USB_REQ_IN << 8 | USB_GET_DESCRIPTOR:
        *ret_bytes = (uint32_t)usb_build_descriptor(dev, (uint8_t)(s->value >> 8), (uint8_t)s->value, data, s->length);
        return *ret_bytes || !s->length ? USB_OK : USB_STALL;
    case USB_REQ_IN << 8 | USB_GET_CONFIGURATION:
        data[0] = dev->configuration;
        *ret_bytes = 1;
        return USB_OK;
    case USB_SET_CONFIGURATION:
        return set_configuration(dev, s->value & 0xff);
    case USB_SET_SEL: case USB_SET_ISOCH_DELAY: /* times of links that take none here */
        return dev->speed == USB_SPEED_SUPER ? USB_OK : USB_STALL;
    default:
        return USB_STALL;
    }
}

/* -- requests to interfaces and endpoints -------------------------------------------------------------------------------------------- */

static UsbStatus set_interface(UsbDevice *dev, unsigned number, uint16_t alternate)
{
    const UsbConfigDesc *config = usb_config(dev);

    for (unsigned i = 0; config && number < USB_MAX_INTERFACES && i < config->n_interfaces; i++) {
        const UsbInterfaceDesc *in = &config->interfaces[i];
        if (in->number == number && in->alternate == alternate) {
            dev->alternates[number] = (uint8_t)alternate;
            for (unsigned e = 0; e < in->n_endpoints; e++) {
                set_halt(dev, in->endpoints[e].address, false);
            }
            if (dev->utype->configured) {
                dev->utype->configured(dev);
            }
            return USB_OK;
        }
    }
    return USB_STALL;
}

static UsbStatus interface_request(UsbDevice *dev, const UsbSetup *s, uint8_t *data, uint32_t *ret_bytes, bool *ret_known)
{
    unsigned number = s->index & 0xff;
    bool exists = usb_interface(dev, number) != NULL;

    switch ((s->type & USB_REQ_IN) << 8 | s->request) {
    case USB_REQ_IN << 8 | USB_GET_STATUS:
        *ret_bytes = 2;
        return exists ? USB_OK : USB_STALL;
    case USB_CLEAR_FEATURE: case USB_SET_FEATURE:
        return exists && dev->speed == USB_SPEED_SUPER && s->value == FEATURE_FUNCTION_SUSPEND ? USB_OK : USB_STALL;
    case USB_REQ_IN << 8 | USB_GET_INTERFACE:
        *ret_bytes = 1;
        data[0] = exists ? dev->alternates[number] : 0;
        return exists ? USB_OK : USB_STALL;
    case USB_SET_INTERFACE:
        return set_interface(dev, number, s->value);
    default:
        *ret_known = false; /* class descriptors */
        return USB_STALL;
    }
}

static UsbStatus endpoint_request(UsbDevice *dev, const UsbSetup *s, uint8_t *data, uint32_t *ret_bytes)
{
    uint8_t endpoint = (uint8_t)s->index;
    bool is_control = !(endpoint & 0x7f);

    if (!is_control && !usb_endpoint(dev, endpoint)) {
        return USB_STALL;
    }
    switch ((s->type & USB_REQ_IN) << 8 | s->request) {
    case USB_REQ_IN << 8 | USB_GET_STATUS:
        data[0] = !is_control && is_halted(dev, endpoint);
        *ret_bytes = 2;
        return USB_OK;
    case USB_CLEAR_FEATURE: case USB_SET_FEATURE:
        if (s->value != FEATURE_ENDPOINT_HALT) {
            return USB_STALL;
        }
        if (!is_control) {
            set_halt(dev, endpoint, s->request == USB_SET_FEATURE);
            if (s->request == USB_CLEAR_FEATURE && dev->utype->halt_cleared) {
                dev->utype->halt_cleared(dev, endpoint);
            }
        }
        return USB_OK;
    default:
        return USB_STALL;
    }
}

static UsbStatus request(UsbDevice *dev, const UsbSetup *s, uint8_t *data, uint32_t *ret_bytes)
{
    bool known = true;
    UsbStatus status;

    if ((s->type & USB_REQ_KIND) == USB_REQ_STANDARD) {
        switch (s->type & USB_REQ_RECIPIENT) {
        case USB_REQ_DEVICE: return device_request(dev, s, data, ret_bytes);
        case USB_REQ_ENDPOINT: return endpoint_request(dev, s, data, ret_bytes);
        case USB_REQ_INTERFACE:
            status = interface_request(dev, s, data, ret_bytes, &known);
            if (known) {
                return status;
            }
            break;
        default: return USB_STALL;
        }
    }
    return dev->utype->control ? dev->utype->control(dev, s, data, ret_bytes) : USB_STALL;
}

static UsbStatus control(UsbDevice *dev, UsbPacket *p)
{
    bool in = p->setup.type & USB_REQ_IN;
    UsbSetup s = p->setup;
    uint32_t moved = 0;

    if (!in && s.length > USB_MAX_CONTROL_BYTES) {
        return USB_STALL;
    }
    s.length = MIN(s.length, USB_MAX_CONTROL_BYTES);
    /* Small requests are written without looking at their length. */
    uint8_t *data = xcalloc(1, (size_t)s.length + 16);
    UsbStatus status = USB_OK;
    if (!in && usb_copy(p, data, s.length) < s.length) {
        status = p->dma_failed ? USB_ERROR : USB_STALL; /* less than it announced */
    } else {
        status = request(dev, &s, data, &moved);
        if (status == USB_OK && in) {
            usb_copy(p, data, MIN(moved, s.length));
        }
    }
    free(data);
    return status;
}

/* -- life -------------------------------------------------------------------------------------------------------------------------- */

static void cancel_all(UsbDevice *dev)
{
    while (dev->packets) {
        usb_complete(dev->packets, USB_ERROR);
    }
}

void usb_reset(UsbDevice *dev)
{
    for (UsbPacket *p = dev->packets; p; p = p->next) {
        if (dev->utype->cancel) {
            dev->utype->cancel(dev, p);
        }
    }
    cancel_all(dev);
    dev->address = dev->configuration = 0;
    memset(dev->alternates, 0, sizeof(dev->alternates));
    dev->remote_wakeup = false;
    dev->halted_in = dev->halted_out = 0;
    if (dev->utype->reset) {
        dev->utype->reset(dev);
    }
}

void usb_device_reset(Device *device, ResetKind kind)
{
    usb_reset(USB_DEVICE(device));
}

bool usb_device_realize(Device *device, Error **errp)
{
    UsbDevice *dev = USB_DEVICE(device);
    UsbPort *port = dev->port; /* bus_check() chose it */

    dev->desc = dev->utype->desc;
    dev->speed = USB_N_SPEEDS;
    if (dev->utype->realize && !dev->utype->realize(dev, errp)) {
        return false;
    }
    for (unsigned s = 0; s < USB_N_SPEEDS; s++) {
        if (port->speeds >> s & 1 && dev->desc->speeds[s]) {
            dev->speed = (UsbSpeed)s;
        }
    }
    if (dev->speed == USB_N_SPEEDS) { /* realize() chose descriptors the port has no speed for */
        error_set(errp, "usb device %s is of no speed of port %s", dev->utype->product, port->path);
        if (dev->utype->unrealize) {
            dev->utype->unrealize(dev);
        }
        return false;
    }
    port->dev = dev;
    port->ops->attached(port);
    return true;
}

void usb_device_unrealize(Device *device)
{
    UsbDevice *dev = USB_DEVICE(device);
    UsbPort *port = dev->port;

    /* What is behind a hub goes with it. */
    for (unsigned i = 0; i < dev->n_ports; i++) {
        UsbDevice *child = dev->ports[i].dev;
        if (child) {
            device_unrealize(&child->dev);
            object_remove(&child->dev.obj);
        }
    }
    usb_reset(dev);
    root_port(dev)->ops->forget(root_port(dev), dev);
    port->ops->detached(port);
    port->dev = NULL;
    if (dev->utype->unrealize) {
        dev->utype->unrealize(dev);
    }
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    UsbDevice *dev = opaque;

    if (dev->configuration && !usb_config(dev)) {
        error_set(errp, "usb: there is no configuration %u", dev->configuration);
        return false;
    }
    return true;
}

static const StateField fields[] = {
    STATE_U(UsbDevice, address), STATE_U(UsbDevice, configuration), STATE_U_ARRAY(UsbDevice, alternates), STATE_U(UsbDevice, remote_wakeup),
    STATE_U(UsbDevice, halted_in), STATE_U(UsbDevice, halted_out),
};
const StateDesc usb_device_state = {
    .name = "usb-device", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .post_load = post_load,
};

static const Property props[] = {
    PROP_STR("port", UsbDevice, port_path, "Port: 1, or 1.2 for the second port of the hub in port 1; default: the first that is free"),
    PROP_STR("serial", UsbDevice, serial, "Serial number the guest sees"),
};

static const ObjectType usb_device_type = {
    .name = "usb-device", .parent = "device", .summary = "the ancestor of every USB device", .size_bytes = sizeof(UsbDevice), .abstract = true,
    .props = props, .n_props = ARRAY_SIZE(props),
};
OBJECT_TYPE_REGISTER(usb_device_type);
