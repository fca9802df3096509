/*
 * property.c: reading and setting properties of objects, typed or as text.
 * The chardev, drive and netdev kinds are resolved by hooks that their rooms set.
 */
#include <stdio.h>
#include "hw/device.h"
#include "hw/prop-hooks.h"
#include "util/alloc.h"
#include "util/parse.h"

static PropHooks prop_hooks[PROP_CUSTOM + 1];

void property_set_hooks(PropKind kind, const PropHooks *hooks)
{
    prop_hooks[kind] = *hooks;
}

/* --- values and text --- */

PropValue prop_string(const char *s)
{
    return (PropValue){ VALUE_STRING, { .s = xstrdup(s ? s : "") } };
}

void prop_value_finish(PropValue *value)
{
    if (value->kind == VALUE_STRING) {
        free(value->s);
    }
    value->kind = VALUE_NONE;
}

char *prop_value_text(const PropValue *value)
{
    switch (value->kind) {
    case VALUE_BOOL: return xstrdup(value->b ? "true" : "false");
    case VALUE_INT: return xasprintf("%" PRId64, value->i);
    case VALUE_UINT: return xasprintf("%" PRIu64, value->u);
    case VALUE_DOUBLE: return xasprintf("%g", value->d);
    case VALUE_STRING: return xasprintf("\"%s\"", value->s);
    default: return xstrdup("<null>");
    }
}

/* --- typed access --- */

static bool uint_limit(PropKind kind, uint64_t *ret)
{
    switch (kind) {
    case PROP_UINT8: *ret = UINT8_MAX; return true;
    case PROP_UINT16: *ret = UINT16_MAX; return true;
    case PROP_UINT32:
    case PROP_SIZE32: *ret = UINT32_MAX; return true;
    case PROP_UINT64:
    case PROP_SIZE: *ret = UINT64_MAX; return true;
    default: return false;
    }
}

static bool prop_get(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    const void *field = (const char *)obj + prop->offset;

    if (prop->get) {
        return prop->get(obj, prop, ret, errp);
    }
    switch (prop->kind) {
    case PROP_BOOL: *ret = prop_bool(*(const bool *)field); return true;
    case PROP_UINT8: *ret = prop_uint(*(const uint8_t *)field); return true;
    case PROP_UINT16: *ret = prop_uint(*(const uint16_t *)field); return true;
    case PROP_UINT32:
    case PROP_SIZE32: *ret = prop_uint(*(const uint32_t *)field); return true;
    case PROP_UINT64:
    case PROP_SIZE: *ret = prop_uint(*(const uint64_t *)field); return true;
    case PROP_INT32: *ret = prop_int(*(const int32_t *)field); return true;
    case PROP_INT64: *ret = prop_int(*(const int64_t *)field); return true;
    case PROP_STRING: *ret = prop_string(*(char *const *)field); return true;
    case PROP_ENUM: *ret = prop_string(prop->names[*(const int *)field]); return true;
    case PROP_BIT: *ret = prop_bool(*(const uint32_t *)field >> prop->def_aux & 1); return true;
    case PROP_BIT64: *ret = prop_bool(*(const uint64_t *)field >> prop->def_aux & 1); return true;
    case PROP_LINK: {
        Object *target = *(Object *const *)field;
        char *path = target ? object_path(target) : NULL;
        *ret = prop_string(path);
        free(path);
        return true;
    }
    case PROP_MACADDR: {
        const uint8_t *m = field;
        *ret = (PropValue){ VALUE_STRING, { .s = xasprintf("%02x:%02x:%02x:%02x:%02x:%02x",
                            m[0], m[1], m[2], m[3], m[4], m[5]) } };
        return true;
    }
    case PROP_PCI_ADDR: {
        int32_t devfn = *(const int32_t *)field;
        *ret = (PropValue){ VALUE_STRING, { .s = devfn < 0 ? xstrdup("<unset>") :
                            xasprintf("%02x.%x", devfn >> 3, devfn & 7) } };
        return true;
    }
    case PROP_CHARDEV:
    case PROP_DRIVE:
    case PROP_NETDEV:
        if (prop_hooks[prop->kind].get) {
            char *name = prop_hooks[prop->kind].get(field);
            *ret = prop_string(name);
            free(name);
        } else {
            *ret = prop_string("");
        }
        return true;
    default:
        error_set(errp, "Property '%s.%s' is not readable", obj->type->name, prop->name);
        return false;
    }
}

static bool type_error(const Property *prop, const char *expected, Error **errp)
{
    error_set(errp, "Invalid parameter type for '%s', expected: %s", prop->name, expected);
    return false;
}

static bool parse_devfn(const char *text, int32_t *ret)
{
    unsigned slot, fn = 0;
    int end = 0;

    if (sscanf(text, "%x.%x%n", &slot, &fn, &end) != 2 || text[end]) {
        end = 0;
        fn = 0;
        if (sscanf(text, "%x%n", &slot, &end) != 1 || text[end]) {
            return false;
        }
    }
    if (slot > 31 || fn > 7) {
        return false;
    }
    *ret = (int32_t)(slot << 3 | fn);
    return true;
}

static bool parse_mac(const char *text, uint8_t *mac)
{
    unsigned v[6];
    int end = 0;

    if ((sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
                &end) != 6 || text[end]) &&
        (sscanf(text, "%2x-%2x-%2x-%2x-%2x-%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
                &end) != 6 || text[end])) {
        return false;
    }
    for (unsigned i = 0; i < 6; i++) {
        mac[i] = (uint8_t)v[i];
    }
    return true;
}

static bool set_number(void *field, const Property *prop, const PropValue *value, Error **errp)
{
    uint64_t max;

    if (value->kind != VALUE_INT && value->kind != VALUE_UINT) {
        return type_error(prop, "integer", errp);
    }
    if (uint_limit(prop->kind, &max)) {
        if ((value->kind == VALUE_INT && value->i < 0) || value->u > max) {
            error_set(errp, "Property '%s' takes a value between 0 and %" PRIu64, prop->name,
                      max);
            return false;
        }
        switch (prop->kind) {
        case PROP_UINT8: *(uint8_t *)field = (uint8_t)value->u; break;
        case PROP_UINT16: *(uint16_t *)field = (uint16_t)value->u; break;
        case PROP_UINT32:
        case PROP_SIZE32: *(uint32_t *)field = (uint32_t)value->u; break;
        default: *(uint64_t *)field = value->u; break;
        }
        return true;
    }
    bool fits = value->kind == VALUE_INT || value->u <= INT64_MAX;
    if (prop->kind == PROP_INT32) {
        fits = fits && value->i >= INT32_MIN && value->i <= INT32_MAX;
    }
    if (!fits) {
        error_set(errp, "Property '%s' is out of range", prop->name);
        return false;
    }
    if (prop->kind == PROP_INT32) {
        *(int32_t *)field = (int32_t)value->i;
    } else {
        *(int64_t *)field = value->i;
    }
    return true;
}

static bool set_text(Object *obj, void *field, const Property *prop, const char *s, Error **errp)
{
    switch (prop->kind) {
    case PROP_STRING:
        free(*(char **)field);
        *(char **)field = xstrdup(s);
        return true;
    case PROP_ENUM:
        for (int i = 0; prop->names[i]; i++) {
            if (!strcmp(prop->names[i], s)) {
                *(int *)field = i;
                return true;
            }
        }
        error_set(errp, "Parameter '%s' does not accept value '%s'", prop->name, s);
        return false;
    case PROP_LINK: {
        bool ambiguous;
        Object *target = object_resolve(s, &ambiguous);
        if (!target && *s) {
            error_set_class(errp, ERROR_CLASS_DEVICE_NOT_FOUND,
                            ambiguous ? "Path '%s' does not uniquely identify an object"
                                      : "Device '%s' not found", s);
            return false;
        }
        if (target && prop->link_type && !object_is_a(target, prop->link_type)) {
            error_set(errp, "Invalid parameter type for '%s', expected: %s", prop->name,
                      prop->link_type);
            return false;
        }
        *(Object **)field = target;
        return true;
    }
    case PROP_MACADDR:
        if (!parse_mac(s, field)) {
            error_set(errp, "Property '%s.%s' can't take value '%s'", obj->type->name,
                      prop->name, s);
            return false;
        }
        return true;
    case PROP_PCI_ADDR:
        if (!parse_devfn(s, field)) {
            error_set(errp, "Property '%s.%s' can't take value '%s', expected SLOT.FUNCTION",
                      obj->type->name, prop->name, s);
            return false;
        }
        return true;
    default:
        if (!prop_hooks[prop->kind].set) {
            error_set(errp, "Property '%s.%s' can't find value '%s'", obj->type->name,
                      prop->name, s);
            return false;
        }
        return prop_hooks[prop->kind].set(obj, prop, field, s, errp);
    }
}

static bool prop_set(Object *obj, const Property *prop, const PropValue *value, Error **errp)
{
    void *field = (char *)obj + prop->offset;
    uint64_t bit;

    if (prop->read_only || (prop->kind == PROP_CUSTOM && !prop->set)) {
        error_set(errp, "Property '%s.%s' is not writable", obj->type->name, prop->name);
        return false;
    }
    if (!prop->settable_when_realized && object_is_a(obj, "device") && DEVICE(obj)->realized) {
        error_set(errp, "Attempt to set property '%s' on device '%s' (type '%s') after it was "
                  "realized", prop->name, DEVICE(obj)->id ? DEVICE(obj)->id : "(anonymous)",
                  obj->type->name);
        return false;
    }
    if (prop->set) {
        return prop->set(obj, prop, value, errp);
    }
    switch (prop->kind) {
    case PROP_BOOL:
    case PROP_BIT:
    case PROP_BIT64:
        if (value->kind != VALUE_BOOL) {
            return type_error(prop, "boolean", errp);
        }
        bit = (uint64_t)1 << prop->def_aux;
        if (prop->kind == PROP_BOOL) {
            *(bool *)field = value->b;
        } else if (prop->kind == PROP_BIT) {
            uint32_t old = *(uint32_t *)field;
            *(uint32_t *)field = (uint32_t)(value->b ? old | bit : old & ~bit);
        } else {
            uint64_t old = *(uint64_t *)field;
            *(uint64_t *)field = value->b ? old | bit : old & ~bit;
        }
        return true;
    case PROP_STRING:
    case PROP_ENUM:
    case PROP_LINK:
    case PROP_CHARDEV:
    case PROP_DRIVE:
    case PROP_NETDEV:
    case PROP_MACADDR:
    case PROP_PCI_ADDR:
        if (value->kind != VALUE_STRING) {
            if (prop->kind == PROP_PCI_ADDR && (value->kind == VALUE_INT ||
                value->kind == VALUE_UINT) && value->u < 256) {
                *(int32_t *)field = (int32_t)value->u;
                return true;
            }
            return type_error(prop, "string", errp);
        }
        return set_text(obj, field, prop, value->s, errp);
    default:
        return set_number(field, prop, value, errp);
    }
}

bool object_property_get(Object *obj, const char *name, PropValue *ret, Error **errp)
{
    const Property *prop = object_type_find_prop(obj->type, name);

    if (prop) {
        return prop_get(obj, prop, ret, errp);
    }
    if (!strcmp(name, "type")) {
        *ret = prop_string(obj->type->name);
        return true;
    }
    Object *target = object_child(obj, name);
    for (ObjectLink *link = obj->links; !target && link; link = link->next) {
        if (!strcmp(link->name, name)) {
            target = link->target;
        }
    }
    if (target) {
        char *path = object_path(target);
        *ret = prop_string(path);
        free(path);
        return true;
    }
    error_set(errp, "Property '%s.%s' not found", obj->type->name, name);
    return false;
}

bool object_property_set(Object *obj, const char *name, const PropValue *value, Error **errp)
{
    const Property *prop = object_type_find_prop(obj->type, name);

    if (prop) {
        return prop_set(obj, prop, value, errp);
    }
    PropValue seen;
    if (object_property_get(obj, name, &seen, NULL)) {
        prop_value_finish(&seen);
        error_set(errp, "Property '%s.%s' is not writable", obj->type->name, name);
    } else {
        error_set(errp, "Property '%s.%s' not found", obj->type->name, name);
    }
    return false;
}

bool object_property_parse(Object *obj, const char *name, const char *text, Error **errp)
{
    const Property *prop = object_type_find_prop(obj->type, name);
    PropValue value;
    uint64_t max, number;
    bool flag;

    if (!prop) {
        value = prop_string(text);
        bool ok = object_property_set(obj, name, &value, errp);
        prop_value_finish(&value);
        return ok;
    }
    const char *type = property_type_name(prop);
    switch (prop->kind) {
    case PROP_BOOL:
    case PROP_BIT:
    case PROP_BIT64:
        if (!parse_bool(name, text, &flag, errp)) {
            return false;
        }
        value = prop_bool(flag);
        break;
    case PROP_SIZE:
    case PROP_SIZE32:
        if (!parse_size(text, &number, errp)) {
            error_prepend(errp, "Parameter '%s': ", name);
            return false;
        }
        value = prop_uint(number);
        break;
    case PROP_INT32:
    case PROP_INT64: {
        int64_t i;
        if (!text_to_int(text, &i)) {
            error_set(errp, "Parameter '%s' expects a number", name);
            return false;
        }
        value = prop_int(i);
        break;
    }
    case PROP_CUSTOM:
        /* The shown type tells what the setter wants. */
        if (!strcmp(type, "bool")) {
            if (!parse_bool(name, text, &flag, errp)) {
                return false;
            }
            value = prop_bool(flag);
            break;
        }
        if (!strncmp(type, "int", 3) || !strncmp(type, "uint", 4)) {
            if (!parse_uint(name, text, UINT64_MAX, &number, errp)) {
                return false;
            }
            value = prop_uint(number);
            break;
        }
        if (!strcmp(type, "size")) {
            if (!parse_size(text, &number, errp)) {
                error_prepend(errp, "Parameter '%s': ", name);
                return false;
            }
            value = prop_uint(number);
            break;
        }
        value = prop_string(text);
        break;
    default:
        if (uint_limit(prop->kind, &max)) {
            if (!parse_uint(name, text, max, &number, errp)) {
                return false;
            }
            value = prop_uint(number);
        } else {
            value = prop_string(text);
        }
        break;
    }
    bool ok = prop_set(obj, prop, &value, errp);
    prop_value_finish(&value);
    return ok;
}

typedef struct PropVisit {
    ObjectPropFn *fn;
    void *opaque;
} PropVisit;

static void visit_type_prop(const ObjectType *owner, const Property *prop, void *opaque)
{
    PropVisit *visit = opaque;

    visit->fn(prop->name, property_type_name(prop), prop->help, visit->opaque);
}

void object_foreach_prop(Object *obj, ObjectPropFn *fn, void *opaque)
{
    PropVisit visit = { fn, opaque };

    fn("type", "string", NULL, opaque);
    object_type_foreach_prop(obj->type, visit_type_prop, &visit);
    for (Object *child = obj->first_child; child; child = child->next) {
        char *type = xasprintf("child<%s>", child->type->name);
        fn(child->name, type, NULL, opaque);
        free(type);
    }
    for (ObjectLink *link = obj->links; link; link = link->next) {
        char *type = xasprintf("link<%s>", link->target ? link->target->type->name : "object");
        fn(link->name, type, NULL, opaque);
        free(type);
    }
}

/* --- -object --- */

Object *object_create_user(const char *type_name, const char *id, const char *const *opts,
                           Error **errp)
{
    const ObjectType *type = object_type_find(type_name);

    if (!type || type->abstract || !type->user_creatable) {
        error_set(errp, "invalid object type: %s", type_name);
        return NULL;
    }
    if (!id || !*id) {
        error_set(errp, "Parameter 'id' is missing");
        return NULL;
    }
    Object *parent = object_container("/objects");
    if (object_child(parent, id)) {
        error_set(errp, "attempt to add duplicate property '%s' to object (type 'container')",
                  id);
        return NULL;
    }
    Object *obj = object_new(type);
    for (; opts && *opts; opts += 2) {
        if (!object_property_parse(obj, opts[0], opts[1], errp)) {
            object_unref(obj);
            return NULL;
        }
    }
    object_add_child(parent, id, obj);
    object_unref(obj);
    if (type->complete && !type->complete(obj, errp)) {
        object_remove(obj);
        return NULL;
    }
    return obj;
}

bool object_delete_user(const char *id, Error **errp)
{
    Object *obj = object_child(object_container("/objects"), id);

    if (!obj) {
        error_set(errp, "object '%s' not found", id);
        return false;
    }
    if (obj->refs > 1) {
        error_set(errp, "object '%s' is in use, can not be deleted", id);
        return false;
    }
    object_remove(obj);
    return true;
}
