/* softmmu/options-list.c: key=value lists, typed access, sizes. */
#include <stdlib.h>
#include "softmmu/options.h"
#include "tests/test.h"
#include "util/parse.h"

static void test_lists(void)
{
    Json *o = opts_parse("virtio-blk-pci,drive=d0,a=x,,y,readonly,nowait,serial=", "driver", NULL);
    CHECK(!strcmp(json_get_string(o, "driver"), "virtio-blk-pci"));
    CHECK(!strcmp(json_get_string(o, "a"), "x,y"));
    CHECK(!strcmp(json_get_string(o, "readonly"), "on"));
    CHECK(!strcmp(json_get_string(o, "wait"), "off"));
    CHECK(!strcmp(json_get_string(o, "serial"), ""));
    char *text = opts_print(o);
    CHECK(!strcmp(text, "driver=virtio-blk-pci,drive=d0,a=x,,y,readonly=on,wait=off,serial="));
    free(text);
    bool b;
    CHECK(opts_bool(o, "wait", true, &b, NULL) && !b);
    CHECK(opts_bool(o, "absent", true, &b, NULL) && b);
    Error *err = NULL;
    CHECK(!opts_bool(o, "drive", true, &b, &err) && strstr(error_message(err), "'drive'"));
    error_free(err);
    static const char *const known[] = { "driver", "drive", NULL };
    err = NULL;
    CHECK(!opts_check(o, "-device", known, &err) && strstr(error_message(err), "'a'"));
    error_free(err);
    json_free(o);

    o = opts_parse("{\"driver\": \"x\", \"n\": 5, \"b\": true, \"s\": 4096}", "driver", NULL);
    uint64_t n;
    CHECK(o && opts_uint(o, "n", 0, &n, NULL) && n == 5);
    CHECK(opts_bool(o, "b", false, &b, NULL) && b);
    CHECK(opts_size(o, "s", 0, &n, NULL) && n == 4096);
    CHECK(!opts_size(o, "b", 0, &n, NULL));
    json_free(o);
    CHECK(!opts_parse("=x", NULL, NULL));
    CHECK(!opts_parse("{\"a\":", NULL, NULL));

    o = opts_parse("driver=qcow2,file.driver=file,file.filename=a.b,list.0=x,list.1=y", NULL, NULL);
    CHECK(opts_nest(o, NULL));
    text = json_print(o);
    CHECK(!strcmp(text, "{\"driver\": \"qcow2\", \"file\": {\"driver\": \"file\", "
                        "\"filename\": \"a.b\"}, \"list\": [\"x\", \"y\"]}"));
    free(text);
    json_free(o);
    o = opts_parse("a=1,a.b=2", NULL, NULL);
    CHECK(!opts_nest(o, NULL));
    json_free(o);
}

static void check_size(const char *text, uint64_t suffix, bool ok, uint64_t bytes)
{
    uint64_t v = 0;
    CHECK(text_to_size(text, suffix, &v) == ok);
    if (ok) {
        CHECK_EQ(v, bytes);
    }
}

static void test_sizes(void)
{
    check_size("4G", MiB, true, 4 * GiB);
    check_size("512", MiB, true, 512 * MiB);
    check_size("1.5k", 1, true, 1536);
    check_size("0.1k", 1, true, 102);
    check_size("1.9999999999999999999999k", 1, true, 2047);
    check_size("0x1000", 1, true, 4096);
    check_size("010", 1, true, 10);
    check_size("17E", 1, false, 0);
    check_size("15E", 1, true, 15ull << 60);
    check_size("1x", 1, false, 0);
    check_size("-1", 1, false, 0);
    check_size("", 1, false, 0);
    check_size("1GB", 1, false, 0);
    int64_t i;
    CHECK(text_to_int("-9223372036854775808", &i) && i == INT64_MIN);
    CHECK(!text_to_int("9223372036854775808", &i));
    CHECK(options_id_ok("a-1_.") && !options_id_ok("1a") && !options_id_ok("") &&
          !options_id_ok("a b"));
}

int main(void)
{
    test_lists();
    test_sizes();
    return test_result();
}
