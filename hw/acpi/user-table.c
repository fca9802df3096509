/*
 * user-table.c: -acpitable: tables of the user's.
 *
 * data=FILE[:FILE…] is the body of a table whose header comes from the other parameters; file=FILE[:FILE…] is a whole
 * table whose header they change.
 */
#include <glib.h>

#include "hw/acpi/internal.h"
#include "softmmu/options.h"
#include "util/bits.h"

enum { HEADER_BYTES = 36, MAX_BYTES = 16 * 1024 * 1024, MAX_TABLES = 32 };

static VEC(Aml) tables;

size_t acpi_user_tables(const Aml **ret)
{
    *ret = tables.at;
    return tables.n;
}

static bool append_files(Aml *a, const char *list, Error **errp)
{
    char **paths = g_strsplit(list, ":", -1);
    bool ok = true;

    for (char **p = paths; *p && ok; p++) {
        gchar *data;
        gsize len;
        GError *err = NULL;
        if (!g_file_get_contents(*p, &data, &len, &err)) {
            error_set(errp, "can't open file %s: %s", *p, err->message);
            g_error_free(err);
            ok = false;
            break;
        }
        if (a->bytes.n + len > MAX_BYTES) {
            error_set(errp, "ACPI table %s is larger than %d bytes", list, MAX_BYTES);
            ok = false;
        } else {
            aml_raw(a, data, len);
        }
        g_free(data);
    }
    g_strfreev(paths);
    return ok;
}

static void put_text(uint8_t *at, size_t len, const char *text)
{
    if (text) {
        size_t n = MIN(strlen(text), len);
        memset(at, 0, len);
        memcpy(at, text, n);
    }
}

static bool put_number(const Json *opts, const char *key, uint8_t *at, unsigned size, Error **errp)
{
    uint64_t value;

    if (!opts_is_set(opts, key)) {
        return true;
    }
    if (!opts_uint(opts, key, 0, &value, errp)) {
        return false;
    }
    for (unsigned i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
    return true;
}

bool acpi_add_user_table(const Json *opts, Error **errp)
{
    const char *data = json_get_string(opts, "data"), *file = json_get_string(opts, "file");
    Aml a = {0};

    if (!data == !file) {
        error_set(errp, "'-acpitable' requires one of 'data' or 'file'");
        return false;
    }
    if (tables.n == MAX_TABLES) {
        error_set(errp, "more than %d -acpitable tables", MAX_TABLES);
        return false;
    }
    if (data) {
        acpi_header(&a, "QEMU", 1, "BOCHS ", "BXPC    ");
    }
    if (!append_files(&a, data ? data : file, errp)) {
        aml_free(&a);
        return false;
    }
    if (a.bytes.n < HEADER_BYTES) {
        error_set(errp, "ACPI table %s is shorter than a table header", file);
        aml_free(&a);
        return false;
    }
    uint8_t *t = a.bytes.at;
    put_text(t, 4, json_get_string(opts, "sig"));
    put_text(t + 10, 6, json_get_string(opts, "oem_id"));
    put_text(t + 16, 8, json_get_string(opts, "oem_table_id"));
    put_text(t + 28, 4, json_get_string(opts, "asl_compiler_id"));
    if (!put_number(opts, "rev", t + 8, 1, errp) || !put_number(opts, "oem_rev", t + 24, 4, errp) ||
        !put_number(opts, "asl_compiler_rev", t + 32, 4, errp)) {
        aml_free(&a);
        return false;
    }
    t[9] = 0; /* made by firmware */
    *vec_push(&tables) = a;
    return true;
}
