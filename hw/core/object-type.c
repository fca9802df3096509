/*
 * object-type.c: the table of types, their properties and their texts.
 *
 * Types live in a linker section; an index sorted by name is made on first use.
 */
#include <pthread.h>
#include "hw/object.h"
#include "util/alloc.h"

extern const ObjectType *const __start_object_types[];
extern const ObjectType *const __stop_object_types[];

static const ObjectType **type_index;
static size_t type_count;
static pthread_once_t type_once = PTHREAD_ONCE_INIT;

static const ObjectType object_base_type = {
    .name = "object",
    .summary = "the ancestor of every type",
    .size_bytes = sizeof(Object),
    .abstract = true,
};
OBJECT_TYPE_REGISTER(object_base_type);

static const ObjectType container_type = {
    .name = "container",
    .parent = "object",
    .summary = "a folder of the object tree",
    .size_bytes = sizeof(Object),
};
OBJECT_TYPE_REGISTER(container_type);

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const ObjectType *const *)a)->name, (*(const ObjectType *const *)b)->name);
}

static void type_make_index(void)
{
    type_count = (size_t)(__stop_object_types - __start_object_types);
    type_index = xnew_array(const ObjectType *, type_count);
    for (size_t i = 0; i < type_count; i++) {
        type_index[i] = __start_object_types[i];
    }
    qsort(type_index, type_count, sizeof(*type_index), by_name);
    for (size_t i = 0; i < type_count; i++) {
        assert(!i || strcmp(type_index[i - 1]->name, type_index[i]->name));
    }
}

const ObjectType *object_type_find(const char *name)
{
    size_t low = 0, high;

    pthread_once(&type_once, type_make_index);
    high = type_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(name, type_index[mid]->name);
        if (!order) {
            return type_index[mid];
        }
        if (order < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return NULL;
}

const ObjectType *object_type_parent(const ObjectType *type)
{
    return type->parent ? object_type_find(type->parent) : NULL;
}

bool object_type_is_a(const ObjectType *type, const char *ancestor)
{
    for (; type; type = object_type_parent(type)) {
        if (!strcmp(type->name, ancestor)) {
            return true;
        }
    }
    return false;
}

void object_type_foreach(void (*fn)(const ObjectType *type, void *opaque), void *opaque)
{
    pthread_once(&type_once, type_make_index);
    for (size_t i = 0; i < type_count; i++) {
        fn(type_index[i], opaque);
    }
}

void object_type_foreach_prop(const ObjectType *type,
                              void (*fn)(const ObjectType *owner, const Property *prop,
                                         void *opaque), void *opaque)
{
    for (; type; type = object_type_parent(type)) {
        for (size_t i = 0; i < type->n_props; i++) {
            fn(type, &type->props[i], opaque);
        }
    }
}

const Property *object_type_find_prop(const ObjectType *type, const char *name)
{
    for (; type; type = object_type_parent(type)) {
        for (size_t i = 0; i < type->n_props; i++) {
            if (!strcmp(type->props[i].name, name)) {
                return &type->props[i];
            }
        }
    }
    return NULL;
}

const char *property_type_name(const Property *prop)
{
    static const char *const names[] = {
        [PROP_BOOL] = "bool", [PROP_UINT8] = "uint8", [PROP_UINT16] = "uint16",
        [PROP_UINT32] = "uint32", [PROP_UINT64] = "uint64", [PROP_INT32] = "int32",
        [PROP_INT64] = "int64", [PROP_SIZE] = "size", [PROP_SIZE32] = "size",
        [PROP_STRING] = "str", [PROP_ENUM] = "str", [PROP_BIT] = "bool", [PROP_BIT64] = "bool",
        [PROP_LINK] = "link<object>", [PROP_CHARDEV] = "str", [PROP_DRIVE] = "str",
        [PROP_NETDEV] = "str", [PROP_MACADDR] = "str", [PROP_PCI_ADDR] = "str",
        [PROP_CUSTOM] = "str",
    };

    return prop->type_name ? prop->type_name : names[prop->kind];
}

char *property_default_text(const Property *prop)
{
    if (prop->def_str) {
        return xasprintf("\"%s\"", prop->def_str);
    }
    if (!prop->has_default) {
        return NULL;
    }
    switch (prop->kind) {
    case PROP_BOOL:
    case PROP_BIT:
    case PROP_BIT64:
        return xstrdup(prop->def ? "on" : "off");
    case PROP_ENUM:
        return xasprintf("\"%s\"", prop->names[prop->def]);
    case PROP_INT32:
    case PROP_INT64:
        return xasprintf("%" PRId64, (int64_t)prop->def);
    case PROP_PCI_ADDR:
        return prop->def == UINT64_MAX ? xstrdup("-1") : xasprintf("%02" PRIx64 ".%" PRIu64, prop->def >> 3, prop->def & 7);
    default:
        return xasprintf("%" PRIu64, prop->def);
    }
}
