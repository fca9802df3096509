/* The helpers of util/: errors, arenas, bit fields, log options. */
#include "tests/test.h"
#include "util/alloc.h"
#include "util/bits.h"
#include "util/error.h"
#include "util/log.h"

static void test_errors(void)
{
    Error *err = NULL;
    error_set_errno(&err, 2, "cannot open '%s'", "x.img");
    CHECK(!strcmp(error_message(err), "cannot open 'x.img': No such file or directory"));
    error_prepend(&err, "drive %d: ", 3);
    CHECK(!strcmp(error_message(err), "drive 3: cannot open 'x.img': No such file or directory"));
    Error *other = NULL;
    error_propagate(&other, err);
    CHECK(other == err);
    error_free(other);
    error_set(NULL, "ignored");
    err = NULL;
    error_set(&err, "no '%s'", "two\nlines\33[2J");
    CHECK(!strcmp(error_message(err), "no 'two?lines?[2J'"));
    error_free(err);
}

static void test_bits(void)
{
    CHECK_EQ(bits_mask(0, 64), ~0ull);
    CHECK_EQ(bits_get(0xabcd1234, 8, 12), 0xd12);
    CHECK_EQ(bits_get_signed(0xf0, 4, 4), -1);
    CHECK_EQ(bits_set(0xffff, 4, 8, 0), 0xf00f);
    CHECK_EQ(bits_sext(0x80000000, 32), 0xffffffff80000000);
    uint8_t raw[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    CHECK_EQ(ldbe32(raw), 0x01020304);
    CHECK_EQ(ldle64(raw), 0x0807060504030201);
}

static void test_arena(void)
{
    Arena arena;
    arena_init(&arena);
    for (int round = 0; round < 3; round++) {
        char *prev = NULL;
        for (int i = 0; i < 1000; i++) {
            char *p = arena_alloc(&arena, 1000);
            memset(p, i, 1000);
            CHECK(((uintptr_t)p & 15) == 0);
            CHECK(!prev || prev[999] == (char)(i - 1));
            prev = p;
        }
        CHECK(arena_alloc(&arena, 1 << 20) != NULL);
        arena_reset(&arena);
    }
    arena_finish(&arena);
    VEC(int) v = {0};
    for (int i = 0; i < 100; i++) {
        *vec_push(&v) = i;
    }
    CHECK(v.n == 100 && v.at[99] == 99);
    vec_free(&v);
}

static void test_log(void)
{
    Error *err = NULL;
    CHECK(log_set_items("in_asm,op", &err) && log_mask == (LOG_IN_ASM | LOG_OP));
    CHECK(!log_set_items("in_asm,nonsense", &err));
    error_free(err);
    err = NULL;
    CHECK(log_set_filter("0x1000..0x1fff,0x8000+0x10", &err));
    CHECK(log_in_filter(0x1abc) && log_in_filter(0x800f) && !log_in_filter(0x8010));
    CHECK(!log_set_filter("10..", &err));
    error_free(err);
}

int main(void)
{
    test_errors();
    test_bits();
    test_arena();
    test_log();
    return test_result();
}
