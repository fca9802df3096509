/*
 * fuzz-json.c: JSON texts: what parses prints and parses again to the same value; a stream finds in
 * pieces what it finds in one go; nothing crashes.
 */
#include <stdio.h>
#include <stdlib.h>
#include "tests/fuzz/fuzz.h"
#include "util/alloc.h"
#include "util/json.h"

const char *const fuzz_seeds[] = {
    "{\"execute\": \"qom-get\", \"arguments\": {\"path\": \"/\", \"n\": [1, -2, 3.5e2, true, null]}}",
    "[[[[[[]]]]], {}, {\"a\": {\"b\": {\"c\": []}}}]",
    "'single' \"\\u00e9\\ud83d\\ude00\\n\" 18446744073709551615 -9223372036854775808",
    "{'a': 1e308, 'b': 0.1, 'c': 12345678901234567890123}",
    "{\"a\":1}{\"b\":2}\n[3]",
    NULL
};
const char *const fuzz_words[] = {
    "\"", "'", "\\", "\\u", "d800", "{", "}", "[", "]", ",", ":", "-", "0", "1e", "true", "null", "\n",
    "\xc3\xa9", "\xff", "\"a\": ", NULL
};

typedef struct Found {
    unsigned values, errors;
    uint64_t hash;
} Found;

static void require(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz-json: %s\n", what);
        abort();
    }
}

static void found(void *opaque, Json *json, Error *err)
{
    Found *f = opaque;
    f->values += json != NULL;
    f->errors += err != NULL;
    require(!json != !err, "a value or an error");
    char *text = json ? json_print(json) : xstrdup(error_message(err));
    for (const char *p = text; *p; p++) {
        f->hash = (f->hash ^ (uint8_t)*p) * 0x100000001b3u;
    }
    free(text);
    json_free(json);
    error_free(err);
}

static Found stream(const uint8_t *data, size_t size, size_t step)
{
    Found f = {0};
    JsonStream s;
    json_stream_init(&s, found, &f);
    for (size_t i = 0; i < size; i += step) {
        json_stream_feed(&s, (const char *)data + i, MIN(step, size - i));
    }
    json_stream_finish(&s);
    return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Error *err = NULL;
    Json *json = json_parse((const char *)data, size, &err);
    require(!json != !err, "a value or an error from json_parse");
    if (json) {
        char *text = json_print(json), *pretty = json_print_pretty(json);
        Json *again = json_parse_string(text, NULL), *third = json_parse_string(pretty, NULL);
        Json *copy = json_copy(json);
        require(again && json_equal(json, again), "printed text is the same value");
        require(third && json_equal(json, third), "indented text is the same value");
        require(json_equal(json, copy), "a copy is equal");
        free(text);
        free(pretty);
        json_free(again);
        json_free(third);
        json_free(copy);
    }
    json_free(json);
    error_free(err);
    Found whole = stream(data, size, size ? size : 1);
    Found bytes = stream(data, size, 1);
    require(whole.values == bytes.values && whole.errors == bytes.errors && whole.hash == bytes.hash,
            "a stream does not depend on how it is cut");
    return 0;
}
