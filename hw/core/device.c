/*
 * device.c: life of a device: made, realized on a bus, reset, removed.
 */
#include "hw/core/internal.h"
#include "softmmu/machine.h"
#include "util/trace.h"

/* --- base types --- */

static bool get_realized(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    *ret = prop_bool(DEVICE(obj)->realized);
    return true;
}

static bool get_hotpluggable(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    *ret = prop_bool(device_type(DEVICE(obj))->hotpluggable);
    return true;
}

static bool get_hotplugged(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    *ret = prop_bool(DEVICE(obj)->hotplugged);
    return true;
}

static bool get_parent_bus(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    Bus *bus = DEVICE(obj)->bus;
    char *path = bus ? object_path(&bus->obj) : NULL;

    *ret = prop_string(path);
    free(path);
    return true;
}

static const Property device_props[] = {
    { .name = "realized", .kind = PROP_CUSTOM, .type_name = "bool", .get = get_realized },
    { .name = "hotpluggable", .kind = PROP_CUSTOM, .type_name = "bool", .get = get_hotpluggable },
    { .name = "hotplugged", .kind = PROP_CUSTOM, .type_name = "bool", .get = get_hotplugged },
    { .name = "parent_bus", .kind = PROP_CUSTOM, .type_name = "link<bus>",
      .get = get_parent_bus },
};

static void device_finish(Object *obj)
{
    Device *dev = DEVICE(obj);

    assert(!dev->realized);
    device_irqs_finish(dev);
    free(dev->id);
}

static const ObjectType device_base_type = {
    .name = "device",
    .parent = "object",
    .summary = "the ancestor of every device",
    .size_bytes = sizeof(Device),
    .abstract = true,
    .props = device_props,
    .n_props = ARRAY_SIZE(device_props),
    .finish = device_finish,
};
OBJECT_TYPE_REGISTER(device_base_type);

static const ObjectType sys_bus_device_type = {
    .name = "sys-bus-device",
    .parent = "device",
    .summary = "a device at fixed addresses",
    .size_bytes = sizeof(Device),
    .abstract = true,
};
OBJECT_TYPE_REGISTER(sys_bus_device_type);

const DeviceType *device_type_from(const ObjectType *type)
{
    return type && !type->abstract && object_type_is_a(type, "device") ? (const DeviceType *)type
                                                                       : NULL;
}

typedef struct AliasSearch {
    const char *alias;
    const DeviceType *hit;
} AliasSearch;

static void alias_visit(const ObjectType *type, void *opaque)
{
    AliasSearch *search = opaque;
    const DeviceType *dt = device_type_from(type);

    if (dt && dt->alias && !strcmp(dt->alias, search->alias)) {
        search->hit = dt;
    }
}

const DeviceType *device_type_find(const char *name)
{
    const DeviceType *type = device_type_from(object_type_find(name));

    if (!type) {
        AliasSearch search = { .alias = name };
        object_type_foreach(alias_visit, &search);
        type = search.hit;
    }
    return type;
}

/* --- irq lines --- */

static bool same_name(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static IrqGroup *irq_group(Device *dev, const char *name, bool make)
{
    IrqGroup **at = &dev->irqs;

    while (*at && !same_name((*at)->name, name)) {
        at = &(*at)->next;
    }
    if (!*at && make) {
        *at = xnew(IrqGroup);
        (*at)->name = name ? xstrdup(name) : NULL;
    }
    return *at;
}

void device_init_irqs_in(Device *dev, const char *name, IrqHandler *handler, unsigned n)
{
    IrqGroup *group = irq_group(dev, name, true);
    char *child = xasprintf("%s[*]", name ? name : "unnamed-gpio-in");

    assert(!group->in);
    group->in = xnew_array(Irq, n + 1);
    group->n_in = n;
    for (unsigned i = 0; i < n; i++) {
        irq_init(&group->in[i], handler, dev, (int)i);
        object_add_child(&dev->obj, child, &group->in[i].obj);
    }
    free(child);
}

void device_init_irqs_out(Device *dev, const char *name, unsigned n)
{
    IrqGroup *group = irq_group(dev, name, true);

    assert(!group->out);
    group->out = xnew_array(Irq *, n + 1);
    group->n_out = n;
}

Irq *device_irq_in(Device *dev, const char *name, unsigned n)
{
    IrqGroup *group = irq_group(dev, name, false);

    assert(group && n < group->n_in);
    return &group->in[n];
}

void device_connect_irq(Device *dev, const char *name, unsigned n, Irq *to)
{
    IrqGroup *group = irq_group(dev, name, false);

    assert(group && n < group->n_out);
    group->out[n] = to;
    char *link = xasprintf("%s[%u]", name ? name : "unnamed-gpio-out", n);
    object_add_link(&dev->obj, link, &to->obj);
    free(link);
}

Irq *device_irq_out(Device *dev, const char *name, unsigned n)
{
    IrqGroup *group = irq_group(dev, name, false);

    return group && n < group->n_out ? group->out[n] : NULL;
}

void device_set_irq(Device *dev, const char *name, unsigned n, int level)
{
    irq_set(device_irq_out(dev, name, n), level);
}

void device_irqs_finish(Device *dev)
{
    while (dev->irqs) {
        IrqGroup *group = dev->irqs;
        dev->irqs = group->next;
        for (unsigned i = 0; i < group->n_in; i++) {
            if (group->in[i].obj.parent) {
                object_remove(&group->in[i].obj);
            }
            object_unref(&group->in[i].obj);
        }
        free(group->in);
        free(group->out);
        free(group->name);
        free(group);
    }
}

/* --- MMIO --- */

void device_add_mmio(Device *dev, MemoryRegion *mr)
{
    assert(dev->n_mmio < DEVICE_MAX_BANKS);
    dev->mmio_addr[dev->n_mmio] = UINT64_MAX;
    dev->mmio[dev->n_mmio++] = mr;
}

void device_set_bank_size(Device *dev, unsigned bank, uint64_t size_bytes)
{
    memory_region_set_size(dev->mmio[bank], size_bytes);
}

MemoryRegion *device_mmio(Device *dev, unsigned n)
{
    assert(n < dev->n_mmio);
    return dev->mmio[n];
}

void sysbus_map(Device *dev, unsigned n, gpa addr)
{
    MemoryRegion *mr = device_mmio(dev, n);

    if (mr->container) {
        memory_region_remove(mr->container, mr);
    }
    dev->mmio_addr[n] = addr;
    memory_region_add(&machine_current()->system_memory, addr, mr);
}

/* --- life --- */

Device *device_new(const char *name, Error **errp)
{
    const DeviceType *type = device_type_find(name);

    if (!type) {
        error_set(errp, "'%s' is not a valid device model name", name);
        return NULL;
    }
    return DEVICE(object_new(&type->type));
}

static bool bus_accepts(const Bus *bus, const char *kind)
{
    for (const ObjectType *t = bus->obj.type; t && strcmp(t->name, "bus");
         t = object_type_parent(t)) {
        if (!strcmp(((const BusType *)t)->kind, kind)) {
            return true;
        }
    }
    return false;
}

static Bus *bus_for_kind(Bus *bus, const char *kind)
{
    if (bus_accepts(bus, kind) && !bus->full &&
        (!bus_type(bus)->max_devices || bus->n_devices < bus_type(bus)->max_devices)) {
        return bus;
    }
    for (Device *dev = bus->first; dev; dev = dev->bus_next) {
        for (Bus *child = dev->first_bus; child; child = child->next) {
            Bus *hit = bus_for_kind(child, kind);
            if (hit) {
                return hit;
            }
        }
    }
    return NULL;
}

static bool bus_check(Bus *bus, Device *dev, Error **errp)
{
    const DeviceType *type = device_type(dev);

    if (!bus_accepts(bus, type->bus)) {
        error_set(errp, "Device '%s' can't go on %s bus", type->type.name, bus->obj.type->name);
        return false;
    }
    if (bus->full || (bus_type(bus)->max_devices &&
                      bus->n_devices >= bus_type(bus)->max_devices)) {
        error_set(errp, "Bus '%s' is full", bus->name);
        return false;
    }
    return !bus_type(bus)->check || bus_type(bus)->check(bus, dev, errp);
}

static int device_count(const DeviceType *type, Bus *bus)
{
    int n = 0;

    for (Device *dev = bus->first; dev; dev = dev->bus_next) {
        n += device_type(dev) == type;
        for (Bus *child = dev->first_bus; child; child = child->next) {
            n += device_count(type, child);
        }
    }
    return n;
}

bool device_realize(Device *dev, Bus *bus, Error **errp)
{
    const DeviceType *type = device_type(dev);
    bool added = false;

    assert(!dev->realized);
    TRACE("device_realize", "type %s id %s", type->type.name, dev->id ? dev->id : "");
    if (type->bus) {
        if (!bus) {
            bus = bus_for_kind(sysbus_get(), type->bus);
        }
        if (!bus) {
            error_set(errp, "No '%s' bus found for device '%s'", type->bus, type->type.name);
            return false;
        }
        if (!bus_check(bus, dev, errp)) {
            return false;
        }
    } else if (bus) {
        error_set(errp, "Device '%s' does not plug into a bus", type->type.name);
        return false;
    }
    if (!dev->obj.parent) {
        object_add_child(object_container("/machine/unattached"), "device[*]", &dev->obj);
        added = true;
    }
    if (bus) {
        dev->instance_alias = device_count(type, sysbus_get());
        bus_attach(bus, dev);
    }
    device_banks_init(dev);
    for (size_t i = 0; i < type->n_irqs_in; i++) {
        device_init_irqs_in(dev, type->irqs_in[i].name, type->irqs_in[i].handler,
                            type->irqs_in[i].count);
    }
    for (size_t i = 0; i < type->n_irqs_out; i++) {
        device_init_irqs_out(dev, type->irqs_out[i].name, type->irqs_out[i].count);
    }
    dev->hotplugged = machine_current()->built;
    if (type->realize && !type->realize(dev, errp)) {
        while (dev->first_bus) {
            bus_free(dev->first_bus);
        }
        device_irqs_finish(dev);
        device_banks_finish(dev);
        if (bus) {
            bus_detach(dev);
        }
        if (added) {
            object_ref(&dev->obj);
            object_remove(&dev->obj);
            dev->obj.refs--;
        }
        return false;
    }
    dev->realized = true;
    if (dev->hotplugged) {
        device_reset(dev, RESET_COLD);
    }
    return true;
}

Device *device_create(const char *type, Bus *bus, const char *const *props, Error **errp)
{
    Device *dev = device_new(type, errp);

    if (!dev) {
        return NULL;
    }
    for (; props && *props; props += 2) {
        if (!object_property_parse(&dev->obj, props[0], props[1], errp)) {
            object_unref(&dev->obj);
            return NULL;
        }
    }
    bool ok = device_realize(dev, bus, errp);
    object_unref(&dev->obj); /* the tree keeps it */
    return ok ? dev : NULL;
}

void device_unrealize(Device *dev)
{
    TRACE("device_unrealize", "type %s id %s", dev->obj.type->name, dev->id ? dev->id : "");
    const DeviceType *type = device_type(dev);

    if (!dev->realized) {
        return;
    }
    while (dev->first_bus) {
        bus_free(dev->first_bus);
    }
    memory_begin();
    for (unsigned i = 0; i < dev->n_mmio; i++) {
        if (dev->mmio[i]->container) {
            memory_region_remove(dev->mmio[i]->container, dev->mmio[i]);
        }
    }
    memory_commit();
    memory_synchronize();
    if (type->unrealize) {
        type->unrealize(dev);
    }
    device_irqs_finish(dev);
    device_banks_finish(dev);
    if (dev->bus) {
        bus_detach(dev);
    }
    dev->realized = false;
}

/* --- -device and device_add --- */

static void (*deleted_hook)(const char *id, const char *path);

void device_set_deleted_hook(void (*hook)(const char *id, const char *path))
{
    deleted_hook = hook;
}

Device *device_find(const char *id)
{
    Object *obj;

    if (id[0] == '/') {
        obj = object_resolve(id, NULL);
    } else {
        obj = object_child(object_container("/machine/peripheral"), id);
    }
    return obj && object_is_a(obj, "device") && device_type_from(obj->type) ? DEVICE(obj) : NULL;
}

static const char *opt_value(const char *const *opts, const char *name)
{
    for (; opts && *opts; opts += 2) {
        if (!strcmp(opts[0], name)) {
            return opts[1];
        }
    }
    return NULL;
}

Device *device_add(const char *type_name, const char *const *opts, Error **errp)
{
    const DeviceType *type = device_type_find(type_name);
    const char *id = opt_value(opts, "id"), *bus_name = opt_value(opts, "bus");
    Bus *bus = NULL;

    if (!type) {
        error_set(errp, "'%s' is not a valid device model name", type_name);
        return NULL;
    }
    if (!type->user_creatable) {
        error_set(errp, "Parameter 'driver' expects a pluggable device type");
        return NULL;
    }
    if (machine_current()->built && !type->hotpluggable) {
        error_set(errp, "Device '%s' does not support hotplugging", type->type.name);
        return NULL;
    }
    if (bus_name) {
        bus = bus_find(bus_name);
        if (!bus) {
            error_set(errp, "Bus '%s' not found", bus_name);
            return NULL;
        }
    } else if (type->bus) {
        bus = bus_for_kind(sysbus_get(), type->bus);
        if (!bus) {
            error_set(errp, "No '%s' bus found for device '%s'", type->bus, type->type.name);
            return NULL;
        }
    }
    if (bus && machine_current()->built && !bus->hotplug) {
        error_set(errp, "Bus '%s' does not support hotplugging", bus->name);
        return NULL;
    }
    Object *peripheral = object_container("/machine/peripheral");
    if (id && object_child(peripheral, id)) {
        error_set(errp, "Duplicate device ID '%s'", id);
        return NULL;
    }
    Device *dev = DEVICE(object_new(&type->type));
    for (const char *const *opt = opts; opt && *opt; opt += 2) {
        if (strcmp(opt[0], "id") && strcmp(opt[0], "bus") && strcmp(opt[0], "driver") &&
            !object_property_parse(&dev->obj, opt[0], opt[1], errp)) {
            object_unref(&dev->obj);
            return NULL;
        }
    }
    if (id) {
        dev->id = xstrdup(id);
        object_add_child(peripheral, id, &dev->obj);
    } else {
        object_add_child(object_container("/machine/peripheral-anon"), "device[*]", &dev->obj);
    }
    const MachineType *mt = machine_current()->type;
    bool ok = (!mt->hotplug_ok || mt->hotplug_ok(machine_current(), dev, errp)) &&
              device_realize(dev, bus, errp);
    if (!ok) {
        object_remove(&dev->obj);
    }
    object_unref(&dev->obj);
    return ok ? dev : NULL;
}

bool device_del(const char *id, Error **errp)
{
    Device *dev = device_find(id);

    if (!dev) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", id);
        return false;
    }
    if (!device_type(dev)->hotpluggable) {
        error_set(errp, "Device '%s' does not support hotplugging", dev->obj.type->name);
        return false;
    }
    if (dev->bus && !dev->bus->hotplug) {
        error_set(errp, "Bus '%s' does not support hotplugging", dev->bus->name);
        return false;
    }
    char *path = object_path(&dev->obj), *gone = dev->id ? xstrdup(dev->id) : NULL;
    device_unrealize(dev);
    object_remove(&dev->obj);
    if (deleted_hook) {
        deleted_hook(gone, path);
    }
    free(path);
    free(gone);
    return true;
}

/* --- reset --- */

static void reset_phase(Device *dev, ResetKind kind, int phase)
{
    const DeviceType *type = device_type(dev);

    for (Bus *bus = dev->first_bus; bus; bus = bus->next) {
        for (Device *child = bus->first; child; child = child->bus_next) {
            reset_phase(child, kind, phase);
        }
    }
    if (phase == 0) {
        device_banks_reset(dev);
        if (type->reset_enter) {
            type->reset_enter(dev, kind);
        }
    } else if (phase == 1 && type->reset_hold) {
        type->reset_hold(dev, kind);
    } else if (phase == 2 && type->reset_exit) {
        type->reset_exit(dev, kind);
    }
}

void device_reset(Device *dev, ResetKind kind)
{
    for (int phase = 0; phase < 3; phase++) {
        reset_phase(dev, kind, phase);
    }
}


void device_reset_bus(Bus *bus, ResetKind kind)
{
    for (int phase = 0; phase < 3; phase++) {
        for (Device *dev = bus->first; dev; dev = dev->bus_next) {
            reset_phase(dev, kind, phase);
        }
    }
}

static void foreach_on_bus(Bus *bus, void (*fn)(Device *dev, void *opaque), void *opaque)
{
    for (Device *dev = bus->first; dev; dev = dev->bus_next) {
        fn(dev, opaque);
        for (Bus *child = dev->first_bus; child; child = child->next) {
            foreach_on_bus(child, fn, opaque);
        }
    }
}

void device_foreach(void (*fn)(Device *dev, void *opaque), void *opaque)
{
    foreach_on_bus(sysbus_get(), fn, opaque);
}
