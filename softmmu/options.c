/*
 * options.c: the table of the command line: parsing, help, introspection,
 * configuration files (-readconfig, -writeconfig, -set).
 */
#include <errno.h>
#include <stdio.h>
#include "softmmu/options.h"
#include "softmmu/options-priv.h"
#include "softmmu/system.h"
#include "softmmu/version.h"

typedef struct OptionRow {
    const char *name, *other;
    OptionKind kind;
    const char *implied, *params, *arg, *help;
    const char *heading; /* a title instead of an option */
    OptionId id;
} OptionRow;

static const OptionRow rows[] = {
#define HEADING(title) { .heading = title },
#define OPTION(id, name, other, kind, implied, params, arg, help) \
    { name, other, OPTION_KIND_##kind, implied, params, arg, help, NULL, OPTION_##id },
#include "softmmu/options-table.def"
#undef OPTION
#undef HEADING
};

/* Options of the reference that are not here; names only. */
static const char *const absent_names[] = {
    "async-teardown", "audio-help", "compat",
    "dump-vmstate", "enable-sync-profile", "fsdev", "full-screen",
    "g", "incoming", "iscsi", "loadvm", "mtdblock",
    "no-kvm", "no-kvm-irqchip", "old-param",
    "only-migratable", "plugin", "portrait", "preconfig", "prom-env",
    "rotate", "soundhw", "spice",
    "tb-size", "tdf", "tpmdev", "virtfs", "win2k-hack", "xen-attach",
    "xen-domid", "xen-domid-restrict",
};

static const OptionRow *row_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const OptionRow *r = &rows[i];
        if (r->name && (!strcmp(r->name, name) || (r->other && !strcmp(r->other, name)))) {
            return r;
        }
    }
    return NULL;
}

static const OptionRow *row_of(OptionId id)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].name && rows[i].id == id) {
            return &rows[i];
        }
    }
    return NULL;
}

/* ---- parameters of lists ---- */

/* The kind letter of `key`, 0 if it is not there; *ret_open: others are allowed. */
static char param_kind(const OptionRow *row, const char *key, bool *ret_open)
{
    *ret_open = !*row->params;
    for (const char *p = row->params; *p;) {
        size_t len = strcspn(p, " "), name = strcspn(p, ": ");
        if (*p == '*') {
            *ret_open = true;
        } else if (!strncmp(p, key, name) && !key[name]) {
            return p[name + 1];
        }
        p += len + (p[len] == ' ');
    }
    return 0;
}

static bool check_params(const OptionRow *row, const Json *opts, Error **errp)
{
    for (size_t i = 0; i < json_count(opts); i++) {
        const char *key = json_key_at(opts, i);
        bool open, on;
        int64_t number;
        uint64_t size;
        char kind = param_kind(row, key, &open);
        if (!kind && !open) {
            error_set(errp, "Invalid parameter '%s'", key);
            return false;
        }
        if ((kind == 'b' && !opts_bool(opts, key, false, &on, errp)) ||
            (kind == 'n' && !opts_int(opts, key, 0, &number, errp))) {
            return false;
        }
        /* -m counts in MiB, so its bare numbers are checked where they are used. */
        if (kind == 'z' && row->id != OPTION_M && !opts_size(opts, key, 0, &size, errp)) {
            return false;
        }
    }
    return true;
}

bool options_print_params(OptionId id, PrintFn *print, void *opaque)
{
    const OptionRow *row = row_of(id);
    if (row->kind != OPTION_KIND_LIST || !*row->params || *row->params == '*') {
        return false;
    }
    print_fmt(print, opaque, "-%s options:\n", row->name);
    for (const char *p = row->params; *p && *p != '*';) {
        size_t len = strcspn(p, " "), name = strcspn(p, ": ");
        char kind = p[name + 1];
        print_fmt(print, opaque, "  %.*s=<%s>\n", (int)name, p, kind == 'b' ? "bool (on/off)" : kind == 'n' ? "num" : kind == 'z' ? "size" : "str");
        p += len + (p[len] == ' ');
    }
    return true;
}

static Json *describe_row(const OptionRow *row)
{
    Json *item = json_object(), *params = json_array();
    for (const char *p = row->params; *p && *p != '*';) {
        size_t len = strcspn(p, " "), name = strcspn(p, ": ");
        char kind = p[name + 1];
        Json *param = json_object();
        json_put(param, "name", json_stringn(p, name));
        json_put_string(param, "type", kind == 'b'   ? "boolean"
                                       : kind == 'n' ? "number"
                                       : kind == 'z' ? "size"
                                                     : "string");
        json_push(params, param);
        p += len + (p[len] == ' ');
    }
    json_put(item, "parameters", params);
    json_put_string(item, "option", row->id == OPTION_M ? "memory"
                                    : row->id == OPTION_SMP ? "smp-opts"
                                    : row->id == OPTION_BOOT ? "boot-opts"
                                                             : row->name);
    return item;
}

Json *system_describe_options(const char *name, Error **errp)
{
    Json *list = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        /* Clients that see a filter offered switch it on. */
        if (!rows[i].name || rows[i].kind != OPTION_KIND_LIST || rows[i].id == OPTION_SANDBOX) {
            continue;
        }
        Json *item = describe_row(&rows[i]);
        if (!name || !strcmp(name, json_get_string(item, "option"))) {
            json_push(list, item);
        } else {
            json_free(item);
        }
    }
    if (name && !json_count(list)) {
        json_free(list);
        error_set(errp, "invalid option name: %s", name);
        return NULL;
    }
    return list;
}

/* ---- help ---- */

void options_print_help(const char *program)
{
    printf("usage: %s [options] [disk_image]\n", program);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const OptionRow *r = &rows[i];
        if (r->heading) {
            printf("\n%s:\n", r->heading);
            continue;
        }
        char *head = xasprintf("-%s%s%s%s%s", r->name, r->other ? " or -" : "",
                               r->other ? r->other : "", *r->arg ? " " : "", r->arg);
        bool wide = strlen(head) > 22 || strchr(head, '\n');
        printf("%-23s%s", head, wide ? "\n" : " ");
        free(head);
        for (const char *p = r->help; *p;) {
            size_t len = strcspn(p, "\n");
            bool first = p == r->help && !wide;
            printf("%*s%.*s\n", first ? 0 : 24, "", (int)len, p);
            p += len + (p[len] == '\n');
        }
    }
    printf("\nOptions may start with one dash or two. Lists are key=value,...; a doubled comma is "
           "a comma.\n");
}

/* ---- parsing ---- */

static bool add_option(CommandLine *line, const OptionRow *row, const char *spelling,
                       const char *text, Error **errp)
{
    GivenOption opt = { .id = row->id, .spelling = spelling, .text = text };
    if (row->kind == OPTION_KIND_LIST) {
        opt.opts = opts_parse(text, row->implied, errp);
        if (!opt.opts) {
            error_prepend(errp, "%s %s: ", spelling, text);
            return false;
        }
        if (!opts_wants_help(opt.opts, row->implied) && !check_params(row, opt.opts, errp)) {
            error_prepend(errp, "%s %s: ", spelling, text);
            json_free(opt.opts);
            return false;
        }
    }
    *vec_push(&line->given) = opt;
    return true;
}

static bool read_config(CommandLine *line, const char *path, Error **errp);
static bool set_parameter(CommandLine *line, const char *text, Error **errp);

bool options_parse(CommandLine *line, int argc, char **argv, int first, Error **errp)
{
    bool image_seen = false;
    for (int i = first; i < argc; i++) {
        const char *arg = argv[i];
        if (*arg != '-' || !arg[1]) {
            /* A bare word is a disk image. */
            if (image_seen) {
                error_set(errp, "%s: drive '%s' has no place: only one image without option", arg,
                          arg);
                return false;
            }
            image_seen = true;
            if (!add_option(line, row_of(OPTION_HDA), "-hda", arg, errp)) {
                return false;
            }
            continue;
        }
        const char *name = arg + 1 + (arg[1] == '-');
        const OptionRow *row = row_find(name);
        if (!row) {
            bool known = false;
            for (size_t k = 0; k < ARRAY_SIZE(absent_names) && !known; k++) {
                known = !strcmp(name, absent_names[k]);
            }
            if (known) {
                error_set(errp, "option '%s' is not supported", arg);
            } else {
                error_set(errp, "%s: invalid option", arg);
            }
            return false;
        }
        const char *text = NULL;
        if (row->kind != OPTION_KIND_FLAG) {
            if (i + 1 == argc) {
                error_set(errp, "%s: requires an argument", arg);
                return false;
            }
            text = argv[++i];
        }
        bool ok;
        if (row->id == OPTION_READCONFIG) {
            ok = read_config(line, text, errp);
        } else if (row->id == OPTION_SET) {
            ok = set_parameter(line, text, errp);
        } else {
            if (!add_option(line, row, arg, text, errp)) {
                return false;
            }
            continue;
        }
        if (!ok) {
            error_prepend(errp, "%s %s: ", arg, text);
            return false;
        }
    }
    return true;
}

void options_free(CommandLine *line)
{
    for (size_t i = 0; i < line->given.n; i++) {
        json_free(line->given.at[i].opts);
    }
    for (size_t i = 0; i < line->owned.n; i++) {
        free(line->owned.at[i]);
    }
    vec_free(&line->given);
    vec_free(&line->owned);
}

GivenOption *options_last(CommandLine *line, OptionId id)
{
    for (size_t i = line->given.n; i-- > 0;) {
        if (line->given.at[i].id == id) {
            return &line->given.at[i];
        }
    }
    return NULL;
}

bool options_each(CommandLine *line, OptionId id, bool (*fn)(GivenOption *opt, Error **errp),
                  Error **errp)
{
    for (size_t i = 0; i < line->given.n; i++) {
        GivenOption *opt = &line->given.at[i];
        if (opt->id == id && !fn(opt, errp)) {
            error_prepend(errp, opt->text ? "%s %s: " : "%s%s: ", opt->spelling,
                          opt->text ? opt->text : "");
            return false;
        }
    }
    return true;
}

/* ---- -set group.id.arg=value ---- */

static bool set_parameter(CommandLine *line, const char *text, Error **errp)
{
    const char *dot = strchr(text, '.'), *equals = strchr(text, '=');
    const char *dot2 = dot ? strchr(dot + 1, '.') : NULL;
    if (!dot || !dot2 || !equals || dot2 > equals) {
        error_set(errp, "can't parse: \"%s\"", text);
        return false;
    }
    char *group = xstrndup(text, (size_t)(dot - text));
    char *id = xstrndup(dot + 1, (size_t)(dot2 - dot - 1));
    char *key = xstrndup(dot2 + 1, (size_t)(equals - dot2 - 1));
    const OptionRow *row = row_find(group);
    bool ok = false;
    if (!row || row->kind != OPTION_KIND_LIST) {
        error_set(errp, "There is no option group '%s'", group);
    } else {
        for (size_t i = 0; i < line->given.n && !ok; i++) {
            GivenOption *opt = &line->given.at[i];
            const char *own = opt->opts ? json_get_string(opt->opts, "id") : NULL;
            if (opt->id == row->id && own && !strcmp(own, id)) {
                json_put_string(opt->opts, key, equals + 1);
                ok = true;
            }
        }
        if (!ok) {
            error_set(errp, "there is no %s \"%s\" defined", group, id);
        } else if (!check_params(row, options_last(line, row->id)->opts, errp)) {
            ok = false;
        }
    }
    free(group);
    free(id);
    free(key);
    return ok;
}

/* ---- configuration files: [group "id"] and key = "value" lines ---- */

typedef struct ConfigGroup {
    const OptionRow *row;
    Json *opts;
} ConfigGroup;

static const OptionRow *group_row(const char *name)
{
    return !strcmp(name, "memory")      ? row_of(OPTION_M)
           : !strcmp(name, "smp-opts")  ? row_of(OPTION_SMP)
           : !strcmp(name, "boot-opts") ? row_of(OPTION_BOOT)
                                        : row_find(name);
}

static bool config_flush(CommandLine *line, ConfigGroup *group, Error **errp)
{
    if (!group->row) {
        return true;
    }
    char *text = json_print(group->opts);
    json_free(group->opts);
    *vec_push(&line->owned) = text;
    char *spelling = xasprintf("-%s", group->row->name);
    *vec_push(&line->owned) = spelling;
    bool ok = add_option(line, group->row, spelling, text, errp);
    group->row = NULL;
    group->opts = NULL;
    return ok;
}

static bool config_line(CommandLine *line, ConfigGroup *group, const char *text, Error **errp)
{
    char name[64], id[64], value[1024];
    int end = 0;
    while (*text == ' ' || *text == '\t') {
        text++;
    }
    if (!*text || *text == '#' || *text == '\n' || *text == '\r') {
        return true;
    }
    if (*text == '[') {
        bool with_id = sscanf(text, "[%63[^] \t] \"%63[^\"]\"]%n", name, id, &end) == 2 && end;
        if (!with_id && (sscanf(text, "[%63[^]]]%n", name, &end) != 1 || !end)) {
            error_set(errp, "malformed group");
            return false;
        }
        if (!config_flush(line, group, errp)) {
            return false;
        }
        group->row = group_row(name);
        if (!group->row || group->row->kind != OPTION_KIND_LIST) {
            group->row = NULL;
            error_set(errp, "There is no option group '%s'", name);
            return false;
        }
        group->opts = json_object();
        if (with_id) {
            json_put_string(group->opts, "id", id);
        }
        return true;
    }
    value[0] = 0;
    bool ok = sscanf(text, " %63[^= \t] = \"%1023[^\"]\"%n", name, value, &end) == 2 && end;
    if (!ok) {
        end = 0;
        ok = sscanf(text, " %63[^= \t] = \"\"%n", name, &end) == 1 && end;
    }
    if (!ok) {
        error_set(errp, "parse error: expected NAME = \"VALUE\"");
        return false;
    }
    if (!group->row) {
        error_set(errp, "no group defined");
        return false;
    }
    json_put_string(group->opts, name, value);
    return true;
}

static bool read_config(CommandLine *line, const char *path, Error **errp)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        error_set_errno(errp, errno, "Could not open '%s'", path);
        return false;
    }
    ConfigGroup group = {0};
    char text[2048];
    unsigned number = 0;
    bool ok = true;
    while (ok && fgets(text, sizeof(text), f)) {
        number++;
        Error *err = NULL;
        ok = config_line(line, &group, text, &err);
        if (!ok) {
            error_prepend(&err, "%s:%u: ", path, number);
            error_propagate(errp, err);
        }
    }
    fclose(f);
    ok = ok && config_flush(line, &group, errp);
    json_free(group.opts);
    return ok;
}

bool options_write_config(const CommandLine *line, const char *path, Error **errp)
{
    bool to_stdout = !strcmp(path, "-");
    FILE *f = to_stdout ? stdout : fopen(path, "we");
    if (!f) {
        error_set_errno(errp, errno, "Could not open '%s'", path);
        return false;
    }
    fprintf(f, "# options as given on the command line\n");
    for (size_t i = 0; i < line->given.n; i++) {
        const GivenOption *opt = &line->given.at[i];
        if (!opt->opts) {
            continue;
        }
        const OptionRow *row = row_of(opt->id);
        Json *described = describe_row(row);
        const char *id = json_get_string(opt->opts, "id");
        fprintf(f, "\n[%s%s%s%s]\n", json_get_string(described, "option"), id ? " \"" : "",
                id ? id : "", id ? "\"" : "");
        json_free(described);
        for (size_t k = 0; k < json_count(opt->opts); k++) {
            const char *key = json_key_at(opt->opts, k);
            const Json *value = json_at(opt->opts, k);
            if (!strcmp(key, "id")) {
                continue;
            }
            char *text = json_is(value, JSON_STRING) ? xstrdup(json_as_string(value))
                                                     : json_print(value);
            fprintf(f, "  %s = \"%s\"\n", key, text);
            free(text);
        }
    }
    bool ok = !ferror(f);
    if (!to_stdout && fclose(f)) {
        ok = false;
    }
    if (!ok) {
        error_set(errp, "cannot write '%s'", path);
    }
    return ok;
}
