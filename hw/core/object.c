/*
 * object.c: instances and their tree. See object.h. Threads: BQL.
 */
#include <stdio.h>
#include "hw/object.h"
#include "util/alloc.h"

static Object *root_object;

/* --- life --- */

static void type_run_init(const ObjectType *type, Object *obj)
{
    const ObjectType *parent = object_type_parent(type);

    if (parent) {
        type_run_init(parent, obj);
    }
    if (type->init) {
        type->init(obj);
    }
}

static size_t type_size(const ObjectType *type)
{
    while (!type->size_bytes) {
        type = object_type_parent(type);
    }
    return type->size_bytes;
}

static void *field_of(Object *obj, const Property *prop)
{
    return (char *)obj + prop->offset;
}

static void prop_default(const ObjectType *owner, const Property *prop, void *opaque)
{
    void *field = field_of(opaque, prop);

    if (prop->kind == PROP_STRING) {
        *(char **)field = prop->def_str ? xstrdup(prop->def_str) : NULL;
        return;
    }
    if (prop->kind == PROP_PCI_ADDR) {
        *(int32_t *)field = -1;
        return;
    }
    if (!prop->has_default) {
        return;
    }
    switch (prop->kind) {
    case PROP_BOOL: *(bool *)field = prop->def; break;
    case PROP_UINT8: *(uint8_t *)field = (uint8_t)prop->def; break;
    case PROP_UINT16: *(uint16_t *)field = (uint16_t)prop->def; break;
    case PROP_UINT32:
    case PROP_INT32:
    case PROP_SIZE32: *(uint32_t *)field = (uint32_t)prop->def; break;
    case PROP_UINT64:
    case PROP_INT64:
    case PROP_SIZE: *(uint64_t *)field = prop->def; break;
    case PROP_ENUM: *(int *)field = (int)prop->def; break;
    case PROP_BIT:
        *(uint32_t *)field |= (uint32_t)(prop->def ? 1u << prop->def_aux : 0);
        break;
    case PROP_BIT64:
        *(uint64_t *)field |= prop->def ? (uint64_t)1 << prop->def_aux : 0;
        break;
    default:
        break;
    }
}

/* --- -global --- */

typedef struct GlobalProp {
    char *driver, *name, *value;
    bool used;
} GlobalProp;

static VEC(GlobalProp) global_props;
static Error *global_error;

void object_add_global(const char *driver, const char *name, const char *value)
{
    *vec_push(&global_props) = (GlobalProp){ xstrdup(driver), xstrdup(name), xstrdup(value),
                                             false };
}

static void globals_apply(Object *obj)
{
    for (size_t i = 0; i < global_props.n; i++) {
        GlobalProp *g = &global_props.at[i];
        Error *err = NULL;
        if (!object_type_is_a(obj->type, g->driver)) {
            continue;
        }
        g->used = true;
        if (!object_property_parse(obj, g->name, g->value, &err)) {
            error_prepend(&err, "can't apply global %s.%s=%s: ", g->driver, g->name, g->value);
            error_free(global_error);
            global_error = err;
        }
    }
}

bool object_check_globals(Error **errp)
{
    error_propagate(errp, global_error);
    bool ok = !global_error;
    global_error = NULL;
    for (size_t i = 0; i < global_props.n && ok; i++) {
        const GlobalProp *g = &global_props.at[i];
        if (!g->used && !object_type_find(g->driver)) {
            error_warn("global %s.%s has invalid class name", g->driver, g->name);
        }
    }
    return ok;
}

static void object_setup(Object *obj, const ObjectType *type)
{
    obj->type = type;
    obj->refs = 1;
    object_type_foreach_prop(type, prop_default, obj);
    type_run_init(type, obj);
    globals_apply(obj);
}

Object *object_new(const ObjectType *type)
{
    assert(!type->abstract);
    Object *obj = xcalloc(1, type_size(type));
    object_setup(obj, type);
    return obj;
}

void object_init_embedded(Object *obj, const ObjectType *type)
{
    memset(obj, 0, type_size(type));
    obj->embedded = true;
    object_setup(obj, type);
}

Object *object_ref(Object *obj)
{
    obj->refs++;
    return obj;
}

static void prop_finish(const ObjectType *owner, const Property *prop, void *opaque)
{
    if (prop->kind == PROP_STRING) {
        free(*(char **)field_of(opaque, prop));
        *(char **)field_of(opaque, prop) = NULL;
    }
}

void object_unref(Object *obj)
{
    assert(obj->refs);
    if (--obj->refs) {
        return;
    }
    while (obj->first_child) {
        object_remove(obj->first_child);
    }
    for (const ObjectType *type = obj->type; type; type = object_type_parent(type)) {
        if (type->finish) {
            type->finish(obj);
        }
    }
    object_type_foreach_prop(obj->type, prop_finish, obj);
    while (obj->links) {
        ObjectLink *link = obj->links;
        obj->links = link->next;
        free(link->name);
        free(link);
    }
    free(obj->name);
    obj->name = NULL;
    if (!obj->embedded) {
        free(obj);
    }
}

/* --- the tree --- */

Object *object_root(void)
{
    if (!root_object) {
        root_object = object_new(object_type_find("container"));
    }
    return root_object;
}

Object *object_child(Object *parent, const char *name)
{
    for (Object *child = parent->first_child; child; child = child->next) {
        if (!strcmp(child->name, name)) {
            return child;
        }
    }
    return NULL;
}

static Object *object_link(Object *obj, const char *name)
{
    for (ObjectLink *link = obj->links; link; link = link->next) {
        if (!strcmp(link->name, name)) {
            return link->target;
        }
    }
    return NULL;
}

void object_add_child(Object *parent, const char *name, Object *child)
{
    size_t len = strlen(name);
    char *unique;

    assert(!child->parent);
    if (len > 3 && !strcmp(name + len - 3, "[*]")) {
        /* The last sibling with this stem usually has the highest number. */
        unsigned n = 0;
        for (Object *at = parent->last_child; at; at = at->prev) {
            unsigned seen;
            int end = 0;
            if (!strncmp(at->name, name, len - 2) &&
                sscanf(at->name + len - 2, "%u]%n", &seen, &end) == 1 && end) {
                n = seen + 1;
                break;
            }
        }
        unique = xasprintf("%.*s[%u]", (int)len - 3, name, n);
    } else {
        unique = xstrdup(name);
        assert(!object_child(parent, unique));
    }
    free(child->name);
    child->name = unique;
    child->parent = parent;
    child->prev = parent->last_child;
    child->next = NULL;
    if (parent->last_child) {
        parent->last_child->next = child;
    } else {
        parent->first_child = child;
    }
    parent->last_child = child;
    object_ref(child);
}

void object_remove(Object *child)
{
    Object *parent = child->parent;

    assert(parent);
    *(child->prev ? &child->prev->next : &parent->first_child) = child->next;
    *(child->next ? &child->next->prev : &parent->last_child) = child->prev;
    child->parent = child->next = child->prev = NULL;
    object_unref(child);
}

void object_add_link(Object *obj, const char *name, Object *target)
{
    ObjectLink *link = xnew(ObjectLink);

    link->name = xstrdup(name);
    link->target = target;
    link->next = obj->links;
    obj->links = link;
}

char *object_path(const Object *obj)
{
    char *path = NULL;

    if (obj == root_object) {
        return xstrdup("/");
    }
    for (; obj && obj != root_object; obj = obj->parent) {
        if (!obj->parent) {
            free(path);
            return NULL;
        }
        char *longer = xasprintf("/%s%s", obj->name, path ? path : "");
        free(path);
        path = longer;
    }
    return path;
}

static Object *resolve_below(Object *obj, const char *path)
{
    while (obj && *path) {
        while (*path == '/') {
            path++;
        }
        size_t len = strcspn(path, "/");
        if (!len) {
            break;
        }
        char *part = xstrndup(path, len);
        Object *next = object_child(obj, part);
        if (!next) {
            next = object_link(obj, part);
        }
        free(part);
        obj = next;
        path += len;
    }
    return obj;
}

static unsigned resolve_partial(Object *obj, const char *path, Object **ret)
{
    Object *hit = resolve_below(obj, path);
    unsigned n = 0;

    if (hit && hit != obj && hit != *ret) {
        *ret = hit;
        n = 1;
    }
    for (Object *child = obj->first_child; child; child = child->next) {
        n += resolve_partial(child, path, ret);
    }
    return n;
}

Object *object_resolve(const char *path, bool *ret_ambiguous)
{
    Object *hit = NULL;

    if (ret_ambiguous) {
        *ret_ambiguous = false;
    }
    if (path[0] == '/') {
        return resolve_below(object_root(), path);
    }
    if (!path[0]) {
        return NULL;
    }
    unsigned n = resolve_partial(object_root(), path, &hit);
    if (n > 1) {
        if (ret_ambiguous) {
            *ret_ambiguous = true;
        }
        return NULL;
    }
    return hit;
}

Object *object_container(const char *path)
{
    Object *obj = object_root();

    for (;;) {
        while (*path == '/') {
            path++;
        }
        size_t len = strcspn(path, "/");
        if (!len) {
            return obj;
        }
        char *part = xstrndup(path, len);
        Object *next = object_child(obj, part);
        if (!next) {
            next = object_new(object_type_find("container"));
            object_add_child(obj, part, next);
            object_unref(next);
        }
        free(part);
        obj = next;
        path += len;
    }
}
