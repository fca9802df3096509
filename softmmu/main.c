/*
 * main.c: the system emulator: from the command line to the main loop.
 *
 * The name we are called by, qemu-system-ARCH, chooses the architecture;
 * qemu-system takes "-target ARCH" as its first argument.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "accel/accel.h"
#include "accel/qtest.h"
#include "block/block.h"
#include "hw/chardev-prop.h"
#include "hw/device.h"
#include "net/net.h"
#include "softmmu/bql.h"
#include "softmmu/datadir.h"
#include "softmmu/machine.h"
#include "softmmu/process.h"
#include "softmmu/semihosting.h"
#include "softmmu/system-priv.h"
#include "softmmu/system.h"
#include "softmmu/version.h"
#include "target/target.h"
#include "ui/audio.h"
#include "ui/display.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/random.h"
#include "util/trace.h"

static bool quitting;
static int quit_status;

static void print_stdout(void *opaque, const char *text)
{
    fputs(text, stdout);
}

/* ---- which architecture ---- */

static const char *arch_known(const char *name)
{
    static const char *const arches[] = { "riscv64", "riscv32", "x86_64", "i386", "aarch64", "arm" };
    for (size_t i = 0; i < ARRAY_SIZE(arches); i++) {
        if (!strcmp(arches[i], name)) {
            return arches[i];
        }
    }
    return NULL;
}

/* Returns the index of the first option. */
static int choose_arch(int argc, char **argv)
{
    const char *base = strrchr(argv[0], '/');
    base = base ? base + 1 : argv[0];
    error_set_program(base);
    static const char prefix[] = "qemu-system-";
    const char *dash = strstr(base, prefix);
    const char *name = dash ? dash + strlen(prefix) : NULL;
    int first = 1;
    if (!name) {
        if (argc < 3 || (strcmp(argv[1], "-target") && strcmp(argv[1], "--target"))) {
            error_exit("call it as qemu-system-ARCH, or with -target ARCH as the first argument "
                       "(riscv64, riscv32, x86_64, i386, aarch64, arm)");
        }
        name = argv[2];
        first = 3;
    }
    system_config.arch = arch_known(name);
    if (!system_config.arch) {
        error_exit("guest architecture '%s' is not supported (riscv64, riscv32, x86_64, i386, aarch64 and arm are)", name);
    }
    return first;
}

/* ---- options that print something and end ---- */

static const Target *need_target(void)
{
    const Target *target = target_find(system_config.arch);
    if (!target) {
        error_exit("this program was built without the %s guest CPU", system_config.arch);
    }
    return target;
}

static void print_version(void)
{
    printf("QEMU emulator version %d.%d.%d (%s)\n"
           "An independent implementation of QEMU's interfaces\n",
           EMULATOR_COMPAT_MAJOR, EMULATOR_COMPAT_MINOR, EMULATOR_COMPAT_MICRO, EMULATOR_PACKAGE);
}

static void print_object_type(const ObjectType *type, void *opaque)
{
    if (!type->abstract && type->user_creatable) {
        printf("  %s\n", type->name);
    }
}

/* "-object TYPE,help" */
static void print_object_prop(const ObjectType *owner, const Property *prop, void *opaque)
{
    char *head = xasprintf("%s=<%s>", prop->name, property_type_name(prop));
    printf("  %-22s - %s\n", head, prop->help ? prop->help : "");
    free(head);
}

static void print_trace_event(const char *name, bool on, void *opaque)
{
    printf("%s\n", name);
}

static void print_nic_model(const ObjectType *type, void *opaque)
{
    const DeviceType *dt = device_type_from(type);
    if (dt && dt->category == DEVICE_NETWORK && dt->user_creatable) {
        printf("%s\n", type->name);
    }
}

static bool is_word_help(const char *text)
{
    return text && (!strcmp(text, "help") || !strcmp(text, "?"));
}

static bool help_for(const GivenOption *opt, const char *program)
{
    Error *err = NULL;
    const char *name;
    switch (opt->id) {
    case OPTION_HELP:
        options_print_help(program);
        return true;
    case OPTION_VERSION:
        print_version();
        return true;
    case OPTION_MACHINE:
        name = json_get_string(opt->opts, "type");
        if (name && (!strcmp(name, "help") || !strcmp(name, "?"))) {
            machine_print_types(system_config.arch, print_stdout, NULL);
            return true;
        }
        if (opts_is_set(opt->opts, "help")) {
            const MachineType *type = name ? machine_type_find(name, system_config.arch)
                                           : machine_type_default(system_config.arch);
            if (!type) {
                error_exit("unsupported machine type: \"%s\" (-machine help lists them)",
                           name ? name : "");
            }
            machine_print_help(type, print_stdout, NULL);
            return true;
        }
        return false;
    case OPTION_CPU:
        if (!strcmp(opt->text, "help") || !strcmp(opt->text, "?")) {
            need_target()->cpu_models_print(stdout);
            return true;
        }
        return false;
    case OPTION_ACCEL:
        if (opts_wants_help(opt->opts, "accel")) {
            printf("Accelerators supported in QEMU binary:\n");
            for (size_t i = 0; accel_list[i]; i++) {
                if (accel_is_for(accel_list[i], system_config.arch) && !accel_list[i]->unlisted) {
                    printf("%s\n", accel_list[i]->name);
                }
            }
            return true;
        }
        return false;
    case OPTION_DEVICE:
        name = json_get_string(opt->opts, "driver");
        if (!name || !strcmp(name, "help") || !strcmp(name, "?")) {
            if (!name && !opts_is_set(opt->opts, "help")) {
                return false;
            }
            device_print_types(print_stdout, NULL);
            return true;
        }
        if (opts_is_set(opt->opts, "help") || opts_is_set(opt->opts, "?")) {
            if (!device_print_help(name, print_stdout, NULL, &err)) {
                error_prepend(&err, "%s %s: ", opt->spelling, opt->text);
                error_report_free(err);
                exit(1);
            }
            return true;
        }
        return false;
    case OPTION_OBJECT:
        name = json_get_string(opt->opts, "qom-type");
        if (name && (!strcmp(name, "help") || !strcmp(name, "?"))) {
            printf("List of user creatable objects:\n");
            object_type_foreach(print_object_type, NULL);
            return true;
        }
        if (name && opts_is_set(opt->opts, "help")) {
            const ObjectType *type = object_type_find(name);
            if (!type || !type->user_creatable) {
                error_exit("%s %s: '%s' is not a user creatable object type", opt->spelling,
                           opt->text, name);
            }
            printf("%s options:\n", name);
            object_type_foreach_prop(type, print_object_prop, NULL);
            return true;
        }
        return false;
    case OPTION_CHARDEV:
        if (opts_wants_help(opt->opts, "backend")) {
            chardev_print_backends();
            return true;
        }
        return false;
    case OPTION_DRIVE:
        if (is_word_help(json_get_string(opt->opts, "format"))) {
            block_print_formats(print_stdout, NULL);
            return true;
        }
        return false;
    case OPTION_NETDEV:
    case OPTION_NIC:
    case OPTION_NET:
        if (opts_wants_help(opt->opts, "type")) {
            netdev_option("help", NULL); /* does not return */
            return true;
        }
        name = opt->id != OPTION_NETDEV ? json_get_string(opt->opts, "model") : NULL;
        if (is_word_help(name)) {
            printf("Available NIC models for this configuration:\n");
            object_type_foreach(print_nic_model, NULL);
            return true;
        }
        return false;
    case OPTION_DISPLAY:
        if (opts_wants_help(opt->opts, "type")) {
            display_print_types();
            return true;
        }
        return false;
    case OPTION_VGA:
        if (!strcmp(opt->text, "help")) {
            printf("none                 no graphic card\nstd                  standard VGA (default)\nvirtio               Virtio VGA\n");
            return true;
        }
        return false;
    case OPTION_TRACE:
        if (opts_wants_help(opt->opts, "enable")) {
            trace_foreach(print_trace_event, NULL);
            return true;
        }
        return false;
    case OPTION_L:
        if (!strcmp(opt->text, "help")) {
            datadir_print();
            return true;
        }
        return false;
    case OPTION_AUDIODEV:
    case OPTION_AUDIO:
        if (opts_wants_help(opt->opts, "driver")) {
            printf("Available audio drivers:\nnone\n");
            return true;
        }
        return false;
    default:
        return is_word_help(opt->text) && options_print_params(opt->id, print_stdout, NULL);
    }
}

/* ---- rooms that are not there yet say so ---- */

/* The board knows which cards it has. */
static bool set_vga(GivenOption *opt, Error **errp)
{
    Machine *m = machine_current();
    if (!m->type->has_vga && strcmp(opt->text, "none")) {
        error_set(errp, "graphics card '%s' is not available: machine '%s' has none", opt->text, m->type->name);
        return false;
    }
    free(m->vga);
    m->vga = xstrdup(opt->text);
    return true;
}

/* The older spelling of a machine property. */
static bool set_no_hpet(GivenOption *opt, Error **errp)
{
    return object_property_parse(&machine_current()->obj, "hpet", "off", errp);
}

static bool set_no_fd_bootchk(GivenOption *opt, Error **errp)
{
    return object_property_parse(&machine_current()->obj, "fd-bootchk", "off", errp);
}

static bool set_no_acpi(GivenOption *opt, Error **errp)
{
    return object_property_parse(&machine_current()->obj, "acpi", "off", errp);
}

static bool set_usb(GivenOption *opt, Error **errp)
{
    machine_current()->usb = true;
    return true;
}

static bool add_usb_device(GivenOption *opt, Error **errp)
{
    static const struct {
        const char *name, *type;
    } known[] = { { "keyboard", "usb-kbd" }, { "mouse", "usb-mouse" }, { "tablet", "usb-tablet" } };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcmp(opt->text, known[i].name)) {
            continue;
        }
        if (!machine_current()->type->usb_controller) {
            error_set(errp, "no usb bus to attach usbdevice %s: machine '%s' has no USB controller; -device qemu-xhci adds one",
                      opt->text, machine_current()->type->name);
            return false;
        }
        return device_add(known[i].type, (const char *const[]){ NULL }, errp) != NULL;
    }
    error_set(errp, "could not add USB device '%s'", opt->text);
    return false;
}

static bool add_audio(GivenOption *opt, Error **errp)
{
    return audio_add(opt->opts, errp);
}

static bool set_display(GivenOption *opt, Error **errp)
{
    /* "-display vnc=:1,to=9": what is behind it is as with -vnc. */
    return !strncmp(opt->text, "vnc=", 4) ? display_add_vnc(opt->text + 4, errp) : display_set_option(opt->opts, errp);
}

static bool add_vnc(GivenOption *opt, Error **errp)
{
    return display_add_vnc(opt->text, errp);
}

static bool set_sdl(GivenOption *opt, Error **errp)
{
    Json *opts = json_object();
    json_put_string(opts, "type", "sdl");
    bool ok = display_set_option(opts, errp);
    json_free(opts);
    return ok;
}

static bool set_full_screen(GivenOption *opt, Error **errp)
{
    display_set_full_screen();
    return true;
}

static bool set_layout(GivenOption *opt, Error **errp)
{
    return display_set_layout(opt->text, errp);
}

static bool no_sandbox(GivenOption *opt, Error **errp)
{
    bool on;
    if (!opts_bool(opt->opts, "enable", false, &on, errp)) {
        return false;
    }
    if (on) {
        error_set(errp, "the system call filter is not supported");
    }
    return !on;
}

/* ---- handlers that need nothing else ---- */

static bool set_seed(GivenOption *opt, Error **errp)
{
    uint64_t seed;
    if (!text_to_uint(opt->text, &seed)) {
        error_set(errp, "Invalid seed number: %s", opt->text);
        return false;
    }
    random_seed(seed);
    return true;
}

static bool set_echr(GivenOption *opt, Error **errp)
{
    uint64_t c;
    if (!text_to_uint(opt->text, &c) || c > 255) {
        error_set(errp, "a character code from 0 to 255 is expected");
        return false;
    }
    chardev_set_escape((int)c);
    return true;
}

/* The values of every "arg", which a list keeps only once, separated by blanks; NULL: none. */
static char *semihosting_args(const char *text)
{
    char *args = NULL;
    for (const char *p = text; *p;) {
        bool is_arg = !strncmp(p, "arg=", 4);
        char *value = xmalloc(strlen(p) + 1), *o = value;
        for (p += is_arg ? 4 : 0; *p && (*p != ',' || p[1] == ','); p++) {
            p += *p == ',';
            *o++ = *p;
        }
        *o = 0;
        p += *p == ',';
        if (is_arg) {
            char *longer = args ? xasprintf("%s %s", args, value) : xstrdup(value);
            free(args);
            args = longer;
        }
        free(value);
    }
    return args;
}

static bool set_semihosting(GivenOption *opt, Error **errp)
{
    if (!opt->opts) {
        semihosting_enable(false, NULL, NULL);
        return true;
    }
    const char *target = json_get_string(opt->opts, "target");
    bool enable, userspace;
    if (!opts_bool(opt->opts, "enable", true, &enable, errp) || !opts_bool(opt->opts, "userspace", false, &userspace, errp)) {
        return false;
    }
    if (target && strcmp(target, "native") && strcmp(target, "auto")) {
        error_set(errp, "target=%s is not supported", target);
        return false;
    }
    char *args = semihosting_args(opt->text);
    if (enable) {
        semihosting_enable(userspace, args, json_get_string(opt->opts, "chardev"));
    }
    free(args);
    return true;
}

/* Items, and trace:PATTERN among them. */
static bool set_log_items(GivenOption *opt, Error **errp)
{
    char *copy = xstrdup(opt->text), *save = NULL;
    VEC(char) rest = {0};
    bool ok = true;
    for (char *item = strtok_r(copy, ",", &save); item && ok; item = strtok_r(NULL, ",", &save)) {
        if (!strncmp(item, "trace:", 6)) {
            ok = trace_enable(item + 6, errp);
            continue;
        }
        if (rest.n) {
            *vec_push(&rest) = ',';
        }
        for (const char *p = item; *p; p++) {
            *vec_push(&rest) = *p;
        }
    }
    free(copy);
    if (ok && rest.n) {
        *vec_push(&rest) = 0;
        ok = log_set_items(rest.at, errp);
    }
    vec_free(&rest);
    return ok;
}

static bool set_log_file(GivenOption *opt, Error **errp)
{
    return log_set_file(opt->text, errp);
}

static bool set_log_filter(GivenOption *opt, Error **errp)
{
    return log_set_filter(opt->text, errp);
}

static bool set_trace(GivenOption *opt, Error **errp)
{
    const char *pattern = json_get_string(opt->opts, "enable");
    const char *events = json_get_string(opt->opts, "events");
    const char *file = json_get_string(opt->opts, "file");
    return (!file || log_set_file(file, errp)) && (!events || trace_read_file(events, errp)) &&
           (!pattern || trace_enable(pattern, errp));
}

static bool add_data_dir(GivenOption *opt, Error **errp)
{
    datadir_add(opt->text);
    return true;
}

static bool set_msg(GivenOption *opt, Error **errp)
{
    bool stamps;
    if (!opts_bool(opt->opts, "timestamp", false, &stamps, errp)) {
        return false;
    }
    error_set_timestamps(stamps);
    return true;
}

static bool add_object(GivenOption *opt, Error **errp)
{
    Json *result = qmp_call("object-add", json_copy(opt->opts), errp);
    json_free(result);
    return result != NULL;
}

static bool add_device(GivenOption *opt, Error **errp)
{
    Json *result = qmp_call("device_add", json_copy(opt->opts), errp);
    json_free(result);
    return result != NULL;
}

static bool add_global(GivenOption *opt, Error **errp)
{
    const char *driver = json_get_string(opt->opts, "driver");
    const char *property = json_get_string(opt->opts, "property");
    const char *value = json_get_string(opt->opts, "value");
    if (driver && property && value) {
        object_add_global(driver, property, value);
        return true;
    }
    for (size_t i = 0; i < json_count(opt->opts); i++) {
        const char *key = json_key_at(opt->opts, i), *dot = strrchr(key, '.');
        const char *text = json_get_string(opt->opts, key);
        if (!dot || dot == key || !dot[1] || !text) {
            error_set(errp, "Invalid parameter '%s': DRIVER.PROPERTY=VALUE is expected", key);
            return false;
        }
        char *name = xstrndup(key, (size_t)(dot - key));
        object_add_global(name, dot + 1, text);
        free(name);
    }
    return true;
}

static bool set_accel(GivenOption *opt, Error **errp)
{
    /* Each -accel names one; the first available wins. */
    const char *name = json_get_string(opt->opts, "accel");
    if (!name || strchr(name, ':')) {
        error_set(errp, "invalid accelerator %s", name ? name : "");
        return false;
    }
    if (system_config.accel) {
        return true;
    }
    if (!system_choose_accel(name, errp)) {
        return false;
    }
    for (size_t i = 0; system_config.accel && i < json_count(opt->opts); i++) {
        const char *key = json_key_at(opt->opts, i);
        const Json *value = json_at(opt->opts, i);
        if (!strcmp(key, "accel")) {
            continue;
        }
        char *text = json_is(value, JSON_STRING) ? xstrdup(json_as_string(value))
                     : json_is(value, JSON_BOOL) ? xstrdup(json_as_bool(value) ? "on" : "off")
                                                 : json_print(value);
        bool ok = system_config.accel->set_option(key, text, errp);
        free(text);
        if (!ok) {
            return false;
        }
    }
    return true;
}

static bool run_with_user(GivenOption *opt, Error **errp)
{
    const char *user = opt->opts ? json_get_string(opt->opts, "user") : opt->text;
    bool flag;
    if (opt->opts && (!opts_bool(opt->opts, "async-teardown", false, &flag, errp) ||
                      !opts_bool(opt->opts, "exit-with-parent", false, &flag, errp))) {
        return false;
    }
    return !user || process_run_as(user, errp);
}

static bool run_with_chroot(GivenOption *opt, Error **errp)
{
    const char *dir = opt->opts ? json_get_string(opt->opts, "chroot") : opt->text;
    return !dir || process_chroot(dir, errp);
}

/* ---- the run ---- */

static bool queue_mon_option(GivenOption *opt, Error **errp)
{
    return true; /* attached with the others, by monitor_add_option */
}

static bool attach_mon_option(GivenOption *opt, Error **errp)
{
    return monitor_add_option(opt->text, errp);
}

static void quit(int status)
{
    quitting = true;
    quit_status = status;
    loop_wake(loop_main());
}

static void mux_quit(void)
{
    machine_request_shutdown(SHUTDOWN_CAUSE_HOST_UI);
}

static Json *cause_data(bool by_guest, ShutdownCause cause)
{
    Json *data = json_object();
    json_put_bool(data, "guest", by_guest);
    json_put_string(data, "reason", shutdown_cause_name(cause));
    return data;
}

static void on_shutdown(bool by_guest, ShutdownCause cause)
{
    int pid, sig = process_signal(&pid);
    if (cause == SHUTDOWN_CAUSE_HOST_SIGNAL && sig) {
        error_report("terminating on signal %d from pid %d", sig, pid);
    }
    monitor_event("SHUTDOWN", cause_data(by_guest, cause));
}

static void on_reset(bool by_guest, ShutdownCause cause)
{
    monitor_event("RESET", cause_data(by_guest, cause));
}

static void on_powerdown(void)
{
    monitor_event("POWERDOWN", NULL);
}

static void on_suspend(void)
{
    monitor_event("SUSPEND", NULL);
}

static void on_suspend_disk(void)
{
    monitor_event("SUSPEND_DISK", NULL);
}

static void on_wakeup(void)
{
    monitor_event("WAKEUP", NULL);
}

static void on_stop(void)
{
    monitor_event("STOP", NULL);
}

static void on_resume(void)
{
    monitor_event("RESUME", NULL);
}

static void tell_action(const char *event, const char *action)
{
    Json *data = json_object();
    json_put_string(data, "action", action);
    monitor_event(event, data);
}

static void on_watchdog(void)
{
    const char *action = system_watchdog_action();
    Machine *m = machine_current();
    tell_action("WATCHDOG", action);
    if (!strcmp(action, "reset")) {
        machine_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    } else if (!strcmp(action, "shutdown")) {
        machine_request_powerdown();
    } else if (!strcmp(action, "poweroff")) {
        machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    } else if (!strcmp(action, "pause")) {
        machine_request_stop(RUN_STATE_WATCHDOG);
    } else if (!strcmp(action, "inject-nmi") && m->type->inject_nmi) {
        m->type->inject_nmi(m);
    } else if (!strcmp(action, "debug")) {
        error_report("watchdog: timer fired");
    }
}

static void on_panic(bool crash_loaded)
{
    const char *action = system_panic_action();
    Machine *m = machine_current();
    bool shutdown = !strcmp(action, "shutdown") || !strcmp(action, "exit-failure");
    if (crash_loaded) {
        tell_action("GUEST_CRASHLOADED", "run");
    } else if (!strcmp(action, "pause") || (!strcmp(action, "shutdown") && m->no_shutdown)) {
        tell_action("GUEST_PANICKED", "pause");
        vm_stop(m, RUN_STATE_GUEST_PANICKED);
    } else if (shutdown) {
        tell_action("GUEST_PANICKED", "poweroff");
        vm_stop(m, RUN_STATE_GUEST_PANICKED);
        if (!strcmp(action, "exit-failure")) {
            machine_request_shutdown_with(SHUTDOWN_CAUSE_GUEST_PANIC, EXIT_FAILURE);
        } else {
            machine_request_shutdown(SHUTDOWN_CAUSE_GUEST_PANIC);
        }
    } else {
        tell_action("GUEST_PANICKED", "run");
    }
}

static void on_device_deleted(const char *id, const char *path)
{
    Json *data = json_object();
    if (id) {
        json_put_string(data, "device", id);
    }
    json_put_string(data, "path", path);
    monitor_event("DEVICE_DELETED", data);
}

static const MachineEvents machine_event_hooks = {
    .reset = on_reset, .shutdown = on_shutdown, .powerdown = on_powerdown,
    .suspend = on_suspend, .suspend_disk = on_suspend_disk, .wakeup = on_wakeup, .stop = on_stop,
    .resume = on_resume, .watchdog = on_watchdog, .panicked = on_panic,
};

/* The type all -machine options together name. */
static const MachineType *choose_machine(CommandLine *line)
{
    const char *name = NULL;
    for (size_t i = 0; i < line->given.n; i++) {
        const GivenOption *opt = &line->given.at[i];
        const char *type = opt->id == OPTION_MACHINE ? json_get_string(opt->opts, "type") : NULL;
        name = type ? type : name;
    }
    const MachineType *type = name ? machine_type_find(name, system_config.arch)
                                   : machine_type_default(system_config.arch);
    if (!type && name) {
        error_exit("unsupported machine type: \"%s\" (-machine help lists them)", name);
    } else if (!type) {
        error_exit("No machine specified, and there is no default (-machine help lists them)");
    }
    return type;
}

typedef struct Phase {
    OptionId id;
    OptionHandler *handler;
} Phase;

static void run_phases(CommandLine *line, const Phase *phases, size_t n)
{
    Error *err = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!options_each(line, phases[i].id, phases[i].handler, &err)) {
            error_report_free(err);
            exit(1);
        }
    }
}

/* Texts that are properties of the machine under other names. */
static void set_image_options(CommandLine *line, Machine *m)
{
    static const struct {
        OptionId id;
        const char *property;
    } images[] = {
        { OPTION_KERNEL, "kernel" }, { OPTION_INITRD, "initrd" }, { OPTION_APPEND, "append" },
        { OPTION_DTB, "dtb" }, { OPTION_BIOS, "firmware" }, { OPTION_SHIM, "shim" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
        const GivenOption *opt = options_last(line, images[i].id);
        Error *err = NULL;
        if (opt && !object_property_parse(&m->obj, images[i].property, opt->text, &err)) {
            error_prepend(&err, "%s %s: ", opt->spelling, opt->text);
            error_report_free(err);
            exit(1);
        }
    }
    const GivenOption *cpu = options_last(line, OPTION_CPU);
    if (cpu) {
        m->cpu_type = xstrdup(cpu->text);
    }
    if ((m->initrd || m->append) && !m->kernel) {
        error_exit("%s only allowed with -kernel option", m->append ? "-append" : "-initrd");
    }
}

static const Phase early_phases[] = {
    { OPTION_MSG, set_msg },
    { OPTION_LOGFILE, set_log_file },
    { OPTION_DFILTER, set_log_filter },
    { OPTION_D, set_log_items },
    { OPTION_TRACE, set_trace },
    { OPTION_NAME, system_set_name },
    { OPTION_UUID, system_set_uuid },
    { OPTION_L, add_data_dir },
    { OPTION_ECHR, set_echr },
    { OPTION_SANDBOX, no_sandbox },
    { OPTION_AUDIODEV, add_audio },
    { OPTION_AUDIO, add_audio },
    { OPTION_DISPLAY, set_display },
    { OPTION_SDL, set_sdl },
    { OPTION_FULL_SCREEN, set_full_screen },
    { OPTION_K, set_layout },
    { OPTION_SEED, set_seed },
    { OPTION_SEMIHOSTING, set_semihosting },
    { OPTION_SEMIHOSTING_CONFIG, set_semihosting },
    { OPTION_VNC, add_vnc },
    { OPTION_FW_CFG, system_add_fw_cfg },
    { OPTION_RTC, system_set_rtc },
    { OPTION_ACCEL, set_accel },
    { OPTION_GLOBAL, add_global },
};

static const Phase machine_phases[] = {
    { OPTION_MACHINE, system_set_machine_options },
    { OPTION_NO_ACPI, set_no_acpi },
    { OPTION_NO_HPET, set_no_hpet },
    { OPTION_NO_FD_BOOTCHK, set_no_fd_bootchk },
    { OPTION_USB, set_usb },
    { OPTION_USBDEVICE, set_usb },
    { OPTION_VGA, set_vga },
    { OPTION_SMP, system_set_smp },
    { OPTION_M, system_set_memory },
    { OPTION_BOOT, system_set_boot },
    { OPTION_OPTION_ROM, system_add_option_rom },
    { OPTION_SMBIOS, system_add_smbios },
    { OPTION_ACPITABLE, system_add_acpi_table },
    { OPTION_ACTION, system_set_actions },
    { OPTION_WATCHDOG_ACTION, system_set_watchdog_action },
    { OPTION_ADD_FD, system_add_fd },
    { OPTION_OVERCOMMIT, system_set_overcommit },
    { OPTION_CHARDEV, system_add_chardev },
    { OPTION_OBJECT, add_object },
    { OPTION_NUMA, system_add_numa },
    { OPTION_PARALLEL, system_add_parallel },
    { OPTION_SERIAL, system_add_serial },
    { OPTION_MONITOR, system_add_hmp },
    { OPTION_QMP, system_add_qmp },
    { OPTION_QMP_PRETTY, system_add_qmp_pretty },
    { OPTION_MON, queue_mon_option },
    { OPTION_SNAPSHOT, system_set_snapshot },
    { OPTION_BLOCKDEV, system_add_blockdev },
    { OPTION_DRIVE, system_add_drive },
    { OPTION_PFLASH, system_add_image },
    { OPTION_CDROM, system_add_image },
    { OPTION_FDA, system_add_image },
    { OPTION_FDB, system_add_image },
    { OPTION_SD, system_add_image },
    { OPTION_HDA, system_add_image },
    { OPTION_HDB, system_add_image },
    { OPTION_HDC, system_add_image },
    { OPTION_HDD, system_add_image },
    { OPTION_NETDEV, system_add_netdev },
    { OPTION_NIC, system_add_nic },
    { OPTION_NET, system_add_net },
};

static void fail(Error *err)
{
    error_report_free(err);
    exit(1);
}

static void check_daemonize(CommandLine *line)
{
    if (!options_last(line, OPTION_DAEMONIZE)) {
        return;
    }
    /* -nographic puts a serial port and a monitor on stdio only where the defaults are wanted: libvirt's probe has none. */
    if (system_config.nographic && !options_last(line, OPTION_NODEFAULTS)) {
        error_exit("-nographic cannot be used with -daemonize");
    }
    for (size_t i = 0; i < line->given.n; i++) {
        const GivenOption *opt = &line->given.at[i];
        bool stream = opt->id == OPTION_SERIAL || opt->id == OPTION_MONITOR ||
                      opt->id == OPTION_QMP || opt->id == OPTION_QMP_PRETTY;
        const char *backend = opt->id == OPTION_CHARDEV ? json_get_string(opt->opts, "backend")
                                                        : NULL;
        if ((stream && strstr(opt->text, "stdio")) || (backend && !strcmp(backend, "stdio"))) {
            error_exit("%s %s: stdio cannot be used with -daemonize", opt->spelling, opt->text);
        }
    }
    Error *err = NULL;
    if (!process_daemonize(&err)) {
        fail(err);
    }
}

/* -machine kernel-irqchip=…: another accelerator than KVM does not look at it. */
static void set_accel_of_machine(GivenOption *opt)
{
    for (size_t i = 0; opt->id == OPTION_MACHINE && i < json_count(opt->opts); i++) {
        const char *key = json_key_at(opt->opts, i), *value = json_as_string(json_at(opt->opts, i));
        Error *err = NULL;
        if (system_is_accel_key(key) && !strcmp(system_config.accel->name, "kvm") &&
            !system_config.accel->set_option("kernel-irqchip", value, &err)) {
            error_prepend(&err, "%s %s: ", opt->spelling, opt->text);
            fail(err);
        }
    }
}

static void choose_machine_accel(CommandLine *line)
{
    Error *err = NULL;
    GivenOption *machine = NULL;
    for (size_t i = 0; i < line->given.n; i++) {
        GivenOption *opt = &line->given.at[i];
        if (opt->id == OPTION_MACHINE && opts_is_set(opt->opts, "accel")) {
            machine = opt;
        }
    }
    const char *list = machine ? json_get_string(machine->opts, "accel") : NULL;
    if ((list || options_last(line, OPTION_ENABLE_KVM)) && options_last(line, OPTION_ACCEL)) {
        error_exit("The -accel and \"-machine accel=\" options are incompatible");
    }
    if (!list && options_last(line, OPTION_ENABLE_KVM) && !system_config.accel) {
        list = "kvm";
    }
    if (list && !system_choose_accel(list, &err)) {
        fail(err);
    }
    if ((list || options_last(line, OPTION_ACCEL)) && !system_config.accel) {
        system_no_accel();
    }
    system_config.accel = system_config.accel ? system_config.accel : &accel_tcg;
    for (size_t i = 0; i < line->given.n; i++) {
        set_accel_of_machine(&line->given.at[i]);
    }
    static const struct {
        OptionId id;
        const char *key;
    } switches[] = {
        { OPTION_SINGLESTEP, "one-insn-per-tb" }, { OPTION_PERFMAP, "perfmap" },
        { OPTION_JITDUMP, "jitdump" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        const GivenOption *opt = options_last(line, switches[i].id);
        if (opt && !system_config.accel->set_option(switches[i].key, "on", &err)) {
            error_prepend(&err, "%s: ", opt->spelling);
            fail(err);
        }
    }
}

static bool init_accel(Machine *m, Error **errp)
{
    m->accel = system_config.accel;
    Error *err = NULL;
    if (system_config.accel->init(m, &err)) {
        m->no_smm = m->accel->has_smm && !m->accel->has_smm();
        return true;
    }
    /* A host without code generator. */
    if (system_config.accel == &accel_tcg && accel_tcg.set_option("interpreter", "on", NULL) &&
        accel_tcg.init(m, NULL)) {
        error_warn("%s: the interpreter runs instead, slowly", error_message(err));
        error_free(err);
        return true;
    }
    error_propagate(errp, err);
    return false;
}

/* -device of one of these: the user makes the drives. */
static const char *const disk_devices[] = { "ide-cd", "ide-hd", "scsi-cd", "scsi-hd", NULL };
static const char *const serial_devices[] = { "isa-serial", NULL }, *const parallel_devices[] = { "isa-parallel", NULL };
static const char *const floppy_devices[] = { "isa-fdc", "floppy", NULL };
/* The board adds no graphics card to one of these. */
static const char *const vga_devices[] = { "VGA", "isa-vga", "virtio-vga", NULL };

static bool device_named(CommandLine *line, const char *const *names)
{
    for (size_t i = 0; i < line->given.n; i++) {
        const GivenOption *opt = &line->given.at[i];
        const char *driver = opt->id == OPTION_DEVICE ? json_get_string(opt->opts, "driver") : NULL;
        for (const char *const *name = names; driver && *name; name++) {
            if (!strcmp(driver, *name)) {
                return true;
            }
        }
    }
    return false;
}

static Machine *make_machine(CommandLine *line)
{
    Error *err = NULL;
    Machine *m = machine_new(choose_machine(line), system_config.arch);
    if (system_config.uuid_set) {
        memcpy(m->uuid, system_config.uuid, sizeof(m->uuid));
    }
    m->graphics = !system_config.nographic;
    m->no_autostart = options_last(line, OPTION_S) != NULL;
    m->no_reboot_action_shutdown = options_last(line, OPTION_NO_REBOOT) != NULL;
    m->no_shutdown = options_last(line, OPTION_NO_SHUTDOWN) != NULL;
    run_phases(line, machine_phases, ARRAY_SIZE(machine_phases));
    if (!m->vga && (system_config.no_defaults || device_named(line, vga_devices))) {
        m->vga = xstrdup("none");
    }
    const GivenOption *path = options_last(line, OPTION_MEM_PATH);
    if (path && !system_set_memory_path(path->text, options_last(line, OPTION_MEM_PREALLOC) != NULL, &err)) {
        error_prepend(&err, "%s %s: ", path->spelling, path->text);
        fail(err);
    }
    set_image_options(line, m);
    bool own_serial = device_named(line, serial_devices), own_parallel = device_named(line, parallel_devices);
    if (!system_add_default_chardevs(options_last(line, OPTION_MON) != NULL, own_serial, own_parallel, &err)) {
        fail(err);
    }
    bool own_disks = device_named(line, disk_devices), own_floppy = device_named(line, floppy_devices);
    if (!system_config.no_defaults && !system_add_default_drives(!own_disks, !own_floppy, &err)) {
        fail(err);
    }
    /* Nothing to run, nothing to reserve memory for. */
    if ((strcmp(m->type->name, "none") || system_config.accel == &accel_qtest) && !init_accel(m, &err)) {
        fail(err);
    }
    if (!machine_build(m, &err)) {
        fail(err);
    }
    if (m->usb && m->type->usb_controller) {
        const char *const props[] = { "addr", m->type->usb_addr, NULL };
        if (!device_add(m->type->usb_controller, props, &err)) {
            fail(err);
        }
    }
    if (!semihosting_start(m->kernel, m->append, &err)) {
        fail(err);
    }
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        semihosting_attach(m->vcpus[i]);
    }
    static const Phase devices[] = { { OPTION_USBDEVICE, add_usb_device }, { OPTION_DEBUGCON, system_add_debugcon }, { OPTION_DEVICE, add_device } };
    run_phases(line, devices, ARRAY_SIZE(devices));
    if (!system_add_implicit_devices(&err)) {
        fail(err);
    }
    if (!object_check_globals(&err) || !machine_ready(m, &err) || !system_check_boot(&err)) {
        fail(err);
    }
    return m;
}

static void attach_monitors(CommandLine *line)
{
    Error *err = NULL;
    if (!system_attach_monitors(&err)) {
        fail(err);
    }
    static const Phase mon[] = { { OPTION_MON, attach_mon_option } };
    run_phases(line, mon, ARRAY_SIZE(mon));
}

static bool start_gdb(GivenOption *opt, Error **errp)
{
    return system_start_gdb(opt->text ? opt->text : "tcp::1234", errp);
}

static void change_process(CommandLine *line)
{
    static const Phase phases[] = {
        { OPTION_CHROOT, run_with_chroot },
        { OPTION_RUN_WITH, run_with_chroot },
        { OPTION_RUNAS, run_with_user },
        { OPTION_RUN_WITH, run_with_user },
    };
    Error *err = NULL;
    run_phases(line, phases, ARRAY_SIZE(phases));
    if (!process_daemon_ready(&err)) {
        fail(err);
    }
}

int main(int argc, char **argv)
{
    CommandLine line = {0};
    Error *err = NULL;
    int first = choose_arch(argc, argv);
    if (!options_parse(&line, argc, argv, first, &err)) {
        fail(err);
    }
    for (size_t i = 0; i < line.given.n; i++) {
        if (help_for(&line.given.at[i], argv[0])) {
            return fflush(stdout) ? 1 : 0;
        }
    }
    GivenOption *write = options_last(&line, OPTION_WRITECONFIG);
    if (write && !options_write_config(&line, write->text, &err)) {
        fail(err);
    }
    system_config.nographic = options_last(&line, OPTION_NOGRAPHIC) != NULL;
    system_config.no_defaults = options_last(&line, OPTION_NODEFAULTS) != NULL;
    chardev_set_stdio_signals(!system_config.nographic);

    check_daemonize(&line);
    process_catch_signals();
    bql_lock();
    loop_set_lock(loop_main(), bql_lock, bql_unlock);
    chardev_quit_hook = mux_quit;
    chardev_prop_install();
    system_init_backends();
    atexit(chardev_cleanup);
    run_phases(&line, early_phases, ARRAY_SIZE(early_phases));
    choose_machine_accel(&line);
    static const Phase icount[] = { { OPTION_ICOUNT, system_set_icount } };
    run_phases(&line, icount, ARRAY_SIZE(icount));
    const GivenOption *pidfile = options_last(&line, OPTION_PIDFILE);
    if (pidfile && !process_write_pidfile(pidfile->text, &err)) {
        fail(err);
    }

    Machine *m = make_machine(&line);
    machine_set_events(&machine_event_hooks);
    device_set_deleted_hook(on_device_deleted);
    machine_set_quit_hook(quit);
    vnc_set_event_hook(monitor_event);
    if (!display_start(system_config.nographic, system_config.name, &err)) {
        fail(err);
    }
    attach_monitors(&line);
    static const Phase gdb[] = { { OPTION_GDB, start_gdb }, { OPTION_GDB_S, start_gdb } };
    run_phases(&line, gdb, ARRAY_SIZE(gdb));
    const GivenOption *qtest = options_last(&line, OPTION_QTEST), *qtest_log = options_last(&line, OPTION_QTEST_LOG);
    if (qtest && !system_start_qtest(qtest->text, qtest_log ? qtest_log->text : NULL, &err)) {
        error_exit("-qtest %s: %s", qtest->text, error_message(err));
    }
    machine_reset(m, RESET_COLD);
    change_process(&line);
    if (!m->no_autostart) {
        vm_start(m);
    }
    while (!quitting) {
        loop_run_once(loop_main(), true);
    }
    /* The other threads stay stopped: nobody lets them have the lock again. */
    display_finish();
    system_finish_backends();
    monitor_cleanup();
    chardev_cleanup();
    options_free(&line);
    fflush(NULL);
    return quit_status;
}
