/*
 * options.c: command line and QEMU_* environment of the user-mode runner.
 *
 * One table row per option: name, environment variable, argument, help. The environment is applied first, the
 * command line after it. A set-user-id program (binfmt_misc's flag C) is not asked what the caller's environment
 * wants of it: QEMU_GDB or QEMU_LD_PREFIX would hand out its privileges. Options that a program started by the guest shall run with are kept in
 * user.exec_args.
 */
#include <unistd.h>
#include "linux-user/options.h"

extern char **environ;

typedef struct Option Option;
struct Option {
    const char *name, *env, *arg, *help;
    bool inherit;  /* passed on when the guest executes another program */
    void (*set)(const Option *o, const char *value);
};

static VEC(char *) guest_env;
static VEC(char *) exec_args;

static noreturn void bad_value(const Option *o, const char *value, const char *want)
{
    error_exit("-%s: '%s' is not %s", o->name, value, want);
}

static uint64_t number(const Option *o, const char *text, bool suffix)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 0);
    uint64_t scale = 1;
    if (suffix && *end && !end[1]) {
        switch (*end | 0x20) {
        case 'k': scale = KiB; end++; break;
        case 'm': scale = MiB; end++; break;
        case 'g': scale = GiB; end++; break;
        case 't': scale = TiB; end++; break;
        }
    }
    if (errno || end == text || *end || *text == '-' || (v && scale > UINT64_MAX / v)) {
        bad_value(o, text, suffix ? "a size" : "a number");
    }
    return v * scale;
}

static void env_unset(const char *name, size_t len)
{
    for (size_t i = 0; i < guest_env.n; i++) {
        if (!strncmp(guest_env.at[i], name, len) && guest_env.at[i][len] == '=') {
            guest_env.at[i] = guest_env.at[--guest_env.n];
            i--;
        }
    }
}

static void set_env(const Option *o, const char *value)
{
    char *copy = xstrdup(value), *save = NULL;
    for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(item, '=');
        if (!eq || eq == item) {
            bad_value(o, item, "VAR=VALUE");
        }
        env_unset(item, (size_t)(eq - item));
        *vec_push(&guest_env) = xstrdup(item);
    }
    free(copy);
}

static void unset_env(const Option *o, const char *value)
{
    char *copy = xstrdup(value), *save = NULL;
    for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
        if (strchr(item, '=')) {
            bad_value(o, item, "a variable's name");
        }
        env_unset(item, strlen(item));
    }
    free(copy);
}

#define SET(name, body) static void name(const Option *o, const char *v) { (void)o; (void)v; body; }
SET(set_gdb, user.options.gdb = v)
SET(set_prefix, user.options.prefix = v)
SET(set_cpu, user.options.cpu = v)
SET(set_argv0, user.options.argv0 = v)
SET(set_uname, user.options.uname_release = v)
SET(set_stack, user.options.stack_bytes = number(o, v, true);
    if (user.options.stack_bytes < 64 * KiB || user.options.stack_bytes > 16 * GiB) {
        bad_value(o, v, "a stack size between 64K and 16G");
    })
SET(set_base, user.options.guest_base = number(o, v, false);
    user.options.have_guest_base = true;
    if (user.options.guest_base % 4096) { bad_value(o, v, "a multiple of 4096"); })
SET(set_reserved, user.options.reserved_va = number(o, v, true))
SET(set_page, user.options.page_bytes = number(o, v, true);
    if (!bits_is_pow2(user.options.page_bytes) || user.options.page_bytes < 4096
        || user.options.page_bytes > 64 * KiB) { bad_value(o, v, "a page size between 4096 and 65536"); })
SET(set_log, user.options.log_items = v)
SET(set_log_filter, user.options.log_filter = v)
SET(set_log_file, user.options.log_file = v)
SET(set_one_insn, user.options.tcg.one_insn_per_tb = true)
SET(set_interpreter, user.options.tcg.interpreter = true)
SET(set_tb_size, user.options.tcg.cache_bytes = number(o, v, false) * MiB;
    if (user.options.tcg.cache_bytes > 2 * GiB) { bad_value(o, v, "at most 2048 (MiB)"); })
SET(set_tb_cache, user.options.tb_cache = v)
SET(set_exec_fd, user.exe_fd = (int)number(o, v, false))
SET(set_exec_ids, user.kernel_sets_ids = true)
SET(set_exec_ignored, user.options.ignored_signals = number(o, v, false))
SET(set_strace, user.options.strace = true)
SET(set_seed, user.options.seed = number(o, v, false); user.options.have_seed = true)
SET(set_perfmap, user.options.tcg.perfmap_path = "/tmp/perf-%d.map")
SET(set_jitdump, user.options.tcg.jitdump = true)

static void refuse(const Option *o, const char *value)
{
    (void)value;
    error_exit("-%s is not available in this program", o->name);
}

static noreturn void print_version(const Option *o, const char *value)
{
    (void)o;
    (void)value;
    printf("%s version " EMULATOR_VERSION "\n", user.program);
    exit(0);
}

static noreturn void print_help(const Option *o, const char *value);

static const Option options[] = {
    { "h", NULL, NULL, "print this help", false, (void (*)(const Option *, const char *))print_help },
    { "help", NULL, NULL, "", false, (void (*)(const Option *, const char *))print_help },
    { "g", "QEMU_GDB", "port", "wait for gdb on TCP port or socket path 'port'", false, set_gdb },
    { "L", "QEMU_LD_PREFIX", "path", "look for files of the guest system under 'path' first", true, set_prefix },
    { "s", "QEMU_STACK_SIZE", "size", "set the stack size", true, set_stack },
    { "cpu", "QEMU_CPU", "model", "select the CPU (-cpu help for a list)", true, set_cpu },
    { "E", "QEMU_SET_ENV", "var=value[,...]", "set variables of the program's environment", false, set_env },
    { "U", "QEMU_UNSET_ENV", "var[,...]", "remove variables from it", false, unset_env },
    { "0", "QEMU_ARGV0", "argv0", "give the program 'argv0' as its own name", false, set_argv0 },
    { "r", "QEMU_UNAME", "uname", "release string of uname", true, set_uname },
    { "B", "QEMU_GUEST_BASE", "address", "host address of the guest's address 0", true, set_base },
    { "R", "QEMU_RESERVED_VA", "size", "give the guest an address space of 'size' bytes, reserved", true,
      set_reserved },
    { "p", "QEMU_PAGESIZE", "size", "the guest's page size", true, set_page },
    { "t", "QEMU_RTSIG_MAP", "map", "not available: guest and host signals have equal numbers", false, refuse },
    { "d", "QEMU_LOG", "item[,...]", "write these to the log (-d help for a list)", true, set_log },
    { "dfilter", "QEMU_DFILTER", "range[,...]", "only for code in these address ranges", true, set_log_filter },
    { "D", "QEMU_LOG_FILENAME", "file", "write the log there instead of standard error; %d: process id", true,
      set_log_file },
    { "one-insn-per-tb", "QEMU_ONE_INSN_PER_TB", NULL, "translate one guest instruction at a time", true,
      set_one_insn },
    { "singlestep", "QEMU_SINGLESTEP", NULL, "the same, by its old name", true, set_one_insn },
    { "tb-size", "QEMU_TB_SIZE", "size", "size of the code cache in MiB", true, set_tb_size },
    { "tb-cache", "QEMU_TB_CACHE", "off|auto|dir", "keep translations for later runs: not at all, in memory, in 'dir'", true,
      set_tb_cache },
    { "interpreter", "QEMU_INTERPRETER", NULL, "run the IR interpreter instead of generated code", true,
      set_interpreter },
    { "strace", "QEMU_STRACE", NULL, "log system calls", true, set_strace },
    { "seed", "QEMU_RAND_SEED", "number", "make AT_RANDOM reproducible", true, set_seed },
    { "trace", "QEMU_TRACE", "events", "not available", false, refuse },
    { "plugin", "QEMU_PLUGIN", "file", "not available", false, refuse },
    { "execfd", NULL, "fd", "the program's file is open as this descriptor (set by the runner itself)", false,
      set_exec_fd },
    { "execids", NULL, NULL, "the kernel starts set-user-id programs with their ids (set by the runner itself)", false,
      set_exec_ids },
    { "execignored", NULL, "mask", "signals to ignore of those the runner itself needs (set by the runner itself)", false,
      set_exec_ignored },
    { "version", "QEMU_VERSION", NULL, "print the version and exit", false,
      (void (*)(const Option *, const char *))print_version },
    { "perfmap", "QEMU_PERFMAP", NULL, "write /tmp/perf-PID.map for perf", true, set_perfmap },
    { "jitdump", "QEMU_JITDUMP", NULL, "write jit-PID.dump for perf", true, set_jitdump },
};

static noreturn void print_help(const Option *o, const char *value)
{
    (void)o;
    (void)value;
    printf("usage: %s [options] program [arguments...]\nRuns a Linux program for %s.\n\n"
           "%-24s %-22s %s\n", user.program, user.abi->target, "Option", "Environment", "Meaning");
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        char left[48];
        snprintf(left, sizeof(left), "-%s%s%s", options[i].name, options[i].arg ? " " : "",
                 options[i].arg ? options[i].arg : "");
        printf("%-24s %-22s %s\n", left, options[i].env ? options[i].env : "", options[i].help);
    }
    printf("\nDefaults: QEMU_LD_PREFIX=/usr/gnemul/qemu-%s QEMU_STACK_SIZE=8388608\n"
           "-E and -U may be given several times; the last change to a variable counts.\n", user.abi->target);
    exit(0);
}

static const Option *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (!strcmp(options[i].name, name)) {
            return &options[i];
        }
    }
    return NULL;
}

static void apply(const Option *o, const char *value, bool from_command_line)
{
    o->set(o, value);
    /* What came from the environment is inherited with it. */
    if (o->inherit && from_command_line) {
        *vec_push(&exec_args) = xasprintf("-%s", o->name);
        if (o->arg) {
            *vec_push(&exec_args) = xstrdup(value);
        }
    }
}

void options_parse(int argc, char **argv, UserCommand *ret)
{
    for (char **e = environ; *e; e++) {
        *vec_push(&guest_env) = *e;
    }
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const char *value = options[i].env ? secure_getenv(options[i].env) : NULL;
        if (value) {
            apply(&options[i], value, false);
        }
    }
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *name = argv[i] + 1;
        if (!strcmp(name, "-")) {
            i++;
            break;
        }
        name += *name == '-';
        const Option *o = find(name);
        if (!o) {
            error_exit("unknown option '%s'", argv[i]);
        }
        const char *value = "";
        if (o->arg) {
            if (++i == argc) {
                error_exit("option '-%s' needs an argument (%s)", o->name, o->arg);
            }
            value = argv[i];
        }
        apply(o, value, true);
    }
    *vec_push(&exec_args) = NULL;
    *vec_push(&guest_env) = NULL;
    user.exec_args = exec_args.at;
    ret->env = guest_env.at;

    if (user.options.cpu && (!strcmp(user.options.cpu, "help") || !strcmp(user.options.cpu, "?"))) {
        user.target->cpu_models_print(stdout);
        exit(0);
    }
    if (user.options.log_items) {
        log_set_items(user.options.log_items, error_fatal);
    }
    if (user.options.log_file) {
        log_set_file(user.options.log_file, error_fatal);
    }
    if (user.options.log_filter) {
        log_set_filter(user.options.log_filter, error_fatal);
    }
    if (user.options.strace) {
        log_mask |= LOG_STRACE;
    }
    if (i >= argc) {
        error_exit("no program to run; see '%s -help'", user.program);
    }
    ret->program = argv[i];
    ret->n_args = argc - i;
    ret->args = xcalloc((size_t)ret->n_args + 1, sizeof(char *));
    memcpy(ret->args, argv + i, (size_t)ret->n_args * sizeof(char *));
    if (user.options.argv0) {
        ret->args[0] = (char *)user.options.argv0;
    }
}
