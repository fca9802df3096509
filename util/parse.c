/*
 * parse.c: text to values.
 */
#include "util/parse.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool text_to_bool(const char *text, bool *ret)
{
    static const char *const yes[] = { "on", "yes", "true", "y" };
    static const char *const no[] = { "off", "no", "false", "n" };
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            *ret = !strcmp(text, yes[i]);
            return true;
        }
    }
    return false;
}

bool text_to_uint(const char *text, uint64_t *ret)
{
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    uint64_t v = strtoull(text, &end, 0);
    if (errno || *end) {
        return false;
    }
    *ret = v;
    return true;
}

bool text_to_int(const char *text, int64_t *ret)
{
    uint64_t v;
    bool negative = *text == '-';
    if (!text_to_uint(text + negative, &v) || v > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static int suffix_shift(char c)
{
    switch (c) {
    case 'b': case 'B': return 0;
    case 'k': case 'K': return 10;
    case 'm': case 'M': return 20;
    case 'g': case 'G': return 30;
    case 't': case 'T': return 40;
    case 'p': case 'P': return 50;
    case 'e': case 'E': return 60;
    default: return -1;
    }
}

bool text_to_size(const char *text, uint64_t suffix_bytes, uint64_t *ret_bytes)
{
    if (*text < '0' || *text > '9') {
        return false;
    }
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    char *end;
    errno = 0;
    /* Base 10 or 16 only: a size with a leading zero is not octal. */
    uint64_t whole = strtoull(text, &end, hex ? 16 : 10);
    if (errno) {
        return false;
    }
    uint64_t fraction = 0, scale = 1; /* fraction / scale; 18 digits tell about a byte of the largest unit, 2^60 */
    bool has_fraction = *end == '.' && !hex;
    if (has_fraction) {
        for (end++; *end >= '0' && *end <= '9'; end++) {
            if (scale < 1000000000000000000) {
                fraction = fraction * 10 + (uint64_t)(*end - '0');
                scale *= 10;
            }
        }
    }
    uint64_t mul = suffix_bytes;
    if (*end) {
        int shift = suffix_shift(*end);
        if (shift < 0 || end[1] || (hex && shift == 0)) {
            return false;
        }
        mul = (uint64_t)1 << shift;
    } else if (has_fraction && mul == 1) {
        return false;
    }
    uint64_t bytes;
    if (__builtin_mul_overflow(whole, mul, &bytes) ||
        __builtin_add_overflow(bytes, (uint64_t)((unsigned __int128)fraction * mul / scale), &bytes)) {
        return false;
    }
    *ret_bytes = bytes;
    return true;
}

bool parse_bool(const char *name, const char *text, bool *ret, Error **errp)
{
    if (!text_to_bool(text, ret)) {
        error_set(errp, "Parameter '%s' expects 'on' or 'off'", name);
        return false;
    }
    return true;
}

bool parse_uint(const char *name, const char *text, uint64_t max, uint64_t *ret, Error **errp)
{
    uint64_t value;

    if (!text_to_uint(text, &value)) {
        error_set(errp, "Parameter '%s' expects a number", name);
        return false;
    }
    if (value > max) {
        error_set(errp, "Parameter '%s' expects a number up to %" PRIu64, name, max);
        return false;
    }
    *ret = value;
    return true;
}

bool parse_size(const char *text, uint64_t *ret_bytes, Error **errp)
{
    if (!text_to_size(text, 1, ret_bytes)) {
        error_set(errp, "'%s' is not a size (a number with an optional suffix k, M, G, T, P or E)", text);
        return false;
    }
    return true;
}
