/*
 * options.c: -smbios: what the user wants in the tables, checked and kept.
 *
 * type=N with fields, or file=NAME with a ready-made structure. Fields of one type given in several options add up, the
 * last one counts; types 8, 9, 11 and 41 make another structure (or string) each time.
 */
#include <glib.h>
#include <stdio.h>

#include "hw/smbios/internal.h"
#include "softmmu/options.h"
#include "util/bits.h"

typedef struct FieldList {
    unsigned type;
    bool many;
    /* "key:kind": s string, n number, b on/off, u UUID, r release ("4.5") */
    const char *const *fields;
} FieldList;

#define FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
static const FieldList field_lists[] = {
    { 0, false, FIELDS("vendor:s", "version:s", "date:s", "release:r", "uefi:b", "vm:b") },
    { 1, false, FIELDS("manufacturer:s", "product:s", "version:s", "serial:s", "uuid:u", "sku:s", "family:s") },
    { 2, false, FIELDS("manufacturer:s", "product:s", "version:s", "serial:s", "asset:s", "location:s") },
    { 3, false, FIELDS("manufacturer:s", "version:s", "serial:s", "asset:s", "sku:s") },
    { 4, false, FIELDS("sock_pfx:s", "manufacturer:s", "version:s", "serial:s", "asset:s", "part:s", "max-speed:n",
                       "current-speed:n", "processor-family:n", "processor-id:n") },
    { 8, true, FIELDS("internal_reference:s", "external_reference:s", "connector_type:n", "port_type:n") },
    { 9, true, FIELDS("slot_designation:s", "slot_type:n", "slot_data_bus_width:n", "current_usage:n", "slot_length:n",
                      "slot_id:n", "slot_characteristics1:n", "slot_characteristics2:n", "pcidev:s") },
    { 11, true, FIELDS("value:s", "path:s") },
    { 17, false, FIELDS("loc_pfx:s", "bank:s", "manufacturer:s", "serial:s", "asset:s", "part:s", "speed:n") },
    { 41, true, FIELDS("designation:s", "kind:s", "instance:n", "pcidev:s") },
};

enum { HEADER_BYTES = 4, MAX_FILE_BYTES = 65535 };

static struct {
    Json *once[SMBIOS_N_TYPES];
    VEC(struct { unsigned type; Json *opts; }) many;
    VEC(char *) strings;
    VEC(struct { uint8_t *data; size_t len; }) files;
} given;

const Json *smbios_options(unsigned type)
{
    if (!given.once[type]) {
        given.once[type] = json_object();
    }
    return given.once[type];
}

const Json *smbios_options_at(unsigned type, size_t n)
{
    for (size_t i = 0; i < given.many.n; i++) {
        if (given.many.at[i].type == type && n-- == 0) {
            return given.many.at[i].opts;
        }
    }
    return NULL;
}

const char *smbios_oem_string(size_t n)
{
    return n < given.strings.n ? given.strings.at[n] : NULL;
}

const uint8_t *smbios_file(size_t n, size_t *ret_len)
{
    if (n >= given.files.n) {
        return NULL;
    }
    *ret_len = given.files.at[n].len;
    return given.files.at[n].data;
}

bool smbios_has_file(unsigned type)
{
    for (size_t i = 0; i < given.files.n; i++) {
        if (given.files.at[i].data[0] == type) {
            return true;
        }
    }
    return false;
}

bool smbios_parse_uuid(const char *text, uint8_t ret[16])
{
    uint8_t bytes[16];

    for (unsigned i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-') {
            return false;
        }
        unsigned value = 0;
        for (unsigned k = 0; k < 2; k++) {
            int digit = g_ascii_xdigit_value(*text++);
            if (digit < 0) {
                return false;
            }
            value = value << 4 | (unsigned)digit;
        }
        bytes[i] = (uint8_t)value;
    }
    if (*text) {
        return false;
    }
    memcpy(ret, bytes, 16);
    return true;
}

/* ---- file= ---- */

/* Header, formatted area, strings that end with two zeros; nothing else (6.1.2, 6.1.3). */
static bool check_structure(const uint8_t *data, size_t len, const char *path, Error **errp)
{
    if (len < HEADER_BYTES + 2 || data[1] < HEADER_BYTES || data[1] + 2u > len) {
        error_set(errp, "SMBIOS file %s does not hold a structure", path);
        return false;
    }
    size_t at = data[1];
    while (at + 1 < len && (data[at] || data[at + 1])) {
        at++;
    }
    if (at + 2 != len) {
        error_set(errp, "SMBIOS file %s does not end with its structure's strings", path);
        return false;
    }
    return true;
}

static bool add_file(const char *path, Error **errp)
{
    gchar *data;
    gsize len;

    if (!g_file_get_contents(path, &data, &len, NULL)) {
        error_set(errp, "Cannot read SMBIOS file %s", path);
        return false;
    }
    bool ok = len <= MAX_FILE_BYTES;
    if (!ok) {
        error_set(errp, "SMBIOS file %s is larger than %d bytes", path, MAX_FILE_BYTES);
    }
    ok = ok && check_structure((const uint8_t *)data, len, path, errp);
    if (ok && (given.once[(uint8_t)data[0]] || smbios_options_at((uint8_t)data[0], 0))) {
        error_set(errp, "SMBIOS type %d fields already specified, cannot add table file", (uint8_t)data[0]);
        ok = false;
    }
    if (ok) {
        vec_push(&given.files)->data = xmemdup(data, len);
        given.files.at[given.files.n - 1].len = len;
    }
    g_free(data);
    return ok;
}

/* ---- type= ---- */

static bool check_field(const Json *opts, const char *key, char kind, Error **errp)
{
    const char *text;
    uint8_t uuid[16];
    uint64_t number;
    unsigned major, minor;
    bool flag;
    char rest;

    if (kind == 'n') {
        return opts_uint(opts, key, 0, &number, errp);
    }
    if (kind == 'b') {
        return opts_bool(opts, key, false, &flag, errp);
    }
    if (!opts_string(opts, key, NULL, &text, errp)) {
        return false;
    }
    if (kind == 'u' && !smbios_parse_uuid(text, uuid)) {
        error_set(errp, "Invalid UUID");
        return false;
    }
    if (kind == 'r' && (sscanf(text, "%u.%u%c", &major, &minor, &rest) != 2 || major > 255 || minor > 255)) {
        error_set(errp, "Invalid release");
        return false;
    }
    return true;
}

static bool check_fields(const FieldList *list, const Json *opts, Error **errp)
{
    for (size_t i = 0; i < json_count(opts); i++) {
        const char *key = json_key_at(opts, i);
        char kind = 0;
        for (const char *const *f = list->fields; *f; f++) {
            size_t n = strlen(*f) - 2;
            kind = strlen(key) == n && !memcmp(*f, key, n) ? (*f)[n + 1] : kind;
        }
        if (!strcmp(key, "type")) {
            continue;
        }
        if (!kind) {
            error_set(errp, "Invalid parameter '%s'", key);
            return false;
        }
        if (!check_field(opts, key, kind, errp)) {
            return false;
        }
    }
    return true;
}

/* "value=" may be there several times, so the text is gone through again. */
static bool add_strings(const char *text, Error **errp)
{
    while (*text) {
        VEC(char) word = {0};
        while (*text && (*text != ',' || text[1] == ',')) {
            text += *text == ',';
            *vec_push(&word) = *text++;
        }
        text += *text == ',';
        *vec_push(&word) = 0;
        bool ok = true;
        if (!strncmp(word.at, "value=", 6)) {
            *vec_push(&given.strings) = xstrdup(word.at + 6);
        } else if (!strncmp(word.at, "path=", 5)) {
            gchar *data;
            ok = g_file_get_contents(word.at + 5, &data, NULL, NULL);
            if (ok) {
                *vec_push(&given.strings) = xstrdup(data); /* up to the first zero byte */
                g_free(data);
            } else {
                error_set(errp, "Unable to read OEM string file %s", word.at + 5);
            }
        }
        vec_free(&word);
        if (!ok) {
            return false;
        }
    }
    return true;
}

bool smbios_add_option(const Json *opts, const char *text, Error **errp)
{
    const char *file = json_get_string(opts, "file");
    const FieldList *list = NULL;
    uint64_t type;

    if (file) {
        static const char *const known[] = { "file", NULL };
        return opts_check(opts, "smbios", known, errp) && add_file(file, errp);
    }
    if (!opts_is_set(opts, "type")) {
        error_set(errp, "Must specify type= or file=");
        return false;
    }
    if (!opts_uint(opts, "type", 0, &type, errp)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(field_lists); i++) {
        list = field_lists[i].type == type ? &field_lists[i] : list;
    }
    if (!list) {
        error_set(errp, "Don't know how to build fields for SMBIOS type %" PRIu64, type);
        return false;
    }
    if (smbios_has_file((unsigned)type)) {
        error_set(errp, "SMBIOS type %" PRIu64 " file already specified, cannot build table from fields", type);
        return false;
    }
    if (!check_fields(list, opts, errp)) {
        return false;
    }
    if (type == 11) {
        return add_strings(text, errp);
    }
    if (list->many) {
        vec_push(&given.many)->type = (unsigned)type;
        given.many.at[given.many.n - 1].opts = json_copy(opts);
        return true;
    }
    smbios_options((unsigned)type);
    for (size_t i = 0; i < json_count(opts); i++) {
        json_drop(given.once[type], json_key_at(opts, i));
        json_put(given.once[type], json_key_at(opts, i), json_copy(json_at(opts, i)));
    }
    return true;
}
