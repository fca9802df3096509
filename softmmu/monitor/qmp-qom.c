/*
 * qmp-qom.c: the object tree and devices.
 */
#include "accel/accel.h"
#include "softmmu/system.h"
#include "hw/device.h"
#include "softmmu/machine.h"
#include "softmmu/monitor/priv.h"

/* ---- values ---- */

static Json *json_from_value(const PropValue *value)
{
    switch (value->kind) {
    case VALUE_BOOL:
        return json_bool(value->b);
    case VALUE_INT:
        return json_int(value->i);
    case VALUE_UINT:
        return json_uint(value->u);
    case VALUE_DOUBLE:
        return json_double(value->d);
    case VALUE_STRING:
        return json_string(value->s ? value->s : "");
    case VALUE_NONE:
        break;
    }
    return json_null();
}

static bool value_from_json(const Json *json, PropValue *ret, Error **errp)
{
    switch (json_kind(json)) {
    case JSON_BOOL:
        *ret = prop_bool(json_as_bool(json));
        return true;
    case JSON_INT:
        *ret = prop_int(json_as_int(json));
        return true;
    case JSON_UINT:
        *ret = prop_uint(json_as_uint(json));
        return true;
    case JSON_STRING:
        *ret = prop_string(json_as_string(json));
        return true;
    default:
        error_set(errp, "a property value must be a boolean, an integer or a string");
        return false;
    }
}

static Object *resolve(const char *path, Error **errp)
{
    bool ambiguous = false;
    Object *obj = object_resolve(path, &ambiguous);
    if (!obj && ambiguous) {
        error_set(errp, "Path '%s' does not uniquely identify an object", path);
    } else if (!obj) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", path);
    }
    return obj;
}

/* ---- qom-* ---- */

static void list_prop(const char *name, const char *type, const char *description, void *opaque)
{
    Json *item = json_object();
    json_put_string(item, "name", name);
    json_put_string(item, "type", type);
    json_push(opaque, item);
}

Json *qmp_qom_list(Monitor *mon, const Json *args, Error **errp)
{
    Object *obj = resolve(json_get_string(args, "path"), errp);
    if (!obj) {
        return NULL;
    }
    Json *list = json_array();
    object_foreach_prop(obj, list_prop, list);
    return list;
}

static Json *get_property(Object *obj, const char *name, Error **errp)
{
    PropValue value;
    if (!object_property_get(obj, name, &value, errp)) {
        return NULL;
    }
    Json *json = json_from_value(&value);
    prop_value_finish(&value);
    return json;
}

Json *qmp_qom_get(Monitor *mon, const Json *args, Error **errp)
{
    Object *obj = resolve(json_get_string(args, "path"), errp);
    return obj ? get_property(obj, json_get_string(args, "property"), errp) : NULL;
}

Json *qmp_qom_set(Monitor *mon, const Json *args, Error **errp)
{
    Object *obj = resolve(json_get_string(args, "path"), errp);
    PropValue value;
    if (!obj || !value_from_json(json_get(args, "value"), &value, errp)) {
        return NULL;
    }
    bool ok = object_property_set(obj, json_get_string(args, "property"), &value, errp);
    prop_value_finish(&value);
    return ok ? json_object() : NULL;
}

Json *qmp_qom_list_get(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array(), *paths = json_get(args, "paths");
    for (size_t i = 0; i < json_count(paths); i++) {
        Object *obj = resolve(json_as_string(json_at(paths, i)), errp);
        if (!obj) {
            json_free(list);
            return NULL;
        }
        Json *item = json_object(), *props = json_array();
        object_foreach_prop(obj, list_prop, props);
        for (size_t k = 0; k < json_count(props); k++) {
            Json *prop = json_at(props, k);
            Json *value = get_property(obj, json_get_string(prop, "name"), NULL);
            if (value) {
                json_put(prop, "value", value);
            }
        }
        json_put(item, "properties", props);
        json_push(list, item);
    }
    return list;
}

typedef struct TypeList {
    Json *list;
    const char *implements;
    bool abstract;
} TypeList;

static void list_type(const ObjectType *type, void *opaque)
{
    TypeList *t = opaque;
    if ((type->abstract && !t->abstract) ||
        (t->implements && !object_type_is_a(type, t->implements))) {
        return;
    }
    Json *item = json_object();
    json_put_string(item, "name", type->name);
    if (type->abstract) {
        json_put_bool(item, "abstract", true);
    }
    if (type->parent) {
        json_put_string(item, "parent", type->parent);
    }
    json_push(t->list, item);
}

Json *qmp_qom_list_types(Monitor *mon, const Json *args, Error **errp)
{
    TypeList t = { json_array(), json_get_string(args, "implements"),
                   json_get_bool(args, "abstract", false) };
    object_type_foreach(list_type, &t);
    /* Accelerators are no objects here, but managers look for "tcg-accel" to learn which there are. */
    bool wanted = !t.implements || !strcmp(t.implements, "object") || !strcmp(t.implements, "accel");
    for (size_t i = 0; wanted && accel_list[i]; i++) {
        if (!accel_is_for(accel_list[i], system_config.arch)) {
            continue;
        }
        Json *item = json_object();
        char *name = xasprintf("%s-accel", accel_list[i]->name);
        json_put_string(item, "name", name);
        json_put_string(item, "parent", "accel");
        json_push(t.list, item);
        free(name);
    }
    return t.list;
}

static Json *default_value(const Property *prop)
{
    switch (prop->kind) {
    case PROP_BOOL:
    case PROP_BIT:
    case PROP_BIT64:
        return json_bool(prop->def != 0);
    case PROP_INT32:
    case PROP_INT64:
        return json_int((int64_t)prop->def);
    case PROP_ENUM:
        return prop->names ? json_string(prop->names[prop->def]) : NULL;
    case PROP_STRING:
        return prop->def_str ? json_string(prop->def_str) : NULL;
    case PROP_UINT8:
    case PROP_UINT16:
    case PROP_UINT32:
    case PROP_UINT64:
    case PROP_SIZE:
    case PROP_SIZE32:
        return json_uint(prop->def);
    default:
        return NULL;
    }
}

static void list_type_prop(const ObjectType *owner, const Property *prop, void *opaque)
{
    Json *item = json_object();
    Json *value = prop->has_default ? default_value(prop) : NULL;
    if (value) {
        json_put(item, "default-value", value);
    }
    json_put_string(item, "name", prop->name);
    if (prop->help) {
        json_put_string(item, "description", prop->help);
    }
    json_put_string(item, "type", property_type_name(prop));
    json_push(opaque, item);
}

Json *qmp_qom_list_properties(Monitor *mon, const Json *args, Error **errp)
{
    const char *name = json_get_string(args, "typename");
    const ObjectType *type = object_type_find(name);
    if (!type) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Class '%s' not found", name);
        return NULL;
    }
    Json *list = json_array();
    list_prop("type", "string", NULL, list);
    object_type_foreach_prop(type, list_type_prop, list);
    return list;
}

Json *qmp_device_list_properties(Monitor *mon, const Json *args, Error **errp)
{
    const char *name = json_get_string(args, "typename");
    const ObjectType *type = object_type_find(name);
    const DeviceType *dev = device_type_find(name);
    if (!type && !dev) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", name);
        return NULL;
    }
    if (!dev) {
        error_set(errp, "Parameter 'typename' expects a non-abstract device type");
        return NULL;
    }
    Json *list = json_array();
    object_type_foreach_prop(&dev->type, list_type_prop, list);
    return list;
}

/* ---- lists of texts for the object model ---- */

typedef struct TextList {
    const char **at; /* alternating names and values, then NULL */
    char **owned;
    size_t n, n_owned;
} TextList;

static void text_list_free(TextList *t)
{
    for (size_t i = 0; i < t->n_owned; i++) {
        free(t->owned[i]);
    }
    free(t->owned);
    free(t->at);
}

static bool text_list_add(TextList *t, const char *prefix, const Json *opts,
                          const char *const *skip, Error **errp)
{
    for (size_t i = 0; i < json_count(opts); i++) {
        const char *key = json_key_at(opts, i);
        const Json *value = json_at(opts, i);
        bool skipped = false;
        for (const char *const *s = skip; s && *s; s++) {
            skipped |= !strcmp(*s, key);
        }
        if (skipped) {
            continue;
        }
        if (json_is(value, JSON_ARRAY) || json_is(value, JSON_NULL)) {
            error_set(errp, "Parameter '%s%s' expects a string, a number, a boolean or an object",
                      prefix, key);
            return false;
        }
        char *name = xasprintf("%s%s", prefix, key);
        t->owned = xrealloc(t->owned, (t->n_owned + 2) * sizeof(char *));
        t->owned[t->n_owned++] = name;
        if (json_is(value, JSON_OBJECT)) {
            char *inner = xasprintf("%s.", name);
            bool ok = text_list_add(t, inner, value, NULL, errp);
            free(inner);
            if (!ok) {
                return false;
            }
            continue;
        }
        char *text = json_is(value, JSON_STRING) ? xstrdup(json_as_string(value))
                     : json_is(value, JSON_BOOL) ? xstrdup(json_as_bool(value) ? "on" : "off")
                                                 : json_print(value);
        t->owned[t->n_owned++] = text;
        t->at = xrealloc(t->at, (t->n + 3) * sizeof(char *));
        t->at[t->n++] = name;
        t->at[t->n++] = text;
    }
    return true;
}

static bool text_list_from(TextList *t, const Json *opts, const char *const *skip, Error **errp)
{
    *t = (TextList){ .at = xcalloc(1, sizeof(char *)) };
    if (!text_list_add(t, "", opts, skip, errp)) {
        text_list_free(t);
        return false;
    }
    t->at[t->n] = NULL;
    return true;
}

/* ---- device_add and friends; also -device and -object ---- */

Json *qmp_device_add(Monitor *mon, const Json *args, Error **errp)
{
    static const char *const skip[] = { "driver", NULL };
    TextList t;
    const char *id = json_get_string(args, "id");
    if (id && !options_id_ok(id)) {
        error_set(errp, "Parameter 'id' expects an identifier (a letter, then letters, digits, "
                        "'-', '.', '_')");
        return NULL;
    }
    if (!text_list_from(&t, args, skip, errp)) {
        return NULL;
    }
    Device *dev = device_add(json_get_string(args, "driver"), t.at, errp);
    text_list_free(&t);
    return dev ? json_object() : NULL;
}

Json *qmp_device_del(Monitor *mon, const Json *args, Error **errp)
{
    return device_del(json_get_string(args, "id"), errp) ? json_object() : NULL;
}

Json *qmp_object_add(Monitor *mon, const Json *args, Error **errp)
{
    static const char *const skip[] = { "qom-type", "id", NULL };
    TextList t;
    const char *id = json_get_string(args, "id");
    if (!options_id_ok(id)) {
        error_set(errp, "Parameter 'id' expects an identifier (a letter, then letters, digits, "
                        "'-', '.', '_')");
        return NULL;
    }
    if (!text_list_from(&t, args, skip, errp)) {
        return NULL;
    }
    Object *obj = object_create_user(json_get_string(args, "qom-type"), id, t.at, errp);
    text_list_free(&t);
    return obj ? json_object() : NULL;
}

Json *qmp_object_del(Monitor *mon, const Json *args, Error **errp)
{
    return object_delete_user(json_get_string(args, "id"), errp) ? json_object() : NULL;
}
