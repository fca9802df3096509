/*
 * json.h: JSON values (RFC 8259): build, read, parse, print.
 *
 * A Json is a tree: every array and object owns its members, json_free() ends
 * the whole tree, json_push/json_put take ownership of what they are given.
 * Objects keep the order in which members were put; a second put of the same
 * key replaces the value in place. Strings are NUL-terminated UTF-8.
 * Integers keep all 64 bits, signed or unsigned.
 *
 * The parser bounds nesting, bytes and number of values, so that a hostile
 * peer costs a bounded amount of memory and time. It accepts one extension
 * that machine-control clients rely on: 'single quoted' strings.
 *
 * Threads: a tree belongs to one thread at a time; const access from several
 * threads is fine while nobody changes it.
 */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include "util/error.h"

typedef struct Json Json;

typedef enum JsonKind {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,    /* fits int64_t */
    JSON_UINT,   /* above INT64_MAX, fits uint64_t */
    JSON_DOUBLE, /* written with a fraction or exponent, or beyond 64 bits */
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
} JsonKind;

#define JSON_MAX_DEPTH 1024
#define JSON_MAX_BYTES (64 * MiB)
#define JSON_MAX_VALUES (2u << 20)

/* ---- build ---- */
Json *json_null(void);
Json *json_bool(bool value);
Json *json_int(int64_t value);
Json *json_uint(uint64_t value);
Json *json_double(double value); /* finite */
Json *json_string(const char *str);
Json *json_stringn(const char *str, size_t len);
Json *json_stringf(const char *fmt, ...) PRINTF_LIKE(1, 2);
Json *json_array(void);
Json *json_object(void);
void json_free(Json *json); /* NULL is allowed */
Json *json_copy(const Json *json);

void json_push(Json *array, Json *item);
/* `object` NULL is not allowed; `value` NULL means json_null(). */
void json_put(Json *object, const char *key, Json *value);
void json_put_bool(Json *object, const char *key, bool value);
void json_put_int(Json *object, const char *key, int64_t value);
void json_put_uint(Json *object, const char *key, uint64_t value);
void json_put_string(Json *object, const char *key, const char *str);
/* Removes the member and hands it to the caller; NULL if there is none. */
Json *json_take(Json *object, const char *key);
static inline void json_drop(Json *object, const char *key)
{
    json_free(json_take(object, key));
}

/* ---- read: the type must be right, ask json_kind first ---- */
JsonKind json_kind(const Json *json);
const char *json_kind_name(JsonKind kind); /* "string", "integer", … */
bool json_is(const Json *json, JsonKind kind); /* NULL: false */
bool json_as_bool(const Json *json);
int64_t json_as_int(const Json *json);
uint64_t json_as_uint(const Json *json);
double json_as_double(const Json *json); /* any number */
const char *json_as_string(const Json *json);
size_t json_count(const Json *json); /* of an array or object; else 0 */
Json *json_at(const Json *json, size_t i); /* array item or object value */
const char *json_key_at(const Json *object, size_t i);
/* NULL if `object` is no object or has no such member. */
Json *json_get(const Json *object, const char *key);
/* NULL unless the member exists and is a string. */
const char *json_get_string(const Json *object, const char *key);
bool json_get_bool(const Json *object, const char *key, bool fallback);
int64_t json_get_int(const Json *object, const char *key, int64_t fallback);
/* Equal in kind and content; the order of members does not matter. */
bool json_equal(const Json *a, const Json *b);

/* ---- text ---- */
/* One value and nothing but white space after it. */
Json *json_parse(const char *text, size_t len, Error **errp);
static inline Json *json_parse_string(const char *text, Error **errp)
{
    return json_parse(text, __builtin_strlen(text), errp);
}
/* Returned text is the caller's, freed with free(). */
char *json_print(const Json *json);
char *json_print_pretty(const Json *json); /* indented by four, no final newline */

/*
 * A stream of values, as they arrive from a peer. `found` is called for each
 * complete value, with ownership, or with `err` (ownership too) for each piece
 * that is not JSON; after an error reading resumes behind the bad piece.
 * The callback may call json_stream_reset() but not json_stream_finish().
 */
typedef struct JsonStream {
    void (*found)(void *opaque, Json *json, Error *err);
    void *opaque;
    char *buf;
    size_t len, cap, max_bytes;
    unsigned depth;
    char quote;      /* inside a string that ends with this */
    bool escaped;    /* the last byte was a backslash in a string */
    bool scalar;     /* inside a bare word or number on the top level */
    bool overflow;   /* the piece is too large and is being skipped */
    bool recovering; /* the last piece was bad */
} JsonStream;

void json_stream_init(JsonStream *stream, void (*found)(void *opaque, Json *json, Error *err),
                      void *opaque);
void json_stream_finish(JsonStream *stream);
void json_stream_reset(JsonStream *stream);
void json_stream_feed(JsonStream *stream, const char *data, size_t len);

#endif
