/*
 * json.c: JSON values and the printer; the parser is in json-parse.c.
 * RFC 8259. Leaves out: numbers beyond 64 bits stay doubles, NUL inside
 * strings is refused by the parser. Threads: see the header.
 */
#include "util/json.h"
#include <math.h>
#include <stdio.h>
#include "util/alloc.h"

/* Objects with more members than this get a hash index. */
#define JSON_INDEX_FROM 12

typedef struct Member {
    char *key; /* NULL in arrays */
    uint32_t hash;
    Json *value;
} Member;

struct Json {
    JsonKind kind;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        char *str;
        struct {
            VEC(Member) members;
            uint32_t *index; /* open addressing, slot = position + 1, 0 = empty */
            size_t index_cap;
        };
    };
};

static Json *json_new(JsonKind kind)
{
    Json *json = xnew(Json);
    json->kind = kind;
    return json;
}

Json *json_null(void)
{
    return json_new(JSON_NULL);
}

Json *json_bool(bool value)
{
    Json *json = json_new(JSON_BOOL);
    json->b = value;
    return json;
}

Json *json_int(int64_t value)
{
    Json *json = json_new(JSON_INT);
    json->i = value;
    return json;
}

Json *json_uint(uint64_t value)
{
    if (value <= INT64_MAX) {
        return json_int((int64_t)value);
    }
    Json *json = json_new(JSON_UINT);
    json->u = value;
    return json;
}

Json *json_double(double value)
{
    Json *json = json_new(JSON_DOUBLE);
    json->d = value;
    return json;
}

Json *json_string(const char *str)
{
    return json_stringn(str, strlen(str));
}

Json *json_stringn(const char *str, size_t len)
{
    Json *json = json_new(JSON_STRING);
    json->str = xstrndup(str, len);
    return json;
}

Json *json_stringf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    Json *json = json_new(JSON_STRING);
    json->str = xvasprintf(fmt, ap);
    va_end(ap);
    return json;
}

Json *json_array(void)
{
    return json_new(JSON_ARRAY);
}

Json *json_object(void)
{
    return json_new(JSON_OBJECT);
}

static bool json_is_container(const Json *json)
{
    return json->kind == JSON_ARRAY || json->kind == JSON_OBJECT;
}

/* Depth is bounded by the parser and by what our own code builds. */
void json_free(Json *json)
{
    if (!json) {
        return;
    }
    if (json->kind == JSON_STRING) {
        free(json->str);
    } else if (json_is_container(json)) {
        for (size_t i = 0; i < json->members.n; i++) {
            free(json->members.at[i].key);
            json_free(json->members.at[i].value);
        }
        vec_free(&json->members);
        free(json->index);
    }
    free(json);
}

Json *json_copy(const Json *json)
{
    switch (json->kind) {
    case JSON_STRING:
        return json_string(json->str);
    case JSON_ARRAY: {
        Json *copy = json_array();
        for (size_t i = 0; i < json->members.n; i++) {
            json_push(copy, json_copy(json->members.at[i].value));
        }
        return copy;
    }
    case JSON_OBJECT: {
        Json *copy = json_object();
        for (size_t i = 0; i < json->members.n; i++) {
            json_put(copy, json->members.at[i].key, json_copy(json->members.at[i].value));
        }
        return copy;
    }
    default:
        return xmemdup(json, sizeof(*json));
    }
}

/* ---- members ---- */

/* Seeded per process, so that a peer cannot prepare colliding keys. */
static uint32_t json_hash(const char *key)
{
    static uint64_t seed;
    if (!seed) {
        seed = ((uintptr_t)&seed * 0x9e3779b97f4a7c15u) | 1;
    }
    uint64_t h = seed;
    for (const unsigned char *p = (const unsigned char *)key; *p; p++) {
        h = (h ^ *p) * 0x100000001b3u;
        h ^= h >> 29;
    }
    return (uint32_t)(h ^ (h >> 32));
}

static void json_index_add(Json *object, size_t pos)
{
    size_t mask = object->index_cap - 1;
    size_t slot = object->members.at[pos].hash & mask;
    while (object->index[slot]) {
        slot = (slot + 1) & mask;
    }
    object->index[slot] = (uint32_t)pos + 1;
}

static void json_reindex(Json *object)
{
    free(object->index);
    object->index = NULL;
    object->index_cap = 0;
    if (object->members.n < JSON_INDEX_FROM) {
        return;
    }
    size_t cap = 32;
    while (cap < object->members.n * 4) {
        cap *= 2;
    }
    object->index = xcalloc(cap, sizeof(*object->index));
    object->index_cap = cap;
    for (size_t i = 0; i < object->members.n; i++) {
        json_index_add(object, i);
    }
}

static Member *json_find(const Json *object, const char *key, uint32_t hash)
{
    if (object->index) {
        size_t mask = object->index_cap - 1;
        for (size_t slot = hash & mask; object->index[slot]; slot = (slot + 1) & mask) {
            Member *m = &object->members.at[object->index[slot] - 1];
            if (m->hash == hash && !strcmp(m->key, key)) {
                return m;
            }
        }
        return NULL;
    }
    for (size_t i = 0; i < object->members.n; i++) {
        Member *m = &object->members.at[i];
        if (m->hash == hash && !strcmp(m->key, key)) {
            return m;
        }
    }
    return NULL;
}

void json_push(Json *array, Json *item)
{
    assert(array->kind == JSON_ARRAY);
    *vec_push(&array->members) = (Member){ .value = item ? item : json_null() };
}

void json_put(Json *object, const char *key, Json *value)
{
    assert(object->kind == JSON_OBJECT);
    uint32_t hash = json_hash(key);
    Member *m = json_find(object, key, hash);
    value = value ? value : json_null();
    if (m) {
        json_free(m->value);
        m->value = value;
        return;
    }
    *vec_push(&object->members) = (Member){ xstrdup(key), hash, value };
    if (object->index && object->members.n * 2 < object->index_cap) {
        json_index_add(object, object->members.n - 1);
    } else {
        json_reindex(object);
    }
}

void json_put_bool(Json *object, const char *key, bool value)
{
    json_put(object, key, json_bool(value));
}

void json_put_int(Json *object, const char *key, int64_t value)
{
    json_put(object, key, json_int(value));
}

void json_put_uint(Json *object, const char *key, uint64_t value)
{
    json_put(object, key, json_uint(value));
}

void json_put_string(Json *object, const char *key, const char *str)
{
    json_put(object, key, json_string(str));
}

Json *json_take(Json *object, const char *key)
{
    assert(object->kind == JSON_OBJECT);
    Member *m = json_find(object, key, json_hash(key));
    if (!m) {
        return NULL;
    }
    Json *value = m->value;
    free(m->key);
    size_t pos = m - object->members.at;
    memmove(m, m + 1, (object->members.n - pos - 1) * sizeof(*m));
    object->members.n--;
    json_reindex(object);
    return value;
}

/* ---- read ---- */

JsonKind json_kind(const Json *json)
{
    return json->kind;
}

const char *json_kind_name(JsonKind kind)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "boolean",  [JSON_INT] = "integer",
        [JSON_UINT] = "integer",  [JSON_DOUBLE] = "number", [JSON_STRING] = "string",
        [JSON_ARRAY] = "array",   [JSON_OBJECT] = "object",
    };
    return names[kind];
}

bool json_is(const Json *json, JsonKind kind)
{
    return json && json->kind == kind;
}

bool json_as_bool(const Json *json)
{
    assert(json->kind == JSON_BOOL);
    return json->b;
}

int64_t json_as_int(const Json *json)
{
    assert(json->kind == JSON_INT);
    return json->i;
}

uint64_t json_as_uint(const Json *json)
{
    assert(json->kind == JSON_UINT || (json->kind == JSON_INT && json->i >= 0));
    return json->u;
}

double json_as_double(const Json *json)
{
    switch (json->kind) {
    case JSON_INT:
        return (double)json->i;
    case JSON_UINT:
        return (double)json->u;
    default:
        assert(json->kind == JSON_DOUBLE);
        return json->d;
    }
}

const char *json_as_string(const Json *json)
{
    assert(json->kind == JSON_STRING);
    return json->str;
}

size_t json_count(const Json *json)
{
    return json && json_is_container(json) ? json->members.n : 0;
}

Json *json_at(const Json *json, size_t i)
{
    assert(json_is_container(json) && i < json->members.n);
    return json->members.at[i].value;
}

const char *json_key_at(const Json *object, size_t i)
{
    assert(object->kind == JSON_OBJECT && i < object->members.n);
    return object->members.at[i].key;
}

Json *json_get(const Json *object, const char *key)
{
    if (!json_is(object, JSON_OBJECT)) {
        return NULL;
    }
    Member *m = json_find(object, key, json_hash(key));
    return m ? m->value : NULL;
}

const char *json_get_string(const Json *object, const char *key)
{
    Json *value = json_get(object, key);
    return json_is(value, JSON_STRING) ? value->str : NULL;
}

bool json_get_bool(const Json *object, const char *key, bool fallback)
{
    Json *value = json_get(object, key);
    return json_is(value, JSON_BOOL) ? value->b : fallback;
}

int64_t json_get_int(const Json *object, const char *key, int64_t fallback)
{
    Json *value = json_get(object, key);
    return json_is(value, JSON_INT) ? value->i : fallback;
}

bool json_equal(const Json *a, const Json *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        return a->b == b->b;
    case JSON_INT:
    case JSON_UINT:
        return a->u == b->u;
    case JSON_DOUBLE:
        return a->d == b->d;
    case JSON_STRING:
        return !strcmp(a->str, b->str);
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    if (a->members.n != b->members.n) {
        return false;
    }
    for (size_t i = 0; i < a->members.n; i++) {
        const Member *m = &a->members.at[i];
        const Json *other = a->kind == JSON_ARRAY ? b->members.at[i].value
                                                  : json_get(b, m->key);
        if (!other || !json_equal(m->value, other)) {
            return false;
        }
    }
    return true;
}

/* ---- print ---- */

typedef VEC(char) Text;

static void text_add(Text *text, const char *str, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        *vec_push(text) = str[i];
    }
}

static void text_newline(Text *text, int indent)
{
    *vec_push(text) = '\n';
    for (int i = 0; i < indent * 4; i++) {
        *vec_push(text) = ' ';
    }
}

static void print_string(Text *text, const char *str)
{
    *vec_push(text) = '"';
    for (; *str; str++) {
        unsigned char c = (unsigned char)*str;
        static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
        const char *p = strchr(plain, c);
        if (p) {
            char esc[2] = { '\\', letter[p - plain] };
            text_add(text, esc, 2);
        } else if (c < 0x20 || c == 0x7f) {
            char esc[8];
            text_add(text, esc, (size_t)snprintf(esc, sizeof(esc), "\\u%04x", c));
        } else {
            *vec_push(text) = (char)c;
        }
    }
    *vec_push(text) = '"';
}

/* `indent` < 0: everything on one line. */
static void print_value(Text *text, const Json *json, int indent)
{
    char num[40];
    switch (json->kind) {
    case JSON_NULL:
        text_add(text, "null", 4);
        return;
    case JSON_BOOL:
        text_add(text, json->b ? "true" : "false", json->b ? 4 : 5);
        return;
    case JSON_INT:
        text_add(text, num, (size_t)snprintf(num, sizeof(num), "%" PRId64, json->i));
        return;
    case JSON_UINT:
        text_add(text, num, (size_t)snprintf(num, sizeof(num), "%" PRIu64, json->u));
        return;
    case JSON_DOUBLE:
        if (!isfinite(json->d)) {
            text_add(text, "null", 4);
            return;
        }
        /* 17 digits always read back as the same double; fewer often do. */
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(num, sizeof(num), "%.*g", digits, json->d);
            if (strtod(num, NULL) == json->d) {
                break;
            }
        }
        text_add(text, num, strlen(num));
        if (!strpbrk(num, ".eE")) {
            text_add(text, ".0", 2);
        }
        return;
    case JSON_STRING:
        print_string(text, json->str);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    bool object = json->kind == JSON_OBJECT;
    *vec_push(text) = object ? '{' : '[';
    for (size_t i = 0; i < json->members.n; i++) {
        if (indent >= 0) {
            text_newline(text, indent + 1);
        }
        if (object) {
            print_string(text, json->members.at[i].key);
            text_add(text, ": ", 2);
        }
        print_value(text, json->members.at[i].value, indent < 0 ? -1 : indent + 1);
        if (i + 1 < json->members.n) {
            text_add(text, ", ", indent < 0 ? 2 : 1);
        }
    }
    if (indent >= 0) { /* also when there is nothing inside: other printers of this protocol do so */
        text_newline(text, indent);
    }
    *vec_push(text) = object ? '}' : ']';
}

char *json_print(const Json *json)
{
    Text text = {0};
    print_value(&text, json, -1);
    *vec_push(&text) = 0;
    return text.at;
}

char *json_print_pretty(const Json *json)
{
    Text text = {0};
    print_value(&text, json, 0);
    *vec_push(&text) = 0;
    return text.at;
}
