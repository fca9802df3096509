/*
 * device-help.c: -device help, -device NAME,help and "info qtree".
 */
#include "hw/core/internal.h"
#include "softmmu/machine.h"

const char *device_category_title(DeviceCategory category)
{
    static const char *const titles[] = {
        [DEVICE_BRIDGE] = "Controller/Bridge/Hub devices",
        [DEVICE_USB] = "USB devices",
        [DEVICE_STORAGE] = "Storage devices",
        [DEVICE_NETWORK] = "Network devices",
        [DEVICE_INPUT] = "Input devices",
        [DEVICE_DISPLAY] = "Display devices",
        [DEVICE_SOUND] = "Sound devices",
        [DEVICE_MISC] = "Misc devices",
        [DEVICE_CPU] = "CPU devices",
        [DEVICE_WATCHDOG] = "Watchdog devices",
    };

    return titles[category];
}

typedef struct HelpVisit {
    PrintFn *print;
    void *opaque;
    DeviceCategory category;
    bool any;
} HelpVisit;

static void help_type(const ObjectType *type, void *opaque)
{
    HelpVisit *v = opaque;
    const DeviceType *dt = device_type_from(type);

    if (!dt || !dt->user_creatable || dt->category != v->category) {
        return;
    }
    if (!v->any) {
        print_fmt(v->print, v->opaque, "%s%s:\n", v->category ? "\n" : "",
             device_category_title(v->category));
        v->any = true;
    }
    print_fmt(v->print, v->opaque, "name \"%s\"", type->name);
    if (dt->bus) {
        print_fmt(v->print, v->opaque, ", bus %s", dt->bus);
    }
    if (dt->alias) {
        print_fmt(v->print, v->opaque, ", alias \"%s\"", dt->alias);
    }
    if (type->summary) {
        print_fmt(v->print, v->opaque, ", desc \"%s\"", type->summary);
    }
    print_fmt(v->print, v->opaque, "\n");
}

void device_print_types(PrintFn *print, void *opaque)
{
    for (unsigned c = 0; c < DEVICE_N_CATEGORIES; c++) {
        HelpVisit v = { print, opaque, c, false };
        object_type_foreach(help_type, &v);
    }
}

typedef VEC(const Property *) PropList;

static void collect_prop(const ObjectType *owner, const Property *prop, void *opaque)
{
    if (strcmp(owner->name, "device") && strcmp(owner->name, "object")) {
        *vec_push((PropList *)opaque) = prop;
    }
}

static int prop_by_name(const void *a, const void *b)
{
    return strcmp((*(const Property *const *)a)->name, (*(const Property *const *)b)->name);
}

bool device_print_help(const char *name, PrintFn *print, void *opaque, Error **errp)
{
    const DeviceType *type = device_type_find(name);
    PropList props = {0};

    if (!type) {
        error_set(errp, "'%s' is not a valid device model name", name);
        return false;
    }
    object_type_foreach_prop(&type->type, collect_prop, &props);
    if (!props.n) {
        print_fmt(print, opaque, "There are no options for %s.\n", type->type.name);
        return true;
    }
    qsort(props.at, props.n, sizeof(*props.at), prop_by_name);
    print_fmt(print, opaque, "%s options:\n", type->type.name);
    for (size_t i = 0; i < props.n; i++) {
        const Property *p = props.at[i];
        char *head = xasprintf("%s=<%s>", p->name, property_type_name(p));
        char *def = property_default_text(p);
        print_fmt(print, opaque, "  %-22s", head);
        if (p->help || def) {
            print_fmt(print, opaque, " - %s%s", p->help ? p->help : "", p->help && def ? " " : "");
        }
        if (def) {
            print_fmt(print, opaque, "(default: %s)", def);
        }
        print_fmt(print, opaque, "\n");
        free(head);
        free(def);
    }
    vec_free(&props);
    return true;
}

/* --- info qtree --- */

typedef struct TreeVisit {
    PrintFn *print;
    void *opaque;
    int indent;
    Device *dev;
} TreeVisit;

static void tree_prop(const ObjectType *owner, const Property *prop, void *opaque)
{
    TreeVisit *v = opaque;
    PropValue value;

    if (!strcmp(owner->name, "device") ||
        !object_property_get(&v->dev->obj, prop->name, &value, NULL)) {
        return;
    }
    char *text = prop_value_text(&value);
    if (value.kind == VALUE_UINT) {
        print_fmt(v->print, v->opaque, "%*s%s = %s (0x%" PRIx64 ")\n", v->indent, "", prop->name, text,
             value.u);
    } else if (prop->kind == PROP_MACADDR || prop->kind == PROP_PCI_ADDR) {
        print_fmt(v->print, v->opaque, "%*s%s = %s\n", v->indent, "", prop->name, value.s);
    } else {
        print_fmt(v->print, v->opaque, "%*s%s = %s\n", v->indent, "", prop->name, text);
    }
    free(text);
    prop_value_finish(&value);
}

/* One line of a device's or bus's own. */
static void print_indented(void *opaque, const char *text)
{
    TreeVisit *v = opaque;

    print_fmt(v->print, v->opaque, "%*s%s", v->indent, "", text);
}

static void tree_bus(Bus *bus, int indent, PrintFn *print, void *opaque)
{
    print_fmt(print, opaque, "%*sbus: %s\n", indent, "", bus->name);
    print_fmt(print, opaque, "%*stype %s\n", indent + 2, "", bus->obj.type->name);
    for (Device *dev = bus->last; dev; dev = dev->bus_prev) {
        TreeVisit v = { print, opaque, indent + 4, dev };

        print_fmt(print, opaque, "%*sdev: %s, id \"%s\"\n", indent + 2, "", dev->obj.type->name,
             dev->id ? dev->id : "");
        for (IrqGroup *g = dev->irqs; g; g = g->next) {
            if (g->n_in) {
                print_fmt(print, opaque, "%*sgpio-in \"%s\" %u\n", indent + 4, "",
                     g->name ? g->name : "", g->n_in);
            }
            if (g->n_out) {
                print_fmt(print, opaque, "%*sgpio-out \"%s\" %u\n", indent + 4, "",
                     g->name ? g->name : "", g->n_out);
            }
        }
        object_type_foreach_prop(dev->obj.type, tree_prop, &v);
        for (unsigned i = 0; i < dev->n_mmio && bus == sysbus_get(); i++) {
            uint64_t size = memory_region_size(dev->mmio[i]);
            print_fmt(print, opaque, "%*smmio " GPA_FMT "/" GPA_FMT "\n", indent + 4, "",
                 dev->mmio_addr[i], size);
        }
        if (device_type(dev)->print) {
            device_type(dev)->print(dev, print_indented, &v);
        }
        if (bus_type(bus)->print_device) {
            bus_type(bus)->print_device(dev, print_indented, &v);
        }
        for (Bus *child = dev->first_bus; child; child = child->next) {
            tree_bus(child, indent + 4, print, opaque);
        }
    }
}

void device_print_tree(PrintFn *print, void *opaque)
{
    tree_bus(sysbus_get(), 0, print, opaque);
}
