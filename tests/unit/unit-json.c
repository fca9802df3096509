/* util/json: values, parser limits and errors, printer round trips, streams. */
#include "tests/test.h"
#include "util/alloc.h"
#include "util/json.h"

static void check_round_trip(const char *in, const char *out)
{
    Error *err = NULL;
    Json *json = json_parse_string(in, &err);
    CHECK(json);
    if (!json) {
        fprintf(stderr, "  %s: %s\n", in, error_message(err));
        error_free(err);
        return;
    }
    char *text = json_print(json);
    CHECK(!strcmp(text, out));
    if (strcmp(text, out)) {
        fprintf(stderr, "  %s -> %s, expected %s\n", in, text, out);
    }
    Json *again = json_parse_string(text, NULL);
    CHECK(again && json_equal(json, again));
    Json *copy = json_copy(json);
    CHECK(json_equal(json, copy));
    char *pretty = json_print_pretty(json);
    json_free(again);
    again = json_parse_string(pretty, NULL);
    CHECK(again && json_equal(json, again));
    free(pretty);
    json_free(copy);
    json_free(again);
    free(text);
    json_free(json);
}

static void check_bad(const char *in, const char *part)
{
    Error *err = NULL;
    Json *json = json_parse_string(in, &err);
    CHECK(!json && err && strstr(error_message(err), part));
    if (err && !strstr(error_message(err), part)) {
        fprintf(stderr, "  %s: %s\n", in, error_message(err));
    }
    error_free(err);
    json_free(json);
}

static void test_values(void)
{
    check_round_trip("{}", "{}");
    check_round_trip(" [ 1,2 , -3 ] ", "[1, 2, -3]");
    check_round_trip("18446744073709551615", "18446744073709551615");
    check_round_trip("-9223372036854775808", "-9223372036854775808");
    check_round_trip("1e3", "1000.0");
    check_round_trip("0.1", "0.1");
    check_round_trip("184467440737095516160", "1.844674407370955e+20");
    check_round_trip("{'a': 'b\\'c\"', \"\\u00e9\": \"\\ud83d\\ude00\"}",
                     "{\"a\": \"b'c\\\"\", \"\xc3\xa9\": \"\xf0\x9f\x98\x80\"}");
    check_round_trip("\"\\b\\f\\n\\r\\t\\u001f/\"", "\"\\b\\f\\n\\r\\t\\u001f/\"");
    check_round_trip("[true,false,null]", "[true, false, null]");
}

static void test_errors(void)
{
    check_bad("", "expected a value");
    check_bad("[1,]", "expected a value");
    check_bad("{\"a\":1,}", "expected a string as key");
    check_bad("{\"a\" 1}", "expected ':'");
    check_bad("{\"a\":1,\"a\":2}", "duplicate key");
    check_bad("01", "starts with zero");
    check_bad("1.", "expected a digit");
    check_bad("1e999", "out of range");
    check_bad("nil", "invalid keyword 'nil'");
    check_bad("\"\\u0000\"", "NUL");
    check_bad("\"\\ud800\"", "surrogate");
    check_bad("\"\xc0\x80\"", "UTF-8");
    check_bad("\"\xed\xa0\x80\"", "UTF-8");
    check_bad("\"a", "not closed");
    check_bad("1 2", "after the value");
    char deep[3000];
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = 0;
    check_bad(deep, "nesting too deep");
}

static void test_object(void)
{
    Json *o = json_object();
    char key[16];
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        json_put_int(o, key, i);
    }
    for (int i = 0; i < 5000; i += 7) {
        snprintf(key, sizeof(key), "k%d", i);
        CHECK_EQ(json_get_int(o, key, -1), i);
    }
    CHECK(!json_get(o, "k5000"));
    json_put_string(o, "k3", "three");
    CHECK(!strcmp(json_get_string(o, "k3"), "three"));
    CHECK_EQ(json_count(o), 5000);
    json_drop(o, "k2");
    CHECK(!json_get(o, "k2") && json_get(o, "k4999"));
    CHECK(!strcmp(json_key_at(o, 2), "k3"));
    json_free(o);
}

typedef struct Seen {
    int values, errors;
    char last[100];
} Seen;

static void found(void *opaque, Json *json, Error *err)
{
    Seen *seen = opaque;
    if (err) {
        seen->errors++;
    } else {
        seen->values++;
        char *text = json_print(json);
        snprintf(seen->last, sizeof(seen->last), "%s", text);
        free(text);
    }
    error_free(err);
    json_free(json);
}

static void test_stream(void)
{
    static const char text[] = "{\"a\": [1,2,\"}\"]}\n[] 12 \"x\\\"y\" {'b':2}{'c':3} } {]} {\"d\": tru}\n{'e':5}";
    for (size_t step = 1; step < sizeof(text); step++) {
        Seen seen = {0};
        JsonStream stream;
        json_stream_init(&stream, found, &seen);
        for (size_t i = 0; i < sizeof(text) - 1; i += step) {
            json_stream_feed(&stream, text + i, MIN(step, sizeof(text) - 1 - i));
        }
        CHECK_EQ(seen.values, 7);
        CHECK_EQ(seen.errors, 3);
        CHECK(!strcmp(seen.last, "{\"e\": 5}"));
        json_stream_finish(&stream);
    }
    Seen seen = {0};
    JsonStream stream;
    json_stream_init(&stream, found, &seen);
    stream.max_bytes = 100;
    json_stream_feed(&stream, "[\"", 2);
    for (int i = 0; i < 1000; i++) {
        json_stream_feed(&stream, "x", 1);
    }
    json_stream_feed(&stream, "\"]{'f':6}", 9);
    CHECK(seen.errors == 1 && seen.values == 1 && !strcmp(seen.last, "{\"f\": 6}"));
    json_stream_finish(&stream);
}

int main(void)
{
    test_values();
    test_errors();
    test_object();
    test_stream();
    return test_result();
}
