/*
 * parse.h: text that users write (options, properties, monitor commands) to values.
 *
 * Nothing is stored where false is returned. All text is used or none: there is no value with something behind it.
 *
 * Threads: any.
 */
#ifndef UTIL_PARSE_H
#define UTIL_PARSE_H

#include "util/error.h"

/* on, yes, true, y; off, no, false, n. */
NODISCARD bool text_to_bool(const char *text, bool *ret);
/* Decimal, 0x… or octal behind a zero, without sign or blanks. */
NODISCARD bool text_to_uint(const char *text, uint64_t *ret);
NODISCARD bool text_to_int(const char *text, int64_t *ret); /* the same, with a sign allowed */
/* 4G, 512M, 1.5k, 0x1000: units of 1024; a number without a letter is multiplied by `suffix_bytes`. */
NODISCARD bool text_to_size(const char *text, uint64_t suffix_bytes, uint64_t *ret_bytes);

/* The same with a message; `name` is the parameter's. */
NODISCARD bool parse_bool(const char *name, const char *text, bool *ret, Error **errp);
NODISCARD bool parse_uint(const char *name, const char *text, uint64_t max, uint64_t *ret, Error **errp);
NODISCARD bool parse_size(const char *text, uint64_t *ret_bytes, Error **errp);

#endif
