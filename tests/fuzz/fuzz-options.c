/*
 * fuzz-options.c: option lists and values: what parses prints and parses again to the same list.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include "softmmu/options.h"
#include "tests/fuzz/fuzz.h"
#include "util/alloc.h"
#include "util/parse.h"

const char *const fuzz_seeds[] = {
    "virtio-blk-pci,drive=d0,id=x,bootindex=1", "driver=qcow2,file.driver=file,file.filename=a,,b,list.0=x",
    "{\"driver\": \"x\", \"a\": {\"b\": [1, true]}}", "size=4G,slots=2,maxmem=0x100000", "on,nofoo,bar=off",
    "a.b.c=1,a.b.d=2,a.e=3", "123", "1.5k", "-9223372036854775808", NULL
};
const char *const fuzz_words[] = { ",", ",,", "=", ".", "0.", "no", "{", "}", "help", "on", "off", "K", "0x",
                                   "18446744073709551615", "999999999999999999999", NULL };

static void require(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz-options: %s\n", what);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xstrndup((const char *)data, size);
    uint64_t u;
    int64_t i;
    bool b;
    if (text_to_size(text, 1, &u) && !strpbrk(text, "kKmMgGtTpPeEbBxX.")) {
        char again[32];
        uint64_t v;
        snprintf(again, sizeof(again), "%" PRIu64, u);
        require(text_to_size(again, 1, &v) && u == v, "a size is stable");
    }
    require(!text_to_size(text, 1 << 20, &u) || isdigit((unsigned char)*text), "a size begins with a digit");
    require(!text_to_uint(text, &u) || u > INT64_MAX || (text_to_int(text, &i) && (uint64_t)i == u), "a number is a signed one");
    require(!text_to_bool(text, &b) || isalpha((unsigned char)*text), "a truth value is a word");
    options_id_ok(text);
    Error *err = NULL;
    Json *opts = opts_parse(text, "driver", &err);
    require(!opts != !err, "a list or an error");
    error_free(err);
    if (opts) {
        if (*text != '{') {
            char *printed = opts_print(opts);
            Json *again = opts_parse(printed, NULL, NULL);
            /* A key with a comma cannot be: words with doubled commas become keys only here. */
            bool odd_key = false;
            for (size_t k = 0; k < json_count(opts); k++) {
                odd_key |= strchr(json_key_at(opts, k), ',') || strchr(json_key_at(opts, k), '=') ||
                           !*json_key_at(opts, k);
            }
            require(odd_key || *printed == '{' || (again && json_equal(opts, again)), "a printed list is the same list");
            json_free(again);
            free(printed);
        }
        for (size_t k = 0; k < json_count(opts); k++) {
            const char *key = json_key_at(opts, k), *s;
            opts_string(opts, key, NULL, &s, NULL);
            opts_bool(opts, key, false, &b, NULL);
            opts_int(opts, key, 0, &i, NULL);
            opts_uint(opts, key, 0, &u, NULL);
            opts_size(opts, key, 0, &u, NULL);
        }
        opts_wants_help(opts, "driver");
        opts_nest(opts, NULL);
        json_free(opts);
    }
    free(text);
    return 0;
}
