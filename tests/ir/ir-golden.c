/*
 * ir-golden.c: text in, folded text out. Usage: ir-golden FILE…
 *
 * A file holds cases: lines up to "=>" are a unit as the parser takes it, lines up to "----" are what the
 * builder makes of it. Lines before the first "unit" that begin with # are comments. Each unit must
 * also pass the verifier, print as it was read, and parse again.
 * With EMU_GOLDEN_UPDATE set the actual result is printed for every case that differs.
 */
#include "ir-rebuild.h"
#include "ir-target.h"
#include "tests/test.h"

noreturn void vcpu_raise(Vcpu *vcpu, int32_t cause, uint64_t value) { abort(); }
noreturn void vcpu_loop_exit(Vcpu *vcpu, VcpuExit reason) { abort(); }

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    if (!f) {
        fprintf(stderr, "cannot open %s\n", path);
        exit(1);
    }
    if (getdelim(&text, &size, '\0', f) < 0) {
        text = xstrdup("");
    }
    fclose(f);
    return text;
}

static char *printed(const IrUnit *unit)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    ir_print(f, unit);
    fclose(f);
    return text;
}

static bool parses(IrUnit *unit, const char *text, const char *where)
{
    Error *err = NULL;

    if (ir_parse(unit, text, &err) && ir_verify(unit, &err)) {
        return true;
    }
    fprintf(stderr, "%s: %s\n", where, error_message(err));
    error_free(err);
    return false;
}

static void one_case(const char *where, const char *in, const char *out)
{
    IrUnit raw, folded;
    IrBuilder b;
    Error *err = NULL;

    ir_unit_init(&raw);
    ir_unit_init(&folded);
    ir_builder_init(&b, &folded);
    raw.target = &test_target;
    bool ok = parses(&raw, in, where);
    CHECK(ok);
    if (ok) {
        b.all_insns = true;
        ir_rebuild(&b, &raw);
        ok = ir_verify(&folded, &err);
        CHECK(ok);
        char *text = printed(&folded);
        if (!ok) {
            fprintf(stderr, "%s: %s\n", where, error_message(err));
            error_free(err);
        }
        ok = !strcmp(text, out);
        CHECK(ok);
        if (!ok) {
            fprintf(stderr, "%s: folded unit differs; it is\n%s", where, text);
        }
        CHECK(parses(&raw, text, where));
        char *again = printed(&raw);
        CHECK(!strcmp(text, again));
        free(again);
        free(text);
    }
    ir_builder_finish(&b);
    ir_unit_finish(&raw);
    ir_unit_finish(&folded);
}

static void one_file(const char *path)
{
    char *text = read_file(path), *p = text;
    unsigned n = 0;

    while ((p = strstr(p, "unit"))) {
        char *arrow = strstr(p, "\n=>\n"), *end = arrow ? strstr(arrow, "\n----\n") : NULL;
        if (!end) {
            fprintf(stderr, "%s: case %u has no => or ----\n", path, n);
            test_failures++;
            break;
        }
        arrow[1] = '\0';
        end[1] = '\0';
        char *where = xasprintf("%s, case %u", path, n++);
        one_case(where, p, arrow + 4);
        free(where);
        p = end + 5;
    }
    free(text);
}

static void bad_texts(void)
{
    static const char *const bad[] = {
        "", "b0 merge:\n", "b0 merge:\n  frob\n", "b0 merge:\n  v0 = add.i64 v1, v2\n", "add.i64 1, 2\n",
        "b0 merge:\n v0 = get.i64 nosuch\n", "b0 merge:\n v9999999999 = get.i64 x0\n",
        "b0 merge:\n exit.jump pc=0x10 junk\n", "b0 merge:\n trap\nb0 merge:\n trap\n",
        "b99999 merge:\n trap\n", "b0 merge:\n st.i64 [0] u65, 0\n", "b0 merge:\n brcond.i64.eq 0, 0, b1\n",
        "b0 merge:\n call.void nosuch()\n", "b0 merge:\n v0 = ld.i64 [v0", "unit frob\n",
        "b0 merge:\n v0 = call.i64 mix(1, 2, 3, 4, 5, 6, 7, 8)\n", "b0 merge:\n v0 = vand.v128 {1, 2, 3\n",
    };
    IrUnit unit;

    ir_unit_init(&unit);
    unit.target = &test_target;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        Error *err = NULL;
        CHECK(!ir_parse(&unit, bad[i], &err));
        CHECK(err);
        error_free(err);
    }
    ir_unit_finish(&unit);
}

int main(int argc, char **argv)
{
    bad_texts();
    for (int i = 1; i < argc; i++) {
        one_file(argv[i]);
    }
    return test_result();
}
