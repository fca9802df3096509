/*
 * hmp.c: the human monitor: command table, arguments, help, completion.
 */
#include <stdio.h>
#include "hw/device.h"
#include "softmmu/machine.h"
#include "softmmu/monitor/priv.h"
#include "softmmu/version.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/trace.h"

typedef struct HmpCommand {
    const char *name, *alias, *args, *usage;
    HmpHandler *handler;
    const char *help;
} HmpCommand;

#define INFO(name, args, usage, handler, help)
#define HMP(name, alias, args, usage, handler, help) { name, alias, args, usage, handler, help },
static const HmpCommand commands[] = {
#include "softmmu/monitor/hmp-commands.def"
};
#undef INFO
#undef HMP
#define INFO(name, args, usage, handler, help) { name, NULL, args, usage, handler, help },
#define HMP(name, alias, args, usage, handler, help)
static const HmpCommand info_commands[] = {
#include "softmmu/monitor/hmp-commands.def"
};

static const HmpCommand *find_in(const HmpCommand *table, size_t n, const char *name, size_t len)
{
    for (size_t i = 0; i < n; i++) {
        const HmpCommand *c = &table[i];
        if ((!strncmp(c->name, name, len) && !c->name[len]) ||
            (c->alias && !strncmp(c->alias, name, len) && !c->alias[len])) {
            return c;
        }
    }
    return NULL;
}

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\t') {
        p++;
    }
    return p;
}

/* The command `line` starts with; *ret_rest is what follows. Commands with a format may have it
 * stuck to the name: "x/4xw". */
static const HmpCommand *find_command(const char *line, const char **ret_rest, bool *ret_info)
{
    const char *p = skip_space(line);
    size_t len = strcspn(p, " \t/");
    const HmpCommand *cmd = find_in(commands, ARRAY_SIZE(commands), p, len);
    p += len;
    *ret_info = false;
    if (cmd && !strcmp(cmd->name, "info")) {
        const char *sub = skip_space(p);
        len = strcspn(sub, " \t");
        *ret_info = true;
        if (len) {
            cmd = find_in(info_commands, ARRAY_SIZE(info_commands), sub, len);
            p = sub + len;
        }
    }
    *ret_rest = p;
    return cmd;
}

/* ---- arguments ---- */

/* One word, "quoted \"text\"" or bare. False: no closing quote. */
static bool take_word(const char **p, char **ret, Error **errp)
{
    VEC(char) word = {0};
    const char *s = *p;
    if (*s == '"') {
        for (s++; *s && *s != '"'; s++) {
            char c = *s;
            if (c == '\\' && s[1]) {
                c = *++s;
                c = c == 'n' ? '\n' : c == 'r' ? '\r' : c;
            }
            *vec_push(&word) = c;
        }
        if (!*s) {
            vec_free(&word);
            error_set(errp, "unterminated string");
            return false;
        }
        s++;
    } else {
        while (*s && *s != ' ' && *s != '\t') {
            *vec_push(&word) = *s++;
        }
    }
    *vec_push(&word) = 0;
    *p = s;
    *ret = word.at;
    return true;
}

/* "/4xw": count, format, size into the arguments "count", "format", "size". */
static bool take_format(Monitor *mon, const char **p, Json *args, Error **errp)
{
    char format[2] = {0}, size[2] = {0};
    int64_t count = 1;
    const char *s = *p;
    if (*s == '/') {
        s++;
        if (*s >= '0' && *s <= '9') {
            count = 0;
            for (; *s >= '0' && *s <= '9'; s++) {
                count = MIN(count * 10 + (*s - '0'), 1 << 20);
            }
        }
        for (; *s && *s != ' ' && *s != '\t'; s++) {
            if (strchr("oduxic", *s)) {
                *format = *s;
            } else if (strchr("bhwgL", *s)) {
                *size = *s == 'L' ? 'g' : *s;
            } else {
                error_set(errp, "invalid char in format: '%c'", *s);
                return false;
            }
        }
    }
    json_put_int(args, "count", count);
    json_put_string(args, "format", format);
    json_put_string(args, "size", size);
    *p = s;
    return true;
}

static bool take_value(Monitor *mon, char kind, const char *key, const char **p, Json *args,
                       Error **errp)
{
    char *word;
    int64_t number;
    uint64_t size;
    bool on;
    switch (kind) {
    case 'S':
    case 'C':
        json_put_string(args, key, *p);
        *p += strlen(*p);
        return true;
    case 'l':
        if (!hmp_expression(mon, p, &number, errp)) {
            return false;
        }
        json_put_int(args, key, number);
        return true;
    default:
        break;
    }
    if (!take_word(p, &word, errp)) {
        return false;
    }
    bool ok = true;
    if (kind == 'b') {
        ok = text_to_bool(word, &on);
        if (ok) {
            json_put_bool(args, key, on);
        } else {
            error_set(errp, "Expected 'on' or 'off'");
        }
    } else if (kind == 'o') {
        ok = text_to_size(word, MiB, &size);
        if (ok) {
            json_put_uint(args, key, size);
        } else {
            error_set(errp, "invalid size '%s'", word);
        }
    } else {
        json_put_string(args, key, word);
    }
    free(word);
    return ok;
}

/* The next flags of a line: "-f -v" or "-fv"; with "-f:key" in the table the word behind it is the value of "key". */
static bool take_flags(const char *spec, const char **p, Json *args, Error **errp)
{
    while (**p == '-' && (*p)[1] && (*p)[1] != ' ' && !((*p)[1] >= '0' && (*p)[1] <= '9')) {
        for (++*p; **p && **p != ' '; ++*p) {
            char flag[3] = { '-', **p, 0 };
            const char *at = strstr(spec, flag);
            if (!at) {
                error_set(errp, "unsupported option -%c", flag[1]);
                return false;
            }
            if (at[2] != ':') {
                json_put_bool(args, flag, true);
                continue;
            }
            char *key = xstrndup(at + 3, strcspn(at + 3, " ")), *word = NULL;
            *p = skip_space(*p + 1);
            bool ok = **p && take_word(p, &word, errp);
            if (ok) {
                json_put_string(args, key, word);
            } else if (errp && !*errp) {
                error_set(errp, "-%c: a value is expected", flag[1]);
            }
            free(word);
            free(key);
            if (!ok) {
                return false;
            }
            break;
        }
        *p = skip_space(*p);
    }
    return true;
}

static Json *parse_args(Monitor *mon, const HmpCommand *cmd, const char *text, Error **errp)
{
    Json *args = json_object();
    const char *p = skip_space(text);
    bool flags = *cmd->args == '-' || strstr(cmd->args, " -");
    if (flags && !take_flags(cmd->args, &p, args, errp)) {
        goto fail;
    }
    for (const char *spec = cmd->args; *spec;) {
        size_t len = strcspn(spec, " ");
        const char *item = spec;
        spec += len + (spec[len] == ' ');
        if (*item == '-') {
            continue;
        }
        bool optional = *item == '?';
        item += optional;
        const char *colon = strchr(item, ':');
        char *key = xstrndup(item, (size_t)(colon - item));
        bool ok = true;
        p = skip_space(p);
        if (colon[1] == '/') {
            ok = take_format(mon, &p, args, errp);
        } else if (*p) {
            ok = take_value(mon, colon[1], key, &p, args, errp);
        } else if (!optional) {
            if (colon[1] == 'l') {
                error_set(errp, "unexpected end of expression");
            } else {
                error_set(errp, "%s: '%s' expected", cmd->name, key);
            }
            ok = false;
        }
        free(key);
        p = skip_space(p);
        if (!ok || (flags && !take_flags(cmd->args, &p, args, errp))) {
            goto fail;
        }
    }
    p = skip_space(p);
    if (*p) {
        error_set(errp, "%s: extraneous characters at the end of line", cmd->name);
        goto fail;
    }
    return args;
fail:
    json_free(args);
    return NULL;
}

/* ---- running ---- */

bool hmp_report(Monitor *mon, Error *err)
{
    if (!err) {
        return false;
    }
    monitor_printf(mon, "Error: %s\n", error_message(err));
    error_free(err);
    return true;
}

void hmp_execute(Monitor *mon, const char *line)
{
    const char *rest;
    bool info;
    const char *start = skip_space(line);
    if (!*start || *start == '#') {
        return;
    }
    const HmpCommand *cmd = find_command(line, &rest, &info);
    if (!cmd) {
        size_t len = strcspn(start, info ? "" : " \t");
        monitor_printf(mon, "unknown command: '%.*s'\n", (int)MIN(len, 200), start);
        return;
    }
    TRACE("hmp_command", "line %s", start);
    Error *err = NULL;
    Json *args = parse_args(mon, cmd, rest, &err);
    if (!args) {
        monitor_printf(mon, "%s\nTry \"help %s%s\" for more information\n", error_message(err),
                       info ? "info " : "", cmd->name);
        error_free(err);
        return;
    }
    cmd->handler(mon, args);
    json_free(args);
}

char *hmp_run(const char *command_line, int cpu_index)
{
    Monitor *mon = xnew(Monitor);
    mon->mode = MONITOR_READLINE;
    mon->collecting = true;
    mon->cpu_index = cpu_index;
    hmp_execute(mon, command_line);
    *vec_push(&mon->text) = 0;
    char *text = mon->text.at;
    for (size_t i = 0; i < mon->n_fds; i++) {
        free(mon->fds[i].name);
    }
    free(mon->fds);
    free(mon);
    /* What was printed may hold guest memory or names that are not UTF-8. */
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        *p = *p >= 0x80 || (*p < 0x20 && !strchr("\n\r\t", *p)) ? '?' : *p;
    }
    return text;
}

struct Vcpu *hmp_vcpu(Monitor *mon)
{
    Machine *m = machine_current();
    int index = mon ? mon->cpu_index : 0;
    return m && index < (int)m->n_vcpus ? m->vcpus[index] : NULL;
}

/* ---- help ---- */

static void help_row(Monitor *mon, const HmpCommand *c, const char *prefix)
{
    monitor_printf(mon, "%s%s%s%s%s%s -- %s\n", prefix, c->name, c->alias ? "|" : "",
                   c->alias ? c->alias : "", *c->usage ? " " : "", c->usage, c->help);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const HmpCommand *const *)a)->name, (*(const HmpCommand *const *)b)->name);
}

static void help_table(Monitor *mon, const HmpCommand *table, size_t n, const char *prefix)
{
    const HmpCommand **sorted = xcalloc(n, sizeof(*sorted));
    for (size_t i = 0; i < n; i++) {
        sorted[i] = &table[i];
    }
    qsort(sorted, n, sizeof(*sorted), by_name);
    for (size_t i = 0; i < n; i++) {
        help_row(mon, sorted[i], prefix);
    }
    free(sorted);
}

void hmp_help(Monitor *mon, const Json *args)
{
    const char *name = json_get_string(args, "name"), *rest;
    bool info;
    if (!name) {
        help_table(mon, commands, ARRAY_SIZE(commands), "");
        return;
    }
    if (!strcmp(name, "info") || !strcmp(name, "info ")) {
        help_table(mon, info_commands, ARRAY_SIZE(info_commands), "info ");
        return;
    }
    const HmpCommand *cmd = find_command(name, &rest, &info);
    if (cmd) {
        help_row(mon, cmd, info ? "info " : "");
        if (!strcmp(cmd->name, "log")) {
            monitor_puts(mon, "Log items (comma separated):\nnone       remove all logs\n");
#define LOG_ITEM(id, text, help) monitor_printf(mon, "%-10s %s\n", text, help);
            LOG_ITEMS(LOG_ITEM)
#undef LOG_ITEM
        }
    } else {
        monitor_printf(mon, "unknown command: '%s'\n", name);
    }
}

void hmp_info(Monitor *mon, const Json *args)
{
    help_table(mon, info_commands, ARRAY_SIZE(info_commands), "info ");
}

/* ---- completion ---- */

typedef struct Completion {
    const char *word;
    size_t len;
    void (*found)(void *opaque, const char *word);
    void *opaque;
    const char *ancestor;
} Completion;

static void offer(Completion *c, const char *word)
{
    if (word && !strncmp(word, c->word, c->len)) {
        c->found(c->opaque, word);
    }
}

static void offer_type(const ObjectType *type, void *opaque)
{
    Completion *c = opaque;
    if (!type->abstract && object_type_is_a(type, c->ancestor)) {
        offer(c, type->name);
    }
}

static void offer_devices(Completion *c, Bus *bus)
{
    for (Device *dev = bus ? bus->first : NULL; dev; dev = dev->bus_next) {
        offer(c, dev->id);
        for (Bus *child = dev->first_bus; child; child = child->next) {
            offer_devices(c, child);
        }
    }
}

static void complete_argument(Monitor *mon, const HmpCommand *cmd, unsigned index, Completion *c)
{
    const char *spec = cmd->args;
    for (;;) {
        while (*spec == '-') {
            spec += strcspn(spec, " ");
            spec += *spec == ' ';
        }
        if (!*spec || !index) {
            break;
        }
        spec += strcspn(spec, " ");
        spec += *spec == ' ';
        index--;
    }
    const char *colon = strchr(spec, ':');
    if (!*spec || !colon) {
        return;
    }
    if (!strcmp(cmd->name, "device_add")) {
        c->ancestor = "device";
        object_type_foreach(offer_type, c);
    } else if (!strcmp(cmd->name, "object_add")) {
        c->ancestor = "object";
        object_type_foreach(offer_type, c);
    } else if (colon[1] == 'D') {
        if (!strcmp(cmd->name, "device_del")) {
            offer_devices(c, sysbus_get());
        } else {
            Json *list = chardev_query();
            for (size_t i = 0; i < json_count(list); i++) {
                offer(c, json_get_string(json_at(list, i), "label"));
            }
            json_free(list);
        }
    } else if (colon[1] == 'b') {
        offer(c, "on");
        offer(c, "off");
    } else if (!strcmp(cmd->name, "log")) {
        offer(c, "none");
#define LOG_ITEM(id, text, help) offer(c, text);
        LOG_ITEMS(LOG_ITEM)
#undef LOG_ITEM
    }
}

void hmp_complete(Monitor *mon, const char *line, void (*found)(void *opaque, const char *word),
                  void *opaque)
{
    /* Words before the one being typed. */
    const char *words[8];
    unsigned n = 0;
    const char *p = skip_space(line), *last = p;
    while (*p) {
        last = p;
        p += strcspn(p, " \t");
        if (!*p) {
            break;
        }
        if (n < ARRAY_SIZE(words)) {
            words[n++] = last;
        }
        p = last = skip_space(p);
    }
    const char *comma = strrchr(last, ',');
    Completion c = { comma ? comma + 1 : last, strlen(comma ? comma + 1 : last), found, opaque,
                     NULL };
    unsigned first = 0;
    bool info = false;
    const HmpCommand *cmd = NULL;
    if (n && (cmd = find_in(commands, ARRAY_SIZE(commands), words[0], strcspn(words[0], " \t"))) &&
        !strcmp(cmd->name, "help")) {
        first = 1;
        cmd = n > 1 ? find_in(commands, ARRAY_SIZE(commands), words[1], strcspn(words[1], " \t"))
                    : NULL;
    }
    info = cmd && !strcmp(cmd->name, "info");
    if (n == first) {
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
            offer(&c, commands[i].name);
        }
    } else if (info && n == first + 1) {
        for (size_t i = 0; i < ARRAY_SIZE(info_commands); i++) {
            offer(&c, info_commands[i].name);
        }
    } else if (cmd && !info && !first) {
        complete_argument(mon, cmd, n - 1, &c);
    }
}

/* ---- the connection ---- */

void hmp_init(Monitor *mon)
{
    mon->line = hmp_line_new(mon, "(qemu) ");
}

void hmp_finish(Monitor *mon)
{
    hmp_line_free(mon->line);
}

static size_t hmp_can_read(void *opaque)
{
    Monitor *mon = opaque;
    return mon->muted || char_queued(&mon->fe) > (1u << 20) ? 0 : 256;
}

static void hmp_read(void *opaque, const uint8_t *buf, size_t len)
{
    Monitor *mon = opaque;
    hmp_line_input(mon->line, buf, len);
}

static void hmp_writable(void *opaque)
{
    Monitor *mon = opaque;
    char_accept_input(&mon->fe);
}

static void hmp_event(void *opaque, CharEvent event)
{
    Monitor *mon = opaque;
    switch (event) {
    case CHAR_EVENT_OPENED:
        if (!mon->open) {
            mon->open = true;
            /* On a shared terminal the guest comes first: no greeting until asked for. */
            mon->muted = chardev_is_mux(mon->fe.chr) && !char_has_focus(&mon->fe);
            if (!mon->muted) {
                monitor_printf(mon, "QEMU %d.%d.%d monitor - type 'help' for more information\n",
                               EMULATOR_COMPAT_MAJOR, EMULATOR_COMPAT_MINOR,
                               EMULATOR_COMPAT_MICRO);
                hmp_line_show(mon->line);
            }
        }
        break;
    case CHAR_EVENT_CLOSED:
        mon->open = false;
        break;
    case CHAR_EVENT_MUX_IN:
        if (mon->muted && mon->open) {
            monitor_printf(mon, "\nQEMU %d.%d.%d monitor - type 'help' for more information\n",
                           EMULATOR_COMPAT_MAJOR, EMULATOR_COMPAT_MINOR, EMULATOR_COMPAT_MICRO);
            hmp_line_show(mon->line);
        }
        mon->muted = false;
        char_accept_input(&mon->fe);
        break;
    case CHAR_EVENT_MUX_OUT:
        if (mon->open && !mon->muted) {
            monitor_puts(mon, "\n");
        }
        mon->muted = true;
        break;
    case CHAR_EVENT_BREAK:
        break;
    }
}

const CharHandlers hmp_handlers = {
    .can_read = hmp_can_read, .read = hmp_read, .event = hmp_event, .writable = hmp_writable,
};
