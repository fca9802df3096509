/*
 * json-parse.c: text to JSON values (RFC 8259), whole or as a stream.
 *
 * Recursive descent with bounds on depth, bytes and number of values. Text
 * must be valid UTF-8; NUL in a string, lone surrogates, trailing commas and
 * duplicate members are errors. 'Single quoted' strings are accepted.
 */
#include <stdio.h>
#include "util/alloc.h"
#include "util/json.h"

typedef struct Parser {
    const char *start, *p, *end;
    unsigned depth, values;
    VEC(char) str; /* of the string being read */
    Error **errp;
} Parser;

static Json *parse_value(Parser *ps);

static Json *parse_fail(Parser *ps, const char *what)
{
    if (ps->p < ps->end) {
        error_set(ps->errp, "JSON parse error, %s at byte %zu", what,
                  (size_t)(ps->p - ps->start));
    } else {
        error_set(ps->errp, "JSON parse error, %s at the end of the text", what);
    }
    return NULL;
}

static void skip_space(Parser *ps)
{
    while (ps->p < ps->end &&
           (*ps->p == ' ' || *ps->p == '\t' || *ps->p == '\n' || *ps->p == '\r')) {
        ps->p++;
    }
}

static bool parse_hex4(Parser *ps, uint32_t *ret)
{
    uint32_t v = 0;
    if (ps->end - ps->p < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char c = *ps->p++;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) {
            return false;
        }
        v = v * 16 + digit;
    }
    *ret = v;
    return true;
}

static void push_utf8(Parser *ps, uint32_t cp)
{
    if (cp < 0x80) {
        *vec_push(&ps->str) = (char)cp;
    } else if (cp < 0x800) {
        *vec_push(&ps->str) = (char)(0xc0 | cp >> 6);
        *vec_push(&ps->str) = (char)(0x80 | (cp & 0x3f));
    } else if (cp < 0x10000) {
        *vec_push(&ps->str) = (char)(0xe0 | cp >> 12);
        *vec_push(&ps->str) = (char)(0x80 | (cp >> 6 & 0x3f));
        *vec_push(&ps->str) = (char)(0x80 | (cp & 0x3f));
    } else {
        *vec_push(&ps->str) = (char)(0xf0 | cp >> 18);
        *vec_push(&ps->str) = (char)(0x80 | (cp >> 12 & 0x3f));
        *vec_push(&ps->str) = (char)(0x80 | (cp >> 6 & 0x3f));
        *vec_push(&ps->str) = (char)(0x80 | (cp & 0x3f));
    }
}

/* The length of the well-formed UTF-8 sequence at `p` (Unicode table 3-7); 0 if none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    unsigned char lo = 0x80, hi = 0xbf;
    size_t n;
    if (p[0] < 0x80) {
        return 1;
    } else if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
        lo = p[0] == 0xe0 ? 0xa0 : 0x80;
        hi = p[0] == 0xed ? 0x9f : 0xbf;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        lo = p[0] == 0xf0 ? 0x90 : 0x80;
        hi = p[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (left < n || p[1] < lo || p[1] > hi) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

static bool parse_escape(Parser *ps)
{
    static const char letter[] = "\"'\\/bfnrt", value[] = "\"'\\/\b\f\n\r\t";
    char c = ps->p < ps->end ? *ps->p++ : 0;
    const char *l = c ? strchr(letter, c) : NULL;
    if (l) {
        *vec_push(&ps->str) = value[l - letter];
        return true;
    }
    uint32_t cp, low;
    if (c != 'u' || !parse_hex4(ps, &cp)) {
        return parse_fail(ps, "bad escape sequence in string");
    }
    if (cp >= 0xd800 && cp <= 0xdfff) {
        if (cp > 0xdbff || ps->end - ps->p < 2 || ps->p[0] != '\\' || ps->p[1] != 'u') {
            return parse_fail(ps, "lone surrogate in string");
        }
        ps->p += 2;
        if (!parse_hex4(ps, &low) || low < 0xdc00 || low > 0xdfff) {
            return parse_fail(ps, "lone surrogate in string");
        }
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
    }
    if (!cp) {
        return parse_fail(ps, "NUL in string");
    }
    push_utf8(ps, cp);
    return true;
}

/* Leaves the text in ps->str, NUL-terminated. */
static bool parse_text(Parser *ps)
{
    char quote = *ps->p++;
    vec_clear(&ps->str);
    for (;;) {
        if (ps->p == ps->end) {
            return parse_fail(ps, "string is not closed");
        }
        unsigned char c = (unsigned char)*ps->p;
        if ((char)c == quote) {
            ps->p++;
            *vec_push(&ps->str) = 0;
            return true;
        }
        if (c == '\\') {
            ps->p++;
            if (!parse_escape(ps)) {
                return false;
            }
            continue;
        }
        if (c < 0x20) {
            return parse_fail(ps, "control character in string");
        }
        size_t n = utf8_length((const unsigned char *)ps->p, (size_t)(ps->end - ps->p));
        if (!n) {
            return parse_fail(ps, "invalid UTF-8 in string");
        }
        while (n--) {
            *vec_push(&ps->str) = *ps->p++;
        }
    }
}

static bool is_digit(const Parser *ps)
{
    return ps->p < ps->end && *ps->p >= '0' && *ps->p <= '9';
}

static Json *parse_number(Parser *ps)
{
    const char *start = ps->p;
    bool negative = *ps->p == '-', integer = true, fits = true;
    uint64_t v = 0;
    ps->p += negative;
    if (!is_digit(ps)) {
        return parse_fail(ps, "expected a digit");
    }
    if (*ps->p == '0') {
        ps->p++;
        if (is_digit(ps)) {
            return parse_fail(ps, "number starts with zero");
        }
    }
    while (is_digit(ps)) {
        unsigned d = (unsigned)(*ps->p++ - '0');
        fits = fits && v <= (UINT64_MAX - d) / 10;
        v = v * 10 + d;
    }
    if (ps->p < ps->end && *ps->p == '.') {
        integer = false;
        ps->p++;
        if (!is_digit(ps)) {
            return parse_fail(ps, "expected a digit");
        }
        while (is_digit(ps)) {
            ps->p++;
        }
    }
    if (ps->p < ps->end && (*ps->p == 'e' || *ps->p == 'E')) {
        integer = false;
        ps->p++;
        if (ps->p < ps->end && (*ps->p == '+' || *ps->p == '-')) {
            ps->p++;
        }
        if (!is_digit(ps)) {
            return parse_fail(ps, "expected a digit");
        }
        while (is_digit(ps)) {
            ps->p++;
        }
    }
    if (integer && fits) {
        if (!negative) {
            return json_uint(v);
        }
        if (v <= (uint64_t)INT64_MAX + 1) {
            return json_int((int64_t)(0 - v));
        }
    }
    char *copy = xstrndup(start, (size_t)(ps->p - start));
    double d = strtod(copy, NULL);
    free(copy);
    if (d - d != 0) {
        return parse_fail(ps, "number out of range");
    }
    return json_double(d);
}

static Json *parse_word(Parser *ps)
{
    const char *start = ps->p;
    while (ps->p < ps->end &&
           ((*ps->p >= 'a' && *ps->p <= 'z') || (*ps->p >= 'A' && *ps->p <= 'Z'))) {
        ps->p++;
    }
    size_t n = (size_t)(ps->p - start);
    if (n == 4 && !memcmp(start, "true", 4)) {
        return json_bool(true);
    } else if (n == 5 && !memcmp(start, "false", 5)) {
        return json_bool(false);
    } else if (n == 4 && !memcmp(start, "null", 4)) {
        return json_null();
    }
    ps->p = start;
    if (!n) {
        return parse_fail(ps, "expected a value");
    }
    if (n <= 40) {
        error_set(ps->errp, "JSON parse error, invalid keyword '%.*s'", (int)n, start);
        return NULL;
    }
    return parse_fail(ps, "invalid keyword");
}

static Json *parse_array(Parser *ps)
{
    Json *array = json_array();
    ps->p++;
    skip_space(ps);
    if (ps->p < ps->end && *ps->p == ']') {
        ps->p++;
        return array;
    }
    for (;;) {
        Json *item = parse_value(ps);
        if (!item) {
            break;
        }
        json_push(array, item);
        skip_space(ps);
        if (ps->p < ps->end && *ps->p == ',') {
            ps->p++;
        } else if (ps->p < ps->end && *ps->p == ']') {
            ps->p++;
            return array;
        } else {
            parse_fail(ps, "expected ',' or ']'");
            break;
        }
    }
    json_free(array);
    return NULL;
}

static bool parse_member(Parser *ps, Json *object)
{
    skip_space(ps);
    if (ps->p == ps->end || (*ps->p != '"' && *ps->p != '\'')) {
        return parse_fail(ps, "expected a string as key");
    }
    if (!parse_text(ps)) {
        return false;
    }
    if (json_get(object, ps->str.at)) {
        return parse_fail(ps, "duplicate key");
    }
    char *key = xstrdup(ps->str.at);
    skip_space(ps);
    Json *value = NULL;
    if (ps->p == ps->end || *ps->p != ':') {
        parse_fail(ps, "expected ':'");
    } else {
        ps->p++;
        value = parse_value(ps);
    }
    if (value) {
        json_put(object, key, value);
    }
    free(key);
    return value != NULL;
}

static Json *parse_object(Parser *ps)
{
    Json *object = json_object();
    ps->p++;
    skip_space(ps);
    if (ps->p < ps->end && *ps->p == '}') {
        ps->p++;
        return object;
    }
    while (parse_member(ps, object)) {
        skip_space(ps);
        if (ps->p < ps->end && *ps->p == ',') {
            ps->p++;
        } else if (ps->p < ps->end && *ps->p == '}') {
            ps->p++;
            return object;
        } else {
            parse_fail(ps, "expected ',' or '}'");
            break;
        }
    }
    json_free(object);
    return NULL;
}

static Json *parse_value(Parser *ps)
{
    skip_space(ps);
    if (ps->p == ps->end) {
        return parse_fail(ps, "expected a value");
    }
    if (++ps->values > JSON_MAX_VALUES) {
        return parse_fail(ps, "too many values");
    }
    char c = *ps->p;
    if (c == '{' || c == '[') {
        if (ps->depth == JSON_MAX_DEPTH) {
            return parse_fail(ps, "nesting too deep");
        }
        ps->depth++;
        Json *json = c == '{' ? parse_object(ps) : parse_array(ps);
        ps->depth--;
        return json;
    }
    if (c == '"' || c == '\'') {
        return parse_text(ps) ? json_string(ps->str.at) : NULL;
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        return parse_number(ps);
    }
    return parse_word(ps);
}

Json *json_parse(const char *text, size_t len, Error **errp)
{
    Parser ps = { .start = text, .p = text, .end = text + len, .errp = errp };
    if (len > JSON_MAX_BYTES) {
        error_set(errp, "JSON parse error, text is too large");
        return NULL;
    }
    Json *json = parse_value(&ps);
    if (json) {
        skip_space(&ps);
        if (ps.p < ps.end) {
            parse_fail(&ps, "unexpected text after the value");
            json_free(json);
            json = NULL;
        }
    }
    vec_free(&ps.str);
    return json;
}

/* ---- stream: only finds where a value ends; json_parse judges it ---- */

void json_stream_init(JsonStream *stream, void (*found)(void *opaque, Json *json, Error *err),
                      void *opaque)
{
    *stream = (JsonStream){ .found = found, .opaque = opaque, .max_bytes = JSON_MAX_BYTES };
}

void json_stream_finish(JsonStream *stream)
{
    free(stream->buf);
    stream->buf = NULL;
    stream->len = stream->cap = 0;
}

void json_stream_reset(JsonStream *stream)
{
    stream->len = 0;
    stream->depth = 0;
    stream->quote = 0;
    stream->escaped = stream->scalar = stream->overflow = false;
}

static void stream_complete(JsonStream *stream)
{
    Error *err = NULL;
    Json *json = NULL;
    if (stream->overflow) {
        error_set(&err, "JSON parse error, text is too large");
    } else {
        json = json_parse(stream->buf, stream->len, &err);
    }
    json_stream_reset(stream);
    stream->recovering = err != NULL;
    /* One huge request must not keep its buffer for ever. */
    if (stream->cap > MiB) {
        json_stream_finish(stream);
    }
    stream->found(stream->opaque, json, err);
}

static void stream_push(JsonStream *stream, char c)
{
    if (stream->len >= stream->max_bytes) {
        stream->overflow = true;
        return;
    }
    if (stream->len == stream->cap) {
        stream->buf = vec_grow(stream->buf, &stream->cap, 1);
    }
    stream->buf[stream->len++] = c;
}

static bool is_json_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void json_stream_feed(JsonStream *stream, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = data[i];
        if (stream->quote) {
            stream_push(stream, c);
            if (stream->escaped) {
                stream->escaped = false;
            } else if (c == '\\') {
                stream->escaped = true;
            } else if (c == stream->quote || (unsigned char)c < 0x20) {
                /* A raw control character cannot be in a string: a peer that sends one has
                 * lost its way, and the piece ends here so that the next one can be read. */
                bool bad = c != stream->quote;
                stream->quote = 0;
                if (!stream->depth || bad) {
                    stream_complete(stream);
                }
            }
            continue;
        }
        bool space = is_json_space(c);
        bool structural = strchr("{}[]\"',:", c) && c;
        if (stream->scalar && (space || structural)) {
            stream->scalar = false;
            if (!stream->depth) {
                stream_complete(stream);
            }
        }
        if (!stream->depth) {
            /* The closing rest of a piece that was bad is not worth an error per bracket. */
            if (space || (stream->recovering && c && strchr("]},:", c))) {
                continue;
            }
            stream->recovering = false;
        }
        if ((unsigned char)c < 0x20 && !space) {
            /* Control characters end whatever was being sent. */
            stream_push(stream, c);
            stream_complete(stream);
            continue;
        }
        stream_push(stream, c);
        if (c == '"' || c == '\'') {
            stream->quote = c;
        } else if (c == '{' || c == '[') {
            if (++stream->depth > JSON_MAX_DEPTH) {
                stream_complete(stream);
            }
        } else if (c == '}' || c == ']') {
            if (!stream->depth || !--stream->depth) {
                stream_complete(stream);
            }
        } else if (c == ',' || c == ':') {
            if (!stream->depth) {
                stream_complete(stream);
            }
        } else if (!space) {
            stream->scalar = true;
        }
    }
}
