/*
 * desc.c: descriptor tables as the bytes a guest gets.
 *
 * Specifications: USB 2.0, 9.6; USB 3.1, 9.6 (endpoint companions, binary object store).
 */
#include "hw/usb.h"
#include "util/bits.h"

typedef struct Writer {
    uint8_t *out;
    size_t n, room; /* n goes on beyond room: lengths are those of the whole */
} Writer;

static void put8(Writer *w, unsigned value)
{
    if (w->n < w->room) {
        w->out[w->n] = (uint8_t)value;
    }
    w->n++;
}

static void put16(Writer *w, unsigned value)
{
    put8(w, value);
    put8(w, value >> 8);
}

static void put_bytes(Writer *w, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        put8(w, data[i]);
    }
}

/* -- the present state ------------------------------------------------------------------------------------------------------ */

const UsbSpeedDesc *usb_speed_desc(const UsbDevice *dev)
{
    return dev->desc->speeds[dev->speed];
}

const UsbConfigDesc *usb_config(const UsbDevice *dev)
{
    const UsbSpeedDesc *d = usb_speed_desc(dev);

    for (unsigned i = 0; dev->configuration && i < d->n_configs; i++) {
        if (d->configs[i].value == dev->configuration) {
            return &d->configs[i];
        }
    }
    return NULL;
}

const UsbInterfaceDesc *usb_interface(const UsbDevice *dev, unsigned number)
{
    const UsbConfigDesc *config = usb_config(dev);

    for (unsigned i = 0; config && number < USB_MAX_INTERFACES && i < config->n_interfaces; i++) {
        if (config->interfaces[i].number == number && config->interfaces[i].alternate == dev->alternates[number]) {
            return &config->interfaces[i];
        }
    }
    return NULL;
}

const UsbEndpointDesc *usb_endpoint(const UsbDevice *dev, uint8_t address)
{
    const UsbConfigDesc *config = usb_config(dev);

    for (unsigned i = 0; config && i < config->n_interfaces; i++) {
        const UsbInterfaceDesc *in = &config->interfaces[i];
        if (in->number >= USB_MAX_INTERFACES || in->alternate != dev->alternates[in->number]) {
            continue;
        }
        for (unsigned e = 0; e < in->n_endpoints; e++) {
            if (in->endpoints[e].address == address) {
                return &in->endpoints[e];
            }
        }
    }
    return NULL;
}

/* -- bytes --------------------------------------------------------------------------------------------------------------------- */

static void put_device(Writer *w, const UsbDesc *desc, const UsbSpeedDesc *d, UsbSpeed speed)
{
    put8(w, 18);
    put8(w, USB_DT_DEVICE);
    put16(w, d->usb_version);
    put8(w, d->class_code);
    put8(w, d->subclass);
    put8(w, d->protocol);
    /* SuperSpeed tells the exponent (USB 3.1, 9.6.1). */
    put8(w, speed == USB_SPEED_SUPER ? (unsigned)__builtin_ctz(d->max_packet0) : d->max_packet0);
    put16(w, desc->vendor);
    put16(w, desc->product);
    put16(w, desc->version);
    put8(w, desc->manufacturer_string);
    put8(w, desc->product_string);
    put8(w, desc->serial_string);
    put8(w, d->n_configs);
}

static void put_qualifier(Writer *w, const UsbSpeedDesc *other)
{
    put8(w, 10);
    put8(w, USB_DT_QUALIFIER);
    put16(w, other->usb_version);
    put8(w, other->class_code);
    put8(w, other->subclass);
    put8(w, other->protocol);
    put8(w, other->max_packet0);
    put8(w, other->n_configs);
    put8(w, 0);
}

static void put_interface(Writer *w, const UsbInterfaceDesc *in, UsbSpeed speed)
{
    put8(w, 9);
    put8(w, USB_DT_INTERFACE);
    put8(w, in->number);
    put8(w, in->alternate);
    put8(w, in->n_endpoints);
    put8(w, in->class_code);
    put8(w, in->subclass);
    put8(w, in->protocol);
    put8(w, in->string);
    put_bytes(w, in->extra, in->extra_bytes);
    for (unsigned i = 0; i < in->n_endpoints; i++) {
        const UsbEndpointDesc *e = &in->endpoints[i];
        put8(w, 7);
        put8(w, USB_DT_ENDPOINT);
        put8(w, e->address);
        put8(w, e->type);
        put16(w, e->max_packet);
        put8(w, e->interval);
        if (speed == USB_SPEED_SUPER) {
            put8(w, 6);
            put8(w, USB_DT_COMPANION);
            put8(w, e->max_burst);
            put8(w, 0);
            put16(w, e->interval_bytes);
        }
    }
}

static void put_config(Writer *w, const UsbConfigDesc *config, UsbSpeed speed, uint8_t type)
{
    size_t start = w->n;
    unsigned numbers = 0;

    for (unsigned i = 0; i < config->n_interfaces; i++) {
        numbers += config->interfaces[i].alternate == 0;
    }
    put8(w, 9);
    put8(w, type);
    put16(w, 0);
    put8(w, numbers);
    put8(w, config->value);
    put8(w, config->string);
    put8(w, config->attributes);
    put8(w, speed == USB_SPEED_SUPER ? config->max_power_ma / 8u : config->max_power_ma / 2u);
    for (unsigned i = 0; i < config->n_interfaces; i++) {
        put_interface(w, &config->interfaces[i], speed);
    }
    if (start + 4 <= w->room) {
        stle16(w->out + start + 2, (uint16_t)(w->n - start));
    }
}

static bool put_string(Writer *w, const UsbDevice *dev, uint8_t index)
{
    const UsbDesc *desc = dev->desc;

    if (!index) { /* languages: English (United States) */
        put8(w, 4);
        put8(w, USB_DT_STRING);
        put16(w, 0x0409);
        return true;
    }
    const char *text = index == desc->serial_string && dev->serial ? dev->serial : index < desc->n_strings ? desc->strings[index] : NULL;
    if (!text) {
        return false;
    }
    size_t n = MIN(strlen(text), (size_t)126);
    put8(w, 2 + 2 * (unsigned)n);
    put8(w, USB_DT_STRING);
    for (size_t i = 0; i < n; i++) {
        put16(w, (uint8_t)text[i]);
    }
    return true;
}

/* USB 3.1, 9.6.2: link power management is known, and the speeds there are. */
static void put_bos(Writer *w, const UsbDesc *desc)
{
    unsigned speeds = (desc->speeds[USB_SPEED_FULL] ? 2u : 0) | (desc->speeds[USB_SPEED_HIGH] ? 4u : 0) | 8u;

    put8(w, 5);
    put8(w, USB_DT_BOS);
    put16(w, 5 + 7 + 10);
    put8(w, 2);
    put8(w, 7);
    put8(w, USB_DT_CAPABILITY);
    put8(w, 2);            /* USB 2.0 extension */
    put16(w, 2);
    put16(w, 0);
    put8(w, 10);
    put8(w, USB_DT_CAPABILITY);
    put8(w, 3);            /* SuperSpeed */
    put8(w, 0);
    put16(w, speeds);
    put8(w, desc->speeds[USB_SPEED_FULL] ? 1 : desc->speeds[USB_SPEED_HIGH] ? 2 : 3); /* slowest with all functions */
    put8(w, 0x0a);         /* U1 and U2 exit latencies, µs */
    put16(w, 0x20);
}

size_t usb_build_descriptor(const UsbDevice *dev, uint8_t type, uint8_t index, uint8_t *out, size_t room)
{
    Writer w = { out, 0, room };
    const UsbDesc *desc = dev->desc;
    const UsbSpeedDesc *d = usb_speed_desc(dev), *other = NULL;
    UsbSpeed other_speed = dev->speed == USB_SPEED_HIGH ? USB_SPEED_FULL : USB_SPEED_HIGH;

    if (dev->speed == USB_SPEED_HIGH || dev->speed == USB_SPEED_FULL) {
        other = desc->speeds[other_speed];
    }
    switch (type) {
    case USB_DT_DEVICE:
        put_device(&w, desc, d, dev->speed);
        break;
    case USB_DT_CONFIGURATION:
        if (index < d->n_configs) {
            put_config(&w, &d->configs[index], dev->speed, type);
        }
        break;
    case USB_DT_OTHER_SPEED:
        if (other && index < other->n_configs) {
            put_config(&w, &other->configs[index], other_speed, type);
        }
        break;
    case USB_DT_QUALIFIER:
        if (other) {
            put_qualifier(&w, other);
        }
        break;
    case USB_DT_STRING:
        if (!put_string(&w, dev, index)) {
            return 0;
        }
        break;
    case USB_DT_BOS:
        if (desc->speeds[USB_SPEED_SUPER]) {
            put_bos(&w, desc);
        }
        break;
    default:
        break;
    }
    return MIN(w.n, room);
}
