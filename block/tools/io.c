/*
 * io.c: qemu-io: commands from -c or standard input, one at a time, on one image.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/object.h"
#include "block/tools/io.h"
#include "softmmu/options.h"
#include "softmmu/version.h"
#include "util/alloc.h"
#include "util/parse.h"

enum { MAX_WORDS = 64 };

void io_format_size(double value, char *buf, size_t bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    size_t i = 0;

    while (value >= 1024 && i + 1 < ARRAY_SIZE(units)) {
        value /= 1024;
        i++;
    }
    int n = snprintf(buf, bytes, "%.3f", value);
    if (n > 4 && !strcmp(buf + n - 4, ".000")) {
        buf[n - 4] = '\0';
    }
    n = (int)strlen(buf);
    snprintf(buf + n, bytes - (size_t)n, " %s", units[i]);
}

bool io_number(const char *text, int64_t *ret)
{
    uint64_t value;

    if (*text == '-' || !text_to_size(text, 1, &value) || value > INT64_MAX) {
        printf("Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- %s\n", text);
        return false;
    }
    *ret = (int64_t)value;
    return true;
}

int io_usage(const IoCommand *c)
{
    printf("%s %s -- %s\n", c->name, c->args, c->summary);
    return 1;
}

/* -- the image ------------------------------------------------------------------------------------------------------- */

bool io_open(IoShell *shell, const char *filename, Json *options, unsigned flags)
{
    Error *err = NULL;

    if (shell->node) {
        error_report("file open already, try 'help close'");
        json_free(options);
        return false;
    }
    shell->node = node_open(filename, options, flags, &err);
    if (shell->node) {
        unsigned writes = flags & BLOCK_RDWR && !shell->node->readonly ? PERM_WRITE | PERM_RESIZE : 0;
        shell->edge = node_attach(shell->node, "qemu-io", PERM_READ | writes, flags & BLOCK_FORCE_SHARE ? PERM_ALL : PERM_READ | PERM_WRITE_UNCHANGED, &err);
    }
    if (!shell->edge) {
        error_report("can't open%s%s: %s", filename ? " device " : "", filename ? filename : "", error_message(err));
        error_free(err);
        node_unref(shell->node);
        shell->node = NULL;
        return false;
    }
    shell->filename = filename ? xstrdup(filename) : NULL;
    shell->flags = flags;
    return true;
}

void io_close(IoShell *shell)
{
    ioctx_wait_zero(ioctx_main(), &shell->in_flight);
    if (shell->node) {
        if (!shell->node->readonly) {
            node_flush(shell->node);
        }
        edge_detach(shell->edge);
        node_unref(shell->node);
        free(shell->filename);
    }
    shell->node = NULL;
    shell->edge = NULL;
    shell->filename = NULL;
}

/* -- commands -------------------------------------------------------------------------------------------------------- */

static int help(IoShell *shell, int argc, char **argv);

static int quit(IoShell *shell, int argc, char **argv)
{
    shell->quit = true;
    return 0;
}

static const IoCommand shell_commands[] = {
    { "help", "?", "[command]", "help for one or all commands", NULL, 0, 1, false, help },
    { "quit", "q", "", "exit the program", NULL, 0, 0, false, quit },
    { NULL },
};

static const IoCommand *const tables[] = { io_transfer_commands, io_image_commands, shell_commands };

const IoCommand *io_find(const char *name)
{
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
        for (const IoCommand *c = tables[t]; c->name; c++) {
            if (!strcmp(c->name, name) || (c->alias && !strcmp(c->alias, name))) {
                return c;
            }
        }
    }
    return NULL;
}

static int help(IoShell *shell, int argc, char **argv)
{
    if (argc == 2) {
        const IoCommand *c = io_find(argv[1]);
        if (!c) {
            printf("command %s not found\n", argv[1]);
            return 0;
        }
        printf("%s %s -- %s\n", c->name, c->args, c->summary);
        if (c->help) {
            printf("\n%s", c->help);
        }
        return 0;
    }
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
        for (const IoCommand *c = tables[t]; c->name; c++) {
            printf("%s %s -- %s\n", c->name, c->args, c->summary);
        }
    }
    printf("\nUse 'help commandname' for extended help.\n");
    return 0;
}

static int split(char *line, char **words)
{
    int n = 0;

    for (char *w = strtok(line, " \t\r\n"); w && n < MAX_WORDS; w = strtok(NULL, " \t\r\n")) {
        words[n++] = w;
    }
    words[n] = NULL;
    return n;
}

static int run_line(IoShell *shell, const char *text)
{
    char *line = xstrdup(text), *words[MAX_WORDS + 1];
    int n = split(line, words), status = 0;
    const IoCommand *c = n ? io_find(words[0]) : NULL;

    if (n && !c) {
        fprintf(stderr, "command \"%s\" not found\n", words[0]);
        status = 1;
    } else if (n && c->needs_file && !shell->node) {
        fprintf(stderr, "no file open, try 'help open'\n");
        status = 1;
    } else if (n && (n - 1 < c->min_args || (c->max_args >= 0 && n - 1 > c->max_args))) {
        if (c->max_args < 0) {
            fprintf(stderr, "bad argument count %d to %s, expected at least %d arguments\n", n - 1, words[0], c->min_args);
        } else if (c->min_args == c->max_args) {
            fprintf(stderr, "bad argument count %d to %s, expected %d arguments\n", n - 1, words[0], c->min_args);
        } else {
            fprintf(stderr, "bad argument count %d to %s, expected between %d and %d arguments\n", n - 1, words[0], c->min_args, c->max_args);
        }
        status = 1;
    } else if (n) {
        optind = 0;
        status = c->run(shell, n, words);
    }
    free(line);
    return status;
}

static int run_stdin(IoShell *shell)
{
    char *line = NULL;
    size_t cap = 0;
    int status = 0;

    while (!shell->quit) {
        printf("qemu-io> ");
        fflush(stdout);
        if (getline(&line, &cap, stdin) < 0) {
            printf("\n");
            break;
        }
        status |= run_line(shell, line);
        while (ioctx_poll(ioctx_main(), false)) {
        }
    }
    free(line);
    return status;
}

static void usage(void)
{
    printf("Usage: qemu-io [OPTIONS]... [-c STRING]... [file]\nReads and writes disk images by command.\n\n"
           "      --object OBJDEF    an object that options refer to\n"
           "      --image-opts       the file is options (key=value,...), not a name\n"
           "  -c, --cmd STRING       run a command; without any, commands are read from standard input\n"
           "  -f, --format FMT       format of the image\n"
           "  -r, --read-only        open for reading only\n"
           "  -s, --snapshot         writes go to a temporary file\n"
           "  -n, --nocache          past the host's cache (-t none)\n"
           "  -C, --copy-on-read     what is read from a backing file becomes the image's own\n"
           "  -m, --misalign         buffers at odd addresses\n"
           "  -k, --native-aio       the same as -i native\n"
           "  -i, --aio MODE         threads, native or io_uring\n"
           "  -t, --cache MODE       cache mode\n"
           "  -d, --discard MODE     ignore or unmap\n"
           "  -U, --force-share      open although others have the image open\n"
           "  -h, --help             print this text\n"
           "  -V, --version          print the version\n\n"
           "'qemu-io -c help' lists the commands.\n");
}

static bool set_cache(IoShell *shell, const char *mode)
{
    shell->default_flags &= ~(unsigned)(BLOCK_DIRECT | BLOCK_NO_FLUSH);
    if (!node_cache_flags(mode, &shell->default_flags, &shell->writethrough)) {
        error_report("Invalid cache option: %s", mode);
        return false;
    }
    return true;
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

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "object", required_argument, NULL, 256 }, { "image-opts", no_argument, NULL, 257 }, { "cmd", required_argument, NULL, 'c' },
        { "format", required_argument, NULL, 'f' }, { "read-only", no_argument, NULL, 'r' }, { "snapshot", no_argument, NULL, 's' },
        { "nocache", no_argument, NULL, 'n' }, { "copy-on-read", no_argument, NULL, 'C' }, { "misalign", no_argument, NULL, 'm' },
        { "native-aio", no_argument, NULL, 'k' }, { "aio", required_argument, NULL, 'i' }, { "cache", required_argument, NULL, 't' },
        { "discard", required_argument, NULL, 'd' }, { "force-share", no_argument, NULL, 'U' }, { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
    };
    IoShell shell = { .default_flags = BLOCK_RDWR | BLOCK_DISCARD };
    VEC(const char *) lines = { 0 };
    const char *format = NULL;
    bool image_opts = false;
    int c, status = 0;

    error_set_program("qemu-io");
    signal(SIGPIPE, SIG_IGN);
    ioctx_allow_blocking(ioctx_main());
    while ((c = getopt_long(argc, argv, "hVc:d:f:rsnCmki:t:U", longs, NULL)) != -1) {
        switch (c) {
        case 256: add_object(optarg); break;
        case 257: image_opts = true; break;
        case 'c': *vec_push(&lines) = optarg; break;
        case 'f': format = optarg; break;
        case 'r': shell.default_flags &= ~(unsigned)BLOCK_RDWR; break;
        case 's': case 'C': error_exit("-%c is not supported yet", c);
        case 'n': set_cache(&shell, "none"); break;
        case 'm': shell.misalign = true; break;
        case 'k': break;
        case 'i':
            if (strcmp(optarg, "threads") && strcmp(optarg, "native") && strcmp(optarg, "io_uring")) {
                error_exit("Invalid aio option: %s", optarg);
            }
            break;
        case 't':
            if (!set_cache(&shell, optarg)) {
                return 1;
            }
            break;
        case 'd':
            if (!strcmp(optarg, "unmap") || !strcmp(optarg, "on")) {
                shell.default_flags |= BLOCK_DISCARD;
            } else if (!strcmp(optarg, "ignore") || !strcmp(optarg, "off")) {
                shell.default_flags &= ~(unsigned)BLOCK_DISCARD;
            } else {
                error_exit("Invalid discard option: %s", optarg);
            }
            break;
        case 'U': shell.default_flags |= BLOCK_FORCE_SHARE; break;
        case 'h': usage(); return 0;
        case 'V':
            printf("qemu-io version %d.%d.%d (%s)\n", EMULATOR_COMPAT_MAJOR, EMULATOR_COMPAT_MINOR, EMULATOR_COMPAT_MICRO, EMULATOR_PACKAGE);
            return 0;
        default:
            usage();
            return 1;
        }
    }
    if (argc - optind > 1) {
        usage();
        return 1;
    }
    if (format && image_opts) {
        error_exit("--image-opts and -f are mutually exclusive");
    }
    if (argc - optind == 1) {
        Error *err = NULL;
        Json *options = image_opts ? opts_parse(argv[optind], NULL, &err) : json_object();
        if (!options || (image_opts && !opts_nest(options, &err))) {
            error_report_free(err);
            return 1;
        }
        if (format) {
            json_put_string(options, "driver", format);
        }
        if (!io_open(&shell, image_opts ? NULL : argv[optind], options, shell.default_flags)) {
            return 1;
        }
    }
    for (size_t i = 0; i < lines.n && !shell.quit; i++) {
        status |= run_line(&shell, lines.at[i]);
    }
    if (!lines.n) {
        status |= run_stdin(&shell);
    }
    io_close(&shell);
    vec_free(&lines);
    return status ? 1 : 0;
}
