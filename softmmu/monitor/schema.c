/*
 * schema.c: the QMP schema: argument checks and introspection from the rows of
 * qmp-schema.def.
 *
 * The member lists are small strings and are read when they are needed: a
 * command's when it is called, all of them for query-qmp-schema. Nothing is
 * prepared at start.
 */
#include <stdio.h>
#include "softmmu/monitor/priv.h"

#ifndef QMP_SCHEMA /* the storage daemon has another one */
#define QMP_SCHEMA "softmmu/monitor/qmp-schema.def"
#endif

typedef enum TypeKind { TYPE_STRUCT, TYPE_UNION, TYPE_ENUM, TYPE_ALTERNATE } TypeKind;

typedef struct QmpType {
    TypeKind kind;
    const char *name;
    const char *members;  /* of a struct, of the base of a union; values; alternatives */
    const char *tag;      /* union */
    const char *variants; /* union: "case:type …" */
    const char *doc;
} QmpType;

typedef struct QmpEvent {
    const char *name, *data, *doc;
} QmpEvent;

#define QMP_STRUCT(name, members, doc)
#define QMP_ENUM(name, values, doc)
#define QMP_UNION(name, base, tag, variants, doc)
#define QMP_ALTERNATE(name, members, doc)
#define QMP_EVENT(name, data, doc)
#define QMP_COMMAND(name, args, returns, handler, flags, doc) \
    { name, args, returns, handler, flags, doc },
static const QmpCommand commands[] = {
#include QMP_SCHEMA
};
#undef QMP_COMMAND
#define QMP_COMMAND(name, args, returns, handler, flags, doc)
#undef QMP_EVENT
#define QMP_EVENT(name, data, doc) { name, data, doc },
static const QmpEvent events[] = {
#include QMP_SCHEMA
};
#undef QMP_EVENT
#define QMP_EVENT(name, data, doc)
#undef QMP_STRUCT
#undef QMP_ENUM
#undef QMP_UNION
#undef QMP_ALTERNATE
#define QMP_STRUCT(name, members, doc) { TYPE_STRUCT, name, members, NULL, NULL, doc },
#define QMP_ENUM(name, values, doc) { TYPE_ENUM, name, values, NULL, NULL, doc },
#define QMP_UNION(name, base, tag, variants, doc) { TYPE_UNION, name, base, tag, variants, doc },
#define QMP_ALTERNATE(name, members, doc) { TYPE_ALTERNATE, name, members, NULL, NULL, doc },
static const QmpType types[] = {
#include QMP_SCHEMA
};

static const struct {
    const char *name, *json_type;
} builtins[] = {
    { "str", "string" }, { "int", "int" }, { "uint", "int" }, { "number", "number" },
    { "bool", "boolean" }, { "any", "value" }, { "null", "null" },
};

const QmpCommand *qmp_command_at(size_t i)
{
    return i < ARRAY_SIZE(commands) ? &commands[i] : NULL;
}

const QmpCommand *qmp_command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i].name, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

bool qmp_event_known(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        if (!strcmp(events[i].name, name)) {
            return true;
        }
    }
    return false;
}

static const QmpType *type_find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (!strncmp(types[i].name, name, len) && !types[i].name[len]) {
            return &types[i];
        }
    }
    return NULL;
}

/* ---- member lists: "name:type ?name:[type] *" ---- */

typedef struct MemberSpec {
    const char *name, *type;
    size_t name_len, type_len;
    bool optional, array;
    bool open; /* "*": any further members */
} MemberSpec;

/* False at the end. A word without ':' (enum value) has type_len 0. */
static bool next_member(const char **p, MemberSpec *ret)
{
    while (**p == ' ') {
        (*p)++;
    }
    if (!**p) {
        return false;
    }
    size_t len = strcspn(*p, " ");
    const char *word = *p;
    *p += len;
    *ret = (MemberSpec){ .open = len == 1 && *word == '*' };
    if (*word == '?') {
        ret->optional = true;
        word++;
        len--;
    }
    const char *colon = memchr(word, ':', len);
    ret->name = word;
    ret->name_len = colon ? (size_t)(colon - word) : len;
    if (colon) {
        ret->type = colon + 1;
        ret->type_len = len - ret->name_len - 1;
        if (*ret->type == '[') {
            ret->array = true;
            ret->type++;
            ret->type_len -= 2;
        }
    }
    return true;
}

static bool name_is(const char *name, size_t len, const char *text)
{
    return !strncmp(name, text, len) && !text[len];
}

static bool find_member(const char *list, const char *name, MemberSpec *ret)
{
    while (next_member(&list, ret)) {
        if (name_is(ret->name, ret->name_len, name)) {
            return true;
        }
    }
    return false;
}

/* ---- checks ---- */

/* Where we are in the arguments, for messages: "backend.data". */
typedef struct Path {
    const struct Path *up;
    const char *name; /* NULL: array item `index` */
    size_t name_len, index;
} Path;

static void path_text(const Path *path, char *out, size_t size)
{
    if (!path) {
        *out = 0;
        return;
    }
    path_text(path->up, out, size);
    size_t n = strlen(out);
    if (path->name) {
        snprintf(out + n, size - n, "%s%.*s", n ? "." : "", (int)path->name_len, path->name);
    } else {
        snprintf(out + n, size - n, "[%zu]", path->index);
    }
}

static bool bad_member(const Path *path, const char *fmt_what, const char *extra, Error **errp)
{
    char name[256];
    path_text(path, name, sizeof(name));
    error_set(errp, fmt_what[0] == 'T' ? "Invalid parameter type for '%s', expected: %s"
                    : fmt_what[0] == 'V' ? "Parameter '%s' does not accept value '%s'"
                    : fmt_what[0] == 'M' ? "Parameter '%s' is missing%s"
                                         : "Parameter '%s' is unexpected%s", name, extra);
    return false;
}

static bool check_object(const char *members, const QmpType *un, const Json *object,
                         const Path *path, Error **errp);
static bool check_value(const char *type, size_t type_len, const Json *value, const Path *path,
                        Error **errp);

static bool check_builtin(const char *type, const Json *value, const Path *path, Error **errp)
{
    JsonKind kind = json_kind(value);
    bool number = kind == JSON_INT || kind == JSON_UINT || kind == JSON_DOUBLE;
    switch (*type) {
    case 's':
        return kind == JSON_STRING || bad_member(path, "T", "string", errp);
    case 'i':
        return kind == JSON_INT || bad_member(path, "T", "integer", errp);
    case 'u':
        if (kind == JSON_INT && json_as_int(value) < 0) {
            return bad_member(path, "T", "uint64", errp);
        }
        return kind == JSON_INT || kind == JSON_UINT || bad_member(path, "T", "uint64", errp);
    case 'n':
        return (type[2] == 'l' ? kind == JSON_NULL : number) ||
               bad_member(path, "T", type[2] == 'l' ? "null" : "number", errp);
    case 'b':
        return kind == JSON_BOOL || bad_member(path, "T", "boolean", errp);
    default:
        return true; /* any */
    }
}

static bool check_alternate(const QmpType *type, const Json *value, const Path *path,
                            Error **errp)
{
    MemberSpec m;
    for (const char *p = type->members; next_member(&p, &m);) {
        Error *err = NULL;
        const QmpType *sub = type_find(m.type, m.type_len);
        bool object = sub && (sub->kind == TYPE_STRUCT || sub->kind == TYPE_UNION);
        if (object ? json_is(value, JSON_OBJECT)
                   : check_value(m.type, m.type_len, value, path, &err)) {
            return object ? check_value(m.type, m.type_len, value, path, errp) : true;
        }
        error_free(err);
    }
    return bad_member(path, "T", type->name, errp);
}

static bool check_value(const char *type, size_t type_len, const Json *value, const Path *path,
                        Error **errp)
{
    for (size_t i = 0; i < ARRAY_SIZE(builtins); i++) {
        if (name_is(type, type_len, builtins[i].name)) {
            return check_builtin(builtins[i].name, value, path, errp);
        }
    }
    const QmpType *t = type_find(type, type_len);
    assert(t);
    MemberSpec m;
    switch (t->kind) {
    case TYPE_ENUM:
        if (!json_is(value, JSON_STRING)) {
            return bad_member(path, "T", "string", errp);
        }
        return find_member(t->members, json_as_string(value), &m) ||
               bad_member(path, "V", json_as_string(value), errp);
    case TYPE_ALTERNATE:
        return check_alternate(t, value, path, errp);
    case TYPE_STRUCT:
    case TYPE_UNION:
        break;
    }
    if (!json_is(value, JSON_OBJECT)) {
        return bad_member(path, "T", "object", errp);
    }
    return check_object(t->members, t->kind == TYPE_UNION ? t : NULL, value, path, errp);
}

static bool check_member(const MemberSpec *m, const Json *value, const Path *path, Error **errp)
{
    Path here = { path, m->name, m->name_len, 0 };
    if (!m->array) {
        return check_value(m->type, m->type_len, value, &here, errp);
    }
    if (!json_is(value, JSON_ARRAY)) {
        return bad_member(&here, "T", "array", errp);
    }
    for (size_t i = 0; i < json_count(value); i++) {
        Path item = { &here, NULL, 0, i };
        if (!check_value(m->type, m->type_len, json_at(value, i), &item, errp)) {
            return false;
        }
    }
    return true;
}

/* The members that the value of a union's tag adds; NULL: none. */
static const QmpType *union_variant(const QmpType *un, const Json *object)
{
    const char *tag = json_get_string(object, un->tag);
    MemberSpec m;
    return tag && find_member(un->variants, tag, &m) ? type_find(m.type, m.type_len) : NULL;
}

static bool check_object(const char *members, const QmpType *un, const Json *object,
                         const Path *path, Error **errp)
{
    MemberSpec m;
    bool open = false;
    for (const char *p = members; next_member(&p, &m);) {
        char name[64];
        if (m.open) {
            open = true;
            continue;
        }
        snprintf(name, sizeof(name), "%.*s", (int)m.name_len, m.name);
        const Json *value = json_get(object, name);
        Path here = { path, m.name, m.name_len, 0 };
        if (!value) {
            if (!m.optional) {
                return bad_member(&here, "M", "", errp);
            }
        } else if (!check_member(&m, value, path, errp)) {
            return false;
        }
    }
    const QmpType *variant = un ? union_variant(un, object) : NULL;
    if (variant) {
        for (const char *p = variant->members; next_member(&p, &m);) {
            char name[64];
            if (m.open) {
                open = true;
                continue;
            }
            snprintf(name, sizeof(name), "%.*s", (int)m.name_len, m.name);
            const Json *value = json_get(object, name);
            Path here = { path, m.name, m.name_len, 0 };
            if (!value && !m.optional) {
                return bad_member(&here, "M", "", errp);
            } else if (value && !check_member(&m, value, path, errp)) {
                return false;
            }
        }
    }
    for (size_t i = 0; i < json_count(object) && !open; i++) {
        const char *key = json_key_at(object, i);
        if (!find_member(members, key, &m) && !(variant && find_member(variant->members, key, &m))) {
            Path here = { path, key, strlen(key), 0 };
            return bad_member(&here, "U", "", errp);
        }
    }
    return true;
}

bool qmp_check_args(const QmpCommand *cmd, const Json *args, Error **errp)
{
    return check_object(cmd->args, NULL, args, NULL, errp);
}

/* ---- introspection ---- */

static const char *introspected_name(const char *type, size_t len, char *buf, size_t size)
{
    /* All integers are "int" for clients, as their ranges are not part of the schema. */
    snprintf(buf, size, "%.*s", name_is(type, len, "uint") ? 3 : (int)len,
             name_is(type, len, "uint") ? "int" : type);
    return buf;
}

static char *member_type_name(const MemberSpec *m)
{
    char buf[96];
    introspected_name(m->type, m->type_len, buf, sizeof(buf));
    return xasprintf(m->array ? "[%s]" : "%s", buf);
}

static Json *introspect_members(const char *members)
{
    Json *list = json_array();
    MemberSpec m;
    while (next_member(&members, &m)) {
        if (m.open) {
            continue;
        }
        Json *item = json_object();
        char *type = member_type_name(&m);
        json_put(item, "name", json_stringn(m.name, m.name_len));
        if (m.optional) {
            json_put(item, "default", json_null());
        }
        json_put_string(item, "type", type);
        json_push(list, item);
        free(type);
    }
    return list;
}

/* Arrays are types of their own; `seen` keeps them unique. */
static void introspect_arrays(Json *list, Json *seen, const char *members)
{
    MemberSpec m;
    while (next_member(&members, &m)) {
        if (!m.array) {
            continue;
        }
        char *name = member_type_name(&m);
        if (!json_get(seen, name)) {
            char element[96];
            Json *item = json_object();
            json_put_string(item, "name", name);
            json_put_string(item, "element-type",
                            introspected_name(m.type, m.type_len, element, sizeof(element)));
            json_put_string(item, "meta-type", "array");
            json_push(list, item);
            json_put_bool(seen, name, true);
        }
        free(name);
    }
}

static Json *introspect_type(const QmpType *t)
{
    Json *item = json_object();
    MemberSpec m;
    json_put_string(item, "name", t->name);
    switch (t->kind) {
    case TYPE_ENUM: {
        Json *members = json_array(), *values = json_array();
        for (const char *p = t->members; next_member(&p, &m);) {
            Json *value = json_object();
            json_put(value, "name", json_stringn(m.name, m.name_len));
            json_push(members, value);
            json_push(values, json_stringn(m.name, m.name_len));
        }
        json_put(item, "members", members);
        json_put_string(item, "meta-type", "enum");
        json_put(item, "values", values);
        break;
    }
    case TYPE_ALTERNATE: {
        Json *members = json_array();
        for (const char *p = t->members; next_member(&p, &m);) {
            Json *alt = json_object();
            char *type = member_type_name(&m);
            json_put_string(alt, "type", type);
            free(type);
            json_push(members, alt);
        }
        json_put(item, "members", members);
        json_put_string(item, "meta-type", "alternate");
        break;
    }
    case TYPE_UNION: {
        Json *variants = json_array();
        json_put_string(item, "tag", t->tag);
        for (const char *p = t->variants; next_member(&p, &m);) {
            Json *variant = json_object();
            json_put(variant, "case", json_stringn(m.name, m.name_len));
            json_put(variant, "type", json_stringn(m.type, m.type_len));
            json_push(variants, variant);
        }
        json_put(item, "variants", variants);
    }
        /* fall through */
    case TYPE_STRUCT:
        json_put(item, "members", introspect_members(t->members));
        json_put_string(item, "meta-type", "object");
        break;
    }
    return item;
}

static Json *introspect_inline(const char *name, const char *members)
{
    Json *item = json_object();
    json_put_string(item, "name", name);
    json_put(item, "members", introspect_members(members));
    json_put_string(item, "meta-type", "object");
    return item;
}

/* Commands with an argument that is a type of its own ("=Type") share that type. */
Json *qmp_schema_introspect(void)
{
    Json *list = json_array(), *seen = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        const QmpCommand *c = &commands[i];
        Json *item = json_object();
        char *arg = *c->args ? xasprintf("q_obj_%s-arg", c->name) : xstrdup("q_empty");
        json_put_string(item, "name", c->name);
        json_put_string(item, "ret-type", c->returns ? c->returns : "q_empty");
        json_put_string(item, "meta-type", "command");
        json_put_string(item, "arg-type", arg);
        if (c->flags & (QMP_UNSTABLE | QMP_DEPRECATED)) {
            Json *features = json_array();
            json_push(features, json_string(c->flags & QMP_UNSTABLE ? "unstable" : "deprecated"));
            json_put(item, "features", features);
        }
        json_push(list, item);
        if (*c->args) {
            json_push(list, introspect_inline(arg, c->args));
            introspect_arrays(list, seen, c->args);
        }
        if (c->returns && *c->returns == '[') {
            char *member = xasprintf("x:%s", c->returns);
            introspect_arrays(list, seen, member);
            free(member);
        }
        free(arg);
    }
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        Json *item = json_object();
        char *arg = *events[i].data ? xasprintf("q_obj_%s-arg", events[i].name)
                                    : xstrdup("q_empty");
        json_put_string(item, "name", events[i].name);
        json_put_string(item, "meta-type", "event");
        json_put_string(item, "arg-type", arg);
        json_push(list, item);
        if (*events[i].data) {
            json_push(list, introspect_inline(arg, events[i].data));
            introspect_arrays(list, seen, events[i].data);
        }
        free(arg);
    }
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        json_push(list, introspect_type(&types[i]));
        if (types[i].kind != TYPE_ENUM) {
            introspect_arrays(list, seen, types[i].members);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(builtins); i++) {
        if (!strcmp(builtins[i].name, "uint")) {
            continue;
        }
        Json *item = json_object();
        json_put_string(item, "name", builtins[i].name);
        json_put_string(item, "json-type", builtins[i].json_type);
        json_put_string(item, "meta-type", "builtin");
        json_push(list, item);
    }
    json_push(list, introspect_inline("q_empty", ""));
    json_free(seen);
    return list;
}

Json *qmp_enum_values(const char *type)
{
    const QmpType *t = type_find(type, strlen(type));
    Json *list = json_array();
    MemberSpec m;
    for (const char *p = t ? t->members : ""; next_member(&p, &m);) {
        json_push(list, json_stringn(m.name, m.name_len));
    }
    return list;
}

/* ---- the table's own test ---- */

static bool type_exists(const char *type, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(builtins); i++) {
        if (name_is(type, len, builtins[i].name)) {
            return true;
        }
    }
    return type_find(type, len) != NULL;
}

static bool verify_members(const char *where, const char *members)
{
    bool ok = true;
    MemberSpec m;
    while (next_member(&members, &m)) {
        if (!m.open && (!m.type_len || !type_exists(m.type, m.type_len))) {
            fprintf(stderr, "schema: %s: member '%.*s' has unknown type '%.*s'\n", where,
                    (int)m.name_len, m.name, (int)m.type_len, m.type ? m.type : "");
            ok = false;
        }
    }
    return ok;
}

bool qmp_schema_verify(void)
{
    bool ok = true;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        ok &= verify_members(commands[i].name, commands[i].args);
        if (commands[i].returns) {
            char *member = xasprintf("return:%s", commands[i].returns);
            ok &= verify_members(commands[i].name, member);
            free(member);
        }
        if (qmp_command_find(commands[i].name) != &commands[i]) {
            fprintf(stderr, "schema: command %s twice\n", commands[i].name);
            ok = false;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        ok &= verify_members(events[i].name, events[i].data);
    }
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (types[i].kind != TYPE_ENUM) {
            ok &= verify_members(types[i].name, types[i].members);
        }
        if (types[i].kind == TYPE_UNION) {
            ok &= verify_members(types[i].name, types[i].variants);
        }
        if (type_find(types[i].name, strlen(types[i].name)) != &types[i]) {
            fprintf(stderr, "schema: type %s twice\n", types[i].name);
            ok = false;
        }
    }
    return ok;
}
