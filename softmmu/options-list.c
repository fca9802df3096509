/*
 * options-list.c: key=value lists as Json objects and typed access (options.h).
 */
#include <stdio.h>
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/parse.h"

/* A command line is short; this keeps a hostile -readconfig file in bounds. */
#define OPTS_MAX_BYTES (1u << 20)

/* Copies up to a single comma, undoubling; returns behind it (or at the end). */
static const char *take_value(const char *p, char **ret)
{
    char *out = xmalloc(strlen(p) + 1), *o = out;
    while (*p) {
        if (*p == ',') {
            p++;
            if (*p != ',') {
                break;
            }
        }
        *o++ = *p++;
    }
    *o = 0;
    *ret = out;
    return p;
}

Json *opts_parse(const char *text, const char *implied_key, Error **errp)
{
    if (strlen(text) > OPTS_MAX_BYTES) {
        error_set(errp, "option list is too long");
        return NULL;
    }
    if (*text == '{') {
        Json *json = json_parse_string(text, errp);
        if (json && !json_is(json, JSON_OBJECT)) {
            error_set(errp, "option list must be a JSON object");
            json_free(json);
            json = NULL;
        }
        return json;
    }
    Json *opts = json_object();
    bool first = true;
    for (const char *p = text; *p; first = false) {
        size_t key_len = strcspn(p, "=,");
        if (p[key_len] == '=') {
            char *key = xstrndup(p, key_len), *value;
            if (!key_len) {
                error_set(errp, "option list '%s' has a value without a name", text);
                free(key);
                json_free(opts);
                return NULL;
            }
            p = take_value(p + key_len + 1, &value);
            json_put(opts, key, json_string(value));
            free(key);
            free(value);
            continue;
        }
        char *word;
        p = take_value(p, &word);
        if (first && implied_key) {
            json_put(opts, implied_key, json_string(word));
        } else if (!strncmp(word, "no", 2) && word[2] && strcmp(word, "node") &&
                   strcmp(word, "notify") && strcmp(word, "node-name")) {
            json_put(opts, word + 2, json_string("off"));
        } else if (*word) {
            json_put(opts, word, json_string("on"));
        }
        free(word);
    }
    return opts;
}

/* Walks "a.b.c" from `opts` down, making objects, and puts `value` at the end. */
static bool put_nested(Json *opts, const char *path, Json *value, Error **errp)
{
    char *copy = xstrdup(path), *part = copy;
    bool ok = true;
    for (char *dot; (dot = strchr(part, '.')); part = dot + 1) {
        *dot = 0;
        Json *sub = json_get(opts, part);
        if (!sub) {
            json_put(opts, part, json_object());
            sub = json_get(opts, part);
        }
        if (!json_is(sub, JSON_OBJECT) || !*part) {
            error_set(errp, "option '%s' contradicts '%.*s'", path, (int)(dot - copy), path);
            ok = false;
            break;
        }
        opts = sub;
    }
    if (ok && !*part) {
        error_set(errp, "option '%s' ends with a dot", path);
        ok = false;
    } else if (ok && json_get(opts, part)) {
        error_set(errp, "option '%s' is given twice", path);
        ok = false;
    }
    if (ok) {
        json_put(opts, part, value);
    } else {
        json_free(value);
    }
    free(copy);
    return ok;
}

/* Objects with the keys 0, 1, 2, … become arrays. */
static Json *lists_from_numbers(Json *json)
{
    if (!json_is(json, JSON_OBJECT)) {
        return json;
    }
    Json *out = json_object();
    bool list = json_count(json) > 0;
    while (json_count(json)) {
        char *key = xstrdup(json_key_at(json, 0));
        list = list && *key >= '0' && *key <= '9';
        json_put(out, key, lists_from_numbers(json_take(json, key)));
        free(key);
    }
    json_free(json);
    if (!list) {
        return out;
    }
    Json *array = json_array();
    for (size_t i = 0, n = json_count(out); i < n; i++) {
        char key[24];
        snprintf(key, sizeof(key), "%zu", i);
        Json *item = json_take(out, key);
        if (!item) {
            json_free(array);
            return out;
        }
        json_push(array, item);
    }
    json_free(out);
    return array;
}

bool opts_nest(Json *opts, Error **errp)
{
    Json *flat = json_object();
    while (json_count(opts)) {
        char *key = xstrdup(json_key_at(opts, 0));
        json_put(flat, key, json_take(opts, key));
        free(key);
    }
    bool ok = true;
    for (size_t i = 0; i < json_count(flat) && ok; i++) {
        ok = put_nested(opts, json_key_at(flat, i), json_copy(json_at(flat, i)), errp);
    }
    json_free(flat);
    for (size_t i = 0; i < json_count(opts) && ok; i++) {
        if (json_is(json_at(opts, i), JSON_OBJECT)) {
            Json *copy = json_copy(json_at(opts, i));
            json_put(opts, json_key_at(opts, i), lists_from_numbers(copy));
        }
    }
    return ok;
}

bool options_id_ok(const char *id)
{
    if (!((*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z'))) {
        return false;
    }
    for (; *id; id++) {
        bool ok = (*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z') ||
                  (*id >= '0' && *id <= '9') || strchr("-._", *id);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* ---- typed access ---- */

static bool bad_type(const Json *value, const char *key, const char *expected, Error **errp)
{
    if (json_is(value, JSON_STRING)) {
        error_set(errp, "Parameter '%s' expects %s, not '%s'", key, expected,
                  json_as_string(value));
    } else {
        error_set(errp, "Parameter '%s' expects %s", key, expected);
    }
    return false;
}

bool opts_string(const Json *opts, const char *key, const char *fallback, const char **ret,
                 Error **errp)
{
    Json *value = json_get(opts, key);
    if (value && !json_is(value, JSON_STRING)) {
        return bad_type(value, key, "a string", errp);
    }
    *ret = value ? json_as_string(value) : fallback;
    return true;
}

bool opts_bool(const Json *opts, const char *key, bool fallback, bool *ret, Error **errp)
{
    Json *value = json_get(opts, key);
    if (!value) {
        *ret = fallback;
    } else if (json_is(value, JSON_BOOL)) {
        *ret = json_as_bool(value);
    } else if (!json_is(value, JSON_STRING) || !text_to_bool(json_as_string(value), ret)) {
        return bad_type(value, key, "'on' or 'off'", errp);
    }
    return true;
}

bool opts_int(const Json *opts, const char *key, int64_t fallback, int64_t *ret, Error **errp)
{
    Json *value = json_get(opts, key);
    if (!value) {
        *ret = fallback;
    } else if (json_is(value, JSON_INT)) {
        *ret = json_as_int(value);
    } else if (!json_is(value, JSON_STRING) || !text_to_int(json_as_string(value), ret)) {
        return bad_type(value, key, "a number", errp);
    }
    return true;
}

static bool json_natural(const Json *value, uint64_t *ret)
{
    if (json_is(value, JSON_UINT) || (json_is(value, JSON_INT) && json_as_int(value) >= 0)) {
        *ret = json_as_uint(value);
        return true;
    }
    return false;
}

bool opts_uint(const Json *opts, const char *key, uint64_t fallback, uint64_t *ret, Error **errp)
{
    Json *value = json_get(opts, key);
    if (!value) {
        *ret = fallback;
    } else if (!json_natural(value, ret) &&
               (!json_is(value, JSON_STRING) || !text_to_uint(json_as_string(value), ret))) {
        return bad_type(value, key, "a number that is not negative", errp);
    }
    return true;
}

bool opts_size(const Json *opts, const char *key, uint64_t fallback_bytes, uint64_t *ret_bytes,
               Error **errp)
{
    Json *value = json_get(opts, key);
    if (!value) {
        *ret_bytes = fallback_bytes;
    } else if (!json_natural(value, ret_bytes) &&
               (!json_is(value, JSON_STRING) ||
                !text_to_size(json_as_string(value), 1, ret_bytes))) {
        return bad_type(value, key, "a size below 2^64 bytes, such as 512M or 4G", errp);
    }
    return true;
}

bool opts_check(const Json *opts, const char *what, const char *const *known, Error **errp)
{
    for (size_t i = 0; i < json_count(opts); i++) {
        const char *key = json_key_at(opts, i);
        const char *const *k = known;
        while (*k && strcmp(*k, key)) {
            k++;
        }
        if (!*k) {
            error_set(errp, "%s: invalid parameter '%s'", what, key);
            return false;
        }
    }
    return true;
}

bool opts_is_set(const Json *opts, const char *key)
{
    return json_get(opts, key) != NULL;
}

static bool is_help(const char *text)
{
    return text && (!strcmp(text, "help") || !strcmp(text, "?"));
}

bool opts_wants_help(const Json *opts, const char *key)
{
    return opts_is_set(opts, "help") || opts_is_set(opts, "?") ||
           (key && is_help(json_get_string(opts, key)));
}

/* ---- back to text ---- */

char *opts_print(const Json *opts)
{
    VEC(char) text = {0};
    for (size_t i = 0; i < json_count(opts); i++) {
        const Json *value = json_at(opts, i);
        char *owned = json_is(value, JSON_STRING) ? NULL : json_print(value);
        const char *str = owned ? owned : json_as_string(value);
        if (i) {
            *vec_push(&text) = ',';
        }
        for (const char *k = json_key_at(opts, i); *k; k++) {
            *vec_push(&text) = *k;
        }
        *vec_push(&text) = '=';
        for (; *str; str++) {
            if (*str == ',') {
                *vec_push(&text) = ',';
            }
            *vec_push(&text) = *str;
        }
        free(owned);
    }
    *vec_push(&text) = 0;
    return text.at;
}
