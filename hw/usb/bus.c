/*
 * bus.c: the USB bus: ports, which device goes into which, "info usb", boot paths.
 *
 * The devices behind hubs are on the bus of the controller: ports know the tree.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hw/usb.h"

unsigned usb_speed_mbit(UsbSpeed speed)
{
    static const unsigned mbit[USB_N_SPEEDS] = { 1, 12, 480, 5000 };
    return mbit[speed];
}

/* -- ports --------------------------------------------------------------------------------------------------------------- */

void usb_port_add(UsbBus *bus, UsbPort *port, UsbDevice *hub, unsigned number, unsigned speeds, const UsbPortOps *ops, void *opaque,
                  unsigned index)
{
    *port = (UsbPort){ .bus = bus, .hub = hub, .ops = ops, .opaque = opaque, .index = index, .speeds = speeds };
    if (hub) {
        snprintf(port->path, sizeof(port->path), "%.24s.%u", hub->port->path, number % 1000);
    } else {
        snprintf(port->path, sizeof(port->path), "%u", number);
    }
    *bus->last_port = port;
    bus->last_port = &port->next;
}

void usb_port_remove(UsbPort *port)
{
    UsbPort **at = &port->bus->ports;

    while (*at != port) {
        at = &(*at)->next;
    }
    *at = port->next;
    if (port->bus->last_port == &port->next) {
        port->bus->last_port = at;
    }
}

UsbDevice *usb_hub_child(const UsbDevice *hub, unsigned number)
{
    return number && number <= hub->n_ports ? hub->ports[number - 1].dev : NULL;
}

static unsigned depth(const UsbPort *port)
{
    unsigned n = 0;

    for (; port->hub; port = port->hub->port) {
        n++;
    }
    return n;
}

/* -- plugging -------------------------------------------------------------------------------------------------------------- */

static unsigned device_speeds(const UsbDevice *dev)
{
    unsigned speeds = 0;

    for (unsigned s = 0; s < USB_N_SPEEDS; s++) {
        speeds |= dev->utype->desc->speeds[s] ? 1u << s : 0;
    }
    return speeds;
}

static bool is_free(const UsbPort *port)
{
    return !port->dev;
}

static UsbPort *first_free(UsbBus *bus, unsigned *ret_count)
{
    UsbPort *first = NULL;

    *ret_count = 0;
    for (UsbPort *port = bus->ports; port; port = port->next) {
        if (is_free(port)) {
            first = first ? first : port;
            (*ret_count)++;
        }
    }
    return first;
}

static UsbPort *choose_port(UsbBus *bus, UsbDevice *dev, Error **errp)
{
    unsigned n_free;
    UsbPort *port;

    if (dev->port_path && *dev->port_path) {
        for (port = bus->ports; port; port = port->next) {
            if (is_free(port) && !strcmp(port->path, dev->port_path)) {
                return port;
            }
        }
        error_set(errp, "usb port %s (bus %s) not found (in use?)", dev->port_path, bus->bus.name);
        return NULL;
    }
    port = first_free(bus, &n_free);
    /* The last port gets a hub, so that there always is another. */
    if (n_free == 1 && !object_is_a(&dev->dev.obj, "usb-hub") && depth(port) < USB_MAX_DEPTH) {
        const char *const props[] = { "port", port->path, NULL };
        if (!device_create("usb-hub", &bus->bus, props, errp)) {
            return NULL;
        }
        port = first_free(bus, &n_free);
    }
    if (!port) {
        error_set(errp, "tried to attach usb device %s to a bus with no free ports", dev->utype->product);
    }
    return port;
}

static bool bus_check(Bus *bus, Device *device, Error **errp)
{
    UsbDevice *dev = USB_DEVICE(device);

    dev->utype = device->obj.type->class_data;
    UsbPort *port = choose_port((UsbBus *)bus, dev, errp);
    if (!port) {
        return false;
    }
    unsigned speeds = port->speeds & device_speeds(dev);
    if (!speeds) {
        error_set(errp, "Warning: speed mismatch trying to attach usb device \"%s\" to bus \"%s\", port \"%s\"", dev->utype->product,
                  bus->name, port->path);
        return false;
    }
    if (object_is_a(&device->obj, "usb-hub") && depth(port) >= USB_MAX_DEPTH) {
        error_set(errp, "usb hub chain too deep");
        return false;
    }
    dev->port = port;
    return true;
}

/* -- what people see ---------------------------------------------------------------------------------------------------------- */

char *usb_fw_path(Device *device)
{
    UsbDevice *dev = USB_DEVICE(device);
    char *path = xstrdup("");
    const char *at = dev->port->path, *dot;

    while ((dot = strchr(at, '.'))) {
        char *longer = xasprintf("%shub@%lx/", path, strtoul(at, NULL, 10));
        free(path);
        path = longer;
        at = dot + 1;
    }
    char *whole = xasprintf("%s%s@%lx", path, dev->utype->fw_name ? dev->utype->fw_name : dev->dev.obj.type->name,
                            strtoul(at, NULL, 10));
    free(path);
    return whole;
}

static void print_device(Device *device, PrintFn *print, void *opaque)
{
    UsbDevice *dev = USB_DEVICE(device);
    print_fmt(print, opaque, "addr 0.%u, port %s, speed %u, name %s, attached\n", dev->address, dev->port->path,
              usb_speed_mbit(dev->speed), dev->utype->product);
}

typedef struct Print {
    PrintFn *print;
    void *opaque;
    bool found;
} Print;

static void print_bus(Object *obj, Print *p, unsigned *number)
{
    if (object_is_a(obj, "usb-bus")) {
        p->found = true;
        for (Device *at = BUS(obj)->first; at; at = at->bus_next) {
            UsbDevice *dev = USB_DEVICE(at);
            print_fmt(p->print, p->opaque, "  Device %u.%u, Port %s, Speed %u Mb/s, Product %s%s%s\n", *number, dev->address, dev->port->path,
                      usb_speed_mbit(dev->speed), dev->utype->product, at->id ? ", ID: " : "", at->id ? at->id : "");
        }
        ++*number;
    }
    for (Object *child = obj->first_child; child; child = child->next) {
        print_bus(child, p, number);
    }
}

bool usb_print(PrintFn *print, void *opaque)
{
    Print p = { print, opaque, false };
    unsigned number = 0;

    print_bus(object_root(), &p, &number);
    return p.found;
}

static const BusType usb_bus_type = {
    .type = { .name = "usb-bus", .parent = "bus", .size_bytes = sizeof(UsbBus), .summary = "USB devices of a host controller" },
    .kind = "usb-bus", .check = bus_check, .print_device = print_device,
};
OBJECT_TYPE_REGISTER(usb_bus_type);

void usb_bus_init(UsbBus *bus, Device *controller, const char *name)
{
    bus_init_embedded(&bus->bus, "usb-bus", controller, name);
    bus->bus.hotplug = true;
    bus->ports = NULL;
    bus->last_port = &bus->ports;
}
