/*
 * img.c: qemu-img: the commands' table, options, help, opening.
 */
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "block/object.h"
#include "block/tools/img.h"
#include "softmmu/options.h"
#include "softmmu/version.h"
#include "util/alloc.h"
#include "util/parse.h"

static const ImgCommand *const commands[] = {
    &img_amend, &img_bench, &img_bitmap, &img_check, &img_commit, &img_compare, &img_convert, &img_create, &img_dd, &img_info, &img_map, &img_measure,
    &img_rebase, &img_resize, &img_snapshot,
};

static const char *program;

/* -- help ------------------------------------------------------------------------------------------------------------ */

static void print_version(void)
{
    printf("qemu-img version %d.%d.%d (%s)\n", EMULATOR_COMPAT_MAJOR, EMULATOR_COMPAT_MINOR, EMULATOR_COMPAT_MICRO, EMULATOR_PACKAGE);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_help(void)
{
    const char *names[64];
    size_t n = 0, column = 0;

    print_version();
    printf("Disk images: create, convert, examine, repair.\n\nUsage: qemu-img [-h | --help] [-V | --version] COMMAND [OPTION...]\n\nCommands:\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
    }
    printf("\n'qemu-img COMMAND --help' says more.\n\nSupported formats:");
    for (const BlockDriver *const *d = block_drivers; *d && n < ARRAY_SIZE(names); d++) {
        names[n++] = (*d)->name;
    }
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n; i++) {
        column = column && column + strlen(names[i]) < 76 ? column + strlen(names[i]) + 1 : 0;
        printf("%s%s", column ? " " : "\n  ", names[i]);
        column = column ? column : strlen(names[i]) + 2;
    }
    printf("\n");
}

static void print_command_help(const ImgCommand *c)
{
    printf("Usage: qemu-img %s [OPTION...] %s\n\n%s\n\n", c->name, c->files, c->summary);
    for (const ImgOption *o = c->options; o->name; o++) {
        char left[80], letter[8] = "    ";
        if (!o->help) {
            continue;
        }
        if (o->letter) {
            snprintf(letter, sizeof(letter), "-%c, ", o->letter);
        }
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        printf("  %-34s %s\n", left, o->help);
    }
}

void img_usage(const ImgArgs *args, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    error_report("%s", text);
    fprintf(stderr, "Try '%s %s --help' for more information\n", program, args->command->name);
    free(text);
    exit(1);
}

/* -- options --------------------------------------------------------------------------------------------------------- */

const char *img_arg(const ImgArgs *args, const char *name)
{
    for (size_t i = 0; args->command->options[i].name; i++) {
        if (!strcmp(args->command->options[i].name, name)) {
            return args->values[i];
        }
    }
    return NULL;
}

static void add_creation(ImgArgs *args, const char *text)
{
    char *joined = args->creation ? xasprintf("%s,%s", args->creation, text) : xstrdup(text);
    free(args->creation);
    args->creation = joined;
}

static noreturn void bad_option(const ImgArgs *args, int c, char **argv)
{
    const char *word = argv[optind - 1];

    fprintf(stderr, "%s %s: ", program, args->command->name);
    if (c == ':' && optopt < 256) {
        fprintf(stderr, "option requires an argument -- '%c'\n", optopt);
    } else if (c == ':') {
        fprintf(stderr, "option '%s' requires an argument\n", word);
    } else if (optopt && optopt < 256) {
        fprintf(stderr, "invalid option -- '%c'\n", optopt);
    } else {
        fprintf(stderr, "unrecognized option '%s'\n", word);
    }
    fprintf(stderr, "Try '%s %s --help' for more information\n", program, args->command->name);
    exit(1);
}

static void add_object(const char *text)
{
    Error *err = NULL;
    bool help = false;

    if (!block_object_add_option(text, &help, &err)) {
        error_exit("%s", error_message(err));
    }
    if (help) {
        exit(0);
    }
}

static void parse_args(ImgArgs *args, int argc, char **argv)
{
    const ImgOption *rows = args->command->options;
    struct option longs[IMG_MAX_OPTIONS + 1] = { { 0 } };
    char shorts[IMG_MAX_OPTIONS * 2 + 2];
    size_t n = 0, s = 0;
    int c;

    shorts[s++] = ':';
    for (; rows[n].name; n++) {
        longs[n] = (struct option){ rows[n].name, rows[n].arg ? required_argument : no_argument, NULL, 256 + (int)n };
        if (rows[n].letter) {
            shorts[s++] = rows[n].letter;
            if (rows[n].arg) {
                shorts[s++] = ':';
            }
        }
    }
    shorts[s] = '\0';
    opterr = 0;
    optopt = 0;
    /* "resize FILE -SIZE": that is no option. */
    char *last = argc > 1 ? argv[argc - 1] : NULL;
    bool negative = !strcmp(args->command->name, "resize") && last && last[0] == '-' && last[1] >= '0' && last[1] <= '9';
    argc -= negative;
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        size_t i = c >= 256 ? (size_t)c - 256 : 0;
        for (; c < 256 && rows[i].name && rows[i].letter != c; i++) {
        }
        if (c == ':' || c == '?' || !rows[i].name) {
            bad_option(args, c, argv);
        }
        if (!strcmp(rows[i].name, "help")) {
            print_command_help(args->command);
            exit(0);
        }
        if (!strcmp(rows[i].name, "object")) {
            add_object(optarg);
        }
        if (!strcmp(rows[i].name, "options") || !strcmp(rows[i].name, "target-format-options")) {
            if (!*optarg || *optarg == ',' || (optarg[strlen(optarg) - 1] == ',' && (strlen(optarg) < 2 || optarg[strlen(optarg) - 2] != ','))) {
                error_exit("Invalid option list: %s", optarg);
            }
            add_creation(args, optarg);
        }
        if (args->command == &img_bitmap && img_is_bitmap_action(rows[i].name)) {
            if (args->n_actions == IMG_MAX_ACTIONS) {
                error_exit("more than %d changes at once", IMG_MAX_ACTIONS);
            }
            args->actions[args->n_actions].name = rows[i].name;
            args->actions[args->n_actions++].arg = optarg;
        }
        for (size_t first = 0; first < i; first++) { /* another letter for the same */
            i = strcmp(rows[first].name, rows[i].name) ? i : first;
        }
        args->values[i] = rows[i].arg ? optarg : "";
    }
    args->files = argv + optind;
    args->n_files = argc - optind + negative;
}

bool img_wants_json(const ImgArgs *args)
{
    const char *output = img_arg(args, "output");

    if (output && strcmp(output, "json") && strcmp(output, "human")) {
        img_usage(args, "--output expects 'human' or 'json', not '%s'", output);
    }
    return output && !strcmp(output, "json");
}

bool img_size(const char *text, const char *what, uint64_t *ret)
{
    bool ok = *text != '-' && text_to_size(text, 1, ret);
    bool number = ok || (strspn(text + (*text == '-'), "0123456789") == strlen(text) - (*text == '-') && strlen(text) > 1);
    if (!number) {
        error_report("Invalid %s specified: '%s'", what, text);
        return false;
    }
    if (!ok || *ret > INT64_MAX) {
        error_report("Invalid %s specified. Must be between 0 and %" PRId64 ".", what, INT64_MAX);
        return false;
    }
    return true;
}

bool img_check_format(const char *format)
{
    if (format && !driver_find(format)) {
        error_report("Unknown driver '%s'", format);
        return false;
    }
    return true;
}

Json *img_creation_options(const ImgArgs *args)
{
    Error *err = NULL;
    Json *json = args->creation ? opts_parse(args->creation, NULL, &err) : json_object();

    if (!json) {
        error_report_free(err);
    }
    return json;
}

bool img_wants_option_help(const char *text)
{
    size_t n = text ? strlen(text) : 0;
    return text && (!strcmp(text, "help") || !strcmp(text, "?") || strstr(text, ",help,") || strstr(text, ",?,") || !strncmp(text, "help,", 5) ||
                    (n >= 5 && !strcmp(text + n - 5, ",help")) || (n >= 2 && !strcmp(text + n - 2, ",?")));
}

static void print_rows(const BlockOption *rows)
{
    static const char *const kinds[] = { "<str>", "<bool (on/off)>", "<num>", "<size>", "<str>" };

    /* By name; the table's order is that of say_what(). */
    for (const char *last = "";;) {
        const BlockOption *next = NULL;
        for (const BlockOption *o = rows; o && o->name; o++) {
            next = strcmp(o->name, last) > 0 && (!next || strcmp(o->name, next->name) < 0) ? o : next;
        }
        if (!next) {
            break;
        }
        char left[64];
        snprintf(left, sizeof(left), "%s=%s", next->name, kinds[next->kind]);
        printf("  %-22s - %s\n", left, next->help);
        last = next->name;
    }
}

int img_print_amend_help(const BlockDriver *driver)
{
    if (!driver->amend) {
        error_report("Format driver '%s' does not support option amendment", driver->name);
        return 1;
    }
    printf("Amend options for '%s':\n", driver->name);
    print_rows(driver->amend_options ? driver->amend_options : driver->create_options);
    return 0;
}

int img_print_option_help(const char *format, const char *filename)
{
    const BlockDriver *driver = driver_find(format);

    if (!driver) {
        error_report("Unknown file format '%s'", format);
        return 1;
    }
    if (!driver->create_options) {
        error_report("Format driver '%s' does not support image creation", format);
        return 1;
    }
    printf("Supported %s options:\n", format);
    print_rows(driver->create_options);
    if (filename) {
        const BlockDriver *file = driver_find("file");
        for (const BlockOption *o = file->create_options; o->name && !filename_has_protocol(filename); o++) {
            bool has = false;
            for (const BlockOption *own = driver->create_options; own->name; own++) {
                has |= !strcmp(own->name, o->name);
            }
            if (!has) {
                print_rows((BlockOption[]){ *o, { NULL } });
            }
        }
    } else {
        printf("\nThe protocol level may support further options.\nSpecify the target filename to include those options.\n");
    }
    return 0;
}

/* -- opening --------------------------------------------------------------------------------------------------------- */

/* Writing to what only looks raw may make something else of it. */
static void warn_probed(const BlockNode *node, const char *file)
{
    if (node && !node->readonly && node->flags & BLOCK_PROBED && !strcmp(node->driver->name, "raw")) {
        fprintf(stderr, "WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
                "         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be restricted.\n"
                "         Specify the 'raw' format explicitly to remove the restrictions.\n", file);
    }
}

BlockNode *img_open(const char *file, const char *format, bool image_opts, unsigned flags, Json *options)
{
    Error *err = NULL;
    BlockNode *node = NULL;

    options = options ? options : json_object();
    if (format && !driver_find(format)) {
        error_report("Could not open '%s': Unknown driver '%s'", file, format);
        json_free(options);
        return NULL;
    }
    if (image_opts) {
        if (format) {
            error_report("--image-opts and --format are mutually exclusive");
            json_free(options);
            return NULL;
        }
        Json *given = opts_parse(file, NULL, &err);
        if (given && !opts_nest(given, &err)) {
            json_free(given);
            given = NULL;
        }
        for (size_t i = 0; given && i < json_count(options); i++) {
            json_put(given, json_key_at(options, i), json_copy(json_at(options, i)));
        }
        json_free(options);
        options = NULL;
        node = given ? node_open(NULL, given, flags, &err) : NULL;
    } else {
        if (format) {
            json_put_string(options, "driver", format);
        }
        node = node_open(file, options, flags, &err);
    }
    if (!node) {
        error_report("Could not open '%s': %s", file, error_message(err));
        error_free(err);
    }
    warn_probed(node, file);
    return node;
}

BlockNode *img_open_args(const ImgArgs *args, const char *file, const char *format_option, unsigned flags)
{
    bool writethrough;

    if (!node_cache_flags(img_arg(args, "cache"), &flags, &writethrough)) {
        error_report("Invalid cache option: %s", img_arg(args, "cache"));
        return NULL;
    }
    if (img_flag(args, "force-share")) {
        flags |= BLOCK_FORCE_SHARE;
    }
    return img_open(file, img_arg(args, format_option), img_flag(args, "image-opts"), flags, NULL);
}

BlockEdge *img_use(BlockNode *node, const char *file, unsigned perm, unsigned shared)
{
    Error *err = NULL;
    BlockEdge *edge = node_attach(node, "qemu-img", perm, shared, &err);

    if (!edge) {
        error_report("Could not open '%s': %s", file, error_message(err));
        fprintf(stderr, "Is another process using the image [%s]?\n", file);
        error_free(err);
    }
    return edge;
}

/* -- output ---------------------------------------------------------------------------------------------------------- */

void img_format_size(char *buf, size_t bytes, uint64_t value)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double v = (double)value;
    size_t i = 0;

    while (v >= 1000 && i + 1 < ARRAY_SIZE(units)) {
        v /= 1024;
        i++;
    }
    snprintf(buf, bytes, "%0.3g %s", v, units[i]);
}

void img_progress(ImgProgress *p, uint64_t more)
{
    p->done += more;
    if (p->on && p->total) {
        int now = (int)((double)MIN(p->done, p->total) / (double)p->total * 10000);
        if (now >= p->shown + 1 || !p->shown) {
            p->shown = now;
            printf("    (%3.2f/100%%)\r", now / 100.0);
            fflush(stdout);
        }
    }
}

void img_progress_end(ImgProgress *p)
{
    if (p->on) {
        printf("    (100.00/100%%)\r\n");
    }
}

int main(int argc, char **argv)
{
    program = argv[0];
    error_set_program("qemu-img");
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, isatty(1) ? _IOLBF : _IOFBF, 1 << 16);
    ioctx_allow_blocking(ioctx_main());
    if (argc < 2) {
        error_report("Not enough arguments");
        fprintf(stderr, "Try '%s --help' for more information\n", program);
        return 1;
    }
    if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
        print_help();
        return 0;
    }
    if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
        print_version();
        return 0;
    }
    if (argv[1][0] == '-') {
        error_report("unrecognized option '%s'", argv[1]);
        fprintf(stderr, "Try '%s --help' for more information\n", program);
        return 1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i]->name, argv[1])) {
            ImgArgs args = { .command = commands[i] };
            parse_args(&args, argc - 1, argv + 1);
            int status = commands[i]->run(&args);
            free(args.creation);
            if (fflush(stdout) || ferror(stdout)) {
                error_report("cannot write the output");
                return 1;
            }
            return status;
        }
    }
    error_report("Command not found: %s", argv[1]);
    fprintf(stderr, "Try '%s --help' for more information\n", program);
    return 1;
}
