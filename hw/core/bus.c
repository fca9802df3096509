/*
 * bus.c: buses, the list of devices on each, and the system bus.
 */
#include "hw/core/internal.h"
#include "softmmu/machine.h"

static const ObjectType bus_base_type = {
    .name = "bus",
    .parent = "object",
    .summary = "where devices are plugged in",
    .size_bytes = sizeof(Bus),
    .abstract = true,
};
OBJECT_TYPE_REGISTER(bus_base_type);

static const BusType system_bus_type = {
    .type = {
        .name = "System",
        .parent = "bus",
        .summary = "devices at fixed addresses",
        .size_bytes = sizeof(Bus),
    },
    .kind = "System",
};
OBJECT_TYPE_REGISTER(system_bus_type);

static unsigned buses_of_type(Object *obj, const char *type)
{
    unsigned n = object_is_a(obj, "bus") && !strcmp(obj->type->name, type);

    for (Object *child = obj->first_child; child; child = child->next) {
        n += buses_of_type(child, type);
    }
    return n;
}

static void bus_link(Bus *bus, Device *parent, const char *name)
{
    if (name) {
        bus->name = xstrdup(name);
    } else if (parent && parent->id) {
        unsigned n = 0;
        for (Bus *at = parent->first_bus; at; at = at->next) {
            n++;
        }
        bus->name = xasprintf("%s.%u", parent->id, n);
    } else {
        char *stem = xstrdup(bus->obj.type->name);
        for (char *c = stem; *c; c++) {
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
        }
        bus->name = xasprintf("%s.%u", stem, buses_of_type(object_root(), bus->obj.type->name));
        free(stem);
    }
    bus->parent = parent;
    if (parent) {
        Bus **at = &parent->first_bus;
        while (*at) {
            at = &(*at)->next;
        }
        *at = bus;
        object_add_child(&parent->obj, bus->name, &bus->obj);
    }
}

Bus *bus_new(const char *type, Device *parent, const char *name)
{
    Bus *bus = BUS(object_new(object_type_find(type)));

    bus_link(bus, parent, name);
    return bus;
}

void bus_init_embedded(Bus *bus, const char *type, Device *parent, const char *name)
{
    object_init_embedded(&bus->obj, object_type_find(type));
    bus_link(bus, parent, name);
}

void bus_free(Bus *bus)
{
    while (bus->first) {
        Device *dev = bus->first;
        device_unrealize(dev);
        if (dev->obj.parent) {
            object_remove(&dev->obj);
        }
    }
    if (bus->parent) {
        Bus **at = &bus->parent->first_bus;
        while (*at != bus) {
            at = &(*at)->next;
        }
        *at = bus->next;
        object_remove(&bus->obj);
    }
    free(bus->name);
    bus->name = NULL;
    object_unref(&bus->obj);
}

void bus_attach(Bus *bus, Device *dev)
{
    dev->bus = bus;
    dev->bus_prev = bus->last;
    dev->bus_next = NULL;
    *(bus->last ? &bus->last->bus_next : &bus->first) = dev;
    bus->last = dev;
    bus->n_devices++;
}

void bus_detach(Device *dev)
{
    Bus *bus = dev->bus;

    *(dev->bus_prev ? &dev->bus_prev->bus_next : &bus->first) = dev->bus_next;
    *(dev->bus_next ? &dev->bus_next->bus_prev : &bus->last) = dev->bus_prev;
    dev->bus = NULL;
    dev->bus_next = dev->bus_prev = NULL;
    bus->n_devices--;
}

static Bus *bus_find_below(Bus *bus, const char *name)
{
    if (bus->name && !strcmp(bus->name, name)) {
        return bus;
    }
    for (Device *dev = bus->first; dev; dev = dev->bus_next) {
        for (Bus *child = dev->first_bus; child; child = child->next) {
            Bus *hit = bus_find_below(child, name);
            if (hit) {
                return hit;
            }
        }
    }
    return NULL;
}

Bus *bus_find(const char *name)
{
    if (name[0] == '/') {
        Object *obj = object_resolve(name, NULL);
        return obj && object_is_a(obj, "bus") ? BUS(obj) : NULL;
    }
    Bus *bus = bus_find_below(sysbus_get(), name);
    if (!bus) {
        /* The id of a device with a bus of its own will do. */
        Device *dev = device_find(name);
        bus = dev ? dev->first_bus : NULL;
    }
    return bus;
}

Bus *sysbus_get(void)
{
    return &machine_current()->sysbus;
}
