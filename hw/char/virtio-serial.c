/*
 * virtio-serial.c: a bus of console and data ports over one virtio device: virtconsole, virtserialport.
 *
 * Port 0 is kept for a console, as drivers without multiport know only that. Leaves out: emergency write, resize.
 * Specification: VIRTIO 1.2, 5.3.
 */
#include "hw/virtio-types.h"
#include "util/bits.h"
#include "util/log.h"

enum { F_MULTIPORT = 1, CONFIG_BYTES = 12, QUEUE_SIZE = 128 };
enum { DEVICE_READY, DEVICE_ADD, DEVICE_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME };

typedef struct VirtioPort {
    Device dev;
    CharFrontend chr;
    char *name;
    uint32_t nr;              /* property; UINT32_MAX: the next free one */
    VirtioSerial *serial;
    VirtQueue *in, *out;
    bool is_console, guest_open, host_open;
    VirtElem *out_elem;       /* being written: the host took only part */
    size_t out_at;
} VirtioPort;

/* -- control messages ------------------------------------------------------------------------------------------ */

static void send_control(VirtioSerial *s, uint32_t id, uint16_t event, uint16_t value, const char *text)
{
    uint8_t message[8 + 256];
    size_t len = 8;
    VirtElem *elem;

    if (!virtio_has(&s->vdev, F_MULTIPORT) || !s->ctrl_in || !(elem = virtq_pop(s->ctrl_in))) {
        return;
    }
    stle32(message, id);
    stle16(message + 4, event);
    stle16(message + 6, value);
    if (text) {
        size_t n = MIN(strlen(text) + 1, sizeof(message) - len);
        memcpy(message + len, text, n);
        len += n;
    }
    virtq_push(s->ctrl_in, elem, (uint32_t)iov_from_buf(elem->in, elem->n_in, 0, message, len));
    virtq_notify(s->ctrl_in);
}

static void port_announced(VirtioSerial *s, VirtioPort *port)
{
    if (port->is_console) {
        send_control(s, port->nr, CONSOLE_PORT, 1, NULL);
    }
    if (port->name) {
        send_control(s, port->nr, PORT_NAME, 1, port->name);
    }
    if (port->host_open) {
        send_control(s, port->nr, PORT_OPEN, 1, NULL);
    }
}

static void handle_ctrl_out(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioSerial *s = (VirtioSerial *)vdev;
    VirtElem *elem;

    while ((elem = virtq_pop(vq))) {
        uint8_t raw[8];
        bool ok = iov_to_buf(elem->out, elem->n_out, 0, raw, sizeof(raw)) == sizeof(raw);
        virtq_push(vq, elem, 0);
        virtq_notify(vq);
        if (!ok) {
            log_guest_error("virtio-serial: short control message\n");
            continue;
        }
        uint32_t id = ldle32(raw);
        uint16_t event = ldle16(raw + 4), value = ldle16(raw + 6);
        VirtioPort *port = id < s->max_ports ? s->ports[id] : NULL;
        if (event == DEVICE_READY) {
            for (unsigned i = 0; value && i < s->max_ports; i++) {
                if (s->ports[i]) {
                    send_control(s, i, DEVICE_ADD, 1, NULL);
                }
            }
        } else if (!port) {
            log_guest_error("virtio-serial: control message for absent port %u\n", id);
        } else if (event == PORT_READY && value) {
            port_announced(s, port);
        } else if (event == PORT_OPEN) {
            port->guest_open = value != 0;
            char_set_open(&port->chr, port->guest_open);
            if (port->guest_open) {
                char_accept_input(&port->chr);
            }
        }
    }
}

static void handle_ctrl_in(VirtioDevice *vdev, VirtQueue *vq)
{
    /* Room for messages: they are sent as things happen. */
}

/* -- data ------------------------------------------------------------------------------------------------------- */

static bool port_takes_input(const VirtioPort *port)
{
    /* A console port of a driver without multiport is always open. */
    return port->guest_open || port->is_console || !virtio_has(&port->serial->vdev, F_MULTIPORT);
}

static size_t port_can_read(void *opaque)
{
    VirtioPort *port = opaque;
    return port->in && !virtq_empty(port->in) && port_takes_input(port) ? 4096 : 0;
}

static void port_read(void *opaque, const uint8_t *buf, size_t len)
{
    VirtioPort *port = opaque;
    VirtElem *elem;

    while (len && (elem = virtq_pop(port->in))) {
        size_t n = iov_from_buf(elem->in, elem->n_in, 0, buf, len);
        virtq_push(port->in, elem, (uint32_t)n);
        buf += n;
        len -= n;
        if (!n) {
            break;
        }
    }
    virtq_notify(port->in);
}

static void write_out(VirtioPort *port)
{
    while (port->out && (port->out_elem || (port->out_elem = virtq_pop(port->out)))) {
        VirtElem *elem = port->out_elem;
        uint8_t buf[4096];
        size_t n;
        while ((n = iov_to_buf(elem->out, elem->n_out, port->out_at, buf, sizeof(buf)))) {
            size_t taken = port->chr.chr ? char_write(&port->chr, buf, n) : n;
            port->out_at += taken;
            if (taken < n) {
                return; /* writable() goes on */
            }
        }
        port->out_elem = NULL;
        port->out_at = 0;
        virtq_push(port->out, elem, 0);
        virtq_notify(port->out);
    }
}

static void port_writable(void *opaque)
{
    write_out(opaque);
}

static void port_event(void *opaque, CharEvent event)
{
    VirtioPort *port = opaque;

    if (event == CHAR_EVENT_OPENED || event == CHAR_EVENT_CLOSED) {
        bool open = event == CHAR_EVENT_OPENED;
        if (open != port->host_open && !port->is_console) {
            port->host_open = open;
            send_control(port->serial, port->nr, PORT_OPEN, open, NULL);
        }
    }
}

static const CharHandlers port_handlers = {
    .can_read = port_can_read, .read = port_read, .event = port_event, .writable = port_writable,
};

static VirtioPort *port_of(VirtioSerial *s, const VirtQueue *vq)
{
    unsigned index = vq->index;
    unsigned nr = index < 2 ? 0 : index / 2 - 1; /* queues 2 and 3 are the control queues */
    return nr < s->max_ports ? s->ports[nr] : NULL;
}

static void handle_in(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioPort *port = port_of((VirtioSerial *)vdev, vq);

    if (port) {
        char_accept_input(&port->chr);
    }
}

static void handle_out(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioPort *port = port_of((VirtioSerial *)vdev, vq);
    VirtElem *elem;

    if (port) {
        write_out(port);
        return;
    }
    while ((elem = virtq_pop(vq))) { /* nobody there */
        virtq_push(vq, elem, 0);
    }
    virtq_notify(vq);
}

/* -- the device ---------------------------------------------------------------------------------------------------- */

static uint64_t serial_features(VirtioDevice *vdev, uint64_t user)
{
    return user | (((VirtioSerial *)vdev)->max_ports > 1 ? BIT(F_MULTIPORT) : 0);
}

static void serial_config_read(VirtioDevice *vdev, uint8_t *c)
{
    memset(c, 0, CONFIG_BYTES);
    stle32(c + 4, ((VirtioSerial *)vdev)->max_ports);
}

static void serial_reset(VirtioDevice *vdev)
{
    VirtioSerial *s = (VirtioSerial *)vdev;

    for (unsigned i = 0; i < s->max_ports; i++) {
        VirtioPort *port = s->ports[i];
        if (port) {
            port->guest_open = false;
            char_set_open(&port->chr, port->is_console);
            if (port->out_elem) {
                virtq_detach(port->out, port->out_elem);
                port->out_elem = NULL;
                port->out_at = 0;
            }
        }
    }
}

static const BusType serial_bus_type = {
    .type = { .name = "virtio-serial-bus", .parent = "bus", .size_bytes = sizeof(Bus) }, .kind = "virtio-serial-bus",
};
OBJECT_TYPE_REGISTER(serial_bus_type);

static bool serial_realize(VirtioDevice *vdev, Error **errp)
{
    VirtioSerial *s = (VirtioSerial *)vdev;

    if (!s->max_ports || s->max_ports > VIRTIO_CONSOLE_PORTS) {
        error_set(errp, "maximum ports supported: %u", VIRTIO_CONSOLE_PORTS);
        return false;
    }
    virtio_init(vdev, CONFIG_BYTES);
    /* Ports are given with bus=ID.0, where ID is what the user called the device: its transport. */
    char *name = vdev->proxy->id ? xasprintf("%s.0", vdev->proxy->id) : NULL;
    bus_init_embedded(&s->bus, "virtio-serial-bus", &vdev->dev, name);
    free(name);
    for (unsigned i = 0; i < s->max_ports; i++) {
        virtio_add_queue(vdev, QUEUE_SIZE, handle_in);
        virtio_add_queue(vdev, QUEUE_SIZE, handle_out);
        if (i == 0) {
            s->ctrl_in = virtio_add_queue(vdev, 32, handle_ctrl_in);
            s->ctrl_out = virtio_add_queue(vdev, 32, handle_ctrl_out);
        }
    }
    return true;
}

static const VirtioType virtio_serial = {
    .id = VIRTIO_ID_CONSOLE, .features = serial_features, .config_read = serial_config_read, .reset = serial_reset,
    .realize = serial_realize,
};

static const StateField serial_fields[] = {
    { .name = "virtio", .kind = STATE_STRUCT, .offset = offsetof(VirtioSerial, vdev), .elem_size = sizeof(VirtioDevice),
      .sub = &virtio_state },
};
static const StateDesc serial_state = {
    .name = "virtio-serial", .version = 1, .fields = serial_fields, .n_fields = ARRAY_SIZE(serial_fields),
};
static const Property serial_props[] = { VIRTIO_SERIAL_PROPS(VirtioSerial, ) };

static const DeviceType virtio_serial_device_type = {
    .type = { .name = "virtio-serial-device", .parent = "virtio-device", .size_bytes = sizeof(VirtioSerial),
              .summary = "virtio console and serial ports", .props = serial_props, .n_props = ARRAY_SIZE(serial_props),
              .class_data = &virtio_serial },
    .category = DEVICE_INPUT, .state = &serial_state, VIRTIO_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(virtio_serial_device_type);

/* -- ports ---------------------------------------------------------------------------------------------------------- */

static bool port_realize(Device *dev, Error **errp)
{
    VirtioPort *port = (VirtioPort *)dev;
    VirtioSerial *s = (VirtioSerial *)dev->bus->parent;

    port->is_console = object_is_a(&dev->obj, "virtconsole");
    if (port->nr == UINT32_MAX) {
        port->nr = port->is_console ? 0 : 1;
        while (port->nr < s->max_ports && s->ports[port->nr]) {
            port->nr++;
        }
    }
    if (port->nr == 0 && !port->is_console) {
        error_set(errp, "Port number 0 on virtio-serial devices reserved for virtconsole devices for backward compatibility.");
        return false;
    }
    if (port->nr >= s->max_ports) {
        error_set(errp, "virtio-serial-bus: Out-of-range port id specified, max. allowed: %u", s->max_ports - 1);
        return false;
    }
    if (s->ports[port->nr]) {
        error_set(errp, "virtio-serial-bus: A port already exists at id %u", port->nr);
        return false;
    }
    for (unsigned i = 0; port->name && i < s->max_ports; i++) {
        if (s->ports[i] && s->ports[i]->name && !strcmp(s->ports[i]->name, port->name)) {
            error_set(errp, "virtio-serial-bus: A port already exists by name %s", port->name);
            return false;
        }
    }
    unsigned queue = port->nr ? 2 + port->nr * 2 : 0;
    port->serial = s;
    port->in = &s->vdev.queues[queue];
    port->out = &s->vdev.queues[queue + 1];
    port->host_open = port->is_console || char_connected(&port->chr);
    s->ports[port->nr] = port;
    char_set_handlers(&port->chr, &port_handlers, port);
    if (port->is_console) {
        char_set_open(&port->chr, true);
    }
    send_control(s, port->nr, DEVICE_ADD, 1, NULL);
    return true;
}

static void port_unrealize(Device *dev)
{
    VirtioPort *port = (VirtioPort *)dev;

    if (port->out_elem) {
        virtq_detach(port->out, port->out_elem);
        port->out_elem = NULL;
    }
    send_control(port->serial, port->nr, DEVICE_REMOVE, 1, NULL);
    char_set_handlers(&port->chr, NULL, NULL);
    port->serial->ports[port->nr] = NULL;
}

static const Property port_props[] = {
    PROP_CHR("chardev", VirtioPort, chr), PROP_STR("name", VirtioPort, name, "Name the guest sees"),
    PROP_U32("nr", VirtioPort, nr, UINT32_MAX, "Port number"),
};

#define PORT_TYPE(cname, tname, text)                                                                              \
    static const DeviceType cname = {                                                                              \
        .type = { .name = tname, .parent = "device", .size_bytes = sizeof(VirtioPort), .summary = text,            \
                  .props = port_props, .n_props = ARRAY_SIZE(port_props) },                                        \
        .category = DEVICE_INPUT, .bus = "virtio-serial-bus", .realize = port_realize, .unrealize = port_unrealize, \
        .hotpluggable = true, .user_creatable = true,                                                              \
    };                                                                                                             \
    DEVICE_TYPE_REGISTER(cname)

PORT_TYPE(virtconsole_type, "virtconsole", "Console port of a virtio-serial device");
PORT_TYPE(virtserialport_type, "virtserialport", "Data port of a virtio-serial device");
