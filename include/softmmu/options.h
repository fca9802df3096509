/*
 * options.h: key=value lists, typed access to them, and sizes.
 *
 * An option list is a Json object. From "a=1,b=on,path=x,,y" every value is a
 * string ("x,y": a doubled comma is a comma); from {"a": 1, "b": true} values
 * have types. The getters below take both, so whoever reads options need not
 * know where they come from. A word without '=' is "word": "on", "noword" is
 * "word": "off" (only in flag position, not for the first word when the list
 * has an implied key).
 *
 * Errors are one line and name the key. Outputs are untouched on failure.
 */
#ifndef SOFTMMU_OPTIONS_H
#define SOFTMMU_OPTIONS_H

#include "util/json.h"

/*
 * Text that starts with '{' is JSON. `implied_key` (may be NULL) is the key of
 * a first word without '='. NULL with an error if the text is malformed.
 */
Json *opts_parse(const char *text, const char *implied_key, Error **errp);
/* "a.b=1" puts {"a": {"b": "1"}}; used by -blockdev, -netdev. In place. */
bool opts_nest(Json *opts, Error **errp);

/* A key that is absent leaves *ret at `fallback` and is no error. */
bool opts_string(const Json *opts, const char *key, const char *fallback, const char **ret,
                 Error **errp);
bool opts_bool(const Json *opts, const char *key, bool fallback, bool *ret, Error **errp);
bool opts_int(const Json *opts, const char *key, int64_t fallback, int64_t *ret, Error **errp);
bool opts_uint(const Json *opts, const char *key, uint64_t fallback, uint64_t *ret, Error **errp);
/* 4G, 512M, 1.5k, 0x1000, …; a plain number is bytes. */
bool opts_size(const Json *opts, const char *key, uint64_t fallback_bytes, uint64_t *ret_bytes,
               Error **errp);
/* Refuses the first key that is not in `known` (NULL-terminated). `what` names the list. */
bool opts_check(const Json *opts, const char *what, const char *const *known, Error **errp);
bool opts_is_set(const Json *opts, const char *key);
/* True if the list asks for help: "help" or "?" as key or as value of `key` (may be NULL). */
bool opts_wants_help(const Json *opts, const char *key);

/* An id as -device and friends take it: a letter, then letters, digits, '-', '.', '_'. */
bool options_id_ok(const char *id);
/* Back from a list to "a=1,b=x,,y"; caller's, freed with free(). */
char *opts_print(const Json *opts);

#endif
